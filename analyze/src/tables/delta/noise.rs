//! The noise floor: the largest ratio that runs show which should show none.

use std::collections::BTreeMap;

use run_folder::manifest::Role;

use super::{Comparison, METRICS};

/// No floor is lower: an open loop keeps its rate to a tenth of a percent, and a hundredth more or less is no harm.
pub(in crate::tables) const FLOOR_MIN: f64 = 1.01;

/// Cohort, kind, and whether runs are compared with each other.
type Setting<'a> = (&'a str, &'a str, bool);

/// The label of a run that should show nothing, and |log ratio| of each metric.
type Shown<'a> = (&'a str, [Option<f64>; METRICS.len()]);

/// Noise floors by what is compared.
pub(super) struct Noise<'a> {
    found: BTreeMap<Setting<'a>, Vec<Shown<'a>>>,
}

impl<'a> Noise<'a> {
    /// Takes the floors from the comparisons of baselines and null faults in which the leader did not change.
    pub(super) fn of(comparisons: &'a [Comparison<'a>]) -> Self {
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let is_null = |row: &&Comparison<'_>| {
            let factors = &row.run.factors;
            factors.is_null() && factors.role != Role::Capacity && row.run.leader_changes == 0
        };
        for row in comparisons.iter().filter(is_null) {
            let logs = row.ratios.map(|ratio| ratio.filter(|&ratio| ratio > 0.0).map(|ratio: f64| ratio.ln().abs()));
            found.entry(row.setting()).or_default().push((row.run.factors.label.as_str(), logs));
        }
        Self { found }
    }

    /// Every floor, with its kind and whether it is one between runs, of the one cohort that the comparisons are of.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, bool, [Option<f64>; METRICS.len()])> {
        self.found.iter().map(|(&(_, kind, is_level), runs)| {
            let floor = |metric: usize| runs.iter().filter_map(|(_, logs)| logs[metric]).reduce(f64::max).map(as_floor);
            (kind, is_level, std::array::from_fn(floor))
        })
    }

    /// The floor for a comparison, as a factor of at least 1 for each metric.
    ///
    /// A run is not judged by its own label: a null fault is held against the baselines alone, and a baseline against
    /// nothing, since it is what the floor is made of. Absent where no run tells.
    pub(super) fn for_run(&self, row: &Comparison<'_>) -> [Option<f64>; METRICS.len()] {
        if row.run.factors.fault.is_none() {
            return [None; METRICS.len()];
        }
        let others = self.found.get(&row.setting()).map_or(&[][..], Vec::as_slice);
        std::array::from_fn(|metric| {
            let others = others.iter().filter(|(label, _)| *label != row.run.factors.label);
            others.filter_map(|(_, logs)| logs[metric]).reduce(f64::max).map(as_floor)
        })
    }
}

fn as_floor(log: f64) -> f64 {
    log.exp().max(FLOOR_MIN)
}

/// Whether a ratio is no further from 1 than the floor.
pub(super) fn is_within(ratio: Option<f64>, floor: Option<f64>) -> Option<bool> {
    Some(ratio?.ln().abs() <= floor?.ln())
}
