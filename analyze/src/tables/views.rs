//! What each member said of the cluster, answer by answer: the values of one status request put together again.

use std::collections::BTreeMap;

use polars::prelude::*;
use run_folder::sample::metric;

use super::sampled::{Sampled, rows};

/// Columns of `samples` that are read.
pub const READS: [&str; 4] = ["time_ns", "member", "metric", "value"];

/// The metrics of a status request that tell of the cluster.
const METRICS: [&str; 5] =
    [metric::LEADER, metric::RAFT_TERM, metric::RAFT_INDEX, metric::RAFT_APPLIED_INDEX, metric::STATUS_FAILED];

/// A status request to a member, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// When the answer came, or the request was given up, in nanoseconds after the run's time 0.
    pub time_ns: i64,
    /// The member that was asked, as an index into the manifest's members.
    pub member: usize,
    /// What it said; `None` when it did not answer.
    pub answer: Option<Answer>,
}

/// What a member says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Answer {
    /// The member that it takes for the leader; `None` when it knows of none.
    pub leader: Option<usize>,
    /// The term of the last entry that it has applied. A new term shows here once its first entry is committed.
    pub term: Option<u64>,
    /// The index up to which it knows that entries are committed.
    pub index: Option<i64>,
    /// The index up to which it has applied them.
    pub applied: Option<i64>,
}

impl View {
    /// True when the member takes itself for the leader.
    pub fn leads(&self) -> bool {
        self.names() == Some(self.member)
    }

    /// The member that it takes for the leader.
    pub fn names(&self) -> Option<usize> {
        self.answer?.leader
    }
}

/// Puts the answers together, in order of time, up to `end_ns`.
///
/// `samples` has the columns [`READS`], rows in any order. Values of a member with the same time are one answer. Rows of
/// members that are not among the `members` are left out.
///
/// # Errors
/// [`PolarsError`] when a column is missing or of another type.
pub fn views(samples: &DataFrame, members: usize, end_ns: i64) -> PolarsResult<Vec<View>> {
    let mut answers: BTreeMap<(i64, usize), Option<Answer>> = BTreeMap::new();
    for row in rows(samples)? {
        let Some(member) = row.member_of(members).filter(|_| row.time_ns < end_ns) else { continue };
        let Sampled { time_ns, metric: name, value, .. } = row;
        let whole = (value >= 0.0).then_some(value as i64);
        if !METRICS.contains(&name) {
            continue;
        }
        let entry = answers.entry((time_ns, member)).or_default();
        if name == metric::STATUS_FAILED {
            continue;
        }
        let answer = entry.get_or_insert_default();
        match name {
            metric::LEADER => {
                let leader = whole.and_then(|leader| usize::try_from(leader).ok());
                answer.leader = leader.filter(|&leader| leader < members);
            }
            metric::RAFT_TERM => answer.term = whole.and_then(|term| u64::try_from(term).ok()),
            metric::RAFT_INDEX => answer.index = whole,
            _ => answer.applied = whole,
        }
    }
    Ok(answers.into_iter().map(|((time_ns, member), answer)| View { time_ns, member, answer }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_request_are_one_answer() {
        let rows: [(i64, Option<i8>, &str, f64); 9] = [
            (5, Some(1), metric::RAFT_TERM, 3.0),
            (5, Some(1), metric::LEADER, 0.0),
            (5, Some(1), metric::RAFT_INDEX, 40.0),
            (5, Some(1), metric::RAFT_APPLIED_INDEX, 39.0),
            (4, Some(0), metric::LEADER, -1.0),
            (6, Some(2), metric::STATUS_FAILED, 1.0),
            (6, Some(7), metric::LEADER, 0.0),
            (6, None, metric::RECORDER_CPU_S, 0.0),
            (9, Some(0), metric::LEADER, 0.0),
        ];
        let samples = df!(
            "time_ns" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "member" => Int8Chunked::from_iter_options("member".into(), rows.iter().map(|row| row.1)).into_series(),
            "metric" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
            "value" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        )
        .expect("a frame");
        let whole = Answer { leader: Some(0), term: Some(3), index: Some(40), applied: Some(39) };
        let expected = [(4, 0, Some(Answer::default())), (5, 1, Some(whole)), (6, 2, None)]
            .map(|(time_ns, member, answer)| View { time_ns, member, answer });
        assert_eq!(views(&samples, 3, 9).expect("views"), expected);
    }
}
