//! Kernel netem, proven in a virtual machine whose kernel has it: the real recorder, beside the queue shaper.
//!
//! The machine is booted once for all tests here; `GRID=full` records the whole grid instead of the fewest runs in which
//! each two factors meet.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use end_to_end::grid::{self, Case, DELAY_MS, LOSS_PERCENT};
use end_to_end::recorded::Recorded;
use end_to_end::{Finished, binaries, engine, one_at_a_time, run, skip, vm};
use run_folder::{FaultEvent, RunFolder, Status};

const MECHANISMS: [&str; 2] = ["netem", "queue"];
/// Recorders that are killed in the middle of a fault, by the cluster.
const KILLED: [(&str, &str); 2] = [("killed_sandbox", "sandbox"), ("killed_docker", "docker")];
/// Other faults, recorded with netem alone, in the sandbox: their names, what they are, and what must stand in their commands.
const OTHERS: [(&str, &str, &[&str]); 4] = [
    (
        "jitter_both_peers",
        "delay --value 40ms --jitter 8ms --distribution normal --direction both --scope peers",
        &[
            "delay 40000us 8000us distribution normal",
            "sport 2380",
            "redirect dev laggard-in",
            "link add laggard-in type ifb",
        ],
    ),
    // Somewhat more than fits through: what a follower is sent by its leader and its clients.
    (
        "rate_ingress",
        "rate --value 800kbit --direction ingress --rate 24 --value-size 4096",
        &["rate 800000bit", "redirect dev laggard-in"],
    ),
    ("null_all", "null", &["pfifo"]),
    ("pass_all", "pass", &["netem limit 1000000"]),
];
/// How long a fault may outlive its recorder.
const HEALED_S_MAX: f64 = 3.0;
/// What connecting takes varies in an emulated machine; the recorder's own judgement is sharper where it can be.
const PROBE_SHARE_MIN: f64 = 0.9;

fn killed(docker: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    KILLED.into_iter().filter(move |(_, cluster)| docker || *cluster != "docker")
}

/// What came out of the machine.
struct Outcome {
    cases: Vec<Case>,
    /// Whether there were containers in it, for which images are built by an engine outside of it.
    docker: bool,
    /// What was seen in it, by name and kind.
    seen: HashMap<(String, String), String>,
    /// The results folder, as the recorder made it.
    results: PathBuf,
}

impl Outcome {
    fn seen(&self, name: &str, what: &str) -> &str {
        let found = self.seen.get(&(name.to_owned(), what.to_owned()));
        found.unwrap_or_else(|| panic!("the machine does not say {what} of {name}; it says {:?}", self.seen))
    }

    fn number(&self, name: &str, what: &str) -> f64 {
        let text = self.seen(name, what);
        text.parse().unwrap_or_else(|_| panic!("{what} of {name} is {text:?}"))
    }

    fn recorded(&self, label: &str) -> Recorded {
        let folders = RunFolder::list(&self.results).expect("the results folder can be read");
        let mut found = folders.into_iter().filter(|folder| folder.label().as_str() == label);
        let folder = found.next().unwrap_or_else(|| panic!("no run {label} came out:\n{}", self.log(label)));
        assert_eq!(found.next(), None, "more than one run {label}");
        Recorded::of(folder)
    }

    /// The only fault of a run, which must be finished and confirmed.
    fn fault(&self, case: Case, mechanism: &str) -> FaultEvent {
        let label = case.label(mechanism);
        let mut recorded = self.recorded(&label);
        assert_eq!(recorded.faults.len(), 1, "{label}");
        recorded.faults.remove(0)
    }

    fn log(&self, name: &str) -> String {
        let log = self.results.parent().expect("it lies in a folder").join("logs").join(format!("{name}.log"));
        std::fs::read_to_string(&log).unwrap_or_else(|error| format!("{}: {error}", log.display()))
    }

