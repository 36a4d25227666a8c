//! The command line: what was typed becomes a [`Command`] here, once, and nothing further in knows of clap.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{Command, DeltaBy, Diagram, Language, Question, TableOutput};
use crate::diagrams::Subject;
use crate::load::{Pattern, Selection, SweepChoice};
use crate::output::{Destination, Format};
use crate::tables::throughput::By;

mod bundle;
mod causes;
mod check;
mod columns;
mod compare;
mod gate;
mod import;
mod plot;
mod recovery;
mod samples;
mod severity;
mod verdict;

/// The exit codes, as `--help` shows them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done; unfinished and failed runs may have been left out, each named on standard error
  1  some run could not be read, or the result could not be written
  2  the command line is wrong
  3  there is nothing to analyse: no such folder, no run matches, or none is finished
  4  gate: a rule does not hold; check: a guarantee is violated
  5  gate, check: nothing fails, but something cannot be told

Data goes to standard output, everything else to standard error.";

const DELTA_HELP: &str = "\
A run with a part before its fault is compared with that part. A run whose fault lasts all the time is compared with \
the baselines of its sweep (outside of sweeps: runs without a fault) that have the same workload and cluster; they are \
found in --dir also when --pattern does not name them. Repeats of a label are pooled: geometric mean of the runs' \
ratios, 95 % t interval on their logarithm (against baselines Welch's, with their variation in it). With one run the interval \
is within-run, a block bootstrap in time, and shown in parentheses: the next run may lie outside of it. Runs in which the \
leader changed are pooled apart.

The noise floor is the largest ratio among runs that should show none: baselines between their own thirds and against \
each other, and null faults. Ratios within it are marked with ~. Significant ones are marked with *: p < 0.05 after Holm's correction \
over a sweep's experiments, and outside of the noise floor.";

const DIAGRAM_HELP: &str = "\
Of a run is drawn what its samples show, with its own times: members are asked ten times a second whom they take for the \
leader, and how far they are. A leader counts while a majority names it. Messages and votes are not recorded.

mermaid: paste it between ```mermaid and ``` into Markdown. graphviz: `dot -Tsvg`.";

mod report;

fn with_exit_codes(help: &str) -> String {
    format!("{help}\n\n{EXIT_CODES}")
}

/// Tables and plots from the runs that `recorder` recorded.
#[derive(Debug, Parser)]
#[command(name = "analyze", version, about, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Typed,
}

impl Cli {
    /// What is to be done.
    pub fn into_command(self) -> Command {
        self.command.into()
    }
}

