//! Acknowledged writes: how many in each phase, and how long there were none.

use std::collections::BTreeMap;

use polars::prelude::*;
use run_folder::operation::{Kind, Outcome};

use super::{Facts, rows};
use crate::phases::Phase;
use crate::stats;

/// Columns of `operations` that are read.
pub const READS: [&str; 5] = ["kind", "intended_ns", "start_ns", "end_ns", "outcome"];

/// What goes through the log.
pub(super) const KINDS: [Kind; 3] = [Kind::Put, Kind::Txn, Kind::Delete];

/// Writes of all kinds in one phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The phase in which they were due.
    pub phase: Phase,
    /// Those that were due.
    pub due: u64,
    /// Those that were acknowledged.
    pub acknowledged: u64,
    /// Median service time of these in nanoseconds; `None` of none.
    pub service_p50_ns: Option<i64>,
}

/// The writes of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    /// In each part of the run, without the warm-up and the edges, in order of time.
    pub by_phase: Vec<Written>,
    /// When each acknowledgement came, in nanoseconds after the run's time 0, ascending.
    acknowledged_ns: Vec<i64>,
}

impl Writes {
    /// Counts the writes of one run. `operations` has the columns [`READS`].
    ///
    /// # Errors
    /// [`PolarsError`] when a column is missing or holds what the format does not allow.
    pub fn of(operations: &DataFrame, facts: &Facts) -> PolarsResult<Self> {
        let mut by_phase: BTreeMap<Phase, (u64, Vec<i64>)> = BTreeMap::new();
        let mut acknowledged_ns = Vec::new();
        let rows = rows(operations)?;
        for ((((kind, intended_ns), start_ns), end_ns), outcome) in rows {
            if !KINDS.iter().any(|write| Some(write.as_str()) == kind) {
                continue;
            }
            let (due, service_ns) = by_phase.entry(facts.phases.of_operation(intended_ns, end_ns)).or_default();
            *due += 1;
            if outcome? == Outcome::Ok {
                service_ns.push(end_ns - start_ns.unwrap_or(intended_ns));
                acknowledged_ns.push(end_ns);
            }
        }
        acknowledged_ns.sort_unstable();
        let parts = facts.phases.parts().into_iter().filter(|&phase| phase != Phase::WarmUp);
        let written = |phase| {
            let (due, mut service_ns) = by_phase.remove(&phase).unwrap_or_default();
            service_ns.sort_unstable();
            let service_p50_ns = stats::quantile(&service_ns, 0.5);
            Written { phase, due, acknowledged: service_ns.len() as u64, service_p50_ns }
        };
        Ok(Self { by_phase: parts.map(written).collect(), acknowledged_ns })
    }

    /// The longest time without an acknowledged write that touches `[from_ns, to_ns]`; `None` where the writes do not go on
    /// after it, or had not begun.
    pub fn pause(&self, from_ns: i64, to_ns: i64) -> Option<(i64, i64)> {
        let pairs = self.acknowledged_ns.windows(2).map(|pair| (pair[0], pair[1]));
        let touching = pairs.filter(|&(before_ns, after_ns)| before_ns <= to_ns && after_ns >= from_ns);
        touching.max_by_key(|(before_ns, after_ns)| after_ns - before_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phases::Phases;

    #[test]
    fn writes_are_counted_and_their_pauses_found() {
        let rows: [(&str, i64, Option<i64>, i64, &str); 6] = [
            ("put", 0, Some(0), 10, "ok"),
            ("get", 5, Some(5), 500, "ok"),
            ("txn", 20, Some(21), 40, "ok"),
            ("put", 30, None, 900, "unsent"),
            ("delete", 600, Some(600), 700, "ok"),
            ("put", 700, Some(700), 705, "ok"),
        ];
        let operations = df!(
            "kind" => rows.map(|row| row.0),
            "intended_ns" => rows.map(|row| row.1).to_vec(),
            "start_ns" => rows.map(|row| row.2).to_vec(),
            "end_ns" => rows.map(|row| row.3).to_vec(),
            "outcome" => rows.map(|row| row.4),
        )
        .expect("a frame");
        let facts = Facts {
            run: String::new(),
            label: String::new(),
            phases: Phases::derive(&[], 0, 1000),
            deadline_ms: 1.0,
            members: Vec::new(),
        };
        let writes = Writes::of(&operations, &facts).expect("writes");
        let expected = Written { phase: Phase::All, due: 5, acknowledged: 4, service_p50_ns: Some(10) };
        assert_eq!(writes.by_phase, [expected]);
        assert_eq!(writes.pause(100, 200), Some((40, 700)));
        assert_eq!(writes.pause(702, 704), Some((700, 705)));
        assert_eq!(writes.pause(710, 720), None, "nobody knows how long");
    }
}
