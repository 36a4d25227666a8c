//! Tables for other programs in the same process, by the Arrow C stream interface.

/// A table, by a name for who knows no other crate of frames.
pub use polars::frame::DataFrame as Frame;
use polars::prelude::*;
use polars_arrow::array::StructArray;
use polars_arrow::datatypes::{ArrowDataType, Field};
pub use polars_arrow::ffi::ArrowArrayStream;

/// A table as a stream of its rows. Numbers are not copied; text is, into the layout that every reader knows.
pub fn stream(frame: &DataFrame) -> ArrowArrayStream {
    let mut frame = frame.clone();
    frame.align_chunks_par();
    let level = CompatLevel::oldest();
    let fields = frame.columns().iter().map(|column| column.field().to_arrow(level)).collect();
    let rows = ArrowDataType::Struct(fields);
    let batches: Vec<_> = frame
        .iter_chunks(level, false)
        .map(|batch| {
            let height = batch.len();
            Ok(StructArray::new(rows.clone(), height, batch.into_arrays(), None).boxed())
        })
        .collect();
    polars_arrow::ffi::export_iterator(Box::new(batches.into_iter()), Field::new("".into(), rows, false))
}
