//! The kernel's netem, on the links of the target's own network namespace, as the older scripts had it.
//!
//! What the target sends passes a `prio` qdisc on its link. Its idle band leads everything out at once; into its other band,
//! which holds the netem qdisc, filters lead the packets that the fault hits, for as long as it is in force. What the target
//! receives is redirected to an `ifb` link with a netem qdisc of its own.
//!
//! Filters come and go without a packet being lost. Putting a root qdisc in place does lose some (the link stands still for it), so
//! the `prio` is there from before the warm-up to the end of the run ([`Tree`]). What netem holds when the fault is
//! lifted leaves when its time has come.

mod tc;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use run_folder::spec::{Distribution, Effect};

use self::tc::{Batch, Qdisc, Tool};
use super::protocol::{Counters, Selector, Way};
use crate::clock::monotonic_ns;
use crate::error::{Error, Result};

/// Handles by which our qdiscs are known.
const ROOT: &str = "1a66:";
const LEAF: &str = "1a67:";
/// Handle that the kernel gives to what packets meet on their way in.
const INGRESS: &str = "ffff:";
/// The link that received packets are redirected to.
const IFB: &str = "laggard-in";
/// A link to try things on.
const TRIAL: &str = "laggard-try";
/// Packets that netem may hold. Its own default, 1000, holds a second's worth of a thousand a second, and silently drops
/// what is more.
const PACKETS_MAX: u32 = 1_000_000;
/// How long what is held when the fault is lifted may take to leave.
const DRAIN_MAX: Duration = Duration::from_secs(10);
const DRAIN_POLL: Duration = Duration::from_millis(5);

/// Tries netem on a link that nobody uses, with all that a fault on what a member sends takes. The kernel loads its modules for that
/// now, and not at the edge of a window.
///
/// # Errors
/// [`Error::Environment`] with what the kernel or `tc` refuse.
pub fn try_here() -> Result<()> {
    let (tc, ip) = (Tool::find("tc")?, Tool::find("ip")?);
    let delete = [format!("link del {TRIAL}")];
    let made = ip.batch(&[format!("link add {TRIAL} type ifb")]).and_then(|()| {
        let tried = tc.batch(&[
            format!("qdisc add dev {TRIAL} root handle {ROOT} prio"),
            format!("qdisc add dev {TRIAL} parent {ROOT}1 handle {LEAF} netem delay 1ms"),
            format!("filter add dev {TRIAL} {} u32 match u32 0 0 flowid {ROOT}1", parent(Way::Egress)),
        ]);
        ip.batch(&delete).and(tried)
    });
    made.map_err(|error| {
        Error::environment(format!("netem does not work here (does the kernel have sch_netem?): {error}"))
    })
}

/// Checks that the programs are here.
///
/// # Errors
/// [`Error::Environment`] that says what to install.
pub fn check_programs() -> Result<()> {
    Tool::find("tc").and_then(|_| Tool::find("ip")).map(drop)
}

/// What must be in place before traffic is measured. Dropping it removes it.
#[derive(Debug)]
pub struct Tree {
    tc: Tool,
    link: String,
}

impl Tree {
    /// Puts the `prio` qdisc on the link that has `address`.
    ///
    /// # Errors
    /// [`Error::Run`] when something else is there already, or the kernel refuses.
    pub fn install(address: Ipv4Addr) -> Result<Self> {
        let (tc, link) = (Tool::find("tc")?, link_of(address)?);
        let found = tc.qdiscs(&link)?;
        if found.iter().any(|qdisc| qdisc.root && qdisc.handle == ROOT) {
            // Of a recorder whose holder was killed.
            remove(&tc, &link);
        } else if let Some(other) = found.iter().find(|qdisc| qdisc.is_made()) {
            return Err(Error::run(format!(
                "{link} of {address} has a {} qdisc that somebody put there, which would falsify the run; look at it by \
                 `recorder faults show`, remove it by `recorder faults clear --all`",
                other.kind
            )));
        }
        // All sixteen priorities go to the idle band.
        let idle = ["1"; 16].join(" ");
        tc.batch(&[format!("qdisc add dev {link} root handle {ROOT} prio bands 2 priomap {idle}")])?;
        Ok(Self { tc, link })
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        remove(&self.tc, &self.link);
    }
}

