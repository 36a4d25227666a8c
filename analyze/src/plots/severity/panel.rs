//! One panel of a picture of severity, as it is drawn.

use plotters::style::{RGBColor, WHITE};

use super::super::axis::{Axis, Tick, linear_ticks, spread};
use super::super::canvas::{Anchor, Canvas, Font, GREY, GRID, INK, Stroke, text_width};
use super::super::panels::{Panel, TICK};
use super::curves::{Edge, Line, Mark, Plotted, heading};
use crate::Result;

pub(super) const PLOT_HEIGHT: f64 = 210.0;
pub(super) const Y_LABELS: f64 = 56.0;
/// Room for the names of lines, at the right of each panel; longer ones make the picture wider.
pub(super) const NAMES: f64 = 104.0;
/// Where a name begins, behind the end of its panel.
pub(super) const NAME_AT: f64 = 21.0;
/// Height of a danger zone, one below the other.
pub(super) const STRIP: f64 = 15.0;
const PANEL_NAME: Font = Font::new(13.0, INK).bold();
pub(super) const NAME: Font = Font::new(10.5, INK);
const FLOOR: RGBColor = RGBColor(0xE4, 0xE4, 0xE4);
/// Pixels between the points of neighbouring curves at one value.
const DODGE: f64 = 4.0;

type Segment = ((f64, f64), (f64, f64));

/// Half the height of a threshold's name, with the gap to its line.
const NAME_REACH: f64 = 7.0;

/// A curve in pixels.
struct Places {
    points: Vec<(f64, f64)>,
    line: Vec<(f64, f64)>,
    /// From the point without a fault to the first value.
    beginning: Option<Segment>,
}

/// Whether a straight line passes through a rectangle, as by Liang and Barsky (1984).
fn passes((from, to): Segment, (least, most): Segment) -> bool {
    let (mut enters, mut leaves) = (0.0_f64, 1.0_f64);
    for (from, to, least, most) in [(from.0, to.0, least.0, most.0), (from.1, to.1, least.1, most.1)] {
        let length = to - from;
        if length == 0.0 {
            if !(least..=most).contains(&from) {
                return false;
            }
            continue;
        }
        let (a, b) = ((least - from) / length, (most - from) / length);
        enters = enters.max(a.min(b));
        leaves = leaves.min(a.max(b));
    }
    enters <= leaves
}

impl Plotted {
    /// Draws the panel, the danger zones of its curves below it.
    pub(super) fn draw(&self, canvas: &Canvas<'_>, (left, top): (f64, f64), width: f64, y: (f64, f64)) -> Result<()> {
        let is_falling = self.unit == "mbit_per_s";
        let place = |value: f64| if is_falling { -value } else { value };
        let all = || self.curves.iter().flat_map(|curve| &curve.points).map(|point| place(point.value));
        let most = all().fold(f64::MIN, f64::max).max(0.0);
        let least = all().fold(f64::MAX, f64::min).min(0.0);
        let room = 0.05 * (most - least);
        let x = (least - room, most + room);
        let panel = Panel::new((left + Y_LABELS, top + 26.0), (width, PLOT_HEIGHT), x, y);
        canvas.text((panel.left(), top + 10.0), Anchor::Left, PANEL_NAME, &heading(&self.metric))?;
        for noise in &self.noise {
            let (from, to) = (panel.y.at(-noise.log10()), panel.y.at(noise.log10()));
            canvas.rectangle((panel.left(), to), (panel.right(), from), FLOOR, 0.6)?;
        }
        let mut ticks = linear_ticks(x, 5);
        ticks.iter_mut().for_each(|tick| tick.label = Some(tick.value.abs().to_string()));
        self.frame(canvas, &panel, &ticks)?;
        let count = self.curves.len();
        let mut covered = Vec::new();
        for (at, curve) in self.curves.iter().enumerate() {
            let shift = (at as f64 - (count as f64 - 1.0) / 2.0) * DODGE;
            let places = curve.places(&panel, place, is_falling, shift);
            curve.draw(canvas, &panel, &places)?;
            covered.extend(curve.covered(&panel, &places));
        }
        self.threshold_names(canvas, &panel, &covered)?;
        self.names(canvas, &panel, place)?;
        let strips = panel.bottom() + 46.0;
        for (at, curve) in self.curves.iter().enumerate() {
            curve.zone(canvas, &panel, place, strips + (at as f64 + 0.5) * STRIP)?;
        }
        canvas.text((panel.right() + 6.0, strips - 7.0), Anchor::Left, Font::new(10.5, GREY), "danger zone")?;
        let title = match self.fault_kind.as_str() {
            "loss" => "packets lost (%)".to_owned(),
            kind => format!("{kind} ({})", unit_in_words(&self.unit)),
        };
        let middle = (panel.left() + panel.right()) / 2.0;
        canvas.text((middle, panel.bottom() + 31.0), Anchor::Middle, TICK, &title)
    }

