//! All numbers of one phase from the same draws, fast enough for every run of a sweep.
//!
//! A draw is a list of blocks, and what it counts is a sum over blocks. So each count is kept summed up from the beginning of the
//! phase, and a block costs one subtraction, however many operations it holds. For quantiles there is such a row of sums for
//! each of the values up to which one may count; which of them holds the wanted rank is found by halving. The values are those
//! of a histogram whose bins are less than 0.1 % wide: that much finer than any interval, the drawn quantiles are rounded.
//! Quantiles as measured do not come from here and stay exact.

use super::{BLOCK_CELLS, BLOCKS_MIN, CELL_NS, DRAWS, Random, interval, nearest_rank};
use crate::stats::QUANTILES;

/// A phase is cut into no more pieces than this; those of a longer one are longer, and so are its blocks, as they should be.
const CELLS_MAX: i64 = 600;
/// Bins per doubling: 2^10.
const BIN_BITS: u32 = 10;

/// An interval, or none where a draw has nothing to compute from.
pub type Interval = Option<(f64, f64)>;

/// The pieces of one phase, and what was drawn from them.
#[derive(Debug, Clone)]
pub struct Draws {
    cells: usize,
    length_ns: i64,
    /// Of each draw the blocks, from one piece to another (exclusive).
    blocks: Vec<Vec<(u32, u32)>>,
}

impl Draws {
    /// Draws a phase [`DRAWS`] times; `None` where it is too short for blocks.
    pub fn new(length_ns: i64, random: &mut Random) -> Option<Self> {
        let cell_ns = CELL_NS.max(length_ns / CELLS_MAX);
        let cells = usize::try_from(length_ns / cell_ns).ok().filter(|&cells| cells >= BLOCKS_MIN * BLOCK_CELLS)?;
        let mut draw = || {
            let mut blocks = Vec::with_capacity(cells.div_ceil(BLOCK_CELLS));
            let mut left = cells;
            while left > 0 {
                let from = random.below((cells + 1 - BLOCK_CELLS) as u64) as u32;
                let length = left.min(BLOCK_CELLS);
                blocks.push((from, from + length as u32));
                left -= length;
            }
            blocks
        };
        let blocks = (0..DRAWS).map(|_| draw()).collect();
        Some(Self { cells, length_ns, blocks })
    }

    /// Number of pieces.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// The piece in which a time lies, in nanoseconds after the beginning of the phase.
    pub fn cell(&self, at_ns: i64) -> u32 {
        let cell = i128::from(at_ns) * self.cells as i128 / i128::from(self.length_ns);
        cell.clamp(0, self.cells as i128 - 1) as u32
    }

    /// The interval of a number that is computed from sums over the phase, each given as what every piece adds to it.
    pub fn of_sums<const N: usize>(&self, added: [&[f64]; N], number: impl Fn([f64; N]) -> Option<f64>) -> Interval {
        let sums = added.map(|added| {
            let sums = added.iter().scan(0.0, |sum, added| {
                *sum += added;
                Some(*sum)
            });
            std::iter::once(0.0).chain(sums).collect::<Vec<f64>>()
        });
        let drawn = |blocks: &Vec<(u32, u32)>| {
            let of = |sums: &Vec<f64>| blocks.iter().map(|&(from, to)| sums[to as usize] - sums[from as usize]).sum();
            number(std::array::from_fn(|at| of(&sums[at])))
        };
        interval(self.blocks.iter().map(drawn))
    }

    /// The interval of the mean.
    pub fn of_mean(&self, values: &Values) -> Interval {
        self.of_sums([&values.sums, &values.counts], |[sum, count]| (count > 0.0).then(|| sum / count))
    }

    /// The intervals of [`QUANTILES`].
    pub fn of_quantiles(&self, values: &Values) -> [Interval; QUANTILES.len()] {
        let counts = Counts::of(&values.packed, self.cells);
        let drawn: Vec<[Option<f64>; QUANTILES.len()]> =
            self.blocks.iter().map(|blocks| counts.quantiles(blocks)).collect();
        std::array::from_fn(|at| interval(drawn.iter().map(|drawn| drawn[at])))
    }
}

