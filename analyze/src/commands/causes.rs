//! `analyze causes`: what the members' samples show under a fault.

use polars::prelude::*;

use super::gather::{as_if_faulted, map, opened};
use super::{Answer, Report};
use crate::Result;
use crate::load::{self, Capacity, Run, Selection};
use crate::tables::causes::{self, Scene};
use crate::tables::{Facts, reigns, replication, standings};

/// What `analyze causes` shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Causes {
    /// Which runs.
    pub selection: Selection,
    /// Whether people see all rows and columns.
    pub wide: bool,
}

/// Makes the table.
pub(super) fn causes(asked: &Causes, report: &mut Report) -> Result<Answer> {
    let runs = opened(load::find(&asked.selection)?, &asked.selection, Capacity::LeaveOut, report)?;
    let frame = judged(&asked.selection, &runs, report)?;
    let text = causes::text(&frame, asked.wide)?;
    Ok(Answer::new(frame, text))
}

/// What the samples of the runs show, judged beside those of the runs that they are compared with:
/// [`causes::judged`].
pub(super) fn judged(selection: &Selection, runs: &[Run], report: &mut Report) -> Result<DataFrame> {
    let mut seen = map(runs, report, |run| seen(run, true))?;
    let companions = load::companions(selection, runs)?;
    if !companions.runs.is_empty() {
        seen.extend(map(&companions.runs, report, |run| self::seen(run, false))?);
    }
    seen.sort_by(|a, b| a.factors.reading_order(&b.factors));
    Ok(causes::judged(&seen)?)
}

fn seen(run: &Run, is_shown: bool) -> Result<causes::Seen> {
    // The end of a run that failed early is in its operations.
    let facts = run.facts(&run.operations(&["intended_ns"])?)?;
    seen_by(run, as_if_faulted(run, facts), is_shown)
}

/// What the samples of one run show; `facts` as if there had been a fault.
pub(super) fn seen_by(run: &Run, facts: Facts, is_shown: bool) -> Result<causes::Seen> {
    let views = run.views(&facts)?;
    let spells = standings::spells(&views, facts.members.len());
    let course = reigns::course(&views, &spells, facts.members.len());
    let manifest = &run.listed.manifest;
    let scene = Scene {
        facts: &facts,
        targets: &manifest.fault_targets,
        leader: manifest.leaders.injection.or(manifest.leaders.start),
        course: &course,
        lags: &replication::lags(&views, &course, &facts),
    };
    let table = causes::table(&run.samples(&causes::READS)?, &scene)?;
    let leader_changes = run.leader_changes(&facts)?.len();
    Ok(causes::Seen { factors: run.factors.clone(), leader_changes, is_shown, table })
}
