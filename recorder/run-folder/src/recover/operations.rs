//! The operations: what the checkpoint describes, and after it what the journal holds.
//!
//! A table that is whole already and cannot be rebuilt stays: a recovery that was killed may have put it in place, or a
//! recorder that could not finish something else.

use std::fs::File;
use std::io::Seek;
use std::path::Path;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{Found, keep, keep_or_make_empty, new};
use crate::checkpoint::Checkpoint;
use crate::journal::operations::JournalReader;
use crate::table::TableWriter;
use crate::table_row::TableRow;
use crate::{Error, Operation, Result, RunFolder, reader};

const BATCH_ROWS: usize = 16 * 1024;

/// Writes a new table, unless the old one is to stay, and tells the number of its rows.
pub(super) fn rebuild(folder: &RunFolder, journal: Option<&File>, group_rows: usize, found: &mut Found) -> Result<u64> {
    let path = folder.operations_parquet();
    let Some(journal) = journal else {
        if folder.operations_checkpoint().exists() && reader::rows::<Operation>(folder, &path).is_err() {
            return Err(Error::corrupt(folder.operations_journal(), "is missing; what was in it cannot be recovered"));
        }
        return keep_or_make_empty::<Operation>(folder, &path);
    };
    let tail = Tail::measure(folder, journal)?;
    found.dropped_bytes += tail.dropped_bytes;
    match Head::open(folder).and_then(|head| head.check_meets(&tail, folder).map(|()| head)) {
        Ok(head) => write(folder, head, &tail, group_rows, found),
        Err(problem) => {
            let checkpoint_rows = Checkpoint::read(folder).ok().flatten().map_or(0, |checkpoint| checkpoint.rows);
            keep_whole(folder, &path, tail.end().max(checkpoint_rows), found)?.ok_or(problem)
        }
    }
}

/// The journal.
struct Tail<'a> {
    journal: &'a File,
    /// Rows of the run before the journal's first; `None` when it has not even a header.
    base: Option<u64>,
    rows: u64,
    dropped_bytes: u64,
}

impl<'a> Tail<'a> {
    fn measure(folder: &RunFolder, journal: &'a File) -> Result<Self> {
        let mut reader = open_journal(folder, journal)?;
        let mut tail = Self { journal, base: reader.base(), rows: 0, dropped_bytes: 0 };
        while next_row(&mut reader, folder)?.is_some() {
            tail.rows += 1;
        }
        tail.dropped_bytes = reader.unread_bytes();
        Ok(tail)
    }

    /// Rows of the run up to the journal's last.
    fn end(&self) -> u64 {
        self.base.unwrap_or(0) + self.rows
    }
}

fn open_journal(folder: &RunFolder, mut journal: &File) -> Result<JournalReader> {
    let path = folder.operations_journal();
    let action = "cannot read the journal";
    journal.rewind().map_err(Error::io(&path, action))?;
    // A clone shares the position and the lock.
    let journal = journal.try_clone().map_err(Error::io(&path, action))?;
    JournalReader::new(journal, path)
}

fn next_row(journal: &mut JournalReader, folder: &RunFolder) -> Result<Option<Operation>> {
    journal.next_row().map_err(Error::io(folder.operations_journal(), "cannot read the journal"))
}

/// The row groups that the checkpoint describes.
struct Head {
    rows: u64,
    /// Absent without a checkpoint: then all rows are in the journal.
    batches: Option<ParquetRecordBatchReader>,
}

impl Head {
    fn open(folder: &RunFolder) -> Result<Self> {
        let Some(checkpoint) = Checkpoint::read(folder)? else { return Ok(Self { rows: 0, batches: None }) };
        let path = folder.operations_parquet();
        let mut table = File::open(&path).map_err(Error::io(&path, "cannot open the table"))?;
        checkpoint.check(&mut table, &path)?;
        let rows = checkpoint.rows;
        let batches = ArrowReaderMetadata::try_new(checkpoint.metadata.into(), Default::default())
            .and_then(|metadata| {
                ParquetRecordBatchReaderBuilder::new_with_metadata(table, metadata).with_batch_size(BATCH_ROWS).build()
            })
            .map_err(|error| damaged(&path, &error))?;
        Ok(Self { rows, batches: Some(batches) })
    }

    /// Refuses a gap between these rows and the journal's.
    fn check_meets(&self, tail: &Tail, folder: &RunFolder) -> Result<()> {
        let lost = |problem| Err(Error::corrupt(folder.operations_journal(), problem));
        match tail.base {
            Some(base) if base > self.rows => lost(format!(
                "begins after {base} operations and the checkpoint knows only of {}; those between are missing and the \
                 run cannot be recovered",
                self.rows
            )),
            // A journal is only emptied after a checkpoint, and only a row group makes a table longer than its start.
            None if self.batches.is_none() && has_row_groups(&folder.operations_parquet()) => lost(
                "is empty and the checkpoint is missing, though operations were written; they cannot be recovered"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }
}

fn has_row_groups(table: &Path) -> bool {
    const PARQUET_START_BYTES: u64 = 4;
    table.metadata().is_ok_and(|metadata| metadata.len() > PARQUET_START_BYTES)
}

fn write(folder: &RunFolder, head: Head, tail: &Tail, group_rows: usize, found: &mut Found) -> Result<u64> {
    let path = folder.operations_parquet();
    let mut table = TableWriter::<Operation>::create_in_groups(new(&path), group_rows)?;
    let mut push = |operations: &[Operation]| {
        operations.iter().for_each(|operation| found.saw_time(operation.end_ns));
        table.push(operations)
    };
    let mut head_rows = 0;
    for batch in head.batches.into_iter().flatten() {
        let batch = batch.map_err(|error| damaged(&path, &error))?;
        let operations = Operation::rows(&batch)
            .map_err(|column| Error::corrupt(&path, format!("column {column} is damaged; it cannot be recovered")))?;
        head_rows += operations.len() as u64;
        push(&operations)?;
    }
    if head_rows != head.rows {
        return Err(damaged(&path, &format!("{head_rows} rows where the checkpoint says {}", head.rows)));
    }
    let mut journal = open_journal(folder, tail.journal)?;
    // The recorder was killed after it had made the checkpoint and before it had started the journal again.
    let known_already = head.rows.saturating_sub(tail.base.unwrap_or(head.rows));
    let mut number = 0;
    while let Some(operation) = next_row(&mut journal, folder)? {
        if number >= known_already {
            push(&[operation])?;
        }
        number += 1;
    }
    table.finish()
}

/// Keeps the table if it is whole, to its last row, and has at least `rows_min` rows; tells the number of its rows.
fn keep_whole(folder: &RunFolder, path: &Path, rows_min: u64, found: &mut Found) -> Result<Option<u64>> {
    let Some(rows) = reader::rows::<Operation>(folder, path).ok().filter(|&rows| rows >= rows_min) else {
        return Ok(None);
    };
    let Ok(batches) = reader::operations(folder, &[]) else { return Ok(None) };
    let mut readable_rows = 0;
    for batch in batches {
        let Some(operations) = batch.ok().and_then(|batch| Operation::rows(&batch).ok()) else { return Ok(None) };
        operations.iter().for_each(|operation| found.saw_time(operation.end_ns));
        readable_rows += operations.len() as u64;
    }
    if readable_rows != rows {
        return Ok(None);
    }
    keep(path)?;
    Ok(Some(rows))
}

fn damaged(path: &Path, error: &impl std::fmt::Display) -> Error {
    Error::corrupt(path, format!("is damaged and cannot be recovered: {error}"))
}
