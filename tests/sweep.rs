//! Sweeps by the real recorder on real etcd: the plan is what is in the folders, whatever happens on the way.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use end_to_end::processes::{assert_nothing_left, signal, wait_until};
use end_to_end::{Finished, Workplace, one_at_a_time, run, skip, workspace};
use nix::sys::signal::Signal;
use run_folder::manifest::Role;
use run_folder::{Manifest, RunFolder, Status, SweepManifest};

/// A place with a plan of this text in `plan.toml`.
fn place_with(plan: &str) -> Workplace {
    let place = Workplace::new();
    std::fs::write(place.path().join("plan.toml"), plan).expect("the plan can be written");
    place
}

/// Runs of a second each, in the order in which they stand.
fn short(blocks: &str) -> String {
    format!(
        "shuffle = false\nbaselines = 1\n[run]\nduration = \"1s\"\nwarm-up = \"0.3s\"\nattach = \"leader\"\n{blocks}"
    )
}

/// Short runs with delays of these many milliseconds.
fn delays(values: &str) -> String {
    let block = "[[experiment]]\nlabel = \"delay{value.number}_full\"\nfault = \"delay\"\nwindow = \"full\"\nvalue = ";
    short(&format!("{block}[{values}]\n"))
}

fn sweep(place: &Workplace, options: &str) -> Finished {
    run(&mut place.recorder(&format!("sweep plan.toml {options}")))
}

