//! The sandbox's network: a router namespace (the recorder's own) and, each on a routed /30 to it, one namespace
//! for every member and one for the clients. Every packet between two of them crosses the router's FORWARD chain,
//! which is where faults are placed.

use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns, unshare};

use super::offloads::Offloads;
use crate::error::{Error, Result};

/// A network namespace; it exists as long as this value or a process in it does.
#[derive(Debug)]
pub struct NetNamespace(OwnedFd);

impl NetNamespace {
    /// Makes a new, empty one.
    fn create() -> Result<Self> {
        // Unsharing moves the calling thread, so a thread is made for it and thrown away; the open file keeps the
        // namespace.
        let made = std::thread::spawn(|| -> std::io::Result<OwnedFd> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(std::fs::File::open("/proc/thread-self/ns/net")?.into())
        });
        match made.join() {
            Ok(Ok(fd)) => Ok(Self(fd)),
            Ok(Err(error)) => Err(network_error(format!("a network namespace was refused: {error}"))),
            Err(_) => Err(network_error("the thread that makes a network namespace panicked".into())),
        }
    }

    /// Moves the calling thread into the namespace. Sockets that it has already keep theirs.
    ///
    /// # Errors
    /// The system's error.
    pub fn enter(&self) -> std::io::Result<()> {
        Ok(setns(&self.0, CloneFlags::CLONE_NEWNET)?)
    }

    /// Makes `command` start inside the namespace.
    pub fn enter_on_exec(self: &std::sync::Arc<Self>, command: &mut Command) {
        let namespace = self.clone();
        // SAFETY: setns is a bare system call; it neither allocates nor locks.
        unsafe { command.pre_exec(move || namespace.enter()) };
    }
}

/// A place in the network.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its namespace.
    pub namespace: std::sync::Arc<NetNamespace>,
    /// Its address.
    pub address: Ipv4Addr,
}

/// The network of one cluster.
#[derive(Debug)]
pub struct Network {
    /// The members' hosts.
    pub members: Vec<Host>,
    /// The clients' host.
    pub client: Host,
}

/// Third byte of the clients' addresses; the members have their index.
const CLIENT_NET: u8 = 255;

impl Network {
    /// Builds the network for `nodes` members around the calling thread's namespace.
    ///
    /// # Errors
    /// [`Error::Environment`] when the kernel or `ip` refuses.
    pub fn build(nodes: u8) -> Result<Self> {
        // A new namespace may start with forwarding off.
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")
            .map_err(|error| network_error(format!("forwarding cannot be switched on: {error}")))?;
        let mut hosts = Vec::new();
        let mut router_batch = String::from("link set lo up\n");
        for net in (0..nodes).chain([CLIENT_NET]) {
            let namespace = std::sync::Arc::new(NetNamespace::create()?);
            // The recorder is pid 1 in here, so this path leads `ip` to our open file.
            let path = format!("/proc/1/fd/{}", namespace.0.as_raw_fd());
            let link = router_link(net);
            router_batch += &format!(
                "link add {link} type veth peer name eth0 netns {path}\naddr add {}/30 dev {link}\nlink set {link} up\n",
                router_address(net)
            );
            hosts.push((net, Host { namespace, address: Ipv4Addr::new(10, 77, net, 2) }));
        }
        ip_batch(&router_batch, None)?;
        for (net, host) in &hosts {
            let batch = format!(
                "link set lo up\naddr add {}/30 dev eth0\nlink set eth0 up\nroute add default via {}\n",
                host.address,
                router_address(*net)
            );
            ip_batch(&batch, Some(host))?;
            offloads_off(host, "eth0", &router_link(*net))?;
        }
        let client = hosts.pop().expect("the loop above adds the client last").1;
        Ok(Self { members: hosts.into_iter().map(|(_, host)| host).collect(), client })
    }
}

fn router_link(net: u8) -> String {
    format!("r{net}")
}

fn router_address(net: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, net, 1)
}

/// Runs `ip -batch` on `commands`, inside `host` or in the calling thread's namespace.
fn ip_batch(commands: &str, host: Option<&Host>) -> Result<()> {
    let not_there = || network_error("there is no `ip`; install iproute2".into());
    let mut ip = Command::new(crate::programs::find("ip").ok_or_else(not_there)?);
    ip.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    if let Some(host) = host {
        host.namespace.enter_on_exec(&mut ip);
    }
    let mut run = || -> std::io::Result<std::process::Output> {
        let mut child = ip.spawn()?;
        child.stdin.take().expect("stdin is piped").write_all(commands.as_bytes())?;
        child.wait_with_output()
    };
    let output = run().map_err(|error| network_error(format!("`ip` cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(network_error(format!("`ip` failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Switches offloads off at both ends of a link.
fn offloads_off(host: &Host, inner: &str, outer: &str) -> Result<()> {
    let failed = |error: std::io::Error| network_error(format!("offloads cannot be switched off: {error}"));
    // The links go with the sandbox, so nothing is ever switched back on.
    Offloads::off(outer).map_err(failed)?.stay_off();
    let (namespace, inner) = (host.namespace.clone(), inner.to_owned());
    std::thread::spawn(move || {
        namespace.enter()?;
        Offloads::off(&inner).map(Offloads::stay_off)
    })
    .join()
    .unwrap_or_else(|_| Err(std::io::Error::other("the thread panicked")))
    .map_err(failed)
}

fn network_error(problem: String) -> Error {
    Error::environment(format!("the sandbox's network cannot be built: {problem}"))
}
