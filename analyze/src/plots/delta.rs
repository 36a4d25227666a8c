//! What faults changed: ratios by label, on a logarithmic scale around 1.

use plotters::style::RGBColor;
use polars::prelude::*;

use super::axis::{Axis, Tick};
use super::canvas::{Anchor, BLUE, Canvas, Font, GREEN, GREY, GRID, INK, VERMILLION, draw, text_width};
use super::panels::{Heading, MARGIN, SUBTITLE, TICK, footnotes};
use super::{counted, values};
use crate::Result;
use crate::tables::delta::{WITHIN_RUN, main_kind};

const WIDTH: f64 = 1000.0;
const ROW: f64 = 24.0;
const FAMILY_GAP: f64 = 8.0;
const PANEL_GAP: f64 = 26.0;
const NAME: Font = Font::new(11.5, INK);
const PANEL_NAME: Font = Font::new(13.0, INK).bold();
/// Column of the table and heading of its panel.
const METRICS: [(&str, &str); 3] =
    [("ops_per_s", "throughput"), ("response_p50_ms", "response time, p50"), ("response_p99_ms", "response time, p99")];
/// What is compared, as in the table; its words in the key; its colour; and whether its dots are hollow.
const COMPARED: [(&str, &str, RGBColor, bool); 3] = [
    ("during/before", "during the fault / before", VERMILLION, false),
    ("after/before", "after the fault / before", GREEN, true),
    ("during/baseline", "fault all the time / baselines", BLUE, false),
];
const SIGNIFICANT: Font = Font::new(15.0, INK).bold();
const FLOOR: RGBColor = RGBColor(0xDE, 0xDE, 0xDE);
const WITHIN_NOISE: RGBColor = RGBColor(0x9C, 0x9C, 0x9C);

/// Draws [`crate::tables::delta::by_label`], a row for each label; the ratios of single runs, from
/// [`crate::tables::delta::by_run`], stand behind as small dots. Of several kinds of operation only their total is
/// drawn. Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(labels: &DataFrame, runs: &DataFrame, subject: &str) -> Result<String> {
    let rows = rows(labels, runs)?;
    let title = "What faults changed";
    let count: usize = rows.iter().map(|row| row.runs).sum();
    let line = format!("{}: {subject}; ratios, without an effect 1", counted(count, "run"));
    let heading = Heading::new(title, &[line], WIDTH);
    let description: Vec<String> = rows.iter().map(Row::described).collect();
    let description = format!("Ratios by label of {subject}. {}", description.join(" "));
    let names = rows.iter().map(|row| text_width(&row.name, NAME)).fold(60.0, f64::max);
    let left = MARGIN + names + 12.0;
    let width = (WIDTH - left - MARGIN - 2.0 * PANEL_GAP) / 3.0;
    let top = heading.bottom() + 66.0;
    let mut bottom = top;
    let mut places = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if at > 0 && row.family != rows[at - 1].family {
            bottom += FAMILY_GAP;
        }
        places.push(bottom + ROW / 2.0);
        bottom += ROW;
    }
    // Room for the lower ticks and the notes.
    let height = bottom + 104.0;
    draw((WIDTH, height), title, &description, |canvas| {
        heading.draw(canvas)?;
        key(canvas, heading.bottom() + 14.0, &rows)?;
        for (row, &y) in rows.iter().zip(&places) {
            canvas.text((left - 12.0, y), Anchor::Right, NAME, &row.name)?;
        }
        for (at, (_, name)) in METRICS.into_iter().enumerate() {
            let from = left + at as f64 * (width + PANEL_GAP);
            let axis = Axis { values: range(&rows, at), pixels: (from, from + width) };
            canvas.text((from + width / 2.0, top - 26.0), Anchor::Middle, PANEL_NAME, name)?;
            let mut inner = rows.iter().zip(&places);
            inner.try_for_each(|(row, &y)| row.noise(canvas, &axis, at, y))?;
            places.iter().try_for_each(|&y| canvas.line(&[(from, y), (from + width, y)], GRID, 1.0, 0.4))?;
            draw_axis(canvas, &axis, (top, bottom))?;
            rows.iter().zip(&places).try_for_each(|(row, &y)| row.draw(canvas, &axis, at, y))?;
        }
        footnotes(canvas, height, &note(&rows), WIDTH)
    })
}

