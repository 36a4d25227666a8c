//! Pacing: a thread of its own that announces each operation when it is due. tokio's timer ticks in milliseconds;
//! `clock_nanosleep` with a short scheduler slice comes within tens of microseconds on an idle CPU.

use std::thread::JoinHandle;

use tokio::sync::mpsc;

use crate::clock::{RunClock, monotonic_ns, sleep_until_monotonic};
use crate::error::{Error, Result};

/// How long the pacer sleeps without looking whether anybody still listens.
const LOOK_ROUND_NS: i64 = 100_000_000;

/// Evenly spaced times, the first ones before time 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct EvenSchedule {
    /// Number of operations from time 0 on.
    pub operations: u64,
    /// Time over which they are spread.
    pub over_ns: i64,
    /// Time before 0 that is filled at the same rate.
    pub warm_up_ns: i64,
}

impl EvenSchedule {
    /// Number of operations before time 0.
    pub(super) fn warm_up_operations(&self) -> u64 {
        (u128::from(self.operations) * self.warm_up_ns as u128 / self.over_ns.max(1) as u128) as u64
    }

    /// Number of operations in all.
    pub(super) fn len(&self) -> u64 {
        self.warm_up_operations() + self.operations
    }

    /// When operation `index`, counted from the first of the warm-up, is due.
    pub(super) fn intended_ns(&self, index: u64) -> i64 {
        let from_zero = i128::from(index) - i128::from(self.warm_up_operations());
        (from_zero * i128::from(self.over_ns)).div_euclid(i128::from(self.operations.max(1))) as i64
    }
}

/// Announces every operation of `schedule` on `due` at its time; ends early when the receiver is gone.
///
/// # Errors
/// When the thread cannot be started.
pub(super) fn start(schedule: EvenSchedule, clock: RunClock, due: mpsc::Sender<u64>) -> Result<JoinHandle<Pace>> {
    std::thread::Builder::new()
        .name("pacer".into())
        .spawn(move || pace(schedule, clock, &due))
        .map_err(|error| Error::run(format!("the pacing thread cannot be started: {error}")))
}

/// How pacing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Everything was announced, or nobody listened any more.
    Done,
    /// The queue of due operations was full: the generator itself could not keep up.
    Overrun,
}

fn pace(schedule: EvenSchedule, clock: RunClock, due: &mpsc::Sender<u64>) -> Pace {
    crate::scheduling::wake_promptly();
    for index in 0..schedule.len() {
        if !sleep_while_wanted(clock.to_monotonic_ns(schedule.intended_ns(index)), due) {
            return Pace::Done;
        }
        match due.try_send(index) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Closed(_)) => return Pace::Done,
            Err(mpsc::error::TrySendError::Full(_)) => return Pace::Overrun,
        }
    }
    Pace::Done
}

/// Sleeps until a time; false as soon as nobody listens any more.
fn sleep_while_wanted(until_ns: i64, due: &mpsc::Sender<u64>) -> bool {
    while !due.is_closed() {
        let now_ns = monotonic_ns();
        if until_ns - now_ns <= LOOK_ROUND_NS {
            sleep_until_monotonic(until_ns);
            return true;
        }
        sleep_until_monotonic(now_ns + LOOK_ROUND_NS);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_even_and_fills_the_warm_up_at_the_same_rate() {
        let schedule = EvenSchedule { operations: 10_000, over_ns: 120_000_000_000, warm_up_ns: 3_000_000_000 };
        assert_eq!(schedule.warm_up_operations(), 250);
        assert_eq!(schedule.len(), 10_250);
        assert_eq!(schedule.intended_ns(0), -3_000_000_000);
        assert_eq!(schedule.intended_ns(250), 0);
        assert_eq!(schedule.intended_ns(251), 12_000_000);
        assert_eq!(schedule.intended_ns(10_249), 119_988_000_000);
    }
}
