//! The verdict on a sweep: which of its faults matter, which is the worst, and whether its controls stayed quiet.

use polars::prelude::*;

use run_folder::manifest::Role;

use super::cells::Cells;
use super::numbers::Effect;
use crate::tables::delta::ratio_in_words;
use crate::tables::factors::Factors;

/// Labels that a sentence names at most.
const NAMED_MAX: usize = 4;

/// The verdict on each sweep; runs outside of sweeps are one together. `labels` is the result of [`super::by_label`];
/// `companions` are the runs beside the selected ones that these were compared with. Columns:
///
/// - `sweep`: its id; null for the runs outside of sweeps
/// - `sentence`
/// - `labels`, `runs`: with a fault whose effect is asked for
/// - `beyond_noise`: labels of these with an effect beyond the noise floor
/// - `cannot_tell`: labels of these of which that cannot be told
/// - `worst`: the one of these in which nothing was acknowledged; without such a one, that with the largest change of the
///   99th percentile; where none has one, of throughput;
///   `worst_response_p99_ratio`, `worst_throughput_ratio`
/// - `controls`, `controls_with_effect`: labels of controls, and those that show an effect, which they must not;
///   `controls_cannot_tell`: those of which that cannot be told
/// - `leader_changed`: labels in which the leader changed in some run
/// - `not_recovered`: labels of which some run was not seen to recover, by throughput or by a latency
///
/// # Errors
/// [`PolarsError`] never in practice: all columns are made here with one length.
pub fn by_sweep(labels: &DataFrame, companions: &[&Factors]) -> PolarsResult<DataFrame> {
    let all = Cells::rows(labels, |_| true);
    let mut sweeps: Vec<Option<&str>> = Vec::new();
    for row in &all {
        if !sweeps.contains(&row.text("sweep")) {
            sweeps.push(row.text("sweep"));
        }
    }
    let rows: Vec<Swept<'_>> = sweeps.iter().map(|sweep| Swept::of(*sweep, &all, companions)).collect();
    let count = |name: &str, of: fn(&Swept<'_>) -> usize| {
        Column::new(name.into(), rows.iter().map(|row| of(row) as u64).collect::<Vec<_>>())
    };
    let worst = |name: &str, column: &str| {
        let values = rows.iter().map(|row| row.worst.and_then(|worst| worst.number(column)));
        Column::new(name.into(), values.collect::<Vec<_>>())
    };
    DataFrame::new(
        rows.len(),
        vec![
            Column::new("sweep".into(), rows.iter().map(|row| row.sweep).collect::<Vec<_>>()),
            Column::new("sentence".into(), rows.iter().map(Swept::sentence).collect::<Vec<_>>()),
            count("labels", |row| row.experiments.len()),
            count("runs", |row| row.runs),
            count("beyond_noise", |row| row.beyond.len()),
            count("cannot_tell", |row| row.untold.len()),
            Column::new("worst".into(), rows.iter().map(|row| row.worst?.text("label")).collect::<Vec<_>>()),
            worst("worst_response_p99_ratio", "response_p99_ratio"),
            worst("worst_throughput_ratio", "throughput_ratio"),
            count("controls", |row| row.controls),
            count("controls_with_effect", |row| row.loud.len()),
            count("controls_cannot_tell", |row| row.controls_untold),
            count("leader_changed", |row| row.changed.len()),
            count("not_recovered", |row| row.lost.len()),
        ],
    )
}

struct Swept<'a> {
    sweep: Option<&'a str>,
    /// Labels of runs with a fault whose effect is asked for.
    experiments: Vec<&'a str>,
    runs: usize,
    beyond: Vec<&'a str>,
    /// Those of which that cannot be told.
    untold: Vec<&'a str>,
    /// Those of these whose throughput is beyond the noise floor.
    slower: Vec<&'a str>,
    worst: Option<Cells<'a>>,
    controls: usize,
    /// Whether there are others beside the selected runs.
    has_more_controls: bool,
    controls_untold: usize,
    loud: Vec<&'a str>,
    changed: Vec<&'a str>,
    lost: Vec<&'a str>,
    has_baselines: bool,
}

