//! `analyze causes`, as it is typed.

use clap::Args;

use super::{AnalysedArgs, TableArgs};
use crate::commands::{Causes, Command, Question};

pub(super) const HELP: &str = "\
raised: at least twice what it was before the fault (where the fault lasts all the time: what it was in the baselines), \
more than the largest such ratio in baselines and null faults, and by more than a trifle, which --format csv has as `least`. \
Quantiles of fsync, backend commit and peer round trip come from etcd's histograms, whose buckets double: two values \
within one bucket are told apart by interpolation only.";

#[derive(Debug, Args)]
pub(super) struct CausesArgs {
    #[command(flatten)]
    runs: AnalysedArgs,
    #[command(flatten)]
    output: TableArgs,
    /// Show also what is normal, and every column; the other formats always have them all
    #[arg(long)]
    wide: bool,
}

impl From<CausesArgs> for Command {
    fn from(typed: CausesArgs) -> Self {
        let output = typed.output.into_output();
        let question = Question::Causes(Causes { selection: typed.runs.into(), wide: typed.wide });
        Self::Table { question, output }
    }
}
