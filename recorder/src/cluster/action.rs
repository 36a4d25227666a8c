//! What people do to single members of a cluster that stays up, whatever it runs in.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What is done to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberAction {
    /// End it at once, as `kill -9` does.
    Kill,
    /// Start it with the data that it has; one that runs is ended in good order first.
    Restart,
    /// Hold it: it keeps its connections and answers nothing.
    Pause,
    /// Let it go on.
    Resume,
}

/// What a member's program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It runs.
    Running,
    /// It is held.
    Paused,
    /// It has ended.
    Ended,
}

impl MemberAction {
    /// Refuses what makes no sense with a member in this condition.
    ///
    /// # Errors
    /// [`Error::Usage`] with what would make sense.
    pub fn check(self, member: &str, condition: Condition) -> Result<()> {
        let refused = |problem: &str| Err(Error::usage(format!("{member} {problem}")));
        match (self, condition) {
            (Self::Kill | Self::Pause | Self::Resume, Condition::Ended) => {
                refused(&format!("does not run; `recorder restart {member}` starts it"))
            }
            (Self::Pause, Condition::Paused) => {
                refused(&format!("is paused already; `recorder resume {member}` lets it go on"))
            }
            (Self::Resume, Condition::Running) => refused("is not paused"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_with_what_does() {
        use {Condition::*, MemberAction::*};
        for (action, condition, problem) in [
            (Kill, Ended, "recorder restart etcd1"),
            (Pause, Ended, "recorder restart etcd1"),
            (Resume, Ended, "recorder restart etcd1"),
            (Pause, Paused, "recorder resume etcd1"),
            (Resume, Running, "is not paused"),
        ] {
            let message = action.check("etcd1", condition).expect_err(problem).to_string();
            assert!(message.starts_with("etcd1 ") && message.contains(problem), "{message}");
        }
        for (action, condition) in [(Kill, Running), (Kill, Paused), (Pause, Running), (Resume, Paused)]
            .into_iter()
            .chain([Running, Paused, Ended].map(|all| (Restart, all)))
        {
            assert!(action.check("etcd1", condition).is_ok(), "{action:?} {condition:?}");
        }
    }
}
