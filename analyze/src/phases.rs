//! Phases of a run: which part of the experiment an operation belongs to.
//!
//! Phases are derived from the measured edges of the fault and never stored, so that a better rule can be applied to
//! an old recording. An operation belongs to the phase of its *intended* start: when it was due decides what it was
//! exposed to, not when the system found time for it.
//!
//! Two kinds of operations near the measured edges belong to neither side, but to [`Phase::Edge`]:
//!
//! - Those due within a *guard band* around an edge. A rule is hooked in (or out) at some time between the moment at which
//!   that was asked for and the moment at which the holder had done it, so that nobody knows what an operation met that was
//!   due between the two. The band is that time, and [`GUARD_NS`] more on both sides; at the end of a netem delay also the
//!   time for which netem still holds packets, see [`FaultEvent::mechanism`].
//! - Those due before the fault and still under way when the band begins: their latency is a mixture of both. Sixteen
//!   workers of a closed loop are caught so at each beginning, and of 800 operations before the fault they alone would be
//!   the slowest 2 %, which is all that a p99 sees. Leaving them out takes a few of the longer ones from `before`
//!   (what is under way at a given time is longer than average): as many as are under way at one time.
//!
//! Those due during the fault and still under way when it ends stay in `during`: they are the slowest, and without
//! them the fault would look harmless. They are counted, as `in_flight` of [`crate::tables::summary`].

use run_folder::FaultEvent;

const NS_PER_MS: i64 = 1_000_000;
const NS_PER_S: f64 = 1e9;

/// What a guard band has on both sides beyond what was recorded of an edge. Edges are dated to microseconds, but an operation
/// that is due so shortly before one is sent, and its packets leave, after it; 5 ms is above what the recorder's own
/// lag and its edges (1 to 2 ms late) come to on a busy machine.
pub const GUARD_NS: i64 = 5_000_000;

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
    /// Operations that cannot be told to be of one side of an edge: due within its guard band, or under way when the fault
    /// began.
    Edge,
    /// Everything but the warm-up, edges included.
    All,
}

impl Phase {
    /// Every phase, in the order that tables list them.
    pub const ALL: [Self; 6] = [Self::WarmUp, Self::Before, Self::During, Self::After, Self::Edge, Self::All];

    /// The name in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WarmUp => "warm_up",
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
            Self::Edge => "edge",
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

/// The time around an edge of which nobody knows to which side it belongs: `[from_ns, to_ns)`. Empty where the phases
/// have no edge, because the fault lasted from the beginning or to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Band {
    from_ns: i64,
    to_ns: i64,
}

impl Band {
    /// The band around an edge that lies somewhere from `first_ns` to `last_ns`, as far as it is within the run.
    fn around(first_ns: i64, last_ns: i64, end_ns: i64) -> Self {
        let from_ns = first_ns.saturating_sub(GUARD_NS).clamp(0, end_ns);
        Self { from_ns, to_ns: last_ns.saturating_add(GUARD_NS).clamp(from_ns, end_ns) }
    }

    const fn none(at_ns: i64) -> Self {
        Self { from_ns: at_ns, to_ns: at_ns }
    }

    fn length_ns(self) -> i64 {
        self.to_ns - self.from_ns
    }
}

/// The fault of a run and its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault {
    window: Window,
    began: Band,
    ended: Band,
}

/// The phases of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phases {
    warm_up_ns: i64,
    end_ns: i64,
    fault: Option<Fault>,
}

impl Phases {
    /// Derives the phases of a run from its faults, the length of its warm-up, and the end of its workload in
    /// nanoseconds after time 0.
    ///
    /// Several fault rows (one fault on several members) give one window, from the first that was in force to the last
    /// that was lifted. A row that was never in force gives none. A fault that was asked for at time 0 leaves no
    /// `before`, and one that was asked to last to the end of the workload leaves no `after`: the milliseconds
    /// that the edge itself took would otherwise make a phase of a handful of operations. Such an end has no guard band either.
    pub fn derive(faults: &[FaultEvent], warm_up_ms: u64, workload_end_ns: i64) -> Self {
        let warm_up_ns = i64::try_from(warm_up_ms).unwrap_or(i64::MAX).saturating_mul(NS_PER_MS);
        let end_ns = workload_end_ns.max(0);
        let in_force: Vec<&FaultEvent> = faults.iter().filter(|fault| fault.applied_ns.is_some()).collect();
        Self { warm_up_ns, end_ns, fault: Fault::of(&in_force, end_ns) }
    }