/// Removes what is ours from a link; what is not there is as good as removed.
fn remove(tc: &Tool, link: &str) {
    let _ = tc.batch(&[format!("qdisc del dev {link} root handle {ROOT}")]);
    if Tool::find("ip").is_ok_and(|ip| ip.batch(&[format!("link del {IFB}")]).is_ok()) {
        let _ = tc.batch(&[format!("qdisc del dev {link} ingress")]);
    }
}

/// Name of the link that has an address.
fn link_of(address: Ipv4Addr) -> Result<String> {
    let failed = |problem: String| Error::run(format!("the link of {address} cannot be found: {problem}"));
    let all = nix::ifaddrs::getifaddrs().map_err(|errno| failed(errno.to_string()))?;
    let mut has_it = all
        .filter(|link| link.address.and_then(|found| found.as_sockaddr_in().map(|found| found.ip())) == Some(address));
    has_it.next().map(|link| link.interface_name).ok_or_else(|| failed("no link has it".into()))
}

/// Everything slow is done: the netem qdiscs are there, and nothing leads into them.
#[derive(Debug)]
pub struct Prepared {
    tc: Tool,
    armed: Batch,
    link: String,
    effect: Effect,
    selectors: Vec<Selector>,
    made: Vec<String>,
}

impl Prepared {
    /// Prepares a fault on the link of the selectors' address, on which there is a [`Tree`].
    ///
    /// # Errors
    /// What the kernel or iproute2 refuse.
    pub fn new(selectors: &[Selector], effect: Effect) -> Result<Self> {
        let (tc, ip) = (Tool::find("tc")?, Tool::find("ip")?);
        let address = selectors.first().ok_or_else(|| Error::run("a fault without packets to hit"))?.address;
        let link = link_of(address)?;
        let qdisc = qdisc(effect);
        let (mut made, mut ip_made) = (Vec::new(), Vec::new());
        if selectors.iter().any(|selector| selector.way == Way::Egress) {
            made.push(format!("qdisc add dev {link} parent {ROOT}1 handle {LEAF} {qdisc}"));
        }
        if selectors.iter().any(|selector| selector.way == Way::Ingress) {
            ip_made.extend([format!("link add {IFB} type ifb"), format!("link set {IFB} up")]);
            made.push(format!("qdisc add dev {IFB} root handle {LEAF} {qdisc}"));
            made.push(format!("qdisc add dev {link} handle {INGRESS} ingress"));
        }
        if !ip_made.is_empty() {
            ip.batch(&ip_made)?;
        }
        tc.batch(&made)?;
        let made = ip_made.iter().map(|line| format!("ip {line}")).chain(made.iter().map(|line| format!("tc {line}")));
        let made = made.collect();
        Ok(Self { armed: tc.arm()?, tc, link, effect, selectors: selectors.to_vec(), made })
    }

    /// Leads packets into the netem qdiscs.
    ///
    /// # Errors
    /// What the kernel or `tc` refuse.
    pub fn inject(self) -> Result<Injected> {
        let Self { tc, armed, link, effect, selectors, made } = self;
        let filters: Vec<_> = selectors.iter().flat_map(|selector| filters(&link, selector)).collect();
        let hooking_ns = monotonic_ns();
        let unhooking = tc.arm().ok();
        let injected = Injected {
            unhooking,
            commands: made.into_iter().chain(filters.iter().map(|line| format!("tc {line}"))).collect(),
            tc,
            link,
            effect,
            selectors,
            backlog_max: 0,
            hooking_ns,
            hooked: true,
        };
        // Made first, so that a batch that fails half way is undone.
        armed.commit(&filters)?;
        Ok(injected)
    }
}

