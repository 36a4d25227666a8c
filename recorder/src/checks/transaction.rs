//! Transactions are all or nothing: a compare that fails writes nothing but the else branch, one that holds writes all of it at one
//! revision, nobody ever sees half of one, and counters that many clients raise by compare-and-swap lose nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp, TxnOpResponse};

use super::finding::{Finding, Trouble};
use super::member::{Answered, Member, Read};
use super::stage::Scene;
use super::together::together;

/// Keys that one transaction writes.
const KEYS: usize = 5;
/// Counters, each raised by several clients at once.
const COUNTERS: usize = 4;
/// Clients, spread over the members and the counters.
const CLIENTS: usize = 16;
/// How often each client raises its counter.
const INCREMENTS: usize = 10;
/// Pairs that are written as one while others read them.
const PAIRS: usize = 60;

/// Makes the check.
pub(super) async fn check(scene: &Scene<'_>) -> Finding {
    is_nothing(scene).await?;
    is_all(scene).await?;
    let (tries, reads) = tokio::try_join!(lose_nothing(scene), is_never_half(scene))?;
    Ok(format!(
        "a compare that failed wrote nothing; one that held wrote {KEYS} keys at one revision; {CLIENTS} clients raised \
         {COUNTERS} counters by {} in {tries} tries and lost nothing; {reads} reads never saw half a transaction",
        CLIENTS * INCREMENTS
    ))
}

fn put(key: &str, value: impl Into<Vec<u8>>, lease: i64) -> TxnOp {
    TxnOp::put(key, value, Some(PutOptions::new().with_lease(lease)))
}

/// A compare that fails writes nothing of what it guards, and the else branch.
async fn is_nothing(scene: &Scene<'_>) -> Answered<()> {
    let key = |name: &str| scene.key(format_args!("nothing/{name}"));
    for (number, member) in scene.members.iter().enumerate() {
        let guarded = [key("one"), key("other")];
        let instead = key(&format!("else{number}"));
        let txn = Txn::new()
            .when([Compare::value(key("never-written"), CompareOp::Equal, "something")])
            .and_then(guarded.each_ref().map(|guarded| put(guarded, "written", scene.lease)))
            .or_else([put(&instead, "written", scene.lease)]);
        let answer = member.txn(txn).await?;
        let failed = |seen: String| {
            let expected = "a compare that fails: its writes left undone, and the else branch carried out";
            Trouble::failed(expected, format!("{}: {seen}", member.name), [member.name.as_str()])
        };
        if answer.succeeded() {
            return Err(failed("it says that the compare held".into()));
        }
        for reader in &scene.members {
            let shown = reader.get_all(&key(""), Read::Linearizable).await?;
            let shown: Vec<_> = shown.kvs().iter().map(|kv| String::from_utf8_lossy(kv.key()).into_owned()).collect();
            if let Some(written) = guarded.iter().find(|guarded| shown.contains(guarded)) {
                return Err(failed(format!("{written} was written, by a read through {}", reader.name)));
            }
            if !shown.contains(&instead) {
                return Err(failed(format!("{instead} was not written, by a read through {}", reader.name)));
            }
        }
    }
    Ok(())
}

/// A compare that holds writes all of it, at one revision.
async fn is_all(scene: &Scene<'_>) -> Answered<()> {
    for (number, member) in scene.members.iter().enumerate() {
        let prefix = scene.key(format_args!("all{number}/"));
        let keys: Vec<_> = (0..KEYS).map(|key| format!("{prefix}{key}")).collect();
        let txn = Txn::new()
            .when([Compare::version(keys[0].as_str(), CompareOp::Equal, 0)])
            .and_then(keys.iter().map(|key| put(key, "written", scene.lease)).collect::<Vec<_>>())
            .or_else([TxnOp::get(keys[0].as_str(), None)]);
        let answer = member.txn(txn).await?;
        let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
        let failed = |seen: String| {
            let expected = format!("a compare that holds: all {KEYS} keys written at one revision, and none before it");
            Trouble::failed(expected, format!("{}: {seen}", member.name), [member.name.as_str()])
        };
        if !answer.succeeded() {
            return Err(failed("it says that the compare failed".into()));
        }
        for reader in &scene.members {
            let shown = reader.get_all(&prefix, Read::Linearizable).await?;
            let revisions: Vec<_> = shown.kvs().iter().map(etcd_client::KeyValue::mod_revision).collect();
            if revisions != [revision; KEYS] {
                return Err(failed(format!(
                    "done at revision {revision}; a read through {} shows keys written at revisions {revisions:?}",
                    reader.name
                )));
            }
            let before = reader.get_all_at(&prefix, revision - 1).await?.kvs().len();
            if before > 0 {
                return Err(failed(format!(
                    "{before} keys were there at the revision before, by a read through {}",
                    reader.name
                )));
            }
        }
    }
    Ok(())
}

/// Raises counters from many clients at once; returns the number of tries that it took.
async fn lose_nothing(scene: &Scene<'_>) -> Answered<usize> {
    let counter = |number: usize| scene.key(format_args!("counter{number}"));
    let clients = (0..CLIENTS).map(|client| {
        // Clients of one counter ask different members.
        let member = scene.members[(client / COUNTERS + client) % scene.members.len()].clone();
        raise(member, counter(client % COUNTERS), scene.lease)
    });
    let tries = together(clients).await?.into_iter().sum();
    let raised = (CLIENTS / COUNTERS * INCREMENTS) as i64;
    for reader in &scene.members {
        for number in 0..COUNTERS {
            let shown = reader.get(&counter(number), Read::Linearizable).await?;
            let (value, writes) = shown.kvs().first().map_or((None, 0), |kv| (value_of(kv), kv.version()));
            judge_counter(&reader.name, &counter(number), raised, value, writes)?;
        }
    }
    Ok(tries)
}

