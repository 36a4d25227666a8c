//! The workspace's edges: who may depend on whom.

use std::collections::{BTreeMap, BTreeSet};

use end_to_end::{cargo, run, workspace};

/// What `cargo tree` says of `selected` and of everything it depends on, a line a package in `format`.
fn tree(selected: &[&str], edges: &str, format: &str) -> Vec<String> {
    let mut tree = cargo();
    tree.args(["tree", "--offline", "--edges", edges, "--prefix", "none", "--no-dedupe", "--format", format]);
    let finished = run(tree.args(selected).current_dir(workspace())).expect_code(0);
    finished.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Names of everything that `package` depends on, itself included.
fn dependencies(package: &str) -> Vec<String> {
    let lines = tree(&["--package", package], "normal,build", "{p}");
    lines.iter().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
}

fn check(package: &str, forbidden: &[&str]) {
    let dependencies = dependencies(package);
    assert!(dependencies.iter().any(|name| name == "run-folder"), "{package} reads and writes through run-folder");
    for name in forbidden {
        let found =
            dependencies.iter().find(|dependency| *dependency == name || dependency.starts_with(&format!("{name}-")));
        assert_eq!(found, None, "{package} must not depend on {name}");
    }
}

#[test]
fn the_recorder_builds_without_the_analysis() {
    check("recorder", &["polars", "plotters", "analyze"]);
}

#[test]
fn the_analysis_never_touches_a_cluster() {
    check("analyze", &["recorder", "etcd-client", "bollard", "tonic", "nix"]);
}

#[test]
fn the_bindings_record_nothing() {
    check("pybindings", &["recorder", "etcd-client", "bollard", "tonic", "nix"]);
}

#[test]
fn the_format_needs_little() {
    check("run-folder", &["recorder", "analyze", "polars", "plotters", "tokio", "nix"]);
}

/// A package and the features it is built with, for each way in which `selected` builds it: what runs while building (macros) is built
/// by itself.
fn builds(selected: &[&str], edges: &str) -> BTreeMap<String, BTreeSet<Vec<String>>> {
    let mut builds = BTreeMap::<_, BTreeSet<_>>::new();
    for line in tree(selected, edges, "{p}|{f}") {
        let (package, features) = line.split_once('|').expect("the format asked for");
        // Our own packages, which have a path here, are small, and examples need features that a wheel must not have.
        if !package.contains('/') {
            let features = features.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            builds.entry(package.to_owned()).or_default().insert(features);
        }
    }
    builds
}

/// Else polars is built a second time for `make wheel`: minutes of CI.
#[test]
fn the_wheel_is_made_of_what_the_programs_are_made_of() {
    let programs = builds(&["--workspace", "--all-features"], "normal,build,dev");
    let wheel = builds(&["--package", "pybindings"], "normal,build");
    let most = |builds: &BTreeSet<Vec<String>>| builds.iter().map(Vec::len).max();
    let differing: Vec<_> = wheel
        .iter()
        .filter(|(package, builds)| {
            let beside = &programs[*package];
            !builds.is_subset(beside) || most(builds) != most(beside)
        })
        .map(|(package, builds)| format!("{package}: {builds:?} where the programs have {:?}", programs[package]))
        .collect();
    assert!(differing.is_empty(), "list these in pybindings/Cargo.toml with the programs' features: {differing:#?}");
}
