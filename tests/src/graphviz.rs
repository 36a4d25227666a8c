//! Graphviz' own `dot`: the judge of what is said to be its language.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Finished, run, skip};

/// Has `dot` draw files as SVG, all of them onto standard output: it ends with 0 when it accepts all of them, else it names
/// each other one on standard error. [`skip`]s the test, and gives nothing, where there is no `dot`.
///
/// # Panics
/// When `dot` is there and cannot be started.
pub fn parse(files: &[PathBuf]) -> Option<Finished> {
    let is_there = Command::new("dot").arg("-V").stdin(Stdio::null()).output().is_ok();
    if !is_there {
        skip("dot is missing; `make needs-test` installs Graphviz");
        return None;
    }
    Some(run(Command::new("dot").arg("-Tsvg").args(files).stdin(Stdio::null())))
}