/// One label, with what is known of each comparison of each metric.
struct Row {
    name: String,
    family: String,
    is_baseline: bool,
    has_changed: bool,
    runs: usize,
    /// In the order of [`COMPARED`], then of [`METRICS`].
    effects: [[Effect; METRICS.len()]; COMPARED.len()],
}

/// log10 of the numbers of one ratio.
#[derive(Debug, Clone, Default)]
struct Effect {
    ratio: Option<f64>,
    interval: Option<(f64, f64)>,
    is_within_run: bool,
    is_significant: bool,
    noise: Option<f64>,
    is_within: bool,
    is_there: bool,
    runs: Vec<f64>,
}

/// What identifies a row of the plot.
struct Keys<'a> {
    label: &'a StringChunked,
    sweep: &'a StringChunked,
    kind: &'a StringChunked,
    compared: &'a StringChunked,
    changes: &'a UInt64Chunked,
}

impl<'a> Keys<'a> {
    fn of(table: &'a DataFrame) -> Result<Self> {
        let text = |name: &str| -> PolarsResult<&StringChunked> { table.column(name)?.str() };
        let changes = table.column("leader_changes")?.u64()?;
        let (label, sweep) = (text("label")?, text("sweep")?);
        Ok(Self { label, sweep, kind: text("kind")?, compared: text("compared")?, changes })
    }

    fn row(&self, row: usize) -> (Option<&str>, Option<&str>, bool) {
        (self.label.get(row), self.sweep.get(row), self.changes.get(row) > Some(0))
    }

    fn compared(&self, row: usize) -> Option<usize> {
        COMPARED.iter().position(|(name, ..)| self.compared.get(row) == Some(*name))
    }
}

fn rows(labels: &DataFrame, runs: &DataFrame) -> Result<Vec<Row>> {
    let (keys, of_runs) = (Keys::of(labels)?, Keys::of(runs)?);
    let family = labels.column("family")?.str()?;
    let counts = labels.column("runs")?.u64()?;
    let main = main_kind(keys.kind);
    let columns = METRICS.map(|(metric, _)| Columns::of(labels, metric));
    let columns = columns.into_iter().collect::<Result<Vec<_>>>()?;
    let ratios = METRICS.map(|(metric, _)| values(runs, &format!("{metric}_ratio")));
    let ratios = ratios.into_iter().collect::<PolarsResult<Vec<_>>>()?;
    let mut rows: Vec<Row> = Vec::new();
    let mut last = None;
    for row in (0..labels.height()).filter(|&row| keys.kind.get(row) == Some(main.as_str())) {
        let Some(compared) = keys.compared(row) else { continue };
        if last != Some(keys.row(row)) {
            last = Some(keys.row(row));
            let changed = if keys.row(row).2 { " †" } else { "" };
            let runs = counts.get(row).unwrap_or(0) as usize;
            let times = if runs > 1 { format!(" ×{runs}") } else { String::new() };
            rows.push(Row {
                name: format!("{}{times}{changed}", keys.row(row).0.unwrap_or_default()),
                family: family.get(row).unwrap_or_default().to_owned(),
                is_baseline: columns[0].is_baseline[row],
                has_changed: keys.row(row).2,
                runs,
                effects: Default::default(),
            });
        }
        let Some(plotted) = rows.last_mut() else { continue };
        for (metric, columns) in columns.iter().enumerate() {
            let mut effect = columns.effect(row);
            let own = (0..runs.height()).filter(|&run| {
                of_runs.row(run) == keys.row(row)
                    && of_runs.compared(run) == Some(compared)
                    && of_runs.kind.get(run) == Some(main.as_str())
            });
            effect.runs = own.filter_map(|run| log10(ratios[metric][run])).collect();
            plotted.effects[compared][metric] = effect;
        }
    }
    Ok(rows)
}

/// A ratio of nothing has no place on a logarithmic scale.
fn log10(ratio: Option<f64>) -> Option<f64> {
    ratio.filter(|&ratio| ratio > 0.0).map(f64::log10)
}

