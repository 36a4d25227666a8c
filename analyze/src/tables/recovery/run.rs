//! Recovery of one run.

use std::collections::BTreeMap;

use polars::prelude::*;
use run_folder::operation::{Kind, Outcome};

use super::backlog::Backlog;
use super::response::{self, NEVER_NS, Responses};
use super::series::{self, Area, Level};
use super::{Context, LEVELS, Rule, TIMES, Took, UNAVAILABLE, time_columns};
use crate::phases::{Phase, Window};
use crate::stats;
use crate::tables::{Facts, groups, rows, writes};

/// The recovery of one run.
///
/// `operations` has the columns [`super::READS`]. The result has one row for each kind of operation, and one for `all` of
/// them where there are several. Columns:
///
/// - `run`, `label`, `family`, `sweep`, `repeat`, `role`, `fault`, `fault_value` (milliseconds or percent), `kind`
/// - `leader_changes`: in the run, after time 0
/// - `before_ops_per_s`: acknowledged before the fault
/// - `observed_s`: length of what was recorded after the fault's end
/// - `dipped`: whether throughput was low at any time from the fault's beginning to its recovery
/// - `recovery_s`: from the fault's end until throughput had recovered, see [`super`]; 0 where it had by then, or was never
///   low. `recovery_censored`: it was not seen to recover; then `recovery_s` is null and `recovery_lower_bound_s` is how long it
///   certainly took
/// - `first_write_s`: from the fault's end to the first acknowledgement of a write that was sent after it; null for reads.
///   In the row `all` writes are those of all kinds. `_censored` and `_lower_bound_s` as above
/// - `response_p50_recovery_s`, `response_p99_recovery_s`: from the fault's end until that quantile of response time over
///   the operations due in each bin was no larger than in the worst bin before the fault, or no more than half as large again
///   as over the whole time before, and stayed so; likewise. Bins are as long as 10 operations above the quantile take, and
///   of p99 at least 5 s, but no longer than what was recorded; in each a standstill of a tenth of a second is let off
/// - `backlog_drained_s`: from the fault's end until no more operations were due and not ended than before; open loops
///   only; likewise. `backlog_before` (99th percentile), `backlog_at_end` (at the fault's end)
/// - `ops_lost`: operations missing in low bins, from the fault's beginning to its recovery (where censored, to the end);
///   `ops_caught_up`: those above the level, to the end of the time for which that was held, in bins that have more than noise
///   explains; `ops_missing`: what is missing in sum by then, negative where there were more than before. Where
///   `recovery_censored`, these are what was seen until the end: more may have been lost after it
/// - `residual_ops_per_s_ratio`, `residual_response_p50_ratio`, `residual_response_p99_ratio`: after the recovery (where
///   censored, in the last time of the length that must be held) divided by before; of throughput the median bin, which does
///   not contain what was caught up; response times over all operations due, null where the quantile has no answer
/// - `longest_gap_s`: longest time from one acknowledged write to the next that touches the time from the fault's beginning
///   on; `longest_gap_from_s`: its beginning after time 0, `longest_gap_phase`: where most of it lies;
///   `longest_gap_censored`: no write was acknowledged after it, so that it may have lasted longer
/// - `under_90_s`, `under_50_s`, `under_10_s`: seconds from the fault's beginning on, in low bins with less than 90, 50 and 10 %
///   of the level before
/// - `unavailable_s`: sum of the gaps without an acknowledged write that are longer than a bin, as far as they lie
///   after the fault's beginning; `unavailable_censored`: the last one of them had not ended, so that it may be more
/// - `why`: why there is no recovery, where there is none
///
/// # Errors
/// [`PolarsError`] when a column is missing or holds what the format does not allow.
pub fn table(operations: &DataFrame, facts: &Facts, context: &Context<'_>, rule: &Rule) -> PolarsResult<DataFrame> {
    let rows: Vec<Row> =
        kinds(operations)?.iter().map(|(kind, taken)| Row::of(kind, taken, facts, context, rule)).collect();
    frame(&rows, facts, context)
}

/// The operations of one kind, each list in ascending order.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// When operations became due.
    pub(super) due_ns: Vec<i64>,
    /// When they ended, however.
    pub(super) ended_ns: Vec<i64>,
    /// When they were acknowledged.
    pub(super) acknowledged_ns: Vec<i64>,
    /// Start and end of acknowledged writes, by end.
    pub(super) written_ns: Vec<(i64, i64)>,
    /// When operations became due and what they took.
    pub(super) responses: Responses,
    /// Whether some of them are writes.
    pub(super) has_writes: bool,
}

