//! Bundles in the place of folders: unpacked once into a temporary folder, which goes when the command is over.
//!
//! It goes before the command does when that is interrupted. What a command leaves when it is killed is removed by the next one that opens a bundle: each temporary folder has a
//! file that its process keeps locked, and the system lets go of a lock when its process ends in whatever way.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use run_folder::DEFAULT_RESULTS_DIR;
use tempfile::TempDir;

use super::contents::Place;
use super::{interrupt, read};
use crate::{Error, Result};

const PREFIX: &str = "laggard-bundle-";
const LOCK: &str = ".lock";
/// A folder is this old before it can be left over: its lock is taken a moment after it is made.
const YOUNG: Duration = Duration::from_secs(60);

/// A bundle in a temporary folder, which goes with this.
#[derive(Debug)]
pub struct Unpacked {
    /// Absent at the end only.
    dir: Option<TempDir>,
    lock: Option<File>,
    /// The process that it is of: one that was forked from it must not remove it.
    process: u32,
}

impl Unpacked {
    /// Verifies and unpacks a bundle, for who keeps it longer than a command takes.
    ///
    /// # Errors
    /// [`Error::Bundle`] when it is none, or not as it should be; [`Error::Interrupted`].
    pub fn new(bundle: &Path) -> Result<Self> {
        unpack(bundle)
    }

    /// The results folder inside.
    pub fn results(&self) -> PathBuf {
        self.dir.as_ref().map_or_else(PathBuf::new, |dir| dir.path().join(DEFAULT_RESULTS_DIR))
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // Some systems remove no file that is open.
        self.lock = None;
        if let Some(dir) = self.dir.take()
            && self.process != std::process::id()
        {
            let _ = dir.keep();
        }
    }
}

#[derive(Debug)]
struct Open {
    sessions: usize,
    bundles: BTreeMap<PathBuf, Unpacked>,
}

/// Folders of runs know nothing of bundles, and must stay there as long as anybody may read them; so the process keeps
/// them until no command is under way.
static OPEN: Mutex<Open> = Mutex::new(Open { sessions: 0, bundles: BTreeMap::new() });

fn open() -> MutexGuard<'static, Open> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As long as one exists, bundles stay unpacked. Each command has one; after the last, the temporary folders go.
#[derive(Debug)]
pub struct Session(());

impl Session {
    /// Begins a session.
    #[expect(clippy::new_without_default, reason = "it is kept for what its end does")]
    pub fn new() -> Self {
        open().sessions += 1;
        Self(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut open = open();
        open.sessions -= 1;
        if open.sessions == 0 {
            open.bundles.clear();
        }
    }
}

/// The results folder that `path` stands for: itself when it is a folder, and when it is a bundle the one inside, verified
/// and unpacked. Keep a [`Session`] while you use it.
///
/// # Errors
/// [`Error::Bundle`] when it is neither, or a bundle that is not as it should be.
pub fn results(path: &Path) -> Result<PathBuf> {
    if path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let cannot_open = |error: std::io::Error| Error::bundle(path, format!("cannot be opened: {error}"));
    let known = fs::canonicalize(path).map_err(cannot_open)?;
    // Several threads may ask for the same one; the lock has the others wait.
    let mut open = open();
    if let Some(unpacked) = open.bundles.get(&known) {
        return Ok(unpacked.results());
    }
    interrupt::watch(|| {
        let mut open = self::open();
        open.bundles.clear();
        // Whoever asks for a bundle now waits for the end.
        std::mem::forget(open);
    });
    let unpacked = unpack(path)?;
    let results = unpacked.results();
    open.bundles.insert(known, unpacked);
    Ok(results)
}

fn unpack(bundle: &Path) -> Result<Unpacked> {
    let parent = std::env::temp_dir();
    remove_left_over(&parent);
    let cannot_make = |error: std::io::Error| {
        Error::bundle(bundle, format!("no folder to unpack it to can be made in {}: {error}", parent.display()))
    };
    let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent).map_err(cannot_make)?;
    let lock = File::create_new(dir.path().join(LOCK)).map_err(cannot_make)?;
    // Where there are no locks, nobody can take it for left over either.
    let _ = lock.lock();
    let root = dir.path().to_path_buf();
    let unpacked = Unpacked { dir: Some(dir), lock: Some(lock), process: std::process::id() };
    fs::create_dir(unpacked.results()).map_err(cannot_make)?;
    read::read(bundle, |file, place| match place {
        Place::Recorded => read::create(bundle, &root.join(&file.path)).map(Some),
        Place::Text => Ok(None),
    })?;
    Ok(unpacked)
}

/// Removes the folders of processes that were killed. Whatever stands in the way is the business of whoever put it there.
fn remove_left_over(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && entry.metadata().is_ok_and(|data| {
                data.modified().ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > YOUNG)
            });
        if is_ours
            && let Ok(lock) = File::open(entry.path().join(LOCK))
            && lock.try_lock().is_ok()
        {
            drop(lock);
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets the time of the last change of a folder back, as a test cannot wait.
    fn make_old(dir: &Path) {
        let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
        File::open(dir).and_then(|dir| dir.set_modified(hour_ago)).expect("its time can be set");
    }

    #[test]
    fn only_what_nobody_holds_is_removed() {
        let parent = tempfile::tempdir().expect("a folder");
        let make = |name: &str, old: bool| {
            let dir = parent.path().join(name);
            fs::create_dir(&dir).expect("a folder");
            fs::write(dir.join(LOCK), "").expect("a file");
            if old {
                make_old(&dir);
            }
            dir
        };
        let left_over = make("laggard-bundle-a", true);
        let in_use = make("laggard-bundle-b", true);
        let young = make("laggard-bundle-c", false);
        let of_others = make("other", true);
        let lock = File::open(in_use.join(LOCK)).expect("a file");
        lock.lock().expect("a lock");
        remove_left_over(parent.path());
        let there = [&left_over, &in_use, &young, &of_others].map(|dir| dir.exists());
        assert_eq!(there, [false, true, true, true]);
    }
}
