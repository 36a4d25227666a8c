//! Sending outposts: sidecars are started, and waited for until they report.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use run_folder::spec::ClientPlace;

use super::{CLIENT, LOG_LINES_QUOTED};
use crate::docker::image::TOOLS_IMAGE;
use crate::docker::sidecar::{RECORDER_INSIDE, SOCKET_DIR_INSIDE};
use crate::docker::{
    Capability, Engine, FoundCluster, Naming, Role, SessionLabel, Sidecar, SidecarNetwork, SidecarSpec,
};
use crate::error::{Error, Result};
use crate::outpost::{KEEP_OFFLOADS, Listener, Outpost, SOCKET};

/// How long containers may take to start and report.
const OUTPOSTS_TIMEOUT: Duration = Duration::from_secs(20);

/// What outposts are sent for.
pub(super) enum Purpose<'a> {
    /// To look after faults, and leave everything else as it is.
    Look,
    /// For a run with its clients at this place.
    Run(&'a ClientPlace),
}

pub(super) type Sent = (Vec<Arc<Outpost>>, Option<Arc<Outpost>>, Vec<Sidecar>);

/// Starts a sidecar beside each member, and a client's container where the clients are to have one, and waits for all to
/// report.
pub(super) async fn send_outposts(
    engine: &Engine,
    cluster: &FoundCluster,
    session: &SessionLabel,
    folder: &Path,
    purpose: &Purpose<'_>,
) -> Result<Sent> {
    let listener = listen(folder)?;
    let mut names = Vec::new();
    let mut starting = Vec::new();
    let mut start = |name: &str, role, network| -> Result<()> {
        let spec = spec(&cluster.naming, session, role, network, folder, name, matches!(purpose, Purpose::Look))?;
        names.push(name.to_owned());
        starting.push(async move { engine.start_sidecar(&spec).await });
        Ok(())
    };
    for member in &cluster.members {
        start(&member.name, Role::Sidecar, SidecarNetwork::Of(member.id.clone()))?;
    }
    let has_client = matches!(purpose, Purpose::Run(ClientPlace::Own));
    if has_client {
        start(CLIENT, Role::Client, SidecarNetwork::On(cluster.network_id.clone()))?;
    }
    // Side by side: most of it is waiting for the engine.
    let sidecars = futures_all(starting).await?;
    let (outposts, sidecars) = expect(engine, listener, &names, sidecars).await?;
    let mut outposts: Vec<_> = outposts.into_iter().map(Arc::new).collect();
    let client = if has_client { outposts.pop() } else { None };
    Ok((outposts, client, sidecars))
}

/// Waits for all of them at once; the first error, once all are done.
async fn futures_all<T>(all: Vec<impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    let mut waiting: Vec<_> = all.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_ready = true;
        for (one, done) in &mut waiting {
            if done.is_none() {
                match one.as_mut().poll(context) {
                    std::task::Poll::Ready(result) => *done = Some(result),
                    std::task::Poll::Pending => is_ready = false,
                }
            }
        }
        if is_ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

pub(super) fn listen(folder: &Path) -> Result<Listener> {
    let listener = Listener::open(folder)?;
    // A sidecar's root is an ordinary user here, but in this folder's group.
    let modes = [(folder.to_path_buf(), 0o770), (folder.join(SOCKET), 0o660)];
    for (path, mode) in modes {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
            .map_err(|error| Error::run(format!("{}: {error}", path.display())))?;
    }
    Ok(listener)
}

/// Waits for outposts without holding up what listens to their containers, and checks that they are who they say.
pub(super) async fn expect(
    engine: &Engine,
    listener: Listener,
    names: &[String],
    mut sidecars: Vec<Sidecar>,
) -> Result<(Vec<Outpost>, Vec<Sidecar>)> {
    let awaited = names.to_vec();
    let waiting = tokio::task::spawn_blocking(move || listener.expect(&awaited, OUTPOSTS_TIMEOUT));
    let come = match waiting.await.map_err(|error| Error::run(format!("a task of the recorder failed: {error}")))? {
        Ok(come) => come,
        Err(Error::Run(problem)) => {
            let mut said = String::new();
            for sidecar in &mut sidecars {
                said += &sidecar.last_words(LOG_LINES_QUOTED).await;
            }
            return Err(Error::Run(format!("{problem}{said}")));
        }
        Err(error) => return Err(error),
    };
    let mut outposts = Vec::new();
    for (((outpost, process), sidecar), name) in come.into_iter().zip(&sidecars).zip(names) {
        // The socket's folder is open to a group, in which others may be.
        if engine.state(&sidecar.id).await?.pid != Some(process) {
            return Err(Error::run(format!("process {process} says that it is the outpost at {name}, and is not")));
        }
        outposts.push(outpost);
    }
    Ok((outposts, sidecars))
}

pub(super) fn spec(
    naming: &Naming,
    session: &SessionLabel,
    role: Role,
    network: SidecarNetwork,
    folder: &Path,
    name: &str,
    keep_offloads: bool,
) -> Result<SidecarSpec> {
    let executable = std::env::current_exe().ok().filter(|path| path.is_file()).ok_or_else(|| {
        Error::environment("the recorder's own program file is not there any more; was it built anew meanwhile?")
    })?;
    let folder = folder.canonicalize().map_err(|error| Error::run(format!("{}: {error}", folder.display())))?;
    let command = [RECORDER_INSIDE, "outpost", SOCKET_DIR_INSIDE, name].into_iter();
    let command = command.chain(keep_offloads.then_some(KEEP_OFFLOADS));
    Ok(SidecarSpec {
        session: session.clone(),
        cluster: naming.clone(),
        role,
        network,
        capabilities: vec![Capability::NetAdmin, Capability::NetRaw],
        executable,
        socket_dir: Some(folder),
        command: command.map(str::to_owned).collect(),
        image: TOOLS_IMAGE.to_owned(),
    })
}
