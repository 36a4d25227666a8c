//! Drawings in characters, for a terminal or a comment: ASCII only, some 96 columns wide.

use super::{Drawing, Form, Kind, Line, Sequence, States, Step, Timeline, ticks, wrapped};

const WIDTH: usize = 96;
/// Characters that a note of a sequence may have in a line at least.
const NOTE_CHARS_MIN: usize = 40;
/// Characters of the name of a timeline's lane.
const NAME_CHARS_MAX: usize = 14;
/// Columns of a timeline's axis.
const AXIS_CHARS: usize = 80;

/// Writes a drawing down.
pub fn write(drawing: &Drawing) -> String {
    let mut lines = vec![plain(&drawing.title), String::new()];
    match &drawing.form {
        Form::States(states) => {
            lines.extend(indented(&drawing.notes));
            write_states(&mut lines, states);
        }
        Form::Sequence(sequence) => {
            lines.extend(indented(&drawing.notes));
            write_sequence(&mut lines, sequence);
        }
        Form::Timeline(timeline) => {
            write_timeline(&mut lines, timeline);
            lines.extend(indented(&drawing.notes));
        }
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// What a terminal shows as it is: `?` stands for everything else.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// A name in as many characters; `~` stands for the rest of a longer one.
fn cut(name: &str, chars: usize) -> String {
    let name = plain(name);
    if name.len() <= chars { name } else { format!("{}~", &name[..chars - 1]) }
}

/// Notes, and an empty line after them.
fn indented(notes: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = notes.iter().flat_map(|note| hanging(note, "  ", "  ")).collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// A text in lines, the first one after `first`, the others after `rest`.
fn hanging(text: &str, first: &str, rest: &str) -> Vec<String> {
    let lines = wrapped(&plain(text), WIDTH - first.len().max(rest.len()));
    lines.iter().enumerate().map(|(at, line)| format!("{}{line}", if at == 0 { first } else { rest })).collect()
}

fn write_states(lines: &mut Vec<String>, drawn: &States) {
    if let Some(sketch) = drawn.sketch {
        lines.extend(sketch.trim_matches('\n').lines().map(str::to_owned));
        lines.push(String::new());
    }
    let extra = |is_extra: bool| if is_extra { "etcd: " } else { "" };
    let leaving = |lines: &mut Vec<String>, from: Option<usize>| {
        for transition in drawn.transitions.iter().filter(|transition| transition.from == from) {
            lines.push(format!("    +--> {}", plain(&drawn.states[transition.to].name)));
            let bar =
                if drawn.transitions.iter().rfind(|other| other.from == from) == Some(transition) { " " } else { "|" };
            let indent = format!("    {bar}       ");
            let words = transition.lines.iter();
            lines.extend(
                words.flat_map(|line| hanging(&format!("{}{line}", extra(transition.is_extra)), &indent, &indent)),
            );
        }
        lines.push(String::new());
    };
    lines.push("(start)".to_owned());
    leaving(lines, None);
    for (at, state) in drawn.states.iter().enumerate() {
        lines.push(format!("[{}]", plain(&state.name)));
        let has_next = drawn.transitions.iter().any(|transition| transition.from == Some(at));
        let indent = if has_next { "    |  " } else { "       " };
        lines.extend(
            state.lines.iter().flat_map(|line| hanging(&format!("{}{line}", extra(state.is_extra)), indent, indent)),
        );
        leaving(lines, Some(at));
    }
}

/// Where the lines of actors are.
struct Columns(Vec<usize>);

impl Columns {
    fn new(actors: usize) -> Self {
        let between = ((WIDTH - 10) / actors.max(1)).clamp(10, 28);
        Self((0..actors).map(|at| between / 2 + at * between).collect())
    }

    /// Characters of a name above a life line.
    fn name_chars(&self) -> usize {
        self.0.windows(2).next().map_or(WIDTH, |pair| pair[1] - pair[0] - 2)
    }

    /// A line with the life lines of all.
    fn empty(&self) -> Vec<char> {
        let mut line = vec![' '; self.0.last().map_or(0, |last| last + 1)];
        self.0.iter().for_each(|&column| line[column] = '|');
        line
    }

    /// A line with a text put over it.
    fn with(&self, at: usize, text: &str) -> String {
        let mut line = self.empty();
        put(&mut line, at, text);
        line.into_iter().collect()
    }
}

fn put(line: &mut Vec<char>, at: usize, text: &str) {
    for (offset, c) in text.chars().enumerate() {
        let column = at + offset;
        if line.len() <= column {
            line.resize(column + 1, ' ');
        }
        line[column] = c;
    }
}

fn write_sequence(lines: &mut Vec<String>, drawn: &Sequence) {
    let columns = Columns::new(drawn.actors.len());
    let actors: Vec<String> = drawn.actors.iter().map(|actor| cut(actor, columns.name_chars())).collect();
    let mut names = Vec::new();
    for (actor, column) in actors.iter().zip(&columns.0) {
        put(&mut names, column.saturating_sub(actor.chars().count() / 2), actor);
    }
    lines.push(names.into_iter().collect());
    for step in &drawn.steps {
        lines.push(columns.empty().into_iter().collect());
        match step {
            Step::Part(title) => lines.extend(hanging(title, "--- ", "    ").iter().enumerate().map(|(at, line)| {
                let dashes = WIDTH.saturating_sub(line.chars().count() + 1);
                if at == 0 && title.chars().count() < WIDTH - 8 {
                    format!("{line} {}", "-".repeat(dashes))
                } else {
                    line.clone()
                }
            })),
            Step::Note { first, text, .. } => {
                let column = columns.0[*first];
                let room = WIDTH.saturating_sub(column + 3);
                // Beside the line of the actor, on the side where there is room.
                if room >= NOTE_CHARS_MIN || column < room {
                    for words in wrapped(&plain(text), room) {
                        lines.push(columns.with(column + 1, &format!(" {words} ")));
                    }
                } else {
                    let block = wrapped(&plain(text), NOTE_CHARS_MIN);
                    let width = block.iter().map(String::len).max().unwrap_or(0);
                    for words in block {
                        lines.push(columns.with(column.saturating_sub(width + 2), &format!(" {words:<width$} ")));
                    }
                }
            }
            Step::Message { from, to, text, line } => {
                let (left, right) = (columns.0[*from.min(to)], columns.0[*from.max(to)]);
                let between = right - left - 1;
                let words = plain(text);
                if words.len() + 2 <= between {
                    lines.push(columns.with(left + 1 + (between - words.len()) / 2, &words));
                } else {
                    let room = WIDTH.saturating_sub(left + 3).max(NOTE_CHARS_MIN);
                    let broken = wrapped(&words, room).into_iter();
                    lines.extend(broken.map(|words| columns.with(left + 1, &format!(" {words} "))));
                }
                lines.push(columns.with(left + 1, &arrow(between, from < to, *line)));
            }
        }
    }
}

fn arrow(length: usize, is_rightward: bool, line: Line) -> String {
    let (stroke, head) = match line {
        Line::Solid => ("-", if is_rightward { '>' } else { '<' }),
        Line::Dashed => ("- ", if is_rightward { '>' } else { '<' }),
        Line::Lost => ("-", 'x'),
    };
    let shaft: String = stroke.chars().cycle().take(length - 1).collect();
    if is_rightward { format!("{shaft}{head}") } else { format!("{head}{}", shaft.chars().rev().collect::<String>()) }
}

fn write_timeline(lines: &mut Vec<String>, drawn: &Timeline) {
    let (from_s, to_s) = drawn.range_s;
    let per_s = AXIS_CHARS as f64 / (to_s - from_s).max(f64::MIN_POSITIVE);
    let column = |at_s: f64| (((at_s - from_s) * per_s).round().max(0.0) as usize).min(AXIS_CHARS);
    let names =
        drawn.lanes.iter().map(|lane| cut(&lane.name, NAME_CHARS_MAX).len()).max().unwrap_or(0).max("elections".len());
    let row = |name: &str, content: &str| format!("{:>names$}  {content}", cut(name, NAME_CHARS_MAX));
    for (window_from_s, window_to_s, why) in &drawn.windows {
        let (from, to) = (column(*window_from_s), column(*window_to_s));
        let mut line = vec![' '; AXIS_CHARS];
        put(&mut line, from, &"~".repeat((to - from).max(1)));
        line.truncate(AXIS_CHARS.max(from + 1));
        lines.push(row("fault", &line.into_iter().collect::<String>()));
        lines.extend(hanging(why, &row("", ""), &row("", "")));
    }
    for lane in &drawn.lanes {
        let mut line = vec![' '; AXIS_CHARS];
        for span in &lane.spans {
            let (from, to) = (column(span.range_s.0), column(span.range_s.1));
            let from = from.min(AXIS_CHARS - 1);
            let stroke = sign(span.kind).to_string().repeat((to.saturating_sub(from)).max(1));
            put(&mut line, from, &stroke);
            let text = plain(&span.text);
            let count = text.chars().count();
            if count + 4 <= stroke.len() {
                put(&mut line, from + (stroke.len() - count - 2) / 2, &format!(" {text} "));
            }
        }
        lines.push(row(&lane.name, &line.into_iter().collect::<String>()));
    }
    if !drawn.marks.is_empty() {
        let mut line = vec![' '; AXIS_CHARS];
        drawn.marks.iter().for_each(|(at_s, _)| put(&mut line, column(*at_s).min(AXIS_CHARS - 1), "^"));
        lines.push(row("elections", &line.into_iter().collect::<String>()));
    }
    let (mut axis, mut numbers) = (vec!['-'; AXIS_CHARS + 1], Vec::new());
    for (at_s, text) in ticks((from_s, to_s), 10) {
        let column = column(at_s);
        put(&mut axis, column, "+");
        put(&mut numbers, column.saturating_sub(text.len() / 2), &text);
    }
    lines.push(row("", &axis.into_iter().collect::<String>()));
    lines.push(row("seconds", &numbers.into_iter().collect::<String>()));
    lines.push(String::new());
    for (kind, meaning) in &drawn.legend {
        lines.extend(hanging(meaning, &format!("  {}  ", sign(*kind).to_string().repeat(3)), "       "));
    }
    lines.push(String::new());
    for (at_s, what) in &drawn.marks {
        lines.extend(hanging(what, &format!("  {at_s:>8.2} s  "), "              "));
    }
    if !drawn.marks.is_empty() {
        lines.push(String::new());
    }
}

fn sign(kind: Kind) -> char {
    match kind {
        Kind::Leads => '=',
        Kind::Follows => '.',
        Kind::Leaderless => '?',
        Kind::Silent => 'x',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagrams::{Subject, textbook};

    #[test]
    fn every_textbook_diagram_is_ascii_of_100_columns_at_most() {
        for subject in [Subject::StateMachine, Subject::LogReplication, Subject::LeaderElection, Subject::Timeline] {
            let text = write(&textbook::drawing(subject));
            assert!(text.is_ascii(), "{text}");
            assert!(text.lines().all(|line| line.len() <= 100 && line.trim_end() == line), "{text}");
        }
    }

    #[test]
    fn a_sequence_in_characters() {
        let actors = ["client", "leader", "follower"].map(str::to_owned).into();
        let message = |from, to, text: &str, line| Step::Message { from, to, text: text.to_owned(), line };
        let steps = vec![
            Step::Part("One".to_owned()),
            message(0, 1, "put", Line::Solid),
            message(1, 2, "a text that is longer than the line below it", Line::Lost),
            Step::Note { first: 2, last: 2, text: "beside the right edge there is no room for this note".to_owned() },
            message(1, 0, "done", Line::Dashed),
        ];
        let form = Form::Sequence(Sequence { actors, steps });
        let drawn = write(&Drawing { title: "Title\u{1b}".to_owned(), notes: Vec::new(), form });
        let expected = "\
Title?

           client                      leader                     follower
              |                           |                           |
--- One ----------------------------------------------------------------------------------------
              |                           |                           |
              |            put            |                           |
              |-------------------------->|                           |
              |                           |                           |
              |                           | a text that is longer than the line below it
              |                           |--------------------------x|
              |                           |                           |
              |                beside the right edge there is no room |
              |                for this note                          |
              |                           |                           |
              |           done            |                           |
              |< - - - - - - - - - - - - -|                           |
";
        assert_eq!(drawn, expected, "{drawn}");
    }

    #[test]
    fn a_timeline_in_characters() {
        let drawn = write(&textbook::drawing(Subject::Timeline));
        let expected = "\
  cluster  ????????== term 1: A leads ===?? no leader ??========= term 3: B leads =========
        A  .......?=== leader, term 1 ===xxxxxxxxxxx failed xxxxxxxxxxx. follower, term 3 .
        B  ......... follower, term 1 ..........????????========= leader, term 3 ==========
        C  .......... follower, term 1 ..........??????......... follower, term 3 .........
elections          ^                             ^      ^
           +---------+---------+---------+---------+---------+---------+---------+---------+
  seconds  0         2         4         6         8        10        12        14        16
";
        assert!(drawn.contains(expected), "{drawn}");
    }
}
