//! How exactly the open loop starts operations when the cluster costs nothing: start minus intended start, as the rows of
//! the run have it, beside a bare thread that only sleeps until each time with `clock_nanosleep`:
//!
//!     cargo run --release --package recorder --example pacing
//!
//! Everything of a recorded run is at work (sandbox, pacer, clients, recording, samplers, probes) but etcd, whose place
//! is taken by this same program: see [`stub`]. The two take turns, so that a drift of the machine's speed hits both.
//! Measure on an idle machine; with an argument, each turn takes that many seconds.

#[path = "../recorded/mod.rs"]
mod recorded;
mod stub;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use recorded::{MEMBERS, in_sandbox, puts, record};
use recorder::clock::{monotonic_ns, sleep_until_monotonic};
use recorder::cluster::{Cluster, etcd};
use recorder::error::{Error, Result};
use recorder::scheduling;
use run_folder::reader;
use run_folder::spec::{Pacing, WorkloadSpec};

const RATES_PER_S: [u32; 2] = [2_000, 5_000];
const TURNS: usize = 3;
const TURN_S: u64 = 10;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if stub::is_asked_for(&arguments) {
        return stub::serve(&arguments);
    }
    let turn_s = arguments.first().and_then(|seconds| seconds.parse().ok()).unwrap_or(TURN_S);
    in_sandbox("pacing", async move |place| measure(place, turn_s).await)
}

async fn measure(place: &std::path::Path, turn_s: u64) -> Result<()> {
    let _signals = recorder::signals::install()?;
    let own_path = std::env::current_exe().map_err(|error| Error::environment(error.to_string()))?;
    let program = etcd::Program::find(Some(&own_path), None)?;
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let cluster = Cluster::up(&program, MEMBERS, &place.join("data"), threads).await?;
    println!("start minus intended start in us; {TURNS} turns of {turn_s} s at each rate");
    println!("{:>6} {:>5} {:<14} {HEADINGS} {:>9} {:>9}", "rate", "turn", "what", "achieved", "CPU us/op");
    for rate_per_s in RATES_PER_S {
        for turn in 1..=TURNS {
            let bare = bare_thread(rate_per_s, turn_s)?;
            println!("{rate_per_s:>6} {turn:>5} {:<14} {}", "bare thread", Lags::of(bare));
            let (lags, cpu_us) = open_loop(&cluster, place, rate_per_s, turn_s).await?;
            let achieved = lags.len() as f64 / turn_s as f64;
            println!("{rate_per_s:>6} {turn:>5} {:<14} {} {achieved:>9.0} {cpu_us:>9.1}", "open loop", Lags::of(lags));
        }
    }
    Ok(())
}

const HEADINGS: &str = "      p50      p99    p99.9      max";

/// Quantiles of lags, in microseconds.
struct Lags([f64; 4]);

impl Lags {
    fn of(mut lags_ns: Vec<i64>) -> Self {
        lags_ns.sort_unstable();
        let at = |quantile: f64| {
            // Nearest rank.
            let rank = (quantile * lags_ns.len() as f64).ceil() as usize;
            lags_ns.get(rank.max(1) - 1).map_or(f64::NAN, |lag_ns| *lag_ns as f64 / 1000.0)
        };
        Self([0.5, 0.99, 0.999, 1.0].map(at))
    }
}

impl std::fmt::Display for Lags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns: Vec<_> = self.0.iter().map(|us| format!("{us:>8.1}")).collect();
        f.write_str(&columns.join(" "))
    }
}

/// A thread that does nothing but wake up at each time.
fn bare_thread(rate_per_s: u32, turn_s: u64) -> Result<Vec<i64>> {
    let sleeper = std::thread::spawn(move || {
        scheduling::wake_promptly();
        let start_ns = monotonic_ns();
        let due = |index: u64| start_ns + (index * 1_000_000_000 / u64::from(rate_per_s)) as i64;
        let wake = |intended_ns: i64| {
            sleep_until_monotonic(intended_ns);
            monotonic_ns() - intended_ns
        };
        (1..=turn_s * u64::from(rate_per_s)).map(due).map(wake).collect()
    });
    sleeper.join().map_err(|_| Error::run("the bare thread panicked"))
}

/// The lags of a recorded open loop, and the CPU time of the whole recorder for each operation in microseconds.
async fn open_loop(
    cluster: &Cluster,
    place: &std::path::Path,
    rate_per_s: u32,
    turn_s: u64,
) -> Result<(Vec<i64>, f64)> {
    let workload = WorkloadSpec {
        pacing: Pacing::Constant,
        rate_per_s: Some(f64::from(rate_per_s)),
        warm_up_ms: 1_000,
        ..puts(1_000, turn_s * 1000)
    };
    let recorded = record(cluster, place, workload).await?;
    let mut lags_ns = Vec::new();
    for batch in reader::operations(&recorded.folder, &["intended_ns", "start_ns", "outcome"])? {
        let batch = batch?;
        let column = |name: &str| batch[name].as_primitive::<Int64Type>();
        for (intended, start) in column("intended_ns").iter().zip(column("start_ns")) {
            if let (Some(intended_ns @ 0..), Some(start_ns)) = (intended, start) {
                lags_ns.push(start_ns - intended_ns);
            }
        }
    }
    Ok((lags_ns, recorded.cpu_ns as f64 / 1000.0 / recorded.operations.max(1) as f64))
}
