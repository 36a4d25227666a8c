//! What every plot of something over time is made of: a heading, panels with axes, shaded fault windows, leader changes.

use plotters::style::RGBColor;

use super::axis::{Axis, Tick};
use super::canvas::{Anchor, Canvas, FAULT, FAULT_EDGE, Font, GREY, GRID, INK, text_width, wrapped};
use super::{PlottedLeaderChange, PlottedRun};
use crate::Result;

pub(super) const TITLE: Font = Font::new(19.0, INK).bold();
pub(super) const SUBTITLE: Font = Font::new(13.0, GREY);
pub(super) const LABEL: Font = Font::new(13.0, INK).bold();
pub(super) const TICK: Font = Font::new(12.0, GREY);
pub(super) const NOTE: Font = Font::new(11.0, GREY);

pub(super) const MARGIN: f64 = 24.0;
const TITLE_HEIGHT: f64 = 34.0;
const SUBTITLE_HEIGHT: f64 = 18.0;

/// The words above a picture.
pub(super) struct Heading {
    title: String,
    lines: Vec<String>,
}

impl Heading {
    /// Breaks the lines so that they fit a picture of this width.
    pub(super) fn new(title: &str, lines: &[String], width: f64) -> Self {
        let lines = lines.iter().flat_map(|line| wrapped(&capitalised(line), SUBTITLE, width - 2.0 * MARGIN)).collect();
        Self { title: title.to_owned(), lines }
    }

    /// Where what follows may begin.
    pub(super) fn bottom(&self) -> f64 {
        12.0 + TITLE_HEIGHT + self.lines.len() as f64 * SUBTITLE_HEIGHT
    }

    pub(super) fn draw(&self, canvas: &Canvas<'_>) -> Result<()> {
        canvas.text((MARGIN, 12.0 + TITLE_HEIGHT / 2.0), Anchor::Left, TITLE, &self.title)?;
        for (at, line) in self.lines.iter().enumerate() {
            let y = 12.0 + TITLE_HEIGHT + (at as f64 + 0.5) * SUBTITLE_HEIGHT;
            canvas.text((MARGIN, y), Anchor::Left, SUBTITLE, line)?;
        }
        Ok(())
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// A plotting area with its two axes; y pixels run upwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    pub(super) x: Axis,
    pub(super) y: Axis,
}

/// Between the mark of a leader change and its label.
const LABEL_GAP: f64 = 9.0;
/// Changes that one label names; of more it tells the number.
const LEADERS_NAMED: usize = 4;

/// Which ticks of a panel get their labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Labelled {
    pub(super) x: bool,
    pub(super) y: bool,
}

impl Panel {
    /// A panel at a place in pixels, showing ranges of values.
    pub(super) fn new(left_top: (f64, f64), size: (f64, f64), x: (f64, f64), y: (f64, f64)) -> Self {
        let (left, top) = left_top;
        let (width, height) = size;
        Self { x: Axis { values: x, pixels: (left, left + width) }, y: Axis { values: y, pixels: (top + height, top) } }
    }

    pub(super) fn left(&self) -> f64 {
        self.x.pixels.0
    }

    pub(super) fn right(&self) -> f64 {
        self.x.pixels.1
    }

    pub(super) fn top(&self) -> f64 {
        self.y.pixels.1
    }

    pub(super) fn bottom(&self) -> f64 {
        self.y.pixels.0
    }

