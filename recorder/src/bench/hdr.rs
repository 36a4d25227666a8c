//! HdrHistogram logs, version 1.3 of their text with histograms of encoding V2: what `HistogramLogReader` of the reference
//! implementation and its plotters read.
//!
//! The crate's own writer would bring a compressor, and with it other features of one that polars uses, for some
//! kilobytes. Its format is small, and zlib has a way to leave bytes as they are, so it is written here.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;

use super::results::Measured;
use crate::error::{Error, Result};

/// Significant decimal digits that are kept of each value.
const DIGITS: u8 = 3;
/// What a log's maxima are divided by: nanoseconds become milliseconds.
const MAX_VALUE_DIVISOR: f64 = 1e6;
/// Beginnings of an encoded histogram, and of a compressed one.
const COOKIE: u32 = 0x1c84_9303 | 0x10;
const COMPRESSED_COOKIE: u32 = 0x1c84_9304 | 0x10;
/// Most bytes that zlib leaves as they are in one block.
const STORED_MAX: usize = u16::MAX as usize;

/// Checks that a log can be written there, without leaving anything.
///
/// # Errors
/// [`Error::Usage`] that names `--hdr`.
pub(super) fn check(file: &Path) -> Result<()> {
    let refused = |problem: String| Error::usage(format!("--hdr: {}: {problem}; choose another place", file.display()));
    if file.is_dir() {
        return Err(refused("is a folder".into()));
    }
    let Some(new) = new_file(file) else { return Err(refused("is no file name".into())) };
    File::create(&new).and_then(|_| fs::remove_file(&new)).map_err(|error| refused(error.to_string()))
}

/// Writes the log of a benchmark: an interval for each kind, tagged with its name. A reader sees a whole log or none.
///
/// # Errors
/// [`Error::Run`] that names the file.
pub(super) fn write(file: &Path, measured: &[Measured]) -> Result<()> {
    let text = log(measured)?;
    let replace = || -> io::Result<()> {
        let new = new_file(file).ok_or(io::ErrorKind::InvalidInput)?;
        let written =
            File::create(&new).and_then(|mut new| new.write_all(text.as_bytes()).and_then(|()| new.sync_all()));
        written.and_then(|()| fs::rename(&new, file)).inspect_err(|_| {
            // Half a log is of no use to anybody.
            let _ = fs::remove_file(&new);
        })
    };
    replace().map_err(|error| Error::run(format!("--hdr: {}: cannot be written: {error}", file.display())))
}

/// Where a log is written before it takes its place.
fn new_file(file: &Path) -> Option<PathBuf> {
    let mut name = file.file_name()?.to_owned();
    name.push(".new");
    Some(file.with_file_name(name))
}

fn log(measured: &[Measured]) -> Result<String> {
    let seconds = |ns: i64| ns as f64 / 1e9;
    let base_ns = measured.first().map_or(0, |first| first.manifest.clock.origin_unix_ns);
    let mut log = format!(
        "#[Histogram log format version 1.3]\n\
         #Values are nanoseconds from when an acknowledged operation was due to its answer.\n\
         #[StartTime: {base:.3} (seconds since epoch)]\n\
         #[BaseTime: {base:.3} (seconds since epoch)]\n\
         #[MaxValueDivisor: {MAX_VALUE_DIVISOR:.3}]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        base = seconds(base_ns)
    );
    for run in measured {
        let clock = &run.manifest.clock;
        let histogram = histogram(&run.response_ns)
            .map_err(|error| Error::run(format!("--hdr: the latencies of {} fit no histogram: {error}", run.run)))?;
        // Written into a text, which cannot fail.
        let _ = writeln!(
            log,
            "Tag={},{:.3},{:.3},{:.3},{}",
            run.kind.as_str(),
            seconds(clock.origin_unix_ns - base_ns),
            seconds(clock.workload_end_ns),
            if histogram.is_empty() { 0.0 } else { histogram.max() as f64 / MAX_VALUE_DIVISOR },
            base64(&compressed(&encoded(&histogram)))
        );
    }
    Ok(log)
}

fn histogram(sorted_ns: &[i64]) -> std::result::Result<Histogram<u64>, Box<dyn std::error::Error>> {
    let highest = sorted_ns.last().map_or(0, |ns| ns.max(&0).unsigned_abs()).max(2);
    let mut histogram = Histogram::new_with_bounds(1, highest, DIGITS)?;
    for ns in sorted_ns {
        histogram.record(ns.max(&0).unsigned_abs())?;
    }
    Ok(histogram)
}

