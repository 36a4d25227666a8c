//! All checks of one run.

use run_folder::FinalKey;
use run_folder::manifest::Store;

use super::counters::{self, Point};
use super::history::{Entry, History};
use super::keys::{self, Beside, Deletes};
use super::{Check, Counted, Finding, Verdict, Violations, order, under_way, unique};

/// What is known of a run beside its operations.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// Names of the members, by index.
    pub members: Vec<String>,
    /// The workload's concurrency.
    pub concurrency: u32,
    /// The run's phases: name, start and end in nanoseconds after time 0.
    pub phases: Vec<(&'static str, i64, i64)>,
    /// What the store said of itself.
    pub store: Option<Store>,
    /// The final state, if there is one.
    pub final_keys: Option<Vec<FinalKey>>,
    /// Counters, as sampled.
    pub points: Vec<Point>,
    /// Why somebody else may have written too.
    pub others: Option<String>,
}

/// Judges everything but the recording itself, whose findings are passed on. One finding a check, in the order of
/// [`Check::ALL`].
pub fn judge(history: &History, subject: &Subject, recording: Vec<Finding>) -> Vec<Finding> {
    let mut findings = recording;
    findings.push(under_way::at_most(history, subject.concurrency));
    let others = subject.others.as_deref();
    if history.entries.iter().any(|entry| entry.is_ok) && !history.entries.iter().any(Entry::has_revision) {
        let why = "the recording has no revisions";
        findings.extend(OF_REVISIONS.map(|check| Finding::not_checkable(check, why)));
    } else {
        findings.extend(of_revisions(history, subject));
    }
    findings.push(members_agree(subject));
    findings.push(counters::growth(history, &subject.points, others));
    findings.push(counters::littles_law(history, &subject.points, &subject.phases, others));
    findings.sort_by_key(|finding| finding.check);
    findings
}

/// Checks that need revisions.
const OF_REVISIONS: [Check; 9] = [
    Check::RealTimeOrder,
    Check::Terms,
    Check::MemberOrder,
    Check::UniqueRevisions,
    Check::Reads,
    Check::CompareAndSwap,
    Check::Origins,
    Check::FinalState,
    Check::RevisionGrowth,
];

fn of_revisions(history: &History, subject: &Subject) -> Vec<Finding> {
    let store = subject.store.as_ref();
    let mut final_keys = subject.final_keys.clone().unwrap_or_default();
    final_keys.sort_unstable_by_key(|last| last.key);
    let last = last_state(subject);
    let beside = Beside {
        revision_before: store.and_then(|store| store.revision_before),
        last: last.as_ref().ok().map(|revision| (*revision, &final_keys[..])),
        others: subject.others.as_deref(),
    };
    let keys::Judged { findings, deletes } = keys::judge(history, beside);
    let mut findings: Vec<_> = findings.into_iter().map(|finding| without_comparisons(finding, history)).collect();
    if let Err(why) = last {
        findings.push(Finding::not_checkable(Check::FinalState, why));
    }
    let certain = deletes.certain.iter().copied().collect();
    findings.push(order::revisions(history, beside.revision_before, &certain));
    findings.push(order::terms(history));
    findings.push(order::members(history));
    findings.push(unique::revisions(history, &deletes));
    findings.push(growth(history, &beside, &deletes));
    findings
}

/// The final revision, or why the final state is not known.
fn last_state(subject: &Subject) -> Result<i64, String> {
    let Some(store) = &subject.store else {
        return Err("the run was recorded without a final state".to_owned());
    };
    match (store.revision_after, &subject.final_keys, &store.problem) {
        (Some(_), Some(keys), _) if keys.len() as u64 != store.keys => {
            Err(format!("final_state.parquet has {} rows where the manifest says {}", keys.len(), store.keys))
        }
        (Some(revision), Some(_), _) => Ok(revision),
        (Some(_), None, _) => Err("final_state.parquet is not there".to_owned()),
        (None, _, Some(problem)) => Err(format!("the final state could not be read: {problem}")),
        (None, _, None) => Err("the recorder did not get to reading the final state".to_owned()),
    }
}

