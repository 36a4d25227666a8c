//! `analyze compare` as it is typed.

use std::path::PathBuf;

use clap::Args;

use super::TableArgs;
use crate::commands::{Command, Comparison, Question, Side};
use crate::tables::delta::METRICS;

/// Below the options of the command.
pub(super) const HELP: &str = "\
A and B are each the first of these that there is: a run (its folder, its name within --dir, or BUNDLE:NAME); a results folder or a bundle, with \
all its runs; a sweep (its manifest sweeps/ID.json, the file of its plan, its id, or `latest`); a pattern of labels within --dir, as in \
'loss*_mid'. Where a name could be two of these, the choice is said on standard error.

Effects (during and after the fault relative to before, of full runs relative to the baselines of their own set; the level itself \
where there is nothing to relate it to) are put in relation. agree: the whole 95 % interval of that ratio lies within the margin; \
differ: wholly outside; cannot tell: neither. Of two runs a larger noise floor widens the margin; of two sets it does not, and what is \
outside of the margin but within the floor cannot be told. The exit code does not depend on the verdict.

Of two runs the intervals are within-run: a block bootstrap in time. They do not contain what runs differ by from one to the next.

Of two sets, labels of the same name are compared; where none is in both, labels with the same value of their fault, if each \
set is one family; or the two labels, if each set has one. Intervals are Welch's t over the runs of both. Where a label has one \
run in a set, its within-run interval takes the place, which is marked. Runs in which the leader changed are compared with such only, and so are runs of \
other workloads, clusters or faults, where both sets have some. Where all runs of one set acknowledged nothing, and those of the other did, they differ; where \
only some did not, it cannot be told.";

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// What to compare with: a run, a results folder, a sweep, or a pattern of labels
    #[arg(value_name = "A")]
    a: String,
    /// The other one; without it A must be a run that repeats another one, which is found beside it
    #[arg(value_name = "B")]
    b: Option<String>,
    /// Folder that holds the run folders, or a bundle
    #[arg(long, value_name = "DIR", default_value = run_folder::DEFAULT_RESULTS_DIR)]
    dir: PathBuf,
    /// Largest ratio of two effects that counts as the same, at least 1; of two runs a larger noise floor takes its place. Of
    /// not_ok_share it is always one percentage point
    #[arg(long, value_name = "FACTOR", default_value = "1.25", value_parser = margin)]
    margin: f64,
    /// The metric to compare sets by, as its column in `analyze delta` is named; can be given several times [default:
    /// ops_per_s, response_p50_ms, response_p99_ms, not_ok_share]
    #[arg(long = "metric", value_name = "NAME", value_parser = metric)]
    metrics: Vec<&'static str>,
    /// Take failed runs, where their files are whole
    #[arg(long)]
    include_failed: bool,
    /// Also draw the comparison into this file, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    output: TableArgs,
}

/// A metric by the name of its column.
fn metric(text: &str) -> Result<&'static str, String> {
    let found = METRICS.into_iter().find(|metric| *metric == text);
    found.ok_or_else(|| format!("no such metric; there are {}", METRICS.join(", ")))
}

/// A margin of at least 1.
fn margin(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor >= 1.0 && factor.is_finite() => Ok(factor),
        _ => Err("is no factor of at least 1, as in 1.25".to_owned()),
    }
}

impl From<CompareArgs> for Command {
    fn from(typed: CompareArgs) -> Self {
        let CompareArgs { a, b, dir, margin, metrics, include_failed, plot, output } = typed;
        let comparison =
            Comparison { a: Side::Typed(a), b: b.map(Side::Typed), dir, margin, metrics, include_failed, plot };
        Self::Table { question: Question::Compare(comparison), output: output.into_output() }
    }
}
