//! What was typed as a test becomes what is tested.

use crate::cli::checks::{CheckName, TestCommand, parse_node_count};
use crate::cli::kept::{KeptKind, UpCommand, UpKind};
use crate::endpoints::{self, Endpoint};
use crate::error::{Error, Result};
use crate::plan::etcd_version_of_environment;
use clap::ValueEnum as _;
use run_folder::DEFAULT_RESULTS_DIR;

/// Members of a cluster that is brought up, where nobody says how many.
const NODES_DEFAULT: u8 = 3;

/// A test to make.
#[derive(Debug)]
pub(super) struct TestPlan {
    /// Which cluster.
    pub(super) target: Target,
    /// How many members it must have.
    pub(super) nodes: Option<NodesAsked>,
    /// Which version of etcd it must be.
    pub(super) etcd_version: Option<String>,
    /// Checks that are left out.
    pub(super) skipped: Vec<CheckName>,
    /// Whether a fresh cluster is brought up, and removed afterwards.
    pub(super) once: bool,
    /// Whether the result is one JSON object.
    pub(super) json: bool,
}

/// Which cluster is tested.
#[derive(Debug)]
pub(super) enum Target {
    /// The one that is up, else one that is brought up.
    Kept {
        /// Where one that is up is looked for.
        cluster: KeptKind,
        /// How one is brought up.
        up: UpCommand,
        /// Options that only matter then, as typed.
        only_up: Vec<&'static str>,
    },
    /// Somebody else's.
    Endpoints(Vec<Endpoint>),
}

/// A number of members that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodesAsked {
    /// The number.
    pub(super) count: u8,
    /// What asked for it.
    pub(super) by: &'static str,
}

impl TestPlan {
    /// What was typed, as far as it makes sense.
    ///
    /// # Errors
    /// [`Error::Usage`] that names the option or the variable.
    pub(super) fn new(typed: &TestCommand) -> Result<Self> {
        let nodes = nodes(typed.nodes, std::env::var("NODES").ok())?;
        if CheckName::value_variants().iter().all(|check| typed.skip.contains(check)) {
            return Err(Error::usage("--skip: no check is left to be made"));
        }
        let target = match &typed.endpoints {
            Some(text) => Target::Endpoints(endpoints::parse(text)?),
            None => kept(typed, nodes),
        };
        Ok(Self {
            target,
            nodes,
            etcd_version: typed.etcd_version.clone().or_else(etcd_version_of_environment),
            skipped: typed.skip.clone(),
            once: typed.once,
            json: typed.json,
        })
    }
}

/// Where a cluster that is up is looked for.
pub(super) fn kept_kind(typed: Option<UpKind>) -> KeptKind {
    match typed {
        None => KeptKind::Auto,
        Some(UpKind::Sandbox) => KeptKind::Sandbox,
        Some(UpKind::Docker) => KeptKind::Docker,
    }
}

fn kept(typed: &TestCommand, nodes: Option<NodesAsked>) -> Target {
    let only_up =
        [("--etcd", typed.etcd.is_some()), ("--image", typed.image.is_some()), ("--dir", typed.dir.is_some())];
    let up = UpCommand {
        nodes: nodes.map_or(NODES_DEFAULT, |nodes| nodes.count),
        cluster: typed.cluster.unwrap_or(UpKind::Sandbox),
        etcd: typed.etcd.clone(),
        etcd_version: typed.etcd_version.clone(),
        dir: typed.dir.clone().unwrap_or_else(|| DEFAULT_RESULTS_DIR.into()),
        data_dir: None,
        image: typed.image.clone(),
    };
    let only_up = only_up.into_iter().filter_map(|(option, is_typed)| is_typed.then_some(option)).collect();
    Target::Kept { cluster: kept_kind(typed.cluster), up, only_up }
}

/// The number that was typed, else that of the environment; an empty variable asks for none.
fn nodes(typed: Option<u8>, variable: Option<String>) -> Result<Option<NodesAsked>> {
    if let Some(count) = typed {
        return Ok(Some(NodesAsked { count, by: "--nodes" }));
    }
    let Some(text) = variable.filter(|text| !text.is_empty()) else { return Ok(None) };
    match parse_node_count(&text) {
        Some(count) => Ok(Some(NodesAsked { count, by: "$NODES" })),
        None => Err(Error::usage(format!("$NODES: {text:?} is not 3, 5 or 7; set it to one of them, or unset it"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_comes_before_the_variable() {
        let asked = |typed, variable: Option<&str>| nodes(typed, variable.map(str::to_owned));
        assert_eq!(asked(None, None).unwrap(), None);
        assert_eq!(asked(None, Some("")).unwrap(), None);
        assert_eq!(asked(None, Some("5")).unwrap(), Some(NodesAsked { count: 5, by: "$NODES" }));
        assert_eq!(asked(Some(7), Some("nonsense")).unwrap(), Some(NodesAsked { count: 7, by: "--nodes" }));
        for wrong in ["4", "0", "three", "3 ", "-3"] {
            let message = asked(None, Some(wrong)).unwrap_err().to_string();
            assert!(message.contains("$NODES") && message.contains(wrong), "{message}");
        }
    }
}
