//! A process that is really killed, by running this test binary a second time.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::checkpoint::Checkpoint;
use crate::{Error, OperationsWriter, Status, recover, synthetic};

const FOLDER: &str = "LAGGARD_TEST_RUN_FOLDER";
/// Small, so that the victim is killed after many restarts of its journal, and now and then in one.
const GROUP_ROWS: usize = 1000;
/// What the victim has pushed before it is killed, at least.
const CHECKPOINTED_ROWS_MIN: u64 = 10_000;

/// The victim. Without the variable it is an ordinary test run and has nothing to do.
#[test]
fn record_until_killed() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    let folder = RunFolder::open(dir.as_ref()).unwrap();
    let mut writer = OperationsWriter::create_in_groups(&folder, GROUP_ROWS).unwrap();
    let operations: Vec<_> = Stream::new(&victim_shape()).collect();
    for operations in operations.chunks(100) {
        writer.push(operations).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_secs(60));
}

fn victim_shape() -> Shape {
    lossy_shape(50_000)
}

/// Kills and reaps the process also when an assertion fails.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_a_killed_process_had_pushed_is_recovered() {
    let results = tempfile::tempdir().unwrap();
    let finished = synthetic::write_run(results.path(), &lossy_shape(10), Default::default()).unwrap();
    let folder = RunFolder::create(results.path(), &Label::new("killed").unwrap(), Default::default()).unwrap();
    let mut manifest = finished.manifest().unwrap();
    manifest.status = Status::Running;
    manifest.write(&folder.manifest_json()).unwrap();

    let victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::kill::record_until_killed"])
        .env(FOLDER, folder.dir())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let victim = Victim(victim);
    let deadline = Instant::now() + Duration::from_secs(30);
    let checkpointed_rows = || Checkpoint::read(&folder).unwrap().map_or(0, |checkpoint| checkpoint.rows);
    while checkpointed_rows() < CHECKPOINTED_ROWS_MIN {
        assert!(Instant::now() < deadline, "the victim writes nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(matches!(recover(&folder).unwrap_err(), Error::StillRecording { .. }));
    drop(victim);
    assert!(folder.operations_journal().metadata().unwrap().len() < 1000 * 80 + 100, "the journal did not restart");

    let rows = recover(&folder).unwrap().rows.operations;
    assert!(rows >= CHECKPOINTED_ROWS_MIN, "{rows} rows");
    let expected: Vec<_> = Stream::new(&victim_shape()).take(rows as usize).collect();
    assert_eq!(read_operations(&folder), expected);
    reader::check(&folder, &folder.manifest().unwrap()).unwrap();
}
