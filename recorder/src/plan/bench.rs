//! The runs of a benchmark: one of each kind of operation, otherwise alike.

use run_folder::Label;
use run_folder::spec::{
    Attachment, Backend, ClientPlace, ClusterSpec, KeyDistribution, Mix, Pacing, RunSpec, WorkloadSpec,
};

use super::parts::{
    CLOSED_CONCURRENCY, CONCURRENCY_MAX, CONNECTIONS_MAX, DEADLINE_MS_MAX, KEY_BYTES_MAX, OPEN_CONCURRENCY,
    VALUE_BYTES_MAX, in_range,
};
use super::{OPERATIONS_MAX, RATE_PER_S_MAX, RATE_PER_S_MIN, drawn_seed};
use crate::cli::bench::BenchCommand;
use crate::cluster::room;
use crate::error::{Error, Result};
use crate::units;

/// What the keys of benchmarks begin with, and no others.
pub const KEY_PREFIX: &str = "laggard/bench/";
/// Operations of each kind when nothing is typed.
const DEFAULT_OPERATIONS: u64 = 1000;
/// Keys of a benchmark that is limited by time.
const TIMED_KEYS: u32 = 1000;
/// Most keys; with more operations they are used over again.
const KEYS_MAX: u32 = 1_000_000;
/// Members of a cluster that is made.
const DEFAULT_NODES: u8 = 3;
/// Kinds that write.
const WRITING_KINDS: u64 = 2;

/// A kind of operation that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchKind {
    /// Unconditional writes.
    Put,
    /// Linearizable reads.
    Get,
    /// Compare-and-swap.
    Transaction,
}

impl BenchKind {
    /// In the order in which they are measured: each finds what the one before has written.
    pub const ALL: [Self; 3] = [Self::Put, Self::Get, Self::Transaction];

    /// The name in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Transaction => "transaction",
        }
    }

    /// The label of its run.
    fn label(self) -> &'static str {
        match self {
            Self::Put => "bench_put",
            Self::Get => "bench_get",
            Self::Transaction => "bench_txn",
        }
    }

    fn mix(self) -> Mix {
        match self {
            Self::Put => Mix::PUTS,
            Self::Get => Mix { get: 1, ..Mix::default() },
            Self::Transaction => Mix { txn: 1, ..Mix::default() },
        }
    }
}

/// The run of each kind, in the order of [`BenchKind::ALL`]. On which cluster is settled later.
///
/// # Errors
/// Usage errors that name the option.
pub fn bench(typed: &BenchCommand) -> Result<Vec<RunSpec>> {
    let length = Length::new(typed)?;
    let concurrency = typed.concurrency.unwrap_or(match length.pacing {
        Pacing::Closed => CLOSED_CONCURRENCY,
        Pacing::Even | Pacing::Constant | Pacing::Poisson => OPEN_CONCURRENCY,
    });
    in_range("--concurrency", concurrency, 1, CONCURRENCY_MAX)?;
    in_range("--connections", typed.connections, 1, CONNECTIONS_MAX)?;
    let keys = length.keys();
    let digits = (keys - 1).max(1).ilog10() + 1;
    let key_bytes_min = KEY_PREFIX.len() as u32 + digits;
    if typed.key_size < key_bytes_min {
        return Err(Error::usage(format!(
            "--key-size is {}; with the prefix {KEY_PREFIX} and a number of {digits} digits a key has at least {key_bytes_min} \
             bytes",
            typed.key_size
        )));
    }
    in_range("--key-size", typed.key_size, key_bytes_min, KEY_BYTES_MAX)?;
    if !(1..=VALUE_BYTES_MAX).contains(&typed.value_size) {
        return Err(Error::usage(format!(
            "--value-size is {}; it must be between 1 and {VALUE_BYTES_MAX}, because etcd takes requests of 1.5 MiB",
            typed.value_size
        )));
    }
    length.check_room(u64::from(typed.key_size) + u64::from(typed.value_size))?;
    let deadline_ms = units::seconds_ms("--deadline", &typed.deadline)?;
    if !(1..=DEADLINE_MS_MAX).contains(&deadline_ms) {
        return Err(Error::usage("--deadline must be longer than 0 and at most 10 minutes"));
    }
    let warm_up_ms = units::seconds_ms("--warm-up", &typed.warm_up)?;
    let seed = typed.seed.unwrap_or_else(drawn_seed);
    let spec = |kind: BenchKind| RunSpec {
        label: Label::new(kind.label()).expect("these labels are valid"),
        seed,
        cluster: ClusterSpec { backend: Backend::Sandbox, nodes: typed.nodes.unwrap_or(DEFAULT_NODES) },
        workload: WorkloadSpec {
            pacing: length.pacing,
            duration_ms: length.duration_ms,
            operations: length.operations,
            concurrency,
            mix: kind.mix(),
            rate_per_s: if length.pacing == Pacing::Constant { typed.rate } else { None },
            load: None,
            connections: typed.connections,
            keys,
            key_distribution: KeyDistribution::Sequential,
            key_bytes: typed.key_size,
            key_prefix: KEY_PREFIX.to_owned(),
            filled: kind != BenchKind::Put,
            value_bytes: typed.value_size,
            deadline_ms,
            warm_up_ms,
            attachment: Attachment::RoundRobin,
            client_at: ClientPlace::Auto,
        },
        fault: None,
    };
    Ok(BenchKind::ALL.map(spec).into())
}

