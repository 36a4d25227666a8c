//! Older files as a run folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use run_folder::{FaultsWriter, Manifest, OperationsWriter, RunFolder, SamplesWriter, Status, older_files};

use super::Options;
use super::run::{self, Older, Source};
use crate::Result;

/// What became of a folder of older files.
#[derive(Debug)]
pub enum Imported {
    /// It is a run folder now.
    Made {
        /// The run folder.
        folder: RunFolder,
        /// Its manifest.
        manifest: Box<Manifest>,
    },
    /// The same files were imported before.
    Known {
        /// Name of the run folder.
        run: String,
    },
}

/// Runs of a results folder that were imported, by the checksums of what they were made of.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<String, String>);

impl Known {
    /// Looks into a results folder, which may not be there yet.
    ///
    /// # Errors
    /// [`crate::Error::Run`] when it cannot be read.
    pub fn of(results: &Path) -> Result<Self> {
        if !results.exists() {
            return Ok(Self::default());
        }
        let imported = |folder: RunFolder| Some((folder.manifest().ok()?.imported?.sha256, folder.name()));
        Ok(Self(RunFolder::list(results)?.into_iter().filter_map(imported).collect()))
    }
}

/// Makes a run folder in `results` of the older files in `source`, unless `known` has them.
///
/// # Errors
/// [`crate::Error::Import`] when the files cannot be used, [`crate::Error::Run`] when the run folder cannot be written; then
/// there is none.
pub fn import(source: &Path, results: &Path, options: Options, known: &mut Known) -> Result<Imported> {
    let source = Source::new(source)?;
    if let Some(run) = known.0.get(&source.sha256) {
        return Ok(Imported::Known { run: run.clone() });
    }
    let older = run::read(&source, options)?;
    let folder = RunFolder::create(results, &older.manifest.spec.label, older.time)?;
    match write(&folder, older) {
        Ok(manifest) => {
            known.0.insert(source.sha256, folder.name());
            Ok(Imported::Made { folder, manifest: Box::new(manifest) })
        }
        Err(error) => {
            // The error is what matters; that its half-written folder stays would only be seen as one more.
            let _ = fs::remove_dir_all(folder.dir());
            Err(error)
        }
    }
}

fn write(folder: &RunFolder, older: Older) -> Result<Manifest> {
    const BATCH_ROWS: usize = 4096;
    let Older { mut manifest, operations, faults, .. } = older;
    let status = std::mem::replace(&mut manifest.status, Status::Running);
    manifest.write(&folder.manifest_json())?;
    let mut writer = OperationsWriter::create(folder)?;
    let lock = writer.lock()?;
    for rows in operations.chunks(BATCH_ROWS) {
        writer.push(rows)?;
    }
    manifest.rows.operations = writer.finish()?;
    let mut writer = FaultsWriter::create(folder)?;
    for fault in &faults {
        writer.push(fault)?;
    }
    manifest.rows.faults = writer.finish()?;
    manifest.rows.samples = SamplesWriter::create(folder)?.finish()?;
    manifest.status = status;
    older_files::write(folder, &manifest)?;
    manifest.write(&folder.manifest_json())?;
    folder.remove_journals()?;
    drop(lock);
    Ok(manifest)
}
