//! What the recorder and the fault holder say to each other: JSON lines on the holder's standard input and output.
//! Times are readings of CLOCK_MONOTONIC, which both share.

use std::net::Ipv4Addr;

use run_folder::spec::Effect;
use serde::{Deserialize, Serialize};

use super::Mechanism;

/// What the recorder says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Do what would disturb traffic if it were done later. Undone when the input closes.
    Prepare {
        /// For this mechanism.
        mechanism: Mechanism,
        /// Address of the member that may be hit.
        address: Ipv4Addr,
    },
    /// Place a fault at a time; everything slow is done before it.
    Inject(Injection),
    /// Heal at a time; a time in the past means now. A window with an end of its own heals by itself.
    Heal {
        /// When.
        at_ns: i64,
    },
    /// The recorder is alive: do not heal before the deadline has passed once more.
    KeepAlive,
}

/// A fault to place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Injection {
    /// How.
    pub mechanism: Mechanism,
    /// What is done to packets.
    pub effect: Effect,
    /// Which packets.
    pub selectors: Vec<Selector>,
    /// When it begins.
    pub at_ns: i64,
    /// When it ends; absent when the recorder says so later.
    pub until_ns: Option<i64>,
    /// Source of the mechanism's randomness.
    pub seed: u64,
}

/// Packets of one member in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// Index of the member.
    pub member: usize,
    /// Its address.
    pub address: Ipv4Addr,
    /// Address of the only other end; absent for every other end.
    pub peer: Option<Ipv4Addr>,
    /// The TCP port at either end; absent for every packet.
    pub port: Option<u16>,
    /// Which way the packets flow.
    pub way: Way,
    /// Where they are caught.
    pub hook: Hook,
    /// Whether they are handed to the shaper; else they are only counted.
    pub queued: bool,
}

/// Which way packets flow, seen from the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Sent by the member.
    Egress,
    /// Received by it.
    Ingress,
}

/// Where packets are caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// On a router, on their way in.
    Forward,
    /// On a router, on their way out.
    Postrouting,
    /// Where they arrive, before anything else.
    Prerouting,
    /// Where they arrive, last of all.
    Input,
    /// On the target's own link.
    Link,
}

/// What the holder says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// What was to be prepared is.
    Prepared,
    /// The fault is in force.
    Applied {
        /// When the change was complete.
        done_ns: i64,
        /// The exact rules.
        commands: String,
    },
    /// The fault is no longer in force.
    Cleared {
        /// When the change was complete.
        done_ns: i64,
        /// Why it was healed.
        reason: HealReason,
        /// What happened to packets, in the order of the selectors.
        counters: Vec<Counters>,
    },
    /// The holder could not do as told; nothing is in force any more.
    Failed {
        /// Why.
        message: String,
    },
}

/// Why a fault was healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealReason {
    /// Its window ended, or the recorder asked.
    Asked,
    /// The recorder fell silent.
    Deadline,
    /// The recorder went away.
    InputClosed,
}

/// What happened to the packets of one selector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Packets that the kernel's rule matched.
    pub matched: u64,
    /// Packets that reached the shaper.
    pub received: u64,
    /// Packets that it dropped.
    pub dropped: u64,
    /// Packets that it held to their full time; those let go early by the healing are not among them.
    pub held: u64,
    /// Sum of the time that those were held.
    pub hold_sum_ns: u64,
    /// Longest time that one was held.
    pub hold_max_ns: u64,
    /// When the first packet was dropped.
    pub first_drop_ns: Option<i64>,
    /// Packets that were dropped because the queue was full; absent where they cannot be told from others.
    pub overflowed: Option<u64>,
    /// Bytes that the kernel's qdisc passed on; absent for the queue shaper.
    pub bytes_passed: Option<u64>,
    /// How fast those left, in bits per second, by the time from before the first to after the last; absent likewise.
    pub bit_per_s: Option<u64>,
    /// Largest number of packets seen waiting in the kernel's qdisc; absent for the queue shaper.
    pub backlog_max: Option<u64>,
}

impl Counters {
    /// Both together.
    pub fn joined(self, other: &Self) -> Self {
        Self {
            matched: self.matched + other.matched,
            received: self.received + other.received,
            dropped: self.dropped + other.dropped,
            held: self.held + other.held,
            hold_sum_ns: self.hold_sum_ns + other.hold_sum_ns,
            hold_max_ns: self.hold_max_ns.max(other.hold_max_ns),
            first_drop_ns: [self.first_drop_ns, other.first_drop_ns].into_iter().flatten().min(),
            overflowed: either(self.overflowed, other.overflowed, |a, b| a + b),
            bytes_passed: either(self.bytes_passed, other.bytes_passed, |a, b| a + b),
            bit_per_s: either(self.bit_per_s, other.bit_per_s, u64::max),
            backlog_max: either(self.backlog_max, other.backlog_max, u64::max),
        }
    }
}

/// Both joined, or the one that there is.
fn either(a: Option<u64>, b: Option<u64>, join: impl Fn(u64, u64) -> u64) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(join(a, b)),
        (one, other) => one.or(other),
    }
}
