//! Two planted sets of runs against each other.

use analyze::tables::compare::sets::{self, Compared, Matched, Set};
use analyze::tables::compare::{METRICS, overall};
use analyze::tables::delta::Measured;
use analyze::tables::factors::Factors;
use analyze::tables::{Facts, summary};
use polars::prelude::*;
use run_folder::manifest::Role;

use super::{Row, facts, operations};

/// A run whose response time goes from 100 ms to `during_ms` and back (of 0 nothing is acknowledged), as one of `repeats` that differ by a few percent.
fn run(label: &str, repeat: usize, during_ms: i64, leader_changes: usize) -> Measured {
    let spread = [0, 3, -3, 1][repeat % 4];
    let ms = [100, during_ms + during_ms * spread / 100, 100];
    let row = |at: i64| match ms[at as usize / 50] {
        0 => ("put", at * 20, Some(at * 20), at * 20 + 5000, "unknown", 0),
        ms => ("put", at * 20, Some(at * 20), at * 20 + ms, "ok", 0),
    };
    let rows: Vec<Row> = (0..150).map(row).collect();
    let name = format!("{repeat}_{label}");
    let facts = Facts { run: name.clone(), label: label.to_owned(), ..facts(true) };
    let digits: String = label.chars().filter(char::is_ascii_digit).collect();
    let factors = Factors {
        label: label.to_owned(),
        family: label.replace(&digits, "#"),
        fault: Some("delay".to_owned()),
        value: digits.parse().ok(),
        role: Role::Experiment,
        sweep: None,
        repeat: None,
        cohort: "a".to_owned(),
        condition: label.to_owned(),
    };
    let summary = summary::table(&operations(&rows), &facts).expect("a summary");
    Measured { run: name, factors, leader_changes, is_shown: true, summary, within: DataFrame::empty() }
}

fn set(name: &str, labels: &[(&str, i64)], repeats: usize) -> Set {
    let measured = labels.iter().flat_map(|&(label, ms)| (0..repeats).map(move |at| run(label, at, ms, 0))).collect();
    Set { name: name.to_owned(), measured }
}

fn compare(a: &Set, b: &Set) -> Compared {
    sets::table(a, b, &METRICS, 1.25).expect("a table")
}

/// The verdicts on the median under the fault, by label.
fn verdicts(compared: &Compared) -> Vec<String> {
    let text = |name: &str, row: usize| {
        compared.frame.column(name).expect(name).str().expect("text").get(row).unwrap_or("-").to_owned()
    };
    let is_it = |row: &usize| text("metric", *row) == "response_p50_ms" && text("compared", *row) == "during/before";
    let rows = (0..compared.frame.height()).filter(is_it);
    rows.map(|row| format!("{} {} {}", text("label_a", row), text("interval", row), text("verdict", row))).collect()
}

fn number(compared: &Compared, name: &str, row: usize) -> Option<f64> {
    compared.frame.column(name).expect(name).f64().expect("numbers").get(row)
}

#[test]
fn equal_sets_agree_and_a_label_that_differs_is_found() {
    let labels = [("delay10_mid", 200), ("delay20_mid", 400)];
    let compared = compare(&set("a", &labels, 4), &set("b", &labels, 4));
    assert_eq!(verdicts(&compared), ["delay10_mid between-run agree", "delay20_mid between-run agree"]);
    assert!(overall(&compared.frame).expect("words").starts_with("agree: all 12 effects"), "{:?}", compared.frame);

    let other = [("delay10_mid", 200), ("delay20_mid", 700), ("delay50_mid", 900)];
    let compared = compare(&set("a", &labels, 4), &set("b", &other, 4));
    assert_eq!(verdicts(&compared), ["delay10_mid between-run agree", "delay20_mid between-run differ"]);
    assert_eq!(
        (compared.matched, compared.only_b.as_slice()),
        (Matched::ByLabel, ["delay50_mid".to_owned()].as_slice())
    );
    let words = overall(&compared.frame).expect("words");
    assert!(
        words.starts_with(
            "differ: 2 of 12 effects of B against A: delay20_mid response_p50_ms during/before 1.75 times"
        ),
        "{words}"
    );
    let labels = compared.frame.column("label_a").expect("it").str().expect("text");
    let row = (0..compared.frame.height()).find(|&row| labels.get(row) == Some("delay20_mid")).expect("a row") + 1;
    let cell = |name: &str| number(&compared, name, row).expect(name);
    assert!(cell("effect_a_low") < cell("effect_a") && cell("effect_a") < cell("effect_a_high"));
    // Welch's interval of equal spreads with four runs each: 2.447 standard errors of the difference, six degrees of freedom.
    let logs = [0.0, 0.03_f64.ln_1p(), (-0.03_f64).ln_1p(), 0.01_f64.ln_1p()];
    let mean = logs.iter().sum::<f64>() / 4.0;
    let error = (2.0 * logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / 3.0 / 4.0).sqrt();
    assert!((cell("ratio_high").ln() - cell("ratio").ln() - 2.446_9 * error).abs() < 2e-3, "{:?}", compared.frame);
    assert!((cell("difference") - (cell("effect_b") - cell("effect_a"))).abs() < 1e-9);
    assert!(cell("difference_low") < cell("difference") && cell("difference") < cell("difference_high"));
}

