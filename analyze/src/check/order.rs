//! Real-time order: one sweep over starts and ends, so that each operation is compared with all that had ended before it
//! began, at once.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use run_folder::operation::Kind;

use super::history::{Entry, History};
use super::{Check, Counted, Finding, Violations};

/// The highest value so far, and the operation that has it.
#[derive(Debug, Clone, Copy, Default)]
struct Highest {
    value: i64,
    at: Option<u32>,
}

impl Highest {
    fn take(&mut self, value: i64, at: u32) {
        if value > self.value {
            *self = Self { value, at: Some(at) };
        }
    }
}

/// Whoever ended before another operation began has no higher revision. `revision_before` is that of a read that ended before
/// all of them; `deletes` are deletions that certainly deleted something, which are writes.
///
/// A serializable read shows a revision that the store has reached, so that it binds what comes after it; it is not bound
/// itself.
pub(super) fn revisions(history: &History, revision_before: Option<i64>, deletes: &HashSet<u32>) -> Finding {
    let highest = Cell::new(Highest { value: revision_before.unwrap_or(0), at: None });
    let (mut on, mut violations) = (Counted::default(), Violations::default());
    history.in_real_time(
        |at, entry| {
            if entry.has_revision() {
                let mut now = highest.get();
                now.take(entry.revision, at);
                highest.set(now);
            }
        },
        |history, at, entry| {
            if !entry.has_revision() || !entry.is_linearizable() {
                return;
            }
            on.add(entry.kind);
            let (before, writes) = (highest.get(), entry.has_put() || deletes.contains(&at));
            if entry.revision < before.value || (writes && entry.revision == before.value) {
                violations.add(|| match before.at {
                    Some(earlier) => format!("{} had ended before {entry} began", history.at(earlier)),
                    None => format!("the store was at revision {} before {entry}", before.value),
                });
            }
        },
    );
    Finding::new(Check::RealTimeOrder, on, violations)
}

/// Raft terms, likewise, among linearizable operations. Serializable reads are left out: a member that is cut off tells a term
/// of its own.
pub(super) fn terms(history: &History) -> Finding {
    let highest = Cell::new(Highest::default());
    let (mut on, mut violations) = (Counted::default(), Violations::default());
    let counts = |entry: &Entry| entry.is_ok && entry.raft_term > 0 && entry.is_linearizable();
    history.in_real_time(
        |at, entry| {
            if counts(entry) {
                let mut now = highest.get();
                now.take(entry.raft_term, at);
                highest.set(now);
            }
        },
        |history, _, entry| {
            if !counts(entry) {
                return;
            }
            on.add(entry.kind);
            let before = highest.get();
            if let (true, Some(earlier)) = (entry.raft_term < before.value, before.at) {
                violations.add(|| {
                    let earlier = history.at(earlier);
                    format!(
                        "{earlier} in term {} had ended before {entry} in term {} began",
                        before.value, entry.raft_term
                    )
                });
            }
        },
    );
    Finding::new(Check::Terms, on, violations)
}

/// The answers of each member by itself. etcd promises no order between the serializable reads of different members.
pub(super) fn members(history: &History) -> Finding {
    let highest = RefCell::new(vec![Highest::default(); usize::from(u8::MAX) + 1]);
    let (mut on, mut violations) = (Counted::default(), Violations::default());
    let member_of = |entry: &Entry| entry.member.filter(|_| entry.has_revision()).map(usize::from);
    history.in_real_time(
        |at, entry| {
            if let Some(member) = member_of(entry) {
                highest.borrow_mut()[member].take(entry.revision, at);
            }
        },
        |history, _, entry| {
            let Some(member) = member_of(entry) else { return };
            on.add(entry.kind);
            let before = highest.borrow()[member];
            if let (true, Some(earlier)) = (entry.revision < before.value, before.at) {
                violations.add(|| {
                    format!(
                        "member {member} answered {} before {entry} began, which it answered too",
                        history.at(earlier)
                    )
                });
            }
        },
    );
    let finding = Finding::new(Check::MemberOrder, on, violations);
    match on.total() {
        0 if history.entries.iter().any(Entry::has_revision) => {
            Finding::not_checkable(Check::MemberOrder, "no answer names a member of the cluster")
        }
        _ if history.entries.iter().any(|entry| entry.kind == Kind::GetSerializable) => finding,
        _ => finding.with("the run has no serializable reads; the order of the others follows from real_time_order"),
    }
}
