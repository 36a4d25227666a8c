//! What the members' samples show under a fault: whether something else than the fault itself was slow, and what the fault
//! did to the cluster.
//!
//! A value is *raised* when it is at least [`RATIO_LEAST`] times what it is compared with, more than the largest such
//! ratio among runs that should show none (baselines between their thirds, null faults), and larger by more than a
//! trifle, which depends on the metric. What was 0 before has no ratio and is raised by the trifle alone. Everything else is
//! *normal*; nothing is said of what was not sampled on both sides.
//!
//! The rule finds what changed with the fault. It does not prove what came first: with a slow follower, fsyncs of all members
//! become fewer, and so may their quantiles change.

use polars::prelude::*;
use run_folder::sample::metric;

use super::Facts;
use super::factors::Factors;
use super::reigns::{Course, Outcome};
use super::replication::Lag;
use crate::phases::Phase;

mod judge;
mod sampled;
mod text;

pub use judge::judged;
pub use text::text;

use sampled::Sampled;

/// Columns of `samples` that are read.
pub const READS: [&str; 5] = ["time_ns", "member", "metric", "label", "value"];

/// A value is not raised below this ratio.
pub const RATIO_LEAST: f64 = 2.0;

/// A metric of the table, and the difference that is a trifle.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Metric {
    name: &'static str,
    /// The least difference that counts.
    least: f64,
}

const fn metric(name: &'static str, least: f64) -> Metric {
    Metric { name, least }
}

/// Every metric, in the order of the table; see [`table`].
const METRICS: [Metric; 18] = [
    metric("wal_fsync_p99_ms", 2.0),
    metric("backend_commit_p99_ms", 5.0),
    metric("peer_rtt_p99_ms", 1.0),
    metric("probe_connect_p50_ms", 1.0),
    metric("probe_connect_p90_ms", 5.0),
    metric("probe_failed_per_s", 0.1),
    metric("status_p50_ms", 5.0),
    metric("raft_behind_max_ms", 200.0),
    metric("raft_lag_max_entries", 20.0),
    metric("proposals_pending_max", 10.0),
    metric("proposals_failed_per_s", 0.1),
    metric("slow_applies_per_s", 0.1),
    metric("heartbeat_failures_per_s", 0.1),
    metric("cpu_cores", 0.2),
    metric("elections", 1.0),
    metric("leaderless_s", 0.1),
    metric("host_steal_cores", 0.1),
    metric("recorder_lag_max_ms", 20.0),
];

/// What the samples have to be looked at with.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The run; of one without a fault, as if there had been one.
    pub facts: &'a Facts,
    /// The members that the fault hit, as indices into the manifest's members.
    pub targets: &'a [usize],
    /// The member that led when the fault was injected, likewise.
    pub leader: Option<usize>,
    /// Who led when.
    pub course: &'a Course,
    /// How far members were behind.
    pub lags: &'a [Lag],
}

/// What the samples of a run show, before it is judged beside others.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The run's place among others.
    pub factors: Factors,
    /// Changes of leader from time 0 to the end of the workload.
    pub leader_changes: usize,
    /// Whether the run gets rows of its own, beside being what others are compared with.
    pub is_shown: bool,
    /// [`table`] of the run.
    pub table: DataFrame,
}

/// A value in each part of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Values {
    before: Option<f64>,
    during: Option<f64>,
    after: Option<f64>,
    /// Over the whole run without the warm-up.
    all: Option<f64>,
}

