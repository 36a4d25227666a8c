//! Comparisons as frames: one row a run, or one a label.

use polars::prelude::*;

use super::noise::{Noise, is_within};
use super::{Comparison, Level, METRICS, Measured, comparisons};
use crate::stats;

/// Compares each shown run, one row for each run, kind and comparison. Columns:
///
/// - `run`, `label`, `family` (the label without the fault's value), `sweep`, `repeat`, `role`
/// - `fault`, `fault_value` (milliseconds or percent)
/// - `kind`, `compared` (`during/before`, `after/before` or `during/baseline`; a baseline's `during/before` is between its
///   middle and its first third, its `during/baseline` against the other baselines)
/// - `leader_changes`: in the run, after time 0
/// - `baselines`: number of runs that it is compared with; null where it is compared with itself
/// - `ok`, `ok_reference`: acknowledged operations under the fault, and in what it is compared with
/// - `not_ok_share`, `not_ok_share_reference`, `not_ok_share_ratio`: operations not acknowledged, of those due
/// - for each of [`METRICS`] the value; `_reference`, what it is compared with, over several baselines their geometric
///   mean; `_ratio` of the two, null where either is missing; `_noise`, the noise floor as a factor: the largest ratio (or
///   inverse) of runs of the cohort that should show nothing, at least 1.01, null where there are none; `_within_noise`, whether the
///   ratio is no further from 1
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub fn by_run(runs: &[Measured]) -> PolarsResult<DataFrame> {
    let all = comparisons(runs)?;
    let noise = Noise::of(&all);
    let rows: Vec<Row<'_>> = all
        .iter()
        .filter(|row| row.run.is_shown)
        .map(|row| Row {
            first: row,
            runs: 1,
            leader_changes: row.run.leader_changes,
            changed: row.changed,
            reference: row.reference,
            ratios: row.ratios,
            intervals: [None; METRICS.len()],
            noise: noise.for_run(row),
        })
        .collect();
    frame(&rows, true)
}

/// Pools the shown runs by label, one row for each label, kind and comparison. Columns as [`by_run`] without `run` and
/// `repeat`, and:
///
/// - `runs`: number of repeats. Runs in which the leader changed are a row of their own, `leader_changes` counting over
///   all its runs
/// - values are geometric means over the runs, counts are sums; `not_ok_share` is over all operations together
/// - `_ratio`: geometric mean of the runs' ratios, null where one of them is missing
/// - `_ratio_low`, `_ratio_high`: its 95 % t interval on the logarithm, see [`stats::ratio_interval`]; null with one run.
///   Baselines are taken as they are: their own variation is in the noise floor, not in the interval
///
/// Runs of one label with different workloads, faults or sweeps are not pooled: each has rows of its own.
///
/// # Errors
/// As [`by_run`].
pub fn by_label(runs: &[Measured]) -> PolarsResult<DataFrame> {
    let all = comparisons(runs)?;
    let noise = Noise::of(&all);
    let mut groups: Vec<Vec<&Comparison<'_>>> = Vec::new();
    for row in all.iter().filter(|row| row.run.is_shown) {
        match groups.iter_mut().find(|group| is_repeat(group[0], row)) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    // Comparisons stand in order of runs; in this table those of a label belong together, kind by kind.
    groups.sort_by(|a, b| {
        let place = |row: &Comparison<'_>| (row.run.leader_changes > 0, row.kind.clone(), row.compared);
        let (a, b) = (a[0], b[0]);
        a.run.factors.reading_order(&b.run.factors).then_with(|| place(a).cmp(&place(b)))
    });
    let rows: Vec<Row<'_>> = groups.iter().map(|group| pooled(group, &noise)).collect();
    frame(&rows, false)
}

fn is_repeat(a: &Comparison<'_>, b: &Comparison<'_>) -> bool {
    a.run.factors.condition == b.run.factors.condition
        && (a.run.leader_changes > 0) == (b.run.leader_changes > 0)
        && a.kind == b.kind
        && a.compared == b.compared
}

fn pooled<'a>(group: &[&'a Comparison<'a>], noise: &Noise<'_>) -> Row<'a> {
    let ratios: [Option<Vec<f64>>; METRICS.len()] =
        std::array::from_fn(|metric| group.iter().map(|row| row.ratios[metric]).collect());
    let references: Option<Vec<Level>> = group.iter().map(|row| row.reference).collect();
    Row {
        first: group[0],
        runs: group.len(),
        leader_changes: group.iter().map(|row| row.run.leader_changes).sum(),
        changed: Level::pooled(&group.iter().map(|row| &row.changed).collect::<Vec<_>>()),
        reference: references.map(|references| Level::pooled(&references.iter().collect::<Vec<_>>())),
        intervals: std::array::from_fn(|metric| stats::ratio_interval(ratios[metric].as_ref()?)),
        ratios: std::array::from_fn(|metric| stats::geometric_mean(ratios[metric].as_ref()?)),
        noise: noise.for_run(group[0]),
    }
}

