//! `recorder faults show` and `clear`: what people did by hand, in each member, with `tc qdisc show` and `tc qdisc del`.

use crate::cli::kept::{FaultsAction, FaultsCommand};
use crate::error::{Error, Result};
use crate::terminal;

/// Shows or clears the faults in the cluster that is up, and returns the exit code.
///
/// # Errors
/// When none is up, or its members' networks cannot be entered.
pub fn carry_out(typed: &FaultsCommand) -> Result<u8> {
    let (cluster, action) = match &typed.action {
        FaultsAction::Show { cluster } => (*cluster, Action::Show),
        FaultsAction::Clear { cluster, all } => (*cluster, Action::Clear { all: *all }),
    };
    let sandbox = || super::sandbox::faults(action);
    let containers = || super::containers::faults(action).map(|shown| shown.map(|shown| say(action, &shown)));
    super::find(cluster, sandbox, containers)?.map(|()| 0).ok_or_else(super::nothing_up)
}

/// What is done in each place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Faults are shown.
    Show,
    /// Faults are removed: ours, or all.
    Clear {
        /// Also those that others made.
        all: bool,
    },
}

impl Action {
    /// Does it in the calling thread's network namespace.
    pub(super) fn here(self) -> Result<Vec<String>> {
        match self {
            Self::Show => crate::faults::standing::show(),
            Self::Clear { all } => crate::faults::standing::clear(all),
        }
    }
}

/// What was found or removed at a place.
pub(super) type AtPlace = (String, Vec<String>);

/// Prints what was found or removed, a line each, with its place in front.
pub(super) fn say(action: Action, places: &[AtPlace]) {
    for (place, lines) in places {
        match (action, &lines[..]) {
            (Action::Show, []) => terminal::data(format_args!("{place}: no fault")),
            (Action::Clear { .. }, []) => terminal::data(format_args!("{place}: nothing to clear")),
            (Action::Show, lines) => lines.iter().for_each(|line| terminal::data(format_args!("{place}: {line}"))),
            (Action::Clear { .. }, lines) => {
                lines.iter().for_each(|line| terminal::data(format_args!("{place}: removed {line}")));
            }
        }
    }
}

/// That a place's network could not be entered or looked at.
pub(super) fn failed(place: &str, code: u8) -> Error {
    Error::run(format!("{place}: its network could not be looked at (code {code}); see above"))
}