/// What the samples of one run show, one row for each member and metric that was sampled. `samples` has the columns
/// [`READS`], rows in any order. Columns:
///
/// - `run`, `label`
/// - `member`: its name; null for the cluster as a whole, and for the host
/// - `member_role`: `target` where the fault hits it, `leader` where it led at injection, both with a comma, or `follower`
/// - `seen_from`: for connect times, the member or client from whose place they were taken
/// - `is_faulted`: whether the fault is on the member, or on the link
/// - `metric`:
///   `wal_fsync_p99_ms`, `backend_commit_p99_ms`, `peer_rtt_p99_ms` (99th percentile from etcd's histograms, interpolated within a
///   bucket; of at least 20 values), `probe_connect_p50_ms`, `probe_connect_p90_ms` (TCP connects that were answered),
///   `probe_failed_per_s` (connects that were not), `status_p50_ms` (time that the member took for a status request from
///   beside it), `raft_behind_max_ms`, `raft_lag_max_entries` (how far it was behind the leader, at most),
///   `proposals_pending_max`, `proposals_failed_per_s`, `slow_applies_per_s`, `heartbeat_failures_per_s`, `cpu_cores` (CPU
///   seconds a second); for the cluster `elections` (leaders elected) and `leaderless_s` (time in which no majority named a
///   leader); for the host `host_steal_cores` (CPU seconds a second that others got) and `recorder_lag_max_ms` (the latest
///   start of an operation, also where the cap on operations under way held it back)
/// - `before`, `during`, `after`, `all`: the value in each part of the run, `all` without the warm-up; null where there is no
///   such part, or too little of it was sampled
/// - `least`: the difference that is a trifle
///
/// Counters are read at the first and the last sample within a part: what is missing at its edges belongs to neither.
///
/// # Errors
/// [`PolarsError`] when a column is missing or of another type.
pub fn table(samples: &DataFrame, scene: &Scene<'_>) -> PolarsResult<DataFrame> {
    let sampled = Sampled::of(samples)?;
    let mut rows = Vec::new();
    for member in 0..scene.facts.members.len() {
        of_member(&sampled, member, scene, &mut rows);
    }
    let elections = |from_ns: i64, to_ns: i64| {
        let is_in = |change: &&super::reigns::Change| {
            change.outcome == Outcome::Elected && (from_ns..to_ns).contains(&change.first_sign_ns)
        };
        scene.course.recorded_ns.map(|_| scene.course.changes.iter().filter(is_in).count() as f64)
    };
    rows.push(Row::new("elections", None, values(scene, elections)));
    let leaderless = |from_ns: i64, to_ns: i64| {
        let gaps = scene.course.changes.iter().filter_map(|change| change.leaderless_ns);
        let inside = gaps.map(|(since_ns, until_ns)| (until_ns.min(to_ns) - since_ns.max(from_ns)).max(0));
        scene.course.recorded_ns.map(|_| inside.sum::<i64>() as f64 / 1e9)
    };
    rows.push(Row::new("leaderless_s", None, values(scene, leaderless)));
    let steal = |from_ns, to_ns| sampled.per_s(metric::HOST_STEAL_S, None, from_ns, to_ns);
    rows.push(Row::new("host_steal_cores", None, values(scene, steal)));
    let lag = |from_ns, to_ns| Some(sampled.max(metric::RECORDER_LAG_MAX_US, None, from_ns, to_ns)? / 1e3);
    rows.push(Row::new("recorder_lag_max_ms", None, values(scene, lag)));
    rows.retain(|row| row.values != Values::default());
    frame(&rows, scene)
}

struct Row {
    metric: &'static str,
    member: Option<usize>,
    seen_from: Option<String>,
    values: Values,
}

impl Row {
    fn new(metric: &'static str, member: Option<usize>, values: Values) -> Self {
        Self { metric, member, seen_from: None, values }
    }
}

/// A value in each part of the run.
fn values(scene: &Scene<'_>, of: impl Fn(i64, i64) -> Option<f64>) -> Values {
    let end_ns = scene.facts.phases.end_ns();
    let of =
        |from_ns: i64, to_ns: i64| (from_ns < to_ns).then(|| of(from_ns, to_ns)).flatten().filter(|v| v.is_finite());
    let all = of(0, end_ns);
    match scene.facts.phases.window() {
        None => Values { all, ..Values::default() },
        Some(window) => Values {
            before: of(0, window.from_ns),
            during: of(window.from_ns, window.to_ns),
            after: of(window.to_ns, end_ns),
            all,
        },
    }
}

