//! Raft as in a textbook (D. Ongaro and J. Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014), and
//! what etcd adds to it, which is said to be etcd's.

use super::{Drawing, Form, Kind, Lane, Line, Sequence, Span, State, States, Step, Subject, Timeline, Transition};

/// The textbook's drawing of a subject.
pub fn drawing(subject: Subject) -> Drawing {
    match subject {
        Subject::StateMachine => state_machine(),
        Subject::LogReplication => log_replication(),
        Subject::LeaderElection => leader_election(),
        Subject::Timeline => timeline(),
    }
}

const FOLLOWER: usize = 0;
const CANDIDATE: usize = 1;
const LEADER: usize = 2;
const PRE_CANDIDATE: usize = 3;
const LEARNER: usize = 4;

const SKETCH: &str = r"
                 starts
                   |
                   v
             +----------+          election timeout:            +-----------+ ---+ election timeout
             |          |  term + 1, votes for itself           |           |    | (split vote):
       +---- | follower | ------------------------------------> | candidate | <--+ term + 1
       |     |          |                                       |           |
       +---> |          | <------------------------------------ |           |
 heartbeat,  +----------+   leader of this or a higher term,    +-----------+
 or votes:         ^        or any message of a higher term           |
 timer anew        |                                                  | votes of a
                   |                                                  | majority
                   |                                                  v
                   |           any message of a higher term     +-----------+
                   +------------------------------------------- |  leader   |
                                                                +-----------+
";

fn state_machine() -> Drawing {
    let state =
        |name: &str, line: &str, is_extra| State { name: name.to_owned(), lines: vec![line.to_owned()], is_extra };
    let raft = |from, to, lines: &[&str]| transition(from, to, lines, false);
    let etcd = |from, to, lines: &[&str]| transition(from, to, lines, true);
    Drawing {
        title: "The states of a Raft member".to_owned(),
        notes: vec![
            "A message of a lower term is refused, in every state. What is marked etcd is not in the textbook."
                .to_owned(),
        ],
        form: Form::States(States {
            states: vec![
                state("follower", "answers; votes once in a term", false),
                state("candidate", "asks all others for their votes", false),
                state("leader", "sends AppendEntries and heartbeats", false),
                state("pre-candidate", "asks whether it would win; the term stays", true),
                state("learner", "receives the log, has no vote", true),
            ],
            transitions: vec![
                raft(None, FOLLOWER, &["starts, or starts again"]),
                raft(Some(FOLLOWER), FOLLOWER, &["hears its leader or votes: timer anew"]),
                raft(Some(FOLLOWER), CANDIDATE, &["election timeout: term + 1, votes for itself"]),
                raft(
                    Some(CANDIDATE),
                    CANDIDATE,
                    &["election timeout, as after a split vote: term + 1, a new election"],
                ),
                raft(Some(CANDIDATE), LEADER, &["votes of a majority"]),
                raft(
                    Some(CANDIDATE),
                    FOLLOWER,
                    &["a leader of its term or a higher one", "any message of a higher term"],
                ),
                raft(Some(LEADER), FOLLOWER, &["any message of a higher term"]),
                etcd(Some(FOLLOWER), PRE_CANDIDATE, &["election timeout with pre-vote (the default since 3.5)"]),
                etcd(Some(PRE_CANDIDATE), CANDIDATE, &["would win: term + 1"]),
                etcd(Some(PRE_CANDIDATE), PRE_CANDIDATE, &["election timeout: asks again"]),
                etcd(Some(PRE_CANDIDATE), FOLLOWER, &["a leader, a higher term, or a majority refuses"]),
                etcd(Some(CANDIDATE), PRE_CANDIDATE, &["timeout with pre-vote"]),
                etcd(Some(CANDIDATE), FOLLOWER, &["a majority refuses"]),
                etcd(Some(FOLLOWER), CANDIDATE, &["TimeoutNow: the leader hands over"]),
                etcd(
                    Some(LEADER),
                    FOLLOWER,
                    &["no majority heard of for an election timeout (check-quorum); the term stays"],
                ),
                etcd(None, LEARNER, &["added as a learner"]),
                etcd(Some(LEARNER), FOLLOWER, &["promoted, once it has most of the leader's log"]),
            ],
            sketch: Some(SKETCH),
        }),
    }
}

fn transition(from: Option<usize>, to: usize, lines: &[&str], is_extra: bool) -> Transition {
    Transition { from, to, lines: lines.iter().map(|&line| line.to_owned()).collect(), is_extra }
}

fn message(from: usize, to: usize, text: &str) -> Step {
    Step::Message { from, to, text: text.to_owned(), line: Line::Solid }
}

fn answer(from: usize, to: usize, text: &str) -> Step {
    Step::Message { from, to, text: text.to_owned(), line: Line::Dashed }
}

fn lost(from: usize, to: usize, text: &str) -> Step {
    Step::Message { from, to, text: text.to_owned(), line: Line::Lost }
}

