//! The only way in which checks talk to a member: every call has a deadline, and what fails names the member.

use std::net::SocketAddr;
use std::time::Duration;

use etcd_client::{
    Client, DeleteOptions, GetOptions, GetResponse, HashKvResponse, LeaseGrantOptions, LeaseKeepAliveStream,
    LeaseKeeper, LeaseTimeToLiveOptions, LeaseTimeToLiveResponse, PutOptions, StatusResponse, Txn, TxnResponse,
    WatchOptions, WatchStream,
};

use super::finding::{Trouble, in_words};
use crate::cluster::member_status::reason;
use crate::cluster::{self, sockets::Sockets};
use crate::error::Result;

/// How long a member may take to answer: about what etcd itself gives a proposal, and no check waits much longer.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to say how it is, which needs no other member.
pub(super) const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// A member, and a connection to it alone.
#[derive(Clone)]
pub(super) struct Member {
    /// Its name.
    pub(super) name: String,
    client: Client,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Member({})", self.name)
    }
}

/// How a read is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// With everything that was acknowledged before it was asked.
    Linearizable,
    /// With what the member holds.
    Serializable,
}

impl Read {
    fn options(self) -> GetOptions {
        match self {
            Self::Linearizable => GetOptions::new(),
            Self::Serializable => GetOptions::new().with_serializable(),
        }
    }
}

/// What came of a call.
pub(super) type Answered<T> = std::result::Result<T, Trouble>;

impl Member {
    /// Of this address; it is connected to at the first call, and again after a break.
    ///
    /// # Errors
    /// When the address is none.
    pub(super) async fn at(name: &str, address: SocketAddr) -> Result<Self> {
        Ok(Self { name: name.to_owned(), client: cluster::client(&Sockets::Own, address).await? })
    }

    /// Waits for a call, which `what` names, as long as a call may take.
    async fn call<T>(
        &self,
        what: &str,
        call: impl Future<Output = std::result::Result<T, etcd_client::Error>>,
    ) -> Answered<T> {
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.unanswered(what, &reason(&error))),
            Err(_) => Err(self.silent(what)),
        }
    }

    fn silent(&self, what: &str) -> Trouble {
        self.unanswered(what, "no answer")
    }

    fn unanswered(&self, what: &str, problem: &str) -> Trouble {
        let expected = format!("an answer to {what} within {}", in_words(CALL_TIMEOUT));
        Trouble::failed(expected, format!("{}: {problem}", self.name), [self.name.as_str()])
    }

    /// Asks how it is.
    ///
    /// # Errors
    /// Why it does not say, in words.
    pub(super) async fn status(&self) -> std::result::Result<StatusResponse, String> {
        let mut client = self.client.clone();
        match tokio::time::timeout(STATUS_TIMEOUT, client.status()).await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(error)) => Err(reason(&error)),
            Err(_) => Err(format!("no answer within {}", in_words(STATUS_TIMEOUT))),
        }
    }

    /// How many members it says the cluster has.
    ///
    /// # Errors
    /// As all of the following, when it does not answer, or with an error.
    pub(super) async fn member_list(&self) -> Answered<Vec<String>> {
        let list = self.call("a request for the list of members", self.client.cluster_client().member_list()).await?;
        // One that has never been started has no name yet.
        let name = |member: &etcd_client::Member| match member.name() {
            "" => member.peer_urls().join(","),
            name => name.to_owned(),
        };
        let mut names: Vec<_> = list.members().iter().map(name).collect();
        names.sort();
        Ok(names)
    }

    /// Writes, and returns the revision.
    pub(super) async fn put(&self, key: &str, value: &str, lease: i64) -> Answered<i64> {
        let options = PutOptions::new().with_lease(lease);
        let answer = self.call("a put", self.client.kv_client().put(key, value, Some(options))).await?;
        Ok(answer.header().map_or(0, etcd_client::ResponseHeader::revision))
    }

    /// Reads one key.
    pub(super) async fn get(&self, key: &str, read: Read) -> Answered<GetResponse> {
        let what = match read {
            Read::Linearizable => "a linearizable read",
            Read::Serializable => "a serializable read",
        };
        self.call(what, self.client.kv_client().get(key, Some(read.options()))).await
    }

    /// The revision that it is at, whatever the others are at.
    pub(super) async fn revision(&self) -> Answered<i64> {
        // It comes with every answer, also where there is no such key.
        let answer = self.get("laggard/", Read::Serializable).await?;
        Ok(answer.header().map_or(0, etcd_client::ResponseHeader::revision))
    }

    /// Reads all keys that begin with this.
    pub(super) async fn get_all(&self, prefix: &str, read: Read) -> Answered<GetResponse> {
        let options = read.options().with_prefix();
        self.call("a read of a range", self.client.kv_client().get(prefix, Some(options))).await
    }

    /// Reads all keys that begin with this, as they were at a revision.
    pub(super) async fn get_all_at(&self, prefix: &str, revision: i64) -> Answered<GetResponse> {
        let options = GetOptions::new().with_prefix().with_revision(revision);
        self.call("a read at a revision", self.client.kv_client().get(prefix, Some(options))).await
    }

    /// Deletes a key, and returns the revision.
    pub(super) async fn delete(&self, key: &str) -> Answered<i64> {
        let answer = self.call("a delete", self.client.kv_client().delete(key, None)).await?;
        Ok(answer.header().map_or(0, etcd_client::ResponseHeader::revision))
    }

    /// Deletes all keys that begin with this.
    pub(super) async fn delete_all(&self, prefix: &str) -> Answered<()> {
        let options = DeleteOptions::new().with_prefix();
        self.call("a delete of a range", self.client.kv_client().delete(prefix, Some(options))).await.map(drop)
    }

    /// Carries a transaction out.
    pub(super) async fn txn(&self, txn: Txn) -> Answered<TxnResponse> {
        self.call("a transaction", self.client.kv_client().txn(txn)).await
    }

    /// The hash of all that it holds up to a revision.
    pub(super) async fn hash_kv(&self, revision: i64) -> Answered<HashKvResponse> {
        self.call("a request for the hash", self.client.maintenance_client().hash_kv(revision)).await
    }

    /// Grants a lease of this id, and returns its time to live in seconds, which may be longer than was asked for.
    pub(super) async fn grant(&self, id: i64, ttl_s: i64) -> Answered<i64> {
        let options = LeaseGrantOptions::new().with_id(id);
        let mut client = self.client.lease_client();
        Ok(self.call("the grant of a lease", client.grant(ttl_s, Some(options))).await?.ttl())
    }

    /// Revokes a lease.
    pub(super) async fn revoke(&self, id: i64) -> Answered<()> {
        self.call("the revocation of a lease", self.client.lease_client().revoke(id)).await.map(drop)
    }

    /// What it knows of a lease, with the names of its keys.
    pub(super) async fn time_to_live(&self, id: i64) -> Answered<LeaseTimeToLiveResponse> {
        let options = LeaseTimeToLiveOptions::new().with_keys();
        let mut client = self.client.lease_client();
        self.call("a question about a lease", client.time_to_live(id, Some(options))).await
    }

    /// Keeps a lease alive once, and returns what the next times go by.
    pub(super) async fn keep_alive(&self, id: i64) -> Answered<KeptAlive> {
        let mut client = self.client.lease_client();
        let (keeper, stream) = self.call("the keep-alive of a lease", client.keep_alive(id)).await?;
        Ok(KeptAlive { member: self.clone(), keeper, stream })
    }

    /// Watches all keys that begin with this, from a revision on, or from now on.
    pub(super) async fn watch(&self, prefix: &str, from_revision: Option<i64>) -> Answered<Watcher> {
        let options = WatchOptions::new().with_prefix().with_start_revision(from_revision.unwrap_or(0));
        let mut client = self.client.watch_client();
        let stream = self.call("a watch", client.watch(prefix, Some(options))).await?;
        let mut watcher = Watcher { member: self.clone(), stream };
        // From then on it misses nothing.
        while !watcher.next().await?.ok_or_else(|| self.silent("a watch"))?.created() {}
        Ok(watcher)
    }
}

