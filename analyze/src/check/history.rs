//! What checks need of a run's operations, in as few bytes as they can be sorted in: 64 a row, and 8 for two orders.

use run_folder::Operation;
use run_folder::operation::{Kind, Outcome};

/// An operation that was sent and was acknowledged or may have been done. What certainly was not done is only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// When it was sent.
    pub start_ns: i64,
    /// When it was answered or given up.
    pub end_ns: i64,
    /// The answer's revision; 0 without one.
    pub revision: i64,
    /// The modification that it saw.
    seen: i64,
    /// The answer's raft term; 0 without one.
    pub raft_term: i64,
    /// Its number.
    pub op_id: i64,
    /// Its key.
    pub key: i32,
    /// What was asked.
    pub kind: Kind,
    /// Whether it was acknowledged; else it may have been done.
    pub is_ok: bool,
    /// Member that answered.
    pub member: Option<u8>,
    /// Whether its comparison held.
    pub txn_succeeded: Option<bool>,
}

const NOTHING_SEEN: i64 = -1;

impl Entry {
    fn of(row: &Operation) -> Option<Self> {
        let is_ok = row.outcome == Outcome::Ok;
        if !is_ok && row.outcome != Outcome::Unknown {
            return None;
        }
        Some(Self {
            start_ns: row.start_ns?,
            end_ns: row.end_ns,
            revision: row.revision.unwrap_or(0),
            seen: row.seen_mod_revision.unwrap_or(NOTHING_SEEN),
            raft_term: row.raft_term.unwrap_or(0),
            op_id: row.op_id,
            key: row.key,
            kind: row.kind,
            is_ok,
            member: row.member,
            txn_succeeded: row.txn_succeeded,
        })
    }

    /// The modification that it saw, 0 for an absent key; `None` when it did not look.
    pub fn seen(&self) -> Option<i64> {
        (self.seen != NOTHING_SEEN).then_some(self.seen)
    }

    /// Whether it was acknowledged with a revision.
    pub fn has_revision(&self) -> bool {
        self.is_ok && self.revision > 0
    }

    /// Whether it certainly wrote its key.
    pub fn has_put(&self) -> bool {
        self.has_revision() && (self.kind == Kind::Put || (self.kind == Kind::Txn && self.txn_succeeded == Some(true)))
    }

    /// Whether it goes through the raft log.
    pub fn is_logged(&self) -> bool {
        matches!(self.kind, Kind::Put | Kind::Txn | Kind::Delete)
    }

    /// Whether it takes part in the total order.
    pub fn is_linearizable(&self) -> bool {
        self.kind != Kind::GetSerializable
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let s = |ns: i64| ns as f64 / 1e9;
        write!(
            f,
            "op {} ({} of key {}, {:.6} s to {:.6} s",
            self.op_id,
            self.kind,
            self.key,
            s(self.start_ns),
            s(self.end_ns)
        )?;
        match self.has_revision() {
            true => write!(f, ", revision {}", self.revision)?,
            false => f.write_str(", outcome unknown")?,
        }
        match (self.seen(), self.txn_succeeded) {
            (Some(seen), Some(true)) => write!(f, ", compared with {seen}"),
            (Some(seen), _) => write!(f, ", saw {seen}"),
            (None, _) => Ok(()),
        }?;
        f.write_str(")")
    }
}

/// The operations of a run that may have had an effect, and two orders of them.
#[derive(Debug, Default)]
pub struct History {
    /// In the order of the rows.
    pub entries: Vec<Entry>,
    /// Operations that the log may hold although they were refused: certainly without effect on keys.
    pub failed_logged: u64,
    by_start: Vec<u32>,
    by_end: Vec<u32>,
}

impl History {
    /// Takes an operation in.
    pub fn push(&mut self, row: &Operation) {
        match Entry::of(row) {
            Some(entry) => self.entries.push(entry),
            None if row.outcome == Outcome::Failed => {
                self.failed_logged += u64::from(matches!(row.kind, Kind::Put | Kind::Txn | Kind::Delete));
            }
            None => {}
        }
    }

    /// Sorts what was taken in.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let all = || (0..self.entries.len() as u32).collect::<Vec<_>>();
        let (mut by_start, mut by_end) = (all(), all());
        by_start.sort_unstable_by_key(|&at| self.at(at).start_ns);
        by_end.sort_unstable_by_key(|&at| self.at(at).end_ns);
        (self.by_start, self.by_end) = (by_start, by_end);
        self
    }

    /// The entry at an index.
    pub fn at(&self, at: u32) -> &Entry {
        &self.entries[at as usize]
    }

    /// Indices in the order of starts.
    pub fn by_start(&self) -> &[u32] {
        &self.by_start
    }

    /// Indices in the order of ends.
    pub fn by_end(&self) -> &[u32] {
        &self.by_end
    }

    /// Indices of the entries that `is_wanted` wants.
    pub fn indices(&self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<u32> {
        (0..).zip(&self.entries).filter(|(_, entry)| is_wanted(entry)).map(|(at, _)| at).collect()
    }

    /// Calls `visit` for each entry in the order of starts, after `ended` was called for all that had ended before it
    /// began. What ends at the very moment does not count as before.
    pub fn in_real_time(&self, mut ended: impl FnMut(u32, &Entry), mut visit: impl FnMut(&Self, u32, &Entry)) {
        // One closure would have to borrow what the other changes: both get what they need through cells of the caller.
        let mut next = 0;
        for &at in &self.by_start {
            let entry = self.at(at);
            while let Some(&earlier) =
                self.by_end.get(next).filter(|&&earlier| self.at(earlier).end_ns < entry.start_ns)
            {
                ended(earlier, self.at(earlier));
                next += 1;
            }
            visit(self, at, entry);
        }
    }
}
