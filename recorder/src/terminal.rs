//! What people read, on standard error. A terminal that went away is no reason to stop a run, so errors of writing
//! to it are ignored.

use std::io::Write;

use crate::error::Error;

/// Columns and rows of the terminal that `stream` leads to; usual ones where it is none.
pub fn size_of(stream: impl std::os::fd::AsFd) -> (usize, usize) {
    terminal_size::terminal_size_of(stream)
        .map_or((80, 24), |(width, height)| (usize::from(width.0), usize::from(height.0)))
}

/// Prints a line.
pub fn line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints an error as every command does.
pub fn error(error: &Error) {
    line(format_args!("recorder: error: {error}"));
}

/// Prints a line of data on standard output.
pub fn data(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
