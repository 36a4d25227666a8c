//! What is different about runs that were made of older files: see [`run_folder::manifest::Imported`].

use run_folder::FaultEvent;

use super::runs::Listed;
use crate::phases::Phases;

/// How far the edges that older files tell may be from the real ones, in nanoseconds. Scripts count from their own start, which is
/// somewhat before their first operation, and ran programs to inject and to heal.
const GUARD_NS: i64 = 500_000_000;

/// The phases of a run whose workload ended at `end_ns`. Of imported runs nobody measured the edges of a fault; there the
/// ones that were asked for stand in, with wide guard bands, where both are known.
pub fn phases(run: &Listed, end_ns: i64) -> Phases {
    let warm_up_ms = run.manifest.spec.workload.warm_up_ms;
    if run.manifest.imported.is_none() {
        return Phases::derive(&run.faults, warm_up_ms, end_ns);
    }
    let asked = |fault: &FaultEvent| {
        let window = fault.asked_clear_ns.map(|clear_ns| (fault.asked_ns, clear_ns));
        let (applied_ns, cleared_ns) = window.unzip();
        FaultEvent { applied_ns, cleared_ns, ..fault.clone() }
    };
    let faults: Vec<FaultEvent> = run.faults.iter().map(asked).collect();
    Phases::derive(&faults, warm_up_ms, end_ns).with_guard(GUARD_NS)
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
             as asked, not measured, with half a second of guard on both sides; whether the leader changed is not known"
        )
    })
}
