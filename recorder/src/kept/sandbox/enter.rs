//! `recorder exec` for a sandbox: this process enters the cluster's network and becomes the program.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sched::{CloneFlags, setns};
use nix::sys::stat::{fstat, stat};

use crate::cli::kept::ExecCommand;
use crate::error::{Error, Result};

/// Becomes the program; returns the exit code when that fails.
///
/// # Errors
/// When the namespaces cannot be entered.
pub(super) fn become_program(typed: &ExecCommand, endpoints: &[String], namespaces: Vec<OwnedFd>) -> Result<u8> {
    enter(namespaces)?;
    let (program, arguments) = typed.program.split_first().expect("clap asks for one");
    let mut command = Command::new(program);
    command.args(arguments);
    crate::kept::name_endpoints(&mut command, arguments, endpoints);
    let error = command.exec();
    Ok(crate::kept::enter_failed(program, &error))
}

/// Moves this process, which must have a single thread, into a place.
///
/// # Errors
/// [`Error::Environment`] when that is refused.
pub(super) fn enter(namespaces: Vec<OwnedFd>) -> Result<()> {
    let [user, network] = <[OwnedFd; 2]>::try_from(namespaces)
        .map_err(|_| Error::run("the cluster's daemon did not hand its namespaces over; start the cluster again"))?;
    let refused = |errno| {
        Error::environment(format!(
            "the cluster's network cannot be entered ({errno}); be the same user, with the same rights, as for `recorder \
             up`"
        ))
    };
    // A sandbox made by root has no user namespace of its own, and one's own cannot be entered again.
    if !is_own_user_namespace(&user).map_err(refused)? {
        setns(&user, CloneFlags::CLONE_NEWUSER).map_err(refused)?;
    }
    setns(&network, CloneFlags::CLONE_NEWNET).map_err(refused)
}

fn is_own_user_namespace(namespace: impl AsFd) -> nix::Result<bool> {
    let (own, other) = (stat("/proc/self/ns/user")?, fstat(namespace)?);
    Ok((own.st_dev, own.st_ino) == (other.st_dev, other.st_ino))
}