fn start(place: &Workplace, options: &str) -> Child {
    let mut command = place.recorder(&format!("sweep plan.toml {options}"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the recorder starts")
}

fn wait(child: Child) -> Finished {
    child.wait_with_output().expect("the recorder ends").into()
}

fn only_sweep(place: &Workplace) -> SweepManifest {
    let mut sweeps = SweepManifest::list(&place.results()).expect("sweeps can be read");
    assert_eq!(sweeps.len(), 1, "{sweeps:?}");
    sweeps.remove(0)
}

fn manifests(place: &Workplace) -> Vec<Manifest> {
    let folders = RunFolder::list(&place.results()).unwrap_or_default();
    folders.iter().filter_map(|folder| folder.manifest().ok()).collect()
}

fn finished_labels(place: &Workplace) -> Vec<String> {
    let finished = manifests(place).into_iter().filter(|manifest| manifest.status == Status::Finished);
    finished.map(|manifest| manifest.spec.label.to_string()).collect()
}

#[test]
fn a_sweep_ties_its_runs_together_and_old_plotting_code_reads_them() {
    let _one = one_at_a_time();
    let place = place_with(
        "baselines = 2\nseed = 5\n[run]\nduration = \"3s\"\nwarm-up = \"0.5s\"\nattach = \"target\"\n\
         [[experiment]]\nlabel = \"loss{value.number}_{window}\"\nfault = \"loss\"\nvalue = [\"5%\", \"20%\"]\nwindow = \"full\"\n\
         [[control]]\nlabel = \"null_mid\"\nfault = \"null\"\nwindow = \"mid\"\n\
         [[control]]\nlabel = \"unusedlink_mid\"\nfault = \"delay\"\nvalue = \"100ms\"\nscope = \"peers\"\n\
         peer = \"other-follower\"\nwindow = \"mid\"\n",
    );
    let finished = sweep(&place, "").expect_code(0);
    assert_nothing_left(place.path());
    let manifest = only_sweep(&place);
    assert_eq!(
        PathBuf::from(finished.stdout.trim()),
        PathBuf::from("etcd_bench_results/sweeps").join(format!("{}.json", manifest.id))
    );
    assert!(manifest.ended_unix_ns.is_some() && manifest.seed == 5 && manifest.plan.contains("[[control]]"));
    assert_eq!(manifest.runs.len(), 6);
    for (at, sweep_run) in manifest.runs.iter().enumerate() {
        let name = sweep_run.finished().expect("every run is finished");
        let folder = RunFolder::open(&place.results().join(name)).unwrap();
        let recorded = folder.manifest().unwrap();
        let place = recorded.sweep.expect("it knows its sweep");
        assert_eq!((&place.sweep, place.number, place.role), (&manifest.id, at + 1, sweep_run.role));
        assert_eq!(recorded.spec, sweep_run.spec, "exactly as planned");
        assert!(finished.stderr.contains(&format!("[{}/6] {}: ", at + 1, recorded.spec.label)), "{}", finished.stderr);
        let fault = run_folder::reader::faults(&folder).unwrap().into_iter().next();
        assert_eq!(
            fault.as_ref().map(|fault| fault.confirmed),
            (sweep_run.role != Role::Baseline).then_some(Some(true))
        );
        if recorded.spec.label.as_str() == "unusedlink_mid" {
            let fault = fault.unwrap();
            assert!(fault.peer.is_some_and(|peer| peer != fault.target), "{fault:?}");
            assert_eq!(fault.role, "follower");
            assert_ne!(recorded.leaders.injection, fault.peer.map(|peer| peer as usize), "the leader's link is in use");
            assert!(
                fault.probe_during_us.unwrap() > 80_000.0 && fault.probe_untouched_us.unwrap() < 50_000.0,
                "{fault:?}"
            );
        }
    }
    let delta = run(&mut place.analyze("delta --sweep latest --pattern loss20_full --format json")).expect_code(0);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&delta.stdout).expect("valid JSON");
    let row = rows.iter().find(|row| row["compared"] == "during/baseline").expect("full runs have baselines");
    assert_eq!(row["baselines"].as_u64(), Some(2), "found though the pattern leaves them out: {row}");
    let ratio = row["ops_per_s_ratio"].as_f64().expect("a ratio");
    assert!((0.0..0.6).contains(&ratio), "20 % of loss leave {ratio} of the throughput");
    old_plotting_code(&place);
}

/// Code of the shape that people plot with: labels by regular expression from the folders' names, throughput.csv by
/// pandas.
fn old_plotting_code(place: &Workplace) {
    let python = "/usr/bin/python3";
    let has_pandas =
        Command::new(python).args(["-c", "import pandas"]).output().is_ok_and(|output| output.status.success());
    if !has_pandas {
        skip("python3 has no pandas (apt install python3-pandas)");
        return;
    }
    let script = workspace().join("tests/fixtures/older_plot.py");
    let finished = run(Command::new(python).arg(script).arg(place.results())).expect_code(0);
    let groups: Vec<(&str, f64)> = finished
        .stdout
        .lines()
        .map(|line| line.split_once(' ').expect("a label and a mean"))
        .map(|(label, mean)| (label, mean.parse().expect("a number")))
        .collect();
    let labels: Vec<_> = groups.iter().map(|(label, _)| *label).collect();
    assert_eq!(labels, ["baseline", "loss5", "loss20"], "{}", finished.stdout);
    assert!(groups.iter().all(|(_, mean)| *mean > 1.0), "{groups:?}");
    assert!(groups[2].1 < groups[0].1 / 2.0, "20 % of loss at the clients' member more than halve it: {groups:?}");
}

#[test]
fn kill_9_between_and_within_runs_then_resume_gives_the_same_plan() {
    let _one = one_at_a_time();
    let place = place_with(&delays("\"5ms\", \"10ms\", \"15ms\""));
    // At the end of a run, as soon as its manifest says so.
    let recorder = start(&place, "");
    wait_until("the first run", Duration::from_secs(40), || finished_labels(&place).len() == 1);
    signal(recorder.id() as i32, Signal::SIGKILL);
    wait(recorder);
    assert_nothing_left(place.path());
    let planned = only_sweep(&place);
    assert!(planned.ended_unix_ns.is_none());

    // Without --resume, nothing is begun beside it.
    let refused = sweep(&place, "").expect_code(2);
    assert!(refused.stderr.contains("--resume") && refused.stderr.contains(&planned.id), "{}", refused.stderr);

    // In the middle of a run.
    let recorder = start(&place, "--resume");
    wait_until("a run under way", Duration::from_secs(40), || {
        let folders = RunFolder::list(&place.results()).unwrap_or_default();
        let last = folders.last().filter(|folder| folder.label().as_str() == "delay10_full");
        last.and_then(|last| last.operations_journal().metadata().ok()).is_some_and(|journal| journal.len() > 10_000)
    });
    signal(recorder.id() as i32, Signal::SIGKILL);
    wait(recorder);
    assert_nothing_left(place.path());

    let resumed = sweep(&place, "--resume").expect_code(0);
    assert_nothing_left(place.path());
    let manifest = only_sweep(&place);
    assert!(manifest.ended_unix_ns.is_some());
    let specs = |manifest: &SweepManifest| manifest.runs.iter().map(|run| run.spec.clone()).collect::<Vec<_>>();
    assert_eq!(specs(&manifest), specs(&planned), "the same plan, seeds and all");
    let mut labels = finished_labels(&place);
    labels.sort();
    assert_eq!(labels, ["baseline", "delay10_full", "delay15_full", "delay5_full"], "each once: {}", resumed.stderr);
    let interrupted = manifest.runs.iter().find(|run| run.spec.label.as_str() == "delay10_full").unwrap();
    assert!(
        matches!(interrupted.attempts[0].status, Status::Failed { recovered: true, .. }),
        "what was recorded of it is kept: {:?}",
        interrupted.attempts
    );
    let aside = place.results().join("sweeps").join(format!("{}.attempts", manifest.id));
    let aside = RunFolder::list(&aside).unwrap();
    assert_eq!(aside.iter().map(RunFolder::name).collect::<Vec<_>>(), [interrupted.attempts[0].run.clone()]);
    assert!(!place.results().join(".laggard-data").exists(), "members' data were left behind");

    let again = sweep(&place, "--resume").expect_code(0);
    assert!(again.stderr.contains("0 of 4 runs to make"), "{}", again.stderr);
}

#[test]
fn a_failed_run_does_not_end_the_sweep_and_a_changed_plan_is_listed() {
    let _one = one_at_a_time();
    let experiment = |loss: &str| {
        short(&format!(
            "[[experiment]]\nlabel = \"rare\"\nfault = \"loss\"\nvalue = \"{loss}\"\nwindow = \"full\"\n\
             [[experiment]]\nlabel = \"delay5_full\"\nfault = \"delay\"\nvalue = \"5ms\"\nwindow = \"full\"\n"
        ))
    };
    // So few packets are to be lost that none need be, which cannot be told from no fault.
    let place = place_with(&experiment("0.001%"));
    let finished = sweep(&place, "").expect_code(1);
    assert_eq!(finished_labels(&place), ["baseline", "delay5_full"]);
    for part in ["2 of 3 runs are finished", "rare: failed: fault not confirmed", "--resume"] {
        assert!(finished.stderr.contains(part), "no {part:?} in {}", finished.stderr);
    }

    std::fs::write(place.path().join("plan.toml"), experiment("20%")).unwrap();
    let refused = sweep(&place, "--resume").expect_code(2);
    let listed = "rare: fault.effect.loss_percent was 0.001, is 20.0";
    assert!(refused.stderr.contains(listed) && refused.stderr.contains("--force"), "{}", refused.stderr);
    let seeded = format!("seed = 7\n{}", experiment("0.001%"));
    std::fs::write(place.path().join("plan.toml"), seeded).unwrap();
    let refused = sweep(&place, "--resume --reuse-cluster").expect_code(2);
    assert!(
        refused.stderr.contains(", is 7") && refused.stderr.contains("reuse-cluster was false"),
        "{}",
        refused.stderr
    );
    std::fs::write(place.path().join("plan.toml"), experiment("20%")).unwrap();
    let longer = sweep(&place, "--resume --duration 2").expect_code(2);
    assert!(longer.stderr.contains("baseline (baseline): workload.duration_ms was 1000, is 2000"), "{}", longer.stderr);
    sweep(&place, "--resume --force").expect_code(0);
    assert_eq!(finished_labels(&place), ["baseline", "delay5_full", "rare"], "only what changed was made again");
}

/// The processes of a sweep: the supervisor, that of the run, and the first one in its sandbox.
fn processes(place: &Workplace) -> Vec<i32> {
    end_to_end::processes::mentioning(place.path(), "sweep plan.toml")
}

#[test]
fn a_run_whose_process_is_killed_does_not_end_the_sweep_nor_does_one_that_cannot_be_recovered() {
    let _one = one_at_a_time();
    let place = place_with(&delays("\"5ms\", \"10ms\"").replace("1s", "2s"));
    let recorder = start(&place, "");
    wait_until("rows of the first run", Duration::from_secs(40), || {
        let folders = RunFolder::list(&place.results()).unwrap_or_default();
        let journal = folders.first().and_then(|folder| folder.operations_journal().metadata().ok());
        journal.is_some_and(|journal| journal.len() > 10_000)
    });
    let own = processes(&place);
    let child = *own.iter().find(|pid| **pid != recorder.id() as i32).expect("the run has a process of its own");
    signal(child, Signal::SIGKILL);
    let finished = wait(recorder).expect_code(1);
    assert_nothing_left(place.path());
    assert!(
        finished.stderr.contains("SIGKILL") && finished.stderr.contains("2 of 3 runs are finished"),
        "{}",
        finished.stderr
    );
    assert_eq!(finished_labels(&place), ["delay5_full", "delay10_full"]);

    // A journal that is damaged too: the run is made again, and what is left of the old one is named.
    let broken = RunFolder::list(&place.results()).unwrap().remove(0);
    let mut manifest = broken.manifest().unwrap();
    manifest.status = Status::Running;
    manifest.write(&broken.manifest_json()).unwrap();
    std::fs::write(broken.operations_journal(), "no journal").unwrap();
    let resumed = sweep(&place, "--resume").expect_code(0);
    let said = resumed.stderr.matches(&format!("{}: not recovered", broken.name())).count();
    assert_eq!(said, 1, "once, however many runs follow: {}", resumed.stderr);
    assert_eq!(finished_labels(&place).len(), 3);
}

#[test]
fn a_closed_terminal_does_not_end_what_nohup_started() {
    let _one = one_at_a_time();
    let place = place_with(&delays("\"5ms\""));
    let recorder = place.recorder("sweep plan.toml");
    let mut command = Command::new("nohup");
    command.arg(recorder.get_program()).args(recorder.get_args()).current_dir(place.path());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("nohup runs");
    wait_until("the first run", Duration::from_secs(40), || !manifests(&place).is_empty());
    processes(&place).into_iter().for_each(|pid| signal(pid, Signal::SIGHUP));
    wait(child).expect_code(0);
    assert_eq!(finished_labels(&place), ["baseline", "delay5_full"]);
}

#[test]
fn two_sweeps_into_one_folder_are_refused_and_an_interrupt_can_be_resumed() {
    let _one = one_at_a_time();
    let place = place_with(&delays("\"5ms\", \"10ms\"").replace("1s", "4s"));
    let recorder = start(&place, "");
    wait_until("the first run", Duration::from_secs(40), || {
        manifests(&place).iter().any(|manifest| manifest.clock.origin_unix_ns > 0)
    });
    std::fs::copy(place.path().join("plan.toml"), place.path().join("other.toml")).unwrap();
    let refused = run(&mut place.recorder("sweep other.toml")).expect_code(2);
    assert!(
        refused.stderr.contains("another sweep is under way") && refused.stderr.contains("--dir"),
        "{}",
        refused.stderr
    );
    let refused = sweep(&place, "").expect_code(2);
    assert!(refused.stderr.contains("another sweep is under way"), "the same plan too: {}", refused.stderr);
    signal(recorder.id() as i32, Signal::SIGINT);
    let finished = wait(recorder).expect_code(130);
    assert!(finished.stderr.contains("interrupted with 3 of 3 runs to make; --resume goes on"), "{}", finished.stderr);
    assert_nothing_left(place.path());
    let reason = Status::Failed { reason: "interrupted by SIGINT".into(), recovered: false };
    assert_eq!(manifests(&place).iter().map(|manifest| manifest.status.clone()).collect::<Vec<_>>(), [reason]);
    let shown = sweep(&place, "--resume --dry-run").expect_code(0);
    assert!(shown.stdout.contains("3 runs to make"), "{}", shown.stdout);
}

#[test]
fn runs_share_a_cluster_and_a_load_is_a_share_of_its_measured_capacity() {
    let _one = one_at_a_time();
    let place = place_with(&short(
        "[[experiment]]\nlabel = \"load{load}\"\nload = [\"10%\", \"20%\"]\nfault = \"delay\"\nvalue = \"5ms\"\nwindow = \"full\"\n",
    ));
    sweep(&place, "--reuse-cluster").expect_code(0);
    assert_nothing_left(place.path());
    let manifests = manifests(&place);
    let labels: Vec<_> = manifests.iter().map(|manifest| manifest.spec.label.as_str()).collect();
    assert_eq!(labels, ["capacity", "baseline_load10", "baseline_load20", "load10", "load20"]);
    assert_eq!(manifests.iter().map(|manifest| manifest.cluster.earlier_runs).collect::<Vec<_>>(), [0, 0, 1, 2, 3]);
    let ids: Vec<_> = manifests[1..].iter().map(|manifest| &manifest.cluster.members[0].id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "one cluster: {ids:?}");
    let capacity_per_s = manifests[0].generator.as_ref().unwrap().achieved_rate_per_s;
    let load = &manifests[4].spec.workload;
    assert!((load.rate_per_s.unwrap() - 0.2 * capacity_per_s).abs() < 1e-6 * capacity_per_s, "{load:?}");
    let load = load.load.as_ref().unwrap();
    assert_eq!((load.percent, load.capacity_per_s), (20.0, capacity_per_s));
    let folders = RunFolder::list(&place.results()).unwrap();
    assert_eq!(load.capacity_run, folders[0].name());
}

#[test]
fn a_failed_run_on_a_shared_cluster_costs_the_others_nothing_but_a_fresh_one() {
    let _one = one_at_a_time();
    let place = place_with(&short(
        "[[experiment]]\nlabel = \"rare\"\nfault = \"loss\"\nvalue = \"0.001%\"\nwindow = \"full\"\n\
         [[experiment]]\nlabel = \"delay5_full\"\nfault = \"delay\"\nvalue = \"5ms\"\nwindow = \"full\"\n\
         [[experiment]]\nlabel = \"delay9_full\"\nfault = \"delay\"\nvalue = \"9ms\"\nwindow = \"full\"\n",
    ));
    let finished = sweep(&place, "--reuse-cluster").expect_code(1);
    assert!(finished.stderr.contains("3 of 4 runs are finished"), "{}", finished.stderr);
    assert_eq!(finished_labels(&place), ["baseline", "delay5_full", "delay9_full"]);
    let earlier: Vec<_> = manifests(&place).iter().map(|manifest| manifest.cluster.earlier_runs).collect();
    assert_eq!(earlier, [0, 1, 0, 1], "the cluster of the failed run is not trusted");
    assert_nothing_left(place.path());
}

#[test]
fn a_single_run_measures_the_capacity_that_its_load_is_a_share_of() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let made =
        run(&mut place.recorder("run half --load 10% --duration 2 --warm-up 0.5 --pacing poisson")).expect_code(0);
    let manifests = manifests(&place);
    let [capacity, half] = &manifests[..] else { panic!("two runs, not {}", manifests.len()) };
    assert_eq!(capacity.spec.label.as_str(), "capacity");
    assert!(made.stdout.lines().count() == 1 && made.stdout.trim().ends_with("_half"), "{}", made.stdout);
    let capacity_per_s = capacity.generator.as_ref().unwrap().achieved_rate_per_s;
    assert!((half.spec.workload.rate_per_s.unwrap() / capacity_per_s - 0.1).abs() < 1e-9);
    assert_nothing_left(place.path());
}