impl<'a> Swept<'a> {
    fn of(sweep: Option<&'a str>, all: &[Cells<'a>], companions: &[&Factors]) -> Self {
        let of_role = |role: &str| -> Vec<Cells<'a>> {
            all.iter().filter(|row| row.text("sweep") == sweep && row.text("role") == Some(role)).copied().collect()
        };
        let (experiments, controls) = (of_role("experiment"), of_role("control"));
        let labels = |rows: &[Cells<'a>], is_it: &dyn Fn(&Cells<'a>) -> bool| {
            let mut labels: Vec<&'a str> =
                rows.iter().filter(|row| is_it(row)).filter_map(|row| row.text("label")).collect();
            labels.dedup();
            labels
        };
        let has_effect = |row: &Cells<'a>| row.flag("has_effect") == Some(true);
        let is_untold = |row: &Cells<'_>| row.flag("has_effect").is_none();
        let has_more =
            |role: Role| companions.iter().any(|factors| factors.sweep.as_deref() == sweep && factors.role == role);
        let is_dead = |row: &&Cells<'_>| row.number("not_ok_share") == Some(1.0);
        let size =
            |row: &Cells<'a>, name: &str| row.number(name).filter(|&ratio| ratio > 0.0).map(|ratio| ratio.ln().abs());
        let largest = |name: &str| {
            let sized =
                experiments.iter().filter(|row| has_effect(row)).filter_map(|row| Some((size(row, name)?, *row)));
            sized.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, row)| row)
        };
        Self {
            sweep,
            runs: experiments.iter().filter_map(|row| row.number("runs")).sum::<f64>() as usize,
            beyond: labels(&experiments, &has_effect),
            untold: labels(&experiments, &is_untold),
            slower: labels(&experiments, &|row| {
                is_dead(&row) || Effect::of(row, "throughput").is_beyond_noise() == Some(true)
            }),
            worst: (experiments.iter().find(is_dead).copied())
                .or_else(|| largest("response_p99_ratio"))
                .or_else(|| largest("throughput_ratio")),
            controls: labels(&controls, &|_| true).len(),
            has_more_controls: has_more(Role::Control),
            controls_untold: labels(&controls, &is_untold).len(),
            loud: labels(&controls, &has_effect),
            changed: labels(&experiments, &|row| row.number("leader_changes").is_some_and(|count| count > 0.0)),
            lost: labels(&experiments, &|row| {
                ["", "response_p50_", "response_p99_"]
                    .into_iter()
                    .any(|name| row.number(&format!("{name}recovered")) < row.number(&format!("{name}recovery_runs")))
            }),
            has_baselines: !of_role("baseline").is_empty() || has_more(Role::Baseline),
            experiments: labels(&experiments, &|_| true),
        }
    }

    fn sentence(&self) -> String {
        let count = self.experiments.len();
        let Some(first) = self.experiments.first() else {
            return "no run with a fault whose effect is asked for.".to_owned();
        };
        let mut parts = Vec::new();
        let faults = if count == 1 { (*first).to_owned() } else { format!("{count} labels") };
        let within: Vec<&str> = (self.experiments.iter().copied())
            .filter(|label| !self.beyond.contains(label) && !self.untold.contains(label))
            .collect();
        match self.beyond.len() {
            0 if self.untold.is_empty() => parts.push(format!("nothing beyond the noise floor in {faults}")),
            0 if within.is_empty() => {
                parts.push(format!("whether {faults} shows an effect cannot be told without a noise floor"));
            }
            beyond if beyond == count && count == 1 => parts.push(format!("{faults} shows an effect")),
            beyond if beyond == count => parts.push(format!("all of {faults} show an effect")),
            beyond => {
                parts.push(format!("{beyond} of {faults} show an effect"));
                if !within.is_empty() {
                    parts.push(format!("{} within the noise floor", named(&within)));
                }
                if !self.untold.is_empty() {
                    parts.push(format!("no noise floor to judge {} by", named(&self.untold)));
                }
            }
        }
        if !self.beyond.is_empty() {
            parts.push(match self.slower.len() {
                0 => "throughput changed in none".to_owned(),
                _ => format!("throughput changed in {}", named(&self.slower)),
            });
        }
        parts.extend(self.worst.as_ref().map(worst));
        parts.push(match (self.controls, self.loud.len()) {
            (0, _) if self.has_more_controls => "controls are not among the selected".to_owned(),
            (0, _) => "no control".to_owned(),
            (controls, 0) if self.controls_untold > 0 => {
                let which = if controls == 1 { "the control".to_owned() } else { format!("{controls} controls") };
                format!("whether {which} stayed quiet cannot be told without a noise floor")
            }
            (1, 0) => "the control stayed quiet".to_owned(),
            (controls, 0) => format!("all {controls} controls stayed quiet"),
            _ => format!("but an effect in the control {}, which must show none", named(&self.loud)),
        });
        if !self.has_baselines {
            parts.push("no baseline among them".to_owned());
        }
        parts.push(match self.changed.is_empty() {
            true => "no election".to_owned(),
            false => format!("leader changed in {}", named(&self.changed)),
        });
        if !self.lost.is_empty() {
            parts.push(format!("not always back to normal after {}", named(&self.lost)));
        }
        parts.join("; ") + "."
    }
}

fn worst(row: &Cells<'_>) -> String {
    let label = row.text("label").unwrap_or_default();
    if row.number("not_ok_share") == Some(1.0) {
        let noun = row.text("kind").filter(|kind| *kind != "all").unwrap_or("operation");
        return format!("worst {label} (no {noun} was acknowledged)");
    }
    let kind = row.text("kind").filter(|kind| *kind != "all").map_or(String::new(), |kind| format!("{kind} "));
    let mut words = Vec::new();
    if let Some(ratio) = row.number("response_p99_ratio") {
        let interval = row.number("response_p99_ratio_low").zip(row.number("response_p99_ratio_high"));
        let interval = interval.map(|(low, high)| format!(" [{}, {}]", ratio_in_words(low), ratio_in_words(high)));
        let within = if row.text("interval") == Some("within-run") { " within-run" } else { "" };
        let within = if interval.is_some() { within } else { "" };
        words.push(format!("{kind}p99 x{}{}{within}", ratio_in_words(ratio), interval.unwrap_or_default()));
    }
    if let Some(ratio) = row.number("throughput_ratio").filter(|ratio| (ratio - 1.0).abs() >= 0.005) {
        words.push(format!("throughput {:+.0} %", (ratio - 1.0) * 100.0));
    }
    format!("worst {label} ({})", words.join(", "))
}

/// A few of the labels, and how many more.
fn named(labels: &[&str]) -> String {
    let more = labels.len().saturating_sub(NAMED_MAX);
    let names = labels[..labels.len() - more].join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}
