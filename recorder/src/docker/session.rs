//! Which invocation of the recorder made something, and whether it still runs.

use std::collections::HashMap;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::Pid;

use super::labels;

/// One invocation of the recorder, as labels tell it. Make it in the process that outlives what it makes: when that
/// process is gone, everything with this label counts as left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLabel {
    name: String,
    maker: Maker,
}

/// A process that cannot be mistaken for a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Maker {
    pid: i32,
    started: String,
    boot: String,
    pid_namespace: String,
}

/// Whether the recorder that made something still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It does, as this process.
    Alive(i32),
    /// It does not.
    Gone,
    /// It ran in a container or namespace of its own, into which this process cannot look.
    Unknown,
}

impl SessionLabel {
    /// A session of this process; `name` is the caller's, and is what everything of this session is found by.
    pub fn of_this_process(name: impl Into<String>) -> Self {
        Self::of_process(name, std::process::id() as i32)
    }

    /// A session of another process, which must run, and outlive what is made in its name.
    pub fn of_process(name: impl Into<String>, pid: i32) -> Self {
        let maker =
            Maker { pid, started: started(pid).unwrap_or_default(), boot: boot(), pid_namespace: pid_namespace() };
        Self { name: name.into(), maker }
    }

    /// The caller's name of it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is put on all that the session makes.
    pub(super) fn labels(&self) -> HashMap<String, String> {
        HashMap::from([
            (labels::MADE_BY.into(), labels::RECORDER.into()),
            (labels::SESSION.into(), self.name.clone()),
            (labels::PID.into(), self.maker.pid.to_string()),
            (labels::STARTED.into(), self.maker.started.clone()),
            (labels::BOOT.into(), self.maker.boot.clone()),
            (labels::PID_NAMESPACE.into(), self.maker.pid_namespace.clone()),
        ])
    }

    /// Whether the session that put these labels on still runs.
    pub(super) fn liveness(labels: &HashMap<String, String>) -> Liveness {
        let label = |key: &str| labels.get(key).map(String::as_str).unwrap_or_default();
        let Ok(pid) = label(labels::PID).parse::<i32>() else { return Liveness::Unknown };
        if label(labels::BOOT) != boot() {
            return Liveness::Gone;
        }
        if label(labels::PID_NAMESPACE) != pid_namespace() {
            return Liveness::Unknown;
        }
        // A process that may not be looked at (hidepid) still answers to a signal of number 0.
        let exists = pid > 0 && nix::sys::signal::kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH);
        match started(pid) {
            _ if !exists => Liveness::Gone,
            Some(started) if started != label(labels::STARTED) => Liveness::Gone,
            _ => Liveness::Alive(pid),
        }
    }
}

/// A name that no other call of any recorder takes.
pub(super) fn unique() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", std::process::id(), now.as_nanos())
}

/// When a process started, in clock ticks since boot; none for one that is gone, or a zombie that can do nothing more.
fn started(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, and may hold anything.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    match fields.first() {
        Some(&("Z" | "X")) => Some("ended".into()),
        _ => fields.get(19).map(|ticks| (*ticks).to_owned()),
    }
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn pid_namespace() -> String {
    std::fs::read_link(Path::new("/proc/self/ns/pid")).unwrap_or_default().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_of_its_id() {
        let mine = SessionLabel::of_this_process("test").labels();
        assert_eq!(SessionLabel::liveness(&mine), Liveness::Alive(std::process::id() as i32));
        let with = |key: &str, value: &str| {
            let mut labels = mine.clone();
            labels.insert(key.into(), value.into());
            SessionLabel::liveness(&labels)
        };
        assert_eq!(with(labels::STARTED, "1"), Liveness::Gone);
        assert_eq!(with(labels::BOOT, "another"), Liveness::Gone);
        assert_eq!(with(labels::PID_NAMESPACE, "pid:[1]"), Liveness::Unknown);
        assert_eq!(with(labels::PID, "not a number"), Liveness::Unknown);
    }

    #[test]
    fn a_zombie_is_gone() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id() as i32;
        let mut labels = SessionLabel::of_this_process("test").labels();
        labels.insert(labels::PID.into(), pid.to_string());
        while started(pid).as_deref() != Some("ended") {
            std::thread::yield_now();
        }
        assert_eq!(SessionLabel::liveness(&labels), Liveness::Gone);
        child.wait().unwrap();
    }
}
