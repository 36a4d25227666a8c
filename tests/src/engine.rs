//! The Docker engine of this machine, and the images that are built from this tree.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{Finished, Workplace, binaries, run, skip, workspace};

/// Whether a Docker engine answers; [`skip`]s the test when none does.
pub fn answers() -> bool {
    let mut version = docker("version --format {{.Server.Version}}");
    let answered = match version.output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "),
        Err(error) => format!("docker cannot be started: {error}"),
    };
    skip(&format!("no Docker engine answers ({answered}); .ci/engine installs and starts one"));
    false
}

/// A command of docker, with arguments separated by spaces.
pub fn docker(arguments: &str) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

/// The lines that a command of docker prints, which must succeed.
///
/// # Panics
/// When it fails.
pub fn lines_of(arguments: &str) -> Vec<String> {
    run(&mut docker(arguments)).expect_code(0).stdout.lines().map(str::to_owned).collect()
}

/// Sees to it that the images of this tree are there.
///
/// # Panics
/// When they cannot be built.
pub fn images() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        build_images(&binaries().recorder).expect_code(0);
    });
}

/// A place to record in, beside an engine that has the images and nobody else's containers of the members' names; [`skip`]s the test
/// where there is none.
///
/// # Panics
/// When the images cannot be built.
pub fn ready() -> Option<Workplace> {
    if !answers() {
        return None;
    }
    let taken = lines_of("ps --all --filter name=^/etcd[0-9]+$ --format {{.Names}}");
    if !taken.is_empty() {
        skip(&format!("there are containers called {}, which this test did not make", taken.join(", ")));
        return None;
    }
    images();
    Some(Workplace::new())
}

/// Builds the images of this tree with that recorder, where they are not up to date.
pub fn build_images(recorder: &Path) -> Finished {
    let mut build = Command::new(workspace().join("compose/images/build"));
    run(build.arg("all").arg("--recorder").arg(recorder).stdin(Stdio::null()))
}
