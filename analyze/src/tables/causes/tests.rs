//! Planted samples.

use run_folder::FaultEvent;
use run_folder::manifest::Role;

use super::*;
use crate::phases::Phases;
use crate::tables::{reigns, replication, standings, views};

const S: i64 = 1_000_000_000;
const FSYNC: &str = "etcd_disk_wal_fsync_duration_seconds_bucket";

type Row = (i64, Option<i8>, &'static str, Option<&'static str>, f64);

/// Counters that gain at each second of 30; fsyncs of which `slow` of 100 take 8 to 16 ms while the fault is in force.
fn samples(slow: f64) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let (mut fast_sum, mut all_sum) = (0.0, 0.0);
    for second in 0..30_i64 {
        let (at_ns, is_on) = (second * S, (10..20).contains(&second));
        fast_sum += if is_on { 100.0 - slow } else { 100.0 };
        all_sum += 100.0;
        for member in 0..3_i8 {
            let own = Some(member);
            rows.push((at_ns, own, FSYNC, Some("le=0.001"), fast_sum));
            rows.push((at_ns, own, FSYNC, Some("le=0.008"), fast_sum));
            rows.push((at_ns, own, FSYNC, Some("le=0.016"), all_sum));
            rows.push((at_ns, own, FSYNC, Some("le=+Inf"), all_sum));
            rows.push((at_ns, own, metric::LEADER, None, 0.0));
            let connect_us = if member == 1 && is_on { 20_000.0 } else { 200.0 };
            let from = ["from=etcd2", "from=etcd2", "from=etcd0"][member as usize];
            rows.push((at_ns, own, metric::PROBE_CONNECT_US, Some(from), connect_us));
            rows.push((at_ns, own, "process_cpu_seconds_total", None, 0.1 * second as f64));
        }
        rows.push((at_ns, None, metric::HOST_STEAL_S, None, 0.0));
    }
    rows
}

fn frame_of(rows: &[Row]) -> DataFrame {
    df!(
        "time_ns" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "member" => Int8Chunked::from_iter_options("member".into(), rows.iter().map(|row| row.1)).into_series(),
        "metric" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "label" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        "value" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
    )
    .expect("a frame")
}

fn seen(run: &str, fault: Option<&str>, rows: &[Row], is_full: bool) -> Seen {
    let event = FaultEvent {
        asked_ns: if is_full { 0 } else { 10 * S },
        asked_clear_ns: (!is_full).then_some(20 * S),
        applied_ns: Some(if is_full { 0 } else { 10 * S }),
        cleared_ns: (!is_full).then_some(20 * S),
        ..FaultEvent::default()
    };
    let facts = Facts {
        run: run.to_owned(),
        label: run.to_owned(),
        phases: Phases::derive(&[event], 0, 30 * S),
        deadline_ms: 5000.0,
        members: ["etcd0", "etcd1", "etcd2"].map(str::to_owned).into(),
    };
    let samples = frame_of(rows);
    let views = views::views(&samples, 3, 30 * S).expect("views");
    let course = reigns::course(&views, &standings::spells(&views, 3), 3);
    let lags = replication::lags(&views, &course, &facts);
    let scene = Scene { facts: &facts, targets: &[1], leader: Some(0), course: &course, lags: &lags };
    let factors = Factors {
        label: run.to_owned(),
        family: run.to_owned(),
        fault: fault.map(str::to_owned),
        value: None,
        role: if fault.is_some() { Role::Experiment } else { Role::Baseline },
        sweep: None,
        repeat: None,
        cohort: "a".to_owned(),
        condition: run.to_owned(),
    };
    Seen { factors, leader_changes: 0, is_shown: true, table: table(&samples, &scene).expect("a table") }
}

/// Value before, under the fault, and the judgement.
fn found(
    judged: &DataFrame,
    run: &str,
    member: Option<&str>,
    metric: &str,
) -> (Option<f64>, Option<f64>, Option<String>) {
    let text =
        |name: &str, row: usize| judged.column(name).expect(name).str().expect("text").get(row).map(str::to_owned);
    let is_it = |row: &usize| {
        text("run", *row).as_deref() == Some(run)
            && text("metric", *row).as_deref() == Some(metric)
            && text("member", *row).as_deref() == member
    };
    let row = (0..judged.height()).find(is_it).unwrap_or_else(|| panic!("no {metric} of {run}"));
    let number = |name: &str| judged.column(name).expect(name).f64().expect("numbers").get(row);
    (number("reference"), number("during"), text("judged", row))
}

#[test]
fn slow_fsyncs_and_a_slow_link_are_raised_and_the_rest_is_normal() {
    let runs = [
        seen("slow", Some("delay 20ms"), &samples(10.0), false),
        seen("healthy", Some("delay 20ms"), &samples(0.0), false),
    ];
    let judged = judged(&runs).expect("a table");
    let (before, during, is) = found(&judged, "slow", Some("etcd0"), "wal_fsync_p99_ms");
    // The 99th of 100 lies nine tenths into the bucket of the slowest ten.
    assert!(
        (before.expect("it") - 0.99).abs() < 1e-9 && (during.expect("it") - 15.2).abs() < 1e-9,
        "{before:?} {during:?}"
    );
    assert_eq!(is.as_deref(), Some("raised"));
    assert_eq!(found(&judged, "healthy", Some("etcd0"), "wal_fsync_p99_ms").2.as_deref(), Some("normal"));
    let link = |member: &str| found(&judged, "healthy", Some(member), "probe_connect_p50_ms");
    assert_eq!(link("etcd1"), (Some(0.2), Some(20.0), Some("raised".to_owned())));
    assert_eq!(link("etcd0"), (Some(0.2), Some(0.2), Some("normal".to_owned())));
    assert_eq!(found(&judged, "slow", None, "elections"), (Some(0.0), Some(0.0), Some("normal".to_owned())));
    let (_, cpu, is) = found(&judged, "slow", Some("etcd2"), "cpu_cores");
    assert!((cpu.expect("it") - 0.1).abs() < 1e-9 && is.as_deref() == Some("normal"));
    let text = text(&judged, false).expect("a table").to_string();
    assert!(text.contains("raised") && text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn what_baselines_show_too_is_no_cause() {
    let runs = [
        seen("slow", Some("delay 20ms"), &samples(10.0), false),
        seen("full", Some("delay 20ms"), &samples(10.0), true),
        seen("baseline", None, &samples(10.0), false),
    ];
    let judged = judged(&runs).expect("a table");
    assert_eq!(found(&judged, "slow", Some("etcd0"), "wal_fsync_p99_ms").2.as_deref(), Some("normal"));
    // The whole baseline is what a fault that lasts is compared with.
    let (reference, during, is) = found(&judged, "full", Some("etcd0"), "wal_fsync_p99_ms");
    assert_eq!((reference, is.as_deref()), (during, Some("normal")));
}

#[test]
fn nothing_sampled_is_nothing_judged() {
    let runs =
        [seen("silent", Some("delay 20ms"), &[], false), seen("one", Some("delay 20ms"), &samples(0.0)[..8], false)];
    let judged = judged(&runs).expect("a table");
    assert!(!judged.column("judged").expect("it").str().expect("text").iter().any(|is| is == Some("raised")));
    text(&judged, false).expect("a table");
}
