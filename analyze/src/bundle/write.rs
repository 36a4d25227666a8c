//! Writing a bundle: every file is read twice, once for its checksum and once for the archive, and never held whole.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use run_folder::{DEFAULT_RESULTS_DIR, Manifest, RunFolder, SweepManifest};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::contents::{BUNDLE_VERSION, BundledFile, BundledRun, Contents, Reason, in_archive};
use super::{BUFFER_BYTES, BUNDLE_JSON, ENVIRONMENT, README, REPORT, SHA256SUMS, hex, sha256, texts};
use crate::{Error, Result};

/// Tables are compressed already; higher levels take longer for nothing.
const COMPRESSION_LEVEL: i32 = 3;
const NS_PER_S: i64 = 1_000_000_000;

/// What a bundle is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The results folder that the runs lie in.
    pub results: PathBuf,
    /// The runs, each of which is whole.
    pub runs: Vec<(RunFolder, Reason)>,
    /// What is left out, each with the reason. Paths of this machine have no place here.
    pub left_out: Vec<String>,
    /// The report, as HTML.
    pub report: Option<Vec<u8>>,
}

/// A bundle that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What it holds.
    pub contents: Contents,
    /// Length of the file.
    pub size_bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// Writes a bundle to `to`: to a temporary name beside it first, so that nobody ever finds half of one. What is at `to` is
/// replaced only with `replace`.
///
/// # Errors
/// [`Error::Usage`] when something is at `to`, [`Error::Run`] or [`Error::Unreadable`] when a recording cannot be read or
/// changes meanwhile, [`Error::Output`] when the bundle cannot be written.
pub fn write(parts: Parts, to: &Path, replace: bool) -> Result<Written> {
    let taken =
        || Error::Usage(format!("--output {}: is there already; choose another name, or --force", to.display()));
    if !replace && to.symlink_metadata().is_ok() {
        return Err(taken());
    }
    let (contents, entries) = plan(parts)?;
    let json = serde_json::to_string_pretty(&contents).expect("all keys are strings") + "\n";
    let sums = contents.sha256sums(json.as_bytes());

    let folder = to.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let cannot_write = |error: io::Error| Error::output(to)(error);
    let file = temporary(folder).map_err(cannot_write)?;
    let newest = entries.iter().map(|entry| entry.time_s).max().unwrap_or(0);
    let write = || -> Result<(u64, String)> {
        let mut encoder = zstd::Encoder::new(Hashing::new(BufWriter::new(&file)), COMPRESSION_LEVEL)
            .and_then(|mut encoder| encoder.include_checksum(true).map(|()| encoder))
            .map_err(cannot_write)?;
        let mut archive = Builder::new(&mut encoder);
        for (path, text) in [(BUNDLE_JSON, &json), (SHA256SUMS, &sums)] {
            append(&mut archive, path, newest, text.len() as u64, text.as_bytes()).map_err(cannot_write)?;
        }
        for (entry, listed) in entries.iter().zip(&contents.files) {
            let time_s = if entry.is_text() { newest } else { entry.time_s };
            append_entry(&mut archive, entry, listed, time_s, to)?;
        }
        archive.finish().map_err(cannot_write)?;
        drop(archive);
        let mut whole = encoder.finish().map_err(cannot_write)?;
        whole.inner.flush().map_err(cannot_write)?;
        Ok((whole.bytes, hex(whole.digest)))
    };
    let (size_bytes, sha256) = write()?;
    file.as_file().sync_all().map_err(cannot_write)?;
    if replace {
        file.persist(to).map_err(|error| cannot_write(error.error))?;
    } else {
        // Somebody may have taken the name meanwhile.
        file.persist_noclobber(to).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => taken(),
            _ => cannot_write(error.error),
        })?;
    }
    Ok(Written { contents, size_bytes, sha256 })
}

/// A file that is removed unless it gets its final name. It may be read by whom new files may be read by.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".laggard-bundle-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// An entry to be.
struct Entry {
    /// Time of its last change, in seconds of the Unix epoch.
    time_s: u64,
    from: Source,
}

enum Source {
    Text(Vec<u8>),
    File(PathBuf),
}

impl Entry {
    fn is_text(&self) -> bool {
        matches!(self.from, Source::Text(_))
    }
}

