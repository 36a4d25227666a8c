//! How each member stood, spell by spell: whom it took for the leader, and when that changed.

use super::views::View;

/// How a member stands, as far as its answers tell. That it is a candidate they do not tell: it knows of no leader then,
/// as does a follower that has just met a higher term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It takes itself for the leader.
    Leads,
    /// It takes this member for the leader.
    Follows(usize),
    /// It knows of no leader.
    Leaderless,
    /// It does not answer.
    Silent,
}

impl Standing {
    fn of(view: &View) -> Self {
        match (view.answer, view.names()) {
            (None, _) => Self::Silent,
            (Some(_), None) => Self::Leaderless,
            (Some(_), Some(leader)) if leader == view.member => Self::Leads,
            (Some(_), Some(leader)) => Self::Follows(leader),
        }
    }
}

/// What a member is, whoever leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It follows a leader.
    Follower,
    /// It knows of no leader.
    Leaderless,
    /// It leads.
    Leader,
    /// It does not answer.
    Silent,
}

impl Standing {
    /// The role in which a member stands so.
    pub fn role(self) -> Role {
        match self {
            Self::Follows(_) => Role::Follower,
            Self::Leaderless => Role::Leaderless,
            Self::Leads => Role::Leader,
            Self::Silent => Role::Silent,
        }
    }
}

/// A time during which a member stood the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spell {
    /// The member, as an index into the manifest's members.
    pub member: usize,
    /// How it stood.
    pub standing: Standing,
    /// Its first answer of that kind, in nanoseconds after the run's time 0.
    pub from_ns: i64,
    /// Its first answer of another kind; its last answer where there is no other.
    pub to_ns: i64,
    /// The highest term that it knew in that time, as [`super::views::Answer::term`] has it.
    pub term: Option<u64>,
}

/// The spells of each of the `members`, in order of time. One that was never asked has none.
pub fn spells(views: &[View], members: usize) -> Vec<Vec<Spell>> {
    let mut spells: Vec<Vec<Spell>> = vec![Vec::new(); members];
    for view in views {
        let (standing, time_ns) = (Standing::of(view), view.time_ns);
        let term = view.answer.and_then(|answer| answer.term);
        let of_member = &mut spells[view.member];
        if let Some(last) = of_member.last_mut() {
            last.to_ns = time_ns;
            if last.standing == standing {
                last.term = last.term.max(term);
                continue;
            }
        }
        of_member.push(Spell { member: view.member, standing, from_ns: time_ns, to_ns: time_ns, term });
    }
    spells
}

/// The times that a member spent in a role, from and to; following one leader after another is one time.
pub fn stays(spells: &[Spell], role: Role) -> Vec<(i64, i64)> {
    let mut stays: Vec<(i64, i64)> = Vec::new();
    for spell in spells.iter().filter(|spell| spell.standing.role() == role) {
        match stays.last_mut() {
            Some(last) if last.1 == spell.from_ns => last.1 = spell.to_ns,
            _ => stays.push((spell.from_ns, spell.to_ns)),
        }
    }
    stays
}

/// The spells of a member that began with its change from one role to another; from a role to itself, with another leader.
pub fn transitions(spells: &[Spell], from: Role, to: Role) -> impl Iterator<Item = &Spell> {
    let pairs = spells.windows(2).map(|pair| (&pair[0], &pair[1]));
    pairs.filter(move |(a, b)| (a.standing.role(), b.standing.role()) == (from, to)).map(|(_, spell)| spell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::views::Answer;

    #[test]
    fn a_spell_lasts_until_the_first_answer_of_another_kind() {
        let view = |time_ns, said: Option<(Option<usize>, u64)>| View {
            time_ns,
            member: 1,
            answer: said.map(|(leader, term)| Answer { leader, term: Some(term), ..Answer::default() }),
        };
        let views = [
            view(0, Some((Some(0), 2))),
            view(10, Some((Some(0), 2))),
            view(20, None),
            view(30, Some((None, 2))),
            view(40, Some((Some(1), 2))),
            view(50, Some((Some(1), 3))),
            view(60, Some((Some(2), 4))),
        ];
        let [never, spells] = &spells(&views, 2)[..] else { panic!("two members") };
        assert!(never.is_empty());
        let found: Vec<_> =
            spells.iter().map(|spell| (spell.standing, spell.from_ns, spell.to_ns, spell.term)).collect();
        let expected = [
            (Standing::Follows(0), 0, 20, Some(2)),
            (Standing::Silent, 20, 30, None),
            (Standing::Leaderless, 30, 40, Some(2)),
            (Standing::Leads, 40, 60, Some(3)),
            (Standing::Follows(2), 60, 60, Some(4)),
        ];
        assert_eq!(found, expected);
    }
    #[test]
    fn roles_last_over_changes_of_leader() {
        let spell = |standing, from_ns, to_ns| Spell { member: 0, standing, from_ns, to_ns, term: None };
        let spells = [
            spell(Standing::Follows(1), 0, 10),
            spell(Standing::Follows(2), 10, 20),
            spell(Standing::Leads, 20, 30),
            spell(Standing::Follows(2), 30, 40),
        ];
        assert_eq!(stays(&spells, Role::Follower), [(0, 20), (30, 40)]);
        assert_eq!(stays(&spells, Role::Silent), []);
        let began = |from, to| transitions(&spells, from, to).map(|spell| spell.from_ns).collect::<Vec<_>>();
        assert_eq!(began(Role::Follower, Role::Follower), [10]);
        assert_eq!(began(Role::Follower, Role::Leader), [20]);
        assert_eq!(began(Role::Leader, Role::Leaderless), Vec::<i64>::new());
    }
}
