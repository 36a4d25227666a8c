//! Latency over time: bands of quantiles for each run, on a logarithmic scale.

use plotters::style::RGBColor;
use polars::prelude::DataFrame;

use super::axis::{linear_ticks, log_ticks, spread};
use super::canvas::{Anchor, BLUE, Canvas, Font, GREY, INK, Stroke, VERMILLION, draw, text_width};
use super::panels::{Heading, LABEL, Labelled, MARGIN, NOTE, Panel, SUBTITLE, TICK, footnotes, height_with};
use super::sections::{Sections, Shape, left_of};
use super::{MANY_REPEATS, PlottedRun, by_label, counted, grouped, operations, shared, short_count, values};
use crate::Result;
use crate::tables::factors::Factors;

mod repeated;

const WIDTH: f64 = 1000.0;
const PLOT_HEIGHT: f64 = 400.0;
const Y_TITLE: &str = "latency (ms, logarithmic)";
const X_TITLE: &str = "time at which operations were due, after the start of the measurement (s)";
/// Values below this are drawn at it: a logarithm has no zero.
const LEAST_MS: f64 = 1e-3;
/// Service time is drawn apart where its p50 or p99 lies this much below that of response time, in log10: 10 %.
const APART: f64 = 0.0414;

/// With more runs than this, repeats share a panel.
const PANELS_OF_REPEATS: usize = 12;

/// Number of bins that a plot of this many runs has room for.
pub fn bins(runs: usize) -> usize {
    if runs <= 1 { 240 } else { 100 }
}

/// Draws the tables of [`crate::tables::latency::table`], a panel for each run, with the same scales. Of many runs with
/// repeats there is a panel for each label, with the middle run of each bin and the band between the outermost: `across`, a
/// frame of [`crate::tables::latency::across`] for each label, see [`super::laid_over`].
///
/// Response time is drawn as bands between quantiles, out to the slowest and the fastest operation of each bin, so that
/// no outlier is lost; service time as lines, where it differs. `summaries` are the rows of
/// [`crate::tables::summary::table`] for each run, for the description. Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(runs: &[PlottedRun], summaries: &[DataFrame], across: &[DataFrame], subject: &str) -> Result<String> {
    let of_run = |run: &PlottedRun| Bands::new(&run.table, run.deadline_ms);
    let bands = runs.iter().map(of_run).collect::<Result<Vec<_>>>()?;
    let title = match shared(runs.iter().map(|run| run.label.as_str())) {
        Some(label) => format!("Latency of {label}"),
        None => "Latency".to_owned(),
    };
    let mut description = format!("Response time over time of {subject}.");
    for (run, summary) in runs.iter().zip(summaries) {
        description += &format!(" {}{}", run.described(), described(summary)?);
    }
    let mut lines = Vec::new();
    match shared(runs.iter().map(|run| run.fault.as_str())) {
        Some(fault) => lines.push(fault.to_owned()),
        None => lines.push(format!("{}: {subject}", counted(runs.len(), "run"))),
    }
    lines.extend(shared(runs.iter().map(|run| run.workload.as_str())).map(str::to_owned));
    let most = by_label(runs).iter().map(|(_, group)| group.len()).max().unwrap_or(0);
    if runs.len() > PANELS_OF_REPEATS && most >= MANY_REPEATS {
        lines.push("shown: response time, from when an operation was due".to_owned());
        return repeated::draw_svg(runs, across, &Heading::new(&title, &lines, WIDTH), (&title, &description));
    }
    if bands.iter().all(|bands| !bands.service_is_apart) {
        lines.push("shown: response time, from when an operation was due; service time, from when it was sent, is less than 10 % away".to_owned());
    } else {
        lines.push(
            "bands: response time, from when an operation was due; lines: service time, from when it was sent"
                .to_owned(),
        );
    }
    let heading = Heading::new(&title, &lines, WIDTH);
    let picture = if runs.len() == 1 { one_panel } else { small_multiples };
    picture(runs, &bands, &heading, (&title, &description))
}

