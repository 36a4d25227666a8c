//! The command line: what can be typed. [`crate::plan`] turns it into what is run.

pub mod bench;
pub mod checks;
pub mod kept;
pub mod status;

use std::path::PathBuf;

use bench::BenchCommand;
use checks::TestCommand;
use clap::{Args, Parser, Subcommand, ValueEnum};
use kept::{DownCommand, ExecCommand, MemberCommand, UpCommand};
use run_folder::{DEFAULT_RESULTS_DIR, Label};
use status::StatusCommand;

/// Record what a slow member does to the clients of an etcd cluster.
///
/// Each run takes a real etcd cluster (containers etcd0, etcd1, ... where they run, else one in namespaces of its own, with no
/// Docker and no root needed), drives a workload, slows a member down, proves that the fault worked, heals it, and leaves one
/// run folder.
#[derive(Debug, Parser)]
#[command(name = "recorder", version, max_term_width = 110, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    the run finished, and its fault is proven to have worked
  1    the run failed, or its folder could not be written; what was recorded is kept and marked
  2    a wrong argument; nothing was recorded
  3    this machine lacks something that the run needs; nothing was recorded
  130  a signal ended the run; what was recorded is kept and marked";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record one run, every factor chosen by an option
    Run(Box<RunCommand>),
    /// Record a run with a slow leader: 10,000 puts paced evenly, round-robin over all members
    ///
    /// The fault goes on the member that leads at INJECT_AT_SECONDS and is lifted DURATION_SECONDS later. The run
    /// takes INJECT_AT + DURATION + INJECT_AT seconds (120 where that is 0).
    #[command(
        after_help = "Examples:\n  recorder slow-leader 0ms 0 baseline none 0\n  recorder slow-leader 20ms 60 slowleader_mid20ms delay 30"
    )]
    SlowLeader(Box<SlowLeaderCommand>),
    /// Record a run with a slow follower: closed loop, clients attached to it
    ///
    /// The fault lasts from INJECT_AT_S (0: from the start, a `_full` run; later: a `_mid` run) to the end. It hits
    /// etcd1 unless that leads, then the next follower.
    #[command(
        after_help = "Examples:\n  recorder slow-follower 0ms 120 baseline delay 0\n  recorder slow-follower 100ms 120 delay100_mid delay 60\n  recorder slow-follower 20% 120 loss20_full loss 0"
    )]
    SlowFollower(Box<SlowFollowerCommand>),
    /// Record a sweep: many runs of a plan, one after the other, with baselines between them and controls
    #[command(after_help = SWEEP_HELP, override_usage = "recorder sweep [OPTIONS] <PLAN.toml | --preset PRESET>")]
    Sweep(Box<SweepCommand>),
    /// Measure latency and throughput of puts, gets and transactions, and print them beside typical ranges
    #[command(after_help = bench::BENCH_HELP)]
    Bench(Box<BenchCommand>),
    /// Record a run again, exactly as its manifest says
    Reproduce {
        /// The run folder to repeat
        run: PathBuf,
        /// Places that the run needs on this machine.
        #[command(flatten)]
        places: Places,
    },
    /// Make the folder of a killed run whole again from its journals
    Recover {
        /// The run folder
        run: PathBuf,
    },
    /// Say what this machine can do, and for each thing that it cannot what to install or set
    Doctor {
        /// Folder that runs would be recorded in
        #[arg(long, value_name = "DIR", default_value = DEFAULT_RESULTS_DIR)]
        dir: PathBuf,
    },
    /// Start a cluster that stays up, and say how to reach its members
    #[command(after_help = kept::UP_HELP)]
    Up(UpCommand),
    /// Show a cluster's members, once or live: who leads, who is behind, who does not answer
    #[command(after_help = status::HELP)]
    Status(StatusCommand),
    /// End a member of the cluster that is up at once, as kill -9 does
    #[command(after_help = kept::MEMBER_HELP)]
    Kill(MemberCommand),
    /// Start a member again with the data that it has; one that runs is ended in good order first
    #[command(after_help = kept::MEMBER_HELP)]
    Restart(MemberCommand),
    /// Hold a member: it keeps its connections and answers nothing
    #[command(after_help = kept::MEMBER_HELP)]
    Pause(MemberCommand),
    /// Let a paused member go on
    #[command(after_help = kept::MEMBER_HELP)]
    Resume(MemberCommand),
    /// End the cluster that is up
    #[command(after_help = kept::DOWN_HELP)]
    Down(DownCommand),
    /// Test whether a cluster keeps etcd's promises: the one that is up, or one that is brought up for it
    #[command(after_help = checks::TEST_HELP)]
    Test(TestCommand),
    /// Show or clear faults in the cluster that is up: what killed recorders left, or somebody put there by hand
    #[command(after_help = kept::FAULTS_HELP)]
    Faults(kept::FaultsCommand),
    /// Run a program inside the network of the cluster that is up
    #[command(after_help = kept::EXEC_HELP, override_usage = "recorder exec [OPTIONS] -- PROGRAM [ARGUMENTS]...")]
    Exec(ExecCommand),
    /// Hold a fault until standard input closes or the deadline passes (started by the recorder itself)
    #[command(hide = true)]
    Hold,
    /// Act in a container for the recorder outside (started by the recorder itself)
    #[command(hide = true)]
    Outpost {
        /// Folder of the socket at which the recorder listens
        folder: PathBuf,
        /// Name of the place
        name: String,
        /// Leave the links' offloads as they are
        #[arg(long)]
        keep_offloads: bool,
    },
}

