//! Which runs a command is about: globs over labels, sweeps, and the runs that selected ones are compared with.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use run_folder::manifest::Role;
use run_folder::{Label, RunFolder, Status};
use wildmatch::WildMatch;

use super::{Capacity, Opened, Run, Terms, open};
use crate::tables::factors::Factors;
use crate::{Error, Result, bundle};

/// A glob over labels: `*` stands for any text, `?` for one character, everything else for itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    glob: WildMatch,
    text: String,
}

impl Pattern {
    /// True when the whole label matches.
    pub fn matches(&self, label: &Label) -> bool {
        self.glob.matches(label.as_str())
    }

    /// The pattern as typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Pattern {
    type Err = String;

    /// Refuses what can be in no label, because it would match nothing without saying why.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let never = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "_-+=,.*?".contains(*c)));
        match never {
            Some(c) => Err(format!("no label holds {c:?}; use letters, digits, _ - + = , . and the wildcards * and ?")),
            None if text.is_empty() => Err("is empty; leave it out to take every run".to_owned()),
            None => Ok(Self { glob: WildMatch::new(text), text: text.to_owned() }),
        }
    }
}

/// Which runs a command is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The results folder, one run folder, or a bundle.
    pub dir: PathBuf,
    /// Names of run folders; none takes every run.
    pub names: BTreeSet<String>,
    /// Globs over labels, any of which may match; none takes every run.
    pub patterns: Vec<Pattern>,
    /// The sweep that runs must belong to; none takes every run.
    pub sweep: Option<SweepChoice>,
    /// Whether failed runs count, provided that their files are whole.
    pub include_failed: bool,
}

impl Selection {
    /// All runs of a results folder or a bundle, or the one run of a run folder; no failed ones.
    pub fn of(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), names: BTreeSet::new(), patterns: Vec::new(), sweep: None, include_failed: false }
    }

    /// The labels that were asked for, in words; `None` when all were.
    pub fn labels(&self) -> Option<String> {
        const NAMED_MAX: usize = 6;
        if self.names.is_empty() {
            let patterns: Vec<&str> = self.patterns.iter().map(Pattern::as_str).collect();
            return (!patterns.is_empty()).then(|| format!("labels {}", patterns.join(", ")));
        }
        // A name is the run's stamp, of a date and a time, and its label.
        let labels: BTreeSet<&str> = self.names.iter().filter_map(|name| name.splitn(3, '_').nth(2)).collect();
        Some(match labels.len() {
            ..=NAMED_MAX => format!("labels {}", labels.into_iter().collect::<Vec<_>>().join(", ")),
            count => format!("{} runs of {count} labels", self.names.len()),
        })
    }
}

/// Which sweep of a results folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepChoice {
    /// The one that began last.
    Latest,
    /// The one with this id.
    Id(String),
}

impl FromStr for SweepChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(if text == "latest" { Self::Latest } else { Self::Id(text.to_owned()) })
    }
}

/// Finds the run folders that a selection names, in order of time, whatever their state.
///
/// # Errors
/// [`Error::Nothing`] when the folder is not there or nothing in it matches, with the labels that come nearest.
pub fn find(selection: &Selection) -> Result<Vec<RunFolder>> {
    let dir = &selection.dir;
    if !dir.exists() {
        return Err(Error::Nothing(format!(
            "--dir {}: no such folder; name the folder that `recorder` wrote to, or a bundle of `analyze bundle`",
            dir.display()
        )));
    }
    let results = bundle::results(dir)?;
    let all = match RunFolder::open(&results) {
        Ok(run) if run.manifest_json().exists() => vec![run],
        _ => RunFolder::list(&results)?,
    };
    if all.is_empty() {
        return Err(Error::Nothing(format!(
            "--dir {}: holds no run; record one with `recorder slow-follower` or name another folder",
            dir.display()
        )));
    }
    for pattern in &selection.patterns {
        if !all.iter().any(|run| pattern.matches(run.label())) {
            return Err(no_match(pattern, &all, dir));
        }
    }
    let is_wanted = |run: &RunFolder| {
        (selection.names.is_empty() || selection.names.contains(&run.name()))
            && (selection.patterns.is_empty() || selection.patterns.iter().any(|pattern| pattern.matches(run.label())))
    };
    let wanted = all.into_iter().filter(is_wanted).collect();
    match &selection.sweep {
        Some(sweep) => of_sweep(wanted, sweep, dir),
        None => Ok(wanted),
    }
}

