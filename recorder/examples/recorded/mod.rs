//! What the benchmarks share: their sandbox, and a workload with everything of a recorded run at work.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use recorder::clock::RunClock;
use recorder::cluster::{Cluster, sandbox};
use recorder::error::{Error, Result};
use recorder::faults::probe::Probes;
use recorder::recording::Recording;
use recorder::recording::samplers::Samplers;
use recorder::workload::Workload;
use recorder::workload::route::Route;
use recorder::{host, terminal};
use run_folder::spec::{
    Attachment, Backend, ClientPlace, ClusterSpec, KeyDistribution, Mix, Pacing, Scope, WorkloadSpec,
};
use run_folder::{Label, RunFolder, RunSpec};
use tokio::sync::watch;

/// Members of the clusters.
pub(crate) const MEMBERS: u8 = 3;

/// Runs a benchmark in a sandbox, with a folder of its own that is removed afterwards.
pub(crate) fn in_sandbox(name: &str, measure: impl AsyncFnOnce(&Path) -> Result<()>) -> std::process::ExitCode {
    let place = std::env::temp_dir().join(format!("laggard-{name}-{}", std::process::id()));
    let code = sandbox::run_inside(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let measured = runtime.map_err(|error| Error::environment(error.to_string()));
        match measured.and_then(|runtime| runtime.block_on(measure(&place))) {
            Ok(()) => 0,
            Err(error) => {
                terminal::error(&error);
                error.code()
            }
        }
    });
    // The results are of no use to anybody.
    let _ = std::fs::remove_dir_all(&place);
    std::process::ExitCode::from(code.unwrap_or(1))
}

/// 256-byte puts, round-robin over all members, in a closed loop of this many workers.
pub(crate) fn puts(concurrency: u32, duration_ms: u64) -> WorkloadSpec {
    WorkloadSpec {
        pacing: Pacing::Closed,
        duration_ms: Some(duration_ms),
        operations: None,
        concurrency,
        rate_per_s: None,
        load: None,
        connections: 1,
        key_distribution: KeyDistribution::Uniform,
        mix: Mix::PUTS,
        keys: 10_000,
        key_bytes: 16,
        key_prefix: String::new(),
        filled: false,
        value_bytes: 256,
        deadline_ms: 5_000,
        warm_up_ms: 0,
        attachment: Attachment::RoundRobin,
        client_at: ClientPlace::Own,
    }
}

/// A recorded workload and what it cost.
pub(crate) struct Recorded {
    /// Where it was recorded.
    #[allow(dead_code, reason = "not every benchmark looks into its rows")]
    pub(crate) folder: RunFolder,
    /// Rows of the operations, those of the warm-up too.
    pub(crate) operations: u64,
    /// CPU time of the whole process.
    pub(crate) cpu_ns: u64,
    /// How long it took.
    #[allow(dead_code, reason = "not every benchmark needs it")]
    pub(crate) took: Duration,
}

/// Records a workload against `cluster`, in a folder below `place`.
pub(crate) async fn record(cluster: &Cluster, place: &Path, workload: WorkloadSpec) -> Result<Recorded> {
    let lead = Duration::from_millis(workload.warm_up_ms + 100);
    let spec = RunSpec {
        label: Label::new("benchmark")?,
        seed: 1,
        cluster: ClusterSpec { backend: Backend::Sandbox, nodes: MEMBERS },
        workload,
        fault: None,
    };
    let folder = RunFolder::create(place, &spec.label, chrono::Utc::now())?;
    let recording = Recording::start(&folder)?;
    let route = Arc::new(Route::RoundRobin(cluster.members.len()));
    let workload = Workload::prepare(&spec, cluster, route, recording.operations()).await?;
    let clock = RunClock::starting_in(lead);
    let (_stop, stopped) = watch::channel(false);
    let probes = Probes::start(cluster, Scope::All, clock, &recording.notes());
    let samplers = Samplers::start(cluster, clock, &recording.notes(), &recording.live());
    let (began, cpu_ns) = (Instant::now(), host::own_usage().0);
    workload.carry_out(cluster, clock, stopped).await?;
    drop((probes, samplers));
    let operations = recording.finish().rows?.operations;
    Ok(Recorded { folder, operations, cpu_ns: host::own_usage().0 - cpu_ns, took: began.elapsed() })
}
