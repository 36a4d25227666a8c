//! Faults: one row for each fault and target member, with what was asked, what was done, and the evidence.

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::table_row::{TableRow, table_row};

/// One fault on one member. Times are nanoseconds after the run's time 0; absent means that it did not happen or
/// was not measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultEvent {
    /// Number of the row, from 0. In the journal a later entry with the same number replaces an earlier one.
    pub fault_id: i64,
    /// `delay`, `loss`, `rate`, `pass` or `null`.
    pub kind: String,
    /// Mean delay asked for, in microseconds; for `delay`.
    pub delay_us: Option<f64>,
    /// Jitter asked for, in microseconds; for `delay`.
    pub jitter_us: Option<f64>,
    /// Distribution of the jitter asked for: `uniform`, `normal`, `pareto` or `paretonormal`; for `delay`.
    pub distribution: Option<String>,
    /// Loss asked for, in percent; for `loss`.
    pub loss_percent: Option<f64>,
    /// Rate asked for, in bits per second; for `rate`.
    pub rate_bit_per_s: Option<f64>,
    /// Target as asked: `leader`, `follower`, `all` or a member's name.
    pub target_asked: String,
    /// Member that was hit, as an index into the manifest's members.
    pub target: i8,
    /// Role of that member at injection: `leader` or `follower`.
    pub role: String,
    /// `all`, `peers` or `clients`.
    pub scope: String,
    /// The only other member whose traffic with the target was hit, as an index; absent when all of it was.
    pub peer: Option<i8>,
    /// `egress`, `ingress` or `both`.
    pub direction: String,
    /// `queue` or `netem`.
    pub mechanism: String,
    /// The exact rules or commands, one a line.
    pub commands: String,
    /// Start of the window as asked.
    pub asked_ns: i64,
    /// End of the window as asked; absent while it is to last to an end of the workload that is not known yet.
    pub asked_clear_ns: Option<i64>,
    /// When the fault was in force.
    pub applied_ns: Option<i64>,
    /// When the evidence first showed it.
    pub confirmed_ns: Option<i64>,
    /// When it was no longer in force.
    pub cleared_ns: Option<i64>,
    /// When the evidence first showed that it was gone.
    pub clear_confirmed_ns: Option<i64>,
    /// True when the evidence shows that the fault did what was asked; absent when that was not judged.
    pub confirmed: Option<bool>,
    /// The judgement in a sentence.
    pub evidence: String,
    /// Median TCP connect time across the faulted link before the window, in microseconds.
    pub probe_before_us: Option<f64>,
    /// The same during the window.
    pub probe_during_us: Option<f64>,
    /// The same after it.
    pub probe_after_us: Option<f64>,
    /// Median TCP connect time across an untouched link during the window, in microseconds.
    pub probe_untouched_us: Option<f64>,
    /// Connect attempts across the faulted link during the window, and those without an answer in time.
    pub probe_count: Option<i64>,
    /// See `probe_count`.
    pub probe_timeouts: Option<i64>,
    /// Packets that the rule matched, by the kernel's counter: that of the iptables rule, or of the netem qdisc.
    pub packets_matched: Option<i64>,
    /// Packets that reached the queue shaper; those that netem passed on or dropped.
    pub packets_received: Option<i64>,
    /// Packets that were dropped on purpose.
    pub packets_dropped: Option<i64>,
    /// Packets that were dropped because the queue was full, which fails the run; where the kernel tells them apart.
    pub packets_overflowed: Option<i64>,
    /// Bytes that the netem qdisc passed on.
    pub bytes_passed: Option<i64>,
    /// Largest number of packets that were seen waiting in the netem qdisc.
    pub backlog_max: Option<i64>,
    /// Mean time that the queue shaper held a packet, in microseconds.
    pub hold_mean_us: Option<f64>,
    /// Longest time that it held one.
    pub hold_max_us: Option<f64>,
    /// Bounds of the 99.9 % Wilson interval of the drop probability, in percent.
    pub loss_low_percent: Option<f64>,
    /// See `loss_low_percent`.
    pub loss_high_percent: Option<f64>,
}

table_row!(FaultEvent {
    fault_id: i64,
    kind: String,
    delay_us: Option<f64>,
    jitter_us: Option<f64>,
    distribution: Option<String>,
    loss_percent: Option<f64>,
    rate_bit_per_s: Option<f64>,
    target_asked: String,
    target: i8,
    role: String,
    scope: String,
    peer: Option<i8>,
    direction: String,
    mechanism: String,
    commands: String,
    asked_ns: i64,
    asked_clear_ns: Option<i64>,
    applied_ns: Option<i64>,
    confirmed_ns: Option<i64>,
    cleared_ns: Option<i64>,
    clear_confirmed_ns: Option<i64>,
    confirmed: Option<bool>,
    evidence: String,
    probe_before_us: Option<f64>,
    probe_during_us: Option<f64>,
    probe_after_us: Option<f64>,
    probe_untouched_us: Option<f64>,
    probe_count: Option<i64>,
    probe_timeouts: Option<i64>,
    packets_matched: Option<i64>,
    packets_received: Option<i64>,
    packets_dropped: Option<i64>,
    packets_overflowed: Option<i64>,
    bytes_passed: Option<i64>,
    backlog_max: Option<i64>,
    hold_mean_us: Option<f64>,
    hold_max_us: Option<f64>,
    loss_low_percent: Option<f64>,
    loss_high_percent: Option<f64>,
});

/// Arrow schema of `faults.parquet`; the columns are the fields of [`FaultEvent`] in their order.
pub fn schema() -> SchemaRef {
    FaultEvent::schema()
}
