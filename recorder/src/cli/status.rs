//! `recorder status`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::kept::KeptKind;

pub(super) const HELP: &str = "\
index is the raft index that a member knows to be committed, and lag how many entries that is
behind the leader's. The leader is whom those name that know the newest term: it may not answer
itself. What a member that does not answer would have said is left open (- or null); it is waited
for 2 seconds.

With --watch on a terminal the table (or ascii) is drawn again in place, what has changed is
marked for 5 seconds, and elections, lost members and members that catch up are told below.
Elsewhere the changes are written line by line; --format json writes an object for each look. It
goes on until Ctrl-C.

Exit codes:
  0    every member is healthy: it answers, knows a leader, and raises no alarm; with --watch,
       it was ended by Ctrl-C
  1    some member is not
  2    a wrong argument
  3    no cluster is up, or no endpoint answers

Examples:
  recorder status
  recorder status --watch                  # in another terminal: recorder kill leader
  recorder status --endpoints localhost:2379,localhost:2380 --format json
  recorder status --format graphviz | dot -Tsvg > raft.svg";

/// `recorder status`.
#[derive(Debug, Args)]
pub struct StatusCommand {
    /// Ask the members at these addresses, as in localhost:2379,localhost:2380, in place of the cluster that is up
    #[arg(long, value_name = "HOST:PORT,...", conflicts_with = "cluster")]
    pub endpoints: Option<String>,
    /// Which cluster that is up
    #[arg(long, value_enum, default_value = "auto")]
    pub cluster: KeptKind,
    /// Show it again and again, this long after the last time [default when given: 1s]
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "1s")]
    pub watch: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value = "table")]
    pub format: StatusFormat,
    /// File to write in place of standard output; with --watch it is replaced each time
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How a status is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// Columns, a line for each member
    Table,
    /// One JSON object
    Json,
    /// A drawing in plain characters
    Ascii,
    /// A Mermaid flowchart
    Mermaid,
    /// A graph in the language of Graphviz (dot)
    Graphviz,
}
