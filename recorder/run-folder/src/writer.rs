//! Writers: what a recorder puts its rows into while a run is under way.
//!
//! Each row goes to a journal with a plain `write()` and, encoded once, straight into the final Parquet file. Nothing
//! here is asynchronous and nothing waits in a queue: the recorder calls it from one thread of its own.
//!
//! When a row group of operations is in the file, a checkpoint says how to read it without a footer, and the journal
//! starts again. So the journal stays small in a run of any length. With one that grew to gigabytes of page cache, a
//! row of a run of 60 M rows cost 313 ns of CPU time; now it costs about 226 ns.
//!
//! Order of a run: [`OperationsWriter::create`] right after the folder is made (it takes the lock that tells others that
//! the recorder is alive), rows, `finish` of all three, [`crate::older_files::write`], the manifest, and last
//! [`RunFolder::remove_journals`].

use std::collections::BTreeMap;

use crate::journal::lines::LinesJournal;
use crate::journal::operations::OperationsJournal;
use crate::lock::RunLock;
use crate::table::{ROW_GROUP_ROWS, TableWriter};
use crate::{FaultEvent, Operation, Result, RunFolder, Sample};

/// Writes `operations.journal`, `operations.checkpoint` and `operations.parquet`.
pub struct OperationsWriter {
    folder: RunFolder,
    journal: OperationsJournal,
    table: TableWriter<Operation>,
}

impl OperationsWriter {
    /// Makes and locks the journal, and makes the table.
    ///
    /// # Errors
    /// [`crate::Error::Io`], also when the folder has a journal already.
    pub fn create(folder: &RunFolder) -> Result<Self> {
        Self::create_in_groups(folder, ROW_GROUP_ROWS)
    }

    /// As [`OperationsWriter::create`], with row groups of `group_rows`: tests want small ones.
    pub(crate) fn create_in_groups(folder: &RunFolder, group_rows: usize) -> Result<Self> {
        let journal = OperationsJournal::create(folder)?;
        let table = TableWriter::create_in_groups(folder.operations_parquet(), group_rows)?;
        Ok(Self { folder: folder.clone(), journal, table })
    }

    /// Adds operations that have ended, in the order in which they did. One call costs one `write()`: pass many at once.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; then the run has lost rows and must be marked as failed, and what reached the journal can be
    /// recovered.
    pub fn push(&mut self, mut operations: &[Operation]) -> Result<()> {
        // Cut at the edges of row groups, so that a journal that starts again has no rows to keep.
        while !operations.is_empty() {
            let (now, later) = operations.split_at(operations.len().min(self.table.group_room()));
            self.journal.append(now)?;
            self.table.push(now)?;
            self.check_in()?;
            operations = later;
        }
        Ok(())
    }

    /// At the end of a row group: makes the checkpoint, and only then starts the journal again.
    fn check_in(&mut self) -> Result<()> {
        match self.table.checkpoint()? {
            // After an error, rows may be in the journal that did not reach the table: then the journal must stay.
            Some(checkpoint) if checkpoint.rows == self.journal.end() => {
                checkpoint.write(&self.folder)?;
                self.journal.restart()
            }
            _ => Ok(()),
        }
    }

    /// Number of operations so far.
    pub fn rows(&self) -> u64 {
        self.table.rows()
    }

    /// A hold on the run's lock. Take it before [`OperationsWriter::finish`] and keep it until the manifest says how the
    /// run ended, so that nobody recovers the run in between.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn lock(&self) -> Result<RunLock> {
        self.journal.lock()
    }

    /// Completes the table and tells the number of its rows. The journal stays, see [`RunFolder::remove_journals`].
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn finish(self) -> Result<u64> {
        // The journal, and with it the lock, must outlive the writing of the footer.
        let Self { journal, table, .. } = self;
        let rows = table.finish();
        drop(journal);
        rows
    }
}

/// Writes `faults.journal` and `faults.parquet`.
pub struct FaultsWriter {
    journal: LinesJournal,
    table: TableWriter<FaultEvent>,
    events: BTreeMap<i64, FaultEvent>,
}

impl FaultsWriter {
    /// Makes the journal and the table.
    ///
    /// # Errors
    /// [`crate::Error::Io`], also when the folder has a journal already.
    pub fn create(folder: &RunFolder) -> Result<Self> {
        let journal = LinesJournal::create(folder.faults_journal())?;
        let table = TableWriter::create(folder.faults_parquet())?;
        Ok(Self { journal, table, events: BTreeMap::new() })
    }

    /// Adds a fault, or replaces what is known of it: push one again whenever more is known.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn push(&mut self, event: &FaultEvent) -> Result<()> {
        self.journal.append(std::slice::from_ref(event))?;
        self.events.insert(event.fault_id, event.clone());
        Ok(())
    }

    /// Completes the table, in the order of `fault_id`, and tells the number of its rows.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn finish(mut self) -> Result<u64> {
        self.table.push(&self.events.into_values().collect::<Vec<_>>())?;
        self.table.finish()
    }
}

/// Writes `samples.journal` and `samples.parquet`.
pub struct SamplesWriter {
    journal: LinesJournal,
    table: TableWriter<Sample>,
}

impl SamplesWriter {
    /// Makes the journal and the table.
    ///
    /// # Errors
    /// [`crate::Error::Io`], also when the folder has a journal already.
    pub fn create(folder: &RunFolder) -> Result<Self> {
        let journal = LinesJournal::create(folder.samples_journal())?;
        Ok(Self { journal, table: TableWriter::create(folder.samples_parquet())? })
    }

    /// Adds samples. One call costs one `write()`.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn push(&mut self, samples: &[Sample]) -> Result<()> {
        self.journal.append(samples)?;
        self.table.push(samples)
    }

    /// Completes the table and tells the number of its rows.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn finish(self) -> Result<u64> {
        self.table.finish()
    }
}
