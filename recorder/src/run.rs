//! A run: cluster up, warm-up, workload beside fault and samplers, cluster down. The whole course is on this page.

use std::sync::Arc;
use std::time::Duration;

use run_folder::manifest::{Manifest, Status, Store};
use run_folder::spec::{Attachment, RunSpec, Scope, Target};
use run_folder::{RunFolder, older_files};
use tokio::sync::watch;

use crate::clock::{self, RunClock, ms_to_ns};
use crate::clock_watch::ClockWatch;
use crate::cluster::Cluster;
use crate::cluster::containers::{self, Containers, Wanted};
use crate::cluster::room::Room;
use crate::describe::{self, Usage};
use crate::error::{Error, Result};
use crate::faults::probe::Probes;
use crate::faults::target;
use crate::faults::timeline::{self, Injected, LEAD_NS, Over, Ready};
use crate::machine::Members;
use crate::plan::PlannedRun;
use crate::plan::bench::bytes_to_write;
use crate::progress::{PhaseCell, Progress, Standing};
use crate::recording::samplers::Samplers;
use crate::recording::{Finished, Recording};
use crate::terminal;
use crate::workload::route::Route;
use crate::workload::{Workload, final_state};

/// Time between the start of the clock and the first operation, for everything to be set up.
const LEAD: Duration = Duration::from_millis(100);
/// How often the members' processes are looked at.
const PROCESS_POLL: Duration = Duration::from_millis(100);

/// The first signal that came, if one has.
pub type Signals = watch::Receiver<Option<&'static str>>;

/// What a run finds around it.
#[derive(Debug)]
pub struct Setting<'a> {
    /// Where members come from.
    pub members: &'a Members,
    /// Changes when the run is to end early.
    pub signals: Signals,
    /// Where the sweep stands that the run belongs to.
    pub standing: Option<Standing>,
    /// Whether the cluster stays up for another run.
    pub keeps_cluster: bool,
}

/// Runs one planned run on the cluster that was kept, or on a fresh one, and leaves its folder. Must be called inside
/// the sandbox.
///
/// # Errors
/// [`Error::Run`] when the run failed; its folder says why. Before anything was recorded the folder is removed, unless a
/// sweep will be asked what became of the run.
pub async fn run(planned: &PlannedRun, setting: &Setting<'_>, kept: &mut Option<Cluster>) -> Result<RunFolder> {
    let folder = RunFolder::create(&planned.results, &planned.spec.label, chrono::Utc::now())?;
    let (recording, mut manifest) = match begin(planned, &folder) {
        Ok(begun) => begun,
        Err(error) => return Err(leave_nothing(&folder, error)?),
    };
    let started = tokio::select! {
        started = start_ready(planned, setting.members, kept.take(), &folder) => started,
        signal = first_signal(setting.signals.clone()) => Err(Error::Interrupted(format!("interrupted by {signal}"))),
    };
    if let (Err(_), Members::Containers) = (&started, setting.members) {
        // What was made until then. The engine may be what went away; the next recorder clears what is left.
        containers::abandon().await.unwrap_or_else(|error| terminal::line(format_args!("warning: {error}")));
    }
    let (cluster, ready) = match started {
        Ok(started) => started,
        Err(error @ Error::Run(_)) if planned.place.is_some() => {
            return close(planned, &folder, manifest, recording.finish(), Err(error)).map(|()| folder);
        }
        Err(error) => {
            drop(recording);
            return Err(leave_nothing(&folder, error)?);
        }
    };
    describe::cluster(&mut manifest, &cluster);
    let course = carry_out(&planned.spec, &cluster, ready, &folder, &recording, &mut manifest, setting).await;
    let finished = recording.finish();
    record_final_state(&planned.spec, &cluster, &folder, &mut manifest, setting.signals.clone()).await;
    manifest.leaders.end = cluster.leader().await.ok().flatten();
    // One whose run went wrong may be why it did.
    if setting.keeps_cluster && course.is_ok() {
        *kept = Some(cluster);
    } else {
        manifest.warnings.extend(end_cluster(cluster).await);
    }
    close(planned, &folder, manifest, finished, course)?;
    Ok(folder)
}

