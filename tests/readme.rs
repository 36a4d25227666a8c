//! What the README tells people to type is typed here: the steps of its CI recipe, as they stand there.

use std::path::Path;
use std::process::{Command, Stdio};

use end_to_end::home::Home;
use end_to_end::{Finished, NO_ENGINE, binaries, one_at_a_time, run, workspace};

/// A step of the recipe: its name, and its script.
#[derive(Debug)]
struct Step {
    name: String,
    script: String,
}

/// The steps in the section "In CI" of the README.
fn steps() -> Vec<Step> {
    let readme = std::fs::read_to_string(workspace().join("README.md")).expect("the README can be read");
    let section = readme.split("\n## In CI\n").nth(1).expect("the README has a section on CI");
    let section = section.split("\n## ").next().expect("a first part");
    let mut steps: Vec<Step> = Vec::new();
    for line in section.lines().filter_map(|line| line.strip_prefix("    ")) {
        if let Some(name) = line.strip_prefix("- name: ") {
            steps.push(Step { name: name.into(), script: String::new() });
        } else if let Some(step) = steps.last_mut() {
            match line.trim_start() {
                "run: |" => {}
                line if line.starts_with("if: ") => {}
                line => step.script += &format!("{}\n", line.strip_prefix("run: ").unwrap_or(line)),
            }
        }
    }
    steps
}

/// Runs a script as GitHub Actions does.
fn run_script(home: &Home, script: &str) -> Finished {
    let programs = binaries().recorder.parent().map(Path::to_path_buf).expect("a folder");
    let path = std::env::var("PATH").expect("a PATH");
    let mut shell = Command::new("bash");
    shell.args(["-e", "-o", "pipefail", "-c", script]).current_dir(home.place.path()).stdin(Stdio::null());
    shell.env("PATH", format!("{}:{path}", programs.display())).env("XDG_RUNTIME_DIR", home.runtime_folder());
    shell.env("GITHUB_STEP_SUMMARY", home.place.path().join("summary.md"));
    shell.env("DOCKER_HOST", NO_ENGINE).env_remove("ETCD_VERSION").env_remove("ETCD").env_remove("NODES");
    run(&mut shell)
}

#[test]
fn the_recipe_for_ci_works_as_it_stands() {
    let _one = one_at_a_time();
    let home = Home::new();
    let steps = steps();
    let step = |word: &str| {
        let step =
            steps.iter().find(|step| step.name.contains(word)).unwrap_or_else(|| panic!("no {word} in {steps:#?}"));
        assert!(!step.script.is_empty(), "{step:?}");
        step.script.clone()
    };
    assert!(step("Install").contains("cargo install"));
    let checked = run_script(&home, &step("check")).expect_code(0);
    assert!(checked.stdout.contains("Node 3: http://localhost:"), "{}", checked.stdout);

    // The limit is replaced: how fast this machine is just now is not what is tested.
    let limited = step("99th");
    let limit = |ms: &str| limited.replace("< 50", &format!("< {ms}"));
    assert_ne!(limit("60000"), limited, "the recipe has another limit");
    run_script(&home, &limit("60000")).expect_code(0);
    let failed = run_script(&home, &limit("0.001")).expect_code(4);
    assert!(failed.stdout.contains("put.p99_ms < 0.001"), "{}", failed.stdout);
    let written = |name: &str| std::fs::read_to_string(home.place.path().join(name)).expect(name);
    assert!(written("summary.md").starts_with("### Gate: fail: "), "{}", written("summary.md"));
    assert!(written("gate.xml").contains("<failure"), "{}", written("gate.xml"));

    run_script(&home, &step("Remove")).expect_code(0);
    home.assert_nothing_left();
}
