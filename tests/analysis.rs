//! From a recorded run to tables and a picture, with the real binaries.

use end_to_end::recorded::Recorded;
use std::process::Command;

use end_to_end::{Workplace, one_at_a_time, run, skip, workspace};

#[test]
fn a_recorded_fault_shows_in_the_summary_and_in_the_plot() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    run(&mut place.recorder("slow-follower 30ms 6 delay30_mid delay 3 --warm-up 1")).expect_code(0);
    let recorded = Recorded::only_one_in(&place.results());

    let summary = run(&mut place.analyze("summary --format json")).expect_code(0);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&summary.stdout).expect("valid JSON");
    let row = |phase: &str| {
        let found = rows.iter().find(|row| row["phase"] == phase && row["kind"] == "put");
        found.unwrap_or_else(|| panic!("no phase {phase} in {}", summary.stdout))
    };
    let p50 = |phase: &str| row(phase)["service_p50_ms"].as_f64().expect("a number");
    assert!(p50("during") > p50("before") + 25.0, "{} ms before, {} ms during", p50("before"), p50("during"));
    assert_eq!(row("all")["count"].as_u64(), Some(recorded.due_after_warm_up() as u64));

    pandas_agrees(&place, row("all"));

    let plot = run(&mut place.analyze("plot --pattern delay*_mid")).expect_code(0);
    let svg = std::fs::read_to_string(place.path().join(plot.stdout.trim())).expect("the printed path is a file");
    assert!(svg.contains("delay30_mid") && svg.contains("ops/s"), "label and unit stand in the picture");

    let listed = run(&mut place.analyze("list --format csv")).expect_code(0);
    assert!(listed.stdout.lines().count() == 2 && listed.stdout.contains("delay30_mid"), "{}", listed.stdout);
}

/// The older files, pandas and the summary tell the same of the same run.
fn pandas_agrees(place: &Workplace, all: &serde_json::Value) {
    let python = "/usr/bin/python3";
    if !Command::new(python).args(["-c", "import pandas"]).output().is_ok_and(|output| output.status.success()) {
        skip("python3 has no pandas (apt install python3-pandas)");
        return;
    }
    let folder = place.results().join(all["run"].as_str().expect("a run"));
    let script = workspace().join("tests/fixtures/older_percentiles.py");
    let found = run(Command::new(python).arg(script).arg(&folder)).expect_code(0);
    let found: serde_json::Value = serde_json::from_str(&found.stdout).expect("valid JSON");
    assert_eq!(found["service"]["ok"], all["ok"]);
    for name in ["p50", "p90", "p95", "p99", "p99_9", "max", "mean"] {
        let (pandas, ours) = (found["service"][name].as_f64(), all[format!("service_{name}_ms")].as_f64());
        let off = (pandas.expect("a number") - ours.expect("a number")).abs();
        assert!(off < 1e-6, "{name}: {pandas:?} ms by pandas, {ours:?} by the summary");
    }
    let ops: u64 = found["ops"].as_array().expect("seconds").iter().filter_map(serde_json::Value::as_u64).sum();
    assert_eq!(Some(ops), all["ok"].as_u64());
}
