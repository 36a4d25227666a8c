//! The list of runs: one row for each run folder, also for those that cannot be analysed.

use chrono::{DateTime, SecondsFormat};
use polars::prelude::*;
use run_folder::spec::{Attachment, FaultSpec, Pacing, Peer, WorkloadSpec};
use run_folder::{FaultEvent, Manifest};

use crate::output::text::{Column as Shown, TextTable};
use crate::phases::Phases;
use crate::tables::imported;

/// What the list knows of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Name of the run folder.
    pub run: String,
    /// The run's label.
    pub label: String,
    /// The manifest.
    pub manifest: Manifest,
    /// The faults; empty when the run has none or they cannot be read yet.
    pub faults: Vec<FaultEvent>,
}

/// Lists runs, one row each, in the order given. Columns:
///
/// - `run`, `label`, `status` (`running`, `finished`, or `failed: ` and the reason)
/// - `started`: wall-clock time of the run's time 0, UTC; null when it never came
/// - `duration_s`: end of the workload after time 0
/// - `fault`: as in `delay 20ms`; null without one
/// - `fault_kind`, `fault_delay_ms`, `fault_loss_percent`, `fault_scope`, `fault_peer` (the only other member whose
///   traffic was hit), `fault_direction`: its parts
/// - `target`: names of the members that it hit; as asked when it never hit one
/// - `target_role`: `leader` or `follower` at injection
/// - `mechanism`
/// - `from_s`, `to_s`: the measured window, with the rule of [`Phases::derive`]
/// - `confirmed`: whether the evidence shows the fault; null when that was not judged
/// - `attachment`: the members that clients ask
/// - `pacing`, `concurrency`, `connections` (to each member)
/// - `rate_per_s`: operations due per second in an open loop, `load_percent`: the share of the capacity that it was asked
///   as; null where it was not
/// - `client_saturated`: why the generator, not the cluster, was the limit; null when it was not
/// - `leader_start`, `leader_injection`, `leader_end`: member names
/// - `operations`: rows in `operations.parquet`
/// - `backend`, `etcd_version`, `members`: the cluster
/// - `earlier_runs`: runs that the same cluster had served before
/// - `seed`, `warnings`: the latter counts the manifest's warnings
/// - `sweep`, `number`, `repeat`, `role`: the run's place in its sweep; null outside of one
/// - `reproduces`: the run folder that it repeats
/// - `imported`: the folder of older files that it was made of; what these do not say is null in the other columns, and
///   `from_s` and `to_s` are as asked, not measured
///
/// # Errors
/// [`PolarsError`] never in practice: all columns are made here with one length.
pub fn table(runs: &[Listed]) -> PolarsResult<DataFrame> {
    let text = |name: &str, of: &dyn Fn(&Listed) -> Option<String>| {
        Column::new(name.into(), runs.iter().map(of).collect::<Vec<_>>())
    };
    let number = |name: &str, of: &dyn Fn(&Listed) -> Option<f64>| {
        Column::new(name.into(), runs.iter().map(of).collect::<Vec<_>>())
    };
    let count =
        |name: &str, of: &dyn Fn(&Listed) -> u64| Column::new(name.into(), runs.iter().map(of).collect::<Vec<_>>());
    let number_of = |name: &str, of: &dyn Fn(&Listed) -> Option<u64>| {
        Column::new(name.into(), runs.iter().map(of).collect::<Vec<_>>())
    };
    let place = |run: &Listed| run.manifest.sweep.clone();
    let fault = |run: &Listed| run.manifest.spec.fault.clone();
    let leader = |index: Option<usize>, run: &Listed| index.map(|index| run.manifest.member_name(index).to_owned());
    let window = |run: &Listed| phases(run).window().map(|window| window.seconds());
    let confirmed: Vec<Option<bool>> = runs.iter().map(|run| all_confirmed(&run.faults)).collect();
    DataFrame::new(
        runs.len(),
        vec![
            text("run", &|run| Some(run.run.clone())),
            text("label", &|run| Some(run.label.clone())),
            text("status", &|run| Some(run.manifest.status.to_string())),
            text("started", &|run| started(&run.manifest)),
            number("duration_s", &|run| {
                Some(run.manifest.clock.workload_end_ns).filter(|&end_ns| end_ns > 0).map(|end_ns| end_ns as f64 / 1e9)
            }),
            text("fault", &|run| match run.manifest.knows("spec.fault") {
                true => Some(fault(run)?.effect.to_string()),
                false => Some("unknown".to_owned()),
            }),
            text("fault_kind", &|run| Some(fault(run)?.effect.kind().to_owned())),
            number("fault_delay_ms", &|run| Some(run.faults.first()?.delay_us? / 1e3)),
            number("fault_loss_percent", &|run| run.faults.first()?.loss_percent),
            text("fault_scope", &|run| said(&run.faults.first()?.scope)),
            text("fault_peer", &|run| peer(run)),
            text("fault_direction", &|run| said(&run.faults.first()?.direction)),
            text("target", &|run| known(run, "spec.fault.target", target(run, &fault(run)?))),
            text("target_role", &|run| said(&run.faults.first()?.role)),
            text("mechanism", &|run| said(&run.faults.first()?.mechanism)),
            number("from_s", &|run| Some(window(run)?.0)),
            number("to_s", &|run| Some(window(run)?.1)),
            Column::new("confirmed".into(), confirmed),
            text("attachment", &|run| {
                known(run, "spec.workload.attachment", run.manifest.spec.workload.attachment.to_string())
            }),
            text("pacing", &|run| {
                known(run, "spec.workload.pacing", pacing(run.manifest.spec.workload.pacing).to_owned())
            }),
            number_of("concurrency", &|run| {
                known(run, "spec.workload.concurrency", run.manifest.spec.workload.concurrency.into())
            }),
            number_of("connections", &|run| {
                known(run, "spec.workload.connections", run.manifest.spec.workload.connections.into())
            }),
            number("rate_per_s", &|run| run.manifest.spec.workload.rate_per_s),
            number("load_percent", &|run| Some(run.manifest.spec.workload.load.as_ref()?.percent)),
            text("client_saturated", &|run| client_saturated(&run.manifest).map(str::to_owned)),
            text("leader_start", &|run| leader(run.manifest.leaders.start, run)),
            text("leader_injection", &|run| leader(run.manifest.leaders.injection, run)),
            text("leader_end", &|run| leader(run.manifest.leaders.end, run)),
            count("operations", &|run| run.manifest.rows.operations),
            text("backend", &|run| Some(run.manifest.cluster.backend.clone())),
            text("etcd_version", &|run| known(run, "cluster.etcd_version", run.manifest.cluster.etcd_version.clone())),
            number_of("members", &|run| known(run, "cluster.members", run.manifest.cluster.members.len() as u64)),
            number_of("earlier_runs", &|run| {
                known(run, "cluster.earlier_runs", run.manifest.cluster.earlier_runs.into())
            }),
            number_of("seed", &|run| known(run, "spec.seed", run.manifest.spec.seed)),
            count("warnings", &|run| run.manifest.warnings.len() as u64),
            text("sweep", &|run| Some(place(run)?.sweep.clone())),
            number_of("number", &|run| Some(place(run)?.number as u64)),
            number_of("repeat", &|run| Some(place(run)?.repeat.into())),
            text("role", &|run| Some(place(run)?.role.as_str().to_owned())),
            text("reproduces", &|run| run.manifest.reproduces.clone()),
            text("imported", &|run| Some(run.manifest.imported.as_ref()?.source.clone())),
        ],
    )
}

