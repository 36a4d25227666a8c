//! The Docker engine: finding and making clusters of containers, and the sidecars that act inside them.
//!
//! Nothing else in the recorder speaks to the engine. Whatever is made here carries [`labels`], so that it can be told
//! from what others made, and be removed after a recorder that was killed. Nobody else's container, network or volume
//! is ever changed.

pub mod claim;
pub mod control;
pub mod down;
pub mod engine;
pub mod find;
pub mod image;
pub mod labels;
pub mod logs;
pub mod naming;
pub mod ports;
pub mod session;
pub mod sidecar;
pub mod state;
pub mod up;

mod calls;
mod removing;

pub use claim::Claim;
pub use down::Removed;
pub use engine::{CgroupVersion, Engine};
pub use find::{FoundCluster, MemberContainer};
pub use naming::Naming;
pub use ports::PublishPorts;
pub use session::SessionLabel;
pub use sidecar::{Capability, Role, Sidecar, SidecarNetwork, SidecarSpec};
pub use state::{ContainerState, Status};
pub use up::UpSpec;
