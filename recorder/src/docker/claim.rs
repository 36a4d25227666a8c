//! One recorder at a time on a cluster: faults of two would mix.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::CreateContainerOptionsBuilder;

use super::down::in_use;
use super::session::{Liveness, SessionLabel, unique};
use super::{Engine, FoundCluster, labels};
use crate::error::{Error, Result};

/// The right to use a cluster, until it is released or its recorder is gone.
#[derive(Debug)]
#[must_use = "release it when the run is over"]
pub struct Claim {
    id: String,
}

impl Engine {
    /// Claims a cluster for this session. The engine lets a name be taken only once, so the claim is a container that is
    /// never started: it is seen by recorders of other users and in other containers too.
    ///
    /// # Errors
    /// [`Error::Environment`] when another recorder that still runs has it.
    pub async fn claim(&self, cluster: &FoundCluster, session: &SessionLabel) -> Result<Claim> {
        let name = format!("laggard-claim-{}", cluster.naming.cluster());
        let what = format!("to make container {name}");
        // Once more after what a killed recorder left is out of the way.
        for attempt in 0..2 {
            let options = CreateContainerOptionsBuilder::new().name(&name).build();
            let body = claim_body(cluster, session);
            let failure = match self.call(self.docker.create_container(Some(options), body)).await {
                Ok(created) => return Ok(Claim { id: created.id }),
                Err(failure) => failure,
            };
            if !failure.is_conflict() || attempt > 0 {
                return Err(self.explain(&what, &failure));
            }
            let Some(holder) = self.inspect(&name).await? else { continue };
            let its = holder.config.and_then(|config| config.labels).unwrap_or_default();
            match SessionLabel::liveness(&its) {
                Liveness::Alive(pid) => return Err(in_use(&cluster.naming, pid)),
                Liveness::Gone => self.remove_container(&holder.id.unwrap_or_else(|| name.clone())).await?,
                Liveness::Unknown => {
                    return Err(Error::environment(format!(
                        "another recorder, in a container or namespace of its own, is using the containers {}; wait until \
                         it is done, or when there is none any more, docker rm {name}",
                        cluster.naming
                    )));
                }
            }
        }
        Err(Error::environment(format!("container {name} comes and goes; try again")))
    }

    /// Gives a cluster back.
    ///
    /// # Errors
    /// [`Error::Environment`] when the engine refuses or does not answer.
    pub async fn release(&self, claim: Claim) -> Result<()> {
        self.remove_container(&claim.id).await
    }
}

fn claim_body(cluster: &FoundCluster, session: &SessionLabel) -> ContainerCreateBody {
    let mut its: HashMap<_, _> = session.labels();
    its.insert(labels::CLUSTER.into(), cluster.naming.cluster());
    its.insert(labels::ROLE.into(), "claim".into());
    its.insert(labels::KEPT.into(), "no".into());
    its.insert(labels::MADE_IN.into(), unique());
    ContainerCreateBody {
        image: Some(cluster.image_id.clone()),
        entrypoint: Some(vec!["/never-started".into()]),
        labels: Some(its),
        host_config: Some(HostConfig { network_mode: Some("none".into()), ..Default::default() }),
        ..Default::default()
    }
}
