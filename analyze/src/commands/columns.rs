//! `analyze columns`: what the columns of tables mean.

use super::Answer;
use crate::output::{self, Destination, Format};
use crate::tables::columns::{self, DocumentedTable, TABLES};
use crate::{Error, Result};

/// Whose columns are shown, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    /// A table's name; absent for all of them.
    pub table: Option<String>,
    /// How to write them.
    pub format: ColumnsFormat,
    /// Where.
    pub to: Destination,
}

/// How the documentation of columns is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnsFormat {
    /// As a table like every other.
    Table(Format),
    /// As a page in Markdown.
    Markdown,
}

pub(super) fn columns(asked: &Columns) -> Result<()> {
    match asked.format {
        ColumnsFormat::Markdown => {
            let tables = named(asked.table.as_deref())?;
            output::write_bytes(columns::markdown(&tables).as_bytes(), &asked.to)
        }
        ColumnsFormat::Table(format) => {
            let Answer { mut frame, text, .. } = answer(asked.table.as_deref())?;
            output::write(&mut frame, &text, format, &asked.to)
        }
    }
}

/// What the columns of a table mean, or those of all.
pub(super) fn answer(table: Option<&str>) -> Result<Answer> {
    let tables = named(table)?;
    Ok(Answer::new(columns::table(&tables)?, columns::text(&tables)?))
}

fn named(table: Option<&str>) -> Result<Vec<&'static DocumentedTable>> {
    let Some(name) = table else { return Ok(TABLES.iter().collect()) };
    if let Some(table) = TABLES.iter().find(|table| table.name == name) {
        return Ok(vec![table]);
    }
    let mut near: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    near.sort_by(|a, b| strsim::jaro_winkler(name, b).total_cmp(&strsim::jaro_winkler(name, a)));
    Err(Error::Usage(format!("{name}: no such table; the tables are {}", near.join(", "))))
}
