//! Benchmarks: of clusters of their own, of those that are up, and of those that somebody else runs; what they say, and what
//! they leave.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use end_to_end::engine::{answers, docker, images, lines_of};
use end_to_end::foreign::Foreign;
use end_to_end::home::{Home, etcdctl};
use end_to_end::processes::{assert_nothing_left, mentioning, signal, wait_until};
use end_to_end::recorded::Recorded;
use end_to_end::{Finished, one_at_a_time, run, skip, workspace};
use nix::sys::signal::Signal;
use run_folder::{RunFolder, Status};
use serde_json::Value;

const KINDS: [&str; 3] = ["put", "get", "transaction"];
/// The user's keys in clusters that stay up: around the prefix of benchmarks, and under none of it.
const USERS_KEYS: [&str; 4] = ["laggard/bench", "laggard/bench0", "laggard/benchmark", "mine"];

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.stdout))
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {pointer} in {value}"))
}

fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no count at {pointer} in {value}"))
}

fn sum(counts: &Value) -> u64 {
    counts.as_object().expect("counts by name").values().map(|count| count.as_u64().expect("a count")).sum()
}

/// Checks what holds of every kind, whatever became of its operations.
fn assert_adds_up(report: &Value) {
    for kind in KINDS {
        let results = &report["results"][kind];
        let failures = count(results, "/failures");
        assert_eq!(count(results, "/operations"), count(results, "/successes") + failures, "{kind}: {results}");
        assert_eq!(sum(&results["failures_by_outcome"]), failures, "{kind}: {results}");
        assert_eq!(sum(&results["failures_by_error"]), failures, "{kind}: {results}");
        for times in ["latency", "service_time"] {
            let names = ["min", "median", "p90", "p95", "p99", "p99_9", "max"];
            let quantiles = names.map(|name| number(results, &format!("/{times}/{name}_ms")));
            assert!(quantiles.is_sorted() && quantiles[0] > 0.0, "{kind}: {results}");
            let mean = number(results, &format!("/{times}/mean_ms"));
            assert!(quantiles[0] <= mean && mean <= quantiles[6], "{kind}: {results}");
            assert!(number(results, &format!("/{times}/stddev_ms")) >= 0.0);
        }
        let per_s = count(results, "/successes") as f64 / number(results, "/time_s");
        assert!((number(results, "/ops_per_s") / per_s - 1.0).abs() < 1e-9, "{kind}: {results}");
        for (range, value) in
            [("median_ms", "/latency/median_ms"), ("p99_ms", "/latency/p99_ms"), ("ops_per_s", "/ops_per_s")]
        {
            let typical = &results["typical"][range];
            let is_open_loop = !report["workload"]["rate_per_s"].is_null();
            if range == "ops_per_s" && (is_open_loop || 100 * failures > count(results, "/operations")) {
                assert!(typical["measured"].is_null(), "it is not what the cluster can do: {results}");
                continue;
            }
            let (from, to, value) = (number(typical, "/from"), number(typical, "/to"), number(results, value));
            let expected = if value < from {
                "below"
            } else if value > to {
                "above"
            } else {
                "within"
            };
            assert_eq!(typical["measured"], expected, "{kind} {range}: {value} in {typical}");
        }
    }
    let held = ["/comparisons_held", "/comparisons_failed"].map(|of| count(&report["results"]["transaction"], of));
    assert_eq!(held.iter().sum::<u64>(), count(&report["results"]["transaction"], "/successes"));
    assert!(report["results"]["put"]["comparisons_held"].is_null(), "puts compare nothing");
}

/// Checks that everything was acknowledged, found, and written.
fn assert_flawless(report: &Value, operations: u64) {
    assert_adds_up(report);
    for kind in KINDS {
        assert_eq!(count(&report["results"][kind], "/successes"), operations, "{kind}: {report}");
        assert_eq!(report["results"][kind]["failures"], 0);
    }
    assert_eq!(report["results"]["get"]["not_found"], 0, "every get finds what a put wrote");
    assert_eq!(report["results"]["transaction"]["comparisons_held"], operations, "every transaction writes");
}

