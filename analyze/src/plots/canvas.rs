//! A drawing surface over plotters' SVG backend, with fractions of pixels, a title and a description.
//!
//! The backend counts in whole pixels: everything is drawn ten times as large, and the view box brings it back.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle};

use crate::{Error, Result};

const SCALE: f64 = 10.0;
/// The SVG backend divides the size of a font by this.
const FONT_SCALE: f64 = 1.24;

/// What everything is drawn on.
pub(super) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// Text and lines.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Text of lesser weight.
pub(super) const GREY: RGBColor = RGBColor(0x66, 0x66, 0x66);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(0xD8, 0xD8, 0xD8);
/// Lines in the background.
pub(super) const FAINT: RGBColor = RGBColor(0xC4, 0xC4, 0xC4);
/// The time in which a fault was in force.
pub(super) const FAULT: RGBColor = RGBColor(0xEC, 0xEC, 0xEC);
/// Its edges.
pub(super) const FAULT_EDGE: RGBColor = RGBColor(0x99, 0x99, 0x99);
/// Blue of Okabe and Ito.
pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
/// Vermillion of Okabe and Ito.
pub(super) const VERMILLION: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
/// Colours of lines; the yellow of Okabe and Ito is too pale for one.
pub(super) const SERIES: [RGBColor; 7] = [
    BLUE,
    VERMILLION,
    GREEN,
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
];

/// Green of Okabe and Ito.
pub(super) const GREEN: RGBColor = RGBColor(0x00, 0x9E, 0x73);
/// Colours of lines that stand for ordered values, from small to large: the darker part of `plasma` by N. J. Smith and
/// S. van der Walt, even in lightness for any colour vision.
pub(super) const ORDERED: [RGBColor; 7] = [
    RGBColor(0xFE, 0xBD, 0x2A),
    RGBColor(0xF4, 0x88, 0x49),
    RGBColor(0xDB, 0x5C, 0x68),
    RGBColor(0xB8, 0x32, 0x89),
    RGBColor(0x8B, 0x0A, 0xA5),
    RGBColor(0x53, 0x02, 0xA3),
    RGBColor(0x0D, 0x08, 0x87),
];

/// Which point of a text lies where it is put.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

/// How a text looks; its vertical middle lies where it is put.
#[derive(Debug, Clone, Copy)]
pub(super) struct Font {
    pub(super) size: f64,
    pub(super) colour: RGBColor,
    pub(super) bold: bool,
}

impl Font {
    pub(super) const fn new(size: f64, colour: RGBColor) -> Self {
        Self { size, colour, bold: false }
    }

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }
}

/// How a line is drawn, for those who cannot tell its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    Solid,
    Dashed,
    Dotted,
    DashDotted,
}

impl Stroke {
    /// The strokes of lines that share a panel, in order.
    pub(super) const ALL: [Self; 4] = [Self::Solid, Self::Dashed, Self::Dotted, Self::DashDotted];

    /// Lengths of dashes and gaps, in the units of the view box.
    const fn dashes(self) -> Option<&'static str> {
        match self {
            Self::Solid => None,
            Self::Dashed => Some("70 40"),
            Self::Dotted => Some("20 30"),
            Self::DashDotted => Some("100 35 20 35"),
        }
    }
}

/// Plotters makes a line of its own of every dash, hundreds to a curve. So the stroke travels in the width of the line,
/// far above any real one, and becomes the attribute that SVG has for it.
const STROKE_STEP: u32 = 1_000_000;

/// A surface; coordinates in pixels from the upper left corner.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// Draws a picture and gives its SVG text.
///
/// `title` and `description` are for those who cannot see it, and for programs.
///
/// # Errors
/// [`Error::Plot`] when plotters fails.
pub(super) fn draw(
    (width, height): (f64, f64),
    title: &str,
    description: &str,
    paint: impl FnOnce(&Canvas<'_>) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    let (width, height) = (width.ceil(), height.ceil());
    let size = ((width * SCALE) as u32, (height * SCALE) as u32);
    let canvas = Canvas { area: SVGBackend::with_string(&mut svg, size).into_drawing_area() };
    canvas.area.fill(&PAPER).map_err(failed)?;
    paint(&canvas)?;
    // Dropping the backend swallows errors; presenting it does not.
    canvas.area.present().map_err(failed)?;
    drop(canvas);
    let svg = dashed(&svg);
    let (_, body) = svg.split_once('>').ok_or_else(|| Error::Plot("plotters made no svg element".to_owned()))?;
    let (view_width, view_height) = size;
    let (title, description) = (escaped(title), escaped(description));
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {view_width} {view_height}\" role=\"img\" aria-labelledby=\"title desc\" \
         stroke-linejoin=\"round\">\n<title id=\"title\">{title}</title>\n<desc id=\"desc\">{description}</desc>{body}"
    ))
}

/// Gives the lines whose width says so their dashes.
fn dashed(svg: &str) -> String {
    const WIDTH: &str = "stroke-width=\"";
    let mut parts = svg.split(WIDTH);
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let marked: u32 = part[..digits].parse().unwrap_or(0);
        let (stroke, width) = (marked / STROKE_STEP, marked % STROKE_STEP);
        if let Some(dashes) = Stroke::ALL.get(stroke as usize).and_then(|stroke| stroke.dashes()) {
            result += &format!("stroke-dasharray=\"{dashes}\" ");
        }
        result += &format!("{WIDTH}{width}{}", &part[digits..]);
    }
    result
}

