//! Evidence: what the probes and the mechanism's counters say of a fault ([`links`]), and the judgement on it ([`verdict`]).
//!
//! A delay is shown by TCP connect times across the faulted link, before, during and after, beside an untouched link;
//! a loss by the mechanism's own counters, since connect attempts are far too few to measure a probability.

mod links;
mod verdict;

use run_folder::FaultEvent;
use run_folder::spec::{Direction, Effect};

pub use self::links::Window;
use self::links::{Links, end_ns, median};
use super::probe::Probe;
use super::protocol::Counters;

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
        verdict::null(event, &links, counters)
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
                verdict::delay(event, delay_us, jitter_us, crossings, &links, counters)
            }
            Effect::Loss { loss_percent } => verdict::loss(event, loss_percent, counters),
            Effect::Rate { bit_per_s } => verdict::rate(event, bit_per_s, window, &links, counters),
            Effect::Pass => verdict::pass(event, &links, counters),
            Effect::Null => verdict::null(event, &links, counters),
        }
    };
    event.confirmed = Some(verdict.is_ok());
    event.evidence = verdict.unwrap_or_else(|problem| problem);
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

    fn through_netem(packets: u64) -> Counters {
        Counters { overflowed: Some(0), bytes_passed: Some(100 * packets), backlog_max: Some(3), ..dropped(packets, 0) }
    }

    #[test]
    fn what_netem_does_is_shown_by_probes_and_by_the_kernels_counters() {
        let check = |effect, probe_us, counters| judged(effect, &probes(probe_us), counters).confirmed;
        assert_eq!(check(DELAY, 10_400.0, through_netem(1000)), Some(true));
        assert_eq!(check(DELAY, 320.0, through_netem(1000)), Some(false), "the probes show nothing");
        let small = Effect::delay(100);
        assert_eq!(check(small, 400.0, through_netem(1000)), Some(false), "nothing shows so small a delay");
        assert_eq!(check(DELAY, 10_400.0, through_netem(0)), Some(false), "no packet came");
        let full = Counters { overflowed: Some(7), ..through_netem(1000) };
        let event = judged(DELAY, &probes(10_400.0), full);
        assert_eq!((event.confirmed, event.packets_overflowed), (Some(false), Some(7)));
        assert!(event.evidence.contains("queue was full"), "{}", event.evidence);
        assert_eq!(check(LOSS, 300.0, Counters { dropped: 205, ..through_netem(1000) }), Some(true));
        assert_eq!(check(LOSS, 300.0, Counters { dropped: 20, ..through_netem(1000) }), Some(false));
        assert_eq!(check(Effect::Pass, 300.0, through_netem(1000)), Some(true));
        assert_eq!(check(Effect::Null, 300.0, Counters { received: 0, ..through_netem(1000) }), Some(true));
    }

    #[test]
    fn a_rate_must_be_kept_and_felt() {
        let rate = Effect::Rate { bit_per_s: 1_000_000 };
        let check = |kbit_per_s: u64, backlog_max| {
            let counters =
                Counters { bit_per_s: Some(kbit_per_s * 1000), backlog_max: Some(backlog_max), ..through_netem(1000) };
            judged(rate, &probes(300.0), counters).confirmed
        };
        assert_eq!(check(950, 40), Some(true));
        assert_eq!(check(950, 0), Some(true), "near the limit, though nothing was seen waiting");
        assert_eq!(check(300, 0), Some(false), "the limit was never felt");
        assert_eq!(check(300, 12), Some(true), "bursts felt it");
        assert_eq!(check(1_300, 0), Some(false), "faster than the limit");
        assert_eq!(check(1_300, 12), Some(false), "faster than the limit, though some waited");
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
}
