//! Two runs or two sets of them: how effects of B relate to those of A, against the margin; of one label also the
//! distributions of both, laid over each other.

use plotters::style::{RGBColor, WHITE};
use polars::prelude::*;

use super::axis::{Axis, Tick, log_ticks};
use super::canvas::{Anchor, BLUE, Canvas, Font, GREY, GRID, INK, VERMILLION, draw, text_width};
use super::panels::{Heading, Labelled, MARGIN, Panel, SUBTITLE, TICK, footnotes};
use super::values;
use crate::Result;
use crate::tables::compare::sets;
use crate::tables::delta::{NOT_OK_SHARE, main_kind};

const WIDTH_MIN: f64 = 1000.0;
/// So wide every panel is at least.
const PANEL_MIN: f64 = 130.0;
const ROW: f64 = 22.0;
const GROUP_GAP: f64 = 8.0;
const PANEL_GAP: f64 = 22.0;
/// Room for both effects in figures, at the right of each panel.
const FIGURES: f64 = 92.0;
const CDF_HEIGHT: f64 = 230.0;
const NAME: Font = Font::new(11.5, INK);
const FIGURE: Font = Font::new(10.0, GREY);
const PANEL_NAME: Font = Font::new(13.0, INK).bold();
/// How the distributions of each side are drawn; wide lines lie below narrow ones.
const LINES: [(&str, RGBColor, f64); 2] = [("A", BLUE, 2.2), ("B", VERMILLION, 1.1)];
const MARGIN_BAND: RGBColor = RGBColor(0xE0, 0xE0, 0xE0);

/// Draws [`crate::tables::compare::table`] or [`crate::tables::compare::sets::table`], and where `curves` are given the
/// [`crate::tables::cdf::table`]s of A's runs over those of B's. Of several kinds of operation only their total is drawn. Returns
/// the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(
    compared: &DataFrame,
    (a, b): (&str, &str),
    overall: &str,
    curves: (&[DataFrame], &[DataFrame]),
) -> Result<String> {
    let rows = rows(compared)?;
    let mut metrics: Vec<String> = Vec::new();
    for row in &rows {
        metrics.extend(
            row.effects
                .iter()
                .map(|effect| effect.metric.clone())
                .filter(|metric| !metrics.contains(metric))
                .collect::<Vec<_>>(),
        );
    }
    let overlays = overlays(curves)?;
    let title = "Effects of B against those of A";
    // Single effects are in the picture; the sentence above it needs their number only.
    let verdict = overall.splitn(3, ": ").take(2).collect::<Vec<_>>().join(": ");
    let words: Vec<String> = rows.iter().map(Row::described).collect();
    let description = format!("A: {a}. B: {b}. {overall}. {}", words.join(" "));
    let names = rows.iter().map(|row| text_width(&row.name, NAME)).fold(60.0, f64::max);
    let left = MARGIN + names + 12.0;
    let count = metrics.len().max(1) as f64;
    let around = left + MARGIN + (count - 1.0) * PANEL_GAP + count * FIGURES;
    let whole = WIDTH_MIN.max(around + count * PANEL_MIN);
    let width = (whole - around) / count;
    let heading = Heading::new(title, &[format!("A: {a}"), format!("B: {b}"), verdict], whole);
    let top = heading.bottom() + 60.0;
    let mut bottom = top;
    let mut places = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if at > 0 && row.label != rows[at - 1].label {
            bottom += GROUP_GAP;
        }
        places.push(bottom + ROW / 2.0);
        bottom += ROW;
    }
    let below = if overlays.is_empty() { 0.0 } else { CDF_HEIGHT + 110.0 };
    let height = bottom + below + 84.0;
    draw((whole, height), title, &description, |canvas| {
        heading.draw(canvas)?;
        key(canvas, heading.bottom() + 14.0, !overlays.is_empty())?;
        for (row, &y) in rows.iter().zip(&places) {
            canvas.text((left - 12.0, y), Anchor::Right, NAME, &row.name)?;
        }
        for (at, metric) in metrics.iter().enumerate() {
            let from = left + at as f64 * (width + FIGURES + PANEL_GAP);
            let axis = Axis { values: range(&rows, metric), pixels: (from, from + width) };
            let ticks = if metric == NOT_OK_SHARE { ticks_of_shares(&axis) } else { ticks(&axis) };
            canvas.text((from + width / 2.0, top - 24.0), Anchor::Middle, PANEL_NAME, &heading_of(metric))?;
            canvas.text((from + width + FIGURES / 2.0 + 4.0, top - 9.0), Anchor::Middle, FIGURE, "A → B")?;
            let of_metric = |row: &Row| row.effects.iter().position(|effect| effect.metric == *metric);
            for (row, &y) in rows.iter().zip(&places) {
                if let Some(at) = of_metric(row) {
                    row.effects[at].draw_margin(canvas, &axis, y)?;
                }
            }
            for tick in ticks {
                let x = axis.at(tick.value);
                let is_one = tick.value == 0.0;
                canvas.line(
                    &[(x, top), (x, bottom)],
                    if is_one { INK } else { GRID },
                    1.0,
                    if is_one { 1.0 } else { 0.8 },
                )?;
                canvas.text((x, top - 9.0), Anchor::Middle, TICK, tick.label.as_deref().unwrap_or_default())?;
            }
            for (row, &y) in rows.iter().zip(&places) {
                if let Some(at) = of_metric(row) {
                    row.effects[at].draw(canvas, &axis, y)?;
                }
            }
        }
        draw_overlays(canvas, &overlays, (whole, bottom + 44.0))?;
        let lines = "Lines below: the distributions of response time of the runs of A and B, a line for each run. ";
        let note = format!(
            "Marks: effect of B divided by that of A, with its 95 % interval (between runs; hollow bar ends: within one run of a side){}. Grey \
             band: the margin{}. {}* runs in which the leader changed.",
            if metrics.iter().any(|metric| metric == NOT_OK_SHARE) {
                "; of operations not acknowledged, in percentage points, B less A"
            } else {
                ""
            },
            if compared.column("noise").is_ok() { "" } else { ", widened by the noise floor" },
            if overlays.is_empty() { "" } else { lines }
        );
        footnotes(canvas, height, &note, whole)
    })
}

