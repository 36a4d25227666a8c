//! Recording: bounded channels from everything that measures to one thread that writes the run folder.
//!
//! The thread looks into the channels every [`TICK`] instead of being woken by each row: a wake-up costs more than
//! writing the row. What a killed recorder loses is what came in since its last look.

pub mod live;
pub mod samplers;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use run_folder::manifest::Rows;
use run_folder::{FaultEvent, FaultsWriter, Operation, OperationsWriter, RunFolder, RunLock, Sample, SamplesWriter};
use tokio::sync::watch;

use crate::error::{Error, Result};
use live::Live;

const TICK: Duration = Duration::from_millis(50);
/// Operations that may wait for the writer: at 20,000 a second a disk may stall for six seconds.
const OPERATIONS_WAITING_MAX: usize = 1 << 17;
/// Batches of samples and changes of faults that may wait.
const NOTES_WAITING_MAX: usize = 1 << 12;
/// Different error messages that are kept as examples.
const ERROR_EXAMPLES_MAX: usize = 5;

/// What is seldom written.
enum Note {
    Fault(Box<FaultEvent>),
    Samples(Vec<Sample>),
}

/// What the sinks and the thread share.
#[derive(Debug, Default)]
struct Shared {
    lost: AtomicU64,
    closing: AtomicBool,
    error_examples: Mutex<Vec<String>>,
    live: Live,
}

/// The recording of one run.
#[derive(Debug)]
pub struct Recording {
    operations: SyncSender<Operation>,
    notes: SyncSender<Note>,
    shared: Arc<Shared>,
    thread: JoinHandle<run_folder::Result<Rows>>,
    failure: watch::Receiver<Option<String>>,
    lock: RunLock,
}

impl Recording {
    /// Opens the tables of `folder` and starts the writer.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn start(folder: &RunFolder) -> Result<Self> {
        let writers = Writers {
            operations: OperationsWriter::create(folder)?,
            faults: FaultsWriter::create(folder)?,
            samples: SamplesWriter::create(folder)?,
        };
        let lock = writers.operations.lock()?;
        let (operations, operations_in) = sync_channel(OPERATIONS_WAITING_MAX);
        let (notes, notes_in) = sync_channel(NOTES_WAITING_MAX);
        let shared = Arc::new(Shared::default());
        let (failed, failure) = watch::channel(None);
        let shared_inside = shared.clone();
        let thread = std::thread::Builder::new()
            .name("recording".into())
            .spawn(move || {
                let rows = writers.write_until_closed(&operations_in, &notes_in, &shared_inside);
                if let Err(error) = &rows {
                    failed.send_replace(Some(error.to_string()));
                }
                rows
            })
            .map_err(|error| Error::run(format!("the recording thread cannot be started: {error}")))?;
        Ok(Self { operations, notes, shared, thread, failure, lock })
    }

    /// Where operations go.
    pub fn operations(&self) -> OperationSink {
        OperationSink { channel: self.operations.clone(), shared: self.shared.clone() }
    }

    /// Where faults and samples go.
    pub fn notes(&self) -> NoteSink {
        NoteSink { channel: self.notes.clone(), shared: self.shared.clone() }
    }

    /// What a progress display shows.
    pub fn live(&self) -> LiveView {
        LiveView(self.shared.clone())
    }

    /// Changes when writing has failed: the run has no reason to go on.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.clone()
    }

    /// Examples of errors of which their class does not say enough, each with its class.
    pub fn error_examples(&self) -> Vec<String> {
        self.shared.error_examples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes what has come in so far and closes the tables. Nothing may be recorded any more.
    pub fn finish(self) -> Finished {
        self.shared.closing.store(true, Ordering::SeqCst);
        let rows = match self.thread.join() {
            Ok(rows) => rows.map_err(Error::from),
            Err(_) => Err(Error::run("the recording thread panicked")),
        };
        Finished { rows, lost: self.shared.lost.load(Ordering::SeqCst), lock: self.lock }
    }
}

