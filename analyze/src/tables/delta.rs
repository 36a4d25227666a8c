//! Effects of faults: a run's numbers under the fault divided by its own before, or by those of baselines.
//!
//! A run with a `before` is compared with itself: `during/before` and, where the fault was lifted, `after/before`. A run
//! whose fault lasts all the time has no before; it is compared with the baselines of its sweep: `during/baseline`. The
//! run is the replicate: each gives one ratio, and repeats are pooled as geometric means with t intervals.
//!
//! Runs that should show nothing tell how large a ratio is without any reason, the *noise floor*: null faults, and
//! baselines between their thirds (for ratios within a run, of `during` and `after` alike) and against each other (for
//! ratios between runs). It is the largest ratio that they show, one run each, and so no interval: the fewer of them, the
//! smaller it is by chance.

use std::collections::BTreeMap;

use polars::prelude::*;
use run_folder::manifest::Role;

use super::factors::Factors;
use crate::phases::Phase;
use crate::stats;

mod frames;
mod noise;
mod text;

pub use frames::{by_label, by_run};
pub(super) use text::ratio as ratio_in_words;
pub use text::{text_by_label, text_by_run};

/// The numbers that are compared, as their columns are named in the summary. All but the first are latencies.
pub const METRICS: [&str; 9] = [
    "ops_per_s",
    "response_p50_ms",
    "response_p90_ms",
    "response_p99_ms",
    "response_p99_9_ms",
    "service_p50_ms",
    "service_p90_ms",
    "service_p99_ms",
    "service_p99_9_ms",
];

/// A run as it is compared.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Name of the run folder.
    pub run: String,
    /// The run's place among others.
    pub factors: Factors,
    /// Changes of leader from time 0 to the end of the workload.
    pub leader_changes: usize,
    /// Whether the run gets rows of its own, beside being what others are compared with.
    pub is_shown: bool,
    /// [`super::summary::table`] of the run; one without a fault with the phases of
    /// [`crate::phases::Phases::middle_third`].
    pub summary: DataFrame,
}

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compared {
    /// The run under the fault with itself before.
    DuringBefore,
    /// The run after the fault with itself before.
    AfterBefore,
    /// The run under the fault, or a baseline, with the other baselines.
    DuringBaseline,
}

impl Compared {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuringBefore => "during/before",
            Self::AfterBefore => "after/before",
            Self::DuringBaseline => "during/baseline",
        }
    }
}

/// The numbers of one kind of operation in one part of a run, or of several runs together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Level {
    due: u64,
    ok: u64,
    /// In the order of [`METRICS`].
    values: [Option<f64>; METRICS.len()],
}

impl Level {
    fn not_ok_share(&self) -> Option<f64> {
        (self.due > 0).then(|| (self.due - self.ok) as f64 / self.due as f64)
    }

    /// Several runs as one: counts are added, the other numbers are geometric means over the runs.
    fn pooled(levels: &[&Self]) -> Self {
        let values = std::array::from_fn(|metric| {
            let values: Option<Vec<f64>> = levels.iter().map(|level| level.values[metric]).collect();
            stats::geometric_mean(&values?)
        });
        let sum = |of: fn(&Self) -> u64| levels.iter().map(|level| of(level)).sum();
        Self { due: sum(|level| level.due), ok: sum(|level| level.ok), values }
    }
}

/// The numbers of one run, by kind (in the order of the summary) and phase.
type Levels = BTreeMap<(usize, String), BTreeMap<Phase, Level>>;

/// One comparison of one run and kind.
#[derive(Debug, Clone)]
struct Comparison<'a> {
    run: &'a Measured,
    /// Place in the order of kinds, and name.
    kind: (usize, String),
    compared: Compared,
    changed: Level,
    /// What it is compared with; absent where there is no baseline.
    reference: Option<Level>,
    /// Number of baselines; absent where a run is compared with itself.
    baselines: Option<usize>,
    /// In the order of [`METRICS`].
    ratios: [Option<f64>; METRICS.len()],
}

