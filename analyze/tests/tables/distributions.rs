//! Distributions of planted runs, of which every quantile is known.

use analyze::tables::cdf;
use polars::prelude::*;

use super::{Row, facts, operations};

fn values(table: &DataFrame, phase: &str, time: &str) -> Vec<(f64, Option<f64>)> {
    let text = |name: &str| table.column(name).expect(name).str().expect("text").clone();
    let number = |name: &str| table.column(name).expect(name).f64().expect("numbers").clone();
    let (phases, times, fraction, value_ms) = (text("phase"), text("time"), number("fraction"), number("value_ms"));
    let is_it = |&row: &usize| phases.get(row) == Some(phase) && times.get(row) == Some(time);
    let rows = (0..table.height()).filter(is_it);
    rows.map(|row| (fraction.get(row).expect("a fraction"), value_ms.get(row))).collect()
}

#[test]
fn the_grid_is_dense_and_ends_with_the_maximum() {
    let fractions = cdf::fractions();
    assert!(fractions.windows(2).all(|pair| pair[0] < pair[1]), "{fractions:?}");
    for wanted in [0.0, 0.5, 0.9, 0.99, 0.999, 0.9995, 0.9999, 1.0] {
        assert!(fractions.contains(&wanted), "{wanted}");
    }
}

#[test]
fn quantiles_of_a_known_run_and_no_more_of_the_tail_than_it_has() {
    let rows: Vec<Row> =
        (1..=100).map(|took| ("put", 1100 + took, Some(1105 + took), 1105 + 2 * took, "ok", 0)).collect();
    let table = cdf::table(&operations(&rows), &facts(true)).expect("a table");
    let response = values(&table, "during", "response");
    let at = |values: &[(f64, Option<f64>)], wanted: f64| {
        values.iter().find(|(fraction, _)| *fraction == wanted).and_then(|(_, value)| *value)
    };
    let found = [0.0, 0.01, 0.5, 0.901, 0.99, 0.991, 0.9999, 1.0].map(|fraction| at(&response, fraction));
    let expected = [6.0, 6.0, 55.0, 96.0, 104.0].map(Some);
    // A hundred operations support no more of the tail than 0.99; the maximum is always there.
    assert_eq!(found, [&expected[..], &[None, None, Some(105.0)]].concat()[..]);
    assert_eq!(at(&values(&table, "during", "service"), 0.5), Some(50.0));
    assert_eq!(values(&table, "before", "response"), []);
}

#[test]
fn operations_without_an_answer_keep_the_distribution_below_1() {
    let mut rows: Vec<Row> = (1..=8).map(|took| ("put", 1100, Some(1100), 1100 + took, "ok", 0)).collect();
    rows.push(("put", 1500, Some(1500), 6500, "unknown", 0));
    rows.push(("put", 1600, None, 6600, "unsent", 0));
    let table = cdf::table(&operations(&rows), &facts(true)).expect("a table");
    let due = values(&table, "during", "response_due");
    let known: Vec<_> = due.iter().filter_map(|(fraction, value)| value.map(|value| (*fraction, value))).collect();
    assert_eq!(known.last(), Some(&(0.8, 8.0)));
    assert_eq!(due.last(), Some(&(1.0, None)));
    assert_eq!(values(&table, "during", "response").last(), Some(&(1.0, Some(8.0))));
}

#[test]
fn baselines_are_one_by_the_geometric_mean_of_what_all_have() {
    let run = |ms: i64, count: i64| {
        let rows: Vec<Row> = (0..count).map(|at| ("put", at, Some(at), at + ms, "ok", 0)).collect();
        cdf::table(&operations(&rows), &facts(false)).expect("a table")
    };
    let (a, b) = (run(2, 200), run(8, 50));
    let mean = cdf::geometric_mean(&[&a, &b]).expect("a table").expect("runs");
    let value_ms = mean.column("value_ms").expect("it").f64().expect("numbers");
    assert!(value_ms.iter().flatten().all(|value| (value - 4.0).abs() < 1e-9), "{mean:?}");
    let fraction = mean.column("fraction").expect("it").f64().expect("numbers");
    assert!(fraction.iter().flatten().all(|fraction| fraction <= 0.98 || fraction == 1.0), "{mean:?}");
    assert!(cdf::geometric_mean(&[]).expect("nothing").is_none());
}
