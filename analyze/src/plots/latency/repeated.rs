//! Latency over time of many repeats: a panel for each label, the middle run and the outermost ones. Runs in which the leader
//! changed are never pooled with others: they have lines of their own, and so has each run where there are few.

use plotters::style::RGBColor;
use polars::prelude::DataFrame;

use super::{LEAST_MS, WIDTH, X_TITLE, Y_TITLE};
use crate::Result;
use crate::plots::axis::{linear_ticks, log_ticks};
use crate::plots::canvas::{Anchor, BLUE, Canvas, FAULT_EDGE, Font, GREY, INK, Stroke, VERMILLION, draw, text_width};
use crate::plots::panels::{Heading, MARGIN, Panel, SUBTITLE, TICK, footnotes, height_with};
use crate::plots::sections::{Sections, Shape, left_of};
use crate::plots::{
    DAGGER, Group, MANY_REPEATS, PlottedRun, baseline_of, by_label, changed_runs, counted_runs, grouped, is_pooled,
    short_count, steady, values,
};
use crate::tables::factors::Factors;

/// Column of the table, name in the key, and colour.
const QUANTILES: [(&str, &str, (RGBColor, Stroke)); 2] =
    [("response_p99_ms", "p99", (VERMILLION, Stroke::Dashed)), ("response_p50_ms", "p50", (BLUE, Stroke::Solid))];
/// The slowest operation of each bin.
const SLOWEST: &str = "response_max_ms";

