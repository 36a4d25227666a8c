//! Netfilter queues over raw netlink: the kernel hands over packets (their headers' metadata only) and waits for a
//! verdict on each.
//!
//! Written on the socket rather than on a crate because the existing one hides its file descriptor and cannot set
//! buffers: it saw little more than half of the packets at full speed. The protocol is in the kernel's
//! `include/uapi/linux/netfilter/nfnetlink_queue.h`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const NETLINK_NETFILTER: i32 = 12;
const NFNL_SUBSYS_QUEUE: u16 = 3;
const MSG_PACKET: u16 = NFNL_SUBSYS_QUEUE << 8;
const MSG_VERDICT: u16 = (NFNL_SUBSYS_QUEUE << 8) | 1;
const MSG_CONFIG: u16 = (NFNL_SUBSYS_QUEUE << 8) | 2;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const CFG_CMD: u16 = 1;
const CFG_PARAMS: u16 = 2;
const CFG_QUEUE_MAXLEN: u16 = 3;
const CFG_MASK: u16 = 4;
const CFG_FLAGS: u16 = 5;
const CMD_BIND: u8 = 1;
const COPY_META: u8 = 1;
const PACKET_HDR: u16 = 1;
const VERDICT_HDR: u16 = 2;
const FLAG_FAIL_OPEN: u32 = 1;
const SOL_NETLINK: i32 = 270;
const NETLINK_NO_ENOBUFS: i32 = 5;

const NLMSG_HEADER_BYTES: usize = 16;
const NFGEN_BYTES: usize = 4;
const ATTRIBUTE_HEADER_BYTES: usize = 4;
const RECEIVE_BYTES: usize = 64 * 1024;
/// Asked of the kernel; without privilege it grants less.
const SOCKET_BUFFER_BYTES: i32 = 8 << 20;
/// Verdicts in one send: more of them save system calls, fewer keep the message small.
const VERDICTS_PER_SEND: usize = 256;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Verdict {
    /// It vanishes.
    Drop = 0,
    /// It goes on its way.
    Accept = 1,
}

/// A bound queue. Dropping it unbinds: packets still held are dropped by the kernel, so drain it first.
#[derive(Debug)]
pub struct Queue {
    socket: OwnedFd,
    number: u16,
    receive: Vec<u8>,
    verdicts: Vec<u8>,
    verdicts_waiting: usize,
}

