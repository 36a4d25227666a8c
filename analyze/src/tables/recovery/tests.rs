//! Planted runs: when they recovered is known.

use run_folder::FaultEvent;
use run_folder::manifest::Role;

use super::*;
use crate::phases::Phases;
use crate::tables::Facts;

const MS: i64 = 1_000_000;
const S: i64 = 1_000 * MS;

/// Kind, due, sent, ended, outcome.
type Planted = (&'static str, i64, Option<i64>, i64, &'static str);

fn put(due_ns: i64, ended_ns: i64) -> Planted {
    ("put", due_ns, Some(due_ns), ended_ns, "ok")
}

/// A put every 5 ms for 30 seconds, each answered after 2 ms, but where `answered` says otherwise.
fn every_5_ms(answered: impl Fn(i64) -> Option<i64>) -> Vec<Planted> {
    let at = |due_ns| match answered(due_ns) {
        Some(ended_ns) => put(due_ns, ended_ns),
        None => ("put", due_ns, Some(due_ns), due_ns + 5 * S, "unknown"),
    };
    (0..6000).map(|number| at(number * 5 * MS)).collect()
}

fn operations(rows: &[Planted]) -> DataFrame {
    df!(
        "kind" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "intended_ns" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "start_ns" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "end_ns" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        "outcome" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
    )
    .expect("a frame")
}

/// 30 seconds with a fault from second 10 to second 20, or to the end.
fn facts(to_ns: Option<i64>) -> Facts {
    let fault = FaultEvent {
        asked_ns: 10 * S,
        asked_clear_ns: to_ns,
        applied_ns: Some(10 * S),
        cleared_ns: to_ns,
        ..FaultEvent::default()
    };
    Facts {
        run: "1_planted".to_owned(),
        label: "planted".to_owned(),
        phases: Phases::derive(&[fault], 0, 30 * S),
        deadline_ms: 5000.0,
        members: vec!["etcd0".to_owned()],
    }
}

fn factors() -> Factors {
    Factors {
        label: "planted".to_owned(),
        family: "planted".to_owned(),
        fault: Some("delay 20ms".to_owned()),
        value: Some(20.0),
        role: Role::Experiment,
        sweep: None,
        repeat: None,
        cohort: "a".to_owned(),
        condition: "a".to_owned(),
    }
}

fn table_of(rows: &[Planted], to_ns: Option<i64>, is_open_loop: bool) -> DataFrame {
    let context = Context { factors: &factors(), leader_changes: 0, is_open_loop };
    table(&operations(rows), &facts(to_ns), &context, &Rule::default()).expect("a table")
}

fn recovered(rows: &[Planted]) -> DataFrame {
    table_of(rows, Some(20 * S), true)
}

fn number(frame: &DataFrame, name: &str) -> Option<f64> {
    frame.column(name).expect(name).f64().expect("numbers").get(0)
}

fn flag(frame: &DataFrame, name: &str) -> Option<bool> {
    frame.column(name).expect(name).bool().expect("flags").get(0)
}

#[track_caller]
fn check_near(frame: &DataFrame, name: &str, expected: f64, within: f64) {
    let found = number(frame, name).unwrap_or_else(|| panic!("no {name}"));
    assert!((found - expected).abs() <= within, "{name}: {found} and not {expected}");
}

/// Nothing is answered from second 10 to `until_ns`; then everything that waits is, at once.
fn stalled(until_ns: i64) -> Vec<Planted> {
    every_5_ms(|due_ns| Some(if (10 * S..until_ns).contains(&due_ns) { until_ns } else { due_ns } + 2 * MS))
}

