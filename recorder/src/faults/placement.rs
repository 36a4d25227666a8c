//! Where the pieces of a fault go: which holder gets which packets to catch, for each mechanism and kind of cluster.
//!
//! netem sits in the target's own namespace, where the older scripts had it. The queue shaper must not hold packets where
//! they are sent (TCP counts them as still in the sender's hands and sends no more), so it holds them on their way: in
//! the sandbox's router, or, between containers, where they arrive.

use std::net::Ipv4Addr;

use run_folder::spec::{ClientPlace, Direction, Effect, FaultSpec, Scope, Target};

use super::Mechanism;
use super::protocol::{Hook, Selector, Way};
use super::target;
use crate::cluster::etcd::{CLIENT_PORT, PEER_PORT};
use crate::cluster::{Cluster, Member};
use crate::error::{Error, Result};

/// Where a fault holder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Site {
    /// In the sandbox's router.
    Router,
    /// In a member's network namespace.
    Member(usize),
    /// In the clients' own.
    Client,
}

/// Places at which a fault of this run may have to be held, before it is known whom it will hit.
///
/// # Errors
/// [`Error::Usage`] for a fault that cannot be placed on this cluster.
pub fn possible_sites(
    fault: &FaultSpec,
    mechanism: Mechanism,
    cluster: &Cluster,
    client: &ClientPlace,
) -> Result<Vec<Site>> {
    let members = (0..cluster.members.len()).map(Site::Member);
    match mechanism {
        Mechanism::Netem => Ok(match &fault.target {
            Target::Member(name) => members
                .filter(|site| matches!(site, Site::Member(index) if cluster.members[*index].name == *name))
                .collect(),
            Target::Leader | Target::Follower | Target::All => members.collect(),
        }),
        Mechanism::Queue if !cluster.is_containers() => Ok(vec![Site::Router]),
        Mechanism::Queue => {
            check_client(fault, mechanism, client)?;
            // In a member's namespace there is a holder anyway.
            let client = (holds_at_client(fault) && *client == ClientPlace::Own).then_some(Site::Client);
            Ok(members.chain(client).collect())
        }
    }
}

const UNREACHABLE_CLIENT: &str = "the queue shaper holds what a container sends where it arrives, and nothing may be held on the host: \
     give the clients a container of their own (--client-at own), or slow only the traffic between members (--scope peers)";

/// Refuses clients of containers that a mechanism cannot keep packets from.
///
/// # Errors
/// [`Error::Usage`] with where else they may be.
pub fn check_client(fault: &FaultSpec, mechanism: Mechanism, client: &ClientPlace) -> Result<()> {
    match mechanism == Mechanism::Queue && holds_at_client(fault) && *client == ClientPlace::Host {
        true => Err(Error::usage(UNREACHABLE_CLIENT)),
        false => Ok(()),
    }
}

/// Whether packets to clients must be held where the clients are.
fn holds_at_client(fault: &FaultSpec) -> bool {
    fault.direction != Direction::Ingress && fault.scope != Scope::Peers && fault.peer.is_none()
}

/// Who is hit.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    /// The members that are.
    pub targets: &'a [usize],
    /// The only other end of what is hit, if it is only one.
    pub peer: Option<usize>,
}

/// The packets that each holder is to catch; holders that have none are left out.
pub fn place(
    fault: &FaultSpec,
    mechanism: Mechanism,
    sites: &[Site],
    hit: Hit<'_>,
    cluster: &Cluster,
) -> Vec<(Site, Vec<Selector>)> {
    let addresses: Vec<Ipv4Addr> = cluster.members.iter().map(Member::address).collect();
    let selectors_at = |site: Site| -> Vec<Selector> {
        let of_target = |target: &usize| {
            let target = *target;
            let hook = move |way| hook(mechanism, site, target, hit.peer, way);
            ways(fault.direction).iter().filter_map(move |way| Some((target, *way, hook(*way)?)))
        };
        let selector = |(member, way, hook): (usize, Way, Hook)| Selector {
            member,
            address: addresses[member],
            peer: hit.peer.map(|peer| addresses[peer]),
            port: port(fault.scope),
            way,
            hook,
            // The rules of a null fault count packets and leave them alone.
            queued: fault.effect != Effect::Null,
        };
        hit.targets.iter().flat_map(of_target).map(selector).collect()
    };
    let placed = sites.iter().map(|site| (*site, selectors_at(*site)));
    placed.filter(|(_, selectors)| !selectors.is_empty()).collect()
}

