//! The real program's page about planted runs, read with an XML parser of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta};
use roxmltree::{Document, Node, ParsingOptions};
use run_folder::synthetic::{self, SweepShape};
use run_folder::{FaultEvent, Manifest, RunFolder, Status, reader};

use crate::planted::{S, analyze, analyze_in, plant, plant_faults, plant_leaders, put, slow_middle};

/// Writes a sweep of delays, as if it had begun `days` later.
fn sweep(results: &Path, id: &str, days: i64) {
    let shape = SweepShape {
        id: id.to_owned(),
        only: "delay".to_owned(),
        has_full: true,
        repeats: 2,
        seconds: 6,
        rate_per_s: 200,
        seed: 5,
    };
    let mut now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time") + TimeDelta::days(days);
    for run in synthetic::planned(&shape) {
        synthetic::write_planned(results, &run, now).expect("a run");
        now += TimeDelta::minutes(1);
    }
}

/// Runs `analyze report` and gives its exit code, the page, and what was said beside it.
fn report(results: &Path, args: &[&str]) -> (i32, String, String) {
    let (code, out, err) = analyze_in(results, &[&["report"], args].concat());
    let page = fs::read_to_string(out.trim_end()).unwrap_or_else(|error| panic!("{out:?}: {error}: {err}"));
    (code, page, err)
}

fn parsed(page: &str) -> Document<'_> {
    Document::parse_with_options(page, ParsingOptions { allow_dtd: true, ..ParsingOptions::default() })
        .unwrap_or_else(|error| panic!("not well-formed: {error}"))
}

fn named<'a>(page: &'a Document<'_>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    page.descendants().filter(move |node| node.tag_name().name() == name)
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

#[test]
fn the_page_needs_nothing_else_and_everything_in_it_can_be_reached() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), "20270115_080000_slow", 0);
    let (code, page, err) = report(results.path(), &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    let tree = parsed(&page);
    assert_eq!(tree.root_element().attribute("lang"), Some("en"));

    for forbidden in ["script", "link", "img", "iframe", "object", "embed", "audio", "video", "form", "base"] {
        assert_eq!(named(&tree, forbidden).count(), 0, "{forbidden}");
    }
    let ids: Vec<&str> = tree.descendants().filter_map(|node| node.attribute("id")).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "ids occur once");
    for node in tree.descendants().filter(Node::is_element) {
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on"), "{name}={value}");
            assert!(!matches!(name, "src" | "srcset" | "data" | "action" | "background" | "poster"), "{name}={value}");
            if name == "href" {
                let target = value.strip_prefix('#').unwrap_or_else(|| panic!("{value} leads out of the page"));
                assert!(distinct.contains(target), "{value} leads nowhere");
            }
            if name == "aria-labelledby" {
                assert!(value.split(' ').all(|id| distinct.contains(id)), "{value} names nothing");
            }
        }
    }
    for style in named(&tree, "style").map(text) {
        assert!(!style.contains("url(") && !style.contains("@import") && !style.contains("@font-face"));
    }
    for svg in named(&tree, "svg") {
        let is_named = |name: &str| svg.children().any(|node| node.has_tag_name(("http://www.w3.org/2000/svg", name)));
        assert!(is_named("title") && is_named("desc"), "a figure says what it shows");
    }
    let levels: Vec<u32> =
        tree.descendants().filter_map(|node| node.tag_name().name().strip_prefix('h')?.parse().ok()).collect();
    assert_eq!(levels.iter().filter(|&&level| level == 1).count(), 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "no level of headings is skipped: {levels:?}");
}

