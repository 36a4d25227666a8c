//! Members as containers of a Docker engine, and the outposts beside them.

mod sending;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use run_folder::spec::ClientPlace;

use self::sending::{Purpose, expect, listen, send_outposts, spec};
use super::data::DataDir;
use super::etcd::{CLIENT_PORT, PEER_PORT};
use super::sockets::Sockets;
use super::vantage::Vantage;
use super::{Member, etcd};
use crate::docker::{
    Claim, Engine, FoundCluster, MemberContainer, Naming, PublishPorts, Role, SessionLabel, Sidecar, SidecarNetwork,
    UpSpec,
};
use crate::error::{Error, Result};
use crate::faults::Mechanism;
use crate::faults::holder::Holder;
use crate::faults::placement::Site;
use crate::outpost::Outpost;
use crate::terminal;

/// Name of the clients' place of their own.
const CLIENT: &str = "client";
/// Name of the place where mechanisms are tried.
const PROBE: &str = "probe";
/// How long a container may take to answer a connection from the host.
const REACH_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the engine is asked what the containers do.
const STATE_INTERVAL: Duration = Duration::from_millis(500);
/// How long sidecars are waited for that were told to end.
const SIDECARS_END: Duration = Duration::from_secs(3);
const SIDECARS_POLL: Duration = Duration::from_millis(20);
/// How many of a container's last log lines an error quotes.
const LOG_LINES_QUOTED: usize = 5;
/// How many lines of a fault that others made an error quotes.
const FAULT_LINES_QUOTED: usize = 4;

/// What a run needs to know to have a cluster of containers.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Number of members.
    pub nodes: u8,
    /// Where the clients shall be.
    pub client: &'a ClientPlace,
    /// The members' image, for a cluster that has to be made.
    pub image: Option<&'a str>,
    /// A folder to be made for sockets; it is removed in the end.
    pub folder: &'a Path,
}

/// Containers that a run uses. End it by [`Containers::end`]; what was made for it otherwise stays until the next recorder
/// comes along.
#[derive(Debug)]
pub struct Containers {
    engine: Engine,
    cluster: FoundCluster,
    session: SessionLabel,
    claim: Option<Claim>,
    adopted: bool,
    members: Vec<Arc<Outpost>>,
    client: Option<Arc<Outpost>>,
    /// Where the host reaches each member's client port.
    reached: Vec<SocketAddr>,
    checked: Mutex<Instant>,
    sidecars: Vec<Sidecar>,
    folder: DataDir,
}

impl Containers {
    /// Takes the cluster that runs, or makes one for this run, and sends outposts to its members.
    ///
    /// # Errors
    /// [`Error::Environment`] with what the engine lacks or refuses, [`Error::Run`] when an outpost does not come.
    pub async fn take(wanted: &Wanted<'_>) -> Result<Self> {
        let engine = Engine::connect().await?;
        clear_left_behind(&engine).await?;
        let session = this_session();
        let taken = Self::take_as(&engine, &session, wanted).await;
        if taken.is_err() {
            // Whatever was made until then.
            engine.remove_session(&session).await?;
        }
        taken
    }

    async fn take_as(engine: &Engine, session: &SessionLabel, wanted: &Wanted<'_>) -> Result<Self> {
        let naming = Naming::etcd();
        let found = engine.find_cluster(&naming).await?;
        let adopted = found.is_some();
        let cluster = match found {
            Some(found) => found,
            None => {
                let image = wanted.image.map(str::to_owned);
                let publish = PublishPorts::Free;
                let spec =
                    UpSpec { naming, nodes: wanted.nodes, image, publish, session: session.clone(), kept: false };
                let made = engine.up(&spec).await?;
                if let Some(note) = &made.image_note {
                    terminal::line(note);
                }
                made
            }
        };
        if cluster.members.len() != usize::from(wanted.nodes) {
            let (members, nodes) = (cluster.members.len(), wanted.nodes);
            return Err(Error::usage(format!(
                "--nodes: the cluster that runs has {members} members, not {nodes}; ask for --nodes {members}, end it, or \
                 take --cluster sandbox"
            )));
        }
        let claim = engine.claim(&cluster, session).await?;
        let folder = DataDir::create(wanted.folder)?;
        let (members, client, sidecars) =
            send_outposts(engine, &cluster, session, folder.path(), &Purpose::Run(wanted.client)).await?;
        let places = cluster.members.iter().map(|member| member.name.as_str()).zip(&members);
        for (name, outpost) in places.chain(client.iter().map(|outpost| (CLIENT, outpost))) {
            clear_stale_faults(name, outpost)?;
        }
        let mut reached = Vec::new();
        for member in &cluster.members {
            reached.push(if *wanted.client == ClientPlace::Host {
                reach(member).await?
            } else {
                client_address(member)
            });
        }
        Ok(Self {
            engine: engine.clone(),
            cluster,
            session: session.clone(),
            claim: Some(claim),
            adopted,
            members,
            client,
            reached,
            checked: Mutex::new(Instant::now()),
            sidecars,
            folder,
        })
    }

