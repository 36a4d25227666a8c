//! `analyze plot`: tables of runs, and their picture.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use polars::prelude::*;
use run_folder::RunFolder;

use super::gather::{all, map, measured, opened};
use super::{Picture, PlotKind, PlotOutput, Report, TableOutput};
use crate::load::{self, Capacity, Run, Selection, SweepChoice};
use crate::output::text::{Column as Shown, TextTable};
use crate::output::{self, Destination};
use crate::plots::{self, PlottedLeaderChange, PlottedRun};
use crate::tables::{cdf, delta, latency, runs, summary, throughput};
use crate::{Error, Result};

/// Draws what was asked for.
pub(super) fn plot(selection: &Selection, kind: PlotKind, picture: &Picture, report: &mut Report) -> Result<()> {
    match kind {
        PlotKind::Delta => effects(selection, picture, report),
        PlotKind::Throughput | PlotKind::Latency | PlotKind::Cdf => over_runs(selection, kind, picture, report),
    }
}

fn effects(selection: &Selection, picture: &Picture, report: &mut Report) -> Result<()> {
    let (measured, opened) = measured(selection, report)?;
    let (mut labels, runs) = (delta::by_label(&measured)?, delta::by_run(&measured)?);
    match picture {
        Picture::Table(TableOutput { format, to }) => {
            let text = delta::text_by_label(&labels, false)?;
            output::write(&mut labels, &text, *format, to)
        }
        Picture::Svg(to) => {
            report.left_out.extend(delta::notes(&measured)?);
            report.left_out.extend(saturation(&opened));
            report.left_out.extend(several_sweeps(&opened));
            let svg = plots::delta::draw_svg(&labels, &runs, &subject(selection))?;
            write_svg(&svg, to, selection, PlotKind::Delta)
        }
    }
}

fn over_runs(selection: &Selection, kind: PlotKind, picture: &Picture, report: &mut Report) -> Result<()> {
    let opened = opened(load::find(selection)?, selection, Capacity::LeaveOut, report)?;
    // Bins of one length, so that repeats can be laid over each other.
    let longest_ns = opened.iter().map(|run| run.listed.manifest.clock.workload_end_ns).max().unwrap_or(0);
    let bin_ns = latency::bin_ns(longest_ns, plots::latency::bins(opened.len()));
    let mut plotted = map(&opened, report, |run| plotted(run, kind, bin_ns))?;
    // Repeats stay in order of time.
    plotted.sort_by(|(a, _), (b, _)| a.factors.reading_order(&b.factors));
    let (runs, summaries): (Vec<PlottedRun>, Vec<DataFrame>) = plotted.into_iter().unzip();
    match picture {
        Picture::Table(output) => {
            let mut frame = all(runs.into_iter().map(|run| run.table).collect())?;
            let text = TextTable::new(&frame, &Shown::all(&frame, "run"), Some("run"))?;
            output::write(&mut frame, &text, output.format, &output.to)
        }
        Picture::Svg(to) => {
            report.left_out.extend(saturation(&opened));
            report.left_out.extend(several_sweeps(&opened));
            let subject = subject(selection);
            let svg = match kind {
                PlotKind::Latency => {
                    let across = across(&runs, latency::across)?;
                    plots::latency::draw_svg(&runs, &summaries, &across, &subject)?
                }
                PlotKind::Cdf => {
                    let references = references(selection, &opened, &runs, report)?;
                    plots::cdf::draw_svg(&runs, &references, &subject)?
                }
                PlotKind::Throughput | PlotKind::Delta => {
                    plots::throughput::draw_svg(&runs, &across(&runs, throughput::across)?, &subject)?
                }
            };
            write_svg(&svg, to, selection, kind)
        }
    }
}

/// What is to be said of runs in which the clients were the limit.
fn saturation(runs: &[Run]) -> Option<String> {
    runs::saturation_note(runs.iter().map(|run| (run.listed.run.as_str(), &run.listed.manifest)))
}

