//! Operations sorted into kinds and phases: what every table of latencies begins with.
//!
//! The rows of a run are gone through once. Each kind and phase gets a vector of service times and one of response times,
//! each is sorted once, and every percentile is read off. Sums over phases or kinds have the vectors of their parts, see
//! [`Sorted`].

use std::collections::BTreeMap;

use polars::prelude::*;
use run_folder::operation::{Kind, Outcome};

use super::{Counts, Facts, codes, integers, outcomes};
use crate::phases::Phase;
use crate::stats::sorted::{Sorted, Values};

/// Columns of `operations` that are read.
pub(super) const READS: [&str; 5] = ["kind", "intended_ns", "start_ns", "end_ns", "outcome"];

/// Name of the group that holds all kinds together; also a kind's place in its order.
pub(super) const ALL_KINDS: &str = "all";

/// A kind's place in the order of the table, and its name.
pub(super) type KindKey = (usize, String);

/// The operations of one kind and phase. The times are those of ok operations, in nanoseconds.
#[derive(Default)]
pub(super) struct Group {
    pub(super) counts: Counts,
    /// Operations due in the phase's time that were still under way at its end, those of [`Phase::Before`] among them that
    /// belong to [`Phase::Edge`] for that.
    under_way: u64,
    /// Those of these that belong to [`Phase::Edge`] and were acknowledged.
    ok_at_edge: u64,
    /// Operations of the group that were still under way at the end of the workload.
    at_end: u64,
    pub(super) service_ns: Sorted,
    pub(super) response_ns: Sorted,
}

impl Group {
    /// Operations due in the time of this group's phase that were still under way at its end; `None` of edges, which have no one
    /// end.
    pub(super) fn in_flight(&self, phase: Phase) -> Option<u64> {
        match phase {
            Phase::Edge => None,
            Phase::All => Some(self.at_end),
            _ => Some(self.under_way),
        }
    }

    /// Acknowledged operations due in the time of this group's phase. It is what throughput counts: for a phase of a given
    /// length it does not matter that the latency of some of them is not a matter of this phase alone.
    pub(super) fn ok_due(&self, phase: Phase) -> u64 {
        self.counts.ok + if phase == Phase::Before { self.ok_at_edge } else { 0 }
    }

    /// Adds another group.
    fn merge(&mut self, other: &Self) {
        self.counts.merge(other.counts);
        self.under_way += other.under_way;
        self.ok_at_edge += other.ok_at_edge;
        self.at_end += other.at_end;
        self.service_ns.add(&other.service_ns);
        self.response_ns.add(&other.response_ns);
    }
}

/// A group while rows are gone through.
#[derive(Default)]
struct Unsorted {
    group: Group,
    service_ns: Values,
    response_ns: Values,
}

impl Unsorted {
    fn sorted(self) -> Group {
        let Self { group, service_ns, response_ns } = self;
        // Of a sweep, runs are sorted side by side; of one long run, its two kinds of times.
        let (service_ns, response_ns) = match service_ns.len() < WORTH_A_THREAD {
            true => (Sorted::new(service_ns), Sorted::new(response_ns)),
            false => std::thread::scope(|scope| {
                let service_ns = scope.spawn(|| Sorted::new(service_ns));
                let response_ns = Sorted::new(response_ns);
                (service_ns.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), response_ns)
            }),
        };
        Group { service_ns, response_ns, ..group }
    }
}

/// So many values take some tens of milliseconds to sort.
const WORTH_A_THREAD: usize = 1_000_000;

/// Sorts the operations of one run, with phase `all` of each kind, and kind `all` where several kinds occur or none does.
///
/// # Errors
/// [`PolarsError`] when a column is missing or holds what the format does not allow.
pub(super) fn by_kind_and_phase(
    operations: &DataFrame,
    facts: &Facts,
) -> PolarsResult<BTreeMap<(KindKey, Phase), Group>> {
    let mut collector = Collector::default();
    collector.add(operations, facts)?;
    Ok(collector.finish(facts))
}

/// Sorts the operations of one run that come in parts.
pub(super) struct Collector {
    kinds: Vec<String>,
    found: Vec<[Option<Unsorted>; Phase::ALL.len()]>,
}

impl Default for Collector {
    fn default() -> Self {
        Self { kinds: Kind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect(), found: Vec::new() }
    }
}