/// The quantiles in words.
fn described(summary: &DataFrame) -> Result<String> {
    let mut words = String::new();
    let (kind, phase) = (summary.column("kind")?.str()?, summary.column("phase")?.str()?);
    let (p50, p99) = (values(summary, "response_p50_ms")?, values(summary, "response_p99_ms")?);
    let max = values(summary, "response_max_ms")?;
    for row in 0..summary.height() {
        if let (Some(p50), Some(p99), Some(max)) = (p50[row], p99[row], max[row]) {
            let (kind, phase) = (kind.get(row).unwrap_or_default(), phase.get(row).unwrap_or_default());
            words += &format!(" {kind} {phase}: response p50 {p50:.3} ms, p99 {p99:.3} ms, max {max:.3} ms.");
        }
    }
    Ok(words)
}

/// One bin: its ends in seconds, and log10 of the quantiles in milliseconds.
#[derive(Clone, Copy)]
struct Bin {
    from_s: f64,
    to_s: f64,
    response: [f64; 5],
    service: [f64; 5],
}

/// Service time is broken, so that it stays apart from response time in grey.
const SERVICE: (RGBColor, Stroke) = (VERMILLION, Stroke::Dashed);

const MIN: usize = 0;
const P50: usize = 1;
const P90: usize = 2;
const P99: usize = 3;
const MAX: usize = 4;

/// What is drawn of a run. Bins without an acknowledged operation break the bands.
pub(super) struct Bands {
    pieces: Vec<Vec<Bin>>,
    /// Middle of each bin with operations that were not acknowledged.
    not_ok_s: Vec<f64>,
    not_ok: u64,
    /// log10 of milliseconds.
    deadline: f64,
    service_is_apart: bool,
}

impl Bands {
    pub(super) fn new(table: &DataFrame, deadline_ms: f64) -> Result<Self> {
        let column = |name: &str| values(table, name);
        let (from_s, length_s, not_ok) = (column("from_s")?, column("length_s")?, column("not_ok")?);
        let quantiles = |time: &str| -> Result<Vec<Vec<Option<f64>>>> {
            let names = crate::tables::latency::QUANTILES;
            names.into_iter().map(|(name, _)| Ok(column(&format!("{time}_{name}_ms"))?)).collect()
        };
        let (response, service) = (quantiles("response")?, quantiles("service")?);
        let at = |columns: &[Vec<Option<f64>>], row: usize| -> Option<[f64; 5]> {
            let mut logs = [0.0; 5];
            for (log, column) in logs.iter_mut().zip(columns) {
                *log = column[row]?.max(LEAST_MS).log10();
            }
            Some(logs)
        };
        let deadline = deadline_ms.max(LEAST_MS).log10();
        let (pieces, not_ok_s) = (vec![Vec::new()], Vec::new());
        let mut bands = Self { pieces, not_ok_s, not_ok: 0, deadline, service_is_apart: false };
        for row in 0..table.height() {
            let (Some(from_s), Some(length_s)) = (from_s[row], length_s[row]) else { continue };
            if let Some(count) = not_ok[row].filter(|&count| count > 0.0) {
                bands.not_ok_s.push(from_s + length_s / 2.0);
                bands.not_ok += count as u64;
            }
            match (at(&response, row), at(&service, row)) {
                (Some(response), Some(service)) => {
                    bands.service_is_apart |= [P50, P99].into_iter().any(|at| response[at] - service[at] > APART);
                    let bin = Bin { from_s, to_s: from_s + length_s, response, service };
                    bands.pieces.last_mut().expect("there is always a piece").push(bin);
                }
                _ => bands.pieces.push(Vec::new()),
            }
        }
        bands.pieces.retain(|piece| !piece.is_empty());
        Ok(bands)
    }

    fn bins(&self) -> impl Iterator<Item = &Bin> {
        self.pieces.iter().flatten()
    }

    /// Lowest and highest value; that of the deadline where there are marks at it.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        let ends = self.bins().map(|bin| (bin.response[MIN].min(bin.service[P50]), bin.response[MAX]));
        let marks = (self.not_ok > 0).then_some((self.deadline, self.deadline));
        ends.chain(marks).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Whether service time has lines of its own.
    pub(super) fn has_service(&self) -> bool {
        self.service_is_apart
    }

