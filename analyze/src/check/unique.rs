//! Each write has a revision of its own.

use run_folder::operation::Kind;

use super::history::History;
use super::keys::Deletes;
use super::{Check, Counted, Finding};

/// Puts, transactions whose comparison held, and deletions that certainly deleted something. A transaction whose comparison
/// failed and the deletion of an absent key write nothing, and their revisions are those of earlier writes.
pub(super) fn revisions(history: &History, deletes: &Deletes) -> Finding {
    let mut writes = history.indices(super::history::Entry::has_put);
    writes.extend(&deletes.certain);
    writes.sort_unstable_by_key(|&at| history.at(at).revision);
    let (mut on, mut violations) = (Counted::default(), deletes.beside_a_put.clone());
    writes.iter().for_each(|&at| on.add(history.at(at).kind));
    for pair in writes.windows(2) {
        let (one, other) = (history.at(pair[0]), history.at(pair[1]));
        if one.revision == other.revision {
            violations.add(|| format!("{one} and {other} share a revision"));
        }
    }
    let finding = Finding::new(Check::UniqueRevisions, on, violations);
    let others = history.entries.iter().filter(|entry| entry.has_revision() && entry.kind == Kind::Delete).count()
        - deletes.certain.len();
    match others {
        0 => finding,
        _ => finding.with(format!("{others} deletions may have found their key absent and are left out")),
    }
}
