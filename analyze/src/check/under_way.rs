//! Operations under way: how many at most, and how many on average.

use super::history::{Entry, History};
use super::{Check, Counted, Finding, Violations};

/// Never more than the workload's concurrency, which is the number of workers of a closed loop and the cap of an open one.
pub(super) fn at_most(history: &History, concurrency: u32) -> Finding {
    if concurrency == 0 {
        return Finding::not_checkable(Check::Concurrency, "the workload's concurrency is not known");
    }
    let (mut on, mut violations) = (Counted::default(), Violations::default());
    history.entries.iter().for_each(|entry| on.add(entry.kind));
    // One that begins and ends at one moment is taken out before it comes in.
    let (mut under_way, mut next) = (0_i64, 0);
    for &at in history.by_start() {
        let start_ns = history.at(at).start_ns;
        while history.by_end().get(next).is_some_and(|&ended| history.at(ended).end_ns <= start_ns) {
            next += 1;
            under_way -= 1;
        }
        under_way += 1;
        if under_way > i64::from(concurrency) {
            violations.add(|| format!("{under_way} under way when {} began, of {concurrency} at most", history.at(at)));
        }
    }
    Finding::new(Check::Concurrency, on, violations)
}

/// Writes in a stretch of time, as Little's law has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// Writes that began in it.
    pub(super) begun: u64,
    /// Those of them whose outcome is unknown.
    pub(super) unknown: u64,
    /// Mean service time of those that began in it.
    pub(super) mean_s: f64,
    /// Mean number under way, by counting them at instants.
    pub(super) under_way: f64,
    /// Standard error of that count.
    pub(super) under_way_error: f64,
    /// Time that operations which lie across an edge spent outside of what the law counts, per time of the stretch.
    pub(super) edges: f64,
    /// Writes under way at the first edge and at the last.
    pub(super) at_edges: u64,
}

/// Instants at which those under way are counted, one at random in each of so many equal parts of a stretch.
const INSTANTS: usize = 2048;

/// Measures writes in `[from_ns, to_ns)`; `None` when none began.
pub(super) fn stretch(history: &History, from_ns: i64, to_ns: i64) -> Option<Stretch> {
    let length_ns = (to_ns - from_ns) as f64;
    let instants = instants(from_ns, to_ns);
    let mut changes = vec![0_i64; INSTANTS + 1];
    let (mut begun, mut unknown, mut at_edges) = (0_u64, 0, 0);
    let (mut service_ns, mut edges_ns) = (0.0, 0.0);
    for entry in history.entries.iter().filter(|entry| entry.is_logged()) {
        let Entry { start_ns, end_ns, is_ok, .. } = *entry;
        if start_ns >= to_ns || end_ns <= from_ns {
            continue;
        }
        changes[instants.partition_point(|&instant| instant < start_ns)] += 1;
        changes[instants.partition_point(|&instant| instant < end_ns)] -= 1;
        if start_ns < from_ns {
            at_edges += 1;
            edges_ns += (end_ns.min(to_ns) - from_ns) as f64;
        } else {
            begun += 1;
            unknown += u64::from(!is_ok);
            service_ns += (end_ns - start_ns) as f64;
        }
        if end_ns > to_ns {
            at_edges += 1;
            edges_ns += (end_ns - to_ns) as f64;
        }
    }
    if begun == 0 {
        return None;
    }
    let counts: Vec<f64> = changes[..INSTANTS]
        .iter()
        .scan(0, |now, change| {
            *now += change;
            Some(*now as f64)
        })
        .collect();
    let mean = counts.iter().sum::<f64>() / INSTANTS as f64;
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / INSTANTS as f64;
    Some(Stretch {
        begun,
        unknown,
        mean_s: service_ns / begun as f64 / 1e9,
        under_way: mean,
        under_way_error: (variance / INSTANTS as f64).sqrt(),
        edges: edges_ns / length_ns,
        at_edges,
    })
}

/// The same for the same stretch, and independent of when operations begin and end.
fn instants(from_ns: i64, to_ns: i64) -> Vec<i64> {
    let part_ns = (to_ns - from_ns) as f64 / INSTANTS as f64;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..INSTANTS)
        .map(|part| {
            // xorshift64 (G. Marsaglia, 2003): no more is needed than not to be in step with anything.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let within = (state >> 11) as f64 / (1_u64 << 53) as f64;
            from_ns + ((part as f64 + within) * part_ns) as i64
        })
        .collect()
}