/// A fault in force. Healing it is [`Injected::heal`]; dropping it on an error path heals it too.
#[derive(Debug)]
pub struct Injected {
    tc: Tool,
    /// Ready to heal; where it could not be made ready, healing takes a few milliseconds more.
    unhooking: Option<Batch>,
    link: String,
    effect: Effect,
    selectors: Vec<Selector>,
    commands: Vec<String>,
    backlog_max: u64,
    /// Nothing went into the netem qdiscs before.
    hooking_ns: i64,
    hooked: bool,
}

impl Injected {
    /// The exact commands, one a line.
    pub fn commands(&self) -> String {
        self.commands.join("\n")
    }

    /// Looks at how many packets wait.
    pub fn look(&mut self) {
        let waiting: u64 = self.leaves().iter().map(|(_, leaf)| leaf.qlen).sum();
        self.backlog_max = self.backlog_max.max(waiting);
    }

    /// Leads packets past the netem qdiscs, waits until those are empty, and reads their counters.
    ///
    /// # Errors
    /// What the kernel or iproute2 refuse.
    pub fn heal(mut self) -> Result<(i64, Vec<Counters>)> {
        self.unhook()?;
        let done_ns = monotonic_ns();
        let at_end = self.leaves();
        let passing_s = (monotonic_ns() - self.hooking_ns) as f64 / 1e9;
        self.backlog_max = self.backlog_max.max(at_end.iter().map(|(_, leaf)| leaf.qlen).sum());
        let began = Instant::now();
        let mut leaves = at_end.clone();
        while leaves.iter().any(|(_, leaf)| leaf.qlen > 0) && began.elapsed() < DRAIN_MAX {
            std::thread::sleep(DRAIN_POLL);
            leaves = self.leaves();
        }
        let counters = self.selectors.iter().map(|selector| {
            let of_way = |leaves: &[(Way, Qdisc)]| {
                leaves.iter().find(|(way, _)| *way == selector.way).map(|(_, leaf)| leaf.clone())
            };
            let gone = || Error::run(format!("the netem qdisc of {} is gone", self.link));
            let (at_end, leaf) = (of_way(&at_end).ok_or_else(gone)?, of_way(&leaves).ok_or_else(gone)?);
            // What left during the window, and not what was let out after it.
            Ok(Counters {
                bytes_passed: Some(at_end.bytes),
                bit_per_s: Some((at_end.bytes as f64 * 8.0 / passing_s) as u64),
                ..self.counters(&leaf)
            })
        });
        let counters = counters.collect::<Result<_>>();
        self.remove_leaves()?;
        let left: u64 = leaves.iter().map(|(_, leaf)| leaf.qlen).sum();
        if left > 0 {
            return Err(Error::run(format!(
                "{left} packets were still held {} s after the window and are lost; choose a milder fault",
                DRAIN_MAX.as_secs()
            )));
        }
        Ok((done_ns, counters?))
    }

    fn unhook(&mut self) -> Result<()> {
        let armed = self.unhooking.take().map_or_else(|| self.tc.arm(), Ok)?;
        armed.commit(
            &self.parents().map(|parent| format!("filter del dev {} {parent}", self.link)).collect::<Vec<_>>(),
        )?;
        self.hooked = false;
        Ok(())
    }

