//! The parts of a run as typed, each turned into its part of the spec.

use run_folder::spec::{
    Attachment, ClientPlace, Direction, Distribution, Effect, FaultSpec, KeyDistribution, MechanismChoice, Mix, Pacing,
    Peer, Scope, Target, WorkloadSpec,
};

use crate::cli::{
    DirectionKind, DistributionKind, FaultKind, KeyDistributionKind, MechanismKind, ScopeKind, SharedOptions,
};
use crate::error::{Error, Result};
use crate::units;

pub(super) const CLOSED_CONCURRENCY: u32 = 16;
pub(super) const OPEN_CONCURRENCY: u32 = 512;
pub(super) const CONCURRENCY_MAX: u32 = 10_000;
pub(super) const CONNECTIONS_MAX: u32 = 1_000;
const KEYS_MAX: u32 = 10_000_000;
pub(super) const DEADLINE_MS_MAX: u64 = 600_000;
/// etcd refuses requests of more than 1.5 MiB; the rest is room for the key and the envelope.
pub(super) const VALUE_BYTES_MAX: u32 = 1_500_000;
pub(crate) const KEY_BYTES_MAX: u32 = 4096;
/// Strengths that mean no fault, whatever its kind.
const NO_FAULT_VALUES: [&str; 6] = ["none", "0", "0us", "0ms", "0s", "0%"];

pub(super) fn effect(
    kind: FaultKind,
    value: Option<&str>,
    value_name: &str,
    shared: &SharedOptions,
) -> Result<Option<Effect>> {
    let jitter_us = shared.jitter.as_ref().map_or(Ok(0), |jitter| units::time_us("--jitter", jitter))?;
    if jitter_us > 0 && kind != FaultKind::Delay {
        return Err(Error::usage("--jitter needs a fault of type delay"));
    }
    let distribution = match shared.distribution {
        DistributionKind::Uniform => Distribution::Uniform,
        DistributionKind::Normal => Distribution::Normal,
        DistributionKind::Pareto => Distribution::Pareto,
        DistributionKind::ParetoNormal => Distribution::ParetoNormal,
    };
    if distribution != Distribution::Uniform && jitter_us == 0 {
        return Err(Error::usage("--distribution is that of --jitter; give that too, as in --jitter 5ms"));
    }
    let missing = |example: &str| Error::usage(format!("{value_name} is missing; give the strength, as in {example}"));
    let no_strength = value.is_some_and(|value| NO_FAULT_VALUES.contains(&value));
    match kind {
        FaultKind::Pass if value.is_none() || no_strength => Ok(Some(Effect::Pass)),
        FaultKind::Null if value.is_none() || no_strength => Ok(Some(Effect::Null)),
        _ if no_strength => Ok(None),
        FaultKind::None => Ok(None),
        FaultKind::Pass | FaultKind::Null => {
            Err(Error::usage(format!("{value_name}: a fault of this kind has no strength; leave it out")))
        }
        FaultKind::Delay => {
            let delay_us = units::time_us(value_name, value.ok_or_else(|| missing("100ms"))?)?;
            if jitter_us > delay_us {
                return Err(Error::usage(format!("--jitter is larger than the delay in {value_name}")));
            }
            Ok((delay_us > 0).then_some(Effect::Delay { delay_us, jitter_us, distribution }))
        }
        FaultKind::Loss => {
            let loss_percent = units::percent(value_name, value.ok_or_else(|| missing("20%"))?)?;
            Ok((loss_percent > 0.0).then_some(Effect::Loss { loss_percent }))
        }
        FaultKind::Rate => {
            let bit_per_s = units::bit_per_s(value_name, value.ok_or_else(|| missing("1mbit"))?)?;
            Ok(Some(Effect::Rate { bit_per_s }))
        }
    }
}

pub(super) fn fault_spec(effect: Effect, target: Target, shared: &SharedOptions) -> Result<FaultSpec> {
    Ok(FaultSpec {
        effect,
        target,
        scope: match shared.scope {
            ScopeKind::All => Scope::All,
            ScopeKind::Peers => Scope::Peers,
            ScopeKind::Clients => Scope::Clients,
        },
        peer: shared.peer.as_ref().map(|peer| parse_peer(peer, shared.nodes)).transpose()?,
        direction: match shared.direction {
            DirectionKind::Egress => Direction::Egress,
            DirectionKind::Ingress => Direction::Ingress,
            DirectionKind::Both => Direction::Both,
        },
        mechanism: match shared.mechanism {
            MechanismKind::Auto => MechanismChoice::Auto,
            MechanismKind::Netem => MechanismChoice::Netem,
            MechanismKind::Queue => MechanismChoice::Queue,
        },
        at_ms: 0,
        for_ms: None,
    })
}

fn parse_peer(text: &str, nodes: u8) -> Result<Peer> {
    match text {
        "leader" => Ok(Peer::Leader),
        "other-follower" => Ok(Peer::OtherFollower),
        name => Ok(Peer::Member(member("--peer", name, nodes)?)),
    }
}

