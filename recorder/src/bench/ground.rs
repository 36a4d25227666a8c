//! Which cluster is measured: the one at the endpoints that were typed, the one that is up, or one that is made.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use run_folder::RunSpec;
use run_folder::spec::{Backend, ClientPlace};

use crate::cli::bench::BenchCommand;
use crate::cli::kept::KeptKind;
use crate::cli::{ClusterKind, Places};
use crate::cluster::choice::Choice;
use crate::cluster::member_status::{ClusterStatus, MemberStatusRow, Role};
use crate::endpoints::{self, Endpoint};
use crate::error::{Error, Result};
use crate::machine::Addressed;
use crate::plan::etcd_version_of_environment;
use crate::{apart, kept, terminal};

/// Most members: rows count them in a byte.
const ENDPOINTS_MAX: usize = 100;

/// The cluster that is measured.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The members when they are up; none for a cluster that is made.
    pub(super) up: Option<Addressed>,
    /// Where things are that a run needs.
    pub(super) places: Places,
    /// What is to be known of the choice, in sentences.
    pub(super) notes: Vec<String>,
}

/// Chooses, and puts the choice into the specs. Must be called while the process has a single thread.
///
/// # Errors
/// When what was asked for is not to be had.
pub(super) fn choose(typed: &BenchCommand, specs: &mut [RunSpec]) -> Result<Chosen> {
    let mut chosen = Chosen { up: None, places: places(typed), notes: Vec::new() };
    if let Some(text) = &typed.endpoints {
        let endpoints = endpoints::parse(text)?;
        check(&endpoints, typed.allow_remote)?;
        chosen.look_for_listeners(&endpoints);
        chosen.take(specs, Backend::Endpoints, Addressed { endpoints, in_kept_sandbox: false, version: String::new() });
    } else if let Some(status) = apart::find_out(|| kept::status(typed.cluster))? {
        check_options(typed, &status)?;
        let (backend, addressed) = addressed(&status)?;
        terminal::line(format_args!("measuring the cluster that is up: {}", status.about));
        for row in &status.members {
            match &row.problem {
                // One that is asked and does not answer is found out by asking it.
                Some(_) if row.role == Role::Unreachable && reached_at(row, in_sandbox(&status)).is_some() => {}
                Some(problem) => chosen.note(format!("{} is not healthy: {problem}", row.member)),
                None => {}
            }
        }
        chosen.take(specs, backend, addressed);
    } else {
        Choice::make(&chosen.places)?.apply(specs.iter_mut())?;
    }
    Ok(chosen)
}

fn places(typed: &BenchCommand) -> Places {
    Places {
        dir: typed.dir.clone(),
        etcd: typed.etcd.clone(),
        etcd_version: typed.etcd_version.clone(),
        data_dir: typed.data_dir.clone(),
        // Containers that are up would have been found.
        cluster: if typed.cluster == KeptKind::Docker { ClusterKind::Docker } else { ClusterKind::Sandbox },
        image: typed.image.clone(),
    }
}

impl Chosen {
    /// Something that people shall know of the choice: at once, and beside the results.
    fn note(&mut self, note: String) {
        terminal::line(format_args!("warning: {note}"));
        self.notes.push(note);
    }

    fn take(&mut self, specs: &mut [RunSpec], backend: Backend, addressed: Addressed) {
        for spec in specs {
            spec.cluster.backend = backend;
            spec.cluster.nodes = addressed.endpoints.len() as u8;
            spec.workload.client_at = if addressed.in_kept_sandbox { ClientPlace::Own } else { ClientPlace::Host };
        }
        self.up = Some(addressed);
    }

    /// Says when endpoints are the listeners of a sandbox, which are not for measuring.
    fn look_for_listeners(&mut self, endpoints: &[Endpoint]) {
        // Without such a sandbox, or with one that does not answer, there is nothing to say.
        let found = apart::find_out(|| Ok(kept::status(KeptKind::Sandbox).ok().flatten()));
        let Ok(Some(status)) = found else { return };
        let is_listener = |endpoint: &&Endpoint| {
            let address = endpoint.address.to_string();
            status.members.iter().any(|row| row.listener.as_ref() == Some(&address))
        };
        let names: Vec<_> = endpoints.iter().filter(is_listener).map(|endpoint| endpoint.name.as_str()).collect();
        if !names.is_empty() {
            self.note(format!(
                "{}: listeners of the sandbox that is up, which pass each byte through the recorder and are slower than its \
                 members; without --endpoints it is measured from inside",
                names.join(", ")
            ));
        }
    }
}

