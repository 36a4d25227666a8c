//! Sentences from planted frames.

use run_folder::manifest::Role;

use super::*;

fn story(run: &str, label: &str, fault: Option<&str>) -> Story {
    let role = match fault {
        None => Role::Baseline,
        Some("null fault") => Role::Control,
        Some(_) => Role::Experiment,
    };
    Story {
        run: run.to_owned(),
        factors: Factors {
            label: label.to_owned(),
            family: label.to_owned(),
            fault: fault.map(str::to_owned),
            value: None,
            role,
            sweep: Some("s".to_owned()),
            repeat: Some(1),
            cohort: "a".to_owned(),
            condition: label.to_owned(),
        },
        clients: "clients on the slow member".to_owned(),
        leader_changes: 0,
        client_saturated: None,
        is_imported: false,
    }
}

/// One row of effects: ratio, interval and whether it is within the noise, of p99, p50 and throughput.
#[derive(Clone, Copy)]
struct Planted {
    label: &'static str,
    compared: &'static str,
    p99: (Option<f64>, Option<(f64, f64)>, Option<bool>),
    throughput: (Option<f64>, Option<(f64, f64)>, Option<bool>),
    ok: u64,
    not_ok: f64,
    interval: &'static str,
    significant: Option<bool>,
}

const SLOW: Planted = Planted {
    label: "delay20_mid",
    compared: "during/before",
    p99: (Some(6.0), Some((4.8, 7.1)), Some(false)),
    throughput: (Some(0.59), Some((0.5, 0.7)), Some(false)),
    ok: 1000,
    not_ok: 0.0,
    interval: "between-run",
    significant: Some(true),
};

fn delta(rows: &[Planted]) -> DataFrame {
    let number = |of: &dyn Fn(&Planted) -> Option<f64>| rows.iter().map(of).collect::<Vec<_>>();
    let mut frame = df!(
        "run" => rows.iter().map(|_| "1").collect::<Vec<_>>(),
        "label" => rows.iter().map(|row| row.label).collect::<Vec<_>>(),
        "sweep" => rows.iter().map(|_| "s").collect::<Vec<_>>(),
        "fault" => rows.iter().map(|_| "delay 20ms").collect::<Vec<_>>(),
        "runs" => rows.iter().map(|_| 1_u64).collect::<Vec<_>>(),
        "leader_changes" => rows.iter().map(|_| 0_u64).collect::<Vec<_>>(),
        "kind" => rows.iter().map(|_| "put").collect::<Vec<_>>(),
        "compared" => rows.iter().map(|row| row.compared).collect::<Vec<_>>(),
        "interval" => rows.iter().map(|row| row.interval).collect::<Vec<_>>(),
        "baselines" => rows.iter().map(|_| 2_u64).collect::<Vec<_>>(),
        "ok" => rows.iter().map(|row| row.ok).collect::<Vec<_>>(),
        "ok_reference" => rows.iter().map(|_| 1000_u64).collect::<Vec<_>>(),
        "not_ok_share" => rows.iter().map(|row| row.not_ok).collect::<Vec<_>>(),
        "not_ok_share_reference" => rows.iter().map(|_| 0.0).collect::<Vec<_>>(),
    )
    .expect("a frame");
    let mut add = |name: &str, values: Vec<Option<f64>>| {
        frame.with_column(Column::new(name.into(), values)).expect("a column");
    };
    add("response_p99_ms_ratio", number(&|row| row.p99.0));
    add("response_p99_ms_ratio_low", number(&|row| row.p99.1.map(|interval| interval.0)));
    add("response_p99_ms_ratio_high", number(&|row| row.p99.1.map(|interval| interval.1)));
    add("ops_per_s_ratio", number(&|row| row.throughput.0));
    add("ops_per_s_ratio_low", number(&|row| row.throughput.1.map(|interval| interval.0)));
    add("ops_per_s_ratio_high", number(&|row| row.throughput.1.map(|interval| interval.1)));
    for (name, of) in [
        ("response_p99_ms_within_noise", (|row| row.p99.2) as fn(&Planted) -> Option<bool>),
        ("ops_per_s_within_noise", |row| row.throughput.2),
        ("response_p99_ms_significant", |row| row.significant),
        ("ops_per_s_significant", |row| row.significant),
    ] {
        frame.with_column(Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())).expect("a column");
    }
    frame
}

