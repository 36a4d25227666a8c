//! Verdicts as a table, as Markdown for the summary of a CI job, and as JUnit XML.

use polars::prelude::*;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::evaluate::{Judged, Verdict};
use super::rule::{Limit, Unit};
use crate::output::markdown;
use crate::output::text::{Column as Shown, TextTable, number};
use crate::tables::delta::WITHIN_RUN;

/// The verdicts, one row for each rule and run, or rule and label. Columns:
///
/// - `rule`: its name, or its text where it has none; `text`: its text; `of`: `run` or `label`
/// - `run`: null where the repeats of a label were judged together, or where no run was there; `label`
/// - `runs`: number of runs; `leader_changes`: in all of them
/// - `kind`, `phase`: of the operations; `kind` is null for all kinds together
/// - `observed`: the value, in `unit` (`ms`, `s`, `ops/s`, `share`, `operations`); of repeats the geometric mean, of counts the
///   mean, of shares the one over all operations together; null where there is none
/// - `observed_is_bound`: whether it is only known to be at least that much
/// - `observed_low`, `observed_high`: its 95 % interval, of limits relative to something that of the ratio times what it is
///   relative to; null where there is none
/// - `interval`: `between-run` or `within-run`
/// - `op`, `limit`: what is demanded, the limit as a number in `unit`; null where it is relative to something that is
///   missing
/// - `limit_factor`, `limit_of`: what it is relative to and how many times; null where it is a number
/// - `sure`: whether the whole interval has to keep the limit
/// - `verdict`: `pass`, `fail` or `cannot tell`
/// - `why`
///
/// # Errors
/// [`PolarsError`] never in practice.
pub fn table(judged: &[Judged<'_>]) -> PolarsResult<DataFrame> {
    let text = |name: &str, of: &dyn Fn(&Judged<'_>) -> Option<String>| {
        Column::new(name.into(), judged.iter().map(of).collect::<Vec<_>>())
    };
    let number = |name: &str, of: &dyn Fn(&Judged<'_>) -> Option<f64>| {
        let finite = |row: &Judged<'_>| of(row).filter(|value| value.is_finite());
        Column::new(name.into(), judged.iter().map(finite).collect::<Vec<_>>())
    };
    let count = |name: &str, of: &dyn Fn(&Judged<'_>) -> u64| {
        Column::new(name.into(), judged.iter().map(of).collect::<Vec<_>>())
    };
    let is = |name: &str, of: &dyn Fn(&Judged<'_>) -> Option<bool>| {
        Column::new(name.into(), judged.iter().map(of).collect::<Vec<_>>())
    };
    let relative = |row: &Judged<'_>| match row.rule.condition.limit {
        Limit::Number(_) => None,
        Limit::Relative { factor, to } => Some((factor, to)),
    };
    DataFrame::new(
        judged.len(),
        vec![
            text("rule", &|row| Some(row.rule.name.clone())),
            text("text", &|row| Some(row.rule.text.clone())),
            text("of", &|row| Some(row.rule.of.as_str().to_owned())),
            text("run", &|row| row.run.clone()),
            text("label", &|row| row.label.clone()),
            count("runs", &|row| row.runs as u64),
            count("leader_changes", &|row| row.leader_changes as u64),
            text("kind", &|row| row.rule.condition.quantity.kind.map(str::to_owned)),
            text("phase", &|row| Some(row.rule.condition.quantity.phase.as_str().to_owned())),
            number("observed", &|row| row.observed),
            is("observed_is_bound", &|row| row.observed.map(|_| row.is_bound)),
            number("observed_low", &|row| Some(row.interval?.0)),
            number("observed_high", &|row| Some(row.interval?.1)),
            text("interval", &|row| Some(row.interval?.2.as_str().to_owned())),
            text("op", &|row| Some(row.rule.condition.op.as_str().to_owned())),
            number("limit", &|row| row.limit),
            number("limit_factor", &|row| Some(relative(row)?.0)),
            text("limit_of", &|row| Some(relative(row)?.1.as_str().to_owned())),
            text("unit", &|row| Some(row.rule.condition.quantity.unit.as_str().to_owned())),
            is("sure", &|row| Some(row.rule.is_sure)),
            text("verdict", &|row| Some(row.verdict.as_str().to_owned())),
            text("why", &|row| row.why.clone()),
        ],
    )
}

