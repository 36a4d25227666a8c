//! Plans as written against the runs that they make.

use run_folder::spec::{Attachment, Effect, Peer, Target};

use super::*;
use crate::cli::Preset;

fn plan_with(text: &str, overrides: &Overrides) -> Result<SweepPlan> {
    SweepPlan::new(&PlanFile::parse("plan.toml", text)?, overrides)
}

fn plan(text: &str) -> SweepPlan {
    plan_with(text, &Overrides { seed: Some(1), ..Overrides::default() }).unwrap_or_else(|error| panic!("{error}"))
}

fn labels(plan: &SweepPlan) -> Vec<&str> {
    plan.runs.iter().map(|run| run.spec.label.as_str()).collect()
}

fn sorted(plan: &SweepPlan, role: Role) -> Vec<&str> {
    let mut labels: Vec<_> =
        plan.runs.iter().filter(|run| run.role == role).map(|run| run.spec.label.as_str()).collect();
    labels.sort_unstable();
    labels
}

/// The message of a plan that cannot be.
fn refused(text: &str) -> String {
    plan_with(text, &Overrides::default()).expect_err(text).to_string()
}

#[test]
fn lists_are_crossed_or_zipped() {
    let head = "shuffle = false\nbaselines = 0\n[[experiment]]\nfault = \"delay\"\n";
    let lists = "label = \"d{value}_c{concurrency}\"\nvalue = [\"1ms\", \"2ms\"]\nconcurrency = [1, 2]\n";
    assert_eq!(labels(&plan(&format!("{head}{lists}"))), ["d1ms_c1", "d1ms_c2", "d2ms_c1", "d2ms_c2"]);
    assert_eq!(labels(&plan(&format!("{head}combine = \"zip\"\n{lists}"))), ["d1ms_c1", "d2ms_c2"]);
}

#[test]
fn every_run_is_what_recorder_run_would_make_of_the_same_options() {
    let sweep = plan(
        "baselines = 0\n[run]\nduration = \"30s\"\nmix = \"put=1,get=2\"\n[[control]]\nlabel = \"one\"\nfault = \"delay\"\n\
         value = \"20ms\"\njitter = \"2ms\"\nscope = \"peers\"\npeer = \"leader\"\ntarget = \"etcd2\"\nat = 5\nfor = \"2s\"\n\
         connections = 3\nrate = 10.5\nnodes = 5\nattach = \"leader\"",
    );
    let typed = "recorder run one --duration=30s --mix=put=1,get=2 --fault delay --value 20ms --jitter 2ms --scope peers \
                 --peer leader --target etcd2 --at 5 --for 2s --connections 3 --rate 10.5 --nodes 5 --attach leader";
    let Command::Run(typed) = Cli::try_parse_from(typed.split_whitespace()).unwrap().command else { panic!() };
    let run = &sweep.runs[0];
    let expected = RunSpec { seed: run.spec.seed, ..super::super::run(&typed).unwrap().spec };
    assert_eq!(run.spec, expected);
    assert_eq!(run.role, Role::Control);
}

#[test]
fn mid_is_the_middle_third_and_full_lasts_from_the_start_to_the_end() {
    let text = "baselines = 0\nshuffle = false\n[run]\nduration = \"60s\"\n[[experiment]]\nlabel = \"loss{value.number}_{window}\"\n\
                fault = \"loss\"\nvalue = \"2.5%\"\nwindow = [\"mid\", \"full\"]";
    let check = |overrides: &Overrides, third_ms| {
        let runs = plan_with(text, overrides).unwrap().runs;
        let window = |at: usize| runs[at].spec.fault.as_ref().map(|fault| (fault.at_ms, fault.for_ms));
        assert_eq!(runs[0].spec.label.as_str(), "loss2.5_mid");
        assert_eq!([window(0), window(1)], [Some((third_ms, Some(third_ms))), Some((0, None))]);
    };
    check(&Overrides::default(), 20_000);
    check(&Overrides { duration: Some("12".into()), ..Overrides::default() }, 4_000);
}

