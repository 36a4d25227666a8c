//! Journals: what a run has recorded so far, in files that survive `kill -9` at any moment.
//!
//! A Parquet file is unreadable until its footer is written at the very end. So every row also goes, by a plain
//! `write()` that the kernel keeps whatever happens to the process, to a journal that can be read up to its last whole
//! row. Operations are many and get a fixed-width binary row ([`operations`]); faults and samples are JSON lines
//! ([`lines`]). A clean finish removes the journals.
//!
//! The operations journal is five times as large as the table that it protects. It starts again after each row group,
//! whose place in the table a checkpoint then describes; the other two are small and grow until the end.

pub mod lines;
pub mod operations;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A file that grows by whole entries.
#[derive(Debug)]
struct Appender {
    path: PathBuf,
    file: File,
    len_bytes: u64,
}

impl Appender {
    /// Makes the file, which must not be there yet: a journal that is may be all that is left of a run.
    fn create(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(Error::io(&path, "cannot make the journal"))?;
        Ok(Self { path, file, len_bytes: 0 })
    }

    /// Appends `entries` with one `write()`, or leaves the file as it was.
    fn append(&mut self, entries: &[u8]) -> Result<()> {
        if let Err(error) = self.file.write_all(entries) {
            // A full disk may take half an entry; what came after it would be unreadable. That the file cannot be cut
            // either is no second error to report: the reader stops at the torn entry.
            let _ = self.file.set_len(self.len_bytes);
            return Err(Error::io(&self.path, "cannot write to the journal")(error));
        }
        self.len_bytes += entries.len() as u64;
        Ok(())
    }

    /// Empties the file. It stays the same file, and so keeps its lock.
    fn clear(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(Error::io(&self.path, "cannot empty the journal"))?;
        self.len_bytes = 0;
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.len_bytes == 0
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
