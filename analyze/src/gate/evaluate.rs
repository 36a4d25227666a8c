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

use super::rule::{Limit, Of, Op, Quantity, Rule, Source, Unit};
use crate::output::text::number;
use crate::tables::delta::Measured;
use crate::tables::factors::Factors;

mod beside;
mod pooled;
mod readings;

use beside::Beside;
use pooled::{pooled, recovered};
use readings::Level;

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
