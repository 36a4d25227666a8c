//! The real program on made-up sweeps.

use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta};
use run_folder::manifest::{Generator, Role};
use run_folder::synthetic::{self, SweepShape};
use run_folder::{Manifest, RunFolder};

use crate::Picture;
use crate::planted::{analyze, analyze_in};

pub(crate) const SWEEP: &str = "20270115_080000_slow";

/// Writes a sweep of delays, as if it had begun `days` later.
pub(crate) fn sweep(results: &Path, id: &str, repeats: u32, days: i64) {
    let shape = SweepShape {
        id: id.to_owned(),
        only: "delay".to_owned(),
        has_full: true,
        repeats,
        seconds: 9,
        rate_per_s: 200,
        seed: 1,
    };
    let mut now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time") + TimeDelta::days(days);
    for run in synthetic::planned(&shape) {
        synthetic::write_planned(results, &run, now).expect("a run");
        now += TimeDelta::minutes(1);
    }
}

fn edit(folder: &RunFolder, edit: impl FnOnce(&mut Manifest)) {
    let mut manifest = folder.manifest().expect("a manifest");
    edit(&mut manifest);
    manifest.write(&folder.manifest_json()).expect("a manifest");
}

fn run_of(results: &Path, label: &str) -> RunFolder {
    let runs = RunFolder::list(results).expect("runs");
    runs.into_iter().find(|run| run.label().as_str() == label).expect(label)
}

#[test]
fn tables_for_people_fit_120_characters() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), SWEEP, 2, 0);
    sweep(results.path(), "20270117_080000_slow", 1, 2);
    for folder in RunFolder::list(results.path()).expect("runs") {
        let because = "1 of 100 operations began 267 ms late or more for no other reason (limit 20 ms)";
        edit(&folder, |manifest| {
            let generator = manifest.generator.get_or_insert_with(Generator::default);
            generator.client_saturated = Some(format!("{}: {because}", manifest.spec.seed));
        });
    }
    let sure = "during.throughput >= 0.8 * before";
    for args in [
        &["list"][..],
        &["summary", "--pattern", "delay5*"],
        &["delta"],
        &["delta", "--by", "run"],
        &["delta", "--sweep", "20270117_080000_slow"],
        &["recovery"],
        &["recovery", "--by", "run"],
        &["causes"],
        &["verdict"],
        &["severity"],
        &["severity", "--crossings"],
        &["cdf", "--pattern", "baseline"],
        &["throughput", "--pattern", "baseline"],
        &["samples", "--pattern", "delay50_mid"],
        &["check"],
        &["gate", "--rule", "during.put.response.p99 <= 3 * before", "--rule", sure, "--rule", "recovery <= 5s"],
        &["compare", "delay*", "delay5*"],
        &["compare", "delay5_mid", "delay100_mid"],
    ] {
        let (code, out, err) = analyze_in(results.path(), args);
        assert!(matches!(code, 0 | 4 | 5), "{args:?}: {code}: {err}");
        assert!(out.lines().count() > 3, "{args:?}: {out}");
        let wide: Vec<&str> = out.lines().filter(|line| line.chars().count() > 120).collect();
        assert!(wide.is_empty(), "{args:?}: {wide:#?}");
    }
}

