//! Whether what a cluster answered can be right, and whether its recording is whole, judged from one run's rows alone.
//!
//! etcd promises that operations "occur in a total order, consistent with real-time order", and names that order: the
//! revision (etcd API guarantees, <https://etcd.io/docs/v3.5/learning/api_guarantees/>). A checker that is given nothing but
//! calls and answers has to search for such an order, which takes exponential time at worst (M. Herlihy and J. Wing,
//! Linearizability, ACM TOPLAS 12(3), 1990, define it; porcupine and Knossos search). Here the order is given, so that it
//! only has to be verified, which takes as long as sorting:
//!
//! - operations in the order of their revisions, each write before what else has its revision, are a history that one store
//!   could have produced: each read and each comparison saw the latest write of its key ([`keys`]), each write has a revision
//!   of its own ([`unique`]), and what was seen has been written ([`keys`] again);
//! - that order keeps real time: whatever ended before another operation began has no higher revision ([`order`]).
//!
//! Both together are linearizability of all acknowledged operations that are linearizable, with the revisions as witness. When
//! one of them is violated, no other order helps: the revision is what was promised.
//!
//! Nothing in here reads a file.

pub mod counters;
mod final_state;
pub mod history;
mod keys;
mod matching;
mod order;
pub mod recording;
mod run;
#[cfg(test)]
mod tests;
mod under_way;
mod unique;

use run_folder::operation::Kind;

pub use run::{Subject, judge};

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// No row is missing or doubled.
    Rows,
    /// What each row says fits together.
    RowFields,
    /// The older scripts' files agree with the rows.
    OlderFiles,
    /// No more operations under way than the workload allows.
    Concurrency,
    /// Real-time order by revision.
    RealTimeOrder,
    /// Real-time order by raft term.
    Terms,
    /// One member's revisions never go back.
    MemberOrder,
    /// No two writes share a revision.
    UniqueRevisions,
    /// Each read saw the latest write.
    Reads,
    /// Each comparison that held saw the latest write.
    CompareAndSwap,
    /// What was seen has been written.
    Origins,
    /// What was acknowledged is in the final state.
    FinalState,
    /// Members hold the same data at the end.
    MembersAgree,
    /// The store's revision grew by what was written.
    RevisionGrowth,
    /// Sampled counters of raft entries fit the writes.
    RaftCounters,
    /// Little's law.
    LittlesLaw,
}

impl Check {
    /// Every check, in the order of tables.
    pub const ALL: [Self; 16] = [
        Self::Rows,
        Self::RowFields,
        Self::OlderFiles,
        Self::Concurrency,
        Self::RealTimeOrder,
        Self::Terms,
        Self::MemberOrder,
        Self::UniqueRevisions,
        Self::Reads,
        Self::CompareAndSwap,
        Self::Origins,
        Self::FinalState,
        Self::MembersAgree,
        Self::RevisionGrowth,
        Self::RaftCounters,
        Self::LittlesLaw,
    ];

