//! The final state: whole or not there, and no matter of recovery.

use super::*;
use crate::manifest::{MemberHash, Store};
use crate::{FinalKey, Manifest, OperationsWriter, Status, final_state, recover, synthetic};

fn keys() -> Vec<FinalKey> {
    (0..5000)
        .map(|key| FinalKey {
            key: key * 3,
            create_revision: i64::from(key) + 2,
            mod_revision: i64::from(key) * 1000,
            version: i64::MAX - i64::from(key),
        })
        .collect()
}

#[test]
fn keys_come_back_as_they_were_and_nothing_else_is_left() {
    let (_results, folder) = new_folder();
    assert_eq!(reader::final_state(&folder).unwrap(), None, "absent is fine");
    assert_eq!(final_state::write(&folder, &keys()).unwrap(), 5000);
    assert_eq!(reader::final_state(&folder).unwrap(), Some(keys()));
    assert_eq!(std::fs::read_dir(folder.dir()).unwrap().count(), 1, "a file was left beside the table");
    assert_eq!(final_state::write(&folder, &[]).unwrap(), 0);
    assert_eq!(reader::final_state(&folder).unwrap(), Some(Vec::new()), "no key is not an unknown state");
}

#[test]
fn a_damaged_table_is_an_error_that_names_it() {
    let (_results, folder) = new_folder();
    final_state::write(&folder, &keys()).unwrap();
    let path = folder.final_state_parquet();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = reader::final_state(&folder).unwrap_err().to_string();
    assert!(error.contains("final_state.parquet"), "{error}");
}

#[test]
fn manifests_keep_what_the_store_said_and_older_ones_said_nothing() {
    let results = tempfile::tempdir().unwrap();
    let folder = synthetic::write_run(results.path(), &lossy_shape(10), Default::default()).unwrap();
    let mut manifest = folder.manifest().unwrap();
    assert_eq!(manifest.store, None);
    let refused = MemberHash { hash: None, compact_revision: None, problem: Some("no answer".into()) };
    manifest.store = Some(Store {
        revision_before: Some(5),
        revision_after: Some(7),
        keys: 2,
        problem: None,
        members: vec![MemberHash { hash: Some(u32::MAX), compact_revision: Some(-1), problem: None }, refused],
    });
    manifest.write(&folder.manifest_json()).unwrap();
    assert_eq!(folder.manifest().unwrap(), manifest);
}

#[test]
fn a_killed_recorder_is_recovered_with_and_without_a_final_state() {
    for has_table in [false, true] {
        let (_results, folder) = new_folder();
        let finished = tempfile::tempdir().unwrap();
        let made = synthetic::write_run(finished.path(), &lossy_shape(10), Default::default()).unwrap();
        let running = Manifest { status: Status::Running, ..made.manifest().unwrap() };
        running.write(&folder.manifest_json()).unwrap();
        let mut writer = OperationsWriter::create(&folder).unwrap();
        writer.push(&some_operations(100)).unwrap();
        if has_table {
            final_state::write(&folder, &keys()).unwrap();
        }
        drop(writer);
        assert_eq!(recover(&folder).unwrap().rows.operations, 100);
        assert_eq!(reader::final_state(&folder).unwrap(), has_table.then(keys));
        reader::check(&folder, &folder.manifest().unwrap()).unwrap();
    }
}
