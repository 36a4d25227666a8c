//! Facts about the machine that go into the manifest and the samples.

use std::fs;
use std::path::Path;

use run_folder::manifest::Host;

/// Reads the machine's facts; what cannot be read stays empty.
pub fn facts() -> Host {
    Host {
        kernel: nix::sys::utsname::uname()
            .map_or_else(|_| String::new(), |name| name.release().to_string_lossy().into()),
        cpu: field("/proc/cpuinfo", "model name"),
        cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        memory_bytes: field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0) * 1024,
        load_average: [load_average(); 2],
        steal_percent: 0.0,
    }
}

/// One-minute load average.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// CPU time of all CPUs since boot, in clock ticks: `(steal, total)`.
pub fn cpu_ticks() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<u64> =
        text.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal; guest time behind them is counted in user already.
    (ticks.get(7).copied().unwrap_or(0), ticks.iter().take(8).sum())
}

/// Seconds in clock ticks of `/proc/stat`.
pub fn ticks_to_s(ticks: u64) -> f64 {
    // The kernel reports these in USER_HZ, which is 100 on every architecture that Rust's std supports.
    ticks as f64 / 100.0
}

/// Type of the file system that `path` lies on, as in `ext4`; its magic number where the name is unknown.
pub fn file_system(path: &Path) -> String {
    use nix::sys::statfs;
    let Ok(stat) = statfs::statfs(path) else { return String::new() };
    let names = [
        (statfs::EXT4_SUPER_MAGIC, "ext4"),
        (statfs::XFS_SUPER_MAGIC, "xfs"),
        (statfs::BTRFS_SUPER_MAGIC, "btrfs"),
        (statfs::TMPFS_MAGIC, "tmpfs"),
        (statfs::OVERLAYFS_SUPER_MAGIC, "overlay"),
        (statfs::NFS_SUPER_MAGIC, "nfs"),
    ];
    let found = names.iter().find(|(magic, _)| *magic == stat.filesystem_type());
    found.map_or_else(|| format!("{:#x}", stat.filesystem_type().0), |(_, name)| (*name).to_owned())
}

/// CPU time of this process in user and system mode, in nanoseconds, and its resident memory in bytes.
pub fn own_usage() -> (u64, u64) {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID);
    let cpu_ns = time.map_or(0, |time| (time.tv_sec() * 1_000_000_000 + time.tv_nsec()).unsigned_abs());
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    let page_bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096);
    (cpu_ns, pages * page_bytes.unsigned_abs())
}

/// What the threads of one name have used since they were started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadTimes {
    /// Number of threads.
    pub threads: usize,
    /// Time in which they ran or waited for a CPU, all together.
    pub wanted_ns: u64,
}

/// The times of this process's threads called `name`; `None` when there are none, and where the kernel keeps no
/// statistics of its scheduler (`CONFIG_SCHED_INFO`).
pub fn thread_times(name: &str) -> Option<ThreadTimes> {
    let tasks = fs::read_dir("/proc/self/task").ok()?.filter_map(std::result::Result::ok);
    let mut times = ThreadTimes { threads: 0, wanted_ns: 0 };
    for task in tasks {
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if read("comm").trim_end() == name {
            times.threads += 1;
            times.wanted_ns += wanted_ns(&read("schedstat"))?;
        }
    }
    (times.threads > 0).then_some(times)
}

/// Time that a thread ran or waited for a CPU, from its `schedstat`: nanoseconds on a CPU, nanoseconds of waiting for
/// one, and time slices (Documentation/scheduler/sched-stats.rst).
fn wanted_ns(schedstat: &str) -> Option<u64> {
    let mut fields = schedstat.split_whitespace().map(|field| field.parse::<u64>().ok());
    Some(fields.next()?? + fields.next()??)
}

fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    line.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat_is_running_and_waiting() {
        assert_eq!(wanted_ns("1500 500 7\n"), Some(2_000));
        assert_eq!(wanted_ns(""), None);
        assert_eq!(wanted_ns("1500\n"), None);
    }

    #[test]
    fn a_thread_that_works_shows_and_one_that_sleeps_does_not() {
        let work = || {
            let began = std::time::Instant::now();
            while began.elapsed().as_millis() < 100 {
                std::hint::spin_loop();
            }
            thread_times("test-worker")
        };
        let worker = std::thread::Builder::new().name("test-worker".into()).spawn(work).unwrap();
        let Some(times) = worker.join().unwrap() else { return };
        assert_eq!(times.threads, 1);
        assert!(times.wanted_ns >= 90_000_000, "{times:?}");
        let sleep = || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            thread_times("test-sleeper")
        };
        let sleeper = std::thread::Builder::new().name("test-sleeper".into()).spawn(sleep).unwrap();
        let slept = sleeper.join().unwrap().expect("the worker had times");
        assert!(slept.wanted_ns < 90_000_000, "{slept:?}");
        assert_eq!(thread_times("nobody"), None);
    }
}
