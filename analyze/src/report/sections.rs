//! The sections of a part, each in a file of its own: what was gathered goes in, a section comes out.

use super::figures::Numbers;
use super::{Part, Section};
use crate::Result;

mod causes;
mod checks;
mod effects;
mod evidence;
mod experiment;
mod levels;
mod members;
mod over_time;
mod recovery;
pub(super) mod rest;
mod runs;
mod severity;
mod short;
mod verdicts;

/// Makes a section; none where the runs have nothing of it.
pub(super) type Make = fn(&Part, &Numbers) -> Result<Option<Section>>;

/// The sections of a part, in reading order.
pub(super) const OF_A_PART: &[Make] = &[
    short::section,
    verdicts::section,
    experiment::section,
    effects::section,
    severity::section,
    recovery::section,
    causes::section,
    checks::section,
    levels::section,
    over_time::throughput,
    over_time::latency,
    over_time::distributions,
    members::section,
    runs::section,
];
