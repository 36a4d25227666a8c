//! What faults changed: ratios, their intervals, and the noise floor.

use maud::html;

use crate::Result;
use crate::plots;
use crate::report::figures::Numbers;
use crate::report::{Part, Section};
use crate::tables::{delta, runs};

pub(super) fn section(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let labels = &part.tables.effects;
    if labels.height() == 0 {
        return Ok(None);
    }
    let mut table = delta::text_by_label(labels, false)?;
    part.tables.notes.iter().for_each(|note| table.note(note));
    let saturated = part.runs.iter().map(|run| (run.listed.run.as_str(), &run.listed.manifest));
    runs::saturation_note(saturated).iter().for_each(|note| table.note(note));
    let svg = plots::delta::draw_svg(labels, &part.tables.effects_by_run, &part.subject())?;
    let content = html! {
        p {
            "Each number under (and after) the fault, divided by the same number before it; where the fault lasts all the \
             time, by the baselines that were recorded in between. 1 is no effect. Grey numbers with a ~ lie within the noise \
             floor: runs that should show nothing showed as much. Bold ones with a * are significant."
        }
        (numbers.figure(&svg, &html! {
            "Ratios by label, on logarithmic scales: right of 1 is more, left is less. Dots within the grey bands are no larger \
             than what runs without a fault show."
        }))
        (numbers.table(&table, &html! { "Effects by label: repeats pooled." }))
    };
    Ok(Some(Section { anchor: "effects", title: "What the faults changed".to_owned(), content }))
}
