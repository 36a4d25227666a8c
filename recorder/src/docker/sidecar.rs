//! Containers of the recorder beside a cluster's: fault holders in members' network namespaces, clients, probes.

use std::collections::{HashMap, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::container::AttachContainerResults;
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, RestartPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::{AttachContainerOptionsBuilder, CreateContainerOptionsBuilder};
// tonic's streams are the ones that bollard returns; this is the trait that reads them.
use tonic::codegen::tokio_stream::StreamExt;

use super::calls::Failure;
use super::session::{SessionLabel, unique};
use super::{Engine, Naming, labels, logs};
use crate::error::{Error, Result};

/// Where a sidecar finds the recorder.
pub const RECORDER_INSIDE: &str = "/usr/local/bin/recorder";
/// Where a sidecar finds [`SidecarSpec::socket_dir`].
pub const SOCKET_DIR_INSIDE: &str = "/run/laggard";

/// How many processes and threads a sidecar may have: a client has some for each processor.
const THREADS_MAX: i64 = 512;
/// How much is remembered of what a sidecar said.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// How long the end of what a sidecar says is waited for.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_millis(500);

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It holds faults in a member's network namespace.
    Sidecar,
    /// It is the cluster's client.
    Client,
    /// It measures, or tries what this engine can do.
    Probe,
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Sidecar, Self::Client, Self::Probe];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Client => "client",
            Self::Probe => "probe",
        }
    }
}

/// What a sidecar's root may do beyond an ordinary user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Change its network namespace: qdiscs, packet filter rules, packet queues.
    NetAdmin,
    /// Open raw sockets, as iptables-legacy does.
    NetRaw,
}

impl Capability {
    /// As the engine names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NetAdmin => "NET_ADMIN",
            Self::NetRaw => "NET_RAW",
        }
    }
}

/// Whose network a sidecar is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SidecarNetwork {
    /// The network namespace of the container of this id.
    Of(String),
    /// An address of its own in the network of this id.
    On(String),
    /// Nothing but its own loopback.
    Alone,
}

/// A sidecar to start.
#[derive(Debug, Clone)]
pub struct SidecarSpec {
    /// Who starts it.
    pub session: SessionLabel,
    /// The cluster it acts in.
    pub cluster: Naming,
    /// What it is for.
    pub role: Role,
    /// Whose network it is in.
    pub network: SidecarNetwork,
    /// What its root may do; nothing else.
    pub capabilities: Vec<Capability>,
    /// The recorder's program on this machine; the sidecar has it at [`RECORDER_INSIDE`].
    pub executable: PathBuf,
    /// A folder of this machine for sockets; the sidecar has it at [`SOCKET_DIR_INSIDE`]. Its root has no right to pass
    /// over modes, but is put into the folder's group: the folder needs mode 0770, and its sockets 0660.
    pub socket_dir: Option<PathBuf>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its image: [`super::image::TOOLS_IMAGE`].
    pub image: String,
}

