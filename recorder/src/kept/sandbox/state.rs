//! Where a kept sandbox is found again: a folder of the user's own, locked for as long as the sandbox is up. The lock
//! belongs to the daemon's processes, so it tells a live sandbox from one that was killed.
//!
//! All access goes through open folders: inside the sandbox, paths below `/run` lead elsewhere.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use serde::{Deserialize, Serialize};

use crate::cluster::data;
use crate::error::{Error, Result};
use crate::terminal;

const STATE_FILE: &str = "state.json";
const NEW_STATE_FILE: &str = "state.json.new";
const CONTROL_SOCKET: &str = "control";
const LOG_FILE: &str = "log";

/// How long what a killed sandbox left is tried to be removed: its last processes may still be ending.
const CLEARING_TIMEOUT: Duration = Duration::from_secs(3);
const CLEARING_POLL: Duration = Duration::from_millis(50);

/// What is known of a sandbox that is up, for those who cannot ask it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The process that everything in the sandbox ends with.
    pub process: ProcessName,
    /// When it was started.
    pub started: String,
    /// Version of etcd.
    pub etcd_version: String,
    /// The members, and where people on the host reach them.
    pub members: Vec<Listener>,
    /// Folder of the members' data.
    pub data: PathBuf,
    /// Folder that was made for the data to lie in, and goes with them when it is empty.
    pub made: Option<PathBuf>,
}

/// A member's listener on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The member's name.
    pub member: String,
    /// The listener's address.
    pub address: SocketAddr,
}

/// A process by what no other one has, now or later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessName {
    /// Its id.
    pub pid: i32,
    /// When it was started, in clock ticks since boot.
    pub start_ticks: u64,
    /// The boot that it was started in.
    pub boot_id: String,
}

impl ProcessName {
    /// Of the process with this id, if there is one.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in parentheses and may hold anything; the start is the 22nd.
        let start_ticks = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        Some(Self { pid, start_ticks, boot_id })
    }

    /// Whether it lives.
    pub fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
}

/// The state folder.
#[derive(Debug)]
pub struct StateFolder {
    parent: File,
    name: String,
    dir: File,
    path: PathBuf,
}

