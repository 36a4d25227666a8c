//! A run as it was recorded, in drawings. What samples cannot show is not said: they are a tenth of a second apart, tell
//! neither a candidate from a follower without a leader nor who voted for whom, and show no message.

use super::{Drawing, Form, Kind, Lane, Line, Sequence, Span, State, States, Step, Subject, Timeline, Transition};
use crate::phases::{Phase, Window};
use crate::tables::Facts;
use crate::tables::reigns::{Change, Course, Outcome, Reign};
use crate::tables::replication::Lag;
use crate::tables::standings::{Spell, Standing};
use crate::tables::writes::{Writes, Written};

/// What drawings of a run are made of.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The run's members, phases and name.
    pub facts: Facts,
    /// The fault in words.
    pub fault: String,
    /// The workload in words.
    pub workload: String,
    /// How each member stood, when.
    pub spells: Vec<Vec<Spell>>,
    /// Who led when.
    pub course: Course,
    /// How far members were behind.
    pub lags: Vec<Lag>,
    /// Acknowledged writes.
    pub writes: Writes,
}

/// Times of one kind that are listed one by one.
const LISTED: usize = 4;
/// Steps of a sequence; mermaid takes no text without an end.
const STEPS_MAX: usize = 250;

/// Between two status requests to a member.
const SAMPLING_NS: i64 = 100_000_000;

const SAMPLED: &str = "Members were asked ten times a second: what lasted less than 0.1 s may be missing. Terms are those of \
                       the last entry that a member had applied.";

/// The drawing of a subject.
pub fn drawing(subject: Subject, run: &Recorded) -> Drawing {
    match subject {
        Subject::StateMachine => run.state_machine(),
        Subject::LogReplication => run.log_replication(),
        Subject::LeaderElection => run.leader_election(),
        Subject::Timeline => run.timeline(),
    }
}

fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// A time after the run's time 0.
fn time(ns: i64) -> String {
    format!("{:.2} s", seconds(ns))
}

/// A length of time between samples.
fn length(ns: i64) -> String {
    if ns < SAMPLING_NS { "less than 0.1 s".to_owned() } else { format!("{:.2} s", seconds(ns)) }
}

fn term(term: Option<u64>) -> String {
    term.map_or("term not known".to_owned(), |term| format!("term {term}"))
}

