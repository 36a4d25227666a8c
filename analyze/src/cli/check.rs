//! What is typed after `analyze check`.

use clap::Args;

use super::{AnalysedArgs, TableArgs};
use crate::commands::{Check, Command, Question};

/// What `--help` says beyond the options.
pub(super) const HELP: &str = "\
etcd promises that operations occur in a total order that is consistent with real time, and numbers that order: the revision. \
Checked is whether the recorded answers can have come from it: real-time order of revisions and terms, revisions of writes, \
what reads and comparisons saw of their keys, where it was written, and the final state. When all of that holds, the \
acknowledged linearizable operations are linearizable, with the revisions as the order. Also checked is the recording itself: \
rows, older files, and members' sampled counters. `--format json` has each guarantee in words.

Serializable reads may be stale; of them is asked that they saw a state that was, and that one member does not go back. \
Values are not recorded, and an operation whose outcome is unknown may have been done or not.

A check is `not applicable` where a run has nothing of its kind, as without reads, and `not checkable` where it cannot be \
told, as in folders of older recorders.";

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    runs: AnalysedArgs,
    #[command(flatten)]
    output: TableArgs,
    /// Show guarantees and details in the table; the other formats always have them
    #[arg(long)]
    wide: bool,
}

impl From<CheckArgs> for Command {
    fn from(typed: CheckArgs) -> Self {
        let output = typed.output.into_output();
        let question = Question::Check(Check { selection: typed.runs.into(), wide: typed.wide });
        Self::Table { question, output }
    }
}
