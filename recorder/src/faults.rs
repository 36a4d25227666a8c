//! Slow faults. One contract for every mechanism: is it available, inject, confirm, heal, confirm healed.
//!
//! [`timeline`] runs the window from the recorder's side; [`holder`] talks to the holder process ([`hold`]), which
//! places the fault exactly, heals it at its end, when its input closes, and when its deadline passes;
//! [`queue`] is the user-space mechanism on [`nfqueue`] and [`rules`]; [`probe`] and [`evidence`] show that it
//! worked. Kernel netem takes its place beside [`queue`] as another [`Mechanism`].

pub mod evidence;
pub mod hold;
pub mod holder;
pub mod nfqueue;
pub mod probe;
pub mod protocol;
pub mod queue;
pub mod rules;
pub mod target;
pub mod timeline;

use run_folder::spec::{Effect, MechanismChoice};

use crate::error::{Error, Result};

/// Ways to do a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// The user-space queue shaper.
    Queue,
}

impl Mechanism {
    /// The mechanism to use for a choice.
    ///
    /// # Errors
    /// [`crate::error::Error::Environment`] when this machine lacks what it needs.
    pub fn choose(choice: MechanismChoice) -> Result<Self> {
        match choice {
            MechanismChoice::Auto | MechanismChoice::Queue => {
                rules::Iptables::find()?;
                Ok(Self::Queue)
            }
        }
    }

    /// Tries the mechanism for real in the calling thread's network namespace, without a packet being touched.
    ///
    /// # Errors
    /// [`crate::error::Error::Environment`] with what the kernel refuses.
    pub fn try_here(self) -> Result<()> {
        match self {
            Self::Queue => {
                let address = std::net::Ipv4Addr::LOCALHOST;
                let selectors = [protocol::Selector {
                    member: 0,
                    address,
                    peer: None,
                    port: Some(1),
                    way: protocol::Way::Egress,
                    queued: true,
                }];
                hold::Prepared::new(&selectors, Effect::Delay { delay_us: 1000, jitter_us: 0 }, 0)
                    .and_then(hold::Prepared::discard)
                    .map_err(|error| Error::environment(format!("the queue shaper does not work here: {error}")))
            }
        }
    }

    /// The name in `faults.parquet`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
        }
    }
}
