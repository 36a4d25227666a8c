//! Where a place's connections come from: sockets belong to the network namespace that they were made in, whoever uses
//! them later.

use std::net::SocketAddr;
use std::sync::Arc;
use std::{io, net};

use tokio::net::{TcpSocket, TcpStream};

use crate::outpost::Outpost;

/// A source of sockets.
#[derive(Debug, Clone)]
pub enum Sockets {
    /// The namespace of the calling thread.
    Own,
    /// The namespace of an outpost, which lends them.
    Lent(Arc<Outpost>),
}

impl Sockets {
    /// A TCP socket that is not connected yet.
    ///
    /// # Errors
    /// The system's error, or the outpost's.
    pub fn tcp(&self) -> io::Result<TcpSocket> {
        match self {
            Self::Own => TcpSocket::new_v4(),
            Self::Lent(outpost) => {
                let socket = net::TcpStream::from(outpost.socket()?);
                socket.set_nonblocking(true)?;
                Ok(TcpSocket::from_std_stream(socket))
            }
        }
    }

    /// A connection to `address`.
    ///
    /// # Errors
    /// The system's error, or the outpost's.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        match self {
            Self::Own if address.is_ipv6() => TcpSocket::new_v6()?.connect(address).await,
            // Members that we start have IPv4 addresses, and so have the places that lend sockets.
            _ => self.tcp()?.connect(address).await,
        }
    }
}