#[test]
fn a_run_is_reproduced_from_its_manifest() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let original = "run original --fault delay --value 10ms --at 1 --for 1 --duration 3 --warm-up 0.5 --rate 200 \
                    --target leader --connections 2";
    let made = run(&mut place.recorder(original)).expect_code(0).stdout;
    let again = run(&mut place.recorder(&format!("reproduce {}", made.trim()))).expect_code(0);
    assert!(again.stderr.contains("analyze compare"), "{}", again.stderr);
    let manifests = manifests(&place);
    let (first, second) = (&manifests[0], &manifests[1]);
    let mut spec = first.spec.clone();
    spec.fault.as_mut().unwrap().mechanism = run_folder::spec::MechanismChoice::Queue;
    assert_eq!(second.spec, spec, "the same run, by the mechanism that was used");
    let compared = run(&mut place.analyze(&format!("compare {}", again.stdout.trim()))).expect_code(0);
    for part in ["original", "agree", "response_p50_ms", "what differs in the manifests", "fault.mechanism"] {
        assert!(compared.stdout.contains(part), "no {part:?} in {}", compared.stdout);
    }
    assert_eq!(second.reproduces.as_deref(), Some(RunFolder::list(&place.results()).unwrap()[0].name().as_str()));
}

#[test]
fn plans_that_cannot_be_made_are_refused_before_anything_is_recorded() {
    let _one = one_at_a_time();
    let refused = |plan: &str, options: &str, parts: &[&str]| {
        let place = place_with(plan);
        let finished = sweep(&place, options).expect_code(2);
        assert!(parts.iter().all(|part| finished.stderr.contains(part)), "{plan}: {}", finished.stderr);
        assert!(!place.results().exists(), "{plan} left something");
    };
    refused("repat = 3\n", "", &["plan.toml:1", "repeat"]);
    refused(&delays("\"5ms\", \"fast\""), "", &["plan.toml:11", "\"fast\""]);
    refused(&delays("\"5ms\""), "--resume", &["--resume", "no sweep plan"]);
    refused(&delays("\"5ms\""), "--repeat 0", &["--repeat"]);
    refused(&delays("\"5ms\""), "--duration soon", &["--duration", "\"soon\""]);
    let place = Workplace::new();
    let finished = run(&mut place.recorder("sweep nowhere.toml")).expect_code(2);
    assert!(finished.stderr.contains("nowhere.toml"), "{}", finished.stderr);
    run(&mut place.recorder("sweep")).expect_code(2);

    // A week of runs.
    let place = place_with(&delays("\"5ms\""));
    let finished = sweep(&place, "--duration 1h --repeat 84").expect_code(2);
    assert!(finished.stderr.contains("7 d") && finished.stderr.contains("--yes"), "{}", finished.stderr);
    let shown = sweep(&place, "--duration 1h --repeat 84 --dry-run").expect_code(0);
    assert!(shown.stdout.contains("168 runs to make, about 7 d"), "{}", shown.stdout);
    assert!(!place.results().exists(), "a sweep that was not begun left something");
    let recorder = start(&place, "--duration 1h --repeat 84 --yes");
    wait_until("the first run", Duration::from_secs(40), || !manifests(&place).is_empty());
    signal(recorder.id() as i32, Signal::SIGINT);
    wait(recorder).expect_code(130);
    assert_nothing_left(place.path());
}

