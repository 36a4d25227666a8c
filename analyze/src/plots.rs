//! Plots: SVG pictures of tables. They never compute: every number in them comes from a table.
//!
//! Colours are those of M. Okabe and K. Ito, "Color Universal Design" (2008), which people with any colour vision can
//! tell apart. Lines are labelled beside the plot, so that a picture printed in grey can still be read.

use plotters::style::RGBColor;
use polars::prelude::*;
use run_folder::manifest::Role;

use self::canvas::{GREY, ORDERED, SERIES};
use crate::tables::factors::Factors;
use crate::tables::throughput::PhaseRate;

mod axis;
mod canvas;
pub mod cdf;
pub mod compare;
pub mod delta;
pub mod latency;
pub mod members;
mod panels;
pub mod phases;
pub mod recovery;
mod sections;
pub mod severity;
pub mod throughput;
pub mod timeline;

/// A run as plots see it.
#[derive(Debug, Clone)]
pub struct PlottedRun {
    /// Name of the run folder.
    pub run: String,
    /// The run's label; repeats share it.
    pub label: String,
    /// The run's place among others.
    pub factors: Factors,
    /// The fault in words, with its measured window.
    pub fault: String,
    /// The workload in words.
    pub workload: String,
    /// The fault's measured window in seconds after time 0; `None` without a fault.
    pub window_s: Option<(f64, f64)>,
    /// End of the workload in seconds after time 0.
    pub end_s: f64,
    /// What an operation had to be answered in, in milliseconds.
    pub deadline_ms: f64,
    /// Leader changes, in order of time.
    pub leader_changes: Vec<PlottedLeaderChange>,
    /// Operations by phase, the phase `all` last.
    pub rates: Vec<PhaseRate>,
    /// The table that is drawn, with the rows of this run.
    pub table: DataFrame,
}

/// A leader change as plots see it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlottedLeaderChange {
    /// Seconds after time 0.
    pub at_s: f64,
    /// Name of the member that led.
    pub from: String,
    /// Name of the new leader.
    pub to: String,
}

impl PlottedRun {
    fn acknowledged(&self) -> u64 {
        self.rates.last().map_or(0, |all| all.ok)
    }

    fn has_changes(&self) -> bool {
        !self.leader_changes.is_empty()
    }

    fn due(&self) -> u64 {
        self.rates.last().map_or(0, |all| all.due)
    }

    /// The run in sentences, for the description of a picture.
    fn described(&self) -> String {
        let mut words = format!("{}: {}; {}.", self.run, self.fault, self.workload);
        for rate in &self.rates {
            let per_s = rate.ops_per_s.map_or(String::new(), |per_s| format!(", {per_s:.1} per second"));
            let (phase, ok, due) = (rate.phase.as_str(), grouped(rate.ok), grouped(rate.due));
            words += &format!(" {phase}: {ok} of {due} operations acknowledged{per_s}.");
        }
        for change in &self.leader_changes {
            words += &format!(" Leader {} to {} at {:.1} s.", change.from, change.to, change.at_s);
        }
        words
    }
}

/// Values of a numeric column; null where there is none.
fn values(table: &DataFrame, name: &str) -> PolarsResult<Vec<Option<f64>>> {
    Ok(table.column(name)?.cast(&DataType::Float64)?.f64()?.iter().collect())
}

/// A label and its runs.
pub type Group<'a> = (&'a str, Vec<&'a PlottedRun>);

/// Runs of the same label, in the order in which the labels first occur.
pub fn by_label(runs: &[PlottedRun]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for run in runs {
        match groups.iter_mut().find(|(label, _)| *label == run.label) {
            Some((_, group)) => group.push(run),
            None => groups.push((&run.label, vec![run])),
        }
    }
    groups
}

/// The repeats of each label laid over each other by `across`, in the order of [`by_label`]; without those in which the
/// leader changed, which are never pooled with the others, unless it did in all.
///
/// # Errors
/// What `across` fails with.
pub fn laid_over(
    runs: &[PlottedRun],
    across: fn(&[&DataFrame]) -> PolarsResult<DataFrame>,
) -> PolarsResult<Vec<DataFrame>> {
    let of_group = |(_, group): &Group<'_>| {
        let is_any_steady = steady(group).next().is_some();
        let pooled = group.iter().filter(|run| !is_any_steady || !run.has_changes());
        across(&pooled.map(|run| &run.table).collect::<Vec<_>>())
    };
    by_label(runs).iter().map(of_group).collect()
}

