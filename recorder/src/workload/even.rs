//! Even pacing: operations become due on a fixed schedule that never waits for answers. One that is held back by the
//! cap on operations under way is sent late and still counts from its intended time; it becomes `unsent` only when
//! its deadline, counted from the intended time, has passed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use run_folder::operation::ErrorKind;
use tokio::sync::{Semaphore, mpsc};

use super::Workload;
use super::client::Due;
use super::closed::interrupted;
use super::pacer::{self, EvenSchedule, Pace};
use crate::clock::ms_to_ns;
use crate::cluster::vantage::Vantage;
use crate::error::{Error, Result};

pub(super) async fn carry_out(workload: Arc<Workload>, place: &Vantage) -> Result<i64> {
    let spec = &workload.spec;
    let schedule = EvenSchedule {
        operations: spec.operations.unwrap_or(0),
        over_ns: ms_to_ns(spec.duration_ms.unwrap_or(0)),
        warm_up_ns: ms_to_ns(spec.warm_up_ms),
    };
    // The queue is emptied at the latest when its head's deadline passes; twice that many never fill it.
    let per_deadline =
        schedule.operations as i128 * i128::from(workload.deadline_ns()) / i128::from(schedule.over_ns.max(1));
    let (due, announced) = mpsc::channel(2 * per_deadline as usize + 1024);
    let pacer = pacer::start(schedule, workload.clock, due)?;
    let end_ns = place.run(dispatch(workload.clone(), announced, schedule)).await?;
    match pacer.join() {
        Ok(Pace::Done) => Ok(end_ns),
        Ok(Pace::Overrun) => Err(Error::run("the generator could not keep up with its own schedule")),
        Err(_) => Err(Error::run("the pacing thread panicked")),
    }
}

/// Starts each announced operation as soon as the cap allows, and waits until all have their rows.
async fn dispatch(workload: Arc<Workload>, mut announced: mpsc::Receiver<u64>, schedule: EvenSchedule) -> i64 {
    let slots = Arc::new(Slots::new(workload.spec.concurrency));
    let mut stop = workload.stop.clone();
    let mut end_ns = schedule.over_ns;
    loop {
        let next = tokio::select! {
            next = announced.recv() => next,
            () = interrupted(&mut stop) => {
                end_ns = workload.clock.now_ns();
                None
            }
        };
        let Some(index) = next else { break };
        let intended_ns = schedule.intended_ns(index);
        let due = Due { op_id: workload.next_op_id(), worker: 0, intended_ns };
        let left_ns = intended_ns + workload.deadline_ns() - workload.clock.now_ns();
        let wait = Duration::from_nanos(left_ns.max(0).unsigned_abs());
        match tokio::time::timeout(wait, slots.clone().take()).await {
            Ok(slot) if left_ns > 0 => {
                let due = Due { worker: slot.number, ..due };
                tokio::spawn(carry_out_one(workload.clone(), due, slot));
            }
            _ => workload.sink.push(workload.unsent(due, ErrorKind::Deadline)),
        }
    }
    announced.close();
    // What was announced and not begun is still due: each gets its row.
    while let Ok(index) = announced.try_recv() {
        let due = Due { op_id: workload.next_op_id(), worker: 0, intended_ns: schedule.intended_ns(index) };
        workload.sink.push(workload.unsent(due, ErrorKind::Interrupted));
    }
    slots.all_free().await;
    end_ns
}

async fn carry_out_one(workload: Arc<Workload>, due: Due, _slot: Slot) {
    let start_ns = workload.clock.now_ns();
    let mut stop = workload.stop.clone();
    let mut clients = workload.clients.of_worker();
    let row = tokio::select! {
        biased;
        row = workload.operate(due, &mut clients) => row,
        () = interrupted(&mut stop) => workload.cut_short(due, start_ns, ErrorKind::Interrupted),
    };
    workload.sink.push(row);
}

/// The cap on operations under way: numbered places, each held by one operation.
struct Slots {
    permits: Semaphore,
    free: Mutex<Vec<i32>>,
    size: u32,
}

struct Slot {
    number: i32,
    slots: Arc<Slots>,
}

impl Slots {
    fn new(size: u32) -> Self {
        let free = (0..size as i32).rev().collect();
        Self { permits: Semaphore::new(size as usize), free: Mutex::new(free), size }
    }

    async fn take(self: Arc<Self>) -> Slot {
        self.permits.acquire().await.expect("the semaphore is never closed").forget();
        let number = self.free.lock().expect("nothing panics while it holds this lock").pop();
        Slot { number: number.expect("there are as many numbers as permits"), slots: self }
    }

    async fn all_free(&self) {
        let _all = self.permits.acquire_many(self.size).await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.free.lock().expect("nothing panics while it holds this lock").push(self.number);
        self.slots.permits.add_permits(1);
    }
}
