//! Runs over time and their distributions: a table of each, drawn together.

use polars::prelude::*;

use super::{Data, Drawn, notes, subject};
use crate::Result;
use crate::commands::Report;
use crate::commands::gather::{all, map, opened};
use crate::load::{self, Capacity, Run, Selection};
use crate::plots::cdf::Scale;
use crate::plots::{self, PlottedLeaderChange, PlottedRun};
use crate::tables::{Facts, cdf, latency, runs, summary, throughput};

/// Acknowledged operations in each second.
pub(super) fn throughput(selection: &Selection, report: &mut Report) -> Result<Vec<Drawn>> {
    let opened = selected(selection, report)?;
    let (runs, _) = in_reading_order(&opened, report, |run| {
        let operations = run.operations(&throughput::READS)?;
        let facts = run.facts(&operations)?;
        let table = throughput::table(&operations, &facts, throughput::By::Run)?;
        Ok((plotted(run, &operations, &facts, table)?, ()))
    })?;
    let across = plots::laid_over(&runs, throughput::across)?;
    let svg = plots::throughput::draw_svg(&runs, &across, &subject(selection))?;
    let by_label = Data::new("labels", labelled(&runs, across)?);
    Ok(vec![Drawn {
        svg,
        run: None,
        tables: vec![Data::new("seconds", tables(runs)?), by_label],
        notes: notes(&opened),
    }])
}

/// Quantiles of latency over time.
pub(super) fn latency(selection: &Selection, report: &mut Report) -> Result<Vec<Drawn>> {
    let opened = selected(selection, report)?;
    // Bins of one length, so that repeats can be laid over each other.
    let longest_ns = opened.iter().map(|run| run.listed.manifest.clock.workload_end_ns).max().unwrap_or(0);
    let bin_ns = latency::bin_ns(longest_ns, plots::latency::bins(opened.len()));
    let (runs, summaries) = in_reading_order(&opened, report, |run| {
        let operations = run.operations(&summary::READS)?;
        let facts = run.facts(&operations)?;
        let table = latency::table(&operations, &facts, bin_ns)?;
        Ok((plotted(run, &operations, &facts, table)?, summary::table(&operations, &facts)?))
    })?;
    let across = plots::laid_over(&runs, latency::across)?;
    let svg = plots::latency::draw_svg(&runs, &summaries, &across, &subject(selection))?;
    let by_label = Data::new("labels", labelled(&runs, across)?);
    let phases = Data { text: |frame| summary::text(frame, false), ..Data::new("phases", all(summaries)?) };
    let tables = vec![Data::new("bins", tables(runs)?), by_label, phases];
    Ok(vec![Drawn { svg, run: None, tables, notes: notes(&opened) }])
}

/// Distributions of response time by phase.
pub(super) fn cdf(selection: &Selection, scale: Scale, report: &mut Report) -> Result<Vec<Drawn>> {
    let opened = selected(selection, report)?;
    let (runs, _) = in_reading_order(&opened, report, |run| {
        let operations = run.operations(&summary::READS)?;
        let facts = run.facts(&operations)?;
        let table = cdf::table(&operations, &facts)?;
        Ok((plotted(run, &operations, &facts, table)?, ()))
    })?;
    let references = references(selection, &opened, &runs, report)?;
    let svg = plots::cdf::draw_svg(&runs, &references, scale, &subject(selection))?;
    let of_run = |(run, reference): (&PlottedRun, Option<DataFrame>)| -> Result<Option<DataFrame>> {
        let Some(mut frame) = reference else { return Ok(None) };
        frame.insert_column(0, Column::new("run".into(), vec![run.run.as_str(); frame.height()]))?;
        Ok(Some(frame))
    };
    let baselines =
        runs.iter().zip(references).filter_map(|pair| of_run(pair).transpose()).collect::<Result<Vec<_>>>()?;
    let mut tables = vec![Data { text: cdf::text, ..Data::new("runs", tables(runs)?) }];
    if !baselines.is_empty() {
        tables.push(Data::new("baselines", all(baselines)?));
    }
    Ok(vec![Drawn { svg, run: None, tables, notes: notes(&opened) }])
}

pub(super) fn selected(selection: &Selection, report: &mut Report) -> Result<Vec<Run>> {
    opened(load::find(selection)?, selection, Capacity::LeaveOut, report)
}

