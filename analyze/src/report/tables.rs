//! The tables over all runs of a part, each made once: several sections show the same numbers.

use polars::prelude::*;

use super::ReportedRun;
use crate::Result;
use crate::tables::causes::{self, Seen};
use crate::tables::delta::{self, Measured};
use crate::tables::factors::Factors;
use crate::tables::recovery::{self, Rule};
use crate::tables::severity::{self, Aim, crossings};
use crate::tables::verdict::{self, Story};

/// The tables over all runs of a part.
#[derive(Debug)]
pub struct Tables {
    /// [`delta::by_label`].
    pub(super) effects: DataFrame,
    /// [`delta::by_run`].
    pub(super) effects_by_run: DataFrame,
    /// [`delta::notes`].
    pub(super) notes: Vec<String>,
    /// [`severity::table`].
    pub(super) severity: DataFrame,
    /// [`crossings::table`].
    pub(super) crossings: DataFrame,
    /// [`recovery::table`] of each run, below each other.
    pub(super) recovery: DataFrame,
    /// [`recovery::by_label`].
    pub(super) recovery_by_label: DataFrame,
    /// [`causes::judged`].
    pub(super) causes: DataFrame,
    /// [`verdict::by_run`].
    pub(super) verdicts_by_run: DataFrame,
    /// [`verdict::by_label`].
    pub(super) verdicts: DataFrame,
    /// [`verdict::by_sweep`].
    pub(super) verdict: DataFrame,
}

impl Tables {
    /// Makes the tables of runs in reading order; `measured` and `seen` have the runs that these are compared with, too.
    ///
    /// # Errors
    /// [`crate::Error::Table`] when a table lacks a column.
    pub fn of(runs: &[ReportedRun], measured: &[Measured], seen: &[Seen]) -> Result<Self> {
        let (effects, effects_by_run) = (delta::by_label(measured)?, delta::by_run(measured)?);
        let recovered: Vec<(&Factors, DataFrame)> =
            runs.iter().map(|run| (&run.plotted.factors, run.recovery.clone())).collect();
        let recovery_by_label = recovery::by_label(&recovered)?;
        let recovery = recovered.into_iter().map(|(_, frame)| frame);
        let recovery = crate::tables::stack(recovery)?.unwrap_or_default();
        let causes = causes::judged(seen)?;
        let stories: Vec<Story> = runs.iter().map(|run| run.story.clone()).collect();
        let of_labels = verdict::Tables { delta: &effects, recovery: &recovery_by_label, causes: &causes };
        let of_runs = verdict::Tables { delta: &effects_by_run, recovery: &recovery, causes: &causes };
        let verdicts = verdict::by_label(&of_labels, &stories)?;
        let companions: Vec<&Factors> = measured.iter().filter(|run| !run.is_shown).map(|run| &run.factors).collect();
        let aims: Vec<Aim> = runs.iter().filter_map(|run| Aim::of(&run.listed)).collect();
        Ok(Self {
            notes: delta::notes(measured)?,
            severity: severity::table(measured, &aims, &severity::USUAL)?,
            crossings: crossings::table(measured, &aims, &severity::USUAL, crossings::USUAL_PERCENT)?,
            verdicts_by_run: verdict::by_run(&of_runs, &stories)?,
            verdict: verdict::by_sweep(&verdicts, &companions)?,
            verdicts,
            effects,
            effects_by_run,
            recovery,
            recovery_by_label,
            causes,
        })
    }

    /// What counts as recovered, here and in the runs' tables.
    pub fn rule() -> Rule {
        Rule::default()
    }
}

/// Names of a verdict's subject with the sentences: of runs, labels or sweeps. Several sentences of one name (runs in which the
/// leader changed are judged apart) follow each other.
pub(super) fn sentences(verdicts: &DataFrame, name: &str) -> PolarsResult<Vec<(String, String)>> {
    let (names, sentences) = (verdicts.column(name)?.str()?, verdicts.column("sentence")?.str()?);
    let rows = names.iter().zip(sentences.iter());
    Ok(rows.filter_map(|(name, sentence)| Some((name.unwrap_or_default().to_owned(), sentence?.to_owned()))).collect())
}
