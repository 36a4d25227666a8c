//! Before, during and after side by side.

use super::{Data, Drawn, notes, subject};
use crate::Result;
use crate::commands::Report;
use crate::commands::gather::measured;
use crate::load::Selection;
use crate::plots;
use crate::plots::phases::Shown;
use crate::tables::delta::Measured;
use crate::tables::levels;

/// Quantiles of response time by phase, a panel for each label.
pub(super) fn phases(selection: &Selection, report: &mut Report) -> Result<Vec<Drawn>> {
    let (measured, opened) = measured(selection, report)?;
    let (labels, runs) = (levels::by_label(&measured)?, levels::by_run(&measured)?);
    let svg = plots::phases::draw_svg(&labels, &runs, &shown(&measured), &subject(selection))?;
    // What only tells labels of the same name apart is no reading.
    let labels = labels.drop("condition")?;
    let labels = Data { text: levels::text, ..Data::new("labels", labels) };
    Ok(vec![Drawn { svg, run: None, tables: vec![labels, Data::new("runs", runs)], notes: notes(&opened) }])
}

/// The conditions that are shown, in reading order.
fn shown(measured: &[Measured]) -> Vec<Shown<'_>> {
    let mut runs: Vec<&Measured> = measured.iter().filter(|run| run.is_shown).collect();
    runs.sort_by(|a, b| a.factors.reading_order(&b.factors).then_with(|| a.run.cmp(&b.run)));
    let mut shown: Vec<Shown<'_>> = Vec::new();
    for run in runs {
        match shown.iter_mut().find(|shown| shown.factors.condition == run.factors.condition) {
            Some(shown) => shown.runs += 1,
            None => shown.push(Shown { factors: &run.factors, runs: 1 }),
        }
    }
    shown
}
