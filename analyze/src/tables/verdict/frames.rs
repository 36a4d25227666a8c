//! Verdicts as frames: one row a run, or one a label.

use polars::prelude::*;

use super::cells::Cells;
use super::numbers::{Back, Effect, Numbers, Time};
use super::sentence::sentence;
use super::{Story, Tables};
use crate::tables::delta::main_kind;

/// The verdict on each run, in reading order and then in order of time. `tables` are by run. Columns:
///
/// - `run`, `label`, `family`, `sweep`, `repeat`, `role`, `fault`, `fault_value` (milliseconds or percent)
/// - `sentence`: the verdict
/// - `kind`: the kind of operation that stands for the run: `all`, or the only one
/// - `compared`: as in [`crate::tables::delta`]; null where there is nothing to compare with
/// - `runs`: 1
/// - `throughput_ratio`, `response_p50_ratio`, `response_p99_ratio`: under the fault, relative to before or to the baselines;
///   each with `_low` and `_high`, the 95 % interval, `_within_noise` and `_significant` (null where it was not tested); of
///   p99 null where too few operations support it
/// - `interval`: whether the intervals are `between-run` or `within-run`; null where there are none
/// - `not_ok_share`: operations not acknowledged under the fault, of those due; `not_ok_share_reference`: in what it is
///   compared with; `not_ok_p`: p value of Fisher's exact test, one-sided, that no larger share was lost
/// - `has_effect`: whether any of these is beyond the noise floor (without one, a 95 % interval that leaves out 1 and a hundredth
///   on both sides tells) or operations were lost with `not_ok_p` below 0.01; null where that cannot be told
/// - `baselines`: how many it is compared with; null where it is compared with itself
/// - `clients`: where they were
/// - `leader_changes`, `leaderless_s` (the longest of the runs): over the whole run
/// - `fsync_raised`: in how many runs; `fsync_judged`: of how many
/// - `recovery_s`, `recovery_lower_bound_s`: as in [`crate::tables::recovery`], null where the fault did not end;
///   `recovered`: how many runs did, `recovery_runs`: of how many; this is throughput, and `response_p50_recovery_s`,
///   `response_p50_recovery_lower_bound_s`, `response_p50_recovered`, `response_p50_recovery_runs` and those of
///   `response_p99` are the latencies
/// - `longest_gap_s`: without an acknowledged write, from the fault's beginning on
/// - `client_saturated`: in how many runs
///
/// # Errors
/// [`PolarsError`] when a table lacks what says which runs it is of.
pub fn by_run(tables: &Tables<'_>, stories: &[Story]) -> PolarsResult<DataFrame> {
    let mut stories: Vec<&Story> = stories.iter().collect();
    stories.sort_by(|a, b| a.factors.reading_order(&b.factors).then_with(|| a.run.cmp(&b.run)));
    let groups: Vec<Vec<&Story>> = stories.into_iter().map(|story| vec![story]).collect();
    frame(&groups, tables, true)
}

/// The verdict on each label, its repeats pooled; those in which the leader changed apart. `tables` are by label, but for the
/// causes. Columns as in [`by_run`] without `run` and `repeat`, and `runs` is how many there are; times are medians.
///
/// # Errors
/// As [`by_run`].
pub fn by_label(tables: &Tables<'_>, stories: &[Story]) -> PolarsResult<DataFrame> {
    let mut groups: Vec<Vec<&Story>> = Vec::new();
    for story in stories {
        let is_it = |group: &&mut Vec<&Story>| {
            group[0].factors.condition == story.factors.condition
                && (group[0].leader_changes > 0) == (story.leader_changes > 0)
        };
        match groups.iter_mut().find(is_it) {
            Some(group) => group.push(story),
            None => groups.push(vec![story]),
        }
    }
    groups.sort_by(|a, b| {
        let has_changes = |group: &[&Story]| group[0].leader_changes > 0;
        a[0].factors.reading_order(&b[0].factors).then_with(|| has_changes(a).cmp(&has_changes(b)))
    });
    frame(&groups, tables, false)
}

