//! Notices what no clock shows by itself: that the machine slept, that the recorder did not run for a while, and that
//! somebody set the wall clock, while time was being measured.
//!
//! A thread of its own reads three clocks every [`TICK`]. CLOCK_BOOTTIME goes on while the machine sleeps and
//! CLOCK_MONOTONIC stands still; CLOCK_REALTIME follows CLOCK_BOOTTIME unless it is set (NTP's gentle adjustment of its
//! speed moves all three alike). A sleep or a pause makes the run fail: operations, faults and members were not
//! stopped at the same time, so that no latency across it means anything. A wall clock that was set makes the run's times
//! of day wrong and nothing else, since everything is dated by CLOCK_MONOTONIC: a warning.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{self, RunClock};
use crate::error::{Error, Result};

const TICK: Duration = Duration::from_millis(100);
/// CLOCK_BOOTTIME ran ahead of CLOCK_MONOTONIC by more: the machine slept. Awake, the two differ by a constant.
const SLEPT_NS: i64 = 100_000_000;
/// Two looks further apart: the recorder did not run. A busy machine delays a tick by some tens of milliseconds.
const PAUSED_NS: i64 = 2_000_000_000;
/// CLOCK_REALTIME moved against CLOCK_BOOTTIME by more: it was set.
const SET_NS: i64 = 500_000_000;
/// Readings of the three clocks that took longer are taken again: the thread was interrupted between them.
const READING_NS_MAX: i64 = 1_000_000;
/// How often at most; the last reading is taken as it is.
const READINGS_MAX: usize = 20;

/// A running watch; dropping it ends it.
#[derive(Debug)]
pub struct ClockWatch {
    /// Never sent on: its end is what ends the thread.
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<Option<String>>>,
    trouble: watch::Receiver<Option<String>>,
}

impl ClockWatch {
    /// Starts watching.
    ///
    /// # Errors
    /// [`Error::Run`] when the thread cannot be started.
    pub fn start(clock: RunClock) -> Result<Self> {
        let (end, ended) = sync_channel::<()>(0);
        let (found, trouble) = watch::channel(None);
        let thread = std::thread::Builder::new().name("clock-watch".into()).spawn(move || {
            let mut judge = Judge::starting_at(Reading::now());
            let mut watching = true;
            while watching {
                // A last look follows the end: what happened since the last tick counts too.
                watching = ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout);
                if let Some(jump) = judge.look(Reading::now()) {
                    found.send_replace(Some(jump.in_words(clock)));
                    return judge.wall_clock_warning();
                }
            }
            judge.wall_clock_warning()
        });
        let thread = thread.map_err(|error| Error::run(format!("the clock watch cannot be started: {error}")))?;
        Ok(Self { end: Some(end), thread: Some(thread), trouble })
    }

    /// Changes when time has jumped: the run has no reason to go on.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }

    /// Looks a last time and ends the watch. Returns why the run cannot be trusted, if time has jumped at all, and what
    /// a reader of its times of day should know.
    pub fn finish(mut self) -> (Option<Error>, Option<String>) {
        self.end = None;
        let warning = self.thread.take().and_then(|thread| thread.join().ok()).flatten();
        let trouble = self.trouble.borrow().clone().map(Error::Run);
        (trouble, warning)
    }
}

/// The three clocks at one moment, in nanoseconds since their own origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    boot_ns: i64,
    monotonic_ns: i64,
    real_ns: i64,
}

impl Reading {
    /// Reads all three so close together that their differences mean something.
    fn now() -> Self {
        for _ in 1..READINGS_MAX {
            let (reading, took_ns) = Self::once();
            if took_ns <= READING_NS_MAX {
                return reading;
            }
        }
        Self::once().0
    }

    /// Reads all three, and says how long that took.
    fn once() -> (Self, i64) {
        let boot_ns = clock::boot_ns();
        let reading = Self { boot_ns, monotonic_ns: clock::monotonic_ns(), real_ns: clock::unix_ns() };
        (reading, clock::boot_ns() - boot_ns)
    }
}

/// What makes the times of a run meaningless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jump {
    /// The machine slept after this moment.
    Slept { after_monotonic_ns: i64, for_ns: i64 },
    /// Nobody looked after this moment.
    Paused { after_monotonic_ns: i64, for_ns: i64 },
}

impl Jump {
    fn in_words(self, clock: RunClock) -> String {
        let (after_monotonic_ns, for_ns) = match self {
            Self::Slept { after_monotonic_ns, for_ns } | Self::Paused { after_monotonic_ns, for_ns } => {
                (after_monotonic_ns, for_ns)
            }
        };
        let at_s = clock.from_monotonic_ns(after_monotonic_ns) as f64 / 1e9;
        let for_s = for_ns as f64 / 1e9;
        match self {
            Self::Slept { .. } => {
                format!("the machine slept for {for_s:.1} s, from {at_s:.1} s on; keep it awake and run again")
            }
            Self::Paused { .. } => format!(
                "the recorder did not run for {for_s:.1} s, from {at_s:.1} s on: it or its machine was suspended, or had \
                 no CPU"
            ),
        }
    }
}

