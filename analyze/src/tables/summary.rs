//! The summary: one row for each run, kind of operation and phase.

use polars::prelude::*;

use super::groups::{self, Collector, Group, KindKey};
use super::{Counts, Facts, ms};
use crate::output::text::{Column as Shown, TextTable};
use crate::phases::Phase;
use crate::stats::sorted::Sorted;
use crate::stats::{Censored, QUANTILES};

/// Columns of `operations` that the summary reads.
pub const READS: [&str; 5] = groups::READS;

/// Summarises one run.
///
/// `operations` has the columns [`READS`] and one row for each operation that was due. The result has one row for each
/// kind that occurs and each phase of the run, without the warm-up in phase `all`; when several kinds occur, also a kind
/// `all`. Columns:
///
/// - `run`, `label`, `kind`, `phase` (see [`crate::phases`]; `edge`: due so near to an edge of the fault that they belong to no
///   side of it, or under way when it began)
/// - `length_s`: length of the phase, without the guard bands around edges; of phase `edge` that of the bands
/// - `count`: operations due, which are `ok` + `failed` + `unknown` + `unsent`
/// - `in_flight`: operations due in the time of the phase and still under way at its end. Those of `before` count in phase `edge`
///   and not in `before`, those of all others count in their phase; null for `edge`
/// - `ops_per_s`: acknowledged operations due in the time of the phase, per second of it: `ok`, and for `before` also those
///   that count in phase `edge` because they were under way when the fault began; null for `edge`
/// - `service_mean_ms`, `service_p50_ms`, `_p90_`, `_p95_`, `_p99_`, `_p99_9_`, `service_max_ms`: end - start of ok
///   operations
/// - `response_...`: the same of end - intended
/// - `response_due_p50_ms` ... `response_due_max_ms`: response time over all operations due, those without an answer
///   ranking above all others; where the rank falls among these, the value is a lower bound: the deadline or, where that is
///   not known, the slowest answer; null where there is none
/// - `response_due_bound_from`: name of the first of these columns that is such a lower bound, as in `p99`; null when
///   all are exact
///
/// Percentiles are nearest-rank, see [`crate::stats`].
///
/// # Errors
/// [`PolarsError`] when a column is missing or holds what the format does not allow.
pub fn table(operations: &DataFrame, facts: &Facts) -> PolarsResult<DataFrame> {
    let mut parts = Parts::new(facts);
    parts.add(operations)?;
    parts.table()
}

/// A run whose operations come in parts.
pub struct Parts<'a> {
    facts: &'a Facts,
    collector: Collector,
}

impl<'a> Parts<'a> {
    /// Begins with none.
    pub fn new(facts: &'a Facts) -> Self {
        Self { facts, collector: Collector::default() }
    }

    /// Adds the next part.
    ///
    /// # Errors
    /// As [`table`].
    pub fn add(&mut self, operations: &DataFrame) -> PolarsResult<()> {
        self.collector.add(operations, self.facts)
    }

    /// The summary, as [`table`].
    ///
    /// # Errors
    /// [`PolarsError`] never in practice.
    pub fn table(self) -> PolarsResult<DataFrame> {
        let mut rows = Rows::default();
        for ((kind, phase), group) in &self.collector.finish(self.facts) {
            rows.push(kind, *phase, group, self.facts);
        }
        rows.into_frame(self.facts)
    }
}

/// Mean, quantiles and maximum of one kind of time, column by column.
#[derive(Default)]
struct TimeColumns {
    mean: Vec<Option<f64>>,
    quantiles: [Vec<Option<f64>>; QUANTILES.len()],
    max: Vec<Option<f64>>,
}

impl TimeColumns {
    fn push(&mut self, times_ns: &Sorted) {
        self.mean.push(times_ns.mean().map(|mean_ns| mean_ns / 1e6));
        for (column, (_, q)) in self.quantiles.iter_mut().zip(QUANTILES) {
            column.push(times_ns.quantile(q).map(ms));
        }
        self.max.push(times_ns.max().map(ms));
    }

    fn into_columns(self, time: &str) -> Vec<Column> {
        let quantiles = self.quantiles.into_iter().zip(QUANTILES);
        let mut columns = vec![Column::new(format!("{time}_mean_ms").into(), self.mean)];
        columns.extend(quantiles.map(|(values, (name, _))| Column::new(format!("{time}_{name}_ms").into(), values)));
        columns.push(Column::new(format!("{time}_max_ms").into(), self.max));
        columns
    }
}

/// The names and shares of the censored columns.
fn due_quantiles() -> impl Iterator<Item = (&'static str, f64)> {
    QUANTILES.into_iter().chain([("max", 1.0)])
}

#[derive(Default)]
struct Rows {
    kind: Vec<String>,
    phase: Vec<&'static str>,
    length_s: Vec<Option<f64>>,
    counts: Vec<Counts>,
    in_flight: Vec<Option<u64>>,
    ops_per_s: Vec<Option<f64>>,
    service: TimeColumns,
    response: TimeColumns,
    due: [Vec<Option<f64>>; QUANTILES.len() + 1],
    due_bound_from: Vec<Option<&'static str>>,
}

