//! What a fault did, in one sentence: for a run, for the repeats of a label, and for a sweep.
//!
//! A sentence is made of tables that stand on their own ([`super::delta`], [`super::recovery`], [`super::causes`]) and of
//! where the clients were; nothing is measured here. Each number in it is a column beside it.

use polars::prelude::*;
use run_folder::Manifest;
use run_folder::spec::{Attachment, Effect};

use super::factors::Factors;

mod cells;
mod frames;
mod numbers;
mod sentence;
mod sweep;
mod text;

pub use frames::{by_label, by_run};
pub use sweep::by_sweep;
pub use text::text;

/// What a verdict has to know of a run beside its tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Name of the run folder.
    pub run: String,
    /// The run's place among others.
    pub factors: Factors,
    /// Where the clients were, as in `clients on the slow member`.
    pub clients: String,
    /// Changes of leader from time 0 to the end of the workload.
    pub leader_changes: usize,
    /// Why the generator, not the cluster, was the limit; absent when it was not.
    pub client_saturated: Option<String>,
    /// Whether the run was made of older files.
    pub is_imported: bool,
}

/// The tables that verdicts are made of; each of the same runs.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    /// [`super::delta::by_run`] or [`super::delta::by_label`].
    pub delta: &'a DataFrame,
    /// The recovery of runs, or [`super::recovery::by_label`].
    pub recovery: &'a DataFrame,
    /// [`super::causes::judged`]: of runs, always.
    pub causes: &'a DataFrame,
}

/// Where the clients of a run were, beside the members that the fault hit; empty where nobody knows.
pub fn clients_in_words(manifest: &Manifest) -> String {
    if !manifest.knows("spec.workload.attachment") {
        return String::new();
    }
    let members = manifest.cluster.members.len();
    // A null fault has targets, and slows none of them.
    let is_null = manifest.spec.fault.as_ref().is_some_and(|fault| fault.effect == Effect::Null);
    let targets = if is_null { &[][..] } else { &manifest.fault_targets };
    let is_slow = |member: Option<usize>| member.is_some_and(|member| targets.contains(&member));
    let leader = manifest.leaders.start;
    let beside = |member: Option<usize>, name: &str| match member {
        _ if targets.is_empty() => format!("clients on {name}"),
        member if is_slow(member) && targets.len() >= members => format!("clients on {name}, slow as all are"),
        member if is_slow(member) => format!("clients on the slow member ({name})"),
        _ => format!("clients on {name}, not the slow member"),
    };
    match &manifest.spec.workload.attachment {
        Attachment::RoundRobin if targets.is_empty() => "clients on all members".to_owned(),
        Attachment::RoundRobin if targets.len() >= members => "clients on all members, all slow".to_owned(),
        Attachment::RoundRobin => "clients on all members, the slow one among them".to_owned(),
        Attachment::Leader => beside(leader, "the leader"),
        Attachment::Target if is_null => "clients on the target".to_owned(),
        Attachment::Target if targets.is_empty() => "clients on a follower".to_owned(),
        Attachment::Target if targets.len() >= members => "clients on a slow member, as all are".to_owned(),
        Attachment::Target => "clients on the slow member".to_owned(),
        Attachment::HealthyFollower => match targets.is_empty() {
            true => "clients on a follower".to_owned(),
            false => "clients on a healthy follower".to_owned(),
        },
        Attachment::Member(name) => {
            let member = manifest.cluster.members.iter().position(|member| member.name == *name);
            beside(member, name)
        }
    }
}

#[cfg(test)]
mod tests;
