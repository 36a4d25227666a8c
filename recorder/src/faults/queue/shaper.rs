//! A shaper: a thread that holds or drops the packets of one queue, with netem's meaning of delay, jitter and loss.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution as _, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use run_folder::spec::{Distribution, Effect};

use super::nfqueue::{Queue, Verdict};
use crate::clock::monotonic_ns;
use crate::faults::protocol::Counters;

/// Packets that may be held at once: ten seconds at 100,000 a second.
const PACKETS_MAX: u32 = 1_000_000;

/// A shaper at work. It shapes what reaches its queue until [`Shaper::drain`].
#[derive(Debug)]
pub struct Shaper {
    thread: JoinHandle<io::Result<Counters>>,
    draining: Arc<AtomicBool>,
    wake: Arc<EventFd>,
}

impl Shaper {
    /// Binds queue `number` and starts shaping.
    ///
    /// # Errors
    /// When the kernel refuses the queue.
    pub fn start(number: u16, effect: Effect, seed: u64) -> io::Result<Self> {
        let queue = Queue::bind(number, PACKETS_MAX)?;
        let draining = Arc::new(AtomicBool::new(false));
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let state = Work {
            queue,
            effect,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            held: BinaryHeap::new(),
            counters: Counters::default(),
        };
        let (draining_inside, wake_inside) = (draining.clone(), wake.clone());
        let thread = std::thread::Builder::new()
            .name(format!("shaper{number}"))
            .spawn(move || state.run(&draining_inside, &wake_inside))?;
        Ok(Self { thread, draining, wake })
    }

    /// Releases all packets at once, those that are still on their way into the queue too, and unbinds it. No rule
    /// may lead into the queue any more.
    ///
    /// # Errors
    /// What went wrong while shaping or draining.
    pub fn drain(self) -> io::Result<Counters> {
        self.draining.store(true, Ordering::SeqCst);
        self.wake.write(1)?;
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the shaper panicked")))
    }
}

struct Work {
    queue: Queue,
    effect: Effect,
    random: Xoshiro256PlusPlus,
    /// Packets under way, the next one due on top: `(due, arrived, id)`.
    held: BinaryHeap<Reverse<(i64, i64, u32)>>,
    counters: Counters,
}

impl Work {
    fn run(mut self, draining: &AtomicBool, wake: &EventFd) -> io::Result<Counters> {
        crate::scheduling::wake_promptly();
        while !draining.load(Ordering::SeqCst) {
            self.wait(wake.as_fd())?;
            // Between batches too: a flood of packets must not keep those back that are due.
            while self.receive()? {
                self.release_due()?;
            }
            self.release_due()?;
        }
        // The rule is gone, so what is left in the socket is the last of it.
        while self.receive()? {}
        while let Some(Reverse((_, _, id))) = self.held.pop() {
            self.queue.verdict(id, Verdict::Accept)?;
        }
        self.queue.send_verdicts()?;
        Ok(self.counters)
    }

