//! Folders of the older shell scripts become run folders.
//!
//! What such a folder says is taken as it is ([`logs`], [`texts`]), put together ([`run`]) and written with the same
//! writers as a recording ([`write`]). What it does not say stays missing: null where the format has a null, and else a
//! placeholder that the manifest lists as unknown ([`run_folder::manifest::Imported::unknown`]).
//!
//! The lines of one folder are held in memory, some 100 bytes for each; the scripts recorded thousands of them.

mod logs;
mod run;
mod texts;
mod write;

pub use write::{Imported, Known, import};

use std::path::{Path, PathBuf};

use run_folder::RunFolder;

use crate::{Error, Result};

/// How to import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether lines that cannot be used are left out, instead of refusing their folder.
    pub is_lenient: bool,
    /// Start of the fault after the start of the run, where no file says it.
    pub at_ms: Option<u64>,
    /// How long the fault lasted, where no file says it.
    pub lasts: Option<StatedEnd>,
}

/// How long a fault lasted, as somebody says who knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatedEnd {
    /// For so long.
    AfterMs(u64),
    /// To the end of the run.
    OfRun,
}

/// The folders with older files that `asked` stands for: itself, or those directly below it, by name.
///
/// # Errors
/// [`Error::Nothing`] when there are none, [`Error::Import`] when it cannot be read.
pub fn sources(asked: &Path) -> Result<Vec<PathBuf>> {
    let cannot_read = |error: std::io::Error| Error::import(asked, format!("cannot be read: {error}"));
    if !asked.is_dir() {
        return Err(Error::Nothing(format!("{}: no such folder; name one of the older scripts", asked.display())));
    }
    let is_source = |dir: &Path| RunFolder::OLDER.iter().any(|name| dir.join(name).is_file());
    if is_source(asked) {
        return Ok(vec![asked.to_path_buf()]);
    }
    let mut sources = Vec::new();
    for entry in asked.read_dir().map_err(cannot_read)? {
        let path = entry.map_err(cannot_read)?.path();
        if path.is_dir() && is_source(&path) {
            sources.push(path);
        }
    }
    sources.sort();
    if sources.is_empty() {
        return Err(Error::Nothing(format!(
            "{}: neither it nor a folder in it has any of {}",
            asked.display(),
            RunFolder::OLDER.join(", ")
        )));
    }
    Ok(sources)
}