/// Whether a row is of these runs.
fn is_of(row: &Cells<'_>, group: &[&Story], is_by_run: bool) -> bool {
    if is_by_run {
        return row.text("run") == Some(&group[0].run);
    }
    let factors = &group[0].factors;
    // Frames tell conditions apart by what they show of them.
    row.text("label") == Some(&factors.label)
        && row.text("sweep") == factors.sweep.as_deref()
        && row.text("fault") == factors.fault.as_deref()
        // A kind that is rare may be in some of the runs only.
        && row.number("runs").is_some_and(|runs| runs <= group.len() as f64)
        && (row.number("leader_changes").unwrap_or(0.0) > 0.0) == (group[0].leader_changes > 0)
}

/// Of two rows that could be meant, the one that more of the runs are in.
fn fullest<'a>(best: Cells<'a>, row: Cells<'a>) -> Cells<'a> {
    if row.number("runs") > best.number("runs") { row } else { best }
}

fn numbers(group: &[&Story], tables: &Tables<'_>, is_by_run: bool) -> PolarsResult<Numbers> {
    let delta = Cells::rows(tables.delta, |row| is_of(row, group, is_by_run));
    let recovery = Cells::rows(tables.recovery, |row| is_of(row, group, is_by_run));
    let causes = Cells::rows(tables.causes, |row| group.iter().any(|story| row.text("run") == Some(&story.run)));
    let kinds: StringChunked = delta.iter().chain(&recovery).map(|row| row.text("kind")).collect();
    let kind = main_kind(&kinds);
    let is_kind = |row: &&Cells<'_>| row.text("kind") == Some(&kind);
    let of = |compared: &str| {
        delta.iter().filter(is_kind).filter(|row| row.text("compared") == Some(compared)).copied().reduce(fullest)
    };
    let compared = of("during/before").or_else(|| of("during/baseline"));
    let recovery = recovery.iter().filter(is_kind).copied().reduce(fullest);
    Ok(Numbers::of(&kind, compared.as_ref(), recovery.as_ref(), &causes, group))
}

