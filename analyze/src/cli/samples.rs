//! What is typed after `analyze samples`.

use clap::Args;

use super::{AnalysedArgs, TableArgs};
use crate::commands::{Command, Question, Samples};

/// What the columns and the metrics are, below the options.
pub(super) const HELP: &str = "\
One row for each second, member and metric: run, label, second (second s is [s, s + 1) after time 0), member, metric, \
unit, value. What was not sampled is null (CSV: empty), never 0. Counters of etcd are differences over the second, \
interpolated at its edges; over a gap of the samples and over a restart there is none.

Metrics: leads_share; status_median_ms, status_max_ms, status_unanswered (status requests, 10 a second); \
connect_median_ms, connect_max_ms, connect_unanswered (TCP connects across the member's link, 10 a second); \
raft_lag_median_entries, raft_lag_max_entries, raft_behind_max_ms (behind the leader; null for itself); \
unapplied_max_entries; db_size_mib; wal_fsyncs_per_s, wal_fsync_mean_ms, wal_fsync_p99_at_most_ms (edge of etcd's \
histogram bucket); backend_commits_per_s, backend_commit_mean_ms, backend_commit_p99_at_most_ms; peer_rtt_mean_ms (etcd \
probes its peers every 30 s or so); proposals_committed_per_s, proposals_pending, heartbeat_send_failures_per_s, \
slow_applies_per_s, leader_changes_seen; cpu_cores, memory_mib.";

#[derive(Debug, Args)]
pub(super) struct SamplesArgs {
    #[command(flatten)]
    runs: AnalysedArgs,
    /// Take only this metric; can be given several times
    #[arg(long = "metric", value_name = "METRIC")]
    metrics: Vec<String>,
    #[command(flatten)]
    output: TableArgs,
}

impl From<SamplesArgs> for Command {
    fn from(typed: SamplesArgs) -> Self {
        let output = typed.output.into_output();
        let question = Question::Samples(Samples { selection: typed.runs.into(), metrics: typed.metrics });
        Self::Table { question, output }
    }
}