    /// The name in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::RowFields => "row_fields",
            Self::OlderFiles => "older_files",
            Self::Concurrency => "concurrency",
            Self::RealTimeOrder => "real_time_order",
            Self::Terms => "terms",
            Self::MemberOrder => "member_order",
            Self::UniqueRevisions => "unique_revisions",
            Self::Reads => "reads",
            Self::CompareAndSwap => "compare_and_swap",
            Self::Origins => "origins",
            Self::FinalState => "final_state",
            Self::MembersAgree => "members_agree",
            Self::RevisionGrowth => "revision_growth",
            Self::RaftCounters => "raft_counters",
            Self::LittlesLaw => "littles_law",
        }
    }

    /// What is guaranteed when it holds.
    pub const fn guarantee(self) -> &'static str {
        match self {
            Self::Rows => {
                "every operation that became due has exactly one row: numbers from 0 without gaps, as many as the manifest says"
            }
            Self::RowFields => "in each row intended <= start <= end, and answer and error fit the outcome",
            Self::OlderFiles => "latency.log, anomaly.log and throughput.csv count what the rows count",
            Self::Concurrency => "never more operations under way than the workload's concurrency",
            Self::RealTimeOrder => {
                "a linearizable operation that began after another one had ended has no lower revision, a write a higher one"
            }
            Self::Terms => "the raft term of linearizable operations never goes back in real time",
            Self::MemberOrder => {
                "no member answers at a lower revision than it did before; serializable reads count too"
            }
            Self::UniqueRevisions => "every acknowledged write has a revision that no other write has",
            Self::Reads => "each read saw the latest write of its key at its revision, serializable reads too",
            Self::CompareAndSwap => {
                "each comparison that held had the latest write of its key before the transaction's own"
            }
            Self::Origins => {
                "every modification that was seen was written by an operation on that key that could have, or before the run"
            }
            Self::FinalState => "every acknowledged write is covered by the final state, and nothing else is in it",
            Self::MembersAgree => "all members hold the same data at the final revision",
            Self::RevisionGrowth => {
                "the store's revision grew by at least the acknowledged writes and at most all that may have been done"
            }
            Self::RaftCounters => {
                "members' sampled raft indices grew by at least the acknowledged writes and at most all that may have been done"
            }
            Self::LittlesLaw => {
                "writes under way = rate of raft entries as sampled x mean service time as recorded, in each phase"
            }
        }
    }
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing contradicts the guarantee.
    Held,
    /// Something does.
    Violated,
    /// It cannot be told.
    NotCheckable,
    /// The run has nothing that it is about.
    NotApplicable,
}

impl Verdict {
    /// The word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::NotCheckable => "not checkable",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// The result of one check of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// How it came out.
    pub verdict: Verdict,
    /// On how many operations of which kinds.
    pub on: Counted,
    /// Number of contradictions.
    pub violations: u64,
    /// What else is to be known, in a sentence; empty when nothing is.
    pub detail: String,
    /// The first contradictions.
    pub examples: Vec<String>,
}

impl Finding {
    /// What was found on these operations: not applicable when there are none.
    pub(crate) fn new(check: Check, on: Counted, violations: Violations) -> Self {
        let verdict = match (on.total(), violations.count) {
            (_, 1..) => Verdict::Violated,
            (0, 0) => Verdict::NotApplicable,
            _ => Verdict::Held,
        };
        Self { check, verdict, on, violations: violations.count, detail: String::new(), examples: violations.examples }
    }

    /// Cannot be told, and why.
    pub(crate) fn not_checkable(check: Check, why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::NotCheckable,
            detail: why.into(),
            ..Self::new(check, Counted::default(), Violations::default())
        }
    }

    /// Has nothing to be applied to, and why.
    pub(crate) fn not_applicable(check: Check, why: impl Into<String>) -> Self {
        Self { detail: why.into(), ..Self::new(check, Counted::default(), Violations::default()) }
    }

    /// With something more to be known.
    pub(crate) fn with(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// Not held but not checkable where `doubt` says why a contradiction may not be one.
    pub(crate) fn doubted(self, doubt: Option<String>) -> Self {
        match (self.verdict, doubt) {
            (Verdict::Held | Verdict::NotApplicable, Some(doubt)) => {
                Self { verdict: Verdict::NotCheckable, detail: doubt, ..self }
            }
            _ => self,
        }
    }
}

/// Operations by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted([u64; Kind::ALL.len()]);

impl Counted {
    /// Counts one.
    pub fn add(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted: Vec<_> =
            Kind::ALL.iter().zip(self.0).filter(|(_, n)| *n > 0).map(|(kind, n)| format!("{kind} {n}")).collect();
        f.write_str(&counted.join(", "))
    }
}

/// Contradictions that are described.
const EXAMPLES_MAX: usize = 3;

/// Contradictions: how many, and what the first ones are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Violations {
    pub(crate) count: u64,
    pub(crate) examples: Vec<String>,
}

impl Violations {
    pub(crate) fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example());
        }
    }
}
