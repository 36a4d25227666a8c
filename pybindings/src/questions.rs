//! Questions, one function for each table.

use std::path::PathBuf;

use analyze::commands::{
    self, Causes, Check, Comparison, DeltaBy, Question, Recovery, Rules, Samples, Severity, Side, Verdict, VerdictBy,
};
use analyze::gate::rule::Rule as GateRule;
use analyze::tables::delta::METRICS;
use analyze::tables::recovery::Rule;
use analyze::tables::throughput::By;
use pyo3::prelude::*;

use crate::errors::{self, Failure};
use crate::selection::Selection;
use crate::tables::Answer;
use crate::work::apart;

fn ask(py: Python<'_>, question: Question) -> PyResult<Answer> {
    apart(py, move || {
        let mut report = commands::Report::default();
        match commands::answer(&question, &mut report) {
            Ok(answer) => Ok(Answer::of(answer, report)),
            Err(error) => Err(Failure::of(error, &report)),
        }
    })
}

/// One of the words that an argument takes.
fn word<T: Copy>(py: Python<'_>, argument: &str, given: &str, words: &[(&str, T)]) -> PyResult<T> {
    words.iter().find(|(word, _)| *word == given).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known = words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        errors::named(py, "ArgumentError", format!("{argument}={given:?}: takes one of {known}"))
    })
}

fn metrics(py: Python<'_>, given: &[String], known: &[&'static str]) -> PyResult<Vec<&'static str>> {
    let words: Vec<(&str, &'static str)> = known.iter().map(|name| (*name, *name)).collect();
    given.iter().map(|name| word(py, "metric", name, &words)).collect()
}

fn label_or_run(py: Python<'_>, by: &str) -> PyResult<DeltaBy> {
    word(py, "by", by, &[("label", DeltaBy::Label), ("run", DeltaBy::Run)])
}

fn rule(py: Python<'_>, hold_s: f64, share_percent: f64) -> PyResult<Rule> {
    let wrong = |name: &str, value: f64, problem: &str| {
        errors::named(py, "ArgumentError", format!("{name}={value}: {problem}"))
    };
    Ok(Rule {
        hold_s: Rule::hold_s(hold_s).map_err(|problem| wrong("hold_s", hold_s, problem))?,
        share_percent: Rule::share_percent(share_percent).map_err(|problem| wrong("share", share_percent, problem))?,
    })
}

#[pyfunction]
pub(crate) fn list_runs(py: Python<'_>, runs: &Selection) -> PyResult<Answer> {
    ask(py, Question::List { selection: runs.asked.clone(), wide: false })
}

#[pyfunction]
pub(crate) fn summary(py: Python<'_>, runs: &Selection) -> PyResult<Answer> {
    ask(py, Question::Summary { selection: runs.asked.clone(), wide: false })
}

#[pyfunction]
pub(crate) fn throughput(py: Python<'_>, runs: &Selection, by: &str) -> PyResult<Answer> {
    let by = word(py, "by", by, &[("run", By::Run), ("member", By::Member)])?;
    ask(py, Question::Throughput { selection: runs.asked.clone(), by })
}

#[pyfunction]
pub(crate) fn cdf(py: Python<'_>, runs: &Selection) -> PyResult<Answer> {
    ask(py, Question::Cdf { selection: runs.asked.clone() })
}

#[pyfunction]
pub(crate) fn delta(py: Python<'_>, runs: &Selection, by: &str) -> PyResult<Answer> {
    ask(py, Question::Delta { selection: runs.asked.clone(), by: label_or_run(py, by)?, wide: false })
}

