//! Parquet files: how each table is encoded, and the file that rows stream into.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::checkpoint::Checkpoint;
use crate::checksum::ChecksummedFile;
use crate::table_row::TableRow;
use crate::{Error, FaultEvent, FinalKey, Operation, Result, Sample};

/// Rows that are turned into columns together. Small enough that they stay in the CPU's cache, and that encoding them
/// takes a few milliseconds and not the tens of a whole row group, next to an etcd that is being measured.
const BATCH_ROWS: usize = 8192;

/// Rows of a row group. What is encoded of it waits in memory (14 bytes a row), and all of it in the operations journal
/// (80 bytes a row), whose pages are reused after each group. Measured: at 1 M rows 231 ns a row with these, 251 with
/// four times as many; at 60 M, where the checkpoint repeats ever more groups, 218 and 207.
pub(crate) const ROW_GROUP_ROWS: usize = 1 << 18;

/// Rows of a page: what is compressed together.
const PAGE_ROWS: usize = 1 << 16;

/// A struct that has a Parquet file.
pub(crate) trait Table: TableRow + Clone {
    /// How its columns are encoded.
    fn encoding(properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder;
}

impl Table for Operation {
    // Bytes a row, measured on 2 M rows of `synthetic::Shape::busy` with zstd 1, delta against byte-stream-split:
    //   op_id 1.18 / 1.24, intended_ns 3.13 / 3.17, start_ns 3.13 / 3.16, end_ns 2.28 / 2.85, revision 0.69 / 1.04;
    //   worker 1.01 / 0.89, key 1.89 / 1.85, endpoint and member 0.33 / 0.27 each;
    //   raft_term, seen_mod_revision and value_bytes: nothing to speak of, and deltas take less CPU time.
    fn encoding(properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
        let deltas =
            ["op_id", "intended_ns", "start_ns", "end_ns", "raft_term", "revision", "seen_mod_revision", "value_bytes"];
        let splits = ["worker", "endpoint", "member", "key"];
        let properties = with_encoding(properties, Encoding::DELTA_BINARY_PACKED, &deltas);
        let properties = with_encoding(properties, Encoding::BYTE_STREAM_SPLIT, &splits);
        // Only where a reader can skip row groups by them: in all columns they cost 17 ns a row.
        with_statistics(with_dictionaries(properties, &["kind", "outcome", "error"]), &["intended_ns", "end_ns"])
    }
}

impl Table for FaultEvent {
    fn encoding(properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
        properties
    }
}

impl Table for FinalKey {
    fn encoding(properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
        let deltas = ["key", "create_revision", "mod_revision", "version"];
        with_encoding(properties, Encoding::DELTA_BINARY_PACKED, &deltas)
    }
}

impl Table for Sample {
    fn encoding(properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
        let properties = with_encoding(properties, Encoding::DELTA_BINARY_PACKED, &["time_ns"]);
        let properties = with_encoding(properties, Encoding::BYTE_STREAM_SPLIT, &["value"]);
        with_statistics(with_dictionaries(properties, &["metric", "label"]), &["time_ns"])
    }
}

fn with_encoding(properties: WriterPropertiesBuilder, encoding: Encoding, columns: &[&str]) -> WriterPropertiesBuilder {
    columns
        .iter()
        .fold(properties, |properties, &column| properties.set_column_encoding(ColumnPath::from(column), encoding))
}

fn with_statistics(properties: WriterPropertiesBuilder, columns: &[&str]) -> WriterPropertiesBuilder {
    columns.iter().fold(properties, |properties, &column| {
        properties.set_column_statistics_enabled(ColumnPath::from(column), EnabledStatistics::Chunk)
    })
}

fn with_dictionaries(properties: WriterPropertiesBuilder, columns: &[&str]) -> WriterPropertiesBuilder {
    columns.iter().fold(properties, |properties, &column| {
        properties.set_column_dictionary_enabled(ColumnPath::from(column), true)
    })
}

fn properties<Row: Table>(group_rows: usize) -> WriterProperties {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(Some(group_rows));
    Row::encoding(properties).build()
}

/// A Parquet file that rows stream into.
pub(crate) struct TableWriter<Row: Table> {
    path: PathBuf,
    file: ArrowWriter<ChecksummedFile>,
    waiting: Vec<Row>,
    rows: u64,
    group_rows: usize,
}

impl<Row: Table> TableWriter<Row> {
    /// Makes the file at `path`, in place of one that is there.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        Self::create_in_groups(path, ROW_GROUP_ROWS)
    }

    /// As [`TableWriter::create`], with row groups of `group_rows`, at least one: tests want small ones.
    pub(crate) fn create_in_groups(path: PathBuf, group_rows: usize) -> Result<Self> {
        let group_rows = group_rows.max(1);
        let file = File::create(&path).map_err(Error::io(&path, "cannot make the table"))?;
        let file = ChecksummedFile::new(file);
        // Without Arrow's own schema in the metadata, readers take the column types from Parquet's: plain strings.
        let options =
            ArrowWriterOptions::new().with_properties(properties::<Row>(group_rows)).with_skip_arrow_metadata(true);
        let file = ArrowWriter::try_new_with_options(file, Row::schema(), options).map_err(write_error(&path))?;
        Ok(Self { path, file, waiting: Vec::with_capacity(BATCH_ROWS), rows: 0, group_rows })
    }

    /// Adds rows; from time to time some are encoded, and full row groups go to the file.
    pub(crate) fn push(&mut self, mut rows: &[Row]) -> Result<()> {
        while !rows.is_empty() {
            let room = self.group_room().min(BATCH_ROWS - self.waiting.len());
            let (now, later) = rows.split_at(rows.len().min(room));
            self.waiting.extend_from_slice(now);
            self.rows += now.len() as u64;
            rows = later;
            // At a group's edge the library sends the group to the file by itself.
            if self.waiting.len() == BATCH_ROWS || self.is_at_group_edge() {
                self.encode()?;
            }
        }
        Ok(())
    }

    /// Rows until the row group is full, at least one.
    pub(crate) fn group_room(&self) -> usize {
        self.group_rows - (self.rows % self.group_rows as u64) as usize
    }

    fn is_at_group_edge(&self) -> bool {
        self.rows.is_multiple_of(self.group_rows as u64)
    }

    /// Describes the row groups in the file when they hold all rows that there are; `None` when they do not.
    pub(crate) fn checkpoint(&mut self) -> Result<Option<Checkpoint>> {
        if !self.is_at_group_edge() {
            return Ok(None);
        }
        // The library buffers small writes.
        self.file.sync().map_err(Error::io(&self.path, "cannot write the table"))?;
        let checkpoint = Checkpoint::new(self.file.flushed_row_groups(), self.file.inner().checksum());
        Ok(checkpoint.filter(|checkpoint| checkpoint.rows == self.rows))
    }

    fn encode(&mut self) -> Result<()> {
        self.file.write(&Row::batch(&self.waiting)).map_err(write_error(&self.path))?;
        self.waiting.clear();
        Ok(())
    }

    /// Number of rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes what is left and the footer, sees to it that all of it is on the disk, and tells the number of rows.
    pub(crate) fn finish(mut self) -> Result<u64> {
        self.encode()?;
        let file = self.file.into_inner().map_err(write_error(&self.path))?;
        file.sync_all().map_err(Error::io(&self.path, "cannot write the table to the disk"))?;
        Ok(self.rows)
    }
}

/// Turns Parquet's errors of writing into ours, and finds the system's error in them: a full disk must be seen as one.
fn write_error(path: &Path) -> impl FnOnce(ParquetError) -> Error {
    Error::parquet(path, "cannot write the table")
}
