//! Throughput over time: acknowledged operations in each second, one line for each run.

use plotters::style::RGBColor;

use super::axis::{Tick, linear_ticks, spread};
use super::canvas::{Anchor, Canvas, FAINT, Font, GREY, INK, SERIES, draw, text_width};
use super::panels::{Grid, Heading, LABEL, Labelled, MARGIN, NOTE, Panel, SUBTITLE, TICK, common_window};
use super::{PlottedRun, by_label, counted, grouped, shared, short_count, values};
use crate::Result;

const WIDTH: f64 = 1000.0;
const PLOT_HEIGHT: f64 = 380.0;
/// Lines this many or more are drawn thin.
const MANY_RUNS: usize = 9;
/// Points of background lines in a picture; beyond, the panels of small multiples show only their own runs.
const BACKGROUND_POINTS: usize = 300_000;
const Y_TITLE: &str = "acknowledged operations per second (ops/s)";
const X_TITLE: &str = "time after the start of the measurement (s)";

/// Draws the tables of [`crate::tables::throughput::table`], counted by run.
///
/// Repeats of a label share its colour. With more labels than there are colours each gets a panel of its own, all
/// other runs in grey behind it. A last second that the workload did not fill is not drawn: it would look like a drop.
///
/// `subject` says which runs these are. Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(runs: &[PlottedRun], subject: &str) -> Result<String> {
    let lines = runs.iter().map(Line::new).collect::<Result<Vec<_>>>()?;
    let labels = by_label(runs).len();
    let title = match shared(runs.iter().map(|run| run.label.as_str())) {
        Some(label) => format!("Throughput of {label}"),
        None => "Throughput".to_owned(),
    };
    let description: Vec<String> = runs.iter().map(PlottedRun::described).collect();
    let description = format!("Acknowledged operations in each second of {subject}. {}", description.join(" "));
    let picture = if labels <= SERIES.len() { one_panel } else { one_panel_each };
    picture(runs, &lines, (&title, &description), subject)
}

/// A run as steps: the start and the end of each whole second, at its rate. A slope between seconds would seem to
/// begin before the fault does.
struct Line {
    points: Vec<(f64, f64)>,
    end_s: f64,
}

impl Line {
    fn new(run: &PlottedRun) -> Result<Self> {
        let second = values(&run.table, "second")?;
        let length_s = values(&run.table, "length_s")?;
        let ops_per_s = values(&run.table, "ops_per_s")?;
        let rows = second.into_iter().zip(length_s).zip(ops_per_s);
        let whole = rows.filter_map(|((second, length_s), rate)| (length_s? >= 1.0).then_some((second?, rate?)));
        let points = whole.flat_map(|(second, rate)| [(second, rate), (second + 1.0, rate)]).collect();
        Ok(Self { points, end_s: run.end_s })
    }

    fn draw(&self, canvas: &Canvas<'_>, panel: &Panel, colour: RGBColor, alpha: f64, width: f64) -> Result<()> {
        let points: Vec<_> = self.points.iter().map(|&point| panel.at(point)).collect();
        if points.is_empty() { Ok(()) } else { canvas.line(&points, colour, alpha, width) }
    }
}

fn ranges(lines: &[Line]) -> ((f64, f64), (f64, f64)) {
    let end_s = lines.iter().map(|line| line.end_s).fold(1.0, f64::max);
    let highest = lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(1.0, f64::max);
    ((0.0, end_s), (0.0, highest * 1.06))
}

fn heading(runs: &[PlottedRun], title: &str, subject: &str) -> Heading {
    let mut lines = Vec::new();
    match shared(runs.iter().map(|run| run.fault.as_str())) {
        Some(fault) => lines.push(fault.to_owned()),
        None => lines.push(format!("{}: {subject}", counted(runs.len(), "run"))),
    }
    lines.extend(shared(runs.iter().map(|run| run.workload.as_str())).map(str::to_owned));
    Heading::new(title, &lines, WIDTH)
}

