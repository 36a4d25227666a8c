//! Wrong arguments: one clear error each that names the argument, the documented exit code, and nothing left.

use end_to_end::{Workplace, run};

const USAGE: i32 = 2;
const ENVIRONMENT: i32 = 3;

fn check(arguments: &str, code: i32, parts: &[&str]) {
    let place = Workplace::new();
    let finished = run(&mut place.recorder(arguments)).expect_code(code);
    for part in parts {
        assert!(finished.stderr.contains(part), "{arguments}: no {part:?} in: {}", finished.stderr);
    }
    assert!(finished.stdout.is_empty(), "{arguments}: {}", finished.stdout);
    let left: Vec<_> = std::fs::read_dir(place.results()).into_iter().flatten().collect();
    assert!(left.is_empty(), "{arguments} left {left:?}");
}

#[test]
fn strengths() {
    check("slow-follower 120% 10 x loss 0", USAGE, &["fault_value", "120%", "between 0% and 100%"]);
    check("slow-follower 100 10 x delay 0", USAGE, &["fault_value", "no unit", "100ms"]);
    check("slow-follower 20ms 10 x loss 0", USAGE, &["fault_value", "percentage"]);
    check("slow-leader fast 10 x delay 0", USAGE, &["delay_value", "\"fast\""]);
    check("run x --fault delay", USAGE, &["--value", "missing"]);
    check("run x --value 100ms", USAGE, &["--value", "--fault"]);
    check("run x --fault delay --value 500ms --for 0.3", USAGE, &["--for", "no longer than the delay"]);
    check("run x --fault delay --value 0.4us", USAGE, &["--value", "microsecond"]);
    check("run x --fault delay --value 10ms --jitter 20ms", USAGE, &["--jitter"]);
    check("run x --fault loss --value 10% --jitter 2ms", USAGE, &["--jitter"]);
}

#[test]
fn times() {
    check("slow-follower 20ms 10 x delay 10", USAGE, &["inject_at_s", "past the end"]);
    check("slow-follower 20ms 0 x delay 0", USAGE, &["duration_s"]);
    check("slow-leader 20ms 0 x delay 30", USAGE, &["duration_seconds", "lifted at once"]);
    check("run x --duration 10 --at 11 --fault delay --value 1ms", USAGE, &["--at", "past the end"]);
    check("run x --duration 10 --at 5 --for 6 --fault delay --value 1ms", USAGE, &["--for", "past the end"]);
    check("run x --duration 10 --at 5", USAGE, &["--fault"]);
    check("run x --duration soon", USAGE, &["--duration", "\"soon\""]);
}

#[test]
fn kinds_and_names() {
    check("slow-follower 20ms 10 x lag 0", USAGE, &["lag", "delay", "loss"]);
    check("run x --fault loss --value 1% --target etcd9", USAGE, &["--target", "etcd9", "etcd0, etcd1, etcd2"]);
    check("run x --attach etcd3", USAGE, &["--attach", "etcd3"]);
    check("run x --mix put=1,post=2", USAGE, &["--mix", "post"]);
    check("run x --mix put=0", USAGE, &["--mix", "0"]);
    check("run x --nodes 2", USAGE, &["--nodes", "2"]);
    check("run x --concurrency 0", USAGE, &["--concurrency"]);
    check("run x --key-size 2", USAGE, &["--key-size"]);
    check("run x --value-size 99999999", USAGE, &["--value-size"]);
    check("run x --pacing even", USAGE, &["--pacing even", "--operations"]);
    check("run x --pacing even --operations 9000000000 --duration 1", USAGE, &["--operations", "a second"]);
    check("run x --operations 9000000000000000000", USAGE, &["--operations"]);
    check("run x --pacing poisson", USAGE, &["--rate"]);
    check("run x --rate 0", USAGE, &["--rate"]);
    check("run x --rate 100 --pacing even --operations 5", USAGE, &["--rate", "--pacing"]);
    check("run x --rate 100 --operations 5", USAGE, &["--operations"]);
    check("run x --mix put=1,put=2", USAGE, &["--mix", "twice"]);
    check("run x --attach target --target leader", USAGE, &["--attach target"]);
    check(
        "run x --fault loss --value 1% --target all --attach healthy-follower",
        USAGE,
        &["--attach healthy-follower"],
    );
}

#[test]
fn labels() {
    for label in ["a/b", "a:b", "..", "../up", "."] {
        check(&format!("run {label} --duration 1"), USAGE, &["label", label]);
    }
    let place = Workplace::new();
    let finished = run(place.recorder("run").arg("").args(["--duration", "1"])).expect_code(USAGE);
    assert!(finished.stderr.contains("is empty"), "{}", finished.stderr);
}

#[test]
fn etcd_that_is_not_there() {
    let place = Workplace::new();
    let empty = place.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    // Programs of /usr/sbin are found without PATH; etcd is none of them.
    let finished = run(place.recorder("run x --duration 1").env("PATH", &empty)).expect_code(ENVIRONMENT);
    assert!(finished.stderr.contains("no etcd on PATH") && finished.stderr.contains("--etcd"), "{}", finished.stderr);
    check("run x --duration 1 --etcd /nowhere/etcd", ENVIRONMENT, &["--etcd", "/nowhere/etcd"]);
    check("run x --duration 1 --etcd /bin/true", ENVIRONMENT, &["is not etcd"]);
    check("run x --duration 1 --etcd-version 9.9.9", ENVIRONMENT, &["ETCD_VERSION", "9.9.9", "--etcd"]);
}

#[test]
fn places_that_cannot_be_written() {
    let place = Workplace::new();
    std::fs::write(place.path().join("file"), "").unwrap();
    let finished = run(&mut place.recorder("run x --duration 1 --dir file/results")).expect_code(1);
    assert!(finished.stderr.contains("file/results") && finished.stderr.contains("--dir"), "{}", finished.stderr);
    let finished = run(&mut place.recorder("recover nowhere")).expect_code(1);
    assert!(finished.stderr.contains("nowhere"), "{}", finished.stderr);
    let finished = run(&mut place.recorder("run x --duration 1 --dir /run/laggard-test")).expect_code(USAGE);
    assert!(finished.stderr.contains("/run"), "{}", finished.stderr);
}

#[test]
fn folders_that_others_own() {
    let place = Workplace::new();
    let mut recorder = place.recorder_unprivileged("run x --duration 1 --dir closed");
    std::fs::create_dir(place.path().join("closed")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o555);
    std::fs::set_permissions(place.path().join("closed"), mode).unwrap();
    let finished = run(&mut recorder).expect_code(1);
    assert!(finished.stderr.contains("closed") && finished.stderr.contains("ermission denied"), "{}", finished.stderr);
}