#[test]
fn a_preset_can_be_printed_changed_and_run_as_a_plan() {
    let place = Workplace::new();
    for preset in ["quick", "slow-follower", "slow-leader"] {
        let printed = run(&mut place.recorder(&format!("sweep --preset {preset} --print-plan"))).expect_code(0).stdout;
        std::fs::write(place.path().join("plan.toml"), printed).unwrap();
        let of_preset = run(&mut place.recorder(&format!("sweep --preset {preset} --dry-run --seed 3"))).expect_code(0);
        let of_plan = sweep(&place, "--dry-run --seed 3").expect_code(0);
        assert_eq!(of_preset.stdout, of_plan.stdout);
        assert!(of_plan.stdout.contains("null_mid") && of_plan.stdout.contains("unusedlink_mid"), "{}", of_plan.stdout);
    }
}

#[test]
fn runs_with_their_clients_elsewhere_do_not_share_a_cluster() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let plan = "baselines = 0\nshuffle = false\n[run]\nduration = \"1s\"\nwarm-up = \"0s\"\nrate = 50\n\
                [[experiment]]\nlabel = \"at_{client-at}\"\nclient-at = [\"own\", \"etcd1\"]\n";
    std::fs::write(place.path().join("plan.toml"), plan).unwrap();
    run(&mut place.recorder("sweep plan.toml --reuse-cluster")).expect_code(0);
    for folder in RunFolder::list(&place.results()).unwrap() {
        let manifest = folder.manifest().unwrap();
        assert_eq!(folder.label().as_str(), format!("at_{}", manifest.spec.workload.client_at));
        assert_eq!(manifest.cluster.earlier_runs, 0, "{}", folder.name());
    }
}
