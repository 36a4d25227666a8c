//! Who led when, and how each member stood.

use super::{Recorded, length, seconds, term};
use crate::diagrams::{Drawing, Form, Kind, Lane, Span, Timeline};
use crate::tables::reigns::Outcome;
use crate::tables::standings::{Spell, Standing};

impl Recorded {
    pub(super) fn timeline(&self) -> Drawing {
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
                let (from_ns, to_ns) = change.leaderless_ns.unwrap_or_default();
                let leader = self.name(new.leader);
                let words = format!("{leader}, {} (no leader for {})", term(new.term), length(to_ns - from_ns));
                marks.push((seconds(new.from_ns), words));
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
