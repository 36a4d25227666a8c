//! Work that somebody stopped waiting for: a flag that is looked at from run to run, and from part to part of a long one.
//!
//! A command line is ended by a signal. In a process that lives on, as a notebook's, whoever asked for a table says that
//! nobody wants it any more; it ends with [`Error::Interrupted`] a moment later.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// A flag that work looks at; copies are the same flag.
#[derive(Debug, Clone, Default)]
pub struct Interruption(Arc<AtomicBool>);

thread_local! {
    static CURRENT: RefCell<Option<Interruption>> = const { RefCell::new(None) };
}

impl Interruption {
    /// Stops the work.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Does work that looks at this flag, on this thread and on those that it starts by [`crate::load::each`].
    pub fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        under(Some(self.clone()), work)
    }
}

/// What the work of this thread looks at, for another thread of the same work.
pub(crate) fn current() -> Option<Interruption> {
    CURRENT.with_borrow(Clone::clone)
}

/// Does work that looks at this flag.
pub(crate) fn under<T>(flag: Option<Interruption>, work: impl FnOnce() -> T) -> T {
    let before = CURRENT.replace(flag);
    let result = work();
    CURRENT.set(before);
    result
}

/// Whether the work of this thread is to go on.
///
/// # Errors
/// [`Error::Interrupted`] when it is not.
pub(crate) fn check() -> Result<()> {
    let is_over = CURRENT.with_borrow(|flag| flag.as_ref().is_some_and(|flag| flag.0.load(Ordering::Relaxed)));
    if is_over { Err(Error::Interrupted) } else { Ok(()) }
}
