//! A frame as a JSON array of objects, the keys in the order of the columns.

use std::io::Write;

use polars::prelude::*;
use serde_json::Value;

use crate::{Error, Result};

/// Writes the frame, one row a line. What is not a finite number becomes null: JSON has no other.
pub(super) fn write(frame: &DataFrame, out: &mut Vec<u8>) -> Result<()> {
    let keys: Vec<String> =
        frame.columns().iter().map(|column| Value::from(column.name().as_str()).to_string()).collect();
    let failed = Error::output("standard output");
    let mut write_rows = || -> PolarsResult<()> {
        out.push(b'[');
        for row in 0..frame.height() {
            out.extend_from_slice(if row == 0 { b"\n{" } else { b",\n{" });
            for (at, (key, column)) in keys.iter().zip(frame.columns()).enumerate() {
                let separator = if at == 0 { "" } else { "," };
                write!(out, "{separator}{key}:{}", value(column.get(row)?))?;
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"\n]\n");
        Ok(())
    };
    write_rows().map_err(failed)
}

fn value(cell: AnyValue<'_>) -> Value {
    match cell {
        AnyValue::Null => Value::Null,
        AnyValue::Boolean(value) => value.into(),
        AnyValue::String(value) => value.into(),
        AnyValue::StringOwned(value) => value.as_str().into(),
        AnyValue::UInt64(value) => value.into(),
        AnyValue::Int64(value) => value.into(),
        AnyValue::Float64(value) => serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_endless_values_are_null_and_keys_keep_their_order() {
        let frame = df!("z" => [Some(1.5), None, Some(f64::NAN)], "a" => ["x\"y", "é", ""]).expect("a frame");
        let mut out = Vec::new();
        write(&frame, &mut out).expect("json");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text, "[\n{\"z\":1.5,\"a\":\"x\\\"y\"},\n{\"z\":null,\"a\":\"é\"},\n{\"z\":null,\"a\":\"\"}\n]\n");
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }

    #[test]
    fn no_rows_are_an_empty_array() {
        let mut out = Vec::new();
        write(&DataFrame::empty(), &mut out).expect("json");
        assert_eq!(serde_json::from_slice::<Value>(&out).expect("json"), Value::Array(Vec::new()));
    }
}
