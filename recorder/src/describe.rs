//! What the manifest says of a run beyond its spec: the cluster, the fault's course, the machine, and how well the
//! recorder itself kept up.

use run_folder::FORMAT_VERSION;
use run_folder::manifest::{self, Clock, Generator, Leaders, Manifest, Member, Rows, Status};
use run_folder::spec::Attachment;

use crate::cluster::Cluster;
use crate::faults::timeline::Injected;
use crate::host;
use crate::plan::PlannedRun;
use crate::recording::Recording;
use crate::workload::saturation;

/// A workload that ended this much before its fault was healed leaves a part of the window without load.
const IDLE_WINDOW_NS: i64 = 500_000_000;

/// The manifest of a run that begins.
pub fn manifest(planned: &PlannedRun) -> Manifest {
    Manifest {
        format_version: FORMAT_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").into(),
        command: planned.command.clone(),
        spec: planned.spec.clone(),
        sweep: planned.place.clone(),
        reproduces: planned.reproduces.clone(),
        imported: None,
        status: Status::Running,
        clock: Clock::default(),
        cluster: manifest::Cluster::default(),
        leaders: Leaders::default(),
        fault_targets: Vec::new(),
        host: host::facts(),
        generator: None,
        rows: Rows::default(),
        store: None,
        warnings: Vec::new(),
    }
}

/// Describes the cluster.
pub fn cluster(manifest: &mut Manifest, cluster: &Cluster) {
    let member = |member: &crate::cluster::Member| Member {
        name: member.name.clone(),
        id: format!("{:x}", member.id),
        client_url: member.client_url(),
        // Where the members are somebody else's, nobody said how they reach each other.
        peer_url: if cluster.is_endpoints() { String::new() } else { format!("http://{}", member.peer_address) },
    };
    manifest.cluster = manifest::Cluster {
        backend: manifest.spec.cluster.backend.as_str().into(),
        etcd_version: cluster.version.clone(),
        members: cluster.members.iter().map(member).collect(),
        flags: cluster.flags.clone(),
        data_file_system: cluster.data_file_system.clone(),
        earlier_runs: cluster.served_runs,
        adopted: cluster.adopted,
        image: cluster.image.clone(),
        engine: cluster.engine.clone(),
    };
    manifest.warnings.extend(cluster.notes.iter().cloned());
    if cluster.data_file_system == "tmpfs" {
        manifest.warnings.push("the members' data lie on a tmpfs, where fsync costs nothing".into());
    }
}

/// Describes the fault's course, whether it went well or not.
pub fn fault(manifest: &mut Manifest, injected: Injected) {
    let end_ns = manifest.clock.workload_end_ns;
    if injected.cleared_ns.is_some_and(|cleared_ns| cleared_ns - end_ns > IDLE_WINDOW_NS) {
        let end_s = end_ns as f64 / 1e9;
        manifest.warnings.push(format!("the workload ended at {end_s:.1} s, before the fault was lifted"));
    }
    if let (Attachment::Leader, Some(leader)) = (&manifest.spec.workload.attachment, injected.leader)
        && manifest.leaders.start != Some(leader)
    {
        let now = manifest.member_name(leader).to_owned();
        manifest
            .warnings
            .push(format!("the clients stayed where the leader was at the start; {now} led at the injection"));
    }
    manifest.fault_targets = injected.targets;
    manifest.leaders.injection = injected.leader;
    manifest.warnings.extend(injected.warnings);
}

/// Describes how well the recorder kept up, and what the machine did meanwhile.
pub fn generator(manifest: &mut Manifest, start: &Usage, recording: &Recording) {
    let now = Usage::now();
    let total_ticks = now.ticks.1.saturating_sub(start.ticks.1).max(1);
    manifest.host.steal_percent = now.ticks.0.saturating_sub(start.ticks.0) as f64 * 100.0 / total_ticks as f64;
    manifest.host.load_average[1] = host::load_average();
    let live = recording.live();
    let (lag, counts) = (live.live().lag(), live.live().counts());
    let (busy_percent, own_lag_p99_us) = (live.live().busy_percent(), live.live().own_lag_p99_us());
    let client_saturated = saturation::reason(busy_percent, own_lag_p99_us);
    manifest.warnings.extend(client_saturated.iter().map(|reason| format!("client saturated: {reason}")));
    let workload_s = manifest.clock.workload_end_ns.max(1) as f64 / 1e9;
    manifest.generator = Some(Generator {
        lag_p50_us: lag.p50_us,
        lag_p99_us: lag.p99_us,
        lag_max_us: lag.max_us,
        cpu_us_per_operation: (now.cpu_ns - start.cpu_ns) as f64 / 1000.0 / counts.all.max(1) as f64,
        achieved_rate_per_s: counts.ok as f64 / workload_s,
        own_lag_p99_us,
        busy_percent,
        client_saturated,
    });
    let examples = recording.error_examples();
    manifest.warnings.extend(examples);
}

/// What the recorder and the host had used at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    cpu_ns: u64,
    ticks: (u64, u64),
}

impl Usage {
    /// As of now.
    pub fn now() -> Self {
        Self { cpu_ns: host::own_usage().0, ticks: host::cpu_ticks() }
    }
}
