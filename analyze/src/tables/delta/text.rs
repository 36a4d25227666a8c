//! The effects for people.

use polars::prelude::*;

use super::{WITHIN_RUN, is_at_least, is_supported, main_kind};
use crate::output::text::{Column as Shown, TextTable};

/// The metrics that fit 120 characters.
const SHOWN: [(&str, &str); 3] =
    [("ops_per_s", "throughput"), ("response_p50_ms", "response p50"), ("response_p99_ms", "response p99")];

/// Stands before a ratio that is known to be at least that much only.
const AT_LEAST: &str = ">=";

/// Stands after a ratio that too few operations support.
const OF_FEW: char = '?';

/// The table of [`super::by_label`] for people: ratios with their intervals, families apart; all columns with `wide`.
///
/// # Errors
/// [`PolarsError`] when `delta` is not the result of [`super::by_label`].
pub fn text_by_label(delta: &DataFrame, wide: bool) -> PolarsResult<TextTable> {
    if wide {
        let shown = with_groups(delta)?;
        let columns = Shown::all(delta, "family");
        let columns = [vec![Shown::new("label", "label")], columns].concat();
        return TextTable::new(&shown, &columns, Some("group"));
    }
    let kinds = delta.column("kind")?.str()?;
    let main = main_kind(kinds);
    let has_others = kinds.iter().flatten().any(|kind| kind != main);
    let delta = &delta.filter(&kinds.iter().map(|kind| Some(kind == Some(main.as_str()))).collect())?;
    let mut shown = with_groups(delta)?;
    let is_within_run: Vec<bool> =
        delta.column("interval")?.str()?.iter().map(|kind| kind == Some(WITHIN_RUN)).collect();
    for (metric, _) in SHOWN {
        let (low, high) = (format!("{metric}_ratio_low"), format!("{metric}_ratio_high"));
        let (low, high) = (delta.column(&low)?.f64()?, delta.column(&high)?.f64()?);
        let interval: Vec<Option<String>> = low
            .iter()
            .zip(high.iter())
            .zip(&is_within_run)
            .map(|((low, high), &is_within_run)| {
                let words = format!("{}..{}", end(low?), end(high?));
                Some(if is_within_run { format!("({words})") } else { format!("{words} ") })
            })
            .collect();
        shown.with_column(Column::new(format!("{metric}_interval").into(), interval))?;
    }
    let mut columns = vec![Shown::new("label", "label")];
    columns.extend([Shown::new("compared", "compared"), Shown::new("runs", "runs")]);
    columns.extend(has_changes(delta)?.then(|| Shown::new("leader_changes", "ldr")));
    for (metric, heading) in SHOWN {
        columns.push(Shown::new(&format!("{metric}_shown"), "ratio").under(heading).right());
        if delta.column("interval")?.null_count() < delta.height() {
            columns.push(Shown::new(&format!("{metric}_interval"), "95 %").under(heading).right());
        }
    }
    columns.push(Shown::new("lost", "not ok").right());
    let mut text = TextTable::new(&shown, &columns, Some("group"))?;
    if has_others {
        text.note(&format!("kind of operation: {main}; each of them: --wide"));
    }
    text.note(
        "ratio: under (or after) the fault, divided by before it or, where it lasts all the time, by the baselines",
    );
    if delta.column("interval")?.str()?.iter().any(|kind| kind.is_some_and(|kind| kind != WITHIN_RUN)) {
        text.note("95 %: t interval over repeats, on the logarithm of the ratio; against baselines with their variation in it");
        text.note("*: significant, p < 0.05 after Holm's correction over a sweep's experiments, and not within the noise floor");
    }
    let shows_intervals = delta.column("interval")?.null_count() < delta.height();
    let lacks = |metric: &str| -> PolarsResult<bool> {
        let (ratio, low) = (delta.column(&format!("{metric}_ratio"))?, delta.column(&format!("{metric}_ratio_low"))?);
        Ok((ratio.is_not_null() & low.is_null()).any())
    };
    if shows_intervals
        && SHOWN.iter().map(|(metric, _)| lacks(metric)).collect::<PolarsResult<Vec<_>>>()?.contains(&true)
    {
        text.note("-: no interval: too little was acknowledged, the time is too short, or it is of baselines against each other");
    }
    nothing_acknowledged(&mut text, delta)?;
    if is_within_run.contains(&true) {
        text.note("in parentheses: within one run, by a block bootstrap in time; the next run may lie outside of it");
    }
    common_notes(&mut text, delta, &shown)?;
    Ok(text)
}

