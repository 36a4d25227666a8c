//! The commands, each on one screen: find runs, make a table of each, put the tables together, write the result.

use crate::bundle::Session;
use crate::load::{self, Capacity, List, Selection};
use crate::output::text::TextTable;
use crate::output::{self, Destination, Format};
use crate::tables::runs::Listed;
use crate::tables::{cdf, delta, imported, runs, summary, throughput};
use crate::{Error, Result};

mod bundle;
mod causes;
mod check;
mod columns;
mod compare;
mod diagram;
mod gate;
mod gather;
mod import;
mod plot;
mod recovery;
mod report;
mod samples;
mod severity;
mod verdict;

pub use bundle::Bundle;
pub use causes::Causes;
pub use check::Check;
pub use columns::{Columns, ColumnsFormat};
pub use compare::Comparison;
pub use diagram::{Diagram, Language};
pub use gate::{Gate, GateFormat};
use gather::{all, map, measured, opened, tables_of_runs};
pub use import::Import;
pub use plot::{Picture, Plot, PlotKind, PlotOutput};
pub use recovery::Recovery;
pub use report::{ReportPage, page};
pub use samples::Samples;
pub use severity::Severity;
pub use verdict::{Verdict, VerdictBy};

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// `analyze list`
    List {
        /// Which runs.
        selection: Selection,
        /// Whether people see all columns.
        wide: bool,
        /// How and where to write.
        output: TableOutput,
    },
    /// `analyze summary`
    Summary {
        /// Which runs.
        selection: Selection,
        /// Whether people see all columns.
        wide: bool,
        /// How and where to write.
        output: TableOutput,
    },
    /// `analyze throughput`
    Throughput {
        /// Which runs.
        selection: Selection,
        /// What to count apart.
        by: throughput::By,
        /// How and where to write.
        output: TableOutput,
    },
    /// `analyze delta`
    Delta {
        /// Which runs.
        selection: Selection,
        /// What a row is.
        by: DeltaBy,
        /// Whether people see all columns.
        wide: bool,
        /// How and where to write.
        output: TableOutput,
    },
    /// `analyze cdf`
    Cdf {
        /// Which runs.
        selection: Selection,
        /// How and where to write.
        output: TableOutput,
    },
    /// `analyze compare`
    Compare {
        /// Which two runs, and how.
        comparison: Comparison,
        /// How and where to write.
        output: TableOutput,
    },
    /// `analyze plot`
    Plot(Plot),
    /// `analyze severity`
    Severity(Severity),
    /// `analyze samples`
    Samples(Samples),
    /// `analyze diagram`
    Diagram(Diagram),
    /// `analyze check`
    Check(Check),
    /// `analyze gate`
    Gate(Gate),
    /// `analyze columns`
    Columns(Columns),
    /// `analyze recovery`
    Recovery(Recovery),
    /// `analyze causes`
    Causes(Causes),
    /// `analyze verdict`
    Verdict(Verdict),
    /// `analyze report`
    Report(ReportPage),
    /// `analyze bundle`
    Bundle(Bundle),
    /// `analyze import`
    Import(Import),
}

/// How and where to write a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableOutput {
    /// How.
    pub format: Format,
    /// Where.
    pub to: Destination,
}

/// What a row of `analyze delta` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaBy {
    /// A label, its repeats pooled.
    Label,
    /// A run.
    Run,
}

/// What a command has to say beside its data.
#[derive(Debug, Default)]
pub struct Report {
    /// Runs that were left out on purpose, each as a message with the next step.
    pub left_out: Vec<String>,
    /// Runs that could not be read.
    pub unreadable: Vec<Error>,
    /// Why there are no data, where there are none.
    pub failure: Option<Error>,
    /// The exit code of a command that judges, when its judgement is not a good one.
    pub verdict: Option<u8>,
}

impl Report {
    /// The exit code, see [`crate::cli::EXIT_CODES`].
    pub fn exit_code(&self) -> u8 {
        match &self.failure {
            _ if !self.unreadable.is_empty() => 1,
            Some(failure) => failure.exit_code(),
            None => self.verdict.unwrap_or(0),
        }
    }
}

