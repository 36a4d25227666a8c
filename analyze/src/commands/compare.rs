//! `analyze compare`: two runs or two sets of them, whether they agree, and what differs between them.

use std::path::{Path, PathBuf};

use run_folder::RunFolder;

use super::gather::{map, measure, measured, one};
use super::{Answer, Report};
use crate::load::{self, Run, Selection};
use crate::output::{self, Destination};
use crate::plots;
use crate::tables::compare::sets::{self, Set};
use crate::tables::compare::{self, differences};
use crate::tables::delta;
use crate::tables::runs::Listed;
use crate::{Error, Result};

mod overlay;
mod side;

use side::Asked;

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Side {
    /// A run, results folder, sweep or pattern of labels, as typed, see [`Asked`].
    Typed(String),
    /// Runs that were chosen already; a single one is a run and no set.
    Chosen {
        /// What they are called.
        name: String,
        /// Which they are.
        selection: Selection,
    },
}

/// What is compared, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What to compare with.
    pub a: Side,
    /// The other one; absent when `a` is a run that repeats one.
    pub b: Option<Side>,
    /// The results folder.
    pub dir: PathBuf,
    /// Largest ratio of two effects that counts as the same.
    pub margin: f64,
    /// Metrics of sets; those of two runs are always [`compare::METRICS`].
    pub metrics: Vec<&'static str>,
    /// Whether failed runs count, provided that their files are whole.
    pub include_failed: bool,
    /// Where a picture of the comparison goes.
    pub plot: Option<PathBuf>,
}

/// Compares the two, the original first.
pub(super) fn compare(comparison: &Comparison, report: &mut Report) -> Result<Answer> {
    let first = side::resolve("A", &comparison.a, &comparison.dir, report)?;
    let (a, b) = match &comparison.b {
        Some(b) => (first, side::resolve("B", b, &comparison.dir, report)?),
        None => match first {
            Asked::Run(repeat) => (Asked::Run(original_of(&repeat)?), Asked::Run(repeat)),
            Asked::Set { name, .. } => {
                return Err(Error::Usage(format!(
                    "{name}: is no run that repeats another; name what to compare it with as a second argument"
                )));
            }
        },
    };
    // What was chosen already says for itself whether failed runs count.
    let takes_failed = |side: Option<&Side>| match side {
        Some(Side::Chosen { selection, .. }) => selection.include_failed,
        _ => comparison.include_failed,
    };
    let failed = (takes_failed(Some(&comparison.a)), takes_failed(comparison.b.as_ref()));
    match (a, b) {
        (Asked::Run(a), Asked::Run(b)) => two_runs(comparison, (a, b), failed, report),
        (a, b) => two_sets(comparison, (a, b), failed, report),
    }
}

fn two_runs(
    comparison: &Comparison,
    (a, b): (RunFolder, RunFolder),
    failed: (bool, bool),
    report: &mut Report,
) -> Result<Answer> {
    let (a, b) = (one(a, failed.0)?, one(b, failed.1)?);
    let side = |run: &Run| {
        let operations = run.operations(&compare::READS)?;
        Ok::<_, Error>(compare::Side::new(&operations, &run.facts(&operations)?)?)
    };
    let floors = floors(&a, &b, report)?;
    let frame = compare::table(&side(&a)?, &side(&b)?, comparison.margin, |kind, compared, metric| {
        floors.iter().find(|floor| floor.is_of(kind, compared, metric)).map(|floor| floor.factor)
    })?;
    let text = compare::text(&frame, &differences::table(&a.listed, &b.listed)?)?;
    if let Some(path) = &comparison.plot {
        let names = (a.listed.run.clone(), b.listed.run.clone());
        let curves = (overlay::curves(&[a], report)?, overlay::curves(&[b], report)?);
        write_plot(&frame, (&names.0, &names.1), &curves, path)?;
    }
    // The rows have verdicts; the one over all is said beside them.
    let beside = vec![compare::overall(&frame)?];
    Ok(Answer { frame, text, beside })
}

