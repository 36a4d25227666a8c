//! The workload: which operations become due when ([`closed`], [`even`]), what they ask ([`draw`]), whom they ask
//! ([`route`]), and how they are carried out and classified ([`client`], [`outcome`]).

pub mod client;
mod closed;
pub mod draw;
mod even;
mod outcome;
mod pacer;
pub mod route;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use run_folder::spec::{Pacing, WorkloadSpec};
use tokio::sync::watch;

use crate::clock::{RunClock, ms_to_ns};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::recording::OperationSink;
use client::Clients;
use draw::Draws;
use route::Route;

/// What all operations of a run share.
#[derive(Debug)]
pub struct Workload {
    spec: WorkloadSpec,
    clock: RunClock,
    draws: Draws,
    route: Arc<Route>,
    clients: Clients,
    sink: OperationSink,
    stop: watch::Receiver<bool>,
    next_op_id: AtomicI64,
}

impl Workload {
    /// Prepares the workload against `cluster`; `stop` turning true ends the issuing of operations.
    ///
    /// # Errors
    /// When the clients cannot be made.
    pub async fn new(
        spec: &WorkloadSpec,
        seed: u64,
        clock: RunClock,
        cluster: &Cluster,
        route: Arc<Route>,
        sink: OperationSink,
        stop: watch::Receiver<bool>,
    ) -> Result<Self> {
        Ok(Self {
            spec: spec.clone(),
            clock,
            draws: Draws::new(seed, spec),
            route,
            clients: Clients::connect(cluster, spec.keys).await?,
            sink,
            stop,
            next_op_id: AtomicI64::new(0),
        })
    }

    /// Carries out the whole workload from the clients' place, warm-up first, and returns when every operation that
    /// became due has its row. Returns the time at which the last one became due or would have, in nanoseconds
    /// after time 0.
    ///
    /// # Errors
    /// When a task of the generator fails.
    pub async fn carry_out(self: Arc<Self>, cluster: &Cluster) -> Result<i64> {
        match self.spec.pacing {
            Pacing::Closed => closed::carry_out(self, &cluster.client).await,
            Pacing::Even => even::carry_out(self, &cluster.client).await,
        }
    }

    fn deadline_ns(&self) -> i64 {
        ms_to_ns(self.spec.deadline_ms)
    }

    fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    fn next_op_id(&self) -> i64 {
        self.next_op_id.fetch_add(1, Ordering::Relaxed)
    }
}
