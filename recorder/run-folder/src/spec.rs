//! A run, described by one value. The recorder runs a [`RunSpec`], the manifest keeps it exactly as run, and
//! `analyze` groups by its fields. Units stand last in the names.

use serde::{Deserialize, Serialize};

use crate::Label;

/// Everything that defines a run: the same value with the same seed asks for the same experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Names the run; repeats share it.
    pub label: Label,
    /// Source of all randomness: keys, values, kinds, and the shaper's loss and jitter.
    pub seed: u64,
    /// The cluster to run on.
    pub cluster: ClusterSpec,
    /// What the clients do.
    pub workload: WorkloadSpec,
    /// The slow fault; none for a baseline.
    pub fault: Option<FaultSpec>,
}

impl RunSpec {
    /// Where the clients are, said without the fault: a run without one has no target that they could be at. The target
    /// of a run without a fault is the follower that would be hit by default.
    pub fn attachment_without_fault(&self) -> Attachment {
        match (&self.workload.attachment, self.fault.as_ref().map(|fault| &fault.target)) {
            (Attachment::Target, Some(Target::Leader)) => Attachment::Leader,
            (Attachment::Target, Some(Target::Member(name))) => Attachment::Member(name.clone()),
            (attachment, _) => attachment.clone(),
        }
    }

    /// How long the run takes after its time 0 when it is limited by time: the workload's duration or the
    /// fault's end, whichever is later. `None` when only the number of operations limits it.
    pub fn planned_ms(&self) -> Option<u64> {
        let fault_end_ms = self.fault.as_ref().and_then(|fault| Some(fault.at_ms + fault.for_ms?)).unwrap_or(0);
        self.workload.duration_ms.map(|duration_ms| duration_ms.max(fault_end_ms))
    }
}

/// Which cluster a run uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// How members are run.
    pub backend: Backend,
    /// Number of members.
    pub nodes: u8,
}

/// Ways to have a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// etcd processes in namespaces of our own: no Docker, no root.
    Sandbox,
    /// Containers of a Docker engine on this machine.
    Docker,
    /// Members that somebody else runs, of which nothing but their addresses is known.
    Endpoints,
}

impl Backend {
    /// The name in manifests and tables, as it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Docker => "docker",
            Self::Endpoints => "endpoints",
        }
    }
}

/// Where the clients' connections start, in the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientPlace {
    /// Where the backend has them by default; settled before a run begins, so never in a manifest.
    Auto,
    /// A place of their own on the cluster's network: a namespace of the sandbox, or a container.
    #[default]
    Own,
    /// The machine that the recorder, and whatever containers there are, run on.
    Host,
    /// Inside the network namespace of the member with this name, as the older scripts had it.
    Member(String),
}

impl std::fmt::Display for ClientPlace {
    /// As it is typed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Own => "own",
            Self::Host => "host",
            Self::Member(name) => name,
        })
    }
}

/// What the clients do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkloadSpec {
    /// When operations become due.
    pub pacing: Pacing,
    /// Time after the run's time 0 in which operations become due; with `operations` alone it is absent.
    pub duration_ms: Option<u64>,
    /// Number of operations due after the run's time 0; with `duration_ms` alone it is absent.
    pub operations: Option<u64>,
    /// Closed loop: number of workers, each with one operation under way. Open loop: cap on operations under way.
    pub concurrency: u32,
    /// Relative weights of the kinds of operation.
    pub mix: Mix,
    /// Operations that become due per second, on average; for constant and Poisson pacing.
    #[serde(default)]
    pub rate_per_s: Option<f64>,
    /// Where `rate_per_s` came from, when it was asked for as a share of the capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// Connections to each member; operations under way share them.
    #[serde(default = "one")]
    pub connections: u32,
    /// Number of distinct keys.
    pub keys: u32,
    /// How keys are chosen.
    #[serde(default)]
    pub key_distribution: KeyDistribution,
    /// Length of a key in bytes, the prefix included.
    pub key_bytes: u32,
    /// What every key begins with; empty where the whole key space is the run's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key_prefix: String,
    /// Whether every key has a value before the first operation; those that lack one get it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub filled: bool,
    /// Length of a value in bytes.
    pub value_bytes: u32,
    /// An operation without an answer this long after its intended start is given up: outcome `unknown` when it
    /// was sent, `unsent` when it never was.
    pub deadline_ms: u64,
    /// Length of the warm-up before the run's time 0.
    pub warm_up_ms: u64,
    /// Which members the clients ask.
    pub attachment: Attachment,
    /// Where the clients are.
    #[serde(default)]
    pub client_at: ClientPlace,
}

