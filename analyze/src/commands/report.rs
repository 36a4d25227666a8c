//! `analyze report`: everything about some runs, in one page.
//!
//! Each run's operations are read once for all tables, and once more, row by row, for the checks; they are forgotten when
//! these are made. So the memory is that of the runs under way, however many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use polars::prelude::*;
use run_folder::manifest::Role;
use run_folder::{RunFolder, SweepManifest};

use super::causes::seen_by;
use super::check::findings;
use super::gather::{as_if_faulted, map, measure_rows, opened};
use super::recovery::of_run as recovery_of_run;
use super::verdict::story;
use super::{PlotOutput, Report, plot};
use crate::load::{self, Capacity, Run, Selection, SweepChoice};
use crate::output::{self, Destination};
use crate::plots;
use crate::report::{self, Part, ReportedRun, Tables};
use crate::tables::causes::Seen;
use crate::tables::delta::{self, Measured};
use crate::tables::recovery::{self, curve};
use crate::tables::{self, cdf, latency, summary, throughput};
use crate::{Error, Result, bundle};

/// What `analyze report` writes.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportPage {
    /// Which runs.
    pub selection: Selection,
    /// Where the page goes.
    pub to: PlotOutput,
}

/// Writes the page and prints its path.
pub(super) fn report(asked: &ReportPage, report: &mut Report) -> Result<()> {
    let page = page(&asked.selection, report)?;
    let path = path(asked)?;
    output::write_bytes(page.as_bytes(), &Destination::File(path.clone()))?;
    output::write_bytes(format!("{}\n", path.display()).as_bytes(), &Destination::Stdout)
}

/// The page for a selection of runs, as HTML. What is left out, and what cannot be read, is put into `report` and said in the
/// page.
///
/// # Errors
/// [`Error::Nothing`] when no run can be used, and what keeps tables and figures from being made.
pub fn page(selection: &Selection, report: &mut Report) -> Result<String> {
    page_of(load::find(selection)?, selection, report)
}

/// The page for these runs of a selection.
pub(super) fn page_of(found: Vec<RunFolder>, selection: &Selection, report: &mut Report) -> Result<String> {
    let (left_out, unreadable) = (report.left_out.len(), report.unreadable.len());
    let selected = opened(found, selection, Capacity::LeaveOut, report)?;
    let companions = load::companions(selection, &selected)?;
    report.unreadable.extend(companions.unreadable);
    let bins = Bins::of(&selected);
    let examples = examples(&selected);
    let reported = map(&selected, report, |run| reported(run, bins.of_run(run), examples.contains(&run.listed.run)))?;
    let others = match companions.runs.is_empty() {
        true => Vec::new(),
        false => map(&companions.runs, report, companion)?,
    };
    let parts = parts(selection, reported, &others)?;
    report::html(&report::Report {
        subject: subject(selection, &parts),
        command: command(selection),
        parts,
        left_out: report.left_out[left_out..].to_vec(),
        unreadable: report.unreadable[unreadable..].iter().map(Error::to_string).collect(),
    })
}

/// Pictures of members are large: a page has one for each label, and no more than this.
const EXAMPLES_MAX: usize = 16;

/// The runs whose members are shown: the first one of each label with a fault.
fn examples(runs: &[Run]) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    let is_first = |run: &&Run| {
        run.factors.role == Role::Experiment
            && run.factors.fault.is_some()
            && labels.insert((run.factors.sweep.clone(), run.factors.label.clone()))
    };
    runs.iter().filter(is_first).take(EXAMPLES_MAX).map(|run| run.listed.run.clone()).collect()
}

/// What is read of each run's operations: whatever one of the tables needs.
fn reads() -> Vec<&'static str> {
    let tables =
        [&summary::READS[..], &throughput::READS, &latency::READS, &cdf::READS, &delta::READS, &recovery::READS];
    let mut columns: Vec<&str> = tables.concat();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// Lengths of the bins of latency plots, one for each sweep: bins of one length can be laid over each other.
struct Bins(BTreeMap<Option<String>, i64>);

