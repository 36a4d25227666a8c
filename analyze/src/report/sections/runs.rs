//! Every run: a list, and the evidence of each.

use maud::{Markup, html};

use super::evidence;
use crate::report::figures::Numbers;
use crate::report::tables::sentences;
use crate::report::words::counted;
use crate::report::{Part, ReportedRun, Section};
use crate::tables::{runs, summary};
use crate::{Result, output};

pub(super) fn section(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let listed: Vec<_> = part.runs.iter().map(|run| run.listed.clone()).collect();
    let table = runs::text(&runs::table(&listed)?, false)?;
    let verdicts = sentences(&part.tables.verdicts_by_run, "run")?;
    let details = part.runs.iter().map(|run| details(run, &verdicts)).collect::<Result<Vec<_>>>()?;
    let content = html! {
        p {
            "Times are seconds after a run's time 0, which is the end of its warm-up. Counts and percentiles by kind of \
             operation and phase: latencies in milliseconds, over acknowledged operations; “of due” over all that were due, ≥ \
             (>=) where no answer came."
        }
        (numbers.table(&table, &html! { "The runs: fault, whom it hit, and its measured window." }))
        div .runs { @for run in details { (run) } }
    };
    Ok(Some(Section { anchor: "runs", title: "Every run, with its evidence".to_owned(), content }))
}

/// A run, folded.
fn details(run: &ReportedRun, verdicts: &[(String, String)]) -> Result<Markup> {
    let (name, manifest) = (&run.listed.run, &run.listed.manifest);
    let table = summary::text(&run.summary, false)?.bare();
    let changes = run.plotted.leader_changes.len();
    Ok(html! {
        details .run id={ "run-" (name) } {
            summary {
                b { (name) }
                " " (run.plotted.fault)
                @if changes > 0 { " " span .flag { "leader changed" } }
                @if runs::client_saturated(manifest).is_some() { " " span .flag { "client saturated" } }
                @if !manifest.warnings.is_empty() {
                    " " span .flag { (counted(manifest.warnings.len(), "warning")) }
                }
            }
            @for (_, sentence) in verdicts.iter().filter(|(run, _)| run == name) { p .verdict { (sentence) } }
            (evidence::of(run))
            (output::html::table(&table, &format!("numbers-{name}"), &html! { "Counts and percentiles of " (name) }))
        }
    })
}
