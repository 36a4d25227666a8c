//! `recorder kill`, `restart`, `pause` and `resume`: what is done to single members of the cluster that is up.

use std::time::{Duration, Instant};

use run_folder::spec::Backend;

use super::{containers, nothing_up, sandbox};
use crate::cli::kept::{KeptKind, MemberCommand};
use crate::cluster::action::{Condition, MemberAction};
use crate::cluster::member_status::{ClusterStatus, MemberStatusRow};
use crate::error::{Error, Result};
use crate::faults::target;
use crate::terminal;

/// How long a member that was started may take until it answers and knows a leader.
const BACK_TIMEOUT: Duration = Duration::from_secs(30);
const BACK_POLL: Duration = Duration::from_millis(50);
/// How long a member must have ended to be given up: somebody else may be restarting it too.
const ENDED_FOR_GOOD: Duration = Duration::from_millis(500);

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Name of the member.
    pub member: String,
    /// The cluster that it is in.
    pub cluster: KeptKind,
}

/// Carries a command out, and returns the exit code.
///
/// # Errors
/// As [`act`], and when a member that was started does not come back.
pub fn carry_out(action: MemberAction, typed: &MemberCommand) -> Result<u8> {
    let Done { member, cluster } = act(typed.cluster, action, &typed.member)?.ok_or_else(nothing_up)?;
    let started = Instant::now();
    let took = || format!("{:.1} s", started.elapsed().as_secs_f64());
    match action {
        MemberAction::Kill => terminal::line(format_args!(
            "{member} is killed; `recorder status --watch` shows what follows, `recorder restart {member}` starts it again"
        )),
        MemberAction::Pause => {
            terminal::line(format_args!("{member} is paused; `recorder resume {member}` lets it go on"));
        }
        MemberAction::Resume => terminal::line(format_args!("{member} goes on")),
        MemberAction::Restart => {
            let row = wait_until_back(cluster, &member)?;
            let lag = row.raft_lag.map_or_else(String::new, |lag| format!(", {lag} entries behind the leader"));
            terminal::line(format_args!("{member} is back after {}: {}{lag}", took(), row.role));
            if let Some(problem) = &row.problem {
                terminal::line(format_args!("{member}: {problem}"));
            }
        }
    }
    Ok(0)
}

/// Does something to a member: a name, `leader`, or `follower`. `None` when no cluster is up. A member that is started is not
/// ready yet when this returns.
///
/// # Errors
/// [`Error::Usage`] for a member that there is not, and for what makes no sense with it now; what else keeps it from being
/// done.
pub fn act(cluster: KeptKind, action: MemberAction, member: &str) -> Result<Option<Done>> {
    let Some(status) = super::status(cluster)? else { return Ok(None) };
    let member = meant(member, &status)?.member.clone();
    let cluster = match status.backend {
        Backend::Docker => KeptKind::Docker,
        Backend::Sandbox | Backend::Endpoints => KeptKind::Sandbox,
    };
    match cluster {
        KeptKind::Docker => super::block_on(containers::act(action, &member))?,
        KeptKind::Sandbox | KeptKind::Auto => sandbox::act(action, &member)?,
    }
    Ok(Some(Done { member, cluster }))
}

/// The member that was meant.
fn meant<'a>(typed: &str, status: &'a ClusterStatus) -> Result<&'a MemberStatusRow> {
    let members = &status.members;
    if let Some(named) = members.iter().find(|row| row.member == typed) {
        return Ok(named);
    }
    if !matches!(typed, "leader" | "follower") {
        let names: Vec<_> = members.iter().map(|row| row.member.as_str()).collect();
        return Err(Error::usage(format!(
            "there is no member {typed:?}; there are {}, and the words leader and follower",
            names.join(", ")
        )));
    }
    // One that has ended leads no more, although the others may not know yet.
    let leads =
        |row: &MemberStatusRow| Some(&row.member) == status.leader.as_ref() && row.condition != Some(Condition::Ended);
    let leader = members.iter().position(leads);
    let leader =
        leader.ok_or_else(|| Error::run(format!("no member leads now, so there is no {typed}; name a member")))?;
    Ok(&members[if typed == "leader" { leader } else { target::follower(members.len(), leader) }])
}

/// Waits until a member answers and knows a leader.
fn wait_until_back(cluster: KeptKind, member: &str) -> Result<MemberStatusRow> {
    let deadline = Instant::now() + BACK_TIMEOUT;
    let mut ended_since: Option<Instant> = None;
    loop {
        let status = super::status(cluster)?.ok_or_else(nothing_up)?;
        let row = status.members.into_iter().find(|row| row.member == member);
        let row = row.ok_or_else(|| Error::run(format!("{member} is no member any more")))?;
        let problem = || row.problem.clone().unwrap_or_default();
        if row.answers() && row.leader_id.is_some() {
            return Ok(row);
        }
        let has_ended = row.condition == Some(Condition::Ended);
        ended_since = has_ended.then(|| ended_since.unwrap_or_else(Instant::now));
        if ended_since.is_some_and(|since| since.elapsed() > ENDED_FOR_GOOD) {
            return Err(Error::run(format!("{member} was started and does not run: {}", problem())));
        }
        if Instant::now() > deadline {
            return Err(Error::run(format!("{member} is not back after {} s: {}", BACK_TIMEOUT.as_secs(), problem())));
        }
        std::thread::sleep(BACK_POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::member_status::{self, Role};

    #[test]
    fn members_are_meant_by_name_or_by_role() {
        let row = |member: &str| MemberStatusRow {
            member: member.into(),
            member_id: Some(member.into()),
            role: if member == "etcd1" { Role::Leader } else { Role::Follower },
            leader_id: Some("etcd1".into()),
            ..MemberStatusRow::default()
        };
        let rows: Vec<_> = ["etcd0", "etcd1", "etcd2"].map(row).into();
        let status = member_status::tests::status(rows.clone());
        let name = |typed: &str| meant(typed, &status).map(|row| row.member.clone()).map_err(|error| error.to_string());
        assert_eq!(
            [name("etcd2"), name("leader"), name("follower")],
            ["etcd2", "etcd1", "etcd2"].map(|name| Ok(name.into()))
        );
        let unknown = name("etcd7").expect_err("there is none");
        assert!(unknown.contains("etcd0, etcd1, etcd2") && unknown.contains("etcd7"), "{unknown}");
        let mut leaderless = status.clone();
        leaderless.members[1].condition = Some(Condition::Ended);
        assert!(meant("leader", &leaderless).is_err_and(|error| error.to_string().contains("no member leads")));
    }
}
