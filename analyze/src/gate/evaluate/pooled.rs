//! The numbers of several runs as one, with what they differ by.

use polars::prelude::*;

use super::beside::Beside;
use super::readings::{Level, Reading, read, together};
use crate::gate::rule::{Quantity, Rule, Unit};
use crate::stats;
use crate::stats::intervals::{student, welch};
use crate::tables::delta::{self, Measured};
use crate::tables::factors::Factors;
use crate::tables::recovery;

/// Readings of several runs as one.
pub(super) struct Pooled {
    pub(super) level: Level,
    pub(super) reference: Option<Level>,
    /// The 95 % interval over runs, in the unit of the quantity.
    pub(super) interval: Option<(f64, f64)>,
    /// Why it does not pass, though its number may keep the limit.
    pub(super) doubt: Option<String>,
}

impl Pooled {
    pub(super) fn of(rule: &Rule, readings: &[Reading]) -> Self {
        let quantity = &rule.condition.quantity;
        let levels: Vec<Level> = readings.iter().map(|reading| reading.level).collect();
        let references: Option<Vec<Level>> = readings.iter().map(|reading| reading.reference).collect();
        let reference = references.as_ref().map(|references| together(quantity, references));
        let interval = match (&references, quantity.unit) {
            (None, Unit::Share | Unit::Count) => mean_interval(&levels, quantity.unit),
            // Means of shares and counts have no ratio whose logarithm could be taken run by run: many of them are 0.
            (Some(_), Unit::Share | Unit::Count) => None,
            (None, _) => stats::ratio_interval(&levels.iter().map(|level| level.value).collect::<Vec<_>>()),
            // That of the ratio, in the unit of the quantity.
            (Some(references), _) => ratio_interval(readings, references)
                .zip(reference)
                .map(|((low, high), reference)| (low * reference.value, high * reference.value)),
        };
        Self { level: together(quantity, &levels), reference, interval, doubt: None }
    }
}

/// 95 % interval of the ratio of each run to its own reference, or of all of them to the baselines, as in [`delta`].
fn ratio_interval(readings: &[Reading], references: &[Level]) -> Option<(f64, f64)> {
    let logs = |values: &mut dyn Iterator<Item = f64>| -> Option<Vec<f64>> {
        values.map(|value| (value > 0.0).then(|| value.ln())).collect()
    };
    let values = logs(&mut readings.iter().map(|reading| reading.level.value))?;
    let tested = match readings[0].baselines[..] {
        [] => {
            let references = logs(&mut references.iter().map(|reference| reference.value))?;
            student(&values.iter().zip(&references).map(|(value, of)| value - of).collect::<Vec<_>>())?
        }
        _ => welch(&values, &logs(&mut readings[0].baselines.iter().copied())?)?,
    };
    Some((tested.low.exp(), tested.high.exp()))
}

/// 95 % t interval of the mean over runs of a number that may be 0, within what such a number can be.
fn mean_interval(levels: &[Level], unit: Unit) -> Option<(f64, f64)> {
    let tested = student(&levels.iter().map(|level| level.value).collect::<Vec<_>>())?;
    let most = if unit == Unit::Share { 1.0 } else { f64::INFINITY };
    Some((tested.low.max(0.0), tested.high.min(most)))
}

/// What several runs have in common by their summaries; or why there is nothing.
pub(super) fn pooled(rule: &Rule, group: &[&Measured], beside: &Beside<'_>) -> PolarsResult<Result<Pooled, String>> {
    let (mut readings, mut unjudged) = (Vec::with_capacity(group.len()), Vec::new());
    for run in group {
        match read(rule, run, beside)? {
            Ok(reading) => readings.push(reading),
            Err(why) if group.len() == 1 => return Ok(Err(why)),
            Err(why) => unjudged.push(format!("{}: {why}", run.run)),
        }
    }
    if readings.is_empty() {
        return Ok(Err(unjudged.swap_remove(0)));
    }
    // One such run is no loss of everything, and throughputs have no mean with a zero among them.
    let lost = readings.iter().filter(|reading| reading.level.value == 0.0).count();
    if rule.condition.quantity.unit == Unit::PerS && (1..readings.len()).contains(&lost) {
        return Ok(Err(format!("{lost} of {} runs acknowledged nothing", readings.len())));
    }
    let pooled = Pooled::of(rule, &readings);
    let Level { is_partial, due, not_ok, .. } = pooled.level;
    let hides = (is_partial && rule.condition.op.is_upper()).then(|| {
        format!("{not_ok} of {due} were not acknowledged, so that of all this is a lower bound; see response_due")
    });
    Ok(Ok(Pooled { doubt: without_all(&unjudged, group.len()).or(hides), ..pooled }))
}

/// Why repeats of which some could not be judged do not pass.
fn without_all(unjudged: &[String], of: usize) -> Option<String> {
    unjudged.first().map(|first| format!("{} of {of} cannot be judged: {first}", unjudged.len()))
}

