//! Before, during and after side by side.

use polars::prelude::DataFrame;

use super::over_runs::selected;
use super::{Data, Drawn, notes, subject};
use crate::Result;
use crate::commands::Report;
use crate::commands::gather::map;
use crate::load::{self, Run, Selection};
use crate::plots;
use crate::plots::phases::Shown;
use crate::tables::delta::Measured;
use crate::tables::{levels, summary};

/// Quantiles of response time by phase, a panel for each label.
pub(super) fn phases(selection: &Selection, report: &mut Report) -> Result<Vec<Drawn>> {
    let opened = selected(selection, report)?;
    let companions = load::companions(selection, &opened)?;
    report.unreadable.extend(companions.unreadable);
    let mut measured = map(&opened, report, |run| measure(run, true))?;
    if !companions.runs.is_empty() {
        measured.extend(map(&companions.runs, report, |run| measure(run, false))?);
    }
    let (labels, runs) = (levels::by_label(&measured)?, levels::by_run(&measured)?);
    let svg = plots::phases::draw_svg(&labels, &runs, &Shown::of(&measured), &subject(selection))?;
    // What only tells labels of the same name apart is no reading.
    let labels = labels.drop("condition")?;
    let labels = Data { text: levels::text, ..Data::new("labels", labels) };
    Ok(vec![Drawn { svg, run: None, tables: vec![labels, Data::new("runs", runs)], notes: notes(&opened) }])
}

/// The phases of one run; intervals within it, which take long, are in no mark.
fn measure(run: &Run, is_shown: bool) -> Result<Measured> {
    let operations = run.operations(&summary::READS)?;
    let facts = run.facts(&operations)?;
    let leader_changes = run.leader_changes(&facts)?.len();
    let summary = summary::table(&operations, &facts)?;
    let (run, factors) = (run.listed.run.clone(), run.factors.clone());
    Ok(Measured { run, factors, leader_changes, is_shown, summary, within: DataFrame::empty() })
}
