//! What faults changed.

use super::{Data, Drawn, notes, subject};
use crate::commands::Report;
use crate::commands::gather::measured;
use crate::commands::severity::{NOTHING, aims};
use crate::load::Selection;
use crate::plots;
use crate::tables::delta;
use crate::tables::severity::{self, crossings};
use crate::{Error, Result};

/// Ratios of labels, with their intervals and the noise floor.
pub(super) fn delta(selection: &Selection, report: &mut Report) -> Result<Vec<Drawn>> {
    let (measured, opened) = measured(selection, report)?;
    let (labels, runs) = (delta::by_label(&measured)?, delta::by_run(&measured)?);
    let svg = plots::delta::draw_svg(&labels, &runs, &subject(selection))?;
    let notes = delta::notes(&measured)?.into_iter().chain(notes(&opened)).collect();
    let labels = Data { text: |frame| delta::text_by_label(frame, false), ..Data::new("labels", labels) };
    Ok(vec![Drawn { svg, run: None, tables: vec![labels, Data::new("runs", runs)], notes }])
}

/// What is lost at each value of a fault, and the danger zone.
pub(super) fn severity(selection: &Selection, report: &mut Report) -> Result<Vec<Drawn>> {
    let (measured, opened) = measured(selection, report)?;
    let aims = aims(&opened);
    let points = severity::table(&measured, &aims, &severity::USUAL)?;
    if points.height() == 0 {
        return Err(Error::Nothing(NOTHING.to_owned()));
    }
    let found = crossings::table(&measured, &aims, &severity::USUAL, crossings::USUAL_PERCENT)?;
    let runs = delta::by_run(&measured)?;
    let svg = plots::severity::draw_svg(&points, &found, &runs, &subject(selection))?;
    let notes = delta::notes(&measured)?.into_iter().chain(notes(&opened)).collect();
    let points = Data { text: |frame| severity::text(frame, false), ..Data::new("points", points) };
    let found = Data { text: |frame| crossings::text(frame, false), ..Data::new("crossings", found) };
    Ok(vec![Drawn { svg, run: None, tables: vec![points, found, Data::new("runs", runs)], notes }])
}
