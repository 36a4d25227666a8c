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
/// Mean hold times below this share of the delay asked for, or above [`HELD_SHARE_MAX`] of it plus [`SLACK_US`], are
/// not what was asked.
const HELD_SHARE_MIN: f64 = 0.95;
const HELD_SHARE_MAX: f64 = 1.2;
/// No connect is faster than the delay that it pays, and most of what it takes must be due to the fault: on a busy machine
/// what connecting takes by itself varies, so the difference is judged more mildly than the whole.
const WHOLE_SHARE_MIN: f64 = 0.95;
const SHOWN_SHARE_MIN: f64 = 0.5;
/// The same for what the probes show at most; connecting itself may take longer during the fault.
const SHOWN_SHARE_MAX: f64 = 1.5;
/// What a busy machine may add to a packet's hold time, and four times that to a connect time.
const SLACK_US: f64 = 5_000.0;
/// Connect times vary by this much without any fault, so smaller delays are judged by hold times alone.
const NOISE_US: f64 = 1_000.0;
/// Fewer probes than this in the window show nothing.
const PROBES_MIN: usize = 5;
/// With fewer drops to be expected, the counters cannot tell the loss that was asked for from none.
const DROPS_EXPECTED_MIN: f64 = 5.0;
/// A rate limit lets no more than this share of it through, and has been felt when this much was used.
const RATE_SHARE_MAX: f64 = 1.05;
const RATE_FELT_SHARE: f64 = 0.8;
/// How long before the window probes count as "before".
const BEFORE_NS: i64 = 10_000_000_000;

/// Where and when to look.
#[derive(Debug)]
pub struct Window<'a> {
    /// The faulted member.
    pub member: usize,
    /// All faulted members.
    pub targets: &'a [usize],
    /// The only other member whose traffic with the faulted one is hit, if it is only one.
    pub peer: Option<usize>,
    /// When the fault was in force.
    pub applied_ns: i64,
    /// When it was no longer.
    pub cleared_ns: i64,
}

impl Window<'_> {
    /// Whether a probe goes across the faulted link: into the faulted member, or, where only one link is faulted, across
    /// that one in either direction.
    fn is_crossed_by(&self, probe: &Probe) -> bool {
        match self.peer {
            None => probe.member == self.member,
            Some(peer) => [(self.member, Some(peer)), (peer, Some(self.member))].contains(&(probe.member, probe.from)),
        }
    }

    /// Whether no fault touches a probe's link.
    fn leaves_alone(&self, probe: &Probe) -> bool {
        let is_target = |member: &usize| self.targets.contains(member);
        if self.peer.is_some() {
            return !self.is_crossed_by(probe);
        }
        !is_target(&probe.member) && probe.from.is_none_or(|from| !is_target(&from))
    }
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
    event.packets_overflowed = counters.overflowed.map(|packets| packets as i64);
    event.bytes_passed = counters.bytes_passed.map(|bytes| bytes as i64);
    event.backlog_max = counters.backlog_max.map(|packets| packets as i64);
    if counters.held > 0 {
        event.hold_mean_us = Some(counters.hold_sum_ns as f64 / counters.held as f64 / 1000.0);
        event.hold_max_us = Some(counters.hold_max_ns as f64 / 1000.0);
    }
    let verdict = if effect == Effect::Null {
        judge_null(event, &links, counters)
    } else if let Some(overflowed) = counters.overflowed.filter(|packets| *packets > 0) {
        Err(format!("{overflowed} packets were dropped because netem's queue was full"))
    } else if counters.received < counters.matched {
        // More may arrive than match: what the other end of a link sends in one piece is cut into packets for the queue.
        Err(format!(
            "{} of {} packets passed the shaper by",
            counters.matched.abs_diff(counters.received),
            counters.matched
        ))
    } else if counters.received == 0 {
        Err("no packet crossed the faulted link".to_owned())
    } else {
        match effect {
            Effect::Delay { delay_us, jitter_us, .. } => {
                let crossings = links.crossings(window, direction);
                judge_delay(event, delay_us, jitter_us, crossings, &links, counters)
            }
            Effect::Loss { loss_percent } => judge_loss(event, loss_percent, counters),
            Effect::Rate { bit_per_s } => judge_rate(event, bit_per_s, window, &links, counters),
            Effect::Pass => judge_pass(event, &links, counters),
            Effect::Null => judge_null(event, &links, counters),
        }
    };
    event.confirmed = Some(verdict.is_ok());
    event.evidence = verdict.unwrap_or_else(|problem| problem);
}

