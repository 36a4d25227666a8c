//! Tables of what was measured: summary, throughput, distributions, latency over time.

use super::{Documented, DocumentedTable, column};

pub(super) const SUMMARY: DocumentedTable = DocumentedTable {
    name: "summary",
    from: "analyze summary",
    row: "one row a run, kind of operation and phase",
    placeholders: &[("{time}", &["service", "response"])],
    columns: &[RUN, GROUP, COUNTS, SUMMARY_TIMES],
};

pub(super) const THROUGHPUT: DocumentedTable = DocumentedTable {
    name: "throughput",
    from: "analyze throughput",
    row: "one row a run and second; with --by member also a member",
    placeholders: &[],
    columns: &[RUN, THROUGHPUT_COLUMNS],
};

pub(super) const CDF: DocumentedTable = DocumentedTable {
    name: "cdf",
    from: "analyze cdf",
    row: "one row a run, kind, phase, time and fraction of a dense grid",
    placeholders: &[],
    columns: &[RUN, CDF_COLUMNS],
};

pub(super) const LATENCY: DocumentedTable = DocumentedTable {
    name: "latency",
    from: "analyze plot --kind latency --format csv",
    row: "one row a run and bin of time, an operation in the bin in which it was due",
    placeholders: &[("{time}", &["response", "service"])],
    columns: &[RUN, LATENCY_COLUMNS],
};

pub(super) const PHASES: DocumentedTable = DocumentedTable {
    name: "phases",
    from: "analyze plot --kind phases --format csv",
    row: "one row a label, kind, phase, time and quantile; labels in which the leader changed apart",
    placeholders: &[],
    columns: &[PHASES_COLUMNS],
};

pub(super) const SAMPLES: DocumentedTable = DocumentedTable {
    name: "samples",
    from: "analyze samples",
    row: "one row a run, second, member and metric",
    placeholders: &[],
    columns: &[RUN, SAMPLES_COLUMNS],
};

const RUN: &[Documented] =
    &[column("run", "text", "name of the run folder"), column("label", "text", "the run's label; repeats share it")];

const GROUP: &[Documented] = &[
    column("kind", "text", "put, get, get_serializable, txn, delete; all where several kinds occur, or none"),
    column(
        "phase",
        "text",
        "warm_up, before, during, after by the measured edges of the fault; edge: too near to one of them; all is without the warm-up",
    ),
    column(
        "length_s",
        "s",
        "length of the phase without the guard bands at edges, of edge that of the bands; null where it is not known",
    ),
];

const COUNTS: &[Documented] = &[
    column("count", "count", "operations due: ok + failed + unknown + unsent"),
    column("ok", "count", "acknowledged operations"),
    column("failed", "count", "operations that were certainly not done"),
    column("unknown", "count", "operations that may have been done"),
    column("unsent", "count", "operations that were never sent"),
    column(
        "in_flight",
        "count",
        "operations due in the time of the phase and still under way at its end; those of before count in edge; null for edge",
    ),
    column(
        "ops_per_s",
        "ops/s",
        "acknowledged operations due in the time of the phase, per second of it; null for edge",
    ),
];

const SUMMARY_TIMES: &[Documented] = &[
    column("{time}_mean_ms", "ms", "mean over ok operations; service: end - start, response: end - intended"),
    column("{time}_p50_ms", "ms", "median, as every percentile nearest-rank: always a value that was measured"),
    column("{time}_p90_ms", "ms", "90th percentile"),
    column("{time}_p95_ms", "ms", "95th percentile"),
    column("{time}_p99_ms", "ms", "99th percentile"),
    column("{time}_p99_9_ms", "ms", "99.9th percentile"),
    column("{time}_max_ms", "ms", "maximum"),
    column(
        "response_due_p50_ms",
        "ms",
        "median response time over all operations due, those without an answer above all others",
    ),
    column(
        "response_due_p90_ms",
        "ms",
        "90th percentile likewise; the deadline (where not known the slowest answer), a lower bound, where the rank is without an answer",
    ),
    column("response_due_p95_ms", "ms", "95th percentile likewise"),
    column("response_due_p99_ms", "ms", "99th percentile likewise"),
    column("response_due_p99_9_ms", "ms", "99.9th percentile likewise"),
    column("response_due_max_ms", "ms", "maximum likewise"),
    column(
        "response_due_bound_from",
        "text",
        "first of the response_due columns that is a lower bound, as in p99; null when all are exact",
    ),
];

const THROUGHPUT_COLUMNS: &[Documented] = &[
    column("second", "s", "second s holds what ended in [s, s + 1) after time 0"),
    column("member", "text", "the member that was asked; with --by member only"),
    column("length_s", "s", "1, or less in the last second when the workload ended within it"),
    column("ok", "count", "acknowledged operations"),
    column("failed", "count", "operations that were certainly not done"),
    column("unknown", "count", "operations that may have been done"),
    column("unsent", "count", "operations that were never sent"),
    column("ops_per_s", "ops/s", "ok / length_s"),
    column(
        "not_ok_share",
        "share",
        "of what ended in that second, that was not acknowledged; null where nothing ended",
    ),
];

const PHASES_COLUMNS: &[Documented] = &[
    column("label", "text", "the label; repeats share it"),
    column("kind", "text", "kind of operation, as in summary"),
    column("leader_changed", "yes/no", "whether these are the label's runs in which the leader changed"),
    column("phase", "text", "before, during or after; baseline: the whole of runs without a fault"),
    column("time", "text", "response or service"),
    column("quantile", "text", "p50, p90, p99 or p99_9"),
    column("runs", "count", "runs whose phase has enough operations for the quantile"),
    column("ok", "count", "acknowledged operations of the phase in all runs"),
    column("value_ms", "ms", "geometric mean over the runs; null where there are none"),
    column("low_ms", "ms", "lower end of its 95 % t interval between runs; null with fewer than two"),
    column("high_ms", "ms", "upper end of the same"),
];

const SAMPLES_COLUMNS: &[Documented] = &[
    column("second", "s", "second s is [s, s + 1) after time 0"),
    column("member", "text", "the member"),
    column(
        "metric",
        "text",
        "what was sampled, as `analyze samples --help` lists it; counters are differences over the second",
    ),
    column("unit", "text", "the unit of the value"),
    column("value", "number", "the value; null where nothing was sampled"),
];

const CDF_COLUMNS: &[Documented] = &[
    column("kind", "text", "kind of operation, as in summary"),
    column("phase", "text", "phase, as in summary"),
    column("time", "text", "service, response or response_due (over all operations due)"),
    column("operations", "count", "operations that the distribution is over"),
    column("fraction", "share", "share of them that took no longer than value_ms"),
    column("value_ms", "ms", "nearest-rank quantile; null where the rank falls among operations without an answer"),
];

const LATENCY_COLUMNS: &[Documented] = &[
    column("from_s", "s", "start of the bin after time 0"),
    column("length_s", "s", "length of the bin"),
    column("ok", "count", "operations due in it that were acknowledged"),
    column("not_ok", "count", "the others that were due in it"),
    column("{time}_min_ms", "ms", "fastest of the ok operations; null in a bin without one"),
    column("{time}_p50_ms", "ms", "median"),
    column("{time}_p90_ms", "ms", "90th percentile"),
    column("{time}_p99_ms", "ms", "99th percentile"),
    column("{time}_max_ms", "ms", "slowest"),
];
