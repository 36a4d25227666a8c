//! Recovery: throughput and operations under way around the end of faults, a panel for each label.

use plotters::style::RGBColor;
use polars::prelude::*;

use super::axis::{Tick, linear_ticks, log_ticks};
use super::canvas::{Anchor, BLUE, Canvas, FAULT_EDGE, GREEN, INK, VERMILLION, draw};
use super::panels::{Heading, Labelled, MARGIN, Panel, SUBTITLE, TICK, footnotes, height_with};
use super::sections::{Sections, Shape, left_of};
use super::{DAGGER, PlottedRun, by_label, changed_runs, counted, grouped, shared, values};
use crate::Result;
use crate::tables::delta::main_kind;
use crate::tables::factors::Factors;
use crate::tables::recovery::Rule;

const WIDTH: f64 = 1000.0;
/// Shares above this one are drawn at it: what is caught up at once would make everything else flat.
const SHARE_MAX: f64 = 2.0;
/// Share of a panel's height that throughput takes, and the gap below it.
const UPPER: f64 = 0.62;
const GAP: f64 = 0.10;
/// The picture shows at least so much of the time after the fault.
const VIEW_S_MIN: f64 = 5.0;
const X_TITLE: &str = "time after the fault's end (s)";
const Y_TITLE: &str =
    "above: acknowledged operations, relative to before the fault; below: operations due and not ended";

/// Draws the tables of [`crate::tables::recovery::curve::table`], which the runs hold; `recovered` has the table
/// [`crate::tables::recovery::table`] of each run. All panels have the same scales.
///
/// `subject` says which runs these are. Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(runs: &[PlottedRun], recovered: &[DataFrame], rule: &Rule, subject: &str) -> Result<String> {
    let drawn = runs.iter().zip(recovered).map(|(run, table)| Drawn::new(run, table)).collect::<Result<Vec<_>>>()?;
    let groups = by_label(runs);
    let title = match shared(runs.iter().map(|run| run.label.as_str())) {
        Some(label) => format!("Recovery of {label}"),
        None => "Recovery".to_owned(),
    };
    let words: Vec<String> = drawn.iter().map(Drawn::described).collect();
    let description = format!("Throughput around the end of the fault, of {subject}. {}", words.join(" "));
    let mut lines = vec![match shared(runs.iter().map(|run| run.fault.as_str())) {
        Some(fault) => fault.to_owned(),
        None => format!("{}: {subject}", counted(runs.len(), "run")),
    }];
    lines.extend(shared(runs.iter().map(|run| run.workload.as_str())).map(str::to_owned));
    let heading = Heading::new(&title, &lines, WIDTH);

    let x = view(&drawn);
    let in_view = |at: &&Point| at.until_s > x.0 && at.since_s < x.1;
    let points = || drawn.iter().flat_map(|run| run.points.iter()).filter(in_view);
    let share = points().map(|at| at.share).fold(1.1, f64::max).min(SHARE_MAX);
    let under_way = points().map(|at| at.under_way).fold(1.0, f64::max).max(10.0).log10();
    let (upper_y, lower_y) = ((0.0, share * 1.04), (0.0, under_way * 1.04));
    let (upper_ticks, lower_ticks) = (linear_ticks((0.0, share), 4), log_ticks((0.0, under_way)));
    let left = left_of(&upper_ticks).max(left_of(&lower_ticks));
    let items: Vec<&Factors> = groups.iter().map(|(_, group)| &group[0].factors).collect();
    let layout = Sections::new(&items, WIDTH, (left, heading.bottom() + 52.0), Shape::Flat);
    let notes = notes(runs, &drawn, rule, share >= SHARE_MAX);
    let height = height_with(layout.bottom(), &notes, WIDTH).max(layout.bottom() + 84.0);

    draw((WIDTH, height), &title, &description, |canvas| {
        heading.draw(canvas)?;
        canvas.text((MARGIN, heading.bottom() + 14.0), Anchor::Left, TICK, Y_TITLE)?;
        layout.headings(canvas)?;
        for (at, (label, _)) in groups.iter().enumerate() {
            let own: Vec<&Drawn<'_>> = drawn.iter().filter(|run| run.run.label == *label).collect();
            let (whole, labelled) = layout.panel(at, x, upper_y);
            let (upper, lower) = split(&whole, upper_y, lower_y);
            // Repeats have the same window but for the milliseconds of its edges.
            if let Some(length_s) = own.iter().find_map(|run| run.window_s()) {
                for panel in [&upper, &lower] {
                    panel.shade(canvas, ((-length_s).max(x.0), 0.0), 1.0)?;
                }
            }
            own.iter().try_for_each(|run| run.lost(canvas, &upper))?;
            let no_x = Labelled { x: false, ..labelled };
            upper.axes(canvas, &[], &upper_ticks, no_x)?;
            let ticks = decades(&lower_ticks);
            lower.axes(canvas, &linear_ticks(x, 5).into_iter().map(signed).collect::<Vec<_>>(), &ticks, labelled)?;
            canvas.line(&[upper.at((x.0, 1.0)), upper.at((x.1, 1.0))], FAULT_EDGE, 1.0, 0.9)?;
            for run in &own {
                let width = if own.len() > 3 { 0.9 } else { 1.3 };
                run.line(canvas, &upper, BLUE, width, |point| point.share)?;
                run.line(canvas, &lower, INK, width * 0.8, |point| point.under_way.max(1.0).log10())?;
            }
            for (place, run) in own.iter().enumerate() {
                run.held(canvas, &upper, rule, place)?;
            }
            layout.title(canvas, at, &upper, "", &captions(&own))?;
        }
        canvas.text((WIDTH / 2.0, layout.bottom() + 12.0), Anchor::Middle, SUBTITLE, X_TITLE)?;
        footnotes(canvas, height, &notes, WIDTH)
    })
}

