//! Clusters of containers on a real engine: recorded on, kept up, adopted, hit by faults, and left clean whatever happens.
//!
//! The members' names are fixed, so nothing here runs beside other tests of containers.

use std::process::{Child, Stdio};
use std::time::Duration;

use end_to_end::engine::{docker, lines_of, ready};
use end_to_end::processes::{signal, wait_until};
use end_to_end::recorded::Recorded;
use end_to_end::{Finished, NO_ENGINE, Workplace, one_at_a_time, run};
use nix::sys::signal::Signal;
use run_folder::Status;
use run_folder::spec::{Backend, ClientPlace};

/// Containers that the recorder keeps up; removed when the value is dropped.
struct Kept<'a>(&'a Workplace);

impl<'a> Kept<'a> {
    fn up(place: &'a Workplace) -> Self {
        let kept = Self(place);
        recorder(place, "up --cluster docker").expect_code(0);
        kept
    }

    fn ids(&self) -> Vec<String> {
        lines_of("inspect --format {{.Id}} etcd0 etcd1 etcd2")
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        recorder(self.0, "down --cluster docker --volumes");
    }
}

fn recorder(place: &Workplace, arguments: &str) -> Finished {
    run(&mut place.recorder_beside_engine(arguments))
}

fn started(place: &Workplace, arguments: &str) -> Child {
    let mut command = place.recorder_beside_engine(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the recorder starts")
}

/// What recorders have on the engine, but for members.
fn helpers_left() -> Vec<String> {
    let ours = lines_of("ps --all --filter label=laggard.made-by=recorder --format {{.Names}}");
    ours.into_iter().filter(|name| !name.starts_with("etcd")).collect()
}

/// What recorders have on the engine.
fn all_left() -> Vec<String> {
    let label = "--filter label=laggard.made-by=recorder";
    ["ps --all", "network ls", "volume ls"]
        .iter()
        .flat_map(|list| lines_of(&format!("{list} {label} --quiet")))
        .collect()
}

/// What faults stand in the members' networks, without those that have none.
fn faults(place: &Workplace) -> Vec<String> {
    let shown = recorder(place, "faults show").expect_code(0).stdout;
    shown.lines().filter(|line| !line.ends_with(": no fault")).map(str::to_owned).collect()
}

#[test]
fn a_run_makes_its_own_containers_and_removes_them() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let options = "run delay30_mid --cluster docker --mechanism queue --fault delay --value 30ms --direction both \
                   --at 2 --for 3 --duration 6 --warm-up 1 --rate 200 --attach target";
    recorder(&place, options).expect_code(0);
    let recorded = Recorded::only_one_in(&place.results());
    recorded.assert_consistent();
    recorded.assert_older_files_agree();
    assert_eq!(recorded.manifest.status, Status::Finished);
    assert_eq!(recorded.manifest.spec.cluster.backend, Backend::Docker);
    assert_eq!(recorded.manifest.spec.workload.client_at, ClientPlace::Own, "the shaper needs them in a container");
    let cluster = &recorded.manifest.cluster;
    assert_eq!((cluster.backend.as_str(), cluster.adopted, cluster.members.len()), ("docker", false, 3));
    assert!(cluster.image.is_some() && cluster.engine.is_some() && !cluster.etcd_version.is_empty(), "{cluster:?}");
    let fault = &recorded.faults[0];
    assert_eq!((fault.confirmed, fault.mechanism.as_str()), (Some(true), "queue"), "{fault:?}");
    assert!(fault.commands.contains("client: iptables -t mangle -A PREROUTING"), "{}", fault.commands);
    assert!(fault.commands.contains("-A INPUT"), "what it receives is held where it arrives:\n{}", fault.commands);
    let (before, during, after) =
        (recorded.median_ms(0.0, 1.8), recorded.median_ms(2.2, 4.8), recorded.median_ms(5.2, 6.0));
    assert!(
        during > before + 50.0 && after < during / 2.0,
        "{before} {during} {after} ms: a round trip pays both ways"
    );
    assert_eq!(all_left(), Vec::<String>::new());
}