/// A value, where the manifest says what it was.
fn known<T>(run: &Listed, field: &str, value: T) -> Option<T> {
    run.manifest.knows(field).then_some(value)
}

/// A text of a fault; imported ones have empty ones where nothing is known.
fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The phases of a run, from its manifest and its faults.
pub fn phases(run: &Listed) -> Phases {
    imported::phases(run, run.manifest.clock.workload_end_ns)
}

/// The fault of a run in words, with its measured window, as in `delay 20ms on etcd1 (follower), egress, 40.0 s to
/// 80.0 s`; `no fault` without one.
pub fn fault_in_words(run: &Listed) -> String {
    if !run.manifest.knows("spec.fault") {
        return "unknown fault".to_owned();
    }
    let Some(spec) = &run.manifest.spec.fault else { return "no fault".to_owned() };
    let mut words = spec.effect.to_string();
    if run.manifest.knows("spec.fault.target") {
        words += &format!(" on {}", target(run, spec));
    }
    if let Some(event) = run.faults.first() {
        if !event.role.is_empty() {
            words += &format!(" ({})", event.role);
        }
        let traffic = match (peer(run), event.scope.as_str()) {
            (Some(peer), _) => format!(" only the link to {peer},"),
            (None, "all" | "") => String::new(),
            (None, scope) => format!(" {scope} only,"),
        };
        if !event.direction.is_empty() {
            words += &format!(",{traffic} {}", event.direction);
        }
    }
    match phases(run).window() {
        None if run.manifest.imported.is_some() => words + ", when is not known",
        Some(window) => words + &format!(", {:.1} s to {:.1} s", window.seconds().0, window.seconds().1),
        None => words + ", never in force",
    }
}

