//! Kinds of plots beyond the first ones, and the data beside them.

use std::fs;
use std::path::Path;

use run_folder::{Manifest, RunFolder, Sample, SamplesWriter};

use crate::planted::{MS, S, analyze, analyze_in, plant, plant_leaders, put, slow_middle};
use crate::{Picture, results, same};

const KINDS: [&str; 6] = ["throughput", "latency", "cdf", "delta", "phases", "members"];

fn sample(time_ns: i64, member: i8, metric: &str, label: Option<&str>, value: f64) -> Sample {
    Sample { time_ns, member: Some(member), metric: metric.to_owned(), label: label.map(str::to_owned), value }
}

/// Gives a run of 30 s other samples: etcd1 leads, etcd2 from 15 s on; a sync takes 0.5 ms, that of etcd2 40 ms from 10 s
/// to 20 s; etcd0 does not answer status requests from 10 s to 12 s.
fn plant_samples(folder: &RunFolder) {
    let mut rows = Vec::new();
    for second in 0..31 {
        for member in 0..3_i8 {
            let at_ns = i64::from(second) * S;
            let slow = if member == 2 { (second - 10).clamp(0, 10) } else { 0 };
            let (count, slow) = (f64::from(100 * second), f64::from(100 * slow));
            let name = |suffix: &str| format!("etcd_disk_wal_fsync_duration_seconds_{suffix}");
            rows.push(sample(at_ns, member, &name("count"), None, count));
            rows.push(sample(at_ns, member, &name("sum"), None, (count - slow) * 0.0005 + slow * 0.04));
            rows.push(sample(at_ns, member, &name("bucket"), Some("le=0.001"), count - slow));
            rows.push(sample(at_ns, member, &name("bucket"), Some("le=0.064"), count));
            rows.push(sample(at_ns, member, &name("bucket"), Some("le=+Inf"), count));
            if member == 0 && (10..12).contains(&second) {
                rows.push(sample(at_ns + 50 * MS, member, "status_failed", None, 1.0));
                continue;
            }
            let leader = if second < 15 { 1.0 } else { 2.0 };
            rows.push(sample(at_ns + 50 * MS, member, "leader", None, leader));
            rows.push(sample(at_ns + 50 * MS, member, "raft_term", None, leader + 1.0));
            rows.push(sample(at_ns + 50 * MS, member, "status_time_us", None, 700.0));
        }
    }
    fs::remove_file(folder.samples_parquet()).expect("samples");
    let mut writer = SamplesWriter::create(folder).expect("a writer");
    writer.push(&rows).expect("rows");
    let mut manifest = folder.manifest().expect("a manifest");
    manifest.rows.samples = writer.finish().expect("a table");
    manifest.write(&folder.manifest_json()).expect("a manifest");
    folder.remove_journals().expect("no journals");
}

/// A run of each member's samples, and its folder.
fn sampled() -> (tempfile::TempDir, String) {
    let results = tempfile::tempdir().expect("a folder");
    let folder = plant(results.path(), "delay20_mid", &slow_middle(), true, same);
    plant_samples(&folder);
    let name = folder.name();
    (results, name)
}

