//! The levels themselves, run by run: what stands on both sides of each ratio.

use maud::html;

use crate::Result;
use crate::report::figures::Numbers;
use crate::report::{Part, Section};
use crate::tables::delta;

pub(super) fn section(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let by_run = &part.tables.effects_by_run;
    if by_run.height() == 0 {
        return Ok(None);
    }
    let table = delta::text_by_run(by_run, false)?;
    let content = html! {
        p {
            "Both sides of each comparison, run by run. Every run's percentiles by kind of operation and phase stand with "
            "its evidence, below."
        }
        details { summary { "Levels of each run" }
            (numbers.table(&table, &html! { "Levels: from what, to what, and their ratio." }))
        }
    };
    Ok(Some(Section { anchor: "levels", title: "Levels".to_owned(), content }))
}