    /// What our filters hang on.
    fn parents(&self) -> impl Iterator<Item = String> + '_ {
        let used = |way: Way| self.selectors.iter().any(|selector| selector.way == way);
        [Way::Egress, Way::Ingress].into_iter().filter(move |way| used(*way)).map(|way| parent(way).to_owned())
    }

    /// The netem qdiscs.
    fn leaves(&self) -> Vec<(Way, Qdisc)> {
        [(Way::Egress, self.link.as_str()), (Way::Ingress, IFB)]
            .into_iter()
            .filter(|(way, _)| self.selectors.iter().any(|selector| selector.way == *way))
            .flat_map(|(way, link)| self.tc.qdiscs(link).into_iter().flatten().map(move |qdisc| (way, qdisc)))
            .filter(|(_, qdisc)| qdisc.handle == LEAF)
            .collect()
    }

    fn counters(&self, leaf: &Qdisc) -> Counters {
        let all = leaf.packets + leaf.drops;
        let (dropped, overflowed) = match self.effect {
            // Both are in one counter. What netem only loses it never holds, so its queue cannot fill.
            Effect::Loss { .. } => (leaf.drops, Some(0).filter(|_| self.backlog_max < u64::from(PACKETS_MAX) / 2)),
            _ => (0, Some(leaf.drops)),
        };
        // What a null fault counts never went into netem.
        let received = if self.effect == Effect::Null { 0 } else { all };
        Counters {
            matched: all,
            received,
            dropped,
            overflowed,
            backlog_max: Some(self.backlog_max),
            ..Counters::default()
        }
    }

    fn remove_leaves(&self) -> Result<()> {
        for (way, _) in self.leaves() {
            match way {
                Way::Egress => self.tc.batch(&[format!("qdisc del dev {} parent {ROOT}1 handle {LEAF}", self.link)])?,
                Way::Ingress => {
                    self.tc.batch(&[format!("qdisc del dev {} ingress", self.link)])?;
                    Tool::find("ip")?.batch(&[format!("link del {IFB}")])?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        if self.hooked {
            // Nothing more can be done about an error here; the tree's removal takes the filters with it.
            let _ = self.unhook();
        }
    }
}

/// The qdisc that does an effect, as `tc` takes it.
fn qdisc(effect: Effect) -> String {
    let netem = format!("netem limit {PACKETS_MAX}");
    match effect {
        Effect::Delay { delay_us, jitter_us: 0, .. } => format!("{netem} delay {delay_us}us"),
        Effect::Delay { delay_us, jitter_us, distribution: Distribution::Uniform } => {
            format!("{netem} delay {delay_us}us {jitter_us}us")
        }
        Effect::Delay { delay_us, jitter_us, distribution } => {
            format!("{netem} delay {delay_us}us {jitter_us}us distribution {}", distribution.as_str())
        }
        Effect::Loss { loss_percent } => format!("{netem} loss random {loss_percent}%"),
        Effect::Rate { bit_per_s } => format!("{netem} rate {bit_per_s}bit"),
        Effect::Pass => netem,
        Effect::Null => format!("pfifo limit {PACKETS_MAX}"),
    }
}

/// Where filters hang, and their common priority, by which they are deleted together.
fn parent(way: Way) -> &'static str {
    match way {
        Way::Egress => "parent 1a66: protocol ip prio 1",
        Way::Ingress => "parent ffff: protocol ip prio 1",
    }
}

/// The filters that lead a selector's packets into netem.
fn filters(link: &str, selector: &Selector) -> Vec<String> {
    let (other_end, action) = match selector.way {
        Way::Egress => ("dst", format!("flowid {ROOT}1")),
        Way::Ingress => ("src", format!("action mirred egress redirect dev {IFB}")),
    };
    let peer = selector.peer.map(|peer| format!("match ip {other_end} {peer}/32"));
    // A connection has the port at one end or the other.
    let ports = selector.port.map_or_else(
        || vec![None],
        |port| {
            ["dport", "sport"].map(|end| Some(format!("match ip protocol 6 0xff match ip {end} {port} 0xffff"))).into()
        },
    );
    let filter = |port: Option<String>| {
        let matches: Vec<_> = peer.iter().cloned().chain(port).collect();
        let matches = if matches.is_empty() { "match u32 0 0".to_owned() } else { matches.join(" ") };
        format!("filter add dev {link} {} u32 {matches} {action}", parent(selector.way))
    };
    ports.into_iter().map(filter).collect()
}

/// Qdiscs that are on the links here and that the kernel did not put there by itself, one a line, as `tc` shows them.
///
/// # Errors
/// What `tc` refuses.
pub fn show() -> Result<Vec<String>> {
    let text = Tool::find("tc")?.output(&["-s", "qdisc", "show"])?;
    let mut lines = Vec::new();
    let mut is_made = false;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("qdisc ") {
            is_made = rest.split(' ').nth(1).is_some_and(|handle| handle != "0:");
        }
        if is_made {
            lines.push(line.to_owned());
        }
    }
    Ok(lines)
}

