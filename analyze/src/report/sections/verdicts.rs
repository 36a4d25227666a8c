//! What each label's fault did, in a sentence.

use maud::html;
use polars::prelude::*;

use crate::Result;
use crate::report::figures::Numbers;
use crate::report::tables::sentences;
use crate::report::words::counted;
use crate::report::{Part, Section};

pub(super) fn section(part: &Part, _: &Numbers) -> Result<Option<Section>> {
    let verdicts = &part.tables.verdicts;
    let runs: Vec<Option<u64>> = verdicts.column("runs")?.cast(&DataType::UInt64)?.u64()?.iter().collect();
    let sentences = sentences(verdicts, "label")?;
    if sentences.is_empty() {
        return Ok(None);
    }
    let content = html! {
        dl .verdicts { @for ((label, sentence), runs) in sentences.iter().zip(runs) { div {
            dt { (label) @if let Some(runs) = runs { " " small { (counted(runs as usize, "run")) } } }
            dd { (sentence) }
        } } }
        p .aside {
            "×, x: ratio to before or to the baselines. [..]: 95 % interval. Client saturated: the generator, not the cluster, was \
             the limit of what was measured. The verdict on each run stands with its evidence."
        }
    };
    Ok(Some(Section { anchor: "verdicts", title: "Verdicts".to_owned(), content }))
}
