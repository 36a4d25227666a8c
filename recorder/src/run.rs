//! A run: cluster up, warm-up, workload beside faults and samplers, cluster down. The whole course is on this page.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use run_folder::manifest::{Clock, Generator, Leaders, Manifest, Member, Rows, Status};
use run_folder::spec::{Attachment, Scope, Target};
use run_folder::{FORMAT_VERSION, RunFolder, RunSpec, older_files};
use tokio::sync::watch;

use crate::clock::{self, RunClock};
use crate::cluster::{Cluster, etcd};
use crate::error::{Error, Result};
use crate::faults::probe::Probes;
use crate::faults::timeline::{self, Injected, Over};
use crate::faults::{Mechanism, target};
use crate::host;
use crate::plan::PlannedRun;
use crate::progress::{PhaseCell, Progress};
use crate::recording::live::Live;
use crate::recording::samplers::Samplers;
use crate::recording::{Finished, Recording};
use crate::terminal;
use crate::workload::Workload;
use crate::workload::route::Route;

/// Time between the start of the clock and the first operation, for everything to be set up.
const LEAD: Duration = Duration::from_millis(100);
/// How often the members' processes are looked at.
const PROCESS_POLL: Duration = Duration::from_millis(100);
/// Folder beside the run folders that holds members' data while runs last.
const DATA_FOLDER: &str = ".data";

/// The first signal that came, if one has.
pub type Signals = watch::Receiver<Option<&'static str>>;

/// Runs one planned run and leaves its folder. Must be called inside the sandbox.
///
/// # Errors
/// [`Error::Run`] when the run failed; its folder says why. Before anything was recorded the folder is removed.
pub async fn run(planned: &PlannedRun, program: &etcd::Program, signals: Signals) -> Result<RunFolder> {
    let spec = &planned.spec;
    let folder = RunFolder::create(&planned.results, &spec.label, chrono::Utc::now())?;
    // First of all: its lock tells `recorder recover` that this run is alive.
    let recording = Recording::start(&folder)?;
    let mut manifest = manifest_of(planned);
    manifest.write(&folder.manifest_json())?;
    folder.reserve_space()?;

    let data = data_folder(planned).join(folder.name());
    let cluster = tokio::select! {
        cluster = Cluster::up(program, spec.cluster.nodes, &data, client_threads()) => cluster,
        signal = first_signal(signals.clone()) => Err(Error::Interrupted(format!("interrupted by {signal}"))),
    };
    let cluster = match cluster {
        Ok(cluster) => cluster,
        Err(error) => {
            remove_unused(&folder);
            return Err(error);
        }
    };
    describe_cluster(&mut manifest, &cluster);

    let mut finished = None;
    let course = record(spec, &cluster, recording, &folder, &mut manifest, &mut finished, signals).await;
    manifest.leaders.end = cluster.leader().await.ok().flatten();
    drop(cluster);
    close(&folder, manifest, finished, course)?;
    Ok(folder)
}

