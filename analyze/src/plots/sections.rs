//! Small multiples: where panels of one size and one scale lie, those of a family of labels together.

use super::axis::Tick;
use super::canvas::{Anchor, Canvas, Font, INK, text_width};
use super::panels::{Labelled, MARGIN, NOTE, Panel, TICK};
use crate::Result;
use crate::tables::factors::Factors;

const COLUMN_GAP: f64 = 20.0;
const ROW_GAP: f64 = 34.0;
/// Room below a section for the labels of its x axis.
const X_LABELS: f64 = 24.0;
const HEADING: f64 = 30.0;
const SECTION_GAP: f64 = 14.0;
const HEADING_FONT: Font = Font::new(13.0, INK).bold();
/// Panels beside each other at most: with more they are too narrow for the labels of their ticks.
const COLUMNS_MAX: usize = 6;

/// Height of panels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// For what runs along time.
    Flat,
    /// For two axes that weigh the same.
    Square,
}

/// Panels of a family, in order.
struct Section {
    heading: Option<String>,
    items: Vec<usize>,
}

/// Sorts items into sections: a family of several labels makes one, all the others share the last. With only one there
/// is no heading.
fn sections(items: &[&Factors]) -> Vec<Section> {
    let is_family = |family: &str| {
        let mut labels = items.iter().filter(|item| item.family == family).map(|item| item.label.as_str());
        let first = labels.next();
        labels.any(|label| Some(label) != first)
    };
    let mut found: Vec<Section> = Vec::new();
    let mut others = Vec::new();
    for (at, item) in items.iter().enumerate() {
        if !is_family(&item.family) {
            others.push(at);
            continue;
        }
        match found.iter_mut().find(|section| section.heading.as_ref() == Some(&item.family)) {
            Some(section) => section.items.push(at),
            None => found.push(Section { heading: Some(item.family.clone()), items: vec![at] }),
        }
    }
    if !others.is_empty() {
        found.push(Section { heading: Some("other labels".to_owned()), items: others });
    }
    if let [only] = &mut found[..] {
        only.heading = None;
    }
    found
}

/// Where every panel lies.
pub(super) struct Sections {
    places: Vec<((f64, f64), Labelled)>,
    titles: Vec<String>,
    headings: Vec<(f64, String)>,
    left: f64,
    size: (f64, f64),
    bottom: f64,
}

impl Sections {
    /// Places a panel for each item into a picture of `width` pixels, from `left_top` on.
    pub(super) fn new(items: &[&Factors], width: f64, left_top: (f64, f64), shape: Shape) -> Self {
        let sections = sections(items);
        let most = sections.iter().map(|section| section.items.len()).max().unwrap_or(1);
        let columns = match (most, sections.len()) {
            (0..=4, 1) => most.clamp(1, 2),
            (5..=9, 1) => 3,
            (10..=24, 1) => 4,
            (_, 1) => 5,
            _ => most.clamp(3, COLUMNS_MAX),
        };
        let panel_width = (width - left_top.0 - MARGIN - COLUMN_GAP * (columns - 1) as f64) / columns as f64;
        let height = match shape {
            Shape::Flat => (panel_width * 0.6).clamp(84.0, 190.0),
            Shape::Square => (panel_width * 0.95).min(330.0),
        };
        let size = (panel_width, height);
        let mut layout = Self {
            places: vec![((0.0, 0.0), Labelled { x: false, y: false }); items.len()],
            titles: vec![String::new(); items.len()],
            headings: Vec::new(),
            left: left_top.0,
            size,
            bottom: left_top.1,
        };
        for section in &sections {
            layout.add(section, items, columns);
        }
        layout
    }

