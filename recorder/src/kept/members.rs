//! What is said of a cluster's members, whatever backend they run in: a row for each, and the rows as text.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cli::kept::StatusFormat;
use crate::cluster::{self, sockets::Sockets};
use crate::error::exit_code;
use crate::terminal;

/// How long a member may take to say how it is.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// A cluster that is up, and its members.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Where it runs: sandbox or docker.
    pub backend: String,
    /// What there is to know of it as a whole, in a sentence.
    pub about: String,
    /// Whether every member is.
    pub healthy: bool,
    /// The members, by index.
    pub members: Vec<MemberStatusRow>,
}

/// A member. What a member that does not answer would have said is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatusRow {
    /// Its name.
    pub member: String,
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
    /// Raft index that is applied.
    pub raft_applied_index: Option<u64>,
    /// Size of the database file.
    pub db_size_bytes: Option<i64>,
    /// Version of etcd.
    pub version: Option<String>,
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
        f.write_str(match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Learner => "learner",
            Self::Unreachable => "unreachable",
        })
    }
}

impl ClusterStatus {
    /// Of these members.
    pub fn new(backend: &str, about: String, members: Vec<MemberStatusRow>) -> Self {
        let healthy = members.iter().all(|member| member.problem.is_none());
        Self { backend: backend.into(), about, healthy, members }
    }
}

/// Asks a member how it is.
///
/// # Errors
/// What the member or the connection to it says.
pub async fn ask(sockets: &Sockets, address: SocketAddr) -> Result<etcd_client::StatusResponse, String> {
    let mut client = cluster::client(sockets, address).await.map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(STATUS_TIMEOUT, client.status()).await;
    answer.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())
}

/// The row of a member that answered, or did not.
pub fn row(name: &str, address: SocketAddr, answer: Result<etcd_client::StatusResponse, String>) -> MemberStatusRow {
    let unknown = MemberStatusRow { member: name.to_owned(), address: address.to_string(), ..Default::default() };
    let answer = match answer {
        Ok(answer) => answer,
        Err(problem) => return MemberStatusRow { problem: Some(problem), ..unknown },
    };
    let role = match answer.leader() {
        _ if answer.is_learner() => Role::Learner,
        leader if leader != 0 && answer.header().is_some_and(|header| header.member_id() == leader) => Role::Leader,
        _ => Role::Follower,
    };
    // Alarms, and that there is no leader.
    let problem = match answer.errors() {
        [] if answer.leader() == 0 => Some("knows no leader".to_owned()),
        [] => None,
        errors => Some(errors.join("; ")),
    };
    MemberStatusRow {
        role,
        raft_term: Some(answer.raft_term()),
        raft_index: Some(answer.raft_index()),
        raft_applied_index: Some(answer.raft_applied_index()),
        db_size_bytes: Some(answer.db_size()),
        version: Some(answer.version().to_owned()),
        problem,
        ..unknown
    }
}

/// Prints a status, the data on standard output, and returns the exit code.
pub fn print(status: &ClusterStatus, format: StatusFormat) -> u8 {
    match format {
        StatusFormat::Table => {
            terminal::line(&status.about);
            terminal::data(table(&status.members));
        }
        StatusFormat::Json => {
            terminal::data(serde_json::to_string_pretty(status).expect("a status has only string keys"));
        }
    }
    for row in &status.members {
        if let Some(problem) = &row.problem {
            terminal::line(format_args!("{}: {problem}", row.member));
        }
    }
    if status.healthy { 0 } else { exit_code::RUN_FAILED }
}

const COLUMNS: [&str; 9] = ["member", "address", "listener", "role", "term", "index", "applied", "db", "etcd"];

/// The rows as aligned columns; `-` where there is nothing to say.
fn table(rows: &[MemberStatusRow]) -> String {
    fn cell(value: Option<impl ToString>) -> String {
        value.map_or_else(|| "-".into(), |value| value.to_string())
    }
    let cells_of = |row: &MemberStatusRow| -> [String; COLUMNS.len()] {
        [
            row.member.clone(),
            row.address.clone(),
            cell(row.listener.as_ref()),
            row.role.to_string(),
            cell(row.raft_term),
            cell(row.raft_index),
            cell(row.raft_applied_index),
            cell(row.db_size_bytes.map(|bytes| format!("{} kB", bytes / 1000))),
            cell(row.version.as_ref()),
        ]
    };
    let lines: Vec<_> = std::iter::once(COLUMNS.map(String::from)).chain(rows.iter().map(cells_of)).collect();
    let widths: [usize; COLUMNS.len()] =
        std::array::from_fn(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0));
    let aligned = |line: &[String; COLUMNS.len()]| {
        let cells: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    lines.iter().map(aligned).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_member_and_a_dash_for_what_is_not_known() {
        let leader = MemberStatusRow {
            member: "etcd0".into(),
            address: "10.77.0.2:2379".into(),
            listener: Some("127.0.0.1:2379".into()),
            role: Role::Leader,
            raft_term: Some(2),
            raft_index: Some(9),
            raft_applied_index: Some(9),
            db_size_bytes: Some(20_480),
            version: Some("3.4.23".into()),
            problem: None,
        };
        let silent = MemberStatusRow {
            member: "etcd1".into(),
            address: "10.77.1.2:2379".into(),
            problem: Some("no answer in time".into()),
            ..Default::default()
        };
        let expected = "\
member  address         listener        role         term  index  applied  db     etcd
etcd0   10.77.0.2:2379  127.0.0.1:2379  leader       2     9      9        20 kB  3.4.23
etcd1   10.77.1.2:2379  -               unreachable  -     -      -        -      -";
        assert_eq!(table(&[leader.clone(), silent.clone()]), expected);
        let healthy = |members: &[&MemberStatusRow]| {
            ClusterStatus::new("sandbox", String::new(), members.iter().copied().cloned().collect()).healthy
        };
        assert!(healthy(&[&leader]) && !healthy(&[&leader, &silent]));
    }
}