/// Recovery in seconds, or how long it was not seen; the latencies come back with throughput.
fn recovery(label: &str, took: Result<f64, f64>, dipped: bool) -> DataFrame {
    recoveries(label, [took; 3], dipped)
}

/// The same of throughput, p50 and p99.
fn recoveries(label: &str, [took, p50, p99]: [Result<f64, f64>; 3], dipped: bool) -> DataFrame {
    let mut frame = df!(
        "run" => ["1"], "label" => [label], "sweep" => ["s"], "fault" => ["delay 20ms"], "runs" => [1_u64],
        "leader_changes" => [0_u64], "kind" => ["put"],
        "recovery_s" => [took.ok()], "recovery_censored" => [took.is_err()], "recovery_lower_bound_s" => [took.err()],
        "observed_s" => [5.0], "longest_gap_s" => [0.1], "longest_gap_phase" => ["during"],
    )
    .expect("a frame");
    frame.with_column(Column::new("dipped".into(), [dipped])).expect("a column");
    for (name, took) in [("response_p50_recovery", p50), ("response_p99_recovery", p99)] {
        frame.with_column(Column::new(format!("{name}_s").into(), [took.ok()])).expect("a column");
        frame.with_column(Column::new(format!("{name}_censored").into(), [took.is_err()])).expect("a column");
        frame.with_column(Column::new(format!("{name}_lower_bound_s").into(), [took.err()])).expect("a column");
    }
    frame
}

fn causes(judged: Option<&str>) -> DataFrame {
    df!(
        "run" => ["1", "1"], "metric" => ["wal_fsync_p99_ms", "leaderless_s"], "member" => [Some("etcd1"), None],
        "during" => [9.0, 0.0], "all" => [Some(5.0), Some(0.0)], "ratio" => [Some(3.1), None],
        "judged" => [judged, Some("normal")],
    )
    .expect("a frame")
}

fn verdict_of(planted: Planted, recovery: &DataFrame, causes: &DataFrame, story: Story) -> (String, DataFrame) {
    let tables = Tables { delta: &delta(&[planted]), recovery, causes };
    let frame = by_run(&tables, &[story]).expect("a table");
    let sentence = frame.column("sentence").expect("it").str().expect("text").get(0).expect("a sentence").to_owned();
    assert!(!sentence.contains("NaN") && !sentence.contains("inf") && sentence.ends_with('.'), "{sentence}");
    (sentence, frame)
}

#[track_caller]
fn check(planted: Planted, took: Result<f64, f64>, expected: &str) {
    let story = story("1", planted.label, Some("delay 20ms"));
    let found = verdict_of(planted, &recovery(planted.label, took, true), &causes(Some("normal")), story).0;
    assert_eq!(found, expected);
}

#[test]
fn the_sentence_of_the_issue() {
    check(
        SLOW,
        Ok(1.2),
        "during: put p99 x6.00 [4.80, 7.10], throughput -41 % [-50, -30]; clients on the slow member; no election; fsync \
         normal; back to normal 1.2 s after.",
    );
}

