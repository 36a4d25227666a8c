//! Clusters: real etcd members and the places to reach them from.

pub mod data;
pub mod etcd;
pub mod http;
pub mod network;
pub mod sandbox;
pub mod vantage;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use etcd_client::{Channel, Client};
use tonic::transport::Endpoint;

use crate::error::{Error, Result};
use data::DataDir;
use etcd::{CLIENT_PORT, PEER_PORT};
use network::Network;
use vantage::Vantage;

/// How long a cluster may take from its start to a leader that all members know.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two looks at a member that is not ready.
const READY_POLL: Duration = Duration::from_millis(20);
/// A member that is starting may take a connection long before it answers.
const READY_STATUS_TIMEOUT: Duration = Duration::from_millis(200);
/// How long a started member is given to answer its peers before the next one is started all the same.
const PEER_PORT_WAIT: Duration = Duration::from_secs(1);
const PEER_PORT_TIMEOUT: Duration = Duration::from_millis(100);
const PEER_PORT_POLL: Duration = Duration::from_millis(5);
/// How long a member may take to say who leads.
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);

/// Name of a member by index.
pub fn member_name(index: u8) -> String {
    format!("etcd{index}")
}

/// A running cluster. Dropping it ends the members and removes their data.
#[derive(Debug)]
pub struct Cluster {
    /// The members, by index.
    pub members: Vec<Member>,
    /// Where the clients are.
    pub client: Vantage,
    /// Flags of the first member.
    pub flags: Vec<String>,
    /// What the program says of its version.
    pub version: String,
    /// File system that the members' data lie on.
    pub data_file_system: String,
    /// Runs that it has served.
    pub served_runs: u32,
    processes: Mutex<Vec<etcd::Process>>,
    _data: DataDir,
}

/// A member of a cluster.
#[derive(Debug, Clone)]
pub struct Member {
    /// As in `etcd0`.
    pub name: String,
    /// etcd's own id.
    pub id: u64,
    /// Its address.
    pub address: Ipv4Addr,
    /// The place beside it: its loopback reaches it whatever a fault does to its link.
    pub vantage: Vantage,
}

impl Member {
    /// Where clients reach it.
    pub fn client_address(&self) -> SocketAddr {
        (self.address, CLIENT_PORT).into()
    }

    /// Where other members reach it.
    pub fn peer_address(&self) -> SocketAddr {
        (self.address, PEER_PORT).into()
    }

    /// The URL of [`Member::client_address`].
    pub fn client_url(&self) -> String {
        format!("http://{}", self.client_address())
    }
}

/// What a member says of itself.
#[derive(Debug, Clone, Copy)]
pub struct MemberStatus {
    /// The member's own id.
    pub id: u64,
    /// Id of the member that it takes for the leader; 0 for none.
    pub leader: u64,
    /// Raft term.
    pub raft_term: u64,
    /// Raft index.
    pub raft_index: u64,
    /// Raft index that is applied.
    pub raft_applied_index: u64,
    /// Size of the database file.
    pub db_size_bytes: i64,
}

/// Opens one channel to one address. It connects at the first request and again after a break, and never retries.
fn channel(address: SocketAddr) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| Error::run(format!("{address} is no address: {error}")))?;
    Ok(Channel::Tonic(endpoint.tcp_nodelay(true).connect_lazy()))
}

/// A client of a single member. Must be called from a task at the place that the connection shall start from.
///
/// # Errors
/// [`Error::Run`] when the client cannot be made; connecting comes later.
pub async fn client(address: SocketAddr) -> Result<Client> {
    Client::from_channel(channel(address)?, None)
        .await
        .map_err(|error| Error::run(format!("a client for {address} cannot be made: {error}")))
}

/// Asks a member for its status.
///
/// # Errors
/// The member's or the connection's error, as text.
pub async fn status(client: &mut Client, timeout: Duration) -> std::result::Result<MemberStatus, String> {
    let answer = tokio::time::timeout(timeout, client.status()).await;
    let answer = answer.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())?;
    Ok(MemberStatus {
        id: answer.header().map_or(0, |header| header.member_id()),
        leader: answer.leader(),
        raft_term: answer.raft_term(),
        raft_index: answer.raft_index(),
        raft_applied_index: answer.raft_applied_index(),
        db_size_bytes: answer.db_size(),
    })
}

/// Waits until a member answers its peers; one that does not is seen later, when the cluster is not ready.
async fn wait_for_peer_port(member: &Member) -> Result<()> {
    let address = member.peer_address();
    let answer = async move {
        while !matches!(tokio::time::timeout(PEER_PORT_TIMEOUT, http::get(address, "/members")).await, Ok(Ok(_))) {
            tokio::time::sleep(PEER_PORT_POLL).await;
        }
    };
    // Not to have answered in time is no error here.
    member.vantage.run(async move { tokio::time::timeout(PEER_PORT_WAIT, answer).await }).await.map(drop)
}

