//! Finding runs and reading them: the only module that touches a run folder.

use std::collections::BTreeSet;
use std::fs::File;
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use polars::prelude::*;
use run_folder::manifest::Role;
use run_folder::sample::metric;
use run_folder::{Label, RunFolder, Status, reader};
use wildmatch::WildMatch;

use crate::phases::Phases;
use crate::tables::Facts;
use crate::tables::factors::Factors;
use crate::tables::leaders::{self, LeaderChange};
use crate::tables::runs::Listed;
use crate::tables::views::{self, View};
use crate::{Error, Result};

/// A glob over labels: `*` stands for any text, `?` for one character, everything else for itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    glob: WildMatch,
    text: String,
}

impl Pattern {
    /// True when the whole label matches.
    pub fn matches(&self, label: &Label) -> bool {
        self.glob.matches(label.as_str())
    }

    /// The pattern as typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Pattern {
    type Err = String;

    /// Refuses what can be in no label, because it would match nothing without saying why.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let never = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "_-+=,.*?".contains(*c)));
        match never {
            Some(c) => Err(format!("no label holds {c:?}; use letters, digits, _ - + = , . and the wildcards * and ?")),
            None if text.is_empty() => Err("is empty; leave it out to take every run".to_owned()),
            None => Ok(Self { glob: WildMatch::new(text), text: text.to_owned() }),
        }
    }
}

/// Which runs a command is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The results folder, or one run folder.
    pub dir: PathBuf,
    /// Globs over labels, any of which may match; none takes every run.
    pub patterns: Vec<Pattern>,
    /// The sweep that runs must belong to; none takes every run.
    pub sweep: Option<SweepChoice>,
    /// Whether failed runs count, provided that their files are whole.
    pub include_failed: bool,
}

/// Which sweep of a results folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepChoice {
    /// The one that began last.
    Latest,
    /// The one with this id.
    Id(String),
}

impl FromStr for SweepChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(if text == "latest" { Self::Latest } else { Self::Id(text.to_owned()) })
    }
}

/// What becomes of runs with the role [`Role::Capacity`], which are no experiments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// They are runs like others.
    Keep,
    /// They are left out, unless a pattern asked for their label.
    LeaveOut,
}

/// A run that can be analysed: its manifest is finished and its files are whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The folder.
    pub folder: RunFolder,
    /// Manifest and faults.
    pub listed: Listed,
    /// The run's place among others.
    pub factors: Factors,
}

/// What became of the run folders that were asked for.
#[derive(Debug, Default)]
pub struct Opened {
    /// Those that can be analysed, in order of time.
    pub runs: Vec<Run>,
    /// Unfinished and failed ones, each as a message with the next step.
    pub left_out: Vec<String>,
    /// Those that cannot be read, each as a message.
    pub unreadable: Vec<Error>,
}

/// Finds the run folders that a selection names, in order of time, whatever their state.
///
/// # Errors
/// [`Error::Nothing`] when the folder is not there or nothing in it matches, with the labels that come nearest.
pub fn find(selection: &Selection) -> Result<Vec<RunFolder>> {
    let dir = &selection.dir;
    if !dir.is_dir() {
        let problem = if dir.exists() { "is not a folder" } else { "no such folder" };
        return Err(Error::Nothing(format!(
            "--dir {}: {problem}; name the folder that `recorder` wrote to",
            dir.display()
        )));
    }
    let all = match RunFolder::open(dir) {
        Ok(run) if run.manifest_json().exists() => vec![run],
        _ => RunFolder::list(dir)?,
    };
    if all.is_empty() {
        return Err(Error::Nothing(format!(
            "--dir {}: holds no run; record one with `recorder slow-follower` or name another folder",
            dir.display()
        )));
    }
    for pattern in &selection.patterns {
        if !all.iter().any(|run| pattern.matches(run.label())) {
            return Err(no_match(pattern, &all, dir));
        }
    }
    let is_wanted = |run: &RunFolder| {
        selection.patterns.is_empty() || selection.patterns.iter().any(|pattern| pattern.matches(run.label()))
    };
    let wanted = all.into_iter().filter(is_wanted).collect();
    match &selection.sweep {
        Some(sweep) => of_sweep(wanted, sweep, dir),
        None => Ok(wanted),
    }
}

