//! `analyze gate`: rules held against runs.

use std::path::PathBuf;

use super::Report;
use super::gather::{measured, unmeasured};
use crate::gate::evaluate::{self, Judged, Verdict};
use crate::gate::rule::Rule;
use crate::gate::{file, report};
use crate::load::Selection;
use crate::output::{self, Destination, Format};
use crate::{Error, Result};

/// Which rules are held against which runs, and what is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// A rules file.
    pub rules: Option<PathBuf>,
    /// Rules beside it.
    pub more_rules: Vec<Rule>,
    /// Which runs.
    pub selection: Selection,
    /// How to write the verdicts.
    pub format: GateFormat,
    /// Where.
    pub to: Destination,
    /// Where to write them as Markdown too.
    pub markdown: Option<PathBuf>,
    /// Where to write them as JUnit XML too.
    pub junit: Option<PathBuf>,
}

/// How verdicts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateFormat {
    /// As a table like every other.
    Table(Format),
    /// As Markdown, for the summary of a CI job.
    Markdown,
    /// As JUnit XML.
    Junit,
}

/// Exit code when a rule does not hold.
const FAIL: u8 = 4;
/// Exit code when every rule holds as far as that can be told.
const CANNOT_TELL: u8 = 5;

/// Judges the runs. Rules are read first: a mistake in them shows at once, however long the runs take to read.
pub(super) fn gate(asked: &Gate, report: &mut Report) -> Result<()> {
    let mut rules = asked.rules.as_deref().map(file::read).transpose()?.unwrap_or_default();
    rules.extend(asked.more_rules.iter().cloned());
    if rules.is_empty() {
        return Err(Error::Usage("no rules; name a rules file, or a rule with --rule 'p99 <= 50ms'".to_owned()));
    }
    let (runs, _) = measured(&asked.selection, report)?;
    let absent = unmeasured(&asked.selection, &runs)?;
    let judged = evaluate::judge(&rules, &runs, &absent)?;
    report.verdict = match Verdict::overall(judged.iter().map(|row| row.verdict)) {
        Verdict::Pass => None,
        Verdict::Fail => Some(FAIL),
        Verdict::CannotTell => Some(CANNOT_TELL),
    };
    write(asked, &judged)
}

fn write(asked: &Gate, judged: &[Judged<'_>]) -> Result<()> {
    let junit = || report::junit(judged).map_err(Error::output("JUnit XML"));
    // The files first: what they say must not depend on who reads standard output.
    for (file, text) in
        [(&asked.markdown, &(|| Ok(report::markdown(judged))) as &dyn Fn() -> Result<String>), (&asked.junit, &junit)]
    {
        if let Some(file) = file {
            output::write_bytes(text()?.as_bytes(), &Destination::File(file.clone()))?;
        }
    }
    match asked.format {
        GateFormat::Markdown => output::write_bytes(report::markdown(judged).as_bytes(), &asked.to),
        GateFormat::Junit => output::write_bytes(junit()?.as_bytes(), &asked.to),
        GateFormat::Table(format) => {
            output::write(&mut report::table(judged)?, &report::text(judged)?, format, &asked.to)
        }
    }
}
