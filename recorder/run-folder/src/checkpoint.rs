//! `operations.checkpoint`: which part of a table without a footer is whole, and how to read it.
//!
//! After each row group the recorder notes here what the footer would say, and starts its journal again: the journal
//! never holds more than one row group. All numbers are little-endian.
//!
//! | bytes | content |
//! |---|---|
//! | 0..8 | `LaggardC` |
//! | 8..12 | format version, u32 |
//! | 12..16 | zero |
//! | 16..24 | rows that the table's first bytes hold, u64 |
//! | 24..32 | number of these bytes, u64 |
//! | 32..40 | their checksum, u64 |
//! | 40..-8 | Parquet's metadata of the row groups in them, followed by its length (u32) and `PAR1`, as in a footer |
//! | -8.. | checksum of all that stands before it, u64 |

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use parquet::file::metadata::{
    FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};

use crate::checksum::Checksum;
use crate::{Error, FORMAT_VERSION, Result, RunFolder};

const MAGIC: &[u8; 8] = b"LaggardC";
const METADATA_AT: usize = 40;
const CHECKSUM_BYTES: usize = 8;
/// What ends Parquet's metadata: its length and the letters `PAR1`.
const FOOTER_END_BYTES: usize = 8;
/// Of the Parquet format itself; the same in every footer that the library writes.
const PARQUET_VERSION: i32 = 1;

/// What is known of the first row groups of a table.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    /// Rows in them.
    pub(crate) rows: u64,
    /// Bytes of the file up to the end of the last of them.
    pub(crate) table_bytes: u64,
    /// Checksum of these bytes.
    pub(crate) table_checksum: u64,
    /// Parquet's own description of them.
    pub(crate) metadata: ParquetMetaData,
}

impl Checkpoint {
    /// Describes row groups that the system has taken; `None` when there is none or they hold no rows.
    pub(crate) fn new(row_groups: &[RowGroupMetaData], written: &Checksum) -> Option<Self> {
        let schema = row_groups.first()?.schema_descr_ptr();
        let rows = row_groups.iter().map(RowGroupMetaData::num_rows).sum();
        let file = FileMetaData::new(PARQUET_VERSION, rows, None, None, schema, None);
        Some(Self {
            rows: u64::try_from(rows).ok()?,
            table_bytes: written.len_bytes(),
            table_checksum: written.value(),
            metadata: ParquetMetaData::new(file, row_groups.to_vec()),
        })
    }

    /// Puts the checkpoint in place of the one before it: a reader sees the one or the other.
    ///
    /// Nothing here waits for the disk: what the system has taken outlives the process, and a flush would disturb
    /// an etcd on the same disk. After a power cut, the checksums tell.
    pub(crate) fn write(&self, folder: &RunFolder) -> Result<()> {
        let path = folder.operations_checkpoint();
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&u64::from(FORMAT_VERSION).to_le_bytes());
        for number in [self.rows, self.table_bytes, self.table_checksum] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        ParquetMetaDataWriter::new(&mut bytes, &self.metadata)
            .finish()
            .map_err(Error::parquet(&path, "cannot make the checkpoint"))?;
        bytes.extend_from_slice(&Checksum::of(&bytes).to_le_bytes());
        let new = unfinished(folder);
        fs::write(&new, bytes).map_err(Error::io(&new, "cannot write the checkpoint"))?;
        fs::rename(&new, &path).map_err(Error::io(&path, "cannot replace the checkpoint"))
    }

    /// Reads the checkpoint; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Corrupt`] when it is not as it was written; [`Error::NewerFormat`].
    pub(crate) fn read(folder: &RunFolder) -> Result<Option<Self>> {
        let path = folder.operations_checkpoint();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path, "cannot read the checkpoint")(error)),
        };
        Self::parse(&bytes, &path).map(Some)
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = || Error::corrupt(path, "is damaged; the operations that it describes cannot be recovered");
        if bytes.len() < METADATA_AT + FOOTER_END_BYTES + CHECKSUM_BYTES || &bytes[..8] != MAGIC {
            return Err(damaged());
        }
        let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
        if checksum != Checksum::of(content).to_le_bytes() {
            return Err(damaged());
        }
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|offset| content[at + offset]));
        let version = u32::try_from(number(8)).unwrap_or(u32::MAX);
        if version > FORMAT_VERSION {
            return Err(Error::NewerFormat { path: path.to_path_buf(), found: version, known: FORMAT_VERSION });
        }
        let metadata = &content[METADATA_AT..content.len() - FOOTER_END_BYTES];
        let metadata = ParquetMetaDataReader::decode_metadata(metadata).map_err(|_| damaged())?;
        Ok(Self { rows: number(16), table_bytes: number(24), table_checksum: number(32), metadata })
    }

    /// Checks that the table's first bytes are those that were written, and rewinds it.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Corrupt`] when they are not.
    pub(crate) fn check(&self, table: &mut File, path: &Path) -> Result<()> {
        let action = "cannot read the table";
        let found = Checksum::read(table.by_ref(), self.table_bytes).map_err(Error::io(path, action))?;
        table.rewind().map_err(Error::io(path, action))?;
        if found == (self.table_checksum, self.table_bytes) {
            return Ok(());
        }
        Err(Error::corrupt(
            path,
            format!("its first {} rows are damaged or missing; they cannot be recovered", self.rows),
        ))
    }
}

/// Where the next checkpoint is written before it replaces the last one.
pub(crate) fn unfinished(folder: &RunFolder) -> PathBuf {
    folder.operations_checkpoint().with_extension("checkpoint.new")
}