/// Carries a command out. Data are written; everything else is in the report.
pub fn run(command: &Command) -> Report {
    let mut report = Report::default();
    // Bundles that are opened in the place of folders stay until the command is over.
    let _bundles = Session::new();
    let result = match command {
        Command::List { selection, wide, output } => list(selection, *wide, output, &mut report),
        Command::Summary { selection, wide, output } => summarise(selection, *wide, output, &mut report),
        Command::Throughput { selection, by, output } => count(selection, *by, output, &mut report),
        Command::Delta { selection, by, wide, output } => effects(selection, *by, *wide, output, &mut report),
        Command::Cdf { selection, output } => distributions(selection, output, &mut report),
        Command::Compare { comparison, output } => compare::compare(comparison, output, &mut report),
        Command::Plot(asked) => plot::plot(asked, &mut report),
        Command::Severity(asked) => severity::severity(asked, &mut report),
        Command::Samples(asked) => samples::samples(asked, &mut report),
        Command::Diagram(asked) => diagram::diagram(asked, &mut report),
        Command::Check(asked) => check::check(asked, &mut report),
        Command::Gate(asked) => gate::gate(asked, &mut report),
        Command::Columns(asked) => columns::columns(asked),
        Command::Recovery(asked) => recovery::recovery(asked, &mut report),
        Command::Causes(asked) => causes::causes(asked, &mut report),
        Command::Verdict(asked) => verdict::verdict(asked, &mut report),
        Command::Report(asked) => report::report(asked, &mut report),
        Command::Bundle(asked) => bundle::bundle(asked, &mut report),
        Command::Import(asked) => import::import(asked, &mut report),
    };
    report.failure = result.err();
    report
}

/// Says beneath a table in which runs the clients were the limit.
fn note_saturation<'a>(text: &mut TextTable, runs: impl Iterator<Item = &'a Listed>) {
    let note = runs::saturation_note(runs.map(|run| (run.run.as_str(), &run.manifest)));
    note.iter().for_each(|note| text.note(note));
}

fn list(selection: &Selection, wide: bool, output: &TableOutput, report: &mut Report) -> Result<()> {
    let List { runs: listed, left_out, unreadable } = load::list(&load::find(selection)?);
    report.left_out = left_out;
    report.unreadable = unreadable;
    report.left_out.extend(imported::note(&listed));
    let mut frame = runs::table(&listed)?;
    let mut text = runs::text(&frame, wide)?;
    note_saturation(&mut text, listed.iter());
    output::write(&mut frame, &text, output.format, &output.to)
}

fn summarise(selection: &Selection, wide: bool, output: &TableOutput, report: &mut Report) -> Result<()> {
    let runs = opened(load::find(selection)?, selection, Capacity::Keep, report)?;
    let frames = map(&runs, report, |run| {
        let facts = run.facts_beforehand()?;
        let mut parts = summary::Parts::new(&facts);
        run.operations_in_parts(&summary::READS, |operations| parts.add(operations))?;
        Ok(parts.table()?)
    })?;
    let mut frame = all(frames)?;
    let mut text = summary::text(&frame, wide)?;
    note_saturation(&mut text, runs.iter().map(|run| &run.listed));
    output::write(&mut frame, &text, output.format, &output.to)
}

fn count(selection: &Selection, by: throughput::By, output: &TableOutput, report: &mut Report) -> Result<()> {
    let frames = tables_of_runs(selection, Capacity::Keep, report, |run| {
        let facts = run.facts_beforehand()?;
        let mut parts = throughput::Parts::new(&facts, by);
        run.operations_in_parts(&throughput::READS, |operations| parts.add(operations))?;
        Ok(parts.table()?)
    })?;
    let mut frame = all(frames)?;
    let text = throughput::text(&frame)?;
    output::write(&mut frame, &text, output.format, &output.to)
}

fn effects(selection: &Selection, by: DeltaBy, wide: bool, output: &TableOutput, report: &mut Report) -> Result<()> {
    let (measured, runs) = measured(selection, report)?;
    let (mut frame, mut text) = match by {
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
    output::write(&mut frame, &text, output.format, &output.to)
}

fn distributions(selection: &Selection, output: &TableOutput, report: &mut Report) -> Result<()> {
    let frames = tables_of_runs(selection, Capacity::LeaveOut, report, |run| {
        let operations = run.operations(&cdf::READS)?;
        Ok(cdf::table(&operations, &run.facts(&operations)?)?)
    })?;
    let mut frame = all(frames)?;
    let text = cdf::text(&frame)?;
    output::write(&mut frame, &text, output.format, &output.to)
}
