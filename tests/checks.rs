//! `recorder test`: a healthy cluster passes every check, a broken one fails the right one, and whatever happens no member stays
//! down and no key is left.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use end_to_end::engine::{docker, lines_of, ready};
use end_to_end::home::{Home, etcdctl};
use end_to_end::processes::{mentioning, signal, wait_until};
use end_to_end::{Finished, Workplace, one_at_a_time, run};
use nix::sys::signal::Signal;
use serde_json::Value;

const CHECKS: [&str; 7] = ["members", "consistency", "replication", "lease", "transaction", "watch", "member-failure"];
/// A test of a broken cluster ends well before this.
const BROKEN_TIMEOUT: Duration = Duration::from_secs(90);

/// A test that names its place, so that the daemon that it may leave up can be told whose it is.
fn test_command(home: &Home, options: &str) -> Command {
    home.command(&format!("test --dir {} {options}", home.place.results().display()))
}

fn test(home: &Home, options: &str, code: i32) -> Finished {
    run(&mut test_command(home, options)).expect_code(code)
}

fn parsed(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.stdout))
}

/// What a test says as JSON.
fn test_json(home: &Home, options: &str, code: i32) -> Value {
    parsed(&test(home, &format!("--json {options}"), code))
}

/// The names of the checks by how they ended.
fn by_result(tested: &Value) -> BTreeMap<String, Vec<String>> {
    let mut ended: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for made in tested["checks"].as_array().expect("a list of checks") {
        let (result, name) = (made["result"].as_str().unwrap(), made["name"].as_str().unwrap());
        ended.entry(result.into()).or_default().push(name.into());
    }
    ended
}

fn check<'a>(tested: &'a Value, name: &str) -> &'a Value {
    let checks = tested["checks"].as_array().expect("a list of checks");
    checks.iter().find(|made| made["name"] == name).unwrap_or_else(|| panic!("no {name} in {tested}"))
}

fn all_passed(tested: &Value) {
    assert_eq!(by_result(tested), BTreeMap::from([("passed".into(), CHECKS.map(String::from).to_vec())]), "{tested}");
    assert_eq!(tested["passed"], true);
}

/// Nothing of a test is left in the cluster that this member belongs to.
fn assert_no_key_left(listener: &str) {
    assert_eq!(etcdctl(listener, "get --prefix laggard/ --keys-only").expect_code(0).stdout.trim(), "");
    assert_eq!(etcdctl(listener, "lease list").expect_code(0).stdout.trim(), "found 0 leases");
}

fn etcd_version() -> String {
    let version = run(Command::new("etcd").arg("--version")).expect_code(0).stdout;
    version.lines().next().unwrap().strip_prefix("etcd Version: ").unwrap().to_owned()
}

