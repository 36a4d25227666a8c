//! The levels themselves: what stands on both sides of each ratio.

use maud::html;
use polars::prelude::*;

use crate::Result;
use crate::plots;
use crate::plots::phases::Shown;
use crate::report::figures::Numbers;
use crate::report::{Part, Section};
use crate::tables::delta::{self, Measured};
use crate::tables::levels;

pub(super) fn section(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let by_run = &part.tables.effects_by_run;
    if by_run.height() == 0 {
        return Ok(None);
    }
    let measured: Vec<Measured> = part.runs.iter().map(measured).collect();
    let svg = plots::phases::draw_svg(
        &levels::by_label(&measured)?,
        &levels::by_run(&measured)?,
        &Shown::of(&measured),
        &part.subject(),
    )?;
    let table = delta::text_by_run(by_run, false)?;
    let content = html! {
        (numbers.figure(&svg, &html! { "Response time before, during and after, label by label; faint marks are single runs." }))
        p {
            "Both sides of each comparison, run by run. Every run's percentiles by kind of operation and phase stand with \
             its evidence, below."
        }
        details { summary { "Levels of each run" }
            (numbers.table(&table, &html! { "Levels: from what, to what, and their ratio." }))
        }
    };
    Ok(Some(Section { anchor: "levels", title: "Levels".to_owned(), content }))
}

/// A run as the picture takes it, without intervals.
fn measured(run: &crate::report::ReportedRun) -> Measured {
    Measured {
        run: run.listed.run.clone(),
        factors: run.plotted.factors.clone(),
        leader_changes: run.plotted.leader_changes.len(),
        is_shown: true,
        summary: run.summary.clone(),
        within: DataFrame::empty(),
    }
}
