//! Clusters and sidecars on a real Docker engine.
//!
//! Each test has container names of its own, so that tests and people do not disturb each other. What needs an engine
//! is skipped where none answers, with the reason, and fails where `LAGGARD_REQUIRE_ALL` is set, as in CI.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use recorder::docker::{
    Capability, CgroupVersion, Engine, FoundCluster, Naming, PublishPorts, Role, SessionLabel, Sidecar, SidecarNetwork,
    SidecarSpec, Status, UpSpec, image,
};

/// How long a new cluster may take until it has a leader.
const LEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Says why a test does not run here; fails where everything must run.
fn skip(why: &str) {
    assert!(std::env::var_os("LAGGARD_REQUIRE_ALL").is_none(), "this machine must run every test, but {why}");
    eprintln!("skipped: {why}");
}

/// Runs a test on the engine, and removes whatever its cluster has left, also when it failed.
fn on_engine<F: Future<Output = ()>>(prefix: &str, test: impl FnOnce(Engine, Naming) -> F) {
    // What one test leaves as if its recorder had been killed, another one would remove.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = match Engine::connect().await {
            Ok(engine) => engine,
            Err(error) => return skip(&error.to_string()),
        };
        if engine.image_id(image::OWN_IMAGE).await.unwrap().is_none() {
            return skip(&format!("image {} is missing: make images", image::OWN_IMAGE));
        }
        let names = Naming::new(prefix, 0).unwrap();
        engine.down(&names, true).await.unwrap();
        let outcome = guarded(test(engine.clone(), names.clone())).await;
        let removed = engine.down(&names, true).await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
        removed.unwrap();
        assert_eq!(left(&names), "", "something of the cluster is left");
    });
}

