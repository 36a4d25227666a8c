//! Whether two sets of runs agree, label by label: effects of repeats put in relation, with intervals between runs.
//!
//! Each run gives one effect; the effects of a label's repeats are taken on the logarithm. The ratio of two labels has the
//! interval of Welch's t test, wider by what the baselines differ by that full runs of a set share (B. L. Welch, "The generalization of 'Student's' problem when several different population
//! variances are involved", Biometrika 34(1/2), 1947). Where a label has one run in a set, its within-run interval takes the
//! place of that between runs, and what is said is labelled so. Intervals of differences are put together from those of
//! the two sides (G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures: a general
//! approach", Statistics in Medicine 27(10), 2008).

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::*;
use run_folder::manifest::Role;

use super::Verdict;
use crate::phases::Phase;
use crate::stats::intervals::Bounded;
use crate::tables::delta::{self, Measured};
use crate::tables::factors::Factors;
use crate::tables::spread::{self, Spread, half_width};

mod text;

pub use text::{notes, text};

/// One set of runs: what was measured in it, with what its runs are compared with.
pub struct Set {
    /// What it is called.
    pub name: String,
    /// The runs; those that are shown are of the set.
    pub measured: Vec<Measured>,
}

/// How labels of two sets belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// By their names.
    ByLabel,
    /// By the value of their fault: no label is in both sets, and each set is one family.
    ByValue,
    /// Each set has one label only.
    One,
}

/// The comparison of two sets.
pub struct Compared {
    /// See [`table`].
    pub frame: DataFrame,
    /// How labels were matched.
    pub matched: Matched,
    /// Labels that only A has, and those of which only A has runs in which the leader changed, or only such without.
    pub only_a: Vec<String>,
    /// The same of B.
    pub only_b: Vec<String>,
}

/// What effects of one set have in common when they are of repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    label: String,
    /// Workload, cluster and fault: see [`Factors::condition_anywhere`].
    condition: String,
    /// Runs in which the leader changed are never pooled with others.
    has_changed: bool,
    kind: String,
    compared: String,
    metric: &'static str,
}

/// The effects of the repeats of one label.
struct Effects {
    key: Key,
    family: String,
    value: Option<f64>,
    /// The sweeps that the runs are of.
    sweeps: BTreeSet<String>,
    leader_changes: u64,
    /// One for each run, but for those that acknowledged nothing.
    effects: Vec<f64>,
    /// Runs that acknowledged nothing.
    lost: usize,
    /// Of a single run the interval within it.
    within: Option<(f64, f64)>,
    /// Whether the runs share what they are compared with, and what that could differ by.
    has_shared: bool,
    shared: Option<Spread>,
    noise: Option<f64>,
}

impl Effects {
    fn runs(&self) -> usize {
        self.effects.len() + self.lost
    }

    /// Whether it is a time, which runs that acknowledged nothing do not have.
    fn is_time(&self) -> bool {
        self.key.metric.ends_with("_ms")
    }

    /// The mean on the logarithm; absent where a zero is in its way.
    fn mean(&self) -> Option<f64> {
        let is_known = !self.effects.is_empty() && (self.lost == 0 || self.is_time());
        is_known.then(|| self.effects.iter().map(|effect| effect.ln()).sum::<f64>() / self.effects.len() as f64)
    }

    /// Whether all runs acknowledged nothing.
    fn is_nothing(&self) -> bool {
        self.effects.is_empty()
    }

    /// The effect over the runs: 0 of a throughput where none acknowledged anything, absent where some did.
    fn effect(&self) -> Option<f64> {
        self.mean().map(f64::exp).or_else(|| (self.is_nothing() && !self.is_time()).then_some(0.0))
    }

    /// What the mean on the logarithm could differ by: what its runs do, and what the baselines that they share do.
    fn spreads(&self) -> Option<Vec<Spread>> {
        self.mean()?;
        let logs: Vec<f64> = self.effects.iter().map(|effect| effect.ln()).collect();
        let own = Spread::of(&logs)?;
        // What one baseline differs by is not known.
        match self.has_shared {
            true => Some(vec![own, self.shared?]),
            false => Some(vec![own]),
        }
    }

