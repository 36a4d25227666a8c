//! What is known of the run while it goes on: for the progress display, and for the manifest's facts about the
//! generator. The tables are the truth; this is not read by any analysis.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use run_folder::Operation;
use run_folder::operation::Outcome;

/// Longest latency that the histograms tell apart, in microseconds.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Running counts, taken from the rows as they are written, and what the workload says of the generator.
#[derive(Debug, Default)]
pub struct Live {
    rows: Mutex<State>,
    /// Apart from the rows, so that no operation waits while a batch of rows is taken in.
    generator: Mutex<GeneratorState>,
}

/// What no row tells.
#[derive(Debug)]
struct GeneratorState {
    /// Start minus intended start after the warm-up, in nanoseconds, of what nothing but the generator held back.
    own_lag_ns: Histogram<u64>,
    busy_percent: Option<f64>,
}

#[derive(Debug)]
struct State {
    counts: Counts,
    /// Response times since the last look, in microseconds.
    recent_us: Histogram<u64>,
    recent_ok: u64,
    looked_at: Instant,
    /// Start minus intended start of all operations after the warm-up, in nanoseconds.
    lag_ns: Histogram<u64>,
    recent_lag_max_ns: u64,
}

/// An empty histogram that tells values up to `max` apart by three digits.
fn histogram(max: u64) -> Histogram<u64> {
    Histogram::new_with_max(max, 3).expect("3 digits and this maximum are valid")
}

impl Default for GeneratorState {
    fn default() -> Self {
        Self { own_lag_ns: histogram(LATENCY_US_MAX * 1000), busy_percent: None }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            counts: Counts::default(),
            recent_us: histogram(LATENCY_US_MAX),
            recent_ok: 0,
            looked_at: Instant::now(),
            lag_ns: histogram(LATENCY_US_MAX * 1000),
            recent_lag_max_ns: 0,
        }
    }
}

/// Totals since time 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Acknowledged operations.
    pub ok: u64,
    /// All others.
    pub not_ok: u64,
    /// Both together, and those of the warm-up.
    pub all: u64,
}

/// What has happened since the last look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recent {
    /// Time since the last look.
    pub over: Duration,
    /// Acknowledged operations.
    pub ok: u64,
    /// 99th percentile of the response time of acknowledged operations, in milliseconds, if there were any.
    pub p99_ms: Option<f64>,
}

/// How far operations started behind their intended time, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lag {
    /// Median.
    pub p50_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// Maximum.
    pub max_us: f64,
}

impl Live {
    /// Takes rows in.
    pub fn take_in(&self, operations: &[Operation]) {
        let mut state = self.state();
        for operation in operations {
            let measured = operation.intended_ns >= 0;
            state.counts.all += 1;
            if operation.outcome == Outcome::Ok {
                state.recent_ok += 1;
                let response_us = (operation.end_ns - operation.intended_ns).max(0).unsigned_abs() / 1000;
                state.recent_us.saturating_record(response_us);
                state.counts.ok += u64::from(measured);
            } else {
                state.counts.not_ok += u64::from(measured);
            }
            if let Some(start_ns) = operation.start_ns {
                let lag_ns = (start_ns - operation.intended_ns).max(0).unsigned_abs();
                state.recent_lag_max_ns = state.recent_lag_max_ns.max(lag_ns);
                if measured {
                    state.lag_ns.saturating_record(lag_ns);
                }
            }
        }
    }

    /// Totals since time 0.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// What has happened since the last look; meant for one display.
    pub fn recent(&self) -> Recent {
        let mut state = self.state();
        let p99_ms = (!state.recent_us.is_empty()).then(|| state.recent_us.value_at_quantile(0.99) as f64 / 1000.0);
        state.recent_us.reset();
        let over = std::mem::replace(&mut state.looked_at, Instant::now()).elapsed();
        Recent { over, ok: std::mem::take(&mut state.recent_ok), p99_ms }
    }

    /// Longest lag since the last look, in microseconds; meant for one sampler.
    pub fn recent_lag_max_us(&self) -> f64 {
        std::mem::take(&mut self.state().recent_lag_max_ns) as f64 / 1000.0
    }

    /// The lag of the whole run after its warm-up.
    pub fn lag(&self) -> Lag {
        let state = self.state();
        let at = |quantile| state.lag_ns.value_at_quantile(quantile) as f64 / 1000.0;
        Lag { p50_us: at(0.5), p99_us: at(0.99), max_us: state.lag_ns.max() as f64 / 1000.0 }
    }

    /// Takes in how late an operation began that nothing but the generator held back.
    pub fn note_own_lag(&self, lag_ns: i64) {
        self.generator().own_lag_ns.saturating_record(lag_ns.max(0).unsigned_abs());
    }

    /// 99th percentile of [`Live::note_own_lag`], in microseconds; `None` when there was none.
    pub fn own_lag_p99_us(&self) -> Option<f64> {
        let generator = self.generator();
        let lag_ns = &generator.own_lag_ns;
        (!lag_ns.is_empty()).then(|| lag_ns.value_at_quantile(0.99) as f64 / 1000.0)
    }

    /// Keeps the share of time in which the clients' threads ran or wanted to, in percent.
    pub fn set_busy_percent(&self, percent: Option<f64>) {
        self.generator().busy_percent = percent;
    }

    /// See [`Live::set_busy_percent`]; `None` until it is known.
    pub fn busy_percent(&self) -> Option<f64> {
        self.generator().busy_percent
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn generator(&self) -> std::sync::MutexGuard<'_, GeneratorState> {
        self.generator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
