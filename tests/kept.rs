//! Clusters that stay up in a sandbox: the commands that start, show, enter and end them, and what goes wrong.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use end_to_end::home::{Home, etcdctl};
use end_to_end::processes::{assert_nothing_left, mentioning, signal, wait_until};
use end_to_end::{Finished, NOBODY, binaries, one_at_a_time, run};
use nix::sys::signal::Signal;
use run_folder::RunFolder;
use serde_json::Value;

/// Mounts of the host in the two places where a sandbox mounts something.
fn host_mounts() -> Vec<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let covered = |line: &&str| matches!(line.split(' ').nth(4), Some("/proc" | "/run"));
    mounts.lines().filter(covered).map(String::from).collect()
}

fn goes_through_its_life(home: &Home) {
    let mounts = host_mounts();
    let listeners = home.up("");
    assert_eq!(listeners.len(), 3, "{listeners:?}");

    let status = home.status(0);
    assert_eq!((&status["backend"], &status["healthy"]), (&Value::from("sandbox"), &Value::from(true)));
    let members = status["members"].as_array().unwrap();
    let roles: Vec<_> = members.iter().map(|member| member["role"].as_str().unwrap()).collect();
    assert_eq!(roles.iter().filter(|role| **role == "leader").count(), 1, "{roles:?}");
    assert_eq!(roles.iter().filter(|role| **role == "follower").count(), 2, "{roles:?}");
    for (index, member) in members.iter().enumerate() {
        assert_eq!(member["member"], format!("etcd{index}"));
        assert_eq!(member["listener"], listeners[index]);
        assert_eq!(member["raft_term"], members[0]["raft_term"]);
        assert!(member["raft_index"].as_u64().unwrap() > 0 && member["db_size_bytes"].as_i64().unwrap() > 0);
        assert!(member["problem"].is_null() && member["version"].is_string(), "{member}");
    }
    let table = home.recorder("status").expect_code(0).stdout;
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.starts_with("member") && table.contains("leader"), "{table}");

    // Each way in reaches the same cluster.
    etcdctl(&listeners[1], "put by listener").expect_code(0);
    assert_eq!(home.recorder("exec -- etcdctl get by").expect_code(0).stdout, "by\nlistener\n");
    home.recorder("exec --at etcd2 -- etcdctl put by exec").expect_code(0);
    assert_eq!(etcdctl(&listeners[0], "get by").expect_code(0).stdout, "by\nexec\n");
    assert_eq!(home.recorder("exec etcdctl --endpoints=10.77.2.2:2379 get by").expect_code(0).stdout, "by\nexec\n");

    // A program is where it was asked to be, and as it was typed.
    let addresses = |place: &str| home.recorder(&format!("exec {place} -- ip -brief address")).expect_code(0).stdout;
    assert!(addresses("").contains("10.77.255.2/30") && !addresses("").contains("10.77.1.2"));
    assert!(addresses("--at etcd1").contains("10.77.1.2/30"));
    home.recorder("exec -- false").expect_code(1);
    assert_eq!(home.recorder("exec -- echo --at etcd1 -- x").expect_code(0).stdout, "--at etcd1 -- x\n");
    let mut shell = home.command("exec -- sh -c");
    run(shell.arg("exit 42")).expect_code(42);
    // Neither the caller's signal handling nor its terminal is changed.
    let mut shell = home.command("exec -- sh -c");
    assert_eq!(run(shell.arg("kill -PIPE $$")).code, None);
    home.recorder("exec -- no-such-program").expect_code(127);
    home.recorder("exec -- /etc/passwd").expect_code(126);
    let nowhere = home.recorder("exec --at etcd7 -- true").expect_code(2);
    assert!(nowhere.stderr.contains("client, etcd0, etcd1, etcd2"), "{}", nowhere.stderr);

    let second = run(&mut home.up_command("")).expect_code(2);
    for part in ["3 members of etcd", "`recorder status` shows it, `recorder down` ends it"] {
        assert!(second.stderr.contains(part), "{part} in: {}", second.stderr);
    }
    assert_eq!(home.status(0)["members"], status_now(home, &status), "the second `up` changed nothing");

    let down = home.recorder("down").expect_code(0);
    assert!(down.stderr.contains("etcd0, etcd1, etcd2") && down.stderr.contains(".laggard-data"), "{}", down.stderr);
    home.assert_nothing_left();
    assert_eq!(host_mounts(), mounts, "a mount is left");
    for listener in &listeners {
        assert!(std::net::TcpStream::connect(listener).is_err(), "{listener} still listens");
    }

    let again = home.recorder("down").expect_code(0);
    assert!(again.stderr.contains("no cluster is up"), "{}", again.stderr);
    for command in ["status", "exec -- true"] {
        let finished = home.recorder(command).expect_code(3);
        assert!(finished.stderr.contains("start one with `recorder up`"), "{}", finished.stderr);
    }
    home.assert_nothing_left();
}

