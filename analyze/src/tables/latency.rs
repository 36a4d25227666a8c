//! Latency over time: quantiles of service and response time in bins of time.

use polars::prelude::*;
use run_folder::operation::Outcome;

use super::{Counts, Facts, NS_PER_S, integers, ms, outcomes, repeats};
use crate::stats;

/// Columns of `operations` that the table reads.
pub const READS: [&str; 4] = ["intended_ns", "start_ns", "end_ns", "outcome"];

/// The quantiles of a bin, with their names in column names. Minimum and maximum are there so that no outlier is lost.
pub const QUANTILES: [(&str, f64); 5] = [("min", 0.0), ("p50", 0.50), ("p90", 0.90), ("p99", 0.99), ("max", 1.0)];

/// A length for bins, in nanoseconds, such that a workload of `length_ns` has at most `bins`: 1, 2 or 5 times a power of
/// ten.
pub fn bin_ns(length_ns: i64, bins: usize) -> i64 {
    let least_ns = length_ns.max(1) as f64 / bins.max(1) as f64;
    let decade_ns = 10_f64.powf(least_ns.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * decade_ns >= least_ns * (1.0 - 1e-9));
    ((step.unwrap_or(10.0) * decade_ns).round() as i64).max(1_000_000)
}

/// Quantiles of latency in bins of `bin_ns` nanoseconds, an operation belonging to the bin of its intended start.
///
/// `operations` has the columns [`READS`]. The result has one row for each bin of the workload, from time 0. Columns:
///
/// - `run`, `label`
/// - `from_s`, `length_s`: the bin
/// - `ok`, `not_ok`: operations due in it that were acknowledged, and the others
/// - `response_min_ms`, `response_p50_ms`, `response_p90_ms`, `response_p99_ms`, `response_max_ms`: end - intended of
///   the ok operations; null in a bin that has none
/// - `service_...`: the same of end - start
///
/// # Errors
/// [`PolarsError`] when a column is missing or holds what the format does not allow.
pub fn table(operations: &DataFrame, facts: &Facts, bin_ns: i64) -> PolarsResult<DataFrame> {
    let end_ns = facts.phases.end_ns();
    let bins = usize::try_from((end_ns + bin_ns - 1) / bin_ns).unwrap_or(0);
    let mut counts = vec![Counts::default(); bins];
    let mut response_ns = vec![Vec::new(); bins];
    let mut service_ns = vec![Vec::new(); bins];
    let rows = integers(operations, "intended_ns")?
        .into_no_null_iter()
        .zip(operations.column("start_ns")?.i64()?.iter())
        .zip(integers(operations, "end_ns")?.into_no_null_iter())
        .zip(outcomes(operations)?);
    for (((intended_ns, start_ns), ended_ns), outcome) in rows {
        let outcome = outcome?;
        if !(0..end_ns).contains(&intended_ns) {
            continue;
        }
        let bin = (intended_ns / bin_ns) as usize;
        counts[bin].add(outcome);
        if outcome == Outcome::Ok {
            response_ns[bin].push(ended_ns.saturating_sub(intended_ns));
            service_ns[bin].extend(start_ns.map(|start_ns| ended_ns.saturating_sub(start_ns)));
        }
    }
    let seconds = |ns: i64| ns as f64 / NS_PER_S as f64;
    let from_ns: Vec<i64> = (0..bins as i64).map(|bin| bin * bin_ns).collect();
    let mut columns = vec![
        Column::new("run".into(), vec![facts.run.as_str(); bins]),
        Column::new("label".into(), vec![facts.label.as_str(); bins]),
        Column::new("from_s".into(), from_ns.iter().map(|&from_ns| seconds(from_ns)).collect::<Vec<_>>()),
        Column::new(
            "length_s".into(),
            from_ns.iter().map(|&from_ns| seconds((end_ns - from_ns).min(bin_ns))).collect::<Vec<_>>(),
        ),
        Column::new("ok".into(), counts.iter().map(|counts| counts.ok).collect::<Vec<_>>()),
        Column::new("not_ok".into(), counts.iter().map(|counts| counts.due() - counts.ok).collect::<Vec<_>>()),
    ];
    for (time, mut values) in [("response", response_ns), ("service", service_ns)] {
        values.iter_mut().for_each(|values| values.sort_unstable());
        for (name, q) in QUANTILES {
            let column: Vec<_> = values.iter().map(|sorted| stats::quantile(sorted, q).map(ms)).collect();
            columns.push(Column::new(format!("{time}_{name}_ms").into(), column));
        }
    }
    DataFrame::new(bins, columns)
}

/// Repeats of a label laid over each other, bin by bin, see [`repeats::across`].
///
/// # Errors
/// [`PolarsError`] when `runs` are not results of [`table`] with bins of one length.
pub fn across(runs: &[&DataFrame]) -> PolarsResult<DataFrame> {
    repeats::across(runs, "from_s", &["response_p50_ms", "response_p99_ms", "response_max_ms", "not_ok"])
}