    /// The bin that holds the slowest operation of all.
    fn slowest(&self) -> Option<&Bin> {
        self.bins().max_by(|a, b| a.response[MAX].total_cmp(&b.response[MAX]))
    }

    pub(super) fn draw(&self, canvas: &Canvas<'_>, panel: &Panel, weight: f64) -> Result<()> {
        for piece in &self.pieces {
            let curve = |of: fn(&Bin) -> f64| curve(panel, piece, of);
            let (min, p50, p90) =
                (curve(|bin| bin.response[MIN]), curve(|bin| bin.response[P50]), curve(|bin| bin.response[P90]));
            let (p99, max) = (curve(|bin| bin.response[P99]), curve(|bin| bin.response[MAX]));
            band(canvas, &min, &max, 0.16)?;
            band(canvas, &p50, &p99, 0.22)?;
            band(canvas, &p50, &p90, 0.30)?;
            canvas.line(&max, BLUE, 0.8, 0.8 * weight)?;
            canvas.line(&p99, BLUE, 0.9, 0.8 * weight)?;
            canvas.line(&p50, BLUE, 1.0, 1.8 * weight)?;
            if self.service_is_apart {
                canvas.stroke(&curve(|bin| bin.service[P99]), SERVICE, 1.0, 0.8 * weight)?;
                canvas.stroke(&curve(|bin| bin.service[P50]), SERVICE, 1.0, 1.8 * weight)?;
            }
        }
        if let Some(bin) = self.slowest() {
            canvas.dot(panel.at((f64::midpoint(bin.from_s, bin.to_s), bin.response[MAX])), 2.6 * weight, BLUE)?;
        }
        self.not_ok_s.iter().try_for_each(|&at_s| canvas.cross(panel.at((at_s, self.deadline)), 3.4 * weight, INK))
    }
}

/// A curve through the middles of the bins, out to the ends of the first and the last.
fn curve(panel: &Panel, bins: &[Bin], of: fn(&Bin) -> f64) -> Vec<(f64, f64)> {
    let first = bins.first().map(|bin| (bin.from_s, of(bin)));
    let last = bins.last().map(|bin| (bin.to_s, of(bin)));
    let middles = bins.iter().map(|bin| (f64::midpoint(bin.from_s, bin.to_s), of(bin)));
    first.into_iter().chain(middles).chain(last).map(|point| panel.at(point)).collect()
}

fn band(canvas: &Canvas<'_>, lower: &[(f64, f64)], upper: &[(f64, f64)], alpha: f64) -> Result<()> {
    let outline: Vec<_> = lower.iter().chain(upper.iter().rev()).copied().collect();
    canvas.polygon(&outline, BLUE, alpha)
}

fn ranges(runs: &[PlottedRun], bands: &[Bands]) -> ((f64, f64), (f64, f64)) {
    let end_s = runs.iter().map(|run| run.end_s).fold(1e-3, f64::max);
    let all = bands.iter().filter_map(Bands::range);
    let (lowest, highest) = all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0.0, 1.0));
    let room = 0.06 * (highest - lowest).max(0.5);
    ((0.0, end_s), (lowest - room / 2.0, highest + room))
}

