//! Verdicts for people.

use polars::prelude::*;

use crate::output::text::{Column as Shown, TextTable, wrapped};

/// Characters of a sentence on a line.
const LINE_CHARS_MAX: usize = 114;

/// Sentences below the names of what they are about, in as many lines as they need. `name` is the column with these
/// names: `run`, `label` or `sweep`.
///
/// # Errors
/// [`PolarsError`] when `verdicts` lacks a column.
pub fn text(verdicts: &DataFrame, name: &str) -> PolarsResult<TextTable> {
    let (names, sentences) = (verdicts.column(name)?.str()?, verdicts.column("sentence")?.str()?);
    let runs = if name == "label" { verdicts.column("runs").ok().and_then(|runs| runs.u64().ok()) } else { None };
    let mut groups: Vec<String> = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    for (row, (subject, sentence)) in names.iter().zip(sentences.iter()).enumerate() {
        let subject = subject.unwrap_or("runs outside of sweeps");
        let group = match runs.and_then(|runs| runs.get(row)) {
            Some(count) if count > 1 => format!("{subject} ({count} runs)"),
            _ => subject.to_owned(),
        };
        for line in wrapped(sentence.unwrap_or_default(), LINE_CHARS_MAX) {
            groups.push(group.clone());
            lines.push(line);
        }
    }
    let shown =
        DataFrame::new(lines.len(), vec![Column::new("group".into(), groups), Column::new("sentence".into(), lines)])?;
    let mut text = TextTable::new(&shown, &[Shown::new("sentence", "verdict")], Some("group"))?;
    if sentences.iter().flatten().any(|sentence| sentence.contains("client saturated")) {
        text.note("client saturated: the generator, not the cluster, was the limit of what was measured");
    }
    if sentences.iter().flatten().any(|sentence| sentence.contains("at least x")) {
        text.note(
            "at least: times are of acknowledged operations, and more of them were not than the percentile leaves out",
        );
    }
    if sentences.iter().flatten().any(|sentence| sentence.contains("no interval")) {
        text.note("no interval: too little was acknowledged, or the time is too short, to draw one from");
    }
    text.note("x: ratio to before or to the baselines; [..]: 95 % interval");
    text.hint("the numbers: --format json or csv");
    Ok(text)
}
