//! The cluster that is tested: the one that is up, one that is brought up for it, or somebody else's.

use std::net::SocketAddr;

use run_folder::spec::Backend;

use super::plan::{NodesAsked, Target, TestPlan};
use crate::cli::kept::{KeptKind, UpCommand};
use crate::cluster::member_status::{ClusterStatus, MemberStatusRow};
use crate::endpoints::Endpoint;
use crate::error::{Error, Result};
use crate::{apart, kept, terminal};

/// A cluster, and how it is reached.
#[derive(Debug)]
pub(super) struct Subject {
    /// What it runs in: sandbox, docker, or endpoints.
    pub(super) backend: Backend,
    /// Its members, in order.
    pub(super) nodes: Vec<Node>,
    /// What keeps it up, and so can kill a member and start it again; nothing where somebody else does.
    pub(super) kept: Option<KeptKind>,
    /// Whether `recorder test --cleanup` may remove it.
    pub(super) is_ours: bool,
}

/// A member.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Its name.
    pub(super) name: String,
    /// How people reach it.
    pub(super) endpoint: Option<String>,
    /// How this process does.
    pub(super) address: Option<SocketAddr>,
    /// Why it is not healthy, as far as whatever keeps it up knows.
    pub(super) problem: Option<String>,
}

impl Subject {
    /// Finds the cluster, or brings one up. Must be called while the process has a single thread.
    ///
    /// # Errors
    /// [`Error::Usage`] where the one that is up is not what was asked for; what keeps a new one from coming up.
    pub(super) fn find(plan: &TestPlan) -> Result<Self> {
        let (cluster, up, only_up) = match &plan.target {
            Target::Endpoints(endpoints) => return Self::external(endpoints, plan.nodes),
            Target::Kept { cluster, up, only_up } => (*cluster, up, only_up),
        };
        let Some(status) = apart::find_out(|| kept::status(cluster))? else { return Self::bring_up(up, plan.once) };
        if plan.once {
            return Err(Error::usage(format!(
                "--once: a cluster is up already ({}); leave --once out to test that one, or end it by `recorder down`",
                status.about
            )));
        }
        if let Some(NodesAsked { count, by }) =
            plan.nodes.filter(|asked| usize::from(asked.count) != status.members.len())
        {
            return Err(Error::usage(format!(
                "{by} asks for {count} members, and the cluster that is up has {}; leave it out, or end that cluster by \
                 `recorder down`",
                status.members.len()
            )));
        }
        terminal::line(format_args!("testing the cluster that is up, which stays up: {}", status.about));
        if !only_up.is_empty() {
            terminal::line(format_args!("{} is for a cluster that is brought up, and left aside", only_up.join(", ")));
        }
        Self::of(status)
    }

    fn bring_up(up: &UpCommand, once: bool) -> Result<Self> {
        kept::bring_up(up, SESSION)?;
        let kind = super::plan::kept_kind(Some(up.cluster));
        let found = kept::status(kind).and_then(|status| {
            let status = status.ok_or_else(|| Error::run("the cluster ended as soon as it was up"))?;
            terminal::line(&status.about);
            Self::of(status)
        });
        if found.is_err() && once {
            remove(kind)?;
        }
        found
    }

    fn of(status: ClusterStatus) -> Result<Self> {
        let kind = if status.backend == Backend::Docker { KeptKind::Docker } else { KeptKind::Sandbox };
        let is_ours = kind == KeptKind::Sandbox || kept::containers::are_made_by_recorder()?;
        let nodes = status.members.iter().map(Node::of).collect();
        Ok(Self { backend: status.backend, nodes, kept: Some(kind), is_ours })
    }

    fn external(endpoints: &[Endpoint], nodes: Option<NodesAsked>) -> Result<Self> {
        if let Some(NodesAsked { count, by }) = nodes.filter(|asked| usize::from(asked.count) != endpoints.len()) {
            return Err(Error::usage(format!(
                "{by} asks for {count} members, and --endpoints names {}; a test needs every member's",
                endpoints.len()
            )));
        }
        let node = |endpoint: &Endpoint| Node {
            name: endpoint.name.clone(),
            endpoint: Some(format!("http://{}", endpoint.name)),
            address: Some(endpoint.address),
            problem: None,
        };
        Ok(Self {
            backend: Backend::Endpoints,
            nodes: endpoints.iter().map(node).collect(),
            kept: None,
            is_ours: false,
        })
    }
}

/// What containers are labelled with that a test brings up, so that they and their data can be removed together.
pub(super) const SESSION: &str = "test";

/// Removes the cluster that was brought up.
///
/// # Errors
/// When it cannot be removed.
pub(super) fn remove(cluster: KeptKind) -> Result<()> {
    kept::take_down(cluster, SESSION)
}

impl Node {
    fn of(row: &MemberStatusRow) -> Self {
        let address = row.reachable_at();
        Self { name: row.member.clone(), endpoint: address.map(url), address, problem: row.problem.clone() }
    }
}

/// As people type it.
fn url(address: SocketAddr) -> String {
    if address.ip().is_loopback() && address.is_ipv4() {
        return format!("http://localhost:{}", address.port());
    }
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_called_localhost() {
        assert_eq!(url("127.0.0.1:2379".parse().unwrap()), "http://localhost:2379");
        assert_eq!(url("172.18.0.2:2379".parse().unwrap()), "http://172.18.0.2:2379");
        assert_eq!(url("[::1]:2379".parse().unwrap()), "http://[::1]:2379");
    }
}
