//! The way of writes in each phase, and how far members were behind.

use super::{LISTED, Recorded, listed, time};
use crate::diagrams::{Drawing, Form, Line, Sequence, Step};
use crate::phases::Phase;
use crate::tables::replication::Lag;
use crate::tables::writes::Written;

impl Recorded {
    pub(super) fn log_replication(&self) -> Drawing {
        // The client stands before the members.
        let actor = |member: usize| member + 1;
        let members = self.facts.members.len();
        let mut steps = Vec::new();
        for (at, phase) in self.phases().into_iter().enumerate() {
            steps.push(Step::Part(self.phase_in_words(phase)));
            let lags: Vec<&Lag> = self.lags.iter().filter(|lag| lag.phase == phase).collect();
            let leader = lags.iter().max_by_key(|lag| lag.led).filter(|lag| lag.led > 0).map(|lag| lag.member);
            let Some(leader) = leader else {
                steps.push(Step::Note { first: 0, last: members, text: "no leader was seen".to_owned() });
                continue;
            };
            let shared: Vec<String> = lags
                .iter()
                .filter(|lag| lag.led > 0 && lag.member != leader)
                .map(|lag| format!("{} led in {} of {} samples", self.name(lag.member), lag.led, lag.samples))
                .collect();
            if !shared.is_empty() {
                let text = format!("drawn: {}, who led longest; {}", self.name(leader), listed(&shared, LISTED));
                steps.push(Step::Note { first: 0, last: members, text });
            }
            let written = self.writes.by_phase.iter().find(|written| written.phase == phase);
            let due = written.map_or(0, |written| written.due);
            let request = match at {
                0 => format!("{due} writes, by way of the member asked"),
                _ => format!("{due} writes"),
            };
            steps.push(Step::Message { from: 0, to: actor(leader), text: request, line: Line::Solid });
            for lag in lags.iter().filter(|lag| lag.member != leader) {
                let (from, to) = (actor(leader), actor(lag.member));
                steps.push(Step::Message { from, to, text: "entries".to_owned(), line: Line::Solid });
                steps.push(Step::Note { first: to, last: to, text: lag_in_words(lag) });
            }
            let majority = members / 2 + 1;
            let text = format!("committed once {majority} of {members} have it; which of them was not recorded");
            steps.push(Step::Note { first: actor(leader), last: actor(leader), text });
            let answer = written.map_or("nothing acknowledged".to_owned(), acknowledged_in_words);
            steps.push(Step::Message { from: actor(leader), to: 0, text: answer, line: Line::Dashed });
        }
        let mut notes = self.notes();
        notes.push(format!("Workload: {}.", self.workload));
        notes.push(
            "Behind: entries that the leader knew to be committed and the member did not, against the leader's index \
             interpolated to the same time; and how long before the leader had been there."
                .to_owned(),
        );
        Drawing {
            title: self.title("Replication"),
            notes,
            form: Form::Sequence(Sequence {
                actors: std::iter::once("client".to_owned()).chain(self.facts.members.iter().cloned()).collect(),
                steps,
            }),
        }
    }

    fn phases(&self) -> Vec<Phase> {
        self.facts.phases.parts().into_iter().filter(|&phase| phase != Phase::WarmUp).collect()
    }

    fn phase_in_words(&self, phase: Phase) -> String {
        let phases = &self.facts.phases;
        let end_ns = phases.end_ns();
        let (name, from_ns, to_ns) = match (phase, phases.window()) {
            (Phase::Before, Some(window)) => ("Before the fault", 0, window.from_ns),
            (Phase::During, Some(window)) => ("During the fault", window.from_ns, window.to_ns),
            (Phase::After, Some(window)) => ("After the fault", window.to_ns, end_ns),
            _ => ("The whole run", 0, end_ns),
        };
        format!("{name}, {} to {}", time(from_ns), time(to_ns))
    }
}

fn lag_in_words(lag: &Lag) -> String {
    if lag.samples == 0 {
        return "never sampled".to_owned();
    }
    let mut words = match (lag.entries, lag.behind_us) {
        (None, _) => "lag not known".to_owned(),
        (Some((0, 0)), _) => "never behind".to_owned(),
        (Some((p50, max)), behind) => {
            let of = |entries: i64, us: Option<i64>| {
                let noun = if entries == 1 { "entry" } else { "entries" };
                let time = us.map_or(String::new(), |us| format!(" ({:.0} ms)", us as f64 / 1e3));
                format!("{entries} {noun}{time}")
            };
            let (p50_us, max_us) = behind.unzip();
            format!("behind by {} in the median, {} at most", of(p50, p50_us), of(max, max_us))
        }
    };
    if let Some(unapplied) = lag.unapplied_max.filter(|&unapplied| unapplied > 0) {
        words += &format!("; {unapplied} committed and not applied at most");
    }
    if lag.led > 0 {
        words += &format!("; led in {} of {} samples", lag.led, lag.samples);
    }
    if lag.unanswered > 0 {
        words += &format!("; no answer to {} of {} requests", lag.unanswered, lag.samples);
    }
    words
}

fn acknowledged_in_words(written: &Written) -> String {
    match written.service_p50_ns {
        Some(p50_ns) => format!("{} acknowledged, {:.1} ms in the median", written.acknowledged, p50_ns as f64 / 1e6),
        None => "none acknowledged".to_owned(),
    }
}
