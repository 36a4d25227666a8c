//! Distributions of response time: percentiles against milliseconds, both on scales that show the tail.
//!
//! Upwards run the percentiles, at equal distances for each nine: p90, p99, p99.9. Below the median little differs
//! between systems that differ; the tail is where slow members show.

use plotters::style::RGBColor;
use polars::prelude::*;

use super::axis::{Tick, log_ticks};
use super::canvas::{Anchor, BLUE, Canvas, FAULT_EDGE, Font, GREEN, GREY, GRID, INK, VERMILLION, draw, text_width};
use super::panels::{Heading, MARGIN, Panel, SUBTITLE, TICK, footnotes};
use super::sections::{Sections, Shape, left_of};
use super::{PlottedRun, by_label, counted, shared, short_count, values};
use crate::Result;
use crate::tables::delta::main_kind;
use crate::tables::factors::Factors;

const WIDTH: f64 = 1000.0;
const X_TITLE: &str = "response time of acknowledged operations (ms, logarithmic)";
const Y_TITLE: &str = "percentile: share of operations that took no longer";
const LEAST_MS: f64 = 1e-3;
/// Phases and their colours, the same in every picture; `all` is that of a run without a fault.
const PHASES: [(&str, RGBColor); 4] = [("before", BLUE), ("after", GREEN), ("all", FAULT_EDGE), ("during", VERMILLION)];

/// How the shares of operations are spaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// The same distance for each nine: p90, p99, p99.9.
    #[default]
    Nines,
    /// Evenly.
    Linear,
}