    /// Grid, ticks, the line of no effect, and the thresholds of the danger zone.
    fn frame(&self, canvas: &Canvas<'_>, panel: &Panel, ticks: &[Tick]) -> Result<()> {
        for tick in factor_ticks(panel) {
            let at = panel.y.at(tick.value);
            let is_one = tick.value == 0.0;
            let (colour, width) = if is_one { (INK, 0.9) } else { (GRID, 0.8) };
            canvas.line(&[(panel.left(), at), (panel.right(), at)], colour, 1.0, width)?;
            if let Some(label) = &tick.label {
                canvas.text((panel.left() - 6.0, at), Anchor::Right, TICK, label)?;
            }
        }
        for (ratio, _) in self.thresholds_in(panel) {
            let at = panel.y.at(*ratio);
            let mut from = panel.left();
            while from < panel.right() {
                canvas.line(&[(from, at), ((from + 5.0).min(panel.right()), at)], GREY, 1.0, 0.8)?;
                from += 9.0;
            }
        }
        canvas.line(&[(panel.left(), panel.bottom()), (panel.right(), panel.bottom())], INK, 1.0, 1.0)?;
        for tick in ticks {
            let at = panel.x.at(tick.value);
            canvas.line(&[(at, panel.bottom()), (at, panel.bottom() + 4.0)], INK, 1.0, 1.0)?;
            if let Some(label) = &tick.label {
                canvas.text((at, panel.bottom() + 14.0), Anchor::Middle, TICK, label)?;
            }
        }
        Ok(())
    }

    fn thresholds_in(&self, panel: &Panel) -> impl Iterator<Item = &(f64, String)> {
        let (from, to) = panel.y.values;
        self.thresholds.iter().filter(move |(ratio, _)| (from..to).contains(ratio))
    }

    /// The names of the thresholds beside their lines, as far right as nothing is covered: the larger share stands off the line
    /// of no effect, the smaller one between both, or where that is too narrow on the other side of the line of no effect.
    fn threshold_names(&self, canvas: &Canvas<'_>, panel: &Panel, covered: &[Segment]) -> Result<()> {
        let font = Font::new(10.5, GREY);
        let one = panel.y.at(0.0);
        let lines: Vec<f64> = self.thresholds_in(panel).map(|(ratio, _)| panel.y.at(*ratio)).collect();
        let farthest =
            lines.iter().copied().fold(one, |far, at| if (at - one).abs() > (far - one).abs() { at } else { far });
        for ((_, name), at) in self.thresholds_in(panel).zip(lines) {
            let away = if farthest > one { 1.0 } else { -1.0 };
            let has_room = at == farthest || (farthest - at).abs() >= 2.0 * NAME_REACH;
            let y = if has_room { at + away * NAME_REACH } else { one - away * NAME_REACH };
            let width = text_width(name, font);
            let is_free = |right: &f64| {
                let rectangle = ((right - width - 2.0, y - NAME_REACH + 1.0), (right + 2.0, y + NAME_REACH - 1.0));
                !covered.iter().any(|&segment| passes(segment, rectangle))
            };
            let right = std::iter::successors(Some(panel.right() - 2.0), |right| Some(right - 3.0))
                .take_while(|right| right - width >= panel.left() + 2.0)
                .find(is_free)
                .unwrap_or(panel.right() - 2.0);
            canvas.text((right, y), Anchor::Right, font, name)?;
        }
        Ok(())
    }

    /// The names of the lines, at their ends.
    fn names(&self, canvas: &Canvas<'_>, panel: &Panel, place: impl Fn(f64) -> f64) -> Result<()> {
        let wanted: Vec<f64> =
            self.curves.iter().map(|curve| curve.end().map_or(panel.top(), |point| panel.y.at(point.ratio))).collect();
        let found = spread(&wanted, 13.0, (panel.top() + 4.0, panel.bottom() - 4.0));
        for ((curve, &y), &at) in self.curves.iter().zip(&found).zip(&wanted) {
            let from = curve.end().map_or(panel.right(), |point| panel.x.at(place(point.value)));
            canvas.line(
                &[(from + 6.0, at), (panel.right() + 2.0, at), (panel.right() + 8.0, y)],
                curve.colour,
                0.5,
                0.6,
            )?;
            curve.mark(canvas, (panel.right() + 14.0, y), 3.2)?;
            canvas.text((panel.right() + NAME_AT, y), Anchor::Left, NAME, &curve.name)?;
        }
        Ok(())
    }
}

