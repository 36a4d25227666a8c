//! Which member an operation asks. Attachment changes results several-fold, so it is decided here and nowhere else:
//! one channel a member, never a hidden retry on another.

use std::sync::atomic::{AtomicUsize, Ordering};

use run_folder::spec::Attachment;

/// The members that operations ask.
#[derive(Debug)]
pub enum Route {
    /// Each operation asks the next of this many members.
    RoundRobin(usize),
    /// All ask one member, which may be changed while the run goes on.
    Sticky(AtomicUsize),
}

impl Route {
    /// Resolves an attachment among the members of these names: `leader` leads now, `targets` are the fault's as of
    /// now. The plan has made sure that the attachment names somebody; a follower takes the place of nobody.
    pub fn resolve(attachment: &Attachment, names: &[String], leader: usize, targets: &[usize]) -> Self {
        let members = 0..names.len();
        let follower = || members.clone().find(|index| *index != leader);
        let member = match attachment {
            Attachment::RoundRobin => return Self::RoundRobin(names.len()),
            Attachment::Leader => Some(leader),
            Attachment::Target => targets.first().copied(),
            Attachment::HealthyFollower => {
                members.clone().find(|index| *index != leader && !targets.contains(index)).or_else(follower)
            }
            Attachment::Member(name) => names.iter().position(|known| known == name),
        };
        Self::Sticky(AtomicUsize::new(member.or_else(follower).unwrap_or(leader)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_name_members_by_role() {
        let names: Vec<_> = ["etcd0", "etcd1", "etcd2"].map(str::to_owned).into();
        let check = |attachment, leader, targets: &[usize], expected| {
            assert_eq!(
                Route::resolve(&attachment, &names, leader, targets).sticky_member(),
                expected,
                "{attachment:?}"
            );
        };
        check(Attachment::RoundRobin, 0, &[1], None);
        check(Attachment::Leader, 2, &[1], Some(2));
        check(Attachment::Target, 0, &[1], Some(1));
        check(Attachment::HealthyFollower, 0, &[1], Some(2));
        check(Attachment::HealthyFollower, 2, &[0], Some(1));
        check(Attachment::Member("etcd0".into()), 2, &[1], Some(0));
        let all: Vec<_> = (0..6).map(|op_id| Route::RoundRobin(3).endpoint(op_id)).collect();
        assert_eq!(all, [0, 1, 2, 0, 1, 2]);
    }
}
