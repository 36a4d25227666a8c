//! The real program on planted folders: what it prints, where it prints it, and the exit code.

mod bundles;
mod columns;
mod diagrams;
mod gate;
mod pictures;
mod planted;
mod report;
mod sets;
mod sweeps;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use planted::{MS, S, analyze, analyze_in, lost, plant, plant_faults, plant_leaders, put, slow_middle};
use run_folder::operation::Outcome;
use run_folder::synthetic::{self, Shape};
use run_folder::{Manifest, RunFolder, Status, operation, reader};

fn same(_: &mut Manifest) {}

/// The three runs that most tests use: a baseline, and a fault in the middle, twice.
fn results() -> tempfile::TempDir {
    let results = tempfile::tempdir().expect("a folder");
    let baseline: Vec<_> = (0..3000).map(|at| put(at * 10 * MS, 2 * MS)).collect();
    plant(results.path(), "baseline", &baseline, false, same);
    plant(results.path(), "delay20_mid", &slow_middle(), true, same);
    plant(results.path(), "delay20_mid", &slow_middle(), true, same);
    results
}

#[test]
fn the_summary_for_people() {
    let results = results();
    let (code, out, err) = analyze_in(results.path(), &["summary", "--pattern", "delay*"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let expected = [
        "                                                     service time     response time     of due",
        "kind  phase     due  failed  unknown  unsent  ops/s    p50    p99    p50    p99    max     p99",
        "",
        "20270115_080500_delay20_mid",
        "put   warm_up   100       0        0       0  100.0  2.000  2.000  2.000  2.000  2.000   2.000",
        "put   before   1000       0        0       0  100.1  2.000  2.000  2.000  2.000  2.000   2.000",
        "put   during   1002       1        1       1  100.0  22.00  22.00  22.00  22.00  22.00   22.00",
        "put   after     999       0        0       0  99.95  2.000  2.000  2.000  2.000  2.000   2.000",
        "put   edge        2       0        0       0      -  2.000  22.00  2.000  22.00  22.00   22.00",
        "put   all      3003       1        1       1  100.0  2.000  22.00  2.000  22.00  22.00   22.00",
    ];
    assert_eq!(out.lines().take(10).collect::<Vec<_>>(), expected);
    assert!(out.lines().all(|line| line.chars().count() <= 120), "{out}");
    assert!(out.contains("20270115_081000_delay20_mid"), "{out}");
}

#[test]
fn the_list_for_people() {
    let results = results();
    let (code, out, err) = analyze_in(results.path(), &["list"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let expected = "\
run                          status    seconds  fault       on     role    from s   to s  clients at   operations
20270115_080000_baseline     finished    30.00  -           -      -            -      -  round-robin        3000
20270115_080500_delay20_mid  finished    30.00  delay 20ms  etcd1  leader   10.00  20.00  round-robin        3103
20270115_081000_delay20_mid  finished    30.00  delay 20ms  etcd1  leader   10.00  20.00  round-robin        3103
";
    assert_eq!(out, expected);
}

#[test]
fn throughput_has_every_second_and_adds_up_over_members() {
    let results = results();
    let (code, out, _) = analyze_in(results.path(), &["throughput", "--pattern", "baseline", "--format", "csv"]);
    assert_eq!(code, 0);
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("run,label,second,length_s,ok,failed,unknown,unsent,ops_per_s,not_ok_share"));
    assert_eq!(lines.next(), Some("20270115_080000_baseline,baseline,0,1.0,100,0,0,0,100.0,0.0"));
    assert_eq!(lines.count(), 29);
    let (_, by_member, _) =
        analyze_in(results.path(), &["throughput", "--pattern", "baseline", "--format", "csv", "--by", "member"]);
    assert_eq!(by_member.lines().count(), 1 + 3 * 30);
    assert!(by_member.contains(",29,etcd2,1.0,0,0,0,0,0.0,\n"), "{by_member}");
}

#[test]
fn every_format_holds_the_same_numbers_and_no_nan() {
    let results = results();
    let run = |format: &str| analyze_in(results.path(), &["summary", "--pattern", "baseline", "--format", format]);
    let (code, json, _) = run("json");
    assert_eq!(code, 0);
    let rows: serde_json::Value = serde_json::from_str(&json).expect("json");
    let row = &rows[1];
    assert_eq!((row["phase"].as_str(), row["count"].as_u64()), (Some("all"), Some(3000)));
    assert_eq!((row["service_p99_ms"].as_f64(), row["response_due_bound_from"].is_null()), (Some(2.0), true));
    assert!(!json.contains("NaN"));

    let (_, csv, _) = run("csv");
    assert!(csv.starts_with("run,label,kind,phase,length_s,count,ok,"), "{csv}");
    assert!(csv.contains(",put,all,30.0,3000,3000,0,0,0,0,100.0,2.0,2.0,"), "{csv}");

    let file = results.path().join("summary.parquet");
    let to_file = ["summary", "--format", "parquet", "--output", file.to_str().expect("a path")];
    let (code, out, _) = analyze_in(results.path(), &to_file);
    assert_eq!((code, out.as_str()), (0, ""));
    let bytes = fs::read(&file).expect("a file");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let leftovers = fs::read_dir(results.path()).expect("a folder").flatten();
    assert!(!leftovers.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with(".new")));
}

/// What a picture holds, read with an XML parser of its own.
struct Picture {
    title: String,
    description: String,
    texts: Vec<String>,
    /// Left and right edges of the shaded windows, in pixels of the view box.
    shaded: Vec<(f64, f64)>,
    lines: usize,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a picture");
        let svg = roxmltree::Document::parse(&text).expect("well-formed XML");
        let root = svg.root_element();
        assert_eq!(root.tag_name().name(), "svg");
        let number = |node: &roxmltree::Node<'_, '_>, name: &str| -> f64 {
            node.attribute(name).expect(name).parse().expect("a number")
        };
        let (width, height) = (number(&root, "width") * 10.0, number(&root, "height") * 10.0);
        assert_eq!(root.attribute("viewBox"), Some(format!("0 0 {width} {height}").as_str()));
        let named = |name: &'static str| svg.descendants().filter(move |node| node.tag_name().name() == name);
        let only = |name: &'static str| named(name).next().and_then(|node| node.text()).expect(name).to_owned();
        for node in named("text") {
            assert_eq!(node.attribute("font-family"), Some("sans-serif"));
            assert!((0.0..=width).contains(&number(&node, "x")) && (0.0..=height).contains(&number(&node, "y")));
        }
        Self {
            title: only("title"),
            description: only("desc"),
            texts: named("text").filter_map(|node| node.text()).map(|text| text.trim().to_owned()).collect(),
            shaded: named("rect")
                .filter(|node| node.attribute("fill") == Some("#ECECEC"))
                .map(|node| (number(&node, "x"), number(&node, "x") + number(&node, "width")))
                .collect(),
            lines: named("polyline").filter(|node| node.attribute("stroke") == Some("#0072B2")).count(),
        }
    }

    fn x_of(&self, path: &Path, label: &str) -> f64 {
        let text = fs::read_to_string(path).expect("a picture");
        let svg = roxmltree::Document::parse(&text).expect("well-formed XML");
        let tick = svg
            .descendants()
            .find(|node| {
                node.text().is_some_and(|text| text.trim() == label) && node.attribute("text-anchor") == Some("middle")
            })
            .unwrap_or_else(|| panic!("no tick {label} among {:?}", self.texts));
        tick.attribute("x").expect("x").parse().expect("a number")
    }

    fn has(&self, text: &str) -> bool {
        self.texts.iter().any(|found| found == text)
    }
}

#[test]
fn a_plot_with_nothing_but_a_pattern_draws_throughput_and_prints_its_path() {
    let results = results();
    let run = RunFolder::list(results.path()).expect("runs").remove(2);
    plant_leaders(&run, &[(0, 1), (12 * S, -1), (12 * S + 500 * MS, 2)]);
    let (code, out, err) = analyze_in(results.path(), &["plot", "--pattern", "delay*_mid"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let path = results.path().join("plots").join("throughput_delay_mid.svg");
    assert_eq!(out.trim_end(), path.to_str().expect("a path"));

    let picture = Picture::read(&path);
    assert_eq!(picture.title, "Throughput of delay20_mid");
    assert!(
        picture
            .description
            .contains("20270115_080500_delay20_mid: delay 20ms on etcd1 (leader), egress, 10.0 s to 20.0 s")
    );
    assert!(picture.description.contains("during: 999 of 1,002 operations acknowledged, 100.0 per second"));
    assert!(picture.description.contains("Leader etcd1 to etcd2 at 12.5 s."), "{}", picture.description);
    for text in ["delay20_mid", "2 runs, n = 6,000 of 6,006", "fault on", "▼ leader changed", "0", "100"] {
        assert!(picture.has(text), "no {text:?} in {:?}", picture.texts);
    }
    assert!(
        picture.texts.iter().any(|text| text.ends_with("(s)"))
            && picture.texts.iter().any(|text| text.ends_with("(ops/s)"))
    );
    // The panel of throughput, and that of what was not acknowledged.
    let [(from, to), below] = picture.shaded[..] else { panic!("{:?}", picture.shaded) };
    assert_eq!(below, (from, to));
    assert!((from - picture.x_of(&path, "10")).abs() < 2.0 && (to - picture.x_of(&path, "20")).abs() < 2.0);
    assert!(picture.lines >= 2, "one line for each run");
}

#[test]
fn one_run_has_its_leader_changes_written_out() {
    let results = results();
    let run = RunFolder::list(results.path()).expect("runs").remove(1);
    plant_leaders(&run, &[(0, 1), (12 * S, 2), (15 * S, 0)]);
    let dir = run.dir().to_str().expect("a path");
    let output = analyze(&["plot", "--dir", dir]);
    let printed = String::from_utf8(output.stdout).expect("text");
    let path = Path::new(printed.trim_end());
    assert!(path.ends_with("plots/throughput_20270115_080500_delay20_mid.svg"), "{printed}");
    assert!(!run.dir().join("plots").exists(), "a recording is left as it is");
    assert!(Picture::read(path).has("leader etcd1 → etcd2 → etcd0"));
}

#[test]
fn a_last_second_that_is_not_full_is_not_drawn() {
    let results = tempfile::tempdir().expect("a folder");
    let operations: Vec<_> = (0..1005).map(|at| put(at * 10 * MS, 2 * MS)).collect();
    plant(results.path(), "short", &operations, false, |manifest| manifest.clock.workload_end_ns = 10 * S + 50 * MS);
    let (code, data, _) = analyze_in(results.path(), &["plot", "--format", "csv"]);
    assert_eq!((code, data.lines().count()), (0, 12));
    let (_, out, _) = analyze_in(results.path(), &["plot"]);
    let text = fs::read_to_string(out.trim_end()).expect("a picture");
    let svg = roxmltree::Document::parse(&text).expect("XML");
    let longest = svg
        .descendants()
        .filter(|node| node.attribute("stroke") == Some("#0072B2"))
        .filter_map(|node| node.attribute("points"))
        .map(|points| points.split_whitespace().count())
        .max();
    assert_eq!(longest, Some(20), "both ends of ten whole seconds");
}

#[test]
fn more_labels_than_colours_get_a_panel_each() {
    let results = tempfile::tempdir().expect("a folder");
    let operations: Vec<_> = (0..300).map(|at| put(at * 100 * MS, 2 * MS)).collect();
    for at in 0..9 {
        plant(results.path(), &format!("delay{at}_mid"), &operations, true, same);
    }
    let (code, out, _) = analyze_in(results.path(), &["plot"]);
    assert_eq!(code, 0);
    let picture = Picture::read(Path::new(out.trim_end()));
    assert_eq!(picture.shaded.len(), 9);
    assert!((0..9).all(|at| picture.has(&format!("delay{at}_mid"))), "{:?}", picture.texts);
}

#[test]
fn latency_is_drawn_with_its_outliers_and_the_unanswered() {
    let results = results();
    let to = results.path().join("a picture.svg");
    let args = ["plot", "--kind", "latency", "--pattern", "delay20_mid", "--output", to.to_str().expect("a path")];
    let (code, out, _) = analyze_in(results.path(), &args);
    assert_eq!((code, out.trim_end()), (0, to.to_str().expect("a path")));
    let picture = Picture::read(&to);
    assert_eq!(picture.title, "Latency of delay20_mid");
    assert!(picture.description.contains("put during: response p50 22.000 ms, p99 22.000 ms, max 22.000 ms."));
    assert!(
        picture.texts.join(" ").contains("×, at the deadline: 6 operations not acknowledged."),
        "{:?}",
        picture.texts
    );
    for text in ["delay20_mid #1", "delay20_mid #2", "fastest to slowest", "p50 to p99", "10"] {
        assert!(picture.has(text), "no {text:?} in {:?}", picture.texts);
    }
    assert_eq!(picture.shaded.len(), 2);
}

#[test]
fn what_cannot_be_found_is_said_with_what_is_near() {
    let results = results();
    let (code, out, err) = analyze_in(results.path(), &["summary", "--pattern", "dealy20*"]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.starts_with("error: --pattern \"dealy20*\" matches no label in "), "{err}");
    assert!(err.contains("the nearest are delay20_mid, baseline"), "{err}");

    let (code, _, err) = analyze_in(&results.path().join("nowhere"), &["list"]);
    assert_eq!(code, 3);
    assert!(err.contains("--dir") && err.contains("no such folder"), "{err}");
    let (code, _, err) = analyze_in(tempfile::tempdir().expect("a folder").path(), &["plot"]);
    assert_eq!(code, 3);
    assert!(err.contains("holds no run"), "{err}");
}

#[test]
fn wrong_command_lines_end_with_2() {
    let results = results();
    for args in [
        &["summary", "--pattern", "loss/20"][..],
        &["summary", "--pattern", ""],
        &["summary", "--format", "xml"],
        &["plot", "--kind", "pie"],
        &["throughput", "--by", "key"],
        &["nonsense"],
    ] {
        let (code, out, err) = analyze_in(results.path(), args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.starts_with("error: "), "{err}");
    }
    let (_, _, err) = analyze_in(results.path(), &["summary", "--pattern", "loss/20"]);
    assert!(err.contains("no label holds '/'"), "{err}");
    let help = String::from_utf8(analyze(&["summary", "--help"]).stdout).expect("text");
    assert!(help.contains("Exit codes:"), "{help}");
}

#[test]
fn unfinished_and_failed_runs_are_left_out_and_named() {
    let results = results();
    plant(results.path(), "killed", &slow_middle(), true, |manifest| manifest.status = Status::Running);
    plant(results.path(), "broken", &slow_middle(), true, |manifest| {
        manifest.status = Status::Failed { reason: "fault not confirmed".to_owned(), recovered: false };
    });
    let (code, out, err) = analyze_in(results.path(), &["summary", "--format", "csv"]);
    assert_eq!(code, 0);
    assert!(!out.contains("killed") && !out.contains("broken") && out.contains("baseline"), "{out}");
    assert!(err.contains("note: 20270115_081500_killed: left out: unfinished"), "{err}");
    assert!(err.contains("`recorder recover "), "{err}");
    assert!(
        err.contains("20270115_082000_broken: left out: failed: fault not confirmed; take it in with --include-failed")
    );

    let (code, out, err) = analyze_in(results.path(), &["summary", "--include-failed", "--pattern", "broken"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("20270115_082000_broken"), "{out}");

    let (code, out, err) = analyze_in(results.path(), &["plot", "--pattern", "killed"]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("none of the 1 run"), "{err}");
    assert!(!results.path().join("plots").exists(), "nothing half-written");

    let (code, out, _) = analyze_in(results.path(), &["list"]);
    assert_eq!(code, 0);
    assert!(out.contains("20270115_081500_killed") && out.contains("running"), "{out}");
}

#[test]
fn one_damaged_run_does_not_stop_the_others() {
    let results = results();
    let damaged = RunFolder::list(results.path()).expect("runs").remove(1);
    let whole = fs::read(damaged.operations_parquet()).expect("a table");
    let check = |expected: &str| {
        for args in [
            &["summary", "--format", "csv"][..],
            &["throughput", "--format", "csv"],
            &["plot", "--kind", "latency", "--format", "csv"],
        ] {
            let (code, out, err) = analyze_in(results.path(), args);
            assert_eq!(code, 1, "{args:?}: {err}");
            assert!(out.contains("baseline") && out.contains("20270115_081000_delay20_mid"), "{args:?}: {out}");
            assert!(!out.contains("20270115_080500_delay20_mid"), "{args:?}: {out}");
            assert!(err.contains("20270115_080500_delay20_mid") && err.contains(expected), "{args:?}: {err}");
            assert!(!err.contains("panicked"), "{err}");
        }
    };
    fs::write(damaged.operations_parquet(), &whole[..whole.len() / 2]).expect("a table");
    check("is cut short or damaged");
    fs::write(damaged.operations_parquet(), "").expect("a table");
    check("is cut short or damaged");
    fs::remove_file(damaged.operations_parquet()).expect("a table");
    check("cannot open the table");
    let mut swapped = whole.clone();
    let middle = whole.len() / 3;
    swapped[4..middle].fill(0xA5);
    fs::write(damaged.operations_parquet(), &swapped).expect("a table");
    check("operations.parquet");
    fs::write(damaged.operations_parquet(), &whole).expect("a table");
    fs::write(damaged.manifest_json(), "{}").expect("a manifest");
    check("is not a manifest");
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let results = results();
    let newer = RunFolder::list(results.path()).expect("runs").remove(0);
    fs::write(newer.manifest_json(), "{\"format_version\": 99, \"new\": true}").expect("a manifest");
    let (code, out, err) = analyze_in(results.path(), &["summary"]);
    assert_eq!(code, 1);
    assert!(out.contains("delay20_mid"), "{out}");
    assert!(err.contains("format version 99 is newer than this program's 1; update Laggard"), "{err}");
    let (code, _, err) = analyze_in(results.path(), &["list"]);
    assert_eq!(code, 1, "{err}");
}

#[test]
fn odd_runs_are_no_trouble() {
    let results = tempfile::tempdir().expect("a folder");
    plant(results.path(), "empty", &[], true, same);
    plant(results.path(), "one_row", &[put(11 * S, MS)], true, same);
    let all_failed: Vec<_> = (0..100).map(|at| lost(at * 100 * MS, Outcome::Failed)).collect();
    plant(results.path(), "all_failed", &all_failed, true, same);
    plant(results.path(), "no_time", &[], false, |manifest| manifest.clock.workload_end_ns = 0);
    let early = plant(results.path(), "early", &[put(-S, MS)], true, |manifest| {
        manifest.status = Status::Failed { reason: "etcd died".to_owned(), recovered: true };
        manifest.clock.workload_end_ns = 0;
        manifest.cluster.members.clear();
        manifest.fault_targets.clear();
    });
    plant_faults(&early, &[]);
    let labels = ["empty", "one_row", "all_failed", "no_time", "early", "*"];
    for args in [
        &["list"][..],
        &["list", "--wide"],
        &["summary", "--include-failed"],
        &["summary", "--include-failed", "--wide"],
        &["throughput", "--include-failed"],
        &["plot", "--include-failed"],
        &["plot", "--include-failed", "--kind", "latency"],
    ] {
        for label in labels {
            let (code, out, err) = analyze_in(results.path(), &[args, &["--pattern", label]].concat());
            // The list names the failed run on standard error; the others were told to take it in.
            assert!(code == 0 && (err.is_empty() || args[0] == "list"), "{args:?} {label}: {code} {err}");
            assert!(!out.contains("NaN") && !out.contains("inf"), "{args:?} {label}: {out}");
            if args[0] == "plot" {
                Picture::read(Path::new(out.trim_end()));
            }
        }
    }
    let (_, out, _) = analyze_in(results.path(), &["summary", "--pattern", "all_failed"]);
    assert!(out.contains(">= 5000"), "{out}");
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_with_the_file() {
    let results = results();
    for args in [&["summary", "--output", "/nowhere/at/all.csv"][..], &["plot", "--output", "/nowhere/at/all.svg"]] {
        let (code, out, err) = analyze_in(results.path(), args);
        assert_eq!((code, out.as_str()), (1, ""), "{args:?}");
        assert!(err.contains("/nowhere/at/all") && err.contains("--output"), "{err}");
    }
}

#[test]
fn a_reader_that_goes_away_early_is_no_error() {
    let results = results();
    let mut child = Command::new(env!("CARGO_BIN_EXE_analyze"))
        .args(["throughput", "--format", "json", "--by", "member", "--dir", results.path().to_str().expect("a path")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().expect("standard error").read_to_string(&mut err).expect("text");
    assert_eq!((child.wait().expect("an end").code(), err.as_str()), (Some(0), ""));
}

#[test]
fn an_impossible_end_is_refused_before_it_takes_all_memory() {
    let results = results();
    plant(results.path(), "endless", &[], false, |manifest| manifest.clock.workload_end_ns = i64::MAX);
    for command in ["summary", "throughput", "plot"] {
        let (code, out, err) = analyze_in(results.path(), &[command]);
        assert_eq!(code, 1, "{command}");
        assert!(!out.is_empty() && err.contains("manifest.json") && err.contains("which cannot be"), "{err}");
    }
}

#[test]
fn imported_runs_contradict_nothing_that_they_do_not_say() {
    let results = tempfile::tempdir().expect("a folder");
    let older = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/older_runs");
    let (code, _, err) = analyze_in(results.path(), &["import", older]);
    assert_eq!(code, 0, "{err}");
    let (code, out, err) = analyze_in(results.path(), &["check", "--format", "json"]);
    assert_eq!(code, 5, "{out} {err}");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&out).expect("json");
    assert!(rows.iter().all(|row| row["result"] != "violated"), "{out}");
    let fields: Vec<_> = rows.iter().filter(|row| row["check"] == "row_fields").collect();
    assert_eq!(fields.len(), 4, "{out}");
    for row in fields {
        assert_eq!(row["result"], "held", "{row}");
        assert!(row["detail"].as_str().is_some_and(|detail| detail.contains("it is not known: ")), "{row}");
    }
}

#[test]
fn runs_that_are_read_in_several_parts_have_all_their_rows() {
    const OPERATIONS: u64 = 1_100_000;
    let results = tempfile::tempdir().expect("a folder");
    let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    let folder = synthetic::write_run(results.path(), &Shape::busy(OPERATIONS, 3), now).expect("a run");
    let mut took_ns: Vec<i64> = Vec::new();
    for batch in reader::operations(&folder, &[]).expect("operations") {
        let rows = operation::from_batch(&batch.expect("a batch")).expect("rows");
        let ok = rows.iter().filter(|row| row.intended_ns >= 0 && row.outcome == Outcome::Ok);
        took_ns.extend(ok.map(|row| row.end_ns - row.intended_ns));
    }
    took_ns.sort_unstable();
    let (code, out, err) = analyze_in(results.path(), &["summary", "--format", "json"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let rows: Vec<serde_json::Value> = serde_json::from_str(&out).expect("rows");
    let row = rows.iter().find(|row| row["phase"] == "all" && row["kind"] == "all").expect("a row of all kinds");
    assert_eq!(row["ok"].as_u64(), Some(took_ns.len() as u64));
    let p99_ns = took_ns[(took_ns.len() as f64 * 0.99).ceil() as usize - 1];
    for (name, expected_ns) in [("response_p99_ms", p99_ns), ("response_max_ms", took_ns[took_ns.len() - 1])] {
        let found = row[name].as_f64().expect("a number");
        assert!((found - expected_ns as f64 / 1e6).abs() < 1e-9, "{name}: {found} and not {expected_ns} ns");
    }
}
