//! `recorder up` for a sandbox: a daemon that outlives the command, and the command's wait for it.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigmaskHow, Signal, kill, pthread_sigmask};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

use super::daemon::{Keeping, keep};
use super::listeners;
use super::state::{Listener, ProcessName, State, StateFolder};
use crate::cli::kept::UpCommand;
use crate::cluster::{data, etcd, member_name, sandbox};
use crate::error::{Error, Result, exit_code};
use crate::plan::{DATA_FOLDER, etcd_of_environment, etcd_version_of_environment};
use crate::{machine, signals, terminal};

/// What the daemon says when the cluster is ready.
pub(super) const READY: u8 = b'R';

/// Label of the data's folder, which is named like a run's so that any recorder clears it when this one is killed.
const DATA_LABEL: &str = "kept";

/// What is to be started.
struct Planned {
    program: etcd::Program,
    nodes: u8,
    /// Folder of the members' data.
    data: PathBuf,
    /// Folder that was made for it.
    made: Option<PathBuf>,
}

impl Planned {
    fn new(typed: &UpCommand) -> Result<Self> {
        let (program, version) = (
            typed.etcd.clone().or_else(etcd_of_environment),
            typed.etcd_version.clone().or_else(etcd_version_of_environment),
        );
        let program = machine::sandbox_programs(program.as_deref(), version.as_deref())?;
        let (option, place) = typed.data_dir.as_ref().map_or(("--dir", &typed.dir), |place| ("--data-dir", place));
        let made = !place.exists();
        let place = machine::place(option, place)?;
        let data = place.join(DATA_FOLDER);
        data::remove_stale(&data);
        let now = chrono::Utc::now().format("%Y%m%d_%H%M%S");
        let data = data.join(format!("{now}_{DATA_LABEL}{}", std::process::id()));
        Ok(Self { program, nodes: typed.nodes, data, made: made.then_some(place) })
    }
}

/// Starts the daemon and waits until its cluster is ready; returns the exit code. Must be called while the process has
/// a single thread.
///
/// # Errors
/// What keeps the cluster from coming up, except what the daemon found: that is printed as it said it.
pub(super) fn up(typed: &UpCommand) -> Result<u8> {
    let inherited = inherited_files();
    let folder = super::claim()?;
    // From here on the folder is ours to remove when nothing comes of it.
    let started = start(typed, &folder, &inherited);
    if !matches!(started, Ok(0)) {
        folder.state().as_ref().map(State::remove_data);
        folder.remove();
    }
    started
}

fn start(typed: &UpCommand, folder: &StateFolder, inherited: &[i32]) -> Result<u8> {
    let planned = Planned::new(typed)?;
    let log = folder.new_log()?;
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&signals::handled()), None)
        .map_err(|errno| failed("blocking signals", errno))?;
    let (starter, daemons_end) =
        UnixStream::pair().map_err(|error| Error::environment(format!("no socket can be had: {error}")))?;
    // SAFETY: the process has a single thread, so the child may go on using the heap and locks.
    match unsafe { fork() }.map_err(|errno| failed("a fork", errno))? {
        ForkResult::Child => {
            drop(starter);
            let code = become_daemon(&log, inherited).and_then(|()| run(&planned, folder, daemons_end)).unwrap_or_else(
                |error| {
                    terminal::error(&error);
                    error.code()
                },
            );
            folder.state().as_ref().map(State::remove_data);
            if code == 0 {
                // Else the command that started it, or the next one, says what its log says.
                folder.remove();
            }
            std::process::exit(i32::from(code));
        }
        ForkResult::Parent { child } => {
            drop(daemons_end);
            match wait_until_ready(child, starter)? {
                None => Ok(0),
                Some(code) => {
                    // The daemon's words are this command's: it did all that was asked of this command.
                    terminal::line(folder.log());
                    Ok(code)
                }
            }
        }
    }
}

