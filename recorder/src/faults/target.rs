//! Whom a fault hits, resolved when it is injected.

use run_folder::spec::{Peer, Target};

/// Indices of the members that `target` means while `leader` leads.
pub fn resolve(target: &Target, names: &[String], leader: usize) -> Vec<usize> {
    match target {
        Target::Leader => vec![leader],
        Target::Follower => vec![follower(names.len(), leader)],
        Target::Member(name) => names.iter().position(|known| known == name).into_iter().collect(),
        Target::All => (0..names.len()).collect(),
    }
}

/// The second member unless it leads, then the next one.
pub fn follower(members: usize, leader: usize) -> usize {
    if leader == 1 { 2 % members } else { 1 % members }
}

/// Index of the member that `peer` means for a fault on `target`, while `leader` leads; none where it is not a member of
/// its own.
pub fn resolve_peer(peer: &Peer, names: &[String], leader: usize, target: usize) -> Option<usize> {
    let members = names.len();
    let found = match peer {
        Peer::Leader => Some(leader),
        // A neighbour, because the probes go from neighbour to neighbour.
        Peer::OtherFollower => {
            [target + 1, target + members - 1].map(|index| index % members).into_iter().find(|index| *index != leader)
        }
        Peer::Member(name) => names.iter().position(|known| known == name),
    };
    found.filter(|index| *index != target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_follow_the_leader() {
        let names: Vec<_> = ["etcd0", "etcd1", "etcd2"].map(str::to_owned).into();
        let resolve = |target: Target, leader| resolve(&target, &names, leader);
        assert_eq!(resolve(Target::Leader, 2), [2]);
        assert_eq!(resolve(Target::Follower, 0), [1]);
        assert_eq!(resolve(Target::Follower, 1), [2]);
        assert_eq!(resolve(Target::Follower, 2), [1]);
        assert_eq!(resolve(Target::Member("etcd0".into()), 0), [0]);
        assert_eq!(resolve(Target::All, 0), [0, 1, 2]);
    }

    #[test]
    fn the_other_follower_is_a_neighbour_that_does_not_lead() {
        let names: Vec<_> = (0..5).map(|index| format!("etcd{index}")).collect();
        let other =
            |members: usize, leader, target| resolve_peer(&Peer::OtherFollower, &names[..members], leader, target);
        assert_eq!([other(3, 0, 1), other(3, 1, 2), other(3, 2, 1)], [Some(2), Some(0), Some(0)]);
        assert_eq!([other(5, 2, 1), other(5, 0, 1), other(5, 4, 0)], [Some(0), Some(2), Some(1)]);
        assert_eq!(resolve_peer(&Peer::Leader, &names, 1, 1), None, "a member has no link to itself");
        assert_eq!(resolve_peer(&Peer::Member("etcd4".into()), &names, 0, 1), Some(4));
    }
}
