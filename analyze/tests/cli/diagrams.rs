//! `analyze diagram`: what it draws, of what, and what it refuses.

use std::fs;

use crate::planted::{MS, S, analyze, analyze_in, plant, plant_leaders, put, slow_middle};

const TYPES: [&str; 4] = ["state-machine", "log-replication", "leader-election", "timeline"];

/// The program's exit code, standard output and standard error.
fn diagram(args: &[&str]) -> (i32, String, String) {
    let output = analyze(&[&["diagram"], args].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

#[test]
fn the_textbook_needs_no_run_and_mermaid_is_the_usual_language() {
    let kinds = ["stateDiagram-v2", "sequenceDiagram", "sequenceDiagram", "gantt"];
    for (name, kind) in TYPES.into_iter().zip(kinds) {
        let (code, out, err) = diagram(&["--type", name]);
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        assert!(out.lines().any(|line| line == kind), "{out}");
        let (_, named, _) = diagram(&["--type", name, "--format", "mermaid"]);
        assert_eq!(named, out);
        let (_, dot, _) = diagram(&["--type", name, "--format", "graphviz"]);
        assert!(dot.starts_with("digraph {\n"), "{dot}");
    }
}

#[test]
fn a_timeline_is_a_picture_too_and_nothing_else_is() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("terms.svg");
    let path = file.to_str().expect("a path");
    let (code, out, err) = diagram(&["--type", "timeline", "--output", path]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    let svg = fs::read_to_string(&file).expect("the picture");
    let document = roxmltree::Document::parse(&svg).expect("well-formed XML");
    let texts: Vec<_> = document.descendants().filter_map(|node| node.text()).map(str::trim).collect();
    for expected in ["Terms in Raft: one leader at most in each", "term 3: B leads", "seconds", "election: B, term 3"] {
        assert!(texts.contains(&expected), "no {expected:?} in {texts:?}");
    }
    let (code, out, _) = diagram(&["--type", "timeline", "--format", "svg"]);
    assert_eq!((code, out), (0, svg));

    for name in &TYPES[..3] {
        let (code, out, err) = diagram(&["--type", name, "--format", "svg"]);
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(err.contains(name) && err.contains("--format svg") && err.contains("dot -Tsvg"), "{err}");
        let (code, _, err) = diagram(&["--type", name, "--output", path]);
        assert!(code == 2 && err.contains("dot -Tsvg"), "{err}");
    }
    let (code, _, err) = diagram(&["--type", "timeline", "--format", "ascii", "--output", path]);
    assert!(code == 2 && err.contains("terms.svg"), "{err}");
}

#[test]
fn a_run_is_found_by_its_name_or_its_folder_and_else_the_nearest_are_named() {
    let results = tempfile::tempdir().expect("a folder");
    let folder = plant(results.path(), "delay20_mid", &slow_middle(), true, |_| {});
    plant_leaders(&folder, &[(-S, 1), (S, 1), (11 * S, 1), (11 * S + 100 * MS, -1), (12 * S, 2), (29 * S, 2)]);
    let by_name = ["diagram", "--type", "timeline", "--format", "ascii", "--run", "20270115_080000_delay20_mid"];
    let (code, out, err) = analyze_in(results.path(), &by_name);
    assert_eq!((code, err.as_str()), (0, ""));
    for expected in [
        "Election 1: etcd1 (term not known), then etcd2 (term not known).",
        "No majority named a leader from 11.10 s to 12.00 s: 0.90 s.",
        "The new leader came 2.00 s after the fault came into force.",
    ] {
        let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(expected), "no {expected:?} in {out}");
    }
    let by_folder =
        diagram(&["--type", "timeline", "--format", "ascii", "--run", folder.dir().to_str().expect("a path")]);
    assert_eq!(by_folder, (0, out, String::new()));

    let (code, out, err) = analyze_in(results.path(), &["diagram", "--type", "timeline", "--run", "delay20"]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("the nearest are 20270115_080000_delay20_mid"), "{err}");
}

#[test]
fn no_election_and_no_samples_are_said_plainly() {
    let results = tempfile::tempdir().expect("a folder");
    let operations: Vec<_> = (0..300).map(|at| put(at * 100 * MS, 2 * MS)).collect();
    let calm = plant(results.path(), "calm", &operations, false, |_| {});
    let never = plant(results.path(), "never", &operations, false, |_| {});
    plant_leaders(&never, &[]);
    for (folder, expected) in [
        (&calm, ["No election: etcd1 in term 2 led all the time that was recorded.", "Fault: no fault."]),
        (&never, ["No leader was seen in this run.", "No member was ever sampled"]),
    ] {
        let run = folder.dir().to_str().expect("a path").to_owned();
        for name in TYPES {
            let (code, out, err) = diagram(&["--type", name, "--format", "ascii", "--run", &run]);
            assert_eq!((code, err.as_str()), (0, ""), "{name}");
            assert!(out.is_ascii() && out.lines().all(|line| line.len() <= 100), "{out}");
            let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(expected[1]), "{out}");
            if ["leader-election", "timeline"].contains(&name) {
                assert!(words.contains(expected[0]), "{out}");
            }
        }
        let (code, svg, _) = diagram(&["--type", "timeline", "--format", "svg", "--run", &run]);
        assert_eq!(code, 0);
        roxmltree::Document::parse(&svg).expect("well-formed XML");
    }
}

#[test]
fn a_leader_that_is_lost_for_good_is_no_election() {
    let results = tempfile::tempdir().expect("a folder");
    let operations: Vec<_> = (0..300).map(|at| put(at * 100 * MS, 2 * MS)).collect();
    let folder = plant(results.path(), "lost", &operations, false, |_| {});
    plant_leaders(&folder, &[(-S, 1), (10 * S, 1), (11 * S, -1), (29 * S, -1)]);
    let run = folder.dir().to_str().expect("a path");
    for name in ["leader-election", "timeline"] {
        let (code, out, _) = diagram(&["--type", name, "--format", "ascii", "--run", run]);
        assert_eq!(code, 0);
        let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
        for expected in
            ["No leader to the end: etcd1", "from 11.00 s to 29.00 s: 18.00 s", "was the only leader that was seen"]
        {
            assert!(words.contains(expected), "no {expected:?} in {out}");
        }
    }
}

#[test]
fn names_of_members_may_hold_anything() {
    let results = tempfile::tempdir().expect("a folder");
    let folder = plant(results.path(), "names", &slow_middle(), true, |manifest| {
        let names = ["a\u{1b}[31m\n<b>&amp;\u{0}", "]]></svg>\"'", "\u{ffff} --- end"];
        for (member, name) in manifest.cluster.members.iter_mut().zip(names) {
            name.clone_into(&mut member.name);
        }
    });
    let run = folder.dir().to_str().expect("a path");
    let (code, svg, _) = diagram(&["--type", "timeline", "--format", "svg", "--run", run]);
    assert_eq!(code, 0);
    let document = roxmltree::Document::parse(&svg).expect("well-formed XML");
    assert!(document.descendants().any(|node| node.text().is_some_and(|text| text.contains("]]></svg>"))), "{svg}");
    for name in TYPES {
        let (code, out, _) = diagram(&["--type", name, "--format", "ascii", "--run", run]);
        assert!(code == 0 && out.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{out}");
    }
}
