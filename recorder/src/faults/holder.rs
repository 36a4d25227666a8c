//! The recorder's side of the fault holder process.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use tokio::sync::mpsc;

use super::protocol::{Report, Request};
use crate::error::{Error, Result};

/// A holder process. Dropping it closes its input, which heals whatever it holds, and waits for it to end.
#[derive(Debug)]
pub struct Holder {
    child: Child,
    input: Option<ChildStdin>,
    reports: mpsc::Receiver<Report>,
}

impl Holder {
    /// Starts a holder in the calling thread's network namespace.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub fn start() -> Result<Self> {
        let failed = |error: std::io::Error| Error::run(format!("the fault holder cannot be started: {error}"));
        // The running program itself, even when its file has been moved or replaced since.
        let mut holder = Command::new("/proc/self/exe");
        holder.arg0("recorder").arg("hold").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = holder.spawn().map_err(failed)?;
        let input = child.stdin.take();
        let output = child.stdout.take().expect("stdout is piped");
        // A holder says two things in its life; the room is never filled.
        let (sender, reports) = mpsc::channel(16);
        std::thread::Builder::new()
            .name("holder-reports".into())
            .spawn(move || {
                for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
                    let report = serde_json::from_str(&line)
                        .unwrap_or_else(|_| Report::Failed { message: format!("the holder said {line:?}") });
                    if sender.blocking_send(report).is_err() {
                        break;
                    }
                }
            })
            .map_err(failed)?;
        Ok(Self { child, input, reports })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`Error::Run`] when the holder is gone.
    pub fn ask(&mut self, request: &Request) -> Result<()> {
        let line = serde_json::to_string(request).expect("requests have only string keys") + "\n";
        let input = self.input.as_mut().ok_or_else(holder_gone)?;
        input.write_all(line.as_bytes()).map_err(|_| holder_gone())
    }

    /// Waits for the next report.
    ///
    /// # Errors
    /// [`Error::Run`] when the holder is gone.
    pub async fn report(&mut self) -> Result<Report> {
        self.reports.recv().await.ok_or_else(holder_gone)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

fn holder_gone() -> Error {
    Error::run("the fault holder ended unexpectedly")
}
