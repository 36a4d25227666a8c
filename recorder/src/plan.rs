//! From what was typed to what is run: clap types become a validated [`RunSpec`], once and with clear errors.

use std::path::PathBuf;

use run_folder::Label;
use run_folder::spec::{
    Attachment, Backend, ClusterSpec, Direction, Effect, FaultSpec, KeyDistribution, MechanismChoice, Mix, Pacing,
    RunSpec, Scope, Target, WorkloadSpec,
};

use crate::cli::{
    DirectionKind, FaultKind, KeyDistributionKind, MechanismKind, PacingKind, RunCommand, ScopeKind, SharedOptions,
    SlowFollowerCommand, SlowLeaderCommand,
};
use crate::error::{Error, Result};
use crate::units;

/// A run and the places that it needs on this machine.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    /// The command that it came from, as in `slow-leader`.
    pub command: &'static str,
    /// What is run.
    pub spec: RunSpec,
    /// Where the run folder goes.
    pub results: PathBuf,
    /// Where the members' data goes instead of beside the run folder.
    pub data_dir: Option<PathBuf>,
    /// The etcd program asked for.
    pub etcd: Option<PathBuf>,
    /// The exact etcd version asked for.
    pub etcd_version: Option<String>,
}

/// Folder beside the run folders, or in `--data-dir`, that holds members' data while runs last.
const DATA_FOLDER: &str = ".laggard-data";

impl PlannedRun {
    /// Folder in which this and other recorders keep members' data, each in a folder of its run's name.
    pub fn data_folder(&self) -> PathBuf {
        self.data_dir.as_ref().unwrap_or(&self.results).join(DATA_FOLDER)
    }
}

/// Length of a slow-leader run whose arguments give none.
const SLOW_LEADER_DEFAULT_MS: u64 = 120_000;
/// Number of puts in a slow-leader run, as in the older script.
const SLOW_LEADER_OPERATIONS: u64 = 10_000;
const RUN_DEFAULT_MS: u64 = 30_000;
const CLOSED_CONCURRENCY: u32 = 16;
const OPEN_CONCURRENCY: u32 = 512;
const CONCURRENCY_MAX: u32 = 10_000;
/// Bounds that keep memory and arithmetic in hand, far beyond what one machine can drive.
const OPERATIONS_MAX: u64 = 10_000_000_000;
const RATE_PER_S_MAX: u64 = 1_000_000;
const RATE_PER_S_MIN: f64 = 0.01;
const KEYS_MAX: u32 = 10_000_000;
const DEADLINE_MS_MAX: u64 = 600_000;
/// What `--target` is when it is not typed.
pub const DEFAULT_TARGET: &str = "follower";
/// Strengths that mean no fault, whatever its kind.
const NO_FAULT_VALUES: [&str; 6] = ["none", "0", "0us", "0ms", "0s", "0%"];
/// etcd refuses requests of more than 1.5 MiB; the rest is room for the key and the envelope.
const VALUE_BYTES_MAX: u32 = 1_500_000;
const KEY_BYTES_MAX: u32 = 4096;

