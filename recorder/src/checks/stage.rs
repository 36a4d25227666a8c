//! What checks act on: the members that answer, and a place for keys that goes when the test is over, however it ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use etcd_client::StatusResponse;

use super::control::Control;
use super::finding::{Trouble, names};
use super::member::{Answered, Member};
use super::subject::{Node, Subject};
use crate::cli::checks::CheckName;
use crate::error::Result;
use crate::terminal;

/// Below this, tests keep their keys.
const PLACE: &str = "laggard/test";
/// How long the keys of a test outlive it when it is killed: each hangs on a lease, which the test gives back. Longer than a
/// test takes.
const KEYS_TTL_S: i64 = 300;
/// How long removing the keys may take, all in all.
const CLEARING_TIMEOUT: Duration = Duration::from_secs(12);

/// The whole cluster, for the whole test.
#[derive(Debug)]
pub(super) struct Stage {
    /// Every member, whether it answers or not, in order.
    pub(super) members: Vec<Member>,
    /// Members that nothing can be asked: their containers do not run. With why.
    pub(super) unreachable: Vec<Absent>,
    /// Number of members that there should be.
    pub(super) nodes: usize,
    /// What kills members and starts them again, where something does.
    pub(super) control: Option<Control>,
    /// Why members do not answer, as far as it was found out.
    problems: Mutex<HashMap<String, String>>,
    /// Where the keys of this test are.
    prefix: String,
    next_lease: AtomicI64,
    leases: Mutex<Vec<i64>>,
}

/// A member that does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Absent {
    /// Its name.
    pub(super) name: String,
    /// Why.
    pub(super) why: String,
}

/// What one check acts on.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    /// The whole cluster.
    pub(super) stage: &'a Stage,
    /// The members that answer.
    pub(super) members: Vec<Member>,
    /// The others.
    pub(super) absent: Vec<Absent>,
    /// Where the keys of this check are.
    pub(super) prefix: String,
    /// What they hang on.
    pub(super) lease: i64,
}

impl Stage {
    /// Of this cluster.
    ///
    /// # Errors
    /// When a member's address is none.
    pub(super) async fn of(subject: &Subject) -> Result<Self> {
        let (mut members, mut unreachable) = (Vec::new(), Vec::new());
        for Node { name, address, problem, .. } in &subject.nodes {
            match address {
                Some(address) => members.push(Member::at(name, *address).await?),
                None => unreachable.push(Absent { name: name.clone(), why: problem.clone().unwrap_or_default() }),
            }
        }
        // Lease ids are chosen here, so that each is known before it is granted, and can be given back in any case.
        let unique = chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default() ^ i64::from(std::process::id()) << 32;
        Ok(Self {
            members,
            unreachable,
            nodes: subject.nodes.len(),
            control: subject.kept.map(Control::of),
            problems: Mutex::default(),
            prefix: format!("{PLACE}/{unique:x}/"),
            next_lease: AtomicI64::new(unique & i64::MAX),
            leases: Mutex::new(Vec::new()),
        })
    }

    /// Asks every member how it is, all at once.
    pub(super) async fn ask_all(&self) -> Vec<(&Member, std::result::Result<StatusResponse, String>)> {
        let asked: Vec<_> =
            self.members.iter().map(|member| (member, tokio::spawn(status_of(member.clone())))).collect();
        let mut answers = Vec::new();
        for (member, asked) in asked {
            let answer = asked.await.unwrap_or_else(|error| Err(format!("it could not be asked: {error}")));
            answers.push((member, answer));
        }
        answers
    }

    /// Highest raft term that a member knows; 0 when none answers.
    pub(super) async fn term(&self) -> u64 {
        let answers = self.ask_all().await;
        answers.iter().filter_map(|(_, answer)| Some(answer.as_ref().ok()?.raft_term())).max().unwrap_or(0)
    }

    /// Remembers why members do not answer, but not what they said before: once is enough.
    pub(super) fn note_problems(&self, problems: &HashMap<String, String>) {
        let short = |problem: &String| problem.split("; its log ends").next().unwrap_or_default().to_owned();
        let problems = problems.iter().map(|(name, problem)| (name.clone(), short(problem)));
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).extend(problems);
    }

    fn known_problem(&self, member: &str) -> Option<String> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).get(member).cloned()
    }

    /// Sees who is there for a check.
    ///
    /// # Errors
    /// [`Trouble::NotMade`] where nothing can be written: no member answers, or none knows a leader.
    pub(super) async fn scene(&self, check: CheckName) -> Answered<Scene<'_>> {
        let (mut members, mut absent) = (Vec::new(), self.unreachable.clone());
        let mut able: Option<&Member> = None;
        for (member, answer) in self.ask_all().await {
            match answer {
                Ok(status) => {
                    able = able.or((status.leader() != 0).then_some(member));
                    members.push(member.clone());
                }
                Err(why) => {
                    let why = self.known_problem(&member.name).unwrap_or(why);
                    absent.push(Absent { name: member.name.clone(), why });
                }
            }
        }
        absent.sort_by(|one, other| one.name.cmp(&other.name));
        if members.is_empty() {
            return Err(Trouble::NotMade("no member answers".into()));
        }
        let Some(able) = able else {
            let there = names(members.iter().map(|member| member.name.as_str()));
            return Err(Trouble::NotMade(format!(
                "none of those that answer ({there}) knows a leader, so nothing can be written"
            )));
        };
        let lease = self.lease(able, KEYS_TTL_S).await?.0;
        // Of its own for each time that a check is made: what an earlier time left is not its.
        Ok(Scene { stage: self, members, absent, prefix: format!("{}{check}/{lease:x}/", self.prefix), lease })
    }

    /// Grants a lease, which is given back at the end; returns its id and its time to live in seconds.
    ///
    /// # Errors
    /// When the member does not grant it.
    pub(super) async fn lease(&self, member: &Member, ttl_s: i64) -> Answered<(i64, i64)> {
        let id = self.next_lease.fetch_add(1, Ordering::Relaxed);
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        Ok((id, member.grant(id, ttl_s).await?))
    }

    /// Removes all keys of the test and gives its leases back, through whichever member answers first.
    pub(super) async fn clear(&self) {
        let leases = std::mem::take(&mut *self.leases.lock().unwrap_or_else(PoisonError::into_inner));
        if leases.is_empty() {
            return;
        }
        let clearing = async {
            for (member, answer) in self.ask_all().await {
                // One that may be asked and knows whom to pass it on to.
                if answer.is_ok_and(|status| status.leader() != 0) && member.delete_all(&self.prefix).await.is_ok() {
                    for lease in &leases {
                        // One that has run out or was given back already is gone just as well.
                        let _ = member.revoke(*lease).await;
                    }
                    return true;
                }
            }
            false
        };
        if !tokio::time::timeout(CLEARING_TIMEOUT, clearing).await.unwrap_or(false) {
            terminal::line(format_args!(
                "the keys below {} could not be removed: no member takes that. They go by themselves when the cluster \
                 works again, within {} minutes; or etcdctl del --prefix {}",
                self.prefix,
                KEYS_TTL_S / 60,
                self.prefix
            ));
        }
    }
}

async fn status_of(member: Member) -> std::result::Result<StatusResponse, String> {
    member.status().await
}

impl Scene<'_> {
    /// A key of this check.
    pub(super) fn key(&self, name: impl std::fmt::Display) -> String {
        format!("{}{name}", self.prefix)
    }
}
