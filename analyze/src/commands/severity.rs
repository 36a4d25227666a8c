//! `analyze severity`: what is lost at each value of a fault, and from which value on it is too much.

use super::gather::measured;
use super::{Answer, Report, note_saturation};
use crate::load::{Run, Selection};
use crate::tables::delta;
use crate::tables::severity::{self, Aim, crossings};
use crate::{Error, Result};

/// What is to be told of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Severity {
    /// Which runs.
    pub selection: Selection,
    /// Names of the metrics, in the order of [`severity::metrics`].
    pub metrics: Vec<&'static str>,
    /// Whether crossings are told in place of points.
    pub is_crossings: bool,
    /// Percent lost at which the danger zone begins, and at which it is certain.
    pub thresholds: (f64, f64),
    /// Whether people see all columns.
    pub wide: bool,
}

/// Tells it.
pub(super) fn severity(asked: &Severity, report: &mut Report) -> Result<Answer> {
    let (begins, certain) = asked.thresholds;
    if begins >= certain {
        return Err(Error::Usage(format!("--begins {begins} is not below --certain {certain}")));
    }
    let (measured, runs) = measured(&asked.selection, report)?;
    let aims = aims(&runs);
    let (frame, mut text) = if asked.is_crossings {
        let frame = crossings::table(&measured, &aims, &asked.metrics, asked.thresholds)?;
        let text = crossings::text(&frame, asked.wide)?;
        (frame, text)
    } else {
        let frame = severity::table(&measured, &aims, &asked.metrics)?;
        let text = severity::text(&frame, asked.wide)?;
        (frame, text)
    };
    if frame.height() == 0 {
        return Err(Error::Nothing(NOTHING.to_owned()));
    }
    delta::notes(&measured)?.iter().for_each(|note| text.note(note));
    note_saturation(&mut text, runs.iter().map(|run| &run.listed));
    Ok(Answer::new(frame, text))
}

/// What is said where no run has a value.
pub(super) const NOTHING: &str = "nothing to tell the severity of: it takes runs with a fault that has a value, as in delay \
                                  20ms; see `analyze list`";

/// Whom the faults of runs hit.
pub(super) fn aims(runs: &[Run]) -> Vec<Aim> {
    runs.iter().filter_map(|run| Aim::of(&run.listed)).collect()
}