#[test]
fn a_kept_cluster_is_shown_used_and_ended() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let kept = Kept::up(&place);
    let ids = kept.ids();
    let status = recorder(&place, "status --format json").expect_code(0);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("status is JSON");
    let roles: Vec<_> = (0..3).map(|at| status["members"][at]["role"].as_str().unwrap_or_default()).collect();
    assert_eq!(roles.iter().filter(|role| **role == "leader").count(), 1, "{status}");
    assert_eq!(status["backend"], "docker");

    let put = recorder(&place, "exec -- etcdctl put slow fault").expect_code(0);
    assert_eq!(put.stdout.trim(), "OK");
    let listener = status["members"][1]["listener"].as_str().expect("its port is published").to_owned();
    let get = run(std::process::Command::new("etcdctl").env("ETCDCTL_API", "3").args([
        "--endpoints",
        &listener,
        "get",
        "slow",
        "--print-value-only",
    ]))
    .expect_code(0);
    assert_eq!(get.stdout.trim(), "fault");

    let again = recorder(&place, "up --cluster docker").expect_code(2);
    assert!(again.stderr.contains("are up already"), "{}", again.stderr);

    // Found without being asked for, from within a member, and left up.
    let options = "run loss20_mid --fault loss --value 20% --scope peers --at 1 --for 3 --duration 5 --warm-up 1 \
                   --rate 200 --mechanism queue --client-at etcd1 --target etcd1";
    let made = recorder(&place, options).expect_code(0);
    assert!(made.stderr.contains("using the containers etcd0, etcd1, etcd2"), "{}", made.stderr);
    assert!(made.stderr.contains("the clients are inside etcd1's network, which the fault hits"), "{}", made.stderr);
    let recorded = Recorded::only_one_in(&place.results());
    assert!(recorded.manifest.cluster.adopted);
    assert_eq!(recorded.manifest.spec.workload.client_at, ClientPlace::Member("etcd1".into()));
    assert_eq!(recorded.faults[0].confirmed, Some(true));
    assert_eq!((kept.ids(), helpers_left()), (ids, vec![]));

    run(&mut docker("stop --time 1 etcd2")).expect_code(0);
    let status = recorder(&place, "status").expect_code(1);
    assert!(status.stderr.contains("etcd2: its container"), "{}", status.stderr);
    assert!(recorder(&place, "faults show").expect_code(0).stdout.contains("etcd0: no fault"));

    // Its data outlive it, and an attempt to go on with them that failed.
    recorder(&place, "down").expect_code(0);
    let failed = run(place.recorder_beside_engine("up --cluster docker").env("ETCD_VERSION", "9.9.9")).expect_code(3);
    assert!(failed.stderr.contains("asks for 9.9.9"), "{}", failed.stderr);
    recorder(&place, "up --cluster docker").expect_code(0);
    let get = recorder(&place, "exec -- etcdctl get slow --print-value-only").expect_code(0);
    assert_eq!(get.stdout.trim(), "fault");

    let down = recorder(&place, "down --volumes").expect_code(0);
    assert!(down.stderr.contains("removed containers etcd0, etcd1, etcd2"), "{}", down.stderr);
    assert_eq!(all_left(), Vec::<String>::new());
}

/// Whether TCP segmentation is offloaded on a member's link, asked of the kernel from within its network.
fn segments_are_offloaded(member: &str) -> bool {
    const ASK: &str = "import fcntl, socket, struct, ctypes\n\
        value = ctypes.create_string_buffer(struct.pack('II', 0x1e, 0))\n\
        request = struct.pack('16sP16x', b'eth0', ctypes.addressof(value))\n\
        fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8946, request)\n\
        print(struct.unpack('II', value.raw[:8])[1])";
    let pid = lines_of(&format!("inspect --format {{{{.State.Pid}}}} {member}")).remove(0);
    let asked =
        run(std::process::Command::new("nsenter").args(["-t", &pid, "-n", "python3", "-c", ASK])).expect_code(0);
    asked.stdout.trim() == "1"
}

