//! Recovery for people.

use polars::prelude::*;

use super::{Rule, times_of};
use crate::output::text::{Column as Shown, TextTable};
use crate::tables::delta::main_kind;

/// The table of runs for people; all columns with `wide`.
///
/// # Errors
/// [`PolarsError`] when `recovery` is not made of results of [`super::table`].
pub fn text_by_run(recovery: &DataFrame, wide: bool, rule: &Rule) -> PolarsResult<TextTable> {
    if wide {
        return TextTable::new(recovery, &Shown::all(recovery, "run"), Some("run"));
    }
    let main = Main::of(recovery)?;
    let mut shown = with_common(&main.rows)?;
    let (gap, phase) =
        (shown.column("longest_gap_s")?.f64()?.clone(), shown.column("longest_gap_phase")?.str()?.clone());
    let censored = shown.column("longest_gap_censored")?.bool()?.clone();
    let gaps: Vec<Option<String>> = (0..shown.height())
        .map(|row| {
            let mark = if censored.get(row) == Some(true) { "> " } else { "" };
            let initial = phase.get(row).unwrap_or_default().get(..1).unwrap_or_default();
            Some(format!("{mark}{} {initial}", seconds(gap.get(row)?)))
        })
        .collect();
    shown.with_column(Column::new("gap".into(), gaps))?;
    let dipped = main.rows.column("dipped")?.bool()?;
    let recovered = shown.column("recovery")?.str()?.clone();
    let recovered: Vec<Option<&str>> = recovered
        .iter()
        .zip(dipped.iter())
        .map(|(text, dipped)| if dipped == Some(false) && text == Some("0.00") { Some("no dip") } else { text })
        .collect();
    shown.with_column(Column::new("recovery".into(), recovered))?;
    let mut columns = vec![Shown::new("run", "run")];
    columns.extend(has_changes(&shown)?.then(|| Shown::new("leader_changes", "ldr")));
    columns.extend(common_columns());
    let mut text = TextTable::new(&shown, &columns, None)?;
    notes(&mut text, rule, &main);
    text.note(
        "no write: the longest time without an acknowledged one, most of it b before, d during, a after the fault",
    );
    let mut reasons: Vec<&str> = main.rows.column("why")?.str()?.iter().flatten().collect();
    reasons.sort_unstable();
    reasons.dedup();
    if !reasons.is_empty() {
        text.note(&format!("- where there is no recovery: {}", reasons.join("; ")));
    }
    Ok(text)
}

/// The table of labels for people; all columns with `wide`.
///
/// # Errors
/// [`PolarsError`] when `recovery` is not the result of [`super::by_label`].
pub fn text_by_label(recovery: &DataFrame, wide: bool, rule: &Rule) -> PolarsResult<TextTable> {
    if wide {
        let columns = [vec![Shown::new("label", "label")], Shown::all(recovery, "family")].concat();
        return TextTable::new(recovery, &columns, Some("family"));
    }
    let main = Main::of(recovery)?;
    let mut shown = with_common(&main.rows)?;
    let count = |name: &str| -> PolarsResult<Vec<u64>> {
        Ok(main.rows.column(name)?.u64()?.iter().map(|count| count.unwrap_or(0)).collect())
    };
    let (can, seen, dipped) = (count("recovery_runs")?, count("recovery_seen")?, count("dipped")?);
    let recovered: Vec<Option<String>> = (0..main.rows.height())
        .map(|row| match (can[row], seen[row]) {
            (0, _) => None,
            (can, seen) if seen == can && dipped[row] == 0 => Some("no dip".to_owned()),
            (can, seen) => {
                // Without a dip there was nothing to come back from.
                let flat = can.saturating_sub(dipped[row]);
                Some(format!("{} of {}", seen.saturating_sub(flat), can - flat))
            }
        })
        .collect();
    shown.with_column(Column::new("recovered".into(), recovered))?;
    shown.with_column(Column::new("dipped_shown".into(), dipped))?;
    let text_of =
        |name: &str| -> PolarsResult<Vec<Option<f64>>> { Ok(main.rows.column(name)?.f64()?.iter().collect()) };
    let longest: Vec<Option<String>> = text_of("longest_gap_most_s")?.into_iter().map(|s| s.map(seconds)).collect();
    shown.with_column(Column::new("gap".into(), longest))?;
    let mut columns = vec![Shown::new("label", "label"), Shown::new("runs", "runs")];
    columns.extend(has_changes(&shown)?.then(|| Shown::new("leader_changes", "ldr")));
    columns.push(Shown::new("dipped_shown", "dip"));
    columns.push(Shown::new("recovered", "came back").right());
    columns.extend(common_columns());
    let mut text = TextTable::new(&shown, &columns, None)?;
    notes(&mut text, rule, &main);
    text.note(
        "medians over the runs of a label, of an even number the mean of the middle two. Those not seen rank last;",
    );
    text.note("  where a middle one was not seen, neither is the median. no write: the longest of all its runs");
    text.note("dip: runs in which throughput was low from the fault on; came back: of these");
    Ok(text)
}

