//! How exactly one run determines its own numbers.

use polars::prelude::*;
use run_folder::operation::{Kind, Outcome};

use super::{Intervals, METRICS};
use crate::phases::Phase;
use crate::stats::bootstrap::Random;
use crate::stats::bootstrap::phase::{Draws, Interval, Values};
use crate::tables::groups::{self, ALL_KINDS};
use crate::tables::{Facts, rows};

/// Columns of `operations` that are read.
pub const READS: [&str; 5] = groups::READS;

/// The seed of the draws: the same run always gives the same intervals.
const SEED: u64 = 1;

/// The 95 % intervals of one run's own numbers, by the block bootstrap in time of [`crate::stats::bootstrap`]: what another run
/// would show they do not contain.
///
/// `operations` has the columns [`READS`]. The result has one row for each kind and phase (and kind `all` where there are
/// several) of [`crate::tables::summary::table`] but the warm-up and the edges; phase `all` only where `has_all` is set.
/// Columns: `kind`, `phase`, and for each of [`METRICS`] `_low` and `_high`, null where the phase is shorter than three
/// seconds or a draw has nothing to compute from. Percentiles are rounded to 0.1 %.
///
/// # Errors
/// [`PolarsError`] when a column is missing or holds what the format does not allow.
pub fn within(operations: &DataFrame, facts: &Facts, has_all: bool) -> PolarsResult<DataFrame> {
    let phases = &facts.phases;
    let mut parts: Vec<Phase> = phases.parts().into_iter().filter(|&phase| phase != Phase::WarmUp).collect();
    if has_all && !parts.contains(&Phase::All) {
        parts.push(Phase::All);
    }
    let mut random = Random::new(SEED);
    let draws: Vec<Option<(i64, Draws)>> = parts
        .iter()
        .map(|&phase| {
            let (from_ns, to_ns) = (phases.start_of(phase)?, phases.end_of(phase)?);
            Some((from_ns, Draws::new(to_ns - from_ns, &mut random)?))
        })
        .collect();
    let mut kinds: Vec<(&str, Vec<Tally>)> = Vec::new();
    let rows = rows(operations)?;
    let mut at = 0;
    for ((((kind, intended_ns), start_ns), end_ns), outcome) in rows {
        let kind = kind.unwrap_or_default();
        if kinds.get(at).is_none_or(|(known, _)| *known != kind) {
            at = kinds.iter().position(|(known, _)| *known == kind).unwrap_or_else(|| {
                let empty = draws.iter().map(|draws| Tally::new(draws.as_ref().map_or(0, |(_, draws)| draws.cells())));
                kinds.push((kind, empty.collect()));
                kinds.len() - 1
            });
        }
        let (due_in, phase, is_ok) =
            (phases.of(intended_ns), phases.of_operation(intended_ns, end_ns), outcome? == Outcome::Ok);
        if due_in == Phase::WarmUp {
            continue;
        }
        for ((&part, draws), tally) in parts.iter().zip(&draws).zip(&mut kinds[at].1) {
            let Some((from_ns, draws)) = draws.as_ref().filter(|_| part == due_in || part == Phase::All) else {
                continue;
            };
            let cell = draws.cell(intended_ns - from_ns);
            tally.ok_due[cell as usize] += f64::from(u8::from(is_ok));
            if part == phase || part == Phase::All {
                tally.not_ok[cell as usize] += f64::from(u8::from(!is_ok));
                tally.due[cell as usize] += 1.0;
                if is_ok {
                    tally.response_ns.push(cell, end_ns.saturating_sub(intended_ns));
                    tally.service_ns.push(cell, end_ns.saturating_sub(start_ns.unwrap_or(intended_ns)));
                }
            }
        }
    }
    kinds.sort_by_key(|(kind, _)| Kind::ALL.iter().position(|known| known.as_str() == *kind).unwrap_or(usize::MAX));
    if kinds.len() > 1 {
        let mut kinds_of = kinds.iter().map(|(_, tallies)| tallies);
        let mut total = kinds_of.next().cloned().unwrap_or_default();
        kinds_of.for_each(|tallies| total.iter_mut().zip(tallies).for_each(|(total, tally)| total.add(tally)));
        kinds.push((ALL_KINDS, total));
    }
    let mut rows: Vec<(&str, Phase, Intervals)> = Vec::new();
    for (kind, tallies) in &kinds {
        for ((&phase, draws), tally) in parts.iter().zip(&draws).zip(tallies) {
            let of = draws.as_ref().map(|(_, draws)| tally.intervals(draws, phases.length_s(phase)));
            rows.push((kind, phase, of.unwrap_or([None; METRICS.len()])));
        }
    }
    let mut columns = vec![
        Column::new("kind".into(), rows.iter().map(|row| row.0).collect::<Vec<_>>()),
        Column::new("phase".into(), rows.iter().map(|row| row.1.as_str()).collect::<Vec<_>>()),
    ];
    for (at, metric) in METRICS.into_iter().enumerate() {
        let low: Vec<Option<f64>> = rows.iter().map(|row| Some(row.2[at]?.0)).collect();
        let high: Vec<Option<f64>> = rows.iter().map(|row| Some(row.2[at]?.1)).collect();
        columns.extend([
            Column::new(format!("{metric}_low").into(), low),
            Column::new(format!("{metric}_high").into(), high),
        ]);
    }
    DataFrame::new(rows.len(), columns)
}

/// The operations of one kind and phase, by pieces of time.
#[derive(Debug, Clone, Default)]
struct Tally {
    ok_due: Vec<f64>,
    due: Vec<f64>,
    not_ok: Vec<f64>,
    response_ns: Values,
    service_ns: Values,
}

impl Tally {
    fn new(cells: usize) -> Self {
        let zeros = || vec![0.0; cells];
        let values = || Values::new(cells);
        Self { ok_due: zeros(), due: zeros(), not_ok: zeros(), response_ns: values(), service_ns: values() }
    }

    fn add(&mut self, other: &Self) {
        for (own, other) in
            [(&mut self.ok_due, &other.ok_due), (&mut self.due, &other.due), (&mut self.not_ok, &other.not_ok)]
        {
            own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
        }
        self.response_ns.add(&other.response_ns);
        self.service_ns.add(&other.service_ns);
    }

    fn intervals(&self, draws: &Draws, length_s: Option<f64>) -> Intervals {
        let mut all = vec![draws.of_sums([&self.ok_due], |[ok]| Some(ok / length_s?))];
        for values in [&self.response_ns, &self.service_ns] {
            all.extend(of_times(values, draws));
        }
        all.push(draws.of_sums([&self.not_ok, &self.due], |[not_ok, due]| (due > 0.0).then(|| not_ok / due)));
        std::array::from_fn(|at| all[at])
    }
}

/// The intervals of mean and quantiles in milliseconds.
fn of_times(values_ns: &Values, draws: &Draws) -> impl Iterator<Item = Interval> {
    let ms = |interval: Interval| interval.map(|(low, high)| (low / 1e6, high / 1e6));
    std::iter::once(draws.of_mean(values_ns)).chain(draws.of_quantiles(values_ns)).map(ms)
}
