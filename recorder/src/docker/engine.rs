//! Connecting to an engine, and what is known of it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum, SystemVersion};
use bollard::{API_DEFAULT_VERSION, Docker};

use super::calls::{CALL_TIMEOUT, Failure};
use crate::error::{Error, Result};

/// The oldest API that has all that is used here: that of engine 20.10.
const API_MIN: (u32, u32) = (1, 41);

/// The engine's usual socket.
const SOCKET: &str = "/var/run/docker.sock";

/// How long an engine may take to say what it is.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A Docker engine that answers.
#[derive(Clone)]
pub struct Engine {
    pub(super) docker: Docker,
    socket: String,
    version: SystemVersion,
    info: SystemInfo,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("socket", &self.socket).field("version", &self.version()).finish()
    }
}

/// Version of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupVersion {
    /// The older hierarchies.
    V1,
    /// The unified hierarchy.
    V2,
}

impl Engine {
    /// Connects to the engine that `DOCKER_HOST` names, else to this machine's, else to this user's own.
    ///
    /// # Errors
    /// [`Error::Environment`] that says what is wrong (none runs, no permission, too old, on another machine) and what
    /// to do.
    pub async fn connect() -> Result<Self> {
        let named = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        Self::connect_to(named.as_deref()).await
    }

    /// Connects to an engine by its address as `DOCKER_HOST` has it; `None` looks in the usual places.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_to(host: Option<&str>) -> Result<Self> {
        let path = match host {
            Some(host) => named_socket(host)?,
            None => usual_socket(),
        };
        try_socket(&path, host.is_some()).await?;
        let socket = format!("unix://{}", path.display());
        let docker = Docker::connect_with_unix(&socket, CALL_TIMEOUT.as_secs(), API_DEFAULT_VERSION)
            .map_err(|error| Error::environment(format!("{socket}: no connection to the Docker engine: {error}")))?;
        // Asked first and alone: an engine that is too old may answer nothing else in a way that can be understood.
        let version: SystemVersion = first_answer(&socket, docker.version()).await?;
        check_version(&socket, &version)?;
        let info = first_answer(&socket, docker.info()).await?;
        Ok(Self { docker, socket, version, info })
    }

    /// Where it is reached, as `DOCKER_HOST` has it.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// Its version, as `20.10.24`.
    pub fn version(&self) -> &str {
        self.version.version.as_deref().unwrap_or("unknown")
    }

    /// The newest API it speaks, as `1.41`.
    pub fn api_version(&self) -> &str {
        self.version.api_version.as_deref().unwrap_or("unknown")
    }

    /// Which control groups its containers are in; none when it does not say.
    pub fn cgroup_version(&self) -> Option<CgroupVersion> {
        match self.info.cgroup_version? {
            SystemInfoCgroupVersionEnum::_1 => Some(CgroupVersion::V1),
            SystemInfoCgroupVersionEnum::_2 => Some(CgroupVersion::V2),
            SystemInfoCgroupVersionEnum::EMPTY => None,
        }
    }

    /// Its kernel's release, as `uname -r` prints it.
    pub fn kernel(&self) -> &str {
        self.info.kernel_version.as_deref().unwrap_or("unknown")
    }

    /// The system it runs on.
    pub fn operating_system(&self) -> &str {
        self.info.operating_system.as_deref().unwrap_or("unknown")
    }

    /// How it stores images and containers, as `overlay2`.
    pub fn storage_driver(&self) -> &str {
        self.info.driver.as_deref().unwrap_or("unknown")
    }

    /// Whether it runs without root. Its networks are then not reachable from this machine's own: clients need
    /// published ports or a container.
    pub fn is_rootless(&self) -> bool {
        self.has_security_option("rootless")
    }

    /// Whether it confines containers by SELinux, which keeps them from files of this machine.
    pub(super) fn has_selinux(&self) -> bool {
        self.has_security_option("selinux")
    }

    /// Its processors' architecture, as `x86_64`.
    pub(super) fn architecture(&self) -> &str {
        self.info.architecture.as_deref().unwrap_or_default()
    }

    /// Says so when the engine's kernel is not this machine's, as with Docker Desktop, which runs it in a virtual
    /// machine: containers can then not be reached by address, nor files of this machine be lent to them.
    pub fn elsewhere(&self) -> Option<String> {
        let here = nix::sys::utsname::uname().ok()?;
        let here = here.release().to_string_lossy();
        (here != self.kernel()).then(|| {
            format!(
                "the Docker engine at {} runs on another kernel ({}) than this machine ({here}), probably in a virtual \
                 machine",
                self.socket,
                self.kernel()
            )
        })
    }

    fn has_security_option(&self, name: &str) -> bool {
        let wanted = format!("name={name}");
        let options = self.info.security_options.as_deref().unwrap_or_default();
        options.iter().any(|option| option.split(',').any(|part| part == wanted || part == name))
    }
}