fn note(first: usize, last: usize, text: &str) -> Step {
    Step::Note { first, last, text: text.to_owned() }
}

fn part(text: &str) -> Step {
    Step::Part(text.to_owned())
}

fn log_replication() -> Drawing {
    let (client, leader, a, b) = (0, 1, 2, 3);
    let steps = vec![
        part("The entry is replicated"),
        message(client, leader, "put (etcd: a follower that is asked passes it on)"),
        note(leader, leader, "appends entry i of its term to its log (etcd: its own disk is written while it sends)"),
        message(leader, a, "AppendEntries: entry i, index and term of the one before, commit index"),
        message(leader, b, "AppendEntries: the same"),
        note(a, a, "entry before i is the same: appends i, on disk"),
        answer(a, leader, "has entries up to i"),
        part("It is committed, applied and answered"),
        note(leader, leader, "two of three have i, a majority, and i is of its own term: i is committed"),
        note(leader, leader, "applies i to its key-value store"),
        answer(leader, client, "answer: done, revision"),
        note(b, b, "slower: appends i, on disk"),
        answer(b, leader, "has entries up to i; nobody waited for it"),
        part("Followers learn of it with the next message"),
        message(leader, a, "AppendEntries or heartbeat: commit index i"),
        message(leader, b, "AppendEntries or heartbeat: commit index i"),
        note(a, b, "apply i to their key-value stores"),
        part("Where logs differ"),
        message(leader, b, "AppendEntries: entry i, index and term of the one before"),
        answer(b, leader, "refused: another or no entry there"),
        message(leader, b, "AppendEntries from further back: replaces what differs"),
    ];
    Drawing {
        title: "A write in Raft, with three members".to_owned(),
        notes: Vec::new(),
        form: Form::Sequence(Sequence {
            actors: ["client", "leader", "follower A", "follower B"].map(str::to_owned).into(),
            steps,
        }),
    }
}

fn leader_election() -> Drawing {
    let (old, a, b) = (0, 1, 2);
    let steps = vec![
        part("Term 1: a leader"),
        message(old, a, "heartbeat, term 1"),
        message(old, b, "heartbeat, term 1"),
        note(old, old, "fails, or is cut off"),
        note(a, a, "election timeout, random: nothing heard of a leader (etcd: 1 to 2 times --election-timeout)"),
        part("etcd with pre-vote (the default since 3.5): would it win?"),
        message(a, b, "PreVote for term 2, its last index and term"),
        answer(b, a, "would vote: has not heard of a leader for an election timeout either"),
        part("Term 2: the election"),
        note(a, a, "candidate: term 2, votes for itself, on disk"),
        lost(a, old, "RequestVote"),
        message(a, b, "RequestVote: term 2, its last index and term"),
        note(b, b, "no vote given in term 2, and that log is not behind its own: votes, on disk"),
        answer(b, a, "vote for A in term 2"),
        note(a, a, "two votes of three, a majority: leader of term 2"),
        message(a, b, "AppendEntries: an empty entry of term 2; from now on heartbeats"),
        note(b, b, "follows A; its election timer starts anew with each message"),
        note(old, b, "had nobody got a majority (split vote): an election in term 3, after another random timeout"),
        part("The old leader comes back"),
        message(old, a, "heartbeat, term 1"),
        answer(a, old, "refused: term 2"),
        note(old, old, "a higher term: follower"),
        message(a, old, "AppendEntries, term 2: what it lacks"),
    ];
    Drawing {
        title: "A leader election in Raft, with three members".to_owned(),
        notes: Vec::new(),
        form: Form::Sequence(Sequence {
            actors: ["leader of term 1", "member A", "member B"].map(str::to_owned).into(),
            steps,
        }),
    }
}

