//! The recorder: runs etcd clusters, workloads and slow faults, and records every operation.
//!
//! In the order data takes: what was typed ([`cli`]) becomes what is run ([`plan`]); [`run`] is the whole course of a
//! run on one screen; [`cluster`], [`workload`], [`faults`] and [`recording`] are its parts; [`clock`] dates it all. [`kept`] keeps a
//! cluster up between commands, [`checks`] says whether it does what it should.

pub mod apart;
pub mod bench;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod clock_watch;
pub mod cluster;
pub mod describe;
pub mod docker;
pub mod doctor;
pub mod endpoints;
pub mod error;
pub mod faults;
pub mod host;
pub mod kept;
pub mod machine;
pub mod outpost;
pub mod output;
pub mod plan;
pub mod programs;
pub mod progress;
pub mod recording;
pub mod report;
pub mod reproduce;
pub mod run;
pub mod scheduling;
pub mod session;
pub mod signals;
pub mod status;
pub mod sweep;
pub mod terminal;
pub mod units;
pub mod workload;
