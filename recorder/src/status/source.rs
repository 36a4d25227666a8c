//! Whose status is shown: the cluster that is kept up, or the members at some addresses.

use std::collections::BTreeMap;

use crate::cluster::{self, sockets::Sockets};
use crate::docker::Engine;
use crate::endpoints::Endpoint;
use crate::error::{Error, Result};
use crate::kept;

use super::members::{self, ClusterStatus, MemberStatusRow};

/// How long a member may take to list the members.
const LIST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);

/// Where a status comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// The sandbox that is up, else the containers.
    Auto,
    /// The sandbox that is up.
    Sandbox,
    /// The containers.
    Docker,
    /// Whoever answers at these addresses.
    Endpoints(Vec<Endpoint>),
}

impl Source {
    /// The status now; `None` when no cluster is up.
    ///
    /// # Errors
    /// When it cannot be asked. Members that do not answer are no error.
    pub(super) async fn status(&self) -> Result<Option<ClusterStatus>> {
        match self {
            Self::Auto => match sandbox().await? {
                Some(status) => Ok(Some(status)),
                None if Engine::connect().await.is_ok() => kept::containers::status().await,
                None => Ok(None),
            },
            Self::Sandbox => sandbox().await,
            Self::Docker => kept::containers::status().await,
            Self::Endpoints(endpoints) => Ok(Some(of_endpoints(endpoints).await)),
        }
    }
}

async fn sandbox() -> Result<Option<ClusterStatus>> {
    // Its daemon is asked on a socket that blocks.
    let asked = tokio::task::spawn_blocking(kept::sandbox::status).await;
    asked.map_err(|error| Error::run(format!("a status request failed: {error}")))?
}

async fn of_endpoints(endpoints: &[Endpoint]) -> ClusterStatus {
    let ask = |endpoint: &Endpoint| {
        let address = endpoint.address;
        tokio::spawn(async move { members::ask(&Sockets::Own, address).await })
    };
    let asked: Vec<_> = endpoints.iter().map(ask).collect();
    let mut rows = Vec::new();
    for (asked, endpoint) in asked.into_iter().zip(endpoints) {
        let answer = asked.await.unwrap_or_else(|error| Err(error.to_string()));
        rows.push(MemberStatusRow::of(&endpoint.name, endpoint.address, answer));
    }
    let mut about = format!("members at {} endpoints", endpoints.len());
    if let Some(mut names) = names(&rows).await {
        for row in &mut rows {
            if let Some(name) = row.member_id.as_ref().and_then(|id| names.remove(id)) {
                row.member = name;
            }
        }
        if !names.is_empty() {
            let others: Vec<_> = names.into_values().collect();
            about +=
                &format!("; not asked, because no endpoint leads to them or it does not answer: {}", others.join(", "));
        }
    }
    ClusterStatus::new("endpoints", about, rows)
}

/// The names of all members by their ids, as the first says that answers.
async fn names(rows: &[MemberStatusRow]) -> Option<BTreeMap<String, String>> {
    for row in rows.iter().filter(|row| row.member_id.is_some()) {
        let address = row.address.parse().ok()?;
        let mut client = cluster::client(&Sockets::Own, address).await.ok()?;
        if let Ok(Ok(list)) = tokio::time::timeout(LIST_TIMEOUT, client.member_list()).await {
            let name = |member: &etcd_client::Member| (format!("{:x}", member.id()), member.name().to_owned());
            return Some(list.members().iter().map(name).filter(|(_, name)| !name.is_empty()).collect());
        }
    }
    None
}
