//! What an operation asks: its kind, key and value, drawn from the run's seed and the operation's number, so that the
//! same seed asks the same things whatever the timing does.

use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;
use run_folder::operation::Kind;
use run_folder::spec::{KeyDistribution, Mix, WorkloadSpec};

/// Random bytes that values are cut from; larger than a value so that neighbours differ.
const POOL_SLACK_BYTES: usize = 64 * 1024;

/// What one operation asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// What is asked.
    pub kind: Kind,
    /// Index of the key.
    pub key: i32,
    value_at: usize,
}

/// The source of draws.
#[derive(Debug)]
pub struct Draws {
    seed: u64,
    kinds: Vec<(u64, Kind)>,
    total_weight: u64,
    keys: u32,
    key_choice: KeyChoice,
    key_prefix: Vec<u8>,
    key_bytes: usize,
    value_bytes: usize,
    pool: Vec<u8>,
}

impl Draws {
    /// Draws for a workload.
    pub fn new(seed: u64, spec: &WorkloadSpec) -> Self {
        let value_bytes = spec.value_bytes as usize;
        let mut pool = vec![0; value_bytes + POOL_SLACK_BYTES];
        Xoshiro256PlusPlus::seed_from_u64(seed).fill_bytes(&mut pool);
        let mut total_weight = 0;
        let kinds = weights(&spec.mix)
            .into_iter()
            .filter(|(weight, _)| *weight > 0)
            .map(|(weight, kind)| {
                total_weight += u64::from(weight);
                (total_weight, kind)
            })
            .collect();
        let (key_prefix, key_bytes) = (spec.key_prefix.clone().into_bytes(), spec.key_bytes as usize);
        let key_choice = KeyChoice::new(spec);
        Self { seed, kinds, total_weight, keys: spec.keys, key_choice, key_prefix, key_bytes, value_bytes, pool }
    }