/// Awaits a test's body and catches its panic, so that its containers can be removed.
async fn guarded(test: impl Future<Output = ()>) -> Result<(), Box<dyn std::any::Any + Send>> {
    let mut test = Box::pin(test);
    std::future::poll_fn(move |context| {
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// All that the engine still has of a cluster: containers, networks, volumes.
fn left(names: &Naming) -> String {
    let filter = format!("label=laggard.cluster={}", names.cluster());
    ["ps --all --quiet", "network ls --quiet", "volume ls --quiet"]
        .map(|list| docker(&format!("{list} --filter {filter}")))
        .join("")
}

/// What a command of Docker's own client prints.
fn docker(arguments: &str) -> String {
    let output = Command::new("docker").args(arguments.split_whitespace()).output();
    let output = output.expect("Docker's client is installed (docker-cli, docker.io)");
    assert!(output.status.success(), "docker {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What Docker's own client knows of a container.
fn inspect(container: &str) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&docker(&format!("inspect {container}"))).unwrap();
    all[0].clone()
}

fn spec(names: &Naming, nodes: u8) -> UpSpec {
    UpSpec {
        naming: names.clone(),
        nodes,
        image: Some(image::OWN_IMAGE.into()),
        publish: PublishPorts::Nowhere,
        session: SessionLabel::of_this_process("a test"),
        kept: false,
    }
}

/// A session whose process is gone.
fn session_of_the_dead() -> SessionLabel {
    let mut process = Command::new("sleep").arg("600").spawn().unwrap();
    let label = SessionLabel::of_process("killed-test", process.id() as i32);
    process.kill().unwrap();
    process.wait().unwrap();
    label
}

async fn wait_for_leader(cluster: &FoundCluster) {
    let deadline = Instant::now() + LEADER_TIMEOUT;
    for member in &cluster.members {
        let endpoint = SocketAddr::from((member.address, 2379));
        while !is_healthy(endpoint) {
            assert!(
                Instant::now() < deadline,
                "{} has no leader: {}",
                member.name,
                docker(&format!("logs {}", member.id))
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Whether a member answers that it is part of a cluster with a leader.
fn is_healthy(endpoint: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect_timeout(&endpoint, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("\"health\":\"true\""))
}

fn message<T: std::fmt::Debug>(result: recorder::error::Result<T>, parts: &[&str]) -> String {
    let error = result.expect_err("this must fail");
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    text
}

#[test]
fn a_cluster_goes_up_elects_is_found_and_leaves_nothing() {
    on_engine("laggardtest-up-", |engine, names| async move {
        for nodes in [3, 5] {
            let made = engine.up(&spec(&names, nodes)).await.unwrap();
            assert!(made.made_by_us);
            assert_eq!(made.members.len(), usize::from(nodes));
            wait_for_leader(&made).await;

            let found = engine.find_cluster(&names).await.unwrap().expect("it was just made");
            let name_of = |index| names.member(index);
            assert!(found.members.iter().map(|member| member.name.clone()).eq((0..nodes).map(name_of)));
            assert_eq!(found.network, made.network);
            assert_eq!(found.image, image::OWN_IMAGE);
            assert!(found.flags.iter().any(|flag| flag.starts_with("--initial-cluster=")), "{:?}", found.flags);
            for member in &found.members {
                assert!(member.state.is_running() && member.state.pid.is_some());
                assert_eq!(member.published_client, None);
                assert!(member.mounts[0].contains("/var/lib/etcd"), "{:?}", member.mounts);
            }

            // Members may do nothing that an unprivileged user may not.
            let host = &inspect(&found.members[0].id)["HostConfig"];
            assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
            assert_eq!(host["CapAdd"], serde_json::Value::Null);
            assert_eq!(host["Privileged"], false);
            assert_eq!(host["ReadonlyRootfs"], true);
            assert_eq!(host["SecurityOpt"], serde_json::json!(["no-new-privileges"]));

            let removed = engine.down(&names, true).await.unwrap();
            assert_eq!(removed.containers.len(), usize::from(nodes));
            assert_eq!((removed.networks.len(), removed.volumes.len()), (1, usize::from(nodes)));
            assert!(engine.find_cluster(&names).await.unwrap().is_none());
            assert_eq!(left(&names), "");
        }
    });
}

#[test]
fn what_the_engine_says_of_itself_is_understood() {
    on_engine("laggardtest-facts-", |engine, _| async move {
        let info: serde_json::Value = serde_json::from_str(&docker("info --format {{.|json}}")).unwrap();
        assert_eq!(engine.version(), info["ServerVersion"].as_str().unwrap());
        assert_eq!(engine.kernel(), info["KernelVersion"].as_str().unwrap());
        assert_eq!(engine.storage_driver(), info["Driver"].as_str().unwrap());
        assert_eq!(engine.operating_system(), info["OperatingSystem"].as_str().unwrap());
        let expected = match info["CgroupVersion"].as_str() {
            Some("1") => Some(CgroupVersion::V1),
            Some("2") => Some(CgroupVersion::V2),
            _ => None,
        };
        assert_eq!(engine.cgroup_version(), expected);
        let here = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(engine.elsewhere().is_some(), here.trim() != engine.kernel());
        assert_eq!(engine.is_rootless(), info["SecurityOptions"].to_string().contains("rootless"));
    });
}

#[test]
fn a_kept_cluster_finds_its_data_again_unless_it_is_removed() {
    on_engine("laggardtest-kept-", |engine, names| async move {
        let kept = UpSpec { kept: true, ..spec(&names, 3) };
        let cluster = engine.up(&kept).await.unwrap();
        wait_for_leader(&cluster).await;
        let first = &cluster.members[0].name;
        docker(&format!("exec {first} etcdctl put kept yes"));
        let removed = engine.down(&names, false).await.unwrap();
        assert!(removed.volumes.is_empty());

        message(engine.up(&UpSpec { nodes: 5, ..kept.clone() }).await, &["--nodes 3", "--volumes"]);
        let cluster = engine.up(&kept).await.unwrap();
        wait_for_leader(&cluster).await;
        assert!(docker(&format!("exec {first} etcdctl get kept")).contains("yes"));

        engine.down(&names, true).await.unwrap();
        let cluster = engine.up(&kept).await.unwrap();
        wait_for_leader(&cluster).await;
        assert_eq!(docker(&format!("exec {first} etcdctl get kept")), "");
    });
}

#[test]
fn client_ports_are_published_on_loopback_and_a_taken_one_is_explained() {
    on_engine("laggardtest-port-", |engine, names| async move {
        let cluster = engine.up(&UpSpec { publish: PublishPorts::Free, ..spec(&names, 3) }).await.unwrap();
        wait_for_leader(&cluster).await;
        for member in &cluster.members {
            let published = member.published_client.expect("it is published");
            assert_eq!(published.ip(), Ipv4Addr::LOCALHOST);
            assert!(is_healthy(published), "{published}");
        }
        let taken = cluster.members[0].published_client.unwrap().port();

        // By another container.
        let other = Naming::new("laggardtest-otherport-", 0).unwrap();
        let wanted = UpSpec { publish: PublishPorts::Exactly(taken), ..spec(&other, 3) };
        let holder = cluster.members[0].name.as_str();
        message(engine.up(&wanted).await, &[&taken.to_string(), "already allocated", holder, "docker stop"]);
        assert_eq!(left(&other), "", "what a failed attempt made must be gone");

        // The next free ones are found.
        let upward = UpSpec { publish: PublishPorts::From(taken), ..spec(&other, 3) };
        let next = engine.up(&upward).await.unwrap();
        let ports: Vec<u16> = next.members.iter().map(|member| member.published_client.unwrap().port()).collect();
        assert!(ports[0] > taken && ports.is_sorted(), "{ports:?}");
        engine.down(&other, true).await.unwrap();

        // By a program of this machine.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = listener.local_addr().unwrap().port();
        let wanted = UpSpec { publish: PublishPorts::Exactly(taken), ..spec(&other, 3) };
        message(engine.up(&wanted).await, &[&taken.to_string(), "a program of this machine", "ss -ltnp"]);
        assert_eq!(left(&other), "", "what a failed attempt made must be gone");
    });
}

#[test]
fn names_that_are_taken_are_told_and_others_containers_left_alone() {
    on_engine("laggardtest-name-", |engine, names| async move {
        let foreign = names.member(1);
        docker(&format!("create --name {foreign} {}", image::OWN_IMAGE));
        let told = message(engine.up(&spec(&names, 3)).await, &[&foreign, "did not make it", "docker rm"]);
        assert!(!told.contains("recorder down"), "{told}");
        message(engine.find_cluster(&names).await, &[&names.member(0), &foreign, "docker rm"]);
        message(engine.down(&names, true).await, &[&foreign, "left alone", "docker rm"]);
        assert_eq!(docker(&format!("ps --all --quiet --filter name={foreign}")).lines().count(), 1);
        docker(&format!("rm {foreign}"));
    });
}

#[test]
fn of_two_recorders_at_once_one_makes_the_cluster() {
    on_engine("laggardtest-two-", |engine, names| async move {
        let (one, two) = (spec(&names, 3), spec(&names, 3));
        let (one, two) = tokio::join!(engine.up(&one), engine.up(&two));
        let (made, refused) = if one.is_ok() { (one, two) } else { (two, one) };
        let made = made.unwrap();
        message(refused, &["exists already", "another recorder"]);
        wait_for_leader(&made).await;
        // And what the other one had begun is gone.
        let filter = format!("--filter label=laggard.cluster={}", names.cluster());
        assert_eq!(docker(&format!("network ls --quiet {filter}")).lines().count(), 1);
        assert_eq!(docker(&format!("volume ls --quiet {filter}")).lines().count(), 3);

        // To use it is only one recorder's right, too.
        let session = SessionLabel::of_this_process("one");
        let claim = engine.claim(&made, &session).await.unwrap();
        message(engine.claim(&made, &session).await, &["another recorder", &std::process::id().to_string()]);
        engine.release(claim).await.unwrap();
        let abandoned = engine.claim(&made, &session_of_the_dead()).await.unwrap();
        let claim = engine.claim(&made, &session).await.unwrap();
        drop(abandoned);
        engine.release(claim).await.unwrap();
    });
}

#[test]
fn what_happens_to_a_member_is_noticed() {
    on_engine("laggardtest-state-", |engine, names| async move {
        let cluster = engine.up(&spec(&names, 3)).await.unwrap();
        wait_for_leader(&cluster).await;
        let member = &cluster.members[1];
        let state = || async { engine.state(&member.name).await.unwrap() };
        let before = state().await;
        assert_eq!(state().await.not_the_same_as(&before), None);

        engine.restart(&member.id, Duration::from_secs(10)).await.unwrap();
        assert!(state().await.not_the_same_as(&before).unwrap().contains("restarted"));

        engine.pause(&member.id).await.unwrap();
        assert_eq!(state().await.status, Status::Paused);
        message(engine.find_cluster(&names).await, &[&member.name, "is paused", "docker unpause"]);
        engine.unpause(&member.id).await.unwrap();
        assert!(state().await.is_running());

        engine.kill(&member.id, "SIGKILL").await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while state().await.is_running() {
            assert!(Instant::now() < deadline, "it was killed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let killed = state().await;
        assert_eq!((killed.status, killed.exit_code), (Status::Exited, Some(137)));
        message(engine.find_cluster(&names).await, &[&member.name, "exit code 137", "docker start", "recorder down"]);
        message(engine.up(&spec(&names, 3)).await, &["exists already", "another recorder"]);

        engine.start(&member.id).await.unwrap();
        wait_for_leader(&engine.find_cluster(&names).await.unwrap().unwrap()).await;
        engine.stop(&member.id, Duration::from_secs(10)).await.unwrap();
        assert_eq!(state().await.status, Status::Exited);
        docker(&format!("rm {}", member.id));
        assert_eq!(state().await.status, Status::Gone);
        message(engine.find_cluster(&names).await, &["but none named", &member.name]);
    });
}

#[test]
fn a_member_that_ends_at_once_is_told_with_its_log() {
    on_engine("laggardtest-log-", |engine, names| async move {
        let cluster = engine.up(&spec(&names, 3)).await.unwrap();
        wait_for_leader(&cluster).await;
        let member = &cluster.members[0];
        engine.stop(&member.id, Duration::from_secs(10)).await.unwrap();
        let log = engine.last_log_lines(&member.id, 3).await;
        assert!(log.starts_with("; its log ends with:\n  ") && log.lines().count() <= 4, "{log:?}");
        assert_eq!(engine.last_log_lines("laggardtest-no-such-container", 3).await, "");
    });
}

#[test]
fn a_cluster_of_others_is_found_and_not_removed() {
    on_engine("laggardtest-adopted-", |engine, names| async move {
        let network = "laggardtest-adopted";
        docker(&format!("network create {network}"));
        let peers: Vec<_> = (0..3).map(|index| format!("{0}=http://{0}:2380", names.member(index))).collect();
        for index in 0..3 {
            let name = names.member(index);
            docker(&format!(
                "run --detach --name {name} --network {network} --publish 2379 --label com.docker.compose.project=theirs \
                 {} etcd --name={name} --data-dir=/data --listen-client-urls=http://0.0.0.0:2379 \
                 --advertise-client-urls=http://{name}:2379 --listen-peer-urls=http://0.0.0.0:2380 \
                 --initial-advertise-peer-urls=http://{name}:2380 --initial-cluster={}",
                image::OWN_IMAGE,
                peers.join(",")
            ));
        }
        let found = engine.find_cluster(&names).await.unwrap().expect("they all run");
        assert!(!found.made_by_us);
        assert_eq!(found.network, network);
        wait_for_leader(&found).await;
        // Published on all addresses, so on loopback too.
        let published = found.members[2].published_client.unwrap();
        assert!(published.ip().is_loopback() && is_healthy(published));

        message(
            engine.down(&names, true).await,
            &[&names.member(0), "left alone", "docker-compose --project-name theirs down"],
        );
        assert!(engine.find_cluster(&names).await.unwrap().is_some());
        message(engine.up(&spec(&names, 3)).await, &["did not make it"]);
        for index in 0..3 {
            docker(&format!("rm --force --volumes {}", names.member(index)));
        }
        docker(&format!("network rm {network}"));
    });
}

#[test]
fn what_a_killed_recorder_left_is_removed_and_what_is_to_stay_stays() {
    on_engine("laggardtest-stale-", |engine, names| async move {
        let dead = session_of_the_dead();
        let stay = UpSpec { kept: true, session: dead.clone(), ..spec(&names, 3) };
        let cluster = engine.up(&stay).await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let sidecar = SidecarSpec { session: dead.clone(), ..sidecar_spec(&names, &cluster, place.path()) };
        let sidecar = engine.start_sidecar(&sidecar).await.unwrap();
        let removed = engine.remove_stale().await.unwrap();
        assert_eq!(removed.containers, vec![sidecar.name.clone()]);
        assert!(engine.find_cluster(&names).await.unwrap().is_some(), "it was to stay");
        engine.down(&names, true).await.unwrap();

        // A cluster that was made for one run goes, and the next one has its names.
        engine.up(&UpSpec { session: dead.clone(), ..spec(&names, 3) }).await.unwrap();
        let again = engine.up(&spec(&names, 3)).await.unwrap();
        assert_eq!(again.members.len(), 3);
        let mine = spec(&names, 3).session;
        assert!(engine.remove_stale().await.unwrap().is_empty(), "its recorder lives");
        assert_eq!(engine.remove_session(&mine).await.unwrap().containers.len(), 3);
        assert_eq!(left(&names), "");

        // One that was to stay, but was never made to the end, goes too.
        engine.up(&stay).await.unwrap();
        let last = names.member(2);
        let labels = inspect(&last)["Config"]["Labels"].clone();
        let labels: std::collections::BTreeMap<String, String> = serde_json::from_value(labels).unwrap();
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("--label {key}={value}")).collect();
        docker(&format!("rm --force {last}"));
        docker(&format!("create --name {last} {} {}", labels.join(" "), image::OWN_IMAGE));
        assert_eq!(engine.remove_stale().await.unwrap().containers.len(), 3);
        assert_eq!(left(&names), "");
    });
}

fn sidecar_spec(names: &Naming, cluster: &FoundCluster, place: &Path) -> SidecarSpec {
    SidecarSpec {
        session: SessionLabel::of_this_process("a test"),
        cluster: names.clone(),
        role: Role::Sidecar,
        network: SidecarNetwork::Of(cluster.members[1].id.clone()),
        capabilities: vec![Capability::NetAdmin],
        // Any program that waits.
        executable: PathBuf::from("/bin/sleep"),
        socket_dir: Some(place.to_path_buf()),
        command: vec!["/usr/local/bin/recorder".into(), "600".into()],
        image: image::TOOLS_IMAGE.into(),
    }
}

/// The effective capabilities, network namespace and groups of a container's first process.
fn process_facts(container: &str) -> (u64, String, String) {
    let pid = &inspect(container)["State"]["Pid"];
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim_start_matches(':').trim().to_owned()
    };
    let namespace = std::fs::read_link(format!("/proc/{pid}/ns/net"));
    let namespace = namespace.map(|link| link.display().to_string()).unwrap_or_default();
    (u64::from_str_radix(&field("CapEff"), 16).unwrap(), namespace, field("Groups"))
}

#[test]
fn a_sidecar_has_exactly_the_rights_asked_for() {
    on_engine("laggardtest-sidecar-", |engine, names| async move {
        if engine.image_id(image::TOOLS_IMAGE).await.unwrap().is_none() {
            return skip(&format!("image {} is missing: make images", image::TOOLS_IMAGE));
        }
        const NET_ADMIN: u64 = 1 << 12;
        const NET_RAW: u64 = 1 << 13;
        let cluster = engine.up(&spec(&names, 3)).await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let base = sidecar_spec(&names, &cluster, place.path());

        for (asked, expected) in [
            (vec![], 0),
            (vec![Capability::NetAdmin], NET_ADMIN),
            (vec![Capability::NetAdmin, Capability::NetRaw], NET_ADMIN | NET_RAW),
        ] {
            let spec = SidecarSpec { capabilities: asked, ..base.clone() };
            let sidecar = engine.start_sidecar(&spec).await.unwrap();
            let (capabilities, namespace, groups) = process_facts(&sidecar.id);
            assert_eq!(capabilities, expected);
            assert!(!groups.is_empty());
            if nix::unistd::geteuid().is_root() {
                assert_eq!(namespace, process_facts(&cluster.members[1].id).1, "it shares the member's network");
            }
            assert_no_more_than_needed(&sidecar);
            engine.remove_sidecar(&sidecar).await.unwrap();
            assert_eq!(engine.state(&sidecar.id).await.unwrap().status, Status::Gone);
        }

        // A client has an address of its own in the cluster's network.
        let on = SidecarNetwork::On(cluster.network_id.clone());
        let client = SidecarSpec { role: Role::Client, network: on, capabilities: vec![], ..base.clone() };
        let client = engine.start_sidecar(&client).await.unwrap();
        let networks = inspect(&client.id)["NetworkSettings"]["Networks"].to_string();
        assert!(networks.contains(&cluster.network), "{networks}");

        // One whose program fails has said why, though the engine removes it with its log.
        let failing = SidecarSpec { command: vec!["/usr/local/bin/recorder".into(), "a while".into()], ..base.clone() };
        let mut failing = engine.start_sidecar(&failing).await.unwrap();
        let words = failing.last_words(3).await;
        assert!(words.contains("invalid time interval"), "{words:?}");
        assert_eq!(failing.last_words(3).await, words);

        let mut others = base.clone();
        others.session = SessionLabel::of_this_process("another");
        let others = engine.start_sidecar(&others).await.unwrap();
        assert_eq!(engine.remove_sidecars(&base.session).await.unwrap().containers, vec![client.name.clone()]);
        assert!(engine.state(&others.id).await.unwrap().is_running());
        assert!(engine.find_cluster(&names).await.unwrap().is_some(), "members are no sidecars");

        let missing = SidecarSpec { image: "laggardtest/none:latest".into(), ..base.clone() };
        message(engine.start_sidecar(&missing).await, &["laggardtest/none:latest", "make images"]);
        let missing = SidecarSpec { executable: "/nonexistent/recorder".into(), ..base.clone() };
        message(engine.start_sidecar(&missing).await, &["/nonexistent/recorder"]);
        engine.kill(&cluster.members[1].id, "SIGKILL").await.unwrap();
        let count = docker("ps --all --quiet").lines().count();
        message(engine.start_sidecar(&base).await, &["does not run", "start it"]);
        assert!(docker("ps --all --quiet").lines().count() <= count, "nothing of it remains");
    });
}

fn assert_no_more_than_needed(sidecar: &Sidecar) {
    let inspected = inspect(&sidecar.id);
    let host = &inspected["HostConfig"];
    assert_eq!(host["Privileged"], false);
    assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["AutoRemove"], true);
    assert_eq!(host["SecurityOpt"][0], "no-new-privileges");
    assert_eq!(host["RestartPolicy"]["Name"], "no");
    assert!(host["PidsLimit"].as_i64().unwrap() > 0);
    let mounts = inspected["Mounts"].as_array().unwrap();
    let recorder = mounts.iter().find(|mount| mount["Destination"] == "/usr/local/bin/recorder").unwrap();
    assert_eq!(recorder["RW"], false);
    assert!(mounts.iter().any(|mount| mount["Destination"] == "/run/laggard" && mount["RW"] == true));
    assert_eq!(mounts.len(), 2);
}

#[test]
fn a_missing_image_is_told_with_what_to_do() {
    on_engine("laggardtest-image-", |engine, names| async move {
        let spec = UpSpec { image: Some("laggardtest/none:v1".into()), ..spec(&names, 3) };
        message(engine.up(&spec).await, &["--image laggardtest/none:v1", "cannot be fetched", "make images"]);
        assert_eq!(left(&names), "");
        let chosen = engine.choose_image(None).await.unwrap();
        assert!(chosen.note.is_some_and(|note| note.contains(&chosen.name)));
        let few = UpSpec { nodes: 2, ..spec };
        message(engine.up(&few).await, &["--nodes 2", "3 to 7"]);
    });
}

fn connect_to(host: &str) -> recorder::error::Result<Engine> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Engine::connect_to(Some(host)))
}

#[test]
fn no_engine_is_told_with_what_to_do() {
    message(
        connect_to("unix:///nonexistent/docker.sock"),
        &["unix:///nonexistent/docker.sock", "no Docker engine", "start it"],
    );
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    message(connect_to(&format!("unix://{}", socket.display())), &["refused", "start it", "--cluster sandbox"]);
    message(connect_to("tcp://192.0.2.1:2375"), &["tcp://192.0.2.1:2375", "this machine", "unset DOCKER_HOST"]);
}

#[test]
fn a_socket_without_permission_is_told_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let socket = place.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    let host = format!("unix://{}", socket.display());
    // Root may use any socket: somebody else has to try, in a thread that is nobody and ends so.
    let trying = std::thread::spawn(move || {
        if nix::unistd::geteuid().is_root() {
            // SAFETY: the raw call changes this thread alone, and needs no memory.
            assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534) }, 0);
        }
        message(connect_to(&host), &["may not use", "group docker", "--cluster sandbox"]);
    });
    trying.join().unwrap();
}

