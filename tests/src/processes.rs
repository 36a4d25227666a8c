//! Processes of a test: those whose command line names its workplace, and no others.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Processes that mention `place` in their command line and have `word` in it, oldest first.
pub fn mentioning(place: &Path, word: &str) -> Vec<i32> {
    let place = place.to_string_lossy();
    let mut found: Vec<i32> = all_pids()
        .filter(|pid| {
            let line = command_line(*pid);
            let here = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&*place));
            (line.contains(&*place) || here) && line.contains(word)
        })
        .collect();
    found.sort_unstable();
    found
}

/// Sends a signal to a process that this test has started.
///
/// # Panics
/// When the process is gone.
pub fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap_or_else(|errno| panic!("{signal} to {pid}: {errno}"));
}

/// Waits until `done` holds.
///
/// # Panics
/// When it does not hold in time.
pub fn wait_until(what: &str, timeout: Duration, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + timeout;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {timeout:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Checks that nothing of a recorder in `place` lives on: no process, and with the last process in them no
/// namespace, link or rule.
///
/// # Panics
/// When something is left.
pub fn assert_nothing_left(place: &Path) {
    wait_until("processes of the run end", Duration::from_secs(5), || {
        mentioning(place, "etcd").is_empty() && mentioning(place, "recorder").is_empty()
    });
}

fn all_pids() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").expect("/proc is there");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn command_line(pid: i32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}