/// The socket that `DOCKER_HOST` names.
fn named_socket(host: &str) -> Result<PathBuf> {
    match host.split_once("://") {
        Some(("unix", path)) => Ok(PathBuf::from(path)),
        Some(_) => Err(Error::environment(format!(
            "DOCKER_HOST={host}: the engine is reached over a network, but faults and clocks need an engine on this machine; \
             unset DOCKER_HOST, or name a socket of this machine (DOCKER_HOST=unix://{SOCKET})"
        ))),
        None => Err(Error::environment(format!(
            "DOCKER_HOST={host}: is not an address; name a socket of this machine (DOCKER_HOST=unix://{SOCKET})"
        ))),
    }
}

/// This machine's socket, or that of the engine that this user runs without root.
fn usual_socket() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("docker.sock"));
    let accepts = |path: &Path| std::os::unix::net::UnixStream::connect(path).is_ok();
    match own {
        Some(own) if !accepts(Path::new(SOCKET)) && accepts(&own) => own,
        _ => PathBuf::from(SOCKET),
    }
}

/// Connects once: what the system says is clearer than what a client makes of it.
async fn try_socket(path: &Path, named: bool) -> Result<()> {
    let place = format!("unix://{}", path.display());
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::UnixStream::connect(path)).await;
    let Ok(connected) = connecting else {
        return Err(Error::environment(format!("{place}: the Docker engine accepts no connection; restart it")));
    };
    let Err(error) = connected else { return Ok(()) };
    let other = "or use --cluster sandbox, which needs no Docker";
    Err(Error::environment(match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "{place}: this user may not use the Docker engine; add them to the group docker (sudo usermod -aG docker NAME, \
             then log in again), {other}"
        ),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory if named => format!(
            "DOCKER_HOST={place}: no Docker engine listens there ({error}); start it, unset DOCKER_HOST, {other}"
        ),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => format!(
            "{place}: no Docker engine runs here ({error}); start it (sudo systemctl start docker), install it (Debian, \
             Ubuntu: apt install docker.io), {other}"
        ),
        _ => format!("{place}: no connection to the Docker engine: {error}; name its socket with DOCKER_HOST, {other}"),
    }))
}

/// What the engine says first, when nothing is known of it yet.
async fn first_answer<T>(
    socket: &str,
    call: impl Future<Output = std::result::Result<T, bollard::errors::Error>>,
) -> Result<T> {
    let reason = match tokio::time::timeout(CONNECT_TIMEOUT, call).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => Failure::from(error).message().to_owned(),
        Err(_) => format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
    };
    Err(Error::environment(format!(
        "{socket}: what listens there does not answer as a Docker engine does ({reason}); restart the engine, or name its \
         socket with DOCKER_HOST"
    )))
}

fn check_version(socket: &str, version: &SystemVersion) -> Result<()> {
    let api = version.api_version.as_deref().unwrap_or_default();
    let parts = api.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    match parts {
        Some(parts) if parts >= API_MIN => Ok(()),
        _ => Err(Error::environment(format!(
            "{socket}: the Docker engine is too old: {} speaks API {}, and 20.10 with API {}.{} is the oldest that will do; \
             install a newer one, or use --cluster sandbox, which needs no Docker",
            version.version.as_deref().unwrap_or("it"),
            if api.is_empty() { "of no version" } else { api },
            API_MIN.0,
            API_MIN.1
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_of_other_machines_are_refused() {
        assert_eq!(named_socket("unix:///run/x.sock").unwrap(), Path::new("/run/x.sock"));
        for host in ["tcp://10.0.0.1:2375", "ssh://somebody@somewhere", "/run/docker.sock"] {
            let message = named_socket(host).unwrap_err().to_string();
            assert!(message.contains(host) && message.contains("unix:///"), "{message}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let check = |api: &str| {
            let version = SystemVersion { api_version: Some(api.into()), ..Default::default() };
            check_version("unix:///x", &version).is_ok()
        };
        assert!(check("1.41") && check("1.53") && check("2.0"));
        assert!(!check("1.40") && !check("1.9") && !check("") && !check("new"));
    }
}
