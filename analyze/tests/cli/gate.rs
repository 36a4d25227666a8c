//! Rules held against planted runs: verdicts, exit codes, and what is written for CI.

use std::fs;
use std::path::Path;

use run_folder::operation::Outcome;
use run_folder::{RunFolder, Status};

use crate::planted::{MS, S, analyze, analyze_in, lost, plant, plant_leaders, put, slow_middle};
use crate::{results, same};

/// The rows of the rules' verdicts, and the exit code.
fn gate(results: &Path, args: &[&str]) -> (i32, Vec<serde_json::Value>, String) {
    let (code, out, err) = analyze_in(results, &[&["gate", "--format", "json"], args].concat());
    assert!(!out.contains("NaN") && !out.contains("inf"), "{out}");
    let rows = if out.is_empty() { Vec::new() } else { serde_json::from_str(&out).expect("json") };
    (code, rows, err)
}

/// A single rule's exit code, verdicts and reasons.
fn check(results: &Path, rule: &str, code: i32, verdict: &str, why: &str) {
    let (found, rows, err) = gate(results, &["--rule", rule]);
    assert_eq!(found, code, "{rule}: {rows:?} {err}");
    assert!(rows.iter().any(|row| row["verdict"] == verdict), "{rule}: {rows:?}");
    let reasons: Vec<&str> = rows.iter().filter_map(|row| row["why"].as_str()).collect();
    assert!(why.is_empty() || reasons.iter().any(|reason| reason.contains(why)), "{rule}: no {why:?} in {reasons:?}");
}

#[test]
fn verdicts_on_planted_runs() {
    let results = results();
    let dir = results.path();
    // Under the fault puts take 22 ms, before and after it 2 ms; the baseline takes 2 ms.
    check(dir, "during.put.response.p99 <= 11 * before", 0, "pass", "over acknowledged operations; 3 of 1002");
    check(dir, "during.put.response.p99 <= 10.9 * before", 4, "fail", "x1.009 the limit");
    check(dir, "during.p50 <= 22ms", 0, "pass", "");
    check(dir, "during.p50 < 22ms", 4, "fail", "");
    check(dir, "during.p50 < 0.0221 s", 0, "pass", "");
    check(dir, "after.p99 <= before", 0, "pass", "");
    check(dir, "during.throughput >= 0.99 * before", 0, "pass", "");
    check(dir, "during.throughput >= 101 ops/s", 4, "fail", "of what it should be at least");
    check(dir, "error_rate <= 0.1%", 0, "pass", "");
    check(dir, "during.error_rate <= 0.1%", 4, "fail", "");
    check(dir, "during.p99 <= 11.5 * baseline", 0, "pass", "");
    check(dir, "during.p99 <= 5 * baseline", 4, "fail", "");
    // What is not there passes nothing.
    check(dir, "during.get.p99 <= 1s", 5, "cannot tell", "no get operations");
    let (code, rows, _) = gate(dir, &["--rule", "during.p99 <= 1s", "--pattern", "baseline"]);
    assert_eq!((code, rows.len()), (5, 1));
    assert_eq!(rows[0]["why"], "no selected run has a fault and is no control; there are baseline");
}