impl Taken {
    fn add(&mut self, other: &Self) {
        self.due_ns.extend(&other.due_ns);
        self.ended_ns.extend(&other.ended_ns);
        self.acknowledged_ns.extend(&other.acknowledged_ns);
        self.written_ns.extend(&other.written_ns);
        self.responses.extend(&other.responses);
        self.has_writes |= other.has_writes;
    }

    fn sort(&mut self) {
        self.due_ns.sort_unstable();
        self.ended_ns.sort_unstable();
        self.acknowledged_ns.sort_unstable();
        self.written_ns.sort_unstable_by_key(|&(_, end_ns)| end_ns);
        self.responses.sort_unstable();
    }
}

/// The operations by kind, in the order of kinds, `all` last where there are several kinds or none.
pub(super) fn kinds(operations: &DataFrame) -> PolarsResult<Vec<(String, Taken)>> {
    let mut found: BTreeMap<(usize, String), Taken> = BTreeMap::new();
    let rows = rows(operations)?;
    let mut last: Option<((usize, String), Taken)> = None;
    for ((((kind, intended_ns), start_ns), end_ns), outcome) in rows {
        let kind = kind.unwrap_or_default();
        // Neighbours are mostly of one kind, which is then not looked up.
        if last.as_ref().is_none_or(|((_, name), _)| name != kind) {
            found.extend(last.take());
            let at = Kind::ALL.iter().position(|known| known.as_str() == kind).unwrap_or(Kind::ALL.len());
            let key = (at, kind.to_owned());
            let taken = found.remove(&key).unwrap_or_default();
            last = Some((key, taken));
        }
        let Some((_, taken)) = &mut last else { continue };
        let is_ok = outcome? == Outcome::Ok;
        taken.due_ns.push(intended_ns);
        taken.ended_ns.push(end_ns);
        taken.responses.push((intended_ns, if is_ok { end_ns.saturating_sub(intended_ns) } else { NEVER_NS }));
        let is_write = writes::KINDS.iter().any(|write| write.as_str() == kind);
        taken.has_writes |= is_write;
        if is_ok {
            taken.acknowledged_ns.push(end_ns);
            if is_write {
                taken.written_ns.push((start_ns.unwrap_or(intended_ns), end_ns));
            }
        }
    }
    found.extend(last);
    let mut kinds: Vec<(String, Taken)> = found.into_iter().map(|((_, kind), taken)| (kind, taken)).collect();
    if kinds.len() != 1 {
        let mut all = Taken::default();
        kinds.iter().for_each(|(_, taken)| all.add(taken));
        kinds.push((groups::ALL_KINDS.to_owned(), all));
    }
    kinds.iter_mut().for_each(|(_, taken)| taken.sort());
    Ok(kinds)
}

/// A row of the table.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) kind: String,
    pub(super) dipped: Option<bool>,
    /// In the order of [`TIMES`].
    pub(super) times: [Option<Took>; TIMES.len()],
    /// In the order of [`LEVELS`].
    pub(super) levels: [Option<f64>; LEVELS.len()],
    pub(super) unavailable_s: Option<f64>,
    pub(super) unavailable_censored: Option<bool>,
    pub(super) gap_from_s: Option<f64>,
    pub(super) gap_phase: Option<&'static str>,
    pub(super) gap_censored: Option<bool>,
    pub(super) why: Option<&'static str>,
}

