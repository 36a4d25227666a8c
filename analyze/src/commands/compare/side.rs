//! What one side of a comparison means: a run, or a set of them.

use std::fs;
use std::path::{Path, PathBuf};

use run_folder::{RunFolder, SweepManifest};

use super::Side;
use crate::commands::Report;
use crate::commands::gather::named;
use crate::load::{self, Pattern, Selection, SweepChoice};
use crate::{Error, Result, bundle};

/// One side of a comparison. The first of these that there is is meant:
///
/// 1. a run: a run folder, or the name of one in the results folder
/// 2. a results folder or a bundle, with all runs in it
/// 3. a sweep: its manifest (`sweeps/ID.json`), the plan that it was made from (a file; the newest sweep of it), its id, or `latest`
/// 4. a pattern of labels in the results folder
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// A run.
    Run(RunFolder),
    /// Runs, by the name that people see, and where they are.
    Set {
        /// What was typed, and what it is.
        name: String,
        selection: Selection,
    },
}

impl Asked {
    /// The runs as a selection, with a name.
    pub(super) fn into_selection(self, include_failed: bool) -> (String, Selection) {
        match self {
            Self::Run(run) => {
                let selection = Selection { include_failed, ..Selection::of(run.dir()) };
                (format!("run {}", run.name()), selection)
            }
            Self::Set { name, selection } => (name, Selection { include_failed, ..selection }),
        }
    }
}

/// Finds out what was meant; where a label is called the same, the report says how to name that.
pub(super) fn resolve(side: &str, asked: &Side, dir: &Path, report: &mut Report) -> Result<Asked> {
    match asked {
        Side::Typed(typed) => meant(side, typed, dir, report),
        Side::Chosen { name, selection } => Ok(match <[RunFolder; 1]>::try_from(load::find(selection)?) {
            Ok([run]) => Asked::Run(run),
            Err(_) => Asked::Set { name: name.clone(), selection: selection.clone() },
        }),
    }
}

/// What a person meant.
fn meant(side: &str, asked: &str, dir: &Path, report: &mut Report) -> Result<Asked> {
    let pattern: Option<Pattern> = asked.parse().ok();
    let results = if dir.exists() { bundle::results(dir)? } else { dir.to_path_buf() };
    let dir = results.as_path();
    let labelled = || {
        let all = RunFolder::list(dir).unwrap_or_default();
        let matching = |pattern: &Pattern| all.iter().filter(|run| pattern.matches(run.label())).count();
        pattern.as_ref().map_or(0, matching)
    };
    let Some((found, what)) = without_labels(asked, dir)? else {
        if labelled() == 0 {
            return Err(nothing(side, asked, dir));
        }
        let selection = Selection { patterns: pattern.into_iter().collect(), ..Selection::of(dir) };
        return Ok(Asked::Set { name: format!("labels {asked}"), selection });
    };
    let count = labelled();
    if count > 0 && !asked.contains(['*', '?']) {
        let runs = if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
        report.left_out.push(format!(
            "{side}: {asked} is taken for {what}; it is also the label of {runs} in {}, which a wildcard names, as in '{}?'",
            dir.display(),
            &asked[..asked.len() - 1]
        ));
    }
    Ok(found)
}

/// A run, results folder or sweep, and which of them in words.
fn without_labels(asked: &str, dir: &Path) -> Result<Option<(Asked, String)>> {
    let set = |name: String, dir: &Path, sweep: Option<SweepChoice>| Asked::Set {
        name,
        selection: Selection { sweep, ..Selection::of(dir) },
    };
    for path in [PathBuf::from(asked), dir.join(asked)] {
        if path.is_dir() {
            let is_run = RunFolder::open(&path).is_ok_and(|run| run.manifest_json().exists());
            if !is_run && !RunFolder::list(&path)?.is_empty() {
                let what = format!("the results folder {}", path.display());
                return Ok(Some((set(format!("results folder {}", path.display()), &path, None), what)));
            }
            if let Ok(run) = RunFolder::open(&path) {
                return Ok(Some((Asked::Run(run), format!("the run {}", path.display()))));
            }
        }
        if path.is_file() && !path.extension().is_some_and(|extension| extension == "json" || extension == "toml") {
            let runs = RunFolder::list(&bundle::results(&path)?)?;
            let what = format!("the bundle {}", path.display());
            return Ok(Some(match <[RunFolder; 1]>::try_from(runs) {
                Ok([run]) => (Asked::Run(run), what),
                Err(_) => (set(format!("bundle {}", path.display()), &path, None), what),
            }));
        }
        if path.is_file() {
            let (dir, id) = sweep_of_file(&path, dir)?;
            let what = format!("the sweep {id}");
            return Ok(Some((set(format!("sweep {id}"), &dir, Some(SweepChoice::Id(id))), what)));
        }
    }
    if asked.rsplit_once(':').is_some_and(|(file, _)| Path::new(file).is_file()) {
        return Ok(Some((Asked::Run(named(asked, dir)?), format!("the run {asked}"))));
    }
    let ids = SweepManifest::ids(dir).unwrap_or_default();
    let id = if asked == "latest" { ids.last() } else { ids.iter().find(|id| *id == asked) };
    Ok(id.map(|id| (set(format!("sweep {id}"), dir, Some(SweepChoice::Id(id.clone()))), format!("the sweep {id}"))))
}

/// The results folder and the id of the sweep that a file stands for: its manifest, or the plan that it was made from.
fn sweep_of_file(path: &Path, dir: &Path) -> Result<(PathBuf, String)> {
    let shown = path.display();
    if path.extension().is_some_and(|extension| extension == "json") {
        let folder = path.canonicalize().ok();
        let folder = folder.as_deref().and_then(Path::parent).filter(|folder| folder.ends_with("sweeps"));
        let id = path.file_stem().and_then(|stem| stem.to_str());
        let (Some(results), Some(id)) = (folder.and_then(Path::parent), id) else {
            return Err(Error::Usage(format!(
                "{shown}: is not in the folder `sweeps` of a results folder, where manifests of sweeps are"
            )));
        };
        let manifest = SweepManifest::read(results, id)?;
        return Ok((results.to_path_buf(), manifest.id));
    }
    let plan = fs::read_to_string(path).map_err(|error| Error::Nothing(format!("{shown}: cannot be read: {error}")))?;
    let newest = SweepManifest::list(dir)?.into_iter().rev().find(|sweep| sweep.plan == plan);
    newest.map(|sweep| (dir.to_path_buf(), sweep.id)).ok_or_else(|| {
        Error::Nothing(format!(
            "{shown}: no sweep in {} was made from this plan as it stands; name the sweep's manifest, or record it with `recorder \
             sweep {shown}`",
            dir.display()
        ))
    })
}

/// That there is nothing of this name, with the nearest runs and labels.
fn nothing(side: &str, asked: &str, dir: &Path) -> Error {
    let known = match named(asked, dir) {
        Err(error) => error.to_string(),
        Ok(_) => format!("{asked}: a folder without runs"),
    };
    let labels = match asked.parse::<Pattern>() {
        Ok(pattern) => {
            let selection = Selection { patterns: vec![pattern], include_failed: true, ..Selection::of(dir) };
            load::find(&selection).err().map_or(String::new(), |error| format!("; as a pattern of labels: {error}"))
        }
        Err(problem) => format!("; as a pattern of labels: {problem}"),
    };
    Error::Nothing(format!("{side}: {known}; nor is it a results folder, or a sweep{labels}"))
}