/// From the first row to the last one.
async fn record(
    spec: &RunSpec,
    cluster: &Cluster,
    recording: Recording,
    folder: &RunFolder,
    manifest: &mut Manifest,
    finished: &mut Option<Finished>,
    signals: Signals,
) -> Result<()> {
    let clock = RunClock::starting_in(LEAD + Duration::from_millis(spec.workload.warm_up_ms));
    manifest.clock.origin_unix_ns = clock.origin_unix_ns();
    let names: Vec<_> = cluster.members.iter().map(|member| member.name.clone()).collect();
    let leader = cluster.leader().await?.ok_or_else(|| Error::run("the cluster lost its leader before the start"))?;
    manifest.leaders.start = Some(leader);
    let fault_target = spec.fault.as_ref().map_or(&Target::Follower, |fault| &fault.target);
    let first_target = target::resolve(fault_target, &names, leader)[0];
    let route = Arc::new(Route::resolve(&spec.workload.attachment, &names, leader, first_target)?);
    manifest.write(&folder.manifest_json())?;

    let (stop, stopped) = watch::channel(false);
    let (end_workload, workload_ended) = watch::channel(false);
    let scope = spec.fault.as_ref().map_or(Scope::All, |fault| fault.scope);
    let usage_at_start = Usage::now();
    let probes = Probes::start(cluster, scope, clock, &recording.notes());
    let samplers = Samplers::start(cluster, clock, &recording.notes(), &recording.live());
    let operations = recording.operations();
    let workload = Arc::new(
        Workload::new(&spec.workload, spec.seed, clock, cluster, route.clone(), operations, stopped.clone()).await?,
    );
    let phase = PhaseCell::default();
    let progress = Progress::start(spec, clock, recording.live(), phase.clone());

    let (trouble, (end_ns, injected)) = {
        let load = async {
            let end_ns = workload.carry_out(cluster).await;
            end_workload.send_replace(true);
            end_ns
        };
        let fault = async {
            let Some(fault) = &spec.fault else { return Ok(Injected::default()) };
            let context = timeline::Context {
                cluster,
                clock,
                sink: recording.notes(),
                route: &route,
                route_follows_target: spec.workload.attachment == Attachment::Target,
                probes: &probes,
                phase: &phase,
                seed: spec.seed,
                workload_end_ns: spec.workload.duration_ms.map(clock::ms_to_ns),
            };
            let over = Over { workload_ended: workload_ended.clone(), stopped: stopped.clone() };
            let injected = timeline::carry_out(fault, &context, over).await;
            if injected.is_err() {
                stop.send_replace(true);
            }
            injected
        };
        let course = async { tokio::join!(load, fault) };
        tokio::pin!(course);
        tokio::select! {
            ended = &mut course => (None, ended),
            trouble = first_trouble(cluster, recording.failure(), signals) => {
                stop.send_replace(true);
                (Some(trouble), course.await)
            }
        }
    };

    drop((progress, samplers, probes));
    let live = recording.live();
    manifest.warnings.extend(recording.error_examples().iter().map(|error| format!("an unclassified error: {error}")));
    manifest.clock.workload_end_ns = *end_ns.as_ref().unwrap_or(&clock.now_ns());
    manifest.clock.ended_unix_ns = clock::unix_ns();
    if let Ok(injected) = &injected {
        manifest.fault_targets.clone_from(&injected.targets);
        manifest.leaders.injection = injected.leader;
        manifest.warnings.extend_from_slice(&injected.warnings);
    }
    let ended = finished.insert(recording.finish());
    manifest.rows = ended.rows.as_ref().copied().unwrap_or_default();
    usage_at_start.describe(manifest, live.live());
    // What ended the run comes first: the other errors follow from it.
    trouble.map_or(Ok(()), Err)?;
    injected?;
    end_ns?;
    match ended.lost {
        0 => Ok(()),
        lost => Err(Error::run(format!("{lost} rows were lost because the disk could not keep up"))),
    }
}

/// Waits for whatever makes the run pointless or unwanted.
async fn first_trouble(
    cluster: &Cluster,
    mut recording_failure: watch::Receiver<Option<String>>,
    signals: Signals,
) -> Error {
    let processes = async {
        loop {
            tokio::time::sleep(PROCESS_POLL).await;
            if let Err(error) = cluster.check_processes() {
                return error;
            }
        }
    };
    let recording = async {
        match recording_failure.wait_for(Option::is_some).await {
            Ok(failure) => Error::run(failure.clone().unwrap_or_default()),
            // The writer is done without a failure.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        error = processes => error,
        error = recording => error,
        signal = first_signal(signals) => Error::Interrupted(format!("interrupted by {signal}")),
    }
}

async fn first_signal(mut signals: Signals) -> &'static str {
    match signals.wait_for(Option::is_some).await {
        Ok(signal) => signal.unwrap_or("a signal"),
        Err(_) => std::future::pending().await,
    }
}

/// Brings the folder into its final state: whole tables and the older files, or journals to recover from.
fn close(folder: &RunFolder, mut manifest: Manifest, finished: Option<Finished>, course: Result<()>) -> Result<()> {
    let (rows, _lock) = match finished {
        Some(Finished { rows, lock, .. }) => (rows, Some(lock)),
        None => (Err(Error::run("the recording never began")), None),
    };
    folder.release_reserve()?;
    let tables_whole = rows.is_ok();
    // What ended the run comes first: a table that is not whole may follow from it.
    let mut fate = course.and(rows.map(drop));
    manifest.status = status_of(&fate);
    if tables_whole && let Err(error) = older_files::write(folder, &manifest) {
        fate = fate.and(Err(error.into()));
        manifest.status = status_of(&fate);
    }
    manifest.write(&folder.manifest_json())?;
    if tables_whole {
        folder.remove_journals()?;
    } else {
        terminal::line(format_args!(
            "what was recorded is brought back by: recorder recover {}",
            folder.dir().display()
        ));
    }
    fate
}

