//! What is said of a cluster's members, whatever they run in: a row for each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use etcd_client::StatusResponse;
use run_folder::spec::Backend;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::action::Condition;
use super::sockets::Sockets;

/// How long a member may take to say how it is, connecting included.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// A cluster and its members at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// When it was asked, in UTC.
    pub time: String,
    /// What it runs in; endpoints when only its addresses are known.
    pub backend: Backend,
    /// What there is to know of it as a whole, in a sentence.
    pub about: String,
    /// Whether every member is.
    pub healthy: bool,
    /// Name of the member that leads, as those say that know the highest term; it need not answer itself. Absent when none is
    /// known.
    pub leader: Option<String>,
    /// Highest raft term that a member knows.
    pub raft_term: Option<u64>,
    /// Alarms of members that are not among `members`, as in `NOSPACE at etcd1`.
    pub other_alarms: Vec<String>,
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
    /// What its program does, where that is known.
    pub condition: Option<Condition>,
    /// Raft term of the last entry that it applied, which is what etcd tells; one that asks for votes is ahead of it.
    pub raft_term: Option<u64>,
    /// etcd's id of the member that it takes for the leader.
    pub leader_id: Option<String>,
    /// Raft index that it knows to be committed.
    pub raft_index: Option<u64>,
    /// Entries that its raft index is behind the leader's; absent when the leader does not answer. Members are asked at once but not at
    /// the same instant, so that under load a few entries are the time between two answers.
    pub raft_lag: Option<u64>,
    /// Raft index that is applied.
    pub raft_applied_index: Option<u64>,
    /// Size of the database file.
    pub db_size_bytes: Option<i64>,
    /// Version of etcd.
    pub version: Option<String>,
    /// Alarms that it raises, as in NOSPACE; the other members know them too.
    pub alarms: Vec<String>,
    /// Why it is not healthy; absent when it is.
    pub problem: Option<String>,
    /// Alarms that it knows of: etcd's id of who raises it, and the alarm.
    #[serde(skip)]
    pub(crate) reported: Vec<(String, String)>,
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
        let leader = Some(answer.leader()).filter(|leader| *leader != 0);
        let role = match leader {
            _ if answer.is_learner() => Role::Learner,
            Some(leader) if leader == member_id => Role::Leader,
            _ => Role::Follower,
        };
        let (reported, mut problems) = alarms_and_others(answer.errors());
        if leader.is_none() {
            problems.insert(0, NO_LEADER.to_owned());
        }
        Self {
            member: printable(name),
            member_id: Some(hexadecimal(member_id)),
            cluster_id: Some(hexadecimal(cluster_id)),
            address: address.to_string(),
            role,
            raft_term: Some(answer.raft_term()),
            leader_id: leader.map(hexadecimal),
            raft_index: Some(answer.raft_index()),
            raft_applied_index: Some(answer.raft_applied_index()),
            db_size_bytes: Some(answer.db_size()),
            version: Some(printable(answer.version())),
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
            reported,
            ..Self::default()
        }
    }

    /// Whether it answers.
    pub fn answers(&self) -> bool {
        self.role != Role::Unreachable
    }

    /// What is wrong with it in a line, without what its log says.
    pub fn problem_in_short(&self) -> Option<&str> {
        let first = self.problem.as_deref()?.lines().next().unwrap_or_default();
        Some(first.strip_suffix("; its log ends with:").unwrap_or(first))
    }

    fn add_problem(&mut self, problem: String) {
        self.problem = Some(match self.problem.take() {
            Some(known) => format!("{problem}; {known}"),
            None => problem,
        });
    }
}

/// What is wrong with a member that has no leader.
const NO_LEADER: &str = "knows no leader";

/// etcd's ids as etcdctl prints them.
pub fn hexadecimal(id: u64) -> String {
    format!("{id:x}")
}

/// Text of others without what would confuse a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// The alarms among what a member says is wrong, which are those of all members, and the rest.
fn alarms_and_others(errors: &[String]) -> (Vec<(String, String)>, Vec<String>) {
    let (mut alarms, mut others) = (Vec::new(), Vec::new());
    for error in errors {
        let id = |whose: &str| whose.trim().strip_prefix("memberID:")?.parse().ok().map(hexadecimal);
        match error.split_once("alarm:") {
            Some((whose, alarm)) => alarms.push((id(whose).unwrap_or_default(), printable(alarm.trim()))),
            // Said in our own words.
            None if error.ends_with("no leader") => {}
            None => others.push(printable(error.trim_start_matches("etcdserver: "))),
        }
    }
    (alarms, others)
}

