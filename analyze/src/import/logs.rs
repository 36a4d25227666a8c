//! `latency.log`, `anomaly.log` and `throughput.csv`, line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use run_folder::operation::Kind;

use crate::{Error, Result};

const NS_PER_MS: i64 = 1_000_000;
const NS_PER_S: f64 = 1e9;
/// No line of these files is longer than some 50 characters.
const LINE_BYTES_MAX: u64 = 4096;
/// How many lines that cannot be used are named.
const NAMED_MAX: usize = 3;

/// An acknowledged operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answer {
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
}

/// An operation that was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// Number of its line.
    pub(super) line: usize,
    pub(super) kind: Kind,
    pub(super) end_ns: i64,
}

/// What a file says, and what is to be said of it.
#[derive(Debug)]
pub(super) struct Parsed<T> {
    pub(super) rows: Vec<T>,
    pub(super) notes: Vec<String>,
}

/// Lines that cannot be used. They refuse the file, or are counted when that was asked for.
#[derive(Debug)]
pub(super) struct Unusable<'a> {
    path: &'a Path,
    is_lenient: bool,
    count: usize,
    named: Vec<String>,
}

impl<'a> Unusable<'a> {
    pub(super) fn new(path: &'a Path, is_lenient: bool) -> Self {
        Self { path, is_lenient, count: 0, named: Vec::new() }
    }

    /// Names a line.
    ///
    /// # Errors
    /// [`Error::Import`] unless such lines are left out.
    pub(super) fn push(&mut self, line: usize, problem: &str) -> Result<()> {
        if !self.is_lenient {
            return Err(Error::import(
                self.path,
                format!("line {line} {problem}; mend it, or leave such lines out with --lenient"),
            ));
        }
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(format!("line {line} {problem}"));
        }
        Ok(())
    }

    pub(super) fn note(self) -> Option<String> {
        let lines = if self.count == 1 { "line" } else { "lines" };
        let more = if self.count > self.named.len() { "; ..." } else { "" };
        (self.count > 0)
            .then(|| format!("{}: {} {lines} left out: {}{more}", name(self.path), self.count, self.named.join("; ")))
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The lines of a file without their ends, and whether the last one has an end. Empty lines are passed over.
fn lines(path: &Path, mut each: impl FnMut(usize, &str, bool) -> Result<()>) -> Result<()> {
    let cannot_read = |error: std::io::Error| Error::import(path, format!("cannot be read: {error}"));
    let mut file = BufReader::new(File::open(path).map_err(cannot_read)?);
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        if (&mut file).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).map_err(cannot_read)? == 0 {
            break;
        }
        let is_ended = bytes.ends_with(b"\n");
        if !is_ended && bytes.len() as u64 == LINE_BYTES_MAX {
            return Err(Error::import(path, format!("line {line} is longer than any of such a file")));
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_start_matches('\u{feff}').trim();
        if !text.is_empty() {
            each(line, text, is_ended)?;
        }
    }
    Ok(())
}

