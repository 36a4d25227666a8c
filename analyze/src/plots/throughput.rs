//! Throughput over time: acknowledged operations in each second, one line for each run.

use plotters::style::RGBColor;
use polars::prelude::DataFrame;

use super::axis::{Tick, linear_ticks, spread};
use super::canvas::{Anchor, Canvas, FAINT, FAULT_EDGE, Font, GREY, INK, SERIES, Stroke, VERMILLION, draw, text_width};
use super::panels::{
    Heading, LABEL, Labelled, MARGIN, NOTE, Panel, SUBTITLE, TICK, common_window, footnotes, height_with,
};
use super::sections::{Sections, Shape, left_of};
use super::{
    DAGGER, Group, MANY_REPEATS, PlottedRun, baseline_of, by_label, changed_runs, colours, counted, counted_runs,
    grouped, is_pooled, shared, short_count, steady, values,
};
use crate::Result;
use crate::tables::factors::Factors;

const WIDTH: f64 = 1000.0;
const PLOT_HEIGHT: f64 = 380.0;
/// Lines this many or more are drawn thin.
const MANY_RUNS: usize = 9;
const Y_TITLE: &str = "acknowledged operations per second (ops/s)";
const X_TITLE: &str = "time after the start of the measurement (s)";

/// Draws the tables of [`crate::tables::throughput::table`], counted by run.
///
/// Repeats of a label share its colour. With more labels than there are colours, or with many repeats of several labels,
/// each label gets a panel of its own, by families and with the baselines in grey. Of many repeats the middle one of each
/// second is a line, `across` (a frame of [`crate::tables::throughput::across`] for each label, see
/// [`super::laid_over`]), in the band between the least and the most. A last second that the workload did not fill is not
/// drawn: it would look like a drop.
///
/// `subject` says which runs these are. Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(runs: &[PlottedRun], across: &[DataFrame], subject: &str) -> Result<String> {
    let lines = runs.iter().map(Line::new).collect::<Result<Vec<_>>>()?;
    let across = across.iter().map(Across::new).collect::<Result<Vec<_>>>()?;
    let labels = by_label(runs);
    let title = match shared(runs.iter().map(|run| run.label.as_str())) {
        Some(label) => format!("Throughput of {label}"),
        None => "Throughput".to_owned(),
    };
    let description: Vec<String> = runs.iter().map(PlottedRun::described).collect();
    let description = format!("Acknowledged operations in each second of {subject}. {}", description.join(" "));
    let most = labels.iter().map(|(_, group)| group.len()).max().unwrap_or(0);
    let is_one = labels.len() == 1 || labels.len() <= SERIES.len() && most < MANY_REPEATS;
    let picture = if is_one { one_panel } else { one_panel_each };
    picture(runs, &lines, &across, (&title, &description), subject)
}

/// A run as steps: the start and the end of each whole second, at its rate. A slope between seconds would seem to
/// begin before the fault does.
struct Line {
    points: Vec<(f64, f64)>,
    /// Seconds, and the share of what ended in them that was not acknowledged, where some was not.
    not_ok: Vec<(f64, f64)>,
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
        Ok(Self { points, not_ok: not_ok(&run.table, "not_ok_share")?, end_s: run.end_s })
    }

    fn draw(
        &self,
        canvas: &Canvas<'_>,
        panel: &Panel,
        style: (RGBColor, Stroke),
        alpha: f64,
        width: f64,
    ) -> Result<()> {
        let points: Vec<_> = self.points.iter().map(|&point| panel.at(point)).collect();
        if points.is_empty() { Ok(()) } else { canvas.stroke(&points, style, alpha, width) }
    }
}

/// Seconds in which some of what ended was not acknowledged, and its share.
fn not_ok(table: &DataFrame, column: &str) -> Result<Vec<(f64, f64)>> {
    let rows = values(table, "second")?.into_iter().zip(values(table, column)?);
    Ok(rows.filter_map(|(second, share)| Some((second?, share.filter(|&share| share > 0.0)?))).collect())
}