/// Removes our qdiscs from all links here, and with `all` every qdisc that somebody put there. Returns what was removed.
///
/// # Errors
/// What iproute2 refuses.
pub fn clear(all: bool) -> Result<Vec<String>> {
    let (tc, ip) = (Tool::find("tc")?, Tool::find("ip")?);
    let mut removed = Vec::new();
    let names =
        nix::net::if_::if_nameindex().map_err(|errno| Error::run(format!("no links can be listed: {errno}")))?;
    for name in names.to_slice().iter().map(|link| link.name().to_string_lossy().into_owned()) {
        if name == IFB || name == TRIAL {
            ip.batch(&[format!("link del {name}")])?;
            removed.push(format!("link {name}"));
            continue;
        }
        for qdisc in tc.qdiscs(&name)?.into_iter().filter(Qdisc::is_made) {
            let ours =
                qdisc.handle == ROOT || (qdisc.handle == INGRESS && removed.iter().any(|done| done.ends_with(IFB)));
            let place = match (qdisc.root, qdisc.kind.as_str()) {
                (true, _) => "root",
                (false, "ingress" | "clsact") => qdisc.kind.as_str(),
                // Goes with its root.
                _ => continue,
            };
            if ours || all {
                tc.batch(&[format!("qdisc del dev {name} {place}")])?;
                removed.push(format!("qdisc {} {} on {name}", qdisc.kind, qdisc.handle));
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::super::protocol::Hook;
    use super::*;

    #[test]
    fn commands_say_exactly_what_is_hit() {
        let address = Ipv4Addr::new(10, 77, 1, 2);
        let all =
            Selector { member: 1, address, peer: None, port: None, way: Way::Egress, hook: Hook::Link, queued: true };
        assert_eq!(
            filters("eth0", &all),
            ["filter add dev eth0 parent 1a66: protocol ip prio 1 u32 match u32 0 0 flowid 1a66:1"]
        );
        let peers = Selector { port: Some(2380), peer: Some(Ipv4Addr::new(10, 77, 2, 2)), way: Way::Ingress, ..all };
        let lines = filters("eth0", &peers);
        assert_eq!(lines.len(), 2, "either end may have the port");
        assert_eq!(
            lines[1],
            "filter add dev eth0 parent ffff: protocol ip prio 1 u32 match ip src 10.77.2.2/32 match ip protocol 6 0xff \
             match ip sport 2380 0xffff action mirred egress redirect dev laggard-in"
        );
    }

    #[test]
    fn effects_are_said_in_netems_words() {
        let jitter = |distribution| Effect::Delay { delay_us: 20_000, jitter_us: 5_000, distribution };
        assert_eq!(qdisc(Effect::delay(20_000)), "netem limit 1000000 delay 20000us");
        assert_eq!(qdisc(jitter(Distribution::Uniform)), "netem limit 1000000 delay 20000us 5000us");
        assert_eq!(qdisc(jitter(Distribution::Pareto)), "netem limit 1000000 delay 20000us 5000us distribution pareto");
        assert_eq!(qdisc(Effect::Loss { loss_percent: 12.5 }), "netem limit 1000000 loss random 12.5%");
        assert_eq!(qdisc(Effect::Rate { bit_per_s: 1_000_000 }), "netem limit 1000000 rate 1000000bit");
    }
}
