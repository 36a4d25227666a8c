//! From the rows of a run to the numbers of a benchmark.

use std::collections::BTreeMap;

use run_folder::operation::{self, Outcome};
use run_folder::{Manifest, Operation, RunFolder, reader};
use serde::Serialize;

use crate::error::Result;
use crate::plan::bench::BenchKind;

/// What a kind of operation showed. Times are in milliseconds; what is not known is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct KindResults {
    /// Operations that were due after the warm-up.
    pub(super) operations: u64,
    /// Those that were acknowledged.
    pub(super) successes: u64,
    /// The others.
    pub(super) failures: u64,
    /// The others by what became of them: failed (certainly not done), unknown (may have been done), unsent.
    pub(super) failures_by_outcome: BTreeMap<&'static str, u64>,
    /// The others by why.
    pub(super) failures_by_error: BTreeMap<&'static str, u64>,
    /// Time from the end of the warm-up to that of the workload or, in an open loop that is behind, to the last acknowledgement, in
    /// seconds.
    pub(super) time_s: f64,
    /// Acknowledged operations per second of that time.
    pub(super) ops_per_s: Option<f64>,
    /// Response times of acknowledged operations: from when each was due to its answer.
    pub(super) latency: Latency,
    /// Service times of acknowledged operations: from when each was sent to its answer. The same in a closed loop.
    pub(super) service_time: Latency,
    /// Acknowledged transactions whose comparison held, so that they wrote; absent for other kinds.
    pub(super) comparisons_held: Option<u64>,
    /// Acknowledged transactions whose comparison failed, so that they read.
    pub(super) comparisons_failed: Option<u64>,
    /// Acknowledged gets that found no value; absent for other kinds.
    pub(super) not_found: Option<u64>,
}

/// A distribution of times, in milliseconds. Quantiles are nearest-rank, and so times that were measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Latency {
    /// Shortest.
    pub(super) min_ms: Option<f64>,
    /// Arithmetic mean.
    pub(super) mean_ms: Option<f64>,
    /// Standard deviation of the sample (divided by n - 1).
    pub(super) stddev_ms: Option<f64>,
    /// Median.
    pub(super) median_ms: Option<f64>,
    /// 90th percentile.
    pub(super) p90_ms: Option<f64>,
    /// 95th percentile.
    pub(super) p95_ms: Option<f64>,
    /// 99th percentile.
    pub(super) p99_ms: Option<f64>,
    /// 99.9th percentile.
    pub(super) p99_9_ms: Option<f64>,
    /// Longest.
    pub(super) max_ms: Option<f64>,
}

impl Latency {
    /// Of these times, in nanoseconds and ascending order.
    pub(super) fn of(sorted_ns: &[i64]) -> Self {
        let ms = |ns: f64| ns / 1e6;
        let at = |permille: usize| nearest_rank(sorted_ns, permille).map(|ns| ms(ns as f64));
        let count = sorted_ns.len() as f64;
        let mean = (count > 0.0).then(|| sorted_ns.iter().map(|ns| *ns as f64).sum::<f64>() / count);
        let stddev = mean.filter(|_| count > 1.0).map(|mean| {
            let squares: f64 = sorted_ns.iter().map(|ns| (*ns as f64 - mean).powi(2)).sum();
            (squares / (count - 1.0)).sqrt()
        });
        Self {
            min_ms: sorted_ns.first().map(|ns| ms(*ns as f64)),
            mean_ms: mean.map(ms),
            stddev_ms: stddev.map(ms),
            median_ms: at(500),
            p90_ms: at(900),
            p95_ms: at(950),
            p99_ms: at(990),
            p99_9_ms: at(999),
            max_ms: sorted_ns.last().map(|ns| ms(*ns as f64)),
        }
    }
}

