//! The numbers that a sentence is made of, taken from the tables.

use super::cells::Cells;
use crate::stats;
use crate::tables::delta::{self, FLOOR_MIN};

/// Operations are called lost by the fault where chance alone loses as many in fewer than one of so many cases.
const LOST_P_MAX: f64 = 0.01;
/// No smaller share of operations is worth a word.
const LOST_SHARE_TOLD: f64 = 0.0005;

/// What a ratio is, and how sure.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Effect {
    pub(super) ratio: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    /// Whether the interval is one over repeats, and not one from within a run.
    pub(super) is_between: bool,
    pub(super) is_within_noise: Option<bool>,
    /// As Holm's test over the sweep has it; absent where nothing was tested.
    pub(super) is_significant: Option<bool>,
    /// Whether it is known to be at least that much only, see [`delta::is_at_least`].
    pub(super) is_bound: bool,
    /// Whether too few operations support it, see [`delta::is_supported`].
    pub(super) is_of_few: bool,
}

impl Effect {
    /// `row` is one of [`delta`], or of verdicts.
    pub(super) fn of(row: &Cells<'_>, metric: &str) -> Self {
        let number = |end: &str| row.number(&format!("{metric}_{end}"));
        let (low, high) = (number("ratio_low"), number("ratio_high"));
        // Tables without the column have intervals over repeats only.
        let is_between = low.is_some() && row.text("interval").is_none_or(|interval| interval == "between-run");
        let count = |name: &str| row.number(name).map(|count| count as u64);
        let runs = count("runs").unwrap_or(1);
        let is_of_few = |ok: &str, runs: u64| count(ok).is_some_and(|ok| !delta::is_supported(metric, ok, runs));
        Self {
            ratio: number("ratio"),
            low,
            high,
            is_between,
            is_within_noise: row.flag(&format!("{metric}_within_noise")),
            is_significant: row.flag(&format!("{metric}_significant")),
            is_bound: delta::is_at_least(metric, row.number("not_ok_share"), row.number("not_ok_share_reference")),
            is_of_few: is_of_few("ok", runs) || is_of_few("ok_reference", count("baselines").unwrap_or(runs)),
        }
    }

    /// Whether it is beyond what runs show without a reason. Without runs that tell, an interval does that leaves out all
    /// that no noise floor would; `None` where it cannot be told.
    pub(super) fn is_beyond_noise(&self) -> Option<bool> {
        self.ratio?;
        let is_clear =
            || self.low.is_some_and(|low| low > FLOOR_MIN) || self.high.is_some_and(|high| high < 1.0 / FLOOR_MIN);
        self.is_within_noise.map(|is_within| !is_within).or_else(|| is_clear().then_some(true))
    }

    /// Why it may be nothing, as far as that is known.
    pub(super) fn doubt(&self) -> Option<&'static str> {
        match (self.is_within_noise, self.is_significant) {
            (Some(true), _) => Some("(within the noise floor)"),
            // Of a single run nothing is significant, which its interval says already.
            (_, Some(false)) if self.is_between => Some("(not significant)"),
            _ => None,
        }
    }
}

/// A metric of the members' samples over the runs of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sampled {
    /// Runs in which it could be judged.
    pub(super) judged: usize,
    /// Runs in which it was raised on some member.
    pub(super) raised: usize,
    /// The largest ratio where it was raised.
    pub(super) ratio: Option<f64>,
    /// The largest value under the fault where it was raised, and that member.
    pub(super) worst: Option<(f64, String)>,
    /// Whether it was raised on every member of each of these runs.
    pub(super) is_everywhere: bool,
}

impl Sampled {
    /// `causes` are the rows of the runs, of any metric.
    pub(super) fn of(causes: &[Cells<'_>], metric: &str, is_wanted: impl Fn(&Cells<'_>) -> bool) -> Self {
        let rows: Vec<&Cells<'_>> =
            causes.iter().filter(|row| row.text("metric") == Some(metric) && is_wanted(row)).collect();
        let mut sampled = Self { is_everywhere: true, ..Self::default() };
        let mut runs: Vec<Option<&str>> = rows.iter().map(|row| row.text("run")).collect();
        runs.dedup();
        for run in runs {
            let judged = || rows.iter().filter(|row| row.text("run") == run && row.text("judged").is_some());
            let raised: Vec<&&Cells<'_>> = judged().filter(|row| row.text("judged") == Some("raised")).collect();
            sampled.judged += usize::from(judged().next().is_some());
            sampled.raised += usize::from(!raised.is_empty());
            if !raised.is_empty() {
                sampled.is_everywhere &= raised.len() == judged().count();
            }
            for row in raised {
                sampled.ratio = row.number("ratio").into_iter().chain(sampled.ratio).reduce(f64::max);
                let Some(value) = row.number("during") else { continue };
                if sampled.worst.as_ref().is_none_or(|(worst, _)| value > *worst) {
                    sampled.worst = Some((value, row.text("member").unwrap_or_default().to_owned()));
                }
            }
        }
        sampled.is_everywhere &= sampled.raised > 0;
        sampled
    }
}