fn value_of(kv: &etcd_client::KeyValue) -> Option<i64> {
    kv.value_str().ok()?.parse().ok()
}

/// Whether a counter says how often it was raised, and was written no more often.
fn judge_counter(reader: &str, counter: &str, raised: i64, value: Option<i64>, writes: i64) -> Answered<()> {
    if (value, writes) == (Some(raised), raised) {
        return Ok(());
    }
    let value = value.map_or_else(|| "no number".to_owned(), |value| value.to_string());
    Err(Trouble::failed(
        format!("{counter} at {raised}, after {raised} acknowledged increments in as many writes"),
        format!("{reader}: {value}, after {writes} writes"),
        [reader],
    ))
}

/// One client: reads, adds one, and writes if nobody has written since.
async fn raise(member: Member, counter: String, lease: i64) -> Answered<usize> {
    let (mut raised, mut tries) = (0, 0);
    let (mut value, mut revision) = (0, 0);
    while raised < INCREMENTS {
        tries += 1;
        let txn = Txn::new()
            .when([Compare::mod_revision(counter.as_str(), CompareOp::Equal, revision)])
            .and_then([put(&counter, (value + 1).to_string(), lease)])
            .or_else([TxnOp::get(counter.as_str(), None)]);
        let answer = member.txn(txn).await?;
        if answer.succeeded() {
            value += 1;
            revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
            raised += 1;
        } else if let Some(TxnOpResponse::Get(get)) = answer.op_responses().first()
            && let Some(kv) = get.kvs().first()
        {
            (value, revision) = (value_of(kv).unwrap_or(0), kv.mod_revision());
        } else {
            return Err(Trouble::failed(
                "the counter, in the answer to a compare that failed",
                format!("{}: an answer without it", member.name),
                [member.name.as_str()],
            ));
        }
    }
    Ok(tries)
}

/// Writes two keys at a time while every member is read both ways; returns the number of reads.
async fn is_never_half(scene: &Scene<'_>) -> Answered<usize> {
    let prefix = scene.key("pair/");
    let over = Arc::new(AtomicBool::new(false));
    let writing = async {
        for number in 0..PAIRS {
            let member = &scene.members[number % scene.members.len()];
            let pair = ["one", "other"].map(|name| put(&format!("{prefix}{name}"), number.to_string(), scene.lease));
            member.txn(Txn::new().and_then(pair)).await?;
        }
        over.store(true, Ordering::Relaxed);
        Ok(())
    };
    let both_ways = |member: &Member| [Read::Linearizable, Read::Serializable].map(|read| (member.clone(), read));
    let readers = scene.members.iter().flat_map(both_ways);
    let reading = together(readers.map(|(member, read)| see_pairs(member, prefix.clone(), read, over.clone())));
    let ((), reads) = tokio::try_join!(writing, reading)?;
    Ok(reads.into_iter().sum())
}

/// Reads both keys until there is nothing more to see, and at least once.
async fn see_pairs(member: Member, prefix: String, read: Read, over: Arc<AtomicBool>) -> Answered<usize> {
    let mut reads = 0;
    loop {
        let is_last = over.load(Ordering::Relaxed);
        let shown = member.get_all(&prefix, read).await?;
        let values: Vec<_> = shown.kvs().iter().map(|kv| (value_of(kv), kv.mod_revision())).collect();
        judge_pair(&member.name, &values)?;
        reads += 1;
        if is_last {
            return Ok(reads);
        }
    }
}

/// Whether both keys of a pair are from one transaction; at first there are none.
fn judge_pair(reader: &str, values: &[(Option<i64>, i64)]) -> Answered<()> {
    match values {
        [] => Ok(()),
        [one, other] if one == other => Ok(()),
        _ => {
            let seen: Vec<_> = values
                .iter()
                .map(|(value, revision)| {
                    format!("{} at revision {revision}", value.map_or("?".into(), |value| value.to_string()))
                })
                .collect();
            Err(Trouble::failed(
                "two keys that one transaction writes, with one value and one revision",
                format!("{reader}: {}", seen.join(", ")),
                [reader],
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_lost_or_gained_something_is_seen() {
        let judge = |value, writes| judge_counter("etcd1", "counter0", 40, value, writes);
        assert_eq!(judge(Some(40), 40), Ok(()));
        for (value, writes) in [(Some(39), 40), (Some(39), 39), (Some(40), 41), (None, 0)] {
            let Err(Trouble::Failed(failure)) = judge(value, writes) else { panic!("{value:?} {writes}") };
            assert_eq!(failure.members, ["etcd1"]);
        }
    }

    #[test]
    fn half_a_transaction_is_seen() {
        assert_eq!(judge_pair("etcd1", &[]), Ok(()));
        assert_eq!(judge_pair("etcd1", &[(Some(3), 9), (Some(3), 9)]), Ok(()));
        for half in [vec![(Some(3), 9)], vec![(Some(3), 9), (Some(2), 8)], vec![(Some(3), 9), (Some(3), 8)]] {
            assert!(judge_pair("etcd1", &half).is_err(), "{half:?}");
        }
    }
}
