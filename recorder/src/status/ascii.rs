//! A status as a drawing in plain characters: the leader, and below it who follows and how far behind.

use super::table::size;
use crate::cluster::member_status::{ClusterStatus, MemberStatusRow};

/// Length of the bar that shows how much of the leader's log a member has.
const BAR: u64 = 20;
/// Entries behind the leader that empty the bar.
const BAR_LAG_MAX: u64 = 10_000;

/// A line of the drawing, and the member that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// What it says.
    pub(super) text: String,
    /// Whom it is about.
    pub(super) member: Option<String>,
}

/// The drawing, line by line.
pub(super) fn lines(status: &ClusterStatus) -> Vec<Line> {
    let plain = |text: String| Line { text, member: None };
    let mut lines = vec![plain(heading(status)), plain(String::new())];
    let leader = status.leader_row();
    let of_leader = match (leader, &status.leader) {
        (Some(leader), _) => leader_lines(leader),
        (None, Some(leader)) => vec![format!("{leader}  LEADER"), "was not asked".to_owned()],
        (None, None) => vec!["no member leads".to_owned()],
    };
    let member = leader.map(|leader| leader.member.clone());
    lines.extend(boxed(&of_leader).into_iter().map(|text| Line { text, member: member.clone() }));
    let name_width = status.members.iter().map(|row| row.member.chars().count()).max().unwrap_or(0);
    for row in status.members.iter().filter(|row| member.as_ref() != Some(&row.member)) {
        lines.push(plain("       |".to_owned()));
        let text = format!("       +-- {:name_width$}  {:11}  {}", row.member, row.role, standing(row));
        lines.push(Line { text: text.trim_end().to_owned(), member: Some(row.member.clone()) });
    }
    lines
}

/// The cluster in a line: when, which term, and who leads.
pub(super) fn heading(status: &ClusterStatus) -> String {
    let term = status.raft_term.map_or_else(|| "term unknown".to_owned(), |term| format!("term {term}"));
    let (answering, members) = (status.answering(), status.members.len());
    let leads = match (&status.leader, status.leader_row()) {
        (None, _) => "no member leads".to_owned(),
        (Some(leader), Some(row)) if !row.answers() => format!("{leader} leads and does not answer"),
        (Some(leader), _) => format!("{leader} leads"),
    };
    format!("{}  {term}, {leads}, {answering} of {members} members answer", status.time)
}

fn leader_lines(leader: &MemberStatusRow) -> Vec<String> {
    let known = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let first = format!("{}  LEADER", leader.member);
    let second = format!(
        "index {}  applied {}  db {}",
        known(leader.raft_index),
        known(leader.raft_applied_index),
        leader.db_size_bytes.map_or_else(|| "-".to_owned(), size)
    );
    let first = match leader.problem_in_short() {
        Some(problem) => format!("{first}  ({problem})"),
        None => first,
    };
    if leader.answers() { vec![first, second] } else { vec![first] }
}

fn boxed(content: &[String]) -> Vec<String> {
    let width = content.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let edge = format!("  +{}+", "-".repeat(width + 2));
    let inner = content.iter().map(|line| format!("  | {line:width$} |"));
    std::iter::once(edge.clone()).chain(inner).chain([edge.clone()]).collect()
}

/// How far a member is, as a bar and in numbers, and what is wrong with it.
fn standing(row: &MemberStatusRow) -> String {
    let problem = row.problem_in_short();
    let Some(index) = row.raft_index else {
        return problem.unwrap_or_default().to_owned();
    };
    let (bar, behind) = match row.raft_lag {
        Some(lag) => (bar(lag), format!("{lag} behind")),
        None => (" ".repeat(BAR as usize), "lag unknown".to_owned()),
    };
    let problem = problem.map_or_else(String::new, |problem| format!("  {problem}"));
    format!("[{bar}]  index {index}, {behind}{problem}")
}

/// Full when nothing is missing, a step shorter as soon as anything is, empty from [`BAR_LAG_MAX`] on.
fn bar(lag: u64) -> String {
    let missing = (lag.min(BAR_LAG_MAX) * BAR).div_ceil(BAR_LAG_MAX);
    format!("{}{}", "#".repeat((BAR - missing) as usize), ".".repeat(missing as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::member_status::tests::{rows, status};

    fn drawing(rows: Vec<MemberStatusRow>) -> String {
        lines(&status(rows)).into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_leader_stands_above_its_followers() {
        let expected = "\
1970-01-01T00:00:00.000Z  term 2, etcd0 leads, 2 of 3 members answer

  +------------------------------------+
  | etcd0  LEADER                      |
  | index 1234  applied 1234  db 20 kB |
  +------------------------------------+
       |
       +-- etcd1  follower     [###################.]  index 1200, 34 behind
       |
       +-- etcd2  unreachable  connection refused";
        let drawn = drawing(rows());
        assert_eq!(drawn, expected);
        assert!(drawn.lines().all(|line| line.len() <= 80), "{drawn}");
    }

    #[test]
    fn a_leader_that_is_not_there_is_said() {
        let drawn = drawing(rows().split_off(2));
        assert!(drawn.contains("term unknown, no member leads"), "{drawn}");
        let mut silent = rows();
        silent[0] = MemberStatusRow {
            member_id: silent[0].member_id.clone(),
            ..MemberStatusRow::unreachable("etcd0", "10.77.0.2:2379", "no answer within 2 s".into())
        };
        let drawn = drawing(silent);
        assert!(drawn.contains("etcd0 leads and does not answer, 1 of 3"), "{drawn}");
        assert!(drawn.contains("etcd0  LEADER  (no answer within 2 s)") && drawn.contains("lag unknown"), "{drawn}");
        let drawn = drawing(rows().split_off(1));
        assert!(drawn.contains("member a0  LEADER") && drawn.contains("was not asked"), "{drawn}");
    }

    #[test]
    fn bars_are_full_only_when_nothing_is_missing() {
        let filled = |lag| bar(lag).matches('#').count();
        assert_eq!([0, 1, 500, 501, 9_999, 10_000, 1_000_000].map(filled), [20, 19, 19, 18, 0, 0, 0]);
    }
}
