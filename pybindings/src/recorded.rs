//! Recorded tables, row by row as they are in the files.

use std::path::PathBuf;
use std::sync::Arc;

use analyze::bundle::Unpacked;
use arrow::array::RecordBatchReader;
use arrow::datatypes::SchemaRef;
use arrow::ffi_stream::FFI_ArrowArrayStream;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use run_folder::RunFolder;
use run_folder::stream::{RecordedTable, Source, Stream};

use crate::errors::{self, Failure};
use crate::selection::Place;
use crate::tables::STREAM;
use crate::work::{apart, not_forked};

/// Rows of a recorded table. They are decoded when somebody takes them, and anew each time: nothing is kept. What keeps a bundle
/// unpacked stays with them.
#[pyclass(frozen, module = "laggard._core")]
pub(crate) struct Rows(Source, Option<Arc<Unpacked>>);

/// A stream that keeps a bundle unpacked, since its files are opened while it is taken.
struct Kept {
    stream: Stream,
    _unpacked: Option<Arc<Unpacked>>,
}

impl Iterator for Kept {
    type Item = <Stream as Iterator>::Item;

    fn next(&mut self) -> Option<Self::Item> {
        self.stream.next()
    }
}

impl RecordBatchReader for Kept {
    fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }
}

#[pymethods]
impl Rows {
    #[new]
    #[pyo3(signature = (place, path, table, columns, start, stop))]
    fn new(
        py: Python<'_>,
        place: &Place,
        path: PathBuf,
        table: String,
        columns: Vec<String>,
        start: u64,
        stop: Option<u64>,
    ) -> PyResult<Self> {
        let table = match table.as_str() {
            "operations" => RecordedTable::Operations,
            "faults" => RecordedTable::Faults,
            "samples" => RecordedTable::Samples,
            "final_state" => RecordedTable::FinalState,
            _ => {
                return Err(errors::named(
                    py,
                    "ArgumentError",
                    format!("{table}: no such table; there are operations, faults, samples and final_state"),
                ));
            }
        };
        let source = apart(py, move || {
            let folder = RunFolder::open(&path)?;
            let whole = Source::open(&folder, table, &[], 0..0)?;
            let there: Vec<String> = whole.schema().fields().iter().map(|field| field.name().clone()).collect();
            if let Some(unknown) = columns.iter().find(|column| !there.contains(column)) {
                let message = format!("column {unknown:?}: is not in the table; there are {}", there.join(", "));
                return Err(Failure { class: "ArgumentError", message });
            }
            Ok(Source::open(&folder, table, &columns, start..stop.unwrap_or(u64::MAX))?)
        })?;
        Ok(Self(source, place.unpacked.clone()))
    }

    /// Number of rows.
    fn __len__(&self) -> usize {
        usize::try_from(self.0.rows()).unwrap_or(usize::MAX)
    }

    /// Names of the columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.0.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The rows, by the Arrow PyCapsule interface; a requested schema is let pass, as the interface allows.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        not_forked(py)?;
        let kept = Kept { stream: self.0.stream(), _unpacked: self.1.clone() };
        let reader: Box<dyn RecordBatchReader + Send> = Box::new(kept);
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), STREAM)
    }
}
