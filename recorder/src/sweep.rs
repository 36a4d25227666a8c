//! A sweep: every run of a plan in turn, each in a process of its own, so that one that goes wrong, in whatever way, ends
//! itself and nothing else.
//!
//! What is done is known from the run folders alone: each names its sweep and its number there. A sweep that was killed
//! at any moment is resumed from them.

mod gaps;
mod plan_table;
mod resume;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use run_folder::manifest::{Role, Status, SweepPlace};
use run_folder::sweep::{Asked, Attempt, SweepLock, SweepRun};
use run_folder::{Label, Recovery, RunFolder, SweepManifest};

use crate::apart::Supervisor;
use crate::cli::SweepCommand;
use crate::cluster::choice::Choice;
use crate::error::{Error, Result, exit_code};
use crate::plan::PlannedRun;
use crate::plan::file::PlanFile;
use crate::plan::sweep::{Overrides, SweepPlan, is_capacity_of, length_ms};
use crate::progress::Standing;
use crate::session::{self, Batch, Told};
use crate::{clock, machine, terminal, units};

/// What goes by between two runs, until that was measured.
const BETWEEN_RUNS_MS: u64 = 2_500;
/// How long the kernel may take to end everything in a sandbox whose first process is gone.
const ENDING_MAX: Duration = Duration::from_secs(5);
const ENDING_POLL: Duration = Duration::from_millis(50);
/// Sweeps that take longer are begun only by somebody who means it.
const ASK_ABOVE_S: u64 = 12 * 3600;

/// Records a sweep, or shows its plan, and returns the exit code. Must be called while the process has a single thread.
///
/// # Errors
/// What can be said before the first run.
pub fn record(typed: &SweepCommand) -> Result<u8> {
    check_typed(typed)?;
    let (name, file, text) = plan_of(typed)?;
    if typed.print_plan {
        terminal::data(text.trim_end());
        return Ok(0);
    }
    let results = &typed.places.dir;
    // Before anything is looked at; where there was no sweep yet, there is nothing to look at and nothing is made.
    let there_were_sweeps = !SweepManifest::ids(results)?.is_empty();
    let mut lock = None;
    if there_were_sweeps && !typed.dry_run {
        lock = Some(SweepLock::take(results)?);
    }
    let earlier = earlier(typed, &name)?;
    let before = earlier.as_ref().map(|earlier| &earlier.asked);
    let asked = Asked {
        duration: typed.duration.clone().or_else(|| before?.duration.clone()),
        repeat: typed.repeat.or_else(|| before?.repeat),
        seed: typed.seed.or_else(|| before?.seed),
    };
    let overrides = Overrides {
        duration: asked.duration.clone(),
        repeat: asked.repeat,
        seed: asked.seed.or(file.seed).or_else(|| Some(earlier.as_ref()?.seed)),
    };
    let mut plan = SweepPlan::new(&file, &overrides)?;
    Choice::make(&typed.places)?.apply(plan.runs.iter_mut().map(|run| &mut run.spec))?;
    let plan = plan;
    let etcd_version = if typed.dry_run { None } else { Some(check_programs(typed, &plan)?) };
    let mut manifest = match earlier {
        Some(earlier) => resume::merge(earlier, &plan, typed, etcd_version.as_deref())?,
        None => SweepManifest { runs: numbered(&plan), ..SweepManifest::new(results, name, chrono::Utc::now()) },
    };
    manifest = SweepManifest {
        plan: text,
        seed: plan.seed,
        repeat: plan.repeat,
        asked,
        reuse_cluster: typed.reuse_cluster || manifest.reuse_cluster,
        etcd_version: etcd_version.unwrap_or_default(),
        ..manifest
    };
    if results.is_dir() {
        manifest.find_attempts(results)?;
    }
    if typed.dry_run {
        terminal::data(plan_table::table(&manifest, BETWEEN_RUNS_MS));
        return Ok(0);
    }
    let mut course = Course::new(typed, manifest);
    course.ask_if_long()?;
    if let Some(run) = course.manifest.runs.first() {
        machine::places(&planned_run(typed, &course.manifest, run))?;
    }
    let _lock = lock.map_or_else(|| SweepLock::take(results), Ok)?;
    course.refresh()?;
    course.carry_out()
}

/// Checks what was typed beside the plan.
fn check_typed(typed: &SweepCommand) -> Result<()> {
    if let Some(duration) = &typed.duration {
        units::seconds_ms("--duration", duration)?;
    }
    if typed.repeat == Some(0) {
        return Err(Error::usage("--repeat is 0; give the number of times that each run is made"));
    }
    Ok(())
}

