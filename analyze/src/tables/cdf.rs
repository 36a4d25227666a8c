//! Empirical distributions of latencies, as a dense grid of exact quantiles.

use std::collections::BTreeMap;

use polars::prelude::*;

use super::groups::{self, Group};
use super::{Facts, ms};
use crate::output::text::{Column as Shown, TextTable};
use crate::stats::{self, Censored};

/// Columns of `operations` that the table reads.
pub const READS: [&str; 5] = groups::READS;

/// Fractions are counted in steps of this, so that each is the number that one would type.
const STEP: f64 = 100_000.0;

/// The fractions of the grid: ninety for each nine (0 to 0.9 in steps of 0.01, to 0.99 in steps of 0.001 and so on), to
/// 0.9999, and 1 for the maximum.
pub fn fractions() -> Vec<f64> {
    let nines = [(0..90_000, 1000), (90_000..99_000, 100), (99_000..99_900, 10), (99_900..99_991, 1)];
    let steps = nines.into_iter().flat_map(|(steps, by)| steps.step_by(by));
    steps.chain([100_000]).map(|step| f64::from(step) / STEP).collect()
}

/// The distributions of one run.
///
/// `operations` has the columns [`READS`]. The result has, for each kind and phase of [`super::summary::table`] and each
/// of three times, the fractions of the grid that the operations support: below the maximum, those that leave at least
/// one operation above. Columns:
///
/// - `run`, `label`, `kind`, `phase`
/// - `time`: `service` (end - start of ok operations), `response` (end - intended, likewise) or `response_due` (response
///   time over all operations due, those without an answer ranking above all others)
/// - `operations`: what the distribution is over
/// - `fraction`: share of them that took no longer than `value_ms`
/// - `value_ms`: nearest-rank quantile, see [`stats`]; null where the rank falls among operations without an answer, so
///   that a `response_due` in which some are missing never reaches 1
///
/// # Errors
/// [`PolarsError`] when a column is missing or holds what the format does not allow.
pub fn table(operations: &DataFrame, facts: &Facts) -> PolarsResult<DataFrame> {
    let fractions = fractions();
    let mut rows = Rows::default();
    for (((_, kind), phase), group) in &groups::by_kind_and_phase(operations, facts)? {
        for time in ["service", "response", "response_due"] {
            rows.push((kind, phase.as_str(), time), group, &fractions);
        }
    }
    let height = rows.value_ms.len();
    DataFrame::new(
        height,
        vec![
            Column::new("run".into(), vec![facts.run.as_str(); height]),
            Column::new("label".into(), vec![facts.label.as_str(); height]),
            Column::new("kind".into(), rows.kind),
            Column::new("phase".into(), rows.phase),
            Column::new("time".into(), rows.time),
            Column::new("operations".into(), rows.operations),
            Column::new("fraction".into(), rows.fraction),
            Column::new("value_ms".into(), rows.value_ms),
        ],
    )
}

#[derive(Default)]
struct Rows {
    kind: Vec<String>,
    phase: Vec<&'static str>,
    time: Vec<&'static str>,
    operations: Vec<u64>,
    fraction: Vec<f64>,
    value_ms: Vec<Option<f64>>,
}

impl Rows {
    fn push(&mut self, key: (&str, &'static str, &'static str), group: &Group, fractions: &[f64]) {
        let (kind, phase, time) = key;
        let sorted = if time == "service" { &group.service_ns } else { &group.response_ns };
        let count = if time == "response_due" { group.counts.due() as usize } else { sorted.len() };
        for &fraction in fractions.iter().filter(|&&fraction| is_supported(count, fraction)) {
            let Some(value) = stats::censored_quantile(sorted, count, fraction) else { continue };
            self.kind.push(kind.to_owned());
            self.phase.push(phase);
            self.time.push(time);
            self.operations.push(count as u64);
            self.fraction.push(fraction);
            self.value_ms.push(match value {
                Censored::Exact(value_ns) => Some(ms(value_ns)),
                Censored::AtLeastDeadline => None,
            });
        }
    }
}

/// Whether a quantile is more than the maximum under another name.
pub(super) fn is_supported(count: usize, fraction: f64) -> bool {
    fraction >= 1.0 || stats::nearest_rank(count, fraction).is_some_and(|rank| rank + 1 < count)
}