/// Older recorders did not say what a comparison that held had seen: that is not known, not absent.
fn without_comparisons(finding: Finding, history: &History) -> Finding {
    let is_about_none = finding.check == Check::CompareAndSwap && finding.verdict == Verdict::NotApplicable;
    match is_about_none && history.entries.iter().any(|entry| entry.txn_succeeded == Some(true)) {
        true => Finding::not_checkable(
            Check::CompareAndSwap,
            "the recorder did not say what comparisons that held had seen",
        ),
        false => finding,
    }
}

/// The revision grew by each write once. Where it was not read before and after the run, what is judged is the stretch that
/// answers show.
fn growth(history: &History, beside: &Beside<'_>, deletes: &Deletes) -> Finding {
    let (mut on, mut may_have) = (Counted::default(), 0_u64);
    let (mut certain, mut first, mut last) = (deletes.certain.len() as u64, i64::MAX, 0);
    for entry in history.entries.iter().filter(|entry| entry.is_logged()) {
        on.add(entry.kind);
        if entry.has_put() {
            certain += 1;
            first = first.min(entry.revision);
        } else if !entry.is_ok || entry.kind == run_folder::operation::Kind::Delete {
            may_have += 1;
        }
    }
    may_have -= deletes.certain.len() as u64;
    for entry in history.entries.iter().filter(|entry| entry.has_revision()) {
        last = last.max(entry.revision);
    }
    let (from, to) = (beside.revision_before.unwrap_or(first - 1), beside.last.map_or(last, |(revision, _)| revision));
    if on.total() == 0 {
        return Finding::not_applicable(Check::RevisionGrowth, "there are no writes");
    }
    if beside.revision_before.is_none() && first == i64::MAX {
        return Finding::not_checkable(
            Check::RevisionGrowth,
            "no write was acknowledged, and the revision before the run is not known",
        );
    }
    let grew = to - from;
    let mut violations = Violations::default();
    let told = format!("from {from} to {to}: {grew}; {certain} writes certain, {may_have} more possible");
    if grew < certain as i64 {
        violations.add(|| format!("{told}: some are lost"));
    }
    let beyond = grew > (certain + may_have) as i64;
    if beyond && beside.others.is_none() {
        violations.add(|| format!("{told}: some were done twice, or are not recorded"));
    }
    let doubt = beside.others.filter(|_| beyond).map(|others| format!("{told}, but {others}"));
    Finding::new(Check::RevisionGrowth, on, violations).with(told).doubted(doubt)
}

/// Members' hashes of all keys up to the final revision.
fn members_agree(subject: &Subject) -> Finding {
    let check = Check::MembersAgree;
    let Some(store) = &subject.store else {
        return Finding::not_checkable(check, "the run was recorded without members' hashes");
    };
    if store.members.is_empty() {
        return match (&store.problem, &subject.others) {
            (None, Some(_)) if store.revision_after.is_some() => {
                Finding::not_applicable(check, "members of a cluster that is somebody else's are not asked for hashes")
            }
            _ => Finding::not_checkable(check, "members were not asked, as the final state could not be read"),
        };
    }
    let name = |member: usize| subject.members.get(member).map_or("?", String::as_str);
    let told: Vec<_> = store.members.iter().enumerate().collect();
    let known = told.iter().filter_map(|(at, member)| Some((*at, member.hash?, member.compact_revision)));
    let known: Vec<_> = known.collect();
    let mut violations = Violations::default();
    if let Some((first, hash, compacted)) = known.first() {
        // Hashes of different compactions cannot be compared.
        for (other, _, _) in known.iter().filter(|(_, its, at)| its != hash && at == compacted) {
            violations.add(|| format!("{} and {} hold different data", name(*first), name(*other)));
        }
    }
    let comparable = known.iter().filter(|(_, _, at)| Some(at) == known.first().map(|(_, _, first)| first)).count();
    let silent: Vec<_> = told
        .iter()
        .filter(|(_, member)| member.hash.is_none())
        .map(|(at, member)| format!("{}: {}", name(*at), member.problem.as_deref().unwrap_or("no hash")))
        .collect();
    let doubt = match (silent.is_empty(), comparable == known.len()) {
        (false, _) => Some(silent.join("; ")),
        (true, false) => Some("members are compacted to different revisions".to_owned()),
        (true, true) => None,
    };
    let finding = Finding::new(check, Counted::default(), violations);
    match finding.verdict {
        Verdict::NotApplicable => Finding { verdict: Verdict::Held, ..finding },
        _ => finding,
    }
    .with(format!("{} members", known.len()))
    .doubted(doubt)
}
