//! Made-up but realistic finished runs, for tests and benchmarks of whatever reads recordings.
//!
//! A closed loop of workers asks a cluster whose answers take log-normal times, with more waiting while a fault holds.
//! The same [`Shape`] always gives the same tables.

mod manifest;
mod planned;
mod random;
mod stream;
mod tables;

use std::path::Path;

use chrono::{DateTime, Utc};

pub use planned::{Planned, SweepShape, planned};
pub use stream::Stream;

use crate::spec::Effect;
use crate::{FaultsWriter, Label, Operation, OperationsWriter, Result, RunFolder, SamplesWriter, Status, older_files};

/// What a made-up run looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The run's label.
    pub label: Label,
    /// Operations due after time 0; those of the warm-up come on top.
    pub operations: u64,
    /// Workers of the closed loop.
    pub concurrency: u32,
    /// Length of the warm-up.
    pub warm_up_ms: u64,
    /// Median service time without a fault.
    pub median_service_ns: u64,
    /// The fault, if any.
    pub fault: Option<Fault>,
    /// Source of all randomness.
    pub seed: u64,
}

/// A made-up fault on the member that leads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// What it does.
    pub effect: Effect,
    /// Start of its window after time 0.
    pub at_ms: u64,
    /// Length of its window; absent when it lasts to the end.
    pub for_ms: Option<u64>,
}

impl Shape {
    /// The run that costs are measured with: 128 workers, 5 ms.
    pub fn busy(operations: u64, seed: u64) -> Self {
        let label = Label::new("busy").expect("a valid label");
        Self { label, operations, concurrency: 128, warm_up_ms: 3000, median_service_ns: 5_000_000, fault: None, seed }
    }

    /// A run of 16 workers that would last 60 seconds without a fault, or less when that would leave them idle.
    fn minute(label: &str, operations: u64, seed: u64) -> Self {
        let median_service_ns = (16 * 60 * 1_000_000_000 / operations.max(1)).clamp(200_000, 20_000_000);
        let label = Label::new(label).expect("a valid label");
        let healthy_ms = operations * median_service_ns / 16 / 1_000_000;
        let warm_up_ms = (healthy_ms / 10).min(3000);
        Self { label, operations, concurrency: 16, warm_up_ms, median_service_ns, fault: None, seed }
    }

    /// How long the run lasts without a fault, roughly.
    fn healthy_ms(&self) -> u64 {
        self.operations * self.median_service_ns / u64::from(self.concurrency) / 1_000_000
    }

    /// The shape with a fault in the middle third of the run's healthy length.
    fn with_mid(self, effect: Effect) -> Self {
        let third_ms = (self.healthy_ms() / 3).max(1);
        Self { fault: Some(Fault { effect, at_ms: third_ms, for_ms: Some(third_ms) }), ..self }
    }

    /// The shape with a fault all the time, and more workers, since each gets little done.
    fn with_full(self, effect: Effect) -> Self {
        Self { fault: Some(Fault { effect, at_ms: 0, for_ms: None }), concurrency: 128, ..self }
    }
}

/// Shapes of a sweep: baselines among delays and losses, in the middle and all the time, with the labels that the older
/// scripts gave them. From the ninth run on they repeat with other seeds.
pub fn sweep(runs: usize, operations: u64, seed: u64) -> Vec<Shape> {
    let delay = |ms: u64| Effect::delay(ms * 1000);
    let loss = |loss_percent: f64| Effect::Loss { loss_percent };
    (0..runs)
        .map(|run| {
            let seed = seed.wrapping_add(run as u64);
            let shape = |label| Shape::minute(label, operations, seed);
            match run % 8 {
                0 | 4 => shape("baseline"),
                1 => shape("loss20_mid").with_mid(loss(20.0)),
                2 => shape("delay100_full").with_full(delay(100)),
                3 => shape("delay10_mid").with_mid(delay(10)),
                5 => shape("loss5_full").with_full(loss(5.0)),
                6 => shape("delay50_mid").with_mid(delay(50)),
                _ => shape("slowleader_mid20ms").with_mid(delay(20)),
            }
        })
        .collect()
}

/// Writes a finished run into a folder of its own below `results`, as a recorder would have at `now`.
///
/// # Errors
/// Those of the writers.
pub fn write_run(results: &Path, shape: &Shape, now: DateTime<Utc>) -> Result<RunFolder> {
    write_planned(results, &shape.into(), now)
}

/// Writes a finished run of a sweep likewise.
///
/// # Errors
/// Those of the writers.
pub fn write_planned(results: &Path, run: &Planned, now: DateTime<Utc>) -> Result<RunFolder> {
    let folder = RunFolder::create(results, &run.shape.label, now)?;
    let mut manifest = manifest::new(run, now);
    manifest.write(&folder.manifest_json())?;

    let mut operations = OperationsWriter::create(&folder)?;
    let mut last_end_ns = 0;
    let mut stream = Stream::planned(run);
    let mut batch: Vec<Operation> = Vec::with_capacity(1024);
    loop {
        batch.clear();
        batch.extend(stream.by_ref().take(1024));
        let Some(last) = batch.last() else { break };
        last_end_ns = last.end_ns;
        operations.push(&batch)?;
    }
    manifest.rows.operations = operations.finish()?;
    let end_ns = run.duration_ms.map_or(last_end_ns, |ms| ms as i64 * 1_000_000);

    let mut faults = FaultsWriter::create(&folder)?;
    if let Some(event) = tables::fault_event(run, end_ns) {
        faults.push(&event)?;
    }
    manifest.rows.faults = faults.finish()?;

    let mut samples = SamplesWriter::create(&folder)?;
    tables::samples(run, end_ns, |rows| samples.push(rows))?;
    manifest.rows.samples = samples.finish()?;

    manifest.clock.workload_end_ns = end_ns;
    manifest.clock.ended_unix_ns = manifest.clock.origin_unix_ns + last_end_ns.max(end_ns);
    manifest.status = Status::Finished;
    older_files::write(&folder, &manifest)?;
    manifest.write(&folder.manifest_json())?;
    folder.remove_journals()?;
    Ok(folder)
}
