//! Signals that end a run cleanly. The sandbox's parent passes the first one on and ends everything at the second, so
//! that it works however busy this process is.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Error, Result};

/// The signals that end a run.
pub fn handled() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])
}

/// Installs the handlers and lets the signals through. The receiver changes to the first signal's name.
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
                sender.send_if_modified(|seen| seen.replace(name).is_none());
            }
        });
    }
    pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&handled()), None)
        .map_err(|errno| Error::environment(format!("cannot unblock signals: {errno}")))?;
    Ok(receiver)
}