/// A sidecar that was started. It is removed by the engine when its program ends, and by [`Engine::remove_sidecar`].
#[derive(Debug)]
pub struct Sidecar {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    output: Arc<Mutex<VecDeque<u8>>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Sidecar {
    /// The end of what it said, for the end of a message. The engine removes a sidecar that ended together with its log,
    /// so this is what was heard of it; call it when it ended, or is about to.
    pub async fn last_words(&mut self, count: usize) -> String {
        if !self.listening.is_finished() {
            // Its last words may still be under way.
            let _ = tokio::time::timeout(LAST_WORDS_TIMEOUT, &mut self.listening).await;
        }
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = output.iter().copied().collect();
        logs::quoted(&String::from_utf8_lossy(&bytes), count)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Engine {
    /// Starts a sidecar. When that fails, nothing of it remains.
    ///
    /// # Errors
    /// [`Error::Environment`] when its image is missing, the member whose network it shares does not run, this machine's
    /// files cannot be lent to it, or the engine refuses or does not answer.
    pub async fn start_sidecar(&self, spec: &SidecarSpec) -> Result<Sidecar> {
        let made_in = unique();
        let name = format!("laggard-{}-{}-{made_in}", spec.role.name(), spec.cluster.cluster());
        if self.image_id(&spec.image).await?.is_none() {
            return Err(Error::environment(format!(
                "image {} is not on the Docker engine; `make images` builds it from Debian packages",
                spec.image
            )));
        }
        let body = self.sidecar_body(spec, made_in)?;
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let created = self.call(self.docker.create_container(Some(options), body)).await;
        let id = created.map_err(|failure| self.explain_sidecar(spec, "to make", &name, &failure))?.id;
        match self.attach_and_start(spec, &name, &id).await {
            Ok((output, listening)) => Ok(Sidecar { name, id, output, listening }),
            Err(error) => {
                // The first error is the one that matters.
                let _ = self.remove_container(&id).await;
                Err(error)
            }
        }
    }

    /// Ends and removes a sidecar; it may have ended already.
    ///
    /// # Errors
    /// [`Error::Environment`] when the engine refuses or does not answer.
    pub async fn remove_sidecar(&self, sidecar: &Sidecar) -> Result<()> {
        self.remove_container(&sidecar.id).await
    }

    /// Listens before it starts, so that nothing of what it says is missed.
    async fn attach_and_start(
        &self,
        spec: &SidecarSpec,
        name: &str,
        id: &str,
    ) -> Result<(Arc<Mutex<VecDeque<u8>>>, tokio::task::JoinHandle<()>)> {
        let options = AttachContainerOptionsBuilder::new().stream(true).stdout(true).stderr(true).build();
        let attached = self.docker.attach_container(id, Some(options));
        let attached = self.call_to(&format!("to listen to container {name}"), attached).await?;
        let output = Arc::new(Mutex::new(VecDeque::new()));
        let listening = tokio::spawn(listen(attached, Arc::clone(&output)));
        match self.call(self.docker.start_container(id, None)).await {
            Ok(()) => Ok((output, listening)),
            Err(failure) => {
                listening.abort();
                Err(self.explain_sidecar(spec, "to start", name, &failure))
            }
        }
    }

    fn sidecar_body(&self, spec: &SidecarSpec, made_in: String) -> Result<ContainerCreateBody> {
        let mut its = spec.session.labels();
        its.insert(labels::CLUSTER.into(), spec.cluster.cluster());
        its.insert(labels::ROLE.into(), spec.role.name().into());
        its.insert(labels::KEPT.into(), "no".into());
        its.insert(labels::MADE_IN.into(), made_in);
        let mut mounts = vec![lent(&spec.executable, RECORDER_INSIDE, true)?];
        let mut groups = None;
        if let Some(folder) = &spec.socket_dir {
            mounts.push(lent(folder, SOCKET_DIR_INSIDE, false)?);
            let group = std::fs::metadata(folder).map_err(|error| unreadable(folder, &error))?.gid();
            groups = Some(vec![group.to_string()]);
        }
        let mut security = vec!["no-new-privileges".to_owned()];
        if self.has_selinux() {
            // Otherwise the two lent files would have to be relabelled for all of this machine.
            security.push("label=disable".into());
        }
        let host = HostConfig {
            network_mode: Some(match &spec.network {
                SidecarNetwork::Of(container) => format!("container:{container}"),
                SidecarNetwork::On(network) => network.clone(),
                SidecarNetwork::Alone => "none".into(),
            }),
            cap_drop: Some(vec!["ALL".into()]),
            cap_add: Some(spec.capabilities.iter().map(|capability| capability.name().to_owned()).collect()),
            group_add: groups,
            security_opt: Some(security),
            readonly_rootfs: Some(true),
            // iptables locks a file there.
            tmpfs: Some(HashMap::from([("/run".into(), "rw,nosuid,nodev,noexec,size=1m".into())])),
            mounts: Some(mounts),
            pids_limit: Some(THREADS_MAX),
            auto_remove: Some(true),
            restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
            ..Default::default()
        };
        let (program, arguments) =
            spec.command.split_first().map_or((RECORDER_INSIDE, &[][..]), |(program, rest)| (program.as_str(), rest));
        Ok(ContainerCreateBody {
            user: Some("0:0".into()),
            image: Some(spec.image.clone()),
            entrypoint: Some(vec![program.to_owned()]),
            cmd: Some(arguments.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            labels: Some(its),
            host_config: Some(host),
            ..Default::default()
        })
    }

    fn explain_sidecar(&self, spec: &SidecarSpec, what: &str, name: &str, failure: &Failure) -> Error {
        let message = failure.message();
        if message.contains("bind source path does not exist") {
            return Error::environment(format!(
                "the Docker engine at {} does not see this machine's files ({message}); it must run on this machine, not \
                 in a virtual machine or in another container",
                self.socket()
            ));
        }
        if let SidecarNetwork::Of(member) = &spec.network
            && (failure.is_not_found() || failure.is_conflict() || message.contains("non running container"))
        {
            return Error::environment(format!(
                "container {member}, whose network {name} was to share, does not run (any more): {message}; see docker ps \
                 --all, and start it"
            ));
        }
        self.explain(&format!("{what} container {name}"), failure)
    }
}

/// Remembers the end of what a container says, until it ends.
async fn listen(mut attached: AttachContainerResults, output: Arc<Mutex<VecDeque<u8>>>) {
    while let Some(Ok(piece)) = attached.output.next().await {
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        output.extend(piece.into_bytes());
        let excess = output.len().saturating_sub(OUTPUT_BYTES_MAX);
        output.drain(..excess);
    }
}

/// A file or folder of this machine inside a container.
fn lent(path: &Path, inside: &str, read_only: bool) -> Result<Mount> {
    let path = path.canonicalize().map_err(|error| unreadable(path, &error))?;
    let path = path.into_os_string().into_string().map_err(|path| {
        Error::environment(format!(
            "{}: is not UTF-8, which the Docker engine needs; move it",
            Path::new(&path).display()
        ))
    })?;
    Ok(Mount {
        typ: Some(MountType::BIND),
        source: Some(path),
        target: Some(inside.into()),
        read_only: Some(read_only),
        ..Default::default()
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::environment(format!("{}: cannot be lent to a container: {error}", path.display()))
}