/// A histogram in encoding V2: a header, and the count of each of its buckets up to the last one that has any. A negative number
/// stands for so many empty buckets.
fn encoded(histogram: &Histogram<u64>) -> Vec<u8> {
    let mut counts = Vec::new();
    let mut empty: i64 = 0;
    for bucket in histogram.iter_all() {
        match bucket.count_at_value() {
            0 => empty += 1,
            count => {
                // A single one is a count like any other.
                match std::mem::take(&mut empty) {
                    0 => {}
                    1 => put_number(&mut counts, 0),
                    many => put_number(&mut counts, -many),
                }
                put_number(&mut counts, i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
    }
    if counts.is_empty() {
        put_number(&mut counts, 0);
    }
    let mut bytes = Vec::new();
    bytes.extend(COOKIE.to_be_bytes());
    bytes.extend((counts.len() as u32).to_be_bytes());
    // No shift of the buckets.
    bytes.extend(0_u32.to_be_bytes());
    bytes.extend(u32::from(histogram.sigfig()).to_be_bytes());
    bytes.extend(histogram.low().to_be_bytes());
    bytes.extend(histogram.high().to_be_bytes());
    bytes.extend(1.0_f64.to_be_bytes());
    bytes.extend(counts);
    bytes
}

/// A number as ZigZag LEB128: seven bits a byte, the lowest first, the ninth byte whole.
fn put_number(bytes: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    for _ in 0..8 {
        if rest < 0x80 {
            return bytes.push(rest as u8);
        }
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// The envelope of a compressed histogram.
fn compressed(encoded: &[u8]) -> Vec<u8> {
    let stream = zlib(encoded);
    let mut bytes = Vec::new();
    bytes.extend(COMPRESSED_COOKIE.to_be_bytes());
    bytes.extend((stream.len() as u32).to_be_bytes());
    bytes.extend(stream);
    bytes
}

/// A zlib stream (RFC 1950) of blocks that are stored as they are.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    // Deflate with a window of 32 KiB, no dictionary, the fastest level; the two bytes are a multiple of 31.
    let mut stream = vec![0x78, 0x01];
    let blocks = bytes.chunks(STORED_MAX);
    let last = blocks.len().saturating_sub(1);
    for (at, block) in blocks.enumerate() {
        stream.push(u8::from(at == last));
        let length = block.len() as u16;
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

/// Base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 0x3f) as usize];
            text.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_as_their_standards_say() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"), ("?>?>", "Pz4/Pg==")];
        for (bytes, text) in cases {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
        let number = |number| {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            bytes
        };
        assert_eq!((number(0), number(-1), number(1), number(-2)), (vec![0], vec![1], vec![2], vec![3]));
        assert_eq!((number(63), number(64)), (vec![126], vec![0x80, 1]));
        assert_eq!(number(i64::MIN), [0xff; 9], "the ninth byte has eight bits");
    }

    #[test]
    fn a_histogram_has_a_header_and_no_empty_end() {
        let encoded = encoded(&histogram(&[3, 3, 7, 5_000_000]).expect("these fit"));
        assert_eq!(encoded[..4], [0x1c, 0x84, 0x93, 0x13]);
        assert_eq!(encoded[12..16], [0, 0, 0, 3]);
        assert_eq!(encoded[16..24], 1_u64.to_be_bytes());
        assert_eq!(encoded[24..32], 5_000_000_u64.to_be_bytes());
        // Three empty buckets, two values, three empty ones, one, and the last after many empty ones.
        assert_eq!(encoded[40..44], [5, 4, 5, 2]);
        assert_eq!(encoded.last(), Some(&2));
        assert_eq!(encoded[4..8], (encoded.len() as u32 - 40).to_be_bytes());
    }

    #[test]
    fn long_streams_are_in_several_blocks() {
        let bytes = vec![7; STORED_MAX + 1];
        let stream = zlib(&bytes);
        assert_eq!(stream.len(), 2 + 5 + STORED_MAX + 5 + 1 + 4);
        assert_eq!((stream[2], stream[2 + 5 + STORED_MAX]), (0, 1), "only the last block says that it is the last");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_refused_before_anything_is_measured() {
        let place = tempfile::tempdir().unwrap();
        for file in [place.path().join("missing/a.hlog"), place.path().to_owned()] {
            let message = check(&file).expect_err("it is none").to_string();
            assert!(message.contains("--hdr") && message.contains(&*file.to_string_lossy()), "{message}");
        }
        let old = place.path().join("old.hlog");
        fs::write(&old, "old").unwrap();
        check(&old).unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "old", "what is there stays until there is something better");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