#[derive(Debug, Subcommand)]
enum Typed {
    /// List runs: state, fault, target, measured window; also unfinished and failed ones
    #[command(after_help = EXIT_CODES)]
    List {
        #[command(flatten)]
        selection: SelectionArgs,
        #[command(flatten)]
        output: TableArgs,
        /// Show every column in the table; the other formats always have them all
        #[arg(long)]
        wide: bool,
    },
    /// Summarise runs by kind of operation and phase: counts, throughput, exact percentiles
    #[command(after_help = EXIT_CODES)]
    Summary {
        #[command(flatten)]
        runs: AnalysedArgs,
        #[command(flatten)]
        output: TableArgs,
        /// Show every column in the table; the other formats always have them all
        #[arg(long)]
        wide: bool,
    },
    /// Count operations in each second of each run
    #[command(after_help = EXIT_CODES)]
    Throughput {
        #[command(flatten)]
        runs: AnalysedArgs,
        #[command(flatten)]
        output: TableArgs,
        /// What to count apart
        #[arg(long, value_enum, default_value = "run")]
        by: ByArg,
    },
    /// Show what faults changed: ratios of during and after to before, of full runs to baselines
    #[command(after_help = with_exit_codes(DELTA_HELP))]
    Delta {
        #[command(flatten)]
        runs: AnalysedArgs,
        #[command(flatten)]
        output: TableArgs,
        /// What a row is
        #[arg(long, value_enum, default_value = "label")]
        by: DeltaByArg,
        /// Show every column in the table; the other formats always have them all
        #[arg(long)]
        wide: bool,
    },
    /// Give the distribution of latencies: a dense grid of exact quantiles by run, kind and phase
    #[command(after_help = EXIT_CODES)]
    Cdf {
        #[command(flatten)]
        runs: AnalysedArgs,
        #[command(flatten)]
        output: TableArgs,
    },
    /// Say whether two runs or two sets of runs agree, as after `recorder reproduce RUN`
    #[command(after_help = with_exit_codes(compare::HELP))]
    Compare(compare::CompareArgs),
    /// Tell what is lost at each value of a fault, and from which value on it is too much
    #[command(after_help = with_exit_codes(severity::HELP))]
    Severity(severity::SeverityArgs),
    /// Draw runs as SVG and print the file's path
    #[command(after_help = EXIT_CODES)]
    Plot(plot::PlotArgs),
    /// Tabulate what the members' samples tell of each second: disks, peers, replication, answers
    #[command(after_help = with_exit_codes(samples::HELP))]
    Samples(samples::SamplesArgs),
    /// Say how runs came back after their faults: recovery times, operations lost, gaps without a write
    #[command(after_help = with_exit_codes(recovery::HELP))]
    Recovery(recovery::RecoveryArgs),
    /// Show what the members' samples say under a fault: fsync, links, raft lag, elections, CPU
    #[command(after_help = with_exit_codes(causes::HELP))]
    Causes(causes::CausesArgs),
    /// Say in one sentence what a fault did, by run, label or sweep
    #[command(after_help = with_exit_codes(verdict::HELP))]
    Verdict(verdict::VerdictArgs),
    /// Draw Raft as in a textbook, or a run as it was recorded: terms, leaders, elections, replication lag
    #[command(after_help = with_exit_codes(DIAGRAM_HELP))]
    Diagram(DiagramArgs),
    /// Check whether what the cluster answered can be right, and whether recordings are whole
    #[command(after_help = with_exit_codes(check::HELP))]
    Check(check::CheckArgs),
    /// Hold rules against runs, as in `during.put.p99 <= 3 * before`; the exit code says whether they hold
    Gate(gate::GateArgs),
    /// Say what the columns of every table mean, and in which unit they are
    Columns(columns::ColumnsArgs),
    /// Write everything about runs into one HTML file that needs nothing else, and print its path
    #[command(after_help = with_exit_codes(report::HELP))]
    Report(report::ReportArgs),
    /// Put runs into one checksummed file, which every command takes in the place of a folder; or check one
    #[command(after_help = with_exit_codes(bundle::HELP))]
    Bundle(bundle::BundleArgs),
    /// Make run folders of what the older shell scripts wrote, and print their paths
    #[command(after_help = with_exit_codes(import::HELP))]
    Import(import::ImportArgs),
}

#[derive(Debug, Args)]
struct DiagramArgs {
    /// What to draw
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    subject: SubjectArg,
    /// In which language; default: mermaid, and svg where --output ends in .svg
    #[arg(long, value_enum)]
    format: Option<LanguageArg>,
    /// The run to draw: a run folder, its name within --dir, or BUNDLE:NAME; without it the textbook's diagram is drawn
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Folder that holds the run folders, or a bundle
    #[arg(long, value_name = "DIR", default_value = run_folder::DEFAULT_RESULTS_DIR)]
    dir: PathBuf,
    /// Take a failed run, where its files are whole
    #[arg(long, requires = "run")]
    include_failed: bool,
    /// File to write in place of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct SelectionArgs {
    /// Folder that holds the run folders; or one run folder, or a bundle
    #[arg(long, value_name = "DIR", default_value = run_folder::DEFAULT_RESULTS_DIR)]
    dir: PathBuf,
    /// Take only runs whose label matches, as in 'loss*_mid'; can be given several times
    #[arg(long = "pattern", value_name = "GLOB")]
    patterns: Vec<Pattern>,
    /// Take only runs of this sweep: its id, or `latest`
    #[arg(long, value_name = "ID")]
    sweep: Option<SweepChoice>,
}

impl SelectionArgs {
    fn into_selection(self, include_failed: bool) -> Selection {
        Selection { patterns: self.patterns, sweep: self.sweep, include_failed, ..Selection::of(self.dir) }
    }
}

/// Which runs are analysed.
#[derive(Debug, Args)]
struct AnalysedArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Take failed runs in, where their files are whole
    #[arg(long)]
    include_failed: bool,
}

impl From<AnalysedArgs> for Selection {
    fn from(typed: AnalysedArgs) -> Self {
        typed.selection.into_selection(typed.include_failed)
    }
}

