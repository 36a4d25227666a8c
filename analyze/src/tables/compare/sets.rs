//! Whether two sets of runs agree, label by label: effects of repeats put in relation, with intervals between runs.
//!
//! Each run gives one effect; the effects of a label's repeats are taken on the logarithm (of `not_ok_share` as they are, its effect
//! being a difference, which is compared by differences). The ratio of two labels has the
//! interval of Welch's t test, wider by what the baselines differ by that full runs of a set share (B. L. Welch, "The generalization of 'Student's' problem when several different population
//! variances are involved", Biometrika 34(1/2), 1947). Where a label has one run in a set, its within-run interval takes the
//! place of that between runs, and what is said is labelled so. Intervals of differences are put together from those of
//! the two sides (G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures: a general
//! approach", Statistics in Medicine 27(10), 2008).

use polars::prelude::*;

use super::METRICS;
use crate::tables::delta::{Measured, NOT_OK_SHARE};

mod effects;
mod related;
mod text;

use effects::{Effects, Key, effects, levels_where_needed};
use related::Related;
pub use text::{notes, text};

/// What sets are compared by where nobody says more.
pub const USUAL: [&str; 4] = [METRICS[0], METRICS[1], METRICS[2], NOT_OK_SHARE];

/// One set of runs: what was measured in it, with what its runs are compared with.
pub struct Set {
    /// What it is called.
    pub name: String,
    /// The runs; those that are shown are of the set.
    pub measured: Vec<Measured>,
}

/// How labels of two sets belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// By their names.
    ByLabel,
    /// By the value of their fault: no label is in both sets, and each set is one family.
    ByValue,
    /// Each set has one label only.
    One,
}

/// The comparison of two sets.
pub struct Compared {
    /// See [`table`].
    pub frame: DataFrame,
    /// How labels were matched.
    pub matched: Matched,
    /// Labels that only A has, and those of which only A has runs in which the leader changed, or only such without.
    pub only_a: Vec<String>,
    /// The same of B.
    pub only_b: Vec<String>,
}

