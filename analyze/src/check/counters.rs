//! What members counted by themselves, as it was sampled, against the operations that were counted here.

use std::collections::HashMap;

use polars::prelude::*;
use run_folder::sample::metric;

use super::history::{Entry, History};
use super::under_way::{self, Stretch};
use super::{Check, Counted, Finding, Violations};

/// Columns of the samples that [`points`] reads.
pub const READS: [&str; 4] = ["time_ns", "member", "metric", "value"];

/// A counter that members tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Index of the last raft entry that was applied, from the status.
    RaftApplied,
    /// The same from the metrics page: proposals applied.
    ProposalsApplied,
    /// Index of the last entry known to be committed: proposals committed.
    ProposalsCommitted,
    /// Revision of the key-value store, from the status.
    Revision,
}

impl Counter {
    const ALL: [Self; 4] = [Self::RaftApplied, Self::ProposalsApplied, Self::ProposalsCommitted, Self::Revision];

    const fn metric(self) -> &'static str {
        match self {
            Self::RaftApplied => metric::RAFT_APPLIED_INDEX,
            Self::ProposalsApplied => "etcd_server_proposals_applied_total",
            Self::ProposalsCommitted => "etcd_server_proposals_committed_total",
            Self::Revision => metric::REVISION,
        }
    }
}

/// A counter's value at a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The member.
    pub member: u8,
    /// What was counted.
    pub counter: Counter,
    /// When the member was asked, at the earliest.
    pub asked_ns: i64,
    /// When its answer was there.
    pub time_ns: i64,
    /// The value.
    pub value: i64,
}

/// A metrics page is waited for no longer than this.
const PAGE_NS: i64 = 2_000_000_000;

/// The counters among the samples, in order of time.
///
/// # Errors
/// [`PolarsError`] when a column is missing or of another type.
pub fn points(samples: &DataFrame) -> PolarsResult<Vec<Point>> {
    let (times, members) = (samples.column("time_ns")?.i64()?, samples.column("member")?.i8()?);
    let (metrics, values) = (samples.column("metric")?.str()?, samples.column("value")?.f64()?);
    let rows = times.iter().zip(members.iter()).zip(metrics.iter()).zip(values.iter());
    let (mut points, mut took_ns) = (Vec::new(), HashMap::new());
    for (((time_ns, member), name), value) in rows {
        let (Some(time_ns), Some(member), Some(name), Some(value)) = (time_ns, member, name, value) else { continue };
        let Ok(member) = u8::try_from(member) else { continue };
        if name == metric::STATUS_TIME_US {
            took_ns.insert((member, time_ns), (value * 1000.0) as i64);
        }
        let Some(counter) = Counter::ALL.into_iter().find(|counter| counter.metric() == name) else { continue };
        points.push(Point { member, counter, asked_ns: time_ns - PAGE_NS, time_ns, value: value as i64 });
    }
    for point in points.iter_mut().filter(|point| matches!(point.counter, Counter::RaftApplied | Counter::Revision)) {
        if let Some(took_ns) = took_ns.get(&(point.member, point.time_ns)) {
            point.asked_ns = point.time_ns - took_ns;
        }
    }
    points.sort_by_key(|point| point.time_ns);
    Ok(points)
}

/// Raft entries that a cluster makes for itself in a run: publishing members, its version; and with each term some more.
const OWN_ENTRIES: u64 = 16;
const OWN_ENTRIES_A_TERM: u64 = 4;

