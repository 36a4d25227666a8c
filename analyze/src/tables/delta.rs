//! Effects of faults: a run's numbers under the fault against its own before, or against those of baselines.
//!
//! A run with a `before` is compared with itself: `during/before` and, where the fault was lifted, `after/before`. A run
//! whose fault lasts all the time has no before; it is compared with the baselines of its sweep: `during/baseline`. The
//! run is the replicate: however many operations it holds, it gives one difference and one ratio, and repeats are pooled, ratios as
//! geometric means. Intervals are 95 % ones:
//!
//! - *between-run*, of two and more repeats: t intervals of the mean of the runs' differences, and of the mean logarithm of
//!   their ratios ([`stats::intervals::student`]). Against baselines, two of them and more, Welch's
//!   ([`stats::intervals::welch`]), which has the baselines' own variation in it. In simulations such intervals contain
//!   the truth as often as they say from three runs on, where bootstraps over so few runs do not.
//! - *within-run*, where there is one run or one baseline: the block bootstrap in time ([`stats::bootstrap`]), which tells how
//!   exactly these runs determine their own numbers and nothing of what the next run would show. Nothing is called
//!   significant from it.
//!
//! A sweep has many tests, and one in twenty of those that have nothing to find finds something. So the p values of each metric
//! are corrected over each sweep in the table by Holm's method ([`stats::intervals::holm`]): the experiments' rows of the
//! main kind, each metric by itself. All metrics together would be no better a family: a median, a 90th percentile and a mean, of
//! service and of response time, ask the same question of the same operations, and three repeats (two degrees of freedom)
//! could not answer it through six hundred tests however large the effect.
//!
//! Runs that should show nothing tell how large a ratio is without any reason, the *noise floor*: null faults, and
//! baselines between their thirds (for ratios within a run, of `during` and `after` alike) and against each other (for
//! ratios between runs). It is the largest ratio that they show, one run each, and so no interval: the fewer of them, the
//! smaller it is by chance. An effect within it is not called significant, whatever its p value: repeats of the same
//! small difference make it sure, but not the fault's.

use std::collections::BTreeMap;
use std::rc::Rc;

use polars::prelude::*;
use run_folder::manifest::Role;
use run_folder::operation::Kind;

use super::factors::Factors;
use super::groups::KindKey;
use crate::phases::Phase;
use crate::stats;
use crate::stats::intervals::Bounded;

mod estimate;
mod frames;
mod noise;
mod tail;
mod text;
mod within;

pub use frames::{by_label, by_run};
pub(in crate::tables) use noise::FLOOR_MIN;
pub use tail::{is_at_least, is_supported};
pub(in crate::tables) use text::percent;
pub use text::ratio as ratio_in_words;
pub use text::{text_by_label, text_by_run};
pub use within::{READS, within};

/// The numbers that are compared: columns of the summary, and `not_ok_share`, the share of operations due that were not
/// acknowledged.
pub const METRICS: [&str; 14] = [
    "ops_per_s",
    "response_mean_ms",
    "response_p50_ms",
    "response_p90_ms",
    "response_p95_ms",
    "response_p99_ms",
    "response_p99_9_ms",
    "service_mean_ms",
    "service_p50_ms",
    "service_p90_ms",
    "service_p95_ms",
    "service_p99_ms",
    "service_p99_9_ms",
    NOT_OK_SHARE,
];

/// What column `interval` says of intervals that tell nothing of the next run.
pub const WITHIN_RUN: &str = estimate::Kind::WithinRun.as_str();

/// The one of [`METRICS`] that is a share, and is compared by differences.
pub const NOT_OK_SHARE: &str = "not_ok_share";

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
    /// [`within`] of the run, with phase `all` where it is a baseline; without rows where nobody needs intervals of single runs.
    pub within: DataFrame,
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

/// Intervals within a run, in the order of [`METRICS`].
type Intervals = [Option<(f64, f64)>; METRICS.len()];

/// The numbers of one kind of operation in one part of a run, or of several runs together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Level {
    due: u64,
    ok: u64,
    /// In the order of [`METRICS`].
    values: [Option<f64>; METRICS.len()],
    /// Their intervals within the run.
    within: Intervals,
}

