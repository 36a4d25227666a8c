//! Diagrams by the real analyzer, of Raft as in a textbook and of runs that were really recorded, judged by those whose
//! languages they are in: mermaid's own parser and Graphviz.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use end_to_end::recorded::Recorded;
use end_to_end::{Finished, Workplace, graphviz, mermaid, one_at_a_time, run};
use run_folder::RunFolder;

/// Types of diagrams, and what mermaid calls that which is drawn.
const TYPES: [(&str, &str); 4] = [
    ("state-machine", "stateDiagram"),
    ("log-replication", "sequence"),
    ("leader-election", "sequence"),
    ("timeline", "gantt"),
];

/// Draws every type in every language, of a run or of the textbook, and has each judged. Gives the texts in characters.
fn drawn_and_judged(place: &Workplace, name: &str, run_option: &str) -> Vec<String> {
    let draw = |kind: &str, format: &str, ending: &str| {
        let file = format!("{name}-{kind}.{ending}");
        let arguments = format!("diagram --type {kind} --format {format} --output {file} {run_option}");
        let finished = run(&mut place.analyze(&arguments)).expect_code(0);
        assert!(finished.stdout.is_empty() && finished.stderr.is_empty(), "{finished:?}");
        place.path().join(file)
    };
    let of_all = |format: &str, ending: &str| TYPES.map(|(kind, _)| draw(kind, format, ending));
    let files = of_all("mermaid", "mmd");
    if let Some(Finished { stdout, .. }) = mermaid::parse(&files).map(|finished| finished.expect_code(0)) {
        let found: Vec<&str> = stdout.lines().filter_map(|line| line.rsplit(": ").next()).collect();
        assert_eq!(found, TYPES.map(|(_, kind)| kind), "{stdout}");
    }
    if let Some(finished) = graphviz::parse(&of_all("graphviz", "dot")) {
        let finished = finished.expect_code(0);
        assert_eq!(finished.stderr, "", "dot has nothing to complain of");
        assert_eq!(finished.stdout.matches("</svg>").count(), TYPES.len());
    }
    let svg = std::fs::read_to_string(draw("timeline", "svg", "svg")).expect("a picture");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    let texts = of_all("ascii", "txt").map(|file| std::fs::read_to_string(file).expect("a text"));
    for text in &texts {
        assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text}");
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    }
    texts.into()
}

/// A text without its line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_textbook_in_every_language() {
    let place = Workplace::new();
    let texts = drawn_and_judged(&place, "book", "");
    assert!(texts[0].contains("votes of a"), "{}", texts[0]);
}

#[test]
fn a_recorded_election_in_every_language() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    // Heartbeats of the leader come later than any election timeout.
    run(&mut place.recorder(
        "run election --fault delay --value 2500ms --target leader --at 2 --for 4 --duration 12 --rate 100 --warm-up 0.5",
    ))
    .expect_code(0);
    let recorded = Recorded::only_one_in(&place.results());
    let name = recorded.folder.name();
    let texts = drawn_and_judged(&place, "run", &format!("--run {name}"));

    // What the answers to operations say of terms, which the diagrams do not look at.
    let terms: BTreeSet<i64> = recorded.longs("raft_term").into_iter().flatten().collect();
    let (first, last) = (terms.first().expect("a term"), terms.last().expect("a term"));
    assert!(last > first, "the fault made no election: {terms:?}");
    let manifest = &recorded.manifest;
    let member = |at: Option<usize>| manifest.member_name(at.expect("a leader"));
    let (old, end) = (member(manifest.leaders.injection), member(manifest.leaders.end));

    let [states, replication, elections, timeline] = &texts[..] else { panic!("four texts") };
    assert!(words(elections).contains(&format!("Election 1: {old} in term {first}, then etcd")), "{elections}");
    assert!(elections.contains(&format!("etcd{} in term {last}", &end[4..])), "{elections}");
    assert!(words(elections).contains("No write was acknowledged from"), "{elections}");
    assert!(!elections.contains("No election"), "{elections}");
    assert!(words(timeline).contains(&format!("{old} in term {first} led from -")), "{timeline}");
    assert!(timeline.contains(&format!("{end}, term {last}")), "{timeline}");
    assert!(words(states).contains(&format!("--> leader first sample: {old}")), "{states}");
    for phase in ["Before the fault, 0.00 s to ", "During the fault, ", "After the fault, "] {
        assert!(replication.contains(phase), "no {phase} in {replication}");
    }
    assert!(replication.contains("behind by ") && replication.contains(" acknowledged, "), "{replication}");

    names_that_are_not_nice(&place, &recorded.folder);
}

/// The same run again, with members whose names are written to break whatever draws them.
fn names_that_are_not_nice(place: &Workplace, folder: &RunFolder) {
    let mut manifest = folder.manifest().expect("a manifest");
    let names = [
        "end\n---\n\u{1b}[2J\"\\",
        "x --> y : z; #35; %% {{{ <b>&amp;</TD>]]> -->",
        "\u{65e5}\u{672c} | [label=\"z\"]; } graph",
    ];
    for (member, name) in manifest.cluster.members.iter_mut().zip(names) {
        name.clone_into(&mut member.name);
    }
    manifest.write(&folder.manifest_json()).expect("it can be written");
    drawn_and_judged(place, "names", &format!("--run {}", folder.name()));
}

#[test]
fn a_run_without_an_election_says_so() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    run(&mut place.recorder("run calm --duration 2 --rate 50 --warm-up 0.3")).expect_code(0);
    let name = Recorded::only_one_in(&place.results()).folder.name();
    let texts = drawn_and_judged(&place, "calm", &format!("--run {name}"));
    for text in &texts[2..] {
        assert!(text.contains("No election: etcd") && text.contains("led all the time"), "{text}");
    }
}

fn written(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("a file can be written");
    path
}

#[test]
fn the_judges_tell_a_broken_diagram_from_a_whole_one() {
    let place = Workplace::new();
    let good = written(place.path(), "good.mmd", "stateDiagram-v2\n    follower --> candidate : election timeout\n");
    let bad = written(place.path(), "bad.mmd", "stateDiagram-v2\n    follower --> --> candidate\n");
    if let Some(finished) = mermaid::parse(std::slice::from_ref(&good)) {
        let finished = finished.expect_code(0);
        assert!(finished.stdout.contains("good.mmd: stateDiagram"), "{finished:?}");
        let finished = mermaid::parse(&[good, bad]).expect("it was there before").expect_code(1);
        assert!(finished.stderr.contains("bad.mmd: Parse error"), "{finished:?}");
        assert!(finished.stdout.contains("good.mmd"), "the other one is still whole: {finished:?}");
    }

    let good = written(place.path(), "good.dot", "digraph { follower -> candidate [label=\"election timeout\"] }\n");
    let bad = written(place.path(), "bad.dot", "digraph { follower -> -> candidate }\n");
    if let Some(finished) = graphviz::parse(std::slice::from_ref(&good)) {
        let finished = finished.expect_code(0);
        assert!(finished.stdout.contains("<svg") && finished.stderr.is_empty(), "{finished:?}");
        let finished = graphviz::parse(&[good, bad]).expect("it was there before");
        assert_ne!(finished.code, Some(0), "{finished:?}");
        assert!(finished.stderr.contains("bad.dot") && finished.stderr.contains("syntax error"), "{finished:?}");
    }
}
