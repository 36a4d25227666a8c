//! Runs recorded by the real recorder on real etcd: what was asked is what is in the folder.

use end_to_end::processes::assert_nothing_left;
use end_to_end::recorded::Recorded;
use end_to_end::{Workplace, one_at_a_time, run};
use run_folder::{FaultEvent, Status};

/// The window's edges may be this far from what was asked. Measured: 2 ms; a busy CI machine gets room.
const EDGE_NS_MAX: i64 = 100_000_000;

fn record(arguments: &str) -> (Workplace, Recorded) {
    let place = Workplace::new();
    let finished = run(&mut place.recorder(arguments)).expect_code(0);
    let recorded = Recorded::only_one_in(&place.results());
    assert_eq!(finished.stdout.trim_end(), place_relative(&place, &recorded), "standard output is the folder's path");
    assert_whole(&place, &recorded);
    (place, recorded)
}

fn place_relative(place: &Workplace, recorded: &Recorded) -> String {
    let path = recorded.folder.dir();
    path.strip_prefix(place.path()).unwrap_or(path).display().to_string()
}

fn assert_whole(place: &Workplace, recorded: &Recorded) {
    assert_eq!(recorded.manifest.status, Status::Finished);
    recorded.assert_consistent();
    recorded.assert_older_files_agree();
    assert_nothing_left(place.path());
    assert!(!recorded.folder.operations_journal().exists(), "a journal was left behind");
    assert!(!place.results().join(".laggard-data").exists(), "members' data were left behind");
}

fn assert_window(fault: &FaultEvent, from_s: i64, to_s: i64) {
    let near = |time_ns: Option<i64>, asked_s: i64| {
        let time_ns = time_ns.expect("the edge happened");
        assert!((time_ns - asked_s * 1_000_000_000).abs() <= EDGE_NS_MAX, "edge at {time_ns} ns, asked {asked_s} s");
    };
    near(fault.applied_ns, from_s);
    near(fault.cleared_ns, to_s);
    assert_eq!(fault.confirmed, Some(true), "{}", fault.evidence);
    assert!(fault.confirmed_ns.is_some() && fault.clear_confirmed_ns.is_some(), "{fault:?}");
    assert_eq!(fault.packets_matched, fault.packets_received, "packets passed the shaper by");
}

#[test]
fn slow_follower_mid_delay() {
    let _one = one_at_a_time();
    let (_place, run) = record("slow-follower 100ms 8 delay100_mid delay 4 --warm-up 1 --seed 7");
    let [fault] = &run.faults[..] else { panic!("one fault, not {:?}", run.faults) };
    assert_window(fault, 4, 8);
    assert_eq!((fault.role.as_str(), fault.mechanism.as_str()), ("follower", "queue"));
    let achieved_us = fault.probe_during_us.unwrap() - fault.probe_before_us.unwrap();
    assert!((95_000.0..150_000.0).contains(&achieved_us), "{achieved_us} us achieved of 100 ms");
    assert!(fault.probe_untouched_us.unwrap() < 50_000.0, "the untouched link was slow too");
    assert_eq!(run.manifest.fault_targets, [fault.target as usize]);
    // Clients sit on the slow follower: each put waits at least once for it to answer.
    let (before_ms, during_ms) = (run.median_ms(1.0, 3.5), run.median_ms(4.5, 7.5));
    assert!(during_ms > before_ms + 90.0, "{before_ms} ms before, {during_ms} ms during");
    let endpoints: std::collections::HashSet<_> =
        run.operations["endpoint"].to_data().buffers()[0].iter().copied().collect();
    assert_eq!(endpoints, [fault.target as u8].into(), "sticky clients ask the slow follower only");
}

#[test]
fn slow_follower_full_loss_as_an_unprivileged_user() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let arguments = "slow-follower 20% 5 loss20_full loss 0 --warm-up 1 --attach round-robin";
    run(&mut place.recorder_unprivileged(arguments)).expect_code(0);
    let recorded = Recorded::only_one_in(&place.results());
    assert_whole(&place, &recorded);
    let [fault] = &recorded.faults[..] else { panic!("one fault, not {:?}", recorded.faults) };
    assert_window(fault, 0, 5);
    let (low, high) = (fault.loss_low_percent.unwrap(), fault.loss_high_percent.unwrap());
    assert!(low < 20.0 && 20.0 < high, "[{low}, {high}]");
    let owner = std::os::unix::fs::MetadataExt::uid(&recorded.folder.manifest_json().metadata().unwrap());
    let results_owner = std::os::unix::fs::MetadataExt::uid(&place.results().metadata().unwrap());
    assert_eq!(owner, results_owner, "the results belong to the caller");
}

