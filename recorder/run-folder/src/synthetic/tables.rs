//! Faults and samples of a made-up run.

use super::Planned;
use super::manifest::{LEADER, NEXT_LEADER};
use super::random::Random;
use super::stream::MEMBERS;
use crate::sample::metric;
use crate::spec::Effect;
use crate::{FaultEvent, Result, Sample};

const NS_PER_MS: i64 = 1_000_000;

/// One confirmed fault, or none for a baseline.
pub(super) fn fault_event(run: &Planned, last_end_ns: i64) -> Option<FaultEvent> {
    let fault = run.shape.fault?;
    let is_unused = run.is_unused_link;
    let asked_ns = fault.at_ms as i64 * NS_PER_MS;
    let asked_clear_ns = fault.for_ms.map_or(last_end_ns, |for_ms| asked_ns + for_ms as i64 * NS_PER_MS);
    let (delay_us, jitter_us, loss_percent) = match fault.effect {
        Effect::Delay { delay_us, jitter_us, .. } => (Some(delay_us as f64), Some(jitter_us as f64), None),
        Effect::Loss { loss_percent } => (None, None, Some(loss_percent)),
        Effect::Rate { .. } | Effect::Pass | Effect::Null => (None, None, None),
    };
    let packets = 6 * run.operations() as i64;
    let dropped = loss_percent.map(|percent| (packets as f64 * percent / 100.0) as i64);
    Some(FaultEvent {
        fault_id: 0,
        kind: fault.effect.kind().to_owned(),
        delay_us,
        jitter_us,
        loss_percent,
        target_asked: if is_unused { "follower" } else { "leader" }.to_owned(),
        target: if is_unused { NEXT_LEADER } else { LEADER } as i8,
        role: if is_unused { "follower" } else { "leader" }.to_owned(),
        scope: if is_unused { "peers" } else { "all" }.to_owned(),
        peer: is_unused.then_some(0),
        direction: "egress".to_owned(),
        mechanism: "queue".to_owned(),
        commands: "-A FORWARD -s 10.0.1.2 -j NFQUEUE --queue-num 1 --queue-bypass".to_owned(),
        asked_ns,
        asked_clear_ns: Some(asked_clear_ns),
        applied_ns: Some(asked_ns + NS_PER_MS),
        confirmed_ns: Some(asked_ns + 150 * NS_PER_MS),
        cleared_ns: Some(asked_clear_ns + NS_PER_MS),
        clear_confirmed_ns: Some(asked_clear_ns + 150 * NS_PER_MS),
        confirmed: Some(true),
        evidence: format!("{} was seen, as asked", fault.effect),
        probe_before_us: Some(260.0),
        probe_during_us: Some(260.0 + delay_us.unwrap_or(0.0)),
        probe_after_us: Some(262.0),
        probe_untouched_us: Some(258.0),
        probe_count: Some(400),
        probe_timeouts: Some(0),
        packets_matched: Some(packets),
        packets_received: Some(packets),
        packets_dropped: Some(dropped.unwrap_or(0)),
        hold_mean_us: delay_us.map(|delay_us| delay_us + 60.0),
        hold_max_us: delay_us.map(|delay_us| delay_us + 450.0),
        loss_low_percent: loss_percent.map(|percent| percent * 0.98),
        loss_high_percent: loss_percent.map(|percent| percent * 1.02),
        ..FaultEvent::default()
    })
}

/// Samples from the warm-up to the end, a tenth of a second at a time.
pub(super) fn samples(run: &Planned, last_end_ns: i64, mut push: impl FnMut(&[Sample]) -> Result<()>) -> Result<()> {
    let shape = &run.shape;
    let mut random = Random::new(shape.seed ^ 0x5A);
    let mut rows = Vec::new();
    let warm_up_ns = shape.warm_up_ms as i64 * NS_PER_MS;
    for tick in 0.. {
        let time_ns = tick * 100 * NS_PER_MS - warm_up_ns;
        if time_ns > last_end_ns {
            return Ok(());
        }
        rows.clear();
        let has_changed = run.leader_change_ms.is_some_and(|ms| time_ns >= ms as i64 * NS_PER_MS);
        let leader = if has_changed { NEXT_LEADER } else { LEADER };
        for member in 0..MEMBERS as i8 {
            let mut add = |metric: &str, label: Option<String>, value: f64| {
                let time_ns = time_ns + i64::from(member) * 40_000;
                rows.push(Sample { time_ns, member: Some(member), metric: metric.to_owned(), label, value });
            };
            status(&mut random, tick, leader, &mut add);
            if tick % 10 == 0 {
                metrics_page(&mut random, tick / 10, &mut add);
            }
        }
        if tick % 10 == 0 {
            let second = (tick / 10) as f64;
            let mut add = |metric: &str, value: f64| {
                rows.push(Sample { time_ns, member: None, metric: metric.to_owned(), label: None, value });
            };
            add(metric::RECORDER_CPU_S, 0.2 * second);
            add(metric::RECORDER_RSS_BYTES, 40e6);
            add(metric::RECORDER_LAG_MAX_US, 0.0);
            add(metric::HOST_STEAL_S, 0.001 * second);
        }
        push(&rows)?;
    }
    Ok(())
}

fn status(random: &mut Random, tick: i64, leader: usize, add: &mut impl FnMut(&str, Option<String>, f64)) {
    let raft_index = 1000.0 * tick as f64 + random.below(100) as f64;
    add(metric::LEADER, None, leader as f64);
    add(metric::RAFT_TERM, None, 2.0);
    add(metric::RAFT_INDEX, None, raft_index);
    add(metric::RAFT_APPLIED_INDEX, None, raft_index - random.below(5) as f64);
    add(metric::DB_SIZE_BYTES, None, 20_480.0 * (1 + tick / 20) as f64);
    add(metric::STATUS_TIME_US, None, random.log_normal(300.0, 0.3));
}

fn metrics_page(random: &mut Random, second: i64, add: &mut impl FnMut(&str, Option<String>, f64)) {
    let mut cumulative = 0.0;
    for le in ["0.001", "0.002", "0.004", "0.008", "0.016", "+Inf"] {
        cumulative += (second * 400) as f64 + random.below(50) as f64;
        add("etcd_disk_wal_fsync_duration_seconds_bucket", Some(format!("le={le}")), cumulative);
    }
    add("etcd_disk_wal_fsync_duration_seconds_count", None, cumulative);
    add("etcd_disk_wal_fsync_duration_seconds_sum", None, cumulative * 0.0012);
    add("etcd_server_proposals_committed_total", None, 10_000.0 * second as f64);
    add("etcd_server_leader_changes_seen_total", None, 1.0);
    add("process_cpu_seconds_total", None, 0.4 * second as f64);
    add("process_resident_memory_bytes", None, 60e6 + random.below(1_000_000) as f64);
}
