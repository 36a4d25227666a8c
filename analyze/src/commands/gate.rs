//! `analyze gate`: rules held against runs.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use polars::prelude::*;

use super::gather::{measured, unmeasured};
use super::recovery::recoveries;
use super::{Answer, Report};
use crate::gate::evaluate::{self, Judged, Verdict};
use crate::gate::rule::{Rule, Source};
use crate::gate::{file, report};
use crate::load::{Run, Selection};
use crate::output::{self, Destination, Format};
use crate::tables::delta::Measured;
use crate::tables::recovery;
use crate::{Error, Result};

/// Which rules are held against which runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// A rules file.
    pub file: Option<PathBuf>,
    /// Rules beside it.
    pub more: Vec<Rule>,
    /// Which runs.
    pub selection: Selection,
}

/// Which rules are held against which runs, and what is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What is asked.
    pub rules: Rules,
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

/// Judges the runs and writes that.
pub(super) fn gate(asked: &Gate, report: &mut Report) -> Result<()> {
    judged(&asked.rules, report, |judged| write(asked, judged))
}

/// Judges the runs.
pub(super) fn answer(asked: &Rules, report: &mut Report) -> Result<Answer> {
    judged(asked, report, |judged| Ok(Answer::new(report::table(judged)?, report::text(judged)?)))
}

/// Judges the runs. Rules are read first: a mistake in them shows at once, however long the runs take to read.
fn judged<T>(asked: &Rules, report: &mut Report, then: impl FnOnce(&[Judged<'_>]) -> Result<T>) -> Result<T> {
    let mut rules = asked.file.as_deref().map(file::read).transpose()?.unwrap_or_default();
    rules.extend(asked.more.iter().cloned());
    if rules.is_empty() {
        return Err(Error::Usage(
            "no rules; name a rules file (RULES.toml), or give rules with --rule, as in --rule 'p99 <= 50ms'"
                .to_owned(),
        ));
    }
    let (runs, opened) = measured(&asked.selection, report)?;
    let absent = unmeasured(&asked.selection, &runs)?;
    let recoveries = match rules.iter().any(|rule| rule.condition.quantity.source == Source::Recovery) {
        true => recoveries_by_run(&opened, &runs, report)?,
        false => HashMap::new(),
    };
    let judged = evaluate::judge(&rules, &runs, &recoveries, &absent)?;
    report.verdict = match Verdict::overall(judged.iter().map(|row| row.verdict)) {
        Verdict::Pass => None,
        Verdict::Fail => Some(FAIL),
        Verdict::CannotTell => Some(CANNOT_TELL),
    };
    then(&judged)
}

/// The recovery of each run that could be measured; the others are in the report already.
fn recoveries_by_run(opened: &[Run], runs: &[Measured], report: &mut Report) -> Result<HashMap<String, DataFrame>> {
    let measured: HashSet<&str> = runs.iter().map(|run| run.run.as_str()).collect();
    let opened: Vec<Run> = opened.iter().filter(|run| measured.contains(run.listed.run.as_str())).cloned().collect();
    let mut by_run = HashMap::new();
    for (_, frame) in recoveries(&opened, &recovery::Rule::default(), report)? {
        if let Some(run) = frame.column("run")?.str()?.get(0) {
            by_run.insert(run.to_owned(), frame.clone());
        }
    }
    Ok(by_run)
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
