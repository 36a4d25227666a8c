//! Numbers as a sentence.

use super::numbers::{Back, Effect, Numbers, Sampled, Time};
use crate::tables::delta::ratio_in_words;

/// No shorter gap is worth a word.
const GAP_S_TOLD: f64 = 1.0;
/// What takes less than this takes no time.
const AT_ONCE_S: f64 = 0.05;

/// The verdict on a run or a label.
pub(super) fn sentence(numbers: &Numbers) -> String {
    let mut parts = vec![effects(numbers)];
    if !numbers.clients.is_empty() {
        parts.push(numbers.clients.clone());
    }
    parts.extend(elections(numbers));
    parts.extend(fsync(numbers));
    parts.extend(other_causes(numbers));
    parts.extend(gap(numbers));
    if numbers.has_fault {
        parts.extend(numbers.back.as_ref().map(back));
    }
    if numbers.saturated > 0 {
        let of = of_runs(numbers.saturated, numbers.runs);
        parts.push(format!("client saturated{of}"));
    }
    parts.join("; ") + "."
}

/// What is compared, and by how much it changed.
fn effects(numbers: &Numbers) -> String {
    let when = match (numbers.compared.as_deref(), numbers.has_fault) {
        (Some("during/before"), true) => "during".to_owned(),
        (Some("during/baseline"), true) => match numbers.baselines {
            Some(0) | None => {
                return format!("all the time: {}, and no baseline to compare it with", lost_or_served(numbers));
            }
            Some(1) => "all the time, against 1 baseline".to_owned(),
            Some(count) => format!("all the time, against {count} baselines"),
        },
        (Some("during/before"), false) => "no fault, middle third against the first".to_owned(),
        (Some(_), _) => "no fault".to_owned(),
        (None, true) if numbers.is_imported => {
            return "nothing to compare the fault with, for its time is not known; where you know it, import the files into \
                    another folder with `analyze import --inject-at`"
                .to_owned();
        }
        (None, true) => return "nothing to compare the fault with".to_owned(),
        (None, false) => return "no fault".to_owned(),
    };
    let kind = &numbers.kind;
    if numbers.ok == Some(0.0) {
        let noun = if kind == "all" { "operation" } else { kind };
        return format!("{when}: no {noun} was acknowledged");
    }
    let subject = if kind == "all" { String::new() } else { format!("{kind} ") };
    let mut words = Vec::new();
    let (name, tail) = numbers.tail();
    match tail.ratio {
        Some(_) => words.push(format!("{subject}{name} {}", ratio(tail))),
        None => words.push(format!("no {subject}latency to compare with")),
    }
    // A tail that is always long hides what the middle shows.
    if name != "p50" && tail.doubt().is_some() && numbers.p50.is_beyond_noise() == Some(true) {
        words.push(format!("p50 {}", ratio(&numbers.p50)));
    }
    match numbers.runs_lost {
        0 => words.push(throughput(&numbers.throughput)),
        // The times are those of the others, and throughput has no mean.
        lost => {
            words[0].insert_str(0, &format!("{lost} of {} runs acknowledged nothing, in the others ", numbers.runs))
        }
    }
    words.extend(numbers.loses_some().then(|| {
        let doubt = if numbers.loses_more() { "" } else { " (no more than by chance)" };
        format!("{}{doubt}", lost_or_served(numbers))
    }));
    format!("{when}: {}", words.join(", "))
}