    pub(super) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.at(x), self.y.at(y))
    }

    /// Shades the time in which a fault was in force.
    pub(super) fn shade(&self, canvas: &Canvas<'_>, (from_s, to_s): (f64, f64), alpha: f64) -> Result<()> {
        let (from, to) = (self.x.at(from_s), self.x.at(to_s));
        canvas.rectangle((from, self.top()), (to, self.bottom()), FAULT, alpha)?;
        for edge in [from, to] {
            canvas.line(&[(edge, self.top()), (edge, self.bottom())], FAULT_EDGE, alpha, 0.7)?;
        }
        Ok(())
    }

    /// Grid lines, the base line, ticks and their labels.
    pub(super) fn axes(&self, canvas: &Canvas<'_>, x: &[Tick], y: &[Tick], labelled: Labelled) -> Result<()> {
        for tick in y {
            let at = self.y.at(tick.value);
            let width = if tick.label.is_some() { 0.8 } else { 0.3 };
            canvas.line(&[(self.left(), at), (self.right(), at)], GRID, 1.0, width)?;
            if let Some(label) = tick.label.as_ref().filter(|_| labelled.y) {
                canvas.text((self.left() - 8.0, at), Anchor::Right, TICK, label)?;
            }
        }
        canvas.line(&[(self.left(), self.bottom()), (self.right(), self.bottom())], INK, 1.0, 1.0)?;
        for tick in x {
            let at = self.x.at(tick.value);
            canvas.line(&[(at, self.bottom()), (at, self.bottom() + 5.0)], INK, 1.0, 1.0)?;
            if let Some(label) = tick.label.as_ref().filter(|_| labelled.x) {
                canvas.text((at, self.bottom() + 16.0), Anchor::Middle, TICK, label)?;
            }
        }
        Ok(())
    }

    /// Marks leader changes by lines over the whole height. Changes too close for labels of their own share one.
    pub(super) fn leader_changes(&self, canvas: &Canvas<'_>, changes: &[PlottedLeaderChange]) -> Result<()> {
        for change in changes {
            let at = self.x.at(change.at_s);
            canvas.line(&[(at, self.top()), (at, self.bottom())], INK, 0.8, 0.9)?;
            self.marker(canvas, change.at_s, INK)?;
        }
        let mut rest = changes;
        while let Some((first, mut after)) = rest.split_first() {
            let mut last = first;
            let mut count = 1;
            let mut label = format!("leader {} → {}", first.from, first.to);
            while let Some((next, others)) = after.split_first()
                && self.x.at(next.at_s) < self.x.at(last.at_s) + 2.0 * LABEL_GAP + text_width(&label, NOTE)
            {
                count += 1;
                label = match count {
                    0..=LEADERS_NAMED => format!("{label} → {}", next.to),
                    _ => format!("leader changed {count} times"),
                };
                (last, after) = (next, others);
            }
            let (left, right) = (self.x.at(first.at_s) - LABEL_GAP, self.x.at(last.at_s) + LABEL_GAP);
            let fits_right = right + text_width(&label, NOTE) <= self.right();
            let (x, anchor) = if fits_right { (right, Anchor::Left) } else { (left, Anchor::Right) };
            canvas.text((x, self.top() - 8.0), anchor, NOTE, &label)?;
            rest = after;
        }
        Ok(())
    }

    /// A triangle at the upper edge, inside, where no title stands.
    pub(super) fn marker(&self, canvas: &Canvas<'_>, at_s: f64, colour: RGBColor) -> Result<()> {
        let (x, y) = (self.x.at(at_s), self.top());
        canvas.polygon(&[(x - 5.0, y), (x + 5.0, y), (x, y + 10.0)], colour, 1.0)
    }
}

/// Where the windows of several runs are one and the same but for the milliseconds of their edges: that window.
pub(super) fn common_window<'a>(runs: impl Iterator<Item = &'a PlottedRun>) -> Option<(f64, f64)> {
    const TOLERANCE_S: f64 = 0.25;
    let windows: Vec<(f64, f64)> = runs.filter_map(|run| run.window_s).collect();
    let &(from_s, to_s) = windows.first()?;
    let is_same = |&(from, to): &(f64, f64)| (from - from_s).abs() <= TOLERANCE_S && (to - to_s).abs() <= TOLERANCE_S;
    windows.iter().all(is_same).then_some((from_s, to_s))
}

/// Height of a picture whose panels end at `bottom`, with room for the title of its axis and for notes.
pub(super) fn height_with(bottom: f64, notes: &str, width: f64) -> f64 {
    let lines = wrapped(notes, NOTE, width - 2.0 * MARGIN).len();
    bottom + 32.0 + lines.max(2) as f64 * 15.0
}

/// Notes at the lower end of a picture, in as many lines as they need, the last one at its edge.
pub(super) fn footnotes(canvas: &Canvas<'_>, height: f64, notes: &str, width: f64) -> Result<()> {
    let lines = wrapped(notes, NOTE, width - 2.0 * MARGIN);
    let count = lines.len();
    for (at, line) in lines.iter().enumerate() {
        let y = height - 16.0 - (count - 1 - at) as f64 * 15.0;
        canvas.text((MARGIN, y), Anchor::Left, NOTE, line)?;
    }
    Ok(())
}