#[test]
fn every_section_is_there_in_reading_order() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), "20270115_080000_slow", 0);
    let (_, page, _) = report(results.path(), &["--sweep", "latest"]);
    let tree = parsed(&page);
    let anchors: Vec<&str> = named(&tree, "h2").filter_map(|node| node.attribute("id")).collect();
    let mut rest = anchors.iter();
    for expected in SECTIONS {
        assert!(rest.any(|anchor| *anchor == expected), "{expected} is missing or out of order in {anchors:?}");
    }
    let linked: Vec<&str> = named(&tree, "nav")
        .flat_map(|nav| nav.descendants())
        .filter_map(|node| node.attribute("href")?.strip_prefix('#'))
        .collect();
    assert_eq!(linked, anchors, "the table of contents has them all");
    for figure in
        ["What faults changed", "Before, during and after", "Throughput", "Latency", "Distribution of response time"]
    {
        assert!(named(&tree, "title").any(|title| text(title) == figure), "no figure {figure:?}");
    }
    for run in RunFolder::list(results.path()).expect("runs") {
        let id = format!("run-{}", run.name());
        assert!(tree.descendants().any(|node| node.attribute("id") == Some(&id)), "no evidence of {}", run.name());
    }
}

const SECTIONS: [&str; 17] = [
    "short",
    "verdicts",
    "experiment",
    "effects",
    "severity",
    "recovery",
    "causes",
    "checks",
    "levels",
    "throughput",
    "latency",
    "distribution",
    "members",
    "runs",
    "methods",
    "glossary",
    "again",
];

#[test]
fn numbers_are_those_of_the_tables() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), "20270115_080000_slow", 0);
    let (_, page, _) = report(results.path(), &[]);
    let tree = parsed(&page);
    let (_, json, _) = analyze_in(results.path(), &["delta", "--format", "json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
    let table =
        named(&tree, "table").find(|table| table.attribute("aria-labelledby") == Some("table-1")).expect("a table");
    let shown: Vec<Vec<String>> = table
        .descendants()
        .filter(|node| node.has_tag_name("tr"))
        .map(|row| row.children().filter(Node::is_element).map(text).collect())
        .collect();
    let mut compared = 0;
    for row in rows.iter().filter(|row| row["kind"] == "all") {
        let is_it = |cells: &&Vec<String>| {
            cells[0] == row["label"].as_str().unwrap_or_default()
                && cells.get(1).map(String::as_str) == row["compared"].as_str()
        };
        let cells = shown.iter().find(is_it).unwrap_or_else(|| panic!("no row for {row}"));
        for metric in ["ops_per_s", "response_p50_ms", "response_p99_ms"] {
            let Some(ratio) = row[format!("{metric}_ratio")].as_f64() else { continue };
            let is = |what: &str| row[format!("{metric}_{what}")] == true;
            let mark = if is("within_noise") {
                "~"
            } else if is("significant") {
                "*"
            } else {
                ""
            };
            let is_shown = cells.iter().any(|cell| stands_for(cell, ratio, mark));
            assert!(is_shown, "{metric} {ratio}{mark} is not in {cells:?}");
            compared += 1;
        }
    }
    assert!(compared >= 30, "{compared} numbers compared");
}

/// Whether a cell shows a number, rounded to the digits that it has, with exactly this mark.
fn stands_for(cell: &str, number: f64, mark: &str) -> bool {
    let digits = cell.trim_end_matches(['~', '*']);
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    cell[digits.len()..] == *mark && digits == format!("{number:.decimals$}")
}

#[test]
fn recorded_text_is_text() {
    let results = tempfile::tempdir().expect("a folder");
    let evil = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&amp;\u{1b}[31m\u{202e}";
    let steady: Vec<_> = (0..3000).map(|at| put(at * S / 100, S / 500)).collect();
    plant(results.path(), "baseline", &steady, false, |_| {});
    let run = plant(results.path(), "delay20_mid", &slow_middle(), true, |manifest: &mut Manifest| {
        manifest.warnings.push(evil.to_owned());
        manifest.cluster.flags.push(format!("--name={evil}"));
        manifest.cluster.members.iter_mut().for_each(|member| member.name += evil);
        manifest.cluster.etcd_version = evil.to_owned();
        manifest.host.cpu = evil.to_owned();
        manifest.generator.iter_mut().for_each(|generator| generator.client_saturated = Some(evil.to_owned()));
    });
    let faults = reader::faults(&run).expect("faults");
    let faults: Vec<FaultEvent> = faults
        .into_iter()
        .map(|fault| FaultEvent {
            commands: evil.to_owned(),
            evidence: evil.to_owned(),
            mechanism: evil.to_owned(),
            ..fault
        })
        .collect();
    plant_faults(&run, &faults);
    plant_leaders(&run, &[(0, 1), (12 * S, 2)]);
    let (code, page, _) = report(results.path(), &[]);
    assert_eq!(code, 0);
    let tree = parsed(&page);
    assert_eq!(named(&tree, "script").count() + named(&tree, "img").count(), 0);
    assert!(!page.contains(['\u{1b}', '\u{202e}']), "what cannot be seen is not in the page");
    let shown = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&amp;\u{fffd}[31m\u{fffd}";
    let texts: Vec<String> = tree.descendants().filter(Node::is_element).map(text).collect();
    let has = |prefix: &str| texts.iter().any(|text| *text == format!("{prefix}{shown}"));
    assert!(has("Warning: ") && has("") && texts.iter().any(|text| text.contains("leader changed")));
}

#[test]
fn sweeps_have_parts_of_their_own() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), "20270115_080000_slow", 0);
    sweep(results.path(), "20270117_080000_slow", 2);
    let (code, page, err) = report(results.path(), &["--pattern", "delay20*"]);
    assert_eq!((code, err.as_str()), (0, ""), "baselines are found though no pattern names them");
    let tree = parsed(&page);
    let parts: Vec<String> =
        named(&tree, "h2").filter(|node| node.attribute("class") == Some("part")).map(text).collect();
    assert_eq!(parts, ["Sweep 20270115_080000_slow", "Sweep 20270117_080000_slow"]);
    for anchor in ["part1-effects", "part2-effects", "methods"] {
        assert!(tree.descendants().any(|node| node.attribute("id") == Some(anchor)), "no {anchor}");
    }
    assert_eq!(named(&tree, "svg").count(), 18, "nine figures of each sweep, two of them of members");
}