#[test]
fn a_sidecar_that_is_paused_fails_the_run_and_its_fault_is_cleared() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let _kept = Kept::up(&place);
    assert!(segments_are_offloaded("etcd1"));
    let options = "run paused --fault delay --value 50ms --target etcd1 --direction ingress --at 1 --for 4 --duration 60 \
                   --warm-up 1 --rate 50 --mechanism queue";
    let under_way = started(&place, options);
    // Prepared rules are there a little earlier; this one leads packets into them.
    wait_until("the fault is in force", Duration::from_secs(30), || {
        faults(&place).iter().any(|line| line.contains("-A INPUT"))
    });
    assert!(!segments_are_offloaded("etcd1"), "packets on the wire are what is held");
    let network = format!("container:{}", lines_of("inspect --format {{.Id}} etcd1")[0]);
    let sidecars = lines_of("ps --filter label=laggard.role=sidecar --format {{.Names}}");
    let in_etcd1 =
        |name: &&String| lines_of(&format!("inspect --format {{{{.HostConfig.NetworkMode}}}} {name}"))[0] == network;
    let sidecar = sidecars.iter().find(in_etcd1).expect("there is one in etcd1's network");
    run(&mut docker(&format!("pause {sidecar}"))).expect_code(0);
    let ended = Finished::from(under_way.wait_with_output().expect("it ends")).expect_code(1);
    assert!(ended.stderr.contains("was its container paused?"), "{}", ended.stderr);
    assert_eq!((faults(&place), helpers_left()), (vec![], vec![]));
}

#[test]
fn members_that_never_agree_are_shown_with_their_logs_and_nothing_is_left() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let _kept = Kept::up(&place);
    // Two of three that hear nothing of each other: no leader.
    for member in ["etcd1", "etcd2"] {
        let deaf = format!(
            "run --rm --network container:{member} --cap-add NET_ADMIN --cap-add NET_RAW --entrypoint iptables-legacy \
             laggard/tools -A INPUT -p tcp -m multiport --ports 2380 -j DROP"
        );
        run(&mut docker(&deaf)).expect_code(0);
    }
    wait_until("the leader is lost", Duration::from_secs(30), || recorder(&place, "status").code == Some(1));
    let failed = recorder(&place, "run x --duration 2").expect_code(1);
    assert!(failed.stderr.contains("the cluster was not ready after 30 s"), "{}", failed.stderr);
    assert!(failed.stderr.contains("its log ends with"), "{}", failed.stderr);
    assert_eq!(helpers_left(), Vec::<String>::new());
    assert!(
        !place.results().exists() || run_folder::RunFolder::list(&place.results()).is_ok_and(|runs| runs.is_empty())
    );
}

#[test]
fn a_run_leaves_the_members_links_as_they_were() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let _kept = Kept::up(&place);
    assert!(segments_are_offloaded("etcd0"));
    recorder(&place, "run x --duration 1 --warm-up 0 --rate 50").expect_code(0);
    assert!(segments_are_offloaded("etcd0"));
}

#[test]
fn a_killed_recorder_leaves_members_healed_and_nothing_else() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let _kept = Kept::up(&place);
    let options = "run killed --fault delay --value 200ms --scope peers --duration 60 --warm-up 1 --rate 50 \
                   --mechanism queue --client-at host";
    let mut under_way = started(&place, options);
    wait_until("the fault is in force", Duration::from_secs(30), || {
        faults(&place).iter().any(|line| line.contains("NFQUEUE"))
    });
    signal(under_way.id() as i32, Signal::SIGKILL);
    under_way.wait().expect("it ends");
    wait_until("the outposts heal and end", Duration::from_secs(10), || {
        lines_of("ps --filter label=laggard.role=sidecar --quiet").is_empty()
    });
    assert_eq!(faults(&place), Vec::<String>::new());
    let status = recorder(&place, "status").expect_code(0);
    assert!(status.stdout.contains("leader"), "{}", status.stdout);

    // The next one clears what the claim and the folder of sockets left, and goes on.
    recorder(&place, "run after --duration 2 --warm-up 0 --rate 50").expect_code(0);
    assert_eq!(helpers_left(), Vec::<String>::new());
    assert!(!place.results().join(".laggard-data").exists(), "sockets of the killed run");
}

#[test]
fn a_member_that_restarts_under_a_fault_fails_the_run() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let _kept = Kept::up(&place);
    let options = "run restarted --fault delay --value 50ms --target etcd1 --scope peers --duration 60 --warm-up 1 \
                   --rate 50 --mechanism queue --client-at host";
    let under_way = started(&place, options);
    wait_until("the fault is in force", Duration::from_secs(30), || !faults(&place).is_empty());
    run(&mut docker("restart --time 1 etcd1")).expect_code(0);
    let ended = Finished::from(under_way.wait_with_output().expect("it ends")).expect_code(1);
    // Seen before it was up again, or after.
    let what = ["container etcd1 was restarted", "container etcd1 has ended"];
    assert!(what.iter().any(|what| ended.stderr.contains(what)), "{}", ended.stderr);
    let recorded = Recorded::only_one_in(&place.results());
    assert!(recorded.manifest.status.to_string().contains("whatever fault was in its network went with it"));
    assert_eq!((faults(&place), helpers_left()), (vec![], vec![]));
}

