//! Operations as points in time, and what a level of them is.

use std::collections::VecDeque;

use super::Rule;

const NS_PER_S: f64 = 1e9;
/// No bin is shorter.
const BIN_S_MIN: f64 = 0.5;
/// Operations that a bin holds at least, at the rate before the fault.
const OPS_PER_BIN: f64 = 20.0;
/// Bins of the time before that say what they differ by; with fewer, operations count as independent of each other.
const BINS_MIN: usize = 6;
/// No more than this share of a level is ever let off.
const LET_OFF_MAX: f64 = 0.5;
/// Share of a bin that may be missing once the level is back: a standstill of a tenth of a second, of which healthy machines
/// have some.
const STANDSTILL: f64 = 0.2;
/// Distance of the moments that are looked at.
pub(super) const STEP_NS: i64 = 10_000_000;

/// How many of the ascending `times_ns` lie in `[from_ns, to_ns)`.
pub(super) fn count(times_ns: &[i64], from_ns: i64, to_ns: i64) -> usize {
    let upto = |ns: i64| times_ns.partition_point(|&at_ns| at_ns < ns);
    upto(to_ns).saturating_sub(upto(from_ns))
}

/// The rate before a fault, and how far bins may be below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    /// Acknowledged operations per second.
    pub(super) per_s: f64,
    /// Length of a bin.
    pub(super) bin_ns: i64,
    /// Operations that a bin has on average.
    pub(super) per_bin: f64,
    /// Operations that a bin may lack.
    let_off: f64,
    /// Operations that it may lack while a level is held.
    let_off_held: f64,
    /// How long a level must be held, and the fewest operations in that time.
    hold_ns: i64,
    hold_least: f64,
}

impl Level {
    /// The level of what was acknowledged from time 0 to the fault's beginning; `None` where nothing was.
    pub(super) fn before(acknowledged_ns: &[i64], from_ns: i64, rule: &Rule) -> Option<Self> {
        let before = count(acknowledged_ns, 0, from_ns);
        if from_ns <= 0 || before == 0 {
            return None;
        }
        let per_s = before as f64 / (from_ns as f64 / NS_PER_S);
        let bin_ns = bin_ns(per_s).min(from_ns);
        let per_bin = per_s * bin_ns as f64 / NS_PER_S;
        let deviation = deviation(acknowledged_ns, from_ns, bin_ns).unwrap_or(per_bin.sqrt());
        let left_out = 1.0 - rule.share_percent / 100.0;
        let let_off = |ops: f64, noise: f64| (left_out * ops).max(noise).max(1.0).min(LET_OFF_MAX * ops);
        let hold_ns = ((rule.hold_s * NS_PER_S) as i64).max(bin_ns);
        let bins_held = hold_ns as f64 / bin_ns as f64;
        let held = per_bin * bins_held;
        Some(Self {
            per_s,
            bin_ns,
            per_bin,
            let_off: let_off(per_bin, 3.0 * deviation),
            let_off_held: let_off(per_bin, (3.0 * deviation).max(STANDSTILL * per_bin)),
            hold_ns,
            hold_least: held - let_off(held, 2.0 * deviation * bins_held.sqrt()),
        })
    }

    /// Whether a bin of so many operations is low.
    pub(super) fn is_low(&self, ops: usize) -> bool {
        (ops as f64) < self.per_bin - self.let_off - 1e-9
    }

    /// Whether a bin of so many operations has more than noise explains.
    pub(super) fn is_high(&self, ops: usize) -> bool {
        ops as f64 > self.per_bin + self.let_off + 1e-9
    }

    /// The first moment from `from_ns` on from which the level is held: the bin that begins there is not low, nor any beginning of
    /// it, no later one lacks more than a standstill explains, and the whole time has enough. Where there is none until `to_ns`, since when no bin was
    /// low any more.
    pub(super) fn held(&self, acknowledged_ns: &[i64], from_ns: i64, to_ns: i64) -> Result<i64, i64> {
        // Moments at which a bin begins that is not low, as long as no later one ended that.
        let mut starts_ns: VecDeque<i64> = VecDeque::new();
        let (mut first, mut last) = (Cursor::default(), Cursor::default());
        let mut at_ns = from_ns;
        while at_ns + self.bin_ns <= to_ns {
            let end_ns = at_ns + self.bin_ns;
            let ops = last.upto(acknowledged_ns, end_ns) - first.upto(acknowledged_ns, at_ns);
            if (ops as f64) < self.per_bin - self.let_off_held - 1e-9 {
                starts_ns.clear();
            } else if !self.is_low(ops) {
                starts_ns.push_back(at_ns);
            }
            while let Some(&start_ns) = starts_ns.front().filter(|&&start_ns| start_ns + self.hold_ns <= end_ns) {
                let held = count(acknowledged_ns, start_ns, start_ns + self.hold_ns);
                if held as f64 >= self.hold_least - 1e-9 && self.is_start(acknowledged_ns, start_ns) {
                    return Ok(start_ns);
                }
                starts_ns.pop_front();
            }
            at_ns += STEP_NS;
        }
        // Where not even one bin was seen, nothing is known; where the last one was low, it was until the end.
        let is_unseen = from_ns + self.bin_ns > to_ns;
        let start_ns = starts_ns.into_iter().find(|&start_ns| self.is_start(acknowledged_ns, start_ns));
        Err(start_ns.unwrap_or(if is_unseen { from_ns } else { to_ns.max(from_ns) }))
    }

