//! Keys of a workload in a cluster that is somebody else's: removed before it and after it, and no others.

use std::time::Duration;

use etcd_client::{DeleteOptions, GetOptions};

use super::in_turn::InTurn;
use crate::cluster::{self, sockets::Sockets};
use crate::endpoints::Endpoint;

/// Keys removed at once: few enough for an answer within any deadline.
const PAGE_KEYS: i64 = 5_000;
/// How long all of it may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Removes every key that begins with `prefix`, and returns how many there were.
///
/// # Errors
/// Why some may still be there.
pub async fn remove(endpoints: &[Endpoint], prefix: &str) -> Result<i64, String> {
    let removed = tokio::time::timeout(TIMEOUT, remove_pages(endpoints, prefix)).await;
    removed.unwrap_or_else(|_| Err(format!("not done within {} s", TIMEOUT.as_secs())))
}

async fn remove_pages(endpoints: &[Endpoint], prefix: &str) -> Result<i64, String> {
    let mut members = Vec::new();
    for endpoint in endpoints {
        let client = cluster::client(&Sockets::Own, endpoint.address).await.map_err(|error| error.to_string())?;
        members.push(client.kv_client());
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
