//! `laggard._core`: recordings and tables for Python. It translates and computes nothing: what is asked becomes a
//! [`analyze::commands::Question`], what comes back an Arrow stream.
//!
//! Everything that takes time is done on a thread of its own without Python's lock ([`work`]), and every failure is an
//! exception of `laggard.errors` ([`errors`]).

mod errors;
mod pictures;
mod questions;
mod recorded;
mod selection;
mod tables;
mod work;

use pyo3::prelude::*;

// As in the program `analyze`, and for the same reason.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::pictures::{Picture, draw, report};
    #[pymodule_export]
    use crate::questions::{
        causes, cdf, check, columns, compare, delta, gate, list_runs, recovery, samples, severity, summary, throughput,
        verdict,
    };
    #[pymodule_export]
    use crate::recorded::Rows;
    #[pymodule_export]
    use crate::selection::{FoundRun, Place, Selection, matching};
    #[pymodule_export]
    use crate::tables::Answer;

    #[pymodule_init]
    fn init(_module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::work::begin();
        Ok(())
    }

    /// The version of the tool, as in manifests.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
