//! Containers that stay up: made by `recorder up`, or found.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use run_folder::spec::Backend;

use super::enter_failed;
use super::faults::{Action, AtPlace};
use crate::cli::kept::{DownCommand, ExecCommand, UpCommand};
use crate::cluster::action::{Condition, MemberAction};
use crate::cluster::containers::{self, clear_left_behind};
use crate::cluster::etcd::CLIENT_PORT;
use crate::cluster::member_status::{self, ClusterStatus, MemberStatusRow};
use crate::cluster::sockets::Sockets;
use crate::docker::{Claim, Engine, FoundCluster, MemberContainer, Naming, PublishPorts, SessionLabel, Status, UpSpec};
use crate::error::{Error, Result};
use crate::{signals, terminal};

/// How long members may take until all of them know a leader.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(100);
/// How long a member may take to end in good order before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(3);
/// How many of a container's last log lines an error quotes.
const LOG_LINES_QUOTED: usize = 5;
/// First port of the host that members are published on; a port that is taken is passed over.
const FIRST_PORT: u16 = 2379;

/// Starts containers that stay up, and returns the exit code.
///
/// # Errors
/// What keeps them from coming up; nothing is left then.
pub fn up(typed: &UpCommand) -> Result<u8> {
    let cluster = bring_up(typed, "up")?;
    terminal::line(format_args!("{} members in containers are up, made from {}", cluster.members.len(), cluster.image));
    for member in &cluster.members {
        let listener = member.published_client.unwrap_or_else(|| (member.address, CLIENT_PORT).into());
        terminal::data(format_args!("{}  http://{listener}", member.name));
    }
    terminal::line("they stay up until `recorder down`; --volumes removes their data too");
    Ok(0)
}

/// As [`up`], for a session of this name, without saying how to reach them.
///
/// # Errors
/// As [`up`].
pub(super) fn bring_up(typed: &UpCommand, session: &str) -> Result<FoundCluster> {
    if typed.etcd.is_some() || typed.data_dir.is_some() {
        return Err(Error::usage(
            "--etcd and --data-dir are about a sandbox; containers have --image, and volumes of their own",
        ));
    }
    super::block_on(async {
        let engine = Engine::connect().await?;
        clear_left_behind(&engine).await?;
        let naming = Naming::etcd();
        if let Some(found) = engine.find_cluster(&naming).await? {
            let names = found.naming.members(found.members.len() as u8);
            return Err(Error::usage(format!(
                "the containers {names} are up already; `recorder down` ends what it made"
            )));
        }
        let mut signals = signals::install()?;
        let spec = UpSpec {
            naming,
            nodes: typed.nodes,
            image: typed.image.clone(),
            publish: PublishPorts::From(FIRST_PORT),
            session: SessionLabel::of_this_process(session),
            kept: true,
        };
        // Not given up half way: what the engine is just making could not be told from what was there before.
        let cluster = engine.up(&spec).await?;
        if let Some(note) = &cluster.image_note {
            terminal::line(note);
        }
        let is_ready = tokio::select! {
            is_ready = ready(&engine, &cluster, typed) => is_ready,
            _ = signals.wait_for(Option::is_some) => Err(Error::Interrupted("interrupted; no cluster is up".into())),
        };
        if let Err(error) = is_ready {
            // What was there before, such as data, stays.
            engine.remove_made(&cluster).await?;
            return Err(error);
        }
        Ok(cluster)
    })
}

/// Waits until all members know a leader, and checks their version.
async fn ready(engine: &Engine, cluster: &FoundCluster, typed: &UpCommand) -> Result<()> {
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        let rows = rows(cluster).await;
        if rows.iter().all(|row| row.problem.is_none()) {
            let version = rows.iter().find_map(|row| row.version.clone()).unwrap_or_default();
            let asked = typed.etcd_version.clone().or_else(crate::plan::etcd_version_of_environment);
            return match asked {
                Some(asked) if asked.trim_start_matches('v') != version => Err(Error::environment(format!(
                    "{} is etcd {version}, but --etcd-version or $ETCD_VERSION asks for {asked}; name an image of that \
                     version with --image",
                    cluster.image
                ))),
                _ => Ok(()),
            };
        }
        if Instant::now() > deadline {
            let mut problem = format!("the cluster was not ready after {} s", READY_TIMEOUT.as_secs());
            for row in rows.iter().filter(|row| row.problem.is_some()) {
                let lines = engine.last_log_lines(&row.member, LOG_LINES_QUOTED).await;
                problem += &format!("\n{}: {}{lines}", row.member, row.problem.as_deref().unwrap_or_default());
            }
            return Err(Error::run(problem));
        }
        tokio::time::sleep(READY_POLL).await;
    }
}

