//! `analyze plot`: pictures of runs, and the tables that they draw.
//!
//! A kind of plot is a function that gives [`Drawn`]s; where they go, and whether the picture is written, its data beside
//! it, or the data alone, is the same for all kinds and decided here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use polars::prelude::*;
use run_folder::RunFolder;

use super::gather::all;
use super::{Report, TableOutput};
use crate::load::{self, Run, Selection, SweepChoice};
use crate::output::text::{Column as Shown, TextTable};
use crate::output::{self, Destination, Format};
use crate::plots::cdf::Scale;
use crate::tables::runs;
use crate::{Error, Result};

mod effects;
mod members;
mod over_runs;
mod phases;
mod recovery;

pub(super) use members::sampled;
pub(super) use over_runs::plotted;

/// What `analyze plot` draws.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// Which runs.
    pub selection: Selection,
    /// What of them.
    pub kind: PlotKind,
    /// How a distribution's shares are spaced, where that was said.
    pub scale: Option<Scale>,
    /// The picture or its table.
    pub picture: Picture,
    /// Whether the tables that a picture draws go beside it.
    pub with_data: bool,
}

/// What a plot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlotKind {
    /// Acknowledged operations per second.
    Throughput,
    /// Latency over time.
    Latency,
    /// Distributions of response time.
    Cdf,
    /// Effects of faults.
    Delta,
    /// Quantiles before, during and after.
    Phases,
    /// Members beneath clients, a picture of each run.
    Members,
    /// The time around the end of faults.
    Recovery,
    /// What is lost at each value of a fault.
    Severity,
}

impl PlotKind {
    /// The name of the kind, as `--kind` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
            Self::Cdf => "cdf",
            Self::Delta => "delta",
            Self::Phases => "phases",
            Self::Members => "members",
            Self::Recovery => "recovery",
            Self::Severity => "severity",
        }
    }
}

/// What `analyze plot` writes.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// The picture.
    Svg(PlotOutput),
    /// The first of the tables behind it.
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

/// A picture and the tables that it draws.
pub struct Drawn {
    /// The SVG text.
    pub svg: String,
    /// The run, where a kind draws a picture of each: its file is named after it.
    pub run: Option<String>,
    /// The tables; the first is what `--format csv` and the like give.
    pub tables: Vec<Data>,
    /// What is to be said beside the picture.
    pub notes: Vec<String>,
}

/// A table that a picture draws.
pub struct Data {
    /// What is in it, as part of a file name.
    pub name: &'static str,
    /// Its rows.
    pub frame: DataFrame,
    /// The table for people.
    text: fn(&DataFrame) -> PolarsResult<TextTable>,
}

impl Data {
    /// A table that people see with every column, a heading for each run where there is a column `run`.
    fn new(name: &'static str, frame: DataFrame) -> Self {
        Self { name, frame, text: every_column }
    }

    /// The table for people.
    ///
    /// # Errors
    /// [`Error::Table`] never in practice.
    pub fn text(&self) -> Result<TextTable> {
        Ok((self.text)(&self.frame)?)
    }
}

fn every_column(frame: &DataFrame) -> PolarsResult<TextTable> {
    let group = frame.column("run").is_ok().then_some("run");
    TextTable::new(frame, &Shown::all(frame, group.unwrap_or_default()), group)
}

/// Draws what was asked for.
pub(super) fn plot(asked: &Plot, report: &mut Report) -> Result<()> {
    if asked.with_data && matches!(asked.picture, Picture::Table(_)) {
        return Err(Error::Usage(
            "--with-data: puts tables beside a picture; leave it out where --format asks for the table itself"
                .to_owned(),
        ));
    }
    let drawn = draw(&asked.selection, asked.kind, asked.scale, report)?;
    match &asked.picture {
        Picture::Table(output) => write_table(drawn, output),
        Picture::Svg(to) => write_pictures(drawn, to, asked, report),
    }
}

/// Draws a kind of plot of some runs: one picture, or one of each run. Runs that are left out, or cannot be read, are put into the
/// report.
///
/// # Errors
/// [`Error::Nothing`] where no run can be used, [`Error::Usage`] for what cannot be drawn, and what keeps a table from being made.
pub fn draw(selection: &Selection, kind: PlotKind, scale: Option<Scale>, report: &mut Report) -> Result<Vec<Drawn>> {
    if scale.is_some() && kind != PlotKind::Cdf {
        return Err(Error::Usage(format!("--scale: belongs to --kind cdf; leave it out of --kind {}", kind.as_str())));
    }
    match kind {
        PlotKind::Throughput => over_runs::throughput(selection, report),
        PlotKind::Latency => over_runs::latency(selection, report),
        PlotKind::Cdf => over_runs::cdf(selection, scale.unwrap_or_default(), report),
        PlotKind::Delta => effects::delta(selection, report),
        PlotKind::Phases => phases::phases(selection, report),
        PlotKind::Members => members::members(selection, report),
        PlotKind::Recovery => recovery::recovery(selection, report),
        PlotKind::Severity => effects::severity(selection, report),
    }
}

/// Writes the first table of each picture, one below the other.
fn write_table(drawn: Vec<Drawn>, output: &TableOutput) -> Result<()> {
    let first: Vec<Data> = drawn.into_iter().filter_map(|drawn| drawn.tables.into_iter().next()).collect();
    let text = first.first().map_or(every_column as fn(&DataFrame) -> _, |data| data.text);
    let mut frame = all(first.into_iter().map(|data| data.frame).collect())?;
    let text = text(&frame)?;
    output::write(&mut frame, &text, output.format, &output.to)
}

