//! `analyze diagram`: Raft as in a textbook, or one run, in a language that others draw.

use std::path::PathBuf;

use super::{Report, gather};
use crate::diagrams::recorded::{self, Recorded};
use crate::diagrams::{Drawing, Form, Subject, ascii, graphviz, mermaid, textbook};
use crate::load::Run;
use crate::output::{self, Destination};
use crate::plots;
use crate::tables::{reigns, replication, runs, standings, writes};
use crate::{Error, Result};

/// What `analyze diagram` draws, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagram {
    /// What is drawn.
    pub subject: Subject,
    /// In which language.
    pub language: Language,
    /// The run that is drawn, a run folder or its name within `dir`; absent for the textbook's diagram.
    pub run: Option<String>,
    /// The results folder.
    pub dir: PathBuf,
    /// Whether a failed run is drawn, provided that its files are whole.
    pub include_failed: bool,
    /// Where to write.
    pub to: Destination,
}

/// The languages of diagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// mermaid's.
    Mermaid,
    /// Graphviz', for `dot`.
    Graphviz,
    /// Characters.
    Ascii,
    /// A picture; of timelines only.
    Svg,
}

/// What mermaid draws unless its `maxTextSize` is raised, as on GitHub it cannot be.
const MERMAID_CHARS_MAX: usize = 50_000;

/// Draws what was asked for.
pub(super) fn diagram(asked: &Diagram, report: &mut Report) -> Result<()> {
    if asked.language == Language::Svg && asked.subject != Subject::Timeline {
        return Err(Error::Usage(format!(
            "--format svg: only a timeline is drawn as a picture here; write a {} with --format graphviz and have \
             `dot -Tsvg` draw it",
            asked.subject.as_str()
        )));
    }
    if let Destination::File(file) = &asked.to
        && asked.language != Language::Svg
        && file.extension().is_some_and(|end| end == "svg")
    {
        return Err(Error::Usage(format!(
            "--output {}: what --format asks for is text, not a picture; leave --format out, or choose another name",
            file.display()
        )));
    }
    let drawing = match &asked.run {
        None => textbook::drawing(asked.subject),
        Some(run) => {
            let run = gather::one(gather::named(run, &asked.dir)?, asked.include_failed)?;
            recorded::drawing(asked.subject, &recorded_of(&run)?)
        }
    };
    let text = written(&drawing, asked.language)?;
    if asked.language == Language::Mermaid && text.chars().count() > MERMAID_CHARS_MAX {
        report.left_out.push(format!(
            "this run has more than mermaid draws ({MERMAID_CHARS_MAX} characters, its maxTextSize); take --format graphviz"
        ));
    }
    output::write_bytes(text.as_bytes(), &asked.to)
}

fn written(drawing: &Drawing, language: Language) -> Result<String> {
    match (language, &drawing.form) {
        (Language::Mermaid, _) => Ok(mermaid::write(drawing)),
        (Language::Graphviz, _) => Ok(graphviz::write(drawing)),
        (Language::Ascii, _) => Ok(ascii::write(drawing)),
        (Language::Svg, Form::Timeline(timeline)) => {
            plots::timeline::draw_svg(&drawing.title, &drawing.notes, timeline)
        }
        (Language::Svg, _) => Err(Error::Plot("only timelines are drawn as pictures".to_owned())),
    }
}

/// Everything that diagrams show of a run.
fn recorded_of(run: &Run) -> Result<Recorded> {
    let operations = run.operations(&writes::READS)?;
    let facts = run.facts(&operations)?;
    let views = run.views(&facts)?;
    let spells = standings::spells(&views, facts.members.len());
    let course = reigns::course(&views, &spells, facts.members.len());
    let manifest = &run.listed.manifest;
    Ok(Recorded {
        fault: runs::fault_in_words(&run.listed),
        workload: runs::workload_in_words(&manifest.spec.workload),
        lags: replication::lags(&views, &course, &facts),
        writes: writes::Writes::of(&operations, &facts)?,
        facts,
        spells,
        course,
    })
}
