//! What single runs are judged by beside their own summaries: baselines, and intervals within runs.

use std::collections::HashMap;

use polars::prelude::*;

use super::IntervalOf;
use super::readings::{Level, level};
use crate::gate::rule::{Limit, Reference, Rule};
use crate::phases::Phase;
use crate::tables::delta::{self, Measured};

/// What single runs are judged by beside their own summaries. It is made once, so that a folder of many runs takes no time
/// that grows with their square.
pub(super) struct Beside<'a> {
    /// The baselines of each cohort.
    baselines: HashMap<&'a str, Vec<&'a Measured>>,
    /// Of these, what the rule is about that is held against runs just now.
    levels: HashMap<&'a str, Vec<(&'a str, Level)>>,
    /// Within-run intervals of the ratios of single runs: [`delta::by_run`].
    ratios: DataFrame,
    /// The rows of these by run, kind and comparison.
    rows: HashMap<(String, String, String), usize>,
    /// Recovery of the runs that are judged.
    pub(super) recoveries: &'a HashMap<String, DataFrame>,
}

impl<'a> Beside<'a> {
    pub(super) fn of(runs: &'a [Measured], recoveries: &'a HashMap<String, DataFrame>) -> PolarsResult<Self> {
        let mut baselines: HashMap<&str, Vec<&Measured>> = HashMap::new();
        for run in runs.iter().filter(|run| delta::is_reference(run)) {
            baselines.entry(&run.factors.cohort).or_default().push(run);
        }
        let ratios = delta::by_run(runs)?;
        let text = |name: &str| -> PolarsResult<&StringChunked> { ratios.column(name)?.str() };
        let keys = text("run")?.iter().zip(text("kind")?.iter()).zip(text("compared")?.iter());
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let rows = keys
            .enumerate()
            .map(|(row, ((run, kind), compared))| ((owned(run), owned(kind), owned(compared)), row))
            .collect();
        Ok(Self { baselines, levels: HashMap::new(), ratios, rows, recoveries })
    }

    /// Reads what a rule is about off the baselines, where it is relative to these.
    pub(super) fn turn_to(&mut self, rule: &Rule) -> PolarsResult<()> {
        self.levels.clear();
        if !matches!(rule.condition.limit, Limit::Relative { to: Reference::Baseline, .. }) {
            return Ok(());
        }
        for (cohort, runs) in &self.baselines {
            let mut levels = Vec::new();
            for run in runs {
                levels.extend(
                    level(&rule.condition.quantity, Phase::All, run)?.ok().map(|level| (run.run.as_str(), level)),
                );
            }
            self.levels.insert(cohort, levels);
        }
        Ok(())
    }

    /// The baselines of a run's cohort, without the run itself; or why there are none.
    pub(super) fn baselines(&self, run: &Measured) -> Result<Vec<Level>, String> {
        let of_cohort = self.levels.get(run.factors.cohort.as_str()).map_or(&[][..], Vec::as_slice);
        let levels: Vec<Level> =
            of_cohort.iter().filter(|(name, _)| *name != run.run).map(|(_, level)| *level).collect();
        match levels.is_empty() {
            true => {
                Err("no baseline: it takes a finished run without a fault and with one leader, of the same sweep (or, \
                         outside of sweeps, of none) and with the same workload and cluster, beside it"
                    .to_owned())
            }
            false => Ok(levels),
        }
    }

    pub(super) fn interval(
        &self,
        rule: &Rule,
        run: &Measured,
        reference: Option<Level>,
    ) -> PolarsResult<Option<(f64, f64, IntervalOf)>> {
        let quantity = &rule.condition.quantity;
        let compared = match (quantity.phase, rule.condition.limit) {
            (Phase::During, Limit::Relative { to: Reference::Phase(Phase::Before), .. }) => "during/before",
            (Phase::After, Limit::Relative { to: Reference::Phase(Phase::Before), .. }) => "after/before",
            (Phase::During, Limit::Relative { to: Reference::Baseline, .. }) => "during/baseline",
            _ => return Ok(None),
        };
        let Some(reference) = reference else { return Ok(None) };
        if !delta::METRICS.contains(&quantity.column.as_str()) {
            return Ok(None);
        }
        let column = |end: &str| -> PolarsResult<&Float64Chunked> {
            self.ratios.column(&format!("{}_ratio_{end}", quantity.column))?.f64()
        };
        let (low, high) = (column("low")?, column("high")?);
        let main = delta::main_kind(run.summary.column("kind")?.str()?);
        let kind = quantity.kind.filter(|&kind| kind != "all").unwrap_or(&main);
        let key = (run.run.clone(), kind.to_owned(), compared.to_owned());
        let Some(&row) = self.rows.get(&key) else { return Ok(None) };
        Ok(low
            .get(row)
            .zip(high.get(row))
            .map(|(low, high)| (low * reference.value, high * reference.value, IntervalOf::WithinRun)))
    }
}
