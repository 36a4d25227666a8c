//! Severity: what is left at each value of a fault, one line a curve, and the danger zone below.
//!
//! Lines are straight between points where crossings are interpolated: the value is linear, the ratio logarithmic.

use polars::prelude::*;

use super::canvas::{draw, text_width};
use super::counted;
use super::panels::{Heading, MARGIN, footnotes};
use crate::Result;

mod curves;
mod panel;

use curves::{Mark, Plotted, panels};
use panel::{NAME, NAME_AT, NAMES, PLOT_HEIGHT, STRIP, Y_LABELS};

const WIDTH: f64 = 1080.0;

/// Draws [`crate::tables::severity::table`] and [`crate::tables::severity::crossings::table`]; the ratios of single runs, from
/// [`crate::tables::delta::by_run`], stand behind as faint dots. Of several kinds of operation only their total is drawn.
/// Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(severity: &DataFrame, crossings: &DataFrame, runs: &DataFrame, subject: &str) -> Result<String> {
    let panels = panels(severity, crossings, runs)?;
    let count = total(&panels);
    let title = "How much is lost at each severity of a fault";
    let line = format!("{}: {subject}; ratios, without a fault 1", counted(count, "run"));
    let described: Vec<String> =
        panels.iter().flat_map(|panel| &panel.curves).map(|curve| curve.described.clone()).collect();
    let description = format!("Ratios against the value of the fault, of {subject}. {}", described.join(" "));
    let mut metrics: Vec<&str> = Vec::new();
    let mut kinds: Vec<&str> = Vec::new();
    for panel in &panels {
        if !metrics.contains(&panel.metric.as_str()) {
            metrics.push(&panel.metric);
        }
        if !kinds.contains(&panel.fault_kind.as_str()) {
            kinds.push(&panel.fault_kind);
        }
    }
    let columns = metrics.len().max(1) as f64;
    let names = panels.iter().flat_map(|panel| &panel.curves).map(|curve| text_width(&curve.name, NAME));
    let wider = (NAME_AT + names.fold(0.0, f64::max) + 8.0 - NAMES).max(0.0).ceil();
    let (pitch, width) = ((WIDTH - 2.0 * MARGIN) / columns + wider, WIDTH + columns * wider);
    let plot_width = pitch - wider - Y_LABELS - NAMES;
    let heading = Heading::new(title, &[line], width);
    let strips = |kind: &str| {
        let of_kind = panels.iter().filter(|panel| panel.fault_kind == kind).map(|panel| panel.curves.len());
        of_kind.max().unwrap_or(0) as f64 * STRIP
    };
    let row_height = |kind: &str| 26.0 + PLOT_HEIGHT + 46.0 + strips(kind) + 34.0;
    let top = heading.bottom() + 14.0;
    let height = top + kinds.iter().map(|kind| row_height(kind)).sum::<f64>() + 62.0;
    draw((width, height), title, &description, |canvas| {
        heading.draw(canvas)?;
        let mut y = top;
        for kind in &kinds {
            for (at, metric) in metrics.iter().enumerate() {
                let Some(panel) = panels.iter().find(|panel| panel.fault_kind == *kind && panel.metric == *metric)
                else {
                    continue;
                };
                let range = range(panels.iter().filter(|panel| panel.metric == *metric));
                panel.draw(canvas, (MARGIN + at as f64 * pitch, y), plot_width, range)?;
            }
            y += row_height(kind);
        }
        let note = "Dashed across: the shares at which the danger zone begins and is certain; dashed curves: from no fault to the \
                    mildest value, between which nothing was measured. Large marks: geometric mean of the runs at a value (×: how many), bars: 95 % interval (t over runs; of one run \
                    within it), arrows where it goes on; faint dots: runs. Grey band: noise floor. Marks with * are of runs in which \
                    the leader changed: no line goes through them. Danger zone: from where the smaller share is lost (thin \
                    edge) to where the larger one is (thick edge), with the 95 % intervals of both edges; an open end lies \
                    outside of the measured values.";
        footnotes(canvas, height, note, width)
    })
}

fn total(panels: &[Plotted]) -> usize {
    let first = panels.first().map(|panel| panel.metric.clone());
    let of_first = panels.iter().filter(|panel| Some(&panel.metric) == first.as_ref());
    of_first.flat_map(|panel| &panel.curves).map(|curve| curve.runs).sum()
}

/// The range that shows every ratio of a metric, at least from a half to the double; of intervals a factor of three more.
fn range<'a>(panels: impl Iterator<Item = &'a Plotted>) -> (f64, f64) {
    let widened = |(from, to): (f64, f64), number: f64| match number.is_finite() {
        true => (from.min(number), to.max(number)),
        false => (from, to),
    };
    let points: Vec<&Mark> = panels.flat_map(|panel| &panel.curves).flat_map(|curve| &curve.points).collect();
    let ratios = points.iter().flat_map(|point| std::iter::once(point.ratio).chain(point.runs.iter().copied()));
    let least = 1.3_f64.log10();
    let of_ratios = ratios.fold((-least, least), widened);
    let allowed = (of_ratios.0 - 3_f64.log10(), of_ratios.1 + 3_f64.log10());
    let ends = points.iter().filter_map(|point| point.interval).flat_map(|(low, high)| [low, high]);
    let (from, to) = ends.map(|end| end.clamp(allowed.0, allowed.1)).fold(of_ratios, widened);
    let room = 0.05 * (to - from);
    (from - room, to + room)
}
