//! Schedules of the open loop: the times at which operations become due, fixed before the run begins.

use rand::SeedableRng;
use rand_distr::{Distribution, Exp1};
use rand_xoshiro::Xoshiro256PlusPlus;
use run_folder::spec::{Pacing, WorkloadSpec};

use crate::clock::ms_to_ns;

/// Keeps the schedule's randomness apart from that of keys and values.
const STREAM: u64 = 0x5343_4845_4455_4C45;

/// Operations from `-warm_up_ns` to `over_ns` at one rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Operations from time 0 to `over_ns`; for Poisson arrivals the expected number.
    operations: u64,
    over_ns: i64,
    warm_up_ns: i64,
    /// Seed of Poisson arrivals; none for equal distances.
    poisson: Option<u64>,
}

impl Schedule {
    /// The schedule of a workload with a duration and either a number of operations or a rate.
    pub(super) fn of(spec: &WorkloadSpec, seed: u64) -> Self {
        let over_ns = ms_to_ns(spec.duration_ms.unwrap_or(0));
        let by_rate = || (spec.rate_per_s.unwrap_or(0.0) * over_ns as f64 / 1e9).round() as u64;
        Self {
            operations: spec.operations.unwrap_or_else(by_rate),
            over_ns,
            warm_up_ns: ms_to_ns(spec.warm_up_ms),
            poisson: (spec.pacing == Pacing::Poisson).then_some(seed ^ STREAM),
        }
    }

    /// Length of the schedule after time 0.
    pub(super) fn over_ns(&self) -> i64 {
        self.over_ns
    }

    /// Operations per second, on average.
    pub(super) fn rate_per_s(&self) -> f64 {
        self.operations as f64 * 1e9 / self.over_ns.max(1) as f64
    }

    /// The times in order, in nanoseconds after time 0.
    pub(super) fn times(self) -> Box<dyn Iterator<Item = i64> + Send> {
        match self.poisson {
            None => Box::new(self.even_times()),
            Some(seed) => Box::new(self.poisson_times(seed)),
        }
    }

    fn even_times(self) -> impl Iterator<Item = i64> + Send {
        let warm_up =
            u128::from(self.operations) * self.warm_up_ns.unsigned_abs() as u128 / self.over_ns.max(1) as u128;
        let first = -(warm_up.min(i64::MAX as u128) as i64);
        let (operations, over_ns) = (i128::from(self.operations.max(1)), i128::from(self.over_ns));
        // Each time is computed by itself, so that rounding does not add up.
        (first..self.operations as i64).map(move |index| (i128::from(index) * over_ns).div_euclid(operations) as i64)
    }

    fn poisson_times(self, seed: u64) -> impl Iterator<Item = i64> + Send {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (mean_gap_ns, over_ns) = (1e9 / self.rate_per_s(), self.over_ns as f64);
        let mut time_ns = -(self.warm_up_ns as f64);
        std::iter::from_fn(move || {
            let gap: f64 = Exp1.sample(&mut random);
            time_ns += gap * mean_gap_ns;
            (time_ns < over_ns).then_some(time_ns as i64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(operations: u64, over_s: i64, warm_up_s: i64, poisson: Option<u64>) -> Vec<i64> {
        let (over_ns, warm_up_ns) = (over_s * 1_000_000_000, warm_up_s * 1_000_000_000);
        Schedule { operations, over_ns, warm_up_ns, poisson }.times().collect()
    }

    #[test]
    fn even_times_fill_the_warm_up_at_the_same_rate() {
        let times = schedule(10_000, 120, 3, None);
        assert_eq!(times.len(), 10_250);
        assert_eq!((times[0], times[250], times[251]), (-3_000_000_000, 0, 12_000_000));
        assert_eq!(times[10_249], 119_988_000_000);
    }

    #[test]
    fn poisson_times_have_the_mean_and_the_spread_of_exponential_gaps() {
        let times = schedule(100_000, 100, 0, Some(7));
        // The count of a Poisson process has the standard deviation of its root: five of them.
        assert!((times.len() as f64 - 100_000.0).abs() < 5.0 * 100_000f64.sqrt(), "{}", times.len());
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "an exponential distribution's deviation is its mean");
        assert_eq!(times, schedule(100_000, 100, 0, Some(7)));
        assert_ne!(times, schedule(100_000, 100, 0, Some(8)));
    }

    #[test]
    fn no_operations_make_an_empty_schedule() {
        assert!(schedule(0, 10, 1, None).is_empty());
    }
}
