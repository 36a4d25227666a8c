//! Tables for people: aligned columns, numbers with as many digits as one reads.

use std::fmt;
use std::ops::Range;

use polars::prelude::*;

/// A column to show, and its heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    name: String,
    heading: String,
    above: String,
    is_right: bool,
}

impl Column {
    /// Shows the frame's column `name` under `heading`.
    pub fn new(name: &str, heading: &str) -> Self {
        Self { name: name.to_owned(), heading: heading.to_owned(), above: String::new(), is_right: false }
    }

    /// Puts `above` over the headings of this column and its neighbours that have the same.
    pub fn under(self, above: &str) -> Self {
        Self { above: above.to_owned(), ..self }
    }

    /// Aligns text to the right, as numbers are: for text that stands for one.
    pub fn right(self) -> Self {
        Self { is_right: true, ..self }
    }

    /// Every column of a frame under its own name, but not the one that groups the rows, nor the label, which is part
    /// of the run's name.
    pub fn all(frame: &DataFrame, group: &str) -> Vec<Self> {
        let names = frame.columns().iter().map(|column| column.name().as_str());
        names.filter(|name| *name != group && *name != "label").map(|name| Self::new(name, name)).collect()
    }
}

/// A table as text. Where rows are grouped, each group has a line of its own with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTable {
    pub(super) headings: Vec<String>,
    above: Vec<String>,
    pub(super) right: Vec<bool>,
    pub(super) rows: Vec<(Option<String>, Vec<String>)>,
    pub(super) leads: Vec<String>,
    pub(super) notes: Vec<String>,
    hints: Vec<String>,
}

impl TextTable {
    /// Takes the columns to show from a frame; rows of one value in the column `group` must be neighbours.
    ///
    /// # Errors
    /// [`PolarsError`] when the frame lacks a column.
    pub fn new(frame: &DataFrame, columns: &[Column], group: Option<&str>) -> PolarsResult<Self> {
        let shown: Vec<_> = columns.iter().map(|column| frame.column(&column.name)).collect::<PolarsResult<_>>()?;
        let group = group.map(|name| frame.column(name)).transpose()?;
        let mut rows = Vec::with_capacity(frame.height());
        for row in 0..frame.height() {
            let group = group.map(|column| column.get(row).map(|value| cell(&value))).transpose()?;
            let cells = shown.iter().map(|column| Ok(cell(&column.get(row)?))).collect::<PolarsResult<_>>()?;
            rows.push((group, cells));
        }
        Ok(Self {
            headings: columns.iter().map(|column| column.heading.clone()).collect(),
            above: columns.iter().map(|column| column.above.clone()).collect(),
            right: shown
                .iter()
                .zip(columns)
                .map(|(frame, column)| column.is_right || is_right_aligned(frame))
                .collect(),
            rows,
            leads: Vec::new(),
            notes: Vec::new(),
            hints: Vec::new(),
        })
    }

    /// Adds a sentence above the table; in text it takes as many lines as it needs.
    pub fn lead(&mut self, lead: &str) {
        self.leads.push(lead.to_owned());
    }

    /// Adds a sentence below the table; in text it takes as many lines as it needs.
    pub fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    /// Adds a line below the table and its notes that is about the command line, and so is for the terminal only.
    pub fn hint(&mut self, hint: &str) {
        self.hints.push(hint.to_owned());
    }

    /// The table alone, without groups and notes: for where several of one kind stand below each other, and these are said
    /// once.
    pub fn bare(mut self) -> Self {
        self.rows.iter_mut().for_each(|(group, _)| *group = None);
        Self { leads: Vec::new(), notes: Vec::new(), hints: Vec::new(), ..self }
    }

    /// The table without what is about the command line, and of its rows the first ones: for where it stands beside other
    /// things.
    pub fn excerpt(mut self, rows_max: usize) -> Self {
        self.hints.clear();
        self.notes.retain(|note| !note.contains("--"));
        let count = self.rows.len();
        if count > rows_max {
            self.rows.truncate(rows_max);
            self.notes.insert(0, format!("the first {rows_max} of {count} rows"));
        }
        self
    }

