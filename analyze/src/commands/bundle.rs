//! `analyze bundle`: recordings in one checksummed file.

use std::path::{Path, PathBuf};

use run_folder::{RunFolder, Status};

use super::{Report, gather};
use crate::bundle::{self, Parts, Reason};
use crate::load::{self, Capacity, Run, Selection, Terms};
use crate::output::{self, Destination};
use crate::{Error, Result};

/// What `analyze bundle` does.
#[derive(Debug, Clone, PartialEq)]
pub enum Bundle {
    /// Writes one.
    Write {
        /// Which runs.
        selection: Selection,
        /// Runs by their names, in place of those that the selection finds; none takes these.
        names: Vec<String>,
        /// The file.
        to: PathBuf,
        /// Whether a file of that name is replaced.
        replace: bool,
        /// Whether the report goes in.
        with_report: bool,
    },
    /// Checks one, and keeps nothing of it.
    Verify(PathBuf),
}

/// Does what was asked for.
pub(super) fn bundle(asked: &Bundle, report: &mut Report) -> Result<()> {
    let text = match asked {
        Bundle::Verify(file) => {
            let verified = bundle::verify(file)?;
            let contents = &verified.contents;
            format!(
                "{}: whole: {}, {} files, {} bytes unpacked; bundle version {}, written by analyze {}\n",
                file.display(),
                runs(contents.runs.len()),
                contents.files.len(),
                verified.unpacked_bytes,
                contents.bundle_version,
                contents.tool_version
            )
        }
        Bundle::Write { selection, names, to, replace, with_report } => {
            let parts = parts(selection, names, *with_report, report)?;
            let written = bundle::write(parts, to, *replace)?;
            report.left_out.extend(written.contents.left_out.iter().map(|what| format!("left out {what}")));
            let compared = written.contents.runs.iter().filter(|run| run.reason == Reason::Compared).count();
            report.left_out.push(format!(
                "{} ({compared} of them to compare with), {} bytes, sha256 {}",
                runs(written.contents.runs.len()),
                written.size_bytes,
                written.sha256
            ));
            format!("{}\n", to.display())
        }
    };
    output::write_bytes(text.as_bytes(), &Destination::Stdout)
}

fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

/// The runs that were asked for and those that they are compared with, and the report on them.
fn parts(selection: &Selection, names: &[String], with_report: bool, report: &mut Report) -> Result<Parts> {
    let dir = &selection.dir;
    if dir.is_file() {
        return Err(Error::Usage(format!(
            "--dir {}: is a file; what goes into a bundle is taken from a folder: open it first, with `zstd -d | tar x`",
            dir.display()
        )));
    }
    let found = match names {
        [] => load::find(selection)?,
        names => names.iter().map(|name| gather::named(name, dir)).collect::<Result<_>>()?,
    };
    let results = results_of(&found)?;
    let selection = &Selection { dir: results.clone(), ..selection.clone() };
    let opened = load::open(
        found.clone(),
        Terms { include_failed: selection.include_failed, capacity: Capacity::Keep, must_be_whole: true },
    );
    report.unreadable.extend(opened.unreadable);
    // What is said in the bundle is said of the recordings, not of where they lie on this machine.
    let is_out = |folder: &&RunFolder| !opened.runs.iter().any(|run| run.folder.name() == folder.name());
    let mut left_out: Vec<String> =
        found.iter().filter(is_out).map(|folder| format!("{}: {}", folder.name(), reason(folder))).collect();
    if opened.runs.is_empty() {
        report.left_out.extend(opened.left_out);
        return Err(Error::Nothing(format!(
            "nothing to bundle: none of the {} that match is whole",
            runs(found.len())
        )));
    }
    let companions = load::companions(selection, &opened.runs)?;
    report.unreadable.extend(companions.unreadable);
    let page = if with_report { page(selection, &opened.runs, report)? } else { None };
    if page.is_none() {
        let why = if with_report { "none of the runs is one to report on" } else { "asked for without" };
        left_out.push(format!("report.html: {why}"));
    }
    let selected = opened.runs.iter().map(|run| (run.folder.clone(), Reason::Selected));
    let mut runs: Vec<(RunFolder, Reason)> = selected.collect();
    let originals = opened.runs.iter().filter_map(|run| original(&run.folder));
    let compared = companions.runs.into_iter().map(|run| run.folder).chain(originals);
    for folder in compared {
        if !runs.iter().any(|(there, _)| there.name() == folder.name()) {
            runs.push((folder, Reason::Compared));
        }
    }
    Ok(Parts { results, runs, left_out, report: page })
}

/// The folder that all of these lie in.
fn results_of(runs: &[RunFolder]) -> Result<PathBuf> {
    let parent = |run: &RunFolder| run.dir().parent().map(Path::to_path_buf).unwrap_or_default();
    let results = runs.first().map(parent).unwrap_or_default();
    match runs.iter().find(|run| parent(run) != results) {
        None => Ok(results),
        Some(other) => Err(Error::Usage(format!(
            "{}: lies in another folder than {}; the runs of a bundle come from one results folder",
            other.dir().display(),
            results.display()
        ))),
    }
}

/// The run that this one repeats, where it lies beside it and is whole: the two are compared with each other.
fn original(run: &RunFolder) -> Option<RunFolder> {
    let name = run.manifest().ok()?.reproduces?;
    let original = RunFolder::open(&run.dir().parent()?.join(name)).ok()?;
    let is_whole = original.manifest().is_ok_and(|manifest| {
        manifest.status == Status::Finished && run_folder::reader::check(&original, &manifest).is_ok()
    });
    is_whole.then_some(original)
}

/// Why a run is not in the bundle.
fn reason(folder: &RunFolder) -> String {
    match folder.manifest().map(|manifest| manifest.status) {
        Ok(Status::Running) => "unfinished".to_owned(),
        Ok(Status::Failed { reason, .. }) => format!("failed: {reason}"),
        Ok(Status::Finished) => "its tables cannot be read".to_owned(),
        Err(_) => "its manifest cannot be read".to_owned(),
    }
}

/// The report on the runs that were asked for; `None` where none of them is an experiment, as when only a capacity was
/// measured.
fn page(selection: &Selection, runs: &[Run], report: &mut Report) -> Result<Option<Vec<u8>>> {
    let folders = runs.iter().map(|run| run.folder.clone()).collect();
    // What it leaves out stands in it.
    let mut of_page = Report::default();
    let page = super::report::page_of(folders, selection, &mut of_page);
    report.unreadable.extend(of_page.unreadable);
    match page {
        Ok(page) => Ok(Some(page.into_bytes())),
        Err(Error::Nothing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
