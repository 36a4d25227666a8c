//! The manifest of a made-up run.

use chrono::{DateTime, Utc};

use super::Planned;
use super::stream::{DEADLINE_NS, KEYS, MEMBERS};
use crate::manifest::{Clock, Cluster, Generator, Host, Leaders, Manifest, Member, Rows, Status};
use crate::spec::{
    Attachment, Backend, ClientPlace, ClusterSpec, Direction, FaultSpec, KeyDistribution, MechanismChoice, Mix, Pacing,
    Peer, RunSpec, Scope, Target, WorkloadSpec,
};

/// Index of the member that leads, in every made-up run.
pub(super) const LEADER: usize = 1;
/// Index of the member that leads after a change.
pub(super) const NEXT_LEADER: usize = 2;

pub(super) fn new(run: &Planned, now: DateTime<Utc>) -> Manifest {
    let shape = &run.shape;
    let target = if run.is_unused_link { NEXT_LEADER } else { LEADER };
    let end = if run.leader_change_ms.is_some() { NEXT_LEADER } else { LEADER };
    let start_unix_ns = now.timestamp_nanos_opt().unwrap_or(0);
    Manifest {
        format_version: crate::FORMAT_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        command: if shape.fault.is_some() { "slow-leader" } else { "baseline" }.to_owned(),
        spec: spec(run),
        sweep: run.place.clone(),
        reproduces: None,
        imported: None,
        status: Status::Running,
        clock: Clock {
            origin_unix_ns: start_unix_ns + shape.warm_up_ms as i64 * 1_000_000,
            ended_unix_ns: 0,
            workload_end_ns: 0,
        },
        cluster: cluster(),
        leaders: Leaders { start: Some(LEADER), injection: shape.fault.map(|_| LEADER), end: Some(end) },
        fault_targets: shape.fault.map(|_| target).into_iter().collect(),
        host: Host {
            kernel: "6.1.0-synthetic".to_owned(),
            cpu: "made-up".to_owned(),
            cores: 2,
            memory_bytes: 8 << 30,
            load_average: [0.5, 1.5],
            steal_percent: 0.1,
        },
        generator: Some(Generator {
            lag_p50_us: 7.0,
            lag_p99_us: 11.9,
            lag_max_us: 12.0,
            own_lag_p99_us: None,
            busy_percent: Some(20.0),
            client_saturated: None,
            cpu_us_per_operation: 20.0,
            achieved_rate_per_s: 1e9 * f64::from(shape.concurrency) / shape.median_service_ns as f64,
        }),
        rows: Rows::default(),
        store: None,
        warnings: vec!["synthetic run, not recorded from a cluster".to_owned()],
    }
}

fn spec(run: &Planned) -> RunSpec {
    let shape = &run.shape;
    RunSpec {
        label: shape.label.clone(),
        seed: shape.seed,
        cluster: ClusterSpec { backend: Backend::Sandbox, nodes: MEMBERS },
        workload: WorkloadSpec {
            pacing: Pacing::Closed,
            rate_per_s: None,
            load: None,
            connections: 1,
            key_distribution: KeyDistribution::Uniform,
            duration_ms: run.duration_ms,
            operations: run.duration_ms.is_none().then_some(shape.operations),
            concurrency: shape.concurrency,
            mix: Mix { put: 99, get: 1, ..Mix::default() },
            keys: KEYS,
            key_bytes: 16,
            key_prefix: String::new(),
            filled: false,
            value_bytes: 256,
            deadline_ms: DEADLINE_NS as u64 / 1_000_000,
            warm_up_ms: shape.warm_up_ms,
            attachment: Attachment::RoundRobin,
            client_at: ClientPlace::Own,
        },
        fault: shape.fault.map(|fault| FaultSpec {
            effect: fault.effect,
            target: if run.is_unused_link { Target::Follower } else { Target::Leader },
            scope: if run.is_unused_link { Scope::Peers } else { Scope::All },
            peer: run.is_unused_link.then_some(Peer::OtherFollower),
            direction: Direction::Egress,
            mechanism: MechanismChoice::Auto,
            at_ms: fault.at_ms,
            for_ms: fault.for_ms,
        }),
    }
}

fn cluster() -> Cluster {
    let member = |index: u8| Member {
        name: format!("etcd{index}"),
        id: format!("{:x}", 0x8e9e_05c5_2164_694d_u64 + u64::from(index)),
        client_url: format!("http://10.0.{index}.2:2379"),
        peer_url: format!("http://10.0.{index}.2:2380"),
    };
    Cluster {
        backend: "sandbox".to_owned(),
        etcd_version: "3.5.1".to_owned(),
        members: (0..MEMBERS).map(member).collect(),
        flags: vec!["--heartbeat-interval=100".to_owned(), "--election-timeout=1000".to_owned()],
        data_file_system: "ext4".to_owned(),
        ..Cluster::default()
    }
}