impl Row {
    fn of(kind: &str, taken: &Taken, facts: &Facts, context: &Context<'_>, rule: &Rule) -> Self {
        let mut row = Self { kind: kind.to_owned(), ..Self::default() };
        let end_ns = facts.phases.end_ns();
        let Some(window) = facts.phases.window() else {
            row.why = Some("no fault was in force");
            return row;
        };
        let level = Level::before(&taken.acknowledged_ns, window.from_ns, rule);
        row.gap(taken, window, end_ns, level.as_ref());
        row.why = match level {
            _ if window.to_ns >= end_ns => Some("the fault lasts to the end of the run"),
            _ if window.from_ns <= 0 => Some("nothing was recorded before the fault"),
            None => Some("nothing was acknowledged before the fault"),
            Some(level) if end_ns - window.to_ns < level.hold_ns() => {
                Some("less was recorded after the fault than must be held")
            }
            Some(_) => None,
        };
        if window.to_ns < end_ns {
            row.set("observed_s", Some(seconds(end_ns - window.to_ns)));
            row.set_time("first_write", taken.has_writes.then(|| first_write(taken, window.to_ns, end_ns)));
        }
        let Some(level) = level else { return row };
        row.set("before_ops_per_s", Some(level.per_s));
        for (name, share) in [("under_90_s", 0.9), ("under_50_s", 0.5), ("under_10_s", 0.1)] {
            let under_s = series::under_s(&level, &taken.acknowledged_ns, window.from_ns, end_ns, share);
            row.set(name, Some(under_s));
        }
        let until_ns = if row.why.is_none() { row.recovery(taken, window, end_ns, &level) } else { end_ns };
        // What came back late did so while the level was held already.
        let counted_ns = until_ns.saturating_add(level.hold_ns()).min(end_ns);
        let area = Area::of(&level, &taken.acknowledged_ns, window.from_ns, counted_ns);
        row.dipped = Some(
            level.bins(&taken.acknowledged_ns, window.from_ns, until_ns).any(|ops| level.is_low(ops))
                || until_ns > window.to_ns && row.why.is_none(),
        );
        row.set("ops_lost", Some(Area::of(&level, &taken.acknowledged_ns, window.from_ns, until_ns).lost));
        row.set("ops_caught_up", Some(area.caught_up));
        row.set("ops_missing", Some(area.missing));
        if row.why.is_none() {
            let edges = (window.from_ns, window.to_ns);
            for (name, q) in [("response_p50_recovery", 0.5), ("response_p99_recovery", 0.99)] {
                row.set_time(name, response::recovery(&taken.responses, &level, edges, end_ns, q));
            }
            if context.is_open_loop
                && let Some(backlog) = Backlog::of(&taken.due_ns, &taken.ended_ns, edges, end_ns)
            {
                row.set_time("backlog_drained", Some(backlog.drained));
                row.set("backlog_before", Some(backlog.before as f64));
                row.set("backlog_at_end", Some(backlog.at_end as f64));
            }
        }
        row
    }

    fn set(&mut self, name: &str, value: Option<f64>) {
        let at = LEVELS.iter().position(|known| *known == name).expect("a name of the list");
        self.levels[at] = value.filter(|value| value.is_finite());
    }

    fn set_time(&mut self, name: &str, took: Option<Took>) {
        let at = TIMES.iter().position(|known| *known == name).expect("a name of the list");
        self.times[at] = took;
    }

    /// Throughput's recovery and what is left after it; gives the time of the recovery, or the end.
    fn recovery(&mut self, taken: &Taken, window: Window, end_ns: i64, level: &Level) -> i64 {
        let held = level.held(&taken.acknowledged_ns, window.to_ns, end_ns);
        let took = match held {
            Ok(at_ns) => Took::Exactly(seconds(at_ns - window.to_ns)),
            Err(since_ns) => Took::Longer(seconds(since_ns - window.to_ns)),
        };
        self.set_time("recovery", Some(took));
        let after_ns = held.unwrap_or((end_ns - level.hold_ns()).max(window.to_ns));
        let mut bins: Vec<usize> = level.bins(&taken.acknowledged_ns, after_ns, end_ns).collect();
        bins.sort_unstable();
        let middle = stats::nearest_rank(bins.len(), 0.5).map(|rank| bins[rank]);
        self.set("residual_ops_per_s_ratio", middle.map(|ops| ops as f64 / level.per_bin));
        for (name, q) in [("residual_response_p50_ratio", 0.5), ("residual_response_p99_ratio", 0.99)] {
            let of = |from_ns, to_ns| response::quantile_ns(&taken.responses, from_ns, to_ns, q);
            let known = |value_ns: Option<i64>| value_ns.filter(|&ns| ns != NEVER_NS && ns > 0).map(|ns| ns as f64);
            let ratio =
                known(of(after_ns, end_ns)).zip(known(of(0, window.from_ns))).map(|(after, before)| after / before);
            self.set(name, ratio);
        }
        held.unwrap_or(end_ns)
    }

