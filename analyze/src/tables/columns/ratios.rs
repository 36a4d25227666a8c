//! Tables that put numbers in relation: delta, severity and compare.

use super::{Documented, DocumentedTable, column};
use crate::tables::delta;

pub(super) const DELTA: DocumentedTable = DocumentedTable {
    name: "delta",
    from: "analyze delta",
    row: "one row a label (with --by run a run), kind and comparison",
    placeholders: &[("{metric}", &delta::METRICS)],
    columns: &[DELTA_WHAT, DELTA_NUMBERS],
};

const DELTA_WHAT: &[Documented] = &[
    column("run", "text", "name of the run folder; with --by run only"),
    column("label", "text", "the runs' label"),
    column("family", "text", "the label with the fault's value replaced by #"),
    column("sweep", "text", "id of the sweep; null outside of one"),
    column("repeat", "number", "number of the repeat, from 1; with --by run only"),
    column("role", "text", "experiment, baseline or control"),
    column("fault", "text", "what was done to packets, as in delay 20ms; null without a fault"),
    column("fault_value", "number", "the fault's size: ms of delay, percent of loss, Mbit/s of rate"),
    column("kind", "text", "kind of operation, as in summary"),
    column(
        "compared",
        "text",
        "during/before, after/before or during/baseline; a baseline's are between its thirds and against the others",
    ),
    column("runs", "count", "repeats that are pooled; with --by label only"),
    column(
        "runs_ok",
        "count",
        "repeats in which something was acknowledged, of which the times are; with --by label only",
    ),
    column("leader_changes", "count", "changes of leader after time 0, over all runs of the row"),
    column("baselines", "count", "runs that it is compared with; null where a run is compared with itself"),
    column(
        "interval",
        "text",
        "what the intervals of the row are: between-run, within-run, or null where there are none",
    ),
    column("ok", "count", "acknowledged operations under (or after) the fault"),
    column("ok_reference", "count", "acknowledged operations in what it is compared with"),
];

const DELTA_NUMBERS: &[Documented] = &[
    column("{metric}", "as its name says", "the value under (or after) the fault; of repeats the geometric mean"),
    column("{metric}_reference", "as its name says", "what it is compared with; of several the geometric mean"),
    column("{metric}_difference", "as its name says", "value less reference; of several the mean"),
    column("{metric}_difference_low", "as its name says", "lower end of its 95 % interval; null where there is none"),
    column("{metric}_difference_high", "as its name says", "upper end"),
    column(
        "{metric}_ratio",
        "factor",
        "value by reference; of repeats the geometric mean; null where the reference, or the value of some repeats only, is 0",
    ),
    column("{metric}_ratio_low", "factor", "lower end of its 95 % interval: over repeats or, with one run, within it"),
    column("{metric}_ratio_high", "factor", "upper end"),
    column("{metric}_noise", "factor", "noise floor: the largest ratio, or its inverse, of runs that should show none"),
    column("{metric}_within_noise", "yes/no", "whether the ratio is no further from 1 than the noise floor"),
    column("{metric}_p", "share", "two-sided p value of the t test behind a between-run interval"),
    column("{metric}_p_holm", "share", "the same by Holm's correction over the sweep's experiments"),
    column("{metric}_significant", "yes/no", "whether that is below 0.05 and the ratio outside of the noise floor"),
];

pub(super) const COMPARE: DocumentedTable = DocumentedTable {
    name: "compare",
    from: "analyze compare",
    row: "one row a kind, part and metric that both runs have",
    placeholders: &[],
    columns: &[COMPARE_COLUMNS],
};

