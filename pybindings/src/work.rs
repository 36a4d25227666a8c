//! Work beside Python: on a thread of its own, while the one that asked listens for Ctrl-C.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use analyze::interruption::Interruption;
use pyo3::prelude::*;

use crate::errors;

/// How long Ctrl-C may wait.
const LISTENS_EVERY: Duration = Duration::from_millis(20);

/// Does some work without Python's lock. When Python wants the caller back (Ctrl-C, a kernel's stop button), it gets it at once,
/// and the work, which nobody waits for any more, ends by itself a moment later.
///
/// # Errors
/// What the work fails with; `laggard.errors.InternalError` when it panics; what a signal handler raises, as `KeyboardInterrupt`.
pub(crate) fn apart<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> analyze::Result<T> + Send + 'static,
) -> PyResult<T> {
    let interruption = Interruption::default();
    let (done, result) = mpsc::sync_channel(1);
    // Only this thread waits for it, but without Python's lock: for the compiler any other could.
    let result = Mutex::new(result);
    let flag = interruption.clone();
    std::thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| flag.over(work)));
        // Where nobody waits any more, the result is dropped here.
        let _ = done.send(result);
    });
    loop {
        let received = py.detach(|| result.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LISTENS_EVERY));
        match received {
            Ok(Ok(result)) => return result.map_err(|error| errors::of(py, &error)),
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