    fn each(&self) -> impl Iterator<Item = (Case, &'static str)> + '_ {
        self.cases.iter().flat_map(|case| MECHANISMS.map(|mechanism| (*case, mechanism)))
    }
}

/// Runs the machine, once; `None` where there can be none.
fn outcome() -> Option<&'static Outcome> {
    static OUTCOME: OnceLock<Result<Outcome, String>> = OnceLock::new();
    if let Some(obstacle) = vm::obstacle() {
        skip(&obstacle);
        return None;
    }
    match OUTCOME.get_or_init(run_machine) {
        Ok(outcome) => Some(outcome),
        Err(problem) => panic!("{problem}"),
    }
}

fn run_machine() -> Result<Outcome, String> {
    let _one = one_at_a_time();
    let cases = match std::env::var("GRID").as_deref() {
        Err(_) | Ok("" | "pairwise") => grid::pairwise(),
        Ok("full") => grid::full(),
        Ok(other) => return Err(format!("GRID is pairwise or full, not {other}")),
    };
    let docker = engine::answers();
    let cases: Vec<Case> = cases.into_iter().filter(|case| docker || !case.docker).collect();
    let place = place();
    if place.exists() {
        std::fs::remove_dir_all(&place).expect("what an earlier test left can be removed");
    }
    std::fs::create_dir_all(&place).expect("a folder for results can be made");
    let plan = plan(&cases, docker);
    let runs = plan.lines().count();
    vm::tell(&format!("vm: {runs} runs in a virtual machine, about {} minutes", 1 + runs / 2));
    // A run takes some 20 s, and what hangs in there is ended in there.
    let ended = vm::run(&plan, docker, &place, Duration::from_secs(120 + 60 * runs as u64))?;
    vm::tell(&format!("vm: took {:.0} s; run folders are in {}", ended.took.as_secs_f64(), ended.results.display()));
    let lines =
        std::fs::read_to_string(ended.results.join("seen")).map_err(|error| format!("nothing seen: {error}"))?;
    let mut seen = HashMap::new();
    for line in lines.lines() {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        let key = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        seen.insert(key, parts.next().unwrap_or_default());
    }
    Ok(Outcome { cases, docker, seen, results: ended.results.join(run_folder::DEFAULT_RESULTS_DIR) })
}

/// Where it all stays until the next time, to be looked at.
fn place() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("netem")
}

/// What `tests/vm/inside` is to do. Both mechanisms follow each other, so that the machine's mood is the same for them,
/// and what is in the sandbox comes first.
fn plan(cases: &[Case], docker: bool) -> String {
    let mut plan = String::new();
    for (name, cluster) in killed(docker) {
        for case in cases.iter().filter(|case| case.cluster() == cluster) {
            for mechanism in MECHANISMS {
                writeln!(plan, "run {} {cluster} {}", case.label(mechanism), case.arguments(mechanism)).ok();
            }
        }
        if cluster == "sandbox" {
            for (label, fault, _) in OTHERS {
                let rate = if fault.contains("--rate") { "" } else { " --rate 20" };
                let options = "--target follower --at 2 --for 5 --duration 9 --warm-up 1 --mechanism netem";
                writeln!(plan, "run {label} sandbox --fault {fault}{rate} {options}").ok();
            }
        }
        // Which mechanism that is, the recorder finds out by itself.
        let fault = "--mechanism auto --fault delay --value 50ms --target follower --at 1 --for 60";
        writeln!(plan, "kill {name} {cluster} {fault} --warm-up 1 --duration 70 --rate 20").ok();
    }
    plan
}

#[test]
fn every_run_finishes_and_shows_its_fault() {
    let Some(outcome) = outcome() else { return };
    for (case, mechanism) in outcome.each() {
        let label = case.label(mechanism);
        assert_eq!(outcome.seen(&label, "code"), "0", "{label}:\n{}", outcome.log(&label));
        let recorded = outcome.recorded(&label);
        assert_eq!(recorded.manifest.status, Status::Finished, "{label}");
        recorded.assert_consistent();
        recorded.assert_older_files_agree();
        let fault = outcome.fault(case, mechanism);
        assert_eq!(fault.confirmed, Some(true), "{label}: {}", fault.evidence);
        assert_eq!(fault.mechanism, mechanism, "{label}");
        assert_eq!(fault.role, if case.leader { "leader" } else { "follower" }, "{label}");
        assert_eq!(recorded.manifest.cluster.backend, case.cluster(), "{label}");
    }
}

