//! Recorded tables, row by row as they are in the files.

use std::path::PathBuf;

use arrow::array::RecordBatchReader;
use arrow::ffi_stream::FFI_ArrowArrayStream;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use run_folder::RunFolder;
use run_folder::stream::{RecordedTable, Source};

use crate::errors;
use crate::tables::STREAM;
use crate::work::apart;

/// Rows of a recorded table. They are decoded when somebody takes them, and anew each time: nothing is kept.
#[pyclass(frozen, module = "laggard._core")]
pub(crate) struct Rows(Source);

#[pymethods]
impl Rows {
    #[new]
    #[pyo3(signature = (path, table, columns, start, stop))]
    fn new(
        py: Python<'_>,
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
        apart(py, move || {
            let folder = RunFolder::open(&path)?;
            Ok(Self(Source::open(&folder, table, &columns, start..stop.unwrap_or(u64::MAX))?))
        })
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
        let reader: Box<dyn RecordBatchReader + Send> = Box::new(self.0.stream());
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), STREAM)
    }
}
