//! Things that go wrong around a run: killed recorders, dying members, full disks, refused namespaces.

use std::process::{Child, Stdio};
use std::time::Duration;

use end_to_end::processes::{assert_nothing_left, mentioning, signal, wait_until};
use end_to_end::recorded::{Recorded, only_folder_in};
use end_to_end::{Finished, Workplace, one_at_a_time, run, skip};
use nix::sys::signal::Signal;
use run_folder::{RunFolder, Status};

fn start(place: &Workplace, arguments: &str) -> Child {
    let mut command = place.recorder(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the recorder starts")
}

fn wait(child: Child) -> Finished {
    child.wait_with_output().expect("the recorder ends").into()
}

/// Waits until the run's journal has rows.
fn wait_for_rows(place: &Workplace) {
    wait_until("the first rows", Duration::from_secs(40), || {
        RunFolder::list(&place.results())
            .unwrap_or_default()
            .first()
            .and_then(|folder| folder.operations_journal().metadata().ok())
            .is_some_and(|journal| journal.len() > 10_000)
    });
}

fn kill_and_recover(place: &Workplace, recorder: Child) -> Recorded {
    let killed_at = std::time::SystemTime::now();
    signal(recorder.id() as i32, Signal::SIGKILL);
    wait(recorder);
    assert_nothing_left(place.path());
    let folder = only_folder_in(&place.results());
    assert_eq!(folder.manifest().unwrap().status, Status::Running, "the manifest must not look finished");
    let arguments = format!("recover {}", folder.dir().display());
    run(&mut place.recorder(&arguments)).expect_code(0);
    let recorded = Recorded::only_one_in(&place.results());
    assert!(matches!(recorded.manifest.status, Status::Failed { recovered: true, .. }), "{}", recorded.manifest.status);
    recorded.assert_older_files_agree();
    assert!(!recorded.folder.operations_journal().exists(), "a journal was left behind");
    let last_ns = recorded.longs("end_ns").into_iter().flatten().max().expect("there are rows");
    let killed_ns = killed_at.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64;
    let missing_ns = killed_ns - (recorded.manifest.clock.origin_unix_ns + last_ns);
    assert!(missing_ns < 1_000_000_000, "{missing_ns} ns are missing at the end");
    recorded
}

#[test]
fn kill_9_during_the_fault_leaves_the_host_clean_and_loses_at_most_a_second() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let recorder = start(&place, "run killed --duration 60 --fault delay --value 20ms --warm-up 1 --attach leader");
    wait_for_rows(&place);
    std::thread::sleep(Duration::from_secs(3));
    let recorded = kill_and_recover(&place, recorder);
    assert!(
        recorded.faults[0].applied_ns.is_some() && recorded.faults[0].cleared_ns.is_none(),
        "{:?}",
        recorded.faults
    );
    // Its data are found and removed by the next recorder in the same place.
    assert!(place.results().join(".laggard-data").exists());
    let next = run(&mut place.recorder("run next --operations 50 --warm-up 0")).expect_code(0);
    assert!(next.stderr.contains("removed data of a killed run"), "{}", next.stderr);
    assert!(!place.results().join(".laggard-data").exists());
}

#[test]
fn kill_9_at_any_moment_leaves_no_process() {
    let _one = one_at_a_time();
    for delay_ms in [30, 150, 400, 900, 1800] {
        let place = Workplace::new();
        let recorder = start(&place, "run killed --duration 60 --fault loss --value 10% --warm-up 0.2");
        std::thread::sleep(Duration::from_millis(delay_ms));
        signal(recorder.id() as i32, Signal::SIGKILL);
        wait(recorder);
        assert_nothing_left(place.path());
        for folder in RunFolder::list(&place.results()).unwrap_or_default() {
            let recovered = run(&mut place.recorder(&format!("recover {}", folder.dir().display())));
            let has_manifest = folder.manifest_json().exists();
            assert_eq!(recovered.code == Some(0), has_manifest, "after {delay_ms} ms: {recovered:?}");
        }
    }
}

#[test]
fn kill_9_of_the_inner_process_is_reported() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let recorder = start(&place, "run killed --duration 60 --warm-up 0.2");
    wait_for_rows(&place);
    let own = mentioning(place.path(), "run killed");
    let inner = *own.iter().find(|pid| **pid != recorder.id() as i32).expect("the inner process is there");
    signal(inner, Signal::SIGKILL);
    let finished = wait(recorder).expect_code(1);
    assert!(finished.stderr.contains("SIGKILL") && finished.stderr.contains("recorder recover"), "{}", finished.stderr);
    assert_nothing_left(place.path());
}