    /// The engine's facts of the cluster.
    pub fn cluster(&self) -> &FoundCluster {
        &self.cluster
    }

    /// Version of the engine.
    pub fn engine_version(&self) -> String {
        self.engine.version().to_owned()
    }

    /// Whether the cluster was up before the run.
    pub fn is_adopted(&self) -> bool {
        self.adopted
    }

    /// Kind of file system that the members' data lie on, as far as it can be seen from here.
    pub fn data_file_system(&self) -> String {
        let mounts = self.cluster.members.first().map(|member| &member.mounts[..]).unwrap_or_default();
        let source = mounts.iter().find_map(|mount| mount.split(' ').nth(1)).map(PathBuf::from);
        let seen = source.map(|source| crate::host::file_system(&source)).unwrap_or_default();
        if seen.is_empty() { self.engine.storage_driver().to_owned() } else { seen }
    }

    /// The members, each with a vantage beside it.
    ///
    /// # Errors
    /// [`Error::Environment`] when threads cannot be started.
    pub fn members(&self, client: &ClientPlace) -> Result<Vec<Member>> {
        let member = |(at, member): (usize, &MemberContainer)| {
            Ok(Member {
                name: member.name.clone(),
                id: 0,
                client_address: if *client == ClientPlace::Host { self.reached[at] } else { client_address(member) },
                peer_address: (member.address, PEER_PORT).into(),
                // Its own address from within leads over its loopback: members may listen on that address alone.
                own_address: client_address(member),
                vantage: Vantage::with_sockets(Sockets::Lent(self.members[at].clone()), &member.name, 1)?,
            })
        };
        self.cluster.members.iter().enumerate().map(member).collect()
    }

    /// The clients' vantage.
    ///
    /// # Errors
    /// [`Error::Environment`] when threads cannot be started.
    pub fn client(&self, at: &ClientPlace, threads: usize) -> Result<Vantage> {
        let member = |name: &String| self.cluster.members.iter().position(|member| member.name == *name);
        let sockets = match at {
            ClientPlace::Auto | ClientPlace::Host => Sockets::Own,
            ClientPlace::Own => self.client.clone().map_or(Sockets::Own, Sockets::Lent),
            ClientPlace::Member(name) => Sockets::Lent(self.members[member(name).unwrap_or(0)].clone()),
        };
        Vantage::with_sockets(sockets, CLIENT, threads)
    }