/// The workload of a run in words, as in `closed loop, 16 workers; puts only; clients at the target`.
pub fn workload_in_words(workload: &WorkloadSpec) -> String {
    // Recorded runs have at least one worker.
    if workload.concurrency == 0 {
        return "workload not known".to_owned();
    }
    let load = match workload.pacing {
        Pacing::Closed => format!("closed loop, {} workers", workload.concurrency),
        Pacing::Even => match (workload.operations, workload.duration_ms) {
            (Some(operations), Some(duration_ms)) if duration_ms > 0 => {
                format!("evenly paced, {:.1} ops/s", operations as f64 * 1e3 / duration_ms as f64)
            }
            _ => "evenly paced".to_owned(),
        },
        Pacing::Constant => format!("open loop, {:.1} ops/s", workload.rate_per_s.unwrap_or(0.0)),
        Pacing::Poisson => format!("open loop, {:.1} ops/s Poisson", workload.rate_per_s.unwrap_or(0.0)),
    };
    let load = match &workload.load {
        Some(share) => format!("{load} ({:.0} % of the capacity)", share.percent),
        None => load,
    };
    let load = match workload.connections {
        0..=1 => load,
        connections => format!("{load}, {connections} connections to each member"),
    };
    let mix = &workload.mix;
    let kinds = [
        ("put", mix.put),
        ("get", mix.get),
        ("serializable get", mix.get_serializable),
        ("txn", mix.txn),
        ("delete", mix.delete),
    ];
    let total: u64 = kinds.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let mut used: Vec<String> = kinds
        .iter()
        .filter(|(_, weight)| *weight > 0)
        .map(|(kind, weight)| format!("{:.0} % {kind}", f64::from(*weight) * 100.0 / total as f64))
        .collect();
    if used.len() == 1 {
        used[0] = used[0].replace("100 % ", "") + "s only";
    }
    let asked = match &workload.attachment {
        Attachment::RoundRobin => "clients ask all members in turn".to_owned(),
        Attachment::Leader => "clients at the leader".to_owned(),
        Attachment::Target => "clients at the target".to_owned(),
        Attachment::HealthyFollower => "clients at a healthy follower".to_owned(),
        Attachment::Member(name) => format!("clients at {name}"),
    };
    format!("{load}; {}; {asked}", used.join(", "))
}

/// Why the generator, not the cluster, was the limit of a run; `None` when it was not.
pub fn client_saturated(manifest: &Manifest) -> Option<&str> {
    manifest.generator.as_ref()?.client_saturated.as_deref()
}

/// A sentence for below a table about the runs in which the clients were the limit; `None` when there are none.
pub fn saturation_note<'a>(runs: impl Iterator<Item = (&'a str, &'a Manifest)>) -> Option<String> {
    let saturated: Vec<(&str, &str)> =
        runs.filter_map(|(run, manifest)| Some((run, client_saturated(manifest)?))).collect();
    let (run, reason) = saturated.first()?;
    let more = match saturated.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more, see client_saturated in `analyze list --format csv`"),
    };
    Some(format!("client saturated, not the cluster, in {run}: {reason}{more}"))
}

