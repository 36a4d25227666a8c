//! `summary.txt` and `metadata.txt`.

use std::fmt::Write;
use std::fs;

use super::logs::Seconds;
use super::quantiles::Quantiles;
use crate::{Error, Manifest, Result, RunFolder};

/// Percentiles that the summary gives.
pub(super) const PERCENTILES: [u64; 3] = [50, 95, 99];

pub(super) fn write(folder: &RunFolder, manifest: &Manifest, quantiles: &Quantiles, seconds: &Seconds) -> Result<()> {
    let write = |path, text: String| fs::write(&path, text).map_err(Error::io(&path, "cannot write"));
    write(folder.summary_txt(), summary(manifest, quantiles, seconds))?;
    write(folder.metadata_txt(), metadata(folder, manifest))
}

fn summary(manifest: &Manifest, quantiles: &Quantiles, seconds: &Seconds) -> String {
    let millis =
        |ns: Option<u64>| ns.map_or("none".to_owned(), |ns| format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000));
    let elapsed_ns = manifest.clock.workload_end_ns.max(seconds.last_end_ns).max(0) as u64;
    let throughput = if elapsed_ns == 0 { 0.0 } else { quantiles.count() as f64 * 1e9 / elapsed_ns as f64 };
    let mut text = String::new();
    for percentile in PERCENTILES {
        line(&mut text, &format!("p{percentile}_ms"), millis(quantiles.get(percentile)));
    }
    line(&mut text, "max_ms", millis(quantiles.max()));
    line(&mut text, "total_ops", quantiles.count());
    line(&mut text, "failed_ops", seconds.failed);
    line(&mut text, "elapsed_ms", millis(Some(elapsed_ns)));
    line(&mut text, "throughput_ops_per_s", format!("{throughput:.3}"));
    text
}

fn metadata(folder: &RunFolder, manifest: &Manifest) -> String {
    let spec = &manifest.spec;
    let name = |index: Option<usize>| index.map_or("none", |index| manifest.member_name(index)).to_owned();
    let endpoints: Vec<_> = manifest.cluster.members.iter().map(|member| member.client_url.as_str()).collect();
    let targets: Vec<_> = manifest.fault_targets.iter().map(|&index| manifest.member_name(index)).collect();
    // What was hit in a recorded run stands beside its fault; of an imported one, at most its name is known.
    let asked = spec.fault.as_ref().filter(|_| manifest.imported.is_some()).map(|fault| fault.target.to_string());
    let target = if targets.is_empty() { asked.unwrap_or_else(|| "none".to_owned()) } else { targets.join(",") };
    // Plain seconds, as the older scripts took them.
    let seconds = |ms: Option<u64>| ms.map_or("none".to_owned(), |ms| (ms as f64 / 1000.0).to_string());
    let fault = spec.fault.as_ref();
    let lines = [
        ("run", "", folder.name()),
        ("label", "", spec.label.to_string()),
        ("mode", "", manifest.command.clone()),
        ("status", "", one_line(&manifest.status.to_string())),
        ("endpoints", "cluster.members", endpoints.join(",")),
        ("leader", "leaders", name(manifest.leaders.injection.or(manifest.leaders.start))),
        ("target", "spec.fault.target", target),
        ("fault", "spec.fault", fault.map_or("none".to_owned(), |fault| fault.effect.to_string())),
        ("inject_at", "spec.fault.at_ms", seconds(fault.map(|fault| fault.at_ms))),
        ("inject_for", "spec.fault.for_ms", seconds(fault.and_then(|fault| fault.for_ms))),
        ("duration", "spec.workload.duration_ms", seconds(spec.workload.duration_ms)),
        ("warm_up", "spec.workload.warm_up_ms", seconds(Some(spec.workload.warm_up_ms))),
        ("concurrency", "spec.workload.concurrency", spec.workload.concurrency.to_string()),
        ("nodes", "spec.cluster.nodes", spec.cluster.nodes.to_string()),
        ("etcd_version", "cluster.etcd_version", manifest.cluster.etcd_version.clone()),
        ("seed", "spec.seed", spec.seed.to_string()),
        ("started_unix_ns", "clock.origin_unix_ns", manifest.clock.origin_unix_ns.to_string()),
        ("ended_unix_ns", "clock.ended_unix_ns", manifest.clock.ended_unix_ns.to_string()),
    ];
    let mut text = String::new();
    for (key, _, value) in lines.into_iter().filter(|(_, field, _)| manifest.knows(field)) {
        line(&mut text, key, value);
    }
    text
}

fn line(text: &mut String, key: &str, value: impl std::fmt::Display) {
    writeln!(text, "{key}={value}").expect("writing to a string cannot fail");
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
