//! Operations: one row for each that was due, also failed, timed-out and never-sent ones.
//!
//! All times are nanoseconds after the run's time 0 on the monotonic clock; those of the warm-up are negative.
//! service time = end - start; response time = end - intended.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::table_row::{TableRow, Text, table_row};

/// What `endpoint` is in imported runs, where no file says which member was asked.
pub const ENDPOINT_UNKNOWN: u8 = i8::MAX as u8;

/// What `worker`, `key` and `value_bytes` are there.
pub const UNKNOWN: i32 = -1;

/// One operation that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Number of the operation in order of becoming due, from 0, without gaps.
    pub op_id: i64,
    /// Worker that carried it out.
    pub worker: i32,
    /// What was asked.
    pub kind: Kind,
    /// When it was due.
    pub intended_ns: i64,
    /// When it was sent; absent for unsent ones, and where that is not known.
    pub start_ns: Option<i64>,
    /// When its answer came or it was given up.
    pub end_ns: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was not acknowledged; absent when it was.
    pub error: Option<ErrorKind>,
    /// Member asked, as an index into the manifest's members; [`ENDPOINT_UNKNOWN`] where that is not known.
    pub endpoint: u8,
    /// Member that answered, likewise; absent without an answer.
    pub member: Option<u8>,
    /// Raft term in the answer.
    pub raft_term: Option<i64>,
    /// Store revision in the answer.
    pub revision: Option<i64>,
    /// Index of the key.
    pub key: i32,
    /// Revision of the key's last modification as it was seen, 0 when the key was absent: by gets, by the read branch of
    /// a transaction, and by a transaction's comparison that held, which is the revision that it asked for. Older
    /// recorders left it out of the last.
    pub seen_mod_revision: Option<i64>,
    /// Whether a transaction's comparison held.
    pub txn_succeeded: Option<bool>,
    /// Bytes of value written or read.
    pub value_bytes: i32,
}

/// Declares a small enumeration that is stored as a byte in the journal and as a string in Parquet.
macro_rules! stored_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value, at the index that is its journal byte.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value as stored in Parquet.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value of a journal byte.
            pub fn from_byte(byte: u8) -> Option<Self> {
                Self::ALL.get(usize::from(byte)).copied()
            }
        }

        impl Text for $name {
            fn text(&self) -> &str {
                self.as_str()
            }
            fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

stored_enum! {
    /// What an operation asks.
    Kind {
        /// Unconditional write.
        Put = "put",
        /// Linearizable read.
        Get = "get",
        /// Serializable read.
        GetSerializable = "get_serializable",
        /// Compare-and-swap.
        Txn = "txn",
        /// Deletion.
        Delete = "delete",
    }
}

stored_enum! {
    /// What became of an operation.
    Outcome {
        /// Acknowledged.
        Ok = "ok",
        /// Certainly not done.
        Failed = "failed",
        /// May have been done.
        Unknown = "unknown",
        /// Never sent.
        Unsent = "unsent",
    }
}

stored_enum! {
    /// Why an operation was not acknowledged.
    ErrorKind {
        /// No answer before the operation's deadline.
        Deadline = "deadline",
        /// The connection could not be made.
        Connect = "connect",
        /// The connection broke while the operation was under way.
        Disconnected = "disconnected",
        /// etcd: the member knew no leader.
        NoLeader = "no_leader",
        /// etcd: the leader changed while the operation was under way.
        LeaderChanged = "leader_changed",
        /// etcd: the request timed out inside the cluster.
        RequestTimeout = "request_timeout",
        /// etcd: too many requests are waiting.
        TooManyRequests = "too_many_requests",
        /// etcd: the database is at its quota.
        NoSpace = "no_space",
        /// etcd: the request is too large or otherwise refused.
        Refused = "refused",
        /// The run was interrupted before the answer.
        Interrupted = "interrupted",
        /// Anything else; the manifest's warnings give an example.
        Other = "other",
    }
}

table_row!(Operation {
    op_id: i64,
    worker: i32,
    kind: Kind,
    intended_ns: i64,
    start_ns: Option<i64>,
    end_ns: i64,
    outcome: Outcome,
    error: Option<ErrorKind>,
    endpoint: u8,
    member: Option<u8>,
    raft_term: Option<i64>,
    revision: Option<i64>,
    key: i32,
    seen_mod_revision: Option<i64>,
    txn_succeeded: Option<bool>,
    value_bytes: i32,
});

/// Arrow schema of `operations.parquet`; the columns are the fields of [`Operation`] in their order.
pub fn schema() -> SchemaRef {
    Operation::schema()
}

/// Columns of `operations`.
pub fn to_batch(operations: &[Operation]) -> RecordBatch {
    Operation::batch(operations)
}

/// Operations of a batch that has all columns. For when there are few; tables are the way when there are many.
///
/// # Errors
/// The name of a column that is missing or holds something unknown.
pub fn from_batch(batch: &RecordBatch) -> Result<Vec<Operation>, &'static str> {
    Operation::rows(batch)
}
