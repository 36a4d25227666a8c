//! What every column means: the one place that documents them, for `analyze columns` and for `COLUMNS.md`.
//!
//! A table's columns are written down in `columns/`; a test holds them against the columns that real tables have, in both
//! directions. Names end in their unit where they have one. Missing is null, never zero and never NaN.

use polars::prelude::*;

use crate::output::markdown;
use crate::output::text::{Column as Shown, TextTable};

mod aftermath;
mod files;
mod judged;
mod levels;
mod ratios;
mod runs;

/// A column, or several of one make.
#[derive(Debug, Clone, Copy)]
pub struct Documented {
    /// Its name. `{metric}` stands for each of the names that [`DocumentedTable::placeholders`] has for it.
    pub name: &'static str,
    /// What its values are: a unit (`ms`, `s`, `ns`, `ops/s`, `percent`, ...), `count`, `share` (0 to 1), `factor`, `number`,
    /// `text`, `yes/no` or `UTC`.
    pub unit: &'static str,
    /// What they mean, and when they are null.
    pub meaning: &'static str,
}

/// Shorthand for the lists of columns.
const fn column(name: &'static str, unit: &'static str, meaning: &'static str) -> Documented {
    Documented { name, unit, meaning }
}

/// The columns of a table.
#[derive(Debug, Clone, Copy)]
pub struct DocumentedTable {
    /// Its name: that of the command that prints it, or of the file that has it.
    pub name: &'static str,
    /// Where it comes from, as one types it.
    pub from: &'static str,
    /// What a row is.
    pub row: &'static str,
    /// What the placeholders in names stand for.
    pub placeholders: &'static [(&'static str, &'static [&'static str])],
    /// The columns, in their order, list after list.
    pub columns: &'static [&'static [Documented]],
}

/// Every table, in the order in which people meet them.
pub const TABLES: &[DocumentedTable] = &[
    runs::LIST,
    levels::SUMMARY,
    levels::THROUGHPUT,
    ratios::DELTA,
    levels::CDF,
    levels::LATENCY,
    ratios::SEVERITY,
    ratios::CROSSINGS,
    levels::PHASES,
    levels::SAMPLES,
    ratios::COMPARE,
    ratios::COMPARE_SETS,
    aftermath::RECOVERY,
    aftermath::CAUSES,
    aftermath::VERDICT,
    judged::CHECK,
    judged::GATE,
    judged::COLUMNS,
    files::OPERATIONS,
    files::FAULTS,
    files::SAMPLES,
    files::FINAL_STATE,
];

impl DocumentedTable {
    /// The columns as they are written down.
    pub fn patterns(&self) -> impl Iterator<Item = &'static Documented> {
        self.columns.iter().flat_map(|columns| columns.iter())
    }

    /// Every name that a column may have, in order, with its documentation.
    pub fn names(&self) -> Vec<(String, &'static Documented)> {
        self.patterns().flat_map(|column| self.expanded(column).into_iter().map(move |name| (name, column))).collect()
    }

    fn expanded(&self, column: &Documented) -> Vec<String> {
        let held = self.placeholders.iter().find(|(placeholder, _)| column.name.contains(placeholder));
        match held {
            None => vec![column.name.to_owned()],
            Some((placeholder, names)) => names.iter().map(|name| column.name.replace(placeholder, name)).collect(),
        }
    }
}

/// The documentation as a table, one row for each column. Columns:
///
/// - `table`, `from` (where it comes from, as one types it), `row` (what a row of it is)
/// - `column`, `unit`, `meaning`
///
/// # Errors
/// [`PolarsError`] never in practice.
pub fn table(tables: &[&DocumentedTable]) -> PolarsResult<DataFrame> {
    let rows: Vec<(&DocumentedTable, String, &Documented)> = tables
        .iter()
        .flat_map(|table| table.names().into_iter().map(|(name, column)| (*table, name, column)))
        .collect();
    let text =
        |name: &str, of: &dyn Fn(&(&DocumentedTable, String, &Documented)) -> String| -> polars::prelude::Column {
            polars::prelude::Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
        };
    DataFrame::new(
        rows.len(),
        vec![
            text("table", &|row| row.0.name.to_owned()),
            text("from", &|row| row.0.from.to_owned()),
            text("row", &|row| row.0.row.to_owned()),
            text("column", &|row| row.1.clone()),
            text("unit", &|row| row.2.unit.to_owned()),
            text("meaning", &|row| row.2.meaning.to_owned()),
        ],
    )
}

