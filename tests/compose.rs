//! The compose files and the images, on a real engine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use end_to_end::engine::{answers, build_images, docker, images, lines_of};
use end_to_end::processes::wait_until;
use end_to_end::{Finished, Workplace, binaries, one_at_a_time, run, skip, workspace};

/// Kinds of docker-compose: the older program, and the plugin of docker.
const KINDS: [&str; 2] = ["docker-compose", "docker compose"];

/// The beginning of a command of docker-compose.
fn command(kind: &str) -> Command {
    let mut words = kind.split(' ');
    let mut command = Command::new(words.next().expect("there is a first word"));
    command.args(words).stdin(Stdio::null());
    command
}

/// A compose file's cluster, brought up by one kind of docker-compose; it is taken down when the value is dropped.
struct Project {
    kind: &'static str,
    file: PathBuf,
    name: String,
    ports: Vec<u16>,
}

impl Project {
    fn new(kind: &'static str, file: &str, members: usize) -> Self {
        let name = format!("laggard-test-{}", std::process::id());
        Self { kind, file: workspace().join("compose").join(file), name, ports: free_ports(members) }
    }

    fn members(&self) -> usize {
        self.ports.len()
    }

    fn compose(&self, arguments: &str) -> Finished {
        let mut command = command(self.kind);
        command.arg("-f").arg(&self.file).args(["-p", &self.name]).args(arguments.split(' '));
        command.env("ETCD_IMAGE", "laggard/etcd:latest");
        for (number, port) in self.ports.iter().enumerate() {
            command.env(format!("ETCD{number}_PORT"), port.to_string());
        }
        run(&mut command)
    }

    /// What the engine has of this project.
    fn remains(&self) -> Vec<String> {
        let filter = format!("--filter label=com.docker.compose.project={}", self.name);
        ["ps --all", "network ls", "volume ls"]
            .iter()
            .flat_map(|list| lines_of(&format!("{list} --quiet {filter}")))
            .collect()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.compose("down --volumes");
    }
}

/// Ports of the loopback that nobody has at the moment.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("it is bound").port()).collect()
}

