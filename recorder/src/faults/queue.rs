//! The user-space queue shaper as a mechanism: packet filter rules ([`rules`]) lead packets into queues ([`nfqueue`]), and a
//! shaper for each ([`shaper`]) holds or drops them with netem's meaning of delay, jitter and loss.

pub mod nfqueue;
pub mod rules;
pub mod shaper;

use run_folder::spec::Effect;

use self::rules::{Armed, Iptables};
use self::shaper::Shaper;
use super::protocol::{Counters, Selector};
use crate::clock::monotonic_ns;
use crate::error::{Error, Result};

/// Tries the shaper in the calling thread's network namespace, without a packet being touched.
///
/// # Errors
/// [`Error::Environment`] with what the kernel or iptables refuse.
pub fn try_here() -> Result<()> {
    use super::protocol::{Hook, Way};
    let address = std::net::Ipv4Addr::LOCALHOST;
    let (way, hook) = (Way::Egress, Hook::Forward);
    let selectors = [Selector { member: 0, address, peer: None, port: Some(1), way, hook, queued: true }];
    Prepared::new(&selectors, Effect::delay(1000), 0)
        .and_then(Prepared::discard)
        .map_err(|error| Error::environment(format!("the queue shaper does not work here: {error}")))
}

/// Everything slow is done: queues are bound and rules wait to be hooked in.
#[derive(Debug)]
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

    /// Leads packets into the queues.
    ///
    /// # Errors
    /// What iptables refuses.
    pub fn inject(self) -> Result<Injected> {
        let Self { iptables, armed, selectors, shapers } = self;
        let commands = Iptables::hook(armed, &selectors)?;
        let unhooking = iptables.arm().ok();
        Ok(Injected { iptables, unhooking, selectors, shapers, commands, hooked: true })
    }
}

/// A fault in force. Healing it is [`Injected::heal`]; dropping it on an error path heals it too.
#[derive(Debug)]
pub struct Injected {
    iptables: Iptables,
    /// Ready to heal; where it could not be made ready, healing takes a millisecond more.
    unhooking: Option<Armed>,
    selectors: Vec<Selector>,
    shapers: Vec<Shaper>,
    commands: String,
    hooked: bool,
}

impl Injected {
    /// The exact commands, one a line.
    pub fn commands(&self) -> String {
        self.commands.clone()
    }

    /// Unhooks the rules, lets the held packets go, and reads the counters: in this order no packet is lost.
    ///
    /// # Errors
    /// What the kernel or iptables refuse.
    pub fn heal(mut self) -> Result<(i64, Vec<Counters>)> {
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