    /// Phases of a run without a fault as if there had been one in its middle third, as a sweep's faults are: what such a
    /// run shows between them is what two parts of a run differ by without any reason.
    pub fn middle_third(warm_up_ms: u64, workload_end_ns: i64) -> Self {
        let end_ns = workload_end_ns.max(0);
        let window = Window { from_ns: end_ns / 3, to_ns: end_ns / 3 * 2 };
        let around = |at_ns| Band::around(at_ns, at_ns, end_ns);
        let fault = Fault { window, began: around(window.from_ns), ended: around(window.to_ns) };
        Self { fault: (end_ns >= 3).then_some(fault), ..Self::derive(&[], warm_up_ms, end_ns) }
    }

    /// The parts of the run in order of time. Without a fault everything after the warm-up is [`Phase::All`]; with one,
    /// [`Phase::All`] is their union with the edges, without the warm-up, and not listed here. Neither is
    /// [`Phase::Edge`], which is no part of its own but what lies between them, see [`Self::has_edges`].
    pub fn parts(&self) -> Vec<Phase> {
        let warm_up = (self.warm_up_ns > 0).then_some(Phase::WarmUp);
        let measured = match self.fault {
            None => vec![Phase::All],
            Some(fault) => [
                (fault.began.from_ns > 0).then_some(Phase::Before),
                Some(Phase::During),
                (fault.ended.to_ns < self.end_ns).then_some(Phase::After),
            ]
            .into_iter()
            .flatten()
            .collect(),
        };
        warm_up.into_iter().chain(measured).collect()
    }

    /// Whether the fault began or ended within the run, so that there are guard bands.
    pub fn has_edges(&self) -> bool {
        self.fault.is_some_and(|fault| fault.began.length_ns() > 0 || fault.ended.length_ns() > 0)
    }

    /// The phase of a moment; never [`Phase::All`] in a run with a fault. For operations see [`Self::of_operation`].
    pub fn of(&self, time_ns: i64) -> Phase {
        match self.fault {
            _ if time_ns < 0 => Phase::WarmUp,
            None => Phase::All,
            Some(fault) if time_ns < fault.began.from_ns => Phase::Before,
            Some(fault) if time_ns < fault.began.to_ns => Phase::Edge,
            Some(fault) if time_ns < fault.ended.from_ns || fault.ended.from_ns >= self.end_ns => Phase::During,
            Some(fault) if time_ns < fault.ended.to_ns || fault.ended.to_ns >= self.end_ns => Phase::Edge,
            Some(_) => Phase::After,
        }
    }

    /// The phase of an operation that was due at `intended_ns` and was answered, or given up, at `end_ns`: that of the
    /// moment at which it was due, but [`Phase::Edge`] where that is before the fault and it was still under way when the
    /// fault began.
    pub fn of_operation(&self, intended_ns: i64, end_ns: i64) -> Phase {
        match (self.of(intended_ns), self.fault) {
            (Phase::Before, Some(fault)) if end_ns > fault.began.from_ns => Phase::Edge,
            (phase, _) => phase,
        }
    }

    /// When a phase is over, in nanoseconds after time 0; `None` of [`Phase::Edge`], which is two times.
    pub fn end_of(&self, phase: Phase) -> Option<i64> {
        match (phase, self.fault) {
            (Phase::WarmUp, _) => Some(0),
            (Phase::Before, Some(fault)) => Some(fault.began.from_ns),
            (Phase::During, Some(fault)) => Some(fault.ended.from_ns),
            (Phase::Edge, _) => None,
            _ => Some(self.end_ns),
        }
    }

    /// When a phase begins, likewise.
    pub fn start_of(&self, phase: Phase) -> Option<i64> {
        match (phase, self.fault) {
            (Phase::WarmUp, _) => Some(-self.warm_up_ns),
            (Phase::During, Some(fault)) => Some(fault.began.to_ns),
            (Phase::After, Some(fault)) => Some(fault.ended.to_ns),
            (Phase::Edge, _) => None,
            _ => Some(0),
        }
    }

    /// Length of a phase in seconds, guard bands not counted but for [`Phase::Edge`], which is them, and [`Phase::All`];
    /// `None` where the run has no such phase or its length is not known.
    pub fn length_s(&self, phase: Phase) -> Option<f64> {
        let length_ns = match (phase, self.fault) {
            (Phase::Edge, fault) => fault?.began.length_ns() + fault?.ended.length_ns(),
            (Phase::Before | Phase::During | Phase::After, None) => return None,
            (phase, _) => self.end_of(phase)? - self.start_of(phase)?,
        };
        (length_ns > 0).then_some(length_ns as f64 / NS_PER_S)
    }

