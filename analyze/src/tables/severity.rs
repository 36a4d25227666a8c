//! Severity: how much is lost at each value of a fault, and from which value on it is too much.
//!
//! Runs that differ in the value of their fault alone make a *curve*: one family, target, kind of operation and comparison.
//! What is lost at a value is told in one way for all metrics, as a *degradation*: `1 - ratio` of a throughput, and
//! `1 - 1/ratio` of a time. So 50 % is half the throughput and twice the latency; in a closed loop, where each is the
//! inverse of the other, both lose the same. On the logarithm of the ratio both are `1 - exp(-loss)`.
//!
//! The run is the replicate: [`super::delta::by_run`] has one ratio for each, repeats are pooled as geometric means with t
//! intervals on their logarithms; full runs share their baselines, by which these intervals are wider (Welch's). With one
//! run at a value, or one baseline, its interval is that within the run, and is labelled so. Runs in
//! which the leader changed make points of their own, which no curve goes through.

use std::collections::BTreeMap;

use polars::prelude::*;
use run_folder::manifest::Role;
use run_folder::spec::{Direction, FaultSpec, Scope};

use super::delta::{METRICS, Measured};
use super::runs::Listed;
use super::spread::{self, Spread, half_width};
use crate::stats;

pub mod crossings;
mod frame;
mod text;

pub use frame::table;
pub use text::text;

/// The metrics that are looked at unless others are asked for.
pub const USUAL: [&str; 3] = ["ops_per_s", "response_p50_ms", "response_p99_ms"];

/// How the comparison of full runs is called.
const FULL: &str = "during/baseline";

/// Metrics whose severity can be told: throughput, and all times.
pub fn metrics() -> impl Iterator<Item = &'static str> {
    METRICS.into_iter().filter(|metric| *metric == USUAL[0] || metric.ends_with("_ms"))
}

/// Whom a run's fault hit, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// Name of the run folder.
    pub run: String,
    /// The target as asked, as in `leader`, with what else of the traffic was picked out.
    pub target: String,
    /// `delay`, `loss` or `rate`.
    pub fault_kind: &'static str,
}

impl Aim {
    /// Takes it from a run's manifest; `None` of a run without a fault.
    pub fn of(run: &Listed) -> Option<Self> {
        let fault = run.manifest.spec.fault.as_ref()?;
        Some(Self { run: run.run.clone(), target: aimed(fault), fault_kind: fault.effect.kind() })
    }
}

fn aimed(fault: &FaultSpec) -> String {
    let mut words = fault.target.to_string();
    match fault.scope {
        Scope::All => {}
        Scope::Peers => words += ", peers only",
        Scope::Clients => words += ", clients only",
    }
    if let Some(peer) = &fault.peer {
        words += &format!(", only to {peer}");
    }
    match fault.direction {
        Direction::Egress => {}
        Direction::Ingress => words += ", ingress",
        Direction::Both => words += ", both ways",
    }
    words
}

/// The unit of a fault's value, as a part of names.
fn unit(fault_kind: &str) -> &'static str {
    match fault_kind {
        "delay" => "ms",
        "rate" => "mbit_per_s",
        _ => "percent",
    }
}

/// What the points of a curve have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    sweep: Option<String>,
    family: String,
    target: String,
    fault_kind: &'static str,
    kind: String,
    compared: String,
    metric: &'static str,
    /// Runs of other workloads or clusters are no repeats.
    cohort: String,
}

impl Named {
    /// Whether a smaller value is the worse one, as a rate is; then there is no value at which there is no fault.
    fn is_falling(&self) -> bool {
        self.fault_kind == "rate"
    }

    /// A value as a position in the order of severity.
    fn place(&self, value: f64) -> f64 {
        if self.is_falling() { -value } else { value }
    }
}

/// How sure the loss at one value is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sure {
    /// By what several runs differ.
    Between(Spread),
    /// Ends of the interval within runs: there is one run, or one baseline.
    Within { low: f64, high: f64 },
}

impl Sure {
    /// The name in tables.
    fn as_str(self) -> &'static str {
        match self {
            Self::Between(_) => "between-run",
            Self::Within { .. } => "within-run",
        }
    }
}

/// What is lost at one value of the fault. Losses are logarithms of ratios, above 0 where it is worse.
#[derive(Debug, Clone, PartialEq)]
struct Point {
    value: f64,
    runs: Vec<String>,
    leader_changes: u64,
    /// Geometric mean of the metric itself.
    level: Option<f64>,
    /// Absent where one of the runs has no ratio, or one of 0: there is no logarithm of it, and any number in its place would be
    /// what crossings are made of.
    loss: Option<f64>,
    /// Runs that acknowledged nothing.
    lost: usize,
    sure: Option<Sure>,
    /// The noise floor, a factor.
    noise: Option<f64>,
}

