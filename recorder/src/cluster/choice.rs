//! Which kind of cluster a run gets: what was asked for, or what is there.

use std::path::Path;

use run_folder::RunSpec;
use run_folder::spec::{Backend, ClientPlace, MechanismChoice};

use super::containers;
use crate::apart;
use crate::cli::{ClusterKind, Places};
use crate::docker::{Engine, Naming};
use crate::error::{Error, Result};
use crate::faults::{Mechanism, placement};
use crate::{plan, signals, terminal};

/// A settled choice.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Choice {
    backend: Backend,
    /// What the engine's kernel can do; nothing for the sandbox, which finds out by itself.
    mechanisms: Vec<Mechanism>,
}

impl Choice {
    /// Finds out what is there, and says what was chosen when that was not asked for. Must be called while the process has a
    /// single thread; it has one again afterwards.
    ///
    /// # Errors
    /// [`Error::Environment`] when what was asked for is not to be had.
    pub fn make(places: &Places) -> Result<Self> {
        if places.cluster == ClusterKind::Sandbox {
            return Ok(Self::sandbox());
        }
        apart::find_out(|| look(places))
    }

    fn sandbox() -> Self {
        Self { backend: Backend::Sandbox, mechanisms: Vec::new() }
    }

    /// Which kind it is.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Puts the choice into specs. All of them get the clients at the same place, so that they can be compared.
    ///
    /// # Errors
    /// [`Error::Usage`] for clients where the cluster has no place for them.
    pub fn apply<'a>(&self, specs: impl Iterator<Item = &'a mut RunSpec>) -> Result<()> {
        let mut specs: Vec<_> = specs.collect();
        let shapes =
            |spec: &&mut RunSpec| spec.fault.as_ref().is_some_and(|fault| fault.mechanism == MechanismChoice::Queue);
        // Between the host and a container there is no place for the queue shaper.
        let needs_own = !self.mechanisms.contains(&Mechanism::Netem) || specs.iter().any(shapes);
        for spec in &mut specs {
            spec.cluster.backend = self.backend;
            let at = &mut spec.workload.client_at;
            match (self.backend, &at) {
                (Backend::Sandbox, ClientPlace::Auto) => *at = ClientPlace::Own,
                (Backend::Docker, ClientPlace::Auto) if needs_own => *at = ClientPlace::Own,
                (Backend::Docker, ClientPlace::Auto) => *at = ClientPlace::Host,
                (Backend::Sandbox, ClientPlace::Host) => {
                    return Err(Error::usage(
                        "--client-at host: a sandbox has no way to the host; leave it out, name a member, or take --cluster docker",
                    ));
                }
                _ => {}
            }
            self.check(spec)?;
        }
        Ok(())
    }

    /// Refuses before anything is started what cannot be done in containers.
    fn check(&self, spec: &RunSpec) -> Result<()> {
        let (Backend::Docker, Some(fault)) = (self.backend, &spec.fault) else { return Ok(()) };
        let works = |mechanism: Mechanism| match self.mechanisms.contains(&mechanism) {
            true => Ok(()),
            false => {
                let name = mechanism.as_str();
                Err(Error::environment(format!(
                    "the kernel of the Docker engine has not what --mechanism {name} needs"
                )))
            }
        };
        let mechanism = Mechanism::choose(fault.mechanism, fault.effect, works)?;
        placement::check_client(fault, mechanism, &spec.workload.client_at)
    }
}

/// Looks for what there is, until a signal comes.
fn look(places: &Places) -> Result<Choice> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::environment(format!("the runtime cannot be started: {error}")))?;
    runtime.block_on(async {
        let mut signals = signals::install()?;
        let signal = tokio::select! {
            found = look_at_engine(places) => return found,
            signal = signals.wait_for(Option::is_some) => signal.ok().and_then(|signal| *signal).unwrap_or("a signal"),
        };
        containers::abandon().await?;
        Err(Error::Interrupted(format!("interrupted by {signal}; nothing was recorded")))
    })
}

async fn look_at_engine(places: &Places) -> Result<Choice> {
    let engine = match (Engine::connect().await, places.cluster) {
        (Ok(engine), _) => engine,
        (Err(error), ClusterKind::Docker) => return Err(error),
        (Err(_), _) => return Ok(Choice::sandbox()),
    };
    // First of all: what a killed recorder left is no cluster.
    containers::clear_left_behind(&engine).await?;
    let found = engine.find_cluster(&Naming::etcd()).await;
    let found = found.map_err(|error| match places.cluster {
        ClusterKind::Auto => Error::environment(format!("{error}; or leave the containers alone: --cluster sandbox")),
        _ => error,
    })?;
    match (&found, places.cluster) {
        (None, ClusterKind::Auto) => return Ok(Choice::sandbox()),
        (Some(found), _) => {
            let names = found.naming.members(found.members.len() as u8);
            terminal::line(format_args!(
                "using the containers {names} ({}), which stay up; --cluster sandbox leaves them alone",
                found.image
            ));
        }
        (None, _) => {}
    }
    let mechanisms = containers::mechanisms(&engine, &probe_folder(&places.dir)).await?;
    Ok(Choice { backend: Backend::Docker, mechanisms })
}

/// A folder for the socket of the container in which mechanisms are tried.
fn probe_folder(results: &Path) -> std::path::PathBuf {
    let stamp = chrono::Utc::now().format("%Y%m%d_%H%M%S");
    results.join(plan::DATA_FOLDER).join(format!("{stamp}_probe{}", std::process::id()))
}