#[test]
fn what_is_not_sure_is_said() {
    let within = Planted { interval: "within-run", throughput: (Some(0.59), Some((0.5, 0.7)), None), ..SLOW };
    check(
        within,
        Err(5.0),
        "during: put p99 x6.00 [4.80, 7.10] within-run, throughput -41 % [-50, -30] within-run; clients on the slow member; no \
         election; fsync normal; not back to normal within the 5.0 s recorded.",
    );
    let noise = Planted { p99: (Some(1.1), None, Some(true)), throughput: (Some(0.97), None, Some(true)), ..SLOW };
    check(
        noise,
        Ok(0.0),
        "during: put p99 x1.10 (within the noise floor), throughput -3 % (within the noise floor); clients on the slow member; \
         no election; fsync normal; back to normal at once.",
    );
    check(
        Planted { throughput: (Some(1.0), None, Some(true)), not_ok: 0.134, ..SLOW },
        Err(3.6),
        "during: put p99 at least x6.00 [4.80, 7.10], throughput unchanged, 13 % of operations not acknowledged; clients on \
         the slow member; no election; fsync normal; too little recorded after 3.6 s to call it back to normal.",
    );
}

#[test]
fn what_cannot_be_said_is_not() {
    let dead =
        Planted { p99: (None, None, None), throughput: (Some(0.0), None, Some(false)), ok: 0, not_ok: 1.0, ..SLOW };
    check(
        dead,
        Err(5.0),
        "during: no put was acknowledged; clients on the slow member; no election; fsync normal; not back to normal within the \
         5.0 s recorded.",
    );
    // No row of any table is of this run.
    let story = story("2", "delay20_mid", Some("delay 20ms"));
    let (found, frame) = verdict_of(SLOW, &recovery("x", Ok(0.0), true), &causes(None), story);
    assert_eq!(found, "nothing to compare the fault with; clients on the slow member.");
    assert_eq!(frame.column("has_effect").expect("it").bool().expect("flags").get(0), None);
}

#[test]
fn elections_fsync_and_saturation_have_their_words() {
    let story = Story {
        leader_changes: 2,
        client_saturated: Some("late".to_owned()),
        ..story("1", "delay20_mid", Some("delay 20ms"))
    };
    let full = Planted { compared: "during/baseline", ..SLOW };
    let (found, _) = verdict_of(full, &DataFrame::empty(), &causes(Some("raised")), story);
    assert_eq!(
        found,
        "all the time, against 2 baselines: put p99 x6.00 [4.80, 7.10], throughput -41 % [-50, -30]; clients on the slow \
         member; leader changed 2 times; fsync raised up to x3.10 on all members; client saturated."
    );
}

#[test]
fn percentiles_of_few_or_of_survivors_say_so() {
    let lossy = Planted { p99: (Some(309.0), None, None), not_ok: 0.39, significant: Some(false), ..SLOW };
    check(
        lossy,
        Ok(1.2),
        "during: put p99 at least x309 (no interval), throughput -41 % [-50, -30] (not significant), 39 % of operations not \
         acknowledged; clients on the slow member; no election; fsync normal; back to normal 1.2 s after.",
    );
    let few = Planted { ok: 60, ..SLOW };
    let with_p90 = |name: &str| {
        let mut delta = delta(&[few]);
        delta.with_column(Column::new(name.into(), [51.0])).expect("a column");
        let (recovery, causes) = (recovery(few.label, Ok(0.0), true), causes(Some("normal")));
        let tables = Tables { delta: &delta, recovery: &recovery, causes: &causes };
        let frame = by_run(&tables, &[story("1", few.label, Some("delay 20ms"))]).expect("a table");
        let sentence = frame.column("sentence").expect("it").str().expect("text").get(0).expect("one").to_owned();
        (sentence, frame.column("response_p99_ratio").expect("it").f64().expect("numbers").get(0))
    };
    let (sentence, p99) = with_p90("response_p90_ms_ratio");
    assert!(sentence.starts_with("during: put p90 x51.0 (no interval), throughput"), "{sentence}");
    assert_eq!(p99, None, "the slowest of 60 is no 99th percentile");
    assert!(with_p90("response_p50_ms_ratio").0.starts_with("during: put p50 x51.0 (no interval)"));
}

