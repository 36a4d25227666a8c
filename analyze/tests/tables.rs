//! Tables with planted rows, of which every answer is known.

use analyze::phases::Phases;
use analyze::tables::{Facts, latency, summary, throughput};
use polars::prelude::*;
use run_folder::FaultEvent;

#[path = "tables/compared.rs"]
mod compared;
#[path = "tables/coverage.rs"]
mod coverage;
#[path = "tables/distributions.rs"]
mod distributions;
#[path = "tables/effects.rs"]
mod effects;
#[path = "tables/related.rs"]
mod related;
#[path = "tables/severities.rs"]
mod severities;

const MS: i64 = 1_000_000;
const S: i64 = 1_000 * MS;

/// kind, intended, start, end, outcome, endpoint; times in milliseconds.
type Row = (&'static str, i64, Option<i64>, i64, &'static str, i8);

fn operations(rows: &[Row]) -> DataFrame {
    let endpoint = Int8Chunked::from_iter_values("endpoint".into(), rows.iter().map(|row| row.5)).into_series();
    df!(
        "kind" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "intended_ns" => rows.iter().map(|row| row.1 * MS).collect::<Vec<_>>(),
        "start_ns" => rows.iter().map(|row| row.2.map(|ms| ms * MS)).collect::<Vec<_>>(),
        "end_ns" => rows.iter().map(|row| row.3 * MS).collect::<Vec<_>>(),
        "outcome" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
        "endpoint" => endpoint,
    )
    .expect("a frame")
}

/// A run of 3 seconds; with a fault, in its middle second.
fn facts(has_fault: bool) -> Facts {
    let fault = FaultEvent {
        asked_ns: S,
        asked_clear_ns: Some(2 * S),
        applied_ns: Some(S),
        cleared_ns: Some(2 * S),
        ..FaultEvent::default()
    };
    Facts {
        run: "20270115_080000_planted".to_owned(),
        label: "planted".to_owned(),
        phases: Phases::derive(if has_fault { std::slice::from_ref(&fault) } else { &[] }, 500, 3 * S),
        deadline_ms: 5000.0,
        members: ["etcd0", "etcd1"].map(str::to_owned).into(),
    }
}

/// The cells of the row of a kind and a phase.
fn cells(summary: &DataFrame, kind: &str, phase: &str, columns: &[&str]) -> Vec<Option<f64>> {
    let is_it = |row: usize| {
        let text = |name: &str| summary.column(name).expect(name).str().expect("text").get(row).map(str::to_owned);
        text("kind").as_deref() == Some(kind) && text("phase").as_deref() == Some(phase)
    };
    let row = (0..summary.height()).find(|&row| is_it(row)).unwrap_or_else(|| panic!("no row {kind} {phase}"));
    let number = |name: &str| {
        let column = summary.column(name).expect(name).cast(&DataType::Float64).expect("numbers");
        column.f64().expect("numbers").get(row)
    };
    columns.iter().map(|name| number(name)).collect()
}

fn rows(summary: &DataFrame) -> Vec<String> {
    let text = |name: &str, row: usize| {
        summary.column(name).expect(name).str().expect("text").get(row).unwrap_or("-").to_owned()
    };
    (0..summary.height()).map(|row| format!("{} {}", text("kind", row), text("phase", row))).collect()
}

#[test]
fn without_a_known_deadline_the_slowest_answer_is_the_bound() {
    let planted: Vec<Row> = vec![
        ("put", 0, Some(0), 3, "ok", 0),
        ("put", 10, Some(10), 17, "ok", 0),
        ("put", 20, Some(20), 25, "unknown", 0),
        ("get", 30, Some(30), 35, "unknown", 0),
    ];
    let known = facts(false);
    let unknown = Facts { deadline_ms: 0.0, ..known.clone() };
    let columns = ["response_due_p50_ms", "response_due_p99_ms", "response_due_max_ms"];
    for (facts, put, get) in [
        (known, [Some(7.0), Some(5000.0), Some(5000.0)], [Some(5000.0); 3]),
        (unknown, [Some(7.0), Some(7.0), Some(7.0)], [None; 3]),
    ] {
        let table = summary::table(&operations(&planted), &facts).expect("a table");
        assert_eq!(cells(&table, "put", "all", &columns), put);
        assert_eq!(cells(&table, "get", "all", &columns), get);
        let bounds: Vec<Option<&str>> =
            table.column("response_due_bound_from").expect("it").str().expect("text").iter().collect();
        let of = |kind: &str| rows(&table).iter().position(|row| row == &format!("{kind} all")).expect(kind);
        // Of two answers and one without, the second is at the median.
        assert_eq!(bounds[of("put")], Some("p90"));
        assert_eq!(bounds[of("get")], get[0].map(|_| "p50"));
    }
}

