//! Whether two runs agree: effect by effect, with intervals and a margin.

use polars::prelude::*;
use run_folder::operation::{Kind, Outcome};

use super::delta::NOT_OK_SHARE;
use super::groups::ALL_KINDS;
use super::{Facts, NS_PER_S, integers, outcomes};
use crate::output::text::{Column as Shown, TextTable};
use crate::phases::{Phase, Phases};
use crate::stats::bootstrap::{self, Numbers, Random, Series};

pub mod differences;
pub mod sets;

/// Columns of `operations` that the table reads.
pub const READS: [&str; 4] = ["kind", "intended_ns", "end_ns", "outcome"];

/// The numbers that are compared, in the order of [`Numbers`].
pub const METRICS: [&str; 3] = ["ops_per_s", "response_p50_ms", "response_p99_ms"];

/// The seed of the draws: the same two runs always give the same intervals.
const SEED: u64 = 1;

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval lies within the margin.
    Agree,
    /// The whole interval lies outside of it.
    Differ,
    /// Neither.
    CannotTell,
}

impl Verdict {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Differ => "differ",
            Self::CannotTell => "cannot tell",
        }
    }

    /// An equivalence test: `interval` is that of a ratio, `margin` a factor of at least 1.
    fn of(interval: Option<(f64, f64)>, margin: f64) -> Self {
        match interval {
            Some((low, high)) if low >= 1.0 / margin && high <= margin => Self::Agree,
            Some((low, high)) if low > margin || high < 1.0 / margin => Self::Differ,
            _ => Self::CannotTell,
        }
    }

    /// The same of the interval of a difference, `margin` being one too.
    fn of_difference(interval: Option<(f64, f64)>, margin: f64) -> Self {
        match interval {
            Some((low, high)) if low >= -margin && high <= margin => Self::Agree,
            Some((low, high)) if low > margin || high < -margin => Self::Differ,
            _ => Self::CannotTell,
        }
    }
}

/// The operations of one run, by kind and phase, as the bootstrap draws them.
pub struct Side {
    run: String,
    phases: Phases,
    /// Kinds in their order, `all` last where there are several; series by phase.
    kinds: Vec<(String, Vec<(Phase, Series)>)>,
}

impl Side {
    /// Takes the operations of one run. `operations` has the columns [`READS`].
    ///
    /// # Errors
    /// [`PolarsError`] when a column is missing or holds what the format does not allow.
    pub fn new(operations: &DataFrame, facts: &Facts) -> PolarsResult<Self> {
        let phases = facts.phases;
        let parts: Vec<Phase> = phases.parts().into_iter().filter(|&phase| phase != Phase::WarmUp).collect();
        let mut rows: Vec<(&str, Phase, i64, i64)> = Vec::new();
        let mut kinds: Vec<&str> = Vec::new();
        let columns = operations
            .column("kind")?
            .str()?
            .iter()
            .zip(integers(operations, "intended_ns")?.into_no_null_iter())
            .zip(integers(operations, "end_ns")?.into_no_null_iter())
            .zip(outcomes(operations)?);
        for (((kind, intended_ns), end_ns), outcome) in columns {
            let (kind, phase) = (kind.unwrap_or_default(), phases.of(intended_ns));
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
            if outcome? == Outcome::Ok && phase != Phase::WarmUp {
                let at_ns = intended_ns - start_ns(&phases, phase);
                rows.push((kind, phase, at_ns, end_ns.saturating_sub(intended_ns)));
            }
        }
        kinds.sort_by_key(|kind| Kind::ALL.iter().position(|known| known.as_str() == *kind).unwrap_or(usize::MAX));
        if kinds.len() != 1 {
            kinds.push(ALL_KINDS);
        }
        let series = |kind: &str, phase: Phase| {
            let is_it = |row: &&(&str, Phase, i64, i64)| row.1 == phase && (kind == ALL_KINDS || row.0 == kind);
            let length_ns = phases.length_s(phase).map_or(0, |length_s| (length_s * NS_PER_S as f64).round() as i64);
            (phase, Series::new(rows.iter().filter(is_it).map(|row| (row.2, row.3)), length_ns))
        };
        let of_kind =
            |kind: &str| (kind.to_owned(), parts.iter().map(|&phase| series(kind, phase)).collect::<Vec<_>>());
        Ok(Self { run: facts.run.clone(), phases, kinds: kinds.into_iter().map(of_kind).collect() })
    }

