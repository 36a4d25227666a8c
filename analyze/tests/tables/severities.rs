//! Sweeps with a planted danger zone, of which every loss is known.

use analyze::tables::delta::Measured;
use analyze::tables::factors::Factors;
use analyze::tables::severity::{self, Aim, crossings};
use analyze::tables::{Facts, summary};
use polars::prelude::*;
use run_folder::manifest::Role;

use super::{Row, facts, operations};

/// A run of 50 operations a second whose response time is `from_ms` before and after a fault and `to_ms` in it;
/// of 0 nothing is acknowledged.
fn run(value: f64, repeat: u32, (from_ms, to_ms): (i64, i64), leader_changes: usize) -> (Measured, Aim) {
    let ms = [from_ms, to_ms, from_ms];
    let row = |at: i64| match ms[at as usize / 50] {
        0 => ("put", at * 20, Some(at * 20), at * 20 + 5000, "unknown", 0),
        ms => ("put", at * 20, Some(at * 20), at * 20 + ms, "ok", 0),
    };
    let rows: Vec<Row> = (0..150).map(row).collect();
    let label = format!("delay{value}_mid");
    let name = format!("{repeat}_{label}");
    let facts = Facts { run: name.clone(), label: label.clone(), ..facts(true) };
    let factors = Factors {
        condition: label.clone(),
        label,
        family: "delay#_mid".to_owned(),
        fault: Some(format!("delay {value}ms")),
        value: Some(value),
        role: Role::Experiment,
        sweep: None,
        repeat: Some(repeat),
        cohort: "a".to_owned(),
    };
    let summary = summary::table(&operations(&rows), &facts).expect("a summary");
    let aim = Aim { run: name.clone(), target: "leader".to_owned(), fault_kind: "delay" };
    (Measured { run: name, factors, leader_changes, is_shown: true, summary, within: DataFrame::empty() }, aim)
}

const P50: [&str; 1] = ["response_p50_ms"];

fn column(table: &DataFrame, name: &str) -> Vec<Option<f64>> {
    let column = table.column(name).expect(name).cast(&DataType::Float64).expect("numbers");
    column.f64().expect("numbers").iter().collect()
}

fn words(table: &DataFrame, name: &str) -> Vec<Option<String>> {
    table.column(name).expect(name).str().expect("text").iter().map(|text| text.map(str::to_owned)).collect()
}

/// Two repeats of each value, with a latency of these times what it was before.
fn sweep(times: &[(f64, [i64; 2])]) -> (Vec<Measured>, Vec<Aim>) {
    let runs = times
        .iter()
        .flat_map(|&(value, times)| [1, 2].map(|repeat| run(value, repeat, (10, 10 * times[repeat as usize - 1]), 0)));
    runs.unzip()
}

