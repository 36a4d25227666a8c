//! From a selection to frames: opening runs, going through them side by side, and naming what is left out.

use std::collections::HashSet;
use std::path::Path;

use polars::prelude::*;
use run_folder::manifest::Role;
use run_folder::{RunFolder, Status};

use super::Report;
use crate::gate::evaluate::Absent;
use crate::load::{self, Capacity, Opened, Run, Selection, Terms};
use crate::phases::Phases;
use crate::tables::delta::{self, Measured};
use crate::tables::factors::Factors;
use crate::tables::{self, Facts, imported, summary};
use crate::{Error, Result, bundle, interruption};

/// Makes a table of every run that can be analysed.
pub(super) fn tables_of_runs(
    selection: &Selection,
    capacity: Capacity,
    report: &mut Report,
    table: impl Fn(&Run) -> Result<DataFrame> + Sync,
) -> Result<Vec<DataFrame>> {
    let runs = opened(load::find(selection)?, selection, capacity, report)?;
    map(&runs, report, table)
}

/// Opens the runs. Those that cannot be analysed are put into the report; that none is left is an error.
pub(super) fn opened(
    folders: Vec<RunFolder>,
    selection: &Selection,
    capacity: Capacity,
    report: &mut Report,
) -> Result<Vec<Run>> {
    // Who names a label wants it, whatever it is for; and so does who chooses nothing else.
    let is_all_capacity = || {
        let is_one = |folder: &RunFolder| {
            let sweep = folder.manifest().ok().and_then(|manifest| manifest.sweep);
            sweep.is_some_and(|place| place.role == Role::Capacity)
        };
        folders.iter().all(is_one)
    };
    let is_wanted = !selection.patterns.is_empty() || (capacity == Capacity::LeaveOut && is_all_capacity());
    let capacity = if is_wanted { Capacity::Keep } else { capacity };
    opened_on(folders, Terms { include_failed: selection.include_failed, capacity, must_be_whole: true }, report)
}

/// As [`opened`], on these terms.
pub(super) fn opened_on(folders: Vec<RunFolder>, terms: Terms, report: &mut Report) -> Result<Vec<Run>> {
    let found = folders.len();
    let Opened { runs, left_out, unreadable } = load::open(folders, terms);
    interruption::check()?;
    report.left_out.extend(left_out);
    report.unreadable.extend(unreadable);
    report.left_out.extend(imported::note(runs.iter().map(|run| &run.listed)));
    if runs.is_empty() { Err(nothing(found)) } else { Ok(runs) }
}

/// Applies `work` to every run. Those that turn out to be damaged are put into the report; that none is left is an
/// error.
pub(super) fn map<T: Send>(
    runs: &[Run],
    report: &mut Report,
    work: impl Fn(&Run) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let mut done = Vec::new();
    for result in load::each(runs, work) {
        match result {
            Ok(value) => done.push(value),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => report.unreadable.push(error),
        }
    }
    if done.is_empty() { Err(nothing(runs.len())) } else { Ok(done) }
}

fn nothing(found: usize) -> Error {
    let runs = if found == 1 { "run that matches" } else { "runs that match" };
    Error::Nothing(format!("nothing to analyse: none of the {found} {runs} can be used"))
}

/// The selected runs, and those beside them that they are compared with, ready for [`crate::tables::delta`]; and the
/// selected runs themselves.
pub(super) fn measured(selection: &Selection, report: &mut Report) -> Result<(Vec<Measured>, Vec<Run>)> {
    let selected = opened(load::find(selection)?, selection, Capacity::LeaveOut, report)?;
    let companions = load::companions(selection, &selected)?;
    report.unreadable.extend(companions.unreadable);
    let all = selected.iter().chain(&companions.runs).map(|run| &run.listed.manifest);
    report.left_out.extend(tables::runs::machines_note(all));
    let mut measured = map(&selected, report, |run| measure(run, true))?;
    if !companions.runs.is_empty() {
        measured.extend(map(&companions.runs, report, |run| measure(run, false))?);
    }
    Ok((measured, selected))
}

