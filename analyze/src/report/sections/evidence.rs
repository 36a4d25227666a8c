//! What a run's manifest and fault rows say: that it was what it says it was, and what to keep in mind.

use maud::{Markup, html};
use run_folder::{FaultEvent, Manifest};

use crate::report::ReportedRun;
use crate::report::words::{counted, grouped, time};
use crate::tables::runs;

/// The evidence of a run, without its numbers.
pub(super) fn of(run: &ReportedRun) -> Markup {
    let manifest = &run.listed.manifest;
    html! {
        @if !manifest.warnings.is_empty() {
            ul .warnings { @for warning in &manifest.warnings { li { b { "Warning: " } (warning) } } }
        }
        dl .facts {
            @if let Some(place) = &manifest.sweep {
                (fact("Place", &format!("{}, number {} of the sweep, repeat {}", place.role.as_str(), place.number, place.repeat)))
            }
            (fact("Time 0", &time(manifest.clock.origin_unix_ns)))
            (fact("Measured", &measured(run)))
            (fact("Workload", &run.plotted.workload))
            @if let Some(imported) = &manifest.imported {
                (fact("Imported", &format!("from {}, files {}", imported.source, imported.files.join(", "))))
                (fact("Not known", &imported.unknown.join(", ")))
            }
            @if manifest.knows("spec.seed") { (fact("Seed", &manifest.spec.seed.to_string())) }
            @if let Some(original) = &manifest.reproduces { (fact("Repeats", original)) }
            @if manifest.knows("leaders") { (fact("Leader", &leaders(run))) }
            @if let Some(generator) = &manifest.generator {
                (fact("Recorder", &format!(
                    "{:.1} operations answered per second; late by {:.2} ms in the median, {:.2} ms in the 99th percentile, {:.1} ms at most",
                    generator.achieved_rate_per_s, generator.lag_p50_us / 1e3, generator.lag_p99_us / 1e3, generator.lag_max_us / 1e3
                )))
            }
            @if let Some(why) = runs::client_saturated(manifest) { (fact("Client saturated", why)) }
            @if manifest.knows("host") {
                (fact("Machine", &format!(
                    "load average {:.2} at the start, {:.2} at the end; steal {:.2} %",
                    manifest.host.load_average[0], manifest.host.load_average[1], manifest.host.steal_percent
                )))
            }
            (fact("Rows", &format!(
                "{}, {}, {}",
                counted(manifest.rows.operations as usize, "operation"),
                counted(manifest.rows.faults as usize, "fault"),
                counted(manifest.rows.samples as usize, "sample")
            )))
            @if run.listed.faults.is_empty() { (fact("Fault", if manifest.knows("spec.fault") { "none" } else { "not known" })) }
        }
        @for fault in &run.listed.faults { (fault_row(fault, manifest)) }
    }
}

