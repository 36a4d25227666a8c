//! A journal that ends anywhere gives every row that is whole.

use std::fs::{self, File};

use super::*;
use crate::journal::lines::{LinesJournal, LinesReader};
use crate::journal::operations::{JournalReader, OperationsJournal, ROW_BYTES};
use crate::{Error, Result};

fn read(folder: &RunFolder) -> Result<(Vec<Operation>, u64)> {
    let path = folder.operations_journal();
    let mut reader = JournalReader::new(File::open(&path).unwrap(), path)?;
    let rows = std::iter::from_fn(|| reader.next_row().unwrap()).collect();
    Ok((rows, reader.unread_bytes()))
}

fn write(folder: &RunFolder, operations: &[Operation]) -> Vec<u8> {
    let mut journal = OperationsJournal::create(folder).unwrap();
    operations.chunks(2).for_each(|operations| journal.append(operations).unwrap());
    fs::read(folder.operations_journal()).unwrap()
}

#[test]
fn operations_keep_every_field() {
    let (_results, folder) = new_folder();
    write(&folder, &odd_operations());
    assert_eq!(read(&folder).unwrap(), (odd_operations(), 0));
}

#[test]
fn every_cut_through_the_operations_journal_keeps_the_whole_rows() {
    let (_results, folder) = new_folder();
    let operations = &odd_operations()[..3];
    let whole = write(&folder, operations);
    let header = whole.len() - 3 * ROW_BYTES;
    for len in 0..whole.len() {
        fs::write(folder.operations_journal(), &whole[..len]).unwrap();
        let (rows, dropped) = read(&folder).unwrap();
        let expected = len.saturating_sub(header) / ROW_BYTES;
        assert_eq!(rows, operations[..expected], "cut to {len} bytes");
        let used = if len < header { 0 } else { header + expected * ROW_BYTES };
        assert_eq!(dropped, (len - used) as u64, "cut to {len} bytes");
    }
}

#[test]
fn a_damaged_operation_ends_the_journal() {
    let (_results, folder) = new_folder();
    let operations = &odd_operations()[..3];
    let whole = write(&folder, operations);
    let second = whole.len() - 2 * ROW_BYTES;
    let zeros = |bytes: &mut [u8]| bytes.fill(0);
    let check = |damage: &dyn Fn(&mut [u8]), what: &str| {
        let mut bytes = whole.clone();
        damage(&mut bytes[second..second + ROW_BYTES]);
        fs::write(folder.operations_journal(), bytes).unwrap();
        assert_eq!(read(&folder).unwrap(), (operations[..1].to_vec(), 2 * ROW_BYTES as u64), "{what}");
    };
    check(&zeros, "zeros");
    for bit in 0..8 * ROW_BYTES {
        check(&|row| row[bit / 8] ^= 1 << (bit % 8), &format!("bit {bit}"));
    }
}

#[test]
fn other_files_are_no_journals() {
    let (_results, folder) = new_folder();
    let whole = write(&folder, &[]);
    fs::write(folder.operations_journal(), "something else altogether").unwrap();
    assert!(matches!(read(&folder).unwrap_err(), Error::Corrupt { .. }));
    let mut newer = whole.clone();
    newer[8] = 2;
    fs::write(folder.operations_journal(), newer).unwrap();
    assert!(matches!(read(&folder).unwrap_err(), Error::NewerFormat { found: 2, known: 1, .. }));
}

#[test]
fn every_cut_through_a_lines_journal_keeps_the_whole_lines() {
    let (_results, folder) = new_folder();
    let path = folder.samples_journal();
    LinesJournal::create(path.clone()).unwrap().append(&some_samples()).unwrap();
    let whole = fs::read(&path).unwrap();
    for len in 0..=whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let mut reader = LinesReader::<Sample>::open(&path).unwrap().unwrap();
        let rows: Vec<_> = std::iter::from_fn(|| reader.next_row().unwrap()).collect();
        let ends: Vec<_> = (0..len).filter(|&at| whole[at] == b'\n').collect();
        assert_eq!(rows, some_samples()[..ends.len()], "cut to {len} bytes");
        let dropped = len - ends.last().map_or(0, |end| end + 1);
        assert_eq!(reader.unread_bytes(), dropped as u64, "cut to {len} bytes");
    }
}

#[test]
fn a_journal_is_never_written_over() {
    let (_results, folder) = new_folder();
    drop(OperationsJournal::create(&folder).unwrap());
    let error = OperationsJournal::create(&folder).unwrap_err();
    assert!(error.to_string().contains("operations.journal"), "{error}");
}
