//! Response times after the fault against those before.

use super::Took;
use super::series::{Level, count};
use crate::stats;

/// Response time of an operation that got no answer: more than any other.
pub(super) const NEVER_NS: i64 = i64::MAX;
/// Bins overlap, so many in the length of one.
const STEPS_PER_BIN: i64 = 5;
/// Operations above the quantile that a bin of response times has at least, and the time in which they become due.
const ABOVE: f64 = 10.0;
const TAIL_S: f64 = 0.05;

/// When operations were due and how long their answers took, [`NEVER_NS`] without one; in order of becoming due.
pub(super) type Responses = Vec<(i64, i64)>;

fn part(responses: &Responses, from_ns: i64, to_ns: i64) -> &[(i64, i64)] {
    let upto = |ns: i64| responses.partition_point(|&(due_ns, _)| due_ns < ns);
    let to = upto(to_ns);
    &responses[upto(from_ns).min(to)..to]
}

/// Quantile `q` over what was due from `from_ns` to `to_ns`; `None` of nothing.
pub(super) fn quantile_ns(responses: &Responses, from_ns: i64, to_ns: i64, q: f64) -> Option<i64> {
    let mut times: Vec<i64> = part(responses, from_ns, to_ns).iter().map(|&(_, took_ns)| took_ns).collect();
    let rank = stats::nearest_rank(times.len(), q)?;
    Some(*times.select_nth_unstable(rank).1)
}

/// How long after `to_ns` quantile `q` of each bin was again no larger than in the worst bin before the fault, or no more than
/// half as large again as over the whole time before, and stayed so for as long as a level must be held. `None` where there
/// were no bins before, one of them was without an answer, or less was recorded after the fault than must be held.
///
/// Bins are so long that [`ABOVE`] operations lie above the quantile: the 99th percentile of a hundred operations is the second
/// largest of them, by which two parts of one healthy run differ severalfold. At the end of the recording they are as long as
/// what is left. In each bin of a high quantile the operations of one standstill more may be slow, as in throughput.
pub(super) fn recovery(
    responses: &Responses,
    level: &Level,
    (from_ns, to_ns): (i64, i64),
    end_ns: i64,
    q: f64,
) -> Option<Took> {
    if end_ns - to_ns < level.hold_ns() {
        return None;
    }
    let step_ns = (level.bin_ns / STEPS_PER_BIN).max(1);
    let bin_ns = bin_ns(level, q);
    let bins = |from_ns: i64, to_ns: i64, bin_ns: i64| {
        let starts = (0..).map(move |step| from_ns + step * step_ns);
        starts.take_while(move |at_ns| at_ns + bin_ns <= to_ns)
    };
    let before_ns = bin_ns.min(from_ns);
    let of_bin = |at_ns: i64| quantile_ns(responses, at_ns, at_ns + before_ns, q);
    let worst_ns = bins(0, from_ns, before_ns).filter_map(of_bin).max().filter(|&worst_ns| worst_ns != NEVER_NS)?;
    // A short and quiet time before shows too little of what is normal.
    let usual_ns = quantile_ns(responses, 0, from_ns, q)?;
    let worst_ns = worst_ns.max(usual_ns.saturating_add(usual_ns / 2));
    // A median takes no notice of a standstill.
    let standstill = if q > 0.9 { level.standstill_ops() } else { 0.0 };
    let slow_ns: Vec<i64> =
        responses.iter().filter(|(_, took_ns)| *took_ns > worst_ns).map(|&(due_ns, _)| due_ns).collect();
    let due_in = |from_ns: i64, to_ns: i64| part(responses, from_ns, to_ns).len();
    let mut since_ns = None;
    for at_ns in bins(to_ns, end_ns, level.bin_ns) {
        let until_ns = (at_ns + bin_ns).min(end_ns);
        let (due, slow) = (due_in(at_ns, until_ns), count(&slow_ns, at_ns, until_ns));
        let is_slow = slow as f64 > above(due, q) as f64 + standstill;
        // In a bin in which nothing was due, as in a closed loop that waits, nothing has recovered.
        if due == 0 || is_slow {
            since_ns = None;
            continue;
        }
        let since_ns = *since_ns.get_or_insert(at_ns);
        if until_ns - since_ns >= level.hold_ns() {
            return Some(Took::Exactly((since_ns - to_ns) as f64 / 1e9));
        }
    }
    Some(Took::Longer((since_ns.unwrap_or(end_ns) - to_ns) as f64 / 1e9))
}

/// Length of the bins in which a quantile is looked at.
fn bin_ns(level: &Level, q: f64) -> i64 {
    let for_operations_s = ABOVE / (1.0 - q) / level.per_s;
    let for_standstill_s = TAIL_S / (1.0 - q);
    level.bin_ns.max((for_operations_s.max(for_standstill_s) * 1e9) as i64)
}

/// How many of `count` operations lie above their quantile `q`, by nearest rank.
fn above(count: usize, q: f64) -> usize {
    stats::nearest_rank(count, q).map_or(0, |rank| count - 1 - rank)
}
