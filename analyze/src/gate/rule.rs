//! Rules, as in `during.put.response.p99 <= 3 * before`: what they may say, and how their text becomes types.
//!
//! ```text
//! rule      = quantity op limit
//! quantity  = [phase "."] [kind "."] [time "."] metric
//! phase     = "before" | "during" | "after" | "all"                          default: all
//! kind      = "put" | "get" | "get_serializable" | "txn" | "delete" | "all"  default: all kinds together
//! time      = "response" | "service" | "response_due"                        default: response
//! metric    = a name of METRICS, with or without its unit, as in p99 or p99_ms
//! op        = "<=" | "<" | ">=" | ">"
//! limit     = number [unit] | [factor "*"] reference
//! reference = phase | "baseline"
//! ```

use std::str::FromStr;

use crate::load::Pattern;
use crate::phases::Phase;

/// What a limit and a quantity are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// Operations per second.
    PerS,
    /// A share between 0 and 1.
    Share,
    /// A number of things.
    Count,
}

impl Unit {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ms => "ms",
            Self::S => "s",
            Self::PerS => "ops/s",
            Self::Share => "share",
            Self::Count => "operations",
        }
    }

    /// What one of `unit`, as typed, is in this unit; `None` where it is a unit of something else.
    fn factor_of(self, unit: &str) -> Option<f64> {
        Some(match (self, unit) {
            (_, "") | (Self::Ms, "ms") | (Self::S, "s") | (Self::PerS, "ops/s" | "/s") => 1.0,
            (Self::Ms, "s") => 1e3,
            (Self::Ms, "us" | "µs") | (Self::S, "ms") => 1e-3,
            (Self::S, "us" | "µs") => 1e-6,
            (Self::S, "min") => 60.0,
            (Self::Share, "%") => 0.01,
            _ => return None,
        })
    }

    /// How a limit in this unit is typed, for messages.
    fn examples(self) -> &'static str {
        match self {
            Self::Ms => "50ms, 0.5s or 200us",
            Self::S => "5s or 500ms",
            Self::PerS => "100 ops/s",
            Self::Share => "0.1% or 0.001",
            Self::Count => "1000",
        }
    }

    /// The suffix that names of this unit end in.
    fn suffix(self) -> &'static str {
        match self {
            Self::Ms => "_ms",
            Self::S => "_s",
            Self::PerS | Self::Share | Self::Count => "",
        }
    }
}

/// Where the number of a quantity comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A column of [`crate::tables::summary`], of one kind of operation and one phase.
    Summary,
    /// Operations not acknowledged, of those due; of one kind and phase likewise.
    NotOkShare,
    /// A column of [`crate::tables::recovery`], of one kind of operation, from the fault's beginning or end on.
    Recovery,
}

/// What a rule is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// Where its number comes from.
    pub source: Source,
    /// The column with the number.
    pub column: String,
    /// What the number is measured in.
    pub unit: Unit,
    /// The part of the run.
    pub phase: Phase,
    /// The kind of operation; all kinds together where none was named.
    pub kind: Option<&'static str>,
}

/// How a quantity is held against its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

impl Op {
    const ALL: [Self; 4] = [Self::AtMost, Self::AtLeast, Self::Below, Self::Above];

    /// As it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::Above => ">",
        }
    }

    /// Whether a value of this size is as it should be.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::AtMost => value <= limit,
            Self::Below => value < limit,
            Self::AtLeast => value >= limit,
            Self::Above => value > limit,
        }
    }

    /// True where more is worse.
    pub fn is_upper(self) -> bool {
        matches!(self, Self::AtMost | Self::Below)
    }
}

/// What a quantity is put in relation to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// The same quantity in another part of the same run.
    Phase(Phase),
    /// The same quantity of the baselines, over the whole run: their geometric mean.
    Baseline,
}

impl Reference {
    /// As it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phase(phase) => phase.as_str(),
            Self::Baseline => "baseline",
        }
    }
}

/// What a quantity must not pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A number in the quantity's unit.
    Number(f64),
    /// So many times another number.
    Relative {
        /// How many times.
        factor: f64,
        /// What.
        to: Reference,
    },
}

/// What a rule demands.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Of what.
    pub quantity: Quantity,
    /// In which direction.
    pub op: Op,
    /// How much.
    pub limit: Limit,
}

impl Condition {
    /// Whether it is about what a fault did, so that runs without one have nothing to say to it.
    pub fn needs_fault(&self) -> bool {
        let quantity = &self.quantity;
        quantity.phase != Phase::All
            || quantity.source == Source::Recovery
            || matches!(self.limit, Limit::Relative { .. })
    }
}

/// What a rule is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Each run by itself.
    Run,
    /// The repeats of a label together.
    Label,
}

