//! Rules files: TOML with rules, and defaults for all of them. Every mistake is named with its line.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::{Spanned, Value};

use super::rule::{Of, Rule, near};
use crate::load::Pattern;
use crate::{Error, Result};

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    runs: Option<Spanned<Value>>,
    of: Option<Spanned<String>>,
    sure: Option<Spanned<bool>>,
    #[serde(default)]
    rule: Vec<Typed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    rule: Spanned<String>,
    name: Option<String>,
    runs: Option<Spanned<Value>>,
    of: Option<Spanned<String>>,
    sure: Option<Spanned<bool>>,
}

/// What is wrong, and where in the text.
struct Mistake {
    at: Range<usize>,
    problem: String,
}

fn mistake(at: Range<usize>, problem: impl Into<String>) -> Mistake {
    Mistake { at, problem: problem.into() }
}

/// Reads a rules file.
///
/// # Errors
/// [`Error::Usage`] when it cannot be read or says what is no rule, with its line.
pub fn read(path: &Path) -> Result<Vec<Rule>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::Usage(format!("{}: cannot read the rules: {error}", path.display())))?;
    parse(&text).map_err(|Mistake { at, problem }| {
        let line = text[..at.start.min(text.len())].matches('\n').count() + 1;
        Error::Usage(format!("{}:{line}: {problem}", path.display()))
    })
}

fn parse(text: &str) -> std::result::Result<Vec<Rule>, Mistake> {
    let file: File = toml::from_str(text).map_err(|error| {
        let message = error.message();
        // serde names the unknown field first and then those that there are, all of them in backticks.
        let mut names = message.split('`').skip(1).step_by(2);
        let unknown = names.next().filter(|_| message.starts_with("unknown field"));
        let hint = unknown.map_or(String::new(), |unknown| near(unknown, names));
        mistake(error.span().unwrap_or(0..0), format!("{}{hint}", message.trim_end()))
    })?;
    if file.rule.is_empty() {
        return Err(mistake(0..0, "holds no rule; begin one with [[rule]], and rule = \"p99 <= 50ms\" below it"));
    }
    let defaults = Defaults {
        runs: file.runs.map(|runs| patterns(&runs)).transpose()?.unwrap_or_default(),
        of: file.of.map(|of| parse_of(&of)).transpose()?,
        is_sure: file.sure.is_some_and(|sure| *sure.get_ref()),
    };
    file.rule.into_iter().map(|typed| defaults.rule(typed)).collect()
}

/// What holds of rules that say nothing else.
struct Defaults {
    runs: Vec<Pattern>,
    of: Option<Of>,
    is_sure: bool,
}

impl Defaults {
    fn rule(&self, typed: Typed) -> std::result::Result<Rule, Mistake> {
        let at = typed.rule.span();
        let text = typed.rule.get_ref();
        let rule: Rule = text.parse().map_err(|problem| mistake(at.clone(), format!("rule {text:?} {problem}")))?;
        let is_sure = typed.sure.as_ref().map_or(self.is_sure, |sure| *sure.get_ref());
        // Only repeats have an interval from which the next run can be told.
        let usual = if is_sure { Of::Label } else { Of::Run };
        let of = typed.of.map(|of| parse_of(&of)).transpose()?.or(self.of).unwrap_or(usual);
        if is_sure && of == Of::Run {
            let problem = format!("rule {text:?} has sure = true and of = \"run\"; {SURE}");
            return Err(mistake(at, problem));
        }
        let runs = typed.runs.map(|runs| patterns(&runs)).transpose()?.unwrap_or_else(|| self.runs.clone());
        Ok(Rule { name: typed.name.unwrap_or(rule.name), runs, of, is_sure, ..rule })
    }
}

const SURE: &str = "sure is about repeats, whose interval tells of the next run: expected of = \"label\" beside it";

