//! `recorder bench`: what can be typed.

use std::path::PathBuf;

use clap::Args;
use run_folder::DEFAULT_RESULTS_DIR;

use super::kept::KeptKind;

pub(super) const BENCH_HELP: &str = "\
Three workloads follow each other on one cluster: puts; linearizable gets of the same keys; and
transactions that compare a key's revision and swap its value. Each has the same number of
operations (or the same time) after a short warm-up of its own, spread over all members in turn.
Latency is that of acknowledged operations, from when each was due to its answer.

Without --endpoints it is the cluster that is up that is measured (`recorder up`, or containers
etcd0, etcd1, ...): a sandbox from inside its network. Where none is up, a sandbox of its own is
made and removed.

Keys begin with laggard/bench/. In a cluster that stays up they are removed before and after the
benchmark, also when it is interrupted, and nothing else is touched; so one benchmark at a time
on a cluster. After kill -9 the next one removes them. History stays until the cluster compacts.

With --record each workload leaves a run folder (bench_put, bench_get, bench_txn), because one
folder holds one workload; `analyze` reads them as any others.

Exit codes:
  0    measured
  1    a workload failed, or no operation of some kind was acknowledged
  2    a wrong argument
  3    no endpoint answers, or this machine lacks something
  130  a signal ended it; its keys, and a cluster of its own, are removed

Examples:
  recorder bench
  recorder bench --endpoints localhost:2379,localhost:2380 --operations 50000 --concurrency 200
  recorder bench --rate 500 --duration 30s --record
  recorder bench --json | jq .results.put.latency.p99_ms";

/// `recorder bench`.
#[derive(Debug, Args)]
pub struct BenchCommand {
    /// Members to measure, as in localhost:2379,localhost:2380; operations ask all of them in turn
    #[arg(
        long,
        value_name = "HOST:PORT,...",
        conflicts_with_all = ["cluster", "nodes", "etcd", "etcd_version", "data_dir", "image"],
        help_heading = "Cluster"
    )]
    pub endpoints: Option<String>,
    /// Also load endpoints on other machines: only where that disturbs nobody
    #[arg(long, requires = "endpoints", help_heading = "Cluster")]
    pub allow_remote: bool,
    /// Which cluster: the one of this kind that is up, else one that is made
    #[arg(long, value_enum, default_value = "auto", help_heading = "Cluster")]
    pub cluster: KeptKind,
    /// Number of members, 3 to 7, of a cluster that is made [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(3..=7), help_heading = "Cluster")]
    pub nodes: Option<u8>,
    /// The etcd program of a sandbox that is made [default: $ETCD, else etcd on PATH]
    #[arg(long, value_name = "PROGRAM", help_heading = "Cluster")]
    pub etcd: Option<PathBuf>,
    /// Exactly this version of etcd, or an error [default: $ETCD_VERSION, else any]
    #[arg(long, value_name = "VERSION", help_heading = "Cluster")]
    pub etcd_version: Option<String>,
    /// Folder for the members' data of a sandbox that is made [default: in DIR]
    #[arg(long, value_name = "DIR", help_heading = "Cluster")]
    pub data_dir: Option<PathBuf>,
    /// Image of containers that are made [default: $ETCD_IMAGE, else the public one, else that of `make images`]
    #[arg(long, value_name = "IMAGE", help_heading = "Cluster")]
    pub image: Option<String>,
    /// Operations of each kind, warm-up not counted [default: 1000 unless --duration is given]
    #[arg(long, allow_negative_numbers = true, value_name = "N", help_heading = "Workload")]
    pub operations: Option<u64>,
    /// Time for each kind, in seconds or with a unit; with --operations, whichever ends first
    #[arg(long, value_name = "TIME", help_heading = "Workload")]
    pub duration: Option<String>,
    /// Operations that become due per second, whatever the answers do (open loop)
    #[arg(long, allow_negative_numbers = true, value_name = "N", help_heading = "Workload")]
    pub rate: Option<f64>,
    /// Clients at once: workers of a closed loop, or the cap of an open loop [default: 16; open loop: 512]
    #[arg(long, allow_negative_numbers = true, value_name = "N", help_heading = "Workload")]
    pub concurrency: Option<u32>,
    /// Connections to each member, shared by the clients
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 1, help_heading = "Workload")]
    pub connections: u32,
    /// Length of a key in bytes, its prefix laggard/bench/ included
    #[arg(long, allow_negative_numbers = true, value_name = "BYTES", default_value_t = 32, help_heading = "Workload")]
    pub key_size: u32,
    /// Length of a value in bytes
    #[arg(long, allow_negative_numbers = true, value_name = "BYTES", default_value_t = 256, help_heading = "Workload")]
    pub value_size: u32,
    /// Time after which an operation without an answer is given up, counted from when it was due
    #[arg(long, value_name = "TIME", default_value = "5s", help_heading = "Workload")]
    pub deadline: String,
    /// Load of each kind before it is measured
    #[arg(long, value_name = "TIME", default_value = "500ms", help_heading = "Workload")]
    pub warm_up: String,
    /// Source of all randomness [default: drawn]
    #[arg(long, value_name = "N", help_heading = "Workload")]
    pub seed: Option<u64>,
    /// Print the results as one JSON object; what is missing is null
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Leave a run folder for each kind in DIR
    #[arg(long, help_heading = "Output")]
    pub record: bool,
    /// Folder of recordings; without --record, where rows lie until the results are computed
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RESULTS_DIR, help_heading = "Output")]
    pub dir: PathBuf,
    /// Also write the latencies as an HdrHistogram log: an interval a kind, values in nanoseconds
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub hdr: Option<PathBuf>,
}