/// Several runs without a fault as one: the geometric mean over the runs of each quantile that all of them have, in phase
/// `all`. `None` of no runs.
///
/// Columns: `kind`, `time`, `runs`, `fraction`, `value_ms`.
///
/// # Errors
/// [`PolarsError`] when a frame is not the result of [`table`].
pub fn geometric_mean(runs: &[&DataFrame]) -> PolarsResult<Option<DataFrame>> {
    let Some((first, others)) = runs.split_first() else { return Ok(None) };
    let mut found: BTreeMap<Key, Vec<f64>> =
        values_of_all(first)?.into_iter().map(|(key, value)| (key, vec![value])).collect();
    for run in others {
        let mut values = values_of_all(run)?;
        found.retain(|key, found| values.remove(key).map(|value| found.push(value)).is_some());
    }
    let height = found.len();
    let mean: Vec<Option<f64>> = found.values().map(|values| stats::geometric_mean(values)).collect();
    let frame = DataFrame::new(
        height,
        vec![
            Column::new("kind".into(), found.keys().map(|key| key.0.as_str()).collect::<Vec<_>>()),
            Column::new("time".into(), found.keys().map(|key| key.1.as_str()).collect::<Vec<_>>()),
            Column::new("runs".into(), vec![runs.len() as u64; height]),
            Column::new("fraction".into(), found.keys().map(|key| key.2 as f64 / STEP).collect::<Vec<_>>()),
            Column::new("value_ms".into(), mean),
        ],
    )?;
    Ok(Some(frame))
}

/// Kind, time and fraction in steps of [`STEP`].
type Key = (String, String, u64);

/// The values of phase `all`.
fn values_of_all(table: &DataFrame) -> PolarsResult<BTreeMap<Key, f64>> {
    let text = |name: &str| -> PolarsResult<&StringChunked> { table.column(name)?.str() };
    let (kind, phase, time) = (text("kind")?, text("phase")?, text("time")?);
    let (fraction, value_ms) = (table.column("fraction")?.f64()?, table.column("value_ms")?.f64()?);
    let of_row = |row: usize| {
        let step = (fraction.get(row)? * STEP).round() as u64;
        let key = (kind.get(row)?.to_owned(), time.get(row)?.to_owned(), step);
        (phase.get(row)? == "all").then_some((key, value_ms.get(row)?))
    };
    Ok((0..table.height()).filter_map(of_row).collect())
}

/// The distributions for people: a few fractions, one row for each run, kind, phase and time.
///
/// # Errors
/// [`PolarsError`] when `cdf` is not the result of [`table`].
pub fn text(cdf: &DataFrame) -> PolarsResult<TextTable> {
    const SHOWN: [(f64, &str); 9] = [
        (0.0, "min"),
        (0.1, "p10"),
        (0.5, "p50"),
        (0.9, "p90"),
        (0.95, "p95"),
        (0.99, "p99"),
        (0.999, "p99.9"),
        (0.9999, "p99.99"),
        (1.0, "max"),
    ];
    let text = |name: &str| -> PolarsResult<&StringChunked> { cdf.column(name)?.str() };
    let keys = [text("run")?, text("kind")?, text("phase")?, text("time")?];
    let operations = cdf.column("operations")?.u64()?;
    let (fraction, value_ms) = (cdf.column("fraction")?.f64()?, cdf.column("value_ms")?.f64()?);
    type Row<'a> = ([&'a str; 4], u64, [Option<f64>; SHOWN.len()]);
    let mut rows: Vec<Row<'_>> = Vec::new();
    for row in 0..cdf.height() {
        let key = keys.map(|column| column.get(row).unwrap_or_default());
        if rows.last().is_none_or(|(last, ..)| *last != key) {
            rows.push((key, operations.get(row).unwrap_or(0), [None; SHOWN.len()]));
        }
        let shown = SHOWN.iter().position(|(wanted, _)| fraction.get(row) == Some(*wanted));
        if let (Some(at), Some(last)) = (shown, rows.last_mut()) {
            last.2[at] = value_ms.get(row);
        }
    }
    let mut columns: Vec<Column> = ["run", "kind", "phase", "time"]
        .iter()
        .enumerate()
        .map(|(at, name)| Column::new((*name).into(), rows.iter().map(|row| row.0[at]).collect::<Vec<_>>()))
        .collect();
    columns.push(Column::new("operations".into(), rows.iter().map(|row| row.1).collect::<Vec<_>>()));
    let mut shown: Vec<Shown> = [("kind", "kind"), ("phase", "phase"), ("time", "time"), ("operations", "operations")]
        .map(|(name, heading)| Shown::new(name, heading))
        .into();
    for (at, (_, name)) in SHOWN.into_iter().enumerate() {
        columns.push(Column::new(name.into(), rows.iter().map(|row| row.2[at]).collect::<Vec<_>>()));
        shown.push(Shown::new(name, name));
    }
    let mut table = TextTable::new(&DataFrame::new(rows.len(), columns)?, &shown, Some("run"))?;
    table.note("milliseconds; response_due: over all that were due; -: too few operations, or no answer in time");
    table.note("the whole grid of fractions: --format csv");
    Ok(table)
}
