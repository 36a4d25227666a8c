//! Time that jumps while a run measures it.

use std::process::Stdio;
use std::time::Duration;

use end_to_end::processes::{assert_nothing_left, mentioning, signal, wait_until};
use end_to_end::recorded::Recorded;
use end_to_end::{Finished, Workplace, one_at_a_time};
use nix::sys::signal::Signal;
use run_folder::RunFolder;

const PAUSE: Duration = Duration::from_secs(3);

/// A stopped process misses everything that a suspended machine misses, except that CLOCK_MONOTONIC goes on; what tells
/// the two apart is tested with planted readings beside the watch itself.
#[test]
fn a_recorder_that_is_suspended_fails_its_run_and_says_when() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let mut command = place.recorder("run suspended --duration 60 --fault delay --value 20ms --at 0 --warm-up 1");
    let recorder = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the recorder starts");
    wait_until("a fault in force", Duration::from_secs(40), || {
        let folders = RunFolder::list(&place.results()).unwrap_or_default();
        folders.first().is_some_and(|folder| {
            std::fs::read_to_string(folder.faults_journal()).is_ok_and(|journal| journal.contains("\"applied_ns\":"))
        })
    });
    std::thread::sleep(Duration::from_secs(1));
    let own = mentioning(place.path(), "run suspended");
    let inner = *own.iter().find(|pid| **pid != recorder.id() as i32).expect("the inner process is there");
    signal(inner, Signal::SIGSTOP);
    std::thread::sleep(PAUSE);
    signal(inner, Signal::SIGCONT);
    let ended: Finished = recorder.wait_with_output().expect("the recorder ends").into();
    let finished = ended.expect_code(1);
    assert!(finished.stderr.contains("the recorder did not run for 3."), "{}", finished.stderr);
    assert_nothing_left(place.path());
    let recorded = Recorded::only_one_in(&place.results());
    let status = recorded.manifest.status.to_string();
    assert!(status.starts_with("failed: the recorder did not run for 3."), "{status}");
    recorded.assert_consistent();
    let fault = &recorded.faults[0];
    assert!(fault.cleared_ns.is_some(), "the fault was healed: {fault:?}");
}