/// One label and part, with what is known of each metric.
struct Row {
    label: String,
    name: String,
    effects: Vec<Effect>,
}

/// The ratio of two effects, as log10; of shares their difference, in percentage points.
struct Effect {
    metric: String,
    related: Option<f64>,
    interval: Option<(f64, f64)>,
    is_within_run: bool,
    margin: f64,
    verdict: String,
    effects: (Option<f64>, Option<f64>),
}

fn rows(compared: &DataFrame) -> Result<Vec<Row>> {
    let text = |name: &str| -> PolarsResult<StringChunked> { Ok(compared.column(name)?.str()?.clone()) };
    let optional = |name: &str| text(name).ok();
    let (kind, part, metric, verdict) = (text("kind")?, text("compared")?, text("metric")?, text("verdict")?);
    let (label_a, label_b, sort) = (optional("label_a"), optional("label_b"), optional("interval"));
    let number = |name: &str| values(compared, name);
    let (ratio, low, high, margin) = (number("ratio")?, number("ratio_low")?, number("ratio_high")?, number("margin")?);
    let (of_a, of_b) = (number("effect_a")?, number("effect_b")?);
    let unknown = || vec![None; compared.height()];
    let [difference, from, to] = ["difference", "difference_low", "difference_high"]
        .map(|name| values(compared, name).unwrap_or_else(|_| unknown()));
    let changes = number("leader_changes_a").ok();
    let names = sets::names(compared).ok();
    let cell = |column: &Option<StringChunked>, row: usize| {
        column.as_ref().and_then(|column| column.get(row)).unwrap_or_default().to_owned()
    };
    let mut rows: Vec<Row> = Vec::new();
    for row in 0..compared.height() {
        let (a, b) = (cell(&label_a, row), cell(&label_b, row));
        // The main kind of each label, as in the table.
        let own: StringChunked =
            (0..compared.height()).filter(|&other| cell(&label_a, other) == a).map(|other| kind.get(other)).collect();
        if kind.get(row) != Some(main_kind(&own).as_str()) {
            continue;
        }
        let label = match &names {
            Some(names) if a == b => names[row].clone(),
            _ if a == b => a,
            _ => format!("{a} | {b}"),
        };
        let changed = if changes.as_ref().is_some_and(|changes| changes[row] > Some(0.0)) { " *" } else { "" };
        let label = format!("{label}{changed}");
        let part = part.get(row).unwrap_or_default();
        let name = if label.is_empty() { part.to_owned() } else { format!("{label}, {part}") };
        let metric = metric.get(row).unwrap_or_default().to_owned();
        let (related, interval, margin, unit) = match metric == NOT_OK_SHARE {
            true => {
                let points = |share: f64| share * 100.0;
                let interval = from[row].zip(to[row]).map(|(low, high)| (points(low), points(high)));
                (difference[row].map(points), interval, margin[row].map_or(0.0, points), 100.0)
            }
            false => {
                let interval = low[row].zip(high[row]).map(|(low, high)| (low.log10(), high.log10()));
                let related = ratio[row].filter(|&ratio| ratio > 0.0).map(f64::log10);
                (related, interval, margin[row].unwrap_or(1.0).log10(), 1.0)
            }
        };
        let effect = Effect {
            metric,
            related,
            interval,
            is_within_run: cell(&sort, row) != "between-run",
            margin,
            verdict: verdict.get(row).unwrap_or_default().to_owned(),
            effects: (of_a[row].map(|effect| effect * unit), of_b[row].map(|effect| effect * unit)),
        };
        match rows.iter_mut().find(|known| known.name == name) {
            Some(known) => known.effects.push(effect),
            None => rows.push(Row { label, name, effects: vec![effect] }),
        }
    }
    // Parts of one label belong together.
    let order: Vec<String> = rows.iter().map(|row| row.label.clone()).collect();
    rows.sort_by_key(|row| order.iter().position(|label| *label == row.label));
    Ok(rows)
}

