//! What is said of a cluster's members, whatever they run in: a row for each.

use std::net::SocketAddr;
use std::time::Duration;

use etcd_client::StatusResponse;
use serde::{Deserialize, Serialize};

use crate::cluster::{self, sockets::Sockets};

/// How long a member may take to say how it is, connecting included.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// A cluster and its members at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// When it was asked, in UTC.
    pub time: String,
    /// Where it runs: sandbox, docker, or endpoints when only its addresses are known.
    pub backend: String,
    /// What there is to know of it as a whole, in a sentence.
    pub about: String,
    /// Whether every member is.
    pub healthy: bool,
    /// Name of the member that leads; absent when none says so.
    pub leader: Option<String>,
    /// Highest raft term that a member knows.
    pub raft_term: Option<u64>,
    /// The members, by index.
    pub members: Vec<MemberStatusRow>,
}

/// A member. What a member that does not answer would have said is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatusRow {
    /// Its name.
    pub member: String,
    /// etcd's id of it, in hexadecimal as etcdctl prints it.
    pub member_id: Option<String>,
    /// etcd's id of its cluster, likewise.
    pub cluster_id: Option<String>,
    /// Where clients inside the cluster's network reach it.
    pub address: String,
    /// Where people on the host reach it.
    pub listener: Option<String>,
    /// What it is in the cluster.
    pub role: Role,
    /// Raft term.
    pub raft_term: Option<u64>,
    /// Raft index.
    pub raft_index: Option<u64>,
    /// Entries that its raft index is behind the leader's; absent when no leader answers. Members are asked one by one, so that
    /// under load a few entries are the time between two questions.
    pub raft_lag: Option<u64>,
    /// Raft index that is applied.
    pub raft_applied_index: Option<u64>,
    /// Size of the database file.
    pub db_size_bytes: Option<i64>,
    /// Version of etcd.
    pub version: Option<String>,
    /// Alarms that it raises, as in NOSPACE.
    pub alarms: Vec<String>,
    /// Why it is not healthy; absent when it is.
    pub problem: Option<String>,
}

/// What a member is in its cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The others follow it.
    Leader,
    /// It follows the leader, or would if there were one.
    Follower,
    /// It follows without a vote.
    Learner,
    /// It does not answer.
    #[default]
    Unreachable,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Learner => "learner",
            Self::Unreachable => "unreachable",
        })
    }
}

impl MemberStatusRow {
    /// Where a process on the host reaches the member.
    pub fn reachable_at(&self) -> Option<SocketAddr> {
        self.listener.as_ref().unwrap_or(&self.address).parse().ok()
    }

    /// A member that was not asked, or not reached.
    pub fn unreachable(name: &str, address: &str, problem: String) -> Self {
        Self { member: name.to_owned(), address: address.to_owned(), problem: Some(problem), ..Self::default() }
    }

    /// The row of a member that answered, or did not.
    pub fn of(name: &str, address: SocketAddr, answer: Result<StatusResponse, String>) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(problem) => return Self::unreachable(name, &address.to_string(), problem),
        };
        let (cluster_id, member_id) =
            answer.header().map_or((0, 0), |header| (header.cluster_id(), header.member_id()));
        let role = match answer.leader() {
            _ if answer.is_learner() => Role::Learner,
            leader if leader != 0 && member_id == leader => Role::Leader,
            _ => Role::Follower,
        };
        let (alarms, errors) = alarms(answer.errors(), member_id);
        let problem = match (alarms.as_slice(), errors.as_slice()) {
            ([], []) if answer.leader() == 0 => Some("knows no leader".to_owned()),
            ([], []) => None,
            _ => Some(alarms.iter().map(|alarm| format!("alarm {alarm}")).chain(errors).collect::<Vec<_>>().join("; ")),
        };
        Self {
            member: name.to_owned(),
            member_id: Some(format!("{member_id:x}")),
            cluster_id: Some(format!("{cluster_id:x}")),
            address: address.to_string(),
            listener: None,
            role,
            raft_term: Some(answer.raft_term()),
            raft_index: Some(answer.raft_index()),
            raft_lag: None,
            raft_applied_index: Some(answer.raft_applied_index()),
            db_size_bytes: Some(answer.db_size()),
            version: Some(answer.version().to_owned()),
            alarms,
            problem,
        }
    }

    /// What is wrong with it in a line, without what its log says.
    pub fn problem_in_short(&self) -> Option<&str> {
        let first = self.problem.as_deref()?.lines().next().unwrap_or_default();
        Some(first.strip_suffix("; its log ends with:").unwrap_or(first))
    }

    fn leads_in(&self) -> Option<u64> {
        self.raft_term.filter(|_| self.role == Role::Leader)
    }
}

/// The alarms that a member itself raises, and what else it says is wrong. Each member lists the alarms of all.
fn alarms(errors: &[String], member_id: u64) -> (Vec<String>, Vec<String>) {
    let (mut alarms, mut others) = (Vec::new(), Vec::new());
    for error in errors {
        match error.split_once("alarm:") {
            Some((whose, alarm)) => {
                let whose = whose.trim().strip_prefix("memberID:").and_then(|id| id.parse::<u64>().ok());
                if whose.is_none_or(|whose| whose == member_id) {
                    alarms.push(alarm.trim().to_owned());
                }
            }
            None => others.push(error.trim_start_matches("etcdserver: ").to_owned()),
        }
    }
    (alarms, others)
}

