//! `analyze samples`: what the members' samples tell, second by second.

use super::gather::{all, tables_of_runs};
use super::{Answer, Report};
use crate::load::{Capacity, Selection};
use crate::tables::{members, reigns, standings};
use crate::{Error, Result};

/// What `analyze samples` tabulates.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Which runs.
    pub selection: Selection,
    /// The metrics, by the names of [`members::METRICS`]; none takes them all.
    pub metrics: Vec<String>,
}

pub(super) fn samples(asked: &Samples, report: &mut Report) -> Result<Answer> {
    for metric in &asked.metrics {
        if !members::METRICS.iter().any(|(name, _)| name == metric) {
            let known: Vec<&str> = members::METRICS.iter().map(|(name, _)| *name).collect();
            return Err(Error::Usage(format!("--metric {metric}: no such metric; there are {}", known.join(", "))));
        }
    }
    let frames = tables_of_runs(&asked.selection, Capacity::Keep, report, |run| {
        let facts = run.facts(&run.operations(&["intended_ns"])?)?;
        let views = run.views(&facts)?;
        let spells = standings::spells(&views, facts.members.len());
        let course = reigns::course(&views, &spells, facts.members.len());
        let table = members::table(&run.samples(&members::READS)?, &views, &course, &facts)?;
        Ok(members::only(&table, &asked.metrics)?)
    })?;
    let frame = all(frames)?;
    let text = members::text(&frame)?;
    Ok(Answer::new(frame, text))
}