impl Bins {
    fn of(runs: &[Run]) -> Self {
        let mut longest: BTreeMap<Option<String>, (i64, usize)> = BTreeMap::new();
        for run in runs {
            let (longest_ns, count) = longest.entry(run.factors.sweep.clone()).or_default();
            *longest_ns = (*longest_ns).max(run.listed.manifest.clock.workload_end_ns);
            *count += 1;
        }
        let bin_ns = |(longest_ns, count)| latency::bin_ns(longest_ns, plots::latency::bins(count));
        Self(longest.into_iter().map(|(sweep, of)| (sweep, bin_ns(of))).collect())
    }

    fn of_run(&self, run: &Run) -> i64 {
        self.0[&run.factors.sweep]
    }
}

/// A run with its tables.
struct Reported {
    run: ReportedRun,
    measured: Measured,
    seen: Seen,
}

/// `is_example` says that the page shows what its members did.
fn reported(run: &Run, bin_ns: i64, is_example: bool) -> Result<Reported> {
    let operations = run.operations(&reads())?;
    let facts = run.facts(&operations)?;
    let plotted = plot::plotted(run, &operations, &facts, DataFrame::empty())?;
    let leader_changes = plotted.leader_changes.len();
    let measured = measure_rows(run, &operations, facts.clone(), leader_changes, true)?;
    let as_if = as_if_faulted(run, facts.clone());
    let rule = Tables::rule();
    let summary = match run.factors.fault {
        Some(_) => measured.summary.clone(),
        None => summary::table(&operations, &facts)?,
    };
    let reported = ReportedRun {
        listed: run.listed.clone(),
        plotted,
        summary,
        throughput: throughput::table(&operations, &facts, throughput::By::Run)?,
        latency: latency::table(&operations, &facts, bin_ns)?,
        cdf: cdf::table(&operations, &facts)?,
        members: is_example.then(|| plot::sampled(run, &operations, &facts)).transpose()?,
        recovery: recovery_of_run(run, &operations, &as_if, &rule)?,
        recovery_curve: curve::table(&operations, &as_if, &rule)?,
        story: story(run, leader_changes),
        checks: tables::check::table(&run.listed.run, &run.listed.label, &findings(run)?)?,
    };
    Ok(Reported { run: reported, measured, seen: seen_by(run, as_if, true)? })
}

/// A run beside the selected ones that these are compared with.
struct Companion {
    measured: Measured,
    seen: Seen,
    cdf: DataFrame,
}

fn companion(run: &Run) -> Result<Companion> {
    let operations = run.operations(&reads())?;
    let facts = run.facts(&operations)?;
    let cdf = cdf::table(&operations, &facts)?;
    let leader_changes = run.leader_changes(&facts)?.len();
    let seen = seen_by(run, as_if_faulted(run, facts.clone()), false)?;
    Ok(Companion { measured: measure_rows(run, &operations, facts, leader_changes, false)?, seen, cdf })
}

/// The runs of each sweep by themselves, those outside of sweeps last.
fn parts(selection: &Selection, reported: Vec<Reported>, others: &[Companion]) -> Result<Vec<Part>> {
    let mut sweeps: BTreeMap<(bool, Option<String>), Vec<Reported>> = BTreeMap::new();
    for run in reported {
        let sweep = run.measured.factors.sweep.clone();
        sweeps.entry((sweep.is_none(), sweep)).or_default().push(run);
    }
    let part = |((_, sweep), mut of_sweep): ((bool, Option<String>), Vec<Reported>)| -> Result<Part> {
        of_sweep.sort_by(|a, b| a.measured.factors.reading_order(&b.measured.factors));
        let cohorts: Vec<&str> = of_sweep.iter().map(|run| run.measured.factors.cohort.as_str()).collect();
        let others = others.iter().filter(|run| cohorts.contains(&run.measured.factors.cohort.as_str()));
        let others: Vec<&Companion> = others.collect();
        let references = of_sweep.iter().map(|run| reference(run, &of_sweep, &others)).collect::<Result<_>>()?;
        let (runs, mut measured, mut seen) = unzipped(of_sweep);
        measured.extend(others.iter().map(|run| run.measured.clone()));
        seen.extend(others.iter().map(|run| run.seen.clone()));
        seen.sort_by(|a, b| a.factors.reading_order(&b.factors));
        // A recording stands by itself: a sweep's manifest that is not there, or cannot be read, takes nothing from it.
        let results = plot::results_dir(&bundle::results(&selection.dir)?);
        let plan = sweep.as_deref().and_then(|sweep| SweepManifest::read(&results, sweep).ok());
        Ok(Part { tables: Tables::of(&runs, &measured, &seen)?, sweep, plan, runs, references })
    };
    sweeps.into_iter().map(part).collect()
}