/// Asks the containers how they are; `None` when there are none.
///
/// # Errors
/// When the engine does not answer.
pub async fn status() -> Result<Option<ClusterStatus>> {
    let time = chrono::Utc::now();
    let engine = Engine::connect().await?;
    let Some((cluster, idle)) = engine.find_members(&Naming::etcd()).await? else { return Ok(None) };
    let made_by_us = cluster.as_ref().map_or_else(|| idle[0].made_by_us, |cluster| cluster.made_by_us);
    let image = cluster.as_ref().map_or_else(|| &idle[0].image, |cluster| &cluster.image);
    let maker = if made_by_us { "by the recorder" } else { "not by the recorder" };
    let about = format!("containers of Docker engine {}, made from {image}, {maker}", engine.version());
    let mut members = match &cluster {
        Some(cluster) => rows(cluster).await,
        None => Vec::new(),
    };
    members.extend(idle.iter().map(|member| {
        let listener = member.published_client.map(|address| address.to_string());
        let problem = format!("its container {}", member.state);
        let condition = Some(condition_of(member.state.status));
        MemberStatusRow { listener, condition, ..MemberStatusRow::unreachable(&member.name, "-", problem) }
    }));
    members.sort_by(|one, other| one.member.cmp(&other.member));
    Ok(Some(ClusterStatus::new(time, Backend::Docker, about, members, &BTreeMap::new())))
}

/// Asks all members at once: one that does not answer takes no more time than the others.
async fn rows(cluster: &FoundCluster) -> Vec<MemberStatusRow> {
    let ask = |member: &MemberContainer| tokio::spawn(member_status::ask_by_any(reachable_at(member).collect()));
    let asked: Vec<_> = cluster.members.iter().map(ask).collect();
    let mut rows = Vec::new();
    for (asked, member) in asked.into_iter().zip(&cluster.members) {
        let answer = asked.await.unwrap_or_else(|error| Err(error.to_string()));
        let listener = member.published_client.map(|address| address.to_string());
        let row = MemberStatusRow::of(&member.name, (member.address, CLIENT_PORT).into(), answer);
        rows.push(MemberStatusRow { listener, condition: Some(Condition::Running), ..row });
    }
    rows
}

/// Does something to a member's container. What is started is not ready yet.
///
/// # Errors
/// [`Error::Usage`] for what makes no sense, [`Error::Environment`] when the engine refuses.
pub(super) async fn act(action: MemberAction, member: &str) -> Result<()> {
    let engine = Engine::connect().await?;
    let listed = engine.list(&Naming::etcd()).await?;
    let Some(found) = listed.iter().find(|listed| listed.name == member) else {
        return Err(Error::run(format!("there is no container {member} any more")));
    };
    let condition = condition_of(found.state.status);
    action.check(member, condition)?;
    match (action, condition) {
        (MemberAction::Kill, _) => engine.kill(member, "SIGKILL").await,
        (MemberAction::Pause, _) => engine.pause(member).await,
        (MemberAction::Resume, _) => engine.unpause(member).await,
        (MemberAction::Restart, Condition::Ended) => engine.start(member).await,
        (MemberAction::Restart, Condition::Running) => engine.restart(member, END_TIMEOUT).await,
        // What is held cannot end in good order.
        (MemberAction::Restart, Condition::Paused) => {
            engine.kill(member, "SIGKILL").await?;
            engine.start(member).await
        }
    }
}

fn condition_of(status: Status) -> Condition {
    match status {
        Status::Paused => Condition::Paused,
        Status::Running | Status::Restarting => Condition::Running,
        Status::Created | Status::Exited | Status::Removing | Status::Gone => Condition::Ended,
    }
}

/// Where the host may reach a member.
fn reachable_at(member: &MemberContainer) -> impl Iterator<Item = SocketAddr> {
    [Some((member.address, CLIENT_PORT).into()), member.published_client].into_iter().flatten()
}

/// Whether a recorder made the containers.
///
/// # Errors
/// When the engine does not answer.
pub fn are_made_by_recorder() -> Result<bool> {
    super::block_on(async {
        let listed = Engine::connect().await?.list(&Naming::etcd()).await?;
        Ok(!listed.is_empty() && listed.iter().all(|member| member.made_by_us))
    })
}