fn of_member(sampled: &Sampled, member: usize, scene: &Scene<'_>, rows: &mut Vec<Row>) {
    let index = i8::try_from(member).ok();
    let mut add = |metric: &'static str, of: &dyn Fn(i64, i64) -> Option<f64>| {
        rows.push(Row::new(metric, Some(member), values(scene, of)));
    };
    for (name, histogram) in [
        ("wal_fsync_p99_ms", "etcd_disk_wal_fsync_duration_seconds_bucket"),
        ("backend_commit_p99_ms", "etcd_disk_backend_commit_duration_seconds_bucket"),
        ("peer_rtt_p99_ms", "etcd_network_peer_round_trip_time_seconds_bucket"),
    ] {
        add(name, &|from_ns, to_ns| Some(sampled.histogram_quantile(histogram, index, from_ns, to_ns, 0.99)? * 1e3));
    }
    for (name, q) in [("probe_connect_p50_ms", 0.5), ("probe_connect_p90_ms", 0.9)] {
        add(name, &|from_ns, to_ns| Some(sampled.quantile(metric::PROBE_CONNECT_US, index, from_ns, to_ns, q)? / 1e3));
    }
    add("probe_failed_per_s", &|from_ns, to_ns| {
        let failed = sampled.count(metric::PROBE_FAILED, index, from_ns, to_ns);
        let answered = sampled.count(metric::PROBE_CONNECT_US, index, from_ns, to_ns);
        (failed + answered > 0).then(|| failed as f64 / ((to_ns - from_ns) as f64 / 1e9))
    });
    add("status_p50_ms", &|from_ns, to_ns| {
        Some(sampled.quantile(metric::STATUS_TIME_US, index, from_ns, to_ns, 0.5)? / 1e3)
    });
    add("proposals_pending_max", &|from_ns, to_ns| sampled.max("etcd_server_proposals_pending", index, from_ns, to_ns));
    for (name, counter) in [
        ("proposals_failed_per_s", "etcd_server_proposals_failed_total"),
        ("slow_applies_per_s", "etcd_server_slow_apply_total"),
        ("heartbeat_failures_per_s", "etcd_server_heartbeat_send_failures_total"),
        ("cpu_cores", "process_cpu_seconds_total"),
    ] {
        add(name, &|from_ns, to_ns| sampled.per_s(counter, index, from_ns, to_ns));
    }
    let lag_in = |phase, of: fn(&Lag) -> Option<f64>| {
        scene.lags.iter().find(|lag| (lag.member, lag.phase) == (member, phase)).and_then(of)
    };
    let lag_of = |of: fn(&Lag) -> Option<f64>| {
        let (before, during, after) = (lag_in(Phase::Before, of), lag_in(Phase::During, of), lag_in(Phase::After, of));
        let all = [before, during, after, lag_in(Phase::All, of)].into_iter().flatten().reduce(f64::max);
        Values { before, during, after, all }
    };
    let behind = lag_of(|lag| lag.behind_us.map(|(_, most)| most as f64 / 1e3));
    rows.push(Row::new("raft_behind_max_ms", Some(member), behind));
    rows.push(Row::new("raft_lag_max_entries", Some(member), lag_of(|lag| lag.entries.map(|(_, most)| most as f64))));
    let from = sampled.label(metric::PROBE_CONNECT_US, index);
    let from = from.and_then(|label| label.strip_prefix("from=")).map(str::to_owned);
    for row in rows.iter_mut().filter(|row| row.member == Some(member) && row.metric.starts_with("probe_")) {
        row.seen_from.clone_from(&from);
    }
}

fn frame(rows: &[Row], scene: &Scene<'_>) -> PolarsResult<DataFrame> {
    let members = &scene.facts.members;
    let name = |member: usize| members.get(member).map(String::as_str);
    let is_target = |member: usize| scene.targets.contains(&member);
    let role = |member: usize| match (is_target(member), scene.leader == Some(member)) {
        (true, true) => "target, leader",
        (true, false) => "target",
        (false, true) => "leader",
        (false, false) => "follower",
    };
    let is_faulted = |row: &Row| {
        let from = row.seen_from.as_deref().and_then(|from| members.iter().position(|member| member == from));
        Some(is_target(row.member?) || from.is_some_and(is_target))
    };
    let mut order: Vec<&Row> = rows.iter().collect();
    order.sort_by_key(|row| (place(row.metric), row.member));
    let number = |name: &str, of: fn(&Values) -> Option<f64>| {
        Column::new(name.into(), order.iter().map(|row| of(&row.values)).collect::<Vec<_>>())
    };
    DataFrame::new(
        order.len(),
        vec![
            Column::new("run".into(), vec![scene.facts.run.as_str(); order.len()]),
            Column::new("label".into(), vec![scene.facts.label.as_str(); order.len()]),
            Column::new("member".into(), order.iter().map(|row| name(row.member?)).collect::<Vec<_>>()),
            Column::new("member_role".into(), order.iter().map(|row| row.member.map(role)).collect::<Vec<_>>()),
            Column::new("seen_from".into(), order.iter().map(|row| row.seen_from.as_deref()).collect::<Vec<_>>()),
            Column::new("is_faulted".into(), order.iter().map(|row| is_faulted(row)).collect::<Vec<_>>()),
            Column::new("metric".into(), order.iter().map(|row| row.metric).collect::<Vec<_>>()),
            number("before", |values| values.before),
            number("during", |values| values.during),
            number("after", |values| values.after),
            number("all", |values| values.all),
            Column::new("least".into(), order.iter().map(|row| least(row.metric)).collect::<Vec<_>>()),
        ],
    )
}

/// A metric's place in the order of the table.
fn place(name: &str) -> usize {
    METRICS.iter().position(|metric| metric.name == name).unwrap_or(METRICS.len())
}

fn least(name: &str) -> f64 {
    METRICS.iter().find(|metric| metric.name == name).map_or(0.0, |metric| metric.least)
}

#[cfg(test)]
mod tests;
