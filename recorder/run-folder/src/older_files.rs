//! The five files that the older shell scripts wrote, derived from `operations.parquet` and the manifest.
//!
//! They hold service times of acknowledged operations, without the warm-up. Nothing is kept in memory but a count per
//! second and a histogram, so a run of any length needs the same.

mod logs;
mod quantiles;
mod texts;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;

use crate::operation::Outcome;
use crate::{Manifest, Result, RunFolder, reader};

const NS_PER_S: i64 = 1_000_000_000;

/// Writes all five, in place of those that are there.
///
/// # Errors
/// [`crate::Error::Corrupt`] when `operations.parquet` is not whole, [`crate::Error::Io`].
pub fn write(folder: &RunFolder, manifest: &Manifest) -> Result<()> {
    let mut quantiles = quantiles::Quantiles::new(&texts::PERCENTILES);
    let seconds = logs::write(folder, manifest, &mut quantiles)?;
    quantiles.locate();
    // The histogram knows in which bucket each quantile lies; a second pass over the rows finds it exactly.
    for batch in batches(folder)? {
        Columns::new(&batch?).acknowledged().for_each(|operation| quantiles.refine(operation.service_ns));
    }
    texts::write(folder, manifest, &quantiles, &seconds)
}

fn batches(folder: &RunFolder) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    reader::operations(folder, &["kind", "intended_ns", "start_ns", "end_ns", "outcome"])
}

/// The columns that the older files are made of.
struct Columns<'a> {
    kind: &'a StringArray,
    intended_ns: &'a Int64Array,
    start_ns: &'a Int64Array,
    end_ns: &'a Int64Array,
    outcome: &'a StringArray,
}

struct Acknowledged {
    end_ns: i64,
    service_ns: u64,
}

impl<'a> Columns<'a> {
    /// The batch must be one of [`batches`]; the reader has checked names and types.
    fn new(batch: &'a RecordBatch) -> Self {
        let long = |name: &str| batch[name].as_primitive::<Int64Type>();
        Self {
            kind: batch["kind"].as_string(),
            intended_ns: long("intended_ns"),
            start_ns: long("start_ns"),
            end_ns: long("end_ns"),
            outcome: batch["outcome"].as_string(),
        }
    }

    /// Rows after the warm-up.
    fn rows(&self) -> impl Iterator<Item = usize> {
        (0..self.intended_ns.len()).filter(|&row| self.intended_ns.value(row) >= 0)
    }

    fn is_ok(&self, row: usize) -> bool {
        self.outcome.value(row) == Outcome::Ok.as_str()
    }

    fn acknowledged(&self) -> impl Iterator<Item = Acknowledged> {
        self.rows().filter(|&row| self.is_ok(row)).map(|row| self.acknowledged_row(row))
    }

    fn acknowledged_row(&self, row: usize) -> Acknowledged {
        let end_ns = self.end_ns.value(row);
        let service_ns = end_ns.saturating_sub(self.start_ns.value(row));
        Acknowledged { end_ns, service_ns: u64::try_from(service_ns).unwrap_or(0) }
    }
}
