//! What stands on a terminal of some size: the status, what is wrong, and what has changed.

use std::time::Duration;

use crate::cluster::member_status::ClusterStatus;
use crate::status::changes::Change;
use crate::status::{ascii, table};

const REVERSE: &str = "\x1b[7m";
const RESET: &str = "\x1b[0m";

/// What is to be shown.
pub(super) struct Frame<'a> {
    /// The members now.
    pub(super) status: &'a ClusterStatus,
    /// Whether they are drawn, in place of a table.
    pub(super) is_drawing: bool,
    /// What has changed, oldest first, each with whether that was lately.
    pub(super) changes: Vec<(&'a Change, bool)>,
    /// Whether a member is not up to date yet.
    pub(super) is_behind: &'a dyn Fn(&str) -> bool,
    /// Time from one look to the next.
    pub(super) interval: Duration,
}

impl Frame<'_> {
    /// The lines, none wider than the terminal and not more than it can show without scrolling.
    pub(super) fn lines(&self, columns: usize, rows: usize) -> Vec<String> {
        // A line that is as wide as the terminal may leave the cursor in the next one; that after the last is the cursor's.
        let (width, height) = (columns.saturating_sub(1), rows.saturating_sub(1));
        let mut lines = if self.is_drawing { self.drawing(width) } else { self.table(width) };
        let changes: Vec<_> =
            self.changes.iter().map(|(change, _)| format!("{}  {}", time_of_day(&change.time), change.text)).collect();
        let room = height.saturating_sub(lines.len());
        let shown = &changes[changes.len().saturating_sub(room)..];
        // What matters least goes first: the words at the foot, then the empty line.
        if shown.len() + 1 < room || (shown.is_empty() && room > 0) {
            lines.push(String::new());
        }
        lines.extend(shown.iter().map(|line| fitting(line, width)));
        if lines.len() < height {
            lines.push(fitting(&format!("every {} s; Ctrl-C ends this", self.interval.as_secs_f64()), width));
        }
        lines.truncate(height);
        lines
    }

    fn drawing(&self, width: usize) -> Vec<String> {
        let lines = ascii::lines(self.status).into_iter();
        lines.map(|line| self.marked(fitting(&line.text, width), line.member.as_deref())).collect()
    }

    fn table(&self, width: usize) -> Vec<String> {
        let rows = &self.status.members;
        let mut lines = vec![fitting(&ascii::heading(self.status), width)];
        let whose = std::iter::once(None).chain(rows.iter().map(|row| Some(row.member.as_str())));
        let table = table::lines_within(self.status, width);
        lines.extend(table.iter().zip(whose).map(|(line, member)| self.marked(fitting(line, width), member)));
        for row in rows {
            let note = row.problem_in_short().or_else(|| (self.is_behind)(&row.member).then_some("catching up"));
            lines.extend(note.map(|note| fitting(&format!("{}: {note}", row.member), width)));
        }
        lines.extend(self.status.other_alarms.iter().map(|alarm| fitting(&format!("alarm {alarm}"), width)));
        lines
    }

    /// In reverse, when the member that it is about has changed lately.
    fn marked(&self, line: String, member: Option<&str>) -> String {
        let is_about_it = |(change, lately): &(&Change, bool)| *lately && change.member.as_deref() == member;
        match member.is_some() && self.changes.iter().any(is_about_it) {
            true => format!("{REVERSE}{line}{RESET}"),
            false => line,
        }
    }
}

/// The time of day of a time in UTC, to milliseconds.
fn time_of_day(time: &str) -> &str {
    time.split_once('T').map_or(time, |(_, time)| time)
}

fn fitting(line: &str, width: usize) -> String {
    line.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::member_status::tests::{rows, status};

    fn frame(is_drawing: bool, count: usize, columns: usize, rows_high: usize) -> Vec<String> {
        let change = |at: usize| Change {
            time: format!("1970-01-01T00:00:{at:02}.000Z"),
            member: Some("etcd1".into()),
            text: format!("etcd1 change {at}"),
        };
        let changes: Vec<_> = (0..count).map(change).collect();
        let status = status(rows());
        let frame = Frame {
            status: &status,
            is_drawing,
            changes: changes.iter().map(|change| (change, true)).collect(),
            is_behind: &|member| member == "etcd1",
            interval: Duration::from_millis(500),
        };
        frame.lines(columns, rows_high)
    }

    #[test]
    fn a_table_with_what_is_wrong_and_what_has_changed() {
        let expected = [
            "1970-01-01T00:00:00.000Z  term 2, etcd0 leads, 2 of 3 members answer",
            "member  listener        role         term  index  lag  applied  db     etcd",
            "etcd0   127.0.0.1:2379  leader       2     1234   0    1234     20 kB  3.4.23",
            "\x1b[7metcd1   127.0.0.1:2380  follower     2     1200   34   1199     20 kB  3.4.23\x1b[0m",
            "etcd2   -               unreachable  -     -      -    -        -      -",
            "etcd1: catching up",
            "etcd2: connection refused",
            "",
            "00:00:00.000Z  etcd1 change 0",
            "every 0.5 s; Ctrl-C ends this",
        ];
        assert_eq!(frame(false, 1, 120, 24), expected);
    }

    #[test]
    fn nothing_is_wider_or_higher_than_the_terminal() {
        for is_drawing in [false, true] {
            for (columns, rows) in [(200, 50), (80, 24), (60, 12), (40, 8), (20, 3), (1, 1)] {
                let lines = frame(is_drawing, 20, columns, rows);
                assert!(lines.len() < rows.max(1), "{columns} x {rows}: {lines:#?}");
                let width = |line: &String| line.replace(REVERSE, "").replace(RESET, "").chars().count();
                assert!(lines.iter().all(|line| width(line) < columns), "{columns} x {rows}: {lines:#?}");
            }
        }
    }

    #[test]
    fn the_newest_changes_stay_longest() {
        let shown =
            |rows| frame(false, 20, 80, rows).into_iter().filter(|line| line.contains("change")).collect::<Vec<_>>();
        assert_eq!(shown(24).len(), 16, "what has room");
        assert_eq!(shown(9), ["00:00:19.000Z  etcd1 change 19"], "rather than an empty line and the foot");
        assert_eq!(shown(50).len(), 20);
    }

    #[test]
    fn in_a_drawing_too_what_has_changed_is_marked() {
        let lines = frame(true, 1, 100, 24);
        assert!(lines.iter().any(|line| line.starts_with(REVERSE) && line.contains("etcd1")), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.starts_with(REVERSE) && line.contains("etcd2")), "{lines:#?}");
    }
}
