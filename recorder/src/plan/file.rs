//! Plan files: TOML text to the blocks of a plan, each value with the line it stands on. What the values mean is
//! [`super::sweep`]'s to say.

use std::ops::Range;
use std::path::Path;

use clap::CommandFactory;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cli::Cli;
use crate::error::{Error, Result};

/// Options of `recorder run` that belong to the command line of a sweep, because they are about this machine, and the
/// seed, of which each run has its own.
const NOT_FACTORS: [&str; 9] =
    ["dir", "data-dir", "etcd", "etcd-version", "cluster", "image", "help", "version", "seed"];
/// What may stand in a block beside the options of `recorder run`.
const BLOCK_WORDS: [&str; 3] = ["label", "combine", WINDOW];
/// What may stand at the top of a plan.
const TOP_WORDS: [&str; 7] = ["repeat", "seed", "baselines", "shuffle", "run", "experiment", "control"];
/// The factor that places a fault relative to the length of the run.
pub const WINDOW: &str = "window";
/// More than this likeness to a known word is taken for a slip of the pen.
const LIKE: f64 = 0.75;

/// A value and the line that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The value as written, without quotes.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// One option and the values that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// The option's name, without dashes.
    pub name: String,
    /// Its values; one where none of them was put into a list.
    pub values: Vec<Located>,
}

/// How the lists of a block make runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// Every value with every other.
    Cross,
    /// The first values together, the second ones, and so on.
    Zip,
}

/// A block of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line of its header.
    pub line: usize,
    /// Whether its faults must show no effect.
    pub is_control: bool,
    /// The template of the labels.
    pub label: Located,
    /// How its lists make runs.
    pub combine: Combine,
    /// Its options in the order in which they stand.
    pub factors: Vec<Factor>,
}

/// A plan as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFile {
    /// Its name for messages, as in `plan.toml`.
    pub name: String,
    /// How often each run is repeated.
    pub repeat: Option<u32>,
    /// Source of the order and of the runs' seeds.
    pub seed: Option<u64>,
    /// Baselines in each repeat, spread evenly.
    pub baselines: Option<u32>,
    /// False when runs are made in the order in which they stand.
    pub shuffle: bool,
    /// Options of every run.
    pub common: Vec<Factor>,
    /// The blocks, experiments first.
    pub blocks: Vec<Block>,
}

impl PlanFile {
    /// Reads a plan file.
    ///
    /// # Errors
    /// A usage error that names the file, the line, and what is known in that place.
    pub fn read(path: &Path) -> Result<(Self, String)> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::usage(format!("{}: the plan cannot be read: {error}", path.display())))?;
        Ok((Self::parse(&path.display().to_string(), &text)?, text))
    }

    /// Parses the text of a plan; `name` stands in messages.
    ///
    /// # Errors
    /// As [`PlanFile::read`].
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let source = Source { name, text };
        let table = DeTable::parse(text).map_err(|error| source.error(error.span(), error.message()))?;
        let mut plan = Self {
            name: name.to_owned(),
            repeat: None,
            seed: None,
            baselines: None,
            shuffle: true,
            common: Vec::new(),
            blocks: Vec::new(),
        };
        for (key, value) in in_order(table.get_ref()) {
            match key.get_ref().as_ref() {
                "repeat" => plan.repeat = Some(source.number(value, "repeat", 1, 10_000)? as u32),
                "seed" => plan.seed = Some(source.number(value, "seed", 0, u64::MAX)?),
                "baselines" => plan.baselines = Some(source.number(value, "baselines", 0, 1_000)? as u32),
                "shuffle" => match value.get_ref() {
                    DeValue::Boolean(shuffle) => plan.shuffle = *shuffle,
                    _ => return Err(source.error(Some(value.span()), "shuffle is true or false")),
                },
                "run" => plan.common = source.common(value)?,
                word @ ("experiment" | "control") => {
                    for block in source.tables(word, value)? {
                        plan.blocks.push(source.block(word == "control", block)?);
                    }
                }
                word => return Err(source.unknown(key.span(), word, TOP_WORDS.map(str::to_owned).to_vec())),
            }
        }
        if plan.blocks.is_empty() {
            return Err(Error::usage(format!("{name}: the plan has no [[experiment]]")));
        }
        plan.blocks.sort_by_key(|block| (block.is_control, block.line));
        Ok(plan)
    }
}

/// The options of `recorder run` that a plan may vary.
pub fn factors() -> Vec<String> {
    let cli = Cli::command();
    let run = cli.find_subcommand("run").expect("there is a command run");
    let options = run.get_arguments().filter_map(|argument| argument.get_long());
    options.filter(|option| !NOT_FACTORS.contains(option)).map(str::to_owned).collect()
}

