//! Probes: TCP connect times across each member's link, ten times a second and throughout the run, whether there is a
//! fault or not, so that every run bears the same small load. They are samples like any other, and the evidence
//! that a delay was what was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use run_folder::Sample;
use run_folder::sample::metric;
use run_folder::spec::Scope;
use tokio::time::MissedTickBehavior;

use crate::clock::RunClock;
use crate::cluster::Cluster;
use crate::cluster::sockets::Sockets;
use crate::cluster::vantage::Vantage;
use crate::recording::NoteSink;

const INTERVAL: Duration = Duration::from_millis(100);
/// Longer than two retransmissions of a lost SYN (after 1 and 3 seconds).
const TIMEOUT: Duration = Duration::from_secs(4);
/// Probes kept in memory for the evidence; the samples have them all.
const KEPT_MAX: usize = 200_000;

/// One connect attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Member whose link was crossed.
    pub member: usize,
    /// Where from: another member, or none for the clients' place.
    pub from: Option<usize>,
    /// When it began, in nanoseconds after time 0.
    pub start_ns: i64,
    /// How long it took, in microseconds; none when it was not answered in time.
    pub connect_us: Option<f64>,
}

/// Running probes; dropping them ends them.
#[derive(Debug)]
pub struct Probes {
    tasks: Vec<tokio::task::AbortHandle>,
    seen: Arc<Mutex<Vec<Probe>>>,
}

impl Probes {
    /// Starts probing every member: its client port from the clients' place when only those connections are slowed,
    /// or nothing else is known of the members, else its peer port from the next member.
    pub fn start(cluster: &Cluster, scope: Scope, clock: RunClock, sink: &NoteSink) -> Self {
        let scope = if cluster.is_endpoints() { Scope::Clients } else { scope };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let members = cluster.members.len();
        let probe = |(index, member): (usize, &crate::cluster::Member)| {
            let (from, place, address) = match scope {
                Scope::Clients => (None, &cluster.client, member.client_address),
                Scope::All | Scope::Peers => {
                    let next = (index + 1) % members;
                    (Some(next), &cluster.members[next].vantage, member.peer_address)
                }
            };
            let label = format!("from={}", from.map_or("client", |from| &cluster.members[from].name));
            let sockets = place.sockets().clone();
            let link =
                Link { member: index, from, sockets, address, label, clock, sink: sink.clone(), seen: seen.clone() };
            place.spawn(link.probe_forever(place.clone())).abort_handle()
        };
        Self { tasks: cluster.members.iter().enumerate().map(probe).collect(), seen }
    }

    /// Shows `look` all probes that have ended so far.
    pub fn with_seen<T>(&self, look: impl FnOnce(&[Probe]) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

#[derive(Debug, Clone)]
struct Link {
    member: usize,
    from: Option<usize>,
    sockets: Sockets,
    address: SocketAddr,
    label: String,
    clock: RunClock,
    sink: NoteSink,
    seen: Arc<Mutex<Vec<Probe>>>,
}

impl Link {
    async fn probe_forever(self, place: Vantage) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            // Each in a task of its own: under loss one takes seconds, and the next must not wait for it.
            place.spawn(self.clone().probe());
        }
    }

    async fn probe(self) {
        // Made before the clock is read: what making it takes is no part of connecting.
        let Ok(socket) = self.sockets.tcp(self.address) else { return };
        let start_ns = self.clock.now_ns();
        let connected = tokio::time::timeout(TIMEOUT, socket.connect(self.address)).await;
        let took_us = (self.clock.now_ns() - start_ns) as f64 / 1000.0;
        let connect_us = matches!(connected, Ok(Ok(_))).then_some(took_us);
        let (metric, value) = match connect_us {
            Some(connect_us) => (metric::PROBE_CONNECT_US, connect_us),
            None => (metric::PROBE_FAILED, 1.0),
        };
        let sample = Sample {
            time_ns: start_ns,
            member: Some(self.member as i8),
            metric: metric.to_owned(),
            label: Some(self.label),
            value,
        };
        self.sink.samples(vec![sample]);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() == KEPT_MAX {
            // Half at a time, so that this is not done at every probe.
            seen.drain(..KEPT_MAX / 2);
        }
        seen.push(Probe { member: self.member, from: self.from, start_ns, connect_us });
    }
}