#[test]
fn rules_about_a_fault_leave_out_baselines_and_others_do_not() {
    let results = results();
    let labels = |rule: &str| {
        let (_, rows, _) = gate(results.path(), &["--rule", rule]);
        rows.iter().map(|row| row["label"].as_str().expect("a label").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(labels("during.p99 <= 1s"), ["delay20_mid", "delay20_mid"]);
    assert_eq!(labels("p99 <= 1s"), ["delay20_mid", "delay20_mid", "baseline"]);
}

#[test]
fn a_bound_may_fail_a_rule_and_never_passes_it() {
    let results = tempfile::tempdir().expect("a folder");
    // One in fifty is lost: the 99th percentile of all that were due is only known to be at least the deadline, 5 s.
    let operations: Vec<_> = (0..3000)
        .map(|at| if at % 50 == 0 { lost(at * 10 * MS, Outcome::Unknown) } else { put(at * 10 * MS, 2 * MS) })
        .collect();
    plant(results.path(), "lossy", &operations, true, same);
    let dir = results.path();
    // So that of the acknowledged ones passes nothing either, though what it is of decides where that is enough.
    check(dir, "response.p99 <= 6s", 5, "cannot tell", "60 of 3000 were not acknowledged");
    check(dir, "service.max <= 6s", 5, "cannot tell", "60 of 3000 were not acknowledged");
    check(dir, "response.p99 <= 1ms", 4, "fail", "x2.000 the limit");
    check(dir, "response.p99 >= 1ms", 0, "pass", "");
    check(dir, "response.p95 <= 6s", 0, "pass", "60 of 3000 were not, see response_due");
    check(dir, "mean <= 6s", 0, "pass", "60 of 3000 were not, see response_due");
    check(dir, "response_due.p99 <= 6s", 5, "cannot tell", "lower bound only");
    check(dir, "response_due.p99 <= 4s", 4, "fail", "at least x1.250 the limit");
    check(dir, "response_due.p50 <= 3ms", 0, "pass", "");
    check(dir, "response_due.p99 >= 4s", 0, "pass", "");
    let (_, rows, _) = gate(dir, &["--rule", "response_due.p99 <= 6s"]);
    assert_eq!((rows[0]["observed"].as_f64(), rows[0]["observed_is_bound"].as_bool()), (Some(5000.0), Some(true)));
    // Both sides are bounds: neither can be told from the other.
    check(dir, "during.response_due.p99 <= 2 * before", 5, "cannot tell", "lower bound only");

    let all_lost: Vec<_> = (0..100).map(|at| lost(at * 100 * MS, Outcome::Failed)).collect();
    let dir = tempfile::tempdir().expect("a folder");
    plant(dir.path(), "all_failed", &all_lost, false, same);
    check(
        dir.path(),
        "p99 <= 1h".replace("1h", "100s").as_str(),
        5,
        "cannot tell",
        "none of 100 operations was acknowledged",
    );
    check(dir.path(), "throughput >= 1", 4, "fail", "");
    check(dir.path(), "error_rate <= 5%", 4, "fail", "x20.00 the limit");
}

#[test]
fn recovery_is_judged_and_never_passes_unseen() {
    let results = tempfile::tempdir().expect("a folder");
    // The fault lasts from second 10 to 20; puts stop at its end and come back three seconds later, or never.
    let steady = |lasts_s: i64| {
        (0..3000_i64)
            .filter(move |at| !(2000..2000 + lasts_s * 100).contains(at))
            .map(|at| put(at * 10 * MS, 2 * MS))
            .collect()
    };
    let back: Vec<_> = steady(3);
    let never: Vec<_> = steady(10);
    plant(results.path(), "back", &back, true, same);
    let dir = results.path();
    check(dir, "recovery <= 5s", 0, "pass", "");
    check(dir, "recovery <= 1s", 4, "fail", "the limit");
    check(dir, "longest_gap <= 4s", 0, "pass", "");
    check(dir, "put.longest_gap <= 2s", 4, "fail", "");
    check(dir, "get.recovery <= 5s", 5, "cannot tell", "no get operations");
    let results = tempfile::tempdir().expect("a folder");
    plant(results.path(), "never", &never, true, same);
    let dir = results.path();
    check(dir, "recovery <= 5s", 4, "fail", "at least");
    check(dir, "recovery <= 60s", 5, "cannot tell", "it was not seen to end, so that there is a lower bound only");
    let (code, rows, _) = gate(dir, &["--rule", "recovery <= 60s", "--pattern", "never"]);
    assert_eq!((code, rows[0]["observed_is_bound"].as_bool()), (5, Some(true)), "{rows:?}");
    plant(dir, "full", &back, true, |manifest| manifest.clock.workload_end_ns = 20 * S);
    let (code, rows, _) = gate(dir, &["--rule", "recovery <= 60s", "--pattern", "full"]);
    assert_eq!((code, rows[0]["verdict"].as_str()), (5, Some("cannot tell")), "{rows:?}");
    // Of two repeats one came back after 3 s, the other not within 10 s: no limit lets their label pass.
    let results = tempfile::tempdir().expect("a folder");
    let dir = results.path();
    plant(dir, "half", &back, true, same);
    plant(dir, "half", &never, true, same);
    let file = dir.join("rules.toml");
    for (limit, verdict) in [("5s", "fail"), ("60s", "cannot tell")] {
        let rules = format!("of = \"label\"\n[[rule]]\nname = \"back\"\nrule = \"recovery <= {limit}\"\n");
        fs::write(&file, rules).expect("rules");
        let (_, rows, _) = gate(dir, &[file.to_str().expect("a path")]);
        assert_eq!((rows.len(), rows[0]["runs"].as_u64(), rows[0]["verdict"].as_str()), (1, Some(2), Some(verdict)));
    }
}

#[test]
fn repeats_pass_only_where_each_was_judged_and_seen_to_end() {
    // As above: puts stop at second 20, for three seconds or for good; or none is ever acknowledged.
    let steady = |lasts_s: i64| -> Vec<_> {
        (0..3000_i64)
            .filter(move |at| !(2000..2000 + lasts_s * 100).contains(at))
            .map(|at| put(at * 10 * MS, 2 * MS))
            .collect()
    };
    let never: Vec<_> = (0..300).map(|at| lost(at * 100 * MS, Outcome::Unknown)).collect();
    let (open, dead) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for (results, third) in [(&open, &steady(10)), (&dead, &never)] {
        for operations in [&steady(3), &steady(3), third] {
            plant(results.path(), "delay20_mid", operations, true, same);
        }
    }
    let judged = |results: &Path, rule: &str, verdict: &str, observed: f64, why: &str| {
        let file = results.join("rules.toml");
        fs::write(&file, format!("of = \"label\"\n[[rule]]\nrule = \"{rule}\"\n")).expect("rules");
        let (_, rows, err) = gate(results, &[file.to_str().expect("a path")]);
        assert_eq!((rows.len(), rows[0]["verdict"].as_str()), (1, Some(verdict)), "{rule}: {rows:?} {err}");
        let found = rows[0]["observed"].as_f64().expect("a number");
        assert!((found - observed).abs() <= 0.02 * observed, "{rule}: {rows:?}");
        assert!(rows[0]["why"].as_str().unwrap_or_default().contains(why), "{rule}: {rows:?}");
    };
    judged(open.path(), "recovery <= 5s", "cannot tell", 3.0, "1 of 3 never recovered: 2027");
    judged(open.path(), "recovery <= 1s", "fail", 3.0, "the limit");
    judged(open.path(), "recovery >= 1s", "pass", 3.0, "");
    // The run with most of it stands for the label, and may have had more.
    judged(open.path(), "longest_gap <= 4s", "fail", 10.0, "at least");
    judged(open.path(), "longest_gap <= 60s", "cannot tell", 10.0, "1 of 3 not seen to end");
    judged(open.path(), "unavailable <= 60s", "cannot tell", 10.0, "1 of 3 not seen to end");
    judged(open.path(), "ops_lost <= 5000", "cannot tell", 1000.0, "1 of 3 not seen to end");
    judged(open.path(), "ops_lost <= 900", "fail", 1000.0, "at least");
    judged(dead.path(), "recovery <= 5s", "cannot tell", 3.0, "1 of 3 cannot be judged: 2027");
    judged(dead.path(), "recovery <= 1s", "fail", 3.0, "the limit");
    judged(dead.path(), "p99 <= 1s", "cannot tell", 2.0, "none of 300 operations was acknowledged");
    judged(dead.path(), "p99 <= 1ms", "fail", 2.0, "x2.000 the limit");
    // By itself such a run has a lower bound.
    check(open.path(), "ops_lost <= 5000", 5, "cannot tell", "lower bound only");
    check(open.path(), "unavailable <= 60s", 5, "cannot tell", "lower bound only");
}

#[test]
fn pooled_repeats_have_the_ratios_and_intervals_of_delta() {
    let results = tempfile::tempdir().expect("a folder");
    for took_ms in [18, 22, 30] {
        let operations: Vec<_> = (0..3000)
            .map(|at: i64| put(at * 10 * MS, if (1000..2000).contains(&at) { took_ms * MS } else { 2 * MS }))
            .collect();
        plant(results.path(), "delay20_mid", &operations, true, same);
    }
    let rules = results.path().join("rules.toml");
    let write = |text: &str| fs::write(&rules, text).expect("rules");
    let file = rules.to_str().expect("a path").to_owned();
    write(
        "of = \"label\"\n[[rule]]\nrule = \"during.p99 <= 12 * before\"\n[[rule]]\nsure = true\nrule = \"during.p99 <= 12 * before\"\n",
    );
    let (code, rows, err) = gate(results.path(), &[&file]);
    assert_eq!((code, err.as_str(), rows.len()), (5, "", 2), "{rows:?}");
    assert_eq!((rows[0]["verdict"].as_str(), rows[1]["verdict"].as_str()), (Some("pass"), Some("cannot tell")));
    assert_eq!(rows[1]["why"], "the limit lies within the 95 % interval");
    assert_eq!((rows[0]["runs"].as_u64(), rows[0]["interval"].as_str()), (Some(3), Some("between-run")));
    assert!(rows[0]["run"].is_null() && rows[0]["label"] == "delay20_mid");

    let (_, json, _) = analyze_in(results.path(), &["delta", "--format", "json"]);
    let delta: serde_json::Value = serde_json::from_str(&json).expect("json");
    let delta = delta.as_array().expect("rows").iter().find(|row| row["compared"] == "during/before").expect("a row");
    for (of_gate, of_delta) in [
        ("observed", "response_p99_ms_ratio"),
        ("observed_low", "response_p99_ms_ratio_low"),
        ("observed_high", "response_p99_ms_ratio_high"),
    ] {
        let (of_gate, of_delta) =
            (rows[0][of_gate].as_f64().expect(of_gate), delta[of_delta].as_f64().expect(of_delta));
        assert!((of_gate / 2.0 / of_delta - 1.0).abs() < 1e-9, "{of_gate} {of_delta}");
    }

    // Far enough away on either side, the whole interval tells.
    write("sure = true\n[[rule]]\nrule = \"during.p99 <= 30 * before\"\n");
    assert_eq!(gate(results.path(), &[&file]).0, 0);
    write("sure = true\n[[rule]]\nrule = \"during.p99 <= 5 * before\"\n");
    assert_eq!(gate(results.path(), &[&file]).0, 4);

    // One run has no interval between runs; one in which the leader changed is not pooled with the others.
    let changed = RunFolder::list(results.path()).expect("runs").remove(0);
    plant_leaders(&changed, &[(0, 1), (12 * S, 2)]);
    let (code, rows, _) = gate(results.path(), &[&file]);
    assert_eq!((code, rows.len()), (5, 2), "the interval of two runs is a wide one: {rows:?}");
    let runs = |row: &serde_json::Value| (row["runs"].as_u64(), row["leader_changes"].as_u64());
    let mut found: Vec<_> = rows.iter().map(runs).collect();
    found.sort();
    assert_eq!(found, [(Some(1), Some(1)), (Some(2), Some(0))]);
    let alone = rows.iter().find(|row| row["runs"] == 1).expect("a row");
    assert_eq!(alone["why"], "sure takes repeats, and this is one run");
}

#[test]
fn runs_that_are_missing_pass_nothing() {
    let results = results();
    plant(results.path(), "delay30_mid", &slow_middle(), true, |manifest| {
        manifest.status = Status::Failed { reason: "fault not confirmed".to_owned(), recovered: false };
    });
    plant(results.path(), "delay40_mid", &slow_middle(), true, |manifest| manifest.status = Status::Running);
    let (code, rows, err) = gate(results.path(), &["--rule", "during.p99 <= 1s"]);
    let verdicts: Vec<_> = rows.iter().map(|row| (row["label"].as_str(), row["verdict"].as_str())).collect();
    assert_eq!(code, 5, "{verdicts:?}");
    assert_eq!(verdicts.iter().filter(|verdict| verdict.1 == Some("pass")).count(), 2, "{verdicts:?}");
    assert!(verdicts.contains(&(Some("delay30_mid"), Some("cannot tell"))), "{verdicts:?}");
    assert!(rows.iter().any(|row| row["why"] == "it failed: fault not confirmed"), "{rows:?}");
    assert!(rows.iter().any(|row| row["why"] == "it is unfinished"), "{rows:?}");
    assert!(err.contains("delay40_mid: left out: unfinished"), "{err}");
    let (code, _, _) =
        gate(results.path(), &["--rule", "during.p99 <= 1s", "--include-failed", "--pattern", "delay30*"]);
    assert_eq!(code, 0);
    // A run that cannot be read is an error, whatever the others say.
    let damaged = RunFolder::list(results.path()).expect("runs").remove(1);
    fs::write(damaged.operations_parquet(), "").expect("a table");
    let (code, rows, err) = gate(results.path(), &["--rule", "during.p99 <= 1s", "--pattern", "delay20*"]);
    assert_eq!((code, rows.len()), (1, 2), "{err}");
    assert!(rows.iter().any(|row| row["why"] == "it cannot be read, see the error"), "{rows:?}");
}

#[test]
fn several_outputs_in_one_go() {
    let results = results();
    let file = |name: &str| results.path().join(name);
    let path = |name: &str| file(name).to_str().expect("a path").to_owned();
    fs::write(
        file("rules.toml"),
        "[[rule]]\nname = \"p|ts <fast>\"\nrule = \"during.put.p99 <= 5ms\"\n\n[[rule]]\nrule = \"get.p99 <= 5ms\"\n\n\
         [[rule]]\nrule = \"p50 <= 5ms\"\nruns = \"base*\"\n",
    )
    .expect("rules");
    let (code, out, err) = analyze_in(
        results.path(),
        &["gate", &path("rules.toml"), "--markdown", &path("gate.md"), "--junit", &path("gate.xml")],
    );
    assert_eq!((code, err.as_str()), (4, ""));
    assert!(out.starts_with("fail: of 6 verdicts 2 fail, 3 cannot tell\n"), "{out}");
    assert!(out.contains("p|ts <fast>: during.put.p99 <= 5ms\n"), "{out}");
    assert!(out.contains("fail: p|ts <fast>: 20270115_080500_delay20_mid: x4.400 the limit"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 120), "{out}");

    let markdown = fs::read_to_string(file("gate.md")).expect("markdown");
    assert!(
        markdown.starts_with("### Gate: fail: of 6 verdicts 2 fail, 3 cannot tell\n\n| verdict | rule |"),
        "{markdown}"
    );
    let first = markdown.lines().nth(4).expect("a row");
    assert!(first.starts_with("| fail | p\\|ts &lt;fast&gt;: during.put.p99 &lt;= 5ms | 20270115\\_080500"), "{first}");

    let text = fs::read_to_string(file("gate.xml")).expect("XML");
    let xml = roxmltree::Document::parse(&text).expect("well-formed XML");
    let root = xml.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    let counts = ["tests", "failures", "errors"].map(|name| root.attribute(name).expect(name).to_owned());
    assert_eq!(counts, ["6", "2", "3"]);
    let failure = xml.descendants().find(|node| node.tag_name().name() == "failure").expect("a failure");
    assert_eq!(failure.attribute("message"), Some("22.00 ms, expected <= 5.000 ms; x4.400 the limit"));
    let case = failure.parent().expect("a case");
    assert_eq!(case.attribute("name"), Some("20270115_080500_delay20_mid"));
    assert_eq!(case.attribute("classname"), Some("p|ts <fast>"));

    // Every format alone, to standard output.
    for (format, expected) in [("markdown", "### Gate: fail"), ("junit", "<?xml"), ("csv", "rule,text,of,run,label,")] {
        let (code, out, _) = analyze_in(results.path(), &["gate", &path("rules.toml"), "--format", format]);
        assert!(code == 4 && out.starts_with(expected), "{format}: {out}");
    }
    let (code, out, _) = analyze_in(
        results.path(),
        &["gate", &path("rules.toml"), "--junit", "/nowhere/at/all.xml", "--output", &path("t")],
    );
    assert_eq!((code, out.as_str()), (1, ""), "what cannot be written is an error, whatever the verdict");
}

#[test]
fn mistakes_in_rules_show_before_any_run_is_read() {
    let nowhere = Path::new("nowhere/at/all");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("a path");
    fs::write(file.path(), "[[rule]]\nrule = \"p99 <= 5ms\"\n\n[[rule]]\nrule = \"durin.p99 <= 5ms\"\n")
        .expect("rules");
    let (code, out, err) = analyze_in(nowhere, &["gate", path]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains(&format!("{path}:5: rule \"durin.p99 <= 5ms\" has \"durin\"")), "{err}");
    assert!(err.contains("did you mean during?"), "{err}");
    for (args, expected) in [
        (&["gate"][..], "name a rules file (RULES.toml), or give rules with --rule"),
        (&["gate", "--rule", "p99 50"], "has no <=, <, >= or >"),
        (&["gate", "/nowhere/rules.toml"], "/nowhere/rules.toml: cannot read the rules"),
    ] {
        let (code, out, err) = analyze_in(nowhere, args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(err.contains(expected), "{args:?}: {err}");
    }
    let help = String::from_utf8(analyze(&["gate", "--help"]).stdout).expect("text");
    for expected in ["QUANTITY OP LIMIT", "Exit codes:", "  4  gate: a rule does not hold"] {
        assert!(help.contains(expected), "{help}");
    }
    // Outside of terminals help has lines of at most 100 characters; what is aligned in it must not be broken.
    let aligned = "  sure = true             # the whole 95 % interval over repeats has to keep the limit\n";
    assert!(help.contains(aligned), "{help}");
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("or, with `sure`, an interval around the limit"), "{help}");
}

#[test]
fn the_example_of_the_repository_is_one() {
    let results = tempfile::tempdir().expect("a folder");
    crate::sweeps::sweep(results.path(), crate::sweeps::SWEEP, 2, 0);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/rules.toml");
    let (code, rows, err) = gate(results.path(), &[example, "--sweep", "latest"]);
    assert_eq!((code, err.as_str()), (4, ""), "{rows:?}");
    let of = |name: &str, label: &str| {
        let row = rows.iter().find(|row| row["rule"] == name && row["label"] == label);
        row.unwrap_or_else(|| panic!("no {name} {label} in {rows:?}"))["verdict"]
            .as_str()
            .expect("a verdict")
            .to_owned()
    };
    // 100 ms on 80 ms are less than three times; and more than a fifth of the throughput.
    assert_eq!(of("puts stay usable", "delay100_mid"), "pass");
    assert_eq!(of("throughput stands a delay of 50 ms", "delay50_full"), "fail");
    assert!(rows.iter().filter(|row| row["rule"] == "nothing is lost").count() > 20, "each run by itself");
}