fn goes_through_its_life(home: &Home) {
    let first = test(home, "", 0);
    let lines: Vec<_> = first.stdout.lines().collect();
    let mut listeners = Vec::new();
    for (number, line) in lines[..3].iter().enumerate() {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[..2], ["Node", &format!("{}:", number + 1)], "{line}");
        assert_eq!(words[3], format!("etcd{number}"), "{line}");
        listeners.push(words[2].strip_prefix("http://").unwrap_or_else(|| panic!("{line}")).to_owned());
        assert!(listeners[number].starts_with("localhost:"), "{line}");
    }
    assert_eq!(lines.len(), 3 + CHECKS.len(), "{}", first.stdout);
    for (name, line) in CHECKS.iter().zip(&lines[3..]) {
        let words: Vec<_> = line.split_whitespace().take(4).collect();
        assert_eq!((words[0], words[1], words[3]), ("ok", *name, "s"), "{line}");
        words[2].parse::<f64>().unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    for part in ["7 of 7 checks passed", "the cluster stays up; `recorder test --cleanup` removes it"] {
        assert!(first.stderr.contains(part), "{part} in: {}", first.stderr);
    }

    // People reach it as they were told, and what they keep there is left alone.
    etcdctl(&listeners[1], "put mine kept").expect_code(0);
    let again = test(home, "--json", 0);
    assert!(again.stderr.contains("testing the cluster that is up, which stays up"), "{}", again.stderr);
    let again = parsed(&again);
    all_passed(&again);
    assert_eq!(again["cluster"]["backend"], "sandbox");
    assert_eq!(again["cluster"]["etcd_version"], etcd_version());
    for (number, listener) in listeners.iter().enumerate() {
        let node = &again["cluster"]["nodes"][number];
        assert_eq!(
            (&node["name"], &node["endpoint"]),
            (&format!("etcd{number}").into(), &format!("http://{listener}").into())
        );
    }
    for made in again["checks"].as_array().unwrap() {
        assert!(
            made["seconds"].as_f64().is_some() && made["detail"].as_str().is_some_and(|text| !text.is_empty()),
            "{made}"
        );
        assert_eq!(
            (&made["expected"], &made["seen"], &made["members"]),
            (&Value::Null, &Value::Null, &serde_json::json!([]))
        );
    }
    assert_eq!(etcdctl(&listeners[0], "get a --from-key --keys-only").stdout.trim(), "mine");
    assert_no_key_left(&listeners[2]);
    home.status(0);

    let cleanup = home.recorder("test --cleanup").expect_code(0);
    assert!(cleanup.stderr.contains("etcd0, etcd1, etcd2"), "{}", cleanup.stderr);
    home.assert_nothing_left();
    let cleanup = home.recorder("test --cleanup").expect_code(0);
    assert!(cleanup.stderr.contains("no cluster is up"), "{}", cleanup.stderr);
}

#[test]
fn a_cluster_is_brought_up_tested_left_up_and_removed() {
    let _one = one_at_a_time();
    let home = Home::new();
    goes_through_its_life(&home);
}

#[test]
fn an_unprivileged_user_can_do_all_of_it() {
    let _one = one_at_a_time();
    let home = Home::of_nobody();
    goes_through_its_life(&home);
}

#[test]
fn five_members_are_tested_once_and_removed() {
    let _one = one_at_a_time();
    let home = Home::new();
    let mut command = test_command(&home, "--once --json");
    let finished = run(command.env("NODES", "5").env("ETCD_VERSION", etcd_version())).expect_code(0);
    let tested = parsed(&finished);
    all_passed(&tested);
    assert_eq!(tested["cluster"]["nodes"].as_array().map(Vec::len), Some(5));
    assert!(!finished.stderr.contains("stays up"), "{}", finished.stderr);
    home.assert_nothing_left();

    // The option comes before the variable.
    let finished = run(test_command(&home, "--once --nodes 3 --skip lease").env("NODES", "5")).expect_code(0);
    assert!(finished.stdout.contains("Node 3: ") && !finished.stdout.contains("Node 4: "), "{}", finished.stdout);
    assert!(finished.stdout.contains("\nskipped   lease "), "{}", finished.stdout);
    home.assert_nothing_left();
}

#[test]
fn what_cannot_be_tested_is_said_and_nothing_is_brought_up() {
    let _one = one_at_a_time();
    let home = Home::new();
    let refused = |mut command: Command, code: i32, parts: &[&str]| {
        let finished = run(&mut command).expect_code(code);
        for part in parts {
            assert!(finished.stderr.contains(part), "{part} in: {}", finished.stderr);
        }
        assert_eq!(finished.stdout, "");
    };
    let with = |options: &str, name: &str, value: &str| {
        let mut command = test_command(&home, options);
        command.env(name, value);
        command
    };
    refused(with("", "NODES", "4"), 2, &["$NODES", "\"4\"", "3, 5 or 7"]);
    refused(with("", "NODES", "many"), 2, &["$NODES", "\"many\""]);
    refused(test_command(&home, "--nodes 4"), 2, &["--nodes", "3, 5, 7"]);
    refused(with("", "ETCD_VERSION", "9.9.9"), 3, &["$ETCD_VERSION asks for 9.9.9", "put that version's binary"]);
    refused(test_command(&home, "--etcd-version 9.9.9"), 3, &["--etcd-version", "9.9.9"]);
    refused(test_command(&home, "--etcd /nonexistent/etcd"), 3, &["--etcd"]);
    refused(test_command(&home, "--skip nonsense"), 2, &["--skip", "members, consistency, replication"]);
    let all = CHECKS.map(|check| format!("--skip {check}")).join(" ");
    refused(test_command(&home, &all), 2, &["no check is left"]);
    refused(
        home.command("test --endpoints 127.0.0.1:1,127.0.0.1:2"),
        3,
        &["127.0.0.1:1: ", "127.0.0.1:2: ", "refused"],
    );
    refused(home.command("test --endpoints 127.0.0.1:1,localhost:1"), 2, &["127.0.0.1:1 and localhost:1 are the same"]);
    refused(home.command("test --endpoints 127.0.0.1:1,127.0.0.1:2 --nodes 3"), 2, &["--nodes", "--endpoints names 2"]);
    refused(home.command("test --endpoints 127.0.0.1:1 --once"), 2, &["--once"]);
    refused(home.command("test --cleanup --json"), 2, &["--cleanup"]);
    home.assert_nothing_left();
}

