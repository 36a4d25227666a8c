//! Bundles: recordings in one checksummed file, to attach to a paper or a bug report, and to analyse as it is.
//!
//! A bundle is a tar archive compressed with zstd, so that it can be opened without this program in twenty years. All of
//! it lies in one folder, `laggard-bundle/`:
//!
//! | entry | content |
//! |---|---|
//! | `bundle.json` | version of the format, version of the tool, the runs and why they are in it, what was left out and why, and each file with its size and SHA-256 ([`Contents`]) |
//! | `SHA256SUMS` | the same checksums as `sha256sum -c` takes them, with that of `bundle.json` |
//! | `README.txt` | what this is and how to open it |
//! | `environment.json` | hosts, clusters and versions of the recordings, put together from their manifests |
//! | `report.html` | the report, where there is one |
//! | `etcd_bench_results/` | run folders and `sweeps/`, as in any results folder |
//!
//! The same recordings make the same bytes: entries are in the order of `bundle.json`, owners are 0, and times are those
//! of the recordings. Nothing of a bundle is used before all of it was verified, and nothing in one is trusted: see
//! [`read`].

mod contents;
mod interrupt;
mod read;
mod texts;
mod unpacked;
mod write;

pub use contents::{BUNDLE_VERSION, BundledFile, BundledRun, Contents, Reason};
pub use read::{Verified, verify};
pub use unpacked::{Session, Unpacked, results};
pub use write::{Parts, Written, write};

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The folder in the archive that everything lies in.
const TOP: &str = "laggard-bundle/";
const BUNDLE_JSON: &str = "bundle.json";
const SHA256SUMS: &str = "SHA256SUMS";
const README: &str = "README.txt";
const ENVIRONMENT: &str = "environment.json";
const REPORT: &str = "report.html";

const BUFFER_BYTES: usize = 1 << 18;

/// The first bytes of every zstd frame.
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// A SHA-256 as it is written everywhere.
pub(crate) fn hex(digest: Sha256) -> String {
    digest.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}
