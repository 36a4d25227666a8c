//! 95 % intervals and tests of means over runs, and the correction for many of them.
//!
//! The run is the replicate: what one run shows is one number, however many operations it is made of.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean (or a difference of means) with its 95 % interval and the test that it is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// The mean, or the difference.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Two-sided p value.
    pub p: f64,
}

impl Tested {
    fn new(mean: f64, standard_error: f64, degrees_of_freedom: f64) -> Option<Self> {
        let Ok(t) = StudentsT::new(0.0, 1.0, degrees_of_freedom) else { return None };
        // Runs that agree to the last digit leave no doubt, in either way.
        let p = match standard_error > 0.0 {
            true => 2.0 * t.sf((mean / standard_error).abs()),
            false => f64::from(mean == 0.0),
        };
        let half = t_quantile(degrees_of_freedom) * standard_error;
        Some(Self { mean, low: mean - half, high: mean + half, p: p.min(1.0) })
    }
}

/// The 97.5 % quantile of Student's t distribution.
pub(crate) fn t_quantile(degrees_of_freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom).map_or(f64::NAN, |t| t.inverse_cdf(0.975))
}

/// Mean, and variance with n - 1; `None` of fewer than two values.
fn moments(values: &[f64]) -> Option<(f64, f64)> {
    let count = values.len() as f64;
    if values.len() < 2 || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    Some((mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)))
}

/// The mean of values that are each one run's, taken for normally distributed (Student, "The probable error of a mean",
/// Biometrika 6(1), 1908). `None` with fewer than two values.
pub fn student(values: &[f64]) -> Option<Tested> {
    let (mean, variance) = moments(values)?;
    Tested::new(mean, (variance / values.len() as f64).sqrt(), values.len() as f64 - 1.0)
}

/// The mean of `changed` less that of `reference`, of runs that have nothing to do with each other and may vary differently:
/// the degrees of freedom are those of B. L. Welch, "The generalization of 'Student's' problem when several different
/// population variances are involved", Biometrika 34(1-2), 1947. `None` with fewer than two values on a side.
pub fn welch(changed: &[f64], reference: &[f64]) -> Option<Tested> {
    let ((mean, variance), (of_mean, of_variance)) = (moments(changed)?, moments(reference)?);
    let (count, of_count) = (changed.len() as f64, reference.len() as f64);
    let (share, of_share) = (variance / count, of_variance / of_count);
    let both = share + of_share;
    let degrees = match both > 0.0 {
        true => both.powi(2) / (share.powi(2) / (count - 1.0) + of_share.powi(2) / (of_count - 1.0)),
        false => count + of_count - 2.0,
    };
    Tested::new(mean - of_mean, both.sqrt(), degrees)
}

