//! Diagrams by the real analyzer, of Raft as in a textbook and of runs that were really recorded, judged by those whose
//! languages they are in: mermaid's own parser and Graphviz.

use std::path::{Path, PathBuf};

use end_to_end::{Workplace, graphviz, mermaid};

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