/// Compares two sets, one row for each label, kind, part and metric that both have. Columns:
///
/// - `a`, `b`: the sets; `label_a`, `label_b`: what is compared, mostly the same label; runs of a label with different workloads,
///   clusters or faults have rows of their own, and are compared with such of the same in the other set where there are any;
///   `sweeps_a`, `sweeps_b`: what sweeps they are of, with commas between
/// - `kind`, `compared`: as in [`by_run`](crate::tables::delta::by_run), the effect being a ratio (of `not_ok_share` a difference); `all` of runs without a fault and `during` of
///   full runs that lack baselines in one of the sets, the effect being the level itself
/// - `metric`: one of `metrics`
/// - `runs_a`, `runs_b`; `lost_a`, `lost_b`: those of them that acknowledged nothing; `leader_changes_a`, `leader_changes_b`: runs in which the leader changed have rows of their own
/// - `effect_a`, `effect_b`: geometric means over the runs (of `not_ok_share` arithmetic ones, as shares), of levels in operations per second and milliseconds; times are of the
///   runs that acknowledged something, of throughput it is 0 where none did, and null where only some did; `_low`, `_high`:
///   their 95 % intervals
/// - `difference`: `effect_b` - `effect_a`, `difference_low`, `difference_high` its 95 % interval
/// - `ratio`: `effect_b` / `effect_a`; `ratio_low`, `ratio_high` its 95 % interval; null of `not_ok_share`, whose verdict is from the
///   difference
/// - `interval`: `between-run`, or `within-run` where one of the two has a single run: then it does not contain what that run would
///   differ by when recorded again; null where there is none
/// - `margin`: what counts as the same, a factor, of `not_ok_share` a difference of 0.01; `noise`: the noise floor, the larger one of both sets, null where there is none
/// - `verdict`: see [`Verdict`]; `differ` only outside of the noise floor too; `because`: what else it is from than interval and margin: runs
///   that acknowledged nothing, or the noise floor
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub fn table(a: &Set, b: &Set, metrics: &[&'static str], margin: f64) -> PolarsResult<Compared> {
    let (mut of_a, mut of_b) = (effects(&a.measured, metrics)?, effects(&b.measured, metrics)?);
    // A ratio in one set has no counterpart in a level of the other.
    levels_where_needed(a, &mut of_a, &of_b, metrics)?;
    levels_where_needed(b, &mut of_b, &of_a, metrics)?;
    let matched = matched(&of_a, &of_b);
    let others = |key: &Key| (key.has_changed, key.kind.clone(), key.compared.clone(), key.metric);
    let is_repeat = |a: &Effects, b: &Effects| a.key.label == b.key.label && others(&a.key) == others(&b.key);
    let is_same = |a: &Effects, b: &Effects| {
        let is_label = match matched {
            Matched::ByLabel => a.key.label == b.key.label,
            Matched::ByValue => a.value == b.value,
            Matched::One => true,
        };
        is_label && others(&a.key) == others(&b.key)
    };
    let counterpart = |a: &Effects| {
        let others: Vec<&Effects> = of_b.iter().filter(|b| is_same(a, b)).collect();
        let is_same_condition = |a: &Effects, b: &Effects| a.key.condition == b.key.condition;
        if let Some(same) = others.iter().copied().find(|b| is_same_condition(a, b)) {
            return Some(same);
        }
        // Sets may have been recorded under other conditions, which is no question where each has one of them left over.
        let repeats: Vec<&Effects> = of_a.iter().filter(|other| is_repeat(a, other)).collect();
        let left_a = repeats.iter().filter(|a| !others.iter().any(|b| is_same_condition(a, b))).count();
        let mut left_b = others.iter().filter(|b| !repeats.iter().any(|a| is_same_condition(a, b)));
        let only = left_b.next().copied();
        only.filter(|_| left_a == 1 && left_b.next().is_none())
    };
    let pairs: Vec<(&Effects, &Effects)> = of_a.iter().filter_map(|a| Some((a, counterpart(a)?))).collect();
    let known = pairs.into_iter().filter(|(a, b)| !(a.is_nothing() && b.is_nothing() && a.is_time()));
    let mut related: Vec<Related<'_>> = known.map(|(a, b)| Related::new(a, b, margin)).collect();
    // All that is known of a label stands together, part by part.
    let of_row = |row: &Related<'_>| (row.a.key.label.clone(), row.a.key.condition.clone(), row.a.key.has_changed);
    let mut order: Vec<(String, String, bool)> = Vec::new();
    for row in &related {
        let label = of_row(row);
        if !order.contains(&label) {
            order.push(label);
        }
    }
    let part =
        |key: &Key| ["during/before", "after/before", "during/baseline"].iter().position(|part| *part == key.compared);
    related.sort_by_key(|row| {
        let key = &row.a.key;
        let label = order.iter().position(|label| *label == of_row(row));
        (label, key.kind == "all", key.kind.clone(), part(key))
    });
    let only_a = only(&of_a, &related.iter().map(|row| row.a).collect::<Vec<_>>());
    let only_b = only(&of_b, &related.iter().map(|row| row.b).collect::<Vec<_>>());
    let frame = frame(&related, (&a.name, &b.name))?;
    Ok(Compared { frame, matched, only_a, only_b })
}

/// What of a set has no counterpart, in words; `paired` are those that have one.
fn only(effects: &[Effects], paired: &[&Effects]) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for Effects { key: Key { label, has_changed, .. }, .. } in effects {
        let own: Vec<&&Effects> = paired.iter().filter(|paired| paired.key.label == *label).collect();
        let shown = match (own.is_empty(), has_changed) {
            (true, false) => label.clone(),
            (_, true) => format!("{label} (runs in which the leader changed)"),
            (false, false) => format!("{label} (runs in which the leader did not change)"),
        };
        if !own.iter().any(|paired| paired.key.has_changed == *has_changed) && !labels.contains(&shown) {
            labels.push(shown);
        }
    }
    labels
}

fn matched(a: &[Effects], b: &[Effects]) -> Matched {
    let distinct = |effects: &[Effects], of: fn(&Effects) -> &str| {
        let mut found: Vec<String> = effects.iter().map(|effects| of(effects).to_owned()).collect();
        found.sort();
        found.dedup();
        found
    };
    let labels = |effects: &[Effects]| distinct(effects, |effects| &effects.key.label);
    if labels(a).iter().any(|label| labels(b).contains(label)) {
        return Matched::ByLabel;
    }
    if labels(a).len() == 1 && labels(b).len() == 1 {
        return Matched::One;
    }
    let is_family = |effects: &[Effects]| {
        distinct(effects, |effects| &effects.family).len() == 1 && effects.iter().all(|effects| effects.value.is_some())
    };
    if is_family(a) && is_family(b) { Matched::ByValue } else { Matched::ByLabel }
}