    /// The same phases with guard bands of at least `guard_ns` on both sides of the edges, where these are known less well.
    pub fn with_guard(mut self, guard_ns: i64) -> Self {
        let end_ns = self.end_ns;
        if let Some(Fault { window, began, ended }) = &mut self.fault {
            for (band, at_ns) in [(&mut *began, window.from_ns), (&mut *ended, window.to_ns)] {
                if band.length_ns() > 0 {
                    band.from_ns = band.from_ns.min(at_ns.saturating_sub(guard_ns)).max(0);
                    band.to_ns = band.to_ns.max(at_ns.saturating_add(guard_ns)).min(end_ns);
                }
            }
            // The bands of a window shorter than they are meet.
            ended.from_ns = ended.from_ns.max(began.to_ns);
            ended.to_ns = ended.to_ns.max(ended.from_ns);
        }
        self
    }

    /// The fault's window; `None` in a run without a fault in force.
    pub fn window(&self) -> Option<Window> {
        self.fault.map(|fault| fault.window)
    }

    /// End of the workload in nanoseconds after time 0.
    pub fn end_ns(&self) -> i64 {
        self.end_ns
    }
}

impl Fault {
    /// The fault of rows that were in force; `None` of none.
    fn of(in_force: &[&FaultEvent], end_ns: i64) -> Option<Self> {
        let applied_ns = || in_force.iter().filter_map(|fault| fault.applied_ns);
        let cleared_ns = || in_force.iter().filter_map(|fault| fault.cleared_ns);
        let first_ns = applied_ns().min()?;
        let from_start = in_force.iter().all(|fault| fault.asked_ns <= 0);
        let to_end = in_force
            .iter()
            .any(|fault| fault.cleared_ns.is_none() || fault.asked_clear_ns.is_none_or(|asked_ns| asked_ns >= end_ns));
        let from_ns = if from_start { 0 } else { first_ns.clamp(0, end_ns) };
        let to_ns = if to_end { end_ns } else { cleared_ns().max().unwrap_or(end_ns).clamp(from_ns, end_ns) };
        let began = || {
            let asked_ns = in_force.iter().map(|fault| fault.asked_ns).min()?;
            Some(Band::around(asked_ns.min(first_ns), applied_ns().max()?, end_ns))
        };
        let ended = || {
            let asked_ns = in_force.iter().filter_map(|fault| fault.asked_clear_ns).min()?;
            let gone_ns =
                in_force.iter().filter_map(|fault| Some(fault.cleared_ns?.saturating_add(held_ns(fault)))).max()?;
            Some(Band::around(asked_ns.min(cleared_ns().min()?), gone_ns, end_ns))
        };
        let began = if from_start { None } else { began() }.unwrap_or(Band::none(from_ns));
        let mut ended = if to_end { None } else { ended() }.unwrap_or(Band::none(to_ns));
        // The bands of a window shorter than they are meet.
        ended.from_ns = ended.from_ns.max(began.to_ns);
        ended.to_ns = ended.to_ns.max(ended.from_ns);
        Some(Self { window: Window { from_ns, to_ns }, began, ended })
    }
}

