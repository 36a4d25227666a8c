//! The commands, each on one screen: find runs, make a table of each, put the tables together, write the result.

use crate::bundle::Session;
use crate::output::{self, Destination, Format};
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
mod question;
mod recovery;
mod report;
mod samples;
mod severity;
mod verdict;

pub use bundle::Bundle;
pub use causes::Causes;
pub use check::Check;
pub use columns::{Columns, ColumnsFormat};
pub use compare::{Comparison, Side};
pub use diagram::{Diagram, Language};
pub use gate::{Gate, GateFormat, Rules};
pub use import::Import;
pub use plot::{Data, Drawn, Picture, Plot, PlotKind, PlotOutput, draw};
use question::note_saturation;
pub use question::{Answer, DeltaBy, Question, answer};
pub use recovery::Recovery;
pub use report::{ReportPage, page};
pub use samples::Samples;
pub use severity::Severity;
pub use verdict::{Verdict, VerdictBy};

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A question about runs, and where its answer goes.
    Table {
        /// What is asked.
        question: Question,
        /// How and where to write.
        output: TableOutput,
    },
    /// `analyze gate`
    Gate(Gate),
    /// `analyze columns`
    Columns(Columns),
    /// `analyze plot`
    Plot(Plot),
    /// `analyze diagram`
    Diagram(Diagram),
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
        Command::Table { question, output } => write(question, output, &mut report),
        Command::Gate(asked) => gate::gate(asked, &mut report),
        Command::Columns(asked) => columns::columns(asked),
        Command::Plot(asked) => plot::plot(asked, &mut report),
        Command::Diagram(asked) => diagram::diagram(asked, &mut report),
        Command::Report(asked) => report::report(asked, &mut report),
        Command::Bundle(asked) => bundle::bundle(asked, &mut report),
        Command::Import(asked) => import::import(asked, &mut report),
    };
    report.failure = result.err();
    report
}

fn write(question: &Question, output: &TableOutput, report: &mut Report) -> Result<()> {
    let Answer { mut frame, text, beside } = question::answer(question, report)?;
    if output.format != Format::Table {
        // The table for people says it; the other formats are rows and nothing else.
        report.left_out.extend(beside);
    }
    output::write(&mut frame, &text, output.format, &output.to)
}