/// The sweep to go on with, if any.
fn earlier(typed: &SweepCommand, name: &Label) -> Result<Option<SweepManifest>> {
    let results = &typed.places.dir;
    match SweepManifest::newest(results, name)? {
        None if typed.resume => {
            let dir = results.display();
            Err(Error::usage(format!("--resume: there is no sweep {name} in {dir} to go on with")))
        }
        Some(earlier) if typed.resume => Ok(Some(earlier)),
        Some(earlier) if earlier.ended_unix_ns.is_none() && !typed.force && !typed.dry_run => {
            Err(Error::usage(format!(
                "the sweep {} in {} is not finished; go on with it by --resume, leave it and begin another by --force, \
                 or name another folder by --dir",
                earlier.id,
                results.display()
            )))
        }
        _ => Ok(None),
    }
}

/// Checks before the first run that the programs are here which any of them needs. Returns the version of etcd.
fn check_programs(typed: &SweepCommand, plan: &SweepPlan) -> Result<String> {
    let mut checked = Vec::new();
    let mut version = String::new();
    for run in &plan.runs {
        let mechanism = run.spec.fault.as_ref().map(|fault| fault.mechanism);
        if !checked.contains(&mechanism) {
            let members = machine::programs(&PlannedRun::new("sweep", run.spec.clone(), &typed.places))?;
            version = members.version().to_owned();
            checked.push(mechanism);
        }
    }
    Ok(version)
}

/// The plan's name, the plan, and its text.
fn plan_of(typed: &SweepCommand) -> Result<(Label, PlanFile, String)> {
    if let Some(preset) = typed.preset {
        let file = PlanFile::parse(&format!("preset {}", preset.name()), preset.text())?;
        return Ok((Label::new(preset.name())?, file, preset.text().to_owned()));
    }
    let path = typed.plan.as_deref().unwrap_or(Path::new(""));
    let (file, text) = PlanFile::read(path)?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name: String = stem.chars().map(|c| if Label::may_hold(c) { c } else { '-' }).collect();
    let name = Label::new(name).map_err(|_| {
        Error::usage(format!(
            "{}: the sweep is named after its plan; give the file a name such as plan.toml",
            path.display()
        ))
    })?;
    Ok((name, file, text))
}

/// The planned runs with their numbers.
fn numbered(plan: &SweepPlan) -> Vec<SweepRun> {
    let run = |(at, run): (usize, &crate::plan::sweep::Planned)| SweepRun {
        number: at + 1,
        repeat: run.repeat,
        role: run.role,
        spec: run.spec.clone(),
        attempts: Vec::new(),
    };
    plan.runs.iter().enumerate().map(run).collect()
}

fn planned_run(typed: &SweepCommand, manifest: &SweepManifest, run: &SweepRun) -> PlannedRun {
    let place = SweepPlace { sweep: manifest.id.clone(), number: run.number, repeat: run.repeat, role: run.role };
    PlannedRun { place: Some(place), ..PlannedRun::new("sweep", run.spec.clone(), &typed.places) }
}

/// A sweep under way.
struct Course<'a> {
    typed: &'a SweepCommand,
    manifest: SweepManifest,
    /// Runs that were tried in this invocation, and what became of those that left no folder.
    tried: BTreeMap<usize, String>,
    /// Run folders of killed recorders that could not be made whole.
    given_up: BTreeSet<String>,
    began: Instant,
    began_unix_ns: i64,
    /// Planned length of the runs that were made in this invocation, and their number.
    made_ms: u64,
    made: u64,
}

/// Why no further run is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// All were tried.
    Done,
    /// A signal came.
    Interrupted,
    /// The machine lacks something.
    Environment,
}

impl<'a> Course<'a> {
    fn new(typed: &'a SweepCommand, manifest: SweepManifest) -> Self {
        let (began, began_unix_ns) = (Instant::now(), clock::unix_ns());
        Self {
            typed,
            manifest,
            tried: BTreeMap::new(),
            given_up: BTreeSet::new(),
            began,
            began_unix_ns,
            made_ms: 0,
            made: 0,
        }
    }

    fn results(&self) -> &Path {
        &self.typed.places.dir
    }

    /// Makes every run that is not finished and returns the exit code.
    fn carry_out(mut self) -> Result<u8> {
        let (total, left) = (self.manifest.runs.len(), self.pending().len());
        terminal::line(format_args!(
            "sweep {}: {left} of {total} runs to make, about {}",
            self.manifest.id,
            units::in_words(self.left_s())
        ));
        let mut supervisor = Supervisor::new()?;
        while let Some(batch) = self.next_batch() {
            let code = supervisor.run(|| session::record_batch(&batch))?;
            self.take_in(&batch)?;
            if supervisor.interrupted() || code == exit_code::INTERRUPTED {
                return self.conclude(End::Interrupted);
            }
            if code == exit_code::ENVIRONMENT {
                return self.conclude(End::Environment);
            }
        }
        self.conclude(End::Done)
    }

