//! `analyze`: parse, run, report, exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use analyze::cli::Cli;
use analyze::commands;
use clap::Parser;

// Runs come and go by megabytes. What usual allocators give back to the system for each of them, to ask for it again with the next,
// is a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let report = commands::run(&Cli::parse().into_command());
    let mut stderr = io::stderr().lock();
    // A closed standard error is no reason to fail: the exit code still tells.
    for note in &report.left_out {
        let _ = writeln!(stderr, "note: {note}");
    }
    for error in report.unreadable.iter().chain(&report.failure) {
        let _ = writeln!(stderr, "error: {error}");
    }
    ExitCode::from(report.exit_code())
}
