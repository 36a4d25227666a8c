//! Before, during and after side by side: the latencies of each phase, run by run and pooled by label.
//!
//! The run is the replicate: each gives one value of each quantile, and repeats are pooled as geometric means with t
//! intervals on the logarithms (see [`stats::ratio_interval`]). Runs in which the leader changed are pooled apart.

use std::collections::BTreeMap;

use polars::prelude::*;

use super::cdf::is_supported;
use super::delta::Measured;
use super::factors::Factors;
use crate::output::text::{Column as Shown, TextTable};
use crate::stats;

/// The quantiles that are compared, as they are named in the summary's columns.
pub const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999)];
/// Phases in their order; `baseline` is the whole of a run without a fault.
pub const PHASES: [&str; 4] = ["baseline", "before", "during", "after"];
const TIMES: [&str; 2] = ["response", "service"];

/// One phase of one run.
struct Level<'a> {
    run: &'a Measured,
    kind: String,
    phase: &'static str,
    ok: u64,
    /// In the order of [`TIMES`] and [`QUANTILES`].
    values: [[Option<f64>; QUANTILES.len()]; TIMES.len()],
}

/// Every phase of every run, in reading order. Of runs without a fault there is one phase, the whole run.
fn levels(runs: &[Measured]) -> PolarsResult<Vec<Level<'_>>> {
    let mut runs: Vec<&Measured> = runs.iter().collect();
    runs.sort_by(|a, b| a.factors.reading_order(&b.factors).then_with(|| a.run.cmp(&b.run)));
    let mut found = Vec::new();
    for run in runs {
        let summary = &run.summary;
        let (kind, phase) = (summary.column("kind")?.str()?, summary.column("phase")?.str()?);
        let ok = summary.column("ok")?.u64()?;
        for row in 0..summary.height() {
            let name = match (phase.get(row), run.factors.fault.is_some()) {
                (Some("all"), false) => "baseline",
                (Some(name), true) => match PHASES.iter().find(|phase| **phase == name) {
                    Some(name) => name,
                    None => continue,
                },
                _ => continue,
            };
            let ok = ok.get(row).unwrap_or(0);
            let mut values = [[None; QUANTILES.len()]; TIMES.len()];
            for (time, values) in TIMES.into_iter().zip(&mut values) {
                for ((quantile, q), value) in QUANTILES.into_iter().zip(values) {
                    let column = summary.column(&format!("{time}_{quantile}_ms"))?.f64()?;
                    *value = column.get(row).filter(|_| is_supported(ok as usize, q));
                }
            }
            found.push(Level { run, kind: kind.get(row).unwrap_or_default().to_owned(), phase: name, ok, values });
        }
    }
    Ok(found)
}

