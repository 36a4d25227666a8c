//! A run that is killed anywhere around the edge of a row group becomes what a clean finish would have made of it.

use std::fs;

use super::*;
use crate::checkpoint::{self, Checkpoint};
use crate::journal::operations::{JournalReader, OperationsJournal, ROW_BYTES};
use crate::recover::recover_in_groups;
use crate::table::ROW_GROUP_ROWS;
use crate::{Error, Manifest, OperationsWriter, Status, recover, synthetic};

/// Not a multiple of the rows that are encoded together, and more than them.
const GROUP_ROWS: usize = 10_000;
const HEADER_BYTES: u64 = 32;

/// A run whose recorder was killed, with `rows` of [`operations`] pushed.
struct Killed {
    _results: TempDir,
    folder: RunFolder,
    rows: usize,
}

fn operations() -> Vec<Operation> {
    some_operations(4 * GROUP_ROWS)
}

fn running_manifest() -> Manifest {
    let results = tempfile::tempdir().unwrap();
    let finished = synthetic::write_run(results.path(), &lossy_shape(10), Default::default()).unwrap();
    let mut manifest = finished.manifest().unwrap();
    manifest.status = Status::Running;
    manifest
}

fn push(folder: &RunFolder, operations: &[Operation]) -> OperationsWriter {
    let mut writer = OperationsWriter::create_in_groups(folder, GROUP_ROWS).unwrap();
    operations.chunks(777).for_each(|operations| writer.push(operations).unwrap());
    writer
}

impl Killed {
    fn after(rows: usize) -> Self {
        let (results, folder) = new_folder();
        running_manifest().write(&folder.manifest_json()).unwrap();
        drop(push(&folder, &operations()[..rows]));
        Self { _results: results, folder, rows }
    }

