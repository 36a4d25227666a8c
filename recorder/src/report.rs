//! What people are told of a run: before it in a sentence, after it what it shows.

use run_folder::spec::{Attachment, Backend, ClientPlace, Pacing};
use run_folder::{Manifest, RunFolder, RunSpec};

use crate::error::Result;
use crate::progress::Standing;
use crate::terminal;

/// Says what was recorded: the folder on standard output, everything else on standard error.
///
/// # Errors
/// When the folder cannot be read.
pub fn run(folder: &RunFolder) -> Result<()> {
    let manifest = folder.manifest()?;
    for event in run_folder::reader::faults(folder)? {
        let member = manifest.member_name(event.target as usize);
        terminal::line(format_args!("fault confirmed on {member} ({}): {}", event.role, event.evidence));
        if let (Some(applied_ns), Some(cleared_ns)) = (event.applied_ns, event.cleared_ns) {
            // Without an end asked for, the one that came is what was asked.
            let asked_clear_ns = event.asked_clear_ns.unwrap_or(cleared_ns);
            let late_ms = |time_ns: i64, asked_ns: i64| (time_ns - asked_ns) as f64 / 1e6;
            terminal::line(format_args!(
                "  in force from {:.3} s to {:.3} s; edges {:.1} ms and {:.1} ms after what was asked",
                applied_ns as f64 / 1e9,
                cleared_ns as f64 / 1e9,
                late_ms(applied_ns, event.asked_ns),
                late_ms(cleared_ns, asked_clear_ns)
            ));
        }
    }
    for warning in &manifest.warnings {
        terminal::line(format_args!("warning: {warning}"));
    }
    terminal::line(totals(&manifest));
    terminal::data(folder.dir().display());
    Ok(())
}

fn totals(manifest: &Manifest) -> String {
    let rate = manifest.generator.as_ref().map_or(0.0, |generator| generator.achieved_rate_per_s);
    format!(
        "finished: {} operations recorded, {rate:.0} acknowledged per second after the warm-up",
        manifest.rows.operations
    )
}

/// Says in a line what was recorded in a run of a sweep, on standard error.
///
/// # Errors
/// When the folder cannot be read.
pub fn run_of_sweep(folder: &RunFolder, standing: Standing) -> Result<()> {
    let manifest = folder.manifest()?;
    let rate = manifest.generator.as_ref().map_or(0.0, |generator| generator.achieved_rate_per_s);
    let mut line = format!("{} {}: {rate:.0} ops/s", standing.numbered(), manifest.spec.label);
    if let Some(fault) = &manifest.spec.fault {
        let targets: Vec<_> = manifest.fault_targets.iter().map(|&index| manifest.member_name(index)).collect();
        let role = run_folder::reader::faults(folder)?.first().map(|event| event.role.clone()).unwrap_or_default();
        line += &format!("; {} on {} ({role}) confirmed", fault.effect, targets.join(", "));
    }
    for warning in &manifest.warnings {
        line += &format!("; warning: {warning}");
    }
    terminal::line(format_args!("{line} ({})", standing.outlook()));
    Ok(())
}

/// Says in a line what a run measured that another one asked for, on standard error.
///
/// # Errors
/// When the folder cannot be read.
pub fn run_aside(folder: &RunFolder) -> Result<()> {
    let manifest = folder.manifest()?;
    terminal::line(format_args!("{} in {}", totals(&manifest), folder.dir().display()));
    Ok(())
}

/// The run in a sentence.
pub fn in_words(spec: &RunSpec, version: &str) -> String {
    let workload = &spec.workload;
    let seconds = |ms: u64| format!("{} s", ms as f64 / 1000.0);
    let amount = match (workload.operations, workload.duration_ms) {
        (Some(operations), Some(duration_ms)) => format!("{operations} operations in {}", seconds(duration_ms)),
        (Some(operations), None) => format!("{operations} operations"),
        (None, duration_ms) => seconds(duration_ms.unwrap_or(0)),
    };
    let load = match workload.pacing {
        Pacing::Closed => format!("closed loop with {} workers, {amount}", workload.concurrency),
        Pacing::Even => format!("{amount}, evenly paced"),
        Pacing::Constant => format!("open loop, {} operations a second, {amount}", workload.rate_per_s.unwrap_or(0.0)),
        Pacing::Poisson => {
            format!("open loop, {} operations a second (Poisson), {amount}", workload.rate_per_s.unwrap_or(0.0))
        }
    };
    let attached = match &workload.attachment {
        Attachment::RoundRobin => "round-robin over all members".to_owned(),
        Attachment::Leader => "attached to the leader".to_owned(),
        Attachment::Target => "attached to the fault's target".to_owned(),
        Attachment::HealthyFollower => "attached to a healthy follower".to_owned(),
        Attachment::Member(name) => format!("attached to {name}"),
    };
    let fault = spec.fault.as_ref().map_or_else(
        || "no fault".to_owned(),
        |fault| {
            let target = &fault.target;
            let end = match fault.for_ms {
                Some(for_ms) => format!("to {}", seconds(fault.at_ms + for_ms)),
                None => "to the end".to_owned(),
            };
            format!("{} on {target} from {} {end}", fault.effect, seconds(fault.at_ms))
        },
    );
    let members = match spec.cluster.backend {
        Backend::Sandbox => format!("{} members of etcd {version} in a sandbox", spec.cluster.nodes),
        Backend::Docker => format!("{} members in containers", spec.cluster.nodes),
        Backend::Endpoints if spec.cluster.nodes == 1 => "1 member by its address".to_owned(),
        Backend::Endpoints => format!("{} members by their addresses", spec.cluster.nodes),
    };
    let place = match &workload.client_at {
        ClientPlace::Auto | ClientPlace::Own => String::new(),
        ClientPlace::Host if spec.cluster.backend == Backend::Endpoints => String::new(),
        ClientPlace::Host => " from the host".to_owned(),
        ClientPlace::Member(name) => format!(" from within {name}"),
    };
    format!("{}: {members}; {load}, clients {attached}{place}; {fault}; seed {}", spec.label, spec.seed)
}
