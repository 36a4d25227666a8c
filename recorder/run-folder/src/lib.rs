//! The recorded format of Laggard, and its only owner.
//!
//! A *run folder* `<STAMP>_<LABEL>/` holds one run: a manifest, three Parquet tables (operations, faults,
//! samples) and the five files that the older shell scripts wrote. The recorder writes it through this crate,
//! `analyze` and the Python bindings read it through this crate, and nobody else knows a file name or a column.
//!
//! Modules in the order data takes: what a run is ([`spec`]) and what ties runs together ([`sweep`]), where it lies ([`folder`], [`label`]), what describes it
//! ([`manifest`]), its rows ([`operation`], [`fault`], [`sample`]), what its keys held at the end ([`final_state`]), and how they reach the disk and come back
//! ([`writer`], [`journal`], [`older_files`], [`reader`], [`mod@recover`]; [`lock`] and [`reserve`] help when things go
//! wrong).
//!
//! Nothing in here is Linux only: recordings are copied to other systems and read there.

mod checkpoint;
mod checksum;
pub mod error;
pub mod fault;
pub mod final_state;
pub mod folder;
pub mod journal;
pub mod label;
pub mod lock;
pub mod manifest;
pub mod older_files;
pub mod operation;
pub mod reader;
pub mod recover;
pub mod reserve;
pub mod sample;
pub mod spec;
pub mod stream;
pub mod sweep;
#[cfg(any(test, feature = "synthetic"))]
pub mod synthetic;
mod table;
mod table_row;
#[cfg(test)]
mod tests;
pub mod writer;

pub use error::{Error, Result};
pub use fault::FaultEvent;
pub use final_state::FinalKey;
pub use folder::RunFolder;
pub use label::Label;
pub use lock::RunLock;
pub use manifest::{Manifest, Status};
pub use operation::Operation;
pub use recover::{Recovery, recover};
pub use sample::Sample;
pub use spec::RunSpec;
pub use sweep::SweepManifest;
pub use writer::{FaultsWriter, OperationsWriter, SamplesWriter};

/// Version of everything in a run folder. Raised when a reader of the older version would misread the newer one;
/// added columns and manifest fields do not raise it.
pub const FORMAT_VERSION: u32 = 1;

/// Name of the folder that run folders are made in, below the current directory, unless a command is told otherwise.
pub const DEFAULT_RESULTS_DIR: &str = "etcd_bench_results";
