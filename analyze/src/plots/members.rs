//! One run seen from its members: who led, and what disks, peers and replication did, beneath what clients saw of it.
//! All panels share one axis of time.

use plotters::style::RGBColor;
use polars::prelude::*;

use super::axis::{Tick, linear_ticks, log_ticks, spread};
use super::canvas::{
    Anchor, BLUE, Canvas, FAULT_EDGE, Font, GREY, INK, PAPER, SERIES, Stroke, VERMILLION, draw, text_width,
};
use super::latency::Bands;
use super::panels::{Heading, LABEL, Labelled, MARGIN, NOTE, Panel, SUBTITLE, TICK, footnotes, height_with};
use super::{PlottedRun, grouped, values};
use crate::Result;

const WIDTH: f64 = 1000.0;
const X_TITLE: &str = "time after the start of the measurement (s)";
/// Above a panel, for its name.
const NAME: f64 = 22.0;
const LANE: f64 = 20.0;
const LEAST: f64 = 1e-3;
const CAPTION_LINE: f64 = 14.0;
/// Between the panels and the names of their lines.
const LEADER_WIDTH: f64 = 20.0;
const CAPTION: Font = Font::new(12.0, INK).bold();
/// With more lines than this their names would lie over each other.
const CAPTIONS_MAX: usize = 5;

/// What a panel shows of the members: metric, name, whether its axis is logarithmic, the metric that counts the failures.
type Shown = (&'static str, &'static str, bool, Option<&'static str>);

const SHOWN: [Shown; 7] = [
    ("wal_fsync_p99_at_most_ms", "WAL fsync: 99 % of them took at most (ms, logarithmic)", true, None),
    ("backend_commit_mean_ms", "backend commit, mean (ms, logarithmic)", true, None),
    ("peer_rtt_mean_ms", "round trip to peers, mean (ms, logarithmic)", true, None),
    ("raft_lag_max_entries", "raft log behind the leader, most (entries)", false, None),
    ("status_median_ms", "status request, median (ms, logarithmic)", true, Some("status_unanswered")),
    ("connect_median_ms", "TCP connect across its link, median (ms, logarithmic)", true, Some("connect_unanswered")),
    ("cpu_cores", "processor time (cores)", false, None),
];

/// What is drawn of a run's members.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// Names of the members, in the manifest's order.
    pub members: Vec<String>,
    /// Those that the fault was put on.
    pub targets: Vec<String>,
    /// [`crate::tables::latency::table`].
    pub latency: DataFrame,
    /// [`crate::tables::members::table`].
    pub seconds: DataFrame,
    /// [`crate::tables::members::by_phase`].
    pub phases: DataFrame,
    /// [`crate::tables::members::standings`].
    pub standings: DataFrame,
}

