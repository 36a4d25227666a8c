//! `manifest.json`: what a run was, how it went, and where it ran.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, FORMAT_VERSION, Result, RunSpec};

/// The content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the whole folder's format.
    pub format_version: u32,
    /// Version of the recorder that wrote it.
    pub tool_version: String,
    /// The recorder's command, as in `run` or `slow-follower`.
    pub command: String,
    /// The run, exactly as run.
    pub spec: RunSpec,
    /// The sweep that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepPlace>,
    /// Name of the run folder that this run repeats by `recorder reproduce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reproduces: Option<String>,
    /// Where the run comes from, when it was not recorded but made of older files by `analyze import`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// How the run stands.
    pub status: Status,
    /// How the times in the tables relate to the wall clock.
    pub clock: Clock,
    /// The cluster that was used.
    pub cluster: Cluster,
    /// Who led when.
    pub leaders: Leaders,
    /// Members that the fault hit, as indices into `cluster.members`.
    pub fault_targets: Vec<usize>,
    /// The machine.
    pub host: Host,
    /// How well the recorder itself kept up.
    pub generator: Option<Generator>,
    /// Number of rows in each table.
    pub rows: Rows,
    /// What the key-value store said of itself before the first operation and after the last; absent in folders of older
    /// recorders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Store>,
    /// What a reader of the results should know, in sentences.
    pub warnings: Vec<String>,
}

/// What is known of a run that another program recorded, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Name of the folder that the older files were in.
    pub source: String,
    /// SHA-256 of those files together, in hexadecimal: the same files are imported once.
    pub sha256: String,
    /// Names of the older files that were there.
    pub files: Vec<String>,
    /// Fields of the manifest and columns of the tables whose values are placeholders, because no older file says what
    /// they should be; as in `spec.workload.pacing` and `operations.intended_ns`.
    pub unknown: Vec<String>,
}

impl Imported {
    /// Whether this field, or one that it is part of, is not known.
    pub fn lacks(&self, field: &str) -> bool {
        let is_it = |unknown: &String| {
            field.strip_prefix(unknown.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.unknown.iter().any(is_it)
    }
}

/// A run's place in its sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepPlace {
    /// The sweep's id, see [`crate::sweep`].
    pub sweep: String,
    /// Number of the run in the sweep's plan, in the order in which runs are made, from 1.
    pub number: usize,
    /// Number of the repeat that it belongs to, from 1.
    pub repeat: u32,
    /// What it is for.
    pub role: Role,
}

/// What a run of a sweep is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A fault whose effect is asked for.
    Experiment,
    /// No fault, recorded between the others: what they are compared with.
    Baseline,
    /// A fault that must show no effect.
    Control,
    /// A short closed loop that measures what the cluster can do.
    Capacity,
}

impl Role {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Experiment => "experiment",
            Self::Baseline => "baseline",
            Self::Control => "control",
            Self::Capacity => "capacity",
        }
    }
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Status {
    /// Under way, or its recorder died: then `recorder recover` makes the folder whole.
    Running,
    /// Whole and trustworthy.
    Finished,
    /// It ended, and should not be trusted as an experiment.
    Failed {
        /// Why.
        reason: String,
        /// True when `recorder recover` rebuilt the tables after the recorder was killed.
        #[serde(default)]
        recovered: bool,
    },
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Finished => f.write_str("finished"),
            Self::Failed { reason, .. } => write!(f, "failed: {reason}"),
        }
    }
}

/// How the times in the tables relate to the wall clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Wall-clock time of the run's time 0, in nanoseconds of the Unix epoch; 0 until it is known.
    pub origin_unix_ns: i64,
    /// Wall-clock time at which the recording ended, likewise.
    pub ended_unix_ns: i64,
    /// End of the issuing of operations, in nanoseconds after time 0.
    pub workload_end_ns: i64,
}

/// The cluster that was used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// How its members ran.
    pub backend: String,
    /// What the members say of their version.
    pub etcd_version: String,
    /// The members, in the order of their names; other places refer to them by index.
    pub members: Vec<Member>,
    /// Command-line flags of the first member, without the program.
    pub flags: Vec<String>,
    /// File system that the members' data lay on; tmpfs makes fsync free.
    pub data_file_system: String,
    /// Runs that this same cluster had served before; 0 for a fresh one. Not known of an adopted one.
    #[serde(default)]
    pub earlier_runs: u32,
    /// Whether it was up before the run and stayed up after it.
    #[serde(default)]
    pub adopted: bool,
    /// Image that the members' containers were made from, with its id; absent without containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The Docker engine's version; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// As in `etcd0`.
    pub name: String,
    /// etcd's member id, in hexadecimal as etcdctl prints it.
    pub id: String,
    /// Client URL as the workload used it.
    pub client_url: String,
    /// Peer URL.
    pub peer_url: String,
}

