//! Simulated experiments whose truth is known: how often intervals contain it, and how often nothing is called something.

use analyze::phases::Phases;
use analyze::tables::delta::{self, METRICS, Measured};
use analyze::tables::factors::Factors;
use analyze::tables::{Facts, summary};
use polars::prelude::*;
use run_folder::FaultEvent;
use run_folder::manifest::Role;

use super::{MS, S, facts};

const EXPERIMENTS: usize = 400;
/// The metrics that are looked at, with what the fault does to each.
const TRUTH: [(&str, f64); 3] = [("ops_per_s", 0.6), ("response_p50_ms", 6.0), ("response_p99_ms", 4.0)];

/// SplitMix64, and Box and Muller's normal numbers.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self, deviation: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        deviation * radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A run of an experiment; runs of one experiment are compared with each other alone.
fn measured(experiment: usize, run: usize, label: &str, summary: DataFrame, within: DataFrame) -> Measured {
    let cohort = format!("{experiment:04}");
    let is_baseline = label == "baseline";
    Measured {
        run: format!("{cohort}_{run:02}_{label}"),
        factors: Factors {
            label: label.to_owned(),
            family: label.to_owned(),
            fault: (!is_baseline).then(|| "delay 20ms".to_owned()),
            value: None,
            role: if is_baseline { Role::Baseline } else { Role::Experiment },
            sweep: Some(cohort.clone()),
            repeat: None,
            condition: format!("{cohort} {label}"),
            cohort,
        },
        leader_changes: 0,
        is_shown: !is_baseline,
        summary,
        within,
    }
}

/// A summary with these numbers of [`TRUTH`]'s metrics in each phase, and something in all others.
fn planted(phases: &[(&str, [f64; TRUTH.len()])]) -> DataFrame {
    let mut columns = vec![
        Column::new("kind".into(), vec!["put"; phases.len()]),
        Column::new("phase".into(), phases.iter().map(|phase| phase.0).collect::<Vec<_>>()),
        Column::new("count".into(), vec![1000_u64; phases.len()]),
        Column::new("ok".into(), vec![1000_u64; phases.len()]),
    ];
    for metric in METRICS.into_iter().filter(|metric| *metric != "not_ok_share") {
        let at = TRUTH.iter().position(|(known, _)| *known == metric);
        let values = phases.iter().map(|phase| at.map_or(1.0, |at| phase.1[at]));
        columns.push(Column::new(metric.into(), values.collect::<Vec<f64>>()));
    }
    DataFrame::new(phases.len(), columns).expect("a summary")
}

fn numbers(table: &DataFrame, name: &str) -> Vec<f64> {
    table.column(name).expect(name).f64().expect("numbers").iter().map(|value| value.expect("a value")).collect()
}

/// The share of rows whose interval of a metric's ratio contains a number.
fn share(table: &DataFrame, metric: &str, number: f64) -> f64 {
    let (low, high) = (format!("{metric}_ratio_low"), format!("{metric}_ratio_high"));
    let (low, high) = (numbers(table, &low), numbers(table, &high));
    let contained = low.iter().zip(&high).filter(|(low, high)| (**low..=**high).contains(&number)).count();
    contained as f64 / low.len() as f64
}

fn check_coverage(table: &DataFrame, what: &str, truth: [(&str, f64); 3], expected: std::ops::RangeInclusive<f64>) {
    for (metric, ratio) in truth {
        let found = share(table, metric, ratio);
        assert!(expected.contains(&found), "{what}: {metric}: {:.1} % of the intervals", found * 100.0);
    }
}

/// Runs differ in their level by a third, and each of their phases by an eighth.
fn phase(level: f64, random: &mut Random, effect: impl Fn(usize) -> f64) -> [f64; TRUTH.len()] {
    std::array::from_fn(|metric| 100.0 * level * effect(metric) * random.normal(0.12).exp())
}