/// Writes pictures, and their tables where asked for, and prints the path of each file.
fn write_pictures(drawn: Vec<Drawn>, to: &PlotOutput, asked: &Plot, report: &mut Report) -> Result<()> {
    if let (PlotOutput::File(path), 2..) = (to, drawn.len()) {
        return Err(Error::Usage(format!(
            "--output {}: --kind {} draws one picture a run, and {} runs match; leave --output out, or choose one run, as \
             with --dir RUN",
            path.display(),
            asked.kind.as_str(),
            drawn.len()
        )));
    }
    for drawn in drawn {
        report.left_out.extend(drawn.notes);
        let path = svg_path(to, &asked.selection, asked.kind, drawn.run.as_deref())?;
        output::write_bytes(drawn.svg.as_bytes(), &Destination::File(path.clone()))?;
        print_path(&path)?;
        for (at, mut data) in drawn.tables.into_iter().enumerate().filter(|_| asked.with_data) {
            let path = data_path(&path, (at > 0).then_some(data.name));
            let text = data.text()?;
            output::write(&mut data.frame, &text, Format::Csv, &Destination::File(path.clone()))?;
            print_path(&path)?;
        }
    }
    Ok(())
}

fn print_path(path: &Path) -> Result<()> {
    output::write_bytes(format!("{}\n", path.display()).as_bytes(), &Destination::Stdout)
}

/// The file of a table beside the picture: under its name, that of any further table with what is in it.
fn data_path(picture: &Path, name: Option<&str>) -> PathBuf {
    let mut file = picture.file_stem().unwrap_or_default().to_owned();
    if let Some(name) = name {
        file.push("_");
        file.push(name);
    }
    file.push(".csv");
    picture.with_file_name(file)
}

/// What is to be said beside every picture: in which runs the clients were the limit, and that it mixes sweeps.
fn notes(runs: &[Run]) -> Vec<String> {
    let saturation = runs::saturation_note(runs.iter().map(|run| (run.listed.run.as_str(), &run.listed.manifest)));
    saturation.into_iter().chain(several_sweeps(runs)).collect()
}

/// What is to be said when runs of several sweeps share a picture.
fn several_sweeps(runs: &[Run]) -> Option<String> {
    let sweeps: BTreeSet<&str> = runs.iter().filter_map(|run| run.factors.sweep.as_deref()).collect();
    let listed = || sweeps.iter().copied().collect::<Vec<_>>().join(", ");
    (sweeps.len() > 1)
        .then(|| format!("the picture shows several sweeps together; choose one with --sweep: {}", listed()))
}

/// Which runs a picture shows, in words.
fn subject(selection: &Selection) -> String {
    let labels = selection.labels().unwrap_or_else(|| "all labels".to_owned());
    match &selection.sweep {
        Some(SweepChoice::Latest) => format!("{labels} of the latest sweep"),
        Some(SweepChoice::Id(id)) => format!("{labels} of sweep {id}"),
        None => labels,
    }
}

/// The file of a picture; the folder of the usual one is made.
fn svg_path(to: &PlotOutput, selection: &Selection, kind: PlotKind, run: Option<&str>) -> Result<PathBuf> {
    let dir = match to {
        PlotOutput::File(path) => return Ok(path.clone()),
        PlotOutput::BesideRuns => &selection.dir,
    };
    let subject = match RunFolder::open(dir) {
        Ok(run) if run.manifest_json().exists() => run.name(),
        _ => run.map_or_else(|| file_name(selection), str::to_owned),
    };
    // A recording stays as it was recorded: the picture of one run goes beside it, not into it.
    let plots = results_dir(dir).join("plots");
    fs::create_dir_all(&plots).map_err(Error::output(&plots))?;
    Ok(plots.join(format!("{}_{subject}.svg", kind.as_str())))
}

/// The folder that holds the run folders: the one that was asked for, or that of the one run.
pub(super) fn results_dir(dir: &Path) -> PathBuf {
    match RunFolder::open(dir) {
        // Beside a bundle.
        _ if dir.is_file() => dir.parent().unwrap_or(Path::new("")).to_path_buf(),
        Ok(run) if run.manifest_json().exists() => {
            dir.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("..")).to_path_buf()
        }
        _ => dir.to_path_buf(),
    }
}

const NAME_CHARS_MAX: usize = 100;

/// The patterns, and the bundle's name, as part of a file name that is valid on every system.
pub(super) fn file_name(selection: &Selection) -> String {
    // There may be several bundles in a folder.
    let bundle = selection.dir.file_name().filter(|_| selection.dir.is_file()).unwrap_or_default().to_string_lossy();
    let mut words: Vec<&str> = bundle.split('.').next().filter(|name| !name.is_empty()).into_iter().collect();
    words.extend(match &selection.sweep {
        Some(SweepChoice::Id(id)) => Some(id.as_str()),
        Some(SweepChoice::Latest) => Some("latest"),
        None => None,
    });
    words.extend(selection.patterns.iter().map(load::Pattern::as_str));
    let mut name = String::new();
    for c in words.join("_").chars() {
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
            let selection = Selection { patterns, ..Selection::of(PathBuf::new()) };
            assert_eq!(file_name(&selection), expected);
        }
    }

    #[test]
    fn data_lie_beside_their_picture() {
        let picture = Path::new("plots/delta_delay1.5.svg");
        assert_eq!(data_path(picture, None), Path::new("plots/delta_delay1.5.csv"));
        assert_eq!(data_path(picture, Some("runs")), Path::new("plots/delta_delay1.5_runs.csv"));
    }
}