/// Reads what the workload left in the store, if it began; whoever interrupts a run does not wait for that.
async fn record_final_state(
    spec: &RunSpec,
    cluster: &Cluster,
    folder: &RunFolder,
    manifest: &mut Manifest,
    signals: Signals,
) {
    let Some(store) = &mut manifest.store else { return };
    let interrupted = tokio::select! {
        biased;
        signal = first_signal(signals) => Some(signal),
        () = final_state::record(spec, cluster, folder, store) => None,
    };
    if let Some(signal) = interrupted {
        store.problem = Some(format!("interrupted by {signal}"));
    }
}

/// Opens the folder's tables and its manifest.
fn begin(planned: &PlannedRun, folder: &RunFolder) -> Result<(Recording, Manifest)> {
    // First of all: its lock tells `recorder recover` that this run is alive.
    let recording = Recording::start(folder)?;
    let manifest = describe::manifest(planned);
    manifest.write(&folder.manifest_json())?;
    folder.reserve_space()?;
    Ok((recording, manifest))
}

/// Removes the folder of a run in which nothing was recorded, and passes the error on.
fn leave_nothing(folder: &RunFolder, error: Error) -> Result<Error> {
    std::fs::remove_dir_all(folder.dir()).map_err(run_folder::Error::io(folder.dir(), "cannot remove"))?;
    Ok(error)
}

/// The cluster, and what will hold the fault.
async fn start_ready(
    planned: &PlannedRun,
    members: &Members,
    kept: Option<Cluster>,
    folder: &RunFolder,
) -> Result<(Cluster, Option<Ready>)> {
    let cluster = start(planned, members, kept, folder).await?;
    let Some(fault) = &planned.spec.fault else { return Ok((cluster, None)) };
    match Ready::make(fault, &cluster, &planned.spec.workload.client_at).await {
        Ok(ready) => Ok((cluster, Some(ready))),
        Err(error) => {
            end_cluster(cluster).await;
            Err(error)
        }
    }
}

/// The cluster: the one that was kept, or a fresh one.
async fn start(planned: &PlannedRun, members: &Members, kept: Option<Cluster>, folder: &RunFolder) -> Result<Cluster> {
    let (nodes, client) = (planned.spec.cluster.nodes, &planned.spec.workload.client_at);
    match kept {
        Some(mut cluster) => {
            cluster.served_runs += 1;
            cluster.wait_until_ready().await?;
            Ok(cluster)
        }
        None => {
            let data = planned.data_folder().join(folder.name());
            match members {
                Members::Program(program) => {
                    let mut cluster = Cluster::up(program, nodes, &data, client_threads()).await?;
                    cluster.place_clients(client, client_threads())?;
                    Ok(cluster)
                }
                Members::Endpoints(addressed) => {
                    let cluster = Cluster::of_endpoints(&addressed.endpoints, client_threads()).await?;
                    Room::of(&cluster).await?.check(bytes_to_write(&planned.spec.workload)).await?;
                    check_version(cluster, planned.etcd_version.as_deref()).await
                }
                Members::Containers => {
                    let image = planned.image.as_deref();
                    let containers = Containers::take(&Wanted { nodes, client, image, folder: &data }).await?;
                    let cluster = Cluster::of_containers(containers, client, client_threads()).await?;
                    check_version(cluster, planned.etcd_version.as_deref()).await
                }
            }
        }
    }
}

/// Members that somebody else starts say their version only when they run.
async fn check_version(cluster: Cluster, asked: Option<&str>) -> Result<Cluster> {
    match asked {
        Some(asked) if asked.trim_start_matches('v') != cluster.version => {
            let error = Error::environment(format!(
                "the members run etcd {}, but --etcd-version or $ETCD_VERSION asks for {asked}; {}",
                cluster.version,
                match cluster.is_containers() {
                    true => "name an image of that version with --image",
                    false => "leave the version out, or name members that run it",
                }
            ));
            end_cluster(cluster).await;
            Err(error)
        }
        _ => Ok(cluster),
    }
}

/// Ends a cluster, and says what of that went wrong.
pub async fn end_cluster(cluster: Cluster) -> Vec<String> {
    let problems = cluster.end().await;
    for problem in &problems {
        terminal::line(format_args!("warning: {problem}"));
    }
    problems
}

