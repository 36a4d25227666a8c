//! What runs differ by: variances of means over runs, put together.

use polars::prelude::*;

use super::delta::{Measured, NOT_OK_SHARE, is_reference, not_ok_share};
use crate::phases::Phase;
use crate::stats::intervals::t_quantile;

/// On what scale numbers of a metric are put in relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Rates and times: factors, whose logarithms are added up.
    Logarithm,
    /// Shares: nothing is as good a share as any, and what they differ by is a difference.
    Linear,
}

impl Scale {
    /// That of a metric of [`super::delta::METRICS`].
    pub(super) fn of(metric: &str) -> Self {
        if metric == NOT_OK_SHARE { Self::Linear } else { Self::Logarithm }
    }

    /// A number on this scale.
    pub(super) fn on(self, number: f64) -> f64 {
        match self {
            Self::Logarithm => number.ln(),
            Self::Linear => number,
        }
    }

    /// The number that stands at a place of this scale.
    pub(super) fn off(self, place: f64) -> f64 {
        match self {
            Self::Logarithm => place.exp(),
            Self::Linear => place,
        }
    }
}

/// The variance of a mean over runs, and its degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) variance: f64,
    pub(super) freedom: f64,
}

impl Spread {
    /// That of the mean of these values; `None` of fewer than two.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let (count, freedom) = (values.len() as f64, values.len() as f64 - 1.0);
        let mean = values.iter().sum::<f64>() / count;
        let sum: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (freedom >= 1.0).then(|| Self { variance: sum / freedom / count, freedom })
    }

    /// That of the mean with this weight.
    pub(super) fn weighted(self, weight: f64) -> Self {
        Self { variance: weight.powi(2) * self.variance, ..self }
    }
}

/// Half the width of the 95 % interval of a sum of means, with the degrees of freedom of F. E. Satterthwaite ("An approximate
/// distribution of estimates of variance components", Biometrics Bulletin 2(6), 1946); of two means it is Welch's.
pub(super) fn half_width(parts: &[Spread]) -> f64 {
    let variance: f64 = parts.iter().map(|part| part.variance).sum();
    if variance == 0.0 {
        return 0.0;
    }
    let of_variance: f64 = parts.iter().map(|part| part.variance.powi(2) / part.freedom).sum();
    // Those that are known exactly have infinitely many degrees of freedom.
    let freedom = (variance.powi(2) / of_variance).min(1e6);
    t_quantile(freedom) * variance.sqrt()
}

/// What the mean of the baselines of a cohort, on the metric's [`Scale`], could differ by: every run that is compared with
/// them has it in common. `None` with fewer than two baselines.
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub(super) fn of_baselines(runs: &[Measured], cohort: &str, kind: &str, metric: &str) -> PolarsResult<Option<Spread>> {
    let scale = Scale::of(metric);
    let mut places = Vec::new();
    for run in runs.iter().filter(|run| is_reference(run) && run.factors.cohort == cohort) {
        let (kinds, phases) = (run.summary.column("kind")?.str()?, run.summary.column("phase")?.str()?);
        let is_it = |row: &usize| kinds.get(*row) == Some(kind) && phases.get(*row) == Some(Phase::All.as_str());
        if let Some(row) = (0..run.summary.height()).find(is_it) {
            let level = level(&run.summary, row, metric)?;
            places.extend(level.filter(|&level| scale == Scale::Linear || level > 0.0).map(|level| scale.on(level)));
        }
    }
    Ok(Spread::of(&places))
}

/// A metric of [`super::delta::METRICS`] in one row of a summary.
///
/// # Errors
/// [`PolarsError`] when the summary lacks a column.
pub(super) fn level(summary: &DataFrame, row: usize, metric: &str) -> PolarsResult<Option<f64>> {
    match metric {
        NOT_OK_SHARE => {
            let count = |name: &str| Ok::<_, PolarsError>(summary.column(name)?.u64()?.get(row).unwrap_or(0));
            Ok(not_ok_share(count("count")?, count("ok")?))
        }
        _ => Ok(summary.column(metric)?.f64()?.get(row)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::intervals::{student, welch};

    #[test]
    fn of_one_and_of_two_means_it_is_the_known_intervals() {
        let (a, b) = ([1.0, 2.0, 4.0], [3.0, 3.5, 7.0, 1.0]);
        let parts = [Spread::of(&a).expect("a spread"), Spread::of(&b).expect("a spread")];
        let of_one = student(&a).expect("an interval");
        assert!((half_width(&parts[..1]) - (of_one.high - of_one.mean)).abs() < 1e-9);
        let of_two = welch(&a, &b).expect("an interval");
        assert!((half_width(&parts) - (of_two.high - of_two.mean)).abs() < 1e-9);
        assert_eq!((Spread::of(&[1.0]), half_width(&[])), (None, 0.0));
    }
}