/// Hold times are judged first, where the mechanism tells them: they are many and exact. Where the delay stands out of the
/// noise, the probes must agree, which no mechanism can feign.
fn judge_delay(
    event: &mut FaultEvent,
    delay_us: u64,
    jitter_us: u64,
    crossings: f64,
    links: &Links,
    counters: &Counters,
) -> Result<String, String> {
    let (delay_us, jitter_us, ms) = (delay_us as f64, jitter_us as f64, |us: f64| us / 1000.0);
    let hold = match event.hold_mean_us {
        Some(mean_us) => judge_hold(mean_us, delay_us, jitter_us, counters.held)?,
        None if is_netem(counters) => format!("{} packets went through netem", counters.received),
        None => {
            return Err(
                "every packet was let go by the healing before its time; make the window longer than the delay".into(),
            );
        }
    };
    let asked_us = delay_us * crossings;
    let base_us = links.base_us().unwrap_or(0.0);
    let stray_us = 2.0 * jitter_us * crossings / (links.during.len().max(1) as f64).sqrt();
    let least_us = (SHOWN_SHARE_MIN * asked_us - stray_us).max(NOISE_US / 2.0);
    let Some(during_us) = event.probe_during_us.filter(|_| asked_us >= NOISE_US && links.during.len() >= PROBES_MIN)
    else {
        return Ok(format!("{hold}; too short or too small for connect times to show it"));
    };
    let achieved_us = during_us - base_us;
    event.confirmed_ns = links.first_during(|connect_us| connect_us - base_us >= least_us);
    let text = format!(
        "connecting took {:.2} ms in the median, {:.2} ms without the fault: {:.2} ms achieved of {} ms asked; {hold}",
        ms(during_us),
        ms(base_us),
        ms(achieved_us),
        ms(asked_us)
    );
    let whole_us = WHOLE_SHARE_MIN * asked_us - stray_us;
    let most_us = SHOWN_SHARE_MAX * asked_us + 4.0 * SLACK_US + stray_us;
    let shown = during_us >= whole_us && (least_us..=most_us).contains(&achieved_us);
    if shown { Ok(text) } else { Err(text) }
}

/// Whether the counters are the kernel's own.
fn is_netem(counters: &Counters) -> bool {
    counters.bytes_passed.is_some()
}

/// The mean hold time must be what was asked, but for what jitter and a busy machine add.
fn judge_hold(mean_us: f64, delay_us: f64, jitter_us: f64, held: u64) -> Result<String, String> {
    let ms = |us: f64| us / 1000.0;
    let hold = format!("{held} packets were held {:.2} ms on average of {} ms asked", ms(mean_us), ms(delay_us));
    // The mean strays by at most a few standard errors; no distribution's deviation is larger than its jitter. Those with long
    // tails are cut off, which moves the mean a little.
    let stray_us = 4.0 * jitter_us / (held as f64).sqrt() + 0.06 * jitter_us;
    let is_as_asked =
        (HELD_SHARE_MIN * delay_us - stray_us..=HELD_SHARE_MAX * delay_us + SLACK_US + stray_us).contains(&mean_us);
    if is_as_asked { Ok(hold) } else { Err(hold) }
}