/// Address of a member's client port on its own loopback.
pub fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, CLIENT_PORT).into()
}

impl Cluster {
    /// Starts `nodes` members with fresh data in `data` and waits until all of them know the same leader.
    ///
    /// One after the other: a member asks the others at its start whether it is new, and two that ask each other before
    /// they answer anybody wait two seconds.
    ///
    /// # Errors
    /// [`Error::Environment`] when the network cannot be built, [`Error::Run`] when a member does not come up.
    pub async fn up(program: &etcd::Program, nodes: u8, data: &Path, client_threads: usize) -> Result<Self> {
        let data = DataDir::create(data)?;
        let network = Network::build(nodes)?;
        let mut processes = Vec::new();
        let mut members = Vec::new();
        let mut flags_of_first = Vec::new();
        for (index, host) in network.members.iter().enumerate() {
            let name = member_name(index as u8);
            let flags = etcd::Program::flags(&network.members, index, &data.path().join(&name));
            let log = data.path().join(format!("{name}.log"));
            processes.push(program.start(host, &name, &flags, log)?);
            let vantage = Vantage::at(host, &name, 1)?;
            let member = Member { name, id: 0, address: host.address, vantage };
            if index + 1 < network.members.len() {
                wait_for_peer_port(&member).await?;
            }
            members.push(member);
            if index == 0 {
                flags_of_first = flags;
            }
        }
        let mut cluster = Self {
            members,
            client: Vantage::at(&network.client, "client", client_threads)?,
            flags: flags_of_first,
            version: program.version.clone(),
            data_file_system: crate::host::file_system(data.path()),
            served_runs: 0,
            processes: Mutex::new(processes),
            _data: data,
        };
        cluster.wait_until_ready().await?;
        Ok(cluster)
    }

    /// Waits until all members know the same leader.
    ///
    /// # Errors
    /// [`Error::Run`] with what each member says, when that takes too long.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            self.check_processes()?;
            let statuses = self.statuses(READY_STATUS_TIMEOUT).await?;
            let leader = statuses.first().and_then(|status| status.as_ref().ok()).map(|status| status.leader);
            if leader.is_some_and(|leader| leader != 0)
                && statuses.iter().all(|status| status.as_ref().is_ok_and(|status| Some(status.leader) == leader))
            {
                for (member, status) in self.members.iter_mut().zip(statuses) {
                    member.id = status.map_or(0, |status| status.id);
                }
                return Ok(());
            }
            if Instant::now() > deadline {
                let problems: Vec<_> = statuses
                    .iter()
                    .zip(&self.members)
                    .map(|(status, member)| match status {
                        Ok(status) if status.leader == 0 => format!("{} knows no leader", member.name),
                        Ok(_) => format!("{} is up", member.name),
                        Err(error) => format!("{}: {error}", member.name),
                    })
                    .collect();
                return Err(Error::run(format!(
                    "the cluster was not ready after {} s: {}{}",
                    READY_TIMEOUT.as_secs(),
                    problems.join("; "),
                    self.last_log_lines()
                )));
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Asks every member for its status, each through its own loopback, all at once.
    async fn statuses(&self, timeout: Duration) -> Result<Vec<std::result::Result<MemberStatus, String>>> {
        let tasks: Vec<_> = self
            .members
            .iter()
            .map(|member| {
                member.vantage.spawn(async move {
                    let mut client = client(loopback()).await.map_err(|error| error.to_string())?;
                    status(&mut client, timeout).await
                })
            })
            .collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.map_err(|error| Error::run(format!("a status request failed: {error}")))?);
        }
        Ok(statuses)
    }

    /// Index of the member that leads now: the one that the members with the highest term name.
    ///
    /// # Errors
    /// [`Error::Run`] when no member answers; `None` when the cluster has no leader.
    pub async fn leader(&self) -> Result<Option<usize>> {
        let statuses: Vec<_> = self.statuses(STATUS_TIMEOUT).await?.into_iter().flatten().collect();
        if statuses.is_empty() {
            return Err(Error::run("no member says who leads"));
        }
        let newest = statuses.iter().filter(|status| status.leader != 0).max_by_key(|status| status.raft_term);
        Ok(newest.and_then(|status| self.index_of(status.leader)))
    }

    /// Index of a member by etcd's id.
    pub fn index_of(&self, id: u64) -> Option<usize> {
        self.members.iter().position(|member| member.id == id)
    }

    fn last_log_lines(&self) -> String {
        let processes = self.processes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        processes.iter().map(|process| format!("\n{}{}", process.name(), process.last_log_lines())).collect()
    }

    /// Fails when a member's process has ended.
    ///
    /// # Errors
    /// [`Error::Run`] with the end of that member's log.
    pub fn check_processes(&self) -> Result<()> {
        let mut processes = self.processes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match processes.iter_mut().find_map(etcd::Process::ended) {
            Some(end) => Err(Error::run(end)),
            None => Ok(()),
        }
    }
}
