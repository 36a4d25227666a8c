//! One folder of older files, put together: what is known, what is not, and what does not fit together.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use run_folder::manifest::{self, Clock, Cluster, Host, Leaders, Member, Rows};
use run_folder::operation::{ENDPOINT_UNKNOWN, ErrorKind, Kind, Outcome, UNKNOWN};
use run_folder::spec::{
    Attachment, Backend, ClientPlace, ClusterSpec, Direction, Effect, FaultSpec, KeyDistribution, MechanismChoice, Mix,
    Pacing, Scope, Target, WorkloadSpec,
};
use run_folder::{FORMAT_VERSION, FaultEvent, Label, Manifest, Operation, RunFolder, RunSpec, Status, folder};
use sha2::{Digest, Sha256};

use super::logs::{self, Answer, Failure, Parsed, Unusable, in_seconds};
use super::texts::{self, Fault, Pairs};
use super::{Options, StatedEnd};
use crate::{Error, Result, bundle};

const NS_PER_MS: i64 = 1_000_000;
const NS_PER_S: i64 = 1_000_000_000;
/// Milliseconds of the epoch have been more than this since 1973; a clock that began with the machine takes three years.
const EPOCH_FROM_NS: i64 = 100_000_000_000 * NS_PER_MS;
/// How far outside of the acknowledged operations a failed one may lie before it is that of another clock.
const FAILURE_SLACK_NS: i64 = 60 * NS_PER_S;
const DAY_NS: i64 = 24 * 3600 * NS_PER_S;
const RUN_NS_MAX: i64 = 366 * DAY_NS;

/// Everything that a run folder is made of.
#[derive(Debug)]
pub(super) struct Older {
    /// The manifest; `rows` are for who writes them to count.
    pub(super) manifest: Manifest,
    /// Operations in the order in which they ended.
    pub(super) operations: Vec<Operation>,
    pub(super) faults: Vec<FaultEvent>,
    /// For the name of the run folder.
    pub(super) time: DateTime<Utc>,
}

/// The older files of a folder, and the checksum of them together.
#[derive(Debug)]
pub(super) struct Source<'a> {
    dir: &'a Path,
    pub(super) name: String,
    files: Vec<&'static str>,
    pub(super) sha256: String,
}

impl<'a> Source<'a> {
    /// # Errors
    /// [`Error::Import`] when a file cannot be read.
    pub(super) fn new(dir: &'a Path) -> Result<Self> {
        let files: Vec<_> = RunFolder::OLDER.into_iter().filter(|name| dir.join(name).is_file()).collect();
        let mut all = Sha256::new();
        for name in &files {
            let path = dir.join(name);
            let mut digest = Digesting(Sha256::new());
            let read = File::open(&path).and_then(|mut file| io::copy(&mut file, &mut digest));
            let bytes = read.map_err(|error| Error::import(&path, format!("cannot be read: {error}")))?;
            all.update(format!("{} {bytes} {name}\n", bundle::hex(digest.0)));
        }
        // Resolving gives `.` a name.
        let resolved = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
        let name = resolved.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { dir, name, files, sha256: bundle::hex(all) })
    }

    fn has(&self, name: &str) -> bool {
        self.files.contains(&name)
    }

    fn pairs(&self, name: &str) -> Result<Pairs> {
        if self.has(name) { Pairs::read(&self.dir.join(name)) } else { Ok(Pairs::default()) }
    }
}

struct Digesting(Sha256);

