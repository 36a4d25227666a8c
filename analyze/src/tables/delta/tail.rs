//! What a percentile can stand for: of few operations it is the slowest of them, of those that were acknowledged a bound.

use crate::tables::cdf;

/// The fraction of a percentile by its metric's name, as in `response_p99_ms`; `None` of other metrics.
fn fraction(metric: &str) -> Option<f64> {
    let percent = metric.split_once("_p")?.1.trim_end_matches("_ms").replace('_', ".");
    percent.parse::<f64>().ok().map(|percent| percent / 100.0)
}

/// Whether a ratio is only known to be at least that much: times are of acknowledged operations, and under the fault more of
/// them were not than the percentile leaves out, unlike in what it is compared with.
pub fn is_at_least(metric: &str, not_ok_share: Option<f64>, not_ok_share_reference: Option<f64>) -> bool {
    let reaches = |share: Option<f64>| {
        fraction(metric).zip(share).is_some_and(|(fraction, share)| share > 1.0 - fraction + f64::EPSILON)
    };
    reaches(not_ok_share) && !reaches(not_ok_share_reference)
}

/// Whether so many acknowledged operations, over so many runs, support a percentile: of fewer it is the slowest under another
/// name. True of other metrics.
pub fn is_supported(metric: &str, ok: u64, runs: u64) -> bool {
    fraction(metric).is_none_or(|fraction| cdf::is_supported((ok / runs.max(1)) as usize, fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_operations_do_not_support_a_percentile() {
        assert!(is_supported("response_p99_ms", 100, 1) && is_supported("response_p99", 300, 3));
        assert!(!is_supported("response_p99_ms", 99, 1) && !is_supported("response_p99_ms", 299, 3));
        assert!(is_supported("response_p90_ms", 60, 1) && !is_supported("response_p99_9_ms", 999, 1));
        assert!(is_supported("ops_per_s", 1, 1) && is_supported("response_mean_ms", 1, 1));
    }

    #[test]
    fn a_share_beyond_the_percentile_makes_it_a_bound() {
        assert!(is_at_least("response_p99_ms", Some(0.39), Some(0.0)));
        assert!(
            !is_at_least("response_p50_ms", Some(0.39), Some(0.0)) && is_at_least("response_p50_ms", Some(0.6), None)
        );
        assert!(!is_at_least("response_p99_ms", Some(0.01), None), "the slowest of a hundred");
        assert!(!is_at_least("response_p99_ms", Some(0.39), Some(0.2)), "a ratio of two bounds is none");
        assert!(!is_at_least("ops_per_s", Some(0.39), Some(0.0)));
    }
}
