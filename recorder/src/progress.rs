//! Progress on standard error: one line that is redrawn on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use run_folder::RunSpec;
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

/// A running display; dropping it ends it and leaves the terminal on a fresh line.
#[derive(Debug)]
pub struct Progress {
    task: tokio::task::AbortHandle,
    on_terminal: bool,
}

impl Progress {
    /// Starts the display.
    pub fn start(spec: &RunSpec, clock: RunClock, live: LiveView, phase: &PhaseCell) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let display = Display {
            planned_s: spec.planned_ms().map(|ms| ms as f64 / 1000.0),
            operations: spec.workload.operations,
            has_fault: spec.fault.is_some(),
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
                let _ = write!(std::io::stderr(), "{line}");
            } else if phase != last_phase || silent == PLAIN_INTERVALS {
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
        format!(
            "{now_s:7.1} s  {phase:8}  {:6.0} ops/s  p99 {p99:>9}  errors {}  {left}",
            recent.ok as f64 / recent.over.as_secs_f64().max(1e-3),
            counts.not_ok
        )
    }
}

fn erase_line() {
    let _ = write!(std::io::stderr(), "\r\x1b[2K");
}