/// Bytes that this run of a benchmark and those after it write, warm-ups apart; 0 where that is not known before.
pub fn bytes_to_write(workload: &WorkloadSpec) -> u64 {
    let expected = match (workload.operations, workload.rate_per_s, workload.duration_ms) {
        (Some(operations), ..) => operations,
        (None, Some(rate_per_s), Some(duration_ms)) => (rate_per_s * duration_ms as f64 / 1000.0) as u64,
        _ => 0,
    };
    let kinds = match workload.mix {
        Mix { put: 1.., .. } => WRITING_KINDS,
        Mix { txn: 1.., .. } => 1,
        _ => 0,
    };
    expected * kinds * (u64::from(workload.key_bytes) + u64::from(workload.value_bytes))
}

/// How long each kind is measured.
#[derive(Debug, Clone, Copy)]
struct Length {
    pacing: Pacing,
    operations: Option<u64>,
    duration_ms: Option<u64>,
    /// Operations, as far as that is known before.
    expected: Option<f64>,
}

impl Length {
    fn new(typed: &BenchCommand) -> Result<Self> {
        if typed.operations.is_some_and(|operations| !(1..=OPERATIONS_MAX).contains(&operations)) {
            return Err(Error::usage(format!("--operations must be between 1 and {OPERATIONS_MAX}")));
        }
        let duration_ms = typed.duration.as_ref().map(|text| units::seconds_ms("--duration", text)).transpose()?;
        if duration_ms == Some(0) {
            return Err(Error::usage("--duration is 0; give the time for each kind, as in 30s"));
        }
        let default = duration_ms.is_none().then_some(DEFAULT_OPERATIONS);
        let operations = typed.operations.or(default);
        let Some(rate) = typed.rate else {
            let expected = operations.map(|operations| operations as f64);
            return Ok(Self { pacing: Pacing::Closed, operations, duration_ms, expected });
        };
        if !(RATE_PER_S_MIN..=RATE_PER_S_MAX as f64).contains(&rate) {
            return Err(Error::usage(format!("--rate must be between {RATE_PER_S_MIN} and {RATE_PER_S_MAX} a second")));
        }
        match (operations, duration_ms) {
            (Some(_), Some(_)) => Err(Error::usage(
                "--rate, --operations and --duration do not go together: any two of them say what the third is",
            )),
            (_, Some(duration_ms)) => {
                let expected = rate * duration_ms as f64 / 1000.0;
                if expected < 1.0 {
                    return Err(Error::usage("--rate gives not one operation in --duration; raise one of them"));
                }
                let expected = Some(expected);
                Ok(Self { pacing: Pacing::Constant, operations: None, duration_ms: Some(duration_ms), expected })
            }
            (operations, None) => {
                let operations = operations.unwrap_or(DEFAULT_OPERATIONS);
                let seconds = operations as f64 / rate;
                // The same bound as of any time that is typed.
                units::seconds_ms("--operations at this --rate", &format!("{seconds:.3}"))?;
                let duration_ms = Some(((seconds * 1000.0).round() as u64).max(1));
                let expected = Some(operations as f64);
                Ok(Self { pacing: Pacing::Even, operations: Some(operations), duration_ms, expected })
            }
        }
    }

    /// As many keys as operations, so that no two at once need the same one.
    fn keys(&self) -> u32 {
        match (self.operations, self.expected) {
            (Some(operations), _) => operations.min(u64::from(KEYS_MAX)) as u32,
            (None, Some(expected)) => (expected as u32).clamp(1, TIMED_KEYS),
            (None, None) => TIMED_KEYS,
        }
    }

