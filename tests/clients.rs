//! The clients of a run: their connections, and what the run says of how well its generator kept up.

use std::process::{Child, Stdio};
use std::time::Duration;

use end_to_end::processes::{mentioning, wait_until};
use end_to_end::recorded::Recorded;
use end_to_end::{Finished, Workplace, one_at_a_time, run};

/// Port 2379 as `/proc/net/tcp` has it, and the state of a connection that is up.
const CLIENT_PORT_HEX: &str = ":094B";
const ESTABLISHED: &str = "01";

/// Connections from the clients' place to any member.
fn connections_of_clients(place: &Workplace, recorder: &Child) -> usize {
    let own = mentioning(place.path(), "recorder run");
    let Some(inner) = own.iter().find(|pid| **pid != recorder.id() as i32) else { return 0 };
    let threads = std::fs::read_dir(format!("/proc/{inner}/task")).into_iter().flatten().flatten();
    let read =
        |thread: &std::fs::DirEntry, file: &str| std::fs::read_to_string(thread.path().join(file)).unwrap_or_default();
    let client = threads.into_iter().find(|thread| read(thread, "comm").trim() == "client");
    let table = client.map_or_else(String::new, |thread| read(&thread, "net/tcp"));
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().skip(2).take(2).collect::<Vec<_>>());
    rows.filter(|row| matches!(row[..], [remote, ESTABLISHED] if remote.ends_with(CLIENT_PORT_HEX))).count()
}

#[test]
fn operations_share_as_many_connections_as_were_asked_for() {
    let _one = one_at_a_time();
    for (pacing, connections, expected) in [("", 1, 3), ("", 4, 12), ("--rate 500", 4, 12)] {
        let place = Workplace::new();
        let arguments = format!("run connected --duration 4 --warm-up 0 {pacing} --connections {connections}");
        let mut command = place.recorder(&arguments);
        let recorder = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the recorder starts");
        // A probe's connection to the same port lives for a moment.
        wait_until("the clients' connections", Duration::from_secs(30), || {
            connections_of_clients(&place, &recorder) == expected
        });
        std::thread::sleep(Duration::from_secs(1));
        assert!((expected..=expected + 3).contains(&connections_of_clients(&place, &recorder)));
        let ended: Finished = recorder.wait_with_output().expect("the recorder ends").into();
        ended.expect_code(0);
        let recorded = Recorded::only_one_in(&place.results());
        assert_eq!(recorded.manifest.spec.workload.connections, connections);
        recorded.assert_consistent();
    }
}

#[test]
fn a_run_says_how_well_its_generator_kept_up() {
    let _one = one_at_a_time();
    for (arguments, is_open) in [("--concurrency 2", false), ("--rate 200", true)] {
        let place = Workplace::new();
        run(&mut place.recorder(&format!("run healthy --duration 2 --warm-up 0.5 {arguments}"))).expect_code(0);
        let manifest = Recorded::only_one_in(&place.results()).manifest;
        let generator = manifest.generator.expect("it is described");
        // Every kernel that these tests run on keeps the scheduler's statistics.
        let busy = generator.busy_percent.expect("the share is known");
        assert!((0.1..93.0).contains(&busy), "{busy} % busy");
        assert_eq!(generator.own_lag_p99_us.is_some(), is_open, "{generator:?}");
        assert_eq!(generator.client_saturated, None, "{generator:?}");
        assert!(!manifest.warnings.iter().any(|warning| warning.starts_with("client saturated")));
    }
}