/// Compares each reading with the one before and with the first.
#[derive(Debug)]
struct Judge {
    first: Reading,
    last: Reading,
    /// The furthest that the wall clock has been off, with its sign.
    off_ns: i64,
}

impl Judge {
    fn starting_at(first: Reading) -> Self {
        Self { first, last: first, off_ns: 0 }
    }

    /// Takes a reading in and says whether time has jumped since the last one.
    fn look(&mut self, now: Reading) -> Option<Jump> {
        let last = std::mem::replace(&mut self.last, now);
        // Since the first: two short sleeps are a longer one, and so with steps of the wall clock.
        let slept_ns = (now.boot_ns - self.first.boot_ns) - (now.monotonic_ns - self.first.monotonic_ns);
        let off_ns = (now.real_ns - self.first.real_ns) - (now.boot_ns - self.first.boot_ns);
        if off_ns.abs() > self.off_ns.abs() {
            self.off_ns = off_ns;
        }
        let after_monotonic_ns = last.monotonic_ns;
        if slept_ns > SLEPT_NS {
            return Some(Jump::Slept { after_monotonic_ns, for_ns: slept_ns });
        }
        let for_ns = now.boot_ns - last.boot_ns;
        (for_ns > PAUSED_NS).then_some(Jump::Paused { after_monotonic_ns, for_ns })
    }

    fn wall_clock_warning(&self) -> Option<String> {
        let off_s = self.off_ns as f64 / 1e9;
        (self.off_ns.abs() > SET_NS).then(|| {
            format!("the wall clock was set during the run ({off_s:+.1} s): times of day may be off by that much")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Reading =
        Reading { boot_ns: 50_000_000_000, monotonic_ns: 40_000_000_000, real_ns: 1_700_000_000_000_000_000 };

    /// Milliseconds that the clocks (boot, monotonic, real) advance from one reading to the next.
    fn judge(steps_ms: &[(i64, i64, i64)]) -> (Option<Jump>, Option<String>) {
        let mut judge = Judge::starting_at(START);
        let mut now = START;
        for (boot_ms, monotonic_ms, real_ms) in steps_ms {
            now.boot_ns += boot_ms * 1_000_000;
            now.monotonic_ns += monotonic_ms * 1_000_000;
            now.real_ns += real_ms * 1_000_000;
            if let Some(jump) = judge.look(now) {
                return (Some(jump), judge.wall_clock_warning());
            }
        }
        (None, judge.wall_clock_warning())
    }

    #[test]
    fn time_that_only_passes_is_no_jump() {
        assert_eq!(judge(&[(100, 100, 100); 50]), (None, None));
        // Late ticks of a busy machine, and clocks read a little apart.
        assert_eq!(judge(&[(100, 100, 100), (1_900, 1_900, 1_899), (100, 101, 100)]), (None, None));
    }

    #[test]
    fn a_sleep_is_found_whatever_its_length_and_dated_by_the_look_before_it() {
        let after_monotonic_ns = START.monotonic_ns + 100_000_000;
        let slept = |for_ms: i64| Some(Jump::Slept { after_monotonic_ns, for_ns: for_ms * 1_000_000 });
        assert_eq!(judge(&[(100, 100, 100), (3_100, 100, 3_100)]), (slept(3_000), None));
        assert_eq!(judge(&[(100, 100, 100), (250, 100, 250)]), (slept(150), None));
        assert_eq!(judge(&[(180, 100, 180), (180, 100, 180)]).0, slept(160), "two short sleeps are a longer one");
        assert_eq!(judge(&[(190, 100, 190), (100, 100, 100)]), (None, None));
    }

    #[test]
    fn a_pause_is_found_although_all_clocks_went_on() {
        let paused = Jump::Paused { after_monotonic_ns: START.monotonic_ns + 200_000_000, for_ns: 3_000_000_000 };
        assert_eq!(judge(&[(200, 200, 200), (3_000, 3_000, 3_000)]), (Some(paused), None));
        let words = paused.in_words(RunClock::starting_in(Duration::ZERO));
        assert!(words.starts_with("the recorder did not run for 3.0 s, from "), "{words}");
    }

    #[test]
    fn a_wall_clock_that_is_set_is_a_warning_and_no_failure() {
        let (jump, warning) = judge(&[(100, 100, 100), (100, 100, -3_500), (100, 100, 100)]);
        assert_eq!(jump, None);
        assert!(warning.as_ref().is_some_and(|text| text.contains("(-3.6 s)")), "{warning:?}");
        assert_eq!(judge(&[(100, 100, 500)]), (None, None), "400 ms are within what nobody notices");
        let (_, warning) = judge(&[(100, 100, 400), (100, 100, 400)]);
        assert!(warning.is_some_and(|text| text.contains("(+0.6 s)")), "two steps add up");
    }

    #[test]
    fn the_clocks_of_this_machine_agree_while_it_is_awake() {
        let watch = ClockWatch::start(RunClock::starting_in(Duration::ZERO)).unwrap();
        std::thread::sleep(TICK * 3);
        assert!(watch.trouble().borrow().is_none());
        let (trouble, warning) = watch.finish();
        assert!(trouble.is_none() && warning.is_none(), "{trouble:?} {warning:?}");
    }
}
