//! Evidence: what the probes and the mechanism's counters say of a fault, and the judgement on it.
//!
//! A delay is shown by TCP connect times across the faulted link, before, during and after, beside an untouched link;
//! a loss by the mechanism's own counters with a Wilson interval (E. B. Wilson, JASA 22, 1927), since connect
//! attempts are far too few to measure a probability.

use run_folder::FaultEvent;
use run_folder::spec::{Direction, Effect};

use super::probe::Probe;
use super::protocol::Counters;

/// Half width of the interval in standard deviations: 99.9 % for the reader, and one false alarm in a million runs
/// for the judgement.
const Z_SHOWN: f64 = 3.290_527;
const Z_JUDGED: f64 = 4.891_638;
/// A delay counts as shown when the connect time has risen by this share of what was asked.
const SHOWN_SHARE: f64 = 0.8;
/// Fewer probes than this in the window show nothing; then the shaper's own hold times must do.
const PROBES_MIN: usize = 3;
/// How long before the window probes count as "before".
const BEFORE_NS: i64 = 10_000_000_000;

/// Where and when to look.
#[derive(Debug)]
pub struct Window<'a> {
    /// The faulted member.
    pub member: usize,
    /// All faulted members.
    pub targets: &'a [usize],
    /// When the fault was in force.
    pub applied_ns: i64,
    /// When it was no longer.
    pub cleared_ns: i64,
}

/// Fills `event` with the evidence and the judgement.
pub fn judge(
    event: &mut FaultEvent,
    effect: Effect,
    direction: Direction,
    window: &Window<'_>,
    probes: &[Probe],
    counters: &Counters,
) {
    let links = Links::new(window, probes);
    event.probe_before_us = median(&links.before);
    event.probe_during_us = median(&links.during);
    event.probe_after_us = median(&links.after);
    event.probe_untouched_us = median(&links.untouched);
    event.probe_count = Some(links.during_count);
    event.probe_timeouts = Some(links.during_count - links.during.len() as i64);
    event.packets_matched = Some(counters.matched as i64);
    event.packets_received = Some(counters.received as i64);
    event.packets_dropped = Some(counters.dropped as i64);
    if counters.held > 0 {
        event.hold_mean_us = Some(counters.hold_sum_ns as f64 / counters.held as f64 / 1000.0);
        event.hold_max_us = Some(counters.hold_max_ns as f64 / 1000.0);
    }
    let verdict = if counters.matched != counters.received {
        Err(format!(
            "{} of {} packets passed the shaper by",
            counters.matched.abs_diff(counters.received),
            counters.matched
        ))
    } else if counters.received == 0 {
        Err("no packet crossed the faulted link".to_owned())
    } else {
        match effect {
            Effect::Delay { delay_us, jitter_us } => judge_delay(event, delay_us, jitter_us, direction, &links),
            Effect::Loss { loss_percent } => judge_loss(event, loss_percent, counters),
        }
    };
    event.confirmed = Some(verdict.is_ok());
    event.evidence = verdict.unwrap_or_else(|problem| problem);
}

fn judge_delay(
    event: &mut FaultEvent,
    delay_us: u64,
    jitter_us: u64,
    direction: Direction,
    links: &Links,
) -> Result<String, String> {
    let ways = if direction == Direction::Both { 2.0 } else { 1.0 };
    let asked_us = delay_us as f64 * ways;
    // A delayed SYN or SYN+ACK shows the delay once a way; the jitter moves the median by less than itself.
    let shown_us = SHOWN_SHARE * asked_us - jitter_us as f64;
    let base_us = event.probe_before_us.or(event.probe_untouched_us).unwrap_or(0.0);
    let ms = |us: f64| us / 1000.0;
    let hold = event
        .hold_mean_us
        .map_or_else(String::new, |mean_us| format!("; packets were held {:.2} ms on average", ms(mean_us)));
    event.confirmed_ns = links.first_during(|connect_us| connect_us - base_us >= shown_us);
    match event.probe_during_us {
        Some(during_us) if links.during.len() >= PROBES_MIN => {
            let text = format!(
                "connecting took {:.2} ms in the median, {:.2} ms without the fault: {:.2} ms achieved of {} ms asked{hold}",
                ms(during_us),
                ms(base_us),
                ms(during_us - base_us),
                ms(asked_us)
            );
            if during_us - base_us >= shown_us { Ok(text) } else { Err(text) }
        }
        _ => match event.hold_mean_us {
            Some(mean_us) if mean_us >= SHOWN_SHARE * delay_us as f64 => {
                Ok(format!("too few connect attempts were answered to show a delay{hold}"))
            }
            _ => Err(format!("neither connect times nor hold times show a delay{hold}")),
        },
    }
}