#[test]
fn repeats_have_an_order_of_their_own_and_the_seed_tells_it() {
    let text = "repeat = 3\nbaselines = 2\n[[experiment]]\nlabel = \"d{value}\"\nfault = \"delay\"\n\
                value = [\"1ms\", \"2ms\", \"3ms\", \"4ms\", \"5ms\", \"6ms\"]";
    let (first, second) = (plan(text), plan(text));
    assert_eq!(first, second, "the same plan and seed give the same runs");
    assert_eq!(first.runs.len(), 3 * (6 + 2));
    let repeats: Vec<Vec<&str>> = labels(&first).chunks(8).map(<[&str]>::to_vec).collect();
    for repeat in &repeats {
        assert_eq!((repeat[0], repeat[7]), ("baseline", "baseline"), "{repeat:?}");
        let mut runs = repeat[1..7].to_vec();
        runs.sort_unstable();
        assert_eq!(runs, ["d1ms", "d2ms", "d3ms", "d4ms", "d5ms", "d6ms"]);
    }
    assert!(repeats[0] != repeats[1] || repeats[1] != repeats[2], "three times the same order: {repeats:?}");
    let mut seeds: Vec<_> = first.runs.iter().map(|run| run.spec.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), first.runs.len(), "each run has a seed of its own");
    let other = plan_with(text, &Overrides { seed: Some(2), repeat: Some(1), duration: None }).unwrap();
    assert_eq!((other.repeat, other.runs.len()), (1, 8));
}

#[test]
fn baselines_are_spread_evenly_one_for_each_workload() {
    let runs: Vec<(Role, RunSpec)> = Vec::new();
    assert!(interleaved(&[], &runs, 3).is_empty());
    let text = "shuffle = false\nbaselines = 3\n[[experiment]]\nlabel = \"d{value}_c{concurrency}\"\nfault = \"delay\"\n\
                value = [\"1ms\", \"2ms\"]\nconcurrency = [1, 2]\nattach = \"target\"\ntarget = \"leader\"";
    let plan = plan(text);
    let expected = [
        "baseline_concurrency1",
        "baseline_concurrency2",
        "d1ms_c1",
        "d1ms_c2",
        "baseline_concurrency1",
        "baseline_concurrency2",
        "d2ms_c1",
        "d2ms_c2",
        "baseline_concurrency1",
        "baseline_concurrency2",
    ];
    assert_eq!(labels(&plan), expected);
    let baseline = &plan.runs[0].spec;
    assert!(baseline.fault.is_none());
    assert_eq!(baseline.workload.attachment, Attachment::Leader, "the clients are where the target is");
}

#[test]
fn a_load_has_its_capacity_measured_first() {
    let plan = plan(
        "[[experiment]]\nlabel = \"l{load}_{window}\"\nfault = \"delay\"\nvalue = \"1ms\"\nduration = 10\nwindow = \"mid\"\n\
         load = [\"50%\", \"70%\"]",
    );
    assert_eq!(labels(&plan)[0], "capacity");
    assert_eq!(sorted(&plan, Role::Capacity), ["capacity"], "both loads are shares of one capacity");
    assert_eq!(sorted(&plan, Role::Experiment), ["l50_mid", "l70_mid"]);
    let capacity = &plan.runs[0].spec;
    assert_eq!((capacity.workload.pacing, capacity.workload.load.is_none()), (Pacing::Closed, true));
    assert!(plan.runs[1..].iter().all(|run| is_capacity_of(capacity, &run.spec)));
    assert!(!is_capacity_of(
        &RunSpec { cluster: ClusterSpec { nodes: 5, ..capacity.cluster.clone() }, ..capacity.clone() },
        &plan.runs[1].spec
    ));
}