#[test]
fn imported_runs_without_a_window_are_told_what_to_do() {
    let story = Story { is_imported: true, ..story("2", "delay20_mid", Some("delay 20ms")) };
    let (found, _) = verdict_of(SLOW, &DataFrame::empty(), &DataFrame::empty(), story);
    assert!(found.starts_with("nothing to compare the fault with") && found.contains("--inject-at"), "{found}");
}

/// The verdict on a sweep of one run of each label, from planted effects.
#[track_caller]
fn check_sweep(planted: &[Planted], labels: &[&str], causes: &DataFrame, expected: &str) {
    let stories: Vec<Story> = labels.iter().map(|label| story("1", label, Some("delay 20ms"))).collect();
    let (delta, recovery) = (delta(planted), recovery("x", Ok(0.0), true));
    let tables = Tables { delta: &delta, recovery: &recovery, causes };
    let frame = by_sweep(&by_label(&tables, &stories).expect("a table"), &[]).expect("a table");
    assert_eq!(frame.column("sentence").expect("it").str().expect("text").get(0), Some(expected));
}

#[test]
fn a_sweep_tells_what_is_sure_from_what_is_not() {
    let unsure = Planted {
        label: "loss50_mid",
        p99: (Some(309.0), None, Some(false)),
        not_ok: 0.39,
        significant: Some(false),
        ..SLOW
    };
    check_sweep(
        &[SLOW, unsure],
        &["delay20_mid", "loss50_mid"],
        &causes(Some("normal")),
        "2 of 2 labels beyond the noise floor, 1 significant; throughput changed in delay20_mid; throughput changed, not \
         significantly, in loss50_mid; worst significant delay20_mid (of one run: put p99 x6.00 [4.80, 7.10], throughput \
         -41 % [-50, -30]); larger, but not significant, loss50_mid (of one run: put p99 at least x309 (no interval), \
         throughput -41 % [-50, -30] (not significant)); no control; no baseline among them; no election.",
    );
    check_sweep(
        &[unsure],
        &["loss50_mid"],
        &causes(Some("normal")),
        "loss50_mid beyond the noise floor, not significant; throughput changed, not significantly, in loss50_mid; worst, not \
         significant, loss50_mid (of one run: put p99 at least x309 (no interval), throughput -41 % [-50, -30] (not \
         significant)); no control; no baseline among them; no election.",
    );
}

#[test]
fn what_a_sweep_cannot_tell_it_does_not() {
    // No row of any table is of the second one, and nobody knows who led.
    let unknown =
        Planted { throughput: (Some(1.0), None, None), p99: (Some(6.0), None, None), significant: None, ..SLOW };
    check_sweep(
        &[unknown],
        &["delay20_mid", "loss20_mid"],
        &DataFrame::empty(),
        "whether 2 labels show an effect cannot be told; no control; no baseline among them.",
    );
    check_sweep(
        &[],
        &["loss20_mid"],
        &DataFrame::empty(),
        "whether loss20_mid shows an effect cannot be told; no control; no baseline among them.",
    );
}

#[test]
fn what_is_back_is_said() {
    #[track_caller]
    fn check(took: [Result<f64, f64>; 3], dipped: bool, expected: &str) {
        let story = story("1", SLOW.label, Some("delay 20ms"));
        let found = verdict_of(SLOW, &recoveries(SLOW.label, took, dipped), &causes(Some("normal")), story).0;
        assert_eq!(found.rsplit("; ").next(), Some(expected));
    }
    check([Ok(2.8), Ok(1.0), Ok(2.8)], true, "back to normal 2.8 s after.");
    check([Ok(2.8), Ok(0.1), Err(5.0)], true, "throughput back 2.8 s after, p99 not within the 5.0 s recorded.");
    check([Ok(2.8), Ok(0.1), Err(3.0)], true, "throughput back 2.8 s after, p99 not within the first 3.0 s.");
    check([Ok(0.01), Err(5.0), Err(5.0)], true, "throughput back at once, p50 and p99 not within the 5.0 s recorded.");
    check([Ok(0.4), Ok(0.8), Ok(1.2)], true, "throughput back 0.4 s after, p99 1.2 s after.");
    check([Ok(0.0), Ok(0.0), Ok(1.2)], false, "throughput never dipped, p99 1.2 s after.");
    check([Ok(0.0), Ok(0.0), Ok(0.0)], false, "throughput never dipped, latency back at once.");
    check([Err(5.0), Ok(0.0), Ok(0.0)], true, "not back to normal within the 5.0 s recorded.");
}