impl Queue {
    /// Binds queue `number` in the calling thread's network namespace. `packets_max` bounds the packets that wait
    /// for a verdict; beyond it, and when the socket's buffer is full, packets pass unshaped, which the comparison
    /// with the rule's counter brings to light.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn bind(number: u16, packets_max: u32) -> io::Result<Self> {
        // SAFETY: socket() takes integers and returns a new descriptor or -1.
        let fd = unsafe {
            libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, NETLINK_NETFILTER)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and ours.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, SOCKET_BUFFER_BYTES)?;
        // Beyond the system's limit for those who may; refused for others.
        let _ = set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, SOCKET_BUFFER_BYTES);
        set_option(&socket, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)?;
        let mut queue =
            Self { socket, number, receive: vec![0; RECEIVE_BYTES], verdicts: Vec::new(), verdicts_waiting: 0 };
        queue.configure(CFG_CMD, &[CMD_BIND, 0, 0, libc::AF_INET as u8])?;
        queue.configure(CFG_PARAMS, &[0, 0, 0, 0, COPY_META])?;
        queue.configure(CFG_QUEUE_MAXLEN, &packets_max.to_be_bytes())?;
        queue.configure_flags(FLAG_FAIL_OPEN)?;
        Ok(queue)
    }

    /// Reads the packets that wait, without blocking, and hands the id of each to `packet`. Returns whether there
    /// may be more.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn receive(&mut self, mut packet: impl FnMut(u32)) -> io::Result<bool> {
        let length = match self.read() {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            // The kernel ran out of buffer; with NO_ENOBUFS it does not say so, but signals interrupt.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        };
        for (kind, body) in Messages(&self.receive[..length]) {
            if kind == MSG_PACKET
                && let Some(id) = packet_id(body)
            {
                packet(id);
            }
        }
        Ok(true)
    }

    /// Queues a verdict; [`Queue::send_verdicts`] sends it.
    ///
    /// # Errors
    /// The kernel's error from sending earlier ones.
    pub fn verdict(&mut self, id: u32, verdict: Verdict) -> io::Result<()> {
        let mut body = [0; 8];
        body[..4].copy_from_slice(&(verdict as u32).to_be_bytes());
        body[4..].copy_from_slice(&id.to_be_bytes());
        append_message(&mut self.verdicts, MSG_VERDICT, NLM_F_REQUEST, self.number, &[(VERDICT_HDR, &body)]);
        self.verdicts_waiting += 1;
        if self.verdicts_waiting == VERDICTS_PER_SEND { self.send_verdicts() } else { Ok(()) }
    }

    /// Sends the queued verdicts.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn send_verdicts(&mut self) -> io::Result<()> {
        if self.verdicts_waiting == 0 {
            return Ok(());
        }
        self.verdicts_waiting = 0;
        let sent = send(&self.socket, &self.verdicts);
        self.verdicts.clear();
        sent
    }

    fn configure(&mut self, attribute: u16, value: &[u8]) -> io::Result<()> {
        self.configure_with(&[(attribute, value)])
    }

    fn configure_flags(&mut self, flags: u32) -> io::Result<()> {
        let flags = flags.to_be_bytes();
        self.configure_with(&[(CFG_FLAGS, &flags), (CFG_MASK, &flags)])
    }

    /// Sends a configuration message and waits for its acknowledgement.
    fn configure_with(&mut self, attributes: &[(u16, &[u8])]) -> io::Result<()> {
        let mut message = Vec::new();
        append_message(&mut message, MSG_CONFIG, NLM_F_REQUEST | NLM_F_ACK, self.number, attributes);
        send(&self.socket, &message)?;
        // The kernel answers within the send call, so the answer is there already.
        let length = self.read()?;
        let answer = Messages(&self.receive[..length]).find(|(kind, _)| *kind == NLMSG_ERROR);
        match answer.and_then(|(_, body)| body.first_chunk().copied().map(i32::from_ne_bytes)) {
            Some(0) => Ok(()),
            Some(negative_errno) => Err(io::Error::from_raw_os_error(-negative_errno)),
            None => Err(io::Error::other("the kernel did not acknowledge a queue's configuration")),
        }
    }

    fn read(&mut self) -> io::Result<usize> {
        // SAFETY: the buffer is ours and as long as said.
        let length =
            unsafe { libc::recv(self.socket.as_raw_fd(), self.receive.as_mut_ptr().cast(), self.receive.len(), 0) };
        usize::try_from(length).map_err(|_| io::Error::last_os_error())
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn set_option(socket: &OwnedFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the value lives through the call and its size is said.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the buffer is ours and as long as said.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
    match usize::try_from(sent) {
        Ok(sent) if sent == bytes.len() => Ok(()),
        Ok(_) => Err(io::Error::other("the kernel took only a part of a netlink message")),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Appends a netlink message with its nfgenmsg and attributes.
fn append_message(to: &mut Vec<u8>, kind: u16, flags: u16, queue: u16, attributes: &[(u16, &[u8])]) {
    let attributes_bytes: usize =
        attributes.iter().map(|(_, value)| aligned(ATTRIBUTE_HEADER_BYTES + value.len())).sum();
    let length = NLMSG_HEADER_BYTES + NFGEN_BYTES + attributes_bytes;
    to.extend((length as u32).to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(flags.to_ne_bytes());
    // Sequence number and port: the socket has one conversation only.
    to.extend([0; 8]);
    // Family unspecified, version 0, and the queue's number in network order.
    to.extend([0, 0]);
    to.extend(queue.to_be_bytes());
    for (kind, value) in attributes {
        let length = ATTRIBUTE_HEADER_BYTES + value.len();
        to.extend((length as u16).to_ne_bytes());
        to.extend(kind.to_ne_bytes());
        to.extend(*value);
        to.extend(std::iter::repeat_n(0, aligned(length) - length));
    }
}

/// The netlink messages in a buffer: kind and body.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, kind) = (self.0.first_chunk::<4>()?, self.0.get(4..6)?);
        let length = u32::from_ne_bytes(*length) as usize;
        let kind = u16::from_ne_bytes(kind.try_into().ok()?);
        let body = self.0.get(NLMSG_HEADER_BYTES..length)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some((kind, body))
    }
}

/// The packet id in the body of a packet message.
fn packet_id(body: &[u8]) -> Option<u32> {
    let mut rest = body.get(NFGEN_BYTES..)?;
    loop {
        let length = u16::from_ne_bytes(*rest.first_chunk::<2>()?) as usize;
        // The top two bits of an attribute's kind are flags.
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?) & 0x3fff;
        if kind == PACKET_HDR {
            return rest.get(4..8)?.try_into().ok().map(u32::from_be_bytes);
        }
        rest = rest.get(aligned(length).max(ATTRIBUTE_HEADER_BYTES)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_message_round_trips_through_the_parser() {
        let mut bytes = Vec::new();
        let header = [0, 0, 1, 2, 8, 0, 2];
        append_message(&mut bytes, MSG_PACKET, 0, 7, &[(9, &[1, 2, 3]), (PACKET_HDR, &header)]);
        append_message(&mut bytes, NLMSG_ERROR, 0, 7, &[]);
        let messages: Vec<_> = Messages(&bytes).collect();
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[0].0, packet_id(messages[0].1)), (MSG_PACKET, Some(0x0102)));
        assert_eq!(messages[1].0, NLMSG_ERROR);
    }

    #[test]
    fn cut_off_messages_end_the_parsing_without_a_panic() {
        let mut bytes = Vec::new();
        append_message(&mut bytes, MSG_PACKET, 0, 7, &[(PACKET_HDR, &[0, 0, 1, 2, 8, 0, 2])]);
        for length in 0..bytes.len() {
            for (_, body) in Messages(&bytes[..length]) {
                packet_id(body);
            }
        }
    }
}
