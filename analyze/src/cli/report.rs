//! `analyze report`, as it is typed.

use std::path::PathBuf;

use clap::Args;

use super::AnalysedArgs;
use crate::commands::{PlotOutput, ReportPage};

/// What stands below the options.
pub(super) const HELP: &str = "\
The page has the experiment in words, tables, plots, every run with its evidence and warnings, how each number was \
computed, and a glossary. Runs of several sweeps get a part for each sweep; choose one with --sweep. It needs no \
network and has no script; printed, everything that is folded is unfolded.";

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    runs: AnalysedArgs,
    /// File to write; default: in DIR/reports/, named after the sweep or the patterns
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl From<ReportArgs> for ReportPage {
    fn from(typed: ReportArgs) -> Self {
        let to = typed.output.map_or(PlotOutput::BesideRuns, PlotOutput::File);
        Self { selection: typed.runs.into(), to }
    }
}