fn parse_of(of: &Spanned<String>) -> std::result::Result<Of, Mistake> {
    match of.get_ref().as_str() {
        "run" => Ok(Of::Run),
        "label" => Ok(Of::Label),
        other => Err(mistake(of.span(), format!("of = {other:?}; expected \"run\" or \"label\""))),
    }
}

fn patterns(runs: &Spanned<Value>) -> std::result::Result<Vec<Pattern>, Mistake> {
    let wrong = |problem: String| mistake(runs.span(), problem);
    let of_one = |value: &Value| {
        let text = value.as_str().ok_or_else(|| {
            let kind = value.type_str();
            wrong(format!(
                "runs is of type {kind}; expected a pattern on labels, as in \"delay*_mid\", or a list of them"
            ))
        })?;
        text.parse::<Pattern>().map_err(|problem| wrong(format!("runs = {text:?}: {problem}")))
    };
    match runs.get_ref() {
        Value::Array(all) if all.is_empty() => Err(wrong("runs = []; leave it out to take every run".to_owned())),
        Value::Array(all) => all.iter().map(of_one).collect(),
        one => Ok(vec![of_one(one)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        match parse(text) {
            Ok(rules) => panic!("{text}: {rules:?}"),
            Err(Mistake { at, problem }) => {
                format!("{}: {problem}", text[..at.start].matches('\n').count() + 1)
            }
        }
    }

    #[test]
    fn rules_take_what_they_do_not_say_from_the_top() {
        let rules = parse(
            "runs = \"delay*\"\nsure = true\n\n[[rule]]\nrule = \"p99 <= 5\"\n\n[[rule]]\nname = \"fast\"\n\
             rule = \"p50 <= 5\"\nruns = [\"loss*\", \"null_mid\"]\nsure = false\n",
        );
        let rules = rules.unwrap_or_else(|mistake| panic!("{}", mistake.problem));
        let of = |rule: &Rule| {
            let runs: Vec<String> = rule.runs.iter().map(|pattern| pattern.as_str().to_owned()).collect();
            (rule.name.clone(), runs.join(" "), rule.of, rule.is_sure)
        };
        assert_eq!(of(&rules[0]), ("p99 <= 5".to_owned(), "delay*".to_owned(), Of::Label, true));
        assert_eq!(of(&rules[1]), ("fast".to_owned(), "loss* null_mid".to_owned(), Of::Run, false));
    }

    #[test]
    fn mistakes_have_a_line_and_what_was_expected() {
        for (text, expected) in [
            ("", "1: holds no rule; begin one with [[rule]]"),
            ("[[rule]]\nrule = \"p99 <= 5\"\n\n[[rule]]\nrule = \"p99 5\"\n", "5: rule \"p99 5\" has no <="),
            ("[[rule]]\nrule = \"p99 <= 5\"\nnmae = \"x\"\n", "3: unknown field `nmae`"),
            ("[[rule]]\nrule = \"p99 <= 5\"\nnmae = \"x\"\n", "did you mean name?"),
            ("of = \"sweep\"\n[[rule]]\nrule = \"p99 <= 5\"\n", "1: of = \"sweep\"; expected \"run\" or \"label\""),
            ("[[rule]]\nrule = \"p99 <= 5\"\nruns = 3\n", "3: runs is of type integer; expected a pattern"),
            ("[[rule]]\nrule = \"p99 <= 5\"\nruns = []\n", "3: runs = []"),
            ("[[rule]]\nrule = \"p99 <= 5\"\nruns = \"a/b\"\n", "no label holds '/'"),
            ("[[rule]]\nname = \"x\"\n", "missing field `rule`"),
            ("of = \"run\"\nsure = true\n[[rule]]\nrule = \"p99 <= 5\"\n", "4: rule \"p99 <= 5\" has sure = true"),
            ("[[rule]\n", "1: "),
        ] {
            let found = problem(text);
            assert!(found.contains(expected), "{text}: {found}");
        }
    }
}
