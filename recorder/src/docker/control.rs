//! What is done to a single container, and what it does.

use std::time::Duration;

use bollard::query_parameters::{
    KillContainerOptionsBuilder, RestartContainerOptionsBuilder, StopContainerOptionsBuilder,
};

use super::Engine;
use super::state::ContainerState;
use crate::error::Result;

impl Engine {
    /// What a container does; [`super::Status::Gone`] when there is none.
    ///
    /// # Errors
    /// [`crate::error::Error::Environment`] when the engine does not answer.
    pub async fn state(&self, container: &str) -> Result<ContainerState> {
        let inspected = self.inspect(container).await?;
        Ok(inspected.as_ref().map_or_else(ContainerState::gone, ContainerState::of))
    }

    /// Sends a signal, as `SIGKILL`, to a container's first process.
    ///
    /// # Errors
    /// [`crate::error::Error::Environment`], as for all of the following, when the engine refuses or does not answer.
    pub async fn kill(&self, container: &str, signal: &str) -> Result<()> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let call = self.docker.kill_container(container, Some(options));
        self.call_to(&format!("to send {signal} to container {container}"), call).await
    }

    /// Asks a container's program to end, and ends it after `patience`.
    ///
    /// # Errors
    /// See [`Self::kill`].
    pub async fn stop(&self, container: &str, patience: Duration) -> Result<()> {
        let options = StopContainerOptionsBuilder::new().t(seconds(patience)).build();
        let call = self.docker.stop_container(container, Some(options));
        self.call_to(&format!("to stop container {container}"), call).await
    }

    /// Starts a container that ended.
    ///
    /// # Errors
    /// See [`Self::kill`].
    pub async fn start(&self, container: &str) -> Result<()> {
        let call = self.docker.start_container(container, None);
        self.call_to(&format!("to start container {container}"), call).await
    }

    /// Stops a container as [`Self::stop`] does, and starts it again.
    ///
    /// # Errors
    /// See [`Self::kill`].
    pub async fn restart(&self, container: &str, patience: Duration) -> Result<()> {
        let options = RestartContainerOptionsBuilder::new().t(seconds(patience)).build();
        let call = self.docker.restart_container(container, Some(options));
        self.call_to(&format!("to restart container {container}"), call).await
    }

    /// Holds all processes of a container.
    ///
    /// # Errors
    /// See [`Self::kill`].
    pub async fn pause(&self, container: &str) -> Result<()> {
        self.call_to(&format!("to pause container {container}"), self.docker.pause_container(container)).await
    }

    /// Lets the processes of a paused container go on.
    ///
    /// # Errors
    /// See [`Self::kill`].
    pub async fn unpause(&self, container: &str) -> Result<()> {
        self.call_to(&format!("to unpause container {container}"), self.docker.unpause_container(container)).await
    }
}

/// The engine counts patience in whole seconds, and must be done before the call is given up.
fn seconds(patience: Duration) -> i32 {
    patience.as_millis().div_ceil(1000).min(50) as i32
}
