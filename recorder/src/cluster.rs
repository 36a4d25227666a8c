//! Clusters: real etcd members and the places to reach them from.

pub mod action;
pub mod choice;
pub mod containers;
pub mod data;
pub mod endpoints;
pub mod etcd;
pub mod http;
pub mod local;
pub mod member_status;
pub mod network;
pub mod offloads;
pub mod process;
pub mod room;
pub mod sandbox;
pub mod sockets;
pub mod vantage;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use etcd_client::{Channel, Client};
use hyper_util::rt::TokioIo;
use run_folder::spec::ClientPlace;
use tonic::transport::Endpoint;

use crate::error::{Error, Result};
use crate::faults::holder::Holder;
use crate::faults::placement::Site;
use action::{Condition, MemberAction};
use containers::Containers;
use local::Local;
use sockets::Sockets;
use vantage::Vantage;

/// How long a cluster may take from its start to a leader that all members know.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two looks at a member that is not ready.
const READY_POLL: Duration = Duration::from_millis(20);
/// A member that is starting may take a connection long before it answers.
const READY_STATUS_TIMEOUT: Duration = Duration::from_millis(200);
/// How long a member may take to say who leads.
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);

/// Name of a member by index.
pub fn member_name(index: u8) -> String {
    format!("etcd{index}")
}

/// A running cluster. Dropping it ends what was started for it.
#[derive(Debug)]
pub struct Cluster {
    /// The members, by index.
    pub members: Vec<Member>,
    /// Where the clients are.
    pub client: Vantage,
    /// Flags of the first member.
    pub flags: Vec<String>,
    /// What the members say of their version.
    pub version: String,
    /// File system that the members' data lie on.
    pub data_file_system: String,
    /// Runs that it has served.
    pub served_runs: u32,
    /// Whether it was up before, and stays up.
    pub adopted: bool,
    /// Image of the members' containers, if they are some.
    pub image: Option<String>,
    /// Version of their engine.
    pub engine: Option<String>,
    /// What is to be known of it beside any results, in sentences.
    pub notes: Vec<String>,
    ground: Ground,
}

/// What a cluster runs on.
#[derive(Debug)]
enum Ground {
    /// Processes in the sandbox.
    Local(Local),
    /// Containers.
    Containers(Box<Containers>),
    /// Members that somebody else runs, known by their addresses.
    Endpoints,
}

/// A member of a cluster.
#[derive(Debug, Clone)]
pub struct Member {
    /// As in `etcd0`.
    pub name: String,
    /// etcd's own id.
    pub id: u64,
    /// Where clients reach it.
    pub client_address: SocketAddr,
    /// Where other members reach it.
    pub peer_address: SocketAddr,
    /// Where its own vantage reaches it, whatever a fault does to its link: nothing of that leaves the namespace.
    pub own_address: SocketAddr,
    /// The place beside it, in its network namespace.
    pub vantage: Vantage,
}

impl Member {
    /// Its address among the other members.
    pub fn address(&self) -> Ipv4Addr {
        match self.peer_address.ip() {
            IpAddr::V4(address) => address,
            IpAddr::V6(_) => unreachable!("members have IPv4 addresses, whoever starts them"),
        }
    }

    /// The URL of [`Member::client_address`].
    pub fn client_url(&self) -> String {
        format!("http://{}", self.client_address)
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
    /// Revision of its key-value store.
    pub revision: i64,
    /// Size of the database file.
    pub db_size_bytes: i64,
}

/// Opens one channel to one address. It connects at the first request and again after a break, and never retries.
fn channel(sockets: &Sockets, address: SocketAddr) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| Error::run(format!("{address} is no address: {error}")))?;
    let sockets = sockets.clone();
    let connect = tower::service_fn(move |_| {
        let sockets = sockets.clone();
        async move {
            let stream = sockets.connect(address).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    Ok(Channel::Tonic(endpoint.connect_with_connector_lazy(connect)))
}

/// A client of a single member. Must be called from a task at the place that the connection shall start from.
///
/// # Errors
/// [`Error::Run`] when the client cannot be made; connecting comes later.
pub async fn client(sockets: &Sockets, address: SocketAddr) -> Result<Client> {
    Client::from_channel(channel(sockets, address)?, None)
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
        revision: answer.header().map_or(0, |header| header.revision()),
        db_size_bytes: answer.db_size(),
    })
}

impl Cluster {
    /// Starts `nodes` members in the sandbox, with fresh data in `data`, and waits until all of them know the same leader.
    /// The clients are in a place of their own.
    ///
    /// # Errors
    /// [`Error::Environment`] when the network cannot be built, [`Error::Run`] when a member does not come up.
    pub async fn up(program: &etcd::Program, nodes: u8, data: &Path, client_threads: usize) -> Result<Self> {
        let (local, members) = Local::start(program, nodes, data).await?;
        let mut cluster = Self {
            members,
            client: local.client(client_threads)?,
            flags: local.flags.clone(),
            version: program.version.clone(),
            data_file_system: crate::host::file_system(data),
            served_runs: 0,
            adopted: false,
            image: None,
            engine: None,
            notes: Vec::new(),
            ground: Ground::Local(local),
        };
        cluster.wait_until_ready().await?;
        Ok(cluster)
    }

