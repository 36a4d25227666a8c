//! What it costs to record an operation: bytes on disk, CPU time, and memory, for journal and Parquet file together.
//!
//! cargo run --release -p run-folder --features synthetic --example recording-cost -- --rows 1000000,8000000,60000000
//!
//! A row must cost as much in a long run as in a short one: the journal starts again after each row group, and the
//! checkpoint that is written then is on the clock too. The first size also pays for the memory that a new process
//! touches for the first time.
//!
//! The rows are those of a busy closed loop (128 workers, log-normal around 5 ms). Only the recording is on the clock,
//! not the making up of rows. The same rows with Parquet's default settings, without a journal, are the yardstick that
//! makes numbers from different machines comparable.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use cpu_time::ThreadTime;
use parquet::arrow::ArrowWriter;
use run_folder::synthetic::{Shape, Stream};
use run_folder::{Operation, OperationsWriter, RunFolder, operation};

const USAGE: &str = "usage: recording-cost [--rows 1000000,60000000] [--push 256] [--dir DIR]";

/// Rows that are made up at once, off the clock.
const MADE_UP_ROWS: usize = 64 * 1024;

type Problem = Box<dyn std::error::Error>;

struct Args {
    rows: Vec<u64>,
    push: usize,
    dir: PathBuf,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|args| measure_all(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Args, Problem> {
    let mut parsed = Args { rows: vec![1_000_000, 60_000_000], push: 256, dir: std::env::temp_dir() };
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--rows" => parsed.rows = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--push" => parsed.push = value.parse::<usize>()?.max(1),
            "--dir" => parsed.dir = PathBuf::from(value),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(parsed)
}

fn measure_all(args: &Args) -> Result<(), Problem> {
    println!("rows per push: {}", args.push);
    println!("{:>10}  {:>9}  {:>8}  {:>9}  {:<20}", "rows", "B/row", "ns/row", "peak MiB", "how");
    let mut costs = Vec::new();
    for &rows in &args.rows {
        let recorded = measure(&args.dir, |dir, clock| record(rows, args.push, dir, clock))?;
        report(rows, &recorded, "recorded");
        costs.push(recorded);
    }
    let rows = args.rows.iter().copied().min().unwrap_or(1_000_000);
    let defaults = measure(&args.dir, |dir, clock| with_defaults(rows, dir, clock))?;
    report(rows, &defaults, "Parquet's defaults");
    if let Some(recorded) = args.rows.iter().position(|&size| size == rows).and_then(|at| costs.get(at)) {
        println!(
            "recorded / defaults at {rows} rows: {:.2} of the bytes, {:.2} of the CPU time (journal included)",
            recorded.bytes_per_row / defaults.bytes_per_row,
            recorded.cpu_ns_per_row / defaults.cpu_ns_per_row
        );
    }
    Ok(())
}

struct Cost {
    bytes_per_row: f64,
    cpu_ns_per_row: f64,
    peak_bytes: Option<u64>,
}

fn report(rows: u64, cost: &Cost, how: &str) {
    let peak = cost.peak_bytes.map_or("?".to_owned(), |bytes| format!("{:.1}", bytes as f64 / (1 << 20) as f64));
    println!("{rows:>10}  {:>9.2}  {:>8.1}  {peak:>9}  {how:<20}", cost.bytes_per_row, cost.cpu_ns_per_row);
}

/// CPU time of this thread, in user and system mode, while the clock runs.
#[derive(Default)]
struct Clock(Duration);

impl Clock {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = ThreadTime::now();
        let result = work();
        self.0 += start.elapsed();
        result
    }
}

/// What was written, and the number of its rows: those asked for and those of the warm-up.
type Written = (PathBuf, u64);

fn measure(dir: &Path, work: impl FnOnce(&Path, &mut Clock) -> Result<Written, Problem>) -> Result<Cost, Problem> {
    let dir = tempfile::tempdir_in(dir)?;
    reset_peak_memory();
    let mut clock = Clock::default();
    let (file, rows) = work(dir.path(), &mut clock)?;
    Ok(Cost {
        bytes_per_row: file.metadata()?.len() as f64 / rows as f64,
        cpu_ns_per_row: clock.0.as_nanos() as f64 / rows as f64,
        peak_bytes: peak_memory_bytes(),
    })
}

fn record(rows: u64, push: usize, dir: &Path, clock: &mut Clock) -> Result<Written, Problem> {
    let shape = Shape::busy(rows, 1);
    let folder = RunFolder::create(dir, &shape.label, Default::default())?;
    let mut writer = OperationsWriter::create(&folder)?;
    for_each_chunk(&shape, |chunk| {
        clock.time(|| chunk.chunks(push).try_for_each(|operations| writer.push(operations)))?;
        Ok(())
    })?;
    let written = clock.time(|| writer.finish())?;
    Ok((folder.operations_parquet(), written))
}

fn with_defaults(rows: u64, dir: &Path, clock: &mut Clock) -> Result<Written, Problem> {
    let path = dir.join("defaults.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&path)?, operation::schema(), None)?;
    for_each_chunk(&Shape::busy(rows, 1), |chunk| {
        clock.time(|| chunk.chunks(8192).try_for_each(|rows| writer.write(&operation::to_batch(rows))))?;
        Ok(())
    })?;
    let metadata = clock.time(|| writer.close())?;
    Ok((path, u64::try_from(metadata.file_metadata().num_rows())?))
}

fn for_each_chunk(shape: &Shape, mut work: impl FnMut(&[Operation]) -> Result<(), Problem>) -> Result<(), Problem> {
    let mut stream = Stream::new(shape);
    let mut chunk = Vec::with_capacity(MADE_UP_ROWS);
    loop {
        chunk.clear();
        chunk.extend(stream.by_ref().take(MADE_UP_ROWS));
        if chunk.is_empty() {
            return Ok(());
        }
        work(&chunk)?;
    }
}

/// Linux only, like [`peak_memory_bytes`]; elsewhere the column shows a question mark.
fn reset_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
