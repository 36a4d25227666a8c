//! The fault's window from the recorder's side: resolve the target, inject, keep the holder alive, heal, judge.

use std::time::Duration;

use run_folder::FaultEvent;
use run_folder::spec::{Direction, Effect, FaultSpec, Scope};
use tokio::sync::watch;

use super::Mechanism;
use super::evidence::{self, Window};
use super::holder::Holder;
use super::probe::Probes;
use super::protocol::{Counters, HealReason, Injection, Report, Request, Selector, Way};
use super::target;
use crate::clock::{RunClock, monotonic_ns, ms_to_ns};
use crate::cluster::Cluster;
use crate::cluster::etcd::{CLIENT_PORT, PEER_PORT};
use crate::error::{Error, Result};
use crate::progress::{Phase, PhaseCell};
use crate::recording::NoteSink;
use crate::workload::route::Route;

/// How long before the window the target is resolved and everything slow is prepared.
const LEAD_NS: i64 = 300_000_000;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// How long the probes may take to show that a healed fault is gone.
const CLEAR_TIMEOUT_NS: i64 = 5_000_000_000;
/// How long after the healing probes are gathered in any case.
const AFTER_NS: i64 = 1_000_000_000;
const POLL: Duration = Duration::from_millis(50);

/// What the window needs to see and to touch.
#[derive(Debug)]
pub struct Context<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The run's clock.
    pub clock: RunClock,
    /// Where events go.
    pub sink: NoteSink,
    /// The clients' route, moved when they are attached to the target.
    pub route: &'a Route,
    /// True when the clients are attached to the target.
    pub route_follows_target: bool,
    /// The probes.
    pub probes: &'a Probes,
    /// What the progress display shows.
    pub phase: &'a PhaseCell,
    /// The run's seed.
    pub seed: u64,
    /// When a window without a length of its own ends, if that is known in advance.
    pub workload_end_ns: Option<i64>,
}

/// How the window went.
#[derive(Debug, Default)]
pub struct Injected {
    /// Members that were hit.
    pub targets: Vec<usize>,
    /// Who led at the injection.
    pub leader: Option<usize>,
    /// What a reader of the results should know.
    pub warnings: Vec<String>,
}

/// Carries out the window. `over` turning true (the workload has ended or the run is stopped) ends it early when it
/// has no length of its own, or when it has not begun.
///
/// # Errors
/// [`Error::Run`] when the fault could not be placed, healed or confirmed. The fault is healed on every path.
pub async fn carry_out(fault: &FaultSpec, context: &Context<'_>, over: Over) -> Result<Injected> {
    let at_ns = ms_to_ns(fault.at_ms);
    let until_ns = fault.for_ms.map(|for_ms| at_ns + ms_to_ns(for_ms)).or(context.workload_end_ns);
    let mechanism = Mechanism::choose(fault.mechanism)?;
    let mut holder = Holder::start()?;

    let mut over_before = over.clone();
    tokio::select! {
        () = context.clock.sleep_until(at_ns - LEAD_NS) => {}
        () = over_before.wait(false) => {
            return Err(Error::run("the run ended before the fault was injected"));
        }
    }
    let mut injected = choose_targets(fault, context).await?;
    let selectors = selectors(fault, &injected.targets, context.cluster);
    let mut events = asked_events(fault, mechanism, &injected, at_ns, until_ns);
    record(&events, context);
    holder.ask(&Request::Inject(Injection {
        mechanism,
        effect: fault.effect,
        selectors: selectors.clone(),
        at_ns: context.clock.to_monotonic_ns(at_ns),
        until_ns: until_ns.map(|until_ns| context.clock.to_monotonic_ns(until_ns)),
        seed: context.seed,
    }))?;

    let (applied_ns, commands) = match holder.report().await? {
        Report::Applied { done_ns, commands, .. } => (context.clock.from_monotonic_ns(done_ns), commands),
        other => return Err(Error::run(format!("fault holder: {other:?} came before the fault was in force"))),
    };
    context.phase.enter(Phase::FaultOn);
    for event in &mut events {
        event.applied_ns = Some(applied_ns);
        event.commands.clone_from(&commands);
    }
    record(&events, context);

    let (cleared_ns, reason, counters) = hold_until_cleared(&mut holder, fault.for_ms.is_some(), over, context).await?;
    context.phase.enter(Phase::Healed);
    for event in &mut events {
        event.cleared_ns = Some(cleared_ns);
        event.asked_clear_ns = until_ns.unwrap_or(cleared_ns);
    }
    record(&events, context);
    gather_after(&mut events, &injected.targets, applied_ns, cleared_ns, context).await;
    judge(&mut events, fault, &injected.targets, &selectors, &counters, context);
    record(&events, context);
    verdict(&events, reason, context, &mut injected)?;
    Ok(injected)
}

