//! `recorder doctor`: what this machine can do, each thing tried for real, and for each "no" what to install or set.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::cluster::{etcd, sandbox};
use crate::docker::Engine;
use crate::docker::image::TOOLS_IMAGE;
use crate::error::{Result, exit_code};
use crate::faults::Mechanism;
use crate::{host, plan, programs, terminal};

/// Writes that are timed to learn what fsync costs.
const FSYNC_WRITES: usize = 50;
/// etcd's entries are small; a page is what reaches the disk.
const FSYNC_BYTES: usize = 4096;

/// How a thing stands.
enum Finding {
    /// It works; with what there is to know.
    Yes(String),
    /// It is missing, and without it nothing can be recorded; with what to do.
    Needed(String),
    /// It is missing, and something else does its work; with what to do to have it.
    Missing(String),
}

/// Prints every finding and returns the exit code: 0 when runs can be recorded here. Must be called while the process
/// has a single thread.
///
/// # Errors
/// None so far; what is missing is a finding.
pub fn examine(place: &Path) -> Result<u8> {
    let mut ready = true;
    let mut say = |what: &str, finding: Finding| ready &= print(what, &finding);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    say(
        "CPUs",
        match cores {
            1 => Finding::Missing("1; members, clients and recorder share it, so results say little".into()),
            cores => Finding::Yes(cores.to_string()),
        },
    );
    let (program, version) = (plan::etcd_of_environment(), plan::etcd_version_of_environment());
    say(
        "etcd",
        match etcd::Program::find(program.as_deref(), version.as_deref()) {
            Ok(program) => Finding::Yes(program.version),
            Err(error) => Finding::Needed(error.to_string()),
        },
    );
    say(
        "ip",
        match programs::find("ip") {
            Some(path) => Finding::Yes(path.display().to_string()),
            None => Finding::Needed("not found; install iproute2".into()),
        },
    );
    say("fsync", fsync(place));
    say(
        "cgroups",
        match Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            true => Finding::Yes("version 2".into()),
            false if Path::new("/proc/cgroups").exists() => Finding::Yes("version 1".into()),
            false => Finding::Missing("none".into()),
        },
    );
    say("seccomp", seccomp_notification());
    say(
        "Docker",
        match engine() {
            Ok(engine) => Finding::Yes(engine),
            Err(error) => Finding::Missing(format!("{error}; not needed, the sandbox does without")),
        },
    );
    // The rest is tried inside the sandbox; its exit code says whether everything needed works there.
    match sandbox::run_inside(examine_inside) {
        Ok(code) => ready &= code == 0,
        Err(error) => {
            print("namespaces", &Finding::Needed(error.to_string()));
            ready = false;
        }
    }
    terminal::data(if ready { "runs can be recorded here" } else { "runs cannot be recorded here yet" });
    Ok(if ready { 0 } else { exit_code::ENVIRONMENT })
}

/// What Docker engine there is, and whether it has the images that runs in containers need.
fn engine() -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| crate::error::Error::environment(error.to_string()))?;
    runtime.block_on(async {
        let engine = Engine::connect().await?;
        let tools = match engine.image_id(TOOLS_IMAGE).await? {
            Some(_) => "",
            None => "; its runs need the images that `make images` builds",
        };
        Ok(format!("engine {}{tools}", engine.version()))
    })
}

fn examine_inside() -> u8 {
    let mut ready = print("namespaces", &Finding::Yes("user, mount, pid and network".into()));
    let (netem, queue) = (Mechanism::Netem.try_here(), Mechanism::Queue.try_here());
    let has_other = |other: &Result<()>, does: &str, error: String| match other {
        Ok(()) => Finding::Missing(format!("{error}; not needed, {does} does its work")),
        Err(_) => Finding::Needed(error),
    };
    let finding = match &netem {
        Ok(()) => Finding::Yes("the kernel delays and drops packets itself".into()),
        Err(error) => has_other(&queue, "the queue shaper", error.to_string()),
    };
    ready &= print("netem", &finding);
    let finding = match &queue {
        Ok(()) => Finding::Yes("the queue shaper works".into()),
        Err(error) => has_other(&netem, "netem", error.to_string()),
    };
    ready &= print("NFQUEUE", &finding);
    u8::from(!ready)
}

/// Prints a finding; false when it keeps runs from being recorded.
fn print(what: &str, finding: &Finding) -> bool {
    let (mark, text) = match finding {
        Finding::Yes(text) => ("yes", text),
        Finding::Needed(text) => ("NO", text),
        Finding::Missing(text) => ("no", text),
    };
    terminal::data(format_args!("{what:<11} {mark:<4} {text}"));
    !matches!(finding, Finding::Needed(_))
}

/// What fsync costs where runs are recorded: the median of some small writes.
fn fsync(place: &Path) -> Finding {
    // The nearest folder that is there: nothing is made only to be measured.
    let place = std::path::absolute(place).unwrap_or_else(|_| place.to_path_buf());
    let place = place.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let measure = || -> std::io::Result<f64> {
        let path = place.join(format!(".fsync-{}", std::process::id()));
        let mut file = File::create_new(&path)?;
        let timed = (0..FSYNC_WRITES).map(|_| {
            let began = Instant::now();
            file.write_all(&[7; FSYNC_BYTES]).and_then(|()| file.sync_data())?;
            Ok(began.elapsed().as_secs_f64() * 1000.0)
        });
        let timed: std::io::Result<Vec<f64>> = timed.collect();
        std::fs::remove_file(&path)?;
        let mut times_ms = timed?;
        times_ms.sort_by(f64::total_cmp);
        Ok(times_ms[FSYNC_WRITES / 2])
    };
    let kind = host::file_system(place);
    match measure() {
        Ok(_) if kind == "tmpfs" => Finding::Missing(format!(
            "{} lies on a tmpfs, where it costs nothing; choose --dir on a disk",
            place.display()
        )),
        Ok(median_ms) => Finding::Yes(format!("{median_ms:.2} ms in the median, on {kind}")),
        Err(error) => Finding::Needed(format!("{}: {error}; choose another --dir", place.display())),
    }
}

/// Whether the kernel can hand system calls to a supervisor, which slow-disk faults will need.
fn seccomp_notification() -> Finding {
    const SECCOMP_GET_ACTION_AVAIL: libc::c_ulong = 2;
    const SECCOMP_RET_USER_NOTIF: u32 = 0x7fc0_0000;
    let action = SECCOMP_RET_USER_NOTIF;
    // SAFETY: the action lives through the call, which only reads it.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    if result == 0 {
        Finding::Yes("user notification".into())
    } else {
        Finding::Missing("no user notification; needs Linux 5.0 or later and CONFIG_SECCOMP_FILTER".into())
    }
}