const COMPARE_COLUMNS: &[Documented] = &[
    column("a", "text", "name of the first run's folder"),
    column("b", "text", "name of the second one's"),
    column("kind", "text", "kind of operation, as in summary"),
    column(
        "compared",
        "text",
        "during/before or after/before, the effect being a ratio; during or all, the effect being the level",
    ),
    column("metric", "text", "ops_per_s, response_p50_ms or response_p99_ms"),
    column("effect_a", "number", "effect in A: a ratio, or a level in the metric's unit"),
    column("effect_b", "number", "effect in B"),
    column("ratio", "factor", "effect_b / effect_a"),
    column("ratio_low", "factor", "lower end of its 95 % interval within the two runs (block bootstrap in time)"),
    column("ratio_high", "factor", "upper end; null where a phase is shorter than three seconds"),
    column("margin", "factor", "what counts as the same: --margin, or the noise floor where that is larger"),
    column("verdict", "text", "agree, differ or cannot tell"),
];

pub(super) const COMPARE_SETS: DocumentedTable = DocumentedTable {
    name: "compare-sets",
    from: "analyze compare, of sets of runs",
    row: "one row a label, kind, part and metric that both sets have",
    placeholders: &[],
    columns: &[COMPARE_SETS_COLUMNS],
};

const COMPARE_SETS_COLUMNS: &[Documented] = &[
    column("a", "text", "the first set: a run, results folder, sweep, or labels"),
    column("b", "text", "the second one"),
    column("label_a", "text", "what is compared of the first set"),
    column("label_b", "text", "what it is compared with; mostly the same label"),
    column("sweeps_a", "text", "ids of the sweeps that the runs of A are of, with commas between; null outside of any"),
    column("sweeps_b", "text", "ids of the sweeps that the runs of B are of"),
    column("kind", "text", "kind of operation, as in summary"),
    column(
        "compared",
        "text",
        "during/before, after/before or during/baseline, the effect being a ratio (of not_ok_share a difference); during or all, the \
         effect being the level",
    ),
    column("metric", "text", "name of the metric, as in delta"),
    column("runs_a", "count", "runs of A; those in which the leader changed have rows of their own"),
    column("runs_b", "count", "runs of B"),
    column("lost_a", "count", "runs of A that acknowledged nothing"),
    column("lost_b", "count", "runs of B that acknowledged nothing"),
    column("leader_changes_a", "count", "changes of leader over all runs of A"),
    column("leader_changes_b", "count", "changes of leader over all runs of B"),
    column(
        "effect_a",
        "number",
        "effect in A, geometric mean over its runs: a ratio, or a level in the metric's unit; times of the runs that acknowledged \
         something; of throughput 0 where no run did, null where some did not",
    ),
    column("effect_a_low", "number", "lower end of its 95 % interval; null where there is none"),
    column("effect_a_high", "number", "upper end"),
    column("effect_b", "number", "effect in B"),
    column("effect_b_low", "number", "lower end of its 95 % interval"),
    column("effect_b_high", "number", "upper end"),
    column("difference", "number", "effect_b - effect_a"),
    column("difference_low", "number", "lower end of its 95 % interval"),
    column("difference_high", "number", "upper end"),
    column("ratio", "factor", "effect_b / effect_a; null of not_ok_share, whose verdict is from the difference"),
    column("ratio_low", "factor", "lower end of its 95 % interval"),
    column("ratio_high", "factor", "upper end"),
    column(
        "interval",
        "text",
        "between-run; within-run where one of the two has a single run; null where there is none",
    ),
    column("margin", "number", "what counts as the same: --margin, a factor; of not_ok_share a difference of 0.01"),
    column("noise", "factor", "noise floor, the larger one of both sets; null where there is none"),
    column("verdict", "text", "agree, differ (outside of the noise floor too) or cannot tell"),
    column(
        "because",
        "text",
        "what else that is from: runs that acknowledged nothing, or the noise floor; null where nothing",
    ),
];

pub(super) const SEVERITY: DocumentedTable = DocumentedTable {
    name: "severity",
    from: "analyze severity",
    row: "one row a family, target, kind, comparison, metric and value of the fault",
    placeholders: &[],
    columns: &[CURVE, SEVERITY_COLUMNS],
};