/// The selected runs that [`measured`] does not have, with the reason: a gate must not pass because a run is missing. Runs
/// whose manifest cannot be read are not among them; they are in the report.
pub(super) fn unmeasured(selection: &Selection, measured: &[Measured]) -> Result<Vec<Absent>> {
    let known: HashSet<&str> = measured.iter().filter(|run| run.is_shown).map(|run| run.run.as_str()).collect();
    let absent = |folder: &RunFolder| {
        let manifest = folder.manifest().ok()?;
        let why = match &manifest.status {
            Status::Finished => "it cannot be read, see the error".to_owned(),
            Status::Running => "it is unfinished".to_owned(),
            Status::Failed { reason, .. } => format!("it failed: {reason}"),
        };
        let factors = Factors::of(folder.label().as_str(), &manifest);
        (factors.role != Role::Capacity).then_some(Absent { run: folder.name(), factors, why })
    };
    let folders = load::find(selection)?;
    Ok(folders.iter().filter(|folder| !known.contains(folder.name().as_str())).filter_map(absent).collect())
}

/// One run, ready for [`crate::tables::delta`]. Its intervals are drawn here, while its operations are loaded.
pub(super) fn measure(run: &Run, is_shown: bool) -> Result<Measured> {
    let operations = run.operations(&summary::READS)?;
    let facts = run.facts(&operations)?;
    let leader_changes = run.leader_changes(&facts)?.len();
    measure_rows(run, &operations, facts, leader_changes, is_shown)
}

/// The same of a run whose operations are there.
pub(super) fn measure_rows(
    run: &Run,
    operations: &DataFrame,
    facts: Facts,
    leader_changes: usize,
    is_shown: bool,
) -> Result<Measured> {
    let facts = as_if_faulted(run, facts);
    let summary = summary::table(operations, &facts)?;
    let within = delta::within(operations, &facts, run.factors.fault.is_none())?;
    let (run, factors) = (run.listed.run.clone(), run.factors.clone());
    Ok(Measured { run, factors, leader_changes, is_shown, summary, within })
}

/// The facts with which a run without a fault is compared with itself.
pub(super) fn as_if_faulted(run: &Run, facts: Facts) -> Facts {
    if run.factors.fault.is_some() {
        return facts;
    }
    let warm_up_ms = run.listed.manifest.spec.workload.warm_up_ms;
    Facts { phases: Phases::middle_third(warm_up_ms, facts.phases.end_ns()), ..facts }
}

/// The frames below each other.
pub(super) fn all(frames: Vec<DataFrame>) -> Result<DataFrame> {
    Ok(tables::stack(frames)?.unwrap_or_default())
}

/// A run folder by its path, by its name within `dir`, or as `BUNDLE:NAME`. The name may be left out for the only run of a
/// bundle.
pub(super) fn named(asked: &str, dir: &Path) -> Result<RunFolder> {
    let path = Path::new(asked);
    if path.is_dir() {
        return Ok(RunFolder::open(path)?);
    }
    if path.is_file() {
        return only_run_of(path);
    }
    let (dir, name) = match asked.rsplit_once(':') {
        Some((file, name)) if Path::new(file).is_file() => (Path::new(file), name),
        _ => (dir, asked),
    };
    let results = if dir.exists() { bundle::results(dir)? } else { dir.to_path_buf() };
    let within = results.join(name);
    if within.is_dir() {
        return Ok(RunFolder::open(&within)?);
    }
    let mut near: Vec<String> = RunFolder::list(&results).unwrap_or_default().iter().map(RunFolder::name).collect();
    near.sort_by(|a, b| strsim::jaro_winkler(name, b).total_cmp(&strsim::jaro_winkler(name, a)));
    near.truncate(3);
    let near = if near.is_empty() { String::new() } else { format!("; the nearest are {}", near.join(", ")) };
    Err(Error::Nothing(format!("{name}: neither a run folder nor the name of one in {}{near}", dir.display())))
}

fn only_run_of(file: &Path) -> Result<RunFolder> {
    let mut runs = RunFolder::list(&bundle::results(file)?)?;
    match (runs.pop(), runs.len()) {
        (Some(run), 0) => Ok(run),
        (_, others) => Err(Error::Usage(format!(
            "{0}: is a bundle of {1} runs; name one of them, as in {0}:NAME, see `analyze list --dir {0}`",
            file.display(),
            others + 1
        ))),
    }
}

/// The run of one folder; that it cannot be analysed is an error.
pub(super) fn one(folder: RunFolder, include_failed: bool) -> Result<Run> {
    let mut opened = load::open(vec![folder], Terms { include_failed, capacity: Capacity::Keep, must_be_whole: true });
    match (opened.runs.pop(), opened.unreadable.pop()) {
        (Some(run), _) => Ok(run),
        (None, Some(error)) => Err(error),
        (None, None) => Err(Error::Nothing(opened.left_out.join("; "))),
    }
}
