//! Recovery: makes a folder whole whose recorder was killed.

mod operations;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::journal::lines::LinesReader;
use crate::manifest::Rows;
use crate::reserve::remove_if_there;
use crate::table::{ROW_GROUP_ROWS, Table, TableWriter};
use crate::{Error, FaultEvent, Manifest, Result, RunFolder, Sample, Status, lock, older_files, reader};

/// What a recovery brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Rows that the tables have now.
    pub rows: Rows,
    /// Bytes at the ends of the journals that were no whole row and had to be dropped.
    pub dropped_bytes: u64,
    /// What the manifest says now of the run.
    pub reason: String,
}

/// Rebuilds the tables from the journals and the checkpoint, writes the older files, marks the run as failed and
/// recovered, and removes the journals. It may be killed at any moment and run again: nothing is removed before what
/// replaces it is on the disk.
///
/// # Errors
/// [`Error::StillRecording`]; [`Error::NothingToRecover`] for a run that is whole; [`Error::Corrupt`] when rows between
/// others are missing or damaged, after a power cut for one; else what reading and writing can bring.
pub fn recover(folder: &RunFolder) -> Result<Recovery> {
    recover_in_groups(folder, ROW_GROUP_ROWS)
}

/// As [`recover`], with row groups of `group_rows`: tests want small ones.
pub(crate) fn recover_in_groups(folder: &RunFolder, group_rows: usize) -> Result<Recovery> {
    let journal = open_if_there(&folder.operations_journal())?;
    if let Some(journal) = &journal {
        lock::lock(folder, journal)?;
    }
    if !folder.manifest_json().exists() {
        return Err(Error::corrupt(
            folder.dir(),
            "has no manifest: its recorder was killed before anything was recorded; the folder can be removed",
        ));
    }
    // Only now: a recorder that was about to finish has done so.
    let mut manifest = folder.manifest()?;
    let is_recovered = matches!(manifest.status, Status::Failed { recovered: true, .. });
    let is_whole = match manifest.status {
        Status::Running => false,
        Status::Finished => true,
        // A recorder that failed and could not complete its tables, on a full disk for one, leaves the journals.
        Status::Failed { recovered, .. } => recovered || journal.is_none(),
    };
    if !is_whole {
        return rebuild(folder, &mut manifest, journal.as_ref(), group_rows);
    }
    let was_interrupted = journal.is_some();
    clean_up(folder)?;
    match &manifest.status {
        // The manifest is the last thing before the cleaning up, so the work of the interrupted recovery is done.
        Status::Failed { reason, .. } if is_recovered && was_interrupted => {
            Ok(Recovery { rows: manifest.rows, dropped_bytes: 0, reason: reason.clone() })
        }
        status => Err(Error::NothingToRecover { path: folder.dir().to_path_buf(), status: status.to_string() }),
    }
}

/// The journal keeps the lock until the end.
fn rebuild(folder: &RunFolder, manifest: &mut Manifest, journal: Option<&File>, group_rows: usize) -> Result<Recovery> {
    let modified = journal.and_then(|journal| journal.metadata().ok()?.modified().ok());
    let mut found = Found::default();
    let rows = Rows {
        operations: operations::rebuild(folder, journal, group_rows, &mut found)?,
        faults: rebuild_faults(folder, &mut found)?,
        samples: rebuild_samples(folder, &mut found)?,
    };
    for table in [folder.operations_parquet(), folder.faults_parquet(), folder.samples_parquet()] {
        put_in_place(&table)?;
    }
    sync_dir(folder.dir());
    let operations = match rows.operations {
        0 => "no operation was recorded".to_owned(),
        1 => "1 operation recovered".to_owned(),
        many => format!("{many} operations recovered"),
    };
    let mut reason = match &manifest.status {
        Status::Failed { reason, .. } => format!("{reason}; {operations}"),
        _ => format!("the recorder was killed; {operations}, at most the last second before its end is missing"),
    };
    if found.dropped_bytes > 0 {
        reason +=
            &format!("; {} bytes at the ends of the journals were no whole rows and are lost", found.dropped_bytes);
    }
    manifest.rows = rows;
    set_clock(manifest, &found, modified);
    manifest.status = Status::Failed { reason: reason.clone(), recovered: true };
    older_files::write(folder, manifest)?;
    manifest.write(&folder.manifest_json())?;
    sync_dir(folder.dir());
    clean_up(folder)?;
    Ok(Recovery { rows, dropped_bytes: found.dropped_bytes, reason })
}

