//! Sweeps: runs that were planned together, and the manifest that ties them together.
//!
//! A sweep's manifest is `sweeps/<STAMP>_<NAME>.json` in the results folder; the file's stem is the sweep's id, which
//! each of its runs names in [`crate::manifest::SweepPlace`]. The runs themselves are run folders like any other. Which
//! of them are finished is the run folders' to say: the sweep's manifest repeats it for readers.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::manifest::{Role, Status, read_json, replace_json};
use crate::{Error, FORMAT_VERSION, Label, Result, RunFolder, RunSpec, folder};

/// Name of the folder in the results folder that holds the sweeps' manifests.
const SWEEPS: &str = "sweeps";

/// The content of a sweep's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepManifest {
    /// Version of the format, the same as that of run folders.
    pub format_version: u32,
    /// Version of the recorder that wrote it.
    pub tool_version: String,
    /// `<STAMP>_<NAME>`.
    pub id: String,
    /// The plan's name.
    pub name: Label,
    /// The plan as it was written, in TOML.
    pub plan: String,
    /// Source of the order of the runs and of their own seeds.
    pub seed: u64,
    /// How often each run is repeated.
    pub repeat: u32,
    /// Length of each run where one was asked for in place of the plan's, as typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Whether runs share a cluster instead of having a fresh one each.
    pub reuse_cluster: bool,
    /// Wall-clock time of the beginning, in nanoseconds of the Unix epoch.
    pub started_unix_ns: i64,
    /// Wall-clock time at which the last run was over; absent as long as there are runs to make.
    pub ended_unix_ns: Option<i64>,
    /// The runs, in the order in which they are made.
    pub runs: Vec<SweepRun>,
}

/// A run of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepRun {
    /// Its number, from 1.
    pub number: usize,
    /// Number of the repeat that it belongs to, from 1.
    pub repeat: u32,
    /// What it is for.
    pub role: Role,
    /// What is run.
    pub spec: RunSpec,
    /// The run folders that were made for it; one that is not finished is followed by another when the sweep is resumed.
    pub attempts: Vec<Attempt>,
}

/// One attempt at a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Name of the run folder.
    pub run: String,
    /// How it stands.
    pub status: Status,
}

impl SweepRun {
    /// The run folder that is finished, if there is one.
    pub fn finished(&self) -> Option<&str> {
        self.attempts.iter().find(|attempt| attempt.status == Status::Finished).map(|attempt| attempt.run.as_str())
    }
}

impl SweepManifest {
    /// A sweep that begins now, with an id that no other sweep in `results` has.
    pub fn new(results: &Path, name: Label, now: DateTime<Utc>) -> Self {
        let mut time = now;
        let id = loop {
            let id = format!("{}_{name}", time.format(folder::STAMP_FORMAT));
            if !path(results, &id).exists() {
                break id;
            }
            time += chrono::TimeDelta::seconds(1);
        };
        Self {
            format_version: FORMAT_VERSION,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            id,
            name,
            plan: String::new(),
            seed: 0,
            repeat: 1,
            duration: None,
            reuse_cluster: false,
            started_unix_ns: now.timestamp_nanos_opt().unwrap_or(0),
            ended_unix_ns: None,
            runs: Vec::new(),
        }
    }

    /// The manifest's file in `results`.
    pub fn path(&self, results: &Path) -> PathBuf {
        path(results, &self.id)
    }

    /// Writes the manifest so that a reader sees the old one or the new one, never a half.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, results: &Path) -> Result<()> {
        replace_json(&self.path(results), self)
    }

    /// Reads all sweeps of a results folder, in order of time; none where there is no such folder.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NewerFormat`], [`Error::Corrupt`].
    pub fn list(results: &Path) -> Result<Vec<Self>> {
        let dir = results.join(SWEEPS);
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io(&dir, "cannot read the sweeps"))?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::io(&dir, "cannot read the sweeps"))?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
        paths.sort();
        paths.iter().map(|path| read_json(path)).collect()
    }

    /// Takes the attempts at each run from the run folders in `results`, in order of time. Folders of other sweeps, and
    /// those that cannot be read, are passed over.
    ///
    /// # Errors
    /// [`Error::Io`] when `results` cannot be read.
    pub fn find_attempts(&mut self, results: &Path) -> Result<()> {
        self.runs.iter_mut().for_each(|run| run.attempts.clear());
        for folder in RunFolder::list(results)? {
            let Ok(manifest) = folder.manifest() else { continue };
            let place = manifest.sweep.filter(|place| place.sweep == self.id);
            let run = place.and_then(|place| self.runs.iter_mut().find(|run| run.number == place.number));
            if let Some(run) = run {
                run.attempts.push(Attempt { run: folder.name(), status: manifest.status });
            }
        }
        Ok(())
    }
}

fn path(results: &Path, id: &str) -> PathBuf {
    results.join(SWEEPS).join(format!("{id}.json"))
}

/// Proof that no other sweep is under way in a results folder. The operating system lets go of it when the process ends
/// in whatever way.
#[derive(Debug)]
pub struct SweepLock {
    _folder: File,
}

impl SweepLock {
    /// Takes the lock of `results`, making the folder of its sweeps where it is missing.
    ///
    /// # Errors
    /// [`Error::SweepUnderWay`] when another sweep has it, [`Error::Io`].
    pub fn take(results: &Path) -> Result<Self> {
        let dir = results.join(SWEEPS);
        fs::create_dir_all(&dir).map_err(Error::io(&dir, "cannot make the folder of the sweeps"))?;
        let lock = dir.join("lock");
        let folder = File::create(&lock).map_err(Error::io(&lock, "cannot be made"))?;
        match folder.try_lock() {
            Ok(()) => Ok(Self { _folder: folder }),
            Err(TryLockError::WouldBlock) => Err(Error::SweepUnderWay { path: results.to_path_buf() }),
            // Some network file systems have no locks. A sweep without one is better than none.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Self { _folder: folder })
            }
            Err(TryLockError::Error(error)) => Err(Error::io(&lock, "cannot lock")(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(results: &Path) -> SweepManifest {
        SweepManifest::new(results, Label::new("quick").unwrap(), DateTime::from_timestamp(1_800_000_000, 0).unwrap())
    }

    #[test]
    fn sweeps_come_back_in_order_of_time_and_have_different_ids() {
        let results = tempfile::tempdir().unwrap();
        assert_eq!(SweepManifest::list(results.path()).unwrap(), []);
        let _lock = SweepLock::take(results.path()).unwrap();
        let first = sweep(results.path());
        first.write(results.path()).unwrap();
        let second = sweep(results.path());
        second.write(results.path()).unwrap();
        assert_eq!(first.id, "20270115_080000_quick");
        assert_eq!(second.id, "20270115_080001_quick");
        assert_eq!(SweepManifest::list(results.path()).unwrap(), [first, second]);
        assert_eq!(RunFolder::list(results.path()).unwrap(), [], "sweeps are no runs");
    }

    #[test]
    fn one_sweep_at_a_time_in_a_results_folder() {
        let results = tempfile::tempdir().unwrap();
        let lock = SweepLock::take(results.path()).unwrap();
        assert!(matches!(SweepLock::take(results.path()), Err(Error::SweepUnderWay { .. })));
        drop(lock);
        SweepLock::take(results.path()).unwrap();
    }
}