/// Refuses endpoints that should not be loaded.
fn check(endpoints: &[Endpoint], allow_remote: bool) -> Result<()> {
    if endpoints.len() > ENDPOINTS_MAX {
        return Err(Error::usage(format!("--endpoints: more than {ENDPOINTS_MAX} members")));
    }
    match endpoints.iter().find(|endpoint| !allow_remote && !is_here(endpoint.address.ip())) {
        Some(Endpoint { name, address }) => Err(Error::usage(format!(
            "--endpoints: {name} leads to {}, which is not an address of this machine; a benchmark loads what it is pointed at, \
             so add --allow-remote only where that disturbs nobody",
            address.ip()
        ))),
        None => Ok(()),
    }
}

/// Whether an address is one of this machine's, in the network that this process is in.
fn is_here(address: IpAddr) -> bool {
    // The kernel lets a socket be bound to addresses of its own only.
    address.is_loopback() || UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

/// Refuses options that ask for another cluster than the one that is up.
fn check_options(typed: &BenchCommand, status: &ClusterStatus) -> Result<()> {
    let members = status.members.len();
    if let Some(nodes) = typed.nodes.filter(|nodes| usize::from(*nodes) != members) {
        return Err(Error::usage(format!(
            "--nodes {nodes}: the cluster that is up has {members} members; leave --nodes out, or end it by `recorder down`"
        )));
    }
    let for_new = [
        ("--etcd", typed.etcd.is_some()),
        ("--data-dir", typed.data_dir.is_some()),
        ("--image", typed.image.is_some()),
    ];
    if let Some((option, _)) = for_new.iter().find(|(_, is_typed)| *is_typed) {
        return Err(Error::usage(format!(
            "{option} is for a cluster that is made, and one is up, which is measured; leave {option} out, or end that one by \
             `recorder down`"
        )));
    }
    let asked = typed.etcd_version.clone().or_else(etcd_version_of_environment);
    let found = status.members.iter().find_map(|row| row.version.as_deref());
    match (asked, found) {
        (Some(asked), Some(found)) if asked.trim_start_matches('v') != found => Err(Error::environment(format!(
            "the cluster that is up runs etcd {found}, but --etcd-version or $ETCD_VERSION asks for {asked}; end it by `recorder \
             down`, or leave the version out"
        ))),
        _ => Ok(()),
    }
}

/// The members of a cluster that is up, where the workload reaches them: those of a sandbox inside its network.
fn addressed(status: &ClusterStatus) -> Result<(Backend, Addressed)> {
    let in_kept_sandbox = in_sandbox(status);
    let reached = status
        .members
        .iter()
        .filter_map(|row| Some(Endpoint { name: row.member.clone(), address: reached_at(row, in_kept_sandbox)? }));
    let endpoints: Vec<_> = reached.collect();
    if endpoints.is_empty() {
        return Err(Error::environment(
            "no member of the cluster that is up runs; `recorder status` shows it, `recorder down` ends it",
        ));
    }
    let version = status.members.iter().find_map(|row| row.version.clone()).unwrap_or_default();
    let backend = if in_kept_sandbox { Backend::Sandbox } else { Backend::Docker };
    Ok((backend, Addressed { endpoints, in_kept_sandbox, version }))
}

fn in_sandbox(status: &ClusterStatus) -> bool {
    status.backend == Backend::Sandbox
}

/// Where the workload reaches a member; nowhere when it is a container that does not run.
fn reached_at(row: &MemberStatusRow, in_kept_sandbox: bool) -> Option<SocketAddr> {
    if in_kept_sandbox { row.address.parse().ok() } else { row.reachable_at() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_loaded_unasked() {
        let endpoints = |text: &str| endpoints::parse(text).expect(text);
        assert!(check(&endpoints("127.0.0.1:2379,[::1]:2379"), false).is_ok());
        // An address that is kept for documentation, and so nobody's.
        let elsewhere = endpoints("127.0.0.1:2379,192.0.2.1:2379");
        let message = check(&elsewhere, false).expect_err("it is not here").to_string();
        assert!(message.contains("192.0.2.1:2379") && message.contains("--allow-remote"), "{message}");
        assert!(check(&elsewhere, true).is_ok());
        let many: Vec<_> = (1..=101).map(|port| format!("127.0.0.1:{port}")).collect();
        let message = check(&endpoints(&many.join(",")), false).expect_err("too many").to_string();
        assert!(message.contains("more than 100"), "{message}");
    }
}
