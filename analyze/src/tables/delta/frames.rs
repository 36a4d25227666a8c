//! Comparisons as frames: one row a run, or one a label.

use std::collections::BTreeSet;

use polars::prelude::*;
use run_folder::manifest::Role;

use super::estimate::{Estimate, Kind, estimates};
use super::noise::{Noise, is_within};
use super::{Comparison, Level, METRICS, Measured, comparisons, is_time, main_kind};
use crate::stats::intervals::holm;

/// Tests with a corrected p value below this are called significant.
const SIGNIFICANT: f64 = 0.05;

/// Compares each shown run, one row for each run, kind and comparison. Columns:
///
/// - `run`, `label`, `family` (the label without the fault's value), `sweep`, `repeat`, `role`
/// - `fault`, `fault_value` (milliseconds or percent)
/// - `kind`, `compared` (`during/before`, `after/before` or `during/baseline`; a baseline's `during/before` is between its
///   middle and its first third, its `during/baseline` against the other baselines)
/// - `leader_changes`: in the run, after time 0
/// - `baselines`: number of runs that it is compared with; null where it is compared with itself
/// - `interval`: what the intervals of the row are, `between-run` or `within-run`, see [`super`]; of single runs `within-run`,
///   or null where a phase is too short for them, and of baselines against each other, whose own variation is the noise floor
/// - `ok`, `ok_reference`: acknowledged operations under the fault, and in what it is compared with
/// - for each `m` of [`METRICS`]: `m`, the value, and `m_reference`, what it is compared with, of several runs their geometric
///   mean, but for `not_ok_share`, which is over all their operations together; in operations per second, milliseconds, and as
///   a share
/// - `m_difference`, `m_difference_low`, `m_difference_high`: value less reference in the same unit, and its 95 % interval; over several
///   runs, or against several baselines, of arithmetic means
/// - `m_ratio`, `m_ratio_low`, `m_ratio_high`: value by reference, and its 95 % interval; null where one of them is missing, or
///   the reference is 0
/// - `m_noise`: the noise floor as a factor: the largest ratio (or inverse) of runs of the cohort that should show nothing,
///   at least 1.01, null where there are none; `m_within_noise`: whether the ratio is no further from 1
/// - `m_p`: two-sided p value of the t test behind a `between-run` interval of the ratio (of the difference where there is no
///   ratio); `m_p_holm`: corrected over all rows of the metric and the sweep that are in
///   the table, experiments of the main kind; `m_significant`: whether
///   that is below 0.05 and the ratio outside of the noise floor, never from `within-run` intervals; null where
///   nothing was to be tested: for controls, baselines, and other kinds
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub fn by_run(runs: &[Measured]) -> PolarsResult<DataFrame> {
    let all = comparisons(runs)?;
    let noise = Noise::of(&all);
    let rows: Vec<Row<'_>> = all.iter().filter(|row| row.run.is_shown).map(|row| pooled(&[row], &noise)).collect();
    frame(&rows, true)
}

/// Pools the shown runs by label, one row for each label, kind and comparison. Columns as [`by_run`] without `run` and
/// `repeat`, and `runs`, the number of repeats. Runs in which the leader changed are a row of their own, `leader_changes`
/// counting over all its runs. Values, and ratios, are geometric means over the runs, counts are sums. `runs_ok` is the number of
/// repeats in which something was acknowledged: times, and all about them, are of these. Of other metrics a ratio is null where that of one run is missing, or
/// where some but not all are 0: a mean of factors has no place for a zero, and one such run is no loss of everything.
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
    let references: Option<Vec<Level>> = group.iter().map(|row| row.reference).collect();
    let (interval, estimates) = estimates(group);
    // What the times are compared with is of the runs that have any.
    let references = references.map(|mut references| {
        for (reference, row) in references.iter_mut().zip(group) {
            let is_unknown = |metric: &usize| is_time(*metric) && row.ratios[*metric].is_none();
            (0..METRICS.len()).filter(is_unknown).for_each(|metric| reference.values[metric] = None);
        }
        references
    });
    let as_one = |levels: Vec<Level>| match levels[..] {
        [one] => one,
        _ => Level::pooled(&levels),
    };
    Row {
        first: group[0],
        runs: group.len(),
        runs_ok: group.iter().filter(|row| row.changed.ok > 0).count(),
        leader_changes: group.iter().map(|row| row.run.leader_changes).sum(),
        changed: as_one(group.iter().map(|row| row.changed).collect()),
        // Baselines are the same for all runs of a group.
        reference: if group[0].baselines.is_some() { group[0].reference } else { references.map(as_one) },
        interval,
        estimates,
        noise: noise.for_run(group[0]),
    }
}

