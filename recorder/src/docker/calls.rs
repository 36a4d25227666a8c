//! Calls to the engine: each has an end, and a failure says whether the engine refused or is not there.

use std::future::Future;
use std::time::Duration;

use super::Engine;
use crate::error::{Error, Result};

/// The longest that the engine may take for one call; the slowest, stopping a container, takes ten seconds of its own.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a call did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The engine answered with an error.
    Refused {
        /// HTTP status.
        status: u16,
        /// In the engine's words.
        message: String,
    },
    /// The engine did not answer, or not in a way that can be understood.
    Silent(String),
}

impl Failure {
    /// Whether the thing asked about does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether it is in conflict with what exists.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }

    /// In the engine's words.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Refused { message, .. } | Self::Silent(message) => message.trim(),
        }
    }
}

impl From<bollard::errors::Error> for Failure {
    fn from(error: bollard::errors::Error) -> Self {
        use bollard::errors::Error as Theirs;
        match error {
            Theirs::DockerResponseServerError { status_code, message } => {
                Self::Refused { status: status_code, message }
            }
            Theirs::DockerStreamError { error } => Self::Refused { status: 500, message: error },
            Theirs::RequestTimeoutError => Self::Silent(format!("no answer within {} s", CALL_TIMEOUT.as_secs())),
            other => Self::Silent(whole_reason(&other)),
        }
    }
}

/// An error with its causes: the outermost says only that a client had one.
fn whole_reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

impl Engine {
    /// Makes a call, which is given up after [`CALL_TIMEOUT`].
    pub(super) async fn call<T>(
        &self,
        call: impl Future<Output = std::result::Result<T, bollard::errors::Error>>,
    ) -> std::result::Result<T, Failure> {
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::Silent(format!("no answer within {} s", CALL_TIMEOUT.as_secs()))),
        }
    }

    /// Makes a call whose failure needs no more words than what was attempted: `to make network x`.
    pub(super) async fn call_to<T>(
        &self,
        what: &str,
        call: impl Future<Output = std::result::Result<T, bollard::errors::Error>>,
    ) -> Result<T> {
        self.call(call).await.map_err(|failure| self.explain(what, &failure))
    }

    /// The message for a failed call.
    pub(super) fn explain(&self, what: &str, failure: &Failure) -> Error {
        Error::environment(match failure {
            Failure::Refused { message, .. } => {
                format!("the Docker engine at {} refused {what}: {}", self.socket(), message.trim())
            }
            Failure::Silent(reason) => format!(
                "the Docker engine at {} did not answer when asked {what} ({reason}); see whether it runs (docker info, \
                 systemctl status docker), then try again; recorder down removes what is left",
                self.socket()
            ),
        })
    }
}
