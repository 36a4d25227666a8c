//! Rules held against runs: observed values, resolved limits, verdicts.
//!
//! A value that is only a lower bound, because operations had no answer, is treated as anything from there on; an interval
//! that has to be kept as a whole, as anything within it. A rule passes where every such value keeps the limit, fails where
//! none does, and cannot be told otherwise. What has no value at all cannot be told either. Repeats pass together only where
//! each of them could be judged and was seen to end, and a latency of acknowledged operations only where those that were not
//! acknowledged could not have been this quantile.

use std::collections::HashMap;

use polars::prelude::*;
use run_folder::Label;
use run_folder::manifest::Role;

use super::rule::{Limit, Of, Op, Quantity, Reference, Rule, Source, Unit};
use crate::output::text::number;
use crate::phases::Phase;
use crate::stats;
use crate::stats::intervals::{student, welch};
use crate::tables::delta::{self, Measured};
use crate::tables::factors::Factors;
use crate::tables::recovery;

/// What a rule and a run, or several repeats, come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The limit is kept.
    Pass,
    /// Neither.
    CannotTell,
    /// It is not kept.
    Fail,
}

impl Verdict {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::CannotTell => "cannot tell",
            Self::Fail => "fail",
        }
    }

    /// The verdict over several: `fail` where one fails, `pass` where all pass.
    pub fn overall(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().max().unwrap_or(Self::CannotTell)
    }
}

/// A run that rules are about but that cannot be judged, such as one that failed.
#[derive(Debug, Clone)]
pub struct Absent {
    /// Name of the run folder.
    pub run: String,
    /// Its place among others, as far as that is known.
    pub factors: Factors,
    /// Why, as in `the run failed: fault not confirmed`.
    pub why: String,
}

/// Where the limits of an interval come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalOf {
    /// Repeats: what the next run would show.
    BetweenRun,
    /// Parts of the run itself: how exactly it determines its own number.
    WithinRun,
}

impl IntervalOf {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BetweenRun => "between-run",
            Self::WithinRun => "within-run",
        }
    }
}

/// A rule held against one run, or the repeats of a label.
#[derive(Debug, Clone)]
pub struct Judged<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The run; absent where repeats were judged together, or no run was there to judge.
    pub run: Option<String>,
    /// The label; absent where no run was there to judge.
    pub label: Option<String>,
    /// Number of runs.
    pub runs: usize,
    /// Changes of leader in all of them.
    pub leader_changes: usize,
    /// What was observed, in the unit of the rule's quantity; a lower bound where `is_bound`.
    pub observed: Option<f64>,
    /// Whether it is at least that much.
    pub is_bound: bool,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64, IntervalOf)>,
    /// The limit as a number in the same unit.
    pub limit: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
    /// What a reader should know about it.
    pub why: Option<String>,
}

impl Rule {
    /// Whether the rule is about runs such as this. Without labels of its own a rule about what a fault did takes runs
    /// with a fault that are no controls; any other rule takes every run.
    pub fn takes(&self, factors: &Factors) -> bool {
        if !self.runs.is_empty() {
            let label = Label::new(&factors.label);
            return label.is_ok_and(|label| self.runs.iter().any(|pattern| pattern.matches(&label)));
        }
        let is_experiment = factors.fault.is_some() && factors.role == Role::Experiment;
        factors.role != Role::Capacity && (is_experiment || !self.condition.needs_fault())
    }
}

/// Holds every rule against the runs.
///
/// `runs` are those to judge and, beside them, those that they are compared with, see [`Measured::is_shown`]; `recoveries` are
/// [`recovery::table`] of those to judge, by run, needed where rules are about them; `absent` are those that cannot be judged,
/// which a rule about them does not pass for.
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub fn judge<'a>(
    rules: &'a [Rule],
    runs: &[Measured],
    recoveries: &HashMap<String, DataFrame>,
    absent: &[Absent],
) -> PolarsResult<Vec<Judged<'a>>> {
    let mut beside = Beside::of(runs, recoveries)?;
    let mut shown: Vec<&Measured> = runs.iter().filter(|run| run.is_shown).collect();
    shown.sort_by(|a, b| a.factors.reading_order(&b.factors).then_with(|| a.run.cmp(&b.run)));
    let mut judged = Vec::new();
    for rule in rules {
        let before = judged.len();
        beside.turn_to(rule)?;
        for group in groups(rule, &shown) {
            judged.push(judge_group(rule, &group, &beside)?);
        }
        for run in absent.iter().filter(|run| rule.takes(&run.factors)) {
            judged.push(Judged {
                run: Some(run.run.clone()),
                label: Some(run.factors.label.clone()),
                runs: 1,
                ..nothing(rule, run.why.clone())
            });
        }
        if judged.len() == before {
            judged.push(nothing(rule, no_run(rule, &shown)));
        }
    }
    Ok(judged)
}

