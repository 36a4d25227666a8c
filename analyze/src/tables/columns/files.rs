//! The files of a run folder.

use super::{Documented, DocumentedTable, column};

pub(super) const OPERATIONS: DocumentedTable = DocumentedTable {
    name: "operations",
    from: "operations.parquet of a run folder",
    row: "one row an operation that was due, also failed, timed-out and never-sent ones",
    placeholders: &[],
    columns: &[OPERATIONS_COLUMNS],
};

const OPERATIONS_COLUMNS: &[Documented] = &[
    column("op_id", "number", "number in order of becoming due, from 0, without gaps"),
    column("worker", "number", "worker that carried it out"),
    column("kind", "text", "put, get, get_serializable, txn (compare-and-swap) or delete"),
    column("intended_ns", "ns", "when it was due, after time 0; negative in the warm-up"),
    column("start_ns", "ns", "when it was sent; null for unsent ones"),
    column("end_ns", "ns", "when its answer came or it was given up"),
    column("outcome", "text", "ok; failed (certainly not done); unknown (may have been done); unsent"),
    column("error", "text", "why it was not acknowledged; null when it was"),
    column("endpoint", "number", "member asked, as an index into the manifest's members"),
    column("member", "number", "member that answered, likewise; null without an answer"),
    column("raft_term", "number", "Raft term in the answer"),
    column("revision", "number", "store revision in the answer"),
    column("key", "number", "index of the key"),
    column(
        "seen_mod_revision",
        "number",
        "revision of the key's last change as a read saw it, 0 when the key was absent",
    ),
    column("txn_succeeded", "yes/no", "whether a transaction's comparison held"),
    column("value_bytes", "bytes", "bytes of value written or read"),
];

pub(super) const FAULTS: DocumentedTable = DocumentedTable {
    name: "faults",
    from: "faults.parquet of a run folder",
    row: "one row a fault and member that it was to hit",
    placeholders: &[],
    columns: &[FAULTS_ASKED, FAULTS_WHEN, FAULTS_EVIDENCE],
};

const FAULTS_ASKED: &[Documented] = &[
    column("fault_id", "number", "number of the row, from 0"),
    column("kind", "text", "delay, loss, rate, pass or null"),
    column("delay_us", "us", "mean delay asked for"),
    column("jitter_us", "us", "jitter asked for"),
    column("distribution", "text", "distribution of the jitter asked for: uniform, normal, pareto or paretonormal"),
    column("loss_percent", "percent", "loss asked for"),
    column("rate_bit_per_s", "bit/s", "rate asked for"),
    column("target_asked", "text", "target as asked: leader, follower, all or a member's name"),
    column("target", "number", "member that was hit, as an index into the manifest's members"),
    column("role", "text", "role of that member at injection: leader or follower"),
    column("scope", "text", "all, peers or clients"),
    column(
        "peer",
        "number",
        "the only other member whose traffic with the target was hit, as an index; null when all of it was",
    ),
    column("direction", "text", "egress, ingress or both"),
    column("mechanism", "text", "queue or netem"),
    column("commands", "text", "the exact rules or commands, one a line"),
];

const FAULTS_WHEN: &[Documented] = &[
    column("asked_ns", "ns", "start of the window as asked, after time 0"),
    column(
        "asked_clear_ns",
        "ns",
        "end of the window as asked; null while it is to last to an end that is not known yet",
    ),
    column("applied_ns", "ns", "when the fault was in force; null when it never was"),
    column("confirmed_ns", "ns", "when the evidence first showed it"),
    column("cleared_ns", "ns", "when it was no longer in force"),
    column("clear_confirmed_ns", "ns", "when the evidence first showed that it was gone"),
];

const FAULTS_EVIDENCE: &[Documented] = &[
    column(
        "confirmed",
        "yes/no",
        "whether the evidence shows that the fault did what was asked; null when that was not judged",
    ),
    column("evidence", "text", "the judgement in a sentence"),
    column("probe_before_us", "us", "median TCP connect time across the faulted link before the window"),
    column("probe_during_us", "us", "the same during the window"),
    column("probe_after_us", "us", "the same after it"),
    column("probe_untouched_us", "us", "median TCP connect time across an untouched link during the window"),
    column("probe_count", "count", "connect attempts across the faulted link during the window"),
    column("probe_timeouts", "count", "those without an answer in time"),
    column("packets_matched", "count", "packets that the rule matched, by the kernel's counter"),
    column("packets_received", "count", "packets that reached the queue shaper, or that netem passed on or dropped"),
    column("packets_dropped", "count", "packets that were dropped on purpose"),
    column("packets_overflowed", "count", "packets that were dropped because the queue was full, which fails the run"),
    column("bytes_passed", "bytes", "bytes that the netem qdisc passed on"),
    column("backlog_max", "count", "largest number of packets seen waiting in the netem qdisc"),
    column("hold_mean_us", "us", "mean time that the queue shaper held a packet"),
    column("hold_max_us", "us", "longest time that it held one"),
    column("loss_low_percent", "percent", "lower end of the 99.9 % Wilson interval of the drop probability"),
    column("loss_high_percent", "percent", "upper end"),
];

pub(super) const SAMPLES: DocumentedTable = DocumentedTable {
    name: "samples.parquet",
    from: "samples.parquet of a run folder",
    row: "one row a measured value",
    placeholders: &[],
    columns: &[SAMPLES_COLUMNS],
};

const SAMPLES_COLUMNS: &[Documented] = &[
    column("time_ns", "ns", "when, after time 0"),
    column("member", "number", "member, as an index into the manifest's members; null for the recorder and the host"),
    column("metric", "text", "what was measured; metrics of a member's /metrics page keep etcd's own names"),
    column("label", "text", "etcd's labels where the metric has them, as in le=0.001"),
    column("value", "number", "the value, in the metric's own unit"),
];

pub(super) const FINAL_STATE: DocumentedTable = DocumentedTable {
    name: "final_state",
    from: "final_state.parquet of a run folder",
    row: "one row a key that was there at the end",
    placeholders: &[],
    columns: &[FINAL_STATE_COLUMNS],
};

const FINAL_STATE_COLUMNS: &[Documented] = &[
    column("key", "number", "index of the key"),
    column("create_revision", "number", "revision at which it was last created"),
    column("mod_revision", "number", "revision of its last modification"),
    column("version", "count", "writes since its last creation, which counts too"),
];