/// How columns of a time begin, and where it is.
type NamedTime = (&'static str, fn(&Back) -> &Time);

/// How columns of an effect begin, and where it is.
type NamedEffect = (&'static str, fn(&Numbers) -> Effect);

fn frame(groups: &[Vec<&Story>], tables: &Tables<'_>, is_by_run: bool) -> PolarsResult<DataFrame> {
    let rows: Vec<(&Story, Numbers)> =
        groups.iter().map(|group| Ok((group[0], numbers(group, tables, is_by_run)?))).collect::<PolarsResult<_>>()?;
    let text = |name: &str, of: &dyn Fn(&Story, &Numbers) -> Option<String>| {
        Column::new(name.into(), rows.iter().map(|(story, numbers)| of(story, numbers)).collect::<Vec<_>>())
    };
    let number = |name: &str, of: &dyn Fn(&Story, &Numbers) -> Option<f64>| {
        Column::new(name.into(), rows.iter().map(|(story, numbers)| of(story, numbers)).collect::<Vec<_>>())
    };
    let count = |name: &str, of: &dyn Fn(&Story, &Numbers) -> Option<usize>| {
        let counts = rows.iter().map(|(story, numbers)| of(story, numbers).map(|count| count as u64));
        Column::new(name.into(), counts.collect::<Vec<_>>())
    };
    let flag = |name: &str, of: &dyn Fn(&Numbers) -> Option<bool>| {
        Column::new(name.into(), rows.iter().map(|(_, numbers)| of(numbers)).collect::<Vec<_>>())
    };
    let mut columns = Vec::new();
    columns.extend(is_by_run.then(|| text("run", &|story, _| Some(story.run.clone()))));
    columns.extend([
        text("label", &|story, _| Some(story.factors.label.clone())),
        text("family", &|story, _| Some(story.factors.family.clone())),
        text("sweep", &|story, _| story.factors.sweep.clone()),
    ]);
    columns.extend(is_by_run.then(|| count("repeat", &|story, _| story.factors.repeat.map(|repeat| repeat as usize))));
    columns.extend([
        text("role", &|story, _| Some(story.factors.role.as_str().to_owned())),
        text("fault", &|story, _| story.factors.fault.clone()),
        number("fault_value", &|story, _| story.factors.value),
        text("sentence", &|_, numbers| Some(sentence(numbers))),
        text("kind", &|_, numbers| Some(numbers.kind.clone()).filter(|kind| !kind.is_empty())),
        text("compared", &|_, numbers| numbers.compared.clone()),
        count("runs", &|_, numbers| Some(numbers.runs)),
    ]);
    let effects: [NamedEffect; 3] = [
        ("throughput", |numbers| numbers.throughput),
        ("response_p50", |numbers| numbers.p50),
        ("response_p99", |numbers| if numbers.p99.is_of_few { Effect::default() } else { numbers.p99 }),
    ];
    for (name, of) in effects {
        columns.extend([
            number(&format!("{name}_ratio"), &|_, numbers| of(numbers).ratio),
            number(&format!("{name}_ratio_low"), &|_, numbers| of(numbers).low),
            number(&format!("{name}_ratio_high"), &|_, numbers| of(numbers).high),
            flag(&format!("{name}_within_noise"), &|numbers| of(numbers).is_within_noise),
            flag(&format!("{name}_significant"), &|numbers| of(numbers).is_significant),
        ]);
    }
    let interval = |numbers: &Numbers| {
        let known = effects.map(|(_, of)| of(numbers)).into_iter().find(|effect| effect.low.is_some())?;
        Some(if known.is_between { "between-run" } else { "within-run" }.to_owned())
    };
    let back = |numbers: &Numbers| numbers.back.filter(|_| numbers.has_fault);
    columns.extend([
        text("interval", &|_, numbers| interval(numbers)),
        number("not_ok_share", &|_, numbers| numbers.not_ok_share),
        number("not_ok_share_reference", &|_, numbers| numbers.not_ok_share_reference),
        number("not_ok_p", &|_, numbers| numbers.lost_p),
        flag("has_effect", &Numbers::has_effect),
        count("baselines", &|_, numbers| numbers.baselines),
        text("clients", &|_, numbers| Some(numbers.clients.clone()).filter(|clients| !clients.is_empty())),
        count("leader_changes", &|_, numbers| Some(numbers.leader_changes)),
        number("leaderless_s", &|_, numbers| numbers.leaderless_s),
        count("fsync_raised", &|_, numbers| Some(numbers.fsync.raised)),
        count("fsync_judged", &|_, numbers| Some(numbers.fsync.judged)),
    ]);
    let times: [NamedTime; 3] =
        [("", |back| &back.throughput), ("response_p50_", |back| &back.p50), ("response_p99_", |back| &back.p99)];
    for (name, of) in times {
        let time = |numbers: &Numbers| back(numbers).map(|back| *of(&back));
        columns.extend([
            number(&format!("{name}recovery_s"), &|_, numbers| time(numbers)?.s),
            number(&format!("{name}recovery_lower_bound_s"), &|_, numbers| time(numbers)?.lower_bound_s),
            count(&format!("{name}recovered"), &|_, numbers| Some(time(numbers)?.seen)),
            count(&format!("{name}recovery_runs"), &|_, numbers| Some(time(numbers)?.runs)),
        ]);
    }
    columns.extend([
        number("longest_gap_s", &|_, numbers| numbers.gap_s),
        count("client_saturated", &|_, numbers| Some(numbers.saturated)),
    ]);
    DataFrame::new(rows.len(), columns)
}