#[test]
fn an_engine_that_is_too_old_or_none_is_told() {
    let old = r#"{"Version":"19.03.15","ApiVersion":"1.40"}"#;
    message(connect_to(&answering(old)), &["too old", "19.03.15", "1.40", "20.10"]);
    message(connect_to(&answering("what?")), &["does not answer as a Docker engine does", "DOCKER_HOST"]);
}

#[test]
fn an_engine_that_goes_away_is_told_and_one_that_hangs_is_given_up() {
    on_engine("laggardtest-away-", |engine, names| async move {
        let relay = Relay::to(engine.socket().strip_prefix("unix://").unwrap());
        let through = Engine::connect_to(Some(&relay.host)).await.unwrap();
        let cluster = through.up(&spec(&names, 3)).await.unwrap();
        drop(relay);
        let parts = [through.socket(), "did not answer", "docker info", "systemctl status docker"];
        message(through.state(&cluster.members[0].id).await, &parts);
        message(through.find_cluster(&names).await, &parts);
        message(through.down(&names, true).await, &parts);
        assert_eq!(through.last_log_lines(&cluster.members[0].id, 3).await, "");
        assert!(engine.find_cluster(&names).await.unwrap().is_some());
    });

    // What accepts and says nothing is no engine, and is not waited for.
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("docker.sock");
    let _silent = UnixListener::bind(&socket).unwrap();
    let begun = Instant::now();
    message(connect_to(&format!("unix://{}", socket.display())), &["no answer within 10 s"]);
    assert!(begun.elapsed() < Duration::from_secs(15));
}