#[test]
fn shares_are_compared_by_differences() {
    // Of the 50 operations under the fault, each fourth is lost in B; the lost ones change with the repeat.
    let lossy = |repeat: usize| {
        let row = |at: i64| match (50..100).contains(&at) && at % 4 == repeat as i64 {
            true => ("put", at * 20, Some(at * 20), at * 20 + 5000, "unknown", 0),
            false => ("put", at * 20, Some(at * 20), at * 20 + 2, "ok", 0),
        };
        let rows: Vec<Row> = (0..150).map(row).collect();
        let whole = run("delay10_mid", repeat, 100, 0);
        let facts = Facts { run: whole.run.clone(), label: "delay10_mid".to_owned(), ..facts(true) };
        Measured { summary: summary::table(&operations(&rows), &facts).expect("a summary"), ..whole }
    };
    let set_of = |name: &str, measured: Vec<Measured>| Set { name: name.to_owned(), measured };
    let (whole, lossy) = (set("a", &[("delay10_mid", 100)], 4), set_of("b", (0..4).map(lossy).collect()));
    let shares = |a: &Set, b: &Set| {
        let compared = sets::table(a, b, &["not_ok_share"], 1.25).expect("a table");
        let verdict = compared.frame.column("verdict").expect("it").str().expect("text").get(0).map(str::to_owned);
        (compared, verdict.unwrap_or_default())
    };
    let (compared, verdict) = shares(&whole, &lossy);
    assert_eq!(verdict, "differ");
    let difference = number(&compared, "difference", 0).expect("a difference");
    let (low, high) = (number(&compared, "difference_low", 0), number(&compared, "difference_high", 0));
    assert!((difference - 0.25).abs() < 0.011 && low < Some(0.25) && high > Some(0.25), "{:?}", compared.frame);
    assert_eq!((number(&compared, "ratio", 0), number(&compared, "margin", 0)), (None, Some(0.01)));
    let words = overall(&compared.frame).expect("words");
    assert!(words.contains("delay10_mid not_ok_share during/before +25 points ("), "{words}");
    assert!(words.contains("; margin 1)"), "{words}");

    let (compared, verdict) = shares(&whole, &whole);
    assert_eq!((verdict.as_str(), number(&compared, "difference", 0)), ("agree", Some(0.0)));
}

#[test]
fn labels_are_matched_by_value_or_alone_where_no_name_is_common() {
    let a = set("a", &[("delay10_mid", 200), ("delay20_mid", 400)], 3);
    let b = set("b", &[("slow10_mid", 200), ("slow20_mid", 400), ("slow50_mid", 800)], 3);
    let compared = compare(&a, &b);
    assert_eq!((compared.matched, verdicts(&compared).len()), (Matched::ByValue, 2));
    assert_eq!(sets::notes(&compared).len(), 2, "{:?}", sets::notes(&compared));
    let compared = compare(&set("a", &[("delay10_mid", 200)], 3), &set("b", &[("loss5_mid", 200)], 3));
    assert_eq!((compared.matched, verdicts(&compared).len()), (Matched::One, 1));
    let compared = compare(&a, &set("b", &[("loss5_mid", 200), ("rate3_mid", 100)], 3));
    assert_eq!(compared.frame.height(), 0, "several families have nothing in common");
}

#[test]
fn runs_in_which_the_leader_changed_are_compared_with_such_only() {
    let (mut a, b) = (set("a", &[("delay10_mid", 200)], 3), set("b", &[("delay10_mid", 200)], 3));
    a.measured.push(run("delay10_mid", 7, 900, 1));
    let unmatched = compare(&a, &b);
    assert_eq!(unmatched.only_a, ["delay10_mid (runs in which the leader changed)"]);
    assert!(unmatched.only_b.is_empty() && sets::notes(&unmatched).len() == 1, "{:?}", sets::notes(&unmatched));
    let compared = compare(&a, &b);
    assert_eq!(verdicts(&compared), ["delay10_mid between-run agree"]);
    let runs = compared.frame.column("runs_a").expect("it").u64().expect("counts").get(0);
    assert_eq!(runs, Some(3));
}

