//! `analyze verdict`: one sentence for a run, a label or a sweep.

use polars::prelude::*;

use super::recovery::recoveries;
use super::{Answer, Report, causes, gather, recovery};
use crate::Result;
use crate::load::{Run, Selection};
use crate::tables::delta;
use crate::tables::factors::Factors;
use crate::tables::recovery::Rule;
use crate::tables::verdict::{self, Story, Tables};

/// What `analyze verdict` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Which runs.
    pub selection: Selection,
    /// What a sentence is about.
    pub by: VerdictBy,
    /// What counts as recovered.
    pub rule: Rule,
}

/// What a sentence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictBy {
    /// A run.
    Run,
    /// A label, its repeats pooled.
    Label,
    /// A sweep.
    Sweep,
}

/// Makes the sentences.
pub(super) fn verdict(asked: &Verdict, report: &mut Report) -> Result<Answer> {
    let frame = verdicts(&asked.selection, asked.by, &asked.rule, report)?;
    let name = match asked.by {
        VerdictBy::Run => "run",
        VerdictBy::Label => "label",
        VerdictBy::Sweep => "sweep",
    };
    let text = verdict::text(&frame, name)?;
    Ok(Answer::new(frame, text))
}

/// The sentences with their numbers: [`verdict::by_run`], [`verdict::by_label`] or [`verdict::by_sweep`].
pub(super) fn verdicts(selection: &Selection, by: VerdictBy, rule: &Rule, report: &mut Report) -> Result<DataFrame> {
    let (measured, runs) = gather::measured(selection, report)?;
    let recovered = recoveries(&runs, rule, report)?;
    let causes = causes::judged(selection, &runs, report)?;
    let changes = |run: &Run| measured.iter().find(|other| other.run == run.listed.run).map(|run| run.leader_changes);
    // What turned out to be damaged has no changes, and no verdict.
    let stories: Vec<Story> = runs.iter().filter_map(|run| Some(story(run, changes(run)?))).collect();
    let (delta, recovery) = match by {
        VerdictBy::Run => (delta::by_run(&measured)?, recovery::by_run(&recovered)?),
        VerdictBy::Label | VerdictBy::Sweep => (delta::by_label(&measured)?, recovery::by_label(&recovered)?),
    };
    let tables = Tables { delta: &delta, recovery: &recovery, causes: &causes };
    let companions: Vec<&Factors> = measured.iter().filter(|run| !run.is_shown).map(|run| &run.factors).collect();
    Ok(match by {
        VerdictBy::Run => verdict::by_run(&tables, &stories)?,
        VerdictBy::Label => verdict::by_label(&tables, &stories)?,
        VerdictBy::Sweep => verdict::by_sweep(&verdict::by_label(&tables, &stories)?, &companions)?,
    })
}

/// What a verdict has to know of a run.
pub(super) fn story(run: &Run, leader_changes: usize) -> Story {
    let manifest = &run.listed.manifest;
    Story {
        run: run.listed.run.clone(),
        factors: run.factors.clone(),
        clients: verdict::clients_in_words(manifest),
        leader_changes,
        client_saturated: manifest.generator.as_ref().and_then(|generator| generator.client_saturated.clone()),
        is_imported: manifest.imported.is_some(),
    }
}