/// From the first operation to the last one.
async fn carry_out(
    spec: &RunSpec,
    cluster: &Cluster,
    mut ready: Option<Ready>,
    folder: &RunFolder,
    recording: &Recording,
    manifest: &mut Manifest,
    setting: &Setting<'_>,
) -> Result<()> {
    let leader = leader_at_start(cluster).await?;
    let route = Arc::new(route(spec, cluster, leader.unwrap_or(0)));
    // One that is not waited for any more ends with the cluster's clients.
    let workload = tokio::select! {
        prepared = Workload::prepare(spec, cluster, route.clone(), recording.operations()) => prepared?,
        signal = first_signal(setting.signals.clone()) => {
            return Err(Error::Interrupted(format!("interrupted by {signal}")));
        }
    };
    manifest.warnings.extend_from_slice(workload.notes());
    let revision_before = tokio::select! {
        revision = final_state::revision(spec, cluster) => revision?,
        signal = first_signal(setting.signals.clone()) => {
            return Err(Error::Interrupted(format!("interrupted by {signal}")));
        }
    };
    manifest.store = Some(Store { revision_before, ..Store::default() });
    let clock = RunClock::starting_in(lead(spec));
    manifest.leaders.start = leader;
    manifest.clock.origin_unix_ns = clock.origin_unix_ns();
    manifest.write(&folder.manifest_json())?;

    let (stop, stopped) = watch::channel(false);
    let (end_workload, workload_ended) = watch::channel(false);
    let scope = spec.fault.as_ref().map_or(Scope::All, |fault| fault.scope);
    let usage_at_start = Usage::now();
    let probes = Probes::start(cluster, scope, clock, &recording.notes());
    let samplers = Samplers::start(cluster, clock, &recording.notes(), &recording.live());
    let clock_watch = ClockWatch::start(clock)?;
    let phase = PhaseCell::default();
    let progress = Progress::start(spec, clock, recording.live(), &phase, setting.standing);
    let mut injected = Injected::default();

    let load = async {
        let end_ns = workload.carry_out(cluster, clock, stopped.clone()).await;
        end_workload.send_replace(true);
        end_ns
    };
    let fault = async {
        let (Some(fault), Some(ready)) = (&spec.fault, &mut ready) else { return Ok(()) };
        let context = timeline::Context {
            cluster,
            clock,
            sink: recording.notes(),
            route: &route,
            route_follows_target: spec.workload.attachment == Attachment::Target,
            client_at: &spec.workload.client_at,
            probes: &probes,
            phase: &phase,
            seed: spec.seed,
            workload_end_ns: spec.workload.duration_ms.map(ms_to_ns),
        };
        let over = Over { workload_ended: workload_ended.clone(), stopped: stopped.clone() };
        let held = timeline::carry_out(fault, ready, &context, over, &mut injected).await;
        if held.is_err() {
            stop.send_replace(true);
        }
        held
    };
    let (trouble, (end_ns, held)) = {
        let mut course = std::pin::pin!(async { tokio::join!(load, fault) });
        tokio::select! {
            ended = &mut course => (None, ended),
            trouble = first_trouble(cluster, recording.failure(), clock_watch.trouble(), setting.signals.clone()) => {
                stop.send_replace(true);
                (Some(trouble), course.await)
            }
        }
    };

    drop((progress, samplers, probes, ready));
    manifest.clock.workload_end_ns = *end_ns.as_ref().unwrap_or(&clock.now_ns());
    manifest.clock.ended_unix_ns = clock::unix_ns();
    let unconfirmed = injected.unconfirmed.take();
    describe::fault(manifest, injected);
    describe::generator(manifest, &usage_at_start, recording);
    let (jump, wall_clock_set) = clock_watch.finish();
    manifest.warnings.extend(wall_clock_set);
    // What ended the run comes first: the other errors follow from it.
    trouble.or(jump).map_or(Ok(()), Err)?;
    held?;
    end_ns?;
    unconfirmed.map_or(Ok(()), |problem| Err(Error::Run(problem)))
}

/// The member that leads. Where the members are somebody else's it may be none of those that are known, or there is none: that
/// shows in the operations.
async fn leader_at_start(cluster: &Cluster) -> Result<Option<usize>> {
    if cluster.is_endpoints() {
        return Ok(cluster.leader().await.ok().flatten());
    }
    let leader = cluster.leader().await?;
    leader.map(Some).ok_or_else(|| Error::run("the cluster lost its leader before the start"))
}