/// The runs of one sweep. Those whose manifest cannot be read stay, to be named later: they may belong to it.
fn of_sweep(folders: Vec<RunFolder>, choice: &SweepChoice, dir: &Path) -> Result<Vec<RunFolder>> {
    let sweep_of = |folder: &RunFolder| folder.manifest().map(|manifest| manifest.sweep.map(|place| place.sweep));
    let known: Vec<_> = folders.into_iter().map(|folder| (sweep_of(&folder), folder)).collect();
    let ids: BTreeSet<&str> = known.iter().filter_map(|(sweep, _)| sweep.as_ref().ok()?.as_deref()).collect();
    // Ids begin with the time, so that the last is the latest.
    let wanted = match choice {
        SweepChoice::Latest => ids.last().copied(),
        SweepChoice::Id(id) => ids.get(id.as_str()).copied(),
    };
    let Some(wanted) = wanted.map(str::to_owned) else {
        let asked = match choice {
            SweepChoice::Latest => "latest",
            SweepChoice::Id(id) => id,
        };
        let there = match ids.is_empty() {
            true => "none of them belongs to a sweep; leave --sweep out".to_owned(),
            false => format!("the sweeps are {}", ids.into_iter().collect::<Vec<_>>().join(", ")),
        };
        return Err(Error::Nothing(format!(
            "--sweep {asked}: no such sweep among the runs that match in {}; {there}",
            dir.display()
        )));
    };
    let is_wanted = |sweep: &run_folder::Result<Option<String>>| match sweep {
        Ok(sweep) => sweep.as_deref() == Some(&wanted),
        Err(_) => true,
    };
    Ok(known.into_iter().filter(|(sweep, _)| is_wanted(sweep)).map(|(_, folder)| folder).collect())
}

/// The runs beside the selected ones that these are compared with: finished ones without a fault, or with a null one, of
/// a cohort that `runs` has. They lie in the same results folder, whether or not a pattern names them.
///
/// # Errors
/// [`Error::Run`] when the results folder cannot be read.
pub fn companions(selection: &Selection, runs: &[Run]) -> Result<Opened> {
    let dir = bundle::results(&selection.dir)?;
    let dir = match RunFolder::open(&dir) {
        Ok(run) if run.manifest_json().exists() => run.dir().parent().map(Path::to_path_buf).unwrap_or_default(),
        _ => dir,
    };
    let cohorts: BTreeSet<&str> = runs.iter().map(|run| run.factors.cohort.as_str()).collect();
    let selected: HashSet<&str> = runs.iter().map(|run| run.listed.run.as_str()).collect();
    let is_companion = |folder: &RunFolder| {
        if selected.contains(folder.name().as_str()) {
            return false;
        }
        let Ok(manifest) = folder.manifest() else { return false };
        let factors = Factors::of(folder.label().as_str(), &manifest);
        let is_compared_with = factors.is_null() && factors.role != Role::Capacity;
        manifest.status == Status::Finished && is_compared_with && cohorts.contains(factors.cohort.as_str())
    };
    let folders = RunFolder::list(&dir)?.into_iter().filter(is_companion).collect();
    Ok(open(folders, Terms { include_failed: false, capacity: Capacity::LeaveOut, must_be_whole: true }))
}

const NEAR_MISSES: usize = 5;

fn no_match(pattern: &Pattern, all: &[RunFolder], dir: &Path) -> Error {
    let mut labels: Vec<&str> = all.iter().map(|run| run.label().as_str()).collect();
    labels.sort_unstable();
    labels.dedup();
    let count = labels.len();
    // The wildcards say nothing about likeness; what is left of the pattern does.
    let letters = pattern.as_str().replace(['*', '?'], "");
    labels.sort_by(|a, b| {
        let likeness = |label: &str| strsim::jaro_winkler(&letters, label);
        likeness(b).total_cmp(&likeness(a))
    });
    labels.truncate(NEAR_MISSES);
    let more = if count > labels.len() { format!(" (of {count}; see `analyze list`)") } else { String::new() };
    Error::Nothing(format!(
        "--pattern {:?} matches no label in {}; the nearest are {}{more}",
        pattern.as_str(),
        dir.display(),
        labels.join(", ")
    ))
}
