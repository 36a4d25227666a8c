//! A picture of each run: its members beneath its clients.

use polars::prelude::DataFrame;

use super::over_runs::{plotted, selected};
use super::{Data, Drawn, PlotKind};
use crate::commands::Report;
use crate::commands::gather::map;
use crate::load::{Run, Selection};
use crate::plots;
use crate::plots::members::Sampled;
use crate::tables::{Facts, latency, members, reigns, standings, summary, throughput};
use crate::{Error, Result};

/// More pictures than this nobody meant to ask for.
const PICTURES_MAX: usize = 200;

/// One picture a run.
pub(super) fn members(selection: &Selection, report: &mut Report) -> Result<Vec<Drawn>> {
    let opened = selected(selection, report)?;
    if opened.len() > PICTURES_MAX {
        return Err(Error::Usage(format!(
            "--kind {} draws one picture a run, and {} runs match (at most {PICTURES_MAX}); choose with --pattern or \
             --sweep, or name one run folder with --dir",
            PlotKind::Members.as_str(),
            opened.len()
        )));
    }
    map(&opened, report, drawn)
}

fn drawn(run: &Run) -> Result<Drawn> {
    let operations = run.operations(&READS)?;
    let facts = run.facts(&operations)?;
    let sampled = sampled(run, &operations, &facts)?;
    let throughput = throughput::table(&operations, &facts, throughput::By::Run)?;
    let run_plotted = plotted(run, &operations, &facts, throughput)?;
    let svg = plots::members::draw_svg(&run_plotted, &sampled)?;
    let tables = vec![
        Data { text: members::text, ..Data::new("members", sampled.seconds) },
        Data::new("phases", sampled.phases),
        Data::new("standings", sampled.standings),
        Data::new("throughput", run_plotted.table),
        Data::new("latency", sampled.latency),
    ];
    Ok(Drawn { svg, run: Some(facts.run), tables, notes: Vec::new() })
}

/// What is drawn of a run's members; `operations` has the columns of [`latency::READS`].
pub(in crate::commands) fn sampled(run: &Run, operations: &DataFrame, facts: &Facts) -> Result<Sampled> {
    let views = run.views(facts)?;
    let spells = standings::spells(&views, facts.members.len());
    let course = reigns::course(&views, &spells, facts.members.len());
    let seconds = members::table(&run.samples(&members::READS)?, &views, &course, facts)?;
    let bin_ns = latency::bin_ns(facts.phases.end_ns(), plots::latency::bins(1)).max(BIN_NS_MIN);
    let manifest = &run.listed.manifest;
    Ok(Sampled {
        members: facts.members.clone(),
        targets: manifest.fault_targets.iter().map(|&index| manifest.member_name(index).to_owned()).collect(),
        latency: latency::table(operations, facts, bin_ns)?,
        phases: members::by_phase(&seconds, facts)?,
        seconds,
        standings: members::standings(&spells, facts)?,
    })
}

/// Columns of the operations that are read: those of throughput and of latency.
const READS: [&str; 6] = {
    let [kind, intended, start, end, outcome] = summary::READS;
    [kind, intended, start, end, outcome, "endpoint"]
};

/// In a shorter bin the samples of a second would be too fine a thing to compare with.
const BIN_NS_MIN: i64 = 100_000_000;