/// The runs of one sweep. Those whose manifest cannot be read stay, to be named later: they may belong to it.
fn of_sweep(folders: Vec<RunFolder>, choice: &SweepChoice, dir: &Path) -> Result<Vec<RunFolder>> {
    let sweep_of = |folder: &RunFolder| folder.manifest().map(|manifest| manifest.sweep.map(|place| place.sweep));
    let known: Vec<_> = folders.into_iter().map(|folder| (sweep_of(&folder), folder)).collect();
    let ids: BTreeSet<&str> = known.iter().filter_map(|(sweep, _)| sweep.as_ref().ok()?.as_deref()).collect();
    // Ids begin with the time, so that the last is the latest.
    let wanted = match choice {
        SweepChoice::Latest => ids.last().copied(),
        SweepChoice::Id(id) => ids.get(id.as_str()).copied(),
    };
    let Some(wanted) = wanted.map(str::to_owned) else {
        let asked = match choice {
            SweepChoice::Latest => "latest",
            SweepChoice::Id(id) => id,
        };
        let there = match ids.is_empty() {
            true => "none of them belongs to a sweep; leave --sweep out".to_owned(),
            false => format!("the sweeps are {}", ids.into_iter().collect::<Vec<_>>().join(", ")),
        };
        return Err(Error::Nothing(format!(
            "--sweep {asked}: no such sweep among the runs that match in {}; {there}",
            dir.display()
        )));
    };
    let is_wanted = |sweep: &run_folder::Result<Option<String>>| match sweep {
        Ok(sweep) => sweep.as_deref() == Some(&wanted),
        Err(_) => true,
    };
    Ok(known.into_iter().filter(|(sweep, _)| is_wanted(sweep)).map(|(_, folder)| folder).collect())
}

/// The runs beside the selected ones that these are compared with: finished ones without a fault, or with a null one, of
/// a cohort that `runs` has. They lie in the same results folder, whether or not a pattern names them.
///
/// # Errors
/// [`Error::Run`] when the results folder cannot be read.
pub fn companions(selection: &Selection, runs: &[Run]) -> Result<Opened> {
    let dir = match RunFolder::open(&selection.dir) {
        Ok(run) if run.manifest_json().exists() => run.dir().parent().map(Path::to_path_buf).unwrap_or_default(),
        _ => selection.dir.clone(),
    };
    let cohorts: BTreeSet<&str> = runs.iter().map(|run| run.factors.cohort.as_str()).collect();
    let is_companion = |folder: &RunFolder| {
        if runs.iter().any(|run| run.listed.run == folder.name()) {
            return false;
        }
        let Ok(manifest) = folder.manifest() else { return false };
        let factors = Factors::of(folder.label().as_str(), &manifest);
        let is_compared_with = factors.is_null() && factors.role != Role::Capacity;
        manifest.status == Status::Finished && is_compared_with && cohorts.contains(factors.cohort.as_str())
    };
    let folders = RunFolder::list(&dir)?.into_iter().filter(is_companion).collect();
    Ok(open(folders, false, Capacity::LeaveOut))
}

const NEAR_MISSES: usize = 5;

fn no_match(pattern: &Pattern, all: &[RunFolder], dir: &Path) -> Error {
    let mut labels: Vec<&str> = all.iter().map(|run| run.label().as_str()).collect();
    labels.sort_unstable();
    labels.dedup();
    let count = labels.len();
    // The wildcards say nothing about likeness; what is left of the pattern does.
    let letters = pattern.as_str().replace(['*', '?'], "");
    labels.sort_by(|a, b| {
        let likeness = |label: &str| strsim::jaro_winkler(&letters, label);
        likeness(b).total_cmp(&likeness(a))
    });
    labels.truncate(NEAR_MISSES);
    let more = if count > labels.len() { format!(" (of {count}; see `analyze list`)") } else { String::new() };
    Error::Nothing(format!(
        "--pattern {:?} matches no label in {}; the nearest are {}{more}",
        pattern.as_str(),
        dir.display(),
        labels.join(", ")
    ))
}

