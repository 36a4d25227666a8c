//! Where results are written to: files that are whole or not there at all, and standard output.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Puts these bytes into a file: whole, or what was there stays. A link is followed; what is no regular file, as a pipe, is written
/// to as it is.
///
/// # Errors
/// The system's error.
pub fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let at = target(file);
    if !may_be_replaced(&at) {
        return fs::write(&at, bytes);
    }
    let new = new_beside(&at)?;
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &at)
    })();
    written.inspect_err(|_| {
        // It may not be there at all.
        let _ = fs::remove_file(&new);
    })
}

/// Tries whether [`replace`] could write there, and leaves nothing.
///
/// # Errors
/// The system's error.
pub fn check(file: &Path) -> io::Result<()> {
    let at = target(file);
    if at.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !may_be_replaced(&at) {
        return Ok(());
    }
    let new = new_beside(&at)?;
    OpenOptions::new().write(true).create_new(true).open(&new)?;
    fs::remove_file(&new)
}

/// Writes text to standard output; `false` when nobody reads it any more.
///
/// # Errors
/// [`Error::Run`] for what else keeps it from being written.
pub fn to_stdout(text: &str) -> Result<bool> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::run(format!("standard output cannot be written: {error}"))),
    }
}

fn target(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| file.to_owned())
}

fn may_be_replaced(at: &Path) -> bool {
    at.metadata().map_or(true, |found| found.is_file())
}

/// Where something is written before it takes its place: a name that nobody else uses.
fn new_beside(at: &Path) -> io::Result<PathBuf> {
    let mut name = at.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    Ok(at.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_a_link_and_a_pipe_a_pipe() {
        let place = tempfile::tempdir().expect("a folder");
        let at = |name: &str| place.path().join(name);
        fs::write(at("target"), "old").expect("written");
        std::os::unix::fs::symlink(at("target"), at("link")).expect("linked");
        replace(&at("link"), b"new").expect("written");
        assert!(at("link").is_symlink());
        assert_eq!(fs::read_to_string(at("target")).expect("read"), "new");
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        let pipe = at("pipe");
        let reader = std::thread::spawn(move || fs::read_to_string(pipe));
        check(&at("pipe")).expect("it can be written to");
        replace(&at("pipe"), b"through").expect("written");
        assert_eq!(reader.join().expect("joined").expect("read"), "through");
        assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 3);
    }

    #[test]
    fn what_cannot_be_written_is_found_out_without_harm() {
        let place = tempfile::tempdir().expect("a folder");
        for file in [place.path().join("none/file"), place.path().to_owned()] {
            assert!(check(&file).is_err() && replace(&file, b"x").is_err(), "{}", file.display());
        }
        let old = place.path().join("old");
        fs::write(&old, "old").expect("written");
        check(&old).expect("it can be replaced");
        assert_eq!(fs::read_to_string(&old).expect("read"), "old");
        assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 1);
    }
}
