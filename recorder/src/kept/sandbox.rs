//! A sandbox that stays up. `recorder up` starts a daemon, which is what [`crate::cluster::sandbox`] is to a run: the
//! parent of all that happens inside, and its end when it is killed. Other commands find it by its [`state`] folder and
//! talk to its inner part, [`daemon`], over a [`control`] socket.

mod control;
mod daemon;
mod enter;
mod listeners;
mod protocol;
mod start;
pub mod state;

use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::faults::{self, Action};
use crate::apart::Supervisor;
use crate::cli::kept::{ExecCommand, UpCommand};
use crate::cluster::action::MemberAction;
use crate::cluster::member_status::ClusterStatus;
use crate::error::{Error, Result};
use crate::terminal;
use protocol::{Answer, Request};
use state::{Listener, State, StateFolder};

/// How long a sandbox that is starting or ending is waited for.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(1);
const CHANGE_POLL: Duration = Duration::from_millis(20);
/// How long a sandbox may take to end when it is asked to, before it is made to.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What is found of the user's kept sandbox.
enum Found {
    /// None; what a killed one left is cleared.
    Nothing,
    /// One that can be asked.
    Up(StateFolder, UnixStream),
    /// One that does not listen: it is starting, ending, or stuck.
    Deaf(StateFolder),
}

/// Starts a sandbox that stays up, and returns the exit code. Must be called while the process has a single thread.
///
/// # Errors
/// What keeps it from coming up.
pub fn up(typed: &UpCommand) -> Result<u8> {
    let code = start::up(typed)?;
    if code == 0 {
        announce()?;
    }
    Ok(code)
}

/// As [`up`], without saying how to reach it.
///
/// # Errors
/// As [`up`].
pub(super) fn bring_up(typed: &UpCommand) -> Result<u8> {
    start::up(typed)
}

/// Asks the sandbox how its members are; `None` when there is none.
///
/// # Errors
/// When it does not answer.
pub fn status() -> Result<Option<ClusterStatus>> {
    let Some((_folder, stream)) = reachable()? else { return Ok(None) };
    match control::ask(&stream, &Request::Status)?.0 {
        Answer::Status(status) => Ok(Some(status)),
        other => Err(unexpected(&other)),
    }
}

/// Ends the sandbox and waits until it is gone; `false` when there was none.
///
/// # Errors
/// When it cannot be ended.
pub fn down() -> Result<bool> {
    let (folder, gone) = match find()? {
        Found::Nothing => return Ok(false),
        Found::Up(folder, stream) => match control::ask(&stream, &Request::Stop) {
            Ok((Answer::Stopping { members, data }, _)) => {
                let (members, data) = (members.join(", "), data.display());
                (folder, format!("ended {members}; removed their sandbox, its listeners, and the data in {data}"))
            }
            Ok((other, _)) => return Err(unexpected(&other)),
            Err(error) => {
                terminal::line(format_args!("{error}; ending it at once"));
                signal(&folder, Signal::SIGKILL);
                (folder, "ended the sandbox".into())
            }
        },
        Found::Deaf(folder) => {
            terminal::line("ending a sandbox that is starting or does not answer");
            signal(&folder, Signal::SIGTERM);
            (folder, "ended the sandbox".into())
        }
    };
    if !is_gone(&folder, STOP_TIMEOUT)? {
        signal(&folder, Signal::SIGKILL);
        if !is_gone(&folder, STOP_TIMEOUT)? {
            let process = folder.state().map_or_else(String::new, |state| format!(" (process {})", state.process.pid));
            return Err(Error::run(format!("the sandbox does not end{process}; is it being debugged?")));
        }
    }
    terminal::line(gone);
    Ok(true)
}

/// Does something to a member. What is started is not ready yet.
///
/// # Errors
/// When the sandbox is gone, does not answer, or refuses.
pub(super) fn act(action: MemberAction, member: &str) -> Result<()> {
    let (_folder, stream) = reachable()?.ok_or_else(super::nothing_up)?;
    match control::ask(&stream, &Request::Act { action, member: member.to_owned() })?.0 {
        Answer::Acted => Ok(()),
        other => Err(unexpected(&other)),
    }
}

/// Moves this process into the sandbox's network, where clients are, and returns the members' addresses there; `None` when there is no
/// sandbox. Must be called while the process has a single thread.
///
/// # Errors
/// When the sandbox cannot be entered.
pub fn enter_clients() -> Result<Option<Vec<SocketAddr>>> {
    let Some((_folder, stream)) = reachable()? else { return Ok(None) };
    match control::ask(&stream, &Request::Place { at: daemon::CLIENT.to_owned() })? {
        (Answer::Place { endpoints }, namespaces) => {
            let address = |url: &String| url.strip_prefix("http://").and_then(|address| address.parse().ok());
            let addresses: Option<Vec<_>> = endpoints.iter().map(address).collect();
            enter::enter(namespaces)?;
            addresses.map(Some).ok_or_else(|| unexpected(&Answer::Place { endpoints }))
        }
        (other, _) => Err(unexpected(&other)),
    }
}

/// Becomes a program inside the sandbox's network; `None` when there is no sandbox, an exit code when the program
/// cannot be run. Must be called while the process has a single thread.
///
/// # Errors
/// When the sandbox has no such place, or cannot be entered.
pub fn exec(typed: &ExecCommand) -> Result<Option<u8>> {
    let Some((folder, stream)) = reachable()? else { return Ok(None) };
    match control::ask(&stream, &Request::Place { at: typed.at.clone() })? {
        (Answer::Place { endpoints }, namespaces) => {
            drop((folder, stream));
            enter::become_program(typed, &endpoints, namespaces).map(Some)
        }
        (other, _) => Err(unexpected(&other)),
    }
}