#[test]
fn a_cluster_that_is_not_what_was_asked_for_is_left_alone() {
    let _one = one_at_a_time();
    let home = Home::new();
    home.up("");
    for (options, parts) in
        [("--once", ["--once", "leave --once out"]), ("--nodes 5", ["--nodes asks for 5", "recorder down"])]
    {
        let refused = test(&home, options, 2);
        assert!(parts.iter().all(|part| refused.stderr.contains(part)), "{}", refused.stderr);
    }
    let refused = run(test_command(&home, "").env("NODES", "7")).expect_code(2);
    assert!(refused.stderr.contains("$NODES asks for 7"), "{}", refused.stderr);
    let refused = run(test_command(&home, "").env("ETCD_VERSION", "9.9.9")).expect_code(3);
    assert!(refused.stderr.contains("asks for 9.9.9"), "{}", refused.stderr);
    home.status(0);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

/// The check that failed is this one, at these members, and no other failed; the others say of what they could not be made.
fn only_failure<'a>(tested: &'a Value, name: &str, members: &[&str]) -> &'a str {
    assert_eq!(by_result(tested)["failed"], [name], "{tested}");
    assert_eq!(tested["passed"], false);
    let failed = check(tested, name);
    assert_eq!(failed["members"], serde_json::json!(members), "{failed}");
    assert!(failed["expected"].as_str().is_some_and(|text| !text.is_empty()), "{failed}");
    failed["seen"].as_str().unwrap_or_else(|| panic!("{failed}"))
}