fn lost_or_served(numbers: &Numbers) -> String {
    match numbers.not_ok_share {
        Some(share) if share > 0.0 => format!("{} of operations not acknowledged", percent(share)),
        _ => "all operations acknowledged".to_owned(),
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// A ratio of times, with how sure it is.
pub(super) fn ratio(effect: &Effect) -> String {
    let Some(value) = effect.ratio else { return "unknown".to_owned() };
    let mut words = format!("{}x{}", if effect.is_bound { "at least " } else { "" }, ratio_in_words(value));
    match (effect.low, effect.high) {
        (Some(low), Some(high)) => {
            words += &format!(" [{}, {}]", ratio_in_words(low), ratio_in_words(high));
            words += if effect.is_between { "" } else { " within-run" };
        }
        _ if effect.is_beyond_noise() != Some(false) => words += " (no interval)",
        _ => {}
    }
    words + &doubt(effect)
}

/// By how much throughput changed, with how sure that is.
pub(super) fn throughput(effect: &Effect) -> String {
    let Some(value) = effect.ratio else { return "throughput unknown".to_owned() };
    let percent = (value - 1.0) * 100.0;
    if percent.abs() < 0.5 {
        return "throughput unchanged".to_owned();
    }
    // What runs show anyway needs no interval.
    let interval = match (effect.low, effect.high) {
        (Some(low), Some(high)) if effect.is_beyond_noise() != Some(false) => {
            let within = if effect.is_between { "" } else { " within-run" };
            format!(" [{}, {}]{within}", signed((low - 1.0) * 100.0), signed((high - 1.0) * 100.0))
        }
        _ if effect.is_beyond_noise() != Some(false) => " (no interval)".to_owned(),
        _ => String::new(),
    };
    format!("throughput {} %{interval}{}", signed(percent), doubt(effect))
}

fn doubt(effect: &Effect) -> String {
    effect.doubt().map_or(String::new(), |doubt| format!(" {doubt}"))
}

fn signed(percent: f64) -> String {
    if percent.abs() < 0.5 { "0".to_owned() } else { format!("{percent:+.0}") }
}

/// Who led, where somebody asked.
fn elections(numbers: &Numbers) -> Option<String> {
    let leaderless = match numbers.leaderless_s {
        Some(s) if s >= 0.1 => format!(", {s:.1} s without a leader"),
        _ => String::new(),
    };
    if numbers.leader_changes == 0 {
        numbers.leaderless_s?;
    }
    Some(match (numbers.leader_changes, numbers.runs) {
        (0, _) if leaderless.is_empty() => "no election".to_owned(),
        (0, _) => format!("no other leader{leaderless}"),
        (1, 1) => format!("leader changed{leaderless}"),
        (count, 1) => format!("leader changed {count} times{leaderless}"),
        (count, runs) => format!("leader changed {count} times in {runs} runs{leaderless}"),
    })
}

fn of_runs(some: usize, all: usize) -> String {
    if all <= 1 || some == all { String::new() } else { format!(" in {some} of {all} runs") }
}

fn fsync(numbers: &Numbers) -> Option<String> {
    let Sampled { judged, raised, ratio, .. } = &numbers.fsync;
    match (*judged, *raised) {
        (0, _) => None,
        (_, 0) => Some("fsync normal".to_owned()),
        (judged, raised) => {
            let by = ratio.map_or(String::new(), |ratio| format!(" up to x{}", ratio_in_words(ratio)));
            Some(format!("fsync raised{by}{}{}", on(&numbers.fsync), of_runs(raised, judged)))
        }
    }
}

fn on(sampled: &Sampled) -> String {
    match &sampled.worst {
        _ if sampled.is_everywhere => " on all members".to_owned(),
        Some((_, member)) if sampled.judged == 1 && !member.is_empty() => format!(" on {member}"),
        _ => String::new(),
    }
}

/// What else was raised; nothing of what was normal.
fn other_causes(numbers: &Numbers) -> Vec<String> {
    let mut words = Vec::new();
    let raised = |sampled: &Sampled, what: &str| {
        (sampled.raised > 0).then(|| format!("{what}{}", of_runs(sampled.raised, sampled.judged)))
    };
    words.extend(raised(&numbers.commit, "backend commits slow"));
    if let Some((ms, member)) = numbers.behind.worst.as_ref().filter(|_| numbers.behind.raised > 0) {
        let behind = if *ms < 995.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1e3) };
        let who = if numbers.runs == 1 { member } else { "a member" };
        words.push(format!("{who} up to {behind} behind{}", of_runs(numbers.behind.raised, numbers.behind.judged)));
    }
    words.extend(raised(&numbers.untouched, "untouched links slow too"));
    words.extend(raised(&numbers.steal, "CPU time stolen by the host"));
    words
}

fn gap(numbers: &Numbers) -> Option<String> {
    let s = numbers.gap_s.filter(|&s| s >= GAP_S_TOLD)?;
    let most = if numbers.runs > 1 { "up to " } else { "" };
    let when = match numbers.gap_phase.as_deref() {
        Some("after") => " after it",
        _ => "",
    };
    Some(format!("{most}{s:.1} s without an acknowledged write{when}"))
}

