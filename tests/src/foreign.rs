//! A cluster that is not the recorder's: plain etcd processes on loopback, as somebody might run them.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::home::etcdctl;
use crate::processes::wait_until;

/// Running members; they are killed when the value is dropped.
#[derive(Debug)]
pub struct Foreign {
    members: Vec<Child>,
    /// Where each serves clients, as `127.0.0.1:PORT`.
    pub endpoints: Vec<String>,
    _data: tempfile::TempDir,
}

impl Foreign {
    /// Starts `nodes` members with these flags more, separated by spaces, and waits until they have a leader.
    ///
    /// # Panics
    /// When they do not come up.
    pub fn start(nodes: usize, flags: &str) -> Self {
        let data = tempfile::Builder::new().prefix("laggard-").tempdir().expect("a temporary folder can be made");
        // Held until all are known, so that no two are the same.
        let held: Vec<_> =
            (0..2 * nodes).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free")).collect();
        let addresses: Vec<_> =
            held.iter().map(|listener| listener.local_addr().expect("it is bound").to_string()).collect();
        drop(held);
        let (clients, peers) = addresses.split_at(nodes);
        let cluster: Vec<_> = peers.iter().enumerate().map(|(index, peer)| format!("m{index}=http://{peer}")).collect();
        let start = |index: usize| {
            let mut etcd = Command::new("etcd");
            etcd.arg(format!("--name=m{index}"))
                .arg(format!("--data-dir={}", data.path().join(index.to_string()).display()));
            for (flag, address) in [
                ("listen-client-urls", &clients[index]),
                ("advertise-client-urls", &clients[index]),
                ("listen-peer-urls", &peers[index]),
                ("initial-advertise-peer-urls", &peers[index]),
            ] {
                etcd.arg(format!("--{flag}=http://{address}"));
            }
            etcd.arg(format!("--initial-cluster={}", cluster.join(","))).args(flags.split_whitespace());
            etcd.env_remove("ETCD_VERSION").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            etcd.spawn().expect("etcd starts")
        };
        let members = (0..nodes).map(start).collect();
        let foreign = Self { members, endpoints: clients.to_vec(), _data: data };
        for endpoint in &foreign.endpoints {
            wait_until("the members have a leader", Duration::from_secs(30), || {
                etcdctl(endpoint, "endpoint health").code == Some(0)
            });
        }
        foreign
    }

    /// The endpoints as they are typed.
    pub fn typed(&self) -> String {
        self.endpoints.join(",")
    }

    /// Kills a member.
    ///
    /// # Panics
    /// When it does not end.
    pub fn kill(&mut self, member: usize) {
        self.members[member].kill().and_then(|()| self.members[member].wait()).expect("it can be killed");
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        for member in &mut self.members {
            // An error means that it has ended.
            let _ = member.kill().and_then(|()| member.wait());
        }
    }
}
