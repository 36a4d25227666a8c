//! What a run needs of this machine, checked before anything is started.

use std::path::{Path, PathBuf};

use run_folder::spec::Backend;

use crate::cluster::etcd;
use crate::cluster::sandbox::Bond;
use crate::endpoints::Endpoint;
use crate::error::{Error, Result};
use crate::faults::Mechanism;
use crate::kept;
use crate::plan::PlannedRun;

/// Where members come from.
#[derive(Debug, Clone)]
pub enum Members {
    /// This program, in the sandbox.
    Program(etcd::Program),
    /// The Docker engine's containers.
    Containers,
    /// Members that are up and stay up.
    Endpoints(Addressed),
}

/// Members that are up, by their addresses.
#[derive(Debug, Clone)]
pub struct Addressed {
    /// The members.
    pub endpoints: Vec<Endpoint>,
    /// Whether these are addresses in the network of the sandbox that is kept up, which has to be entered.
    pub in_kept_sandbox: bool,
    /// Version of etcd, where it is known already.
    pub version: String,
}

impl Addressed {
    /// Enters the network in which the members are. Must be called while the process has a single thread.
    ///
    /// # Errors
    /// When the sandbox is gone, or cannot be entered.
    pub fn enter(&self) -> Result<()> {
        if !self.in_kept_sandbox {
            return Ok(());
        }
        let bound_to = Bond::of_this_process();
        kept::sandbox::enter_clients()?
            .ok_or_else(|| Error::environment("the sandbox that was up is gone; start one with `recorder up`"))?;
        bound_to.renew()
    }
}

impl Members {
    /// The version of etcd, as far as it is known before they run.
    pub fn version(&self) -> &str {
        match self {
            Self::Program(program) => &program.version,
            Self::Containers => "",
            Self::Endpoints(addressed) => &addressed.version,
        }
    }
}

/// Checks that a planned run can be made here, and makes the folders that it writes to.
///
/// # Errors
/// As [`programs`] and [`places`].
pub fn check(planned: &PlannedRun) -> Result<Members> {
    let members = programs(planned)?;
    places(planned)?;
    Ok(members)
}

/// Checks that the programs are here which a planned run starts.
///
/// # Errors
/// [`Error::Environment`] with what to install.
pub fn programs(planned: &PlannedRun) -> Result<Members> {
    match planned.spec.cluster.backend {
        Backend::Docker => return Ok(Members::Containers),
        Backend::Endpoints => return Err(Error::usage("a cluster of endpoints is recorded by `recorder bench` alone")),
        Backend::Sandbox => {}
    }
    let program = sandbox_programs(planned.etcd.as_deref(), planned.etcd_version.as_deref())?;
    if let Some(fault) = &planned.spec.fault {
        Mechanism::check_programs(fault.mechanism)?;
    }
    Ok(Members::Program(program))
}

/// Checks that the programs are here which every cluster in a sandbox needs.
///
/// # Errors
/// [`Error::Environment`] with what to install.
pub fn sandbox_programs(etcd: Option<&Path>, version: Option<&str>) -> Result<etcd::Program> {
    let program = etcd::Program::find(etcd, version)?;
    if crate::programs::find("ip").is_none() {
        return Err(Error::environment("no `ip` on PATH, which the sandbox needs; install it (apt install iproute2)"));
    }
    Ok(program)
}

/// Checks the folders that a planned run writes to, and makes them.
///
/// # Errors
/// As [`place`].
pub fn places(planned: &PlannedRun) -> Result<()> {
    for (option, at) in [("--dir", Some(&planned.results)), ("--data-dir", planned.data_dir.as_ref())] {
        if let Some(at) = at {
            place(option, at)?;
        }
    }
    Ok(())
}

/// Checks a folder that is written to from the sandbox, makes it, and returns where it really lies.
///
/// # Errors
/// [`Error::Usage`] for a place that cannot be used, [`Error::Run`] for one that cannot be made.
pub fn place(option: &str, place: &Path) -> Result<PathBuf> {
    let message = |problem: String| format!("{option}: {}: {problem}; choose another place", place.display());
    // Made first, because only what is there can be resolved.
    let resolved = std::fs::create_dir_all(place).and_then(|()| place.canonicalize());
    let resolved = resolved.map_err(|error| Error::run(message(error.to_string())))?;
    if resolved.starts_with("/run") {
        // An error means that it was not empty, and then it was not made here.
        let _ = std::fs::remove_dir(&resolved);
        return Err(Error::usage(message("lies below /run, which the sandbox replaces".into())));
    }
    Ok(resolved)
}
