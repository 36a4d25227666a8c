//! What the members did beneath the clients, of one run a label.

use maud::{Markup, html};

use crate::Result;
use crate::plots;
use crate::plots::PlottedRun;
use crate::report::figures::Numbers;
use crate::report::{Part, ReportedRun, Section};

pub(super) fn section(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let figure = |run: &ReportedRun| -> Result<Option<(String, Markup)>> {
        let Some(sampled) = &run.members else { return Ok(None) };
        let plotted = PlottedRun { table: run.throughput.clone(), ..run.plotted.clone() };
        let svg = plots::members::draw_svg(&plotted, sampled)?;
        let caption = html! { "Members of " (run.listed.run) ", under the same time axis as its clients." };
        Ok(Some((run.listed.run.clone(), numbers.figure(&svg, &caption))))
    };
    let figures = part.runs.iter().filter_map(|run| figure(run).transpose()).collect::<Result<Vec<_>>>()?;
    if figures.is_empty() {
        return Ok(None);
    }
    let content = html! {
        p {
            "What the members themselves tell each second: who led as each of them saw it, how long its disk and its peers took, how \
             far its log was behind. One run of each label with a fault; of any other: "
            code { "analyze plot --kind members --pattern LABEL" } "."
        }
        @for (run, figure) in &figures {
            details { summary { (run) } (figure) }
        }
    };
    Ok(Some(Section { anchor: "members", title: "What the members did".to_owned(), content }))
}
