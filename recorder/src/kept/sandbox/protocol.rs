//! What commands and the daemon of a kept sandbox say to each other: one JSON line each way on the control socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cluster::action::MemberAction;
use crate::cluster::member_status::ClusterStatus;

/// What a command asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// How the members are.
    Status,
    /// The way into the network at a place.
    Place {
        /// `client`, or a member's name.
        at: String,
    },
    /// Something to be done to a member.
    Act {
        /// What.
        action: MemberAction,
        /// The member's name.
        member: String,
    },
    /// The end of it all.
    Stop,
}

/// What the daemon answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// How the members are.
    Status(ClusterStatus),
    /// With it come two open files: the user namespace and the network namespace of the place.
    Place {
        /// The members' addresses for clients.
        endpoints: Vec<String>,
    },
    /// It is done; what was started is not ready yet.
    Acted,
    /// It ends now.
    Stopping {
        /// Names of the members.
        members: Vec<String>,
        /// Folder of their data.
        data: PathBuf,
    },
    /// What was asked cannot be done.
    Refused {
        /// Why.
        message: String,
        /// The exit code that this ends in.
        code: u8,
    },
}
