//! Who led when, in which term, and how long nobody did: as a majority of the members saw it.

use super::standings::{Spell, Standing};
use super::views::View;

/// A time during which a majority of the members took one member for the leader, in one term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reign {
    /// The leader, as an index into the manifest's members.
    pub leader: usize,
    /// Its term; `None` when no entry of it was seen to be applied.
    pub term: Option<u64>,
    /// The first sample with which a majority named it, in nanoseconds after the run's time 0.
    pub from_ns: i64,
    /// The last sample with which a majority did.
    pub last_ns: i64,
    /// The first sample with which no majority did any more, or in a higher term; the last sample of all where the reign
    /// lasted to the end.
    pub to_ns: i64,
}

/// What came after a leader was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A leader in another term. That of a reign whose term is not known counts as another one when the leader is.
    Elected,
    /// The same leader in the same term: it had been out of sight.
    FoundAgain,
    /// None before the end of the recording.
    Open,
}

/// A majority of the members came to name another leader, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What came of it.
    pub outcome: Outcome,
    /// The reign before; `None` when there was no leader from the start.
    pub old: Option<Reign>,
    /// The reign after.
    pub new: Option<Reign>,
    /// The time without a leader: from the first sample in which no majority named one to the first in which a majority
    /// did again, or to the last of all. `None` when no sample showed such a moment: it was shorter than the time between
    /// two samples.
    pub leaderless_ns: Option<(i64, i64)>,
    /// When the new leader first said that it leads.
    pub claimed_ns: Option<i64>,
    /// When the old leader no longer said that it leads, and how it stood then; `None` when it did not stop before the end,
    /// or before it led again.
    pub gave_up: Option<(i64, Standing)>,
    /// The first answer of any member that shows it.
    pub first_sign_ns: i64,
}

impl Change {
    /// From when the old leader said that it does not lead to when the new one said that it does or a majority named it, or
    /// to the last sample: a majority may name a leader that has stepped down already. `None` when it did not say so before.
    pub fn denied_ns(&self) -> Option<(i64, i64)> {
        let (from_ns, _) = self.gave_up.filter(|(_, standing)| *standing != Standing::Silent)?;
        let found_ns =
            self.new.map(|new| self.claimed_ns.map_or(new.from_ns, |claimed_ns| claimed_ns.min(new.from_ns)));
        let to_ns = found_ns.or(self.leaderless_ns.map(|(_, to_ns)| to_ns))?;
        (from_ns < to_ns).then_some((from_ns, to_ns))
    }

    /// Terms between those of the two leaders, in which nobody was seen to lead.
    pub fn terms_between(&self) -> u64 {
        let term = |reign: Option<Reign>| reign.and_then(|reign| reign.term);
        match (term(self.old), term(self.new)) {
            (Some(old), Some(new)) => new.saturating_sub(old).saturating_sub(1),
            _ => 0,
        }
    }
}

/// Who led when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    /// In order of time.
    pub reigns: Vec<Reign>,
    /// Between the reigns, before the first and after the last.
    pub changes: Vec<Change>,
    /// The time from the first to the last sample; `None` without samples.
    pub recorded_ns: Option<(i64, i64)>,
}

impl Course {
    /// Who led at a time.
    pub fn leader_at(&self, time_ns: i64) -> Option<usize> {
        let reign = self.reigns.iter().find(|reign| (reign.from_ns..=reign.to_ns).contains(&time_ns))?;
        Some(reign.leader)
    }
}

/// A recording may begin before the first entry of the first leader's term is applied everywhere.
const SETTLING_NS: i64 = 1_000_000_000;

