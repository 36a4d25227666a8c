//! Before, during and after side by side: quantiles of response time, a panel for each label, all on one scale.

use plotters::style::RGBColor;
use polars::prelude::*;

use super::axis::{Tick, log_ticks};
use super::canvas::{Anchor, BLUE, Canvas, Font, GREEN, GREY, GRID, INK, VERMILLION, draw, text_width};
use super::panels::{Heading, MARGIN, NOTE, Panel, SUBTITLE, TICK, footnotes, height_with};
use super::sections::{Sections, Shape, left_of};
use super::{counted, grouped, short_count, values};
use crate::Result;
use crate::tables::delta::{Measured, main_kind};
use crate::tables::factors::Factors;
use crate::tables::levels::QUANTILES;

const WIDTH: f64 = 1000.0;
const Y_TITLE: &str = "response time of acknowledged operations (ms, logarithmic)";
const X_TITLE: &str = "quantile of response time";
const LEAST_MS: f64 = 1e-3;
/// From this width of a panel on there is room for the values in numbers.
const NUMBERS_FROM: f64 = 420.0;

/// How far beyond what was measured an interval is drawn, in log10.
const CUT: f64 = 0.3;

/// What stands for a phase, for those who cannot tell its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Circle,
    Square,
    Triangle,
    Diamond,
}

/// Phases with their colours, the same as in the distributions, and marks.
const PHASES: [(&str, RGBColor, Mark); 4] = [
    ("baseline", GREY, Mark::Diamond),
    ("before", BLUE, Mark::Circle),
    ("during", VERMILLION, Mark::Square),
    ("after", GREEN, Mark::Triangle),
];

/// A label as it is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// What the label is.
    pub factors: &'a Factors,
    /// Its runs.
    pub runs: usize,
}

impl<'a> Shown<'a> {
    /// The conditions of the runs that are shown, in reading order.
    pub fn of(measured: &'a [Measured]) -> Vec<Self> {
        let mut runs: Vec<&Measured> = measured.iter().filter(|run| run.is_shown).collect();
        runs.sort_by(|a, b| a.factors.reading_order(&b.factors).then_with(|| a.run.cmp(&b.run)));
        let mut shown: Vec<Self> = Vec::new();
        for run in runs {
            match shown.iter_mut().find(|shown| shown.factors.condition == run.factors.condition) {
                Some(shown) => shown.runs += 1,
                None => shown.push(Self { factors: &run.factors, runs: 1 }),
            }
        }
        shown
    }
}

