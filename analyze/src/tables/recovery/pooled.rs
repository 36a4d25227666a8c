//! Recovery by label: repeats together.

use polars::prelude::*;

use super::{LEVELS, TIMES, Took, UNAVAILABLE, time_columns, times_of};
use crate::tables::factors::Factors;

/// Confidence of intervals.
const CONFIDENCE: f64 = 0.95;

/// Pools runs by label, one row for each label and kind of operation. `runs` are the results of [`super::table`], each with its
/// run's factors; columns as there without `run`, `repeat`, `longest_gap_from_s`, `longest_gap_phase` and `why`, and:
///
/// - `runs`: number of repeats; those in which the leader changed are a row of their own
/// - `dipped`: in how many of them throughput was low
/// - for each time (`recovery`, `first_write`, `response_p50_recovery`, `response_p99_recovery`, `backlog_drained`):
///   `_s`, the median over the runs that can have one, those that are censored ranking above all others; null where the
///   middle, or one of the two middle ones, falls among these, and then `_censored` is true and `_lower_bound_s` what the
///   median would be if each of them had ended at its bound. `_runs` is how many can have one, `_seen` in how many it was seen; `_least_s` and `_most_s` are the outermost, the latter null where some are
///   censored; `_seen_most_s` is the longest of those that were seen.
///   `_low_s` and `_high_s`: the 95 % interval of the median from order statistics (binomial, without any assumption on the
///   distribution; W. R. Thompson, 1936), null with fewer than six runs, `_high_s` also where it is censored
/// - every other number: the median over the runs that have one
/// - `longest_gap_most_s`: the longest gap of all runs
///
/// The median of an even number is the mean of the two middle ones: the better of two runs does not stand for both.
///
/// # Errors
/// [`PolarsError`] when a frame lacks a column.
pub fn by_label(runs: &[(&Factors, DataFrame)]) -> PolarsResult<DataFrame> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (factors, frame) in runs {
        let (kinds, changes) = (frame.column("kind")?.str()?, frame.column("leader_changes")?.u64()?);
        for row in 0..frame.height() {
            let kind = kinds.get(row).unwrap_or_default();
            let has_changes = changes.get(row).unwrap_or(0) > 0;
            let is_it = |group: &&mut Group<'_>| {
                group.kind == kind && group.has_changes == has_changes && group.factors.condition == factors.condition
            };
            match groups.iter_mut().find(is_it) {
                Some(group) => group.rows.push((frame, row)),
                None => {
                    groups.push(Group { factors, kind: kind.to_owned(), has_changes, rows: vec![(frame, row)] });
                }
            }
        }
    }
    let at = |kind: &str| if kind == crate::tables::groups::ALL_KINDS { 1 } else { 0 };
    groups.sort_by(|a, b| {
        let place = |group: &Group<'_>| (group.has_changes, at(&group.kind));
        a.factors.reading_order(b.factors).then_with(|| place(a).cmp(&place(b)))
    });
    frame(&groups)
}

struct Group<'a> {
    factors: &'a Factors,
    kind: String,
    has_changes: bool,
    /// Rows of the runs' frames.
    rows: Vec<(&'a DataFrame, usize)>,
}