#[test]
fn effects_of_a_sweep_with_baselines_that_the_pattern_leaves_out() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), SWEEP, 2, 0);
    let (code, out, err) = analyze_in(results.path(), &["delta", "--pattern", "delay*"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.lines().all(|line| line.chars().count() <= 120), "{out}");
    let labels: Vec<&str> =
        out.lines().filter(|line| line.contains("during/")).filter_map(|line| line.split(' ').next()).collect();
    let expected = [5, 10, 20, 50, 100];
    let expected: Vec<String> =
        ["full", "mid"].iter().flat_map(|kind| expected.map(|ms| format!("delay{ms}_{kind}"))).collect();
    assert_eq!(labels, expected);
    assert!(out.contains("\ndelay#_full\n") && out.contains("\ndelay#_mid\n"), "{out}");
    assert!(!out.contains("no baseline") && out.contains("within the noise floor"), "{out}");

    let (_, json, _) = analyze_in(results.path(), &["delta", "--pattern", "delay100_full", "--format", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&json).expect("json");
    let row = rows.as_array().expect("rows").iter().find(|row| row["kind"] == "all").expect("a row");
    // A delay of 100 ms on 80 ms: more than the double, and less than half of the operations.
    let ratio = |name: &str| row[name].as_f64().expect(name);
    assert!((1.8..3.0).contains(&ratio("response_p50_ms_ratio")), "{row}");
    assert!(ratio("ops_per_s_ratio_high") < 0.6 && ratio("ops_per_s_ratio_low") > 0.2, "{row}");
    assert_eq!((row["runs"].as_u64(), row["baselines"].as_u64()), (Some(2), Some(8)));
    assert_eq!(row["ops_per_s_within_noise"].as_bool(), Some(false));

    let (_, by_run, _) =
        analyze_in(results.path(), &["delta", "--by", "run", "--format", "csv", "--pattern", "null_mid"]);
    assert!(by_run.starts_with("run,label,family,sweep,repeat,role,fault,fault_value,kind,compared,"), "{by_run}");
    assert_eq!(by_run.lines().filter(|line| line.contains(",all,")).count(), 4, "{by_run}");
    let (code, by_run, _) = analyze_in(results.path(), &["delta", "--by", "run"]);
    assert!(code == 0 && by_run.lines().all(|line| line.chars().count() <= 120), "{by_run}");
}

#[test]
fn a_sweep_is_chosen_by_its_id_or_as_the_latest() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), SWEEP, 1, 0);
    sweep(results.path(), "20270116_080000_slow", 1, 1);
    let count = |args: &[&str]| {
        let (code, out, err) = analyze_in(results.path(), args);
        assert_eq!(code, 0, "{err}");
        out.lines().count() - 1
    };
    let all = count(&["list", "--format", "csv"]);
    assert_eq!(count(&["list", "--format", "csv", "--sweep", SWEEP]) * 2, all);
    assert_eq!(count(&["list", "--format", "csv", "--sweep", "latest", "--pattern", "delay5_mid"]), 1);
    let (_, out, _) = analyze_in(results.path(), &["list", "--format", "csv", "--sweep", "latest"]);
    assert!(!out.contains(SWEEP) && out.contains(",20270116_080000_slow,1,1,baseline,"), "{out}");
    let (code, out, err) = analyze_in(results.path(), &["delta", "--sweep", "fast"]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("--sweep fast: no such sweep") && err.contains(SWEEP), "{err}");
    // Runs of different sweeps are not pooled.
    let (_, out, _) = analyze_in(results.path(), &["delta", "--pattern", "delay5_mid", "--format", "csv"]);
    assert_eq!(out.lines().filter(|line| line.contains(",all,during/before,1,")).count(), 2, "{out}");
    let (_, out, _) = analyze_in(results.path(), &["list"]);
    assert!(out.contains("\nsweep 20270116_080000_slow\n"), "{out}");
}

#[test]
fn runs_in_which_the_leader_changed_are_told_apart() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), SWEEP, 1, 0);
    let shape = SweepShape {
        id: SWEEP.to_owned(),
        only: "delay5".to_owned(),
        has_full: false,
        repeats: 1,
        seconds: 9,
        rate_per_s: 200,
        seed: 2,
    };
    let mut run = synthetic::planned(&shape).into_iter().find(|run| run.shape.fault.is_some()).expect("a run");
    run.leader_change_ms = Some(4000);
    let label = run.shape.label.to_string();
    let now = DateTime::from_timestamp(1_800_090_000, 0).expect("a time");
    synthetic::write_planned(results.path(), &run, now).expect("a run");
    let (code, json, _) = analyze_in(results.path(), &["delta", "--format", "json", "--pattern", &label]);
    assert_eq!(code, 0);
    let rows: serde_json::Value = serde_json::from_str(&json).expect("json");
    let of_all = rows.as_array().expect("rows").iter().filter(|row| row["kind"] == "all");
    let during: Vec<_> = of_all.filter(|row| row["compared"] == "during/before").collect();
    let counts: Vec<_> = during.iter().map(|row| (row["runs"].as_u64(), row["leader_changes"].as_u64())).collect();
    assert_eq!(counts, [(Some(1), Some(0)), (Some(1), Some(1))], "{json}");
    let (_, out, _) = analyze_in(results.path(), &["delta", "--pattern", &label]);
    assert!(out.contains("  ldr  ") && out.contains("ldr: leader changes"), "{out}");
    let to = results.path().join("picture.svg");
    let path = to.to_str().expect("a path");
    analyze_in(results.path(), &["plot", "--kind", "delta", "--pattern", &label, "--output", path]);
    assert!(Picture::read(&to).has(&format!("{label} †")));
}

