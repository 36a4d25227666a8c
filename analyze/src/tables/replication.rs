//! How far members were behind their leader, phase by phase.

use super::Facts;
use super::reigns::Course;
use super::views::View;
use crate::phases::Phase;
use crate::stats;

/// How far a member was behind the leader in one phase. Values exist for samples at whose time a majority named another
/// member the leader, and that lie between two of that one's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lag {
    /// The member, as an index into the manifest's members.
    pub member: usize,
    /// The phase.
    pub phase: Phase,
    /// Requests to the member for its status.
    pub samples: usize,
    /// Those that it did not answer.
    pub unanswered: usize,
    /// Those at whose time it was the leader itself.
    pub led: usize,
    /// Entries that the leader knew to be committed and the member did not: median and maximum. The leader's index at the
    /// time of the member's sample is interpolated between its own samples.
    pub entries: Option<(i64, i64)>,
    /// How long before that the leader's index was the member's, in microseconds: median and maximum. `None` where it was
    /// before the first sample.
    pub behind_us: Option<(i64, i64)>,
    /// The largest number of entries that the member knew to be committed and had not applied.
    pub unapplied_max: Option<i64>,
}

/// Samples of the leader that lie further apart than this say too little of what is between them.
const BETWEEN_MAX_NS: i64 = 500_000_000;

/// The lag of every member in every part of the run, without the warm-up: members in their order, phases in order of time.
pub fn lags(views: &[View], course: &Course, facts: &Facts) -> Vec<Lag> {
    let members = facts.members.len();
    let indices = indices(views, members);
    let phases: Vec<Phase> = facts.phases.parts().into_iter().filter(|&phase| phase != Phase::WarmUp).collect();
    let mut lags = Vec::new();
    for member in 0..members {
        for &phase in &phases {
            let is_in = |view: &&View| view.member == member && facts.phases.of(view.time_ns) == phase;
            lags.push(lag(member, phase, views.iter().filter(is_in), course, &indices));
        }
    }
    lags
}

fn lag<'a>(
    member: usize,
    phase: Phase,
    views: impl Iterator<Item = &'a View>,
    course: &Course,
    indices: &[Vec<(i64, i64)>],
) -> Lag {
    let mut lag =
        Lag { member, phase, samples: 0, unanswered: 0, led: 0, entries: None, behind_us: None, unapplied_max: None };
    let (mut entries, mut behind_us) = (Vec::new(), Vec::new());
    for view in views {
        lag.samples += 1;
        let Some(answer) = view.answer else {
            lag.unanswered += 1;
            continue;
        };
        let unapplied = answer.index.zip(answer.applied).map(|(index, applied)| (index - applied).max(0));
        lag.unapplied_max = lag.unapplied_max.max(unapplied);
        match course.leader_at(view.time_ns) {
            Some(leader) if leader == member => lag.led += 1,
            Some(_) => {
                let Some((missing, since_us)) = lag_of(view, course, indices) else { continue };
                entries.push(missing);
                behind_us.extend(since_us);
            }
            None => {}
        }
    }
    lag.entries = median_and_max(entries);
    lag.behind_us = median_and_max(behind_us);
    lag
}

/// The indices that each member told, with their times.
pub(super) fn indices(views: &[View], members: usize) -> Vec<Vec<(i64, i64)>> {
    let of_member = |member| {
        let of_member = views.iter().filter(move |view| view.member == member);
        of_member.filter_map(|view| Some((view.time_ns, view.answer?.index?))).collect()
    };
    (0..members).map(of_member).collect()
}

/// How many entries a member was behind the leader when it answered, and how long, in microseconds, where that is known;
/// `None` for the leader itself, without a leader, and where its samples do not tell.
pub(super) fn lag_of(view: &View, course: &Course, indices: &[Vec<(i64, i64)>]) -> Option<(i64, Option<i64>)> {
    let index = view.answer?.index?;
    let leader = course.leader_at(view.time_ns).filter(|&leader| leader != view.member)?;
    let ahead = index_at(&indices[leader], view.time_ns)?;
    let missing = (ahead - index as f64).round().max(0.0) as i64;
    let since_ns = if missing == 0 { Some(view.time_ns) } else { reached(&indices[leader], index) };
    Some((missing, since_ns.map(|since_ns| (view.time_ns - since_ns).max(0) / 1000)))
}

fn median_and_max(mut values: Vec<i64>) -> Option<(i64, i64)> {
    values.sort_unstable();
    Some((stats::quantile(&values, 0.5)?, *values.last()?))
}

