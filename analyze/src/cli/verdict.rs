//! `analyze verdict`, as it is typed.

use clap::{Args, ValueEnum};

use super::recovery::RuleArgs;
use super::{AnalysedArgs, TableArgs};
use crate::commands::{Command, Question, Verdict, VerdictBy};

pub(super) const HELP: &str = "\
x6.0 [4.8, 7.1]: ratio and its 95 % interval over repeats; intervals from a single run, which do not contain what runs \
differ by, are marked within-run. Effects no larger than the noise floor of baselines and null faults are said to be within \
it, and others not to be significant where Holm's test over the sweep does not call them so. Clients are told by where they were beside the slow member; fsync by the members' own histograms, see `analyze causes`; \
back to normal by throughput and latency, see `analyze recovery`.";

#[derive(Debug, Args)]
pub(super) struct VerdictArgs {
    #[command(flatten)]
    runs: AnalysedArgs,
    #[command(flatten)]
    output: TableArgs,
    /// What a sentence is about
    #[arg(long, value_enum, default_value = "label")]
    by: ByArg,
    #[command(flatten)]
    rule: RuleArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ByArg {
    /// A run
    Run,
    /// A label: its repeats pooled, with 95 % intervals
    Label,
    /// A sweep; runs outside of sweeps count as one
    Sweep,
}

impl From<VerdictArgs> for Command {
    fn from(typed: VerdictArgs) -> Self {
        let output = typed.output.into_output();
        let question = Question::Verdict(Verdict {
            selection: typed.runs.into(),
            by: match typed.by {
                ByArg::Run => VerdictBy::Run,
                ByArg::Label => VerdictBy::Label,
                ByArg::Sweep => VerdictBy::Sweep,
            },
            rule: typed.rule.into(),
        });
        Self::Table { question, output }
    }
}
