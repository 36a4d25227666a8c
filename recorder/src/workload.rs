//! The workload: which operations become due when ([`closed`], [`open`]), what they ask ([`draw`]), whom they ask
//! ([`route`]), how they are carried out and classified ([`client`], [`outcome`]), and whether the generator was the limit
//! ([`saturation`]). Before it, keys are looked at and filled ([`stock`]); what they hold
//! after it is read ([`final_state`]), and what it leaves where the cluster is somebody else's is removed ([`leftovers`]).

pub mod client;
mod closed;
pub mod draw;
pub mod final_state;
mod in_turn;
pub mod leftovers;
mod open;
mod outcome;
mod pacer;
pub mod route;
pub mod saturation;
mod schedule;
mod seen;
mod stock;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use run_folder::RunSpec;
use run_folder::spec::{Pacing, WorkloadSpec};
use tokio::sync::watch;

use crate::clock::{RunClock, ms_to_ns};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::recording::OperationSink;
use crate::terminal;
use client::{Clients, Due};
use draw::Draws;
use route::Route;
use saturation::Effort;
use seen::SeenRevisions;

/// Everything slow about a workload, done before time is measured.
#[derive(Debug)]
pub struct Workload {
    spec: WorkloadSpec,
    seed: u64,
    draws: Draws,
    route: Arc<Route>,
    clients: Clients,
    seen: SeenRevisions,
    sink: OperationSink,
    /// What is to be known of its preparation, in sentences.
    notes: Vec<String>,
}

/// A workload under way: what all its operations share.
#[derive(Debug)]
struct Course {
    workload: Workload,
    clock: RunClock,
    stop: watch::Receiver<bool>,
    next_op_id: AtomicI64,
}

impl Workload {
    /// Prepares the workload of `spec` against `cluster`.
    ///
    /// # Errors
    /// When the clients cannot be made.
    pub async fn prepare(spec: &RunSpec, cluster: &Cluster, route: Arc<Route>, sink: OperationSink) -> Result<Self> {
        let (seed, spec) = (spec.seed, spec.workload.clone());
        let looks_at_keys = spec.filled || spec.mix.txn > 0;
        let workload = Arc::new(Self {
            draws: Draws::new(seed, &spec),
            route,
            clients: Clients::of(cluster, spec.connections).await?,
            seen: SeenRevisions::new(&spec),
            sink,
            notes: Vec::new(),
            seed,
            spec,
        });
        let notes = match looks_at_keys {
            true => cluster.client.run(stock::take(workload.clone())).await?,
            false => Vec::new(),
        };
        for note in &notes {
            terminal::line(format_args!("warning: {note}"));
        }
        let workload = Arc::into_inner(workload).ok_or_else(|| Error::run("a task that fills keys does not end"))?;
        Ok(Self { notes, ..workload })
    }

    /// What is to be known of its preparation, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Carries out the whole workload from the clients' place, warm-up first, and returns when every operation that
    /// became due has its row; `stop` turning true ends it early. Returns the time at which the last operation became
    /// due or could have, in nanoseconds after time 0.
    ///
    /// # Errors
    /// When a task of the generator fails.
    pub async fn carry_out(self, cluster: &Cluster, clock: RunClock, stop: watch::Receiver<bool>) -> Result<i64> {
        let (pacing, sink) = (self.spec.pacing, self.sink.clone());
        let course = Arc::new(Course { workload: self, clock, stop, next_op_id: AtomicI64::new(0) });
        let mut work = std::pin::pin!(async {
            match pacing {
                Pacing::Closed => closed::carry_out(course, &cluster.client).await,
                Pacing::Even | Pacing::Constant | Pacing::Poisson => open::carry_out(course, &cluster.client).await,
            }
        });
        tokio::select! {
            ended = &mut work => return ended,
            () = clock.sleep_until(0) => {}
        }
        // The warm-up is over. Both looks are taken on the caller's thread, not on those that are looked at.
        let at_zero = Effort::now(clock);
        let ended = work.await;
        sink.live().set_busy_percent(Effort::now(clock).busy_percent_since(&at_zero));
        ended
    }
}

impl Course {
    fn spec(&self) -> &WorkloadSpec {
        &self.workload.spec
    }

    fn deadline_ns(&self) -> i64 {
        ms_to_ns(self.spec().deadline_ms)
    }

    /// The next operation, due at `intended_ns`.
    fn due(&self, worker: i32, intended_ns: i64) -> Due {
        let op_id = self.next_op_id.fetch_add(1, Ordering::Relaxed);
        Due { op_id, worker, intended_ns, endpoint: self.workload.route.endpoint(op_id) }
    }

    fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns when the workload is to stop.
    async fn stopping(&self) {
        // An error means that the run is gone, and with it the reason to go on.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }
}