/// Plans `recorder run`.
///
/// # Errors
/// Usage errors that name the option.
pub fn run(typed: &RunCommand) -> Result<PlannedRun> {
    let shared = &typed.shared;
    let duration_ms = match (&typed.duration, typed.operations) {
        (Some(text), _) => Some(units::seconds_ms("--duration", text)?),
        (None, Some(_)) if typed.rate.is_none() => None,
        (None, _) => Some(RUN_DEFAULT_MS),
    };
    if duration_ms == Some(0) {
        return Err(Error::usage("--duration is 0; give the length of the run, as in 30s"));
    }
    if typed.operations.is_some_and(|operations| !(1..=OPERATIONS_MAX).contains(&operations)) {
        return Err(Error::usage(format!("--operations must be between 1 and {OPERATIONS_MAX}")));
    }
    let pacing = match (typed.pacing, typed.rate) {
        (None | Some(PacingKind::Closed), None) => Pacing::Closed,
        (Some(PacingKind::Even), None) => Pacing::Even,
        (None | Some(PacingKind::Constant), Some(_)) => Pacing::Constant,
        (Some(PacingKind::Poisson), Some(_)) => Pacing::Poisson,
        (Some(PacingKind::Constant | PacingKind::Poisson), None) => {
            return Err(Error::usage("--pacing constant and poisson need --rate"));
        }
        (Some(PacingKind::Closed | PacingKind::Even), Some(_)) => {
            return Err(Error::usage("--rate is for --pacing constant or poisson"));
        }
    };
    if let Some(rate) = typed.rate {
        if !(rate >= RATE_PER_S_MIN && rate <= RATE_PER_S_MAX as f64) {
            return Err(Error::usage(format!("--rate must be between {RATE_PER_S_MIN} and {RATE_PER_S_MAX} a second")));
        }
        if typed.operations.is_some() {
            return Err(Error::usage("--operations does not go with --rate; limit the run by --duration"));
        }
    }
    if pacing == Pacing::Even && (typed.operations.is_none() || duration_ms.is_none()) {
        return Err(Error::usage("--pacing even needs both --operations and --duration"));
    }
    if let (Pacing::Even, Some(operations), Some(duration_ms)) = (pacing, typed.operations, duration_ms)
        && operations * 1000 > RATE_PER_S_MAX * duration_ms
    {
        return Err(Error::usage(format!("--operations over --duration is more than {RATE_PER_S_MAX} a second")));
    }
    let fault = match (effect(typed.fault, typed.value.as_deref(), "--value", shared)?, &typed.at, &typed.lasting) {
        (None, at, lasting) => {
            no_fault_options(typed, at.is_some() || lasting.is_some())?;
            None
        }
        (Some(effect), at, lasting) => Some(FaultSpec {
            at_ms: at.as_ref().map_or(Ok(0), |at| units::seconds_ms("--at", at))?,
            for_ms: lasting.as_ref().map(|lasting| units::seconds_ms("--for", lasting)).transpose()?,
            ..fault_spec(effect, parse_target(&typed.target, shared.nodes)?, shared)
        }),
    };
    let attachment = attachment(shared, Attachment::RoundRobin)?;
    let workload = WorkloadSpec {
        pacing,
        duration_ms,
        operations: typed.operations,
        rate_per_s: typed.rate,
        ..workload(pacing, attachment, shared)?
    };
    planned("run", &typed.label, workload, fault, shared, ["--at", "--for", "--duration"])
}

/// Plans `recorder slow-leader`.
///
/// # Errors
/// Usage errors that name the argument.
pub fn slow_leader(typed: &SlowLeaderCommand) -> Result<PlannedRun> {
    let shared = &typed.shared;
    let at_ms = units::seconds_ms("inject_at_seconds", &typed.inject_at_seconds)?;
    let for_ms = units::seconds_ms("duration_seconds", &typed.duration_seconds)?;
    let effect = effect(typed.fault_type, Some(&typed.delay_value), "delay_value", shared)?;
    if effect.is_some() && for_ms == 0 {
        return Err(Error::usage(
            "duration_seconds is 0, so the fault would be lifted at once; give its length, or the fault type none",
        ));
    }
    let fault =
        effect.map(|effect| FaultSpec { at_ms, for_ms: Some(for_ms), ..fault_spec(effect, Target::Leader, shared) });
    let duration_ms = match at_ms + for_ms + at_ms {
        0 => SLOW_LEADER_DEFAULT_MS,
        duration_ms => duration_ms,
    };
    let attachment = attachment(shared, Attachment::RoundRobin)?;
    let workload = WorkloadSpec {
        duration_ms: Some(duration_ms),
        operations: Some(SLOW_LEADER_OPERATIONS),
        ..workload(Pacing::Even, attachment, shared)?
    };
    planned(
        "slow-leader",
        &typed.label,
        workload,
        fault,
        shared,
        ["inject_at_seconds", "duration_seconds", "the run's length"],
    )
}

