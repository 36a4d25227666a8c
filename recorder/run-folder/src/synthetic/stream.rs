//! The operations of a made-up run, in the order in which they ended.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::random::Random;
use super::{Fault, Planned, Shape};
use crate::Operation;
use crate::operation::{ErrorKind, Kind, Outcome};
use crate::spec::Effect;

pub(super) const MEMBERS: u8 = 3;
pub(super) const KEYS: u32 = 10_000;
pub(super) const DEADLINE_NS: i64 = 5_000_000_000;

/// A retransmission of TCP comes this much later than the lost packet.
const RETRANSMIT_NS: f64 = 200e6;

/// Iterator over the operations of a made-up run: those of the warm-up, then [`Shape::operations`] more.
#[derive(Debug)]
pub struct Stream {
    random: Random,
    median_service_ns: f64,
    fault: Option<Fault>,
    /// Operations under way; the one that ends first on top.
    under_way: BinaryHeap<Reverse<UnderWay>>,
    next_op_id: i64,
    left: u64,
    /// No operation becomes due from here on.
    end_ns: i64,
    /// Revisions that puts will get next. Answers arrive nearly, not wholly, in the order of commits.
    revisions: VecDeque<i64>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnderWay {
    end_ns: i64,
    op_id: i64,
    worker: i32,
    intended_ns: i64,
    start_ns: i64,
}

impl Stream {
    /// Starts the stream of `shape`.
    pub fn new(shape: &Shape) -> Self {
        Self::planned(&shape.into())
    }

    /// Starts the stream of a run of a sweep.
    pub fn planned(run: &Planned) -> Self {
        let shape = &run.shape;
        let mut stream = Self {
            random: Random::new(shape.seed),
            median_service_ns: shape.median_service_ns as f64,
            fault: run.felt(),
            under_way: BinaryHeap::new(),
            next_op_id: 0,
            left: shape.operations,
            end_ns: run.duration_ms.map_or(i64::MAX, |ms| ms as i64 * 1_000_000),
            revisions: (2..10).collect(),
        };
        let first_ns = -(shape.warm_up_ms as i64) * 1_000_000;
        for worker in 0..shape.concurrency as i32 {
            stream.issue(worker, first_ns);
        }
        stream
    }

    fn issue(&mut self, worker: i32, intended_ns: i64) {
        if intended_ns >= 0 {
            if self.left == 0 || intended_ns >= self.end_ns {
                return;
            }
            self.left -= 1;
        }
        let start_ns = intended_ns + 2_000 + self.random.below(10_000) as i64;
        let end_ns = (start_ns + self.service_ns(start_ns)).min(intended_ns + DEADLINE_NS);
        self.under_way.push(Reverse(UnderWay { end_ns, op_id: self.next_op_id, worker, intended_ns, start_ns }));
        self.next_op_id += 1;
    }

    fn service_ns(&mut self, start_ns: i64) -> i64 {
        let healthy_ns = self.random.log_normal(self.median_service_ns, 0.4);
        let extra_ns = match self.fault.filter(|fault| fault.holds_at(start_ns)).map(|fault| fault.effect) {
            None | Some(Effect::Rate { .. } | Effect::Pass | Effect::Null) => 0.0,
            Some(Effect::Delay { delay_us, jitter_us, .. }) => {
                delay_us as f64 * 1e3 + jitter_us as f64 * 1e3 * (2.0 * self.random.uniform() - 1.0)
            }
            Some(Effect::Loss { loss_percent }) => {
                let mut extra_ns = 0.0;
                let mut retransmit_ns = RETRANSMIT_NS;
                while self.random.uniform() * 100.0 <= loss_percent && extra_ns < DEADLINE_NS as f64 {
                    extra_ns += retransmit_ns;
                    retransmit_ns *= 2.0;
                }
                extra_ns
            }
        };
        (healthy_ns + extra_ns) as i64
    }

    /// The answer to an operation that ends now.
    fn answer(&mut self, ended: &UnderWay) -> Operation {
        let kind = if self.random.below(100) == 0 { Kind::Get } else { Kind::Put };
        let is_ok = ended.end_ns < ended.intended_ns + DEADLINE_NS;
        let endpoint = (ended.op_id % i64::from(MEMBERS)) as u8;
        let newest = self.revisions.front().map_or(1, |next| next - 1);
        let revision = match kind {
            Kind::Put => {
                let pick = self.random.below(4) as usize;
                self.revisions.push_back(self.revisions.back().map_or(1, |last| last + 1));
                self.revisions.remove(pick)
            }
            _ => Some(newest),
        };
        Operation {
            op_id: ended.op_id,
            worker: ended.worker,
            kind,
            intended_ns: ended.intended_ns,
            start_ns: Some(ended.start_ns),
            end_ns: ended.end_ns,
            outcome: if is_ok { Outcome::Ok } else { Outcome::Unknown },
            error: (!is_ok).then_some(ErrorKind::Deadline),
            endpoint,
            member: is_ok.then_some(endpoint),
            raft_term: is_ok.then_some(2),
            revision: revision.filter(|_| is_ok),
            key: self.random.below(u64::from(KEYS)) as i32,
            seen_mod_revision: (is_ok && kind == Kind::Get).then_some((newest - 5000).max(0)),
            txn_succeeded: None,
            value_bytes: 256,
        }
    }
}

impl Iterator for Stream {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        let Reverse(ended) = self.under_way.pop()?;
        let operation = self.answer(&ended);
        self.issue(ended.worker, ended.end_ns);
        Some(operation)
    }
}

impl Fault {
    /// Whether the window is open at `time_ns`.
    pub(super) fn holds_at(&self, time_ns: i64) -> bool {
        let at_ns = self.at_ms as i64 * 1_000_000;
        time_ns >= at_ns && self.for_ms.is_none_or(|for_ms| time_ns < at_ns + for_ms as i64 * 1_000_000)
    }
}
