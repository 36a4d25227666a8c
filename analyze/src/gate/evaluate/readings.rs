//! The numbers that rules are about, run by run, off summaries.

use polars::prelude::*;

use super::beside::Beside;
use crate::gate::rule::{Limit, Quantity, Reference, Rule, Source, Unit};
use crate::phases::Phase;
use crate::stats;
use crate::tables::delta::{self, Measured};

/// A number of one run, or of the baselines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) value: f64,
    /// Whether it is at least that much.
    pub(super) is_bound: bool,
    /// Whether it is a quantile of acknowledged operations that over all operations is a lower bound only.
    pub(super) is_partial: bool,
    pub(super) due: u64,
    pub(super) not_ok: u64,
}

/// A number of one run, and what it is compared with.
pub(super) struct Reading {
    pub(super) level: Level,
    pub(super) reference: Option<Level>,
    /// Of each baseline, where it is compared with these.
    pub(super) baselines: Vec<f64>,
}

/// The number of one run that a rule is about, and what it is compared with; or why there is none.
pub(super) fn read(rule: &Rule, run: &Measured, beside: &Beside<'_>) -> PolarsResult<Result<Reading, String>> {
    let quantity = &rule.condition.quantity;
    let level = match level(quantity, quantity.phase, run)? {
        Ok(level) => level,
        Err(why) => return Ok(Err(why)),
    };
    let to = match rule.condition.limit {
        Limit::Number(_) => return Ok(Ok(Reading { level, reference: None, baselines: Vec::new() })),
        Limit::Relative { to, .. } => to,
    };
    Ok(match to {
        Reference::Phase(phase) => self::level(quantity, phase, run)?.map(|reference| Reading {
            level,
            reference: Some(reference),
            baselines: Vec::new(),
        }),
        Reference::Baseline => beside.baselines(run).map(|levels| Reading {
            level,
            reference: Some(together(quantity, &levels)),
            baselines: levels.iter().map(|level| level.value).collect(),
        }),
    })
}

/// Levels of several runs as one.
pub(super) fn together(quantity: &Quantity, levels: &[Level]) -> Level {
    let values: Vec<f64> = levels.iter().map(|level| level.value).collect();
    let (due, not_ok) = (levels.iter().map(|level| level.due).sum(), levels.iter().map(|level| level.not_ok).sum());
    let value = match quantity.source {
        // Over all operations together, as in `analyze delta`.
        Source::NotOkShare if due > 0 => not_ok as f64 / due as f64,
        _ if quantity.unit == Unit::Count => values.iter().sum::<f64>() / values.len() as f64,
        _ => stats::geometric_mean(&values).unwrap_or(0.0),
    };
    let any = |of: fn(&Level) -> bool| levels.iter().any(of);
    Level { value, is_bound: any(|level| level.is_bound), is_partial: any(|level| level.is_partial), due, not_ok }
}

/// A number of one kind and phase of a run; or why there is none.
pub(super) fn level(quantity: &Quantity, phase: Phase, run: &Measured) -> PolarsResult<Result<Level, String>> {
    let in_part = matches!(phase, Phase::Before | Phase::During | Phase::After);
    // A baseline's summary has thirds in place of phases.
    if in_part && run.factors.fault.is_none() {
        return Ok(Err(format!("no fault, and so no {}", phase.as_str())));
    }
    let (kinds, phases) = (run.summary.column("kind")?.str()?, run.summary.column("phase")?.str()?);
    let main = delta::main_kind(kinds);
    let kind = quantity.kind.filter(|&kind| kind != "all").unwrap_or(&main);
    let in_words = if quantity.kind.is_none() { "operations".to_owned() } else { format!("{kind} operations") };
    if !kinds.iter().any(|found| found == Some(kind)) {
        return Ok(Err(format!("no {in_words}")));
    }
    let is_it = |row: &usize| kinds.get(*row) == Some(kind) && phases.get(*row) == Some(phase.as_str());
    let Some(row) = (0..run.summary.height()).find(is_it) else {
        return Ok(Err(format!("no {}: no such part in this run", phase.as_str())));
    };
    let count = |name: &str| -> PolarsResult<u64> { Ok(run.summary.column(name)?.u64()?.get(row).unwrap_or(0)) };
    let (due, ok) = (count("count")?, count("ok")?);
    let value = match quantity.source {
        Source::NotOkShare => (due > 0).then(|| (due - ok) as f64 / due as f64),
        Source::Recovery => None,
        Source::Summary if quantity.unit == Unit::Count => Some(count(&quantity.column)? as f64),
        Source::Summary => run.summary.column(&quantity.column)?.f64()?.get(row),
    };
    let at = if phase == Phase::All { String::new() } else { format!(" {}", phase.as_str()) };
    let Some(value) = value else {
        return Ok(Err(match due {
            0 => format!("no {in_words} were due{at}"),
            _ if quantity.unit == Unit::PerS => format!("the length of the part {} is not known", phase.as_str()),
            _ => format!("none of {due} {in_words} was acknowledged{at}"),
        }));
    };
    let (time, is_unanswered) = unanswered(quantity, &run.summary, row)?;
    let (is_bound, is_partial) = (is_unanswered && time == "response_due", is_unanswered && time != "response_due");
    Ok(Ok(Level { value, is_bound, is_partial, due, not_ok: due - ok }))
}

/// The time that a latency is of, and whether its rank falls among operations without an answer where all that were due are
/// counted.
fn unanswered(quantity: &Quantity, summary: &DataFrame, row: usize) -> PolarsResult<(&'static str, bool)> {
    let column = quantity.column.strip_suffix("_ms").unwrap_or_default();
    let found = ["response_due", "response", "service"]
        .into_iter()
        .find_map(|time| Some((time, column.strip_prefix(time)?.strip_prefix('_')?)));
    // A mean has no rank.
    let Some((time, name)) = found.filter(|(_, name)| *name != "mean") else { return Ok(("", false)) };
    let from = summary.column("response_due_bound_from")?.str()?.get(row);
    let place = |name: &str| stats::QUANTILES.iter().position(|(known, _)| *known == name);
    // The maximum comes after all quantiles.
    let place_of = |name: &str| place(name).unwrap_or(stats::QUANTILES.len());
    Ok((time, from.is_some_and(|from| place_of(name) >= place_of(from))))
}
