//! A status that is shown again and again: in place on a terminal, else what changes, line by line.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::changes::{Change, Observer};
use super::members::ClusterStatus;
use super::source::Source;
use super::{ascii, table};
use crate::cli::status::StatusFormat;
use crate::error::{Error, Result};
use crate::{signals, terminal};

/// How long what has changed stays marked.
const MARKED: Duration = Duration::from_secs(5);
/// How many changes are kept on the screen, where it is high enough.
const CHANGES_SHOWN: usize = 12;

/// What is watched, and how it is shown.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    /// Where it comes from.
    pub(super) source: &'a Source,
    /// How long to wait from one look to the next.
    pub(super) interval: Duration,
    /// How it is written.
    pub(super) format: StatusFormat,
    /// The file that it is written to, in place of standard output.
    pub(super) output: Option<&'a Path>,
}

impl Watch<'_> {
    /// Looks until a signal comes, and returns the exit code.
    ///
    /// # Errors
    /// When the cluster cannot be asked any more, or the file cannot be written.
    pub(super) async fn carry_out(&self) -> Result<u8> {
        let mut signals = signals::install()?;
        let mut observer = Observer::default();
        let mut screen = Screen::new(self);
        let mut looks = tokio::time::interval(self.interval);
        // After a member that took long to answer, the next look is a whole interval later.
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seen_before = false;
        loop {
            let status = tokio::select! {
                _ = signals.wait_for(Option::is_some) => return Ok(0),
                status = async { looks.tick().await; self.source.status().await } => status?,
            };
            let Some(status) = status else {
                // A cluster that is made anew, as by docker-compose, is another one.
                return Err(match seen_before {
                    true => Error::Environment("the cluster is gone".into()),
                    false => crate::kept::nothing_up(),
                });
            };
            seen_before = true;
            let changes = observer.look(&status, Instant::now());
            screen.show(&status, changes, &observer)?;
        }
    }
}

/// What is on the screen.
struct Screen<'a> {
    watch: &'a Watch<'a>,
    in_place: bool,
    /// Lines that the last drawing took.
    height: usize,
    changes: Vec<(Instant, Change)>,
    shown_before: bool,
}

impl<'a> Screen<'a> {
    fn new(watch: &'a Watch<'a>) -> Self {
        let drawn = matches!(watch.format, StatusFormat::Table | StatusFormat::Ascii);
        let in_place = drawn && watch.output.is_none() && std::io::stdout().is_terminal();
        Self { watch, in_place, height: 0, changes: Vec::new(), shown_before: false }
    }

    fn show(&mut self, status: &ClusterStatus, changes: Vec<Change>, observer: &Observer) -> Result<()> {
        let Watch { format, output, .. } = self.watch;
        let now = Instant::now();
        self.changes.extend(changes.iter().map(|change| (now, change.clone())));
        let beyond = self.changes.len().saturating_sub(CHANGES_SHOWN);
        self.changes.drain(..beyond);
        let first = !std::mem::replace(&mut self.shown_before, true);
        if output.is_some() {
            super::output::write(&super::text(status, *format).join("\n"), *output)?;
            changes.iter().for_each(say);
        } else if *format == StatusFormat::Json {
            #[derive(serde::Serialize)]
            struct Look<'s> {
                #[serde(flatten)]
                status: &'s ClusterStatus,
                changes: &'s [Change],
            }
            let look = Look { status, changes: &changes };
            terminal::data(serde_json::to_string(&look).expect("a status has only string keys"));
        } else if self.in_place {
            self.redraw(status, observer, now);
        } else {
            if first {
                terminal::data(super::text(status, *format).join("\n"));
            }
            changes.iter().for_each(|change| terminal::data(format_args!("{}  {}", change.time, change.text)));
        }
        Ok(())
    }

    fn redraw(&mut self, status: &ClusterStatus, observer: &Observer, now: Instant) {
        let (columns, rows) = terminal::size_of(std::io::stdout());
        let mut lines = match self.watch.format {
            StatusFormat::Ascii => super::text(status, StatusFormat::Ascii),
            _ => self.marked_table(status, observer, now),
        };
        lines.push(String::new());
        // What does not fit would scroll, and could not be drawn over.
        let room = rows.saturating_sub(lines.len() + 2);
        let changes = &self.changes[self.changes.len().saturating_sub(room)..];
        lines.extend(changes.iter().map(|(_, change)| format!("{}  {}", time_of_day(&change.time), change.text)));
        lines.push(format!("every {} s; Ctrl-C ends this", self.watch.interval.as_secs_f64()));
        lines.truncate(rows.saturating_sub(1));
        let mut drawing = String::new();
        if self.height > 0 {
            drawing += &format!("\x1b[{}A", self.height);
        }
        for line in &lines {
            drawing += &format!("\x1b[2K{}\n", fitting(line, columns));
        }
        // What the last drawing had more.
        drawing += "\x1b[J";
        self.height = lines.len();
        let mut out = std::io::stdout().lock();
        // A terminal that went away ends this by a signal.
        let _ = out.write_all(drawing.as_bytes()).and_then(|()| out.flush());
    }

    /// The table, with what has changed lately in reverse, and what is wrong with members behind their lines.
    fn marked_table(&self, status: &ClusterStatus, observer: &Observer, now: Instant) -> Vec<String> {
        // People reach members at their listeners, where there are some.
        let left_out: &[_] = if status.members.iter().any(|row| row.listener.is_some()) { &["address"] } else { &[] };
        let mut lines = vec![ascii::heading(status)];
        lines.extend(table::lines_without(status, left_out));
        let width = lines.iter().skip(1).map(|line| line.chars().count()).max().unwrap_or(0);
        for (line, row) in lines.iter_mut().skip(2).zip(&status.members) {
            let note = row.problem_in_short().or_else(|| observer.is_behind(&row.member).then_some("catching up"));
            if let Some(note) = note {
                *line = format!("{line:width$}  {note}");
            }
            let is_about_it = |(seen, change): &(Instant, Change)| {
                change.member.as_ref() == Some(&row.member) && now.duration_since(*seen) < MARKED
            };
            if self.changes.iter().any(is_about_it) {
                *line = format!("{REVERSE}{line}{RESET}");
            }
        }
        lines
    }
}

const REVERSE: &str = "\x1b[7m";
const RESET: &str = "\x1b[0m";

fn say(change: &Change) {
    terminal::line(format_args!("{}  {}", change.time, change.text));
}

/// The time of day of a time in UTC, to milliseconds.
fn time_of_day(time: &str) -> &str {
    time.split_once('T').map_or(time, |(_, time)| time)
}

/// As much of a line as the terminal is wide; marks take no place.
fn fitting(line: &str, columns: usize) -> String {
    match line.strip_prefix(REVERSE).and_then(|line| line.strip_suffix(RESET)) {
        Some(marked) => format!("{REVERSE}{}{RESET}", fitting(marked, columns)),
        None => line.chars().take(columns.saturating_sub(1)).collect(),
    }
}
