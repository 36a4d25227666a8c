//! Plans that come with the recorder. They are plan files like any other, so that they can be printed and changed.

use crate::cli::Preset;

impl Preset {
    /// The plan's name, as typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlowFollower => "slow-follower",
            Self::SlowLeader => "slow-leader",
            Self::Quick => "quick",
        }
    }

    /// The plan, in TOML.
    pub fn text(self) -> &'static str {
        match self {
            Self::SlowFollower => include_str!("presets/slow-follower.toml"),
            Self::SlowLeader => include_str!("presets/slow-leader.toml"),
            Self::Quick => include_str!("presets/quick.toml"),
        }
    }
}
