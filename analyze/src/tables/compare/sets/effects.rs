//! The effects of one set: what each run shows, and repeats of it together.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::*;
use run_folder::manifest::Role;

use super::Set;
use crate::phases::Phase;
use crate::stats::intervals::Bounded;
use crate::tables::delta::{self, Measured};
use crate::tables::factors::Factors;
use crate::tables::spread::{self, Scale, Spread, half_width};

/// What effects of one set have in common when they are of repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) label: String,
    /// Workload, cluster and fault: see [`Factors::condition_anywhere`].
    pub(super) condition: String,
    /// Runs in which the leader changed are never pooled with others.
    pub(super) has_changed: bool,
    pub(super) kind: String,
    pub(super) compared: String,
    pub(super) metric: &'static str,
}

/// The effects of the repeats of one label.
pub(super) struct Effects {
    pub(super) key: Key,
    pub(super) family: String,
    pub(super) value: Option<f64>,
    /// The sweeps that the runs are of.
    pub(super) sweeps: BTreeSet<String>,
    pub(super) leader_changes: u64,
    /// One for each run, but for those that acknowledged nothing.
    pub(super) effects: Vec<f64>,
    /// Runs that acknowledged nothing.
    pub(super) lost: usize,
    /// Of a single run the interval within it.
    pub(super) within: Option<(f64, f64)>,
    /// Whether the runs share what they are compared with, and what that could differ by.
    pub(super) has_shared: bool,
    pub(super) shared: Option<Spread>,
    pub(super) noise: Option<f64>,
}

impl Effects {
    pub(super) fn runs(&self) -> usize {
        self.effects.len() + self.lost
    }

    pub(super) fn scale(&self) -> Scale {
        Scale::of(self.key.metric)
    }

    /// Whether it is a time, which runs that acknowledged nothing do not have.
    pub(super) fn is_time(&self) -> bool {
        self.key.metric.ends_with("_ms")
    }

    /// Whether all runs acknowledged nothing.
    pub(super) fn is_nothing(&self) -> bool {
        self.effects.is_empty()
    }

    fn places(&self) -> Vec<f64> {
        self.effects.iter().map(|&effect| self.scale().on(effect)).collect()
    }

    /// The mean on the metric's scale; absent where a run that acknowledged nothing is in its way.
    fn mean(&self) -> Option<f64> {
        let is_known = !self.effects.is_empty() && (self.lost == 0 || self.is_time());
        is_known.then(|| self.places().iter().sum::<f64>() / self.effects.len() as f64)
    }

    /// The effect over the runs: 0 of a throughput where none acknowledged anything, absent where some did.
    pub(super) fn effect(&self) -> Option<f64> {
        let is_zero = self.is_nothing() && !self.is_time();
        self.mean().map(|mean| self.scale().off(mean)).or_else(|| is_zero.then_some(0.0))
    }

    /// What the mean could differ by: what its runs do, and what the baselines that they share do.
    pub(super) fn spreads(&self) -> Option<Vec<Spread>> {
        self.mean()?;
        let own = Spread::of(&self.places())?;
        // What one baseline differs by is not known.
        match self.has_shared {
            true => Some(vec![own, self.shared?]),
            false => Some(vec![own]),
        }
    }

    /// The mean on the metric's scale, with its 95 % interval.
    pub(super) fn bounded(&self) -> Option<Bounded> {
        let mean = self.mean()?;
        let interval = match self.spreads() {
            Some(spreads) => Some((mean - half_width(&spreads), mean + half_width(&spreads))),
            None => self.within.map(|(low, high)| (self.scale().on(low), self.scale().on(high))),
        };
        Some(Bounded { value: mean, interval })
    }

    /// The 95 % interval of the effect.
    pub(super) fn interval(&self) -> Option<(f64, f64)> {
        self.bounded()?.interval.map(|(low, high)| (self.scale().off(low), self.scale().off(high)))
    }
}

/// The effects of a set: ratios of runs with a fault (of shares, differences), levels of those without.
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub(super) fn effects(measured: &[Measured], metrics: &[&'static str]) -> PolarsResult<Vec<Effects>> {
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
        let is_share = Scale::of(metric) == Scale::Linear;
        let [effect, low, high] = match is_share {
            true => ["_difference", "_difference_low", "_difference_high"].map(number),
            false => ["_ratio", "_ratio_low", "_ratio_high"].map(number),
        };
        let (effects, low, high, noise) = (effect?, low?, high?, number("_noise")?);
        for row in (0..by_run.height()).filter(|&row| role.get(row) != Some(Role::Baseline.as_str())) {
            let effect = effects.get(row).filter(|&effect| is_share || effect > 0.0);
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
                // The floor is one of ratios.
                noise: noise.get(row).filter(|_| !is_share),
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
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub(super) fn levels_where_needed(
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
            let is_share = Scale::of(metric) == Scale::Linear;
            let level = spread::level(summary, row, metric)?.filter(|&level| is_share || level > 0.0);
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
