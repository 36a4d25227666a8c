//! The real program on sets of made-up runs: severity across a sweep, and sets against each other.

use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta};
use run_folder::synthetic::{self, SweepShape};
use run_folder::{Label, Manifest, RunFolder, Status, SweepManifest};

use crate::Picture;
use crate::planted::analyze_in;

const FIRST: &str = "20270115_080000_slow";
const SECOND: &str = "20270116_080000_slow";

/// Writes a sweep of delays with its manifest, as if made from this plan.
fn sweep(results: &Path, id: &str, days: i64, seed: u64) {
    let shape = SweepShape {
        id: id.to_owned(),
        only: "delay".to_owned(),
        has_full: true,
        repeats: 3,
        seconds: 9,
        rate_per_s: 200,
        seed,
    };
    let start = DateTime::from_timestamp(1_800_000_000, 0).expect("a time") + TimeDelta::days(days);
    let mut now = start;
    for run in synthetic::planned(&shape) {
        synthetic::write_planned(results, &run, now).expect("a run");
        now += TimeDelta::minutes(1);
    }
    fs::create_dir_all(results.join("sweeps")).expect("a folder");
    let mut manifest = SweepManifest::new(results, Label::new("slow").expect("a label"), start);
    manifest.plan = format!("seed = {seed}\n");
    assert_eq!(manifest.id, id);
    manifest.write(results).expect("a manifest");
}

fn edit(folder: &RunFolder, edit: impl FnOnce(&mut Manifest)) {
    let mut manifest = folder.manifest().expect("a manifest");
    edit(&mut manifest);
    manifest.write(&folder.manifest_json()).expect("a manifest");
}

fn is_narrow(out: &str) -> bool {
    out.lines().all(|line| line.chars().count() <= 120)
}

