//! Folders with runs that are not as they should be: every command of the analyzer leaves them out by name, goes on with the
//! others, and ends with the documented exit code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use end_to_end::{Finished, Workplace, run};
use run_folder::operation::{ErrorKind, Outcome};
use run_folder::spec::Effect;
use run_folder::synthetic::{self, Fault, Shape};
use run_folder::{Label, Manifest, Operation, OperationsWriter, RunFolder, Status};

/// Every command that analyses the runs of a folder.
const COMMANDS: [&str; 12] = [
    "summary",
    "throughput",
    "throughput --by member",
    "delta",
    "delta --by run",
    "cdf",
    "plot --kind throughput",
    "plot --kind latency",
    "plot --kind cdf",
    "plot --kind delta",
    "gate --rule p99<=1s",
    "gate --rule during.p99<=3*before",
];

/// Those that write a table.
fn tables() -> impl Iterator<Item = &'static str> {
    COMMANDS.into_iter().filter(|command| !command.starts_with("plot"))
}

fn shape(label: &str, fault: Option<Fault>, seed: u64) -> Shape {
    let label = Label::new(label).expect("a label");
    Shape { label, operations: 600, concurrency: 4, warm_up_ms: 500, median_service_ns: 20_000_000, fault, seed }
}

fn mid() -> Option<Fault> {
    Some(Fault { effect: Effect::delay(20_000), at_ms: 1000, for_ms: Some(1000) })
}

/// Writes a finished run, as if recorded after all others.
fn write(place: &Workplace, label: &str, fault: Option<Fault>) -> RunFolder {
    let results = place.results();
    fs::create_dir_all(&results).expect("the results folder can be made");
    let runs = RunFolder::list(&results).expect("it can be read").len() as u64;
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000 + 300 * runs);
    synthetic::write_run(&results, &shape(label, fault, runs + 1), now.into()).expect("a run can be written")
}

fn edit(folder: &RunFolder, edit: impl FnOnce(&mut Manifest)) {
    let mut manifest = folder.manifest().expect("a manifest");
    edit(&mut manifest);
    manifest.write(&folder.manifest_json()).expect("a manifest can be written");
}

/// Gives a run other operations, made of its own.
fn operations(folder: &RunFolder, change: impl Fn(Operation) -> Option<Operation>) {
    let kept: Vec<Operation> = synthetic::Stream::new(&shape("x", None, 7)).filter_map(change).collect();
    fs::remove_file(folder.operations_parquet()).expect("operations");
    let mut writer = OperationsWriter::create(folder).expect("a writer");
    writer.push(&kept).expect("rows can be written");
    let rows = writer.finish().expect("a table");
    edit(folder, |manifest| manifest.rows.operations = rows);
    folder.remove_journals().expect("no journals");
}

/// A folder with a baseline and a run with a fault, both as they should be.
fn good() -> Workplace {
    let place = Workplace::new();
    write(&place, "baseline", None);
    write(&place, "delay20_mid", mid());
    place
}

fn analyze(place: &Workplace, command: &str) -> Finished {
    run(&mut place.analyze(command))
}

fn assert_code(command: &str, finished: &Finished, expected: &[i32]) {
    let code = finished.code.unwrap_or_else(|| panic!("{command}: a signal ended it: {}", finished.stderr));
    assert!(expected.contains(&code), "{command}: {code}\n{}\n{}", finished.stdout, finished.stderr);
    assert!(!finished.stderr.contains("panicked"), "{command}: {}", finished.stderr);
}