/// A lease that is kept alive through one member.
#[derive(Debug)]
pub(super) struct KeptAlive {
    member: Member,
    keeper: LeaseKeeper,
    stream: LeaseKeepAliveStream,
}

impl KeptAlive {
    /// Keeps it alive once more, and returns the time to live that it has again; 0 when it is gone.
    pub(super) async fn again(&mut self) -> Answered<i64> {
        let (keeper, stream) = (&mut self.keeper, &mut self.stream);
        let exchange = async {
            keeper.keep_alive().await?;
            stream.message().await
        };
        let answer = self.member.call("the keep-alive of a lease", exchange).await?;
        Ok(answer.map_or(0, |answer| answer.ttl()))
    }
}

/// A watch at one member.
#[derive(Debug)]
pub(super) struct Watcher {
    /// The member.
    pub(super) member: Member,
    stream: WatchStream,
}

impl Watcher {
    /// What it says next; `None` when it is silent for as long as a call may take.
    pub(super) async fn next(&mut self) -> Answered<Option<etcd_client::WatchResponse>> {
        let ended = |why: &str| {
            let name = self.member.name.as_str();
            Trouble::failed("a watch that stays open", format!("{name}: {why}"), [name])
        };
        match tokio::time::timeout(CALL_TIMEOUT, self.stream.message()).await {
            Err(_) => Ok(None),
            Ok(Err(error)) => Err(ended(&reason(&error))),
            Ok(Ok(None)) => Err(ended("it closed the watch")),
            Ok(Ok(Some(message))) if message.canceled() => {
                Err(ended(&match (message.cancel_reason(), message.compact_revision()) {
                    ("", 0) => "it cancelled the watch".to_owned(),
                    ("", revision) => format!("it cancelled the watch: compacted to revision {revision}"),
                    (reason, _) => format!("it cancelled the watch: {reason}"),
                }))
            }
            Ok(Ok(message)) => Ok(message),
        }
    }
}
