//! The control socket: both ends of it.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};

use super::protocol::{Answer, Request};
use crate::error::{Error, Result, exit_code};

/// How long the daemon may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a command may take to ask.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest request.
const REQUEST_BYTES_MAX: u64 = 64 * 1024;
/// Most files that come with an answer.
const FILES_MAX: usize = 2;

/// Asks the daemon at the other end.
///
/// # Errors
/// [`Error::Run`] when it does not answer, [`Error::Usage`] when it refuses what was asked.
pub(super) fn ask(stream: &UnixStream, request: &Request) -> Result<(Answer, Vec<OwnedFd>)> {
    let exchange = || -> io::Result<(Answer, Vec<OwnedFd>)> {
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(REQUEST_TIMEOUT))?;
        let mut stream = stream;
        stream.write_all((serde_json::to_string(request)? + "\n").as_bytes())?;
        let (mut line, files) = first_part(stream)?;
        stream.read_to_end(&mut line)?;
        Ok((serde_json::from_slice(&line)?, files))
    };
    match exchange() {
        Ok((Answer::Refused { message, code: exit_code::ENVIRONMENT }, _)) => Err(Error::environment(message)),
        Ok((Answer::Refused { message, code: exit_code::USAGE }, _)) => Err(Error::usage(message)),
        Ok((Answer::Refused { message, .. }, _)) => Err(Error::run(message)),
        Ok(answered) => Ok(answered),
        Err(error) => {
            let why = match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    format!("not within {} s", ANSWER_TIMEOUT.as_secs())
                }
                _ => error.to_string(),
            };
            Err(Error::run(format!(
                "the cluster's daemon does not answer ({why}), which `recorder down` ends all the same"
            )))
        }
    }
}

/// The files that come with an answer, and the beginning of its line: they travel together.
fn first_part(stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; 4096];
    let mut room = nix::cmsg_space!([std::os::fd::RawFd; FILES_MAX]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut room), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut files = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control {
            // SAFETY: the kernel has just made these descriptors for this process, and nobody else knows them.
            files.extend(received.into_iter().map(|file| unsafe { OwnedFd::from_raw_fd(file) }));
        }
    }
    let length = message.bytes;
    bytes.truncate(length);
    Ok((bytes, files))
}

/// Reads what is asked; `None` from somebody who is not the user that this daemon belongs to, and from somebody whom
/// nobody understands.
pub(super) async fn request(stream: &mut tokio::net::UnixStream) -> Option<Request> {
    let uid = stream.peer_cred().ok()?.uid();
    // The folder is closed to others already; root of the host, who could come in, has means of its own.
    if uid != nix::unistd::geteuid().as_raw() {
        return None;
    }
    let mut line = String::new();
    let mut reader = BufReader::new(stream.take(REQUEST_BYTES_MAX));
    tokio::time::timeout(REQUEST_TIMEOUT, reader.read_line(&mut line)).await.ok()?.ok()?;
    match serde_json::from_str(&line) {
        Ok(request) => Some(request),
        Err(_) => {
            let message = "the cluster was started by another version of the recorder; use that one, or end it by \
                           `recorder down` and start it again"
                .to_owned();
            answer(stream, &Answer::Refused { message, code: exit_code::USAGE }, &[]).await;
            None
        }
    }
}

/// Answers, with open files. Who does not listen any more misses it.
pub(super) async fn answer(stream: &mut tokio::net::UnixStream, answer: &Answer, files: &[OwnedFd]) {
    let line = serde_json::to_string(answer).expect("answers have only string keys") + "\n";
    let files: Vec<_> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let exchange = async {
        let send_first_part = || {
            let rights = [ControlMessage::ScmRights(&files)];
            let control = if files.is_empty() { &[][..] } else { &rights[..] };
            let parts = [IoSlice::new(line.as_bytes())];
            Ok(sendmsg::<()>(stream.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None)?)
        };
        let sent = stream.async_io(Interest::WRITABLE, send_first_part).await?;
        stream.write_all(&line.as_bytes()[sent..]).await
    };
    let _ = tokio::time::timeout(REQUEST_TIMEOUT, exchange).await;
}
