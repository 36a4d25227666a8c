//! Faults that stand in the calling thread's network namespace, whoever put them there: what people looked for and removed
//! by `tc qdisc show` and `tc qdisc del`.

use super::netem;
use super::queue::rules::Iptables;
use crate::error::Result;

/// What faults there are, one a line: qdiscs that the kernel did not put there by itself, and our packet filter rules.
///
/// # Errors
/// When that cannot be seen.
pub fn show() -> Result<Vec<String>> {
    let mut lines = netem::show()?;
    lines.extend(Iptables::standing()?);
    Ok(lines)
}

/// Removes our faults, and with `all` every qdisc that somebody put there. Returns what was removed, one a line.
///
/// # Errors
/// When something cannot be removed.
pub fn clear(all: bool) -> Result<Vec<String>> {
    let mut lines = netem::clear(all)?;
    lines.extend(Iptables::clear_standing()?);
    Ok(lines)
}
