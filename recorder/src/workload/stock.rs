//! What the keys hold before the first operation: the revisions that compare-and-swaps expect, and a value for every key
//! where the workload is to find one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use etcd_client::GetOptions;

use super::Workload;
use super::in_turn::InTurn;
use crate::plan::KEY_BYTES_MAX;

/// Keys read at once.
pub(super) const PAGE_KEYS: i64 = 2_000;
/// What an answer with so many may hold: between the workload's own keys may lie those that another one has left, as long as keys
/// can be. What gRPC takes by default is less.
pub(super) const ANSWER_BYTES_MAX: usize = PAGE_KEYS as usize * (KEY_BYTES_MAX as usize + KEY_ENVELOPE_BYTES);
/// What an answer says of a key besides its bytes.
const KEY_ENVELOPE_BYTES: usize = 64;
/// Values put at once.
const FILLERS: usize = 32;

/// Looks at the keys, and fills those that lack a value where the workload asks for it. Returns what is to be known of the
/// outcome, in sentences. Must be called from a task at the clients' place.
pub(super) async fn take(workload: Arc<Workload>) -> Vec<String> {
    let members = workload.clients.of_members().into_iter();
    let members = members.map(|member| member.max_decoding_message_size(ANSWER_BYTES_MAX)).collect();
    let mut asked = InTurn::new(members);
    let has_value = match look(&workload, &mut asked).await {
        Ok(has_value) => has_value,
        Err(problem) => {
            return vec![format!(
                "what the keys hold could not be read before the start ({problem}): comparisons of transactions may fail \
                 until they have seen it"
            )];
        }
    };
    if !workload.spec.filled {
        return Vec::new();
    }
    let lacking: Vec<i32> =
        (0..).zip(has_value).filter(|(_, has_value)| !has_value).map(|(number, _)| number).collect();
    let all = lacking.len();
    match fill(workload, asked, lacking).await {
        (filled, _) if filled == all => Vec::new(),
        (filled, problem) => {
            vec![format!("{} keys could not be given a value before the start ({problem})", all - filled)]
        }
    }
}

/// Takes in the revision of each key; returns which of them have a value.
async fn look(workload: &Workload, asked: &mut InTurn) -> Result<Vec<bool>, String> {
    let (draws, spec) = (&workload.draws, &workload.spec);
    let mut has_value = vec![false; spec.keys as usize];
    let end = just_after(draws.key(spec.keys as i32 - 1));
    let mut from = draws.key(0);
    loop {
        let options = GetOptions::new().with_range(end.clone()).with_limit(PAGE_KEYS).with_keys_only();
        let page = asked
            .ask(|mut member| {
                let (from, options) = (from.clone(), options.clone());
                async move { member.get(from, Some(options)).await }
            })
            .await?;
        let at_revision = page.header().map_or(0, etcd_client::ResponseHeader::revision);
        for kv in page.kvs() {
            if let Some(number) = draws.number(kv.key()) {
                has_value[number as usize] = true;
                workload.seen.observe(number, at_revision, kv.mod_revision());
            }
        }
        match page.kvs().last() {
            Some(last) if page.more() => from = just_after(last.key().to_vec()),
            _ => return Ok(has_value),
        }
    }
}

/// Gives these keys a value; returns how many got one, and what kept the others from it.
async fn fill(workload: Arc<Workload>, asked: InTurn, lacking: Vec<i32>) -> (usize, String) {
    let (lacking, claimed) = (Arc::new(lacking), Arc::new(AtomicUsize::new(0)));
    let filler = || {
        let (workload, mut asked) = (workload.clone(), asked.clone());
        let (lacking, claimed) = (lacking.clone(), claimed.clone());
        tokio::spawn(async move {
            let mut filled = 0;
            while let Some(&number) = lacking.get(claimed.fetch_add(1, Ordering::Relaxed)) {
                let (key, value) = (workload.draws.key(number), workload.draws.value(workload.draws.filling(number)));
                let put = |mut member: etcd_client::KvClient| {
                    let (key, value) = (key.clone(), value.clone());
                    async move { member.put(key, value, None).await }
                };
                match asked.ask(put).await {
                    Ok(answer) => {
                        let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
                        workload.seen.observe(number, revision, revision);
                        filled += 1;
                    }
                    // Whatever it is, the next key would meet it too.
                    Err(problem) => return (filled, problem),
                }
            }
            (filled, String::new())
        })
    };
    let fillers: Vec<_> = (0..FILLERS.min(lacking.len())).map(|_| filler()).collect();
    let mut outcome = (0, String::new());
    for filler in fillers {
        let (filled, problem) = filler.await.unwrap_or_else(|error| (0, error.to_string()));
        outcome.0 += filled;
        if !problem.is_empty() {
            outcome.1 = problem;
        }
    }
    outcome
}

/// The first key after this one.
pub(super) fn just_after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}