/// How throughput came back and, where it did, the latencies.
fn back(back: &Back) -> String {
    let Back { throughput, dipped, .. } = back;
    let latencies: Vec<(&str, &Time)> =
        [("p50", &back.p50), ("p99", &back.p99)].into_iter().filter(|(_, time)| time.runs > 0).collect();
    let all_s = latencies.iter().map(|(_, time)| time.s.filter(|_| time.is_sure())).collect::<Option<Vec<f64>>>();
    let latency_s = all_s.and_then(|all_s| all_s.into_iter().reduce(f64::max));
    match (throughput.s.filter(|_| throughput.is_sure()), latency_s) {
        (Some(_), Some(latency_s)) if *dipped == 0 && latency_s < AT_ONCE_S => {
            "throughput never dipped, latency back at once".to_owned()
        }
        // To the tenth of a second that is told.
        (Some(s), Some(latency_s)) if *dipped > 0 && latency_s < s + AT_ONCE_S => {
            format!("back to normal {}", after(s))
        }
        (None, _) if throughput.seen == 0 => not_back(back),
        _ => {
            let subject = match throughput.is_sure() && *dipped == 0 {
                true => "throughput never dipped".to_owned(),
                false => format!("throughput {}", when_back(throughput, "back ")),
            };
            let late = latest(&latencies).map(|(name, time)| format!(", {name} {}", latency(time, back)));
            subject + &late.unwrap_or_default()
        }
    }
}

/// What was later than anything else, and its name: both latencies where neither was seen.
fn latest<'a>(latencies: &[(&str, &'a Time)]) -> Option<(String, &'a Time)> {
    let lateness = |time: &Time| (time.runs - time.seen, time.s.unwrap_or(f64::INFINITY));
    let (name, time) = latencies.iter().max_by(|(_, a), (_, b)| {
        let ((a_lacks, a_s), (b_lacks, b_s)) = (lateness(a), lateness(b));
        a_lacks.cmp(&b_lacks).then(a_s.total_cmp(&b_s))
    })?;
    let is_none = latencies.len() > 1 && latencies.iter().all(|(_, time)| time.seen == 0);
    Some((if is_none { "p50 and p99".to_owned() } else { (*name).to_owned() }, time))
}

fn after(s: f64) -> String {
    if s < AT_ONCE_S { "at once".to_owned() } else { format!("{s:.1} s after") }
}

/// When it was seen, in all runs or in some.
fn when_back(time: &Time, back: &str) -> String {
    let Time { runs, seen, .. } = time;
    match (time.s.filter(|_| time.is_sure()), time.least_s.zip(time.most_s)) {
        (Some(s), _) => format!("{back}{}", after(s)),
        (None, Some((least_s, most_s))) if seen > &1 && most_s >= AT_ONCE_S => {
            format!("{back}in {seen} of {runs} runs, after {least_s:.2} to {most_s:.2} s")
        }
        (None, Some((s, _))) => format!("{back}in {seen} of {runs} runs, {}", after(s)),
        (None, None) => format!("{back}in {seen} of {runs} runs"),
    }
}

fn latency(time: &Time, back: &Back) -> String {
    if time.seen > 0 {
        return when_back(time, "");
    }
    let in_any = if time.runs > 1 { format!(" in any of {} runs", time.runs) } else { String::new() };
    match time.lower_bound_s.zip(back.observed_s) {
        // Since then it was as before, but not for long enough.
        Some((bound_s, observed_s)) if bound_s < 0.9 * observed_s => {
            format!("not within the first {bound_s:.1} s{in_any}")
        }
        _ => format!("not {}{in_any}", within(back)),
    }
}

fn within(back: &Back) -> String {
    back.observed_s.map_or("within the recording".to_owned(), |s| format!("within the {s:.1} s recorded"))
}

/// Throughput was not seen to come back in any run.
fn not_back(back: &Back) -> String {
    match (back.throughput.runs, back.throughput.lower_bound_s.zip(back.observed_s)) {
        // Since then nothing was low, but not for long enough.
        (..=1, Some((bound_s, observed_s))) if bound_s < 0.9 * observed_s => {
            format!("too little recorded after {bound_s:.1} s to call it back to normal")
        }
        (..=1, _) => format!("not back to normal {}", within(back)),
        (runs, _) => format!("not back to normal {} in any of {runs} runs", within(back)),
    }
}
