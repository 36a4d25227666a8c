//! Diagrams of Raft: as in a textbook, or of what was recorded. They never compute: what a diagram of a run says comes from
//! tables, and only what the samples show is said.
//!
//! A diagram is a [`Drawing`], of one of three forms, whatever its language: [`textbook`] and [`recorded`] make drawings,
//! [`mermaid`], [`graphviz`] and [`ascii`] write them down. Names and labels come from recordings, and may hold
//! anything: each language escapes all text that it writes, and drawings hold plain text only.

pub mod ascii;
pub mod graphviz;
pub mod mermaid;
pub mod recorded;
pub mod textbook;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The states of a member and what leads from one to another.
    StateMachine,
    /// A write's way from the client to a majority and back.
    LogReplication,
    /// From the loss of a leader to the next one.
    LeaderElection,
    /// Terms, leaders and the times between them.
    Timeline,
}

impl Subject {
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StateMachine => "state-machine",
            Self::LogReplication => "log-replication",
            Self::LeaderElection => "leader-election",
            Self::Timeline => "timeline",
        }
    }
}

/// A diagram before it is written in a language.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// One line that says what it shows.
    pub title: String,
    /// Sentences below it.
    pub notes: Vec<String>,
    /// What is drawn.
    pub form: Form,
}

/// The forms of diagrams.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// States and transitions.
    States(States),
    /// Who says what to whom, from top to bottom.
    Sequence(Sequence),
    /// Lanes along an axis of time.
    Timeline(Timeline),
}

/// States and the transitions between them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct States {
    /// The states.
    pub states: Vec<State>,
    /// The transitions, by the indices of their states.
    pub transitions: Vec<Transition>,
    /// The same as a picture made of characters, where there is a good one.
    pub sketch: Option<&'static str>,
}

/// A state.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Its name.
    pub name: String,
    /// What is to be said of it.
    pub lines: Vec<String>,
    /// What it adds to textbooks' Raft.
    pub is_extra: bool,
}

/// A transition.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// Index of the state that is left; `None` at the start.
    pub from: Option<usize>,
    /// Index of the state that is entered.
    pub to: usize,
    /// Why, or when.
    pub lines: Vec<String>,
    /// What it adds to textbooks' Raft.
    pub is_extra: bool,
}

/// A sequence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sequence {
    /// Names of those who take part, from left to right.
    pub actors: Vec<String>,
    /// What happens, from top to bottom.
    pub steps: Vec<Step>,
}

/// A step of a sequence; numbers are indices of actors.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A part begins.
    Part(String),
    /// Something is said.
    Message {
        /// By whom.
        from: usize,
        /// To whom.
        to: usize,
        /// What.
        text: String,
        /// How it is drawn.
        line: Line,
    },
    /// Something happens at one of them, or at all from the first to the last.
    Note {
        /// The leftmost.
        first: usize,
        /// The rightmost.
        last: usize,
        /// What.
        text: String,
    },
}

/// How a message is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A request.
    Solid,
    /// An answer.
    Dashed,
    /// A message that does not arrive.
    Lost,
}

/// Lanes along an axis of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// Where the axis begins and ends, in seconds.
    pub range_s: (f64, f64),
    /// The lanes, from top to bottom.
    pub lanes: Vec<Lane>,
    /// Times that are shaded over all lanes: from, to, and why.
    pub windows: Vec<(f64, f64, String)>,
    /// Moments that are marked.
    pub marks: Vec<(f64, String)>,
    /// What the kinds of spans mean here.
    pub legend: Vec<(Kind, &'static str)>,
}

/// A lane.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Its spans, in order of time.
    pub spans: Vec<Span>,
}

/// A span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Where it begins and ends, in seconds.
    pub range_s: (f64, f64),
    /// What it is.
    pub kind: Kind,
    /// What is written on it where there is room.
    pub text: String,
}

/// What a member does in a span, or what the cluster has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It leads, or there is a leader.
    Leads,
    /// It follows.
    Follows,
    /// It has no leader, or seeks to become one.
    Leaderless,
    /// It is silent.
    Silent,
}

/// Breaks a text between words into lines of at most `chars` characters; a longer word has a line of its own.
fn wrapped(text: &str, chars: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= chars => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Round values within a range, at most some `most` of them, with their labels.
pub(crate) fn ticks((from, to): (f64, f64), most: usize) -> Vec<(f64, String)> {
    let least = (to - from).max(1e-3) / most.max(1) as f64;
    let decade = 10_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * decade).into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    let step = step.unwrap_or(10.0 * decade);
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let (first, last) = ((from / step - 1e-9).ceil() as i64, (to / step + 1e-9).floor() as i64);
    (first..=last).map(|at| at as f64 * step).map(|at| (at, format!("{at:.decimals$}"))).collect()
}
