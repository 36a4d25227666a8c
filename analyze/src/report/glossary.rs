//! Words of the report, for readers who meet them for the first time.

use maud::{Markup, html};

const WORDS: &[(&str, &str)] = &[
    (
        "operation",
        "One request of a client: a put, a linearizable or serializable get, a compare-and-swap transaction, or a delete. \
         Each one that became due has a row of its own, whatever became of it.",
    ),
    (
        "due, intended start",
        "When an operation should have been sent. In an open loop a schedule says so, which never waits for answers.",
    ),
    ("service time", "From the sending of an operation to its answer: what the cluster needed."),
    (
        "response time",
        "From when an operation was due to its answer: what a client who wanted it then had to wait. It contains the wait of \
         an operation that could not be sent in time, so that a slow phase cannot hide by being asked less (“coordinated \
         omission”).",
    ),
    (
        "open loop, closed loop",
        "In an open loop operations become due at a given rate, as from many independent users. In a closed loop each \
         worker's next operation is due when its last one has ended, so that a slow cluster is asked less.",
    ),
    (
        "outcome",
        "ok: acknowledged. failed: certainly not done. unknown: no answer in time, it may have been done. unsent: given up \
         before it was sent.",
    ),
    ("throughput", "Acknowledged operations per second of the phase in which they were due."),
    (
        "quantile, percentile, p50, p99",
        "p99 is the 99th percentile: 99 % of the operations took no longer. p50 is the median. High percentiles are where \
         slow members show first.",
    ),
    (
        "leader, follower",
        "Of an etcd cluster's members one leads: every write goes through it, and counts when a majority of the members \
         have it. The others follow.",
    ),
    ("term, election", "A term is the time of one leader; it ends when a majority elects another one."),
    (
        "fault",
        "What is done to the target's packets within a window of time: they are delayed, lost, or slowed to a rate. That it \
         worked is measured in each run (see its evidence).",
    ),
    ("target", "The member that the fault hits: the leader or a follower when the fault began."),
    (
        "before, during, after",
        "The phases of a run, cut at the measured edges of the fault. A run whose fault lasts all the time has only a during.",
    ),
    ("label, repeat", "Runs of one label ask for the same experiment; each is a repeat."),
    ("family", "Labels that differ in the fault's value alone, as in delay10_mid and delay100_mid."),
    ("sweep", "Runs that were planned together and recorded one after the other, in shuffled order."),
    (
        "baseline",
        "A run without a fault, recorded between the others: what runs without a before are compared with, and what shows \
         how much the machine varies by itself.",
    ),
    (
        "control, null fault",
        "A run whose fault must show nothing. With a null fault everything is at work, and packets are left alone.",
    ),
    ("ratio", "A number under the fault divided by the one that it is compared with. 1 is no effect."),
    (
        "95 % interval, between-run, within-run",
        "Where the true value probably lies: intervals made this way contain it 95 times in 100. Between-run: from what \
         repeats differ by. Within-run: from one run alone, which cannot tell what the next one would show.",
    ),
    (
        "noise floor",
        "The largest ratio among runs that should show none. Smaller effects are greyed and marked with ~: they may be the \
         machine's mood.",
    ),
    (
        "significant",
        "An effect that chance alone would show in fewer than one of twenty sweeps like this one, and that is larger than the \
         noise floor. Marked with *.",
    ),
    (
        "guard band, edge",
        "A few milliseconds around the beginning and the end of a fault in which nobody knows what an operation met. Such \
         operations belong to the phase edge, and to no other.",
    ),
    (
        "censored",
        "Known only as a bound: an operation without an answer took at least its deadline, a run that did not get back to \
         normal needed at least the time that was left.",
    ),
];

/// The glossary.
pub(super) fn all() -> Markup {
    html! { dl .glossary { @for (word, meaning) in WORDS { dt { (word) } dd { (meaning) } } } }
}
