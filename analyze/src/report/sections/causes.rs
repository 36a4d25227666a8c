//! What the members' samples show under the faults.

use maud::html;

use crate::Result;
use crate::report::figures::Numbers;
use crate::report::{Part, Section};
use crate::tables::causes;

pub(super) fn section(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    if part.tables.causes.height() == 0 {
        return Ok(None);
    }
    let table = causes::text(&part.tables.causes, false)?;
    let content = html! {
        p {
            "What else changed with the fault, as the members said of themselves: disks, links, how far they were behind, \
             elections, CPU. Something that is raised need not be a cause, but what is normal is none."
        }
        details { summary { "What members' samples show in each run" }
            (numbers.table(&table, &html! { "What is raised under the fault, beside what is normal." }))
        }
    };
    Ok(Some(Section { anchor: "causes", title: "What members showed".to_owned(), content }))
}