#[test]
fn runs_that_measure_the_capacity_are_left_out_unless_named() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), SWEEP, 1, 0);
    let capacity = run_of(results.path(), "delay5_mid");
    edit(&capacity, |manifest| manifest.sweep.as_mut().expect("a sweep").role = Role::Capacity);
    let (code, out, err) = analyze_in(results.path(), &["delta", "--format", "csv"]);
    assert_eq!(code, 0);
    assert!(!out.contains("delay5_mid") && err.contains("left out 1 run that measures the capacity"), "{err}");
    let (_, out, err) = analyze_in(results.path(), &["delta", "--format", "csv", "--pattern", "delay5_mid"]);
    assert!(out.contains("delay5_mid") && err.is_empty(), "{err}");
    let (_, out, _) = analyze_in(results.path(), &["summary", "--format", "csv"]);
    assert!(out.contains("delay5_mid"), "a summary has every run");
}

#[test]
fn saturated_clients_and_links_and_null_faults_are_named() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), SWEEP, 1, 0);
    edit(&run_of(results.path(), "delay5_mid"), |manifest| {
        let generator =
            Generator { client_saturated: Some("its threads were busy".to_owned()), ..Generator::default() };
        manifest.generator = Some(generator);
        manifest.spec.workload.connections = 4;
        manifest.cluster.earlier_runs = 3;
    });
    for command in ["list", "summary", "delta"] {
        let (_, out, _) = analyze_in(results.path(), &[command]);
        let expected = "client saturated, not the cluster, in 2027";
        assert!(out.contains(expected) && out.contains("_delay5_mid: its threads were busy"), "{command}: {out}");
    }
    let (_, json, _) = analyze_in(results.path(), &["list", "--format", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&json).expect("json");
    let row = |label: &str| rows.as_array().expect("rows").iter().find(|row| row["label"] == label).expect(label);
    assert_eq!(
        (row("delay5_mid")["connections"].as_u64(), row("delay5_mid")["earlier_runs"].as_u64()),
        (Some(4), Some(3))
    );
    assert_eq!(row("delay5_mid")["client_saturated"], "its threads were busy");
    assert_eq!((&row("null_mid")["fault"], &row("null_mid")["role"]), (&"null fault".into(), &"control".into()));
    assert_eq!(row("unusedlink_mid")["fault_peer"], "etcd0");
    let to = results.path().join("picture.svg");
    let args = ["plot", "--pattern", "unusedlink_mid", "--output", to.to_str().expect("a path")];
    analyze_in(results.path(), &args);
    let words = Picture::read(&to).description;
    assert!(words.contains("delay 100ms on etcd2 (follower), only the link to etcd0, egress"), "{words}");
}

