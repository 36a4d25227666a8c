//! A recorded sweep as one file: every number of it is that of the folder.

use std::fs;

use end_to_end::{Workplace, one_at_a_time, run};
use run_folder::RunFolder;

const PLAN: &str = r#"
baselines = 1

[run]
duration = "3s"
warm-up = "0.5s"
rate = 100
attach = "target"

[[experiment]]
label = "delay{value.number}_{window}"
fault = "delay"
value = "20ms"
window = ["full", "mid"]
"#;

#[test]
fn a_recorded_sweep_gives_the_same_tables_from_a_bundle() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    fs::write(place.path().join("plan.toml"), PLAN).expect("a plan");
    run(&mut place.recorder("sweep plan.toml")).expect_code(0);
    let runs = RunFolder::list(&place.results()).expect("runs").len();
    assert!(runs >= 3, "two experiments and a baseline");

    let bundled = run(&mut place.analyze("bundle --sweep latest -o paper.tar.zst")).expect_code(0);
    assert_eq!(bundled.stdout, "paper.tar.zst\n");
    assert!(bundled.stderr.contains(&format!("note: {runs} runs (0 of them to compare with), ")), "{}", bundled.stderr);
    assert!(!bundled.stderr.contains("left out"), "the sweep's manifest is there: {}", bundled.stderr);
    let verified = run(&mut place.analyze("bundle --verify paper.tar.zst")).expect_code(0);
    assert!(verified.stdout.contains(": whole: "), "{}", verified.stdout);

    for table in [
        "list",
        "summary",
        "summary --sweep latest --pattern *_full",
        "delta --by label",
        "delta --by run --pattern delay20_full",
        "throughput --by member",
        "cdf --pattern *_mid",
    ] {
        let of = |dir: &str| {
            let finished = run(&mut place.analyze(&format!("{table} --format csv --dir {dir}"))).expect_code(0);
            (finished.stdout, finished.stderr)
        };
        let folder = of("etcd_bench_results");
        assert!(folder.0.lines().count() > 1, "{table}");
        assert_eq!(of("paper.tar.zst"), folder, "{table}");
    }
    // One run alone takes along what it is compared with.
    let full = RunFolder::list(&place.results()).expect("runs").into_iter();
    let full = full.map(|run| run.name()).find(|name| name.ends_with("delay20_full")).expect("a full run");
    run(&mut place.analyze(&format!("bundle {full} -o one.tar.zst"))).expect_code(0);
    let delta = |dir: &str| {
        run(&mut place.analyze(&format!("delta --pattern delay20_full --format csv --dir {dir}"))).expect_code(0).stdout
    };
    assert_eq!(delta("one.tar.zst"), delta("etcd_bench_results"));

    // A single changed byte, wherever it is.
    let good = fs::read(place.path().join("paper.tar.zst")).expect("a file");
    for at in [10, good.len() / 3, good.len() - 10] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(place.path().join("bad.tar.zst"), bytes).expect("a file");
        let refused = run(&mut place.analyze("summary --dir bad.tar.zst")).expect_code(1);
        assert_eq!(refused.stdout, "");
        assert!(refused.stderr.starts_with("error: bad.tar.zst: "), "{}", refused.stderr);
    }
}
