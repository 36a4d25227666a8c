//! Watchers on all members see every event of concurrent writers: in the order of revisions, none missing, none twice, those of
//! one transaction together; and one that goes on at another member from where it was goes on with the next event.

use std::collections::HashSet;

use etcd_client::{EventType, PutOptions, Txn, TxnOp};

use super::finding::{Finding, Trouble};
use super::member::{Answered, Member, Watcher};
use super::stage::Scene;
use super::together::together;

/// Writers at each member.
const WRITERS: usize = 2;
/// Writes of each writer.
const WRITES: usize = 20;
/// Keys of each writer, which are overwritten in turn.
const KEYS: usize = 4;
/// Every so many writes, a key is deleted, or two are written by one transaction.
const DELETE_EVERY: usize = 7;
const TRANSACTION_EVERY: usize = 5;
/// The last event of all.
const END: &str = "end";

/// Something that happened to a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Event {
    revision: i64,
    key: String,
    /// What it was set to; nothing when it was deleted.
    value: Option<String>,
}

/// Makes the check.
pub(super) async fn check(scene: &Scene<'_>) -> Finding {
    let members = &scene.members;
    let mut watchers = Vec::new();
    for member in members {
        watchers.push(member.watch(&scene.prefix, None).await?);
    }
    let moving = members[0].watch(&scene.prefix, None).await?;
    let next_home = members[1 % members.len()].clone();
    let enough = members.len() * WRITERS * WRITES / 2;

    let watching = together(watchers.into_iter().map(until_the_end));
    let (prefix, half) = (scene.prefix.clone(), enough);
    let moved = together([async move {
        let from = moving.member.name.clone();
        let (mut seen, is_over) = see(moving, half).await?;
        if !is_over {
            // Everything of a revision comes together, so the next one is what is missing.
            let next_revision = seen.iter().flatten().map(|event| event.revision).max().unwrap_or(0) + 1;
            seen.extend(see(next_home.watch(&prefix, Some(next_revision)).await?, usize::MAX).await?.0);
        }
        Ok((format!("{from} and then {}", next_home.name), next_home.name, seen))
    }]);
    let writing = async {
        let writers =
            members.iter().enumerate().flat_map(|(at, member)| (0..WRITERS).map(move |number| (at, number, member)));
        let writers = writers
            .map(|(at, number, member)| write(member.clone(), scene.key(format_args!("{at}-{number}-")), scene.lease));
        let mut written: Vec<Event> = together(writers).await?.into_iter().flatten().collect();
        let key = scene.key(END);
        let revision = members[0].put(&key, END, scene.lease).await?;
        written.push(Event { revision, key, value: Some(END.into()) });
        // What one transaction did stays in its order.
        written.sort_by_key(|event| event.revision);
        Ok(written)
    };
    let (written, watched, moved) = tokio::try_join!(writing, watching, moved)?;
    let first_revision = written.first().map_or(1, |event| event.revision);
    let late = members[members.len() - 1].watch(&scene.prefix, Some(first_revision)).await?;
    let (late_at, late) = until_the_end(late).await?;

    let watched = watched.into_iter().map(|(at, seen)| (at.clone(), at, seen));
    let late = (format!("{late_at}, asked afterwards from revision {first_revision} on,"), late_at, late);
    let mut count = 0;
    for (who, member, seen) in watched.chain(moved).chain([late]) {
        judge(&written, &seen).map_err(|what| {
            let expected = format!("{} events in the order of revisions, none missing and none twice", written.len());
            Trouble::failed(expected, format!("a watcher at {who} {what}"), [member.as_str()])
        })?;
        count += 1;
    }
    Ok(format!(
        "{count} watchers on {} members saw {} events of {} writers in order, none twice, also going on at another member",
        members.len(),
        written.len(),
        members.len() * WRITERS
    ))
}

/// Writes, and returns what it did, in order.
async fn write(member: Member, keys: String, lease: i64) -> Answered<Vec<Event>> {
    let mut done = Vec::new();
    for number in 0..WRITES {
        let (key, value) = (format!("{keys}{}", number % KEYS), number.to_string());
        if number % DELETE_EVERY == DELETE_EVERY - 1 {
            let key = format!("{keys}{}", (number - 1) % KEYS);
            done.push(Event { revision: member.delete(&key).await?, key, value: None });
        } else if number % TRANSACTION_EVERY == TRANSACTION_EVERY - 1 {
            let pair = [key, format!("{keys}beside")];
            let put =
                |key: &String| TxnOp::put(key.as_str(), value.as_str(), Some(PutOptions::new().with_lease(lease)));
            let answer = member.txn(Txn::new().and_then(pair.each_ref().map(put))).await?;
            let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
            done.extend(pair.map(|key| Event { revision, key, value: Some(value.clone()) }));
        } else {
            done.push(Event { revision: member.put(&key, &value, lease).await?, key, value: Some(value) });
        }
    }
    Ok(done)
}