#[test]
fn a_paused_member_is_named_and_nothing_hangs() {
    let _one = one_at_a_time();
    let home = Home::new();
    home.up("");
    home.recorder("pause etcd1").expect_code(0);
    let began = Instant::now();
    let tested = test_json(&home, "", 1);
    assert!(began.elapsed() < BROKEN_TIMEOUT, "{:?}", began.elapsed());
    let seen = only_failure(&tested, "members", &["etcd1"]);
    assert!(seen.contains("etcd1: no answer") && seen.contains("its process is paused"), "{seen}");
    // The others were made where they could be, which is not everywhere.
    assert_eq!(by_result(&tested)["not_made"], CHECKS[1..]);
    for name in &CHECKS[1..6] {
        let detail = check(&tested, name)["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("without etcd1, which could not be asked (its process is paused)")
                && detail.contains("it held"),
            "{detail}"
        );
    }
    let detail = check(&tested, "member-failure")["detail"].as_str().unwrap();
    assert!(detail.contains("another one must not be killed"), "{detail}");

    // The same in words, with two of them: nothing can be written.
    home.recorder("pause etcd2").expect_code(0);
    let began = Instant::now();
    let finished = test(&home, "", 1);
    assert!(began.elapsed() < BROKEN_TIMEOUT, "{:?}", began.elapsed());
    for part in [
        "FAILED    members ",
        "\n          expected  3 members",
        "\n          seen      etcd1: ",
        "etcd0 knows no leader",
    ] {
        assert!(finished.stdout.contains(part), "{part} in: {}", finished.stdout);
    }
    assert_eq!(
        finished.stdout.matches("none of those that answer (etcd0) knows a leader").count(),
        6,
        "{}",
        finished.stdout
    );

    for member in ["etcd1", "etcd2"] {
        home.recorder(&format!("resume {member}")).expect_code(0);
    }
    wait_until("they agree again", Duration::from_secs(20), || home.recorder("status").code == Some(0));
    all_passed(&test_json(&home, "", 0));
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

/// Folder of a member's data.
fn data_of(home: &Home, member: &str) -> PathBuf {
    PathBuf::from(home.state()["data"].as_str().expect("the sandbox says where its data are")).join(member)
}

#[test]
fn a_member_whose_data_were_wiped_is_named_with_what_it_said() {
    let _one = one_at_a_time();
    let home = Home::new();
    let listeners = home.up("");
    etcdctl(&listeners[0], "put before wipe").expect_code(0);
    home.recorder("kill etcd1").expect_code(0);
    std::fs::remove_dir_all(data_of(&home, "etcd1")).unwrap();
    // It has voted and acknowledged what it knows nothing of any more, and etcd refuses to go on with that.
    home.recorder("restart etcd1").expect_code(1);
    let tested = test_json(&home, "", 1);
    let seen = only_failure(&tested, "members", &["etcd1"]);
    assert!(seen.contains("its process has ended") && seen.contains("its log ends with"), "{seen}");
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn a_member_that_holds_something_else_is_named_with_both_hashes() {
    let _one = one_at_a_time();
    let home = Home::new();
    let listeners = home.up("");
    // Long enough to be found in the file, where it stands as it is.
    let value = "the-value-that-every-member-should-hold".repeat(8);
    etcdctl(&listeners[0], &format!("put precious {value}")).expect_code(0);
    let file = data_of(&home, "etcd1").join("member/snap/db");
    let find = || {
        let bytes = std::fs::read(&file).unwrap();
        bytes.windows(value.len()).position(|part| part == value.as_bytes())
    };
    wait_until("the value is in the file", Duration::from_secs(10), || find().is_some());
    home.recorder("kill etcd1").expect_code(0);
    let mut bytes = std::fs::read(&file).unwrap();
    // Every copy of it: pages that are not in use any more are not read.
    while let Some(at) = bytes.windows(value.len()).position(|part| part == value.as_bytes()) {
        bytes[at] = b'T';
    }
    std::fs::write(&file, bytes).unwrap();
    home.recorder("restart etcd1").expect_code(0);
    let get =
        |listener: &str| etcdctl(listener, "get precious --consistency=s --print-value-only").expect_code(0).stdout;
    assert!(get(&listeners[0]).starts_with("the-") && get(&listeners[1]).starts_with("The-"), "it was changed");

    let tested = test_json(&home, "", 1);
    let seen = only_failure(&tested, "replication", &["etcd1"]);
    let (good, odd) = seen.split_once("; etcd1: hash ").unwrap_or_else(|| panic!("{seen}"));
    let good = good.strip_prefix("etcd0, etcd2: hash ").unwrap_or_else(|| panic!("{seen}"));
    assert!(good != odd && [good, odd].iter().all(|hash| u32::from_str_radix(hash, 16).is_ok()), "{seen}");
    let failure = check(&tested, "member-failure");
    assert_eq!(failure["result"], "not_made", "no member is killed beside a damaged one: {failure}");
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

fn started(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the recorder starts")
}

/// Options that leave every check out but this one.
fn only(check: &str) -> String {
    CHECKS.iter().filter(|other| **other != check).map(|other| format!("--skip {other} ")).collect()
}

fn members_running(home: &Home) -> usize {
    mentioning(home.place.path(), "--name=etcd").len()
}

#[test]
fn a_signal_while_a_member_is_down_starts_it_again() {
    let _one = one_at_a_time();
    let home = Home::new();
    let listeners = home.up("");
    for ending in [Signal::SIGINT, Signal::SIGTERM] {
        let under_way = started(test_command(&home, &format!("--json {}", only("member-failure"))));
        wait_until("a member is killed", Duration::from_secs(30), || members_running(&home) == 2);
        // Twice, as `timeout` does: that is no second one.
        signal(under_way.id() as i32, ending);
        std::thread::sleep(Duration::from_millis(20));
        signal(under_way.id() as i32, ending);
        let finished = Finished::from(under_way.wait_with_output().unwrap()).expect_code(130);
        assert_eq!(members_running(&home), 3, "{}", finished.stderr);
        assert!(finished.stderr.contains("interrupted by SIG"), "{}", finished.stderr);
        let detail = check(&parsed(&finished), "member-failure")["detail"].clone();
        assert!(detail.as_str().is_some_and(|detail| detail.contains("interrupted by SIG")), "{detail}");
        wait_until("it is back", Duration::from_secs(20), || home.recorder("status").code == Some(0));
        assert_no_key_left(&listeners[0]);
    }
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn a_test_that_is_interrupted_removes_what_it_brought_up() {
    let _one = one_at_a_time();
    let home = Home::new();
    // While the members start.
    let under_way = started(test_command(&home, "--once --nodes 7"));
    wait_until("the first member", Duration::from_secs(10), || members_running(&home) > 0);
    signal(under_way.id() as i32, Signal::SIGINT);
    Finished::from(under_way.wait_with_output().unwrap()).expect_code(130);
    home.assert_nothing_left();

    // While a check is under way.
    let mut under_way = started(test_command(&home, "--once"));
    let mut lines = BufReader::new(under_way.stdout.take().unwrap()).lines();
    let replicated = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(" replication ")));
    assert!(replicated.is_some_and(|line| line.unwrap().starts_with("ok")));
    signal(under_way.id() as i32, Signal::SIGINT);
    let rest: Vec<_> = lines.map(|line| line.unwrap()).collect();
    assert!(rest.iter().all(|line| line.starts_with("not made")) && rest.len() == 4, "{rest:?}");
    Finished::from(under_way.wait_with_output().unwrap()).expect_code(130);
    home.assert_nothing_left();
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let _one = one_at_a_time();
    let home = Home::new();
    home.up("");
    let mut under_way = started(test_command(&home, ""));
    let mut lines = BufReader::new(under_way.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(" replication ")));
    // Nobody answers any more, so clearing up takes its time.
    for member in mentioning(home.place.path(), "--name=etcd") {
        signal(member, Signal::SIGSTOP);
    }
    signal(under_way.id() as i32, Signal::SIGINT);
    assert!(lines.any(|line| line.unwrap().contains(" member-failure ")));
    // Sooner it would be the same one, sent twice.
    std::thread::sleep(Duration::from_millis(400));
    signal(under_way.id() as i32, Signal::SIGINT);
    let finished = Finished::from(under_way.wait_with_output().unwrap()).expect_code(130);
    assert!(finished.stderr.contains("ended at once"), "{}", finished.stderr);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn endpoints_are_tested_as_far_as_they_answer() {
    let _one = one_at_a_time();
    let home = Home::new();
    let listeners = home.up("");
    let all = listeners.join(",");
    let finished = home.recorder(&format!("test --json --endpoints {all}")).expect_code(1);
    let tested = parsed(&finished);
    assert_eq!(tested["cluster"]["backend"], "endpoints");
    assert_eq!(by_result(&tested)["passed"], CHECKS[..6]);
    let failure = check(&tested, "member-failure");
    assert!(failure["detail"].as_str().is_some_and(|detail| detail.starts_with("killing a member needs")), "{failure}");
    assert!(!finished.stderr.contains("--cleanup"), "{}", finished.stderr);
    home.recorder(&format!("test --endpoints http://{} --skip member-failure", listeners.join(",http://")))
        .expect_code(0);

    // What is not there is not tested, and said.
    let two =
        parsed(&home.recorder(&format!("test --json --endpoints {},{}", listeners[0], listeners[1])).expect_code(1));
    let seen = only_failure(&two, "members", &[&listeners[0], &listeners[1]]);
    assert!(seen.contains("knows 3 members (etcd0, etcd1, etcd2)"), "{seen}");
    let dead = "127.0.0.1:1";
    let half = parsed(
        &home
            .recorder(&format!("test --json --endpoints {},{},{dead} --skip lease", listeners[0], listeners[1]))
            .expect_code(1),
    );
    let seen = only_failure(&half, "members", &[dead]);
    assert!(seen.contains("127.0.0.1:1: connection refused"), "{seen}");
    assert_eq!(by_result(&half)["skipped"], ["lease"]);
    let refused = run(home.command(&format!("test --endpoints {all}")).env("ETCD_VERSION", "9.9.9")).expect_code(3);
    assert!(refused.stderr.contains("asks for 9.9.9"), "{}", refused.stderr);
    assert_no_key_left(&listeners[2]);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

/// Removes the members, whatever a test that fails leaves of them.
struct Removed<'a>(&'a Workplace);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        run(&mut docker("unpause etcd1"));
        recorder(self.0, "down --cluster docker --volumes");
    }
}