/// Draws [`crate::tables::levels::by_label`] as marks with intervals, and [`crate::tables::levels::by_run`] as dots
/// beside them. `shown` are the labels, one for each condition, in their order. Runs in which the leader changed are dots
/// only. Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(labels: &DataFrame, runs: &DataFrame, shown: &[Shown<'_>], subject: &str) -> Result<String> {
    let kind = main_kind(labels.column("kind")?.str()?);
    let levels = Level::all(labels, &kind)?;
    let mut dots = Dot::all(runs, &kind)?;
    let levels_of = |label: &Shown<'_>| -> Vec<&Level> {
        let condition = &label.factors.condition;
        levels.iter().filter(|level| level.condition == *condition && !level.leader_changed).collect()
    };
    dots.retain(|dot| shown.iter().any(|label| dot.is_of(label.factors, &levels_of(label))));
    let title = match shown {
        [only] => format!("Before, during and after {}", only.factors.label),
        _ => "Before, during and after".to_owned(),
    };
    let count: usize = shown.iter().map(|label| label.runs).sum();
    let what = if shown.len() == 1 { "one label" } else { subject };
    let mut lines = vec![format!("{}: {what}; operations: {kind}", counted(count, "run"))];
    if count > 1 {
        lines.push("marks: geometric mean over the runs, with the 95 % t interval between them; dots: runs".to_owned());
    }
    let heading = Heading::new(&title, &lines, WIDTH);
    let description = format!("Quantiles of response time by phase of {subject}.{}", described(&levels, shown));
    let logs: Vec<f64> = levels.iter().map(|level| level.value).chain(dots.iter().map(|dot| dot.value)).collect();
    let (lowest, highest) =
        (logs.iter().copied().fold(f64::MAX, f64::min), logs.iter().copied().fold(f64::MIN, f64::max));
    let (lowest, highest) = if lowest <= highest { (lowest, highest) } else { (0.0, 1.0) };
    // Intervals of few runs can span decades in which nothing was measured: they are cut, and say so.
    let within = levels.iter().flat_map(|level| [level.low, level.high]).flatten();
    let within: Vec<f64> = within.filter(|end| (lowest - CUT..=highest + CUT).contains(end)).collect();
    let is_cut = |level: &Level| {
        level.low.is_some_and(|low| low < lowest - CUT) || level.high.is_some_and(|high| high > highest + CUT)
    };
    let has_cut = levels.iter().any(is_cut);
    let room = if has_cut { CUT } else { 0.05 * (highest - lowest).max(0.5) };
    let (lowest, highest) = within.into_iter().fold((lowest, highest), |(a, b), end| (a.min(end), b.max(end)));
    let (x, y) = ((0.0, QUANTILES.len() as f64), (lowest - room, highest + room));
    let y_ticks = log_ticks(y);
    let items: Vec<&Factors> = shown.iter().map(|label| label.factors).collect();
    let layout = Sections::new(&items, WIDTH, (left_of(&y_ticks), heading.bottom() + 74.0), Shape::Square);
    let y_ticks = layout.readable(y_ticks, y);
    let mut notes = vec!["n: acknowledged operations of the phases shown, without those of baselines beside others."];
    notes.push("A quantile that too few operations support is left out.");
    let has_changed = dots.iter().any(|dot| dot.leader_changed);
    notes.extend(has_changed.then_some("×: runs in which the leader changed; they are in no mean, and not in n."));
    notes.extend(has_cut.then_some("Arrowheads: the interval goes on."));
    let notes = notes.join(" ");
    let height = height_with(layout.bottom(), &notes, WIDTH);
    draw((WIDTH, height), &title, &description, |canvas| {
        heading.draw(canvas)?;
        key(canvas, heading.bottom() + 14.0, &levels, &dots)?;
        canvas.text((MARGIN, heading.bottom() + 36.0), Anchor::Left, TICK, Y_TITLE)?;
        layout.headings(canvas)?;
        for (at, label) in shown.iter().enumerate() {
            let (panel, labelled) = layout.panel(at, x, y);
            for edge in 1..QUANTILES.len() {
                let x = panel.x.at(edge as f64);
                canvas.line(&[(x, panel.top()), (x, panel.bottom())], GRID, 1.0, 0.8)?;
            }
            panel.axes(canvas, &quantile_ticks(), &y_ticks, labelled)?;
            let of_label = levels_of(label);
            // A phase has one place in every panel, so that panels can be compared.
            let places = places(&levels);
            for dot in dots.iter().filter(|dot| dot.is_of(label.factors, &of_label)) {
                let at = panel.at((dot.quantile as f64 + place(&places, dot.phase), dot.value));
                match dot.leader_changed {
                    true => canvas.cross(at, 2.6, PHASES[dot.phase].1)?,
                    false => canvas.faint_dot((at.0 + 4.0, at.1), 1.7, PHASES[dot.phase].1)?,
                }
            }
            for level in &of_label {
                level.draw(canvas, &panel, place(&places, level.phase))?;
            }
            let ok: u64 = own_operations(&of_label);
            let runs = match own_runs(&of_label) {
                own if own < label.runs as u64 => format!("{own} of {}", counted(label.runs, "run")),
                _ => counted(label.runs, "run"),
            };
            let wordings = [format!("{runs}, n = {}", grouped(ok)), format!("{runs}, {}", short_count(ok)), runs];
            layout.title(canvas, at, &panel, "", &wordings)?;
        }
        canvas.text((WIDTH / 2.0, layout.bottom() + 12.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
        footnotes(canvas, height, &notes, WIDTH)
    })
}

fn quantile_ticks() -> Vec<Tick> {
    let tick =
        |(at, (name, _)): (usize, &(&str, f64))| Tick { value: at as f64 + 0.5, label: Some(name.replace('_', ".")) };
    QUANTILES.iter().enumerate().map(tick).collect()
}

/// The phases that occur, as indices into [`PHASES`].
fn places(levels: &[Level]) -> Vec<usize> {
    (0..PHASES.len()).filter(|&phase| levels.iter().any(|level| level.phase == phase)).collect()
}

/// Where a phase lies within its quantile, from 0 to 1.
fn place(places: &[usize], phase: usize) -> f64 {
    let at = places.iter().position(|&place| place == phase).unwrap_or(0);
    (at as f64 + 0.7) / (places.len().max(1) as f64 + 0.4)
}

/// Acknowledged operations of a label's own phases; those of baselines that it is compared with are counted elsewhere.
fn own_operations(levels: &[&Level]) -> u64 {
    own(levels).filter(|level| level.quantile == 0).map(|level| level.ok).sum()
}

/// Runs that are in a label's means: those in which the leader changed are not.
fn own_runs(levels: &[&Level]) -> u64 {
    own(levels).map(|level| level.runs).max().unwrap_or(0)
}

fn own<'a>(levels: &'a [&Level]) -> impl Iterator<Item = &'a Level> {
    let is_baseline_only = levels.iter().all(|level| level.phase == 0);
    levels.iter().copied().filter(move |level| is_baseline_only || level.phase > 0)
}