/// Each counter of each member grew by at least the writes that this member acknowledged between its first sample and its last,
/// and not beyond the highest first sample by more than all writes that may have been logged by then. Other clients' writes
/// count too, so that with `others` there is no upper bound.
pub(super) fn growth(history: &History, points: &[Point], others: Option<&str>) -> Finding {
    if points.is_empty() {
        return Finding::not_checkable(Check::RaftCounters, "there are no samples of members' counters");
    }
    let (mut on, mut violations, mut seen) = (Counted::default(), Violations::default(), Vec::new());
    history.entries.iter().filter(|entry| entry.is_logged()).for_each(|entry| on.add(entry.kind));
    let own = OWN_ENTRIES + OWN_ENTRIES_A_TERM * terms(history);
    for counter in Counter::ALL {
        let of_members = edges(points, counter);
        let Some((base, _)) = of_members.iter().max_by_key(|(first, _)| first.value).copied() else { continue };
        seen.push(counter.metric());
        let is_raft = counter != Counter::Revision;
        for (first, last) in of_members {
            let (name, member) = (counter.metric(), last.member);
            let least = count(history, |entry| {
                let is_counted = if is_raft { entry.is_ok && entry.is_logged() } else { entry.has_put() };
                let is_within = entry.start_ns > first.time_ns && entry.end_ns < last.asked_ns;
                is_counted && is_within && entry.member == Some(member)
            });
            let grew = last.value - first.value;
            if grew < least as i64 {
                violations.add(|| {
                    format!(
                        "member {member}: {name} grew by {grew}, but it acknowledged {least} writes between the samples"
                    )
                });
            }
            let most = count(history, |entry| {
                let may_count = entry.is_logged() && (is_raft || !entry.is_ok || entry.txn_succeeded != Some(false));
                let is_in_base = entry.is_ok && entry.member == Some(base.member) && entry.end_ns < base.asked_ns;
                may_count && !is_in_base && entry.start_ns <= last.time_ns
            });
            let most = if is_raft { most + history.failed_logged + own } else { most };
            let beyond = last.value - base.value;
            if others.is_none() && beyond > most as i64 {
                violations.add(|| {
                    format!(
                        "member {member}: {name} is {beyond} beyond what it was at first, but at most {most} writes were under \
                         way by then"
                    )
                });
            }
        }
    }
    let upper = others.map_or(String::new(), |others| format!("; without an upper bound, as {others}"));
    Finding::new(Check::RaftCounters, on, violations).with(format!("from {}{upper}", seen.join(", ")))
}

fn count(history: &History, is_wanted: impl Fn(&Entry) -> bool) -> u64 {
    history.entries.iter().filter(|entry| is_wanted(entry)).count() as u64
}

/// How often the term changed while there were answers.
fn terms(history: &History) -> u64 {
    let terms = || history.entries.iter().map(|entry| entry.raft_term).filter(|term| *term > 0);
    terms().max().unwrap_or(0).abs_diff(terms().min().unwrap_or(0))
}

/// The first and the last sample of a counter at each member that has some.
fn edges(points: &[Point], counter: Counter) -> Vec<(Point, Point)> {
    let mut edges: Vec<(Point, Point)> = Vec::new();
    for point in points.iter().filter(|point| point.counter == counter) {
        match edges.iter_mut().find(|(first, _)| first.member == point.member) {
            Some((_, last)) => *last = *point,
            None => edges.push((*point, *point)),
        }
    }
    edges
}

/// Relative difference of the two sides of Little's law that is left to chance and to the time between commit and answer.
const TOLERANCE: f64 = 0.1;
/// Standard errors of the counted number under way.
const ERRORS: f64 = 4.0;
/// Fewer writes in a phase tell nothing.
const WRITES_MIN: u64 = 100;
/// A phase in which a larger share of writes can be laid to edges and unknown outcomes tells nothing.
const SLACK_MAX: f64 = 0.5;
const STRETCH_NS_MIN: i64 = 1_000_000_000;

