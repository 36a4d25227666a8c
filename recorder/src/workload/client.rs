//! Carrying out one operation against one member, and turning it into a row.

use std::time::Duration;

use etcd_client::{Compare, CompareOp, GetOptions, KvClient, ResponseHeader, Txn, TxnOp, TxnOpResponse};
use run_folder::Operation;
use run_folder::operation::{ErrorKind, Kind, Outcome};

use super::draw::Draw;
use super::outcome::classify;
use super::{Course, Workload};
use crate::cluster::member_status::reason;
use crate::cluster::{self, Cluster};
use crate::error::Result;

/// Clients for each member on each of its connections, and the way from etcd's ids to our indices.
#[derive(Debug)]
pub(super) struct Clients {
    /// One entry a connection to each member.
    kv: Vec<WorkerClients>,
    member_ids: Vec<u64>,
}

/// One client a member, for one worker; those of different workers may share the connections.
#[derive(Clone)]
pub(super) struct WorkerClients(Vec<KvClient>);

impl WorkerClients {
    /// The client of a member.
    pub(super) fn of_member(&mut self, member: usize) -> &mut KvClient {
        &mut self.0[member]
    }
}

impl std::fmt::Debug for WorkerClients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WorkerClients({})", self.0.len())
    }
}

/// A due operation on its way to a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// Its number.
    pub(super) op_id: i64,
    /// The worker that carries it out.
    pub(super) worker: i32,
    /// When it was due.
    pub(super) intended_ns: i64,
    /// The member that it asks.
    pub(super) endpoint: usize,
}

/// What an answer says.
#[derive(Debug, Default)]
struct Answer {
    member_id: u64,
    raft_term: i64,
    revision: i64,
    seen_mod_revision: Option<i64>,
    txn_succeeded: Option<bool>,
    value_bytes: i32,
}

impl Answer {
    fn new(header: Option<&ResponseHeader>) -> Self {
        header.map_or_else(Self::default, |header| Self {
            member_id: header.member_id(),
            raft_term: header.raft_term() as i64,
            revision: header.revision(),
            ..Self::default()
        })
    }

    fn seeing(self, kvs: &[etcd_client::KeyValue]) -> Self {
        Self {
            seen_mod_revision: Some(kvs.first().map_or(0, etcd_client::KeyValue::mod_revision)),
            value_bytes: kvs.first().map_or(0, |kv| kv.value().len() as i32),
            ..self
        }
    }
}

impl Clients {
    /// Makes clients at the clients' place in the network, with `connections` connections to each member.
    ///
    /// # Errors
    /// When one cannot be made.
    pub(super) async fn of(cluster: &Cluster, connections: u32) -> Result<Self> {
        let mut kv = Vec::new();
        for _ in 0..connections.max(1) {
            let mut of_members = Vec::new();
            for member in &cluster.members {
                let (sockets, address) = (cluster.client.sockets().clone(), member.client_address);
                let made = cluster.client.run(async move { cluster::client(&sockets, address).await });
                let client = made.await??;
                of_members.push(client.kv_client());
            }
            kv.push(WorkerClients(of_members));
        }
        Ok(Self { kv, member_ids: cluster.members.iter().map(|member| member.id).collect() })
    }

    /// The clients that a worker keeps.
    pub(super) fn of_worker(&self, worker: i32) -> WorkerClients {
        self.on_connection_of(worker).clone()
    }

    /// One client for each member.
    pub(super) fn of_members(&self) -> Vec<KvClient> {
        self.kv[0].0.clone()
    }

    /// The client for one operation that belongs to no worker. Operations take the connections in turn, so that each carries as many as
    /// the others however few are under way at once. Cloning one client instead of all is what a single operation can save.
    pub(super) fn of_operation(&self, op_id: i64, member: usize) -> KvClient {
        // Members are taken in turn by the number itself: each of them goes through all of its connections.
        let turn = op_id.unsigned_abs() as usize / self.member_ids.len().max(1);
        self.kv[turn % self.kv.len()].0[member].clone()
    }

    /// Workers take the connections in turn, so that each carries as many workers as the others, or one more.
    fn on_connection_of(&self, worker: i32) -> &WorkerClients {
        &self.kv[worker.unsigned_abs() as usize % self.kv.len()]
    }

    fn member_of(&self, id: u64) -> Option<u8> {
        self.member_ids.iter().position(|known| *known == id).map(|index| index as u8)
    }
}

