//! Writes made-up finished runs, for trying `analyze` without a cluster and for its benchmarks.
//!
//! cargo run --release -p run-folder --features synthetic --example generate-runs -- --dir DIR --runs 30 --rows 600000

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, TimeDelta};
use run_folder::synthetic;

const USAGE: &str = "usage: generate-runs --dir DIR [--runs 30] [--rows 600000] [--seed 1]";

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|args| generate(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

struct Args {
    dir: PathBuf,
    runs: usize,
    rows: u64,
    seed: u64,
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut parsed = Args { dir: PathBuf::new(), runs: 30, rows: 600_000, seed: 1 };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} {value}: not a whole number"));
        match flag.as_str() {
            "--dir" => parsed.dir = PathBuf::from(&value),
            "--runs" => parsed.runs = number()? as usize,
            "--rows" => parsed.rows = number()?,
            "--seed" => parsed.seed = number()?,
            _ => return Err(format!("{flag}: unknown\n{USAGE}")),
        }
    }
    if parsed.dir.as_os_str().is_empty() { Err(USAGE.to_owned()) } else { Ok(parsed) }
}

fn generate(args: &Args) -> Result<(), String> {
    // A fixed date, so that the same arguments give the same folders.
    let mut now = DateTime::from_timestamp(1_800_000_000, 0).ok_or("no such time")?;
    for shape in synthetic::sweep(args.runs, args.rows, args.seed) {
        let folder = synthetic::write_run(&args.dir, &shape, now).map_err(|error| error.to_string())?;
        println!("{}", folder.dir().display());
        now += TimeDelta::minutes(5);
    }
    Ok(())
}
