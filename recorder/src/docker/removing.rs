//! Removing what recorders made, found by its labels.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, Network};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveVolumeOptions,
};

use super::session::{Liveness, SessionLabel};
use super::{Engine, Removed, Role, labels};
use crate::error::{Error, Result};

/// How long the engine may take to take a container's traces away.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(15);
const SETTLE_POLL: Duration = Duration::from_millis(50);

type Labels = HashMap<String, String>;

impl Engine {
    /// Removes what recorders left behind that no longer run: sidecars, clusters that were made for one run, and
    /// clusters that were never made to the end. What was meant to stay, stays.
    ///
    /// # Errors
    /// [`Error::Environment`] when the engine refuses or does not answer.
    pub async fn remove_stale(&self) -> Result<Removed> {
        let ours = [labels::is(labels::MADE_BY, labels::RECORDER)];
        let containers = self.containers_with(&ours).await?;
        let mut stale = BTreeSet::new();
        let mut alone = |its: &Labels, is_over: bool| {
            if is_over && SessionLabel::liveness(its) == Liveness::Gone {
                stale.extend(its.get(labels::MADE_IN).cloned());
            }
        };
        let mut in_use = BTreeSet::new();
        for container in &containers {
            let its = container.labels.clone().unwrap_or_default();
            // Members are all made before the first is started.
            let never_started = container.state == Some(ContainerSummaryStateEnum::CREATED);
            alone(&its, !is_kept(&its) || never_started);
            in_use.extend(its.get(labels::MADE_IN).cloned());
        }
        for network in self.networks_with(&ours).await? {
            let its = network.labels.unwrap_or_default();
            let unused = its.get(labels::MADE_IN).is_none_or(|made_in| !in_use.contains(made_in));
            alone(&its, !is_kept(&its) || unused);
        }
        for (_, its) in self.volumes_with(&ours).await? {
            alone(&its, !is_kept(&its));
        }
        let mut removed = Removed::default();
        for made_in in stale {
            removed.add(self.remove_labelled(&[labels::is(labels::MADE_IN, &made_in)], true).await?);
        }
        Ok(removed)
    }

    /// Removes everything that a session made and is not kept: to be called on every way out, above all when a call of
    /// this module was given up halfway (a signal), which cannot clean up after itself.
    ///
    /// # Errors
    /// [`Error::Environment`] when the engine refuses or does not answer.
    pub async fn remove_session(&self, session: &SessionLabel) -> Result<Removed> {
        let mut filters = of_session(session);
        filters.push(labels::is(labels::KEPT, "no"));
        self.remove_labelled(&filters, true).await
    }

    /// Removes a session's sidecars, clients and probes.
    ///
    /// # Errors
    /// [`Error::Environment`] when the engine refuses or does not answer.
    pub async fn remove_sidecars(&self, session: &SessionLabel) -> Result<Removed> {
        let mut removed = Removed::default();
        for role in Role::ALL {
            let mut filters = of_session(session);
            filters.push(labels::is(labels::ROLE, role.name()));
            removed.add(self.remove_labelled(&filters, false).await?);
        }
        Ok(removed)
    }

    /// Removes containers and networks, and with `volumes` their data, that bear all of these labels.
    pub(super) async fn remove_labelled(&self, filters: &[String], volumes: bool) -> Result<Removed> {
        let mut removed = Removed::default();
        for container in self.containers_with(filters).await? {
            let Some(id) = container.id else { continue };
            self.remove_container(&id).await?;
            let name = container.names.unwrap_or_default().into_iter().next().unwrap_or(id);
            removed.containers.push(name.trim_start_matches('/').to_owned());
        }
        for network in self.networks_with(filters).await? {
            let name = network.name.unwrap_or_default();
            self.remove_network(&network.id.unwrap_or_else(|| name.clone()), &name).await?;
            removed.networks.push(name);
        }
        if volumes {
            for (name, _) in self.volumes_with(filters).await? {
                let call = self.docker.remove_volume(&name, None::<RemoveVolumeOptions>);
                match self.call(call).await {
                    Ok(()) => removed.volumes.push(name),
                    Err(failure) if failure.is_not_found() => {}
                    Err(failure) => return Err(self.explain(&format!("to remove volume {name}"), &failure)),
                }
            }
        }
        removed.containers.sort();
        removed.volumes.sort();
        Ok(removed)
    }

    /// Removes a container, running or not, and waits until its name is free.
    pub(super) async fn remove_container(&self, id: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.call(self.docker.remove_container(id, Some(options))).await {
            Ok(()) => {}
            Err(failure) if failure.is_not_found() => return Ok(()),
            // It is on its way out by itself, as a sidecar that ended.
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(self.explain(&format!("to remove container {id}"), &failure)),
        }
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        while self.inspect(id).await?.is_some() {
            if Instant::now() > deadline {
                return Err(Error::environment(format!(
                    "container {id} is still there {} s after it was removed; see docker inspect {id}, and restart the \
                     engine when that does not help",
                    SETTLE_TIMEOUT.as_secs()
                )));
            }
            tokio::time::sleep(SETTLE_POLL).await;
        }
        Ok(())
    }

    async fn remove_network(&self, id: &str, name: &str) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let failure = match self.call(self.docker.remove_network(id)).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.is_not_found() => return Ok(()),
                Err(failure) => failure,
            };
            if !failure.message().contains("active endpoints") {
                return Err(self.explain(&format!("to remove network {name}"), &failure));
            }
            if Instant::now() > deadline {
                let users = self.users_of(id).await;
                return Err(Error::environment(format!(
                    "network {name} is still used by container {users}, which the recorder did not make; remove that, then \
                     type recorder down again"
                )));
            }
            tokio::time::sleep(SETTLE_POLL).await;
        }
    }

    /// Names of the containers in a network.
    async fn users_of(&self, network: &str) -> String {
        let inspected = self.call(self.docker.inspect_network(network, None)).await;
        let users = inspected.ok().and_then(|network| network.containers).unwrap_or_default();
        let mut names: Vec<_> = users.into_values().filter_map(|user| user.name).collect();
        names.sort();
        names.join(", ")
    }

    pub(super) async fn containers_with(&self, filters: &[String]) -> Result<Vec<ContainerSummary>> {
        let options = ListContainersOptionsBuilder::new().all(true).filters(&by_labels(filters)).build();
        self.call_to("for its containers", self.docker.list_containers(Some(options))).await
    }

    async fn networks_with(&self, filters: &[String]) -> Result<Vec<Network>> {
        let options = ListNetworksOptionsBuilder::new().filters(&by_labels(filters)).build();
        self.call_to("for its networks", self.docker.list_networks(Some(options))).await
    }

    async fn volumes_with(&self, filters: &[String]) -> Result<Vec<(String, Labels)>> {
        let options = ListVolumesOptionsBuilder::new().filters(&by_labels(filters)).build();
        let list = self.call_to("for its volumes", self.docker.list_volumes(Some(options))).await?;
        Ok(list.volumes.unwrap_or_default().into_iter().map(|volume| (volume.name, volume.labels)).collect())
    }
}

/// A filter of the engine's lists: all of these labels.
fn by_labels(filters: &[String]) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), filters.to_vec())])
}

/// Filters for what a session made, and no other of the same name.
fn of_session(session: &SessionLabel) -> Vec<String> {
    session.labels().iter().map(|(key, value)| labels::is(key, value)).collect()
}

/// Whether something is meant to outlive its maker.
pub(super) fn is_kept(its: &Labels) -> bool {
    its.get(labels::KEPT).is_some_and(|kept| kept == "yes")
}