impl Of {
    /// As it is typed, and its name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Label => "label",
        }
    }
}

/// A rule, ready to be held against runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What people call it; its text where it has no name.
    pub name: String,
    /// As typed.
    pub text: String,
    /// Labels of the runs that it is about; none: see [`Rule::takes`] in [`super::evaluate`].
    pub runs: Vec<Pattern>,
    /// What it is held against.
    pub of: Of,
    /// Whether the whole 95 % interval has to keep the limit.
    pub is_sure: bool,
    /// What it demands.
    pub condition: Condition,
}

impl FromStr for Rule {
    type Err = String;

    /// A rule by its text alone, with everything else as it is by default.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let condition = text.parse()?;
        Ok(Self {
            name: text.to_owned(),
            text: text.to_owned(),
            runs: Vec::new(),
            of: Of::Run,
            is_sure: false,
            condition,
        })
    }
}

const PHASES: [Phase; 4] = [Phase::Before, Phase::During, Phase::After, Phase::All];
const KINDS: [&str; 6] = ["put", "get", "get_serializable", "txn", "delete", "all"];
const TIMES: [&str; 3] = ["response", "service", "response_due"];
/// Metrics of a latency.
const LATENCIES: [&str; 7] = ["p50", "p90", "p95", "p99", "p99_9", "mean", "max"];

/// The other metrics, with the column that has them and their unit.
const METRICS: [(&str, Source, &str, Unit); 17] = [
    ("ops_per_s", Source::Summary, "ops_per_s", Unit::PerS),
    ("throughput", Source::Summary, "ops_per_s", Unit::PerS),
    ("count", Source::Summary, "count", Unit::Count),
    ("ok", Source::Summary, "ok", Unit::Count),
    ("failed", Source::Summary, "failed", Unit::Count),
    ("unknown", Source::Summary, "unknown", Unit::Count),
    ("unsent", Source::Summary, "unsent", Unit::Count),
    ("not_ok_share", Source::NotOkShare, "not_ok_share", Unit::Share),
    ("error_rate", Source::NotOkShare, "not_ok_share", Unit::Share),
    ("recovery", Source::Recovery, "recovery_s", Unit::S),
    ("first_write", Source::Recovery, "first_write_s", Unit::S),
    ("response_p50_recovery", Source::Recovery, "response_p50_recovery_s", Unit::S),
    ("response_p99_recovery", Source::Recovery, "response_p99_recovery_s", Unit::S),
    ("backlog_drained", Source::Recovery, "backlog_drained_s", Unit::S),
    ("longest_gap", Source::Recovery, "longest_gap_s", Unit::S),
    ("unavailable", Source::Recovery, "unavailable_s", Unit::S),
    ("ops_lost", Source::Recovery, "ops_lost", Unit::Count),
];

fn metrics() -> Vec<&'static str> {
    LATENCIES.into_iter().chain(METRICS.map(|metric| metric.0)).collect()
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Op::ALL.into_iter().filter_map(|op| Some((text.find(op.as_str())?, op))).min_by_key(|(at, _)| *at);
        let Some((at, op)) = found else {
            return Err("has no <=, <, >= or >; expected a rule such as during.put.p99 <= 3 * before".to_owned());
        };
        let (quantity, limit) = (text[..at].trim(), text[at + op.as_str().len()..].trim());
        let (quantity, names_phase) = parse_quantity(quantity)?;
        let limit = parse_limit(limit, &quantity)?;
        if let (Limit::Relative { to, .. }, Source::Recovery) = (limit, quantity.source) {
            let examples = quantity.unit.examples();
            return Err(format!(
                "compares {} with {}, which has none; expected {examples}",
                quantity.column,
                to.as_str()
            ));
        }
        if let Limit::Relative { to: Reference::Phase(phase), .. } = limit {
            if !names_phase {
                return Err(format!(
                    "does not say what is compared with {0}; expected a phase in front, as in during.p99 <= 3 * {0}",
                    phase.as_str()
                ));
            }
            if quantity.phase == phase {
                return Err(format!("compares {0} with {0}; expected two different phases", phase.as_str()));
            }
        }
        Ok(Self { quantity, op, limit })
    }
}