    /// The folder as it is now, for another kill.
    fn copy(&self) -> Self {
        let results = tempfile::tempdir().unwrap();
        let copy = results.path().join(self.folder.name());
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(self.folder.dir()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
        Self { _results: results, folder: RunFolder::open(&copy).unwrap(), rows: self.rows }
    }

    fn journal_bytes(&self) -> u64 {
        self.folder.operations_journal().metadata().unwrap().len()
    }

    /// Recovers copies, with row groups as they were and with others, and compares them with a clean finish.
    fn check(&self, what: &str) {
        self.check_rows(what, true);
    }

    /// The bytes differ where a table with other row groups is in place already and stays.
    fn check_rows(&self, what: &str, bytes_too: bool) {
        let (_results, finished) = new_folder();
        push(&finished, &operations()[..self.rows]).finish().unwrap();
        let finished = fs::read(finished.operations_parquet()).unwrap();
        for group_rows in [GROUP_ROWS, ROW_GROUP_ROWS] {
            let Self { folder, _results, .. } = self.copy();
            let recovery = recover_in_groups(&folder, group_rows).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(recovery.rows.operations, self.rows as u64, "{what}");
            assert_eq!(recovery.dropped_bytes, 0, "{what}");
            let manifest = folder.manifest().unwrap();
            reader::check(&folder, &manifest).unwrap();
            let expected = &operations()[..self.rows];
            assert!(read_operations(&folder) == expected, "{what}");
            let last_end_ns = expected.iter().map(|operation| operation.end_ns).max().unwrap_or(0);
            assert_eq!(manifest.clock.workload_end_ns.max(0), last_end_ns.max(0), "{what}");
            assert_eq!(fs::read_dir(folder.dir()).unwrap().count(), 9, "{what}: files of the recording are left");
            if bytes_too && group_rows == GROUP_ROWS {
                assert!(fs::read(folder.operations_parquet()).unwrap() == finished, "{what}: not as a clean finish");
            }
        }
    }

    fn problem(&self) -> String {
        let error = recover(&self.folder).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert!(matches!(self.folder.manifest().unwrap().status, Status::Running));
        error.to_string()
    }
}

#[test]
fn around_the_edges_of_row_groups() {
    for rows in [1, 8192, GROUP_ROWS - 1, GROUP_ROWS, GROUP_ROWS + 1, 2 * GROUP_ROWS, 3 * GROUP_ROWS + 5000] {
        let killed = Killed::after(rows);
        let has_checkpoint = killed.folder.operations_checkpoint().exists();
        assert_eq!(has_checkpoint, rows >= GROUP_ROWS, "{rows} rows");
        let journal_rows = rows % GROUP_ROWS;
        assert_eq!(killed.journal_bytes(), HEADER_BYTES + (journal_rows * ROW_BYTES) as u64, "{rows} rows");
        killed.check(&format!("{rows} rows"));
    }
}

/// The journal as it was before the checkpoint at `rows`: it has the last row group too.
fn journal_before_restart(rows: usize) -> Vec<u8> {
    let (_results, folder) = new_folder();
    let mut journal = OperationsJournal::create(&folder).unwrap();
    for group in operations()[..rows].chunks(GROUP_ROWS) {
        if journal.end() > 0 {
            journal.restart().unwrap();
        }
        journal.append(group).unwrap();
    }
    fs::read(folder.operations_journal()).unwrap()
}

#[test]
fn between_row_group_checkpoint_and_restart() {
    for groups in 1..=3 {
        let killed = Killed::after(groups * GROUP_ROWS);
        let (folder, what) = (&killed.folder, |what: &str| format!("{groups} groups, {what}"));

        fs::write(folder.operations_journal(), journal_before_restart(killed.rows)).unwrap();
        killed.check(&what("checkpoint made, journal not restarted"));

        fs::write(checkpoint::unfinished(folder), &fs::read(folder.operations_checkpoint()).unwrap()[..99]).unwrap();
        killed.check(&what("a half of the next checkpoint is there"));

        // The checkpoint before this one: the row group is in the table, and nothing says so.
        let before = Killed::after((groups - 1) * GROUP_ROWS);
        let _ = fs::remove_file(folder.operations_checkpoint());
        if before.rows > 0 {
            fs::copy(before.folder.operations_checkpoint(), folder.operations_checkpoint()).unwrap();
        }
        killed.check(&what("row group written, checkpoint not made"));

        let table = fs::OpenOptions::new().write(true).open(folder.operations_parquet()).unwrap();
        table.set_len(table.metadata().unwrap().len() - 1000).unwrap();
        killed.check(&what("row group half written"));
    }
}

#[test]
fn after_the_journal_was_emptied() {
    let killed = Killed::after(2 * GROUP_ROWS);
    let header = fs::read(killed.folder.operations_journal()).unwrap();
    fs::write(killed.folder.operations_journal(), "").unwrap();
    killed.check("no header");
    for len in 1..HEADER_BYTES as usize {
        fs::write(killed.folder.operations_journal(), &header[..len]).unwrap();
        let recovery = recover(&killed.copy().folder).unwrap();
        assert_eq!((recovery.rows.operations, recovery.dropped_bytes), (killed.rows as u64, len as u64));
    }
}

/// After each file that a recovery puts in place or removes, in its order.
#[test]
fn in_the_middle_of_a_recovery() {
    let killed = Killed::after(2 * GROUP_ROWS + 5000);
    for group_rows in [GROUP_ROWS, ROW_GROUP_ROWS] {
        let same_groups = group_rows == GROUP_ROWS;
        let done = killed.copy();
        recover_in_groups(&done.folder, group_rows).unwrap();
        let copy = |from: std::path::PathBuf, to: std::path::PathBuf| fs::copy(from, to).unwrap();
        let state = killed.copy();
        let folder = &state.folder;
        let new = folder.operations_parquet().with_extension("parquet.new");

        copy(done.folder.operations_parquet(), new.clone());
        let whole_bytes = new.metadata().unwrap().len();
        state.check("new table not in place");
        fs::OpenOptions::new().write(true).open(&new).unwrap().set_len(whole_bytes / 2).unwrap();
        state.check("half of the new table");

        copy(done.folder.operations_parquet(), folder.operations_parquet());
        state.check_rows("new table in place beside an older half", same_groups);
        fs::remove_file(&new).unwrap();
        state.check_rows("new table in place", same_groups);
        copy(done.folder.faults_parquet(), folder.faults_parquet());
        copy(done.folder.samples_parquet(), folder.samples_parquet());
        fs::write(folder.latency_log(), "half").unwrap();
        state.check_rows("older files half written", same_groups);

        for log in [RunFolder::latency_log, RunFolder::throughput_csv, RunFolder::anomaly_log] {
            copy(log(&done.folder), log(folder));
        }
        copy(done.folder.summary_txt(), folder.summary_txt());
        copy(done.folder.metadata_txt(), folder.metadata_txt());
        // The recorder's own cleaning up after a failure may be killed here too: its manifest does not say `recovered`.
        let failed = killed.copy();
        copy(done.folder.operations_parquet(), failed.folder.operations_parquet());
        fs::remove_file(failed.folder.operations_checkpoint()).unwrap();
        failed.check_rows("checkpoint removed, table whole", same_groups);

        copy(done.folder.manifest_json(), folder.manifest_json());
        for remove in [RunFolder::operations_checkpoint, RunFolder::operations_journal] {
            let again = state.copy();
            recover_in_groups(&again.folder, group_rows).unwrap();
            assert!(read_operations(&again.folder) == operations()[..state.rows]);
            assert_eq!(fs::read_dir(again.folder.dir()).unwrap().count(), 9);
            fs::remove_file(remove(folder)).unwrap();
        }
        assert!(matches!(recover(folder).unwrap_err(), Error::NothingToRecover { .. }));
    }
}

#[test]
fn rows_that_are_missing_are_never_passed_over() {
    let older = Killed::after(GROUP_ROWS);
    let gap = Killed::after(2 * GROUP_ROWS + 5);
    fs::copy(older.folder.operations_checkpoint(), gap.folder.operations_checkpoint()).unwrap();
    assert!(gap.problem().contains("begins after 20000 operations and the checkpoint knows only of 10000"));
    fs::remove_file(gap.folder.operations_checkpoint()).unwrap();
    assert!(gap.problem().contains("begins after 20000 operations and the checkpoint knows only of 0"));
    fs::write(gap.folder.operations_journal(), "").unwrap();
    assert!(gap.problem().contains("is empty and the checkpoint is missing"));

    let no_journal = Killed::after(GROUP_ROWS);
    fs::remove_file(no_journal.folder.operations_journal()).unwrap();
    assert!(no_journal.problem().contains("operations.journal: is missing"));
}

#[test]
fn damage_is_never_taken_for_rows() {
    let killed = Killed::after(GROUP_ROWS + 5);
    let check = |file: fn(&RunFolder) -> std::path::PathBuf, damage: &dyn Fn(&mut Vec<u8>), problem: &str| {
        let copy = killed.copy();
        let mut bytes = fs::read(file(&copy.folder)).unwrap();
        damage(&mut bytes);
        fs::write(file(&copy.folder), bytes).unwrap();
        let found = copy.problem();
        assert!(found.contains(problem), "{found}");
    };
    let table_bytes = Checkpoint::read(&killed.folder).unwrap().unwrap().table_bytes as usize;
    for at in (0..table_bytes).step_by(4999) {
        check(RunFolder::operations_parquet, &|bytes| bytes[at] ^= 1, "its first 10000 rows are damaged");
    }
    check(RunFolder::operations_parquet, &|bytes| bytes.truncate(table_bytes - 1), "are damaged or missing");
    let checkpoint_bytes = fs::read(killed.folder.operations_checkpoint()).unwrap().len();
    for at in (0..checkpoint_bytes).step_by(97) {
        check(RunFolder::operations_checkpoint, &|bytes| bytes[at] ^= 0x80, "operations.checkpoint: is damaged");
        check(RunFolder::operations_checkpoint, &|bytes| bytes.truncate(at), "operations.checkpoint: is damaged");
    }
    check(RunFolder::operations_journal, &|bytes| bytes[17] ^= 1, "operations.journal: has a damaged header");
}

#[test]
fn the_lock_outlives_a_restart() {
    let (_results, folder) = new_folder();
    running_manifest().write(&folder.manifest_json()).unwrap();
    let mut writer = push(&folder, &operations()[..GROUP_ROWS]);
    assert!(matches!(recover(&folder).unwrap_err(), Error::StillRecording { .. }));
    writer.push(&operations()[GROUP_ROWS..GROUP_ROWS + 1]).unwrap();
    let lock = writer.lock().unwrap();
    assert_eq!(writer.finish().unwrap(), GROUP_ROWS as u64 + 1);
    assert!(matches!(recover(&folder).unwrap_err(), Error::StillRecording { .. }));
    drop(lock);
    assert_eq!(recover(&folder).unwrap().rows.operations, GROUP_ROWS as u64 + 1);
}

#[test]
fn a_journal_restarts_with_the_number_of_rows_before_it() {
    let (_results, folder) = new_folder();
    let mut journal = OperationsJournal::create(&folder).unwrap();
    journal.append(&operations()[..3]).unwrap();
    journal.restart().unwrap();
    journal.append(&operations()[3..5]).unwrap();
    assert_eq!(journal.end(), 5);
    let path = folder.operations_journal();
    let mut reader = JournalReader::new(fs::File::open(&path).unwrap(), path).unwrap();
    assert_eq!(reader.base(), Some(3));
    let rows: Vec<_> = std::iter::from_fn(|| reader.next_row().unwrap()).collect();
    assert_eq!(rows, operations()[3..5]);
}