impl Level {
    /// A number with its interval within the run.
    fn bounded(&self, metric: usize) -> Option<Bounded> {
        Some(Bounded { value: self.values[metric]?, interval: self.within[metric] })
    }

    /// Several runs as one: counts are added, and what was not acknowledged is a share of all that was due; the other numbers
    /// are geometric means over the runs, of times over those in which something was acknowledged.
    fn pooled(levels: &[Self]) -> Self {
        let sum = |of: fn(&Self) -> u64| levels.iter().map(of).sum();
        let (due, ok) = (sum(|level| level.due), sum(|level| level.ok));
        let values = std::array::from_fn(|metric| match METRICS[metric] {
            NOT_OK_SHARE => not_ok_share(due, ok),
            _ => stats::geometric_mean(&values(levels, metric)?),
        });
        Self { due, ok, values, within: [None; METRICS.len()] }
    }
}

/// Whether a metric is a time, which runs without an acknowledged operation do not have.
fn is_time(metric: usize) -> bool {
    METRICS[metric].ends_with("_ms")
}

/// A number of each of several runs; of times, of those that have one.
fn values(levels: &[Level], metric: usize) -> Option<Vec<f64>> {
    let found = levels.iter().map(|level| level.values[metric]);
    if is_time(metric) { Some(found.flatten().collect()) } else { found.collect() }
}

/// The share of operations due that were not acknowledged; `None` where none was due.
pub(super) fn not_ok_share(due: u64, ok: u64) -> Option<f64> {
    (due > 0).then(|| due.saturating_sub(ok) as f64 / due as f64)
}

/// The numbers of one run, by kind (in the order of kinds in general) and phase.
type Levels = BTreeMap<KindKey, BTreeMap<Phase, Level>>;

/// One comparison of one run and kind.
#[derive(Debug, Clone)]
struct Comparison<'a> {
    run: &'a Measured,
    /// Place in the order of kinds, and name.
    kind: KindKey,
    compared: Compared,
    changed: Level,
    /// What it is compared with, as one; absent where there is no baseline.
    reference: Option<Level>,
    /// The same, each run by itself. A baseline has no more than [`Self::reference`] here: it is what the others' noise floor
    /// is made of, and gets no interval.
    references: Rc<[Level]>,
    /// Number of baselines; absent where a run is compared with itself.
    baselines: Option<usize>,
    /// In the order of [`METRICS`].
    ratios: [Option<f64>; METRICS.len()],
}

