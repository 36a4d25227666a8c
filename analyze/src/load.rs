//! Finding runs and reading them: with [`crate::bundle`] and [`crate::import`] all that touches a run folder.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use polars::prelude::*;
use run_folder::manifest::Role;
use run_folder::sample::metric;
use run_folder::spec::Backend;
use run_folder::{Operation, RunFolder, Status, operation, reader};

use crate::check::Subject;
use crate::check::counters;
use crate::check::recording::OlderFiles;
use crate::tables::Facts;
use crate::tables::factors::Factors;
use crate::tables::imported;
use crate::tables::leaders::{self, LeaderChange};
use crate::tables::runs::Listed;
use crate::tables::views::{self, View};
use crate::{Error, Result, interruption};

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

/// On what terms runs are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Whether failed runs count, provided that their files are whole.
    pub include_failed: bool,
    /// What becomes of those that measure the capacity.
    pub capacity: Capacity,
    /// Whether there must be as many operations as the manifest says. Only who counts them can do without.
    pub must_be_whole: bool,
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
pub fn open(folders: Vec<RunFolder>, terms: Terms) -> Opened {
    let mut opened = Opened::default();
    let mut measured_capacity = 0;
    for (folder, result) in folders.iter().zip(each(&folders, |folder| open_one(folder, terms))) {
        match result {
            Ok(Found::Run(run)) => opened.runs.push(*run),
            Ok(Found::LeftOut(reason)) => opened.left_out.push(format!("{}: left out: {reason}", folder.name())),
            Ok(Found::Capacity) => measured_capacity += 1,
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

/// What a run folder turns out to be.
enum Found {
    Run(Box<Run>),
    /// A run that is not to be analysed, with the reason.
    LeftOut(String),
    /// One that measures the capacity, where nobody asked for those.
    Capacity,
}

/// Reads the manifest once, since a folder of many runs is little else.
fn open_one(folder: &RunFolder, terms: Terms) -> Result<Found> {
    let manifest = folder.manifest()?;
    let has_role = |role: Role| manifest.sweep.as_ref().is_some_and(|place| place.role == role);
    match &manifest.status {
        _ if terms.capacity == Capacity::LeaveOut && has_role(Role::Capacity) => return Ok(Found::Capacity),
        Status::Finished => {}
        Status::Running => return Ok(Found::LeftOut(unfinished(folder))),
        Status::Failed { reason, .. } if !terms.include_failed => {
            return Ok(Found::LeftOut(format!("failed: {reason}; take it in with --include-failed")));
        }
        Status::Failed { .. } => {}
    }
    match terms.must_be_whole {
        true => reader::check(folder, &manifest)?,
        false => reader::check_but_operations(folder, &manifest)?,
    }
    let faults = reader::faults(folder)?;
    let listed = Listed { run: folder.name(), label: folder.label().to_string(), manifest, faults };
    let factors = Factors::of(&listed.label, &listed.manifest);
    Ok(Found::Run(Box::new(Run { folder: folder.clone(), listed, factors })))
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

    /// Calls `take` with `columns` of the operations, in order, a part of them at a time: memory stays that of a part, however
    /// long the run is.
    ///
    /// # Errors
    /// [`Error::Unreadable`], and [`Error::Table`] where `take` fails.
    pub fn operations_in_parts(
        &self,
        columns: &[&str],
        mut take: impl FnMut(&DataFrame) -> PolarsResult<()>,
    ) -> Result<()> {
        let path = self.folder.operations_parquet();
        let read = |from: usize| read_rows(&path, columns, Some((from, PART_ROWS)));
        // The first may be empty: its columns are looked at all the same.
        let first = read(0)?;
        if first.height() < PART_ROWS {
            return Ok(take(&first)?);
        }
        // While one part is taken in, the next one is decoded, and no more than that.
        std::thread::scope(|scope| {
            let (decoded, parts) = mpsc::sync_channel(0);
            scope.spawn(move || {
                for from in (PART_ROWS..).step_by(PART_ROWS) {
                    let part = read(from);
                    let is_last = part.as_ref().map_or(true, |part| part.height() < PART_ROWS);
                    // Nobody receives it where taking in has failed.
                    if decoded.send(part).is_err() || is_last {
                        break;
                    }
                }
            });
            take(&first)?;
            drop(first);
            for part in parts {
                interruption::check()?;
                let part = part?;
                if part.height() > 0 {
                    take(&part)?;
                }
            }
            Ok(())
        })
    }

    /// [`Self::facts`] for who reads the operations in parts. They are looked at only where the manifest does not say when the
    /// workload ended.
    ///
    /// # Errors
    /// As [`Self::facts`], and [`Error::Unreadable`].
    pub fn facts_beforehand(&self) -> Result<Facts> {
        match self.listed.manifest.clock.workload_end_ns {
            end_ns if end_ns > 0 => self.facts(&DataFrame::empty()),
            _ => self.facts(&self.operations(&["intended_ns"])?),
        }
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

    /// Calls `take` with each operation, batch after batch.
    ///
    /// # Errors
    /// [`Error::Run`] or [`Error::Unreadable`].
    pub fn each_operation(&self, mut take: impl FnMut(&Operation)) -> Result<()> {
        let path = self.folder.operations_parquet();
        let read = || -> Result<()> {
            for batch in reader::operations(&self.folder, &[])? {
                interruption::check()?;
                let rows = operation::from_batch(&batch?);
                let rows = rows.map_err(|column| format!("column {column} is damaged"));
                rows.map_err(Error::unreadable(&path))?.iter().for_each(&mut take);
            }
            Ok(())
        };
        undamaged(&path, read)
    }

    /// Whether its recorder was killed, and the tables are what could be recovered.
    pub fn is_recovered(&self) -> bool {
        matches!(self.listed.manifest.status, Status::Failed { recovered: true, .. })
    }

    /// What the older scripts' files count.
    ///
    /// # Errors
    /// [`Error::Unreadable`] for one that is there and cannot be read.
    pub fn older_files(&self) -> Result<OlderFiles> {
        let folder = &self.folder;
        let lines = |path: PathBuf| -> Result<Option<u64>> {
            let mut count = 0;
            let is_there = each_line(&path, |_| {
                count += 1;
                Some(())
            })?;
            Ok(is_there.then_some(count))
        };
        let mut seconds = Vec::new();
        let has_seconds = each_line(&folder.throughput_csv(), |line| {
            match line.split_once(',') {
                Some(("second", "ops")) if seconds.is_empty() => {}
                other => seconds.push(other?.1.parse().ok()?),
            }
            Some(())
        })?;
        Ok(OlderFiles {
            // Its first line is a header.
            latency: lines(folder.latency_log())?.map(|lines| lines.saturating_sub(1)),
            anomalies: lines(folder.anomaly_log())?,
            throughput: has_seconds.then_some(seconds),
        })
    }

    /// What checks have to know of the run beside its operations, the last of which was due at `last_due_ns`.
    ///
    /// # Errors
    /// [`Error::Run`] or [`Error::Unreadable`].
    pub fn check_subject(&self, last_due_ns: i64) -> Result<Subject> {
        let manifest = &self.listed.manifest;
        let workload = &manifest.spec.workload;
        let end_ns = match manifest.clock.workload_end_ns {
            end_ns if end_ns > 0 => end_ns,
            _ => last_due_ns.saturating_add(1),
        };
        let window = imported::phases(&self.listed, end_ns).window();
        let phases = match window {
            Some(window) => vec![
                ("before", 0, window.from_ns),
                ("during", window.from_ns, window.to_ns),
                ("after", window.to_ns, end_ns),
            ],
            None => vec![("all", 0, end_ns)],
        };
        let path = self.folder.samples_parquet();
        let samples = read_parquet(&path, &counters::READS)?;
        Ok(Subject {
            members: manifest.cluster.members.iter().map(|member| member.name.clone()).collect(),
            concurrency: workload.concurrency,
            phases,
            store: manifest.store.clone(),
            final_keys: undamaged(&self.folder.final_state_parquet(), || Ok(reader::final_state(&self.folder)?))?,
            points: counters::points(&samples).map_err(Error::unreadable(&path))?,
            others: self.other_writers().map(str::to_owned),
        })
    }

    /// Why somebody else may have written to the cluster.
    fn other_writers(&self) -> Option<&'static str> {
        let manifest = &self.listed.manifest;
        let cluster = &manifest.cluster;
        if cluster.adopted || manifest.spec.cluster.backend == Backend::Endpoints {
            Some("the cluster is not the recorder's own: other clients may have written")
        } else if self.is_recovered() {
            Some("the recorder was killed: operations that were under way then are not recorded")
        } else if cluster.earlier_runs > 0 {
            Some("the cluster served a run before: writes that it gave up may have been done since")
        } else {
            None
        }
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
    read_rows(path, columns, None)
}

/// Four of the recorder's row groups.
const PART_ROWS: usize = 4 * 262_144;

/// As [`read_parquet`], of rows from one on and at most so many; all without.
fn read_rows(path: &Path, columns: &[&str], rows: Option<(usize, usize)>) -> Result<DataFrame> {
    let read = || -> PolarsResult<DataFrame> {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        // Runs are read side by side, so that each file needs only the thread that asks.
        let reader = ParquetReader::new(File::open(path)?).with_columns(Some(columns)).with_slice(rows);
        reader.read_parallel(ParallelStrategy::None).finish()
    };
    undamaged(path, || read().map_err(Error::unreadable(path)))
}

/// Reads a file whose decoder gives up on some kinds of damage by panicking.
fn undamaged<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Error::unreadable(path)("is damaged: it cannot be decoded")))
}

/// Calls `take` with each line of a text file, without its end; false when there is no such file.
fn each_line(path: &Path, mut take: impl FnMut(&str) -> Option<()>) -> Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::unreadable(path)(error)),
    };
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(Error::unreadable(path))?;
        take(&line).ok_or_else(|| Error::unreadable(path)(format!("line {} is no such line: {line:?}", at + 1)))?;
    }
    Ok(true)
}

/// Applies `work` to every run (or folder), as many at a time as there are CPUs, and gives the results in the order of the
/// runs. Memory stays that of the runs under way, however many there are.
pub fn each<R: Sync, T: Send>(runs: &[R], work: impl Fn(&R) -> Result<T> + Sync) -> Vec<Result<T>> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(runs.len()).min(THREADS_MAX);
    let interruption = interruption::current();
    let next = AtomicUsize::new(0);
    let (done, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let done = done.clone();
            scope.spawn(|| {
                let done = done;
                interruption::under(interruption.clone(), || {
                    while let Some((at, run)) = next_run(&next, runs) {
                        // The receiver outlives the scope.
                        let _ = done.send((at, interruption::check().and_then(|()| work(run))));
                    }
                });
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

fn next_run<'a, R>(next: &AtomicUsize, runs: &'a [R]) -> Option<(usize, &'a R)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    runs.get(at).map(|run| (at, run))
}