    /// A fault holder at a place.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub fn holder(&self, site: Site) -> Result<Holder> {
        let outpost = match site {
            Site::Member(member) => &self.members[member],
            Site::Client => self.client.as_ref().ok_or_else(|| Error::run("the clients have no container"))?,
            Site::Router => return Err(Error::run("containers have no router of ours between them")),
        };
        outpost.holder().map(Holder::lent)
    }

    /// Tries a mechanism where faults would be placed.
    ///
    /// # Errors
    /// [`Error::Environment`] with what the kernel refuses.
    pub fn try_mechanism(&self, mechanism: Mechanism) -> Result<()> {
        self.members.first().map_or(Ok(()), |outpost| outpost.try_mechanism(mechanism))
    }

    /// Fails when a container is not the same one any more, or an outpost is gone. The engine is asked every now and then.
    ///
    /// # Errors
    /// [`Error::Run`] that says what happened, with the end of that member's log.
    pub async fn check(&self) -> Result<()> {
        for outpost in self.members.iter().chain(&self.client) {
            outpost.check()?;
        }
        {
            let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
            if checked.elapsed() < STATE_INTERVAL {
                return Ok(());
            }
            *checked = Instant::now();
        }
        for member in &self.cluster.members {
            let state = self.engine.state(&member.name).await.map_err(|error| Error::run(error.to_string()))?;
            if let Some(what) = state.not_the_same_as(&member.state) {
                let lines = self.engine.last_log_lines(&member.name, LOG_LINES_QUOTED).await;
                return Err(Error::run(format!(
                    "container {} {what}; whatever fault was in its network went with it{lines}",
                    member.name
                )));
            }
        }
        Ok(())
    }

    /// The ends of all members' logs, for an error message.
    pub async fn last_log_lines(&self) -> String {
        let mut text = String::new();
        for member in &self.cluster.members {
            let lines = self.engine.last_log_lines(&member.name, LOG_LINES_QUOTED).await;
            text += &format!("\n{}{lines}", member.name);
        }
        text
    }

    /// Ends what was made for the run, and makes sure that no fault of ours stays. Returns what went wrong, in sentences.
    pub async fn end(mut self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut is_clean = true;
        for (member, outpost) in self.cluster.members.iter().zip(&self.members) {
            match outpost.clear_faults(false) {
                Ok(cleared) if cleared.is_empty() => {}
                Ok(cleared) => {
                    problems.push(format!("{}: cleared a fault that was left: {}", member.name, cleared.join(", ")))
                }
                Err(_) => is_clean = false,
            }
        }
        if !is_clean && self.adopted {
            problems.extend(self.clear_by_others().await);
        }
        // They heal what they may still hold, put their links' offloads back, and end, and with them their containers.
        for outpost in self.members.iter().chain(&self.client) {
            outpost.end();
        }
        self.wait_for_sidecars().await;
        if let Some(claim) = self.claim.take() {
            problems.extend(self.engine.release(claim).await.err().map(|error| error.to_string()));
        }
        problems.extend(self.engine.remove_session(&self.session).await.err().map(|error| error.to_string()));
        problems
    }

    /// Waits until the sidecars have ended by themselves; not for long, as they are removed in any case.
    async fn wait_for_sidecars(&self) {
        let deadline = Instant::now() + SIDECARS_END;
        for sidecar in &self.sidecars {
            let is_gone = async || self.engine.state(&sidecar.id).await.is_ok_and(|state| !state.is_running());
            while !is_gone().await && Instant::now() < deadline {
                tokio::time::sleep(SIDECARS_POLL).await;
            }
        }
    }

    /// Clears what an outpost left that was ended by force, and its holder with it.
    async fn clear_by_others(&self) -> Vec<String> {
        let folder = self.folder.path().join("others");
        match clear_faults_of(&self.engine, &self.cluster, &self.session, &folder, false).await {
            Ok(places) => {
                let cleared = places.into_iter().filter(|(_, lines)| !lines.is_empty());
                cleared.map(|(name, lines)| left(&name, &lines)).collect()
            }
            Err(error) => vec![format!("faults may be left, see `recorder faults show`: {error}")],
        }
    }
}

fn left(name: &str, cleared: &[String]) -> String {
    format!("{name}: cleared a fault that was left: {}", cleared.join(", "))
}

/// What was found or removed at each member, by its name.
pub type AtMembers = Vec<(String, Vec<String>)>;

/// Sends outposts to all members, removes faults there, and ends the outposts. Returns what was removed. `folder` is made for
/// it, and removed.
///
/// # Errors
/// As [`Containers::take`].
pub async fn clear_faults_of(
    engine: &Engine,
    cluster: &FoundCluster,
    session: &SessionLabel,
    folder: &Path,
    all: bool,
) -> Result<AtMembers> {
    at_members(engine, cluster, session, folder, |outpost| outpost.clear_faults(all)).await
}

/// Sends outposts to all members and says what faults stand there, a line each. `folder` is made for it, and removed.
///
/// # Errors
/// As [`Containers::take`].
pub async fn show_faults_of(
    engine: &Engine,
    cluster: &FoundCluster,
    session: &SessionLabel,
    folder: &Path,
) -> Result<AtMembers> {
    at_members(engine, cluster, session, folder, Outpost::show_faults).await
}