pub(super) fn draw_svg(
    runs: &[PlottedRun],
    across: &[DataFrame],
    heading: &Heading,
    (title, description): (&str, &str),
) -> Result<String> {
    let groups = by_label(runs);
    let curves = groups.iter().zip(across).map(of_label).collect::<Result<Vec<_>>>()?;
    let end_s = runs.iter().map(|run| run.end_s).fold(1e-3, f64::max);
    let logs = || curves.iter().flatten().flat_map(Curves::logs);
    let (lowest, highest) = (logs().fold(f64::MAX, f64::min), logs().fold(f64::MIN, f64::max));
    let (lowest, highest) = if lowest <= highest { (lowest, highest) } else { (0.0, 1.0) };
    let room = 0.04 * (highest - lowest).max(0.5);
    let (x, y) = ((0.0, end_s), (lowest - room, highest + room));
    let y_ticks = log_ticks(y);
    let items: Vec<&Factors> = groups.iter().map(|(_, group)| &group[0].factors).collect();
    let layout = Sections::new(&items, WIDTH, (left_of(&y_ticks), heading.bottom() + 74.0), Shape::Flat);
    let y_ticks = layout.readable(y_ticks, y);
    let note = note(runs, &groups, &curves);
    let height = height_with(layout.bottom(), &note, WIDTH);
    let baselines: Vec<Option<usize>> = (0..groups.len()).map(|at| baseline_of(&groups, at)).collect();
    draw((WIDTH, height), title, description, |canvas| {
        heading.draw(canvas)?;
        key(canvas, heading.bottom() + 14.0, baselines.iter().any(Option::is_some))?;
        canvas.text((MARGIN, heading.bottom() + 36.0), Anchor::Left, TICK, Y_TITLE)?;
        layout.headings(canvas)?;
        for (at, ((_, group), here)) in groups.iter().zip(&curves).enumerate() {
            let (panel, labelled) = layout.panel(at, x, y);
            if let Some(window) = group.iter().find_map(|run| run.window_s) {
                panel.shade(canvas, window, 1.0)?;
            }
            panel.axes(canvas, &linear_ticks(x, 4), &y_ticks, labelled)?;
            if let Some(baseline) = baselines[at] {
                let steady = curves[baseline].iter().filter(|curves| !curves.is_changed);
                for (curve, (_, _, (_, stroke))) in steady.flat_map(|curves| curves.quantiles.iter().zip(QUANTILES)) {
                    curve.line(canvas, &panel, (FAULT_EDGE, stroke), 0.8)?;
                }
            }
            here.iter().try_for_each(|curves| curves.draw(canvas, &panel))?;
            let mut changes = group.iter().flat_map(|run| &run.leader_changes);
            changes.try_for_each(|change| panel.marker(canvas, change.at_s, INK))?;
            let count = group.iter().map(|run| run.acknowledged()).sum();
            let runs = counted_runs(group);
            let wordings = [format!("{runs}, n = {}", grouped(count)), format!("{runs}, {}", short_count(count)), runs];
            layout.title(canvas, at, &panel, "", &wordings)?;
        }
        canvas.text((WIDTH / 2.0, layout.bottom() + 12.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
        footnotes(canvas, height, &note, WIDTH)
    })
}

/// What is drawn of a label: its runs together where there are enough of them in which the leader did not change, else each.
fn of_label(((_, group), across): (&Group<'_>, &DataFrame)) -> Result<Vec<Curves>> {
    let mut curves = match is_pooled(group) {
        true => vec![Curves::of_repeats(across, group)?],
        false => steady(group).map(Curves::of_run).collect::<Result<Vec<_>>>()?,
    };
    for run in group.iter().filter(|run| run.has_changes()) {
        curves.push(Curves::of_run(run)?);
    }
    Ok(curves)
}

fn note(runs: &[PlottedRun], groups: &[Group<'_>], curves: &[Vec<Curves>]) -> String {
    let pooled = || groups.iter().map(|(_, group)| group).filter(|group| is_pooled(group));
    let mut notes = vec!["Each run's p50 and p99 in each bin.".to_owned()];
    if pooled().next().is_some() {
        let is_even = pooled().any(|group| steady(group).count().is_multiple_of(2));
        let of_even = if is_even { " (of an even number the lower of two)" } else { "" };
        notes.push(format!(
            "From {MANY_REPEATS} runs on, line: the middle run{of_even}, band: from the lowest to the highest; of fewer each is a line."
        ));
    }
    notes.push(
        "Dotted: the slowest operation. n: acknowledged operations. Shaded: fault in force, measured edges.".to_owned(),
    );
    if curves.iter().flatten().any(|curves| curves.has_gaps) {
        notes.push("Gaps: bins in which a run had no answer; of several runs it counts as the slowest.".to_owned());
    }
    if curves.iter().flatten().any(|curves| !curves.not_ok_s.is_empty()) {
        notes.push("×, at the deadline: bins with operations that were not acknowledged.".to_owned());
    }
    notes.extend(
        changed_runs(runs).map(|names| format!("▼ leader changed; {DAGGER} such runs, each by itself: {names}.")),
    );
    notes.join(" ")
}

/// Points in time, broken where there is none: seconds against log10 of milliseconds.
type Pieces = Vec<Vec<(f64, f64)>>;

/// A bin as its two ends.
type Ends = (f64, f64);

fn pieces(bins: &[Ends], values: &[Option<f64>]) -> Pieces {
    let mut pieces = vec![Vec::new()];
    for (&(from_s, to_s), ms) in bins.iter().zip(values) {
        let piece = pieces.last_mut().expect("there is always a piece");
        match ms {
            // The ends of a bin and not its middle: one between two gaps is seen too.
            Some(ms) => piece.extend([from_s, to_s].map(|at_s| (at_s, ms.max(LEAST_MS).log10()))),
            None => pieces.push(Vec::new()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn lines(canvas: &Canvas<'_>, panel: &Panel, pieces: &Pieces, style: (RGBColor, Stroke), width: f64) -> Result<()> {
    pieces.iter().try_for_each(|piece| {
        let points: Vec<_> = piece.iter().map(|&point| panel.at(point)).collect();
        canvas.stroke(&points, style, 1.0, width)
    })
}

/// One quantile of a run, or of the repeats of a label.
struct Curve {
    middle: Pieces,
    /// The outermost of several runs, where all have a value: piece by piece of the same bins.
    least: Pieces,
    most: Pieces,
}

impl Curve {
    fn line(&self, canvas: &Canvas<'_>, panel: &Panel, style: (RGBColor, Stroke), width: f64) -> Result<()> {
        lines(canvas, panel, &self.middle, style, width)
    }

    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.middle.iter().chain(&self.least).chain(&self.most).flatten()
    }
}

/// What is drawn of a run, or of the repeats of a label together.
struct Curves {
    /// In the order of [`QUANTILES`].
    quantiles: Vec<Curve>,
    slowest: Pieces,
    /// Start of each bin in which an operation was not acknowledged.
    not_ok_s: Vec<f64>,
    /// log10 of milliseconds.
    deadline: f64,
    /// Whether a run had no answer in some bin.
    has_gaps: bool,
    /// Whether it is a run in which the leader changed.
    is_changed: bool,
}

impl Curves {
    fn of_run(run: &PlottedRun) -> Result<Self> {
        let bins = bins(&run.table)?;
        let column = |name: &str| values(&run.table, name);
        let mut has_gaps = false;
        let mut quantiles = Vec::new();
        for (name, ..) in QUANTILES {
            let values = column(name)?;
            has_gaps |= values.contains(&None);
            quantiles.push(Curve { middle: pieces(&bins, &values), least: Pieces::new(), most: Pieces::new() });
        }
        let slowest = pieces(&bins, &column(SLOWEST)?);
        let (not_ok_s, deadline) = (starts(&bins, &column("not_ok")?), run.deadline_ms.max(LEAST_MS).log10());
        Ok(Self { quantiles, slowest, not_ok_s, deadline, has_gaps, is_changed: run.has_changes() })
    }

    /// `across` are those in which the leader did not change.
    fn of_repeats(across: &DataFrame, group: &[&PlottedRun]) -> Result<Self> {
        let longest = steady(group).max_by_key(|run| run.table.height());
        let lengths = longest.map_or(Ok(Vec::new()), |run| bins(&run.table))?;
        let from_s = values(across, "from_s")?;
        let bins: Vec<Ends> =
            from_s.iter().flatten().zip(lengths).map(|(&from_s, (a, b))| (from_s, from_s + b - a)).collect();
        let (runs, column) = (values(across, "runs")?, |name: &str| values(across, name));
        let mut has_gaps = false;
        let mut quantiles = Vec::new();
        for (name, ..) in QUANTILES {
            let is_whole: Vec<bool> = column(&format!("{name}_runs"))?
                .iter()
                .zip(&runs)
                .map(|(with_value, runs)| with_value == runs)
                .collect();
            has_gaps |= is_whole.contains(&false);
            let outermost = |end: &str| -> Result<Pieces> {
                let values = column(&format!("{name}_{end}"))?;
                let whole: Vec<_> = values.into_iter().zip(&is_whole).map(|(ms, is)| ms.filter(|_| *is)).collect();
                Ok(pieces(&bins, &whole))
            };
            let middle = pieces(&bins, &column(&format!("{name}_median"))?);
            quantiles.push(Curve { middle, least: outermost("min")?, most: outermost("max")? });
        }
        let slowest = pieces(&bins, &column(&format!("{SLOWEST}_max"))?);
        let deadline_ms = steady(group).map(|run| run.deadline_ms).fold(LEAST_MS, f64::max);
        let (not_ok_s, deadline) = (starts(&bins, &column("not_ok_max")?), deadline_ms.log10());
        Ok(Self { quantiles, slowest, not_ok_s, deadline, has_gaps, is_changed: false })
    }

    fn draw(&self, canvas: &Canvas<'_>, panel: &Panel) -> Result<()> {
        lines(canvas, panel, &self.slowest, (INK, Stroke::Dotted), 0.8)?;
        for (curve, (_, _, (colour, stroke))) in self.quantiles.iter().zip(QUANTILES) {
            for (least, most) in curve.least.iter().zip(&curve.most) {
                let outline: Vec<_> = least.iter().chain(most.iter().rev()).map(|&point| panel.at(point)).collect();
                canvas.polygon(&outline, colour, 0.25)?;
            }
            curve.line(canvas, panel, (colour, stroke), if self.is_changed { 0.8 } else { 1.2 })?;
            if let Some(&end) = curve.middle.last().and_then(|piece| piece.last()).filter(|_| self.is_changed) {
                let (x, y) = panel.at(end);
                canvas.text((x + 2.0, y), Anchor::Left, Font { colour, ..TICK }, DAGGER)?;
            }
        }
        self.not_ok_s.iter().try_for_each(|&at_s| canvas.cross(panel.at((at_s, self.deadline)), 2.4, INK))
    }

    /// Every value that is drawn, as log10 of milliseconds.
    fn logs(&self) -> impl Iterator<Item = f64> {
        let slowest = self.slowest.iter().flatten();
        let points = self.quantiles.iter().flat_map(Curve::points).chain(slowest).map(|point| point.1);
        points.chain((!self.not_ok_s.is_empty()).then_some(self.deadline))
    }
}

/// The bins of a run's table.
fn bins(table: &DataFrame) -> Result<Vec<Ends>> {
    let rows = values(table, "from_s")?.into_iter().zip(values(table, "length_s")?);
    Ok(rows.filter_map(|(from_s, length_s)| Some((from_s?, from_s? + length_s?))).collect())
}

fn starts(bins: &[Ends], not_ok: &[Option<f64>]) -> Vec<f64> {
    bins.iter().zip(not_ok).filter(|(_, count)| **count > Some(0.0)).map(|(bin, _)| bin.0).collect()
}

fn key(canvas: &Canvas<'_>, y: f64, has_baseline: bool) -> Result<()> {
    let font = Font::new(12.0, GREY);
    let mut x = MARGIN;
    let lines = QUANTILES.iter().rev().map(|&(_, text, style)| (text, style));
    let slowest = ("slowest operation", (INK, Stroke::Dotted));
    let baselines = has_baseline.then_some(("baselines, p50 and p99", (FAULT_EDGE, Stroke::Solid)));
    for (text, style) in lines.chain([slowest]).chain(baselines) {
        canvas.stroke(&[(x, y), (x + 26.0, y)], style, 1.0, 1.8)?;
        canvas.text((x + 32.0, y), Anchor::Left, font, text)?;
        x += 32.0 + text_width(text, font) + 16.0;
    }
    Ok(())
}
