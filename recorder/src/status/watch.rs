//! A status that is shown again and again: in place on a terminal, else what changes, line by line.

mod frame;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::changes::{Change, Observer};
use super::source::Source;
use crate::cli::status::StatusFormat;
use crate::cluster::member_status::ClusterStatus;
use crate::error::{Error, Result};
use crate::{output, signals, terminal};
use frame::Frame;

/// How long what has changed stays marked.
const MARKED: Duration = Duration::from_secs(5);
/// How many changes are kept for the screen.
const CHANGES_KEPT: usize = 50;
/// How long a cluster that could not be asked may take to be gone.
const GONE_PAUSE: Duration = Duration::from_millis(200);

/// How something is watched.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    /// How long to wait from one look to the next.
    pub(super) interval: Duration,
    /// How it is written.
    pub(super) format: StatusFormat,
    /// The file that it is written to, in place of standard output.
    pub(super) output: Option<&'a Path>,
}

impl Watch<'_> {
    /// Looks until a signal comes, or until nobody reads it any more, and returns the exit code.
    ///
    /// # Errors
    /// When the cluster cannot be asked any more, or what it says cannot be written.
    pub(super) async fn carry_out(&self, mut source: Source) -> Result<u8> {
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
                status = async { looks.tick().await; look(&mut source).await } => status?,
            };
            let Some(status) = status else {
                // One that is made anew, as by docker-compose, is another cluster.
                return Err(match seen_before {
                    true => Error::environment("the cluster is gone; start one with `recorder up` and watch it anew"),
                    false => crate::kept::nothing_up(),
                });
            };
            seen_before = true;
            let changes = observer.look(&status, Instant::now());
            if !screen.show(&status, changes, &observer)? {
                return Ok(0);
            }
        }
    }
}

/// A status. One that was being ended while it was asked is gone, not broken.
async fn look(source: &mut Source) -> Result<Option<ClusterStatus>> {
    match source.status().await {
        Ok(status) => Ok(status),
        Err(error) => {
            tokio::time::sleep(GONE_PAUSE).await;
            match source.status().await {
                Ok(None) => Ok(None),
                Ok(again) => Ok(again),
                Err(_) => Err(error),
            }
        }
    }
}

/// What is shown, and where.
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
        let in_place = drawn && watch.output.is_none() && io::stdout().is_terminal();
        Self { watch, in_place, height: 0, changes: Vec::new(), shown_before: false }
    }

    /// Shows a look; `false` when nobody reads any more.
    fn show(&mut self, status: &ClusterStatus, changes: Vec<Change>, observer: &Observer) -> Result<bool> {
        let Watch { format, output, .. } = self.watch;
        let first = !std::mem::replace(&mut self.shown_before, true);
        if output.is_some() {
            super::write(&super::text(status, *format).join("\n"), *output)?;
            changes.iter().for_each(|change| terminal::line(in_a_line(change)));
            return Ok(true);
        }
        if *format == StatusFormat::Json {
            #[derive(serde::Serialize)]
            struct Look<'s> {
                #[serde(flatten)]
                status: &'s ClusterStatus,
                changes: &'s [Change],
            }
            let look = Look { status, changes: &changes };
            return output::to_stdout(&serde_json::to_string(&look).expect("a status has only string keys"));
        }
        if self.in_place {
            let now = Instant::now();
            self.changes.extend(changes.into_iter().map(|change| (now, change)));
            let beyond = self.changes.len().saturating_sub(CHANGES_KEPT);
            self.changes.drain(..beyond);
            return Ok(self.redraw(status, observer, now));
        }
        let mut lines = if first { super::text(status, *format) } else { Vec::new() };
        lines.extend(changes.iter().map(in_a_line));
        if lines.is_empty() { Ok(true) } else { output::to_stdout(&lines.join("\n")) }
    }

    fn redraw(&mut self, status: &ClusterStatus, observer: &Observer, now: Instant) -> bool {
        let (columns, rows) = terminal::size_of(io::stdout());
        let frame = Frame {
            status,
            is_drawing: self.watch.format == StatusFormat::Ascii,
            changes: self.changes.iter().map(|(seen, change)| (change, now.duration_since(*seen) < MARKED)).collect(),
            is_behind: &|member| observer.is_behind(member),
            interval: self.watch.interval,
        };
        let lines = frame.lines(columns, rows);
        let mut drawing = String::new();
        if self.height > 0 {
            drawing += &format!("\x1b[{}A", self.height);
        }
        for line in &lines {
            drawing += &format!("\x1b[2K{line}\n");
        }
        // What the last drawing had more.
        drawing += "\x1b[J";
        self.height = lines.len();
        let mut out = io::stdout().lock();
        out.write_all(drawing.as_bytes()).and_then(|()| out.flush()).is_ok()
    }
}

fn in_a_line(change: &Change) -> String {
    format!("{}  {}", change.time, change.text)
}
