//! A checksum of all that goes into a file, known at every moment without reading the file again.

use std::fs::File;
use std::io::{Read, Write};

/// Tells bytes that were written from those that a crash of the machine left in their place. It is not cryptographic.
/// The sum depends on the order of the bytes, not on how they were cut into pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checksum {
    sum: u64,
    /// Bytes that do not fill a word yet.
    word: [u8; 8],
    len_bytes: u64,
}

impl Checksum {
    /// The checksum of `bytes` alone.
    pub(crate) fn of(bytes: &[u8]) -> u64 {
        let mut checksum = Self::default();
        checksum.add(bytes);
        checksum.value()
    }

    /// The checksum of what `from` still has, at most `len_bytes` of it; and how many bytes that were.
    pub(crate) fn read(from: &mut impl Read, len_bytes: u64) -> std::io::Result<(u64, u64)> {
        let mut checksum = Self::default();
        let mut buffer = vec![0; 1 << 18];
        let mut from = from.take(len_bytes);
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok((checksum.value(), checksum.len_bytes)),
                Ok(count) => checksum.add(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Adds what comes next.
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        let filled = (self.len_bytes % 8) as usize;
        self.len_bytes += bytes.len() as u64;
        if filled > 0 {
            let (now, later) = bytes.split_at(bytes.len().min(8 - filled));
            self.word[filled..filled + now.len()].copy_from_slice(now);
            if filled + now.len() < 8 {
                return;
            }
            self.sum = mix(self.sum, self.word);
            bytes = later;
        }
        let (words, rest) = bytes.as_chunks::<8>();
        self.sum = words.iter().fold(self.sum, |sum, &word| mix(sum, word));
        self.word[..rest.len()].copy_from_slice(rest);
    }

    /// The checksum of all that was added.
    pub(crate) fn value(&self) -> u64 {
        let mut last = [0; 8];
        let filled = (self.len_bytes % 8) as usize;
        last[..filled].copy_from_slice(&self.word[..filled]);
        mix(mix(self.sum, last), self.len_bytes.to_le_bytes())
    }

    /// Number of bytes that were added.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }
}

/// Both steps can be undone, so two sums that differ stay different whatever words follow.
fn mix(sum: u64, word: [u8; 8]) -> u64 {
    (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

/// A file that is written from its beginning, with the checksum of what the system has taken.
#[derive(Debug)]
pub(crate) struct ChecksummedFile {
    file: File,
    checksum: Checksum,
}

impl ChecksummedFile {
    /// Wraps a file that is empty.
    pub(crate) fn new(file: File) -> Self {
        Self { file, checksum: Checksum::default() }
    }

    /// The checksum so far.
    pub(crate) fn checksum(&self) -> &Checksum {
        &self.checksum
    }

    /// Waits until everything is on the disk.
    pub(crate) fn sync_all(&self) -> std::io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for ChecksummedFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.checksum.add(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_matter_and_bits_and_lengths_do() {
        let bytes: Vec<u8> = (0..100).collect();
        let whole = Checksum::of(&bytes);
        for piece in 1..20 {
            let mut checksum = Checksum::default();
            bytes.chunks(piece).for_each(|piece| checksum.add(piece));
            assert_eq!((checksum.value(), checksum.len_bytes()), (whole, 100), "pieces of {piece}");
        }
        for bit in 0..8 * bytes.len() {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Checksum::of(&other), whole, "bit {bit}");
        }
        let zeros = [0; 32];
        let sums: std::collections::BTreeSet<_> = (0..=32).map(|len| Checksum::of(&zeros[..len])).collect();
        assert_eq!(sums.len(), 33);
        assert_eq!(Checksum::read(&mut bytes.as_slice(), 40).unwrap(), (Checksum::of(&bytes[..40]), 40));
        assert_eq!(Checksum::read(&mut bytes.as_slice(), 400).unwrap(), (whole, 100));
    }
}
