//! Making a cluster of containers in a private network of its own.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType, NetworkCreateRequest,
    PortBinding, RestartPolicy, RestartPolicyNameEnum, VolumeCreateRequest,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;

use super::calls::Failure;
use super::image::ChosenImage;
use super::naming::{MEMBERS_MAX, MEMBERS_MIN};
use super::ports::{HostPort, PublishPorts};
use super::session::{Liveness, SessionLabel, unique};
use super::{Engine, FoundCluster, Naming, labels};
use crate::cluster::etcd::{CLIENT_PORT, PEER_PORT};
use crate::error::{Error, Result};
use crate::terminal;

/// Where a member's data lies in its container.
const DATA_DIR: &str = "/var/lib/etcd";
/// How many processes and threads a container may have.
const THREADS_MAX: i64 = 2048;
/// How many of a member's last log lines an error quotes.
const LOG_LINES_QUOTED: usize = 5;

/// A cluster to make.
#[derive(Debug, Clone)]
pub struct UpSpec {
    /// How its members are named.
    pub naming: Naming,
    /// How many members it has.
    pub nodes: u8,
    /// The members' image; none takes `$ETCD_IMAGE` or the default.
    pub image: Option<String>,
    /// Where client ports are published.
    pub publish: PublishPorts,
    /// Who makes it.
    pub session: SessionLabel,
    /// Whether it outlives the session. It then finds the data of the cluster of these names before, unless that was
    /// removed; a cluster for one session always begins empty.
    pub kept: bool,
}

/// A cluster while it is made.
struct Making<'a> {
    spec: &'a UpSpec,
    image: ChosenImage,
    /// Tells what this call makes from everything else.
    made_in: String,
}

impl Engine {
    /// Makes a cluster's network and containers and starts them. It does not wait until they have a leader. When
    /// something fails, everything made until then is removed. When this future is dropped, that cannot be done: call
    /// [`Self::remove_session`], or [`Self::down`] for a cluster that is kept.
    ///
    /// # Errors
    /// [`Error::Usage`] for a number of members that is none; [`Error::Environment`] for a missing image, names or ports
    /// that are taken, a member that ended at once, or an engine that does not answer.
    pub async fn up(&self, spec: &UpSpec) -> Result<FoundCluster> {
        if !(MEMBERS_MIN..=MEMBERS_MAX).contains(&spec.nodes) {
            return Err(Error::usage(format!(
                "--nodes {}: a cluster of containers has {MEMBERS_MIN} to {MEMBERS_MAX} members",
                spec.nodes
            )));
        }
        let stale = self.remove_stale().await?;
        if !stale.is_empty() {
            terminal::line(format_args!("removed what a recorder left that no longer runs: {stale}"));
        }
        // Looked at first, so that the usual conflict is told before an image is fetched for nothing.
        for index in 0..MEMBERS_MAX {
            if let Some(conflict) = self.name_conflict(&spec.naming.member(index)).await? {
                return Err(conflict);
            }
        }
        let image = self.choose_image(spec.image.as_deref()).await?;
        let making = Making { spec, image, made_in: unique() };
        let made = making.make(self).await;
        if made.is_err() {
            let mine = [labels::is(labels::MADE_IN, &making.made_in)];
            if let Err(error) = self.remove_labelled(&mine, true).await {
                terminal::line(format_args!("recorder: warning: what was made of the cluster remains: {error}"));
            }
        }
        made
    }

    /// Says who has a container's name already; none when it is free.
    async fn name_conflict(&self, name: &str) -> Result<Option<Error>> {
        let Some(holder) = self.inspect(name).await? else { return Ok(None) };
        let its = holder.config.and_then(|config| config.labels).unwrap_or_default();
        let ours = its.get(labels::MADE_BY).is_some_and(|maker| maker == labels::RECORDER);
        Ok(Some(Error::environment(match SessionLabel::liveness(&its) {
            Liveness::Alive(pid) if ours => format!(
                "a container named {name} exists already: another recorder (process {pid}) is using that name; wait until \
                 it is done, or stop it (kill {pid})"
            ),
            _ if ours => format!(
                "a container named {name} exists already, of a cluster that a recorder made; recorder down removes it"
            ),
            _ => format!(
                "a container named {name} exists already, and the recorder did not make it; remove it (docker rm --force \
                 {name}) or rename it (docker rename {name} NAME)"
            ),
        })))
    }
}

