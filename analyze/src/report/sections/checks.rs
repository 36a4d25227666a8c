//! Whether what was recorded can be right.

use maud::html;
use polars::prelude::*;

use crate::Result;
use crate::output::text::{Column as Shown, TextTable};
use crate::report::figures::Numbers;
use crate::report::words::counted;
use crate::report::{Part, Section};
use crate::tables::{self, check};

pub(super) fn section(part: &Part, numbers: &Numbers) -> Result<Option<Section>> {
    let Some(checks) = tables::stack(part.runs.iter().map(|run| run.checks.clone()))? else { return Ok(None) };
    let verdicts: Vec<&str> = checks.column("result")?.str()?.iter().flatten().collect();
    let count = |verdict: &str| verdicts.iter().filter(|found| **found == verdict).count();
    let (violated, untold) = (count("violated"), count("not checkable"));
    let bad: BooleanChunked =
        checks.column("result")?.str()?.iter().map(|result| Some(result == Some("violated"))).collect();
    let content = html! {
        p {
            "The rows themselves were checked, run by run: that none is missing, that revisions and terms never go back in real \
             time, that reads and comparisons saw the newest write, that every acknowledged write is there at the end, and that \
             members counted what clients counted. "
            @if violated == 0 { b { "Nothing is violated" } } @else { b { (counted(violated, "check")) " violated" } }
            " among " (counted(verdicts.len(), "check")) " of " (counted(part.runs.len(), "run"))
            @if untold > 0 { "; " (untold) " could not be told" } "."
        }
        @if violated > 0 {
            (numbers.table(&check::text(&checks.filter(&bad)?, false)?, &html! { "What is violated." }))
        }
        (numbers.table(&by_check(&checks)?, &html! { "Checks: in how many runs each held. Run by run: analyze check." }))
    };
    Ok(Some(Section { anchor: "checks", title: "Checks".to_owned(), content }))
}

/// In how many runs each check came out how.
fn by_check(checks: &DataFrame) -> PolarsResult<TextTable> {
    let (names, guarantees) = (checks.column("check")?.str()?, checks.column("guarantee")?.str()?);
    let results = checks.column("result")?.str()?;
    let mut counts: Vec<(&str, &str, [u64; RESULTS.len()])> = Vec::new();
    for ((name, guarantee), result) in names.iter().zip(guarantees.iter()).zip(results.iter()) {
        let (Some(name), Some(at)) = (name, RESULTS.iter().position(|known| Some(*known) == result)) else { continue };
        match counts.iter_mut().find(|(known, ..)| *known == name) {
            Some((.., of)) => of[at] += 1,
            None => {
                counts.push((name, guarantee.unwrap_or_default(), Default::default()));
                counts.iter_mut().for_each(|(known, _, of)| of[at] += u64::from(*known == name));
            }
        }
    }
    let mut columns = vec![
        Column::new("check".into(), counts.iter().map(|(name, ..)| *name).collect::<Vec<_>>()),
        Column::new("guarantee".into(), counts.iter().map(|(_, guarantee, _)| *guarantee).collect::<Vec<_>>()),
    ];
    columns.extend(
        RESULTS.iter().enumerate().map(|(at, result)| {
            Column::new((*result).into(), counts.iter().map(|(.., of)| of[at]).collect::<Vec<_>>())
        }),
    );
    let frame = DataFrame::new(counts.len(), columns)?;
    let shown = ["check", "guarantee"].into_iter().chain(RESULTS).map(|name| Shown::new(name, name));
    TextTable::new(&frame, &shown.collect::<Vec<_>>(), None)
}

/// How a check comes out.
const RESULTS: [&str; 4] = ["held", "violated", "not checkable", "not applicable"];
