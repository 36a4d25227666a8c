//! Whom a fault hits, resolved when it is injected.

use run_folder::spec::Target;

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

/// The target as people write it.
pub fn as_text(target: &Target) -> String {
    match target {
        Target::Leader => "leader".into(),
        Target::Follower => "follower".into(),
        Target::All => "all".into(),
        Target::Member(name) => name.clone(),
    }
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
}
