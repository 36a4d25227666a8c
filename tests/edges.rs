//! The workspace's edges: who may depend on whom.

use end_to_end::{cargo, run, workspace};

/// Names of everything that `package` depends on, itself included.
fn dependencies(package: &str) -> Vec<String> {
    let mut tree = cargo();
    tree.args([
        "tree",
        "--offline",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let finished = run(tree.current_dir(workspace())).expect_code(0);
    finished.stdout.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
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
