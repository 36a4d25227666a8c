//! Tables of a run as a stream of Arrow batches, decoded by several threads: for who wants all rows of a long run, in
//! columns.
//!
//! Each thread decodes every so-manieth row group and holds one of them; so memory is that of as many groups, however many
//! rows there are, and groups come in their order.

use std::fs::File;
use std::num::NonZero;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use crate::reader::{self, damaged};
use crate::{Error, FaultEvent, FinalKey, Operation, Result, RunFolder, Sample};

/// A table of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedTable {
    /// One row for each operation that was due.
    Operations,
    /// One row for each fault event.
    Faults,
    /// One row for each sampled value.
    Samples,
    /// One row for each key at the end of the run; older folders have none.
    FinalState,
}

impl RecordedTable {
    /// Its file.
    pub fn path(self, folder: &RunFolder) -> std::path::PathBuf {
        match self {
            Self::Operations => folder.operations_parquet(),
            Self::Faults => folder.faults_parquet(),
            Self::Samples => folder.samples_parquet(),
            Self::FinalState => folder.final_state_parquet(),
        }
    }

    fn check(self, folder: &RunFolder, path: &Path) -> Result<()> {
        match self {
            Self::Operations => reader::rows::<Operation>(folder, path),
            Self::Faults => reader::rows::<FaultEvent>(folder, path),
            Self::Samples => reader::rows::<Sample>(folder, path),
            Self::FinalState => reader::rows::<FinalKey>(folder, path),
        }
        .map(|_| ())
    }
}

/// A table that can be streamed, as often as one likes.
#[derive(Debug, Clone)]
pub struct Source {
    folder: RunFolder,
    path: std::path::PathBuf,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    schema: SchemaRef,
    rows: Range<u64>,
}

impl Source {
    /// Opens `columns` of a table, or all of them when none is named, in the file's order; and of its rows those in
    /// `rows`, as far as there are such.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened, [`Error::Corrupt`] when it is not whole or lacks a column.
    pub fn open(folder: &RunFolder, table: RecordedTable, columns: &[String], rows: Range<u64>) -> Result<Self> {
        let path = table.path(folder);
        table.check(folder, &path)?;
        let file = File::open(&path).map_err(Error::io(&path, "cannot open the table"))?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
            .map_err(|error| damaged(folder, &path, format!("is cut short or damaged ({error})")))?;
        let there = metadata.schema();
        let mut places = Vec::with_capacity(columns.len());
        for column in columns {
            let Ok(place) = there.index_of(column) else {
                let names: Vec<&str> = there.fields().iter().map(|field| field.name().as_str()).collect();
                return Err(Error::corrupt(&path, format!("has no column {column}; there are {}", names.join(", "))));
            };
            places.push(place);
        }
        places.sort_unstable();
        places.dedup();
        let (mask, schema) = match places.is_empty() {
            true => (ProjectionMask::all(), there.clone()),
            false => {
                let schema = there.project(&places).map_err(|error| damaged(folder, &path, error.to_string()))?;
                (ProjectionMask::roots(metadata.parquet_schema(), places), schema.into())
            }
        };
        let count = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
        let to = rows.end.min(count);
        let rows = rows.start.min(to)..to;
        Ok(Self { folder: folder.clone(), path, metadata, mask, schema, rows })
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows.end - self.rows.start
    }

    /// A stream of the rows. Decoding begins when the first batch is asked for.
    pub fn stream(&self) -> Stream {
        Stream { source: self.clone(), left: self.pieces().len(), parts: Vec::new(), next: 0 }
    }

    /// Threads that decode, each a share of the row groups.
    fn decode_apart(&self) -> std::io::Result<Vec<Receiver<Decoded>>> {
        let pieces = self.pieces();
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX).min(pieces.len());
        let part = |first: usize| {
            let own: Vec<Piece> = pieces.iter().skip(first).step_by(threads).cloned().collect();
            // A thread waits with what it has decoded until that is taken.
            let (decoded, part) = mpsc::sync_channel(0);
            let source = self.clone();
            std::thread::Builder::new().spawn(move || {
                // Nobody waits for the rest where the stream was dropped.
                own.iter().map(|piece| source.decode(piece)).try_for_each(|batch| decoded.send(batch).map_err(|_| ()))
            })?;
            Ok(part)
        };
        (0..threads).map(part).collect()
    }

    /// What is read of each row group.
    fn pieces(&self) -> Vec<Piece> {
        let mut first = 0;
        let mut pieces = Vec::new();
        for (group, metadata) in self.metadata.metadata().row_groups().iter().enumerate() {
            let count = u64::try_from(metadata.num_rows()).unwrap_or(0);
            let from = self.rows.start.max(first);
            let to = self.rows.end.min(first + count);
            if from < to {
                pieces.push(Piece { group, offset: (from - first) as usize, count: (to - from) as usize });
            }
            first += count;
        }
        pieces
    }

    fn decode(&self, piece: &Piece) -> Decoded {
        // Each thread has a file of its own: a shared one has one place that all of them would move.
        let file = File::open(&self.path)?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![piece.group])
            .with_projection(self.mask.clone())
            .with_offset(piece.offset)
            .with_limit(piece.count)
            .with_batch_size(piece.count)
            .build()?;
        let batches = reader.collect::<std::result::Result<Vec<_>, _>>();
        let batches = batches.map_err(|error| {
            ArrowError::ParquetError(damaged(&self.folder, &self.path, format!("is damaged: {error}")).to_string())
        })?;
        match <[RecordBatch; 1]>::try_from(batches) {
            Ok([batch]) => Ok(batch),
            Err(several) => arrow::compute::concat_batches(&self.schema, &several),
        }
    }
}

type Decoded = std::result::Result<RecordBatch, ArrowError>;

/// Rows of one row group.
#[derive(Debug, Clone)]
struct Piece {
    group: usize,
    offset: usize,
    count: usize,
}

/// More threads would hold more groups, and disks have their limits too.
const THREADS_MAX: usize = 8;

/// Batches in the order of rows, one for each row group.
#[derive(Debug)]
pub struct Stream {
    source: Source,
    /// Empty before the first batch.
    parts: Vec<Receiver<Decoded>>,
    next: usize,
    left: usize,
}

impl Iterator for Stream {
    type Item = Decoded;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        if self.parts.is_empty() {
            match self.source.decode_apart() {
                Ok(parts) => self.parts = parts,
                Err(error) => {
                    self.left = 0;
                    return Some(Err(error.into()));
                }
            }
        }
        let batch = self.parts[self.next].recv();
        self.next = (self.next + 1) % self.parts.len();
        self.left -= 1;
        // A decoder that gave up on damage by panicking has hung up.
        let batch = batch.unwrap_or_else(|_| Err(ArrowError::ParquetError("is damaged: it cannot be decoded".into())));
        if batch.is_err() {
            self.left = 0;
        }
        Some(batch)
    }
}

impl RecordBatchReader for Stream {
    fn schema(&self) -> SchemaRef {
        self.source.schema()
    }
}