impl Row {
    fn described(&self) -> String {
        let effects = self.effects.iter().map(|effect| {
            let is_share = effect.metric == NOT_OK_SHARE;
            let number =
                |place: f64| if is_share { format!("{place:.3}") } else { format!("{:.3}", 10_f64.powf(place)) };
            let interval =
                effect.interval.map_or(String::new(), |(low, high)| format!(" [{}, {}]", number(low), number(high)));
            format!(
                "{} {} {}{interval}, {}",
                effect.metric,
                if is_share { "B - A in percentage points" } else { "B/A" },
                effect.related.map_or("?".to_owned(), number),
                effect.verdict
            )
        });
        format!("{}: {}.", self.name, effects.collect::<Vec<_>>().join("; "))
    }
}

impl Effect {
    fn draw_margin(&self, canvas: &Canvas<'_>, axis: &Axis, y: f64) -> Result<()> {
        let (top, bottom) = (y - ROW / 2.0, y + ROW / 2.0);
        canvas.rectangle((axis.at(-self.margin), top), (axis.at(self.margin), bottom), MARGIN_BAND, 1.0)
    }

    fn draw(&self, canvas: &Canvas<'_>, axis: &Axis, y: f64) -> Result<()> {
        let figure = |effect: Option<f64>| effect.map_or("?".to_owned(), crate::output::text::number);
        let figures = format!("{} → {}", figure(self.effects.0), figure(self.effects.1));
        canvas.text((axis.pixels.1 + FIGURES / 2.0 + 4.0, y), Anchor::Middle, FIGURE, &figures)?;
        let colour = colour(&self.verdict);
        if let Some((low, high)) = self.interval {
            let (from, to) = (axis.at(low), axis.at(high));
            canvas.line(&[(from, y), (to, y)], colour, 1.0, 1.6)?;
            for (is_beyond, end, towards) in
                [(low < axis.values.0, axis.pixels.0, 5.0), (high > axis.values.1, axis.pixels.1, -5.0)]
            {
                if is_beyond {
                    canvas.polygon(&[(end, y), (end + towards, y - 3.0), (end + towards, y + 3.0)], colour, 1.0)?;
                } else if self.is_within_run {
                    let end = if towards > 0.0 { from } else { to };
                    canvas.dot((end, y), 2.4, colour)?;
                    canvas.dot((end, y), 1.4, WHITE)?;
                } else {
                    let end = if towards > 0.0 { from } else { to };
                    canvas.line(&[(end, y - 3.5), (end, y + 3.5)], colour, 1.0, 1.2)?;
                }
            }
        }
        let Some(related) = self.related else {
            return canvas.text((axis.at(0.0) + 6.0, y), Anchor::Left, Font::new(10.0, GREY), "not known");
        };
        mark(canvas, (axis.at(related), y), &self.verdict)
    }
}

fn colour(verdict: &str) -> RGBColor {
    match verdict {
        "agree" => BLUE,
        "differ" => VERMILLION,
        _ => GREY,
    }
}

