//! Finding the programs that the recorder starts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// `PATH` with the folders of system programs added, which unprivileged users often lack.
pub fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    for folder in ["/usr/local/sbin", "/usr/sbin", "/sbin"] {
        path.push(":");
        path.push(folder);
    }
    path
}

/// Finds a program by name on [`search_path`].
pub fn find(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&search_path()).map(|folder| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
