//! What was typed against what is run.

use clap::Parser;

use super::parts::mix;
use super::*;
use crate::cli::{Cli, Command};
use run_folder::spec::{Direction, Mix};

fn plan(line: &str) -> RunSpec {
    let typed = Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
    let planned = match &typed.command {
        Command::Run(typed) => run(typed),
        Command::SlowLeader(typed) => slow_leader(typed),
        Command::SlowFollower(typed) => slow_follower(typed),
        _ => panic!("{line} records nothing"),
    };
    planned.unwrap_or_else(|error| panic!("{line}: {error}")).spec
}

/// What the older scripts' arguments mean: `(pacing, operations, duration, fault, target, at, for, attachment)`.
fn check(
    line: &str,
    load: (Pacing, Option<u64>, u64),
    fault: Option<(Effect, Target, u64, Option<u64>)>,
    attachment: Attachment,
) {
    let spec = plan(line);
    let workload = &spec.workload;
    assert_eq!((workload.pacing, workload.operations, workload.duration_ms), (load.0, load.1, Some(load.2)), "{line}");
    let planned = spec.fault.map(|fault| (fault.effect, fault.target, fault.at_ms, fault.for_ms));
    assert_eq!(planned, fault, "{line}");
    assert_eq!(workload.attachment, attachment, "{line}");
}

#[test]
fn the_older_scripts_arguments_work_as_typed() {
    let (even, closed) = ((Pacing::Even, Some(10_000)), Pacing::Closed);
    let delay = |ms: u64| Effect::delay(ms * 1000);
    check("recorder slow-leader 0ms 0 baseline none 0", (even.0, even.1, 120_000), None, Attachment::RoundRobin);
    check(
        "recorder slow-leader 20ms 60 slowleader_mid20ms delay 30",
        (even.0, even.1, 120_000),
        Some((delay(20), Target::Leader, 30_000, Some(60_000))),
        Attachment::RoundRobin,
    );
    check("recorder slow-follower 0ms 120 baseline delay 0", (closed, None, 120_000), None, Attachment::Target);
    check(
        "recorder slow-follower 100ms 120 delay100_mid delay 60",
        (closed, None, 120_000),
        Some((delay(100), Target::Follower, 60_000, None)),
        Attachment::Target,
    );
    check(
        "recorder slow-follower 20% 120 loss20_full loss 0",
        (closed, None, 120_000),
        Some((Effect::Loss { loss_percent: 20.0 }, Target::Follower, 0, None)),
        Attachment::Target,
    );
}

#[test]
fn a_run_is_thirty_seconds_unless_something_limits_it() {
    assert_eq!(plan("recorder run x").workload.duration_ms, Some(30_000));
    assert_eq!(plan("recorder run x --operations 10").workload.duration_ms, None);
    assert_eq!(plan("recorder run x --fault delay --value 0ms").fault, None);
    let fault = plan("recorder run x --fault delay --value 1ms --at 500ms --for 2 --direction both").fault.unwrap();
    assert_eq!((fault.at_ms, fault.for_ms, fault.direction), (500, Some(2_000), Direction::Both));
}

#[test]
fn mixes_are_weights() {
    assert_eq!(mix("put").unwrap(), Mix::PUTS);
    assert_eq!(mix("put=60, get=30,txn=10").unwrap(), Mix { put: 60, get: 30, txn: 10, ..Mix::default() });
    for text in ["", "put=-1", "put=x", "get=0"] {
        assert!(mix(text).is_err(), "{text}");
    }
}
