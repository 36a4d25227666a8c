//! One effect of B against the same of A, and what can be said of it.

use super::effects::Effects;
use crate::stats::intervals::Bounded;
use crate::tables::compare::Verdict;

use crate::tables::spread::{Scale, half_width};

/// What counts as the same share: one in a hundred operations.
pub(super) const SHARE_MARGIN: f64 = 0.01;

/// What is known of an effect in A against B.
pub(super) struct Related<'a> {
    pub(super) a: &'a Effects,
    pub(super) b: &'a Effects,
    /// Absent of shares.
    pub(super) ratio: Option<f64>,
    pub(super) interval: Option<(f64, f64)>,
    pub(super) sort: Option<&'static str>,
    pub(super) difference: Option<f64>,
    pub(super) difference_interval: Option<(f64, f64)>,
    /// A factor; of shares a difference.
    pub(super) margin: f64,
    /// The noise floor of either set, a factor.
    pub(super) noise: Option<f64>,
}

impl<'a> Related<'a> {
    /// Puts two effects in relation; `margin` is that of factors.
    pub(super) fn new(a: &'a Effects, b: &'a Effects, margin: f64) -> Self {
        let is_share = a.scale() == Scale::Linear;
        let both = a.effect().zip(b.effect());
        let point = Self {
            a,
            b,
            ratio: both.and_then(|(a, b)| (a > 0.0 && !is_share).then(|| b / a)),
            interval: None,
            sort: None,
            difference: both.map(|(a, b)| b - a),
            difference_interval: None,
            margin: if is_share { SHARE_MARGIN } else { margin },
            noise: a.noise.into_iter().chain(b.noise).reduce(f64::max),
        };
        let (Some(of_a), Some(of_b)) = (a.bounded(), b.bounded()) else { return point };
        let (interval, sort) = match (a.spreads(), b.spreads()) {
            (Some(spreads_a), Some(spreads_b)) => {
                let half = half_width(&[spreads_a, spreads_b].concat());
                let difference = of_b.value - of_a.value;
                (Some((difference - half, difference + half)), Some("between-run"))
            }
            _ => {
                let interval = of_b.less(of_a).interval;
                (interval, interval.map(|_| "within-run"))
            }
        };
        if is_share {
            // Shares differ by no more than everything.
            let possible = |(low, high): (f64, f64)| (low.max(-1.0), high.min(1.0));
            return Self { sort, difference_interval: interval.map(possible), ..point };
        }
        let exp = |of: Bounded, effects: &Effects| Bounded { value: of.value.exp(), interval: effects.interval() };
        Self {
            ratio: Some((of_b.value - of_a.value).exp()),
            interval: interval.map(|(low, high)| (low.exp(), high.exp())),
            sort,
            difference_interval: exp(of_b, b).less(exp(of_a, a)).interval,
            ..point
        }
    }

    /// The verdict, and where that is not plain from the interval, why.
    ///
    /// A noise floor makes no margin wider: what is within the noise is not known to be the same. It only takes away the
    /// reason to call it different.
    pub(super) fn verdict(&self) -> (Verdict, Option<String>) {
        let (a, b) = (self.a, self.b);
        if a.lost + b.lost > 0 {
            let lost = |name: &str, of: &Effects| match (of.lost, of.runs()) {
                (0, _) => None,
                (lost, runs) => Some(format!("{lost} of {runs} runs of {name} acknowledged nothing")),
            };
            let why = Some([lost("A", a), lost("B", b)].into_iter().flatten().collect::<Vec<_>>().join(", "));
            let is_whole = |of: &Effects| of.lost == 0 || of.is_nothing();
            return match is_whole(a) && is_whole(b) && !a.is_time() {
                true if a.is_nothing() && b.is_nothing() => (Verdict::Agree, why),
                true => (Verdict::Differ, why),
                false => (Verdict::CannotTell, why),
            };
        }
        if a.scale() == Scale::Linear {
            return (Verdict::of_difference(self.difference_interval, self.margin), None);
        }
        let floor = self.noise.unwrap_or(1.0);
        match Verdict::of(self.interval, self.margin) {
            Verdict::Agree => (Verdict::Agree, None),
            _ => match Verdict::of(self.interval, floor.max(self.margin)) {
                Verdict::Agree => (Verdict::CannotTell, Some("within the noise floor".to_owned())),
                other => (other, None),
            },
        }
    }
}
