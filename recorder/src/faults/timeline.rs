//! The fault's window from the recorder's side: resolve the target, inject, keep the holder alive, heal, judge.

use std::time::Duration;

use run_folder::FaultEvent;
use run_folder::spec::{ClientPlace, Effect, FaultSpec, Scope};
use tokio::sync::watch;

use super::Mechanism;
use super::evidence::{self, Window};
use super::holder::{self, Holders};
use super::placement::{self, Hit, Site};
use super::probe::Probes;
use super::protocol::{Counters, HealReason, Injection, Report, Request, Selector};
use crate::clock::{RunClock, monotonic_ns, ms_to_ns};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::progress::{Phase, PhaseCell};
use crate::recording::NoteSink;
use crate::workload::route::Route;

/// How long before the window the target is resolved and everything slow is prepared.
pub const LEAD_NS: i64 = 500_000_000;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// How long the probes may take to show that a healed fault is gone.
const CLEAR_TIMEOUT_NS: i64 = 5_000_000_000;
/// How long after the healing probes are gathered in any case.
const AFTER_NS: i64 = 500_000_000;
/// How long after an edge a holder may take to say that it is done: longer than netem may take to let everything go.
const ANSWER_MAX_NS: i64 = 20_000_000_000;
const POLL: Duration = Duration::from_millis(50);
/// An edge that is further from what was asked is worth a warning.
const EDGE_LATE_NS: i64 = 20_000_000;

/// What holds a run's fault, in place from before its traffic begins until after it has ended, because putting it there and taking
/// it away may disturb traffic. Dropping it heals everything.
#[derive(Debug)]
pub struct Ready {
    mechanism: Mechanism,
    holders: Holders,
}

impl Ready {
    /// Chooses the mechanism and starts a holder wherever one may be needed.
    ///
    /// # Errors
    /// [`Error::Environment`] when no mechanism works here, [`Error::Usage`] for a fault that cannot be placed, and
    /// [`Error::Run`] when a holder cannot be started.
    pub async fn make(fault: &FaultSpec, cluster: &Cluster, client: &ClientPlace) -> Result<Self> {
        let mechanism = Mechanism::choose(fault.mechanism, fault.effect, |tried| cluster.try_mechanism(tried))?;
        let sites = placement::possible_sites(fault, mechanism, cluster, client)?;
        Ok(Self { mechanism, holders: Holders::start(&sites, mechanism, cluster).await? })
    }
}

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
    /// Where the clients are in the network.
    pub client_at: &'a ClientPlace,
    /// The probes.
    pub probes: &'a Probes,
    /// What the progress display shows.
    pub phase: &'a PhaseCell,
    /// The run's seed.
    pub seed: u64,
    /// When a window without a length of its own ends, if that is known in advance.
    pub workload_end_ns: Option<i64>,
}

/// How the window went, as far as it went.
#[derive(Debug, Default)]
pub struct Injected {
    /// Members that were hit.
    pub targets: Vec<usize>,
    /// The only other member whose traffic with the target was hit, if it was only one.
    pub peer: Option<usize>,
    /// Who led at the injection.
    pub leader: Option<usize>,
    /// When the fault was healed.
    pub cleared_ns: Option<i64>,
    /// Why the fault, though placed and healed, does not make the run an experiment.
    pub unconfirmed: Option<String>,
    /// What a reader of the results should know.
    pub warnings: Vec<String>,
}