/// The columns of one metric.
struct Columns {
    ratio: Vec<Option<f64>>,
    low: Vec<Option<f64>>,
    high: Vec<Option<f64>>,
    is_within_run: Vec<bool>,
    significant: Vec<Option<bool>>,
    noise: Vec<Option<f64>>,
    within: Vec<Option<bool>>,
    is_baseline: Vec<bool>,
}

impl Columns {
    fn of(labels: &DataFrame, metric: &str) -> Result<Self> {
        let column = |suffix: &str| values(labels, &format!("{metric}_{suffix}"));
        Ok(Self {
            ratio: column("ratio")?,
            low: column("ratio_low")?,
            high: column("ratio_high")?,
            is_within_run: labels.column("interval")?.str()?.iter().map(|kind| kind == Some(WITHIN_RUN)).collect(),
            significant: labels.column(&format!("{metric}_significant"))?.bool()?.iter().collect(),
            noise: column("noise")?,
            is_baseline: labels.column("role")?.str()?.iter().map(|role| role == Some("baseline")).collect(),
            within: labels.column(&format!("{metric}_within_noise"))?.bool()?.iter().collect(),
        })
    }

    fn effect(&self, row: usize) -> Effect {
        Effect {
            ratio: log10(self.ratio[row]),
            interval: self.low[row].zip(self.high[row]).map(|(low, high)| (low.log10(), high.log10())),
            is_within_run: self.is_within_run[row],
            is_significant: self.significant[row] == Some(true),
            noise: self.noise[row].map(f64::log10),
            // Baselines are what the floor is made of.
            is_within: self.within[row] == Some(true) || self.is_baseline[row],
            is_there: true,
            runs: Vec::new(),
        }
    }
}

impl Row {
    /// The comparisons that the row has, each with the place of its lane relative to the row's middle and the height of
    /// that lane.
    fn lanes(&self, metric: usize) -> Vec<(usize, &Effect, f64, f64)> {
        let there = |at: &usize| self.effects[*at][metric].is_there;
        let found: Vec<usize> = (0..COMPARED.len()).filter(there).collect();
        let height = (ROW - 2.0) / found.len().max(1) as f64;
        let middle = |lane: usize| (lane as f64 + 0.5) * height - (ROW - 2.0) / 2.0;
        let lane = |(lane, at): (usize, usize)| (at, &self.effects[at][metric], middle(lane), height);
        found.into_iter().enumerate().map(lane).collect()
    }

    fn noise(&self, canvas: &Canvas<'_>, axis: &Axis, metric: usize, y: f64) -> Result<()> {
        for (_, effect, middle, height) in self.lanes(metric) {
            let Some(noise) = effect.noise else { continue };
            let (top, bottom) = (y + middle - height / 2.0, y + middle + height / 2.0);
            canvas.rectangle((axis.at(-noise), top), (axis.at(noise), bottom), FLOOR, 1.0)?;
        }
        Ok(())
    }

