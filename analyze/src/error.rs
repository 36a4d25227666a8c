//! What can go wrong in `analyze`, and the exit code that each kind of failure ends with.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure that ends the command, or that takes one run out of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was typed cannot be carried out.
    #[error("{0}")]
    Usage(String),
    /// Nothing to analyse is left.
    #[error("{0}")]
    Nothing(String),
    /// A run folder cannot be read.
    #[error(transparent)]
    Run(#[from] run_folder::Error),
    /// A Parquet file of a run cannot be decoded, or holds what the format does not allow.
    #[error("{}: {problem}; the other runs are not affected, record this one again or leave it out", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A bundle cannot be opened: it is not one, or not whole, or holds what it must not.
    #[error("{}: {problem}", path.display())]
    Bundle {
        /// The bundle.
        path: PathBuf,
        /// What is wrong with it, and what to do about it.
        problem: String,
    },
    /// Older files cannot be imported.
    #[error("{}: {problem}", path.display())]
    Import {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, and what to do about it.
        problem: String,
    },
    /// A result cannot be written.
    #[error("{}: cannot write the result: {problem}; choose another place with --output", path.display())]
    Output {
        /// The file, or `standard output`.
        path: PathBuf,
        /// The cause.
        problem: String,
    },
    /// Whoever asked has stopped waiting, see [`crate::interruption`].
    #[error("interrupted")]
    Interrupted,
    /// A table could not be computed: a bug, or a column of the wrong type.
    #[error("cannot compute the table: {0}")]
    Table(#[from] polars::error::PolarsError),
    /// A picture could not be drawn: a bug.
    #[error("cannot draw the plot: {0}")]
    Plot(String),
}

impl Error {
    /// The exit code that the command ends with; see [`crate::cli::EXIT_CODES`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Nothing(_) => 3,
            Self::Run(_)
            | Self::Unreadable { .. }
            | Self::Bundle { .. }
            | Self::Interrupted
            | Self::Import { .. }
            | Self::Output { .. }
            | Self::Table(_)
            | Self::Plot(_) => 1,
        }
    }

    /// Wraps the cause of a failed write with the file's path, for `map_err`.
    pub fn output<E: std::fmt::Display>(path: impl AsRef<Path>) -> impl FnOnce(E) -> Self {
        let path = path.as_ref().to_path_buf();
        move |cause| Self::Output { path, problem: cause.to_string() }
    }

    /// A bundle that cannot be opened.
    pub fn bundle(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Bundle { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// Older files that cannot be imported.
    pub fn import(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Import { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// Wraps the cause of a failed decoding with the file's path, for `map_err`.
    pub fn unreadable<E: std::fmt::Display>(path: impl AsRef<Path>) -> impl FnOnce(E) -> Self {
        let path = path.as_ref().to_path_buf();
        move |cause| Self::Unreadable { path, problem: cause.to_string() }
    }
}
