//! The `recorder` program: parse, validate, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use recorder::cli::{Cli, Command};
use recorder::cluster::action::MemberAction;
use recorder::error::{Error, Result};
use recorder::{bench, checks, doctor, faults, kept, outpost, plan, reproduce, session, status, sweep, terminal};
use run_folder::RunFolder;

fn main() -> ExitCode {
    match carry_out(&Cli::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            if !matches!(error, Error::Said(_)) {
                terminal::error(&error);
            }
            ExitCode::from(error.code())
        }
    }
}

fn carry_out(command: &Command) -> Result<u8> {
    match command {
        Command::Run(typed) => session::record(&plan::run(typed)?, &typed.shared.places),
        Command::SlowLeader(typed) => session::record(&plan::slow_leader(typed)?, &typed.shared.places),
        Command::SlowFollower(typed) => session::record(&plan::slow_follower(typed)?, &typed.shared.places),
        Command::Sweep(typed) => sweep::record(typed),
        Command::Bench(typed) => bench::record(typed),
        Command::Reproduce { run, places } => reproduce::record(run, places),
        Command::Recover { run } => {
            let recovery = run_folder::recover(&RunFolder::open(run)?)?;
            terminal::line(&recovery.reason);
            terminal::data(run.display());
            Ok(0)
        }
        Command::Doctor { dir } => doctor::examine(dir),
        Command::Up(typed) => kept::up(typed),
        Command::Status(typed) => status::show(typed),
        Command::Kill(typed) => kept::member::carry_out(MemberAction::Kill, typed),
        Command::Restart(typed) => kept::member::carry_out(MemberAction::Restart, typed),
        Command::Pause(typed) => kept::member::carry_out(MemberAction::Pause, typed),
        Command::Resume(typed) => kept::member::carry_out(MemberAction::Resume, typed),
        Command::Down(typed) => kept::down(typed),
        Command::Test(typed) => checks::carry_out(typed),
        Command::Exec(typed) => kept::exec(typed),
        Command::Faults(typed) => kept::faults::carry_out(typed),
        Command::Hold => Ok(faults::hold::serve()),
        Command::Outpost { folder, name, keep_offloads } => outpost::serve::serve(folder, name, *keep_offloads),
    }
}
