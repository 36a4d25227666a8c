//! `analyze bundle` as it is typed.

use std::path::PathBuf;

use clap::Args;

use super::AnalysedArgs;
use crate::commands::Bundle;

/// What is said below the options.
pub(super) const HELP: &str = "\
A bundle is one file with recordings, the plan of their sweep, machines and versions, a report, and a SHA-256 of each. The \
runs that the chosen ones are compared with (baselines, controls, the original of a repeated run) come along, so that \
every number is the same when it is opened. Unfinished runs are left out and named, failed ones too without \
--include-failed. The same runs make the same bytes.

Every command takes it in the place of a folder, as in `analyze delta --dir FILE`, and a run in it as FILE:RUN. It is \
verified first and unpacked to a temporary folder ($TMPDIR), which goes with the command. Without Laggard: \
`zstd -d < FILE | tar x`, then `sha256sum -c SHA256SUMS` in laggard-bundle/. To have `recorder reproduce` repeat a run of \
it, open it so first.

What it tells of you: kernel, CPU model, cores, memory and load of the machine; etcd's version, flags (with the folder \
of its data) and the members' addresses; container image and engine; the plan's text; iptables and tc commands. No host \
name, user name, environment variable or etcd value. Checksums tell damage, not who wrote a bundle: publish the SHA-256 \
that is printed.";

#[derive(Debug, Args)]
pub(super) struct BundleArgs {
    /// Runs to take, by name within --dir or as folders; without any, those that --pattern and --sweep choose
    #[arg(value_name = "RUN", conflicts_with_all = ["patterns", "sweep"])]
    names: Vec<String>,
    #[command(flatten)]
    runs: AnalysedArgs,
    /// The bundle to write, as in paper.tar.zst
    #[arg(long, short, value_name = "FILE", required_unless_present = "verify")]
    output: Option<PathBuf>,
    /// Replace the file when it is there
    #[arg(long)]
    force: bool,
    /// Leave the report out, which is half of a small bundle and can be made again
    #[arg(long)]
    no_report: bool,
    /// Check this bundle instead of writing one
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["names", "patterns", "sweep", "include_failed", "output", "force", "no_report"]
    )]
    verify: Option<PathBuf>,
}

impl From<BundleArgs> for Bundle {
    fn from(typed: BundleArgs) -> Self {
        match (typed.verify, typed.output) {
            (None, Some(to)) => Self::Write {
                selection: typed.runs.into(),
                names: typed.names,
                to,
                replace: typed.force,
                with_report: !typed.no_report,
            },
            (file, _) => Self::Verify(file.unwrap_or_default()),
        }
    }
}
