//! Every kind of plot from runs that were really recorded, and the data beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::recorded::Recorded;
use end_to_end::{Workplace, one_at_a_time, run, skip};
use run_folder::RunFolder;

const KINDS: [&str; 7] = ["throughput", "latency", "cdf", "delta", "phases", "members", "recovery"];

#[test]
fn recorded_runs_are_drawn_in_every_kind_with_their_data() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    run(&mut place.recorder("slow-follower 40ms 6 delay40_mid delay 3 --warm-up 1")).expect_code(0);
    run(&mut place.recorder("slow-follower 0ms 4 baseline delay 1 --warm-up 1")).expect_code(0);
    let recorded = Recorded::of(faulted(&place));
    for kind in KINDS {
        let drawn = run(&mut place.analyze(&format!("plot --kind {kind} --with-data"))).expect_code(0);
        let paths: Vec<PathBuf> = drawn.stdout.lines().map(|line| place.path().join(line)).collect();
        let (pictures, data): (Vec<_>, Vec<_>) =
            paths.iter().partition(|path| path.extension().is_some_and(|end| end == "svg"));
        assert_eq!(pictures.len(), if kind == "members" { 2 } else { 1 }, "{}", drawn.stdout);
        for picture in &pictures {
            let svg = fs::read_to_string(picture).expect("the printed path is a file");
            assert!(svg.starts_with("<svg ") && svg.contains("<desc id=\"desc\">"), "{kind}");
            let says_which = ["delay40_mid", "elay 40ms", "baseline"].iter().any(|words| svg.contains(words));
            assert!(says_which, "{kind}: label or fault stand in the picture");
            is_picture(picture);
        }
        for path in &data {
            let rows = rows(&fs::read_to_string(path).expect("the printed path is a file"));
            assert!(rows.len() >= 2, "{}: {rows:?}", path.display());
        }
        if kind != "members" {
            let table = run(&mut place.analyze(&format!("plot --kind {kind} --format csv"))).expect_code(0);
            assert_eq!(fs::read_to_string(data[0]).expect("data"), table.stdout, "{kind}");
        }
    }

    // What is in the data beside the pictures is what was recorded.
    let name = recorded.folder.name();
    let throughput = cells(&place, "throughput_all.csv", &["run", "ok"]);
    let of_run = throughput.iter().filter(|row| row[0] == name);
    let acknowledged: usize = of_run.map(|row| row[1].parse::<usize>().expect("a count")).sum();
    let due = recorded.due_after_warm_up();
    assert!(acknowledged <= due && acknowledged * 10 >= due * 8, "{acknowledged} of {due}");
    let phases = cells(&place, "phases_all_runs.csv", &["run", "phase", "time", "quantile", "value_ms"]);
    let median = |phase: &str| -> f64 {
        let is_it = |row: &&Vec<String>| row[..4] == [name.as_str(), phase, "service", "p50"];
        phases.iter().find(is_it).expect("a row")[4].parse().expect("a number")
    };
    assert!(median("during") > median("before") + 30.0, "{} ms, {} ms", median("before"), median("during"));
    let members = cells(&place, &format!("members_{name}.csv"), &["member", "metric", "value"]);
    let sum = |metric: &str| -> f64 {
        members.iter().filter(|row| row[1] == metric).filter_map(|row| row[2].parse::<f64>().ok()).sum()
    };
    assert!(sum("leads_share") >= 4.0, "somebody led in most seconds: {}", sum("leads_share"));
    assert!(sum("wal_fsyncs_per_s") > 100.0, "hundreds of writes were synced: {}", sum("wal_fsyncs_per_s"));

    let samples = run(&mut place.analyze("samples --pattern delay40_mid --format csv")).expect_code(0);
    assert_eq!(samples.stdout, fs::read_to_string(plots(&place).join(format!("members_{name}.csv"))).expect("data"));
}

fn plots(place: &Workplace) -> PathBuf {
    place.results().join("plots")
}

fn faulted(place: &Workplace) -> RunFolder {
    let runs = RunFolder::list(&place.results()).expect("runs");
    runs.into_iter().find(|run| run.label().as_str() == "delay40_mid").expect("it was recorded")
}

/// Rows of a CSV without quoted cells, each as long as the header.
fn rows(csv: &str) -> Vec<Vec<String>> {
    let rows: Vec<Vec<String>> = csv.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    assert!(!csv.contains('"') && rows.iter().all(|row| row.len() == rows[0].len()), "{csv}");
    rows
}

/// Some columns of a file beside the pictures.
fn cells(place: &Workplace, file: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let path = plots(place).join(file);
    let rows = rows(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    let at: Vec<usize> = columns
        .iter()
        .map(|column| rows[0].iter().position(|name| name == column).unwrap_or_else(|| panic!("no {column} in {file}")))
        .collect();
    rows[1..].iter().map(|row| at.iter().map(|&at| row[at].clone()).collect()).collect()
}

/// Has a renderer draw the picture, where there is one.
fn is_picture(svg: &Path) {
    let png = svg.with_extension("png");
    match Command::new("rsvg-convert").arg(svg).arg("--output").arg(&png).status() {
        Ok(status) => assert!(status.success() && png.metadata().is_ok_and(|file| file.len() > 5_000), "{png:?}"),
        Err(_) => skip("rsvg-convert (librsvg2-bin) draws the pictures"),
    }
}
