//! The experiment in words, from the manifests.

use std::collections::BTreeSet;

use maud::{Markup, html};
use run_folder::spec::{Backend, KeyDistribution, WorkloadSpec};
use run_folder::{Manifest, SweepManifest};

use crate::Result;
use crate::report::figures::Numbers;
use crate::report::words::{counted, distinct, duration, grouped, range, time};
use crate::report::{Part, ReportedRun, Section};
use crate::tables::runs;

pub(super) fn section(part: &Part, _: &Numbers) -> Result<Option<Section>> {
    let content = html! {
        dl .facts {
            @if let Some(plan) = &part.plan { (sweep(part, plan)) }
            (recorded(part))
            (cluster(part))
            (fact("Machine", &values(part, |run| known(run, "host", || machine(run)))))
            (conditions(part))
            (fact("Workload", &values(part, |run| runs::workload_in_words(&run.listed.manifest.spec.workload))))
            (fact("Keys and values", &values(part, |run| known(run, "spec.workload.keys", || keys(&run.listed.manifest.spec.workload)))))
            (fact("Length", &values(part, |run| known(run, "spec.workload.deadline_ms", || length(&run.listed.manifest.spec.workload)))))
            (fact("Faults", &faults(part)))
            (fact("How faults were made", &mechanisms(part)))
            (fact("Recorded by", &values(part, recorder)))
        }
        @if let Some(plan) = &part.plan { @if !plan.plan.is_empty() {
            details { summary { "The plan, as it was written" } pre { (plan.plan) } }
        } }
        details { summary { "The members' command line" } pre { (flags(part)) } }
    };
    Ok(Some(Section { anchor: "experiment", title: "The experiment".to_owned(), content }))
}

fn fact(name: &str, values: &[String]) -> Markup {
    html! { @if !values.is_empty() { div {
        dt { (name) }
        @for value in values { dd { (value) } }
    } } }
}

/// What a fact was: one text when all runs agree, else each with the number of runs that have it.
fn values(part: &Part, of: impl Fn(&ReportedRun) -> String) -> Vec<String> {
    let found = distinct(part.runs.iter().map(of));
    match found.len() {
        1 => found.into_iter().map(|(text, _)| text).collect(),
        _ => found.into_iter().map(|(text, count)| format!("{text} ({})", counted(count, "run"))).collect(),
    }
}

/// A text from a field of the manifest, where that is known: of runs that were imported it may not be.
fn known(run: &ReportedRun, field: &str, text: impl FnOnce() -> String) -> String {
    if run.listed.manifest.knows(field) { text() } else { "not known".to_owned() }
}

fn recorder(run: &ReportedRun) -> String {
    match run.listed.manifest.imported {
        Some(_) => "older scripts, whose files were imported".to_owned(),
        None => format!("recorder {}", run.listed.manifest.tool_version),
    }
}

fn sweep(part: &Part, plan: &SweepManifest) -> Markup {
    let finished = plan.runs.iter().filter(|run| run.finished().is_some()).count();
    let mut asked = Vec::new();
    asked.extend(plan.asked.duration.as_ref().map(|duration| format!("--duration {duration}")));
    asked.extend(plan.asked.repeat.map(|repeat| format!("--repeat {repeat}")));
    asked.extend(plan.asked.seed.map(|seed| format!("--seed {seed}")));
    let mut words = vec![
        format!("{} of the plan {}", plan.id, plan.name),
        format!(
            "{finished} of {} finished, in an order shuffled from seed {}; each repeated {}",
            counted(plan.runs.len(), "planned run"),
            plan.seed,
            counted(plan.repeat as usize, "time")
        ),
    ];
    if finished != part.runs.len() {
        words.push(format!("{} of them shown here", part.runs.len()));
    }
    if !asked.is_empty() {
        words.push(format!("asked for in place of what the plan says: {}", asked.join(" ")));
    }
    fact("Sweep", &words)
}

