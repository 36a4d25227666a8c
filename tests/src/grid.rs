//! The runs by which netem is proven: every combination of a few factors, or the fewest of them in which each two
//! factors meet with all their values.

use std::fmt;

/// One combination of factors, recorded with each mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Members in containers, not in the sandbox.
    pub docker: bool,
    /// Loss, not delay.
    pub loss: bool,
    /// The leader, not a follower.
    pub leader: bool,
    /// From the first measured second to the last one, not in the middle third.
    pub full: bool,
}

/// Delay asked for.
pub const DELAY_MS: f64 = 50.0;
/// Loss asked for.
pub const LOSS_PERCENT: f64 = 10.0;

const FACTORS: usize = 4;

impl Case {
    fn from_bits(bits: u8) -> Self {
        let bit = |number: usize| bits >> number & 1 == 1;
        Self { docker: bit(0), loss: bit(1), leader: bit(2), full: bit(3) }
    }

    /// Where the members are, as `--cluster` has it.
    pub fn cluster(self) -> &'static str {
        if self.docker { "docker" } else { "sandbox" }
    }

    /// The run's label with this mechanism.
    pub fn label(self, mechanism: &str) -> String {
        format!("{self}_{mechanism}")
    }

    /// Arguments of `recorder run` after the label and the cluster. A put takes ten times as long as on a real
    /// processor, so the rate is low, and both mechanisms get the same schedule.
    pub fn arguments(self, mechanism: &str) -> String {
        let fault =
            if self.loss { format!("loss --value {LOSS_PERCENT}%") } else { format!("delay --value {DELAY_MS}ms") };
        let target = if self.leader { "leader" } else { "follower" };
        let window = if self.full { "" } else { " --at 5 --for 5" };
        format!(
            "--mechanism {mechanism} --fault {fault} --target {target}{window} --warm-up 2 --client-at own --duration 15 --rate 20 --seed 4"
        )
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = if self.leader { "leader" } else { "follower" };
        let fault = if self.loss { format!("loss{LOSS_PERCENT}") } else { format!("delay{DELAY_MS}") };
        let window = if self.full { "full" } else { "mid" };
        write!(f, "{}_{target}_{fault}_{window}", self.cluster())
    }
}

/// All combinations; those in the sandbox first.
pub fn full() -> Vec<Case> {
    sandbox_first((0..1 << FACTORS).map(Case::from_bits).collect())
}

/// The fewest combinations in which each two factors meet with all their values; those in the sandbox first.
pub fn pairwise() -> Vec<Case> {
    // None of the factors, and all of them but one.
    let bits = std::iter::once(0).chain((0..FACTORS).map(|number| 0b1111 ^ 1 << number));
    sandbox_first(bits.map(Case::from_bits).collect())
}

fn sandbox_first(mut cases: Vec<Case>) -> Vec<Case> {
    cases.sort_by_key(|case| case.docker);
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Case {
        fn factors(self) -> [bool; FACTORS] {
            [self.docker, self.loss, self.leader, self.full]
        }
    }

    fn covers_all_pairs(cases: &[Case]) -> bool {
        let meet = |one: usize, other: usize, values: (bool, bool)| {
            cases.iter().any(|case| (case.factors()[one], case.factors()[other]) == values)
        };
        let values = [(false, false), (false, true), (true, false), (true, true)];
        (0..FACTORS).all(|one| (0..one).all(|other| values.iter().all(|values| meet(one, other, *values))))
    }

    #[test]
    fn each_two_factors_meet_with_all_their_values() {
        assert!(covers_all_pairs(&pairwise()));
    }

    #[test]
    fn fewer_runs_would_not_do() {
        let all = full();
        assert_eq!(pairwise().len(), 5);
        let any_four = (0u32..1 << all.len()).filter(|chosen| chosen.count_ones() == 4).any(|chosen| {
            let cases: Vec<Case> = (0..all.len()).filter(|n| chosen >> n & 1 == 1).map(|n| all[n]).collect();
            covers_all_pairs(&cases)
        });
        assert!(!any_four);
    }

    #[test]
    fn the_whole_grid_has_every_combination_once() {
        let all = full();
        assert_eq!(all.len(), 16);
        assert!(all.iter().enumerate().all(|(n, case)| !all[..n].contains(case)));
    }
}
