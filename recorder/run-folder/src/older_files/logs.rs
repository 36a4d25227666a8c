//! `latency.log`, `anomaly.log` and `throughput.csv`: what comes from going through the rows once.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::quantiles::Quantiles;
use super::{Columns, NS_PER_S, batches};
use crate::{Error, Manifest, Result, RunFolder};

/// More seconds than any run has; a time beyond is damage, and would make a file of endless zeros.
const SECONDS_MAX: i64 = 366 * 24 * 3600;

/// What is known after the first pass.
#[derive(Debug, Default)]
pub(super) struct Seconds {
    /// Acknowledged operations that ended in each second after time 0.
    pub(super) ops: Vec<u64>,
    /// Last end of an acknowledged operation.
    pub(super) last_end_ns: i64,
    /// Operations that were not acknowledged.
    pub(super) failed: u64,
}

impl Seconds {
    fn slot(&mut self, second: i64) -> Option<&mut u64> {
        let second = usize::try_from(second).ok().filter(|_| second <= SECONDS_MAX)?;
        if self.ops.len() <= second {
            self.ops.resize(second + 1, 0);
        }
        self.ops.get_mut(second)
    }
}

/// Writes the three files, and puts each service time into `quantiles`.
pub(super) fn write(folder: &RunFolder, manifest: &Manifest, quantiles: &mut Quantiles) -> Result<Seconds> {
    let mut seconds = Seconds::default();
    let mut latency = Lines::create(folder.latency_log(), "end_ms,latency_ms\n")?;
    let mut anomaly = Lines::create(folder.anomaly_log(), "")?;
    for batch in batches(folder)? {
        let batch = batch?;
        let columns = Columns::new(&batch);
        for row in columns.rows() {
            let end_ns = columns.end_ns.value(row);
            let too_late = || Error::corrupt(folder.operations_parquet(), format!("has an impossible end_ns {end_ns}"));
            let slot = seconds.slot(end_ns.div_euclid(NS_PER_S)).ok_or_else(too_late)?;
            let end_unix_ns = manifest.clock.origin_unix_ns.saturating_add(end_ns);
            if columns.is_ok(row) {
                *slot += 1;
                let operation = columns.acknowledged_row(row);
                seconds.last_end_ns = seconds.last_end_ns.max(operation.end_ns);
                quantiles.add(operation.service_ns);
                latency.millis(end_unix_ns).text(",").millis(operation.service_ns as i64).text("\n");
                latency.flush_some()?;
            } else {
                seconds.failed += 1;
                anomaly.millis(end_unix_ns).text(",").text(&columns.kind.value(row).to_ascii_uppercase());
                anomaly.text("_FAILED\n").flush_some()?;
            }
        }
    }
    latency.finish()?;
    anomaly.finish()?;
    write_throughput(folder, manifest, &mut seconds)?;
    Ok(seconds)
}

fn write_throughput(folder: &RunFolder, manifest: &Manifest, seconds: &mut Seconds) -> Result<()> {
    // A workload that ends exactly on a second has nothing in that second.
    let last = manifest.clock.workload_end_ns.saturating_sub(1).div_euclid(NS_PER_S).max(0);
    let impossible = || Error::corrupt(folder.manifest_json(), "has an impossible clock.workload_end_ns");
    seconds.slot(last).ok_or_else(impossible)?;
    let mut throughput = Lines::create(folder.throughput_csv(), "second,ops\n")?;
    for (second, ops) in seconds.ops.iter().enumerate() {
        throughput.text(&format!("{second},{ops}\n")).flush_some()?;
    }
    throughput.finish()
}

/// A text file that is written line by line.
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
    waiting: Vec<u8>,
}

impl Lines {
    fn create(path: PathBuf, header: &str) -> Result<Self> {
        let file = File::create(&path).map_err(cannot_write(&path))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 16, file), waiting: header.into() })
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.waiting.extend_from_slice(text.as_bytes());
        self
    }

    /// Nanoseconds as milliseconds with six decimals. In integers: a float of this size has only three exact ones.
    fn millis(&mut self, ns: i64) -> &mut Self {
        let mut digits = [0; 28];
        let mut at = digits.len();
        let mut rest = ns.unsigned_abs();
        for place in 0.. {
            if place == 6 {
                at -= 1;
                digits[at] = b'.';
            }
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 && place >= 6 {
                break;
            }
        }
        if ns < 0 {
            at -= 1;
            digits[at] = b'-';
        }
        self.waiting.extend_from_slice(&digits[at..]);
        self
    }

    fn flush_some(&mut self) -> Result<()> {
        self.file.write_all(&self.waiting).map_err(cannot_write(&self.path))?;
        self.waiting.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.flush_some()?;
        self.file.flush().map_err(cannot_write(&self.path))
    }
}

fn cannot_write(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    Error::io(path, "cannot write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_keep_every_digit_as_milliseconds() {
        let dir = tempfile::tempdir().unwrap();
        for (ns, expected) in [
            (0, "0.000000"),
            (1, "0.000001"),
            (999_999, "0.999999"),
            (1_000_000, "1.000000"),
            (1_800_000_000_123_456_789, "1800000000123.456789"),
            (-1_500_000, "-1.500000"),
            (i64::MAX, "9223372036854.775807"),
            (i64::MIN, "-9223372036854.775808"),
        ] {
            let path = dir.path().join("a");
            let mut lines = Lines::create(path.clone(), "").unwrap();
            lines.millis(ns);
            lines.finish().unwrap();
            assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
        }
    }
}
