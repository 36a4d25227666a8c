//! Tables of what came of a fault: recovery, causes, verdicts.

use super::{Documented, DocumentedTable, column};

const RUN: &[Documented] = &[
    column("run", "text", "name of the run folder; where a row is a run"),
    column("label", "text", "the runs' label"),
    column("family", "text", "the label with the fault's value replaced by #"),
    column("sweep", "text", "id of the sweep; null outside of one"),
    column("repeat", "number", "number of the repeat, from 1; where a row is a run"),
    column("role", "text", "experiment, baseline or control"),
    column("fault", "text", "what was done to packets, as in delay 20ms; null without a fault"),
    column("fault_value", "number", "the fault's size: ms of delay, percent of loss, Mbit/s of rate"),
    column("leader_changes", "count", "changes of leader after time 0, over all runs of the row"),
];

pub(super) const RECOVERY: DocumentedTable = DocumentedTable {
    name: "recovery",
    from: "analyze recovery",
    row: "one row a label (with --by run a run) and kind of operation; numbers of a label are medians over its runs, of an \
          even number the mean of the two middle ones; those not seen rank last",
    placeholders: &[(
        "{time}",
        &["recovery", "first_write", "response_p50_recovery", "response_p99_recovery", "backlog_drained"],
    )],
    columns: &[RUN, RECOVERY_TIMES, RECOVERY_LEVELS],
};

const RECOVERY_TIMES: &[Documented] = &[
    column("kind", "text", "kind of operation, as in summary"),
    column("runs", "count", "repeats; where a row is a label"),
    column(
        "dipped",
        "yes/no or count",
        "whether throughput was low at any time from the fault on; of a label in how many runs",
    ),
    column(
        "{time}_s",
        "s",
        "time from the fault's end until it had recovered, see analyze recovery --help; null where censored",
    ),
    column(
        "{time}_censored",
        "yes/no",
        "whether it was not seen to recover, of a label in a middle run; null where there was nothing to see",
    ),
    column("{time}_lower_bound_s", "s", "how long it certainly took, where censored; of a label that of the median"),
    column("{time}_runs", "count", "runs that can have one; where a row is a label, as those below"),
    column("{time}_seen", "count", "runs of these in which it was seen"),
    column("{time}_least_s", "s", "shortest"),
    column("{time}_most_s", "s", "longest; null where some are censored"),
    column("{time}_seen_most_s", "s", "longest of those that were seen"),
    column("{time}_low_s", "s", "lower end of the 95 % interval of the median; null with fewer than six runs"),
    column("{time}_high_s", "s", "upper end; null also where it is censored"),
];

const RECOVERY_LEVELS: &[Documented] = &[
    column("before_ops_per_s", "ops/s", "acknowledged before the fault"),
    column("observed_s", "s", "length of what was recorded after the fault's end"),
    column(
        "ops_lost",
        "operations",
        "operations missing in low bins, from the fault's beginning to its recovery; to the end where censored",
    ),
    column("ops_caught_up", "operations", "those above the level before, until the recovery was held"),
    column("ops_missing", "operations", "what is missing in sum by then; negative where there were more than before"),
    column("residual_ops_per_s_ratio", "factor", "throughput after the recovery by that before, of the median bin"),
    column(
        "residual_response_p50_ratio",
        "factor",
        "median response time over all due likewise; null without an answer there",
    ),
    column("residual_response_p99_ratio", "factor", "99th percentile likewise"),
    column("backlog_before", "operations", "due and not ended before the fault (99th percentile); open loops only"),
    column("backlog_at_end", "operations", "due and not ended at the fault's end"),
    column("longest_gap_s", "s", "longest time between acknowledged writes, from the fault's beginning on"),
    column("longest_gap_from_s", "s", "its beginning after time 0; where a row is a run"),
    column("longest_gap_phase", "text", "phase in which most of it lies; where a row is a run"),
    column("longest_gap_censored", "yes/no", "whether no write was acknowledged after it; where a row is a run"),
    column("longest_gap_most_s", "s", "the longest gap of all runs; where a row is a label"),
    column("under_90_s", "s", "time from the fault's beginning on in low bins with less than 90 % of the level before"),
    column("under_50_s", "s", "the same with less than 50 %"),
    column("under_10_s", "s", "the same with less than 10 %"),
    column("unavailable_s", "s", "sum of gaps without an acknowledged write that are longer than a bin"),
    column("unavailable_censored", "yes/no", "whether the last of these had not ended; where a row is a run"),
    column("why", "text", "why there is no recovery, where there is none; where a row is a run"),
];

pub(super) const CAUSES: DocumentedTable = DocumentedTable {
    name: "causes",
    from: "analyze causes",
    row: "one row a run, member and sampled metric",
    placeholders: &[],
    columns: &[RUN, CAUSES_COLUMNS],
};

