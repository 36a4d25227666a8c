//! Space held back so that a run which fills the disk can still say so in its manifest.

use std::fs::{self, File};
use std::io::{self, Write};

use crate::{Error, Result, RunFolder, checkpoint};

/// Size of the reserve: many times a manifest.
pub const RESERVE_BYTES: usize = 256 * 1024;

impl RunFolder {
    /// Takes [`RESERVE_BYTES`] of disk space.
    ///
    /// # Errors
    /// [`Error::Io`], for one when the disk is full already.
    pub fn reserve_space(&self) -> Result<()> {
        let path = self.reserve();
        let action = "cannot reserve disk space";
        let mut file = File::create(&path).map_err(Error::io(&path, action))?;
        // Zeros could be stored as a hole or compressed away, and would then reserve nothing.
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .take(RESERVE_BYTES / 8)
        .flatten()
        .collect();
        // File systems that allocate late would promise the space and only look for it when it is written out.
        file.write_all(&noise).and_then(|()| file.sync_all()).map_err(Error::io(&path, action))
    }

    /// Gives the reserved space back. Nothing happens when there is none.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn release_reserve(&self) -> Result<()> {
        remove_if_there(&self.reserve())
    }

    /// Removes the journals and the checkpoint, which only an unfinished run needs: to be called when the manifest says how the run ended.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_journals(&self) -> Result<()> {
        // The operations journal goes last: as long as it is there, a recovery knows that there is something to do.
        for file in [
            self.samples_journal(),
            self.faults_journal(),
            checkpoint::unfinished(self),
            self.operations_checkpoint(),
            self.operations_journal(),
        ] {
            remove_if_there(&file)?;
        }
        Ok(())
    }
}

/// Removes a file that may be missing.
pub(crate) fn remove_if_there(path: &std::path::Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(path, "cannot remove")(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Label;

    #[test]
    fn the_reserve_is_on_the_disk_and_goes_away() {
        let results = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(results.path(), &Label::new("a").unwrap(), Default::default()).unwrap();
        folder.release_reserve().unwrap();
        folder.reserve_space().unwrap();
        let metadata = fs::metadata(folder.reserve()).unwrap();
        assert_eq!(metadata.len(), RESERVE_BYTES as u64);
        #[cfg(unix)]
        assert!(std::os::unix::fs::MetadataExt::blocks(&metadata) * 512 >= RESERVE_BYTES as u64);
        folder.release_reserve().unwrap();
        assert!(!folder.reserve().exists());
    }
}
