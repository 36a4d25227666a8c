//! The commands, each on one screen: find runs, make a table of each, put the tables together, write the result.

use std::fs;
use std::path::{Path, PathBuf};

use polars::prelude::*;
use run_folder::RunFolder;

use crate::load::{self, List, Opened, Run, Selection};
use crate::output::text::{Column as Shown, TextTable};
use crate::output::{self, Destination, Format};
use crate::plots::{self, PlottedLeaderChange, PlottedRun};
use crate::tables::{self, latency, runs, summary, throughput};
use crate::{Error, Result};

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
    /// `analyze plot`
    Plot {
        /// Which runs.
        selection: Selection,
        /// What to draw.
        kind: PlotKind,
        /// The picture or its table.
        picture: Picture,
    },
}

/// How and where to write a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableOutput {
    /// How.
    pub format: Format,
    /// Where.
    pub to: Destination,
}

/// What a plot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlotKind {
    /// Acknowledged operations per second.
    Throughput,
    /// Latency over time.
    Latency,
}

impl PlotKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
        }
    }
}

/// What `analyze plot` writes.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// The picture.
    Svg(PlotOutput),
    /// The table behind it.
    Table(TableOutput),
}

/// Where a picture goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlotOutput {
    /// Into `plots/` in the results folder, under a name made of the kind and the patterns.
    BesideRuns,
    /// This file.
    File(PathBuf),
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
}

impl Report {
    /// The exit code, see [`crate::cli::EXIT_CODES`].
    pub fn exit_code(&self) -> u8 {
        match &self.failure {
            _ if !self.unreadable.is_empty() => 1,
            Some(failure) => failure.exit_code(),
            None => 0,
        }
    }
}

/// Carries a command out. Data are written; everything else is in the report.
pub fn run(command: &Command) -> Report {
    let mut report = Report::default();
    let result = match command {
        Command::List { selection, wide, output } => list(selection, *wide, output, &mut report),
        Command::Summary { selection, wide, output } => summarise(selection, *wide, output, &mut report),
        Command::Throughput { selection, by, output } => count(selection, *by, output, &mut report),
        Command::Plot { selection, kind, picture } => plot(selection, *kind, picture, &mut report),
    };
    report.failure = result.err();
    report
}

fn list(selection: &Selection, wide: bool, output: &TableOutput, report: &mut Report) -> Result<()> {
    let List { runs: listed, left_out, unreadable } = load::list(&load::find(selection)?);
    report.left_out = left_out;
    report.unreadable = unreadable;
    let mut frame = runs::table(&listed)?;
    let text = runs::text(&frame, wide)?;
    output::write(&mut frame, &text, output.format, &output.to)
}

fn summarise(selection: &Selection, wide: bool, output: &TableOutput, report: &mut Report) -> Result<()> {
    let frames = tables_of_runs(selection, report, |run| {
        let operations = run.operations(&summary::READS)?;
        Ok(summary::table(&operations, &run.facts(&operations)?)?)
    })?;
    let mut frame = all(frames)?;
    let text = summary::text(&frame, wide)?;
    output::write(&mut frame, &text, output.format, &output.to)
}

fn count(selection: &Selection, by: throughput::By, output: &TableOutput, report: &mut Report) -> Result<()> {
    let frames = tables_of_runs(selection, report, |run| {
        let operations = run.operations(&throughput::READS)?;
        Ok(throughput::table(&operations, &run.facts(&operations)?, by)?)
    })?;
    let mut frame = all(frames)?;
    let text = throughput::text(&frame)?;
    output::write(&mut frame, &text, output.format, &output.to)
}

fn plot(selection: &Selection, kind: PlotKind, picture: &Picture, report: &mut Report) -> Result<()> {
    let folders = load::find(selection)?;
    let bins = plots::latency::bins(folders.len());
    let mut plotted = open_and_map(folders, selection, report, |run| plotted(run, kind, bins))?;
    // Repeats stay in order of time.
    plotted.sort_by(|(a, _), (b, _)| plots::reading_order(&a.label, &b.label));
    let (runs, summaries): (Vec<PlottedRun>, Vec<DataFrame>) = plotted.into_iter().unzip();
    match picture {
        Picture::Table(output) => {
            let mut frame = all(runs.into_iter().map(|run| run.table).collect())?;
            let text = TextTable::new(&frame, &Shown::all(&frame, "run"), Some("run"))?;
            output::write(&mut frame, &text, output.format, &output.to)
        }
        Picture::Svg(to) => {
            let subject = subject(selection);
            let svg = match kind {
                PlotKind::Throughput => plots::throughput::draw_svg(&runs, &subject)?,
                PlotKind::Latency => plots::latency::draw_svg(&runs, &summaries, &subject)?,
            };
            let path = svg_path(to, selection, kind)?;
            output::write_bytes(svg.as_bytes(), &Destination::File(path.clone()))?;
            output::write_bytes(format!("{}\n", path.display()).as_bytes(), &Destination::Stdout)
        }
    }
}