/// One row for each run, kind, phase, time and quantile. Runs that are only there to be compared with have rows too.
///
/// Columns:
///
/// - `run`, `label`, `kind`, `leader_changes`
/// - `phase`: `before`, `during` or `after`; `baseline` for the whole of a run without a fault
/// - `ok`: acknowledged operations of the phase
/// - `time`: `response` or `service`
/// - `quantile`: `p50`, `p90`, `p99` or `p99_9`
/// - `value_ms`: null where the phase has too few operations for the quantile to be more than its maximum
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub fn by_run(runs: &[Measured]) -> PolarsResult<DataFrame> {
    let levels = levels(runs)?;
    let rows: Vec<(&Level<'_>, usize, usize)> = levels
        .iter()
        .flat_map(|level| (0..TIMES.len()).flat_map(move |time| (0..QUANTILES.len()).map(move |q| (level, time, q))))
        .collect();
    let text = |of: fn(&Level<'_>) -> String| rows.iter().map(|row| of(row.0)).collect::<Vec<_>>();
    DataFrame::new(
        rows.len(),
        vec![
            Column::new("run".into(), text(|level| level.run.run.clone())),
            Column::new("label".into(), text(|level| level.run.factors.label.clone())),
            Column::new("kind".into(), text(|level| level.kind.clone())),
            Column::new(
                "leader_changes".into(),
                rows.iter().map(|row| row.0.run.leader_changes as u64).collect::<Vec<_>>(),
            ),
            Column::new("phase".into(), text(|level| level.phase.to_owned())),
            Column::new("ok".into(), rows.iter().map(|row| row.0.ok).collect::<Vec<_>>()),
            Column::new("time".into(), rows.iter().map(|row| TIMES[row.1]).collect::<Vec<_>>()),
            Column::new("quantile".into(), rows.iter().map(|row| QUANTILES[row.2].0).collect::<Vec<_>>()),
            Column::new("value_ms".into(), rows.iter().map(|row| row.0.values[row.1][row.2]).collect::<Vec<_>>()),
        ],
    )
}

/// Condition, kind and whether the leader changed: what is pooled.
type Key = (usize, String, bool);

/// One row for each label, kind, phase, time and quantile. A label whose fault lasts all the time has no `before`; the
/// baselines of its cohort, in which the leader stayed, are its phase `baseline`. Columns:
///
/// - `label`, `condition` (what repeats share, see [`Factors`]), `kind`
/// - `leader_changed`: whether these are the runs in which the leader changed
/// - `phase`, `time`, `quantile`: as in [`by_run`]
/// - `runs`: those with a value; `ok`: acknowledged operations of all of them in the phase
/// - `value_ms`: geometric mean of the runs' values; null where there are none
/// - `low_ms`, `high_ms`: 95 % t interval of it, between runs; null with fewer than two
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub fn by_label(runs: &[Measured]) -> PolarsResult<DataFrame> {
    let levels = levels(runs)?;
    let mut conditions: Vec<&Factors> = Vec::new();
    let mut groups: BTreeMap<Key, Vec<&Level<'_>>> = BTreeMap::new();
    for level in levels.iter().filter(|level| level.run.is_shown) {
        let factors = &level.run.factors;
        let at = conditions.iter().position(|known| known.condition == factors.condition).unwrap_or_else(|| {
            conditions.push(factors);
            conditions.len() - 1
        });
        groups.entry((at, level.kind.clone(), level.run.leader_changes > 0)).or_default().push(level);
    }
    for ((at, kind, _), group) in &mut groups {
        let factors = conditions[*at];
        if factors.fault.is_none() || group.iter().any(|level| level.phase == "before") {
            continue;
        }
        let is_baseline = |level: &&Level<'_>| {
            level.phase == "baseline"
                && level.kind == *kind
                && level.run.leader_changes == 0
                && level.run.factors.cohort == factors.cohort
        };
        group.extend(levels.iter().filter(is_baseline));
    }
    let mut rows = Rows::default();
    for ((at, kind, leader_changed), group) in &groups {
        for phase in PHASES {
            let of_phase: Vec<&&Level<'_>> = group.iter().filter(|level| level.phase == phase).collect();
            if !of_phase.is_empty() {
                rows.push(conditions[*at], kind, *leader_changed, phase, &of_phase);
            }
        }
    }
    rows.into_frame()
}

#[derive(Default)]
struct Rows {
    label: Vec<String>,
    condition: Vec<String>,
    kind: Vec<String>,
    leader_changed: Vec<bool>,
    phase: Vec<&'static str>,
    time: Vec<&'static str>,
    quantile: Vec<&'static str>,
    runs: Vec<u64>,
    ok: Vec<u64>,
    value_ms: Vec<Option<f64>>,
    low_ms: Vec<Option<f64>>,
    high_ms: Vec<Option<f64>>,
}

impl Rows {
    fn push(
        &mut self,
        factors: &Factors,
        kind: &str,
        leader_changed: bool,
        phase: &'static str,
        levels: &[&&Level<'_>],
    ) {
        for (at_time, time) in TIMES.into_iter().enumerate() {
            for (at, (quantile, _)) in QUANTILES.into_iter().enumerate() {
                let values: Vec<f64> = levels.iter().filter_map(|level| level.values[at_time][at]).collect();
                let interval = stats::ratio_interval(&values);
                self.label.push(factors.label.clone());
                self.condition.push(factors.condition.clone());
                self.kind.push(kind.to_owned());
                self.leader_changed.push(leader_changed);
                self.phase.push(phase);
                self.time.push(time);
                self.quantile.push(quantile);
                self.runs.push(values.len() as u64);
                self.ok.push(levels.iter().map(|level| level.ok).sum());
                self.value_ms.push(stats::geometric_mean(&values));
                self.low_ms.push(interval.map(|(low, _)| low));
                self.high_ms.push(interval.map(|(_, high)| high));
            }
        }
    }

    fn into_frame(self) -> PolarsResult<DataFrame> {
        DataFrame::new(
            self.label.len(),
            vec![
                Column::new("label".into(), self.label),
                Column::new("condition".into(), self.condition),
                Column::new("kind".into(), self.kind),
                Column::new("leader_changed".into(), self.leader_changed),
                Column::new("phase".into(), self.phase),
                Column::new("time".into(), self.time),
                Column::new("quantile".into(), self.quantile),
                Column::new("runs".into(), self.runs),
                Column::new("ok".into(), self.ok),
                Column::new("value_ms".into(), self.value_ms),
                Column::new("low_ms".into(), self.low_ms),
                Column::new("high_ms".into(), self.high_ms),
            ],
        )
    }
}

/// The table of labels for people.
///
/// # Errors
/// [`PolarsError`] when `levels` is not the result of [`by_label`].
pub fn text(levels: &DataFrame) -> PolarsResult<TextTable> {
    let names = ["kind", "leader_changed", "phase", "time", "quantile", "runs", "ok", "value_ms", "low_ms", "high_ms"];
    let mut table = TextTable::new(levels, &names.map(|name| Shown::new(name, name)), Some("label"))?;
    table.note("value: geometric mean over the runs; low, high: 95 % t interval between them");
    Ok(table)
}

#[cfg(test)]
mod tests {
    use run_folder::manifest::Role;

    use super::*;

    fn measured(run: &str, label: &str, phases: &[(&str, u64, f64)], leader_changes: usize) -> Measured {
        let fault = (label != "baseline").then(|| "delay 20ms".to_owned());
        let factors = Factors {
            label: label.to_owned(),
            family: label.to_owned(),
            value: fault.as_ref().map(|_| 20.0),
            role: if fault.is_some() { Role::Experiment } else { Role::Baseline },
            fault,
            sweep: None,
            repeat: None,
            cohort: "c".to_owned(),
            condition: format!("c {label}"),
        };
        let mut columns = vec![
            Column::new("kind".into(), vec!["put"; phases.len()]),
            Column::new("phase".into(), phases.iter().map(|row| row.0).collect::<Vec<_>>()),
            Column::new("ok".into(), phases.iter().map(|row| row.1).collect::<Vec<_>>()),
        ];
        for time in TIMES {
            for (factor, (quantile, _)) in [1.0, 2.0, 3.0, 4.0].into_iter().zip(QUANTILES) {
                let values: Vec<f64> = phases.iter().map(|row| row.2 * factor).collect();
                columns.push(Column::new(format!("{time}_{quantile}_ms").into(), values));
            }
        }
        let summary = DataFrame::new(phases.len(), columns).expect("a frame");
        Measured { run: run.to_owned(), factors, leader_changes, is_shown: true, summary, within: DataFrame::empty() }
    }

    /// Label, whether the leader changed, phase, runs, value and whether there is an interval, of response p50.
    fn medians(table: &DataFrame) -> Vec<String> {
        let cell = |name: &str, row: usize| table.column(name).expect(name).get(row).expect("a cell").to_string();
        (0..table.height())
            .filter(|&row| cell("time", row) == "\"response\"" && cell("quantile", row) == "\"p50\"")
            .map(|row| {
                let has_interval = cell("low_ms", row) != "null";
                let names = ["label", "leader_changed", "phase", "runs", "value_ms"];
                format!("{} {has_interval}", names.map(|name| cell(name, row)).join(" ")).replace('"', "")
            })
            .collect()
    }

    #[test]
    fn repeats_are_pooled_but_not_with_runs_in_which_the_leader_changed() {
        let of =
            |value: f64| [("before", 2000, 1.0), ("during", 2000, value), ("after", 2000, 1.0), ("all", 6000, 1.0)];
        let runs = [
            measured("a", "delay_mid", &of(4.0), 0),
            measured("b", "delay_mid", &of(9.0), 0),
            measured("c", "delay_mid", &of(100.0), 1),
        ];
        let table = by_label(&runs).expect("a table");
        let expected = [
            "delay_mid false before 2 1.0 true",
            "delay_mid false during 2 6.0 true",
            "delay_mid false after 2 1.0 true",
            "delay_mid true before 1 1.0 false",
            "delay_mid true during 1 100.0 false",
            "delay_mid true after 1 1.0 false",
        ];
        assert_eq!(medians(&table), expected);
    }

    #[test]
    fn a_fault_all_the_time_stands_beside_the_baselines() {
        let mut hidden = measured("b2", "baseline", &[("before", 9, 7.0), ("all", 6000, 2.0)], 0);
        hidden.is_shown = false;
        let mut unsteady = measured("b3", "baseline", &[("all", 6000, 50.0)], 1);
        unsteady.is_shown = false;
        let runs = [
            measured("a", "delay_full", &[("during", 2000, 5.0), ("all", 2000, 5.0)], 0),
            measured("b1", "baseline", &[("before", 9, 7.0), ("all", 6000, 2.0)], 0),
            hidden,
            unsteady,
        ];
        let table = by_label(&runs).expect("a table");
        let expected = [
            "baseline false baseline 1 2.0 false",
            "delay_full false baseline 2 2.0 true",
            "delay_full false during 1 5.0 false",
        ];
        let mut found = medians(&table);
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn too_few_operations_have_no_tail_and_none_have_nothing() {
        let runs = [measured("a", "delay_mid", &[("before", 150, 1.0), ("during", 0, 9.0)], 0)];
        let table = by_run(&runs).expect("a table");
        let values: Vec<Option<f64>> =
            table.column("value_ms").expect("values").f64().expect("numbers").iter().collect();
        // Of 150 operations p99 leaves one above it; p99.9 would be the maximum.
        assert_eq!(&values[..4], [Some(1.0), Some(2.0), Some(3.0), None]);
        assert_eq!(&values[8..12], [None; 4]);
        assert_eq!(by_label(&[]).expect("a table").height(), 0);
    }
}