fn one_panel(runs: &[PlottedRun], lines: &[Line], words: (&str, &str), subject: &str) -> Result<String> {
    let (title, description) = words;
    let heading = heading(runs, title, subject);
    let groups = by_label(runs);
    let captions: Vec<Caption> = groups.iter().map(|(label, group)| Caption::new(label, group)).collect();
    let caption_width = captions.iter().map(Caption::width).fold(60.0, f64::max);
    let window = common_window(runs.iter());
    let strips = if window.is_none() { groups.iter().filter(|(_, group)| has_window(group)).count() } else { 0 };
    let has_changes = runs.iter().any(|run| !run.leader_changes.is_empty());

    let (x, y) = ranges(lines);
    let y_ticks = linear_ticks(y, 6);
    let left = MARGIN + y_ticks.iter().map(tick_width).fold(0.0, f64::max) + 10.0;
    let strips_top = heading.bottom() + 34.0;
    let top = strips_top + strips as f64 * STRIP_HEIGHT + if has_changes { 16.0 } else { 0.0 };
    let plot_width = WIDTH - left - caption_width - LEADER_WIDTH - MARGIN;
    let panel = Panel::new((left, top), (plot_width, PLOT_HEIGHT), x, y);
    let height = panel.bottom() + 84.0;

    draw((WIDTH, height), title, description, |canvas| {
        heading.draw(canvas)?;
        canvas.text((MARGIN, heading.bottom() + 14.0), Anchor::Left, TICK, Y_TITLE)?;
        match window {
            Some(window) => {
                panel.shade(canvas, window, 1.0)?;
                let middle = (panel.x.at(window.0) + panel.x.at(window.1)) / 2.0;
                canvas.text((middle, panel.top() + 10.0), Anchor::Middle, NOTE, "fault on")?;
            }
            None => windows_apart(canvas, &panel, &groups, strips_top)?,
        }
        panel.axes(canvas, &linear_ticks(x, 10), &y_ticks, Labelled { x: true, y: true })?;
        let (alpha, width) = if runs.len() >= MANY_RUNS { (0.55, 0.9) } else { (1.0, 1.8) };
        for (run, line) in runs.iter().zip(lines) {
            line.draw(canvas, &panel, colour_of(&groups, run), alpha, width)?;
        }
        leader_changes(canvas, &panel, runs, &groups)?;
        draw_captions(canvas, &panel, &captions, &ends(runs, lines, &groups))?;
        footer(canvas, &panel, height)
    })
}

const STRIP_HEIGHT: f64 = 8.0;
const LEADER_WIDTH: f64 = 26.0;

fn tick_width(tick: &Tick) -> f64 {
    tick.label.as_ref().map_or(0.0, |label| text_width(label, TICK))
}

fn has_window(group: &[&PlottedRun]) -> bool {
    group.iter().any(|run| run.window_s.is_some())
}

fn colour_of(groups: &[(&str, Vec<&PlottedRun>)], run: &PlottedRun) -> RGBColor {
    let at = groups.iter().position(|(label, _)| *label == run.label).unwrap_or(0);
    SERIES[at % SERIES.len()]
}

/// Windows that differ: each label gets a strip of its colour above the plot, and all are shaded lightly.
fn windows_apart(canvas: &Canvas<'_>, panel: &Panel, groups: &[(&str, Vec<&PlottedRun>)], top: f64) -> Result<()> {
    let mut strip = 0;
    for (at, (_, group)) in groups.iter().enumerate().filter(|(_, (_, group))| has_window(group)) {
        let Some((from_s, to_s)) = group.iter().find_map(|run| run.window_s) else { continue };
        panel.shade(canvas, (from_s, to_s), 0.5)?;
        let y = top + f64::from(strip) * STRIP_HEIGHT;
        let (from, to) = ((panel.x.at(from_s), y), (panel.x.at(to_s), y + STRIP_HEIGHT - 3.0));
        canvas.rectangle(from, to, SERIES[at % SERIES.len()], 1.0)?;
        strip += 1;
    }
    let middle = top + f64::from(strip) * STRIP_HEIGHT / 2.0 - 1.5;
    if strip == 0 {
        return Ok(());
    }
    canvas.text((panel.right() + LEADER_WIDTH, middle), Anchor::Left, NOTE, "fault on")
}

