//! Curves as a frame: one row for each point.

use polars::prelude::*;

use super::{Aim, Curve, Point, curves, percent, ratio, unit};
use crate::tables::delta::Measured;

/// Tells what is lost at each value of a fault, one row for each curve, metric and value. `runs` are the measured runs and
/// what they are compared with, `aims` those of the runs with a fault, `metrics` some of [`super::metrics`]. Columns:
///
/// - `sweep`; `family` (the label without the value of the fault), `target` (as asked, as in `leader`), `fault_kind`
/// - `kind` of operation; `compared`, `during/before` (mid) or `during/baseline` (full); `metric`
/// - `fault_value`, in `fault_unit`: ms, percent or mbit_per_s
/// - `runs`, `runs_lost` (those of them that acknowledged nothing), `run_names` (with commas between), `leader_changes` in all of them: runs in which the leader changed have rows
///   of their own
/// - `value`: geometric mean of the metric under the fault, in the metric's unit
/// - `ratio`: geometric mean of the runs' ratios; null where one of them has none, or one of 0
/// - `ratio_low`, `ratio_high`: its 95 % interval; `interval` says which one: `between-run`, t over the runs on the
///   logarithm of the ratio; `within-run`, with one run; null where there is none
/// - `degradation_percent`, `degradation_low_percent`, `degradation_high_percent`: `1 - ratio` of a throughput, `1 -
///   1/ratio` of a time
/// - `noise`: the noise floor, a factor; `within_noise`: whether the ratio is no further from 1 than that
/// - `is_reversal`: less is lost than under a milder fault: the two intervals lie apart, and by more than the noise floor;
///   null where that cannot be told. `reversal_from`: the value of that milder fault, 0 for none; `reversal_because`: `leader changed` where it did in
///   runs of one of the two
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub fn table(runs: &[Measured], aims: &[Aim], metrics: &[&str]) -> PolarsResult<DataFrame> {
    frame(&curves(runs, aims, metrics)?)
}

fn frame(curves: &[Curve]) -> PolarsResult<DataFrame> {
    let rows: Vec<(&Curve, usize)> =
        curves.iter().flat_map(|curve| (0..curve.points.len()).map(move |at| (curve, at))).collect();
    let text = |name: &str, of: &dyn Fn(&Curve, &Point) -> Option<String>| {
        let cells = rows.iter().map(|(curve, at)| of(curve, &curve.points[*at]));
        Column::new(name.into(), cells.collect::<Vec<_>>())
    };
    let number = |name: &str, of: &dyn Fn(&Curve, &Point) -> Option<f64>| {
        let cells = rows.iter().map(|(curve, at)| of(curve, &curve.points[*at]));
        Column::new(name.into(), cells.collect::<Vec<_>>())
    };
    let count = |name: &str, of: &dyn Fn(&Point) -> u64| {
        let cells = rows.iter().map(|(curve, at)| of(&curve.points[*at]));
        Column::new(name.into(), cells.collect::<Vec<_>>())
    };
    let ends = |curve: &Curve, point: &Point| {
        let (a, b) = curve
            .interval(point)
            .map(|(low, high)| (ratio(curve.named.metric, low), ratio(curve.named.metric, high)))?;
        Some((a.min(b), a.max(b)))
    };
    let within = |point: &Point| Some(point.loss?.abs() <= point.noise?.ln());
    let reversals: Vec<_> = rows.iter().map(|(curve, at)| curve.reversal(*at)).collect();
    let can_tell = |(curve, at): &(&Curve, usize)| curve.interval(&curve.points[*at]).is_some();
    let is_reversal = rows.iter().zip(&reversals).map(|(row, reversal)| can_tell(row).then_some(reversal.is_some()));
    let because =
        reversals.iter().map(|reversal| Some("leader changed").filter(|_| reversal.is_some_and(|it| it.is_by_leader)));
    DataFrame::new(
        rows.len(),
        vec![
            text("sweep", &|curve, _| curve.named.sweep.clone()),
            text("family", &|curve, _| Some(curve.named.family.clone())),
            text("target", &|curve, _| Some(curve.named.target.clone())),
            text("fault_kind", &|curve, _| Some(curve.named.fault_kind.to_owned())),
            text("kind", &|curve, _| Some(curve.named.kind.clone())),
            text("compared", &|curve, _| Some(curve.named.compared.clone())),
            text("metric", &|curve, _| Some(curve.named.metric.to_owned())),
            number("fault_value", &|_, point| Some(point.value)),
            text("fault_unit", &|curve, _| Some(unit(curve.named.fault_kind).to_owned())),
            count("runs", &|point| point.runs.len() as u64),
            count("runs_lost", &|point| point.lost as u64),
            text("run_names", &|_, point| Some(point.runs.join(", "))),
            count("leader_changes", &|point| point.leader_changes),
            number("value", &|_, point| point.level),
            number("ratio", &|curve, point| Some(ratio(curve.named.metric, point.loss?))),
            number("ratio_low", &|curve, point| Some(ends(curve, point)?.0)),
            number("ratio_high", &|curve, point| Some(ends(curve, point)?.1)),
            text("interval", &|_, point| Some(point.sure?.as_str().to_owned())),
            number("degradation_percent", &|_, point| point.loss.map(percent)),
            number("degradation_low_percent", &|curve, point| Some(percent(curve.interval(point)?.0))),
            number("degradation_high_percent", &|curve, point| Some(percent(curve.interval(point)?.1))),
            number("noise", &|_, point| point.noise),
            Column::new(
                "within_noise".into(),
                rows.iter().map(|(curve, at)| within(&curve.points[*at])).collect::<Vec<_>>(),
            ),
            Column::new("is_reversal".into(), is_reversal.collect::<Vec<_>>()),
            Column::new(
                "reversal_from".into(),
                reversals.iter().map(|reversal| reversal.map(|it| it.from)).collect::<Vec<_>>(),
            ),
            Column::new("reversal_because".into(), because.collect::<Vec<_>>()),
        ],
    )
}
