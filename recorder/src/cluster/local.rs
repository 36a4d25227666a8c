//! Members as processes in the sandbox.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::action::{Condition, MemberAction};
use super::data::DataDir;
use super::etcd::{self, CLIENT_PORT, PEER_PORT};
use super::network::Network;
use super::process::Process;
use super::vantage::Vantage;
use super::{Member, http, member_name};
use crate::error::{Error, Result};
use crate::faults::holder::Holder;
use crate::faults::placement::Site;

/// How long a started member is given to answer its peers before the next one is started all the same.
const PEER_PORT_WAIT: Duration = Duration::from_secs(1);
const PEER_PORT_TIMEOUT: Duration = Duration::from_millis(100);
const PEER_PORT_POLL: Duration = Duration::from_millis(5);
/// How long a member may take to end in good order before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(3);
const END_POLL: Duration = Duration::from_millis(10);

/// Running members. Dropping the value ends them and removes their data.
#[derive(Debug)]
pub(super) struct Local {
    /// Flags of the first member.
    pub(super) flags: Vec<String>,
    network: Network,
    processes: Mutex<Vec<Process>>,
    /// Held while something is done to a member.
    acting: tokio::sync::Mutex<()>,
    _data: DataDir,
}

impl Local {
    /// Starts `nodes` members with fresh data in `data`.
    ///
    /// One after the other: a member asks the others at its start whether it is new, and two that ask each other before
    /// they answer anybody wait two seconds.
    ///
    /// # Errors
    /// [`Error::Environment`] when the network cannot be built, [`Error::Run`] when a member cannot be started.
    pub(super) async fn start(program: &etcd::Program, nodes: u8, data: &Path) -> Result<(Self, Vec<Member>)> {
        let data = DataDir::create(data)?;
        let network = Network::build(nodes)?;
        let mut processes = Vec::new();
        let mut members = Vec::new();
        let mut flags_of_first = Vec::new();
        for (index, host) in network.members.iter().enumerate() {
            let name = member_name(index as u8);
            let flags = etcd::Program::flags(&network.members, index, &data.path().join(&name));
            let log = data.path().join(format!("{name}.log"));
            processes.push(Process::start(program, host, &name, &flags, log)?);
            let member = Member {
                vantage: Vantage::at(host, &name, 1)?,
                name,
                id: 0,
                client_address: (host.address, CLIENT_PORT).into(),
                peer_address: (host.address, PEER_PORT).into(),
                own_address: (Ipv4Addr::LOCALHOST, CLIENT_PORT).into(),
            };
            if index + 1 < network.members.len() {
                wait_for_peer_port(&member).await?;
            }
            members.push(member);
            if index == 0 {
                flags_of_first = flags;
            }
        }
        Ok((
            Self {
                flags: flags_of_first,
                network,
                processes: Mutex::new(processes),
                acting: tokio::sync::Mutex::default(),
                _data: data,
            },
            members,
        ))
    }

    /// The clients' place of their own.
    ///
    /// # Errors
    /// [`Error::Environment`] when threads cannot be started.
    pub(super) fn client(&self, threads: usize) -> Result<Vantage> {
        Vantage::at(&self.network.client, "client", threads)
    }

    /// A place in a member's namespace.
    ///
    /// # Errors
    /// [`Error::Environment`] when threads cannot be started.
    pub(super) fn beside(&self, member: usize, name: &str, threads: usize) -> Result<Vantage> {
        Vantage::at(&self.network.members[member], name, threads)
    }

    /// A fault holder in the router, which is where the calling thread is, or in a member's or the clients' namespace.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub(super) fn holder(&self, site: Site) -> Result<Holder> {
        match site {
            Site::Router => Holder::start(None),
            Site::Member(member) => Holder::start(Some(&self.network.members[member])),
            Site::Client => Holder::start(Some(&self.network.client)),
        }
    }

    /// Fails when a member's process has ended.
    ///
    /// # Errors
    /// [`Error::Run`] with the end of that member's log.
    pub(super) fn check_processes(&self) -> Result<()> {
        match self.processes().iter_mut().find_map(Process::ended) {
            Some(end) => Err(Error::run(end)),
            None => Ok(()),
        }
    }

    /// What each member's process does, and why it cannot answer where that is the cause.
    pub(super) fn standings(&self) -> Vec<(Condition, Option<String>)> {
        self.processes().iter_mut().map(Process::standing).collect()
    }

    /// Does something to a member. What is started is not ready yet.
    ///
    /// # Errors
    /// [`Error::Usage`] for what makes no sense, [`Error::Run`] for what fails.
    pub(super) async fn act(&self, member: usize, action: MemberAction) -> Result<()> {
        // One after the other: the second of two restarts must not take the first one's new process for its old one.
        let _turn = self.acting.lock().await;
        let begin = |action: MemberAction| {
            let mut processes = self.processes();
            let process = &mut processes[member];
            let condition = process.condition();
            action.check(process.name(), condition)?;
            let begun = match (action, condition) {
                (MemberAction::Kill, _) => process.kill(),
                (MemberAction::Pause, _) => process.signal(Signal::SIGSTOP),
                (MemberAction::Resume, _) => process.signal(Signal::SIGCONT),
                (MemberAction::Restart, Condition::Running) => process.signal(Signal::SIGTERM),
                // What is held cannot end in good order.
                (MemberAction::Restart, _) => Ok(()),
            };
            begun.map_err(|error| Error::run(format!("{}: {action:?} failed: {error}", process.name())))
        };
        begin(action)?;
        if action != MemberAction::Restart {
            return Ok(());
        }
        let deadline = Instant::now() + END_TIMEOUT;
        while self.processes()[member].condition() == Condition::Running && Instant::now() < deadline {
            tokio::time::sleep(END_POLL).await;
        }
        let mut processes = self.processes();
        let process = &mut processes[member];
        if process.condition() != Condition::Ended {
            process.kill().map_err(|error| Error::run(format!("{} does not end: {error}", process.name())))?;
        }
        process.start_again()
    }

    fn processes(&self) -> MutexGuard<'_, Vec<Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ends of all members' logs, for an error message.
    pub(super) fn last_log_lines(&self) -> String {
        self.processes().iter().map(|process| format!("\n{}{}", process.name(), process.last_log_lines())).collect()
    }
}

/// Waits until a member answers its peers; one that does not is seen later, when the cluster is not ready.
async fn wait_for_peer_port(member: &Member) -> Result<()> {
    let (sockets, address): (_, SocketAddr) = (member.vantage.sockets().clone(), member.peer_address);
    let answer = async move {
        let ask = || tokio::time::timeout(PEER_PORT_TIMEOUT, http::get(&sockets, address, "/members"));
        while !matches!(ask().await, Ok(Ok(_))) {
            tokio::time::sleep(PEER_PORT_POLL).await;
        }
    };
    // Not to have answered in time is no error here.
    member.vantage.run(async move { tokio::time::timeout(PEER_PORT_WAIT, answer).await }).await.map(drop)
}