    /// The mean on the logarithm, with its 95 % interval.
    fn bounded(&self) -> Option<Bounded> {
        let mean = self.mean()?;
        let interval = match self.spreads() {
            Some(spreads) => Some((mean - half_width(&spreads), mean + half_width(&spreads))),
            None => self.within.map(|(low, high)| (low.ln(), high.ln())),
        };
        Some(Bounded { value: mean, interval })
    }

    /// The 95 % interval of the effect.
    fn interval(&self) -> Option<(f64, f64)> {
        self.bounded()?.interval.map(|(low, high)| (low.exp(), high.exp()))
    }
}

/// What is known of an effect in A against B.
struct Related<'a> {
    a: &'a Effects,
    b: &'a Effects,
    ratio: Option<f64>,
    interval: Option<(f64, f64)>,
    sort: Option<&'static str>,
    difference: Option<f64>,
    difference_interval: Option<(f64, f64)>,
    margin: f64,
    /// The noise floor of either set, a factor.
    noise: Option<f64>,
}

impl Related<'_> {
    /// The verdict, and where that is not plain from the interval, why.
    ///
    /// A noise floor makes no margin wider: what is within the noise is not known to be the same. It only takes away the
    /// reason to call it different.
    fn verdict(&self) -> (Verdict, Option<String>) {
        let (a, b) = (self.a, self.b);
        if a.lost + b.lost > 0 {
            let lost = |name: &str, of: &Effects| match (of.lost, of.runs()) {
                (0, _) => None,
                (lost, runs) => Some(format!("{lost} of {runs} runs of {name} acknowledged nothing")),
            };
            let why = Some([lost("A", a), lost("B", b)].into_iter().flatten().collect::<Vec<_>>().join(", "));
            let is_whole = |of: &Effects| of.lost == 0 || of.is_nothing();
            return match is_whole(a) && is_whole(b) && !a.is_time() {
                true if a.is_nothing() && b.is_nothing() => (Verdict::Agree, why),
                true => (Verdict::Differ, why),
                false => (Verdict::CannotTell, why),
            };
        }
        let floor = self.noise.unwrap_or(1.0);
        match Verdict::of(self.interval, self.margin) {
            Verdict::Agree => (Verdict::Agree, None),
            _ => match Verdict::of(self.interval, floor.max(self.margin)) {
                Verdict::Agree => (Verdict::CannotTell, Some("within the noise floor".to_owned())),
                other => (other, None),
            },
        }
    }
}

