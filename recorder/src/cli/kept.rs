//! Commands about a cluster that stays up: `up`, `down`, `exec`, `faults`, and those about single members.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use run_folder::DEFAULT_RESULTS_DIR;

pub(super) const UP_HELP: &str = "\
A sandbox's listeners on 127.0.0.1 are for people and their tools, never for measuring: they
pass each byte through the recorder. The cluster stays up until `recorder down`, and a sandbox's
data go with it. Containers (--cluster docker) are what runs use from then on, unless they are
told not to.

Exit codes:
  0    the cluster is up
  1    a member did not come up
  2    a wrong argument, or a cluster is up already
  3    this machine lacks something that the cluster needs
  130  a signal ended the start; nothing is up

Examples:
  recorder up
  recorder up --nodes 5
  etcdctl --endpoints 127.0.0.1:2379 put key value
  recorder exec -- etcdctl endpoint status --write-out table
  recorder down";

pub(super) const DOWN_HELP: &str = "\
Exit codes:
  0    nothing is up any more; also when nothing was
  1    it could not be ended";

pub(super) const EXEC_HELP: &str = "\
ETCDCTL_ENDPOINTS is set to the members' addresses in there (unless --endpoints is among the
arguments), and ETCDCTL_API to 3. Files and processes are the caller's own. The user is too, but
where the sandbox was made without root, the program takes itself for root.

Exit codes: those of the program; and
  2    a wrong argument
  3    no cluster is up
  126  the program cannot be run
  127  there is no such program

Examples:
  recorder exec -- etcdctl get --prefix ''
  recorder exec --at etcd1 -- ss -tin
  recorder exec -- ping -c 3 10.77.1.2";

/// `recorder up`.
#[derive(Debug, Args)]
pub struct UpCommand {
    /// Number of members, 3 to 7
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(3..=7))]
    pub nodes: u8,
    /// What the cluster runs in
    #[arg(long, value_enum, default_value = "sandbox")]
    pub cluster: UpKind,
    /// The etcd program [default: $ETCD, else etcd on PATH]
    #[arg(long, value_name = "PROGRAM")]
    pub etcd: Option<PathBuf>,
    /// Exactly this version of etcd, or an error [default: $ETCD_VERSION, else any]
    #[arg(long, value_name = "VERSION")]
    pub etcd_version: Option<String>,
    /// Folder of recordings, beside which the members' data lie
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RESULTS_DIR)]
    pub dir: PathBuf,
    /// Folder for the members' data while the cluster is up [default: in DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Image of the containers [default: $ETCD_IMAGE, else the public one, else that of `make images`]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
}

/// What a cluster that stays up runs in, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UpKind {
    /// Processes in namespaces of their own: no Docker, no root
    Sandbox,
    /// Containers of the Docker engine on this machine
    Docker,
}

/// Which cluster that is up, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeptKind {
    /// The sandbox that is up, else the containers etcd0, etcd1, ...
    Auto,
    /// The sandbox
    Sandbox,
    /// The containers
    Docker,
}

/// `recorder down`.
#[derive(Debug, Args)]
pub struct DownCommand {
    /// Which cluster
    #[arg(long, value_enum, default_value = "auto")]
    pub cluster: KeptKind,
    /// Also remove the volumes that containers keep their data in; a sandbox's data go in any case
    #[arg(long)]
    pub volumes: bool,
}

pub(super) const FAULTS_HELP: &str = "\
A run refuses to begin where a fault stands that somebody put there, and clears what a killed
recorder left. These commands do both by hand, for the cluster that is up (containers that
docker-compose started too).

Exit codes:
  0    done
  1    a member's network could not be looked at
  3    no cluster is up";

/// `recorder faults`.
#[derive(Debug, Args)]
pub struct FaultsCommand {
    /// What to do
    #[command(subcommand)]
    pub action: FaultsAction,
}

/// What is done with faults.
#[derive(Debug, Subcommand)]
pub enum FaultsAction {
    /// Show the qdiscs and packet filter rules that stand in each member's network
    Show {
        /// Which cluster
        #[arg(long, value_enum, default_value = "auto")]
        cluster: KeptKind,
    },
    /// Remove the faults that a recorder left there
    Clear {
        /// Which cluster
        #[arg(long, value_enum, default_value = "auto")]
        cluster: KeptKind,
        /// Also remove qdiscs that others put there, as by `tc qdisc add dev eth0 root netem delay 100ms`
        #[arg(long)]
        all: bool,
    },
}

pub(super) const MEMBER_HELP: &str = "\
MEMBER is a name, leader, or follower (the second member unless it leads, then the third one).
They work on the sandbox that is up and on the containers etcd0, etcd1, ..., whoever started
those; a member can as well be stopped and started by docker, or by signals to its process.

Exit codes:
  0    done; restart: the member answers and knows a leader
  1    it could not be done; restart: the member does not come back
  2    no such member, or it makes no sense now (as resuming a member that is not paused)
  3    no cluster is up";

/// `recorder kill`, `restart`, `pause` or `resume`.
#[derive(Debug, Args)]
pub struct MemberCommand {
    /// The member: a name, leader, or follower
    #[arg(value_name = "MEMBER")]
    pub member: String,
    /// Which cluster
    #[arg(long, value_enum, default_value = "auto")]
    pub cluster: KeptKind,
}

/// `recorder exec`.
#[derive(Debug, Args)]
pub struct ExecCommand {
    /// Which cluster
    #[arg(long, value_enum, default_value = "auto")]
    pub cluster: KeptKind,
    /// Where in the cluster's network: client, or a member's name
    #[arg(long, value_name = "PLACE", default_value = "client")]
    pub at: String,
    /// The program and its arguments
    #[arg(value_name = "PROGRAM", required = true, trailing_var_arg = true)]
    pub program: Vec<OsString>,
}