#[test]
fn members_lie_beneath_clients_on_one_axis_of_time() {
    let (results, run) = sampled();
    let (code, out, err) = analyze_in(results.path(), &["plot", "--kind", "members"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let path = results.path().join("plots").join(format!("members_{run}.svg"));
    assert_eq!(out.trim_end(), path.to_str().expect("a path"));
    let picture = Picture::read(&path);
    assert_eq!(picture.title, format!("Members of {run}"));
    // Throughput, latency, the ribbon, fsync and status; nothing else was sampled.
    assert_eq!(picture.shaded.len(), 5, "{:?}", picture.shaded);
    assert!(picture.shaded.iter().all(|window| *window == picture.shaded[0]), "one axis of time: {:?}", picture.shaded);
    let (from, to) = picture.shaded[0];
    assert!((from - picture.x_of(&path, "10")).abs() < 2.0 && (to - picture.x_of(&path, "20")).abs() < 2.0);
    for text in ["leads, term 2", "leads, term 3", "follows etcd1", "silent", "leader etcd1 → etcd2", "etcd1 (fault)"]
    {
        assert!(picture.has(text), "no {text:?} in {:?}", picture.texts);
    }
    let footnotes = picture.texts.join(" ");
    assert!(footnotes.contains("×: seconds with requests that were not answered."), "{footnotes}");
    assert!(
        footnotes.contains("Not sampled in this run: backend commit, mean; round trip to peers, mean;"),
        "{footnotes}"
    );
    let expected = "etcd2 before 1.000 ms, etcd2 during 64.000 ms, etcd2 after 1.000 ms";
    assert!(picture.description.contains(expected), "{}", picture.description);
    assert!(picture.description.contains("Leader etcd1 to etcd2 at 15.1 s."), "{}", picture.description);
}

#[test]
fn samples_are_a_table_second_by_second() {
    let (results, run) = sampled();
    let (code, out, _) = analyze_in(
        results.path(),
        &["samples", "--format", "csv", "--metric", "wal_fsync_mean_ms", "--metric", "status_unanswered"],
    );
    assert_eq!(code, 0);
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("run,label,second,member,metric,unit,value"));
    assert_eq!(lines.clone().count(), 30 * 3 * 2);
    let has = |row: &str| out.lines().any(|line| line == format!("{run},delay20_mid,{row}"));
    // etcd0 was asked in second 10 and did not answer; in no second of this run was nobody asked.
    for row in ["10,etcd0,status_unanswered,requests,1.0", "9,etcd0,status_unanswered,requests,0.0"] {
        assert!(has(row), "no {row} in {out}");
    }
    let value = |second: i64, member: &str| -> f64 {
        let start = format!("{run},delay20_mid,{second},{member},wal_fsync_mean_ms,ms,");
        out.lines().find_map(|line| line.strip_prefix(&start)).expect("a row").parse().expect("a number")
    };
    assert!((value(9, "etcd2") - 0.5).abs() < 1e-9 && (value(10, "etcd2") - 40.0).abs() < 1e-9, "{out}");

    let (_, people, _) = analyze_in(results.path(), &["samples"]);
    assert!(people.lines().all(|line| line.chars().count() <= 120), "{people}");
    let row = people.lines().find(|line| line.trim_start().starts_with("12  etcd2")).expect("a row");
    assert!(row.contains("40.00") && row.contains("64.00") && row.contains('-'), "{row}");

    let (code, _, err) = analyze_in(results.path(), &["samples", "--metric", "fsync"]);
    assert_eq!(code, 2);
    assert!(err.contains("--metric fsync: no such metric; there are leads_share, "), "{err}");
}

#[test]
fn a_picture_of_each_run_needs_room_for_all() {
    let results = results();
    let (code, out, _) = analyze_in(results.path(), &["plot", "--kind", "members", "--pattern", "delay*"]);
    assert_eq!((code, out.lines().count()), (0, 2), "{out}");
    let to = results.path().join("one.svg");
    let args = ["plot", "--kind", "members", "--output", to.to_str().expect("a path")];
    let (code, out, err) = analyze_in(results.path(), &args);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("draws one picture a run, and 3 runs match") && err.contains("--dir RUN"), "{err}");
    assert!(!to.exists());
}

