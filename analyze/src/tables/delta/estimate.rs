//! What the repeats of a label say together: differences and ratios with their intervals.

use super::{Compared, Comparison, Level, METRICS, is_time, values};
use crate::stats;
use crate::stats::intervals::{Bounded, Tested, student, welch};

/// What the intervals of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    BetweenRun,
    WithinRun,
}

impl Kind {
    /// The name in tables.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::BetweenRun => "between-run",
            Self::WithinRun => "within-run",
        }
    }
}

/// One metric of one row.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Estimate {
    pub(super) difference: Option<f64>,
    pub(super) difference_interval: Option<(f64, f64)>,
    pub(super) ratio: Option<f64>,
    pub(super) ratio_interval: Option<(f64, f64)>,
    pub(super) p: Option<f64>,
}

/// One comparison of the runs of a group, which are repeats of each other.
pub(super) fn estimates(group: &[&Comparison<'_>]) -> (Option<Kind>, [Estimate; METRICS.len()]) {
    let first = group[0];
    let is_against_baselines = first.compared == Compared::DuringBaseline;
    if is_against_baselines && first.run.factors.fault.is_none() {
        return (None, std::array::from_fn(|metric| point(group, metric)));
    }
    let enough = group.len() >= 2 && (!is_against_baselines || first.references.len() >= 2);
    let of = if enough { between_run } else { within_run };
    let estimates: [Estimate; METRICS.len()] = std::array::from_fn(|metric| {
        // A run in which nothing was acknowledged has no times, and says nothing of them.
        let known: Vec<&Comparison<'_>> =
            group.iter().copied().filter(|row| !is_time(metric) || row.ratios[metric].is_some()).collect();
        if known.is_empty() { Estimate::default() } else { of(&known, metric) }
    });
    let has_any = estimates.iter().any(|estimate| estimate.difference_interval.or(estimate.ratio_interval).is_some());
    let kind = if enough { Kind::BetweenRun } else { Kind::WithinRun };
    (has_any.then_some(kind), estimates)
}

/// The numbers without intervals.
fn point(group: &[&Comparison<'_>], metric: usize) -> Estimate {
    let ratios: Option<Vec<f64>> = group.iter().map(|row| row.ratios[metric]).collect();
    let differences: Option<Vec<f64>> = group.iter().map(|row| difference(row, metric)).collect();
    Estimate {
        difference: differences.map(|all| all.iter().sum::<f64>() / all.len() as f64),
        ratio: ratios.and_then(|ratios| stats::geometric_mean(&ratios)),
        ..Estimate::default()
    }
}

/// Of one run: its number less the mean of what it is compared with.
fn difference(row: &Comparison<'_>, metric: usize) -> Option<f64> {
    let references = values(&row.references, metric).filter(|values| !values.is_empty())?;
    Some(row.changed.values[metric]? - references.iter().sum::<f64>() / references.len() as f64)
}

fn between_run(group: &[&Comparison<'_>], metric: usize) -> Estimate {
    let of_differences = tested(group, metric, Some);
    let of_logs = tested(group, metric, |value| (value > 0.0).then(|| value.ln()));
    Estimate {
        difference_interval: of_differences.map(|tested| (tested.low, tested.high)),
        ratio_interval: of_logs.map(|tested| (tested.low.exp(), tested.high.exp())),
        // Where a zero has no logarithm, as a share that was never lost before, the differences tell.
        p: of_logs.or(of_differences).map(|tested| tested.p),
        ..point(group, metric)
    }
}

/// The test on a scale of the values; `None` where one of them has no place on it.
fn tested(group: &[&Comparison<'_>], metric: usize, scale: fn(f64) -> Option<f64>) -> Option<Tested> {
    let scaled = |levels: &[Level]| -> Option<Vec<f64>> { values(levels, metric)?.into_iter().map(scale).collect() };
    let changed = scaled(&group.iter().map(|row| row.changed).collect::<Vec<_>>())?;
    if group[0].compared == Compared::DuringBaseline {
        return welch(&changed, &scaled(&group[0].references)?);
    }
    let before = scaled(&group.iter().filter_map(|row| row.reference).collect::<Vec<_>>())?;
    let differences: Vec<f64> = changed.iter().zip(&before).map(|(changed, before)| changed - before).collect();
    student(&differences)
}

fn within_run(group: &[&Comparison<'_>], metric: usize) -> Estimate {
    Estimate {
        difference_interval: bounds(group, metric, Some),
        ratio_interval: bounds(group, metric, Bounded::ln).map(|(low, high)| (low.exp(), high.exp())),
        ..point(group, metric)
    }
}

/// The interval on a scale, from those of the single numbers.
fn bounds(group: &[&Comparison<'_>], metric: usize, scale: fn(Bounded) -> Option<Bounded>) -> Option<(f64, f64)> {
    let mean = |levels: &[Level]| -> Option<Bounded> {
        let all: Option<Vec<Bounded>> = levels.iter().map(|level| scale(level.bounded(metric)?)).collect();
        Bounded::mean(&all?)
    };
    let changed: Vec<Level> = group.iter().map(|row| row.changed).collect();
    // A run's own before is its alone; baselines are all runs' together.
    let before: Vec<Level> = match group[0].compared {
        Compared::DuringBaseline => group[0].references.to_vec(),
        _ => group.iter().filter_map(|row| row.reference).collect(),
    };
    mean(&changed)?.less(mean(&before)?).interval
}