/// A recording that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Rows in the tables, or why they are not whole.
    pub rows: Result<Rows>,
    /// Rows that did not reach the writer because it could not keep up.
    pub lost: u64,
    /// Keeps `recorder recover` away until the manifest says how the run ended.
    pub lock: RunLock,
}

/// Where operations go. Pushing never blocks; a row that finds the channel full is counted and fails the run.
#[derive(Debug, Clone)]
pub struct OperationSink {
    channel: SyncSender<Operation>,
    shared: Arc<Shared>,
}

impl OperationSink {
    /// Records an operation.
    pub fn push(&self, operation: Operation) {
        count_lost(&self.shared, self.channel.try_send(operation));
    }

    /// Where the workload keeps what it knows of the generator itself.
    pub fn live(&self) -> &Live {
        &self.shared.live
    }

    /// Keeps an example of an error of which its class does not say enough, with its class.
    pub fn note_error(&self, message: &str) {
        let mut examples = self.shared.error_examples.lock().unwrap_or_else(PoisonError::into_inner);
        if examples.len() < ERROR_EXAMPLES_MAX && !examples.iter().any(|known| known == message) {
            examples.push(message.to_owned());
        }
    }
}

/// Where faults and samples go; as [`OperationSink`].
#[derive(Debug, Clone)]
pub struct NoteSink {
    channel: SyncSender<Note>,
    shared: Arc<Shared>,
}

impl NoteSink {
    /// Records a fault's state; a later call with the same `fault_id` replaces it.
    pub fn fault(&self, event: &FaultEvent) {
        self.send(Note::Fault(Box::new(event.clone())));
    }

    /// Records samples.
    pub fn samples(&self, samples: Vec<Sample>) {
        self.send(Note::Samples(samples));
    }

    fn send(&self, note: Note) {
        count_lost(&self.shared, self.channel.try_send(note));
    }
}

/// A writer that is gone has failed, which ends the run, or has finished, after which only samples may come.
fn count_lost<T>(shared: &Shared, sent: std::result::Result<(), TrySendError<T>>) {
    if matches!(sent, Err(TrySendError::Full(_))) {
        shared.lost.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a progress display shows.
#[derive(Debug, Clone)]
pub struct LiveView(Arc<Shared>);

impl LiveView {
    /// See [`Live`].
    pub fn live(&self) -> &Live {
        &self.0.live
    }
}

/// Takes what waits; true when nobody can send any more.
fn take_waiting(operations: &Receiver<Operation>, batch: &mut Vec<Operation>) -> bool {
    loop {
        match operations.try_recv() {
            Ok(operation) => batch.push(operation),
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => return true,
        }
    }
}

struct Writers {
    operations: OperationsWriter,
    faults: FaultsWriter,
    samples: SamplesWriter,
}

impl Writers {
    fn write_until_closed(
        mut self,
        operations: &Receiver<Operation>,
        notes: &Receiver<Note>,
        shared: &Shared,
    ) -> run_folder::Result<Rows> {
        let mut batch = Vec::new();
        loop {
            // Read before the channels: what was sent before the closing is then surely taken.
            let mut closing = shared.closing.load(Ordering::SeqCst);
            batch.clear();
            closing |= take_waiting(operations, &mut batch);
            if !batch.is_empty() {
                self.operations.push(&batch)?;
                shared.live.take_in(&batch);
            }
            for note in notes.try_iter() {
                match note {
                    Note::Fault(event) => self.faults.push(&event)?,
                    Note::Samples(samples) => self.samples.push(&samples)?,
                }
            }
            if closing {
                break;
            }
            std::thread::sleep(TICK);
        }
        Ok(Rows {
            operations: self.operations.finish()?,
            faults: self.faults.finish()?,
            samples: self.samples.finish()?,
        })
    }
}
