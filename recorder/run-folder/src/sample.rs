//! Samples: what members and the recorder itself say of their state, one measured value a row.
//!
//! The table is long, not wide, so that a new metric is a new `metric` value and not a new column. The names are in
//! [`metric`]; those that come from a member's `/metrics` page keep etcd's own names.

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::table_row::{TableRow, table_row};

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When, in nanoseconds after the run's time 0.
    pub time_ns: i64,
    /// Member, as an index into the manifest's members; absent for the recorder and the host.
    pub member: Option<i8>,
    /// What was measured.
    pub metric: String,
    /// etcd's labels where the metric has them, as in `le=0.001` or `To=8e9e05c52164694d`.
    pub label: Option<String>,
    /// The value, in the metric's own unit.
    #[serde(with = "any_float")]
    pub value: f64,
}

/// Names of metrics that do not come from etcd's `/metrics` page.
pub mod metric {
    /// Index of the member that this member takes for the leader; -1 for none. 10 Hz.
    pub const LEADER: &str = "leader";
    /// Raft term. 10 Hz.
    pub const RAFT_TERM: &str = "raft_term";
    /// Raft index. 10 Hz.
    pub const RAFT_INDEX: &str = "raft_index";
    /// Raft index that is applied. 10 Hz.
    pub const RAFT_APPLIED_INDEX: &str = "raft_applied_index";
    /// Revision of the member's key-value store. 10 Hz.
    pub const REVISION: &str = "revision";
    /// Size of the database file in bytes. 10 Hz.
    pub const DB_SIZE_BYTES: &str = "db_size_bytes";
    /// Time that the member took to answer the status request, in microseconds. 10 Hz.
    pub const STATUS_TIME_US: &str = "status_time_us";
    /// 1 when the member did not answer the status request; there is no row when it did. 10 Hz.
    pub const STATUS_FAILED: &str = "status_failed";
    /// TCP connect time across the member's link, in microseconds; dated by its start; the label says from where.
    /// 10 Hz.
    pub const PROBE_CONNECT_US: &str = "probe_connect_us";
    /// 1 for a connect attempt without an answer in time. 10 Hz.
    pub const PROBE_FAILED: &str = "probe_failed";
    /// CPU time that the recorder has used since its start, in seconds. 1 Hz.
    pub const RECORDER_CPU_S: &str = "recorder_cpu_s";
    /// Resident memory of the recorder in bytes. 1 Hz.
    pub const RECORDER_RSS_BYTES: &str = "recorder_rss_bytes";
    /// Longest lag of a paced operation behind its intended start in this second, in microseconds. 1 Hz.
    pub const RECORDER_LAG_MAX_US: &str = "recorder_lag_max_us";
    /// CPU time of the host that others got since its boot, in seconds. 1 Hz.
    pub const HOST_STEAL_S: &str = "host_steal_s";
}

table_row!(Sample {
    time_ns: i64,
    member: Option<i8>,
    metric: String,
    label: Option<String>,
    value: f64,
});

/// Arrow schema of `samples.parquet`; the columns are the fields of [`Sample`] in their order.
pub fn schema() -> SchemaRef {
    Sample::schema()
}

/// JSON has no word for NaN and the infinities, which `/metrics` pages do hold; they go as text.
mod any_float {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.collect_str(value) }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Number {
            Finite(f64),
            Text(String),
        }
        match Number::deserialize(deserializer)? {
            Number::Finite(value) => Ok(value),
            Number::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}
