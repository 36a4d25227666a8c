//! Writes made-up finished runs, for trying `analyze` without a cluster and for its benchmarks.
//!
//! cargo run --release -p run-folder --features synthetic --example generate-runs -- --dir DIR --runs 30 --rows 600000
//!
//! With `--sweep NAME` they are a planned sweep with baselines, controls and repeats, `--only loss` with only some labels:
//!
//! generate-runs --dir DIR --sweep slow --only loss --full no --repeats 10 --seconds 30 --rate 500

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, TimeDelta};
use run_folder::synthetic::{self, Planned, SweepShape};

const USAGE: &str = "usage: generate-runs --dir DIR [--runs 30] [--rows 600000] [--seed 1]
       generate-runs --dir DIR --sweep NAME [--only LABEL] [--full yes|no] [--repeats 1] [--seconds 30] [--rate 500] \
[--seed 1]";

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
    /// Its id is empty when no sweep was asked for.
    sweep: SweepShape,
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Args, String> {
    let (id, only) = (String::new(), String::new());
    let sweep = SweepShape { id, only, has_full: true, repeats: 1, seconds: 30, rate_per_s: 500, seed: 1 };
    let mut parsed = Args { dir: PathBuf::new(), runs: 30, rows: 600_000, sweep };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} {value}: not a whole number"));
        match flag.as_str() {
            "--dir" => parsed.dir = PathBuf::from(&value),
            "--runs" => parsed.runs = number()? as usize,
            "--rows" => parsed.rows = number()?,
            "--seed" => parsed.sweep.seed = number()?,
            "--sweep" => parsed.sweep.id.clone_from(&value),
            "--only" => parsed.sweep.only.clone_from(&value),
            "--full" => parsed.sweep.has_full = value == "yes",
            "--repeats" => parsed.sweep.repeats = number()? as u32,
            "--seconds" => parsed.sweep.seconds = number()?,
            "--rate" => parsed.sweep.rate_per_s = number()?,
            _ => return Err(format!("{flag}: unknown\n{USAGE}")),
        }
    }
    if parsed.dir.as_os_str().is_empty() { Err(USAGE.to_owned()) } else { Ok(parsed) }
}

fn generate(args: &Args) -> Result<(), String> {
    // A fixed date, so that the same arguments give the same folders.
    let mut now = DateTime::from_timestamp(1_800_000_000, 0).ok_or("no such time")?;
    let runs: Vec<Planned> = if args.sweep.id.is_empty() {
        synthetic::sweep(args.runs, args.rows, args.sweep.seed).iter().map(Planned::from).collect()
    } else {
        let id = format!("{}_{}", now.format("%Y%m%d_%H%M%S"), args.sweep.id);
        synthetic::planned(&SweepShape { id, ..args.sweep.clone() })
    };
    for run in runs {
        let folder = synthetic::write_planned(&args.dir, &run, now).map_err(|error| error.to_string())?;
        println!("{}", folder.dir().display());
        now += TimeDelta::minutes(5);
    }
    Ok(())
}