/// Values of a phase, four bytes each: runs have many.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// Of each, its bin and its piece.
    packed: Vec<u32>,
    /// Their sum and their number in each piece.
    sums: Vec<f64>,
    counts: Vec<f64>,
}

/// Pieces need so many bits of a packed value; bins need 16.
const CELL_BITS: u32 = 10;
const _: () = assert!(CELLS_MAX + 1 < 1 << CELL_BITS);

impl Values {
    /// None yet, of a phase of so many pieces.
    pub fn new(cells: usize) -> Self {
        Self { packed: Vec::new(), sums: vec![0.0; cells], counts: vec![0.0; cells] }
    }

    /// Adds one that lies in a piece.
    pub fn push(&mut self, cell: u32, value: i64) {
        self.packed.push(bin(value) << CELL_BITS | cell);
        self.sums[cell as usize] += value as f64;
        self.counts[cell as usize] += 1.0;
    }

    /// Adds those of the same phase of another kind.
    pub fn add(&mut self, other: &Self) {
        self.packed.extend_from_slice(&other.packed);
        self.sums.iter_mut().zip(&other.sums).for_each(|(own, other)| *own += other);
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
    }
}

/// How many values up to each bin lie in the pieces before each piece.
struct Counts {
    /// The bins that hold a value, ascending.
    bins: Vec<u32>,
    /// A row for each of them, of one more than there are pieces.
    sums: Vec<u32>,
    stride: usize,
}

impl Counts {
    fn of(packed: &[u32], cells: usize) -> Self {
        let mut places = vec![u32::MAX; bin(i64::MAX) as usize + 1];
        packed.iter().for_each(|packed| places[(packed >> CELL_BITS) as usize] = 0);
        let mut bins = Vec::new();
        for (bin, place) in places.iter_mut().enumerate().filter(|(_, place)| **place == 0) {
            *place = bins.len() as u32;
            bins.push(bin as u32);
        }
        let stride = cells + 1;
        let mut sums = vec![0_u32; bins.len() * stride];
        for packed in packed {
            let (bin, cell) = (packed >> CELL_BITS, packed & ((1 << CELL_BITS) - 1));
            sums[places[bin as usize] as usize * stride + cell as usize + 1] += 1;
        }
        for row in 0..bins.len() {
            let (before, own) = sums.split_at_mut(row * stride);
            let own = &mut own[..stride];
            let mut sum = 0;
            for count in own.iter_mut() {
                sum += *count;
                *count = sum;
            }
            if let Some(from) = (row * stride).checked_sub(stride) {
                own.iter_mut().zip(&before[from..]).for_each(|(own, before)| *own += before);
            }
        }
        Self { bins, sums, stride }
    }

    /// Values up to the bin at `place` in the blocks.
    fn up_to(&self, place: usize, blocks: &[(u32, u32)]) -> usize {
        let row = &self.sums[place * self.stride..][..self.stride];
        blocks.iter().map(|&(from, to)| (row[to as usize] - row[from as usize]) as usize).sum()
    }

    fn quantiles(&self, blocks: &[(u32, u32)]) -> [Option<f64>; QUANTILES.len()] {
        let total = if self.bins.is_empty() { 0 } else { self.up_to(self.bins.len() - 1, blocks) };
        let mut from = 0;
        QUANTILES.map(|(_, q)| {
            let rank = nearest_rank(total, q)?;
            let mut to = self.bins.len() - 1;
            while from < to {
                let middle = (from + to) / 2;
                if self.up_to(middle, blocks) > rank { to = middle } else { from = middle + 1 }
            }
            Some(middle_of(self.bins[from]))
        })
    }
}

/// The bin of a value: its leading bit and the [`BIN_BITS`] after that. Values below 2^11 have bins of their own.
fn bin(value: i64) -> u32 {
    let value = value.max(0) as u64;
    let shift = (64 - value.leading_zeros()).saturating_sub(BIN_BITS + 1);
    (shift << BIN_BITS) + (value >> shift) as u32
}