const BACK: &str = "back to normal after, s";

/// The rows of the kind that stands for all operations.
struct Main {
    rows: DataFrame,
    kind: String,
    has_others: bool,
}

impl Main {
    /// A run's own: runs need not have the same kinds.
    fn of(recovery: &DataFrame) -> PolarsResult<Self> {
        let kinds = recovery.column("kind")?.str()?;
        let kind = main_kind(kinds);
        let has_others = kinds.iter().flatten().any(|other| other != kind);
        let rows = recovery.filter(&kinds.iter().map(|other| Some(other == Some(kind.as_str()))).collect())?;
        Ok(Self { rows, kind, has_others })
    }
}

/// Adds the columns that people see.
fn with_common(rows: &DataFrame) -> PolarsResult<DataFrame> {
    let mut shown = rows.clone();
    for (name, column) in [
        ("recovery", "recovery"),
        ("first_write", "first_write"),
        ("response_p50_recovery", "p50"),
        ("response_p99_recovery", "p99"),
        ("backlog_drained", "backlog"),
    ] {
        let texts: Vec<Option<String>> = times_of(rows, name)?
            .into_iter()
            .map(|took| {
                took.map(|took| match took.s() {
                    Some(s) => seconds(s),
                    None => format!("> {}", seconds(took.bound_s().unwrap_or(0.0))),
                })
            })
            .collect();
        shown.with_column(Column::new(column.into(), texts))?;
    }
    let number = |name: &str, of: fn(f64) -> String| -> PolarsResult<Column> {
        let texts: Vec<Option<String>> = rows.column(name)?.f64()?.iter().map(|value| value.map(of)).collect();
        Ok(Column::new(format!("{name}_shown").into(), texts))
    };
    for (name, of) in [
        ("ops_lost", (|ops| format!("{ops:.0}")) as fn(f64) -> String),
        ("ops_caught_up", |ops| format!("{ops:.0}")),
        ("residual_ops_per_s_ratio", |ratio| format!("x{ratio:.2}")),
        ("under_50_s", |s| format!("{s:.1}")),
    ] {
        shown.with_column(number(name, of)?)?;
    }
    Ok(shown)
}

fn common_columns() -> Vec<Shown> {
    let back = |name: &str, heading: &str| Shown::new(name, heading).under(BACK).right();
    vec![
        back("recovery", "ops/s"),
        back("p50", "p50"),
        back("p99", "p99"),
        back("backlog", "backlog"),
        back("first_write", "write"),
        Shown::new("ops_lost_shown", "lost").under("operations").right(),
        Shown::new("ops_caught_up_shown", "made up").under("operations").right(),
        Shown::new("residual_ops_per_s_ratio_shown", "after").right(),
        Shown::new("under_50_s_shown", "<50 %").under("for so long, s").right(),
        Shown::new("gap", "no write").under("for so long, s").right(),
    ]
}

fn notes(text: &mut TextTable, rule: &Rule, main: &Main) {
    if main.has_others {
        text.note(&format!("kind of operation: {}; each of them: --wide", main.kind));
    }
    text.note(&format!(
        "back to normal: from the fault's end until {} % of the throughput before, less noise, was held for {} s; \
         p50, p99: response times as in the worst bin before; backlog: no more due and unanswered than before; \
         write: the first acknowledgement of one that was sent after the fault's end",
        rule.share_percent, rule.hold_s
    ));
    text.note("> : not seen within the recording, and so certainly longer. lost, made up: against the level before");
    text.note("after: throughput after the recovery, relative to before; <50 %: under half of it. ldr: leader changes");
    text.note("runs without a fault are taken as if there had been one in their middle third: they show the noise");
}

fn has_changes(rows: &DataFrame) -> PolarsResult<bool> {
    Ok(rows.column("leader_changes")?.u64()?.max().is_some_and(|most| most > 0))
}

/// Seconds as people read them.
fn seconds(s: f64) -> String {
    match s {
        10.0.. => format!("{s:.1}"),
        _ => format!("{s:.2}"),
    }
}
