//! The list of runs.

use super::{Documented, DocumentedTable, column};

pub(super) const LIST: DocumentedTable = DocumentedTable {
    name: "list",
    from: "analyze list",
    row: "one row a run, also an unfinished or failed one",
    placeholders: &[],
    columns: &[IDENTITY, FAULT, WORKLOAD, COURSE],
};

const IDENTITY: &[Documented] = &[
    column("run", "text", "name of the run folder: the run's identity"),
    column("label", "text", "the run's label; repeats share it"),
    column("status", "text", "running, finished, or failed: and the reason"),
    column("started", "UTC", "wall-clock time of the run's time 0; null when it never came"),
    column("duration_s", "s", "end of the workload after time 0; null when it never came"),
];

const FAULT: &[Documented] = &[
    column("fault", "text", "what was done to packets, as in delay 20ms; null without a fault"),
    column("fault_kind", "text", "delay, loss, rate, pass or null"),
    column("fault_delay_ms", "ms", "delay asked for"),
    column("fault_loss_percent", "percent", "loss asked for"),
    column("fault_scope", "text", "all, peers or clients: whose packets were hit"),
    column("fault_peer", "text", "the only other member whose traffic was hit; null when all of it was"),
    column("fault_direction", "text", "egress, ingress or both, as the target sees it"),
    column("target", "text", "names of the members that it hit; as asked when it never hit one"),
    column("target_role", "text", "leader or follower at injection"),
    column("mechanism", "text", "netem or queue"),
    column("from_s", "s", "measured start of the fault after time 0"),
    column("to_s", "s", "measured end of the fault after time 0"),
    column("confirmed", "yes/no", "whether the evidence shows the fault; null when that was not judged"),
];

const WORKLOAD: &[Documented] = &[
    column("attachment", "text", "the members that clients ask"),
    column("pacing", "text", "closed (each worker waits for its answer), or even, constant, poisson (open loops)"),
    column("concurrency", "count", "workers; in an open loop the cap on operations under way"),
    column("connections", "count", "connections to each member"),
    column("rate_per_s", "ops/s", "operations due per second in an open loop"),
    column(
        "load_percent",
        "percent",
        "share of the measured capacity that was asked for; null where it was not asked so",
    ),
    column("client_saturated", "text", "why the generator, not the cluster, was the limit; null when it was not"),
];

const COURSE: &[Documented] = &[
    column("leader_start", "text", "member that led before the warm-up"),
    column("leader_injection", "text", "member that led when the fault was injected"),
    column("leader_end", "text", "member that led at the end"),
    column("operations", "count", "rows in operations.parquet, those of the warm-up too"),
    column("backend", "text", "how the members ran: sandbox, docker or endpoints"),
    column("etcd_version", "text", "what the members say of their version"),
    column("members", "count", "members of the cluster"),
    column("earlier_runs", "count", "runs that the same cluster had served before"),
    column("seed", "number", "source of the run's randomness"),
    column("warnings", "count", "warnings in the manifest"),
    column("sweep", "text", "id of the sweep; null outside of one"),
    column("number", "number", "number of the run in its sweep, from 1"),
    column("repeat", "number", "number of its repeat, from 1"),
    column("role", "text", "experiment, baseline, control or capacity"),
    column("reproduces", "text", "name of the run folder that it repeats"),
    column("imported", "text", "what it was imported from; null for recorded runs"),
];