/// Draws a run, `run.table` being that of [`crate::tables::throughput::table`]. Metrics that were never sampled have no
/// panel; the footnote names them. Returns the SVG text.
///
/// # Errors
/// [`crate::Error`] when a table lacks a column or plotters fails.
pub fn draw_svg(run: &PlottedRun, sampled: &Sampled) -> Result<String> {
    let title = format!("Members of {}", run.run);
    let heading = Heading::new(&title, &[run.fault.clone(), run.workload.clone()], WIDTH);
    let description = format!("{} {}", run.described(), described(&sampled.phases)?);
    let throughput = throughput(run)?;
    let bands = Bands::new(&sampled.latency, run.deadline_ms)?;
    let spans = spans(sampled)?;
    let found: Vec<(Shown, Lines)> =
        SHOWN.into_iter().map(|shown| Ok((shown, Lines::new(sampled, &shown)?))).collect::<Result<Vec<_>>>()?;
    let (panels, missing): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, lines)| !lines.is_empty());

    let x = (0.0, run.end_s.max(1e-3));
    let names: Vec<String> = sampled.members.iter().map(|name| shown_name(name, &sampled.targets)).collect();
    let captions = names.iter().map(|name| text_width(name, CAPTION)).fold(110.0, f64::max).min(220.0);
    let lane_names = sampled.members.iter().map(|name| text_width(name, TICK)).fold(0.0, f64::max);
    let left = (MARGIN + 46.0).max(MARGIN + lane_names.min(150.0) + 10.0);
    let width = WIDTH - left - captions - LEADER_WIDTH - MARGIN;
    let mut y = heading.bottom() + 30.0 + if run.leader_changes.is_empty() { 0.0 } else { 14.0 };
    let mut place = |height: f64| {
        let top = y + NAME;
        y = top + height + 10.0;
        top
    };
    let client_top = place(78.0);
    let latency_top = place(104.0);
    let ribbon_height = LANE * sampled.members.len().max(1) as f64;
    let ribbon_top = place(ribbon_height);
    let tops: Vec<f64> = panels.iter().map(|_| place(70.0)).collect();
    let bottom = y;
    let mut notes =
        vec!["Shaded: fault in force, measured edges. Lines of members break where nothing was sampled.".to_owned()];
    if panels.iter().any(|(_, lines)| lines.failed.iter().any(|failed| !failed.is_empty())) {
        notes.push("×: seconds with requests that were not answered.".to_owned());
    }
    if !missing.is_empty() {
        let missing: Vec<&str> =
            missing.iter().map(|((_, name, ..), _)| name.split(" (").next().unwrap_or(name)).collect();
        notes.push(format!("Not sampled in this run: {}.", missing.join("; ")));
    }
    let notes = notes.join(" ");
    let height = height_with(bottom + 22.0, &notes, WIDTH);

    draw((WIDTH, height), &title, &description, |canvas| {
        heading.draw(canvas)?;
        key(canvas, heading.bottom() + 14.0, &names)?;
        let highest = throughput.iter().map(|point| point.1).fold(1.0, f64::max) * 1.08;
        let panel = Panel::new((left, client_top), (width, 78.0), x, (0.0, highest));
        base(canvas, run, &panel, "clients: acknowledged operations (ops/s)", &linear_ticks((0.0, highest), 3))?;
        steps(canvas, &panel, &throughput, (BLUE, Stroke::Solid), 1.4)?;
        panel.leader_changes(canvas, &run.leader_changes)?;
        side(canvas, &panel, &[format!("n = {}", grouped(run.acknowledged())), not_ok(run)])?;

        let y = range(bands.range(), true);
        let panel = Panel::new((left, latency_top), (width, 104.0), x, y);
        base(canvas, run, &panel, "clients: response time (ms, logarithmic)", &sparse(log_ticks(y), &panel))?;
        bands.draw(canvas, &panel, 0.7)?;
        let mut words = vec!["line: p50", "bands: to p90, p99,", "slowest and fastest"];
        words.extend(bands.has_service().then_some("broken: service time"));
        words.extend((run.due() > run.acknowledged()).then_some("× not acknowledged"));
        side(canvas, &panel, &words.into_iter().map(str::to_owned).collect::<Vec<_>>())?;

        let panel = Panel::new((left, ribbon_top), (width, ribbon_height), x, (0.0, 1.0));
        base(canvas, run, &panel, "who leads, as each member says", &[])?;
        ribbon(canvas, &panel, &sampled.members, &spans)?;

        for (((_, name, is_log, _), lines), top) in panels.iter().zip(tops) {
            let y = range(lines.range(), *is_log);
            let panel = Panel::new((left, top), (width, 70.0), x, y);
            let ticks = if *is_log { sparse(log_ticks(y), &panel) } else { linear_ticks(y, 3) };
            base(canvas, run, &panel, name, &ticks)?;
            lines.draw(canvas, &panel, &names)?;
        }
        seconds(canvas, left, width, bottom - 10.0, x)?;
        footnotes(canvas, height, &notes, WIDTH)
    })
}

/// The numbers of the panels in words.
fn described(phases: &DataFrame) -> Result<String> {
    let text = |name: &str| -> Result<&StringChunked> { Ok(phases.column(name)?.str()?) };
    let (member, metric, unit, phase) = (text("member")?, text("metric")?, text("unit")?, text("phase")?);
    let median = values(phases, "median")?;
    let mut words = String::new();
    for (shown, name, ..) in SHOWN {
        let rows = (0..phases.height()).filter(|&row| metric.get(row) == Some(shown));
        let rows = rows.filter_map(|row| Some((member.get(row)?, phase.get(row)?, unit.get(row)?, median[row]?)));
        let of_row =
            |(member, phase, unit, median): (&str, &str, &str, f64)| format!("{member} {phase} {median:.3} {unit}");
        let found: Vec<String> = rows.map(of_row).collect();
        if !found.is_empty() {
            let name = name.split(" (").next().unwrap_or(name);
            words += &format!(" Median second of {name}: {}.", found.join(", "));
        }
    }
    Ok(words.trim_start().to_owned())
}