/// Milliseconds with decimals as nanoseconds, exactly: a float of an epoch's size has only three exact decimals. More
/// digits than nanoseconds have are cut off.
pub(super) fn millis(text: &str) -> Option<i64> {
    let (whole, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(decimals) {
        return None;
    }
    let part: i64 = format!("{:0<6}", &decimals[..decimals.len().min(6)]).parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(NS_PER_MS)?.checked_add(part)
}

/// The columns of `latency.log`.
#[derive(Debug, Clone, Copy)]
struct Columns {
    count: usize,
    time: usize,
    is_end: bool,
    latency: usize,
}

const WITHOUT_HEADER: Columns = Columns { count: 2, time: 0, is_end: true, latency: 1 };

impl Columns {
    fn of_header(header: &str) -> Option<Self> {
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let at = |name: &str| names.iter().position(|found| found.eq_ignore_ascii_case(name));
        let (time, is_end) = match (at("end_ms"), at("start_ms")) {
            (Some(end), _) => (end, true),
            (None, start) => (start?, false),
        };
        Some(Self { count: names.len(), time, is_end, latency: at("latency_ms")? })
    }

    fn answer(self, line: &str) -> std::result::Result<Answer, &'static str> {
        let cells: Vec<&str> = line.split(',').collect();
        if cells.len() != self.count {
            return Err("does not have as many columns as the others should");
        }
        let time_ns = millis(cells[self.time]).ok_or("has no time in milliseconds, as in 1700000000000.5")?;
        let latency_ns = millis(cells[self.latency]).ok_or("has no latency in milliseconds, as in 2.5")?;
        let (start_ns, end_ns) = match self.is_end {
            true => (time_ns.checked_sub(latency_ns), Some(time_ns)),
            false => (Some(time_ns), time_ns.checked_add(latency_ns)),
        };
        let (Some(start_ns), Some(end_ns)) = (start_ns, end_ns) else { return Err("has a time that cannot be") };
        Ok(Answer { start_ns, end_ns })
    }
}

/// Reads `latency.log`.
///
/// # Errors
/// [`Error::Import`] with the line.
pub(super) fn latency(path: &Path, is_lenient: bool) -> Result<Parsed<Answer>> {
    let mut columns = None;
    let mut unusable = Unusable::new(path, is_lenient);
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    lines(path, |line, text, is_ended| {
        let columns = match columns {
            Some(columns) => columns,
            None if text.starts_with(|c: char| c.is_ascii_digit()) => {
                notes.push(format!("{}: has no header; its first column is taken for end_ms", name(path)));
                *columns.insert(WITHOUT_HEADER)
            }
            None => {
                let found = Columns::of_header(text).ok_or_else(|| {
                    let expected = "end_ms,latency_ms or start_ms,latency_ms";
                    Error::import(path, format!("line {line} is no header that is known ({expected})"))
                })?;
                columns = Some(found);
                return Ok(());
            }
        };
        match columns.answer(text) {
            Ok(answer) => {
                if !is_ended {
                    notes.push(format!("{}: line {line} has no line end: it may be cut short", name(path)));
                }
                rows.push(answer);
            }
            // The script was killed while it wrote the line.
            Err(_) if !is_ended => notes.push(format!("{}: line {line} is cut short and left out", name(path))),
            Err(problem) => unusable.push(line, problem)?,
        }
        Ok(())
    })?;
    notes.extend(unusable.note());
    rows.sort_unstable();
    let doubled = rows.windows(2).filter(|pair| pair[0] == pair[1]).count();
    if doubled > 0 {
        notes.push(format!("{}: {doubled} lines are the same as another one; each is an operation", name(path)));
    }
    Ok(Parsed { rows, notes })
}

/// Reads `anomaly.log`.
///
/// # Errors
/// [`Error::Import`] with the line.
pub(super) fn anomalies(path: &Path, is_lenient: bool) -> Result<Parsed<Failure>> {
    let mut unusable = Unusable::new(path, is_lenient);
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    lines(path, |line, text, is_ended| {
        if line == 1 && text.starts_with("end_ms") {
            return Ok(());
        }
        let failure = text.split_once(',').and_then(|(time, what)| {
            let kind = what.trim().to_ascii_lowercase();
            let kind = Kind::ALL.iter().copied().find(|known| kind.strip_suffix("_failed") == Some(known.as_str()))?;
            Some(Failure { line, kind, end_ns: millis(time)? })
        });
        match failure {
            Some(failure) => rows.push(failure),
            None if !is_ended => notes.push(format!("{}: line {line} is cut short and left out", name(path))),
            None => unusable.push(line, "is not as in 1700000000000.5,PUT_FAILED")?,
        }
        Ok(())
    })?;
    notes.extend(unusable.note());
    Ok(Parsed { rows, notes })
}