    fn series(&self, kind: &str, phase: Phase) -> Option<&Series> {
        let (_, phases) = self.kinds.iter().find(|(known, _)| known == kind)?;
        phases.iter().find(|(known, _)| *known == phase).map(|(_, series)| series)
    }

    fn has(&self, phase: Phase) -> bool {
        self.phases.parts().contains(&phase)
    }

    /// A number of `changed`, or its ratio to the same of `reference`: as measured, and of each draw.
    fn effect(&self, kind: &str, (changed, reference): Part, random: &mut Random) -> Option<Effect> {
        let changed = self.series(kind, changed)?;
        let of = |changed: Numbers, reference: Option<Numbers>| -> Numbers {
            std::array::from_fn(|at| match reference {
                None => changed[at],
                Some(reference) => Some(changed[at]? / reference[at].filter(|&before| before > 0.0)?),
            })
        };
        let reference = match reference {
            Some(reference) => Some(self.series(kind, reference)?),
            None => None,
        };
        let measured = of(changed.numbers(), reference.map(Series::numbers));
        let draws = changed.draws(random).and_then(|changed| {
            let Some(reference) = reference else { return Some(changed) };
            let pairs = changed.into_iter().zip(reference.draws(random)?);
            Some(pairs.map(|(changed, reference)| of(changed, Some(reference))).collect())
        });
        Some(Effect { measured, draws })
    }
}

/// Beginning of a phase in nanoseconds after time 0.
fn start_ns(phases: &Phases, phase: Phase) -> i64 {
    match (phase, phases.window()) {
        (Phase::During, Some(window)) => window.from_ns,
        (Phase::After, Some(window)) => window.to_ns,
        _ => 0,
    }
}

struct Effect {
    measured: Numbers,
    draws: Option<Vec<Numbers>>,
}

/// A phase, and the one that it is divided by.
type Part = (Phase, Option<Phase>);

/// The parts that two runs have in common, with their names.
fn parts(a: &Side, b: &Side) -> Vec<(&'static str, Part)> {
    let both = |phase: Phase| a.has(phase) && b.has(phase);
    if both(Phase::Before) {
        let relative = [
            ("during/before", (Phase::During, Some(Phase::Before))),
            ("after/before", (Phase::After, Some(Phase::Before))),
        ];
        return relative.into_iter().filter(|(_, (phase, _))| both(*phase)).collect();
    }
    let level = |phase: Phase| (phase.as_str(), (phase, None));
    [Phase::During, Phase::All].into_iter().filter(|&phase| both(phase)).map(level).collect()
}