#[test]
fn phases_stand_side_by_side_with_their_numbers() {
    let results = results();
    let (code, out, err) = analyze_in(results.path(), &["plot", "--kind", "phases", "--with-data"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let paths: Vec<&Path> = out.lines().map(Path::new).collect();
    let picture = Picture::read(paths[0]);
    for text in ["before", "during", "after", "p50", "p99", "delay20_mid", "baseline", "2 runs, n = 5,996"] {
        assert!(picture.has(text), "no {text:?} in {:?}", picture.texts);
    }
    let expected = "delay20_mid during: p50 22.000 ms [22.000, 22.000], p90 22.000 ms [22.000, 22.000]";
    assert!(picture.description.contains(expected), "{}", picture.description);
    let labels = fs::read_to_string(paths[1]).expect("data");
    let row = labels.lines().find(|line| line.contains("put,false,during,response,p50,")).expect("a row");
    assert!(row.contains("during,response,p50,2,1998,22.0,22.0"), "{row}");
}

#[test]
fn every_kind_leaves_its_data_beside_it_the_same_as_its_table() {
    let results = results();
    let run = RunFolder::list(results.path()).expect("runs").remove(1);
    plant_samples(&run);
    for kind in KINDS {
        let dir = run.dir().to_str().expect("a path");
        let output = analyze(&["plot", "--kind", kind, "--dir", dir, "--with-data"]);
        let out = String::from_utf8(output.stdout).expect("text");
        assert_eq!(output.status.code(), Some(0), "{kind}");
        let (svg, data) = out.split_once('\n').expect("a path");
        Picture::read(Path::new(svg));
        let csv = svg.strip_suffix(".svg").expect("a picture").to_owned() + ".csv";
        assert_eq!(data.lines().next(), Some(csv.as_str()), "{kind}");
        for path in data.lines() {
            let text = fs::read_to_string(path).expect("data");
            assert!(text.lines().count() >= 2 && text.lines().next().is_some_and(|line| line.contains(',')), "{path}");
            assert!(!text.contains("NaN"), "{path}");
        }
        let table = analyze(&["plot", "--kind", kind, "--dir", dir, "--format", "csv"]);
        assert_eq!(fs::read(&csv).expect("data"), table.stdout, "{kind}");
        let people = analyze(&["plot", "--kind", kind, "--dir", dir, "--format", "table"]);
        assert_eq!(people.status.code(), Some(0), "{kind}: {}", String::from_utf8_lossy(&people.stderr));
    }
}

#[test]
fn shares_are_nines_or_even_and_end_where_answers_do() {
    let results = results();
    let picture = |scale: &str| {
        let to = results.path().join(format!("{scale}.svg"));
        let file = to.to_str().expect("a path");
        let args = ["plot", "--kind", "cdf", "--pattern", "delay*", "--scale", scale, "--output", file];
        let (code, _, err) = analyze_in(results.path(), &args);
        assert_eq!((code, err.as_str()), (0, ""));
        (Picture::read(&to), fs::read_to_string(&to).expect("a picture"))
    };
    let (nines, svg) = picture("nines");
    for text in ["p50", "p90", "p99", "2 runs, n = 2,000/2,004/1,998"] {
        assert!(nines.has(text), "no {text:?} in {:?}", nines.texts);
    }
    // 3 of 1002 operations of each run had no answer: the tail of `during` ends below p99.9.
    let expected = "during of 1,002 due: p50 22.000 ms, p90 22.000 ms, p99 22.000 ms, no answer from 99.710 % on.";
    assert!(nines.description.contains(expected), "{}", nines.description);
    let crosses = svg.matches("stroke=\"#D55E00\" stroke-width=\"13\"").count();
    assert_eq!(crosses, 4, "two lines a cross, one for each run");
    let (linear, _) = picture("linear");
    for text in ["0", "25", "50", "75", "100"] {
        assert!(linear.has(text), "no {text:?} in {:?}", linear.texts);
    }
    assert!(!linear.has("p99"), "{:?}", linear.texts);
    let (code, _, err) = analyze_in(results.path(), &["plot", "--kind", "latency", "--scale", "nines"]);
    assert_eq!(code, 2);
    assert!(err.contains("--scale: belongs to --kind cdf"), "{err}");
    let (code, _, err) = analyze_in(results.path(), &["plot", "--with-data", "--format", "csv"]);
    assert_eq!(code, 2);
    assert!(err.contains("--with-data: puts tables beside a picture"), "{err}");
}

#[test]
fn what_was_not_acknowledged_is_seen_in_the_throughput() {
    let results = results();
    let run = RunFolder::list(results.path()).expect("runs").remove(1);
    let output = analyze(&["plot", "--dir", run.dir().to_str().expect("a path"), "--with-data"]);
    let out = String::from_utf8(output.stdout).expect("text");
    let paths: Vec<&Path> = out.lines().map(Path::new).collect();
    let picture = Picture::read(paths[0]);
    assert!(picture.has("of what ended in each second, not acknowledged (%)"), "{:?}", picture.texts);
    assert!(picture.has("n = 3,000 of 3,003"), "{:?}", picture.texts);
    assert_eq!(picture.shaded.len(), 2, "both panels");
    let data = fs::read_to_string(paths[1]).expect("data");
    // One of the 101 operations that ended in second 17 was given up.
    let row = data.lines().find(|line| line.contains(",17,1.0,")).expect("a row");
    assert!(row.ends_with(&format!(",100,0,1,0,100.0,{}", 1.0 / 101.0)), "{row}");
}

#[test]
fn one_label_or_none_long_names_and_a_hundred_runs_are_no_trouble() {
    let results = tempfile::tempdir().expect("a folder");
    let few: Vec<_> = (0..30).map(|at| put(at * S, 2 * MS)).collect();
    let nothing = |manifest: &mut Manifest| manifest.clock.workload_end_ns = 30 * S;
    plant(results.path(), "empty", &[], true, nothing);
    plant(results.path(), &format!("very-long-label-{}", "x".repeat(40)), &few, true, same);
    for kind in KINDS {
        let (code, out, err) = analyze_in(results.path(), &["plot", "--kind", kind, "--with-data"]);
        assert_eq!(code, 0, "{kind}: {err}");
        for path in out.lines().filter(|path| path.ends_with(".svg")) {
            Picture::read(Path::new(path));
        }
    }
    for at in 0..98 {
        plant(results.path(), &format!("delay{}_mid", at % 14), &few, true, same);
    }
    // Members have a picture each, and intervals within each of a hundred runs are another test's matter.
    for kind in KINDS.into_iter().filter(|kind| !["members", "delta"].contains(kind)) {
        let (code, out, err) = analyze_in(results.path(), &["plot", "--kind", kind]);
        assert_eq!(code, 0, "{kind}: {err}");
        Picture::read(Path::new(out.trim_end()));
    }
}

#[test]
fn runs_with_a_change_of_leader_and_runs_without_an_answer_are_never_hidden_among_repeats() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = results.path();
    let puts = |silent: std::ops::Range<i64>| -> Vec<_> {
        let at = (0..300).filter(|at| !silent.contains(at));
        at.map(|at| put(at * 100 * MS, 2 * MS)).collect()
    };
    for repeat in 0..4 {
        let folder = plant(dir, "changed", &puts(0..0), true, same);
        if repeat == 1 {
            plant_leaders(&folder, &[(0, 1), (12 * S, 2)]);
        }
        plant(dir, "silent", &puts(if repeat == 0 { 150..170 } else { 0..0 }), true, same);
        plant(dir, "plain", &puts(0..0), true, same);
    }
    let pair = [plant(dir, "pair", &puts(0..0), true, same), plant(dir, "pair", &puts(0..0), true, same)];
    plant_leaders(&pair[0], &[(0, 1), (12 * S, 2)]);
    let draw = |kind: &str| {
        let (code, out, err) = analyze_in(dir, &["plot", "--kind", kind]);
        assert_eq!((code, err.as_str()), (0, ""), "{kind}");
        Picture::read(Path::new(out.trim_end()))
    };
    let (latency, throughput) = (draw("latency"), draw("throughput"));
    for (kind, picture) in [("latency", &latency), ("throughput", &throughput), ("cdf", &draw("cdf"))] {
        let notes = picture.texts.join(" ");
        assert!(notes.contains("changed #2, pair #1"), "{kind}: {notes}");
        assert!(picture.texts.iter().filter(|text| *text == "†").count() >= 2, "{kind}: lines are marked: {notes}");
        assert!(notes.contains("4 runs (1†), n = ") && notes.contains("2 runs (1†), n = "), "{kind}: {notes}");
    }
    for picture in [&latency, &throughput] {
        let notes = picture.texts.join(" ");
        assert!(notes.contains("4 runs (1†), n = 1,200"), "{notes}");
        assert!(notes.contains("of fewer each is a line") && notes.contains("the lower of two"), "{notes}");
    }
    assert!(latency.texts.join(" ").contains("Gaps: bins in which a run had no answer"), "{:?}", latency.texts);
    // p50 of "changed" and the run beside it, of "silent", whose other runs have values, of "plain", and two of "pair"; and one in
    // the key.
    assert_eq!(latency.lines, 7);
    let phases = draw("phases").texts.join(" ");
    assert!(phases.contains("3 of 4 runs, n = ") && phases.contains("1 of 2 runs, n = "), "{phases}");
}

#[test]
fn recovery_counts_only_runs_that_dipped_and_names_changes_of_leader() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = results.path();
    let steady = |lasts_s: i64| -> Vec<_> {
        let at = (0..3000_i64).filter(|at| !(2000 - lasts_s * 50..2000 + lasts_s * 100).contains(at));
        at.map(|at| put(at * 10 * MS, 2 * MS)).collect()
    };
    plant(dir, "flat_mid", &steady(0), true, same);
    plant(dir, "flat_mid", &steady(2), true, same);
    plant(dir, "led_mid", &steady(1), true, same);
    plant_leaders(&plant(dir, "led_mid", &steady(3), true, same), &[(0, 1), (12 * S, 2)]);
    let (code, out, err) = analyze_in(dir, &["plot", "--kind", "recovery"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let picture = Picture::read(Path::new(out.trim_end()));
    let notes = picture.texts.join(" ");
    assert!(notes.contains("1 back after 2.0 s, 1 no dip"), "{notes}");
    assert!(notes.contains("back after 1.0 s, † back after 3.0 s, 2 runs"), "{notes}");
    assert!(notes.contains("† the leader changed in that run (led_mid #2)."), "{notes}");
    let (_, out, _) = analyze_in(dir, &["recovery"]);
    let row = out.lines().find(|line| line.starts_with("flat_mid")).expect("a row");
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words[..7], ["flat_mid", "2", "0", "1", "1", "of", "1"], "{out}");
}