/// A filled circle where they agree, a square where they differ, a hollow circle where that cannot be told.
fn mark(canvas: &Canvas<'_>, (x, y): (f64, f64), verdict: &str) -> Result<()> {
    let colour = colour(verdict);
    match verdict {
        "differ" => canvas.rectangle((x - 3.6, y - 3.6), (x + 3.6, y + 3.6), colour, 1.0),
        "agree" => canvas.dot((x, y), 3.8, colour),
        _ => {
            canvas.dot((x, y), 3.8, colour)?;
            canvas.dot((x, y), 2.3, WHITE)
        }
    }
}

/// The key below the heading, where no curve can pass.
fn key(canvas: &Canvas<'_>, y: f64, has_lines: bool) -> Result<()> {
    let mut x = MARGIN;
    for verdict in ["agree", "differ", "cannot tell"] {
        mark(canvas, (x + 4.0, y), verdict)?;
        canvas.text((x + 14.0, y), Anchor::Left, SUBTITLE, verdict)?;
        x += 14.0 + text_width(verdict, SUBTITLE) + 18.0;
    }
    for (name, colour, width) in LINES.into_iter().filter(|_| has_lines) {
        canvas.line(&[(x + 4.0, y), (x + 28.0, y)], colour, 1.0, width)?;
        let words = format!("distributions of {name}");
        canvas.text((x + 36.0, y), Anchor::Left, SUBTITLE, &words)?;
        x += 36.0 + text_width(&words, SUBTITLE) + 18.0;
    }
    Ok(())
}

fn heading_of(metric: &str) -> String {
    match metric {
        "ops_per_s" => "throughput".to_owned(),
        NOT_OK_SHARE => "not acknowledged (%)".to_owned(),
        _ => metric.trim_end_matches("_ms").replacen('_', " time, ", 1).replace('_', "."),
    }
}

/// The range of a metric, no difference in its middle: every mark and margin, and of intervals a factor of three (of shares twenty
/// percentage points) more.
fn range(rows: &[Row], metric: &str) -> (f64, f64) {
    let effects = || rows.iter().flat_map(|row| &row.effects).filter(|effect| effect.metric == metric);
    let most = |numbers: &mut dyn Iterator<Item = f64>| {
        numbers.filter(|number| number.is_finite()).map(f64::abs).fold(0.0, f64::max)
    };
    let (least, beyond) = if metric == NOT_OK_SHARE { (1.5, 20.0) } else { (1.3_f64.log10(), 3_f64.log10()) };
    let of_marks = most(&mut effects().flat_map(|effect| [effect.related.unwrap_or(0.0), effect.margin])).max(least);
    let of_ends = most(&mut effects().filter_map(|effect| effect.interval).flat_map(|(low, high)| [low, high]));
    let most = of_ends.min(of_marks + beyond).max(of_marks) * 1.06;
    (-most, most)
}

fn ticks(axis: &Axis) -> Vec<Tick> {
    let factors: &[f64] = match axis.values.1 {
        most if most < 0.25 => &[1.25, 1.1, 1.5],
        most if most < 0.8 => &[2.0, 4.0, 1.5],
        _ => &[10.0, 100.0, 1000.0, 3.0],
    };
    let one = Tick { value: 0.0, label: Some("1".to_owned()) };
    let sides = factors.iter().flat_map(|factor| [(1.0, "×", factor), (-1.0, "/", factor)]);
    let others =
        sides.map(|(sign, mark, factor)| Tick { value: sign * factor.log10(), label: Some(format!("{mark}{factor}")) });
    let mut ticks: Vec<Tick> = Vec::new();
    for tick in std::iter::once(one).chain(others) {
        let is_apart = |other: &Tick| (axis.at(tick.value) - axis.at(other.value)).abs() >= 32.0;
        if (axis.values.0..=axis.values.1).contains(&tick.value) && ticks.iter().all(is_apart) {
            ticks.push(tick);
        }
    }
    if ticks.len() == 1 {
        // A narrow panel: the largest factor that it shows, which is the one with the most room.
        let largest = [8.0_f64, 5.0, 4.0, 3.0, 2.0, 1.5, 1.25, 1.1].into_iter().find(|it| it.log10() <= axis.values.1);
        ticks.extend(largest.into_iter().flat_map(|factor| {
            [(1.0, "×"), (-1.0, "/")]
                .map(|(sign, mark)| Tick { value: sign * factor.log10(), label: Some(format!("{mark}{factor}")) })
        }));
    }
    ticks
}

