//! What faults changed.

use super::{Data, Drawn, notes, subject};
use crate::Result;
use crate::commands::Report;
use crate::commands::gather::measured;
use crate::load::Selection;
use crate::plots;
use crate::tables::delta;

/// Ratios of labels, with their intervals and the noise floor.
pub(super) fn delta(selection: &Selection, report: &mut Report) -> Result<Vec<Drawn>> {
    let (measured, opened) = measured(selection, report)?;
    let (labels, runs) = (delta::by_label(&measured)?, delta::by_run(&measured)?);
    let svg = plots::delta::draw_svg(&labels, &runs, &subject(selection))?;
    let notes = delta::notes(&measured)?.into_iter().chain(notes(&opened)).collect();
    let labels = Data { text: |frame| delta::text_by_label(frame, false), ..Data::new("labels", labels) };
    Ok(vec![Drawn { svg, run: None, tables: vec![labels, Data::new("runs", runs)], notes }])
}