/// The verdict over all rules, in a sentence, as in `fail: of 5 verdicts 1 is fail and 1 is cannot tell`.
pub fn overall(judged: &[Judged<'_>]) -> String {
    let verdict = Verdict::overall(judged.iter().map(|row| row.verdict));
    let count = |wanted: Verdict| judged.iter().filter(|row| row.verdict == wanted).count();
    let of_others: Vec<String> = [(Verdict::Fail, "fail"), (Verdict::CannotTell, "cannot tell")]
        .into_iter()
        .filter_map(|(wanted, words)| {
            Some(count(wanted)).filter(|&count| count > 0).map(|count| format!("{count} {words}"))
        })
        .collect();
    let checks = if judged.len() == 1 { "verdict" } else { "verdicts" };
    match of_others.is_empty() {
        true => format!("{}: {} {checks}, all pass", verdict.as_str(), judged.len()),
        false => format!("{}: of {} {checks} {}", verdict.as_str(), judged.len(), of_others.join(", ")),
    }
}

/// A value with its unit, as in `12.35 ms`, `0.10 %` and `>= 5000 ms`.
fn with_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{} %", number(value * 100.0)),
        Unit::Count if value.fract() == 0.0 => format!("{value:.0}"),
        Unit::Count => number(value),
        unit => format!("{} {}", number(value), unit.as_str()),
    }
}

/// An interval, as in `1.053..2715 ms`.
fn between(low: f64, high: f64, unit: Unit) -> String {
    let high = with_unit(high, unit);
    let low = with_unit(low, unit);
    let number = low.split(' ').next().unwrap_or_default();
    format!("{number}..{high}")
}

/// The cells that people see of a verdict.
struct Words {
    what: String,
    is_changed: bool,
    observed: String,
    interval: String,
    limit: String,
}

impl Words {
    fn of(row: &Judged<'_>) -> Self {
        let unit = row.rule.condition.quantity.unit;
        let missing = || "-".to_owned();
        let what = match (&row.run, &row.label) {
            (Some(run), _) => run.clone(),
            (None, Some(label)) if row.runs > 1 => format!("{label}, {} runs", row.runs),
            (None, Some(label)) => label.clone(),
            (None, None) => missing(),
        };
        let bound = if row.is_bound { ">= " } else { "" };
        let of = match row.rule.condition.limit {
            Limit::Number(_) => String::new(),
            Limit::Relative { factor: 1.0, to } => format!(" ({})", to.as_str()),
            Limit::Relative { factor, to } => format!(" ({factor} x {})", to.as_str()),
        };
        let op = row.rule.condition.op.as_str();
        Self {
            what,
            is_changed: row.leader_changes > 0,
            observed: row.observed.map_or_else(missing, |value| format!("{bound}{}", with_unit(value, unit))),
            interval: row.interval.map_or_else(missing, |(low, high, _)| between(low, high, unit)),
            limit: row
                .limit
                .map_or_else(|| format!("{op} ?{of}"), |limit| format!("{op} {}{of}", with_unit(limit, unit))),
        }
    }

    /// The run or label where there is room for all words.
    fn what_in_full(&self) -> String {
        format!("{}{}", self.what, if self.is_changed { ", leader changed" } else { "" })
    }

    /// The interval with what it is over.
    fn interval_in_full(&self, row: &Judged<'_>) -> String {
        let of = row.interval.map_or_else(String::new, |(_, _, of)| format!(" {}", of.as_str()));
        format!("{}{of}", self.interval)
    }
}

/// How an interval within one run is marked in the table, as in other ones.
fn is_within_run(row: &Judged<'_>) -> bool {
    row.interval.is_some_and(|(_, _, of)| of.as_str() == WITHIN_RUN)
}

/// The rule's name, and its text where that is another.
fn heading(row: &Judged<'_>) -> String {
    let rule = row.rule;
    let sure = if rule.is_sure { ", sure" } else { "" };
    let of = if rule.of.as_str() == "label" { format!(" (of a label{sure})") } else { String::new() };
    if rule.name == rule.text { format!("{}{of}", rule.text) } else { format!("{}: {}{of}", rule.name, rule.text) }
}