#[test]
fn slow_leader_paces_ten_thousand_puts_evenly_and_lifts_the_fault() {
    let _one = one_at_a_time();
    let (_place, run) = record("slow-leader 20ms 6 slowleader_mid20ms delay 3 --warm-up 1");
    let [fault] = &run.faults[..] else { panic!("one fault, not {:?}", run.faults) };
    assert_window(fault, 3, 9);
    assert_eq!(fault.role, "leader");
    assert_eq!(run.manifest.leaders.injection, Some(fault.target as usize));
    assert_eq!(run.due_after_warm_up(), 10_000, "every put that was due has its row");
    let mut intended: Vec<_> = run.longs("intended_ns").into_iter().flatten().collect();
    intended.sort_unstable();
    assert!(intended.windows(2).all(|pair| pair[1] - pair[0] == 1_200_000), "12 s over 10,000 puts, never waiting");
    assert!(run.median_ms(3.5, 8.5) > run.median_ms(0.0, 2.5) + 15.0, "a slow leader slows everybody");
}

#[test]
fn baseline_without_a_fault_never_touches_packets() {
    let _one = one_at_a_time();
    let (_place, run) = record("slow-follower 0ms 3 baseline delay 0 --warm-up 1");
    assert!(run.faults.is_empty() && run.manifest.spec.fault.is_none());
    assert!(run.due_after_warm_up() > 100, "only {} operations in 3 s", run.due_after_warm_up());
}

#[test]
fn mixed_kinds_record_what_reads_saw_and_transactions_decided() {
    let _one = one_at_a_time();
    let (_place, run) = record(
        "run mixed --mix put=4,get=2,get_serializable=1,txn=2,delete=1 --operations 3000 --keys 50 --warm-up 0.5 --nodes 5",
    );
    assert_eq!(run.due_after_warm_up(), 3000);
    assert_eq!(run.manifest.cluster.members.len(), 5);
    let (kinds, seen) = (run.texts("kind"), run.longs("seen_mod_revision"));
    let (outcomes, decided) = (run.texts("outcome"), run.operations.column_by_name("txn_succeeded").unwrap());
    for kind in ["put", "get", "get_serializable", "txn", "delete"] {
        let rows: Vec<_> = (0..kinds.len()).filter(|row| kinds[*row].as_deref() == Some(kind)).collect();
        assert!(rows.len() > 200, "{} of {kind}", rows.len());
        for row in rows.into_iter().filter(|row| outcomes[*row].as_deref() == Some("ok")) {
            assert!(!kind.starts_with("get") || seen[row].is_some(), "a get without what it saw");
            assert_eq!(arrow::array::Array::is_null(decided, row), kind != "txn", "{kind}");
        }
    }
    let decided = arrow::array::AsArray::as_boolean(decided);
    assert!(decided.true_count() > 0 && decided.false_count() > 0, "with 50 keys some transactions must lose");
}

/// One short run for each factor of a fault that the other tests leave at its default; the evidence must fit each.
#[test]
fn every_factor_of_a_fault_is_placed_and_shown() {
    let _one = one_at_a_time();
    let cases = [
        ("--fault delay --value 20ms --target all --for 2", 3, 40_000.0),
        ("--fault delay --value 20ms --direction both --for 2", 1, 40_000.0),
        ("--fault delay --value 20ms --direction ingress --scope peers --for 2", 1, 20_000.0),
        ("--fault delay --value 20ms --jitter 10ms --scope clients --attach target --for 2", 1, 20_000.0),
        ("--fault delay --value 20ms --target etcd2 --attach healthy-follower --for 2", 1, 20_000.0),
    ];
    for (arguments, members, crossing_us) in cases {
        let (_place, run) = record(&format!("run factor {arguments} --at 2 --duration 5 --warm-up 0.5"));
        assert_eq!(run.faults.len(), members, "{arguments}");
        for fault in &run.faults {
            assert_window(fault, 2, 4);
            let achieved_us = fault.probe_during_us.unwrap() - fault.probe_before_us.unwrap();
            let room_us = 0.8 * crossing_us..1.5 * crossing_us + 20_000.0;
            assert!(room_us.contains(&achieved_us), "{arguments}: {achieved_us} us");
        }
    }
}

