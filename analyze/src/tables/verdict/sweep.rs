//! The verdict on a sweep: which of its faults matter, which is the worst, and whether its controls stayed quiet.

use polars::prelude::*;

use run_folder::manifest::Role;

use super::cells::Cells;
use super::numbers::Effect;
use super::sentence::{ratio, throughput};
use crate::tables::factors::Factors;

/// Labels that a sentence names at most.
const NAMED_MAX: usize = 4;

/// The effects, those that sizes are compared by first.
const EFFECTS: [&str; 3] = ["response_p99", "response_p50", "throughput"];

/// No smaller change of throughput is worth a word.
const CHANGE_TOLD: f64 = 0.005;

/// The verdict on each sweep; runs outside of sweeps are one together. `labels` is the result of [`super::by_label`];
/// `companions` are the runs beside the selected ones that these were compared with. Columns:
///
/// - `sweep`: its id; null for the runs outside of sweeps
/// - `sentence`
/// - `labels`, `runs`: with a fault whose effect is asked for
/// - `beyond_noise`: labels of these with an effect beyond the noise floor
/// - `significant`: labels of these with a significant effect
/// - `not_comparable`: labels of which that cannot be told: with nothing to compare them with, or without a noise floor
/// - `worst`: the one of these in which nothing was acknowledged; without such a one, that with the largest change of the 99th
///   percentile, significant or not; where none has one, of the median, then of throughput;
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
            count("significant", |row| row.significant.len()),
            count("not_comparable", |row| row.unknown.len()),
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
    significant: Vec<&'a str>,
    within: Vec<&'a str>,
    /// Those with nothing to compare them with.
    unknown: Vec<&'a str>,
    /// Whether anything tells what is within the noise floor.
    has_noise: bool,
    /// Those whose throughput changed beyond the noise floor: significantly, and not.
    slower: (Vec<&'a str>, Vec<&'a str>),
    worst: Option<Cells<'a>>,
    /// The worst one of those that are significant by the same metric.
    worst_significant: Option<Cells<'a>>,
    controls: usize,
    /// Whether there are others beside the selected runs.
    has_more_controls: bool,
    controls_untold: usize,
    loud: Vec<&'a str>,
    changed: Vec<&'a str>,
    /// Whether it is known of all of them who led.
    knows_leaders: bool,
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
        let is_untold = |row: &Cells<'a>| row.flag("has_effect").is_none();
        let has_more =
            |role: Role| companions.iter().any(|factors| factors.sweep.as_deref() == sweep && factors.role == role);
        let effects = |row: &Cells<'a>| EFFECTS.map(|name| Effect::of(row, name));
        let beyond = labels(&experiments, &has_effect);
        let within = |row: &Cells<'a>| {
            row.flag("has_effect") == Some(false) && row.text("label").is_some_and(|label| !beyond.contains(&label))
        };
        let within = labels(&experiments, &within);
        let judged = [beyond.clone(), within.clone()].concat();
        let slower = |is_significant: bool| {
            labels(&experiments, &|row| {
                let effect = Effect::of(row, "throughput");
                let is_change = effect.is_beyond_noise() == Some(true)
                    && effect.ratio.is_some_and(|ratio| (ratio - 1.0).abs() >= CHANGE_TOLD);
                let is_sure = is_dead(row) || effect.is_significant == Some(true);
                (is_dead(row) || is_change) && is_sure == is_significant
            })
        };
        let (worst, worst_significant) = EFFECTS
            .into_iter()
            .map(|name| {
                let largest = |is_wanted: fn(&Effect) -> bool| {
                    let sized = experiments.iter().filter(|row| has_effect(row)).filter_map(|row| {
                        let effect = Effect::of(row, name);
                        let ratio = effect.ratio.filter(|&ratio| ratio > 0.0 && is_wanted(&effect))?;
                        Some((ratio.ln().abs(), *row))
                    });
                    sized.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, row)| row)
                };
                (largest(|_| true), largest(|effect| effect.is_significant == Some(true)))
            })
            .find(|(worst, _)| worst.is_some())
            .unwrap_or_default();
        let worst = experiments.iter().find(|row| is_dead(row)).copied().or(worst);
        Self {
            sweep,
            runs: experiments.iter().filter_map(|row| row.number("runs")).sum::<f64>() as usize,
            significant: labels(&experiments, &|row| {
                effects(row).into_iter().any(|effect| effect.is_significant == Some(true))
            }),
            unknown: labels(&experiments, &|row| row.text("label").is_some_and(|label| !judged.contains(&label))),
            has_noise: experiments.iter().flat_map(effects).any(|effect| effect.is_within_noise.is_some()),
            beyond,
            within,
            slower: (slower(true), slower(false)),
            worst,
            worst_significant,
            controls: labels(&controls, &|_| true).len(),
            has_more_controls: has_more(Role::Control),
            controls_untold: labels(&controls, &is_untold).len(),
            loud: labels(&controls, &has_effect),
            changed: labels(&experiments, &|row| row.number("leader_changes").is_some_and(|count| count > 0.0)),
            knows_leaders: experiments.iter().all(|row| row.number("leaderless_s").is_some()),
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
        let what = if self.has_noise { "beyond the noise floor" } else { "compared, without a noise floor" };
        let sure = match (self.significant.len(), count) {
            (0, 1) => "not significant".to_owned(),
            (0, _) => "none significant".to_owned(),
            (_, 1) => "significant".to_owned(),
            (sure, _) => format!("{sure} significant"),
        };
        parts.push(match self.beyond.len() {
            0 if self.within.is_empty() => {
                format!("whether {faults} {} an effect cannot be told", if count == 1 { "shows" } else { "show" })
            }
            0 => format!("nothing beyond the noise floor in {}", named(&self.within)),
            _ if count == 1 => format!("{faults} {what}, {sure}"),
            beyond => format!("{beyond} of {faults} {what}, {sure}"),
        });
        if !self.beyond.is_empty() {
            let (sure, unsure) = &self.slower;
            parts.extend((!self.within.is_empty()).then(|| format!("{} within the noise floor", named(&self.within))));
            parts.extend((!sure.is_empty()).then(|| format!("throughput changed in {}", named(sure))));
            parts.extend(
                (!unsure.is_empty()).then(|| format!("throughput changed, not significantly, in {}", named(unsure))),
            );
            let is_same = if self.has_noise { "within the noise floor" } else { "unchanged" };
            parts.extend((sure.is_empty() && unsure.is_empty()).then(|| format!("throughput {is_same} in all")));
        }
        let is_compared = !(self.beyond.is_empty() && self.within.is_empty());
        parts.extend(
            (is_compared && !self.unknown.is_empty()).then(|| format!("it cannot be told of {}", named(&self.unknown))),
        );
        match (&self.worst_significant, &self.worst) {
            (_, Some(worst)) if is_dead(worst) => parts.push(format!("worst {}", told(worst))),
            (Some(sure), Some(worst)) if sure.text("label") == worst.text("label") => {
                parts.push(format!("worst significant {}", told(sure)));
            }
            (Some(sure), Some(worst)) => {
                parts.push(format!("worst significant {}", told(sure)));
                parts.push(format!("larger, but not significant, {}", told(worst)));
            }
            (_, worst) => parts.extend(worst.as_ref().map(|worst| format!("worst, not significant, {}", told(worst)))),
        }
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
        match self.changed.is_empty() {
            true => parts.extend(self.knows_leaders.then(|| "no election".to_owned())),
            false => parts.push(format!("leader changed in {}", named(&self.changed))),
        }
        if !self.lost.is_empty() {
            parts.push(format!("not always back to normal after {}", named(&self.lost)));
        }
        parts.join("; ") + "."
    }
}

