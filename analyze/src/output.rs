//! Results leave here: a table in the format that was asked for, to standard output or to a file.
//!
//! Data goes to standard output and everything else to standard error. A file is written beside its final place and
//! moved there, so that a reader never finds half of one. A reader that closes the pipe early, as `head` does, is no error.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use polars::prelude::*;

use crate::{Error, Result};

pub mod arrow;
pub mod html;
mod json;
pub mod markdown;
pub mod text;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for people.
    Table,
    /// One array of objects; missing values are null, never NaN.
    Json,
    /// Comma-separated, with a header; missing values are empty.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Where a result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file, replaced when it is there.
    File(PathBuf),
}

impl Destination {
    /// The file when one was named, else standard output.
    pub fn new(file: Option<PathBuf>) -> Self {
        file.map_or(Self::Stdout, Self::File)
    }
}

/// Writes a table. `text` is what people see in [`Format::Table`]; it is made from the same frame.
///
/// # Errors
/// [`Error::Output`] when it cannot be written, [`Error::Usage`] for Parquet onto a terminal.
pub fn write(frame: &mut DataFrame, text: &text::TextTable, format: Format, to: &Destination) -> Result<()> {
    if format == Format::Parquet && *to == Destination::Stdout && io::stdout().is_terminal() {
        return Err(Error::Usage("--format parquet is not text; name a file with --output".to_owned()));
    }
    let mut bytes = Vec::new();
    match format {
        Format::Table => bytes.extend_from_slice(text.to_string().as_bytes()),
        Format::Json => json::write(frame, &mut bytes)?,
        Format::Csv => CsvWriter::new(&mut bytes).finish(frame)?,
        Format::Parquet => {
            ParquetWriter::new(&mut bytes).finish(frame)?;
        }
    }
    write_bytes(&bytes, to)
}

/// Writes bytes to where they should go.
///
/// # Errors
/// [`Error::Output`].
pub fn write_bytes(bytes: &[u8], to: &Destination) -> Result<()> {
    match to {
        Destination::Stdout => write_stdout(bytes),
        Destination::File(path) => replace_file(path, bytes),
    }
}

fn write_stdout(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(Error::output("standard output")),
    }
}

fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = fs::write(&new, bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What is left of it would be taken for a result; that it may not be there at all is fine.
        let _ = fs::remove_file(&new);
    }
    written.map_err(Error::output(path))
}
