//! Rows to columns and back: how a struct becomes an Arrow table.
//!
//! A table's columns are listed once, beside its struct, with [`table_row!`]. Schema, encoding and decoding all come
//! from that list, and the compiler refuses a list that does not name every field with its type.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int8Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Float64Type, Int8Type, Int32Type, Int64Type, SchemaRef};

/// A struct that is one row of a table.
pub(crate) trait TableRow: Sized {
    /// The table's columns.
    fn schema() -> SchemaRef;
    /// Columns of `rows`.
    fn batch(rows: &[Self]) -> RecordBatch;
    /// Rows of `batch`, whose columns are found by name; `Err` names the column that is missing or holds something
    /// that it must not.
    fn rows(batch: &RecordBatch) -> Result<Vec<Self>, &'static str>;
}

/// A value that is one cell of a table.
pub(crate) trait Cell: Sized {
    const TYPE: DataType;
    const NULLABLE: bool = false;
    /// The column of all `rows`.
    fn column<R>(rows: &[R], cell: impl Fn(&R) -> &Self) -> ArrayRef;
    /// All cells of `column`; `None` when one is not a value of this type.
    fn cells(column: &dyn Array) -> Option<Vec<Self>>;
    /// The cells of a column that an older recorder did not write; `None` when there must be one.
    fn absent(_rows: usize) -> Option<Vec<Self>> {
        None
    }
}

/// Lists a table's columns and so implements [`TableRow`] for its struct.
macro_rules! table_row {
    ($row:ident { $($column:ident: $cell:ty,)* }) => {
        impl $crate::table_row::TableRow for $row {
            fn schema() -> arrow::datatypes::SchemaRef {
                use $crate::table_row::Cell;
                std::sync::Arc::new(arrow::datatypes::Schema::new(vec![$(arrow::datatypes::Field::new(
                    stringify!($column),
                    <$cell>::TYPE,
                    <$cell>::NULLABLE,
                ),)*]))
            }

            fn batch(rows: &[Self]) -> arrow::array::RecordBatch {
                use $crate::table_row::Cell;
                let columns = vec![$(<$cell>::column(rows, |row: &Self| &row.$column),)*];
                arrow::array::RecordBatch::try_new(Self::schema(), columns).expect("columns come from the schema's list")
            }

            fn rows(batch: &arrow::array::RecordBatch) -> Result<Vec<Self>, &'static str> {
                use $crate::table_row::Cell;
                $(let mut $column = match batch.column_by_name(stringify!($column)) {
                    Some(column) => <$cell>::cells(column),
                    None => <$cell>::absent(batch.num_rows()),
                }
                .ok_or(stringify!($column))?
                .into_iter();)*
                let row = || Some(Self { $($column: $column.next()?,)* });
                Ok(std::iter::from_fn(row).collect())
            }
        }
    };
}
pub(crate) use table_row;

macro_rules! number_cell {
    ($($cell:ty, $data_type:ident, $arrow:ty, $array:ty;)*) => {$(
        impl Cell for $cell {
            const TYPE: DataType = DataType::$data_type;
            fn column<R>(rows: &[R], cell: impl Fn(&R) -> &Self) -> ArrayRef {
                Arc::new(<$array>::from_iter_values(rows.iter().map(|row| *cell(row))))
            }
            fn cells(column: &dyn Array) -> Option<Vec<Self>> {
                let column = column.as_primitive_opt::<$arrow>().filter(|column| column.null_count() == 0)?;
                Some(column.values().to_vec())
            }
        }

        impl Cell for Option<$cell> {
            const TYPE: DataType = DataType::$data_type;
            const NULLABLE: bool = true;
            fn column<R>(rows: &[R], cell: impl Fn(&R) -> &Self) -> ArrayRef {
                Arc::new(rows.iter().map(|row| *cell(row)).collect::<$array>())
            }
            fn cells(column: &dyn Array) -> Option<Vec<Self>> {
                Some(column.as_primitive_opt::<$arrow>()?.iter().collect())
            }
            fn absent(rows: usize) -> Option<Vec<Self>> {
                Some(vec![None; rows])
            }
        }
    )*};
}

