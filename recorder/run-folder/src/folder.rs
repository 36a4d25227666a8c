//! Run folders on disk: their names, how they are made, and how they are found.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Error, Label, Manifest, Result};

pub(crate) const STAMP_FORMAT: &str = "%Y%m%d_%H%M%S";
const STAMP_CHARS: usize = 15;

/// The folder of one run, `<STAMP>_<LABEL>`. It may be unfinished; ask its [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunFolder {
    dir: PathBuf,
    stamp: String,
    label: Label,
}

impl RunFolder {
    /// Makes a new, empty run folder below `results`, which is made too where it is missing. The stamp is the UTC
    /// time `now`, moved on by whole seconds until no other run has it.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be made.
    pub fn create(results: &Path, label: &Label, now: DateTime<Utc>) -> Result<Self> {
        fs::create_dir_all(results).map_err(Error::io(results, "cannot make the results folder"))?;
        let mut time = now;
        loop {
            let stamp = time.format(STAMP_FORMAT).to_string();
            time += TimeDelta::seconds(1);
            // The reservation makes the stamp unique among recorders that start in the same second.
            let reservation = results.join(format!(".{stamp}"));
            match OpenOptions::new().write(true).create_new(true).open(&reservation) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    remove_if_stale(&reservation);
                    continue;
                }
                Err(error) => return Err(Error::io(results, "cannot write into the results folder")(error)),
            }
            let made = Self::make_unless_taken(results, &stamp, label);
            fs::remove_file(&reservation).map_err(Error::io(&reservation, "cannot remove the reservation"))?;
            if let Some(folder) = made? {
                return Ok(folder);
            }
        }
    }

    fn make_unless_taken(results: &Path, stamp: &str, label: &Label) -> Result<Option<Self>> {
        if Self::list(results)?.iter().any(|run| run.stamp == stamp) {
            return Ok(None);
        }
        let dir = results.join(format!("{stamp}_{label}"));
        fs::create_dir(&dir).map_err(Error::io(&dir, "cannot make the run folder"))?;
        Ok(Some(Self { dir, stamp: stamp.to_owned(), label: label.clone() }))
    }

    /// Takes an existing folder by its path.
    ///
    /// # Errors
    /// [`Error::Io`] when it is not there, [`Error::Corrupt`] when its name is not that of a run folder.
    pub fn open(dir: &Path) -> Result<Self> {
        // Resolving makes `recover .` inside a run folder work.
        let dir = fs::canonicalize(dir).map_err(Error::io(dir, "cannot open the run folder"))?;
        let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((stamp, label)) = split_name(name) else {
            return Err(Error::corrupt(&dir, "is not a run folder: its name is not <YYYYMMDD_HHMMSS>_<LABEL>"));
        };
        let stamp = stamp.to_owned();
        Ok(Self { dir, stamp, label })
    }

    /// All run folders directly below `results`, by name and so by time. Other entries are passed over.
    ///
    /// # Errors
    /// [`Error::Io`] when `results` cannot be read.
    pub fn list(results: &Path) -> Result<Vec<Self>> {
        let problem = "cannot read the results folder";
        let mut runs = Vec::new();
        for entry in fs::read_dir(results).map_err(Error::io(results, problem))? {
            let entry = entry.map_err(Error::io(results, problem))?;
            if let Some((stamp, label)) = entry.file_name().to_str().and_then(split_name)
                && entry.path().is_dir()
            {
                runs.push(Self { dir: entry.path(), stamp: stamp.to_owned(), label });
            }
        }
        runs.sort();
        Ok(runs)
    }

    /// The folder's path.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder's name, `<STAMP>_<LABEL>`: the run's identity.
    pub fn name(&self) -> String {
        format!("{}_{}", self.stamp, self.label)
    }

    /// UTC time of the start as `YYYYMMDD_HHMMSS`, unique in the results folder.
    pub fn stamp(&self) -> &str {
        &self.stamp
    }

    /// The run's label.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Reads the manifest.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn manifest(&self) -> Result<Manifest> {
        Manifest::read(&self.manifest_json())
    }
}

/// Whether a name has the shape of a run folder's (and of a sweep's id), `<YYYYMMDD_HHMMSS>_<LABEL>`.
pub fn is_run_name(name: &str) -> bool {
    split_name(name).is_some()
}

/// The UTC time at the beginning of a name, `YYYYMMDD_HHMMSS`, and what follows it after a `_`; `None` where there is none.
pub fn split_stamp(name: &str) -> Option<(DateTime<Utc>, &str)> {
    let (stamp, rest) = (name.get(..STAMP_CHARS)?, name.get(STAMP_CHARS..)?);
    let time = chrono::NaiveDateTime::parse_from_str(stamp, STAMP_FORMAT).ok()?;
    let rest = if rest.is_empty() { rest } else { rest.strip_prefix('_')? };
    Some((time.and_utc(), rest))
}