/// A row of either table.
struct Row<'a> {
    /// Whose words the row has.
    first: &'a Comparison<'a>,
    runs: usize,
    leader_changes: usize,
    changed: Level,
    reference: Option<Level>,
    ratios: [Option<f64>; METRICS.len()],
    intervals: [Option<(f64, f64)>; METRICS.len()],
    noise: [Option<f64>; METRICS.len()],
}

fn frame(rows: &[Row<'_>], is_by_run: bool) -> PolarsResult<DataFrame> {
    let text = |name: &str, of: &dyn Fn(&Row<'_>) -> Option<String>| {
        Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
    };
    let number = |name: &str, of: &dyn Fn(&Row<'_>) -> Option<f64>| {
        Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
    };
    let count = |name: &str, of: &dyn Fn(&Row<'_>) -> Option<u64>| {
        Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
    };
    let mut columns = Vec::new();
    if is_by_run {
        columns.push(text("run", &|row| Some(row.first.run.run.clone())));
    }
    columns.extend([
        text("label", &|row| Some(row.first.run.factors.label.clone())),
        text("family", &|row| Some(row.first.run.factors.family.clone())),
        text("sweep", &|row| row.first.run.factors.sweep.clone()),
    ]);
    if is_by_run {
        columns.push(count("repeat", &|row| row.first.run.factors.repeat.map(u64::from)));
    }
    columns.extend([
        text("role", &|row| Some(row.first.run.factors.role.as_str().to_owned())),
        text("fault", &|row| row.first.run.factors.fault.clone()),
        number("fault_value", &|row| row.first.run.factors.value),
        text("kind", &|row| Some(row.first.kind.1.clone())),
        text("compared", &|row| Some(row.first.compared.as_str().to_owned())),
    ]);
    if !is_by_run {
        columns.push(count("runs", &|row| Some(row.runs as u64)));
    }
    let share = |row: &Row<'_>| Some((row.changed.not_ok_share()?, row.reference?.not_ok_share()?));
    columns.extend([
        count("leader_changes", &|row| Some(row.leader_changes as u64)),
        count("baselines", &|row| row.first.baselines.map(|baselines| baselines as u64)),
        count("ok", &|row| Some(row.changed.ok)),
        count("ok_reference", &|row| Some(row.reference?.ok)),
        number("not_ok_share", &|row| row.changed.not_ok_share()),
        number("not_ok_share_reference", &|row| row.reference?.not_ok_share()),
        number("not_ok_share_ratio", &|row| share(row).and_then(|(changed, before)| super::ratio(changed, before))),
    ]);
    for (at, metric) in METRICS.into_iter().enumerate() {
        columns.extend([
            number(metric, &|row| row.changed.values[at]),
            number(&format!("{metric}_reference"), &|row| row.reference?.values[at]),
            number(&format!("{metric}_ratio"), &|row| row.ratios[at]),
        ]);
        if !is_by_run {
            columns.push(number(&format!("{metric}_ratio_low"), &|row| Some(row.intervals[at]?.0)));
            columns.push(number(&format!("{metric}_ratio_high"), &|row| Some(row.intervals[at]?.1)));
        }
        columns.push(number(&format!("{metric}_noise"), &|row| row.noise[at]));
        let within: Vec<Option<bool>> = rows.iter().map(|row| is_within(row.ratios[at], row.noise[at])).collect();
        columns.push(Column::new(format!("{metric}_within_noise").into(), within));
    }
    DataFrame::new(rows.len(), columns)
}