/// Tells when a window without a length of its own, or any window of a run that is stopped, is over.
#[derive(Debug, Clone)]
pub struct Over {
    /// The workload has ended.
    pub workload_ended: watch::Receiver<bool>,
    /// The run is stopped.
    pub stopped: watch::Receiver<bool>,
}

impl Over {
    /// Waits for the end; with `strict`, only for the run to be stopped.
    async fn wait(&mut self, strict: bool) {
        // An error means that the sender is gone, and with it the run.
        tokio::select! {
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
            _ = self.workload_ended.wait_for(|ended| *ended), if !strict => {}
        }
    }
}

async fn choose_targets(fault: &FaultSpec, context: &Context<'_>) -> Result<Injected> {
    let names: Vec<_> = context.cluster.members.iter().map(|member| member.name.clone()).collect();
    let leader = context.cluster.leader().await?;
    let leader = leader.ok_or_else(|| Error::run("the cluster has no leader, so the fault's target is not defined"))?;
    let targets = target::resolve(&fault.target, &names, leader);
    let mut warnings = Vec::new();
    if context.route_follows_target && targets.first().copied() != context.route.sticky_member() {
        context.route.move_to(targets[0]);
        warnings.push(format!("the leader changed before the injection: the clients moved to {}", names[targets[0]]));
    } else if !context.route_follows_target
        && context.route.sticky_member().is_some_and(|member| targets.contains(&member))
    {
        warnings.push("the clients are attached to the fault's target, though not by --attach target".into());
    }
    Ok(Injected { targets, leader: Some(leader), warnings })
}

fn selectors(fault: &FaultSpec, targets: &[usize], cluster: &Cluster) -> Vec<Selector> {
    let port = match fault.scope {
        Scope::All => None,
        Scope::Peers => Some(PEER_PORT),
        Scope::Clients => Some(CLIENT_PORT),
    };
    let ways: &[Way] = match fault.direction {
        Direction::Egress => &[Way::Egress],
        Direction::Ingress => &[Way::Ingress],
        Direction::Both => &[Way::Egress, Way::Ingress],
    };
    let of_target = |member: &usize| {
        let (member, address) = (*member, cluster.members[*member].address);
        ways.iter().map(move |way| Selector { member, address, port, way: *way })
    };
    targets.iter().flat_map(of_target).collect()
}

fn asked_events(
    fault: &FaultSpec,
    mechanism: Mechanism,
    injected: &Injected,
    at_ns: i64,
    until_ns: Option<i64>,
) -> Vec<FaultEvent> {
    let (delay_us, jitter_us, loss_percent) = match fault.effect {
        Effect::Delay { delay_us, jitter_us } => (Some(delay_us as f64), Some(jitter_us as f64), None),
        Effect::Loss { loss_percent } => (None, None, Some(loss_percent)),
    };
    let event = |(fault_id, target): (usize, &usize)| FaultEvent {
        fault_id: fault_id as i64,
        kind: fault.effect.kind().into(),
        delay_us,
        jitter_us,
        loss_percent,
        target_asked: target::as_text(&fault.target),
        target: *target as i8,
        role: if injected.leader == Some(*target) { "leader" } else { "follower" }.into(),
        scope: name_of(&fault.scope),
        direction: name_of(&fault.direction),
        mechanism: mechanism.as_str().into(),
        asked_ns: at_ns,
        asked_clear_ns: until_ns.unwrap_or(at_ns),
        ..FaultEvent::default()
    };
    injected.targets.iter().enumerate().map(event).collect()
}