impl Making<'_> {
    async fn make(&self, engine: &Engine) -> Result<FoundCluster> {
        let (spec, naming) = (self.spec, &self.spec.naming);
        let members: Vec<String> = (0..spec.nodes).map(|index| naming.member(index)).collect();
        let ports = engine.choose_ports(spec.publish, spec.nodes).await?;
        let (network, network_id) = self.make_network(engine).await?;
        if spec.kept {
            self.check_volumes(engine, &members).await?;
        }
        let mut ids = Vec::new();
        for (member, port) in members.iter().zip(&ports) {
            let volume = self.make_volume(engine, member).await?;
            ids.push(self.make_member(engine, member, &network_id, &volume, *port).await?);
        }
        for ((member, id), port) in members.iter().zip(&ids).zip(&ports) {
            let started = engine.call(engine.docker.start_container(id, None)).await;
            if let Err(failure) = started {
                return Err(self.start_failure(engine, member, *port, &failure).await);
            }
        }
        for (member, id) in members.iter().zip(&ids) {
            let state = engine.state(id).await?;
            if !state.is_running() {
                let log = engine.last_log_lines(id, LOG_LINES_QUOTED).await;
                return Err(Error::environment(format!("container {member} {state}{log}")));
            }
        }
        let found = engine.find_cluster(naming).await?;
        let found = found.filter(|found| found.members.iter().map(|member| &member.id).eq(&ids));
        let found = found.ok_or_else(|| {
            Error::environment(format!("the containers {naming} were removed while they were made; try again"))
        })?;
        Ok(FoundCluster { network, network_id, image_note: self.image.note.clone(), ..found })
    }

    async fn make_network(&self, engine: &Engine) -> Result<(String, String)> {
        // An engine lets several networks have one name; this one's is its own.
        let name = format!("laggard-{}-{}", self.spec.naming.cluster(), self.made_in);
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".into()),
            labels: Some(self.labels("network")),
            ..Default::default()
        };
        let made = engine.call(engine.docker.create_network(request)).await;
        let made = made.map_err(|failure| match failure.message() {
            message if message.contains("address pool") => Error::environment(format!(
                "the Docker engine has no range of addresses left for another network ({message}); docker network prune \
                 removes networks that nothing uses"
            )),
            _ => engine.explain(&format!("to make network {name}"), &failure),
        })?;
        Ok((name, made.id))
    }

    /// Checks that the data of the cluster before, if there is any, can be that of this one.
    async fn check_volumes(&self, engine: &Engine, members: &[String]) -> Result<()> {
        let mut there = Vec::new();
        for member in members {
            let name = self.volume(member);
            let volume = match engine.call(engine.docker.inspect_volume(&name)).await {
                Ok(volume) => volume,
                Err(failure) if failure.is_not_found() => continue,
                Err(failure) => return Err(engine.explain(&format!("about volume {name}"), &failure)),
            };
            if volume.labels.get(labels::MADE_BY).is_none_or(|maker| maker != labels::RECORDER) {
                return Err(Error::environment(format!(
                    "a volume named {name} exists already, and the recorder did not make it; remove it (docker volume rm \
                     {name})"
                )));
            }
            let nodes = volume.labels.get(labels::NODES).cloned().unwrap_or_default();
            if nodes != self.spec.nodes.to_string() {
                return Err(Error::environment(format!(
                    "volume {name} holds data of a cluster of {nodes} members; take --nodes {nodes}, or remove the data \
                     (recorder down --volumes)"
                )));
            }
            there.push(name);
        }
        match there.len() {
            0 => Ok(()),
            count if count == members.len() => {
                terminal::line(format_args!(
                    "the cluster goes on with the data of the one before (volumes {}); recorder down --volumes removes it",
                    there.join(", ")
                ));
                Ok(())
            }
            _ => Err(Error::environment(format!(
                "only volumes {} are left of the data of the cluster before, which is not enough to go on with it; remove \
                 them (recorder down --volumes)",
                there.join(", ")
            ))),
        }
    }

    async fn make_volume(&self, engine: &Engine, member: &str) -> Result<String> {
        let name = self.volume(member);
        let request =
            VolumeCreateRequest { name: Some(name.clone()), labels: Some(self.labels("data")), ..Default::default() };
        engine.call_to(&format!("to make volume {name}"), engine.docker.create_volume(request)).await?;
        Ok(name)
    }

    async fn make_member(
        &self,
        engine: &Engine,
        member: &str,
        network_id: &str,
        volume: &str,
        port: HostPort,
    ) -> Result<String> {
        let exposed = format!("{CLIENT_PORT}/tcp");
        let binding = |port: u16| PortBinding {
            host_ip: Some("127.0.0.1".into()),
            host_port: Some(if port == 0 { String::new() } else { port.to_string() }),
        };
        let data = Mount {
            typ: Some(MountType::VOLUME),
            source: Some(volume.to_owned()),
            target: Some(DATA_DIR.into()),
            ..Default::default()
        };
        let rotation = HashMap::from([("max-size".into(), "10m".into()), ("max-file".into(), "2".into())]);
        let host = HostConfig {
            network_mode: Some(network_id.to_owned()),
            port_bindings: port.map(|port| HashMap::from([(exposed.clone(), Some(vec![binding(port)]))])),
            mounts: Some(vec![data]),
            cap_drop: Some(vec!["ALL".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            readonly_rootfs: Some(true),
            // The limit of open files stays the engine's: one without all rights (rootless, in a container) may not
            // raise it, and does not start a container that asks for it.
            pids_limit: Some(THREADS_MAX),
            // A member that comes back by itself would hide what a fault did to it.
            restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
            log_config: Some(HostConfigLogConfig { typ: Some("json-file".into()), config: Some(rotation) }),
            ..Default::default()
        };
        let arm = matches!(engine.architecture(), "aarch64" | "arm64");
        let body = ContainerCreateBody {
            hostname: Some(member.to_owned()),
            // Its own root without any capability: the data's volume belongs to root, whatever the image says.
            user: Some("0:0".into()),
            image: Some(self.image.name.clone()),
            entrypoint: Some(vec!["etcd".into()]),
            cmd: Some(flags(&self.spec.naming, member, self.spec.nodes, &self.made_in)),
            // etcd before 3.5 refuses to run on ARM without being told so.
            env: arm.then(|| vec!["ETCD_UNSUPPORTED_ARCH=arm64".into()]),
            // The recorder asks the members itself; a check that starts a program every few seconds is load.
            healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..Default::default() }),
            exposed_ports: Some(vec![exposed.clone()]),
            labels: Some(self.labels("member")),
            host_config: Some(host),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(member).build();
        match engine.call(engine.docker.create_container(Some(options), body)).await {
            Ok(created) => Ok(created.id),
            Err(failure) => {
                let taken = if failure.is_conflict() { engine.name_conflict(member).await? } else { None };
                Err(taken.unwrap_or_else(|| engine.explain(&format!("to make container {member}"), &failure)))
            }
        }
    }

    async fn start_failure(&self, engine: &Engine, member: &str, port: HostPort, failure: &Failure) -> Error {
        let message = failure.message();
        if let Some(error) = engine.explain_port_taken(member, port, message).await {
            return error;
        }
        if message.contains("executable file not found") || message.contains("no such file or directory") {
            return Error::environment(format!(
                "container {member} cannot be started: image {} has no etcd on its PATH ({message}); name another image \
                 with --image",
                self.image.name
            ));
        }
        engine.explain(&format!("to start container {member}"), failure)
    }

    /// The volume of a member's data. A kept cluster finds it again by its name.
    fn volume(&self, member: &str) -> String {
        if self.spec.kept { format!("laggard-{member}") } else { format!("laggard-{member}-{}", self.made_in) }
    }

    fn labels(&self, role: &str) -> HashMap<String, String> {
        let mut its = self.spec.session.labels();
        its.insert(labels::CLUSTER.into(), self.spec.naming.cluster());
        its.insert(labels::ROLE.into(), role.into());
        its.insert(labels::NODES.into(), self.spec.nodes.to_string());
        its.insert(labels::KEPT.into(), if self.spec.kept { "yes" } else { "no" }.into());
        its.insert(labels::MADE_IN.into(), self.made_in.clone());
        its
    }
}

/// Flags of a member; they are recorded in the manifest.
fn flags(naming: &Naming, member: &str, nodes: u8, token: &str) -> Vec<String> {
    let peer = |index| format!("{0}=http://{0}:{PEER_PORT}", naming.member(index));
    let initial_cluster: Vec<_> = (0..nodes).map(peer).collect();
    vec![
        format!("--name={member}"),
        format!("--data-dir={DATA_DIR}"),
        // All addresses: the one in the private network is not known before, and loopback is for the samplers.
        format!("--listen-client-urls=http://0.0.0.0:{CLIENT_PORT}"),
        format!("--advertise-client-urls=http://{member}:{CLIENT_PORT}"),
        format!("--listen-peer-urls=http://0.0.0.0:{PEER_PORT}"),
        format!("--initial-advertise-peer-urls=http://{member}:{PEER_PORT}"),
        format!("--initial-cluster={}", initial_cluster.join(",")),
        "--initial-cluster-state=new".into(),
        format!("--initial-cluster-token=laggard-{token}"),
        // A run of an hour at full speed writes more than the default quota of 2 GB.
        "--quota-backend-bytes=8589934592".into(),
        "--logger=zap".into(),
        "--log-level=warn".into(),
    ]
}