/// Finds the reigns in what the members said; `views` and `spells` are of the same samples.
///
/// A leader counts while more than half of the `members` named it when each was last asked, so that a cut-off former leader
/// does not; one that did not answer names nobody. A member's term is that of the last entry that it applied, so a new
/// leader's term shows a moment after the leader itself. A term that rises while the leader stays is a reign of its own.
pub fn course(views: &[View], spells: &[Vec<Spell>], members: usize) -> Course {
    let mut seen: Vec<Option<&View>> = vec![None; members];
    let mut reigns: Vec<Reign> = Vec::new();
    let mut gaps: Vec<(i64, i64)> = Vec::new();
    let mut is_open = false;
    // Highest term before the present reign.
    let mut earlier_term = None;
    for view in views {
        let time_ns = view.time_ns;
        seen[view.member] = Some(view);
        let leader = majority(&seen);
        let named_by = |leader| seen.iter().flatten().filter(move |view| view.names() == Some(leader));
        let term = leader.and_then(|leader| named_by(leader).filter_map(|view| view.answer?.term).max());
        if let (true, Some(reign)) = (is_open, reigns.last_mut()) {
            reign.to_ns = time_ns;
            let is_settling = earlier_term.is_none() && time_ns - reign.from_ns < SETTLING_NS;
            let is_higher = reign.term.is_some() && term > reign.term && !is_settling;
            if leader == Some(reign.leader) && !is_higher {
                reign.last_ns = time_ns;
                match reign.term {
                    None => reign.term = term.filter(|_| term > earlier_term),
                    Some(_) => reign.term = reign.term.max(term),
                }
                continue;
            }
            earlier_term = reign.term.max(earlier_term);
        }
        is_open = leader.is_some();
        match (leader, gaps.last_mut()) {
            (Some(leader), _) => {
                let term = if reigns.is_empty() { term } else { term.filter(|_| term > earlier_term) };
                reigns.push(Reign { leader, term, from_ns: time_ns, last_ns: time_ns, to_ns: time_ns });
                if let Some(gap) = gaps.last_mut().filter(|gap| gap.1 == i64::MAX) {
                    gap.1 = time_ns;
                }
            }
            (None, Some(gap)) if gap.1 == i64::MAX => {}
            // At the very start nobody can have a majority, because too few have been asked.
            (None, _) if reigns.is_empty() && 2 * seen.iter().flatten().count() <= members => {}
            (None, _) => gaps.push((time_ns, i64::MAX)),
        }
    }
    keep_terms(&mut reigns);
    let recorded_ns = views.first().zip(views.last()).map(|(first, last)| (first.time_ns, last.time_ns));
    let end_ns = recorded_ns.map_or(0, |(_, end_ns)| end_ns);
    gaps.iter_mut().for_each(|gap| gap.1 = gap.1.min(end_ns));
    let changes = changes(&reigns, &gaps, spells);
    Course { reigns, changes, recorded_ns }
}

/// The leader that more than half of the members named when they were last asked.
fn majority(seen: &[Option<&View>]) -> Option<usize> {
    (0..seen.len()).find(|&leader| {
        let naming = seen.iter().flatten().filter(|view| view.names() == Some(leader)).count();
        2 * naming > seen.len()
    })
}

/// A leader that is found again without a higher term has its term still.
fn keep_terms(reigns: &mut [Reign]) {
    for at in 1..reigns.len() {
        let before = reigns[at - 1];
        if reigns[at].term.is_none() && reigns[at].leader == before.leader {
            reigns[at].term = before.term;
        }
    }
}

