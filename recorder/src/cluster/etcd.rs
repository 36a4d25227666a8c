//! The etcd program: finding it, its version, and its flags.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::network::Host;
use crate::error::{Error, Result};
use crate::programs;

/// Port on which members serve clients.
pub const CLIENT_PORT: u16 = 2379;
/// Port on which members serve each other.
pub const PEER_PORT: u16 = 2380;

/// Environment variables that members inherit.
const ENVIRONMENT_KEPT: [&str; 6] = ["PATH", "HOME", "TMPDIR", "ETCD_UNSUPPORTED_ARCH", "GOMAXPROCS", "GODEBUG"];

/// An etcd program of known version.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    /// As `etcd --version` prints it.
    pub version: String,
}

impl Program {
    /// Finds etcd: `asked`, else on PATH, of exactly the version `version_asked` where that is given.
    ///
    /// # Errors
    /// [`Error::Environment`] that says how to install etcd or where to put the binary.
    pub fn find(asked: Option<&Path>, version_asked: Option<&str>) -> Result<Self> {
        let path = match asked {
            Some(path) => path.canonicalize().ok().or_else(|| programs::find(path.to_str()?)).ok_or_else(|| {
                Error::environment(format!("--etcd or $ETCD: there is no program {}; name etcd's path", path.display()))
            })?,
            None => programs::find("etcd").ok_or_else(|| {
                Error::environment(
                    "no etcd on PATH; install it (Debian, Ubuntu: apt install etcd-server) or name it with --etcd or $ETCD",
                )
            })?,
        };
        let output = Command::new(&path).arg("--version").stdin(Stdio::null()).output();
        let output = output.map_err(|error| {
            Error::environment(format!("{}: cannot be run: {error}; name another etcd with --etcd", path.display()))
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.lines().find_map(|line| line.strip_prefix("etcd Version: ")).ok_or_else(|| {
            Error::environment(format!("{}: is not etcd; name etcd's path with --etcd", path.display()))
        })?;
        let version = version.trim().to_owned();
        match version_asked {
            Some(asked) if asked.trim_start_matches('v') != version => Err(Error::environment(format!(
                "{} is etcd {version}, but --etcd-version or $ETCD_VERSION asks for {asked}; put that version's binary anywhere and name it \
                 with --etcd or $ETCD",
                path.display()
            ))),
            _ => Ok(Self { path, version }),
        }
    }

    /// Flags of member `index` of a cluster on `hosts`; they are recorded in the manifest.
    pub fn flags(hosts: &[Host], index: usize, data_dir: &Path) -> Vec<String> {
        let host = &hosts[index].address;
        let initial_cluster: Vec<_> = hosts
            .iter()
            .enumerate()
            .map(|(index, host)| format!("{}=http://{}:{PEER_PORT}", member_name(index), host.address))
            .collect();
        vec![
            format!("--name={}", member_name(index)),
            format!("--data-dir={}", data_dir.display()),
            // Loopback is for the samplers: no fault slows it.
            format!("--listen-client-urls=http://{host}:{CLIENT_PORT},http://127.0.0.1:{CLIENT_PORT}"),
            format!("--advertise-client-urls=http://{host}:{CLIENT_PORT}"),
            format!("--listen-peer-urls=http://{host}:{PEER_PORT}"),
            format!("--initial-advertise-peer-urls=http://{host}:{PEER_PORT}"),
            format!("--initial-cluster={}", initial_cluster.join(",")),
            "--initial-cluster-state=new".into(),
            "--initial-cluster-token=laggard".into(),
            // A run of an hour at full speed writes more than the default quota of 2 GB.
            "--quota-backend-bytes=8589934592".into(),
            "--logger=zap".into(),
            "--log-level=warn".into(),
        ]
    }

    /// A command of this program in a clean environment.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        // Nothing of the caller's environment but what is known to be harmless: ETCD_NAME and the like would override
        // flags, and a proxy would come between the members.
        command.env_clear();
        for name in ENVIRONMENT_KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// Name of a member by index.
fn member_name(index: usize) -> String {
    super::member_name(index as u8)
}
