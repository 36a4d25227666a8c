use run_folder::FaultEvent;

use super::*;
use crate::phases::Phases;
use crate::tables::reigns;
use crate::tables::standings::spells;
use crate::tables::views::Answer;

const MS: i64 = 1_000_000;
const S: i64 = NS_PER_S;

fn facts(seconds: i64) -> Facts {
    let fault = FaultEvent {
        asked_ns: 2 * S,
        asked_clear_ns: Some(4 * S),
        applied_ns: Some(2 * S + 100 * MS),
        cleared_ns: Some(4 * S),
        ..FaultEvent::default()
    };
    Facts {
        run: "20270115_080000_x".to_owned(),
        label: "x".to_owned(),
        phases: Phases::derive(&[fault], 0, seconds * S),
        deadline_ms: 5000.0,
        members: ["etcd0", "etcd1"].map(str::to_owned).into(),
    }
}

type Row<'a> = (i64, i8, &'a str, Option<&'a str>, f64);

fn frame(rows: &[Row<'_>]) -> DataFrame {
    df!(
        "time_ns" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "member" => Int8Chunked::from_iter_values("member".into(), rows.iter().map(|row| row.1)).into_series(),
        "metric" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "label" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        "value" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
    )
    .expect("a frame")
}

fn table_of(rows: &[Row<'_>], views: &[View], facts: &Facts) -> DataFrame {
    let members = facts.members.len();
    let course = reigns::course(views, &spells(views, members), members);
    table(&frame(rows), views, &course, facts).expect("a table")
}

/// The values of a member's metric, second by second.
fn series(table: &DataFrame, member: &str, metric: &str) -> Vec<Option<f64>> {
    let text = |name: &str| table.column(name).expect(name).str().expect(name).clone();
    let (members, metrics) = (text("member"), text("metric"));
    let value = table.column("value").expect("value").f64().expect("numbers");
    let is_it = |row: &usize| members.get(*row) == Some(member) && metrics.get(*row) == Some(metric);
    // Rounded, because sums of interpolations are not exact.
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    (0..table.height()).filter(is_it).map(|row| value.get(row).map(rounded)).collect()
}

/// Counters of a histogram: seconds, samples counted so far, of which this many within 1 ms, and their sum in seconds.
fn histogram(points: &[(i64, f64, f64, f64)]) -> Vec<Row<'static>> {
    let mut rows = Vec::new();
    for &(time_ns, count, fast, sum) in points {
        for (metric, label, value) in [
            ("etcd_disk_wal_fsync_duration_seconds_count", None, count),
            ("etcd_disk_wal_fsync_duration_seconds_sum", None, sum),
            ("etcd_disk_wal_fsync_duration_seconds_bucket", Some("le=0.001"), fast),
            ("etcd_disk_wal_fsync_duration_seconds_bucket", Some("le=0.064"), count),
            ("etcd_disk_wal_fsync_duration_seconds_bucket", Some("le=+Inf"), count),
        ] {
            rows.push((time_ns, 0, metric, label, value));
        }
    }
    rows
}

#[test]
fn counters_become_what_happened_in_each_second() {
    // 100 syncs of 0.5 ms in each of the first two seconds, then 50 of which a tenth takes 40 ms; none in the last.
    let slow = 45.0 * 0.0005 + 5.0 * 0.04;
    let rows = histogram(&[
        (-S, 900.0, 900.0, 1.0),
        (0, 1000.0, 1000.0, 1.05),
        (S, 1100.0, 1100.0, 1.1),
        (2 * S, 1200.0, 1200.0, 1.15),
        (3 * S, 1250.0, 1245.0, 1.15 + slow),
        (4 * S, 1250.0, 1245.0, 1.15 + slow),
    ]);
    let table = table_of(&rows, &[], &facts(4));
    assert_eq!(series(&table, "etcd0", "wal_fsyncs_per_s"), [Some(100.0), Some(100.0), Some(50.0), Some(0.0)]);
    let mean = (slow / 50.0 * 1e9).round() / 1e6;
    assert_eq!(series(&table, "etcd0", "wal_fsync_mean_ms"), [Some(0.5), Some(0.5), Some(mean), None]);
    assert_eq!(series(&table, "etcd0", "wal_fsync_p99_at_most_ms"), [Some(1.0), Some(1.0), Some(64.0), None]);
    assert_eq!(series(&table, "etcd1", "wal_fsyncs_per_s"), [None; 4], "a member that was never sampled");
    assert_eq!(table.height(), 4 * 2 * METRICS.len());
}

#[test]
fn counters_are_interpolated_at_the_edges_of_seconds_but_over_no_gap_and_no_restart() {
    let counter = |points: &[(i64, f64)]| -> Vec<Row<'static>> {
        points.iter().map(|&(ms, value)| (ms * MS, 0, "process_cpu_seconds_total", None, value)).collect()
    };
    let cores = |points: &[(i64, f64)]| series(&table_of(&counter(points), &[], &facts(6)), "etcd0", "cpu_cores");
    let even: Vec<(i64, f64)> = (0..8).map(|at| (at * 1000 - 600, 0.5 * at as f64)).collect();
    assert_eq!(cores(&even), [Some(0.5); 6]);
    // Nothing from 1.4 s to 4.4 s.
    let gap: Vec<_> = even.iter().copied().filter(|(ms, _)| !(1500..4000).contains(ms)).collect();
    assert_eq!(cores(&gap), [Some(0.5), None, None, None, None, Some(0.5)]);
    let restarted: Vec<_> = even.iter().map(|&(ms, value)| (ms, if ms > 3000 { value - 2.0 } else { value })).collect();
    assert_eq!(cores(&restarted), [Some(0.5), Some(0.5), None, None, Some(0.5), Some(0.5)]);
    // The last sample stands for the end, at its own time: not for less growth than there was.
    let late: Vec<(i64, f64)> = even.iter().map(|&(ms, value)| (ms + 200, value)).collect();
    assert_eq!(cores(&late[..7]).last(), Some(&Some(0.5)));
    assert_eq!(cores(&even[..7]).last(), Some(&None), "it lies too far from the end");
}

