//! Labels of all that the recorder makes on an engine.

/// Which cluster it belongs to: [`super::Naming::cluster`].
pub const CLUSTER: &str = "laggard.cluster";
/// What it is for: `member`, `sidecar`, `client`, `probe`, `claim`, `network`, `data`.
pub const ROLE: &str = "laggard.role";
/// Which invocation made it.
pub const SESSION: &str = "laggard.session";
/// Always [`RECORDER`]; what lacks it is somebody else's.
pub const MADE_BY: &str = "laggard.made-by";
/// Value of [`MADE_BY`].
pub const RECORDER: &str = "recorder";
/// Which call made it: what one failed call made can be removed without touching anything else.
pub const MADE_IN: &str = "laggard.made-in";
/// `yes` when it is meant to outlive the recorder that made it.
pub const KEPT: &str = "laggard.kept";
/// How many members its cluster has.
pub const NODES: &str = "laggard.nodes";

/// The maker's process id.
pub const PID: &str = "laggard.pid";
/// When the maker's process started, in clock ticks since boot: tells it from a later process of the same id.
pub const STARTED: &str = "laggard.started";
/// The boot in which the maker ran.
pub const BOOT: &str = "laggard.boot";
/// The process id namespace in which the maker's id counts.
pub const PID_NAMESPACE: &str = "laggard.pid-namespace";

/// A filter of the engine's lists: `key=value`.
pub(super) fn is(key: &str, value: &str) -> String {
    format!("{key}={value}")
}