#[test]
fn unfinished_and_failed_runs_are_left_out_and_named_by_every_command() {
    let place = good();
    let killed = write(&place, "killed", mid());
    edit(&killed, |manifest| manifest.status = Status::Running);
    let failed = write(&place, "unproven", mid());
    edit(&failed, |manifest| {
        manifest.status = Status::Failed { reason: "fault not confirmed".to_owned(), recovered: false };
    });
    for command in COMMANDS {
        let finished = analyze(&place, command);
        // A gate does not pass for runs that are not there.
        assert_code(command, &finished, if command.starts_with("gate") { &[5] } else { &[0] });
        for (run, reason) in [(&killed, "unfinished"), (&failed, "failed: fault not confirmed")] {
            let note = format!("note: {}: left out: {reason}", run.name());
            assert!(finished.stderr.contains(&note), "{command}: no {note:?} in {}", finished.stderr);
            let is_row = finished.stdout.contains(&run.name()) && !command.starts_with("gate");
            assert!(!is_row, "{command}: {}", finished.stdout);
        }
    }
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    // What is damaged, how, and what is said of it. Samples are read by commands that look for changes of leader.
    type Damage = fn(&RunFolder) -> PathBuf;
    let cases: [(Damage, &str, bool); 7] = [
        (RunFolder::operations_parquet, "", true),
        (RunFolder::operations_parquet, "PAR1 and then nothing", true),
        (RunFolder::faults_parquet, "", true),
        (RunFolder::samples_parquet, "PAR1PAR1", true),
        (RunFolder::manifest_json, "{", true),
        (RunFolder::manifest_json, "{\"format_version\": 99}", true),
        (RunFolder::manifest_json, "", true),
    ];
    for (file, content, is_named) in cases {
        let place = good();
        let bad = write(&place, "bad", mid());
        fs::write(file(&bad), content).expect("a file");
        let path = file(&bad);
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        for command in COMMANDS {
            let finished = analyze(&place, command);
            assert_code(command, &finished, &[1]);
            let says = finished.stderr.contains(&bad.name()) && finished.stderr.contains(name);
            assert!(says == is_named, "{command}: {name} {content:?}: {}", finished.stderr);
            assert!(!finished.stdout.is_empty(), "{command}: {name} {content:?}: the others are gone");
        }
        let finished = analyze(&place, "list");
        // The list does not open operations and samples.
        let is_listed = ["operations.parquet", "samples.parquet"].contains(&name);
        assert_code("list", &finished, if is_listed { &[0] } else { &[1] });
        assert!(finished.stdout.contains("delay20_mid"), "{}", finished.stdout);
    }
}

#[test]
fn a_newer_format_in_one_run_says_what_to_do() {
    let place = good();
    let newer = write(&place, "newer", mid());
    let text = fs::read_to_string(newer.manifest_json()).expect("a manifest");
    let version = format!("\"format_version\": {}", run_folder::FORMAT_VERSION);
    assert!(text.contains(&version), "{text}");
    fs::write(newer.manifest_json(), text.replace(&version, "\"format_version\": 99")).expect("a manifest");
    for command in ["list"].into_iter().chain(COMMANDS) {
        let finished = analyze(&place, command);
        assert_code(command, &finished, &[1]);
        let expected = "format version 99 is newer than this program's 1; update Laggard to read it";
        assert!(finished.stderr.contains(expected), "{command}: {}", finished.stderr);
    }
}

#[test]
fn runs_of_other_machines_are_compared_and_said_to_be() {
    let place = good();
    let finished = analyze(&place, "delta");
    assert!(!finished.stderr.contains("different machines"), "{}", finished.stderr);
    let elsewhere = write(&place, "delay20_mid", mid());
    edit(&elsewhere, |manifest| {
        manifest.host.kernel = "5.15.0-other".to_owned();
        manifest.host.cores = 64;
        // Its clock is a year behind: the order of runs is by their names, and no number depends on it.
        manifest.clock.origin_unix_ns -= 365 * 24 * 3600 * 1_000_000_000;
    });
    for command in ["delta", "delta --by run", "plot --kind delta", "gate --rule p99<=1s"] {
        let finished = analyze(&place, command);
        assert_code(command, &finished, &[0]);
        for part in ["note: recorded on different machines", "6.1.0-synthetic", "5.15.0-other, 64 cores", "in 1 run"] {
            assert!(finished.stderr.contains(part), "{command}: no {part:?} in {}", finished.stderr);
        }
    }
    let finished = analyze(&place, "list --format csv");
    assert!(finished.stdout.contains("2026-01-15T"), "{}", finished.stdout);
}

