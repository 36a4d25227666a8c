//! Every run: a list, and the evidence of each.

use maud::{Markup, html};

use super::evidence;
use crate::Result;
use crate::report::figures::Numbers;
use crate::report::{Part, ReportedRun, Section};
use crate::tables::{runs, summary};

pub(super) fn section(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let listed: Vec<_> = part.runs.iter().map(|run| run.listed.clone()).collect();
    let table = runs::text(&runs::table(&listed)?, false)?;
    let details = part.runs.iter().map(details).collect::<Result<Vec<_>>>()?;
    let content = html! {
        p { "All times are seconds after the run's time 0, which is the end of its warm-up." }
        (numbers.table(&table, &html! { "The runs: fault, whom it hit, and its measured window." }))
        div .runs { @for run in details { (run) } }
    };
    Ok(Some(Section { anchor: "runs", title: "Every run, with its evidence".to_owned(), content }))
}

/// A run, folded.
fn details(run: &ReportedRun) -> Result<Markup> {
    let manifest = &run.listed.manifest;
    let table = summary::text(&run.summary, false)?;
    let changes = run.plotted.leader_changes.len();
    Ok(html! {
        details .run id={ "run-" (run.listed.run) } {
            summary {
                b { (run.listed.run) }
                " " (run.plotted.fault)
                @if changes > 0 { " " span .flag { "leader changed" } }
                @if runs::client_saturated(manifest).is_some() { " " span .flag { "client saturated" } }
                @if !manifest.warnings.is_empty() {
                    " " span .flag { (crate::report::words::counted(manifest.warnings.len(), "warning")) }
                }
            }
            (evidence::of(run))
            (crate::output::html::table(&table, &html! { "Counts and percentiles of " (run.listed.run) }))
        }
    })
}