/// Puts a value through a member's HTTP gateway. Key and value are in base64.
fn put(port: u16, key: &str, value: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let body = format!(r#"{{"key":"{key}","value":"{value}"}}"#);
    let length = body.len();
    let head = format!("POST /v3/kv/put HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((head + &body).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Whether the names that the compose files give are free; skips the test when they are not.
fn names_are_free() -> bool {
    let taken = lines_of("ps --all --filter name=^/etcd[0-9]+$ --format {{.Names}}");
    if !taken.is_empty() {
        skip(&format!("there are containers called {}, which this test did not make", taken.join(", ")));
    }
    taken.is_empty()
}

/// The kinds of docker-compose that run here; skips the test when there is none.
fn kinds() -> Vec<&'static str> {
    let runs = |kind: &&str| command(kind).arg("version").output().is_ok_and(|output| output.status.success());
    let kinds: Vec<_> = KINDS.into_iter().filter(runs).collect();
    if kinds.is_empty() {
        skip("there is neither docker-compose nor docker's plugin for it");
    }
    kinds
}

fn check(file: &str, members: usize) {
    let _one = one_at_a_time();
    if !answers() || !names_are_free() {
        return;
    }
    images();
    for kind in kinds() {
        let project = Project::new(kind, file, members);
        project.compose("config --quiet").expect_code(0);
        let up = project.compose("up --detach").expect_code(0);
        assert!(!up.stderr.contains("obsolete"), "{}", up.stderr);

        for (number, port) in project.ports.iter().enumerate() {
            wait_until("the member is healthy", Duration::from_secs(60), || {
                lines_of(&format!("inspect --format {{{{.State.Health.Status}}}} etcd{number}")) == ["healthy"]
            });
            assert_eq!(lines_of(&format!("port etcd{number}")), [format!("2379/tcp -> 127.0.0.1:{port}")]);
        }
        let answer = put(project.ports[0], "c2xvdw==", "ZmF1bHQ=").expect("the gateway answers");
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        sweep_on(members);
        test_on(members);
        let last = project.members() - 1;
        assert_eq!(lines_of(&format!("exec etcd{last} etcdctl get slow --print-value-only")), ["fault"]);
        assert_eq!(lines_of("exec etcd0 etcdctl member list").len(), members);

        project.compose("down --volumes").expect_code(0);
        assert_eq!(project.remains(), Vec::<String>::new(), "left by {kind}");
    }
}

/// Records a small sweep on the containers that are up, without being told of them.
fn sweep_on(members: usize) {
    let place = Workplace::new();
    let plan = format!(
        "baselines = 1\n[run]\nnodes = {members}\nduration = \"4s\"\nwarm-up = \"1s\"\nrate = 100\n\
         [[experiment]]\nlabel = \"delay{{value.number}}_mid\"\nfault = \"delay\"\nvalue = \"30ms\"\nwindow = \"mid\"\n"
    );
    std::fs::write(place.path().join("plan.toml"), plan).expect("the plan can be written");
    let made = run(&mut place.recorder_beside_engine("sweep plan.toml")).expect_code(0);
    let names: Vec<_> = (0..members).map(|number| format!("etcd{number}")).collect();
    assert!(made.stderr.contains(&format!("using the containers {}", names.join(", "))), "{}", made.stderr);
    let runs = run_folder::RunFolder::list(&place.results()).expect("there are runs");
    assert_eq!(runs.len(), 2);
    for folder in runs {
        let manifest = folder.manifest().expect("the manifest is whole");
        assert_eq!(manifest.status, run_folder::Status::Finished);
        assert!(manifest.cluster.adopted && manifest.cluster.members.len() == members);
    }
    let shown = run(&mut place.recorder_beside_engine("faults show")).expect_code(0);
    assert_eq!(shown.stdout.lines().filter(|line| line.ends_with(": no fault")).count(), members, "{}", shown.stdout);
    let kept = run(&mut place.recorder_beside_engine("down --cluster docker")).expect_code(3);
    assert!(kept.stderr.contains("did not make"), "{}", kept.stderr);
}

/// Tests the containers that are up, one of which is killed and started again, and leaves them to whoever made them.
fn test_on(members: usize) {
    let place = Workplace::new();
    let tested = run(&mut place.recorder_beside_engine("test --json")).expect_code(0);
    assert!(!tested.stderr.contains("--cleanup"), "{}", tested.stderr);
    let tested: serde_json::Value = serde_json::from_str(&tested.stdout).expect("one JSON object");
    assert_eq!((&tested["passed"], &tested["cluster"]["backend"]), (&true.into(), &"docker".into()));
    assert_eq!(tested["cluster"]["nodes"].as_array().map(Vec::len), Some(members));
    let kept = run(&mut place.recorder_beside_engine("test --cleanup")).expect_code(3);
    assert!(kept.stderr.contains("did not make") && kept.stderr.contains("docker-compose"), "{}", kept.stderr);
}

#[test]
fn three_members_come_up_healthy_and_go_without_a_trace() {
    check("docker-compose-etcd.yml", 3);
}

#[test]
fn five_members_come_up_healthy_and_go_without_a_trace() {
    check("docker-compose-etcd-5.yml", 5);
}

/// Runs a program of the tools image as the recorder does: nothing to write to, and no right but that over its network.
fn tool(arguments: &str) -> Finished {
    let sandboxed =
        "run --rm --network none --read-only --tmpfs /run --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_RAW";
    run(&mut docker(&format!("{sandboxed} --security-opt no-new-privileges --entrypoint {arguments}")))
}

#[test]
fn the_tools_image_has_what_faults_need() {
    let _one = one_at_a_time();
    if !answers() {
        return;
    }
    images();
    let inside = run(&mut docker("run --rm --network none laggard/tools --version")).expect_code(0);
    let outside = run(&mut Workplace::new().recorder("--version")).expect_code(0);
    assert_eq!(inside.stdout, outside.stdout);

    // The modules load, whatever the kernel says to them.
    for flavour in ["iptables-legacy", "iptables-nft", "iptables"] {
        let help = tool(&format!("{flavour} laggard/tools -p tcp -m multiport -j NFQUEUE --help")).expect_code(0);
        assert!(help.stdout.contains("--ports") && help.stdout.contains("--queue-bypass"), "{}", help.stdout);
        for action in ["restore", "save"] {
            tool(&format!("{flavour}-{action} laggard/tools --version")).expect_code(0);
        }
    }
    let rule = "-t mangle -A PREROUTING -p tcp -m multiport --ports 2380 -j NFQUEUE --queue-num 1 --queue-bypass";
    let flavours = ["iptables-legacy", "iptables"].map(|flavour| tool(&format!("{flavour} laggard/tools {rule}")));
    assert!(flavours.iter().any(|made| made.code == Some(0)), "{flavours:?}");

    tool("ip laggard/tools link set lo up").expect_code(0);
    for distribution in ["normal", "pareto", "paretonormal"] {
        let netem = format!("tc laggard/tools qdisc add dev lo root netem delay 9ms 1ms distribution {distribution}");
        let netem = tool(&netem);
        // tc reads the table before it asks the kernel, which need not have netem.
        let known = netem.code == Some(0) || netem.stderr.contains("qdisc kind is unknown");
        assert!(known, "{}", netem.stderr);
    }
}

#[test]
fn images_that_are_up_to_date_are_left_alone() {
    let _one = one_at_a_time();
    if !answers() {
        return;
    }
    images();
    let ids = || lines_of("image inspect --format {{.Id}} laggard/etcd laggard/tools");
    let before = ids();
    let again = build_images(&binaries().recorder).expect_code(0);
    assert_eq!(again.stdout, "images: laggard/etcd is up to date\nimages: laggard/tools is up to date\n");
    assert_eq!(ids(), before);

    // What follows the program's end does not change what it does.
    let place = Workplace::new();
    let other = place.path().join("recorder");
    std::fs::copy(&binaries().recorder, &other).expect("the recorder can be copied");
    let mut file = std::fs::OpenOptions::new().append(true).open(&other).expect("the copy can be written");
    file.write_all(b"another build").expect("the copy can be written");
    drop(file);
    let built = build_images(&other).expect_code(0);
    assert!(
        built.stdout.starts_with("images: laggard/etcd is up to date\nimages: built laggard/tools"),
        "{}",
        built.stdout
    );
    build_images(&binaries().recorder).expect_code(0);
}