/// The runs that a rule is about, as it takes them together. Runs in which the leader changed are never pooled with those
/// in which it did not.
fn groups<'a>(rule: &Rule, shown: &[&'a Measured]) -> Vec<Vec<&'a Measured>> {
    let mut groups: Vec<Vec<&Measured>> = Vec::new();
    for &run in shown.iter().filter(|run| rule.takes(&run.factors)) {
        let is_repeat = |other: &Measured| {
            other.factors.condition == run.factors.condition && (other.leader_changes > 0) == (run.leader_changes > 0)
        };
        // Repeats are neighbours in reading order, but those with a change of leader lie among the others.
        match groups.iter_mut().rev().take(2).find(|group| rule.of == Of::Label && is_repeat(group[0])) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    groups
}

fn nothing(rule: &Rule, why: String) -> Judged<'_> {
    Judged {
        rule,
        run: None,
        label: None,
        runs: 0,
        leader_changes: 0,
        observed: None,
        is_bound: false,
        interval: None,
        limit: None,
        verdict: Verdict::CannotTell,
        why: Some(why),
    }
}

/// Why a rule has no run to be held against.
fn no_run(rule: &Rule, shown: &[&Measured]) -> String {
    const LABELS: usize = 5;
    let mut labels: Vec<&str> = shown.iter().map(|run| run.factors.label.as_str()).collect();
    labels.dedup();
    let more = if labels.len() > LABELS { ", ..." } else { "" };
    labels.truncate(LABELS);
    let there = match labels.is_empty() {
        true => "there is none".to_owned(),
        false => format!("there are {}{more}", labels.join(", ")),
    };
    match rule.runs.is_empty() {
        true => format!("no selected run has a fault and is no control; {there}"),
        false => {
            let patterns: Vec<&str> = rule.runs.iter().map(|pattern| pattern.as_str()).collect();
            format!("no selected run has a label as in runs = {}; {there}", patterns.join(", "))
        }
    }
}

/// A number of one run, or of the baselines.
#[derive(Debug, Clone, Copy)]
struct Level {
    value: f64,
    /// Whether it is at least that much.
    is_bound: bool,
    /// Whether it is a quantile of acknowledged operations that over all operations is a lower bound only.
    is_partial: bool,
    due: u64,
    not_ok: u64,
}

/// A number of one run, and what it is compared with.
struct Reading {
    level: Level,
    reference: Option<Level>,
    /// Of each baseline, where it is compared with these.
    baselines: Vec<f64>,
}

