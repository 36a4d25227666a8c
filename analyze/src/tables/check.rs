//! What `analyze check` found.

use polars::prelude::*;

use crate::check::{Finding, Verdict};
use crate::output::text::{Column, TextTable};

/// One row a run and check:
///
/// - `run`, `label`
/// - `check`: its name, and `guarantee`: what is guaranteed when it holds
/// - `result`: `held`, `violated`, `not checkable` (it cannot be told) or `not applicable` (the run has nothing of the kind)
/// - `operations`: on how many operations, and `kinds`: how many of which
/// - `violations`: how many contradictions; `examples`: the first ones, a line each
/// - `detail`: why it cannot be told, or what else is to be known
///
/// # Errors
/// [`PolarsError`] never, unless columns differ in length.
pub fn table(run: &str, label: &str, findings: &[Finding]) -> PolarsResult<DataFrame> {
    let texts = |text: &dyn Fn(&Finding) -> String| findings.iter().map(text).collect::<Vec<_>>();
    let some = |text: &dyn Fn(&Finding) -> String| {
        findings.iter().map(|finding| Some(text(finding)).filter(|text| !text.is_empty())).collect::<Vec<_>>()
    };
    df!(
        "run" => vec![run; findings.len()],
        "label" => vec![label; findings.len()],
        "check" => findings.iter().map(|finding| finding.check.as_str()).collect::<Vec<_>>(),
        "guarantee" => findings.iter().map(|finding| finding.check.guarantee()).collect::<Vec<_>>(),
        "result" => findings.iter().map(|finding| finding.verdict.as_str()).collect::<Vec<_>>(),
        "operations" => findings.iter().map(|finding| finding.on.total()).collect::<Vec<_>>(),
        "kinds" => texts(&|finding| finding.on.to_string()),
        "violations" => findings.iter().map(|finding| finding.violations).collect::<Vec<_>>(),
        "examples" => some(&|finding| finding.examples.join("\n")),
        "detail" => some(&|finding| finding.detail.clone()),
    )
}

/// The table for people. Below it stand contradictions and what could not be told; with `wide` each guarantee and detail too.
///
/// # Errors
/// [`PolarsError`] when the frame is not one of [`table`].
pub fn text(frame: &DataFrame, wide: bool) -> PolarsResult<TextTable> {
    let mut columns = vec![
        Column::new("check", "check"),
        Column::new("result", "result"),
        Column::new("violations", "violations"),
        Column::new("operations", "operations"),
        Column::new("kinds", "of which"),
    ];
    if wide {
        columns.extend([Column::new("guarantee", "guarantee"), Column::new("detail", "detail")]);
    }
    let mut text = TextTable::new(frame, &columns, Some("run"))?;
    let column = |name: &str| frame.column(name)?.str().cloned();
    let (runs, checks, results) = (column("run")?, column("check")?, column("result")?);
    let (guarantees, examples, details) = (column("guarantee")?, column("examples")?, column("detail")?);
    let counts = frame.column("violations")?.u64()?;
    // What cannot be told for one reason in many runs is said once.
    let mut untold: Vec<(String, String, Vec<String>)> = Vec::new();
    for row in 0..frame.height() {
        let cell = |column: &StringChunked| column.get(row).unwrap_or_default().to_owned();
        let (run, check, result) = (cell(&runs), cell(&checks), cell(&results));
        if result == Verdict::Violated.as_str() {
            text.note(&format!(
                "{run}: {check} is violated {} times: {}",
                counts.get(row).unwrap_or(0),
                cell(&guarantees)
            ));
            cell(&examples).lines().for_each(|example| text.note(&format!("  {example}")));
        }
        if result == Verdict::NotCheckable.as_str() {
            let why = cell(&details);
            match untold.iter_mut().find(|(other, its, _)| *other == check && *its == why) {
                Some((.., of)) => of.push(run),
                None => untold.push((check, why, vec![run])),
            }
        }
    }
    for (check, why, of) in untold {
        let of = if of.len() > 1 { format!("{} runs, the first {}", of.len(), of[0]) } else { of[0].clone() };
        text.note(&format!("{check} cannot be told: {why} ({of})"));
    }
    Ok(text)
}