/// `recorder run`.
#[derive(Debug, Args)]
pub struct RunCommand {
    /// Name of the run, as in loss20_mid
    pub label: Label,
    /// Kind of fault
    #[arg(long, value_enum, default_value = "none", help_heading = "Fault")]
    pub fault: FaultKind,
    /// Strength of the fault: a time with unit for delay (100ms), a percentage for loss (20%), bits a second for rate
    /// (1mbit); 0 means no fault
    #[arg(long, value_name = "VALUE", help_heading = "Fault")]
    pub value: Option<String>,
    /// Start of the fault after the warm-up, in seconds or with a unit [default: 0]
    #[arg(long, value_name = "TIME", help_heading = "Fault")]
    pub at: Option<String>,
    /// Length of the fault [default: to the end of the workload]
    #[arg(long = "for", value_name = "TIME", help_heading = "Fault")]
    pub lasting: Option<String>,
    /// Member to slow down: leader, follower (etcd1 unless it leads, then the next), all, or a name
    #[arg(long, value_name = "MEMBER", default_value = crate::plan::DEFAULT_TARGET, help_heading = "Fault")]
    pub target: String,
    /// Time in which operations become due [default: 30s unless --operations is given]
    #[arg(long, value_name = "TIME", help_heading = "Workload")]
    pub duration: Option<String>,
    /// Number of operations, warm-up not counted
    #[arg(long, value_name = "N", help_heading = "Workload")]
    pub operations: Option<u64>,
    /// When operations become due [default: closed; with --rate or --load: constant]
    #[arg(long, value_enum, help_heading = "Workload")]
    pub pacing: Option<PacingKind>,
    /// Operations that become due per second, whatever the answers do (open loop)
    #[arg(long, value_name = "N", help_heading = "Workload")]
    pub rate: Option<f64>,
    /// The rate as a share of what the cluster can do, which a short run measures first (open loop)
    #[arg(long, value_name = "PERCENT", conflicts_with = "rate", help_heading = "Workload")]
    pub load: Option<String>,
    /// Options shared by all runs.
    #[command(flatten)]
    pub shared: SharedOptions,
}

/// `recorder slow-leader`.
#[derive(Debug, Args)]
pub struct SlowLeaderCommand {
    /// Delay with unit, or a percentage when FAULT_TYPE is loss
    pub delay_value: String,
    /// How long the fault lasts, in seconds
    pub duration_seconds: String,
    /// Name of the run, as in slowleader_mid20ms
    pub label: Label,
    /// delay, loss or none
    #[arg(value_enum)]
    pub fault_type: FaultKind,
    /// When the fault begins, in seconds after the warm-up
    pub inject_at_seconds: String,
    /// Options shared by all runs.
    #[command(flatten)]
    pub shared: SharedOptions,
}

/// `recorder slow-follower`.
#[derive(Debug, Args)]
pub struct SlowFollowerCommand {
    /// Delay with unit (100ms), or a percentage (20%) when FAULT_TYPE is loss
    pub fault_value: String,
    /// Length of the run, in seconds
    pub duration_s: String,
    /// Name of the run, as in delay100_mid
    pub label: Label,
    /// delay, loss or none
    #[arg(value_enum)]
    pub fault_type: FaultKind,
    /// When the fault begins, in seconds after the warm-up
    pub inject_at_s: String,
    /// Options shared by all runs.
    #[command(flatten)]
    pub shared: SharedOptions,
}

