//! Severity: what is left at each value of a fault, one line a curve, and the danger zone below.
//!
//! Lines are straight between points where crossings are interpolated: the value is linear, the ratio logarithmic.

use plotters::style::{RGBColor, WHITE};
use polars::prelude::*;

use super::axis::{Axis, Tick, linear_ticks, spread};
use super::canvas::{Anchor, Canvas, Font, GREY, GRID, INK, SERIES, Stroke, draw, text_width};
use super::panels::{Heading, MARGIN, Panel, TICK, footnotes};
use super::{counted, values};
use crate::Result;
use crate::tables::delta::main_kind;
use crate::tables::severity::crossings;

const WIDTH: f64 = 1080.0;
const PLOT_HEIGHT: f64 = 210.0;
const Y_LABELS: f64 = 56.0;
/// Room for the names of lines, at the right of each panel; longer ones make the picture wider.
const NAMES: f64 = 104.0;
/// Where a name begins, behind the end of its panel.
const NAME_AT: f64 = 21.0;
const STRIP: f64 = 15.0;
const PANEL_NAME: Font = Font::new(13.0, INK).bold();
const NAME: Font = Font::new(10.5, INK);
const FLOOR: RGBColor = RGBColor(0xE4, 0xE4, 0xE4);
/// Pixels between the points of neighbouring curves at one value.
const DODGE: f64 = 4.0;

/// Draws [`crate::tables::severity::table`] and [`crossings::table`]; the ratios of single runs, from
/// [`crate::tables::delta::by_run`], stand behind as faint dots. Of several kinds of operation only their total is drawn.
/// Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(severity: &DataFrame, crossings: &DataFrame, runs: &DataFrame, subject: &str) -> Result<String> {
    let panels = panels(severity, crossings, runs)?;
    let count = total(&panels);
    let title = "How much is lost at each severity of a fault";
    let line = format!("{}: {subject}; ratios, without a fault 1", counted(count, "run"));
    let described: Vec<String> =
        panels.iter().flat_map(|panel| &panel.curves).map(|curve| curve.described.clone()).collect();
    let description = format!("Ratios against the value of the fault, of {subject}. {}", described.join(" "));
    let mut metrics: Vec<&str> = Vec::new();
    let mut kinds: Vec<&str> = Vec::new();
    for panel in &panels {
        if !metrics.contains(&panel.metric.as_str()) {
            metrics.push(&panel.metric);
        }
        if !kinds.contains(&panel.fault_kind.as_str()) {
            kinds.push(&panel.fault_kind);
        }
    }
    let columns = metrics.len().max(1) as f64;
    let names = panels.iter().flat_map(|panel| &panel.curves).map(|curve| text_width(&curve.name, NAME));
    let wider = (NAME_AT + names.fold(0.0, f64::max) + 8.0 - NAMES).max(0.0).ceil();
    let (pitch, width) = ((WIDTH - 2.0 * MARGIN) / columns + wider, WIDTH + columns * wider);
    let plot_width = pitch - wider - Y_LABELS - NAMES;
    let heading = Heading::new(title, &[line], width);
    let strips = |kind: &str| {
        let of_kind = panels.iter().filter(|panel| panel.fault_kind == kind).map(|panel| panel.curves.len());
        of_kind.max().unwrap_or(0) as f64 * STRIP
    };
    let row_height = |kind: &str| 26.0 + PLOT_HEIGHT + 46.0 + strips(kind) + 34.0;
    let top = heading.bottom() + 14.0;
    let height = top + kinds.iter().map(|kind| row_height(kind)).sum::<f64>() + 62.0;
    draw((width, height), title, &description, |canvas| {
        heading.draw(canvas)?;
        let mut y = top;
        for kind in &kinds {
            for (at, metric) in metrics.iter().enumerate() {
                let Some(panel) = panels.iter().find(|panel| panel.fault_kind == *kind && panel.metric == *metric)
                else {
                    continue;
                };
                let range = range(panels.iter().filter(|panel| panel.metric == *metric));
                panel.draw(canvas, (MARGIN + at as f64 * pitch, y), plot_width, range)?;
            }
            y += row_height(kind);
        }
        let note = "Dashed across: the shares at which the danger zone begins and is certain; dashed curves: from no fault to the \
                    mildest value, between which nothing was measured. Large marks: geometric mean of the runs at a value (×: how many), bars: 95 % interval (t over runs; of one run \
                    within it), arrows where it goes on; faint dots: runs. Grey band: noise floor. Marks with * are of runs in which \
                    the leader changed: no line goes through them. Danger zone: from where the smaller share is lost (thin \
                    edge) to where the larger one is (thick edge), with the 95 % intervals of both edges; an open end lies \
                    outside of the measured values.";
        footnotes(canvas, height, note, width)
    })
}

