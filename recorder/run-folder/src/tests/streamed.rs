//! Tables that are streamed have the rows of the table, in their order, whatever is asked for of them.

use arrow::array::RecordBatchReader;
use arrow::compute::concat_batches;

use super::*;
use crate::stream::{RecordedTable, Source};
use crate::{Error, OperationsWriter};

const GROUP_ROWS: usize = 1000;
const ROWS: usize = 7 * GROUP_ROWS + 300;

fn written() -> (TempDir, RunFolder, Vec<Operation>) {
    let (results, folder) = new_folder();
    let operations = some_operations(ROWS);
    let mut writer = OperationsWriter::create_in_groups(&folder, GROUP_ROWS).unwrap();
    writer.push(&operations).unwrap();
    writer.finish().unwrap();
    (results, folder, operations)
}

fn open(folder: &RunFolder, columns: &[&str], rows: std::ops::Range<u64>) -> Source {
    let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
    Source::open(folder, RecordedTable::Operations, &columns, rows).unwrap()
}

fn taken(source: &Source) -> RecordBatch {
    let stream = source.stream();
    let schema = stream.schema();
    let batches: Vec<RecordBatch> = stream.map(|batch| batch.unwrap()).collect();
    concat_batches(&schema, &batches).unwrap()
}

#[test]
fn rows_come_in_their_order_and_as_many_as_asked_for() {
    let (_results, folder, operations) = written();
    let ends = ROWS as u64;
    for (from, to) in
        [(0, u64::MAX), (0, 0), (999, 1001), (1000, 2000), (2500, 6700), (ends - 1, ends), (ends, ends + 5)]
    {
        let source = open(&folder, &[], from..to);
        let expected = &operations[from.min(ends) as usize..to.min(ends) as usize];
        assert_eq!(source.rows(), expected.len() as u64, "{from}..{to}");
        for _ in 0..2 {
            assert!(operation::from_batch(&taken(&source)).unwrap() == expected, "{from}..{to}");
        }
    }
}

#[test]
fn columns_stand_in_the_order_of_the_file() {
    let (_results, folder, operations) = written();
    let batch = taken(&open(&folder, &["end_ns", "op_id"], 10..20));
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["op_id", "end_ns"]);
    let whole = operation::to_batch(&operations[10..20]);
    assert_eq!(batch.column(1), whole.column_by_name("end_ns").unwrap());
    let unknown = Source::open(&folder, RecordedTable::Operations, &["latency".to_owned()], 0..1).unwrap_err();
    assert!(
        matches!(&unknown, Error::Corrupt { problem, .. } if problem.contains("has no column latency; there are op_id"))
    );
}

#[test]
fn a_stream_that_nobody_takes_starts_and_leaves_nothing() {
    let (_results, folder, _) = written();
    let source = open(&folder, &[], 0..u64::MAX);
    drop(source.stream());
    let mut stream = source.stream();
    assert_eq!(stream.next().unwrap().unwrap().num_rows(), GROUP_ROWS);
    drop(stream);
}

#[test]
fn damage_is_an_error_and_ends_the_stream() {
    let (_results, folder, _) = written();
    let source = open(&folder, &[], 0..u64::MAX);
    let path = folder.operations_parquet();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle..middle + 4000].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let mut stream = source.stream();
    let error = stream.find_map(|batch| batch.err()).expect("an error");
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(stream.next().is_none());
}
