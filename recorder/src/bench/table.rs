//! A benchmark's results for people.

use super::ranges::{Lies, Range};
use super::report::{KindReport, Report};
use super::results::Latency;
use crate::plan::bench::BenchKind;

/// Width of the first column, and of each kind's.
const NAME_WIDTH: usize = 22;
const KIND_WIDTH: usize = 14;

/// A number of a distribution.
type Column = fn(&Latency) -> Option<f64>;

/// The whole page.
pub(super) fn of(report: &Report) -> String {
    let mut page = vec![cluster(report), workload(report), String::new()];
    page.extend(results(report));
    page.push(String::new());
    page.extend(typical(report));
    let runs: Vec<_> = report.results.each().into_iter().filter_map(|(_, kind)| kind.run.as_deref()).collect();
    if !runs.is_empty() {
        page.push(String::new());
        page.push(format!("run folders: {}", runs.join(", ")));
    }
    page.join("\n")
}

fn cluster(report: &Report) -> String {
    let cluster = &report.cluster;
    let members = match cluster.members.len() {
        1 => "1 member".to_owned(),
        many => format!("{many} members"),
    };
    let version = cluster.etcd_version.as_ref().map_or_else(String::new, |version| format!(" of etcd {version}"));
    let place = match (cluster.backend.as_str(), cluster.adopted) {
        ("sandbox", true) => "in the sandbox that is up, from inside its network",
        ("sandbox", false) => "in a sandbox of the benchmark's own",
        ("docker", true) => "in containers that are up",
        ("docker", false) => "in containers of the benchmark's own",
        _ => "by their addresses",
    };
    format!("{members}{version} {place}")
}

fn workload(report: &Report) -> String {
    let workload = &report.workload;
    let amount = match (workload.operations, workload.duration_s) {
        (Some(operations), Some(seconds)) => format!("{operations} operations of each kind in at most {seconds} s"),
        (Some(operations), None) => format!("{operations} operations of each kind"),
        (None, seconds) => format!("{} s of each kind", seconds.unwrap_or(0.0)),
    };
    let load = match workload.rate_per_s {
        Some(rate) => format!("open loop of {rate:.0} operations a second"),
        None => format!("{} clients", workload.concurrency),
    };
    let connections = match workload.connections {
        1 => "1 connection".to_owned(),
        many => format!("{many} connections"),
    };
    format!(
        "{amount}; {load}, {connections} to each member; keys of {} bytes, values of {}; after {} s of warm-up",
        workload.key_size, workload.value_size, workload.warm_up_s
    )
}

fn results(report: &Report) -> Vec<String> {
    let kinds = report.results.each();
    let line = |name: &str, cell: &dyn Fn(&KindReport) -> String| {
        let cells: String = kinds.iter().map(|(_, kind)| format!("{:>KIND_WIDTH$}", cell(kind))).collect();
        format!("{name:<NAME_WIDTH$}{cells}")
    };
    let names: String = kinds.iter().map(|(kind, _)| format!("{:>KIND_WIDTH$}", kind.as_str())).collect();
    let mut lines = vec![
        format!("{:NAME_WIDTH$}{names}", ""),
        line("acknowledged", &|kind| kind.results.successes.to_string()),
        line("not acknowledged", &|kind| kind.results.failures.to_string()),
    ];
    let mut errors: Vec<_> = kinds.iter().flat_map(|(_, kind)| kind.results.failures_by_error.keys()).collect();
    errors.sort_unstable();
    errors.dedup();
    for error in errors {
        lines.push(line(&format!("  {error}"), &|kind| count(kind.results.failures_by_error.get(error).copied())));
    }
    lines.push(line("per second", &|kind| {
        kind.results.ops_per_s.map_or_else(dash, |ops_per_s| format!("{ops_per_s:.0}"))
    }));
    lines.push(line("comparisons held", &|kind| count(kind.results.comparisons_held)));
    if kinds.iter().any(|(_, kind)| kind.results.not_found.is_some_and(|not_found| not_found > 0)) {
        lines.push(line("keys not found", &|kind| count(kind.results.not_found)));
    }
    let mut latency = |heading: &str, of: &dyn Fn(&KindReport) -> Latency| {
        lines.push(heading.to_owned());
        let columns: [(&str, Column); 9] = [
            ("min", |latency| latency.min_ms),
            ("mean", |latency| latency.mean_ms),
            ("standard deviation", |latency| latency.stddev_ms),
            ("median", |latency| latency.median_ms),
            ("p90", |latency| latency.p90_ms),
            ("p95", |latency| latency.p95_ms),
            ("p99", |latency| latency.p99_ms),
            ("p99.9", |latency| latency.p99_9_ms),
            ("max", |latency| latency.max_ms),
        ];
        for (name, column) in columns {
            lines
                .push(line(&format!("  {name}"), &|kind| column(&of(kind)).map_or_else(dash, |ms| format!("{ms:.3}"))));
        }
    };
    if report.workload.rate_per_s.is_some() {
        latency("latency in ms, from when it was due", &|kind| kind.results.latency);
        latency("service time in ms, from when it was sent", &|kind| kind.results.service_time);
    } else {
        latency("latency in ms", &|kind| kind.results.latency);
    }
    lines
}

fn typical(report: &Report) -> Vec<String> {
    let cell = |range: &Range| {
        let lies = range.measured.map_or("-", Lies::as_str);
        format!("{:>KIND_WIDTH$}  {lies:<7}", format!("{}-{}", range.from, range.to))
    };
    let line = |(kind, report): (BenchKind, &KindReport)| {
        let typical = &report.typical;
        let cells = [cell(&typical.median_ms), cell(&typical.p99_ms), cell(&typical.ops_per_s)].concat();
        format!("{:<NAME_WIDTH$}{}", kind.as_str(), cells.trim_end())
    };
    let heading = ["median, ms", "p99, ms", "per second"].map(|name| format!("{name:>KIND_WIDTH$}  {:7}", "")).concat();
    let mut lines = vec![
        "typical of 3 members in one datacenter, and where this cluster lies".to_owned(),
        format!("{:NAME_WIDTH$}{}", "", heading.trim_end()),
    ];
    lines.extend(report.results.each().map(line));
    lines
}

fn count(value: Option<u64>) -> String {
    value.map_or_else(dash, |value| value.to_string())
}

fn dash() -> String {
    "-".to_owned()
}