const CAUSES_COLUMNS: &[Documented] = &[
    column("member", "text", "the member's name; null for the cluster as a whole and for the host"),
    column("member_role", "text", "target where the fault hits it, leader where it led at injection, or follower"),
    column("seen_from", "text", "for connect times, the place from which they were taken"),
    column("is_faulted", "yes/no", "whether the fault is on the member, or on the link"),
    column("metric", "text", "what was sampled, its unit last, as in wal_fsync_p99_ms"),
    column("before", "number", "its value before the fault, in the metric's unit; null without enough samples"),
    column("during", "number", "under the fault"),
    column("after", "number", "after it"),
    column("all", "number", "in the whole run, without the warm-up"),
    column("least", "number", "the difference that is a trifle"),
    column("compared", "text", "during/before, or during/baseline where the fault lasts all the time"),
    column("reference", "number", "what during is compared with"),
    column("ratio", "factor", "during / reference; null where the reference is 0 or either is missing"),
    column("noise", "factor", "the largest such ratio of baselines and null faults; null where there are none"),
    column("judged", "text", "raised or normal; null where either side is missing"),
];

pub(super) const VERDICT: DocumentedTable = DocumentedTable {
    name: "verdict",
    from: "analyze verdict",
    row: "one row a label, a run or a sweep, as --by says",
    placeholders: &[
        ("{effect}", &["throughput", "response_p50", "response_p99"]),
        ("{latency}", &["response_p50", "response_p99"]),
    ],
    columns: &[RUN, VERDICT_COLUMNS, VERDICT_OF_SWEEP],
};

const VERDICT_COLUMNS: &[Documented] = &[
    column("sentence", "text", "the verdict"),
    column("kind", "text", "kind of operation that stands for the runs: all, or the only one"),
    column("compared", "text", "as in delta; null where there is nothing to compare with"),
    column("runs", "count", "runs of the row; of a sweep those with a fault whose effect is asked for"),
    column(
        "{effect}_ratio",
        "factor",
        "under the fault, by before or by the baselines; of p99 null where too few operations support it",
    ),
    column("{effect}_ratio_low", "factor", "lower end of its 95 % interval"),
    column("{effect}_ratio_high", "factor", "upper end"),
    column("{effect}_within_noise", "yes/no", "whether it is within the noise floor"),
    column("{effect}_significant", "yes/no", "as in delta; null where it was not tested"),
    column("interval", "text", "between-run or within-run; null where there are no intervals"),
    column("not_ok_share", "share", "operations not acknowledged under the fault, of those due"),
    column("not_ok_share_reference", "share", "the same in what it is compared with"),
    column("not_ok_p", "number", "p value that no larger share was lost: Fisher's exact test, one-sided"),
    column(
        "has_effect",
        "yes/no",
        "whether any of these is beyond the noise floor (without one: its whole interval beyond 1 and a hundredth), or more was \
         lost with a p below 0.01; null where that cannot be told",
    ),
    column("baselines", "count", "baselines that it is compared with; null where it is compared with itself"),
    column("clients", "text", "where the clients were"),
    column("leaderless_s", "s", "time without a leader in the whole run; of several runs the longest"),
    column("fsync_raised", "count", "runs in which fsync was raised"),
    column("fsync_judged", "count", "runs in which that could be judged"),
    column(
        "recovery_s",
        "s",
        "of throughput, as in recovery; null where the fault did not end, or no recovery was seen",
    ),
    column("recovery_lower_bound_s", "s", "how long recovery certainly took, where none was seen"),
    column("recovered", "count", "runs that recovered"),
    column("recovery_runs", "count", "runs that could have"),
    column("{latency}_recovery_s", "s", "of a latency likewise"),
    column("{latency}_recovery_lower_bound_s", "s", "how long that certainly took, where none was seen"),
    column("{latency}_recovered", "count", "runs in which it recovered"),
    column("{latency}_recovery_runs", "count", "runs in which it could have"),
    column("longest_gap_s", "s", "longest time without an acknowledged write, from the fault's beginning on"),
    column("client_saturated", "count", "runs in which the generator, not the cluster, was the limit"),
];

const VERDICT_OF_SWEEP: &[Documented] = &[
    column("labels", "count", "labels with a fault whose effect is asked for; of a sweep, as those below"),
    column("beyond_noise", "count", "labels of these with an effect beyond the noise floor"),
    column("significant", "count", "labels of these with a significant effect"),
    column(
        "not_comparable",
        "count",
        "labels of which it cannot be told: nothing to compare them with, or no noise floor",
    ),
    column(
        "worst",
        "text",
        "the one of these in which nothing was acknowledged; else that with the largest change of the 99th percentile, significant or not; else of the median, else of throughput",
    ),
    column("worst_response_p99_ratio", "factor", "its ratio of the 99th percentile"),
    column("worst_throughput_ratio", "factor", "its ratio of throughput"),
    column("controls", "count", "labels of controls"),
    column("controls_with_effect", "count", "labels of controls that show an effect, which they must not"),
    column("controls_cannot_tell", "count", "labels of controls of which that cannot be told"),
    column("leader_changed", "count", "labels in which the leader changed in some run"),
    column("not_recovered", "count", "labels of which some run was not seen to recover, by throughput or by a latency"),
];