/// Runs with little or nothing in them, each alone and all together, in every format.
#[test]
fn runs_with_little_in_them_have_no_nan() {
    let place = good();
    operations(&write(&place, "empty", mid()), |_| None);
    operations(&write(&place, "one_row", mid()), |row| (row.op_id == 300).then_some(Operation { op_id: 0, ..row }));
    operations(&write(&place, "warm_up_only", mid()), |row| (row.intended_ns < 0).then_some(row));
    operations(&write(&place, "all_failed", mid()), |row| Some(gone(row, Outcome::Failed)));
    operations(&write(&place, "all_unsent", None), |row| Some(gone(row, Outcome::Unsent)));
    operations(&write(&place, "nothing_during", mid()), |row| {
        (!(1_000_000_000..2_100_000_000).contains(&row.intended_ns)).then_some(row)
    });
    let no_end = write(&place, "no_end", None);
    operations(&no_end, |_| None);
    edit(&no_end, |manifest| manifest.clock.workload_end_ns = 0);
    let nobody = write(&place, "nobody", mid());
    edit(&nobody, |manifest| manifest.leaders = Default::default());
    let labels: BTreeSet<String> =
        RunFolder::list(&place.results()).expect("runs").iter().map(|run| run.label().to_string()).collect();
    let patterns = labels.iter().map(String::as_str).chain(["*"]);
    for pattern in patterns {
        for command in tables().chain(["list"]) {
            for format in ["json", "csv", "table"] {
                let command = format!("{command} --pattern {pattern} --format {format}");
                let finished = analyze(&place, &command);
                assert_code(&command, &finished, if command.starts_with("gate") { &[0, 4, 5] } else { &[0] });
                assert_no_nan(&command, &finished.stdout, format);
            }
        }
        for command in COMMANDS.into_iter().filter(|command| command.starts_with("plot")) {
            let command = format!("{command} --pattern {pattern}");
            let finished = analyze(&place, &command);
            assert_code(&command, &finished, &[0, 3]);
            for path in finished.stdout.lines() {
                let svg = fs::read_to_string(place.path().join(path)).expect("a picture");
                assert!(!svg.contains("NaN") && !svg.contains("inf,") && !svg.contains("\"inf"), "{command}");
            }
        }
    }
}

/// The operation without an answer.
fn gone(row: Operation, outcome: Outcome) -> Operation {
    let start_ns = row.start_ns.filter(|_| outcome != Outcome::Unsent);
    let error = Some(ErrorKind::Deadline);
    Operation { outcome, error, start_ns, member: None, raft_term: None, revision: None, ..row }
}

fn assert_no_nan(command: &str, out: &str, format: &str) {
    if format == "json" {
        let rows: serde_json::Value =
            serde_json::from_str(out).unwrap_or_else(|error| panic!("{command}: {error}: {out}"));
        assert!(rows.is_array(), "{command}: {out}");
    }
    let is_cell = |c: char| !(c.is_alphanumeric() || c == '_');
    let bad = out.split(is_cell).find(|cell| ["NaN", "nan", "inf", "Infinity"].contains(cell));
    assert_eq!(bad, None, "{command}: {out}");
}

#[test]
fn exit_codes_are_those_that_help_lists() {
    let place = good();
    let help = analyze(&place, "--help").expect_code(0).stdout;
    for (command, code) in [
        ("summary", 0),
        ("gate --rule p99<=10s", 0),
        ("summary --output /nowhere/at/all", 1),
        ("summary --format xml", 2),
        ("gate --rule p99<=soon", 2),
        ("gate nowhere.toml", 2),
        ("columns nothing", 2),
        ("summary --pattern nothing*", 3),
        ("summary --dir nowhere", 3),
        ("gate --rule p99<=1us", 4),
        ("gate --rule get_serializable.p99<=1s", 5),
    ] {
        let finished = analyze(&place, command);
        assert_code(command, &finished, &[code]);
        assert!(help.contains(&format!("\n  {code}  ")), "{code} is not in {help}");
        assert_eq!(finished.stderr.is_empty(), [0, 4, 5].contains(&code), "{command}: {}", finished.stderr);
    }
}

/// Adds runs of `day`, copied from the first two.
fn many(place: &Workplace, day: &str, runs: usize) {
    let models: Vec<RunFolder> = RunFolder::list(&place.results()).expect("runs").into_iter().take(2).collect();
    for at in 0..runs {
        let model = &models[at % models.len()];
        let (hours, minutes, seconds) = (at / 3600, at / 60 % 60, at % 60);
        copy(model.dir(), &place.results().join(format!("{day}_{hours:02}{minutes:02}{seconds:02}_{}", model.label())));
    }
}

/// Files are links: nobody writes into them, and a thousand copies take no time.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        fs::hard_link(entry.path(), to.join(entry.file_name())).expect("a file can be linked");
    }
}

#[test]
fn time_grows_with_the_number_of_runs_and_not_with_its_square() {
    let place = good();
    let took = |command: &str| {
        let began = Instant::now();
        assert_code(command, &analyze(&place, command), &[0, 4]);
        began.elapsed()
    };
    let commands = ["list", "summary --format csv", "delta --format csv", "gate --rule p99<=1s --format csv"];
    many(&place, "20300101", 200);
    let few: Vec<Duration> = commands.iter().map(|command| took(command)).collect();
    many(&place, "20300102", 1800);
    for (command, few) in commands.iter().zip(few) {
        let many = took(command);
        // Ten times as many: a hundred times as long would be quadratic. The machine may be busy, so there is room.
        assert!(many < few * 40 + Duration::from_secs(2), "{command}: {few:?} for 200 runs, {many:?} for 2000");
    }
}