#[derive(Debug, Args)]
struct TableArgs {
    /// How to write the table
    #[arg(long, value_enum, default_value = "table")]
    format: FormatArg,
    /// File to write in place of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl TableArgs {
    fn into_output(self) -> TableOutput {
        TableOutput { format: self.format.into(), to: Destination::new(self.output) }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    /// Aligned columns for people
    Table,
    /// An array of objects; missing values are null
    Json,
    /// With a header; missing values are empty
    Csv,
    /// Apache Parquet
    Parquet,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ByArg {
    /// Nothing: one row a second
    Run,
    /// Members: one row a second and member asked
    Member,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SubjectArg {
    /// The roles of members and what leads from one to another
    StateMachine,
    /// A write's way to a majority and back; of a run also how far members were behind
    LogReplication,
    /// From the loss of a leader to the next one
    LeaderElection,
    /// Terms, leaders and the times without one
    Timeline,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LanguageArg {
    /// mermaid's language, as GitHub shows it
    Mermaid,
    /// Graphviz' language, for `dot`
    Graphviz,
    /// Characters, some 96 columns
    Ascii,
    /// A picture; of a timeline only
    Svg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DeltaByArg {
    /// A label: its repeats pooled, with 95 % intervals
    Label,
    /// A run: both sides of each ratio; --wide with within-run intervals
    Run,
}

impl From<FormatArg> for Format {
    fn from(typed: FormatArg) -> Self {
        match typed {
            FormatArg::Table => Self::Table,
            FormatArg::Json => Self::Json,
            FormatArg::Csv => Self::Csv,
            FormatArg::Parquet => Self::Parquet,
        }
    }
}

impl From<DiagramArgs> for Diagram {
    fn from(typed: DiagramArgs) -> Self {
        let is_picture = typed.output.as_ref().is_some_and(|file| file.extension().is_some_and(|end| end == "svg"));
        let usual = if is_picture { LanguageArg::Svg } else { LanguageArg::Mermaid };
        Self {
            subject: match typed.subject {
                SubjectArg::StateMachine => Subject::StateMachine,
                SubjectArg::LogReplication => Subject::LogReplication,
                SubjectArg::LeaderElection => Subject::LeaderElection,
                SubjectArg::Timeline => Subject::Timeline,
            },
            language: match typed.format.unwrap_or(usual) {
                LanguageArg::Mermaid => Language::Mermaid,
                LanguageArg::Graphviz => Language::Graphviz,
                LanguageArg::Ascii => Language::Ascii,
                LanguageArg::Svg => Language::Svg,
            },
            run: typed.run,
            dir: typed.dir,
            include_failed: typed.include_failed,
            to: Destination::new(typed.output),
        }
    }
}

fn tabled(question: Question, output: TableArgs) -> Command {
    Command::Table { question, output: output.into_output() }
}

impl From<Typed> for Command {
    fn from(typed: Typed) -> Self {
        match typed {
            Typed::List { selection, output, wide } => {
                tabled(Question::List { selection: selection.into_selection(true), wide }, output)
            }
            Typed::Summary { runs, output, wide } => tabled(Question::Summary { selection: runs.into(), wide }, output),
            Typed::Throughput { runs, output, by } => {
                let by = match by {
                    ByArg::Run => By::Run,
                    ByArg::Member => By::Member,
                };
                tabled(Question::Throughput { selection: runs.into(), by }, output)
            }
            Typed::Delta { runs, output, by, wide } => {
                let by = match by {
                    DeltaByArg::Label => DeltaBy::Label,
                    DeltaByArg::Run => DeltaBy::Run,
                };
                tabled(Question::Delta { selection: runs.into(), by, wide }, output)
            }
            Typed::Cdf { runs, output } => tabled(Question::Cdf { selection: runs.into() }, output),
            Typed::Compare(typed) => typed.into(),
            Typed::Plot(typed) => Self::Plot(typed.into()),
            Typed::Samples(typed) => typed.into(),
            Typed::Recovery(typed) => typed.into(),
            Typed::Causes(typed) => typed.into(),
            Typed::Verdict(typed) => typed.into(),
            Typed::Severity(typed) => typed.into(),
            Typed::Diagram(typed) => Self::Diagram(typed.into()),
            Typed::Check(typed) => typed.into(),
            Typed::Gate(typed) => Self::Gate(typed.into()),
            Typed::Columns(typed) => Self::Columns(typed.into()),
            Typed::Report(typed) => Self::Report(typed.into()),
            Typed::Bundle(typed) => Self::Bundle(typed.into()),
            Typed::Import(typed) => Self::Import(typed.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