/// Lists everything in its order, with sizes and checksums.
fn plan(mut parts: Parts) -> Result<(Contents, Vec<Entry>)> {
    parts.runs.sort_by_key(|(folder, _)| folder.name());
    parts.runs.dedup_by_key(|(folder, _)| folder.name());
    let manifests = parts.runs.iter().map(|(run, _)| run.manifest()).collect::<run_folder::Result<Vec<_>>>()?;
    let mut listed = vec![text(README, texts::readme(&parts.runs)), text(ENVIRONMENT, texts::environment(&manifests))];
    listed.extend(parts.report.map(|report| text(REPORT, report)));
    for ((folder, _), manifest) in parts.runs.iter().zip(&manifests) {
        files_of(folder, manifest, &mut listed, &mut parts.left_out)?;
    }
    let sweeps: BTreeSet<&str> = manifests.iter().filter_map(|run| Some(run.sweep.as_ref()?.sweep.as_str())).collect();
    for id in sweeps {
        match SweepManifest::read(&parts.results, id) {
            Ok(sweep) => {
                let time_s = seconds(sweep.ended_unix_ns.unwrap_or(sweep.started_unix_ns));
                let path = format!("{DEFAULT_RESULTS_DIR}/sweeps/{id}.json");
                listed.push(file(path, sweep.path(&parts.results), time_s)?);
            }
            // Runs are copied about without their sweep; they say themselves what they are.
            Err(_) => parts.left_out.push(format!("sweeps/{id}.json: the manifest of the sweep is not there")),
        }
    }
    let runs = parts.runs.iter().map(|(folder, reason)| BundledRun { run: folder.name(), reason: *reason }).collect();
    let (files, entries): (Vec<_>, Vec<_>) = listed.into_iter().unzip();
    let contents = Contents {
        bundle_version: BUNDLE_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        runs,
        left_out: parts.left_out,
        files,
    };
    Ok((contents, entries))
}

/// The files of one run. What else lies in its folder is left out and named.
fn files_of(
    folder: &RunFolder,
    manifest: &Manifest,
    listed: &mut Vec<(BundledFile, Entry)>,
    left_out: &mut Vec<String>,
) -> Result<()> {
    let clock = &manifest.clock;
    let time_s = seconds(clock.ended_unix_ns.max(clock.origin_unix_ns));
    let run = folder.name();
    let problem = "cannot list the run folder";
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(folder.dir()).map_err(run_folder::Error::io(folder.dir(), problem))? {
        let entry = entry.map_err(run_folder::Error::io(folder.dir(), problem))?;
        there.insert(entry.file_name().to_string_lossy().into_owned());
    }
    let mut names: Vec<&str> = RunFolder::RECORDED.into_iter().chain(RunFolder::OLDER).collect();
    names.sort_unstable();
    for name in names {
        if there.remove(name) {
            listed.push(file(format!("{DEFAULT_RESULTS_DIR}/{run}/{name}"), folder.dir().join(name), time_s)?);
        } else if !RunFolder::OPTIONAL.contains(&name) {
            left_out.push(format!("{run}/{name}: is not there"));
        }
    }
    left_out.extend(there.into_iter().map(|name| format!("{run}/{name}: is no part of a recording")));
    Ok(())
}

fn seconds(unix_ns: i64) -> u64 {
    u64::try_from(unix_ns / NS_PER_S).unwrap_or(0)
}

fn text(path: &str, bytes: Vec<u8>) -> (BundledFile, Entry) {
    let file = BundledFile { path: path.to_owned(), size_bytes: bytes.len() as u64, sha256: sha256(&bytes) };
    (file, Entry { time_s: 0, from: Source::Text(bytes) })
}

fn file(path: String, from: PathBuf, time_s: u64) -> Result<(BundledFile, Entry)> {
    let read = || -> io::Result<(u64, String)> {
        let mut digest = Hashing::new(io::sink());
        let size_bytes = io::copy(&mut File::open(&from)?, &mut digest)?;
        Ok((size_bytes, hex(digest.digest)))
    };
    let (size_bytes, sha256) = read().map_err(run_folder::Error::io(&from, "cannot read"))?;
    Ok((BundledFile { path, size_bytes, sha256 }, Entry { time_s, from: Source::File(from) }))
}

fn append_entry(
    archive: &mut Builder<impl Write>,
    entry: &Entry,
    listed: &BundledFile,
    time_s: u64,
    to: &Path,
) -> Result<()> {
    let (path, size_bytes) = (&listed.path, listed.size_bytes);
    match &entry.from {
        Source::Text(text) => append(archive, path, time_s, size_bytes, text.as_slice()).map_err(Error::output(to)),
        Source::File(from) => {
            let file = File::open(from).map_err(run_folder::Error::io(from, "cannot read"))?;
            let mut read = Hashed { inner: file.take(size_bytes), digest: Sha256::new(), bytes: 0 };
            append(archive, path, time_s, size_bytes, &mut read).map_err(Error::output(to))?;
            if read.bytes == size_bytes && hex(read.digest) == listed.sha256 {
                return Ok(());
            }
            Err(Error::unreadable(from)("changed while it was put into the bundle"))
        }
    }
}

fn append(
    archive: &mut Builder<impl Write>,
    path: &str,
    time_s: u64,
    size_bytes: u64,
    from: impl Read,
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_path(in_archive(path))?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size_bytes);
    header.set_mtime(time_s);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    archive.append(&header, io::BufReader::with_capacity(BUFFER_BYTES, from))
}

/// A writer that knows the checksum of what went through it.
struct Hashing<W> {
    inner: W,
    digest: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, digest: Sha256::new(), bytes: 0 }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.digest.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A reader that knows the checksum of what was read.
struct Hashed<R> {
    inner: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}