/// The verdicts for people, rules apart.
///
/// # Errors
/// [`PolarsError`] never in practice.
pub fn text(judged: &[Judged<'_>]) -> PolarsResult<TextTable> {
    let words: Vec<Words> = judged.iter().map(Words::of).collect();
    let column =
        |name: &str, of: &dyn Fn(&Words) -> String| Column::new(name.into(), words.iter().map(of).collect::<Vec<_>>());
    let headings: Vec<String> = judged.iter().map(heading).collect();
    let verdicts: Vec<&str> = judged.iter().map(|row| row.verdict.as_str()).collect();
    let mark = |row: &Judged<'_>| if is_within_run(row) { "w" } else { " " };
    let intervals: Vec<String> =
        judged.iter().zip(&words).map(|(row, words)| format!("{}{}", words.interval, mark(row))).collect();
    let frame = DataFrame::new(
        judged.len(),
        vec![
            Column::new("rule".into(), headings),
            Column::new("verdict".into(), verdicts),
            column("what", &|words| format!("{}{}", words.what, if words.is_changed { " *" } else { "" })),
            column("observed", &|words| words.observed.clone()),
            Column::new("interval".into(), intervals),
            column("limit", &|words| words.limit.clone()),
        ],
    )?;
    let mut columns = vec![
        Shown::new("verdict", "verdict"),
        Shown::new("what", "run or label"),
        Shown::new("observed", "observed").right(),
    ];
    columns.extend(judged.iter().any(|row| row.interval.is_some()).then(|| Shown::new("interval", "95 %").right()));
    columns.push(Shown::new("limit", "limit"));
    let mut text = TextTable::new(&frame, &columns, Some("rule"))?;
    text.lead(&overall(judged));
    text.lead("");
    if words.iter().any(|words| words.is_changed) {
        text.note("*: the leader changed in it");
    }
    if judged.iter().any(is_within_run) {
        text.note("w: within one run, by a block bootstrap in time; the next run may lie outside of it");
    }
    for (row, words) in judged.iter().zip(&words) {
        if let Some(why) = &row.why {
            text.note(&format!("{}: {}: {why}", row.verdict.as_str(), what_or_rule(row, words)));
        }
    }
    Ok(text)
}

fn what_or_rule(row: &Judged<'_>, words: &Words) -> String {
    if row.label.is_none() { row.rule.name.clone() } else { format!("{}: {}", row.rule.name, words.what_in_full()) }
}

/// The verdicts as Markdown, for the summary of a CI job: what does not pass stands first.
pub fn markdown(judged: &[Judged<'_>]) -> String {
    let mut rows: Vec<&Judged<'_>> = judged.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.verdict));
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let words = Words::of(row);
            let why = row.why.clone().unwrap_or_default();
            vec![
                row.verdict.as_str().to_owned(),
                heading(row),
                words.what_in_full(),
                words.observed.clone(),
                words.interval_in_full(row),
                words.limit.clone(),
                why,
            ]
        })
        .collect();
    let headings = ["verdict", "rule", "run or label", "observed", "95 %", "limit", "why"];
    format!("### Gate: {}\n\n{}", overall(judged), markdown::table(&headings, &cells))
}

/// The verdicts as JUnit XML: a suite for each rule, a case for each run or label. What fails is a failure, what cannot be
/// told an error.
///
/// # Errors
/// What the XML library says.
pub fn junit(judged: &[Judged<'_>]) -> Result<String, String> {
    let mut report = Report::new("analyze gate");
    let mut suites: Vec<(String, TestSuite)> = Vec::new();
    for row in judged {
        let words = Words::of(row);
        let heading = heading(row);
        if suites.last().is_none_or(|(last, _)| *last != heading) {
            suites.push((heading.clone(), TestSuite::new(heading.as_str())));
        }
        let Some((_, suite)) = suites.last_mut() else { continue };
        let interval =
            if row.interval.is_some() { format!(" ({})", words.interval_in_full(row)) } else { String::new() };
        let why = row.why.as_ref().map_or(String::new(), |why| format!("; {why}"));
        let message = format!("{}{interval}, expected {}{why}", words.observed, words.limit);
        let status = match row.verdict {
            Verdict::Pass => TestCaseStatus::success(),
            Verdict::Fail => non_success(NonSuccessKind::Failure, "fail", &message),
            Verdict::CannotTell => non_success(NonSuccessKind::Error, "cannot tell", &message),
        };
        let name = if row.label.is_none() { row.rule.name.clone() } else { words.what_in_full() };
        let mut case = TestCase::new(name, status);
        case.set_classname(row.rule.name.as_str()).set_system_out(message);
        suite.add_test_case(case);
    }
    report.add_test_suites(suites.into_iter().map(|(_, suite)| suite));
    report.to_string().map_err(|error| error.to_string())
}

fn non_success(kind: NonSuccessKind, of: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(of).set_message(message);
    status
}