#[test]
fn the_first_interrupt_ends_a_run_cleanly() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let recorder = start(&place, "run interrupted --duration 60 --fault delay --value 20ms --warm-up 0.5");
    wait_for_rows(&place);
    std::thread::sleep(Duration::from_secs(2));
    signal(recorder.id() as i32, Signal::SIGINT);
    let finished = wait(recorder).expect_code(130);
    assert!(finished.stderr.contains("interrupted by SIGINT"), "{}", finished.stderr);
    assert_nothing_left(place.path());
    let recorded = Recorded::only_one_in(&place.results());
    assert_eq!(recorded.manifest.status, Status::Failed { reason: "interrupted by SIGINT".into(), recovered: false });
    recorded.assert_consistent();
    recorded.assert_older_files_agree();
    assert!(recorded.faults[0].cleared_ns.is_some(), "the fault was healed: {:?}", recorded.faults);
    assert!(!recorded.folder.operations_journal().exists() && !place.results().join(".laggard-data").exists());
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    // A total loss keeps operations waiting for their deadline, so a clean end takes its time.
    let recorder = start(&place, "run stubborn --duration 60 --fault loss --value 100% --target all --warm-up 0.5");
    wait_for_rows(&place);
    std::thread::sleep(Duration::from_secs(1));
    signal(recorder.id() as i32, Signal::SIGTERM);
    signal(recorder.id() as i32, Signal::SIGINT);
    let asked = std::time::Instant::now();
    wait(recorder).expect_code(130);
    assert!(asked.elapsed() < Duration::from_secs(3), "at once, not after {:?}", asked.elapsed());
    assert_nothing_left(place.path());
    assert!(!place.results().join(".laggard-data").exists(), "members' data were left behind");
}

#[test]
fn a_run_that_cannot_begin_leaves_nothing() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    // 0 bytes are left after a few pages, so not even the reserve fits.
    let script = r#"
        mkdir etcd_bench_results && mount -t tmpfs -o size=64k tmpfs etcd_bench_results || exit 99
        "$1" run tiny --duration 5 --data-dir data
        echo "exit code $?"
        ls -A etcd_bench_results
    "#;
    let finished = in_own_mounts(&place, script);
    if finished.code == Some(99) {
        return skip("no file system can be mounted here");
    }
    assert_eq!(finished.stdout, "exit code 1\n", "{}", finished.stderr);
    assert!(finished.stderr.contains("No space left on device"), "{}", finished.stderr);
}

#[test]
fn data_of_others_is_never_removed() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let precious = place.path().join("data/precious");
    std::fs::create_dir_all(&precious).unwrap();
    std::fs::write(precious.join("lock"), "").unwrap();
    run(&mut place.recorder("run polite --operations 20 --warm-up 0 --data-dir data")).expect_code(0);
    assert!(precious.join("lock").exists());
    assert!(!place.path().join("data/.laggard-data").exists(), "members' data were left behind");
}

#[test]
fn a_member_that_dies_fails_the_run_and_is_named() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let recorder = start(&place, "run dying --duration 60 --warm-up 0.5");
    wait_for_rows(&place);
    let member = mentioning(place.path(), "--name=etcd2");
    signal(member[0], Signal::SIGKILL);
    let finished = wait(recorder).expect_code(1);
    assert!(finished.stderr.contains("etcd2 ended"), "{}", finished.stderr);
    assert_nothing_left(place.path());
    let recorded = Recorded::only_one_in(&place.results());
    assert!(recorded.manifest.status.to_string().starts_with("failed: etcd2 ended"), "{}", recorded.manifest.status);
    recorded.assert_consistent();
}

/// Runs `script` with a mount namespace of its own, in which it may mount over `place`. As root that is all; else a
/// user namespace gives the right to.
fn in_own_mounts(place: &Workplace, script: &str) -> Finished {
    let recorder = place.recorder("");
    let mut command = std::process::Command::new("unshare");
    command.arg(if nix::unistd::geteuid().is_root() { "-m" } else { "-Urm" });
    command.args(["sh", "-c", script, "sh"]).arg(recorder.get_program()).current_dir(place.path());
    run(&mut command)
}

