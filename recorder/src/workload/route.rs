//! Which member an operation asks. Attachment changes results several-fold, so it is decided here and nowhere else:
//! one channel a member, never a hidden retry on another.

use std::sync::atomic::{AtomicUsize, Ordering};

use run_folder::spec::Attachment;

use crate::error::{Error, Result};

/// The members that operations ask.
#[derive(Debug)]
pub enum Route {
    /// Each operation asks the next of this many members.
    RoundRobin(usize),
    /// All ask one member, which may be changed while the run goes on.
    Sticky(AtomicUsize),
}

impl Route {
    /// Resolves an attachment: `leader` leads now, `target` is the fault's (first) target as of now.
    ///
    /// # Errors
    /// A usage error when the attachment names nobody here.
    pub fn resolve(attachment: &Attachment, names: &[String], leader: usize, target: usize) -> Result<Self> {
        let sticky = |index| Ok(Self::Sticky(AtomicUsize::new(index)));
        match attachment {
            Attachment::RoundRobin => Ok(Self::RoundRobin(names.len())),
            Attachment::Leader => sticky(leader),
            Attachment::Target => sticky(target),
            Attachment::HealthyFollower => {
                let healthy = (0..names.len()).find(|index| *index != leader && *index != target);
                sticky(healthy.ok_or_else(|| Error::usage("--attach healthy-follower: there is none"))?)
            }
            Attachment::Member(name) => {
                let index = names.iter().position(|known| known == name);
                sticky(index.ok_or_else(|| Error::usage(format!("--attach: there is no member {name:?}")))?)
            }
        }
    }

    /// The member that operation `op_id` asks.
    pub fn endpoint(&self, op_id: i64) -> usize {
        match self {
            Self::RoundRobin(members) => op_id.unsigned_abs() as usize % members,
            Self::Sticky(index) => index.load(Ordering::Relaxed),
        }
    }

    /// Moves all clients to `member`; those of a round robin stay.
    pub fn move_to(&self, member: usize) {
        if let Self::Sticky(index) = self {
            index.store(member, Ordering::Relaxed);
        }
    }

    /// The one member that all clients ask, if it is one.
    pub fn sticky_member(&self) -> Option<usize> {
        match self {
            Self::RoundRobin(_) => None,
            Self::Sticky(index) => Some(index.load(Ordering::Relaxed)),
        }
    }
}