#[test]
fn a_planted_recovery_time_is_found() {
    for late_ms in [300, 1700, 4000] {
        let frame = recovered(&stalled(20 * S + late_ms * MS));
        let late_s = late_ms as f64 / 1e3;
        check_near(&frame, "recovery_s", late_s, 0.05);
        assert_eq!(flag(&frame, "recovery_censored"), Some(false));
        check_near(&frame, "first_write_s", late_s + 0.002, 1e-9);
        check_near(&frame, "backlog_drained_s", late_s, 0.02);
        check_near(&frame, "backlog_at_end", 2000.0, 1.0);
        // Each bin of a fifth second begins too late for it.
        check_near(&frame, "response_p50_recovery_s", late_s, 0.3);
        check_near(&frame, "response_p99_recovery_s", late_s, 0.11);
        check_near(&frame, "longest_gap_s", 10.0 + late_s + 0.005, 1e-9);
        check_near(&frame, "longest_gap_from_s", 9.997, 1e-9);
        check_near(&frame, "unavailable_s", 10.0 + late_s + 0.002, 1e-9);
        check_near(&frame, "under_10_s", 10.0 + late_s, 0.5);
        check_near(&frame, "ops_lost", 200.0 * (10.0 + late_s), 100.0);
        check_near(&frame, "ops_caught_up", 200.0 * (10.0 + late_s), 100.0);
        check_near(&frame, "ops_missing", 0.0, 1.0);
        check_near(&frame, "residual_ops_per_s_ratio", 1.0, 1e-9);
        assert_eq!(frame.column("longest_gap_phase").expect("it").str().expect("text").get(0), Some("during"));
    }
}

#[test]
fn a_lower_level_until_a_planted_time_is_found_too() {
    // Every second operation is lost until 3 s after the fault's end; nothing is made up.
    let rows = every_5_ms(|due_ns| {
        let is_lost = (10 * S..23 * S).contains(&due_ns) && due_ns / (5 * MS) % 2 == 0;
        (!is_lost).then_some(due_ns + 2 * MS)
    });
    let frame = recovered(&rows);
    check_near(&frame, "recovery_s", 3.0, 0.1);
    check_near(&frame, "ops_lost", 1300.0, 60.0);
    check_near(&frame, "ops_caught_up", 0.0, 1e-9);
    check_near(&frame, "ops_missing", 1300.0, 2.0);
    check_near(&frame, "under_90_s", 13.0, 0.5);
    check_near(&frame, "under_50_s", 0.0, 0.5);
    check_near(&frame, "first_write_s", 0.007, 1e-9);
}