/// When something was as before, of those runs whose fault ended.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Time {
    /// Runs in which it could be, and those in which it was.
    pub(super) runs: usize,
    pub(super) seen: usize,
    /// Of several runs the median.
    pub(super) s: Option<f64>,
    /// The outermost of those that were seen.
    pub(super) least_s: Option<f64>,
    pub(super) most_s: Option<f64>,
    pub(super) lower_bound_s: Option<f64>,
}

impl Time {
    fn of(row: &Cells<'_>, name: &str) -> Self {
        let number = |end: &str| row.number(&format!("{name}_{end}"));
        let count = |end: &str| number(end).map(|count| count as usize);
        let censored = row.flag(&format!("{name}_censored"));
        Self {
            // A run's own row has no counts.
            runs: count("runs").unwrap_or(usize::from(censored.is_some())),
            seen: count("seen").unwrap_or(usize::from(censored == Some(false))),
            s: number("s"),
            least_s: number("least_s"),
            most_s: number("seen_most_s"),
            lower_bound_s: number("lower_bound_s"),
        }
    }

    /// Whether it was seen in all runs.
    pub(super) fn is_sure(&self) -> bool {
        self.s.is_some() && self.seen == self.runs
    }
}

/// How a cluster came back.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Back {
    pub(super) throughput: Time,
    pub(super) p50: Time,
    pub(super) p99: Time,
    pub(super) dipped: usize,
    pub(super) observed_s: Option<f64>,
}

impl Back {
    fn of(row: &Cells<'_>) -> Self {
        Self {
            throughput: Time::of(row, "recovery"),
            p50: Time::of(row, "response_p50_recovery"),
            p99: Time::of(row, "response_p99_recovery"),
            dipped: row.number("dipped").map_or(usize::from(row.flag("dipped") == Some(true)), |count| count as usize),
            observed_s: row.number("observed_s"),
        }
    }
}

/// Everything that a sentence says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Numbers {
    /// `put`, or `all` for several kinds.
    pub(super) kind: String,
    /// As in [`crate::tables::delta`]; absent where nothing is compared.
    pub(super) compared: Option<String>,
    pub(super) has_fault: bool,
    /// Whether they were made of older files.
    pub(super) is_imported: bool,
    pub(super) runs: usize,
    /// Runs that acknowledged nothing, where others of them did.
    pub(super) runs_lost: usize,
    pub(super) baselines: Option<usize>,
    pub(super) ok: Option<f64>,
    pub(super) not_ok_share: Option<f64>,
    pub(super) not_ok_share_reference: Option<f64>,
    /// How probable it is to lose as many by chance alone; absent where nothing tells what is lost without a fault.
    pub(super) lost_p: Option<f64>,
    pub(super) is_loss_within_noise: bool,
    pub(super) p50: Effect,
    pub(super) p90: Effect,
    pub(super) p99: Effect,
    pub(super) throughput: Effect,
    pub(super) clients: String,
    pub(super) leader_changes: usize,
    /// The longest of the runs, while the fault was in force.
    pub(super) leaderless_s: Option<f64>,
    pub(super) fsync: Sampled,
    pub(super) commit: Sampled,
    pub(super) untouched: Sampled,
    pub(super) behind: Sampled,
    pub(super) steal: Sampled,
    pub(super) back: Option<Back>,
    /// The longest of the runs.
    pub(super) gap_s: Option<f64>,
    pub(super) gap_phase: Option<String>,
    pub(super) saturated: usize,
}