#[test]
fn netem_does_what_its_commands_say_and_its_counters_agree() {
    let Some(outcome) = outcome() else { return };
    for case in &outcome.cases {
        let fault = outcome.fault(*case, "netem");
        let label = case.label("netem");
        let command = fault.commands.lines().find(|line| line.contains("netem") && line.contains("limit"));
        let command = command.unwrap_or_else(|| panic!("{label}: no netem with a limit in:\n{}", fault.commands));
        assert!(command.contains("tc ") && command.contains(if case.loss { "loss" } else { "delay" }), "{command}");
        let matched = fault.packets_matched.expect("the qdisc counts");
        let dropped = fault.packets_dropped.expect("the qdisc counts drops");
        assert!(matched > 100, "{label}: {matched} packets");
        assert_eq!(fault.packets_overflowed, Some(0), "{label}: the qdisc's limit was reached");
        if case.loss {
            let (low, high) = (fault.loss_low_percent.expect("loss"), fault.loss_high_percent.expect("loss"));
            assert!((low..=high).contains(&achieved_loss(&fault)), "{label}: {low} to {high}");
            // The interval that the recorder judges by is wider than the one that it shows.
            let width = 1.6 * (high - low) / 2.0;
            assert!((achieved_loss(&fault) - LOSS_PERCENT).abs() <= width, "{label}: {dropped} of {matched}");
        } else {
            assert_eq!(dropped, 0, "{label}: a delay loses nothing");
            let achieved = achieved_delay_ms(&fault);
            assert!(achieved > PROBE_SHARE_MIN * DELAY_MS, "{label}: {achieved} ms of {DELAY_MS} ms");
        }
    }
}

#[test]
fn other_faults_are_placed_and_shown_too() {
    let Some(outcome) = outcome() else { return };
    for (label, asked, commands) in OTHERS {
        assert_eq!(outcome.seen(label, "code"), "0", "{label}:\n{}", outcome.log(label));
        let recorded = outcome.recorded(label);
        let [fault] = &recorded.faults[..] else { panic!("{label} has {} faults", recorded.faults.len()) };
        assert_eq!(fault.confirmed, Some(true), "{label}: {}", fault.evidence);
        assert_eq!((fault.mechanism.as_str(), asked.split(' ').next()), ("netem", Some(fault.kind.as_str())));
        for command in commands {
            assert!(fault.commands.contains(command), "{label}: no {command} in:\n{}", fault.commands);
        }
        assert_eq!(fault.packets_overflowed, Some(0), "{label}");
        for what in ["qdiscs_left", "rules_left", "processes_left", "namespaces_left"] {
            assert_eq!(outcome.seen(label, what), "", "{what} of {label}");
        }
    }
}

#[test]
fn a_run_leaves_no_qdisc_rule_process_or_namespace() {
    let Some(outcome) = outcome() else { return };
    for (case, mechanism) in outcome.each() {
        let label = case.label(mechanism);
        for what in ["qdiscs_left", "rules_left", "processes_left"] {
            assert_eq!(outcome.seen(&label, what), "", "{what} of {label}");
        }
        if !case.docker {
            assert_eq!(outcome.seen(&label, "namespaces_left"), "", "{label}");
        }
    }
    if !outcome.docker {
        return;
    }
    for what in ["up_code", "down_code"] {
        assert_eq!(outcome.seen("machine", what), "0", "{}\n{}", outcome.log("up"), outcome.log("down"));
    }
    for what in ["containers_left", "networks_left", "volumes_left"] {
        assert_eq!(outcome.seen("machine", what), "", "{what} of the cluster in containers");
    }
}

#[test]
fn the_doctor_finds_netem() {
    let Some(outcome) = outcome() else { return };
    let found = outcome.seen("machine", "doctor");
    assert!(found.split_whitespace().nth(1) == Some("yes"), "{found:?}\n{}", outcome.log("doctor"));
}

