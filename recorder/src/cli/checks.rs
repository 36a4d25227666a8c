//! `recorder test`, as typed.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::kept::UpKind;

pub(super) const TEST_HELP: &str = "\
A cluster that is up already (recorder up, docker-compose) is tested and left up. Without one, a
cluster is brought up, tested and left up; --cleanup removes it. Tests write keys below
laggard/test/ and remove them; nobody else's keys are touched. The check member-failure kills
the leader and starts it again: it costs an election, and whoever is connected to that member is
disconnected (--skip member-failure leaves it out).

A check that cannot be made (a member does not answer; somebody else runs the cluster, so none
of its members can be killed) is reported as `not made`, and the test does not pass. With --skip
it is left out. One that failed while a leader was elected is made again, which is said.

Exit codes:
  0    every check passed
  1    some check failed or could not be made
  2    a wrong argument
  3    there is no cluster to test: this machine lacks something, or no endpoint answers
  130  a signal ended the test; a killed member was started again, and its keys were removed

Examples:
  recorder test
  recorder test --nodes 5 --once --json
  NODES=3 ETCD_VERSION=3.5.1 recorder test --etcd ~/etcd-3.5.1/etcd
  recorder test --endpoints localhost:2379,localhost:2380,localhost:2381 --skip member-failure
  recorder test --cleanup";

/// `recorder test`.
#[derive(Debug, Args)]
pub struct TestCommand {
    /// Number of members [default: $NODES, else those of the cluster that is up, else 3]
    #[arg(long, value_name = "N", value_parser = node_count())]
    pub nodes: Option<u8>,
    /// What the cluster runs in [default: whichever is up, else a sandbox]
    #[arg(long, value_enum)]
    pub cluster: Option<UpKind>,
    /// One JSON object on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Leave a check out; repeat it for several
    #[arg(long, value_enum, value_name = "CHECK")]
    pub skip: Vec<CheckName>,
    /// Bring a cluster up, test it, and remove it
    #[arg(long, conflicts_with = "cleanup")]
    pub once: bool,
    /// Remove the cluster that was left up, and test nothing
    #[arg(long, conflicts_with_all = ["nodes", "json", "skip", "etcd", "etcd_version", "image", "dir", "endpoints"])]
    pub cleanup: bool,
    /// Test the members at these addresses, which somebody else runs: host:port, separated by commas
    #[arg(
        long,
        value_name = "HOST:PORT,...",
        conflicts_with_all = ["cluster", "once", "etcd", "image", "dir"]
    )]
    pub endpoints: Option<String>,
    /// The etcd program [default: $ETCD, else etcd on PATH]
    #[arg(long, value_name = "PROGRAM")]
    pub etcd: Option<PathBuf>,
    /// Exactly this version of etcd, or an error [default: $ETCD_VERSION, else any]
    #[arg(long, value_name = "VERSION")]
    pub etcd_version: Option<String>,
    /// Image of the containers [default: $ETCD_IMAGE, else the public one, else that of `make images`]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Folder of recordings, beside which the members' data lie [default: etcd_bench_results]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// The checks of a cluster, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckName {
    /// Every member answers, all agree on one leader and term, and none raises an alarm
    Members,
    /// What is written through one member is read through every other
    Consistency,
    /// Every member holds the same content at the same revision (HashKV)
    Replication,
    /// A lease's key lives, is kept alive, expires on time, and goes when the lease is revoked
    Lease,
    /// Transactions are all or nothing, and concurrent compare-and-swap counters lose nothing
    Transaction,
    /// Watchers on all members see all events, in order, none twice
    Watch,
    /// Writes go on when the leader is killed, nothing acknowledged is lost, and the member catches up
    MemberFailure,
}

/// Sizes of the clusters that are tested.
const NODE_COUNTS: [&str; 3] = ["3", "5", "7"];

fn node_count() -> impl TypedValueParser<Value = u8> {
    PossibleValuesParser::new(NODE_COUNTS).map(|count| count.parse().expect("they are numbers"))
}

/// The same for a count that was not typed.
pub fn parse_node_count(text: &str) -> Option<u8> {
    NODE_COUNTS.contains(&text).then(|| text.parse().ok()).flatten()
}

impl std::fmt::Display for CheckName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value().expect("none is skipped");
        f.pad(value.get_name())
    }
}
