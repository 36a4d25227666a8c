//! Latency over time of many repeats: a panel for each label, the middle run and the outermost ones.

use plotters::style::RGBColor;
use polars::prelude::DataFrame;

use super::{LEAST_MS, WIDTH, X_TITLE, Y_TITLE};
use crate::Result;
use crate::plots::axis::{linear_ticks, log_ticks};
use crate::plots::canvas::{Anchor, BLUE, Canvas, FAULT_EDGE, Font, GREY, INK, Stroke, VERMILLION, draw, text_width};
use crate::plots::panels::{Heading, MARGIN, Panel, SUBTITLE, TICK, footnotes, height_with};
use crate::plots::sections::{Sections, Shape, left_of};
use crate::plots::{Group, PlottedRun, baseline_of, by_label, counted, short_count, values};
use crate::tables::factors::Factors;

/// Column of the table, name in the key, and colour.
const QUANTILES: [(&str, &str, (RGBColor, Stroke)); 2] =
    [("response_p99_ms", "p99", (VERMILLION, Stroke::Dashed)), ("response_p50_ms", "p50", (BLUE, Stroke::Solid))];
/// The slowest operation of each bin in any of the runs.
const SLOWEST: &str = "response_max_ms_max";

pub(super) fn draw_svg(
    runs: &[PlottedRun],
    across: &[DataFrame],
    heading: &Heading,
    (title, description): (&str, &str),
) -> Result<String> {
    let groups = by_label(runs);
    let deadline_ms = |group: &[&PlottedRun]| group.iter().map(|run| run.deadline_ms).fold(LEAST_MS, f64::max);
    let of_group = |((_, group), table): (&Group<'_>, &DataFrame)| Curves::new(table, deadline_ms(group));
    let curves = groups.iter().zip(across).map(of_group).collect::<Result<Vec<_>>>()?;
    let end_s = runs.iter().map(|run| run.end_s).fold(1e-3, f64::max);
    let logs = || curves.iter().flat_map(Curves::logs);
    let (lowest, highest) = (logs().fold(f64::MAX, f64::min), logs().fold(f64::MIN, f64::max));
    let (lowest, highest) = if lowest <= highest { (lowest, highest) } else { (0.0, 1.0) };
    let room = 0.04 * (highest - lowest).max(0.5);
    let (x, y) = ((0.0, end_s), (lowest - room, highest + room));
    let y_ticks = log_ticks(y);
    let items: Vec<&Factors> = groups.iter().map(|(_, group)| &group[0].factors).collect();
    let layout = Sections::new(&items, WIDTH, (left_of(&y_ticks), heading.bottom() + 74.0), Shape::Flat);
    let y_ticks = layout.readable(y_ticks, y);
    let has_changes = runs.iter().any(|run| !run.leader_changes.is_empty());
    let note = format!(
        "Each run's p50 and p99 in each bin; line: the middle run, band: from the lowest to the highest; dotted: the \
         slowest operation of all runs. n: acknowledged operations. Shaded: fault in force, measured edges.{}{}",
        if curves.iter().any(|curves| !curves.not_ok_s.is_empty()) {
            " ×, at the deadline: bins with operations that were not acknowledged."
        } else {
            ""
        },
        if has_changes { " ▼ leader changed." } else { "" }
    );
    let height = height_with(layout.bottom(), &note, WIDTH);
    let baselines: Vec<Option<usize>> = (0..groups.len()).map(|at| baseline_of(&groups, at)).collect();
    draw((WIDTH, height), title, description, |canvas| {
        heading.draw(canvas)?;
        key(canvas, heading.bottom() + 14.0, baselines.iter().any(Option::is_some))?;
        canvas.text((MARGIN, heading.bottom() + 36.0), Anchor::Left, TICK, Y_TITLE)?;
        layout.headings(canvas)?;
        for (at, ((_, group), here)) in groups.iter().zip(&curves).enumerate() {
            let (panel, labelled) = layout.panel(at, x, y);
            if let Some(window) = group.iter().find_map(|run| run.window_s) {
                panel.shade(canvas, window, 1.0)?;
            }
            panel.axes(canvas, &linear_ticks(x, 4), &y_ticks, labelled)?;
            if let Some(baseline) = baselines[at] {
                for (curve, (_, _, (_, stroke))) in curves[baseline].quantiles.iter().zip(QUANTILES) {
                    line(canvas, &panel, &curve.middle, (FAULT_EDGE, stroke), 0.8)?;
                }
            }
            line(canvas, &panel, &here.slowest, (INK, Stroke::Dotted), 0.8)?;
            for (curve, (_, _, (colour, stroke))) in here.quantiles.iter().zip(QUANTILES) {
                let outline: Vec<_> =
                    curve.least.iter().chain(curve.most.iter().rev()).map(|&point| panel.at(point)).collect();
                if !outline.is_empty() {
                    canvas.polygon(&outline, colour, 0.25)?;
                }
                line(canvas, &panel, &curve.middle, (colour, stroke), 1.2)?;
            }
            here.not_ok_s.iter().try_for_each(|&at_s| canvas.cross(panel.at((at_s, here.deadline)), 2.4, INK))?;
            let mut changes = group.iter().flat_map(|run| &run.leader_changes);
            changes.try_for_each(|change| panel.marker(canvas, change.at_s, INK))?;
            let count = group.iter().map(|run| run.acknowledged()).sum();
            let runs = counted(group.len(), "run");
            let count = short_count(count);
            layout.title(canvas, at, &panel, "", &[format!("{runs}, {count}"), count, runs])?;
        }
        canvas.text((WIDTH / 2.0, layout.bottom() + 12.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
        footnotes(canvas, height, &note, WIDTH)
    })
}

fn line(
    canvas: &Canvas<'_>,
    panel: &Panel,
    points: &[(f64, f64)],
    style: (RGBColor, Stroke),
    width: f64,
) -> Result<()> {
    let points: Vec<_> = points.iter().map(|&point| panel.at(point)).collect();
    if points.is_empty() { Ok(()) } else { canvas.stroke(&points, style, 1.0, width) }
}

/// One quantile of the repeats of a label: seconds against log10 of milliseconds.
struct Curve {
    middle: Vec<(f64, f64)>,
    least: Vec<(f64, f64)>,
    most: Vec<(f64, f64)>,
}

impl Curve {
    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.middle.iter().chain(&self.least).chain(&self.most)
    }
}

/// What is drawn of a label.
struct Curves {
    /// In the order of [`QUANTILES`].
    quantiles: Vec<Curve>,
    slowest: Vec<(f64, f64)>,
    /// Start of each bin in which an operation of some run was not acknowledged.
    not_ok_s: Vec<f64>,
    /// log10 of milliseconds.
    deadline: f64,
}

impl Curves {
    fn new(table: &DataFrame, deadline_ms: f64) -> Result<Self> {
        let from_s = values(table, "from_s")?;
        let curve = |name: &str| -> Result<Vec<(f64, f64)>> {
            let rows = from_s.iter().zip(values(table, name)?);
            Ok(rows.filter_map(|(from_s, ms)| Some(((*from_s)?, ms?.max(LEAST_MS).log10()))).collect())
        };
        let of_quantile = |(name, ..): (&str, &str, (RGBColor, Stroke))| -> Result<Curve> {
            Ok(Curve {
                middle: curve(&format!("{name}_median"))?,
                least: curve(&format!("{name}_min"))?,
                most: curve(&format!("{name}_max"))?,
            })
        };
        let not_ok = from_s.iter().zip(values(table, "not_ok_max")?);
        Ok(Self {
            quantiles: QUANTILES.into_iter().map(of_quantile).collect::<Result<_>>()?,
            slowest: curve(SLOWEST)?,
            not_ok_s: not_ok.filter(|(_, count)| *count > Some(0.0)).filter_map(|(from_s, _)| *from_s).collect(),
            deadline: deadline_ms.log10(),
        })
    }

    /// Every value that is drawn, as log10 of milliseconds.
    fn logs(&self) -> impl Iterator<Item = f64> {
        let points = self.quantiles.iter().flat_map(Curve::points).chain(&self.slowest).map(|point| point.1);
        points.chain((!self.not_ok_s.is_empty()).then_some(self.deadline))
    }
}

fn key(canvas: &Canvas<'_>, y: f64, has_baseline: bool) -> Result<()> {
    let font = Font::new(12.0, GREY);
    let mut x = MARGIN;
    let lines = QUANTILES.iter().rev().map(|&(_, text, style)| (text, style));
    let slowest = ("slowest operation", (INK, Stroke::Dotted));
    let baselines = has_baseline.then_some(("baselines, p50 and p99", (FAULT_EDGE, Stroke::Solid)));
    for (text, style) in lines.chain([slowest]).chain(baselines) {
        canvas.stroke(&[(x, y), (x + 26.0, y)], style, 1.0, 1.8)?;
        canvas.text((x + 32.0, y), Anchor::Left, font, text)?;
        x += 32.0 + text_width(text, font) + 16.0;
    }
    Ok(())
}
