//! A member's process: started at its place in the network, killed, held, started again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::action::Condition;
use super::etcd::Program;
use super::network::Host;
use crate::error::{Error, Result};

/// How many of a member's last log lines an error quotes.
const LOG_LINES_QUOTED: usize = 5;
/// How much of a log is read for that.
const LOG_BYTES_READ: u64 = 16 * 1024;

/// A member's process; it is killed when the value is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    program: Program,
    host: Host,
    flags: Vec<String>,
    log: PathBuf,
    /// Where in its log this life of it begins.
    log_start: u64,
    child: Child,
}

impl Process {
    /// Starts a member inside its host's namespace.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub fn start(program: &Program, host: &Host, name: &str, flags: &[String], log: PathBuf) -> Result<Self> {
        let (program, host, flags) = (program.clone(), host.clone(), flags.to_vec());
        let child = spawn(&program, &host, name, &flags, &log)?;
        Ok(Self { name: name.to_owned(), program, host, flags, log, log_start: 0, child })
    }

    /// The member's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the process does now.
    pub fn condition(&mut self) -> Condition {
        match self.child.try_wait() {
            Ok(Some(_)) => Condition::Ended,
            // Asked of the kernel, because others can hold it too.
            _ if is_stopped(self.child.id()) => Condition::Paused,
            _ => Condition::Running,
        }
    }

    /// Says how the member ended, when it has.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("{} ended ({status}){}", self.name, self.last_log_lines()))
    }

    /// What the process does now and, where that keeps it from answering, how it came to that.
    pub fn standing(&mut self) -> (Condition, Option<String>) {
        let condition = self.condition();
        let problem = match (condition, self.child.try_wait()) {
            (Condition::Running, _) => None,
            (Condition::Paused, _) => Some("its process is paused".into()),
            // Somebody did that; what the member said before has nothing to do with it.
            (Condition::Ended, Ok(Some(status))) if status.signal() == Some(Signal::SIGKILL as i32) => {
                Some("its process has ended (killed by SIGKILL)".into())
            }
            (Condition::Ended, Ok(Some(status))) => {
                Some(format!("its process has ended ({status}){}", self.last_log_lines()))
            }
            (Condition::Ended, _) => Some("its process has ended".into()),
        };
        (condition, problem)
    }

    /// Ends the process at once, as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// The system's error.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Sends a signal to the process and what it may have started.
    ///
    /// # Errors
    /// The system's error.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        // It leads a group of its own and is not reaped yet, so the id is nobody else's.
        Ok(killpg(Pid::from_raw(self.child.id() as i32), signal)?)
    }

    /// Starts the member again as it was started first, with the data that are there.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub fn start_again(&mut self) -> Result<()> {
        self.log_start = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        self.child = spawn(&self.program, &self.host, &self.name, &self.flags, &self.log)?;
        Ok(())
    }

    /// The end of the member's log, for an error message.
    pub fn last_log_lines(&self) -> String {
        let text = self.end_of_log().unwrap_or_default();
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            return String::new();
        }
        let quoted = lines[lines.len().saturating_sub(LOG_LINES_QUOTED)..].join("\n  ");
        format!("; its log ends with:\n  {quoted}")
    }

    /// The last bytes that this life of the member has logged.
    fn end_of_log(&self) -> io::Result<String> {
        let mut log = File::open(&self.log)?;
        let length = log.metadata()?.len();
        log.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES_READ).max(self.log_start)))?;
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its data is thrown away, so there is nothing to close in good order.
        let _ = self.kill();
    }
}

fn spawn(program: &Program, host: &Host, name: &str, flags: &[String], log: &PathBuf) -> Result<Child> {
    let open = || -> io::Result<(File, File)> {
        let file = File::options().create(true).append(true).open(log)?;
        Ok((file.try_clone()?, file))
    };
    let (out, err) =
        open().map_err(|error| Error::run(format!("{}: cannot write the member's log: {error}", log.display())))?;
    let mut command = program.command();
    command.args(flags).stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
    host.namespace.enter_on_exec(&mut command);
    command.spawn().map_err(|error| Error::run(format!("{name}: {program} cannot be started: {error}")))
}

/// Whether a process is stopped by a signal.
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The program's name stands before it in parentheses, and may hold anything.
    stat.rsplit_once(')').is_some_and(|(_, rest)| matches!(rest.trim_start().chars().next(), Some('T' | 't')))
}