impl ClusterStatus {
    /// Of these members, asked just now.
    pub fn new(backend: &str, about: String, mut members: Vec<MemberStatusRow>) -> Self {
        // A leader that was cut off and does not know yet has a lower term.
        let leader = members.iter().filter(|row| row.leads_in().is_some()).max_by_key(|row| row.leads_in()).cloned();
        let leader_index = leader.as_ref().and_then(|leader| leader.raft_index);
        let cluster_id = leader.as_ref().or(members.first()).and_then(|row| row.cluster_id.clone());
        for row in &mut members {
            row.raft_lag = leader_index.zip(row.raft_index).map(|(ahead, own)| ahead.saturating_sub(own));
            if let (Some(own), Some(of_leader)) = (&row.cluster_id, &cluster_id)
                && own != of_leader
            {
                row.problem = Some(format!("belongs to another cluster ({own}, the leader's is {of_leader})"));
            }
        }
        Self {
            time: chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            backend: backend.into(),
            about,
            healthy: members.iter().all(|member| member.problem.is_none()),
            leader: leader.map(|leader| leader.member),
            raft_term: members.iter().filter_map(|row| row.raft_term).max(),
            members,
        }
    }

    /// How many members answer.
    pub fn reachable(&self) -> usize {
        self.members.iter().filter(|row| row.role != Role::Unreachable).count()
    }
}

/// Asks a member how it is.
///
/// # Errors
/// What the member or the connection to it says.
pub async fn ask(sockets: &Sockets, address: SocketAddr) -> Result<StatusResponse, String> {
    let mut client = cluster::client(sockets, address).await.map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(STATUS_TIMEOUT, client.status()).await;
    answer.map_err(|_| format!("no answer within {} s", STATUS_TIMEOUT.as_secs()))?.map_err(|error| reason(&error))
}

/// What went wrong, in the fewest words that say it.
pub fn reason(error: &etcd_client::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.get_ref().is_none()
        {
            return io.kind().to_string();
        }
        cause = match inner.downcast_ref::<etcd_client::Error>() {
            Some(etcd_client::Error::GRpcStatus(status)) => Some(status),
            _ => inner.source(),
        };
    }
    match error {
        etcd_client::Error::GRpcStatus(status) if !status.message().is_empty() => status.message().to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Rows of three members: etcd0 leads, etcd1 is 34 entries behind, etcd2 does not answer.
    pub(in crate::status) fn rows() -> Vec<MemberStatusRow> {
        let leader = MemberStatusRow {
            member: "etcd0".into(),
            member_id: Some("a0".into()),
            cluster_id: Some("c".into()),
            address: "10.77.0.2:2379".into(),
            listener: Some("127.0.0.1:2379".into()),
            role: Role::Leader,
            raft_term: Some(2),
            raft_index: Some(1234),
            raft_lag: None,
            raft_applied_index: Some(1234),
            db_size_bytes: Some(20_480),
            version: Some("3.4.23".into()),
            alarms: Vec::new(),
            problem: None,
        };
        let follower = MemberStatusRow {
            member: "etcd1".into(),
            address: "10.77.1.2:2379".into(),
            listener: Some("127.0.0.1:2380".into()),
            role: Role::Follower,
            raft_index: Some(1200),
            raft_applied_index: Some(1199),
            ..leader.clone()
        };
        vec![leader, follower, MemberStatusRow::unreachable("etcd2", "10.77.2.2:2379", "connection refused".into())]
    }

    #[test]
    fn the_lag_is_counted_from_the_leader_of_the_highest_term() {
        let status = ClusterStatus::new("sandbox", String::new(), rows());
        let lags: Vec<_> = status.members.iter().map(|row| row.raft_lag).collect();
        assert_eq!(lags, [Some(0), Some(34), None]);
        assert_eq!((status.leader.as_deref(), status.raft_term, status.healthy), (Some("etcd0"), Some(2), false));
        assert_eq!(status.reachable(), 2);
        // etcd1 was elected; etcd0 has not heard of it.
        let mut rows = rows();
        (rows[1].role, rows[1].raft_term) = (Role::Leader, Some(3));
        let status = ClusterStatus::new("sandbox", String::new(), rows);
        assert_eq!((status.leader.as_deref(), status.raft_term), (Some("etcd1"), Some(3)));
        assert_eq!(status.members[0].raft_lag, Some(0), "no lag is negative");
        let without_leader = ClusterStatus::new("sandbox", String::new(), status.members[2..].to_vec());
        assert_eq!((without_leader.leader, without_leader.raft_term), (None, None));
    }

    #[test]
    fn a_member_of_another_cluster_is_a_problem() {
        let mut rows = rows();
        rows.pop();
        assert!(ClusterStatus::new("endpoints", String::new(), rows.clone()).healthy);
        rows[1].cluster_id = Some("d".into());
        let status = ClusterStatus::new("endpoints", String::new(), rows);
        let problem = status.members[1].problem.as_deref().unwrap_or_default();
        assert!(!status.healthy && problem.contains("another cluster (d"), "{problem}");
    }

    #[test]
    fn alarms_belong_to_who_raises_them() {
        let errors = ["memberID:160 alarm:NOSPACE ", "memberID:161 alarm:CORRUPT ", "etcdserver: no leader"];
        let (own, others) = alarms(&errors.map(String::from), 160);
        assert_eq!((own, others), (vec!["NOSPACE".to_owned()], vec!["no leader".to_owned()]));
    }

    #[test]
    fn people_reach_a_member_at_its_listener_if_it_has_one() {
        let rows = rows();
        assert_eq!(rows[0].reachable_at(), Some("127.0.0.1:2379".parse().unwrap()));
        assert_eq!(rows[2].reachable_at(), Some("10.77.2.2:2379".parse().unwrap()));
    }
}