pub(super) fn parse_target(text: &str, nodes: u8) -> Result<Target> {
    match text {
        "leader" => Ok(Target::Leader),
        "follower" => Ok(Target::Follower),
        "all" => Ok(Target::All),
        name => Ok(Target::Member(member("--target", name, nodes)?)),
    }
}

pub(super) fn attachment(shared: &SharedOptions, default: Attachment) -> Result<Attachment> {
    match shared.attach.as_deref() {
        None => Ok(default),
        Some("round-robin") => Ok(Attachment::RoundRobin),
        Some("leader") => Ok(Attachment::Leader),
        Some("target") => Ok(Attachment::Target),
        Some("healthy-follower") => Ok(Attachment::HealthyFollower),
        Some(name) => Ok(Attachment::Member(member("--attach", name, shared.nodes)?)),
    }
}

fn client_place(shared: &SharedOptions) -> Result<ClientPlace> {
    match shared.client_at.as_deref() {
        None => Ok(ClientPlace::Auto),
        Some("host") => Ok(ClientPlace::Host),
        Some("own") => Ok(ClientPlace::Own),
        Some(name) => Ok(ClientPlace::Member(member("--client-at", name, shared.nodes)?)),
    }
}

fn member(option: &str, name: &str, nodes: u8) -> Result<String> {
    let names: Vec<_> = (0..nodes).map(crate::cluster::member_name).collect();
    if names.iter().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    Err(Error::usage(format!("{option}: there is no member {name:?}; the members are {}", names.join(", "))))
}

pub(super) fn workload(pacing: Pacing, attachment: Attachment, shared: &SharedOptions) -> Result<WorkloadSpec> {
    let concurrency = shared.concurrency.unwrap_or(match pacing {
        Pacing::Closed => CLOSED_CONCURRENCY,
        Pacing::Even | Pacing::Constant | Pacing::Poisson => OPEN_CONCURRENCY,
    });
    in_range("--concurrency", concurrency, 1, CONCURRENCY_MAX)?;
    in_range("--connections", shared.connections, 1, CONNECTIONS_MAX)?;
    in_range("--keys", shared.keys, 1, KEYS_MAX)?;
    // A key is its number, padded with zeros; it must fit.
    let digits = (shared.keys - 1).max(1).ilog10() + 1;
    in_range("--key-size", shared.key_size, digits, KEY_BYTES_MAX)?;
    in_range("--value-size", shared.value_size, 0, VALUE_BYTES_MAX)?;
    let deadline_ms = units::seconds_ms("--deadline", &shared.deadline)?;
    if !(1..=DEADLINE_MS_MAX).contains(&deadline_ms) {
        return Err(Error::usage("--deadline must be longer than 0 and at most 10 minutes"));
    }
    Ok(WorkloadSpec {
        pacing,
        duration_ms: None,
        operations: None,
        concurrency,
        mix: mix(&shared.mix)?,
        rate_per_s: None,
        load: None,
        connections: shared.connections,
        keys: shared.keys,
        key_distribution: match shared.key_distribution {
            KeyDistributionKind::Uniform => KeyDistribution::Uniform,
            KeyDistributionKind::Sequential => KeyDistribution::Sequential,
            KeyDistributionKind::Zipfian => KeyDistribution::Zipfian,
        },
        key_bytes: shared.key_size,
        key_prefix: String::new(),
        filled: false,
        value_bytes: shared.value_size,
        deadline_ms,
        warm_up_ms: units::seconds_ms("--warm-up", &shared.warm_up)?,
        attachment,
        client_at: client_place(shared)?,
    })
}

pub(super) fn in_range(option: &str, value: u32, min: u32, max: u32) -> Result<()> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Error::usage(format!("{option} is {value}; it must be between {min} and {max}")))
}

pub(super) fn mix(text: &str) -> Result<Mix> {
    let mut mix = Mix::default();
    for part in text.split(',') {
        let (kind, weight) = part.trim().split_once('=').unwrap_or((part.trim(), "1"));
        let weight: u32 = weight
            .parse()
            .ok()
            .filter(|weight| *weight <= 1_000_000)
            .ok_or_else(|| Error::usage(format!("--mix: {weight:?} is not a weight from 0 to 1000000")))?;
        let slot = match kind {
            "put" => &mut mix.put,
            "get" => &mut mix.get,
            "get_serializable" => &mut mix.get_serializable,
            "txn" => &mut mix.txn,
            "delete" => &mut mix.delete,
            _ => {
                return Err(Error::usage(format!(
                    "--mix: there is no kind {kind:?}; the kinds are put, get, get_serializable, txn, delete"
                )));
            }
        };
        if std::mem::replace(slot, weight) != 0 {
            return Err(Error::usage(format!("--mix: {kind} is there twice")));
        }
    }
    if mix == Mix::default() {
        return Err(Error::usage("--mix: all weights are 0"));
    }
    Ok(mix)
}
