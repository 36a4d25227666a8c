//! How much is lost at each value of a fault, and from which value on it is too much.

use maud::html;

use crate::Result;
use crate::plots;
use crate::report::figures::Numbers;
use crate::report::{Part, Section};
use crate::tables::severity::{self, crossings};

pub(super) fn section(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let tables = &part.tables;
    if tables.severity.height() == 0 {
        return Ok(None);
    }
    let (begins, certain) = crossings::USUAL_PERCENT;
    let svg = plots::severity::draw_svg(&tables.severity, &tables.crossings, &tables.effects_by_run, &part.subject())?;
    let content = html! {
        p {
            "Lost is what the fault took: half the throughput, or twice the time, is 50 %. The danger zone begins at the value of \
             the fault at which " (begins) " % are lost, and is certain at " (certain) " %."
        }
        (numbers.figure(&svg, &html! { "What is lost against the value of the fault, with 95 % intervals and the danger zone." }))
        (numbers.table(&crossings::text(&tables.crossings, false)?, &html! {
            "The danger zone: values of the fault at which " (begins) " % and " (certain) " % are lost."
        }))
        details { summary { "What is lost at each value" }
            (numbers.table(&severity::text(&tables.severity, false)?, &html! { "What is lost at each value of a fault." }))
        }
    };
    Ok(Some(Section { anchor: "severity", title: "Severity and the danger zone".to_owned(), content }))
}
