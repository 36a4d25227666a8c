//! Gates: rules about runs, and whether they hold.
//!
//! Text becomes types before any run is read ([`rule`], and [`file`] for rules files); types and numbers of runs become
//! verdicts ([`evaluate`]); verdicts become a table, Markdown or JUnit XML ([`report`]).
//!
//! Nothing passes by being missing: what has no number, or only a bound that does not decide, cannot be told.

pub mod evaluate;
pub mod file;
pub mod report;
pub mod rule;
