//! Repeats of a label laid over each other: what lies in the middle of them, and how far apart they are.

use std::collections::BTreeMap;

use polars::prelude::*;

use crate::stats;

/// Puts runs side by side, row by row where they have the same `key`.
///
/// The result has one row for each value of `key` that occurs, in ascending order. Columns:
///
/// - the key (a second or the start of a bin)
/// - `runs`: number of runs that have a row there
/// - for each of `columns`: `_runs`, how many of these have a value there; `_min` and `_max` over them, null where none has;
///   and `_median`, those without a value ranking last, null where it falls among them. It is nearest-rank (of an even
///   number the lower one), so that it is always the value of a run
///
/// # Errors
/// [`PolarsError`] when a frame lacks a column.
pub fn across(runs: &[&DataFrame], key: &str, columns: &[&str]) -> PolarsResult<DataFrame> {
    // Keys are whole microseconds here, so that they can be compared.
    let mut rows: BTreeMap<i64, (u64, Vec<Vec<f64>>)> = BTreeMap::new();
    let numbers = |run: &DataFrame, name: &str| -> PolarsResult<Vec<Option<f64>>> {
        Ok(run.column(name)?.cast(&DataType::Float64)?.f64()?.iter().collect())
    };
    for run in runs {
        let keys = numbers(run, key)?;
        let values = columns.iter().map(|name| numbers(run, name)).collect::<PolarsResult<Vec<_>>>()?;
        for (row, key) in keys.into_iter().enumerate() {
            let Some(key) = key else { continue };
            let entry = rows.entry((key * 1e6).round() as i64).or_insert_with(|| (0, vec![Vec::new(); columns.len()]));
            entry.0 += 1;
            entry.1.iter_mut().zip(&values).for_each(|(found, column)| found.extend(column[row]));
        }
    }
    let mut frame = vec![
        Column::new(key.into(), rows.keys().map(|&key| key as f64 / 1e6).collect::<Vec<_>>()),
        Column::new("runs".into(), rows.values().map(|row| row.0).collect::<Vec<_>>()),
    ];
    rows.values_mut().flat_map(|row| &mut row.1).for_each(|values| values.sort_by(f64::total_cmp));
    for (at, name) in columns.iter().enumerate() {
        let counts: Vec<u64> = rows.values().map(|row| row.1[at].len() as u64).collect();
        frame.push(Column::new(format!("{name}_runs").into(), counts));
        let mut add = |suffix: &str, value: &dyn Fn(u64, &[f64]) -> Option<f64>| {
            let column: Vec<Option<f64>> = rows.values().map(|row| value(row.0, &row.1[at])).collect();
            frame.push(Column::new(format!("{name}_{suffix}").into(), column));
        };
        add("min", &|_, values| values.first().copied());
        add("median", &|runs, values| values.get(stats::nearest_rank(runs as usize, 0.5)?).copied());
        add("max", &|_, values| values.last().copied());
    }
    DataFrame::new(rows.len(), frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends_of_three_runs() {
        let run = |rates: &[Option<f64>]| {
            let seconds: Vec<i64> = (0..rates.len() as i64).collect();
            df!("second" => seconds, "rate" => rates).expect("a frame")
        };
        let runs = [run(&[Some(3.0), None]), run(&[Some(1.0), Some(7.0)]), run(&[Some(2.0), None, None])];
        let table = across(&runs.iter().collect::<Vec<_>>(), "second", &["rate"]).expect("a table");
        let expected = df!(
            "second" => [0.0, 1.0, 2.0],
            "runs" => [3_u64, 3, 1],
            "rate_runs" => [3_u64, 1, 0],
            "rate_min" => [Some(1.0), Some(7.0), None],
            "rate_median" => [Some(2.0), None, None],
            "rate_max" => [Some(3.0), Some(7.0), None],
        )
        .expect("a frame");
        assert!(table.equals_missing(&expected), "{table:?}");
    }
}