/// The daemon, which is the sandbox's parent: it lives as long as the sandbox, which dies with it.
fn run(planned: &Planned, folder: &StateFolder, starter: UnixStream) -> Result<u8> {
    // In the host's network, which is left below.
    let listeners = listeners::open(planned.nodes)?;
    let member = |(index, listener): (usize, &std::net::TcpListener)| {
        let address = listener.local_addr().map_err(|error| Error::environment(format!("no address: {error}")))?;
        Ok(Listener { member: member_name(index as u8), address })
    };
    let process = ProcessName::of(std::process::id() as i32)
        .ok_or_else(|| Error::environment("/proc/self/stat cannot be read; is /proc mounted?"))?;
    let state = State {
        process,
        started: chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        etcd_version: planned.program.version.clone(),
        members: listeners.iter().enumerate().map(member).collect::<Result<_>>()?,
        data: planned.data.clone(),
        made: planned.made.clone(),
    };
    folder.write_state(&state)?;
    let ended = sandbox::run_inside(|| {
        let keeping = Keeping { program: &planned.program, folder, state: &state };
        match keep(&keeping, listeners, starter) {
            Ok(()) => 0,
            Err(error) => {
                terminal::error(&error);
                error.code()
            }
        }
    });
    // Nothing was recorded that could be recovered, which these errors of a run's sandbox are about.
    ended.map_err(|error| match error {
        Error::Interrupted(_) => Error::Interrupted("ended at once; no cluster is up".into()),
        Error::Run(_) => Error::run("the sandbox was killed"),
        other => other,
    })
}

/// Leaves everything that this process has of the command's surroundings: terminal, session, folder, open files.
fn become_daemon(log: &File, inherited: &[i32]) -> Result<()> {
    setsid().map_err(|errno| failed("a session", errno))?;
    std::env::set_current_dir("/").map_err(|error| Error::environment(format!("/: {error}")))?;
    let nothing = File::open("/dev/null").map_err(|error| Error::environment(format!("/dev/null: {error}")))?;
    dup2_stdin(&nothing)
        .and_then(|()| dup2_stdout(log))
        .and_then(|()| dup2_stderr(log))
        .map_err(|errno| failed("redirecting its output", errno))?;
    for file in inherited {
        // Whoever waits for the last holder of one, as `make` and some test runners do, shall not wait for the daemon.
        // SAFETY: nothing in this program knows these files, which were open before it began.
        unsafe { libc::close(*file) };
    }
    Ok(())
}

/// Files beyond the three usual ones that whoever started us left open.
fn inherited_files() -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let files = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let files: Vec<i32> = files.filter(|file| *file > 2).collect();
    // The folder that was just read was open meanwhile, and is not any more.
    files.into_iter().filter(|file| std::fs::read_link(format!("/proc/self/fd/{file}")).is_ok()).collect()
}

/// Waits until the daemon is ready (`None`) or has ended; passes signals on meanwhile.
fn wait_until_ready(daemon: Pid, mut starter: UnixStream) -> Result<Option<u8>> {
    let signals = SignalFd::new(&signals::handled()).map_err(|errno| failed("waiting for signals", errno))?;
    loop {
        let mut waits =
            [PollFd::new(starter.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waits, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(failed("waiting for the daemon", errno)),
        }
        if waits[1].any().unwrap_or(false) {
            let signal = signals.read_signal().ok().flatten();
            if let Some(signal) = signal.and_then(|signal| Signal::try_from(signal.ssi_signo as i32).ok()) {
                // The first one ends the start in good order, the second one at once. An error means that it has ended.
                let _ = kill(daemon, signal);
            }
            continue;
        }
        let mut said = [0];
        if starter.read(&mut said).is_ok_and(|length| length == 1) && said == [READY] {
            return Ok(None);
        }
        return match waitpid(daemon, None) {
            Ok(WaitStatus::Exited(_, code)) => {
                // It is not to end before it is ready.
                Ok(Some(u8::try_from(code).ok().filter(|code| *code != 0).unwrap_or(exit_code::RUN_FAILED)))
            }
            Ok(status) => Err(Error::run(format!("the daemon was killed while it started ({status:?})"))),
            Err(errno) => Err(failed("waiting for the daemon", errno)),
        };
    }
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::environment(format!("the cluster's daemon cannot be started: {what} failed ({errno})"))
}
