//! The one clock that dates everything in a run: CLOCK_MONOTONIC, as nanoseconds after the run's time 0. The fault
//! holder, another process, reads the same clock.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

/// CLOCK_MONOTONIC now.
pub fn monotonic_ns() -> i64 {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

/// Wall-clock time now, in nanoseconds of the Unix epoch.
pub fn unix_ns() -> i64 {
    nanoseconds(ClockId::CLOCK_REALTIME)
}

/// CLOCK_BOOTTIME now: as CLOCK_MONOTONIC, but it goes on while the machine sleeps.
pub fn boot_ns() -> i64 {
    nanoseconds(ClockId::CLOCK_BOOTTIME)
}

fn nanoseconds(clock: ClockId) -> i64 {
    // The clocks used here always exist, so there is no error to pass on.
    let time = clock_gettime(clock).expect("CLOCK_MONOTONIC, CLOCK_BOOTTIME and CLOCK_REALTIME exist on Linux");
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

/// Nanoseconds in milliseconds of a spec.
pub fn ms_to_ns(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX / 1_000_000).saturating_mul(1_000_000)
}

/// Sleeps until a reading of CLOCK_MONOTONIC.
pub fn sleep_until_monotonic(deadline_ns: i64) {
    let deadline = TimeSpec::new(deadline_ns / 1_000_000_000, deadline_ns % 1_000_000_000);
    // A signal may end the sleep early: then it is taken up again.
    while clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &deadline) == Err(Errno::EINTR)
    {
    }
}

/// The run's clock: time 0 is the end of the warm-up.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    origin_monotonic_ns: i64,
    origin_unix_ns: i64,
}

impl RunClock {
    /// A clock whose time 0 is `lead` from now.
    pub fn starting_in(lead: Duration) -> Self {
        let lead_ns = i64::try_from(lead.as_nanos()).unwrap_or(i64::MAX / 4);
        Self { origin_monotonic_ns: monotonic_ns() + lead_ns, origin_unix_ns: unix_ns() + lead_ns }
    }

    /// Now, in nanoseconds after time 0; negative in the warm-up.
    pub fn now_ns(&self) -> i64 {
        monotonic_ns() - self.origin_monotonic_ns
    }

    /// A reading of CLOCK_MONOTONIC as a time of this run.
    pub fn from_monotonic_ns(&self, monotonic_ns: i64) -> i64 {
        monotonic_ns - self.origin_monotonic_ns
    }

    /// A time of this run as a reading of CLOCK_MONOTONIC.
    pub fn to_monotonic_ns(&self, run_ns: i64) -> i64 {
        run_ns + self.origin_monotonic_ns
    }

    /// Wall-clock time of time 0.
    pub fn origin_unix_ns(&self) -> i64 {
        self.origin_unix_ns
    }

    /// Sleeps until a time of this run, to the precision of tokio's timer (1 ms).
    pub async fn sleep_until(&self, run_ns: i64) {
        let left_ns = run_ns - self.now_ns();
        if left_ns > 0 {
            tokio::time::sleep(Duration::from_nanos(left_ns.unsigned_abs())).await;
        }
    }
}