/// Runs in which the leader did not change.
fn steady<'a>(group: &[&'a PlottedRun]) -> impl Iterator<Item = &'a PlottedRun> {
    group.iter().copied().filter(|run| !run.has_changes())
}

/// Whether the middle of these runs is drawn, and not each of them.
fn is_pooled(group: &[&PlottedRun]) -> bool {
    steady(group).count() >= MANY_REPEATS
}

/// Stands beside runs in which the leader changed.
const DAGGER: &str = "†";

/// The number of runs, and in how many of them the leader changed, as in `3 runs (1†)`.
fn counted_runs(group: &[&PlottedRun]) -> String {
    let runs = counted(group.len(), "run");
    match (group.len(), group.iter().filter(|run| run.has_changes()).count()) {
        (_, 0) => runs,
        (1, _) => format!("{runs}{DAGGER}"),
        (_, changed) => format!("{runs} ({changed}{DAGGER})"),
    }
}

/// Names the runs in which the leader changed, each by its label and the number of the repeat; `None` without any.
fn changed_runs(runs: &[PlottedRun]) -> Option<String> {
    const NAMED: usize = 6;
    let mut names = Vec::new();
    for (label, group) in by_label(runs) {
        let name = |at: usize| if group.len() > 1 { format!("{label} #{}", at + 1) } else { label.to_owned() };
        names.extend((0..group.len()).filter(|&at| group[at].has_changes()).map(name));
    }
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{}{more}", names.join(", ")))
}

/// The group of baselines that the runs of another can be compared with.
fn baseline_of(groups: &[Group<'_>], at: usize) -> Option<usize> {
    let cohort = &groups[at].1[0].factors.cohort;
    let is_it = |(_, runs): &Group<'_>| runs[0].factors.role == Role::Baseline && runs[0].factors.cohort == *cohort;
    groups.iter().position(is_it).filter(|&baseline| baseline != at)
}

/// Repeats from which on a label is drawn as the middle of its runs and the band between the outermost.
pub const MANY_REPEATS: usize = 3;

/// The colour of each label where lines share a panel: by value where all faults are of one family, else any.
fn colours(groups: &[Group<'_>]) -> Vec<RGBColor> {
    let faulted = || groups.iter().filter(|(_, runs)| runs[0].factors.value.is_some());
    let ordered = faulted().count();
    if ordered < 2 || shared(faulted().map(|(_, runs)| runs[0].factors.family.as_str())).is_none() {
        return (0..groups.len()).map(|at| SERIES[at % SERIES.len()]).collect();
    }
    let mut next = 0;
    let of_group = |(_, runs): &Group<'_>| {
        if runs[0].factors.value.is_none() {
            return GREY;
        }
        // The palest of the ordered colours is for when all are needed.
        let first = if ordered == ORDERED.len() { 0 } else { 1 };
        let at = first + next * (ORDERED.len() - 1 - first) / (ordered - 1).max(1);
        next += 1;
        ORDERED[at.min(ORDERED.len() - 1)]
    };
    groups.iter().map(of_group).collect()
}

/// A count with its thousands apart, as in `12,345`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count in few characters, as in `n = 12k`, for small panels.
fn short_count(count: u64) -> String {
    format!("n = {}", compact_count(count))
}

/// A count in few characters, as in `12k`.
fn compact_count(count: u64) -> String {
    match count {
        0..10_000 => grouped(count),
        10_000..10_000_000 => format!("{}k", (count + 500) / 1_000),
        _ => format!("{}M", (count + 500_000) / 1_000_000),
    }
}

/// `1 operation`, `3,000 operations`.
fn operations(count: u64) -> String {
    format!("{} operation{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// `1 run`, `3 runs`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The value when all are equal.
fn shared<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        let shown: Vec<_> = [0, 999, 1000, 1_234_567].map(grouped).into();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