/// The quantity, and whether it names a phase.
fn parse_quantity(text: &str) -> Result<(Quantity, bool), String> {
    // The one dot that separates nothing.
    let text = text.replace("p99.9", "p99_9");
    let mut parts: Vec<&str> = text.split('.').map(str::trim).collect();
    let metric = parts.pop().unwrap_or_default();
    let (mut phase, mut kind, mut time) = (None, None, None);
    for part in parts {
        let found_phase = PHASES.into_iter().find(|known| known.as_str() == part);
        let found_kind = KINDS.into_iter().find(|known| *known == part);
        let found_time = TIMES.into_iter().find(|known| *known == part);
        match (found_phase, found_kind, found_time) {
            (Some(found), ..) if phase.is_none() && kind.is_none() && time.is_none() => phase = Some(found),
            (_, Some(found), _) if kind.is_none() && time.is_none() => kind = Some(found),
            (_, _, Some(found)) if time.is_none() => time = Some(found),
            (None, None, None) => {
                let known = PHASES.into_iter().map(Phase::as_str).chain(KINDS).chain(TIMES);
                return Err(unknown("a phase, a kind of operation or a time", part, known));
            }
            _ => return Err(format!("has {part:?} in the wrong place; expected PHASE.KIND.TIME.METRIC, each once")),
        }
    }
    let phase_or_all = phase.unwrap_or(Phase::All);
    if let Some(name) = LATENCIES.into_iter().find(|known| names(metric, known, Unit::Ms)) {
        let time = time.unwrap_or("response");
        if (time, name) == ("response_due", "mean") {
            return Err(
                "asks for a mean over operations some of which have no answer; expected a percentile".to_owned()
            );
        }
        let column = format!("{time}_{name}_ms");
        let quantity = Quantity { source: Source::Summary, column, unit: Unit::Ms, phase: phase_or_all, kind };
        return Ok((quantity, phase.is_some()));
    }
    let known = METRICS.into_iter().find(|(name, _, _, unit)| names(metric, name, *unit));
    let Some((name, source, column, unit)) = known else { return Err(unknown("a metric", metric, metrics())) };
    if let Some(time) = time {
        return Err(format!("has {time:?} before {name}, which is no latency; expected PHASE.KIND.{name}"));
    }
    if let (Some(phase), Source::Recovery) = (phase, source) {
        return Err(format!("has {:?} before {name}, which is of no phase; expected KIND.{name}", phase.as_str()));
    }
    Ok((Quantity { source, column: column.to_owned(), unit, phase: phase_or_all, kind }, phase.is_some()))
}

/// Whether a typed name is a metric's, with or without its unit.
fn names(typed: &str, metric: &str, unit: Unit) -> bool {
    typed == metric || (!unit.suffix().is_empty() && typed.strip_suffix(unit.suffix()) == Some(metric))
}

fn parse_limit(text: &str, quantity: &Quantity) -> Result<Limit, String> {
    let (factor, rest) = match text.split_once('*') {
        Some((factor, rest)) => (Some(factor.trim()), rest.trim()),
        None => (None, text),
    };
    let reference = PHASES.into_iter().find(|phase| phase.as_str() == rest).map(Reference::Phase);
    let reference = reference.or((rest == "baseline").then_some(Reference::Baseline));
    match (factor, reference) {
        (Some(factor), Some(to)) => match factor.parse::<f64>() {
            Ok(factor) if factor > 0.0 && factor.is_finite() => Ok(Limit::Relative { factor, to }),
            _ => Err(format!("has {factor:?} as a factor; expected a number above 0, as in 3 * {}", to.as_str())),
        },
        (None, Some(to)) => Ok(Limit::Relative { factor: 1.0, to }),
        (Some(_), None) => {
            let known = PHASES.into_iter().map(Phase::as_str).chain(["baseline"]);
            Err(unknown("something to compare with", rest, known))
        }
        (None, None) => parse_number(text, quantity).map(Limit::Number),
    }
}

fn parse_number(text: &str, quantity: &Quantity) -> Result<f64, String> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim());
    let unit_of = quantity.unit;
    let expected = || {
        let (examples, name) = (unit_of.examples(), unit_of.as_str());
        format!("expected {examples} (without a unit: {name}), or a factor as in 3 * before")
    };
    if number.is_empty() {
        let near = near(text, PHASES.into_iter().map(Phase::as_str).chain(["baseline"]));
        return Err(format!("has {text:?} as its limit; {}{near}", expected()));
    }
    let Ok(value) = number.parse::<f64>() else { return Err(format!("has {number:?} as a number; {}", expected())) };
    let Some(factor) = unit_of.factor_of(unit) else {
        return Err(format!("has a limit in {unit:?}, which does not fit {}; {}", quantity.column, expected()));
    };
    let value = value * factor;
    if value < 0.0 || !value.is_finite() {
        return Err(format!("has a limit below 0; {}", expected()));
    }
    if unit_of == Unit::Share && value > 1.0 {
        return Err(format!("has a limit above 1, and so above every share; expected {}", unit_of.examples()));
    }
    Ok(value)
}