#[test]
fn a_fault_shorter_than_a_second_is_shown_by_its_packets() {
    let _one = one_at_a_time();
    let (_place, run) = record("run short --fault delay --value 1ms --at 0.5 --for 0.3 --duration 1 --warm-up 0");
    assert_eq!(run.faults[0].confirmed, Some(true), "{}", run.faults[0].evidence);
}

#[test]
fn a_loss_that_its_packets_cannot_show_fails_the_run_and_keeps_the_facts() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let arguments = "run rare --fault loss --value 0.01% --at 1 --for 0.2 --duration 2 --warm-up 0.5 --concurrency 1";
    let finished = run(&mut place.recorder(arguments)).expect_code(1);
    assert!(finished.stderr.contains("too few packets"), "{}", finished.stderr);
    let recorded = Recorded::only_one_in(&place.results());
    assert!(recorded.manifest.status.to_string().contains("fault not confirmed"), "{}", recorded.manifest.status);
    assert_eq!(recorded.manifest.fault_targets, [recorded.faults[0].target as usize]);
    let last_s = recorded.longs("intended_ns").into_iter().flatten().max().unwrap() as f64 / 1e9;
    assert!(last_s > 1.8, "the workload went on after the judgement: {last_s} s");
    recorded.assert_consistent();
}

#[test]
fn an_open_window_under_even_pacing_lasts_to_the_end_of_the_schedule() {
    let _one = one_at_a_time();
    let (_place, run) =
        record("run sparse --pacing even --operations 4 --duration 6 --at 1 --fault delay --value 5ms --warm-up 0");
    assert_window(&run.faults[0], 1, 6);
}

#[test]
fn transactions_go_on_succeeding_beside_deletions() {
    let _one = one_at_a_time();
    let (_place, run) = record("run cas --mix txn=5,delete=1 --keys 20 --operations 3000 --concurrency 4 --warm-up 0");
    let decided = run.operations.column_by_name("txn_succeeded").unwrap();
    let decided = arrow::array::AsArray::as_boolean(decided);
    assert!(decided.true_count() > decided.false_count() / 4, "{} of {}", decided.true_count(), decided.len());
}

#[test]
fn an_open_loop_never_waits_and_what_it_could_not_send_in_time_are_rows() {
    let _one = one_at_a_time();
    // One operation at a time, each at least 50 ms, and 200 a second due: most are never sent.
    let arguments = "run overload --rate 200 --duration 4 --concurrency 1 --deadline 500ms --warm-up 0 --attach target \
                     --fault delay --value 50ms --at 1 --for 3";
    let (_place, run) = record(arguments);
    assert_eq!(run.due_after_warm_up(), 800, "every operation that was due has its row");
    let mut intended: Vec<_> = run.longs("intended_ns").into_iter().flatten().collect();
    intended.sort_unstable();
    assert!(intended.windows(2).all(|pair| pair[1] - pair[0] == 5_000_000), "the schedule waited for answers");
    let outcome = run.texts("outcome");
    let count = |name: &str| outcome.iter().filter(|outcome| outcome.as_deref() == Some(name)).count();
    // One that is sent shortly before its deadline may have been done: unknown, not unsent.
    let (unsent, unknown) = (count("unsent"), count("unknown"));
    assert!(unsent + unknown > 300, "{unsent} unsent, {unknown} unknown, {} ok", count("ok"));
    // What was sent late counts from when it was due.
    let (intended, start) = (run.longs("intended_ns"), run.longs("start_ns"));
    let latest = (0..intended.len()).filter_map(|row| Some(start[row]? - intended[row]?)).max().unwrap();
    assert!((300_000_000..500_000_000).contains(&latest), "sent {latest} ns late, with a deadline of 500 ms");
}

#[test]
fn poisson_arrivals_and_zipfian_keys() {
    let _one = one_at_a_time();
    let (_place, run) = record(
        "run poisson --rate 300 --pacing poisson --key-distribution zipfian --keys 100 --duration 4 --warm-up 0 --seed 5",
    );
    let due = run.due_after_warm_up() as f64;
    assert!((due - 1200.0).abs() < 5.0 * 1200f64.sqrt(), "{due} operations at 300/s in 4 s");
    let keys = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int32Type>(&run.operations["key"]);
    let first = keys.values().iter().filter(|key| **key == 0).count() as f64 / due;
    assert!((0.13..0.25).contains(&first), "key 0 has a share of {first}");
}