/// How long packets are held after the rule is gone: what waits in netem leaves when its time has come, the queue shaper lets
/// go at once.
fn held_ns(fault: &FaultEvent) -> i64 {
    let held_us = fault.delay_us.unwrap_or(0.0) + fault.jitter_us.unwrap_or(0.0);
    if fault.mechanism == "netem" { (held_us.max(0.0) * 1e3) as i64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const S: i64 = 1_000 * MS;

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
    fn the_measured_edges_decide_and_what_is_due_around_them_is_of_neither_side() {
        let faults = [fault((10 * S, 20 * S), (Some(10 * S + 3 * MS), Some(20 * S + 7 * MS)))];
        let phases = Phases::derive(&faults, 3000, 30 * S);
        assert_eq!(names(&phases), ["warm_up", "before", "during", "after"]);
        assert!(phases.has_edges());
        let expected = [
            (-1, Phase::WarmUp),
            (0, Phase::Before),
            // Asked for at 10 s, done 3 ms later, and 5 ms on both sides.
            (10 * S - 5 * MS - 1, Phase::Before),
            (10 * S - 5 * MS, Phase::Edge),
            (10 * S + 8 * MS - 1, Phase::Edge),
            (10 * S + 8 * MS, Phase::During),
            (20 * S - 5 * MS - 1, Phase::During),
            (20 * S - 5 * MS, Phase::Edge),
            (20 * S + 12 * MS - 1, Phase::Edge),
            (20 * S + 12 * MS, Phase::After),
            (31 * S, Phase::After),
        ];
        for (time_ns, phase) in expected {
            assert_eq!(phases.of(time_ns), phase, "at {time_ns}");
            assert_eq!(phases.of_operation(time_ns, time_ns), phase, "at {time_ns}");
        }
        assert_eq!(phases.window(), Some(Window { from_ns: 10 * S + 3 * MS, to_ns: 20 * S + 7 * MS }));
        let lengths_s = [(Phase::WarmUp, 3.0), (Phase::Before, 9.995), (Phase::During, 9.987), (Phase::After, 9.988)];
        for (phase, length_s) in lengths_s.into_iter().chain([(Phase::Edge, 0.03), (Phase::All, 30.0)]) {
            assert_eq!(phases.length_s(phase), Some(length_s), "{phase:?}");
        }
    }

    #[test]
    fn an_operation_under_way_at_the_beginning_is_of_neither_side_and_one_at_the_end_is_of_the_fault() {
        let phases = Phases::derive(&[fault((10 * S, 20 * S), (Some(10 * S), Some(20 * S)))], 0, 30 * S);
        let (began_ns, ended_ns) = (10 * S - 5 * MS, 20 * S - 5 * MS);
        assert_eq!((phases.end_of(Phase::Before), phases.end_of(Phase::During)), (Some(began_ns), Some(ended_ns)));
        for (intended_ns, end_ns, phase) in [
            (9 * S, began_ns, Phase::Before),
            (9 * S, began_ns + 1, Phase::Edge),
            (5 * S, 25 * S, Phase::Edge),
            (11 * S, 25 * S, Phase::During),
            (-1, 15 * S, Phase::WarmUp),
            (21 * S, 40 * S, Phase::After),
        ] {
            assert_eq!(phases.of_operation(intended_ns, end_ns), phase, "{intended_ns} to {end_ns}");
        }
    }

    #[test]
    fn the_end_of_a_netem_delay_lasts_until_netem_is_empty() {
        let delay = |mechanism: &str| FaultEvent {
            delay_us: Some(100_000.0),
            jitter_us: Some(10_000.0),
            mechanism: mechanism.to_owned(),
            ..fault((10 * S, 20 * S), (Some(10 * S), Some(20 * S)))
        };
        let after_ns = |mechanism| Phases::derive(&[delay(mechanism)], 0, 30 * S).start_of(Phase::After);
        assert_eq!((after_ns("queue"), after_ns("netem")), (Some(20 * S + 5 * MS), Some(20 * S + 115 * MS)));
    }

    #[test]
    fn a_window_shorter_than_its_bands_has_no_during_of_any_length() {
        let phases = Phases::derive(&[fault((10 * S, 10 * S + MS), (Some(10 * S), Some(10 * S + MS)))], 0, 30 * S);
        assert_eq!(phases.length_s(Phase::During), None);
        assert_eq!((phases.of(10 * S), phases.of(10 * S + 6 * MS)), (Phase::Edge, Phase::After));
    }

    #[test]
    fn edges_that_are_known_less_well_have_wider_bands() {
        let derived = Phases::derive(&[fault((10 * S, 20 * S), (Some(10 * S), Some(20 * S)))], 0, 30 * S);
        let phases = derived.with_guard(S / 2);
        assert_eq!(phases.window(), derived.window());
        for (time_ns, phase) in [
            (9_500 * MS - 1, Phase::Before),
            (9_500 * MS, Phase::Edge),
            (10_500 * MS, Phase::During),
            (19_500 * MS, Phase::Edge),
            (20_500 * MS, Phase::After),
        ] {
            assert_eq!(phases.of(time_ns), phase, "at {time_ns}");
        }
        assert_eq!(phases.length_s(Phase::Edge), Some(2.0));
        assert_eq!(derived.with_guard(0), derived);
        // A fault of the whole run has no edges, and a band may leave nothing of a short window.
        let full = Phases::derive(&[fault((0, 30 * S), (Some(0), None))], 0, 30 * S);
        assert_eq!(full.with_guard(S), full);
        let short = Phases::derive(&[fault((10 * S, 11 * S), (Some(10 * S), Some(11 * S)))], 0, 30 * S).with_guard(S);
        assert_eq!((short.length_s(Phase::During), short.of(13 * S)), (None, Phase::After));
    }

    #[test]
    fn a_full_run_has_only_during() {
        let faults = [fault((0, 30 * S), (Some(2_000_000), Some(30 * S - 5)))];
        let phases = Phases::derive(&faults, 0, 30 * S);
        assert_eq!(names(&phases), ["during"]);
        assert_eq!(phases.of(0), Phase::During);
        assert_eq!(phases.of(30 * S - 1), Phase::During);
        assert!(!phases.has_edges(), "there is no edge where the run begins or ends");
        assert_eq!(phases.length_s(Phase::During), Some(30.0));
        assert_eq!(phases.length_s(Phase::Before), None);
    }

    #[test]
    fn a_fault_to_the_end_has_no_after_even_when_it_was_never_seen_to_end() {
        for cleared in [None, Some(31 * S)] {
            let phases = Phases::derive(&[fault((10 * S, 30 * S), (Some(10 * S), cleared))], 0, 30 * S);
            assert_eq!(names(&phases), ["before", "during"]);
            assert_eq!(phases.length_s(Phase::During), Some(19.995));
            assert_eq!(phases.of(40 * S), Phase::During);
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
