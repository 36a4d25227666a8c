//! Ctrl-C while a bundle is unpacked: the temporary folder goes before the process does.
//!
//! Three functions of the C library that every program is linked with anyway; a crate for signals would bring much more.
//! Who has a handler of their own, as Python has, keeps it. Where there are no such signals, what is left goes with the next
//! bundle that is opened.

#[cfg(unix)]
pub(super) use unix::{is_interrupted, watch};

#[cfg(not(unix))]
pub(super) fn watch(_clean_up: fn()) {}

#[cfg(not(unix))]
pub(super) fn is_interrupted() -> bool {
    false
}

#[cfg(unix)]
mod unix {
    use std::ffi::c_int;
    use std::sync::Once;
    use std::sync::atomic::{AtomicI32, Ordering};
    use std::time::Duration;

    /// The same numbers on every Unix.
    const SIGHUP: c_int = 1;
    const SIGINT: c_int = 2;
    const SIGTERM: c_int = 15;
    const SIG_DFL: usize = 0;

    unsafe extern "C" {
        fn signal(number: c_int, handler: usize) -> usize;
        safe fn raise(number: c_int) -> c_int;
    }

    static RECEIVED: AtomicI32 = AtomicI32::new(0);

    /// All that is safe in a handler: to remember.
    extern "C" fn remember(number: c_int) {
        RECEIVED.store(number, Ordering::SeqCst);
    }

    fn set_handler(number: c_int, handler: usize) -> usize {
        // SAFETY: the handler is one of the system's, or `remember`, which touches an atomic and nothing else.
        unsafe { signal(number, handler) }
    }

    /// Whether a signal to end has come.
    pub(crate) fn is_interrupted() -> bool {
        RECEIVED.load(Ordering::SeqCst) != 0
    }

    /// From now on, when a signal to end comes, calls `clean_up` and then ends as that signal would have.
    pub(crate) fn watch(clean_up: fn()) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            for number in [SIGHUP, SIGINT, SIGTERM] {
                let before = set_handler(number, remember as *const () as usize);
                if before != SIG_DFL {
                    set_handler(number, before);
                }
            }
            std::thread::spawn(move || {
                while !is_interrupted() {
                    std::thread::sleep(Duration::from_millis(20));
                }
                clean_up();
                let number = RECEIVED.load(Ordering::SeqCst);
                set_handler(number, SIG_DFL);
                raise(number);
            });
        });
    }
}