impl Point {
    /// Whether none of its runs acknowledged anything, all with one leader.
    fn is_lost(&self) -> bool {
        self.leader_changes == 0 && self.lost > 0 && self.lost == self.runs.len()
    }
}

/// The points of one curve, from mild to severe; where the leader changed in some runs of a value, these come second.
#[derive(Debug, Clone, PartialEq)]
struct Curve {
    named: Named,
    points: Vec<Point>,
    /// By what the baselines differ, which all points of a full curve are compared with.
    shared: Option<Spread>,
}

/// A point that loses less than one of a milder fault.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Reversal {
    /// Value of the milder fault at which more was lost; 0 where more is got done than without a fault.
    from: f64,
    /// Whether the leader changed in runs of either.
    is_by_leader: bool,
}

impl Curve {
    /// The 95 % interval of the loss at a point.
    fn interval(&self, point: &Point) -> Option<(f64, f64)> {
        match point.sure? {
            Sure::Within { low, high } => Some((low, high)),
            Sure::Between(spread) => {
                let parts: Vec<Spread> = [spread].into_iter().chain(self.shared).collect();
                let half = half_width(&parts);
                point.loss.map(|loss| (loss - half, loss + half))
            }
        }
    }

    /// The points that the curve goes through: those that are known, of runs in which the leader did not change.
    fn steady(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|point| point.leader_changes == 0 && point.loss.is_some())
    }

    /// Whether less is lost at a point than at a milder one: only where their intervals lie apart, and by more than the
    /// noise floor.
    fn reversal(&self, at: usize) -> Option<Reversal> {
        let point = &self.points[at];
        let (loss, (_, high)) = (point.loss?, self.interval(point)?);
        let floor = point.noise.map_or(0.0, f64::ln);
        let is_below = |other: f64, low: f64| low > high && other - loss > floor;
        let milder = self.points[..at].iter().filter(|other| other.value != point.value);
        let worse = milder.filter_map(|other| {
            let (of_other, (low, _)) = (other.loss?, self.interval(other)?);
            is_below(of_other, low).then_some((of_other, other))
        });
        let is_by_leader = |other: &Point| point.leader_changes + other.leader_changes > 0;
        let worst = worse.max_by(|(a, _), (b, _)| a.total_cmp(b));
        match worst {
            Some((_, other)) => Some(Reversal { from: other.value, is_by_leader: is_by_leader(other) }),
            None if !self.named.is_falling() && is_below(0.0, 0.0) => {
                Some(Reversal { from: 0.0, is_by_leader: point.leader_changes > 0 })
            }
            None => None,
        }
    }
}

/// The loss that a ratio stands for.
fn loss(metric: &str, ratio: f64) -> f64 {
    let log = ratio.ln();
    if metric == USUAL[0] { -log } else { log }
}

/// The ratio that stands for a loss.
fn ratio(metric: &str, loss: f64) -> f64 {
    if metric == USUAL[0] { (-loss).exp() } else { loss.exp() }
}

/// What is lost, in percent.
fn percent(loss: f64) -> f64 {
    100.0 * (1.0 - (-loss).exp())
}