    fn draw(&self, canvas: &Canvas<'_>, axis: &Axis, metric: usize, y: f64) -> Result<()> {
        for (compared, effect, middle, _) in self.lanes(metric) {
            let (_, _, colour, is_hollow) = COMPARED[compared];
            let y = y + middle;
            let Some(ratio) = effect.ratio else {
                canvas.text((axis.at(0.0) + 6.0, y), Anchor::Left, Font::new(10.5, GREY), "not known")?;
                continue;
            };
            let colour = if effect.is_within { WITHIN_NOISE } else { colour };
            if effect.runs.len() > 1 {
                effect.runs.iter().try_for_each(|&run| canvas.faint_dot((axis.at(run), y), 1.6, colour))?;
            }
            if let Some((low, high)) = effect.interval {
                let (from, to) = (axis.at(low), axis.at(high));
                match effect.is_within_run {
                    true => dashed(canvas, (from, to), y, colour)?,
                    false => canvas.line(&[(from, y), (to, y)], colour, 1.0, 1.6)?,
                }
                // An arrow where the interval goes on.
                for (is_beyond, end, towards) in
                    [(low < axis.values.0, axis.pixels.0, 5.0), (high > axis.values.1, axis.pixels.1, -5.0)]
                {
                    if is_beyond {
                        canvas.polygon(&[(end, y), (end + towards, y - 3.0), (end + towards, y + 3.0)], colour, 1.0)?;
                    }
                }
            }
            canvas.dot((axis.at(ratio), y), 3.6, colour)?;
            if is_hollow {
                canvas.dot((axis.at(ratio), y), 2.0, plotters::style::WHITE)?;
            }
            if effect.is_significant {
                // Behind the interval, on the side away from 1, where there is room.
                let (low, high) = effect.interval.unwrap_or((ratio, ratio));
                let (beyond, sign) = if ratio < 0.0 { (low.min(ratio), -1.0) } else { (high.max(ratio), 1.0) };
                let x =
                    (axis.at(beyond) + sign * 8.0).clamp(axis.pixels.0 + 4.0, axis.pixels.1 + PANEL_GAP / 2.0 - 4.0);
                canvas.text((x, y + 2.5), Anchor::Middle, SIGNIFICANT, "*")?;
            }
        }
        Ok(())
    }

    fn described(&self) -> String {
        let mut words = format!("{}:", self.name);
        for (at, (_, name)) in METRICS.into_iter().enumerate() {
            for (compared, effect, ..) in self.lanes(at) {
                let compared = COMPARED[compared].0;
                words += &match effect.ratio {
                    Some(ratio) => format!(" {name} {compared} {:.3}{};", 10_f64.powf(ratio), effect.described()),
                    None => format!(" {name} {compared} not known;"),
                };
            }
        }
        words
    }
}

impl Effect {
    /// The interval and what is to be said of the effect, in words.
    fn described(&self) -> String {
        let interval = self.interval.map_or(String::new(), |(low, high)| {
            let within_run = if self.is_within_run { " within the run" } else { "" };
            format!(" [{:.3}, {:.3}]{within_run}", 10_f64.powf(low), 10_f64.powf(high))
        });
        let noise = self.noise.map_or(String::new(), |noise| {
            let is = if self.is_within { "within" } else { "outside of" };
            format!(", {is} the noise floor of x{:.2}", 10_f64.powf(noise))
        });
        format!("{interval}{noise}{}", if self.is_significant { ", significant" } else { "" })
    }
}

/// The line of an interval that tells nothing of the next run.
fn dashed(canvas: &Canvas<'_>, (from, to): (f64, f64), y: f64, colour: RGBColor) -> Result<()> {
    const DASH: f64 = 4.0;
    const GAP: f64 = 3.0;
    let mut x = from;
    while x < to {
        canvas.line(&[(x, y), ((x + DASH).min(to), y)], colour, 0.85, 1.2)?;
        x += DASH + GAP;
    }
    Ok(())
}

/// What the marks mean, of those that are there.
fn note(rows: &[Row]) -> String {
    let effects = || rows.iter().flat_map(|row| row.effects.iter().flatten());
    let has = |is: fn(&Effect) -> bool| effects().any(is);
    let mut note = "Large dots: geometric mean of the repeats of a label; small dots: runs. ".to_owned();
    if has(|effect| effect.interval.is_some() && !effect.is_within_run) {
        note += "Line: 95 % t interval over the repeats. ";
    }
    if has(|effect| effect.interval.is_some() && effect.is_within_run) {
        note +=
            "Dashed line: 95 % interval within one run (block bootstrap in time); the next run may lie outside of it. ";
    }
    if has(|effect| effect.noise.is_some()) {
        note += "Grey band: noise floor, the largest ratio among runs that should show none; grey dots lie within it. ";
    }
    if has(|effect| effect.is_significant) {
        note += "*\u{a0}significant: p < 0.05 after Holm's correction over a sweep's experiments, and outside of the noise floor. ";
    }
    if rows.iter().any(|row| row.has_changed) {
        note += "†\u{a0}the leader changed during the run. ";
    }
    note.trim_end().to_owned()
}