fn escaped(text: &str) -> String {
    shown(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text without what XML has no place for.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) { ' ' } else { c }).collect()
}

fn failed<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> Error {
    Error::Plot(error.to_string())
}

fn pixel((x, y): (f64, f64)) -> (i32, i32) {
    ((x * SCALE).round() as i32, (y * SCALE).round() as i32)
}

impl Canvas<'_> {
    /// A line through points.
    pub(super) fn line(&self, points: &[(f64, f64)], colour: RGBColor, alpha: f64, width: f64) -> Result<()> {
        let style = ShapeStyle::from(colour.mix(alpha)).stroke_width((width * SCALE).round() as u32);
        let points: Vec<_> = points.iter().copied().map(pixel).collect();
        self.area.draw(&PathElement::new(points, style)).map_err(failed)
    }

    /// A line through points, drawn in its own way.
    pub(super) fn stroke(
        &self,
        points: &[(f64, f64)],
        (colour, stroke): (RGBColor, Stroke),
        alpha: f64,
        width: f64,
    ) -> Result<()> {
        let width = (width * SCALE).round() as u32 + STROKE_STEP * stroke as u32;
        let style = ShapeStyle::from(colour.mix(alpha)).stroke_width(width);
        let points: Vec<_> = points.iter().copied().map(pixel).collect();
        self.area.draw(&PathElement::new(points, style)).map_err(failed)
    }

    /// Two short lines across each other.
    pub(super) fn cross(&self, (x, y): (f64, f64), radius: f64, colour: RGBColor) -> Result<()> {
        self.line(&[(x - radius, y - radius), (x + radius, y + radius)], colour, 1.0, 1.3)?;
        self.line(&[(x - radius, y + radius), (x + radius, y - radius)], colour, 1.0, 1.3)
    }

    /// A filled polygon without an outline.
    pub(super) fn polygon(&self, points: &[(f64, f64)], colour: RGBColor, alpha: f64) -> Result<()> {
        let points: Vec<_> = points.iter().copied().map(pixel).collect();
        self.area.draw(&Polygon::new(points, colour.mix(alpha).filled())).map_err(failed)
    }

    /// A filled rectangle without an outline.
    pub(super) fn rectangle(&self, from: (f64, f64), to: (f64, f64), colour: RGBColor, alpha: f64) -> Result<()> {
        self.area.draw(&Rectangle::new([pixel(from), pixel(to)], colour.mix(alpha).filled())).map_err(failed)
    }

    /// A filled circle.
    pub(super) fn dot(&self, at: (f64, f64), radius: f64, colour: RGBColor) -> Result<()> {
        self.area.draw(&Circle::new(pixel(at), (radius * SCALE).round() as i32, colour.filled())).map_err(failed)
    }

    /// A filled circle in the background.
    pub(super) fn faint_dot(&self, at: (f64, f64), radius: f64, colour: RGBColor) -> Result<()> {
        let style = colour.mix(0.45).filled();
        self.area.draw(&Circle::new(pixel(at), (radius * SCALE).round() as i32, style)).map_err(failed)
    }

    /// A line of text.
    pub(super) fn text(&self, at: (f64, f64), anchor: Anchor, font: Font, text: &str) -> Result<()> {
        let position = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let weight = if font.bold { FontStyle::Bold } else { FontStyle::Normal };
        let style = TextStyle::from(("sans-serif", font.size * SCALE * FONT_SCALE).into_font().style(weight))
            .color(&font.colour)
            .pos(Pos::new(position, VPos::Center));
        self.area.draw(&Text::new(shown(text), pixel(at), style)).map_err(failed)
    }
}

/// Width of a text in pixels, guessed on the safe side: which font a reader has is not known.
pub(super) fn text_width(text: &str, font: Font) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' => 0.33,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '-' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.98,
        c if c.is_ascii_uppercase() => 0.74,
        _ => 0.635,
    };
    let bold = if font.bold { 1.1 } else { 1.0 };
    text.chars().map(em).sum::<f64>() * font.size * bold
}

/// Breaks a text into lines of at most `width` pixels, between words.
pub(super) fn wrapped(text: &str, font: Font, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), font) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_line_is_one_line_with_dashes_and_its_own_width() {
        let points: Vec<(f64, f64)> = (0..300).map(|at| (f64::from(at), f64::from(at % 7))).collect();
        let svg = draw((300.0, 10.0), "t", "d", |canvas| {
            Stroke::ALL.into_iter().try_for_each(|stroke| canvas.stroke(&points, (BLUE, stroke), 1.0, 1.8))
        });
        let svg = svg.expect("a picture");
        let found: Vec<&str> = svg.split("<polyline").skip(1).collect();
        assert_eq!(found.len(), Stroke::ALL.len());
        for (line, stroke) in found.into_iter().zip(Stroke::ALL) {
            assert!(line.contains("stroke-width=\"18\""), "{line:.200}");
            let dashes = stroke.dashes().map(|dashes| format!("stroke-dasharray=\"{dashes}\""));
            assert_eq!(line.contains("stroke-dasharray"), dashes.is_some());
            assert!(dashes.is_none_or(|dashes| line.contains(&dashes)), "{line:.200}");
        }
    }
}