/// The events of one message of a watch.
type Batch = Vec<Event>;

async fn until_the_end(watcher: Watcher) -> Answered<(String, Vec<Batch>)> {
    let at = watcher.member.name.clone();
    Ok((at, see(watcher, usize::MAX).await?.0))
}

/// What a watcher sees until the last event, until it has seen as many as this, or until nothing comes any more; and whether
/// the last event was among it.
async fn see(mut watcher: Watcher, enough: usize) -> Answered<(Vec<Batch>, bool)> {
    let (mut seen, mut count) = (Vec::new(), 0);
    while let Some(message) = watcher.next().await? {
        let batch: Batch = message.events().iter().filter_map(Event::of).collect();
        let is_over = batch.iter().any(|event| event.key.ends_with(END));
        count += batch.len();
        // A message may say that nothing has happened.
        if !batch.is_empty() {
            seen.push(batch);
        }
        if is_over || count >= enough {
            return Ok((seen, is_over));
        }
    }
    Ok((seen, true))
}

impl Event {
    fn of(event: &etcd_client::Event) -> Option<Self> {
        let kv = event.kv()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let value = (event.event_type() == EventType::Put).then(|| text(kv.value()));
        Some(Self { revision: kv.mod_revision(), key: text(kv.key()), value })
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { revision, key, .. } = self;
        match &self.value {
            Some(value) => write!(f, "put of {key} = {value:?} at revision {revision}"),
            None => write!(f, "delete of {key} at revision {revision}"),
        }
    }
}

/// Whether what a watcher saw is what was written; else the first thing that is not.
fn judge(written: &[Event], seen: &[Batch]) -> Result<(), String> {
    let all: Vec<&Event> = seen.iter().flatten().collect();
    if let Some(pair) = all.windows(2).find(|pair| pair[1].revision < pair[0].revision) {
        return Err(format!("saw the {} after the {}", pair[1], pair[0]));
    }
    let mut known = HashSet::new();
    if let Some(twice) = all.iter().find(|event| !known.insert(**event)) {
        return Err(format!("saw the {twice} twice"));
    }
    if let Some(missing) = written.iter().find(|event| !known.contains(event)) {
        return Err(format!("saw {} events, and not the {missing}", all.len()));
    }
    let written_too: HashSet<_> = written.iter().collect();
    if let Some(odd) = all.iter().find(|event| !written_too.contains(**event)) {
        return Err(format!("saw the {odd}, which nobody did"));
    }
    if let Some(pair) = seen.windows(2).find(|pair| revision_at(pair[0].last()) == revision_at(pair[1].first())) {
        return Err(format!(
            "saw the transaction of revision {} in two parts",
            revision_at(pair[0].last()).unwrap_or(0)
        ));
    }
    // Within a revision the order is that of the transaction.
    match all.iter().zip(written).find(|(seen, written)| **seen != *written) {
        Some((seen, written)) => Err(format!("saw the {seen} before the {written}")),
        None => Ok(()),
    }
}

fn revision_at(event: Option<&Event>) -> Option<i64> {
    event.map(|event| event.revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(revision: i64, key: &str) -> Event {
        Event { revision, key: key.into(), value: Some("v".into()) }
    }

    #[test]
    fn every_difference_is_seen() {
        let [a, b, c, d] = [event(2, "a"), event(3, "b"), event(3, "c"), event(5, "d")];
        let written = [a.clone(), b.clone(), c.clone(), d.clone()];
        let see = |batches: &[&[&Event]]| {
            let seen: Vec<Batch> = batches.iter().map(|batch| batch.iter().copied().cloned().collect()).collect();
            judge(&written, &seen)
        };
        assert_eq!(see(&[&[&a], &[&b, &c, &d]]), Ok(()));
        let wrong = [
            (see(&[&[&a], &[&b, &c]]), "saw 3 events, and not the put of d = \"v\" at revision 5"),
            (see(&[&[&a], &[&d], &[&b, &c]]), "after the put of d"),
            (see(&[&[&a, &b, &c], &[&d, &d]]), "saw the put of d = \"v\" at revision 5 twice"),
            (see(&[&[&a, &b], &[&c, &d]]), "the transaction of revision 3 in two parts"),
            (see(&[&[&a, &c, &b, &d]]), "saw the put of c = \"v\" at revision 3 before the put of b"),
            (see(&[&[&a, &b, &c], &[&event(4, "x")], &[&d]]), "which nobody did"),
            (see(&[]), "saw 0 events"),
        ];
        for (judged, part) in wrong {
            let what = judged.expect_err(part);
            assert!(what.contains(part), "{part} in: {what}");
        }
    }
}