/// One quantile of one phase of a label, as log10 of milliseconds.
struct Level {
    condition: String,
    leader_changed: bool,
    phase: usize,
    quantile: usize,
    runs: u64,
    ok: u64,
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
}

/// Rows of the response time of one kind: row, phase and quantile as places.
fn rows(table: &DataFrame, kind: &str) -> Result<Vec<(usize, usize, usize)>> {
    let text = |name: &str| -> Result<&StringChunked> { Ok(table.column(name)?.str()?) };
    let (kinds, phase, time, quantile) = (text("kind")?, text("phase")?, text("time")?, text("quantile")?);
    let of_row = |row: usize| {
        let is_wanted = kinds.get(row) == Some(kind) && time.get(row) == Some("response");
        let phase = PHASES.iter().position(|(name, ..)| Some(*name) == phase.get(row))?;
        let quantile = QUANTILES.iter().position(|(name, _)| Some(*name) == quantile.get(row))?;
        is_wanted.then_some((row, phase, quantile))
    };
    Ok((0..table.height()).filter_map(of_row).collect())
}

impl Level {
    fn all(table: &DataFrame, kind: &str) -> Result<Vec<Self>> {
        let condition = table.column("condition")?.str()?;
        let leader_changed = table.column("leader_changed")?.bool()?;
        let (runs, ok) = (table.column("runs")?.u64()?, table.column("ok")?.u64()?);
        let logs = |name: &str| -> Result<Vec<Option<f64>>> {
            Ok(values(table, name)?.into_iter().map(|ms| ms.map(|ms| ms.max(LEAST_MS).log10())).collect())
        };
        let (value, low, high) = (logs("value_ms")?, logs("low_ms")?, logs("high_ms")?);
        let of_row = |(row, phase, quantile): (usize, usize, usize)| {
            Some(Self {
                condition: condition.get(row).unwrap_or_default().to_owned(),
                leader_changed: leader_changed.get(row).unwrap_or(false),
                phase,
                quantile,
                runs: runs.get(row).unwrap_or(0),
                ok: ok.get(row).unwrap_or(0),
                value: value[row]?,
                low: low[row],
                high: high[row],
            })
        };
        Ok(rows(table, kind)?.into_iter().filter_map(of_row).collect())
    }

    fn draw(&self, canvas: &Canvas<'_>, panel: &Panel, place: f64) -> Result<()> {
        let (_, colour, mark) = PHASES[self.phase];
        let (x, y) = panel.at((self.quantile as f64 + place, self.value));
        if let (Some(low), Some(high)) = (self.low, self.high) {
            canvas.line(&[(x, panel.y.at(low)), (x, panel.y.at(high))], colour, 1.0, 1.4)?;
            let (top, bottom) = (panel.top(), panel.bottom());
            if high > panel.y.values.1 {
                canvas.polygon(&[(x - 3.0, top + 6.0), (x + 3.0, top + 6.0), (x, top)], colour, 1.0)?;
            }
            if low < panel.y.values.0 {
                canvas.polygon(&[(x - 3.0, bottom - 6.0), (x + 3.0, bottom - 6.0), (x, bottom)], colour, 1.0)?;
            }
        }
        draw_mark(canvas, mark, (x, y), colour)?;
        if panel.right() - panel.left() >= NUMBERS_FROM {
            let font = Font { colour: INK, ..NOTE };
            canvas.text((x + 8.0, y - 8.0), Anchor::Left, Font { size: 10.5, ..font }, &milliseconds(self.value))?;
        }
        Ok(())
    }
}