/// Puts the rows of [`super::delta::by_run`] of these runs together to curves, in their order. Rows of baselines and controls
/// are passed over, as are those of runs that no aim is known of.
fn curves(runs: &[Measured], aims: &[Aim], metrics: &[&str]) -> PolarsResult<Vec<Curve>> {
    let by_run = &super::delta::by_run(runs)?;
    let text = |name: &str| -> PolarsResult<&StringChunked> { by_run.column(name)?.str() };
    let (run, family, sweep) = (text("run")?, text("family")?, text("sweep")?);
    let (role, kind, compared) = (text("role")?, text("kind")?, text("compared")?);
    let value = by_run.column("fault_value")?.f64()?;
    let changes = by_run.column("leader_changes")?.u64()?;
    let not_ok = by_run.column("not_ok_share")?.f64()?;
    let aims: BTreeMap<&str, &Aim> = aims.iter().map(|aim| (aim.run.as_str(), aim)).collect();
    let cohorts: BTreeMap<&str, &str> =
        runs.iter().map(|run| (run.run.as_str(), run.factors.cohort.as_str())).collect();
    let mut curves: Vec<Curve> = Vec::new();
    for metric in super::severity::metrics().filter(|metric| metrics.contains(metric)) {
        let number =
            |suffix: &str| -> PolarsResult<&Float64Chunked> { by_run.column(&format!("{metric}{suffix}"))?.f64() };
        let (level, ratios, noise) = (number("")?, number("_ratio")?, number("_noise")?);
        let (low, high) = (number("_ratio_low")?, number("_ratio_high")?);
        let mut rows: Vec<(Named, Row)> = Vec::new();
        for row in 0..by_run.height() {
            let (Some(name), Some(value)) = (run.get(row), value.get(row)) else { continue };
            let is_effect =
                role.get(row) == Some(Role::Experiment.as_str()) && compared.get(row) != Some("after/before");
            let Some(aim) = aims.get(name).filter(|_| is_effect) else { continue };
            let named = Named {
                sweep: sweep.get(row).map(str::to_owned),
                family: family.get(row).unwrap_or_default().to_owned(),
                target: aim.target.clone(),
                fault_kind: aim.fault_kind,
                kind: kind.get(row).unwrap_or_default().to_owned(),
                compared: compared.get(row).unwrap_or_default().to_owned(),
                metric,
                cohort: cohorts.get(name).copied().unwrap_or_default().to_owned(),
            };
            let ends = low
                .get(row)
                .zip(high.get(row))
                .filter(|&(low, _)| low > 0.0)
                .map(|(low, high)| (loss(metric, low), loss(metric, high)));
            let found = Row {
                value,
                run: name.to_owned(),
                leader_changes: changes.get(row).unwrap_or(0),
                level: level.get(row),
                loss: ratios.get(row).filter(|&ratio| ratio > 0.0).map(|ratio| loss(metric, ratio)),
                is_lost: not_ok.get(row) == Some(1.0),
                within: ends.map(|(a, b)| (a.min(b), a.max(b))),
                noise: noise.get(row),
            };
            rows.push((named, found));
        }
        for (named, rows) in grouped(rows) {
            let is_full = named.compared == FULL;
            let shared = match is_full {
                true => spread::of_baselines(runs, &named.cohort, &named.kind, metric)?,
                false => None,
            };
            // What one baseline differs by is not known, so that runs that are compared with it tell no more than one.
            let has_between = !is_full || shared.is_some();
            curves.push(curve(named, rows, has_between, shared));
        }
    }
    // The metrics of a curve belong together.
    let others = |curve: &Curve| Named { metric: USUAL[0], ..curve.named.clone() };
    let order: Vec<Named> = curves.iter().map(others).collect();
    curves.sort_by_key(|curve| order.iter().position(|named| *named == others(curve)));
    Ok(curves)
}

/// What one run says.
#[derive(Debug)]
struct Row {
    value: f64,
    run: String,
    leader_changes: u64,
    level: Option<f64>,
    loss: Option<f64>,
    is_lost: bool,
    within: Option<(f64, f64)>,
    noise: Option<f64>,
}

fn grouped(rows: Vec<(Named, Row)>) -> Vec<(Named, Vec<Row>)> {
    let mut groups: Vec<(Named, Vec<Row>)> = Vec::new();
    for (named, row) in rows {
        match groups.iter_mut().find(|(known, _)| *known == named) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((named, vec![row])),
        }
    }
    groups
}

fn curve(named: Named, mut rows: Vec<Row>, has_between: bool, shared: Option<Spread>) -> Curve {
    let place = |row: &Row| (named.place(row.value), row.leader_changes > 0);
    rows.sort_by(|a, b| {
        let ((a, by_a), (b, by_b)) = (place(a), place(b));
        a.total_cmp(&b).then(by_a.cmp(&by_b))
    });
    let points = rows.chunk_by(|a, b| place(a) == place(b)).map(|rows| point(rows, has_between)).collect();
    Curve { named, points, shared }
}

/// The runs of one value as one point.
fn point(rows: &[Row], has_between: bool) -> Point {
    let losses: Option<Vec<f64>> = rows.iter().map(|row| row.loss).collect();
    let levels: Option<Vec<f64>> = rows.iter().map(|row| row.level).collect();
    let spread = losses.as_deref().filter(|_| has_between).and_then(Spread::of);
    Point {
        value: rows[0].value,
        runs: rows.iter().map(|row| row.run.clone()).collect(),
        leader_changes: rows.iter().map(|row| row.leader_changes).sum(),
        level: levels.and_then(|levels| stats::geometric_mean(&levels)),
        sure: losses.as_ref().and_then(|_| spread.map(Sure::Between).or_else(|| within(rows))),
        loss: losses.map(|losses| losses.iter().sum::<f64>() / losses.len() as f64),
        lost: rows.iter().filter(|row| row.is_lost).count(),
        noise: rows[0].noise,
    }
}

/// The interval within runs, of several the mean of theirs: no narrower for being several, since they share a baseline.
fn within(rows: &[Row]) -> Option<Sure> {
    let ends: Vec<(f64, f64)> = rows.iter().map(|row| row.within).collect::<Option<_>>()?;
    let mean = |of: fn(&(f64, f64)) -> f64| ends.iter().map(of).sum::<f64>() / ends.len() as f64;
    Some(Sure::Within { low: mean(|ends| ends.0), high: mean(|ends| ends.1) })
}