fn recorded(part: &Part) -> Markup {
    let started = part.runs.iter().map(|run| run.listed.manifest.clock.origin_unix_ns).filter(|&ns| ns > 0).min();
    let ended = part.runs.iter().map(|run| run.listed.manifest.clock.ended_unix_ns).max().unwrap_or(0);
    let times = started.map(|started| format!("{} to {}", time(started), time(ended)));
    fact("Recorded", &times.into_iter().collect::<Vec<_>>())
}

fn cluster(part: &Part) -> Markup {
    let words = |run: &ReportedRun| {
        let cluster = &run.listed.manifest.cluster;
        let members: Vec<&str> = cluster.members.iter().map(|member| member.name.as_str()).collect();
        let how = match run.listed.manifest.spec.cluster.backend {
            Backend::Sandbox => "processes in network namespaces of their own (sandbox)",
            Backend::Docker => "containers",
            Backend::Endpoints => "run by somebody else, known by their addresses",
        };
        let kept = match (cluster.adopted, cluster.earlier_runs) {
            (true, _) => ", a cluster that was up before",
            (false, 0) => ", a fresh cluster for each run",
            (false, _) => ", shared by several runs",
        };
        let image = cluster.image.as_ref().map_or(String::new(), |image| format!("; image {image}"));
        let engine = cluster.engine.as_ref().map_or(String::new(), |engine| format!("; engine {engine}"));
        format!("{} ({}): {how}{kept}{image}{engine}", counted(members.len(), "member"), members.join(", "))
    };
    html! {
        (fact("Cluster", &values(part, |run| known(run, "cluster.members", || words(run)))))
        (fact("etcd", &values(part, |run| {
            known(run, "cluster.etcd_version", || format!("version {}", run.listed.manifest.cluster.etcd_version))
        })))
        (fact("Members' data on", &values(part, |run| {
            match run.listed.manifest.cluster.data_file_system.as_str() {
                "" => "not known".to_owned(),
                "tmpfs" => "tmpfs: writes to disk cost nothing here".to_owned(),
                other => other.to_owned(),
            }
        })))
    }
}

fn machine(run: &ReportedRun) -> String {
    let host = &run.listed.manifest.host;
    let memory_gib = host.memory_bytes as f64 / f64::from(1 << 30);
    format!("{}, {}, {memory_gib:.1} GiB of memory, Linux {}", host.cpu, counted(host.cores, "CPU"), host.kernel)
}

/// How quiet the machine was, and how well the recorder kept up.
fn conditions(part: &Part) -> Markup {
    let known = || part.runs.iter().map(|run| &run.listed.manifest).filter(|manifest| manifest.knows("host"));
    let hosts = || known().map(|manifest| &manifest.host);
    let generators = || part.runs.iter().filter_map(|run| run.listed.manifest.generator.as_ref());
    let mut words = Vec::new();
    words.extend(range(hosts().flat_map(|host| host.load_average), "load average (1 minute)"));
    words.extend(range(hosts().map(|host| host.steal_percent), "% of CPU time taken by other machines (steal)"));
    words.extend(range(
        generators().map(|generator| generator.own_lag_p99_us.unwrap_or(generator.lag_p99_us) / 1e3),
        "ms late in the 99th percentile: the recorder's own lag",
    ));
    words.extend(range(generators().filter_map(|generator| generator.busy_percent), "% busy: the recorder's threads"));
    let saturated = generators().filter(|generator| generator.client_saturated.is_some()).count();
    words.extend((generators().next().is_some()).then(|| match saturated {
        0 => "in no run were the clients the limit".to_owned(),
        _ => format!("in {} the clients, not the cluster, were the limit", counted(saturated, "run")),
    }));
    fact("Conditions", &words)
}

fn keys(workload: &WorkloadSpec) -> String {
    let how = match workload.key_distribution {
        KeyDistribution::Uniform => "each as likely",
        KeyDistribution::Sequential => "one after the other",
        KeyDistribution::Zipfian => "Zipf-distributed (0.99)",
    };
    format!(
        "{} of {} bytes, {how}; values of {} bytes",
        counted(workload.keys as usize, "key"),
        workload.key_bytes,
        grouped(workload.value_bytes.into())
    )
}

