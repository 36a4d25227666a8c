//! A killed recorder's folder becomes what a clean finish would have made of it.

use std::fs;
use std::path::Path;

use super::*;
use crate::manifest::Rows;
use crate::{Error, FaultsWriter, OperationsWriter, SamplesWriter, Status, recover, synthetic};

/// A finished run, and beside it the same run as a kill at its end would have left it.
struct Killed {
    _results: TempDir,
    finished: RunFolder,
    killed: RunFolder,
}

impl Killed {
    fn new() -> Self {
        let results = tempfile::tempdir().unwrap();
        let now = Default::default();
        let finished = synthetic::write_run(results.path(), &lossy_shape(10_000), now).unwrap();
        let killed = RunFolder::create(results.path(), &Label::new("killed").unwrap(), now).unwrap();
        let mut manifest = finished.manifest().unwrap();
        manifest.status = Status::Running;
        manifest.rows = Rows::default();
        manifest.clock.ended_unix_ns = 0;
        manifest.clock.workload_end_ns = 0;
        manifest.write(&killed.manifest_json()).unwrap();
        killed.reserve_space().unwrap();
        // Dropping the writers leaves what a kill leaves: the journals, and tables without footers.
        OperationsWriter::create(&killed).unwrap().push(&read_operations(&finished)).unwrap();
        let mut faults = FaultsWriter::create(&killed).unwrap();
        for event in reader::faults(&finished).unwrap() {
            faults.push(&FaultEvent::default()).unwrap();
            faults.push(&event).unwrap();
        }
        SamplesWriter::create(&killed).unwrap().push(&read_samples(&finished)).unwrap();
        Self { _results: results, finished, killed }
    }

    fn check(&self) {
        let (finished, killed) = (&self.finished, &self.killed);
        let bytes = |path: &Path| fs::read(path).unwrap();
        for table in [RunFolder::operations_parquet, RunFolder::faults_parquet, RunFolder::samples_parquet] {
            assert!(bytes(&table(finished)) == bytes(&table(killed)), "{}", table(killed).display());
        }
        for log in [RunFolder::latency_log, RunFolder::anomaly_log, RunFolder::throughput_csv] {
            assert!(bytes(&log(finished)) == bytes(&log(killed)), "{}", log(killed).display());
        }
        let manifest = killed.manifest().unwrap();
        assert_eq!(manifest.rows, finished.manifest().unwrap().rows);
        reader::check(killed, &manifest).unwrap();
        assert_eq!(fs::read_dir(killed.dir()).unwrap().count(), 9, "journals or the reserve are still there");
    }
}

#[test]
fn a_recovered_run_equals_a_finished_one() {
    let runs = Killed::new();
    let recovery = recover(&runs.killed).unwrap();
    runs.check();
    let rows = recovery.rows.operations;
    let reason = format!(
        "the recorder was killed; {rows} operations recovered, at most the last second before its end is missing"
    );
    assert_eq!(recovery.reason, reason);
    assert_eq!(recovery.dropped_bytes, 0);
    let manifest = runs.killed.manifest().unwrap();
    assert_eq!(manifest.status, Status::Failed { reason, recovered: true });
    let clock = manifest.clock;
    assert_eq!(clock.ended_unix_ns, clock.origin_unix_ns + clock.workload_end_ns);
    assert_eq!(clock.workload_end_ns, runs.finished.manifest().unwrap().clock.workload_end_ns);
}

/// Each step of a recovery leaves a state from which the next recovery ends the same.
#[test]
fn a_recovery_that_is_killed_is_done_again() {
    let steps: [fn(&RunFolder); 4] = [
        |folder| fs::write(folder.operations_parquet().with_extension("parquet.new"), "half").unwrap(),
        |folder| {
            let done = recovered_copy(folder);
            fs::copy(done.1.operations_parquet(), folder.operations_parquet()).unwrap();
        },
        |folder| {
            let done = recovered_copy(folder);
            fs::copy(done.1.faults_parquet(), folder.faults_parquet()).unwrap();
            fs::write(folder.latency_log(), "half").unwrap();
        },
        |folder| {
            let journals = [folder.operations_journal(), folder.faults_journal()];
            let saved = journals.clone().map(|journal| fs::read(journal).unwrap());
            recover(folder).unwrap();
            journals.iter().zip(saved).for_each(|(journal, bytes)| fs::write(journal, bytes).unwrap());
        },
    ];
    for step in steps {
        let runs = Killed::new();
        step(&runs.killed);
        recover(&runs.killed).unwrap();
        runs.check();
    }
}

