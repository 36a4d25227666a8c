//! Signals that end a run cleanly. The sandbox's parent passes the first one on and ends everything at the second, so
//! that it works however busy this process is.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Error, Result};

/// The signals that end a run, but for those that whoever started us has us ignore: `nohup` does so with SIGHUP, and
/// scripts with SIGINT for what they start in the background.
pub fn handled() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)).collect()
}

fn is_ignored(signal: Signal) -> bool {
    // SAFETY: with no new action, the call only fills in the old one, which lives through it.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal as i32, std::ptr::null(), &raw mut now) == 0 && now.sa_sigaction == libc::SIG_IGN
    }
}

/// Installs the handlers and lets the signals through. The receiver changes to the first signal's name.
///
/// # Errors
/// [`Error::Environment`] when a handler cannot be installed.
pub fn install() -> Result<watch::Receiver<Option<&'static str>>> {
    let (sender, receiver) = watch::channel(None);
    listen(move |name| {
        sender.send_if_modified(|seen| seen.replace(name).is_none());
    })?;
    Ok(receiver)
}

/// As [`install`], for whoever ends everything at the second signal itself: the receiver changes to the names of all that have come.
///
/// # Errors
/// As [`install`].
pub fn install_counting() -> Result<watch::Receiver<Vec<&'static str>>> {
    let (sender, receiver) = watch::channel(Vec::new());
    listen(move |name| sender.send_modify(|seen| seen.push(name)))?;
    Ok(receiver)
}

/// Calls `heard` with the name of each signal that comes.
fn listen(heard: impl Fn(&'static str) + Clone + Send + 'static) -> Result<()> {
    let handled = handled();
    for signal_handled in handled.iter() {
        let (kind, name) = (SignalKind::from_raw(signal_handled as i32), signal_handled.as_str());
        let mut stream = signal(kind).map_err(|error| Error::environment(format!("cannot handle {name}: {error}")))?;
        let heard = heard.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                heard(name);
            }
        });
    }
    pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&handled), None)
        .map_err(|errno| Error::environment(format!("cannot unblock signals: {errno}")))
}