fn recorder(place: &Workplace, arguments: &str) -> Finished {
    run(&mut place.recorder_beside_engine(arguments))
}

/// What recorders have on the engine.
fn all_left() -> Vec<String> {
    let label = "--filter label=laggard.made-by=recorder";
    ["ps --all", "network ls", "volume ls"]
        .iter()
        .flat_map(|list| lines_of(&format!("{list} {label} --quiet")))
        .collect()
}

#[test]
fn containers_are_tested_once_and_removed_with_their_data() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let _removed = Removed(&place);
    let tested = parsed(&recorder(&place, "test --cluster docker --once --json").expect_code(0));
    all_passed(&tested);
    assert_eq!((&tested["cluster"]["backend"], all_left()), (&"docker".into(), vec![]));

    // Left up, tested again, and removed.
    recorder(&place, "test --cluster docker --skip lease").expect_code(0);
    assert_eq!(lines_of("ps --filter name=^/etcd[0-9]+$ --quiet").len(), 3);
    recorder(&place, "test --cluster docker --skip lease --skip member-failure").expect_code(0);
    recorder(&place, "test --cleanup --cluster docker").expect_code(0);
    assert_eq!(all_left(), Vec::<String>::new());
}

#[test]
fn a_paused_container_is_named_and_data_of_others_stay() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let _removed = Removed(&place);
    recorder(&place, "up --cluster docker").expect_code(0);
    run(&mut docker("pause etcd1")).expect_code(0);
    let began = Instant::now();
    let tested = parsed(&recorder(&place, "test --cluster docker --json").expect_code(1));
    assert!(began.elapsed() < BROKEN_TIMEOUT, "{:?}", began.elapsed());
    let seen = only_failure(&tested, "members", &["etcd1"]);
    assert!(seen.contains("its container is paused"), "{seen}");
    run(&mut docker("unpause etcd1")).expect_code(0);
    wait_until("they agree again", Duration::from_secs(20), || {
        recorder(&place, "status --cluster docker").code == Some(0)
    });

    // A signal while a container is down.
    let under_way = started(place.recorder_beside_engine(&format!("test --cluster docker {}", only("member-failure"))));
    let running = || lines_of("ps --filter name=^/etcd[0-9]+$ --quiet").len();
    wait_until("a container is killed", Duration::from_secs(30), || running() == 2);
    signal(under_way.id() as i32, Signal::SIGINT);
    Finished::from(under_way.wait_with_output().unwrap()).expect_code(130);
    assert_eq!(running(), 3);
    wait_until("it is back", Duration::from_secs(20), || recorder(&place, "status --cluster docker").code == Some(0));

    // `recorder up` made it, so its data are somebody's.
    recorder(&place, "test --cleanup --cluster docker").expect_code(0);
    assert_eq!(lines_of("ps --all --filter label=laggard.made-by=recorder --quiet").len(), 0);
    assert_eq!(lines_of("volume ls --filter label=laggard.made-by=recorder --quiet").len(), 3);
    recorder(&place, "up --cluster docker").expect_code(0);
    recorder(&place, "down --cluster docker --volumes").expect_code(0);
    assert_eq!(all_left(), Vec::<String>::new());
}
