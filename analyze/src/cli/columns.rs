//! The command line of `analyze columns`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::EXIT_CODES;
use crate::commands::{Columns, ColumnsFormat};
use crate::output::{Destination, Format};

/// What is typed after `analyze columns`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ColumnsArgs {
    /// A table, as in summary or delta, or a file of run folders, as in operations; without it all of them
    #[arg(value_name = "TABLE")]
    table: Option<String>,
    /// How to write the list; names with placeholders are written out in json, csv and parquet
    #[arg(long, value_enum, default_value = "table")]
    format: ColumnsFormatArg,
    /// File to write in place of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ColumnsFormatArg {
    /// Aligned columns for people
    Table,
    /// An array of objects
    Json,
    /// With a header
    Csv,
    /// Apache Parquet
    Parquet,
    /// A page in Markdown
    Markdown,
}

impl From<ColumnsArgs> for Columns {
    fn from(typed: ColumnsArgs) -> Self {
        Self {
            table: typed.table,
            format: match typed.format {
                ColumnsFormatArg::Table => ColumnsFormat::Table(Format::Table),
                ColumnsFormatArg::Json => ColumnsFormat::Table(Format::Json),
                ColumnsFormatArg::Csv => ColumnsFormat::Table(Format::Csv),
                ColumnsFormatArg::Parquet => ColumnsFormat::Table(Format::Parquet),
                ColumnsFormatArg::Markdown => ColumnsFormat::Markdown,
            },
            to: Destination::new(typed.output),
        }
    }
}