/// The repeats of each label laid over each other.
fn across(runs: &[PlottedRun], across: fn(&[&DataFrame]) -> PolarsResult<DataFrame>) -> Result<Vec<DataFrame>> {
    let of_group = |(_, group): &plots::Group<'_>| Ok(across(&group.iter().map(|run| &run.table).collect::<Vec<_>>())?);
    plots::by_label(runs).iter().map(of_group).collect()
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

/// What is to be said when runs of several sweeps share a picture.
fn several_sweeps(runs: &[Run]) -> Option<String> {
    let sweeps: BTreeSet<&str> = runs.iter().filter_map(|run| run.factors.sweep.as_deref()).collect();
    let listed = || sweeps.iter().copied().collect::<Vec<_>>().join(", ");
    (sweeps.len() > 1)
        .then(|| format!("the picture shows several sweeps together; choose one with --sweep: {}", listed()))
}

fn write_svg(svg: &str, to: &PlotOutput, selection: &Selection, kind: PlotKind) -> Result<()> {
    let path = svg_path(to, selection, kind)?;
    output::write_bytes(svg.as_bytes(), &Destination::File(path.clone()))?;
    output::write_bytes(format!("{}\n", path.display()).as_bytes(), &Destination::Stdout)
}

/// Everything that a plot shows of one run, and its summary.
fn plotted(run: &Run, kind: PlotKind, bin_ns: i64) -> Result<(PlottedRun, DataFrame)> {
    let columns: &[&str] = match kind {
        PlotKind::Throughput | PlotKind::Delta => &throughput::READS,
        PlotKind::Latency | PlotKind::Cdf => &summary::READS,
    };
    let operations = run.operations(columns)?;
    let facts = run.facts(&operations)?;
    let end_ns = facts.phases.end_ns();
    let (table, summary) = match kind {
        PlotKind::Throughput | PlotKind::Delta => {
            (throughput::table(&operations, &facts, throughput::By::Run)?, DataFrame::empty())
        }
        PlotKind::Latency => (latency::table(&operations, &facts, bin_ns)?, summary::table(&operations, &facts)?),
        PlotKind::Cdf => (cdf::table(&operations, &facts)?, DataFrame::empty()),
    };
    let manifest = &run.listed.manifest;
    let member = |index: i64| usize::try_from(index).map_or("?", |index| manifest.member_name(index)).to_owned();
    let leader_changes = run.leader_changes(&facts)?.into_iter().map(|change| PlottedLeaderChange {
        at_s: change.time_ns as f64 / 1e9,
        from: member(change.from),
        to: member(change.to),
    });
    let plotted = PlottedRun {
        run: facts.run.clone(),
        label: facts.label.clone(),
        factors: run.factors.clone(),
        fault: runs::fault_in_words(&run.listed),
        workload: runs::workload_in_words(&manifest.spec.workload),
        window_s: facts.phases.window().map(|window| window.seconds()),
        end_s: end_ns as f64 / 1e9,
        leader_changes: leader_changes.collect(),
        rates: throughput::by_phase(&operations, &facts)?,
        table,
    };
    Ok((plotted, summary))
}

/// Which runs a picture shows, in words.
fn subject(selection: &Selection) -> String {
    let patterns: Vec<&str> = selection.patterns.iter().map(load::Pattern::as_str).collect();
    let labels = if patterns.is_empty() { "all labels".to_owned() } else { format!("labels {}", patterns.join(", ")) };
    match &selection.sweep {
        Some(SweepChoice::Latest) => format!("{labels} of the latest sweep"),
        Some(SweepChoice::Id(id)) => format!("{labels} of sweep {id}"),
        None => labels,
    }
}

/// The file of a picture; the folder of the usual one is made.
fn svg_path(to: &PlotOutput, selection: &Selection, kind: PlotKind) -> Result<PathBuf> {
    let dir = match to {
        PlotOutput::File(path) => return Ok(path.clone()),
        PlotOutput::BesideRuns => &selection.dir,
    };
    let (dir, subject) = match RunFolder::open(dir) {
        // Beside a bundle, with its name: it may not be the only one there.
        _ if dir.is_file() => {
            let bundle = dir.file_name().unwrap_or_default().to_string_lossy();
            let bundle = as_file_name(bundle.split('.').next().unwrap_or_default());
            (dir.parent().unwrap_or(Path::new("")).to_path_buf(), format!("{bundle}_{}", file_name(selection)))
        }
        // A recording stays as it was recorded: the picture of one run goes beside it, not into it.
        Ok(run) if run.manifest_json().exists() => (
            dir.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("..")).to_path_buf(),
            run.name(),
        ),
        _ => (dir.clone(), file_name(selection)),
    };
    let plots = dir.join("plots");
    fs::create_dir_all(&plots).map_err(Error::output(&plots))?;
    Ok(plots.join(format!("{}_{subject}.svg", kind.as_str())))
}

const NAME_CHARS_MAX: usize = 100;

/// The patterns as part of a file name that is valid on every system.
fn file_name(selection: &Selection) -> String {
    let mut words: Vec<&str> = match &selection.sweep {
        Some(SweepChoice::Id(id)) => vec![id],
        Some(SweepChoice::Latest) => vec!["latest"],
        None => Vec::new(),
    };
    words.extend(selection.patterns.iter().map(load::Pattern::as_str));
    as_file_name(&words.join("_"))
}

fn as_file_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || "-+=,.".contains(c) { c } else { '_' };
        if c != '_' || !name.ends_with('_') {
            name.push(c);
        }
    }
    name.truncate(NAME_CHARS_MAX);
    let name = name.trim_matches(['_', '.']);
    if name.is_empty() { "all".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_file_names() {
        for (patterns, expected) in [
            (&[][..], "all"),
            (&["*"], "all"),
            (&["loss*_mid"], "loss_mid"),
            (&["delay1?0_mid", "baseline"], "delay1_0_mid_baseline"),
        ] {
            let patterns = patterns.iter().map(|text| text.parse().expect("a pattern")).collect();
            let selection = Selection { dir: PathBuf::new(), patterns, sweep: None, include_failed: false };
            assert_eq!(file_name(&selection), expected);
        }
    }
}