fn measured(run: &ReportedRun) -> String {
    match run.listed.manifest.imported {
        Some(_) => format!("{:.3} s", run.plotted.end_s),
        None => {
            let warm_up_s = run.listed.manifest.spec.workload.warm_up_ms as f64 / 1e3;
            format!("{:.3} s after a warm-up of {warm_up_s:.1} s", run.plotted.end_s)
        }
    }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn leaders(run: &ReportedRun) -> String {
    let manifest = &run.listed.manifest;
    let name = |index: Option<usize>| index.map_or("nobody", |index| manifest.member_name(index));
    let leaders = &manifest.leaders;
    let mut words = format!("{} at the start", name(leaders.start));
    if manifest.spec.fault.is_some() {
        words += &format!(", {} at injection", name(leaders.injection));
    }
    words += &format!(", {} at the end", name(leaders.end));
    match run.plotted.leader_changes.as_slice() {
        [] => words + "; no change seen",
        changes => {
            let changes =
                changes.iter().map(|change| format!("{} to {} at {:.2} s", change.from, change.to, change.at_s));
            format!("{words}; changed: {}", changes.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A fault: asked against achieved, with everything that shows it.
fn fault_row(fault: &FaultEvent, manifest: &Manifest) -> Markup {
    let member = |index: i8| usize::try_from(index).map_or("?", |index| manifest.member_name(index)).to_owned();
    html! {
        div .fault {
            p .subheading { "Fault on " (member(fault.target)) " (" (fault.role) ")" }
            dl .facts {
                (fact("Asked", &asked_of(fault)))
                @if let Some(peer) = fault.peer { (fact("Only the link to", &member(peer))) }
                @if !fault.mechanism.is_empty() { (fact("Mechanism", &fault.mechanism)) }
                @if manifest.imported.is_none() { (fact("In force", &edges(fault))) }
                (fact("Confirmed", match fault.confirmed {
                    Some(true) => "yes",
                    Some(false) => "no",
                    None => "not judged",
                }))
                @if !fault.evidence.is_empty() { (fact("Evidence", &fault.evidence)) }
                @if let Some(probes) = probes(fault) { (fact("TCP connects", &probes)) }
                @if let Some(packets) = packets(fault) { (fact("Packets", &packets)) }
            }
            @if !fault.commands.is_empty() { pre { (fault.commands) } }
        }
    }
}

/// The fault as asked, without what is not known of it.
fn asked_of(fault: &FaultEvent) -> String {
    let scope = if fault.scope.is_empty() { String::new() } else { format!("{} traffic", fault.scope) };
    let target = if fault.target_asked.is_empty() { String::new() } else { format!("on {}", fault.target_asked) };
    let parts = [format!("{} {target}", asked(fault)).trim_end().to_owned(), scope, fault.direction.clone()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn asked(fault: &FaultEvent) -> String {
    let mut words = fault.kind.clone();
    if let Some(delay_us) = fault.delay_us {
        words += &format!(" {} ms", delay_us / 1e3);
    }
    if let Some(jitter_us) = fault.jitter_us.filter(|&jitter_us| jitter_us > 0.0) {
        words += &format!(" ± {} ms {}", jitter_us / 1e3, fault.distribution.as_deref().unwrap_or_default());
    }
    if let Some(percent) = fault.loss_percent {
        words += &format!(" {percent} %");
    }
    if let Some(rate) = fault.rate_bit_per_s {
        words += &format!(" {} Mbit/s", rate / 1e6);
    }
    words
}

/// The edges as asked, and by how much the measured ones came later.
fn edges(fault: &FaultEvent) -> String {
    let s = |ns: i64| ns as f64 / 1e9;
    let late = |measured_ns: i64, asked_ns: i64| format!("{:+.1} ms", (measured_ns - asked_ns) as f64 / 1e6);
    let Some(applied_ns) = fault.applied_ns else { return "never".to_owned() };
    let mut words = format!("from {:.4} s ({} of what was asked)", s(applied_ns), late(applied_ns, fault.asked_ns));
    if let Some(confirmed_ns) = fault.confirmed_ns {
        words += &format!(", first seen at {:.3} s", s(confirmed_ns));
    }
    match (fault.cleared_ns, fault.asked_clear_ns) {
        (Some(cleared_ns), Some(asked_ns)) => {
            words += &format!("; to {:.4} s ({} of what was asked)", s(cleared_ns), late(cleared_ns, asked_ns));
        }
        (Some(cleared_ns), None) => words += &format!("; to {:.4} s", s(cleared_ns)),
        (None, _) => words += "; never seen to end",
    }
    if let Some(gone_ns) = fault.clear_confirmed_ns {
        words += &format!(", seen to be gone at {:.3} s", s(gone_ns));
    }
    words
}

fn probes(fault: &FaultEvent) -> Option<String> {
    let ms = |us: Option<f64>| us.map(|us| format!("{:.2} ms", us / 1e3));
    let parts = [
        ("before", ms(fault.probe_before_us)),
        ("during", ms(fault.probe_during_us)),
        ("after", ms(fault.probe_after_us)),
        ("on an untouched link during", ms(fault.probe_untouched_us)),
    ];
    let known: Vec<String> = parts.into_iter().filter_map(|(when, time)| Some(format!("{} {when}", time?))).collect();
    let attempts = fault.probe_count.map(|count| {
        format!("{count} attempts during, {} without an answer in time", fault.probe_timeouts.unwrap_or(0))
    });
    let known = (!known.is_empty()).then(|| format!("median {}", known.join(", ")));
    let all: Vec<String> = known.into_iter().chain(attempts).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn packets(fault: &FaultEvent) -> Option<String> {
    let count = |count: i64| grouped(u64::try_from(count).unwrap_or(0));
    let mut parts = Vec::new();
    parts.extend(fault.packets_matched.map(|packets| format!("{} matched", count(packets))));
    parts.extend(fault.packets_received.map(|packets| format!("{} went through it", count(packets))));
    if let Some(dropped) = fault.packets_dropped {
        let share = fault.packets_received.filter(|&all| all > 0 && dropped > 0);
        let share = share.map_or(String::new(), |all| format!(" ({:.2} %)", dropped as f64 / all as f64 * 100.0));
        parts.push(format!("{}{share} dropped on purpose", count(dropped)));
    }
    parts.extend(fault.packets_overflowed.map(|packets| format!("{} lost to a full queue", count(packets))));
    parts.extend(fault.bytes_passed.map(|bytes| format!("{} bytes passed on", count(bytes))));
    parts.extend(fault.backlog_max.map(|packets| format!("at most {} waiting", count(packets))));
    parts.extend(fault.hold_mean_us.map(|us| format!("held {:.2} ms on average", us / 1e3)));
    parts.extend(fault.hold_max_us.map(|us| format!("{:.2} ms at most", us / 1e3)));
    if let (Some(low), Some(high)) = (fault.loss_low_percent, fault.loss_high_percent) {
        parts.push(format!("probability of a drop {low:.2} to {high:.2} % (99.9 % Wilson interval)"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}