/// Everything that a plot shows of one run, and its summary.
fn plotted(run: &Run, kind: PlotKind, bins: usize) -> Result<(PlottedRun, DataFrame)> {
    let columns: &[&str] = match kind {
        PlotKind::Throughput => &throughput::READS,
        PlotKind::Latency => &summary::READS,
    };
    let operations = run.operations(columns)?;
    let facts = run.facts(&operations)?;
    let end_ns = facts.phases.end_ns();
    let (table, summary) = match kind {
        PlotKind::Throughput => (throughput::table(&operations, &facts, throughput::By::Run)?, DataFrame::empty()),
        PlotKind::Latency => {
            (latency::table(&operations, &facts, latency::bin_ns(end_ns, bins))?, summary::table(&operations, &facts)?)
        }
    };
    let manifest = &run.listed.manifest;
    let member = |index: i64| usize::try_from(index).map_or("?", |index| manifest.member_name(index)).to_owned();
    let leader_changes = run.leader_changes()?.into_iter().map(|change| PlottedLeaderChange {
        at_s: change.time_ns as f64 / 1e9,
        from: member(change.from),
        to: member(change.to),
    });
    let plotted = PlottedRun {
        run: facts.run.clone(),
        label: facts.label.clone(),
        fault: runs::fault_in_words(&run.listed),
        workload: runs::workload_in_words(&manifest.spec.workload),
        window_s: facts.phases.window().map(|window| window.seconds()),
        end_s: end_ns as f64 / 1e9,
        leader_changes: leader_changes.filter(|change| change.at_s * 1e9 < end_ns as f64).collect(),
        rates: throughput::by_phase(&operations, &facts)?,
        table,
    };
    Ok((plotted, summary))
}

fn tables_of_runs(
    selection: &Selection,
    report: &mut Report,
    table: impl Fn(&Run) -> Result<DataFrame> + Sync,
) -> Result<Vec<DataFrame>> {
    open_and_map(load::find(selection)?, selection, report, table)
}

/// Applies `work` to every run that can be analysed. The others are put into the report; that none is left is an error.
fn open_and_map<T: Send>(
    folders: Vec<RunFolder>,
    selection: &Selection,
    report: &mut Report,
    work: impl Fn(&Run) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let found = folders.len();
    let Opened { runs, left_out, unreadable } = load::open(folders, selection.include_failed);
    report.left_out = left_out;
    report.unreadable = unreadable;
    let mut done = Vec::new();
    for result in load::each(&runs, work) {
        match result {
            Ok(value) => done.push(value),
            Err(error) => report.unreadable.push(error),
        }
    }
    if done.is_empty() {
        let runs = if found == 1 { "run that matches" } else { "runs that match" };
        return Err(Error::Nothing(format!("nothing to analyse: none of the {found} {runs} can be used")));
    }
    Ok(done)
}

fn all(frames: Vec<DataFrame>) -> Result<DataFrame> {
    Ok(tables::stack(frames)?.unwrap_or_default())
}

/// Which runs a picture shows, in words.
fn subject(selection: &Selection) -> String {
    let patterns: Vec<&str> = selection.patterns.iter().map(load::Pattern::as_str).collect();
    if patterns.is_empty() { "all labels".to_owned() } else { format!("labels {}", patterns.join(", ")) }
}

/// The file of a picture; the folder of the usual one is made.
fn svg_path(to: &PlotOutput, selection: &Selection, kind: PlotKind) -> Result<PathBuf> {
    let dir = match to {
        PlotOutput::File(path) => return Ok(path.clone()),
        PlotOutput::BesideRuns => &selection.dir,
    };
    let (dir, subject) = match RunFolder::open(dir) {
        // A recording stays as it was recorded: the picture of one run goes beside it, not into it.
        Ok(run) if run.manifest_json().exists() => (
            dir.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("..")).to_path_buf(),
            run.name(),
        ),
        _ => (dir.clone(), file_name(selection)),
    };
    let plots = dir.join("plots");
    fs::create_dir_all(&plots).map_err(Error::output(&plots))?;
    Ok(plots.join(format!("{}_{subject}.svg", kind.as_str())))
}

const NAME_CHARS_MAX: usize = 100;

/// The patterns as part of a file name that is valid on every system.
fn file_name(selection: &Selection) -> String {
    if selection.patterns.is_empty() {
        return "all".to_owned();
    }
    let patterns: Vec<&str> = selection.patterns.iter().map(load::Pattern::as_str).collect();
    let mut name = String::new();
    for c in patterns.join("_").chars() {
        let c = if c.is_ascii_alphanumeric() || "-+=,.".contains(c) { c } else { '_' };
        if c != '_' || !name.ends_with('_') {
            name.push(c);
        }
    }
    name.truncate(NAME_CHARS_MAX);
    let name = name.trim_matches(['_', '.']);
    if name.is_empty() { "all".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_file_names() {
        for (patterns, expected) in [
            (&[][..], "all"),
            (&["*"], "all"),
            (&["loss*_mid"], "loss_mid"),
            (&["delay1?0_mid", "baseline"], "delay1_0_mid_baseline"),
        ] {
            let patterns = patterns.iter().map(|text| text.parse().expect("a pattern")).collect();
            let selection = Selection { dir: PathBuf::new(), patterns, include_failed: false };
            assert_eq!(file_name(&selection), expected);
        }
    }
}
