//! What happened between two looks at a cluster.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use run_folder::spec::Backend;
use serde::Serialize;

use crate::cluster::member_status::{ClusterStatus, MemberStatusRow};

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
    /// The leader seen last and its term, and since when none is seen.
    old_leader: Option<(String, u64)>,
    leaderless_since: Option<Instant>,
}

/// What happened, and to whom.
type Event = (Option<String>, String);

impl Observer {
    /// What has changed since the last look; nothing at the first one.
    pub(super) fn look(&mut self, status: &ClusterStatus, now: Instant) -> Vec<Change> {
        let mut found: Vec<Event> = Vec::new();
        if let Some(last) = &self.last {
            for row in &status.members {
                let before = last.members.iter().find(|before| is_same(status, before, row));
                let has_leader = status.leader.is_some() && last.leader.is_some();
                found.extend(
                    changes_of(before, row, has_leader).into_iter().map(|text| (Some(row.member.clone()), text)),
                );
            }
            let is_gone = |before: &&MemberStatusRow| !status.members.iter().any(|row| is_same(status, before, row));
            let gone = last.members.iter().filter(is_gone);
            found.extend(gone.map(|row| (Some(row.member.clone()), "is no member any more".into())));
        }
        found.extend(self.leadership(status, now));
        found.extend(self.progress(status));
        self.last = Some(status.clone());
        let change = |(member, text): Event| {
            let text = member.as_ref().map_or_else(|| text.clone(), |member| format!("{member} {text}"));
            Change { time: status.time.clone(), member, text }
        };
        found.into_iter().map(change).collect()
    }

    /// Members that are not up to date yet.
    pub(super) fn is_behind(&self, member: &str) -> bool {
        self.behind.contains(member)
    }

    fn leadership(&mut self, status: &ClusterStatus, now: Instant) -> Option<Event> {
        let Some(leader) = &status.leader else {
            let is_news = self.leaderless_since.is_none();
            self.leaderless_since.get_or_insert(now);
            // At the first look there may never have been one.
            let (old, _) = self.old_leader.as_ref().filter(|_| is_news)?;
            return Some((None, format!("no member leads any more (the leader was {old})")));
        };
        // Of those that know a leader: who asks for votes is ahead of it.
        let term = status.members.iter().filter(|row| row.leader_id.is_some()).filter_map(|row| row.raft_term).max();
        let term = term.unwrap_or(0);
        let since = self.leaderless_since.take();
        let (old, old_term) = self.old_leader.replace((leader.clone(), term))?;
        let after = since.map_or_else(String::new, |since| {
            format!(", after about {} without a leader", in_tenths(now.duration_since(since)))
        });
        let text = match old == *leader {
            false => format!("leads in term {term} in place of {old}{after}"),
            true if term > old_term || since.is_some() => format!("leads again in term {term}{after}"),
            true => return None,
        };
        Some((Some(leader.clone()), text))
    }

