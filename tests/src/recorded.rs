//! A look into a run folder, independent of the analyzer.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use run_folder::{FaultEvent, Manifest, RunFolder, operation, reader};

/// Everything that a test wants to know of a run.
#[derive(Debug)]
pub struct Recorded {
    /// The folder.
    pub folder: RunFolder,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its operations.
    pub operations: RecordBatch,
    /// Its faults.
    pub faults: Vec<FaultEvent>,
}

impl Recorded {
    /// Reads the only run below `results`.
    ///
    /// # Panics
    /// When there is not exactly one, or it is not whole.
    pub fn only_one_in(results: &Path) -> Self {
        Self::of(only_folder_in(results))
    }

    /// Reads a run.
    ///
    /// # Panics
    /// When it is not whole.
    pub fn of(folder: RunFolder) -> Self {
        let manifest = folder.manifest().expect("the manifest is whole");
        reader::check(&folder, &manifest).expect("the tables are whole");
        let schema = operation::schema();
        let columns: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let batches = reader::operations(&folder, &columns).expect("operations can be read");
        let batches: Vec<_> = batches.map(|batch| batch.expect("a batch can be read")).collect();
        let operations = match batches.first() {
            Some(first) => concat_batches(&first.schema(), &batches).expect("batches have one schema"),
            None => RecordBatch::new_empty(schema),
        };
        let faults = reader::faults(&folder).expect("faults can be read");
        Self { folder, manifest, operations, faults }
    }

    /// An integer column of the operations; absent values are `None`.
    ///
    /// # Panics
    /// When there is no such column of 64-bit integers.
    pub fn longs(&self, column: &str) -> Vec<Option<i64>> {
        let column = self.operations.column_by_name(column).expect("the column is there");
        column.as_primitive::<Int64Type>().iter().collect()
    }

    /// A text column of the operations.
    ///
    /// # Panics
    /// When there is no such column of text.
    pub fn texts(&self, column: &str) -> Vec<Option<String>> {
        let column = self.operations.column_by_name(column).expect("the column is there");
        column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    /// Number of operations that became due at or after time 0.
    pub fn due_after_warm_up(&self) -> usize {
        self.longs("intended_ns").iter().filter(|intended| intended.is_some_and(|ns| ns >= 0)).count()
    }

    /// Median service time in milliseconds of acknowledged operations that became due in `[from_s, to_s)`.
    ///
    /// # Panics
    /// When there are none.
    pub fn median_ms(&self, from_s: f64, to_s: f64) -> f64 {
        let (intended, start, end) = (self.longs("intended_ns"), self.longs("start_ns"), self.longs("end_ns"));
        let outcome = self.texts("outcome");
        let mut times: Vec<f64> = (0..intended.len())
            .filter(|row| outcome[*row].as_deref() == Some("ok"))
            .filter(|row| (from_s..to_s).contains(&(intended[*row].expect("never null") as f64 / 1e9)))
            .map(|row| (end[row].expect("never null") - start[row].expect("it was sent")) as f64 / 1e6)
            .collect();
        assert!(!times.is_empty(), "no operation between {from_s} and {to_s} s");
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }

    /// Checks what must hold of every table of operations: numbers from 0 without gaps, times in order, and every row
    /// either acknowledged or with an error.
    ///
    /// # Panics
    /// When it does not.
    pub fn assert_consistent(&self) {
        let rows = self.operations.num_rows();
        assert_eq!(rows as u64, self.manifest.rows.operations, "rows in the table and in the manifest");
        let mut numbers: Vec<_> = self.longs("op_id").into_iter().flatten().collect();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..rows as i64), "operation numbers have gaps or repeat");
        let (intended, start, end) = (self.longs("intended_ns"), self.longs("start_ns"), self.longs("end_ns"));
        let (outcome, error) = (self.texts("outcome"), self.texts("error"));
        for row in 0..rows {
            assert!(end[row] >= intended[row], "row {row} ends before it is due");
            assert!(
                start[row].is_none_or(|start| Some(start) >= intended[row] && Some(start) <= end[row]),
                "row {row}"
            );
            assert_eq!(outcome[row].as_deref() == Some("ok"), error[row].is_none(), "row {row}");
            assert_eq!(outcome[row].as_deref() == Some("unsent"), start[row].is_none(), "row {row}");
        }
        assert_eq!(self.operations.column_by_name("op_id").map(|column| column.null_count()), Some(0));
    }

    /// Checks that the older scripts' files are there and agree with the table.
    ///
    /// # Panics
    /// When they do not.
    pub fn assert_older_files_agree(&self) {
        let (intended, outcome) = (self.longs("intended_ns"), self.texts("outcome"));
        let measured = |row: &usize| intended[*row].is_some_and(|ns| ns >= 0);
        let rows: Vec<usize> = (0..intended.len()).filter(measured).collect();
        let acknowledged = rows.iter().filter(|row| outcome[**row].as_deref() == Some("ok")).count();
        let lines = |path: std::path::PathBuf| std::fs::read_to_string(path).expect("the file is there");
        let latency = lines(self.folder.latency_log());
        assert_eq!(latency.lines().next(), Some("end_ms,latency_ms"));
        assert_eq!(latency.lines().count() - 1, acknowledged, "lines of latency.log");
        let anomalies = lines(self.folder.anomaly_log());
        assert_eq!(anomalies.lines().count(), rows.len() - acknowledged, "lines of anomaly.log");
        let throughput = lines(self.folder.throughput_csv());
        let counts: Vec<usize> = throughput
            .lines()
            .skip(1)
            .enumerate()
            .map(|(second, line)| {
                let (named, ops) = line.split_once(',').expect("two columns");
                assert_eq!(named.parse(), Ok(second), "every second is present, in order");
                ops.parse().expect("a count")
            })
            .collect();
        assert_eq!(counts.iter().sum::<usize>(), acknowledged, "sum of throughput.csv");
        for key in ["label=", "mode=", "leader=", "endpoints=", "inject_at=", "target="] {
            let metadata = lines(self.folder.metadata_txt());
            assert!(metadata.lines().any(|line| line.starts_with(key)), "{key} in metadata.txt:\n{metadata}");
        }
        assert!(lines(self.folder.summary_txt()).contains("p99"), "percentiles in summary.txt");
    }
}

/// The only run folder below `results`.
///
/// # Panics
/// When there is not exactly one.
pub fn only_folder_in(results: &Path) -> RunFolder {
    let mut folders = RunFolder::list(results).expect("the results folder can be read");
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.remove(0)
}