/// Whether nothing at all was acknowledged.
fn is_dead(row: &Cells<'_>) -> bool {
    row.number("not_ok_share") == Some(1.0)
}

/// A label with its effects, and how sure each of them is.
fn told(row: &Cells<'_>) -> String {
    let label = row.text("label").unwrap_or_default();
    if is_dead(row) {
        let noun = row.text("kind").filter(|kind| *kind != "all").unwrap_or("operation");
        return format!("{label} (no {noun} was acknowledged)");
    }
    let kind = row.text("kind").filter(|kind| *kind != "all").map_or(String::new(), |kind| format!("{kind} "));
    let mut words = Vec::new();
    for (name, title) in [("response_p99", "p99"), ("response_p50", "p50")] {
        let effect = Effect::of(row, name);
        if words.is_empty() && effect.ratio.is_some() {
            words.push(format!("{kind}{title} {}", ratio(&effect)));
        }
    }
    let slower = Effect::of(row, "throughput");
    if slower.is_beyond_noise() == Some(true) && slower.ratio.is_some_and(|ratio| (ratio - 1.0).abs() >= CHANGE_TOLD) {
        words.push(throughput(&slower));
    }
    let of = if row.number("runs") == Some(1.0) { "of one run: " } else { "" };
    format!("{label} ({of}{})", words.join(", "))
}

/// A few of the labels, and how many more.
fn named(labels: &[&str]) -> String {
    let more = labels.len().saturating_sub(NAMED_MAX);
    let names = labels[..labels.len() - more].join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}
