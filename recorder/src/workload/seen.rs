//! What answers have shown of each key: the revision that a compare-and-swap expects.

use std::sync::{Mutex, PoisonError};

use run_folder::spec::WorkloadSpec;

/// The newest observation of each key; empty in a workload without transactions, which alone need it.
#[derive(Debug)]
pub(super) struct SeenRevisions(Vec<Mutex<Observation>>);

#[derive(Debug, Clone, Copy, Default)]
struct Observation {
    /// Store revision at which it was made.
    at_revision: i64,
    /// Revision of the key's last modification then; 0 when the key was absent.
    mod_revision: i64,
}

impl SeenRevisions {
    pub(super) fn new(spec: &WorkloadSpec) -> Self {
        let keys = if spec.mix.txn > 0 { spec.keys } else { 0 };
        Self((0..keys).map(|_| Mutex::default()).collect())
    }

    /// Takes in that `key` had `mod_revision` when the store was at `at_revision`, unless something newer is known.
    pub(super) fn observe(&self, key: i32, at_revision: i64, mod_revision: i64) {
        if let Some(seen) = self.0.get(key as usize) {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if at_revision >= seen.at_revision {
                *seen = Observation { at_revision, mod_revision };
            }
        }
    }

    /// The newest known revision of the last modification of `key`; 0 when it is absent or nothing is known.
    pub(super) fn mod_revision(&self, key: i32) -> i64 {
        self.0.get(key as usize).map_or(0, |seen| seen.lock().unwrap_or_else(PoisonError::into_inner).mod_revision)
    }
}