/// Items in a list, of which the last ones are only counted where there are many.
fn listed(items: &[String], most: usize) -> String {
    match items.len().checked_sub(most) {
        Some(more) if more > 0 => format!("{} and {more} more", items[..most].join(", ")),
        _ => items.join(", "),
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

impl Recorded {
    fn name(&self, member: usize) -> &str {
        self.facts.members.get(member).map_or("?", String::as_str)
    }

    fn title(&self, what: &str) -> String {
        format!("{what} in {}", self.facts.run)
    }

    /// Sentences that every drawing has.
    fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!("Times are seconds after the run's time 0. Fault: {}.", self.fault)];
        match self.course.recorded_ns {
            None => notes.push("No member was ever sampled: nothing is known of its leaders and terms.".to_owned()),
            Some(_) => notes.push(SAMPLED.to_owned()),
        }
        let never: Vec<String> = (0..self.spells.len())
            .filter(|&at| self.spells[at].is_empty())
            .map(|at| self.name(at).to_owned())
            .collect();
        if !never.is_empty() && self.course.recorded_ns.is_some() {
            notes.push(format!("Never sampled: {}.", never.join(", ")));
        }
        notes
    }

    fn reign(&self, reign: &Reign) -> String {
        match reign.term {
            Some(term) => format!("{} in term {term}", self.name(reign.leader)),
            None => format!("{} (term not known)", self.name(reign.leader)),
        }
    }

    /// The reigns in sentences.
    fn reigns(&self) -> Vec<String> {
        let of_reign =
            |reign: &Reign| format!("{} led from {} to {}", self.reign(reign), time(reign.from_ns), time(reign.to_ns));
        self.course.reigns.iter().map(of_reign).collect()
    }

    /// What happened at a change of leader, in a few words; elections have numbers.
    fn change(&self, change: &Change, number: &mut usize) -> String {
        let old = change.old.map_or("no leader".to_owned(), |old| self.reign(&old));
        match (change.outcome, change.new) {
            (Outcome::Elected, Some(new)) => {
                *number += 1;
                format!("Election {number}: {old}, then {}", self.reign(&new))
            }
            (Outcome::FoundAgain, _) => format!("No election: {old} was lost and found again"),
            _ if change.old.is_none() => "No leader from the start to the end".to_owned(),
            _ => format!("No leader to the end: {old} was lost"),
        }
    }

    /// How long there was no leader, as a majority saw it, and no acknowledged write.
    fn leaderless(&self, change: &Change) -> String {
        let leaderless = match change.leaderless_ns {
            Some((from_ns, to_ns)) if to_ns - from_ns >= SAMPLING_NS => {
                format!(
                    "No majority named a leader from {} to {}: {}.",
                    time(from_ns),
                    time(to_ns),
                    length(to_ns - from_ns)
                )
            }
            _ => "The time in which no majority named a leader is shorter than the samples can show, 0.1 s.".to_owned(),
        };
        // It may have happened at any time since the answers before the first that shows it.
        let from_ns = change.first_sign_ns().saturating_sub(SAMPLING_NS);
        let to_ns = change.new.map_or(i64::MAX, |new| new.from_ns);
        let pause = match self.writes.pause(from_ns, to_ns) {
            Some((from_ns, to_ns)) => {
                let length_s = seconds(to_ns - from_ns);
                format!(" No write was acknowledged from {} to {}: {length_s:.2} s.", time(from_ns), time(to_ns))
            }
            None => String::new(),
        };
        leaderless + &pause
    }

    /// A change in sentences: how it began, how long it took, and what came of it.
    fn told(&self, change: &Change) -> String {
        let mut words = self.leaderless(change);
        if let (Some(window), Some(new)) = (self.facts.phases.window(), change.new) {
            words += &match new.from_ns {
                at_ns if (window.from_ns..window.to_ns).contains(&at_ns) => {
                    format!(" That was {:.2} s after the fault came into force.", seconds(at_ns - window.from_ns))
                }
                at_ns if at_ns >= window.to_ns && window.to_ns < self.facts.phases.end_ns() => {
                    format!(" That was {:.2} s after the fault was lifted.", seconds(at_ns - window.to_ns))
                }
                _ => String::new(),
            };
        }
        match change.terms_between() {
            0 => {}
            1 => words += " In one term between the two nobody was seen to lead.",
            terms => words += &format!(" In {terms} terms between the two nobody was seen to lead."),
        }
        if let Some(old) = change.old.filter(|old| change.new.is_none_or(|new| new.leader != old.leader)) {
            let name = self.name(old.leader);
            words += &match change.gave_up {
                Some((at_ns, Standing::Silent)) => format!(" {name} did not answer from {} on.", time(at_ns)),
                Some((at_ns, _)) => format!(" {name} took itself for the leader until {}.", time(at_ns)),
                None => format!(" {name} took itself for the leader to the end."),
            };
        }
        words
    }

    /// That there was no election; nothing where there was one.
    fn no_election(&self) -> Option<String> {
        let changes = &self.course.changes;
        if changes.iter().any(|change| change.outcome == Outcome::Elected) {
            return None;
        }
        Some(match self.course.reigns.first() {
            None => "No leader was seen in this run.".to_owned(),
            Some(only) if changes.is_empty() => {
                format!("No election: {} led all the time that was recorded.", self.reign(only))
            }
            Some(only) => format!("No election: {} was the only leader that was seen.", self.reign(only)),
        })
    }

    fn state_machine(&self) -> Drawing {
        const ORDER: [(&str, &str); 4] = [
            ("follower", "names another member the leader"),
            ("no leader", "names none: a candidate, or a follower without a leader"),
            ("leader", "names itself the leader"),
            ("no answer", "does not answer in time"),
        ];
        let of = |standing: Standing| match standing {
            Standing::Follows(_) => 0,
            Standing::Leaderless => 1,
            Standing::Leads => 2,
            Standing::Silent => 3,
        };
        let occurs: Vec<usize> =
            (0..ORDER.len()).filter(|&at| self.spells.iter().flatten().any(|spell| of(spell.standing) == at)).collect();
        let place = |standing: Standing| occurs.iter().position(|&at| at == of(standing)).unwrap_or(0);
        let states = occurs.iter().map(|&at| {
            let (name, meaning) = ORDER[at];
            let mut lines = vec![meaning.to_owned()];
            for (member, spells) in self.spells.iter().enumerate() {
                let mut in_it: Vec<(i64, i64)> = Vec::new();
                for spell in spells.iter().filter(|spell| of(spell.standing) == at) {
                    match in_it.last_mut() {
                        Some(last) if last.1 == spell.from_ns => last.1 = spell.to_ns,
                        _ => in_it.push((spell.from_ns, spell.to_ns)),
                    }
                }
                let whole_ns: i64 = in_it.iter().map(|(from_ns, to_ns)| to_ns - from_ns).sum();
                let spans: Vec<String> = in_it
                    .iter()
                    .map(|&(from_ns, to_ns)| format!("{:.2} to {}", seconds(from_ns), time(to_ns)))
                    .collect();
                if !spans.is_empty() {
                    let in_all =
                        if spans.len() > 1 { format!(" ({} in all)", length(whole_ns)) } else { String::new() };
                    lines.push(format!("{}: {}{in_all}", self.name(member), listed(&spans, LISTED)));
                }
            }
            State { name: name.to_owned(), lines, is_extra: false }
        });
        let states: Vec<State> = states.collect();
        let mut transitions: Vec<Transition> = Vec::new();
        let mut add = |from: Option<usize>, to: usize, line: String| match transitions
            .iter_mut()
            .find(|transition| (transition.from, transition.to) == (from, to))
        {
            Some(transition) => transition.lines.push(line),
            None => transitions.push(Transition { from, to, lines: vec![line], is_extra: false }),
        };
        for (at, _) in states.iter().enumerate() {
            let first = |spells: &Vec<Spell>| spells.first().is_some_and(|spell| place(spell.standing) == at);
            let names: Vec<&str> = (0..self.spells.len())
                .filter(|&member| first(&self.spells[member]))
                .map(|member| self.name(member))
                .collect();
            if !names.is_empty() {
                add(None, at, format!("first sample: {}", names.join(", ")));
            }
        }
        for from in 0..states.len() {
            for to in 0..states.len() {
                for (member, spells) in self.spells.iter().enumerate() {
                    let pairs = spells.windows(2).map(|pair| (&pair[0], &pair[1]));
                    let taken = pairs.filter(|(a, b)| (place(a.standing), place(b.standing)) == (from, to));
                    let when: Vec<String> = taken.map(|(_, spell)| self.transition(spell)).collect();
                    if !when.is_empty() {
                        let line = format!("{}, {}: {}", self.name(member), times(when.len()), listed(&when, LISTED));
                        add(Some(from), to, line);
                    }
                }
            }
        }
        Drawing {
            title: self.title("Roles of the members"),
            notes: self.notes(),
            form: Form::States(States { states, transitions, sketch: None }),
        }
    }

    /// When a spell began, and what is known of it.
    fn transition(&self, spell: &Spell) -> String {
        let at = time(spell.from_ns);
        match (spell.standing, spell.term) {
            (Standing::Follows(leader), Some(term)) => format!("at {at} ({}, term {term})", self.name(leader)),
            (Standing::Follows(leader), None) => format!("at {at} ({})", self.name(leader)),
            (Standing::Leads, Some(term)) => format!("at {at} (term {term})"),
            _ => format!("at {at}"),
        }
    }

    fn leader_election(&self) -> Drawing {
        let last = self.facts.members.len().saturating_sub(1);
        let over_all = |text: String| Step::Note { first: 0, last, text };
        // Everything that happened, in order of time; at the same time, what the cluster did comes before its members.
        let mut steps: Vec<(i64, u8, Vec<Step>)> = Vec::new();
        if let Some(Window { from_ns, to_ns }) = self.facts.phases.window() {
            steps.push((from_ns, 1, vec![over_all(format!("{}: the fault is in force", time(from_ns)))]));
            if to_ns < self.facts.phases.end_ns() {
                steps.push((to_ns, 1, vec![over_all(format!("{}: the fault is lifted", time(to_ns)))]));
            }
        }
        let mut number = 0;
        for change in &self.course.changes {
            let heading = self.change(change, &mut number);
            steps.push((change.first_sign_ns(), 0, vec![Step::Part(heading), over_all(self.told(change))]));
        }
        for spells in &self.spells {
            // What members said first is where they stood before.
            for spell in spells.iter().skip(1) {
                let said = match spell.standing {
                    Standing::Leads => format!("leads, {}", term(spell.term)),
                    Standing::Follows(leader) => format!("follows {}, {}", self.name(leader), term(spell.term)),
                    Standing::Leaderless => "knows of no leader".to_owned(),
                    Standing::Silent => "does not answer".to_owned(),
                };
                let note = format!("{}: {said}", time(spell.from_ns));
                steps.push((
                    spell.from_ns,
                    2,
                    vec![Step::Note { first: spell.member, last: spell.member, text: note }],
                ));
            }
        }
        steps.sort_by_key(|(at_ns, rank, _)| (*at_ns, *rank));
        let mut begin = match self.course.reigns.first() {
            Some(first) => vec![Step::Part(format!("From {}: {} leads", time(first.from_ns), self.reign(first)))],
            None => vec![Step::Part("No leader was seen".to_owned())],
        };
        begin.extend(self.no_election().map(over_all));
        let mut steps: Vec<Step> = begin.into_iter().chain(steps.into_iter().flat_map(|(_, _, steps)| steps)).collect();
        if let Some(more) = steps.len().checked_sub(STEPS_MAX).filter(|&more| more > 0) {
            steps.truncate(STEPS_MAX);
            steps.push(over_all(format!("{more} more of these are left out; the timeline has them all")));
        }
        let mut notes = self.notes();
        notes.push(
            "Members were asked whom they take for the leader; messages between them were not recorded.".to_owned(),
        );
        Drawing {
            title: self.title("Leader elections"),
            notes,
            form: Form::Sequence(Sequence { actors: self.facts.members.clone(), steps }),
        }
    }

    fn log_replication(&self) -> Drawing {
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

    fn timeline(&self) -> Drawing {
        let span =
            |(from_ns, to_ns): (i64, i64), kind, text| Span { range_s: (seconds(from_ns), seconds(to_ns)), kind, text };
        let mut cluster: Vec<Span> = self
            .course
            .reigns
            .iter()
            .map(|reign| {
                let text = format!("{}, {}", self.name(reign.leader), term(reign.term));
                span((reign.from_ns, reign.to_ns), Kind::Leads, text)
            })
            .collect();
        let leaderless = self.course.changes.iter().filter_map(|change| change.leaderless_ns);
        cluster.extend(leaderless.map(|(from_ns, to_ns)| {
            span((from_ns, to_ns), Kind::Leaderless, format!("no leader, {}", length(to_ns - from_ns)))
        }));
        cluster.sort_by(|a, b| a.range_s.0.total_cmp(&b.range_s.0));
        let mut lanes = vec![Lane { name: "cluster".to_owned(), spans: cluster }];
        for (member, spells) in self.spells.iter().enumerate() {
            let of_spell = |spell: &Spell| {
                let (kind, text) = match spell.standing {
                    Standing::Leads => (Kind::Leads, format!("leads, {}", term(spell.term))),
                    Standing::Follows(leader) => (Kind::Follows, format!("follows {}", self.name(leader))),
                    Standing::Leaderless => (Kind::Leaderless, "no leader".to_owned()),
                    Standing::Silent => (Kind::Silent, "no answer".to_owned()),
                };
                span((spell.from_ns, spell.to_ns), kind, text)
            };
            lanes.push(Lane { name: self.name(member).to_owned(), spans: spells.iter().map(of_spell).collect() });
        }
        let mut notes: Vec<String> = self.reigns().into_iter().map(|line| format!("{line}.")).collect();
        let mut number = 0;
        let mut marks = Vec::new();
        for change in &self.course.changes {
            notes.push(format!("{}. {}", self.change(change, &mut number), self.told(change)));
            if let (Outcome::Elected, Some(new)) = (change.outcome, change.new) {
                marks.push((seconds(new.from_ns), format!("{}, {}", self.name(new.leader), term(new.term))));
            }
        }
        notes.extend(self.no_election());
        notes.extend(self.notes());
        let (first_ns, last_ns) = self.course.recorded_ns.unwrap_or((0, 0));
        let window = self.facts.phases.window();
        let windows = window.map(|window| (window.seconds().0, window.seconds().1, self.fault.clone()));
        Drawing {
            title: self.title("Terms and leaders"),
            notes,
            form: Form::Timeline(Timeline {
                range_s: (seconds(first_ns.min(0)), seconds(last_ns.max(self.facts.phases.end_ns()))),
                lanes,
                windows: windows.into_iter().collect(),
                marks,
                legend: vec![
                    (Kind::Leads, "names itself the leader; cluster: a majority names one"),
                    (Kind::Follows, "names another the leader"),
                    (Kind::Leaderless, "names none"),
                    (Kind::Silent, "does not answer"),
                ],
            }),
        }
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