fn one_panel(runs: &[PlottedRun], bands: &[Bands], heading: &Heading, words: (&str, &str)) -> Result<String> {
    let (run, bands) = (&runs[0], &bands[0]);
    let (x, y) = ranges(runs, std::slice::from_ref(bands));
    let y_ticks = log_ticks(y);
    let captions = captions(bands);
    let caption_width = captions.iter().map(|caption| text_width(&caption.text, LABEL)).fold(60.0, f64::max);
    let left = left_of(&y_ticks);
    let top = heading.bottom() + if run.leader_changes.is_empty() { 34.0 } else { 50.0 };
    let size = (WIDTH - left - caption_width - LEADER_WIDTH - MARGIN, PLOT_HEIGHT);
    let panel = Panel::new((left, top), size, x, y);
    let height = panel.bottom() + 84.0;
    draw((WIDTH, height), words.0, words.1, |canvas| {
        heading.draw(canvas)?;
        canvas.text((MARGIN, heading.bottom() + 14.0), Anchor::Left, TICK, Y_TITLE)?;
        if let Some(window) = run.window_s {
            panel.shade(canvas, window, 1.0)?;
            let middle = f64::midpoint(panel.x.at(window.0), panel.x.at(window.1));
            canvas.text((middle, panel.bottom() - 10.0), Anchor::Middle, NOTE, "fault on")?;
        }
        panel.axes(canvas, &linear_ticks(x, 10), &y_ticks, Labelled { x: true, y: true })?;
        bands.draw(canvas, &panel, 1.0)?;
        panel.leader_changes(canvas, &run.leader_changes)?;
        draw_captions(canvas, &panel, &captions)?;
        if let Some(slowest) = bands.slowest() {
            let (x, y) = panel.at((f64::midpoint(slowest.from_s, slowest.to_s), slowest.response[MAX]));
            let text = format!("slowest: {}", in_ms(slowest.response[MAX]));
            let is_left = x + text_width(&text, NOTE) + 8.0 > panel.right();
            let (x, anchor) = if is_left { (x - 7.0, Anchor::Right) } else { (x + 7.0, Anchor::Left) };
            canvas.text((x, y - 11.0), anchor, NOTE, &text)?;
        }
        let middle = f64::midpoint(panel.left(), panel.right());
        canvas.text((middle, panel.bottom() + 38.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
        let missed = match bands.not_ok {
            0 => String::new(),
            count => format!(" ×, at the deadline: {} not acknowledged.", operations(count)),
        };
        let note = format!(
            "n = {} acknowledged of {} due. Each bin of {} s shows its fastest and slowest operation.{missed}",
            grouped(run.acknowledged()),
            grouped(run.due()),
            bin_length_s(bands),
        );
        canvas.text((MARGIN, height - 16.0), Anchor::Left, NOTE, &note)
    })
}

const LEADER_WIDTH: f64 = 26.0;
const CAPTION_HEIGHT: f64 = 18.0;

/// A logarithm of milliseconds, in words.
fn in_ms(log_ms: f64) -> String {
    let ms = 10_f64.powf(log_ms);
    let decimals = (2.0 - log_ms.floor()).clamp(0.0, 3.0) as usize;
    format!("{ms:.decimals$} ms")
}

fn bin_length_s(bands: &Bands) -> f64 {
    bands.bins().next().map_or(0.0, |bin| ((bin.to_s - bin.from_s) * 1e3).round() / 1e3)
}

struct Caption {
    text: String,
    colour: RGBColor,
    end: (f64, f64),
}

fn captions(bands: &Bands) -> Vec<Caption> {
    let Some(last) = bands.bins().last() else { return Vec::new() };
    let mut captions: Vec<Caption> = [("slowest", MAX), ("p99", P99), ("p90", P90), ("p50", P50), ("fastest", MIN)]
        .into_iter()
        .map(|(text, at)| Caption { text: text.to_owned(), colour: BLUE, end: (last.to_s, last.response[at]) })
        .collect();
    if bands.service_is_apart {
        captions.extend([("service p99", P99), ("service p50", P50)].into_iter().map(|(text, at)| Caption {
            text: text.to_owned(),
            colour: VERMILLION,
            end: (last.to_s, last.service[at]),
        }));
    }
    captions
}

fn draw_captions(canvas: &Canvas<'_>, panel: &Panel, captions: &[Caption]) -> Result<()> {
    let wanted: Vec<f64> = captions.iter().map(|caption| panel.at(caption.end).1).collect();
    let placed = spread(&wanted, CAPTION_HEIGHT, (panel.top() + 9.0, panel.bottom() - 9.0));
    for (caption, y) in captions.iter().zip(placed) {
        let from = panel.at(caption.end);
        let x = panel.right() + LEADER_WIDTH;
        canvas.line(&[from, (panel.right() + 6.0, from.1), (x - 5.0, y)], caption.colour, 0.6, 0.8)?;
        canvas.text((x, y), Anchor::Left, Font { colour: caption.colour, ..LABEL }, &caption.text)?;
    }
    Ok(())
}

fn small_multiples(runs: &[PlottedRun], bands: &[Bands], heading: &Heading, words: (&str, &str)) -> Result<String> {
    let (x, y) = ranges(runs, bands);
    let y_ticks = log_ticks(y);
    let items: Vec<&Factors> = runs.iter().map(|run| &run.factors).collect();
    let layout = Sections::new(&items, WIDTH, (left_of(&y_ticks), heading.bottom() + 74.0), Shape::Flat);
    let y_ticks = layout.readable(y_ticks, y);
    let changes = if runs.iter().any(|run| !run.leader_changes.is_empty()) { " ▼ leader changed." } else { "" };
    let missed = match bands.iter().map(|bands| bands.not_ok).sum() {
        0 => String::new(),
        count => format!(" ×, at the deadline: {} not acknowledged.", operations(count)),
    };
    let note = format!(
        "n: acknowledged operations. Dot: the slowest. Shaded: fault in force, measured edges. #: repeats in order of time.{missed}{changes}"
    );
    let height = height_with(layout.bottom(), &note, WIDTH);
    let repeats = |label: &str| runs.iter().filter(|run| run.label == label).count() > 1;
    draw((WIDTH, height), words.0, words.1, |canvas| {
        heading.draw(canvas)?;
        key(canvas, heading.bottom() + 14.0, bands.iter().any(|bands| bands.service_is_apart))?;
        canvas.text((MARGIN, heading.bottom() + 36.0), Anchor::Left, TICK, Y_TITLE)?;
        layout.headings(canvas)?;
        for (at, (run, bands)) in runs.iter().zip(bands).enumerate() {
            let (panel, labelled) = layout.panel(at, x, y);
            if let Some(window) = run.window_s {
                panel.shade(canvas, window, 1.0)?;
            }
            panel.axes(canvas, &linear_ticks(x, 4), &y_ticks, labelled)?;
            bands.draw(canvas, &panel, 0.7)?;
            run.leader_changes.iter().try_for_each(|change| panel.marker(canvas, change.at_s, INK))?;
            let repeat = runs[..=at].iter().filter(|other| other.label == run.label).count();
            let suffix = if repeats(&run.label) { format!(" #{repeat}") } else { String::new() };
            let count = run.acknowledged();
            let wordings = [format!("n = {}", grouped(count)), short_count(count)];
            layout.title(canvas, at, &panel, &suffix, &wordings)?;
        }
        canvas.text((WIDTH / 2.0, layout.bottom() + 12.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
        footnotes(canvas, height, &note, WIDTH)
    })
}

/// What the bands mean, in one line.
fn key(canvas: &Canvas<'_>, y: f64, has_service: bool) -> Result<()> {
    let font = Font::new(12.0, GREY);
    let mut x = MARGIN;
    let mut bands = vec![("fastest to slowest", 0.16), ("p50 to p99", 0.35), ("p50 to p90", 0.55)];
    for (text, alpha) in bands.drain(..) {
        canvas.rectangle((x, y - 6.0), (x + 22.0, y + 6.0), BLUE, alpha)?;
        canvas.text((x + 28.0, y), Anchor::Left, font, text)?;
        x += 28.0 + text_width(text, font) + 16.0;
    }
    let mut lines = vec![("p50", (BLUE, Stroke::Solid), 1.8)];
    if has_service {
        lines.extend([("service p50", SERVICE, 1.8), ("service p99", SERVICE, 0.8)]);
    }
    for (text, style, width) in lines {
        canvas.stroke(&[(x, y), (x + 22.0, y)], style, 1.0, width)?;
        canvas.text((x + 28.0, y), Anchor::Left, font, text)?;
        x += 28.0 + text_width(text, font) + 16.0;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