    /// Runs that are to be made in this invocation.
    fn pending(&self) -> Vec<&SweepRun> {
        let runs = self.manifest.runs.iter();
        runs.filter(|run| run.finished().is_none() && !self.tried.contains_key(&run.number)).collect()
    }

    /// Estimated time to the end, from the planned lengths and what went by between the runs so far.
    fn left_s(&self) -> u64 {
        let between_ms = match self.made {
            0 => BETWEEN_RUNS_MS,
            made => (self.began.elapsed().as_millis() as u64).saturating_sub(self.made_ms) / made,
        };
        self.pending().iter().map(|run| length_ms(&run.spec) + between_ms).sum::<u64>() / 1000
    }

    /// The next run; where the cluster is shared, all that can be made on it. Runs whose capacity could not be measured
    /// are passed over.
    fn next_batch(&mut self) -> Option<Batch> {
        let mut runs: Vec<(PlannedRun, Told)> = Vec::new();
        let mut first: Option<SweepRun> = None;
        let standing = Standing {
            number: 0,
            total: self.manifest.runs.len(),
            failed: self.manifest.runs.iter().filter(|run| run.finished().is_none() && self.was_tried(run)).count(),
            ends: Instant::now() + Duration::from_secs(self.left_s()),
        };
        let pending: Vec<SweepRun> = self.pending().into_iter().cloned().collect();
        for run in pending {
            let shares = |first: &SweepRun| {
                let both_measure = (run.role == Role::Capacity) == (first.role == Role::Capacity);
                let same_place = run.spec.workload.client_at == first.spec.workload.client_at;
                self.manifest.reuse_cluster && both_measure && same_place && run.spec.cluster == first.spec.cluster
            };
            if !first.as_ref().is_none_or(shares) {
                break;
            }
            match self.resolved(&run) {
                Ok(planned) => {
                    let at = self.manifest.runs.iter().position(|other| other.number == run.number);
                    runs.push((planned, Told::OfSweep(Standing { number: at.unwrap_or(0) + 1, ..standing })));
                    first.get_or_insert(run);
                }
                Err(error) => {
                    self.tried.insert(run.number, error.to_string());
                }
            }
        }
        first.map(|_| Batch { runs })
    }

    fn is_finished(&self, number: usize) -> bool {
        self.manifest.runs.iter().any(|run| run.number == number && run.finished().is_some())
    }

    fn was_tried(&self, run: &SweepRun) -> bool {
        self.tried.contains_key(&run.number)
    }

    /// The run with the rate that its load means.
    fn resolved(&self, run: &SweepRun) -> Result<PlannedRun> {
        let planned = planned_run(self.typed, &self.manifest, run);
        if !planned.lacks_capacity() {
            return Ok(planned);
        }
        let capacity = self
            .manifest
            .runs
            .iter()
            .find(|other| other.role == Role::Capacity && is_capacity_of(&other.spec, &run.spec));
        let folder = capacity.and_then(SweepRun::finished).map(|name| RunFolder::open(&self.results().join(name)));
        let folder =
            folder.ok_or_else(|| Error::run("the capacity that its load is a share of was not measured"))??;
        Ok(PlannedRun { spec: session::at_load(&planned.spec, &folder)?, ..planned })
    }

    /// Takes in what the run folders say, completing those of killed recorders, and writes the manifest.
    fn refresh(&mut self) -> Result<()> {
        let results = self.results().to_path_buf();
        self.manifest.find_attempts(&results)?;
        let attempts = self.manifest.runs.iter().flat_map(|run| &run.attempts);
        let is_new = |attempt: &&Attempt| attempt.status == Status::Running && !self.given_up.contains(&attempt.run);
        let killed: Vec<_> = attempts.filter(is_new).cloned().collect();
        for attempt in &killed {
            let recovered = RunFolder::open(&results.join(&attempt.run)).and_then(|folder| recover_patiently(&folder));
            let said = recovered.map_or_else(
                |error| {
                    // One that cannot be made whole must not keep the sweep from making its run again.
                    self.given_up.insert(attempt.run.clone());
                    format!("not recovered: {error}")
                },
                |recovery| recovery.reason,
            );
            terminal::line(format_args!("{}: {said}", attempt.run));
        }
        if !killed.is_empty() {
            self.manifest.find_attempts(&results)?;
        }
        self.manifest.set_superseded_aside(&results)?;
        Ok(self.manifest.write(&results)?)
    }

