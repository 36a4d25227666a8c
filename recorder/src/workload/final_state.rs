//! What the store holds before the first operation and after the last one, so that acknowledged writes can be looked for
//! later. Everything is read when no operation is under way and no fault in force, and is bounded in time.

use std::time::{Duration, Instant};

use etcd_client::{Client, GetOptions, KvClient};
use run_folder::manifest::{MemberHash, Store};
use run_folder::spec::RunSpec;
use run_folder::{FinalKey, RunFolder, final_state};

use super::draw::Draws;
use super::in_turn::InTurn;
use super::stock::{ANSWER_BYTES_MAX, PAGE_KEYS, just_after};
use crate::cluster::member_status::reason;
use crate::cluster::{self, Cluster, Member};
use crate::error::Result;

/// How long reading all keys may take. A cluster that is electing needs some of it.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a member may take to catch up and to compute its hash.
const HASH_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before a cluster that did not answer is asked again, or a member that is behind.
const PAUSE: Duration = Duration::from_millis(100);

/// The store's revision now; `None` where no member tells.
///
/// # Errors
/// When a task of the recorder fails.
pub async fn revision(spec: &RunSpec, cluster: &Cluster) -> Result<Option<i64>> {
    let key = Draws::new(spec.seed, &spec.workload).key(0);
    let members = members(cluster).await?;
    let asked = cluster.client.run(async move {
        let options = GetOptions::new().with_keys_only();
        let answer = InTurn::new(members)
            .ask(|mut member| {
                let (key, options) = (key.clone(), options.clone());
                async move { member.get(key, Some(options)).await }
            })
            .await;
        answer.ok().and_then(|answer| answer.header().map(etcd_client::ResponseHeader::revision))
    });
    asked.await
}

/// Reads what the workload's keys hold, writes it into the folder, and completes `store`, whose problem says why it could
/// not where it could not.
pub async fn record(spec: &RunSpec, cluster: &Cluster, folder: &RunFolder, store: &mut Store) {
    match read(spec, cluster).await {
        Ok((revision, keys)) => match final_state::write(folder, &keys) {
            Ok(rows) => {
                (store.revision_after, store.keys) = (Some(revision), rows);
                // Hashing goes over the whole store, which is not ours to make busy where the cluster is not.
                if !cluster.is_endpoints() && !cluster.adopted {
                    store.members = hashes(cluster, revision).await;
                }
            }
            Err(error) => store.problem = Some(error.to_string()),
        },
        Err(problem) => store.problem = Some(problem),
    }
}

/// The keys' state, and the revision at which all of it was read.
async fn read(spec: &RunSpec, cluster: &Cluster) -> std::result::Result<(i64, Vec<FinalKey>), String> {
    let draws = Draws::new(spec.seed, &spec.workload);
    let last = draws.key(spec.workload.keys as i32 - 1);
    let members = members(cluster).await.map_err(|error| error.to_string())?;
    let reading = cluster.client.run(async move {
        let mut asked = InTurn::new(members);
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, pages(&draws, &last, &mut asked)).await {
                Ok(Ok(read)) => return Ok(read),
                Ok(Err(problem)) if Instant::now() + PAUSE >= deadline => return Err(problem),
                Ok(Err(_)) => tokio::time::sleep(PAUSE).await,
                Err(_) => return Err(format!("not done within {} s", TIMEOUT.as_secs())),
            }
        }
    });
    reading.await.map_err(|error| error.to_string())?
}

/// Page by page: the first is linearizable, the others are read at its revision.
async fn pages(draws: &Draws, last: &[u8], asked: &mut InTurn) -> std::result::Result<(i64, Vec<FinalKey>), String> {
    let (mut keys, mut at_revision, mut from) = (Vec::new(), 0, draws.key(0));
    let end = just_after(last.to_vec());
    loop {
        let options = GetOptions::new().with_range(end.clone()).with_limit(PAGE_KEYS).with_keys_only();
        let options = options.with_revision(at_revision);
        let page = asked
            .ask(|mut member| {
                let (from, options) = (from.clone(), options.clone());
                async move { member.get(from, Some(options)).await }
            })
            .await?;
        if at_revision == 0 {
            at_revision = page.header().map_or(0, etcd_client::ResponseHeader::revision);
        }
        keys.extend(page.kvs().iter().filter_map(|kv| {
            Some(FinalKey {
                key: draws.number(kv.key())?,
                create_revision: kv.create_revision(),
                mod_revision: kv.mod_revision(),
                version: kv.version(),
            })
        }));
        match page.kvs().last() {
            Some(last) if page.more() => from = just_after(last.key().to_vec()),
            _ => return Ok((at_revision, keys)),
        }
    }
}

/// Clients of all members, made at the clients' place.
async fn members(cluster: &Cluster) -> Result<Vec<KvClient>> {
    let mut members = Vec::new();
    for member in &cluster.members {
        let (sockets, address) = (cluster.client.sockets().clone(), member.client_address);
        let client = cluster.client.run(async move { cluster::client(&sockets, address).await }).await??;
        members.push(client.kv_client().max_decoding_message_size(ANSWER_BYTES_MAX));
    }
    Ok(members)
}

/// What each member says of its own data, all asked at once.
async fn hashes(cluster: &Cluster, revision: i64) -> Vec<MemberHash> {
    let asked: Vec<_> = cluster.members.iter().map(|member| ask_hash(member, revision)).collect();
    let mut hashes = Vec::new();
    for asked in asked {
        hashes.push(match asked.await {
            Ok(hash) => hash,
            Err(error) => MemberHash { problem: Some(error.to_string()), ..MemberHash::default() },
        });
    }
    hashes
}

fn ask_hash(member: &Member, revision: i64) -> tokio::task::JoinHandle<MemberHash> {
    let (sockets, address) = (member.vantage.sockets().clone(), member.own_address);
    member.vantage.spawn(async move {
        let asking = async {
            let client = cluster::client(&sockets, address).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(hash_once_caught_up(client, revision).await)
        };
        let answer = tokio::time::timeout(HASH_TIMEOUT, asking).await;
        match answer.unwrap_or_else(|_| Err(format!("no hash within {} s", HASH_TIMEOUT.as_secs()))) {
            Ok(hash) => hash,
            Err(problem) => MemberHash { problem: Some(problem), ..MemberHash::default() },
        }
    })
}

/// A member that is behind refuses until it has the revision.
async fn hash_once_caught_up(client: Client, revision: i64) -> MemberHash {
    let mut client = client.maintenance_client();
    let deadline = Instant::now() + HASH_TIMEOUT - 2 * PAUSE;
    loop {
        match client.hash_kv(revision).await {
            Ok(answer) => {
                return MemberHash {
                    hash: Some(answer.hash()),
                    compact_revision: Some(answer.compact_version()),
                    problem: None,
                };
            }
            Err(error) if Instant::now() >= deadline => {
                return MemberHash { problem: Some(reason(&error)), ..MemberHash::default() };
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