/// Little's law L = lambda W (J. Little, 1961) for writes, in each of `windows` (phase, start, end): L is counted from rows at
/// instants, W comes from the rows, and lambda from the raft index of the member that is furthest, as it was sampled. It shows
/// rows that are missing or doubled, and times of another unit or clock, where they make more than the tolerance; it shows
/// nothing smaller, and nothing about single operations.
pub(super) fn littles_law(
    history: &History,
    points: &[Point],
    windows: &[(&str, i64, i64)],
    others: Option<&str>,
) -> Finding {
    let applied: Vec<&Point> = points.iter().filter(|point| point.counter == Counter::RaftApplied).collect();
    let Some(furthest) = applied.iter().max_by_key(|point| (point.value, point.time_ns)).map(|point| point.member)
    else {
        return Finding::not_checkable(Check::LittlesLaw, "there are no samples of the raft index");
    };
    if let Some(others) = others {
        return Finding::not_checkable(
            Check::LittlesLaw,
            format!("the rate of raft entries is not that of this run: {others}"),
        );
    }
    let (mut on, mut violations, mut details) = (Counted::default(), Violations::default(), Vec::new());
    for &(phase, from_ns, to_ns) in windows {
        let mut within = applied.iter().filter(|p| p.member == furthest && (from_ns..to_ns).contains(&p.time_ns));
        let (Some(first), Some(last)) = (within.next(), within.next_back()) else { continue };
        if last.time_ns - first.time_ns < STRETCH_NS_MIN {
            continue;
        }
        let Some(stretch) = under_way::stretch(history, first.time_ns, last.time_ns) else { continue };
        let length_s = (last.time_ns - first.time_ns) as f64 / 1e9;
        let rate_per_s = (last.value - first.value) as f64 / length_s;
        let Some(allowed) = allowed(&stretch, history.failed_logged, rate_per_s) else { continue };
        history
            .entries
            .iter()
            .filter(|entry| entry.is_logged() && (first.time_ns..last.time_ns).contains(&entry.start_ns))
            .for_each(|entry| on.add(entry.kind));
        let expected = rate_per_s * stretch.mean_s;
        let told = format!("{phase}: {:.2} under way, {expected:.2} by rate x time", stretch.under_way);
        if (stretch.under_way - expected).abs() > allowed {
            violations.add(|| format!("{told}, which differ by more than {allowed:.2}"));
        }
        details.push(told);
    }
    match details.is_empty() {
        false => Finding::new(Check::LittlesLaw, on, violations).with(details.join("; ")),
        true if history.entries.iter().any(Entry::is_logged) => Finding::not_applicable(
            Check::LittlesLaw,
            "no phase has samples for a second and enough writes whose outcome is known",
        ),
        true => Finding::not_applicable(Check::LittlesLaw, "there are no writes"),
    }
}

/// By how much the two sides may differ; `None` where they tell nothing.
fn allowed(stretch: &Stretch, failed: u64, rate_per_s: f64) -> Option<f64> {
    let slack = (stretch.unknown + stretch.at_edges + failed + OWN_ENTRIES) as f64 / stretch.begun as f64;
    if stretch.begun < WRITES_MIN || slack > SLACK_MAX {
        return None;
    }
    let larger = stretch.under_way.max(rate_per_s * stretch.mean_s);
    Some((TOLERANCE + slack) * larger + stretch.edges + ERRORS * stretch.under_way_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_dated_by_their_question_and_other_samples_passed_over() {
        let rows: [(i64, Option<i8>, &str, f64); 6] = [
            (9_000_000, Some(1), metric::RAFT_APPLIED_INDEX, 70.0),
            (9_000_000, Some(1), metric::STATUS_TIME_US, 2_000.0),
            (4_000_000, Some(1), "etcd_server_proposals_committed_total", 69.0),
            (9_000_000, Some(2), metric::REVISION, 12.0),
            (9_000_000, None, metric::RECORDER_CPU_S, 3.0),
            (9_000_000, Some(1), metric::DB_SIZE_BYTES, 3.0),
        ];
        let samples = df!(
            "time_ns" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "member" => Int8Chunked::from_iter_options("member".into(), rows.iter().map(|row| row.1)).into_series(),
            "metric" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
            "value" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        );
        let found = points(&samples.unwrap()).unwrap();
        let point = |member, counter, asked_ns, time_ns, value| Point { member, counter, asked_ns, time_ns, value };
        let expected = [
            point(1, Counter::ProposalsCommitted, 4_000_000 - PAGE_NS, 4_000_000, 69),
            point(1, Counter::RaftApplied, 7_000_000, 9_000_000, 70),
            // How long it took is not known.
            point(2, Counter::Revision, 9_000_000 - PAGE_NS, 9_000_000, 12),
        ];
        assert_eq!(found, expected);
    }
}
