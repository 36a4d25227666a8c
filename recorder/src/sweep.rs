//! A sweep: every run of a plan in turn, each in a process of its own, so that one that goes wrong, in whatever way, ends
//! itself and nothing else.
//!
//! What is done is known from the run folders alone: each names its sweep and its number there. A sweep that was killed
//! at any moment is resumed from them.

mod gaps;
mod plan_table;
mod resume;

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::time::Instant;

use run_folder::manifest::{Role, Status, SweepPlace};
use run_folder::sweep::{SweepLock, SweepRun};
use run_folder::{Label, RunFolder, SweepManifest};

use crate::apart::Supervisor;
use crate::cli::SweepCommand;
use crate::error::{Error, Result, exit_code};
use crate::plan::PlannedRun;
use crate::plan::file::PlanFile;
use crate::plan::sweep::{Overrides, SweepPlan, is_capacity_of, length_ms};
use crate::progress::Standing;
use crate::session::{self, Batch};
use crate::{clock, machine, terminal, units};

/// What goes by between two runs, until that was measured.
const BETWEEN_RUNS_MS: u64 = 2_500;
/// Sweeps that take longer are begun only by somebody who means it.
const ASK_ABOVE_S: u64 = 12 * 3600;

/// Records a sweep, or shows its plan, and returns the exit code. Must be called while the process has a single thread.
///
/// # Errors
/// What can be said before the first run.
pub fn record(typed: &SweepCommand) -> Result<u8> {
    let (name, file, text) = plan_of(typed)?;
    if typed.print_plan {
        terminal::data(text.trim_end());
        return Ok(0);
    }
    let results = &typed.places.dir;
    let newest = SweepManifest::list(results)?.into_iter().rev().find(|sweep| sweep.name == name);
    let earlier = match (newest, typed.resume) {
        (None, true) => {
            let dir = results.display();
            return Err(Error::usage(format!("--resume: there is no sweep {name} in {dir} to go on with")));
        }
        (Some(earlier), true) => Some(earlier),
        (Some(earlier), false) if earlier.ended_unix_ns.is_none() && !typed.force && !typed.dry_run => {
            return Err(Error::usage(format!(
                "the sweep {} in {} is not finished; go on with it by --resume, leave it and begin another by --force, \
                 or name another folder by --dir",
                earlier.id,
                results.display()
            )));
        }
        _ => None,
    };
    let overrides = Overrides {
        duration: typed.duration.clone().or_else(|| earlier.as_ref()?.duration.clone()),
        repeat: typed.repeat.or_else(|| Some(earlier.as_ref()?.repeat)),
        seed: typed.seed.or_else(|| Some(earlier.as_ref()?.seed)),
    };
    if let Some(duration) = &typed.duration {
        units::seconds_ms("--duration", duration)?;
    }
    if overrides.repeat == Some(0) {
        return Err(Error::usage("--repeat is 0; give the number of times that each run is made"));
    }
    let plan = SweepPlan::new(&file, &overrides)?;
    let mut manifest = match earlier {
        Some(earlier) => resume::merge(earlier, &plan, typed.force)?,
        None => SweepManifest { runs: numbered(&plan), ..SweepManifest::new(results, name, chrono::Utc::now()) },
    };
    manifest = SweepManifest {
        plan: text,
        seed: plan.seed,
        repeat: plan.repeat,
        duration: overrides.duration,
        reuse_cluster: typed.reuse_cluster || manifest.reuse_cluster,
        ended_unix_ns: None,
        ..manifest
    };
    if typed.dry_run {
        if typed.resume {
            manifest.find_attempts(results)?;
        }
        terminal::data(plan_table::table(&manifest.runs, BETWEEN_RUNS_MS));
        return Ok(0);
    }
    check_machine(typed, &manifest)?;
    let _lock = SweepLock::take(results)?;
    let mut course = Course {
        typed,
        manifest,
        tried: BTreeMap::new(),
        began: Instant::now(),
        began_unix_ns: clock::unix_ns(),
        made_ms: 0,
        made: 0,
    };
    course.refresh()?;
    course.ask_if_long()?;
    course.carry_out()
}

/// Checks before the first run what any of them needs.
fn check_machine(typed: &SweepCommand, manifest: &SweepManifest) -> Result<()> {
    let mut checked = Vec::new();
    for run in &manifest.runs {
        let mechanism = run.spec.fault.as_ref().map(|fault| fault.mechanism);
        if !checked.contains(&mechanism) {
            machine::check(&planned_run(typed, manifest, run))?;
            checked.push(mechanism);
        }
    }
    Ok(())
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
    Ok((Label::new(name)?, file, text))
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
    began: Instant,
    began_unix_ns: i64,
    /// Planned length of the runs that were made in this invocation, and their number.
    made_ms: u64,
    made: u64,
}