/// What left must not have been faster than the rate, and the limit must have been felt: packets that waited for each other
/// in the queue, or the traffic at most of the rate.
fn judge_rate(
    event: &mut FaultEvent,
    bit_per_s: u64,
    window: &Window<'_>,
    links: &Links,
    counters: &Counters,
) -> Result<String, String> {
    let rate = bit_per_s as f64;
    let window_s = (window.cleared_ns - window.applied_ns).max(1) as f64 / 1e9;
    let achieved = counters.bytes_passed.unwrap_or(0) as f64 * 8.0 / window_s;
    let waiting = counters.backlog_max.unwrap_or(0);
    event.confirmed_ns = Some(window.applied_ns);
    let text = format!(
        "{} packets left at {:.3} Mbit/s on average of {:.3} Mbit/s asked, up to {waiting} waiting{}",
        counters.received,
        achieved / 1e6,
        rate / 1e6,
        connecting(event, links)
    );
    // What waited when the window ended left after it.
    let is_kept = achieved <= rate * RATE_SHARE_MAX || waiting > 0;
    let is_felt = achieved >= rate * RATE_FELT_SHARE || waiting > 1;
    match (is_kept, is_felt) {
        (true, true) => Ok(text),
        (true, false) => Err(format!("{text}; the traffic never came near the limit, so choose a lower one")),
        (false, _) => Err(text),
    }
}

/// Every packet must have gone through the mechanism, and none may have waited there.
fn judge_pass(event: &FaultEvent, links: &Links, counters: &Counters) -> Result<String, String> {
    if is_netem(counters) {
        return Ok(format!("{} packets went through netem{}", counters.received, connecting(event, links)));
    }
    let held = counters.held;
    let Some(mean_us) = event.hold_mean_us else {
        return Err("no packet went through the shaper".to_owned());
    };
    let text =
        format!("{held} packets stayed in the shaper for {mean_us:.1} us on average{}", connecting(event, links));
    if mean_us <= NOISE_US { Ok(text) } else { Err(text) }
}

/// The rules must have matched packets, and the shaper must have had none of them.
fn judge_null(event: &FaultEvent, links: &Links, counters: &Counters) -> Result<String, String> {
    match (counters.matched, counters.received) {
        (0, _) => Err("no packet crossed the link".to_owned()),
        (matched, 0) => Ok(format!("{matched} packets were counted and left alone{}", connecting(event, links))),
        (matched, received) => Err(format!("{received} of {matched} packets were handed to the mechanism")),
    }
}

