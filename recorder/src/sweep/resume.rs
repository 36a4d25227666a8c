//! Going on with a sweep: which runs of a plan it has already, and what has changed since.

use run_folder::SweepManifest;
use run_folder::manifest::Role;
use run_folder::spec::{Load, RunSpec, WorkloadSpec};
use run_folder::sweep::SweepRun;
use serde_json::Value;

use crate::cli::SweepCommand;
use crate::error::{Error, Result};
use crate::plan::sweep::{Planned, SweepPlan};

/// Differences that are listed; of more the number is told.
const LISTED_MAX: usize = 20;

/// The earlier sweep with the runs of the plan. Runs that both have keep their numbers, seeds and folders. `etcd_version` is
/// that of the etcd here, where it matters.
///
/// # Errors
/// A usage error that lists what differs, unless `--force`.
pub(super) fn merge(
    earlier: SweepManifest,
    plan: &SweepPlan,
    typed: &SweepCommand,
    etcd_version: Option<&str>,
) -> Result<SweepManifest> {
    let mut old: Vec<Option<&SweepRun>> = earlier.runs.iter().map(Some).collect();
    let mut runs = Vec::new();
    let mut added = Vec::new();
    let mut next_number = earlier.runs.iter().map(|run| run.number).max().unwrap_or(0) + 1;
    for planned in &plan.runs {
        let same = old.iter_mut().find(|run| run.is_some_and(|run| is_same(run, planned)));
        if let Some(run) = same.and_then(Option::take) {
            runs.push(run.clone());
            continue;
        }
        added.push(planned);
        let Planned { repeat, role, spec } = planned.clone();
        runs.push(SweepRun { number: next_number, repeat, role, spec, attempts: Vec::new() });
        next_number += 1;
    }
    let removed: Vec<_> = old.into_iter().flatten().collect();
    let mut lines = Vec::new();
    let mut differ = |what: &str, was: &dyn std::fmt::Display, is: &dyn std::fmt::Display| {
        lines.push(format!("{what} was {was}, is {is}"));
    };
    if plan.seed != earlier.seed {
        differ("seed", &earlier.seed, &plan.seed);
    }
    if typed.reuse_cluster && !earlier.reuse_cluster {
        differ("reuse-cluster", &false, &true);
    }
    if let Some(version) = etcd_version.filter(|version| *version != earlier.etcd_version) {
        differ("etcd's version", &earlier.etcd_version, &version);
    }
    lines.extend(differences(&removed, &added));
    if !lines.is_empty() && !typed.force {
        let count = lines.len();
        lines.truncate(LISTED_MAX);
        if count > LISTED_MAX {
            lines.push(format!("and {} more", count - LISTED_MAX));
        }
        return Err(Error::usage(format!(
            "--resume: the plan has changed since {} began:\n  {}\ngo on all the same by --force, or begin another sweep in \
             another --dir",
            earlier.id,
            lines.join("\n  ")
        )));
    }
    Ok(SweepManifest { runs, ..earlier })
}

fn is_same(old: &SweepRun, new: &Planned) -> bool {
    (old.repeat, old.role) == (new.repeat, new.role) && comparable(&old.spec) == comparable(&new.spec)
}

/// The spec as far as it was planned: the seed was drawn and the capacity measured.
fn comparable(spec: &RunSpec) -> RunSpec {
    let load = spec.workload.load.as_ref();
    let load = load.map(|load| Load { percent: load.percent, capacity_per_s: 0.0, capacity_run: String::new() });
    let rate_per_s = spec.workload.rate_per_s.filter(|_| load.is_none());
    RunSpec { seed: 0, workload: WorkloadSpec { load, rate_per_s, ..spec.workload.clone() }, ..spec.clone() }
}

/// What differs, in a line for each label; a run that is there in both shows which of its fields.
fn differences(removed: &[&SweepRun], added: &[&Planned]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut add = |line: String| {
        if !lines.contains(&line) {
            lines.push(line);
        }
    };
    let mut unmatched: Vec<&&Planned> = added.iter().collect();
    for old in removed {
        let counterpart = unmatched
            .iter()
            .position(|new| new.spec.label == old.spec.label && new.repeat == old.repeat && new.role == old.role);
        let what = |role: Role| if role == Role::Experiment { String::new() } else { format!(" ({})", role.as_str()) };
        match counterpart.map(|at| unmatched.remove(at)) {
            Some(new) => {
                let (was, is) = (value(&old.spec), value(&new.spec));
                let mut fields = Vec::new();
                differing("", &was, &is, &mut fields);
                add(format!("{}{}: {}", old.spec.label, what(old.role), fields.join(", ")));
            }
            None => add(format!("{}{}, repeat {}: no longer in the plan", old.spec.label, what(old.role), old.repeat)),
        }
    }
    for new in unmatched {
        add(format!("{}, repeat {}: new in the plan", new.spec.label, new.repeat));
    }
    lines
}

fn value(spec: &RunSpec) -> Value {
    serde_json::to_value(comparable(spec)).unwrap_or_default()
}

fn differing(path: &str, was: &Value, is: &Value, fields: &mut Vec<String>) {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            let mut keys: Vec<_> = was.keys().chain(is.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let of = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or_default();
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                differing(&path, &of(was), &of(is), fields);
            }
        }
        _ if was == is => {}
        _ => fields.push(format!("{path} was {was}, is {is}")),
    }
}
