//! What happened between two looks at a cluster.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::members::{ClusterStatus, MemberStatusRow, Role};

/// A member that is further behind than this is catching up, ...
const BEHIND: u64 = 1000;
/// ... and has caught up at this: what a busy cluster writes between two questions.
const CAUGHT_UP: u64 = 100;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// When it was seen, in UTC.
    pub(super) time: String,
    /// The member that it is about, if it is about one.
    pub(super) member: Option<String>,
    /// What happened.
    pub(super) text: String,
}

/// Somebody who looks again and again.
#[derive(Debug, Default)]
pub(super) struct Observer {
    last: Option<ClusterStatus>,
    /// Members that came back or fell behind, and are not up to date yet.
    behind: BTreeSet<String>,
    /// The leader seen last, and since when none is seen.
    old_leader: Option<String>,
    leaderless_since: Option<Instant>,
}

impl Observer {
    /// What has changed since the last look; nothing at the first one.
    pub(super) fn look(&mut self, status: &ClusterStatus, now: Instant) -> Vec<Change> {
        let mut found: Vec<(Option<String>, String)> = Vec::new();
        if let Some(last) = &self.last {
            for row in &status.members {
                let before = last.members.iter().find(|before| before.member == row.member);
                found.extend(changes_of(before, row).into_iter().map(|text| (Some(row.member.clone()), text)));
            }
            let is_gone = |before: &&MemberStatusRow| !status.members.iter().any(|row| row.member == before.member);
            found.extend(
                last.members
                    .iter()
                    .filter(is_gone)
                    .map(|row| (Some(row.member.clone()), "is no member any more".into())),
            );
        }
        found.extend(self.leadership(status, now));
        found.extend(self.progress(status));
        self.last = Some(status.clone());
        let change = |(member, text): (Option<String>, String)| {
            let text = member.as_ref().map_or_else(|| text.clone(), |member| format!("{member} {text}"));
            Change { time: status.time.clone(), member, text }
        };
        found.into_iter().map(change).collect()
    }

    /// Members that are not up to date yet.
    pub(super) fn is_behind(&self, member: &str) -> bool {
        self.behind.contains(member)
    }

    fn leadership(&mut self, status: &ClusterStatus, now: Instant) -> Option<(Option<String>, String)> {
        let term = status.raft_term.map_or_else(String::new, |term| format!(" in term {term}"));
        match (&status.leader, self.old_leader.clone(), self.leaderless_since) {
            (None, old, None) => {
                self.leaderless_since = Some(now);
                // At the first look there may never have been one.
                old.map(|old| (None, format!("no member leads any more (the leader was {old})")))
            }
            (None, _, Some(_)) => None,
            (Some(leader), old, since) => {
                self.leaderless_since = None;
                self.old_leader = Some(leader.clone());
                let after = since.map_or_else(String::new, |since| {
                    format!(", after {} without a leader", in_tenths(now.duration_since(since)))
                });
                match old {
                    None => None,
                    Some(old) if old == *leader && since.is_some() => {
                        Some((Some(leader.clone()), format!("leads again{term}{after}")))
                    }
                    Some(old) if old == *leader => None,
                    Some(old) => Some((Some(leader.clone()), format!("leads{term} in place of {old}{after}"))),
                }
            }
        }
    }

    fn progress(&mut self, status: &ClusterStatus) -> Vec<(Option<String>, String)> {
        let mut found = Vec::new();
        for row in &status.members {
            let Some(lag) = row.raft_lag else { continue };
            let was_behind = self.behind.contains(&row.member);
            let was_lost = |before: &MemberStatusRow| before.member == row.member && before.role == Role::Unreachable;
            let is_back = self.last.as_ref().is_some_and(|last| last.members.iter().any(was_lost));
            if is_back && lag > CAUGHT_UP {
                // Said already.
                self.behind.insert(row.member.clone());
            } else if !was_behind && lag > BEHIND {
                self.behind.insert(row.member.clone());
                found.push((Some(row.member.clone()), format!("is {lag} entries behind, catching up")));
            } else if was_behind && lag <= CAUGHT_UP {
                self.behind.remove(&row.member);
                found.push((Some(row.member.clone()), "has caught up".to_owned()));
            }
        }
        found
    }
}