/// Declares the paths below a run folder, so that each file name stands once.
macro_rules! files {
    ($($(#[$doc:meta])* $method:ident = $name:literal;)*) => {
        impl RunFolder {
            $($(#[$doc])* pub fn $method(&self) -> PathBuf { self.dir.join($name) })*
        }
    };
}

files! {
    /// The manifest.
    manifest_json = "manifest.json";
    /// One row per operation that was due.
    operations_parquet = "operations.parquet";
    /// One row per fault and target.
    faults_parquet = "faults.parquet";
    /// Member samples, one measured value a row.
    samples_parquet = "samples.parquet";
    /// What the workload's keys held at the end; absent where that is not known.
    final_state_parquet = "final_state.parquet";
    /// Operations that have not reached a finished Parquet file; gone after a clean finish.
    operations_journal = "operations.journal";
    /// How to read the row groups of an operations table that has no footer yet; gone after a clean finish.
    operations_checkpoint = "operations.checkpoint";
    /// Faults, likewise.
    faults_journal = "faults.journal";
    /// Samples, likewise.
    samples_journal = "samples.journal";
    /// Space held back so that a full disk can still be reported; gone after the end.
    reserve = ".reserve";
    /// Older file: `end_ms,latency_ms` of each acknowledged operation.
    latency_log = "latency.log";
    /// Older file: percentiles and totals.
    summary_txt = "summary.txt";
    /// Older file: `key=value` lines about the run.
    metadata_txt = "metadata.txt";
    /// Older file: acknowledged operations in each second.
    throughput_csv = "throughput.csv";
    /// Older file: operations that were not acknowledged.
    anomaly_log = "anomaly.log";
}

impl RunFolder {
    /// Names of the files that a run which has ended is made of.
    pub const RECORDED: [&str; 5] =
        ["faults.parquet", "final_state.parquet", "manifest.json", "operations.parquet", "samples.parquet"];
    /// Those of them that are not in every run.
    pub const OPTIONAL: [&str; 1] = ["final_state.parquet"];
    /// Names of the files that the older scripts wrote, which are derived from these.
    pub const OLDER: [&str; 5] = ["anomaly.log", "latency.log", "metadata.txt", "summary.txt", "throughput.csv"];
}

/// Removes the reservation of a recorder that was killed while it had it, which takes milliseconds.
fn remove_if_stale(reservation: &Path) {
    const HELD_AT_MOST: std::time::Duration = std::time::Duration::from_secs(60);
    let age = reservation.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
    if age.is_some_and(|age| age > HELD_AT_MOST) {
        // An error means that somebody else has removed it.
        let _ = fs::remove_file(reservation);
    }
}

/// The stamp and the label in the name of a run folder, or of a sweep.
pub(crate) fn split_name(name: &str) -> Option<(&str, Label)> {
    let stamp = name.get(..STAMP_CHARS)?;
    let shape_is_right =
        stamp.bytes().enumerate().all(|(at, byte)| if at == 8 { byte == b'_' } else { byte.is_ascii_digit() });
    let label = name.get(STAMP_CHARS..)?.strip_prefix('_')?;
    Some((stamp, Label::new(label).ok().filter(|_| shape_is_right)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_made_in_the_same_second_get_different_stamps() {
        let results = tempfile::tempdir().unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let names: Vec<_> = ["baseline", "baseline", "loss20_mid"]
            .map(|label| RunFolder::create(results.path(), &Label::new(label).unwrap(), now).unwrap().name())
            .into();
        assert_eq!(names, ["20270115_080000_baseline", "20270115_080001_baseline", "20270115_080002_loss20_mid"]);
        assert_eq!(fs::read_dir(results.path()).unwrap().count(), 3, "a reservation was left behind");
    }

    #[test]
    fn the_lists_of_files_name_the_same_files_as_the_paths() {
        let results = tempfile::tempdir().unwrap();
        let run = RunFolder::create(results.path(), &Label::new("a").unwrap(), Default::default()).unwrap();
        let recorded = [
            run.faults_parquet(),
            run.final_state_parquet(),
            run.manifest_json(),
            run.operations_parquet(),
            run.samples_parquet(),
        ];
        assert_eq!(recorded, RunFolder::RECORDED.map(|name| run.dir().join(name)));
        let older = [run.anomaly_log(), run.latency_log(), run.metadata_txt(), run.summary_txt(), run.throughput_csv()];
        assert_eq!(older, RunFolder::OLDER.map(|name| run.dir().join(name)));
    }

    #[test]
    fn stamps_come_off_names() {
        let time = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        assert_eq!(split_stamp("20270115_080000_loss20_mid"), Some((time, "loss20_mid")));
        assert_eq!(split_stamp("20270115_080000"), Some((time, "")));
        for name in ["20271315_080000_a", "20270115_080000a", "20270115-080000_a", "loss20_mid", "é"] {
            assert_eq!(split_stamp(name), None, "{name}");
        }
    }

    #[test]
    fn listing_passes_over_what_is_no_run() {
        let results = tempfile::tempdir().unwrap();
        for name in ["plots", "20270115_080000", "20270115_080000_", "2027x115_080000_a", "20270115_080000_a"] {
            fs::create_dir(results.path().join(name)).unwrap();
        }
        fs::write(results.path().join("20270115_080000_file"), "").unwrap();
        let runs = RunFolder::list(results.path()).unwrap();
        assert_eq!(runs.iter().map(RunFolder::name).collect::<Vec<_>>(), ["20270115_080000_a"]);
        assert_eq!(runs[0].label().as_str(), "a");
    }
}
