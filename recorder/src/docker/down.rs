//! Taking a cluster down that a recorder made.

use std::collections::BTreeSet;
use std::fmt;

use super::session::{Liveness, SessionLabel};
use super::{Engine, Naming, labels};
use crate::error::{Error, Result};

/// What was removed, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Containers.
    pub containers: Vec<String>,
    /// Networks.
    pub networks: Vec<String>,
    /// Volumes: the members' data.
    pub volumes: Vec<String>,
}

impl Removed {
    /// Whether there was nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.networks.is_empty() && self.volumes.is_empty()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.containers.extend(other.containers);
        self.networks.extend(other.networks);
        self.volumes.extend(other.volumes);
    }
}

impl fmt::Display for Removed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [("container", &self.containers), ("network", &self.networks), ("volume", &self.volumes)];
        let text: Vec<_> = kinds
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| format!("{kind}{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", ")))
            .collect();
        formatter.write_str(if text.is_empty() { "nothing" } else { "" })?;
        formatter.write_str(&text.join("; "))
    }
}

impl Engine {
    /// Removes the cluster of these names that a recorder made, with its network and all that acts in it; with
    /// `volumes`, its data too. What others made stays.
    ///
    /// # Errors
    /// [`Error::Environment`] when somebody else made the cluster (it says how they remove it), when another recorder is
    /// using it, or when the engine refuses or does not answer.
    pub async fn down(&self, names: &Naming, volumes: bool) -> Result<Removed> {
        let listed = self.list(names).await?;
        if let Some(first) = listed.first()
            && listed.iter().all(|member| !member.made_by_us)
        {
            let all: Vec<_> = listed.iter().map(|member| member.name.as_str()).collect();
            return Err(Error::environment(format!(
                "the recorder did not make container {}, so it is left alone; {} removes it",
                all.join(", "),
                first.remover()
            )));
        }
        self.check_unused(names).await?;
        let cluster = [labels::is(labels::MADE_BY, labels::RECORDER), labels::is(labels::CLUSTER, &names.cluster())];
        self.remove_labelled(&cluster, volumes).await
    }

    /// As [`Self::down`], with the data that were made together with the cluster, and none that were there before it.
    ///
    /// # Errors
    /// As [`Self::down`].
    pub async fn down_with_own_data(&self, names: &Naming) -> Result<Removed> {
        let listed = self.list(names).await?;
        let made_in: BTreeSet<_> = listed.iter().filter_map(|member| member.label(labels::MADE_IN)).collect();
        let mut removed = self.down(names, false).await?;
        for made_in in made_in {
            removed.add(self.remove_labelled(&[labels::is(labels::MADE_IN, made_in)], true).await?);
        }
        Ok(removed)
    }

    /// Fails when another recorder that still runs has something in the cluster.
    async fn check_unused(&self, names: &Naming) -> Result<()> {
        let cluster = [labels::is(labels::MADE_BY, labels::RECORDER), labels::is(labels::CLUSTER, &names.cluster())];
        for container in self.containers_with(&cluster).await? {
            let its = container.labels.unwrap_or_default();
            if let Liveness::Alive(pid) = SessionLabel::liveness(&its)
                && pid != std::process::id() as i32
            {
                return Err(in_use(names, pid));
            }
        }
        Ok(())
    }
}

/// The message for a cluster that another recorder is using.
pub(super) fn in_use(names: &Naming, pid: i32) -> Error {
    Error::environment(format!(
        "another recorder (process {pid}) is using the containers {names}; wait until it is done, or stop it (kill {pid})"
    ))
}
