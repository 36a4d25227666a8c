//! Slow faults. One contract for every mechanism: is it available, inject, confirm, heal, confirm healed.
//!
//! [`timeline`] runs the window from the recorder's side; [`holder`] talks to the holder process ([`hold`]), which
//! places the fault exactly, heals it at its end, when its input closes, and when its deadline passes;
//! [`netem`] and [`queue`] are the mechanisms, the kernel's and ours; [`placement`] says where each catches which packets;
//! [`probe`] and [`evidence`] show that it worked; [`standing`] shows and clears what others left.

pub mod evidence;
pub mod hold;
pub mod holder;
pub mod netem;
pub mod placement;
pub mod probe;
pub mod protocol;
pub mod queue;
pub mod standing;
pub mod target;
pub mod timeline;

use run_folder::spec::{Effect, MechanismChoice};

use crate::error::{Error, Result};

/// Ways to do a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// The kernel's netem.
    Netem,
    /// The user-space queue shaper.
    Queue,
}

impl Mechanism {
    /// The mechanism to use for a choice, each tried by `works` where the fault would be placed: the kernel's netem where it
    /// is there, else the queue shaper.
    ///
    /// # Errors
    /// [`Error::Environment`] when what was chosen, or everything, does not work.
    pub fn choose(choice: MechanismChoice, effect: Effect, works: impl Fn(Self) -> Result<()>) -> Result<Self> {
        match choice {
            MechanismChoice::Netem => works(Self::Netem).map(|()| Self::Netem),
            MechanismChoice::Queue => {
                Self::Queue.supports(effect).and_then(|()| works(Self::Queue)).map(|()| Self::Queue)
            }
            MechanismChoice::Auto => match works(Self::Netem) {
                Ok(()) => Ok(Self::Netem),
                Err(no_netem) => match Self::Queue.supports(effect).and_then(|()| works(Self::Queue)) {
                    Ok(()) => Ok(Self::Queue),
                    Err(no_queue) => Err(Error::environment(format!("{no_queue}; {no_netem}"))),
                },
            },
        }
    }

    /// Checks that the programs are here which a choice may need, without trying anything.
    ///
    /// # Errors
    /// [`Error::Environment`] that says what to install.
    pub fn check_programs(choice: MechanismChoice) -> Result<()> {
        match choice {
            MechanismChoice::Netem => netem::check_programs(),
            MechanismChoice::Queue => queue::rules::Iptables::find().map(drop),
            MechanismChoice::Auto => netem::check_programs().or_else(|_| queue::rules::Iptables::find().map(drop)),
        }
    }

    /// Whether it can do an effect at all.
    fn supports(self, effect: Effect) -> Result<()> {
        match (self, effect) {
            (Self::Queue, Effect::Rate { .. }) => {
                Err(Error::environment("the queue shaper limits no rates; that needs netem (--mechanism netem)"))
            }
            _ => Ok(()),
        }
    }

    /// Tries the mechanism for real in the calling thread's network namespace, without a packet being touched.
    ///
    /// # Errors
    /// [`Error::Environment`] with what the kernel refuses.
    pub fn try_here(self) -> Result<()> {
        match self {
            Self::Netem => netem::try_here(),
            Self::Queue => queue::try_here(),
        }
    }

    /// The name in `faults.parquet`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Netem => "netem",
            Self::Queue => "queue",
        }
    }
}
