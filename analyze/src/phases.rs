//! Phases of a run: which part of the experiment an operation belongs to.
//!
//! Phases are derived from the measured edges of the fault and never stored, so that a better rule can be applied to
//! an old recording. An operation belongs to the phase of its *intended* start: when it was due decides what it was
//! exposed to, not when the system found time for it.

use run_folder::FaultEvent;

const NS_PER_MS: i64 = 1_000_000;
const NS_PER_S: f64 = 1e9;

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before the run's time 0.
    WarmUp,
    /// From time 0 until the fault is in force.
    Before,
    /// While the fault is in force.
    During,
    /// From the fault's end to the end of the workload.
    After,
    /// Everything but the warm-up.
    All,
}

impl Phase {
    /// Every phase, in the order that tables list them.
    pub const ALL: [Self; 5] = [Self::WarmUp, Self::Before, Self::During, Self::After, Self::All];

    /// The name in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WarmUp => "warm_up",
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
            Self::All => "all",
        }
    }
}

/// The time in which a fault was in force, as measured: `[from_ns, to_ns)` in nanoseconds after the run's time 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The fault was in force from here on.
    pub from_ns: i64,
    /// The fault was no longer in force from here on; the end of the workload when it lasted until then.
    pub to_ns: i64,
}

impl Window {
    /// The edges in seconds after the run's time 0.
    pub fn seconds(self) -> (f64, f64) {
        (self.from_ns as f64 / NS_PER_S, self.to_ns as f64 / NS_PER_S)
    }
}

/// The phases of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phases {
    warm_up_ns: i64,
    end_ns: i64,
    window: Option<Window>,
}

impl Phases {
    /// Derives the phases of a run from its faults, the length of its warm-up, and the end of its workload in
    /// nanoseconds after time 0.
    ///
    /// Several fault rows (one fault on several members) give one window, from the first that was in force to the last
    /// that was lifted. A row that was never in force gives none. A fault that was asked for at time 0 leaves no
    /// `before`, and one that was asked to last to the end of the workload leaves no `after`: the milliseconds
    /// that the edge itself took would otherwise make a phase of a handful of operations.
    pub fn derive(faults: &[FaultEvent], warm_up_ms: u64, workload_end_ns: i64) -> Self {
        let warm_up_ns = i64::try_from(warm_up_ms).unwrap_or(i64::MAX).saturating_mul(NS_PER_MS);
        let end_ns = workload_end_ns.max(0);
        let in_force: Vec<&FaultEvent> = faults.iter().filter(|fault| fault.applied_ns.is_some()).collect();
        let window = in_force.iter().filter_map(|fault| fault.applied_ns).min().map(|applied_ns| {
            let from_start = in_force.iter().all(|fault| fault.asked_ns <= 0);
            let to_end = in_force.iter().any(|fault| {
                fault.cleared_ns.is_none() || fault.asked_clear_ns.is_none_or(|asked_ns| asked_ns >= end_ns)
            });
            let cleared_ns = in_force.iter().filter_map(|fault| fault.cleared_ns).max().unwrap_or(end_ns);
            let from_ns = if from_start { 0 } else { applied_ns.clamp(0, end_ns) };
            let to_ns = if to_end { end_ns } else { cleared_ns.clamp(from_ns, end_ns) };
            Window { from_ns, to_ns }
        });
        Self { warm_up_ns, end_ns, window }
    }

    /// Phases of a run without a fault as if there had been one in its middle third, as a sweep's faults are: what such a
    /// run shows between them is what two parts of a run differ by without any reason.
    pub fn middle_third(warm_up_ms: u64, workload_end_ns: i64) -> Self {
        let end_ns = workload_end_ns.max(0);
        let window = Window { from_ns: end_ns / 3, to_ns: end_ns / 3 * 2 };
        Self { window: (end_ns >= 3).then_some(window), ..Self::derive(&[], warm_up_ms, end_ns) }
    }

    /// The phases that partition the run's operations, in order of time. Without a fault everything after the
    /// warm-up is [`Phase::All`]; with one, [`Phase::All`] is their union without the warm-up and not listed here.
    pub fn parts(&self) -> Vec<Phase> {
        let warm_up = (self.warm_up_ns > 0).then_some(Phase::WarmUp);
        let measured = match self.window {
            None => vec![Phase::All],
            Some(window) => [
                (window.from_ns > 0).then_some(Phase::Before),
                Some(Phase::During),
                (window.to_ns < self.end_ns).then_some(Phase::After),
            ]
            .into_iter()
            .flatten()
            .collect(),
        };
        warm_up.into_iter().chain(measured).collect()
    }

