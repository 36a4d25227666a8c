//! Exact quantiles of a stream that is too long to be held, in two passes over it.
//!
//! The first pass counts values in buckets of a relative width of 2^-14. The bucket of each rank asked for is then
//! known, and the second pass counts the distinct values of these buckets alone.

use std::collections::BTreeMap;

/// Bits of a value that its bucket keeps, below its leading one.
const KEPT_BITS: u32 = 14;

/// Nearest-rank quantiles: the p-th percentile of n values is the value with rank ceil(p/100 * n), from 1.
#[derive(Debug)]
pub(super) struct Quantiles {
    percentiles: Vec<u64>,
    buckets: Vec<u64>,
    count: u64,
    max: Option<u64>,
    wanted: Vec<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    percentile: u64,
    bucket: usize,
    /// Rank among the values of the bucket, from 1.
    rank: u64,
    values: BTreeMap<u64, u64>,
}

impl Quantiles {
    /// For whole `percentiles`, from 1 to 100.
    pub(super) fn new(percentiles: &[u64]) -> Self {
        let buckets = vec![0; bucket(u64::MAX) + 1];
        Self { percentiles: percentiles.to_vec(), buckets, count: 0, max: None, wanted: Vec::new() }
    }

    /// First pass: takes a value.
    pub(super) fn add(&mut self, value: u64) {
        self.buckets[bucket(value)] += 1;
        self.count += 1;
        self.max = self.max.max(Some(value));
    }

    /// Between the passes: finds the buckets of the quantiles.
    pub(super) fn locate(&mut self) {
        if self.count == 0 {
            return;
        }
        for &percentile in &self.percentiles {
            // In 128 bits the product of any count and percentile is exact.
            let mut rank = (u128::from(percentile) * u128::from(self.count)).div_ceil(100).max(1) as u64;
            let bucket = self.buckets.iter().position(|&count| {
                let is_here = rank <= count;
                rank -= if is_here { 0 } else { count };
                is_here
            });
            let bucket = bucket.expect("ranks end at the count of all buckets");
            self.wanted.push(Wanted { percentile, bucket, rank, values: BTreeMap::new() });
        }
    }

    /// Second pass: takes the same values again, in any order.
    pub(super) fn refine(&mut self, value: u64) {
        let bucket = bucket(value);
        for wanted in self.wanted.iter_mut().filter(|wanted| wanted.bucket == bucket) {
            *wanted.values.entry(value).or_default() += 1;
        }
    }

    /// Number of values.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Largest value; `None` without values.
    pub(super) fn max(&self) -> Option<u64> {
        self.max
    }

    /// After both passes: one of the percentiles asked for; `None` without values.
    pub(super) fn get(&self, percentile: u64) -> Option<u64> {
        let wanted = self.wanted.iter().find(|wanted| wanted.percentile == percentile)?;
        let mut rank = wanted.rank;
        for (&value, &count) in &wanted.values {
            if rank <= count {
                return Some(value);
            }
            rank -= count;
        }
        None
    }
}

fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(KEPT_BITS + 1);
    ((u64::from(shift) << KEPT_BITS) + (value >> shift)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[u64]) {
        let percentiles = [1, 50, 95, 99, 100];
        let mut quantiles = Quantiles::new(&percentiles);
        values.iter().for_each(|&value| quantiles.add(value));
        quantiles.locate();
        values.iter().for_each(|&value| quantiles.refine(value));
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        for percentile in percentiles {
            let rank = (percentile as usize * sorted.len()).div_ceil(100);
            let expected = rank.checked_sub(1).map(|index| sorted[index]);
            assert_eq!(quantiles.get(percentile), expected, "p{percentile} of {} values", values.len());
        }
        assert_eq!(quantiles.max(), sorted.last().copied());
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        check(&[]);
        check(&[7]);
        check(&[0, u64::MAX]);
        check(&[5; 1000]);
        let mut state = 1_u64;
        for len in [2, 10, 99, 100, 101, 20_000] {
            let values = (0..len).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state >> (20 + state % 40)
            });
            check(&values.collect::<Vec<_>>());
        }
    }

    #[test]
    fn buckets_rise_with_values_and_leave_no_gap() {
        let edges = (2..63).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        assert!(edges.map(bucket).is_sorted());
        assert_eq!(bucket((1 << 15) - 1) + 1, bucket(1 << 15));
    }
}
