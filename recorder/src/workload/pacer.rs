//! Pacing: a thread of its own that announces each operation just before it is due. tokio's timer ticks in milliseconds;
//! `clock_nanosleep` with a short scheduler slice comes within tens of microseconds on an idle CPU.

use std::thread::JoinHandle;

use tokio::sync::mpsc;

use crate::clock::{RunClock, monotonic_ns, sleep_until_monotonic};
use crate::error::{Error, Result};

/// How long before its time an operation is announced: about what it takes to wake first this thread and then one that
/// carries the operation out, on an idle machine. Whoever is awake too early waits for the exact time.
const AHEAD_NS: i64 = 50_000;
/// How long the pacer sleeps without looking whether anybody still listens.
const LOOK_ROUND_NS: i64 = 100_000_000;

/// Announces every operation of a schedule on `due` by its time, in nanoseconds after time 0, and [`AHEAD_NS`] before it;
/// ends early when the receiver is gone.
///
/// # Errors
/// When the thread cannot be started.
pub(super) fn start(
    times_ns: impl Iterator<Item = i64> + Send + 'static,
    clock: RunClock,
    due: mpsc::Sender<i64>,
) -> Result<JoinHandle<Pace>> {
    std::thread::Builder::new()
        .name("pacer".into())
        .spawn(move || pace(times_ns, clock, &due))
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

fn pace(times_ns: impl Iterator<Item = i64>, clock: RunClock, due: &mpsc::Sender<i64>) -> Pace {
    crate::scheduling::wake_promptly();
    for intended_ns in times_ns {
        if !sleep_while_wanted(clock.to_monotonic_ns(intended_ns) - AHEAD_NS, due) {
            return Pace::Done;
        }
        match due.try_send(intended_ns) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Closed(_)) => return Pace::Done,
            Err(mpsc::error::TrySendError::Full(_)) => return Pace::Overrun,
        }
    }
    Pace::Done
}

/// Sleeps until a time; false as soon as nobody listens any more.
fn sleep_while_wanted(until_ns: i64, due: &mpsc::Sender<i64>) -> bool {
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