#[test]
fn netem_does_not_outlive_a_recorder_that_is_killed() {
    let Some(outcome) = outcome() else { return };
    for (name, cluster) in killed(outcome.docker) {
        let in_force = outcome.seen(name, "in_force");
        assert!(in_force.contains("netem") && in_force.contains("delay 50"), "{in_force:?}\n{}", outcome.log(name));
        assert!(!outcome.seen.contains_key(&(name.into(), "problem".into())), "{}", outcome.log(name));
        assert_eq!(outcome.seen(name, "qdiscs_left"), "", "{name}");
        let healed_s = outcome.number(name, "healed_s");
        assert!(healed_s <= HEALED_S_MAX, "{name}: netem was there for another {healed_s} s");
        assert_eq!(outcome.seen(name, "processes_left"), "", "{name}");
        if cluster == "sandbox" {
            assert_eq!(outcome.seen(name, "namespaces_left"), "", "{name}");
        }
    }
}

#[test]
fn analyze_reads_the_runs_and_both_mechanisms_do_the_same() {
    let Some(outcome) = outcome() else { return };
    let analyze = |arguments: &[&str]| -> Finished {
        run(std::process::Command::new(&binaries().analyze).args(arguments).arg("--dir").arg(&outcome.results))
            .expect_code(0)
    };
    let listed = analyze(&["list", "--format", "csv"]).stdout;
    let delta = analyze(&["delta", "--format", "csv"]).stdout;
    let summary: Vec<serde_json::Value> =
        serde_json::from_str(&analyze(&["summary", "--format", "json"]).stdout).expect("valid JSON");
    let during = |label: &str, column: &str| {
        let row = summary.iter().find(|row| row["label"] == label && row["phase"] == "during" && row["kind"] == "put");
        row.and_then(|row| row[column].as_f64()).unwrap_or_else(|| panic!("no {column} of {label} during its fault"))
    };

    let mut table = String::from(
        "| run | achieved, netem | achieved, queue | ops/s, netem | ops/s, queue | p50 ms, netem | p50 ms, queue | p99 ms, netem | p99 ms, queue |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for case in &outcome.cases {
        let pair = MECHANISMS.map(|mechanism| {
            let label = case.label(mechanism);
            assert!(listed.contains(&label), "{label} in:\n{listed}");
            assert!(case.full || delta.contains(&label), "{label} in:\n{delta}");
            let fault = outcome.fault(*case, mechanism);
            let achieved = if case.loss { achieved_loss(&fault) } else { achieved_delay_ms(&fault) };
            [
                achieved,
                during(&label, "ops_per_s"),
                during(&label, "response_p50_ms"),
                during(&label, "response_p99_ms"),
            ]
        });
        let [netem, queue] = pair;
        let unit = if case.loss { "%" } else { "ms" };
        write!(table, "| {case} | {:.1} {unit} | {:.1} {unit}", netem[0], queue[0]).ok();
        for column in 1..netem.len() {
            write!(table, " | {:.1} | {:.1}", netem[column], queue[column]).ok();
        }
        table.push_str(" |\n");
        // An open loop that keeps up has the throughput of its schedule, whatever holds its packets.
        let throughput = netem[1] / queue[1];
        assert!((0.8..1.25).contains(&throughput), "throughput differs by {throughput} in {case}:\n{table}");
        if !case.loss {
            let delay = netem[0] / queue[0];
            assert!((0.6..1.67).contains(&delay), "the delay differs by {delay} in {case}:\n{table}");
        }
    }
    let file = place().join("netem-against-queue.md");
    std::fs::write(&file, &table).expect("the table can be written");
    println!("{table}");
    vm::tell(&format!("vm: the table is in {}", file.display()));
}

/// What connecting took longer during the fault.
fn achieved_delay_ms(fault: &FaultEvent) -> f64 {
    let during = fault.probe_during_us.expect("probes during the fault");
    let without = fault.probe_before_us.or(fault.probe_untouched_us).expect("probes without it");
    (during - without) / 1000.0
}

fn achieved_loss(fault: &FaultEvent) -> f64 {
    100.0 * fault.packets_dropped.unwrap_or(0) as f64 / fault.packets_matched.unwrap_or(1) as f64
}