impl io::Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a folder.
///
/// # Errors
/// [`Error::Import`] with the file, and the line where there is one.
pub(super) fn read(source: &Source<'_>, options: Options) -> Result<Older> {
    let latency_log = source.dir.join("latency.log");
    if !source.has("latency.log") {
        let problem = match source.has("throughput.csv") {
            true => "has throughput.csv but no latency.log: counts by second are no operations, and none are made up",
            false => "has no latency.log, so there are no operations to import",
        };
        return Err(Error::import(source.dir, problem));
    }
    let (metadata, summary) = (source.pairs("metadata.txt")?, source.pairs("summary.txt")?);
    let Parsed { rows: answers, mut notes } = logs::latency(&latency_log, options.is_lenient)?;
    let failures = failures(source, &answers, options, &mut notes)?;
    cross_check(source, &answers, &summary, &mut notes)?;

    let starts = answers.first().map(|answer| answer.start_ns);
    let ends = answers.iter().map(|answer| answer.end_ns).chain(failures.iter().map(|failure| failure.end_ns));
    let (first_ns, last_ns) =
        (starts.into_iter().chain(failures.iter().map(|failure| failure.end_ns)).min(), ends.max());
    let (Some(first_ns), Some(last_ns)) = (first_ns, last_ns) else {
        return Err(Error::import(latency_log, "holds no operation, and neither does anomaly.log"));
    };
    if last_ns.saturating_sub(first_ns) > RUN_NS_MAX {
        return Err(Error::import(
            latency_log,
            "holds times of more than a year: those of two clocks, or of another unit",
        ));
    }
    let zero_ns = zero(first_ns, &metadata, &mut notes);
    let operations = operations(&answers, &failures, zero_ns, &metadata);
    if failures.iter().any(|failure| failure.kind != Kind::Put) {
        notes.push(
            "anomaly.log: names other kinds than puts; all acknowledged operations are taken for puts".to_owned(),
        );
    }
    let last_due_ns = operations.iter().map(|operation| operation.intended_ns).max().unwrap_or(0);
    let (end_ns, duration_ms) = end(last_due_ns, last_ns - zero_ns, &metadata, &summary);

    let (stamp, rest) = folder::split_stamp(&source.name).unzip();
    let label = [metadata.get("label"), rest.filter(|rest| !rest.is_empty()), Some(source.name.as_str())];
    let label = label
        .into_iter()
        .flatten()
        .find_map(texts::label)
        .unwrap_or_else(|| Label::new("imported").expect("a valid label"));
    let is_epoch = first_ns >= EPOCH_FROM_NS;
    let mut unknown = Unknown::of_every_run();
    let fault = texts::fault(&metadata, label.as_str());
    let window = Window::of(&metadata, &label, options, if is_epoch { zero_ns } else { 0 }, end_ns);
    let (fault, faults) = faults(fault, &window, &metadata, &label, &mut unknown);
    notes.extend(window.note);
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        command: metadata.get("mode").unwrap_or("import").to_owned(),
        spec: RunSpec {
            label,
            seed: unknown.unless(metadata.get("seed").and_then(|seed| seed.parse().ok()), "spec.seed"),
            cluster: ClusterSpec {
                // Of such members nothing but their addresses is known either.
                backend: Backend::Endpoints,
                nodes: unknown.unless(metadata.get("nodes").and_then(|nodes| nodes.parse().ok()), "spec.cluster.nodes"),
            },
            workload: workload(duration_ms, &mut unknown),
            fault,
        },
        sweep: None,
        reproduces: None,
        imported: None,
        store: None,
        status: match metadata.get("status").and_then(|status| status.strip_prefix("failed")) {
            Some(reason) => {
                Status::Failed { reason: reason.trim_start_matches([':', ' ']).to_owned(), recovered: false }
            }
            None => Status::Finished,
        },
        clock: Clock {
            origin_unix_ns: unknown.unless(is_epoch.then_some(zero_ns), "clock.origin_unix_ns"),
            ended_unix_ns: unknown.unless(is_epoch.then_some(last_ns.max(zero_ns + end_ns)), "clock.ended_unix_ns"),
            workload_end_ns: end_ns,
        },
        cluster: cluster(&metadata, &mut unknown),
        leaders: Leaders::default(),
        fault_targets: Vec::new(),
        host: Host::default(),
        generator: None,
        rows: Rows::default(),
        warnings: Vec::new(),
    };
    let mut manifest = with_members(manifest, &metadata, &mut unknown, &mut notes);
    let missing = RunFolder::OLDER.iter().filter(|name| !source.has(name)).map(|name| format!("{name}: was not there"));
    manifest.warnings = missing.chain(notes).collect();
    manifest.imported = Some(manifest::Imported {
        source: source.name.clone(),
        sha256: source.sha256.clone(),
        files: source.files.iter().map(|&name| name.to_owned()).collect(),
        unknown: unknown.0,
    });
    let written = || latency_log.metadata().and_then(|data| data.modified()).map(DateTime::<Utc>::from).ok();
    let time = match stamp {
        Some(stamp) => stamp,
        None if is_epoch => DateTime::from_timestamp_nanos(zero_ns),
        // Nothing in the folder says when it was; the file itself does.
        None => written().unwrap_or_default(),
    };
    Ok(Older { manifest, operations, faults, time })
}