/// Plans `recorder slow-follower`.
///
/// # Errors
/// Usage errors that name the argument.
pub fn slow_follower(typed: &SlowFollowerCommand) -> Result<PlannedRun> {
    let shared = &typed.shared;
    let duration_ms = units::seconds_ms("duration_s", &typed.duration_s)?;
    if duration_ms == 0 {
        return Err(Error::usage("duration_s is 0; give the length of the run in seconds"));
    }
    let at_ms = units::seconds_ms("inject_at_s", &typed.inject_at_s)?;
    let fault = effect(typed.fault_type, Some(&typed.fault_value), "fault_value", shared)?
        .map(|effect| FaultSpec { at_ms, ..fault_spec(effect, Target::Follower, shared) });
    let attachment = attachment(shared, Attachment::Target)?;
    let workload = WorkloadSpec { duration_ms: Some(duration_ms), ..workload(Pacing::Closed, attachment, shared)? };
    planned("slow-follower", &typed.label, workload, fault, shared, ["inject_at_s", "the window", "duration_s"])
}

/// Joins the parts and checks what only the whole can show. `names` are what the user typed for the fault's start,
/// its length and the run's length.
fn planned(
    command: &'static str,
    label: &Label,
    workload: WorkloadSpec,
    fault: Option<FaultSpec>,
    shared: &SharedOptions,
    names: [&str; 3],
) -> Result<PlannedRun> {
    if let (Some(fault), Some(duration_ms)) = (&fault, workload.duration_ms) {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        if fault.at_ms >= duration_ms {
            return Err(Error::usage(format!(
                "{}: the fault would begin at {} s, past the end of the run ({} is {} s)",
                names[0],
                seconds(fault.at_ms),
                names[2],
                seconds(duration_ms)
            )));
        }
        if fault.for_ms.is_some_and(|for_ms| fault.at_ms + for_ms > duration_ms) {
            return Err(Error::usage(format!(
                "{}: the fault would end past the end of the run ({} is {} s)",
                names[1],
                names[2],
                seconds(duration_ms)
            )));
        }
    }
    if let Some(FaultSpec { for_ms: Some(for_ms), effect, .. }) = &fault {
        if *for_ms == 0 {
            return Err(Error::usage(format!("{} is 0, so the fault would be lifted at once", names[1])));
        }
        if let Effect::Delay { delay_us, jitter_us } = effect
            && for_ms * 1000 <= delay_us + jitter_us
        {
            return Err(Error::usage(format!(
                "{} is no longer than the delay, so the healing would let every packet go early",
                names[1]
            )));
        }
    }
    if let Some(FaultSpec { target: Target::All, .. }) = &fault
        && workload.attachment == Attachment::HealthyFollower
    {
        return Err(Error::usage("--attach healthy-follower: with --target all there is none"));
    }
    let spec = RunSpec {
        label: label.clone(),
        seed: shared.seed.unwrap_or_else(drawn_seed),
        cluster: ClusterSpec { backend: Backend::Sandbox, nodes: shared.nodes },
        workload,
        fault,
    };
    Ok(PlannedRun {
        command,
        spec,
        results: shared.dir.clone(),
        data_dir: shared.data_dir.clone(),
        etcd: shared.etcd.clone().or_else(etcd_of_environment),
        etcd_version: shared.etcd_version.clone().or_else(etcd_version_of_environment),
    })
}

/// The program that `$ETCD` names; an empty variable names none.
pub fn etcd_of_environment() -> Option<PathBuf> {
    std::env::var_os("ETCD").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The version that `$ETCD_VERSION` asks for; an empty variable asks for none.
pub fn etcd_version_of_environment() -> Option<String> {
    std::env::var("ETCD_VERSION").ok().filter(|version| !version.is_empty())
}

/// A seed for a run that was given none: 32 bits, so that people can type it again.
fn drawn_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos() ^ (now.as_secs() as u32).rotate_left(16) ^ std::process::id())
}

/// Refuses what only means something with a fault, in a run that has none.
fn no_fault_options(typed: &RunCommand, has_window: bool) -> Result<()> {
    if typed.fault == FaultKind::None && (has_window || typed.value.is_some()) {
        return Err(Error::usage("--value, --at and --for need a fault; add --fault delay --value 100ms"));
    }
    if typed.target != DEFAULT_TARGET && typed.shared.attach.as_deref() == Some("target") {
        return Err(Error::usage(
            "--attach target without a fault means the follower that would be hit by default; \
             name other members by --attach leader or --attach etcd2",
        ));
    }
    Ok(())
}