    /// The gaps without an acknowledged write.
    fn gap(&mut self, taken: &Taken, window: Window, end_ns: i64, level: Option<&Level>) {
        if !taken.has_writes || end_ns <= 0 {
            return;
        }
        let written_ns: Vec<i64> = taken.written_ns.iter().map(|&(_, end_ns)| end_ns).collect();
        let awaited_ns = taken.ended_ns.last().map_or(end_ns, |&last_ns| last_ns.max(end_ns));
        let gaps = series::gaps(&written_ns, window.from_ns, end_ns, awaited_ns);
        let Some(&(since_ns, until_ns)) = gaps.iter().max_by_key(|(since_ns, until_ns)| until_ns - since_ns) else {
            return;
        };
        self.set("longest_gap_s", Some(seconds(until_ns - since_ns)));
        self.gap_from_s = Some(since_ns as f64 / 1e9);
        let is_open = |until_ns: i64| written_ns.last().is_none_or(|&last_ns| until_ns > last_ns);
        self.gap_censored = Some(is_open(until_ns));
        self.gap_phase = Some(phase_of((since_ns, until_ns), window, end_ns).as_str());
        let mean_per_s = written_ns.len() as f64 / seconds(end_ns);
        // Without any acknowledged write, all of the time is without one.
        let bin_ns = match level {
            _ if written_ns.is_empty() => 0,
            Some(level) => level.bin_ns,
            None => series::bin_ns(mean_per_s),
        };
        let long = gaps.iter().filter(|(since_ns, until_ns)| until_ns - since_ns > bin_ns);
        self.unavailable_censored = Some(long.clone().any(|&(_, until_ns)| is_open(until_ns)));
        let inside = long.map(|&(since_ns, until_ns)| until_ns.min(end_ns) - since_ns.max(window.from_ns));
        self.unavailable_s = Some(seconds(inside.map(|ns| ns.max(0)).sum()));
    }
}

fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// The first acknowledgement of a write that was sent after the fault's end.
fn first_write(taken: &Taken, healed_ns: i64, end_ns: i64) -> Took {
    let first_ns =
        taken.written_ns.iter().filter(|(start_ns, _)| *start_ns >= healed_ns).map(|&(_, end_ns)| end_ns).min();
    let awaited_ns = taken.ended_ns.last().map_or(end_ns, |&last_ns| last_ns.max(end_ns));
    first_ns.map_or(Took::Longer(seconds(awaited_ns - healed_ns)), |at_ns| Took::Exactly(seconds(at_ns - healed_ns)))
}

/// The phase in which most of a time lies.
fn phase_of((since_ns, until_ns): (i64, i64), window: Window, end_ns: i64) -> Phase {
    let inside = |from_ns: i64, to_ns: i64| until_ns.min(to_ns) - since_ns.max(from_ns);
    let parts = [
        (Phase::During, inside(window.from_ns, window.to_ns)),
        (Phase::After, if window.to_ns < end_ns { inside(window.to_ns, i64::MAX) } else { i64::MIN }),
        (Phase::Before, inside(0, window.from_ns)),
    ];
    // Of equal parts the first counts, since the fault is the likelier reason.
    parts.into_iter().rev().max_by_key(|&(_, ns)| ns).map_or(Phase::During, |(phase, _)| phase)
}

fn frame(rows: &[Row], facts: &Facts, context: &Context<'_>) -> PolarsResult<DataFrame> {
    let height = rows.len();
    let factors = context.factors;
    let text = |name: &str, value: Option<&str>| Column::new(name.into(), vec![value; height]);
    let mut columns = vec![
        text("run", Some(&facts.run)),
        text("label", Some(&factors.label)),
        text("family", Some(&factors.family)),
        text("sweep", factors.sweep.as_deref()),
        Column::new("repeat".into(), vec![factors.repeat.map(u64::from); height]),
        text("role", Some(factors.role.as_str())),
        text("fault", factors.fault.as_deref()),
        Column::new("fault_value".into(), vec![factors.value; height]),
        Column::new("kind".into(), rows.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>()),
        Column::new("leader_changes".into(), vec![context.leader_changes as u64; height]),
        Column::new("dipped".into(), rows.iter().map(|row| row.dipped).collect::<Vec<_>>()),
    ];
    for (at, name) in TIMES.into_iter().enumerate() {
        let times: Vec<Option<Took>> = rows.iter().map(|row| row.times[at]).collect();
        columns.extend(time_columns(name, &times));
    }
    for (at, name) in LEVELS.into_iter().enumerate() {
        columns.push(Column::new(name.into(), rows.iter().map(|row| row.levels[at]).collect::<Vec<_>>()));
    }
    columns.extend([
        Column::new(UNAVAILABLE.into(), rows.iter().map(|row| row.unavailable_s).collect::<Vec<_>>()),
        Column::new("unavailable_censored".into(), rows.iter().map(|row| row.unavailable_censored).collect::<Vec<_>>()),
        Column::new("longest_gap_from_s".into(), rows.iter().map(|row| row.gap_from_s).collect::<Vec<_>>()),
        Column::new("longest_gap_phase".into(), rows.iter().map(|row| row.gap_phase).collect::<Vec<_>>()),
        Column::new("longest_gap_censored".into(), rows.iter().map(|row| row.gap_censored).collect::<Vec<_>>()),
        Column::new("why".into(), rows.iter().map(|row| row.why).collect::<Vec<_>>()),
    ]);
    DataFrame::new(height, columns)
}
