//! Where rows lie until results are computed from them: a folder of the benchmark's own, which goes with it in every case.

use std::path::{Path, PathBuf};

use crate::cluster::data::{self, DataDir};
use crate::error::Result;
use crate::machine;
use crate::plan::DATA_FOLDER;

/// What the folder is named after its stamp. It lies and is named like members' data, so that the next recorder removes it when
/// this one is killed.
const LABEL: &str = "bench";

/// The folder. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Scratch {
    data: Option<DataDir>,
    /// Folder that was made for it to lie in.
    made: Option<PathBuf>,
}

impl Scratch {
    /// Makes a folder below `dir`, and removes what killed recorders left there. Where `dir` was not there before the
    /// benchmark, it goes too.
    ///
    /// # Errors
    /// When it cannot be made, naming `--dir`.
    pub(super) fn create(dir: &Path, was_there: bool) -> Result<Self> {
        let dir = machine::place("--dir", dir)?;
        let folder = dir.join(DATA_FOLDER);
        data::remove_stale(&folder);
        let stamp = chrono::Utc::now().format("%Y%m%d_%H%M%S");
        let path = folder.join(format!("{stamp}_{LABEL}{}", std::process::id()));
        let mut scratch = Self { data: None, made: (!was_there).then_some(dir) };
        scratch.data = Some(DataDir::create_for("rows", "--dir", &path)?);
        Ok(scratch)
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        self.data.as_ref().map_or(Path::new(""), DataDir::path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.data.take());
        // An error means that something else lies there by now.
        let _ = self.made.as_ref().map(std::fs::remove_dir);
    }
}