#[test]
fn intervals_of_repeats_contain_the_truth_as_often_as_they_say_and_nothing_is_rarely_called_something() {
    let mut random = Random(1);
    for repeats in [3, 5, 20] {
        let mut of = |effect: fn(usize) -> f64| {
            let mut runs = Vec::new();
            for experiment in 0..EXPERIMENTS {
                for run in 0..repeats {
                    let level = random.normal(0.3).exp();
                    let phases =
                        [("before", phase(level, &mut random, |_| 1.0)), ("during", phase(level, &mut random, effect))];
                    runs.push(measured(experiment, run, "delay_mid", planted(&phases), DataFrame::empty()));
                }
            }
            delta::by_label(&runs).expect("a table")
        };
        let table = of(|metric| TRUTH[metric].1);
        assert_eq!(table.height(), EXPERIMENTS);
        check_coverage(&table, &format!("{repeats} repeats"), TRUTH, 0.92..=0.98);

        let same = of(|_| 1.0);
        for (metric, _) in TRUTH {
            let p = numbers(&same, &format!("{metric}_p"));
            let called = p.iter().filter(|p| **p < 0.05).count();
            assert!(called <= EXPERIMENTS * 8 / 100, "{repeats} repeats of nothing: {metric} {called} times");
            // The interval and the test say the same.
            let outside = (1.0 - share(&same, metric, 1.0)) * EXPERIMENTS as f64;
            assert_eq!(outside.round() as usize, called, "{metric}");
            // One row a sweep is one test, which Holm leaves as it is; there are no baselines, and so no floor.
            let significant = same.column(&format!("{metric}_significant")).expect("it").bool().expect("yes or no");
            assert_eq!(significant.sum(), Some(called as u32), "{metric}");
        }
    }
}

#[test]
fn intervals_against_baselines_contain_the_truth_as_often_as_they_say() {
    let mut random = Random(2);
    for (repeats, baselines) in [(3, 4), (5, 5), (20, 6)] {
        let mut of = |effect: fn(usize) -> f64| {
            let mut runs = Vec::new();
            for experiment in 0..EXPERIMENTS {
                for run in 0..repeats + baselines {
                    // Under the fault runs vary more from one to the next.
                    let is_baseline = run >= repeats;
                    let level = random.normal(if is_baseline { 0.15 } else { 0.3 }).exp();
                    let (label, name) = if is_baseline { ("baseline", "all") } else { ("delay_full", "during") };
                    let numbers = phase(level, &mut random, |metric| if is_baseline { 1.0 } else { effect(metric) });
                    runs.push(measured(experiment, run, label, planted(&[(name, numbers)]), DataFrame::empty()));
                }
            }
            delta::by_label(&runs).expect("a table")
        };
        let table = of(|metric| TRUTH[metric].1);
        assert_eq!(table.height(), EXPERIMENTS);
        check_coverage(&table, &format!("{repeats} against {baselines}"), TRUTH, 0.92..=0.98);
        let same = of(|_| 1.0);
        for (metric, _) in TRUTH {
            let called = numbers(&same, &format!("{metric}_p")).iter().filter(|p| **p < 0.05).count();
            assert!(called <= EXPERIMENTS * 8 / 100, "{repeats} against {baselines}: {metric} {called} times");
            // What the baselines differ by among themselves keeps most of these from being called significant.
            let significant = same.column(&format!("{metric}_significant")).expect("it").bool().expect("yes or no");
            assert!(significant.sum() < Some(called as u32), "{metric}: {significant:?} of {called}");
        }
    }
}

/// What the fault multiplies service times by.
const SLOWER: f64 = 3.0;
/// The fault lasts from here to the end.
const FROM: i64 = S;
const END: i64 = 4 * S;

/// The rows of a run of four workers in a closed loop, whose service times are log-normal, slower from [`FROM`] on.
fn closed_loop(random: &mut Random) -> DataFrame {
    let level = random.normal(0.3).exp();
    let levels = [level * random.normal(0.1).exp(), level * SLOWER * random.normal(0.1).exp()];
    let mut rows: Vec<(i64, i64)> = Vec::new();
    for _ in 0..4 {
        let mut at = -(random.uniform() * 20.0 * MS as f64) as i64;
        while at < END {
            let took = 20.0 * MS as f64 * levels[usize::from(at >= FROM)] * random.normal(0.4).exp();
            rows.push((at, at + took as i64));
            at += took as i64;
        }
    }
    df!(
        "kind" => vec!["put"; rows.len()],
        "intended_ns" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "start_ns" => rows.iter().map(|row| Some(row.0)).collect::<Vec<_>>(),
        "end_ns" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "outcome" => vec!["ok"; rows.len()],
    )
    .expect("a frame")
}