impl Course {
    /// Carries out a due operation, waiting no longer than its deadline, and returns its row.
    pub(super) async fn operate(&self, due: Due, client: &mut KvClient) -> Operation {
        let draw = self.workload.draws.draw(due.op_id);
        let start_ns = self.clock.now_ns();
        let left_ns = due.intended_ns + self.deadline_ns() - start_ns;
        if left_ns <= 0 {
            return self.unsent(due, ErrorKind::Deadline);
        }
        let answer = tokio::time::timeout(Duration::from_nanos(left_ns.unsigned_abs()), self.ask(client, draw)).await;
        let end_ns = self.clock.now_ns();
        let row = self.row(due, draw);
        match answer {
            Ok(Ok(answer)) => {
                let mod_revision = match draw.kind {
                    Kind::Put => answer.revision,
                    Kind::Delete => 0,
                    Kind::Txn if answer.txn_succeeded == Some(true) => answer.revision,
                    // A read, or the read branch of a transaction.
                    _ => answer.seen_mod_revision.unwrap_or(answer.revision),
                };
                self.workload.seen.observe(draw.key, answer.revision, mod_revision);
                Operation {
                    start_ns: Some(start_ns),
                    end_ns,
                    outcome: Outcome::Ok,
                    error: None,
                    member: self.workload.clients.member_of(answer.member_id),
                    raft_term: Some(answer.raft_term),
                    revision: Some(answer.revision),
                    seen_mod_revision: answer.seen_mod_revision,
                    txn_succeeded: answer.txn_succeeded,
                    value_bytes: answer.value_bytes,
                    ..row
                }
            }
            Ok(Err(error)) => {
                let (outcome, kind) = classify(&error);
                match kind {
                    ErrorKind::Other => self.workload.sink.note_error(&format!("an unclassified error: {error}")),
                    ErrorKind::Refused => {
                        self.workload.sink.note_error(&format!("an operation was refused: {}", reason(&error)));
                    }
                    _ => {}
                }
                Operation { start_ns: Some(start_ns), end_ns, outcome, error: Some(kind), ..row }
            }
            Err(_) => {
                let (outcome, error) = (Outcome::Unknown, Some(ErrorKind::Deadline));
                Operation { start_ns: Some(start_ns), end_ns, outcome, error, ..row }
            }
        }
    }

    /// The row of an operation that was never sent, given up now.
    pub(super) fn unsent(&self, due: Due, error: ErrorKind) -> Operation {
        let row = self.row(due, self.workload.draws.draw(due.op_id));
        // One that was announced ahead may be given up before it is due.
        let end_ns = self.clock.now_ns().max(due.intended_ns);
        Operation { end_ns, outcome: Outcome::Unsent, error: Some(error), ..row }
    }

    /// The row of an operation that was sent at `start_ns` and is not waited for any longer.
    pub(super) fn cut_short(&self, due: Due, start_ns: i64, error: ErrorKind) -> Operation {
        Operation { start_ns: Some(start_ns), outcome: Outcome::Unknown, ..self.unsent(due, error) }
    }

    /// What is known of an operation before it is sent.
    fn row(&self, due: Due, draw: Draw) -> Operation {
        let writes = matches!(draw.kind, Kind::Put | Kind::Txn);
        Operation {
            op_id: due.op_id,
            worker: due.worker,
            kind: draw.kind,
            intended_ns: due.intended_ns,
            start_ns: None,
            end_ns: due.intended_ns,
            outcome: Outcome::Unsent,
            error: None,
            endpoint: due.endpoint as u8,
            member: None,
            raft_term: None,
            revision: None,
            key: draw.key,
            seen_mod_revision: None,
            txn_succeeded: None,
            value_bytes: if writes { self.spec().value_bytes as i32 } else { 0 },
        }
    }

    async fn ask(&self, kv: &mut KvClient, draw: Draw) -> std::result::Result<Answer, etcd_client::Error> {
        let Workload { draws, seen, .. } = &self.workload;
        let key = draws.key(draw.key);
        let written_bytes = self.spec().value_bytes as i32;
        Ok(match draw.kind {
            Kind::Put => {
                let answer = kv.put(key, draws.value(draw), None).await?;
                Answer { value_bytes: written_bytes, ..Answer::new(answer.header()) }
            }
            Kind::Get => {
                let answer = kv.get(key, None).await?;
                Answer::new(answer.header()).seeing(answer.kvs())
            }
            Kind::GetSerializable => {
                let answer = kv.get(key, Some(GetOptions::new().with_serializable())).await?;
                Answer::new(answer.header()).seeing(answer.kvs())
            }
            Kind::Delete => Answer::new(kv.delete(key, None).await?.header()),
            Kind::Txn => {
                let expected = seen.mod_revision(draw.key);
                let txn = Txn::new()
                    .when([Compare::mod_revision(key.clone(), CompareOp::Equal, expected)])
                    .and_then([TxnOp::put(key.clone(), draws.value(draw), None)])
                    .or_else([TxnOp::get(key, None)]);
                let answer = kv.txn(txn).await?;
                let decided = Answer { txn_succeeded: Some(answer.succeeded()), ..Answer::new(answer.header()) };
                match answer.op_responses().into_iter().next() {
                    Some(TxnOpResponse::Get(get)) => decided.seeing(get.kvs()),
                    // The comparison held: it saw what it asked for.
                    _ => Answer { seen_mod_revision: Some(expected), value_bytes: written_bytes, ..decided },
                }
            }
        })
    }
}
