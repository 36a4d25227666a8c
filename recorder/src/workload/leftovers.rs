//! Keys of a workload in a cluster that is somebody else's: removed before it and after it, and no others.

use std::time::{Duration, Instant};

use etcd_client::{DeleteOptions, GetOptions};

use super::in_turn::InTurn;
use super::stock::{ANSWER_BYTES_MAX, PAGE_KEYS};
use crate::cluster::{self, member_status, sockets::Sockets};
use crate::endpoints::Endpoint;

/// How long all of it may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long an election may take that is under way.
const LEADER_TIMEOUT: Duration = Duration::from_secs(5);
const LEADER_POLL: Duration = Duration::from_millis(100);

/// Why some keys may still be there.
#[derive(Debug)]
pub enum Left {
    /// No member serves requests: none answers, or none of those that answer knows a leader.
    Unserved(String),
    /// Those that do refuse, or take too long.
    Unremoved(String),
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unserved(problem) | Self::Unremoved(problem)) = self;
        f.write_str(problem)
    }
}

/// Removes every key that begins with `prefix`, and returns how many there were.
///
/// # Errors
/// Why some may still be there.
pub async fn remove(endpoints: &[Endpoint], prefix: &str) -> Result<i64, Left> {
    let removed = async {
        let serving = serving(endpoints).await.map_err(Left::Unserved)?;
        remove_pages(&serving, prefix).await.map_err(Left::Unremoved)
    };
    let removed = tokio::time::timeout(TIMEOUT, removed).await;
    removed.unwrap_or_else(|_| Err(Left::Unremoved(format!("not done within {} s", TIMEOUT.as_secs()))))
}

/// The members that answer and know a leader: the others would only take their time to refuse.
async fn serving(endpoints: &[Endpoint]) -> Result<Vec<&Endpoint>, String> {
    let deadline = Instant::now() + LEADER_TIMEOUT;
    loop {
        let asked = endpoints.iter().map(|endpoint| {
            let address = endpoint.address;
            tokio::spawn(async move { member_status::ask(&Sockets::Own, address).await })
        });
        let asked: Vec<_> = asked.collect();
        let (mut serving, mut problems, mut answered) = (Vec::new(), Vec::new(), false);
        for (endpoint, asked) in endpoints.iter().zip(asked) {
            match asked.await.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(answer) if answer.leader() != 0 => serving.push(endpoint),
                Ok(_) => {
                    answered = true;
                    problems.push(format!("{} knows no leader", endpoint.name));
                }
                Err(problem) => problems.push(format!("{}: {problem}", endpoint.name)),
            }
        }
        if !serving.is_empty() {
            return Ok(serving);
        }
        if !answered || Instant::now() > deadline {
            return Err(problems.join("; "));
        }
        tokio::time::sleep(LEADER_POLL).await;
    }
}

/// Page by page: a member that applies a removal does nothing else, and its cluster is somebody's.
async fn remove_pages(endpoints: &[&Endpoint], prefix: &str) -> Result<i64, String> {
    let mut members = Vec::new();
    for endpoint in endpoints {
        let client = cluster::client(&Sockets::Own, endpoint.address).await.map_err(|error| error.to_string())?;
        members.push(client.kv_client().max_decoding_message_size(ANSWER_BYTES_MAX));
    }
    let mut asked = InTurn::new(members);
    let mut removed = 0;
    loop {
        let options = GetOptions::new().with_prefix().with_limit(PAGE_KEYS).with_keys_only();
        let page = asked
            .ask(|mut member| {
                let options = options.clone();
                async move { member.get(prefix, Some(options)).await }
            })
            .await?;
        let Some(last) = page.kvs().last() else { return Ok(removed) };
        let options = DeleteOptions::new().with_range([last.key(), &[0]].concat());
        let gone = asked
            .ask(|mut member| {
                let options = options.clone();
                async move { member.delete(prefix, Some(options)).await }
            })
            .await?;
        removed += gone.deleted();
    }
}
