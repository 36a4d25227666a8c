//! Distributions of response time: the share of operations that took no longer, against milliseconds.
//!
//! On the usual scale the shares have equal distances for each nine: p90, p99, p99.9. Below the median little differs
//! between systems that differ; the tail is where slow members show. Operations that were never answered count too: a curve
//! ends, with a cross, where they begin.

use plotters::style::RGBColor;
use polars::prelude::*;

use super::axis::{Tick, log_ticks};
use super::canvas::{
    Anchor, BLUE, Canvas, FAULT_EDGE, Font, GREEN, GREY, GRID, INK, Stroke, VERMILLION, draw, text_width,
};
use super::panels::{Heading, MARGIN, Panel, SUBTITLE, TICK, footnotes, height_with};
use super::sections::{Sections, Shape, left_of};
use super::{
    DAGGER, PlottedRun, by_label, changed_runs, compact_count, counted, counted_runs, shared, short_count, values,
};
use crate::Result;
use crate::tables::delta::main_kind;
use crate::tables::factors::Factors;

const WIDTH: f64 = 1000.0;
const X_TITLE: &str = "response time (ms, logarithmic)";
const LEAST_MS: f64 = 1e-3;
/// Phases and how their lines look, the same in every picture; `all` is that of a run without a fault.
const PHASES: [(&str, (RGBColor, Stroke)); 4] = [
    ("before", (BLUE, Stroke::Dashed)),
    ("after", (GREEN, Stroke::Dotted)),
    ("all", (FAULT_EDGE, Stroke::Solid)),
    ("during", (VERMILLION, Stroke::Solid)),
];
const REFERENCE: (RGBColor, Stroke) = (FAULT_EDGE, Stroke::DashDotted);

/// How the shares of operations are spaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// The same distance for each nine: p90, p99, p99.9.
    #[default]
    Nines,
    /// Evenly.
    Linear,
}

impl Scale {
    /// Where a share lies on the axis; that of all operations has no place among the nines.
    fn place(self, fraction: f64) -> Option<f64> {
        match self {
            Self::Nines => (fraction < 1.0).then(|| -(1.0 - fraction).log10()),
            Self::Linear => Some(fraction),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Nines => "percentile: share of operations due that took no longer (scale of nines)",
            Self::Linear => "share of operations due that took no longer (%)",
        }
    }