#[test]
fn the_summary_of_a_known_run() {
    let mut planted: Vec<Row> = vec![("put", -100, Some(-100), -99, "ok", 0), ("put", 0, Some(2), 5, "ok", 0)];
    // Under way when the fault begins, due within the guard band, and due 995 ms before and never answered.
    planted.extend([("put", 990, Some(990), 999, "ok", 0), ("put", 1004, Some(1004), 1005, "ok", 0)]);
    planted.push(("put", 1, Some(1), 5001, "unknown", 0));
    // During the fault: 1 ms, 2 ms, ... 8 ms, sent at once, and two that were never answered.
    planted.extend((1..=8).map(|took| ("put", 1010 + took, Some(1010 + took), 1010 + 2 * took, "ok", 0)));
    planted.push(("put", 1500, Some(1500), 6500, "unknown", 0));
    planted.push(("put", 1600, None, 6600, "unsent", 1));
    planted.push(("put", 2010, Some(2011), 2013, "ok", 1));
    planted.push(("put", 2500, Some(2500), 2501, "failed", 1));
    let table = summary::table(&operations(&planted), &facts(true)).expect("a table");

    assert_eq!(rows(&table), ["put warm_up", "put before", "put during", "put after", "put edge", "put all"]);
    let counts = ["count", "ok", "failed", "unknown", "unsent", "length_s"];
    let check = |phase: &str, columns: &[&str], expected: &[f64]| {
        let expected: Vec<_> = expected.iter().copied().map(Some).collect();
        assert_eq!(cells(&table, "put", phase, columns), expected, "{phase} {columns:?}");
    };
    check("warm_up", &counts, &[1.0, 1.0, 0.0, 0.0, 0.0, 0.5]);
    check("before", &counts, &[1.0, 1.0, 0.0, 0.0, 0.0, 0.995]);
    check("during", &counts, &[10.0, 8.0, 0.0, 1.0, 1.0, 0.99]);
    check("after", &counts, &[2.0, 1.0, 1.0, 0.0, 0.0, 0.995]);
    check("edge", &counts, &[3.0, 2.0, 0.0, 1.0, 0.0, 0.02]);
    check("all", &counts, &[16.0, 12.0, 1.0, 2.0, 1.0, 3.0]);
    // The one that was under way when the fault began was acknowledged, and counts for the throughput before it.
    for (phase, in_flight, ops_per_s) in
        [("warm_up", 0.0, 2.0), ("before", 2.0, 2.0 / 0.995), ("during", 2.0, 8.0 / 0.99), ("after", 0.0, 1.0 / 0.995)]
    {
        check(phase, &["in_flight", "ops_per_s"], &[in_flight, ops_per_s]);
    }
    check("all", &["in_flight", "ops_per_s"], &[3.0, 4.0]);
    assert_eq!(cells(&table, "put", "edge", &["in_flight", "ops_per_s"]), [None, None]);
    check(
        "before",
        &["service_mean_ms", "service_p50_ms", "response_mean_ms", "response_p99_9_ms"],
        &[3.0, 3.0, 5.0, 5.0],
    );
    let during = ["service_mean_ms", "service_p50_ms", "service_p90_ms", "service_p95_ms", "service_max_ms"];
    check("during", &during, &[4.5, 4.0, 8.0, 8.0, 8.0]);
    // Over the ten that were due, the ninth and tenth have no answer.
    check("during", &["response_due_p50_ms", "response_due_p90_ms", "response_due_max_ms"], &[5.0, 5000.0, 5000.0]);
    // 1 to 8, 3, 2, 9 and 1 for service; the median of twelve is the sixth.
    check("all", &["service_p50_ms", "response_p50_ms", "response_max_ms"], &[3.0, 4.0, 9.0]);

    let bound_from: Vec<_> = table.column("response_due_bound_from").expect("it").str().expect("text").iter().collect();
    assert_eq!(bound_from, [None, None, Some("p90"), Some("p90"), Some("p90"), Some("p90")]);
}

