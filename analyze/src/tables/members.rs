//! What the members' samples tell, second by second: disks, peers, replication, answers.
//!
//! etcd counts since its start. The number of a second is the difference between the counter at its end and at its start,
//! each interpolated between the samples around it; over a gap, and where a counter fell because the member was started
//! again, there is no number.

use std::collections::BTreeMap;

use polars::prelude::*;
use run_folder::sample::metric;

use super::reigns::Course;
use super::replication;
use super::sampled::rows;
use super::standings::{Spell, Standing};
use super::views::View;
use super::{Facts, NS_PER_S};
use crate::output::text::{Column as Shown, TextTable};
use crate::phases::Phase;

/// Columns of `samples` that the table reads.
pub const READS: [&str; 5] = ["time_ns", "member", "metric", "label", "value"];

/// The metrics of the table and their units, in its order. Of a second and a member:
///
/// - `leads_share`: share of its answered status requests in which it took itself for the leader
/// - `status_median_ms`, `status_max_ms`: time to answer a status request, ten of which are made a second
/// - `status_unanswered`: status requests without an answer
/// - `connect_median_ms`, `connect_max_ms`, `connect_unanswered`: the same of TCP connects across its link
/// - `raft_lag_median_entries`, `raft_lag_max_entries`: entries that the leader knew to be committed and the member did
///   not; null for the leader itself, and while there is none
/// - `raft_behind_max_ms`: how long before that the leader had been where the member was
/// - `unapplied_max_entries`: entries that it knew to be committed and had not applied
/// - `db_size_mib`: size of its database file
/// - `wal_fsyncs_per_s`, `wal_fsync_mean_ms`: syncs of the write-ahead log, and how long they took
/// - `wal_fsync_p99_at_most_ms`: 99 % of them took at most this: the edge of etcd's histogram bucket, a power of two of a
///   millisecond; null where the bucket has no upper edge
/// - `backend_commits_per_s`, `backend_commit_mean_ms`, `backend_commit_p99_at_most_ms`: the same of commits to the
///   database file
/// - `peer_rtt_mean_ms`: round trip to its peers, which etcd itself probes every 30 s or so
/// - `proposals_committed_per_s`, `proposals_pending`, `heartbeat_send_failures_per_s`, `slow_applies_per_s`
/// - `cpu_cores`: processor time used, in cores; `memory_mib`: resident memory
pub const METRICS: [(&str, &str); 26] = [
    ("leads_share", "share"),
    ("status_median_ms", "ms"),
    ("status_max_ms", "ms"),
    ("status_unanswered", "requests"),
    ("connect_median_ms", "ms"),
    ("connect_max_ms", "ms"),
    ("connect_unanswered", "requests"),
    ("raft_lag_median_entries", "entries"),
    ("raft_lag_max_entries", "entries"),
    ("raft_behind_max_ms", "ms"),
    ("unapplied_max_entries", "entries"),
    ("db_size_mib", "MiB"),
    ("wal_fsyncs_per_s", "1/s"),
    ("wal_fsync_mean_ms", "ms"),
    ("wal_fsync_p99_at_most_ms", "ms"),
    ("backend_commits_per_s", "1/s"),
    ("backend_commit_mean_ms", "ms"),
    ("backend_commit_p99_at_most_ms", "ms"),
    ("peer_rtt_mean_ms", "ms"),
    ("proposals_committed_per_s", "1/s"),
    ("proposals_pending", "proposals"),
    ("heartbeat_send_failures_per_s", "1/s"),
    ("slow_applies_per_s", "1/s"),
    ("leader_changes_seen", "changes"),
    ("cpu_cores", "cores"),
    ("memory_mib", "MiB"),
];

const WAL_FSYNC: &str = "etcd_disk_wal_fsync_duration_seconds";
const BACKEND_COMMIT: &str = "etcd_disk_backend_commit_duration_seconds";
const PEER_RTT: &str = "etcd_network_peer_round_trip_time_seconds";
const MIB: f64 = 1024.0 * 1024.0;

