//! `analyze check`: whether what was recorded can be right, run by run.

use super::gather::{all, map, opened_on};
use super::{Answer, Report};
use crate::check::recording::{Intake, Known};
use crate::check::{self, Finding, Verdict};
use crate::load::{self, Capacity, Run, Selection, Terms};
use crate::{Result, tables};

/// What `analyze check` judges.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Which runs.
    pub selection: Selection,
    /// Whether people see all columns.
    pub wide: bool,
}

/// Exit code when a guarantee is violated.
const VIOLATED: u8 = 4;
/// Exit code when something cannot be told and nothing is violated.
const CANNOT_TELL: u8 = 5;

/// Checks the runs.
pub(super) fn check(asked: &Check, report: &mut Report) -> Result<Answer> {
    // Rows that are missing or too many are a finding here.
    let include_failed = asked.selection.include_failed;
    let terms = Terms { include_failed, capacity: Capacity::Keep, must_be_whole: false };
    let runs = opened_on(load::find(&asked.selection)?, terms, report)?;
    let found = map(&runs, report, |run| {
        let findings = findings(run)?;
        let worst = verdict(&findings);
        Ok((tables::check::table(&run.listed.run, &run.listed.label, &findings)?, worst))
    })?;
    let (frames, verdicts): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    report.verdict = match verdicts.into_iter().flatten() {
        mut some if some.clone().any(|code| code == VIOLATED) => some.find(|code| *code == VIOLATED),
        mut some => some.next(),
    };
    let frame = all(frames)?;
    let text = tables::check::text(&frame, asked.wide)?;
    Ok(Answer::new(frame, text))
}

fn verdict(findings: &[Finding]) -> Option<u8> {
    let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    match (has(Verdict::Violated), has(Verdict::NotCheckable)) {
        (true, _) => Some(VIOLATED),
        (false, true) => Some(CANNOT_TELL),
        (false, false) => None,
    }
}

/// What is found of one run.
pub(super) fn findings(run: &Run) -> Result<Vec<Finding>> {
    let manifest = &run.listed.manifest;
    let names_members = manifest.knows("operations.endpoint") && manifest.knows("cluster.members");
    let known = Known {
        members: names_members.then_some(manifest.cluster.members.len()),
        // The older scripts wrote down when an operation failed, and no more.
        starts: manifest.imported.is_none(),
    };
    let mut intake = Intake::new(manifest.rows.operations, known);
    let mut last_due_ns = 0;
    run.each_operation(|row| {
        last_due_ns = row.intended_ns.max(last_due_ns);
        intake.take(row);
    })?;
    let (history, recording) = intake.finish(run.is_recovered(), &run.older_files()?);
    let subject = run.check_subject(last_due_ns)?;
    Ok(check::judge(&history, &subject, recording))
}