/// `recorder sweep`.
#[derive(Debug, Args)]
pub struct SweepCommand {
    /// The plan, a TOML file; or take one that comes with the recorder by --preset
    #[arg(value_name = "PLAN.toml", required_unless_present = "preset", conflicts_with = "preset")]
    pub plan: Option<PathBuf>,
    /// A plan that comes with the recorder
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// How often each run is repeated, each time in an order of its own [default: the plan's, else 1]
    #[arg(long, value_name = "N")]
    pub repeat: Option<u32>,
    /// Length of each run, in place of the plan's
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// Source of the order of the runs and of their own seeds [default: the plan's, else drawn]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Run all on one cluster instead of a fresh one each
    #[arg(long)]
    pub reuse_cluster: bool,
    /// Show the runs and the time they take, and record nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the plan to standard output, to be changed and kept, and record nothing
    #[arg(long, conflicts_with_all = ["dry_run", "duration", "repeat", "seed", "resume", "reuse_cluster"])]
    pub print_plan: bool,
    /// Go on with the newest sweep of this plan in DIR: what is finished is kept, everything else is run
    #[arg(long)]
    pub resume: bool,
    /// With --resume: although the plan has changed; without: although an unfinished sweep of this plan is there
    #[arg(long)]
    pub force: bool,
    /// Begin a sweep of more than 12 hours without asking
    #[arg(long)]
    pub yes: bool,
    /// Places that the runs need on this machine.
    #[command(flatten)]
    pub places: Places,
}

/// Plans that come with the recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// One follower loses or delays packets, its clients stay with it: 24 runs, controls and baselines
    SlowFollower,
    /// The leader delays packets, clients ask all members: 12 runs, controls and baselines
    SlowLeader,
    /// A baseline, a slow follower and two controls in about a minute
    Quick,
}

const SWEEP_HELP: &str = "\
Examples:
  recorder sweep --preset quick
  recorder sweep --preset slow-follower --duration 30 --dry-run
  recorder sweep --preset slow-leader --print-plan > mine.toml
  recorder sweep mine.toml --repeat 5
  recorder sweep mine.toml --repeat 5 --resume

Exit codes:
  0    every run of the plan is finished
  1    some run failed; the others are finished, and --resume tries the failed ones again
  2    a wrong argument or plan; nothing was recorded
  3    this machine lacks something that the runs need; what is finished is kept
  130  a signal ended the sweep; --resume goes on with it";

/// Places that a run needs on this machine, and what its cluster runs in.
#[derive(Debug, Clone, Args)]
pub struct Places {
    /// Folder that the run folder is made in
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RESULTS_DIR, help_heading = "Output")]
    pub dir: PathBuf,
    /// The etcd program [default: $ETCD, else etcd on PATH]
    #[arg(long, value_name = "PROGRAM", help_heading = "Cluster")]
    pub etcd: Option<PathBuf>,
    /// Exactly this version of etcd, or an error [default: $ETCD_VERSION, else any]
    #[arg(long, value_name = "VERSION", help_heading = "Cluster")]
    pub etcd_version: Option<String>,
    /// Folder for the members' data while the run lasts [default: beside the run folder]
    #[arg(long, value_name = "DIR", help_heading = "Cluster")]
    pub data_dir: Option<PathBuf>,
    /// What the cluster runs in
    #[arg(long, value_enum, default_value = "auto", help_heading = "Cluster")]
    pub cluster: ClusterKind,
    /// Image of the members' containers, when some have to be made [default: $ETCD_IMAGE, else the public one, else that of
    /// `make images`]
    #[arg(long, value_name = "IMAGE", help_heading = "Cluster")]
    pub image: Option<String>,
}

/// Kinds of cluster as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClusterKind {
    /// The containers etcd0, etcd1, ... where they run (they stay up), else a sandbox
    Auto,
    /// Containers of the Docker engine on this machine: those that run, else fresh ones
    Docker,
    /// Processes in namespaces of their own: no Docker, no root
    Sandbox,
}