#[test]
fn what_never_recovers_is_censored_and_no_number() {
    let rows = every_5_ms(|due_ns| (due_ns < 10 * S).then_some(due_ns + 2 * MS));
    let frame = recovered(&rows);
    for name in ["recovery", "first_write", "response_p50_recovery", "response_p99_recovery", "backlog_drained"] {
        assert_eq!(number(&frame, &format!("{name}_s")), None, "{name}");
        assert_eq!(flag(&frame, &format!("{name}_censored")), Some(true), "{name}");
    }
    check_near(&frame, "recovery_lower_bound_s", 10.0, 1e-9);
    check_near(&frame, "observed_s", 10.0, 1e-9);
    assert_eq!(flag(&frame, "longest_gap_censored"), Some(true));
    assert_eq!(number(&frame, "residual_ops_per_s_ratio"), Some(0.0));
    assert_eq!(number(&frame, "residual_response_p50_ratio"), None);
    let text = text_by_run(&frame, false, &Rule::default()).expect("a table").to_string();
    assert!(text.contains("> 10.0"), "{text}");
    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn without_any_acknowledged_write_all_of_the_time_is_unavailable() {
    let frame = recovered(&every_5_ms(|_| None));
    check_near(&frame, "unavailable_s", 20.0, 1e-9);
    assert_eq!(flag(&frame, "unavailable_censored"), Some(true));
}

#[test]
fn what_came_back_too_late_to_be_held_has_a_lower_bound() {
    let frame = recovered(&stalled(29 * S));
    assert_eq!((number(&frame, "recovery_s"), flag(&frame, "recovery_censored")), (None, Some(true)));
    check_near(&frame, "recovery_lower_bound_s", 9.0, 0.05);
}

#[test]
fn a_run_that_never_dips_says_so() {
    let frame = recovered(&every_5_ms(|due_ns| Some(due_ns + 2 * MS)));
    assert_eq!((number(&frame, "recovery_s"), flag(&frame, "dipped")), (Some(0.0), Some(false)));
    for name in ["ops_lost", "ops_caught_up", "under_90_s", "unavailable_s", "backlog_drained_s"] {
        assert_eq!(number(&frame, name), Some(0.0), "{name}");
    }
    let text = text_by_run(&frame, false, &Rule::default()).expect("a table").to_string();
    assert!(text.contains("no dip"), "{text}");
}

#[test]
fn healthy_poisson_noise_and_short_standstills_are_no_fault() {
    // A generator of its own, so that the test says the same everywhere.
    let mut state = 7_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    let mut late = 0;
    for _ in 0..40 {
        let mut rows = Vec::new();
        let mut at_s = 0.0;
        while at_s < 30.0 {
            at_s -= f64::ln(uniform()) / 200.0;
            // A machine that stands still for 60 ms each second.
            let stood_s = if at_s.fract() < 0.06 { at_s.floor() + 0.06 } else { at_s };
            rows.push(put((at_s * 1e9) as i64, (stood_s * 1e9) as i64 + 2 * MS));
        }
        let frame = recovered(&rows);
        assert_eq!(flag(&frame, "recovery_censored"), Some(false), "a healthy run is recovered");
        late += usize::from(number(&frame, "recovery_s").expect("a time") > 0.5);
    }
    assert!(late <= 4, "{late} of 40 healthy runs took more than half a second");
}

/// How long after second 20 the 99th percentile of a random load was back: 200 puts a second, the answers of which take 2 ms on
/// average, and a standstill of up to 120 ms every four seconds or so. After second 20 one in `slow_one_in` takes half a second.
fn random_p99_recovery(seed: u64, slow_one_in: Option<f64>) -> Option<Took> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    let (mut at_s, mut stands_s, mut stood_s) = (0.0, 0.0, 0.0);
    let mut responses: response::Responses = Vec::new();
    while at_s < 30.0 {
        at_s -= f64::ln(uniform()) / 200.0;
        while stood_s < at_s {
            stands_s = stood_s - f64::ln(uniform()) * 4.0;
            stood_s = stands_s + 0.12 * uniform();
        }
        let stood_s = if at_s > stands_s { stood_s - at_s } else { 0.0 };
        let is_slow = slow_one_in.is_some_and(|of| at_s > 20.0 && uniform() * of < 1.0);
        let took_s = if is_slow { 0.5 } else { stood_s - 0.002 * f64::ln(uniform()) };
        responses.push(((at_s * 1e9) as i64, (took_s * 1e9) as i64));
    }
    let mut acknowledged_ns: Vec<i64> = responses.iter().map(|(due_ns, took_ns)| due_ns + took_ns).collect();
    acknowledged_ns.sort_unstable();
    let level = series::Level::before(&acknowledged_ns, 10 * S, &Rule::default()).expect("a level");
    response::recovery(&responses, &level, (10 * S, 20 * S), 30 * S, 0.99)
}

#[test]
fn the_99th_percentile_of_healthy_random_runs_is_back_at_once() {
    let late = (1..=300).filter(|&seed| random_p99_recovery(seed, None) != Some(Took::Exactly(0.0))).count();
    assert!(late <= 15, "{late} of 300 healthy runs were not back at once");
    // One in twenty that takes half a second is another 99th percentile.
    let missed = (1..=100).filter(|&seed| random_p99_recovery(seed, Some(20.0)) == Some(Took::Exactly(0.0))).count();
    assert!(missed <= 5, "{missed} of 100 runs with a slow tail were taken for healthy");
}

