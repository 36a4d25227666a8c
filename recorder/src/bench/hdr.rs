//! HdrHistogram logs: what `HistogramLogReader` of the reference implementation and its plotters read.

use std::path::Path;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::results::Measured;
use crate::error::{Error, Result};
use crate::output;
use crate::plan::bench::BenchKind;

/// Significant decimal digits that are kept of each value.
const DIGITS: u8 = 3;
/// What a log's maxima are divided by: nanoseconds become milliseconds.
const MAX_VALUE_DIVISOR: f64 = 1e6;

/// Checks that a log can be written there, without leaving anything.
///
/// # Errors
/// [`Error::Usage`] that names `--hdr`.
pub(super) fn check(file: &Path) -> Result<()> {
    let refused =
        |error| Error::usage(format!("--hdr: {}: cannot be written: {error}; choose another place", file.display()));
    output::check(file).map_err(refused)
}

/// Writes the log of a benchmark: an interval for each kind, tagged with its name. A reader sees a whole log or none.
///
/// # Errors
/// [`Error::Run`] that names the file.
pub(super) fn write(file: &Path, measured: &[Measured]) -> Result<()> {
    let intervals: Vec<_> = measured.iter().map(Interval::of).collect();
    let failed = |problem: &dyn std::fmt::Display| {
        Error::run(format!("--hdr: {}: cannot be written: {problem}", file.display()))
    };
    let log = log(&intervals).map_err(|error| failed(&error))?;
    output::replace(file, &log).map_err(|error| failed(&error))
}

/// What is written of a kind.
#[derive(Debug)]
struct Interval<'a> {
    kind: BenchKind,
    /// When it was begun to be measured, after the Unix epoch.
    start: Duration,
    length: Duration,
    response_ns: &'a [i64],
}

impl<'a> Interval<'a> {
    fn of(measured: &'a Measured) -> Self {
        let clock = &measured.manifest.clock;
        let duration = |ns: i64| Duration::from_nanos(ns.max(0).unsigned_abs());
        Self {
            kind: measured.kind,
            start: duration(clock.origin_unix_ns),
            length: duration(clock.workload_end_ns),
            response_ns: &measured.response_ns,
        }
    }
}

fn log(intervals: &[Interval<'_>]) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
    let base = intervals.first().map_or(Duration::ZERO, |first| first.start);
    let (mut log, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("Values are nanoseconds from when an acknowledged operation was due to its answer.")
        .with_start_time(SystemTime::UNIX_EPOCH + base)
        .with_base_time(SystemTime::UNIX_EPOCH + base)
        .with_max_value_divisor(MAX_VALUE_DIVISOR)
        .begin_log_with(&mut log, &mut serializer)?;
    for interval in intervals {
        let histogram = histogram(interval.response_ns)?;
        let since_base = interval.start.saturating_sub(base);
        writer.write_histogram(&histogram, since_base, interval.length, Tag::new(interval.kind.as_str()))?;
    }
    Ok(log)
}

fn histogram(times_ns: &[i64]) -> std::result::Result<Histogram<u64>, Box<dyn std::error::Error>> {
    let value = |ns: &i64| ns.max(&0).unsigned_abs();
    // The least that a histogram can have as its highest value is 2.
    let highest = times_ns.iter().map(value).max().unwrap_or(0).max(2);
    let mut histogram = Histogram::new_with_bounds(1, highest, DIGITS)?;
    for ns in times_ns {
        histogram.record(value(ns))?;
    }
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn a_log_has_a_tagged_interval_for_each_kind() {
        let times = [1_000_000, 2_000_000, 5_000_000];
        let start = Duration::from_secs(1_800_000_000);
        let interval = |kind, at_ms, response_ns| Interval {
            kind,
            start: start + Duration::from_millis(at_ms),
            length: Duration::from_millis(250),
            response_ns,
        };
        // Nothing was acknowledged of the second one.
        let log =
            log(&[interval(BenchKind::Put, 0, &times[..]), interval(BenchKind::Transaction, 1_500, &[])]).unwrap();
        assert!(log.starts_with(b"#[Histogram log format version 1.3]\n#Values are nanoseconds"));
        let mut entries = Vec::new();
        for entry in IntervalLogIterator::new(&log) {
            match entry.expect("it is a log") {
                LogEntry::StartTime(time) | LogEntry::BaseTime(time) => assert_eq!(time, start),
                LogEntry::Interval(interval) => {
                    assert_eq!(interval.duration(), Duration::from_millis(250));
                    entries.push((interval.tag().map(|tag| tag.as_str()), interval.start_timestamp(), interval.max()));
                }
            }
        }
        let expected_max = histogram(&times).unwrap().max() as f64 / MAX_VALUE_DIVISOR;
        assert!((expected_max - 5.0).abs() < 0.005, "three digits");
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].0, entries[0].1), (Some("put"), Duration::ZERO));
        assert!((entries[0].2 - expected_max).abs() < 0.001, "{}", entries[0].2);
        assert_eq!(entries[1], (Some("transaction"), Duration::from_millis(1_500), 0.0));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_refused_before_anything_is_measured() {
        let place = tempfile::tempdir().unwrap();
        for file in [place.path().join("missing/a.hlog"), place.path().to_owned()] {
            let message = check(&file).expect_err("it is none").to_string();
            assert!(message.contains("--hdr") && message.contains(&*file.to_string_lossy()), "{message}");
        }
    }
}
