//! Cells of frames, for those that put sentences together.

use polars::prelude::*;

/// A row of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cells<'a> {
    frame: &'a DataFrame,
    row: usize,
}

impl<'a> Cells<'a> {
    /// The rows of a frame that `is_wanted` takes.
    pub(super) fn rows(frame: &'a DataFrame, is_wanted: impl Fn(&Self) -> bool) -> Vec<Self> {
        let rows = (0..frame.height()).map(|row| Self { frame, row });
        rows.filter(is_wanted).collect()
    }

    /// A text; `None` where there is none, or no such column.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.frame.column(name).ok()?.str().ok()?.get(self.row)
    }

    /// A number of any type; `None` where there is none, where it is no finite one, or no such column.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let column = self.frame.column(name).ok()?;
        let value: Option<f64> = match column.dtype() {
            DataType::Float64 => column.f64().ok()?.get(self.row),
            DataType::UInt64 => column.u64().ok()?.get(self.row).map(|value| value as f64),
            _ => None,
        };
        value.filter(|value| value.is_finite())
    }

    /// Yes or no.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.frame.column(name).ok()?.bool().ok()?.get(self.row)
    }
}