#[test]
fn a_disk_that_fills_up_fails_the_run_and_keeps_what_fits() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    std::fs::create_dir(place.results()).unwrap();
    // The file system is gone with the namespace, so the whole story is told inside.
    let script = r#"
        mount -t tmpfs -o size=2m tmpfs etcd_bench_results || exit 99
        "$1" run full --duration 60 --warm-up 0.5 --data-dir data
        echo "exit code $?"
        run=$(echo etcd_bench_results/*_full)
        cat "$run/manifest.json"
        ls -a "$run"
        mount -o remount,size=20m etcd_bench_results
        "$1" recover "$run"
        echo "recover's exit code $?"
        wc -l "$run/latency.log"
    "#;
    let finished = in_own_mounts(&place, script);
    if finished.code == Some(99) {
        return skip("no file system can be mounted here");
    }
    let all = format!("{}\n{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.contains("\nexit code 1\n") || finished.stdout.starts_with("exit code 1\n"), "{all}");
    assert!(finished.stderr.contains("No space left on device"), "{all}");
    assert!(finished.stdout.contains("\"state\": \"failed\""), "{all}");
    assert!(finished.stdout.contains("operations.journal") && !finished.stdout.contains(".reserve"), "{all}");
    assert!(finished.stdout.contains("recover's exit code 0"), "{all}");
    assert_nothing_left(place.path());
}

#[test]
fn refused_namespaces_are_an_error_that_says_what_to_allow() {
    let place = Workplace::new();
    // A user namespace of our own whose limit is zero, and in it a root without capabilities: nothing of the host is
    // changed, and the kernel's refusal is real.
    let script = r#"
        echo 0 > /proc/sys/user/max_user_namespaces || exit 99
        exec setpriv --bounding-set=-all --inh-caps=-all "$1" run refused --duration 1
    "#;
    let recorder = place.recorder("");
    let mut command = std::process::Command::new("unshare");
    command.args(["-Ur", "sh", "-c", script, "sh"]).arg(recorder.get_program()).current_dir(place.path());
    let finished = run(&mut command);
    if finished.code == Some(99) {
        return skip("the limit of user namespaces cannot be set in one");
    }
    let finished = finished.expect_code(3);
    for part in ["refuses user namespaces", "run as root", "max_user_namespaces"] {
        assert!(finished.stderr.contains(part), "{part} in: {}", finished.stderr);
    }
    assert!(RunFolder::list(&place.results()).unwrap_or_default().is_empty(), "nothing half-written");
}

#[test]
fn a_recorder_that_falls_silent_loses_its_fault() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let recorder = start(&place, "run silent --duration 60 --fault delay --value 20ms --warm-up 0.5");
    wait_for_rows(&place);
    std::thread::sleep(Duration::from_secs(2));
    let own = mentioning(place.path(), "run silent");
    let inner = *own.iter().find(|pid| **pid != recorder.id() as i32).expect("the inner process is there");
    signal(inner, Signal::SIGSTOP);
    let stopped_at = std::time::SystemTime::now();
    // The holder's patience is five seconds.
    std::thread::sleep(Duration::from_secs(8));
    signal(inner, Signal::SIGCONT);
    let finished = wait(recorder).expect_code(1);
    assert!(finished.stderr.contains("the recorder did not run for 8."), "{}", finished.stderr);
    let recorded = Recorded::only_one_in(&place.results());
    let stopped_ns = stopped_at.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64;
    let cleared_ns =
        recorded.faults[0].cleared_ns.expect("the fault was healed") + recorded.manifest.clock.origin_unix_ns;
    let healed_after_ms = (cleared_ns - stopped_ns) / 1_000_000;
    assert!((3_000..7_000).contains(&healed_after_ms), "healed {healed_after_ms} ms after the recorder fell silent");
}

#[test]
fn a_holder_that_dies_fails_the_run_and_its_fault_has_an_end() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let recorder = start(&place, "run held --duration 60 --fault delay --value 20ms --warm-up 0.5");
    wait_for_rows(&place);
    std::thread::sleep(Duration::from_secs(2));
    signal(mentioning(place.path(), "hold")[0], Signal::SIGKILL);
    let finished = wait(recorder).expect_code(1);
    assert!(finished.stderr.contains("fault holder: it ended unexpectedly"), "{}", finished.stderr);
    let recorded = Recorded::only_one_in(&place.results());
    let fault = &recorded.faults[0];
    assert!(fault.cleared_ns.is_some() && fault.confirmed == Some(false), "{fault:?}");
    assert_eq!(recorded.manifest.fault_targets, [fault.target as usize]);
    assert_nothing_left(place.path());
}

#[test]
fn the_doctor_says_what_works_and_what_is_missing() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    for mut doctor in [place.recorder("doctor"), place.recorder_unprivileged("doctor")] {
        let finished = run(&mut doctor).expect_code(0);
        for line in ["etcd        yes", "namespaces  yes", "NFQUEUE     yes", "runs can be recorded here"] {
            assert!(finished.stdout.contains(line), "{line} in: {}", finished.stdout);
        }
    }
    let finished = run(place.recorder("doctor").env("ETCD", "/nowhere/etcd")).expect_code(3);
    assert!(finished.stdout.contains("etcd        NO   --etcd or $ETCD: there is no program"), "{}", finished.stdout);
    assert!(finished.stdout.contains("cannot be recorded here yet"), "{}", finished.stdout);
}
