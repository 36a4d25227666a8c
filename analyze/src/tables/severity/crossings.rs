//! The danger zone: the values of a fault at which a given share is lost, by interpolation.
//!
//! Between measured values the loss (the logarithm of the ratio) is taken to change linearly with the value, and the first
//! value at which it reaches the threshold is the crossing. Nothing is extrapolated: what is reached at the mildest value
//! already lies below it (somewhere between no fault and that value), and what is reached at none lies above the most severe one.
//!
//! The interval of a crossing comes from inverting tests: it holds every value of the fault at which a t test would not tell the
//! loss from the threshold. That is where the pointwise 95 % band around the interpolated line contains the threshold (as
//! E. C. Fieller inverts a test for the interval of a ratio, "Some problems in interval estimation", Journal of the Royal
//! Statistical Society B 16(2), 1954). Between two values the band has the variance of the weighted mean of both and the degrees of freedom of
//! F. E. Satterthwaite ("An approximate distribution of estimates of variance components", Biometrics Bulletin 2(6), 1946). With
//! one run at a value its within-run interval takes the place, as that of a normal distribution. Nothing is drawn at
//! random. (Drawing each mean by Student's t, 2000 curves, was tried too: over simulated sweeps of three runs a value it contained the
//! truth in up to 100 %, where this one has 95 %.)

use polars::prelude::*;

use super::{Aim, Curve, Sure, curves, unit};
use crate::tables::delta::Measured;
use crate::tables::spread::{Spread, half_width};

pub use super::text::{crossing_in_words as in_words, crossings as text, interval_in_words};

/// The share lost at which the danger zone begins, and that at which it is certain, in percent.
pub const USUAL_PERCENT: (f64, f64) = (10.0, 50.0);
/// Steps in which a band is followed from one measured value to the next, before its crossing is narrowed down.
const STEPS: usize = 64;
/// Half the width of a 95 % interval of a normal distribution, in standard deviations.
const NORMAL: f64 = 1.959_964;

/// Where a curve reaches a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// At the mildest value already.
    Before,
    /// In between.
    At(f64),
    /// At no value.
    Beyond,
}

/// A crossing with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Crossing {
    place: Place,
    interval: Option<(Place, Place)>,
}

/// Finds the crossings, one row for each curve, metric and threshold. Columns:
///
/// - `sweep`, `family`, `target`, `fault_kind`, `kind`, `compared`, `metric`: as in [`super::table`]
/// - `fault_unit`: ms, percent or mbit_per_s, of all values below
/// - `threshold_percent`: the degradation; `threshold_ratio`: the ratio that it is, of a throughput below 1, of a time above
/// - `crossing`: the fault's value at which it is reached; null where no measured values enclose it
/// - `crossing_side`: `within` the measured values, `milder` than all of them, `beyond` all of them; null where nothing
///   is measured
/// - `crossing_low`, `crossing_high`: the mild and the severe end of its 95 % interval; null where that end lies outside of the measured
///   values, which `low_side` and `high_side` tell, in the words of `crossing_side`; all null without an interval
/// - `interval`: `between-run`; `within-run` where some value has only one run; null where some value has no interval
/// - `values`, `value_mildest`, `value_severest`: the measured values that the curve goes through
/// - `runs`: on the curve
/// - `reversals`: values at which less is lost than at milder ones, see [`super::table`], with commas between; null where there are
///   none
/// - `nothing_acknowledged`: values at which some run acknowledged nothing, with commas between; null where there are none. The
///   loss there has no logarithm, so that the curve does not go through them: what is `beyond` may lie before such a value. Where
///   no run at it acknowledged anything, it is the severe end of an interval that has no other
/// - `leader_changed`: values with runs in which the leader changed, through which the curve does not go, with commas between; null where
///   there are none
///
/// # Errors
/// [`PolarsError`] when a summary lacks a column.
pub fn table(runs: &[Measured], aims: &[Aim], metrics: &[&str], thresholds: (f64, f64)) -> PolarsResult<DataFrame> {
    let curves = curves(runs, aims, metrics)?;
    let thresholds = [thresholds.0, thresholds.1];
    let found = curves.iter().flat_map(|curve| thresholds.map(|percent| (curve, percent, crossing(curve, percent))));
    rows(&found.collect::<Vec<_>>())
}

