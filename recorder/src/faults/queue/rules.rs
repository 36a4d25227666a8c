//! Packet filter rules that send a member's packets to a queue, in the router's mangle table.
//!
//! Each selector has a chain of its own that holds the one rule. Injecting hooks the chains in, healing unhooks
//! them, each in a single transaction; the chains stay until their counters are read, so that not a packet is
//! missed between the last count and the unhooking.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::error::{Error, Result};
use crate::faults::protocol::{Hook, Selector, Way};
use crate::programs;

/// The iptables programs; the legacy ones change a rule in 1 ms, the nft flavour takes up to 28 ms.
#[derive(Debug)]
pub struct Iptables {
    restore: PathBuf,
    save: PathBuf,
}

impl Iptables {
    /// Finds the programs of every flavour that is installed, the better one first.
    ///
    /// # Errors
    /// [`Error::Environment`] that says what to install when there are none.
    pub fn find() -> Result<Vec<Self>> {
        let found = ["iptables-legacy", "iptables"].into_iter().filter_map(|flavour| {
            let program = |action: &str| programs::find(&format!("{flavour}-{action}"));
            Some(Self { restore: program("restore")?, save: program("save")? })
        });
        match found.collect::<Vec<_>>() {
            none if none.is_empty() => Err(Error::environment(
                "no iptables on PATH, which the queue shaper needs; install it (apt install iptables)",
            )),
            found => Ok(found),
        }
    }

    /// Makes the chains, with nothing leading into them, by the first flavour that this kernel works with.
    ///
    /// # Errors
    /// [`Error::Run`] with the last flavour's message.
    pub fn prepare(selectors: &[Selector]) -> Result<Self> {
        let mut refused = None;
        for iptables in Self::find()? {
            match iptables.make_chains(selectors) {
                Ok(()) => return Ok(iptables),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| Error::run("no iptables")))
    }

    fn make_chains(&self, selectors: &[Selector]) -> Result<()> {
        let mut lines = String::new();
        for number in 0..selectors.len() {
            let _ = writeln!(lines, ":{} - [0:0]", chain(number));
        }
        for (number, selector) in selectors.iter().enumerate() {
            let _ = writeln!(lines, "{}", rule(number, *selector));
        }
        self.transaction(&lines)
    }

    /// Leads packets into the chains. Returns the exact rules in force.
    ///
    /// # Errors
    /// [`Error::Run`] with the program's message.
    pub fn hook(armed: Armed, selectors: &[Selector]) -> Result<String> {
        let hooks: String = selectors
            .iter()
            .enumerate()
            .map(|(number, selector)| format!("-A {}\n", hook(number, *selector)))
            .collect();
        armed.commit(&hooks)?;
        let rules = selectors.iter().enumerate().map(|(number, selector)| rule(number, *selector) + "\n");
        let rules: String = rules.chain([hooks]).collect();
        Ok(rules.lines().map(|line| format!("iptables -t mangle {line}")).collect::<Vec<_>>().join("\n"))
    }

    /// Leads packets past the chains again.
    ///
    /// # Errors
    /// [`Error::Run`] with the program's message.
    pub fn unhook(armed: Armed, selectors: &[Selector]) -> Result<()> {
        let hooks: String = selectors
            .iter()
            .enumerate()
            .map(|(number, selector)| format!("-D {}\n", hook(number, *selector)))
            .collect();
        armed.commit(&hooks)
    }

    /// Packets that each selector's rule has matched.
    ///
    /// # Errors
    /// [`Error::Run`] when the counters cannot be read.
    pub fn matched(&self, selectors: &[Selector]) -> Result<Vec<u64>> {
        let text = self.saved()?;
        let missing = || Error::run(format!("the rules' counters are not in {text:?}"));
        let count = |number| packets_of_rule(&text, &chain(number)).ok_or_else(missing);
        (0..selectors.len()).map(count).collect()
    }

