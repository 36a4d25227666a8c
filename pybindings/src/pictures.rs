//! Plots and reports.

use analyze::commands::{self, PlotKind};
use analyze::plots::cdf::Scale;
use pyo3::prelude::*;

use crate::errors::{self, Failure, in_python};
use crate::selection::Selection;
use crate::tables::Answer;
use crate::work::apart;

/// A picture with the tables that it draws.
#[pyclass(frozen, module = "laggard._core")]
pub(crate) struct Picture {
    /// The SVG text.
    #[pyo3(get)]
    svg: String,
    /// The run, where there is a picture of each.
    #[pyo3(get)]
    run: Option<String>,
    tables: Vec<(&'static str, Py<Answer>)>,
}

#[pymethods]
impl Picture {
    /// The tables that it draws, by name; the first is the main one.
    #[getter]
    fn tables(&self, py: Python<'_>) -> Vec<(&'static str, Py<Answer>)> {
        self.tables.iter().map(|(name, table)| (*name, table.clone_ref(py))).collect()
    }
}

/// Every kind of plot.
const KINDS: [PlotKind; 8] = [
    PlotKind::Throughput,
    PlotKind::Latency,
    PlotKind::Cdf,
    PlotKind::Delta,
    PlotKind::Phases,
    PlotKind::Members,
    PlotKind::Recovery,
    PlotKind::Severity,
];

/// A picture before Python has it.
type Drawn = (String, Option<String>, Vec<(&'static str, Answer)>);

#[pyfunction]
pub(crate) fn draw(
    py: Python<'_>,
    runs: &Selection,
    kind: &str,
    scale: Option<&str>,
) -> PyResult<(Vec<Picture>, Vec<String>, Vec<String>)> {
    let Some(kind) = KINDS.into_iter().find(|known| known.as_str() == kind) else {
        let known: Vec<String> = KINDS.iter().map(|kind| format!("{:?}", kind.as_str())).collect();
        return Err(errors::named(py, "ArgumentError", format!("kind={kind:?}: takes one of {}", known.join(", "))));
    };
    let scale = match scale {
        None => None,
        Some("linear") => Some(Scale::Linear),
        Some("nines") => Some(Scale::Nines),
        Some(other) => {
            return Err(errors::named(
                py,
                "ArgumentError",
                format!("scale={other:?}: takes one of \"linear\", \"nines\""),
            ));
        }
    };
    let asked = runs.asked.clone();
    let (drawn, notes, unreadable) = apart(py, move || {
        let mut report = commands::Report::default();
        let drawn = commands::draw(&asked, kind, scale, &mut report).map_err(|error| Failure::of(error, &report))?;
        let mut notes: Vec<String> = report.left_out.iter().map(|note| in_python(note)).collect();
        let mut pictures: Vec<Drawn> = Vec::with_capacity(drawn.len());
        for picture in drawn {
            let tables = picture.tables.iter().map(|data| Ok((data.name, Answer::of_data(data)?)));
            let tables = tables.collect::<analyze::Result<Vec<_>>>()?;
            notes.extend(picture.notes.iter().map(|note| in_python(note)));
            pictures.push((picture.svg, picture.run, tables));
        }
        Ok::<_, Failure>((pictures, notes, report.unreadable.iter().map(ToString::to_string).collect()))
    })?;
    let pictures = drawn.into_iter().map(|(svg, run, tables)| {
        let tables = tables.into_iter().map(|(name, table)| Ok((name, Py::new(py, table)?)));
        Ok(Picture { svg, run, tables: tables.collect::<PyResult<Vec<_>>>()? })
    });
    Ok((pictures.collect::<PyResult<Vec<_>>>()?, notes, unreadable))
}

/// The report as HTML, with what is to be said beside it.
#[pyfunction]
pub(crate) fn report(py: Python<'_>, runs: &Selection) -> PyResult<(String, Vec<String>, Vec<String>)> {
    let asked = runs.asked.clone();
    apart(py, move || {
        let mut report = commands::Report::default();
        let page = commands::page(&asked, &mut report).map_err(|error| Failure::of(error, &report))?;
        let notes = report.left_out.iter().map(|note| in_python(note)).collect();
        Ok::<_, Failure>((page, notes, report.unreadable.iter().map(ToString::to_string).collect()))
    })
}
