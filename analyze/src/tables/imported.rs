//! What is different about runs that were made of older files: see [`run_folder::manifest::Imported`].

use std::borrow::Cow;

use run_folder::FaultEvent;

use super::runs::Listed;

/// The faults of a run with the edges that phases are derived from: the measured ones of recorded runs. Of imported runs
/// nobody measured any; there the edges that were asked for stand in, where both are known.
pub fn edges(run: &Listed) -> Cow<'_, [FaultEvent]> {
    if run.manifest.imported.is_none() {
        return Cow::Borrowed(&run.faults);
    }
    let asked = |fault: &FaultEvent| {
        let window = fault.asked_clear_ns.map(|clear_ns| (fault.asked_ns, clear_ns));
        let (applied_ns, cleared_ns) = window.unzip();
        FaultEvent { applied_ns, cleared_ns, ..fault.clone() }
    };
    Cow::Owned(run.faults.iter().map(asked).collect())
}

const NAMED_MAX: usize = 3;

/// What is to be said wherever numbers of imported runs are shown; `None` when there are none.
pub fn note<'a>(runs: impl IntoIterator<Item = &'a Listed>) -> Option<String> {
    let imported: Vec<&str> =
        runs.into_iter().filter(|run| run.manifest.imported.is_some()).map(|run| run.run.as_str()).collect();
    let more = match imported.len().checked_sub(NAMED_MAX) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    let named = imported[..imported.len().min(NAMED_MAX)].join(", ");
    (!imported.is_empty()).then(|| {
        format!(
            "imported from older files: {named}{more}. When their operations were due is not known: response time is \
             service time there, and waiting before sending cannot be seen (coordinated omission). Edges of faults are \
             as asked, not measured; whether the leader changed is not known"
        )
    })
}