/// Opens run folders: reads manifests and faults, and checks that every file is whole.
pub fn open(folders: Vec<RunFolder>, include_failed: bool, capacity: Capacity) -> Opened {
    let mut opened = Opened::default();
    let mut measured_capacity = 0;
    for folder in folders {
        if capacity == Capacity::LeaveOut && has_role(&folder, Role::Capacity) {
            measured_capacity += 1;
            continue;
        }
        match open_one(&folder, include_failed) {
            Ok(Ok(run)) => opened.runs.push(run),
            Ok(Err(reason)) => opened.left_out.push(format!("{}: left out: {reason}", folder.name())),
            Err(error) => opened.unreadable.push(error),
        }
    }
    if measured_capacity > 0 {
        let runs = if measured_capacity == 1 { "run that measures" } else { "runs that measure" };
        opened
            .left_out
            .push(format!("left out {measured_capacity} {runs} the capacity; take in with --pattern and their label"));
    }
    opened
}

fn has_role(folder: &RunFolder, role: Role) -> bool {
    folder.manifest().is_ok_and(|manifest| manifest.sweep.is_some_and(|place| place.role == role))
}

/// The run, or why it is left out.
fn open_one(folder: &RunFolder, include_failed: bool) -> Result<std::result::Result<Run, String>> {
    let manifest = folder.manifest()?;
    match &manifest.status {
        Status::Finished => {}
        Status::Running => return Ok(Err(unfinished(folder))),
        Status::Failed { reason, .. } if !include_failed => {
            return Ok(Err(format!("failed: {reason}; take it in with --include-failed")));
        }
        Status::Failed { .. } => {}
    }
    reader::check(folder, &manifest)?;
    let faults = reader::faults(folder)?;
    let listed = Listed { run: folder.name(), label: folder.label().to_string(), manifest, faults };
    let factors = Factors::of(&listed.label, &listed.manifest);
    Ok(Ok(Run { folder: folder.clone(), listed, factors }))
}

/// What to do about a run that is under way, or was when its recorder died.
fn unfinished(folder: &RunFolder) -> String {
    let dir = folder.dir().display();
    format!("unfinished; if its recorder is gone, make it whole with `recorder recover {dir}`")
}

/// What the list of runs shows.
#[derive(Debug, Default)]
pub struct List {
    /// Every run with a manifest that can be read.
    pub runs: Vec<Listed>,
    /// Those that other commands leave out, each as a message with the next step.
    pub left_out: Vec<String>,
    /// What cannot be read, each as a message.
    pub unreadable: Vec<Error>,
}

/// Reads what the list of runs shows: of every folder with a manifest, also of unfinished and failed ones.
pub fn list(folders: &[RunFolder]) -> List {
    let mut list = List::default();
    for folder in folders {
        let manifest = match folder.manifest() {
            Ok(manifest) => manifest,
            Err(error) => {
                list.unreadable.push(error.into());
                continue;
            }
        };
        let mut faults = Vec::new();
        match &manifest.status {
            Status::Running => list.left_out.push(format!("{}: {}", folder.name(), unfinished(folder))),
            Status::Failed { reason, .. } => list.left_out.push(format!("{}: failed: {reason}", folder.name())),
            Status::Finished => {}
        }
        if manifest.status != Status::Running {
            match reader::faults(folder) {
                Ok(read) => faults = read,
                Err(error) => list.unreadable.push(error.into()),
            }
        }
        list.runs.push(Listed { run: folder.name(), label: folder.label().to_string(), manifest, faults });
    }
    list
}

