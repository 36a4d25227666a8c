//! Open loop: operations become due on a fixed schedule that never waits for answers. One that is held back by the
//! cap on operations under way is sent late and still counts from its intended time; it becomes `unsent` only when
//! its deadline, counted from the intended time, has passed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use run_folder::operation::ErrorKind;
use tokio::sync::{Semaphore, mpsc};

use super::Course;
use super::client::Due;
use super::pacer::{self, Pace};
use super::schedule::Schedule;
use crate::cluster::vantage::Vantage;
use crate::error::{Error, Result};

/// Room in the queue of due operations beyond what its deadline asks for: bursts, and slow schedules.
const QUEUE_SLACK: usize = 1024;

pub(super) async fn carry_out(course: Arc<Course>, place: &Vantage) -> Result<i64> {
    let schedule = Schedule::of(course.spec(), course.workload.seed);
    let over_ns = schedule.over_ns();
    // The queue is emptied at the latest when its head's deadline passes; twice that many never fill it. The plan bounds
    // the rate and the deadline.
    let per_deadline = schedule.rate_per_s() * course.deadline_ns() as f64 / 1e9;
    let (due, announced) = mpsc::channel((2.0 * per_deadline) as usize + QUEUE_SLACK);
    let pacer = pacer::start(schedule.times(), course.clock, due)?;
    let end_ns = place.run(dispatch(course.clone(), announced, over_ns)).await?;
    match pacer.join() {
        Ok(Pace::Done) => Ok(end_ns),
        Ok(Pace::Overrun) => Err(Error::run("the generator could not keep up with its own schedule")),
        Err(_) => Err(Error::run("the pacing thread panicked")),
    }
}

/// Starts each announced operation as soon as the cap allows, and waits until all have their rows and the schedule's
/// time is over. Returns the end of the schedule, or when it was stopped.
async fn dispatch(course: Arc<Course>, mut announced: mpsc::Receiver<i64>, over_ns: i64) -> i64 {
    let slots = Arc::new(Slots::new(course.spec().concurrency));
    let mut stopping = std::pin::pin!(course.stopping());
    // Whatever was due before was held back by the cap: itself, or behind another one in the queue.
    let mut held_until_ns = i64::MIN;
    while let Some(intended_ns) = tokio::select! { next = announced.recv() => next, () = &mut stopping => None } {
        let due = course.due(0, intended_ns);
        let slot = match slots.clone().take_free() {
            Some(slot) => Some(slot),
            None => {
                let left_ns = due.intended_ns + course.deadline_ns() - course.clock.now_ns();
                let wait = Duration::from_nanos(left_ns.max(0).unsigned_abs());
                let slot = tokio::time::timeout(wait, slots.clone().take()).await.ok();
                held_until_ns = course.clock.now_ns();
                slot
            }
        };
        match slot {
            Some(slot) => {
                let due = Due { worker: slot.number, ..due };
                tokio::spawn(carry_out_one(course.clone(), due, slot, intended_ns < held_until_ns));
            }
            None => course.workload.sink.push(course.unsent(due, ErrorKind::Deadline)),
        }
    }
    announced.close();
    // What was announced and not begun is still due: each gets its row.
    while let Ok(intended_ns) = announced.try_recv() {
        let due = course.due(0, intended_ns);
        course.workload.sink.push(course.unsent(due, ErrorKind::Interrupted));
    }
    slots.all_free().await;
    if !course.stopped() {
        tokio::select! { () = course.clock.sleep_until(over_ns) => {}, () = &mut stopping => {} }
    }
    course.clock.now_ns().min(over_ns)
}

async fn carry_out_one(course: Arc<Course>, due: Due, _slot: Slot, held_back: bool) {
    let mut client = course.workload.clients.of_operation(due.op_id, due.endpoint);
    // Announced a little ahead. Other tasks of this thread go on meanwhile.
    let mut start_ns = course.clock.now_ns();
    while start_ns < due.intended_ns {
        tokio::task::yield_now().await;
        start_ns = course.clock.now_ns();
    }
    let row = tokio::select! {
        biased;
        row = course.operate(due, &mut client) => row,
        () = course.stopping() => course.cut_short(due, start_ns, ErrorKind::Interrupted),
    };
    if let (false, 0.., Some(start_ns)) = (held_back, due.intended_ns, row.start_ns) {
        course.workload.sink.live().note_own_lag(start_ns - due.intended_ns);
    }
    course.workload.sink.push(row);
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
        self.taken()
    }

    /// A slot, if one is free now.
    fn take_free(self: Arc<Self>) -> Option<Slot> {
        self.permits.try_acquire().ok()?.forget();
        Some(self.taken())
    }

    /// The slot that belongs to a permit just taken.
    fn taken(self: Arc<Self>) -> Slot {
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