/// What the members' samples tell of each second of a run, one row for each second, member and metric.
///
/// `samples` has the columns [`READS`]; `views` and `course` are of the same samples. Columns:
///
/// - `run`, `label`
/// - `second`: second s is [s, s + 1) after the run's time 0
/// - `member`
/// - `metric`, `unit`: see [`METRICS`]
/// - `value`: null where nothing was sampled
///
/// # Errors
/// [`PolarsError`] when a column is missing or of another type.
pub fn table(samples: &DataFrame, views: &[View], course: &Course, facts: &Facts) -> PolarsResult<DataFrame> {
    let end_ns = facts.phases.end_ns();
    let seconds = usize::try_from((end_ns + NS_PER_S - 1) / NS_PER_S).unwrap_or(0);
    let sampled = Sampled::new(samples, facts.members.len())?;
    let indices = replication::indices(views, facts.members.len());
    let columns: Vec<BTreeMap<&str, Series>> = (0..facts.members.len())
        .map(|member| {
            let mut found = sampled.of_member(member, seconds, end_ns);
            of_views(member, views, course, &indices, seconds, &mut found);
            found
        })
        .collect();
    let height = seconds * facts.members.len() * METRICS.len();
    let (mut second_column, mut member_column) = (Vec::with_capacity(height), Vec::with_capacity(height));
    let (mut metric_column, mut unit_column) = (Vec::with_capacity(height), Vec::with_capacity(height));
    let mut value_column: Vec<Option<f64>> = Vec::with_capacity(height);
    for second in 0..seconds {
        for (name, found) in facts.members.iter().zip(&columns) {
            for (metric, unit) in METRICS {
                second_column.push(second as i64);
                member_column.push(name.as_str());
                metric_column.push(metric);
                unit_column.push(unit);
                value_column.push(found.get(metric).and_then(|series| series[second]));
            }
        }
    }
    DataFrame::new(
        height,
        vec![
            Column::new("run".into(), vec![facts.run.as_str(); height]),
            Column::new("label".into(), vec![facts.label.as_str(); height]),
            Column::new("second".into(), second_column),
            Column::new("member".into(), member_column),
            Column::new("metric".into(), metric_column),
            Column::new("unit".into(), unit_column),
            Column::new("value".into(), value_column),
        ],
    )
}

/// A value for each second.
type Series = Vec<Option<f64>>;

/// Samples of one metric, in order of time: nanoseconds after time 0, and the value.
type Points = Vec<(i64, f64)>;

/// The samples, by member and metric, and then by etcd's label.
struct Sampled(BTreeMap<(usize, String), BTreeMap<String, Points>>);

impl Sampled {
    fn new(samples: &DataFrame, members: usize) -> PolarsResult<Self> {
        let mut found: BTreeMap<(usize, String), BTreeMap<String, Points>> = BTreeMap::new();
        for row in rows(samples)? {
            let Some(member) = row.member_of(members) else { continue };
            let of_metric = found.entry((member, row.metric.to_owned())).or_default();
            of_metric.entry(row.label.to_owned()).or_default().push((row.time_ns, row.value));
        }
        found.values_mut().flat_map(BTreeMap::values_mut).for_each(|points| points.sort_by_key(|point| point.0));
        Ok(Self(found))
    }

    /// The samples of a metric, by label.
    fn labelled(&self, member: usize, metric: &str) -> impl Iterator<Item = (&str, &Points)> {
        let of_metric = self.0.get(&(member, metric.to_owned()));
        of_metric.into_iter().flatten().map(|(label, points)| (label.as_str(), points))
    }

