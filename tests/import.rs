//! Folders of the older scripts become run folders, and nothing is made up on the way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::recorded::Recorded;
use end_to_end::{Workplace, one_at_a_time, run, workspace};
use run_folder::RunFolder;
use serde_json::Value;

/// Folders of the older scripts, with the variants that there are.
fn fixtures() -> PathBuf {
    workspace().join("tests/fixtures/older_runs")
}

/// Imports a fixture, and gives the run folder and what was said.
fn import(place: &Workplace, fixture: &str, options: &str) -> (Recorded, String) {
    let results = place.path().join(format!("results{}", fs::read_dir(place.path()).expect("a folder").count()));
    let fixture = fixtures().join(fixture);
    let command = format!("import {} --dir {} {options}", fixture.display(), results.display());
    let finished = run(&mut place.analyze(&command)).expect_code(0);
    (Recorded::only_one_in(&results), finished.stderr)
}

/// Rows of a table.
fn rows(place: &Workplace, command: &str) -> Vec<Value> {
    let finished = run(&mut place.analyze(&format!("{command} --format json"))).expect_code(0);
    serde_json::from_str(&finished.stdout).expect("valid JSON")
}

fn by_label(rows: Vec<Value>) -> BTreeMap<String, Value> {
    rows.into_iter().map(|row| (row["label"].as_str().expect("a label").to_owned(), row)).collect()
}

#[test]
fn a_folder_of_folders_is_imported_once() {
    let place = Workplace::new();
    let command = format!("import {}", fixtures().display());
    let first = run(&mut place.analyze(&command)).expect_code(0);
    let runs: Vec<&str> = first.stdout.lines().filter_map(|path| path.strip_prefix("etcd_bench_results/")).collect();
    assert_eq!(runs.len(), 4, "{}", first.stdout);
    for run in ["20231114_221320_slowleader_mid20ms", "20231114_223000_baseline", "20231114_230000_loss20_mid"] {
        assert!(runs.contains(&run), "{runs:?}");
    }
    let again = run(&mut place.analyze(&command)).expect_code(0);
    assert_eq!(again.stdout, "");
    assert_eq!(again.stderr.matches("was imported before, as ").count(), 4, "{}", again.stderr);
    assert!(!again.stderr.contains("its window"), "{}", again.stderr);
    let with_window = format!("{command} --inject-at 2 --inject-for 2");
    let window = run(&mut place.analyze(&with_window)).expect_code(0).stderr;
    let kept = "; its window stays as it was: remove that folder to import it again";
    assert_eq!(window.matches(kept).count(), 4, "{window}");
    assert_eq!(RunFolder::list(&place.results()).expect("runs").len(), 4);

    let listed = run(&mut place.analyze("list")).expect_code(0);
    assert_eq!(listed.stdout.matches("  imported  ").count(), 4, "{}", listed.stdout);
    let runs = by_label(rows(&place, "list"));
    let mid = &runs["slowleader_mid20ms"];
    assert_eq!((mid["fault"].as_str(), mid["target"].as_str()), (Some("delay 20ms"), Some("etcd1")));
    assert_eq!((mid["from_s"].as_f64(), mid["to_s"].as_f64()), (Some(2.0), Some(4.0)));
    assert_eq!(mid["leader_injection"].as_str(), Some("etcd1"));
    for column in ["pacing", "concurrency", "attachment", "seed", "mechanism", "confirmed", "etcd_version"] {
        assert!(mid[column].is_null(), "{column} is {}: no older file says it", mid[column]);
    }
    // A window whose end nobody said is no window.
    assert!(runs["loss20_mid"]["from_s"].is_null() && runs["loss20_mid"]["fault"] == "loss 20%");
    assert!(runs["baseline"]["fault"].is_null());
    let full = &runs["delay100_full"];
    assert_eq!((full["from_s"].as_f64(), full["started"].is_null()), (Some(0.0), true), "{full}");
}

#[test]
fn numbers_are_those_of_the_files_and_what_they_are_is_said() {
    let place = Workplace::new();
    run(&mut place.analyze(&format!("import {}", fixtures().display()))).expect_code(0);
    let summary = run(&mut place.analyze("summary --pattern slow* --format json")).expect_code(0);
    for expected in [
        "response time is service time there",
        "coordinated omission",
        "as asked, not measured",
        "half a second of guard",
    ] {
        assert!(summary.stderr.contains(expected), "{}", summary.stderr);
    }
    let rows: Vec<Value> = serde_json::from_str(&summary.stdout).expect("valid JSON");
    let phase = |phase: &str| rows.iter().find(|row| row["phase"] == phase).unwrap_or_else(|| panic!("no {phase}"));
    for (name, p50, unknown) in [("before", 2.0, 0), ("during", 22.0, 2), ("after", 2.0, 0)] {
        let row = phase(name);
        assert_eq!((row["service_p50_ms"].as_f64(), row["unknown"].as_u64()), (Some(p50), Some(unknown)), "{row}");
        assert_eq!(row["service_p99_ms"], row["response_p99_ms"], "{row}");
    }
    let all = phase("all");
    assert_eq!((all["ok"].as_u64(), all["ops_per_s"].as_f64()), (Some(120), Some(20.0)), "{all}");
    // The imported baseline is what the imported run without a `before` is compared with, or else nothing is.
    let delta = run(&mut place.analyze("delta --by label")).expect_code(0);
    assert!(delta.stdout.contains("slowleader_mid20ms") && delta.stderr.contains("imported"), "{}", delta.stdout);
    let by_member = run(&mut place.analyze("throughput --by member --pattern slow*")).expect_code(1);
    assert!(by_member.stderr.contains("which member was asked is not known"), "{}", by_member.stderr);
}