/// A sentence about runs of different machines, which differ for that alone; `None` where all are of one.
pub fn machines_note<'a>(runs: impl Iterator<Item = &'a Manifest>) -> Option<String> {
    let mut machines: Vec<(String, usize)> = Vec::new();
    for host in runs.filter(|manifest| manifest.imported.is_none()).map(|manifest| &manifest.host) {
        let machine = format!("{}, kernel {}, {} cores", host.cpu, host.kernel, host.cores);
        match machines.iter_mut().find(|(known, _)| *known == machine) {
            Some((_, count)) => *count += 1,
            None => machines.push((machine, 1)),
        }
    }
    if machines.len() < 2 {
        return None;
    }
    let of_one = |(machine, count): &(String, usize)| {
        format!("{machine} in {count} {}", if *count == 1 { "run" } else { "runs" })
    };
    let machines: Vec<String> = machines.iter().map(of_one).collect();
    Some(format!(
        "recorded on different machines, which differ for that alone, and each by its own clock: {}",
        machines.join("; ")
    ))
}

fn started(manifest: &Manifest) -> Option<String> {
    let origin_ns = Some(manifest.clock.origin_unix_ns).filter(|&origin_ns| origin_ns > 0)?;
    Some(DateTime::from_timestamp_nanos(origin_ns).to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Name of the only other member whose traffic the fault hit, as asked where that was never resolved.
fn peer(run: &Listed) -> Option<String> {
    if let Some(event) = run.faults.first() {
        return event
            .peer
            .map(|index| run.manifest.member_name(usize::try_from(index).unwrap_or(usize::MAX)).to_owned());
    }
    Some(match run.manifest.spec.fault.as_ref()?.peer.as_ref()? {
        Peer::Leader => "the leader".to_owned(),
        Peer::OtherFollower => "another follower".to_owned(),
        Peer::Member(name) => name.clone(),
    })
}

fn target(run: &Listed, spec: &FaultSpec) -> String {
    let hit: Vec<&str> = run.manifest.fault_targets.iter().map(|&index| run.manifest.member_name(index)).collect();
    if hit.is_empty() { spec.target.to_string() } else { hit.join(" ") }
}

fn pacing(pacing: Pacing) -> &'static str {
    match pacing {
        Pacing::Closed => "closed",
        Pacing::Even => "even",
        Pacing::Constant => "constant",
        Pacing::Poisson => "poisson",
    }
}

fn all_confirmed(faults: &[FaultEvent]) -> Option<bool> {
    let judged: Vec<bool> = faults.iter().filter_map(|fault| fault.confirmed).collect();
    (!judged.is_empty()).then(|| judged.iter().all(|&confirmed| confirmed))
}

/// The list for people: the columns that fit 120 characters, or all with `wide`.
///
/// # Errors
/// [`PolarsError`] when `runs` is not the result of [`table`].
pub fn text(runs: &DataFrame, wide: bool) -> PolarsResult<TextTable> {
    if wide {
        return TextTable::new(runs, &Shown::all(runs, ""), None);
    }
    let mut runs = runs.clone();
    // The reason of a failure is a sentence; it goes to standard error, beside the run's name.
    let status: Vec<Option<String>> = runs
        .column("status")?
        .str()?
        .iter()
        .zip(runs.column("imported")?.str()?.iter())
        .map(|(status, imported)| match status?.split(':').next().unwrap_or_default() {
            "finished" if imported.is_some() => Some("imported".to_owned()),
            status => Some(status.to_owned()),
        })
        .collect();
    runs.with_column(Column::new("status".into(), status))?;
    let columns = vec![
        Shown::new("run", "run"),
        Shown::new("status", "status"),
        Shown::new("duration_s", "seconds"),
        Shown::new("fault", "fault"),
        Shown::new("target", "on"),
        Shown::new("target_role", "role"),
        Shown::new("from_s", "from s"),
        Shown::new("to_s", "to s"),
        Shown::new("attachment", "clients at"),
        Shown::new("operations", "operations"),
    ];
    // Runs of several sweeps are told apart by a line for each sweep.
    let sweeps = runs.column("sweep")?.str()?;
    if sweeps.null_count() == runs.height() {
        return TextTable::new(&runs, &columns, None);
    }
    let groups: Vec<String> =
        sweeps.iter().map(|sweep| sweep.map_or("no sweep".to_owned(), |sweep| format!("sweep {sweep}"))).collect();
    runs.with_column(Column::new("group".into(), groups))?;
    // In a sweep the clients of all runs ask the same members; which, is among all columns.
    let mut columns = columns;
    columns.retain(|column| *column != Shown::new("attachment", "clients at"));
    columns.push(Shown::new("repeat", "repeat"));
    TextTable::new(&runs, &columns, Some("group"))
}
