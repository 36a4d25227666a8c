//! Whether the generator, not the cluster, was the limit of a run.
//!
//! Two signs, either of which is enough:
//!
//! - *The clients' threads never rested.* A thread that always runs, or waits for a CPU, leaves answers lying that have
//!   long come: the workload measures how fast the generator is. Waiting for a CPU counts, since beside a cluster on the
//!   same machine it is the same to an answer why nobody takes it in.
//! - *An open loop was late by itself*: operations began long after they were due although the cap on operations under
//!   way let them.
//!
//! The limits were chosen by measuring on a machine of two cores with three members on it, twice, while others compiled
//! there (load 2 to 8). Busy: closed loops of 1 to 256 workers on etcd 17 to 76 %, with a member slowed by 50 ms 2 to 49 %,
//! open loops from 500/s to what etcd could do 19 to 73 %, at ten times as much 81 and 90 % (most operations unsent, and
//! etcd was the limit); the same closed loops of 16 workers and more on a stub that answers at once (25,000 to 47,000/s)
//! and an open loop of 30,000/s on it 95 to 97 %. An open loop of 10,000/s on the stub kept up, at 83 and 90 %. Own lag: 0.1
//! to 11 ms in all of them, the most at 4,000/s on etcd while others compiled.

use crate::clock::RunClock;
use crate::host::{self, ThreadTimes};

/// Name of the threads that carry out operations: those of the clients' place in the network. The pacer, a thread that
/// sleeps, shows in the lag.
const CLIENT_THREADS: &str = "client";
/// Share of time, in percent, from which on the clients' threads count as never resting.
const BUSY_PERCENT_MAX: f64 = 93.0;
/// An own lag from which on an open loop counts as late by itself, for 1 of 100 operations, in microseconds.
const OWN_LAG_P99_US_MAX: f64 = 20_000.0;

/// Says in a sentence why the generator was the limit; `None` when it was not. `busy_percent` is the share of the
/// workload's time in which the clients' threads ran or wanted to, `own_lag_p99_us` the 99th percentile of real minus
/// intended start of operations that the cap did not hold back, in microseconds; either may be unknown.
pub fn reason(busy_percent: Option<f64>, own_lag_p99_us: Option<f64>) -> Option<String> {
    let busy = busy_percent.filter(|percent| *percent >= BUSY_PERCENT_MAX).map(|percent| {
        format!("the clients' threads ran or waited for a CPU {percent:.0} % of the time (limit {BUSY_PERCENT_MAX} %)")
    });
    let late = own_lag_p99_us.filter(|lag_us| *lag_us >= OWN_LAG_P99_US_MAX).map(|lag_us| {
        let (lag_ms, max_ms) = (lag_us / 1000.0, OWN_LAG_P99_US_MAX / 1000.0);
        format!("1 of 100 operations began {lag_ms:.0} ms late or more for no other reason (limit {max_ms} ms)")
    });
    let reasons: Vec<_> = [busy, late].into_iter().flatten().collect();
    (!reasons.is_empty()).then(|| reasons.join(", and "))
}

/// What the clients' threads had used at a moment.
#[derive(Debug)]
pub(super) struct Effort {
    at_ns: i64,
    times: Option<ThreadTimes>,
}

impl Effort {
    pub(super) fn now(clock: RunClock) -> Self {
        Self { at_ns: clock.now_ns(), times: host::thread_times(CLIENT_THREADS) }
    }

    /// Share of the time from an earlier moment to this one in which the threads ran or wanted to, in percent of all of
    /// them; `None` where the kernel does not tell.
    pub(super) fn busy_percent_since(&self, earlier: &Self) -> Option<f64> {
        let (now, then) = (self.times?, earlier.times?);
        let available_ns = (self.at_ns - earlier.at_ns).max(0) as f64 * now.threads as f64;
        let wanted_ns = now.wanted_ns.saturating_sub(then.wanted_ns) as f64;
        (available_ns > 0.0).then(|| wanted_ns * 100.0 / available_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_that_rests_and_is_in_time_is_not_the_limit() {
        assert_eq!(reason(None, None), None);
        assert_eq!(reason(Some(70.0), Some(2_500.0)), None);
        let busy = reason(Some(97.4), Some(100.0)).expect("it never rested");
        assert!(busy.contains("97 % of the time") && !busy.contains("late"), "{busy}");
        let late = reason(Some(30.0), Some(250_000.0)).expect("it was late");
        assert!(late.contains("250 ms late") && !late.contains("CPU"), "{late}");
        let both = reason(Some(99.0), Some(250_000.0)).expect("both");
        assert!(both.contains("CPU") && both.contains("late"), "{both}");
    }

    #[test]
    fn the_busy_share_is_that_of_all_threads() {
        let effort = |at_s: i64, wanted_ms: u64| Effort {
            at_ns: at_s * 1_000_000_000,
            times: Some(ThreadTimes { threads: 2, wanted_ns: wanted_ms * 1_000_000 }),
        };
        assert_eq!(effort(3, 1_500).busy_percent_since(&effort(0, 0)), Some(25.0));
        assert_eq!(effort(0, 0).busy_percent_since(&effort(0, 0)), None);
        let unknown = Effort { at_ns: 1, times: None };
        assert_eq!(effort(3, 1_500).busy_percent_since(&unknown), None);
    }
}
