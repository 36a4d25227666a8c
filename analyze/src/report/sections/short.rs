//! In short: what a reader takes home who reads nothing else.

use maud::{Markup, html};
use polars::prelude::*;
use run_folder::manifest::Role;

use crate::Result;
use crate::report::figures::Numbers;
use crate::report::tables::sentences;
use crate::report::words::{counted, grouped};
use crate::report::{Part, Section};
use crate::tables::delta;

/// Metric, what it is called, and whether more of it is worse.
const KEY: [(&str, &str, bool); 3] = [
    ("response_p99_ms", "p99 of response time", true),
    ("response_p50_ms", "p50 of response time", true),
    ("ops_per_s", "throughput", false),
];

pub(super) fn section(part: &Part, _: &Numbers) -> Result<Option<Section>> {
    let labels = &part.tables.effects;
    let content = html! {
        @for (_, sentence) in sentences(&part.tables.verdict, "sweep")? { p .verdict { (sentence) } }
        (size(part))
        dl .key {
            @for (metric, name, more_is_worse) in KEY {
                (key_figure(labels, metric, name, more_is_worse)?)
            }
        }
    };
    Ok(Some(Section { anchor: "short", title: "In short".to_owned(), content }))
}

/// How much was recorded.
fn size(part: &Part) -> Markup {
    let count = |role: Role| part.runs.iter().filter(|run| run.plotted.factors.role == role).count();
    let roles = [
        (Role::Experiment, "with a fault"),
        (Role::Control, "control"),
        (Role::Baseline, "baseline"),
        (Role::Capacity, "of the capacity"),
    ];
    let roles: Vec<String> = roles
        .into_iter()
        .filter(|(role, _)| count(*role) > 0)
        .map(|(role, name)| match (role, count(role)) {
            (Role::Control | Role::Baseline, count) => counted(count, name),
            (_, count) => format!("{count} {name}"),
        })
        .collect();
    let operations: u64 = part.runs.iter().map(|run| run.listed.manifest.rows.operations).sum();
    let seconds: f64 = part.runs.iter().map(|run| run.plotted.end_s).sum();
    let warned = part.runs.iter().filter(|run| !run.listed.manifest.warnings.is_empty()).count();
    let changed = part.runs.iter().filter(|run| !run.plotted.leader_changes.is_empty()).count();
    html! {
        p {
            (counted(part.runs.len(), "run")) " (" (roles.join(", ")) "), "
            (grouped(operations)) " operations recorded one by one, " (format!("{:.1}", seconds / 60.0)) " minutes measured. "
            @if changed > 0 { "The leader changed in " (counted(changed, "run")) "; these are judged apart. " }
            @if warned > 0 { (counted(warned, "run")) @if warned == 1 { " has" } @else { " have" } " warnings, see the evidence." }
        }
    }
}

/// The largest effect on a metric that is sure; where none is, the largest outside of the noise. The title says which of them it is.
fn key_figure(labels: &DataFrame, metric: &str, name: &str, more_is_worse: bool) -> Result<Markup> {
    let effects = effects(labels, metric)?;
    let badness = |effect: &&Effect| if more_is_worse { effect.ratio } else { -effect.ratio };
    let is_worse = |effect: &&Effect| if more_is_worse { effect.ratio > 1.0 } else { effect.ratio < 1.0 };
    let worst = |is_counted: fn(&Effect) -> bool| {
        let counted = effects.iter().filter(|effect| is_counted(effect)).filter(is_worse);
        counted.max_by(|a, b| badness(a).total_cmp(&badness(b)))
    };
    let most = worst(|effect| effect.is_significant).or_else(|| worst(|effect| effect.is_outside));
    let title = match most {
        Some(effect) if effect.is_significant => format!("Worst significant {name}"),
        Some(_) => format!("Worst {name}, not significant"),
        None => format!("Worst {name}"),
    };
    Ok(html! { div {
        dt { (title) }
        @if let Some(effect) = most {
            dd {
                b { @if effect.is_bound { "≥\u{a0}" } "×" (delta::ratio_in_words(effect.ratio)) }
                @if let Some((low, high)) = effect.interval {
                    " [" (delta::ratio_in_words(low)) ", " (delta::ratio_in_words(high)) "]"
                    @if effect.is_within_run { " within-run" }
                } @else { " (no interval)" }
                " in " (effect.label) ", " (effect.compared) ", " (counted(effect.runs, "run"))
                @if effect.is_bound { "; a bound, for more operations were not acknowledged than the percentile leaves out" }
            }
        } @else if effects.is_empty() {
            dd { "nothing to compare" }
        } @else {
            dd { "no worse than the noise floor in any of " (counted(effects.len(), "comparison")) }
        }
    } })
}

struct Effect {
    label: String,
    compared: String,
    runs: usize,
    ratio: f64,
    interval: Option<(f64, f64)>,
    is_within_run: bool,
    /// Whether it is known to be at least that much only.
    is_bound: bool,
    is_outside: bool,
    is_significant: bool,
}

/// The effects of experiments on a metric, under the fault; of percentiles only what enough operations support.
fn effects(labels: &DataFrame, metric: &str) -> Result<Vec<Effect>> {
    let text = |name: &str| -> PolarsResult<StringChunked> { Ok(labels.column(name)?.str()?.clone()) };
    let number = |suffix: &str| -> PolarsResult<Float64Chunked> {
        Ok(labels.column(&format!("{metric}_{suffix}"))?.f64()?.clone())
    };
    let (label, compared, role, kind) = (text("label")?, text("compared")?, text("role")?, text("kind")?);
    let (ratio, low, high) = (number("ratio")?, number("ratio_low")?, number("ratio_high")?);
    let within = labels.column(&format!("{metric}_within_noise"))?.bool()?;
    let significant = labels.column(&format!("{metric}_significant"))?.bool()?;
    let count = |name: &str| -> PolarsResult<&UInt64Chunked> { labels.column(name)?.u64() };
    let (runs, baselines, ok, ok_reference) =
        (count("runs")?, count("baselines")?, count("ok")?, count("ok_reference")?);
    let share = |name: &str| -> PolarsResult<&Float64Chunked> { labels.column(name)?.f64() };
    let (lost, lost_reference) = (share("not_ok_share")?, share("not_ok_share_reference")?);
    let interval = text("interval")?;
    let supports = |ok: Option<u64>, runs: u64| ok.is_none_or(|ok| delta::is_supported(metric, ok, runs));
    let main = delta::main_kind(&kind);
    let row = |row: usize| {
        let is_experiment = role.get(row) == Some(Role::Experiment.as_str()) && kind.get(row) == Some(main.as_str());
        let compared = compared.get(row).filter(|compared| is_experiment && compared.starts_with("during"))?;
        let of = runs.get(row).unwrap_or(1);
        let is_supported =
            supports(ok.get(row), of) && supports(ok_reference.get(row), baselines.get(row).unwrap_or(of));
        is_supported.then_some(())?;
        Some(Effect {
            label: label.get(row)?.to_owned(),
            compared: compared.to_owned(),
            runs: of as usize,
            ratio: ratio.get(row)?,
            interval: low.get(row).zip(high.get(row)),
            is_within_run: interval.get(row) == Some(delta::WITHIN_RUN),
            is_bound: delta::is_at_least(metric, lost.get(row), lost_reference.get(row)),
            is_outside: within.get(row) != Some(true),
            is_significant: significant.get(row) == Some(true),
        })
    };
    Ok((0..labels.height()).filter_map(row).collect())
}