fn leader_changes(
    canvas: &Canvas<'_>,
    panel: &Panel,
    runs: &[PlottedRun],
    groups: &[(&str, Vec<&PlottedRun>)],
) -> Result<()> {
    if let [run] = runs {
        return panel.leader_changes(canvas, &run.leader_changes);
    }
    for run in runs {
        for change in &run.leader_changes {
            panel.marker(canvas, change.at_s, colour_of(groups, run))?;
        }
    }
    if runs.iter().any(|run| !run.leader_changes.is_empty()) {
        let at = (panel.right() + LEADER_WIDTH, panel.top() - 6.0);
        canvas.text(at, Anchor::Left, NOTE, "▼ leader changed")?;
    }
    Ok(())
}

/// What stands beside a line.
struct Caption {
    label: String,
    count: String,
    short: String,
}

const COUNT: Font = Font::new(11.5, GREY);

impl Caption {
    fn new(label: &str, group: &[&PlottedRun]) -> Self {
        let acknowledged: u64 = group.iter().map(|run| run.acknowledged()).sum();
        let runs = if group.len() > 1 { format!("{}, ", counted(group.len(), "run")) } else { String::new() };
        let count = format!("{runs}n = {}", grouped(acknowledged));
        Self { label: label.to_owned(), count, short: format!("{runs}{}", short_count(acknowledged)) }
    }

    fn width(&self) -> f64 {
        text_width(&self.label, LABEL).max(text_width(&self.count, COUNT))
    }
}

const CAPTION_HEIGHT: f64 = 36.0;

/// The last point of each label's lines, that of the middle run where there are several.
fn ends(runs: &[PlottedRun], lines: &[Line], groups: &[(&str, Vec<&PlottedRun>)]) -> Vec<(f64, f64)> {
    let of_label = |label: &str| {
        let of_runs = runs.iter().zip(lines).filter(|(run, _)| run.label == label);
        let mut ends: Vec<(f64, f64)> = of_runs.filter_map(|(_, line)| line.points.last().copied()).collect();
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        ends.get(ends.len() / 2).copied().unwrap_or_default()
    };
    groups.iter().map(|(label, _)| of_label(label)).collect()
}

fn draw_captions(canvas: &Canvas<'_>, panel: &Panel, captions: &[Caption], ends: &[(f64, f64)]) -> Result<()> {
    let wanted: Vec<f64> = ends.iter().map(|&end| panel.at(end).1).collect();
    let room = (panel.top() + CAPTION_HEIGHT / 2.0, panel.bottom() - CAPTION_HEIGHT / 2.0);
    let placed = spread(&wanted, CAPTION_HEIGHT, room);
    for (at, (caption, y)) in captions.iter().zip(placed).enumerate() {
        let colour = SERIES[at % SERIES.len()];
        let from = panel.at(ends[at]);
        let x = panel.right() + LEADER_WIDTH;
        // A run that ended early gets a dot, and a connection that nobody takes for data.
        let ended_early = panel.right() - from.0 > 0.03 * (panel.right() - panel.left());
        let connection = if ended_early { FAINT } else { colour };
        canvas.line(&[(from.0 + 2.0, from.1), (panel.right() + 6.0, from.1), (x - 5.0, y)], connection, 0.7, 0.8)?;
        if ended_early {
            canvas.dot(from, 2.5, colour)?;
        }
        canvas.text((x, y - 7.0), Anchor::Left, Font { colour, ..LABEL }, &caption.label)?;
        canvas.text((x, y + 9.0), Anchor::Left, COUNT, &caption.count)?;
    }
    Ok(())
}