/// The table of [`super::by_run`] for people: both sides and their ratio, runs apart; all columns with `wide`.
///
/// # Errors
/// [`PolarsError`] when `delta` is not the result of [`super::by_run`].
pub fn text_by_run(delta: &DataFrame, wide: bool) -> PolarsResult<TextTable> {
    if wide {
        return TextTable::new(delta, &Shown::all(delta, "run"), Some("run"));
    }
    let shown = with_groups(delta)?;
    let mut columns = Vec::new();
    columns.extend(has_several(delta, "kind")?.then(|| Shown::new("kind", "kind")));
    columns.push(Shown::new("compared", "compared"));
    columns.extend(has_changes(delta)?.then(|| Shown::new("leader_changes", "ldr")));
    for (metric, heading) in SHOWN {
        let unit = if metric.ends_with("_ms") { "ms" } else { "ops/s" };
        columns.push(Shown::new(&format!("{metric}_reference"), "from").under(&format!("{heading}, {unit}")));
        columns.push(Shown::new(metric, "to").under(&format!("{heading}, {unit}")));
        columns.push(Shown::new(&format!("{metric}_shown"), "ratio").under(&format!("{heading}, {unit}")).right());
    }
    columns.push(Shown::new("lost", "not ok").right());
    let mut text = TextTable::new(&shown, &columns, Some("run"))?;
    text.note("from: before the fault, or the baselines where it lasts all the time; to: under (or after) the fault");
    text.note("95 % intervals, within each run: --wide; those over repeats: --by label");
    common_notes(&mut text, delta, &shown)?;
    Ok(text)
}

/// Says of which labels only some runs acknowledged anything.
fn nothing_acknowledged(text: &mut TextTable, delta: &DataFrame) -> PolarsResult<()> {
    let (label, compared) = (delta.column("label")?.str()?, delta.column("compared")?.str()?);
    let (runs, runs_ok) = (delta.column("runs")?.u64()?, delta.column("runs_ok")?.u64()?);
    for row in 0..delta.height() {
        let (runs, ok) = (runs.get(row).unwrap_or(0), runs_ok.get(row).unwrap_or(0));
        if (1..runs).contains(&ok) {
            let (label, compared) = (label.get(row).unwrap_or_default(), compared.get(row).unwrap_or_default());
            text.note(&format!(
                "{label} {compared}: {} of {runs} runs acknowledged nothing: no ratio of throughput; times are of the other {ok}",
                runs - ok
            ));
        }
    }
    Ok(())
}

/// What marks mean; `shown_frame` is the result of [`with_groups`].
fn common_notes(text: &mut TextTable, delta: &DataFrame, shown_frame: &DataFrame) -> PolarsResult<()> {
    let mut floors = Vec::new();
    let kinds = delta.column("kind")?.str()?;
    let main = main_kind(kinds);
    let is_main: BooleanChunked = kinds.iter().map(|kind| Some(kind == Some(main.as_str()))).collect();
    for (metric, heading) in SHOWN {
        let floor = delta.column(&format!("{metric}_noise"))?.f64()?.filter(&is_main)?.max();
        floors.extend(floor.map(|floor| format!("{heading} x{}", ratio(floor))));
    }
    text.note(&match floors.is_empty() {
        true => "no noise floor: it takes baselines with the same workload and cluster".to_owned(),
        false => format!("~: within the noise floor, the largest ratio without a cause: {}", floors.join(", ")),
    });
    let has = |mark: fn(&str) -> bool| -> PolarsResult<bool> {
        let shown = SHOWN.map(|(metric, _)| format!("{metric}_shown"));
        let columns = shown.iter().map(|name| shown_frame.column(name)?.str()).collect::<PolarsResult<Vec<_>>>()?;
        Ok(columns.iter().any(|column| column.iter().flatten().any(mark)))
    };
    if has(|cell| cell.starts_with(AT_LEAST))? {
        text.note(">=: times are of acknowledged operations, and more of them were not than the percentile leaves out");
    }
    if has(|cell| cell.ends_with(OF_FEW))? {
        text.note("?: of too few operations for that percentile: it is the slowest of them under another name");
    }
    let ldr = if has_changes(delta)? { ". ldr: leader changes" } else { "" };
    text.note(&format!("not ok: operations not acknowledged, of those due{ldr}"));
    text.hint("more columns: --wide; all of them at full precision: --format csv");
    Ok(())
}