/// Who led when, as indices into the members; absent where nobody did or nobody was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaders {
    /// When the clients were attached, just before the warm-up.
    pub start: Option<usize>,
    /// When the fault was injected.
    pub injection: Option<usize>,
    /// At the end.
    pub end: Option<usize>,
}

/// The machine that everything ran on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Kernel release.
    pub kernel: String,
    /// CPU model name.
    pub cpu: String,
    /// Number of CPUs that the recorder may use.
    pub cores: usize,
    /// Main memory.
    pub memory_bytes: u64,
    /// One-minute load average at the start and at the end.
    pub load_average: [f64; 2],
    /// Share of CPU time during the run that the hypervisor gave to others.
    pub steal_percent: f64,
}

/// How well the recorder itself kept up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Real start minus intended start, of operations after the warm-up: median.
    pub lag_p50_us: f64,
    /// Its 99th percentile.
    pub lag_p99_us: f64,
    /// Its maximum.
    pub lag_max_us: f64,
    /// The part of the 99th percentile's lag that is the generator's own: real start minus intended start of operations
    /// that the cap on operations under way did not hold back. Absent for a closed loop.
    #[serde(default)]
    pub own_lag_p99_us: Option<f64>,
    /// Share of the workload's time in which the generator's threads ran or wanted to run, in percent; absent where the
    /// kernel does not tell.
    #[serde(default)]
    pub busy_percent: Option<f64>,
    /// Why the generator, not the cluster, was the limit; absent when it was not.
    #[serde(default)]
    pub client_saturated: Option<String>,
    /// CPU time of the recorder per operation, in user and system mode together.
    pub cpu_us_per_operation: f64,
    /// Operations answered per second, after the warm-up.
    pub achieved_rate_per_s: f64,
}

/// Number of rows in each table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Rows of `operations.parquet`.
    pub operations: u64,
    /// Rows of `faults.parquet`.
    pub faults: u64,
    /// Rows of `samples.parquet`.
    pub samples: u64,
}

/// The key-value store before the first operation and after the last one, read linearizably.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// Its revision before the first operation, and after whatever was filled in before; absent where no member told.
    pub revision_before: Option<i64>,
    /// Its revision after the last operation, at which `final_state.parquet` was read; absent where it could not be.
    pub revision_after: Option<i64>,
    /// Rows of `final_state.parquet`.
    pub keys: u64,
    /// Why the final state was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What each member itself holds at `revision_after`, in the members' order; empty where the cluster is somebody else's.
    #[serde(default)]
    pub members: Vec<MemberHash>,
}

/// What one member holds, by its own account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberHash {
    /// Hash of all keys up to the store's revision; absent where the member did not tell.
    pub hash: Option<u32>,
    /// Revision that it is compacted to, which the hash depends on.
    pub compact_revision: Option<i64>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Replaces a JSON file so that a reader sees the old one or the new one, never a half, also after a power cut.
pub(crate) fn replace_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("a manifest has only string keys") + "\n";
    let new = path.with_extension("json.new");
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(Error::io(&new, "cannot write the manifest"))?;
    std::fs::rename(&new, path).map_err(Error::io(path, "cannot replace the manifest"))
}

/// Reads a JSON file of the format, checking its version before anything else.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "cannot read the manifest"))?;
    let broken = |error: serde_json::Error| Error::corrupt(path, format!("is not a manifest: {error}"));
    let version: Version = serde_json::from_str(&text).map_err(broken)?;
    if version.format_version > FORMAT_VERSION {
        return Err(Error::NewerFormat {
            path: path.to_path_buf(),
            found: version.format_version,
            known: FORMAT_VERSION,
        });
    }
    serde_json::from_str(&text).map_err(broken)
}

impl Manifest {
    /// Reads a manifest, checking the format version before anything else.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NewerFormat`], [`Error::Corrupt`].
    pub fn read(path: &Path) -> Result<Self> {
        read_json(path)
    }

    /// Writes the manifest so that a reader sees the old one or the new one, never a half, also after a power cut.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        replace_json(path, self)
    }

    /// Whether a field (named as in [`Imported::unknown`]) says what was the case. Of recorded runs every one does.
    pub fn knows(&self, field: &str) -> bool {
        self.imported.as_ref().is_none_or(|imported| !imported.lacks(field))
    }

    /// Name of a member by index, or `?` where the index is not one of the cluster's.
    pub fn member_name(&self, index: usize) -> &str {
        self.cluster.members.get(index).map_or("?", |member| &member.name)
    }
}
