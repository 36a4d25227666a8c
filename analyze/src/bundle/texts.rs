//! `README.txt` and `environment.json`.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use run_folder::{Manifest, RunFolder};
use serde_json::{Value, json};

use super::Reason;

/// For whom finds a bundle and has never heard of Laggard.
pub(super) fn readme(runs: &[(RunFolder, Reason)]) -> Vec<u8> {
    let mut text = String::from(
        "This is a bundle of Laggard: recordings of experiments with slow members of etcd clusters.

It is a tar archive that was compressed with zstd. To open it without Laggard:

    zstd -d < FILE | tar x
    cd laggard-bundle
    sha256sum -c SHA256SUMS

With Laggard it is analysed as it is, by its name in the place of a folder:

    analyze list --dir FILE
    analyze delta --dir FILE

or, once opened, from laggard-bundle/, where etcd_bench_results/ is found by itself.

  bundle.json          the runs, why each is here, what was left out, every file with its SHA-256
  SHA256SUMS           the same checksums; they tell damage, not who wrote them
  environment.json     machines, clusters and versions, put together from the manifests
  report.html          the report, where there is one
  etcd_bench_results/  the recordings: for each run a folder <UTC TIME>_<LABEL> with
    manifest.json        the run exactly as it was asked for, cluster, leaders, machine, clock
    operations.parquet   one row for each operation that was due; times in ns after the run's time 0
    faults.parquet       what was done to the network, when, by which commands, and the evidence
    samples.parquet      what members said of themselves
    final_state.parquet  what the keys held at the end, where that is known
    latency.log, summary.txt, metadata.txt, throughput.csv, anomaly.log   derived, for older programs
    sweeps/*.json        plans of runs that belong together

Any program that knows Apache Parquet reads the tables.

Runs:
",
    );
    for (run, reason) in runs {
        let reason = match reason {
            Reason::Selected => "",
            Reason::Compared => "  (others are compared with it)",
        };
        text += &format!("  {}{reason}\n", run.name());
    }
    text.into_bytes()
}

/// Machines, clusters and versions of all runs, each different one once with the number of its runs.
pub(super) fn environment(manifests: &[Manifest]) -> Vec<u8> {
    let mut hosts = Groups::default();
    let mut clusters = Groups::default();
    let mut tools = Groups::default();
    for Manifest { host, cluster, spec, tool_version, format_version, .. } in manifests {
        hosts.add(json!({
            "kernel": host.kernel, "cpu": host.cpu, "cores": host.cores, "memory_bytes": host.memory_bytes,
        }));
        clusters.add(json!({
            "backend": cluster.backend, "nodes": spec.cluster.nodes, "etcd_version": cluster.etcd_version,
            "data_file_system": cluster.data_file_system, "image": cluster.image, "engine": cluster.engine,
        }));
        tools.add(json!({ "tool_version": tool_version, "format_version": format_version }));
    }
    let worst = |of: fn(&Manifest) -> f64| manifests.iter().map(of).reduce(f64::max);
    let time = |unix_ns: Option<i64>| {
        unix_ns.map(|ns| DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(SecondsFormat::Millis, true))
    };
    let known = |unix_ns: &i64| *unix_ns > 0;
    let environment = json!({
        "runs": manifests.len(),
        "first_started": time(manifests.iter().map(|run| run.clock.origin_unix_ns).filter(known).min()),
        "last_ended": time(manifests.iter().map(|run| run.clock.ended_unix_ns).filter(known).max()),
        "load_average_max": worst(|run| run.host.load_average[0].max(run.host.load_average[1])),
        "steal_percent_max": worst(|run| run.host.steal_percent),
        "hosts": hosts.into_json(),
        "clusters": clusters.into_json(),
        "recorders": tools.into_json(),
    });
    (serde_json::to_string_pretty(&environment).expect("all keys are strings") + "\n").into_bytes()
}

/// Different values, each with the number of its runs.
#[derive(Default)]
struct Groups(BTreeMap<String, (Value, u64)>);

impl Groups {
    fn add(&mut self, value: Value) {
        self.0.entry(value.to_string()).or_insert((value, 0)).1 += 1;
    }

    fn into_json(self) -> Value {
        let counted = |(mut value, runs): (Value, u64)| {
            value["runs"] = runs.into();
            value
        };
        self.0.into_values().map(counted).collect()
    }
}