impl<'a> Comparison<'a> {
    fn new(
        run: &'a Measured,
        kind: &(usize, String),
        compared: Compared,
        changed: Level,
        reference: Option<Level>,
        baselines: Option<usize>,
    ) -> Self {
        let ratios = std::array::from_fn(|metric| ratio(changed.values[metric]?, reference?.values[metric]?));
        Self { run, kind: kind.clone(), compared, changed, reference, baselines, ratios }
    }

    /// Comparisons of the same cohort, kind, and sort (between runs, or between the parts of one) share a noise floor.
    fn setting(&self) -> (&'a str, &str, bool) {
        (&self.run.factors.cohort, &self.kind.1, self.compared == Compared::DuringBaseline)
    }
}

fn ratio(changed: f64, reference: f64) -> Option<f64> {
    (reference > 0.0 && changed >= 0.0).then(|| changed / reference)
}

/// Every comparison that the runs allow, of hidden runs too, in reading order and then in order of time.
fn comparisons(runs: &[Measured]) -> PolarsResult<Vec<Comparison<'_>>> {
    let mut runs: Vec<&Measured> = runs.iter().collect();
    runs.sort_by(|a, b| a.factors.reading_order(&b.factors).then_with(|| a.run.cmp(&b.run)));
    let levels = runs.iter().map(|run| levels(&run.summary)).collect::<PolarsResult<Vec<_>>>()?;
    let baselines: Vec<(&Measured, &Levels)> =
        runs.iter().copied().zip(&levels).filter(|(run, _)| is_reference(run)).collect();
    let mut found = Vec::new();
    for (run, levels) in runs.iter().copied().zip(&levels) {
        let is_baseline = run.factors.fault.is_none();
        for (kind, phases) in levels {
            let before = phases.get(&Phase::Before);
            for (phase, compared) in [(Phase::During, Compared::DuringBefore), (Phase::After, Compared::AfterBefore)] {
                if let (Some(before), Some(&changed)) = (before, phases.get(&phase)) {
                    found.push(Comparison::new(run, kind, compared, changed, Some(*before), None));
                }
            }
            let lasting = if is_baseline { Phase::All } else { Phase::During };
            if let Some(&changed) = phases.get(&lasting).filter(|_| is_baseline || before.is_none()) {
                let others = baselines
                    .iter()
                    .filter(|(other, _)| other.factors.cohort == run.factors.cohort && other.run != run.run);
                let others: Vec<&Level> = others.filter_map(|(_, levels)| levels.get(kind)?.get(&Phase::All)).collect();
                if is_baseline && others.is_empty() {
                    // A lone baseline lacks nothing: there is just nobody to compare it with.
                    continue;
                }
                let reference = (!others.is_empty()).then(|| Level::pooled(&others));
                let compared = Compared::DuringBaseline;
                found.push(Comparison::new(run, kind, compared, changed, reference, Some(others.len())));
            }
        }
    }
    Ok(found)
}

/// Whether a run is one that others are compared with: no fault, and one leader all the time.
pub fn is_reference(run: &Measured) -> bool {
    run.factors.fault.is_none() && run.factors.role == Role::Baseline && run.leader_changes == 0
}