/// All keys that a member has.
fn keys(listener: &str) -> BTreeSet<String> {
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3").env_remove("ETCDCTL_ENDPOINTS");
    command.args(["--endpoints", listener, "get", "", "--prefix", "--keys-only"]);
    run(&mut command).expect_code(0).stdout.split_whitespace().map(str::to_owned).collect()
}

fn put_users_keys(listener: &str) {
    for key in USERS_KEYS {
        etcdctl(listener, &format!("put {key} precious")).expect_code(0);
    }
}

/// Checks that the user's keys are as they were, and there are no others.
fn assert_only_users_keys(listener: &str) {
    assert_eq!(keys(listener), USERS_KEYS.map(str::to_owned).into());
    for key in USERS_KEYS {
        let stdout = etcdctl(listener, &format!("get {key} --print-value-only")).expect_code(0).stdout;
        assert_eq!(stdout, "precious\n", "{key}");
    }
}

fn started(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the recorder starts")
}

fn ended(child: Child) -> Finished {
    child.wait_with_output().expect("the recorder ends").into()
}

fn wait_for_keys(listener: &str) {
    wait_until("the first puts", Duration::from_secs(30), || {
        keys(listener).iter().filter(|key| key.starts_with("laggard/bench/")).count() > 10
    });
}

/// How many keys of benchmarks there are, however long they are.
fn count_of_keys(listener: &str) -> u64 {
    let first = json(&etcdctl(listener, "get laggard/bench/ --prefix --limit 1 --write-out json").expect_code(0));
    first["count"].as_u64().unwrap_or(0)
}

/// Checks that a benchmark has left nothing where it was started.
fn assert_tidy(home: &Home) {
    assert_nothing_left(home.place.path());
    assert!(!home.place.results().exists(), "a folder is left that was made for the rows alone");
}

#[test]
fn a_cluster_of_its_own_is_measured_and_removed() {
    let _one = one_at_a_time();
    for (home, nodes) in [(Home::new(), 3), (Home::of_nobody(), 5)] {
        let options = format!("bench --nodes {nodes} --operations 200 --json --seed 7");
        // What somebody is allowed to make is in the results folder, which is theirs.
        let report = json(&home.recorder(&options).expect_code(0));
        assert_flawless(&report, 200);
        let cluster = &report["cluster"];
        assert_eq!((&cluster["backend"], &cluster["adopted"]), (&Value::from("sandbox"), &Value::from(false)));
        assert_eq!(cluster["members"].as_array().map(Vec::len), Some(nodes));
        assert!(cluster["etcd_version"].is_string() && report["started"].is_string(), "{report}");
        let workload = &report["workload"];
        for (name, value) in
            [("operations", 200), ("concurrency", 16), ("key_size", 32), ("value_size", 256), ("seed", 7)]
        {
            assert_eq!(workload[name], value, "{name}");
        }
        assert!(workload["duration_s"].is_null() && workload["rate_per_s"].is_null(), "{workload}");
        assert!(report["results"]["put"]["run"].is_null(), "nothing was kept: {report}");
        assert_nothing_left(home.place.path());
        assert!(!home.place.results().join(".laggard-data").exists(), "rows or data are left");
    }
}