/// The middle of a bin.
fn middle_of(bin: u32) -> f64 {
    let shift = (bin >> BIN_BITS).saturating_sub(1);
    let first = u64::from(bin - (shift << BIN_BITS)) << shift;
    first as f64 + ((1_u64 << shift) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn bins_are_less_than_a_thousandth_wide_and_in_order() {
        for value in 0..2048 {
            assert_eq!(middle_of(bin(value)), value as f64);
        }
        let mut last = 0;
        for value in
            (11..62).flat_map(|power| [(1_i64 << power) - 1, 1 << power, (1 << power) + (1 << (power - 2)) + 1])
        {
            let (bin, error) = (bin(value), (middle_of(bin(value)) / value as f64 - 1.0).abs());
            assert!(bin >= last && error < 1e-3, "{value}: {bin} after {last}, {error}");
            last = bin;
        }
        assert!(bin(i64::MAX) < 1 << 16);
    }

    #[test]
    fn a_draw_counts_what_its_blocks_hold() {
        let values: Vec<(u32, i64)> = (0..3000).map(|at| ((at / 75) as u32, (at * 7919) % 1009)).collect();
        let mut kept = Values::new(40);
        values[..999].iter().for_each(|&(cell, value)| kept.push(cell, value));
        let mut others = Values::new(40);
        values[999..].iter().for_each(|&(cell, value)| others.push(cell, value));
        kept.add(&others);
        assert_eq!(kept.sums.iter().sum::<f64>(), values.iter().map(|(_, value)| *value as f64).sum::<f64>());
        let counts = Counts::of(&kept.packed, 40);
        for blocks in [vec![(0, 40)], vec![(3, 13), (3, 13), (30, 40), (17, 20)]] {
            let mut drawn: Vec<i64> = blocks
                .iter()
                .flat_map(|&(from, to)| values.iter().filter(move |(cell, _)| (from..to).contains(cell)))
                .map(|(_, value)| *value)
                .collect();
            drawn.sort_unstable();
            let expected = QUANTILES.map(|(_, q)| nearest_rank(drawn.len(), q).map(|rank| drawn[rank] as f64));
            assert_eq!(counts.quantiles(&blocks), expected);
        }
        assert_eq!(Counts::of(&[], 40).quantiles(&[(0, 40)]), [None; QUANTILES.len()]);
    }

    #[test]
    fn intervals_cover_the_spread_of_the_seconds() {
        // Seconds of 50 and of 150 operations: of 40 seconds the mean has a standard error of 7.9.
        let draws = Draws::new(40 * S, &mut Random::new(7)).expect("draws");
        let mut added = vec![0.0; draws.cells()];
        for second in 0..40_i64 {
            let count = if (second * 7919) % 41 < 20 { 50 } else { 150 };
            (0..count).for_each(|at| added[draws.cell(second * S + at * S / count) as usize] += 1.0);
        }
        let rate = added.iter().sum::<f64>() / 40.0;
        let (low, high) = draws.of_sums([&added], |[ok]| Some(ok / 40.0)).expect("an interval");
        assert!((20.0..45.0).contains(&(high - low)) && low < rate && rate < high, "{low} {rate} {high}");
        assert_eq!(draws.of_sums([&added], |[_]| None), None);
    }

    #[test]
    fn long_phases_have_longer_pieces_and_short_ones_no_draws() {
        let draws = |length_ns| Draws::new(length_ns, &mut Random::new(1));
        assert!(draws(2 * S).is_none() && draws(0).is_none());
        assert_eq!(draws(3 * S).map(|draws| draws.cells()), Some(30));
        let hour = draws(3600 * S).expect("draws");
        assert_eq!((hour.cells(), hour.cell(0), hour.cell(1800 * S), hour.cell(9999 * S)), (600, 0, 300, 599));
    }
}