fn footer(canvas: &Canvas<'_>, panel: &Panel, height: f64) -> Result<()> {
    let middle = (panel.left() + panel.right()) / 2.0;
    canvas.text((middle, panel.bottom() + 38.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
    let note = "n: acknowledged operations after the warm-up. Shaded: fault in force, measured edges. \
                A last second that the workload did not fill is not drawn.";
    canvas.text((MARGIN, height - 16.0), Anchor::Left, NOTE, note)
}

fn one_panel_each(runs: &[PlottedRun], lines: &[Line], words: (&str, &str), subject: &str) -> Result<String> {
    let (title, description) = words;
    let heading = heading(runs, title, subject);
    let groups = by_label(runs);
    let (x, y) = ranges(lines);
    let y_ticks = linear_ticks(y, 6);
    let left = MARGIN + y_ticks.iter().map(tick_width).fold(0.0, f64::max) + 10.0;
    let grid = Grid::new(groups.len(), WIDTH, (left, heading.bottom() + 52.0));
    let height = grid.bottom() + 84.0;
    let points: usize = lines.iter().map(|line| line.points.len()).sum();
    let has_background = points * groups.len() <= BACKGROUND_POINTS;

    draw((WIDTH, height), title, description, |canvas| {
        heading.draw(canvas)?;
        canvas.text((MARGIN, heading.bottom() + 14.0), Anchor::Left, TICK, Y_TITLE)?;
        for (at, (label, group)) in groups.iter().enumerate() {
            let (panel, labelled) = grid.panel(at, x, y);
            let x_ticks = linear_ticks(x, 5);
            if let Some(window) = group.iter().find_map(|run| run.window_s) {
                panel.shade(canvas, window, 1.0)?;
            }
            panel.axes(canvas, &x_ticks, &y_ticks, labelled)?;
            let is_own = |run: &PlottedRun| run.label == *label;
            for (_, line) in runs.iter().zip(lines).filter(|(run, _)| has_background && !is_own(run)) {
                line.draw(canvas, &panel, FAINT, 0.5, 0.5)?;
            }
            for (run, line) in runs.iter().zip(lines).filter(|(run, _)| is_own(run)) {
                line.draw(canvas, &panel, SERIES[0], 1.0, 1.3)?;
                run.leader_changes.iter().try_for_each(|change| panel.marker(canvas, change.at_s, INK))?;
            }
            panel_title(canvas, &panel, &Caption::new(label, group))?;
        }
        let last = grid.panel(groups.len() - 1, x, y).0;
        let middle = WIDTH / 2.0;
        canvas.text((middle, last.bottom() + 38.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
        let changes = if runs.iter().any(|run| !run.leader_changes.is_empty()) { " ▼ leader changed." } else { "" };
        let note = format!(
            "Blue: the runs of the label; grey: all other runs. n: acknowledged operations after the warm-up. \
             Shaded: fault in force, measured edges.{changes}"
        );
        canvas.text((MARGIN, height - 16.0), Anchor::Left, NOTE, &note)
    })
}

/// The label above a small panel, and the first wording of the count that fits beside it.
pub(super) fn panel_heading(canvas: &Canvas<'_>, panel: &Panel, label: &str, wordings: &[String]) -> Result<()> {
    let font = Font { size: 12.0, ..LABEL };
    canvas.text((panel.left(), panel.top() - 12.0), Anchor::Left, font, label)?;
    let room = panel.right() - panel.left() - text_width(label, font) - 8.0;
    match wordings.iter().find(|count| text_width(count, NOTE) <= room) {
        Some(count) => canvas.text((panel.right(), panel.top() - 12.0), Anchor::Right, NOTE, count),
        None => Ok(()),
    }
}

fn panel_title(canvas: &Canvas<'_>, panel: &Panel, caption: &Caption) -> Result<()> {
    panel_heading(canvas, panel, &caption.label, &[caption.count.clone(), caption.short.clone()])
}
