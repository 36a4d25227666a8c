//! The older files say what the Parquet says, by a computation of their own.

use std::fs;

use super::*;
use crate::{Manifest, OperationsWriter, older_files, synthetic};

/// A run by the operations alone, so that a test can choose them.
fn write(operations: &[Operation]) -> (TempDir, RunFolder, Manifest) {
    let results = tempfile::tempdir().unwrap();
    let folder = synthetic::write_run(results.path(), &lossy_shape(10), Default::default()).unwrap();
    let manifest = folder.manifest().unwrap();
    fs::remove_file(folder.operations_parquet()).unwrap();
    let mut writer = OperationsWriter::create(&folder).unwrap();
    writer.push(operations).unwrap();
    writer.finish().unwrap();
    older_files::write(&folder, &manifest).unwrap();
    (results, folder, manifest)
}

fn lines(path: std::path::PathBuf) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn value_of(lines: &[String], key: &str) -> String {
    let prefix = format!("{key}=");
    lines.iter().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_else(|| panic!("no {key}")).to_owned()
}

fn millis(ns: i128) -> String {
    format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000)
}

#[test]
fn they_agree_with_the_parquet() {
    let results = tempfile::tempdir().unwrap();
    // Nothing gets through for long enough that whole seconds are without an answer.
    let fault = Some(Fault { effect: Effect::Loss { loss_percent: 100.0 }, at_ms: 1300, for_ms: Some(100) });
    let shape = Shape { fault, ..lossy_shape(30_000) };
    let folder = synthetic::write_run(results.path(), &shape, Default::default()).unwrap();
    let origin_ns = i128::from(folder.manifest().unwrap().clock.origin_unix_ns);
    let due: Vec<_> = read_operations(&folder).into_iter().filter(|operation| operation.intended_ns >= 0).collect();
    let (ok, failed): (Vec<_>, Vec<_>) = due.iter().partition(|operation| operation.outcome == Outcome::Ok);
    assert!(!failed.is_empty(), "the test wants failures");
    let service_ns = |operation: &&Operation| i128::from(operation.end_ns - operation.start_ns.unwrap());

    let latency = ok.iter().map(|operation: &&Operation| {
        format!("{},{}", millis(origin_ns + i128::from(operation.end_ns)), millis(service_ns(operation)))
    });
    let expected: Vec<_> = std::iter::once("end_ms,latency_ms".to_owned()).chain(latency).collect();
    assert_eq!(lines(folder.latency_log()), expected);

    let anomaly = failed.iter().map(|operation| {
        let kind = operation.kind.as_str().to_uppercase();
        format!("{},{kind}_FAILED", millis(origin_ns + i128::from(operation.end_ns)))
    });
    assert_eq!(lines(folder.anomaly_log()), anomaly.collect::<Vec<_>>());

    let last_second = due.iter().map(|operation| operation.end_ns / 1_000_000_000).max().unwrap();
    let per_second = (0..=last_second).map(|second| {
        let ops = ok.iter().filter(|operation| operation.end_ns / 1_000_000_000 == second).count();
        format!("{second},{ops}")
    });
    let expected: Vec<_> = std::iter::once("second,ops".to_owned()).chain(per_second).collect();
    assert_eq!(lines(folder.throughput_csv()), expected);
    assert!(expected.iter().any(|line| line.ends_with(",0")), "the test wants an empty second");

    let summary = lines(folder.summary_txt());
    let mut sorted: Vec<_> = ok.iter().map(service_ns).collect();
    sorted.sort_unstable();
    for percent in [50_usize, 95, 99] {
        let rank = (percent * sorted.len()).div_ceil(100);
        assert_eq!(value_of(&summary, &format!("p{percent}_ms")), millis(sorted[rank - 1]));
    }
    assert_eq!(value_of(&summary, "max_ms"), millis(*sorted.last().unwrap()));
    assert_eq!(value_of(&summary, "total_ops"), ok.len().to_string());
    let elapsed_ns = folder.manifest().unwrap().clock.workload_end_ns;
    assert_eq!(value_of(&summary, "elapsed_ms"), millis(elapsed_ns.into()));
    let throughput: f64 = value_of(&summary, "throughput_ops_per_s").parse().unwrap();
    assert!((throughput - ok.len() as f64 * 1e9 / elapsed_ns as f64).abs() < 0.001);
}

#[test]
fn metadata_has_the_older_keys() {
    let results = tempfile::tempdir().unwrap();
    let folder = synthetic::write_run(results.path(), &lossy_shape(10), Default::default()).unwrap();
    let metadata = lines(folder.metadata_txt());
    for (key, value) in [
        ("endpoints", "http://10.0.0.2:2379,http://10.0.1.2:2379,http://10.0.2.2:2379"),
        ("mode", "slow-leader"),
        ("inject_at", "0.3"),
        ("label", "loss50_mid"),
        ("leader", "etcd1"),
        ("target", "etcd1"),
    ] {
        assert_eq!(value_of(&metadata, key), value);
    }
}

#[test]
fn a_run_without_rows_has_all_five() {
    let (_results, folder, manifest) = write(&[]);
    assert_eq!(lines(folder.latency_log()), ["end_ms,latency_ms"]);
    assert_eq!(lines(folder.anomaly_log()), [""; 0]);
    let seconds = (manifest.clock.workload_end_ns - 1) / 1_000_000_000;
    assert_eq!(lines(folder.throughput_csv()).len() as i64, 2 + seconds);
    let summary = lines(folder.summary_txt());
    assert_eq!(value_of(&summary, "p50_ms"), "none");
    assert_eq!(value_of(&summary, "total_ops"), "0");
    assert!(!lines(folder.metadata_txt()).is_empty());
}

#[test]
fn an_impossible_time_is_no_endless_file() {
    let (_results, folder, manifest) = write(&[]);
    fs::remove_file(folder.operations_journal()).unwrap();
    let mut writer = OperationsWriter::create(&folder).unwrap();
    writer.push(&[Operation { end_ns: i64::MAX, intended_ns: 0, ..some_operations(1)[0] }]).unwrap();
    writer.finish().unwrap();
    let error = older_files::write(&folder, &manifest).unwrap_err().to_string();
    assert!(error.contains("impossible end_ns"), "{error}");
}
