//! What a benchmark says: what was run, what it showed, and what is typical.

use chrono::{DateTime, SecondsFormat};
use run_folder::spec::Pacing;
use serde::Serialize;

use super::ranges::Typical;
use super::results::{KindResults, Measured};
use crate::error::{Error, Result};
use crate::plan::bench::BenchKind;

/// An open loop whose last answer came later than its schedule's end by this factor was behind.
const BEHIND: f64 = 1.1;

/// A benchmark's results. These names are the ones of `--json`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    /// When the first kind was begun to be measured, in UTC.
    pub(super) started: Option<String>,
    /// What was measured.
    pub(super) cluster: ClusterFacts,
    /// What it was asked.
    pub(super) workload: WorkloadFacts,
    /// What it showed, by kind.
    pub(super) results: ByKind,
    /// What a reader of the results should know, in sentences.
    pub(super) warnings: Vec<String>,
}

/// The cluster.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ClusterFacts {
    /// What its members run in: sandbox or docker; endpoints when only their addresses are known.
    pub(super) backend: String,
    /// Whether it was up before, and stays up.
    pub(super) adopted: bool,
    /// Version of etcd.
    pub(super) etcd_version: Option<String>,
    /// The members.
    pub(super) members: Vec<MemberFacts>,
}

/// A member.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MemberFacts {
    /// Its name, or its address as typed.
    name: String,
    /// Where operations reached it.
    endpoint: String,
}

/// The workload, which is the same for all kinds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WorkloadFacts {
    /// Operations of each kind; absent when time alone was the limit.
    pub(super) operations: Option<u64>,
    /// Time for each kind, in seconds; absent when the number was the limit.
    pub(super) duration_s: Option<f64>,
    /// Operations due per second; absent in a closed loop.
    pub(super) rate_per_s: Option<f64>,
    /// Clients at once, or the open loop's cap.
    pub(super) concurrency: u32,
    /// Connections to each member.
    pub(super) connections: u32,
    /// Distinct keys.
    pub(super) keys: u32,
    /// Bytes of a key.
    pub(super) key_size: u32,
    /// Bytes of a value.
    pub(super) value_size: u32,
    /// Load before the measuring, in seconds.
    pub(super) warm_up_s: f64,
    /// When an operation is given up, in seconds.
    pub(super) deadline_s: f64,
    /// Source of all randomness.
    pub(super) seed: u64,
}

/// One value for each kind.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ByKind {
    put: KindReport,
    get: KindReport,
    transaction: KindReport,
}

/// A kind.
#[derive(Debug, Clone, Serialize)]
pub(super) struct KindReport {
    /// What it showed.
    #[serde(flatten)]
    pub(super) results: KindResults,
    /// What is typical.
    pub(super) typical: Typical,
    /// Name of its run folder; absent when it was not kept.
    pub(super) run: Option<String>,
}

impl ByKind {
    /// The kinds in their order.
    pub(super) fn each(&self) -> [(BenchKind, &KindReport); 3] {
        [(BenchKind::Put, &self.put), (BenchKind::Get, &self.get), (BenchKind::Transaction, &self.transaction)]
    }
}

impl Report {
    /// Of the runs that were measured, one of each kind in their order; `notes` are known besides.
    pub(super) fn new(measured: &[Measured; 3], notes: Vec<String>, is_kept: bool) -> Self {
        let [first, ..] = measured;
        let report = |measured: &Measured| KindReport {
            typical: Typical::of(
                measured.kind,
                &measured.results,
                measured.manifest.spec.workload.pacing != Pacing::Closed,
            ),
            results: measured.results.clone(),
            run: is_kept.then(|| measured.run.clone()),
        };
        let [put, get, transaction] = measured.each_ref().map(report);
        Self {
            started: started(first),
            cluster: cluster(first),
            workload: workload(first),
            results: ByKind { put, get, transaction },
            warnings: warnings(measured, notes),
        }
    }

    /// Fails when some kind shows nothing.
    ///
    /// # Errors
    /// [`Error::Run`] that names the kinds, with what became of their operations.
    pub(super) fn check(&self) -> Result<()> {
        let nothing = |(kind, report): (BenchKind, &KindReport)| {
            let results = &report.results;
            (results.successes == 0).then(|| match results.failures {
                0 => format!("no {} was due", kind.as_str()),
                _ => format!("no {} was acknowledged ({})", kind.as_str(), counts(&results.failures_by_error)),
            })
        };
        let problems: Vec<_> = self.results.each().into_iter().filter_map(nothing).collect();
        if problems.is_empty() {
            return Ok(());
        }
        let too_large = self.warnings.iter().any(|warning| warning.contains("request is too large"));
        let hint = if too_large {
            "; the members take smaller requests only (--max-request-bytes): lower --value-size"
        } else {
            ""
        };
        Err(Error::run(format!("{}{hint}", problems.join("; "))))
    }
}

