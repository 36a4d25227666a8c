//! Tables as Python takes them.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use analyze::commands;
use analyze::output::arrow::{Frame, stream};
use analyze::output::html;
use analyze::output::text::TextTable;
use analyze::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::errors::{in_python, internal};
use crate::work::not_forked;

/// The name that the Arrow PyCapsule interface has for streams.
pub(crate) const STREAM: &CStr = c"arrow_array_stream";

/// So many rows of a table are seen where it is shown without being asked for.
const ROWS_SHOWN: usize = 60;

/// A table, what is to be said beside it, and how it looks.
#[pyclass(frozen, module = "laggard._core")]
pub(crate) struct Answer {
    frame: Frame,
    /// As the command line prints it, or the beginning of that.
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
        Self { frame, text: text.excerpt(ROWS_SHOWN), notes: Vec::new(), unreadable: Vec::new(), verdict: None }
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
        in_python(&self.text.to_string())
    }

    /// The same as HTML.
    #[getter]
    fn html(&self) -> String {
        in_python(&html::standalone(&self.text))
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
        not_forked(py)?;
        // Text is copied, which takes its time.
        let made = py.detach(|| catch_unwind(AssertUnwindSafe(|| stream(&self.frame))));
        PyCapsule::new_with_value(py, made.map_err(|panic| internal(py, &*panic))?, STREAM)
    }
}
