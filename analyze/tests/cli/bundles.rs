//! Bundles: written, opened in the place of a folder, and refused when anything about them is wrong.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, TimeDelta};
use run_folder::synthetic::{self, SweepShape};
use run_folder::{RunFolder, Status, SweepManifest};
use sha2::{Digest, Sha256};

use crate::planted::{MS, plant, put, slow_middle};

/// Results, a bundle of them, and a place of their own for temporary files.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// A sweep of delays in the middle and all the time, twice, with baselines and controls.
    fn with_sweep() -> Self {
        let place = Self::empty();
        let id = "20270115_080000_slow";
        let shape = SweepShape {
            id: id.to_owned(),
            only: "delay10".to_owned(),
            has_full: true,
            repeats: 2,
            seconds: 3,
            rate_per_s: 200,
            seed: 1,
        };
        let mut now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let mut sweep = SweepManifest::new(&place.results(), "slow".parse().expect("a label"), now);
        fs::create_dir_all(place.results().join("sweeps")).expect("a folder");
        sweep.ended_unix_ns = Some(sweep.started_unix_ns + 1);
        sweep.write(&place.results()).expect("a sweep");
        for run in synthetic::planned(&shape) {
            synthetic::write_planned(&place.results(), &run, now).expect("a run");
            now += TimeDelta::minutes(1);
        }
        place
    }

    /// Two runs.
    fn with_two_runs() -> Self {
        let place = Self::empty();
        let baseline: Vec<_> = (0..3000).map(|at| put(at * 10 * MS, 2 * MS)).collect();
        plant(&place.results(), "baseline", &baseline, false, |_| {});
        plant(&place.results(), "delay20_mid", &slow_middle(), true, |_| {});
        place
    }

    fn empty() -> Self {
        let place = Self { dir: tempfile::tempdir().expect("a folder") };
        fs::create_dir(place.results()).expect("a folder");
        fs::create_dir(place.temporary()).expect("a folder");
        place
    }

    fn results(&self) -> PathBuf {
        self.dir.path().join("results")
    }

    fn temporary(&self) -> PathBuf {
        self.dir.path().join("tmp")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs the program; gives exit code, standard output and standard error. It must leave no temporary file.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_analyze"));
        let output = command.args(args).current_dir(self.dir.path()).env("TMPDIR", self.temporary()).output();
        let output = output.expect("the program");
        let left = fs::read_dir(self.temporary()).expect("a folder").count();
        assert_eq!(left, 0, "{args:?} left something behind");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
    }

    /// Bundles what `args` select.
    fn bundle(&self, args: &[&str], file: &str) -> (String, String) {
        let (code, out, err) = self.run(&[&["bundle", "--dir", "results", "-o", file], args].concat());
        assert_eq!(code, 0, "{err}");
        (out, err)
    }

    /// What is said of a file that is no good. Nothing may be used of it.
    fn refusal(&self, file: &str) -> String {
        let (code, out, err) = self.run(&["summary", "--dir", file, "--format", "csv"]);
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
        let (verified, out, said) = self.run(&["bundle", "--verify", file]);
        assert_eq!((verified, out.as_str(), said), (1, "", err.clone()));
        let message = err.strip_prefix(&format!("error: {file}: ")).unwrap_or_else(|| panic!("{err}")).to_owned();
        assert_eq!(message.lines().count(), 1, "{message}");
        message
    }
}

/// The entries of a bundle, in their order.
fn entries(bundle: &Path) -> Vec<(String, Vec<u8>)> {
    let file = fs::File::open(bundle).expect("a file");
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).expect("zstd"));
    let entries = archive.entries().expect("tar");
    let read = |mut entry: tar::Entry<'_, _>| {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("an entry");
        (entry.path().expect("a path").to_str().expect("text").to_owned(), bytes)
    };
    entries.map(|entry| read(entry.expect("an entry"))).collect()
}

