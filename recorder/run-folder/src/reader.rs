//! Readers: tables as Arrow batches or rows, and the check that a folder is whole.

use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::table_row::TableRow;
use crate::{Error, FaultEvent, FinalKey, Manifest, Operation, Result, RunFolder, Sample};

const BATCH_ROWS: usize = 16 * 1024;

/// Reads `columns` of `operations.parquet`, or all of them when none is named, batch after batch in completion order.
/// The columns of a batch stand in the schema's order, whatever the order of `columns`.
///
/// # Errors
/// [`Error::Io`] when the file cannot be opened, [`Error::Corrupt`] when it is not whole or lacks a column. The items
/// of the iterator can be [`Error::Corrupt`] too.
pub fn operations(folder: &RunFolder, columns: &[&str]) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    batches::<Operation>(folder, &folder.operations_parquet(), columns)
}

/// Reads `samples.parquet` likewise.
///
/// # Errors
/// As [`operations`].
pub fn samples(folder: &RunFolder, columns: &[&str]) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    batches::<Sample>(folder, &folder.samples_parquet(), columns)
}

/// Reads all of `faults.parquet`.
///
/// # Errors
/// As [`operations`].
pub fn faults(folder: &RunFolder) -> Result<Vec<FaultEvent>> {
    all_rows(folder, &folder.faults_parquet())
}

/// Reads all of `final_state.parquet`; `None` where there is none.
///
/// # Errors
/// As [`operations`].
pub fn final_state(folder: &RunFolder) -> Result<Option<Vec<FinalKey>>> {
    let path = folder.final_state_parquet();
    if path.exists() { all_rows(folder, &path).map(Some) } else { Ok(None) }
}

fn all_rows<Row: TableRow>(folder: &RunFolder, path: &Path) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    for batch in batches::<Row>(folder, path, &[])? {
        let rows = Row::rows(&batch?);
        all.extend(rows.map_err(|column| damaged(folder, path, format!("column {column} is damaged")))?);
    }
    Ok(all)
}

/// Checks that a folder is whole: the tables can be read, have the columns that they should, and the number of rows
/// that the manifest says.
///
/// # Errors
/// [`Error::Io`] or [`Error::Corrupt`] for the first problem.
pub fn check(folder: &RunFolder, manifest: &Manifest) -> Result<()> {
    check_rows(folder, &folder.operations_parquet(), open::<Operation>, manifest.rows.operations)?;
    check_but_operations(folder, manifest)
}

/// As [`check`], for who counts the operations: of them it is only seen to that they have their columns.
///
/// # Errors
/// As [`check`].
pub fn check_but_operations(folder: &RunFolder, manifest: &Manifest) -> Result<()> {
    open::<Operation>(folder, &folder.operations_parquet())?;
    check_rows(folder, &folder.faults_parquet(), open::<FaultEvent>, manifest.rows.faults)?;
    check_rows(folder, &folder.samples_parquet(), open::<Sample>, manifest.rows.samples)
}

fn check_rows(
    folder: &RunFolder,
    path: &Path,
    open: fn(&RunFolder, &Path) -> Result<ParquetRecordBatchReaderBuilder<File>>,
    expected: u64,
) -> Result<()> {
    let found = row_count(&open(folder, path)?);
    if found == expected {
        return Ok(());
    }
    Err(damaged(folder, path, format!("has {found} rows where the manifest says {expected}")))
}

fn row_count(table: &ParquetRecordBatchReaderBuilder<File>) -> u64 {
    u64::try_from(table.metadata().file_metadata().num_rows()).unwrap_or(0)
}

/// Number of rows of a table that is whole.
pub(crate) fn rows<Row: TableRow>(folder: &RunFolder, path: &Path) -> Result<u64> {
    open::<Row>(folder, path).map(|table| row_count(&table))
}

fn batches<Row: TableRow>(
    folder: &RunFolder,
    path: &Path,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<Row>> {
    let table = open::<Row>(folder, path)?;
    if let Some(unknown) = columns.iter().find(|column| table.schema().index_of(column).is_err()) {
        return Err(damaged(folder, path, format!("has no column {unknown}")));
    }
    let mask = match columns {
        [] => ProjectionMask::all(),
        columns => ProjectionMask::columns(table.parquet_schema(), columns.iter().copied()),
    };
    let broken = |folder: &RunFolder, path: &Path, error: String| damaged(folder, path, format!("is damaged: {error}"));
    let reader = table.with_projection(mask).with_batch_size(BATCH_ROWS).build();
    let reader = reader.map_err(|error| broken(folder, path, error.to_string()))?;
    let (folder, path) = (folder.clone(), path.to_path_buf());
    Ok(reader.map(move |batch| batch.map_err(|error| broken(&folder, &path, error.to_string()))))
}

/// Opens a table and checks its columns.
fn open<Row: TableRow>(folder: &RunFolder, path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io(path, "cannot open the table"))?;
    let table = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| damaged(folder, path, format!("is cut short or damaged ({error})")))?;
    match missing_column(table.schema(), &Row::schema()) {
        None => Ok(table),
        Some(column) => Err(damaged(folder, path, format!("has no column {column} of the right type"))),
    }
}

/// The first wanted column that is not there. More columns than wanted are fine, newer versions may add some; and one
/// that may be null may be absent, for an older version did not write it.
fn missing_column<'a>(found: &Schema, wanted: &'a Schema) -> Option<&'a str> {
    let is_fine = |field: &Field| match found.field_with_name(field.name()) {
        Ok(there) => there.data_type() == field.data_type(),
        Err(_) => field.is_nullable(),
    };
    let missing = wanted.fields().iter().find(|field| !is_fine(field))?;
    Some(missing.name())
}

/// A table that is not whole, with the next step.
pub(crate) fn damaged(folder: &RunFolder, path: &Path, problem: String) -> Error {
    let next_step = if folder.operations_journal().exists() {
        format!("run `recorder recover {}`", folder.dir().display())
    } else {
        "its journal is gone, record the run again".to_owned()
    };
    Error::corrupt(path, format!("{problem}; {next_step}"))
}
