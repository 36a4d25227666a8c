//! Publishing client ports on this machine's loopback.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};

use bollard::query_parameters::ListContainersOptions;

use super::Engine;
use crate::error::{Error, Result};

/// On which ports of 127.0.0.1 the members' client ports are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishPorts {
    /// None; clients use the members' addresses.
    Nowhere,
    /// Ports that the engine chooses.
    Free,
    /// From this one upward, leaving out those that are taken.
    From(u16),
    /// Exactly this one and those after it.
    Exactly(u16),
}

/// A port of this machine for a member's client port.
pub(super) type HostPort = Option<u16>;

impl Engine {
    /// A host port for each of `count` members: none where none is published, 0 where the engine shall choose.
    ///
    /// # Errors
    /// [`Error::Usage`] when there are not so many ports.
    pub(super) async fn choose_ports(&self, publish: PublishPorts, count: u8) -> Result<Vec<HostPort>> {
        let count = usize::from(count);
        let ports: Vec<HostPort> = match publish {
            PublishPorts::Nowhere => vec![None; count],
            PublishPorts::Free => vec![Some(0); count],
            PublishPorts::Exactly(first) => (first..=u16::MAX).map(Some).take(count).collect(),
            PublishPorts::From(first) => {
                // A port can be published without a program that listens on it, by rules of the firewall alone.
                let published = self.published_ports().await?;
                let free = |port: &u16| !published.contains_key(port) && is_free(*port);
                (first..=u16::MAX).filter(free).map(Some).take(count).collect()
            }
        };
        if ports.len() < count || ports.contains(&Some(0)) && publish != PublishPorts::Free {
            return Err(Error::usage(format!(
                "there are not {count} free ports of this machine to publish the members on"
            )));
        }
        Ok(ports)
    }

    /// Explains why a member could not be started when the reason is that its port is taken.
    pub(super) async fn explain_port_taken(&self, member: &str, port: HostPort, message: &str) -> Option<Error> {
        let taken = ["port is already allocated", "address already in use", "ports are not available"];
        let port = port.filter(|port| *port != 0)?;
        if !taken.iter().any(|words| message.contains(words)) {
            return None;
        }
        let holder = match self.published_ports().await.ok()?.remove(&port) {
            Some(container) => format!("container {container} publishes it: stop that (docker stop {container})"),
            None => format!("a program of this machine listens there (ss -ltnp 'sport = :{port}' names it): stop that"),
        };
        Some(Error::environment(format!(
            "port {port} of this machine, for clients of {member}, is already allocated; {holder}"
        )))
    }

    /// Ports of this machine that running containers publish, and their names.
    async fn published_ports(&self) -> Result<HashMap<u16, String>> {
        let options = ListContainersOptions::default();
        let all = self.call_to("for its containers", self.docker.list_containers(Some(options))).await?;
        let ports = all.into_iter().flat_map(|container| {
            let name = container.names.unwrap_or_default().first().map(|name| name.trim_start_matches('/').to_owned());
            let ports = container.ports.unwrap_or_default().into_iter().filter_map(|port| port.public_port);
            ports.map(|port| (port, name.clone().unwrap_or_default())).collect::<Vec<_>>()
        });
        Ok(ports.collect())
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
