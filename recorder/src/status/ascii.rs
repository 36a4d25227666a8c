//! A status as a drawing in plain characters: the leader, and below it who follows and how far behind.

use super::members::{ClusterStatus, MemberStatusRow, Role};
use super::table::size;

/// Length of the bar that shows how much of the leader's log a member has.
const BAR: u64 = 20;
/// Entries behind the leader that empty the bar.
const BAR_LAG_MAX: u64 = 10_000;

/// The drawing, line by line.
pub(super) fn lines(status: &ClusterStatus) -> Vec<String> {
    let leader = status.members.iter().find(|row| Some(&row.member) == status.leader.as_ref());
    let mut lines = vec![heading(status), String::new()];
    match leader {
        Some(leader) => lines.extend(boxed(&leader_lines(leader))),
        None => lines.extend(boxed(&["no member leads".to_owned()])),
    }
    let name_width = status.members.iter().map(|row| row.member.chars().count()).max().unwrap_or(0);
    for row in status.members.iter().filter(|row| leader.is_none_or(|leader| leader.member != row.member)) {
        lines.push("       |".to_owned());
        lines.push(
            format!("       +-- {:name_width$}  {:11}  {}", row.member, row.role, standing(row)).trim_end().to_owned(),
        );
    }
    lines
}

/// The cluster in a line: when, which term, and whether it can work.
pub(super) fn heading(status: &ClusterStatus) -> String {
    let term = status.raft_term.map_or_else(|| "term unknown".to_owned(), |term| format!("term {term}"));
    let (reachable, members) = (status.reachable(), status.members.len());
    let majority = if 2 * reachable > members { "a majority" } else { "no majority: nothing can be written" };
    format!("{}  {term}, {reachable} of {members} members answer, {majority}", status.time)
}

fn leader_lines(leader: &MemberStatusRow) -> [String; 2] {
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
    [first, second]
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
    let Some(index) = row.raft_index.filter(|_| row.role != Role::Unreachable) else {
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
    use super::super::members::tests::rows;
    use super::*;

    fn drawing(rows: Vec<MemberStatusRow>) -> String {
        let status = ClusterStatus { time: "T".into(), ..ClusterStatus::new("sandbox", String::new(), rows) };
        lines(&status).join("\n")
    }

    #[test]
    fn the_leader_stands_above_its_followers() {
        let expected = "\
T  term 2, 2 of 3 members answer, a majority

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
    fn without_a_leader_that_is_said() {
        let drawn = drawing(rows().split_off(1));
        assert!(drawn.contains("no member leads") && drawn.contains("lag unknown"), "{drawn}");
        let drawn = drawing(rows().split_off(2));
        assert!(drawn.contains("term unknown") && drawn.contains("nothing can be written"), "{drawn}");
    }

    #[test]
    fn bars_are_full_only_when_nothing_is_missing() {
        let filled = |lag| bar(lag).matches('#').count();
        assert_eq!([0, 1, 500, 501, 9_999, 10_000, 1_000_000].map(filled), [20, 19, 19, 18, 0, 0, 0]);
    }
}
