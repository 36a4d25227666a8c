//! The final state: what the workload's keys held after the last operation, read linearizably at one revision. It is written
//! once, after the tables, and may be absent: in folders of older recorders, and where the cluster could not answer. The
//! manifest's [`crate::manifest::Store`] says at which revision it was read, or why it was not.

use crate::table::TableWriter;
use crate::table_row::{TableRow, table_row};
use crate::{Error, RunFolder};

/// A key that was there at the end. Keys that are not listed were absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalKey {
    /// Index of the key.
    pub key: i32,
    /// Revision at which it was last created.
    pub create_revision: i64,
    /// Revision of its last modification.
    pub mod_revision: i64,
    /// Number of writes since its last creation, which counts too.
    pub version: i64,
}

// rustfmt would take the last comma away, which the list needs.
#[rustfmt::skip]
table_row!(FinalKey {
    key: i32,
    create_revision: i64,
    mod_revision: i64,
    version: i64,
});

/// Arrow schema of `final_state.parquet`; the columns are the fields of [`FinalKey`] in their order.
pub fn schema() -> arrow::datatypes::SchemaRef {
    FinalKey::schema()
}

/// Writes the table, so that it is there as a whole or not at all, and tells the number of its rows.
///
/// # Errors
/// [`Error::Io`].
pub fn write(folder: &RunFolder, keys: &[FinalKey]) -> crate::Result<u64> {
    let path = folder.final_state_parquet();
    let new = path.with_extension("parquet.new");
    let mut table = TableWriter::create(new.clone())?;
    table.push(keys)?;
    let rows = table.finish()?;
    std::fs::rename(&new, &path).map_err(Error::io(&path, "cannot put the table in place"))?;
    Ok(rows)
}