    fn ticks(self, most: f64) -> Vec<Tick> {
        let ticks: &[(f64, &str)] = match self {
            Self::Nines => &[(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")],
            Self::Linear => &[(0.0, "0"), (0.25, "25"), (0.5, "50"), (0.75, "75"), (1.0, "100")],
        };
        let tick = |&(fraction, label): &(f64, &str)| {
            Some(Tick { value: self.place(fraction)?, label: Some(label.to_owned()) })
        };
        ticks.iter().filter_map(tick).filter(|tick| tick.value <= most).collect()
    }
}

/// Draws the tables of [`crate::tables::cdf::table`], a panel for each label, a line for each run and phase.
///
/// `references` are, for each run that has no `before` of its own, the baselines that it is compared with (results of
/// [`crate::tables::cdf::geometric_mean`]), drawn in grey. Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(runs: &[PlottedRun], references: &[Option<DataFrame>], scale: Scale, subject: &str) -> Result<String> {
    let curves = runs.iter().map(|run| Curves::new(&run.table, scale)).collect::<Result<Vec<_>>>()?;
    let references = runs.iter().zip(references).map(|pair| reference(pair, scale)).collect::<Result<Vec<_>>>()?;
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
    let mut description = format!("Distributions of response time of {subject}.");
    for (run, curves) in runs.iter().zip(&curves) {
        description += &format!(" {}{}", run.described(), curves.described());
    }

    let groups = by_label(runs);
    let own = curves.iter().flat_map(|curves| curves.0.iter().map(|curve| &curve.points));
    let (x, y) = ranges(own.chain(&references).flatten().copied(), scale);
    // Panels are small: a tick without a label would only be in the way.
    let x_ticks: Vec<Tick> = log_ticks(x).into_iter().filter(|tick| tick.label.is_some()).collect();
    let y_ticks = scale.ticks(y.1);
    let items: Vec<&Factors> = groups.iter().map(|(_, group)| &group[0].factors).collect();
    let layout = Sections::new(&items, WIDTH, (left_of(&y_ticks), heading.bottom() + 74.0), Shape::Square);
    let repeats = if groups.iter().any(|(_, group)| group.len() > 1) { " A line for each run." } else { "" };
    let changed = changed_runs(runs).map_or(String::new(), |names| {
        format!(" {DAGGER} at the end of a line: the leader changed in that run ({names}).")
    });
    let note = format!(
        "n: operations due, before/during/after or in sum. A line ends at the last percentile that its operations \
         support; at ×, where those begin that had no answer in time.{repeats}{changed}"
    );
    let height = height_with(layout.bottom(), &note, WIDTH);
    draw((WIDTH, height), &title, &description, |canvas| {
        heading.draw(canvas)?;
        let is_there = |phase: &str| curves.iter().any(|curves| curves.0.iter().any(|curve| curve.phase == phase));
        key(canvas, heading.bottom() + 14.0, is_there, references.iter().any(|points| !points.is_empty()))?;
        canvas.text((MARGIN, heading.bottom() + 36.0), Anchor::Left, TICK, scale.title())?;
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
                line(canvas, &panel, points, REFERENCE, 1.0, 1.4)?;
            }
            let (alpha, width) = if group.len() > 1 { (0.7, 0.8) } else { (1.0, 1.5) };
            for (phase, style) in PHASES {
                let of_phase = own().flat_map(|((run, curves), _)| curves.0.iter().map(move |curve| (run, curve)));
                for (run, curve) in of_phase.filter(|(_, curve)| curve.phase == phase) {
                    line(canvas, &panel, &curve.points, style, alpha, width)?;
                    if let Some(&end) = curve.points.last().filter(|_| curve.unanswered_from.is_some()) {
                        canvas.cross(panel.at(end), 3.4, style.0)?;
                    }
                    if let Some(&end) = curve.points.last().filter(|_| run.has_changes()) {
                        let (x, y) = panel.at(end);
                        canvas.text((x + 5.0, y), Anchor::Left, Font { colour: style.0, ..TICK }, DAGGER)?;
                    }
                }
            }
            let mut due = Vec::new();
            for phase in ["before", "during", "after", "all"] {
                let of_phase = own().flat_map(|((_, curves), _)| &curves.0).filter(|curve| curve.phase == phase);
                due.extend(of_phase.map(|curve| curve.operations).reduce(|a, b| a + b));
            }
            let runs = counted_runs(group);
            let total = short_count(due.iter().sum());
            let due: Vec<String> = due.into_iter().map(compact_count).collect();
            let wordings = [format!("{runs}, n = {}", due.join("/")), format!("{runs}, {total}"), runs];
            layout.title(canvas, at, &panel, "", &wordings)?;
        }
        canvas.text((WIDTH / 2.0, layout.bottom() + 12.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
        footnotes(canvas, height, &note, WIDTH)
    })
}

/// log10 of milliseconds against the place of the share.
type Points = Vec<(f64, f64)>;

/// One phase of one run.
struct Curve {
    phase: &'static str,
    /// Operations that were due.
    operations: u64,
    points: Points,
    /// The first share that falls among operations without an answer.
    unanswered_from: Option<f64>,
    /// The median and the 99th percentile in milliseconds.
    in_words: Vec<String>,
}

/// The curves of one run, by phase.
struct Curves(Vec<Curve>);

impl Curves {
    fn new(table: &DataFrame, scale: Scale) -> Result<Self> {
        let phase = table.column("phase")?.str()?;
        let operations = table.column("operations")?.u64()?;
        let mut curves: Vec<Curve> = Vec::new();
        for Row { row, fraction, value_ms } in rows(table, "response_due")? {
            let Some((name, _)) = PHASES.into_iter().find(|(name, _)| phase.get(row) == Some(*name)) else { continue };
            let at = curves.iter().position(|known| known.phase == name).unwrap_or_else(|| {
                let operations = operations.get(row).unwrap_or(0);
                let (points, in_words) = (Points::new(), Vec::new());
                curves.push(Curve { phase: name, operations, points, unanswered_from: None, in_words });
                curves.len() - 1
            });
            let curve = &mut curves[at];
            match (value_ms, scale.place(fraction)) {
                (Some(value_ms), place) => {
                    curve.points.extend(place.map(|place| (log_ms(value_ms), place)));
                    let named = NAMED.iter().find(|(wanted, _)| *wanted == fraction);
                    curve.in_words.extend(named.map(|(_, name)| format!("{name} {value_ms:.3} ms")));
                }
                (None, _) => curve.unanswered_from = curve.unanswered_from.or(Some(fraction)),
            }
        }
        if curves.len() > 1 {
            curves.retain(|curve| curve.phase != "all");
        }
        Ok(Self(curves))
    }