#[test]
fn people_read_a_table_with_typical_ranges() {
    let _one = one_at_a_time();
    let home = Home::new();
    let finished = home.recorder("bench --operations 100 --concurrency 2 --rate 100").expect_code(0);
    let table = &finished.stdout;
    for part in [
        "3 members of etcd",
        "in a sandbox of the benchmark's own",
        "open loop of 100 operations a second",
        "service time in ms",
        "standard deviation",
        "p99.9",
        "comparisons held",
        "typical of 3 members in one datacenter",
        "500-1000",
        "2000-5000",
        "300-600",
    ] {
        assert!(table.contains(part), "no {part:?} in:\n{table}");
    }
    let line = |name: &str| {
        let line =
            table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in:\n{table}"));
        line.trim_start_matches(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("acknowledged"), ["100", "100", "100"]);
    assert_eq!(line("not acknowledged"), ["0", "0", "0"]);
    for per_s in line("per second") {
        let per_s: f64 = per_s.parse().expect("a number");
        assert!((50.0..=101.0).contains(&per_s), "an open loop has the rate that it was given: {per_s}");
    }
    assert_tidy(&home);
}

#[test]
fn the_cluster_that_is_up_is_measured_from_inside_and_keeps_its_keys() {
    let _one = one_at_a_time();
    let home = Home::new();
    let listeners = home.up("--nodes 5");
    put_users_keys(&listeners[0]);
    // What a killed benchmark left.
    etcdctl(&listeners[0], "put laggard/bench/0001 old").expect_code(0);
    let finished = home.recorder("bench --operations 300 --json").expect_code(0);
    let report = json(&finished);
    assert_flawless(&report, 300);
    let cluster = &report["cluster"];
    assert_eq!((&cluster["backend"], &cluster["adopted"]), (&Value::from("sandbox"), &Value::from(true)));
    let names: Vec<_> =
        cluster["members"].as_array().unwrap().iter().map(|member| member["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["etcd0", "etcd1", "etcd2", "etcd3", "etcd4"]);
    assert_eq!(cluster["members"][1]["endpoint"], "10.77.1.2:2379", "inside its network");
    assert_only_users_keys(&listeners[1]);
    assert!(home.state()["members"].is_array(), "it stays up");

    // Its listeners can be measured too, which is said.
    let typed = listeners.join(",");
    let report = json(&home.recorder(&format!("bench --operations 50 --json --endpoints {typed}")).expect_code(0));
    assert_flawless(&report, 50);
    assert_eq!(report["cluster"]["backend"], "endpoints");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("pass each byte through the recorder") && warnings.contains(&listeners[4]), "{warnings}");
    assert_only_users_keys(&listeners[1]);

    for (arguments, part) in [
        ("bench --nodes 3", "the cluster that is up has 5 members"),
        ("bench --etcd /bin/true", "--etcd is for a cluster that is made"),
        ("bench --cluster sandbox --data-dir elsewhere", "--data-dir is for a cluster that is made"),
    ] {
        let refused = home.recorder(arguments).expect_code(2);
        assert!(refused.stderr.contains(part), "{arguments}: {}", refused.stderr);
    }
    let version = run(home.command("bench").env("ETCD_VERSION", "9.9.9")).expect_code(3);
    assert!(version.stderr.contains("asks for 9.9.9"), "{}", version.stderr);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn a_member_killed_in_the_middle_shows_in_the_counts() {
    let _one = one_at_a_time();
    for (home, nodes) in [(Home::new(), 3), (Home::of_nobody(), 5)] {
        let listeners = home.up(&format!("--nodes {nodes}"));
        put_users_keys(&listeners[0]);
        let bench = started(home.command("bench --duration 4 --deadline 2s --json"));
        wait_for_keys(&listeners[0]);
        signal(mentioning(home.place.path(), "--name=etcd1")[0], Signal::SIGKILL);
        let finished = ended(bench).expect_code(0);
        let report = json(&finished);
        assert_adds_up(&report);
        let of = |kind: &str, name: &str| count(&report["results"][kind], &format!("/{name}"));
        assert!(of("put", "failures") > 0 && of("put", "successes") > 0, "{report}");
        // It is gone from their beginning to their end: what asks it cannot connect.
        for kind in ["get", "transaction"] {
            let (operations, refused) = (of(kind, "operations"), of(kind, "failures_by_error/connect"));
            assert!(refused * (nodes as u64 + 1) > operations, "{kind}: one of {nodes} members is gone: {report}");
        }
        let warnings = report["warnings"].to_string();
        assert!(warnings.contains("etcd1: connection refused"), "{warnings}");
        assert_only_users_keys(&listeners[0]);
        home.recorder("down").expect_code(0);
        home.assert_nothing_left();
    }
}

#[test]
fn endpoints_are_measured_with_a_dead_one_among_them_and_recorded() {
    let _one = one_at_a_time();
    let (home, mut foreign) = (Home::new(), Foreign::start(3, ""));
    put_users_keys(&foreign.endpoints[0]);
    foreign.kill(2);
    let dead = foreign.endpoints[2].clone();
    let options =
        format!("bench --endpoints {} --operations 300 --concurrency 8 --connections 2 --json", foreign.typed());
    let hdr = home.place.path().join("latency.hlog");
    let mut command = home.command(&options);
    let finished = run(command.arg("--record").arg("--hdr").arg(&hdr)).expect_code(0);
    assert!(finished.stderr.contains(&format!("{dead}: connection refused")), "{}", finished.stderr);
    let report = json(&finished);
    assert_adds_up(&report);
    for kind in KINDS {
        let results = &report["results"][kind];
        assert_eq!(results["failures_by_error"]["connect"], 100, "a third was sent to it: {results}");
        assert_eq!(results["failures_by_outcome"]["failed"], 100, "it certainly did nothing: {results}");
    }
    assert_only_users_keys(&foreign.endpoints[0]);

    let log = read_hdr(&hdr);
    let summary = run(&mut home.place.analyze("summary --pattern bench_* --format json")).expect_code(0);
    let rows: Vec<Value> = serde_json::from_str(&summary.stdout).expect("valid JSON");
    for (kind, label, of_row) in
        [("put", "bench_put", "put"), ("get", "bench_get", "get"), ("transaction", "bench_txn", "txn")]
    {
        let results = &report["results"][kind];
        let run = results["run"].as_str().expect("it was recorded");
        let recorded = Recorded::of(RunFolder::open(&home.place.results().join(run)).expect("a run folder"));
        assert_eq!((recorded.folder.label().as_str(), &recorded.manifest.status), (label, &Status::Finished));
        recorded.assert_consistent();
        recorded.assert_older_files_agree();
        assert_eq!(recorded.due_after_warm_up(), 300);
        let row = rows.iter().find(|row| row["label"] == label && row["phase"] == "all" && row["kind"] == of_row);
        let row = row.unwrap_or_else(|| panic!("no {label} in {}", summary.stdout));
        for quantile in ["p50", "p90", "p95", "p99", "max"] {
            let name = if quantile == "p50" { "median" } else { quantile };
            let (ours, theirs) =
                (number(results, &format!("/latency/{name}_ms")), number(row, &format!("/response_{quantile}_ms")));
            assert!((ours - theirs).abs() < 1e-6, "{kind} {quantile}: {ours} and {theirs}");
        }
        assert_log_agrees(&log[kind], &acknowledged_ns(&recorded), kind);
    }

    let run_of_gets = home.place.results().join(report["results"]["get"]["run"].as_str().unwrap());
    let again = format!("reproduce {}", run_of_gets.display());
    let refused = home.recorder(&again).expect_code(2);
    for part in ["that the recorder did not start", "recorder bench --endpoints", &dead, "--cluster sandbox"] {
        assert!(refused.stderr.contains(part), "{part} in: {}", refused.stderr);
    }
    home.recorder(&format!("{again} --cluster sandbox --dir again")).expect_code(0);
    let again = Recorded::only_one_in(&home.place.path().join("again"));
    let found = again.longs("seen_mod_revision").into_iter().zip(again.texts("outcome"));
    let found: Vec<_> = found.filter(|(_, outcome)| outcome.as_deref() == Some("ok")).map(|(seen, _)| seen).collect();
    assert!(!found.is_empty() && found.iter().all(|seen| seen.is_some_and(|seen| seen > 0)), "gets find their keys");
}

/// Response times of acknowledged operations after the warm-up, in ascending order.
fn acknowledged_ns(recorded: &Recorded) -> Vec<i64> {
    let (intended, end, outcome) = (recorded.longs("intended_ns"), recorded.longs("end_ns"), recorded.texts("outcome"));
    let is_measured =
        |row: &usize| outcome[*row].as_deref() == Some("ok") && intended[*row].is_some_and(|intended| intended >= 0);
    let mut times: Vec<_> =
        (0..end.len()).filter(is_measured).map(|row| end[row].unwrap() - intended[row].unwrap()).collect();
    times.sort_unstable();
    times
}

/// What another reader than ours finds in a log.
fn read_hdr(file: &std::path::Path) -> Value {
    let mut reader = Command::new("python3");
    reader.arg(workspace().join("tests/fixtures/hdr_log.py")).arg(file);
    json(&run(&mut reader).expect_code(0))
}

fn assert_log_agrees(interval: &Value, sorted_ns: &[i64], kind: &str) {
    assert_eq!(interval["count"], sorted_ns.len(), "{kind}");
    let rank = |permille: usize| sorted_ns[(sorted_ns.len() * permille).div_ceil(1000).max(1) - 1];
    for (name, ns) in [("min", sorted_ns[0]), ("p50", rank(500)), ("p99", rank(990)), ("max", rank(1000))] {
        let (low, high) = (count(interval, &format!("/{name}/0")), count(interval, &format!("/{name}/1")));
        assert!((low..=high).contains(&(ns as u64)), "{kind} {name}: {ns} in {interval}");
        assert!((high - low) as f64 <= 0.001 * high as f64, "{kind} {name}: three digits: {interval}");
    }
    let max_ms = number(interval, "/max_ms");
    assert!((max_ms / (rank(1000) as f64 / 1e6) - 1.0).abs() < 0.002, "{kind}: {max_ms} ms in {interval}");
}

#[test]
fn endpoints_that_do_not_answer_are_named() {
    let home = Home::new();
    // Nobody listens at the first; at the second nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|address| (silent, address.to_string())).unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let begun = Instant::now();
    let finished = home.recorder(&format!("bench --endpoints {closed},http://{}", silent.1)).expect_code(3);
    assert!(begun.elapsed() < Duration::from_secs(30), "every call has a deadline");
    for part in [format!("{closed}: connection refused"), format!("{}: no answer within 2 s", silent.1)] {
        assert!(finished.stderr.contains(&part), "{part} in: {}", finished.stderr);
    }
    assert!(finished.stdout.is_empty(), "{}", finished.stdout);
    assert_tidy(&home);
}

#[test]
fn a_cluster_without_a_leader_and_two_clusters_are_refused() {
    let _one = one_at_a_time();
    let home = Home::new();
    let (mut one, other) = (Foreign::start(3, ""), Foreign::start(1, ""));
    let both = home.recorder(&format!("bench --endpoints {},{}", one.endpoints[0], other.typed())).expect_code(2);
    assert!(both.stderr.contains("belong to different clusters"), "{}", both.stderr);
    one.kill(0);
    one.kill(1);
    let finished = home.recorder(&format!("bench --endpoints {}", one.typed())).expect_code(3);
    for part in ["knows a leader", &format!("{}: connection refused", one.endpoints[0])] {
        assert!(finished.stderr.contains(part), "{part} in: {}", finished.stderr);
    }
    assert_tidy(&home);
}

#[test]
fn requests_beyond_the_members_own_limit_are_a_clear_error() {
    let _one = one_at_a_time();
    let (home, foreign) = (Home::new(), Foreign::start(1, "--max-request-bytes=10000"));
    let options = format!("bench --endpoints {} --operations 40 --value-size 20000 --json", foreign.typed());
    let finished = home.recorder(&options).expect_code(1);
    for part in ["no put was acknowledged (refused 40)", "no transaction", "--max-request-bytes", "--value-size"] {
        assert!(finished.stderr.contains(part), "{part} in: {}", finished.stderr);
    }
    let report = json(&finished);
    assert_eq!(report["results"]["put"]["failures_by_error"]["refused"], 40);
    assert!(report["results"]["put"]["latency"]["p99_ms"].is_null(), "what is missing is not zero: {report}");
    assert!(report["results"]["put"]["typical"]["p99_ms"]["measured"].is_null());
    assert_eq!(report["results"]["get"]["not_found"], 40, "there was nothing to find");
    assert!(report["warnings"].to_string().contains("request is too large"), "{}", report["warnings"]);
    assert_eq!(keys(&foreign.endpoints[0]), BTreeSet::new());
    assert_tidy(&home);
}

#[test]
fn values_up_to_the_limit_are_measured() {
    let _one = one_at_a_time();
    let home = Home::new();
    let options =
        "bench --operations 20 --value-size 1500000 --key-size 4096 --concurrency 2 --warm-up 0 --deadline 60s --json";
    let report = json(&home.recorder(options).expect_code(0));
    assert_flawless(&report, 20);
    assert_tidy(&home);
}

#[test]
fn ctrl_c_leaves_no_keys_no_cluster_and_nothing_half_written() {
    let _one = one_at_a_time();
    let home = Home::new();
    let hdr = home.place.path().join("latency.hlog");
    let interrupted = |mut command: Command, begun: &dyn Fn()| {
        let bench = started({
            command.arg("--hdr").arg(&hdr);
            command
        });
        begun();
        signal(bench.id() as i32, Signal::SIGINT);
        let finished = ended(bench).expect_code(130);
        assert!(finished.stdout.is_empty() && finished.stderr.contains("interrupted by SIGINT"), "{finished:?}");
        let left: Vec<_> =
            std::fs::read_dir(home.place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().contains("hlog")), "{left:?}");
        assert_tidy(&home);
    };
    let scratch = home.place.results().join(".laggard-data");
    interrupted(home.command("bench --duration 60"), &|| {
        wait_until("its rows", Duration::from_secs(30), || {
            let folders = std::fs::read_dir(&scratch).into_iter().flatten().flatten();
            let runs = folders.flat_map(|folder| RunFolder::list(&folder.path()).unwrap_or_default());
            runs.into_iter().any(|run| run.operations_journal().metadata().is_ok_and(|journal| journal.len() > 10_000))
        });
    });
    let foreign = Foreign::start(3, "");
    put_users_keys(&foreign.endpoints[0]);
    interrupted(home.command(&format!("bench --duration 60 --endpoints {}", foreign.typed())), &|| {
        wait_for_keys(&foreign.endpoints[0]);
    });
    assert_only_users_keys(&foreign.endpoints[1]);
}

#[test]
fn ctrl_c_while_keys_are_filled_ends_that_and_removes_them() {
    let _one = one_at_a_time();
    let (home, foreign) = (Home::new(), Foreign::start(1, ""));
    let listener = &foreign.endpoints[0];
    put_users_keys(listener);
    // The puts have no time for more than a few keys: the gets are to find all of them.
    let options = "--operations 200000 --duration 0.1 --warm-up 0 --value-size 1";
    let bench = started(home.command(&format!("bench --endpoints {listener} {options}")));
    wait_until("many keys are filled", Duration::from_secs(60), || count_of_keys(listener) > 10_000);
    signal(bench.id() as i32, Signal::SIGINT);
    let finished = ended(bench).expect_code(130);
    assert!(finished.stderr.contains("interrupted by SIGINT"), "{}", finished.stderr);
    assert_only_users_keys(listener);
    let revision = json(&etcdctl(listener, "get mine --write-out json"))["header"]["revision"].as_u64();
    assert!(revision.is_some_and(|revision| revision < 200_000), "it went on to the last key: {revision:?}");
    assert_tidy(&home);
}

#[test]
fn the_next_benchmark_removes_what_a_killed_one_left() {
    let _one = one_at_a_time();
    let (home, foreign) = (Home::new(), Foreign::start(1, ""));
    put_users_keys(&foreign.endpoints[0]);
    let bench = started(home.command(&format!("bench --duration 60 --endpoints {}", foreign.typed())));
    wait_for_keys(&foreign.endpoints[0]);
    signal(bench.id() as i32, Signal::SIGKILL);
    ended(bench);
    assert_nothing_left(home.place.path());
    assert!(home.place.results().join(".laggard-data").exists(), "nobody could clear up yet");
    let report =
        json(&home.recorder(&format!("bench --operations 50 --json --endpoints {}", foreign.typed())).expect_code(0));
    assert_flawless(&report, 50);
    assert_only_users_keys(&foreign.endpoints[0]);
    assert!(!home.place.results().join(".laggard-data").exists(), "its rows are left");
}

#[test]
fn the_longest_keys_are_removed_too_and_no_others() {
    let _one = one_at_a_time();
    let home = Home::new();
    let listeners = home.up("");
    put_users_keys(&listeners[0]);
    let longest = "bench --operations 3000 --key-size 4096 --value-size 1 --warm-up 0 --json";
    let killed = started(home.command(&longest.replace("3000", "200000")));
    wait_until("more keys than an answer holds", Duration::from_secs(60), || count_of_keys(&listeners[0]) > 1_500);
    signal(killed.id() as i32, Signal::SIGKILL);
    ended(killed);
    let short = home.recorder("bench --operations 50 --json").expect_code(0);
    assert!(!short.stderr.contains("keys that"), "{}", short.stderr);
    assert_flawless(&json(&short), 50);
    assert_only_users_keys(&listeners[0]);
    let finished = home.recorder(longest).expect_code(0);
    assert!(!finished.stderr.contains("keys that"), "{}", finished.stderr);
    assert_flawless(&json(&finished), 3000);
    assert_only_users_keys(&listeners[1]);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn a_cluster_of_somebody_else_is_not_filled_up() {
    let _one = one_at_a_time();
    let (home, foreign) = (Home::new(), Foreign::start(1, "--quota-backend-bytes=134217728"));
    let listener = &foreign.endpoints[0];
    put_users_keys(listener);
    let bench = |options: &str| home.recorder(&format!("bench --endpoints {listener} {options}"));
    // It would just fit where there is nothing.
    let refused = bench("--operations 5872 --value-size 9968").expect_code(2);
    for part in ["would write 117.4 MB", &format!("{listener} holds"), "quota of 134.2 MB", "--operations"] {
        assert!(refused.stderr.contains(part), "{part} in: {}", refused.stderr);
    }
    // A closed loop writes what it can: it is ended before the cluster refuses anything.
    let stopped = bench("--duration 10m --value-size 10000 --concurrency 1").expect_code(1);
    for part in ["of its quota of 134.2 MB", "etcdctl compact", "etcdctl defrag", "alarm disarm"] {
        assert!(stopped.stderr.contains(part), "{part} in: {}", stopped.stderr);
    }
    assert_eq!(etcdctl(listener, "alarm list").expect_code(0).stdout, "");
    etcdctl(listener, "put mine precious").expect_code(0);
    assert_only_users_keys(listener);
    assert_tidy(&home);
}

#[test]
fn a_cluster_that_is_full_is_told_how_to_go_on() {
    let _one = one_at_a_time();
    // So small that a moment fills it up.
    let (home, foreign) = (Home::new(), Foreign::start(1, "--quota-backend-bytes=4194304"));
    let listener = &foreign.endpoints[0];
    put_users_keys(listener);
    let bench = |options: &str| home.recorder(&format!("bench --endpoints {listener} --value-size 1000000 {options}"));
    let next_step = ["refuses every write", "etcdctl compact", "etcdctl defrag", "alarm disarm"];
    // The second finds it full.
    for (options, code) in [("--duration 60", 1), ("--duration 60", 3), ("--operations 1", 3)] {
        let ended = bench(options).expect_code(code);
        for part in next_step {
            assert!(ended.stderr.contains(part), "{options}: {part} in: {}", ended.stderr);
        }
        assert_only_users_keys(listener);
    }
    let revision = json(&etcdctl(listener, "get mine --write-out json"))["header"]["revision"].to_string();
    for step in [&format!("compact {revision} --physical"), "defrag", "alarm disarm", "put mine precious"] {
        etcdctl(listener, step).expect_code(0);
    }
    bench("--operations 1 --warm-up 0").expect_code(0);
    assert_only_users_keys(listener);
    assert_tidy(&home);
}

#[test]
fn wrong_arguments_are_named_before_anything_is_done() {
    for (arguments, parts) in [
        ("--concurrency 0", ["--concurrency is 0", "between 1 and"]),
        ("--operations 0", ["--operations", "between 1 and"]),
        ("--key-size 0", ["--key-size is 0", "at least 17 bytes"]),
        ("--value-size 0", ["--value-size is 0", "1.5 MiB"]),
        ("--value-size 1600000", ["--value-size is 1600000", "1.5 MiB"]),
        ("--operations -1", ["--operations", "-1"]),
        ("--rate -1", ["--rate must be between", "a second"]),
        ("--rate 5 --operations 5 --duration 5", ["--rate", "do not go together"]),
        ("--endpoints localhost:2379,127.0.0.1:2379", ["--endpoints", "the same address"]),
        ("--endpoints https://localhost:2379", ["--endpoints", "TLS"]),
        ("--endpoints localhost:2379 --nodes 5", ["--endpoints", "--nodes"]),
        ("--endpoints 192.0.2.1:2379", ["192.0.2.1", "--allow-remote"]),
        ("--hdr missing/latency.hlog", ["--hdr", "missing/latency.hlog"]),
        ("--hdr .", ["--hdr", "is a directory"]),
    ] {
        let home = Home::new();
        let finished = home.recorder(&format!("bench {arguments}")).expect_code(2);
        for part in parts {
            assert!(finished.stderr.contains(part), "{arguments}: no {part:?} in: {}", finished.stderr);
        }
        assert!(finished.stdout.is_empty(), "{arguments}: {}", finished.stdout);
        assert_tidy(&home);
    }
}

#[test]
fn containers_are_measured_those_that_are_up_at_their_addresses() {
    let _one = one_at_a_time();
    if !answers() {
        return;
    }
    let taken = lines_of("ps --all --filter name=^/etcd[0-9]+$ --format {{.Names}}");
    if !taken.is_empty() {
        return skip(&format!("there are containers called {}, which this test did not make", taken.join(", ")));
    }
    images();
    let home = Home::new();
    let beside_engine = |arguments: &str| {
        let mut command = home.place.recorder_beside_engine(arguments);
        command.env("XDG_RUNTIME_DIR", home.runtime_folder());
        run(&mut command)
    };
    struct Up<'a>(&'a dyn Fn(&str) -> Finished);
    impl Drop for Up<'_> {
        fn drop(&mut self) {
            (self.0)("down --cluster docker --volumes");
        }
    }
    // None is up: it makes its own, and removes them.
    let report = json(&beside_engine("bench --cluster docker --operations 100 --json").expect_code(0));
    assert_flawless(&report, 100);
    assert_eq!((&report["cluster"]["backend"], &report["cluster"]["adopted"]), (&"docker".into(), &false.into()));
    assert_eq!(lines_of("ps --all --filter label=laggard.made-by=recorder --quiet"), Vec::<String>::new());
    assert_tidy(&home);

    let up = Up(&beside_engine);
    let listeners = beside_engine("up --cluster docker").expect_code(0).stdout;
    let listener = listeners.lines().next().and_then(|line| line.split_once("http://")).expect("a listener").1;
    put_users_keys(listener);
    let report = json(&beside_engine("bench --operations 100 --json").expect_code(0));
    assert_flawless(&report, 100);
    let cluster = &report["cluster"];
    assert_eq!((&cluster["backend"], &cluster["adopted"]), (&Value::from("docker"), &Value::from(true)));
    assert_only_users_keys(listener);

    run(&mut docker("stop --time 1 etcd2")).expect_code(0);
    let report = json(&beside_engine("bench --operations 100 --json").expect_code(0));
    assert_adds_up(&report);
    assert!(report["warnings"].to_string().contains("etcd2 is not healthy"), "{}", report["warnings"]);
    assert_only_users_keys(listener);
    drop(up);
    assert_tidy(&home);
}