/// Options that every run takes.
#[derive(Debug, Args)]
pub struct SharedOptions {
    /// Places that the run needs on this machine.
    #[command(flatten)]
    pub places: Places,
    /// Random deviation of a delay, plus or minus, with unit
    #[arg(long, value_name = "TIME", help_heading = "Fault")]
    pub jitter: Option<String>,
    /// How that deviation is distributed; --jitter is the standard deviation of all but uniform
    #[arg(long, value_enum, default_value = "uniform", help_heading = "Fault")]
    pub distribution: DistributionKind,
    /// Traffic that the fault hits: all packets, between members (port 2380), or with clients (port 2379)
    #[arg(long, value_enum, default_value = "all", help_heading = "Fault")]
    pub scope: ScopeKind,
    /// Only the target's link to this other member: leader, other-follower, or a name [default: all links]
    #[arg(long, value_name = "MEMBER", help_heading = "Fault")]
    pub peer: Option<String>,
    /// Which way that traffic flows, seen from the target
    #[arg(long, value_enum, default_value = "egress", help_heading = "Fault")]
    pub direction: DirectionKind,
    /// How packets are held or dropped
    #[arg(long, value_enum, default_value = "auto", help_heading = "Fault")]
    pub mechanism: MechanismKind,
    /// Members that clients ask: round-robin, leader, target (the fault's), healthy-follower, or a name
    /// [default: round-robin; slow-follower: target]
    #[arg(long, value_name = "MEMBERS", help_heading = "Workload")]
    pub attach: Option<String>,
    /// Where the clients' connections start: host (the machine that containers run on), own (a container or namespace of
    /// their own), or inside a member's network, by its name [default: own; containers: host, where netem is there]
    #[arg(long, value_name = "PLACE", help_heading = "Workload")]
    pub client_at: Option<String>,
    /// Operations under way at once: workers of a closed loop, or the cap of an open loop
    /// [default: 16; open loop: 512]
    #[arg(long, value_name = "N", help_heading = "Workload")]
    pub concurrency: Option<u32>,
    /// Connections to each member, shared by the operations under way
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Workload")]
    pub connections: u32,
    /// Kinds of operation by weight: put, get, get_serializable, txn, delete
    #[arg(long, value_name = "KIND=WEIGHT,...", default_value = "put=1", help_heading = "Workload")]
    pub mix: String,
    /// Number of distinct keys
    #[arg(long, value_name = "N", default_value_t = 10_000, help_heading = "Workload")]
    pub keys: u32,
    /// How keys are chosen
    #[arg(long, value_enum, default_value = "uniform", help_heading = "Workload")]
    pub key_distribution: KeyDistributionKind,
    /// Length of a key in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16, help_heading = "Workload")]
    pub key_size: u32,
    /// Length of a value in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 256, help_heading = "Workload")]
    pub value_size: u32,
    /// Time after which an operation without an answer is given up, counted from when it was due
    #[arg(long, value_name = "TIME", default_value = "5s", help_heading = "Workload")]
    pub deadline: String,
    /// Load before the run's time 0, recorded but not analysed
    #[arg(long, value_name = "TIME", default_value = "3s", help_heading = "Workload")]
    pub warm_up: String,
    /// Source of all randomness [default: drawn, and kept in the manifest]
    #[arg(long, value_name = "N", help_heading = "Workload")]
    pub seed: Option<u64>,
    /// Number of members, 3 to 7
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=7), help_heading = "Cluster")]
    pub nodes: u8,
}

/// Kinds of fault as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FaultKind {
    /// No fault
    None,
    /// Hold each packet
    Delay,
    /// Drop packets at random
    Loss,
    /// Let packets out no faster than this; netem only
    Rate,
    /// Hand each packet to the mechanism, which passes it on at once: what the mechanism itself costs
    Pass,
    /// Match and count each packet and leave it alone: all machinery at work, nothing slow (a control)
    Null,
}

/// Pacing as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PacingKind {
    /// Each worker's next operation is due when its last one has ended
    Closed,
    /// --operations spread evenly over --duration; the schedule never waits for answers
    Even,
    /// --rate operations a second at equal distances; the schedule never waits for answers
    Constant,
    /// --rate operations a second on average, at exponentially distributed distances
    Poisson,
}

/// Key distributions as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyDistributionKind {
    /// Each key with the same probability
    Uniform,
    /// One key after the other
    Sequential,
    /// Few keys most of the time (exponent 0.99)
    Zipfian,
}

/// Scope as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeKind {
    /// Every packet
    All,
    /// Between members
    Peers,
    /// Between clients and the member
    Clients,
}

/// Direction as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DirectionKind {
    /// What the target sends
    Egress,
    /// What the target receives
    Ingress,
    /// Both ways
    Both,
}

/// Mechanism as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MechanismKind {
    /// netem where the kernel has it, else queue
    Auto,
    /// The kernel's netem, on the target's own link
    Netem,
    /// The user-space queue shaper: works on every kernel, with netem's meaning of delay and loss
    Queue,
}

/// Distributions of a delay's jitter as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DistributionKind {
    /// Each deviation up to the jitter with the same probability
    Uniform,
    /// Normal, with the jitter as its standard deviation
    Normal,
    /// Pareto with exponent 3: a few packets come very late
    Pareto,
    /// A quarter normal, three quarters Pareto
    #[value(name = "paretonormal")]
    ParetoNormal,
}