impl Numbers {
    /// `delta` and `recovery` are rows of the same runs and kind; `causes` all rows of these runs.
    pub(super) fn of(
        kind: &str,
        delta: Option<&Cells<'_>>,
        recovery: Option<&Cells<'_>>,
        causes: &[Cells<'_>],
        stories: &[&super::Story],
    ) -> Self {
        let effect = |metric: &str| delta.map_or_else(Effect::default, |row| Effect::of(row, metric));
        let number = |name: &str| delta.and_then(|row| row.number(name));
        let any = |_: &Cells<'_>| true;
        let mut clients: Vec<&str> = stories.iter().map(|story| story.clients.as_str()).collect();
        clients.dedup();
        let leaderless = causes.iter().filter(|row| row.text("metric") == Some("leaderless_s"));
        Self {
            kind: kind.to_owned(),
            compared: delta.and_then(|row| row.text("compared")).map(str::to_owned),
            has_fault: stories.iter().any(|story| story.factors.fault.is_some()),
            is_imported: stories.iter().any(|story| story.is_imported),
            runs: stories.len(),
            runs_lost: match (number("runs"), number("runs_ok")) {
                (Some(runs), Some(ok)) if ok > 0.0 => (runs - ok) as usize,
                _ => 0,
            },
            baselines: number("baselines").map(|count| count as usize),
            ok: number("ok"),
            not_ok_share: number("not_ok_share"),
            not_ok_share_reference: number("not_ok_share_reference"),
            lost_p: delta.and_then(lost_p),
            is_loss_within_noise: delta.and_then(|row| row.flag("not_ok_share_within_noise")) == Some(true),
            p50: effect("response_p50_ms"),
            p90: effect("response_p90_ms"),
            p99: effect("response_p99_ms"),
            throughput: effect("ops_per_s"),
            clients: if let [one] = clients[..] { one.to_owned() } else { String::new() },
            leader_changes: stories.iter().map(|story| story.leader_changes).sum(),
            leaderless_s: leaderless.filter_map(|row| row.number("all")).reduce(f64::max),
            fsync: Sampled::of(causes, "wal_fsync_p99_ms", any),
            commit: Sampled::of(causes, "backend_commit_p99_ms", any),
            untouched: Sampled::of(causes, "probe_connect_p50_ms", |row| row.flag("is_faulted") == Some(false)),
            behind: Sampled::of(causes, "raft_behind_max_ms", any),
            steal: Sampled::of(causes, "host_steal_cores", any),
            back: recovery.map(Back::of).filter(|back| back.throughput.runs > 0),
            gap_s: recovery.and_then(|row| row.number("longest_gap_most_s").or(row.number("longest_gap_s"))),
            gap_phase: recovery.and_then(|row| row.text("longest_gap_phase")).map(str::to_owned),
            saturated: stories.iter().filter(|story| story.client_saturated.is_some()).count(),
        }
    }

    /// The highest percentile that its operations support, and its name.
    pub(super) fn tail(&self) -> (&'static str, &Effect) {
        let high = [("p99", &self.p99), ("p90", &self.p90)];
        high.into_iter().find(|(_, of)| of.ratio.is_some() && !of.is_of_few).unwrap_or(("p50", &self.p50))
    }

    /// Whether throughput or a latency is beyond what runs show without a reason, or operations were lost that are not lost by
    /// chance; `None` where that cannot be told.
    pub(super) fn has_effect(&self) -> Option<bool> {
        let known = [&self.p50, self.tail().1, &self.throughput].map(Effect::is_beyond_noise);
        if self.ok == Some(0.0) || self.loses_more() || known.contains(&Some(true)) {
            return Some(true);
        }
        known.contains(&Some(false)).then_some(false)
    }

    /// Whether a larger share of operations was not acknowledged than in what it is compared with, by whatever reason.
    pub(super) fn loses_some(&self) -> bool {
        let reference = self.not_ok_share_reference.unwrap_or(0.0);
        self.not_ok_share.is_some_and(|share| share > reference && share >= LOST_SHARE_TOLD)
    }

    /// Whether that is more than chance, and than runs lose without a reason.
    pub(super) fn loses_more(&self) -> bool {
        self.loses_some() && !self.is_loss_within_noise && self.lost_p.is_some_and(|p| p < LOST_P_MAX)
    }
}

/// Fisher's exact test of what was not acknowledged against what it is compared with.
fn lost_p(row: &Cells<'_>) -> Option<f64> {
    let counts = |ok: &str, share: &str| {
        let (ok, share) = (row.number(ok)?, row.number(share)?);
        let due = if share < 1.0 { (ok / (1.0 - share)).round() } else { return None };
        Some(((due - ok) as u64, due as u64))
    };
    Some(stats::fisher_more(counts("ok", "not_ok_share")?, counts("ok_reference", "not_ok_share_reference")?))
}
