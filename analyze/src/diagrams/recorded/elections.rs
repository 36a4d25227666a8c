//! What members said around each election.

use super::{Recorded, STEPS_MAX, term, time};
use crate::diagrams::{Drawing, Form, Sequence, Step};
use crate::phases::Window;
use crate::tables::standings::Standing;

impl Recorded {
    pub(super) fn leader_election(&self) -> Drawing {
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
            steps.push((change.first_sign_ns, 0, vec![Step::Part(heading), over_all(self.told(change))]));
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
}