/// p values corrected for being several, so that with 95 % probability none of those below 0.05 is wrong: S. Holm, "A simple
/// sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6(2), 1979. In the order of `p`;
/// what was not tested stays out.
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = p.iter().enumerate().filter_map(|(at, p)| Some((at, (*p)?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut corrected = vec![None; p.len()];
    let mut least: f64 = 0.0;
    for (rank, &(at, p)) in order.iter().enumerate() {
        least = least.max((order.len() - rank) as f64 * p).min(1.0);
        corrected[at] = Some(least);
    }
    corrected
}

/// A number with a 95 % interval of some kind; of one that nothing is known of, none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounded {
    /// The number.
    pub value: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
}

impl Bounded {
    /// On the scale of logarithms; `None` where a part is not positive.
    pub fn ln(self) -> Option<Self> {
        let of = |value: f64| (value > 0.0).then(|| value.ln());
        let interval = match self.interval {
            Some((low, high)) => Some((of(low)?, of(high)?)),
            None => None,
        };
        Some(Self { value: of(self.value)?, interval })
    }

    /// How far the interval reaches below and above the number.
    fn reach(self) -> Option<(f64, f64)> {
        self.interval.map(|(low, high)| ((self.value - low).max(0.0), (high - self.value).max(0.0)))
    }

    fn reaching(value: f64, reach: Option<(f64, f64)>) -> Self {
        Self { value, interval: reach.map(|(below, above)| (value - below, value + above)) }
    }

    /// The difference to another that has nothing to do with it. What each interval reaches to a side adds up in quadrature
    /// (G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27(10),
    /// 2008), so that skewed intervals stay skewed.
    pub fn less(self, other: Self) -> Self {
        let reach = self.reach().zip(other.reach());
        let reach = reach.map(|(own, of)| (own.0.hypot(of.1), own.1.hypot(of.0)));
        Self::reaching(self.value - other.value, reach)
    }

    /// The mean of several that have nothing to do with each other, likewise; `None` of none.
    pub fn mean(all: &[Self]) -> Option<Self> {
        let count = all.len() as f64;
        let reaches: Option<Vec<(f64, f64)>> = all.iter().map(|one| one.reach()).collect();
        let sum = |of: fn(&(f64, f64)) -> f64, all: &[(f64, f64)]| {
            all.iter().map(|reach| of(reach).powi(2)).sum::<f64>().sqrt() / count
        };
        let reach = reaches.map(|all| (sum(|reach| reach.0, &all), sum(|reach| reach.1, &all)));
        let value = all.iter().map(|one| one.value).sum::<f64>() / count;
        (!all.is_empty()).then(|| Self::reaching(value, reach))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: Option<Tested>, expected: [f64; 4]) {
        let found = found.expect("a test");
        let found = [found.mean, found.low, found.high, found.p];
        let is_near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
        assert!(is_near, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn t_intervals_and_tests_are_those_of_others() {
        // Student's own data, the additional hours of sleep of 1908 (R: t.test(extra ~ group, sleep), paired and Welch).
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let differences: Vec<f64> = first.iter().zip(second).map(|(first, second)| first - second).collect();
        check(student(&differences), [-1.58, -2.459_885_8, -0.700_114_2, 0.002_832_89]);
        check(welch(&first, &second), [-1.58, -3.365_483_23, 0.205_483_23, 0.079_394_14]);
    }

    #[test]
    fn runs_that_agree_to_the_last_digit() {
        check(student(&[0.0, 0.0]), [0.0, 0.0, 0.0, 1.0]);
        check(welch(&[2.0, 2.0], &[1.0, 1.0]), [1.0, 1.0, 1.0, 0.0]);
        assert_eq!((student(&[1.0]), welch(&[1.0, 2.0], &[1.0]), student(&[1.0, f64::INFINITY])), (None, None, None));
    }

    #[test]
    fn holms_correction_is_that_of_r() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.5), "holm").
        let found = holm(&[Some(0.01), None, Some(0.04), Some(0.03), Some(0.005), Some(0.5)]);
        let found: Vec<_> = found.into_iter().map(|p| p.map(|p| (p * 1e9).round() / 1e9)).collect();
        assert_eq!(found, [Some(0.04), None, Some(0.09), Some(0.09), Some(0.025), Some(0.5)]);
        assert_eq!(holm(&[]), []);
    }

    #[test]
    fn bounds_add_up_in_quadrature_and_each_side_for_itself() {
        let (a, b) =
            (Bounded { value: 10.0, interval: Some((7.0, 10.5)) }, Bounded { value: 4.0, interval: Some((4.0, 8.0)) });
        let difference = a.less(b);
        assert_eq!((difference.value, difference.interval), (6.0, Some((1.0, 6.5))));
        assert_eq!(a.less(Bounded { value: 4.0, interval: None }).interval, None);
        let mean = Bounded::mean(&[a, a, a, a]).expect("a mean");
        assert_eq!((mean.value, mean.interval), (10.0, Some((8.5, 10.25))));
        assert_eq!(Bounded { value: 1.0, interval: Some((0.0, 2.0)) }.ln(), None);
    }
}