fn levels(summary: &DataFrame) -> PolarsResult<Levels> {
    let (kinds, phases) = (summary.column("kind")?.str()?, summary.column("phase")?.str()?);
    let (due, ok) = (summary.column("count")?.u64()?, summary.column("ok")?.u64()?);
    let metrics: Vec<&Float64Chunked> =
        METRICS.iter().map(|name| summary.column(name)?.f64()).collect::<PolarsResult<_>>()?;
    let mut order: Vec<&str> = Vec::new();
    let mut levels = Levels::new();
    for row in 0..summary.height() {
        let kind = kinds.get(row).unwrap_or_default();
        let at = order.iter().position(|known| *known == kind).unwrap_or_else(|| {
            order.push(kind);
            order.len() - 1
        });
        let named = phases.get(row).unwrap_or_default();
        let Some(phase) = Phase::ALL.into_iter().find(|phase| phase.as_str() == named) else { continue };
        let level = Level {
            due: due.get(row).unwrap_or(0),
            ok: ok.get(row).unwrap_or(0),
            values: std::array::from_fn(|metric| metrics[metric].get(row)),
        };
        // The order is that of kinds in general, not of those that this run happens to have: `all` comes last.
        let place = if kind == super::groups::ALL_KINDS { usize::MAX } else { at };
        levels.entry((place, kind.to_owned())).or_default().insert(phase, level);
    }
    Ok(levels)
}

/// The kind that stands for all operations of a run: `all`, or the only one.
pub fn main_kind(kinds: &StringChunked) -> String {
    let last = kinds.iter().flatten().find(|kind| *kind == super::groups::ALL_KINDS);
    last.or_else(|| kinds.iter().flatten().next()).unwrap_or_default().to_owned()
}

/// A noise floor.
#[derive(Debug, Clone, PartialEq)]
pub struct Floor {
    kind: String,
    /// Whether it is one between runs, and not between the parts of one.
    is_level: bool,
    metric: &'static str,
    /// The largest ratio, or its inverse, among runs that should show none.
    pub factor: f64,
}

impl Floor {
    /// Whether it is the floor of a comparison as [`super::compare`] names it: ratios have a slash, levels have none.
    pub fn is_of(&self, kind: &str, compared: &str, metric: &str) -> bool {
        let is_level = !compared.contains('/');
        self.kind == kind && self.metric == metric && self.is_level == is_level
    }
}

/// The noise floors of a cohort from its hidden runs: the shown ones are those that are to be judged.
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub fn floors(runs: &[Measured], cohort: &str) -> PolarsResult<Vec<Floor>> {
    let mut all = comparisons(runs)?;
    all.retain(|row| !row.run.is_shown && row.run.factors.cohort == cohort);
    let noise = noise::Noise::of(&all);
    let mut floors = Vec::new();
    for (kind, is_level, factors) in noise.all() {
        let known = METRICS.into_iter().zip(factors).filter_map(|(metric, factor)| Some((metric, factor?)));
        floors.extend(known.map(|(metric, factor)| Floor { kind: kind.to_owned(), is_level, metric, factor }));
    }
    Ok(floors)
}

/// What is missing for some comparison, in sentences for below the table: runs without a baseline, and baselines that
/// cannot serve as one.
pub fn notes(runs: &[Measured]) -> PolarsResult<Vec<String>> {
    let mut notes = Vec::new();
    let all = comparisons(runs)?;
    let mut lacking: Vec<&str> =
        all.iter().filter(|row| row.run.is_shown && row.reference.is_none()).map(|row| row.run.run.as_str()).collect();
    lacking.dedup();
    if let Some(first) = lacking.first() {
        let others = if lacking.len() > 1 { format!(" and {} more", lacking.len() - 1) } else { String::new() };
        notes.push(format!(
            "no baseline for {first}{others}: it takes a finished run without a fault, of the same sweep (or, outside of \
             sweeps, of none) and with the same workload and cluster, beside it"
        ));
    }
    let mut never: Vec<&str> = Vec::new();
    for run in runs.iter().filter(|run| run.is_shown && !all.iter().any(|row| row.run.run == run.run)) {
        never.push(&run.run);
    }
    if !never.is_empty() {
        notes.push(format!("nothing to compare in {}: no fault was in force", never.join(", ")));
    }
    let changed = runs.iter().filter(|run| run.factors.fault.is_none() && run.leader_changes > 0).count();
    if changed > 0 {
        let baselines = if changed == 1 { "baseline in which" } else { "baselines in which" };
        notes.push(format!("{changed} {baselines} the leader changed: not compared with"));
    }
    Ok(notes)
}
