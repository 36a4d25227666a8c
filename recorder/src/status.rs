//! `recorder status`: how the members of a cluster are, once or again and again.

mod ascii;
mod changes;
mod graph;
mod source;
mod table;
mod watch;

use std::path::Path;

use run_folder::spec::Backend;

use crate::cli::status::{StatusCommand, StatusFormat};
use crate::cluster::member_status::ClusterStatus;
use crate::error::{Error, Result, exit_code};
use crate::{endpoints, kept, output, terminal, units};
use source::Source;
use watch::Watch;

/// Shortest time from one look to the next: below, the questions themselves are a load.
const INTERVAL_MS_MIN: u64 = 100;

/// Shows the members of a cluster, and returns the exit code.
///
/// # Errors
/// When no cluster is up, or none of its members answers.
pub fn show(typed: &StatusCommand) -> Result<u8> {
    let mut source = match &typed.endpoints {
        Some(endpoints) => Source::at(endpoints::parse(endpoints)?),
        None => Source::Kept(typed.cluster),
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
        interval: std::time::Duration::from_micros(interval_us),
        format: typed.format,
        output: typed.output.as_deref(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::environment(format!("the runtime cannot be started: {error}")))?;
    let code = runtime.block_on(watch.carry_out(source));
    // A daemon that does not answer is not waited for.
    runtime.shutdown_background();
    code
}

/// Writes a status, and what is wrong on standard error; returns the exit code.
fn print(status: &ClusterStatus, typed: &StatusCommand) -> Result<u8> {
    if typed.format == StatusFormat::Table {
        terminal::line(&status.about);
    }
    write(&text(status, typed.format).join("\n"), typed.output.as_deref())?;
    for alarm in &status.other_alarms {
        terminal::line(format_args!("alarm {alarm}"));
    }
    for row in &status.members {
        if let Some(problem) = &row.problem {
            terminal::line(format_args!("{}: {problem}", row.member));
        }
    }
    Ok(match (status.healthy, status.answering()) {
        (true, _) => 0,
        (false, 0) if status.backend == Backend::Endpoints => exit_code::ENVIRONMENT,
        (false, _) => exit_code::RUN_FAILED,
    })
}

/// Writes text to the file of `--output`, or to standard output.
fn write(text: &str, file: Option<&Path>) -> Result<()> {
    let Some(file) = file else {
        return output::to_stdout(text).map(drop);
    };
    output::replace(file, format!("{text}\n").as_bytes()).map_err(|error| {
        Error::run(format!("--output {}: cannot be written: {error}; name another file", file.display()))
    })
}

/// The status in a format, line by line.
fn text(status: &ClusterStatus, format: StatusFormat) -> Vec<String> {
    match format {
        StatusFormat::Table => table::lines(status),
        StatusFormat::Json => {
            vec![serde_json::to_string_pretty(status).expect("a status has only string keys")]
        }
        StatusFormat::Ascii => ascii::lines(status).into_iter().map(|line| line.text).collect(),
        StatusFormat::Mermaid => graph::mermaid(status),
        StatusFormat::Graphviz => graph::graphviz(status),
    }
}
