//! Which runs, and what was found.

use std::collections::BTreeSet;
use std::path::PathBuf;

use analyze::bundle::{self, Session};
use analyze::load::{self, Capacity, Pattern, SweepChoice, Terms};
use pyo3::prelude::*;
use run_folder::Status;

use crate::errors;
use crate::work::apart;

/// Which runs of a results folder, a run folder or a bundle. A bundle stays unpacked as long as this is there.
#[pyclass(frozen, module = "laggard._core")]
pub(crate) struct Selection {
    pub(crate) asked: load::Selection,
    /// What keeps a bundle unpacked.
    _session: Session,
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
        let parsed = |text: &String| {
            let wrong = |problem: String| errors::named(py, "PatternError", format!("pattern {text:?}: {problem}"));
            text.parse::<Pattern>().map_err(wrong)
        };
        let patterns = patterns.iter().map(parsed).collect::<PyResult<Vec<_>>>()?;
        let sweep = sweep.map(|sweep| if sweep == "latest" { SweepChoice::Latest } else { SweepChoice::Id(sweep) });
        let asked = load::Selection { names, patterns, sweep, include_failed, ..load::Selection::of(path) };
        Ok(Self { asked, _session: Session::new() })
    }

    /// Finds the runs.
    fn find(&self, py: Python<'_>) -> PyResult<Found> {
        let asked = self.asked.clone();
        apart(py, move || {
            let folders = load::find(&asked)?;
            let terms = Terms { include_failed: asked.include_failed, capacity: Capacity::Keep, must_be_whole: true };
            let opened = load::open(folders.clone(), terms);
            let mut left_out: Vec<(&'static str, String)> = Vec::new();
            for error in &opened.unreadable {
                left_out.push((errors::class_of(error), error.to_string()));
            }
            let usable: BTreeSet<String> = opened.runs.iter().map(|run| run.folder.name()).collect();
            let others = folders.iter().filter(|folder| !usable.contains(&folder.name()));
            let statuses = others.filter_map(|folder| Some((folder.name(), folder.manifest().ok()?.status)));
            for ((_, status), message) in
                statuses.filter(|(_, status)| *status != Status::Finished).zip(&opened.left_out)
            {
                let class = if status == Status::Running { "UnfinishedRunError" } else { "FailedRunError" };
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
            Ok((runs, left_out))
        })
    }

    /// The folder with the run folders: of a bundle, where it is unpacked.
    fn results(&self, py: Python<'_>) -> PyResult<PathBuf> {
        let path = self.asked.dir.clone();
        apart(py, move || bundle::results(&path))
    }
}