    fn of_member(&self, member: usize, seconds: usize, end_ns: i64) -> BTreeMap<&'static str, Series> {
        let mut found = BTreeMap::new();
        let gauge = |metric: &str, of: fn(&mut [f64]) -> Option<f64>, factor: f64| -> Series {
            let mut values: Vec<Vec<f64>> = vec![Vec::new(); seconds];
            for &(time_ns, value) in self.labelled(member, metric).flat_map(|(_, points)| points) {
                if (0..end_ns).contains(&time_ns) {
                    values[(time_ns / NS_PER_S) as usize].push(value);
                }
            }
            values.iter_mut().map(|values| of(values).map(|value| value * factor)).collect()
        };
        for (asked, failed, [median, max, unanswered]) in [
            (metric::STATUS_TIME_US, metric::STATUS_FAILED, ["status_median_ms", "status_max_ms", "status_unanswered"]),
            (
                metric::PROBE_CONNECT_US,
                metric::PROBE_FAILED,
                ["connect_median_ms", "connect_max_ms", "connect_unanswered"],
            ),
        ] {
            found.insert(median, gauge(asked, middle, 1e-3));
            found.insert(max, gauge(asked, most, 1e-3));
            // No row of a failure is no failure only where there was an answer.
            let answered = gauge(asked, count, 1.0);
            let failures = gauge(failed, count, 1.0).into_iter().zip(answered);
            found.insert(unanswered, failures.map(|(failed, ok)| failed.or(ok.map(|_| 0.0))).collect());
        }
        found.insert("db_size_mib", gauge(metric::DB_SIZE_BYTES, last, 1.0 / MIB));
        found.insert("proposals_pending", gauge("etcd_server_proposals_pending", last, 1.0));
        found.insert("memory_mib", gauge("process_resident_memory_bytes", last, 1.0 / MIB));
        for (name, counter) in [
            ("proposals_committed_per_s", "etcd_server_proposals_committed_total"),
            ("heartbeat_send_failures_per_s", "etcd_server_heartbeat_send_failures_total"),
            ("slow_applies_per_s", "etcd_server_slow_apply_total"),
            ("cpu_cores", "process_cpu_seconds_total"),
        ] {
            found.insert(name, self.rate(member, counter, seconds));
        }
        found.insert("leader_changes_seen", self.growth(member, "etcd_server_leader_changes_seen_total", seconds));
        found.insert("wal_fsyncs_per_s", self.rate(member, &format!("{WAL_FSYNC}_count"), seconds));
        found.insert("wal_fsync_mean_ms", self.mean_ms(member, WAL_FSYNC, seconds));
        found.insert("wal_fsync_p99_at_most_ms", self.p99_at_most_ms(member, WAL_FSYNC, seconds));
        found.insert("backend_commits_per_s", self.rate(member, &format!("{BACKEND_COMMIT}_count"), seconds));
        found.insert("backend_commit_mean_ms", self.mean_ms(member, BACKEND_COMMIT, seconds));
        found.insert("backend_commit_p99_at_most_ms", self.p99_at_most_ms(member, BACKEND_COMMIT, seconds));
        found.insert("peer_rtt_mean_ms", self.mean_ms(member, PEER_RTT, seconds));
        found
    }

    /// Growth of a counter in each second, summed over its labels, in each second's measured part, see [`growth`].
    fn growths(&self, member: usize, counter: &str, seconds: usize) -> Vec<Option<(f64, f64)>> {
        let mut sum: Vec<Option<(f64, f64)>> = vec![None; seconds];
        for (_, points) in self.labelled(member, counter) {
            for (second, sum) in sum.iter_mut().enumerate() {
                if let Some((growth, length_s)) = growth(points, second as i64 * NS_PER_S) {
                    let (before, _) = sum.unwrap_or((0.0, 0.0));
                    *sum = Some((before + growth, length_s));
                }
            }
        }
        sum
    }

    fn growth(&self, member: usize, counter: &str, seconds: usize) -> Series {
        self.growths(member, counter, seconds).into_iter().map(|found| found.map(|(growth, _)| growth)).collect()
    }

    fn rate(&self, member: usize, counter: &str, seconds: usize) -> Series {
        let rate = |(growth, length_s): (f64, f64)| growth / length_s;
        self.growths(member, counter, seconds).into_iter().map(|found| found.map(rate)).collect()
    }

    /// The mean of what a histogram of seconds counted in each second, in milliseconds.
    fn mean_ms(&self, member: usize, histogram: &str, seconds: usize) -> Series {
        let sums = self.growth(member, &format!("{histogram}_sum"), seconds);
        let counts = self.growth(member, &format!("{histogram}_count"), seconds);
        let mean = |(sum, count): (Option<f64>, Option<f64>)| {
            let count = count.filter(|&count| count > LEAST_COUNT)?;
            Some(sum? / count * 1e3)
        };
        sums.into_iter().zip(counts).map(mean).collect()
    }

    /// The upper edge of the bucket in which the 99th percentile of a histogram of seconds lies, in milliseconds.
    fn p99_at_most_ms(&self, member: usize, histogram: &str, seconds: usize) -> Series {
        let edge = |(label, points)| Some((label_edge(label)?, points));
        let metric = format!("{histogram}_bucket");
        let mut buckets: Vec<(f64, &Points)> = self.labelled(member, &metric).filter_map(edge).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let of_second = |second: usize| {
            let grown = |points: &Points| growth(points, second as i64 * NS_PER_S).map(|(growth, _)| growth);
            let (_, all) = buckets.last()?;
            let wanted = 0.99 * grown(all).filter(|&count| count > LEAST_COUNT)?;
            let bucket = buckets.iter().find(|(_, points)| grown(points).is_some_and(|count| count >= wanted - 1e-9));
            bucket.map(|(edge, _)| edge * 1e3).filter(|edge_ms| edge_ms.is_finite())
        };
        (0..seconds).map(of_second).collect()
    }
}