fn changes(reigns: &[Reign], gaps: &[(i64, i64)], spells: &[Vec<Spell>]) -> Vec<Change> {
    let olds = std::iter::once(None).chain(reigns.iter().copied().map(Some));
    let news = reigns.iter().copied().map(Some).chain([None]);
    let mut changes = Vec::new();
    for (old, new) in olds.zip(news) {
        let from_ns = old.map_or(i64::MIN, |old| old.to_ns);
        let leaderless_ns =
            gaps.iter().copied().find(|gap| gap.0 >= from_ns && new.is_none_or(|new| gap.1 <= new.from_ns));
        let outcome = match (old, new) {
            // The recording begins and ends with a leader, as it should.
            (None, _) | (_, None) if leaderless_ns.is_none() => continue,
            (_, None) => Outcome::Open,
            (Some(old), Some(new)) if (old.leader, old.term) == (new.leader, new.term) => Outcome::FoundAgain,
            (_, Some(_)) => Outcome::Elected,
        };
        let claimed_ns = new.and_then(|new| claimed(&spells[new.leader], new.from_ns));
        let is_same = old.map(|old| old.leader) == new.map(|new| new.leader);
        let gave_up = old.and_then(|old| gave_up(&spells[old.leader], &old));
        // One that leads again may have stepped down later only, for another change.
        let gave_up = gave_up.filter(|(at_ns, _)| !is_same || new.is_some_and(|new| *at_ns <= new.from_ns));
        let lost_ns = leaderless_ns.map(|(from_ns, _)| from_ns);
        let since_ns = if is_same { lost_ns } else { old.map(|old| old.from_ns) };
        let named_ns = new.and_then(|new| first_named(spells, &new, since_ns));
        let gave_up_ns = gave_up.map(|(at_ns, _)| at_ns);
        let signs = [gave_up_ns, lost_ns, named_ns, claimed_ns, new.map(|new| new.from_ns)];
        let first_sign_ns = signs.into_iter().flatten().min().unwrap_or(from_ns);
        changes.push(Change { outcome, old, new, leaderless_ns, claimed_ns, gave_up, first_sign_ns });
    }
    changes
}

/// When a member first said that it leads, in the spell of that which is not over at `named_ns`.
fn claimed(spells: &[Spell], named_ns: i64) -> Option<i64> {
    let leads = spells.iter().filter(|spell| spell.standing == Standing::Leads);
    leads.map(|spell| (spell.from_ns, spell.to_ns)).find(|&(_, to_ns)| to_ns >= named_ns).map(|(from_ns, _)| from_ns)
}

/// When a member first named a new leader, since a time, without having stopped before a majority did.
fn first_named(spells: &[Vec<Spell>], new: &Reign, since_ns: Option<i64>) -> Option<i64> {
    let names = |spell: &&Spell| match spell.standing {
        Standing::Follows(leader) => leader == new.leader,
        _ => false,
    };
    let naming = spells.iter().flatten().filter(names).filter(|spell| spell.to_ns >= new.from_ns);
    naming.map(|spell| spell.from_ns).filter(|at_ns| since_ns.is_none_or(|since_ns| *at_ns > since_ns)).min()
}