fn total(panels: &[Plotted]) -> usize {
    let first = panels.first().map(|panel| panel.metric.clone());
    let of_first = panels.iter().filter(|panel| Some(&panel.metric) == first.as_ref());
    of_first.flat_map(|panel| &panel.curves).map(|curve| curve.runs).sum()
}

/// All curves of one sort of fault and one metric.
struct Plotted {
    fault_kind: String,
    unit: String,
    metric: String,
    curves: Vec<Line>,
    noise: Vec<f64>,
    /// log10 of the ratios at which the danger zone begins and is certain, with their names.
    thresholds: Vec<(f64, String)>,
}

/// One curve. Ratios are log10.
struct Line {
    name: String,
    colour: RGBColor,
    shape: usize,
    is_hollow: bool,
    runs: usize,
    points: Vec<Mark>,
    zone: [Edge; 2],
    zone_in_words: String,
    described: String,
}

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

struct Mark {
    value: f64,
    ratio: f64,
    interval: Option<(f64, f64)>,
    is_changed: bool,
    runs: Vec<f64>,
}

/// One end of a danger zone; what lies outside of the measured values has no place.
#[derive(Default, Clone)]
struct Edge {
    side: String,
    at: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    has_interval: bool,
}

struct Texts<'a>(&'a DataFrame);

impl<'a> Texts<'a> {
    fn at(&self, name: &str, row: usize) -> &'a str {
        self.0.column(name).and_then(|column| column.str()).ok().and_then(|column| column.get(row)).unwrap_or_default()
    }
}

/// What two rows of either table have in common when they are of one curve.
const KEY: [&str; 6] = ["sweep", "family", "target", "fault_kind", "compared", "metric"];

fn panels(severity: &DataFrame, crossings: &DataFrame, by_run: &DataFrame) -> Result<Vec<Plotted>> {
    let (words, of_crossings, of_runs) = (Texts(severity), Texts(crossings), Texts(by_run));
    let main = main_kind(severity.column("kind")?.str()?);
    let number = |name: &str| values(severity, name);
    let (value, ratio, low, high) =
        (number("fault_value")?, number("ratio")?, number("ratio_low")?, number("ratio_high")?);
    let (noise, changes, counts) = (number("noise")?, number("leader_changes")?, number("runs")?);
    let rows: Vec<usize> = (0..severity.height()).filter(|&row| words.at("kind", row) == main).collect();
    let key = |row: usize| KEY.map(|name| words.at(name, row));
    let names = names(&words, &rows);
    let mut panels: Vec<Plotted> = Vec::new();
    for group in rows.chunk_by(|&a, &b| key(a) == key(b)) {
        let first = group[0];
        let (fault_kind, metric) = (words.at("fault_kind", first), words.at("metric", first));
        let column = values(by_run, &format!("{metric}_ratio"))?;
        let own = |row: usize| -> Vec<f64> {
            let names: Vec<&str> = words.at("run_names", row).split(", ").collect();
            let is_own = |run: &usize| {
                names.contains(&of_runs.at("run", *run))
                    && of_runs.at("kind", *run) == main
                    && of_runs.at("compared", *run) == words.at("compared", row)
            };
            (0..by_run.height())
                .filter(is_own)
                .filter_map(|run| column[run].filter(|&it| it > 0.0).map(f64::log10))
                .collect()
        };
        let mark = |&row: &usize| {
            Some(Mark {
                value: value[row]?,
                ratio: ratio[row]?.log10(),
                interval: low[row].zip(high[row]).map(|(low, high)| (low.log10(), high.log10())),
                is_changed: changes[row] > Some(0.0),
                runs: own(row),
            })
        };
        let points: Vec<Mark> = group.iter().filter_map(mark).collect();
        let runs: f64 = group.iter().filter_map(|&row| counts[row]).sum();
        let edges: Vec<usize> = (0..crossings.height())
            .filter(|&row| {
                of_crossings.at("kind", row) == main && KEY.map(|name| of_crossings.at(name, row)) == key(first)
            })
            .collect();
        let name = names.iter().find(|(known, ..)| *known == key(first)).cloned();
        let (_, name, base) = name.unwrap_or((key(first), String::new(), 0));
        let steady: Vec<f64> =
            group.iter().filter(|&&row| changes[row] == Some(0.0)).filter_map(|&row| counts[row]).collect();
        let (least, most) =
            (steady.iter().copied().fold(f64::MAX, f64::min), steady.iter().copied().fold(0.0, f64::max));
        let times = match steady.is_empty() {
            true => String::new(),
            false if least == most => format!(" ×{most}"),
            false => format!(" ×{least}–{most}"),
        };
        let edge = |at: usize| edges.get(at).map_or_else(|| Ok(Edge::default()), |&row| Edge::of(crossings, row));
        let zone = [edge(0)?, edge(1)?];
        let line = Line {
            described: described(&name, metric, &words, group, (&value, &ratio, &low, &high), crossings, &edges),
            zone_in_words: zone_in_words(crossings, &edges),
            name: format!("{name}{times}"),
            colour: SERIES[base % SERIES.len()],
            shape: base,
            is_hollow: words.at("compared", first) == "during/baseline",
            runs: runs as usize,
            points,
            zone,
        };
        let thresholds = thresholds(crossings, &edges)?;
        let at = panels.iter().position(|panel| panel.fault_kind == fault_kind && panel.metric == metric);
        let at = at.unwrap_or_else(|| {
            let unit = words.at("fault_unit", first).to_owned();
            let (fault_kind, metric) = (fault_kind.to_owned(), metric.to_owned());
            panels.push(Plotted { fault_kind, unit, metric, curves: Vec::new(), noise: Vec::new(), thresholds });
            panels.len() - 1
        });
        panels[at].noise.extend(group.iter().filter_map(|&row| noise[row]));
        panels[at].curves.push(line);
    }
    for panel in &mut panels {
        panel.noise.sort_by(|a, b| b.total_cmp(a));
        panel.noise.dedup();
    }
    Ok(panels)
}

