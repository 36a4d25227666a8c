//! From what was typed to what is run: clap types become a validated [`RunSpec`], once and with clear errors.

use std::path::PathBuf;

use run_folder::Label;
use run_folder::manifest::SweepPlace;
use run_folder::spec::{
    Attachment, Backend, ClusterSpec, Effect, FaultSpec, Load, Pacing, RunSpec, Scope, Target, WorkloadSpec,
};

use crate::cli::{FaultKind, PacingKind, Places, RunCommand, SharedOptions, SlowFollowerCommand, SlowLeaderCommand};
use crate::error::{Error, Result};
use crate::units;
pub(crate) use parts::KEY_BYTES_MAX;
use parts::{attachment, effect, fault_spec, parse_target, workload};

pub mod bench;
pub mod file;
mod parts;
pub mod presets;
pub mod sweep;

/// A run and the places that it needs on this machine.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    /// The command that it came from, as in `slow-leader`.
    pub command: String,
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
    /// The image asked for, where containers have to be made.
    pub image: Option<String>,
    /// Its place in a sweep.
    pub place: Option<SweepPlace>,
    /// Name of the run folder that it repeats.
    pub reproduces: Option<String>,
    /// Whether the run folder is of use to the command alone, and goes with it.
    pub passing: bool,
}

/// Folder beside the run folders, or in `--data-dir`, that holds members' data while runs last.
pub const DATA_FOLDER: &str = ".laggard-data";

impl PlannedRun {
    /// A run of `spec` in these places.
    pub fn new(command: &str, spec: RunSpec, places: &Places) -> Self {
        Self {
            command: command.to_owned(),
            spec,
            results: places.dir.clone(),
            data_dir: places.data_dir.clone(),
            etcd: places.etcd.clone().or_else(etcd_of_environment),
            etcd_version: places.etcd_version.clone().or_else(etcd_version_of_environment),
            image: places.image.clone(),
            place: None,
            reproduces: None,
            passing: false,
        }
    }

    /// Whether the capacity that its rate is a share of has yet to be measured.
    pub fn lacks_capacity(&self) -> bool {
        self.spec.workload.load.is_some() && self.spec.workload.rate_per_s.is_none()
    }

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
/// Bounds that keep memory and arithmetic in hand, far beyond what one machine can drive.
const OPERATIONS_MAX: u64 = 10_000_000_000;
const RATE_PER_S_MAX: u64 = 1_000_000;
const RATE_PER_S_MIN: f64 = 0.01;
/// What `--target` is when it is not typed.
pub const DEFAULT_TARGET: &str = "follower";

/// Plans `recorder run`.
///
/// # Errors
/// Usage errors that name the option.
pub fn run(typed: &RunCommand) -> Result<PlannedRun> {
    let shared = &typed.shared;
    let duration_ms = match (&typed.duration, typed.operations) {
        (Some(text), _) => Some(units::seconds_ms("--duration", text)?),
        (None, Some(_)) if typed.rate.is_none() && typed.load.is_none() => None,
        (None, _) => Some(RUN_DEFAULT_MS),
    };
    if duration_ms == Some(0) {
        return Err(Error::usage("--duration is 0; give the length of the run, as in 30s"));
    }
    if typed.operations.is_some_and(|operations| !(1..=OPERATIONS_MAX).contains(&operations)) {
        return Err(Error::usage(format!("--operations must be between 1 and {OPERATIONS_MAX}")));
    }
    let load = typed.load.as_ref().map(|load| parse_load(load)).transpose()?;
    let rate_option = if typed.load.is_some() { "--load" } else { "--rate" };
    let pacing = match (typed.pacing, typed.rate.is_some() || load.is_some()) {
        (None | Some(PacingKind::Closed), false) => Pacing::Closed,
        (Some(PacingKind::Even), false) => Pacing::Even,
        (None | Some(PacingKind::Constant), true) => Pacing::Constant,
        (Some(PacingKind::Poisson), true) => Pacing::Poisson,
        (Some(PacingKind::Constant | PacingKind::Poisson), false) => {
            return Err(Error::usage("--pacing constant and poisson need --rate or --load"));
        }
        (Some(PacingKind::Closed | PacingKind::Even), true) => {
            return Err(Error::usage(format!("{rate_option} is for --pacing constant or poisson")));
        }
    };
    if typed.rate.is_some_and(|rate| !(RATE_PER_S_MIN..=RATE_PER_S_MAX as f64).contains(&rate)) {
        return Err(Error::usage(format!("--rate must be between {RATE_PER_S_MIN} and {RATE_PER_S_MAX} a second")));
    }
    if let (Some(rate), Some(duration_ms)) = (typed.rate, duration_ms)
        && rate * (duration_ms as f64) < 1000.0
    {
        return Err(Error::usage("--rate gives not one operation in --duration; raise one of them"));
    }
    if typed.operations.is_some() && matches!(pacing, Pacing::Constant | Pacing::Poisson) {
        return Err(Error::usage(format!("--operations does not go with {rate_option}; limit the run by --duration")));
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
            ..fault_spec(effect, parse_target(&typed.target, shared.nodes)?, shared)?
        }),
    };
    let attachment = attachment(shared, Attachment::RoundRobin)?;
    let workload = WorkloadSpec {
        pacing,
        duration_ms,
        operations: typed.operations,
        rate_per_s: typed.rate,
        load,
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
    let fault = effect.map(|effect| fault_spec(effect, Target::Leader, shared)).transpose()?;
    let fault = fault.map(|fault| FaultSpec { at_ms, for_ms: Some(for_ms), ..fault });
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
    let effect = effect(typed.fault_type, Some(&typed.fault_value), "fault_value", shared)?;
    let fault = effect.map(|effect| fault_spec(effect, Target::Follower, shared)).transpose()?;
    let fault = fault.map(|fault| FaultSpec { at_ms, ..fault });
    let attachment = attachment(shared, Attachment::Target)?;
    let workload = WorkloadSpec { duration_ms: Some(duration_ms), ..workload(Pacing::Closed, attachment, shared)? };
    planned("slow-follower", &typed.label, workload, fault, shared, ["inject_at_s", "the window", "duration_s"])
}