/// The entries of a table in the order in which they stand.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a Spanned<toml::de::DeString<'i>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The text, for messages that name a line.
struct Source<'a> {
    name: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    }

    fn error(&self, span: Option<Range<usize>>, problem: &str) -> Error {
        let line = self.line(span.map_or(0, |span| span.start));
        Error::usage(format!("{}:{line}: {problem}", self.name))
    }

    fn unknown(&self, span: Range<usize>, word: &str, mut known: Vec<String>) -> Error {
        if word == "seed" {
            return self
                .error(Some(span), "the seed stands at the top of the plan; each run gets one of its own from it");
        }
        let likeness = |known: &String| strsim::jaro_winkler(word, known);
        let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        if let Some(nearest) = nearest.filter(|nearest| likeness(nearest) > LIKE) {
            return self.error(Some(span), &format!("there is no {word:?} here; did you mean {nearest:?}?"));
        }
        known.sort();
        self.error(Some(span), &format!("there is no {word:?} here; known are {}", known.join(", ")))
    }

    fn number(&self, value: &Spanned<DeValue<'_>>, what: &str, min: u64, max: u64) -> Result<u64> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| self.error(Some(value.span()), &format!("{what} is a whole number from {min} to {max}")))
    }

    fn common(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<Factor>> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.error(Some(value.span()), "[run] is a table of options of `recorder run`"));
        };
        let mut known = factors();
        known.push(WINDOW.to_owned());
        let mut common = Vec::new();
        for (key, value) in in_order(table) {
            let name = key.get_ref().as_ref();
            if !known.iter().any(|known| known == name) {
                return Err(self.unknown(key.span(), name, known));
            }
            if let DeValue::Array(_) = value.get_ref() {
                let problem = format!("{name} is a list; lists stand in an [[experiment]], where they make runs");
                return Err(self.error(Some(value.span()), &problem));
            }
            common.push(Factor { name: name.to_owned(), values: vec![self.scalar(name, value)?] });
        }
        Ok(common)
    }

    fn tables<'a, 'i>(&self, word: &str, value: &'a Spanned<DeValue<'i>>) -> Result<Vec<(usize, &'a DeTable<'i>)>> {
        let not_tables = || self.error(Some(value.span()), &format!("write [[{word}]] above the options of its runs"));
        let DeValue::Array(array) = value.get_ref() else { return Err(not_tables()) };
        let table = |value: &'a Spanned<DeValue<'i>>| match value.get_ref() {
            DeValue::Table(table) => Ok((self.line(value.span().start), table)),
            _ => Err(not_tables()),
        };
        array.iter().map(table).collect()
    }

    fn block(&self, is_control: bool, (line, table): (usize, &DeTable<'_>)) -> Result<Block> {
        let at_header = |problem: &str| Error::usage(format!("{}:{line}: {problem}", self.name));
        let mut known = factors();
        known.extend(BLOCK_WORDS.map(str::to_owned));
        let (mut label, mut combine, mut factors) = (None, Combine::Cross, Vec::new());
        for (key, value) in in_order(table) {
            let name = key.get_ref().as_ref();
            match name {
                "label" if matches!(value.get_ref(), DeValue::Array(_)) => {
                    let problem = "label is one text; put what differs into it, as in {value}";
                    return Err(self.error(Some(value.span()), problem));
                }
                "label" => label = Some(self.scalar(name, value)?),
                "combine" => {
                    combine = match self.scalar(name, value)?.text.as_str() {
                        "cross" => Combine::Cross,
                        "zip" => Combine::Zip,
                        _ => return Err(self.error(Some(value.span()), "combine is \"cross\" or \"zip\"")),
                    }
                }
                _ if !known.iter().any(|known| known == name) => return Err(self.unknown(key.span(), name, known)),
                _ => factors.push(Factor { name: name.to_owned(), values: self.values(name, value)? }),
            }
        }
        let label = label.ok_or_else(|| {
            at_header("label is missing; name the runs, as in label = \"delay{value.number}_{window}\"")
        })?;
        Ok(Block { line, is_control, label, combine, factors })
    }

    fn values(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<Located>> {
        let DeValue::Array(array) = value.get_ref() else { return Ok(vec![self.scalar(name, value)?]) };
        if array.is_empty() {
            return Err(self.error(Some(value.span()), &format!("{name} is an empty list")));
        }
        array.iter().map(|value| self.scalar(name, value)).collect()
    }

    fn scalar(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<Located> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            _ => {
                let problem = format!("{name} is a text or a plain number, or in an [[experiment]] a list of them");
                return Err(self.error(Some(value.span()), &problem));
            }
        };
        Ok(Located { text, line: self.line(value.span().start) })
    }
}