#[test]
fn less_after_a_fault_than_must_be_held_has_no_recovery_and_no_bound() {
    let rows = every_5_ms(|due_ns| Some(due_ns + 2 * MS));
    let frame = table_of(&rows, Some(28 * S + 100 * MS), true);
    for name in ["recovery", "response_p50_recovery", "response_p99_recovery"] {
        assert_eq!(number(&frame, &format!("{name}_lower_bound_s")), None, "{name}");
        assert_eq!(flag(&frame, &format!("{name}_censored")), None, "{name}");
    }
    let why = frame.column("why").expect("it").str().expect("text").get(0);
    assert_eq!(why, Some("less was recorded after the fault than must be held"));
    assert_eq!(number(&table_of(&rows, Some(28 * S), true), "recovery_s"), Some(0.0));
}

#[test]
fn a_fault_to_the_end_and_none_at_all_have_no_recovery_and_say_why() {
    let rows = every_5_ms(|due_ns| Some(due_ns + 2 * MS));
    let to_end = table_of(&rows, None, true);
    let why = |frame: &DataFrame| frame.column("why").expect("it").str().expect("text").get(0).map(str::to_owned);
    assert_eq!(why(&to_end).as_deref(), Some("the fault lasts to the end of the run"));
    assert_eq!((number(&to_end, "recovery_s"), flag(&to_end, "recovery_censored")), (None, None));
    check_near(&to_end, "longest_gap_s", 0.005, 1e-9);
    let facts = Facts { phases: Phases::derive(&[], 0, 30 * S), ..facts(None) };
    let context = Context { factors: &factors(), leader_changes: 0, is_open_loop: true };
    let none = table(&operations(&rows), &facts, &context, &Rule::default()).expect("a table");
    assert_eq!(why(&none).as_deref(), Some("no fault was in force"));
    let closed = table_of(&rows, Some(20 * S), false);
    assert_eq!((number(&closed, "backlog_drained_s"), flag(&closed, "backlog_drained_censored")), (None, None));
}

#[test]
fn empty_and_tiny_runs_make_rows_without_numbers() {
    let lost = |due_ns: i64| ("put", due_ns, Some(due_ns), due_ns + 5 * S, "unknown");
    for rows in [
        vec![],
        vec![put(S, S + 1)],
        vec![put(25 * S, 25 * S + 1)],
        vec![lost(S)],
        (0..6000).map(|number| lost(number * 5 * MS)).collect(),
        vec![("get", S, Some(S), S + 1, "ok"), ("put", 21 * S, None, 26 * S, "unsent")],
    ] {
        let frame = recovered(&rows);
        assert!(frame.height() >= 1, "{rows:?}");
        for column in frame.columns() {
            let finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
            assert!(column.f64().map_or(true, |values| values.iter().all(finite)), "{}", column.name());
        }
        for wide in [false, true] {
            text_by_run(&frame, wide, &Rule::default()).expect("a table");
        }
        let label = by_label(&[(&factors(), frame)]).expect("a table");
        text_by_label(&label, false, &Rule::default()).expect("a table");
    }
}

