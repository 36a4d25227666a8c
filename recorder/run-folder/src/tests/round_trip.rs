//! What goes in comes out.

use std::fs::File;

use parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use crate::table_row::TableRow;
use crate::{Error, FaultsWriter, Manifest, OperationsWriter, SamplesWriter, fault, manifest, sample, synthetic};

#[test]
fn operations_keep_every_field() {
    let (_results, folder) = new_folder();
    let mut written = odd_operations();
    written.extend(some_operations(20_000));
    let mut writer = OperationsWriter::create(&folder).unwrap();
    for operations in written.chunks(999) {
        writer.push(operations).unwrap();
    }
    assert_eq!(writer.rows(), written.len() as u64);
    assert_eq!(writer.finish().unwrap(), written.len() as u64);
    assert_eq!(read_operations(&folder), written);
}

#[test]
fn a_newer_entry_of_a_fault_replaces_the_older_one() {
    let (_results, folder) = new_folder();
    let mut expected = some_faults();
    let mut writer = FaultsWriter::create(&folder).unwrap();
    expected.iter().rev().for_each(|event| writer.push(event).unwrap());
    expected[0].applied_ns = Some(7);
    expected[0].evidence = "é\u{0}\r\n".into();
    writer.push(&expected[0]).unwrap();
    assert_eq!(writer.finish().unwrap(), 2);
    assert_eq!(reader::faults(&folder).unwrap(), expected);
}

/// Rewrites a table without one of its columns, as a recorder that does not know it would have.
fn without_column(path: &std::path::Path, column: &str) {
    let batches = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap());
    let batches: Vec<_> = batches.unwrap().build().unwrap().map(|batch| batch.unwrap()).collect();
    let keep = |batch: &arrow::array::RecordBatch| {
        let schema = batch.schema();
        let kept: Vec<_> = (0..schema.fields().len()).filter(|at| schema.field(*at).name() != column).collect();
        batch.project(&kept).unwrap()
    };
    let batches: Vec<_> = batches.iter().map(keep).collect();
    let file = File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batches[0].schema(), None).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
}

#[test]
fn a_column_that_an_older_version_did_not_write_is_null_and_one_that_must_be_there_is_missed() {
    let (_results, folder) = new_folder();
    let mut expected = some_faults();
    expected[0].peer = Some(2);
    let mut writer = FaultsWriter::create(&folder).unwrap();
    expected.iter().for_each(|event| writer.push(event).unwrap());
    writer.finish().unwrap();
    without_column(&folder.faults_parquet(), "peer");
    expected[0].peer = None;
    assert_eq!(reader::faults(&folder).unwrap(), expected);
    without_column(&folder.faults_parquet(), "mechanism");
    let error = reader::faults(&folder).unwrap_err().to_string();
    assert!(error.contains("has no column mechanism"), "{error}");
}

#[test]
fn samples_keep_every_field() {
    let (_results, folder) = new_folder();
    let mut writer = SamplesWriter::create(&folder).unwrap();
    writer.push(&some_samples()).unwrap();
    assert_eq!(writer.finish().unwrap(), 5);
    assert_eq!(read_samples(&folder), some_samples());
}

#[test]
fn a_batch_has_only_the_columns_asked_for() {
    let results = tempfile::tempdir().unwrap();
    let folder = synthetic::write_run(results.path(), &lossy_shape(100), Default::default()).unwrap();
    let batch = reader::operations(&folder, &["end_ns", "kind"]).unwrap().next().unwrap().unwrap();
    let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["kind", "end_ns"]);
    assert!(reader::operations(&folder, &["latency"]).is_err());
}

/// The struct's own serialization lists its fields, independently of the table's list.
#[test]
fn columns_of_faults_and_samples_are_the_fields_of_their_structs() {
    fn check(row: &impl serde::Serialize, schema: &arrow::datatypes::Schema) {
        let json = serde_json::to_string(row).unwrap();
        let position = |name: &str| json.find(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no field {name}"));
        assert!(schema.fields().iter().map(|field| position(field.name())).is_sorted(), "{json}");
        let fields = serde_json::to_value(row).unwrap().as_object().unwrap().len();
        assert_eq!(fields, schema.fields().len());
    }
    check(&FaultEvent::default(), &fault::schema());
    check(&some_samples()[0], &sample::schema());
}

#[test]
fn other_readers_see_plain_strings_and_integers() {
    let results = tempfile::tempdir().unwrap();
    let folder = synthetic::write_run(results.path(), &lossy_shape(100), Default::default()).unwrap();
    let file = SerializedFileReader::new(File::open(folder.operations_parquet()).unwrap()).unwrap();
    let metadata = file.metadata().file_metadata();
    assert!(metadata.key_value_metadata().is_none(), "an Arrow schema in the metadata could ask for other types");
    let arrow = parquet::arrow::parquet_to_arrow_schema(metadata.schema_descr(), None).unwrap();
    assert_eq!(arrow.fields(), Operation::schema().fields());
}

#[test]
fn a_whole_run_passes_the_check_and_survives_the_manifest() {
    let results = tempfile::tempdir().unwrap();
    for shape in synthetic::sweep(8, 500, 1) {
        let folder = synthetic::write_run(results.path(), &shape, Default::default()).unwrap();
        let manifest = folder.manifest().unwrap();
        assert_eq!(manifest.status, manifest::Status::Finished);
        assert!(manifest.rows.operations > 500 && manifest.rows.samples > 0);
        assert_eq!(manifest.rows.faults, u64::from(shape.fault.is_some()));
        reader::check(&folder, &manifest).unwrap();
        let files = std::fs::read_dir(folder.dir()).unwrap().count();
        assert_eq!(files, 9, "{}", folder.name());
    }
    assert_eq!(RunFolder::list(results.path()).unwrap().len(), 8);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let results = tempfile::tempdir().unwrap();
    let folder = synthetic::write_run(results.path(), &lossy_shape(100), Default::default()).unwrap();
    // The rest of a newer manifest need not make sense to this program.
    std::fs::write(folder.manifest_json(), "{\"format_version\": 99, \"spec\": 1}").unwrap();
    let error = Manifest::read(&folder.manifest_json()).unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 99, known: 1, .. }), "{error}");
}
