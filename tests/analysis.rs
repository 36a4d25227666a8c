//! From a recorded run to tables and a picture, with the real binaries.

use end_to_end::recorded::Recorded;
use end_to_end::{Workplace, one_at_a_time, run};

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

    let plot = run(&mut place.analyze("plot --pattern delay*_mid")).expect_code(0);
    let svg = std::fs::read_to_string(place.path().join(plot.stdout.trim())).expect("the printed path is a file");
    assert!(svg.contains("delay30_mid") && svg.contains("ops/s"), "label and unit stand in the picture");

    let listed = run(&mut place.analyze("list --format csv")).expect_code(0);
    assert!(listed.stdout.lines().count() == 2 && listed.stdout.contains("delay30_mid"), "{}", listed.stdout);
}