/// The range that shows every ratio of a metric, 1 among them, at least from a half to the double. Of intervals it shows
/// no more than a factor of three beyond that: two repeats can give one over many decades, and nothing else could be read.
fn range(rows: &[Row], metric: usize) -> (f64, f64) {
    let least = 2_f64.log10();
    let widened = |(from, to): (f64, f64), number: f64| match number.is_finite() {
        true => (from.min(number), to.max(number)),
        false => (from, to),
    };
    let effects = || rows.iter().flat_map(|row| row.effects.iter().map(move |of| &of[metric]));
    let ratios = effects().flat_map(|effect| effect.ratio.into_iter().chain(effect.runs.iter().copied()));
    let of_ratios = ratios.fold((-least, least), widened);
    let allowed = (of_ratios.0 - 3_f64.log10(), of_ratios.1 + 3_f64.log10());
    let ends = effects().filter_map(|effect| effect.interval).flat_map(|(low, high)| [low, high]);
    let (from, to) = ends.map(|end| end.clamp(allowed.0, allowed.1)).fold(of_ratios, widened);
    let room = 0.04 * (to - from);
    (from - room, to + room)
}

fn draw_axis(canvas: &Canvas<'_>, axis: &Axis, (top, bottom): (f64, f64)) -> Result<()> {
    for tick in ticks(axis) {
        let x = axis.at(tick.value);
        let is_one = tick.value == 0.0;
        canvas.line(&[(x, top), (x, bottom)], if is_one { INK } else { GRID }, 1.0, if is_one { 1.0 } else { 0.8 })?;
        if let Some(label) = &tick.label {
            canvas.text((x, top - 9.0), Anchor::Middle, TICK, label)?;
            canvas.text((x, bottom + 10.0), Anchor::Middle, TICK, label)?;
        }
    }
    Ok(())
}

/// Ticks as factors, `/4 /2 1 ×2 ×4` or, over more decades, `/100 /10 1 ×10 ×100`; those whose labels have no room left
/// are left out, the rounder ones last.
fn ticks(axis: &Axis) -> Vec<Tick> {
    let decades = (1..9).map(|decade| 10_f64.powi(decade));
    let factors: Vec<f64> = match axis.values.1 - axis.values.0 {
        span if span < 1.6 => [2.0, 10.0, 4.0, 1.5, 3.0, 6.0].into(),
        span if span < 3.2 => [10.0, 100.0, 2.0, 4.0, 20.0, 40.0].into(),
        _ => decades.collect(),
    };
    let one = Tick { value: 0.0, label: Some("1".to_owned()) };
    let sides = factors.iter().flat_map(|factor| [(1.0, "×", factor), (-1.0, "/", factor)]);
    let others =
        sides.map(|(sign, mark, factor)| Tick { value: sign * factor.log10(), label: Some(format!("{mark}{factor}")) });
    let mut ticks: Vec<Tick> = Vec::new();
    let half = |tick: &Tick| text_width(tick.label.as_deref().unwrap_or_default(), TICK) / 2.0;
    for tick in std::iter::once(one).chain(others) {
        let is_apart =
            |other: &Tick| (axis.at(tick.value) - axis.at(other.value)).abs() >= half(&tick) + half(other) + 10.0;
        if (axis.values.0..=axis.values.1).contains(&tick.value) && ticks.iter().all(is_apart) {
            ticks.push(tick);
        }
    }
    ticks
}

fn key(canvas: &Canvas<'_>, y: f64, rows: &[Row]) -> Result<()> {
    let mut x = MARGIN;
    for (at, (_, words, colour, is_hollow)) in COMPARED.into_iter().enumerate() {
        // Baselines alone need no key: their dots are grey.
        if !rows.iter().any(|row| row.effects[at][0].is_there && !row.is_baseline) {
            continue;
        }
        canvas.dot((x + 4.0, y), 3.6, colour)?;
        if is_hollow {
            canvas.dot((x + 4.0, y), 2.0, plotters::style::WHITE)?;
        }
        canvas.text((x + 14.0, y), Anchor::Left, SUBTITLE, words)?;
        x += 14.0 + text_width(words, SUBTITLE) + 18.0;
    }
    Ok(())
}
