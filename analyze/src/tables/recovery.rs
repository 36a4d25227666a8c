//! Recovery and availability: how long after the fault's end a run was as it was before, what it had lost by then, and
//! how long there was no acknowledged write.
//!
//! A rate is counted in *bins*: half a second, or as long as 20 operations take at the rate before the fault. What bins
//! differ by without any reason is taken from the run itself, from its bins before the fault: a bin is *low* when it lacks
//! more operations than the share that was asked for leaves out (5 % at 95 %), than three standard deviations of the bins
//! before, and than one operation; never more than half of them are let off. Without that, half of all bins of a healthy
//! Poisson workload of 200 operations a second would be below 95 %, and a healthy run would never have recovered.
//!
//! Throughput has *recovered* at the first moment with which a bin begins that is not low (nor is any beginning of it: what
//! had waited and is acknowledged at once does not make up for the time before it), such that for as long as must be held
//! no bin lacks more than a fifth, which is a standstill of a tenth of a second, and the whole of that time has the share that
//! was asked for, less two standard deviations. A moment is looked for every 10 ms. What is held is 2 s by default: longer than etcd's election timeout of 1 s, so that a cluster that is about to elect does not
//! pass for a healthy one, and short beside what is usually recorded after a fault.
//!
//! What was not seen to recover is *censored*: its time is missing and not a number, and the lower bound says how long it
//! certainly took. Pooled by label, censored runs rank above all others, so that a median stays right; where it falls among
//! them it is missing too. Of an even number of runs it is the mean of the two middle ones, and missing where one of these is
//! censored: of two runs of which one never came back there is only a bound, which is half way from the one to what the other
//! certainly took.

use polars::prelude::*;

use super::factors::Factors;

mod backlog;
pub mod curve;
mod pooled;
mod response;
mod run;
mod series;
mod text;

pub use pooled::by_label;
pub use run::table;
pub use text::{text_by_label, text_by_run};

/// Columns of `operations` that are read.
pub const READS: [&str; 5] = super::writes::READS;

/// How long a level must be held, in seconds, unless asked for otherwise.
pub const HOLD_S: f64 = 2.0;
/// The share of the level before at which throughput counts as recovered, in percent, unless asked for otherwise.
pub const SHARE_PERCENT: f64 = 95.0;

/// What counts as recovered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// How long a level must be held, in seconds.
    pub hold_s: f64,
    /// The share of the throughput before the fault that is enough, in percent.
    pub share_percent: f64,
}

impl Rule {
    /// A time that somebody wants a level to be held for, in seconds.
    ///
    /// # Errors
    /// Why it is none.
    pub fn hold_s(hold_s: f64) -> std::result::Result<f64, &'static str> {
        let is_one = hold_s > 0.0 && hold_s <= 86_400.0;
        if is_one { Ok(hold_s) } else { Err("is no number of seconds above 0, as in 2 or 0.5") }
    }

    /// A share of the throughput before that somebody calls enough, in percent.
    ///
    /// # Errors
    /// Why it is none.
    pub fn share_percent(percent: f64) -> std::result::Result<f64, &'static str> {
        let is_one = (50.0..=100.0).contains(&percent);
        if is_one { Ok(percent) } else { Err("is no percentage from 50 to 100, as in 95") }
    }
}

impl Default for Rule {
    fn default() -> Self {
        Self { hold_s: HOLD_S, share_percent: SHARE_PERCENT }
    }
}

/// What recovery has to know of a run beside its rows.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The run's place among others.
    pub factors: &'a Factors,
    /// Changes of leader from time 0 to the end of the workload.
    pub leader_changes: usize,
    /// Whether operations become due whatever becomes of the others; else there is no backlog.
    pub is_open_loop: bool,
}

/// A time that something took from the fault's end on, or how long it certainly took.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Took {
    /// Seconds.
    Exactly(f64),
    /// Longer than so many seconds, in which it was not seen.
    Longer(f64),
}

impl Took {
    fn s(self) -> Option<f64> {
        match self {
            Self::Exactly(s) => Some(s),
            Self::Longer(_) => None,
        }
    }

    fn bound_s(self) -> Option<f64> {
        match self {
            Self::Exactly(_) => None,
            Self::Longer(s) => Some(s),
        }
    }
}

/// The times that a run takes, as their columns begin: each has `_s`, `_censored` and `_lower_bound_s`.
const TIMES: [&str; 5] =
    ["recovery", "first_write", "response_p50_recovery", "response_p99_recovery", "backlog_drained"];

/// The other numbers of a run, which are pooled as medians.
const LEVELS: [&str; 14] = [
    "before_ops_per_s",
    "observed_s",
    "ops_lost",
    "ops_caught_up",
    "ops_missing",
    "residual_ops_per_s_ratio",
    "residual_response_p50_ratio",
    "residual_response_p99_ratio",
    "backlog_before",
    "backlog_at_end",
    "longest_gap_s",
    "under_90_s",
    "under_50_s",
    "under_10_s",
];

/// One more, for the availability of writes.
const UNAVAILABLE: &str = "unavailable_s";

fn times_of(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<Took>>> {
    let exact = frame.column(&format!("{name}_s"))?.f64()?;
    let bound = frame.column(&format!("{name}_lower_bound_s"))?.f64()?;
    Ok(exact.iter().zip(bound.iter()).map(|(s, bound)| s.map(Took::Exactly).or(bound.map(Took::Longer))).collect())
}

fn time_columns(name: &str, times: &[Option<Took>]) -> [Column; 3] {
    let s: Vec<Option<f64>> = times.iter().map(|took| took.and_then(Took::s)).collect();
    let censored: Vec<Option<bool>> = times.iter().map(|took| took.map(|took| took.s().is_none())).collect();
    let bound: Vec<Option<f64>> = times.iter().map(|took| took.and_then(Took::bound_s)).collect();
    [
        Column::new(format!("{name}_s").into(), s),
        Column::new(format!("{name}_censored").into(), censored),
        Column::new(format!("{name}_lower_bound_s").into(), bound),
    ]
}

#[cfg(test)]
mod tests;
