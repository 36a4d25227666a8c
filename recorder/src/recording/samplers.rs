//! Samplers: what members and the recorder itself say of their state while the run goes on. Members are asked from within
//! their own network namespace, so that no fault slows the asking.

mod metrics_page;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use run_folder::Sample;
use run_folder::sample::metric;
use tokio::time::MissedTickBehavior;

use crate::clock::RunClock;
use crate::cluster::sockets::Sockets;
use crate::cluster::{self, Cluster, MemberStatus};
use crate::host;
use crate::recording::{LiveView, NoteSink};

const STATUS_INTERVAL: Duration = Duration::from_millis(100);
const METRICS_INTERVAL: Duration = Duration::from_secs(1);
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);
const METRICS_TIMEOUT: Duration = Duration::from_secs(2);

/// Running samplers; dropping them ends them.
#[derive(Debug)]
pub struct Samplers(Vec<tokio::task::AbortHandle>);

impl Samplers {
    /// Starts sampling all members and the recorder.
    pub fn start(cluster: &Cluster, clock: RunClock, sink: &NoteSink, live: &LiveView) -> Self {
        let ids: Arc<[u64]> = cluster.members.iter().map(|member| member.id).collect();
        let mut tasks = Vec::new();
        for (index, member) in cluster.members.iter().enumerate() {
            let at = Place {
                clock,
                sink: sink.clone(),
                member: index as i8,
                sockets: member.vantage.sockets().clone(),
                address: member.own_address,
            };
            tasks.push(member.vantage.spawn(sample_status(at.clone(), ids.clone())).abort_handle());
            tasks.push(member.vantage.spawn(sample_metrics(at)).abort_handle());
        }
        tasks.push(tokio::spawn(sample_recorder(clock, sink.clone(), live.clone())).abort_handle());
        Self(tasks)
    }
}

impl Drop for Samplers {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

/// A member and the way to record what it says.
#[derive(Debug, Clone)]
struct Place {
    clock: RunClock,
    sink: NoteSink,
    member: i8,
    sockets: Sockets,
    address: SocketAddr,
}

impl Place {
    fn sample(&self, time_ns: i64, metric: &str, value: f64) -> Sample {
        Sample { time_ns, member: Some(self.member), metric: metric.to_owned(), label: None, value }
    }
}

fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

async fn sample_status(place: Place, ids: Arc<[u64]>) {
    let Ok(mut client) = cluster::client(&place.sockets, place.address).await else { return };
    let mut ticks = ticks(STATUS_INTERVAL);
    loop {
        ticks.tick().await;
        let asked_ns = place.clock.now_ns();
        let answer = cluster::status(&mut client, STATUS_TIMEOUT).await;
        let time_ns = place.clock.now_ns();
        let values = match answer {
            Ok(status) => status_values(&status, &ids, (time_ns - asked_ns) as f64 / 1000.0),
            Err(_) => vec![(metric::STATUS_FAILED, 1.0)],
        };
        place.sink.samples(values.into_iter().map(|(name, value)| place.sample(time_ns, name, value)).collect());
    }
}

fn status_values(status: &MemberStatus, ids: &[u64], time_us: f64) -> Vec<(&'static str, f64)> {
    let leader = ids.iter().position(|id| *id == status.leader).map_or(-1.0, |index| index as f64);
    vec![
        (metric::LEADER, leader),
        (metric::RAFT_TERM, status.raft_term as f64),
        (metric::RAFT_INDEX, status.raft_index as f64),
        (metric::RAFT_APPLIED_INDEX, status.raft_applied_index as f64),
        (metric::REVISION, status.revision as f64),
        (metric::DB_SIZE_BYTES, status.db_size_bytes as f64),
        (metric::STATUS_TIME_US, time_us),
    ]
}

async fn sample_metrics(place: Place) {
    let mut ticks = ticks(METRICS_INTERVAL);
    loop {
        ticks.tick().await;
        let page = tokio::time::timeout(METRICS_TIMEOUT, metrics_page::fetch(&place.sockets, place.address)).await;
        let time_ns = place.clock.now_ns();
        // A member that does not answer shows in its status samples.
        let Ok(Ok(page)) = page else { continue };
        let samples = metrics_page::wanted(&page).map(|entry| Sample {
            label: entry.label.map(str::to_owned),
            ..place.sample(time_ns, entry.metric, entry.value)
        });
        place.sink.samples(samples.collect());
    }
}

async fn sample_recorder(clock: RunClock, sink: NoteSink, live: LiveView) {
    let mut ticks = ticks(METRICS_INTERVAL);
    loop {
        ticks.tick().await;
        let (cpu_ns, rss_bytes) = host::own_usage();
        let values = [
            (metric::RECORDER_CPU_S, cpu_ns as f64 / 1e9),
            (metric::RECORDER_RSS_BYTES, rss_bytes as f64),
            (metric::RECORDER_LAG_MAX_US, live.live().recent_lag_max_us()),
            (metric::HOST_STEAL_S, host::ticks_to_s(host::cpu_ticks().0)),
        ];
        let time_ns = clock.now_ns();
        let sample =
            |(name, value): (&str, f64)| Sample { time_ns, member: None, metric: name.to_owned(), label: None, value };
        sink.samples(values.into_iter().map(sample).collect());
    }
}
