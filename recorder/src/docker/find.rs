//! Finding a cluster by the names of its containers, whoever made it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bollard::models::{ContainerInspectResponse, PortBinding};
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::naming::MEMBERS_MIN;
use super::state::ContainerState;
use super::{Engine, Naming, labels};
use crate::cluster::etcd::{CLIENT_PORT, PEER_PORT};
use crate::error::{Error, Result};

/// Labels by which docker-compose says where a container comes from.
const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_FOLDER: &str = "com.docker.compose.project.working_dir";

/// Networks of the engine itself, in which containers have no names or no addresses of their own.
const NETWORKS_WITHOUT_ADDRESSES: [&str; 2] = ["host", "none"];

/// A cluster whose members all run.
#[derive(Debug, Clone)]
pub struct FoundCluster {
    /// How its members are named.
    pub naming: Naming,
    /// Its members, in the order of their numbers.
    pub members: Vec<MemberContainer>,
    /// The network that all of them are in.
    pub network: String,
    /// That network's id; names of networks need not be unique.
    pub network_id: String,
    /// Whether a recorder made it. What others made is left running.
    pub made_by_us: bool,
    /// The first member's image, as it was asked for.
    pub image: String,
    /// The id of that image.
    pub image_id: String,
    /// What tells everything that was made together with the first member; none for what others made.
    pub made_in: Option<String>,
    /// Why that image, when it was chosen for this cluster and not asked for.
    pub image_note: Option<String>,
    /// Arguments of the first member's program.
    pub flags: Vec<String>,
    /// `ETCD_...=...` of the first member, which say what flags do not.
    pub environment: Vec<String>,
}

/// A member's container.
#[derive(Debug, Clone)]
pub struct MemberContainer {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its address in the cluster's network.
    pub address: Ipv4Addr,
    /// Where the host reaches its client port, when it is published.
    pub published_client: Option<SocketAddr>,
    /// Where the host reaches its peer port, when it is published.
    pub published_peer: Option<SocketAddr>,
    /// What it does.
    pub state: ContainerState,
    /// What is mounted in it: `kind source -> destination`.
    pub mounts: Vec<String>,
}

/// A container with a member's name, running or not.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Whether a recorder made it.
    pub made_by_us: bool,
    /// Its image, as it was asked for.
    pub image: String,
    /// What it does.
    pub state: ContainerState,
    /// Where its client port is published.
    pub published_client: Option<SocketAddr>,
    inspected: ContainerInspectResponse,
}

impl Listed {
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        labels_of(&self.inspected)?.get(key).map(String::as_str)
    }

    /// Name of the session that made it, when a recorder did.
    pub fn session(&self) -> Option<&str> {
        self.label(labels::SESSION).filter(|_| self.made_by_us)
    }

    /// How whoever made it removes it.
    pub(super) fn remover(&self) -> String {
        match (self.made_by_us, self.label(COMPOSE_PROJECT), self.label(COMPOSE_FOLDER)) {
            (true, ..) => "recorder down".into(),
            (false, Some(project), Some(folder)) => {
                format!("docker-compose --project-name {project} down, in {folder},")
            }
            (false, Some(project), None) => format!("docker-compose --project-name {project} down"),
            (false, None, _) => format!("docker rm --force {}", self.name),
        }
    }
}

impl Engine {
    /// The containers that have names of `names`, in order, whether they run or not.
    ///
    /// # Errors
    /// [`Error::Environment`] when the engine does not answer.
    pub async fn list(&self, names: &Naming) -> Result<Vec<Listed>> {
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let all = self.call_to("for its containers", self.docker.list_containers(Some(options))).await?;
        let mut found = BTreeMap::new();
        for container in all {
            let its_names = container.names.unwrap_or_default();
            let index = its_names.iter().find_map(|name| names.index_of(name.trim_start_matches('/')));
            if let (Some(index), Some(id)) = (index, container.id)
                && let Some(inspected) = self.inspect(&id).await?
            {
                found.insert(index, listed(names.member(index), inspected));
            }
        }
        Ok(found.into_values().collect())
    }

    /// A cluster whose containers have names of `names`: `None` when there is none of them.
    ///
    /// # Errors
    /// [`Error::Environment`] when only some are there or run, when faults cannot be kept to one of them, or when the
    /// engine does not answer.
    pub async fn find_cluster(&self, names: &Naming) -> Result<Option<FoundCluster>> {
        let listed = self.list(names).await?;
        if listed.is_empty() {
            return Ok(None);
        }
        check_complete(names, &listed)?;
        check_running(&listed)?;
        cluster_of(names, &listed).map(Some)
    }

    /// Those containers with names of `names` that run, as far as they make a cluster, and those that do not; `None` when there is none at
    /// all.
    ///
    /// # Errors
    /// [`Error::Environment`] when those that run have no network in common, or when the engine does not answer.
    pub async fn find_members(&self, names: &Naming) -> Result<Option<(Option<FoundCluster>, Vec<Listed>)>> {
        let listed = self.list(names).await?;
        if listed.is_empty() {
            return Ok(None);
        }
        let (running, idle): (Vec<_>, Vec<_>) = listed.into_iter().partition(|member| member.state.is_running());
        let cluster = if running.is_empty() { None } else { Some(cluster_of(names, &running)?) };
        Ok(Some((cluster, idle)))
    }

