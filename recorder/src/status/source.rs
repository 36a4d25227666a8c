//! Whose status is shown: the cluster that is kept up, or the members at some addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use run_folder::spec::Backend;

use crate::cli::kept::KeptKind;
use crate::cluster::member_status::{self, ClusterStatus, MemberStatusRow, hexadecimal, printable};
use crate::cluster::{self, sockets::Sockets};
use crate::endpoints::Endpoint;
use crate::error::Result;
use crate::kept;

/// How long a member may take to list the members.
const LIST_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a status comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// A cluster that is kept up.
    Kept(KeptKind),
    /// Whoever answers at some addresses.
    Endpoints(Asked),
}

/// Members at addresses, and what they said of themselves: one that does not answer any more keeps its name.
#[derive(Debug)]
pub(super) struct Asked {
    endpoints: Vec<Endpoint>,
    /// Ids of those that have answered.
    ids: BTreeMap<SocketAddr, String>,
    /// Names of all members by their ids.
    names: BTreeMap<String, String>,
}

impl Source {
    /// The members at these addresses.
    pub(super) fn at(endpoints: Vec<Endpoint>) -> Self {
        Self::Endpoints(Asked { endpoints, ids: BTreeMap::new(), names: BTreeMap::new() })
    }

    /// The status now; `None` when no cluster is up.
    ///
    /// # Errors
    /// When it cannot be asked. Members that do not answer are no error.
    pub(super) async fn status(&mut self) -> Result<Option<ClusterStatus>> {
        match self {
            Self::Kept(cluster) => kept::ask_status(*cluster).await,
            Self::Endpoints(asked) => Ok(Some(asked.status().await)),
        }
    }
}

impl Asked {
    async fn status(&mut self) -> ClusterStatus {
        let time = chrono::Utc::now();
        let ask = |endpoint: &Endpoint| {
            let address = endpoint.address;
            tokio::spawn(async move { member_status::ask(&Sockets::Own, address).await })
        };
        let asked: Vec<_> = self.endpoints.iter().map(ask).collect();
        let mut rows = Vec::new();
        for (asked, endpoint) in asked.into_iter().zip(&self.endpoints) {
            let answer = asked.await.unwrap_or_else(|error| Err(error.to_string()));
            let mut row = MemberStatusRow::of(&endpoint.name, endpoint.address, answer);
            match &row.member_id {
                Some(id) => drop(self.ids.insert(endpoint.address, id.clone())),
                None => row.member_id = self.ids.get(&endpoint.address).cloned(),
            }
            rows.push(row);
        }
        self.learn_names(&rows).await;
        for row in &mut rows {
            if let Some(name) = row.member_id.as_ref().and_then(|id| self.names.get(id)) {
                row.member.clone_from(name);
            }
        }
        let is_asked = |id: &String| rows.iter().any(|row| row.member_id.as_ref() == Some(id));
        let others: Vec<_> = self.names.iter().filter(|(id, _)| !is_asked(id)).map(|(_, name)| name.as_str()).collect();
        let plural = if self.endpoints.len() == 1 { "" } else { "s" };
        let about = match others.is_empty() {
            true => format!("members at {} endpoint{plural}", self.endpoints.len()),
            false => format!(
                "members at {} endpoint{plural}; not asked, because no endpoint leads to them or it does not answer: {}",
                self.endpoints.len(),
                others.join(", ")
            ),
        };
        ClusterStatus::new(time, Backend::Endpoints, about, rows, &self.names)
    }

    /// Asks for the list of members where somebody's name is not known; the first that lists them will do.
    async fn learn_names(&mut self, rows: &[MemberStatusRow]) {
        let is_known = |row: &MemberStatusRow| row.member_id.as_ref().is_none_or(|id| self.names.contains_key(id));
        if rows.iter().all(is_known) {
            return;
        }
        for row in rows.iter().filter(|row| row.answers()) {
            let Ok(address) = row.address.parse() else { continue };
            let Ok(mut client) = cluster::client(&Sockets::Own, address).await else { continue };
            if let Ok(Ok(list)) = tokio::time::timeout(LIST_TIMEOUT, client.member_list()).await {
                // A member that was never started has no name yet.
                let named = list.members().iter().filter(|member| !member.name().is_empty());
                self.names = named.map(|member| (hexadecimal(member.id()), printable(member.name()))).collect();
                return;
            }
        }
    }
}