fn length(workload: &WorkloadSpec) -> String {
    let mut words = Vec::new();
    words.extend(workload.duration_ms.map(duration));
    words.extend(workload.operations.map(|operations| counted(operations as usize, "operation")));
    format!(
        "{} after a warm-up of {}; an operation is given up {} after it was due",
        words.join(", "),
        duration(workload.warm_up_ms),
        duration(workload.deadline_ms)
    )
}

/// The faults by what differs in them: labels that share target, traffic and window stand together.
fn faults(part: &Part) -> Vec<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let mut unknown = 0;
    for run in &part.runs {
        if !run.listed.manifest.knows("spec.fault") {
            unknown += 1;
        }
        let Some(fault) = &run.listed.manifest.spec.fault else { continue };
        if run.listed.manifest.imported.is_some() {
            // What of the fault is known stands in the run's own line.
            groups.push((run.plotted.fault.clone(), Vec::new()));
            continue;
        }
        let window = match (fault.at_ms, fault.for_ms) {
            (0, None) => "all the time".to_owned(),
            (at_ms, None) => format!("from {} on", duration(at_ms)),
            (at_ms, Some(for_ms)) => format!("from {} for {}", duration(at_ms), duration(for_ms)),
        };
        let peer = fault.peer.as_ref().map_or(String::new(), |peer| format!(", only its link to the {peer}"));
        let rest = format!(
            "on the {}, {} {}{peer}, {window}",
            fault.target,
            match fault.scope {
                run_folder::spec::Scope::All => "all traffic,",
                run_folder::spec::Scope::Peers => "traffic between members,",
                run_folder::spec::Scope::Clients => "traffic with clients,",
            },
            match fault.direction {
                run_folder::spec::Direction::Egress => "what it sends",
                run_folder::spec::Direction::Ingress => "what it receives",
                run_folder::spec::Direction::Both => "both ways",
            }
        );
        let effect = fault.effect.to_string();
        match groups.iter_mut().find(|(known, _)| *known == rest) {
            Some((_, effects)) if effects.contains(&effect) => {}
            Some((_, effects)) => effects.push(effect),
            None => groups.push((rest, vec![effect])),
        }
    }
    if groups.is_empty() && unknown == 0 {
        return vec!["none".to_owned()];
    }
    let unknown = (unknown > 0).then(|| format!("not known in {}", counted(unknown, "run")));
    groups
        .into_iter()
        .map(|(rest, effects)| format!("{} {rest}", effects.join(", ")).trim_start().to_owned())
        .chain(unknown)
        .collect()
}

fn mechanisms(part: &Part) -> Vec<String> {
    let used: BTreeSet<&str> =
        part.runs.iter().flat_map(|run| &run.listed.faults).map(|fault| fault.mechanism.as_str()).collect();
    let words = |mechanism: &str| match mechanism {
        "queue" => {
            "queue shaper: packets wait in user space (iptables NFQUEUE) for as long as the fault holds".to_owned()
        }
        "netem" => "the kernel's netem".to_owned(),
        other => other.to_owned(),
    };
    used.into_iter().map(words).collect()
}

/// The first member's flags, those of all runs; of the others only their names.
fn flags(part: &Part) -> String {
    let of_run = |manifest: &Manifest| manifest.cluster.flags.clone();
    let Some(first) = part.runs.first().map(|run| of_run(&run.listed.manifest)) else { return String::new() };
    let is_shared = |flag: &String| part.runs.iter().all(|run| run.listed.manifest.cluster.flags.contains(flag));
    let (shared, differing): (Vec<String>, Vec<String>) = first.into_iter().partition(is_shared);
    let mut text = format!("etcd {}", shared.join(" \\\n     "));
    let names: Vec<&str> = differing.iter().map(|flag| flag.split('=').next().unwrap_or(flag)).collect();
    if !names.is_empty() {
        text += &format!("\n\n(different from run to run: {})", names.join(", "));
    }
    text
}
