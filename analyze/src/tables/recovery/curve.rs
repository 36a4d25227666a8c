//! A run around the end of its fault, as it is drawn.

use polars::prelude::*;

use super::Rule;
use super::backlog;
use super::run::kinds;
use super::series::{Level, count};
use crate::tables::Facts;

/// Steps of the curve in the length of a bin.
const STEPS_PER_BIN: i64 = 2;

/// Throughput and operations under way around a fault's end, of all operations of a run together. `operations` has the
/// columns [`super::READS`]. One row for each step of half a bin from the fault's beginning, less as much of the time
/// before, to the end of the workload; none where a run has no fault that ends, or nothing before it. Columns:
///
/// - `run`, `label`
/// - `since_s`, `until_s`: the step, after the fault's end; negative before it
/// - `ops_per_s`: acknowledged in the step; `share`: of what was acknowledged per second before the fault
/// - `is_low`: whether one of the two bins that hold the step is low, see [`super`]
/// - `under_way`: operations due and not ended, at the beginning of the step
///
/// # Errors
/// [`PolarsError`] when a column is missing or holds what the format does not allow.
pub fn table(operations: &DataFrame, facts: &Facts, rule: &Rule) -> PolarsResult<DataFrame> {
    let end_ns = facts.phases.end_ns();
    let all = kinds(operations)?;
    let mut steps: Vec<Step> = Vec::new();
    if let Some((_, taken)) = all.last()
        && let Some(window) = facts.phases.window().filter(|window| window.to_ns < end_ns)
        && let Some(level) = Level::before(&taken.acknowledged_ns, window.from_ns, rule)
    {
        let step_ns = (level.bin_ns / STEPS_PER_BIN).max(1);
        // Steps begin at the fault's end, so that none lies on both sides of it.
        let before = (window.to_ns - window.from_ns / 2).div_euclid(step_ns);
        let first_ns = window.to_ns - before * step_ns;
        for (at_ns, under_way) in backlog::under_way(&taken.due_ns, &taken.ended_ns, first_ns, end_ns, step_ns) {
            let ops = |length_ns: i64| count(&taken.acknowledged_ns, at_ns, at_ns + length_ns);
            if at_ns + step_ns > end_ns {
                break;
            }
            let is_low = |from_ns: i64| {
                let to_ns = from_ns + level.bin_ns;
                to_ns <= end_ns && level.is_low(count(&taken.acknowledged_ns, from_ns, to_ns))
            };
            let ops_per_s = ops(step_ns) as f64 / (step_ns as f64 / 1e9);
            steps.push(Step {
                since_s: (at_ns - window.to_ns) as f64 / 1e9,
                until_s: (at_ns + step_ns - window.to_ns) as f64 / 1e9,
                ops_per_s,
                share: ops_per_s / level.per_s,
                is_low: is_low(at_ns) || is_low(at_ns - step_ns),
                under_way,
            });
        }
    }
    let number = |name: &str, of: fn(&Step) -> f64| Column::new(name.into(), steps.iter().map(of).collect::<Vec<_>>());
    DataFrame::new(
        steps.len(),
        vec![
            Column::new("run".into(), vec![facts.run.as_str(); steps.len()]),
            Column::new("label".into(), vec![facts.label.as_str(); steps.len()]),
            number("since_s", |step| step.since_s),
            number("until_s", |step| step.until_s),
            number("ops_per_s", |step| step.ops_per_s),
            number("share", |step| step.share),
            Column::new("is_low".into(), steps.iter().map(|step| step.is_low).collect::<Vec<_>>()),
            Column::new("under_way".into(), steps.iter().map(|step| step.under_way).collect::<Vec<_>>()),
        ],
    )
}

struct Step {
    since_s: f64,
    until_s: f64,
    ops_per_s: f64,
    share: f64,
    is_low: bool,
    under_way: i64,
}