impl ClusterStatus {
    /// Of these members, whom to ask was begun at `asked`. `names` are those of all members by their ids, as far as they are known.
    pub fn new(
        asked: DateTime<Utc>,
        backend: Backend,
        about: String,
        mut members: Vec<MemberStatusRow>,
        names: &BTreeMap<String, String>,
    ) -> Self {
        // Who was cut off has a lower term, and may follow a leader that is none any more, or take itself for one.
        let newest = members.iter().filter(|row| row.leader_id.is_some()).max_by_key(|row| row.raft_term).cloned();
        let leader_id = newest.as_ref().and_then(|row| row.leader_id.clone());
        let of_leader =
            members.iter().find(|row| row.answers() && row.member_id.is_some() && row.member_id == leader_id).cloned();
        let name_of = |members: &[MemberStatusRow], id: &String| {
            let row = members.iter().find(|row| row.member_id.as_ref() == Some(id));
            row.map(|row| row.member.clone())
                .or_else(|| names.get(id).cloned())
                .unwrap_or_else(|| format!("member {id}"))
        };
        let leader = leader_id.as_ref().map(|id| name_of(&members, id));
        let cluster_id =
            newest.as_ref().or_else(|| members.iter().find(|row| row.answers())).and_then(|row| row.cluster_id.clone());
        let mut alarms: BTreeSet<_> = members.iter_mut().flat_map(|row| std::mem::take(&mut row.reported)).collect();
        for row in &mut members {
            let index = of_leader.as_ref().and_then(|leader| leader.raft_index);
            row.raft_lag = index.zip(row.raft_index).map(|(ahead, own)| ahead.saturating_sub(own));
            if let (Some(own), Some(of_leader)) = (&row.cluster_id, &cluster_id)
                && own != of_leader
            {
                row.problem = Some(format!("belongs to another cluster ({own}, the others to {of_leader})"));
                continue;
            }
            if row.leader_id.is_some() && row.leader_id != leader_id {
                let (own, newest) =
                    (row.raft_term.unwrap_or(0), newest.as_ref().and_then(|row| row.raft_term).unwrap_or(0));
                row.add_problem(format!("follows another leader, of term {own}; the newest is that of term {newest}"));
            }
            let own: Vec<_> = alarms.iter().filter(|(id, _)| row.member_id.as_ref() == Some(id)).cloned().collect();
            for alarm in own {
                row.add_problem(format!("alarm {}", alarm.1));
                alarms.remove(&alarm);
                row.alarms.push(alarm.1);
            }
        }
        let other_alarms: Vec<_> =
            alarms.iter().map(|(id, alarm)| format!("{alarm} at {}", name_of(&members, id))).collect();
        Self {
            time: asked.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            backend,
            about,
            healthy: other_alarms.is_empty() && members.iter().all(|member| member.problem.is_none()),
            leader,
            raft_term: members.iter().filter_map(|row| row.raft_term).max(),
            other_alarms,
            members,
        }
    }

    /// How many members answer.
    pub fn answering(&self) -> usize {
        self.members.iter().filter(|row| row.answers()).count()
    }

    /// The leader's row, where it is among the members.
    pub fn leader_row(&self) -> Option<&MemberStatusRow> {
        self.members.iter().find(|row| Some(&row.member) == self.leader.as_ref())
    }
}

/// Asks a member how it is.
///
/// # Errors
/// What the member or the connection to it says.
pub async fn ask(sockets: &Sockets, address: SocketAddr) -> Result<StatusResponse, String> {
    let mut client = super::client(sockets, address).await.map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(STATUS_TIMEOUT, client.status()).await;
    answer.map_err(|_| format!("no answer within {} s", STATUS_TIMEOUT.as_secs()))?.map_err(|error| reason(&error))
}