fn shown_name(name: &str, targets: &[String]) -> String {
    let is_target = targets.iter().any(|target| target == name);
    format!("{}{}", shortened(name, 18), if is_target { " (fault)" } else { "" })
}

/// The beginning of a long name.
fn shortened(name: &str, most: usize) -> String {
    match name.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}

/// How a member's lines look, by its place.
fn style(member: usize) -> (RGBColor, Stroke) {
    (SERIES[member % SERIES.len()], Stroke::ALL[member % Stroke::ALL.len()])
}

fn not_ok(run: &PlottedRun) -> String {
    match run.due() - run.acknowledged() {
        0 => "all acknowledged".to_owned(),
        count => format!("{} were not", grouped(count)),
    }
}

/// Whole seconds as steps, as in the plot of throughput.
fn throughput(run: &PlottedRun) -> Result<Vec<(f64, f64)>> {
    let second = values(&run.table, "second")?;
    let (length_s, rate) = (values(&run.table, "length_s")?, values(&run.table, "ops_per_s")?);
    let rows = second.into_iter().zip(length_s).zip(rate);
    Ok(rows.filter_map(|((second, length_s), rate)| (length_s? >= 1.0).then_some((second?, rate?))).collect())
}

/// The range of an axis, with room at both ends.
fn range(found: Option<(f64, f64)>, is_log: bool) -> (f64, f64) {
    match (found, is_log) {
        (Some((from, to)), true) => {
            let room = 0.06 * (to - from).max(0.5);
            (from - room, to + room)
        }
        (Some((_, to)), false) => (0.0, if to > 0.0 { to * 1.08 } else { 1.0 }),
        (None, _) => (0.0, 1.0),
    }
}

/// Ticks of a logarithmic axis without the labels that would touch each other: powers of ten have them first.
fn sparse(ticks: Vec<Tick>, panel: &Panel) -> Vec<Tick> {
    const LINE: f64 = 13.0;
    let is_decade = |tick: &Tick| (tick.value - tick.value.round()).abs() < 1e-6;
    let (decades, others): (Vec<&Tick>, Vec<&Tick>) =
        ticks.iter().filter(|tick| tick.label.is_some()).partition(|tick| is_decade(tick));
    let mut kept: Vec<f64> = Vec::new();
    for tick in decades.into_iter().chain(others) {
        let y = panel.y.at(tick.value);
        if kept.iter().all(|other| (other - y).abs() >= LINE) {
            kept.push(y);
        }
    }
    let is_kept = |tick: &Tick| kept.contains(&panel.y.at(tick.value));
    ticks.iter().map(|tick| Tick { label: tick.label.clone().filter(|_| is_kept(tick)), ..*tick }).collect()
}

/// What every panel has: its name, the shaded window, leader changes, axes without labels of the seconds.
fn base(canvas: &Canvas<'_>, run: &PlottedRun, panel: &Panel, name: &str, ticks: &[Tick]) -> Result<()> {
    // The name lies above, so that no line can lie over it.
    canvas.text((panel.left(), panel.top() - 9.0), Anchor::Left, NOTE, name)?;
    if let Some(window) = run.window_s {
        panel.shade(canvas, window, 1.0)?;
    }
    panel.axes(canvas, &linear_ticks(panel.x.values, 10), ticks, Labelled { x: false, y: true })?;
    for change in &run.leader_changes {
        let x = panel.x.at(change.at_s);
        canvas.line(&[(x, panel.top()), (x, panel.bottom())], INK, 0.8, 0.9)?;
    }
    Ok(())
}

/// Seconds at the lower end of all panels.
fn seconds(canvas: &Canvas<'_>, left: f64, width: f64, bottom: f64, x: (f64, f64)) -> Result<()> {
    let panel = Panel::new((left, bottom - 1.0), (width, 1.0), x, (0.0, 1.0));
    for tick in linear_ticks(x, 10) {
        let label = tick.label.unwrap_or_default();
        canvas.text((panel.x.at(tick.value), bottom + 16.0), Anchor::Middle, TICK, &label)?;
    }
    canvas.text((left + width / 2.0, bottom + 38.0), Anchor::Middle, SUBTITLE, X_TITLE)
}