fn timeline() -> Drawing {
    use Kind::{Follows, Leaderless, Leads, Silent};
    let lane = |name: &str, spans: &[(f64, f64, Kind, &str)]| Lane {
        name: name.to_owned(),
        spans: spans
            .iter()
            .map(|&(from_s, to_s, kind, text)| Span { range_s: (from_s, to_s), kind, text: text.to_owned() })
            .collect(),
    };
    Drawing {
        title: "Terms in Raft: one leader at most in each".to_owned(),
        notes: [
            "Made-up times, with etcd's default timeouts: a heartbeat each 0.1 s, an election after 1 to 2 s without one.",
            "Term 1: A is the first to time out, and B and C vote for it. At 6.0 s A fails.",
            "Term 2: B and C time out at nearly the same time and vote for themselves. Nobody gets two of three votes.",
            "Term 3: B times out first, and C votes for it. The cluster had no leader for 3.0 s.",
            "At 12.0 s A is back, meets the higher term, and follows.",
        ]
        .map(str::to_owned)
        .into(),
        form: Form::Timeline(Timeline {
            range_s: (0.0, 16.0),
            lanes: vec![
                lane(
                    "cluster",
                    &[
                        (0.0, 1.5, Leaderless, "no leader"),
                        (1.5, 6.0, Leads, "term 1: A leads"),
                        (6.0, 9.0, Leaderless, "no leader"),
                        (9.0, 16.0, Leads, "term 3: B leads"),
                    ],
                ),
                lane(
                    "A",
                    &[
                        (0.0, 1.3, Follows, "follower"),
                        (1.3, 1.5, Leaderless, "candidate, term 1"),
                        (1.5, 6.0, Leads, "leader, term 1"),
                        (6.0, 12.0, Silent, "failed"),
                        (12.0, 16.0, Follows, "follower, term 3"),
                    ],
                ),
                lane(
                    "B",
                    &[
                        (0.0, 7.4, Follows, "follower, term 1"),
                        (7.4, 8.8, Leaderless, "candidate, term 2"),
                        (8.8, 9.0, Leaderless, "candidate, term 3"),
                        (9.0, 16.0, Leads, "leader, term 3"),
                    ],
                ),
                lane(
                    "C",
                    &[
                        (0.0, 7.5, Follows, "follower, term 1"),
                        (7.5, 8.8, Leaderless, "candidate, term 2"),
                        (8.8, 16.0, Follows, "follower, term 3"),
                    ],
                ),
            ],
            windows: Vec::new(),
            marks: vec![
                (1.5, "election: A, term 1".to_owned()),
                (7.5, "split vote in term 2".to_owned()),
                (9.0, "election: B, term 3".to_owned()),
            ],
            legend: vec![
                (Leads, "leader"),
                (Follows, "follower"),
                (Leaderless, "candidate, or no leader"),
                (Silent, "failed"),
            ],
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The transitions between named states, those of the textbook or those of etcd.
    fn transitions(is_extra: bool) -> BTreeSet<(String, String)> {
        let Form::States(drawn) = state_machine().form else { panic!("states") };
        let name = |at: usize| drawn.states[at].name.clone();
        let wanted = drawn.transitions.iter().filter(|transition| transition.is_extra == is_extra);
        wanted.map(|transition| (transition.from.map_or("start".to_owned(), name), name(transition.to))).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
        pairs.iter().map(|&(from, to)| (from.to_owned(), to.to_owned())).collect()
    }

    #[test]
    fn the_textbook_has_these_transitions_and_no_others() {
        let expected = pairs(&[
            ("start", "follower"),
            ("follower", "follower"),
            ("follower", "candidate"),
            ("candidate", "candidate"),
            ("candidate", "leader"),
            ("candidate", "follower"),
            ("leader", "follower"),
        ]);
        assert_eq!(transitions(false), expected);
    }

    #[test]
    fn what_etcd_adds_is_marked_and_no_learner_ever_becomes_a_candidate() {
        let etcd = transitions(true);
        let expected = pairs(&[
            ("follower", "pre-candidate"),
            ("pre-candidate", "candidate"),
            ("pre-candidate", "pre-candidate"),
            ("pre-candidate", "follower"),
            ("candidate", "pre-candidate"),
            ("candidate", "follower"),
            ("follower", "candidate"),
            ("leader", "follower"),
            ("start", "learner"),
            ("learner", "follower"),
        ]);
        assert_eq!(etcd, expected);
        let Form::States(drawn) = state_machine().form else { panic!("states") };
        let extra: Vec<&str> =
            drawn.states.iter().filter(|state| state.is_extra).map(|state| state.name.as_str()).collect();
        assert_eq!(extra, ["pre-candidate", "learner"]);
    }

    #[test]
    fn no_term_of_the_timeline_has_two_leaders_and_no_leader_is_without_votes() {
        let Form::Timeline(drawn) = timeline().form else { panic!("a timeline") };
        let [cluster, members @ ..] = &drawn.lanes[..] else { panic!("lanes") };
        for lane in &drawn.lanes {
            assert!(lane.spans.windows(2).all(|pair| pair[0].range_s.1 == pair[1].range_s.0), "{}: gaps", lane.name);
            let ends = (lane.spans[0].range_s.0, lane.spans.last().map_or(0.0, |last| last.range_s.1));
            assert_eq!(ends, drawn.range_s, "{}", lane.name);
        }
        for reign in cluster.spans.iter().filter(|span| span.kind == Kind::Leads) {
            let leading: Vec<_> = members
                .iter()
                .flat_map(|lane| &lane.spans)
                .filter(|span| span.kind == Kind::Leads && span.range_s == reign.range_s)
                .collect();
            assert_eq!(leading.len(), 1, "{}", reign.text);
        }
        let led = members.iter().flat_map(|lane| &lane.spans).filter(|span| span.kind == Kind::Leads).count();
        assert_eq!(led, cluster.spans.iter().filter(|span| span.kind == Kind::Leads).count());
    }
}