    /// Removes the chains.
    ///
    /// # Errors
    /// [`Error::Run`] with the program's message.
    pub fn remove(&self, selectors: &[Selector]) -> Result<()> {
        let chains = |command: &str| -> String {
            (0..selectors.len()).map(|number| format!("{command} {}\n", chain(number))).collect()
        };
        self.transaction(&(chains("-F") + &chains("-X")))
    }

    /// Our rules that stand in the calling thread's namespace, by whichever flavour, one a line.
    ///
    /// # Errors
    /// [`Error::Run`] when they cannot be read.
    pub fn standing() -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for iptables in Self::find()? {
            let save = iptables.saved()?;
            let ours = save.lines().filter(|line| line.contains(CHAIN_PREFIX) && line.contains("-A "));
            lines.extend(ours.map(|line| format!("iptables -t mangle {line}")));
        }
        Ok(lines)
    }

    /// Removes our rules and chains, of whichever flavour. Returns what was removed, one a line.
    ///
    /// # Errors
    /// [`Error::Run`] when they cannot be removed.
    pub fn clear_standing() -> Result<Vec<String>> {
        let mut removed = Vec::new();
        for iptables in Self::find()? {
            let save = iptables.saved()?;
            let rules = save.lines().filter_map(|line| line.split_once("] -A ").map(|(_, rule)| rule));
            let hooks: Vec<_> = rules.filter(|rule| rule.contains(&format!("-j {CHAIN_PREFIX}"))).collect();
            let chains = save.lines().filter_map(|line| line.strip_prefix(':')?.split(' ').next());
            let chains: Vec<_> = chains.filter(|chain| chain.starts_with(CHAIN_PREFIX)).collect();
            let lines = hooks.iter().map(|hook| format!("-D {hook}\n"));
            let lines = lines.chain(chains.iter().map(|chain| format!("-F {chain}\n")));
            let lines: String = lines.chain(chains.iter().map(|chain| format!("-X {chain}\n"))).collect();
            if !lines.is_empty() {
                iptables.transaction(&lines)?;
                removed.extend(chains.iter().map(|chain| format!("iptables chain {chain}")));
            }
        }
        Ok(removed)
    }

    /// The mangle table with its counters, as the program saves it.
    fn saved(&self) -> Result<String> {
        let failed = |problem: &str| Error::run(format!("{}: {problem}", self.save.display()));
        let output = Command::new(&self.save).args(["-c", "-t", "mangle"]).stdin(Stdio::null()).output();
        let output = output.map_err(|error| failed(&error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts the program of a transaction whose lines come later.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub fn arm(&self) -> Result<Armed> {
        let restore = Command::new(&self.restore)
            .args(["--noflush", "-w", "5"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Error::run(format!("{}: {error}", self.restore.display())))?;
        Ok(Armed { restore, program: self.restore.clone() })
    }

    fn transaction(&self, lines: &str) -> Result<()> {
        self.arm()?.commit(lines)
    }
}

/// A transaction whose program is running already and waits for its lines, so that at the edge of a window neither a
/// fork nor a start is left to do. Dropping it changes nothing.
#[derive(Debug)]
pub struct Armed {
    restore: Child,
    program: PathBuf,
}

impl Armed {
    fn commit(mut self, lines: &str) -> Result<()> {
        let failed = |problem: &str| Error::run(format!("{}: {problem}", self.program.display()));
        // Taken, and so closed behind the last line: the program ends with its input.
        let input = self.restore.stdin.take();
        let written = input.map_or(Ok(()), |mut input| input.write_all(format!("*mangle\n{lines}COMMIT\n").as_bytes()));
        let mut said = String::new();
        let read = self.restore.stderr.take().map_or(Ok(0), |mut stderr| stderr.read_to_string(&mut said));
        let status = self.restore.wait().map_err(|error| failed(&error.to_string()))?;
        if !status.success() {
            return Err(failed(said.trim()));
        }
        written.and(read.map(drop)).map_err(|error| failed(&error.to_string()))
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.restore.stdin = None;
        let _ = self.restore.wait();
    }
}

/// Number of the queue that selector `number` leads to.
pub fn queue_number(number: usize) -> u16 {
    number as u16
}

/// What the names of our chains begin with.
pub(super) const CHAIN_PREFIX: &str = "LAGGARD";

fn chain(number: usize) -> String {
    format!("{CHAIN_PREFIX}{number}")
}

fn rule(number: usize, selector: Selector) -> String {
    let (own, others) = match selector.way {
        Way::Egress => ("-s", "-d"),
        Way::Ingress => ("-d", "-s"),
    };
    let address = selector.address;
    let peer = selector.peer.map_or_else(String::new, |peer| format!(" {others} {peer}"));
    let port = selector.port.map_or_else(String::new, |port| format!(" -p tcp -m multiport --ports {port}"));
    // With the bypass, a holder that died leaves a rule without effect.
    let action = match selector.queued {
        true => format!("NFQUEUE --queue-num {} --queue-bypass", queue_number(number)),
        false => "RETURN".to_owned(),
    };
    format!("-A {} {own} {address}{peer}{port} -j {action}", chain(number))
}

/// Where a selector's chain is hooked in.
fn hook(number: usize, selector: Selector) -> String {
    let place = match selector.hook {
        Hook::Forward => "FORWARD",
        Hook::Postrouting => "POSTROUTING",
        // What a member says to itself never leaves it.
        Hook::Prerouting => "PREROUTING ! -i lo",
        Hook::Input => "INPUT ! -i lo",
        Hook::Link => unreachable!("a link has a qdisc and no chains"),
    };
    format!("{place} -j {}", chain(number))
}

/// Finds `[packets:bytes] -A CHAIN ...` in the output of `iptables-save -c`.
fn packets_of_rule(save: &str, chain: &str) -> Option<u64> {
    save.lines().find_map(|line| {
        let (counters, rule) = line.strip_prefix('[')?.split_once("] -A ")?;
        let packets = counters.split(':').next()?.parse().ok()?;
        (rule.split(' ').next()? == chain).then_some(packets)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_say_exactly_what_is_hit() {
        let address = std::net::Ipv4Addr::new(10, 77, 1, 2);
        let (way, hooked) = (Way::Egress, Hook::Forward);
        let all = Selector { member: 1, address, peer: None, port: None, way, hook: hooked, queued: true };
        let peers = Selector { port: Some(2380), way: Way::Ingress, hook: Hook::Postrouting, ..all };
        assert_eq!(rule(0, all), "-A LAGGARD0 -s 10.77.1.2 -j NFQUEUE --queue-num 0 --queue-bypass");
        assert_eq!(
            rule(1, peers),
            "-A LAGGARD1 -d 10.77.1.2 -p tcp -m multiport --ports 2380 -j NFQUEUE --queue-num 1 --queue-bypass"
        );
        let link = Selector { peer: Some(std::net::Ipv4Addr::new(10, 77, 2, 2)), ..peers };
        assert_eq!(rule(3, Selector { queued: false, ..all }), "-A LAGGARD3 -s 10.77.1.2 -j RETURN");
        assert!(rule(2, link).starts_with("-A LAGGARD2 -d 10.77.1.2 -s 10.77.2.2 -p tcp"), "{}", rule(2, link));
        assert_eq!((hook(0, all), hook(1, peers)), ("FORWARD -j LAGGARD0".into(), "POSTROUTING -j LAGGARD1".into()));
    }

    #[test]
    fn counters_are_read_from_the_right_rule() {
        let save = "*mangle\n:FORWARD ACCEPT [9:9]\n:LAGGARD1 - [0:0]\n[7:99] -A FORWARD -j LAGGARD1\n\
                    [5:70] -A LAGGARD1 -s 10.77.1.2/32 -j NFQUEUE\n[6:70] -A LAGGARD10 -j NFQUEUE\nCOMMIT\n";
        assert_eq!(packets_of_rule(save, "LAGGARD1"), Some(5));
        assert_eq!(packets_of_rule(save, "LAGGARD10"), Some(6));
        assert_eq!(packets_of_rule(save, "LAGGARD2"), None);
    }
}