fn draw_mark(canvas: &Canvas<'_>, mark: Mark, (x, y): (f64, f64), colour: RGBColor) -> Result<()> {
    const R: f64 = 4.0;
    match mark {
        Mark::Circle => canvas.dot((x, y), R - 0.3, colour),
        Mark::Square => canvas.rectangle((x - R + 0.5, y - R + 0.5), (x + R - 0.5, y + R - 0.5), colour, 1.0),
        Mark::Triangle => canvas.polygon(&[(x - R, y + R * 0.8), (x + R, y + R * 0.8), (x, y - R)], colour, 1.0),
        Mark::Diamond => canvas.polygon(&[(x - R, y), (x, y - R), (x + R, y), (x, y + R)], colour, 1.0),
    }
}

/// A logarithm of milliseconds in three digits.
fn milliseconds(log_ms: f64) -> String {
    let decimals = (2.0 - log_ms.floor()).clamp(0.0, 3.0) as usize;
    format!("{:.decimals$}", 10_f64.powf(log_ms))
}

/// A quantile of one phase of one run.
struct Dot {
    label: String,
    phase: usize,
    quantile: usize,
    leader_changed: bool,
    value: f64,
}

impl Dot {
    fn all(table: &DataFrame, kind: &str) -> Result<Vec<Self>> {
        let label = table.column("label")?.str()?;
        let (leader_changes, value_ms) = (table.column("leader_changes")?.u64()?, values(table, "value_ms")?);
        let of_row = |(row, phase, quantile): (usize, usize, usize)| {
            Some(Self {
                label: label.get(row).unwrap_or_default().to_owned(),
                phase,
                quantile,
                leader_changed: leader_changes.get(row).unwrap_or(0) > 0,
                value: value_ms[row]?.max(LEAST_MS).log10(),
            })
        };
        Ok(rows(table, kind)?.into_iter().filter_map(of_row).collect())
    }

    /// Whether it stands beside the marks of a label: a mean of one run needs no dot.
    fn is_of(&self, factors: &Factors, levels: &[&Level]) -> bool {
        let mean = levels.iter().find(|level| (level.phase, level.quantile) == (self.phase, self.quantile));
        self.label == factors.label && (self.leader_changed || mean.is_some_and(|level| level.runs > 1))
    }
}

/// The numbers in words.
fn described(levels: &[Level], shown: &[Shown<'_>]) -> String {
    let mut words = String::new();
    for label in shown {
        for (phase, (name, ..)) in PHASES.iter().enumerate() {
            let is_it = |level: &&Level| {
                level.condition == label.factors.condition && level.phase == phase && !level.leader_changed
            };
            let found: Vec<String> = levels
                .iter()
                .filter(is_it)
                .map(|level| {
                    let ms = |log: f64| format!("{:.3}", 10_f64.powf(log));
                    let interval = level.low.zip(level.high);
                    let interval =
                        interval.map_or(String::new(), |(low, high)| format!(" [{}, {}]", ms(low), ms(high)));
                    format!("{} {} ms{interval}", QUANTILES[level.quantile].0.replace('_', "."), ms(level.value))
                })
                .collect();
            if !found.is_empty() {
                words += &format!(" {} {name}: {}.", label.factors.label, found.join(", "));
            }
        }
    }
    words
}

fn key(canvas: &Canvas<'_>, y: f64, levels: &[Level], dots: &[Dot]) -> Result<()> {
    let font = Font::new(12.0, INK);
    let mut x = MARGIN;
    for (phase, (name, colour, mark)) in PHASES.iter().enumerate() {
        if !levels.iter().any(|level| level.phase == phase) && !dots.iter().any(|dot| dot.phase == phase) {
            continue;
        }
        draw_mark(canvas, *mark, (x + 5.0, y), *colour)?;
        canvas.text((x + 16.0, y), Anchor::Left, font, name)?;
        x += 16.0 + text_width(name, font) + 18.0;
    }
    Ok(())
}