/// Words beside a panel.
fn side(canvas: &Canvas<'_>, panel: &Panel, lines: &[String]) -> Result<()> {
    for (at, line) in lines.iter().enumerate() {
        let y = panel.top() + 8.0 + at as f64 * CAPTION_LINE;
        canvas.text((panel.right() + LEADER_WIDTH - 8.0, y), Anchor::Left, NOTE, line)?;
    }
    Ok(())
}

fn steps(
    canvas: &Canvas<'_>,
    panel: &Panel,
    points: &[(f64, f64)],
    style: (RGBColor, Stroke),
    width: f64,
) -> Result<()> {
    let end_s = panel.x.values.1;
    let ends = |&(second, value): &(f64, f64)| [(second, value), ((second + 1.0).min(end_s), value)];
    let points: Vec<_> = points.iter().flat_map(ends).map(|point| panel.at(point)).collect();
    if points.is_empty() { Ok(()) } else { canvas.stroke(&points, style, 1.0, width) }
}

/// The lines of one panel.
struct Lines {
    /// For each member its pieces without a gap: seconds, and values or their log10.
    pieces: Vec<Vec<Vec<(f64, f64)>>>,
    /// For each member the seconds in which requests were not answered.
    failed: Vec<Vec<f64>>,
}

impl Lines {
    fn new(sampled: &Sampled, &(metric, _, is_log, failures): &Shown) -> Result<Self> {
        let table = &sampled.seconds;
        let (names, metrics) = (table.column("member")?.str()?, table.column("metric")?.str()?);
        let (second, value) = (values(table, "second")?, values(table, "value")?);
        let mut lines = Self {
            pieces: vec![vec![Vec::new()]; sampled.members.len()],
            failed: vec![Vec::new(); sampled.members.len()],
        };
        for row in 0..table.height() {
            let Some(member) = sampled.members.iter().position(|name| Some(name.as_str()) == names.get(row)) else {
                continue;
            };
            let Some(second) = second[row] else { continue };
            if metrics.get(row) == Some(metric) {
                let pieces = &mut lines.pieces[member];
                match value[row] {
                    Some(value) => {
                        let value = if is_log { value.max(LEAST).log10() } else { value };
                        pieces.last_mut().expect("there is always a piece").push((second, value));
                    }
                    None => pieces.push(Vec::new()),
                }
            } else if metrics.get(row).is_some_and(|name| Some(name) == failures) && value[row] > Some(0.0) {
                lines.failed[member].push(second);
            }
        }
        lines.pieces.iter_mut().for_each(|pieces| pieces.retain(|piece| !piece.is_empty()));
        Ok(lines)
    }

    fn is_empty(&self) -> bool {
        self.pieces.iter().all(Vec::is_empty) && self.failed.iter().all(Vec::is_empty)
    }

