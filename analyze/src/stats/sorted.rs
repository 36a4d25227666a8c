//! Sorted values in several parts, which are never merged.
//!
//! The phases of a run make up its whole, and its kinds of operations all of them. Quantiles of a whole are found in the
//! sorted parts by halving the range of values: some sixty searches in each part, in the place of copying and merging
//! all of them.

use std::sync::Arc;

use super::{Censored, nearest_rank};

/// Values while they are gathered.
///
/// Those of 32 bits, which of nanoseconds are all up to 4.29 s, take half the memory and less time to sort; the few others
/// stand beside them.
#[derive(Debug, Clone, Default)]
pub struct Values {
    short: Vec<u32>,
    long: Vec<i64>,
}

impl Values {
    /// Takes a value in.
    pub fn push(&mut self, value: i64) {
        match u32::try_from(value) {
            Ok(short) => self.short.push(short),
            Err(_) => self.long.push(value),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FromIterator<i64> for Values {
    fn from_iter<I: IntoIterator<Item = i64>>(values: I) -> Self {
        let mut gathered = Self::default();
        values.into_iter().for_each(|value| gathered.push(value));
        gathered
    }
}

/// One ascending part, which is not empty.
#[derive(Debug, Clone)]
enum Part {
    Short(Arc<Vec<u32>>),
    Long(Arc<Vec<i64>>),
}

impl Part {
    fn get(&self, at: usize) -> Option<i64> {
        match self {
            Self::Short(values) => values.get(at).copied().map(i64::from),
            Self::Long(values) => values.get(at).copied(),
        }
    }

    fn first(&self) -> Option<i64> {
        self.get(0)
    }

    fn last(&self) -> Option<i64> {
        match self {
            Self::Short(values) => values.last().copied().map(i64::from),
            Self::Long(values) => values.last().copied(),
        }
    }

    /// Number of values that are not above `bound`.
    fn up_to(&self, bound: i64) -> usize {
        match self {
            Self::Short(values) => values.partition_point(|&value| i64::from(value) <= bound),
            Self::Long(values) => values.partition_point(|&value| value <= bound),
        }
    }
}

/// Values in one or several ascending parts, which copies share.
#[derive(Debug, Clone, Default)]
pub struct Sorted {
    parts: Vec<Part>,
    count: usize,
    sum: i128,
}

impl Sorted {
    /// Sorts the values.
    pub fn new(values: Values) -> Self {
        let Values { mut short, mut long } = values;
        let (count, mut parts) = (short.len() + long.len(), Vec::new());
        let sum = short.iter().map(|&value| i128::from(value)).chain(long.iter().map(|&value| i128::from(value))).sum();
        if !short.is_empty() {
            short.sort_unstable();
            parts.push(Part::Short(Arc::new(short)));
        }
        if !long.is_empty() {
            long.sort_unstable();
            parts.push(Part::Long(Arc::new(long)));
        }
        Self { parts, count, sum }
    }

    /// Takes the values of another in.
    pub fn add(&mut self, other: &Self) {
        self.parts.extend(other.parts.iter().cloned());
        self.count += other.count;
        self.sum += other.sum;
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Arithmetic mean, as [`super::mean`].
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The largest value.
    pub fn max(&self) -> Option<i64> {
        self.parts.iter().filter_map(Part::last).max()
    }

    /// Quantile `q`, as [`super::quantile`].
    pub fn quantile(&self, q: f64) -> Option<i64> {
        nearest_rank(self.count, q).and_then(|rank| self.at(rank))
    }

    /// Quantile `q` over `due` operations, as [`super::censored_quantile`].
    pub fn censored_quantile(&self, due: usize, q: f64) -> Option<Censored> {
        nearest_rank(due, q).map(|rank| self.at(rank).map_or(Censored::AtLeastDeadline, Censored::Exact))
    }

    /// The value that `rank` others precede; `None` where there are not so many.
    fn at(&self, rank: usize) -> Option<i64> {
        match &self.parts[..] {
            [part] => part.get(rank),
            parts if rank < self.count => {
                let mut low = parts.iter().filter_map(Part::first).min()?;
                let mut high = self.max()?;
                // Always: no more than `rank` values are below `low`, and more than `rank` are not above `high`.
                while low < high {
                    // Rounded down, also below 0, and without overflow: what the two have in common and half of what they differ by.
                    let middle = (low & high) + ((low ^ high) >> 1);
                    let up_to: usize = parts.iter().map(|part| part.up_to(middle)).sum();
                    if up_to > rank { high = middle } else { low = middle + 1 }
                }
                Some(low)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats;

    #[test]
    fn parts_together_are_as_if_they_were_one() {
        for counts in [[0_i64, 0, 0], [1, 0, 0], [5, 1, 0], [100, 3, 997]] {
            let part =
                |at: usize| (0..counts[at]).map(|value| (value * 7919 + at as i64) % 1009 - 100).collect::<Vec<_>>();
            let mut whole: Vec<i64> = (0..3).flat_map(part).collect();
            whole.sort_unstable();
            let mut sorted = Sorted::default();
            (0..3).for_each(|at| sorted.add(&Sorted::new(part(at).into_iter().collect())));
            assert_eq!((sorted.len(), sorted.is_empty()), (whole.len(), whole.is_empty()));
            assert_eq!((sorted.mean(), sorted.max()), (stats::mean(&whole), whole.last().copied()));
            for q in [0.0, 0.001, 0.5, 0.9, 0.999, 1.0] {
                assert_eq!(sorted.quantile(q), stats::quantile(&whole, q), "{q} of {counts:?}");
                let due = whole.len() + 7;
                assert_eq!(sorted.censored_quantile(due, q), stats::censored_quantile(&whole, due, q), "{q} of {due}");
            }
        }
    }

    #[test]
    fn values_of_more_than_32_bits_stand_among_the_others() {
        let mut whole: Vec<i64> = (0..100).map(|value| value * 100_000_000 - 300_000_000).collect();
        whole.push(i64::from(u32::MAX));
        let sorted = Sorted::new(whole.iter().rev().copied().collect());
        whole.sort_unstable();
        for q in [0.0, 0.03, 0.44, 0.45, 0.46, 0.9, 1.0] {
            assert_eq!(sorted.quantile(q), stats::quantile(&whole, q), "{q}");
        }
        assert_eq!((sorted.mean(), sorted.max()), (stats::mean(&whole), whole.last().copied()));
    }

    #[test]
    fn values_at_the_ends_of_the_range_do_not_overflow() {
        let mut sorted = Sorted::new(Values::from_iter([i64::MIN, 0]));
        sorted.add(&Sorted::new(Values::from_iter([i64::MAX])));
        assert_eq!([0.0, 0.5, 1.0].map(|q| sorted.quantile(q)), [Some(i64::MIN), Some(0), Some(i64::MAX)]);
    }
}