/// Draws the tables of [`crate::tables::cdf::table`], a panel for each label, a line for each run and phase.
///
/// `references` are, for each run that has no `before` of its own, the baselines that it is compared with (results of
/// [`crate::tables::cdf::geometric_mean`]), drawn in grey. Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(runs: &[PlottedRun], references: &[Option<DataFrame>], scale: Scale, subject: &str) -> Result<String> {
    let _ = scale;
    let curves = runs.iter().map(|run| Curves::new(&run.table)).collect::<Result<Vec<_>>>()?;
    let references = runs.iter().zip(references).map(reference).collect::<Result<Vec<_>>>()?;
    let title = match shared(runs.iter().map(|run| run.label.as_str())) {
        Some(label) => format!("Distribution of response time of {label}"),
        None => "Distribution of response time".to_owned(),
    };
    let mut lines = Vec::new();
    match shared(runs.iter().map(|run| run.fault.as_str())) {
        Some(fault) => lines.push(fault.to_owned()),
        None => lines.push(format!("{}: {subject}", counted(runs.len(), "run"))),
    }
    lines.extend(shared(runs.iter().map(|run| run.workload.as_str())).map(str::to_owned));
    let heading = Heading::new(&title, &lines, WIDTH);
    let described: Vec<String> = runs.iter().map(PlottedRun::described).collect();
    let description = format!("Distributions of response time of {subject}. {}", described.join(" "));

    let groups = by_label(runs);
    let all = || curves.iter().flat_map(|curves| curves.0.iter().map(|(_, points)| points)).chain(&references);
    let (x, y) = ranges(all().flatten().copied());
    // Panels are small: a tick without a label would only be in the way.
    let x_ticks: Vec<Tick> = log_ticks(x).into_iter().filter(|tick| tick.label.is_some()).collect();
    let y_ticks = percentile_ticks(y.1);
    let items: Vec<&Factors> = groups.iter().map(|(_, group)| &group[0].factors).collect();
    let layout = Sections::new(&items, WIDTH, (left_of(&y_ticks), heading.bottom() + 74.0), Shape::Square);
    let height = layout.bottom() + 62.0;
    draw((WIDTH, height), &title, &description, |canvas| {
        heading.draw(canvas)?;
        let is_there = |phase: &str| curves.iter().any(|curves| curves.0.iter().any(|(found, _)| *found == phase));
        key(canvas, heading.bottom() + 14.0, is_there, references.iter().any(|points| !points.is_empty()))?;
        canvas.text((MARGIN, heading.bottom() + 36.0), Anchor::Left, TICK, Y_TITLE)?;
        layout.headings(canvas)?;
        for (at, (label, group)) in groups.iter().enumerate() {
            let (panel, labelled) = layout.panel(at, x, y);
            for tick in &x_ticks {
                let at = panel.x.at(tick.value);
                canvas.line(&[(at, panel.top()), (at, panel.bottom())], GRID, 1.0, 0.8)?;
            }
            panel.axes(canvas, &x_ticks, &y_ticks, labelled)?;
            let own = || runs.iter().zip(&curves).zip(&references).filter(|((run, _), _)| run.label == *label);
            if let Some((_, points)) = own().find(|(_, points)| !points.is_empty()) {
                line(canvas, &panel, points, FAULT_EDGE, 1.0, 1.4)?;
            }
            let (alpha, width) = if group.len() > 1 { (0.7, 0.8) } else { (1.0, 1.5) };
            for (phase, colour) in PHASES {
                let curves = own().flat_map(|((_, curves), _)| &curves.0).filter(|(found, _)| *found == phase);
                for (_, points) in curves {
                    line(canvas, &panel, points, colour, alpha, width)?;
                }
            }
            let count = group.iter().map(|run| run.acknowledged()).sum();
            let count_in_words = format!("{}, {}", counted(group.len(), "run"), short_count(count));
            layout.title(canvas, at, &panel, "", &[count_in_words, short_count(count)])?;
        }
        canvas.text((WIDTH / 2.0, layout.bottom() + 12.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
        let repeats = if groups.iter().any(|(_, group)| group.len() > 1) { " A line for each run." } else { "" };
        let note = format!(
            "n: acknowledged operations of all phases. A line ends at the last percentile that its operations \
             support; of those without an answer there is no time to show.{repeats}"
        );
        footnotes(canvas, height, &note, WIDTH)
    })
}

/// log10 of milliseconds against nines: 1 for p90, 2 for p99.
type Points = Vec<(f64, f64)>;

/// The curves of one run, by phase.
struct Curves(Vec<(&'static str, Points)>);

impl Curves {
    fn new(table: &DataFrame) -> Result<Self> {
        let phase = table.column("phase")?.str()?;
        let mut curves: Vec<(&'static str, Points)> = Vec::new();
        for (row, point) in points(table)? {
            let Some((name, _)) = PHASES.into_iter().find(|(name, _)| phase.get(row) == Some(*name)) else { continue };
            match curves.iter_mut().find(|(known, _)| *known == name) {
                Some((_, points)) => points.push(point),
                None => curves.push((name, vec![point])),
            }
        }
        if curves.len() > 1 {
            curves.retain(|(phase, _)| *phase != "all");
        }
        Ok(Self(curves))
    }
}

/// The rows of the main kind's response time below its maximum, which has no place on an axis of nines.
fn points(table: &DataFrame) -> Result<Vec<(usize, (f64, f64))>> {
    let (kind, time) = (table.column("kind")?.str()?, table.column("time")?.str()?);
    let main = main_kind(kind);
    let (fraction, value_ms) = (values(table, "fraction")?, values(table, "value_ms")?);
    let of_row = |row: usize| {
        let is_wanted = kind.get(row) == Some(main.as_str()) && time.get(row) == Some("response");
        let fraction = fraction[row].filter(|&fraction| is_wanted && fraction < 1.0)?;
        Some((row, (value_ms[row]?.max(LEAST_MS).log10(), -(1.0 - fraction).log10())))
    };
    Ok((0..table.height()).filter_map(of_row).collect())
}

fn reference((run, reference): (&PlottedRun, &Option<DataFrame>)) -> Result<Points> {
    match reference {
        Some(reference) if run.window_s.is_some() => Ok(points(reference)?.into_iter().map(|(_, at)| at).collect()),
        _ => Ok(Vec::new()),
    }
}

fn ranges(points: impl Iterator<Item = (f64, f64)>) -> ((f64, f64), (f64, f64)) {
    let (mut x, mut most) = ((f64::MAX, f64::MIN), 1.0_f64);
    for (log_ms, nines) in points {
        x = (x.0.min(log_ms), x.1.max(log_ms));
        most = most.max(nines);
    }
    let (from, to) = if x.0 <= x.1 { x } else { (0.0, 1.0) };
    let room = 0.03 * (to - from).max(0.3);
    ((from - room, to + room), (0.0, most * 1.03))
}

fn percentile_ticks(most: f64) -> Vec<Tick> {
    let ticks = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")];
    let tick =
        |(fraction, label): (f64, &str)| Tick { value: -(1.0_f64 - fraction).log10(), label: Some(label.to_owned()) };
    ticks.into_iter().map(tick).filter(|tick| tick.value <= most).collect()
}

fn line(
    canvas: &Canvas<'_>,
    panel: &Panel,
    points: &[(f64, f64)],
    colour: RGBColor,
    alpha: f64,
    width: f64,
) -> Result<()> {
    let points: Vec<_> = points.iter().map(|&point| panel.at(point)).collect();
    if points.is_empty() { Ok(()) } else { canvas.line(&points, colour, alpha, width) }
}

/// What the colours mean, in one line.
fn key(canvas: &Canvas<'_>, y: f64, is_there: impl Fn(&str) -> bool, has_reference: bool) -> Result<()> {
    let font = Font::new(12.0, INK);
    let mut x = MARGIN;
    for phase in ["before", "during", "after", "all"] {
        let Some((_, colour)) = PHASES.into_iter().find(|(name, _)| *name == phase && is_there(name)) else { continue };
        let text = if phase == "all" { "without a fault" } else { phase };
        canvas.line(&[(x, y), (x + 22.0, y)], colour, 1.0, 2.0)?;
        canvas.text((x + 28.0, y), Anchor::Left, font, text)?;
        x += 28.0 + text_width(text, font) + 16.0;
    }
    if has_reference {
        let text = "baselines, geometric mean of each percentile";
        canvas.line(&[(x, y), (x + 22.0, y)], FAULT_EDGE, 1.0, 2.0)?;
        canvas.text((x + 28.0, y), Anchor::Left, Font::new(12.0, GREY), text)?;
    }
    Ok(())
}
