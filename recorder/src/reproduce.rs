//! `recorder reproduce`: a run again, exactly as its manifest says, here and now.

use std::path::Path;

use run_folder::spec::{Backend, ClientPlace, ClusterSpec, MechanismChoice};
use run_folder::{Manifest, RunFolder, RunSpec, Status, reader};

use crate::cli::{ClusterKind, Places};
use crate::error::{Error, Result};
use crate::plan::PlannedRun;
use crate::{session, terminal};

/// Sizes of clusters that the recorder makes.
const NODES_MIN: u8 = 3;
const NODES_MAX: u8 = 7;

/// Records the run again and returns the exit code. Must be called while the process has a single thread.
///
/// # Errors
/// As [`session::record`], and when there is no run in the folder whose manifest says what to do.
pub fn record(run: &Path, places: &Places) -> Result<u8> {
    let original = RunFolder::open(run)?;
    let manifest = original.manifest()?;
    if let Some(imported) = &manifest.imported {
        let (run, source) = (original.name(), &imported.source);
        return Err(Error::usage(format!(
            "{run}: was imported from the older files of {source}, which do not say what is needed to make it again; \
             describe the run to `recorder run` instead"
        )));
    }
    match &manifest.status {
        Status::Finished => {}
        Status::Running => {
            let dir = original.dir().display();
            return Err(Error::usage(format!("{dir}: the run is not finished; `recorder recover` says how it ended")));
        }
        Status::Failed { reason, .. } => terminal::line(format_args!("warning: the original failed: {reason}")),
    }
    let mut spec = manifest.spec.clone();
    use_same_mechanism(&mut spec, &original)?;
    let cluster = match (places.cluster, spec.cluster.backend) {
        (ClusterKind::Auto, Backend::Sandbox) => ClusterKind::Sandbox,
        (ClusterKind::Auto, Backend::Docker) => ClusterKind::Docker,
        (ClusterKind::Auto, Backend::Endpoints) => return Err(not_ours(&manifest)),
        (asked, Backend::Endpoints) => {
            move_to_own_cluster(&mut spec, asked);
            asked
        }
        (asked, _) => asked,
    };
    let places = &Places { cluster, ..places.clone() };
    let planned = PlannedRun { reproduces: Some(original.name()), ..PlannedRun::new(&manifest.command, spec, places) };
    let members = crate::machine::programs(&planned)?;
    let version = members.version();
    // What containers run is known when they do.
    if !version.is_empty() && version != manifest.cluster.etcd_version {
        let original = &manifest.cluster.etcd_version;
        terminal::line(format_args!("warning: the original ran etcd {original}, this is {version}; see --etcd"));
    }
    let before = RunFolder::list(&planned.results).unwrap_or_default();
    let code = crate::apart::Supervisor::new()?.run(|| session::record(&planned, places))?;
    let made = RunFolder::list(&planned.results).unwrap_or_default().into_iter().find(|folder| {
        !before.contains(folder) && folder.manifest().is_ok_and(|made| made.reproduces == planned.reproduces)
    });
    if let Some(made) = made.filter(|_| code == 0) {
        let (original, made) = (original.dir().display(), made.dir().display());
        terminal::line(format_args!("whether the two agree: analyze compare {original} {made}"));
    }
    Ok(code)
}

/// Of a cluster that the recorder did not make, no manifest says how to make it again.
fn not_ours(manifest: &Manifest) -> Error {
    let names: Vec<_> = manifest.cluster.members.iter().map(|member| member.name.as_str()).collect();
    let endpoints = names.join(",");
    Error::usage(format!(
        "the run measured a cluster that the recorder did not start ({endpoints}); `recorder bench --endpoints {endpoints}` \
         measures what is there now, and --cluster sandbox runs the same workload on {} members in a sandbox",
        manifest.spec.cluster.nodes
    ))
}

/// Has the workload run on a cluster that the recorder makes, which has as many members as it can.
fn move_to_own_cluster(spec: &mut RunSpec, cluster: ClusterKind) {
    let backend = if cluster == ClusterKind::Docker { Backend::Docker } else { Backend::Sandbox };
    let nodes = spec.cluster.nodes.clamp(NODES_MIN, NODES_MAX);
    terminal::line(format_args!(
        "warning: the original measured members that the recorder did not start; this is the same workload on {nodes} of its own"
    ));
    spec.cluster = ClusterSpec { backend, nodes };
    spec.workload.client_at = ClientPlace::Auto;
}

/// Pins what `auto` meant then.
fn use_same_mechanism(spec: &mut RunSpec, original: &RunFolder) -> Result<()> {
    let Some(fault) = &mut spec.fault else { return Ok(()) };
    match reader::faults(original)?.first().map(|event| event.mechanism.as_str()) {
        Some("queue") => fault.mechanism = MechanismChoice::Queue,
        Some("netem") => fault.mechanism = MechanismChoice::Netem,
        _ => {}
    }
    Ok(())
}
