//! The backlog of an open loop: operations that were due and had not ended.

use super::Took;
use super::series::{Cursor, STEP_NS};
use crate::stats;

/// The backlog at the fault's end, and when it was back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Backlog {
    /// 99th percentile before the fault.
    pub(super) before: i64,
    /// At the fault's end.
    pub(super) at_end: i64,
    /// From the fault's end until it was no larger than `before`.
    pub(super) drained: Took,
}

/// Operations under way at moments from `from_ns` to `to_ns`; both lists ascend.
pub(super) fn under_way<'a>(
    due_ns: &'a [i64],
    ended_ns: &'a [i64],
    from_ns: i64,
    to_ns: i64,
    step_ns: i64,
) -> impl Iterator<Item = (i64, i64)> + 'a {
    let (mut due, mut ended) = (Cursor::default(), Cursor::default());
    let moments = (0..).map(move |step| from_ns + step * step_ns).take_while(move |&at_ns| at_ns < to_ns);
    moments.map(move |at_ns| (at_ns, due.upto(due_ns, at_ns) as i64 - ended.upto(ended_ns, at_ns) as i64))
}

impl Backlog {
    /// `None` where there is no time before.
    pub(super) fn of(due_ns: &[i64], ended_ns: &[i64], (from_ns, to_ns): (i64, i64), end_ns: i64) -> Option<Self> {
        let mut levels: Vec<i64> = under_way(due_ns, ended_ns, 0, from_ns, STEP_NS).map(|(_, count)| count).collect();
        levels.sort_unstable();
        let before = stats::quantile(&levels, 0.99)?;
        let mut after = under_way(due_ns, ended_ns, to_ns, end_ns.max(to_ns + 1), STEP_NS).peekable();
        let at_end = after.peek()?.1;
        let back = after.find(|&(_, count)| count <= before);
        let s = |at_ns: i64| (at_ns - to_ns) as f64 / 1e9;
        let drained = back.map_or(Took::Longer(s(end_ns)), |(at_ns, _)| Took::Exactly(s(at_ns)));
        Some(Self { before, at_end, drained })
    }
}
