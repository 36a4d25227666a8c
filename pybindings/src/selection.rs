//! Which runs, and what was found.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use analyze::bundle::Unpacked;
use analyze::load::{self, Capacity, Pattern, SweepChoice, Terms};
use pyo3::prelude::*;
use run_folder::Status;

use crate::errors::{self, Failure};
use crate::work::apart;

/// A results folder, a run folder, or a bundle, which stays unpacked as long as this is there.
#[pyclass(frozen, module = "laggard._core")]
pub(crate) struct Place {
    /// The folder; of a bundle, the results folder inside.
    #[pyo3(get)]
    path: PathBuf,
    /// Removes the temporary folder when the last one goes.
    pub(crate) unpacked: Option<Arc<Unpacked>>,
}

#[pymethods]
impl Place {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        if path.is_dir() {
            return Ok(Self { path, unpacked: None });
        }
        apart(py, move || {
            let unpacked = Unpacked::new(&path)?;
            Ok::<_, analyze::Error>(Self { path: unpacked.results(), unpacked: Some(Arc::new(unpacked)) })
        })
    }
}

/// Which runs of a folder.
#[pyclass(frozen, module = "laggard._core")]
pub(crate) struct Selection {
    pub(crate) asked: load::Selection,
}

/// A run folder that was found.
#[pyclass(frozen, get_all, module = "laggard._core")]
pub(crate) struct FoundRun {
    /// Name of the folder.
    name: String,
    /// Label of the run.
    label: String,
    /// The folder.
    path: PathBuf,
    /// The manifest's text, JSON.
    manifest: String,
}

/// What [`Selection::find`] gives: runs that can be analysed; why others are left out, with the class of `laggard.errors`
/// for where none can.
type Found = (Vec<FoundRun>, Vec<(&'static str, String)>);

#[pymethods]
impl Selection {
    #[new]
    #[pyo3(signature = (path, names, patterns, sweep, include_failed))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        names: BTreeSet<String>,
        patterns: Vec<String>,
        sweep: Option<String>,
        include_failed: bool,
    ) -> PyResult<Self> {
        let patterns = patterns.iter().map(|text| parsed(py, text)).collect::<PyResult<Vec<_>>>()?;
        let sweep = sweep.map(|sweep| if sweep == "latest" { SweepChoice::Latest } else { SweepChoice::Id(sweep) });
        let asked = load::Selection { names, patterns, sweep, include_failed, ..load::Selection::of(path) };
        Ok(Self { asked })
    }

    /// Finds the runs. One that has another number of rows than its manifest says is there too: to be checked.
    fn find(&self, py: Python<'_>) -> PyResult<Found> {
        let asked = self.asked.clone();
        apart(py, move || {
            let folders = load::find(&asked)?;
            let terms = Terms { include_failed: asked.include_failed, capacity: Capacity::Keep, must_be_whole: false };
            let opened = load::open(folders.clone(), terms);
            let mut left_out: Vec<(&'static str, String)> = Vec::new();
            for error in &opened.unreadable {
                left_out.push((errors::class_of(error), error.to_string()));
            }
            // Each message begins with the name of its run.
            for message in &opened.left_out {
                let folder = folders.iter().find(|folder| message.starts_with(&format!("{}:", folder.name())));
                let class = match folder.and_then(|folder| folder.manifest().ok()).map(|manifest| manifest.status) {
                    Some(Status::Running) => "UnfinishedRunError",
                    Some(Status::Failed { .. }) => "FailedRunError",
                    _ => "NoRunsError",
                };
                left_out.push((class, errors::in_python(message)));
            }
            let mut runs = Vec::with_capacity(opened.runs.len());
            for run in &opened.runs {
                let path = run.folder.manifest_json();
                let manifest = std::fs::read_to_string(&path).map_err(analyze::Error::unreadable(&path))?;
                runs.push(FoundRun {
                    name: run.listed.run.clone(),
                    label: run.listed.label.clone(),
                    path: run.folder.dir().to_path_buf(),
                    manifest,
                });
            }
            Ok::<_, Failure>((runs, left_out))
        })
    }
}

fn parsed(py: Python<'_>, text: &str) -> PyResult<Pattern> {
    let wrong = |problem: String| errors::named(py, "PatternError", format!("pattern {text:?}: {problem}"));
    text.parse::<Pattern>().map_err(wrong)
}

/// Which labels a glob matches, as everywhere else.
///
/// # Errors
/// `laggard.errors.PatternError` when it is one that no label can match.
#[pyfunction]
pub(crate) fn matching(py: Python<'_>, pattern: &str, labels: Vec<String>) -> PyResult<Vec<String>> {
    let pattern = parsed(py, pattern)?;
    let matches = |label: &String| run_folder::Label::new(label).is_ok_and(|label| pattern.matches(&label));
    Ok(labels.into_iter().filter(matches).collect())
}
