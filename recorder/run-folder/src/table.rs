//! Parquet files: how each table is encoded, and the file that rows stream into.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::table_row::TableRow;
use crate::{Error, FaultEvent, Operation, Result, Sample};

/// Rows that are turned into columns together. Small enough that they stay in the CPU's cache, and that encoding them
/// takes a few milliseconds and not the tens of a whole row group, next to an etcd that is being measured.
const BATCH_ROWS: usize = 8192;

/// Rows of a row group. What is encoded of it waits in memory: 14 bytes a row.
const ROW_GROUP_ROWS: usize = 1 << 20;

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

fn properties<Row: Table>() -> WriterProperties {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    Row::encoding(properties).build()
}

/// A Parquet file that rows stream into.
pub(crate) struct TableWriter<Row: Table> {
    path: PathBuf,
    file: ArrowWriter<File>,
    waiting: Vec<Row>,
    rows: u64,
}

impl<Row: Table> TableWriter<Row> {
    /// Makes the file at `path`, in place of one that is there.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(Error::io(&path, "cannot make the table"))?;
        // Without Arrow's own schema in the metadata, readers take the column types from Parquet's: plain strings.
        let options = ArrowWriterOptions::new().with_properties(properties::<Row>()).with_skip_arrow_metadata(true);
        let file = ArrowWriter::try_new_with_options(file, Row::schema(), options).map_err(write_error(&path))?;
        Ok(Self { path, file, waiting: Vec::with_capacity(BATCH_ROWS), rows: 0 })
    }

    /// Adds rows; from time to time some are encoded, and full row groups go to the file.
    pub(crate) fn push(&mut self, mut rows: &[Row]) -> Result<()> {
        self.rows += rows.len() as u64;
        while !rows.is_empty() {
            let (now, later) = rows.split_at(rows.len().min(BATCH_ROWS - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            rows = later;
            if self.waiting.len() == BATCH_ROWS {
                self.encode()?;
            }
        }
        Ok(())
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
