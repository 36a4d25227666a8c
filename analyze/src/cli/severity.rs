//! `analyze severity` as it is typed.

use clap::Args;

use super::{AnalysedArgs, TableArgs};
use crate::commands::{Command, Question, Severity};
use crate::tables::severity::crossings::USUAL_PERCENT;
use crate::tables::severity::{USUAL, metrics};

/// Below the options of the command.
pub(super) const HELP: &str = "\
Runs that differ in the value of their fault alone make a curve: one family (the label without the value), target, and \
comparison (mid: during/before; full: during/baseline). Repeats of a value are pooled as in `analyze delta`; runs in \
which the leader changed are points of their own, and no curve goes through them.

Lost is 1 - ratio of a throughput, and 1 - 1/ratio of a time: 50 % is half the throughput or twice the time. The danger \
zone begins where --begins percent are lost (throughput x0.9, times x1.11) and is certain where --certain percent are \
(x0.5, x2). Between measured values the logarithm of the ratio is taken to be linear in the fault's value; what lies outside \
of them is told as < or >, never extrapolated. The 95 % interval holds every value at which a t test over the runs \
would not tell what is lost from the threshold; where a value has one run only, its within-run interval takes the place, \
which is marked.

A curve that loses less under a more severe fault is flagged where the two intervals lie apart, and by more than the \
noise floor; with `leader changed` where that explains it.";

#[derive(Debug, Args)]
pub(super) struct SeverityArgs {
    #[command(flatten)]
    runs: AnalysedArgs,
    #[command(flatten)]
    output: TableArgs,
    /// The metric to look at, as its column in `analyze delta` is named; can be given several times [default: ops_per_s,
    /// response_p50_ms, response_p99_ms]
    #[arg(long = "metric", value_name = "NAME", value_parser = metric)]
    metrics: Vec<&'static str>,
    /// Tell the danger zone in place of the points: from which value of the fault on how much is lost
    #[arg(long)]
    crossings: bool,
    /// Percent lost at which the danger zone begins
    #[arg(long, value_name = "PERCENT", default_value_t = USUAL_PERCENT.0, value_parser = percent)]
    begins: f64,
    /// Percent lost at which it is certain
    #[arg(long, value_name = "PERCENT", default_value_t = USUAL_PERCENT.1, value_parser = percent)]
    certain: f64,
    /// Show every column in the table; the other formats always have them all
    #[arg(long)]
    wide: bool,
}

/// A metric by the name of its column.
pub(super) fn metric(text: &str) -> Result<&'static str, String> {
    let known = || metrics().collect::<Vec<_>>().join(", ");
    metrics().find(|metric| *metric == text).ok_or_else(|| format!("no such metric; there are {}", known()))
}

/// A share that can be lost.
fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches(['%', ' ']).parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(percent),
        _ => Err("is no percentage between 0 and 100, as in 10".to_owned()),
    }
}

impl From<SeverityArgs> for Command {
    fn from(typed: SeverityArgs) -> Self {
        let output = typed.output.into_output();
        let question = Question::Severity(Severity {
            selection: typed.runs.into(),
            metrics: if typed.metrics.is_empty() { USUAL.to_vec() } else { typed.metrics },
            is_crossings: typed.crossings,
            thresholds: (typed.begins, typed.certain),
            wide: typed.wide,
        });
        Self::Table { question, output }
    }
}