/// The value of rank `ceil(n * p)`: the smallest that at least this share of all does not exceed.
fn nearest_rank(sorted: &[i64], permille: usize) -> Option<i64> {
    let rank = (sorted.len() * permille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied()
}

/// A run of a benchmark, read again.
#[derive(Debug)]
pub(super) struct Measured {
    /// What was measured.
    pub(super) kind: BenchKind,
    /// The run.
    pub(super) manifest: Manifest,
    /// Name of its folder.
    pub(super) run: String,
    /// What it showed.
    pub(super) results: KindResults,
    /// Response times of acknowledged operations after the warm-up, in nanoseconds and ascending order.
    pub(super) response_ns: Vec<i64>,
}

impl Measured {
    /// Reads a run's rows.
    ///
    /// # Errors
    /// When the folder is not whole.
    pub(super) fn of(kind: BenchKind, folder: &RunFolder) -> Result<Self> {
        let manifest = folder.manifest()?;
        let mut counted = Counted::default();
        for batch in reader::operations(folder, &[])? {
            let rows = operation::from_batch(&batch?).map_err(|column| {
                run_folder::Error::corrupt(folder.operations_parquet(), format!("column {column} is damaged"))
            })?;
            rows.iter().for_each(|row| counted.take_in(row));
        }
        let (results, response_ns) = counted.results(kind, manifest.clock.workload_end_ns);
        Ok(Self { kind, manifest, run: folder.name(), results, response_ns })
    }
}

/// Rows counted so far.
#[derive(Debug, Default)]
struct Counted {
    results: KindResults,
    response_ns: Vec<i64>,
    service_ns: Vec<i64>,
    held: u64,
    not_found: u64,
    last_answer_ns: i64,
}

impl Counted {
    fn take_in(&mut self, row: &Operation) {
        if row.intended_ns < 0 {
            // Of the warm-up.
            return;
        }
        self.results.operations += 1;
        if row.outcome == Outcome::Ok {
            self.results.successes += 1;
            self.response_ns.push(row.end_ns - row.intended_ns);
            self.last_answer_ns = self.last_answer_ns.max(row.end_ns);
            self.service_ns.extend(row.start_ns.map(|start_ns| row.end_ns - start_ns));
            self.held += u64::from(row.txn_succeeded == Some(true));
            self.not_found += u64::from(row.seen_mod_revision == Some(0));
        } else {
            self.results.failures += 1;
            *self.results.failures_by_outcome.entry(row.outcome.as_str()).or_default() += 1;
            if let Some(error) = row.error {
                *self.results.failures_by_error.entry(error.as_str()).or_default() += 1;
            }
        }
    }

    /// The results, and the sorted response times.
    fn results(mut self, kind: BenchKind, workload_end_ns: i64) -> (KindResults, Vec<i64>) {
        // An open loop beyond what the cluster can do is answered long after its schedule's end.
        let time_s = workload_end_ns.max(self.last_answer_ns) as f64 / 1e9;
        self.response_ns.sort_unstable();
        self.service_ns.sort_unstable();
        let successes = self.results.successes;
        let is_transaction = kind == BenchKind::Transaction;
        let results = KindResults {
            time_s,
            ops_per_s: (time_s > 0.0).then(|| successes as f64 / time_s),
            latency: Latency::of(&self.response_ns),
            service_time: Latency::of(&self.service_ns),
            comparisons_held: is_transaction.then_some(self.held),
            comparisons_failed: is_transaction.then(|| successes - self.held),
            not_found: (kind == BenchKind::Get).then_some(self.not_found),
            ..self.results
        };
        (results, self.response_ns)
    }
}

#[cfg(test)]
mod tests {
    use run_folder::operation::{ErrorKind, Kind};

    use super::*;

    /// An acknowledged put that was due at `due_ms`, sent a millisecond later and answered after `response_ms`.
    fn put(op_id: i64, due_ms: i64, response_ms: i64) -> Operation {
        let ms = 1_000_000;
        Operation {
            op_id,
            worker: 0,
            kind: Kind::Put,
            intended_ns: due_ms * ms,
            start_ns: Some((due_ms + 1) * ms),
            end_ns: (due_ms + response_ms) * ms,
            outcome: Outcome::Ok,
            error: None,
            endpoint: 0,
            member: Some(0),
            raft_term: Some(2),
            revision: Some(op_id),
            key: 0,
            seen_mod_revision: None,
            txn_succeeded: None,
            value_bytes: 1,
        }
    }

    fn counted(kind: BenchKind, rows: &[Operation], workload_end_s: f64) -> (KindResults, Vec<i64>) {
        let mut counted = Counted::default();
        rows.iter().for_each(|row| counted.take_in(row));
        counted.results(kind, (workload_end_s * 1e9) as i64)
    }

    #[test]
    fn planted_times_come_out_exactly() {
        // 1 to 1000 ms, in an order of their own; 389 has no divisor in common with 1000.
        let mut rows: Vec<_> = (0..1000).map(|at| put(at, at, (at * 389) % 1000 + 1)).collect();
        // Of the warm-up: as slow as can be.
        rows.push(put(1000, -1, 60_000));
        let (results, response_ns) = counted(BenchKind::Put, &rows, 4.0);
        let some = |ms: f64| Some(ms);
        let latency = results.latency;
        assert_eq!((latency.min_ms, latency.max_ms, latency.mean_ms), (some(1.0), some(1000.0), some(500.5)));
        assert_eq!((latency.median_ms, latency.p90_ms, latency.p95_ms), (some(500.0), some(900.0), some(950.0)));
        assert_eq!((latency.p99_ms, latency.p99_9_ms), (some(990.0), some(999.0)));
        // Of the numbers 1 to n: the square root of n (n + 1) / 12.
        let expected = (1000.0 * 1001.0 / 12.0_f64).sqrt();
        assert!((latency.stddev_ms.unwrap() - expected).abs() < 1e-6, "{:?}", latency.stddev_ms);
        assert_eq!(results.service_time.max_ms, some(999.0), "sent a millisecond late");
        assert_eq!((results.operations, results.successes, results.failures), (1000, 1000, 0));
        assert_eq!((results.time_s, results.ops_per_s), (4.0, Some(250.0)));
        assert_eq!((response_ns.len(), response_ns[0]), (1000, 1_000_000));
        assert_eq!((results.comparisons_held, results.not_found), (None, None), "puts have neither");
    }

    #[test]
    fn an_open_loop_that_is_behind_has_the_rate_of_its_answers() {
        // 1000 a second for a second, of which the cluster answers 100 a second.
        let rows: Vec<_> = (0..1000).map(|at| put(at, at, 10 * (at + 1) - at)).collect();
        let (results, _) = counted(BenchKind::Put, &rows, 1.0);
        assert_eq!((results.time_s, results.ops_per_s), (10.0, Some(100.0)));
    }

    #[test]
    fn failures_are_counted_by_outcome_and_error_and_have_no_latency() {
        let not_ok = |op_id, outcome, error| Operation { outcome, error: Some(error), ..put(op_id, 0, 5_000) };
        let rows = [
            put(0, 0, 2),
            not_ok(1, Outcome::Failed, ErrorKind::Connect),
            not_ok(2, Outcome::Failed, ErrorKind::Connect),
            not_ok(3, Outcome::Unknown, ErrorKind::Deadline),
            Operation { start_ns: None, ..not_ok(4, Outcome::Unsent, ErrorKind::Deadline) },
        ];
        let (results, _) = counted(BenchKind::Put, &rows, 1.0);
        assert_eq!((results.operations, results.successes, results.failures), (5, 1, 4));
        assert_eq!(results.failures_by_outcome, BTreeMap::from([("failed", 2), ("unknown", 1), ("unsent", 1)]));
        assert_eq!(results.failures_by_error, BTreeMap::from([("connect", 2), ("deadline", 2)]));
        assert_eq!((results.latency.max_ms, results.latency.stddev_ms), (Some(2.0), None), "one has no deviation");
    }

    #[test]
    fn what_is_missing_is_absent_and_not_zero() {
        let (results, _) = counted(BenchKind::Get, &[], 0.0);
        assert_eq!((results.latency, results.ops_per_s), (Latency::default(), None));
        let json = serde_json::to_value(&results).unwrap();
        assert!(json["latency"]["p99_ms"].is_null() && json["ops_per_s"].is_null(), "{json}");
    }

    #[test]
    fn transactions_and_gets_say_what_they_found() {
        let transaction = |op_id, held| Operation { kind: Kind::Txn, txn_succeeded: Some(held), ..put(op_id, 0, 2) };
        let (results, _) =
            counted(BenchKind::Transaction, &[transaction(0, true), transaction(1, true), transaction(2, false)], 1.0);
        assert_eq!((results.comparisons_held, results.comparisons_failed), (Some(2), Some(1)));
        let get = |op_id, seen| Operation { kind: Kind::Get, seen_mod_revision: Some(seen), ..put(op_id, 0, 2) };
        let (results, _) = counted(BenchKind::Get, &[get(0, 17), get(1, 0)], 1.0);
        assert_eq!((results.not_found, results.comparisons_held), (Some(1), None));
    }
}