/// What a curve is called, as short as it stays clear, and the number of its colour and shape.
type Name<'a> = ([&'a str; 6], String, usize);

fn names<'a>(words: &Texts<'a>, rows: &[usize]) -> Vec<Name<'a>> {
    let mut keys: Vec<[&str; 6]> = Vec::new();
    for &row in rows {
        let key = KEY.map(|name| words.at(name, row));
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut bases: Vec<(&str, String)> = Vec::new();
    let mut names = Vec::new();
    for key in &keys {
        let [sweep, family, target, kind, compared, metric] = *key;
        let rivals = keys.iter().filter(|other| {
            other[2] == target && other[3] == kind && other[4] == compared && other[5] == metric && *other != key
        });
        let rivals: Vec<_> = rivals.collect();
        let mut base = target.to_owned();
        if rivals.iter().any(|other| other[1] != family) {
            base = family.to_owned();
        }
        if rivals.iter().any(|other| other[1] == family) {
            base += &format!(" {sweep}");
        }
        let window = if compared == "during/baseline" { "full" } else { "mid" };
        let name = if base.contains('#') { base.clone() } else { format!("{base}, {window}") };
        let at = bases.iter().position(|known| *known == (kind, base.clone())).unwrap_or_else(|| {
            bases.push((kind, base.clone()));
            bases.len() - 1
        });
        // The same target looks the same in each sort of fault.
        let at = bases.iter().position(|(_, known)| *known == bases[at].1).unwrap_or(at);
        names.push((*key, name, at));
    }
    // Numbers without gaps.
    let mut used: Vec<usize> = names.iter().map(|(.., at)| *at).collect();
    used.sort_unstable();
    used.dedup();
    names.into_iter().map(|(key, name, at)| (key, name, used.iter().position(|&it| it == at).unwrap_or(at))).collect()
}

fn thresholds(crossings: &DataFrame, edges: &[usize]) -> Result<Vec<(f64, String)>> {
    let (ratio, percent) = (values(crossings, "threshold_ratio")?, values(crossings, "threshold_percent")?);
    let of = |&row: &usize| Some((ratio[row]?.log10(), format!("{} % lost", percent[row]?)));
    Ok(edges.iter().filter_map(of).collect())
}

