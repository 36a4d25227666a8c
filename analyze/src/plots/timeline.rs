//! A timeline: lanes of spans along an axis of time.

use plotters::style::RGBColor;

use super::axis::Axis;
use super::canvas::{
    Anchor, BLUE, Canvas, FAULT, FAULT_EDGE, Font, GREY, GRID, INK, PAPER, VERMILLION, draw, text_width, wrapped,
};
use super::panels::{Heading, LABEL, MARGIN, NOTE, SUBTITLE, TICK};
use crate::Result;
use crate::diagrams::{Kind, Span, Timeline, ticks};

const WIDTH: f64 = 1100.0;
const LANE: f64 = 34.0;
const BAR: f64 = 24.0;
const NOTE_LINE: f64 = 16.0;
const ON_BAR: Font = Font::new(12.0, INK);

/// Draws a timeline.
///
/// # Errors
/// [`crate::Error::Plot`] when plotters fails.
pub fn draw_svg(title: &str, notes: &[String], timeline: &Timeline) -> Result<String> {
    let heading = Heading::new(title, &[], WIDTH);
    let names = timeline.lanes.iter().map(|lane| text_width(&lane.name, LABEL)).fold(40.0, f64::max);
    let left = MARGIN + names + 12.0;
    let axis = Axis { values: timeline.range_s, pixels: (left, WIDTH - MARGIN) };
    let marks = labels(timeline, &axis);
    let rows = marks.iter().map(|mark| mark.row + 1).max().unwrap_or(0);
    let windows = timeline.windows.len() as f64 * NOTE_LINE;
    let top = heading.bottom() + windows + rows as f64 * NOTE_LINE + 12.0;
    let bottom = top + timeline.lanes.len() as f64 * LANE;
    let lines: Vec<String> = notes.iter().flat_map(|note| wrapped(note, NOTE, WIDTH - 2.0 * MARGIN)).collect();
    let height = bottom + 84.0 + lines.len() as f64 * NOTE_LINE;
    let description = notes.join(" ");
    draw((WIDTH, height), title, &description, |canvas| {
        heading.draw(canvas)?;
        for (at, (from_s, to_s, why)) in timeline.windows.iter().enumerate() {
            let (from, to) = (axis.at(*from_s), axis.at(*to_s));
            canvas.rectangle((from, top - 4.0), (to, bottom), FAULT, 1.0)?;
            for edge in [from, to] {
                canvas.line(&[(edge, top - 4.0), (edge, bottom)], FAULT_EDGE, 1.0, 0.7)?;
            }
            let y = heading.bottom() + (at as f64 + 0.5) * NOTE_LINE;
            canvas.text((MARGIN, y), Anchor::Left, NOTE, &format!("Shaded: {why}"))?;
        }
        seconds(canvas, &axis, (top, bottom))?;
        for (at, lane) in timeline.lanes.iter().enumerate() {
            let middle = top + (at as f64 + 0.5) * LANE;
            canvas.text((left - 12.0, middle), Anchor::Right, LABEL, &lane.name)?;
            lane.spans.iter().try_for_each(|span| bar(canvas, &axis, middle, span))?;
        }
        for mark in &marks {
            let y = top - 8.0 - (mark.row as f64 + 0.5) * NOTE_LINE;
            canvas.line(&[(mark.x, y), (mark.x, bottom)], INK, 0.8, 0.9)?;
            let (x, anchor) = if mark.is_left { (mark.x - 5.0, Anchor::Right) } else { (mark.x + 5.0, Anchor::Left) };
            canvas.text((x, y), anchor, NOTE, mark.text)?;
        }
        legend(canvas, timeline, bottom + 56.0)?;
        for (at, line) in lines.iter().enumerate() {
            canvas.text((MARGIN, bottom + 80.0 + at as f64 * NOTE_LINE), Anchor::Left, NOTE, line)?;
        }
        Ok(())
    })
}

fn seconds(canvas: &Canvas<'_>, axis: &Axis, (top, bottom): (f64, f64)) -> Result<()> {
    for (at_s, label) in ticks(axis.values, 12) {
        let x = axis.at(at_s);
        canvas.line(&[(x, top), (x, bottom)], GRID, 1.0, 0.8)?;
        canvas.line(&[(x, bottom), (x, bottom + 5.0)], INK, 1.0, 1.0)?;
        canvas.text((x, bottom + 16.0), Anchor::Middle, TICK, &label)?;
    }
    canvas.line(&[(axis.pixels.0, bottom), (axis.pixels.1, bottom)], INK, 1.0, 1.0)?;
    let middle = f64::midpoint(axis.pixels.0, axis.pixels.1);
    canvas.text((middle, bottom + 34.0), Anchor::Middle, SUBTITLE, "seconds")
}

/// Colour and opacity; by lightness too, for those who print in grey.
fn colour(kind: Kind) -> (RGBColor, f64) {
    match kind {
        Kind::Leads => (BLUE, 0.45),
        Kind::Follows => (BLUE, 0.12),
        Kind::Leaderless => (VERMILLION, 0.6),
        Kind::Silent => (GREY, 0.4),
    }
}

fn bar(canvas: &Canvas<'_>, axis: &Axis, middle: f64, span: &Span) -> Result<()> {
    let from = axis.at(span.range_s.0);
    // One that is too short to be seen is drawn two pixels wide.
    let to = axis.at(span.range_s.1).max(from + 2.0);
    let (top, bottom) = (middle - BAR / 2.0, middle + BAR / 2.0);
    let (colour, alpha) = colour(span.kind);
    canvas.rectangle((from, top), (to, bottom), PAPER, 1.0)?;
    canvas.rectangle((from, top), (to, bottom), colour, alpha)?;
    canvas.line(&[(from, top), (from, bottom)], INK, 0.6, 0.6)?;
    if text_width(&span.text, ON_BAR) + 8.0 <= to - from {
        canvas.text((f64::midpoint(from, to), middle), Anchor::Middle, ON_BAR, &span.text)?;
    }
    Ok(())
}

/// A mark's words, in a row where they do not lie over others.
struct Mark<'a> {
    x: f64,
    row: usize,
    is_left: bool,
    text: &'a str,
}

fn labels<'a>(timeline: &'a Timeline, axis: &Axis) -> Vec<Mark<'a>> {
    // Where the words of each row end.
    let mut rows: Vec<f64> = Vec::new();
    let mut marks = Vec::new();
    for (at_s, text) in &timeline.marks {
        let x = axis.at(*at_s);
        let width = text_width(text, NOTE) + 10.0;
        let is_left = x + width > axis.pixels.1;
        let (from, to) = if is_left { (x - width, x) } else { (x, x + width) };
        let row = rows.iter().position(|end| *end <= from).unwrap_or(rows.len());
        if row == rows.len() {
            rows.push(to);
        } else {
            rows[row] = to;
        }
        marks.push(Mark { x, row, is_left, text });
    }
    marks
}

fn legend(canvas: &Canvas<'_>, timeline: &Timeline, y: f64) -> Result<()> {
    let mut x = MARGIN;
    for (kind, meaning) in &timeline.legend {
        let (colour, alpha) = colour(*kind);
        canvas.rectangle((x, y - 6.0), (x + 20.0, y + 6.0), colour, alpha)?;
        canvas.text((x + 26.0, y), Anchor::Left, NOTE, meaning)?;
        x += 26.0 + text_width(meaning, NOTE) + 18.0;
    }
    Ok(())
}
