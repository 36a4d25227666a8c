//! `operations.journal`: a header, then one row of [`ROW_BYTES`] for each operation, all little-endian.
//!
//! The header, with the number of rows that are in the table already and so came before the journal's first one:
//!
//! | bytes | content |
//! |---|---|
//! | 0..8 | `LaggardO` |
//! | 8..12 | format version, u32 |
//! | 12..16 | bytes of a row, u32 |
//! | 16..24 | rows before the first one, u64 |
//! | 24..32 | checksum of the header before it, u64 |
//!
//! A row:
//!
//! | bytes | content |
//! |---|---|
//! | 0..56 | op_id, intended_ns, start_ns, end_ns, raft_term, revision, seen_mod_revision: i64 each |
//! | 56..68 | worker, key, value_bytes: i32 each |
//! | 68..73 | kind, outcome, error, endpoint, member: a byte each, 255 for none |
//! | 73 | flags: which of the optional numbers are there, and txn_succeeded |
//! | 74..76 | zero |
//! | 76..80 | checksum of the row before it |

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use super::Appender;
use crate::checksum::Checksum;
use crate::lock::{self, RunLock};
use crate::operation::{ErrorKind, Kind, Outcome};
use crate::{Error, FORMAT_VERSION, Operation, Result, RunFolder};

/// Width of a row.
pub const ROW_BYTES: usize = 80;

const MAGIC: &[u8; 8] = b"LaggardO";
const HEADER_BYTES: usize = 32;
const HEADER_CHECKSUM_AT: usize = HEADER_BYTES - 8;
const NONE: u8 = u8::MAX;
const CHECKSUM_AT: usize = ROW_BYTES - 4;

const HAS_START: u8 = 1;
const HAS_RAFT_TERM: u8 = 1 << 1;
const HAS_REVISION: u8 = 1 << 2;
const HAS_SEEN_MOD_REVISION: u8 = 1 << 3;
const HAS_TXN_SUCCEEDED: u8 = 1 << 4;
const TXN_SUCCEEDED: u8 = 1 << 5;

/// The journal that a recorder writes. While it is open, the run is locked.
#[derive(Debug)]
pub struct OperationsJournal {
    file: Appender,
    buffer: Vec<u8>,
    /// Rows before the first one.
    base: u64,
    /// Rows in the file.
    rows: u64,
}

impl OperationsJournal {
    /// Makes and locks the journal of a new run.
    ///
    /// # Errors
    /// [`Error::Io`], also when there is a journal already.
    pub fn create(folder: &RunFolder) -> Result<Self> {
        let file = Appender::create(folder.operations_journal())?;
        lock::lock(folder, &file.file)?;
        let mut journal = Self { file, buffer: Vec::new(), base: 0, rows: 0 };
        journal.append(&[])?;
        Ok(journal)
    }

    /// Appends rows with one `write()`: all or, on an error, none of them.
    ///
    /// # Errors
    /// [`Error::Io`], for one when the disk is full.
    pub fn append(&mut self, operations: &[Operation]) -> Result<()> {
        self.buffer.clear();
        if self.file.is_empty() {
            self.buffer.extend_from_slice(&header(self.base));
        }
        for operation in operations {
            self.buffer.extend_from_slice(&encode(operation));
        }
        self.file.append(&self.buffer)?;
        self.rows += operations.len() as u64;
        Ok(())
    }

    /// Number of rows since the start of the run, also those that the journal no longer holds.
    pub fn end(&self) -> u64 {
        self.base + self.rows
    }

    /// Forgets all rows. Whoever calls it has seen to it that they can be read from somewhere else.
    ///
    /// # Errors
    /// [`Error::Io`]; the journal can be used also then.
    pub fn restart(&mut self) -> Result<()> {
        self.file.clear()?;
        self.base = self.end();
        self.rows = 0;
        // A full disk may refuse the header; then the next rows bring it.
        self.append(&[])
    }

    /// A hold on the run's lock that lasts longer than the journal is open.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn lock(&self) -> Result<RunLock> {
        RunLock::share(&self.file.file, self.file.path())
    }
}

/// Reads a journal, row after row, up to the end or the first row that is not whole.
#[derive(Debug)]
pub struct JournalReader {
    file: BufReader<File>,
    unread_bytes: u64,
    torn: bool,
    base: Option<u64>,
}

impl JournalReader {
    /// Starts to read `file`, the journal at `path`, at the position where it is: the beginning. A header that is cut
    /// short makes a journal without rows.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Corrupt`] for some other file; [`Error::NewerFormat`].
    pub fn new(file: File, path: PathBuf) -> Result<Self> {
        let read = |error| Error::io(&path, "cannot read the journal")(error);
        let len_bytes = file.metadata().map_err(read)?.len();
        let file = BufReader::with_capacity(1 << 20, file);
        let mut reader = Self { file, unread_bytes: len_bytes, torn: false, base: None };
        let mut header = [0; HEADER_BYTES];
        let header_bytes = len_bytes.min(HEADER_BYTES as u64) as usize;
        reader.file.read_exact(&mut header[..header_bytes]).map_err(read)?;
        let magic_bytes = header_bytes.min(MAGIC.len());
        if header[..magic_bytes] != MAGIC[..magic_bytes] {
            return Err(Error::corrupt(&path, "is not an operations journal; it cannot be recovered"));
        }
        if header_bytes < HEADER_BYTES {
            reader.torn = true;
            return Ok(reader);
        }
        reader.unread_bytes -= HEADER_BYTES as u64;
        let number = |at: usize| u32::from_le_bytes(bytes(&header, at));
        if number(8) > FORMAT_VERSION {
            return Err(Error::NewerFormat { path, found: number(8), known: FORMAT_VERSION });
        }
        if number(12) as usize != ROW_BYTES {
            return Err(Error::corrupt(&path, "has rows of an unknown width; it cannot be recovered"));
        }
        if bytes(&header, HEADER_CHECKSUM_AT) != Checksum::of(&header[..HEADER_CHECKSUM_AT]).to_le_bytes() {
            return Err(Error::corrupt(&path, "has a damaged header; it cannot be recovered"));
        }
        reader.base = Some(u64::from_le_bytes(bytes(&header, 16)));
        Ok(reader)
    }

