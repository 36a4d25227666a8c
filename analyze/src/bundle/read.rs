//! Going through a bundle once, from its beginning to its end, believing nothing.
//!
//! The archive is read as a stream: memory stays that of a few buffers, however large the runs are. Entries must be plain
//! files, exactly those that `bundle.json` lists and in its order, of the sizes and checksums that stand there. So what
//! would escape the folder, replace another file, or grow without end is refused where it begins. The headers are
//! read as they are: extensions of tar that could rename an entry are entries here, and refused.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use tar::{Archive, EntryType};

use super::contents::{BundledFile, Contents, Place, place, refused};
use super::interrupt::is_interrupted;
use super::{BUFFER_BYTES, BUNDLE_JSON, MAGIC, SHA256SUMS, TOP, hex};
use crate::{Error, Result, interruption};

/// A bundle of 10,000 runs has a `bundle.json` of some 15 MB.
const JSON_BYTES_MAX: u64 = 64 << 20;
/// Recordings shrink little, since their tables are compressed already; only a bomb gives a thousand times its size.
const GROWTH_MAX: u64 = 200;
const GROWTH_FREE_BYTES: u64 = 64 << 20;
/// What the reader keeps of the past for decompression: 8 MiB. The writer needs 2.
const WINDOW_LOG_MAX: u32 = 23;
/// Tar ends in zeros, which other programs pad to a block of 10 KiB.
const PADDING_BYTES_MAX: usize = 1 << 20;

/// A bundle in which every checksum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it holds.
    pub contents: Contents,
    /// Length of the file.
    pub size_bytes: u64,
    /// Length of what it holds.
    pub unpacked_bytes: u64,
}

/// Checks a bundle from its beginning to its end, and keeps nothing of it.
///
/// # Errors
/// [`Error::Bundle`] for the first thing that is wrong.
pub fn verify(bundle: &Path) -> Result<Verified> {
    read(bundle, |_, _| Ok(None))
}

/// Whether a file begins as a bundle does.
fn begins_as_bundle(path: &Path) -> io::Result<bool> {
    let mut magic = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut magic)?;
    Ok(magic == MAGIC)
}

/// Goes through a bundle. For each file, `unpack` says where it is to be written, if anywhere. What was written may be used
/// only when this succeeds.
///
/// # Errors
/// [`Error::Bundle`] for the first thing that is wrong.
pub(super) fn read(
    bundle: &Path,
    mut unpack: impl FnMut(&BundledFile, Place) -> Result<Option<File>>,
) -> Result<Verified> {
    let cannot_open = |error: io::Error| Error::bundle(bundle, format!("cannot be opened: {error}"));
    if !bundle.is_file() || !begins_as_bundle(bundle).map_err(cannot_open)? {
        return Err(Error::bundle(bundle, "is no bundle, as `analyze bundle` writes one"));
    }
    let file = File::open(bundle).map_err(cannot_open)?;
    let size_bytes = file.metadata().map_err(cannot_open)?.len();
    let mut decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(BUFFER_BYTES, file)).map_err(cannot_open)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(cannot_open)?;
    let mut archive = Archive::new(decoder);
    let mut entries = Entries { bundle, entries: archive.entries().map_err(damaged(bundle))?.raw(true) };

    let json = entries.text(BUNDLE_JSON)?;
    let contents = Contents::parse(bundle, &json)?;
    let unpacked_bytes = unpacked_bytes(bundle, &contents, size_bytes)?;
    if entries.text(SHA256SUMS)? != contents.sha256sums(&json).as_bytes() {
        return Err(Error::bundle(bundle, format!("its {SHA256SUMS} and its {BUNDLE_JSON} contradict each other")));
    }
    let mut buffer = vec![0; BUFFER_BYTES];
    for (at, file) in contents.files.iter().enumerate() {
        let mut entry = entries.next(&file.path, &contents.files[at..])?;
        if entry.size() != file.size_bytes {
            let problem = format!("has {} bytes where {BUNDLE_JSON} says {}", entry.size(), file.size_bytes);
            return Err(refused(bundle, &file.path, &problem));
        }
        let kind = place(&file.path).map_err(|problem| refused(bundle, &file.path, problem))?;
        let mut to = unpack(file, kind)?;
        let mut digest = Sha256::new();
        loop {
            let count = entry.read(&mut buffer).map_err(damaged(bundle))?;
            if count == 0 {
                break;
            }
            if is_interrupted() {
                return Err(Error::bundle(bundle, "interrupted"));
            }
            interruption::check()?;
            digest.update(&buffer[..count]);
            if let Some(to) = &mut to {
                to.write_all(&buffer[..count]).map_err(cannot_unpack(bundle))?;
            }
        }
        // An archive that ends within this entry has another checksum too.
        if hex(digest) != file.sha256 {
            let problem = format!("its entry {} does not have the checksum in {BUNDLE_JSON}", file.path);
            return Err(Error::bundle(bundle, format!("{problem}: it was changed or damaged; get the bundle again")));
        }
    }
    entries.end()?;
    // What is behind the archive's end must be padding; reading it also has zstd compare its own checksum.
    let mut rest = archive.into_inner().take(PADDING_BYTES_MAX as u64 + 1);
    let mut padding = Vec::new();
    rest.read_to_end(&mut padding).map_err(damaged(bundle))?;
    if padding.len() > PADDING_BYTES_MAX || padding.iter().any(|&byte| byte != 0) {
        return Err(Error::bundle(
            bundle,
            "refused: something follows its end; it was not written by `analyze bundle`",
        ));
    }
    Ok(Verified { contents, size_bytes, unpacked_bytes })
}

