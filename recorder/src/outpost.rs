//! Outposts: recorder processes inside containers, beside a member or in a place of their own, that do what only somebody in
//! that network namespace can do: make sockets there, hold faults there, say and clear what faults are there.
//!
//! The recorder does the rest itself, with the sockets that outposts lend it: whatever is measured, sampled or probed is
//! the same code on the same clock as in the sandbox, and no row passes through a pipe. Both ends talk over a Unix socket
//! in a folder that the container shares ([`wire`]). When the recorder is gone, however it ended, the connection
//! closes: the outpost's holders heal what they hold, and then it ends itself and with it its container.

pub mod serve;
pub mod wire;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result};
use crate::faults::Mechanism;
use wire::{Hello, Reply, Request, Wire};

/// What an outpost does with the offloads of its network's links while it is there.
pub const KEEP_OFFLOADS: &str = "--keep-offloads";
/// Name of the socket in the shared folder.
pub const SOCKET: &str = "outposts";
const SILENT: &str = "it does not answer; was its container paused?";
/// How long an outpost may take to answer; it does nothing that takes long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The recorder's end of one outpost. Dropping it ends the outpost.
#[derive(Debug)]
pub struct Outpost {
    name: String,
    wire: Mutex<Wire>,
    /// Set when it did not answer in time.
    is_silent: AtomicBool,
}

impl Outpost {
    /// A TCP socket of the outpost's namespace.
    ///
    /// # Errors
    /// When the outpost is gone or cannot make one.
    pub fn socket(&self) -> std::io::Result<OwnedFd> {
        let lent = self.ask(&Request::Socket).map_err(std::io::Error::other)?;
        lent.1.ok_or_else(|| std::io::Error::other("the outpost lent no socket"))
    }

    /// The connection to a new fault holder in the outpost's namespace.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub fn holder(&self) -> Result<UnixStream> {
        let (_, connection) = self.ask(&Request::Holder)?;
        connection.map(UnixStream::from).ok_or_else(|| self.failed("it gave no connection to the fault holder"))
    }

    /// Tries a mechanism for real, without a packet being touched.
    ///
    /// # Errors
    /// [`Error::Environment`] with what the kernel refuses.
    pub fn try_mechanism(&self, mechanism: Mechanism) -> Result<()> {
        self.ask(&Request::Try(mechanism)).map(drop).map_err(|error| Error::environment(error.to_string()))
    }

    /// What faults there are in the namespace, ours and others', one a line.
    ///
    /// # Errors
    /// [`Error::Run`] when that cannot be seen.
    pub fn show_faults(&self) -> Result<Vec<String>> {
        self.ask_lines(&Request::ShowFaults)
    }

    /// Removes faults from the namespace: ours, and with `all` any other qdisc on its links. Returns what was removed.
    ///
    /// # Errors
    /// [`Error::Run`] when they cannot be removed.
    pub fn clear_faults(&self, all: bool) -> Result<Vec<String>> {
        self.ask_lines(&Request::ClearFaults { all })
    }

    /// Ends the outpost, whoever may still ask it for something.
    pub fn end(&self) {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).close();
    }

    /// Fails when the outpost is gone.
    ///
    /// # Errors
    /// [`Error::Run`] that names its place.
    pub fn check(&self) -> Result<()> {
        let wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        match (wire.is_closed(), self.is_silent.load(Ordering::Relaxed)) {
            (false, _) => Ok(()),
            (true, false) => Err(self.failed("it is gone")),
            (true, true) => Err(self.failed(SILENT)),
        }
    }

    fn ask_lines(&self, request: &Request) -> Result<Vec<String>> {
        match self.ask(request)?.0 {
            Reply::Lines(lines) => Ok(lines),
            other => Err(self.failed(&format!("it answered {other:?}"))),
        }
    }

    fn ask(&self, request: &Request) -> Result<(Reply, Option<OwnedFd>)> {
        let wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = wire.send(request, None).and_then(|()| {
            if wire.wait(ANSWER_TIMEOUT)? {
                return wire.receive();
            }
            // An answer that comes now would be taken for that to the next question.
            wire.close();
            self.is_silent.store(true, Ordering::Relaxed);
            Err(std::io::Error::other(SILENT))
        });
        match answer {
            Ok(Some((Reply::Failed { message }, _))) => Err(self.failed(&message)),
            Ok(Some(answered)) => Ok(answered),
            Ok(None) => Err(self.failed("it is gone")),
            Err(error) => Err(self.failed(&error.to_string())),
        }
    }

    fn failed(&self, problem: &str) -> Error {
        Error::run(format!("the outpost at {}: {problem}", self.name))
    }
}

/// Where outposts report.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Listens in `folder`, which is shared with the containers.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot.
    pub fn open(folder: &Path) -> Result<Self> {
        wire::listen(folder, SOCKET)
            .map(Self)
            .map_err(|error| Error::run(format!("{}: outposts cannot be listened for here: {error}", folder.display())))
    }

    /// Waits for outposts at the places `names`, and returns them in that order, each with the id of its process.
    ///
    /// # Errors
    /// [`Error::Environment`] when one runs another recorder or another kernel, [`Error::Run`] when one does not come.
    pub fn expect(&self, names: &[String], timeout: Duration) -> Result<Vec<(Outpost, i32)>> {
        let deadline = Instant::now() + timeout;
        let mut come: Vec<Option<(Outpost, i32)>> = names.iter().map(|_| None).collect();
        while come.iter().any(Option::is_none) {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut waiting = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let ready = poll(&mut waiting, timeout).map_err(|errno| Error::run(format!("a poll failed: {errno}")))?;
            if ready == 0 {
                let missing: Vec<_> = names.iter().zip(&come).filter(|(_, come)| come.is_none()).collect();
                let missing: Vec<_> = missing.iter().map(|(name, _)| name.as_str()).collect();
                return Err(Error::run(format!("no outpost reported from {} in time", missing.join(", "))));
            }
            let failed = |error: std::io::Error| Error::run(format!("an outpost cannot be heard: {error}"));
            let wire = wire::accept(&self.0).map_err(failed)?;
            if !wire.wait(ANSWER_TIMEOUT).map_err(failed)? {
                continue;
            }
            let Some((hello, _)) = wire.receive::<Hello>().map_err(failed)? else { continue };
            hello.check()?;
            if let Some(at) = names.iter().position(|name| *name == hello.name) {
                let process = wire.peer().map_err(failed)?;
                come[at] = Some((
                    Outpost { name: hello.name, wire: Mutex::new(wire), is_silent: AtomicBool::new(false) },
                    process,
                ));
            }
        }
        Ok(come.into_iter().flatten().collect())
    }
}