    fn range(&self) -> Option<(f64, f64)> {
        let points = self.pieces.iter().flatten().flatten().map(|point| (point.1, point.1));
        points.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    fn draw(&self, canvas: &Canvas<'_>, panel: &Panel, names: &[String]) -> Result<()> {
        for (member, pieces) in self.pieces.iter().enumerate() {
            for piece in pieces {
                steps(canvas, panel, piece, style(member), 1.3)?;
            }
            // Each member has a height of its own for the marks, so that none hides another's.
            let y = panel.top() + 5.0 + 7.0 * (member % CAPTIONS_MAX) as f64;
            for second in &self.failed[member] {
                canvas.cross((panel.x.at(second + 0.5), y), 2.8, style(member).0)?;
            }
        }
        let ends: Vec<(usize, (f64, f64))> = self
            .pieces
            .iter()
            .enumerate()
            .filter_map(|(member, pieces)| {
                let &(second, value) = pieces.last()?.last()?;
                Some((member, panel.at((second + 1.0, value))))
            })
            .collect();
        if ends.len() > CAPTIONS_MAX {
            return Ok(());
        }
        let wanted: Vec<f64> = ends.iter().map(|(_, at)| at.1).collect();
        let placed = spread(&wanted, CAPTION_LINE, (panel.top() + 4.0, panel.bottom() - 4.0));
        for ((member, from), y) in ends.into_iter().zip(placed) {
            let (colour, stroke) = style(member);
            let x = panel.right() + LEADER_WIDTH;
            canvas.stroke(&[from, (panel.right() + 5.0, from.1), (x - 5.0, y)], (colour, stroke), 0.7, 0.8)?;
            canvas.text((x, y), Anchor::Left, Font { colour, ..CAPTION }, &names[member])?;
        }
        Ok(())
    }
}

/// What the lines of the members look like, in one line.
fn key(canvas: &Canvas<'_>, y: f64, names: &[String]) -> Result<()> {
    let mut x = MARGIN;
    for (member, name) in names.iter().enumerate() {
        let width = 32.0 + text_width(name, LABEL) + 18.0;
        if x + width > WIDTH - MARGIN {
            return canvas.text((x, y), Anchor::Left, NOTE, "…");
        }
        canvas.stroke(&[(x, y), (x + 26.0, y)], style(member), 1.0, 2.0)?;
        canvas.text((x + 32.0, y), Anchor::Left, Font { colour: style(member).0, ..LABEL }, name)?;
        x += width;
    }
    Ok(())
}

/// A time during which a member stood one way.
struct Span {
    member: usize,
    range_s: (f64, f64),
    look: (RGBColor, f64),
    text: String,
}

fn spans(sampled: &Sampled) -> Result<Vec<Span>> {
    let table = &sampled.standings;
    let (names, standing) = (table.column("member")?.str()?, table.column("standing")?.str()?);
    let (leader, term) = (table.column("leader")?.str()?, table.column("term")?.u64()?);
    let (from_s, to_s) = (values(table, "from_s")?, values(table, "to_s")?);
    let of_row = |row: usize| {
        let member = sampled.members.iter().position(|name| Some(name.as_str()) == names.get(row))?;
        // By lightness too, for those who print in grey.
        let (look, text) = match standing.get(row)? {
            "leads" => ((BLUE, 0.45), term.get(row).map_or("leads".to_owned(), |term| format!("leads, term {term}"))),
            "follows" => ((BLUE, 0.10), format!("follows {}", leader.get(row).unwrap_or("?"))),
            "leaderless" => ((VERMILLION, 1.0), "no leader".to_owned()),
            _ => ((GREY, 0.0), "silent".to_owned()),
        };
        Some(Span { member, range_s: (from_s[row]?, to_s[row]?), look, text })
    };
    Ok((0..table.height()).filter_map(of_row).collect())
}

fn ribbon(canvas: &Canvas<'_>, panel: &Panel, members: &[String], spans: &[Span]) -> Result<()> {
    let top_of = |member: usize| panel.top() + member as f64 * LANE + 2.0;
    for (member, name) in members.iter().enumerate() {
        let y = top_of(member) + LANE / 2.0 - 2.0;
        canvas.text((panel.left() - 8.0, y), Anchor::Right, TICK, &shortened(name, 20))?;
    }
    for span in spans.iter().filter(|span| span.range_s.1 >= 0.0) {
        let (from, to) = (panel.x.at(span.range_s.0), panel.x.at(span.range_s.1));
        // One that is too short to be seen is drawn two pixels wide.
        let to = to.max(from + 2.0).min(panel.right().max(from + 2.0));
        let (top, bottom) = (top_of(span.member), top_of(span.member) + LANE - 4.0);
        let (colour, alpha) = span.look;
        canvas.rectangle((from, top), (to, bottom), PAPER, 1.0)?;
        canvas.rectangle((from, top), (to, bottom), colour, alpha)?;
        canvas.line(&[(from, top), (from, bottom)], FAULT_EDGE, 1.0, 0.6)?;
        let is_silent = alpha == 0.0;
        for y in [top, bottom].into_iter().filter(|_| is_silent) {
            canvas.stroke(&[(from, y), (to, y)], (colour, Stroke::Dashed), 1.0, 0.8)?;
        }
        if text_width(&span.text, NOTE) + 8.0 <= to - from {
            let font = Font { colour: INK, ..NOTE };
            canvas.text((f64::midpoint(from, to), (top + bottom) / 2.0), Anchor::Middle, font, &span.text)?;
        }
    }
    Ok(())
}
