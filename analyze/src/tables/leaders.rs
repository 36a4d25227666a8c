//! Leader changes, from what the members say of their leader.

use std::collections::BTreeMap;

use polars::prelude::*;

/// The cluster came to agree on another leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderChange {
    /// When a majority of the members first named the new leader, in nanoseconds after the run's time 0.
    pub time_ns: i64,
    /// The leader before, as an index into the manifest's members.
    pub from: i64,
    /// The new leader, likewise.
    pub to: i64,
}

/// Finds the changes of leader in the samples of the metric [`run_folder::sample::metric::LEADER`].
///
/// `samples` has the columns `time_ns`, `member` and `value` (index of the leader as that member sees it, -1 for
/// none), rows in any order. A leader counts once more than half of the `members` named it when each was last asked, so
/// that one member with an outdated view, such as a cut-off former leader, makes no change. Losing the leader and
/// finding the same again is none either. Changes before time 0 are not listed.
///
/// # Errors
/// [`PolarsError`] when a column is missing or of another type.
pub fn changes(samples: &DataFrame, members: usize) -> PolarsResult<Vec<LeaderChange>> {
    let rows = samples
        .column("time_ns")?
        .i64()?
        .iter()
        .zip(samples.column("member")?.i8()?.iter())
        .zip(samples.column("value")?.f64()?.iter());
    let mut views: Vec<(i64, i8, i64)> =
        rows.filter_map(|((time_ns, member), leader)| Some((time_ns?, member?, leader? as i64))).collect();
    views.sort_unstable();
    let mut seen = BTreeMap::new();
    let mut leader: Option<i64> = None;
    let mut changes = Vec::new();
    for (time_ns, member, named) in views {
        seen.insert(member, named);
        let agreeing = seen.values().filter(|&&other| other == named).count();
        if named < 0 || 2 * agreeing <= members || leader == Some(named) {
            continue;
        }
        if let Some(from) = leader.filter(|_| time_ns >= 0) {
            changes.push(LeaderChange { time_ns, from, to: named });
        }
        leader = Some(named);
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows are (time, member, leader named).
    fn check(rows: &[(i64, i8, f64)], expected: &[(i64, i64, i64)]) {
        let samples = df!(
            "time_ns" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "member" => Int8Chunked::from_iter_values("member".into(), rows.iter().map(|row| row.1)).into_series(),
            "value" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        )
        .expect("a frame");
        let found: Vec<_> = changes(&samples, 3)
            .expect("changes")
            .iter()
            .map(|change| (change.time_ns, change.from, change.to))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_change_counts_when_a_majority_agrees() {
        check(&[(0, 0, 0.0), (0, 1, 0.0), (0, 2, 0.0), (5, 1, 2.0), (6, 2, 2.0), (9, 0, 2.0)], &[(6, 0, 2)]);
    }

    #[test]
    fn an_outdated_view_and_a_leader_found_again_are_no_change() {
        check(&[(0, 0, 0.0), (0, 1, 0.0), (3, 2, 1.0), (4, 2, 0.0)], &[]);
        check(&[(0, 0, 0.0), (0, 1, 0.0), (3, 0, -1.0), (3, 1, -1.0), (5, 0, 0.0), (5, 1, 0.0)], &[]);
    }

    #[test]
    fn the_warm_up_is_not_listed_and_nothing_gives_nothing() {
        check(&[(-9, 0, 0.0), (-9, 1, 0.0), (-5, 0, 1.0), (-5, 1, 1.0), (2, 1, 1.0)], &[]);
        check(&[], &[]);
    }
}