/// Less than this was not counted, but is what rounding left of an interpolation.
const LEAST_COUNT: f64 = 1e-6;

/// The upper edge of a bucket, as in `le=0.001`.
fn label_edge(label: &str) -> Option<f64> {
    match label.split(',').find_map(|pair| pair.trim().strip_prefix("le="))? {
        "+Inf" => Some(f64::INFINITY),
        edge => edge.parse().ok(),
    }
}

/// Samples of a counter that lie further apart than this say too little of what is between them.
const BETWEEN_MAX_NS: i64 = 2_500_000_000;
/// How far the first and the last sample may be from the edge of a second that they stand for.
const EDGE_NS: i64 = 500_000_000;

/// How much a counter grew in a second, and in how much of it, in seconds.
fn growth(points: &Points, from_ns: i64) -> Option<(f64, f64)> {
    let (start_ns, start) = counter_at(points, from_ns)?;
    let (end_ns, end) = counter_at(points, from_ns + NS_PER_S)?;
    let is_one_life = {
        let inside = points.iter().skip_while(|point| point.0 < start_ns).take_while(|point| point.0 <= end_ns);
        let values: Vec<f64> = std::iter::once(start).chain(inside.map(|point| point.1)).chain([end]).collect();
        values.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9)
    };
    (is_one_life && start_ns < end_ns).then(|| (end - start, (end_ns - start_ns) as f64 / NS_PER_S as f64))
}

/// A counter at a time, interpolated; at the ends of the recording that of the nearest sample, at its own time.
fn counter_at(points: &Points, time_ns: i64) -> Option<(i64, f64)> {
    let after = points.partition_point(|point| point.0 < time_ns);
    let next = points.get(after);
    let previous = after.checked_sub(1).and_then(|before| points.get(before));
    match (previous, next) {
        (_, Some(&(at_ns, value))) if at_ns == time_ns => Some((at_ns, value)),
        (Some(&(from_ns, from)), Some(&(to_ns, to))) => {
            let is_near = to_ns - from_ns <= BETWEEN_MAX_NS && from <= to;
            let share = (time_ns - from_ns) as f64 / (to_ns - from_ns) as f64;
            is_near.then_some((time_ns, from + share * (to - from)))
        }
        (Some(&point), None) | (None, Some(&point)) => ((point.0 - time_ns).abs() <= EDGE_NS).then_some(point),
        (None, None) => None,
    }
}

fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    crate::stats::nearest_rank(values.len(), 0.5).map(|rank| values[rank])
}

fn most(values: &mut [f64]) -> Option<f64> {
    values.iter().copied().reduce(f64::max)
}

fn last(values: &mut [f64]) -> Option<f64> {
    values.last().copied()
}

fn count(values: &mut [f64]) -> Option<f64> {
    (!values.is_empty()).then_some(values.len() as f64)
}

/// What a member's answers to status requests tell of each second.
fn of_views(
    member: usize,
    views: &[View],
    course: &Course,
    indices: &[Vec<(i64, i64)>],
    seconds: usize,
    found: &mut BTreeMap<&'static str, Series>,
) {
    let mut leads = vec![(0_u32, 0_u32); seconds];
    let (mut entries, mut behind_ms) = (vec![Vec::new(); seconds], vec![Vec::new(); seconds]);
    let mut unapplied = vec![Vec::new(); seconds];
    for view in views.iter().filter(|view| view.member == member && view.time_ns >= 0) {
        let second = (view.time_ns / NS_PER_S) as usize;
        let Some(answer) = view.answer.filter(|_| second < seconds) else { continue };
        leads[second].0 += 1;
        leads[second].1 += u32::from(view.leads());
        unapplied[second]
            .extend(answer.index.zip(answer.applied).map(|(index, applied)| (index - applied).max(0) as f64));
        if let Some((missing, behind_us)) = replication::lag_of(view, course, indices) {
            entries[second].push(missing as f64);
            behind_ms[second].extend(behind_us.map(|us| us as f64 / 1e3));
        }
    }
    let share = |&(answered, led): &(u32, u32)| (answered > 0).then(|| f64::from(led) / f64::from(answered));
    found.insert("leads_share", leads.iter().map(share).collect());
    found.insert("raft_lag_median_entries", entries.iter_mut().map(|values| middle(values)).collect());
    found.insert("raft_lag_max_entries", entries.iter_mut().map(|values| most(values)).collect());
    found.insert("raft_behind_max_ms", behind_ms.iter_mut().map(|values| most(values)).collect());
    found.insert("unapplied_max_entries", unapplied.iter_mut().map(|values| most(values)).collect());
}

/// The rows of some metrics, of all where none is named.
///
/// # Errors
/// [`PolarsError`] when `members` is not the result of [`table`].
pub fn only(members: &DataFrame, metrics: &[String]) -> PolarsResult<DataFrame> {
    if metrics.is_empty() {
        return Ok(members.clone());
    }
    let names = members.column("metric")?.str()?;
    let is_wanted = |name: Option<&str>| Some(name.is_some_and(|name| metrics.iter().any(|wanted| wanted == name)));
    members.filter(&names.iter().map(is_wanted).collect())
}

