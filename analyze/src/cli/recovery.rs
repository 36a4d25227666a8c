//! `analyze recovery`, as it is typed.

use clap::Args;

use super::{AnalysedArgs, DeltaByArg, TableArgs};
use crate::commands::{Command, DeltaBy, Question, Recovery};
use crate::tables::recovery::Rule;

pub(super) const HELP: &str = "\
All times count from the fault's end. ops/s: until the throughput of before was held; half-second bins may lack what bins \
before the fault differ by without any reason (three standard deviations). p50, p99: until no bin was worse than the worst \
before, and half as much again as all of it; bins of p99 are 5 s or longer, and let a standstill of a tenth of a second off. backlog: until no more operations were due and not ended than before (open loops). first write: the first \
acknowledgement of a write that was sent after the fault's end.

What was not seen to recover is censored: `> 12.3` in the table; null in the other formats, beside `_censored` and \
`_lower_bound_s`. Medians over repeats rank it above all others. A fault that lasts to the end has no recovery. Runs without \
a fault are taken as if there had been one in their middle third: what they show is noise.";

#[derive(Debug, Args)]
pub(super) struct RecoveryArgs {
    #[command(flatten)]
    runs: AnalysedArgs,
    #[command(flatten)]
    output: TableArgs,
    /// What a row is
    #[arg(long, value_enum, default_value = "label")]
    by: DeltaByArg,
    #[command(flatten)]
    rule: RuleArgs,
    /// Show every column in the table; the other formats always have them all
    #[arg(long)]
    wide: bool,
}

/// What counts as recovered.
#[derive(Debug, Args)]
pub(super) struct RuleArgs {
    /// Time for which the level before must be held; 2 s is longer than etcd's election timeout
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    hold: f64,
    /// Share of the throughput before that counts as recovered, in percent
    #[arg(long, value_name = "PERCENT", default_value = "95", value_parser = percent)]
    share: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    Rule::hold_s(text.parse().unwrap_or(f64::NAN)).map_err(str::to_owned)
}

fn percent(text: &str) -> Result<f64, String> {
    Rule::share_percent(text.parse().unwrap_or(f64::NAN)).map_err(str::to_owned)
}

impl From<RuleArgs> for Rule {
    fn from(typed: RuleArgs) -> Self {
        Self { hold_s: typed.hold, share_percent: typed.share }
    }
}

impl From<RecoveryArgs> for Command {
    fn from(typed: RecoveryArgs) -> Self {
        let output = typed.output.into_output();
        let question = Question::Recovery(Recovery {
            selection: typed.runs.into(),
            by: match typed.by {
                DeltaByArg::Label => DeltaBy::Label,
                DeltaByArg::Run => DeltaBy::Run,
            },
            rule: typed.rule.into(),
            wide: typed.wide,
        });
        Self::Table { question, output }
    }
}