    /// Takes in what became of a batch: which of its runs were tried.
    fn take_in(&mut self, batch: &Batch) -> Result<()> {
        let attempts = |manifest: &SweepManifest, number: usize| {
            manifest.runs.iter().find(|run| run.number == number).map_or(0, |run| run.attempts.len())
        };
        let planned = batch.runs.iter().filter_map(|(planned, _)| Some((planned.place.as_ref()?.number, planned)));
        let before: Vec<_> =
            planned.map(|(number, planned)| (number, planned, attempts(&self.manifest, number))).collect();
        self.manifest.ended_unix_ns = None;
        self.refresh()?;
        for (number, planned, before) in before {
            if attempts(&self.manifest, number) == before {
                // It ended before anything was recorded, and with it the batch.
                self.tried.insert(number, "nothing was recorded, see above".to_owned());
                break;
            }
            self.tried.insert(number, String::new());
            self.made_ms += length_ms(&planned.spec);
            self.made += 1;
            if !self.is_finished(number) {
                // It ended the batch: those after it were not tried.
                break;
            }
        }
        Ok(())
    }

    /// Says how the sweep ended and returns the exit code.
    fn conclude(mut self, end: End) -> Result<u8> {
        let results = self.results().to_path_buf();
        if end == End::Done && self.manifest.ended_unix_ns.is_none() {
            self.manifest.ended_unix_ns = Some(clock::unix_ns());
            self.manifest.write(&results)?;
        }
        let unfinished: Vec<_> = self.manifest.runs.iter().filter(|run| run.finished().is_none()).collect();
        let (total, took) = (self.manifest.runs.len(), units::in_words(self.began.elapsed().as_secs()));
        terminal::line(format_args!("{} of {total} runs are finished, in {took}", total - unfinished.len()));
        let mut gaps_ns = gaps::between_runs_ns(&self.manifest, &results, self.began_unix_ns);
        gaps_ns.sort_unstable();
        if let Some(longest_ns) = gaps_ns.last() {
            let (median_s, longest_s) = (gaps_ns[gaps_ns.len() / 2] as f64 / 1e9, *longest_ns as f64 / 1e9);
            terminal::line(format_args!("between two runs {median_s:.1} s went by, {longest_s:.1} s at most"));
        }
        for run in unfinished.iter().filter(|run| self.was_tried(run)) {
            let (reason, folder) = match run.attempts.last() {
                Some(attempt) => (attempt.status.to_string(), attempt.run.as_str()),
                None => (self.tried.get(&run.number).cloned().unwrap_or_default(), "no folder"),
            };
            terminal::line(format_args!("  {}: {reason} ({folder})", run.spec.label));
        }
        let dir = results.display();
        let left = unfinished.len();
        let code = match end {
            End::Interrupted => {
                terminal::line(format_args!("interrupted with {left} of {total} runs to make; --resume goes on"));
                exit_code::INTERRUPTED
            }
            End::Environment => {
                terminal::line(format_args!("ended with {left} of {total} runs to make, see above; --resume goes on"));
                exit_code::ENVIRONMENT
            }
            End::Done if left > 0 => {
                terminal::line("--resume tries what failed again");
                exit_code::RUN_FAILED
            }
            End::Done => {
                terminal::line(format_args!(
                    "next: analyze delta --dir {dir} --sweep latest; analyze plot --dir {dir} --sweep latest --kind delta"
                ));
                0
            }
        };
        terminal::data(self.manifest.path(&results).display());
        Ok(code)
    }

    /// Asks before a sweep that takes longer than anybody waits for.
    fn ask_if_long(&self) -> Result<()> {
        let left_s = self.left_s();
        if left_s <= ASK_ABOVE_S || self.typed.yes {
            return Ok(());
        }
        let runs = self.pending().len();
        let long = format!("{runs} runs take about {}", units::in_words(left_s));
        let (input, error) = (std::io::stdin(), std::io::stderr());
        if !(input.is_terminal() && error.is_terminal()) {
            return Err(Error::usage(format!("{long}; add --yes to begin, or see --dry-run, --duration and --repeat")));
        }
        terminal::line(format_args!("{long}. Begin? [y/N]"));
        let mut answer = String::new();
        let read = input.lock().read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(Error::usage("not begun"))
    }
}

/// Recovers a run whose recorder was killed a moment ago: the kernel may still be at ending it.
fn recover_patiently(folder: &RunFolder) -> run_folder::Result<Recovery> {
    let deadline = Instant::now() + ENDING_MAX;
    loop {
        match run_folder::recover(folder) {
            Err(run_folder::Error::StillRecording { .. }) if Instant::now() < deadline => {
                std::thread::sleep(ENDING_POLL)
            }
            recovered => return recovered,
        }
    }
}
