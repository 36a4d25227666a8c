//! Tables that put numbers in relation: delta and compare.

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
        "value by reference; of repeats the geometric mean; null where the reference is 0",
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
