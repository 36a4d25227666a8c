//! `recorder status`: how the members of a cluster are, once or again and again.

mod ascii;
mod changes;
mod graph;
pub mod members;
mod output;
mod source;
mod table;
mod watch;

use crate::cli::kept::KeptKind;
use crate::cli::status::{StatusCommand, StatusFormat};
use crate::error::{Error, Result, exit_code};
use crate::{endpoints, kept, terminal, units};
use members::ClusterStatus;
use source::Source;
use watch::Watch;

/// Shortest time from one look to the next: below, the questions themselves are a load.
const INTERVAL_MS_MIN: u64 = 100;

/// Shows the members of a cluster, and returns the exit code.
///
/// # Errors
/// When no cluster is up, or none of its members answers.
pub fn show(typed: &StatusCommand) -> Result<u8> {
    let source = match &typed.endpoints {
        Some(endpoints) => Source::Endpoints(endpoints::parse(endpoints)?),
        None => Source::of(typed.cluster),
    };
    let Some(interval) = &typed.watch else {
        let status = kept::block_on(source.status())?.ok_or_else(kept::nothing_up)?;
        return print(&status, typed);
    };
    let interval_us = units::time_us("--watch", interval)?;
    if interval_us < INTERVAL_MS_MIN * 1000 {
        return Err(Error::usage(format!("--watch: {interval} is less than {INTERVAL_MS_MIN}ms")));
    }
    if typed.output.is_none() && matches!(typed.format, StatusFormat::Mermaid | StatusFormat::Graphviz) {
        return Err(Error::usage("--watch: a graph that is drawn again and again needs a file; name it with --output"));
    }
    let watch = Watch {
        source: &source,
        interval: std::time::Duration::from_micros(interval_us),
        format: typed.format,
        output: typed.output.as_deref(),
    };
    kept::block_on(watch.carry_out())
}

/// The status of a cluster that is kept up; `None` when none is.
///
/// # Errors
/// When it cannot be asked. Members that do not answer are no error.
pub fn of_kept(cluster: KeptKind) -> Result<Option<ClusterStatus>> {
    kept::block_on(Source::of(cluster).status())
}

impl Source {
    fn of(cluster: KeptKind) -> Self {
        match cluster {
            KeptKind::Auto => Self::Auto,
            KeptKind::Sandbox => Self::Sandbox,
            KeptKind::Docker => Self::Docker,
        }
    }
}

/// Writes a status, and what is wrong on standard error; returns the exit code.
fn print(status: &ClusterStatus, typed: &StatusCommand) -> Result<u8> {
    if typed.format == StatusFormat::Table {
        terminal::line(&status.about);
    }
    output::write(&text(status, typed.format).join("\n"), typed.output.as_deref())?;
    for row in &status.members {
        if let Some(problem) = &row.problem {
            terminal::line(format_args!("{}: {problem}", row.member));
        }
    }
    match (status.healthy, status.reachable()) {
        (true, _) => Ok(0),
        (false, 0) if status.backend == "endpoints" => Ok(exit_code::ENVIRONMENT),
        (false, _) => Ok(exit_code::RUN_FAILED),
    }
}

/// The status in a format, line by line.
fn text(status: &ClusterStatus, format: StatusFormat) -> Vec<String> {
    match format {
        StatusFormat::Table => table::lines(status),
        StatusFormat::Json => {
            vec![serde_json::to_string_pretty(status).expect("a status has only string keys")]
        }
        StatusFormat::Ascii => ascii::lines(status),
        StatusFormat::Mermaid => graph::mermaid(status),
        StatusFormat::Graphviz => graph::graphviz(status),
    }
}
