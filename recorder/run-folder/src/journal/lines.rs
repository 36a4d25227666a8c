//! `faults.journal` and `samples.journal`: one JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::marker::PhantomData;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Appender;
use crate::{Error, Result};

/// A journal of JSON lines that a recorder writes.
#[derive(Debug)]
pub struct LinesJournal {
    file: Appender,
    buffer: Vec<u8>,
}

impl LinesJournal {
    /// Makes the journal of a new run.
    ///
    /// # Errors
    /// [`Error::Io`], also when there is a journal already.
    pub fn create(path: PathBuf) -> Result<Self> {
        Ok(Self { file: Appender::create(path)?, buffer: Vec::new() })
    }

    /// Appends rows with one `write()`: all or, on an error, none of them.
    ///
    /// # Errors
    /// [`Error::Io`], for one when the disk is full.
    pub fn append(&mut self, rows: &[impl Serialize]) -> Result<()> {
        self.buffer.clear();
        for row in rows {
            serde_json::to_writer(&mut self.buffer, row).map_err(|error| {
                Error::io(self.file.path(), "cannot put a row into the journal")(std::io::Error::from(error))
            })?;
            self.buffer.push(b'\n');
        }
        self.file.append(&self.buffer)
    }
}

/// Reads a journal of JSON lines up to the end or the first line that is not whole.
#[derive(Debug)]
pub struct LinesReader<Row> {
    file: BufReader<File>,
    line: Vec<u8>,
    unread_bytes: u64,
    torn: bool,
    row: PhantomData<Row>,
}

impl<Row: DeserializeOwned> LinesReader<Row> {
    /// Starts to read the journal at `path`; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(path: &std::path::Path) -> Result<Option<Self>> {
        let action = "cannot read the journal";
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(path, action)(error)),
        };
        let unread_bytes = file.metadata().map_err(Error::io(path, action))?.len();
        Ok(Some(Self { file: BufReader::new(file), line: Vec::new(), unread_bytes, torn: false, row: PhantomData }))
    }

    /// The next row; `None` after the last whole one.
    pub fn next_row(&mut self) -> std::io::Result<Option<Row>> {
        if self.torn {
            return Ok(None);
        }
        self.line.clear();
        self.file.read_until(b'\n', &mut self.line)?;
        let row = self.line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice(line).ok());
        if row.is_some() {
            self.unread_bytes = self.unread_bytes.saturating_sub(self.line.len() as u64);
        } else {
            self.torn = true;
        }
        Ok(row)
    }

    /// Bytes that have not been read: after the last row, what a torn line left behind.
    pub fn unread_bytes(&self) -> u64 {
        self.unread_bytes
    }
}