/// Where a curve through `points` (place and loss, from mild to severe) first reaches a loss.
fn first(points: &[(f64, f64)], threshold: f64) -> Place {
    let Some(at) = points.iter().position(|&(_, loss)| loss >= threshold) else { return Place::Beyond };
    if at == 0 {
        return Place::Before;
    }
    let ((from, below), (to, above)) = (points[at - 1], points[at]);
    Place::At(from + (threshold - below) / (above - below) * (to - from))
}

/// The crossing of a curve; its places are positions in the order of severity. `None` of a curve without points.
fn crossing(curve: &Curve, percent: f64) -> Option<Crossing> {
    let threshold = -(1.0 - percent / 100.0).ln();
    let steady: Vec<_> = curve.steady().collect();
    let place = |value: f64| curve.named.place(value);
    let measured: Vec<(f64, f64)> = steady.iter().filter_map(|point| Some((place(point.value), point.loss?))).collect();
    if measured.is_empty() {
        return None;
    }
    let sure: Option<Vec<Sure>> = steady.iter().map(|point| point.sure).collect();
    let interval = sure.map(|sure| {
        let points = measured.iter().zip(sure).map(|(&(place, loss), sure)| (place, loss, sure)).collect();
        let line = Line { points, shared: curve.shared };
        // Where the loss could first be as large, and where it first must be.
        let (low, high) = (line.reaches(1.0, threshold), line.reaches(-1.0, threshold));
        let last = measured.last().map_or(0.0, |&(place, _)| place);
        let lost = curve.points.iter().filter(|point| point.is_lost()).map(|point| place(point.value));
        // Where nothing is acknowledged any more, every share is lost.
        let surely = lost.filter(|&lost| lost > last).reduce(f64::min);
        (low, if high == Place::Beyond { surely.map_or(high, Place::At) } else { high })
    });
    Some(Crossing { place: first(&measured, threshold), interval })
}

/// A line through points (place, loss, and how sure that is), and what all of them have in common.
struct Line {
    points: Vec<(f64, f64, Sure)>,
    shared: Option<Spread>,
}

impl Line {
    /// The upper (`side` 1) or lower (-1) end of the 95 % interval of the loss, at this share of the way from one point to the next.
    fn end(&self, from: usize, share: f64, side: f64) -> f64 {
        let next = (from + 1).min(self.points.len() - 1);
        let ((_, below, of_below), (_, above, of_above)) = (self.points[from], self.points[next]);
        let part = |weight: f64, sure: Sure| match sure {
            Sure::Between(spread) => spread.weighted(weight),
            // The half width of a normal distribution's interval.
            Sure::Within { low, high } => {
                Spread { variance: (weight * (high - low) / (2.0 * NORMAL)).powi(2), freedom: f64::INFINITY }
            }
        };
        let is_between = |sure: Sure| matches!(sure, Sure::Between(_));
        // Intervals within runs have the baselines' part in them.
        let shared = self.shared.filter(|_| is_between(of_below) && is_between(of_above));
        let parts: Vec<Spread> =
            [part(1.0 - share, of_below), part(share, of_above)].into_iter().chain(shared).collect();
        (1.0 - share) * below + share * above + side * half_width(&parts)
    }

    /// Where that end first reaches a loss.
    fn reaches(&self, side: f64, threshold: f64) -> Place {
        if self.end(0, 0.0, side) >= threshold {
            return Place::Before;
        }
        for from in 0..self.points.len() - 1 {
            let share = |step: usize| step as f64 / STEPS as f64;
            let reaches = |share: f64| self.end(from, share, side) >= threshold;
            let Some(step) = (1..=STEPS).find(|&step| reaches(share(step))) else { continue };
            let (mut low, mut high) = (share(step - 1), share(step));
            for _ in 0..24 {
                let middle = (low + high) / 2.0;
                if reaches(middle) { high = middle } else { low = middle }
            }
            let (from, to) = (self.points[from].0, self.points[from + 1].0);
            return Place::At(from + high * (to - from));
        }
        Place::Beyond
    }
}

type Found<'a> = (&'a Curve, f64, Option<Crossing>);