#[test]
fn a_capacity_is_measured_where_the_clients_of_the_run_are() {
    let plan = plan(
        "baselines = 2\n[[experiment]]\nlabel = \"l{load}\"\nfault = \"delay\"\nvalue = \"1ms\"\nload = \"50%\"\n\
         target = \"leader\"\nattach = \"target\"",
    );
    assert_eq!(labels(&plan), ["capacity", "baseline", "l50", "baseline"], "one capacity for a run and its baselines");
    assert!(plan.runs[..2].iter().all(|run| run.spec.workload.attachment == Attachment::Leader));
    assert_eq!(plan.runs[2].spec.attachment_without_fault(), Attachment::Leader);
}

#[test]
fn baselines_are_one_for_each_workload_however_it_is_written() {
    let text = |more: &str| {
        format!(
            "shuffle = false\n[run]\nattach = \"target\"\n[[experiment]]\nlabel = \"a\"\nfault = \"delay\"\nvalue = \"1ms\"\n\
             duration = \"60s\"\n[[experiment]]\nlabel = \"b\"\nfault = \"delay\"\nvalue = \"2ms\"\nduration = \"1m\"\n{more}"
        )
    };
    assert_eq!(labels(&plan(&text(""))), ["baseline", "a", "b", "baseline"]);
    assert_eq!(labels(&plan(&text("concurrency = 16"))), ["baseline", "a", "b", "baseline"], "16 is the default");
    let of_all = plan(&text("target = \"all\""));
    assert!(labels(&of_all).contains(&"baseline_attachround-robin_duration1m"), "{:?}", labels(&of_all));
    let many =
        "[[experiment]]\nlabel = \"c{concurrency}\"\nfault = \"null\"\nconcurrency = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
    assert_eq!(plan(many).runs.len(), 10 + 2 * 10, "one before and one after, of each workload");
}

#[test]
fn an_experiment_without_a_fault_has_no_window() {
    let plan = plan(
        "baselines = 0\nshuffle = false\n[run]\nduration = 9\nwindow = \"mid\"\n[[experiment]]\nlabel = \"{fault}_{window}\"\n\
         fault = [\"none\", \"null\"]",
    );
    assert_eq!(labels(&plan), ["none_mid", "null_mid"]);
    assert!(
        plan.runs[0].spec.fault.is_none() && plan.runs[1].spec.fault.as_ref().is_some_and(|fault| fault.at_ms == 3000)
    );
}

#[test]
fn presets_have_the_labels_of_the_older_scripts() {
    let plan_of = |preset: Preset| plan(preset.text());
    let follower = plan_of(Preset::SlowFollower);
    let experiments = sorted(&follower, Role::Experiment);
    assert_eq!(experiments.len(), 24);
    for value in [5, 10, 20, 30, 40, 50] {
        for window in ["full", "mid"] {
            assert!(experiments.contains(&format!("loss{value}_{window}").as_str()), "{experiments:?}");
        }
    }
    let leader = plan_of(Preset::SlowLeader);
    let experiments = sorted(&leader, Role::Experiment);
    assert_eq!(experiments.len(), 12);
    for value in [10, 20, 40, 60, 80, 100] {
        for window in ["full", "mid"] {
            assert!(experiments.contains(&format!("slowleader_{window}{value}ms").as_str()), "{experiments:?}");
        }
    }
    let quick = plan_of(Preset::Quick);
    assert_eq!(labels(&quick), ["baseline", "delay50_mid", "null_mid", "unusedlink_mid"]);
    assert!(quick.planned_ms() + 4 * 2_500 <= 65_000, "about a minute");
    for plan in [follower, leader, quick] {
        assert_eq!(sorted(&plan, Role::Control), ["null_mid", "unusedlink_mid"]);
        assert!(!sorted(&plan, Role::Baseline).is_empty());
        let control = |label: &str| {
            plan.runs
                .iter()
                .find(|run| run.spec.label.as_str() == label)
                .and_then(|run| run.spec.fault.clone())
                .unwrap()
        };
        assert_eq!(control("null_mid").effect, Effect::Null);
        let link = control("unusedlink_mid");
        assert_eq!((link.target, link.peer), (Target::Follower, Some(Peer::OtherFollower)));
        let first = &plan.runs[0].spec.workload;
        assert!(plan.runs.iter().all(|run| run.spec.workload == *first), "all can be compared with the baselines");
    }
}

