//! A run as it was recorded, in drawings. What samples cannot show is not said: they are a tenth of a second apart, tell
//! neither a candidate from a follower without a leader nor who voted for whom, and show no message.

use super::{Drawing, Subject};
use crate::tables::Facts;
use crate::tables::reigns::{Change, Course, Outcome, Reign};
use crate::tables::replication::Lag;
use crate::tables::standings::{Spell, Standing};
use crate::tables::writes::Writes;

mod elections;
mod replication;
mod roles;
mod timeline;

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
        let from_ns = change.first_sign_ns.saturating_sub(SAMPLING_NS);
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
                    format!(
                        " The new leader came {:.2} s after the fault came into force.",
                        seconds(at_ns - window.from_ns)
                    )
                }
                at_ns if at_ns >= window.to_ns && window.to_ns < self.facts.phases.end_ns() => {
                    format!(" The new leader came {:.2} s after the fault was lifted.", seconds(at_ns - window.to_ns))
                }
                _ => String::new(),
            };
        }
        match change.terms_between() {
            0 => {}
            1 => words += " In one term between the two nobody was seen to lead.",
            terms => words += &format!(" In {terms} terms between the two nobody was seen to lead."),
        }
        words + &self.end_of(change)
    }

    /// What the old leader itself said of the end of its reign.
    fn end_of(&self, change: &Change) -> String {
        let Some(old) = change.old else { return String::new() };
        let name = self.name(old.leader);
        let is_same = change.new.is_some_and(|new| new.leader == old.leader);
        match (change.gave_up, change.denied_ns()) {
            (_, Some((from_ns, to_ns))) if to_ns - from_ns >= SAMPLING_NS => {
                let nobody = length(to_ns - from_ns);
                format!(" {name} led no more from {} on: nobody was seen to lead for {nobody}.", time(from_ns))
            }
            (Some((at_ns, Standing::Silent)), _) => format!(" {name} did not answer from {} on.", time(at_ns)),
            (Some((at_ns, _)), _) => format!(" {name} took itself for the leader until {}.", time(at_ns)),
            (None, _) if is_same => String::new(),
            (None, _) => format!(" {name} took itself for the leader to the end."),
        }
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
}
