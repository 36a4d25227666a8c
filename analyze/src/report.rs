//! The report: one page that says everything about some runs, to be read offline, printed, and put beside a paper.
//!
//! A page has a part for each sweep, and a part is a list of sections in reading order ([`sections::OF_A_PART`]). A section
//! takes what was gathered of the part's runs, has tables and plots made of it, and says what they show; nothing in here
//! reads a file. What the page needs of the outside world is nothing: its style is in it, its figures are in it, and it has
//! no script.
//!
//! Recorded text (labels, commands, warnings) is data: it is escaped where it is written, and what no text may hold is
//! replaced once, over the whole page.

use maud::Markup;
use polars::prelude::*;
use run_folder::SweepManifest;

use crate::Result;
use crate::plots::PlottedRun;
use crate::plots::members::Sampled;
use crate::tables::runs::Listed;
use crate::tables::verdict::Story;

mod docs;
mod figures;
mod glossary;
mod methods;
mod page;
mod sections;
mod tables;
mod words;

pub use figures::Numbers;
pub use tables::Tables;

/// Everything that a page shows.
#[derive(Debug)]
pub struct Report {
    /// Which runs these are, in words.
    pub subject: String,
    /// The command that makes the page again.
    pub command: String,
    /// The parts: one for each sweep, and one for the runs outside of sweeps.
    pub parts: Vec<Part>,
    /// What was left out on purpose, each with its reason.
    pub left_out: Vec<String>,
    /// What could not be read.
    pub unreadable: Vec<String>,
}

/// The runs of one sweep, or those outside of sweeps.
#[derive(Debug)]
pub struct Part {
    /// The tables over all of its runs.
    pub tables: Tables,
    /// The sweep's id.
    pub sweep: Option<String>,
    /// The sweep's manifest, where it is there.
    pub plan: Option<SweepManifest>,
    /// The runs, in reading order, repeats in order of time.
    pub runs: Vec<ReportedRun>,
    /// For each run, in the order of `runs`, the distribution that it is compared with where it has no `before`.
    pub references: Vec<Option<DataFrame>>,
}

/// What the report knows of a run.
#[derive(Debug)]
pub struct ReportedRun {
    /// Manifest and faults.
    pub listed: Listed,
    /// The run as plots see it, without a table.
    pub plotted: PlottedRun,
    /// [`crate::tables::summary::table`].
    pub summary: DataFrame,
    /// [`crate::tables::throughput::table`].
    pub throughput: DataFrame,
    /// [`crate::tables::latency::table`].
    pub latency: DataFrame,
    /// [`crate::tables::cdf::table`].
    pub cdf: DataFrame,
    /// What its members did, of the runs of which that is shown.
    pub members: Option<Sampled>,
    /// [`crate::tables::recovery::table`].
    pub recovery: DataFrame,
    /// [`crate::tables::recovery::curve::table`]; without rows where there is no recovery.
    pub recovery_curve: DataFrame,
    /// What a verdict has to know of the run.
    pub story: Story,
    /// [`crate::tables::check::table`].
    pub checks: DataFrame,
}

impl Part {
    /// The runs with one of their tables, as plots take them.
    fn plotted(&self, table: impl Fn(&ReportedRun) -> &DataFrame) -> Vec<PlottedRun> {
        let with = |run: &ReportedRun| PlottedRun { table: table(run).clone(), ..run.plotted.clone() };
        self.runs.iter().map(with).collect()
    }

    /// What the part is about, as titles of pictures say it.
    fn subject(&self) -> String {
        self.sweep.as_ref().map_or_else(|| "runs outside of sweeps".to_owned(), |sweep| format!("sweep {sweep}"))
    }
}

/// A section of the page.
pub(crate) struct Section {
    /// Its anchor, and that of the table of contents.
    pub(crate) anchor: &'static str,
    /// Its heading.
    pub(crate) title: String,
    /// What stands below.
    pub(crate) content: Markup,
}

/// Writes the page.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or a figure cannot be drawn.
pub fn html(report: &Report) -> Result<String> {
    page::html(report)
}
