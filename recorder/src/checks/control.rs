//! Killing a member and starting it again, so that none stays down whatever happens in between.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use crate::cli::kept::KeptKind;
use crate::cluster::action::{Condition, MemberAction};
use crate::error::{Error, Result};
use crate::kept::{self, member};

/// What is done to the members of a cluster that is kept up.
#[derive(Debug)]
pub(super) struct Control {
    cluster: KeptKind,
    /// One thing after the other, also when nobody waits for the one before any more.
    turn: Arc<AsyncMutex<()>>,
    /// The member that was killed, or is just being killed.
    down: Mutex<Option<String>>,
}

impl Control {
    /// Of this cluster.
    pub(super) fn of(cluster: KeptKind) -> Self {
        Self { cluster, turn: Arc::default(), down: Mutex::default() }
    }

    /// Kills a member; it is gone when this returns.
    ///
    /// # Errors
    /// When whatever keeps the cluster up refuses.
    pub(super) async fn kill(&self, member: &str) -> Result<()> {
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = Some(member.to_owned());
        self.act(MemberAction::Kill, member).await
    }

    /// Starts the member that was killed; it runs when this returns, and is not ready yet. Without one there is nothing to do.
    ///
    /// # Errors
    /// When whatever keeps the cluster up refuses.
    pub(super) async fn restore(&self) -> Result<()> {
        let Some(member) = self.down() else { return Ok(()) };
        self.act(MemberAction::Restart, &member).await.map_err(|error| {
            Error::run(format!(
                "{member} was killed and could not be started again: {error}; recorder restart {member}"
            ))
        })?;
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// The member that may be down.
    pub(super) fn down(&self) -> Option<String> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why members cannot answer, by name, as far as whatever keeps the cluster up knows: a process that is held, or that has
    /// ended, and what it said before.
    pub(super) async fn problems(&self) -> HashMap<String, String> {
        let cluster = self.cluster;
        let status = tokio::task::spawn_blocking(move || kept::status(cluster)).await;
        // Without an answer there is nothing to add to what the network says.
        let members = status.ok().and_then(std::result::Result::ok).flatten().map(|status| status.members);
        let cannot_answer =
            members.into_iter().flatten().filter(|row| row.condition.is_some_and(|is| is != Condition::Running));
        cannot_answer.filter_map(|row| Some((row.member, row.problem?))).collect()
    }

    async fn act(&self, action: MemberAction, member: &str) -> Result<()> {
        let turn = self.turn.clone().lock_owned().await;
        let (cluster, name) = (self.cluster, member.to_owned());
        // Once begun it goes on to its end, even if this task does not; only then does the turn pass on.
        let acted = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            member::act(cluster, action, &name)
        });
        match acted.await {
            Ok(Ok(Some(_))) => Ok(()),
            Ok(Ok(None)) => Err(Error::run("the cluster is not up any more")),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(Error::run(format!("it could not be tried: {error}"))),
        }
    }
}