/// A socket behind which the engine is until this is dropped.
struct Relay {
    host: String,
    open: Arc<AtomicBool>,
    socket: PathBuf,
}

impl Relay {
    fn to(engine: &str) -> Self {
        let place = tempfile::tempdir().unwrap().keep();
        let socket = place.join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let open = Arc::new(AtomicBool::new(true));
        let (engine, is_open) = (engine.to_owned(), Arc::clone(&open));
        std::thread::spawn(move || {
            while let Ok((here, _)) = listener.accept() {
                if !is_open.load(Ordering::Relaxed) {
                    break;
                }
                let there = UnixStream::connect(&engine).unwrap();
                for (mut from, mut to) in [(here.try_clone().unwrap(), there.try_clone().unwrap()), (there, here)] {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
            let _ = std::fs::remove_dir_all(place);
        });
        Self { host: format!("unix://{}", socket.display()), open, socket }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.open.store(false, Ordering::Relaxed);
        // Wakes the thread, which ends without an answer.
        let _ = UnixStream::connect(&self.socket);
        while self.socket.exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_member_of_the_group_docker_needs_no_root() {
    if !nix::unistd::geteuid().is_root() {
        // All the other tests are that proof then.
        return;
    }
    on_engine("laggardtest-group-", |engine, names| async move {
        if engine.image_id(image::TOOLS_IMAGE).await.unwrap().is_none() {
            return skip(&format!("image {} is missing: make images", image::TOOLS_IMAGE));
        }
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let socket = std::fs::metadata(engine.socket().strip_prefix("unix://").unwrap()).unwrap();
        assert_eq!(socket.mode() & 0o060, 0o060, "the engine's socket is its group's");
        let place = tempfile::tempdir().unwrap();
        let user = 12_345;
        std::os::unix::fs::chown(place.path(), Some(user), Some(user)).unwrap();
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o770)).unwrap();
        let place_path = place.path().to_path_buf();
        let group = socket.gid();
        let as_user = std::thread::spawn(move || {
            // SAFETY: the raw calls change this thread alone; the list of groups lives through the first.
            unsafe {
                let groups = [group];
                assert_eq!(libc::syscall(libc::SYS_setgroups, 1, groups.as_ptr()), 0);
                assert_eq!(libc::syscall(libc::SYS_setresgid, user, user, user), 0);
                assert_eq!(libc::syscall(libc::SYS_setresuid, user, user, user), 0);
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let engine = Engine::connect().await.unwrap();
                let cluster = engine.up(&spec(&names, 3)).await.unwrap();
                wait_for_leader(&cluster).await;
                // The sidecar's root reaches what its owner's group may, though it may not pass over modes.
                let touch = ["/usr/local/bin/recorder", "/run/laggard/made-inside"].map(String::from).to_vec();
                let spec = SidecarSpec {
                    executable: PathBuf::from("/usr/bin/touch"),
                    command: touch,
                    ..sidecar_spec(&names, &cluster, &place_path)
                };
                let mut sidecar = engine.start_sidecar(&spec).await.unwrap();
                assert_eq!(sidecar.last_words(3).await, "");
                assert!(place_path.join("made-inside").exists());
                engine.down(&names, true).await.unwrap();
            });
        });
        as_user.join().unwrap();
    });
}

/// A socket that gives everybody the same answer.
fn answering(body: &'static str) -> String {
    let place = tempfile::tempdir().unwrap().keep();
    let socket = place.join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        // One call to see whether anybody listens, one that asks.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
        let _ = std::fs::remove_dir_all(place);
    });
    format!("unix://{}", socket.display())
}
