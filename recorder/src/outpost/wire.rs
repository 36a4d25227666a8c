//! What the recorder and an outpost say to each other: one JSON message a packet, on a Unix socket of sequenced packets,
//! a file descriptor beside it where one is lent.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, accept4, bind,
    connect, getsockopt, listen as start_listening, recvmsg, sendmsg, shutdown, socket,
};
use nix::sys::socket::{Shutdown, sockopt::PeerCredentials};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::faults::Mechanism;

/// No message is longer.
const MESSAGE_MAX: usize = 256 * 1024;

/// What an outpost says first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hello {
    /// Where it is: a member's name, or that of the clients' place.
    pub name: String,
    /// The recorder's version and build that it runs.
    pub build: String,
    /// Names the running kernel.
    pub boot_id: String,
}

impl Hello {
    /// What this process would say from `name`.
    pub fn from_here(name: &str) -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { name: name.to_owned(), build: build(), boot_id: boot_id.trim().to_owned() }
    }

    /// Checks that the other end is the same program on the same kernel, and so has the same clock.
    ///
    /// # Errors
    /// [`Error::Environment`] when it is not.
    pub fn check(&self) -> Result<()> {
        let here = Self::from_here(&self.name);
        if self.boot_id != here.boot_id {
            return Err(Error::environment(
                "the Docker engine runs on another kernel than the recorder (in a virtual machine, or elsewhere): they share no \
                 clock, so faults could not be placed exactly; run the recorder where the engine runs",
            ));
        }
        if self.build != here.build {
            return Err(Error::environment(format!(
                "the outpost at {} runs another recorder ({}) than this one ({}); was it built anew meanwhile?",
                self.name, self.build, here.build
            )));
        }
        Ok(())
    }
}

/// The running program: its version, and its file's size, which tells builds apart.
fn build() -> String {
    let bytes = std::fs::metadata("/proc/self/exe").map_or(0, |data| data.len());
    format!("{} of {bytes} bytes", env!("CARGO_PKG_VERSION"))
}

/// What the recorder asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// A TCP socket of the namespace.
    Socket,
    /// A fault holder, and a connection to it.
    Holder,
    /// Whether a mechanism works.
    Try(Mechanism),
    /// What faults there are.
    ShowFaults,
    /// Remove faults.
    ClearFaults {
        /// Also those that others made.
        all: bool,
    },
}

/// What the outpost answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done; what was asked for comes with it.
    Done,
    /// Text.
    Lines(Vec<String>),
    /// Not done.
    Failed {
        /// Why.
        message: String,
    },
}

/// One end of a connection.
#[derive(Debug)]
pub struct Wire(OwnedFd);

impl Wire {
    /// Sends a message, and lends a file descriptor with it.
    ///
    /// # Errors
    /// The system's error.
    pub fn send(&self, message: &impl Serialize, lent: Option<&OwnedFd>) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        let lent: Vec<RawFd> = lent.iter().map(|fd| fd.as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&lent)];
        let rights = if lent.is_empty() { &rights[..0] } else { &rights[..] };
        sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(&text)], rights, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    /// Receives the next message; `None` when the other end is gone.
    ///
    /// # Errors
    /// The system's error, or a message that is none.
    pub fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Option<OwnedFd>)>> {
        let mut text = vec![0; MESSAGE_MAX];
        let mut room = nix::cmsg_space!([RawFd; 1]);
        let mut parts = [IoSliceMut::new(&mut text)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let received = recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut room), flags)?;
        let mut lent = None;
        for control in received.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = control {
                // SAFETY: the kernel has just given us these, and nobody else knows them.
                let mut owned: Vec<_> = fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect();
                lent = owned.pop();
            }
        }
        let bytes = received.bytes;
        if bytes == 0 {
            return Ok(None);
        }
        Ok(Some((serde_json::from_slice(&text[..bytes])?, lent)))
    }

    /// Ends the connection, at both ends.
    pub fn close(&self) {
        // An error means that it has ended.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Both);
    }

    /// Id of the process that made the connection.
    ///
    /// # Errors
    /// The system's error.
    pub fn peer(&self) -> io::Result<i32> {
        Ok(getsockopt(&self.0, PeerCredentials)?.pid())
    }

    /// Whether the other end is gone.
    pub fn is_closed(&self) -> bool {
        let mut looked_at = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        let closed = PollFlags::POLLHUP | PollFlags::POLLERR;
        poll(&mut looked_at, PollTimeout::ZERO).is_err()
            || looked_at[0].revents().is_some_and(|events| events.intersects(closed))
    }

    /// Waits until there is something to receive; false when the time is over.
    ///
    /// # Errors
    /// The system's error.
    pub fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let mut waiting = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut waiting, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX))? > 0)
    }
}

/// Listens for outposts at `folder/name`.
///
/// # Errors
/// The system's error.
pub(super) fn listen(folder: &Path, name: &str) -> io::Result<OwnedFd> {
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    // The path of a socket has room for 107 bytes; that of an open folder is always short enough.
    let open = std::fs::File::open(folder)?;
    bind(listener.as_raw_fd(), &UnixAddr::new(&Path::new(&format!("/proc/self/fd/{}", open.as_raw_fd())).join(name))?)?;
    start_listening(&listener, Backlog::new(16)?)?;
    Ok(listener)
}

/// Takes the next connection.
pub(super) fn accept(listener: &OwnedFd) -> io::Result<Wire> {
    let fd = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just made it, and nobody else knows it.
    Ok(Wire(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Connects to the recorder at `path`.
///
/// # Errors
/// The system's error.
pub(super) fn report_to(path: &Path) -> io::Result<Wire> {
    let wire = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    connect(wire.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(Wire(wire))
}