#[test]
fn the_danger_zone_of_a_sweep() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), FIRST, 0, 1);
    let (code, out, err) = analyze_in(results.path(), &["severity"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(is_narrow(&out), "{out}");
    for part in
        ["\ndelay#_full, at the leader, during/baseline\n", "\ndelay#_mid, at the leader, during/before\n", "100 ms"]
    {
        assert!(out.contains(part), "no {part:?} in {out}");
    }
    let (_, json, _) = analyze_in(results.path(), &["severity", "--format", "json", "--metric", "response_p50_ms"]);
    let rows: serde_json::Value = serde_json::from_str(&json).expect("json");
    let rows: Vec<_> = rows.as_array().expect("rows").iter().filter(|row| row["kind"] == "all").collect();
    assert_eq!(rows.len(), 10, "two windows of five values: {json}");
    assert!(rows.iter().all(|row| row["runs"] == 3 && row["interval"] == "between-run"), "{json}");
    assert!(!json.contains("ops_per_s"), "only the metric that was asked for");

    // A service of 80 ms takes 80 ms more by 80 ms of delay, somewhere between 50 and 100; a closed loop of them does half as much.
    let (code, json, _) = analyze_in(results.path(), &["severity", "--crossings", "--format", "json"]);
    assert_eq!(code, 0);
    let rows: serde_json::Value = serde_json::from_str(&json).expect("json");
    let is_it = |row: &&serde_json::Value| {
        row["kind"] == "all" && row["metric"] == "response_p50_ms" && row["threshold_percent"] == 50.0
    };
    for row in rows.as_array().expect("rows").iter().filter(is_it) {
        assert_eq!(row["crossing_side"], "within", "{row}");
        let number = |name: &str| row[name].as_f64().expect(name);
        let (low, at, high) = (number("crossing_low"), number("crossing"), number("crossing_high"));
        assert!(low < at && at < high && (50.0..100.0).contains(&at), "{row}");
    }
    let (code, out, _) = analyze_in(results.path(), &["severity", "--crossings"]);
    assert!(code == 0 && is_narrow(&out) && out.contains("begins: 10 % lost"), "{out}");

    let (code, _, err) = analyze_in(results.path(), &["severity", "--begins", "60"]);
    assert!(code == 2 && err.contains("--begins 60 is not below --certain 50"), "{err}");
    let (code, _, err) = analyze_in(results.path(), &["severity", "--metric", "speed"]);
    assert!(code == 2 && err.contains("no such metric") && err.contains("response_p99_ms"), "{err}");
    let (code, out, err) = analyze_in(results.path(), &["severity", "--pattern", "baseline"]);
    assert!((code, out.as_str()) == (3, "") && err.contains("nothing to tell the severity of"), "{err}");
}

#[test]
fn a_picture_of_severity() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), FIRST, 0, 1);
    let (code, out, err) = analyze_in(results.path(), &["plot", "--kind", "severity", "--with-data"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let paths: Vec<&str> = out.lines().collect();
    assert_eq!(paths.len(), 4, "the picture, its points, crossings and runs: {out}");
    let picture = Picture::read(Path::new(paths[0]));
    for text in [
        "throughput",
        "response time, p50",
        "response time, p99",
        "delay (ms)",
        "leader, full ×3",
        "leader, mid ×3",
        "danger zone",
        "10 % lost",
        "50 % lost",
    ] {
        assert!(picture.has(text), "no {text:?} in {:?}", picture.texts);
    }
    let svg = fs::read_to_string(paths[0]).expect("a picture");
    let beginnings = svg.matches("stroke-dasharray").count();
    assert_eq!(beginnings, 2 * 3, "two curves in three panels; nothing was measured below their first values");
    let words = &picture.description;
    assert!(words.contains("delay, leader, mid, throughput: 5 ms ") && words.contains("50 % lost at "), "{words}");
    let points = fs::read_to_string(paths[1]).expect("points");
    assert!(points.starts_with("sweep,family,target,fault_kind,kind,compared,metric,fault_value,"), "{points}");
}

#[test]
fn sweeps_patterns_and_folders_against_each_other() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), FIRST, 0, 1);
    sweep(results.path(), SECOND, 1, 2);
    let compare = |args: &[&str]| analyze_in(results.path(), &[&["compare"], args].concat());
    let (code, out, err) = compare(&[FIRST, SECOND]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with(&format!("A: sweep {FIRST}, ")) && out.contains(&format!("\nB: sweep {SECOND}, ")),
        "{out}"
    );
    assert!(is_narrow(&out), "{out}");
    assert!(!out.contains("\ndiffer: "), "the same made twice: {out}");
    assert!(out.contains("\ndelay20_full\nduring/baseline  ops_per_s          3, 3"), "{out}");
    assert!(out.contains("do not differ in what was asked"), "{out}");
    let (_, again, _) = compare(&[FIRST, SECOND]);
    assert_eq!(out, again);

    // A sweep by its manifest, by its plan, and as the latest.
    let manifest = results.path().join("sweeps").join(format!("{FIRST}.json"));
    let plan = results.path().join("slow.toml");
    fs::write(&plan, "seed = 2\n").expect("a plan");
    let (manifest, plan) = (manifest.to_str().expect("a path"), plan.to_str().expect("a path"));
    let (code, by_file, err) = compare(&[manifest, plan]);
    assert_eq!((code, err.as_str(), &by_file), (0, "", &out));
    assert_eq!(compare(&[FIRST, "latest"]).1, out);
    fs::write(plan, "seed = 3\n").expect("a plan");
    let (code, _, err) = compare(&[FIRST, plan]);
    assert!(code == 3 && err.contains("made from this plan as it stands"), "{err}");

    // Patterns: another fault differs; families are matched by their values.
    let (code, out, _) = compare(&["delay5_mid", "delay100_mid", "--format", "csv"]);
    assert!(code == 0 && out.starts_with("a,b,label_a,label_b,sweeps_a,sweeps_b,kind,compared,metric,"), "{out}");
    let both = format!("\"{FIRST}, {SECOND}\"");
    let row = format!("delay5_mid,delay100_mid,{both},{both},all,during/before,ops_per_s,6,6,");
    assert!(out.contains(&row) && out.contains(",differ"), "{out}");
    let (_, _, err) = compare(&["delay5_mid", "delay100_mid", "--format", "csv"]);
    assert!(err.contains("note: differ: ") && err.contains("each has one"), "{err}");

    // A run against its label, and another results folder.
    let run =
        RunFolder::list(results.path()).expect("runs").into_iter().find(|run| run.label().as_str() == "delay20_mid");
    let (code, out, err) = compare(&[&run.expect("a run").name(), "delay20_mid"]);
    assert!(code == 0 && out.contains(", 1 run\n") && out.contains("1, 6"), "{out}{err}");
    assert!(err.contains("both sides have 2027") && err.contains("agrees with itself"), "{err}");
    let other = tempfile::tempdir().expect("a folder");
    sweep(other.path(), FIRST, 0, 3);
    let (code, out, err) = compare(&[FIRST, other.path().to_str().expect("a path")]);
    assert!(code == 0 && out.contains("B: results folder "), "{out}{err}");
    assert!(!out.contains("\ndiffer: "), "{out}");

    // Nothing in common, nothing there, nothing finished.
    let (code, out, err) = compare(&["delay*_mid", "delay*_full"]);
    assert!(
        (code, out.as_str()) == (3, "") && err.contains("nothing in common") && err.contains("delay100_full"),
        "{err}"
    );
    let (code, _, err) = compare(&["delay*_mid", "speed*"]);
    assert!(
        code == 3 && err.contains("B: speed*: neither a run folder") && err.contains("nor is it a results folder"),
        "{err}"
    );
    for run in RunFolder::list(other.path()).expect("runs") {
        edit(&run, |manifest| manifest.status = Status::Running);
    }
    let (code, _, err) = compare(&[FIRST, other.path().to_str().expect("a path")]);
    assert!(code == 3 && err.contains("unfinished") && err.contains("nothing to analyse"), "{err}");
    let (code, _, err) = compare(&[FIRST]);
    assert!(code == 2 && err.contains("is no run that repeats another"), "{err}");
}