impl StateFolder {
    /// Opens the folder, if it is there.
    ///
    /// # Errors
    /// [`Error::Environment`] when somebody else made what is there.
    pub fn open() -> Result<Option<Self>> {
        let (parent, name) = location();
        let path = parent.join(&name);
        let failed = |error: io::Error| Error::environment(format!("{}: {error}", path.display()));
        let parent = File::open(&parent).map_err(failed)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = match openat(&parent, name.as_str(), flags, Mode::empty()) {
            Ok(dir) => File::from(dir),
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ENOTDIR | Errno::ELOOP) => return Err(not_ours(&path, "is not a folder")),
            Err(errno) => return Err(failed(errno.into())),
        };
        let found = dir.metadata().map_err(failed)?;
        if found.uid() != geteuid().as_raw() {
            return Err(not_ours(&path, "belongs to somebody else"));
        }
        if found.mode() & 0o077 != 0 {
            return Err(not_ours(&path, "is open to others"));
        }
        Ok(Some(Self { parent, name, dir, path }))
    }

    /// Opens the folder, which is made where it is missing.
    ///
    /// # Errors
    /// As [`StateFolder::open`], and when it cannot be made.
    pub fn create() -> Result<Self> {
        let (parent, name) = location();
        let path = parent.join(&name);
        let failed = |error: io::Error| Error::environment(format!("{}: cannot be made: {error}", path.display()));
        let parent = File::open(&parent).map_err(failed)?;
        match mkdirat(&parent, name.as_str(), Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
        Self::open()?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
    }

    /// Takes the lock, until the last process that has this folder open is gone or lets go of it. `false` when somebody
    /// else has it, or the folder has just been removed.
    ///
    /// # Errors
    /// [`Error::Environment`] where the file system has no locks.
    pub fn lock(&self) -> Result<bool> {
        Ok(self.is_unused()? && self.is_there())
    }

    /// As [`StateFolder::lock`], but `true` for a folder that was removed as well.
    ///
    /// # Errors
    /// As [`StateFolder::lock`].
    pub fn is_unused(&self) -> Result<bool> {
        match self.dir.try_lock() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => {
                Err(Error::environment(format!("{}: cannot be locked: {error}", self.path.display())))
            }
        }
    }

    /// Whether the open folder is the one that its path leads to.
    fn is_there(&self) -> bool {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let there = openat(&self.parent, self.name.as_str(), flags, Mode::empty()).and_then(fstat);
        there.is_ok_and(|there| {
            fstat(&self.dir).is_ok_and(|open| (open.st_dev, open.st_ino) == (there.st_dev, there.st_ino))
        })
    }

    /// What was written of the sandbox; `None` when nothing was.
    pub fn state(&self) -> Option<State> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut text = String::new();
        File::from(openat(&self.dir, STATE_FILE, flags, Mode::empty()).ok()?).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes what is to be known of the sandbox.
    ///
    /// # Errors
    /// [`Error::Environment`] that names the folder.
    pub fn write_state(&self, state: &State) -> Result<()> {
        let text = serde_json::to_string_pretty(state).expect("a state has only string keys") + "\n";
        self.new_file(NEW_STATE_FILE)
            .and_then(|file| File::from(file).write_all(text.as_bytes()))
            // Renamed into place, so that nobody reads half of it.
            .and_then(|()| Ok(renameat(&self.dir, NEW_STATE_FILE, &self.dir, STATE_FILE)?))
            .map_err(|error| self.cannot_write(&error))
    }

    /// A new log file.
    ///
    /// # Errors
    /// [`Error::Environment`] that names the folder.
    pub fn new_log(&self) -> Result<File> {
        self.new_file(LOG_FILE).map(File::from).map_err(|error| self.cannot_write(&error))
    }

    fn new_file(&self, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.dir, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?)
    }

    fn cannot_write(&self, error: &io::Error) -> Error {
        Error::environment(format!("{}: cannot be written to: {error}", self.path.display()))
    }

    /// Makes room for a control socket, which a killed sandbox may have left. The lock must be held.
    pub fn remove_control_socket(&self) {
        // What is not there need not be removed; what cannot be shows when the next one is made.
        let _ = unlinkat(&self.dir, CONTROL_SOCKET, UnlinkatFlags::NoRemoveDir);
    }

    /// Path of the control socket, for this process alone; short, and right inside the sandbox too.
    pub fn control_socket(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{CONTROL_SOCKET}", self.dir.as_raw_fd()))
    }

    /// What the sandbox's processes had to say.
    pub fn log(&self) -> String {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut text = String::new();
        // Without a log there is nothing to say.
        let _ = openat(&self.dir, LOG_FILE, flags, Mode::empty()).map(|log| File::from(log).read_to_string(&mut text));
        text.trim_end().to_owned()
    }

    /// Removes the folder. Its lock must be held.
    pub fn remove(&self) {
        if !self.is_there() {
            return;
        }
        for name in [CONTROL_SOCKET, STATE_FILE, NEW_STATE_FILE, LOG_FILE] {
            // What is not there need not be removed; what cannot be shows in the next step.
            let _ = unlinkat(&self.dir, name, UnlinkatFlags::NoRemoveDir);
        }
        if let Err(errno) = unlinkat(&self.parent, self.name.as_str(), UnlinkatFlags::RemoveDir) {
            terminal::line(format_args!("{}: cannot be removed: {errno}", self.path.display()));
        }
    }
}

impl State {
    /// Removes the members' data, which a sandbox that was killed leaves.
    pub fn remove_data(&self) {
        let deadline = Instant::now() + CLEARING_TIMEOUT;
        while self.data.exists() {
            self.data.parent().map(data::remove_stale);
            if !self.data.exists() {
                break;
            }
            if Instant::now() > deadline {
                let data = self.data.display();
                terminal::line(format_args!("{data}: the members' data cannot be removed; remove this folder by hand"));
                return;
            }
            std::thread::sleep(CLEARING_POLL);
        }
        // An error means that it is not empty, and in use for something else.
        let _ = self.made.as_ref().map(std::fs::remove_dir);
    }
}

/// Parent and name of the folder: in the user's runtime folder, where there is one.
fn location() -> (PathBuf, String) {
    let own = |folder: &Path| {
        // Somebody else's variable stays set after `su`.
        folder.is_absolute() && folder.metadata().is_ok_and(|data| data.is_dir() && data.uid() == geteuid().as_raw())
    };
    let usual = PathBuf::from(format!("/run/user/{}", geteuid()));
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).into_iter().chain([usual]).find(|at| own(at));
    runtime.map_or_else(
        || (PathBuf::from("/tmp"), format!("laggard-{}", geteuid())),
        |runtime| (runtime, "laggard".to_owned()),
    )
}

fn not_ours(path: &Path, problem: &str) -> Error {
    Error::environment(format!(
        "{}: {problem}, and a sandbox that stays up is found by it; remove it, or set XDG_RUNTIME_DIR to a folder of \
         yours",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_more_than_its_id() {
        let own = ProcessName::of(std::process::id() as i32).unwrap();
        assert!(own.lives());
        assert!(!ProcessName { start_ticks: own.start_ticks + 1, ..own.clone() }.lives());
        assert!(!ProcessName { boot_id: "another".into(), ..own }.lives());
        assert_eq!(ProcessName::of(-1), None);
    }
}