/// Removes the containers that `recorder up` made; `false` when there were none.
///
/// # Errors
/// When somebody else made them, or the engine refuses.
pub fn down(typed: &DownCommand) -> Result<bool> {
    super::block_on(async {
        let engine = Engine::connect().await?;
        let removed = engine.down(&Naming::etcd(), typed.volumes).await?;
        if removed.is_empty() {
            return Ok(false);
        }
        terminal::line(format_args!("removed {removed}"));
        Ok(true)
    })
}

/// Removes the containers that a recorder made, and with them their own data when a session of this name made them; `false` when there
/// were none.
///
/// # Errors
/// As [`down`].
pub(super) fn take_down(session: &str) -> Result<bool> {
    super::block_on(async {
        let (engine, naming) = (Engine::connect().await?, Naming::etcd());
        let listed = engine.list(&naming).await?;
        let is_of_session = !listed.is_empty() && listed.iter().all(|member| member.session() == Some(session));
        let removed = match is_of_session {
            true => engine.down_with_own_data(&naming).await?,
            false => engine.down(&naming, false).await?,
        };
        if !removed.is_empty() {
            terminal::line(format_args!("removed {removed}"));
        }
        Ok(!removed.is_empty())
    })
}

/// Keeps other recorders away from the containers, as far as some run, until the claim is released or this process is gone.
///
/// # Errors
/// When another recorder is using them.
pub async fn claim(session: &str) -> Result<Option<(Engine, Claim)>> {
    let engine = Engine::connect().await?;
    let Some((Some(cluster), _)) = engine.find_members(&Naming::etcd()).await? else { return Ok(None) };
    let claim = engine.claim(&cluster, &SessionLabel::of_this_process(session)).await?;
    Ok(Some((engine, claim)))
}

/// Shows or clears the faults in each member's network; `None` when there are no containers.
///
/// # Errors
/// When outposts cannot be sent there, or somebody is using the cluster.
pub(super) fn faults(action: Action) -> Result<Option<Vec<AtPlace>>> {
    super::block_on(async {
        let engine = Engine::connect().await?;
        clear_left_behind(&engine).await?;
        let Some((cluster, idle)) = engine.find_members(&Naming::etcd()).await? else { return Ok(None) };
        for member in &idle {
            terminal::line(format_args!(
                "container {} {}: it has no network, and so no fault",
                member.name, member.state
            ));
        }
        let Some(cluster) = cluster else { return Ok(Some(Vec::new())) };
        let session = SessionLabel::of_this_process("faults");
        // While a run is under way its faults are its own; looking at them disturbs nothing.
        let claim = match action {
            Action::Show => None,
            Action::Clear { .. } => Some(engine.claim(&cluster, &session).await?),
        };
        let folder = std::env::temp_dir().join(format!("laggard-faults-{}", std::process::id()));
        let done = match action {
            Action::Show => containers::show_faults_of(&engine, &cluster, &session, &folder).await,
            Action::Clear { all } => containers::clear_faults_of(&engine, &cluster, &session, &folder, all).await,
        };
        engine.remove_session(&session).await?;
        if let Some(claim) = claim {
            engine.release(claim).await?;
        }
        done.map(Some)
    })
}

/// Becomes a program of the host that finds the containers in its environment; `None` when there are none.
///
/// # Errors
/// For a place inside a container, and when the engine does not answer.
pub fn exec(typed: &ExecCommand) -> Result<Option<u8>> {
    let endpoints = super::block_on(async {
        let engine = Engine::connect().await?;
        let Some(cluster) = engine.find_cluster(&Naming::etcd()).await? else { return Ok(None) };
        let mut endpoints = Vec::new();
        for member in &cluster.members {
            for address in reachable_at(member) {
                if member_status::ask(&Sockets::Own, address).await.is_ok() {
                    endpoints.push(format!("http://{address}"));
                    break;
                }
            }
        }
        Ok(Some(endpoints))
    })?;
    let Some(endpoints) = endpoints else { return Ok(None) };
    if typed.at != "client" {
        return Err(Error::usage(format!(
            "--at {at}: to be inside a container, docker exec -it {at} PROGRAM",
            at = typed.at
        )));
    }
    let (program, arguments) = typed.program.split_first().expect("clap asks for one");
    let mut command = Command::new(program);
    command.args(arguments);
    super::name_endpoints(&mut command, arguments, &endpoints);
    let error = command.exec();
    Ok(Some(enter_failed(program, &error)))
}