impl<'a> Comparison<'a> {
    fn new(
        run: &'a Measured,
        kind: &KindKey,
        compared: Compared,
        changed: Level,
        references: &Rc<[Level]>,
        baselines: Option<usize>,
    ) -> Self {
        let reference = match &references[..] {
            [] => None,
            [one] => Some(*one),
            several => Some(Level::pooled(several)),
        };
        let ratios = std::array::from_fn(|metric| ratio(changed.values[metric]?, reference?.values[metric]?));
        let references = Rc::clone(references);
        Self { run, kind: kind.clone(), compared, changed, reference, references, baselines, ratios }
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
    let levels = runs.iter().map(|run| levels(run)).collect::<PolarsResult<Vec<_>>>()?;
    // The baselines of each cohort and kind, with the names of their runs.
    let mut baselines: BTreeMap<(&str, &KindKey), Vec<(&str, Level)>> = BTreeMap::new();
    for (run, levels) in runs.iter().zip(&levels).filter(|(run, _)| is_reference(run)) {
        for (kind, phases) in levels {
            let all = phases.get(&Phase::All).map(|&level| (run.run.as_str(), level));
            baselines.entry((&run.factors.cohort, kind)).or_default().extend(all);
        }
    }
    let shared: BTreeMap<_, Rc<[Level]>> =
        baselines.iter().map(|(key, of)| (*key, of.iter().map(|(_, level)| *level).collect())).collect();
    let nobody: Rc<[Level]> = Rc::new([]);
    let mut found = Vec::new();
    for (run, levels) in runs.iter().copied().zip(&levels) {
        let is_baseline = run.factors.fault.is_none();
        for (kind, phases) in levels {
            let before = phases.get(&Phase::Before);
            for (phase, compared) in [(Phase::During, Compared::DuringBefore), (Phase::After, Compared::AfterBefore)] {
                if let (Some(&before), Some(&changed)) = (before, phases.get(&phase)) {
                    found.push(Comparison::new(run, kind, compared, changed, &Rc::from([before]), None));
                }
            }
            let lasting = if is_baseline { Phase::All } else { Phase::During };
            let Some(&changed) = phases.get(&lasting).filter(|_| is_baseline || before.is_none()) else { continue };
            let key = (run.factors.cohort.as_str(), kind);
            let (count, references) = match (is_baseline, baselines.get(&key)) {
                (false, _) => shared.get(&key).map_or((0, Rc::clone(&nobody)), |all| (all.len(), Rc::clone(all))),
                (true, others) => {
                    let others: Vec<Level> = others
                        .into_iter()
                        .flatten()
                        .filter(|(other, _)| *other != run.run)
                        .map(|other| other.1)
                        .collect();
                    if others.is_empty() {
                        // A lone baseline lacks nothing: there is just nobody to compare it with.
                        continue;
                    }
                    (others.len(), Rc::from([Level::pooled(&others)]))
                }
            };
            found.push(Comparison::new(run, kind, Compared::DuringBaseline, changed, &references, Some(count)));
        }
    }
    Ok(found)
}

/// Whether a run is one that others are compared with: no fault, and one leader all the time.
pub fn is_reference(run: &Measured) -> bool {
    run.factors.fault.is_none() && run.factors.role == Role::Baseline && run.leader_changes == 0
}

fn levels(run: &Measured) -> PolarsResult<Levels> {
    let summary = &run.summary;
    let (kinds, phases) = (summary.column("kind")?.str()?, summary.column("phase")?.str()?);
    let (due, ok) = (summary.column("count")?.u64()?, summary.column("ok")?.u64()?);
    let metrics: Vec<Option<&Float64Chunked>> = METRICS
        .iter()
        .map(|name| if *name == NOT_OK_SHARE { Ok(None) } else { summary.column(name)?.f64().map(Some) })
        .collect::<PolarsResult<_>>()?;
    let within = intervals(&run.within)?;
    let mut levels = Levels::new();
    for row in 0..summary.height() {
        let kind = kinds.get(row).unwrap_or_default();
        let named = phases.get(row).unwrap_or_default();
        let Some(phase) = Phase::ALL.into_iter().find(|phase| phase.as_str() == named) else { continue };
        let (due, ok) = (due.get(row).unwrap_or(0), ok.get(row).unwrap_or(0));
        let level = Level {
            due,
            ok,
            values: std::array::from_fn(|metric| match metrics[metric] {
                Some(values) => values.get(row),
                None => not_ok_share(due, ok),
            }),
            within: within.get(&(kind, named)).copied().unwrap_or_default(),
        };
        levels.entry((place(kind), kind.to_owned())).or_default().insert(phase, level);
    }
    Ok(levels)
}

/// The order is that of kinds in general, not of those that this run happens to have: runs are put together by it. Unknown
/// kinds come after the known ones, `all` comes last.
fn place(kind: &str) -> usize {
    match Kind::ALL.iter().position(|known| known.as_str() == kind) {
        Some(at) => at,
        None if kind == super::groups::ALL_KINDS => usize::MAX,
        None => Kind::ALL.len(),
    }
}

/// The intervals of [`within`], by kind and phase.
fn intervals(within: &DataFrame) -> PolarsResult<BTreeMap<(&str, &str), Intervals>> {
    if within.height() == 0 {
        return Ok(BTreeMap::new());
    }
    let (kinds, phases) = (within.column("kind")?.str()?, within.column("phase")?.str()?);
    let ends = |end: &str| {
        let ends = METRICS.iter().map(|metric| within.column(&format!("{metric}_{end}"))?.f64());
        ends.collect::<PolarsResult<Vec<_>>>()
    };
    let (low, high) = (ends("low")?, ends("high")?);
    let of = |row: usize| std::array::from_fn(|metric| low[metric].get(row).zip(high[metric].get(row)));
    let key = |row: usize| (kinds.get(row).unwrap_or_default(), phases.get(row).unwrap_or_default());
    Ok((0..within.height()).map(|row| (key(row), of(row))).collect())
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