/// One step of a curve.
struct Point {
    since_s: f64,
    until_s: f64,
    share: f64,
    is_low: bool,
    under_way: f64,
}

/// A run with its recovery.
struct Drawn<'a> {
    run: &'a PlottedRun,
    points: Vec<Point>,
    recovery_s: Option<f64>,
    lower_bound_s: Option<f64>,
    dipped: bool,
    lost: Option<f64>,
    caught_up: Option<f64>,
}

impl<'a> Drawn<'a> {
    fn new(run: &'a PlottedRun, recovered: &DataFrame) -> Result<Self> {
        let column = |name: &str| values(&run.table, name);
        let is_low = run.table.column("is_low")?.bool()?;
        let (since, until) = (column("since_s")?, column("until_s")?);
        let (share, under_way) = (column("share")?, column("under_way")?);
        let points = (0..run.table.height()).filter_map(|row| {
            Some(Point {
                since_s: since[row]?,
                until_s: until[row]?,
                share: share[row]?,
                is_low: is_low.get(row) == Some(true),
                under_way: under_way[row]?,
            })
        });
        let kinds = recovered.column("kind")?.str()?;
        let main = main_kind(kinds);
        let row = kinds.iter().position(|kind| kind == Some(main.as_str()));
        let number = |name: &str| Ok::<_, PolarsError>(row.and_then(|row| values(recovered, name).ok()?[row]));
        Ok(Self {
            run,
            points: points.collect(),
            recovery_s: number("recovery_s")?,
            lower_bound_s: number("recovery_lower_bound_s")?,
            dipped: row.and_then(|row| recovered.column("dipped").ok()?.bool().ok()?.get(row)) == Some(true),
            lost: number("ops_lost")?,
            caught_up: number("ops_caught_up")?,
        })
    }

    /// Length of the fault.
    fn window_s(&self) -> Option<f64> {
        self.run.window_s.map(|(from_s, to_s)| to_s - from_s)
    }

