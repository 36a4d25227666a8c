//! Tables as Python takes them.

use std::ffi::CStr;

use analyze::commands;
use analyze::output::arrow::{ArrowArrayStream, Frame, stream};
use analyze::output::html;
use analyze::output::text::TextTable;
use analyze::{Error, Result};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::errors::in_python;

/// The name that the Arrow PyCapsule interface has for streams.
pub(crate) const STREAM: &CStr = c"arrow_array_stream";

/// So many rows of a table are seen where it is shown without being asked for.
const ROWS_SHOWN: usize = 60;

/// A table, what is to be said beside it, and how it looks.
#[pyclass(frozen, module = "laggard._core")]
pub(crate) struct Answer {
    frame: Frame,
    /// As the command line prints it.
    text: TextTable,
    /// Runs that were left out, and what the table does not say itself.
    #[pyo3(get)]
    notes: Vec<String>,
    /// Runs that could not be read.
    #[pyo3(get)]
    unreadable: Vec<String>,
    /// The exit code of commands that judge, where it is not 0.
    #[pyo3(get)]
    verdict: Option<u8>,
}

/// A stream that moves between threads with the capsule that holds it.
struct Exported(#[expect(dead_code, reason = "consumers read it through the capsule's pointer")] ArrowArrayStream);

// SAFETY: what it holds are arrays that are shared and never changed.
unsafe impl Send for Exported {}

impl Answer {
    /// Of an answer, with what its report says.
    pub(crate) fn of(answer: commands::Answer, report: commands::Report) -> Self {
        let commands::Answer { frame, text, beside } = answer;
        let mut table = Self::new(frame, text);
        table.notes = report.left_out.iter().chain(&beside).map(|note| in_python(note)).collect();
        table.unreadable = report.unreadable.iter().map(Error::to_string).collect();
        table.verdict = report.verdict;
        table
    }

    /// Of a picture's table.
    pub(crate) fn of_data(data: &commands::Data) -> Result<Self> {
        Ok(Self::new(data.frame.clone(), data.text()?))
    }

    fn new(frame: Frame, text: TextTable) -> Self {
        Self { frame, text, notes: Vec::new(), unreadable: Vec::new(), verdict: None }
    }
}

#[pymethods]
impl Answer {
    /// Number of rows.
    fn __len__(&self) -> usize {
        self.frame.height()
    }

    /// As the command line prints it, or the beginning of that.
    #[getter]
    fn text(&self) -> String {
        in_python(&self.text.clone().excerpt(ROWS_SHOWN).to_string())
    }

    /// The same as HTML.
    #[getter]
    fn html(&self) -> String {
        in_python(&html::standalone(&self.text.clone().excerpt(ROWS_SHOWN)))
    }

    /// Names of the columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.frame.get_column_names().into_iter().map(ToString::to_string).collect()
    }

    /// The rows, by the Arrow PyCapsule interface. The columns are what they are: a requested schema is let pass, as the
    /// interface allows.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        PyCapsule::new_with_value(py, Exported(stream(&self.frame)), STREAM)
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))
    }
}
