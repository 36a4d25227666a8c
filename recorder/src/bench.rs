//! `recorder bench`: puts, gets and transactions on one cluster, each an ordinary run; what they show is computed from their
//! rows, like everything that is said of runs.

mod ground;
mod hdr;
mod ranges;
mod report;
mod results;
mod scratch;
mod table;

use std::collections::BTreeSet;

use nix::sys::signal::{SigmaskHow, pthread_sigmask};
use run_folder::RunFolder;

use self::report::Report;
use self::results::Measured;
use self::scratch::Scratch;
use crate::cli::Places;
use crate::cli::bench::BenchCommand;
use crate::error::{Error, Result};
use crate::machine::Members;
use crate::plan::PlannedRun;
use crate::plan::bench::BenchKind;
use crate::session::{self, Batch, Told};
use crate::{machine, plan, signals, terminal};

/// Measures and returns the exit code. Must be called while the process has a single thread.
///
/// # Errors
/// What keeps it from measuring, or from saying what was measured.
pub fn record(typed: &BenchCommand) -> Result<u8> {
    let mut specs = plan::bench::bench(typed)?;
    // Before the runs: after them it would be a pity.
    typed.hdr.as_ref().map_or(Ok(()), |file| hdr::check(file))?;
    // Looking for an engine may make it.
    let was_there = typed.dir.exists();
    let chosen = ground::choose(typed, &mut specs)?;
    // From here on there is something to remove in the end.
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&signals::handled()), None)
        .map_err(|errno| Error::environment(format!("signals cannot be blocked: {errno}")))?;
    let scratch = if typed.record { None } else { Some(Scratch::create(&typed.dir, was_there)?) };
    let places = Places {
        dir: scratch.as_ref().map_or_else(|| typed.dir.clone(), |scratch| scratch.path().to_owned()),
        // Where any recorder finds it, when this one is killed.
        data_dir: Some(typed.data_dir.clone().unwrap_or_else(|| typed.dir.clone())),
        ..chosen.places
    };
    let planned = |spec| PlannedRun { passing: !typed.record, ..PlannedRun::new("bench", spec, &places) };
    let runs: Vec<_> = specs.into_iter().map(planned).collect();
    let members = match chosen.up {
        Some(addressed) => {
            machine::places(&runs[0])?;
            Members::Endpoints(addressed)
        }
        None => machine::check(&runs[0])?,
    };
    let known = names_in(&runs[0]);
    let batch = Batch { runs: runs.iter().map(|run| (run.clone(), Told::OfBench)).collect() };
    let code = session::record_batch_on(&members, &batch)?;
    if code != 0 {
        return Ok(code);
    }
    let [put, get, transaction] = [0, 1, 2].map(|at| Measured::of(BenchKind::ALL[at], &folder_of(&runs[at], &known)?));
    let measured = [put?, get?, transaction?];
    let report = Report::new(&measured, chosen.notes, typed.record);
    say(&report, typed.json);
    if let Some(file) = &typed.hdr {
        hdr::write(file, &measured)?;
    }
    report.check()?;
    Ok(0)
}

/// Results go to standard output, warnings to standard error.
fn say(report: &Report, as_json: bool) {
    if as_json {
        terminal::data(serde_json::to_string_pretty(report).expect("a report has only string keys"));
    } else {
        terminal::data(table::of(report));
    }
    for warning in &report.warnings {
        terminal::line(format_args!("warning: {warning}"));
    }
}

/// Names of the run folders that are there.
fn names_in(planned: &PlannedRun) -> BTreeSet<String> {
    RunFolder::list(&planned.results).unwrap_or_default().iter().map(RunFolder::name).collect()
}

/// The folder that a run has made: what tells it from those of others is that its spec has the same seed.
fn folder_of(planned: &PlannedRun, known: &BTreeSet<String>) -> Result<RunFolder> {
    let made = RunFolder::list(&planned.results)?.into_iter().find(|folder| {
        !known.contains(&folder.name())
            && *folder.label() == planned.spec.label
            && folder.manifest().is_ok_and(|manifest| manifest.spec == planned.spec)
    });
    made.ok_or_else(|| {
        let (label, results) = (&planned.spec.label, planned.results.display());
        Error::run(format!(
            "{results}: the folder of {label} is gone; leave the results folder alone while it is written"
        ))
    })
}