#[test]
fn what_is_missing_stays_missing() {
    let place = Workplace::new();
    let (recorded, _) = import(&place, "20231114_221320_slowleader_mid20ms", "");
    let operations = &recorded.operations;
    assert_eq!(operations.num_rows(), 122);
    for column in ["member", "raft_term", "revision", "seen_mod_revision", "txn_succeeded"] {
        let column = operations.column_by_name(column).expect(column);
        assert_eq!(column.null_count(), 122, "no older file says it");
    }
    // When the failed ones were sent is not known either.
    assert_eq!(operations.column_by_name("start_ns").expect("a column").null_count(), 2);
    let mut ids: Vec<_> = recorded.longs("op_id").into_iter().flatten().collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..122).collect::<Vec<i64>>());
    let ends: Vec<_> = recorded.longs("end_ns").into_iter().flatten().collect();
    assert!(ends.is_sorted(), "rows are in the order in which operations ended");
    assert_eq!(ends[0], 2_000_000);
    let fault = &recorded.faults[0];
    assert_eq!((fault.asked_ns, fault.asked_clear_ns), (2_000_000_000, Some(4_000_000_000)));
    assert_eq!((fault.applied_ns, fault.cleared_ns, fault.confirmed), (None, None, None), "nobody measured it");
    let manifest = &recorded.manifest;
    let imported = manifest.imported.as_ref().expect("it says that it was imported");
    assert_eq!((imported.source.as_str(), imported.files.len()), ("20231114_221320_slowleader_mid20ms", 5));
    for field in ["operations.intended_ns", "operations.endpoint", "spec.workload.pacing", "host.kernel"] {
        assert!(!manifest.knows(field), "{field}");
    }
    assert!(manifest.knows("leaders") && manifest.knows("spec.fault.target") && manifest.knows("clock.origin_unix_ns"));
    // The recorder does not make up what is needed to repeat it.
    let refused = run(&mut place.recorder(&format!("reproduce {}", recorded.folder.dir().display()))).expect_code(2);
    assert!(refused.stderr.contains("was imported from the older files"), "{}", refused.stderr);
}

#[test]
fn every_variant_of_the_files() {
    let place = Workplace::new();
    // No header, unsorted, Windows line ends; one endpoint, so the member that was asked is known.
    let (recorded, said) = import(&place, "20231114_230000_loss20_mid", "");
    assert!(said.contains("latency.log: has no header; its first column is taken for end_ms"), "{said}");
    assert!(said.contains("summary.txt: was not there"), "{said}");
    assert_eq!(recorded.operations.num_rows(), 120);
    assert!(recorded.manifest.knows("operations.endpoint") && !recorded.manifest.knows("spec.fault.for_ms"));
    assert_eq!(recorded.faults[0].asked_clear_ns, None);
    // Who knows when it was may say so.
    let (recorded, _) = import(&place, "20231114_230000_loss20_mid", "--inject-for 1.5");
    assert_eq!(recorded.faults[0].asked_clear_ns, Some(3_500_000_000));
    let (recorded, _) = import(&place, "20231114_230000_loss20_mid", "--inject-at 1 --inject-for end");
    assert_eq!(
        (recorded.faults[0].asked_ns, recorded.manifest.spec.fault.expect("a fault").for_ms),
        (2_000_000_000, None)
    );

    // `start_ms`, counted from the start of the script.
    let (recorded, said) = import(&place, "delay100_full", "");
    assert!(said.contains("metadata.txt: was not there"), "{said}");
    assert_eq!(recorded.longs("start_ns")[1], Some(50_000_000));
    assert_eq!(recorded.longs("end_ns")[1], Some(152_000_000));
    assert_eq!((recorded.manifest.clock.origin_unix_ns, recorded.folder.label().as_str()), (0, "delay100_full"));
    assert!(!recorded.manifest.knows("clock.origin_unix_ns") && !recorded.manifest.knows("cluster.members"));
}

