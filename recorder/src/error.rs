//! Errors of the recorder and the exit codes they end in.

/// Shorthand for results of the recorder.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a command did not end well. Each message names the flag, the file or the member, and the next step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was typed cannot be run.
    #[error("{0}")]
    Usage(String),
    /// This machine lacks something.
    #[error("{0}")]
    Environment(String),
    /// The run ended without being a trustworthy experiment; what was recorded is kept.
    #[error("{0}")]
    Run(String),
    /// SIGINT, SIGTERM or SIGHUP ended the run; what was recorded is kept.
    #[error("{0}")]
    Interrupted(String),
    /// Another process of ours has said what is wrong, and ended with this code.
    #[error("ended with code {0}")]
    Said(u8),
    /// The run folder could not be written or read.
    #[error(transparent)]
    Folder(#[from] run_folder::Error),
}

/// Exit codes, as documented in `recorder --help`.
pub mod exit_code {
    /// The run failed, or its folder could not be written.
    pub const RUN_FAILED: u8 = 1;
    /// A wrong argument; nothing was started.
    pub const USAGE: u8 = 2;
    /// The machine lacks something; nothing was recorded.
    pub const ENVIRONMENT: u8 = 3;
    /// A signal ended the run.
    pub const INTERRUPTED: u8 = 130;
}

impl Error {
    /// A usage error, formatted where it is made.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// An environment error, formatted where it is made.
    pub fn environment(message: impl Into<String>) -> Self {
        Self::Environment(message.into())
    }

    /// A failed run, formatted where it fails.
    pub fn run(message: impl Into<String>) -> Self {
        Self::Run(message.into())
    }

    /// The exit code that this error ends in.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::Folder(run_folder::Error::Label { .. } | run_folder::Error::SweepUnderWay { .. }) => {
                exit_code::USAGE
            }
            Self::Environment(_) => exit_code::ENVIRONMENT,
            Self::Run(_) | Self::Folder(_) => exit_code::RUN_FAILED,
            Self::Interrupted(_) => exit_code::INTERRUPTED,
            Self::Said(code) => *code,
        }
    }
}