fn effect(kind: FaultKind, value: Option<&str>, value_name: &str, shared: &SharedOptions) -> Result<Option<Effect>> {
    let jitter_us = shared.jitter.as_ref().map_or(Ok(0), |jitter| units::time_us("--jitter", jitter))?;
    if jitter_us > 0 && kind != FaultKind::Delay {
        return Err(Error::usage("--jitter needs a fault of type delay"));
    }
    let missing = |example: &str| Error::usage(format!("{value_name} is missing; give the strength, as in {example}"));
    if value.is_some_and(|value| NO_FAULT_VALUES.contains(&value)) {
        return Ok(None);
    }
    match kind {
        FaultKind::None => Ok(None),
        FaultKind::Delay => {
            let delay_us = units::time_us(value_name, value.ok_or_else(|| missing("100ms"))?)?;
            if jitter_us > delay_us {
                return Err(Error::usage(format!("--jitter is larger than the delay in {value_name}")));
            }
            Ok((delay_us > 0).then_some(Effect::Delay { delay_us, jitter_us }))
        }
        FaultKind::Loss => {
            let loss_percent = units::percent(value_name, value.ok_or_else(|| missing("20%"))?)?;
            Ok((loss_percent > 0.0).then_some(Effect::Loss { loss_percent }))
        }
    }
}

fn fault_spec(effect: Effect, target: Target, shared: &SharedOptions) -> FaultSpec {
    FaultSpec {
        effect,
        target,
        scope: match shared.scope {
            ScopeKind::All => Scope::All,
            ScopeKind::Peers => Scope::Peers,
            ScopeKind::Clients => Scope::Clients,
        },
        peer: None,
        direction: match shared.direction {
            DirectionKind::Egress => Direction::Egress,
            DirectionKind::Ingress => Direction::Ingress,
            DirectionKind::Both => Direction::Both,
        },
        mechanism: match shared.mechanism {
            MechanismKind::Auto => MechanismChoice::Auto,
            MechanismKind::Queue => MechanismChoice::Queue,
        },
        at_ms: 0,
        for_ms: None,
    }
}

fn parse_target(text: &str, nodes: u8) -> Result<Target> {
    match text {
        "leader" => Ok(Target::Leader),
        "follower" => Ok(Target::Follower),
        "all" => Ok(Target::All),
        name => Ok(Target::Member(member("--target", name, nodes)?)),
    }
}

fn attachment(shared: &SharedOptions, default: Attachment) -> Result<Attachment> {
    match shared.attach.as_deref() {
        None => Ok(default),
        Some("round-robin") => Ok(Attachment::RoundRobin),
        Some("leader") => Ok(Attachment::Leader),
        Some("target") => Ok(Attachment::Target),
        Some("healthy-follower") => Ok(Attachment::HealthyFollower),
        Some(name) => Ok(Attachment::Member(member("--attach", name, shared.nodes)?)),
    }
}

fn member(option: &str, name: &str, nodes: u8) -> Result<String> {
    let names: Vec<_> = (0..nodes).map(crate::cluster::member_name).collect();
    if names.iter().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    Err(Error::usage(format!("{option}: there is no member {name:?}; the members are {}", names.join(", "))))
}

fn workload(pacing: Pacing, attachment: Attachment, shared: &SharedOptions) -> Result<WorkloadSpec> {
    let concurrency = shared.concurrency.unwrap_or(match pacing {
        Pacing::Closed => CLOSED_CONCURRENCY,
        Pacing::Even | Pacing::Constant | Pacing::Poisson => OPEN_CONCURRENCY,
    });
    in_range("--concurrency", concurrency, 1, CONCURRENCY_MAX)?;
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
        connections: 1,
        keys: shared.keys,
        key_distribution: match shared.key_distribution {
            KeyDistributionKind::Uniform => KeyDistribution::Uniform,
            KeyDistributionKind::Sequential => KeyDistribution::Sequential,
            KeyDistributionKind::Zipfian => KeyDistribution::Zipfian,
        },
        key_bytes: shared.key_size,
        value_bytes: shared.value_size,
        deadline_ms,
        warm_up_ms: units::seconds_ms("--warm-up", &shared.warm_up)?,
        attachment,
    })
}

fn in_range(option: &str, value: u32, min: u32, max: u32) -> Result<()> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Error::usage(format!("{option} is {value}; it must be between {min} and {max}")))
}

fn mix(text: &str) -> Result<Mix> {
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

#[cfg(test)]
mod tests;
