//! Closed loop: each worker's next operation is due when its last one has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use run_folder::operation::ErrorKind;

use super::Workload;
use super::client::Due;
use crate::clock::ms_to_ns;
use crate::cluster::vantage::Vantage;
use crate::error::{Error, Result};

pub(super) async fn carry_out(workload: Arc<Workload>, place: &Vantage) -> Result<i64> {
    let claimed = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..workload.spec.concurrency)
        .map(|worker| place.spawn(work(workload.clone(), worker as i32, claimed.clone())))
        .collect();
    let mut end_ns = 0;
    for worker in workers {
        let worker_end_ns = worker.await.map_err(|error| Error::run(format!("a worker failed: {error}")))?;
        end_ns = end_ns.max(worker_end_ns);
    }
    Ok(end_ns)
}

/// One worker, from the warm-up to the end. Returns the time at which it found nothing more to do.
async fn work(workload: Arc<Workload>, worker: i32, claimed: Arc<AtomicU64>) -> i64 {
    let duration_ns = workload.spec.duration_ms.map_or(i64::MAX, ms_to_ns);
    let operations = workload.spec.operations.unwrap_or(u64::MAX);
    let mut stop = workload.stop.clone();
    // Kept across operations: registering with the watch, and cloning clients, would cost each one of them.
    let mut stopping = std::pin::pin!(interrupted(&mut stop));
    let mut clients = workload.clients.of_worker();
    workload.clock.sleep_until(-ms_to_ns(workload.spec.warm_up_ms)).await;
    loop {
        let now_ns = workload.clock.now_ns();
        if workload.stopped() || now_ns >= duration_ns {
            return now_ns.min(duration_ns);
        }
        // Operations of the warm-up are not counted against the limit.
        if now_ns >= 0 && claimed.fetch_add(1, Ordering::Relaxed) >= operations {
            return now_ns;
        }
        let due = Due { op_id: workload.next_op_id(), worker, intended_ns: now_ns };
        let row = tokio::select! {
            biased;
            row = workload.operate(due, &mut clients) => row,
            () = &mut stopping => workload.cut_short(due, now_ns, ErrorKind::Interrupted),
        };
        workload.sink.push(row);
    }
}

/// Returns when the workload is to stop.
pub(super) async fn interrupted(stop: &mut tokio::sync::watch::Receiver<bool>) {
    // An error means that the run is gone, and with it the reason to go on.
    let _ = stop.wait_for(|stop| *stop).await;
}
