//! Made-up sweeps: the labels, controls, baselines, order and repeats of a planned one.

use super::random::Random;
use super::{Fault, Shape};
use crate::Label;
use crate::manifest::{Role, SweepPlace};
use crate::spec::Effect;

/// A made-up run of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The run itself.
    pub shape: Shape,
    /// Its place in the sweep.
    pub place: Option<SweepPlace>,
    /// Time after which no operation becomes due; absent when their number alone ends the workload.
    pub duration_ms: Option<u64>,
    /// Whether the fault hits only the link between two followers, which no client waits for.
    pub is_unused_link: bool,
    /// When another member takes the lead.
    pub leader_change_ms: Option<u64>,
}

impl From<&Shape> for Planned {
    fn from(shape: &Shape) -> Self {
        let shape = shape.clone();
        Self { shape, place: None, duration_ms: None, is_unused_link: false, leader_change_ms: None }
    }
}

impl Planned {
    /// The fault that clients feel.
    pub(super) fn felt(&self) -> Option<Fault> {
        self.shape.fault.filter(|_| !self.is_unused_link)
    }

    /// Operations after time 0, roughly where time ends the workload.
    pub(super) fn operations(&self) -> u64 {
        let workers = u64::from(self.shape.concurrency) * 1_000_000;
        self.duration_ms.map_or(self.shape.operations, |ms| ms * workers / self.shape.median_service_ns.max(1))
    }
}

/// A made-up sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepShape {
    /// Its id, `<STAMP>_<NAME>`.
    pub id: String,
    /// How the labels that it records begin, as in `loss`; empty for all. Controls and baselines are always there.
    pub only: String,
    /// Whether there are runs with the fault all the time beside those with it in the middle third.
    pub has_full: bool,
    /// How often each run is repeated.
    pub repeats: u32,
    /// Length of each run.
    pub seconds: u64,
    /// Operations per second without a fault.
    pub rate_per_s: u64,
    /// Source of the order, of drift from run to run, and of the runs' own seeds.
    pub seed: u64,
}

/// A baseline comes after so many other runs.
const RUNS_BETWEEN_BASELINES: usize = 5;
/// Standard deviation of the logarithm of what runs differ by without a fault.
const DRIFT: f64 = 0.03;

/// The runs of a sweep in the order in which a recorder would make them: shuffled within each repeat, baselines between.
pub fn planned(sweep: &SweepShape) -> Vec<Planned> {
    let mut random = Random::new(sweep.seed);
    let mut runs = Vec::new();
    for repeat in 1..=sweep.repeats {
        let mut left = faulted(sweep);
        for last in (1..left.len()).rev() {
            left.swap(last, random.below(last as u64 + 1) as usize);
        }
        for (at, (label, fault, role)) in left.into_iter().enumerate() {
            if at % RUNS_BETWEEN_BASELINES == 0 {
                runs.push(run(sweep, "baseline", None, (Role::Baseline, repeat), &mut random));
            }
            runs.push(run(sweep, &label, Some(fault), (role, repeat), &mut random));
        }
        runs.push(run(sweep, "baseline", None, (Role::Baseline, repeat), &mut random));
    }
    for (at, run) in runs.iter_mut().enumerate() {
        run.place.iter_mut().for_each(|place| place.number = at + 1);
    }
    runs
}

fn run(
    sweep: &SweepShape,
    label: &str,
    fault: Option<Fault>,
    (role, repeat): (Role, u32),
    random: &mut Random,
) -> Planned {
    const WORKERS: u64 = 16;
    let median_service_ns = random.log_normal((WORKERS * 1_000_000_000 / sweep.rate_per_s.max(1)) as f64, DRIFT);
    let shape = Shape {
        label: Label::new(label).expect("a valid label"),
        operations: u64::MAX,
        concurrency: WORKERS as u32,
        warm_up_ms: 1000,
        median_service_ns: median_service_ns as u64,
        fault,
        seed: random.below(1 << 32),
    };
    Planned {
        shape,
        place: Some(SweepPlace { sweep: sweep.id.clone(), number: 0, repeat, role }),
        duration_ms: Some(sweep.seconds * 1000),
        is_unused_link: label.starts_with("unusedlink"),
        leader_change_ms: None,
    }
}

/// Every run of one repeat that has a fault.
fn faulted(sweep: &SweepShape) -> Vec<(String, Fault, Role)> {
    let third_ms = sweep.seconds * 1000 / 3;
    let delay = |ms: u64| Effect::delay(ms * 1000);
    let mid = |effect| Fault { effect, at_ms: third_ms, for_ms: Some(third_ms) };
    let full = |effect| Fault { effect, at_ms: 0, for_ms: None };
    let mut runs = Vec::new();
    let mut both = |mid_label: String, full_label: String, effect| {
        runs.push((mid_label, mid(effect), Role::Experiment));
        runs.extend(sweep.has_full.then(|| (full_label, full(effect), Role::Experiment)));
    };
    for percent in [1, 3, 5, 10, 20, 30] {
        let effect = Effect::Loss { loss_percent: f64::from(percent) };
        both(format!("loss{percent}_mid"), format!("loss{percent}_full"), effect);
    }
    for ms in [5, 10, 20, 50, 100] {
        both(format!("delay{ms}_mid"), format!("delay{ms}_full"), delay(ms));
    }
    for ms in [10, 20, 50, 100] {
        both(format!("slowleader_mid{ms}ms"), format!("slowleader_full{ms}ms"), delay(ms));
    }
    runs.retain(|(label, ..)| label.starts_with(&sweep.only));
    runs.push(("null_mid".to_owned(), mid(Effect::Null), Role::Control));
    runs.push(("unusedlink_mid".to_owned(), mid(delay(100)), Role::Control));
    runs
}