/// Ticks as factors, the rounder ones first, as many as have room.
fn factor_ticks(panel: &Panel) -> Vec<Tick> {
    let span = panel.y.values.1 - panel.y.values.0;
    let decades = |step: i32| (1..5).map(move |decade| 10_f64.powi(decade * step));
    let factors: Vec<f64> = match span {
        span if span < 0.7 => vec![2.0, 1.5, 1.2, 1.1, 3.0],
        span if span < 1.8 => vec![2.0, 10.0, 4.0, 5.0, 1.5, 20.0, 40.0],
        _ => decades(1).collect(),
    };
    let one = Tick { value: 0.0, label: Some("1".to_owned()) };
    let sides = factors.iter().flat_map(|factor| [(1.0, "×", factor), (-1.0, "/", factor)]);
    let others = sides.map(|(sign, mark, factor)| Tick {
        value: sign * factor.log10(),
        label: Some(format!("{mark}{}", factor_in_words(*factor))),
    });
    let mut ticks: Vec<Tick> = Vec::new();
    for tick in std::iter::once(one).chain(others) {
        let is_apart = |other: &Tick| (panel.y.at(tick.value) - panel.y.at(other.value)).abs() >= 17.0;
        if (panel.y.values.0..=panel.y.values.1).contains(&tick.value) && ticks.iter().all(is_apart) {
            ticks.push(tick);
        }
    }
    ticks
}

fn factor_in_words(factor: f64) -> String {
    if factor.fract() == 0.0 { super::super::grouped(factor as u64) } else { factor.to_string() }
}

impl Line {
    /// The point at which the line ends.
    fn end(&self) -> Option<&Mark> {
        self.points.iter().rev().find(|point| !point.is_changed).or(self.points.last())
    }

    /// Where the points lie, and the line with its beginning.
    fn places(&self, panel: &Panel, place: impl Fn(f64) -> f64, is_falling: bool, shift: f64) -> Places {
        let at = |point: &Mark| (panel.x.at(place(point.value)) + shift, panel.y.at(point.ratio));
        let line: Vec<_> = self.points.iter().filter(|point| !point.is_changed).map(at).collect();
        let beginning = line.first().filter(|_| !is_falling).map(|&first| (panel.at((0.0, 0.0)), first));
        Places { points: self.points.iter().map(at).collect(), line, beginning }
    }

    /// What lies under no name: the line, the bars and the marks.
    fn covered(&self, panel: &Panel, places: &Places) -> Vec<Segment> {
        let mut covered: Vec<Segment> = places.line.windows(2).map(|ends| (ends[0], ends[1])).collect();
        covered.extend(places.beginning);
        for (point, &(x, y)) in self.points.iter().zip(&places.points) {
            covered.push(((x - 4.5, y), (x + 4.5, y)));
            covered.push(((x, y - 4.5), (x, y + 4.5)));
            covered.extend(point.interval.map(|(low, high)| ((x, panel.y.at(low)), (x, panel.y.at(high)))));
        }
        covered
    }

    fn draw(&self, canvas: &Canvas<'_>, panel: &Panel, places: &Places) -> Result<()> {
        let width = if self.is_hollow { 1.2 } else { 2.0 };
        if let Some((one, first)) = places.beginning {
            canvas.stroke(&[one, first], (self.colour, Stroke::Dashed), 1.0, width)?;
        }
        if places.line.len() > 1 {
            canvas.line(&places.line, self.colour, 1.0, width)?;
        }
        for (point, &(x, _)) in self.points.iter().zip(&places.points) {
            if point.runs.len() > 1 {
                point.runs.iter().try_for_each(|&run| canvas.faint_dot((x, panel.y.at(run)), 1.7, self.colour))?;
            }
            if let Some((low, high)) = point.interval {
                let (bottom, top) = (panel.y.at(low), panel.y.at(high));
                canvas.line(&[(x, bottom), (x, top)], self.colour, 0.9, 1.2)?;
                for (is_beyond, end, towards) in
                    [(low < panel.y.values.0, panel.bottom(), -5.0), (high > panel.y.values.1, panel.top(), 5.0)]
                {
                    if is_beyond {
                        canvas.polygon(
                            &[(x, end), (x - 3.0, end + towards), (x + 3.0, end + towards)],
                            self.colour,
                            1.0,
                        )?;
                    }
                }
            }
            self.mark(canvas, (x, panel.y.at(point.ratio)), 3.8)?;
            if point.is_changed {
                canvas.text(
                    (x + 7.0, panel.y.at(point.ratio) - 5.0),
                    Anchor::Middle,
                    Font::new(15.0, INK).bold(),
                    "*",
                )?;
            }
        }
        Ok(())
    }