/// Names of what is not known.
#[derive(Debug)]
struct Unknown(Vec<String>);

impl Unknown {
    fn of_every_run() -> Self {
        Self(
            [
                "operations.intended_ns",
                "operations.worker",
                "operations.key",
                "operations.value_bytes",
                "samples",
                "host",
            ]
            .map(str::to_owned)
            .into(),
        )
    }

    fn push(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    /// The value; without one, a placeholder that is noted as such.
    fn unless<T: Default>(&mut self, value: Option<T>, name: &str) -> T {
        value.unwrap_or_else(|| {
            self.push(name);
            T::default()
        })
    }
}

/// The failed operations, but those that lie far outside of the acknowledged ones.
fn failures(
    source: &Source<'_>,
    answers: &[Answer],
    options: Options,
    notes: &mut Vec<String>,
) -> Result<Vec<Failure>> {
    if !source.has("anomaly.log") {
        return Ok(Vec::new());
    }
    let path = source.dir.join("anomaly.log");
    let Parsed { mut rows, notes: of_anomalies } = logs::anomalies(&path, options.is_lenient)?;
    notes.extend(of_anomalies);
    let last_ns = answers.iter().map(|answer| answer.end_ns).max();
    if let (Some(first), Some(last_ns)) = (answers.first(), last_ns) {
        let run = first.start_ns.saturating_sub(FAILURE_SLACK_NS)..=last_ns.saturating_add(FAILURE_SLACK_NS);
        let mut outside = Unusable::new(&path, options.is_lenient);
        for failure in rows.iter().filter(|failure| !run.contains(&failure.end_ns)) {
            outside.push(failure.line, "lies outside of the time of latency.log, so it is of another clock or run")?;
        }
        notes.extend(outside.note());
        rows.retain(|failure| run.contains(&failure.end_ns));
    }
    Ok(rows)
}

/// Whether the files that count operations count the same ones.
fn cross_check(source: &Source<'_>, answers: &[Answer], summary: &Pairs, notes: &mut Vec<String>) -> Result<()> {
    let lines = answers.len() as u64;
    if source.has("throughput.csv") {
        match logs::throughput_sum(&source.dir.join("throughput.csv"))? {
            Some(sum) if sum == lines => {}
            Some(sum) => notes.push(format!("throughput.csv: counts {sum} operations, latency.log has {lines}")),
            None => notes.push("throughput.csv: has lines that are not as in 0,100; it is not used".to_owned()),
        }
    }
    if let Some(total) = summary.number("total_ops").filter(|&total| total != lines as f64) {
        notes.push(format!("summary.txt: says {total} operations, latency.log has {lines}"));
    }
    Ok(())
}

/// The run's time 0 on the clock of `latency.log`: the start that `metadata.txt` names, else the first operation's.
fn zero(first_ns: i64, metadata: &Pairs, notes: &mut Vec<String>) -> i64 {
    if first_ns < EPOCH_FROM_NS {
        // A clock that began with the script has its own time 0.
        return if first_ns < 60 * NS_PER_S { 0 } else { first_ns };
    }
    let Some(started_ns) = metadata.get("started_unix_ns").and_then(|text| text.parse::<i64>().ok()) else {
        return first_ns;
    };
    if (0..DAY_NS).contains(&first_ns.saturating_sub(started_ns)) {
        return started_ns;
    }
    notes.push(format!(
        "metadata.txt: started {:.1} s from the first operation by another clock; time 0 is the first operation's start",
        in_seconds(first_ns.saturating_sub(started_ns))
    ));
    first_ns
}

/// The operations in the order in which they ended, numbered in the order of their start.
fn operations(answers: &[Answer], failures: &[Failure], zero_ns: i64, metadata: &Pairs) -> Vec<Operation> {
    let asks_one_member = metadata.get("endpoints").is_some_and(|endpoints| !endpoints.contains(','));
    let answered = Operation {
        op_id: 0,
        worker: UNKNOWN,
        kind: Kind::Put,
        intended_ns: 0,
        start_ns: None,
        end_ns: 0,
        outcome: Outcome::Ok,
        error: None,
        endpoint: if asks_one_member { 0 } else { ENDPOINT_UNKNOWN },
        member: None,
        raft_term: None,
        revision: None,
        key: UNKNOWN,
        seen_mod_revision: None,
        txn_succeeded: None,
        value_bytes: UNKNOWN,
    };
    let ok = answers.iter().map(|answer| {
        let start_ns = answer.start_ns - zero_ns;
        Operation { intended_ns: start_ns, start_ns: Some(start_ns), end_ns: answer.end_ns - zero_ns, ..answered }
    });
    // Nobody says whether it was carried out, nor when it was sent.
    let failed = failures.iter().map(|failure| {
        let end_ns = failure.end_ns - zero_ns;
        let (outcome, error) = (Outcome::Unknown, Some(ErrorKind::Other));
        Operation { kind: failure.kind, intended_ns: end_ns, end_ns, outcome, error, ..answered }
    });
    let mut operations: Vec<Operation> = ok.chain(failed).collect();
    operations.sort_by_key(|operation| operation.intended_ns);
    (0..).zip(&mut operations).for_each(|(op_id, operation)| operation.op_id = op_id);
    operations.sort_by_key(|operation| operation.end_ns);
    operations
}

/// The end of the workload after time 0, and its length where that was asked for. It must leave every operation in.
fn end(last_due_ns: i64, last_end_ns: i64, metadata: &Pairs, summary: &Pairs) -> (i64, Option<u64>) {
    let is_possible = |ns: &f64| *ns > last_due_ns as f64 && *ns < RUN_NS_MAX as f64;
    let duration_ns = metadata.number("duration").map(|seconds| seconds * 1e9).filter(is_possible);
    if let Some(ns) = duration_ns {
        return (ns.round() as i64, Some((ns / 1e6).round() as u64));
    }
    let elapsed_ns = summary.number("elapsed_ms").map(|ms| ms * 1e6).filter(is_possible);
    (elapsed_ns.map_or(last_end_ns.max(last_due_ns + 1), |ns| ns.round() as i64), None)
}

fn workload(duration_ms: Option<u64>, unknown: &mut Unknown) -> WorkloadSpec {
    for name in [
        "pacing",
        "operations",
        "concurrency",
        "mix",
        "rate_per_s",
        "connections",
        "keys",
        "key_distribution",
        "key_bytes",
        "value_bytes",
        "deadline_ms",
        "warm_up_ms",
        "attachment",
        "client_at",
    ] {
        unknown.push(&format!("spec.workload.{name}"));
    }
    if duration_ms.is_none() {
        unknown.push("spec.workload.duration_ms");
    }
    WorkloadSpec {
        pacing: Pacing::Closed,
        duration_ms,
        operations: None,
        concurrency: 0,
        mix: Mix::PUTS,
        rate_per_s: None,
        load: None,
        connections: 0,
        keys: 0,
        key_distribution: KeyDistribution::Uniform,
        key_bytes: 0,
        key_prefix: String::new(),
        filled: false,
        value_bytes: 0,
        deadline_ms: 0,
        warm_up_ms: 0,
        attachment: Attachment::RoundRobin,
        client_at: ClientPlace::Own,
    }
}

/// When the fault was to be in force, as far as anybody says.
#[derive(Debug, Default)]
struct Window {
    /// After time 0.
    at_ns: Option<i64>,
    clear_ns: Option<i64>,
    /// Whether it was to last to the end of the run.
    to_end: bool,
    note: Option<String>,
}

impl Window {
    fn of(metadata: &Pairs, label: &Label, options: Options, zero_unix_ns: i64, end_ns: i64) -> Self {
        let is_full = label.as_str().split('_').any(|word| word.starts_with("full"));
        let mut note = None;
        let said = metadata.number("inject_at").and_then(|number| {
            let at_ns = since_zero(number, zero_unix_ns);
            if (0..end_ns).contains(&at_ns) {
                return Some(at_ns);
            }
            note = Some(format!(
                "metadata.txt: inject_at={number} is outside of the run; when the fault was is not known"
            ));
            None
        });
        let stated = options.at_ms.map(|ms| ms as i64 * NS_PER_MS);
        let at_ns = if note.is_some() { None } else { said.or(is_full.then_some(0)).or(stated) };
        let lasts = match metadata.number("inject_for") {
            Some(seconds) => Some(StatedEnd::AfterMs((seconds * 1e3).round() as u64)),
            None if metadata.is_none("inject_for") || is_full => Some(StatedEnd::OfRun),
            None => options.lasts,
        };
        let clear_ns = at_ns.zip(lasts).map(|(at_ns, lasts)| match lasts {
            StatedEnd::AfterMs(ms) => at_ns.saturating_add((ms as i64).saturating_mul(NS_PER_MS)),
            StatedEnd::OfRun => end_ns,
        });
        Self { at_ns, clear_ns, to_end: lasts == Some(StatedEnd::OfRun), note }
    }
}

/// Seconds after time 0 as nanoseconds. Some scripts wrote down the time of day, in seconds or milliseconds of the epoch.
fn since_zero(number: f64, zero_unix_ns: i64) -> i64 {
    match number {
        ms if ms >= 1e11 => (ms * 1e6) as i64 - zero_unix_ns,
        seconds if seconds >= 1e8 => (seconds * 1e9) as i64 - zero_unix_ns,
        seconds => (seconds * 1e9).round() as i64,
    }
}

/// The fault as it was asked for. Nothing in the older files shows whether it worked, or when exactly.
fn faults(
    fault: Fault,
    window: &Window,
    metadata: &Pairs,
    label: &Label,
    unknown: &mut Unknown,
) -> (Option<FaultSpec>, Vec<FaultEvent>) {
    let effect = match fault {
        Fault::None => return (None, Vec::new()),
        Fault::Unknown => {
            unknown.push("spec.fault");
            return (None, Vec::new());
        }
        Fault::Known(effect) => effect,
    };
    for name in ["scope", "direction", "mechanism"] {
        unknown.push(&format!("spec.fault.{name}"));
    }
    let target = texts::target(metadata, label.as_str());
    if target.is_none() {
        unknown.push("spec.fault.target");
    }
    if window.at_ns.is_none() {
        unknown.push("spec.fault.at_ms");
    }
    if window.clear_ns.is_none() {
        unknown.push("spec.fault.for_ms");
    }
    let length_ns = window.at_ns.zip(window.clear_ns).map(|(at_ns, clear_ns)| clear_ns - at_ns);
    let spec = FaultSpec {
        effect,
        target: target.clone().unwrap_or(Target::Follower),
        scope: Scope::All,
        peer: None,
        direction: Direction::Egress,
        mechanism: MechanismChoice::Auto,
        at_ms: window.at_ns.map_or(0, |at_ns| (at_ns / NS_PER_MS) as u64),
        for_ms: length_ns.filter(|_| !window.to_end).map(|length_ns| (length_ns / NS_PER_MS) as u64),
    };
    let event = window.at_ns.map(|asked_ns| FaultEvent {
        kind: effect.kind().to_owned(),
        delay_us: match effect {
            Effect::Delay { delay_us, .. } => Some(delay_us as f64),
            _ => None,
        },
        loss_percent: match effect {
            Effect::Loss { loss_percent } => Some(loss_percent),
            _ => None,
        },
        target_asked: target.map_or(String::new(), |target| target.to_string()),
        target: -1,
        asked_ns,
        asked_clear_ns: window.clear_ns,
        evidence: "imported: no older file shows whether the fault was in force".to_owned(),
        ..FaultEvent::default()
    });
    (Some(spec), event.into_iter().collect())
}

fn cluster(metadata: &Pairs, unknown: &mut Unknown) -> Cluster {
    for name in ["flags", "data_file_system", "earlier_runs", "adopted"] {
        unknown.push(&format!("cluster.{name}"));
    }
    Cluster {
        backend: "imported".to_owned(),
        etcd_version: unknown.unless(metadata.get("etcd_version").map(str::to_owned), "cluster.etcd_version"),
        ..Cluster::default()
    }
}

/// Adds the members whose addresses are known. Which of them led or was hit is known where the address has their name.
fn with_members(mut manifest: Manifest, metadata: &Pairs, unknown: &mut Unknown, notes: &mut Vec<String>) -> Manifest {
    let urls: Vec<&str> = metadata.get("endpoints").unwrap_or_default().split(',').map(str::trim).collect();
    let urls: Vec<&str> = urls.into_iter().filter(|url| !url.is_empty()).take(usize::from(ENDPOINT_UNKNOWN)).collect();
    if urls.is_empty() {
        unknown.push("cluster.members");
    }
    if urls.len() != 1 {
        unknown.push("operations.endpoint");
    }
    let address = |url: &str| {
        let address = url.split_once("://").map_or(url, |(_, address)| address);
        address.trim_end_matches('/').to_owned()
    };
    let host = |url: &str| address(url).rsplit_once(':').map_or_else(|| address(url), |(host, _)| host.to_owned());
    let hosts: BTreeMap<String, usize> = urls.iter().enumerate().map(|(at, url)| (host(url), at)).collect();
    let are_names = hosts.len() == urls.len() && hosts.keys().all(|host| host.parse::<std::net::IpAddr>().is_err());
    manifest.cluster.members = urls
        .iter()
        .map(|url| Member {
            name: if are_names { host(url) } else { address(url) },
            id: String::new(),
            client_url: (*url).to_owned(),
            peer_url: String::new(),
        })
        .collect();
    let mut member = |key: &str| {
        let name = metadata.get(key)?;
        let found = manifest.cluster.members.iter().position(|member| member.name == name);
        if found.is_none() && !["leader", "follower", "all"].contains(&name) {
            notes.push(format!("metadata.txt: {key}={name}; which of the members that is, is not known"));
        }
        found
    };
    let (leader, target) = (member("leader"), member("target"));
    match leader {
        // As the recorder writes it: when the fault was injected, else at the start.
        Some(_) if manifest.spec.fault.is_some() => manifest.leaders.injection = leader,
        Some(_) => manifest.leaders.start = leader,
        None => unknown.push("leaders"),
    }
    if manifest.spec.fault.is_some() {
        manifest.fault_targets.extend(target);
    }
    manifest
}