fn status_of(fate: &Result<()>) -> Status {
    match fate {
        Ok(()) => Status::Finished,
        Err(error) => Status::Failed { reason: error.to_string(), recovered: false },
    }
}

/// Removes the folder of a run that never began.
fn remove_unused(folder: &RunFolder) {
    if let Err(error) = std::fs::remove_dir_all(folder.dir()) {
        terminal::line(format_args!("{}: cannot be removed: {error}", folder.dir().display()));
    }
}

fn client_threads() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

fn manifest_of(planned: &PlannedRun) -> Manifest {
    Manifest {
        format_version: FORMAT_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").into(),
        command: planned.command.into(),
        spec: planned.spec.clone(),
        status: Status::Running,
        clock: Clock::default(),
        cluster: run_folder::manifest::Cluster::default(),
        leaders: Leaders::default(),
        fault_targets: Vec::new(),
        host: host::facts(),
        generator: None,
        rows: Rows::default(),
        warnings: Vec::new(),
    }
}

fn describe_cluster(manifest: &mut Manifest, cluster: &Cluster) {
    manifest.cluster = run_folder::manifest::Cluster {
        backend: "sandbox".into(),
        etcd_version: cluster.version.clone(),
        members: cluster
            .members
            .iter()
            .map(|member| Member {
                name: member.name.clone(),
                id: format!("{:x}", member.id),
                client_url: member.client_url(),
                peer_url: format!("http://{}", member.peer_address()),
            })
            .collect(),
        flags: cluster.flags.clone(),
        data_file_system: cluster.data_file_system.clone(),
    };
    if cluster.data_file_system == "tmpfs" {
        manifest.warnings.push("the members' data lie on a tmpfs, where fsync costs nothing".into());
    }
}

/// What the recorder and the host had used at a moment.
struct Usage {
    cpu_ns: u64,
    ticks: (u64, u64),
}

impl Usage {
    fn now() -> Self {
        Self { cpu_ns: host::own_usage().0, ticks: host::cpu_ticks() }
    }

    /// Puts what was used since into the manifest.
    fn describe(&self, manifest: &mut Manifest, live: &Live) {
        let now = Self::now();
        let total_ticks = now.ticks.1.saturating_sub(self.ticks.1).max(1);
        manifest.host.steal_percent = now.ticks.0.saturating_sub(self.ticks.0) as f64 * 100.0 / total_ticks as f64;
        manifest.host.load_average[1] = host::load_average();
        let (lag, counts) = (live.lag(), live.counts());
        let workload_s = manifest.clock.workload_end_ns.max(1) as f64 / 1e9;
        manifest.generator = Some(Generator {
            lag_p50_us: lag.p50_us,
            lag_p99_us: lag.p99_us,
            lag_max_us: lag.max_us,
            cpu_us_per_operation: (now.cpu_ns - self.cpu_ns) as f64 / 1000.0 / manifest.rows.operations.max(1) as f64,
            achieved_rate_per_s: counts.ok as f64 / workload_s,
        });
    }
}

/// Checks what the run needs of this machine before anything is started.
///
/// # Errors
/// [`Error::Environment`] with what to install, [`Error::Usage`] for a place that cannot be used.
pub fn check_machine(planned: &PlannedRun) -> Result<etcd::Program> {
    let program = etcd::Program::find(planned.etcd.as_deref(), planned.etcd_version.as_deref())?;
    if crate::programs::find("ip").is_none() {
        return Err(Error::environment("no `ip` on PATH, which the sandbox needs; install it (apt install iproute2)"));
    }
    if let Some(fault) = &planned.spec.fault {
        Mechanism::choose(fault.mechanism)?;
    }
    // Made now, so that an unwritable place is an error before anything starts, and to resolve links.
    std::fs::create_dir_all(&planned.results)
        .map_err(run_folder::Error::io(&planned.results, "cannot make the results folder (--dir)"))?;
    for (option, place) in [("--dir", Some(&planned.results)), ("--data-dir", planned.data_dir.as_ref())] {
        let resolved = place.and_then(|place| place.canonicalize().ok());
        if resolved.is_some_and(|place| place.starts_with("/run")) {
            return Err(Error::usage(format!(
                "{option} lies below /run, which the sandbox replaces; choose another place"
            )));
        }
    }
    Ok(program)
}

/// Folder in which a planned run keeps members' data.
pub fn data_folder(planned: &PlannedRun) -> PathBuf {
    planned.data_dir.clone().unwrap_or_else(|| planned.results.join(DATA_FOLDER))
}
