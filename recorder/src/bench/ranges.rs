//! What is typical of three members in one datacenter, by the page that this benchmark's older form came with.

use serde::Serialize;

use super::results::KindResults;
use crate::plan::bench::BenchKind;

/// One failure in so many operations is the most beside which throughput is judged.
const FAILURES_SHARE: u64 = 100;

/// The ranges of a kind, and where the cluster lies in them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Typical {
    /// Median, in milliseconds.
    pub(super) median_ms: Range,
    /// 99th percentile, in milliseconds.
    pub(super) p99_ms: Range,
    /// Operations per second.
    pub(super) ops_per_s: Range,
}

/// A range, and where something lies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Range {
    /// Its lower end.
    pub(super) from: f64,
    /// Its upper end.
    pub(super) to: f64,
    /// Where what was measured lies; absent when nothing was.
    pub(super) measured: Option<Lies>,
}

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Lies {
    /// Below the range.
    Below,
    /// Within it, ends included.
    Within,
    /// Above it.
    Above,
}

impl Lies {
    /// The word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::Within => "within",
            Self::Above => "above",
        }
    }
}

impl Range {
    fn new((from, to): (f64, f64), measured: Option<f64>) -> Self {
        let lies = |value: f64| match value {
            _ if value < from => Lies::Below,
            _ if value > to => Lies::Above,
            _ => Lies::Within,
        };
        Self { from, to, measured: measured.map(lies) }
    }
}

impl Typical {
    /// The ranges of a kind, beside what it showed. In an open loop operations per second are what was asked for, and where many fail they
    /// are mostly how long clients waited for those: then they say nothing of what the cluster can do.
    pub(super) fn of(kind: BenchKind, results: &KindResults, is_open_loop: bool) -> Self {
        let says_capacity = !is_open_loop && results.failures * FAILURES_SHARE <= results.operations;
        let (median_ms, p99_ms, ops_per_s) = match kind {
            BenchKind::Put => ((2.0, 5.0), (10.0, 20.0), (500.0, 1000.0)),
            BenchKind::Get => ((0.5, 2.0), (5.0, 10.0), (2000.0, 5000.0)),
            BenchKind::Transaction => ((3.0, 8.0), (15.0, 30.0), (300.0, 600.0)),
        };
        Self {
            median_ms: Range::new(median_ms, results.latency.median_ms),
            p99_ms: Range::new(p99_ms, results.latency.p99_ms),
            ops_per_s: Range::new(ops_per_s, results.ops_per_s.filter(|_| says_capacity)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_is_judged_only_where_it_says_what_the_cluster_can_do() {
        let results =
            |failures| KindResults { operations: 1000, failures, ops_per_s: Some(750.0), ..KindResults::default() };
        let judged =
            |failures, is_open_loop| Typical::of(BenchKind::Put, &results(failures), is_open_loop).ops_per_s.measured;
        assert_eq!([judged(0, false), judged(10, false)], [Some(Lies::Within); 2]);
        assert_eq!([judged(11, false), judged(0, true)], [None; 2]);
    }

    #[test]
    fn ends_are_within_and_nothing_lies_nowhere() {
        let lies = |value| Range::new((2.0, 5.0), value).measured;
        let values = [Some(1.99), Some(2.0), Some(3.0), Some(5.0), Some(5.01), None].map(lies);
        use Lies::{Above, Below, Within};
        assert_eq!(values, [Some(Below), Some(Within), Some(Within), Some(Within), Some(Above), None]);
    }
}