fn rows(found: &[Found<'_>]) -> PolarsResult<DataFrame> {
    let text = |name: &str, of: &dyn Fn(&Found<'_>) -> Option<String>| {
        Column::new(name.into(), found.iter().map(of).collect::<Vec<_>>())
    };
    let number = |name: &str, of: &dyn Fn(&Found<'_>) -> Option<f64>| {
        Column::new(name.into(), found.iter().map(of).collect::<Vec<_>>())
    };
    let count =
        |name: &str, of: &dyn Fn(&Found<'_>) -> u64| Column::new(name.into(), found.iter().map(of).collect::<Vec<_>>());
    let value = |(curve, ..): &Found<'_>, place: Place| match place {
        Place::At(place) => Some(curve.named.place(place)),
        Place::Before | Place::Beyond => None,
    };
    let side = |place: Place| {
        let side = match place {
            Place::Before => "milder",
            Place::At(_) => "within",
            Place::Beyond => "beyond",
        };
        side.to_owned()
    };
    let low = |row: &Found<'_>| Some(row.2?.interval?.0);
    let high = |row: &Found<'_>| Some(row.2?.interval?.1);
    let interval = |(curve, _, crossing): &Found<'_>| {
        (*crossing)?.interval?;
        let is_within = curve.steady().any(|point| matches!(point.sure, Some(Sure::Within { .. })));
        Some(if is_within { "within-run" } else { "between-run" }.to_owned())
    };
    let listed = |values: Vec<String>| Some(values.join(", ")).filter(|list| !list.is_empty());
    let reversals = |(curve, ..): &Found<'_>| {
        let told = (0..curve.points.len()).filter_map(|at| {
            let reversal = curve.reversal(at)?;
            let because = if reversal.is_by_leader { " (leader changed)" } else { "" };
            Some(format!("{}{because}", curve.points[at].value))
        });
        listed(told.collect())
    };
    let lost = |(curve, ..): &Found<'_>| {
        let lost = curve.points.iter().filter(|point| point.lost > 0 && point.leader_changes == 0);
        listed(lost.map(|point| point.value.to_string()).collect())
    };
    let changed = |(curve, ..): &Found<'_>| {
        let changed = curve.points.iter().filter(|point| point.leader_changes > 0);
        listed(changed.map(|point| point.value.to_string()).collect())
    };
    DataFrame::new(
        found.len(),
        vec![
            text("sweep", &|(curve, ..)| curve.named.sweep.clone()),
            text("family", &|(curve, ..)| Some(curve.named.family.clone())),
            text("target", &|(curve, ..)| Some(curve.named.target.clone())),
            text("fault_kind", &|(curve, ..)| Some(curve.named.fault_kind.to_owned())),
            text("kind", &|(curve, ..)| Some(curve.named.kind.clone())),
            text("compared", &|(curve, ..)| Some(curve.named.compared.clone())),
            text("metric", &|(curve, ..)| Some(curve.named.metric.to_owned())),
            text("fault_unit", &|(curve, ..)| Some(unit(curve.named.fault_kind).to_owned())),
            number("threshold_percent", &|(_, percent, _)| Some(*percent)),
            number("threshold_ratio", &|(curve, percent, _)| {
                Some(super::ratio(curve.named.metric, -(1.0 - percent / 100.0).ln()))
            }),
            number("crossing", &|row| value(row, row.2?.place)),
            text("crossing_side", &|row| Some(side(row.2?.place))),
            number("crossing_low", &|row| value(row, low(row)?)),
            text("low_side", &|row| low(row).map(side)),
            number("crossing_high", &|row| value(row, high(row)?)),
            text("high_side", &|row| high(row).map(side)),
            text("interval", &interval),
            count("values", &|(curve, ..)| curve.steady().count() as u64),
            number("value_mildest", &|(curve, ..)| curve.steady().next().map(|point| point.value)),
            number("value_severest", &|(curve, ..)| curve.steady().last().map(|point| point.value)),
            count("runs", &|(curve, ..)| curve.steady().map(|point| point.runs.len() as u64).sum()),
            text("reversals", &reversals),
            text("nothing_acknowledged", &lost),
            text("leader_changed", &changed),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::severity::{Named, Point};

    /// Losses at these delays, so that 10 % are lost at 23.8 ms and 50 % at 65.9 ms.
    const PLANTED: [(f64, f64); 4] = [(10.0, 0.02), (20.0, 0.05), (50.0, 0.48), (100.0, 1.15)];

    fn curve(points: Vec<Point>, fault_kind: &'static str) -> Curve {
        let named = Named {
            sweep: None,
            family: "delay#_mid".to_owned(),
            target: "leader".to_owned(),
            fault_kind,
            kind: "put".to_owned(),
            compared: "during/before".to_owned(),
            metric: "ops_per_s",
            cohort: String::new(),
        };
        Curve { named, points, shared: None }
    }

    fn point(value: f64, losses: &[f64]) -> Point {
        let count = losses.len();
        let loss = losses.iter().sum::<f64>() / count as f64;
        let within = Sure::Within { low: loss - 0.1, high: loss + 0.1 };
        Point {
            value,
            runs: vec![String::new(); count],
            leader_changes: 0,
            level: None,
            loss: Some(loss),
            lost: 0,
            sure: Some(Spread::of(losses).map_or(within, Sure::Between)),
            noise: Some(1.02),
        }
    }

    /// Normally distributed numbers from a seed: twelve uniform ones of a multiplicative congruential generator, less six.
    struct Normals(u64);

    impl Normals {
        fn next(&mut self) -> f64 {
            let mut uniform = || {
                self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (self.0 >> 11) as f64 / (1_u64 << 53) as f64
            };
            (0..12).map(|_| uniform()).sum::<f64>() - 6.0
        }
    }

    fn truth(percent: f64) -> f64 {
        let Place::At(at) = first(&PLANTED, -(1.0 - percent / 100.0_f64).ln()) else { panic!("no crossing") };
        at
    }

    fn covers((low, high): (Place, Place), truth: f64) -> bool {
        let is_above = |place: Place| matches!(place, Place::Beyond) || matches!(place, Place::At(at) if at >= truth);
        let is_below = |place: Place| matches!(place, Place::Before) || matches!(place, Place::At(at) if at <= truth);
        is_below(low) && is_above(high)
    }

    #[test]
    fn intervals_cover_the_planted_crossing() {
        // Over simulated sweeps: what runs differ by is the same at each value, or grows with it.
        for (runs, spread, spread_more) in [(3, 0.06, 0.0), (5, 0.06, 0.0), (5, 0.02, 0.2), (3, 0.02, 0.15)] {
            let mut normals = Normals(7 + runs);
            let mut covered = [0_u32; 2];
            const SWEEPS: u32 = 400;
            for _ in 0..SWEEPS {
                let points = PLANTED.map(|(value, loss)| {
                    let losses: Vec<f64> =
                        (0..runs).map(|_| loss + normals.next() * (spread + spread_more * loss)).collect();
                    point(value, &losses)
                });
                let curve = curve(points.into(), "delay");
                for (at, percent) in [10.0, 50.0].into_iter().enumerate() {
                    let found = crossing(&curve, percent).and_then(|found| found.interval).expect("an interval");
                    covered[at] += u32::from(covers(found, truth(percent)));
                }
            }
            for covered in covered {
                let share = f64::from(covered) / f64::from(SWEEPS);
                assert!((0.90..=0.99).contains(&share), "{runs} runs, {spread} {spread_more}: {share}");
            }
        }
    }

    #[test]
    fn where_nothing_is_acknowledged_every_share_is_lost() {
        let lost = |lost: usize| Point { loss: None, sure: None, lost, ..point(200.0, &[0.0, 0.0, 0.0]) };
        let end = |last: Point| {
            let points = vec![point(10.0, &[0.01, 0.02, 0.03]), point(100.0, &[0.20, 0.21, 0.22]), last];
            crossing(&curve(points, "delay"), 50.0)
        };
        let found = end(lost(3)).expect("a crossing");
        assert_eq!((found.place, found.interval), (Place::Beyond, Some((Place::Beyond, Place::At(200.0)))));
        let found = end(lost(2)).expect("a crossing");
        assert_eq!(found.interval, Some((Place::Beyond, Place::Beyond)), "one run acknowledged something");
    }

    #[test]
    fn intervals_cover_where_all_runs_share_their_baselines() {
        let mut normals = Normals(11);
        let mut covered = 0_u32;
        const SWEEPS: u32 = 400;
        for _ in 0..SWEEPS {
            let baselines: Vec<f64> = (0..4).map(|_| 0.1 * normals.next()).collect();
            let off = baselines.iter().sum::<f64>() / 4.0;
            let points =
                PLANTED.map(|(value, loss)| point(value, &[(); 3].map(|()| loss - off + 0.03 * normals.next())));
            let curve = Curve { shared: Spread::of(&baselines), ..curve(points.into(), "delay") };
            let found = crossing(&curve, 50.0).and_then(|found| found.interval).expect("an interval");
            covered += u32::from(covers(found, truth(50.0)));
        }
        let share = f64::from(covered) / f64::from(SWEEPS);
        assert!((0.90..=0.99).contains(&share), "{share}");
    }

    #[test]
    fn a_curve_that_is_flat_in_truth_is_seldom_called_not_monotonic() {
        let mut normals = Normals(3);
        let mut flagged = 0;
        for _ in 0..400 {
            let points = PLANTED.map(|(value, _)| point(value, &[(); 3].map(|()| 0.5 + 0.1 * normals.next())));
            let curve = curve(points.into(), "delay");
            flagged += u32::from((0..4).any(|at| curve.reversal(at).is_some()));
        }
        assert!(flagged <= 20, "{flagged} of 400");
    }

    #[test]
    fn what_lies_outside_of_the_measured_values_is_never_extrapolated() {
        let of = |losses: [f64; 3], percent: f64| {
            let points = [(10.0, losses[0]), (20.0, losses[1]), (40.0, losses[2])];
            let points = points.map(|(value, loss)| point(value, &[loss - 1e-4, loss, loss + 1e-4]));
            crossing(&curve(points.into(), "delay"), percent).expect("a crossing")
        };
        let half = 2_f64.ln();
        assert_eq!(
            of([0.0, 0.01, 0.02], 50.0),
            Crossing { place: Place::Beyond, interval: Some((Place::Beyond, Place::Beyond)) }
        );
        assert_eq!(
            of([1.0, 1.1, 1.2], 50.0),
            Crossing { place: Place::Before, interval: Some((Place::Before, Place::Before)) }
        );
        let found = of([0.0, half / 2.0, half * 1.5], 50.0);
        let Place::At(at) = found.place else { panic!("{found:?}") };
        assert!((at - 30.0).abs() < 0.01, "linear in the logarithm: {at}");
        let Some((Place::At(low), Place::At(high))) = found.interval else { panic!("{found:?}") };
        assert!(low < 30.0 && 30.0 < high && high - low < 0.1, "{low} {high}");
        assert_eq!(crossing(&curve(Vec::new(), "delay"), 50.0), None);
    }

    #[test]
    fn a_rate_is_worse_the_smaller_it_is() {
        let points = [(10.0, 0.0), (5.0, 0.2), (1.0, 1.0)].map(|(value, loss)| point(value, &[loss, loss]));
        let curve = curve(points.into(), "rate");
        let found = rows(&[(&curve, 50.0, crossing(&curve, 50.0))]).expect("rows");
        let at = found.column("crossing").expect("it").f64().expect("numbers").get(0).expect("a crossing");
        assert!((at - (5.0 - 4.0 * (2_f64.ln() - 0.2) / 0.8)).abs() < 1e-9, "{at}");
    }

    #[test]
    fn one_run_a_value_gives_an_interval_within_it() {
        let points = PLANTED.map(|(value, loss)| point(value, &[loss]));
        let curve = curve(points.into(), "delay");
        let found = crossing(&curve, 50.0).expect("a crossing");
        let Some((Place::At(low), Place::At(high))) = found.interval else { panic!("{found:?}") };
        // A tenth of loss is 7.5 ms on this stretch, of which two points that vary leave three quarters.
        assert!((low - (truth(50.0) - 5.6)).abs() < 1.2 && (high - (truth(50.0) + 5.6)).abs() < 1.2, "{low} {high}");
        let rows = rows(&[(&curve, 50.0, Some(found))]).expect("rows");
        assert_eq!(rows.column("interval").expect("it").str().expect("text").get(0), Some("within-run"));
        let unknown: Vec<Point> = curve.points.into_iter().map(|point| Point { sure: None, ..point }).collect();
        assert_eq!(crossing(&super::tests::curve(unknown, "delay"), 50.0).expect("a crossing").interval, None);
    }
}