/// What the rows and journals tell besides.
#[derive(Default)]
struct Found {
    last_end_ns: Option<i64>,
    dropped_bytes: u64,
}

impl Found {
    fn saw_time(&mut self, time_ns: i64) {
        self.last_end_ns = self.last_end_ns.max(Some(time_ns));
    }
}

fn rebuild_faults(folder: &RunFolder, found: &mut Found) -> Result<u64> {
    let path = folder.faults_journal();
    let table_path = folder.faults_parquet();
    let Some(mut journal) = LinesReader::<FaultEvent>::open(&path)? else {
        return keep_or_make_empty::<FaultEvent>(folder, &table_path);
    };
    let mut events = BTreeMap::new();
    while let Some(event) = journal.next_row().map_err(Error::io(&path, "cannot read the journal"))? {
        events.insert(event.fault_id, event);
    }
    found.dropped_bytes += journal.unread_bytes();
    let mut table = TableWriter::create(new(&table_path))?;
    table.push(&events.into_values().collect::<Vec<_>>())?;
    table.finish()
}

fn rebuild_samples(folder: &RunFolder, found: &mut Found) -> Result<u64> {
    let path = folder.samples_journal();
    let table_path = folder.samples_parquet();
    let Some(mut journal) = LinesReader::<Sample>::open(&path)? else {
        return keep_or_make_empty::<Sample>(folder, &table_path);
    };
    let mut table = TableWriter::create(new(&table_path))?;
    while let Some(sample) = journal.next_row().map_err(Error::io(&path, "cannot read the journal"))? {
        found.saw_time(sample.time_ns);
        table.push(&[sample])?;
    }
    found.dropped_bytes += journal.unread_bytes();
    table.finish()
}

/// Without a journal, a table is either whole (and stays) or was never begun.
fn keep_or_make_empty<Row: Table>(folder: &RunFolder, path: &Path) -> Result<u64> {
    match reader::rows::<Row>(folder, path) {
        Ok(rows) => keep(path).map(|()| rows),
        Err(_) => TableWriter::<Row>::create(new(path))?.finish(),
    }
}

/// Lets the table at `path` stay: nothing that an earlier recovery began may take its place.
fn keep(path: &Path) -> Result<()> {
    remove_if_there(&new(path))
}

/// Dates the end of the run by the last thing that is known of it.
fn set_clock(manifest: &mut Manifest, found: &Found, modified: Option<SystemTime>) {
    let clock = &mut manifest.clock;
    let Some(last_end_ns) = found.last_end_ns else { return };
    if clock.origin_unix_ns == 0
        && let Some(since_epoch) = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok())
    {
        // Killed before its manifest knew the time 0, in the warm-up for one. The last write came soon after the last end.
        let modified_unix_ns = i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX);
        clock.origin_unix_ns = modified_unix_ns.saturating_sub(last_end_ns);
        manifest.warnings.push(
            "the wall-clock time of time 0 was not recorded; it was estimated from the journal's modification time"
                .into(),
        );
    }
    clock.workload_end_ns = last_end_ns.max(0);
    clock.ended_unix_ns = clock.origin_unix_ns.saturating_add(last_end_ns);
}

fn open_if_there(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path, "cannot open the journal")(error)),
    }
}

fn new(table: &Path) -> PathBuf {
    table.with_extension("parquet.new")
}

fn put_in_place(table: &Path) -> Result<()> {
    match fs::rename(new(table), table) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(table, "cannot replace the table")(error))
        }
        _ => Ok(()),
    }
}

/// Makes renames last. Not every system can do it, and where it cannot, there is nothing else to do.
fn sync_dir(dir: &Path) {
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
}

fn clean_up(folder: &RunFolder) -> Result<()> {
    folder.release_reserve()?;
    folder.remove_journals()
}
