//! Clusters that stay up between commands: `recorder up`, `down`, `exec`, and what is done to single members. Each backend
//! keeps its clusters in its own way; what is said of them is the same.

pub mod containers;
pub mod faults;
pub mod member;
pub mod sandbox;

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::Command;

use crate::cli::kept::{DownCommand, ExecCommand, KeptKind, UpCommand, UpKind};
use crate::cluster::member_status::ClusterStatus;
use crate::error::{Error, Result};
use crate::{programs, terminal};

/// What etcdctl takes its endpoints from.
const ENDPOINTS: &str = "ETCDCTL_ENDPOINTS";

/// Exit codes that shells use too.
const CANNOT_BE_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Starts a cluster that stays up, and returns the exit code. Must be called while the process has a single thread.
///
/// # Errors
/// What keeps the cluster from coming up.
pub fn up(typed: &UpCommand) -> Result<u8> {
    match typed.cluster {
        UpKind::Sandbox => sandbox::up(typed),
        UpKind::Docker => containers::up(typed),
    }
}

/// Starts a cluster as [`up`] does, and does not say how to reach it. Containers are labelled with the session's name. Must be
/// called while the process has a single thread.
///
/// # Errors
/// As [`up`].
pub fn bring_up(typed: &UpCommand, session: &str) -> Result<()> {
    match typed.cluster {
        UpKind::Sandbox => match sandbox::bring_up(typed)? {
            0 => Ok(()),
            code => Err(Error::Said(code)),
        },
        UpKind::Docker => containers::bring_up(typed, session).map(drop),
    }
}

/// Ends the cluster that is up, as [`down`] does, and with it the data of containers that a session of this name brought up.
///
/// # Errors
/// As [`down`].
pub fn take_down(cluster: KeptKind, session: &str) -> Result<()> {
    let ended = |is_ended: bool| is_ended.then_some(());
    let containers = || containers::take_down(session).map(ended);
    if find(cluster, || sandbox::down().map(ended), containers)?.is_none() {
        terminal::line("no cluster is up");
    }
    Ok(())
}

/// How the members of the cluster that is up are; `None` when none is.
///
/// # Errors
/// When it cannot be asked. Members that do not answer are no error.
pub fn status(cluster: KeptKind) -> Result<Option<ClusterStatus>> {
    block_on(ask_status(cluster))
}

/// As [`status`], within a runtime.
///
/// # Errors
/// As [`status`].
pub async fn ask_status(cluster: KeptKind) -> Result<Option<ClusterStatus>> {
    // Its daemon is asked on a socket that blocks.
    let sandbox = || async {
        let asked = tokio::task::spawn_blocking(sandbox::status).await;
        asked.map_err(|error| Error::run(format!("a status request failed: {error}")))?
    };
    match cluster {
        KeptKind::Sandbox => sandbox().await,
        KeptKind::Docker => containers::status().await,
        KeptKind::Auto => match sandbox().await? {
            Some(status) => Ok(Some(status)),
            None if crate::docker::Engine::connect().await.is_ok() => containers::status().await,
            None => Ok(None),
        },
    }
}

/// Ends the cluster that is up, and returns the exit code.
///
/// # Errors
/// When it cannot be ended.
pub fn down(typed: &DownCommand) -> Result<u8> {
    let ended = |is_ended: bool| is_ended.then_some(());
    // Volumes are a matter of containers: a sandbox's data go with it in any case.
    let sandbox = || sandbox::down().map(ended);
    let containers = || containers::down(typed).map(ended);
    if find(typed.cluster, sandbox, containers)?.is_none() {
        terminal::line("no cluster is up");
    }
    Ok(0)
}

/// Becomes a program inside the network of the cluster that is up; returns an exit code only when that fails. Must be
/// called while the process has a single thread.
///
/// # Errors
/// When none is up, or it has no such place.
pub fn exec(typed: &ExecCommand) -> Result<u8> {
    find(typed.cluster, || sandbox::exec(typed), || containers::exec(typed))?.ok_or_else(nothing_up)
}

/// Asks the backend that was named; without a name the sandbox and then, if there is an engine, the containers.
fn find<T>(
    cluster: KeptKind,
    sandbox: impl FnOnce() -> Result<Option<T>>,
    containers: impl FnOnce() -> Result<Option<T>>,
) -> Result<Option<T>> {
    match cluster {
        KeptKind::Sandbox => sandbox(),
        KeptKind::Docker => containers(),
        KeptKind::Auto => match sandbox()? {
            Some(found) => Ok(Some(found)),
            None if block_on(async { Ok(crate::docker::Engine::connect().await.is_ok()) })? => containers(),
            None => Ok(None),
        },
    }
}

/// What is said when there is no cluster to do something with.
pub fn nothing_up() -> Error {
    Error::environment("no cluster is up; start one with `recorder up`")
}

/// Runs a task on this thread alone.
///
/// # Errors
/// Those of the task.
pub fn block_on<T>(task: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::environment(format!("the runtime cannot be started: {error}")))?.block_on(task)
}

/// Tells etcdctl where the members are, unless it is told so by its arguments: it takes one or the other, and ends when it
/// finds both.
fn name_endpoints(command: &mut Command, arguments: &[OsString], endpoints: &[String]) {
    command.env("ETCDCTL_API", "3").env(ENDPOINTS, endpoints.join(","));
    if arguments.iter().any(|argument| argument.as_encoded_bytes().starts_with(b"--endpoints")) {
        command.env_remove(ENDPOINTS);
    }
}

/// Says why a program could not be run; returns the exit code that says so too.
fn enter_failed(program: &OsStr, error: &io::Error) -> u8 {
    // Of a PATH with a folder that is closed to this user, the system says no more than that.
    let not_found = error.kind() == io::ErrorKind::NotFound
        || program.to_str().is_some_and(|name| !name.contains('/') && programs::find(name).is_none());
    let (problem, code) =
        if not_found { ("there is no such program".into(), NOT_FOUND) } else { (error.to_string(), CANNOT_BE_RUN) };
    terminal::error(&Error::usage(format!("{}: {problem}", program.display())));
    code
}