fn judge_loss(event: &mut FaultEvent, loss_percent: f64, counters: &Counters) -> Result<String, String> {
    let (low, high) = wilson(counters.dropped, counters.received, Z_SHOWN);
    event.loss_low_percent = Some(low * 100.0);
    event.loss_high_percent = Some(high * 100.0);
    let text = format!(
        "{} of {} packets were dropped: {:.2} % [{:.2}, {:.2}] achieved of {loss_percent} % asked",
        counters.dropped,
        counters.received,
        counters.dropped as f64 / counters.received as f64 * 100.0,
        low * 100.0,
        high * 100.0
    );
    let (low, high) = wilson(counters.dropped, counters.received, Z_JUDGED);
    // The interval's ends may miss 0 and 1 by rounding.
    let asked = loss_percent / 100.0;
    if counters.dropped > 0 && (low - 1e-9..=high + 1e-9).contains(&asked) { Ok(text) } else { Err(text) }
}

/// When probes first showed that the fault was gone, if they have.
pub fn clear_confirmed_ns(event: &FaultEvent, window: &Window<'_>, probes: &[Probe]) -> Option<i64> {
    let limit_us = match event.delay_us {
        Some(delay_us) => event.probe_before_us.or(event.probe_untouched_us).unwrap_or(0.0) + delay_us / 2.0,
        // After a loss, an attempt that needs no retransmission.
        None => 900_000.0,
    };
    // A quarter of a millisecond of delay drowns in noise; no limit is stricter than that.
    let limit_us = limit_us.max(250.0);
    probes
        .iter()
        .filter(|probe| probe.member == window.member && probe.start_ns >= window.cleared_ns)
        .find_map(|probe| probe.connect_us.filter(|connect_us| *connect_us < limit_us).map(|us| end_ns(probe, us)))
}

/// Connect times in microseconds of the faulted link in the three phases, and of an untouched link during the fault.
struct Links {
    before: Vec<f64>,
    during: Vec<f64>,
    during_count: i64,
    during_ends: Vec<(f64, i64)>,
    after: Vec<f64>,
    untouched: Vec<f64>,
}

impl Links {
    fn new(window: &Window<'_>, probes: &[Probe]) -> Self {
        let mut links = Self {
            before: vec![],
            during: vec![],
            during_count: 0,
            during_ends: vec![],
            after: vec![],
            untouched: vec![],
        };
        for probe in probes {
            let ended_by = |edge_ns| probe.connect_us.is_some_and(|us| end_ns(probe, us) <= edge_ns);
            let in_window = probe.start_ns >= window.applied_ns && probe.start_ns < window.cleared_ns;
            if probe.member == window.member {
                if probe.start_ns >= window.applied_ns - BEFORE_NS && ended_by(window.applied_ns) {
                    links.before.extend(probe.connect_us);
                } else if in_window && (ended_by(window.cleared_ns) || probe.connect_us.is_none()) {
                    // One that the healing cut short shows neither state.
                    links.during_count += 1;
                    links.during.extend(probe.connect_us);
                    links.during_ends.extend(probe.connect_us.map(|us| (us, end_ns(probe, us))));
                } else if probe.start_ns >= window.cleared_ns {
                    links.after.extend(probe.connect_us);
                }
            } else if in_window
                && !window.targets.contains(&probe.member)
                && probe.from.is_none_or(|from| !window.targets.contains(&from))
            {
                links.untouched.extend(probe.connect_us);
            }
        }
        links
    }

    fn first_during(&self, shows: impl Fn(f64) -> bool) -> Option<i64> {
        self.during_ends.iter().filter(|(us, _)| shows(*us)).map(|(_, end_ns)| *end_ns).min()
    }
}