/// Joins the parts and checks what only the whole can show. `names` are what the user typed for the fault's start,
/// its length and the run's length.
fn planned(
    command: &str,
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
        if let Effect::Delay { delay_us, jitter_us, .. } = effect
            && for_ms * 1000 <= delay_us + jitter_us
        {
            return Err(Error::usage(format!(
                "{} is no longer than the delay, so the healing would let every packet go early",
                names[1]
            )));
        }
    }
    if let Some(FaultSpec { peer: Some(_), target, scope, .. }) = &fault {
        if *target == Target::All {
            return Err(Error::usage("--peer names one link; it does not go with --target all"));
        }
        if *scope == Scope::Clients {
            return Err(Error::usage("--peer names a link between members; it does not go with --scope clients"));
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
        // Settled before the run begins.
        cluster: ClusterSpec { backend: Backend::Sandbox, nodes: shared.nodes },
        workload,
        fault,
    };
    Ok(PlannedRun::new(command, spec, &shared.places))
}

/// The program that `$ETCD` names; an empty variable names none.
pub fn etcd_of_environment() -> Option<PathBuf> {
    std::env::var_os("ETCD").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The version that `$ETCD_VERSION` asks for; an empty variable asks for none.
pub fn etcd_version_of_environment() -> Option<String> {
    std::env::var("ETCD_VERSION").ok().filter(|version| !version.is_empty())
}

/// A seed for what was given none: 32 bits, so that people can type it again.
fn drawn_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos() ^ (now.as_secs() as u32).rotate_left(16) ^ std::process::id())
}

fn parse_load(text: &str) -> Result<Load> {
    let percent = units::percent("--load", text)?;
    if percent <= 0.0 {
        return Err(Error::usage("--load must be more than 0%"));
    }
    Ok(Load { percent, capacity_per_s: 0.0, capacity_run: String::new() })
}

/// Refuses what only means something with a fault, in a run that has none.
fn no_fault_options(typed: &RunCommand, has_window: bool) -> Result<()> {
    if typed.fault == FaultKind::None && (has_window || typed.value.is_some() || typed.shared.peer.is_some()) {
        return Err(Error::usage("--value, --at, --for and --peer need a fault; add --fault delay --value 100ms"));
    }
    if typed.target != DEFAULT_TARGET && typed.shared.attach.as_deref() == Some("target") {
        return Err(Error::usage(
            "--attach target without a fault means the follower that would be hit by default; \
             name other members by --attach leader or --attach etcd2",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
