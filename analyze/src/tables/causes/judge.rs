//! What is raised and what is normal, beside runs that should show nothing.

use std::collections::BTreeMap;

use polars::prelude::*;
use run_folder::manifest::Role;

use super::{RATIO_LEAST, Seen};
use crate::stats;
use crate::tables::factors::Factors;
use crate::tables::stack;

/// Judges the shown runs: the rows of [`super::table`] of each, with these columns more:
///
/// - `family`, `sweep`, `repeat`, `role`, `fault`, `fault_value`, `leader_changes` of the run
/// - `compared`: `during/before`, or `during/baseline` where the fault lasts all the time
/// - `reference`: what `during` is compared with: `before`, or the geometric mean of the same metric over the baselines of the
///   cohort, of all their members
/// - `ratio`: `during` / `reference`; null where the latter is 0 or either is missing
/// - `noise`: the largest such ratio, or that of after to before, in baselines and null faults of the cohort; of what is compared
///   with baselines the largest of theirs, divided by their mean. Null where there are none; a run is not judged by its
///   own label
/// - `judged`: `raised` or `normal`, see [`super`]; null where either side is missing
///
/// # Errors
/// [`PolarsError`] when a table lacks a column.
pub fn judged(runs: &[Seen]) -> PolarsResult<DataFrame> {
    let quiet = Quiet::of(runs)?;
    let frames = runs.iter().filter(|run| run.is_shown).map(|run| judge(run, &quiet));
    Ok(stack(frames.collect::<PolarsResult<Vec<_>>>()?)?.unwrap_or_default())
}

/// What runs show that should show nothing, by cohort and metric.
#[derive(Default)]
struct Quiet {
    /// Labels, and ratios between the parts of a run.
    ratios: BTreeMap<(String, String), Vec<(String, f64)>>,
    /// Levels of whole baselines.
    levels: BTreeMap<(String, String), Vec<f64>>,
}

impl Quiet {
    fn of(runs: &[Seen]) -> PolarsResult<Self> {
        let mut quiet = Self::default();
        let is_quiet =
            |run: &&Seen| run.factors.is_null() && run.factors.role != Role::Capacity && run.leader_changes == 0;
        for run in runs.iter().filter(is_quiet) {
            let metrics = run.table.column("metric")?.str()?;
            let number = |name: &str| run.table.column(name)?.f64();
            let (before, during, after, all) = (number("before")?, number("during")?, number("after")?, number("all")?);
            for row in 0..run.table.height() {
                let key = (run.factors.cohort.clone(), metrics.get(row).unwrap_or_default().to_owned());
                for later in [during.get(row), after.get(row)] {
                    let ratio = later.zip(before.get(row)).and_then(|(later, before)| ratio(later, before));
                    let ratios = quiet.ratios.entry(key.clone()).or_default();
                    ratios.extend(ratio.map(|ratio| (run.factors.label.clone(), ratio)));
                }
                if run.factors.fault.is_none() {
                    quiet.levels.entry(key).or_default().extend(all.get(row));
                }
            }
        }
        Ok(quiet)
    }

    fn noise(&self, factors: &Factors, metric: &str) -> Option<f64> {
        let ratios = self.ratios.get(&(factors.cohort.clone(), metric.to_owned()))?;
        let others = ratios.iter().filter(|(label, _)| *label != factors.label);
        others.map(|&(_, ratio)| ratio).reduce(f64::max)
    }

    fn level_noise(&self, factors: &Factors, metric: &str) -> Option<f64> {
        let level = self.level(factors, metric).filter(|&level| level > 0.0)?;
        let levels = self.levels.get(&(factors.cohort.clone(), metric.to_owned()))?;
        levels.iter().map(|other| other / level).reduce(f64::max)
    }

    fn level(&self, factors: &Factors, metric: &str) -> Option<f64> {
        let levels = self.levels.get(&(factors.cohort.clone(), metric.to_owned()))?;
        // What is 0 in some baselines has no geometric mean but 0, which would raise everything.
        let some: Vec<f64> = levels.iter().copied().filter(|&level| level > 0.0).collect();
        if 2 * some.len() > levels.len() { stats::geometric_mean(&some) } else { levels.first().map(|_| 0.0) }
    }
}

fn ratio(later: f64, before: f64) -> Option<f64> {
    (before > 0.0 && later >= 0.0).then(|| later / before)
}

fn judge(run: &Seen, quiet: &Quiet) -> PolarsResult<DataFrame> {
    let mut frame = run.table.clone();
    let factors = &run.factors;
    let height = frame.height();
    let metrics: Vec<String> = frame.column("metric")?.str()?.iter().flatten().map(str::to_owned).collect();
    let number = |name: &str| -> PolarsResult<Vec<Option<f64>>> { Ok(frame.column(name)?.f64()?.iter().collect()) };
    let (before, during, least) = (number("before")?, number("during")?, number("least")?);
    // A metric that one member lacks before the fault does not make the run one without a before.
    let has_before = before.iter().any(Option::is_some);
    let compared = if has_before { "during/before" } else { "during/baseline" };
    let reference: Vec<Option<f64>> = match has_before {
        true => before,
        false => metrics.iter().map(|metric| quiet.level(factors, metric)).collect(),
    };
    let ratios: Vec<Option<f64>> =
        during.iter().zip(&reference).map(|(during, reference)| ratio((*during)?, (*reference)?)).collect();
    let noise: Vec<Option<f64>> = metrics
        .iter()
        .map(|metric| if has_before { quiet.noise(factors, metric) } else { quiet.level_noise(factors, metric) })
        .collect();
    let judged: Vec<Option<&str>> = (0..height)
        .map(|row| {
            let (during, reference) = (during[row]?, reference[row]?);
            let is_much = during - reference >= least[row].unwrap_or(0.0);
            let limit = RATIO_LEAST.max(noise[row].unwrap_or(0.0));
            let is_raised =
                is_much && ratios[row].is_none_or(|ratio| ratio >= limit && ratio > noise[row].unwrap_or(0.0));
            Some(if is_raised { "raised" } else { "normal" })
        })
        .collect();
    let text = |name: &str, value: Option<&str>| Column::new(name.into(), vec![value; height]);
    for column in [
        text("family", Some(&factors.family)),
        text("sweep", factors.sweep.as_deref()),
        Column::new("repeat".into(), vec![factors.repeat.map(u64::from); height]),
        text("role", Some(factors.role.as_str())),
        text("fault", factors.fault.as_deref()),
        Column::new("fault_value".into(), vec![factors.value; height]),
        Column::new("leader_changes".into(), vec![run.leader_changes as u64; height]),
        text("compared", Some(compared)),
        Column::new("reference".into(), reference),
        Column::new("ratio".into(), ratios),
        Column::new("noise".into(), noise),
        Column::new("judged".into(), judged),
    ] {
        frame.with_column(column)?;
    }
    Ok(frame)
}