fn end_ns(probe: &Probe, connect_us: f64) -> i64 {
    probe.start_ns + (connect_us * 1000.0) as i64
}

/// Nearest-rank median.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().div_ceil(2).checked_sub(1)?).copied()
}

/// Wilson's score interval of a probability.
fn wilson(successes: u64, trials: u64, z: f64) -> (f64, f64) {
    let (n, p) = (trials as f64, successes as f64 / trials as f64);
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window<'_> =
        Window { member: 1, targets: &[1], applied_ns: 5_000_000_000, cleared_ns: 10_000_000_000 };

    fn probes(during_us: f64) -> Vec<Probe> {
        let probe = |member, from, start_ms: i64, us: f64| Probe {
            member,
            from: Some(from),
            start_ns: start_ms * 1_000_000,
            connect_us: Some(us),
        };
        (0..150)
            .map(|tick| tick * 100)
            .flat_map(|ms| {
                let us = if (5_000..10_000).contains(&ms) { during_us } else { 300.0 };
                [probe(1, 2, ms, us), probe(2, 0, ms, 310.0)]
            })
            .collect()
    }

    fn judged(effect: Effect, probes: &[Probe], counters: Counters) -> FaultEvent {
        let mut event = FaultEvent::default();
        judge(&mut event, effect, Direction::Egress, &WINDOW, probes, &counters);
        event
    }

    const DELAY: Effect = Effect::Delay { delay_us: 10_000, jitter_us: 0 };
    const LOSS: Effect = Effect::Loss { loss_percent: 20.0 };

    fn counters(received: u64, dropped: u64) -> Counters {
        Counters { matched: received, received, dropped, ..Counters::default() }
    }

    #[test]
    fn a_delay_that_the_probes_show_is_confirmed() {
        let event = judged(DELAY, &probes(10_400.0), counters(1000, 0));
        assert_eq!(event.confirmed, Some(true), "{}", event.evidence);
        assert_eq!(event.probe_before_us, Some(300.0));
        assert_eq!(event.probe_during_us, Some(10_400.0));
        assert_eq!(event.probe_untouched_us, Some(310.0));
        assert_eq!(event.probe_count, Some(49), "the probe that the healing cut short must not count");
        assert_eq!(event.confirmed_ns, Some(5_010_400_000));
        assert_eq!(clear_confirmed_ns(&event, &WINDOW, &probes(10_400.0)), Some(10_000_300_000));
    }

    #[test]
    fn a_delay_that_nothing_shows_is_not() {
        assert_eq!(judged(DELAY, &probes(320.0), counters(1000, 0)).confirmed, Some(false));
        assert_eq!(judged(DELAY, &probes(10_400.0), counters(0, 0)).confirmed, Some(false));
        let bypassed = Counters { matched: 1001, ..counters(1000, 0) };
        assert_eq!(judged(DELAY, &probes(10_400.0), bypassed).evidence, "1 of 1001 packets passed the shaper by");
    }

    #[test]
    fn a_loss_must_agree_with_its_counters() {
        let event = judged(LOSS, &probes(300.0), counters(10_000, 2_050));
        assert_eq!(event.confirmed, Some(true), "{}", event.evidence);
        assert!(event.loss_low_percent.unwrap() < 20.0 && event.loss_high_percent.unwrap() > 20.5);
        assert_eq!(judged(LOSS, &probes(300.0), counters(10_000, 1_500)).confirmed, Some(false));
        assert_eq!(judged(LOSS, &probes(300.0), counters(10_000, 0)).confirmed, Some(false));
        let all = Effect::Loss { loss_percent: 100.0 };
        assert_eq!(judged(all, &probes(300.0), counters(50, 50)).confirmed, Some(true));
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // 10 of 100 at 95 %: 0.0552 to 0.1744 (Agresti and Coull, 1998, and R's prop.test without correction).
        let (low, high) = wilson(10, 100, 1.959_964);
        assert!((low - 0.0552).abs() < 1e-4 && (high - 0.1744).abs() < 1e-4, "{low} {high}");
    }
}
