//! Processes of their own for runs that follow each other: a sandbox moves the whole process into namespaces, and out of
//! them there is no way back.

use std::io::{self, Read as _, Write as _};

use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, pthread_sigmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid, setpgid};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result, exit_code};
use crate::signals;

/// Starts processes one after the other, passes signals on to them, and remembers that there were any.
#[derive(Debug)]
pub struct Supervisor {
    watched: SigSet,
    interrupted: bool,
    /// Whether the process is killed at the second signal; else it sees to that itself.
    ends_at_second: bool,
}

impl Supervisor {
    /// Takes the signals over. Must be made while the process has a single thread.
    ///
    /// # Errors
    /// [`Error::Environment`] when signals cannot be blocked.
    pub fn new() -> Result<Self> {
        let mut watched = signals::handled();
        watched.add(Signal::SIGCHLD);
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&watched), None)
            .map_err(|errno| failed("blocking signals", errno))?;
        Ok(Self { watched, interrupted: false, ends_at_second: false })
    }

    /// Whether a signal has asked for the end.
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// Runs `inside` in a process of its own, which dies with this one, and returns its exit code; that of a failed run
    /// when a signal killed it.
    ///
    /// # Errors
    /// [`Error::Environment`] when no process can be started.
    pub fn run(&mut self, inside: impl FnOnce() -> Result<u8>) -> Result<u8> {
        let supervisor = getpid();
        // SAFETY: the process has a single thread, so the child may go on using the heap and locks.
        match unsafe { fork() }.map_err(|errno| failed("a fork", errno))? {
            ForkResult::Child => {
                let code = bind_to(supervisor).and_then(|()| inside()).unwrap_or_else(|error| {
                    crate::terminal::error(&error);
                    error.code()
                });
                std::process::exit(i32::from(code));
            }
            ForkResult::Parent { child } => self.wait(child),
        }
    }

    fn wait(&mut self, child: Pid) -> Result<u8> {
        loop {
            let signal = self.watched.wait().map_err(|errno| failed("waiting for signals", errno))?;
            if signal != Signal::SIGCHLD {
                let is_second = std::mem::replace(&mut self.interrupted, true);
                let signal = if is_second && self.ends_at_second { Signal::SIGKILL } else { signal };
                // The child ends its run at the first one and everything at the second. An error means that it has
                // just ended; SIGCHLD follows.
                let _ = kill(child, signal);
                continue;
            }
            match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => return Ok(u8::try_from(code).unwrap_or(u8::MAX)),
                Ok(WaitStatus::Signaled(..)) if self.interrupted && self.ends_at_second => {
                    return Err(Error::Interrupted(
                        "ended at once; `recorder recover` makes the newest run folder whole".into(),
                    ));
                }
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    crate::terminal::line(format_args!("the process of a run was ended by {signal}"));
                    return Ok(exit_code::RUN_FAILED);
                }
                Ok(_) => {}
                Err(errno) => return Err(failed("waiting for a run", errno)),
            }
        }
    }
}

/// Ties this process's life to that of its parent, and takes it out of the terminal's reach: Ctrl-C goes to the parent
/// alone, which passes it on exactly once.
fn bind_to(parent: Pid) -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| failed("the parent-death signal", errno))?;
    if getppid() != parent {
        return Err(Error::run("the recorder was killed while it started a run"));
    }
    setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(|errno| failed("a process group", errno))
}

/// Finds something out in a process of its own, so that neither threads nor a runtime's traces are left in this one. Must be called
/// while the process has a single thread.
///
/// # Errors
/// [`Error::Said`] where it has failed and said why, [`Error::Interrupted`] when a signal came meanwhile.
pub fn find_out<T: Serialize + DeserializeOwned>(inside: impl FnOnce() -> Result<T>) -> Result<T> {
    let broken =
        |error: io::Error| Error::environment(format!("another process of the recorder cannot be asked: {error}"));
    let (mut answer, mut told) = io::pipe().map_err(broken)?;
    let mut supervisor = Supervisor::new()?;
    let code = supervisor.run(move || {
        let found = serde_json::to_vec(&inside()?).expect("what is found out has only string keys");
        told.write_all(&found).map_err(broken)?;
        Ok(0)
    })?;
    let mut text = Vec::new();
    answer.read_to_end(&mut text).map_err(broken)?;
    match code {
        0 if supervisor.interrupted() => Err(Error::Interrupted("interrupted; nothing was begun".into())),
        0 => serde_json::from_slice(&text).map_err(|error| broken(error.into())),
        // It has said why.
        code => Err(Error::Said(code)),
    }
}

fn failed(what: &str, errno: nix::errno::Errno) -> Error {
    Error::environment(format!("a process for a run cannot be had: {what} failed ({errno})"))
}

/// Runs `inside` in this process and returns its exit code, with signals blocked until it handles them: like a sandbox, but
/// where everything stays visible. The second signal ends it at once.
///
/// # Errors
/// [`Error::Environment`] when no process can be started.
pub fn run_here(inside: impl FnOnce() -> u8) -> Result<u8> {
    // In a process of its own all the same: what must end at the second signal must not be what waits for it.
    let mut supervisor = Supervisor::new()?;
    supervisor.ends_at_second = true;
    supervisor.run(|| Ok(inside()))
}
