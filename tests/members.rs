//! Single members of clusters that stay up, killed, restarted and held; and how `recorder status` shows it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use end_to_end::home::{Home, etcdctl};
use end_to_end::processes::{mentioning, signal, wait_until};
use end_to_end::{Finished, engine, graphviz, mermaid, one_at_a_time, run};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Time for an election, with room for a busy machine.
const ELECTION: Duration = Duration::from_secs(20);

/// Waits until every member but the lost ones is healthy again and one of these leads, and returns the status.
fn settled(home: &Home, lost: usize) -> Value {
    let code = if lost == 0 { 0 } else { 1 };
    let mut last = Value::Null;
    wait_until("the others agree", ELECTION, || {
        let finished = home.recorder("status --format json");
        last = serde_json::from_str(&finished.stdout).unwrap_or_default();
        let members = || last["members"].as_array().into_iter().flatten();
        let problems = members().filter(|row| !row["problem"].is_null()).count();
        finished.code == Some(code) && problems == lost && members().any(|row| row["role"] == "leader")
    });
    last
}

fn row<'a>(status: &'a Value, member: &str) -> &'a Value {
    let members = status["members"].as_array().expect("members");
    members.iter().find(|row| row["member"] == member).unwrap_or_else(|| panic!("no {member} in {status}"))
}