fn judge_group<'a>(rule: &'a Rule, group: &[&Measured], beside: &Beside<'_>) -> PolarsResult<Judged<'a>> {
    let first = group[0];
    let is_by_run = rule.of == Of::Run;
    let named = |why: String| Judged {
        run: is_by_run.then(|| first.run.clone()),
        label: Some(first.factors.label.clone()),
        runs: group.len(),
        leader_changes: group.iter().map(|run| run.leader_changes).sum(),
        ..nothing(rule, why)
    };
    let pooled = match rule.condition.quantity.source {
        Source::Recovery => recovered(rule, group, beside)?,
        Source::Summary | Source::NotOkShare => pooled(rule, group, beside)?,
    };
    let pooled = match pooled {
        Ok(pooled) => pooled,
        Err(why) => return Ok(named(why)),
    };
    let factor = match rule.condition.limit {
        Limit::Number(_) => 1.0,
        Limit::Relative { factor, .. } => factor,
    };
    let (limit, is_limit_bound) = match (rule.condition.limit, pooled.reference) {
        (Limit::Number(limit), _) => (limit, false),
        (Limit::Relative { .. }, Some(reference)) => (factor * reference.value, reference.is_bound),
        (Limit::Relative { .. }, None) => return Ok(named("nothing to compare with".to_owned())),
    };
    let interval = match pooled.interval {
        Some((low, high)) => Some((low, high, IntervalOf::BetweenRun)),
        None if group.len() == 1 => beside.interval(rule, first, pooled.reference)?,
        None => None,
    };
    let level = pooled.level;
    let value = match interval.filter(|_| rule.is_sure) {
        Some((low, high, _)) => (low, if level.is_bound { f64::INFINITY } else { high }),
        None => (level.value, if level.is_bound { f64::INFINITY } else { level.value }),
    };
    let limits = (limit, if is_limit_bound { f64::INFINITY } else { limit });
    let is_unsure = rule.is_sure && !matches!(interval, Some((.., IntervalOf::BetweenRun)));
    let verdict = match decide(rule.condition.op, value, limits) {
        _ if is_unsure => Verdict::CannotTell,
        Verdict::Pass if pooled.doubt.is_some() => Verdict::CannotTell,
        verdict => verdict,
    };
    let why = match verdict {
        _ if is_unsure && group.len() == 1 => Some("sure takes repeats, and this is one run".to_owned()),
        _ if is_unsure => Some("the repeats have no interval".to_owned()),
        Verdict::CannotTell if pooled.doubt.is_some() => pooled.doubt,
        Verdict::CannotTell if level.is_bound || is_limit_bound => {
            let why = match rule.condition.quantity.source {
                Source::Recovery => "it was not seen to end",
                Source::Summary | Source::NotOkShare => "some operations had no answer",
            };
            Some(format!("{why}, so that there is a lower bound only, which does not decide"))
        }
        Verdict::CannotTell => Some("the limit lies within the 95 % interval".to_owned()),
        Verdict::Fail if limit > 0.0 && level.value > 0.0 => Some(how_far(rule.condition.op, level, limit)),
        Verdict::Fail => None,
        Verdict::Pass => left_out_by(&rule.condition.quantity, level),
    };
    Ok(Judged {
        observed: Some(level.value),
        is_bound: level.is_bound,
        interval,
        limit: Some(limit),
        verdict,
        why,
        ..named(String::new())
    })
}

