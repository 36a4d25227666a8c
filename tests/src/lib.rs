//! What the end-to-end tests share: the real binaries, built from this tree, and a look into what they leave.
//!
//! A test that needs something this machine lacks calls [`skip`], which says why and fails where
//! `LAGGARD_REQUIRE_ALL` is set, as in CI.

pub mod chromium;
pub mod engine;
pub mod foreign;
pub mod graphviz;
pub mod grid;
pub mod home;
pub mod mermaid;
pub mod processes;
pub mod recorded;
pub mod vm;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The recorder and the analyzer of this tree.
#[derive(Debug)]
pub struct Binaries {
    /// The recorder.
    pub recorder: PathBuf,
    /// The analyzer.
    pub analyze: PathBuf,
}

/// Builds the binaries and says where they are. Cargo knows whether they are up to date; a stale one is never run.
///
/// # Panics
/// When the build fails.
pub fn binaries() -> &'static Binaries {
    static BUILT: OnceLock<Binaries> = OnceLock::new();
    BUILT.get_or_init(|| {
        let output = cargo()
            // The whole workspace, as everywhere: another choice would select other features and build polars anew.
            .args(["build", "--workspace", "--bins", "--message-format=json"])
            .current_dir(workspace())
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "the binaries do not build");
        let messages = String::from_utf8(output.stdout).expect("cargo speaks UTF-8");
        let executable = |name: &str| {
            let is_it =
                |message: &serde_json::Value| message["target"]["name"] == name && message["executable"].is_string();
            let messages = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
            let message: serde_json::Value = messages.into_iter().find(is_it).unwrap_or_else(|| panic!("no {name}"));
            PathBuf::from(message["executable"].as_str().expect("checked above"))
        };
        Binaries { recorder: executable("recorder"), analyze: executable("analyze") }
    })
}

/// The workspace's root folder, as cargo says when it runs the test: a test that was built in another clone with the
/// same target folder must look into this one.
///
/// # Panics
/// When the test is not run by cargo.
pub fn workspace() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    Path::new(&package).parent().expect("this package lies in the workspace").to_path_buf()
}

/// The cargo that runs the tests.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Keeps clusters from running side by side, which would make each other slow.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says why a test does not run here; fails where everything must run.
///
/// # Panics
/// When `LAGGARD_REQUIRE_ALL` is set.
pub fn skip(why: &str) {
    assert!(std::env::var_os("LAGGARD_REQUIRE_ALL").is_none(), "this machine must run every test, but {why}");
    eprintln!("skipped: {why}");
}

/// A folder to work in, with the recorder's results in `etcd_bench_results` below it. Anybody may read it, since
/// some recorders run as somebody else.
#[derive(Debug)]
pub struct Workplace {
    dir: tempfile::TempDir,
}

impl Default for Workplace {
    fn default() -> Self {
        Self::new()
    }
}

impl Workplace {
    /// A new, empty one.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::Builder::new().prefix("laggard-").tempdir().expect("a temporary folder can be made");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), mode).expect("its mode can be set");
        Self { dir }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The results folder.
    pub fn results(&self) -> PathBuf {
        self.path().join("etcd_bench_results")
    }

    /// A command of the recorder in this place, with arguments separated by spaces. It finds no Docker engine: what somebody
    /// keeps up there is not this test's.
    pub fn recorder(&self, arguments: &str) -> Command {
        let mut command = self.recorder_beside_engine(arguments);
        command.env("DOCKER_HOST", NO_ENGINE);
        command
    }

    /// The same, beside this machine's Docker engine.
    pub fn recorder_beside_engine(&self, arguments: &str) -> Command {
        self.command(&binaries().recorder, arguments)
    }

    /// A command of the analyzer in this place.
    pub fn analyze(&self, arguments: &str) -> Command {
        self.command(&binaries().analyze, arguments)
    }

    fn command(&self, program: &Path, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("ETCD_VERSION").env_remove("ETCD");
        command
    }

    /// A command of the recorder as an unprivileged user with no capability to be had, in a results folder of theirs; as
    /// this user, when that is not root.
    ///
    /// # Panics
    /// When the place cannot be prepared.
    pub fn recorder_unprivileged(&self, arguments: &str) -> Command {
        if !nix::unistd::geteuid().is_root() {
            return self.recorder(arguments);
        }
        // The tree that cargo built in may be closed to others.
        let copy = self.path().join("recorder");
        // One that runs already cannot be written to.
        if !copy.exists() {
            std::fs::copy(&binaries().recorder, &copy).expect("the recorder can be copied");
        }
        let results = self.results();
        std::fs::create_dir_all(&results).expect("the results folder can be made");
        std::os::unix::fs::chown(&results, Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"]);
        command.args(["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]);
        command.arg(copy).args(arguments.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("ETCD_VERSION").env_remove("ETCD").env("DOCKER_HOST", NO_ENGINE);
        command
    }
}

/// The user without any privilege, and the group.
pub const NOBODY: u32 = 65_534;
/// Where no Docker engine listens.
pub const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command) -> Finished {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    Finished::from(output)
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl Finished {
    /// Checks the exit code.
    ///
    /// # Panics
    /// With everything the command said, when it is another one.
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}
