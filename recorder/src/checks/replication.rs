//! Every member holds the same content at the same revision: the hash that etcd makes of its key-value store up to a
//! revision (`HashKV`) is one number on all of them, and each has applied what the leader has.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::finding::{Failure, Finding, Trouble, in_words, names};
use super::member::{Answered, Member};
use super::stage::Scene;
use super::together::together;

/// Writes, spread over the members.
const WRITES: usize = 90;
/// How long a member may take to apply what was acknowledged.
const CATCHING_UP_TIMEOUT: Duration = Duration::from_secs(5);
const CATCHING_UP_POLL: Duration = Duration::from_millis(5);
/// How often hashes must differ: while a member compacts, that of older versions is not that of all it holds.
const HASHES: usize = 3;
const HASH_POLL: Duration = Duration::from_millis(500);

/// A member's content up to a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    /// The member.
    pub(super) member: String,
    /// The hash of its content.
    pub(super) hash: u32,
    /// The revision before which it has forgotten what was overwritten: hashes of other ones cannot be compared.
    pub(super) compacted: i64,
}

/// Makes the check.
pub(super) async fn check(scene: &Scene<'_>) -> Finding {
    let puts = (0..WRITES).map(|number| {
        let member = scene.members[number % scene.members.len()].clone();
        let (key, lease) = (scene.key(format_args!("{number:03}")), scene.lease);
        async move { member.put(&key, &"replicated ".repeat(1 + number % 20), lease).await }
    });
    let revision = together(puts).await?.into_iter().max().unwrap_or(0);
    let written = Instant::now();
    let behind = caught_up(&scene.members, revision, CATCHING_UP_TIMEOUT).await?;
    let content = same_content(&scene.members, revision).await?;
    Ok(format!(
        "{} members hold the same at revision {revision} (hash {:08x}), and applied it within {}",
        scene.members.len(),
        content.hash,
        in_words(behind.saturating_duration_since(written))
    ))
}

/// Waits until every member holds the revision and has applied what the one that is furthest ahead has applied now; returns
/// when the last one did.
pub(super) async fn caught_up(members: &[Member], revision: i64, timeout: Duration) -> Answered<Instant> {
    let deadline = Instant::now() + timeout;
    let mut applied = 0;
    for member in members {
        applied = applied.max(applied_index(member).await?);
    }
    for member in members {
        loop {
            let its_revision = member.revision().await?;
            let its_applied = applied_index(member).await?;
            if its_revision >= revision && its_applied >= applied {
                break;
            }
            if Instant::now() > deadline {
                return Err(Trouble::failed(
                    format!(
                        "revision {revision} and applied index {applied} on every member within {}",
                        in_words(timeout)
                    ),
                    format!("{}: revision {its_revision}, applied index {its_applied}", member.name),
                    [member.name.as_str()],
                ));
            }
            tokio::time::sleep(CATCHING_UP_POLL).await;
        }
    }
    Ok(Instant::now())
}

async fn applied_index(member: &Member) -> Answered<u64> {
    let status = member.status().await;
    status.map(|status| status.raft_applied_index()).map_err(|why| {
        Trouble::failed("a member that says how far it is", format!("{}: {why}", member.name), [member.name.as_str()])
    })
}

/// Compares the content of all members up to a revision that each of them has; returns the first one's.
pub(super) async fn same_content(members: &[Member], revision: i64) -> Answered<Content> {
    let mut tries = 0;
    loop {
        let mut contents = Vec::new();
        for member in members {
            let answer = member.hash_kv(revision).await?;
            let (hash, compacted) = (answer.hash(), answer.compact_version());
            contents.push(Content { member: member.name.clone(), hash, compacted });
        }
        tries += 1;
        match judge(&contents, revision) {
            Ok(()) => return Ok(contents.swap_remove(0)),
            Err(failure) if tries >= HASHES => return Err(Trouble::Failed(failure)),
            Err(_) => tokio::time::sleep(HASH_POLL).await,
        }
    }
}

/// Whether all contents are the same one. Where they are not, those are named that fewer members have than the others' one.
fn judge(contents: &[Content], revision: i64) -> Result<(), Failure> {
    let mut groups: BTreeMap<(i64, u32), Vec<&str>> = BTreeMap::new();
    for content in contents {
        groups.entry((content.compacted, content.hash)).or_default().push(&content.member);
    }
    if groups.len() < 2 {
        return Ok(());
    }
    let most = groups.values().map(Vec::len).max().unwrap_or(0);
    let is_majority = |group: &Vec<&str>| group.len() == most && most * 2 > contents.len();
    let odd: Vec<_> =
        groups.values().filter(|group| !is_majority(group)).flatten().map(|name| (*name).to_owned()).collect();
    let is_compacted_alike =
        groups.keys().all(|(compacted, _)| Some(compacted) == groups.keys().next().map(|(first, _)| first));
    let mut by_size: Vec<_> = groups.into_iter().collect();
    by_size.sort_by_key(|(_, group)| std::cmp::Reverse(group.len()));
    let seen = by_size.iter().map(|((compacted, hash), group)| {
        let compacted =
            if is_compacted_alike { String::new() } else { format!(" (compacted to revision {compacted})") };
        format!("{}: hash {hash:08x}{compacted}", names(group.iter().copied()))
    });
    Err(Failure {
        expected: format!("the same content on every member at revision {revision}"),
        seen: seen.collect::<Vec<_>>().join("; "),
        members: odd,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(all: &[(&str, u32, i64)]) -> Vec<Content> {
        all.iter()
            .map(|(name, hash, compacted)| Content { member: (*name).into(), hash: *hash, compacted: *compacted })
            .collect()
    }

    #[test]
    fn the_member_that_is_alone_with_its_content_is_named() {
        let same = contents(&[("a", 1, 0), ("b", 1, 0), ("c", 1, 0)]);
        assert_eq!(judge(&same, 9), Ok(()));
        let failure = judge(&contents(&[("a", 0xaf, 0), ("b", 2, 0), ("c", 0xaf, 0)]), 9).unwrap_err();
        assert_eq!(failure.members, ["b"]);
        assert_eq!(failure.seen, "a, c: hash 000000af; b: hash 00000002");
        assert_eq!(failure.expected, "the same content on every member at revision 9");
        // Where no majority agrees, nobody is known to be right.
        let failure = judge(&contents(&[("a", 1, 0), ("b", 2, 0)]), 9).unwrap_err();
        assert_eq!(failure.members, ["a", "b"]);
        let failure = judge(&contents(&[("a", 1, 5), ("b", 2, 0), ("c", 1, 5)]), 9).unwrap_err();
        assert_eq!(
            failure.seen,
            "a, c: hash 00000001 (compacted to revision 5); b: hash 00000002 (compacted to revision 0)"
        );
    }
}