#[test]
fn of_repeats_that_did_not_all_come_back_the_number_is_said() {
    let mut recovery = recoveries(SLOW.label, [Ok(2.82), Ok(0.1), Err(3.0)], true);
    for (name, values) in [("recovery", (3, 2, 0.01, 2.82)), ("response_p99_recovery", (3, 1, 1.0, 1.0))] {
        let (runs, seen, least_s, most_s): (u64, u64, f64, f64) = values;
        recovery.with_column(Column::new(format!("{name}_runs").into(), [runs])).expect("a column");
        recovery.with_column(Column::new(format!("{name}_seen").into(), [seen])).expect("a column");
        recovery.with_column(Column::new(format!("{name}_least_s").into(), [least_s])).expect("a column");
        recovery.with_column(Column::new(format!("{name}_seen_most_s").into(), [most_s])).expect("a column");
    }
    let story = story("1", SLOW.label, Some("delay 20ms"));
    let (found, frame) = verdict_of(SLOW, &recovery, &causes(Some("normal")), story);
    let expected = "; throughput back in 2 of 3 runs, after 0.01 to 2.82 s, p99 in 1 of 3 runs, 1.0 s after.";
    assert!(found.ends_with(expected), "{found}");
    let count = |name: &str| frame.column(name).expect("it").u64().expect("counts").get(0);
    assert_eq!((count("recovered"), count("recovery_runs")), (Some(2), Some(3)));
    assert_eq!((count("response_p99_recovered"), count("response_p99_recovery_runs")), (Some(1), Some(3)));
}

#[test]
fn without_a_noise_floor_only_a_clear_interval_tells() {
    let effect = |p99: (Option<f64>, Option<(f64, f64)>, Option<bool>), not_ok: f64| {
        let planted = Planted { p99, throughput: (Some(1.001), None, None), not_ok, ..SLOW };
        let story = story("1", SLOW.label, Some("null fault"));
        let frame = verdict_of(planted, &DataFrame::empty(), &causes(None), story).1;
        frame.column("has_effect").expect("it").bool().expect("flags").get(0)
    };
    // What the reviewer had of a single null fault.
    assert_eq!(effect((Some(0.54), Some((0.32, 1.92)), None), 0.0), None);
    assert_eq!(effect((Some(6.0), None, None), 0.0), None);
    assert_eq!(effect((Some(1.007), Some((1.005, 1.009)), None), 0.0), None, "less than any noise floor");
    assert_eq!(effect((Some(6.0), Some((4.8, 7.1)), None), 0.0), Some(true));
    assert_eq!(effect((Some(0.5), Some((0.4, 0.6)), None), 0.0), Some(true));
    assert_eq!(effect((Some(1.1), Some((1.05, 1.2)), Some(true)), 0.0), Some(false), "the floor is asked first");
    // Two of a thousand against none: one case in four. Eight: one in 256.
    assert_eq!(effect((Some(1.0), None, Some(true)), 0.002), Some(false));
    assert_eq!(effect((Some(1.0), None, Some(true)), 0.008), Some(true));
}