fn one() -> u32 {
    1
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A rate that was asked for as a share of what the cluster can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The share, in percent.
    pub percent: f64,
    /// Operations per second that the cluster acknowledged when it was asked for as many as it could do; 0 until it
    /// was measured.
    pub capacity_per_s: f64,
    /// Name of the run folder in which that was measured; empty until then.
    pub capacity_run: String,
}

/// When operations become due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pacing {
    /// Closed loop: each worker's next operation is due when its last one has ended.
    Closed,
    /// Open loop: `operations` spread evenly over `duration_ms`; the schedule never waits for answers.
    Even,
    /// Open loop: `rate_per_s`, at equal distances.
    Constant,
    /// Open loop: `rate_per_s` on average, at exponentially distributed distances, as independent clients would ask.
    Poisson,
}

/// How keys are chosen among the numbers from 0 on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyDistribution {
    /// Each with the same probability.
    #[default]
    Uniform,
    /// One after the other, in the order of the operations, and over again.
    Sequential,
    /// Key `k` with a probability proportional to `(k + 1)^-0.99`, as in YCSB but not scrambled.
    Zipfian,
}

/// Relative weights of the kinds of operation; only their ratios matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// Unconditional writes.
    pub put: u32,
    /// Linearizable reads.
    pub get: u32,
    /// Serializable reads (answered by the asked member alone).
    pub get_serializable: u32,
    /// Compare-and-swap on the key's last seen revision, with a read where the comparison fails.
    pub txn: u32,
    /// Deletions.
    pub delete: u32,
}

impl Mix {
    /// Puts and nothing else.
    pub const PUTS: Self = Self { put: 1, get: 0, get_serializable: 0, txn: 0, delete: 0 };
}

impl Default for Mix {
    /// No weight on anything: the start for a mix that names its kinds.
    fn default() -> Self {
        Self { put: 0, ..Self::PUTS }
    }
}

/// Which members the clients ask. Results differ up to seven-fold by it, so it is always a declared factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attachment {
    /// Each operation asks the next member.
    RoundRobin,
    /// The member that leads just before the warm-up.
    Leader,
    /// The fault's target: chosen just before the warm-up, and again when the fault is injected; without a fault, the
    /// follower that would be hit by default.
    Target,
    /// The first follower that is not the fault's target.
    HealthyFollower,
    /// A member by name.
    Member(String),
}

impl std::fmt::Display for Attachment {
    /// As it is typed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RoundRobin => "round-robin",
            Self::Leader => "leader",
            Self::Target => "target",
            Self::HealthyFollower => "healthy-follower",
            Self::Member(name) => name,
        })
    }
}

/// A slow fault and the window that it holds: `[at_ms, at_ms + for_ms)`, strict at both ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultSpec {
    /// What is done to packets.
    pub effect: Effect,
    /// Whom it hits.
    pub target: Target,
    /// Which of the target's traffic it hits.
    pub scope: Scope,
    /// Only traffic with this other member; absent for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Peer>,
    /// Which way that traffic flows, seen from the target.
    pub direction: Direction,
    /// How it is done.
    pub mechanism: MechanismChoice,
    /// Start of the window after the run's time 0.
    pub at_ms: u64,
    /// Length of the window; absent when it lasts to the end of the workload.
    pub for_ms: Option<u64>,
}

