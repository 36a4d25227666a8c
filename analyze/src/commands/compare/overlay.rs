//! Distributions of the runs of one side, to be laid over those of the other.

use polars::prelude::*;

use crate::Result;
use crate::commands::Report;
use crate::commands::gather::map;
use crate::load::Run;
use crate::tables::cdf;

/// The distributions of each run.
pub(super) fn curves(runs: &[Run], report: &mut Report) -> Result<Vec<DataFrame>> {
    map(runs, report, |run| {
        let operations = run.operations(&cdf::READS)?;
        Ok(cdf::table(&operations, &run.facts(&operations)?)?)
    })
}
