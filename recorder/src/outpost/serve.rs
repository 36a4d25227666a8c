//! The outpost's own end: `recorder outpost`, the first process of a container.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::wait::wait;

use super::SOCKET;
use super::wire::{Hello, Reply, Request, Wire, report_to};
use crate::cluster::offloads::Offloads;
use crate::error::{Error, Result};
use crate::faults::standing;

/// Serves the recorder that listens in `folder` until it is gone, and then waits until every fault that is held here is
/// healed. Until then the offloads of the links here are off, unless they are to be kept.
///
/// # Errors
/// [`Error::Run`] when the recorder cannot be reached.
pub fn serve(folder: &Path, name: &str, keep_offloads: bool) -> Result<u8> {
    let failed = |error: std::io::Error| Error::run(format!("{}: no recorder here: {error}", folder.display()));
    let wire = report_to(&folder.join(SOCKET)).map_err(failed)?;
    // Until the end: what is held and dropped shall be packets on the wire, in every run, so that all can be compared.
    let off = if keep_offloads { Ok(Vec::new()) } else { Offloads::all_off() };
    let offloads = off.map_err(|error| Error::run(format!("offloads cannot be switched off: {error}")))?;
    wire.send(&Hello::from_here(name), None).map_err(failed)?;
    while let Ok(Some((request, _))) = wire.receive::<Request>() {
        let (reply, lent) =
            answer(&request).unwrap_or_else(|error| (Reply::Failed { message: error.to_string() }, None));
        if wire.send(&reply, lent.as_ref()).is_err() {
            break;
        }
    }
    end(wire);
    drop(offloads);
    Ok(0)
}

/// Ends once the holders have: their connections closed with the recorder, and healing takes them a moment.
fn end(wire: Wire) {
    drop(wire);
    while wait().is_ok() {}
}

fn answer(request: &Request) -> Result<(Reply, Option<OwnedFd>)> {
    match request {
        Request::Socket => {
            let made = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None);
            Ok((Reply::Done, Some(made.map_err(|errno| Error::run(format!("no socket: {errno}")))?)))
        }
        Request::Holder => Ok((Reply::Done, Some(start_holder()?))),
        Request::Try(mechanism) => mechanism.try_here().map(|()| (Reply::Done, None)),
        Request::ShowFaults => Ok((Reply::Lines(standing::show()?), None)),
        Request::ClearFaults { all } => Ok((Reply::Lines(standing::clear(*all)?), None)),
    }
}

/// Starts a fault holder. Returns the end of its connection that the recorder gets; when the recorder is gone, it closes.
fn start_holder() -> Result<OwnedFd> {
    let failed = |error: std::io::Error| Error::run(format!("a fault holder cannot be started: {error}"));
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    let output = theirs.try_clone().map_err(failed)?;
    let mut holder = Command::new("/proc/self/exe");
    holder.arg0("recorder").arg("hold").stdin(Stdio::from(OwnedFd::from(theirs)));
    holder.stdout(Stdio::from(OwnedFd::from(output))).spawn().map_err(failed)?;
    Ok(ours.into())
}
