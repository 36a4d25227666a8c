//! The fault holder: `recorder hold`, a process beside the fault that nobody has to trust to be healed.
//!
//! It places a fault at the exact time it is told and takes it away at the exact time it is told, when its input
//! closes (the recorder is gone), and when the recorder has not said that it is alive for [`SILENCE_MAX_NS`].

use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use run_folder::spec::Effect;

use super::Mechanism;
use super::protocol::{Counters, HealReason, Injection, Report, Request, Selector};
use super::queue::Shaper;
use super::rules::{self, Armed, Iptables};
use crate::clock::{monotonic_ns, sleep_until_monotonic};
use crate::error::{Error, Result};

/// The dead-man's switch: a recorder that is silent for longer has lost its fault.
pub const SILENCE_MAX_NS: i64 = 5_000_000_000;
/// The last stretch before an edge is slept through exactly, deaf to requests.
const EXACT_STRETCH_NS: i64 = 2_000_000;

/// Serves requests on standard input until it closes. Returns the exit code.
pub fn serve() -> u8 {
    // The programs that it starts inherit this.
    crate::scheduling::wake_promptly();
    let requests = read_requests();
    loop {
        match requests.recv() {
            Ok(Request::Inject(injection)) => {
                if let Err(error) = hold(&injection, &requests) {
                    report(&Report::Failed { message: error.to_string() });
                }
            }
            Ok(Request::Heal { .. } | Request::KeepAlive) => {}
            Err(_) => return 0,
        }
    }
}

/// Holds one fault from its preparation to its healing.
fn hold(injection: &Injection, requests: &Receiver<Request>) -> Result<()> {
    let fault = match injection.mechanism {
        Mechanism::Queue => Prepared::new(&injection.selectors, injection.effect, injection.seed)?,
    };
    wait_until(injection.at_ns);
    let fault = fault.inject()?;
    report(&Report::Applied { done_ns: monotonic_ns(), commands: fault.commands.clone() });
    let reason = wait_for_end(injection.until_ns, requests);
    let (done_ns, counters) = fault.heal()?;
    report(&Report::Cleared { done_ns, reason, counters });
    Ok(())
}

/// Everything slow is done: queues are bound and rules wait to be hooked in.
pub struct Prepared {
    iptables: Iptables,
    armed: Armed,
    selectors: Vec<Selector>,
    shapers: Vec<Shaper>,
}

impl Prepared {
    /// Prepares a fault in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel or iptables refuse.
    pub fn new(selectors: &[Selector], effect: Effect, seed: u64) -> Result<Self> {
        let iptables = Iptables::prepare(selectors)?;
        let start = |(number, _): (usize, &Selector)| {
            Shaper::start(rules::queue_number(number), effect, seed.wrapping_add(number as u64))
                .map_err(|error| Error::run(format!("the kernel refused packet queue {number}: {error}")))
        };
        let shapers = selectors.iter().enumerate().map(start).collect::<Result<_>>()?;
        Ok(Self { armed: iptables.arm()?, iptables, selectors: selectors.to_vec(), shapers })
    }

    /// Undoes the preparation of a fault that is not injected.
    ///
    /// # Errors
    /// What the kernel or iptables refuse.
    pub fn discard(self) -> Result<()> {
        drop(self.armed);
        drain(self.shapers)?;
        self.iptables.remove(&self.selectors)
    }

    fn inject(self) -> Result<Injected> {
        let Self { iptables, armed, selectors, shapers } = self;
        let commands = Iptables::hook(armed, &selectors)?;
        let unhooking = iptables.arm().ok();
        Ok(Injected { iptables, unhooking, selectors, shapers, commands, hooked: true })
    }
}

/// A fault in force. Healing it is [`Injected::heal`]; dropping it on an error path heals it too.
struct Injected {
    iptables: Iptables,
    /// Ready to heal; where it could not be made ready, healing takes a millisecond more.
    unhooking: Option<Armed>,
    selectors: Vec<Selector>,
    shapers: Vec<Shaper>,
    commands: String,
    hooked: bool,
}

impl Injected {
    /// Unhooks the rules, lets the held packets go, and reads the counters: in this order no packet is lost.
    fn heal(mut self) -> Result<(i64, Vec<Counters>)> {
        let armed = self.unhooking.take().map_or_else(|| self.iptables.arm(), Ok)?;
        Iptables::unhook(armed, &self.selectors)?;
        self.hooked = false;
        let done_ns = monotonic_ns();
        let drained = drain(std::mem::take(&mut self.shapers))?;
        // Nothing leads into the chains any more, so their counters stand still.
        let matched = self.iptables.matched(&self.selectors)?;
        self.iptables.remove(&self.selectors)?;
        let counters = drained.into_iter().zip(matched).map(|(counters, matched)| Counters { matched, ..counters });
        Ok((done_ns, counters.collect()))
    }
}

fn drain(shapers: Vec<Shaper>) -> Result<Vec<Counters>> {
    let drained: std::io::Result<Vec<_>> = shapers.into_iter().map(Shaper::drain).collect();
    drained.map_err(|error| Error::run(format!("the queue shaper failed: {error}")))
}

impl Drop for Injected {
    fn drop(&mut self) {
        if self.hooked {
            // Nothing more can be done about an error; without a listener the rule lets packets pass.
            let armed = self.unhooking.take().map_or_else(|| self.iptables.arm(), Ok);
            let _ = armed.and_then(|armed| Iptables::unhook(armed, &self.selectors));
        }
    }
}

/// Waits for whatever ends the fault first.
fn wait_for_end(until_ns: Option<i64>, requests: &Receiver<Request>) -> HealReason {
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
            Ok(Request::KeepAlive) => silent_until_ns = monotonic_ns() + SILENCE_MAX_NS,
            Ok(Request::Inject(_)) | Err(RecvTimeoutError::Timeout) => {}
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