    /// The cluster of these containers, once all members know the same leader.
    ///
    /// # Errors
    /// [`Error::Run`] when that takes too long.
    pub async fn of_containers(containers: Containers, client: &ClientPlace, client_threads: usize) -> Result<Self> {
        let found = containers.cluster();
        let (flags, image) = (found.flags.clone(), Some(format!("{} ({})", found.image, found.image_id)));
        let mut cluster = Self {
            members: containers.members(client)?,
            client: containers.client(client, client_threads)?,
            flags,
            version: String::new(),
            data_file_system: containers.data_file_system(),
            served_runs: 0,
            adopted: containers.is_adopted(),
            image,
            engine: Some(containers.engine_version()),
            notes: Vec::new(),
            ground: Ground::Containers(Box::new(containers)),
        };
        cluster.wait_until_ready().await?;
        cluster.version = cluster.say_version().await?;
        Ok(cluster)
    }

    /// Moves the clients of a sandbox to another place. Those of containers are placed at the start.
    ///
    /// # Errors
    /// [`Error::Environment`] when threads cannot be started.
    pub fn place_clients(&mut self, at: &ClientPlace, threads: usize) -> Result<()> {
        if let (Ground::Local(local), ClientPlace::Member(name)) = (&self.ground, at) {
            let index = self.members.iter().position(|member| member.name == *name);
            self.client = local.beside(index.unwrap_or(0), "client", threads)?;
        }
        Ok(())
    }

    /// A fault holder at a place.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub fn holder(&self, site: Site) -> Result<Holder> {
        match &self.ground {
            Ground::Local(local) => local.holder(site),
            Ground::Containers(containers) => containers.holder(site),
            Ground::Endpoints => Err(Error::run("no fault can be placed where only the members' addresses are known")),
        }
    }

    /// Whether the members are somebody else's, and nothing but their addresses is known.
    pub fn is_endpoints(&self) -> bool {
        matches!(self.ground, Ground::Endpoints)
    }

    /// Whether faults are placed in containers.
    pub fn is_containers(&self) -> bool {
        matches!(self.ground, Ground::Containers(_))
    }

    /// Tries a mechanism for real where faults would be placed.
    ///
    /// # Errors
    /// [`Error::Environment`] with what the kernel refuses.
    pub fn try_mechanism(&self, mechanism: crate::faults::Mechanism) -> Result<()> {
        match &self.ground {
            Ground::Local(_) => mechanism.try_here(),
            Ground::Containers(containers) => containers.try_mechanism(mechanism),
            Ground::Endpoints => Err(Error::environment("faults need a cluster of the recorder's own, or containers")),
        }
    }

    /// Ends what needs time to end, and says what of it went wrong.
    pub async fn end(self) -> Vec<String> {
        match self.ground {
            Ground::Local(_) | Ground::Endpoints => Vec::new(),
            Ground::Containers(containers) => containers.end().await,
        }
    }

    /// Waits until all members know the same leader. Those of somebody else are taken as they are.
    ///
    /// # Errors
    /// [`Error::Run`] with what each member says, when that takes too long.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        if self.is_endpoints() {
            return self.look_at_endpoints().await;
        }
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            self.check().await?;
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
                    self.last_log_lines().await
                )));
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Asks every member for its status, each from within its own namespace, all at once.
    async fn statuses(&self, timeout: Duration) -> Result<Vec<std::result::Result<MemberStatus, String>>> {
        let tasks: Vec<_> = self
            .members
            .iter()
            .map(|member| {
                let (sockets, address) = (member.vantage.sockets().clone(), member.own_address);
                member.vantage.spawn(async move {
                    let mut client = client(&sockets, address).await.map_err(|error| error.to_string())?;
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

    /// What each member's process does and why it cannot answer where that is the cause; nothing where others see to that.
    pub fn standings(&self) -> Option<Vec<(Condition, Option<String>)>> {
        match &self.ground {
            Ground::Local(local) => Some(local.standings()),
            Ground::Containers(_) | Ground::Endpoints => None,
        }
    }

    /// Does something to a member of a sandbox. What is started is not ready yet.
    ///
    /// # Errors
    /// [`Error::Usage`] for what makes no sense, [`Error::Run`] for what fails.
    pub async fn act(&self, member: usize, action: MemberAction) -> Result<()> {
        match &self.ground {
            Ground::Local(local) => local.act(member, action).await,
            Ground::Containers(_) => Err(Error::run("members in containers are acted on by their engine")),
            Ground::Endpoints => Err(Error::run("members of somebody else are not acted on")),
        }
    }

    async fn last_log_lines(&self) -> String {
        match &self.ground {
            Ground::Local(local) => local.last_log_lines(),
            Ground::Containers(containers) => containers.last_log_lines().await,
            Ground::Endpoints => String::new(),
        }
    }

    /// Fails when a member, or what serves it, has ended.
    ///
    /// # Errors
    /// [`Error::Run`] with the end of that member's log.
    pub async fn check(&self) -> Result<()> {
        match &self.ground {
            Ground::Local(local) => local.check_processes(),
            Ground::Containers(containers) => containers.check().await,
            // Whatever becomes of them shows in the operations.
            Ground::Endpoints => Ok(()),
        }
    }

    /// What the first member says of its version.
    async fn say_version(&self) -> Result<String> {
        let Some(member) = self.members.first() else { return Ok(String::new()) };
        let (sockets, address) = (member.vantage.sockets().clone(), member.own_address);
        let asked = member.vantage.run(async move {
            let mut client = client(&sockets, address).await?;
            let answer = client.status().await;
            answer.map_err(|error| Error::run(format!("a member does not say its version: {error}")))
        });
        Ok(asked.await??.version().to_owned())
    }
}