/// Compares two runs, one row for each kind, part and metric that both have. Columns:
///
/// - `a`, `b`: the runs
/// - `kind`
/// - `compared`: `during/before` or `after/before`, the effect being a ratio; for runs whose fault lasts all the time
///   `during` and for runs without one `all`, the effect being the level itself
/// - `metric`: one of [`METRICS`]
/// - `effect_a`, `effect_b`: of levels in operations per second and milliseconds
/// - `ratio`: `effect_b` / `effect_a`
/// - `ratio_low`, `ratio_high`: its 95 % interval by the block bootstrap of [`bootstrap`], *within the two runs*: it
///   does not contain what the same run would differ by when recorded again. Null where a phase is shorter than three
///   seconds or has nothing to compute from
/// - `margin`: what counts as the same; `margin` or `noise(kind, compared, metric)`, whichever is larger
/// - `verdict`: see [`Verdict`]
///
/// # Errors
/// [`PolarsError`] never in practice.
pub fn table(
    a: &Side,
    b: &Side,
    margin: f64,
    noise: impl Fn(&str, &str, &str) -> Option<f64>,
) -> PolarsResult<DataFrame> {
    let mut random = Random::new(SEED);
    let mut rows = Vec::new();
    for (kind, _) in &a.kinds {
        for (compared, part) in parts(a, b) {
            let effects = (a.effect(kind, part, &mut random), b.effect(kind, part, &mut random));
            let (Some(of_a), Some(of_b)) = effects else { continue };
            for (at, metric) in METRICS.into_iter().enumerate() {
                let unit = if part.1.is_none() && metric.ends_with("_ms") { 1e6 } else { 1.0 };
                let ratio = |a: &Numbers, b: &Numbers| Some(b[at]? / a[at].filter(|&of_a| of_a > 0.0)?);
                let draws = of_a.draws.as_ref().zip(of_b.draws.as_ref());
                let interval = draws.and_then(|(a, b)| bootstrap::interval(a.iter().zip(b).map(|(a, b)| ratio(a, b))));
                let margin = noise(kind, compared, metric).map_or(margin, |noise| noise.max(margin));
                rows.push(Row {
                    kind,
                    compared,
                    metric,
                    effects: (of_a.measured[at].map(|of_a| of_a / unit), of_b.measured[at].map(|of_b| of_b / unit)),
                    ratio: ratio(&of_a.measured, &of_b.measured),
                    interval,
                    margin,
                });
            }
        }
    }
    frame(&rows, a, b)
}

struct Row<'a> {
    kind: &'a str,
    compared: &'static str,
    metric: &'static str,
    effects: (Option<f64>, Option<f64>),
    ratio: Option<f64>,
    interval: Option<(f64, f64)>,
    margin: f64,
}