#[test]
fn a_name_that_is_two_things() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), FIRST, 0, 1);
    sweep(&results.path().join("delay20_mid"), FIRST, 0, 2);
    let (code, out, err) = analyze_in(results.path(), &["compare", FIRST, "delay20_mid"]);
    assert_eq!(code, 0);
    assert!(out.contains("B: results folder "), "{out}");
    assert!(err.contains("delay20_mid is taken for the results folder") && err.contains("'delay20_mi?'"), "{err}");
    let (_, out, err) = analyze_in(results.path(), &["compare", FIRST, "delay20_mi?"]);
    assert!(out.contains("B: labels delay20_mi?, 3 runs") && !err.contains("is taken for"), "{out}{err}");
    assert!(err.contains("that a run agrees with itself says nothing"), "{err}");
}

#[test]
fn pictures_of_comparisons() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), FIRST, 0, 1);
    sweep(results.path(), SECOND, 1, 2);
    let to = results.path().join("picture.svg");
    let path = to.to_str().expect("a path");
    let (code, _, err) = analyze_in(results.path(), &["compare", FIRST, SECOND, "--plot", path]);
    assert_eq!((code, err.as_str()), (0, ""));
    let picture = Picture::read(&to);
    for text in
        ["throughput", "response time, p99", "delay20_mid, during/before", "agree", "cannot tell", "baseline, all"]
    {
        assert!(picture.has(text), "no {text:?} in {:?}", picture.texts);
    }
    assert!(
        !picture.has("during the fault") && picture.description.contains("ops_per_s B/A 1.0"),
        "{}",
        picture.description
    );
    analyze_in(results.path(), &["compare", "delay5_mid", "delay100_mid", "--plot", path]);
    let picture = Picture::read(&to);
    for text in
        ["before the fault", "during the fault", "after the fault", "p99", "distributions of A", "distributions of B"]
    {
        assert!(picture.has(text), "no {text:?} in {:?}", picture.texts);
    }
    let runs = RunFolder::list(results.path()).expect("runs");
    let runs: Vec<String> = runs.iter().filter(|run| run.label().as_str() == "baseline").map(RunFolder::name).collect();
    let (code, _, err) = analyze_in(results.path(), &["compare", &runs[0], &runs[1], "--plot", path]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(Picture::read(&to).has("the whole run"));
}