/// The samples phase by phase: of each member and metric the middle and the largest of the seconds that lie wholly in a
/// phase. Columns: `run`, `label`, `member`, `metric`, `unit`, `phase` (`before`, `during`, `after`; `all` without a
/// fault), `seconds` (those with a value), `median`, `max`.
///
/// # Errors
/// [`PolarsError`] when `members` is not the result of [`table`] for this run.
pub fn by_phase(members: &DataFrame, facts: &Facts) -> PolarsResult<DataFrame> {
    let text = |name: &str| -> PolarsResult<&StringChunked> { members.column(name)?.str() };
    let (member, metric) = (text("member")?, text("metric")?);
    let (second, value) = (members.column("second")?.i64()?, members.column("value")?.f64()?);
    let end_ns = facts.phases.end_ns();
    let phases: Vec<(Phase, i64, i64)> = match facts.phases.window() {
        None => vec![(Phase::All, 0, end_ns)],
        Some(window) => vec![
            (Phase::Before, 0, window.from_ns),
            (Phase::During, window.from_ns, window.to_ns),
            (Phase::After, window.to_ns, end_ns),
        ],
    };
    let phases: Vec<_> = phases.into_iter().filter(|&(_, from_ns, to_ns)| from_ns < to_ns).collect();
    let mut values: BTreeMap<(usize, usize, usize), Vec<f64>> = BTreeMap::new();
    for row in 0..members.height() {
        let (Some(second), Some(value)) = (second.get(row), value.get(row)) else { continue };
        let (from_ns, to_ns) = (second * NS_PER_S, ((second + 1) * NS_PER_S).min(end_ns));
        let Some(phase) = phases.iter().position(|phase| phase.1 <= from_ns && to_ns <= phase.2) else { continue };
        let member = facts.members.iter().position(|name| Some(name.as_str()) == member.get(row));
        let metric = METRICS.iter().position(|(name, _)| Some(*name) == metric.get(row));
        if let (Some(member), Some(metric)) = (member, metric) {
            values.entry((member, metric, phase)).or_default().push(value);
        }
    }
    let keys = || (0..facts.members.len()).flat_map(|a| (0..METRICS.len()).map(move |b| (a, b)));
    let rows: Vec<(usize, usize, usize)> =
        keys().flat_map(|(a, b)| (0..phases.len()).map(move |phase| (a, b, phase))).collect();
    let found = |row: &(usize, usize, usize), of: fn(&mut [f64]) -> Option<f64>| of(&mut values.get(row)?.clone());
    DataFrame::new(
        rows.len(),
        vec![
            Column::new("run".into(), vec![facts.run.as_str(); rows.len()]),
            Column::new("label".into(), vec![facts.label.as_str(); rows.len()]),
            Column::new("member".into(), rows.iter().map(|row| facts.members[row.0].as_str()).collect::<Vec<_>>()),
            Column::new("metric".into(), rows.iter().map(|row| METRICS[row.1].0).collect::<Vec<_>>()),
            Column::new("unit".into(), rows.iter().map(|row| METRICS[row.1].1).collect::<Vec<_>>()),
            Column::new("phase".into(), rows.iter().map(|row| phases[row.2].0.as_str()).collect::<Vec<_>>()),
            Column::new(
                "seconds".into(),
                rows.iter().map(|row| values.get(row).map_or(0, Vec::len) as u64).collect::<Vec<_>>(),
            ),
            Column::new("median".into(), rows.iter().map(|row| found(row, middle)).collect::<Vec<_>>()),
            Column::new("max".into(), rows.iter().map(|row| found(row, most)).collect::<Vec<_>>()),
        ],
    )
}

/// How each member stood, one row for each time that it stood the same way. Columns: `run`, `label`, `member`, `standing`
/// (`leads`, `follows`, `leaderless`, `silent`), `leader` (whom it follows), `term` (the highest that it knew), `from_s`,
/// `to_s`.
///
/// # Errors
/// [`PolarsError`] never, but for a frame that cannot be made.
pub fn standings(spells: &[Vec<Spell>], facts: &Facts) -> PolarsResult<DataFrame> {
    let rows: Vec<&Spell> = spells.iter().flatten().collect();
    let name = |member: usize| facts.members.get(member).map(String::as_str);
    let standing = |spell: &&Spell| match spell.standing {
        Standing::Leads => "leads",
        Standing::Follows(_) => "follows",
        Standing::Leaderless => "leaderless",
        Standing::Silent => "silent",
    };
    let leader = |spell: &&Spell| match spell.standing {
        Standing::Follows(leader) => name(leader),
        _ => None,
    };
    let seconds = |ns: i64| ns as f64 / NS_PER_S as f64;
    DataFrame::new(
        rows.len(),
        vec![
            Column::new("run".into(), vec![facts.run.as_str(); rows.len()]),
            Column::new("label".into(), vec![facts.label.as_str(); rows.len()]),
            Column::new("member".into(), rows.iter().map(|spell| name(spell.member)).collect::<Vec<_>>()),
            Column::new("standing".into(), rows.iter().map(standing).collect::<Vec<_>>()),
            Column::new("leader".into(), rows.iter().map(leader).collect::<Vec<_>>()),
            Column::new("term".into(), rows.iter().map(|spell| spell.term).collect::<Vec<_>>()),
            Column::new("from_s".into(), rows.iter().map(|spell| seconds(spell.from_ns)).collect::<Vec<_>>()),
            Column::new("to_s".into(), rows.iter().map(|spell| seconds(spell.to_ns)).collect::<Vec<_>>()),
        ],
    )
}