fn zone_in_words(table: &DataFrame, edges: &[usize]) -> String {
    match edges {
        [begins, certain] => {
            let (from, to) = (crossings::in_words(table, *begins), crossings::in_words(table, *certain));
            if from == to {
                from
            } else {
                format!(
                    "{} … {to}",
                    from.split(' ')
                        .take(if from.starts_with(['<', '>']) { 2 } else { 1 })
                        .collect::<Vec<_>>()
                        .join(" ")
                )
            }
        }
        _ => String::new(),
    }
}

type Numbers<'a> = (&'a [Option<f64>], &'a [Option<f64>], &'a [Option<f64>], &'a [Option<f64>]);

fn described(
    name: &str,
    metric: &str,
    words: &Texts<'_>,
    group: &[usize],
    (value, ratio, low, high): Numbers<'_>,
    table: &DataFrame,
    edges: &[usize],
) -> String {
    let unit = unit_in_words(words.at("fault_unit", group[0]));
    let (kind, heading) = (words.at("fault_kind", group[0]), heading(metric));
    let points = group.iter().filter_map(|&row| {
        let interval = low[row].zip(high[row]).map_or(String::new(), |(low, high)| format!(" [{low:.3}, {high:.3}]"));
        let changed = if words.at("reversal_because", row).is_empty() { "" } else { " (leader changed)" };
        Some(format!("{} {unit} {:.3}{interval}{changed}", value[row]?, ratio[row]?))
    });
    let percent = |row: usize| values(table, "threshold_percent").ok().and_then(|column| column[row]).unwrap_or(0.0);
    let edges = edges.iter().map(|&row| {
        format!(
            "{} % lost at {} (95 % {})",
            percent(row),
            crossings::in_words(table, row),
            crossings::interval_in_words(table, row)
        )
    });
    let (points, edges) = (points.collect::<Vec<_>>().join("; "), edges.collect::<Vec<_>>().join(", "));
    format!("{kind}, {name}, {heading}: {points}; {edges}.")
}

fn heading(metric: &str) -> String {
    match metric {
        "ops_per_s" => "throughput".to_owned(),
        _ => metric.trim_end_matches("_ms").replacen('_', " time, ", 1).replace('_', "."),
    }
}

fn unit_in_words(unit: &str) -> &str {
    match unit {
        "percent" => "%",
        "mbit_per_s" => "Mbit/s",
        unit => unit,
    }
}

impl Edge {
    fn of(crossings: &DataFrame, row: usize) -> Result<Self> {
        let number = |name: &str| -> Result<Option<f64>> { Ok(values(crossings, name)?[row]) };
        let words = Texts(crossings);
        Ok(Self {
            side: words.at("crossing_side", row).to_owned(),
            at: number("crossing")?,
            low: number("crossing_low")?,
            high: number("crossing_high")?,
            has_interval: !words.at("interval", row).is_empty(),
        })
    }

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

/// The range that shows every ratio of a metric, at least from a half to the double; of intervals a factor of three more.
fn range<'a>(panels: impl Iterator<Item = &'a Plotted>) -> (f64, f64) {
    let widened = |(from, to): (f64, f64), number: f64| match number.is_finite() {
        true => (from.min(number), to.max(number)),
        false => (from, to),
    };
    let points: Vec<&Mark> = panels.flat_map(|panel| &panel.curves).flat_map(|curve| &curve.points).collect();
    let ratios = points.iter().flat_map(|point| std::iter::once(point.ratio).chain(point.runs.iter().copied()));
    let least = 1.3_f64.log10();
    let of_ratios = ratios.fold((-least, least), widened);
    let allowed = (of_ratios.0 - 3_f64.log10(), of_ratios.1 + 3_f64.log10());
    let ends = points.iter().filter_map(|point| point.interval).flat_map(|(low, high)| [low, high]);
    let (from, to) = ends.map(|end| end.clamp(allowed.0, allowed.1)).fold(of_ratios, widened);
    let room = 0.05 * (to - from);
    (from - room, to + room)
}

impl Plotted {
    fn draw(&self, canvas: &Canvas<'_>, (left, top): (f64, f64), width: f64, y: (f64, f64)) -> Result<()> {
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
    if factor.fract() == 0.0 { super::grouped(factor as u64) } else { factor.to_string() }
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