#[test]
fn several_kinds_have_a_total_and_no_kind_lacks_a_phase() {
    let planted: [Row; 3] = [
        ("put", 100, Some(100), 104, "ok", 0),
        ("put", 1100, Some(1100), 1110, "ok", 0),
        ("get", 2100, Some(2100), 2101, "ok", 0),
    ];
    let table = summary::table(&operations(&planted), &facts(true)).expect("a table");
    let phases = ["warm_up", "before", "during", "after", "edge", "all"];
    let expected: Vec<_> =
        ["put", "get", "all"].iter().flat_map(|kind| phases.map(|phase| format!("{kind} {phase}"))).collect();
    assert_eq!(rows(&table), expected);
    assert_eq!(cells(&table, "get", "before", &["count", "service_p50_ms"]), [Some(0.0), None]);
    assert_eq!(cells(&table, "all", "all", &["count", "service_mean_ms", "service_p50_ms"]), [3.0, 5.0, 4.0].map(Some));
}

#[test]
fn a_run_without_a_fault_has_only_the_phase_all() {
    let table = summary::table(&operations(&[("put", 1, Some(1), 2, "ok", 0)]), &facts(false)).expect("a table");
    assert_eq!(rows(&table), ["put warm_up", "put all"]);
    assert_eq!(cells(&table, "put", "all", &["count", "service_p99_9_ms"]), [Some(1.0), Some(1.0)]);
}

#[test]
fn nothing_at_all_has_counts_of_zero_and_no_percentiles() {
    let table = summary::table(&operations(&[]), &facts(true)).expect("a table");
    assert_eq!(rows(&table), ["all warm_up", "all before", "all during", "all after", "all edge", "all all"]);
    let columns = ["count", "ops_per_s", "service_mean_ms", "response_p50_ms", "response_due_p50_ms"];
    assert_eq!(cells(&table, "all", "during", &columns), [Some(0.0), Some(0.0), None, None, None]);
}

#[test]
fn when_all_failed_only_lower_bounds_are_known() {
    let table = summary::table(&operations(&[("put", 1500, Some(1500), 1501, "failed", 0)]), &facts(true)).expect("it");
    let columns = ["count", "ok", "response_p50_ms", "response_due_p50_ms"];
    assert_eq!(cells(&table, "put", "during", &columns), [Some(1.0), Some(0.0), None, Some(5000.0)]);
}

#[test]
fn an_outcome_or_a_value_that_the_format_does_not_allow_is_an_error() {
    let strange = operations(&[("put", 1, Some(1), 2, "perhaps", 0)]);
    let error = summary::table(&strange, &facts(true)).expect_err("an error").to_string();
    assert!(error.contains("outcome \"perhaps\""), "{error}");
    let unsent_but_ok = operations(&[("put", 1, None, 2, "ok", 0)]);
    assert!(summary::table(&unsent_but_ok, &facts(true)).is_err());
    let elsewhere = operations(&[("put", 1, Some(1), 2, "ok", 9)]);
    assert!(throughput::table(&elsewhere, &facts(true), throughput::By::Member).is_err());
    assert!(throughput::table(&elsewhere, &facts(true), throughput::By::Run).is_ok());
}

fn counts(table: &DataFrame, name: &str) -> Vec<f64> {
    let column = table.column(name).expect(name).cast(&DataType::Float64).expect("numbers");
    column.f64().expect("numbers").into_no_null_iter().collect()
}