    /// Refuses more than an empty cluster takes: past its quota it refuses all writes, its users' too. What is there already, and
    /// what a closed loop writes in its time, shows when the cluster is asked.
    fn check_room(&self, operation_bytes: u64) -> Result<()> {
        let Some(expected) = self.expected else { return Ok(()) };
        let room = room::usable(room::DEFAULT_QUOTA_BYTES);
        let written = expected * (WRITING_KINDS * operation_bytes) as f64;
        if written <= room as f64 {
            return Ok(());
        }
        let fitting = room / (WRITING_KINDS * operation_bytes);
        Err(Error::usage(format!(
            "--operations and --value-size: puts and transactions would write {:.1} GB, and by default a cluster that holds \
             {:.1} GB refuses every write; {fitting} operations of this size fit",
            written / 1e9,
            room::DEFAULT_QUOTA_BYTES as f64 / 1e9
        )))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn planned(options: &str) -> Result<Vec<RunSpec>> {
        let words = ["recorder", "bench"].into_iter().chain(options.split_whitespace());
        match Cli::try_parse_from(words).expect(options).command {
            Command::Bench(typed) => bench(&typed),
            other => panic!("{other:?}"),
        }
    }

    fn workload(options: &str) -> WorkloadSpec {
        planned(options).expect(options)[0].workload.clone()
    }

    #[test]
    fn the_kinds_differ_in_what_they_ask_alone() {
        let specs = planned("--seed 7").unwrap();
        let labels: Vec<_> = specs.iter().map(|spec| spec.label.as_str()).collect();
        assert_eq!(labels, ["bench_put", "bench_get", "bench_txn"]);
        let fills: Vec<_> = specs.iter().map(|spec| spec.workload.filled).collect();
        assert_eq!(fills, [false, true, true], "gets and transactions find a value whatever became of the puts");
        for spec in &specs {
            let alike = WorkloadSpec { mix: Mix::PUTS, filled: false, ..spec.workload.clone() };
            assert_eq!((alike, spec.seed), (specs[0].workload.clone(), 7));
        }
        let first = &specs[0].workload;
        assert_eq!((first.operations, first.keys, first.concurrency), (Some(1000), 1000, 16));
        assert_eq!((first.pacing, first.duration_ms, first.warm_up_ms), (Pacing::Closed, None, 500));
    }

    #[test]
    fn what_is_typed_says_how_long() {
        let length = |options| {
            let workload = workload(options);
            (workload.pacing, workload.operations, workload.duration_ms, workload.keys)
        };
        assert_eq!(length("--operations 50000"), (Pacing::Closed, Some(50_000), None, 50_000));
        assert_eq!(length("--duration 10s"), (Pacing::Closed, None, Some(10_000), 1000));
        assert_eq!(length("--duration 2 --operations 10"), (Pacing::Closed, Some(10), Some(2_000), 10));
        assert_eq!(length("--rate 100 --duration 2"), (Pacing::Constant, None, Some(2_000), 200));
        assert_eq!(length("--rate 400"), (Pacing::Even, Some(1000), Some(2_500), 1000));
        assert_eq!(length("--operations 3000000 --value-size 1"), (Pacing::Closed, Some(3_000_000), None, KEYS_MAX));
    }

    #[test]
    fn what_will_be_written_is_known_unless_only_the_time_is() {
        let bytes =
            |options| planned(options).expect(options).iter().map(|spec| bytes_to_write(&spec.workload)).collect();
        let of = |operations: u64| vec![operations * 2 * 288, 0, operations * 288];
        for (options, operations) in [
            ("--operations 50000", 50_000),
            ("--rate 100 --duration 2", 200),
            ("--rate 400 --operations 800", 800),
            ("--duration 10s", 0),
        ] {
            let bytes: Vec<u64> = bytes(options);
            assert_eq!(bytes, of(operations), "{options}");
        }
    }

    #[test]
    fn wrong_options_are_named() {
        for (options, parts) in [
            ("--concurrency 0", ["--concurrency is 0", "between 1 and"]),
            ("--connections 0", ["--connections is 0", "between 1 and"]),
            ("--operations 0", ["--operations", "between 1 and"]),
            ("--duration 0", ["--duration is 0", "30s"]),
            ("--duration soon", ["--duration", "soon"]),
            ("--rate 0", ["--rate", "between"]),
            ("--rate NaN", ["--rate", "between"]),
            ("--rate 0.1 --duration 1", ["--rate", "not one operation"]),
            ("--rate 1 --duration 1 --operations 1", ["--rate", "do not go together"]),
            ("--rate 0.01 --operations 100000", ["--operations at this --rate", "24 hours"]),
            ("--key-size 0", ["--key-size is 0", "at least 17 bytes"]),
            ("--key-size 16", ["--key-size is 16", "laggard/bench/"]),
            ("--key-size 5000", ["--key-size is 5000", "4096"]),
            ("--value-size 0", ["--value-size is 0", "between 1 and 1500000"]),
            ("--value-size 1500001", ["--value-size is 1500001", "1.5 MiB"]),
            ("--value-size 1500000", ["--value-size", "626 operations of this size fit"]),
            ("--deadline 0", ["--deadline", "longer than 0"]),
            ("--warm-up never", ["--warm-up", "never"]),
        ] {
            let message = planned(options).expect_err(options).to_string();
            for part in parts {
                assert!(message.contains(part), "{options}: no {part:?} in: {message}");
            }
        }
        assert!(planned("--value-size 1500000 --operations 600").is_ok());
        assert!(planned("--key-size 17").is_ok(), "the prefix and three digits");
    }
}
