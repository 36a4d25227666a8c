//! Failures as exceptions of `laggard.errors`, which is written in Python so that they can be of two kinds at once, as a
//! missing folder is a `FileNotFoundError` too.

use std::any::Any;

use analyze::Error;
use analyze::commands::Report;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// A failure: the name of its class in `laggard.errors`, and its message.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) class: &'static str,
    pub(crate) message: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { class: class_of(&error), message: in_python(&error.to_string()) }
    }
}

impl From<run_folder::Error> for Failure {
    fn from(error: run_folder::Error) -> Self {
        Error::from(error).into()
    }
}

impl Failure {
    /// A question that found nothing to answer it from: for the reason that its report has, if it has any.
    pub(crate) fn of(error: Error, report: &Report) -> Self {
        let failure = Self::from(error);
        if failure.class != "NoRunsError" {
            return failure;
        }
        let unreadable = report.unreadable.iter().map(ToString::to_string);
        let reasons: Vec<String> =
            unreadable.chain(report.left_out.iter().map(|why| in_python(why))).take(REASONS_MAX).collect();
        if reasons.is_empty() {
            return failure;
        }
        let class = report.unreadable.first().map_or(failure.class, class_of);
        Self { class, message: format!("{}: {}", failure.message, reasons.join("; ")) }
    }
}

/// Reasons that one message names.
const REASONS_MAX: usize = 3;

/// The exception of a failure.
pub(crate) fn raised(py: Python<'_>, failure: Failure) -> PyErr {
    named(py, failure.class, failure.message)
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

/// What messages say of the command line, and what that is in Python. Longer ones come first.
const OPTIONS: [(&str, &str); 14] = [
    (
        "name a rules file (RULES.toml), or give rules with --rule, as in --rule 'p99 <= 50ms'",
        "give some, as in gate('p99 <= 50ms')",
    ),
    ("take it in with --include-failed", "open with include_failed=True"),
    ("take in with --pattern and their label", "open them by pattern and their label"),
    ("--include-failed", "include_failed=True"),
    ("--pattern", "pattern"),
    ("--sweep", "sweep"),
    ("--dir", "path"),
    ("--metric", "metric"),
    ("--margin", "margin"),
    ("--begins", "begins"),
    ("--certain", "certain"),
    ("--scale", "scale"),
    ("--kind", "kind"),
    ("--output", "another path"),
];

/// A message with options as they are called in Python.
pub(crate) fn in_python(message: &str) -> String {
    OPTIONS.iter().fold(message.to_owned(), |message, (typed, python)| message.replace(typed, python))
}