/// Compares two sets, one row for each label, kind, part and metric that both have. Columns:
///
/// - `a`, `b`: the sets; `label_a`, `label_b`: what is compared, mostly the same label; runs of a label with different workloads,
///   clusters or faults have rows of their own, and are compared with such of the same in the other set where there are any;
///   `sweeps_a`, `sweeps_b`: what sweeps they are of, with commas between
/// - `kind`, `compared`: as in [`delta::by_run`], the effect being a ratio; `all` of runs without a fault and `during` of
///   full runs that lack baselines in one of the sets, the effect being the level itself
/// - `metric`: one of `metrics`
/// - `runs_a`, `runs_b`; `lost_a`, `lost_b`: those of them that acknowledged nothing; `leader_changes_a`, `leader_changes_b`: runs in which the leader changed have rows of their own
/// - `effect_a`, `effect_b`: geometric means over the runs, of levels in operations per second and milliseconds; times are of the
///   runs that acknowledged something, of throughput it is 0 where none did, and null where only some did; `_low`, `_high`:
///   their 95 % intervals
/// - `difference`: `effect_b` - `effect_a`, `difference_low`, `difference_high` its 95 % interval
/// - `ratio`: `effect_b` / `effect_a`; `ratio_low`, `ratio_high` its 95 % interval
/// - `interval`: `between-run`, or `within-run` where one of the two has a single run: then it does not contain what that run would
///   differ by when recorded again; null where there is none
/// - `margin`: what counts as the same; `noise`: the noise floor, the larger one of both sets, null where there is none
/// - `verdict`: see [`Verdict`]; `differ` only outside of the noise floor too; `because`: what else it is from than interval and margin: runs
///   that acknowledged nothing, or the noise floor
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub fn table(a: &Set, b: &Set, metrics: &[&'static str], margin: f64) -> PolarsResult<Compared> {
    let (mut of_a, mut of_b) = (effects(&a.measured, metrics)?, effects(&b.measured, metrics)?);
    // A ratio in one set has no counterpart in a level of the other.
    levels_where_needed(a, &mut of_a, &of_b, metrics)?;
    levels_where_needed(b, &mut of_b, &of_a, metrics)?;
    let matched = matched(&of_a, &of_b);
    let others = |key: &Key| (key.has_changed, key.kind.clone(), key.compared.clone(), key.metric);
    let is_repeat = |a: &Effects, b: &Effects| a.key.label == b.key.label && others(&a.key) == others(&b.key);
    let is_same = |a: &Effects, b: &Effects| {
        let is_label = match matched {
            Matched::ByLabel => a.key.label == b.key.label,
            Matched::ByValue => a.value == b.value,
            Matched::One => true,
        };
        is_label && others(&a.key) == others(&b.key)
    };
    let counterpart = |a: &Effects| {
        let others: Vec<&Effects> = of_b.iter().filter(|b| is_same(a, b)).collect();
        let is_same_condition = |a: &Effects, b: &Effects| a.key.condition == b.key.condition;
        if let Some(same) = others.iter().copied().find(|b| is_same_condition(a, b)) {
            return Some(same);
        }
        // Sets may have been recorded under other conditions, which is no question where each has one of them left over.
        let repeats: Vec<&Effects> = of_a.iter().filter(|other| is_repeat(a, other)).collect();
        let left_a = repeats.iter().filter(|a| !others.iter().any(|b| is_same_condition(a, b))).count();
        let mut left_b = others.iter().filter(|b| !repeats.iter().any(|a| is_same_condition(a, b)));
        let only = left_b.next().copied();
        only.filter(|_| left_a == 1 && left_b.next().is_none())
    };
    let pairs: Vec<(&Effects, &Effects)> = of_a.iter().filter_map(|a| Some((a, counterpart(a)?))).collect();
    let known = pairs.into_iter().filter(|(a, b)| !(a.is_nothing() && b.is_nothing() && a.is_time()));
    let mut related: Vec<Related<'_>> = known.map(|(a, b)| related(a, b, margin)).collect();
    // All that is known of a label stands together, part by part.
    let of_row = |row: &Related<'_>| (row.a.key.label.clone(), row.a.key.condition.clone(), row.a.key.has_changed);
    let mut order: Vec<(String, String, bool)> = Vec::new();
    for row in &related {
        let label = of_row(row);
        if !order.contains(&label) {
            order.push(label);
        }
    }
    let part =
        |key: &Key| ["during/before", "after/before", "during/baseline"].iter().position(|part| *part == key.compared);
    related.sort_by_key(|row| {
        let key = &row.a.key;
        let label = order.iter().position(|label| *label == of_row(row));
        (label, key.kind == "all", key.kind.clone(), part(key))
    });
    let only_a = only(&of_a, &related.iter().map(|row| row.a).collect::<Vec<_>>());
    let only_b = only(&of_b, &related.iter().map(|row| row.b).collect::<Vec<_>>());
    let frame = frame(&related, (&a.name, &b.name))?;
    Ok(Compared { frame, matched, only_a, only_b })
}

/// What of a set has no counterpart, in words; `paired` are those that have one.
fn only(effects: &[Effects], paired: &[&Effects]) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for Effects { key: Key { label, has_changed, .. }, .. } in effects {
        let own: Vec<&&Effects> = paired.iter().filter(|paired| paired.key.label == *label).collect();
        let shown = match (own.is_empty(), has_changed) {
            (true, false) => label.clone(),
            (_, true) => format!("{label} (runs in which the leader changed)"),
            (false, false) => format!("{label} (runs in which the leader did not change)"),
        };
        if !own.iter().any(|paired| paired.key.has_changed == *has_changed) && !labels.contains(&shown) {
            labels.push(shown);
        }
    }
    labels
}

