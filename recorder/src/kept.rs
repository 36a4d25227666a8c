//! Clusters that stay up between commands: `recorder up`, `status`, `down`, `exec`. Each backend keeps its clusters in
//! its own way; what is said of them is the same.

pub mod members;
pub mod sandbox;

use crate::cli::ClusterKind;
use crate::cli::kept::{DownCommand, ExecCommand, StatusCommand, UpCommand};
use crate::error::{Error, Result};

/// Starts a cluster that stays up, and returns the exit code. Must be called while the process has a single thread.
///
/// # Errors
/// What keeps the cluster from coming up.
pub fn up(typed: &UpCommand) -> Result<u8> {
    match typed.cluster {
        ClusterKind::Auto | ClusterKind::Sandbox => sandbox::up(typed),
        ClusterKind::Docker => Err(no_docker()),
    }
}

/// Shows the cluster that is up, and returns the exit code.
///
/// # Errors
/// When none is up, or it cannot be asked.
pub fn status(typed: &StatusCommand) -> Result<u8> {
    let status = match typed.cluster {
        ClusterKind::Auto | ClusterKind::Sandbox => sandbox::status()?.ok_or_else(nothing_up)?,
        ClusterKind::Docker => return Err(no_docker()),
    };
    Ok(members::print(&status, typed.format))
}

/// Ends the cluster that is up, and returns the exit code.
///
/// # Errors
/// When it cannot be ended.
pub fn down(typed: &DownCommand) -> Result<u8> {
    let ended = match typed.cluster {
        // Volumes are a matter of containers: a sandbox's data go with it in any case.
        ClusterKind::Auto | ClusterKind::Sandbox => sandbox::down()?,
        ClusterKind::Docker => return Err(no_docker()),
    };
    if !ended {
        crate::terminal::line("no cluster is up");
    }
    Ok(0)
}

/// Becomes a program inside the network of the cluster that is up; returns an exit code only when that fails. Must be
/// called while the process has a single thread.
///
/// # Errors
/// When none is up, or it has no such place.
pub fn exec(typed: &ExecCommand) -> Result<u8> {
    match typed.cluster {
        ClusterKind::Auto | ClusterKind::Sandbox => sandbox::exec(typed)?.ok_or_else(nothing_up),
        ClusterKind::Docker => Err(no_docker()),
    }
}

fn nothing_up() -> Error {
    Error::environment("no cluster is up; start one with `recorder up`")
}

fn no_docker() -> Error {
    Error::environment("no Docker support in this build; use --cluster sandbox")
}