/// The members' rows of an earlier status, with what has moved on since.
fn status_now(home: &Home, earlier: &Value) -> Value {
    let (mut members, now) = (earlier["members"].clone(), home.status(0));
    for (member, now) in members.as_array_mut().unwrap().iter_mut().zip(now["members"].as_array().unwrap()) {
        for moving in ["raft_index", "raft_applied_index", "db_size_bytes"] {
            member[moving] = now[moving].clone();
        }
    }
    members
}

#[test]
fn a_cluster_stays_up_until_it_is_ended() {
    let _one = one_at_a_time();
    let home = Home::new();
    goes_through_its_life(&home);
    assert!(!home.place.results().exists(), "a folder is left that was made for the data alone");
}

#[test]
fn an_unprivileged_user_can_do_all_of_it() {
    let _one = one_at_a_time();
    let home = Home::of_nobody();
    goes_through_its_life(&home);
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    // Who gets past the folder, as root does, is not answered all the same.
    home.up("");
    let mut stream = UnixStream::connect(home.state_folder().join("control")).unwrap();
    let mut answer = String::new();
    // The daemon hangs up, perhaps before it is asked.
    let _ = stream.write_all(b"\"stop\"\n").and_then(|()| stream.read_to_string(&mut answer));
    assert_eq!(answer, "");
    home.status(0);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn ports_in_use_are_passed_over_and_open_files_are_not_kept() {
    let _one = one_at_a_time();
    let home = Home::new();
    // Whoever has them already does as well.
    let taken = [2379, 2381].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    // A daemon that kept file 7 open would keep the test from seeing the end of its output.
    let up = home.up_command("--nodes 5");
    let mut command = Command::new("sh");
    command.args(["-c", "exec 7>&1; exec \"$@\"", "sh"]).arg(up.get_program()).args(up.get_args());
    command.current_dir(home.place.path()).env("XDG_RUNTIME_DIR", home.runtime_folder()).stdin(Stdio::null());
    let up = run(&mut command).expect_code(0);
    drop(taken);
    let listeners: Vec<_> = up.stdout.lines().map(|line| line.split_once("  http://").unwrap().1).collect();
    let ports: Vec<u16> =
        listeners.iter().map(|listener| listener.rsplit_once(':').unwrap().1.parse().unwrap()).collect();
    assert_eq!(ports.len(), 5);
    assert!(ports.is_sorted() && !ports.contains(&2379) && !ports.contains(&2381), "{ports:?}");
    for (index, listener) in listeners.iter().enumerate() {
        etcdctl(listener, &format!("put key{index} value")).expect_code(0);
    }
    let all = home.recorder("exec -- etcdctl get --prefix key --keys-only").expect_code(0).stdout;
    assert_eq!(all.split_whitespace().count(), 5, "{all}");
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn kill_9_of_the_daemon_ends_everything_and_the_next_command_clears_up() {
    let _one = one_at_a_time();
    for home in [Home::new(), Home::of_nobody()] {
        is_cleared_by_the_next_command(&home);
    }
}

fn is_cleared_by_the_next_command(home: &Home) {
    for command in ["status", "down", "up"] {
        home.up("");
        let daemon = home.daemon();
        signal(daemon, Signal::SIGKILL);
        assert_nothing_left(home.place.path());
        assert!(home.state_folder().exists(), "nobody could clear up yet");
        let finished = if command == "up" { run(&mut home.up_command("")) } else { home.recorder(command) };
        let finished = finished.expect_code(if command == "status" { 3 } else { 0 });
        for part in [&format!("the sandbox of process {daemon}"), "gone without", "removed data of a killed run"] {
            assert!(finished.stderr.contains(part), "{part} in: {}", finished.stderr);
        }
        if command != "up" {
            home.assert_nothing_left();
        }
    }
    assert_ne!(home.status(0)["about"], "");
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn a_member_that_is_gone_is_shown_as_such() {
    let _one = one_at_a_time();
    let home = Home::new();
    home.up("");
    let member = mentioning(home.place.path(), "--name=etcd1")[0];
    signal(member, Signal::SIGKILL);
    wait_until("the member is gone", Duration::from_secs(10), || home.recorder("status").code == Some(1));
    // The others may be electing a leader.
    wait_until("the others agree", Duration::from_secs(10), || {
        let status = home.status(1);
        [0, 2].iter().all(|other| status["members"][*other]["problem"].is_null())
    });
    let status = home.status(1);
    assert_eq!(status["healthy"], false);
    let gone = &status["members"][1];
    assert_eq!((&gone["role"], &gone["raft_term"]), (&Value::from("unreachable"), &Value::Null));
    let finished = home.recorder("status").expect_code(1);
    assert!(finished.stdout.contains("unreachable") && finished.stderr.contains("etcd1: "), "{finished:?}");
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

#[test]
fn a_run_beside_it_leaves_it_alone() {
    let _one = one_at_a_time();
    let home = Home::new();
    // What another version of the recorder may have left.
    std::fs::create_dir(home.state_folder()).unwrap();
    std::fs::set_permissions(home.state_folder(), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(home.state_folder().join("state.json"), "{}").unwrap();
    drop(std::os::unix::net::UnixListener::bind(home.state_folder().join("control")).unwrap());
    let listeners = home.up("");
    etcdctl(&listeners[0], "put before run").expect_code(0);
    home.recorder("run beside --operations 50 --warm-up 0").expect_code(0);
    assert_eq!(etcdctl(&listeners[2], "get before").expect_code(0).stdout, "before\nrun\n");
    home.status(0);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
    assert_eq!(RunFolder::list(&home.place.results()).unwrap().len(), 1, "the run's folder must stay");
}

#[test]
fn a_daemon_that_hangs_is_ended_all_the_same() {
    let _one = one_at_a_time();
    let home = Home::new();
    home.up("");
    let daemon = home.daemon();
    let inner = *mentioning(home.place.path(), "recorder").iter().find(|pid| **pid != daemon).expect("pid 1 inside");
    signal(inner, Signal::SIGSTOP);
    let status = home.recorder("status").expect_code(1);
    assert!(status.stderr.contains("does not answer"), "{}", status.stderr);
    home.recorder("down").expect_code(0);
    home.assert_nothing_left();
}

/// Starts `up` and waits until its members are being started.
fn half_started(home: &Home) -> Child {
    let mut command = home.up_command("--nodes 7");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the recorder starts");
    wait_until("the first member", Duration::from_secs(10), || {
        !mentioning(home.place.path(), "--name=etcd0").is_empty()
    });
    child
}

#[test]
fn a_start_that_is_interrupted_leaves_nothing() {
    let _one = one_at_a_time();
    for ending in [Signal::SIGINT, Signal::SIGTERM] {
        let home = Home::new();
        let up = half_started(&home);
        signal(up.id() as i32, ending);
        let finished = Finished::from(up.wait_with_output().unwrap()).expect_code(130);
        assert!(finished.stderr.contains("interrupted by SIG"), "{}", finished.stderr);
        assert!(finished.stdout.is_empty(), "{}", finished.stdout);
        home.assert_nothing_left();
    }
    // Nobody can pass this one on; the daemon sees that its command is gone.
    let home = Home::new();
    let up = half_started(&home);
    signal(up.id() as i32, Signal::SIGKILL);
    up.wait_with_output().unwrap();
    assert_nothing_left(home.place.path());
    home.recorder("status").expect_code(3);
    home.assert_nothing_left();
}

#[test]
fn a_start_that_fails_is_the_commands_own_failure() {
    let _one = one_at_a_time();
    let home = Home::new();
    let etcd = home.place.path().join("etcd");
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && exec etcd --version\necho this member is broken\nexit 7\n";
    std::fs::write(&etcd, script).unwrap();
    std::fs::set_permissions(&etcd, PermissionsExt::from_mode(0o755)).unwrap();
    let finished = run(&mut home.up_command(&format!("--etcd {}", etcd.display()))).expect_code(1);
    for part in ["recorder: error: etcd0 ended", "this member is broken"] {
        assert!(finished.stderr.contains(part), "{part} in: {}", finished.stderr);
    }
    home.assert_nothing_left();
    let finished = run(&mut home.up_command("--etcd-version 9.9.9")).expect_code(3);
    assert!(finished.stderr.contains("--etcd-version"), "{}", finished.stderr);
    home.assert_nothing_left();
    run(&mut home.up_command("--nodes 8")).expect_code(2);
}

#[test]
fn a_state_folder_that_others_could_have_made_is_refused() {
    let home = Home::new();
    let elsewhere = home.place.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, home.state_folder()).unwrap();
    let refused = |problem: &str| {
        for mut command in [home.up_command(""), home.command("status"), home.command("down")] {
            let finished = run(&mut command).expect_code(3);
            assert!(finished.stderr.contains(problem), "{problem} in: {}", finished.stderr);
        }
    };
    refused("is not a folder");
    std::fs::remove_file(home.state_folder()).unwrap();
    std::fs::create_dir(home.state_folder()).unwrap();
    std::fs::set_permissions(home.state_folder(), PermissionsExt::from_mode(0o755)).unwrap();
    refused("is open to others");
    if nix::unistd::geteuid().is_root() {
        std::fs::set_permissions(home.state_folder(), PermissionsExt::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(home.state_folder(), Some(NOBODY), None).unwrap();
        refused("belongs to somebody else");
    }
    std::fs::remove_dir(home.state_folder()).unwrap();
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0, "nothing was written through the link");
    assert!(mentioning(home.place.path(), &binaries().recorder.to_string_lossy()).is_empty());
}