fn frame(rows: &[Row<'_>], a: &Side, b: &Side) -> PolarsResult<DataFrame> {
    let number = |name: &str, of: &dyn Fn(&Row<'_>) -> Option<f64>| {
        Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
    };
    let text =
        |name: &str, of: &dyn Fn(&Row<'_>) -> String| Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>());
    DataFrame::new(
        rows.len(),
        vec![
            text("a", &|_| a.run.clone()),
            text("b", &|_| b.run.clone()),
            text("kind", &|row| row.kind.to_owned()),
            text("compared", &|row| row.compared.to_owned()),
            text("metric", &|row| row.metric.to_owned()),
            number("effect_a", &|row| row.effects.0),
            number("effect_b", &|row| row.effects.1),
            number("ratio", &|row| row.ratio),
            number("ratio_low", &|row| Some(row.interval?.0)),
            number("ratio_high", &|row| Some(row.interval?.1)),
            number("margin", &|row| Some(row.margin)),
            text("verdict", &|row| Verdict::of(row.interval, row.margin).as_str().to_owned()),
        ],
    )
}

/// A difference of shares in percentage points, with its sign.
fn points(difference: f64) -> String {
    match (difference * 100.0, difference.abs()) {
        (_, 0.0) => "0".to_owned(),
        (points, 0.1..) => format!("{points:+.0}"),
        (points, 0.01..) => format!("{points:+.1}"),
        (points, _) => format!("{points:+.2}"),
    }
}

/// Effects that the sentence over all rows names; of more it tells the number.
const NAMED_MAX: usize = 8;

/// The verdict over all rows of the main kind (of each label), in a sentence: `differ` when one differs, `agree` when all
/// agree.
///
/// # Errors
/// [`PolarsError`] when `compared` is not the result of [`table`] or [`sets::table`].
pub fn overall(compared: &DataFrame) -> PolarsResult<String> {
    let text = |name: &str| -> PolarsResult<&StringChunked> { compared.column(name)?.str() };
    let number = |name: &str| -> PolarsResult<&Float64Chunked> { compared.column(name)?.f64() };
    let verdict = text("verdict")?;
    let rows = main_rows(compared)?;
    let label = compared.column("label_a").ok().and_then(|column| column.str().ok());
    let optional = |name: &str| -> Option<&Float64Chunked> { compared.column(name).ok()?.f64().ok() };
    let because = compared.column("because").ok().and_then(|column| column.str().ok());
    let (part, metric) = (text("compared")?, text("metric")?);
    let (ratio, low, high, margin) = (number("ratio")?, number("ratio_low")?, number("ratio_high")?, number("margin")?);
    let (difference, from, to) = (optional("difference"), optional("difference_low"), optional("difference_high"));
    let described = |row: usize| {
        let shown = |value: Option<f64>| value.map_or("?".to_owned(), super::delta::ratio_in_words);
        let (part, metric) = (part.get(row).unwrap_or_default(), metric.get(row).unwrap_or_default());
        let label = label.and_then(|label| label.get(row)).map_or(String::new(), |label| format!("{label} "));
        if let Some(why) = because.and_then(|because| because.get(row)) {
            return format!("{label}{metric} {part} ({why})");
        }
        let is_share = metric == NOT_OK_SHARE;
        let of = |row_of: Option<&Float64Chunked>| row_of.and_then(|numbers| numbers.get(row));
        let ends = if is_share { (of(from), of(to)) } else { (low.get(row), high.get(row)) };
        let number = |value: Option<f64>| if is_share { value.map_or("?".to_owned(), points) } else { shown(value) };
        let interval = match ends {
            (None, _) | (_, None) => "no interval".to_owned(),
            (low, high) => format!("{} to {}", number(low), number(high)),
        };
        match is_share {
            true => {
                let margin = margin.get(row).map_or("?".to_owned(), |margin| (margin * 100.0).to_string());
                format!("{label}{metric} {part} {} points ({interval}; margin {margin})", number(of(difference)))
            }
            false => format!(
                "{label}{metric} {part} {} times ({interval}; margin {})",
                shown(ratio.get(row)),
                shown(margin.get(row))
            ),
        }
    };
    let lost = |side: &str| -> Option<&UInt64Chunked> { compared.column(side).ok()?.u64().ok() };
    let (lost_a, lost_b) = (lost("lost_a"), lost("lost_b"));
    let is_lost = |row: &&usize| [lost_a, lost_b].iter().flatten().any(|lost| lost.get(**row) > Some(0));
    let lost = match rows.iter().filter(is_lost).count() {
        0 => String::new(),
        count => format!("; of {count}, runs acknowledged nothing"),
    };
    let of = |wanted: Verdict| rows.iter().copied().filter(move |&row| verdict.get(row) == Some(wanted.as_str()));
    let listed = |rows: Vec<usize>| {
        let more = rows.len().saturating_sub(NAMED_MAX);
        let more = (more > 0).then(|| format!("{more} more"));
        rows.into_iter().take(NAMED_MAX).map(described).chain(more).collect::<Vec<_>>().join(", ")
    };
    let (differing, unclear) = (of(Verdict::Differ).collect::<Vec<_>>(), of(Verdict::CannotTell).collect::<Vec<_>>());
    let all = rows.len();
    let is_factor = |row: &&usize| metric.get(**row) != Some(NOT_OK_SHARE);
    let margins = || rows.iter().filter(is_factor).filter_map(|&row| margin.get(row));
    let (least, most) = (margins().fold(f64::MAX, f64::min), margins().fold(1.0, f64::max));
    let words = super::delta::ratio_in_words;
    let margins = match most > least {
        true => format!("margins {} to {}, widened by the noise floor", words(least), words(most)),
        false => format!("margin {}", words(most)),
    };
    Ok(match (differing.len(), unclear.len()) {
        _ if all == 0 => "cannot tell: the runs have no part in common that could be compared".to_owned(),
        (0, 0) => format!("agree: all {all} effects of B are those of A ({margins}){lost}"),
        (0, count) => {
            format!("cannot tell: {count} of {all} intervals reach beyond the margin: {}{lost}", listed(unclear))
        }
        (count, _) => format!("differ: {count} of {all} effects of B against A: {}{lost}", listed(differing)),
    })
}

/// The rows that the verdict over all counts: those of the main kind of operation, of each label where there are several.
fn main_rows(compared: &DataFrame) -> PolarsResult<Vec<usize>> {
    let kind = compared.column("kind")?.str()?;
    let Ok(label) = compared.column("label_a") else {
        let main = super::delta::main_kind(kind);
        return Ok((0..compared.height()).filter(|&row| kind.get(row) == Some(main.as_str())).collect());
    };
    let label = label.str()?;
    let is_main = |row: usize| {
        let own: StringChunked = (0..compared.height())
            .filter(|&other| label.get(other) == label.get(row))
            .map(|other| kind.get(other))
            .collect();
        kind.get(row) == Some(super::delta::main_kind(&own).as_str())
    };
    Ok((0..compared.height()).filter(|&row| is_main(row)).collect())
}

/// The comparison for people: the verdict, the effects, and what differs in the manifests.
///
/// # Errors
/// [`PolarsError`] when the frames are not results of [`table`] and [`differences::table`].
pub fn text(compared: &DataFrame, differences: &DataFrame) -> PolarsResult<TextTable> {
    let mut shown = compared.clone();
    let (low, high) = (compared.column("ratio_low")?.f64()?, compared.column("ratio_high")?.f64()?);
    let words = super::delta::ratio_in_words;
    let interval: Vec<Option<String>> = low
        .iter()
        .zip(high.iter())
        .map(|(low, high)| low.zip(high).map(|(low, high)| format!("{} to {}", words(low), words(high))))
        .collect();
    shown.with_column(Column::new("interval".into(), interval))?;
    let columns = [
        Shown::new("kind", "kind"),
        Shown::new("compared", "compared"),
        Shown::new("metric", "metric"),
        Shown::new("effect_a", "A").under("effect"),
        Shown::new("effect_b", "B").under("effect"),
        Shown::new("ratio", "B/A"),
        Shown::new("interval", "95 % within").right(),
        Shown::new("margin", "margin"),
        Shown::new("verdict", "verdict"),
    ];
    let mut text = TextTable::new(&shown, &columns, None)?;
    let run =
        |name: &str| -> PolarsResult<String> { Ok(compared.column(name)?.str()?.get(0).unwrap_or("-").to_owned()) };
    if compared.height() > 0 {
        text.lead(&format!("A: {}", run("a")?));
        text.lead(&format!("B: {}", run("b")?));
    }
    text.lead(&overall(compared)?);
    text.lead("");
    text.note("effect: ratio to before the fault; of runs without a before the level itself (ops/s, ms)");
    text.note(
        "95 % within: block bootstrap in time within the two runs; it does not contain what runs differ by from one to \
         the next",
    );
    text.note("agree: the interval is within 1/margin to margin; differ: it is wholly outside; margin: --margin");
    text.note("");
    if differences.height() == 0 {
        text.note("the manifests do not differ in what was asked, nor in where it ran");
    } else {
        text.note("what differs in the manifests:");
        differences::lines(differences)?.iter().for_each(|line| text.note(line));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_need_the_whole_interval() {
        for (interval, expected) in [
            (Some((0.9, 1.1)), Verdict::Agree),
            (Some((0.8, 1.25)), Verdict::Agree),
            (Some((0.79, 1.1)), Verdict::CannotTell),
            (Some((1.26, 9.0)), Verdict::Differ),
            (Some((0.1, 0.79)), Verdict::Differ),
            (Some((0.1, 9.0)), Verdict::CannotTell),
            (None, Verdict::CannotTell),
        ] {
            assert_eq!(Verdict::of(interval, 1.25), expected, "{interval:?}");
        }
    }
}
