//! `analyze recovery`: how runs came back after their faults.

use polars::prelude::*;
use run_folder::spec::Pacing;

use super::gather::{all, as_if_faulted, map, opened};
use super::{Answer, DeltaBy, Report, note_saturation};
use crate::Result;
use crate::load::{self, Capacity, Run, Selection};
use crate::tables::Facts;
use crate::tables::factors::Factors;
use crate::tables::recovery::{self, Context, Rule};

/// What `analyze recovery` shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovery {
    /// Which runs.
    pub selection: Selection,
    /// What a row is.
    pub by: DeltaBy,
    /// What counts as recovered.
    pub rule: Rule,
    /// Whether people see all columns.
    pub wide: bool,
}

/// Makes the table.
pub(super) fn recovery(asked: &Recovery, report: &mut Report) -> Result<Answer> {
    let runs = opened(load::find(&asked.selection)?, &asked.selection, Capacity::LeaveOut, report)?;
    let recovered = recoveries(&runs, &asked.rule, report)?;
    let (frame, mut text) = match asked.by {
        DeltaBy::Run => {
            let frame = by_run(&recovered)?;
            let text = recovery::text_by_run(&frame, asked.wide, &asked.rule)?;
            (frame, text)
        }
        DeltaBy::Label => {
            let frame = by_label(&recovered)?;
            let text = recovery::text_by_label(&frame, asked.wide, &asked.rule)?;
            (frame, text)
        }
    };
    note_saturation(&mut text, runs.iter().map(|run| &run.listed));
    Ok(Answer::new(frame, text))
}

/// The recovery of a run, and the run's place among others.
pub(super) type Recovered = (Factors, DataFrame);

/// The recovery of each run: [`recovery::table`].
pub(super) fn recoveries(runs: &[Run], rule: &Rule, report: &mut Report) -> Result<Vec<Recovered>> {
    let mut recovered = map(runs, report, |run| {
        let operations = run.operations(&recovery::READS)?;
        let facts = as_if_faulted(run, run.facts(&operations)?);
        Ok((run.factors.clone(), of_run(run, &operations, &facts, rule)?))
    })?;
    // Repeats stay in order of time.
    recovered.sort_by(|(a, _), (b, _)| a.reading_order(b));
    Ok(recovered)
}

/// The recovery of one run; `facts` as if there had been a fault.
pub(super) fn of_run(run: &Run, operations: &DataFrame, facts: &Facts, rule: &Rule) -> Result<DataFrame> {
    let manifest = &run.listed.manifest;
    let context = Context {
        factors: &run.factors,
        leader_changes: run.leader_changes(facts)?.len(),
        is_open_loop: manifest.spec.workload.pacing != Pacing::Closed && manifest.knows("spec.workload.pacing"),
    };
    Ok(recovery::table(operations, facts, &context, rule)?)
}

/// Runs below each other, in reading order.
pub(super) fn by_run(recovered: &[Recovered]) -> Result<DataFrame> {
    all(recovered.iter().map(|(_, frame)| frame.clone()).collect())
}

/// Runs pooled by label.
pub(super) fn by_label(recovered: &[Recovered]) -> Result<DataFrame> {
    let runs: Vec<(&Factors, DataFrame)> = recovered.iter().map(|(factors, frame)| (factors, frame.clone())).collect();
    Ok(recovery::by_label(&runs)?)
}
