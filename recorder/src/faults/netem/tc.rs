//! The programs `tc` and `ip`: batches of commands, and what qdiscs say of themselves.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::programs;

/// `tc` or `ip`, both of iproute2.
#[derive(Debug, Clone)]
pub(super) struct Tool(PathBuf);

impl Tool {
    /// Finds a program.
    ///
    /// # Errors
    /// [`Error::Environment`] that says what to install.
    pub(super) fn find(name: &str) -> Result<Self> {
        programs::find(name).map(Self).ok_or_else(|| {
            Error::environment(format!(
                "no `{name}` on PATH, which netem faults need; install it (apt install iproute2)"
            ))
        })
    }

    /// Starts the program for a batch whose lines come later, so that at the edge of a window no start is left to do.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub(super) fn arm(&self) -> Result<Batch> {
        let mut tool = Command::new(&self.0);
        tool.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = tool.spawn().map_err(|error| self.failed(&error.to_string()))?;
        Ok(Batch { child, program: self.0.clone() })
    }

    /// Runs a batch.
    ///
    /// # Errors
    /// [`Error::Run`] with the program's message; the lines before the one that failed are in force.
    pub(super) fn batch(&self, lines: &[String]) -> Result<()> {
        self.arm()?.commit(lines)
    }

    /// What the program prints.
    ///
    /// # Errors
    /// [`Error::Run`] with the program's message.
    pub(super) fn output(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.0).args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| self.failed(&error.to_string()))?;
        if !output.status.success() {
            return Err(self.failed(String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The qdiscs on a link, with their counters.
    ///
    /// # Errors
    /// [`Error::Run`] when they cannot be read.
    pub(super) fn qdiscs(&self, link: &str) -> Result<Vec<Qdisc>> {
        let text = self.output(&["-s", "-j", "qdisc", "show", "dev", link])?;
        serde_json::from_str(&text).map_err(|error| self.failed(&format!("{error} in {text:?}")))
    }

    fn failed(&self, problem: &str) -> Error {
        Error::run(format!("{}: {problem}", self.0.display()))
    }
}

/// A batch whose program is running already and waits for its lines. Dropping it changes nothing.
#[derive(Debug)]
pub(super) struct Batch {
    child: Child,
    program: PathBuf,
}

impl Batch {
    /// Runs these lines.
    ///
    /// # Errors
    /// [`Error::Run`] with the program's message.
    pub(super) fn commit(mut self, lines: &[String]) -> Result<()> {
        let failed = |problem: &str| Error::run(format!("{}: {problem}", self.program.display()));
        // Taken, and so closed behind the last line: the program ends with its input.
        let input = self.child.stdin.take();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let written = input.map_or(Ok(()), |mut input| input.write_all(text.as_bytes()));
        let mut said = String::new();
        let read = self.child.stderr.take().map_or(Ok(0), |mut stderr| stderr.read_to_string(&mut said));
        let status = self.child.wait().map_err(|error| failed(&error.to_string()))?;
        if !status.success() {
            // Its last line only counts.
            let said: Vec<_> = said.lines().filter(|line| !line.starts_with("Command failed")).collect();
            return Err(failed(said.join("; ").trim()));
        }
        written.and(read.map(drop)).map_err(|error| failed(&error.to_string()))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.child.stdin = None;
        let _ = self.child.wait();
    }
}

/// A qdisc as `tc -s -j` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Qdisc {
    /// As in `netem`.
    pub(super) kind: String,
    /// As in `1a66:`; `0:` for those that the kernel puts there by itself.
    pub(super) handle: String,
    /// Whether it is the link's outermost one.
    #[serde(default)]
    pub(super) root: bool,
    /// Bytes that it passed on.
    #[serde(default)]
    pub(super) bytes: u64,
    /// Packets that it passed on.
    #[serde(default)]
    pub(super) packets: u64,
    /// Packets that it dropped.
    #[serde(default)]
    pub(super) drops: u64,
    /// Packets that wait in it.
    #[serde(default)]
    pub(super) qlen: u64,
}

impl Qdisc {
    /// Whether somebody put it there.
    pub(super) fn is_made(&self) -> bool {
        self.handle != "0:"
    }
}