/// Asks a member by all the ways that there may be to it at once, and returns the first answer.
///
/// # Errors
/// What the last of the ways says, when none leads to it.
pub async fn ask_by_any(addresses: Vec<SocketAddr>) -> Result<StatusResponse, String> {
    let mut ways: JoinSet<_> =
        addresses.into_iter().map(|address| async move { ask(&Sockets::Own, address).await }).collect();
    let mut answer = Err("there is no way to it".to_owned());
    while let Some(asked) = ways.join_next().await {
        answer = asked.unwrap_or_else(|error| Err(error.to_string()));
        if answer.is_ok() {
            break;
        }
    }
    answer
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
    let text = match error {
        etcd_client::Error::GRpcStatus(status) if !status.message().is_empty() => status.message().to_owned(),
        _ => error.to_string(),
    };
    // What the HTTP client says when the other end goes away while it waits.
    if text.contains("operation was canceled") { "the connection was closed".into() } else { printable(&text) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Rows of three members: etcd0 leads, etcd1 is 34 entries behind, etcd2 does not answer.
    pub(crate) fn rows() -> Vec<MemberStatusRow> {
        let leader = MemberStatusRow {
            member: "etcd0".into(),
            member_id: Some("a0".into()),
            cluster_id: Some("c".into()),
            address: "10.77.0.2:2379".into(),
            listener: Some("127.0.0.1:2379".into()),
            role: Role::Leader,
            raft_term: Some(2),
            leader_id: Some("a0".into()),
            raft_index: Some(1234),
            raft_applied_index: Some(1234),
            db_size_bytes: Some(20_480),
            version: Some("3.4.23".into()),
            ..MemberStatusRow::default()
        };
        let follower = MemberStatusRow {
            member: "etcd1".into(),
            member_id: Some("a1".into()),
            address: "10.77.1.2:2379".into(),
            listener: Some("127.0.0.1:2380".into()),
            role: Role::Follower,
            raft_index: Some(1200),
            raft_applied_index: Some(1199),
            ..leader.clone()
        };
        vec![leader, follower, MemberStatusRow::unreachable("etcd2", "10.77.2.2:2379", "connection refused".into())]
    }

    /// The status that these rows make.
    pub(crate) fn status(rows: Vec<MemberStatusRow>) -> ClusterStatus {
        ClusterStatus::new(DateTime::UNIX_EPOCH, Backend::Sandbox, String::new(), rows, &BTreeMap::new())
    }

    #[test]
    fn the_lag_is_counted_from_the_leader_of_the_highest_term() {
        let first = status(rows());
        let lags: Vec<_> = first.members.iter().map(|row| row.raft_lag).collect();
        assert_eq!(lags, [Some(0), Some(34), None]);
        assert_eq!((first.leader.as_deref(), first.raft_term, first.healthy), (Some("etcd0"), Some(2), false));
        assert_eq!(first.answering(), 2);
        // etcd1 was elected; etcd0 has not heard of it.
        let mut rows = rows();
        (rows[1].role, rows[1].raft_term, rows[1].leader_id) = (Role::Leader, Some(3), Some("a1".into()));
        let split = status(rows);
        assert_eq!((split.leader.as_deref(), split.raft_term), (Some("etcd1"), Some(3)));
        assert_eq!(split.members[0].raft_lag, Some(0), "no lag is negative");
        let problem = split.members[0].problem.as_deref().unwrap_or_default();
        assert!(problem.contains("another leader, of term 2"), "{problem}");
        let nobody = status(first.members[2..].to_vec());
        assert_eq!((nobody.leader, nobody.raft_term), (None, None));
    }

    #[test]
    fn a_leader_that_does_not_answer_leads_all_the_same() {
        let mut silent = rows();
        silent[0] = MemberStatusRow {
            member_id: Some("a0".into()),
            ..MemberStatusRow::unreachable("etcd0", "10.77.0.2:2379", "no answer within 2 s".into())
        };
        let leader_of = |rows: Vec<MemberStatusRow>, names: &[(&str, &str)]| {
            let names = names.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect();
            let status = ClusterStatus::new(DateTime::UNIX_EPOCH, Backend::Endpoints, String::new(), rows, &names);
            assert_eq!(status.members[0].raft_lag, None);
            status.leader
        };
        assert_eq!(leader_of(silent, &[]).as_deref(), Some("etcd0"));
        // One that was not asked.
        let others = rows().split_off(1);
        assert_eq!(leader_of(others.clone(), &[("a0", "first")]).as_deref(), Some("first"));
        assert_eq!(leader_of(others, &[]).as_deref(), Some("member a0"));
    }

    #[test]
    fn a_member_of_another_cluster_is_a_problem() {
        let mut rows = rows();
        rows.pop();
        assert!(status(rows.clone()).healthy);
        rows[1].cluster_id = Some("d".into());
        let status = status(rows);
        let problems: Vec<_> = status.members.iter().filter_map(|row| row.problem.as_deref()).collect();
        assert!(!status.healthy && problems.len() == 1 && problems[0].contains("another cluster"), "{problems:?}");
    }

    #[test]
    fn alarms_belong_to_who_raises_them_even_when_it_does_not_answer() {
        let errors = [
            "memberID:161 alarm:NOSPACE ",
            "memberID:162 alarm:CORRUPT ",
            "etcdserver: no leader",
            "etcdserver: \x1b[31m",
        ];
        let (reported, others) = alarms_and_others(&errors.map(String::from));
        assert_eq!(reported, [("a1".to_owned(), "NOSPACE".to_owned()), ("a2".to_owned(), "CORRUPT".to_owned())]);
        assert_eq!(others, ["?[31m"]);
        let mut rows = rows();
        rows.iter_mut().take(2).for_each(|row| row.reported = reported.clone());
        let unknown = status(rows.clone());
        assert_eq!((unknown.members[1].alarms.join(","), unknown.members[0].alarms.len()), ("NOSPACE".to_owned(), 0));
        assert_eq!(unknown.members[1].problem.as_deref(), Some("alarm NOSPACE"));
        assert_eq!(unknown.other_alarms, ["CORRUPT at member a2"]);
        rows[2].member_id = Some("a2".into());
        let known = status(rows.clone());
        assert_eq!(known.members[2].problem.as_deref(), Some("alarm CORRUPT; connection refused"));
        assert!(known.other_alarms.is_empty());
        rows.remove(1);
        rows.pop();
        assert!(!status(rows).healthy, "the alarm of one that was not asked counts");
    }

    #[test]
    fn people_reach_a_member_at_its_listener_if_it_has_one() {
        let rows = rows();
        assert_eq!(rows[0].reachable_at(), Some("127.0.0.1:2379".parse().unwrap()));
        assert_eq!(rows[2].reachable_at(), Some("10.77.2.2:2379".parse().unwrap()));
    }
}