/// A row of either table.
struct Row<'a> {
    /// Whose words the row has.
    first: &'a Comparison<'a>,
    runs: usize,
    runs_ok: usize,
    leader_changes: usize,
    changed: Level,
    reference: Option<Level>,
    interval: Option<Kind>,
    estimates: [Estimate; METRICS.len()],
    noise: [Option<f64>; METRICS.len()],
}

impl Row<'_> {
    /// Whether the ratio of a metric is within the noise floor.
    fn is_within(&self, metric: usize) -> Option<bool> {
        is_within(self.estimates[metric].ratio, self.noise[metric])
    }
}

/// Corrected p values of one metric, and whether the effects are significant, row by row.
fn significance(rows: &[Row<'_>], metric: usize) -> (Vec<Option<f64>>, Vec<Option<bool>>) {
    let kinds: StringChunked = rows.iter().map(|row| Some(row.first.kind.1.as_str())).collect();
    let main = main_kind(&kinds);
    let is_tested = |row: &Row<'_>| row.first.run.factors.role == Role::Experiment && row.first.kind.1 == main;
    let p: Vec<Option<f64>> = rows.iter().map(|row| row.estimates[metric].p.filter(|_| is_tested(row))).collect();
    let mut corrected = vec![None; rows.len()];
    let sweep = |row: &Row<'_>| row.first.run.factors.sweep.clone();
    for family in rows.iter().map(sweep).collect::<BTreeSet<_>>() {
        let own: Vec<Option<f64>> = p.iter().zip(rows).map(|(p, row)| p.filter(|_| sweep(row) == family)).collect();
        corrected.iter_mut().zip(holm(&own)).for_each(|(corrected, own)| *corrected = corrected.or(own));
    }
    let is_significant = |(row, p): (&Row<'_>, &Option<f64>)| {
        let is_clear = p.is_some_and(|p| p < SIGNIFICANT) && row.is_within(metric) != Some(true);
        is_tested(row).then_some(is_clear)
    };
    let significant = rows.iter().zip(&corrected).map(is_significant).collect();
    (corrected, significant)
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
        columns.push(count("runs_ok", &|row| Some(row.runs_ok as u64)));
    }
    columns.extend([
        count("leader_changes", &|row| Some(row.leader_changes as u64)),
        count("baselines", &|row| row.first.baselines.map(|baselines| baselines as u64)),
        text("interval", &|row| row.interval.map(|kind| kind.as_str().to_owned())),
        count("ok", &|row| Some(row.changed.ok)),
        count("ok_reference", &|row| Some(row.reference?.ok)),
    ]);
    for (at, metric) in METRICS.into_iter().enumerate() {
        let (corrected, significant) = significance(rows, at);
        columns.extend([
            number(metric, &|row| row.changed.values[at]),
            number(&format!("{metric}_reference"), &|row| row.reference?.values[at]),
            number(&format!("{metric}_difference"), &|row| row.estimates[at].difference),
            number(&format!("{metric}_difference_low"), &|row| Some(row.estimates[at].difference_interval?.0)),
            number(&format!("{metric}_difference_high"), &|row| Some(row.estimates[at].difference_interval?.1)),
            number(&format!("{metric}_ratio"), &|row| row.estimates[at].ratio),
            number(&format!("{metric}_ratio_low"), &|row| Some(row.estimates[at].ratio_interval?.0)),
            number(&format!("{metric}_ratio_high"), &|row| Some(row.estimates[at].ratio_interval?.1)),
            number(&format!("{metric}_noise"), &|row| row.noise[at]),
        ]);
        let within: Vec<Option<bool>> = rows.iter().map(|row| row.is_within(at)).collect();
        columns.push(Column::new(format!("{metric}_within_noise").into(), within));
        columns.push(number(&format!("{metric}_p"), &|row| row.estimates[at].p));
        columns.push(Column::new(format!("{metric}_p_holm").into(), corrected));
        columns.push(Column::new(format!("{metric}_significant").into(), significant));
    }
    DataFrame::new(rows.len(), columns)
}