async fn at_members(
    engine: &Engine,
    cluster: &FoundCluster,
    session: &SessionLabel,
    folder: &Path,
    act: impl Fn(&Outpost) -> Result<Vec<String>>,
) -> Result<AtMembers> {
    let folder = DataDir::create(folder)?;
    let (members, _, _sidecars) = send_outposts(engine, cluster, session, folder.path(), &Purpose::Look).await?;
    let acted = cluster.members.iter().zip(members).map(|(member, outpost)| Ok((member.name.clone(), act(&outpost)?)));
    acted.collect()
}

/// Removes what a call of [`Containers::take`] made that was given up halfway.
///
/// # Errors
/// [`Error::Environment`] when the engine does not answer.
pub async fn abandon() -> Result<()> {
    Engine::connect().await?.remove_session(&this_session()).await.map(drop)
}

/// Everything that is made for this process's run.
fn this_session() -> SessionLabel {
    SessionLabel::of_this_process("run")
}

/// Removes what killed recorders left with the engine, and says so.
///
/// # Errors
/// [`Error::Environment`] when the engine refuses.
pub async fn clear_left_behind(engine: &Engine) -> Result<()> {
    let removed = engine.remove_stale().await?;
    if !removed.is_empty() {
        terminal::line(format_args!("removed what a killed recorder left: {removed}"));
    }
    Ok(())
}

/// What the engine's kernel can do, tried in a container that has no network.
///
/// # Errors
/// [`Error::Environment`] when there is no tools image, or the engine runs on another kernel.
pub async fn mechanisms(engine: &Engine, folder: &Path) -> Result<Vec<Mechanism>> {
    let session = this_session();
    let folder = DataDir::create(folder)?;
    let tried = async {
        let listener = listen(folder.path())?;
        let spec = spec(&Naming::etcd(), &session, Role::Probe, SidecarNetwork::Alone, folder.path(), PROBE, true)?;
        let sidecars = vec![engine.start_sidecar(&spec).await?];
        let outposts = expect(engine, listener, &[PROBE.to_owned()], sidecars).await?.0;
        let works = |mechanism: &Mechanism| outposts[0].try_mechanism(*mechanism).is_ok();
        Ok([Mechanism::Netem, Mechanism::Queue].into_iter().filter(works).collect())
    };
    let tried = tried.await;
    engine.remove_session(&session).await?;
    tried
}

/// Clears what a killed recorder left in a namespace, and refuses what somebody else put there.
fn clear_stale_faults(name: &str, outpost: &Outpost) -> Result<()> {
    let cleared = outpost.clear_faults(false)?;
    if !cleared.is_empty() {
        terminal::line(format_args!("{name}: cleared what a killed recorder left: {}", cleared.join(", ")));
    }
    let foreign = outpost.show_faults()?;
    if foreign.is_empty() {
        return Ok(());
    }
    let shown = foreign[..foreign.len().min(FAULT_LINES_QUOTED)].join("\n  ");
    Err(Error::environment(format!(
        "{name} has a fault that somebody put there, which would falsify the run; `recorder faults clear --all` removes it:\n  \
         {shown}"
    )))
}

fn client_address(member: &MemberContainer) -> SocketAddr {
    (member.address, etcd::CLIENT_PORT).into()
}

/// Where the host reaches a member: its own address, else its published port.
async fn reach(member: &MemberContainer) -> Result<SocketAddr> {
    let mut tried = Vec::new();
    // A member that has just started does not listen yet.
    let deadline = Instant::now() + REACH_TIMEOUT;
    loop {
        for address in [Some(client_address(member)), member.published_client].into_iter().flatten() {
            let connecting = tokio::net::TcpStream::connect(address);
            if matches!(tokio::time::timeout(REACH_TIMEOUT, connecting).await, Ok(Ok(_))) {
                return Ok(address);
            }
            tried.push(address.to_string());
        }
        if Instant::now() > deadline {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tried.sort_unstable();
    tried.dedup();
    Err(Error::environment(format!(
        "{} is not reached from this machine at {}; publish its port {CLIENT_PORT}, or give the clients a container of their \
         own (--client-at own)",
        member.name,
        tried.join(" or ")
    )))
}
