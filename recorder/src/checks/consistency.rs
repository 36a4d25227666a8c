//! What is written through one member is read through every other: at once by a linearizable read, and before long by a
//! serializable one, which may be behind but never wrong.

use std::time::{Duration, Instant};

use etcd_client::GetResponse;

use super::finding::{Finding, Trouble, in_words};
use super::member::{Answered, Member, Read};
use super::stage::Scene;
use super::together::together;

/// Writes through each member.
const ROUNDS: usize = 10;
/// How far behind a serializable read may be.
const SERIALIZABLE_TIMEOUT: Duration = Duration::from_secs(2);
const SERIALIZABLE_POLL: Duration = Duration::from_millis(2);

/// A write that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    by: String,
    value: String,
    revision: i64,
    /// What stood there before it, and at which revision; nothing before the first one.
    before: Option<(String, i64)>,
}

/// What a read showed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    /// The revision that the member was at.
    at_revision: i64,
    /// Value and revision of the key.
    found: Option<(String, i64)>,
}

/// Makes the check.
pub(super) async fn check(scene: &Scene<'_>) -> Finding {
    let key = scene.key("register");
    let (mut writes, mut slowest) = (0, Duration::ZERO);
    let mut before = None;
    for round in 0..ROUNDS {
        for writer in &scene.members {
            let value = format!("{round} by {}", writer.name);
            let revision = writer.put(&key, &value, scene.lease).await?;
            let written = Written { by: writer.name.clone(), value: value.clone(), revision, before };
            let readers = scene.members.iter();
            let behind =
                together(readers.map(|reader| read_through(reader.clone(), key.clone(), written.clone()))).await?;
            slowest = behind.into_iter().fold(slowest, Duration::max);
            before = Some((value, revision));
            writes += 1;
        }
    }
    Ok(format!(
        "{writes} writes through {} members: linearizable reads through each saw every one at once, serializable ones \
         within {}",
        scene.members.len(),
        in_words(slowest)
    ))
}

/// Reads a write through one member, both ways, and returns when a serializable read showed it, counted from its acknowledgement.
async fn read_through(reader: Member, key: String, written: Written) -> Answered<Duration> {
    let linearizable = async {
        let shown = Shown::of(&reader.get(&key, Read::Linearizable).await?);
        judge_linearizable(&reader.name, &written, &shown)
    };
    let serializable = async {
        let acknowledged = Instant::now();
        loop {
            let shown = Shown::of(&reader.get(&key, Read::Serializable).await?);
            if judge_serializable(&reader.name, &written, &shown)? {
                return Ok(acknowledged.elapsed());
            }
            if acknowledged.elapsed() > SERIALIZABLE_TIMEOUT {
                let within = format!(" within {}", in_words(SERIALIZABLE_TIMEOUT));
                return Err(other_than(&reader.name, &written, &shown, "a serializable", &within));
            }
            tokio::time::sleep(SERIALIZABLE_POLL).await;
        }
    };
    tokio::try_join!(linearizable, serializable).map(|((), behind)| behind)
}

impl Shown {
    fn of(answer: &GetResponse) -> Self {
        let text = |kv: &etcd_client::KeyValue| (String::from_utf8_lossy(kv.value()).into_owned(), kv.mod_revision());
        Self {
            at_revision: answer.header().map_or(0, etcd_client::ResponseHeader::revision),
            found: answer.kvs().first().map(text),
        }
    }

    fn is(&self, written: &Written) -> bool {
        self.at_revision >= written.revision && self.found.as_ref() == Some(&(written.value.clone(), written.revision))
    }
}

/// Nobody has written since, so there is one right answer.
fn judge_linearizable(reader: &str, written: &Written, shown: &Shown) -> Answered<()> {
    if shown.is(written) { Ok(()) } else { Err(other_than(reader, written, shown, "a linearizable", "")) }
}

/// Whether a serializable read shows the write; it may still show what stood there before, at a revision before it.
fn judge_serializable(reader: &str, written: &Written, shown: &Shown) -> Answered<bool> {
    if shown.is(written) {
        return Ok(true);
    }
    let went_back = written.before.as_ref().is_some_and(|(_, revision)| shown.at_revision < *revision);
    if shown.at_revision < written.revision && shown.found == written.before && !went_back {
        return Ok(false);
    }
    Err(other_than(reader, written, shown, "a serializable", ", or what stood there before at an earlier revision"))
}

fn other_than(reader: &str, written: &Written, shown: &Shown, read: &str, or: &str) -> Trouble {
    let Written { by, value, revision, .. } = written;
    let found = match &shown.found {
        Some((value, revision)) => format!("{value:?}, written at revision {revision}"),
        None => "nothing".into(),
    };
    Trouble::failed(
        format!("{read} read through {reader} that shows {value:?}, which {by} wrote at revision {revision}{or}"),
        format!("{reader}, at revision {}: {found}", shown.at_revision),
        [reader],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Written {
        let before = Some(("old".into(), 7));
        Written { by: "etcd0".into(), value: "new".into(), revision: 9, before }
    }

    fn shown(at_revision: i64, found: Option<(&str, i64)>) -> Shown {
        Shown { at_revision, found: found.map(|(value, revision)| (value.to_owned(), revision)) }
    }

    #[test]
    fn a_linearizable_read_shows_the_last_write() {
        let judge = |shown: &Shown| judge_linearizable("etcd1", &written(), shown);
        assert_eq!(judge(&shown(9, Some(("new", 9)))), Ok(()));
        assert_eq!(judge(&shown(12, Some(("new", 9)))), Ok(()), "somebody else has written something else");
        for stale in
            [shown(8, Some(("old", 7))), shown(9, Some(("old", 7))), shown(9, None), shown(8, Some(("new", 9)))]
        {
            let Err(Trouble::Failed(failure)) = judge(&stale) else { panic!("{stale:?}") };
            assert_eq!(failure.members, ["etcd1"]);
            assert!(failure.expected.contains("\"new\", which etcd0 wrote at revision 9"), "{}", failure.expected);
            assert!(failure.seen.starts_with("etcd1, at revision "), "{}", failure.seen);
        }
    }

    #[test]
    fn a_serializable_read_may_be_behind_but_not_wrong() {
        let judge = |shown: &Shown| judge_serializable("etcd1", &written(), shown);
        assert_eq!(judge(&shown(9, Some(("new", 9)))), Ok(true));
        assert_eq!(judge(&shown(8, Some(("old", 7)))), Ok(false));
        // At a revision that has the write, with something that never stood there, without what stood there, and going back.
        for wrong in
            [shown(9, Some(("old", 7))), shown(8, Some(("odd", 8))), shown(8, None), shown(6, Some(("old", 7)))]
        {
            assert!(judge(&wrong).is_err(), "{wrong:?}");
        }
    }
}
