//! Throughput and latency over time, and the distribution of latency.

use crate::Result;
use crate::plots;
use crate::plots::cdf::Scale;
use crate::report::figures::Numbers;
use crate::report::{Part, Section};
use crate::tables;
use maud::html;

pub(super) fn throughput(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let runs = part.plotted(|run| &run.throughput);
    let across = plots::laid_over(&runs, tables::throughput::across)?;
    let svg = plots::throughput::draw_svg(&runs, &across, &part.subject())?;
    let content = numbers.figure(&svg, &html! {
        "Operations acknowledged in each second, while the fault held shaded. In an open loop answers that come late are \
         counted when they come: a dip is followed by a peak."
    });
    Ok(Some(Section { anchor: "throughput", title: "Throughput over time".to_owned(), content }))
}

pub(super) fn latency(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let runs = part.plotted(|run| &run.latency);
    let across = plots::laid_over(&runs, tables::latency::across)?;
    let summaries: Vec<_> = part.runs.iter().map(|run| run.summary.clone()).collect();
    let svg = plots::latency::draw_svg(&runs, &summaries, &across, &part.subject())?;
    let content = numbers.figure(&svg, &html! {
        "Latency against the time at which operations were due, on a logarithmic scale, while the fault held shaded."
    });
    Ok(Some(Section { anchor: "latency", title: "Latency over time".to_owned(), content }))
}

pub(super) fn distributions(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let svg = plots::cdf::draw_svg(&part.plotted(|run| &run.cdf), &part.references, Scale::default(), &part.subject())?;
    let content = numbers.figure(&svg, &html! {
        "Distribution of response time by phase. Upwards run the percentiles, at equal distances for each nine, so that \
         the slowest operations are as easy to read as the others."
    });
    Ok(Some(Section { anchor: "distribution", title: "Distribution of response time".to_owned(), content }))
}