fn two_sets(
    comparison: &Comparison,
    (a, b): (Asked, Asked),
    failed: (bool, bool),
    report: &mut Report,
) -> Result<Answer> {
    let mut taken = |side: &str, asked: Asked, include_failed: bool| -> Result<(Set, Vec<Run>)> {
        let (name, selection) = asked.into_selection(include_failed);
        let (measured, runs) = measured(&selection, report).map_err(|error| match error {
            Error::Nothing(problem) => Error::Nothing(format!("{side}, {name}: {problem}")),
            other => other,
        })?;
        Ok((Set { name, measured }, runs))
    };
    let ((a, runs_a), (b, runs_b)) = (taken("A", a, failed.0)?, taken("B", b, failed.1)?);
    let metrics = if comparison.metrics.is_empty() { &sets::USUAL[..] } else { &comparison.metrics };
    let compared = sets::table(&a, &b, metrics, comparison.margin)?;
    if compared.frame.height() == 0 {
        return Err(Error::Nothing(nothing_in_common((&a, &runs_a), (&b, &runs_b))));
    }
    let of = |runs: &[Run], column: &str| -> Result<Vec<Run>> {
        let labels = compared.frame.column(column)?.str()?;
        let is_compared = |run: &&Run| labels.iter().any(|label| label == Some(run.listed.label.as_str()));
        Ok(runs.iter().filter(is_compared).cloned().collect())
    };
    let (runs_a, runs_b) = (of(&runs_a, "label_a")?, of(&runs_b, "label_b")?);
    let place = |run: &Run| run.folder.dir().canonicalize().ok();
    let places_b: Vec<_> = runs_b.iter().map(place).collect();
    let is_shared = |a: &&Run| places_b.contains(&place(a));
    let shared: Vec<&str> = runs_a.iter().filter(is_shared).map(|run| run.listed.run.as_str()).collect();
    if let Some(first) = shared.first() {
        let more = if shared.len() > 1 { format!(" and {} more", shared.len() - 1) } else { String::new() };
        report.left_out.push(format!("both sides have {first}{more}: that a run agrees with itself says nothing"));
    }
    let listed = |runs: &[Run]| -> Vec<Listed> { runs.iter().map(|run| run.listed.clone()).collect() };
    let (listed_a, listed_b) = (listed(&runs_a), listed(&runs_b));
    let text = sets::text(
        &compared,
        (listed_a.len(), listed_b.len()),
        &differences::of_sets(&listed_a, &listed_b)?,
        &differences::varying(&listed_a, &listed_b),
    )?;
    let mut beside = vec![compare::overall(&compared.frame)?];
    beside.extend(sets::notes(&compared));
    if let Some(path) = &comparison.plot {
        let has_one = |runs: &[Run]| runs.iter().all(|run| run.listed.label == runs[0].listed.label);
        let curves = match has_one(&runs_a) && has_one(&runs_b) {
            true => (overlay::curves(&runs_a, report)?, overlay::curves(&runs_b, report)?),
            false => (Vec::new(), Vec::new()),
        };
        write_plot(&compared.frame, (&a.name, &b.name), &curves, path)?;
    }
    Ok(Answer { frame: compared.frame, text, beside })
}

/// Draws the comparison; the tables are already there.
fn write_plot(
    frame: &polars::prelude::DataFrame,
    names: (&str, &str),
    curves: &(Vec<polars::prelude::DataFrame>, Vec<polars::prelude::DataFrame>),
    path: &Path,
) -> Result<()> {
    let svg = plots::compare::draw_svg(frame, names, &compare::overall(frame)?, (&curves.0, &curves.1))?;
    output::write_bytes(svg.as_bytes(), &Destination::File(path.to_path_buf()))
}

/// Why two sets cannot be compared, with what each has.
fn nothing_in_common((a, runs_a): (&Set, &[Run]), (b, runs_b): (&Set, &[Run])) -> String {
    const NAMED: usize = 6;
    let labels = |runs: &[Run]| {
        let mut labels: Vec<&str> = runs.iter().map(|run| run.listed.label.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        let more = labels.len().saturating_sub(NAMED);
        labels.truncate(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", labels.join(", "))
    };
    format!(
        "A and B have nothing in common that could be compared: A, {}, has {}; B, {}, has {}; labels are matched by name, or \
         by the value of their fault where each side is one family, and mid runs are compared with mid ones only",
        a.name,
        labels(runs_a),
        b.name,
        labels(runs_b)
    )
}

/// The noise floors of the first run's cohort; none where there are no runs that tell.
fn floors(a: &Run, b: &Run, report: &mut Report) -> Result<Vec<delta::Floor>> {
    let dir = a.folder.dir().parent().unwrap_or(Path::new(".")).to_path_buf();
    let selection = Selection::of(dir);
    let pair = [a.clone(), b.clone()];
    let companions = load::companions(&selection, &pair)?;
    report.unreadable.extend(companions.unreadable);
    let mut measured = map(&pair, report, |run| measure(run, true))?;
    if !companions.runs.is_empty() {
        measured.extend(map(&companions.runs, report, |run| measure(run, false))?);
    }
    Ok(delta::floors(&measured, &a.factors.cohort)?)
}

/// The run that another one repeats.
fn original_of(repeat: &RunFolder) -> Result<RunFolder> {
    let Some(original) = repeat.manifest()?.reproduces else {
        return Err(Error::Usage(format!(
            "{}: repeats no other run; name the run to compare it with as a second argument",
            repeat.name()
        )));
    };
    let beside = repeat.dir().parent().unwrap_or(Path::new(".")).join(&original);
    if !beside.is_dir() {
        return Err(Error::Nothing(format!(
            "{} repeats {original}, which is not beside it; name its folder as the first of two arguments",
            repeat.name()
        )));
    }
    Ok(RunFolder::open(&beside)?)
}
