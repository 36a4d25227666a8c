//! Tests that go through whole run folders.

mod checkpoint;
mod cut_short;
mod final_state;
mod kill;
mod older_files;
mod recovery;
mod round_trip;
mod streamed;
mod torn_journals;

use arrow::array::RecordBatch;
use tempfile::TempDir;

use crate::operation::{ErrorKind, Kind, Outcome};
use crate::spec::Effect;
use crate::synthetic::{Fault, Shape, Stream};
use crate::{FaultEvent, Label, Operation, RunFolder, Sample, operation, reader};

/// A new, empty run folder; it goes away with the results folder.
fn new_folder() -> (TempDir, RunFolder) {
    let results = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(results.path(), &Label::new("a").unwrap(), Default::default()).unwrap();
    (results, folder)
}

/// A run of a few seconds with a lossy half second, so that some operations fail.
fn lossy_shape(operations: u64) -> Shape {
    Shape {
        label: Label::new("loss50_mid").unwrap(),
        operations,
        concurrency: 16,
        warm_up_ms: 100,
        median_service_ns: 2_000_000,
        fault: Some(Fault { effect: Effect::Loss { loss_percent: 50.0 }, at_ms: 300, for_ms: Some(500) }),
        seed: 3,
    }
}

fn some_operations(count: usize) -> Vec<Operation> {
    Stream::new(&lossy_shape(count as u64)).take(count).collect()
}

/// Every kind, outcome and error, every optional field present and absent, and the numbers at their limits.
fn odd_operations() -> Vec<Operation> {
    let full = Operation {
        op_id: i64::MAX,
        worker: i32::MIN,
        kind: Kind::Txn,
        intended_ns: i64::MIN,
        start_ns: Some(-1),
        end_ns: i64::MAX,
        outcome: Outcome::Failed,
        error: Some(ErrorKind::Other),
        endpoint: 127,
        member: Some(126),
        raft_term: Some(i64::MIN),
        revision: Some(0),
        key: i32::MAX,
        seen_mod_revision: Some(0),
        txn_succeeded: Some(true),
        value_bytes: -1,
    };
    let bare = Operation {
        start_ns: None,
        error: None,
        member: None,
        raft_term: None,
        revision: None,
        seen_mod_revision: None,
        txn_succeeded: None,
        ..full
    };
    let mut operations = vec![full, bare, Operation { txn_succeeded: Some(false), ..bare }];
    operations.push(Operation { start_ns: Some(0), ..bare });
    operations.push(Operation { member: Some(0), ..bare });
    operations.push(Operation { raft_term: Some(1), ..bare });
    operations.push(Operation { revision: Some(i64::MAX), ..bare });
    operations.push(Operation { seen_mod_revision: Some(1), ..bare });
    operations.extend(Kind::ALL.iter().map(|&kind| Operation { kind, ..full }));
    operations.extend(Outcome::ALL.iter().map(|&outcome| Operation { outcome, ..full }));
    operations.extend(ErrorKind::ALL.iter().map(|&error| Operation { error: Some(error), ..full }));
    operations
}

fn some_faults() -> Vec<FaultEvent> {
    let planned =
        FaultEvent { kind: "delay".into(), delay_us: Some(0.1), commands: "a\n\"b\"".into(), ..Default::default() };
    let confirmed = FaultEvent { fault_id: 1, confirmed: Some(false), probe_count: Some(-1), ..planned.clone() };
    vec![planned, confirmed]
}

fn some_samples() -> Vec<Sample> {
    let row = |member, metric: &str, label: Option<&str>, value| Sample {
        time_ns: -5,
        member,
        metric: metric.into(),
        label: label.map(Into::into),
        value,
    };
    vec![
        row(Some(0), "raft_term", None, 0.1 + 0.2),
        row(None, "recorder_cpu_s", Some("le=+Inf"), f64::INFINITY),
        row(Some(2), "x", Some(""), f64::NEG_INFINITY),
        row(Some(2), "y", None, 5e-324),
        row(Some(2), "z", None, 1e300),
    ]
}

fn read_operations(folder: &RunFolder) -> Vec<Operation> {
    let batches: Vec<RecordBatch> = reader::operations(folder, &[]).unwrap().collect::<Result<_, _>>().unwrap();
    batches.iter().flat_map(|batch| operation::from_batch(batch).unwrap()).collect()
}

fn read_samples(folder: &RunFolder) -> Vec<Sample> {
    use crate::table_row::TableRow;
    reader::samples(folder, &[]).unwrap().flat_map(|batch| Sample::rows(&batch.unwrap()).unwrap()).collect()
}