    /// Removes what was made together with a cluster, its data too, and nothing else.
    ///
    /// # Errors
    /// [`Error::Environment`] when the engine refuses or does not answer.
    pub async fn remove_made(&self, cluster: &FoundCluster) -> Result<()> {
        let Some(made_in) = &cluster.made_in else { return Ok(()) };
        self.remove_labelled(&[labels::is(labels::MADE_IN, made_in)], true).await.map(drop)
    }

    /// Everything about a container; `None` when there is none.
    pub(super) async fn inspect(&self, container: &str) -> Result<Option<ContainerInspectResponse>> {
        match self.call(self.docker.inspect_container(container, None)).await {
            Ok(inspected) => Ok(Some(inspected)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(self.explain(&format!("about container {container}"), &failure)),
        }
    }
}

/// The cluster of these containers, of which there is at least one.
fn cluster_of(names: &Naming, listed: &[Listed]) -> Result<FoundCluster> {
    let first = &listed[0];
    let (network, network_id) = common_network(listed)?;
    let config = first.inspected.config.clone().unwrap_or_default();
    let environment = config.env.unwrap_or_default();
    let members = listed.iter().map(|member| member_of(member, &network)).collect::<Result<_>>()?;
    Ok(FoundCluster {
        naming: names.clone(),
        members,
        network,
        network_id,
        made_by_us: listed.iter().all(|member| member.made_by_us),
        image: first.image.clone(),
        image_id: first.inspected.image.clone().unwrap_or_default(),
        made_in: first.label(labels::MADE_IN).map(str::to_owned),
        image_note: None,
        flags: first.inspected.args.clone().unwrap_or_default(),
        environment: environment.into_iter().filter(|variable| variable.starts_with("ETCD_")).collect(),
    })
}

fn listed(name: String, inspected: ContainerInspectResponse) -> Listed {
    let made_by_us =
        labels_of(&inspected).and_then(|its| its.get(labels::MADE_BY)).is_some_and(|maker| maker == labels::RECORDER);
    Listed {
        name,
        id: inspected.id.clone().unwrap_or_default(),
        made_by_us,
        image: inspected.config.as_ref().and_then(|config| config.image.clone()).unwrap_or_default(),
        state: ContainerState::of(&inspected),
        published_client: published(&inspected, CLIENT_PORT),
        inspected,
    }
}

fn labels_of(container: &ContainerInspectResponse) -> Option<&HashMap<String, String>> {
    container.config.as_ref()?.labels.as_ref()
}

/// Where the host reaches a port of a container.
fn published(container: &ContainerInspectResponse, port: u16) -> Option<SocketAddr> {
    let ports = container.network_settings.as_ref()?.ports.as_ref()?;
    let bindings = ports.get(&format!("{port}/tcp"))?.as_ref()?;
    let address = |binding: &PortBinding| {
        let port: u16 = binding.host_port.as_ref()?.parse().ok()?;
        let ip: IpAddr = match binding.host_ip.as_deref() {
            // Published on all addresses is published on loopback too.
            None | Some("" | "0.0.0.0") => Ipv4Addr::LOCALHOST.into(),
            Some("::") => std::net::Ipv6Addr::LOCALHOST.into(),
            Some(ip) => ip.parse().ok()?,
        };
        Some(SocketAddr::new(ip, port))
    };
    let mut addresses: Vec<_> = bindings.iter().filter_map(address).collect();
    addresses.sort_by_key(|address| !address.is_ipv4());
    addresses.first().copied()
}

fn check_complete(names: &Naming, listed: &[Listed]) -> Result<()> {
    let present: BTreeSet<u8> = listed.iter().filter_map(|member| names.index_of(&member.name)).collect();
    let highest = present.last().map_or(0, |index| index + 1);
    let said = listed.iter().filter_map(|member| said_size(&member.inspected)).max();
    let expected = highest.max(said.unwrap_or(MEMBERS_MIN));
    let missing: Vec<_> =
        (0..expected).filter(|index| !present.contains(index)).map(|index| names.member(index)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let there: Vec<_> = listed.iter().map(|member| member.name.as_str()).collect();
    Err(Error::environment(format!(
        "there is a container {}, but none named {}, so this is no whole cluster; remove what is there ({}), or use \
         --cluster sandbox",
        there.join(", "),
        missing.join(", "),
        listed[0].remover()
    )))
}

/// How many members a member says its cluster has: in a label of ours, or in etcd's own configuration.
fn said_size(container: &ContainerInspectResponse) -> Option<u8> {
    let label = labels_of(container).and_then(|its| its.get(labels::NODES)).and_then(|count| count.parse().ok());
    if label.is_some() {
        return label;
    }
    let config = container.config.as_ref();
    let variables = config.and_then(|config| config.env.as_deref()).unwrap_or_default();
    let arguments = container.args.as_deref().unwrap_or_default();
    // A shell's whole command line is one argument.
    let mut words = arguments.iter().flat_map(|argument| argument.split_whitespace());
    let mut from_flag = None;
    while let Some(word) = words.next() {
        if word.trim_start_matches('-') == "initial-cluster" {
            from_flag = words.next();
        } else if let Some((_, value)) = word.split_once("-initial-cluster=") {
            from_flag = Some(value);
        }
    }
    let from_variable = variables.iter().find_map(|variable| variable.strip_prefix("ETCD_INITIAL_CLUSTER="));
    let members = from_flag.or(from_variable)?;
    u8::try_from(members.split(',').filter(|member| member.contains('=')).count()).ok().filter(|count| *count > 0)
}

fn check_running(listed: &[Listed]) -> Result<()> {
    let idle: Vec<_> = listed.iter().filter(|member| !member.state.is_running()).collect();
    let Some(one) = idle.first() else { return Ok(()) };
    let what: Vec<_> = idle.iter().map(|member| format!("{} {}", member.name, member.state)).collect();
    let names: Vec<_> = idle.iter().map(|member| member.name.as_str()).collect();
    let verb = if idle.iter().all(|member| member.state.status == super::Status::Paused) { "unpause" } else { "start" };
    Err(Error::environment(format!(
        "container {}; start it (docker {verb} {}), or remove the whole cluster ({})",
        what.join(", "),
        names.join(" "),
        one.remover()
    )))
}

/// The network that all members have an address in; of several, the first by name.
fn common_network(listed: &[Listed]) -> Result<(String, String)> {
    let networks = |member: &Listed| -> BTreeMap<String, String> {
        let settings = member.inspected.network_settings.clone().unwrap_or_default();
        let all = settings.networks.unwrap_or_default().into_iter();
        all.filter(|(name, endpoint)| {
            !NETWORKS_WITHOUT_ADDRESSES.contains(&name.as_str())
                && endpoint.ip_address.as_ref().is_some_and(|address| address.parse::<Ipv4Addr>().is_ok())
        })
        .map(|(name, endpoint)| (name, endpoint.network_id.unwrap_or_default()))
        .collect()
    };
    let mut common = networks(&listed[0]);
    for member in &listed[1..] {
        let its = networks(member);
        common.retain(|name, _| its.contains_key(name));
    }
    common.into_iter().next().ok_or_else(|| {
        Error::environment(format!(
            "containers {} have no network with IPv4 addresses in common (network_mode: host?), so a fault cannot be kept \
             to one of them; put them into one network, as compose/docker-compose-etcd.yml does",
            listed.iter().map(|member| member.name.as_str()).collect::<Vec<_>>().join(", ")
        ))
    })
}

fn member_of(listed: &Listed, network: &str) -> Result<MemberContainer> {
    let container = &listed.inspected;
    let settings = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    let endpoint = settings.and_then(|networks| networks.get(network));
    let address = endpoint.and_then(|endpoint| endpoint.ip_address.as_ref()?.parse().ok());
    let mounts = container.mounts.as_deref().unwrap_or_default();
    let mounts = mounts.iter().map(|mount| {
        let kind = mount.typ.clone().unwrap_or_default();
        let source = mount.name.as_ref().or(mount.source.as_ref());
        format!(
            "{kind} {} -> {}",
            source.map(String::as_str).unwrap_or_default(),
            mount.destination.as_deref().unwrap_or_default()
        )
    });
    Ok(MemberContainer {
        name: listed.name.clone(),
        id: listed.id.clone(),
        address: address.ok_or_else(|| {
            Error::environment(format!(
                "container {} has no address in network {network} (any more); see docker logs {}",
                listed.name, listed.name
            ))
        })?,
        published_client: published(container, CLIENT_PORT),
        published_peer: published(container, PEER_PORT),
        state: listed.state.clone(),
        mounts: mounts.collect(),
    })
}

#[cfg(test)]
mod tests {
    use bollard::models::ContainerConfig;

    use super::*;

    fn container(arguments: &[&str], variables: &[&str]) -> ContainerInspectResponse {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        ContainerInspectResponse {
            args: Some(owned(arguments)),
            config: Some(ContainerConfig { env: Some(owned(variables)), ..Default::default() }),
            ..Default::default()
        }
    }

    #[test]
    fn the_size_of_a_cluster_is_read_from_its_configuration() {
        let three = "etcd0=http://etcd0:2380,etcd1=http://etcd1:2380,etcd2=http://etcd2:2380";
        let joined = format!("--initial-cluster={three}");
        assert_eq!(said_size(&container(&[&joined], &[])), Some(3));
        assert_eq!(said_size(&container(&["-initial-cluster", three], &[])), Some(3));
        assert_eq!(said_size(&container(&["-c", &format!("exec etcd {joined}")], &[])), Some(3));
        assert_eq!(said_size(&container(&[], &[&format!("ETCD_INITIAL_CLUSTER={three}")])), Some(3));
        assert_eq!(said_size(&container(&["--initial-cluster-state=new"], &["ETCD_INITIAL_CLUSTER_TOKEN=a=b"])), None);
    }
}
