//! Tables: frame in, frame out. Nothing in here reads a file, so every table can be tested with planted rows.
//!
//! Column names end in their unit. Missing is null, never zero and never NaN.

use polars::prelude::*;
use run_folder::operation::Outcome;

use crate::phases::Phases;

pub mod causes;
pub mod cdf;
pub mod check;
pub mod columns;
pub mod compare;
pub mod delta;
pub mod factors;
mod groups;
pub mod imported;
pub mod latency;
pub mod leaders;
pub mod levels;
pub mod members;
pub mod recovery;
pub mod reigns;
pub mod repeats;
pub mod replication;
pub mod runs;
mod sampled;
pub mod severity;
mod spread;
pub mod standings;
pub mod summary;
pub mod throughput;
pub mod verdict;
pub mod views;
pub mod writes;

/// What a table has to know of a run beside its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Name of the run folder: the run's identity.
    pub run: String,
    /// The run's label; repeats share it.
    pub label: String,
    /// The run's phases.
    pub phases: Phases,
    /// Time after its intended start at which an operation was given up, in milliseconds; 0 where that is not known.
    pub deadline_ms: f64,
    /// Names of the members, by index.
    pub members: Vec<String>,
}

/// Puts frames of equal columns below each other, in order; `None` of no frames.
///
/// # Errors
/// [`PolarsError`] when the columns differ.
pub fn stack(frames: impl IntoIterator<Item = DataFrame>) -> PolarsResult<Option<DataFrame>> {
    let mut frames = frames.into_iter();
    let Some(mut all) = frames.next() else { return Ok(None) };
    for frame in frames {
        all.vstack_mut_owned(frame)?;
    }
    // A chunk a frame would make looking up one row linear in the number of frames.
    all.rechunk_mut();
    Ok(Some(all))
}

const NS_PER_S: i64 = 1_000_000_000;

/// What became of an operation, as the tables count it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    ok: u64,
    failed: u64,
    unknown: u64,
    unsent: u64,
}

impl Counts {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::Unsent => self.unsent += 1,
        }
    }

    fn merge(&mut self, other: Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.unsent += other.unsent;
    }

    fn due(self) -> u64 {
        self.ok + self.failed + self.unknown + self.unsent
    }

    fn not_ok_share(self) -> Option<f64> {
        let due = self.due();
        (due > 0).then(|| (due - self.ok) as f64 / due as f64)
    }
}

/// The outcomes of `operations`, row by row.
fn outcomes(operations: &DataFrame) -> PolarsResult<impl Iterator<Item = PolarsResult<Outcome>> + '_> {
    let codes = codes(operations.column("outcome")?.str()?, |text| {
        Outcome::ALL.iter().copied().find(|outcome| outcome.as_str() == text).ok_or_else(
            || polars_err!(ComputeError: "outcome {text:?} is not one that this program knows; update Laggard"),
        )
    })?;
    Ok(codes.into_iter().map(Ok))
}

/// Kind, `intended_ns`, `start_ns`, `end_ns` and outcome of an operation.
type Row<'a> = ((((Option<&'a str>, i64), Option<i64>), i64), PolarsResult<Outcome>);

/// The operations, row by row.
fn rows(operations: &DataFrame) -> PolarsResult<impl Iterator<Item = Row<'_>>> {
    let kinds = operations.column("kind")?.str()?.iter();
    Ok(kinds
        .zip(integers(operations, "intended_ns")?.into_no_null_iter())
        .zip(operations.column("start_ns")?.i64()?.iter())
        .zip(integers(operations, "end_ns")?.into_no_null_iter())
        .zip(outcomes(operations)?))
}

/// What stands for each string of a column of few different ones. `code_of` is asked when a string comes up that is not among the
/// last ones: strings are told apart by their 16-byte views, without looking at their text.
fn codes<T: Copy>(column: &StringChunked, mut code_of: impl FnMut(&str) -> PolarsResult<T>) -> PolarsResult<Vec<T>> {
    const KEPT: usize = 8;
    let mut codes = Vec::with_capacity(column.len());
    for array in column.downcast_iter() {
        // Views of long strings mean the same within one array only.
        let mut kept: Vec<(u128, T)> = Vec::with_capacity(KEPT);
        for (at, view) in array.views().iter().enumerate() {
            let view = view.as_u128();
            let code = match kept.iter().find(|(known, _)| *known == view) {
                Some(&(_, code)) => code,
                None => {
                    let code = code_of(array.get(at).unwrap_or_default())?;
                    // A view says nothing of a missing string.
                    if array.get(at).is_some() {
                        kept.truncate(KEPT - 1);
                        kept.insert(0, (view, code));
                    }
                    code
                }
            };
            codes.push(code);
        }
    }
    Ok(codes)
}

/// An integer column that the format does not allow to be null.
fn integers<'a>(operations: &'a DataFrame, name: &str) -> PolarsResult<&'a Int64Chunked> {
    let column = operations.column(name)?.i64()?;
    polars_ensure!(column.null_count() == 0, ComputeError: "column {name} has rows without a value");
    Ok(column)
}

fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}
