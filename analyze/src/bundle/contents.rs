//! `bundle.json`, and which paths may be in it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use run_folder::folder::is_run_name;
use run_folder::{DEFAULT_RESULTS_DIR, RunFolder};
use serde::{Deserialize, Serialize};

use super::{BUNDLE_JSON, SHA256SUMS, TOP, sha256};
use crate::{Error, Result};

/// Version of the format of bundles. Raised when a reader of the older version would misread the newer one.
pub const BUNDLE_VERSION: u32 = 1;

/// The content of `bundle.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// See [`BUNDLE_VERSION`].
    pub bundle_version: u32,
    /// Version of the program that wrote it.
    pub tool_version: String,
    /// The runs, by name.
    pub runs: Vec<BundledRun>,
    /// What belongs to the runs that were asked for and is not in the bundle, each with the reason.
    pub left_out: Vec<String>,
    /// Every file but `bundle.json` and `SHA256SUMS`, in the order in which they follow these two.
    pub files: Vec<BundledFile>,
}

/// A run of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledRun {
    /// Name of its folder.
    pub run: String,
    /// Why it is there.
    pub reason: Reason,
}

/// Why a run is in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was asked for.
    Selected,
    /// Others are compared with it: a baseline, a control, or the original of a run that was made again.
    Compared,
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledFile {
    /// Where it lies in `laggard-bundle/`, with `/` between the parts.
    pub path: String,
    /// Its length.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What a path in a bundle may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Something for people; never unpacked.
    Text,
    /// A file of a run, or a sweep's manifest.
    Recorded,
}

impl Contents {
    /// Reads and checks `bundle.json`.
    pub(super) fn parse(bundle: &Path, json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            bundle_version: u32,
        }
        let broken = |error: serde_json::Error| Error::bundle(bundle, format!("its {BUNDLE_JSON} is damaged: {error}"));
        let Version { bundle_version } = serde_json::from_slice(json).map_err(broken)?;
        if bundle_version > BUNDLE_VERSION {
            return Err(Error::bundle(
                bundle,
                format!(
                    "bundle version {bundle_version} is newer than this program's {BUNDLE_VERSION}; update Laggard to \
                     read it"
                ),
            ));
        }
        let contents: Self = serde_json::from_slice(json).map_err(broken)?;
        // Some systems take names that differ in case alone for one.
        let mut paths = BTreeSet::new();
        for BundledFile { path, .. } in &contents.files {
            place(path).map_err(|problem| refused(bundle, path, problem))?;
            if !paths.insert(path.to_ascii_lowercase()) {
                return Err(refused(bundle, path, "is there twice"));
            }
        }
        Ok(contents)
    }

    /// The content of `SHA256SUMS`, given that of `bundle.json`.
    pub(super) fn sha256sums(&self, json: &[u8]) -> String {
        let mut text = format!("{}  {BUNDLE_JSON}\n", sha256(json));
        for file in &self.files {
            writeln!(text, "{}  {}", file.sha256, file.path).expect("writing to a string cannot fail");
        }
        text
    }
}

/// A bundle that holds what it must not.
pub(super) fn refused(bundle: &Path, path: &str, problem: &str) -> Error {
    let path = path.escape_debug();
    Error::bundle(bundle, format!("refused: its entry \"{path}\" {problem}; it was not written by `analyze bundle`"))
}

/// What the path of an entry may be, or why it is refused. Only names that this program gives are let through, so that
/// nothing can leave the folder it is unpacked to, on any system.
pub(super) fn place(path: &str) -> std::result::Result<Place, &'static str> {
    if path.starts_with('/') || path.contains('\\') || path.contains(':') {
        return Err("has an absolute path, or one of another system");
    }
    let parts: Vec<&str> = path.split('/').collect();
    if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return Err("has a path that leaves its folder");
    }
    match parts[..] {
        [name] if name == BUNDLE_JSON || name == SHA256SUMS => Err("is there twice"),
        // Versions to come may add something for people.
        [name] if is_plain(name) => Ok(Place::Text),
        [DEFAULT_RESULTS_DIR, "sweeps", name] if name.strip_suffix(".json").is_some_and(is_run_name) => {
            Ok(Place::Recorded)
        }
        [DEFAULT_RESULTS_DIR, run, _] if !is_run_name(run) => Err("is in no run folder"),
        [DEFAULT_RESULTS_DIR, _, name] if RunFolder::RECORDED.contains(&name) || RunFolder::OLDER.contains(&name) => {
            Ok(Place::Recorded)
        }
        _ => Err("is no file of a recording"),
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// The path of an entry in the archive.
pub(super) fn in_archive(path: &str) -> String {
    format!("{TOP}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_this_program_gives_are_let_through() {
        let run = "etcd_bench_results/20270115_080000_baseline";
        for (path, expected) in [
            ("README.txt".to_owned(), Ok(Place::Text)),
            ("report.html".to_owned(), Ok(Place::Text)),
            (format!("{run}/manifest.json"), Ok(Place::Recorded)),
            (format!("{run}/operations.parquet"), Ok(Place::Recorded)),
            (format!("{run}/latency.log"), Ok(Place::Recorded)),
            ("etcd_bench_results/sweeps/20270115_080000_quick.json".to_owned(), Ok(Place::Recorded)),
        ] {
            assert_eq!(place(&path), expected, "{path}");
        }
        for path in [
            "/etc/passwd",
            "../README.txt",
            "etcd_bench_results/../manifest.json",
            "etcd_bench_results/./manifest.json",
            "etcd_bench_results//manifest.json",
            "C:\\x",
            "C:x",
            "",
            ".hidden",
            "bundle.json",
            "etcd_bench_results/baseline/manifest.json",
            "etcd_bench_results/20270115_080000_baseline/operations.journal",
            "etcd_bench_results/20270115_080000_baseline/a/manifest.json",
            "etcd_bench_results/20270115_080000_baseline",
            "etcd_bench_results/sweeps/x.json",
            "etcd_bench_results/sweeps/20270115_080000_quick.txt",
            "a\nb",
        ] {
            assert!(place(path).is_err(), "{path}");
        }
    }
}
