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
}
