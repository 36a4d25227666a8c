//! The roles that members were in, and how they came from one to another.

use super::{LISTED, Recorded, length, listed, seconds, time};
use crate::diagrams::{Drawing, Form, State, States, Transition};
use crate::tables::standings::{Role, Spell, Standing, stays, transitions};

const ROLES: [Role; 4] = [Role::Follower, Role::Leaderless, Role::Leader, Role::Silent];

/// A role's name, and how samples show it.
fn words(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Follower => ("follower", "names another member the leader"),
        Role::Leaderless => ("no leader", "names none: a candidate, or a follower without a leader"),
        Role::Leader => ("leader", "names itself the leader"),
        Role::Silent => ("no answer", "does not answer in time"),
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

impl Recorded {
    pub(super) fn state_machine(&self) -> Drawing {
        let is_taken = |role: &Role| self.spells.iter().flatten().any(|spell| spell.standing.role() == *role);
        let roles: Vec<Role> = ROLES.into_iter().filter(is_taken).collect();
        let mut drawn = States { states: roles.iter().map(|&role| self.state(role)).collect(), ..States::default() };
        for (at, &role) in roles.iter().enumerate() {
            let is_first = |spells: &[Spell]| spells.first().is_some_and(|spell| spell.standing.role() == role);
            let names = self.members().filter(|(_, spells)| is_first(spells)).map(|(name, _)| name);
            let names: Vec<&str> = names.collect();
            if !names.is_empty() {
                let lines = vec![format!("first sample: {}", names.join(", "))];
                drawn.transitions.push(Transition { from: None, to: at, lines, is_extra: false });
            }
        }
        for (from_at, &from) in roles.iter().enumerate() {
            for (to_at, &to) in roles.iter().enumerate() {
                let lines: Vec<String> = self.members().filter_map(|member| self.taken(member, from, to)).collect();
                if !lines.is_empty() {
                    drawn.transitions.push(Transition { from: Some(from_at), to: to_at, lines, is_extra: false });
                }
            }
        }
        Drawing { title: self.title("Roles of the members"), notes: self.notes(), form: Form::States(drawn) }
    }

    fn members(&self) -> impl Iterator<Item = (&str, &[Spell])> {
        self.spells.iter().enumerate().map(|(member, spells)| (self.name(member), spells.as_slice()))
    }

    /// A role, and who was in it when.
    fn state(&self, role: Role) -> State {
        let (name, meaning) = words(role);
        let mut lines = vec![meaning.to_owned()];
        for (member, spells) in self.members() {
            let stays = stays(spells, role);
            let whole_ns = stays.iter().map(|(from_ns, to_ns)| to_ns - from_ns).sum();
            let of_stay = |&(from_ns, to_ns): &(i64, i64)| format!("{:.2} to {}", seconds(from_ns), time(to_ns));
            let spans: Vec<String> = stays.iter().map(of_stay).collect();
            match spans.len() {
                0 => {}
                1 => lines.push(format!("{member}: {}", spans[0])),
                _ => lines.push(format!("{member}: {} ({} in all)", listed(&spans, LISTED), length(whole_ns))),
            }
        }
        State { name: name.to_owned(), lines, is_extra: false }
    }

    /// How often and when a member went from one role to another.
    fn taken(&self, (member, spells): (&str, &[Spell]), from: Role, to: Role) -> Option<String> {
        let when: Vec<String> = transitions(spells, from, to).map(|spell| self.begun(spell)).collect();
        (!when.is_empty()).then(|| format!("{member}, {}: {}", times(when.len()), listed(&when, LISTED)))
    }

    /// When a spell began, and what is known of it.
    fn begun(&self, spell: &Spell) -> String {
        let at = time(spell.from_ns);
        match (spell.standing, spell.term) {
            (Standing::Follows(leader), Some(term)) => format!("at {at} ({}, term {term})", self.name(leader)),
            (Standing::Follows(leader), None) => format!("at {at} ({})", self.name(leader)),
            (Standing::Leads, Some(term)) => format!("at {at} (term {term})"),
            _ => format!("at {at}"),
        }
    }
}