/// What connecting took under a fault that slows nothing.
fn connecting(event: &FaultEvent, links: &Links) -> String {
    let ms = |us: f64| us / 1000.0;
    match (event.probe_during_us, links.base_us()) {
        (Some(during_us), Some(base_us)) => {
            format!("; connecting took {:.2} ms, {:.2} ms without it", ms(during_us), ms(base_us))
        }
        _ => String::new(),
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
    let asked = loss_percent / 100.0;
    if counters.received as f64 * asked < DROPS_EXPECTED_MIN {
        return Err(format!("{text}; too few packets to show it, so make the window longer"));
    }
    let (low, high) = wilson(counters.dropped, counters.received, Z_JUDGED);
    // The interval's ends may miss 0 and 1 by rounding.
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
        .filter(|probe| window.is_crossed_by(probe) && probe.start_ns >= window.cleared_ns)
        .find_map(|probe| probe.connect_us.filter(|connect_us| *connect_us < limit_us).map(|us| end_ns(probe, us)))
}

/// Connect times in microseconds of the faulted link in the three phases, and of an untouched link during the fault.
struct Links {
    /// Where the faulted link was probed from.
    from: Option<usize>,
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
            from: probes.iter().find(|probe| window.is_crossed_by(probe)).and_then(|probe| probe.from),
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
            if window.is_crossed_by(probe) {
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
            } else if in_window && window.leaves_alone(probe) {
                links.untouched.extend(probe.connect_us);
            }
        }
        links
    }

    /// How often a connect attempt pays: once for each direction at each faulted end.
    fn crossings(&self, window: &Window<'_>, direction: Direction) -> f64 {
        let ways = if direction == Direction::Both { 2.0 } else { 1.0 };
        let both_ends = window.peer.is_none() && self.from.is_some_and(|from| window.targets.contains(&from));
        let ends = if both_ends { 2.0 } else { 1.0 };
        ways * ends
    }

    /// What connecting takes without the fault: across an untouched link meanwhile, under the same load, or across the
    /// same link before.
    fn base_us(&self) -> Option<f64> {
        let enough = |times: &&Vec<f64>| times.len() >= PROBES_MIN;
        let base = Some(&self.untouched).filter(enough).or(Some(&self.before).filter(enough));
        base.or(Some(&self.before)).and_then(|times| median(times)).or_else(|| median(&self.untouched))
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
    use run_folder::spec::Distribution;

    use super::*;

    const WINDOW: Window<'_> =
        Window { member: 1, targets: &[1], peer: None, applied_ns: 5_000_000_000, cleared_ns: 10_000_000_000 };

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

    const DELAY: Effect = Effect::Delay { delay_us: 10_000, jitter_us: 0, distribution: Distribution::Uniform };
    const LOSS: Effect = Effect::Loss { loss_percent: 20.0 };

    fn dropped(received: u64, dropped: u64) -> Counters {
        Counters { matched: received, received, dropped, ..Counters::default() }
    }

    fn held(mean_us: u64) -> Counters {
        Counters { held: 1000, hold_sum_ns: 1000 * mean_us * 1000, hold_max_ns: mean_us * 2000, ..dropped(1000, 0) }
    }

    #[test]
    fn a_delay_that_probes_and_shaper_show_is_confirmed() {
        let mut all = probes(10_400.0);
        all.push(Probe { member: 1, from: Some(2), start_ns: 9_995_000_000, connect_us: Some(7_000.0) });
        let event = judged(DELAY, &all, held(10_100));
        assert_eq!(event.confirmed, Some(true), "{}", event.evidence);
        assert_eq!(event.probe_before_us, Some(300.0));
        assert_eq!(event.probe_during_us, Some(10_400.0));
        assert_eq!(event.probe_untouched_us, Some(310.0));
        assert_eq!(event.probe_count, Some(50), "the probe that the healing cut short must not count");
        assert_eq!(event.confirmed_ns, Some(5_010_400_000));
        assert_eq!(clear_confirmed_ns(&event, &WINDOW, &probes(10_400.0)), Some(10_000_300_000));
    }

    #[test]
    fn a_delay_that_is_not_what_was_asked_is_not() {
        let check = |probe_us, counters| judged(DELAY, &probes(probe_us), counters).confirmed;
        assert_eq!(check(320.0, held(10_100)), Some(false), "the probes show nothing");
        assert_eq!(check(10_400.0, held(100)), Some(false), "the shaper held nothing");
        assert_eq!(check(359_000.0, held(10_100)), Some(false), "the probes show far too much");
        assert_eq!(check(8_000.0, held(10_100)), Some(false), "a connect was faster than the delay");
        assert_eq!(check(10_400.0, held(40_000)), Some(false), "the shaper stalled");
        assert_eq!(check(10_400.0, dropped(0, 0)), Some(false), "no packet came");
        assert_eq!(check(10_400.0, dropped(10, 0)), Some(false), "every packet was let go early");
        let bypassed = Counters { matched: 1001, ..held(10_100) };
        assert_eq!(judged(DELAY, &probes(10_400.0), bypassed).evidence, "1 of 1001 packets passed the shaper by");
    }

    #[test]
    fn jitter_and_small_delays_are_judged_by_what_can_be_told() {
        let wide = Effect::Delay { delay_us: 10_000, jitter_us: 10_000, distribution: Distribution::Uniform };
        assert_eq!(judged(wide, &probes(320.0), held(10_050)).confirmed, Some(false), "jitter hides no missing delay");
        assert_eq!(judged(wide, &probes(9_000.0), held(10_050)).confirmed, Some(true));
        let small = Effect::delay(100);
        let event = judged(small, &probes(380.0), held(190));
        assert_eq!((event.confirmed, event.confirmed_ns), (Some(true), None), "{}", event.evidence);
        assert_eq!(judged(small, &probes(380.0), held(20)).confirmed, Some(false));
    }

    #[test]
    fn a_fault_on_one_link_is_shown_by_the_probes_that_cross_it() {
        let mut all = probes(10_400.0);
        // Member 0 is probed from member 2, member 1 from member 0: the fault is on the link between 1 and 0 alone.
        all.iter_mut()
            .for_each(|probe| (probe.member, probe.from) = if probe.member == 1 { (0, Some(1)) } else { (1, Some(2)) });
        let judge_link = |peer| {
            let mut event = FaultEvent::default();
            judge(&mut event, DELAY, Direction::Egress, &Window { peer, ..WINDOW }, &all, &held(10_100));
            event
        };
        let event = judge_link(Some(0));
        assert_eq!((event.confirmed, event.probe_untouched_us), (Some(true), Some(310.0)), "{}", event.evidence);
        assert_eq!(judge_link(Some(2)).confirmed, Some(false), "the other link was not slow");
    }

    #[test]
    fn a_null_fault_counts_packets_and_touches_none() {
        let counted = Counters { matched: 1000, ..Counters::default() };
        let event = judged(Effect::Null, &probes(320.0), counted);
        assert_eq!(event.confirmed, Some(true), "{}", event.evidence);
        assert_eq!(judged(Effect::Null, &probes(320.0), Counters::default()).confirmed, Some(false), "no packet came");
        assert_eq!(judged(Effect::Null, &probes(320.0), held(40)).confirmed, Some(false), "packets were handed over");
    }

    #[test]
    fn a_pass_through_handles_every_packet_and_slows_none() {
        let event = judged(Effect::Pass, &probes(320.0), held(40));
        assert_eq!(event.confirmed, Some(true), "{}", event.evidence);
        assert_eq!(judged(Effect::Pass, &probes(320.0), held(4_000)).confirmed, Some(false), "packets waited");
        assert_eq!(judged(Effect::Pass, &probes(320.0), dropped(0, 0)).confirmed, Some(false), "no packet came");
        let bypassed = Counters { matched: 1001, ..held(40) };
        assert_eq!(judged(Effect::Pass, &probes(320.0), bypassed).confirmed, Some(false));
    }

    #[test]
    fn a_connect_pays_at_every_faulted_end_and_way() {
        let check = |targets, direction, probe_us| {
            let mut event = FaultEvent::default();
            let window = Window { targets, ..WINDOW };
            judge(&mut event, DELAY, direction, &window, &probes(probe_us), &held(10_100));
            event.confirmed
        };
        assert_eq!(check(&[0, 1, 2], Direction::Egress, 20_400.0), Some(true));
        assert_eq!(check(&[0, 1, 2], Direction::Egress, 10_400.0), Some(false));
        assert_eq!(check(&[1], Direction::Both, 20_400.0), Some(true));
        assert_eq!(check(&[0, 1, 2], Direction::Both, 40_400.0), Some(true));
    }

    #[test]
    fn a_loss_must_agree_with_its_counters() {
        let check = |loss_percent, received, lost| {
            judged(Effect::Loss { loss_percent }, &probes(300.0), dropped(received, lost)).confirmed
        };
        let event = judged(LOSS, &probes(300.0), dropped(10_000, 2_050));
        assert!(event.loss_low_percent.unwrap() < 20.0 && event.loss_high_percent.unwrap() > 20.5);
        assert_eq!(event.confirmed, Some(true), "{}", event.evidence);
        assert_eq!(check(20.0, 10_000, 1_500), Some(false));
        assert_eq!(check(20.0, 10_000, 0), Some(false));
        assert_eq!(check(100.0, 50, 50), Some(true));
        assert_eq!(check(1.0, 61, 0), Some(false), "61 packets cannot show a loss of 1 %");
        assert_eq!(check(1.0, 600, 2), Some(true));
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // 10 of 100 at 95 %: 0.0552 to 0.1744 (Agresti and Coull, 1998, and R's prop.test without correction).
        let (low, high) = wilson(10, 100, 1.959_964);
        assert!((low - 0.0552).abs() < 1e-4 && (high - 0.1744).abs() < 1e-4, "{low} {high}");
    }
}