/// Writes an archive with these entries; names are put down as they are, whatever is in them.
fn archive(file: &Path, entries: &[(String, Vec<u8>)], kind: impl Fn(usize) -> tar::EntryType) {
    let mut builder = tar::Builder::new(Vec::new());
    for (at, (path, bytes)) in entries.iter().enumerate() {
        let mut header = tar::Header::new_ustar();
        // As `prefix/name`, where it is too long for the name alone.
        let (prefix, name) = match path.len() {
            0..=100 => ("", path.as_str()),
            _ => path.rsplit_once('/').expect("a path"),
        };
        let ustar = header.as_ustar_mut().expect("ustar");
        ustar.name[..name.len()].copy_from_slice(name.as_bytes());
        ustar.prefix[..prefix.len()].copy_from_slice(prefix.as_bytes());
        header.set_entry_type(kind(at));
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, bytes.as_slice()).expect("an entry");
    }
    let tar = builder.into_inner().expect("an archive");
    fs::write(file, zstd::encode_all(tar.as_slice(), 1).expect("zstd")).expect("a file");
}

fn regular(_: usize) -> tar::EntryType {
    tar::EntryType::Regular
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `bundle.json` and `SHA256SUMS` for the other entries, so that nothing but what a test changes is wrong.
fn relisted(mut entries: Vec<(String, Vec<u8>)>, edit: impl FnOnce(&mut serde_json::Value)) -> Vec<(String, Vec<u8>)> {
    let mut json: serde_json::Value = serde_json::from_slice(&entries[0].1).expect("json");
    let relative = |path: &str| path.strip_prefix("laggard-bundle/").unwrap_or(path).to_owned();
    json["files"] = entries[2..]
        .iter()
        .map(|(path, bytes)| {
            serde_json::json!({ "path": relative(path), "size_bytes": bytes.len(), "sha256": sha256(bytes) })
        })
        .collect();
    edit(&mut json);
    entries[0].1 = serde_json::to_vec(&json).expect("json");
    let sums =
        json["files"].as_array().expect("an array").iter().map(|file| {
            format!("{}  {}\n", file["sha256"].as_str().expect("text"), file["path"].as_str().expect("text"))
        });
    let own = format!("{}  bundle.json\n", sha256(&entries[0].1));
    entries[1].1 = std::iter::once(own).chain(sums).collect::<String>().into_bytes();
    entries
}

#[test]
fn every_table_of_a_bundle_is_that_of_the_folder() {
    let place = Place::with_sweep();
    place.bundle(&[], "all.tar.zst");
    for args in [
        &["summary"][..],
        &["delta", "--by", "label"],
        &["delta", "--by", "run"],
        &["throughput"],
        &["cdf", "--pattern", "delay10_mid"],
        &["list"],
        &["check"],
        &["recovery"],
        &["delta", "--sweep", "latest", "--pattern", "delay*"],
    ] {
        let of = |dir: &str| place.run(&[args, &["--format", "csv", "--dir", dir]].concat());
        let folder = of("results");
        // Made-up runs do not pass every check.
        assert!(folder.0 == 0 || args == ["check"] && folder.0 >= 4, "{args:?}: {}", folder.2);
        assert!(folder.1.lines().count() > 1, "{args:?}");
        assert_eq!(of("all.tar.zst"), folder, "{args:?}");
    }
}

#[test]
fn what_a_pattern_takes_is_compared_with_what_came_along() {
    let place = Place::with_sweep();
    let (out, err) = place.bundle(&["--pattern", "delay10_full"], "full.tar.zst");
    assert_eq!(out, "full.tar.zst\n");
    assert!(err.contains("of them to compare with), ") && err.contains(" bytes, sha256 "), "{err}");
    let delta = |dir| place.run(&["delta", "--pattern", "delay10_full", "--format", "csv", "--dir", dir]);
    let folder = delta("results");
    // Full runs have nothing but baselines to be compared with.
    assert!(folder.1.contains("delay10_full"), "{}", folder.1);
    assert_eq!(delta("full.tar.zst"), folder);

    let json = entries(&place.path("full.tar.zst")).remove(0).1;
    let json: serde_json::Value = serde_json::from_slice(&json).expect("json");
    let runs = json["runs"].as_array().expect("runs");
    let of_reason = |reason: &str| runs.iter().filter(|run| run["reason"] == reason).count();
    assert_eq!(of_reason("selected"), 2);
    assert!(of_reason("compared") > 0 && of_reason("selected") + of_reason("compared") == runs.len());
    assert!(!json.to_string().contains("delay10_mid"), "runs that nothing is compared with have no place in it");
}

#[test]
fn the_same_recordings_make_the_same_bytes() {
    let place = Place::with_two_runs();
    place.bundle(&[], "a.tar.zst");
    // The copy has other times, and another order in its folders.
    let names = RunFolder::list(&place.results()).expect("runs");
    for run in names.iter().rev() {
        let copy = place.path("copy").join(run.name());
        fs::create_dir_all(&copy).expect("a folder");
        let mut files: Vec<_> = fs::read_dir(run.dir()).expect("a folder").flatten().map(|file| file.path()).collect();
        files.sort_by(|a, b| b.cmp(a));
        for file in files {
            fs::copy(&file, copy.join(file.file_name().expect("a name"))).expect("a copy");
        }
    }
    let (code, ..) = place.run(&["bundle", "--dir", "copy", "--output", "b.tar.zst"]);
    assert_eq!(code, 0);
    assert_eq!(fs::read(place.path("a.tar.zst")).expect("a"), fs::read(place.path("b.tar.zst")).expect("b"));
}

#[test]
fn the_report_can_be_left_out() {
    let place = Place::with_two_runs();
    place.bundle(&[], "with.tar.zst");
    let (_, err) = place.bundle(&["--no-report"], "without.tar.zst");
    assert!(err.contains("report.html: asked for without"), "{err}");
    let has_report = |file: &str| entries(&place.path(file)).iter().any(|(name, _)| name.ends_with("report.html"));
    assert_eq!((has_report("with.tar.zst"), has_report("without.tar.zst")), (true, false));
    let (code, out, _) = place.run(&["bundle", "--verify", "without.tar.zst"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("without.tar.zst: whole: 2 runs, 20 files, "), "{out}");
}

#[test]
fn it_can_be_opened_without_this_program() {
    let place = Place::with_two_runs();
    place.bundle(&[], "all.tar.zst");
    let bundle = fs::File::open(place.path("all.tar.zst")).expect("a file");
    tar::Archive::new(zstd::Decoder::new(bundle).expect("zstd")).unpack(place.path("")).expect("tar");
    let top = place.path("laggard-bundle");
    let sums = Command::new("sha256sum").args(["--strict", "-c", "SHA256SUMS"]).current_dir(&top).output();
    let sums = sums.expect("sha256sum runs");
    let said = String::from_utf8(sums.stdout).expect("text");
    assert!(sums.status.success(), "{said}");
    let files = fs::read_to_string(top.join("bundle.json")).expect("a file").matches("\"size_bytes\"").count();
    assert_eq!(said.matches(": OK\n").count(), files + 1);
    // Of the bundle comes the report that is in it.
    assert_eq!(place.run(&["report", "--dir", "all.tar.zst"]).1.trim(), "reports/all.html");
    let again = fs::read_to_string(place.path("reports/all.html")).expect("a file");
    assert_eq!(again, fs::read_to_string(top.join("report.html")).expect("a file"));
    // In there the runs are found as if they had been recorded there.
    let mut command = Command::new(env!("CARGO_BIN_EXE_analyze"));
    let listed = command.arg("list").current_dir(&top).output().expect("the program");
    assert_eq!(String::from_utf8(listed.stdout).expect("text"), place.run(&["list", "--dir", "results"]).1);
    let readme = fs::read_to_string(top.join("README.txt")).expect("a file");
    assert!(readme.contains("sha256sum -c SHA256SUMS") && readme.contains("20270115_080000_baseline"), "{readme}");
    let report = fs::read_to_string(top.join("report.html")).expect("a file");
    assert!(report.contains("20270115_080500_delay20_mid") && report.contains("<svg"), "the report is in it");
    let here = place.dir.path().to_str().expect("text");
    assert!(!report.contains(here), "paths of this machine have no place in a bundle");
    let environment = fs::read_to_string(top.join("environment.json")).expect("a file");
    assert!(environment.contains("6.1.0-synthetic"), "{environment}");
}

#[test]
fn what_does_not_belong_is_left_out_and_named() {
    let place = Place::with_two_runs();
    let runs = RunFolder::list(&place.results()).expect("runs");
    fs::write(runs[0].dir().join("notes.txt"), "mine").expect("a file");
    fs::remove_file(runs[1].summary_txt()).expect("a file");
    let failed = plant(&place.results(), "loss5_mid", &slow_middle(), true, |manifest| {
        manifest.status = Status::Failed { reason: "a member died".to_owned(), recovered: false };
    });
    let running =
        plant(&place.results(), "loss9_mid", &slow_middle(), true, |manifest| manifest.status = Status::Running);
    let (_, err) = place.bundle(&[], "all.tar.zst");
    for expected in [
        "left out 20270115_080000_baseline/notes.txt: is no part of a recording".to_owned(),
        "left out 20270115_080500_delay20_mid/summary.txt: is not there".to_owned(),
        format!("left out {}: failed: a member died", failed.name()),
        format!("left out {}: unfinished", running.name()),
    ] {
        assert!(err.contains(&expected), "{expected} is not in {err}");
    }
    let (_, err) = place.bundle(&["--include-failed"], "more.tar.zst");
    assert!(!err.contains("a member died") && err.contains("unfinished"), "{err}");
    let (_, listed, _) = place.run(&["list", "--dir", "more.tar.zst"]);
    assert!(listed.contains("loss5_mid") && !listed.contains("loss9_mid"), "{listed}");
    let json = String::from_utf8(entries(&place.path("more.tar.zst")).remove(0).1).expect("text");
    let here = place.dir.path().to_str().expect("text");
    assert!(!json.contains(here), "paths of this machine have no place in a bundle: {json}");
}

#[test]
fn a_file_that_is_there_is_replaced_on_request_only() {
    let place = Place::with_two_runs();
    fs::write(place.path("paper.tar.zst"), "dear to me").expect("a file");
    let (code, _, err) = place.run(&["bundle", "--dir", "results", "-o", "paper.tar.zst"]);
    assert_eq!(code, 2);
    assert!(err.contains("--output paper.tar.zst: is there already") && err.contains("--force"), "{err}");
    assert_eq!(fs::read(place.path("paper.tar.zst")).expect("a file"), b"dear to me");
    place.bundle(&["--force"], "paper.tar.zst");
    let (code, out, _) = place.run(&["bundle", "--verify", "paper.tar.zst"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("paper.tar.zst: whole: 2 runs, 21 files, "), "{out}");
    let (code, _, err) = place.run(&["bundle", "--dir", "results", "-o", "nowhere/paper.tar.zst"]);
    assert_eq!(code, 1);
    assert!(err.contains("nowhere/paper.tar.zst: cannot write the result"), "{err}");
    // A recording that turns out to be damaged while it is read leaves no file.
    let names: Vec<_> =
        fs::read_dir(place.dir.path()).expect("a folder").flatten().map(|file| file.file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn runs_of_a_bundle_have_names() {
    let place = Place::with_two_runs();
    place.bundle(&["20270115_080500_delay20_mid"], "one.tar.zst");
    place.bundle(&[], "all.tar.zst");
    let baseline = "20270115_080000_baseline";
    let compare = |a: &str, b: &str| place.run(&["compare", a, b, "--dir", "results", "--format", "csv"]);
    let (code, expected, err) = compare("20270115_080500_delay20_mid", baseline);
    assert_eq!(code, 0, "{err}");
    for (a, b) in [
        ("all.tar.zst:20270115_080500_delay20_mid", "all.tar.zst:20270115_080000_baseline"),
        ("all.tar.zst:20270115_080500_delay20_mid", baseline),
    ] {
        assert_eq!(compare(a, b).1, expected, "{a} {b}");
    }
    // Without a name it is all its runs.
    let (code, out, err) = compare("all.tar.zst", baseline);
    assert!(code == 0 && out.contains("all.tar.zst"), "{code} {out} {err}");
    let (code, _, err) = compare("all.tar.zst:20270115_080000_base", baseline);
    assert_eq!(code, 3);
    assert!(err.contains("in all.tar.zst; the nearest are 20270115_080000_baseline"), "{err}");
    let timeline = |args: &[&str]| place.run(&[&["diagram", "--type", "timeline", "--format", "ascii"], args].concat());
    let of_folder = timeline(&["--dir", "results", "--run", baseline]);
    assert_eq!(of_folder.0, 0, "{}", of_folder.2);
    assert_eq!(timeline(&["--dir", "all.tar.zst", "--run", baseline]), of_folder);
    assert_eq!(timeline(&["--run", "all.tar.zst:20270115_080000_baseline"]), of_folder);

    let (code, out, err) = place.run(&["plot", "--dir", "all.tar.zst", "--pattern", "delay*"]);
    assert_eq!((code, out.trim()), (0, "plots/throughput_all_delay.svg"), "{err}");
    assert!(place.path("plots/throughput_all_delay.svg").exists());
}

#[test]
fn no_byte_can_be_changed_unseen_and_none_can_be_missing() {
    let place = Place::with_two_runs();
    place.bundle(&[], "good.tar.zst");
    let good = fs::read(place.path("good.tar.zst")).expect("a file");
    for part in 1..8 {
        let mut bytes = good.clone();
        bytes[good.len() * part / 8] ^= 0x10;
        fs::write(place.path("bad.tar.zst"), bytes).expect("a file");
        let message = place.refusal("bad.tar.zst");
        assert!(message.contains("damaged") || message.contains("checksum") || message.contains("cut"), "{message}");
    }
    for length in [5, 100, good.len() / 2, good.len() - 1] {
        fs::write(place.path("bad.tar.zst"), &good[..length]).expect("a file");
        let message = place.refusal("bad.tar.zst");
        assert!(message.starts_with("is cut short"), "{length} bytes: {message}");
    }
    for (bytes, expected) in [
        (&b""[..], "is no bundle"),
        (b"PK\x03\x04 is not zstd", "is no bundle"),
        (&[&good[..], b"and more"].concat(), "is damaged"),
        (&[&good[..], &good[..]].concat(), "refused: something follows its end"),
    ] {
        fs::write(place.path("bad.tar.zst"), bytes).expect("a file");
        let message = place.refusal("bad.tar.zst");
        assert!(message.starts_with(expected), "{message}");
    }
    // A file whose bytes were changed with care, so that neither zstd nor tar can see it.
    let mut changed = entries(&place.path("good.tar.zst"));
    let at = changed.iter().position(|(path, _)| path.ends_with("operations.parquet")).expect("operations");
    let middle = changed[at].1.len() / 2;
    changed[at].1[middle] ^= 1;
    archive(&place.path("bad.tar.zst"), &changed, regular);
    let message = place.refusal("bad.tar.zst");
    assert!(message.contains("operations.parquet does not have the checksum in bundle.json"), "{message}");
}

#[test]
fn archives_that_mean_harm_are_refused() {
    let place = Place::with_two_runs();
    place.bundle(&[], "good.tar.zst");
    let good = entries(&place.path("good.tar.zst"));
    let bad = place.path("bad.tar.zst");
    archive(&bad, &relisted(good.clone(), |_| {}), regular);
    let (code, _, err) = place.run(&["bundle", "--verify", "bad.tar.zst"]);
    assert_eq!(code, 0, "what the test writes must be good by itself: {err}");
    let check = |entries: &[(String, Vec<u8>)], expected: &str| {
        archive(&bad, entries, regular);
        let message = place.refusal("bad.tar.zst");
        assert!(message.contains(expected), "{expected:?} is not in {message:?}");
    };

    // Paths, in the archive alone and in the list too.
    for (path, expected) in [
        ("/etc/laggard", "has an absolute path"),
        ("laggard-bundle/../../escaped", "has a path that leaves its folder"),
        ("laggard-bundle/etcd_bench_results/../escaped", "has a path that leaves its folder"),
        ("laggard-bundle//escaped", "has an absolute path"),
        ("laggard-bundle/C:\\escaped", "has an absolute path"),
        ("laggard-bundle/etcd_bench_results/baseline/manifest.json", "is in no run folder"),
        ("laggard-bundle/etcd_bench_results/20270115_080000_a/.bashrc", "is no file of a recording"),
        ("escaped.txt", "is not in laggard-bundle/"),
    ] {
        let mut entries = good.clone();
        entries.push((path.to_owned(), b"x".to_vec()));
        check(&entries, if path == "escaped.txt" { "is there twice, or not listed" } else { "" });
        if path != "escaped.txt" {
            check(&relisted(entries.clone(), |_| {}), expected);
        }
        let last = entries.len() - 1;
        entries.swap(2, last);
        check(&entries, expected);
    }
    assert!(!place.path("escaped").exists() && !place.path("tmp/escaped").exists());

    // Links, folders, devices, and extensions that rename what follows.
    use tar::EntryType;
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::GNULongName,
        EntryType::XHeader,
        EntryType::GNUSparse,
    ];
    for kind in kinds {
        archive(&bad, &good, |at| if at == 4 { kind } else { EntryType::Regular });
        let message = place.refusal("bad.tar.zst");
        assert!(message.contains("is a link, a folder, a device or otherwise no plain file"), "{kind:?}: {message}");
    }

    // The same name twice: in the archive, in the list, and differing in case alone.
    let mut doubled = good.clone();
    doubled.insert(5, good[4].clone());
    check(&doubled, "is there twice, or not listed");
    check(&relisted(doubled, |_| {}), "is there twice");
    let mut cased = good.clone();
    let upper = good[4].0.replace("_baseline", "_BASELINE");
    cased.push((upper, good[4].1.clone()));
    check(&relisted(cased, |_| {}), "is there twice");
    let mut swapped = good.clone();
    swapped.swap(3, 4);
    check(&swapped, "is not where bundle.json has it");
    check(&good[..good.len() - 1], "is cut short: it ends before");
    check(&good[1..], "refused: its entry");

    // Sizes that are not what was said.
    check(&relisted(good.clone(), |json| json["files"][4]["size_bytes"] = 7.into()), "where bundle.json says 7");
    let bomb = relisted(good.clone(), |json| json["files"][4]["size_bytes"] = 10_000_000_000_000_u64.into());
    check(&bomb, "times as many, which no recording does");

    // Versions to come, and lists that are none.
    let newer = relisted(good.clone(), |json| {
        json["bundle_version"] = 2.into();
        json["files"] = serde_json::json!([]);
    });
    check(&newer, "bundle version 2 is newer than this program's 1; update Laggard");
    let mut broken = good.clone();
    broken[0].1 = b"{}".to_vec();
    check(&broken, "its bundle.json is damaged");
    let mut contradicting = good.clone();
    contradicting[1].1[0] ^= 1;
    check(&contradicting, "contradict each other");
}

#[test]
fn a_bomb_takes_neither_disk_nor_memory() {
    let place = Place::with_two_runs();
    place.bundle(&[], "good.tar.zst");
    let mut entries = entries(&place.path("good.tar.zst"));
    let at = entries.iter().position(|(path, _)| path.ends_with("samples.parquet")).expect("samples");
    // 200 MB of zeros in some 20 kB, of which the list says the truth.
    entries[at].1 = vec![0; 200 << 20];
    archive(&place.path("bomb.tar.zst"), &relisted(entries, |_| {}), regular);
    let message = place.refusal("bomb.tar.zst");
    assert!(message.contains("would unpack to more than 200 times as many"), "{message}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_leaves_no_temporary_folder() {
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    let place = Place::with_sweep();
    place.bundle(&[], "all.tar.zst");
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        // Signals that are ignored where the tests run, as by `nohup`, are ignored by what is started there too.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_analyze")]);
        command.args(["cdf", "--dir", "all.tar.zst", "--format", "csv"]).current_dir(place.path(""));
        let mut running = command.env("TMPDIR", place.temporary()).stdout(Stdio::piped()).spawn().expect("the program");
        // More is written than a pipe holds, so the program waits for its reader.
        let mut first = [0; 10];
        running.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("data");
        assert_eq!(fs::read_dir(place.temporary()).expect("a folder").count(), 1, "the bundle is unpacked");
        let sent = Command::new("kill").args([&format!("-{name}"), &running.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        assert_eq!(running.wait().expect("it ends").signal(), Some(number));
        assert_eq!(fs::read_dir(place.temporary()).expect("a folder").count(), 0, "after {name}");
    }
    // What is left after `kill -9` goes with the next bundle, once nobody can be about to lock it.
    let left = place.temporary().join("laggard-bundle-left");
    fs::create_dir(&left).expect("a folder");
    fs::File::create(left.join(".lock")).and_then(|mut lock| lock.write_all(b"")).expect("a file");
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::open(&left).and_then(|dir| dir.set_modified(hour_ago)).expect("its time can be set");
    assert_eq!(place.run(&["list", "--dir", "all.tar.zst"]).0, 0);
}

#[test]
fn a_bundle_is_not_bundled_again() {
    let place = Place::with_two_runs();
    place.bundle(&[], "good.tar.zst");
    let (code, _, err) = place.run(&["bundle", "--dir", "good.tar.zst", "-o", "again.tar.zst"]);
    assert_eq!(code, 2);
    assert!(err.contains("--dir good.tar.zst: is a file") && err.contains("zstd -d | tar x"), "{err}");
    let (code, _, err) = place.run(&["summary", "--dir", "none.tar.zst"]);
    assert_eq!(code, 3);
    assert!(err.contains("--dir none.tar.zst: no such folder"), "{err}");
}
