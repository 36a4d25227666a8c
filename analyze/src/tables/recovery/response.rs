//! Response times after the fault against those before.

use super::Took;
use super::series::Level;
use crate::stats;

/// Response time of an operation that got no answer: more than any other.
pub(super) const NEVER_NS: i64 = i64::MAX;
/// Bins overlap, so many in the length of one.
const STEPS_PER_BIN: i64 = 5;

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
/// half as large again as over the whole time before, and stayed so for as long as a level must be held. `None` where there were no bins before, or one of them was without an answer.
pub(super) fn recovery(
    responses: &Responses,
    level: &Level,
    (from_ns, to_ns): (i64, i64),
    end_ns: i64,
    q: f64,
) -> Option<Took> {
    let step_ns = (level.bin_ns / STEPS_PER_BIN).max(1);
    let bins = |from_ns: i64, to_ns: i64| {
        let starts = (0..).map(move |step| from_ns + step * step_ns);
        starts.take_while(move |at_ns| at_ns + level.bin_ns <= to_ns)
    };
    let of_bin = |at_ns: i64| quantile_ns(responses, at_ns, at_ns + level.bin_ns, q);
    let worst_ns = bins(0, from_ns).filter_map(of_bin).max().filter(|&worst_ns| worst_ns != NEVER_NS)?;
    // A short and quiet time before shows too little of what is normal.
    let usual_ns = quantile_ns(responses, 0, from_ns, q)?;
    let worst_ns = worst_ns.max(usual_ns.saturating_add(usual_ns / 2));
    let mut since_ns = None;
    let mut is_seen = false;
    for at_ns in bins(to_ns, end_ns) {
        is_seen = true;
        // In a bin in which nothing was due, as in a closed loop that waits, nothing has recovered.
        if of_bin(at_ns).is_none_or(|value_ns| value_ns > worst_ns) {
            since_ns = None;
            continue;
        }
        let since_ns = *since_ns.get_or_insert(at_ns);
        if at_ns + level.bin_ns - since_ns >= level.hold_ns() {
            return Some(Took::Exactly((since_ns - to_ns) as f64 / 1e9));
        }
    }
    let bound_ns = since_ns.unwrap_or(if is_seen { end_ns } else { to_ns });
    Some(Took::Longer((bound_ns - to_ns).max(0) as f64 / 1e9))
}