/// The sum of the operations in `throughput.csv`: they are compared with the lines of `latency.log`.
///
/// # Errors
/// [`Error::Import`] when the file cannot be read.
pub(super) fn throughput_sum(path: &Path) -> Result<Option<u64>> {
    let mut sum = Some(0_u64);
    lines(path, |line, text, _| {
        if line == 1 && !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(());
        }
        let ops = text.split_once(',').and_then(|(_, ops)| ops.trim().parse::<u64>().ok());
        sum = sum.zip(ops).and_then(|(sum, ops)| sum.checked_add(ops));
        Ok(())
    })?;
    Ok(sum)
}

/// Nanoseconds as seconds, for messages.
pub(super) fn in_seconds(ns: i64) -> f64 {
    ns as f64 / NS_PER_S
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn latency_of(text: &str, is_lenient: bool) -> std::result::Result<Parsed<Answer>, String> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("latency.log");
        fs::write(&path, text).expect("a file");
        latency(&path, is_lenient).map_err(|error| error.to_string())
    }

    #[test]
    fn milliseconds_keep_every_digit() {
        for (text, expected) in [
            ("0", Some(0)),
            ("2.5", Some(2_500_000)),
            ("1800000000123.456789", Some(1_800_000_000_123_456_789)),
            ("0.0000019", Some(1)),
            (" 7 ", Some(7_000_000)),
            ("", None),
            (".5", None),
            ("-1", None),
            ("1e3", None),
            ("1.7e+12", None),
            ("nan", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(millis(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_header_that_there_was() {
        let expected = [Answer { start_ns: 98_000_000, end_ns: 100_000_000 }];
        for text in [
            "end_ms,latency_ms\n100,2\n",
            "\u{feff}END_MS, LATENCY_MS\r\n100,2\r\n",
            "start_ms,latency_ms\n98,2\n",
            "100,2\n",
            "start_ms,end_ms,latency_ms\n98,100,2\n",
            "latency_ms,end_ms\n\n2.0,100.000000\n",
        ] {
            assert_eq!(latency_of(text, false).expect(text).rows, expected, "{text:?}");
        }
        let error = latency_of("time,took\n1,2\n", false).unwrap_err();
        assert!(error.contains("line 1 is no header that is known"), "{error}");
    }

    #[test]
    fn lines_that_cannot_be_read_are_named_or_counted() {
        let text = "end_ms,latency_ms\n100,2\n100,x\n1e5,2\n100\n100,2,3\n300,1\n";
        let error = latency_of(text, false).unwrap_err();
        assert!(error.contains("latency.log: line 3 has no latency") && error.contains("--lenient"), "{error}");
        let parsed = latency_of(text, true).expect("lenient");
        assert_eq!(parsed.rows.len(), 2);
        assert_eq!(parsed.notes.len(), 1);
        assert!(parsed.notes[0].contains("4 lines left out: line 3 has no latency"), "{}", parsed.notes[0]);
    }

    #[test]
    fn rows_are_sorted_and_doubled_ones_stay() {
        let parsed = latency_of("end_ms,latency_ms\n300,1\n100,2\n300,1\n", false).expect("lines");
        let ends: Vec<_> = parsed.rows.iter().map(|answer| answer.end_ns / NS_PER_MS).collect();
        assert_eq!(ends, [100, 300, 300]);
        assert!(parsed.notes[0].contains("1 lines are the same"), "{:?}", parsed.notes);
    }

    #[test]
    fn a_line_that_was_being_written_when_the_script_died() {
        let parsed = latency_of("end_ms,latency_ms\n100,2\n30", false).expect("lines");
        assert_eq!((parsed.rows.len(), parsed.notes.len()), (1, 1), "{:?}", parsed.notes);
        let parsed = latency_of("end_ms,latency_ms\n100,2\n300,1", false).expect("lines");
        assert_eq!((parsed.rows.len(), parsed.notes.len()), (2, 1), "{:?}", parsed.notes);
    }
}