    fn widths(&self) -> Vec<usize> {
        let width = |text: &String| text.chars().count();
        let mut widths: Vec<usize> = self.headings.iter().map(width).collect();
        for (_, cells) in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(cells) {
                *widest = (*widest).max(width(cell));
            }
        }
        for (columns, above) in self.spans() {
            let missing = width(&above).saturating_sub(span_width(&widths[columns.clone()]));
            widths[columns.start] += missing;
        }
        widths
    }

    /// The columns that have a heading in common, and that heading.
    pub(super) fn spans(&self) -> Vec<(Range<usize>, String)> {
        let mut spans: Vec<(Range<usize>, String)> = Vec::new();
        for (at, above) in self.above.iter().enumerate() {
            match spans.last_mut().filter(|(_, last)| last == above) {
                Some((columns, _)) => columns.end = at + 1,
                None => spans.push((at..at + 1, above.clone())),
            }
        }
        spans
    }

    fn write_spans(&self, f: &mut fmt::Formatter<'_>, widths: &[usize]) -> fmt::Result {
        let mut line = String::new();
        for (columns, above) in self.spans() {
            let width = span_width(&widths[columns]);
            line += &format!("{above:^width$}  ");
        }
        if line.trim().is_empty() { Ok(()) } else { writeln!(f, "{}", line.trim_end()) }
    }

    fn write_line(&self, f: &mut fmt::Formatter<'_>, cells: &[String], widths: &[usize]) -> fmt::Result {
        let mut line = String::new();
        for ((cell, &width), &right) in cells.iter().zip(widths).zip(&self.right) {
            line += &if right { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
        }
        writeln!(f, "{}", line.trim_end())
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        write_wrapped(f, &self.leads)?;
        self.write_spans(f, &widths)?;
        self.write_line(f, &self.headings, &widths)?;
        let mut group_before = &None;
        for (group, cells) in &self.rows {
            if let Some(name) = group.as_ref().filter(|_| group != group_before) {
                writeln!(f, "\n{name}")?;
            }
            group_before = group;
            self.write_line(f, cells, &widths)?;
        }
        if !(self.notes.is_empty() && self.hints.is_empty()) {
            writeln!(f)?;
        }
        write_wrapped(f, &self.notes)?;
        write_wrapped(f, &self.hints)
    }
}

fn write_wrapped(f: &mut fmt::Formatter<'_>, sentences: &[String]) -> fmt::Result {
    sentences.iter().flat_map(|sentence| wrapped(sentence, LINE_CHARS_MAX)).try_for_each(|line| writeln!(f, "{line}"))
}

/// A sentence in as many lines of at most `chars_max` characters as it needs, unless a single word is longer. All lines but
/// the first are indented by two more than it.
pub(crate) fn wrapped(sentence: &str, chars_max: usize) -> Vec<String> {
    let words = sentence.trim_start_matches(' ');
    let indent = sentence.len() - words.len();
    let mut words = words.split(' ');
    let mut lines = vec![format!("{:indent$}{}", "", words.next().unwrap_or_default())];
    let indent = indent + 2;
    for word in words {
        let line = lines.last_mut().expect("there is always a line");
        if line.chars().count() + 1 + word.chars().count() > chars_max {
            lines.push(format!("{:indent$}{word}", ""));
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}

/// Width of neighbouring columns with the gaps between them.
fn span_width(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
}

/// What fits most terminals.
const LINE_CHARS_MAX: usize = 118;

/// Numbers are aligned right; so is text that stands for a number, as in `>= 5000`.
fn is_right_aligned(column: &polars::prelude::Column) -> bool {
    column.dtype().is_primitive_numeric() || column.name().ends_with("_ms")
}

fn cell(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => "-".to_owned(),
        AnyValue::Boolean(true) => "yes".to_owned(),
        AnyValue::Boolean(false) => "no".to_owned(),
        AnyValue::String(text) => (*text).to_owned(),
        AnyValue::StringOwned(text) => text.to_string(),
        AnyValue::Float64(value) => number(*value),
        other => other.to_string(),
    }
}

/// A number with about four digits: what one compares by eye.
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_groups_have_a_line_of_their_own() {
        let frame = df!(
            "run" => ["a", "a", "b"],
            "phase" => ["before", "during", "all"],
            "p50_ms" => [Some(1.0), None, Some(12345.6)],
        )
        .expect("a frame");
        let columns = [Column::new("phase", "phase"), Column::new("p50_ms", "p50")];
        let mut table = TextTable::new(&frame, &columns, Some("run")).expect("a table");
        table.note("note");
        let expected = "phase     p50\n\na\nbefore  1.000\nduring      -\n\nb\nall     12346\n\nnote\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn sentences_break_between_words_and_go_on_indented() {
        assert_eq!(wrapped("one two three four", 9), ["one two", "  three", "  four"]);
        assert_eq!(wrapped("  A: one two", 9), ["  A: one", "    two"]);
        assert_eq!(wrapped("a  b", 9), ["a  b"]);
        assert_eq!(wrapped("", 9), [""]);
        let frame = df!("a" => [1_u32]).expect("a frame");
        let mut table = TextTable::new(&frame, &[Column::new("a", "a")], None).expect("a table");
        let sentence = "words that go on and on ".repeat(8);
        table.lead(&sentence);
        table.note(&sentence);
        table.hint(&sentence);
        let text = table.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= LINE_CHARS_MAX), "{text}");
        assert_eq!(text.matches("words").count(), 3 * 8);
    }

    #[test]
    fn numbers_keep_four_digits() {
        let shown: Vec<_> = [0.0, 0.1234, 9.8765, 12.345, 123.45, 1234.5].map(number).into();
        assert_eq!(shown, ["0.000", "0.123", "9.877", "12.35", "123.5", "1234"]);
    }
}