/// What several runs have in common by their summaries; or why there is nothing.
fn pooled(rule: &Rule, group: &[&Measured], beside: &Beside<'_>) -> PolarsResult<Result<Pooled, String>> {
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
fn recovered(rule: &Rule, group: &[&Measured], beside: &Beside<'_>) -> PolarsResult<Result<Pooled, String>> {
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

/// `value` and `limit` are each known to lie between two numbers.
fn decide(op: Op, value: (f64, f64), limit: (f64, f64)) -> Verdict {
    let (best, worst) = match op.is_upper() {
        true => ((value.0, limit.1), (value.1, limit.0)),
        false => ((value.1, limit.0), (value.0, limit.1)),
    };
    if op.holds(worst.0, worst.1) {
        Verdict::Pass
    } else if op.holds(best.0, best.1) {
        Verdict::CannotTell
    } else {
        Verdict::Fail
    }
}

fn how_far(op: Op, level: Level, limit: f64) -> String {
    let times = number(level.value / limit);
    let at_least = if level.is_bound { "at least " } else { "" };
    match op.is_upper() {
        true => format!("{at_least}x{times} the limit"),
        false => format!("x{times} of what it should be at least"),
    }
}

/// What a latency that keeps its limit does not say: how many operations it is not about.
fn left_out_by(quantity: &Quantity, level: Level) -> Option<String> {
    let is_over_ok = quantity.unit == Unit::Ms && !quantity.column.starts_with("response_due");
    (is_over_ok && level.not_ok > 0)
        .then(|| format!("over acknowledged operations; {} of {} were not, see response_due", level.not_ok, level.due))
}

/// The number of one run that a rule is about, and what it is compared with; or why there is none.
fn read(rule: &Rule, run: &Measured, beside: &Beside<'_>) -> PolarsResult<Result<Reading, String>> {
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
fn together(quantity: &Quantity, levels: &[Level]) -> Level {
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
fn level(quantity: &Quantity, phase: Phase, run: &Measured) -> PolarsResult<Result<Level, String>> {
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

/// Readings of several runs as one.
struct Pooled {
    level: Level,
    reference: Option<Level>,
    /// The 95 % interval over runs, in the unit of the quantity.
    interval: Option<(f64, f64)>,
    /// Why it does not pass, though its number may keep the limit.
    doubt: Option<String>,
}

impl Pooled {
    fn of(rule: &Rule, readings: &[Reading]) -> Self {
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

/// What single runs are judged by beside their own summaries. It is made once, so that a folder of many runs takes no time
/// that grows with their square.
struct Beside<'a> {
    /// The baselines of each cohort.
    baselines: HashMap<&'a str, Vec<&'a Measured>>,
    /// Of these, what the rule is about that is held against runs just now.
    levels: HashMap<&'a str, Vec<(&'a str, Level)>>,
    /// Within-run intervals of the ratios of single runs: [`delta::by_run`].
    ratios: DataFrame,
    /// The rows of these by run, kind and comparison.
    rows: HashMap<(String, String, String), usize>,
    /// Recovery of the runs that are judged.
    recoveries: &'a HashMap<String, DataFrame>,
}

impl<'a> Beside<'a> {
    fn of(runs: &'a [Measured], recoveries: &'a HashMap<String, DataFrame>) -> PolarsResult<Self> {
        let mut baselines: HashMap<&str, Vec<&Measured>> = HashMap::new();
        for run in runs.iter().filter(|run| delta::is_reference(run)) {
            baselines.entry(&run.factors.cohort).or_default().push(run);
        }
        let ratios = delta::by_run(runs)?;
        let text = |name: &str| -> PolarsResult<&StringChunked> { ratios.column(name)?.str() };
        let keys = text("run")?.iter().zip(text("kind")?.iter()).zip(text("compared")?.iter());
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let rows = keys
            .enumerate()
            .map(|(row, ((run, kind), compared))| ((owned(run), owned(kind), owned(compared)), row))
            .collect();
        Ok(Self { baselines, levels: HashMap::new(), ratios, rows, recoveries })
    }

    /// Reads what a rule is about off the baselines, where it is relative to these.
    fn turn_to(&mut self, rule: &Rule) -> PolarsResult<()> {
        self.levels.clear();
        if !matches!(rule.condition.limit, Limit::Relative { to: Reference::Baseline, .. }) {
            return Ok(());
        }
        for (cohort, runs) in &self.baselines {
            let mut levels = Vec::new();
            for run in runs {
                levels.extend(
                    level(&rule.condition.quantity, Phase::All, run)?.ok().map(|level| (run.run.as_str(), level)),
                );
            }
            self.levels.insert(cohort, levels);
        }
        Ok(())
    }

    /// The baselines of a run's cohort, without the run itself; or why there are none.
    fn baselines(&self, run: &Measured) -> Result<Vec<Level>, String> {
        let of_cohort = self.levels.get(run.factors.cohort.as_str()).map_or(&[][..], Vec::as_slice);
        let levels: Vec<Level> =
            of_cohort.iter().filter(|(name, _)| *name != run.run).map(|(_, level)| *level).collect();
        match levels.is_empty() {
            true => {
                Err("no baseline: it takes a finished run without a fault and with one leader, of the same sweep (or, \
                         outside of sweeps, of none) and with the same workload and cluster, beside it"
                    .to_owned())
            }
            false => Ok(levels),
        }
    }

    fn interval(
        &self,
        rule: &Rule,
        run: &Measured,
        reference: Option<Level>,
    ) -> PolarsResult<Option<(f64, f64, IntervalOf)>> {
        let quantity = &rule.condition.quantity;
        let compared = match (quantity.phase, rule.condition.limit) {
            (Phase::During, Limit::Relative { to: Reference::Phase(Phase::Before), .. }) => "during/before",
            (Phase::After, Limit::Relative { to: Reference::Phase(Phase::Before), .. }) => "after/before",
            (Phase::During, Limit::Relative { to: Reference::Baseline, .. }) => "during/baseline",
            _ => return Ok(None),
        };
        let Some(reference) = reference else { return Ok(None) };
        if !delta::METRICS.contains(&quantity.column.as_str()) {
            return Ok(None);
        }
        let column = |end: &str| -> PolarsResult<&Float64Chunked> {
            self.ratios.column(&format!("{}_ratio_{end}", quantity.column))?.f64()
        };
        let (low, high) = (column("low")?, column("high")?);
        let main = delta::main_kind(run.summary.column("kind")?.str()?);
        let kind = quantity.kind.filter(|&kind| kind != "all").unwrap_or(&main);
        let key = (run.run.clone(), kind.to_owned(), compared.to_owned());
        let Some(&row) = self.rows.get(&key) else { return Ok(None) };
        Ok(low
            .get(row)
            .zip(high.get(row))
            .map(|(low, high)| (low * reference.value, high * reference.value, IntervalOf::WithinRun)))
    }
}