impl Run {
    /// Reads `columns` of the operations, one row for each operation that was due.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn operations(&self, columns: &[&str]) -> Result<DataFrame> {
        read_parquet(&self.folder.operations_parquet(), columns)
    }

    /// What tables have to know of the run, `operations` being a frame with `intended_ns`.
    ///
    /// A run that failed early has no end of the workload; then the last operation that was due ends it.
    ///
    /// # Errors
    /// [`Error::Table`] when there is no such column, [`Error::Unreadable`] when the end is an impossible one.
    pub fn facts(&self, operations: &DataFrame) -> Result<Facts> {
        let manifest = &self.listed.manifest;
        let workload = &manifest.spec.workload;
        let end_ns = match manifest.clock.workload_end_ns {
            end_ns if end_ns > 0 => end_ns,
            _ => operations.column("intended_ns")?.i64()?.max().map_or(0, |last_ns| last_ns.saturating_add(1)),
        };
        if end_ns > RUN_NS_MAX {
            let problem = format!("says that the workload ended {end_ns} ns after its start, which cannot be");
            return Err(Error::unreadable(self.folder.manifest_json())(problem));
        }
        Ok(Facts {
            run: self.listed.run.clone(),
            label: self.listed.label.clone(),
            phases: Phases::derive(&self.listed.faults, workload.warm_up_ms, end_ns),
            deadline_ms: workload.deadline_ms as f64,
            members: manifest.cluster.members.iter().map(|member| member.name.clone()).collect(),
        })
    }

    /// Changes of leader from time 0 to the end of the workload, from the samples.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn leader_changes(&self, facts: &Facts) -> Result<Vec<LeaderChange>> {
        let mut changes = self.all_leader_changes()?;
        changes.retain(|change| change.time_ns < facts.phases.end_ns());
        Ok(changes)
    }

    /// What the members said of the cluster to the end of the workload, from the samples.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn views(&self, facts: &Facts) -> Result<Vec<View>> {
        let path = self.folder.samples_parquet();
        let samples = read_parquet(&path, &views::READS)?;
        views::views(&samples, facts.members.len(), facts.phases.end_ns()).map_err(Error::unreadable(&path))
    }

    /// Reads `columns` of the samples.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn samples(&self, columns: &[&str]) -> Result<DataFrame> {
        read_parquet(&self.folder.samples_parquet(), columns)
    }

    fn all_leader_changes(&self) -> Result<Vec<LeaderChange>> {
        let path = self.folder.samples_parquet();
        let samples = read_parquet(&path, &["time_ns", "member", "metric", "value"])?;
        let of_leader = || -> PolarsResult<Vec<LeaderChange>> {
            let is_leader: BooleanChunked =
                samples.column("metric")?.str()?.iter().map(|name| Some(name == Some(metric::LEADER))).collect();
            leaders::changes(&samples.filter(&is_leader)?, self.listed.manifest.cluster.members.len())
        };
        of_leader().map_err(Error::unreadable(&path))
    }
}

/// No run is longer than a year; a table of more seconds than that would take all memory.
const RUN_NS_MAX: i64 = 366 * 24 * 3600 * 1_000_000_000;

/// Reads columns of a Parquet file. The decoder gives up on some kinds of damage by panicking; that must not stop the
/// other runs, so it counts as an error of this file.
fn read_parquet(path: &Path, columns: &[&str]) -> Result<DataFrame> {
    let read = || -> PolarsResult<DataFrame> {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        // Runs are read side by side, so that each file needs only the thread that asks.
        ParquetReader::new(File::open(path)?).with_columns(Some(columns)).read_parallel(ParallelStrategy::None).finish()
    };
    match panic::catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(Error::unreadable(path)),
        Err(_) => Err(Error::unreadable(path)("is damaged: it cannot be decoded")),
    }
}

/// Applies `work` to every run, as many at a time as there are CPUs, and gives the results in the order of the runs.
/// Memory stays that of the runs under way, however many there are.
pub fn each<T: Send>(runs: &[Run], work: impl Fn(&Run) -> Result<T> + Sync) -> Vec<Result<T>> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(runs.len()).min(THREADS_MAX);
    let next = AtomicUsize::new(0);
    let (done, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let done = done.clone();
            scope.spawn(|| {
                let done = done;
                while let Some((at, run)) = next_run(&next, runs) {
                    // The receiver outlives the scope.
                    let _ = done.send((at, work(run)));
                }
            });
        }
    });
    drop(done);
    let mut results: Vec<_> = results.into_iter().collect();
    results.sort_unstable_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Bounds the memory: each run under way is held as a whole.
const THREADS_MAX: usize = 8;

fn next_run<'a>(next: &AtomicUsize, runs: &'a [Run]) -> Option<(usize, &'a Run)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    runs.get(at).map(|run| (at, run))
}