    /// What operation `op_id` asks.
    pub fn draw(&self, op_id: i64) -> Draw {
        // Consecutive seeds give independent streams: seed_from_u64 passes them through SplitMix64.
        let mut random =
            Xoshiro256PlusPlus::seed_from_u64(self.seed ^ (op_id as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let ticket = random.random_range(0..self.total_weight.max(1));
        let kind = self.kinds.iter().find(|(upper, _)| ticket < *upper).map_or(Kind::Put, |(_, kind)| *kind);
        Draw {
            kind,
            key: match self.key_choice {
                KeyChoice::Uniform => random.random_range(0..self.keys) as i32,
                KeyChoice::Sequential => (op_id.unsigned_abs() % u64::from(self.keys)) as i32,
                // The distribution counts from 1.
                KeyChoice::Zipfian(zipf) => (zipf.sample(&mut random) as i32 - 1).clamp(0, self.keys as i32 - 1),
            },
            value_at: random.random_range(0..POOL_SLACK_BYTES),
        }
    }

    /// What is put at a key before the first operation.
    pub fn filling(&self, key: i32) -> Draw {
        Draw { kind: Kind::Put, key, ..self.draw(key.into()) }
    }

    /// The bytes of a key: the prefix, and its number, padded with zeros to the key length. Their order is that of the
    /// numbers.
    pub fn key(&self, number: i32) -> Vec<u8> {
        let mut key = vec![b'0'; self.key_bytes];
        let mut rest = number;
        for digit in key.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        // The plan sees to it that both have room.
        for (byte, prefix) in key.iter_mut().zip(&self.key_prefix) {
            *byte = *prefix;
        }
        key
    }

    /// The number of a key of this workload; `None` for a key that is none.
    pub fn number(&self, key: &[u8]) -> Option<i32> {
        let digits = std::str::from_utf8(key.strip_prefix(&self.key_prefix[..])?).ok()?;
        let number: u32 = digits.parse().ok()?;
        // Only that spelling: keys of another length may lie between.
        (number < self.keys && self.key(number as i32) == key).then_some(number as i32)
    }

    /// The value's bytes.
    pub fn value(&self, draw: Draw) -> Vec<u8> {
        self.pool[draw.value_at..draw.value_at + self.value_bytes].to_vec()
    }
}

/// Skew of the zipfian choice, that of YCSB.
const ZIPF_EXPONENT: f64 = 0.99;

#[derive(Debug, Clone, Copy)]
enum KeyChoice {
    Uniform,
    Sequential,
    Zipfian(Zipf<f64>),
}

impl KeyChoice {
    fn new(spec: &WorkloadSpec) -> Self {
        match spec.key_distribution {
            KeyDistribution::Uniform => Self::Uniform,
            KeyDistribution::Sequential => Self::Sequential,
            // At least one key and a positive exponent are what it asks for.
            KeyDistribution::Zipfian => {
                Zipf::new(f64::from(spec.keys.max(1)), ZIPF_EXPONENT).map_or(Self::Uniform, Self::Zipfian)
            }
        }
    }
}

fn weights(mix: &Mix) -> [(u32, Kind); 5] {
    [
        (mix.put, Kind::Put),
        (mix.get, Kind::Get),
        (mix.get_serializable, Kind::GetSerializable),
        (mix.txn, Kind::Txn),
        (mix.delete, Kind::Delete),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use run_folder::spec::{Attachment, Pacing};

    fn spec(mix: Mix) -> WorkloadSpec {
        WorkloadSpec {
            pacing: Pacing::Closed,
            duration_ms: Some(1000),
            operations: None,
            concurrency: 1,
            rate_per_s: None,
            load: None,
            connections: 1,
            key_distribution: KeyDistribution::Uniform,
            mix,
            keys: 10_000,
            key_bytes: 16,
            key_prefix: String::new(),
            filled: false,
            value_bytes: 256,
            deadline_ms: 5000,
            warm_up_ms: 0,
            attachment: Attachment::RoundRobin,
            client_at: run_folder::spec::ClientPlace::Own,
        }
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let draws = |seed| {
            let draws = Draws::new(seed, &spec(Mix { put: 6, get: 3, txn: 1, ..Mix::default() }));
            (0..100).map(|op_id| (draws.draw(op_id), draws.value(draws.draw(op_id)))).collect::<Vec<_>>()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
    }

    #[test]
    fn kinds_come_by_weight_and_keys_evenly() {
        let draws = Draws::new(1, &spec(Mix { put: 60, get: 30, txn: 10, ..Mix::default() }));
        let all: Vec<_> = (0..100_000).map(|op_id| draws.draw(op_id)).collect();
        let share = |kind| all.iter().filter(|draw| draw.kind == kind).count() as f64 / all.len() as f64;
        // Five standard errors of a share over 100,000 draws are below 0.008.
        assert!((share(Kind::Put) - 0.6).abs() < 0.008);
        assert!((share(Kind::Get) - 0.3).abs() < 0.008);
        assert!((share(Kind::Txn) - 0.1).abs() < 0.008);
        let low = all.iter().filter(|draw| draw.key < 5_000).count() as f64 / all.len() as f64;
        assert!((low - 0.5).abs() < 0.008, "{low}");
    }

    #[test]
    fn keys_follow_their_distribution() {
        let counts = |key_distribution| {
            let draws = Draws::new(1, &WorkloadSpec { keys: 1000, key_distribution, ..spec(Mix::PUTS) });
            let mut counts = vec![0; 1000];
            (0..100_000).for_each(|op_id| counts[draws.draw(op_id).key as usize] += 1);
            counts
        };
        assert_eq!(counts(KeyDistribution::Sequential), vec![100; 1000]);
        let zipfian = counts(KeyDistribution::Zipfian);
        // Probabilities over 1000 keys: 1 / (k^0.99 * H), H = sum of k^-0.99 = 7.7290.
        for (key, expected) in [(0, 12_938.0), (1, 6_514.0), (9, 1_324.0)] {
            let off: f64 = f64::from(zipfian[key]) - expected;
            assert!(off.abs() < 5.0 * f64::sqrt(expected), "key {key}: {} of {expected}", zipfian[key]);
        }
    }

    #[test]
    fn keys_are_padded_numbers() {
        let draws = Draws::new(1, &spec(Mix::PUTS));
        let key = |key| String::from_utf8(draws.key(key)).unwrap();
        assert_eq!(key(0), "0000000000000000");
        assert_eq!(key(9_999), "0000000000009999");
    }

    #[test]
    fn a_prefix_is_part_of_the_key_and_numbers_are_found_again() {
        let draws = Draws::new(1, &WorkloadSpec { key_prefix: "a/b/".into(), key_bytes: 8, ..spec(Mix::PUTS) });
        assert_eq!(draws.key(0), b"a/b/0000");
        assert_eq!(draws.key(9_999), b"a/b/9999");
        for number in [0, 7, 9_999] {
            assert_eq!(draws.number(&draws.key(number)), Some(number));
        }
        for other in ["a/b/007", "a/b/00007", "a/c/0007", "a/b/+007", "a/b/-001", "a/b/000x", "a/b/", ""] {
            assert_eq!(draws.number(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(draws.filling(7), draws.filling(7), "the same seed fills alike");
    }
}