/// The index at a time, between the samples before and after it.
fn index_at(indices: &[(i64, i64)], time_ns: i64) -> Option<f64> {
    let after = indices.partition_point(|&(at_ns, _)| at_ns < time_ns);
    let &(to_ns, to) = indices.get(after)?;
    if to_ns == time_ns {
        return Some(to as f64);
    }
    let &(from_ns, from) = indices.get(after.checked_sub(1)?)?;
    let share = (time_ns - from_ns) as f64 / (to_ns - from_ns) as f64;
    (to_ns - from_ns <= BETWEEN_MAX_NS).then_some(from as f64 + share * (to - from) as f64)
}

/// When the index went beyond `index`, between the last sample up to it and the first beyond; an index never falls.
fn reached(indices: &[(i64, i64)], index: i64) -> Option<i64> {
    let beyond = indices.partition_point(|&(_, at)| at <= index);
    let &(to_ns, to) = indices.get(beyond)?;
    let &(from_ns, from) = indices.get(beyond.checked_sub(1)?)?;
    let share = (index - from) as f64 / (to - from) as f64;
    Some(from_ns + (share * (to_ns - from_ns) as f64) as i64)
}

#[cfg(test)]
mod tests {
    use run_folder::FaultEvent;

    use super::*;
    use crate::phases::Phases;
    use crate::tables::reigns;
    use crate::tables::standings::spells;
    use crate::tables::views::Answer;

    const MS: i64 = 1_000_000;

    /// A run of three seconds, with a fault in the middle one, in which the leader's index grows by 100 each 100 ms.
    fn planted(of_follower: impl Fn(i64) -> Option<i64>) -> Vec<Lag> {
        let fault = FaultEvent {
            asked_ns: 1000 * MS,
            asked_clear_ns: Some(2000 * MS),
            applied_ns: Some(1000 * MS),
            cleared_ns: Some(2000 * MS),
            ..FaultEvent::default()
        };
        let facts = Facts {
            run: String::new(),
            label: String::new(),
            phases: Phases::derive(&[fault], 500, 3000 * MS),
            deadline_ms: 5000.0,
            members: ["etcd0", "etcd1", "etcd2"].map(str::to_owned).into(),
        };
        let view = |ms: i64, member, index: Option<i64>| View {
            time_ns: ms * MS,
            member,
            answer: index.map(|index| Answer {
                leader: Some(0),
                term: Some(2),
                index: Some(index),
                applied: Some(index - 1),
            }),
        };
        // The last member was never asked.
        let views: Vec<View> = (0..30)
            .flat_map(|at| [view(at * 100, 0, Some(1000 + at * 100)), view(at * 100 + 50, 1, of_follower(at))])
            .collect();
        lags(&views, &reigns::course(&views, &spells(&views, 3), 3), &facts)
    }

    #[test]
    fn lag_is_counted_against_the_leader_at_the_same_time() {
        // 50 entries are what the leader gains from its own sample to the follower's.
        let lags = planted(|at| Some(1050 + at * 100 - if (10..20).contains(&at) { 30 * (at - 9) } else { 0 }));
        let of =
            |member: usize, phase| *lags.iter().find(|lag| (lag.member, lag.phase) == (member, phase)).expect("it");
        let before = of(1, Phase::Before);
        assert_eq!((before.samples, before.unanswered, before.led), (10, 0, 0));
        assert_eq!((before.entries, before.behind_us, before.unapplied_max), (Some((0, 0)), Some((0, 0)), Some(1)));
        let during = of(1, Phase::During);
        assert_eq!(during.entries, Some((150, 300)), "median and maximum of 30, 60, ..., 300");
        assert_eq!(during.behind_us, Some((150_000, 300_000)), "at an entry a millisecond");
        assert_eq!(of(0, Phase::During).led, 9, "the sample at the very edge is of neither side");
        assert_eq!(of(0, Phase::During).entries, None);
        let never = of(2, Phase::After);
        assert_eq!((never.samples, never.entries, never.unapplied_max), (0, None, None));
        // The last sample of the follower comes after the leader's last.
        assert_eq!(of(1, Phase::After).samples, 10);
        assert_eq!(lags.len(), 9);
    }

    #[test]
    fn a_member_that_does_not_answer_has_no_lag() {
        let lags = planted(|at| (at < 10).then_some(1050 + at * 100));
        let during = lags.iter().find(|lag| (lag.member, lag.phase) == (1, Phase::During)).expect("it");
        assert_eq!((during.samples, during.unanswered, during.entries, during.behind_us), (10, 10, None, None));
    }

    #[test]
    fn no_samples_give_no_lag() {
        assert_eq!(index_at(&[], 5), None);
        assert_eq!(reached(&[(0, 7)], 7), None, "it never went beyond");
        assert_eq!(reached(&[(0, 7)], 3), None, "it was beyond before the first sample");
    }
}