/// That a name is not known, with the one that comes nearest and all that there are.
fn unknown(what: &str, typed: &str, known: impl IntoIterator<Item = &'static str>) -> String {
    let mut all: Vec<&str> = Vec::new();
    for name in known {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    let near = near(typed, all.iter().copied());
    format!("has {typed:?}, which is not {what}; expected one of {}{near}", all.join(", "))
}

/// A question after the known name that comes nearest to a typed one, where one does.
pub(super) fn near<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    const LIKENESS_MIN: f64 = 0.75;
    let likeness = |name: &str| strsim::jaro_winkler(typed, name);
    let nearest = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    nearest
        .filter(|name| likeness(name) >= LIKENESS_MIN)
        .map_or(String::new(), |name| format!(" (did you mean {name}?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Condition {
        text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[test]
    fn quantities() {
        for (text, column, phase, kind) in [
            ("p99 <= 1", "response_p99_ms", Phase::All, None),
            ("put.p99_ms <= 1", "response_p99_ms", Phase::All, Some("put")),
            ("during.put.response.p99 <= 1", "response_p99_ms", Phase::During, Some("put")),
            ("after.service.p99.9 <= 1", "service_p99_9_ms", Phase::After, None),
            ("get_serializable.response_due.p99_9_ms<1", "response_due_p99_9_ms", Phase::All, Some("get_serializable")),
            ("all.all.mean < 1", "response_mean_ms", Phase::All, Some("all")),
            ("before.throughput >= 1", "ops_per_s", Phase::Before, None),
            ("error_rate <= 1%", "not_ok_share", Phase::All, None),
            ("txn.count > 5", "count", Phase::All, Some("txn")),
            ("recovery <= 5s", "recovery_s", Phase::All, None),
            ("put.longest_gap_s <= 5", "longest_gap_s", Phase::All, Some("put")),
        ] {
            let quantity = parse(text).quantity;
            assert_eq!((quantity.column.as_str(), quantity.phase, quantity.kind), (column, phase, kind), "{text}");
        }
    }

    #[test]
    fn limits() {
        let before = Reference::Phase(Phase::Before);
        for (text, op, limit) in [
            ("p99 <= 50", Op::AtMost, Limit::Number(50.0)),
            ("p99 < 0.5 s", Op::Below, Limit::Number(500.0)),
            ("p99>=200us", Op::AtLeast, Limit::Number(0.2)),
            ("error_rate <= 0.5 %", Op::AtMost, Limit::Number(0.005)),
            ("not_ok_share <= 0.01", Op::AtMost, Limit::Number(0.01)),
            ("throughput > 100 ops/s", Op::Above, Limit::Number(100.0)),
            ("during.p99 <= 3 * before", Op::AtMost, Limit::Relative { factor: 3.0, to: before }),
            ("after.p99 <= before", Op::AtMost, Limit::Relative { factor: 1.0, to: before }),
            ("p99 <= 1.2*baseline", Op::AtMost, Limit::Relative { factor: 1.2, to: Reference::Baseline }),
        ] {
            let condition = parse(text);
            assert_eq!((condition.op, condition.limit), (op, limit), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_was_expected() {
        for (text, expected) in [
            ("p99 50", "has no <=, <, >= or >"),
            ("p98 <= 1", "\"p98\", which is not a metric; expected one of p50, p90"),
            ("throughputt >= 1", "did you mean throughput?"),
            ("durin.p99 <= 1", "did you mean during?"),
            ("put.during.p99 <= 1", "\"during\" in the wrong place; expected PHASE.KIND.TIME.METRIC"),
            ("put.put.p99 <= 1", "in the wrong place"),
            ("service.ops_per_s > 1", "\"service\" before ops_per_s, which is no latency"),
            ("response_due.mean <= 1", "expected a percentile"),
            ("p99 <= 5%", "in \"%\", which does not fit response_p99_ms; expected 50ms"),
            ("p99 <= soon", "\"soon\" as its limit; expected 50ms"),
            ("p99 <= befor", "did you mean before?"),
            ("p99 <= -1", "below 0"),
            ("after.recovery <= 5s", "\"after\" before recovery, which is of no phase"),
            ("recovery <= 2 * before", "compares recovery_s with before, which has none; expected 5s"),
            ("recovry <= 5s", "did you mean recovery?"),
            ("p99 <= 1.2.3", "\"1.2.3\" as a number"),
            ("p99 <=", "\"\" as its limit"),
            ("error_rate <= 5", "above every share"),
            ("during.p99 <= 0 * before", "\"0\" as a factor"),
            ("during.p99 <= 3 * befour", "did you mean before?"),
            ("p99 <= 3 * before", "expected a phase in front, as in during.p99 <= 3 * before"),
            ("before.p99 <= 3 * before", "two different phases"),
        ] {
            let problem = text.parse::<Condition>().expect_err(text);
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }
}