#[test]
fn what_cannot_be_used_is_refused_by_file_and_line() {
    let place = Workplace::new();
    let refused = fixtures().join("refused");
    let import = |name: &str, options: &str, code: i32| {
        let command = format!("import {} --dir results {options}", refused.join(name).display());
        run(&mut place.analyze(&command)).expect_code(code).stderr
    };
    for (name, expected) in [
        ("counts_only", "counts by second are no operations"),
        ("bad_line", "latency.log: line 3 has no latency in milliseconds"),
        ("two_clocks", "anomaly.log: line 1 lies outside of the time of latency.log"),
        ("empty", "holds no operation"),
    ] {
        let said = import(name, "", 1);
        assert!(said.contains(expected), "{name}: {said}");
    }
    assert!(!place.path().join("results").exists(), "nothing was imported, so nothing was made");
    let said = import("bad_line", "--lenient", 0);
    assert!(said.contains("latency.log: 2 lines left out: line 3 has no latency"), "{said}");
    let said = import("two_clocks", "--lenient", 0);
    assert!(said.contains("anomaly.log: 1 line left out"), "{said}");
    let results = place.path().join("results");
    let rows: Vec<_> = RunFolder::list(&results).expect("runs").into_iter().map(Recorded::of).collect();
    assert_eq!(rows.iter().map(|run| run.operations.num_rows()).collect::<Vec<_>>(), [2, 3]);
    // One that cannot be used does not stop the others.
    let all = run(&mut place.analyze(&format!("import {} --dir more --lenient", refused.display()))).expect_code(1);
    assert_eq!((all.stdout.lines().count(), all.stderr.matches("error: ").count()), (2, 2), "{}", all.stderr);
    let nothing = run(&mut place.analyze("import .")).expect_code(3);
    assert!(nothing.stderr.contains("neither it nor a folder in it has any of"), "{}", nothing.stderr);
    run(&mut place.analyze("import nowhere")).expect_code(3);
}

#[test]
fn older_files_of_a_recorded_run_give_its_numbers_back() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    run(&mut place.recorder("slow-follower 30ms 6 delay30_mid delay 3 --warm-up 1")).expect_code(0);
    let recorded = Recorded::only_one_in(&place.results());
    let older = place.path().join("older");
    let copy = older.join(recorded.folder.name());
    fs::create_dir_all(&copy).expect("a folder");
    for name in RunFolder::OLDER {
        fs::copy(recorded.folder.dir().join(name), copy.join(name)).expect("a copy");
    }
    run(&mut place.analyze("import older --dir imported")).expect_code(0);
    let imported = Recorded::only_one_in(&place.path().join("imported"));
    assert_eq!(imported.folder.name(), recorded.folder.name());
    assert_eq!(imported.manifest.spec.label, recorded.manifest.spec.label);
    assert_eq!(imported.manifest.clock.origin_unix_ns, recorded.manifest.clock.origin_unix_ns);
    assert_eq!(
        imported.manifest.spec.fault.as_ref().map(|fault| (fault.effect, fault.at_ms, fault.for_ms)),
        recorded.manifest.spec.fault.as_ref().map(|fault| (fault.effect, fault.at_ms, fault.for_ms))
    );

    let all = |dir: &str| {
        let rows = rows(&place, &format!("summary --dir {dir}"));
        rows.into_iter().find(|row| row["phase"] == "all").expect("a row for the whole run")
    };
    let (before, after) = (all("etcd_bench_results"), all("imported"));
    assert!(before["ok"].as_u64().is_some_and(|ok| ok > 100), "{before}");
    for column in ["ok", "ops_per_s", "length_s"]
        .into_iter()
        .map(str::to_owned)
        .chain(before.as_object().expect("an object").keys().filter(|name| name.starts_with("service_")).cloned())
    {
        assert_eq!(after[&column], before[&column], "{column}");
    }
    let ok_by_second = |dir: &str| -> Vec<(Option<i64>, Option<u64>)> {
        let rows = rows(&place, &format!("throughput --dir {dir}"));
        rows.iter().map(|row| (row["second"].as_i64(), row["ok"].as_u64())).collect()
    };
    assert_eq!(ok_by_second("imported"), ok_by_second("etcd_bench_results"));
    let throughput = |run: &RunFolder| fs::read_to_string(run.throughput_csv()).expect("a file");
    assert_eq!(throughput(&imported.folder), throughput(&recorded.folder));
    assert!(sorted_lines(&imported.folder.latency_log()) == sorted_lines(&recorded.folder.latency_log()));
    // A run folder itself is nothing to import.
    let refused = run(&mut place.analyze("import etcd_bench_results --dir imported")).expect_code(3);
    assert!(refused.stderr.contains("is a run folder already, analyze it as it is"), "{}", refused.stderr);
}

/// The lines of a file; those of operations that ended in the same nanosecond have no order.
fn sorted_lines(path: &Path) -> Vec<String> {
    let mut lines: Vec<_> = fs::read_to_string(path).expect("a file").lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}
