//! Throughput: operations that ended in each second of a run.

use polars::prelude::*;
use run_folder::operation::{ENDPOINT_UNKNOWN, Outcome};

use super::{Counts, Facts, NS_PER_S, integers, outcomes, repeats};
use crate::output::text::{Column as Shown, TextTable};
use crate::phases::Phase;

/// Columns of `operations` that the table reads.
pub const READS: [&str; 4] = ["intended_ns", "end_ns", "outcome", "endpoint"];

/// Whether members are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// One row for each second.
    Run,
    /// One row for each second and member.
    Member,
}

/// Counts the operations of one run by the second in which they ended.
///
/// `operations` has the columns [`READS`]. The result has one row for each second of the workload, from 0, also
/// where nothing happened; with [`By::Member`] one for each second and member. Columns:
///
/// - `run`, `label`
/// - `second`: second s holds what ended in [s, s + 1) after the run's time 0
/// - `member`: the member that was asked; only with [`By::Member`]
/// - `length_s`: 1, or less in the last second when the workload ended within it
/// - `ok`, `failed`, `unknown`, `unsent`: operations that ended in that second. Operations of the warm-up, and those that
///   ended after the end of the workload, are in no second; [`super::summary`] counts every operation.
/// - `ops_per_s`: `ok` / `length_s`
/// - `not_ok_share`: share of what ended in that second that was not acknowledged; null where nothing ended
///
/// # Errors
/// [`PolarsError`] when a column is missing or holds what the format does not allow.
pub fn table(operations: &DataFrame, facts: &Facts, by: By) -> PolarsResult<DataFrame> {
    let mut parts = Parts::new(facts, by);
    parts.add(operations)?;
    parts.table()
}

/// A run whose operations come in parts.
pub struct Parts<'a> {
    facts: &'a Facts,
    by: By,
    lanes: usize,
    counts: Vec<Counts>,
}

impl<'a> Parts<'a> {
    /// Begins with none.
    pub fn new(facts: &'a Facts, by: By) -> Self {
        let seconds = usize::try_from((facts.phases.end_ns() + NS_PER_S - 1) / NS_PER_S).unwrap_or(0);
        let lanes = if by == By::Member { facts.members.len() } else { 1 };
        Self { facts, by, lanes, counts: vec![Counts::default(); seconds * lanes] }
    }

    /// Counts the next part.
    ///
    /// # Errors
    /// As [`table`].
    pub fn add(&mut self, operations: &DataFrame) -> PolarsResult<()> {
        let Self { facts, by, lanes, ref mut counts } = *self;
        let end_ns = facts.phases.end_ns();
        let rows = integers(operations, "intended_ns")?
            .into_no_null_iter()
            .zip(integers(operations, "end_ns")?.into_no_null_iter())
            .zip(operations.column("endpoint")?.i8()?.iter())
            .zip(outcomes(operations)?);
        for (((intended_ns, ended_ns), endpoint), outcome) in rows {
            let outcome = outcome?;
            if intended_ns < 0 || !(0..end_ns).contains(&ended_ns) {
                continue;
            }
            let lane = match by {
                By::Run => Some(0),
                By::Member => endpoint.and_then(|index| usize::try_from(index).ok()).filter(|&lane| lane < lanes),
            };
            let Some(lane) = lane else {
                if endpoint == Some(ENDPOINT_UNKNOWN as i8) {
                    polars_bail!(ComputeError: "{}: which member was asked is not known; leave --by out", facts.run);
                }
                polars_bail!(ComputeError: "endpoint {endpoint:?} is not one of the manifest's {lanes} members");
            };
            counts[(ended_ns / NS_PER_S) as usize * lanes + lane].add(outcome);
        }
        Ok(())
    }