#[test]
fn requests_without_an_answer_are_counted_and_nothing_asked_is_no_zero() {
    let mut rows: Vec<Row<'_>> =
        (0..10).map(|at| (at * 100 * MS, 0, "status_time_us", None, 1000.0 + at as f64)).collect();
    rows.extend((10..20).map(|at| (at * 100 * MS, 0, "status_failed", None, 1.0)));
    let table = table_of(&rows, &[], &facts(3));
    assert_eq!(series(&table, "etcd0", "status_unanswered"), [Some(0.0), Some(10.0), None]);
    assert_eq!(series(&table, "etcd0", "status_median_ms"), [Some(1.004), None, None]);
    assert_eq!(series(&table, "etcd0", "status_max_ms"), [Some(1.009), None, None]);
}

#[test]
fn the_lag_is_that_of_each_second_and_the_leader_has_none() {
    let view = |ms: i64, member: usize, index: i64| View {
        time_ns: ms * MS,
        member,
        answer: Some(Answer { leader: Some(0), term: Some(2), index: Some(index), applied: Some(index - 2) }),
    };
    // The leader gains an entry a millisecond; in the second second the other one is 30 entries behind.
    let lagging = |ms: i64| if (1000..2000).contains(&ms) { 30 } else { 0 };
    let views: Vec<View> = (0..30)
        .flat_map(|at| [view(at * 100, 0, at * 100), view(at * 100 + 50, 1, at * 100 + 50 - lagging(at * 100))])
        .collect();
    let facts = facts(3);
    let table = table_of(&[], &views, &facts);
    assert_eq!(series(&table, "etcd1", "raft_lag_max_entries"), [Some(0.0), Some(30.0), Some(0.0)]);
    assert_eq!(series(&table, "etcd1", "raft_behind_max_ms"), [Some(0.0), Some(30.0), Some(0.0)]);
    assert_eq!(series(&table, "etcd1", "unapplied_max_entries"), [Some(2.0); 3]);
    assert_eq!(series(&table, "etcd0", "raft_lag_max_entries"), [None; 3]);
    assert_eq!(
        (series(&table, "etcd0", "leads_share"), series(&table, "etcd1", "leads_share")),
        (vec![Some(1.0); 3], vec![Some(0.0); 3])
    );
}

#[test]
fn phases_are_of_the_seconds_that_lie_wholly_in_them() {
    let rows: Vec<Row<'_>> =
        (0..6).map(|second| (second * S, 0, "db_size_bytes", None, MIB * (second + 1) as f64)).collect();
    let facts = facts(6);
    let phases = by_phase(&table_of(&rows, &[], &facts), &facts).expect("a table");
    let is_it = |row: &usize| {
        phases.column("metric").expect("metric").str().expect("text").get(*row) == Some("db_size_mib")
            && phases.column("member").expect("member").str().expect("text").get(*row) == Some("etcd0")
    };
    let number = |name: &str, row: usize| phases.column(name).expect(name).get(row).expect("a cell").to_string();
    let found: Vec<[String; 4]> = (0..phases.height())
        .filter(is_it)
        .map(|row| ["phase", "seconds", "median", "max"].map(|name| number(name, row)))
        .collect();
    // The fault began at 2.1 s, so that second 2 lies in no phase.
    let expected =
        [["\"before\"", "2", "1.0", "2.0"], ["\"during\"", "1", "4.0", "4.0"], ["\"after\"", "2", "5.0", "6.0"]];
    assert_eq!(found, expected.map(|row| row.map(str::to_owned)));
}

#[test]
fn no_second_and_no_member_are_no_rows() {
    let empty = Facts { members: Vec::new(), ..facts(3) };
    assert_eq!(table_of(&[], &[], &empty).height(), 0);
    assert_eq!(table_of(&[], &[], &facts(0)).height(), 0);
    let facts = facts(0);
    let phases = by_phase(&table_of(&[], &[], &facts), &facts).expect("a table");
    assert_eq!(phases.column("median").expect("median").null_count(), phases.height());
}