    /// Number of rows of the run before the journal's first one; `None` when the header is cut short.
    pub fn base(&self) -> Option<u64> {
        self.base
    }

    /// The next row; `None` after the last whole one.
    pub fn next_row(&mut self) -> std::io::Result<Option<Operation>> {
        if self.torn || self.unread_bytes < ROW_BYTES as u64 {
            return Ok(None);
        }
        let mut row = [0; ROW_BYTES];
        self.file.read_exact(&mut row)?;
        let operation = decode(&row);
        if operation.is_some() {
            self.unread_bytes -= ROW_BYTES as u64;
        } else {
            self.torn = true;
        }
        Ok(operation)
    }

    /// Bytes that have not been read: after the last row, what a torn row left behind.
    pub fn unread_bytes(&self) -> u64 {
        self.unread_bytes
    }
}

fn header(base: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&(ROW_BYTES as u32).to_le_bytes());
    header[16..24].copy_from_slice(&base.to_le_bytes());
    let checksum = Checksum::of(&header[..HEADER_CHECKSUM_AT]);
    header[HEADER_CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
    header
}

fn encode(operation: &Operation) -> [u8; ROW_BYTES] {
    let mut row = [0; ROW_BYTES];
    let longs = [
        operation.op_id,
        operation.intended_ns,
        operation.start_ns.unwrap_or(0),
        operation.end_ns,
        operation.raft_term.unwrap_or(0),
        operation.revision.unwrap_or(0),
        operation.seen_mod_revision.unwrap_or(0),
    ];
    for (at, long) in longs.into_iter().enumerate() {
        row[8 * at..8 * at + 8].copy_from_slice(&long.to_le_bytes());
    }
    row[56..60].copy_from_slice(&operation.worker.to_le_bytes());
    row[60..64].copy_from_slice(&operation.key.to_le_bytes());
    row[64..68].copy_from_slice(&operation.value_bytes.to_le_bytes());
    row[68] = operation.kind as u8;
    row[69] = operation.outcome as u8;
    row[70] = operation.error.map_or(NONE, |error| error as u8);
    row[71] = operation.endpoint;
    row[72] = operation.member.unwrap_or(NONE);
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    row[73] = flag(operation.start_ns.is_some(), HAS_START)
        | flag(operation.raft_term.is_some(), HAS_RAFT_TERM)
        | flag(operation.revision.is_some(), HAS_REVISION)
        | flag(operation.seen_mod_revision.is_some(), HAS_SEEN_MOD_REVISION)
        | flag(operation.txn_succeeded.is_some(), HAS_TXN_SUCCEEDED)
        | flag(operation.txn_succeeded == Some(true), TXN_SUCCEEDED);
    let checksum = checksum(&row);
    row[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
    row
}

/// `None` when the row is not one that [`encode`] made.
fn decode(row: &[u8; ROW_BYTES]) -> Option<Operation> {
    if u32::from_le_bytes(bytes(row, CHECKSUM_AT)) != checksum(row) {
        return None;
    }
    let long = |at: usize| i64::from_le_bytes(bytes(row, 8 * at));
    let int = |at: usize| i32::from_le_bytes(bytes(row, at));
    let optional = |at: usize, flag: u8| (row[73] & flag != 0).then(|| long(at));
    Some(Operation {
        op_id: long(0),
        worker: int(56),
        kind: Kind::from_byte(row[68])?,
        intended_ns: long(1),
        start_ns: optional(2, HAS_START),
        end_ns: long(3),
        outcome: Outcome::from_byte(row[69])?,
        error: if row[70] == NONE { None } else { Some(ErrorKind::from_byte(row[70])?) },
        endpoint: row[71],
        member: (row[72] != NONE).then_some(row[72]),
        raft_term: optional(4, HAS_RAFT_TERM),
        revision: optional(5, HAS_REVISION),
        key: int(60),
        seen_mod_revision: optional(6, HAS_SEEN_MOD_REVISION),
        txn_succeeded: (row[73] & HAS_TXN_SUCCEEDED != 0).then_some(row[73] & TXN_SUCCEEDED != 0),
        value_bytes: int(64),
    })
}

/// Tells a whole row from one that a crash of the machine left as zeros or garbage. A sum of words times odd numbers
/// is not cryptographic, but its products do not wait for each other: a tenth of the time of a table-driven CRC.
fn checksum(row: &[u8; ROW_BYTES]) -> u32 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut factor = ODD;
    let mut sum = ODD;
    for at in 0..9 {
        sum = sum.wrapping_add(u64::from_le_bytes(bytes(row, 8 * at)).wrapping_mul(factor));
        // Twice anything is even, so the factor stays odd.
        factor = factor.wrapping_add(ODD << 1);
    }
    sum = sum.wrapping_add(u64::from(u32::from_le_bytes(bytes(row, 72))).wrapping_mul(factor));
    (sum >> 32) as u32
}

fn bytes<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|offset| from[at + offset])
}