fn recovered_copy(folder: &RunFolder) -> (TempDir, RunFolder) {
    let results = tempfile::tempdir().unwrap();
    let copy = results.path().join(folder.name());
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(folder.dir()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let copy = RunFolder::open(&copy).unwrap();
    recover(&copy).unwrap();
    (results, copy)
}

#[test]
fn a_run_that_is_whole_is_left_alone() {
    let runs = Killed::new();
    let before = fs::read(runs.finished.manifest_json()).unwrap();
    let error = recover(&runs.finished).unwrap_err();
    assert!(matches!(error, Error::NothingToRecover { .. }), "{error}");
    assert!(error.to_string().ends_with("nothing to recover, the run is finished"), "{error}");
    assert_eq!(fs::read(runs.finished.manifest_json()).unwrap(), before);
    recover(&runs.killed).unwrap();
    assert!(matches!(recover(&runs.killed).unwrap_err(), Error::NothingToRecover { .. }));
}

#[test]
fn a_live_recorder_is_left_alone_until_it_lets_go() {
    let (_results, folder) = new_folder();
    let mut manifest = Killed::new().killed.manifest().unwrap();
    manifest.write(&folder.manifest_json()).unwrap();
    let mut writer = OperationsWriter::create(&folder).unwrap();
    writer.push(&some_operations(10)).unwrap();
    assert!(matches!(recover(&folder).unwrap_err(), Error::StillRecording { .. }));
    let lock = writer.lock().unwrap();
    assert_eq!(writer.finish().unwrap(), 10);
    assert!(matches!(recover(&folder).unwrap_err(), Error::StillRecording { .. }));
    manifest.status = Status::Failed { reason: "the disk is full".into(), recovered: false };
    manifest.write(&folder.manifest_json()).unwrap();
    drop(lock);
    assert_eq!(recover(&folder).unwrap().reason, "the disk is full; 10 operations recovered");
}

#[test]
fn a_run_killed_before_its_first_row_becomes_an_empty_one() {
    let (_results, folder) = new_folder();
    let manifest = Killed::new().killed.manifest().unwrap();
    manifest.write(&folder.manifest_json()).unwrap();
    let recovery = recover(&folder).unwrap();
    assert_eq!(recovery.rows, Rows::default());
    assert!(recovery.reason.contains("no operation was recorded"), "{}", recovery.reason);
    reader::check(&folder, &folder.manifest().unwrap()).unwrap();
    assert_eq!(fs::read_to_string(folder.throughput_csv()).unwrap(), "second,ops\n0,0\n");
}

#[test]
fn a_torn_row_is_dropped_and_said_so() {
    let runs = Killed::new();
    let journal = runs.killed.operations_journal();
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 1]).unwrap();
    let recovery = recover(&runs.killed).unwrap();
    assert_eq!(recovery.dropped_bytes, 79);
    assert_eq!(recovery.rows.operations + 1, runs.finished.manifest().unwrap().rows.operations);
    assert!(recovery.reason.contains("79 bytes"), "{}", recovery.reason);
}

#[test]
fn an_unknown_time_origin_is_estimated() {
    let runs = Killed::new();
    let mut manifest = runs.killed.manifest().unwrap();
    manifest.clock.origin_unix_ns = 0;
    manifest.write(&runs.killed.manifest_json()).unwrap();
    recover(&runs.killed).unwrap();
    let manifest = runs.killed.manifest().unwrap();
    let now_unix_ns = chrono::Utc::now().timestamp_nanos_opt().unwrap();
    let off_by_ns = now_unix_ns - manifest.clock.ended_unix_ns;
    assert!((0..60_000_000_000).contains(&off_by_ns), "off by {off_by_ns} ns");
    assert_eq!(manifest.warnings.len(), 2);
}