    /// The counts, as [`table`].
    ///
    /// # Errors
    /// [`PolarsError`] never in practice.
    pub fn table(self) -> PolarsResult<DataFrame> {
        let Self { facts, by, lanes, counts } = self;
        let end_ns = facts.phases.end_ns();
        let height = counts.len();
        let length_s = |second: usize| ((end_ns - second as i64 * NS_PER_S).min(NS_PER_S)) as f64 / NS_PER_S as f64;
        let seconds_column: Vec<i64> = (0..height).map(|row| (row / lanes) as i64).collect();
        let lengths: Vec<f64> = (0..height).map(|row| length_s(row / lanes)).collect();
        let rates: Vec<f64> =
            counts.iter().zip(&lengths).map(|(counts, length_s)| counts.ok as f64 / length_s).collect();
        let mut columns = vec![
            Column::new("run".into(), vec![facts.run.as_str(); height]),
            Column::new("label".into(), vec![facts.label.as_str(); height]),
            Column::new("second".into(), seconds_column),
        ];
        if by == By::Member {
            let names: Vec<&str> = (0..height).map(|row| facts.members[row % lanes].as_str()).collect();
            columns.push(Column::new("member".into(), names));
        }
        columns.push(Column::new("length_s".into(), lengths));
        let count = |of: fn(&Counts) -> u64| counts.iter().map(of).collect::<Vec<_>>();
        columns.extend([
            Column::new("ok".into(), count(|counts| counts.ok)),
            Column::new("failed".into(), count(|counts| counts.failed)),
            Column::new("unknown".into(), count(|counts| counts.unknown)),
            Column::new("unsent".into(), count(|counts| counts.unsent)),
            Column::new("ops_per_s".into(), rates),
            Column::new("not_ok_share".into(), counts.iter().map(|counts| counts.not_ok_share()).collect::<Vec<_>>()),
        ]);
        DataFrame::new(height, columns)
    }
}

/// Repeats of a label laid over each other, second by second, see [`repeats::across`]; without the last second where the
/// workload did not fill it.
///
/// # Errors
/// [`PolarsError`] when `runs` are not results of [`table`], counted by run.
pub fn across(runs: &[&DataFrame]) -> PolarsResult<DataFrame> {
    let whole =
        |run: &&DataFrame| run.filter(&run.column("length_s")?.f64()?.iter().map(|s| Some(s >= Some(1.0))).collect());
    let whole = runs.iter().map(whole).collect::<PolarsResult<Vec<_>>>()?;
    repeats::across(&whole.iter().collect::<Vec<_>>(), "second", &["ops_per_s", "not_ok_share"])
}

/// Operations of one phase, for the words beside a plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhaseRate {
    /// The phase.
    pub phase: Phase,
    /// Operations that were due in it.
    pub due: u64,
    /// Those that were acknowledged.
    pub ok: u64,
    /// Acknowledged ones per second of the phase, see [`super::summary::table`]; `None` where its length is not known.
    pub ops_per_s: Option<f64>,
}

/// Counts the operations of one run by phase, without the warm-up and the edges, the phase `all` last. Counts and rates
/// are those of [`super::summary`].
///
/// # Errors
/// As [`table`].
pub fn by_phase(operations: &DataFrame, facts: &Facts) -> PolarsResult<Vec<PhaseRate>> {
    let mut counts = [Counts::default(); Phase::ALL.len()];
    let mut ok_at_edge = 0;
    let ends_ns = integers(operations, "end_ns")?.into_no_null_iter();
    let rows = integers(operations, "intended_ns")?.into_no_null_iter().zip(ends_ns).zip(outcomes(operations)?);
    for ((intended_ns, end_ns), outcome) in rows {
        let (phase, outcome) = (facts.phases.of_operation(intended_ns, end_ns), outcome?);
        counts[phase as usize].add(outcome);
        let was_before = facts.phases.of(intended_ns) == Phase::Before;
        ok_at_edge += u64::from(phase == Phase::Edge && was_before && outcome == Outcome::Ok);
    }
    for part in [Phase::Before, Phase::During, Phase::After, Phase::Edge] {
        let part = counts[part as usize];
        counts[Phase::All as usize].merge(part);
    }
    let parts = facts.phases.parts().into_iter().filter(|&phase| phase != Phase::WarmUp && phase != Phase::All);
    Ok(parts
        .chain([Phase::All])
        .map(|phase| {
            let Counts { ok, .. } = counts[phase as usize];
            let ok_due = ok + if phase == Phase::Before { ok_at_edge } else { 0 };
            let ops_per_s = facts.phases.length_s(phase).map(|length_s| ok_due as f64 / length_s);
            PhaseRate { phase, due: counts[phase as usize].due(), ok, ops_per_s }
        })
        .collect())
}

/// The table for people.
///
/// # Errors
/// [`PolarsError`] when `throughput` is not the result of [`table`].
pub fn text(throughput: &DataFrame) -> PolarsResult<TextTable> {
    TextTable::new(throughput, &Shown::all(throughput, "run"), Some("run"))
}
