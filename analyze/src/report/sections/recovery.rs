//! How runs came back after their faults, and how long there was no acknowledged write.

use maud::html;

use crate::Result;
use crate::plots;
use crate::plots::PlottedRun;
use crate::report::figures::Numbers;
use crate::report::{Part, Section, Tables};
use crate::tables::recovery;

pub(super) fn section(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let rule = Tables::rule();
    let ends: Vec<_> = part.runs.iter().filter(|run| run.recovery_curve.height() > 0).collect();
    if part.tables.recovery_by_label.height() == 0 {
        return Ok(None);
    }
    let plotted: Vec<PlottedRun> =
        ends.iter().map(|run| PlottedRun { table: run.recovery_curve.clone(), ..run.plotted.clone() }).collect();
    let recovered: Vec<_> = ends.iter().map(|run| run.recovery.clone()).collect();
    let svg = match plotted.is_empty() {
        true => None,
        false => Some(plots::recovery::draw_svg(&plotted, &recovered, &rule, &part.subject())?),
    };
    let by_label = recovery::text_by_label(&part.tables.recovery_by_label, false, &rule)?;
    let by_run = recovery::text_by_run(&part.tables.recovery, false, &rule)?;
    let content = html! {
        p {
            "Back to normal is throughput: the first moment after the fault's end from which on " (rule.share_percent) " % of what \
             was acknowledged before was held for " (rule.hold_s) " s. What was not seen to come back is no number: it took longer \
             than was recorded."
        }
        @if let Some(svg) = svg {
            (numbers.figure(&svg, &html! {
                "The time around the fault's end: acknowledged operations relative to before, and operations due and not ended."
            }))
        }
        (numbers.table(&by_label, &html! { "Recovery and availability by label." }))
        details { summary { "Recovery of each run" }
            (numbers.table(&by_run, &html! { "Recovery and availability, run by run." }))
        }
    };
    Ok(Some(Section { anchor: "recovery", title: "Recovery and availability".to_owned(), content }))
}
