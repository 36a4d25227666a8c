//! Closed loop: each worker's next operation is due when its last one has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use run_folder::operation::ErrorKind;

use super::Course;
use crate::clock::ms_to_ns;
use crate::cluster::vantage::Vantage;
use crate::error::{Error, Result};

pub(super) async fn carry_out(course: Arc<Course>, place: &Vantage) -> Result<i64> {
    let claimed = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..course.spec().concurrency)
        .map(|worker| place.spawn(work(course.clone(), worker as i32, claimed.clone())))
        .collect();
    let mut end_ns = 0;
    for worker in workers {
        let worker_end_ns = worker.await.map_err(|error| Error::run(format!("a worker failed: {error}")))?;
        end_ns = end_ns.max(worker_end_ns);
    }
    Ok(end_ns)
}

/// One worker, from the warm-up to the end. Returns the time at which it found nothing more to do.
async fn work(course: Arc<Course>, worker: i32, claimed: Arc<AtomicU64>) -> i64 {
    let duration_ns = course.spec().duration_ms.map_or(i64::MAX, ms_to_ns);
    let operations = course.spec().operations.unwrap_or(u64::MAX);
    // Both are kept across operations: registering with the watch, and cloning clients, would cost each one of them.
    let mut stopping = std::pin::pin!(course.stopping());
    let mut clients = course.workload.clients.of_worker(worker);
    course.clock.sleep_until(-ms_to_ns(course.spec().warm_up_ms)).await;
    loop {
        let now_ns = course.clock.now_ns();
        if course.stopped() || now_ns >= duration_ns {
            return now_ns.min(duration_ns);
        }
        // Operations of the warm-up are not counted against the limit.
        if now_ns >= 0 && claimed.fetch_add(1, Ordering::Relaxed) >= operations {
            return now_ns;
        }
        let due = course.due(worker, now_ns);
        let row = tokio::select! {
            biased;
            row = course.operate(due, clients.of_member(due.endpoint)) => row,
            () = &mut stopping => course.cut_short(due, now_ns, ErrorKind::Interrupted),
        };
        course.workload.sink.push(row);
    }
}
