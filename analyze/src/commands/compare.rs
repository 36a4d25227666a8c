//! `analyze compare`: two runs, whether they agree, and what differs between them.

use std::path::{Path, PathBuf};

use run_folder::RunFolder;

use super::gather::{map, measure, named, one};
use super::{Report, TableOutput};
use crate::load::{self, Run, Selection};
use crate::output::{self, Format};
use crate::tables::compare::{self, Side, differences};
use crate::tables::delta;
use crate::{Error, Result};

/// Which two runs are compared, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// A run folder, or its name within `dir`.
    pub a: String,
    /// The other run; absent when `a` repeats one.
    pub b: Option<String>,
    /// The results folder.
    pub dir: PathBuf,
    /// Largest ratio of two effects that counts as the same.
    pub margin: f64,
    /// Whether failed runs count, provided that their files are whole.
    pub include_failed: bool,
}

/// Compares the two, the original first.
pub(super) fn compare(comparison: &Comparison, output: &TableOutput, report: &mut Report) -> Result<()> {
    let (a, b) = folders(comparison)?;
    let (a, b) = (one(a, comparison.include_failed)?, one(b, comparison.include_failed)?);
    let side = |run: &Run| {
        let operations = run.operations(&compare::READS)?;
        Ok::<_, Error>(Side::new(&operations, &run.facts(&operations)?)?)
    };
    let floors = floors(&a, &b, report)?;
    let mut frame = compare::table(&side(&a)?, &side(&b)?, comparison.margin, |kind, compared, metric| {
        floors.iter().find(|floor| floor.is_of(kind, compared, metric)).map(|floor| floor.factor)
    })?;
    let text = compare::text(&frame, &differences::table(&a.listed, &b.listed)?)?;
    if output.format != Format::Table {
        // In the other formats the rows have verdicts; the one over all is said beside them.
        report.left_out.push(compare::overall(&frame)?);
    }
    output::write(&mut frame, &text, output.format, &output.to)
}

/// The noise floors of the first run's cohort; none where there are no runs that tell.
fn floors(a: &Run, b: &Run, report: &mut Report) -> Result<Vec<delta::Floor>> {
    let dir = a.folder.dir().parent().unwrap_or(Path::new(".")).to_path_buf();
    let selection = Selection { dir, patterns: Vec::new(), sweep: None, include_failed: false };
    let pair = [a.clone(), b.clone()];
    let companions = load::companions(&selection, &pair)?;
    report.unreadable.extend(companions.unreadable);
    let mut measured = map(&pair, report, |run| measure(run, true))?;
    if !companions.runs.is_empty() {
        measured.extend(map(&companions.runs, report, |run| measure(run, false))?);
    }
    Ok(delta::floors(&measured, &a.factors.cohort)?)
}

fn folders(comparison: &Comparison) -> Result<(RunFolder, RunFolder)> {
    let first = named(&comparison.a, &comparison.dir)?;
    if let Some(b) = &comparison.b {
        return Ok((first, named(b, &comparison.dir)?));
    }
    let Some(original) = first.manifest()?.reproduces else {
        return Err(Error::Usage(format!(
            "{}: repeats no other run; name the run to compare it with as a second argument",
            first.name()
        )));
    };
    let beside = first.dir().parent().unwrap_or(Path::new(".")).join(&original);
    if !beside.is_dir() {
        return Err(Error::Nothing(format!(
            "{} repeats {original}, which is not beside it; name its folder as the first of two arguments",
            first.name()
        )));
    }
    Ok((RunFolder::open(&beside)?, first))
}
