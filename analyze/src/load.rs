//! Finding runs and reading them: with [`crate::bundle`] and [`crate::import`] all that touches a run folder.

use std::fs::File;
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use polars::prelude::*;
use run_folder::manifest::Role;
use run_folder::sample::metric;
use run_folder::{RunFolder, Status, reader};

use crate::tables::Facts;
use crate::tables::factors::Factors;
use crate::tables::imported;
use crate::tables::leaders::{self, LeaderChange};
use crate::tables::runs::Listed;
use crate::tables::views::{self, View};
use crate::{Error, Result};

mod selection;

pub use selection::{Pattern, Selection, SweepChoice, companions, find};

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
            phases: imported::phases(&self.listed, end_ns),
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
