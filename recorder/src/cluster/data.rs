//! Where members keep their data while a run lasts: on disk, in a folder of the run's name that is locked while in use
//! and removed at the end, or by the next recorder that comes along.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use run_folder::RunFolder;

use crate::error::{Error, Result};
use crate::terminal;

/// File that is locked as long as a recorder uses the folder that it lies in.
const LOCK_FILE: &str = "lock";
/// Its content: without it a folder is not ours to remove.
const LOCK_CONTENT: &str = "data of etcd members, kept by a Laggard recorder; removed when nobody holds this lock\n";

/// A folder for members' data. Dropping it removes it.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the folder, and locks it.
    ///
    /// # Errors
    /// [`Error::Run`] that names the folder and `--data-dir`.
    pub fn create(path: &Path) -> Result<Self> {
        Self::create_for("the members' data", "--data-dir", path)
    }

    /// The same for something else that is not to outlive its recorder.
    ///
    /// # Errors
    /// [`Error::Run`] that names the folder, what was to be kept in it, and the option that chooses another place.
    pub fn create_for(what: &str, option: &str, path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::run(format!(
                "{}: {what} cannot be kept here: {error}; choose another place with {option}",
                path.display()
            ))
        };
        fs::create_dir_all(path).map_err(failed)?;
        let mut lock = File::create_new(path.join(LOCK_FILE)).map_err(failed)?;
        lock.try_lock().map_err(|error| failed(error.into()))?;
        lock.write_all(LOCK_CONTENT.as_bytes()).map_err(failed)?;
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            terminal::line(format_args!("{}: cannot be removed: {error}", self.path.display()));
        }
        remove_if_empty(self.path.parent());
    }
}

/// Removes what killed recorders left in `folder`: entries that are named like runs, hold our lock file, and whose lock
/// nobody holds. A folder that is a link is left alone.
pub fn remove_stale(folder: &Path) {
    if !folder.symlink_metadata().is_ok_and(|data| data.is_dir()) {
        return;
    }
    let Ok(runs) = RunFolder::list(folder) else { return };
    for run in runs {
        // Held until the folder is gone, so that two recorders do not remove the same one.
        let Some(_lock) = unused(run.dir()) else { continue };
        if fs::remove_dir_all(run.dir()).is_ok() {
            terminal::line(format_args!("removed data of a killed run: {}", run.dir().display()));
        }
    }
    remove_if_empty(Some(folder));
}

/// The lock of a folder that is ours and that nobody uses.
fn unused(dir: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    if !dir.symlink_metadata().ok()?.is_dir() {
        return None;
    }
    let mut lock = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(dir.join(LOCK_FILE)).ok()?;
    lock.try_lock().ok()?;
    let mut content = String::new();
    Read::by_ref(&mut lock).take(LOCK_CONTENT.len() as u64 + 1).read_to_string(&mut content).ok()?;
    (content == LOCK_CONTENT).then_some(lock)
}

fn remove_if_empty(folder: Option<&Path>) {
    // An error means that it is not empty.
    let _ = folder.map(fs::remove_dir);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unused_folders_of_ours_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(".laggard-data");
        let make = |name: &str, content: Option<&str>| {
            let dir = folder.join(name);
            fs::create_dir_all(&dir).unwrap();
            if let Some(content) = content {
                fs::write(dir.join(LOCK_FILE), content).unwrap();
            }
            dir
        };
        let stale = make("20270115_080000_stale", Some(LOCK_CONTENT));
        let kept = [
            make("precious", Some(LOCK_CONTENT)),
            make("20270115_080001_foreign", Some("something else")),
            make("20270115_080002_bare", None),
        ];
        let used = DataDir::create(&folder.join("20270115_080003_used")).unwrap();
        std::os::unix::fs::symlink(&kept[0], folder.join("20270115_080004_link")).unwrap();
        remove_stale(&folder);
        assert!(!stale.exists(), "what a killed recorder left must go");
        assert!(kept.iter().all(|dir| dir.exists()) && used.path().exists());
        drop(used);
        assert!(folder.exists(), "a folder that is not empty stays");
    }

    #[test]
    fn a_folder_behind_a_link_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("real/20270115_080000_stale");
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join(LOCK_FILE), LOCK_CONTENT).unwrap();
        let link = place.path().join(".laggard-data");
        std::os::unix::fs::symlink(place.path().join("real"), &link).unwrap();
        remove_stale(&link);
        assert!(run.exists());
    }
}
