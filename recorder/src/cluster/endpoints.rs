//! Members that somebody else runs: all that is known of them is where they serve clients. The cluster is taken as it is, with
//! members that do not answer too: what is sent there fails, and is recorded as such.

use std::time::{Duration, Instant};

use super::sockets::Sockets;
use super::vantage::Vantage;
use super::{Cluster, Ground, Member};
use crate::cluster::member_status;
use crate::endpoints::Endpoint;
use crate::error::{Error, Result};
use crate::terminal;

/// How long members may take to agree on a leader: an election may be under way.
const LEADER_TIMEOUT: Duration = Duration::from_secs(5);
const LEADER_POLL: Duration = Duration::from_millis(100);

/// What a member's answer says of it and its cluster.
#[derive(Debug, Clone)]
struct Seen {
    id: u64,
    cluster_id: u64,
    version: String,
    knows_leader: bool,
}

impl Cluster {
    /// The cluster that these endpoints belong to, which stays as it is. Clients are in this process's network.
    ///
    /// # Errors
    /// [`Error::Environment`] when none of them answers or knows a leader, [`Error::Usage`] when they belong to different
    /// clusters.
    pub async fn of_endpoints(endpoints: &[Endpoint], client_threads: usize) -> Result<Self> {
        let beside = Vantage::with_sockets(Sockets::Own, "status", 1)?;
        let member = |endpoint: &Endpoint| Member {
            name: endpoint.name.clone(),
            id: 0,
            client_address: endpoint.address,
            peer_address: endpoint.address,
            own_address: endpoint.address,
            vantage: beside.clone(),
        };
        let mut cluster = Self {
            members: endpoints.iter().map(member).collect(),
            client: Vantage::with_sockets(Sockets::Own, "client", client_threads)?,
            flags: Vec::new(),
            version: String::new(),
            data_file_system: String::new(),
            served_runs: 0,
            adopted: true,
            image: None,
            engine: None,
            notes: Vec::new(),
            ground: Ground::Endpoints,
        };
        cluster.look_at_endpoints().await?;
        Ok(cluster)
    }

    /// Finds out who answers, and says who does not.
    pub(super) async fn look_at_endpoints(&mut self) -> Result<()> {
        let deadline = Instant::now() + LEADER_TIMEOUT;
        let answers = loop {
            let answers = self.ask_endpoints().await?;
            let mut seen = answers.iter().flatten().peekable();
            let may_change = seen.peek().is_some() && Instant::now() < deadline;
            if !may_change || seen.any(|seen| seen.knows_leader) {
                break answers;
            }
            tokio::time::sleep(LEADER_POLL).await;
        };
        let silent: Vec<_> = self
            .members
            .iter()
            .zip(&answers)
            .filter_map(|(member, answer)| Some(format!("{}: {}", member.name, answer.as_ref().err()?)))
            .collect();
        let seen: Vec<_> = answers.iter().flatten().collect();
        if seen.is_empty() && self.served_runs == 0 {
            return Err(Error::environment(format!(
                "no member answers ({}); is etcd running there, and without TLS?",
                silent.join("; ")
            )));
        }
        let mut notes: Vec<_> = silent
            .iter()
            .map(|silent| format!("a member does not answer, and what is sent to it fails: {silent}"))
            .collect();
        if !seen.is_empty() && !seen.iter().any(|seen| seen.knows_leader) {
            let problem = "no member that answers knows a leader, so nothing is acknowledged";
            if self.served_runs == 0 {
                let silent = if silent.is_empty() { String::new() } else { format!(" ({})", silent.join("; ")) };
                return Err(Error::environment(format!("{problem}{silent}; `recorder status` shows the members")));
            }
            notes.push(problem.into());
        }
        for note in notes.iter().filter(|note| !self.notes.contains(note)) {
            terminal::line(format_args!("warning: {note}"));
        }
        self.notes = notes;
        if let Some(seen) = seen.first() {
            self.version.clone_from(&seen.version);
        }
        let mut known: Vec<(&str, &Seen)> = Vec::new();
        for (member, answer) in self.members.iter_mut().zip(&answers) {
            let Ok(seen) = answer else { continue };
            member.id = seen.id;
            let name = member.name.as_str();
            if let Some((other, _)) = known.iter().find(|(_, other)| other.cluster_id != seen.cluster_id) {
                return Err(Error::usage(format!(
                    "--endpoints: {other} and {name} belong to different clusters; name the members of one"
                )));
            }
            if let Some((other, _)) = known.iter().find(|(_, other)| other.id == seen.id) {
                return Err(Error::usage(format!(
                    "--endpoints: {other} and {name} are the same member; leave one of them out"
                )));
            }
            known.push((name, seen));
        }
        Ok(())
    }

    /// Asks all members at once.
    async fn ask_endpoints(&self) -> Result<Vec<std::result::Result<Seen, String>>> {
        let ask = |member: &Member| {
            let (sockets, address) = (member.vantage.sockets().clone(), member.own_address);
            member.vantage.spawn(async move {
                let answer = member_status::ask(&sockets, address).await?;
                let header = answer.header();
                Ok(Seen {
                    id: header.map_or(0, |header| header.member_id()),
                    cluster_id: header.map_or(0, |header| header.cluster_id()),
                    version: answer.version().to_owned(),
                    knows_leader: answer.leader() != 0,
                })
            })
        };
        let asked: Vec<_> = self.members.iter().map(ask).collect();
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(asked.await.map_err(|error| Error::run(format!("a status request failed: {error}")))?);
        }
        Ok(answers)
    }
}