    /// The phase of an operation that was due at `intended_ns`; never [`Phase::All`] in a run with a fault.
    pub fn of(&self, intended_ns: i64) -> Phase {
        match self.window {
            _ if intended_ns < 0 => Phase::WarmUp,
            None => Phase::All,
            Some(window) if intended_ns < window.from_ns => Phase::Before,
            Some(window) if intended_ns < window.to_ns || window.to_ns >= self.end_ns => Phase::During,
            Some(_) => Phase::After,
        }
    }

    /// Length of a phase in seconds; `None` where the run has no such phase or its length is not known.
    pub fn length_s(&self, phase: Phase) -> Option<f64> {
        let window = self.window;
        let length_ns = match phase {
            Phase::WarmUp => self.warm_up_ns,
            Phase::Before => window?.from_ns,
            Phase::During => window?.to_ns - window?.from_ns,
            Phase::After => self.end_ns - window?.to_ns,
            Phase::All => self.end_ns,
        };
        (length_ns > 0).then_some(length_ns as f64 / NS_PER_S)
    }

    /// The fault's window; `None` in a run without a fault in force.
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// End of the workload in nanoseconds after time 0.
    pub fn end_ns(&self) -> i64 {
        self.end_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn fault(asked: (i64, i64), measured: (Option<i64>, Option<i64>)) -> FaultEvent {
        FaultEvent {
            asked_ns: asked.0,
            asked_clear_ns: Some(asked.1),
            applied_ns: measured.0,
            cleared_ns: measured.1,
            ..FaultEvent::default()
        }
    }

    fn names(phases: &Phases) -> Vec<&'static str> {
        phases.parts().into_iter().map(Phase::as_str).collect()
    }

    #[test]
    fn the_measured_edges_decide_and_not_the_asked_ones() {
        let faults = [fault((10 * S, 20 * S), (Some(10 * S + 3), Some(20 * S + 7)))];
        let phases = Phases::derive(&faults, 3000, 30 * S);
        assert_eq!(names(&phases), ["warm_up", "before", "during", "after"]);
        let expected = [
            (-1, Phase::WarmUp),
            (0, Phase::Before),
            (10 * S + 2, Phase::Before),
            (10 * S + 3, Phase::During),
            (20 * S + 6, Phase::During),
            (20 * S + 7, Phase::After),
            (31 * S, Phase::After),
        ];
        for (intended_ns, phase) in expected {
            assert_eq!(phases.of(intended_ns), phase, "at {intended_ns}");
        }
        assert_eq!(phases.length_s(Phase::WarmUp), Some(3.0));
        assert_eq!(phases.length_s(Phase::During), Some(10.000_000_004));
        assert_eq!(phases.length_s(Phase::All), Some(30.0));
    }

    #[test]
    fn a_full_run_has_only_during() {
        let faults = [fault((0, 30 * S), (Some(2_000_000), Some(30 * S - 5)))];
        let phases = Phases::derive(&faults, 0, 30 * S);
        assert_eq!(names(&phases), ["during"]);
        assert_eq!(phases.of(0), Phase::During);
        assert_eq!(phases.of(30 * S - 1), Phase::During);
        assert_eq!(phases.length_s(Phase::During), Some(30.0));
        assert_eq!(phases.length_s(Phase::Before), None);
    }

    #[test]
    fn a_fault_to_the_end_has_no_after_even_when_it_was_never_seen_to_end() {
        for cleared in [None, Some(31 * S)] {
            let phases = Phases::derive(&[fault((10 * S, 30 * S), (Some(10 * S), cleared))], 0, 30 * S);
            assert_eq!(names(&phases), ["before", "during"]);
            assert_eq!(phases.length_s(Phase::During), Some(20.0));
        }
    }

    #[test]
    fn several_targets_make_one_window_and_a_fault_never_in_force_makes_none() {
        let both = [
            fault((10 * S, 20 * S), (Some(11 * S), Some(20 * S))),
            fault((10 * S, 20 * S), (Some(10 * S), Some(21 * S))),
        ];
        assert_eq!(Phases::derive(&both, 0, 30 * S).window(), Some(Window { from_ns: 10 * S, to_ns: 21 * S }));
        let never = [fault((10 * S, 20 * S), (None, None))];
        assert_eq!(names(&Phases::derive(&never, 1, 30 * S)), ["warm_up", "all"]);
    }

    #[test]
    fn the_middle_third_of_a_run_without_a_fault() {
        let phases = Phases::middle_third(1000, 30 * S);
        assert_eq!(phases.window(), Some(Window { from_ns: 10 * S, to_ns: 20 * S }));
        assert_eq!(names(&phases), ["warm_up", "before", "during", "after"]);
        assert_eq!(Phases::middle_third(0, 0).window(), None);
    }

    #[test]
    fn a_run_without_an_end_does_not_divide_by_zero() {
        let phases = Phases::derive(&[fault((10 * S, 20 * S), (Some(10 * S), None))], 0, 0);
        assert_eq!(phases.length_s(Phase::All), None);
        assert_eq!(phases.of(5), Phase::During);
    }
}