    /// A circle, square, triangle or diamond, hollow or not.
    fn mark(&self, canvas: &Canvas<'_>, (x, y): (f64, f64), size: f64) -> Result<()> {
        let shape = |canvas: &Canvas<'_>, size: f64, colour: RGBColor| match self.shape % 4 {
            0 => canvas.dot((x, y), size, colour),
            1 => canvas.rectangle((x - 0.9 * size, y - 0.9 * size), (x + 0.9 * size, y + 0.9 * size), colour, 1.0),
            2 => canvas.polygon(
                &[(x, y - 1.3 * size), (x - 1.2 * size, y + size), (x + 1.2 * size, y + size)],
                colour,
                1.0,
            ),
            _ => {
                let reach = 1.35 * size;
                canvas.polygon(&[(x, y - reach), (x - reach, y), (x, y + reach), (x + reach, y)], colour, 1.0)
            }
        };
        shape(canvas, size, self.colour)?;
        if self.is_hollow { shape(canvas, 0.58 * size, WHITE) } else { Ok(()) }
    }

    /// The danger zone on the axis of the panel: a bar between its edges, each with its interval.
    fn zone(&self, canvas: &Canvas<'_>, panel: &Panel, place: impl Fn(f64) -> f64 + Copy, y: f64) -> Result<()> {
        canvas.line(&[(panel.left(), y), (panel.right(), y)], GRID, 1.0, 0.6)?;
        let own = self.points.iter().filter(|point| !point.is_changed).map(|point| place(point.value));
        let ends = own.fold((f64::MAX, f64::MIN), |(from, to), value| (from.min(value), to.max(value)));
        let [begins, certain] = &self.zone;
        let x = |edge: &Edge| edge.x(&panel.x, place, ends);
        if let (Some(from), Some(to)) = (x(begins), x(certain))
            && begins.side != "beyond"
            && to > from
        {
            canvas.rectangle((from, y - 4.5), (to, y + 4.5), self.colour, 0.35)?;
        }
        for (edge, width) in [(begins, 1.2), (certain, 2.6)] {
            if edge.has_interval {
                let low = edge.low.map_or(panel.x.at(ends.0), |at| panel.x.at(place(at)));
                let high = edge.high.map_or(panel.x.at(ends.1), |at| panel.x.at(place(at)));
                if edge.side == "within" {
                    canvas.line(&[(low, y), (high, y)], self.colour, 0.9, width)?;
                }
            }
            let Some(x) = x(edge) else { continue };
            match edge.side.as_str() {
                "within" => canvas.line(&[(x, y - 5.0), (x, y + 5.0)], self.colour, 1.0, width)?,
                "milder" => canvas.polygon(&[(x - 6.0, y), (x, y - 4.0), (x, y + 4.0)], self.colour, 1.0)?,
                _ => canvas.polygon(&[(x + 6.0, y), (x, y - 4.0), (x, y + 4.0)], self.colour, 1.0)?,
            }
        }
        self.mark(canvas, (panel.left() - 10.0, y), 3.0)?;
        let font = Font::new(10.5, INK);
        let words = if text_width(&self.zone_in_words, font) > NAMES {
            self.zone_in_words.replace(" … ", "…")
        } else {
            self.zone_in_words.clone()
        };
        canvas.text((panel.right() + 6.0, y), Anchor::Left, font, &words)
    }
}

impl Edge {
    /// Where it is drawn; at an end of the axis what lies outside.
    fn x(&self, axis: &Axis, place: impl Fn(f64) -> f64, ends: (f64, f64)) -> Option<f64> {
        match self.side.as_str() {
            "within" => self.at.map(|at| axis.at(place(at))),
            "milder" => Some(axis.at(ends.0)),
            "beyond" => Some(axis.at(ends.1)),
            _ => None,
        }
    }
}

pub(super) fn unit_in_words(unit: &str) -> &str {
    match unit {
        "percent" => "%",
        "mbit_per_s" => "Mbit/s",
        unit => unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_covered_by_what_passes_through_them() {
        let rectangle = ((10.0, 10.0), (20.0, 14.0));
        for (segment, expected) in [
            (((0.0, 12.0), (30.0, 12.0)), true),
            (((15.0, 0.0), (15.0, 30.0)), true),
            (((0.0, 0.0), (30.0, 24.0)), true),
            (((12.0, 11.0), (13.0, 12.0)), true),
            (((15.0, 0.0), (15.0, 9.0)), false),
            (((0.0, 15.0), (30.0, 15.0)), false),
            (((0.0, 10.0), (12.0, 30.0)), false),
        ] {
            assert_eq!(passes(segment, rectangle), expected, "{segment:?}");
        }
    }
}