impl Course<'_> {
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
            let numbers: Vec<_> = batch.runs.iter().filter_map(|run| Some(run.place.as_ref()?.number)).collect();
            let code = supervisor.run(|| session::record_batch(&batch))?;
            let made = self.refresh_after(&numbers)?;
            for planned in &batch.runs[..made.min(batch.runs.len())] {
                self.made_ms += length_ms(&planned.spec);
                self.made += 1;
            }
            if supervisor.interrupted() || code == exit_code::INTERRUPTED {
                let left = self.manifest.runs.iter().filter(|run| run.finished().is_none()).count();
                return Err(Error::Interrupted(format!(
                    "the sweep was interrupted with {left} of {total} runs to make; go on with it by --resume"
                )));
            }
            if code == exit_code::ENVIRONMENT {
                return Ok(code);
            }
        }
        self.conclude()
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
        let left_s = self.left_s();
        let mut runs: Vec<PlannedRun> = Vec::new();
        let mut first: Option<SweepRun> = None;
        let pending: Vec<SweepRun> = self.pending().into_iter().cloned().collect();
        for run in pending {
            let shares = |first: &SweepRun| {
                let both_measure = (run.role == Role::Capacity) == (first.role == Role::Capacity);
                self.manifest.reuse_cluster && both_measure && run.spec.cluster == first.spec.cluster
            };
            if !first.as_ref().is_none_or(shares) {
                break;
            }
            match self.resolved(&run) {
                Ok(planned) => {
                    runs.push(planned);
                    first.get_or_insert(run);
                }
                Err(error) => {
                    self.tried.insert(run.number, error.to_string());
                }
            }
        }
        let first = first?;
        let at = self.manifest.runs.iter().position(|run| run.number == first.number).unwrap_or(0);
        let failed = self.manifest.runs.iter().filter(|run| run.finished().is_none() && self.was_tried(run)).count();
        let standing = Standing { number: at + 1, total: self.manifest.runs.len(), failed, left_s };
        Some(Batch { runs, standing: Some(standing) })
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
        let killed: Vec<_> = self.manifest.runs.iter().flat_map(|run| &run.attempts).collect();
        let killed: Vec<_> = killed.into_iter().filter(|attempt| attempt.status == Status::Running).collect();
        if !killed.is_empty() {
            for attempt in &killed {
                let recovery = run_folder::recover(&RunFolder::open(&results.join(&attempt.run))?)?;
                terminal::line(format_args!("{}: {}", attempt.run, recovery.reason));
            }
            self.manifest.find_attempts(&results)?;
        }
        Ok(self.manifest.write(&results)?)
    }

    /// Notes which runs of a batch were tried; returns their number.
    fn refresh_after(&mut self, numbers: &[usize]) -> Result<usize> {
        let attempts = |manifest: &SweepManifest, number: usize| {
            manifest.runs.iter().find(|run| run.number == number).map_or(0, |run| run.attempts.len())
        };
        let before: Vec<_> = numbers.iter().map(|&number| attempts(&self.manifest, number)).collect();
        self.refresh()?;
        let mut made = 0;
        for (&number, before) in numbers.iter().zip(before) {
            if attempts(&self.manifest, number) > before {
                self.tried.insert(number, String::new());
                made += 1;
                if !self.is_finished(number) {
                    // It ended the batch: those after it were not tried.
                    return Ok(made);
                }
            } else {
                // It ended before anything was recorded, and with it the batch.
                self.tried.insert(number, "nothing was recorded, see above".to_owned());
                return Ok(made);
            }
        }
        Ok(made)
    }

    /// Says how the sweep ended and returns the exit code.
    fn conclude(mut self) -> Result<u8> {
        self.manifest.ended_unix_ns = Some(clock::unix_ns());
        let results = self.results().to_path_buf();
        self.manifest.write(&results)?;
        let failed: Vec<_> = self.manifest.runs.iter().filter(|run| run.finished().is_none()).collect();
        let (total, took) = (self.manifest.runs.len(), units::in_words(self.began.elapsed().as_secs()));
        terminal::line(format_args!("{} of {total} runs are finished, in {took}", total - failed.len()));
        let mut gaps_ns = gaps::between_runs_ns(&self.manifest, &results, self.began_unix_ns);
        gaps_ns.sort_unstable();
        if let Some(longest_ns) = gaps_ns.last() {
            let (median_s, longest_s) = (gaps_ns[gaps_ns.len() / 2] as f64 / 1e9, *longest_ns as f64 / 1e9);
            terminal::line(format_args!("between two runs {median_s:.1} s went by, {longest_s:.1} s at most"));
        }
        for run in &failed {
            let (reason, folder) = match run.attempts.last() {
                Some(attempt) => (attempt.status.to_string(), attempt.run.as_str()),
                None => (self.tried.get(&run.number).cloned().unwrap_or_else(|| "not made".to_owned()), "no folder"),
            };
            terminal::line(format_args!("  {}: {reason} ({folder})", run.spec.label));
        }
        let dir = results.display();
        if failed.is_empty() {
            terminal::line(format_args!("next: analyze delta --dir {dir}, analyze plot --kind delta --dir {dir}"));
        } else {
            terminal::line("--resume tries what failed again");
        }
        terminal::data(self.manifest.path(&results).display());
        Ok(if failed.is_empty() { 0 } else { exit_code::RUN_FAILED })
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
