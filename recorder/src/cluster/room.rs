//! The room that a cluster of somebody else has for more data: past its quota it refuses every write, its users' too, until
//! somebody clears up by hand.

use std::net::SocketAddr;
use std::time::Duration;

use etcd_client::{Client, StatusResponse};
use tokio::task::JoinSet;

use super::sockets::Sockets;
use super::{Cluster, client, http};
use crate::error::{Error, Result};

/// What a member takes where its `--quota-backend-bytes` does not say otherwise.
pub const DEFAULT_QUOTA_BYTES: u64 = 2 << 30;
/// The part of a quota that is left free, for its users and for what is written until a look is taken: one in so many.
const LEFT_FREE: u64 = 8;
/// Pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How long a member may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// The metric that says the quota.
const QUOTA_METRIC: &str = "etcd_server_quota_backend_bytes ";
/// The alarm that members raise past it.
const ALARM: &str = "alarm:NOSPACE";
/// What the cluster's people can do.
const NEXT_STEP: &str = "`etcdctl compact` and `etcdctl defrag` on each member make room, and `etcdctl alarm disarm` takes a \
                         NOSPACE alarm back";

/// What may be written of a quota.
pub fn usable(quota_bytes: u64) -> u64 {
    quota_bytes - quota_bytes / LEFT_FREE
}

/// Members and their quotas.
#[derive(Debug)]
pub struct Room(Vec<Watched>);

/// A member that says how much it holds.
struct Watched {
    name: String,
    client: Client,
    quota_bytes: u64,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watched({} of {} bytes)", self.name, self.quota_bytes)
    }
}

impl Room {
    /// Of these members. One that does not say its quota has the usual one.
    ///
    /// # Errors
    /// When the clients cannot be made.
    pub async fn of(cluster: &Cluster) -> Result<Self> {
        let asked: Vec<_> =
            cluster.members.iter().map(|member| tokio::spawn(quota_bytes(member.client_address))).collect();
        let mut watched = Vec::new();
        for (member, asked) in cluster.members.iter().zip(asked) {
            let client = client(&Sockets::Own, member.client_address).await?;
            let quota_bytes = asked.await.ok().flatten().unwrap_or(DEFAULT_QUOTA_BYTES);
            watched.push(Watched { name: member.name.clone(), client, quota_bytes });
        }
        Ok(Self(watched))
    }

    /// Checks that so many bytes fit in every member that answers.
    ///
    /// # Errors
    /// [`Error::Environment`] when a member is full already, [`Error::Usage`] when it would be.
    pub async fn check(&mut self, bytes_to_write: u64) -> Result<()> {
        for member in &mut self.0 {
            let Some(status) = member.status().await else { continue };
            if let Some(problem) = member.problem(&status) {
                return Err(Error::environment(format!("{problem}, so nothing was written; {NEXT_STEP}")));
            }
            let (held, quota_bytes) = (db_size(&status), member.quota_bytes);
            if held + bytes_to_write > usable(quota_bytes) {
                return Err(Error::usage(format!(
                    "--operations, --duration and --value-size: puts and transactions would write {}, but the database of {} holds \
                     {} already, and past its quota of {} the cluster refuses every write; measure less, or make room: {NEXT_STEP}",
                    in_words(bytes_to_write),
                    member.name,
                    in_words(held),
                    in_words(quota_bytes)
                )));
            }
        }
        Ok(())
    }

    /// Looks again and again, and returns why nothing more may be written once that is so.
    pub async fn run_out(self) -> Error {
        // Each by itself: one that is silent must not keep us from looking at the others.
        let mut looks: JoinSet<_> = self.0.into_iter().map(Watched::run_out).collect();
        while let Some(look) = looks.join_next().await {
            if let Ok(problem) = look {
                return Error::run(format!("{problem}, so the benchmark was ended; {NEXT_STEP}"));
            }
        }
        std::future::pending().await
    }
}

impl Watched {
    async fn status(&mut self) -> Option<StatusResponse> {
        tokio::time::timeout(ANSWER_TIMEOUT, self.client.status()).await.ok()?.ok()
    }

    async fn run_out(mut self) -> String {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            // That it does not answer shows in the operations.
            let Some(status) = self.status().await else { continue };
            if let Some(problem) = self.problem(&status) {
                return problem;
            }
        }
    }

    /// Why nothing more may be written.
    fn problem(&self, status: &StatusResponse) -> Option<String> {
        if status.errors().iter().any(|error| error.contains(ALARM)) {
            return Some(format!("the cluster refuses every write (alarm NOSPACE, as {} says)", self.name));
        }
        let held = db_size(status);
        (held > usable(self.quota_bytes)).then(|| {
            format!(
                "the database of {} holds {} of its quota of {}, past which the cluster refuses every write",
                self.name,
                in_words(held),
                in_words(self.quota_bytes)
            )
        })
    }
}

fn db_size(status: &StatusResponse) -> u64 {
    u64::try_from(status.db_size()).unwrap_or(0)
}

/// The quota that a member says it has.
async fn quota_bytes(address: SocketAddr) -> Option<u64> {
    let page = http::get(&Sockets::Own, address, "/metrics");
    let page = tokio::time::timeout(ANSWER_TIMEOUT, page).await.ok()?.ok()?;
    quota_on(&String::from_utf8_lossy(&page))
}

/// The quota on a page of metrics; etcd says 0 or less where none is set, and then has the usual one or none.
fn quota_on(page: &str) -> Option<u64> {
    let value: f64 = page.lines().find_map(|line| line.strip_prefix(QUOTA_METRIC))?.trim().parse().ok()?;
    (value >= 1.0).then_some(value as u64)
}

fn in_words(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e9 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.1} GB", bytes / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_is_read_from_the_metrics() {
        let page =
            |value: &str| format!("# TYPE etcd_server_quota_backend_bytes gauge\n{QUOTA_METRIC}{value}\nother 1\n");
        assert_eq!(quota_on(&page("2.147483648e+09")), Some(DEFAULT_QUOTA_BYTES));
        assert_eq!(quota_on(&page("3.3554432e+07")), Some(32 << 20));
        for unknown in [page("0"), page("-1"), page("NaN"), page("much"), "other 1\n".to_owned()] {
            assert_eq!(quota_on(&unknown), None, "{unknown}");
        }
    }

    #[test]
    fn an_eighth_stays_free() {
        assert_eq!(usable(DEFAULT_QUOTA_BYTES), (2 << 30) - (256 << 20));
        assert_eq!((in_words(33_554_432), in_words(2_147_483_648)), ("33.6 MB".to_owned(), "2.1 GB".to_owned()));
    }
}