/// What a fault does to packets, with the meaning that netem gives these words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Effect {
    /// Each packet is held for `delay_us`, plus a randomly drawn jitter.
    Delay {
        /// Mean hold time.
        delay_us: u64,
        /// Half the width of the uniform distribution around it, or the standard deviation of another one.
        jitter_us: u64,
        /// How the jitter is distributed.
        #[serde(default)]
        distribution: Distribution,
    },
    /// Each packet is dropped with this probability, independently.
    Loss {
        /// 0 to 100.
        loss_percent: f64,
    },
    /// Packets leave no faster than this, one after the other.
    Rate {
        /// Bits per second, headers of the link included.
        bit_per_s: u64,
    },
    /// Each packet goes through the mechanism and is passed on at once: what such a run shows is what the mechanism's way
    /// itself costs.
    Pass,
    /// Everything that a fault needs is at work, and its rules match and count each packet, but the packet goes on
    /// untouched: such a run must show no effect.
    Null,
}

impl Effect {
    /// A delay without jitter.
    pub fn delay(delay_us: u64) -> Self {
        Self::Delay { delay_us, jitter_us: 0, distribution: Distribution::Uniform }
    }

    /// The kind's name, as in `faults.parquet`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::Loss { .. } => "loss",
            Self::Rate { .. } => "rate",
            Self::Pass => "pass",
            Self::Null => "null",
        }
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |us: u64| us as f64 / 1000.0;
        match *self {
            Self::Delay { delay_us, jitter_us: 0, .. } => write!(f, "delay {}ms", ms(delay_us)),
            Self::Delay { delay_us, jitter_us, distribution } => {
                write!(f, "delay {}ms ± {}ms", ms(delay_us), ms(jitter_us))?;
                match distribution {
                    Distribution::Uniform => Ok(()),
                    other => write!(f, " ({})", other.as_str()),
                }
            }
            Self::Loss { loss_percent } => write!(f, "loss {loss_percent}%"),
            Self::Rate { bit_per_s } => write!(f, "rate {}mbit", bit_per_s as f64 / 1e6),
            Self::Pass => f.write_str("pass-through"),
            Self::Null => f.write_str("null fault"),
        }
    }
}

/// How a delay's jitter is distributed, with netem's meaning of these names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Uniform within the jitter around the delay.
    #[default]
    Uniform,
    /// Normal; the jitter is its standard deviation.
    Normal,
    /// Pareto with exponent 3: few packets come very late.
    Pareto,
    /// A quarter normal and three quarters Pareto.
    ParetoNormal,
}

impl Distribution {
    /// The name as it is typed, which is also `tc`'s.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Pareto => "pareto",
            Self::ParetoNormal => "paretonormal",
        }
    }
}

/// Whom a fault hits; resolved when it is injected, not at the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The member that leads when the fault is injected.
    Leader,
    /// The second member unless it leads, then the next one.
    Follower,
    /// A member by name.
    Member(String),
    /// Every member.
    All,
}

impl std::fmt::Display for Target {
    /// As it is typed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Member(name) => name,
            Self::All => "all",
        })
    }
}

/// The other member of a fault that hits one link between members; resolved when it is injected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// The member that leads.
    Leader,
    /// A neighbour of the target that does not lead: followers send each other nothing that a client waits for.
    OtherFollower,
    /// A member by name.
    Member(String),
}

impl std::fmt::Display for Peer {
    /// As it is typed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Leader => "leader",
            Self::OtherFollower => "other-follower",
            Self::Member(name) => name,
        })
    }
}

/// Which of the target's traffic a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every packet.
    All,
    /// Between members (port 2380).
    Peers,
    /// Between clients and the member (port 2379).
    Clients,
}

/// Which way the traffic flows, seen from the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// What the target sends, as in the older scripts.
    Egress,
    /// What the target receives.
    Ingress,
    /// Both, each way by itself: a round trip pays twice.
    Both,
}

/// Which mechanism was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MechanismChoice {
    /// The best one that this machine has.
    Auto,
    /// The user-space queue shaper.
    Queue,
    /// The kernel's netem.
    Netem,
}
