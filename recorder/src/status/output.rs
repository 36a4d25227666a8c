//! Where a status is written to.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Writes text to a file, whole or not at all, or to standard output. What is no regular file, as a pipe, is written to as it is.
///
/// # Errors
/// [`Error::Run`] that names the place.
pub(super) fn write(text: &str, file: Option<&Path>) -> Result<()> {
    let Some(file) = file else {
        return to_stdout(text).map(drop);
    };
    let failed = |error: io::Error| {
        Error::run(format!("--output {}: cannot be written: {error}; name another file", file.display()))
    };
    // A link is followed: what it leads to is replaced, not the link.
    let at = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    if at.metadata().is_ok_and(|found| !found.is_file()) {
        return fs::write(&at, format!("{text}\n")).map_err(failed);
    }
    let mut name = at.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = at.with_file_name(name);
    let written = fs::write(&new, format!("{text}\n")).and_then(|()| fs::rename(&new, &at));
    written.map_err(|error| {
        // It may not be there at all.
        let _ = fs::remove_file(&new);
        failed(error)
    })
}

/// Writes text to standard output; `false` when nobody reads it any more.
///
/// # Errors
/// [`Error::Run`] for what else keeps it from being written.
pub(super) fn to_stdout(text: &str) -> Result<bool> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::run(format!("standard output cannot be written: {error}"))),
    }
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
        write("new", Some(&at("link"))).expect("written");
        assert!(at("link").is_symlink());
        assert_eq!(fs::read_to_string(at("target")).expect("read"), "new\n");
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        let pipe = at("pipe");
        let reader = std::thread::spawn(move || fs::read_to_string(pipe));
        write("through", Some(&at("pipe"))).expect("written");
        assert_eq!(reader.join().expect("joined").expect("read"), "through\n");
        let message = write("x", Some(&at("none/file"))).expect_err("no folder").to_string();
        assert!(
            message.contains("none/file") && fs::read_dir(place.path()).expect("a folder").count() == 3,
            "{message}"
        );
    }
}
