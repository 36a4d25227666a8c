//! From a recorded fault to how it was survived: recovery, causes, verdict and their picture, with the real binaries.

use end_to_end::{Workplace, one_at_a_time, run};
use serde_json::Value;

fn rows(place: &Workplace, arguments: &str) -> Vec<Value> {
    let finished = run(&mut place.analyze(&format!("{arguments} --format json"))).expect_code(0);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{arguments}: {error}: {}", finished.stdout))
}

#[test]
fn a_recorded_fault_is_recovered_from_explained_and_told() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    // All clients at a follower that is 60 ms away for three of nine seconds, at a demand that it can serve.
    let spec = "--duration 9 --at 3 --for 3 --fault delay --value 60ms --target follower --attach target --rate 100 --warm-up 1";
    run(&mut place.recorder(&format!("run delay60_mid {spec}"))).expect_code(0);

    let recovered = rows(&place, "recovery --by run");
    let [row] = &recovered[..] else { panic!("one run of one kind: {recovered:?}") };
    assert_eq!(row["kind"], "put");
    let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name} in {row}"));
    // The demand is that of an open loop, and the machine may be busy: orders of magnitude only.
    assert!((50.0..150.0).contains(&number("before_ops_per_s")), "{row}");
    assert!((2.0..4.0).contains(&number("observed_s")), "{row}");
    assert!((0.0..3.0).contains(&number("first_write_s")), "{row}");
    assert!(number("longest_gap_s") > 0.0 && number("under_90_s") >= number("under_50_s"), "{row}");
    match row["recovery_censored"].as_bool() {
        Some(false) => assert!((0.0..3.0).contains(&number("recovery_s")) && row["recovery_lower_bound_s"].is_null()),
        Some(true) => assert!(row["recovery_s"].is_null() && number("recovery_lower_bound_s") >= 0.0),
        None => panic!("a fault that ended has a recovery: {row}"),
    }

    let causes = rows(&place, "causes");
    let of = |metric: &str, is_faulted: bool| {
        let found = causes.iter().find(|row| row["metric"] == metric && row["is_faulted"] == is_faulted);
        found.unwrap_or_else(|| panic!("no {metric} in {causes:?}"))
    };
    let link = of("probe_connect_p50_ms", true);
    assert_eq!(link["judged"], "raised", "{link}");
    assert!((55.0..200.0).contains(&link["during"].as_f64().expect("it")), "{link}");
    for metric in ["wal_fsync_p99_ms", "cpu_cores", "status_p50_ms"] {
        assert!(of(metric, false)["during"].as_f64().is_some_and(|value| value > 0.0), "{metric}");
    }

    let verdicts = rows(&place, "verdict --by run");
    let sentence = verdicts[0]["sentence"].as_str().expect("a sentence");
    assert!(sentence.starts_with("during: put p99 x"), "{sentence}");
    for part in ["; clients on the slow member; ", "fsync ", "."] {
        assert!(sentence.contains(part), "{part:?} in {sentence}");
    }
    let p50 = verdicts[0]["response_p50_ratio"].as_f64().expect("a ratio");
    assert!(p50 > 3.0, "{p50}: 60 ms is much beside a put");
    let sweep = rows(&place, "verdict --by sweep");
    assert!(sweep[0]["sweep"].is_null() && sweep[0]["sentence"].as_str().is_some_and(|words| words.ends_with('.')));

    let plot = run(&mut place.analyze("plot --kind recovery --with-data")).expect_code(0);
    let files: Vec<&str> = plot.stdout.lines().collect();
    assert_eq!(files.len(), 3, "a picture and the two tables that it draws: {files:?}");
    let svg = std::fs::read_to_string(place.path().join(files[0])).expect("the printed path is a file");
    assert!(svg.contains("time after the fault") && svg.contains("delay60_mid"), "{files:?}");
    let curves = std::fs::read_to_string(place.path().join(files[1])).expect("the printed path is a file");
    assert!(curves.starts_with("run,label,since_s,until_s,ops_per_s,share,is_low,under_way"), "{curves}");
}

#[test]
fn a_fault_to_the_end_has_no_recovery_to_draw() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    run(&mut place.recorder("slow-follower 10ms 3 delay10_full delay 0 --warm-up 1")).expect_code(0);
    let recovered = rows(&place, "recovery --by run");
    assert!(recovered[0]["recovery_s"].is_null() && recovered[0]["recovery_censored"].is_null(), "{recovered:?}");
    assert_eq!(recovered[0]["why"], "the fault lasts to the end of the run");
    let plot = run(&mut place.analyze("plot --kind recovery")).expect_code(3);
    assert!(plot.stderr.contains("has a fault that ends"), "{}", plot.stderr);
}
