//! The comparison of two sets for people.

use polars::prelude::*;

use super::{Compared, Matched, names};
use crate::output::text::{Column as Shown, TextTable};
use crate::tables::compare::{differences, main_rows, overall, points};
use crate::tables::delta::{NOT_OK_SHARE, percent, ratio_in_words as words};

/// How the reason for a verdict ends where runs acknowledged nothing.
const NOTHING: &str = "acknowledged nothing";

/// What is to be said beside the rows: how labels were matched, and which have no counterpart.
pub fn notes(compared: &Compared) -> Vec<String> {
    let mut notes = Vec::new();
    match compared.matched {
        Matched::ByLabel => {}
        Matched::ByValue => notes.push("no label is in both sets: matched by the value of the fault".to_owned()),
        Matched::One => notes.push("no label is in both sets: each has one, and they are compared".to_owned()),
    }
    for (labels, set) in [(&compared.only_a, "A"), (&compared.only_b, "B")] {
        if !labels.is_empty() {
            notes.push(format!("only in {set}, not compared: {}", labels.join(", ")));
        }
    }
    notes
}

/// The table for people: the verdict, the effects by label, what has no counterpart, and what differs in the manifests;
/// `runs` are how many each set has, `varying` what varies in both sets.
///
/// # Errors
/// [`PolarsError`] when `differing` is not the result of [`differences::of_sets`].
pub fn text(
    compared: &Compared,
    (runs_a, runs_b): (usize, usize),
    differing: &DataFrame,
    varying: &[String],
) -> PolarsResult<TextTable> {
    let frame = &compared.frame;
    let main = main_rows(frame)?;
    let has_others = main.len() < frame.height();
    let rows: IdxCa = main.iter().map(|&row| Some(row as IdxSize)).collect();
    let mut shown = frame.take(&rows)?;
    let get = |frame: &DataFrame, name: &str| -> PolarsResult<StringChunked> { Ok(frame.column(name)?.str()?.clone()) };
    let names = names(&shown)?;
    let changes =
        |frame: &DataFrame, name: &str| -> PolarsResult<UInt64Chunked> { Ok(frame.column(name)?.u64()?.clone()) };
    let (changes_a, changes_b) = (changes(&shown, "leader_changes_a")?, changes(&shown, "leader_changes_b")?);
    let group: Vec<String> = (0..shown.height())
        .map(|row| {
            let name = names[row].clone();
            let has_changed = changes_a.get(row).max(changes_b.get(row)) > Some(0);
            if has_changed { format!("{name}, runs in which the leader changed") } else { name }
        })
        .collect();
    let (runs_of_a, runs_of_b) = (changes(&shown, "runs_a")?, changes(&shown, "runs_b")?);
    let runs: Vec<String> = (0..shown.height())
        .map(|row| format!("{}, {}", runs_of_a.get(row).unwrap_or(0), runs_of_b.get(row).unwrap_or(0)))
        .collect();
    let number = |name: &str| -> PolarsResult<Float64Chunked> { Ok(shown.column(name)?.f64()?.clone()) };
    let (low, high) = (number("ratio_low")?, number("ratio_high")?);
    let (of_a, of_b, ratio, margin) = (number("effect_a")?, number("effect_b")?, number("ratio")?, number("margin")?);
    let difference = number("difference")?;
    let (from, to) = (number("difference_low")?, number("difference_high")?);
    let metric = get(&shown, "metric")?;
    let is_share = |row: usize| metric.get(row) == Some(NOT_OK_SHARE);
    let sort = get(&shown, "interval")?;
    let interval: Vec<Option<String>> = (0..shown.height())
        .map(|row| {
            let mark = if sort.get(row) == Some("within-run") { "w" } else { " " };
            let (low, high) = match is_share(row) {
                true => (points(from.get(row)?), points(to.get(row)?)),
                false => (words(low.get(row)?), words(high.get(row)?)),
            };
            Some(format!("{low} to {high}{mark}"))
        })
        .collect();
    let (verdict, because) = (get(&shown, "verdict")?, get(&shown, "because")?);
    let verdicts: Vec<String> = (0..shown.height())
        .map(|row| {
            let verdict = verdict.get(row).unwrap_or_default();
            match because.get(row) {
                None => verdict.to_owned(),
                Some(why) if why.ends_with(NOTHING) => format!("{verdict}: {NOTHING}"),
                Some(why) => format!("{verdict}: {why}"),
            }
        })
        .collect();
    let part = get(&shown, "compared")?;
    let is_level = |row: usize| part.get(row).is_some_and(|part| !part.contains('/'));
    let mut lost: Vec<String> = Vec::new();
    for (row, name) in group.iter().enumerate() {
        let told = because.get(row).filter(|why| why.ends_with(NOTHING));
        let told = told.map(|why| format!("{} {}: {why}", name, part.get(row).unwrap_or_default()));
        lost.extend(told.filter(|told| !lost.contains(told)));
    }
    let in_words = |numbers: &Float64Chunked| {
        let shown = |(row, number): (usize, Option<f64>)| match is_share(row) {
            true => number.map(|share| if is_level(row) { percent(share) } else { points(share) }),
            false => number.map(words),
        };
        numbers.iter().enumerate().map(shown).collect::<Vec<_>>()
    };
    let related: Vec<Option<String>> = (0..shown.height())
        .map(|row| if is_share(row) { difference.get(row).map(points) } else { ratio.get(row).map(words) })
        .collect();
    let margins: Vec<Option<String>> = margin
        .iter()
        .enumerate()
        .map(|(row, margin)| {
            margin.map(|margin| if is_share(row) { format!("{}", margin * 100.0) } else { words(margin) })
        })
        .collect();
    let has_within = sort.iter().any(|sort| sort == Some("within-run"));
    for column in [
        Column::new("group".into(), group),
        Column::new("runs".into(), runs),
        Column::new("95".into(), interval),
        Column::new("A".into(), in_words(&of_a)),
        Column::new("B".into(), in_words(&of_b)),
        Column::new("B/A".into(), related),
        Column::new("within".into(), margins),
        Column::new("said".into(), verdicts),
    ] {
        shown.with_column(column)?;
    }
    let columns = [
        Shown::new("compared", "compared"),
        Shown::new("metric", "metric"),
        Shown::new("runs", "runs").right(),
        Shown::new("A", "A").under("effect").right(),
        Shown::new("B", "B").under("effect").right(),
        Shown::new("B/A", "B/A").right(),
        Shown::new("95", "95 %").right(),
        Shown::new("within", "margin").right(),
        Shown::new("said", "verdict"),
    ];
    let mut text = TextTable::new(&shown, &columns, Some("group"))?;
    let name = |name: &str| -> PolarsResult<String> { Ok(get(frame, name)?.get(0).unwrap_or("-").to_owned()) };
    let counted = |runs: usize| if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    text.lead(&format!("A: {}, {}", name("a")?, counted(runs_a)));
    text.lead(&format!("B: {}, {}", name("b")?, counted(runs_b)));
    text.lead(&overall(frame)?);
    text.lead("");
    if has_others {
        text.note("all kinds of operation together; each of them, and differences: --format csv");
    }
    text.note("effect: ratio to before the fault, or to the baselines of the same set; of all and during the level itself (ops/s, ms)");
    text.note("95 %: Welch's t interval over the runs of both sets, on the logarithm");
    if metric.iter().any(|metric| metric == Some(NOT_OK_SHARE)) {
        text.note("not_ok_share: percentage points; effects, B - A and margin are differences");
    }
    if has_within {
        text.note(
            "w: one of the two has a single run, and its part of the interval is within that run: it does not contain \
             what runs differ by from one to the next",
        );
    }
    text.note("agree: the interval is within 1/margin to margin; differ: it is wholly outside, and outside of the noise floor");
    lost.iter().for_each(|note| text.note(note));
    notes(compared).iter().for_each(|note| text.note(note));
    text.note("");
    if differing.height() == 0 {
        text.note("the manifests of the two sets do not differ in what was asked, nor in where it ran");
    } else {
        text.note("what differs in the manifests of the runs that are compared:");
        differences::lines(differing)?.iter().for_each(|line| text.note(line));
    }
    if !varying.is_empty() {
        text.note(&format!("what varies within the sets without telling them apart: {}", varying.join(", ")));
    }
    Ok(text)
}
