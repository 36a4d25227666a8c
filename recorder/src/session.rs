//! One invocation of a recording command: from the plan, through the sandbox, to the exit code.

use std::time::Duration;

use run_folder::RunFolder;
use run_folder::manifest::Status;
use run_folder::spec::{Load, RunSpec, WorkloadSpec};

use crate::apart::{self, Supervisor};
use crate::cli::Places;
use crate::cluster::choice::Choice;
use crate::cluster::{self, Cluster, sandbox};
use crate::error::{Error, Result, exit_code};
use crate::machine::Members;
use crate::plan::{PlannedRun, sweep::capacity_run};
use crate::progress::Standing;
use crate::workload::leftovers::{self, Left};
use crate::{machine, report, run, signals, terminal};

/// How long the removal of keys may go on once a signal has asked for the end.
const INTERRUPTED_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a removal of keys takes before people are told what they wait for.
const REMOVAL_SAID_AFTER: Duration = Duration::from_secs(1);

/// Runs that are made in one sandbox, one after the other; several share a cluster.
#[derive(Debug)]
pub struct Batch {
    /// The runs, and what is told of them.
    pub runs: Vec<(PlannedRun, Told)>,
}

/// What people are told of a run.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    /// Everything, the folder on standard output: it is what was asked for.
    All,
    /// A line, with where its sweep stands.
    OfSweep(Standing),
    /// A line: it was made for the sake of another run.
    Aside,
    /// Nothing: what all runs of a benchmark show is said together.
    OfBench,
}

impl Told {
    fn standing(self) -> Option<Standing> {
        match self {
            Self::OfSweep(standing) => Some(standing),
            Self::All | Self::Aside | Self::OfBench => None,
        }
    }
}

/// Records a planned run and returns the exit code. Must be called while the process has a single thread.
///
/// # Errors
/// What can be said before the sandbox is entered; later errors are printed inside.
pub fn record(planned: &PlannedRun, places: &Places) -> Result<u8> {
    let mut planned = planned.clone();
    Choice::make(places)?.apply(std::iter::once(&mut planned.spec))?;
    let planned = if planned.lacks_capacity() { with_capacity(&planned)? } else { planned };
    record_batch(&Batch { runs: vec![(planned, Told::All)] })
}

/// Records a batch and returns the exit code: that of the first run that did not finish, which ends the batch.
///
/// # Errors
/// As [`record`].
pub fn record_batch(batch: &Batch) -> Result<u8> {
    let Some((first, _)) = batch.runs.first() else { return Ok(0) };
    record_batch_on(&machine::check(first)?, batch)
}

/// Records a batch on these members and returns the exit code, as [`record_batch`] does. Must be called while the process has a
/// single thread.
///
/// # Errors
/// What can be said before the cluster's place is entered; later errors are printed inside.
pub fn record_batch_on(members: &Members, batch: &Batch) -> Result<u8> {
    let Some((first, _)) = batch.runs.first() else { return Ok(0) };
    cluster::data::remove_stale(&first.data_folder());
    let said = |ended: Result<()>| match ended {
        Ok(()) => 0,
        Err(error) => {
            terminal::error(&error);
            error.code()
        }
    };
    let inside = || said(record_inside(batch, members));
    let code = match members {
        Members::Program(_) => sandbox::run_inside(inside),
        Members::Containers => apart::run_here(inside),
        Members::Endpoints(addressed) => {
            apart::run_here(|| said(addressed.enter().and_then(|()| record_inside(batch, members))))
        }
    };
    // A sandbox that was ended at once has not cleared up; nothing in it holds the data any more.
    cluster::data::remove_stale(&first.data_folder());
    code
}

/// The part that runs on a runtime of one thread: as pid 1 of the sandbox in the router's namespace, or beside containers.
fn record_inside(batch: &Batch, members: &Members) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::environment(format!("the runtime cannot be started: {error}")))?;
    runtime.block_on(async {
        let signals = signals::install()?;
        let mut kept = None;
        let begun = tokio::select! {
            () = remove_earlier_keys(batch, members) => Ok(()),
            signal = run::first_signal(signals.clone()) => Err(Error::Interrupted(format!("interrupted by {signal}"))),
        };
        let recorded = match begun {
            Ok(()) => record_each(batch, members, &signals, &mut kept).await,
            Err(interrupted) => Err(interrupted),
        };
        if let Some(cluster) = kept {
            run::end_cluster(cluster).await;
        }
        remove_own_keys(batch, members, signals, &recorded).await;
        recorded
    })
}

/// Removes the keys that a killed recorder has left.
async fn remove_earlier_keys(batch: &Batch, members: &Members) {
    match remove_keys(batch, members).await {
        // That nobody serves is said by the run.
        Ok(()) | Err(Left::Unserved(_)) => {}
        Err(Left::Unremoved(problem)) => terminal::line(format_args!(
            "warning: keys that an earlier benchmark left are still in the cluster ({problem}), and may be found by this one"
        )),
    }
}