/// What several runs have in common by their recoveries, of which some may not have been seen to end. Of times it is the
/// median, as the table of recovery pools them; of gaps and losses the run that is farthest on the wrong side.
pub(super) fn recovered(rule: &Rule, group: &[&Measured], beside: &Beside<'_>) -> PolarsResult<Result<Pooled, String>> {
    let (quantity, op) = (&rule.condition.quantity, rule.condition.op);
    let mut runs: Vec<(&Factors, DataFrame)> = Vec::with_capacity(group.len());
    for run in group {
        // A baseline's table has a third in place of a fault.
        let Some(_) = &run.factors.fault else { return Ok(Err("no fault, and so no recovery".to_owned())) };
        let Some(frame) = beside.recoveries.get(&run.run) else {
            return Ok(Err("its recovery is not known".to_owned()));
        };
        runs.push((&run.factors, frame.clone()));
    }
    let frame = if let [(_, frame)] = &runs[..] { frame.clone() } else { recovery::by_label(&runs)? };
    let main = delta::main_kind(frame.column("kind")?.str()?);
    let kind = quantity.kind.filter(|&kind| kind != "all").unwrap_or(&main);
    let (mut levels, mut unjudged) = (Vec::with_capacity(group.len()), Vec::new());
    for (run, (_, frame)) in group.iter().zip(&runs) {
        match recovery_of(quantity, kind, frame)? {
            Ok(level) => levels.push((*run, level)),
            Err(why) if group.len() == 1 => return Ok(Err(why)),
            Err(why) => unjudged.push(format!("{}: {why}", run.run)),
        }
    }
    let values = levels.iter().map(|(_, level)| level.value);
    let worst = if op.is_upper() { values.reduce(f64::max) } else { values.reduce(f64::min) };
    let Some(worst) = worst else { return Ok(Err(unjudged.swap_remove(0))) };
    let open: Vec<&str> = levels.iter().filter(|(_, level)| level.is_bound).map(|(run, _)| run.run.as_str()).collect();
    let is_time = !matches!(quantity.column.as_str(), "longest_gap_s" | "unavailable_s" | "ops_lost");
    let (mut value, mut is_bound, mut interval) = (worst, !open.is_empty(), None);
    if let (true, Some(row)) = (group.len() > 1 && is_time, row_of(&frame, kind)?) {
        let number = |name: String| frame.column(&name).ok().and_then(|column| column.f64().ok()?.get(row));
        let time = quantity.column.trim_end_matches("_s");
        let median = number(quantity.column.clone());
        is_bound = median.is_none();
        value = median.or_else(|| number(format!("{time}_lower_bound_s"))).unwrap_or(worst);
        interval = number(format!("{time}_low_s")).zip(number(format!("{time}_high_s")));
    }
    // What lasted longer than was seen keeps any lower limit that it has reached.
    let unseen = (group.len() > 1 && op.is_upper() && !open.is_empty()).then(|| {
        let what = if quantity.column.contains("recovery") { "never recovered" } else { "not seen to end" };
        format!("{} of {} {what}: {}", open.len(), group.len(), open[0])
    });
    let level = Level { value, is_bound, is_partial: false, due: 0, not_ok: 0 };
    Ok(Ok(Pooled { level, reference: None, interval, doubt: without_all(&unjudged, group.len()).or(unseen) }))
}

fn row_of(frame: &DataFrame, kind: &str) -> PolarsResult<Option<usize>> {
    let kinds = frame.column("kind")?.str()?;
    Ok((0..frame.height()).find(|row| kinds.get(*row) == Some(kind)))
}

/// What a rule about recovery is about, of one run; or why there is nothing.
fn recovery_of(quantity: &Quantity, kind: &str, frame: &DataFrame) -> PolarsResult<Result<Level, String>> {
    let Some(row) = row_of(frame, kind)? else {
        return Ok(Err(match quantity.kind {
            Some(kind) => format!("no {kind} operations"),
            None => "no operations".to_owned(),
        }));
    };
    let number = |name: &str| frame.column(name).ok().and_then(|column| column.f64().ok()?.get(row));
    let flag = |name: &str| -> PolarsResult<bool> { Ok(frame.column(name)?.bool()?.get(row) == Some(true)) };
    let name = quantity.column.as_str();
    let bound = name.strip_suffix("_s").and_then(|time| number(&format!("{time}_lower_bound_s")));
    let Some(value) = number(name).or(bound) else {
        let why = frame.column("why")?.str()?.get(row).map(str::to_owned);
        return Ok(Err(why.unwrap_or_else(|| format!("no {name}"))));
    };
    let is_bound = match name {
        "longest_gap_s" | "unavailable_s" => flag("longest_gap_censored")? || flag("unavailable_censored")?,
        "ops_lost" => flag("recovery_censored")?,
        _ => number(name).is_none(),
    };
    Ok(Ok(Level { value, is_bound, is_partial: false, due: 0, not_ok: 0 }))
}