#[test]
fn where_the_page_goes_and_what_is_left_out() {
    let results = tempfile::tempdir().expect("a folder");
    let steady: Vec<_> = (0..3000).map(|at| put(at * S / 100, S / 500)).collect();
    plant(results.path(), "baseline", &steady, false, |_| {});
    let run = plant(results.path(), "delay20_mid", &slow_middle(), true, |_| {});
    plant(results.path(), "delay20_mid", &slow_middle(), true, |manifest| manifest.status = Status::Running);
    let damaged = plant(results.path(), "delay20_mid", &slow_middle(), true, |_| {});
    fs::write(damaged.operations_parquet(), "PAR1").expect("a file");

    let (code, out, err) = analyze_in(results.path(), &["report", "--pattern", "delay*"]);
    assert_eq!(code, 1, "a run could not be read");
    let path = results.path().join("reports").join("delay.html");
    assert_eq!(Path::new(out.trim_end()), path);
    let page = fs::read_to_string(&path).expect("a page, of the other runs");
    let tree = parsed(&page);
    let left_out = named(&tree, "section").find(|node| node.attribute("aria-labelledby") == Some("left-out")).map(text);
    let left_out = left_out.expect("a section");
    assert!(left_out.contains("unfinished") && left_out.contains(&damaged.name()), "{left_out}");
    assert!(err.contains("unfinished") && err.contains(&damaged.name()), "{err}");

    let dir = run.dir().to_str().expect("a path");
    let output = analyze(&["report", "--dir", dir]);
    let beside = results.path().join("reports").join(format!("{}.html", run.name()));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), beside.to_str().expect("a path"));
    assert!(!run.dir().join("reports").exists(), "a recording stays as it was recorded");

    let (code, out, err) =
        analyze_in(results.path(), &["report", "--pattern", "baseline", "--output", "/nonexistent/r.html"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("/nonexistent/r.html") && err.contains("--output"), "{err}");
    let (code, ..) = analyze_in(results.path(), &["report", "--pattern", "loss*"]);
    assert_eq!(code, 3);
    let reports: Vec<_> = fs::read_dir(results.path().join("reports")).expect("a folder").flatten().collect();
    assert_eq!(reports.len(), 2, "nothing half-written: {reports:?}");
}