/// Removes the keys of the batch, however it ended; who wants an end waits a little for it.
async fn remove_own_keys(batch: &Batch, members: &Members, signals: run::Signals, recorded: &Result<()>) {
    let impatience = async {
        run::first_signal(signals).await;
        tokio::time::sleep(INTERRUPTED_TIMEOUT).await;
    };
    let removed = tokio::select! {
        removed = remove_keys(batch, members) => removed,
        () = impatience => Err(Left::Unremoved(format!("not done within {} s", INTERRUPTED_TIMEOUT.as_secs()))),
    };
    match (recorded, removed) {
        // Nobody served, so nothing was written.
        (_, Ok(())) | (Err(Error::Environment(_)), Err(Left::Unserved(_))) => {}
        (_, Err(problem)) => {
            let prefix = key_prefix(batch);
            terminal::line(format_args!(
                "warning: keys that begin with {prefix} may be left in the cluster ({problem}); the next benchmark there removes \
                 them, and so does `etcdctl del --prefix {prefix}`"
            ));
        }
    }
}

/// Removes the batch's keys from members that are somebody else's, and says so when it takes its time.
async fn remove_keys(batch: &Batch, members: &Members) -> std::result::Result<(), Left> {
    let (Members::Endpoints(addressed), prefix) = (members, key_prefix(batch)) else { return Ok(()) };
    if prefix.is_empty() {
        return Ok(());
    }
    let mut removed = std::pin::pin!(leftovers::remove(&addressed.endpoints, prefix));
    let removed = tokio::select! {
        removed = &mut removed => removed,
        () = tokio::time::sleep(REMOVAL_SAID_AFTER) => {
            terminal::line("removing the benchmark's keys");
            removed.await
        }
    };
    removed.map(|_| ())
}

/// What the keys of the batch begin with.
fn key_prefix(batch: &Batch) -> &str {
    batch.runs.first().map_or("", |(first, _)| &first.spec.workload.key_prefix)
}

async fn record_each(
    batch: &Batch,
    members: &Members,
    signals: &run::Signals,
    kept: &mut Option<Cluster>,
) -> Result<()> {
    for (at, (planned, told)) in batch.runs.iter().enumerate() {
        let keeps_cluster = at + 1 < batch.runs.len();
        let setting = run::Setting { members, signals: signals.clone(), standing: told.standing(), keeps_cluster };
        let announced = told.standing().map(|standing| standing.announce(&planned.spec.label));
        if announced.is_none() {
            terminal::line(report::in_words(&planned.spec, members.version()));
        }
        let made = run::run(planned, &setting, kept).await;
        drop(announced);
        let folder = made.map_err(|error| in_sweep(error, planned, told.standing()))?;
        match told {
            Told::All => report::run(&folder)?,
            Told::OfSweep(standing) => report::run_of_sweep(&folder, *standing)?,
            Told::Aside => report::run_aside(&folder)?,
            Told::OfBench => {}
        }
    }
    Ok(())
}

/// Among many runs, an error says which one it ended.
fn in_sweep(error: Error, planned: &PlannedRun, standing: Option<Standing>) -> Error {
    match (error, standing) {
        (Error::Run(problem), Some(standing)) => {
            Error::Run(format!("{} {}: failed: {problem}", standing.numbered(), planned.spec.label))
        }
        (error, _) => error,
    }
}

/// Measures the capacity that a run's rate is a share of, in a recorded run of its own.
fn with_capacity(planned: &PlannedRun) -> Result<PlannedRun> {
    let measuring = PlannedRun { spec: capacity_run(&planned.spec), reproduces: None, ..planned.clone() };
    let known = folders_of(&measuring);
    let code = Supervisor::new()?.run(|| record_batch(&Batch { runs: vec![(measuring.clone(), Told::Aside)] }))?;
    let measured = folders_of(&measuring).into_iter().find(|folder| code == 0 && !known.contains(folder));
    let Some(measured) = measured else {
        let message = "the capacity that --load is a share of could not be measured; see above, or give a --rate";
        return Err(if code == exit_code::INTERRUPTED {
            Error::Interrupted(message.into())
        } else {
            Error::run(message)
        });
    };
    Ok(PlannedRun { spec: at_load(&planned.spec, &measured)?, ..planned.clone() })
}

fn folders_of(planned: &PlannedRun) -> Vec<RunFolder> {
    let mut folders = RunFolder::list(&planned.results).unwrap_or_default();
    folders.retain(|folder| *folder.label() == planned.spec.label);
    folders
}

/// The spec with the rate that its load means, by the run that measured the capacity.
///
/// # Errors
/// When the capacity run is not finished or acknowledged nothing.
pub fn at_load(spec: &RunSpec, capacity: &RunFolder) -> Result<RunSpec> {
    let manifest = capacity.manifest()?;
    let capacity_per_s = manifest.generator.as_ref().map_or(0.0, |generator| generator.achieved_rate_per_s);
    if manifest.status != Status::Finished || capacity_per_s <= 0.0 {
        return Err(Error::run(format!("{}: this run was to measure the capacity, and did not", capacity.name())));
    }
    let load = spec.workload.load.clone().map(|load| Load { capacity_per_s, capacity_run: capacity.name(), ..load });
    let rate_per_s = load.as_ref().map(|load| load.percent / 100.0 * load.capacity_per_s);
    let due = rate_per_s.unwrap_or(0.0) * spec.workload.duration_ms.unwrap_or(0) as f64 / 1000.0;
    if due < 1.0 {
        return Err(Error::run(format!(
            "--load: of the {capacity_per_s:.0} operations a second that the cluster can do, this is none in the run's time"
        )));
    }
    Ok(RunSpec { workload: WorkloadSpec { load, rate_per_s, ..spec.workload.clone() }, ..spec.clone() })
}