    fn add(&mut self, section: &Section, items: &[&Factors], columns: usize) {
        if let Some(heading) = &section.heading {
            let gap = if self.headings.is_empty() { 0.0 } else { SECTION_GAP };
            self.headings.push((self.bottom + gap, heading.clone()));
            self.bottom += HEADING + gap;
        }
        let count = section.items.len();
        for (at, &item) in section.items.iter().enumerate() {
            let (column, row) = (at % columns, at / columns);
            let x = self.left + column as f64 * (self.size.0 + COLUMN_GAP);
            let y = self.bottom + row as f64 * (self.size.1 + ROW_GAP);
            self.places[item] = ((x, y), Labelled { x: at + columns >= count, y: column == 0 });
            // Under its family's name a panel needs only the value.
            let value = items[item].fault.clone().filter(|_| section.heading.as_ref() == Some(&items[item].family));
            self.titles[item] = value.unwrap_or_else(|| items[item].label.clone());
        }
        let rows = count.div_ceil(columns) as f64;
        self.bottom += rows * (self.size.1 + ROW_GAP) - ROW_GAP + X_LABELS;
    }

    /// The panel of an item, and which of its ticks have labels.
    pub(super) fn panel(&self, item: usize, x: (f64, f64), y: (f64, f64)) -> (Panel, Labelled) {
        let (left_top, labelled) = self.places[item];
        (Panel::new(left_top, self.size, x, y), labelled)
    }

    /// Ticks of a logarithmic axis without the labels between decades where these would touch each other.
    pub(super) fn readable(&self, ticks: Vec<Tick>, (from, to): (f64, f64)) -> Vec<Tick> {
        const LINE: f64 = 14.0;
        let closest = 2_f64.log10() * self.size.1 / (to - from);
        let has_decade = ticks.iter().any(|tick| tick.label.is_some() && is_decade(tick));
        if closest >= LINE || !has_decade {
            return ticks;
        }
        let bare = |tick: Tick| if is_decade(&tick) { tick } else { Tick { label: None, ..tick } };
        ticks.into_iter().map(bare).collect()
    }

    /// Where what follows may begin.
    pub(super) fn bottom(&self) -> f64 {
        self.bottom
    }

    /// The names of the families.
    pub(super) fn headings(&self, canvas: &Canvas<'_>) -> Result<()> {
        let draw = |(y, heading): &(f64, String)| canvas.text((MARGIN, *y), Anchor::Left, HEADING_FONT, heading);
        self.headings.iter().try_for_each(draw)
    }

    /// The name of an item above its panel, with a suffix, and the first wording of a count that fits beside it.
    pub(super) fn title(
        &self,
        canvas: &Canvas<'_>,
        item: usize,
        panel: &Panel,
        suffix: &str,
        wordings: &[String],
    ) -> Result<()> {
        let title = format!("{}{suffix}", self.titles[item]);
        let width = panel.right() - panel.left();
        let sizes = [12.0, 11.0, 10.0, 9.0, 8.0];
        let font = |size| Font::new(size, INK).bold();
        let size = sizes.into_iter().find(|&size| text_width(&title, font(size)) <= width).unwrap_or(8.0);
        canvas.text((panel.left(), panel.top() - 9.0), Anchor::Left, font(size), &title)?;
        let room = width - text_width(&title, font(size)) - 8.0;
        match wordings.iter().find(|count| text_width(count, NOTE) <= room) {
            Some(count) => canvas.text((panel.right(), panel.top() - 9.0), Anchor::Right, NOTE, count),
            None => Ok(()),
        }
    }
}

/// Where panels begin, so that the labels of these ticks fit beside them.
pub(super) fn left_of(y_ticks: &[Tick]) -> f64 {
    let widest = y_ticks.iter().filter_map(|tick| tick.label.as_ref()).map(|label| text_width(label, TICK));
    MARGIN + widest.fold(0.0, f64::max) + 10.0
}

/// Whether the value, a logarithm, is one of a power of ten.
fn is_decade(tick: &Tick) -> bool {
    (tick.value - tick.value.round()).abs() < 1e-6
}