#[test]
fn faults_that_people_left_are_shown_refused_and_cleared() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let _kept = Kept::up(&place);
    // A qdisc that every kernel has, put there as people put netem there.
    let by_hand = "run --rm --network container:etcd1 --cap-add NET_ADMIN --entrypoint tc laggard/tools \
                   qdisc add dev eth0 root tbf rate 100mbit burst 32k latency 50ms";
    run(&mut docker(by_hand)).expect_code(0);
    assert!(faults(&place)[0].starts_with("etcd1: qdisc tbf"), "{:?}", faults(&place));

    let refused = recorder(&place, "run refused --duration 2").expect_code(3);
    assert!(refused.stderr.contains("`recorder faults clear --all` removes it"), "{}", refused.stderr);
    let cleared = recorder(&place, "faults clear").expect_code(0);
    assert!(cleared.stdout.contains("etcd1: nothing to clear"), "it is not ours: {}", cleared.stdout);
    let cleared = recorder(&place, "faults clear --all").expect_code(0);
    assert!(cleared.stdout.contains("etcd1: removed qdisc tbf"), "{}", cleared.stdout);
    assert_eq!((faults(&place), helpers_left()), (vec![], vec![]));
}

#[test]
fn what_cannot_be_is_said_and_nothing_is_recorded() {
    let _one = one_at_a_time();
    let Some(place) = ready() else { return };
    let nobody = |arguments: &str| run(place.recorder_beside_engine(arguments).env("DOCKER_HOST", NO_ENGINE));
    let no_engine = nobody("run x --cluster docker --duration 2").expect_code(3);
    assert!(no_engine.stderr.contains("/nonexistent/docker.sock"), "{}", no_engine.stderr);
    // Without an engine there is still the sandbox.
    nobody("run x --duration 1 --warm-up 0 --rate 50").expect_code(0);
    std::fs::remove_dir_all(place.results()).expect("the results can be removed");

    let missing = recorder(&place, "run x --cluster docker --image laggard/none:1 --duration 2").expect_code(3);
    assert!(missing.stderr.contains("--image laggard/none:1"), "{}", missing.stderr);
    let asked = "run x --cluster docker --fault delay --value 9ms --mechanism queue --client-at host --duration 2";
    let host = recorder(&place, asked).expect_code(2);
    assert!(host.stderr.contains("--client-at own"), "{}", host.stderr);

    let kept = Kept::up(&place);
    let nodes = recorder(&place, "run x --nodes 5 --duration 2").expect_code(2);
    assert!(nodes.stderr.contains("has 3 members, not 5"), "{}", nodes.stderr);
    let version = run(place.recorder_beside_engine("run x --duration 2").env("ETCD_VERSION", "9.9.9")).expect_code(3);
    assert!(version.stderr.contains("asks for 9.9.9"), "{}", version.stderr);

    let mut first = started(&place, "run first --duration 60 --warm-up 0 --rate 50");
    let folder = || run_folder::RunFolder::list(&place.results()).is_ok_and(|runs| !runs.is_empty());
    wait_until("the first run has begun", Duration::from_secs(30), || {
        folder() && !lines_of("ps --filter label=laggard.role=sidecar --quiet").is_empty()
    });
    let second = recorder(&place, "run second --duration 2").expect_code(3);
    assert!(second.stderr.contains("another recorder"), "{}", second.stderr);
    signal(first.id() as i32, Signal::SIGINT);
    assert_eq!(first.wait().expect("it ends").code(), Some(130));
    let recorded = Recorded::only_one_in(&place.results());
    assert!(recorded.manifest.status.to_string().contains("interrupted by SIGINT"));
    assert_eq!(helpers_left(), Vec::<String>::new());
    drop(kept);
    assert_eq!(all_left(), Vec::<String>::new());
}