    fn observed_s(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.until_s)
    }

    fn described(&self) -> String {
        let took = match (self.recovery_s, self.lower_bound_s) {
            (Some(_), _) if !self.dipped => "throughput never dipped".to_owned(),
            (Some(s), _) => format!("throughput back after {s:.2} s"),
            (None, Some(bound_s)) => format!("throughput not back, for more than {bound_s:.1} s"),
            (None, None) => "no recovery".to_owned(),
        };
        let count = |ops: Option<f64>| grouped(ops.unwrap_or(0.0).max(0.0).round() as u64);
        format!(
            "{}: {}; {took}; {} operations lost, {} made up.",
            self.run.run,
            self.run.fault,
            count(self.lost),
            count(self.caught_up)
        )
    }

    fn line(
        &self,
        canvas: &Canvas<'_>,
        panel: &Panel,
        colour: RGBColor,
        width: f64,
        of: impl Fn(&Point) -> f64,
    ) -> Result<()> {
        let (from_s, to_s) = panel.x.values;
        let seen = self.points.iter().filter(|point| point.until_s > from_s && point.since_s < to_s);
        let corners: Vec<(f64, f64)> = seen
            .flat_map(|point| [(point.since_s, of(point)), (point.until_s, of(point))])
            .map(|corner| panel.at(corner))
            .collect();
        if corners.len() < 2 { Ok(()) } else { canvas.line(&corners, colour, 1.0, width) }
    }

    /// What is missing in low bins from the fault's beginning to the recovery.
    fn lost(&self, canvas: &Canvas<'_>, panel: &Panel) -> Result<()> {
        let from_s = -self.window_s().unwrap_or(0.0);
        let to_s = self.recovery_s.unwrap_or(f64::INFINITY).min(panel.x.values.1);
        let is_lost = |point: &&Point| {
            point.is_low && point.share < 1.0 && point.since_s >= from_s.max(panel.x.values.0) && point.since_s < to_s
        };
        self.points.iter().filter(is_lost).try_for_each(|point| {
            let (from, to) = (panel.at((point.since_s, 1.0)), panel.at((point.until_s, point.share)));
            canvas.rectangle(from, to, VERMILLION, 0.22)
        })
    }

    /// The recovery, and the time for which the level was held.
    fn held(&self, canvas: &Canvas<'_>, panel: &Panel, rule: &Rule, place: usize) -> Result<()> {
        let Some(at_s) = self.recovery_s.filter(|_| self.dipped) else { return Ok(()) };
        let y = panel.bottom() - 6.0 - 5.0 * place as f64;
        let (from, to) = (panel.x.at(at_s), panel.x.at(at_s + rule.hold_s));
        canvas.line(&[(from, y), (to, y)], GREEN, 1.0, 2.2)?;
        if self.run.has_changes() {
            canvas.text((to + 3.0, y), Anchor::Left, TICK, DAGGER)?;
        }
        canvas.dot((from, y), 3.0, GREEN)
    }
}

/// Labels at powers of ten only: the lower part is too flat for more.
fn decades(ticks: &[Tick]) -> Vec<Tick> {
    let is_decade = |tick: &Tick| (tick.value - tick.value.round()).abs() < 1e-6;
    ticks.iter().filter(|tick| is_decade(tick)).cloned().collect()
}

/// A tick with its sign: before the fault's end is negative.
fn signed(tick: Tick) -> Tick {
    let label = tick.label.map(|label| {
        let is_bare = tick.value < -1e-9 && !label.starts_with('-');
        if is_bare { format!("−{label}") } else { label.replace('-', "−") }
    });
    Tick { label, ..tick }
}

/// The part of time that is shown: as much after the fault as it takes to see every recovery, and no more before.
fn view(drawn: &[Drawn<'_>]) -> (f64, f64) {
    let needed = |run: &Drawn<'_>| {
        let needed_s = match run.recovery_s {
            Some(s) => (2.0 * s).max(VIEW_S_MIN),
            None => f64::INFINITY,
        };
        needed_s.min(run.observed_s())
    };
    let after_s = drawn.iter().map(needed).fold(1e-3, f64::max);
    let first_s = drawn.iter().filter_map(|run| run.points.first()).map(|point| point.since_s).fold(0.0, f64::min);
    let window_s = drawn.iter().filter_map(Drawn::window_s).fold(0.0, f64::max);
    let before_s = (1.25 * window_s).min(-first_s).min((2.0 * after_s).max(VIEW_S_MIN));
    (-before_s, after_s)
}