/// Carries out the window and keeps in `injected` what became of it. `over` ends a window early that has no length of
/// its own, and any window of a run that is stopped.
///
/// # Errors
/// [`Error::Run`] when the fault could not be placed or healed in order; it is gone then all the same. A fault that
/// could not be confirmed is no error here, so that the workload goes on and the judgement can be read later.
pub async fn carry_out(
    fault: &FaultSpec,
    ready: &mut Ready,
    context: &Context<'_>,
    over: Over,
    injected: &mut Injected,
) -> Result<()> {
    let Ready { mechanism, holders } = ready;
    let mechanism = *mechanism;
    let at_ns = ms_to_ns(fault.at_ms);
    let until_ns = fault.for_ms.map(|for_ms| at_ns + ms_to_ns(for_ms)).or(context.workload_end_ns);

    let mut over_before = over.clone();
    tokio::select! {
        () = context.clock.sleep_until(at_ns - LEAD_NS) => {}
        () = over_before.wait(false) => {
            let at_s = fault.at_ms as f64 / 1000.0;
            return Err(Error::run(format!(
                "the workload ended before the fault was to begin at {at_s} s; let the run last longer"
            )));
        }
    }
    choose_targets(fault, context, injected).await?;
    let hit = Hit { targets: &injected.targets, peer: injected.peer };
    let placed = placement::place(fault, mechanism, &holders.sites(), hit, context.cluster);
    let mut events = asked_events(fault, mechanism, injected, at_ns, until_ns);
    record(&events, context);
    for (number, (site, selectors)) in placed.iter().enumerate() {
        let injection = Injection {
            mechanism,
            effect: fault.effect,
            selectors: selectors.clone(),
            at_ns: context.clock.to_monotonic_ns(at_ns),
            until_ns: until_ns.map(|until_ns| context.clock.to_monotonic_ns(until_ns)),
            // Far apart: a holder gives each of its selectors the next one.
            seed: context.seed.wrapping_add(1000 * number as u64),
        };
        holders.ask(*site, &Request::Inject(injection))?;
    }

    let sites: Vec<_> = placed.iter().map(|(site, _)| *site).collect();
    let window = Planned { sites: &sites, strict: fault.for_ms.is_some(), at_ns, until_ns };
    let held = hold(holders, &window, &mut events, over, context).await;
    let cleared_ns = held.as_ref().map_or_else(|_| context.clock.now_ns(), |held| held.cleared_ns);
    injected.cleared_ns = Some(cleared_ns);
    context.phase.enter(Phase::Healed);
    for event in &mut events {
        event.cleared_ns = event.applied_ns.map(|_| cleared_ns);
        if let Err(error) = &held {
            event.confirmed = Some(false);
            event.evidence = error.to_string();
        }
    }
    record(&events, context);
    let held = held?;
    gather_after(&mut events, &injected.targets, cleared_ns, context).await;
    for event in &mut events {
        judge(event, fault, &injected.targets, &placed, &held, context);
    }
    record(&events, context);
    conclude(&events, held.reason, context, injected)
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

async fn choose_targets(fault: &FaultSpec, context: &Context<'_>, injected: &mut Injected) -> Result<()> {
    let names: Vec<_> = context.cluster.members.iter().map(|member| member.name.clone()).collect();
    let leader = context.cluster.leader().await?;
    let leader = leader.ok_or_else(|| Error::run("the cluster has no leader, so the fault's target is not defined"))?;
    injected.leader = Some(leader);
    (injected.targets, injected.peer) = placement::resolve(fault, &names, leader)?;
    if let ClientPlace::Member(name) = context.client_at
        && injected.targets.iter().any(|target| names[*target] == *name)
        && fault.effect != Effect::Null
    {
        injected.warnings.push(format!(
            "the clients are inside {name}'s network, which the fault hits: what they say to the other members is slowed too, \
             and what they say to {name} is not"
        ));
    }
    if let ClientPlace::Member(name) = context.client_at
        && fault.scope == Scope::Clients
        && injected.targets.iter().any(|target| names[*target] == *name)
    {
        return Err(Error::run(format!(
            "the clients are inside {name}'s network, so what they and {name} say to each other has no link that could be \
             slowed; choose another --client-at, --target or --scope"
        )));
    }
    let attached = context.route.sticky_member();
    let is_hit = attached.is_some_and(|member| injected.targets.contains(&member));
    if context.route_follows_target && !is_hit {
        context.route.move_to(injected.targets[0]);
        let name = &names[injected.targets[0]];
        injected.warnings.push(format!("the leader changed before the injection: the clients moved to {name}"));
    } else if !context.route_follows_target && is_hit && touches_clients(fault) {
        injected.warnings.push("the clients are attached to the fault's target, though not by --attach target".into());
    }
    Ok(())
}

/// Whether a fault can touch what clients and its target say to each other.
fn touches_clients(fault: &FaultSpec) -> bool {
    !matches!(fault.effect, Effect::Pass | Effect::Null) && fault.peer.is_none() && fault.scope != Scope::Peers
}

fn asked_events(
    fault: &FaultSpec,
    mechanism: Mechanism,
    injected: &Injected,
    at_ns: i64,
    until_ns: Option<i64>,
) -> Vec<FaultEvent> {
    let strength = match fault.effect {
        Effect::Delay { delay_us, jitter_us, distribution } => FaultEvent {
            delay_us: Some(delay_us as f64),
            jitter_us: Some(jitter_us as f64),
            distribution: Some(distribution.as_str().into()),
            ..FaultEvent::default()
        },
        Effect::Loss { loss_percent } => FaultEvent { loss_percent: Some(loss_percent), ..FaultEvent::default() },
        Effect::Rate { bit_per_s } => FaultEvent { rate_bit_per_s: Some(bit_per_s as f64), ..FaultEvent::default() },
        Effect::Pass | Effect::Null => FaultEvent::default(),
    };
    let event = |(fault_id, target): (usize, &usize)| FaultEvent {
        fault_id: fault_id as i64,
        kind: fault.effect.kind().into(),
        target_asked: fault.target.to_string(),
        target: *target as i8,
        role: if injected.leader == Some(*target) { "leader" } else { "follower" }.into(),
        scope: name_of(&fault.scope),
        peer: injected.peer.map(|peer| peer as i8),
        direction: name_of(&fault.direction),
        mechanism: mechanism.as_str().into(),
        asked_ns: at_ns,
        asked_clear_ns: until_ns,
        ..strength.clone()
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

/// A window as it was planned.
#[derive(Debug, Clone, Copy)]
struct Planned<'a> {
    /// Where holders have a part of the fault.
    sites: &'a [Site],
    /// Whether it has a length of its own.
    strict: bool,
    at_ns: i64,
    until_ns: Option<i64>,
}

/// What the holders say of a window that is over.
struct Held {
    cleared_ns: i64,
    reason: HealReason,
    /// Of each site, in the order of its selectors.
    counters: Vec<(Site, Vec<Counters>)>,
}

/// Waits until the fault is in force everywhere, keeps the holders alive until they report that it is gone, and asks for
/// that when the window is over.
async fn hold(
    holders: &mut Holders,
    window: &Planned<'_>,
    events: &mut [FaultEvent],
    mut over: Over,
    context: &Context<'_>,
) -> Result<Held> {
    let Planned { sites, strict, at_ns, until_ns } = *window;
    // By when the holders must have said something, and what.
    let mut due = (at_ns + ANSWER_MAX_NS, "that the fault is in force");
    let mut keep_alive = tokio::time::interval(KEEP_ALIVE_INTERVAL);
    let mut asked = false;
    let mut applied: Vec<(i64, String)> = Vec::new();
    let mut held = Held { cleared_ns: i64::MIN, reason: HealReason::Asked, counters: Vec::new() };
    loop {
        tokio::select! {
            report = holders.report() => match report? {
                (site, Report::Applied { done_ns, commands }) => {
                    applied.push((context.clock.from_monotonic_ns(done_ns), said_by(site, &commands, context)));
                    if applied.len() == sites.len() {
                        due = (until_ns.map_or(i64::MAX, |until_ns| until_ns + ANSWER_MAX_NS), "that the fault is over");
                        context.phase.enter(Phase::FaultOn);
                        let last_ns = applied.iter().map(|(done_ns, _)| *done_ns).max();
                        let commands: Vec<_> = applied.iter().map(|(_, commands)| commands.as_str()).collect();
                        for event in events.iter_mut() {
                            event.applied_ns = last_ns;
                            event.commands = commands.join("\n");
                        }
                        record(events, context);
                    }
                }
                (site, Report::Cleared { done_ns, reason, counters }) => {
                    held.cleared_ns = held.cleared_ns.max(context.clock.from_monotonic_ns(done_ns));
                    held.counters.push((site, counters));
                    if reason != HealReason::Asked {
                        held.reason = reason;
                    }
                    if held.counters.len() == sites.len() {
                        return Ok(held);
                    }
                }
                (_, Report::Prepared) => {}
                (site, Report::Failed { message }) => return Err(holder::failed(site, &message, context.cluster)),
            },
            () = over.wait(strict), if !asked => {
                for site in sites {
                    holders.ask(*site, &Request::Heal { at_ns: monotonic_ns() })?;
                }
                asked = true;
                due = (due.0.min(context.clock.now_ns() + ANSWER_MAX_NS), "that the fault is over");
            }
            _ = keep_alive.tick() => {
                let (due_ns, what) = due;
                if context.clock.now_ns() > due_ns {
                    return Err(Error::run(format!("a fault holder does not say {what}; was its container paused?")));
                }
                for site in sites {
                    holders.ask(*site, &Request::KeepAlive)?;
                }
            }
        }
    }
}

/// The commands of a site; where there are several, with the place at which they were typed.
fn said_by(site: Site, commands: &str, context: &Context<'_>) -> String {
    let place = match site {
        Site::Router => return commands.to_owned(),
        Site::Member(member) => &context.cluster.members[member].name,
        Site::Client => "client",
    };
    commands.lines().map(|line| format!("{place}: {line}")).collect::<Vec<_>>().join("\n")
}

/// Waits until the probes show that the fault is gone, and at least so long that there are some.
async fn gather_after(events: &mut [FaultEvent], targets: &[usize], cleared_ns: i64, context: &Context<'_>) {
    loop {
        for event in events.iter_mut() {
            let window = window_of(event, targets);
            event.clear_confirmed_ns =
                context.probes.with_seen(|probes| evidence::clear_confirmed_ns(event, &window, probes));
        }
        let since_ns = context.clock.now_ns() - cleared_ns;
        let shown = events.iter().all(|event| event.clear_confirmed_ns.is_some());
        if (shown && since_ns >= AFTER_NS) || since_ns >= CLEAR_TIMEOUT_NS {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn window_of<'a>(event: &FaultEvent, targets: &'a [usize]) -> Window<'a> {
    Window {
        member: event.target as usize,
        targets,
        peer: event.peer.map(|peer| peer as usize),
        applied_ns: event.applied_ns.unwrap_or_default(),
        cleared_ns: event.cleared_ns.unwrap_or_default(),
    }
}

fn judge(
    event: &mut FaultEvent,
    fault: &FaultSpec,
    targets: &[usize],
    placed: &[(Site, Vec<Selector>)],
    held: &Held,
    context: &Context<'_>,
) {
    let window = window_of(event, targets);
    let of_site = |(site, selectors): &'_ (Site, Vec<Selector>)| {
        let counters = held.counters.iter().find(|(at, _)| at == site).map(|(_, counters)| counters.clone());
        selectors.iter().copied().zip(counters.unwrap_or_default()).collect::<Vec<_>>()
    };
    let all = placed.iter().flat_map(of_site);
    let own = all.filter(|(selector, _)| selector.member == window.member);
    let counters = own.fold(Counters::default(), |sum, (_, counters)| sum.joined(&counters));
    event.confirmed_ns = counters.first_drop_ns.map(|drop_ns| context.clock.from_monotonic_ns(drop_ns));
    context.probes.with_seen(|probes| {
        evidence::judge(event, fault.effect, fault.direction, &window, probes, &counters);
    });
}

/// Turns what the events say into the run's fate and warnings.
fn conclude(events: &[FaultEvent], reason: HealReason, context: &Context<'_>, injected: &mut Injected) -> Result<()> {
    match reason {
        HealReason::Asked => {}
        HealReason::Deadline => {
            return Err(Error::run("the fault was healed early: the recorder did not run for several seconds"));
        }
        HealReason::InputClosed => return Err(Error::run("the fault was healed early: the holder lost the recorder")),
    }
    for event in events {
        let name = &context.cluster.members[event.target as usize].name;
        if event.confirmed == Some(false) {
            injected.unconfirmed.get_or_insert_with(|| format!("fault not confirmed on {name}: {}", event.evidence));
        }
        if event.clear_confirmed_ns.is_none() {
            let seconds = CLEAR_TIMEOUT_NS / 1_000_000_000;
            injected
                .warnings
                .push(format!("{name}: no connect attempt showed within {seconds} s that the fault was gone"));
        }
        for (edge, time_ns, asked_ns) in
            [("began", event.applied_ns, Some(event.asked_ns)), ("ended", event.cleared_ns, event.asked_clear_ns)]
        {
            let late_ns = time_ns.zip(asked_ns).map_or(0, |(time_ns, asked_ns)| (time_ns - asked_ns).abs());
            if late_ns > EDGE_LATE_NS {
                let late_ms = late_ns as f64 / 1e6;
                injected.warnings.push(format!("{name}: the fault {edge} {late_ms:.0} ms off its time"));
            }
        }
    }
    Ok(())
}