/// Bars that hang from the upper edge of a panel, a quarter of it high where nothing that ended was acknowledged.
fn hanging(canvas: &Canvas<'_>, panel: &Panel, not_ok: &[(f64, f64)]) -> Result<()> {
    for &(second, share) in not_ok {
        let (from, to) = (panel.x.at(second), panel.x.at(second + 1.0));
        // A share that is too small to be seen is drawn a pixel high.
        let length = (share * 0.25 * (panel.bottom() - panel.top())).max(1.0);
        canvas.rectangle((from, panel.top()), (to, panel.top() + length), VERMILLION, 0.8)?;
    }
    Ok(())
}

/// The repeats of a label as steps: the middle, and the band between the outermost.
struct Across {
    middle: Vec<(f64, f64)>,
    least: Vec<(f64, f64)>,
    most: Vec<(f64, f64)>,
}

impl Across {
    fn new(table: &DataFrame) -> Result<Self> {
        let second = values(table, "second")?;
        let steps = |name: &str| -> Result<Vec<(f64, f64)>> {
            let rows = second.iter().zip(values(table, name)?);
            let points = rows.filter_map(|(second, rate)| Some(((*second)?, rate?)));
            Ok(points.flat_map(|(second, rate)| [(second, rate), (second + 1.0, rate)]).collect())
        };
        Ok(Self { middle: steps("ops_per_s_median")?, least: steps("ops_per_s_min")?, most: steps("ops_per_s_max")? })
    }

    fn line(&self, canvas: &Canvas<'_>, panel: &Panel, colour: RGBColor, width: f64) -> Result<()> {
        let points: Vec<_> = self.middle.iter().map(|&point| panel.at(point)).collect();
        if points.is_empty() { Ok(()) } else { canvas.line(&points, colour, 1.0, width) }
    }