/// The two parts of a panel.
fn split(whole: &Panel, upper_y: (f64, f64), lower_y: (f64, f64)) -> (Panel, Panel) {
    let (width, height) = (whole.right() - whole.left(), whole.bottom() - whole.top());
    let upper = Panel::new((whole.left(), whole.top()), (width, height * UPPER), whole.x.values, upper_y);
    let top = whole.top() + height * (UPPER + GAP);
    let lower = Panel::new((whole.left(), top), (width, height * (1.0 - UPPER - GAP)), whole.x.values, lower_y);
    (upper, lower)
}

/// What is said of a label beside its name, from long to short; of runs in which the leader changed apart.
fn captions(own: &[&Drawn<'_>]) -> Vec<String> {
    let (changed, steady): (Vec<&Drawn<'_>>, Vec<&Drawn<'_>>) = own.iter().partition(|run| run.run.has_changes());
    let mut parts = Vec::new();
    parts.extend((!steady.is_empty()).then(|| came_back(&steady)));
    parts.extend((!changed.is_empty()).then(|| format!("{DAGGER} {}", came_back(&changed))));
    let runs = counted(own.len(), "run");
    let long = parts.join(", ");
    let short = long.replace("back after ", "").replace("back at once", "at once");
    vec![format!("{long}, {runs}"), format!("{short}, {runs}"), short, runs]
}

/// When throughput was back, of the runs in which it dipped.
fn came_back(own: &[&Drawn<'_>]) -> String {
    let dipped: Vec<&&Drawn<'_>> = own.iter().filter(|run| run.dipped || run.recovery_s.is_none()).collect();
    let mut seen: Vec<f64> = dipped.iter().filter_map(|run| run.recovery_s).collect();
    seen.sort_by(f64::total_cmp);
    let back = match (seen.first(), seen.last()) {
        _ if dipped.is_empty() => return "no dip".to_owned(),
        (_, Some(most)) if seen.len() == dipped.len() && *most < 0.05 => "back at once".to_owned(),
        (Some(least), Some(most)) if seen.len() == dipped.len() && most - least < 0.05 => {
            format!("back after {most:.1} s")
        }
        (Some(least), Some(most)) if seen.len() == dipped.len() => format!("back after {least:.1} to {most:.1} s"),
        (Some(_), Some(_)) => format!("{} of {} came back", seen.len(), dipped.len()),
        _ => match dipped.iter().filter_map(|run| run.lower_bound_s).reduce(f64::min) {
            Some(bound_s) => format!("back after > {bound_s:.1} s"),
            None => "did not come back".to_owned(),
        },
    };
    match own.len() - dipped.len() {
        0 => back,
        flat => format!("{} {back}, {flat} no dip", dipped.len()),
    }
}

fn notes(runs: &[PlottedRun], drawn: &[Drawn<'_>], rule: &Rule, is_cut: bool) -> String {
    let mut notes = vec![
        "Shaded: fault in force. Filled below 1: operations lost. Under way, 0 is drawn as 1.".to_owned(),
        format!(
            "Beside a label: when throughput was back. From each dot on, {} % of the throughput before, less noise, was held for {} s, as long as its line.",
            rule.share_percent, rule.hold_s
        ),
    ];
    notes.extend(changed_runs(runs).map(|names| format!("{DAGGER} the leader changed in that run ({names}).")));
    notes.extend(is_cut.then(|| format!("Shares above {SHARE_MAX} are drawn at {SHARE_MAX}.")));
    let has_null = drawn.iter().any(|run| run.run.factors.fault.is_none());
    notes.extend(has_null.then(|| {
        "Runs without a fault are drawn as if there had been one in their middle third: they show the noise.".to_owned()
    }));
    notes.join(" ")
}