/// The name under which a spec's enumeration is stored.
fn name_of(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn record(events: &[FaultEvent], context: &Context<'_>) {
    events.iter().for_each(|event| context.sink.fault(event));
}

/// Keeps the holder alive until it reports that the fault is gone, asking for that when the window is over.
async fn hold_until_cleared(
    holder: &mut Holder,
    strict: bool,
    mut over: Over,
    context: &Context<'_>,
) -> Result<(i64, HealReason, Vec<Counters>)> {
    let mut keep_alive = tokio::time::interval(KEEP_ALIVE_INTERVAL);
    let mut asked = false;
    loop {
        tokio::select! {
            report = holder.report() => return match report? {
                Report::Cleared { done_ns, reason, counters } => {
                    Ok((context.clock.from_monotonic_ns(done_ns), reason, counters))
                }
                other => Err(Error::run(format!("fault holder: {other:?} came while the fault was in force"))),
            },
            () = over.wait(strict), if !asked => {
                holder.ask(&Request::Heal { at_ns: monotonic_ns() })?;
                asked = true;
            }
            _ = keep_alive.tick() => holder.ask(&Request::KeepAlive)?,
        }
    }
}

/// Waits until the probes show that the fault is gone, and at least so long that there are some.
async fn gather_after(
    events: &mut [FaultEvent],
    targets: &[usize],
    applied_ns: i64,
    cleared_ns: i64,
    context: &Context<'_>,
) {
    loop {
        let probes = context.probes.seen();
        for event in events.iter_mut() {
            let window = Window { member: event.target as usize, targets, applied_ns, cleared_ns };
            event.clear_confirmed_ns = evidence::clear_confirmed_ns(event, &window, &probes);
        }
        let since_ns = context.clock.now_ns() - cleared_ns;
        let shown = events.iter().all(|event| event.clear_confirmed_ns.is_some());
        if (shown && since_ns >= AFTER_NS) || since_ns >= CLEAR_TIMEOUT_NS {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn judge(
    events: &mut [FaultEvent],
    fault: &FaultSpec,
    targets: &[usize],
    selectors: &[Selector],
    counters: &[Counters],
    context: &Context<'_>,
) {
    let probes = context.probes.seen();
    for event in events {
        let member = event.target as usize;
        let own = selectors.iter().zip(counters).filter(|(selector, _)| selector.member == member);
        let counters = own.fold(Counters::default(), |sum, (_, counters)| sum.joined(counters));
        let (applied_ns, cleared_ns) = (event.applied_ns.unwrap_or_default(), event.cleared_ns.unwrap_or_default());
        let window = Window { member, targets, applied_ns, cleared_ns };
        evidence::judge(event, fault.effect, fault.direction, &window, &probes, &counters);
        if let Some(first_drop_ns) = counters.first_drop_ns {
            event.confirmed_ns = Some(context.clock.from_monotonic_ns(first_drop_ns));
        }
        event.clear_confirmed_ns = evidence::clear_confirmed_ns(event, &window, &probes);
    }
}

/// Turns what the events say into the run's fate.
fn verdict(events: &[FaultEvent], reason: HealReason, context: &Context<'_>, injected: &mut Injected) -> Result<()> {
    let name = |event: &FaultEvent| context.cluster.members[event.target as usize].name.clone();
    match reason {
        HealReason::Asked => {}
        HealReason::Deadline => {
            return Err(Error::run("the fault was healed early: the recorder did not run for several seconds"));
        }
        HealReason::InputClosed => return Err(Error::run("the fault was healed early: the holder lost the recorder")),
    }
    for event in events {
        if event.confirmed == Some(false) {
            return Err(Error::run(format!("fault not confirmed on {}: {}", name(event), event.evidence)));
        }
        if event.clear_confirmed_ns.is_none() {
            injected.warnings.push(format!(
                "{}: no connect attempt showed within {} s that the fault was gone",
                name(event),
                CLEAR_TIMEOUT_NS / 1_000_000_000
            ));
        }
    }
    Ok(())
}
