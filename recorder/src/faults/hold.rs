//! The fault holder: `recorder hold`, a process beside the fault that nobody has to trust to be healed.
//!
//! It places a fault at the exact time it is told and takes it away at the exact time it is told, when its input
//! closes (the recorder is gone), and when the recorder has not said that it is alive for [`SILENCE_MAX_NS`].

use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::protocol::{Counters, HealReason, Injection, Report, Request};
use super::{Mechanism, netem, queue};
use crate::clock::{monotonic_ns, sleep_until_monotonic};
use crate::error::Result;

/// The dead-man's switch: a recorder that is silent for longer has lost its fault.
pub const SILENCE_MAX_NS: i64 = 5_000_000_000;
/// The last stretch before an edge is slept through exactly, deaf to requests.
const EXACT_STRETCH_NS: i64 = 2_000_000;
/// Nothing else is done so shortly before an edge.
const LOOK_STRETCH_NS: i64 = 500_000_000;

/// Serves requests on standard input until it closes. Returns the exit code.
pub fn serve() -> u8 {
    // The programs that it starts inherit this.
    crate::scheduling::wake_promptly();
    let requests = read_requests();
    // What is prepared for the whole run; dropping it undoes it.
    let mut tree = None;
    loop {
        match requests.recv() {
            Ok(Request::Prepare { mechanism: Mechanism::Queue, .. }) => report(&Report::Prepared),
            Ok(Request::Prepare { mechanism: Mechanism::Netem, address }) => match netem::Tree::install(address) {
                Ok(installed) => {
                    tree = Some(installed);
                    report(&Report::Prepared);
                }
                Err(error) => report(&Report::Failed { message: error.to_string() }),
            },
            Ok(Request::Inject(injection)) => {
                if let Err(error) = hold(&injection, &requests) {
                    report(&Report::Failed { message: error.to_string() });
                }
            }
            Ok(Request::Heal { .. } | Request::KeepAlive) => {}
            Err(_) => {
                drop(tree);
                return 0;
            }
        }
    }
}

/// Holds one fault from its preparation to its healing.
fn hold(injection: &Injection, requests: &Receiver<Request>) -> Result<()> {
    let fault = Prepared::new(injection)?;
    wait_until(injection.at_ns);
    let mut fault = fault.inject()?;
    report(&Report::Applied { done_ns: monotonic_ns(), commands: fault.commands() });
    let reason = wait_for_end(injection.until_ns, requests, || fault.look());
    let (done_ns, counters) = fault.heal()?;
    report(&Report::Cleared { done_ns, reason, counters });
    Ok(())
}

/// A fault that is ready.
#[derive(Debug)]
enum Prepared {
    Queue(queue::Prepared),
    Netem(netem::Prepared),
}

impl Prepared {
    fn new(injection: &Injection) -> Result<Self> {
        let Injection { selectors, effect, seed, .. } = injection;
        match injection.mechanism {
            Mechanism::Queue => queue::Prepared::new(selectors, *effect, *seed).map(Self::Queue),
            Mechanism::Netem => netem::Prepared::new(selectors, *effect).map(Self::Netem),
        }
    }

    fn inject(self) -> Result<Injected> {
        match self {
            Self::Queue(fault) => fault.inject().map(Injected::Queue),
            Self::Netem(fault) => fault.inject().map(Injected::Netem),
        }
    }
}

/// A fault in force.
#[derive(Debug)]
enum Injected {
    Queue(queue::Injected),
    Netem(netem::Injected),
}

impl Injected {
    fn commands(&self) -> String {
        match self {
            Self::Queue(fault) => fault.commands(),
            Self::Netem(fault) => fault.commands(),
        }
    }

    /// Looks at what only shows while the fault is in force.
    fn look(&mut self) {
        match self {
            // It counts every packet itself.
            Self::Queue(_) => {}
            Self::Netem(fault) => fault.look(),
        }
    }

    fn heal(self) -> Result<(i64, Vec<Counters>)> {
        match self {
            Self::Queue(fault) => fault.heal(),
            Self::Netem(fault) => fault.heal(),
        }
    }
}

/// Waits for whatever ends the fault first.
fn wait_for_end(until_ns: Option<i64>, requests: &Receiver<Request>, mut look: impl FnMut()) -> HealReason {
    let mut until_ns = until_ns.unwrap_or(i64::MAX);
    let mut silent_until_ns = monotonic_ns() + SILENCE_MAX_NS;
    loop {
        let now_ns = monotonic_ns();
        if until_ns - now_ns <= EXACT_STRETCH_NS {
            wait_until(until_ns);
            return HealReason::Asked;
        }
        if now_ns >= silent_until_ns {
            return HealReason::Deadline;
        }
        let wait_ns = (until_ns - EXACT_STRETCH_NS - now_ns).min(silent_until_ns - now_ns);
        match requests.recv_timeout(Duration::from_nanos(wait_ns.max(0).unsigned_abs())) {
            Ok(Request::Heal { at_ns }) => until_ns = until_ns.min(at_ns),
            Ok(Request::KeepAlive) => {
                silent_until_ns = monotonic_ns() + SILENCE_MAX_NS;
                // Looking takes milliseconds; the edge must not wait for it.
                if until_ns - monotonic_ns() > LOOK_STRETCH_NS {
                    look();
                }
            }
            Ok(Request::Inject(_) | Request::Prepare { .. }) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return HealReason::InputClosed,
        }
    }
}

fn wait_until(at_ns: i64) {
    if at_ns > monotonic_ns() {
        sleep_until_monotonic(at_ns);
    }
}

/// Reads requests in a thread of its own; the channel closes when the input does or says something else.
fn read_requests() -> Receiver<Request> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(std::result::Result::ok) {
            let Ok(request) = serde_json::from_str(&line) else { break };
            if sender.send(request).is_err() {
                break;
            }
        }
    });
    receiver
}

fn report(report: &Report) {
    let line = serde_json::to_string(report).expect("reports have only string keys");
    let mut stdout = std::io::stdout().lock();
    // A recorder that is gone reads no reports; its input closing ends the fault.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