#[test]
fn the_truth_is_found_from_the_operations_too() {
    let mut random = Random(3);
    let fault = FaultEvent { asked_ns: FROM, applied_ns: Some(FROM), ..FaultEvent::default() };
    let facts = Facts { phases: Phases::derive(&[fault], 20, END), ..facts(true) };
    for (repeats, experiments) in [(3, 400), (5, 150), (20, 40)] {
        let mut runs = Vec::new();
        for experiment in 0..experiments {
            for run in 0..repeats {
                let summary = summary::table(&closed_loop(&mut random), &facts).expect("a summary");
                runs.push(measured(experiment, run, "delay_mid", summary, DataFrame::empty()));
            }
        }
        let table = delta::by_label(&runs).expect("a table");
        assert_eq!(table.height(), experiments);
        let truth = [("ops_per_s", 1.0 / SLOWER), ("response_p50_ms", SLOWER), ("response_p99_ms", SLOWER)];
        // Of 40 experiments the share is known to a tenth.
        let expected = if experiments == 400 { 0.92..=0.98 } else { 0.87..=1.0 };
        check_coverage(&table, &format!("{repeats} repeats, from operations"), truth, expected);
    }
}

#[test]
fn one_run_tells_of_itself_only() {
    let mut random = Random(4);
    let fault = FaultEvent {
        asked_ns: 15 * S,
        asked_clear_ns: Some(30 * S),
        applied_ns: Some(15 * S),
        cleared_ns: Some(30 * S),
        ..FaultEvent::default()
    };
    let facts = Facts { phases: Phases::derive(&[fault], 0, 45 * S), ..facts(true) };
    const RUNS: usize = 40;
    // Seconds share their fate; a put is due every 20 ms.
    let runs: Vec<Measured> = (0..RUNS)
        .map(|run| {
            let fates: Vec<f64> = (0..46).map(|_| random.normal(0.2)).collect();
            let ends: Vec<i64> = (0..2250_i64)
                .map(|at| {
                    let slower = if (750..1500).contains(&at) { SLOWER } else { 1.0 };
                    let ms = 2.0 * slower * (fates[at as usize / 50] + random.normal(0.3)).exp();
                    at * 20 * MS + (ms * MS as f64) as i64
                })
                .collect();
            let rows = df!(
                "kind" => vec!["put"; ends.len()],
                "intended_ns" => (0..2250_i64).map(|at| at * 20 * MS).collect::<Vec<_>>(),
                "start_ns" => (0..2250_i64).map(|at| Some(at * 20 * MS)).collect::<Vec<_>>(),
                "end_ns" => ends,
                "outcome" => vec!["ok"; 2250],
            )
            .expect("a frame");
            let summary = summary::table(&rows, &facts).expect("a summary");
            measured(run, 0, "delay_mid", summary, delta::within(&rows, &facts, false).expect("intervals"))
        })
        .collect();
    for table in [delta::by_run(&runs).expect("a table"), delta::by_label(&runs).expect("a table")] {
        let is_during: BooleanChunked = table
            .column("compared")
            .expect("it")
            .str()
            .expect("text")
            .iter()
            .map(|of| Some(of == Some("during/before")))
            .collect();
        let table = table.filter(&is_during).expect("rows");
        let kinds = table.column("interval").expect("it").str().expect("text");
        assert!(kinds.iter().all(|kind| kind == Some("within-run")));
        // Fifteen blocks of a second: such intervals are a little short.
        let found = share(&table, "response_p50_ms", SLOWER);
        assert!((0.85..1.0).contains(&found), "{found}");
        for metric in ["response_mean_ms", "response_p50_ms", "service_p99_9_ms"] {
            let column = |suffix: &str| table.column(&format!("{metric}_{suffix}")).expect("it").clone();
            assert_eq!(column("p").null_count(), RUNS, "there is no test");
            assert_eq!(column("significant").bool().expect("yes or no").sum(), Some(0), "and nothing significant");
            let ratio = numbers(&table, &format!("{metric}_ratio"));
            let (low, high) = (format!("{metric}_ratio_low"), format!("{metric}_ratio_high"));
            let (low, high) = (numbers(&table, &low), numbers(&table, &high));
            assert!((0..RUNS).all(|row| low[row] <= ratio[row] * 1.001 && ratio[row] <= high[row] * 1.001), "{metric}");
        }
    }
}
