use polars::prelude::*;
use run_folder::manifest::Role;

use super::*;
use crate::phases::Phases;
use crate::tables::{Facts, latency, throughput};

const OPERATIONS: i64 = 600_000;
const SLOW_AT: i64 = 123_456;

/// 600,000 operations of a millisecond in a minute, one of which took 900 ms, and one that was never answered.
fn one_slow() -> (PlottedRun, DataFrame) {
    let due_ns: Vec<i64> = (0..OPERATIONS).map(|at| at * 100_000).collect();
    let took_ns = |at: i64| if at == SLOW_AT { 900_000_000 } else { 1_000_000 };
    let end_ns: Vec<i64> = (0..OPERATIONS).map(|at| at * 100_000 + took_ns(at)).collect();
    let outcome: Vec<&str> = (0..OPERATIONS).map(|at| if at == 400_000 { "unknown" } else { "ok" }).collect();
    let endpoint = Int8Chunked::from_iter_values("endpoint".into(), (0..OPERATIONS).map(|_| 0));
    let operations = df!(
        "intended_ns" => due_ns.clone(), "start_ns" => due_ns, "end_ns" => end_ns, "outcome" => outcome,
        "endpoint" => endpoint.into_series(),
    )
    .expect("a frame");
    let phases = Phases::derive(&[], 0, OPERATIONS * 100_000);
    let (run, label) = ("20270115_080000_x".to_owned(), "x".to_owned());
    let facts = Facts { run, label, phases, deadline_ms: 5000.0, members: vec!["etcd0".to_owned()] };
    let table = latency::table(&operations, &facts, latency::bin_ns(phases.end_ns(), bins(1))).expect("a table");
    let factors = Factors {
        label: "x".to_owned(),
        family: "x".to_owned(),
        fault: None,
        value: None,
        role: Role::Baseline,
        sweep: None,
        repeat: None,
        cohort: String::new(),
        condition: String::new(),
    };
    let plotted = PlottedRun {
        run: facts.run.clone(),
        label: "x".to_owned(),
        factors,
        fault: "no fault".to_owned(),
        workload: "puts".to_owned(),
        window_s: None,
        end_s: 60.0,
        deadline_ms: 5000.0,
        leader_changes: Vec::new(),
        rates: throughput::by_phase(&operations, &facts).expect("rates"),
        table,
    };
    (plotted, DataFrame::empty())
}

#[test]
fn one_slow_operation_of_600_000_and_one_without_an_answer_are_seen() {
    let (run, _) = one_slow();
    let summary = df!(
        "kind" => ["put"], "phase" => ["all"], "response_p50_ms" => [1.0], "response_p99_ms" => [1.0],
        "response_max_ms" => [900.0],
    );
    let svg = draw_svg(std::slice::from_ref(&run), &[summary.expect("a frame")], &[], "x").expect("a picture");
    let document = roxmltree::Document::parse(&svg).expect("XML");
    let number = |node: roxmltree::Node<'_, '_>, name: &str| -> f64 {
        node.attribute(name).expect(name).parse().expect("a number")
    };
    let text = |wanted: &str| {
        let is_it = |node: &roxmltree::Node<'_, '_>| node.text().is_some_and(|text| text.trim() == wanted);
        document.descendants().find(is_it).unwrap_or_else(|| panic!("no {wanted:?} in the picture"))
    };
    // The tick of 1,000 ms and that of 10 ms tell where 900 ms lie.
    let (high, low) = (number(text("1,000"), "y"), number(text("10"), "y"));
    let y = high + (3.0 - 900_f64.log10()) * (low - high) / 2.0;
    let (left, right) = (number(text("0"), "x"), number(text("60"), "x"));
    let x = left + (SLOW_AT as f64 / 1e4 + 0.25) / 60.0 * (right - left);
    let dot = document.descendants().find(|node| node.has_tag_name("circle")).expect("a dot");
    let (dot_x, dot_y) = (number(dot, "cx"), number(dot, "cy"));
    // Labels of ticks lie around their ticks; half a bin is 25 units wide.
    assert!((dot_x - x).abs() < 60.0 && (dot_y - y).abs() < 60.0, "({dot_x}, {dot_y}) for ({x}, {y})");
    let envelope = document
        .descendants()
        .filter_map(|node| node.attribute("points"))
        .any(|points| points.split_whitespace().any(|point| point == format!("{dot_x},{dot_y}")));
    assert!(envelope, "the outline of the slowest runs through it");
    assert!(svg.contains("slowest: 900 ms") && svg.contains("×, at the deadline: 1 operation not acknowledged."));
    assert!(svg.contains("put all: response p50 1.000 ms, p99 1.000 ms, max 900.000 ms."));
}
