//! Signals that end a run cleanly: the first asks it to stop, the second ends it at once.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Error, Result, exit_code};

/// The signals that end a run.
pub fn handled() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])
}

/// Installs the handlers and lets the signals through. The receiver changes to the first signal's name; a second
/// signal ends the process, and with it the sandbox and everything in it.
///
/// # Errors
/// [`Error::Environment`] when a handler cannot be installed.
pub fn install() -> Result<watch::Receiver<Option<&'static str>>> {
    let (sender, receiver) = watch::channel(None);
    for (kind, name) in
        [(SignalKind::interrupt(), "SIGINT"), (SignalKind::terminate(), "SIGTERM"), (SignalKind::hangup(), "SIGHUP")]
    {
        let mut stream = signal(kind).map_err(|error| Error::environment(format!("cannot handle {name}: {error}")))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let first = sender.send_if_modified(|seen| seen.replace(name).is_none());
                if !first {
                    crate::terminal::line("stopped at once; `recorder recover` makes the run folder whole");
                    std::process::exit(i32::from(exit_code::INTERRUPTED));
                }
            }
        });
    }
    pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&handled()), None)
        .map_err(|errno| Error::environment(format!("cannot unblock signals: {errno}")))?;
    Ok(receiver)
}