#[test]
fn two_restarts_at_once_leave_one_member() {
    let _one = one_at_a_time();
    let home = Home::new();
    home.up("");
    let restarts: Vec<_> =
        (0..2).map(|_| home.command("restart etcd1").stderr(Stdio::piped()).spawn().expect("it starts")).collect();
    for restart in restarts {
        Finished::from(restart.wait_with_output().expect("it ends")).expect_code(0);
    }
    settled(&home, 0);
    assert_eq!(mentioning(home.place.path(), "--name=etcd1").len(), 1);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn members_are_killed_and_come_back_with_what_they_missed() {
    let _one = one_at_a_time();
    for nodes in [3, 5] {
        let home = Home::new();
        let listeners = home.up(&format!("--nodes {nodes}"));
        let before = home.status(0);
        let leader = before["leader"].as_str().expect("a leader").to_owned();

        let killed = home.recorder("kill leader").expect_code(0);
        assert!(killed.stderr.contains(&format!("`recorder restart {leader}`")), "{}", killed.stderr);
        assert!(mentioning(home.place.path(), &format!("--name={leader}")).is_empty(), "its process is left");
        let after = settled(&home, 1);
        assert_ne!(after["leader"], before["leader"]);
        // A member tells the term of what it applied last: the new one comes with the new leader's first entry.
        let newer = || home.status(1)["raft_term"].as_u64() > before["raft_term"].as_u64();
        wait_until("the new term is told", ELECTION, newer);
        let gone = row(&after, &leader);
        assert_eq!((&gone["role"], &gone["raft_index"]), (&Value::from("unreachable"), &Value::Null));
        assert_eq!(gone["problem"], "its process has ended (killed by SIGKILL)");

        let new_leader =
            row(&after, after["leader"].as_str().expect("a leader"))["listener"].as_str().expect("it has one");
        for key in 0..5 {
            etcdctl(new_leader, &format!("put missed{key} value")).expect_code(0);
        }
        let again = home.recorder(&format!("kill {leader}")).expect_code(2);
        assert!(again.stderr.contains("does not run"), "{}", again.stderr);

        let restarted = home.recorder(&format!("restart {leader}")).expect_code(0);
        assert!(restarted.stderr.contains(&format!("{leader} is back after")), "{}", restarted.stderr);
        let at = before["members"].as_array().expect("members").iter().position(|row| row["member"] == *leader);
        let listener = &listeners[at.expect("it is one of them")];
        let all = || etcdctl(listener, "get --consistency=s --prefix missed --keys-only").stdout;
        wait_until("it has what it missed", ELECTION, || all().split_whitespace().count() == 5);
        settled(&home, 0);

        // One that runs ends in good order first.
        let old = mentioning(home.place.path(), &format!("--name={leader}"));
        home.recorder(&format!("restart {leader}")).expect_code(0);
        assert_ne!(mentioning(home.place.path(), &format!("--name={leader}")), old);
        home.recorder("down").expect_code(0);
        home.assert_nothing_left();
    }
}

#[test]
fn a_paused_member_is_shown_as_such_and_goes_on() {
    let _one = one_at_a_time();
    let home = Home::of_nobody();
    home.up("");
    let leader = home.status(0)["leader"].as_str().expect("a leader").to_owned();
    let asked = Instant::now();
    home.recorder("pause leader").expect_code(0);
    let after = settled(&home, 1);
    assert_ne!(after["leader"], *leader);
    assert_eq!(row(&after, &leader)["problem"], "its process is paused");
    assert!(asked.elapsed() < ELECTION);
    for (command, problem) in [("pause", "is paused already"), ("resume etcd9", "etcd0, etcd1, etcd2")] {
        let command = if command.contains(' ') { command.to_owned() } else { format!("{command} {leader}") };
        let refused = home.recorder(&command).expect_code(2);
        assert!(refused.stderr.contains(problem), "{problem} in: {}", refused.stderr);
    }
    home.recorder(&format!("resume {leader}")).expect_code(0);
    settled(&home, 0);
    let refused = home.recorder(&format!("resume {leader}")).expect_code(2);
    assert!(refused.stderr.contains("is not paused"), "{}", refused.stderr);
    // What is paused cannot end in good order, and is restarted and ended all the same.
    home.recorder("pause follower").expect_code(0);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
    for command in ["kill etcd0", "restart leader", "pause etcd1", "resume follower"] {
        let nothing = home.recorder(command).expect_code(3);
        assert!(nothing.stderr.contains("recorder up"), "{}", nothing.stderr);
    }
}

#[test]
fn a_member_whose_data_were_wiped_does_not_come_back_and_its_log_says_why() {
    let _one = one_at_a_time();
    let home = Home::new();
    home.up("");
    home.recorder("kill etcd2").expect_code(0);
    let data = home.state()["data"].as_str().expect("the data's folder").to_owned();
    std::fs::remove_dir_all(format!("{data}/etcd2")).expect("its data can be removed");
    let restarted = home.recorder("restart etcd2").expect_code(1);
    for part in ["etcd2 was started and does not run", "its log ends with", "already been bootstrapped"] {
        assert!(restarted.stderr.contains(part), "{part} in: {}", restarted.stderr);
    }
    let status = settled(&home, 1);
    let problem = row(&status, "etcd2")["problem"].as_str().unwrap_or_default().to_owned();
    assert!(problem.starts_with("its process has ended (exit status"), "{problem}");
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn every_format_shows_every_member_and_real_parsers_take_the_graphs() {
    let _one = one_at_a_time();
    let home = Home::new();
    home.up("--nodes 5");
    home.recorder("kill etcd3").expect_code(0);
    let status = settled(&home, 1);
    let mut drawn = Vec::new();
    for (format, ending) in [("table", "txt"), ("ascii", "txt"), ("mermaid", "mmd"), ("graphviz", "dot")] {
        let file = home.place.path().join(format!("{format}.{ending}"));
        let finished = home.recorder(&format!("status --format {format} --output {}", file.display())).expect_code(1);
        assert!(finished.stdout.is_empty() && finished.stderr.contains("etcd3: its process"), "{finished:?}");
        let text = std::fs::read_to_string(&file).expect("it was written");
        for member in 0..5 {
            assert!(text.contains(&format!("etcd{member}")), "etcd{member} in {text}");
        }
        assert!(text.contains("unreachable"), "{text}");
        drawn.push(file);
    }
    assert_eq!(status["members"].as_array().map(Vec::len), Some(5));
    if let Some(parsed) = mermaid::parse(&drawn[2..3]) {
        assert!(parsed.expect_code(0).stdout.contains("flowchart"));
    }
    if let Some(parsed) = graphviz::parse(&drawn[3..]) {
        let parsed = parsed.expect_code(0);
        assert!(parsed.stderr.is_empty() && parsed.stdout.contains("etcd3"), "{parsed:?}");
    }
    let nowhere = home.recorder("status --output nowhere/file").expect_code(1);
    assert!(nowhere.stderr.contains("--output nowhere/file"), "{}", nowhere.stderr);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn endpoints_are_asked_and_those_that_refuse_are_named() {
    let _one = one_at_a_time();
    let home = Home::new();
    let listeners = home.up("");
    let all = listeners.join(",").replace("127.0.0.1", "localhost");
    let table = home.recorder(&format!("status --endpoints {all}")).expect_code(0).stdout;
    assert!(table.contains("etcd2") && table.contains("leader") && !table.contains("listener"), "{table}");

    let half = home.recorder(&format!("status --endpoints {},127.0.0.1:9 --format json", listeners[1])).expect_code(1);
    let status: Value = serde_json::from_str(&half.stdout).expect("JSON");
    assert_eq!(row(&status, "etcd1")["address"], listeners[1]);
    assert_eq!(row(&status, "127.0.0.1:9")["problem"], "connection refused");
    assert!(status["about"].as_str().is_some_and(|about| about.contains("etcd0, etcd2")), "{status}");
    assert!(half.stderr.contains("127.0.0.1:9: connection refused"), "{}", half.stderr);

    // A member that does not answer any more keeps its name, and the others' word for it that it leads.
    let watching = Watching::start(home.command(&format!("status --watch 200ms --endpoints {all}")));
    watching.expect(&["member", "role"]);
    let leader = home.status(0)["leader"].as_str().expect("a leader").to_owned();
    home.recorder("kill leader").expect_code(0);
    watching.expect(&[&leader, "is lost: "]);
    watching.expect(&["leads in term", &format!("in place of {leader}")]);
    home.recorder(&format!("restart {leader}")).expect_code(0);
    watching.expect(&[&leader, "is back as follower"]);
    watching.end().expect_code(0);
    settled(&home, 0);
    let asked = Instant::now();

    // A paused member takes connections and says nothing.
    home.recorder("pause etcd0").expect_code(0);
    let partial = home.recorder(&format!("status --endpoints {all}")).expect_code(1);
    assert!(partial.stdout.contains("unreachable") && partial.stderr.contains("no answer within 2 s"), "{partial:?}");
    assert!(asked.elapsed() < Duration::from_secs(30), "it hung");

    let none = home.recorder("status --endpoints 127.0.0.1:9,127.0.0.1:11").expect_code(3);
    for endpoint in ["127.0.0.1:9: connection refused", "127.0.0.1:11: connection refused"] {
        assert!(none.stderr.contains(endpoint), "{}", none.stderr);
    }
    for (options, problem) in [
        ("--endpoints 127.0.0.1:9,localhost:9", "same address"),
        ("--endpoints https://localhost", "TLS"),
        ("--endpoints localhost --cluster docker", "cannot be used with"),
        ("--watch 1ms", "--watch: 1ms"),
        ("--watch 1", "has no unit"),
        ("--watch --format mermaid", "--output"),
    ] {
        let refused = home.recorder(&format!("status {options}")).expect_code(2);
        assert!(refused.stderr.contains(problem), "{problem} in: {}", refused.stderr);
    }
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

/// Raises an alarm as a member does that has no room left, by etcd's own interface.
fn raise_no_space(listener: &str, member_id: &str) {
    let id = u64::from_str_radix(member_id, 16).expect("an id in hexadecimal");
    let body = format!(r#"{{"action":"ACTIVATE","memberID":"{id}","alarm":"NOSPACE"}}"#);
    let mut stream = TcpStream::connect(listener).expect("the listener");
    let length = body.len();
    write!(stream, "POST /v3/maintenance/alarm HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}")
        .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("200 OK"), "{answer}");
}

#[test]
fn an_alarm_is_shown_at_the_member_that_raises_it() {
    let _one = one_at_a_time();
    let home = Home::new();
    let listeners = home.up("");
    assert!(!home.recorder("status").expect_code(0).stdout.contains("alarms"));
    let id = row(&home.status(0), "etcd1")["member_id"].as_str().expect("an id").to_owned();
    raise_no_space(&listeners[0], &id);
    let mut status = Value::Null;
    wait_until("the alarm is everywhere", ELECTION, || {
        status = serde_json::from_str(&home.recorder("status --format json").stdout).unwrap_or_default();
        row(&status, "etcd1")["alarms"] == serde_json::json!(["NOSPACE"])
    });
    assert_eq!(
        (&row(&status, "etcd1")["problem"], &row(&status, "etcd0")["problem"]),
        (&Value::from("alarm NOSPACE"), &Value::Null)
    );
    let table = home.recorder("status").expect_code(1);
    assert!(table.stdout.contains("alarms") && table.stdout.contains("NOSPACE"), "{}", table.stdout);
    // It is no reason to wait for a member, and stands also while that one is down.
    home.recorder("kill etcd1").expect_code(0);
    assert_eq!(row(&home.status(1), "etcd1")["alarms"], serde_json::json!(["NOSPACE"]));
    let others = [&listeners[0], &listeners[2]].map(String::as_str).join(",");
    let others = home.recorder(&format!("status --endpoints {others}")).expect_code(1);
    assert!(others.stderr.contains("alarm NOSPACE at etcd1"), "{}", others.stderr);
    let restarted = home.recorder("restart etcd1").expect_code(0);
    assert!(
        restarted.stderr.contains("is back after") && restarted.stderr.contains("alarm NOSPACE"),
        "{}",
        restarted.stderr
    );
    home.recorder("exec -- etcdctl alarm disarm").expect_code(0);
    settled(&home, 0);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

/// A watching recorder, and its lines as they come.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// Waits for a line with all these parts, and returns it.
    fn expect(&self, parts: &[&str]) -> String {
        let deadline = Instant::now() + ELECTION;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if parts.iter().all(|part| line.contains(part)) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no line with {parts:?} in:\n{}", seen.join("\n")),
            }
        }
    }

    fn end(self) -> Finished {
        signal(self.child.id() as i32, Signal::SIGINT);
        Finished::from(self.child.wait_with_output().expect("it ends"))
    }
}

#[test]
fn watching_tells_an_election_and_a_recovery_as_they_happen() {
    let _one = one_at_a_time();
    let home = Home::new();
    home.up("");
    let leader = home.status(0)["leader"].as_str().expect("a leader").to_owned();
    let plain = Watching::start(home.command("status --watch 200ms"));
    let json = Watching::start(home.command("status --watch 200ms --format json"));
    // On a terminal; script gives it one.
    let mut on_terminal = Command::new("script");
    let status = home.command("status --watch 200ms");
    let command =
        format!("stty cols 100 rows 24; exec {} status --watch 200ms", status.get_program().to_string_lossy());
    on_terminal.args(["--quiet", "--flush", "--return", "--command", &command, "/dev/null"]);
    on_terminal.current_dir(home.place.path()).env("XDG_RUNTIME_DIR", home.runtime_folder()).stdin(Stdio::null());
    on_terminal.env("DOCKER_HOST", end_to_end::NO_ENGINE);
    let terminal = Watching::start(on_terminal);
    plain.expect(&["member", "role", "lag"]);
    json.expect(&["\"changes\":[]"]);
    terminal.expect(&["Ctrl-C ends this"]);

    home.recorder("kill leader").expect_code(0);
    for watching in [&plain, &terminal] {
        watching.expect(&[&leader, "is lost: its process has ended"]);
        watching.expect(&["leads in term", &format!("in place of {leader}")]);
    }
    let told: Value = serde_json::from_str(&json.expect(&["in place of"])).expect("an object a line");
    assert_eq!(told["healthy"], false);
    assert!(told["changes"][0]["member"].is_string() && told["changes"][0]["time"].is_string(), "{told}");
    home.recorder(&format!("restart {leader}")).expect_code(0);
    for watching in [&plain, &json, &terminal] {
        watching.expect(&[&leader, "is back as follower"]);
    }
    // What has changed is marked, and all is drawn over what was drawn before.
    let drawn = terminal.expect(&["\x1b[7m", &leader]);
    assert!(drawn.starts_with("\x1b[2K") && drawn.trim_end().ends_with("\x1b[0m"), "{drawn:?}");
    plain.end().expect_code(0);
    json.end().expect_code(0);
    // script passes its terminal's end on.
    terminal.end();

    // Nobody reads it any more.
    let mut unread = home.command("status --watch 100ms --format json");
    let mut unread = unread.stdout(Stdio::piped()).spawn().expect("it starts");
    drop(unread.stdout.take());
    assert_eq!(unread.wait().expect("it ends").code(), Some(0));

    // It may be just being asked when it ends.
    home.recorder("pause follower").expect_code(0);
    let plain = Watching::start(home.command("status --watch 100ms"));
    plain.expect(&["member"]);
    home.recorder("down").expect_code(0);
    let ended = Finished::from(plain.child.wait_with_output().expect("it ends")).expect_code(3);
    assert!(ended.stderr.contains("the cluster is gone"), "{}", ended.stderr);
    home.assert_nothing_left();
}

#[test]
fn members_in_containers_are_treated_alike() {
    let _one = one_at_a_time();
    let Some(place) = engine::ready() else { return };
    let recorder = |arguments: &str| run(&mut place.recorder_beside_engine(arguments));
    let status = || -> Value {
        serde_json::from_str(&recorder("status --cluster docker --format json").stdout).unwrap_or_default()
    };
    let healthy = || wait_until("all are healthy", ELECTION, || status()["healthy"] == true);
    recorder("up --cluster docker").expect_code(0);
    let outcome = std::panic::catch_unwind(|| {
        let leader = status()["leader"].as_str().expect("a leader").to_owned();
        for (action, problem) in [("kill", "its container has ended"), ("pause", "its container is paused")] {
            recorder(&format!("{action} {leader} --cluster docker")).expect_code(0);
            wait_until("it is shown", ELECTION, || {
                row(&status(), &leader)["problem"].as_str().is_some_and(|shown| shown.starts_with(problem))
            });
            let refused = recorder(&format!("{action} {leader} --cluster docker")).expect_code(2);
            assert!(refused.stderr.contains(&leader), "{}", refused.stderr);
            let back = recorder(&format!("restart {leader} --cluster docker")).expect_code(0);
            assert!(back.stderr.contains("is back after"), "{}", back.stderr);
            healthy();
        }
        recorder("pause follower --cluster docker").expect_code(0);
        wait_until("it is shown", ELECTION, || status()["healthy"] == false);
        let paused = status()["members"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|row| !row["problem"].is_null())
            .map(|row| row["member"].clone());
        let paused = paused.as_ref().and_then(Value::as_str).expect("one is paused").to_owned();
        recorder(&format!("resume {paused} --cluster docker")).expect_code(0);
        healthy();
        // What others do to containers is seen just as well.
        run(&mut engine::docker(&format!("stop --time 1 {leader}"))).expect_code(0);
        wait_until("it is shown", ELECTION, || row(&status(), &leader)["role"] == "unreachable");
        run(&mut engine::docker(&format!("start {leader}"))).expect_code(0);
        healthy();
    });
    recorder("down --cluster docker").expect_code(0);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