    fn progress(&mut self, status: &ClusterStatus) -> Vec<Event> {
        let mut found = Vec::new();
        for row in &status.members {
            let Some(lag) = row.raft_lag else { continue };
            let was_behind = self.behind.contains(&row.member);
            let was_lost = |before: &MemberStatusRow| before.member == row.member && !before.answers();
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

/// Whether two rows are about the same member. At endpoints its name may become known only later.
fn is_same(status: &ClusterStatus, one: &MemberStatusRow, other: &MemberStatusRow) -> bool {
    match status.backend {
        Backend::Endpoints => one.address == other.address,
        Backend::Sandbox | Backend::Docker => one.member == other.member,
    }
}

fn changes_of(before: Option<&MemberStatusRow>, now: &MemberStatusRow, has_leader: bool) -> Vec<String> {
    let Some(before) = before else { return vec!["is a new member".to_owned()] };
    let (was, is) = (trouble(before), trouble(now));
    let problem = now.problem_in_short().unwrap_or_default();
    let mut changes = Vec::new();
    match (before.answers(), now.answers()) {
        (true, false) => changes.push(format!("is lost: {problem}")),
        (false, true) => changes.push(match now.raft_lag {
            Some(lag) if lag > CAUGHT_UP => format!("is back as {}, {lag} entries behind, catching up", now.role),
            _ => format!("is back as {}", now.role),
        }),
        (false, false) if was != is => changes.push(format!("is still lost: {problem}")),
        // Where nobody knows a leader that is told of the cluster, not of each member.
        (true, true) if was != is && has_leader => changes.push(match is {
            Some(trouble) => trouble.to_owned(),
            None => "follows the leader again".to_owned(),
        }),
        _ => {}
    }
    let differ = |of: &[String], than: &[String]| -> Vec<String> {
        of.iter().filter(|alarm| !than.contains(alarm)).cloned().collect()
    };
    changes.extend(differ(&now.alarms, &before.alarms).iter().map(|alarm| format!("raises alarm {alarm}")));
    changes.extend(differ(&before.alarms, &now.alarms).iter().map(|alarm| format!("has no alarm {alarm} any more")));
    changes
}

/// What is wrong with a member, but for its alarms, which are told apart.
fn trouble(row: &MemberStatusRow) -> Option<&str> {
    row.problem_in_short()?.split("; ").find(|problem| !problem.starts_with("alarm "))
}

/// A time to tenths of a second: finer than people look.
fn in_tenths(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::member_status::Role;
    use crate::cluster::member_status::tests::{rows, status};

    /// What an observer says of one status after the other, a second apart.
    fn said(looks: Vec<Vec<MemberStatusRow>>) -> Vec<Vec<String>> {
        let (mut observer, start) = (Observer::default(), Instant::now());
        let look = |(at, rows): (usize, Vec<MemberStatusRow>)| {
            let changes = observer.look(&status(rows), start + Duration::from_secs(at as u64));
            changes.into_iter().map(|change| change.text).collect()
        };
        looks.into_iter().enumerate().map(look).collect()
    }

    fn healthy() -> Vec<MemberStatusRow> {
        let mut rows = rows();
        rows[2] = MemberStatusRow { member: "etcd2".into(), member_id: Some("a2".into()), ..rows[1].clone() };
        rows
    }

    fn lost(mut rows: Vec<MemberStatusRow>, at: usize) -> Vec<MemberStatusRow> {
        rows[at] = MemberStatusRow {
            member_id: rows[at].member_id.clone(),
            ..MemberStatusRow::unreachable(&rows[at].member, &rows[at].address, "connection refused".into())
        };
        rows
    }

    fn led_by(mut rows: Vec<MemberStatusRow>, at: usize, term: u64) -> Vec<MemberStatusRow> {
        let leader_id = rows[at].member_id.clone();
        for (index, row) in rows.iter_mut().enumerate().filter(|(_, row)| row.answers()) {
            (row.role, row.raft_term) = (if index == at { Role::Leader } else { Role::Follower }, Some(term));
            row.leader_id.clone_from(&leader_id);
        }
        rows
    }

    /// Members that ask for votes.
    fn leaderless(mut rows: Vec<MemberStatusRow>) -> Vec<MemberStatusRow> {
        for row in rows.iter_mut().filter(|row| row.answers()) {
            (row.leader_id, row.problem) = (None, Some("knows no leader".into()));
        }
        rows
    }

    #[test]
    fn an_election_is_told_with_the_time_without_a_leader() {
        let after = led_by(lost(healthy(), 0), 2, 3);
        let back = led_by(healthy(), 2, 3);
        let without = leaderless(lost(healthy(), 0));
        let again = led_by(healthy(), 2, 5);
        let looks = said(vec![healthy(), healthy(), lost(healthy(), 0), without.clone(), without, after, back, again]);
        let expected: [&[&str]; 8] = [
            &[],
            &[],
            // The others do not know yet.
            &["etcd0 is lost: connection refused"],
            &["no member leads any more (the leader was etcd0)"],
            &[],
            &["etcd2 leads in term 3 in place of etcd0, after about 2.0 s without a leader"],
            &["etcd0 is back as follower"],
            &["etcd2 leads again in term 5"],
        ];
        assert_eq!(looks, expected);
    }

    #[test]
    fn a_member_that_is_cut_off_is_told_although_it_answers() {
        let mut cut_off = healthy();
        (cut_off[1].leader_id, cut_off[1].problem) = (None, Some("knows no leader".into()));
        let looks = said(vec![healthy(), cut_off.clone(), cut_off, healthy()]);
        let expected: [&[&str]; 4] = [&[], &["etcd1 knows no leader"], &[], &["etcd1 follows the leader again"]];
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
