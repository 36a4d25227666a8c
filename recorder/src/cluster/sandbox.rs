//! The sandbox: user, mount, pid and network namespaces that a run lives and dies in.
//!
//! The recorder forks into them before any thread starts. The parent stays outside of the pid namespace and only
//! forwards signals and waits; the child is pid 1 inside, so when it ends, by whatever cause, the kernel ends
//! every process in there and with the last of them every link, rule and mount. When the parent is killed, the
//! child gets SIGKILL from the kernel.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, pthread_sigmask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid, getppid, setpgid};

use crate::error::{Error, Result};
use crate::signals;

/// Runs `inside` as pid 1 of new namespaces and returns its exit code.
///
/// Must be called while the process has a single thread. `inside` starts with the signals of
/// [`signals::handled`] blocked, so that none is lost before it has handlers.
///
/// # Errors
/// [`Error::Environment`] when the kernel refuses namespaces, with what to set.
pub fn run_inside(inside: impl FnOnce() -> u8) -> Result<u8> {
    let mut watched = signals::handled();
    watched.add(Signal::SIGCHLD);
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&watched), None).map_err(|errno| refused("blocking signals", errno))?;

    let bound_to = Bond::of_this_process();
    enter_namespaces()?;
    bound_to.renew()?;
    let (parent_alive, parent_end) = nix::unistd::pipe().map_err(|errno| refused("a pipe", errno))?;
    // SAFETY: the process has a single thread, so the child may go on using the heap and locks.
    match unsafe { fork() }.map_err(|errno| refused("fork into the pid namespace", errno))? {
        ForkResult::Child => {
            drop(parent_end);
            let code = match become_init(parent_alive) {
                Ok(()) => inside(),
                Err(error) => {
                    crate::terminal::error(&error);
                    crate::error::exit_code::ENVIRONMENT
                }
            };
            std::process::exit(i32::from(code));
        }
        ForkResult::Parent { child } => {
            drop(parent_alive);
            let code = forward_signals_until_exit(child, &watched);
            drop(parent_end);
            code
        }
    }
}

/// Whom this process dies with, if with anybody: entering a user namespace silently ends that.
#[derive(Debug)]
pub struct Bond {
    signal: Option<Signal>,
    parent: Pid,
}

impl Bond {
    /// As it is now.
    pub fn of_this_process() -> Self {
        Self { signal: prctl::get_pdeathsig().ok().flatten(), parent: getppid() }
    }

    /// Makes it so again.
    ///
    /// # Errors
    /// [`Error::Run`] when whoever this process was to die with is gone.
    pub fn renew(self) -> Result<()> {
        let Some(signal) = self.signal else { return Ok(()) };
        prctl::set_pdeathsig(signal).map_err(|errno| refused("the parent-death signal", errno))?;
        if getppid() == self.parent {
            Ok(())
        } else {
            Err(Error::run("the recorder was killed while it started a run"))
        }
    }
}

/// Moves this process into new namespaces; only its children enter the pid namespace.
fn enter_namespaces() -> Result<()> {
    let needed = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNET;
    let (uid, gid) = (geteuid(), getegid());
    // Root does without a user namespace. A root that was stripped of CAP_SYS_ADMIN, as in many containers, does
    // what everybody else does.
    if uid.is_root() && unshare(needed).is_ok() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWUSER | needed).map_err(namespaces_refused)?;
    let write = |file: &str, text: String| {
        std::fs::write(file, text)
            .map_err(|error| Error::environment(format!("{file}: {error}; this kernel refuses user namespaces")))
    };
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// The child's part: tie its life to the parent's, and give it mounts of its own.
fn become_init(parent_alive: OwnedFd) -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| refused("the parent-death signal", errno))?;
    // The parent may have died before the line above. Its pid cannot tell (it is 0 in here), a hung-up pipe can.
    let mut parent = [PollFd::new(parent_alive.as_fd(), PollFlags::POLLIN)];
    let hung_up = poll(&mut parent, PollTimeout::ZERO).map_err(|errno| refused("a poll", errno))? > 0;
    if hung_up {
        return Err(Error::run("the recorder was killed while it started"));
    }
    // A process group of its own: Ctrl-C reaches the parent alone, which forwards it exactly once.
    setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(|errno| refused("a process group", errno))?;
    let none: Option<&Path> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|errno| refused("making mounts private", errno))?;
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // Without its own /proc, pids in here would name processes of the host.
    mount(Some("proc"), "/proc", Some("proc"), safe, none).map_err(|errno| refused("mounting /proc", errno))?;
    // iptables keeps its lock there; the host's is not ours to take, nor writable without root.
    mount(Some("tmpfs"), "/run", Some("tmpfs"), safe, Some("mode=0755,size=16m"))
        .map_err(|errno| refused("mounting a tmpfs on /run", errno))
}

/// The parent's part: pass the first signal on, end everything at the second, and wait.
fn forward_signals_until_exit(child: Pid, watched: &SigSet) -> Result<u8> {
    let mut signals = 0;
    loop {
        let signal = watched.wait().map_err(|errno| refused("waiting for signals", errno))?;
        if signal != Signal::SIGCHLD {
            signals += 1;
            // An error means that the child has just ended; SIGCHLD follows.
            let _ = kill(child, if signals == 1 { signal } else { Signal::SIGKILL });
            continue;
        }
        match waitpid(child, Some(nix::sys::wait::WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(u8::try_from(code).unwrap_or(u8::MAX)),
            Ok(WaitStatus::Signaled(..)) if signals > 1 => {
                return Err(Error::Interrupted(
                    "ended at once; `recorder recover` makes the newest run folder whole".into(),
                ));
            }
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                return Err(Error::run(format!(
                    "the recorder's sandbox was ended by {signal}; run `recorder recover` on the newest run folder"
                )));
            }
            Ok(_) => {}
            Err(errno) => return Err(refused("waiting for the sandbox", errno)),
        }
    }
}

fn namespaces_refused(errno: Errno) -> Error {
    Error::environment(format!(
        "this machine refuses user namespaces ({errno}), which the sandbox needs. Either run as root, or allow them: \
         `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu 23.10 and later), \
         `sysctl -w kernel.unprivileged_userns_clone=1` (older Debian), `sysctl -w user.max_user_namespaces=10000`; \
         in a container, allow unshare and mount in its seccomp profile"
    ))
}

fn refused(what: &str, errno: Errno) -> Error {
    Error::environment(format!(
        "the sandbox cannot be set up: {what} failed ({errno}); in a container, its seccomp profile may forbid it"
    ))
}
