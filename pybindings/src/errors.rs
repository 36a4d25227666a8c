//! Failures as exceptions of `laggard.errors`, which is written in Python so that they can be of two kinds at once, as a
//! missing folder is a `FileNotFoundError` too.

use std::any::Any;

use analyze::Error;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// The exception of a failure.
pub(crate) fn of(py: Python<'_>, error: &Error) -> PyErr {
    named(py, class_of(error), in_python(&error.to_string()))
}

/// The name of a failure's class in `laggard.errors`.
pub(crate) fn class_of(error: &Error) -> &'static str {
    match error {
        Error::Usage(_) => "ArgumentError",
        Error::Nothing(_) => "NoRunsError",
        Error::Run(run_folder::Error::NewerFormat { .. }) => "NewerFormatError",
        Error::Run(_) | Error::Unreadable { .. } | Error::Import { .. } => "UnreadableRunError",
        Error::Bundle { .. } => "BundleError",
        Error::Output { .. } => "OutputError",
        Error::Interrupted | Error::Table(_) | Error::Plot(_) => "InternalError",
    }
}

/// An exception of `laggard.errors`.
pub(crate) fn named(py: Python<'_>, class: &str, message: String) -> PyErr {
    let raised = || -> PyResult<PyErr> {
        let class = py.import("laggard.errors")?.getattr(class)?;
        Ok(PyErr::from_value(class.call1((message.clone(),))?))
    };
    // Where the package is not whole, its message is still more than nothing.
    raised().unwrap_or_else(|_| PyRuntimeError::new_err(message.clone()))
}

/// The exception for a bug.
pub(crate) fn internal(py: Python<'_>, panic: &(dyn Any + Send)) -> PyErr {
    let said = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let said =
        said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it did not say why".to_owned());
    named(py, "InternalError", format!("a bug in laggard: {said}; please report it with the traceback"))
}

/// What messages call an option of the command line, and what it is in Python.
const OPTIONS: [(&str, &str); 13] = [
    ("--format json or csv", "to_pandas()"),
    ("--include-failed", "include_failed=True"),
    ("take it in with --include-failed", "open with include_failed=True"),
    ("--pattern", "pattern"),
    ("--sweep", "sweep"),
    ("--dir", "path"),
    ("--metric", "metric"),
    ("--margin", "margin"),
    ("--begins", "begins"),
    ("--certain", "certain"),
    ("--scale", "scale"),
    ("--kind", "kind"),
    ("--rule", "a rule"),
];

/// A message with options as they are called in Python.
pub(crate) fn in_python(message: &str) -> String {
    OPTIONS.iter().fold(message.to_owned(), |message, (typed, python)| message.replace(typed, python))
}
