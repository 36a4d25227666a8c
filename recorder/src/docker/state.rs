//! What a container does, and whether it did so all the time.

use std::fmt;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum};

/// What a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It was never started.
    Created,
    /// Its program runs.
    Running,
    /// Its program is held.
    Paused,
    /// Its program ended and is about to be started anew.
    Restarting,
    /// Its program ended.
    Exited,
    /// It is about to be removed, or could not be.
    Removing,
    /// There is no such container (any more).
    Gone,
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Created => "was never started",
            Self::Running => "is running",
            Self::Paused => "is paused",
            Self::Restarting => "is restarting",
            Self::Exited => "has ended",
            Self::Removing => "is being removed",
            Self::Gone => "is gone",
        })
    }
}

/// What a container's own check says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It has not been healthy yet.
    Starting,
    /// It is.
    Healthy,
    /// It is not.
    Unhealthy,
}

/// What a container does, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerState {
    /// Its id: another one under the same name is another container.
    pub id: String,
    /// What it does.
    pub status: Status,
    /// Its first process in the engine's process id namespace, while it runs.
    pub pid: Option<i32>,
    /// When its program was started last, as the engine writes times.
    pub started_at: String,
    /// How often the engine restarted it by itself.
    pub restart_count: i64,
    /// How its program ended, when it has.
    pub exit_code: Option<i64>,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
    /// Why the engine could not start it, when it could not.
    pub error: Option<String>,
    /// What its own check says, when it has one.
    pub health: Option<Health>,
}

impl ContainerState {
    /// State of a container that does not exist.
    pub(super) fn gone() -> Self {
        Self {
            id: String::new(),
            status: Status::Gone,
            pid: None,
            started_at: String::new(),
            restart_count: 0,
            exit_code: None,
            out_of_memory: false,
            error: None,
            health: None,
        }
    }

    pub(super) fn of(container: &ContainerInspectResponse) -> Self {
        let state = container.state.clone().unwrap_or_default();
        let status = match state.status {
            Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::STOPPING) => Status::Running,
            Some(ContainerStateStatusEnum::PAUSED) => Status::Paused,
            Some(ContainerStateStatusEnum::RESTARTING) => Status::Restarting,
            Some(ContainerStateStatusEnum::EXITED) => Status::Exited,
            Some(ContainerStateStatusEnum::REMOVING | ContainerStateStatusEnum::DEAD) => Status::Removing,
            Some(ContainerStateStatusEnum::CREATED | ContainerStateStatusEnum::EMPTY) | None => Status::Created,
        };
        let ended = matches!(status, Status::Exited | Status::Removing | Status::Restarting);
        Self {
            id: container.id.clone().unwrap_or_default(),
            status,
            pid: state.pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0),
            started_at: state.started_at.unwrap_or_default(),
            restart_count: container.restart_count.unwrap_or_default(),
            exit_code: state.exit_code.filter(|_| ended),
            out_of_memory: state.oom_killed.unwrap_or_default(),
            error: state.error.filter(|error| !error.is_empty()),
            health: match state.health.and_then(|health| health.status) {
                Some(HealthStatusEnum::STARTING) => Some(Health::Starting),
                Some(HealthStatusEnum::HEALTHY) => Some(Health::Healthy),
                Some(HealthStatusEnum::UNHEALTHY) => Some(Health::Unhealthy),
                Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => None,
            },
        }
    }

    /// Whether its program runs and is not held.
    pub fn is_running(&self) -> bool {
        self.status == Status::Running
    }

    /// Says what happened to the container since `earlier`, when it did not simply go on: whatever was put into its
    /// network namespace then is gone. A pause that is over cannot be seen here.
    pub fn not_the_same_as(&self, earlier: &Self) -> Option<String> {
        if self.status == Status::Gone || !self.is_running() {
            return (self.status != earlier.status).then(|| self.to_string());
        }
        if self.id != earlier.id {
            return Some("was removed and made anew".into());
        }
        (self.started_at != earlier.started_at
            || self.pid != earlier.pid
            || self.restart_count != earlier.restart_count)
            .then(|| format!("was restarted at {}", self.started_at))
    }
}

impl fmt::Display for ContainerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.fmt(formatter)?;
        if let Some(code) = self.exit_code {
            write!(formatter, " (exit code {code}{})", if self.out_of_memory { ", out of memory" } else { "" })?;
        }
        match &self.error {
            Some(error) => write!(formatter, " ({error})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_noticed_by_any_of_its_signs() {
        let before = ContainerState {
            id: "a".into(),
            status: Status::Running,
            pid: Some(7),
            started_at: "2026-01-01T00:00:00Z".into(),
            ..ContainerState::gone()
        };
        assert_eq!(before.not_the_same_as(&before), None);
        let changed = |change: fn(&mut ContainerState)| {
            let mut after = before.clone();
            change(&mut after);
            after.not_the_same_as(&before).unwrap()
        };
        assert!(changed(|state| state.started_at = "2026-01-01T00:00:09Z".into()).contains("restarted at"));
        assert!(changed(|state| state.pid = Some(8)).contains("restarted"));
        assert!(changed(|state| state.restart_count = 1).contains("restarted"));
        assert!(changed(|state| state.id = "b".into()).contains("made anew"));
        assert_eq!(changed(|state| *state = ContainerState::gone()), "is gone");
        let killed = |state: &mut ContainerState| {
            (state.status, state.exit_code, state.out_of_memory) = (Status::Exited, Some(137), true);
        };
        assert_eq!(changed(killed), "has ended (exit code 137, out of memory)");
    }
}
