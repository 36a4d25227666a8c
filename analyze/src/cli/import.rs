//! `analyze import` as it is typed.

use std::path::PathBuf;

use clap::Args;

use crate::commands::Import;
use crate::import::{Options, StatedEnd};

/// What is said below the options.
pub(super) const HELP: &str = "\
A folder of the older scripts holds latency.log (`end_ms,latency_ms` or `start_ms,latency_ms`, with a header or not: then \
end_ms) and, where they are there, anomaly.log (`end_ms,PUT_FAILED`), throughput.csv, summary.txt and metadata.txt \
(key=value). Each becomes a run folder named after the time in the folder's name (else of its first operation) and its \
label. The same files are imported once. The folders themselves are only read.

What no file says stays missing: members that were asked, ids, terms, revisions, leader changes. When operations were due \
is not known, so their response time is their service time, and waiting before they were sent cannot be seen \
(coordinated omission): such runs carry a note wherever numbers are printed. What failed counts as unknown, for it may have \
been done. The fault is taken from metadata.txt or a label such as loss20_mid, delay100_full or slowleader_mid20ms; a \
window is shown only where metadata.txt, or you with --inject-at and --inject-for, say when it was; its edges are \
as asked, not as measured, so half a second on both sides of each counts for neither part. throughput.csv without latency.log is refused: counts are no operations.

Lines that cannot be read, or lie outside of the run's time, are named and refuse the folder; --lenient leaves them out \
and says how many.";

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// A folder of the older scripts, or a folder of such folders
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Results folder to import into; made when it is missing
    #[arg(long, value_name = "RESULTS", default_value = run_folder::DEFAULT_RESULTS_DIR)]
    dir: PathBuf,
    /// Leave out lines that cannot be used, instead of refusing their folder
    #[arg(long)]
    lenient: bool,
    /// Start of the fault in seconds after the start of the run, where metadata.txt has no inject_at
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    inject_at: Option<u64>,
    /// Length of the fault in seconds, or `end`, where metadata.txt has no inject_for
    #[arg(long, value_name = "SECONDS", value_parser = stated_end)]
    inject_for: Option<StatedEnd>,
}

/// Seconds, as milliseconds.
fn seconds(text: &str) -> Result<u64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=1e9).contains(&seconds) => Ok((seconds * 1e3).round() as u64),
        _ => Err("is no number of seconds, as in 10 or 2.5".to_owned()),
    }
}

fn stated_end(text: &str) -> Result<StatedEnd, String> {
    if text == "end" { Ok(StatedEnd::OfRun) } else { seconds(text).map(StatedEnd::AfterMs) }
}

impl From<ImportArgs> for Import {
    fn from(typed: ImportArgs) -> Self {
        Self {
            folders: typed.folders,
            results: typed.dir,
            options: Options { is_lenient: typed.lenient, at_ms: typed.inject_at, lasts: typed.inject_for },
        }
    }
}
