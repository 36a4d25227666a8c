//! The judgement on a fault, for each effect: the evidence in a sentence, as `Ok` when it shows what was asked.
//!
//! Losses are judged by a Wilson interval (E. B. Wilson, JASA 22, 1927).

use run_folder::FaultEvent;

use super::links::{Links, PROBES_MIN, Window};
use crate::faults::protocol::Counters;

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
/// With fewer drops to be expected, the counters cannot tell the loss that was asked for from none.
const DROPS_EXPECTED_MIN: f64 = 5.0;
/// A rate limit lets no more than this share of it through, and has been felt when this much was used.
const RATE_SHARE_MAX: f64 = 1.05;
const RATE_FELT_SHARE: f64 = 0.8;

/// Hold times are judged first, where the mechanism tells them: they are many and exact. Where the delay stands out of the
/// noise, the probes must agree, which no mechanism can feign.
pub(super) fn delay(
    event: &mut FaultEvent,
    delay_us: u64,
    jitter_us: u64,
    crossings: f64,
    links: &Links,
    counters: &Counters,
) -> Result<String, String> {
    let (delay_us, jitter_us, ms) = (delay_us as f64, jitter_us as f64, |us: f64| us / 1000.0);
    let held = match event.hold_mean_us {
        Some(mean_us) => hold(mean_us, delay_us, jitter_us, counters.held)?,
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
        let text = format!("{held}; too short or too small for connect times to show it");
        // The kernel does not tell how long it held anything.
        return match is_netem(counters) {
            true => {
                Err(format!("{text}, and netem tells no hold times: make the window longer, or take --mechanism queue"))
            }
            false => Ok(text),
        };
    };
    let achieved_us = during_us - base_us;
    event.confirmed_ns = links.first_during(|connect_us| connect_us - base_us >= least_us);
    let text = format!(
        "connecting took {:.2} ms in the median, {:.2} ms without the fault: {:.2} ms achieved of {} ms asked; {held}",
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
fn hold(mean_us: f64, delay_us: f64, jitter_us: f64, held: u64) -> Result<String, String> {
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
pub(super) fn rate(
    event: &mut FaultEvent,
    bit_per_s: u64,
    window: &Window<'_>,
    links: &Links,
    counters: &Counters,
) -> Result<String, String> {
    let rate = bit_per_s as f64;
    let achieved = counters.bit_per_s.unwrap_or(0) as f64;
    let waiting = counters.backlog_max.unwrap_or(0);
    event.confirmed_ns = Some(window.applied_ns);
    let text = format!(
        "{} packets left at {:.3} Mbit/s on average of {:.3} Mbit/s asked, up to {waiting} waiting{}",
        counters.received,
        achieved / 1e6,
        rate / 1e6,
        connecting(event, links)
    );
    let is_kept = achieved <= rate * RATE_SHARE_MAX;
    let is_felt = achieved >= rate * RATE_FELT_SHARE || waiting > 1;
    match (is_kept, is_felt) {
        (true, true) => Ok(text),
        (true, false) => Err(format!("{text}; the traffic never came near the limit, so choose a lower one")),
        (false, _) => Err(text),
    }
}

/// Every packet must have gone through the mechanism, and none may have waited there.
pub(super) fn pass(event: &FaultEvent, links: &Links, counters: &Counters) -> Result<String, String> {
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
pub(super) fn null(event: &FaultEvent, links: &Links, counters: &Counters) -> Result<String, String> {
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

pub(super) fn loss(event: &mut FaultEvent, loss_percent: f64, counters: &Counters) -> Result<String, String> {
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

    #[test]
    fn wilson_agrees_with_published_values() {
        // 10 of 100 at 95 %: 0.0552 to 0.1744 (Agresti and Coull, 1998, and R's prop.test without correction).
        let (low, high) = wilson(10, 100, 1.959_964);
        assert!((low - 0.0552).abs() < 1e-4 && (high - 0.1744).abs() < 1e-4, "{low} {high}");
    }
}
