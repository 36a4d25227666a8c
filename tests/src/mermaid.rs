//! mermaid's own parser, in Node: the judge of what is said to be mermaid.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{Finished, run, skip, workspace};

/// Feeds files to mermaid's parser: it ends with 0 when it accepts all of them, and says `FILE: KIND` of each of these;
/// else with 1, and names the others with what is wrong on standard error. [`skip`]s the test, and gives nothing, where
/// the parser cannot be installed.
///
/// # Panics
/// When Node cannot be started.
pub fn parse(files: &[PathBuf]) -> Option<Finished> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOLDER.get_or_init(folder) {
        Ok(folder) => Some(run(Command::new("node").arg(folder.join("parse.mjs")).args(files))),
        Err(why) => {
            skip(why);
            None
        }
    }
}

/// The folder that the parser is installed in.
fn folder() -> Result<PathBuf, String> {
    let Finished { code, stdout, stderr } = run(&mut Command::new(workspace().join(".ci/mermaid")));
    let folder = Path::new(stdout.trim()).to_path_buf();
    if code == Some(0) { Ok(folder) } else { Err(format!("there is no mermaid parser: {}", stderr.trim())) }
}
