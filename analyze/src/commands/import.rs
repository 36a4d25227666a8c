//! `analyze import`: run folders out of what the older shell scripts wrote.

use std::path::PathBuf;

use super::Report;
use crate::import::{self, Imported, Known, Options};
use crate::output::{self, Destination};
use crate::{Error, Result};

/// What `analyze import` imports, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Folders with older files, or folders of such folders.
    pub folders: Vec<PathBuf>,
    /// The results folder that run folders are made in.
    pub results: PathBuf,
    /// How.
    pub options: Options,
}

/// Imports what was asked for. A folder that cannot be used does not stop the others.
pub(super) fn import(asked: &Import, report: &mut Report) -> Result<()> {
    if asked.results.is_file() {
        return Err(Error::Usage(format!(
            "--dir {}: is a file; name a folder to import into",
            asked.results.display()
        )));
    }
    let mut known = Known::of(&asked.results)?;
    let mut made = String::new();
    let mut earlier = 0;
    for folder in &asked.folders {
        for source in import::sources(folder)? {
            let shown = source.display();
            if source.join("manifest.json").exists() {
                report.left_out.push(format!("{shown}: left out: is a run folder already, analyze it as it is"));
                continue;
            }
            match import::import(&source, &asked.results, asked.options, &mut known) {
                Ok(Imported::Made { folder, manifest }) => {
                    made += &format!("{}\n", folder.dir().display());
                    let notes = manifest.warnings.iter().map(|warning| format!("{}: {warning}", folder.name()));
                    report.left_out.extend(notes);
                }
                Ok(Imported::Known { run }) => {
                    earlier += 1;
                    let has_window = asked.options.at_ms.is_some() || asked.options.lasts.is_some();
                    let window = if has_window {
                        "; its window stays as it was: remove that folder to import it again"
                    } else {
                        ""
                    };
                    report.left_out.push(format!("{shown}: was imported before, as {run}{window}"));
                }
                Err(error) => report.unreadable.push(error),
            }
        }
    }
    if made.is_empty() && earlier == 0 && report.unreadable.is_empty() {
        return Err(Error::Nothing("nothing to import".to_owned()));
    }
    output::write_bytes(made.as_bytes(), &Destination::Stdout)
}
