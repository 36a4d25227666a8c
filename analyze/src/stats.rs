//! Statistics over latencies. Everything is exact: no histogram, no interpolation.
//!
//! Percentiles are *nearest-rank*: the smallest value that at least the share q of all values does not exceed, the
//! value at rank ceil(q n) of n sorted ones. It is the inverse of the empirical distribution function (definition 1 in
//! R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50(4), 1996), is always
//! a value that was measured, and is what polars calls `QuantileMethod::Equiprobable` and numpy
//! `method="inverted_cdf"`.

use statrs::distribution::{DiscreteCDF, Hypergeometric};

pub mod bootstrap;
pub mod intervals;
pub mod sorted;

/// The quantiles that tables report, with their names in column names.
pub const QUANTILES: [(&str, f64); 5] = [("p50", 0.50), ("p90", 0.90), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999)];

/// Index of quantile `q` (0 to 1) in `count` sorted values; `None` when there are none.
///
/// The floating-point expression is the one of polars, so that both round alike.
pub fn nearest_rank(count: usize, q: f64) -> Option<usize> {
    let last = count.checked_sub(1)?;
    Some((((count as f64 * q).ceil() - 1.0).max(0.0) as usize).min(last))
}

/// Quantile `q` of values sorted in ascending order; `None` when there are none.
pub fn quantile(sorted: &[i64], q: f64) -> Option<i64> {
    nearest_rank(sorted.len(), q).map(|rank| sorted[rank])
}

/// Arithmetic mean, `None` of no values. The sum is taken in integers, so the order of the values has no effect.
pub fn mean(values: &[i64]) -> Option<f64> {
    let sum: i128 = values.iter().map(|&value| i128::from(value)).sum();
    (!values.is_empty()).then(|| sum as f64 / values.len() as f64)
}

/// A quantile over operations of which some never got an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Censored {
    /// The value is known.
    Exact(i64),
    /// The rank falls among operations without an answer: all that is known is that they took longer than the
    /// deadline that they were given.
    AtLeastDeadline,
}

/// Quantile `q` over `due` operations, `sorted` being the ascending response times of those that were answered. The
/// others are right-censored: they rank above every answered one, whenever they were given up.
pub fn censored_quantile(sorted: &[i64], due: usize, q: f64) -> Option<Censored> {
    nearest_rank(due, q).map(|rank| sorted.get(rank).map_or(Censored::AtLeastDeadline, |&value| Censored::Exact(value)))
}

/// Geometric mean; `None` of no values and of negative ones, and where some but not all are 0: a single zero would make the
/// mean one, however large the others are.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() || values.iter().any(|&value| value < 0.0) {
        return None;
    }
    // Dividing by the first keeps the exact value where there is only one.
    let first = values[0];
    if values.contains(&0.0) {
        return values.iter().all(|&value| value == 0.0).then_some(0.0);
    }
    let mean_log = values.iter().map(|value| (value / first).ln()).sum::<f64>() / values.len() as f64;
    Some(first * mean_log.exp())
}

/// 95 % interval of the geometric mean of ratios, one ratio a run: the t interval of the mean of their logarithms, see
/// [`intervals::student`]. `None` with fewer than two ratios, or where one is not positive.
pub fn ratio_interval(ratios: &[f64]) -> Option<(f64, f64)> {
    let logs: Option<Vec<f64>> = ratios.iter().map(|&ratio| (ratio > 0.0).then(|| ratio.ln())).collect();
    let tested = intervals::student(&logs?)?;
    Some((tested.low.exp(), tested.high.exp()))
}

/// How probable it is that the first of two samples has as many hits as it has, or more, where both are drawn from the same
/// urn: Fisher's exact test, one-sided. A sample is its hits, and all that was drawn.
pub fn fisher_more((hits, drawn): (u64, u64), (others, others_drawn): (u64, u64)) -> f64 {
    let Ok(urn) = Hypergeometric::new(drawn + others_drawn, hits + others, drawn) else { return 1.0 };
    if hits == 0 { 1.0 } else { urn.sf(hits - 1) }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;

    #[test]
    fn quantiles_are_those_of_polars() {
        for count in [1_i64, 2, 3, 7, 10, 19, 20, 99, 100, 101, 999, 1000, 1001, 12_345] {
            let sorted: Vec<i64> = (0..count).map(|value| value * value).collect();
            let series = Int64Chunked::from_slice("x".into(), &sorted);
            for q in [0.0, 0.001, 0.07, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
                let theirs = series.quantile(q, QuantileMethod::Equiprobable).expect("a quantile");
                assert_eq!(quantile(&sorted, q).map(|value| value as f64), theirs, "{q} of {count}");
            }
        }
    }

    #[test]
    fn nothing_has_no_quantile_and_no_mean() {
        assert_eq!((quantile(&[], 0.5), mean(&[]), censored_quantile(&[], 0, 0.5)), (None, None, None));
    }

    #[test]
    fn operations_without_an_answer_rank_above_all_others() {
        let answered = [10, 20, 30, 40, 50, 60, 70, 80];
        assert_eq!(censored_quantile(&answered, 10, 0.5), Some(Censored::Exact(50)));
        assert_eq!(censored_quantile(&answered, 10, 0.8), Some(Censored::Exact(80)));
        assert_eq!(censored_quantile(&answered, 10, 0.9), Some(Censored::AtLeastDeadline));
        assert_eq!(censored_quantile(&[], 3, 0.0), Some(Censored::AtLeastDeadline));
    }

    #[test]
    fn t_quantiles_are_the_published_ones() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2.
        for (degrees, expected) in [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (19, 2.093), (100, 1.984)] {
            let found = intervals::t_quantile(f64::from(degrees));
            assert!((found - expected).abs() < 5e-4, "{degrees}: {found}");
        }
    }

    #[test]
    fn intervals_of_ratios() {
        assert_eq!(geometric_mean(&[2.0, 8.0]).map(|mean| (mean * 1e9).round()), Some(4e9));
        assert_eq!(
            (geometric_mean(&[]), geometric_mean(&[7.3]), geometric_mean(&[0.0, 0.0])),
            (None, Some(7.3), Some(0.0))
        );
        assert_eq!((geometric_mean(&[0.0, 2.0]), geometric_mean(&[2.0, 0.0])), (None, None));
        assert_eq!((ratio_interval(&[2.0]), ratio_interval(&[0.0, 1.0])), (None, None));
        // The logarithms are -1, 0 and 1 times ln 2: half the width is 4.303 ln 2 / sqrt 3.
        let (low, high) = ratio_interval(&[0.5, 1.0, 2.0]).expect("an interval");
        assert!((high - (4.302_65 * 2_f64.ln() / 3_f64.sqrt()).exp()).abs() < 1e-3, "{high}");
        assert!((low * high - 1.0).abs() < 1e-9);
    }

    #[test]
    fn fisher_knows_the_lady_tasting_tea() {
        // R. A. Fisher, The Design of Experiments, 1935: three of four cups right, and all four.
        assert!((fisher_more((3, 4), (1, 4)) - 17.0 / 70.0).abs() < 1e-12);
        assert!((fisher_more((4, 4), (0, 4)) - 1.0 / 70.0).abs() < 1e-12);
        assert_eq!(fisher_more((0, 1000), (0, 1000)), 1.0);
        assert_eq!(fisher_more((0, 1000), (5, 1000)), 1.0);
        assert!((fisher_more((2, 3000), (0, 3000)) - 0.25).abs() < 1e-3);
    }
}