    /// Waits until a packet comes, one is due, or somebody wakes us.
    fn wait(&self, wake: std::os::fd::BorrowedFd<'_>) -> io::Result<()> {
        let timeout = self.held.peek().map(|Reverse((due_ns, ..))| {
            let left_ns = (due_ns - monotonic_ns()).max(0);
            TimeSpec::new(left_ns / 1_000_000_000, left_ns % 1_000_000_000)
        });
        let mut waiting = [PollFd::new(self.queue.as_fd(), PollFlags::POLLIN), PollFd::new(wake, PollFlags::POLLIN)];
        match ppoll(&mut waiting, timeout, None) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes in one batch of packets; true when there may be more.
    fn receive(&mut self) -> io::Result<bool> {
        let mut arrived = Vec::new();
        let more = self.queue.receive(|id| arrived.push(id))?;
        let now_ns = monotonic_ns();
        for id in arrived {
            self.counters.received += 1;
            match self.effect {
                Effect::Loss { loss_percent } if self.random.random::<f64>() * 100.0 < loss_percent => {
                    self.counters.dropped += 1;
                    self.counters.first_drop_ns.get_or_insert(now_ns);
                    self.queue.verdict(id, Verdict::Drop)?;
                }
                Effect::Loss { .. } => self.queue.verdict(id, Verdict::Accept)?,
                Effect::Delay { delay_us, jitter_us, distribution } => {
                    let hold_ns = self.hold_ns(delay_us, jitter_us, distribution);
                    self.held.push(Reverse((now_ns + hold_ns, now_ns, id)));
                }
                // Held for no time: the same way through the shaper as any delay. Of a null fault nothing comes here.
                Effect::Rate { .. } | Effect::Pass | Effect::Null => self.held.push(Reverse((now_ns, now_ns, id))),
            }
        }
        self.queue.send_verdicts()?;
        Ok(more)
    }

    /// netem's meaning: packets may overtake each other.
    fn hold_ns(&mut self, delay_us: u64, jitter_us: u64, distribution: Distribution) -> i64 {
        let deviation = if jitter_us == 0 { 0.0 } else { deviation(distribution, &mut self.random) };
        let hold_us = delay_us as f64 + deviation * jitter_us as f64;
        (hold_us.max(0.0) * 1000.0) as i64
    }

    fn release_due(&mut self) -> io::Result<()> {
        let now_ns = monotonic_ns();
        while let Some(Reverse((due_ns, arrived_ns, id))) = self.held.peek().copied() {
            if due_ns > now_ns {
                break;
            }
            self.held.pop();
            self.queue.verdict(id, Verdict::Accept)?;
            let held_ns = (now_ns - arrived_ns).unsigned_abs();
            self.counters.held += 1;
            self.counters.hold_sum_ns += held_ns;
            self.counters.hold_max_ns = self.counters.hold_max_ns.max(held_ns);
        }
        self.queue.send_verdicts()
    }
}

/// No deviation is larger, as in the tables that come with netem.
const DEVIATION_MAX: f64 = 4.0;

/// A random deviation from the mean delay, in units of the jitter: within 1 for the uniform distribution, else with the
/// shape of the tables that come with netem (S. Hemminger, "Network Emulation with NetEm", linux.conf.au 2005).
fn deviation(distribution: Distribution, random: &mut Xoshiro256PlusPlus) -> f64 {
    match distribution {
        Distribution::Uniform => random.random_range(-1.0..=1.0),
        Distribution::Normal => normal(random),
        Distribution::Pareto => pareto(random),
        Distribution::ParetoNormal => 0.25 * normal(random) + 0.75 * pareto(random),
    }
}

fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
    let deviation: f64 = StandardNormal.sample(random);
    deviation.clamp(-DEVIATION_MAX, DEVIATION_MAX)
}

/// With exponent 3, moved to the mean 0. The factor is netem's; the standard deviation would ask for a smaller one.
fn pareto(random: &mut Xoshiro256PlusPlus) -> f64 {
    let uniform = 1.0 - random.random::<f64>();
    ((uniform.powf(-1.0 / 3.0) - 1.5) * 4.0 / 3.0).min(DEVIATION_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_have_the_shapes_that_their_names_say() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut moments = |distribution| {
            let drawn: Vec<f64> = (0..200_000).map(|_| deviation(distribution, &mut random)).collect();
            let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
            let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / drawn.len() as f64;
            let (low, high) = drawn.iter().fold((0.0_f64, 0.0_f64), |(low, high), x| (low.min(*x), high.max(*x)));
            (mean, variance.sqrt(), low, high)
        };
        let near = |value: f64, asked: f64| (value - asked).abs() < 0.02;
        let (mean, deviation, low, high) = moments(Distribution::Uniform);
        assert!(near(mean, 0.0) && near(deviation, 1.0 / 3.0_f64.sqrt()) && low >= -1.0 && high <= 1.0);
        let (mean, deviation, low, high) = moments(Distribution::Normal);
        assert!(near(mean, 0.0) && near(deviation, 1.0) && low >= -4.0 && high <= 4.0);
        let (mean, _, low, high) = moments(Distribution::Pareto);
        // Cutting the longest delays off leaves the mean a little below.
        assert!((-0.06..0.0).contains(&mean) && near(low, -2.0 / 3.0) && near(high, 4.0), "{mean} {low} {high}");
        let (_, _, low, high) = moments(Distribution::ParetoNormal);
        assert!(low > -1.6 && high > 3.0, "{low} {high}");
    }
}
