//! What can be asked of runs, and the tables that answer it: the same for the command line and for Python.

use super::gather::{all, map, measured, opened, tables_of_runs};
use super::{
    Causes, Check, Comparison, Recovery, Report, Rules, Samples, Severity, Verdict, causes, check, columns, compare,
    gate, recovery, samples, severity, verdict,
};
use crate::Result;
use crate::load::{self, Capacity, List, Selection};
use crate::output::text::TextTable;
use crate::tables::runs::Listed;
use crate::tables::{cdf, delta, imported, runs, summary, throughput};
use polars::prelude::DataFrame;

/// A question about runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// `analyze list`
    List {
        /// Which runs.
        selection: Selection,
        /// Whether people see all columns.
        wide: bool,
    },
    /// `analyze summary`
    Summary {
        /// Which runs.
        selection: Selection,
        /// Whether people see all columns.
        wide: bool,
    },
    /// `analyze throughput`
    Throughput {
        /// Which runs.
        selection: Selection,
        /// What to count apart.
        by: throughput::By,
    },
    /// `analyze delta`
    Delta {
        /// Which runs.
        selection: Selection,
        /// What a row is.
        by: DeltaBy,
        /// Whether people see all columns.
        wide: bool,
    },
    /// `analyze cdf`
    Cdf {
        /// Which runs.
        selection: Selection,
    },
    /// `analyze compare`
    Compare(Comparison),
    /// `analyze severity`
    Severity(Severity),
    /// `analyze samples`
    Samples(Samples),
    /// `analyze check`
    Check(Check),
    /// `analyze recovery`
    Recovery(Recovery),
    /// `analyze causes`
    Causes(Causes),
    /// `analyze verdict`
    Verdict(Verdict),
    /// `analyze gate`
    Gate(Rules),
    /// `analyze columns`, of a table or of all.
    Columns(Option<String>),
}

/// What a row of `analyze delta` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaBy {
    /// A label, its repeats pooled.
    Label,
    /// A run.
    Run,
}

/// A table that answers a question.
#[derive(Debug)]
pub struct Answer {
    /// The rows.
    pub frame: DataFrame,
    /// The same for people.
    pub text: TextTable,
    /// What the table for people says and no row does.
    pub beside: Vec<String>,
}

impl Answer {
    /// A table that says everything in its rows.
    pub(super) fn new(frame: DataFrame, text: TextTable) -> Self {
        Self { frame, text, beside: Vec::new() }
    }
}

/// Answers a question. Runs that are left out, or cannot be read, are put into the report.
///
/// # Errors
/// [`crate::Error::Nothing`] where no run can be used, [`crate::Error::Usage`] for what cannot be asked, and what keeps a table from being made.
pub fn answer(question: &Question, report: &mut Report) -> Result<Answer> {
    match question {
        Question::List { selection, wide } => list(selection, *wide, report),
        Question::Summary { selection, wide } => summarise(selection, *wide, report),
        Question::Throughput { selection, by } => count(selection, *by, report),
        Question::Delta { selection, by, wide } => effects(selection, *by, *wide, report),
        Question::Cdf { selection } => distributions(selection, report),
        Question::Compare(asked) => compare::compare(asked, report),
        Question::Severity(asked) => severity::severity(asked, report),
        Question::Samples(asked) => samples::samples(asked, report),
        Question::Check(asked) => check::check(asked, report),
        Question::Recovery(asked) => recovery::recovery(asked, report),
        Question::Causes(asked) => causes::causes(asked, report),
        Question::Verdict(asked) => verdict::verdict(asked, report),
        Question::Gate(asked) => gate::answer(asked, report),
        Question::Columns(table) => columns::answer(table.as_deref()),
    }
}

/// Says beneath a table in which runs the clients were the limit.
pub(super) fn note_saturation<'a>(text: &mut TextTable, runs: impl Iterator<Item = &'a Listed>) {
    let note = runs::saturation_note(runs.map(|run| (run.run.as_str(), &run.manifest)));
    note.iter().for_each(|note| text.note(note));
}

fn list(selection: &Selection, wide: bool, report: &mut Report) -> Result<Answer> {
    let List { runs: listed, left_out, unreadable } = load::list(&load::find(selection)?);
    report.left_out = left_out;
    report.unreadable = unreadable;
    report.left_out.extend(imported::note(&listed));
    let frame = runs::table(&listed)?;
    let mut text = runs::text(&frame, wide)?;
    note_saturation(&mut text, listed.iter());
    Ok(Answer::new(frame, text))
}

fn summarise(selection: &Selection, wide: bool, report: &mut Report) -> Result<Answer> {
    let runs = opened(load::find(selection)?, selection, Capacity::Keep, report)?;
    let frames = map(&runs, report, |run| {
        let facts = run.facts_beforehand()?;
        let mut parts = summary::Parts::new(&facts);
        run.operations_in_parts(&summary::READS, |operations| parts.add(operations))?;
        Ok(parts.table()?)
    })?;
    let frame = all(frames)?;
    let mut text = summary::text(&frame, wide)?;
    note_saturation(&mut text, runs.iter().map(|run| &run.listed));
    Ok(Answer::new(frame, text))
}

fn count(selection: &Selection, by: throughput::By, report: &mut Report) -> Result<Answer> {
    let frames = tables_of_runs(selection, Capacity::Keep, report, |run| {
        let facts = run.facts_beforehand()?;
        let mut parts = throughput::Parts::new(&facts, by);
        run.operations_in_parts(&throughput::READS, |operations| parts.add(operations))?;
        Ok(parts.table()?)
    })?;
    let frame = all(frames)?;
    let text = throughput::text(&frame)?;
    Ok(Answer::new(frame, text))
}

fn effects(selection: &Selection, by: DeltaBy, wide: bool, report: &mut Report) -> Result<Answer> {
    let (measured, runs) = measured(selection, report)?;
    let (frame, mut text) = match by {
        DeltaBy::Label => {
            let frame = delta::by_label(&measured)?;
            let text = delta::text_by_label(&frame, wide)?;
            (frame, text)
        }
        DeltaBy::Run => {
            let frame = delta::by_run(&measured)?;
            let text = delta::text_by_run(&frame, wide)?;
            (frame, text)
        }
    };
    delta::notes(&measured)?.iter().for_each(|note| text.note(note));
    note_saturation(&mut text, runs.iter().map(|run| &run.listed));
    Ok(Answer::new(frame, text))
}

fn distributions(selection: &Selection, report: &mut Report) -> Result<Answer> {
    let frames = tables_of_runs(selection, Capacity::LeaveOut, report, |run| {
        let operations = run.operations(&cdf::READS)?;
        Ok(cdf::table(&operations, &run.facts(&operations)?)?)
    })?;
    let frame = all(frames)?;
    let text = cdf::text(&frame)?;
    Ok(Answer::new(frame, text))
}