impl Collector {
    /// Adds the next part, with the columns [`READS`].
    pub(super) fn add(&mut self, operations: &DataFrame, facts: &Facts) -> PolarsResult<()> {
        let Self { kinds, found } = self;
        let kinds_at = codes(operations.column("kind")?.str()?, |kind| {
            Ok(kinds.iter().position(|known| known == kind).unwrap_or_else(|| {
                kinds.push(kind.to_owned());
                kinds.len() - 1
            }))
        })?;
        let rows = kinds_at
            .into_iter()
            .zip(integers(operations, "intended_ns")?.into_no_null_iter())
            .zip(operations.column("start_ns")?.i64()?.iter())
            .zip(integers(operations, "end_ns")?.into_no_null_iter())
            .zip(outcomes(operations)?);
        for ((((kind_at, intended_ns), start_ns), end_ns), outcome) in rows {
            let outcome = outcome?;
            if kind_at >= found.len() {
                found.resize_with(kind_at + 1, Default::default);
            }
            let phases = &facts.phases;
            let (due_in, phase) = (phases.of(intended_ns), phases.of_operation(intended_ns, end_ns));
            if phases.end_of(due_in).is_some_and(|over_ns| end_ns > over_ns) {
                let group = found[kind_at][due_in as usize].get_or_insert_default();
                group.group.under_way += 1;
                group.group.ok_at_edge += u64::from(phase != due_in && outcome == Outcome::Ok);
            }
            let group = found[kind_at][phase as usize].get_or_insert_default();
            group.group.counts.add(outcome);
            group.group.at_end += u64::from(end_ns > phases.end_ns());
            if outcome == Outcome::Ok {
                group.response_ns.push(end_ns.saturating_sub(intended_ns));
                let Some(start_ns) = start_ns else {
                    polars_bail!(ComputeError: "an ok operation, due at {intended_ns} ns, has no start_ns");
                };
                group.service_ns.push(end_ns.saturating_sub(start_ns));
            }
        }
        Ok(())
    }

    /// As [`by_kind_and_phase`].
    pub(super) fn finish(self, facts: &Facts) -> BTreeMap<(KindKey, Phase), Group> {
        let mut groups = BTreeMap::new();
        for (kind_at, phases) in self.found.into_iter().enumerate() {
            let key = (kind_at, self.kinds[kind_at].clone());
            if phases.iter().any(Option::is_some) {
                // A kind that occurs has a row for each phase of the run, also where it has no operation.
                for phase in partition(facts) {
                    groups.insert((key.clone(), phase), Group::default());
                }
            }
            for (phase, group) in Phase::ALL.into_iter().zip(phases) {
                if let Some(group) = group {
                    groups.insert((key.clone(), phase), group.sorted());
                }
            }
        }
        add_totals(&mut groups, facts);
        groups
    }
}

/// The phases that partition the run's operations.
fn partition(facts: &Facts) -> impl Iterator<Item = Phase> {
    facts.phases.parts().into_iter().chain(facts.phases.has_edges().then_some(Phase::Edge))
}

/// Adds phase `all` of each kind, and kind `all` where several occur or none does.
fn add_totals(groups: &mut BTreeMap<(KindKey, Phase), Group>, facts: &Facts) {
    let mut kinds: Vec<KindKey> = groups.keys().map(|(kind, _)| kind.clone()).collect();
    kinds.dedup();
    let all_kinds = (usize::MAX, ALL_KINDS.to_owned());
    if kinds.len() != 1 {
        for phase in partition(facts) {
            groups.insert((all_kinds.clone(), phase), Group::default());
        }
        for kind in &kinds {
            for phase in Phase::ALL {
                add_copy(groups, (kind, phase), (&all_kinds, phase));
            }
        }
        kinds.push(all_kinds);
    }
    for kind in kinds {
        for part in [Phase::Before, Phase::During, Phase::After, Phase::Edge] {
            add_copy(groups, (&kind, part), (&kind, Phase::All));
        }
    }
}

fn add_copy(groups: &mut BTreeMap<(KindKey, Phase), Group>, from: (&KindKey, Phase), into: (&KindKey, Phase)) {
    if let Some(part) = groups.remove(&(from.0.clone(), from.1)) {
        groups.entry((into.0.clone(), into.1)).or_default().merge(&part);
        groups.insert((from.0.clone(), from.1), part);
    }
}
