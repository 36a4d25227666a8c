//! Work beside Python: on a thread of its own, while the one that asked listens for Ctrl-C.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use analyze::interruption::Interruption;
use pyo3::prelude::*;

use crate::errors::{self, Failure};

/// How long Ctrl-C may wait.
const LISTENS_EVERY: Duration = Duration::from_millis(20);

/// Does some work without Python's lock. When Python wants the caller back (Ctrl-C, a kernel's stop button), it gets it at once,
/// and the work, which nobody waits for any more, ends by itself a moment later.
///
/// # Errors
/// What the work fails with; `laggard.errors.InternalError` when it panics; what a signal handler raises, as `KeyboardInterrupt`.
pub(crate) fn apart<T: Send + 'static, E: Into<Failure> + Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> PyResult<T> {
    not_forked(py)?;
    let interruption = Interruption::default();
    let (done, result) = mpsc::sync_channel(1);
    // Only this thread waits for it, but without Python's lock: for the compiler any other could.
    let result = Mutex::new(result);
    let flag = interruption.clone();
    let thread = std::thread::Builder::new().spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| flag.over(work)));
        // Where nobody waits any more, the result is dropped here.
        let _ = done.send(result);
    });
    thread.map_err(|error| errors::internal(py, &format!("no thread can be started: {error}")))?;
    loop {
        let received = py.detach(|| result.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LISTENS_EVERY));
        match received {
            Ok(Ok(result)) => return result.map_err(|failure| errors::raised(py, failure.into())),
            Ok(Err(panic)) => return Err(errors::internal(py, &*panic)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(errors::internal(py, &"the work was lost")),
        }
        if let Err(interrupted) = py.check_signals() {
            interruption.interrupt();
            return Err(interrupted);
        }
    }
}

/// The process that imported this. In one that was forked from it, threads that tables wait for are not there.
static PROCESS: OnceLock<u32> = OnceLock::new();

/// Remembers the process.
pub(crate) fn begin() {
    PROCESS.get_or_init(std::process::id);
}

/// Refuses to work in a process that was forked after the import.
///
/// # Errors
/// `laggard.errors.ForkedProcessError`.
pub(crate) fn not_forked(py: Python<'_>) -> PyResult<()> {
    if PROCESS.get().is_none_or(|process| *process == std::process::id()) {
        return Ok(());
    }
    let message = "this process was forked from one that uses laggard, whose threads are not here; start processes by \
                   multiprocessing.get_context(\"spawn\")";
    Err(errors::named(py, "ForkedProcessError", message.to_owned()))
}
