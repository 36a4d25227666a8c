//! What went by between runs that followed each other: from the end of one, when its last answer was in and its fault shown
//! to be gone, to the first operation of the next one's warm-up.

use std::path::Path;

use run_folder::{Manifest, RunFolder, SweepManifest};

use crate::clock::ms_to_ns;

/// The gaps in nanoseconds, in order of time, between attempts that began at or after `since_unix_ns`.
pub(super) fn between_runs_ns(sweep: &SweepManifest, results: &Path, since_unix_ns: i64) -> Vec<i64> {
    let attempts = sweep.runs.iter().flat_map(|run| &run.attempts);
    let manifests = attempts.filter_map(|attempt| RunFolder::open(&results.join(&attempt.run)).ok()?.manifest().ok());
    let mut spans: Vec<_> = manifests.filter_map(|manifest| span_ns(&manifest)).collect();
    spans.retain(|span| span.0 >= since_unix_ns);
    spans.sort_unstable();
    spans.windows(2).map(|pair| pair[1].0 - pair[0].1).collect()
}

/// When a run's load began and when the run ended, in nanoseconds of the Unix epoch; none where it never began.
fn span_ns(manifest: &Manifest) -> Option<(i64, i64)> {
    let clock = Some(manifest.clock).filter(|clock| clock.origin_unix_ns > 0 && clock.ended_unix_ns > 0)?;
    let warm_up_ns = ms_to_ns(manifest.spec.workload.warm_up_ms);
    Some((clock.origin_unix_ns - warm_up_ns, clock.ended_unix_ns))
}
