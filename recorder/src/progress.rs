//! Progress on standard error: one line that is redrawn on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use run_folder::{Label, RunSpec};
use tokio::sync::watch;

use crate::clock::RunClock;
use crate::recording::LiveView;
use crate::terminal;

const INTERVAL: Duration = Duration::from_secs(1);
/// Off a terminal a line is printed at each change of phase and this many intervals after the last one.
const PLAIN_INTERVALS: u32 = 10;

/// Where the run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// No fault so far.
    #[default]
    Before,
    /// The fault is in force.
    FaultOn,
    /// The fault is gone.
    Healed,
}

/// The phase, shared between the window and the display.
#[derive(Debug, Default)]
pub struct PhaseCell(watch::Sender<Phase>);

impl PhaseCell {
    /// Changes the phase.
    pub fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }
}

/// Where the sweep stands that a run belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Number of the run among those of the sweep, from 1.
    pub number: usize,
    /// Number of runs in the sweep.
    pub total: usize,
    /// Runs that have failed so far.
    pub failed: usize,
    /// When the sweep is expected to end.
    pub ends: Instant,
}

impl Standing {
    /// The run's number among all, as in `[ 7/32]`.
    pub fn numbered(self) -> String {
        let width = self.total.to_string().len();
        format!("[{:>width$}/{}]", self.number, self.total)
    }

    /// What is still to come, as in `9 min 20 s left, 1 failed`.
    pub fn outlook(self) -> String {
        let left_s = self.ends.saturating_duration_since(Instant::now()).as_secs();
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        format!("{} left{failed}", crate::units::in_words(left_s))
    }

    /// Shows on a terminal that the run is being prepared, until the result is dropped.
    pub fn announce(self, label: &Label) -> Announcement {
        let on_terminal = std::io::stderr().is_terminal();
        if on_terminal {
            let line = format!("{} {} | {label}  starting", self.numbered(), self.outlook());
            let _ = write!(std::io::stderr(), "{}", fitting(&line));
        }
        Announcement { on_terminal }
    }
}

/// A line on the terminal that goes away by itself.
#[derive(Debug)]
pub struct Announcement {
    on_terminal: bool,
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if self.on_terminal {
            erase_line();
        }
    }
}

/// A running display; dropping it ends it and leaves the terminal on a fresh line.
#[derive(Debug)]
pub struct Progress {
    task: tokio::task::AbortHandle,
    on_terminal: bool,
}

impl Progress {
    /// Starts the display. In a sweep nothing is shown off a terminal: there, each run has its line at its end.
    pub fn start(
        spec: &RunSpec,
        clock: RunClock,
        live: LiveView,
        phase: &PhaseCell,
        standing: Option<Standing>,
    ) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let display = Display {
            planned_s: spec.planned_ms().map(|ms| ms as f64 / 1000.0),
            operations: spec.workload.operations,
            has_fault: spec.fault.is_some(),
            label: spec.label.to_string(),
            standing,
            clock,
            live,
            phase: phase.0.subscribe(),
        };
        Self { task: tokio::spawn(display.run(on_terminal)).abort_handle(), on_terminal }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        if self.on_terminal {
            erase_line();
        }
    }
}

struct Display {
    planned_s: Option<f64>,
    operations: Option<u64>,
    has_fault: bool,
    label: String,
    standing: Option<Standing>,
    clock: RunClock,
    live: LiveView,
    phase: watch::Receiver<Phase>,
}

impl Display {
    async fn run(mut self, on_terminal: bool) {
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut last_phase = "";
        let mut silent = 0;
        // The first tick comes at once, when there is nothing to show yet.
        ticks.tick().await;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                // At once, so that no phase is too short to be shown.
                Ok(()) = self.phase.changed() => {}
            }
            let phase = self.phase_text();
            let line = self.line(phase);
            if on_terminal {
                erase_line();
                let _ = write!(std::io::stderr(), "{}", fitting(&line));
            } else if self.standing.is_none() && (phase != last_phase || silent == PLAIN_INTERVALS) {
                terminal::line(line);
                silent = 0;
            }
            silent += 1;
            last_phase = phase;
        }
    }

    fn phase_text(&self) -> &'static str {
        match *self.phase.borrow() {
            _ if self.clock.now_ns() < 0 => "warm-up",
            Phase::Before if self.has_fault => "before",
            Phase::Before => "no fault",
            Phase::FaultOn => "fault on",
            Phase::Healed => "healed",
        }
    }

    fn line(&self, phase: &str) -> String {
        let now_s = self.clock.now_ns() as f64 / 1e9;
        let live = self.live.live();
        let (recent, counts) = (live.recent(), live.counts());
        let p99 = recent.p99_ms.map_or_else(|| "-".into(), |p99_ms| format!("{p99_ms:.1} ms"));
        let left = match (self.planned_s, self.operations) {
            (Some(planned_s), _) if now_s <= planned_s => format!("{:.0} s left", planned_s - now_s),
            (Some(_), _) => "finishing".into(),
            (None, Some(operations)) => {
                format!("{} operations left", operations.saturating_sub(counts.ok + counts.not_ok))
            }
            (None, None) => String::new(),
        };
        // On a narrow terminal the end is cut off, so what matters most stands first.
        let (before, left) = match self.standing {
            Some(standing) => {
                (format!("{} {} | {} ", standing.numbered(), standing.outlook(), self.label), String::new())
            }
            None => (String::new(), left),
        };
        format!(
            "{before}{now_s:5.1} s  {phase:8}  {:6.0} ops/s  p99 {p99:>9}  errors {}  {left}",
            recent.ok as f64 / recent.over.as_secs_f64().max(1e-3),
            counts.not_ok
        )
    }
}

/// As much of a line as the terminal is wide: only a single row can be erased again.
fn fitting(line: &str) -> String {
    let (columns, _) = terminal::size_of(std::io::stderr());
    line.chars().take(columns.saturating_sub(1)).collect()
}

fn erase_line() {
    let _ = write!(std::io::stderr(), "\r\x1b[2K");
}
