//! Where a status is written to.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::terminal;

/// Writes text to a file, whole or not at all, or to standard output.
///
/// # Errors
/// [`Error::Run`] that names the file.
pub(super) fn write(text: &str, file: Option<&Path>) -> Result<()> {
    let Some(file) = file else {
        terminal::data(text);
        return Ok(());
    };
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = file.with_file_name(name);
    let written = fs::write(&new, format!("{text}\n")).and_then(|()| fs::rename(&new, file));
    written.map_err(|error| {
        // It may not be there at all.
        let _ = fs::remove_file(&new);
        Error::run(format!("--output {}: cannot be written: {error}; name another file", file.display()))
    })
}