/// When a leader stopped saying that it leads, for the first time since its reign began.
fn gave_up(spells: &[Spell], reign: &Reign) -> Option<(i64, Standing)> {
    let led = spells.iter().position(|spell| spell.standing == Standing::Leads && spell.to_ns > reign.from_ns)?;
    let next = spells.get(led + 1)?;
    Some((next.from_ns, next.standing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::standings::spells;
    use crate::tables::views::Answer;

    const MS: i64 = 1_000_000;

    /// Rows are: milliseconds, and for each member the leader that it names, and its term; -1 names none, -2 is silent.
    fn course_of<const N: usize>(rows: &[(i64, [(i64, u64); N])]) -> Course {
        let answer = |(leader, term): (i64, u64)| {
            let leader = usize::try_from(leader).ok();
            Answer { leader, term: Some(term), ..Answer::default() }
        };
        let of_row = |&(ms, members): &(i64, [(i64, u64); N])| {
            members.into_iter().enumerate().filter(|(_, said)| said.0 > -3).map(move |(member, said)| View {
                time_ns: ms * MS + member as i64,
                member,
                answer: (said.0 != -2).then(|| answer(said)),
            })
        };
        let views: Vec<View> = rows.iter().flat_map(of_row).collect();
        course(&views, &spells(&views, N), N)
    }

    /// Leader, term, and milliseconds from and to.
    fn reigns(course: &Course) -> Vec<(usize, Option<u64>, i64, i64)> {
        course.reigns.iter().map(|reign| (reign.leader, reign.term, reign.from_ns / MS, reign.to_ns / MS)).collect()
    }

    fn leaderless_ms(change: &Change) -> Option<(i64, i64)> {
        change.leaderless_ns.map(|(from_ns, to_ns)| (from_ns / MS, to_ns / MS))
    }

    #[test]
    fn an_election_has_a_time_without_a_leader_and_a_new_term() {
        let course = course_of(&[
            (0, [(0, 2), (0, 2), (0, 2)]),
            (5000, [(0, 2), (0, 2), (0, 2)]),
            (5100, [(-2, 0), (0, 2), (0, 2)]),
            (6200, [(-2, 0), (-1, 2), (0, 2)]),
            (6300, [(-2, 0), (-1, 2), (-1, 2)]),
            // The leader shows before its first entry is applied.
            (6400, [(-2, 0), (1, 2), (1, 2)]),
            (6500, [(-2, 0), (1, 4), (1, 2)]),
            (9000, [(1, 4), (1, 4), (1, 4)]),
        ]);
        assert_eq!(reigns(&course), [(0, Some(2), 0, 6200), (1, Some(4), 6400, 9000)]);
        let [change] = course.changes[..] else { panic!("one change: {:?}", course.changes) };
        assert_eq!((change.outcome, change.terms_between()), (Outcome::Elected, 1));
        assert_eq!(leaderless_ms(&change), Some((6200, 6400)));
        assert_eq!(change.old.map(|old| old.last_ns / MS), Some(6200), "the last of the answers at 6,200 ms tells");
        assert_eq!(change.claimed_ns.map(|ns| ns / MS), Some(6400));
        assert_eq!(change.gave_up.map(|(ns, standing)| (ns / MS, standing)), Some((5100, Standing::Silent)));
        assert_eq!(
            (course.leader_at(100), course.leader_at(6300 * MS), course.leader_at(8000 * MS)),
            (Some(0), None, Some(1))
        );
    }

    #[test]
    fn a_cut_off_leader_that_believes_in_itself_does_not_count() {
        let course = course_of(&[
            (0, [(0, 2), (0, 2), (0, 2)]),
            (1000, [(0, 2), (1, 3), (1, 3)]),
            (2000, [(0, 2), (1, 3), (1, 3)]),
            (3000, [(1, 3), (1, 3), (1, 3)]),
        ]);
        assert_eq!(reigns(&course), [(0, Some(2), 0, 1000), (1, Some(3), 1000, 3000)]);
        let [change] = course.changes[..] else { panic!("one change: {:?}", course.changes) };
        assert_eq!(leaderless_ms(&change), None, "two of three named somebody in every sample");
        assert_eq!(change.gave_up.map(|(ns, standing)| (ns / MS, standing)), Some((3000, Standing::Follows(1))));
    }

    #[test]
    fn two_elections_and_the_same_leader_in_a_higher_term() {
        let course = course_of(&[
            (0, [(0, 2), (0, 2), (0, 2)]),
            (1000, [(-1, 2), (-1, 2), (0, 2)]),
            (1100, [(2, 3), (2, 3), (2, 3)]),
            (2000, [(-1, 3), (-1, 3), (-1, 3)]),
            (2500, [(2, 3), (2, 3), (2, 5)]),
            (4000, [(2, 5), (2, 5), (2, 5)]),
            // No sample shows that nobody led.
            (4100, [(2, 6), (2, 6), (2, 6)]),
            (5000, [(2, 6), (2, 6), (2, 6)]),
        ]);
        let expected =
            [(0, Some(2), 0, 1000), (2, Some(3), 1100, 2000), (2, Some(5), 2500, 4100), (2, Some(6), 4100, 5000)];
        assert_eq!(reigns(&course), expected);
        assert!(course.changes.iter().all(|change| change.outcome == Outcome::Elected), "{:?}", course.changes);
        let gaps: Vec<_> = course.changes.iter().map(leaderless_ms).collect();
        assert_eq!(gaps, [Some((1000, 1100)), Some((2000, 2500)), None]);
        let gave_up: Vec<_> = course.changes.iter().map(|change| change.gave_up.map(|(ns, _)| ns / MS)).collect();
        assert_eq!(gave_up, [Some(1000), Some(2000), None], "the last one is a leader all the time");
    }

    #[test]
    fn a_majority_may_name_a_leader_that_has_stepped_down() {
        let course = course_of(&[
            (0, [(2, 3), (2, 3), (2, 3)]),
            (9100, [(2, 3), (2, 3), (-1, 3)]),
            (10_100, [(-1, 3), (2, 3), (-1, 3)]),
            (11_500, [(0, 9), (0, 9), (0, 9)]),
            (12_000, [(0, 9), (0, 9), (0, 9)]),
        ]);
        let [change] = course.changes[..] else { panic!("one change: {:?}", course.changes) };
        assert_eq!(leaderless_ms(&change), Some((10_100, 11_500)));
        assert_eq!(change.denied_ns().map(|(from_ns, to_ns)| (from_ns / MS, to_ns / MS)), Some((9100, 11_500)));
        assert_eq!(change.first_sign_ns / MS, 9100);
        assert_eq!(change.terms_between(), 5);
    }

    #[test]
    fn out_of_sight_is_no_election() {
        let course = course_of(&[
            (0, [(0, 2), (0, 2), (0, 2)]),
            (1000, [(0, 2), (-1, 2), (-1, 2)]),
            (1100, [(0, 2), (0, 2), (0, 2)]),
        ]);
        assert_eq!(reigns(&course), [(0, Some(2), 0, 1000), (0, Some(2), 1100, 1100)]);
        let outcomes: Vec<_> = course.changes.iter().map(|change| change.outcome).collect();
        assert_eq!(outcomes, [Outcome::FoundAgain]);
    }

    #[test]
    fn no_leader_at_the_start_or_at_the_end() {
        let course = course_of(&[
            (0, [(-1, 1), (-1, 1), (-1, 1)]),
            (500, [(1, 2), (1, 2), (1, 2)]),
            (1000, [(-1, 2), (-1, 2), (-1, 2)]),
            (3000, [(-1, 2), (-1, 2), (-1, 2)]),
        ]);
        assert_eq!(reigns(&course), [(1, Some(2), 500, 1000)]);
        let outcomes: Vec<_> = course.changes.iter().map(|change| (change.outcome, leaderless_ms(change))).collect();
        assert_eq!(outcomes, [(Outcome::Elected, Some((0, 500))), (Outcome::Open, Some((1000, 3000)))]);

        let never = course_of(&[(0, [(-1, 1), (-1, 1)]), (800, [(-1, 1), (-1, 1)])]);
        assert_eq!(reigns(&never), []);
        let [change] = never.changes[..] else { panic!("one change: {:?}", never.changes) };
        assert_eq!((change.outcome, change.old, leaderless_ms(&change)), (Outcome::Open, None, Some((0, 800))));
    }

    #[test]
    fn a_member_that_was_never_asked_and_no_samples_at_all() {
        let course = course_of(&[(0, [(1, 2), (1, 2), (-3, 0)]), (900, [(1, 2), (1, 2), (-3, 0)])]);
        assert_eq!(reigns(&course), [(1, Some(2), 0, 900)]);
        assert!(course.changes.is_empty());
        assert_eq!(course_of::<3>(&[]), Course::default());
    }

    #[test]
    fn a_term_that_is_not_applied_yet_when_the_recording_begins_is_no_election() {
        let course = course_of(&[(0, [(0, 1), (0, 1), (0, 1)]), (100, [(0, 2), (0, 2), (0, 2)])]);
        assert_eq!(reigns(&course), [(0, Some(2), 0, 100)]);
    }
}
