//! Tables and plots from Laggard's run folders.
//!
//! Modules in the order that data take: what was typed ([`cli`]) becomes a command ([`commands`]); runs are found and
//! read ([`load`]), also out of archives ([`bundle`]) and from what older scripts wrote ([`import`]); their parts in time are derived ([`phases`]); tables are made of their rows ([`tables`], with
//! [`stats`]); tables are drawn ([`plots`], and [`diagrams`] of Raft in languages that others draw) and written
//! ([`output`]).
//!
//! What never happens here: a cluster is not contacted, a recording is not changed, tables do not read files, plots do
//! not compute, and a run that is not finished is not analysed without saying so.

pub mod bundle;
pub mod check;
pub mod cli;
pub mod commands;
pub mod diagrams;
mod error;
pub mod gate;
pub mod import;
pub mod interruption;
pub mod load;
pub mod output;
pub mod phases;
pub mod plots;
pub mod report;
pub mod stats;
pub mod tables;

pub use error::{Error, Result};