#[test]
fn pictures_of_a_whole_sweep() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), SWEEP, 3, 0);
    let draw = |kind: &str, pattern: &str| {
        let (code, out, err) = analyze_in(results.path(), &["plot", "--kind", kind, "--pattern", pattern]);
        assert_eq!((code, err.as_str()), (0, ""), "{kind}");
        Picture::read(Path::new(out.trim_end()))
    };
    for kind in ["throughput", "latency", "cdf"] {
        let picture = draw(kind, "*");
        for text in ["delay#_full", "delay#_mid", "other labels", "delay 100ms", "null_mid", "baseline"] {
            assert!(picture.has(text), "{kind}: no {text:?} in {:?}", picture.texts);
        }
    }
    // Twelve labels, the fault's window in each but the baseline's.
    assert_eq!(draw("throughput", "*").shaded.len(), 12);
    let picture = draw("delta", "*");
    for text in ["throughput", "response time, p50", "response time, p99", "delay5_full ×3", "null_mid ×3", "1", "/2"]
    {
        assert!(picture.has(text), "no {text:?} in {:?}", picture.texts);
    }
    assert!(picture.description.contains("delay100_mid ×3: throughput during/before 0."), "{}", picture.description);
    let picture = draw("cdf", "delay100_full");
    assert!(picture.texts.iter().any(|text| text.starts_with("baselines, geometric mean")), "{:?}", picture.texts);
    let picture = draw("throughput", "delay20_mid");
    assert!(picture.texts.iter().any(|text| text.contains("the middle run of each second")), "{:?}", picture.texts);
    let (code, out, _) = analyze_in(results.path(), &["plot", "--kind", "delta", "--format", "csv"]);
    assert!(code == 0 && out.starts_with("label,family,sweep,role,"), "{out}");
    let (code, out, _) = analyze_in(results.path(), &["cdf", "--pattern", "delay5_mid", "--format", "csv"]);
    assert!(code == 0 && out.starts_with("run,label,kind,phase,time,operations,fraction,value_ms"), "{out}");
}

#[test]
fn a_run_and_the_one_that_it_repeats() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), SWEEP, 2, 0);
    let runs = RunFolder::list(results.path()).expect("runs");
    let repeats: Vec<&RunFolder> = runs.iter().filter(|run| run.label().as_str() == "delay50_full").collect();
    let other = run_of(results.path(), "delay5_full");
    edit(repeats[1], |manifest| {
        manifest.reproduces = Some(repeats[0].name());
        manifest.host.kernel = "6.2.0".to_owned();
        let name = manifest.reproduces.clone().unwrap_or_default();
        manifest.cluster.flags = vec![format!("--data-dir=x/{name}"), "--heartbeat-interval=200".to_owned()];
        manifest.warnings = vec!["a sentence that is too long to stand in a column of a table".to_owned()];
    });
    let (code, out, err) = analyze_in(results.path(), &["compare", &repeats[1].name()]);
    assert_eq!((code, err.as_str()), (0, ""));
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some(format!("A: {}", repeats[0].name()).as_str()));
    assert_eq!(lines.next(), Some(format!("B: {}", repeats[1].name()).as_str()));
    assert!(lines.next().is_some_and(|line| line.starts_with("agree: all 3 effects")), "{out}");
    assert!(out.contains("kernel") && out.contains("6.1.0-synthetic") && out.contains("6.2.0"), "{out}");
    let flag = out.lines().find(|line| line.starts_with("flags.--heartbeat-interval")).expect("a flag");
    assert_eq!(flag.split_whitespace().skip(1).collect::<Vec<_>>(), ["100", "200"]);
    assert!(!out.contains("data-dir") && out.contains("\nwarnings:\n  A: synthetic run"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 120), "{out}");
    let (_, again, _) = analyze_in(results.path(), &["compare", &repeats[1].name()]);
    assert_eq!(out, again, "the same runs always give the same intervals");

    // By path, against another fault: the exit code is the same.
    let (a, b) = (repeats[0].dir().to_str().expect("a path"), other.dir().to_str().expect("a path"));
    let output = analyze(&["compare", a, b, "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.starts_with("a,b,kind,compared,metric,effect_a,effect_b,ratio,ratio_low,ratio_high,margin,verdict"));
    assert!(err.starts_with("note: differ: ") && out.contains(",differ"), "{err}");

    let (code, _, err) = analyze_in(results.path(), &["compare", &repeats[0].name()]);
    assert!(code == 2 && err.contains("repeats no other run"), "{err}");
    let (code, _, err) = analyze_in(results.path(), &["compare", "delay50"]);
    assert!(code == 3 && err.contains("neither a run folder nor the name of one") && err.contains("nearest"), "{err}");
    let (code, _, err) = analyze_in(results.path(), &["compare", a, b, "--margin", "0.5"]);
    assert!(code == 2 && err.contains("--margin"), "{err}");
    fs::remove_dir_all(repeats[0].dir()).expect("gone");
    let (code, _, err) = analyze_in(results.path(), &["compare", &repeats[1].name()]);
    assert!(code == 3 && err.contains("which is not beside it"), "{err}");
}
