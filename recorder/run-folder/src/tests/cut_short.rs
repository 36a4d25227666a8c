//! Tables that are not whole are refused, with the file and the next step.

use std::fs;

use super::*;
use crate::{Error, synthetic};

fn message_of(folder: &RunFolder) -> String {
    let error = reader::check(folder, &folder.manifest().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    error.to_string()
}

#[test]
fn a_table_cut_anywhere_is_refused() {
    let results = tempfile::tempdir().unwrap();
    let folder = synthetic::write_run(results.path(), &lossy_shape(100), Default::default()).unwrap();
    for table in [folder.operations_parquet(), folder.faults_parquet(), folder.samples_parquet()] {
        let whole = fs::read(&table).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&table).unwrap();
        // Ever shorter: writing anew over an old file makes ext4 wait for the disk each time.
        for len in (0..whole.len() as u64).rev() {
            file.set_len(len).unwrap();
            let message = message_of(&folder);
            assert!(message.starts_with(&table.display().to_string()), "{message}");
            assert!(message.ends_with("record the run again"), "{message}");
        }
        fs::write(&table, whole).unwrap();
    }
    reader::check(&folder, &folder.manifest().unwrap()).unwrap();
}

#[test]
fn the_next_step_is_recovery_while_the_journal_is_there() {
    let results = tempfile::tempdir().unwrap();
    let folder = synthetic::write_run(results.path(), &lossy_shape(100), Default::default()).unwrap();
    fs::write(folder.operations_journal(), "").unwrap();
    fs::write(folder.operations_parquet(), "").unwrap();
    let message = message_of(&folder);
    assert!(message.ends_with(&format!("run `recorder recover {}`", folder.dir().display())), "{message}");
}

#[test]
fn rows_and_columns_must_be_those_of_the_manifest_and_the_schema() {
    let results = tempfile::tempdir().unwrap();
    let folder = synthetic::write_run(results.path(), &lossy_shape(100), Default::default()).unwrap();
    let mut manifest = folder.manifest().unwrap();
    manifest.rows.operations += 1;
    let error = reader::check(&folder, &manifest).unwrap_err().to_string();
    assert!(error.contains("rows where the manifest says"), "{error}");
    fs::copy(folder.faults_parquet(), folder.operations_parquet()).unwrap();
    assert!(message_of(&folder).contains("has no column op_id"));
}

#[test]
fn a_missing_table_is_an_error_of_the_system() {
    let results = tempfile::tempdir().unwrap();
    let folder = synthetic::write_run(results.path(), &lossy_shape(100), Default::default()).unwrap();
    fs::remove_file(folder.samples_parquet()).unwrap();
    let error = reader::check(&folder, &folder.manifest().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}
