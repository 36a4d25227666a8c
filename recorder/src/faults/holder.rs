//! The recorder's side of the fault holder processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::Mechanism;
use super::placement::Site;
use super::protocol::{Report, Request};
use crate::cluster::Cluster;
use crate::cluster::network::Host;
use crate::error::{Error, Result};

/// How long a holder may take to heal and end: longer than netem may take to let everything go.
const HEAL_MAX: Duration = Duration::from_secs(15);
const HEAL_POLL: Duration = Duration::from_millis(2);

/// A fault holder that was started, and the way to talk to it. Dropping it closes its input, which heals whatever it
/// holds, and waits for it to end.
#[derive(Debug)]
pub struct Holder {
    connection: Connection,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Connection {
    /// To a child of ours.
    Child(Child),
    /// To a child of an outpost.
    Lent(UnixStream),
}

impl Holder {
    /// Starts a holder in a host's network namespace, or in the calling thread's.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub fn start(host: Option<&Host>) -> Result<Self> {
        // The running program itself, even when its file has been moved or replaced since.
        let mut holder = Command::new("/proc/self/exe");
        holder.arg0("recorder").arg("hold").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(host) = host {
            host.namespace.enter_on_exec(&mut holder);
        }
        let child = holder.spawn().map_err(cannot_start)?;
        Ok(Self { connection: Connection::Child(child), reader: None })
    }

    /// A holder that an outpost has started.
    pub fn lent(connection: UnixStream) -> Self {
        Self { connection: Connection::Lent(connection), reader: None }
    }

    /// Passes its reports on, from `site`; the last one says that it is gone.
    fn report_to(&mut self, site: Site, reports: mpsc::Sender<(Site, Report)>) -> Result<()> {
        let output: Box<dyn Read + Send> = match &mut self.connection {
            Connection::Child(child) => Box::new(child.stdout.take().expect("stdout is piped and taken once")),
            Connection::Lent(connection) => Box::new(connection.try_clone().map_err(cannot_start)?),
        };
        let pass_on = move || {
            for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
                let report = serde_json::from_str(&line)
                    .unwrap_or_else(|_| Report::Failed { message: format!("the holder said {line:?}") });
                if reports.blocking_send((site, report)).is_err() {
                    return;
                }
            }
            // An error means that nobody listens any more.
            let _ = reports.blocking_send((site, Report::Failed { message: "it ended unexpectedly".into() }));
        };
        self.reader =
            Some(std::thread::Builder::new().name("holder-reports".into()).spawn(pass_on).map_err(cannot_start)?);
        Ok(())
    }

    fn ask(&mut self, request: &Request) -> Result<()> {
        let line = serde_json::to_string(request).expect("requests have only string keys") + "\n";
        let written = match &mut self.connection {
            Connection::Child(child) => child.stdin.as_mut().map(|input| input.write_all(line.as_bytes())),
            Connection::Lent(connection) => Some(connection.write_all(line.as_bytes())),
        };
        match written {
            Some(Ok(())) => Ok(()),
            _ => Err(Error::run("a fault holder ended unexpectedly")),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        match &mut self.connection {
            Connection::Child(child) => child.stdin = None,
            Connection::Lent(connection) => {
                let _ = connection.shutdown(Shutdown::Write);
            }
        }
        // Its output closes when it has healed everything and ended. One that is stopped never does.
        let deadline = Instant::now() + HEAL_MAX;
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(HEAL_POLL);
        }
        match &mut self.connection {
            Connection::Child(child) => {
                // Nothing to do where it has ended.
                let _ = child.kill();
                let _ = child.wait();
            }
            Connection::Lent(connection) => {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn cannot_start(error: std::io::Error) -> Error {
    Error::run(format!("the fault holder cannot be started: {error}"))
}

/// The holders of a run, each at its site. Dropping them heals everything.
#[derive(Debug)]
pub struct Holders {
    // First, so that readers whose reports nobody takes any more come to their end.
    reports: mpsc::Receiver<(Site, Report)>,
    holders: Vec<(Site, Holder)>,
}

impl Holders {
    /// Starts a holder at each site and has it prepare what would disturb traffic later.
    ///
    /// # Errors
    /// [`Error::Run`] when one cannot be started or prepared.
    pub async fn start(sites: &[Site], mechanism: Mechanism, cluster: &Cluster) -> Result<Self> {
        // A holder says a handful of things in its life; the room is never filled.
        let (sender, reports) = mpsc::channel(16 * sites.len().max(1));
        let mut holders = Vec::new();
        for site in sites {
            let mut holder = cluster.holder(*site)?;
            holder.report_to(*site, sender.clone())?;
            holders.push((*site, holder));
        }
        let mut all = Self { reports, holders };
        for (site, holder) in &mut all.holders {
            if let (Mechanism::Netem, Site::Member(member)) = (mechanism, *site) {
                holder.ask(&Request::Prepare { mechanism, address: cluster.members[member].address() })?;
            } else {
                holder.ask(&Request::Prepare { mechanism, address: std::net::Ipv4Addr::UNSPECIFIED })?;
            }
        }
        for _ in sites {
            match all.report().await? {
                (_, Report::Prepared) => {}
                (site, Report::Failed { message }) => return Err(failed(site, &message, cluster)),
                (site, other) => return Err(failed(site, &format!("it said {other:?}"), cluster)),
            }
        }
        Ok(all)
    }

    /// The sites.
    pub fn sites(&self) -> Vec<Site> {
        self.holders.iter().map(|(site, _)| *site).collect()
    }

    /// Sends a request to the holder at a site.
    ///
    /// # Errors
    /// [`Error::Run`] when it is gone.
    pub fn ask(&mut self, site: Site, request: &Request) -> Result<()> {
        let holder = self.holders.iter_mut().find(|(at, _)| *at == site);
        holder.ok_or_else(|| Error::run("there is no fault holder at this place"))?.1.ask(request)
    }

    /// Waits for the next report of any of them.
    ///
    /// # Errors
    /// [`Error::Run`] when all are gone.
    pub async fn report(&mut self) -> Result<(Site, Report)> {
        self.reports.recv().await.ok_or_else(|| Error::run("the fault holders ended unexpectedly"))
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.reports.close();
        while self.reports.try_recv().is_ok() {}
    }
}

/// What a holder could not do.
pub fn failed(site: Site, problem: &str, cluster: &Cluster) -> Error {
    let place = match site {
        Site::Router => String::new(),
        Site::Member(member) => format!(" at {}", cluster.members[member].name),
        Site::Client => " at the clients".to_owned(),
    };
    Error::run(format!("fault holder{place}: {problem}"))
}