/// What a plot shows of each run, labels in reading order, their repeats in order of time.
pub(super) fn in_reading_order<T: Send>(
    opened: &[Run],
    report: &mut Report,
    plotted: impl Fn(&Run) -> Result<(PlottedRun, T)> + Sync,
) -> Result<(Vec<PlottedRun>, Vec<T>)> {
    let mut plotted = map(opened, report, plotted)?;
    plotted.sort_by(|(a, _), (b, _)| a.factors.reading_order(&b.factors));
    Ok(plotted.into_iter().unzip())
}

/// The tables of the runs below each other.
fn tables(runs: Vec<PlottedRun>) -> Result<DataFrame> {
    all(runs.into_iter().map(|run| run.table).collect())
}

/// One frame of those of each label, and whether it is of runs in which the leader changed.
fn labelled(runs: &[PlottedRun], frames: Vec<DataFrame>) -> Result<DataFrame> {
    let of_group = |((label, group), mut frame): (plots::Group<'_>, DataFrame)| -> Result<DataFrame> {
        let changed = group.iter().all(|run| !run.leader_changes.is_empty());
        frame.insert_column(0, Column::new("label".into(), vec![label; frame.height()]))?;
        frame.insert_column(1, Column::new("leader_changed".into(), vec![changed; frame.height()]))?;
        Ok(frame)
    };
    all(plots::by_label(runs).into_iter().zip(frames).map(of_group).collect::<Result<_>>()?)
}

/// For each run what its distribution is compared with: that of the baselines, where it has no `before` of its own.
fn references(
    selection: &Selection,
    opened: &[Run],
    plotted: &[PlottedRun],
    report: &mut Report,
) -> Result<Vec<Option<DataFrame>>> {
    let mut companions = load::companions(selection, opened)?.runs;
    companions.retain(|run| run.factors.fault.is_none());
    let table = |run: &Run| {
        let operations = run.operations(&cdf::READS)?;
        let facts = run.facts(&operations)?;
        // As for ratios, a baseline in which the leader changed is none.
        let is_reference = run.leader_changes(&facts)?.is_empty();
        Ok((run.factors.cohort.clone(), is_reference.then(|| cdf::table(&operations, &facts)).transpose()?))
    };
    let mut tables = if companions.is_empty() { Vec::new() } else { map(&companions, report, table)? };
    for run in plotted.iter().filter(|run| run.factors.fault.is_none()) {
        tables.push((run.factors.cohort.clone(), run.leader_changes.is_empty().then(|| run.table.clone())));
    }
    let of_run = |run: &PlottedRun| -> Result<Option<DataFrame>> {
        let lasts = run.window_s.is_some_and(|(from_s, _)| from_s <= 0.0);
        let of_cohort = tables.iter().filter(|(cohort, _)| *cohort == run.factors.cohort);
        let of_cohort: Vec<&DataFrame> = of_cohort.filter_map(|(_, table)| table.as_ref()).filter(|_| lasts).collect();
        Ok(cdf::geometric_mean(&of_cohort)?)
    };
    plotted.iter().map(of_run).collect()
}

/// Everything that a plot shows of one run.
pub(in crate::commands) fn plotted(
    run: &Run,
    operations: &DataFrame,
    facts: &Facts,
    table: DataFrame,
) -> Result<PlottedRun> {
    let manifest = &run.listed.manifest;
    let member = |index: i64| usize::try_from(index).map_or("?", |index| manifest.member_name(index)).to_owned();
    let leader_changes = run.leader_changes(facts)?.into_iter().map(|change| PlottedLeaderChange {
        at_s: change.time_ns as f64 / 1e9,
        from: member(change.from),
        to: member(change.to),
    });
    Ok(PlottedRun {
        run: facts.run.clone(),
        label: facts.label.clone(),
        factors: run.factors.clone(),
        fault: runs::fault_in_words(&run.listed),
        workload: runs::workload_in_words(&manifest.spec.workload),
        window_s: facts.phases.window().map(|window| window.seconds()),
        end_s: facts.phases.end_ns() as f64 / 1e9,
        deadline_ms: facts.deadline_ms,
        leader_changes: leader_changes.collect(),
        rates: throughput::by_phase(operations, facts)?,
        table,
    })
}