const CURVE: &[Documented] = &[
    column("sweep", "text", "id of the sweep; null outside of one"),
    column("family", "text", "the label with the fault's value replaced by #"),
    column("target", "text", "whom the fault hit, as asked, as in leader"),
    column("fault_kind", "text", "delay, loss or rate"),
    column("kind", "text", "kind of operation, as in summary"),
    column("compared", "text", "during/before (mid) or during/baseline (full)"),
    column("metric", "text", "name of the metric, as in delta"),
    column("fault_unit", "text", "ms, percent or mbit_per_s: of the fault's values"),
];

const SEVERITY_COLUMNS: &[Documented] = &[
    column("fault_value", "fault_unit", "the fault's size"),
    column("runs", "count", "runs at this value; those in which the leader changed have rows of their own"),
    column("runs_lost", "count", "those of them that acknowledged nothing"),
    column("run_names", "text", "names of the runs, with commas between"),
    column("leader_changes", "count", "changes of leader in all of them"),
    column("value", "as metric", "geometric mean of the metric under the fault"),
    column("ratio", "factor", "geometric mean of the runs' ratios; null where one of them has none, or 0"),
    column("ratio_low", "factor", "lower end of its 95 % interval"),
    column("ratio_high", "factor", "upper end"),
    column("interval", "text", "between-run; within-run with one run or one baseline; null where there is none"),
    column("degradation_percent", "percent", "1 - ratio of a throughput, 1 - 1/ratio of a time"),
    column("degradation_low_percent", "percent", "lower end of its 95 % interval"),
    column("degradation_high_percent", "percent", "upper end"),
    column("noise", "factor", "noise floor, as in delta"),
    column("within_noise", "yes/no", "whether the ratio is no further from 1 than the noise floor"),
    column(
        "is_reversal",
        "yes/no",
        "less is lost than under a milder fault, beyond both intervals and the noise floor; null where that cannot be told",
    ),
    column("reversal_from", "fault_unit", "the value of that milder fault; 0 for none"),
    column("reversal_because", "text", "leader changed, where it did in runs of one of the two"),
];

pub(super) const CROSSINGS: DocumentedTable = DocumentedTable {
    name: "crossings",
    from: "analyze severity --crossings",
    row: "one row a family, target, kind, comparison, metric and threshold",
    placeholders: &[],
    columns: &[CURVE, CROSSINGS_COLUMNS],
};

const CROSSINGS_COLUMNS: &[Documented] = &[
    column("threshold_percent", "percent", "the degradation: --begins or --certain"),
    column("threshold_ratio", "factor", "the ratio that it is"),
    column(
        "crossing",
        "fault_unit",
        "the fault's value at which it is reached; null where no measured values enclose it",
    ),
    column("crossing_side", "text", "within the measured values, milder than all of them, or beyond them"),
    column("crossing_low", "fault_unit", "mild end of its 95 % interval; null where low_side is not within"),
    column("low_side", "text", "where that end lies, as crossing_side; null without an interval"),
    column(
        "crossing_high",
        "fault_unit",
        "severe end of its 95 % interval, or where nothing is acknowledged any more; null where high_side is not within",
    ),
    column("high_side", "text", "where that end lies"),
    column(
        "interval",
        "text",
        "between-run; within-run where some value has one run or baseline; null where there is none",
    ),
    column("values", "count", "measured values that the curve goes through"),
    column("value_mildest", "fault_unit", "the mildest of them"),
    column("value_severest", "fault_unit", "the most severe of them"),
    column("runs", "count", "runs on the curve"),
    column(
        "reversals",
        "text",
        "values at which less is lost than at milder ones, with commas between; null without any",
    ),
    column(
        "nothing_acknowledged",
        "text",
        "values at which runs acknowledged nothing, which are not on the curve: beyond may lie before them; null without any",
    ),
    column(
        "leader_changed",
        "text",
        "values with runs in which the leader changed, which are not on the curve; null without any",
    ),
];