/// What each row of [`table`] is about, in words: the label, with the sweeps where one label has several rows for one thing.
///
/// # Errors
/// [`PolarsError`] when `compared` is no such table.
pub fn names(compared: &DataFrame) -> PolarsResult<Vec<String>> {
    let text = |name: &str| -> PolarsResult<&StringChunked> { compared.column(name)?.str() };
    let (label_a, label_b) = (text("label_a")?, text("label_b")?);
    let (sweeps_a, sweeps_b) = (text("sweeps_a")?, text("sweeps_b")?);
    let sweeps = |row: usize| (sweeps_a.get(row), sweeps_b.get(row));
    let name = |row: usize| {
        let (a, b) = (label_a.get(row).unwrap_or_default(), label_b.get(row).unwrap_or_default());
        let name = if a == b { a.to_owned() } else { format!("{a} and {b}") };
        let has_several =
            (0..compared.height()).any(|other| label_a.get(other) == label_a.get(row) && sweeps(other) != sweeps(row));
        match sweeps(row) {
            (Some(a), Some(b)) if has_several && a == b => format!("{name} ({a})"),
            (a, b) if has_several => format!("{name} ({} and {})", a.unwrap_or("no sweep"), b.unwrap_or("no sweep")),
            _ => name,
        }
    };
    Ok((0..compared.height()).map(name).collect())
}

fn frame(rows: &[Related<'_>], (a, b): (&str, &str)) -> PolarsResult<DataFrame> {
    let text = |name: &str, of: &dyn Fn(&Related<'_>) -> Option<String>| {
        Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
    };
    let number = |name: &str, of: &dyn Fn(&Related<'_>) -> Option<f64>| {
        Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
    };
    let count = |name: &str, of: &dyn Fn(&Related<'_>) -> u64| {
        Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
    };
    let sweeps = |of: &Effects| {
        let listed = of.sweeps.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        Some(listed).filter(|listed| !listed.is_empty())
    };
    DataFrame::new(
        rows.len(),
        vec![
            text("a", &|_| Some(a.to_owned())),
            text("b", &|_| Some(b.to_owned())),
            text("label_a", &|row| Some(row.a.key.label.clone())),
            text("label_b", &|row| Some(row.b.key.label.clone())),
            text("sweeps_a", &|row| sweeps(row.a)),
            text("sweeps_b", &|row| sweeps(row.b)),
            text("kind", &|row| Some(row.a.key.kind.clone())),
            text("compared", &|row| Some(row.a.key.compared.clone())),
            text("metric", &|row| Some(row.a.key.metric.to_owned())),
            count("runs_a", &|row| row.a.runs() as u64),
            count("runs_b", &|row| row.b.runs() as u64),
            count("lost_a", &|row| row.a.lost as u64),
            count("lost_b", &|row| row.b.lost as u64),
            count("leader_changes_a", &|row| row.a.leader_changes),
            count("leader_changes_b", &|row| row.b.leader_changes),
            number("effect_a", &|row| row.a.effect()),
            number("effect_a_low", &|row| Some(row.a.interval()?.0)),
            number("effect_a_high", &|row| Some(row.a.interval()?.1)),
            number("effect_b", &|row| row.b.effect()),
            number("effect_b_low", &|row| Some(row.b.interval()?.0)),
            number("effect_b_high", &|row| Some(row.b.interval()?.1)),
            number("difference", &|row| row.difference),
            number("difference_low", &|row| Some(row.difference_interval?.0)),
            number("difference_high", &|row| Some(row.difference_interval?.1)),
            number("ratio", &|row| row.ratio),
            number("ratio_low", &|row| Some(row.interval?.0)),
            number("ratio_high", &|row| Some(row.interval?.1)),
            text("interval", &|row| row.sort.map(str::to_owned)),
            number("margin", &|row| Some(row.margin)),
            number("noise", &|row| row.noise),
            text("verdict", &|row| Some(row.verdict().0.as_str().to_owned())),
            text("because", &|row| row.verdict().1),
        ],
    )
}
