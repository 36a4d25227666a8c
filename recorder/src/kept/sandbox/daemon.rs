//! The part of a kept sandbox that runs inside, as its pid 1: the cluster, and the answers to commands.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use run_folder::spec::Backend;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use super::protocol::{Answer, Request};
use super::state::{State, StateFolder};
use super::{control, listeners};
use crate::cluster::action::{Condition, MemberAction};
use crate::cluster::member_status::{self, ClusterStatus, MemberStatusRow};
use crate::cluster::vantage::Vantage;
use crate::cluster::{Cluster, Member, etcd};
use crate::error::{Error, Result};
use crate::signals;

/// Pause after a command that could not be heard.
const PAUSE: Duration = Duration::from_secs(2);
/// Where clients are, as a place.
pub(super) const CLIENT: &str = "client";
/// Threads of the clients' place: people are few.
const CLIENT_THREADS: usize = 1;

/// What is kept up.
#[derive(Debug)]
pub(super) struct Keeping<'a> {
    /// The etcd to run.
    pub(super) program: &'a etcd::Program,
    /// Where commands find the sandbox.
    pub(super) folder: &'a StateFolder,
    /// What is known of it there.
    pub(super) state: &'a State,
}

/// Starts the cluster and keeps it until a signal or a command ends it. `starter` hears when it is ready, and ends the
/// start by going away.
///
/// # Errors
/// What keeps the cluster from coming up, or from being reached.
pub(super) fn keep(keeping: &Keeping<'_>, listeners: Vec<TcpListener>, starter: UnixStream) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::environment(format!("the runtime cannot be started: {error}")))?;
    runtime.block_on(async {
        let mut signals = signals::install()?;
        let failed = |error: io::Error| Error::environment(format!("the start cannot be told of: {error}"));
        starter.set_nonblocking(true).map_err(failed)?;
        let mut starter = tokio::net::UnixStream::from_std(starter).map_err(failed)?;
        let nodes = keeping.state.members.len() as u8;
        let cluster = tokio::select! {
            cluster = Cluster::up(keeping.program, nodes, &keeping.state.data, CLIENT_THREADS) => cluster?,
            signal = first_signal(&mut signals) => return Err(interrupted(&signal)),
            // It says nothing, so what comes is its end.
            _ = starter.read_u8() => return Err(interrupted("the end of `recorder up`")),
        };
        let _forwarding = listeners::forward(listeners, &cluster).await?;
        let (stop, mut stopped) = watch::channel(false);
        let served = Served { cluster: Arc::new(cluster), state: Arc::new(keeping.state.clone()), stop };
        keeping.folder.remove_control_socket();
        let control = tokio::net::UnixListener::bind(keeping.folder.control_socket())
            .map_err(|error| Error::environment(format!("commands cannot be heard: {error}")))?;
        starter.try_write(&[super::start::READY]).map_err(|_| interrupted("the end of `recorder up`"))?;
        drop(starter);
        tokio::select! {
            () = serve(control, served) => {}
            _ = first_signal(&mut signals) => {}
            // An error would mean that nobody can ask for the end any more.
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        Ok(())
    })
}

fn interrupted(by: &str) -> Error {
    Error::Interrupted(format!("interrupted by {by}; no cluster is up"))
}

async fn first_signal(signals: &mut watch::Receiver<Option<&'static str>>) -> String {
    match signals.wait_for(Option::is_some).await {
        Ok(signal) => signal.unwrap_or("a signal").to_owned(),
        Err(_) => std::future::pending().await,
    }
}

/// What commands ask about.
#[derive(Debug, Clone)]
struct Served {
    cluster: Arc<Cluster>,
    state: Arc<State>,
    stop: watch::Sender<bool>,
}

async fn serve(listener: tokio::net::UnixListener, served: Served) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(served.clone().answer(stream));
            }
            Err(error) => {
                crate::terminal::line(format_args!("a command cannot be heard: {error}"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Served {
    async fn answer(self, mut stream: tokio::net::UnixStream) {
        let Some(request) = control::request(&mut stream).await else { return };
        let refused = |error: Error| Answer::Refused { message: error.to_string(), code: error.code() };
        match request {
            Request::Status => {
                let answer = self.status().await.map_or_else(refused, Answer::Status);
                control::answer(&mut stream, &answer, &[]).await;
            }
            Request::Place { at } => match self.place(&at).await {
                Ok((answer, files)) => control::answer(&mut stream, &answer, &files).await,
                Err(error) => control::answer(&mut stream, &refused(error), &[]).await,
            },
            Request::Act { action, member } => {
                let answer = self.act(action, &member).await.map_or_else(refused, |()| Answer::Acted);
                control::answer(&mut stream, &answer, &[]).await;
            }
            Request::Stop => {
                let members = self.cluster.members.iter().map(|member| member.name.clone()).collect();
                let answer = Answer::Stopping { members, data: self.state.data.clone() };
                control::answer(&mut stream, &answer, &[]).await;
                self.stop.send_replace(true);
            }
        }
    }

    async fn act(&self, action: MemberAction, member: &str) -> Result<()> {
        let known = self.cluster.members.iter().position(|known| known.name == member);
        self.cluster.act(known.ok_or_else(|| Error::usage(format!("there is no member {member}")))?, action).await
    }

    async fn status(&self) -> Result<ClusterStatus> {
        let time = chrono::Utc::now();
        let standings = self.cluster.standings().unwrap_or_default();
        // Each from within its own namespace, so that no fault is in the way. One that cannot answer is not waited for.
        let ask = |(at, member): (usize, &Member)| {
            let can_answer = standings.get(at).is_none_or(|(condition, _)| *condition == Condition::Running);
            let (sockets, address) = (member.vantage.sockets().clone(), member.own_address);
            can_answer.then(|| member.vantage.spawn(async move { member_status::ask(&sockets, address).await }))
        };
        let asked: Vec<_> = self.cluster.members.iter().enumerate().map(ask).collect();
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(match asked {
                Some(asked) => asked.await.map_err(|error| Error::run(format!("a status request failed: {error}")))?,
                None => Err("it cannot answer".into()),
            });
        }
        // One may have ended meanwhile.
        let standings = self.cluster.standings().unwrap_or_default();
        let rows = self.cluster.members.iter().zip(answers).enumerate().map(|(at, (member, answer))| {
            let (condition, cause) = standings.get(at).cloned().map_or((None, None), |(is, cause)| (Some(is), cause));
            // That nobody answers is what it looks like; the cause is why.
            let answer = answer.map_err(|problem| cause.unwrap_or(problem));
            let listener = self.state.members.get(at).map(|listener| listener.address.to_string());
            let member_id = Some(member_status::hexadecimal(member.id));
            MemberStatusRow {
                listener,
                condition,
                member_id,
                ..MemberStatusRow::of(&member.name, member.client_address, answer)
            }
        });
        Ok(ClusterStatus::new(time, Backend::Sandbox, self.state.to_string(), rows.collect(), &BTreeMap::new()))
    }

    /// The namespaces of a place, as open files.
    async fn place(&self, at: &str) -> Result<(Answer, Vec<OwnedFd>)> {
        let members = &self.cluster.members;
        let vantage = if at == CLIENT {
            &self.cluster.client
        } else {
            members.iter().find(|member| member.name == at).map(|member| &member.vantage).ok_or_else(|| {
                let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
                Error::usage(format!("--at {at}: there is no such place; there are {CLIENT}, {}", names.join(", ")))
            })?
        };
        let files = namespaces(vantage).await?;
        Ok((Answer::Place { endpoints: members.iter().map(Member::client_url).collect() }, files))
    }
}

/// The user namespace and the network namespace of a place. A path names the one of the thread that opens it.
async fn namespaces(vantage: &Vantage) -> Result<Vec<OwnedFd>> {
    let open = |kind: &str| std::fs::File::open(format!("/proc/thread-self/ns/{kind}")).map(OwnedFd::from);
    let opened: io::Result<Vec<_>> =
        vantage.run(async move { ["user", "net"].into_iter().map(open).collect() }).await?;
    opened.map_err(|error| Error::run(format!("the place's namespaces cannot be opened: {error}")))
}
