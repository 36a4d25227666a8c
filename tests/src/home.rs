//! A user's own place for clusters that stay up in a sandbox.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::processes::assert_nothing_left;
use crate::{Finished, NOBODY, Workplace, run};

/// A user's place for a kept cluster, apart from a developer's own one.
#[derive(Debug)]
pub struct Home {
    /// Where its commands run and record.
    pub place: Workplace,
    runtime: tempfile::TempDir,
    unprivileged: bool,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// Of this user.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        let place = Workplace::new();
        // Where it usually lies, the sandbox covers it up.
        let usual = Path::new("/run");
        let parent = if nix::unistd::geteuid().is_root() { usual } else { place.path() };
        let runtime = tempfile::Builder::new().prefix("laggard-").tempdir_in(parent).expect("a folder can be made");
        Self { place, runtime, unprivileged: false }
    }

    /// Of a user without any privilege, where this one has some.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn of_nobody() -> Self {
        let mut home = Self::new();
        home.unprivileged = true;
        if nix::unistd::geteuid().is_root() {
            let nobody = Some(NOBODY);
            std::os::unix::fs::chown(home.runtime.path(), nobody, nobody).expect("root may give a folder away");
        }
        home
    }

    /// The user's runtime folder.
    pub fn runtime_folder(&self) -> &Path {
        self.runtime.path()
    }

    /// Where commands find the sandbox that is up.
    pub fn state_folder(&self) -> PathBuf {
        self.runtime_folder().join("laggard")
    }

    /// A command of the recorder that finds no cluster but the one of this place.
    ///
    /// # Panics
    /// When the place cannot be prepared.
    pub fn command(&self, arguments: &str) -> Command {
        let command = if self.unprivileged { Workplace::recorder_unprivileged } else { Workplace::recorder };
        let mut command = command(&self.place, arguments);
        command.env("XDG_RUNTIME_DIR", self.runtime_folder()).env_remove("ETCDCTL_ENDPOINTS");
        command
    }

    /// Runs a command of the recorder.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn recorder(&self, arguments: &str) -> Finished {
        run(&mut self.command(arguments))
    }

    /// `recorder up`. The place is named, so that the daemon's command line tells whose it is.
    pub fn up_command(&self, options: &str) -> Command {
        self.command(&format!("up --dir {} {options}", self.place.results().display()))
    }

    /// Brings a cluster up and returns its listeners' addresses.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn up(&self, options: &str) -> Vec<String> {
        let finished = run(&mut self.up_command(options)).expect_code(0);
        assert!(finished.stderr.contains("it stays up until `recorder down`"), "{}", finished.stderr);
        let listener = |(index, line): (usize, &str)| {
            let address = line.strip_prefix(&format!("etcd{index}  http://")).unwrap_or_else(|| panic!("{line:?}"));
            address.to_owned()
        };
        finished.stdout.lines().enumerate().map(listener).collect()
    }

    /// What `recorder status` says, which must end with this code.
    ///
    /// # Panics
    /// When it does not.
    pub fn status(&self, code: i32) -> Value {
        let finished = self.recorder("status --format json").expect_code(code);
        serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.stdout))
    }

    /// What the daemon wrote of itself.
    ///
    /// # Panics
    /// When there is none.
    pub fn state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.state_folder().join("state.json")).unwrap()).unwrap()
    }

    /// The daemon's process.
    ///
    /// # Panics
    /// When there is none.
    pub fn daemon(&self) -> i32 {
        self.state()["process"]["pid"].as_i64().unwrap() as i32
    }

    /// Checks that no process and no file of a kept cluster is left.
    ///
    /// # Panics
    /// When something is.
    pub fn assert_nothing_left(&self) {
        assert_nothing_left(self.place.path());
        assert!(!self.state_folder().exists(), "the state folder is left");
        assert!(!self.place.results().join(".laggard-data").exists(), "the members' data are left");
    }
}

impl Drop for Home {
    /// A test that fails leaves nothing either.
    fn drop(&mut self) {
        if self.state_folder().exists() {
            let _ = self.command("down").output();
        }
    }
}

/// Runs etcdctl on a listener.
///
/// # Panics
/// When it cannot be started.
pub fn etcdctl(listener: &str, arguments: &str) -> Finished {
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3").env_remove("ETCDCTL_ENDPOINTS").args(["--endpoints", listener]);
    run(command.args(arguments.split_whitespace()))
}
