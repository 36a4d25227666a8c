//! The time around the end of faults.

use super::over_runs::{in_reading_order, plotted, selected};
use super::{Data, Drawn, notes, subject};
use crate::commands::Report;
use crate::commands::gather::{all, as_if_faulted};
use crate::commands::recovery::of_run;
use crate::load::Selection;
use crate::plots;
use crate::tables::recovery::{self, Rule, curve};
use crate::{Error, Result};

/// How runs came back after their faults.
pub(super) fn recovery(selection: &Selection, report: &mut Report) -> Result<Vec<Drawn>> {
    let rule = Rule::default();
    let opened = selected(selection, report)?;
    let (runs, recovered) = in_reading_order(&opened, report, |run| {
        let operations = run.operations(&recovery::READS)?;
        let facts = as_if_faulted(run, run.facts(&operations)?);
        let curve = curve::table(&operations, &facts, &rule)?;
        Ok((plotted(run, &operations, &facts, curve)?, of_run(run, &operations, &facts, &rule)?))
    })?;
    let count = runs.len();
    let (runs, recovered): (Vec<_>, Vec<_>) =
        runs.into_iter().zip(recovered).filter(|(run, _)| run.table.height() > 0).unzip();
    if runs.is_empty() {
        return Err(Error::Nothing(format!(
            "--kind recovery: none of the {count} runs has a fault that ends, with something recorded before and after it; \
             `analyze list` shows windows"
        )));
    }
    let mut notes = notes(&opened);
    if runs.len() < count {
        let left_out = count - runs.len();
        let (noun, is) = if left_out == 1 { ("run", "is") } else { ("runs", "are") };
        notes.push(format!("{left_out} {noun} whose fault lasts to the end {is} not drawn: there is no recovery"));
    }
    let svg = plots::recovery::draw_svg(&runs, &recovered, &rule, &subject(selection))?;
    let curves = all(runs.into_iter().map(|run| run.table).collect())?;
    let tables = vec![Data::new("curves", curves), Data::new("recovery", all(recovered)?)];
    Ok(vec![Drawn { svg, run: None, tables, notes }])
}