/// The documentation for people, with placeholders as they are written down.
///
/// # Errors
/// [`PolarsError`] never in practice.
pub fn text(tables: &[&DocumentedTable]) -> PolarsResult<TextTable> {
    let (mut group, mut names, mut units, mut meanings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for table in tables {
        for column in table.patterns() {
            for (at, line) in lines(column.meaning, MEANING_CHARS_MAX).into_iter().enumerate() {
                group.push(format!("{} ({})", table.name, table.from));
                names.push(if at == 0 { column.name } else { "" });
                units.push(if at == 0 { column.unit } else { "" });
                meanings.push(line);
            }
        }
    }
    let frame = df!("group" => group, "column" => names, "unit" => units, "meaning" => meanings)?;
    let shown = [("column", "column"), ("unit", "unit"), ("meaning", "meaning")];
    let mut text = TextTable::new(&frame, &shown.map(|(name, heading)| Shown::new(name, heading)), Some("group"))?;
    for (placeholder, names) in placeholders(tables) {
        text.note(&format!("{placeholder}: {}", names.join(", ")));
    }
    for table in tables.iter().filter(|_| tables.len() == 1) {
        text.note(table.row);
    }
    text.note("missing values are null (empty in CSV), never zero and never NaN");
    Ok(text)
}

/// The documentation as the page `COLUMNS.md`.
pub fn markdown(tables: &[&DocumentedTable]) -> String {
    let mut page = "# Columns\n\nMade by `analyze columns --format markdown`; change `analyze/src/tables/columns/`. Missing values are \
                    null (empty in CSV), never zero and never NaN.\n"
        .to_owned();
    for table in tables {
        page += &format!("\n## {}\n\n`{}`: {}.\n\n", table.name, table.from, table.row);
        let rows: Vec<Vec<String>> = table
            .patterns()
            .map(|column| [column.name, column.unit, column.meaning].map(str::to_owned).into())
            .collect();
        page += &markdown::table(&["column", "unit", "meaning"], &rows);
        for (placeholder, names) in table.placeholders {
            page += &format!("\n`{placeholder}` is one of `{}`.\n", names.join("`, `"));
        }
    }
    page
}

fn placeholders(tables: &[&DocumentedTable]) -> Vec<(&'static str, &'static [&'static str])> {
    let mut found: Vec<(&'static str, &'static [&'static str])> = Vec::new();
    for placeholder in tables.iter().flat_map(|table| table.placeholders) {
        if !found.contains(placeholder) {
            found.push(*placeholder);
        }
    }
    found
}

/// Width of meanings beside names and units, so that a line fits most terminals.
const MEANING_CHARS_MAX: usize = 66;

fn lines(text: &str, chars_max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > chars_max {
            lines.push(word.to_owned());
        } else {
            *last += if last.is_empty() { "" } else { " " };
            *last += word;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use run_folder::{fault, final_state, operation, sample};

    use super::*;

    #[test]
    fn no_table_documents_a_column_twice_or_leaves_out_what_it_is() {
        let mut tables = BTreeSet::new();
        for table in TABLES {
            assert!(tables.insert(table.name), "{} is there twice", table.name);
            let mut names = BTreeSet::new();
            for (name, column) in table.names() {
                assert!(!name.contains(['{', '}']), "{}: {name} has a placeholder that stands for nothing", table.name);
                assert!(names.insert(name.clone()), "{}: {name} is there twice", table.name);
                assert!(!column.unit.is_empty() && !column.meaning.is_empty(), "{}: {name}", table.name);
            }
        }
    }

    #[test]
    fn units_are_those_that_names_end_in() {
        for table in TABLES {
            for (name, column) in table.names() {
                let ends = [("_ms", "ms"), ("_s", "s"), ("_ns", "ns"), ("_us", "us"), ("_percent", "percent")];
                let end = ends.into_iter().find(|(end, _)| name.ends_with(end));
                match end {
                    _ if column.unit.starts_with("as its name") => {}
                    _ if name.ends_with("_per_s") => assert!(column.unit.contains("/s"), "{}: {name}", table.name),
                    Some((_, unit)) => assert_eq!(column.unit, unit, "{}: {name}", table.name),
                    None => {}
                }
            }
        }
    }

    #[test]
    fn recorded_files_have_the_columns_that_are_documented() {
        for (table, schema) in [
            ("operations", operation::schema()),
            ("faults", fault::schema()),
            ("samples.parquet", sample::schema()),
            ("final_state", final_state::schema()),
        ] {
            let documented = TABLES.iter().find(|known| known.name == table).expect(table).names();
            let documented: Vec<String> = documented.into_iter().map(|(name, _)| name).collect();
            let found: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            assert_eq!(documented, found, "{table}");
        }
    }
}
