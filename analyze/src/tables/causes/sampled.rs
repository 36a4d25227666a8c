//! Samples by metric and member, in order of time.

use std::collections::BTreeMap;

use polars::prelude::*;

use crate::tables::sampled::{Sampled as Row, rows};

/// Values that a quantile of a histogram must be made of.
const OBSERVATIONS_MIN: f64 = 20.0;

/// Values and their times, by label.
type Labels = BTreeMap<String, Vec<(i64, f64)>>;

/// Every metric of every member, label by label.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    series: BTreeMap<(String, Option<i8>), Labels>,
}

impl Sampled {
    pub(super) fn of(samples: &DataFrame) -> PolarsResult<Self> {
        let mut sampled = Self::default();
        for Row { time_ns, member, metric, label, value } in rows(samples)? {
            let labels = sampled.series.entry((metric.to_owned(), member)).or_default();
            // Few labels, and many rows of each.
            match labels.get_mut(label) {
                Some(values) => values.push((time_ns, value)),
                None => {
                    labels.insert(label.to_owned(), vec![(time_ns, value)]);
                }
            }
        }
        let all = sampled.series.values_mut().flat_map(BTreeMap::values_mut);
        all.for_each(|values| values.sort_by_key(|&(time_ns, _)| time_ns));
        Ok(sampled)
    }

    fn labels(&self, metric: &str, member: Option<i8>) -> impl Iterator<Item = (&String, &Vec<(i64, f64)>)> {
        self.series.get(&(metric.to_owned(), member)).into_iter().flatten()
    }

    /// The label of a metric that has only one.
    pub(super) fn label(&self, metric: &str, member: Option<i8>) -> Option<&str> {
        let mut labels = self.labels(metric, member).map(|(label, _)| label.as_str());
        labels.next().filter(|_| labels.next().is_none())
    }

    fn values(&self, metric: &str, member: Option<i8>, from_ns: i64, to_ns: i64) -> Vec<f64> {
        let inside = self.labels(metric, member).flat_map(|(_, values)| part(values, from_ns, to_ns));
        inside.map(|&(_, value)| value).collect()
    }

    pub(super) fn count(&self, metric: &str, member: Option<i8>, from_ns: i64, to_ns: i64) -> usize {
        self.values(metric, member, from_ns, to_ns).len()
    }

    pub(super) fn max(&self, metric: &str, member: Option<i8>, from_ns: i64, to_ns: i64) -> Option<f64> {
        self.values(metric, member, from_ns, to_ns).into_iter().reduce(f64::max)
    }

    /// Nearest-rank.
    pub(super) fn quantile(&self, metric: &str, member: Option<i8>, from_ns: i64, to_ns: i64, q: f64) -> Option<f64> {
        let mut values = self.values(metric, member, from_ns, to_ns);
        values.sort_by(f64::total_cmp);
        crate::stats::nearest_rank(values.len(), q).map(|rank| values[rank])
    }

    /// What a counter gained per second; `None` where it was sampled less than twice, or began anew.
    pub(super) fn per_s(&self, metric: &str, member: Option<i8>, from_ns: i64, to_ns: i64) -> Option<f64> {
        let mut gained = None;
        for (_, values) in self.labels(metric, member) {
            let (first, last) = ends(values, from_ns, to_ns)?;
            let per_s = (last.1 - first.1) / ((last.0 - first.0) as f64 / 1e9);
            gained = Some(gained.unwrap_or(0.0) + per_s);
        }
        gained.filter(|&per_s| per_s >= 0.0)
    }

    /// Quantile of what was added to a cumulative histogram, in its unit: linear within a bucket, as Prometheus' function
    /// `histogram_quantile` has it. In the last, open bucket it is that one's lower end. `None` of fewer than
    /// [`OBSERVATIONS_MIN`] values.
    pub(super) fn histogram_quantile(
        &self,
        metric: &str,
        member: Option<i8>,
        from_ns: i64,
        to_ns: i64,
        q: f64,
    ) -> Option<f64> {
        // Several series, as one for each peer, are added up.
        let mut buckets: BTreeMap<u64, f64> = BTreeMap::new();
        for (label, values) in self.labels(metric, member) {
            let bound = label.split(',').find_map(|part| part.strip_prefix("le="))?;
            let bound: f64 = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            let (first, last) = ends(values, from_ns, to_ns)?;
            // Positive floats are ordered as their bits are.
            *buckets.entry(bound.max(0.0).to_bits()).or_default() += last.1 - first.1;
        }
        let count = *buckets.last_key_value()?.1;
        if count < OBSERVATIONS_MIN || buckets.values().any(|&gained| gained < 0.0) {
            return None;
        }
        let rank = q * count;
        let (mut low, mut below) = (0.0, 0.0);
        for (bits, upto) in buckets {
            let high = f64::from_bits(bits);
            if upto >= rank {
                let share = if upto > below { (rank - below) / (upto - below) } else { 0.0 };
                return Some(if high.is_finite() { low + (high - low) * share } else { low });
            }
            (low, below) = (high, upto);
        }
        None
    }
}

fn part(values: &[(i64, f64)], from_ns: i64, to_ns: i64) -> &[(i64, f64)] {
    let upto = |ns: i64| values.partition_point(|&(time_ns, _)| time_ns < ns);
    let to = upto(to_ns);
    &values[upto(from_ns).min(to)..to]
}

/// The first and the last sample of a part, where these are two.
fn ends(values: &[(i64, f64)], from_ns: i64, to_ns: i64) -> Option<((i64, f64), (i64, f64))> {
    match part(values, from_ns, to_ns) {
        [first, .., last] if first.0 < last.0 => Some((*first, *last)),
        _ => None,
    }
}