#[pyfunction]
pub(crate) fn compare(
    py: Python<'_>,
    a: (String, PyRef<'_, Selection>),
    b: (String, PyRef<'_, Selection>),
    metric: Vec<String>,
    margin: f64,
) -> PyResult<Answer> {
    if !(margin >= 1.0 && margin.is_finite()) {
        return Err(errors::named(
            py,
            "ArgumentError",
            format!("margin={margin}: is no factor of at least 1, as in 1.25"),
        ));
    }
    let side = |(name, runs): &(String, PyRef<'_, Selection>)| Side::Chosen {
        name: name.clone(),
        selection: runs.asked.clone(),
    };
    let comparison = Comparison {
        a: side(&a),
        b: Some(side(&b)),
        dir: a.1.asked.dir.clone(),
        margin,
        metrics: metrics(py, &metric, &METRICS)?,
        include_failed: false,
        plot: None,
    };
    ask(py, Question::Compare(comparison))
}

#[pyfunction]
pub(crate) fn severity(
    py: Python<'_>,
    runs: &Selection,
    metric: Vec<String>,
    crossings: bool,
    begins: f64,
    certain: f64,
) -> PyResult<Answer> {
    let known: Vec<&'static str> = analyze::tables::severity::metrics().collect();
    let chosen = metrics(py, &metric, &known)?;
    for (name, percent) in [("begins", begins), ("certain", certain)] {
        if !(percent > 0.0 && percent < 100.0) {
            return Err(errors::named(
                py,
                "ArgumentError",
                format!("{name}={percent}: is no percentage between 0 and 100"),
            ));
        }
    }
    let question = Severity {
        selection: runs.asked.clone(),
        metrics: if chosen.is_empty() { analyze::tables::severity::USUAL.to_vec() } else { chosen },
        is_crossings: crossings,
        thresholds: (begins, certain),
        wide: false,
    };
    ask(py, Question::Severity(question))
}

#[pyfunction]
pub(crate) fn samples(py: Python<'_>, runs: &Selection, metric: Vec<String>) -> PyResult<Answer> {
    ask(py, Question::Samples(Samples { selection: runs.asked.clone(), metrics: metric }))
}

#[pyfunction]
pub(crate) fn check(py: Python<'_>, runs: &Selection) -> PyResult<Answer> {
    ask(py, Question::Check(Check { selection: runs.asked.clone(), wide: false }))
}

#[pyfunction]
pub(crate) fn recovery(py: Python<'_>, runs: &Selection, by: &str, hold_s: f64, share: f64) -> PyResult<Answer> {
    let rule = rule(py, hold_s, share)?;
    ask(
        py,
        Question::Recovery(Recovery { selection: runs.asked.clone(), by: label_or_run(py, by)?, rule, wide: false }),
    )
}

#[pyfunction]
pub(crate) fn causes(py: Python<'_>, runs: &Selection) -> PyResult<Answer> {
    ask(py, Question::Causes(Causes { selection: runs.asked.clone(), wide: false }))
}

#[pyfunction]
pub(crate) fn verdict(py: Python<'_>, runs: &Selection, by: &str, hold_s: f64, share: f64) -> PyResult<Answer> {
    let words = [("run", VerdictBy::Run), ("label", VerdictBy::Label), ("sweep", VerdictBy::Sweep)];
    let rule = rule(py, hold_s, share)?;
    ask(py, Question::Verdict(Verdict { selection: runs.asked.clone(), by: word(py, "by", by, &words)?, rule }))
}

#[pyfunction]
pub(crate) fn gate(py: Python<'_>, runs: &Selection, rules: Vec<String>, file: Option<PathBuf>) -> PyResult<Answer> {
    let parsed = |text: &String| {
        let wrong = |problem: String| errors::named(py, "ArgumentError", format!("rule {text:?}: {problem}"));
        text.parse::<GateRule>().map_err(wrong)
    };
    let more = rules.iter().map(parsed).collect::<PyResult<Vec<_>>>()?;
    ask(py, Question::Gate(Rules { file, more, selection: runs.asked.clone() }))
}

#[pyfunction]
pub(crate) fn columns(py: Python<'_>, table: Option<String>) -> PyResult<Answer> {
    ask(py, Question::Columns(table))
}
