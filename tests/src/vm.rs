//! The virtual machine with a kernel that has sch_netem: made, fed, watched and emptied by the host. The parts of it
//! are in `tests/vm`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::{binaries, workspace};

/// Room for what comes out of the machine; the file is sparse.
const RESULTS_BYTES: u64 = 2 << 30;

/// What a machine that has ended left behind.
#[derive(Debug)]
pub struct Ended {
    /// What was in its `/results`.
    pub results: PathBuf,
    /// Exit code of what ran in it.
    pub code: i32,
    /// How long it was up.
    pub took: Duration,
}

/// Why there can be no machine here, if that is so.
pub fn obstacle() -> Option<String> {
    if cfg!(not(target_arch = "x86_64")) {
        return Some("the virtual machine is made for x86_64".into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).collect();
    let is_missing = |program: &&&str| !folders.iter().any(|folder| folder.join(program).exists());
    let needed = ["qemu-system-x86_64", "apt-get", "dpkg-deb", "mkfs.ext4", "depmod", "setpriv", "flock"];
    let missing = needed.iter().find(is_missing)?;
    Some(format!("{missing} is missing, without which there is no virtual machine; `make needs-test` installs it"))
}

/// Boots the machine with the plan for `tests/vm/inside`, waits until it has ended, and unpacks what it left into
/// `place`, with the console's output in `console.log` beside. With `docker`, the images go in too.
///
/// # Errors
/// When the machine cannot be made, and with the end of the console when it does not end properly in time.
///
/// # Panics
/// When files of this test cannot be written.
pub fn run(plan: &str, docker: bool, place: &Path, timeout: Duration) -> Result<Ended, String> {
    let image = made_by(&mut Command::new(workspace().join("tests/vm/build")))?;
    let payload = payload(plan, docker, place)?;
    let results = place.join("results.tar");
    File::create(&results).and_then(|file| file.set_len(RESULTS_BYTES)).expect("room for results can be made");
    let began = Instant::now();
    let code = watch(&image, &payload, &results, &place.join("console.log"), timeout);
    fs::remove_file(&payload).expect("the payload is there");
    let unpacked = place.join("results");
    if code.is_ok() {
        fs::create_dir_all(&unpacked).expect("a folder for results can be made");
        done(Command::new("tar").args(["-x", "--no-same-owner", "-f"]).arg(&results).arg("-C").arg(&unpacked));
    }
    fs::remove_file(&results).expect("the results are there");
    code.map(|code| Ended { results: unpacked, code, took: began.elapsed() })
}

/// Says something that shows at once, whatever the test harness captures: minutes go by here.
pub fn tell(what: &str) {
    writeln!(std::io::stderr(), "{what}").ok();
}

fn payload(plan: &str, docker: bool, place: &Path) -> Result<PathBuf, String> {
    let content = place.join("payload");
    fs::create_dir_all(content.join("bin")).expect("a folder for the payload can be made");
    fs::copy(&binaries().recorder, content.join("bin/recorder")).expect("the recorder can be copied");
    fs::copy(workspace().join("tests/vm/inside"), content.join("run")).expect("what runs inside is there");
    fs::write(content.join("plan"), plan).expect("the plan can be written");
    if docker {
        let images = made_by(Command::new(workspace().join("tests/vm/images")).arg(&binaries().recorder))?;
        std::os::unix::fs::symlink(images, content.join("images.tar")).expect("a link can be made");
    }
    let payload = place.join("payload.tar");
    done(Command::new("tar").args(["-c", "--dereference", "-f"]).arg(&payload).arg("-C").arg(&content).arg("."));
    fs::remove_dir_all(&content).expect("the payload's folder is there");
    Ok(payload)
}

/// Copies the console into a file, shows its lines that begin with `vm:`, and returns the exit code in the last one.
fn watch(image: &Path, payload: &Path, results: &Path, console: &Path, timeout: Duration) -> Result<i32, String> {
    let mut machine = Command::new(workspace().join("tests/vm/boot"))
        .args([image, payload, results])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("tests/vm/boot can be started");
    let output = machine.stdout.take().expect("its output is a pipe");
    let (lines, received) = channel();
    let reader = std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            if lines.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                break;
            }
            line.clear();
        }
    });
    let deadline = Instant::now() + timeout;
    let mut all = Vec::new();
    let mut log = File::create(console).expect("the console's log can be made");
    let timed_out = loop {
        match received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                writeln!(log, "{line}").expect("the console's log can be written");
                if line.starts_with("vm: ") {
                    tell(&line);
                }
                all.push(line);
            }
            Err(RecvTimeoutError::Timeout) => break true,
            Err(RecvTimeoutError::Disconnected) => break false,
        }
    };
    if timed_out {
        machine.kill().expect("qemu can be killed");
    }
    let status = machine.wait().expect("qemu ends");
    drop(received);
    reader.join().expect("the reader ends");
    let code = all.iter().find_map(|line| line.strip_prefix("vm: ended with ")?.split(' ').next()?.parse().ok());
    code.filter(|_| !timed_out).ok_or_else(|| {
        let how = if timed_out { format!("has not ended within {timeout:?}") } else { format!("died ({status})") };
        let end = all[all.len().saturating_sub(30)..].join("\n");
        format!("the virtual machine {how}; its console is in {}, and ends with:\n{end}", console.display())
    })
}

/// The path that a program prints.
fn made_by(command: &mut Command) -> Result<PathBuf, String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{command:?} cannot be started: {error}"))?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    output.status.success().then_some(path).ok_or_else(|| format!("{command:?} failed, see above"))
}

fn done(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
