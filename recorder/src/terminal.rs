//! What people read, on standard error. A terminal that went away is no reason to stop a run, so errors of writing
//! to it are ignored.

use std::io::Write;

use crate::error::Error;

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