fn changes_of(before: Option<&MemberStatusRow>, now: &MemberStatusRow) -> Vec<String> {
    let Some(before) = before else { return vec!["is a new member".to_owned()] };
    let was_there = before.role != Role::Unreachable;
    let is_there = now.role != Role::Unreachable;
    let problem = now.problem_in_short().unwrap_or_default();
    let mut changes = Vec::new();
    match (was_there, is_there) {
        (true, false) => changes.push(format!("is lost: {problem}")),
        (false, true) => changes.push(match now.raft_lag {
            Some(lag) if lag > CAUGHT_UP => format!("is back as {}, {lag} entries behind, catching up", now.role),
            _ => format!("is back as {}", now.role),
        }),
        (false, false) if before.problem != now.problem => changes.push(format!("is still lost: {problem}")),
        _ => {}
    }
    let differ = |of: &[String], than: &[String]| -> Vec<String> {
        of.iter().filter(|alarm| !than.contains(alarm)).cloned().collect()
    };
    changes.extend(differ(&now.alarms, &before.alarms).iter().map(|alarm| format!("raises alarm {alarm}")));
    if is_there {
        changes
            .extend(differ(&before.alarms, &now.alarms).iter().map(|alarm| format!("has no alarm {alarm} any more")));
    }
    changes
}

/// A time to tenths of a second: finer than people look.
fn in_tenths(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::super::members::tests::rows;
    use super::*;

    /// What an observer says of one status after the other, a second apart.
    fn said(looks: Vec<Vec<MemberStatusRow>>) -> Vec<Vec<String>> {
        let (mut observer, start) = (Observer::default(), Instant::now());
        let look = |(at, rows): (usize, Vec<MemberStatusRow>)| {
            let status = ClusterStatus::new("sandbox", String::new(), rows);
            let changes = observer.look(&status, start + Duration::from_secs(at as u64));
            changes.into_iter().map(|change| change.text).collect()
        };
        looks.into_iter().enumerate().map(look).collect()
    }

    fn healthy() -> Vec<MemberStatusRow> {
        let mut rows = rows();
        rows[2] = MemberStatusRow { member: "etcd2".into(), ..rows[1].clone() };
        rows
    }

    fn lost(mut rows: Vec<MemberStatusRow>, at: usize) -> Vec<MemberStatusRow> {
        rows[at] = MemberStatusRow::unreachable(&rows[at].member, &rows[at].address, "connection refused".into());
        rows
    }

    fn led_by(mut rows: Vec<MemberStatusRow>, at: usize, term: u64) -> Vec<MemberStatusRow> {
        for (index, row) in rows.iter_mut().enumerate().filter(|(_, row)| row.role != Role::Unreachable) {
            (row.role, row.raft_term) = (if index == at { Role::Leader } else { Role::Follower }, Some(term));
        }
        rows
    }

    #[test]
    fn an_election_is_told_with_the_time_without_a_leader() {
        let after = led_by(lost(healthy(), 0), 2, 3);
        let back = led_by(healthy(), 2, 3);
        let looks = said(vec![healthy(), healthy(), lost(healthy(), 0), lost(healthy(), 0), after, back]);
        let expected: [&[&str]; 6] = [
            &[],
            &[],
            &["etcd0 is lost: connection refused", "no member leads any more (the leader was etcd0)"],
            &[],
            &["etcd2 leads in term 3 in place of etcd0, after 2.0 s without a leader"],
            &["etcd0 is back as follower"],
        ];
        assert_eq!(looks, expected);
    }

    #[test]
    fn a_member_that_comes_back_catches_up() {
        let mut behind = healthy();
        behind[0].raft_index = Some(9_000);
        behind[2].raft_index = Some(9_000);
        let mut up_to_date = behind.clone();
        up_to_date[1].raft_index = Some(8_990);
        let looks = said(vec![lost(healthy(), 1), behind.clone(), behind, up_to_date.clone(), up_to_date]);
        let expected: [&[&str]; 5] =
            [&[], &["etcd1 is back as follower, 7800 entries behind, catching up"], &[], &["etcd1 has caught up"], &[]];
        assert_eq!(looks, expected);
    }

    #[test]
    fn alarms_and_membership_are_told() {
        let mut alarmed = healthy();
        alarmed[1].alarms = vec!["NOSPACE".into()];
        let looks = said(vec![healthy(), alarmed, healthy(), healthy()[..2].to_vec(), healthy()]);
        let expected: [&[&str]; 5] = [
            &[],
            &["etcd1 raises alarm NOSPACE"],
            &["etcd1 has no alarm NOSPACE any more"],
            &["etcd2 is no member any more"],
            &["etcd2 is a new member"],
        ];
        assert_eq!(looks, expected);
    }
}