/// Counts by name, as in `connect 12, deadline 3`.
pub(super) fn counts(of: &std::collections::BTreeMap<&'static str, u64>) -> String {
    of.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

fn started(first: &Measured) -> Option<String> {
    let origin_unix_ns = first.manifest.clock.origin_unix_ns;
    (origin_unix_ns > 0)
        .then(|| DateTime::from_timestamp_nanos(origin_unix_ns).to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn cluster(first: &Measured) -> ClusterFacts {
    let cluster = &first.manifest.cluster;
    let member = |member: &run_folder::manifest::Member| MemberFacts {
        name: member.name.clone(),
        endpoint: member.client_url.trim_start_matches("http://").to_owned(),
    };
    ClusterFacts {
        backend: cluster.backend.clone(),
        adopted: cluster.adopted,
        etcd_version: Some(cluster.etcd_version.clone()).filter(|version| !version.is_empty()),
        members: cluster.members.iter().map(member).collect(),
    }
}

fn workload(first: &Measured) -> WorkloadFacts {
    let spec = &first.manifest.spec;
    let workload = &spec.workload;
    let seconds = |ms: u64| ms as f64 / 1000.0;
    // In an even open loop the rate is what gives the duration.
    let even_rate = || match (workload.pacing, workload.operations, workload.duration_ms) {
        (Pacing::Even, Some(operations), Some(ms)) => Some(operations as f64 / seconds(ms)),
        _ => None,
    };
    WorkloadFacts {
        operations: workload.operations,
        duration_s: workload.duration_ms.map(seconds),
        rate_per_s: workload.rate_per_s.or_else(even_rate),
        concurrency: workload.concurrency,
        connections: workload.connections,
        keys: workload.keys,
        key_size: workload.key_bytes,
        value_size: workload.value_bytes,
        warm_up_s: seconds(workload.warm_up_ms),
        deadline_s: seconds(workload.deadline_ms),
        seed: spec.seed,
    }
}

/// What the runs warn of, each thing once and with the kinds that it is about.
fn warnings(measured: &[Measured], notes: Vec<String>) -> Vec<String> {
    let mut of_runs: Vec<(&str, Vec<&str>)> = Vec::new();
    for run in measured {
        for warning in &run.manifest.warnings {
            match of_runs.iter_mut().find(|(known, _)| known == warning) {
                Some((_, kinds)) => kinds.push(run.kind.as_str()),
                None => of_runs.push((warning, vec![run.kind.as_str()])),
            }
        }
    }
    let text = |(warning, kinds): (&str, Vec<&str>)| match kinds.len() {
        all if all == measured.len() => warning.to_owned(),
        _ => format!("{}: {warning}", kinds.join(", ")),
    };
    let of_results = measured.iter().flat_map(of_results);
    notes.into_iter().chain(of_runs.into_iter().map(text)).chain(of_results).collect()
}

/// What the numbers of a kind do not show by themselves.
fn of_results(measured: &Measured) -> Vec<String> {
    let (kind, results) = (measured.kind.as_str(), &measured.results);
    let mut warnings = Vec::new();
    if results.failures > 0 && results.successes > 0 {
        warnings.push(format!(
            "{kind}: {} of {} were not acknowledged; latency leaves them out, and the time that clients waited for them is in \
             what was acknowledged per second",
            results.failures, results.operations
        ));
    }
    let due_s = measured.manifest.clock.workload_end_ns as f64 / 1e9;
    if results.time_s > due_s * BEHIND {
        warnings.push(format!(
            "{kind}: what became due in {due_s:.1} s was answered within {:.1} s: the rate is more than the cluster can do",
            results.time_s
        ));
    }
    let changed = results.comparisons_failed.unwrap_or(0) + results.not_found.unwrap_or(0);
    if changed > 0 {
        warnings.push(format!(
            "{kind}: {changed} found another state than this benchmark left; has somebody changed its keys, as a second \
             benchmark does?"
        ));
    }
    warnings
}