/// Metrics that people see, each as a column, with the words above it.
const SHOWN: [(&str, &str, &str); 9] = [
    ("leads_share", "leads", ""),
    ("wal_fsync_mean_ms", "mean", "fsync"),
    ("wal_fsync_p99_at_most_ms", "p99 <=", "fsync"),
    ("backend_commit_mean_ms", "mean", "commit"),
    ("peer_rtt_mean_ms", "mean", "peer RTT"),
    ("raft_lag_max_entries", "entries", "raft lag"),
    ("status_median_ms", "median", "status"),
    ("connect_median_ms", "median", "connect"),
    ("cpu_cores", "cores", "CPU"),
];

/// The table for people: one row for each second and member, with a few of the metrics.
///
/// # Errors
/// [`PolarsError`] when `members` is not the result of [`table`], or several of them.
pub fn text(members: &DataFrame) -> PolarsResult<TextTable> {
    let text = |name: &str| -> PolarsResult<&StringChunked> { members.column(name)?.str() };
    let (run, member, metric) = (text("run")?, text("member")?, text("metric")?);
    let (second, value) = (members.column("second")?.i64()?, members.column("value")?.f64()?);
    type Key<'a> = (Option<&'a str>, Option<i64>, Option<&'a str>);
    let mut rows: Vec<(Key<'_>, [Option<f64>; SHOWN.len()])> = Vec::new();
    for row in 0..members.height() {
        let key = (run.get(row), second.get(row), member.get(row));
        if rows.last().is_none_or(|(last, _)| *last != key) {
            rows.push((key, [None; SHOWN.len()]));
        }
        let shown = SHOWN.iter().position(|(name, ..)| Some(*name) == metric.get(row));
        if let (Some(at), Some(last)) = (shown, rows.last_mut()) {
            last.1[at] = value.get(row);
        }
    }
    let mut columns = vec![
        Column::new("run".into(), rows.iter().map(|row| row.0.0).collect::<Vec<_>>()),
        Column::new("second".into(), rows.iter().map(|row| row.0.1).collect::<Vec<_>>()),
        Column::new("member".into(), rows.iter().map(|row| row.0.2).collect::<Vec<_>>()),
    ];
    let mut shown = vec![Shown::new("second", "second"), Shown::new("member", "member")];
    for (at, (name, heading, above)) in SHOWN.into_iter().enumerate() {
        columns.push(Column::new(name.into(), rows.iter().map(|row| row.1[at]).collect::<Vec<_>>()));
        let column = Shown::new(name, heading);
        shown.push(if above.is_empty() { column } else { column.under(above) });
    }
    let mut table = TextTable::new(&DataFrame::new(rows.len(), columns)?, &shown, Some("run"))?;
    table.note("milliseconds, entries and cores; -: not sampled, nothing counted, or (raft lag) the leader itself");
    table.note("every metric, one a row: --format csv");
    Ok(table)
}

#[cfg(test)]
mod tests;
