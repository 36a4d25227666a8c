//! What the probes say of the links: the faulted one before, during and after the fault, and an untouched one meanwhile.

use run_folder::spec::Direction;

use crate::faults::probe::Probe;

/// Fewer probes than this in the window show nothing.
pub(super) const PROBES_MIN: usize = 5;
/// How long before the window probes count as "before".
const BEFORE_NS: i64 = 10_000_000_000;

/// Where and when to look.
#[derive(Debug)]
pub struct Window<'a> {
    /// The faulted member.
    pub member: usize,
    /// All faulted members.
    pub targets: &'a [usize],
    /// The only other member whose traffic with the faulted one is hit, if it is only one.
    pub peer: Option<usize>,
    /// When the fault was in force.
    pub applied_ns: i64,
    /// When it was no longer.
    pub cleared_ns: i64,
}

impl Window<'_> {
    /// Whether a probe goes across the faulted link: into the faulted member, or, where only one link is faulted, across
    /// that one in either direction.
    pub(super) fn is_crossed_by(&self, probe: &Probe) -> bool {
        match self.peer {
            None => probe.member == self.member,
            Some(peer) => [(self.member, Some(peer)), (peer, Some(self.member))].contains(&(probe.member, probe.from)),
        }
    }

    /// Whether no fault touches a probe's link.
    fn leaves_alone(&self, probe: &Probe) -> bool {
        let is_target = |member: &usize| self.targets.contains(member);
        if self.peer.is_some() {
            return !self.is_crossed_by(probe);
        }
        !is_target(&probe.member) && probe.from.is_none_or(|from| !is_target(&from))
    }
}

/// Connect times in microseconds of the faulted link in the three phases, and of an untouched link during the fault.
#[derive(Debug)]
pub(super) struct Links {
    /// Where the faulted link was probed from.
    pub(super) from: Option<usize>,
    pub(super) before: Vec<f64>,
    pub(super) during: Vec<f64>,
    pub(super) during_count: i64,
    pub(super) during_ends: Vec<(f64, i64)>,
    pub(super) after: Vec<f64>,
    pub(super) untouched: Vec<f64>,
}

impl Links {
    pub(super) fn new(window: &Window<'_>, probes: &[Probe]) -> Self {
        let mut links = Self {
            from: probes.iter().find(|probe| window.is_crossed_by(probe)).and_then(|probe| probe.from),
            before: vec![],
            during: vec![],
            during_count: 0,
            during_ends: vec![],
            after: vec![],
            untouched: vec![],
        };
        for probe in probes {
            let ended_by = |edge_ns| probe.connect_us.is_some_and(|us| end_ns(probe, us) <= edge_ns);
            let in_window = probe.start_ns >= window.applied_ns && probe.start_ns < window.cleared_ns;
            if window.is_crossed_by(probe) {
                if probe.start_ns >= window.applied_ns - BEFORE_NS && ended_by(window.applied_ns) {
                    links.before.extend(probe.connect_us);
                } else if in_window && (ended_by(window.cleared_ns) || probe.connect_us.is_none()) {
                    // One that the healing cut short shows neither state.
                    links.during_count += 1;
                    links.during.extend(probe.connect_us);
                    links.during_ends.extend(probe.connect_us.map(|us| (us, end_ns(probe, us))));
                } else if probe.start_ns >= window.cleared_ns {
                    links.after.extend(probe.connect_us);
                }
            } else if in_window && window.leaves_alone(probe) {
                links.untouched.extend(probe.connect_us);
            }
        }
        links
    }

    /// How often a connect attempt pays: once for each direction at each faulted end.
    pub(super) fn crossings(&self, window: &Window<'_>, direction: Direction) -> f64 {
        let ways = if direction == Direction::Both { 2.0 } else { 1.0 };
        let both_ends = window.peer.is_none() && self.from.is_some_and(|from| window.targets.contains(&from));
        let ends = if both_ends { 2.0 } else { 1.0 };
        ways * ends
    }

    /// What connecting takes without the fault: across an untouched link meanwhile, under the same load, or across the
    /// same link before.
    pub(super) fn base_us(&self) -> Option<f64> {
        let enough = |times: &&Vec<f64>| times.len() >= PROBES_MIN;
        let base = Some(&self.untouched).filter(enough).or(Some(&self.before).filter(enough));
        base.or(Some(&self.before)).and_then(|times| median(times)).or_else(|| median(&self.untouched))
    }

    pub(super) fn first_during(&self, shows: impl Fn(f64) -> bool) -> Option<i64> {
        self.during_ends.iter().filter(|(us, _)| shows(*us)).map(|(_, end_ns)| *end_ns).min()
    }
}

pub(super) fn end_ns(probe: &Probe, connect_us: f64) -> i64 {
    probe.start_ns + (connect_us * 1000.0) as i64
}

/// Nearest-rank median.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().div_ceil(2).checked_sub(1)?).copied()
}