/// Percentage points: nothing, and the largest round number to either side.
fn ticks_of_shares(axis: &Axis) -> Vec<Tick> {
    let side = [100.0, 50.0, 20.0, 10.0, 5.0, 2.0].into_iter().find(|&side| side <= axis.values.1).unwrap_or(1.0);
    let tick =
        |value: f64| Tick { value, label: Some(if value == 0.0 { "0".to_owned() } else { format!("{value:+}") }) };
    [-side, 0.0, side].into_iter().map(tick).collect()
}

/// log10 of milliseconds against nines.
type Points = Vec<(f64, f64)>;

/// The lines of one phase: whether they are of B, and their points.
struct Overlay {
    phase: &'static str,
    lines: Vec<(bool, Points)>,
}

fn overlays((a, b): (&[DataFrame], &[DataFrame])) -> Result<Vec<Overlay>> {
    let mut overlays: Vec<Overlay> = Vec::new();
    for phase in ["before", "during", "after", "all"] {
        let mut lines = Vec::new();
        for (is_b, tables) in [(false, a), (true, b)] {
            for table in tables {
                let points = points(table, phase)?;
                if !points.is_empty() {
                    lines.push((is_b, points));
                }
            }
        }
        let has_both = lines.iter().any(|(is_b, _)| *is_b) && lines.iter().any(|(is_b, _)| !is_b);
        // The whole run is drawn where it has no parts.
        if has_both && (phase != "all" || overlays.is_empty()) {
            overlays.push(Overlay { phase, lines });
        }
    }
    Ok(overlays)
}

/// The response time of one phase below its maximum, which has no place on an axis of nines.
fn points(table: &DataFrame, phase: &str) -> Result<Points> {
    let text = |name: &str| -> PolarsResult<&StringChunked> { table.column(name)?.str() };
    let (kind, phases, time) = (text("kind")?, text("phase")?, text("time")?);
    let main = main_kind(kind);
    let (fraction, value_ms) = (values(table, "fraction")?, values(table, "value_ms")?);
    let of_row = |row: usize| {
        let is_it =
            kind.get(row) == Some(main.as_str()) && phases.get(row) == Some(phase) && time.get(row) == Some("response");
        let fraction = fraction[row].filter(|&fraction| is_it && fraction < 1.0)?;
        Some((value_ms[row]?.max(1e-3).log10(), -(1.0 - fraction).log10()))
    };
    Ok((0..table.height()).filter_map(of_row).collect())
}

fn draw_overlays(canvas: &Canvas<'_>, overlays: &[Overlay], (width, top): (f64, f64)) -> Result<()> {
    const Y_LABELS: f64 = 50.0;
    let all = || overlays.iter().flat_map(|overlay| &overlay.lines).flat_map(|(_, points)| points);
    let (from, to) = all().fold((f64::MAX, f64::MIN), |(from, to), (x, _)| (from.min(*x), to.max(*x)));
    let most = all().fold(1.0_f64, |most, (_, y)| most.max(*y));
    let pitch = (width - 2.0 * MARGIN) / overlays.len().max(1) as f64;
    for (at, overlay) in overlays.iter().enumerate() {
        let left = MARGIN + at as f64 * pitch + Y_LABELS;
        let panel = Panel::new(
            (left, top + 20.0),
            (pitch - Y_LABELS - 16.0, CDF_HEIGHT),
            (from - 0.05, to + 0.05),
            (0.0, most * 1.03),
        );
        let name =
            if overlay.phase == "all" { "the whole run".to_owned() } else { format!("{} the fault", overlay.phase) };
        canvas.text((left, top + 6.0), Anchor::Left, PANEL_NAME, &name)?;
        panel.axes(canvas, &log_ticks(panel.x.values), &percentiles(most), Labelled { x: true, y: true })?;
        let middle = (panel.left() + panel.right()) / 2.0;
        canvas.text((middle, panel.bottom() + 34.0), Anchor::Middle, TICK, "response time (ms)")?;
        for (is_b, points) in &overlay.lines {
            let points: Vec<_> = points.iter().map(|&point| panel.at(point)).collect();
            let (_, colour, width) = LINES[usize::from(*is_b)];
            canvas.line(&points, colour, 0.85, width)?;
        }
    }
    Ok(())
}

fn percentiles(most: f64) -> Vec<Tick> {
    let ticks = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")];
    let tick =
        |(fraction, label): (f64, &str)| Tick { value: -(1.0_f64 - fraction).log10(), label: Some(label.to_owned()) };
    ticks.into_iter().map(tick).filter(|tick| tick.value <= most).collect()
}