#[test]
fn what_chance_may_have_lost_is_said_to_be_that() {
    let quiet = Planted {
        p99: (Some(1.0), None, Some(true)),
        throughput: (Some(1.0), None, Some(true)),
        ok: 998,
        not_ok: 0.002,
        ..SLOW
    };
    check(
        quiet,
        Ok(0.0),
        "during: put p99 x1.00 (within the noise floor), throughput unchanged, 0.2 % of operations not acknowledged (no more \
         than by chance); clients on the slow member; no election; fsync normal; back to normal at once.",
    );
}

#[test]
fn a_sweep_names_what_matters() {
    let quiet = Planted {
        label: "null_mid",
        p99: (Some(1.0), None, Some(true)),
        throughput: (Some(1.0), None, Some(true)),
        significant: Some(false),
        ..SLOW
    };
    let small = Planted { label: "delay5_mid", ..quiet };
    let stories = [
        story("1", "delay20_mid", Some("delay 20ms")),
        story("1", "delay5_mid", Some("delay 20ms")),
        Story {
            factors: Factors { role: Role::Control, ..story("1", "null_mid", Some("delay 20ms")).factors },
            ..story("1", "", None)
        },
    ];
    let (recovery, causes) = (recovery("delay20_mid", Err(5.0), true), causes(Some("normal")));
    let of_labels = |delta: &DataFrame, stories: &[Story]| {
        by_label(&Tables { delta, recovery: &recovery, causes: &causes }, stories).expect("a table")
    };
    let sentence = |delta: &DataFrame, companions: &[&Factors]| {
        let frame = by_sweep(&of_labels(delta, &stories), companions).expect("a table");
        assert_eq!(frame.height(), 1);
        frame.column("sentence").expect("it").str().expect("text").get(0).expect("a sentence").to_owned()
    };
    assert_eq!(
        sentence(&delta(&[SLOW, small, quiet]), &[]),
        "1 of 2 labels beyond the noise floor, 1 significant; delay5_mid within the noise floor; throughput changed in \
         delay20_mid; worst significant delay20_mid (of one run: put p99 x6.00 [4.80, 7.10], throughput -41 % [-50, -30]); the \
         control stayed quiet; no baseline among them; no election; not always back to normal after delay20_mid."
    );
    let loud = Planted { label: "null_mid", ..SLOW };
    assert!(
        sentence(&delta(&[SLOW, small, loud]), &[])
            .contains("but an effect in the control null_mid, which must show none")
    );
    // What lost everything is worse than any ratio, which it does not have.
    let dead = Planted {
        label: "delay5_mid",
        p99: (None, None, None),
        throughput: (None, None, None),
        ok: 0,
        not_ok: 1.0,
        ..SLOW
    };
    let found = sentence(&delta(&[SLOW, dead, quiet]), &[]);
    assert!(found.contains("worst delay5_mid (no put was acknowledged)"), "{found}");
    // Nothing tells what this control may show.
    let alone = Planted { p99: (Some(0.54), Some((0.32, 1.92)), None), throughput: (Some(1.0), None, None), ..quiet };
    let found = sentence(&delta(&[SLOW, small, alone]), &[]);
    assert!(found.contains("whether the control stayed quiet cannot be told without a noise floor"), "{found}");
    // Runs that a pattern hid.
    let hidden = |role: Role, label: &str| Factors { role, ..story("", label, None).factors };
    let (baseline, control) = (hidden(Role::Baseline, "baseline"), hidden(Role::Control, "null_mid"));
    let found = sentence(&delta(&[SLOW, small, quiet]), &[&baseline]);
    assert!(!found.contains("no baseline"), "{found}");
    let selected = of_labels(&delta(&[SLOW, small]), &stories[..2]);
    let found = by_sweep(&selected, &[&baseline, &control]).expect("a table");
    let found = found.column("sentence").expect("it").str().expect("text").get(0).expect("a sentence").to_owned();
    assert!(found.contains("; controls are not among the selected; ") && !found.contains("no baseline"), "{found}");
    assert_eq!(by_sweep(&DataFrame::empty(), &[]).expect("a table").height(), 0);
}