number_cell! {
    i8, Int8, Int8Type, Int8Array;
    i32, Int32, Int32Type, Int32Array;
    i64, Int64, Int64Type, Int64Array;
    f64, Float64, Float64Type, Float64Array;
}

/// Member indices are `u8` in the structs and `Int8` in the tables, which more readers know.
impl Cell for u8 {
    const TYPE: DataType = DataType::Int8;
    fn column<R>(rows: &[R], cell: impl Fn(&R) -> &Self) -> ArrayRef {
        Arc::new(Int8Array::from_iter_values(rows.iter().map(|row| int8(*cell(row)))))
    }
    fn cells(column: &dyn Array) -> Option<Vec<Self>> {
        i8::cells(column)?.into_iter().map(|index| index.try_into().ok()).collect()
    }
}

impl Cell for Option<u8> {
    const TYPE: DataType = DataType::Int8;
    const NULLABLE: bool = true;
    fn column<R>(rows: &[R], cell: impl Fn(&R) -> &Self) -> ArrayRef {
        Arc::new(rows.iter().map(|row| cell(row).map(int8)).collect::<Int8Array>())
    }
    fn cells(column: &dyn Array) -> Option<Vec<Self>> {
        let index = |cell: Option<i8>| cell.map_or(Some(None), |index| index.try_into().ok().map(Some));
        <Option<i8>>::cells(column)?.into_iter().map(index).collect()
    }
    fn absent(rows: usize) -> Option<Vec<Self>> {
        Some(vec![None; rows])
    }
}

fn int8(index: u8) -> i8 {
    debug_assert!(index <= i8::MAX as u8, "no cluster has so many members");
    index.min(i8::MAX as u8) as i8
}

impl Cell for Option<bool> {
    const TYPE: DataType = DataType::Boolean;
    const NULLABLE: bool = true;
    fn column<R>(rows: &[R], cell: impl Fn(&R) -> &Self) -> ArrayRef {
        Arc::new(rows.iter().map(|row| *cell(row)).collect::<BooleanArray>())
    }
    fn cells(column: &dyn Array) -> Option<Vec<Self>> {
        Some(column.as_boolean_opt()?.iter().collect())
    }
    fn absent(rows: usize) -> Option<Vec<Self>> {
        Some(vec![None; rows])
    }
}

/// Values that are stored as text: strings as they are, small enumerations by their names.
pub(crate) trait Text: Sized {
    fn text(&self) -> &str;
    fn from_text(text: &str) -> Option<Self>;
}

impl Text for String {
    fn text(&self) -> &str {
        self
    }
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl<T: Text> Cell for T {
    const TYPE: DataType = DataType::Utf8;
    fn column<R>(rows: &[R], cell: impl Fn(&R) -> &Self) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| cell(row).text())))
    }
    fn cells(column: &dyn Array) -> Option<Vec<Self>> {
        column.as_string_opt::<i32>()?.iter().map(|text| T::from_text(text?)).collect()
    }
}

impl<T: Text> Cell for Option<T> {
    const TYPE: DataType = DataType::Utf8;
    const NULLABLE: bool = true;
    fn column<R>(rows: &[R], cell: impl Fn(&R) -> &Self) -> ArrayRef {
        Arc::new(rows.iter().map(|row| cell(row).as_ref().map(Text::text)).collect::<StringArray>())
    }
    fn cells(column: &dyn Array) -> Option<Vec<Self>> {
        let cell = |text: Option<&str>| text.map_or(Some(None), |text| T::from_text(text).map(Some));
        column.as_string_opt::<i32>()?.iter().map(cell).collect()
    }
    fn absent(rows: usize) -> Option<Vec<Self>> {
        Some(std::iter::repeat_with(|| None).take(rows).collect())
    }
}