impl Group<'_> {
    fn numbers(&self, name: &str) -> PolarsResult<Vec<f64>> {
        let numbers = self.rows.iter().map(|(frame, row)| Ok(frame.column(name)?.f64()?.get(*row)));
        Ok(numbers.collect::<PolarsResult<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn times(&self, name: &str) -> PolarsResult<Vec<Took>> {
        let times = self.rows.iter().map(|(frame, row)| Ok(times_of(frame, name)?[*row]));
        Ok(times.collect::<PolarsResult<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn dipped(&self) -> PolarsResult<u64> {
        let dipped = self.rows.iter().map(|(frame, row)| Ok(frame.column("dipped")?.bool()?.get(*row) == Some(true)));
        Ok(dipped.collect::<PolarsResult<Vec<_>>>()?.into_iter().filter(|dipped| *dipped).count() as u64)
    }
}

/// Times of several runs, of which some are only known from below.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Pooled {
    pub(super) runs: u64,
    pub(super) seen: u64,
    pub(super) median: Option<Took>,
    pub(super) interval_s: (Option<f64>, Option<f64>),
    pub(super) least_s: Option<f64>,
    pub(super) most_s: Option<f64>,
    pub(super) seen_most_s: Option<f64>,
}

impl Pooled {
    pub(super) fn of(times: &[Took]) -> Self {
        let mut seen_s: Vec<f64> = times.iter().filter_map(|took| took.s()).collect();
        seen_s.sort_by(f64::total_cmp);
        let with = |censored_s: fn(f64) -> f64| {
            let s = |took: &Took| took.s().or(took.bound_s().map(censored_s));
            median(times.iter().filter_map(s).collect())
        };
        let is_seen = times.len() / 2 < seen_s.len();
        let median = if is_seen { with(|_| f64::INFINITY).map(Took::Exactly) } else { with(|s| s).map(Took::Longer) };
        let rank = median_rank(times.len());
        let at = |rank: usize| seen_s.get(rank).copied();
        Self {
            runs: times.len() as u64,
            seen: seen_s.len() as u64,
            median,
            interval_s: (rank.and_then(at), rank.and_then(|rank| at(times.len() - 1 - rank))),
            least_s: at(0),
            most_s: seen_s.last().copied().filter(|_| seen_s.len() == times.len()),
            seen_most_s: seen_s.last().copied(),
        }
    }
}

/// The rank, from 0, that begins the shortest symmetric interval of ranks that holds the median with the confidence; `None`
/// where not even all values do.
fn median_rank(count: usize) -> Option<usize> {
    let outside = (1.0 - CONFIDENCE) / 2.0;
    // Probability that no more than `rank` values lie below the median.
    let mut term = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut below = 0.0;
    let mut found = None;
    for rank in 0..count / 2 {
        below += term;
        if below > outside {
            break;
        }
        found = Some(rank);
        term *= (count - rank) as f64 / (rank + 1) as f64;
    }
    found
}

/// Of an even number the mean of the two middle ones.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (lower, upper) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*lower, *upper))
}

fn frame(groups: &[Group<'_>]) -> PolarsResult<DataFrame> {
    let text = |name: &str, of: &dyn Fn(&Group<'_>) -> Option<String>| {
        Column::new(name.into(), groups.iter().map(of).collect::<Vec<_>>())
    };
    let changes = |group: &Group<'_>| -> PolarsResult<u64> {
        let of_run =
            |(frame, row): &(&DataFrame, usize)| Ok(frame.column("leader_changes")?.u64()?.get(*row).unwrap_or(0));
        group.rows.iter().map(of_run).sum()
    };
    let mut columns = vec![
        text("label", &|group| Some(group.factors.label.clone())),
        text("family", &|group| Some(group.factors.family.clone())),
        text("sweep", &|group| group.factors.sweep.clone()),
        text("role", &|group| Some(group.factors.role.as_str().to_owned())),
        text("fault", &|group| group.factors.fault.clone()),
        Column::new("fault_value".into(), groups.iter().map(|group| group.factors.value).collect::<Vec<_>>()),
        text("kind", &|group| Some(group.kind.clone())),
        Column::new("runs".into(), groups.iter().map(|group| group.rows.len() as u64).collect::<Vec<_>>()),
        Column::new("leader_changes".into(), groups.iter().map(changes).collect::<PolarsResult<Vec<_>>>()?),
        Column::new("dipped".into(), groups.iter().map(Group::dipped).collect::<PolarsResult<Vec<_>>>()?),
    ];
    for name in TIMES {
        let pooled: Vec<Pooled> =
            groups.iter().map(|group| Ok(Pooled::of(&group.times(name)?))).collect::<PolarsResult<_>>()?;
        columns.extend(time_columns(name, &pooled.iter().map(|pooled| pooled.median).collect::<Vec<_>>()));
        let count = |end: &str, of: fn(&Pooled) -> u64| {
            Column::new(format!("{name}_{end}").into(), pooled.iter().map(of).collect::<Vec<_>>())
        };
        let number = |end: &str, of: fn(&Pooled) -> Option<f64>| {
            Column::new(format!("{name}_{end}").into(), pooled.iter().map(of).collect::<Vec<_>>())
        };
        columns.extend([
            count("runs", |pooled| pooled.runs),
            count("seen", |pooled| pooled.seen),
            number("least_s", |pooled| pooled.least_s),
            number("most_s", |pooled| pooled.most_s),
            number("seen_most_s", |pooled| pooled.seen_most_s),
            number("low_s", |pooled| pooled.interval_s.0),
            number("high_s", |pooled| pooled.interval_s.1),
        ]);
    }
    for name in LEVELS.into_iter().chain([UNAVAILABLE]) {
        let medians: Vec<Option<f64>> =
            groups.iter().map(|group| Ok(median(group.numbers(name)?))).collect::<PolarsResult<_>>()?;
        columns.push(Column::new(name.into(), medians));
    }
    let most: Vec<Option<f64>> = groups
        .iter()
        .map(|group| Ok(group.numbers("longest_gap_s")?.into_iter().reduce(f64::max)))
        .collect::<PolarsResult<_>>()?;
    columns.push(Column::new("longest_gap_most_s".into(), most));
    DataFrame::new(groups.len(), columns)
}
