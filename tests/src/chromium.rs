//! Headless Chromium: the judge of what pages look like on a screen and on paper.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::skip;

/// Longer than any page needs, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(120);

/// What Chromium said of a page.
#[derive(Debug)]
pub struct Seen {
    /// The document, after its scripts.
    pub dom: String,
    /// What the page wrote to its console, errors among it, one message a line.
    pub console: Vec<String>,
}

/// Whether there is a Chromium. [`skip`]s the test where there is none.
pub fn is_there() -> bool {
    let is_there = Command::new("chromium").arg("--version").stdin(Stdio::null()).output().is_ok();
    if !is_there {
        skip("chromium is missing; `make needs-test` installs it");
    }
    is_there
}

/// Opens a page, lets its scripts end, and gives its document.
///
/// # Panics
/// When Chromium does not do it.
pub fn open(page: &Path) -> Seen {
    let (dom, log) = chromium(&["--enable-logging=stderr", "--v=0", "--virtual-time-budget=20000", "--dump-dom"], page);
    let console = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    Seen { dom, console }
}

/// Prints a page as PDF.
///
/// # Panics
/// When Chromium does not do it.
pub fn print(page: &Path, pdf: &Path) {
    let to = format!("--print-to-pdf={}", pdf.display());
    let (_, log) = chromium(&["--no-pdf-header-footer", &to], page);
    assert!(pdf.is_file(), "no PDF was written: {log}");
}

/// Runs Chromium on a page with a profile of its own, and gives its standard output and standard error.
fn chromium(arguments: &[&str], page: &Path) -> (String, String) {
    let profile = tempfile::tempdir().expect("a profile");
    let (out, err) = (profile.path().join("out"), profile.path().join("err"));
    let mut command = Command::new("chromium");
    command.args([
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
    ]);
    command.args(["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]);
    // Nothing of a page that works offline is looked for anywhere.
    command.arg("--host-resolver-rules=MAP * ~NOTFOUND");
    if nix::unistd::geteuid().is_root() {
        command.arg("--no-sandbox");
    }
    command.arg(format!("--user-data-dir={}", profile.path().join("profile").display()));
    command.args(arguments).arg(format!("file://{}", page.display()));
    command.stdin(Stdio::null());
    command.stdout(File::create(&out).expect("a file")).stderr(File::create(&err).expect("a file"));
    let mut child = command.spawn().expect("chromium starts");
    let has_ended = wait(&mut child);
    let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned();
    assert!(has_ended, "chromium did not end well: {}", text(&err));
    (text(&out), text(&err))
}

/// Waits for a process, not for ever; whether it ended well.
fn wait(child: &mut Child) -> bool {
    let until = Instant::now() + DEADLINE;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("it can be ended");
    let _ = child.wait();
    false
}
