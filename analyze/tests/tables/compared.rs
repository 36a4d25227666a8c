//! Two planted runs against each other.

use analyze::phases::Phases;
use analyze::tables::Facts;
use analyze::tables::compare::{self, Side};
use polars::prelude::*;
use run_folder::FaultEvent;

use super::{MS, Row, S, facts, operations};

/// A run of 30 seconds with the middle third slow: one operation every 10 ms, with a spread of a fifth.
fn side(name: &str, before_ms: i64, during_ms: i64, has_fault: bool) -> Side {
    let rows: Vec<Row> = (0..3000)
        .map(|at| {
            let slow = (1000..2000).contains(&at) && has_fault;
            let ms = if slow { during_ms } else { before_ms } * (10 + at * 7919 % 3) / 10;
            ("put", at * 10, Some(at * 10), at * 10 + ms, "ok", 0)
        })
        .collect();
    let fault = FaultEvent {
        asked_ns: 10 * S,
        asked_clear_ns: Some(20 * S),
        applied_ns: Some(10 * S),
        cleared_ns: Some(20 * S),
        ..FaultEvent::default()
    };
    let phases = Phases::derive(if has_fault { std::slice::from_ref(&fault) } else { &[] }, 0, 30_000 * MS);
    Side::new(&operations(&rows), &Facts { run: name.to_owned(), phases, ..facts(false) }).expect("a side")
}

fn verdicts(table: &DataFrame) -> Vec<String> {
    let text =
        |name: &str, row: usize| table.column(name).expect(name).str().expect("text").get(row).expect("it").to_owned();
    let rows = 0..table.height();
    rows.map(|row| format!("{} {} {}", text("compared", row), text("metric", row), text("verdict", row))).collect()
}

#[test]
fn equal_effects_agree_although_the_levels_differ() {
    let table = compare::table(&side("a", 20, 220, true), &side("b", 10, 110, true), 1.25, |_, _, _| None).expect("it");
    let expected: Vec<String> = ["during/before", "after/before"]
        .iter()
        .flat_map(|part| compare::METRICS.map(|metric| format!("{part} {metric} agree")))
        .collect();
    assert_eq!(verdicts(&table), expected);
    let ratio = table.column("ratio").expect("it").f64().expect("numbers");
    assert!(ratio.iter().flatten().all(|ratio| (ratio - 1.0).abs() < 0.1), "{table:?}");
    assert!(compare::overall(&table).expect("words").starts_with("agree: all 6 effects"), "{table:?}");
}

#[test]
fn another_effect_differs_unless_the_noise_is_as_large() {
    let (a, b) = (side("a", 20, 220, true), side("b", 20, 440, true));
    let table = compare::table(&a, &b, 1.25, |_, _, _| None).expect("a table");
    assert_eq!(verdicts(&table)[1], "during/before response_p50_ms differ");
    assert_eq!(verdicts(&table)[0], "during/before ops_per_s agree");
    let words = compare::overall(&table).expect("words");
    assert!(
        words.starts_with("differ: 2 of 6 effects of B against A: response_p50_ms during/before 2.00 times"),
        "{words}"
    );
    let noisy = |_: &str, compared: &str, metric: &str| {
        (compared == "during/before" && metric == "response_p50_ms").then_some(2.5)
    };
    let table = compare::table(&a, &b, 1.25, noisy).expect("a table");
    assert_eq!(verdicts(&table)[1], "during/before response_p50_ms agree");
    assert_eq!(table.column("margin").expect("it").f64().expect("numbers").get(1), Some(2.5));
}

#[test]
fn runs_without_a_before_are_compared_by_their_levels() {
    let table = compare::table(&side("a", 20, 0, false), &side("b", 40, 0, false), 1.25, |_, _, _| None).expect("it");
    assert_eq!(verdicts(&table), ["all ops_per_s agree", "all response_p50_ms differ", "all response_p99_ms differ"]);
    let effect = table.column("effect_a").expect("it").f64().expect("numbers");
    assert_eq!((effect.get(0), effect.get(2)), (Some(100.0), Some(24.0)));
}

#[test]
fn too_short_or_too_different_to_tell() {
    // Before, during and after of one second each: no blocks to draw.
    let short = || {
        let rows: Vec<Row> = (0..300).map(|at| ("put", at * 10, Some(at * 10), at * 10 + 2, "ok", 0)).collect();
        Side::new(&operations(&rows), &facts(true)).expect("a side")
    };
    let table = compare::table(&short(), &short(), 1.25, |_, _, _| None).expect("a table");
    assert!(verdicts(&table).iter().all(|verdict| verdict.ends_with("cannot tell")), "{table:?}");
    let ratio = table.column("ratio").expect("it").f64().expect("numbers");
    assert_eq!(ratio.get(0), Some(1.0), "the ratio itself is known");

    let table = compare::table(&side("a", 20, 220, true), &side("b", 20, 0, false), 1.25, |_, _, _| None).expect("it");
    assert_eq!(table.height(), 0);
    assert!(compare::overall(&table).expect("words").starts_with("cannot tell: the runs have no part in common"));
}