impl Rows {
    fn push(&mut self, kind: &KindKey, phase: Phase, group: &Group, facts: &Facts) {
        let length_s = facts.phases.length_s(phase);
        self.kind.push(kind.1.clone());
        self.phase.push(phase.as_str());
        self.length_s.push(length_s);
        self.counts.push(group.counts);
        self.in_flight.push(group.in_flight(phase));
        // Edges are milliseconds, and what was due long before them counts there: no rate.
        let rate_s = length_s.filter(|_| phase != Phase::Edge);
        self.ops_per_s.push(rate_s.map(|length_s| group.ok_due(phase) as f64 / length_s));
        self.service.push(&group.service_ns);
        self.response.push(&group.response_ns);
        // Older files do not tell the deadline. What has no answer ranks above the slowest that has one.
        let known_ms = Some(facts.deadline_ms).filter(|&deadline_ms| deadline_ms > 0.0);
        let bound_ms = known_ms.or_else(|| group.response_ns.max().map(ms));
        let mut bound_from = None;
        for (column, (name, q)) in self.due.iter_mut().zip(due_quantiles()) {
            let value = group.response_ns.censored_quantile(group.counts.due() as usize, q);
            if value == Some(Censored::AtLeastDeadline) && bound_ms.is_some() {
                bound_from = bound_from.or(Some(name));
            }
            column.push(value.and_then(|value| match value {
                Censored::Exact(value_ns) => Some(ms(value_ns)),
                Censored::AtLeastDeadline => bound_ms,
            }));
        }
        self.due_bound_from.push(bound_from);
    }

    fn into_frame(self, facts: &Facts) -> PolarsResult<DataFrame> {
        let height = self.kind.len();
        let count = |of: fn(Counts) -> u64| self.counts.iter().map(|&counts| of(counts)).collect::<Vec<_>>();
        let mut columns = vec![
            Column::new("run".into(), vec![facts.run.as_str(); height]),
            Column::new("label".into(), vec![facts.label.as_str(); height]),
            Column::new("kind".into(), self.kind),
            Column::new("phase".into(), self.phase),
            Column::new("length_s".into(), self.length_s),
            Column::new("count".into(), count(Counts::due)),
            Column::new("ok".into(), count(|counts| counts.ok)),
            Column::new("failed".into(), count(|counts| counts.failed)),
            Column::new("unknown".into(), count(|counts| counts.unknown)),
            Column::new("unsent".into(), count(|counts| counts.unsent)),
            Column::new("in_flight".into(), self.in_flight),
            Column::new("ops_per_s".into(), self.ops_per_s),
        ];
        columns.extend(self.service.into_columns("service"));
        columns.extend(self.response.into_columns("response"));
        columns.extend(
            self.due
                .into_iter()
                .zip(due_quantiles())
                .map(|(values, (name, _))| Column::new(format!("response_due_{name}_ms").into(), values)),
        );
        columns.push(Column::new("response_due_bound_from".into(), self.due_bound_from));
        DataFrame::new(height, columns)
    }
}

/// The summary for people: the columns that fit 120 characters, or all with `wide`. Lower bounds show as `>= 5000`.
///
/// # Errors
/// [`PolarsError`] when `summary` is not the result of [`table`].
pub fn text(summary: &DataFrame, wide: bool) -> PolarsResult<TextTable> {
    let summary = with_bounds_as_text(summary)?;
    if wide {
        return TextTable::new(&summary, &Shown::all(&summary, "run"), Some("run"));
    }
    let columns = [
        Shown::new("kind", "kind"),
        Shown::new("phase", "phase"),
        Shown::new("count", "due"),
        Shown::new("failed", "failed"),
        Shown::new("unknown", "unknown"),
        Shown::new("unsent", "unsent"),
        Shown::new("ops_per_s", "ops/s"),
        Shown::new("service_p50_ms", "p50").under("service time"),
        Shown::new("service_p99_ms", "p99").under("service time"),
        Shown::new("response_p50_ms", "p50").under("response time"),
        Shown::new("response_p99_ms", "p99").under("response time"),
        Shown::new("response_max_ms", "max").under("response time"),
        Shown::new("response_due_p99_ms", "p99").under("of due"),
    ];
    let mut text = TextTable::new(&summary, &columns, Some("run"))?;
    text.note(
        "milliseconds, over ok operations; \"of due\": response time over all that were due, >= where no answer came",
    );
    text.hint("more columns: --wide; all of them at full precision: --format csv");
    Ok(text)
}

fn with_bounds_as_text(summary: &DataFrame) -> PolarsResult<DataFrame> {
    let mut summary = summary.clone();
    let bound_from: Vec<Option<usize>> = summary
        .column("response_due_bound_from")?
        .str()?
        .iter()
        .map(|name| due_quantiles().position(|(known, _)| Some(known) == name))
        .collect();
    for (at, (name, _)) in due_quantiles().enumerate() {
        let name = format!("response_due_{name}_ms");
        let values = summary.column(&name)?.f64()?;
        let shown: Vec<Option<String>> = values
            .iter()
            .zip(&bound_from)
            .map(|(value, from)| {
                let bound = from.is_some_and(|from| at >= from);
                value.map(|value| format!("{}{}", if bound { ">= " } else { "" }, crate::output::text::number(value)))
            })
            .collect();
        summary.with_column(Column::new(name.into(), shown))?;
    }
    Ok(summary)
}