/// Adds the columns that only people see: group headings, ratios with their marks, and percent.
fn with_groups(delta: &DataFrame) -> PolarsResult<DataFrame> {
    let mut shown = delta.clone();
    let (families, sweeps) = (delta.column("family")?.str()?, delta.column("sweep")?.str()?);
    let several = has_several(delta, "sweep")?;
    let roles = delta.column("role")?.str()?;
    let group: Vec<String> = families
        .iter()
        .zip(sweeps.iter())
        .zip(roles.iter())
        .map(|((family, sweep), role)| {
            let group = match role {
                Some("control") => "controls: should show nothing",
                Some("baseline") => "baselines: middle and last third against the first, each against the others",
                _ => family.unwrap_or_default(),
            };
            match sweep.filter(|_| several) {
                Some(sweep) => format!("{group} ({sweep})"),
                None => group.to_owned(),
            }
        })
        .collect();
    shown.with_column(Column::new("group".into(), group))?;
    let share = |name: &str| -> PolarsResult<&Float64Chunked> { delta.column(name)?.f64() };
    let (lost, lost_reference) = (share("not_ok_share")?, share("not_ok_share_reference")?);
    let count = |name: &str| -> PolarsResult<&UInt64Chunked> { delta.column(name)?.u64() };
    let (ok, ok_reference, baselines) = (count("ok")?, count("ok_reference")?, count("baselines")?);
    // A run's own row has no number of runs.
    let runs = count("runs").ok();
    for (metric, _) in SHOWN {
        let is_of_few = |row: usize| {
            let runs = runs.and_then(|runs| runs.get(row)).unwrap_or(1);
            let supports = |ok: Option<u64>, runs: u64| ok.is_none_or(|ok| is_supported(metric, ok, runs));
            !supports(ok.get(row), runs) || !supports(ok_reference.get(row), baselines.get(row).unwrap_or(runs))
        };
        let ratios = delta.column(&format!("{metric}_ratio"))?.f64()?;
        let within = delta.column(&format!("{metric}_within_noise"))?.bool()?;
        let significant = delta.column(&format!("{metric}_significant"))?.bool()?;
        let marked: Vec<Option<String>> = ratios
            .iter()
            .zip(within.iter().zip(significant.iter()))
            .enumerate()
            .map(|(row, (value, marks))| {
                let mark = match marks {
                    _ if is_of_few(row) => OF_FEW,
                    (Some(true), _) => '~',
                    (_, Some(true)) => '*',
                    _ => ' ',
                };
                let is_bound = is_at_least(metric, lost.get(row), lost_reference.get(row));
                let bound = if is_bound { AT_LEAST } else { "" };
                value.map(|value| format!("{bound}{}{mark}", ratio(value)))
            })
            .collect();
        shown.with_column(Column::new(format!("{metric}_shown").into(), marked))?;
    }
    let lost: Vec<Option<String>> =
        delta.column("not_ok_share")?.f64()?.iter().map(|share| share.map(percent)).collect();
    shown.with_column(Column::new("lost".into(), lost))?;
    Ok(shown)
}

fn has_several(delta: &DataFrame, name: &str) -> PolarsResult<bool> {
    let column = delta.column(name)?.str()?;
    let first = column.iter().next().flatten();
    Ok(column.iter().any(|value| value != first))
}

fn has_changes(delta: &DataFrame) -> PolarsResult<bool> {
    Ok(delta.column("leader_changes")?.u64()?.max().is_some_and(|most| most > 0))
}

/// A ratio with as many digits as one compares: `0.012`, `0.87`, `12.3`, `145`.
pub fn ratio(value: f64) -> String {
    let decimals = match value {
        0.0 => return "0".to_owned(),
        ..0.001 => return "<0.001".to_owned(),
        9999.5.. => return ">9999".to_owned(),
        0.3..10.0 => 2,
        10.0..100.0 => 1,
        100.0.. => 0,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// An end of an interval: three of them stand in a row, so they are shorter than [`ratio`].
fn end(value: f64) -> String {
    match value {
        ..0.01 => "<0.01".to_owned(),
        999.5.. => ">999".to_owned(),
        ..10.0 => format!("{value:.2}"),
        value => ratio(value),
    }
}

/// A share in percent.
pub(in crate::tables) fn percent(share: f64) -> String {
    if share == 0.0 { "0 %".to_owned() } else { format!("{:.2} %", share * 100.0) }
}
