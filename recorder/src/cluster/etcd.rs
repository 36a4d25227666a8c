//! The etcd program: finding it, its version, and its processes.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::network::Host;
use crate::error::{Error, Result};
use crate::programs;

/// Port on which members serve clients.
pub const CLIENT_PORT: u16 = 2379;
/// Port on which members serve each other.
pub const PEER_PORT: u16 = 2380;

/// How many of a member's last log lines an error quotes.
const LOG_LINES_QUOTED: usize = 5;

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

    /// Starts a member inside its host's namespace.
    ///
    /// # Errors
    /// [`Error::Run`] when it cannot be started.
    pub fn start(&self, host: &Host, name: &str, flags: &[String], log: PathBuf) -> Result<Process> {
        let open = || -> std::io::Result<(File, File)> {
            let file = File::create(&log)?;
            Ok((file.try_clone()?, file))
        };
        let (out, err) =
            open().map_err(|error| Error::run(format!("{}: cannot write the member's log: {error}", log.display())))?;
        let mut command = Command::new(&self.path);
        // Nothing of the caller's environment but what is known to be harmless: ETCD_NAME and the like would override
        // flags, and a proxy would come between the members.
        command.env_clear();
        for name in ENVIRONMENT_KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.args(flags).stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        host.namespace.enter_on_exec(&mut command);
        let child = command
            .spawn()
            .map_err(|error| Error::run(format!("{name}: {} cannot be started: {error}", self.path.display())))?;
        Ok(Process { name: name.to_owned(), child, log })
    }
}

/// Name of a member by index.
fn member_name(index: usize) -> String {
    super::member_name(index as u8)
}

/// A running member; it is killed when the value is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// The member's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says how the member ended, when it has.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("{} ended ({status}){}", self.name, self.last_log_lines()))
    }

    /// The end of the member's log, for an error message.
    pub fn last_log_lines(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            return String::new();
        }
        let quoted = lines[lines.len().saturating_sub(LOG_LINES_QUOTED)..].join("\n  ");
        format!("; its log ends with:\n  {quoted}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its data is thrown away, so there is nothing to close in good order.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
