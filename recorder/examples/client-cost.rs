//! CPU time an operation costs the client, with everything of a recorded run on, beside a bare loop on the etcd-client
//! crate against the same cluster in the same run:
//!
//!     cargo run --release --package recorder --example client-cost
//!
//! Puts in a closed loop of 128 workers, round-robin over three members; the two take turns, so that a drift of the
//! machine's speed hits both.

#[path = "recorded/mod.rs"]
mod recorded;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use recorded::{MEMBERS, in_sandbox, puts, record};
use recorder::cluster::{self, Cluster, etcd};
use recorder::error::{Error, Result};
use recorder::host;

const CONCURRENCY: u32 = 128;
const TURN_MS: u64 = 5_000;
const TURNS: usize = 3;

fn main() -> std::process::ExitCode {
    in_sandbox("client-cost", measure)
}

async fn measure(place: &std::path::Path) -> Result<()> {
    let _signals = recorder::signals::install()?;
    let program = etcd::Program::find(None, None)?;
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let cluster = Cluster::up(&program, MEMBERS, &place.join("data"), threads).await?;
    println!("{CONCURRENCY} workers, 256-byte puts, {TURNS} turns of {} s each", TURN_MS / 1000);
    println!("{:>6} {:>28} {:>28} {:>8}", "turn", "bare loop", "recorded workload", "ratio");
    let mut ratios = Vec::new();
    for turn in 1..=TURNS {
        let bare = bare_loop(&cluster).await?;
        let recorded = record(&cluster, place, puts(CONCURRENCY, TURN_MS)).await?;
        let recorded = Cost { operations: recorded.operations, cpu_ns: recorded.cpu_ns, took: recorded.took };
        let ratio = recorded.cpu_us_per_operation() / bare.cpu_us_per_operation();
        println!("{turn:>6} {bare:>28} {recorded:>28} {ratio:>8.2}");
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}; CPU time is that of the whole recorder process", ratios[TURNS / 2]);
    Ok(())
}

/// What a turn cost.
struct Cost {
    operations: u64,
    cpu_ns: u64,
    took: Duration,
}

impl Cost {
    fn cpu_us_per_operation(&self) -> f64 {
        self.cpu_ns as f64 / 1000.0 / self.operations.max(1) as f64
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = self.operations as f64 / self.took.as_secs_f64();
        f.pad(&format!("{:.1} us/op at {rate:.0} ops/s", self.cpu_us_per_operation()))
    }
}

async fn bare_loop(cluster: &Cluster) -> Result<Cost> {
    let mut clients = Vec::new();
    for member in &cluster.members {
        let (sockets, address) = (cluster.client.sockets().clone(), member.client_address);
        let made = cluster.client.run(async move { cluster::client(&sockets, address).await });
        clients.push(made.await??.kv_client());
    }
    let (began, cpu_ns) = (Instant::now(), host::own_usage().0);
    let done = Arc::new(AtomicI64::new(0));
    let workers: Vec<_> = (0..CONCURRENCY)
        .map(|_| {
            let (mut clients, done) = (clients.clone(), done.clone());
            cluster.client.spawn(async move {
                while began.elapsed() < Duration::from_millis(TURN_MS) {
                    let number = done.fetch_add(1, Ordering::Relaxed);
                    let key = format!("{:016}", number % 10_000);
                    let client = number as usize % clients.len();
                    // A failed put costs as much and is rare; the recorded workload counts them too.
                    let _ = clients[client].put(key, vec![7; 256], None).await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.map_err(|error| Error::run(error.to_string()))?;
    }
    Ok(Cost {
        operations: done.load(Ordering::Relaxed).unsigned_abs(),
        cpu_ns: host::own_usage().0 - cpu_ns,
        took: began.elapsed(),
    })
}