/// Where at a site packets of a target are caught; `None` where none of them come by, or somebody else catches them.
fn hook(mechanism: Mechanism, site: Site, target: usize, peer: Option<usize>, way: Way) -> Option<Hook> {
    match (mechanism, site, way) {
        (Mechanism::Netem, _, _) => (site == Site::Member(target)).then_some(Hook::Link),
        // A packet between two slow members pays at both, as it would at two interfaces.
        (Mechanism::Queue, Site::Router, Way::Egress) => Some(Hook::Forward),
        (Mechanism::Queue, Site::Router, Way::Ingress) => Some(Hook::Postrouting),
        (Mechanism::Queue, _, Way::Ingress) => (site == Site::Member(target)).then_some(Hook::Input),
        (Mechanism::Queue, Site::Member(receiver), Way::Egress) => {
            (receiver != target && peer.is_none_or(|peer| peer == receiver)).then_some(Hook::Prerouting)
        }
        (Mechanism::Queue, Site::Client, Way::Egress) => peer.is_none().then_some(Hook::Prerouting),
    }
}

fn ways(direction: Direction) -> &'static [Way] {
    match direction {
        Direction::Egress => &[Way::Egress],
        Direction::Ingress => &[Way::Ingress],
        Direction::Both => &[Way::Egress, Way::Ingress],
    }
}

fn port(scope: Scope) -> Option<u16> {
    match scope {
        Scope::All => None,
        Scope::Peers => Some(PEER_PORT),
        Scope::Clients => Some(CLIENT_PORT),
    }
}

/// Members that `target` means now, and the other end if it is only one.
///
/// # Errors
/// [`Error::Run`] for a link between a member and itself.
pub fn resolve(fault: &FaultSpec, names: &[String], leader: usize) -> Result<(Vec<usize>, Option<usize>)> {
    let targets = target::resolve(&fault.target, names, leader);
    let Some(peer) = &fault.peer else { return Ok((targets, None)) };
    let found = target::resolve_peer(peer, names, leader, targets[0]).ok_or_else(|| {
        let name = &names[targets[0]];
        Error::run(format!("the fault was to hit the link between {name} and itself; choose another --peer"))
    })?;
    Ok((targets, Some(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_caught_once_for_each_slow_end() {
        let hooks =
            |mechanism, site, way| (0..3).map(|target| hook(mechanism, site, target, None, way)).collect::<Vec<_>>();
        let (queue, netem) = (Mechanism::Queue, Mechanism::Netem);
        assert_eq!(hooks(netem, Site::Member(1), Way::Egress), [None, Some(Hook::Link), None]);
        assert_eq!(hooks(queue, Site::Router, Way::Egress), [Some(Hook::Forward); 3]);
        let (arriving, none) = (Some(Hook::Prerouting), None);
        assert_eq!(
            hooks(queue, Site::Member(1), Way::Egress),
            [arriving, none, arriving],
            "where others' packets arrive"
        );
        assert_eq!(hooks(queue, Site::Client, Way::Egress), [arriving; 3]);
        assert_eq!(hooks(queue, Site::Member(1), Way::Ingress), [none, Some(Hook::Input), none]);
        assert_eq!(hook(queue, Site::Member(2), 0, Some(1), Way::Egress), None, "another link than the one asked for");
        assert_eq!(hook(queue, Site::Member(1), 0, Some(1), Way::Egress), arriving);
    }
}
