//! What can go wrong with a run folder. Each message names the file and the next step.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of reading or writing a run folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused something on a file.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done, as in "cannot write".
        action: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is there but its content is not what the format says.
    #[error("{}: {problem}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do about it.
        problem: String,
    },
    /// The folder was written by a newer Laggard.
    #[error("{}: format version {found} is newer than this program's {known}; update Laggard to read it", path.display())]
    NewerFormat {
        /// The manifest.
        path: PathBuf,
        /// The version in the manifest.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// Recovery was asked for a run whose recorder is still at work.
    #[error("{}: its recorder is still running; wait for it or stop it, then run `recorder recover` again", path.display())]
    StillRecording {
        /// The run folder.
        path: PathBuf,
    },
    /// Another sweep records into the same results folder.
    #[error("{}: another sweep is under way in this folder; wait for it, or name another one with --dir", path.display())]
    SweepUnderWay {
        /// The results folder.
        path: PathBuf,
    },
    /// Recovery was asked for a run that is whole.
    #[error("{}: nothing to recover, the run is {status}", path.display())]
    NothingToRecover {
        /// The run folder.
        path: PathBuf,
        /// Its status.
        status: String,
    },
    /// A label cannot be part of a folder name.
    #[error("label {label:?} {problem}")]
    Label {
        /// The label as given.
        label: String,
        /// What is wrong with it, and what is allowed.
        problem: &'static str,
    },
}

impl Error {
    /// Wraps an I/O error with the path and the action, for `map_err`.
    pub fn io(path: impl AsRef<Path>, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, action, source }
    }

    /// Wraps an error of the Parquet library likewise. The system's own error is taken out where there is one, so that a
    /// full disk is seen as such.
    pub(crate) fn parquet(
        path: impl AsRef<Path>,
        action: &'static str,
    ) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        use std::io;
        move |error| {
            let source = match error {
                parquet::errors::ParquetError::External(cause) => {
                    cause.downcast::<io::Error>().map_or_else(io::Error::other, |cause| *cause)
                }
                other => io::Error::other(other),
            };
            Self::io(path, action)(source)
        }
    }

    /// A file whose content breaks the format.
    pub fn corrupt(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Corrupt { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// True when the disk (or the quota) is full, so that a caller can say so and free its reserve.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
    }
}