    /// Whether no beginning of the bin lacks more than noise explains: all that had waited, acknowledged at once at the end of a
    /// standstill, makes up for it in number only.
    fn is_start(&self, acknowledged_ns: &[i64], start_ns: i64) -> bool {
        let first = acknowledged_ns.partition_point(|&at_ns| at_ns < start_ns);
        let inside = acknowledged_ns[first..].iter().take_while(|&&at_ns| at_ns < start_ns + self.bin_ns);
        let missing = |(ops, at_ns): (usize, &i64)| self.per_s * (at_ns - start_ns) as f64 / NS_PER_S - ops as f64;
        inside.enumerate().map(missing).all(|missing| missing <= self.let_off)
    }

    /// Operations that become due in a standstill of a tenth of a second.
    pub(super) fn standstill_ops(&self) -> f64 {
        STANDSTILL * BIN_S_MIN * self.per_s
    }

    /// How long a level must be held.
    pub(super) fn hold_ns(&self) -> i64 {
        self.hold_ns
    }

    /// The operations of each whole bin from `from_ns` to `to_ns`.
    pub(super) fn bins<'a>(
        &self,
        acknowledged_ns: &'a [i64],
        from_ns: i64,
        to_ns: i64,
    ) -> impl Iterator<Item = usize> + 'a {
        let bin_ns = self.bin_ns;
        let bins = (to_ns - from_ns).max(0) / bin_ns;
        (0..bins).map(move |bin| count(acknowledged_ns, from_ns + bin * bin_ns, from_ns + (bin + 1) * bin_ns))
    }
}

/// Length of a bin at a rate.
pub(super) fn bin_ns(per_s: f64) -> i64 {
    (BIN_S_MIN.max(OPS_PER_BIN / per_s.max(1e-3)) * NS_PER_S) as i64
}

/// Standard deviation of the bins before, which overlap by half.
fn deviation(acknowledged_ns: &[i64], to_ns: i64, bin_ns: i64) -> Option<f64> {
    let half_ns = (bin_ns / 2).max(1);
    let counts: Vec<f64> = (0..)
        .map(|bin| bin * half_ns)
        .take_while(|from_ns| from_ns + bin_ns <= to_ns)
        .map(|from_ns| count(acknowledged_ns, from_ns, from_ns + bin_ns) as f64)
        .collect();
    if counts.len() < BINS_MIN {
        return None;
    }
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let sum = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>();
    Some((sum / (counts.len() - 1) as f64).sqrt())
}

/// A place among ascending times that only moves on.
#[derive(Debug, Default)]
pub(super) struct Cursor(usize);

impl Cursor {
    /// How many times lie before `to_ns`, which must not be less than at the last call.
    pub(super) fn upto(&mut self, times_ns: &[i64], to_ns: i64) -> usize {
        while times_ns.get(self.0).is_some_and(|&at_ns| at_ns < to_ns) {
            self.0 += 1;
        }
        self.0
    }
}

/// What a fault took from a level and what came back of it, in operations.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Area {
    /// Missing in low bins.
    pub(super) lost: f64,
    /// More than the level in bins that had more than noise explains.
    pub(super) caught_up: f64,
    /// What is missing in sum; negative where more was acknowledged than before.
    pub(super) missing: f64,
}

impl Area {
    /// Between the level and what was acknowledged from `from_ns` to `to_ns`.
    pub(super) fn of(level: &Level, acknowledged_ns: &[i64], from_ns: i64, to_ns: i64) -> Self {
        let mut area = Self::default();
        for ops in level.bins(acknowledged_ns, from_ns, to_ns) {
            let missing = level.per_bin - ops as f64;
            if level.is_low(ops) {
                area.lost += missing;
            } else if level.is_high(ops) {
                area.caught_up -= missing;
            }
        }
        let expected = level.per_s * (to_ns - from_ns).max(0) as f64 / NS_PER_S;
        area.missing = expected - count(acknowledged_ns, from_ns, to_ns) as f64;
        area
    }
}

/// Seconds in bins with less than `share` of the level, and less than noise explains.
pub(super) fn under_s(level: &Level, acknowledged_ns: &[i64], from_ns: i64, to_ns: i64, share: f64) -> f64 {
    let is_under = |ops: &usize| level.is_low(*ops) && (*ops as f64) < share * level.per_bin;
    level.bins(acknowledged_ns, from_ns, to_ns).filter(is_under).count() as f64 * level.bin_ns as f64 / NS_PER_S
}

/// The times from one acknowledgement to the next that touch `[from_ns, to_ns]`, the first since the one before `from_ns`,
/// the last until `end_ns`, at which nothing more was awaited.
pub(super) fn gaps(acknowledged_ns: &[i64], from_ns: i64, to_ns: i64, end_ns: i64) -> Vec<(i64, i64)> {
    let first = acknowledged_ns.partition_point(|&at_ns| at_ns < from_ns);
    let last = acknowledged_ns.partition_point(|&at_ns| at_ns <= to_ns);
    let since_ns = first.checked_sub(1).map_or(from_ns, |before| acknowledged_ns[before]);
    let until_ns = acknowledged_ns.get(last).copied().unwrap_or(end_ns.max(to_ns));
    let inside = acknowledged_ns[first..last.max(first)].iter().copied();
    let ends = inside.chain([until_ns]);
    ends.scan(since_ns, |since_ns, at_ns| Some((std::mem::replace(since_ns, at_ns), at_ns))).collect()
}