#[test]
fn every_second_is_there_and_what_ends_outside_of_the_workload_is_not() {
    let planted: [Row; 7] = [
        ("put", -100, Some(-100), 0, "ok", 0),
        ("put", 0, Some(0), 999, "ok", 0),
        ("put", 0, Some(0), 1000, "ok", 1),
        ("put", 10, Some(10), 2400, "ok", 0),
        ("put", 20, Some(20), 2499, "unknown", 1),
        ("put", 30, Some(30), 2500, "ok", 0),
        ("put", 40, None, 5040, "unsent", 0),
    ];
    let mut facts = facts(false);
    facts.phases = Phases::derive(&[], 0, 2_500 * MS);
    let table = throughput::table(&operations(&planted), &facts, throughput::By::Run).expect("a table");
    assert_eq!(counts(&table, "second"), [0.0, 1.0, 2.0]);
    assert_eq!(counts(&table, "length_s"), [1.0, 1.0, 0.5]);
    assert_eq!(counts(&table, "ok"), [1.0, 1.0, 1.0]);
    assert_eq!(counts(&table, "unknown"), [0.0, 0.0, 1.0]);
    assert_eq!(counts(&table, "unsent"), [0.0; 3]);
    assert_eq!(counts(&table, "ops_per_s"), [1.0, 1.0, 2.0]);

    let by_member = throughput::table(&operations(&planted), &facts, throughput::By::Member).expect("a table");
    assert_eq!(counts(&by_member, "second"), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
    assert_eq!(counts(&by_member, "ok"), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    let members: Vec<_> = by_member.column("member").expect("it").str().expect("text").iter().flatten().collect();
    assert_eq!(members, ["etcd0", "etcd1", "etcd0", "etcd1", "etcd0", "etcd1"]);
}

#[test]
fn latency_bins_keep_the_outliers() {
    let planted: [Row; 5] = [
        ("put", 0, Some(1), 3, "ok", 0),
        ("put", 900, Some(900), 1900, "ok", 0),
        ("put", 1000, Some(1000), 6000, "unknown", 0),
        ("put", 2000, Some(2000), 2007, "ok", 0),
        ("put", 3000, Some(3000), 3001, "ok", 0),
    ];
    let table = latency::table(&operations(&planted), &facts(false), S).expect("a table");
    assert_eq!(counts(&table, "from_s"), [0.0, 1.0, 2.0]);
    assert_eq!(counts(&table, "ok"), [2.0, 0.0, 1.0]);
    assert_eq!(counts(&table, "not_ok"), [0.0, 1.0, 0.0]);
    let column = |name: &str| table.column(name).expect(name).f64().expect("numbers").iter().collect::<Vec<_>>();
    assert_eq!(column("response_min_ms"), [Some(3.0), None, Some(7.0)]);
    assert_eq!(column("response_max_ms"), [Some(1000.0), None, Some(7.0)]);
    assert_eq!(column("service_p50_ms"), [Some(2.0), None, Some(7.0)]);
}

#[test]
fn bins_have_round_lengths() {
    for (length_s, bins, expected_ms) in
        [(120, 240, 500), (60, 240, 500), (60, 100, 1000), (3600, 200, 20_000), (0, 9, 1)]
    {
        assert_eq!(latency::bin_ns(length_s * S, bins), expected_ms * MS, "{length_s} s in {bins}");
    }
}

#[test]
fn columns_are_stable() {
    let table = summary::table(&operations(&[]), &facts(false)).expect("a table");
    let names: Vec<_> = table.columns().iter().map(|column| column.name().to_string()).collect();
    let mut expected: Vec<String> =
        ["run", "label", "kind", "phase", "length_s", "count", "ok", "failed", "unknown", "unsent", "in_flight"]
            .map(str::to_owned)
            .into();
    expected.push("ops_per_s".to_owned());
    let quantiles = ["p50", "p90", "p95", "p99", "p99_9"];
    for time in ["service", "response"] {
        expected.push(format!("{time}_mean_ms"));
        expected.extend(quantiles.map(|q| format!("{time}_{q}_ms")));
        expected.push(format!("{time}_max_ms"));
    }
    expected.extend(quantiles.map(|q| format!("response_due_{q}_ms")));
    expected.extend(["response_due_max_ms", "response_due_bound_from"].map(str::to_owned));
    assert_eq!(names, expected);
}