    fn band(&self, canvas: &Canvas<'_>, panel: &Panel, colour: RGBColor) -> Result<()> {
        let outline: Vec<_> = self.least.iter().chain(self.most.iter().rev()).map(|&point| panel.at(point)).collect();
        if outline.is_empty() { Ok(()) } else { canvas.polygon(&outline, colour, 0.25) }
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

fn one_panel(
    runs: &[PlottedRun],
    lines: &[Line],
    across: &[Across],
    words: (&str, &str),
    subject: &str,
) -> Result<String> {
    let (title, description) = words;
    let heading = heading(runs, title, subject);
    let groups = by_label(runs);
    let colours = colours(&groups);
    let is_banded = groups.len() == 1 && is_pooled(&groups[0].1);
    let captions: Vec<Caption> =
        groups.iter().map(|(label, group)| Caption::new(label, group, &counted(group.len(), "run"))).collect();
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
    let has_not_ok = lines.iter().any(|line| !line.not_ok.is_empty());
    let strip_top = panel.bottom() + 44.0;
    let strip = Panel::new((left, strip_top), (plot_width, STRIP), x, (0.0, 1.0));
    let lowest = if has_not_ok { strip } else { panel };
    let height = lowest.bottom() + 84.0;

    draw((WIDTH, height), title, description, |canvas| {
        heading.draw(canvas)?;
        canvas.text((MARGIN, heading.bottom() + 14.0), Anchor::Left, TICK, Y_TITLE)?;
        match window {
            Some(window) => {
                panel.shade(canvas, window, 1.0)?;
                let middle = (panel.x.at(window.0) + panel.x.at(window.1)) / 2.0;
                canvas.text((middle, panel.top() + 10.0), Anchor::Middle, NOTE, "fault on")?;
            }
            None => windows_apart(canvas, &panel, &groups, &colours, strips_top)?,
        }
        panel.axes(canvas, &linear_ticks(x, 10), &y_ticks, Labelled { x: !has_not_ok, y: true })?;
        let strokes = strokes(&groups);
        let (alpha, width) = match runs.len() {
            _ if is_banded => (0.35, 0.6),
            MANY_RUNS.. => (0.55, 0.9),
            _ => (1.0, 1.8),
        };
        if let Some(across) = across.first().filter(|_| is_banded) {
            across.band(canvas, &panel, colours[0])?;
        }
        for (run, line) in runs.iter().zip(lines) {
            line.draw(canvas, &panel, style_of(&groups, &colours, &strokes, run), alpha, width)?;
        }
        if has_not_ok {
            let name = "of what ended in each second, not acknowledged (%)";
            canvas.text((MARGIN, strip.top() - 20.0), Anchor::Left, TICK, name)?;
            if let Some(window) = window {
                strip.shade(canvas, window, 1.0)?;
            }
            strip.axes(canvas, &linear_ticks(x, 10), &share_ticks(), Labelled { x: true, y: true })?;
            for (run, line) in runs.iter().zip(lines) {
                let (colour, _) = style_of(&groups, &colours, &strokes, run);
                for &(second, share) in &line.not_ok {
                    let (from, to) = (strip.at((second, share)), strip.at((second + 1.0, 0.0)));
                    canvas.rectangle(from, to, colour, if runs.len() == 1 { 0.8 } else { 0.35 })?;
                    canvas.line(&[from, (to.0, from.1)], colour, 1.0, 1.4)?;
                }
            }
        }
        if let Some(across) = across.first().filter(|_| is_banded) {
            across.line(canvas, &panel, colours[0], 2.0)?;
        }
        leader_changes(canvas, &panel, runs, (&groups, &colours))?;
        draw_captions(canvas, &panel, &captions, &ends(runs, lines, &groups), &colours)?;
        let banded = match (is_banded, has_changes) {
            (false, _) => "",
            (true, false) => BANDED,
            (true, true) => BANDED_WITHOUT_CHANGES,
        };
        footer(canvas, &lowest, height, banded)
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

const HANGING: &str = "Bars from the upper edge: share of what ended in that second that was not acknowledged, in the run with \
                       most of it; a quarter of the panel is 100 %.";

const BANDED: &str = " Line: the middle run of each second; band: from the least to the most of them.";
const BANDED_WITHOUT_CHANGES: &str =
    " Line: the middle of the runs in which the leader did not change; band: from the least to the most of them.";

/// Height of the panel of operations that were not acknowledged.
const STRIP: f64 = 44.0;

fn share_ticks() -> Vec<Tick> {
    [(0.0, "0"), (1.0, "100")].map(|(value, label)| Tick { value, label: Some(label.to_owned()) }).into()
}

/// The stroke of each label: lines that share a panel differ in it too, for print in grey.
fn strokes(groups: &[Group<'_>]) -> Vec<Stroke> {
    (0..groups.len()).map(|at| Stroke::ALL[at % Stroke::ALL.len()]).collect()
}

fn style_of(groups: &[Group<'_>], colours: &[RGBColor], strokes: &[Stroke], run: &PlottedRun) -> (RGBColor, Stroke) {
    let at = groups.iter().position(|(label, _)| *label == run.label).unwrap_or(0);
    (colours[at], strokes[at])
}

fn colour_of(groups: &[Group<'_>], colours: &[RGBColor], run: &PlottedRun) -> RGBColor {
    colours[groups.iter().position(|(label, _)| *label == run.label).unwrap_or(0)]
}

/// Windows that differ: each label gets a strip of its colour above the plot, and all are shaded lightly.
fn windows_apart(
    canvas: &Canvas<'_>,
    panel: &Panel,
    groups: &[Group<'_>],
    colours: &[RGBColor],
    top: f64,
) -> Result<()> {
    let mut strip = 0;
    for (at, (_, group)) in groups.iter().enumerate().filter(|(_, (_, group))| has_window(group)) {
        let Some((from_s, to_s)) = group.iter().find_map(|run| run.window_s) else { continue };
        panel.shade(canvas, (from_s, to_s), 0.5)?;
        let y = top + f64::from(strip) * STRIP_HEIGHT;
        let (from, to) = ((panel.x.at(from_s), y), (panel.x.at(to_s), y + STRIP_HEIGHT - 3.0));
        canvas.rectangle(from, to, colours[at], 1.0)?;
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
    (groups, colours): (&[Group<'_>], &[RGBColor]),
) -> Result<()> {
    if let [run] = runs {
        return panel.leader_changes(canvas, &run.leader_changes);
    }
    for run in runs {
        for change in &run.leader_changes {
            panel.marker(canvas, change.at_s, colour_of(groups, colours, run))?;
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
    /// `runs` says how many there are.
    fn new(label: &str, group: &[&PlottedRun], runs: &str) -> Self {
        let acknowledged: u64 = group.iter().map(|run| run.acknowledged()).sum();
        let runs = if group.len() > 1 || runs.ends_with(DAGGER) { format!("{runs}, ") } else { String::new() };
        let due: u64 = group.iter().map(|run| run.due()).sum();
        let of_due = if due == acknowledged { String::new() } else { format!(" of {}", grouped(due)) };
        let count = format!("{runs}n = {}{of_due}", grouped(acknowledged));
        Self { label: label.to_owned(), count, short: format!("{runs}{}", short_count(acknowledged)) }
    }

    fn width(&self) -> f64 {
        text_width(&self.label, LABEL).max(text_width(&self.count, COUNT))
    }
}

const CAPTION_HEIGHT: f64 = 36.0;

/// The last point of each label's lines, that of the middle run where there are several.
fn ends(runs: &[PlottedRun], lines: &[Line], groups: &[Group<'_>]) -> Vec<(f64, f64)> {
    let of_label = |label: &str| {
        let of_runs = runs.iter().zip(lines).filter(|(run, _)| run.label == label);
        let mut ends: Vec<(f64, f64)> = of_runs.filter_map(|(_, line)| line.points.last().copied()).collect();
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        ends.get(ends.len() / 2).copied().unwrap_or_default()
    };
    groups.iter().map(|(label, _)| of_label(label)).collect()
}

fn draw_captions(
    canvas: &Canvas<'_>,
    panel: &Panel,
    captions: &[Caption],
    ends: &[(f64, f64)],
    colours: &[RGBColor],
) -> Result<()> {
    let wanted: Vec<f64> = ends.iter().map(|&end| panel.at(end).1).collect();
    let room = (panel.top() + CAPTION_HEIGHT / 2.0, panel.bottom() - CAPTION_HEIGHT / 2.0);
    let placed = spread(&wanted, CAPTION_HEIGHT, room);
    for (at, (caption, y)) in captions.iter().zip(placed).enumerate() {
        let colour = colours[at];
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

fn footer(canvas: &Canvas<'_>, panel: &Panel, height: f64, banded: &str) -> Result<()> {
    let middle = (panel.left() + panel.right()) / 2.0;
    canvas.text((middle, panel.bottom() + 38.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
    let last = if banded.is_empty() { " A last second that the workload did not fill is not drawn." } else { banded };
    let note = format!("n: acknowledged operations after the warm-up. Shaded: fault in force, measured edges.{last}");
    canvas.text((MARGIN, height - 16.0), Anchor::Left, NOTE, &note)
}

fn one_panel_each(
    runs: &[PlottedRun],
    lines: &[Line],
    across: &[Across],
    words: (&str, &str),
    subject: &str,
) -> Result<String> {
    let (title, description) = words;
    let heading = heading(runs, title, subject);
    let groups = by_label(runs);
    let (x, y) = ranges(lines);
    let y_ticks = linear_ticks(y, 4);
    let items: Vec<&Factors> = groups.iter().map(|(_, group)| &group[0].factors).collect();
    let layout = Sections::new(&items, WIDTH, (left_of(&y_ticks), heading.bottom() + 52.0), Shape::Flat);
    // What the baselines show stands behind every label.
    let baselines: Vec<Option<usize>> = (0..groups.len()).map(|at| baseline_of(&groups, at)).collect();
    let notes = notes_of_each(runs, lines, &groups, &baselines);
    let height = height_with(layout.bottom(), &notes, WIDTH);

    draw((WIDTH, height), title, description, |canvas| {
        heading.draw(canvas)?;
        canvas.text((MARGIN, heading.bottom() + 14.0), Anchor::Left, TICK, Y_TITLE)?;
        layout.headings(canvas)?;
        for (at, (label, group)) in groups.iter().enumerate() {
            let (panel, labelled) = layout.panel(at, x, y);
            if let Some(window) = group.iter().find_map(|run| run.window_s) {
                panel.shade(canvas, window, 1.0)?;
            }
            panel.axes(canvas, &linear_ticks(x, 4), &y_ticks, labelled)?;
            let of = |label: &str| {
                runs.iter().zip(lines).filter(move |(run, _)| run.label == label).collect::<Vec<(&PlottedRun, &Line)>>()
            };
            if let Some(baseline) = baselines[at] {
                let (label, group) = &groups[baseline];
                match across.get(baseline).filter(|_| is_pooled(group)) {
                    Some(across) => across.line(canvas, &panel, FAULT_EDGE, 0.9)?,
                    None => {
                        for (_, line) in of(label).into_iter().filter(|(run, _)| !run.has_changes()) {
                            line.draw(canvas, &panel, (FAULT_EDGE, Stroke::Solid), 1.0, 0.9)?;
                        }
                    }
                }
            }
            let pooled = across.get(at).filter(|_| is_pooled(group));
            if let Some(across) = pooled {
                across.band(canvas, &panel, SERIES[0])?;
                across.line(canvas, &panel, SERIES[0], 1.2)?;
            }
            let own = of(label);
            for (run, line) in own.iter().filter(|(run, _)| pooled.is_none() || run.has_changes()) {
                line.draw(canvas, &panel, (SERIES[0], Stroke::Solid), 1.0, if run.has_changes() { 0.8 } else { 1.2 })?;
                if let Some(&end) = line.points.last().filter(|_| run.has_changes()) {
                    let (x, y) = panel.at(end);
                    canvas.text((x + 2.0, y), Anchor::Left, TICK, DAGGER)?;
                }
            }
            let whole = |line: &Line| {
                let is_whole = |second: f64| second + 1.0 <= line.end_s;
                line.not_ok.iter().copied().filter(|(second, _)| is_whole(*second)).collect::<Vec<_>>()
            };
            let mut not_ok: Vec<(f64, f64)> = own.iter().flat_map(|(_, line)| whole(line)).collect();
            // Of each second the run with most of it.
            not_ok.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
            not_ok.dedup_by_key(|(second, _)| *second);
            hanging(canvas, &panel, &not_ok)?;
            let mut changes = group.iter().flat_map(|run| &run.leader_changes);
            changes.try_for_each(|change| panel.marker(canvas, change.at_s, INK))?;
            let runs = counted_runs(group);
            let caption = Caption::new(label, group, &runs);
            layout.title(canvas, at, &panel, "", &[caption.count, caption.short, runs])?;
        }
        let middle = WIDTH / 2.0;
        canvas.text((middle, layout.bottom() + 12.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
        footnotes(canvas, height, &notes, WIDTH)
    })
}

fn notes_of_each(runs: &[PlottedRun], lines: &[Line], groups: &[Group<'_>], baselines: &[Option<usize>]) -> String {
    let mut notes =
        vec!["n: acknowledged operations after the warm-up. Shaded: fault in force, measured edges.".to_owned()];
    let is_pooled_at = |at: usize| is_pooled(&groups[at].1);
    let mut shown = baselines.iter().flatten().map(|&at| is_pooled_at(at)).collect::<Vec<_>>();
    shown.dedup();
    match shown[..] {
        [] => {}
        [true] => notes.push("Grey: baselines, the middle run of each second.".to_owned()),
        [false] => notes.push("Grey: baselines, each run.".to_owned()),
        _ => notes.push("Grey: baselines.".to_owned()),
    }
    let counts = || groups.iter().map(|(_, group)| steady(group).count());
    if counts().any(|count| count >= MANY_REPEATS) {
        let is_even = counts().any(|count| count >= MANY_REPEATS && count.is_multiple_of(2));
        let of_even = if is_even { " (of an even number the lower of two)" } else { "" };
        notes.push(format!(
            "From {MANY_REPEATS} runs on, line: the middle run of each second{of_even}, band: from the least to the most of them; \
             of fewer each is a line."
        ));
    }
    notes.extend(lines.iter().any(|line| !line.not_ok.is_empty()).then(|| HANGING.to_owned()));
    notes.extend(
        changed_runs(runs).map(|names| format!("▼ leader changed; {DAGGER} such runs, each by itself: {names}.")),
    );
    notes.join(" ")
}