/// The sum of all sizes, unless it is absurd.
fn unpacked_bytes(bundle: &Path, contents: &Contents, size_bytes: u64) -> Result<u64> {
    let sum = contents.files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.size_bytes));
    let most = size_bytes.saturating_mul(GROWTH_MAX).saturating_add(GROWTH_FREE_BYTES);
    match sum {
        Some(sum) if sum <= most => Ok(sum),
        _ => Err(Error::bundle(
            bundle,
            format!(
                "refused: its {size_bytes} bytes would unpack to more than {GROWTH_MAX} times as many, which no recording \
                 does"
            ),
        )),
    }
}

/// The entries of an archive, in their order.
struct Entries<'a, R: Read> {
    bundle: &'a Path,
    entries: tar::Entries<'a, R>,
}

impl<'a, R: Read> Entries<'a, R> {
    /// The next entry, which must be a plain file at `path`; `to_come` are the files that are still expected.
    fn next(&mut self, path: &str, to_come: &[BundledFile]) -> Result<tar::Entry<'a, R>> {
        let Some(entry) = self.entries.next() else {
            return Err(Error::bundle(
                self.bundle,
                format!("is cut short: it ends before {path}; get the bundle again"),
            ));
        };
        let entry = entry.map_err(damaged(self.bundle))?;
        let bytes = entry.path_bytes().into_owned();
        let found = String::from_utf8_lossy(&bytes);
        if entry.header().entry_type() != EntryType::Regular {
            return Err(refused(self.bundle, &found, "is a link, a folder, a device or otherwise no plain file"));
        }
        let Some(found) = found.strip_prefix(TOP) else {
            let problem = place(&found).err().unwrap_or("is not in laggard-bundle/");
            return Err(refused(self.bundle, &found, problem));
        };
        if found == path {
            return Ok(entry);
        }
        let problem = match place(found) {
            Err(problem) => problem,
            Ok(_) if to_come.iter().any(|file| file.path == found) => "is not where bundle.json has it",
            Ok(_) => "is there twice, or not listed in bundle.json",
        };
        Err(refused(self.bundle, found, problem))
    }

    /// The content of the next entry, which must be a short one.
    fn text(&mut self, path: &str) -> Result<Vec<u8>> {
        let mut entry = self.next(path, &[])?;
        if entry.size() > JSON_BYTES_MAX {
            return Err(refused(self.bundle, path, "is longer than any such file"));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged(self.bundle))?;
        Ok(bytes)
    }

    /// There must be no entry any more.
    fn end(&mut self) -> Result<()> {
        match self.entries.next() {
            None => Ok(()),
            Some(Err(error)) => Err(damaged(self.bundle)(error)),
            Some(Ok(entry)) => {
                let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                Err(refused(self.bundle, &path, "is there twice, or not listed in bundle.json"))
            }
        }
    }
}

fn damaged(bundle: &Path) -> impl Fn(io::Error) -> Error {
    move |error| {
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => "is cut short".to_owned(),
            _ => format!("is damaged ({error})"),
        };
        Error::bundle(bundle, format!("{problem}; get the bundle again"))
    }
}

fn cannot_unpack(bundle: &Path) -> impl Fn(io::Error) -> Error {
    move |error| {
        let folder = std::env::temp_dir();
        let variable = if cfg!(windows) { "TMP" } else { "TMPDIR" };
        Error::bundle(
            bundle,
            format!("cannot be unpacked to {}: {error}; name a folder with room in {variable}", folder.display()),
        )
    }
}

/// Makes the file that an entry is unpacked to.
pub(super) fn create(bundle: &Path, path: &Path) -> Result<File> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).and_then(|()| File::create_new(path)).map_err(cannot_unpack(bundle))
}