#[test]
fn errors_name_the_line_and_what_is_known() {
    let experiment = "[[experiment]]\nlabel = \"x\"\nfault = \"delay\"\nvalue = \"1ms\"\n";
    for (text, parts) in [
        ("repeat = 3\nbaselinse = 2\n", ["plan.toml:2:", "did you mean \"baselines\""]),
        ("[run]\nduraton = \"3s\"\n", ["plan.toml:2:", "did you mean \"duration\""]),
        ("[[experiment]]\nlabel = \"x\"\nfualt = \"delay\"\n", ["plan.toml:3:", "did you mean \"fault\""]),
        ("[[experiment]]\nlabel = \"x\"\n\nfault = \"lag\"\n", ["plan.toml:4:", "delay"]),
        (
            "[[experiment]]\nlabel = \"x\"\nfault = \"delay\"\nvalue = [\n\"1ms\",\n\"fast\",\n]\n",
            ["plan.toml:6:", "\"fast\""],
        ),
        ("[[experiment]]\nfault = \"delay\"\n", ["plan.toml:1:", "label is missing"]),
        ("[[experiment]]\nlabel = \"{speed}\"\nfault = \"delay\"\nvalue = \"1ms\"\n", ["plan.toml:2:", "{speed}"]),
        (
            "[[experiment]]\nlabel = \"x\"\nfault = \"delay\"\nvalue = [\"1ms\", \"2ms\"]\n",
            ["plan.toml:2:", "two different runs"],
        ),
        ("[[experiment]]\nlabel = \"baseline\"\nfault = \"delay\"\nvalue = \"1ms\"\n", ["plan.toml:2:", "adds itself"]),
        ("[run\n", ["plan.toml:1:", ""]),
        ("repeat = 0\n", ["plan.toml:1:", "from 1 to"]),
        ("", ["plan.toml", "no [[experiment]]"]),
        ("[run]\nkeys = [1, 2]\n", ["plan.toml:2:", "[[experiment]]"]),
        ("[run]\ndir = \"/tmp\"\n", ["plan.toml:2:", "\"dir\""]),
        ("[experiment]\nlabel = \"x\"\n", ["plan.toml:1:", "[[experiment]]"]),
        ("[run]\nseed = 3\n", ["plan.toml:2:", "at the top"]),
        ("[[experiment]]\nfault = \"delay\"\nlabel = [\"x\", \"y\"]\n", ["plan.toml:3:", "one text"]),
        ("[[experiment]]\nfault = \"null\"\nlabel = \"a b\"\n", ["plan.toml:3:", "may hold only"]),
        ("[[experiment]]\nlabel = \"x\"\nwindow = \"full\"\n", ["plan.toml:3:", "there is none"]),
    ] {
        let message = refused(text);
        assert!(parts.iter().all(|part| message.contains(part)), "{text}\n{message}");
    }
    for (more, parts) in [
        ("window = \"mid\"\n", ["plan.toml:5:", "duration"]),
        ("window = \"middle\"\nduration = 5\n", ["plan.toml:5:", "\"middle\""]),
        ("window = \"full\"\nat = 3\n", ["plan.toml:6:", "leave one out"]),
        ("combine = \"both\"\n", ["plan.toml:5:", "cross"]),
        ("combine = \"zip\"\nkeys = [1, 2]\nnodes = [3, 5, 7]\n", ["plan.toml:6:", "3"]),
        ("for = \"40s\"\nduration = \"30s\"\n", ["plan.toml:5:", "past the end"]),
        ("nodes = 2\n", ["plan.toml:5:", "3..=7"]),
        ("keys = []\n", ["plan.toml:5:", "empty list"]),
        ("keys = true\n", ["plan.toml:5:", "a text or a plain number"]),
    ] {
        let message = refused(&format!("{experiment}{more}"));
        assert!(parts.iter().all(|part| message.contains(part)), "{more}\n{message}");
    }
}