#[test]
fn losses_at_each_value_and_where_the_danger_zone_lies() {
    let (runs, aims) = sweep(&[(40.0, [4, 4]), (10.0, [1, 1]), (20.0, [1, 4])]);
    let table = severity::table(&runs, &aims, &P50).expect("a table");
    assert_eq!(column(&table, "fault_value"), [Some(10.0), Some(20.0), Some(40.0)]);
    assert_eq!(words(&table, "fault_unit")[0].as_deref(), Some("ms"));
    let rounded = |name: &str| -> Vec<_> {
        column(&table, name).into_iter().map(|cell| cell.map(|cell| (cell * 1e6).round() / 1e6)).collect()
    };
    assert_eq!(rounded("ratio"), [Some(1.0), Some(2.0), Some(4.0)]);
    // Twice the time is half of the speed.
    assert_eq!(rounded("degradation_percent"), [Some(0.0), Some(50.0), Some(75.0)]);
    assert_eq!(rounded("value"), [Some(10.0), Some(20.0), Some(40.0)]);
    assert_eq!(words(&table, "interval"), vec![Some("between-run".to_owned()); 3]);
    let half = 12.706_204_7 * 2_f64.ln();
    let high = rounded("ratio_high")[1].expect("an end");
    assert!((high.ln() - 2_f64.ln() - half).abs() < 1e-6, "t with one degree of freedom: {high}");

    let found = crossings::table(&runs, &aims, &P50, (10.0, 75.0)).expect("a table");
    let at = column(&found, "crossing");
    // A tenth is lost at x1.111: 0.152 of the way to x2 in logarithms.
    assert!(at[0].is_some_and(|at| (at - 11.52).abs() < 0.01), "{at:?}");
    assert!(at[1].is_some_and(|at| (at - 40.0).abs() < 1e-9), "{at:?}");
    assert_eq!(column(&found, "threshold_ratio").into_iter().flatten().map(f64::round).collect::<Vec<_>>(), [1.0, 4.0]);
    let found = crossings::table(&runs, &aims, &P50, (10.0, 80.0)).expect("a table");
    assert_eq!((words(&found, "crossing_side")[1].as_deref(), column(&found, "crossing")[1]), (Some("beyond"), None));
    let text = crossings::text(&found, false).expect("text").to_string();
    assert!(text.contains("> 40 ms") && text.contains("10 to 40 ms"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn already_lost_at_the_mildest_value() {
    let (runs, aims) = sweep(&[(10.0, [3, 3]), (20.0, [4, 4])]);
    let found = crossings::table(&runs, &aims, &P50, crossings::USUAL_PERCENT).expect("a table");
    assert_eq!(words(&found, "crossing_side"), vec![Some("milder".to_owned()); 2]);
    let text = crossings::text(&found, false).expect("text").to_string();
    assert!(text.contains("< 10 ms"), "{text}");
}

#[test]
fn a_change_of_leader_explains_a_curve_that_turns_back() {
    let (mut runs, mut aims) = sweep(&[(10.0, [2, 2]), (20.0, [8, 8])]);
    for repeat in [1, 2] {
        let (run, aim) = run(40.0, repeat, (10, 10), 1);
        runs.push(run);
        aims.push(aim);
    }
    let table = severity::table(&runs, &aims, &P50).expect("a table");
    assert_eq!(column(&table, "reversal_from"), [None, None, Some(20.0)]);
    assert_eq!(words(&table, "reversal_because")[2].as_deref(), Some("leader changed"));
    assert_eq!(column(&table, "leader_changes"), [Some(0.0), Some(0.0), Some(2.0)]);
    let text = severity::text(&table, false).expect("text").to_string();
    assert!(text.contains("1.00!") && text.contains("2*") && text.contains("1_delay40_mid, 2_delay40_mid"), "{text}");
    let found = crossings::table(&runs, &aims, &P50, crossings::USUAL_PERCENT).expect("a table");
    assert_eq!(words(&found, "reversals")[0].as_deref(), Some("40 (leader changed)"));
    assert_eq!(words(&found, "leader_changed")[0].as_deref(), Some("40"));
    assert_eq!(column(&found, "value_severest")[0], Some(20.0), "the curve ends where the leader changed");

    // Without a change of leader the same points are flagged, and nothing explains them.
    runs.iter_mut().for_each(|run| run.leader_changes = 0);
    let table = severity::table(&runs, &aims, &P50).expect("a table");
    assert_eq!((column(&table, "reversal_from")[2], words(&table, "reversal_because")[2].clone()), (Some(20.0), None));

    // Repeats that differ as much as the values do flag nothing.
    let (runs, aims) = sweep(&[(10.0, [2, 9]), (20.0, [8, 1]), (40.0, [1, 3])]);
    let table = severity::table(&runs, &aims, &P50).expect("a table");
    assert_eq!(column(&table, "reversal_from"), [None; 3]);
}

#[test]
fn leader_and_follower_are_different_curves() {
    let (mut runs, mut aims) = sweep(&[(10.0, [2, 2])]);
    let (mut run, mut aim) = run(10.0, 3, (10, 50), 0);
    run.factors.condition = "other".to_owned();
    aim.target = "follower".to_owned();
    runs.push(run);
    aims.push(aim);
    let table = severity::table(&runs, &aims, &P50).expect("a table");
    assert_eq!(table.height(), 2);
    assert_eq!(column(&table, "runs"), [Some(2.0), Some(1.0)]);
    let without: Vec<Aim> = Vec::new();
    assert_eq!(severity::table(&runs, &without, &P50).expect("a table").height(), 0);
}

#[test]
fn where_nothing_is_acknowledged_no_number_is_made_up() {
    // Of the most severe value one run acknowledged nothing, or both.
    for (last, lost) in [([2, 0], 1.0), ([0, 0], 2.0)] {
        let (runs, aims) = sweep(&[(10.0, [1, 1]), (20.0, [1, 1]), (40.0, last)]);
        let table = severity::table(&runs, &aims, &["ops_per_s"]).expect("a table");
        assert_eq!(column(&table, "runs_lost"), [Some(0.0), Some(0.0), Some(lost)]);
        assert_eq!((column(&table, "ratio")[2], column(&table, "degradation_percent")[2]), (None, None));
        let text = severity::text(&table, false).expect("text").to_string();
        assert!(text.contains(&format!("40 ms: {lost} of 2 runs acknowledged nothing")), "{text}");
        let found = crossings::table(&runs, &aims, &["ops_per_s"], crossings::USUAL_PERCENT).expect("crossings");
        assert_eq!((column(&found, "crossing")[0], column(&found, "value_severest")[0]), (None, Some(20.0)));
        assert_eq!(words(&found, "crossing_side")[0].as_deref(), Some("beyond"));
        assert_eq!(words(&found, "nothing_acknowledged")[0].as_deref(), Some("40"));
        let text = crossings::text(&found, false).expect("text").to_string();
        assert!(text.contains("> 20 ms") && text.contains("runs acknowledged nothing at 40 ms"), "{text}");
    }
}
