//! Intervals within one run: the moving-block bootstrap in time.
//!
//! Operations that are due close to each other share their fate, so that they cannot be drawn one by one. Blocks of
//! neighbouring pieces of time are drawn instead, beginning anywhere, with replacement, until they fill the phase again
//! (H. R. Kuensch, "The jackknife and the bootstrap for general stationary observations", The Annals of Statistics 17(3),
//! 1989). What comes out tells how exactly the run determines its own numbers; what the next run would show, it does not.

pub mod phase;

use super::nearest_rank;

/// Length of the pieces of time that blocks are made of.
pub const CELL_NS: i64 = 100_000_000;
/// Pieces in a block: a second.
const BLOCK_CELLS: usize = 10;
/// A phase of fewer blocks says nothing about how blocks differ.
const BLOCKS_MIN: usize = 3;
/// Times that a phase is drawn.
pub const DRAWS: usize = 500;

/// Seeded random numbers: SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The generator that begins with `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // Multiplying instead of dividing; the bias is below 2^-40 for the numbers of pieces that a run has.
        ((u128::from(mixed) * u128::from(end)) >> 64) as u64
    }
}

/// The acknowledged operations of one phase, by value, each with its piece of time.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Value and piece of time, ascending.
    sorted: Vec<(i64, u32)>,
    /// Number of pieces of time in the phase.
    cells: usize,
    length_s: f64,
}

/// Operations per second, and the median and the 99th percentile of the values.
pub type Numbers = [Option<f64>; 3];

impl Series {
    /// Takes values with the times at which they were due, in nanoseconds after the beginning of a phase of `length_ns`.
    pub fn new(values: impl Iterator<Item = (i64, i64)>, length_ns: i64) -> Self {
        let cells = usize::try_from((length_ns + CELL_NS - 1) / CELL_NS).unwrap_or(0).max(1);
        let cell = |at_ns: i64| ((at_ns / CELL_NS).max(0) as usize).min(cells - 1) as u32;
        let mut sorted: Vec<(i64, u32)> = values.map(|(at_ns, value)| (value, cell(at_ns))).collect();
        sorted.sort_unstable();
        Self { sorted, cells, length_s: length_ns as f64 / 1e9 }
    }

    /// The numbers as measured.
    pub fn numbers(&self) -> Numbers {
        self.weighted(&vec![1; self.cells])
    }

    /// The numbers of [`DRAWS`] draws; `None` where the phase is too short for blocks.
    pub fn draws(&self, random: &mut Random) -> Option<Vec<Numbers>> {
        let starts = (self.cells + 1).checked_sub(BLOCK_CELLS).filter(|_| self.cells >= BLOCKS_MIN * BLOCK_CELLS)?;
        let mut weights = vec![0_u32; self.cells];
        let draw = |_| {
            weights.fill(0);
            let mut left = self.cells;
            while left > 0 {
                let from = random.below(starts as u64) as usize;
                let length = left.min(BLOCK_CELLS);
                weights[from..from + length].iter_mut().for_each(|weight| *weight += 1);
                left -= length;
            }
            self.weighted(&weights)
        };
        Some((0..DRAWS).map(draw).collect())
    }

    /// The numbers where each piece of time counts as often as its weight.
    fn weighted(&self, weights: &[u32]) -> Numbers {
        let weight = |&(_, cell): &(i64, u32)| weights[cell as usize] as usize;
        let total: usize = self.sorted.iter().map(weight).sum();
        let ops_per_s = (self.length_s > 0.0).then(|| total as f64 / self.length_s);
        let mut ranks = [nearest_rank(total, 0.5), nearest_rank(total, 0.99)].into_iter().peekable();
        let mut found = [None; 2];
        let mut passed = 0;
        let mut next = 0;
        for row in &self.sorted {
            passed += weight(row);
            while let Some(Some(rank)) = ranks.peek()
                && passed > *rank
            {
                found[next] = Some(row.0 as f64);
                next += 1;
                ranks.next();
            }
        }
        [ops_per_s, found[0], found[1]]
    }
}

/// The 95 % percentile interval of numbers that were drawn; `None` where some could not be computed.
pub fn interval(draws: impl Iterator<Item = Option<f64>>) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = draws.collect::<Option<_>>()?;
    sorted.sort_by(f64::total_cmp);
    let at = |q: f64| nearest_rank(sorted.len(), q).map(|rank| sorted[rank]);
    at(0.025).zip(at(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::quantile;

    const S: i64 = 1_000_000_000;

    #[test]
    fn the_numbers_as_measured_are_those_of_the_summary() {
        let values: Vec<i64> = (0..1000).map(|at| (at * 7919) % 1009).collect();
        let rows = values.iter().enumerate().map(|(at, &value)| (at as i64 * S / 100, value));
        let series = Series::new(rows, 10 * S);
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let expected = |q| quantile(&sorted, q).map(|value| value as f64);
        assert_eq!(series.numbers(), [Some(100.0), expected(0.5), expected(0.99)]);
    }

    #[test]
    fn draws_vary_as_much_as_blocks_do_and_are_the_same_each_time() {
        // Each second is wholly fast or wholly slow: the median of a draw is one of the two.
        let rows = (0..3000).map(|at| (at * S / 100, if at / 100 % 2 == 0 { 10 } else { 20 }));
        let series = Series::new(rows, 30 * S);
        let draws = series.draws(&mut Random::new(1)).expect("draws");
        assert_eq!(draws, series.draws(&mut Random::new(1)).expect("draws"));
        let medians: Vec<f64> = draws.iter().map(|numbers| numbers[1].expect("a median")).collect();
        assert!(medians.contains(&10.0) && medians.contains(&20.0), "{medians:?}");
        // The rate is the same in every block.
        assert_eq!(interval(draws.iter().map(|numbers| numbers[0])), Some((100.0, 100.0)));
    }

    #[test]
    fn the_interval_of_a_rate_covers_the_spread_of_its_seconds() {
        // Seconds of 50 and of 150 operations: of 40 seconds the mean has a standard error of 7.9.
        let rows = (0..40_i64).flat_map(|second| {
            let count = if (second * 7919) % 41 < 20 { 50 } else { 150 };
            (0..count).map(move |at| (second * S + at * S / count, 1))
        });
        let series = Series::new(rows, 40 * S);
        let rate = series.numbers()[0].expect("a rate");
        let draws = series.draws(&mut Random::new(7)).expect("draws");
        let (low, high) = interval(draws.iter().map(|numbers| numbers[0])).expect("an interval");
        assert!((20.0..45.0).contains(&(high - low)) && low < rate && rate < high, "{low} {rate} {high}");
    }

    #[test]
    fn a_short_phase_has_no_interval_and_nothing_has_no_percentile() {
        assert!(Series::new([(0, 1)].into_iter(), 2 * S).draws(&mut Random::new(1)).is_none());
        assert_eq!(Series::new(std::iter::empty(), 4 * S).numbers(), [Some(0.0), None, None]);
    }
}