/// Shows or clears the faults in each place of the sandbox; `None` when there is no sandbox. Must be called while the process has
/// a single thread.
///
/// # Errors
/// When a place cannot be entered.
pub(super) fn faults(action: Action) -> Result<Option<()>> {
    let Some((folder, first)) = reachable()? else { return Ok(None) };
    drop(first);
    let members = folder.state().map(|state| state.members).unwrap_or_default();
    let places = members.into_iter().map(|listener| listener.member).chain(["client".to_owned()]);
    let mut supervisor = Supervisor::new()?;
    for place in places {
        // Each in a process of its own: there is no way back out of a namespace.
        let code = supervisor.run(|| {
            let Some((_, stream)) = reachable()? else { return Err(super::nothing_up()) };
            match control::ask(&stream, &Request::Place { at: place.clone() })? {
                (Answer::Place { .. }, namespaces) => enter::enter(namespaces)?,
                (other, _) => return Err(unexpected(&other)),
            }
            faults::say(action, &[(place.clone(), action.here()?)]);
            Ok(0)
        })?;
        if code != 0 {
            return Err(faults::failed(&place, code));
        }
    }
    Ok(Some(()))
}

/// The sandbox's folder and a connection to it; `None` when there is none.
fn reachable() -> Result<Option<(StateFolder, UnixStream)>> {
    match find()? {
        Found::Nothing => Ok(None),
        Found::Up(folder, stream) => Ok(Some((folder, stream))),
        Found::Deaf(_) => Err(Error::environment(
            "a cluster is starting or ending, or its daemon does not answer; try again, or end it by `recorder down`",
        )),
    }
}

/// Looks for the sandbox. One that was killed is cleared, and said.
fn find() -> Result<Found> {
    let deadline = Instant::now() + CHANGE_TIMEOUT;
    loop {
        let Some(folder) = StateFolder::open()? else { return Ok(Found::Nothing) };
        if folder.lock()? {
            clear_killed(&folder);
            return Ok(Found::Nothing);
        }
        if let Ok(stream) = UnixStream::connect(folder.control_socket()) {
            return Ok(Found::Up(folder, stream));
        }
        if Instant::now() > deadline {
            return Ok(Found::Deaf(folder));
        }
        std::thread::sleep(CHANGE_POLL);
    }
}

/// The folder for a new sandbox, locked.
///
/// # Errors
/// [`Error::Usage`] when a sandbox is up.
fn claim() -> Result<StateFolder> {
    loop {
        let folder = StateFolder::create()?;
        if folder.lock()? {
            if folder.state().is_none() {
                return Ok(folder);
            }
            clear_killed(&folder);
            continue;
        }
        match find()? {
            // It was just going, or somebody has looked for it at the same moment.
            Found::Nothing => {}
            Found::Up(folder, _) => {
                let what = folder.state().map_or_else(|| "a sandbox is up".into(), |state| state.to_string());
                return Err(Error::usage(format!(
                    "{what}: one at a time stays up; `recorder status` shows it, `recorder down` ends it"
                )));
            }
            Found::Deaf(_) => {
                return Err(Error::usage(
                    "a sandbox is starting or ending, and one at a time stays up; `recorder down` ends it",
                ));
            }
        }
    }
}

/// Removes what a sandbox left that was killed or failed, and says so.
fn clear_killed(folder: &StateFolder) {
    if let Some(state) = folder.state() {
        let (log, separator) = match folder.log() {
            log if log.is_empty() => ("it was killed, or the machine was restarted".to_owned(), ": "),
            log => (log, ":\n  "),
        };
        let (pid, started) = (state.process.pid, &state.started);
        terminal::line(format_args!(
            "the sandbox of process {pid}, started {started}, is gone without having been asked to end{separator}{log}"
        ));
        state.remove_data();
    }
    folder.remove();
}

/// Whether the sandbox's last process is gone within this time, and what it left with it.
fn is_gone(folder: &StateFolder, timeout: Duration) -> Result<bool> {
    let deadline = Instant::now() + timeout;
    loop {
        // The lock of a folder that was removed counts too: nobody has it any more.
        if folder.is_unused()? {
            if folder.lock()? {
                // It did not come to that itself.
                folder.state().as_ref().map(State::remove_data);
                folder.remove();
            }
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(CHANGE_POLL);
    }
}

/// Sends a signal to the daemon, unless its id is somebody else's by now.
fn signal(folder: &StateFolder, signal: Signal) {
    if let Some(state) = folder.state().filter(|state| state.process.lives()) {
        // An error means that it has just ended.
        let _ = kill(Pid::from_raw(state.process.pid), signal);
    }
}

/// Says how to reach what has just come up.
fn announce() -> Result<()> {
    let state = StateFolder::open()?.and_then(|folder| folder.state());
    let state = state.ok_or_else(|| Error::run("the sandbox ended as soon as it was up"))?;
    terminal::line(format_args!("{state}; it stays up until `recorder down`"));
    for Listener { member, address } in &state.members {
        terminal::data(format_args!("{member}  http://{address}"));
    }
    terminal::line(
        "these listeners are for people, never for measuring; inside its network: recorder exec -- etcdctl ...",
    );
    Ok(())
}

fn unexpected(answer: &Answer) -> Error {
    Error::run(format!(
        "the cluster's daemon answered something else ({answer:?}); is it another version of the recorder?"
    ))
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (members, version, pid) = (self.members.len(), &self.etcd_version, self.process.pid);
        write!(f, "{members} members of etcd {version} are up in a sandbox (process {pid}, since {})", self.started)
    }
}
