//! The command line of `analyze gate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{AnalysedArgs, EXIT_CODES};
use crate::commands::{Gate, GateFormat, Rules};
use crate::gate::rule::Rule;
use crate::output::{Destination, Format};

const RULES_HELP: &str = "\
A rule is QUANTITY OP LIMIT:

  during.put.response.p99 <= 3 * before      put.p99_ms <= 50
  during.throughput >= 0.8 * baseline        error_rate <= 0.1%

  QUANTITY  [PHASE.][KIND.][TIME.]METRIC
    PHASE   before, during, after (the fault), all; default all
    KIND    put, get, get_serializable, txn, delete, all; default all kinds together
    TIME    response, service, response_due; default response
    METRIC  p50 p90 p95 p99 p99_9 mean max (ms), ops_per_s or throughput,
            count ok failed unknown unsent, not_ok_share or error_rate;
            of no PHASE and no TIME, see `analyze recovery`:
            recovery, first_write, backlog_drained, response_p50_recovery,
            response_p99_recovery, longest_gap, unavailable (s), ops_lost
  OP        <=, <, >=, >
  LIMIT     a number with or without a unit (us, ms, s, ops/s, %),
            or FACTOR * PHASE, or FACTOR * baseline

A rules file is TOML; what stands above the rules holds of all that say nothing else:

  of = \"run\"              # each run by itself (the default), or \"label\": its repeats pooled
                           # (longest_gap, unavailable, ops_lost: the worst of them)
  [[rule]]
  rule = \"during.put.p99 <= 3 * before\"
  name = \"puts stay usable\"
  runs = \"delay*_mid\"     # labels, or a list of them; without it, rules about what a fault did
                          # are about runs with a fault that are no controls, others about all
  sure = true             # the whole 95 % interval over repeats has to keep the limit

pass: the limit is kept. fail: it is not. cannot tell: there is no value (no such part or operation, nothing \
acknowledged, no baseline, no run, a run that failed or is unfinished), only a lower bound that does not decide, a latency \
whose response_due is a lower bound, a label of which some run cannot be judged or was not seen to end, or, with `sure`, an \
interval around the limit. The exit code says which: 0, 4 or 5.";

fn help() -> String {
    format!("{RULES_HELP}\n\n{EXIT_CODES}")
}

/// What is typed after `analyze gate`.
#[derive(Debug, Args)]
#[command(after_help = help())]
pub(super) struct GateArgs {
    /// Rules file; without one there has to be a --rule
    #[arg(value_name = "RULES.toml")]
    rules: Option<PathBuf>,
    /// A rule, as in 'put.p99_ms <= 50'; can be given several times, in place of a file or beside it
    #[arg(long = "rule", value_name = "RULE")]
    more_rules: Vec<Rule>,
    #[command(flatten)]
    runs: AnalysedArgs,
    /// How to write the verdicts
    #[arg(long, value_enum, default_value = "table")]
    format: GateFormatArg,
    /// File to write in place of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// File to write the verdicts to as Markdown too, as in "$GITHUB_STEP_SUMMARY"
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// File to write the verdicts to as JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GateFormatArg {
    /// Aligned columns for people
    Table,
    /// An array of objects; missing values are null
    Json,
    /// With a header; missing values are empty
    Csv,
    /// Apache Parquet
    Parquet,
    /// Markdown, for the summary of a CI job
    Markdown,
    /// JUnit XML
    Junit,
}

impl From<GateArgs> for Gate {
    fn from(typed: GateArgs) -> Self {
        Self {
            rules: Rules { file: typed.rules, more: typed.more_rules, selection: typed.runs.into() },
            format: match typed.format {
                GateFormatArg::Table => GateFormat::Table(Format::Table),
                GateFormatArg::Json => GateFormat::Table(Format::Json),
                GateFormatArg::Csv => GateFormat::Table(Format::Csv),
                GateFormatArg::Parquet => GateFormat::Table(Format::Parquet),
                GateFormatArg::Markdown => GateFormat::Markdown,
                GateFormatArg::Junit => GateFormat::Junit,
            },
            to: Destination::new(typed.output),
            markdown: typed.markdown,
            junit: typed.junit,
        }
    }
}