fn matched(a: &[Effects], b: &[Effects]) -> Matched {
    let distinct = |effects: &[Effects], of: fn(&Effects) -> &str| {
        let mut found: Vec<String> = effects.iter().map(|effects| of(effects).to_owned()).collect();
        found.sort();
        found.dedup();
        found
    };
    let labels = |effects: &[Effects]| distinct(effects, |effects| &effects.key.label);
    if labels(a).iter().any(|label| labels(b).contains(label)) {
        return Matched::ByLabel;
    }
    if labels(a).len() == 1 && labels(b).len() == 1 {
        return Matched::One;
    }
    let is_family = |effects: &[Effects]| {
        distinct(effects, |effects| &effects.family).len() == 1 && effects.iter().all(|effects| effects.value.is_some())
    };
    if is_family(a) && is_family(b) { Matched::ByValue } else { Matched::ByLabel }
}

/// The effects of a set: ratios of runs with a fault, levels of those without.
fn effects(measured: &[Measured], metrics: &[&'static str]) -> PolarsResult<Vec<Effects>> {
    let by_run = delta::by_run(measured)?;
    let text = |name: &str| -> PolarsResult<&StringChunked> { by_run.column(name)?.str() };
    let (name, label, family) = (text("run")?, text("label")?, text("family")?);
    let (role, kind, compared) = (text("role")?, text("kind")?, text("compared")?);
    let value = by_run.column("fault_value")?.f64()?;
    let changes = by_run.column("leader_changes")?.u64()?;
    let factors: BTreeMap<&str, &Factors> = measured.iter().map(|run| (run.run.as_str(), &run.factors)).collect();
    let (not_ok, baselines) = (by_run.column("not_ok_share")?.f64()?, by_run.column("baselines")?.u64()?);
    let mut known = BTreeMap::new();
    let mut found: Vec<Effects> = Vec::new();
    for &metric in metrics {
        let number =
            |suffix: &str| -> PolarsResult<&Float64Chunked> { by_run.column(&format!("{metric}{suffix}"))?.f64() };
        let (ratio, noise) = (number("_ratio")?, number("_noise")?);
        let (low, high) = (number("_ratio_low")?, number("_ratio_high")?);
        for row in (0..by_run.height()).filter(|&row| role.get(row) != Some(Role::Baseline.as_str())) {
            let effect = ratio.get(row).filter(|&ratio| ratio > 0.0);
            let is_lost = not_ok.get(row) == Some(1.0) && baselines.get(row) != Some(0);
            // Without an effect there is still one to tell of where operations were due and none was acknowledged.
            let Some(factors) = name.get(row).and_then(|name| factors.get(name)) else { continue };
            if effect.is_none() && !(is_lost && can_be_lost(metric)) {
                continue;
            }
            let key = Key {
                label: label.get(row).unwrap_or_default().to_owned(),
                condition: factors.condition_anywhere(),
                has_changed: changes.get(row) > Some(0),
                kind: kind.get(row).unwrap_or_default().to_owned(),
                compared: compared.get(row).unwrap_or_default().to_owned(),
                metric,
            };
            let has_shared = key.compared == "during/baseline";
            let cohort = Some(factors.cohort.as_str()).filter(|_| has_shared);
            let shared = match cohort.map(|cohort| (cohort, key.kind.clone(), metric)) {
                Some(of) if !known.contains_key(&of) => {
                    let shared = spread::of_baselines(measured, of.0, &of.1, metric)?;
                    known.insert(of, shared);
                    shared
                }
                Some(of) => known[&of],
                None => None,
            };
            let effects = Effects {
                key,
                family: family.get(row).unwrap_or_default().to_owned(),
                value: value.get(row),
                sweeps: factors.sweep.iter().cloned().collect(),
                leader_changes: changes.get(row).unwrap_or(0),
                effects: effect.into_iter().collect(),
                lost: usize::from(effect.is_none()),
                within: low.get(row).zip(high.get(row)).filter(|_| effect.is_some()),
                has_shared,
                shared,
                noise: noise.get(row),
            };
            push(&mut found, effects);
        }
    }
    for measured in measured.iter().filter(|measured| measured.is_shown && measured.factors.role == Role::Baseline) {
        levels(measured, Phase::All, metrics)?.into_iter().for_each(|effects| push(&mut found, effects));
    }
    Ok(found)
}

/// Adds the levels of full runs that the other set has no ratio of, or that have none here.
fn levels_where_needed(
    set: &Set,
    effects: &mut Vec<Effects>,
    other: &[Effects],
    metrics: &[&'static str],
) -> PolarsResult<()> {
    let has_ratios = |effects: &[Effects], label: &str| {
        effects.iter().any(|effects| effects.key.label == label && effects.key.compared == "during/baseline")
    };
    let mut added: Vec<Effects> = Vec::new();
    for measured in set.measured.iter().filter(|measured| measured.is_shown && measured.factors.role != Role::Baseline)
    {
        let label = &measured.factors.label;
        let phases = measured.summary.column("phase")?.str()?;
        let is_full = !phases.iter().any(|phase| phase == Some(Phase::Before.as_str()));
        if is_full && !(has_ratios(effects, label) && has_ratios(other, label)) {
            levels(measured, Phase::During, metrics)?.into_iter().for_each(|level| push(&mut added, level));
        }
    }
    effects.extend(added);
    Ok(())
}

/// Whether a metric is lost with all operations: throughput is 0 then, and there are no times.
fn can_be_lost(metric: &str) -> bool {
    metric == "ops_per_s" || metric.ends_with("_ms")
}

/// The levels of one run in one phase.
fn levels(measured: &Measured, phase: Phase, metrics: &[&'static str]) -> PolarsResult<Vec<Effects>> {
    let summary = &measured.summary;
    let (kinds, phases) = (summary.column("kind")?.str()?, summary.column("phase")?.str()?);
    let (due, ok) = (summary.column("count")?.u64()?, summary.column("ok")?.u64()?);
    let mut found = Vec::new();
    for row in (0..summary.height()).filter(|&row| phases.get(row) == Some(phase.as_str())) {
        for &metric in metrics {
            let level = summary.column(metric)?.f64()?.get(row).filter(|&level| level > 0.0);
            let is_lost = due.get(row) > Some(0) && ok.get(row) == Some(0);
            if level.is_none() && !(is_lost && can_be_lost(metric)) {
                continue;
            }
            let key = Key {
                label: measured.factors.label.clone(),
                condition: measured.factors.condition_anywhere(),
                has_changed: measured.leader_changes > 0,
                kind: kinds.get(row).unwrap_or_default().to_owned(),
                compared: phase.as_str().to_owned(),
                metric,
            };
            found.push(Effects {
                key,
                family: measured.factors.family.clone(),
                value: measured.factors.value,
                sweeps: measured.factors.sweep.iter().cloned().collect(),
                leader_changes: measured.leader_changes as u64,
                effects: level.into_iter().collect(),
                lost: usize::from(level.is_none()),
                within: None,
                has_shared: false,
                shared: None,
                noise: None,
            });
        }
    }
    Ok(found)
}

/// Puts one more run to its repeats.
fn push(found: &mut Vec<Effects>, one: Effects) {
    match found.iter_mut().find(|known| known.key == one.key) {
        Some(known) => {
            known.effects.extend(one.effects);
            known.lost += one.lost;
            known.within = known.within.or(one.within);
            known.sweeps.extend(one.sweeps);
            known.leader_changes += one.leader_changes;
            known.noise = known.noise.into_iter().chain(one.noise).reduce(f64::max);
        }
        None => found.push(one),
    }
}

fn related<'a>(a: &'a Effects, b: &'a Effects, margin: f64) -> Related<'a> {
    let noise = a.noise.into_iter().chain(b.noise).reduce(f64::max);
    let point = Related {
        a,
        b,
        ratio: a.effect().zip(b.effect()).and_then(|(a, b)| (a > 0.0).then(|| b / a)),
        interval: None,
        sort: None,
        difference: a.effect().zip(b.effect()).map(|(a, b)| b - a),
        difference_interval: None,
        margin,
        noise,
    };
    let (Some(of_a), Some(of_b)) = (a.bounded(), b.bounded()) else { return point };
    let (interval, sort) = match (a.spreads(), b.spreads()) {
        (Some(spreads_a), Some(spreads_b)) => {
            let half = half_width(&[spreads_a, spreads_b].concat());
            let difference = of_b.value - of_a.value;
            (Some((difference - half, difference + half)), Some("between-run"))
        }
        _ => {
            let interval = of_b.less(of_a).interval;
            (interval, interval.map(|_| "within-run"))
        }
    };
    let exp = |of: Bounded, effects: &Effects| Bounded { value: of.value.exp(), interval: effects.interval() };
    Related {
        ratio: Some((of_b.value - of_a.value).exp()),
        interval: interval.map(|(low, high)| (low.exp(), high.exp())),
        sort,
        difference_interval: exp(of_b, b).less(exp(of_a, a)).interval,
        ..point
    }
}

/// What each row of [`table`] is about, in words: the label, with the sweeps where one label has several rows for one thing.
///
/// # Errors
/// [`PolarsError`] when `compared` is no such table.
pub fn names(compared: &DataFrame) -> PolarsResult<Vec<String>> {
    let text = |name: &str| -> PolarsResult<&StringChunked> { compared.column(name)?.str() };
    let (label_a, label_b) = (text("label_a")?, text("label_b")?);
    let (sweeps_a, sweeps_b) = (text("sweeps_a")?, text("sweeps_b")?);
    let sweeps = |row: usize| (sweeps_a.get(row), sweeps_b.get(row));
    let name = |row: usize| {
        let (a, b) = (label_a.get(row).unwrap_or_default(), label_b.get(row).unwrap_or_default());
        let name = if a == b { a.to_owned() } else { format!("{a} and {b}") };
        let has_several =
            (0..compared.height()).any(|other| label_a.get(other) == label_a.get(row) && sweeps(other) != sweeps(row));
        match sweeps(row) {
            (Some(a), Some(b)) if has_several && a == b => format!("{name} ({a})"),
            (a, b) if has_several => format!("{name} ({} and {})", a.unwrap_or("no sweep"), b.unwrap_or("no sweep")),
            _ => name,
        }
    };
    Ok((0..compared.height()).map(name).collect())
}

fn frame(rows: &[Related<'_>], (a, b): (&str, &str)) -> PolarsResult<DataFrame> {
    let text = |name: &str, of: &dyn Fn(&Related<'_>) -> Option<String>| {
        Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
    };
    let number = |name: &str, of: &dyn Fn(&Related<'_>) -> Option<f64>| {
        Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
    };
    let count = |name: &str, of: &dyn Fn(&Related<'_>) -> u64| {
        Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
    };
    let sweeps = |of: &Effects| {
        let listed = of.sweeps.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        Some(listed).filter(|listed| !listed.is_empty())
    };
    DataFrame::new(
        rows.len(),
        vec![
            text("a", &|_| Some(a.to_owned())),
            text("b", &|_| Some(b.to_owned())),
            text("label_a", &|row| Some(row.a.key.label.clone())),
            text("label_b", &|row| Some(row.b.key.label.clone())),
            text("sweeps_a", &|row| sweeps(row.a)),
            text("sweeps_b", &|row| sweeps(row.b)),
            text("kind", &|row| Some(row.a.key.kind.clone())),
            text("compared", &|row| Some(row.a.key.compared.clone())),
            text("metric", &|row| Some(row.a.key.metric.to_owned())),
            count("runs_a", &|row| row.a.runs() as u64),
            count("runs_b", &|row| row.b.runs() as u64),
            count("lost_a", &|row| row.a.lost as u64),
            count("lost_b", &|row| row.b.lost as u64),
            count("leader_changes_a", &|row| row.a.leader_changes),
            count("leader_changes_b", &|row| row.b.leader_changes),
            number("effect_a", &|row| row.a.effect()),
            number("effect_a_low", &|row| Some(row.a.interval()?.0)),
            number("effect_a_high", &|row| Some(row.a.interval()?.1)),
            number("effect_b", &|row| row.b.effect()),
            number("effect_b_low", &|row| Some(row.b.interval()?.0)),
            number("effect_b_high", &|row| Some(row.b.interval()?.1)),
            number("difference", &|row| row.difference),
            number("difference_low", &|row| Some(row.difference_interval?.0)),
            number("difference_high", &|row| Some(row.difference_interval?.1)),
            number("ratio", &|row| row.ratio),
            number("ratio_low", &|row| Some(row.interval?.0)),
            number("ratio_high", &|row| Some(row.interval?.1)),
            text("interval", &|row| row.sort.map(str::to_owned)),
            number("margin", &|row| Some(row.margin)),
            number("noise", &|row| row.noise),
            text("verdict", &|row| Some(row.verdict().0.as_str().to_owned())),
            text("because", &|row| row.verdict().1),
        ],
    )
}
