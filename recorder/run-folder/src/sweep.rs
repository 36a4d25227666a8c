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
    /// What was asked for in place of what the plan says.
    pub asked: Asked,
    /// Version of etcd that the runs use.
    pub etcd_version: String,
    /// Whether runs share a cluster instead of having a fresh one each.
    pub reuse_cluster: bool,
    /// Wall-clock time of the beginning, in nanoseconds of the Unix epoch.
    pub started_unix_ns: i64,
    /// Wall-clock time at which the last run was over; absent as long as there are runs to make.
    pub ended_unix_ns: Option<i64>,
    /// The runs, in the order in which they are made.
    pub runs: Vec<SweepRun>,
}

/// What the command line put in place of what the plan says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Length of each run, as typed.
    pub duration: Option<String>,
    /// Number of repeats.
    pub repeat: Option<u32>,
    /// Source of the order and of the runs' seeds.
    pub seed: Option<u64>,
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
            asked: Asked::default(),
            etcd_version: String::new(),
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

    /// Ids of all sweeps of a results folder, in order of time; none where there is no such folder. What is named
    /// otherwise is passed over.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn ids(results: &Path) -> Result<Vec<String>> {
        let dir = results.join(SWEEPS);
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io(&dir, "cannot read the sweeps"))?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(Error::io(&dir, "cannot read the sweeps"))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            ids.extend(id.filter(|id| folder::split_name(id).is_some()).map(str::to_owned));
        }
        ids.sort();
        Ok(ids)
    }

    /// Reads all sweeps of a results folder, in order of time.
    ///
    /// # Errors
    /// As [`SweepManifest::read`].
    pub fn list(results: &Path) -> Result<Vec<Self>> {
        Self::ids(results)?.iter().map(|id| Self::read(results, id)).collect()
    }

    /// Reads the newest sweep of this name, if there is one.
    ///
    /// # Errors
    /// As [`SweepManifest::read`].
    pub fn newest(results: &Path, name: &Label) -> Result<Option<Self>> {
        let ids = Self::ids(results)?;
        let of_name = |id: &&String| folder::split_name(id).is_some_and(|(_, found)| found == *name);
        ids.iter().rev().find(of_name).map(|id| Self::read(results, id)).transpose()
    }

    /// Reads a sweep by its id.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NewerFormat`], [`Error::Corrupt`], also when the manifest is that of another sweep.
    pub fn read(results: &Path, id: &str) -> Result<Self> {
        let path = path(results, id);
        let manifest: Self = read_json(&path)?;
        if manifest.id == id {
            return Ok(manifest);
        }
        Err(Error::corrupt(&path, format!("is the manifest of the sweep {:?}, give it back its name", manifest.id)))
    }

    /// The folder of attempts whose runs were made again.
    fn set_aside(&self, results: &Path) -> PathBuf {
        results.join(SWEEPS).join(format!("{}.attempts", self.id))
    }

    /// Moves attempts that were made again out of the way of programs that know nothing of manifests.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn set_superseded_aside(&self, results: &Path) -> Result<()> {
        let aside = self.set_aside(results);
        let made_again = self.runs.iter().filter(|run| run.finished().is_some()).flat_map(|run| &run.attempts);
        for attempt in made_again.filter(|attempt| attempt.status != Status::Finished) {
            let (from, to) = (results.join(&attempt.run), aside.join(&attempt.run));
            if from.is_dir() && attempt.status != Status::Running {
                fs::create_dir_all(&aside).map_err(Error::io(&aside, "cannot be made"))?;
                fs::rename(&from, &to).map_err(Error::io(&from, "cannot be set aside"))?;
            }
        }
        Ok(())
    }

    /// Takes the attempts at each run from the run folders in `results`, in order of time. Folders of other sweeps, and
    /// those that cannot be read, are passed over.
    ///
    /// # Errors
    /// [`Error::Io`] when `results` cannot be read.
    pub fn find_attempts(&mut self, results: &Path) -> Result<()> {
        self.runs.iter_mut().for_each(|run| run.attempts.clear());
        let aside = self.set_aside(results);
        let mut folders = if aside.is_dir() { RunFolder::list(&aside)? } else { Vec::new() };
        folders.extend(RunFolder::list(results)?);
        folders.sort_by_key(RunFolder::name);
        for folder in folders {
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
        // The folder itself is locked: nothing is left behind, and no link in it is followed.
        let folder = File::open(&dir).map_err(Error::io(&dir, "cannot be opened"))?;
        match folder.try_lock() {
            Ok(()) => Ok(Self { _folder: folder }),
            Err(TryLockError::WouldBlock) => Err(Error::SweepUnderWay { path: results.to_path_buf() }),
            // Some network file systems have no locks. A sweep without one is better than none.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Self { _folder: folder })
            }
            Err(TryLockError::Error(error)) => Err(Error::io(&dir, "cannot lock")(error)),
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
    fn a_manifest_under_a_name_that_is_not_its_own_is_refused_and_other_files_are_passed_over() {
        let results = tempfile::tempdir().unwrap();
        let _lock = SweepLock::take(results.path()).unwrap();
        let mut odd = sweep(results.path());
        odd.write(results.path()).unwrap();
        let path = odd.path(results.path());
        odd.id = "../../escaped".to_owned();
        fs::write(&path, serde_json::to_string(&odd).unwrap()).unwrap();
        let name = Label::new("quick").unwrap();
        assert!(matches!(SweepManifest::newest(results.path(), &name), Err(Error::Corrupt { .. })));
        fs::rename(&path, path.with_file_name("notes.json")).unwrap();
        assert_eq!(SweepManifest::newest(results.path(), &name).unwrap(), None);
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
