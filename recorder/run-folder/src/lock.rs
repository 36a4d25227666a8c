//! The lock that tells a live recorder from a dead one.
//!
//! A recorder holds an exclusive lock on the operations journal. The operating system lets go of it when the process
//! ends in whatever way, so unlike a process id in a file it never outlives its recorder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::{Error, Result, RunFolder};

/// Proof that a recorder is at work on a run folder. Keep it until the manifest says how the run ended.
#[derive(Debug)]
pub struct RunLock {
    _journal: File,
}

impl RunLock {
    /// Another hold on the lock that `journal` has: it lasts until the last one is dropped.
    pub(crate) fn share(journal: &File, path: &Path) -> Result<Self> {
        let journal = journal.try_clone().map_err(Error::io(path, "cannot share the lock"))?;
        Ok(Self { _journal: journal })
    }
}

/// Locks an open journal of `folder`.
///
/// # Errors
/// [`Error::StillRecording`] when somebody else has the lock.
pub(crate) fn lock(folder: &RunFolder, journal: &File) -> Result<()> {
    match journal.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::StillRecording { path: folder.dir().to_path_buf() }),
        // Some network file systems have no locks. A recording without one is better than none.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(Error::io(folder.operations_journal(), "cannot lock")(error)),
    }
}