fn unzipped(reported: Vec<Reported>) -> (Vec<ReportedRun>, Vec<Measured>, Vec<Seen>) {
    let (mut runs, mut measured, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for run in reported {
        runs.push(run.run);
        measured.push(run.measured);
        seen.push(run.seen);
    }
    (runs, measured, seen)
}

/// The distribution that a run is compared with where its fault lasts all the time: that of the baselines.
fn reference(run: &Reported, runs: &[Reported], others: &[&Companion]) -> Result<Option<DataFrame>> {
    if run.run.plotted.window_s.is_none_or(|(from_s, _)| from_s > 0.0) {
        return Ok(None);
    }
    let own = runs.iter().map(|run| (&run.measured, &run.run.cdf));
    let all = own.chain(others.iter().map(|run| (&run.measured, &run.cdf)));
    // As for ratios, a baseline in which the leader changed is none.
    let is_reference = |measured: &Measured| {
        measured.factors.fault.is_none()
            && measured.leader_changes == 0
            && measured.factors.cohort == run.measured.factors.cohort
    };
    let references: Vec<&DataFrame> = all.filter(|(measured, _)| is_reference(measured)).map(|(_, cdf)| cdf).collect();
    Ok(cdf::geometric_mean(&references)?)
}

/// Which runs the page shows, in words.
fn subject(selection: &Selection, parts: &[Part]) -> String {
    let sweeps: Vec<&str> = parts.iter().filter_map(|part| part.sweep.as_deref()).collect();
    let labels = selection.labels().map_or(String::new(), |labels| format!(", {labels}"));
    match (sweeps.as_slice(), parts.len() > sweeps.len()) {
        ([], _) => format!("runs outside of sweeps{labels}"),
        ([sweep], false) => format!("sweep {sweep}{labels}"),
        (sweeps, false) => format!("sweeps {}{labels}", sweeps.join(", ")),
        (sweeps, true) => format!("sweeps {}, and runs outside of sweeps{labels}", sweeps.join(", ")),
    }
}

/// The command that makes the page again, as it can be pasted into a shell.
fn command(selection: &Selection) -> String {
    if !selection.names.is_empty() {
        let names = selection.names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        return format!("laggard.report(laggard.open(DIR).filter(name=[{names}]))");
    }
    let mut words = vec!["analyze report".to_owned()];
    words.extend(match &selection.sweep {
        Some(SweepChoice::Latest) => Some("--sweep latest".to_owned()),
        Some(SweepChoice::Id(id)) => Some(format!("--sweep {id}")),
        None => None,
    });
    words.extend(selection.patterns.iter().map(|pattern| format!("--pattern '{}'", pattern.as_str())));
    words.extend(selection.include_failed.then(|| "--include-failed".to_owned()));
    words.push("--dir DIR".to_owned());
    words.join(" ")
}

/// The file of the page; the folder of the usual one is made.
fn path(asked: &ReportPage) -> Result<PathBuf> {
    if let PlotOutput::File(path) = &asked.to {
        return Ok(path.clone());
    }
    let dir = &asked.selection.dir;
    let name = match RunFolder::open(dir) {
        Ok(run) if run.manifest_json().exists() => run.name(),
        _ => plot::file_name(&asked.selection),
    };
    let reports = plot::results_dir(dir).join("reports");
    fs::create_dir_all(&reports).map_err(Error::output(&reports))?;
    Ok(reports.join(format!("{name}.html")))
}
