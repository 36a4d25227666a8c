//! Planted runs: folders whose every row is known.

use std::path::Path;
use std::process::{Command, Output};

use chrono::{DateTime, TimeDelta};
use run_folder::operation::{ErrorKind, Kind, Outcome};
use run_folder::spec::Effect;
use run_folder::synthetic::{self, Fault, Shape};
use run_folder::{
    FaultEvent, FaultsWriter, Label, Manifest, Operation, OperationsWriter, RunFolder, Sample, SamplesWriter, reader,
};

pub(crate) const MS: i64 = 1_000_000;
pub(crate) const S: i64 = 1_000 * MS;

/// A put that was due and sent at `at_ns`, and acknowledged `took_ns` later.
pub(crate) fn put(at_ns: i64, took_ns: i64) -> Operation {
    Operation {
        op_id: 0,
        worker: 0,
        kind: Kind::Put,
        intended_ns: at_ns,
        start_ns: Some(at_ns),
        end_ns: at_ns + took_ns,
        outcome: Outcome::Ok,
        error: None,
        endpoint: 0,
        member: Some(0),
        raft_term: Some(2),
        revision: Some(1),
        key: 0,
        seen_mod_revision: None,
        txn_succeeded: None,
        value_bytes: 256,
    }
}

/// A put that was due at `at_ns` and given up after five seconds.
pub(crate) fn lost(at_ns: i64, outcome: Outcome) -> Operation {
    let start_ns = (outcome != Outcome::Unsent).then_some(at_ns);
    let error = Some(ErrorKind::Deadline);
    Operation { outcome, error, start_ns, member: None, raft_term: None, revision: None, ..put(at_ns, 5 * S) }
}

/// A finished run with exactly these operations, of 30 seconds, with a delay of 20 ms from second 10 to second 20 where
/// asked for. `edit` may change the manifest before it is written.
pub(crate) fn plant(
    results: &Path,
    label: &str,
    operations: &[Operation],
    has_fault: bool,
    edit: impl FnOnce(&mut Manifest),
) -> RunFolder {
    let fault = Fault { effect: Effect::delay(20_000), at_ms: 10_000, for_ms: Some(10_000) };
    let shape =
        Shape { label: Label::new(label).expect("a label"), fault: has_fault.then_some(fault), ..Shape::busy(10, 1) };
    let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time") + TimeDelta::minutes(count(results) * 5);
    let folder = synthetic::write_run(results, &shape, now).expect("a run");
    let mut manifest = folder.manifest().expect("a manifest");
    std::fs::remove_file(folder.operations_parquet()).expect("operations");
    let mut writer = OperationsWriter::create(&folder).expect("a writer");
    let numbered: Vec<_> =
        operations.iter().enumerate().map(|(at, row)| Operation { op_id: at as i64, ..*row }).collect();
    writer.push(&numbered).expect("rows");
    manifest.rows.operations = writer.finish().expect("a table");
    manifest.spec.workload.warm_up_ms = 1000;
    manifest.clock.workload_end_ns = 30 * S;
    edit(&mut manifest);
    manifest.write(&folder.manifest_json()).expect("a manifest");
    folder.remove_journals().expect("no journals");
    let exact: Vec<FaultEvent> = reader::faults(&folder)
        .expect("faults")
        .into_iter()
        .map(|event| FaultEvent { applied_ns: Some(10 * S), cleared_ns: Some(20 * S), ..event })
        .collect();
    plant_faults(&folder, &exact);
    folder
}

/// Gives a run other samples: at each time, every member names this leader.
pub(crate) fn plant_leaders(folder: &RunFolder, leaders: &[(i64, i8)]) {
    std::fs::remove_file(folder.samples_parquet()).expect("samples");
    let mut writer = SamplesWriter::create(folder).expect("a writer");
    let rows: Vec<Sample> = leaders
        .iter()
        .flat_map(|&(time_ns, leader)| {
            (0..3).map(move |member| Sample {
                time_ns,
                member: Some(member),
                metric: run_folder::sample::metric::LEADER.to_owned(),
                label: None,
                value: f64::from(leader),
            })
        })
        .collect();
    writer.push(&rows).expect("rows");
    let mut manifest = folder.manifest().expect("a manifest");
    manifest.rows.samples = writer.finish().expect("a table");
    manifest.write(&folder.manifest_json()).expect("a manifest");
    folder.remove_journals().expect("no journals");
}

/// Gives a run other faults; none, as when it failed before the first.
pub(crate) fn plant_faults(folder: &RunFolder, events: &[FaultEvent]) {
    std::fs::remove_file(folder.faults_parquet()).expect("faults");
    let mut manifest = folder.manifest().expect("a manifest");
    let mut writer = FaultsWriter::create(folder).expect("a writer");
    events.iter().try_for_each(|event| writer.push(event)).expect("rows");
    manifest.rows.faults = writer.finish().expect("a table");
    manifest.write(&folder.manifest_json()).expect("a manifest");
    folder.remove_journals().expect("no journals");
}

fn count(results: &Path) -> i64 {
    RunFolder::list(results).map_or(0, |runs| runs.len() as i64)
}

/// A steady run with a slow middle: 100 puts a second of 2 ms, 22 ms during the fault, and some that were lost.
pub(crate) fn slow_middle() -> Vec<Operation> {
    let mut operations: Vec<Operation> = (-100..3000)
        .map(|at| {
            let at_ns = i64::from(at) * 10 * MS;
            let is_slow = (10 * S..20 * S).contains(&at_ns);
            put(at_ns, if is_slow { 22 * MS } else { 2 * MS })
        })
        .collect();
    operations.push(lost(12 * S, Outcome::Unknown));
    operations.push(lost(13 * S, Outcome::Failed));
    operations.push(lost(14 * S, Outcome::Unsent));
    operations
}

/// Runs the program.
pub(crate) fn analyze(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_analyze")).args(args).output().expect("the program")
}

/// Runs the program on a results folder, and gives exit code, standard output and standard error.
pub(crate) fn analyze_in(results: &Path, args: &[&str]) -> (i32, String, String) {
    let dir = results.to_str().expect("a path");
    let output = analyze(&[&args[..1], &["--dir", dir], &args[1..]].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}