    /// The curves in words.
    fn described(&self) -> String {
        let of_curve = |curve: &Curve| {
            let end = curve.unanswered_from.map(|share| format!("no answer from {:.3} % on", share * 100.0));
            let words: Vec<String> = curve.in_words.iter().cloned().chain(end).collect();
            format!(" {} of {} due: {}.", curve.phase, super::grouped(curve.operations), words.join(", "))
        };
        self.0.iter().filter(|curve| curve.operations > 0).map(of_curve).collect()
    }
}

/// Shares that the description names.
const NAMED: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

fn log_ms(value_ms: f64) -> f64 {
    value_ms.max(LEAST_MS).log10()
}

/// A row of a distribution.
struct Row {
    row: usize,
    fraction: f64,
    value_ms: Option<f64>,
}

/// The rows of the main kind and one time.
fn rows(table: &DataFrame, time: &str) -> Result<Vec<Row>> {
    let (kind, times) = (table.column("kind")?.str()?, table.column("time")?.str()?);
    let main = main_kind(kind);
    let (fraction, value_ms) = (values(table, "fraction")?, values(table, "value_ms")?);
    let of_row = |row: usize| {
        let is_wanted = kind.get(row) == Some(main.as_str()) && times.get(row) == Some(time);
        Some(Row { row, fraction: fraction[row].filter(|_| is_wanted)?, value_ms: value_ms[row] })
    };
    Ok((0..table.height()).filter_map(of_row).collect())
}

fn reference((run, reference): (&PlottedRun, &Option<DataFrame>), scale: Scale) -> Result<Points> {
    match reference {
        Some(reference) if run.window_s.is_some() => {
            let point = |row: Row| Some((log_ms(row.value_ms?), scale.place(row.fraction)?));
            Ok(rows(reference, "response_due")?.into_iter().filter_map(point).collect())
        }
        _ => Ok(Vec::new()),
    }
}

fn ranges(points: impl Iterator<Item = (f64, f64)>, scale: Scale) -> ((f64, f64), (f64, f64)) {
    let (mut x, mut most) = ((f64::MAX, f64::MIN), 1.0_f64);
    for (log_ms, place) in points {
        x = (x.0.min(log_ms), x.1.max(log_ms));
        most = most.max(place);
    }
    let (from, to) = if x.0 <= x.1 { x } else { (0.0, 1.0) };
    let room = 0.03 * (to - from).max(0.3);
    let most = if scale == Scale::Linear { 1.0 } else { most * 1.03 };
    ((from - room, to + room), (0.0, most))
}

fn line(
    canvas: &Canvas<'_>,
    panel: &Panel,
    points: &[(f64, f64)],
    style: (RGBColor, Stroke),
    alpha: f64,
    width: f64,
) -> Result<()> {
    let points: Vec<_> = points.iter().map(|&point| panel.at(point)).collect();
    if points.is_empty() { Ok(()) } else { canvas.stroke(&points, style, alpha, width) }
}

/// What the colours mean, in one line.
fn key(canvas: &Canvas<'_>, y: f64, is_there: impl Fn(&str) -> bool, has_reference: bool) -> Result<()> {
    let font = Font::new(12.0, INK);
    let mut x = MARGIN;
    for phase in ["before", "during", "after", "all"] {
        let Some((_, style)) = PHASES.into_iter().find(|(name, _)| *name == phase && is_there(name)) else { continue };
        let text = if phase == "all" { "without a fault" } else { phase };
        canvas.stroke(&[(x, y), (x + 22.0, y)], style, 1.0, 2.0)?;
        canvas.text((x + 28.0, y), Anchor::Left, font, text)?;
        x += 28.0 + text_width(text, font) + 16.0;
    }
    if has_reference {
        let text = "baselines, geometric mean of each percentile";
        canvas.stroke(&[(x, y), (x + 22.0, y)], REFERENCE, 1.0, 2.0)?;
        canvas.text((x + 28.0, y), Anchor::Left, Font::new(12.0, GREY), text)?;
    }
    Ok(())
}