/// Whom the clients ask from the warm-up on.
fn route(spec: &RunSpec, cluster: &Cluster, leader: usize) -> Route {
    let names: Vec<_> = cluster.members.iter().map(|member| member.name.clone()).collect();
    let fault_target = spec.fault.as_ref().map_or(&Target::Follower, |fault| &fault.target);
    Route::resolve(&spec.workload.attachment, &names, leader, &target::resolve(fault_target, &names, leader))
}

/// Time from now to the run's time 0: room for the warm-up, and for preparing a fault that begins soon.
fn lead(spec: &RunSpec) -> Duration {
    let warm_up = Duration::from_millis(spec.workload.warm_up_ms);
    let until_fault =
        spec.fault.as_ref().map_or(u64::MAX, |fault| fault.at_ms.saturating_add(spec.workload.warm_up_ms));
    let for_fault = Duration::from_nanos(LEAD_NS.unsigned_abs()).saturating_sub(Duration::from_millis(until_fault));
    LEAD + warm_up + for_fault
}

/// Waits for whatever makes the run pointless or unwanted.
async fn first_trouble(
    cluster: &Cluster,
    recording_failure: watch::Receiver<Option<String>>,
    clock_jump: watch::Receiver<Option<String>>,
    signals: Signals,
) -> Error {
    let processes = async {
        loop {
            tokio::time::sleep(PROCESS_POLL).await;
            if let Err(error) = cluster.check().await {
                return error;
            }
        }
    };
    let room = async {
        if !cluster.is_endpoints() {
            return std::future::pending().await;
        }
        match Room::of(cluster).await {
            Ok(room) => room.run_out().await,
            Err(error) => error,
        }
    };
    tokio::select! {
        error = processes => error,
        error = room => error,
        error = failure_told(recording_failure) => error,
        error = failure_told(clock_jump) => error,
        signal = first_signal(signals) => Error::Interrupted(format!("interrupted by {signal}")),
    }
}

/// Waits for a failure that somebody else finds.
async fn failure_told(mut told: watch::Receiver<Option<String>>) -> Error {
    match told.wait_for(Option::is_some).await {
        Ok(failure) => Error::run(failure.clone().unwrap_or_default()),
        // Whoever looked is done without one.
        Err(_) => std::future::pending().await,
    }
}

/// Waits for the first signal.
pub async fn first_signal(mut signals: Signals) -> &'static str {
    match signals.wait_for(Option::is_some).await {
        Ok(signal) => signal.unwrap_or("a signal"),
        Err(_) => std::future::pending().await,
    }
}

/// Brings the folder into its final state: whole tables and the older files, or journals to recover from.
fn close(
    planned: &PlannedRun,
    folder: &RunFolder,
    mut manifest: Manifest,
    finished: Finished,
    course: Result<()>,
) -> Result<()> {
    // The lock is held until the manifest says how the run ended.
    let Finished { rows, lost, lock: _lock } = finished;
    manifest.rows = rows.as_ref().copied().unwrap_or_default();
    let recorded = rows.and_then(|_| match lost {
        0 => Ok(()),
        lost => Err(Error::run(format!("{lost} rows were lost because the disk could not keep up"))),
    });
    let tables_whole = recorded.is_ok();
    // What ended the run comes first: tables that are not whole may follow from it.
    let mut fate = course.and(recorded);
    manifest.status = status_of(&fate);
    if tables_whole && let Err(error) = older_files::write(folder, &manifest) {
        fate = fate.and(Err(error.into()));
        manifest.status = status_of(&fate);
    }
    // On a full disk the manifest needs the room that was held back for it.
    folder.release_reserve()?;
    manifest.write(&folder.manifest_json())?;
    if tables_whole {
        folder.remove_journals()?;
    }
    if fate.is_err() && !planned.passing {
        let (dir, whole) = (folder.dir().display(), tables_whole);
        terminal::line(format_args!("what was recorded is in {dir}"));
        if !whole {
            terminal::line(format_args!("its tables are not whole; `recorder recover {dir}` rebuilds them"));
        }
    }
    fate
}

fn status_of(fate: &Result<()>) -> Status {
    match fate {
        Ok(()) => Status::Finished,
        Err(error) => Status::Failed { reason: error.to_string(), recovered: false },
    }
}

fn client_threads() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}
