//! Tables of verdicts, and that of columns.

use super::{Documented, DocumentedTable, column};

pub(super) const CHECK: DocumentedTable = DocumentedTable {
    name: "check",
    from: "analyze check",
    row: "one row a run and check",
    placeholders: &[],
    columns: &[CHECK_COLUMNS],
};

const CHECK_COLUMNS: &[Documented] = &[
    column("run", "text", "name of the run folder"),
    column("label", "text", "the run's label"),
    column("check", "text", "the check's name"),
    column("guarantee", "text", "what is guaranteed when it holds"),
    column(
        "result",
        "text",
        "held, violated, not checkable (it cannot be told) or not applicable (nothing of the kind)",
    ),
    column("operations", "count", "operations that were checked"),
    column("kinds", "text", "how many of which kind"),
    column("violations", "count", "contradictions"),
    column("examples", "text", "the first of them, a line each; null where there are none"),
    column("detail", "text", "why it cannot be told, or what else is to be known"),
];

pub(super) const GATE: DocumentedTable = DocumentedTable {
    name: "gate",
    from: "analyze gate",
    row: "one row a rule and run, or a rule and label",
    placeholders: &[],
    columns: &[GATE_COLUMNS],
};

const GATE_COLUMNS: &[Documented] = &[
    column("rule", "text", "the rule's name; its text where it has none"),
    column("text", "text", "the rule's text"),
    column("of", "text", "run or label: what it was held against"),
    column("run", "text", "name of the run folder; null where repeats were judged together, or there was no run"),
    column("label", "text", "the label; null where there was no run"),
    column("runs", "count", "runs that were judged together"),
    column("leader_changes", "count", "changes of leader after time 0, over all runs of the row"),
    column("kind", "text", "kind of operation that the rule names; null for all together"),
    column("phase", "text", "phase that the rule is about"),
    column(
        "observed",
        "number",
        "the value, in unit; of repeats the geometric mean, of counts the mean, of shares over all operations together",
    ),
    column("observed_is_bound", "yes/no", "whether the value is only known to be at least that much"),
    column("observed_low", "number", "lower end of its 95 % interval, in unit; null where there is none"),
    column("observed_high", "number", "upper end likewise"),
    column("interval", "text", "between-run (over repeats) or within-run"),
    column("op", "text", "<=, <, >= or >"),
    column("limit", "number", "the limit, in unit; null where what it is relative to is missing"),
    column("limit_factor", "factor", "how many times what it is relative to; null where it is a number"),
    column("limit_of", "text", "what it is relative to: before, during, after, all or baseline"),
    column("unit", "text", "ms, s, ops/s, share or operations"),
    column("sure", "yes/no", "whether the whole interval has to keep the limit"),
    column("verdict", "text", "pass, fail or cannot tell"),
    column("why", "text", "what a reader should know about the verdict"),
];

pub(super) const COLUMNS: DocumentedTable = DocumentedTable {
    name: "columns",
    from: "analyze columns",
    row: "one row a column of a table",
    placeholders: &[],
    columns: &[COLUMNS_COLUMNS],
};

const COLUMNS_COLUMNS: &[Documented] = &[
    column("table", "text", "name of the table"),
    column("from", "text", "where it comes from, as one types it"),
    column("row", "text", "what a row of it is"),
    column("column", "text", "name of the column"),
    column("unit", "text", "its unit, or count, share (0 to 1), factor, number, text, yes/no, UTC"),
    column("meaning", "text", "what its values mean, and when they are null"),
];