#[test]
fn runs_that_acknowledged_nothing_are_told() {
    let label = [("delay10_mid", 200)];
    let (whole, lost) = (set("a", &label, 3), set("b", &[("delay10_mid", 0)], 3));
    let mut partly = set("b", &label, 2);
    partly.measured.push(run("delay10_mid", 2, 0, 0));
    // Verdicts on throughput and the median under the fault; of all B's runs that acknowledged nothing.
    let told = |a: &Set, b: &Set| {
        let compared = compare(a, b);
        let text = |name: &str, row: usize| {
            compared.frame.column(name).expect(name).str().expect("text").get(row).unwrap_or("-").to_owned()
        };
        let part = |row: &usize| text("compared", *row) == "during/before" && text("metric", *row) != "response_p99_ms";
        let rows: Vec<usize> = (0..compared.frame.height()).filter(part).collect();
        let told =
            rows.iter().map(|&row| format!("{} {}", text("metric", row), text("verdict", row))).collect::<Vec<_>>();
        let lost = compared.frame.column("lost_b").expect("it").u64().expect("counts").get(rows[0]);
        (told, lost, overall(&compared.frame).expect("words"), number(&compared, "ratio", rows[0]))
    };
    let (rows, lost_b, words, ratio) = told(&whole, &lost);
    assert_eq!(rows, ["ops_per_s differ", "response_p50_ms cannot tell"]);
    assert_eq!((lost_b, ratio), (Some(3), Some(0.0)));
    assert!(words.starts_with("differ: 1 of 6") && words.contains("3 of 3 runs of B acknowledged nothing"), "{words}");
    assert!(words.ends_with("; of 3, runs acknowledged nothing"), "{words}");

    let (rows, lost_b, words, ratio) = told(&whole, &partly);
    assert_eq!(rows, ["ops_per_s cannot tell", "response_p50_ms cannot tell"]);
    assert_eq!((lost_b, ratio), (Some(1), None));
    assert!(words.starts_with("cannot tell: 3 of 6"), "{words}");

    let (rows, ..) = told(&lost, &lost);
    assert_eq!(rows, ["ops_per_s agree"], "nothing is nothing, and has no times");
}

#[test]
fn runs_of_other_conditions_are_no_repeats() {
    // As two sweeps in one folder, the second at another target with another effect.
    let of_sweep = |sweep: &str, target: &str, ms: i64| {
        let mut set = set(sweep, &[("delay10_mid", ms)], 3);
        for run in &mut set.measured {
            run.factors.sweep = Some(sweep.to_owned());
            run.run = format!("{sweep}_{}", run.run);
            run.factors.condition = format!(r#"[["{sweep}","load"],"delay10_mid","{target}"]"#);
        }
        set
    };
    let both = |ms: i64| {
        let mut both = of_sweep("first", "leader", 200);
        both.measured.extend(of_sweep("second", "follower", ms).measured);
        both
    };
    let compared = compare(&both(400), &both(800));
    assert_eq!(verdicts(&compared), ["delay10_mid between-run agree", "delay10_mid between-run differ"]);
    let runs = compared.frame.column("runs_a").expect("it").u64().expect("counts");
    assert!(runs.iter().all(|runs| runs == Some(3)), "{:?}", compared.frame);
    let names = sets::names(&compared.frame).expect("names");
    assert!(names[0] == "delay10_mid (first)" && names.last().is_some_and(|name| name == "delay10_mid (second)"));
    // Another sweep with the same conditions, and one with others that nothing else could be meant by.
    let compared = compare(&of_sweep("first", "leader", 200), &of_sweep("third", "leader", 200));
    assert_eq!(verdicts(&compared), ["delay10_mid between-run agree"]);
    let compared = compare(&of_sweep("first", "leader", 200), &of_sweep("third", "etcd2", 200));
    assert_eq!(verdicts(&compared), ["delay10_mid between-run agree"]);
}

#[test]
fn a_noise_floor_makes_nothing_agree() {
    // Null faults whose halves differ by a factor of four.
    let with_floor = |ms: i64| {
        let mut set = set("set", &[("delay10_mid", ms)], 3);
        let mut null = run("null0_mid", 0, 400, 0);
        null.factors =
            Factors { fault: Some("null fault".to_owned()), value: None, role: Role::Control, ..null.factors };
        set.measured.push(Measured { is_shown: false, ..null });
        set
    };
    let because = |compared: &Compared| {
        let because = compared.frame.column("because").expect("it").str().expect("text");
        because.iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    let compared = compare(&with_floor(200), &with_floor(400));
    assert_eq!(verdicts(&compared), ["delay10_mid between-run cannot tell"]);
    assert!(because(&compared).iter().all(|why| why == "within the noise floor"), "{:?}", because(&compared));
    assert!(number(&compared, "noise", 1) > Some(3.9) && number(&compared, "margin", 1) == Some(1.25));
    // What is within the margin agrees, floor or not; what is far outside of both differs.
    assert_eq!(verdicts(&compare(&with_floor(200), &with_floor(200))), ["delay10_mid between-run agree"]);
    assert_eq!(verdicts(&compare(&with_floor(100), &with_floor(900))), ["delay10_mid between-run differ"]);
}