#[test]
fn repeats_are_pooled_with_the_censored_ones_last() {
    use pooled::Pooled;
    let exactly = |s: &[f64]| s.iter().map(|&s| Took::Exactly(s)).collect::<Vec<_>>();
    let pooled = Pooled::of(&exactly(&[3.0, 1.0, 2.0]));
    assert_eq!((pooled.median, pooled.least_s, pooled.most_s), (Some(Took::Exactly(2.0)), Some(1.0), Some(3.0)));
    assert_eq!(pooled.interval_s, (None, None), "three runs have no 95 % interval of the median");
    let two = [exactly(&[1.0, 2.0]), vec![Took::Longer(5.0)]].concat();
    let pooled = Pooled::of(&two);
    assert_eq!((pooled.median, pooled.seen, pooled.most_s), (Some(Took::Exactly(2.0)), 2, None));
    assert_eq!(pooled.seen_most_s, Some(2.0));
    let one = [exactly(&[1.0]), vec![Took::Longer(5.0), Took::Longer(4.0)]].concat();
    assert_eq!(Pooled::of(&one).median, Some(Took::Longer(4.0)));
    // Of an even number both middle ones count: one run that came back does not stand for one that did not.
    assert_eq!(Pooled::of(&exactly(&[4.0, 1.0, 3.0, 2.0])).median, Some(Took::Exactly(2.5)));
    let half = [exactly(&[0.0]), vec![Took::Longer(3.0)]].concat();
    assert_eq!(Pooled::of(&half).median, Some(Took::Longer(1.5)));
    let most = [exactly(&[1.0, 2.0, 3.0]), vec![Took::Longer(5.0)]].concat();
    assert_eq!(Pooled::of(&most).median, Some(Took::Exactly(2.5)));
    // One that was watched for less long than others took ranks last too.
    let short = [exactly(&[1.0, 2.0]), vec![Took::Longer(0.5)]].concat();
    assert_eq!(Pooled::of(&short).median, Some(Took::Exactly(2.0)));
    // Binomial: the outermost of six hold the median with 1 - 2/64, of nine the second and the eighth with 1 - 20/512.
    let of = |count: i32| Pooled::of(&exactly(&(1..=count).map(f64::from).collect::<Vec<_>>())).interval_s;
    assert_eq!(
        (of(5), of(6), of(8), of(9)),
        ((None, None), (Some(1.0), Some(6.0)), (Some(1.0), Some(8.0)), (Some(2.0), Some(8.0)))
    );
    assert_eq!(Pooled::of(&[]), Pooled::default());
}

#[test]
fn labels_tell_how_many_came_back() {
    let never = every_5_ms(|due_ns| (due_ns < 10 * S).then_some(due_ns + 2 * MS));
    let factors = factors();
    let runs = [stalled(21 * S), stalled(22 * S), never].map(|rows| (&factors, recovered(&rows)));
    let frame = by_label(&runs).expect("a table");
    assert_eq!(frame.height(), 1);
    check_near(&frame, "recovery_s", 2.0, 0.05);
    assert_eq!(number(&frame, "recovery_high_s"), None);
    let text = text_by_label(&frame, false, &Rule::default()).expect("a table").to_string();
    assert!(text.contains("2 of 3"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    let frame = by_label(&[runs[0].clone(), runs[2].clone()]).expect("a table");
    assert_eq!((number(&frame, "recovery_s"), flag(&frame, "recovery_censored")), (None, Some(true)));
    check_near(&frame, "recovery_lower_bound_s", (1.0 + 10.0) / 2.0, 0.05);
    check_near(&frame, "under_50_s", (11.0 + 20.0) / 2.0, 0.5);
}

#[test]
fn the_curve_shows_what_the_table_says() {
    let rows = stalled(21 * S);
    let curve = curve::table(&operations(&rows), &facts(Some(20 * S)), &Rule::default()).expect("a table");
    let column =
        |name: &str| curve.column(name).expect(name).f64().expect("numbers").iter().flatten().collect::<Vec<_>>();
    let (since, rate) = (column("since_s"), column("ops_per_s"));
    assert!(since.contains(&0.0) && since.contains(&-10.0), "steps begin at the fault's edges");
    let at = |s: f64| rate[since.iter().position(|&since| since == s).expect("a step")];
    assert_eq!((at(-11.0), at(-5.0), at(0.5), at(2.0)), (200.0, 0.0, 0.0, 200.0));
    let under_way = curve.column("under_way").expect("it").i64().expect("counts");
    assert!(under_way.max() > Some(2000), "{:?}", under_way.max());
    let none = curve::table(&operations(&rows), &facts(None), &Rule::default()).expect("a table");
    assert_eq!(none.height(), 0);
}
