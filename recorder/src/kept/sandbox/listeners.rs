//! Listeners on the host's loopback through which people reach the members. Each byte passes through the recorder, so
//! nothing is ever measured through them.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::cluster::etcd::CLIENT_PORT;
use crate::error::{Error, Result};
use crate::terminal;

/// Most connections to one member at once. Each takes two open files, of which a process usually may have 1024.
const CONNECTIONS_MAX: usize = 64;
/// Pause after a connection could not be taken.
const RETRY: Duration = Duration::from_millis(100);
/// How long connecting to a member may take; a fault may be in the way.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a listener for each of `nodes` members: on 2379 and the ports after it that are free. Where this is called, in
/// the host's network namespace, is where they listen.
///
/// # Errors
/// [`Error::Environment`] when no port is free.
pub(super) fn open(nodes: u8) -> Result<Vec<TcpListener>> {
    let mut ports = CLIENT_PORT..=u16::MAX;
    let mut next = || loop {
        let port = ports.next()?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return Some(Ok(listener)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Some(Err(Error::environment(format!("127.0.0.1:{port}: cannot listen: {error}")))),
        }
    };
    let no_port = || Err(Error::environment(format!("no port of 127.0.0.1 from {CLIENT_PORT} on is free")));
    (0..nodes).map(|_| next().unwrap_or_else(no_port)).collect()
}

/// Passes connections on to the members, from where clients are: what slows a member's clients slows people too.
///
/// # Errors
/// [`Error::Run`] when a listener cannot be used.
pub(super) async fn forward(listeners: Vec<TcpListener>, cluster: &Cluster) -> Result<Vec<JoinHandle<()>>> {
    let mut tasks = Vec::new();
    for (listener, member) in listeners.into_iter().zip(&cluster.members) {
        let member = member.client_address;
        let failed = |error: std::io::Error| Error::run(format!("a listener cannot be used: {error}"));
        listener.set_nonblocking(true).map_err(failed)?;
        let open = move || tokio::net::TcpListener::from_std(listener);
        let listener = cluster.client.run(async move { open() }).await?.map_err(failed)?;
        tasks.push(cluster.client.spawn(serve(listener, member)));
    }
    Ok(tasks)
}

async fn serve(listener: tokio::net::TcpListener, member: SocketAddr) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed, so a place comes free; until then connections wait in the kernel.
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let mut people = match listener.accept().await {
            Ok((people, _)) => people,
            Err(error) => {
                terminal::line(format_args!("a connection for {member} cannot be taken: {error}"));
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        tokio::spawn(async move {
            let _place = place;
            let connect = tokio::net::TcpStream::connect(member);
            // A connection that cannot be made or breaks is closed, which people's tools see as they would without us.
            let Ok(Ok(mut member)) = tokio::time::timeout(CONNECT_TIMEOUT, connect).await else { return };
            let _ = (people.set_nodelay(true), member.set_nodelay(true));
            let _ = tokio::io::copy_bidirectional(&mut people, &mut member).await;
        });
    }
}
