//! `analyze check` on real recordings: what real clusters answer must hold, and a tampered recording must be found.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use end_to_end::foreign::Foreign;
use end_to_end::home::etcdctl;
use end_to_end::processes::wait_until;
use end_to_end::recorded::{Recorded, only_folder_in};
use end_to_end::{Finished, Workplace, one_at_a_time, run};
use run_folder::operation::{Kind, Outcome};
use run_folder::{FinalKey, Manifest, Operation, OperationsWriter, RunFolder, final_state, operation, reader};
use serde_json::Value;

const MIX: &str = "--mix put=4,get=2,get_serializable=2,txn=2,delete=1";

fn results_by_check(finished: &Finished) -> Vec<(String, String)> {
    let rows: Vec<Value> = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr));
    let text = |row: &Value, name: &str| row[name].as_str().expect("a text").to_owned();
    rows.iter().map(|row| (text(row, "check"), text(row, "result"))).collect()
}

fn checks_with(finished: &Finished, result: &str) -> Vec<String> {
    results_by_check(finished).into_iter().filter(|(_, its)| its == result).map(|(check, _)| check).collect()
}

fn operations(folder: &RunFolder) -> Vec<Operation> {
    let batches = reader::operations(folder, &[]).expect("operations can be read");
    batches.flat_map(|batch| operation::from_batch(&batch.expect("a whole batch")).expect("known values")).collect()
}

/// A change of the rows.
type Tampering = Box<dyn FnOnce(&mut Vec<Operation>)>;

/// A copy of a run below `results`, with its operations as `change` leaves them.
fn tampered(of: &RunFolder, results: &Path, change: impl FnOnce(&mut Vec<Operation>)) -> RunFolder {
    let dir = results.join(of.name());
    std::fs::create_dir_all(&dir).expect("a folder can be made");
    for entry in std::fs::read_dir(of.dir()).expect("the run can be listed") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, dir.join(path.file_name().expect("a name"))).expect("a file can be copied");
    }
    let folder = RunFolder::open(&dir).expect("a run folder");
    let mut rows = operations(&folder);
    change(&mut rows);
    let mut writer = OperationsWriter::create(&folder).expect("a table can be made");
    writer.push(&rows).expect("rows can be written");
    let mut manifest = folder.manifest().expect("a manifest");
    manifest.rows.operations = writer.finish().expect("the table can be finished");
    manifest.write(&folder.manifest_json()).expect("the manifest can be written");
    folder.remove_journals().expect("the journal can be removed");
    folder
}

fn check(place: &Workplace, dir: &Path, code: i32) -> Finished {
    let arguments = format!("check --format json --dir {}", dir.display());
    run(&mut place.analyze(&arguments)).expect_code(code)
}

fn at<'a>(rows: &'a mut [Operation], what: &str, is_it: impl Fn(&Operation) -> bool) -> &'a mut Operation {
    rows.iter_mut().find(|row| row.outcome == Outcome::Ok && is_it(row)).unwrap_or_else(|| panic!("no {what}"))
}

#[test]
fn a_run_with_every_kind_and_a_new_leader_holds_and_tampered_copies_of_it_do_not() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    let arguments = format!(
        "run mixed {MIX} --keys 50 --concurrency 8 --duration 12 --warm-up 1 --fault delay --value 2500ms --target leader \
         --at 3 --for 5"
    );
    run(&mut place.recorder(&arguments)).expect_code(0);
    let recorded = Recorded::only_one_in(&place.results());
    let leaders = recorded.manifest.leaders;
    assert_ne!(leaders.injection, leaders.end, "the delay makes another member lead");
    let store = recorded.manifest.store.clone().expect("the store was asked");
    let (before, after) = (store.revision_before.expect("before"), store.revision_after.expect("after"));
    assert!(before >= 1 && after > before + 1000, "{before} to {after}");
    assert_eq!(store.members.len(), 3, "each member gave its hash");

    let held = check(&place, &place.results(), 0);
    assert_eq!(checks_with(&held, "held").len(), 16, "{}", held.stdout);
    let table = run(&mut place.analyze("check")).expect_code(0);
    assert!(table.stdout.lines().all(|line| line.chars().count() <= 120), "{}", table.stdout);

    let folder = &recorded.folder;
    let copies = place.path().join("copies");
    // Two puts whose revisions are exchanged, far apart.
    let (first, later) = {
        let rows = operations(folder);
        let puts: Vec<i64> = rows
            .iter()
            .filter(|row| row.outcome == Outcome::Ok && row.kind == Kind::Put)
            .map(|row| row.op_id)
            .collect();
        (puts[10], puts[puts.len() - 10])
    };
    let cases: [(&str, Tampering); 7] = [
        (
            "real_time_order",
            Box::new(move |rows| {
                let revision = |rows: &[Operation], op_id| rows.iter().find(|row| row.op_id == op_id).unwrap().revision;
                let (a, b) = (revision(rows, first), revision(rows, later));
                at(rows, "first put", |row| row.op_id == first).revision = b;
                at(rows, "later put", |row| row.op_id == later).revision = a;
            }),
        ),
        ("terms", Box::new(move |rows| at(rows, "put", |row| row.op_id == first).raft_term = Some(1_000_000))),
        (
            "reads",
            Box::new(|rows| {
                let other = at(rows, "early put", |row| row.kind == Kind::Put).revision;
                let key = at(rows, "early put", |row| row.kind == Kind::Put).key;
                let late =
                    rows.iter().rposition(|row| row.kind == Kind::Get && row.key == key && row.outcome == Outcome::Ok);
                rows[late.expect("a late get of the key")].seen_mod_revision = other;
            }),
        ),
        (
            "compare_and_swap",
            Box::new(|rows| {
                let key = at(rows, "early put", |row| row.kind == Kind::Put).key;
                let early = at(rows, "early put", |row| row.kind == Kind::Put).revision;
                let late = rows.iter().rposition(|row| row.txn_succeeded == Some(true) && row.key == key);
                rows[late.expect("a late transaction on the key")].seen_mod_revision = early;
            }),
        ),
        (
            "unique_revisions",
            Box::new(move |rows| {
                let one = rows.iter().find(|row| row.op_id == first).unwrap().revision;
                let is_next = |row: &Operation| row.kind == Kind::Put && row.op_id > first;
                at(rows, "another put", is_next).revision = one;
            }),
        ),
        (
            "rows",
            Box::new(|rows| {
                rows.remove(100);
            }),
        ),
        ("row_fields", Box::new(|rows| at(rows, "get", |row| row.kind == Kind::Get).seen_mod_revision = None)),
    ];
    for (expected, change) in cases {
        let copy = tampered(folder, &copies.join(expected), change);
        let found = check(&place, copy.dir(), 4);
        assert!(checks_with(&found, "violated").iter().any(|check| check == expected), "{expected}: {}", found.stdout);
    }

    // A copy that was written anew and not changed still holds: it is not the copying that is found.
    let same = tampered(folder, &copies.join("same"), |_| ());
    check(&place, same.dir(), 0);

    // One row less than the manifest says, as no writer leaves it: other commands do not read such a run, this one tells.
    let short = tampered(folder, &copies.join("short"), |rows| {
        rows.remove(100);
    });
    let mut manifest = short.manifest().expect("a manifest");
    manifest.rows.operations += 1;
    manifest.write(&short.manifest_json()).expect("the manifest can be written");
    let found = check(&place, short.dir(), 4);
    assert!(checks_with(&found, "violated").contains(&"rows".to_owned()), "{}", found.stdout);

    final_states(&place, folder, &copies);
    a_damaged_run_does_not_stop_the_others(&place, folder, &copies);
}

fn final_states(place: &Workplace, folder: &RunFolder, copies: &Path) {
    let keys = reader::final_state(folder).expect("it can be read").expect("it is there");
    let with = |name: &str, keys: &[FinalKey]| {
        let copy = tampered(folder, &copies.join(name), |_| ());
        final_state::write(&copy, keys).expect("it can be written");
        copy
    };
    // The newest key's last write is undone.
    let mut undone = keys.clone();
    let newest =
        undone.iter_mut().filter(|key| key.mod_revision > key.create_revision).max_by_key(|key| key.mod_revision);
    let newest = newest.expect("a key that was written twice");
    newest.mod_revision = newest.create_revision;
    let found = check(place, with("undone", &undone).dir(), 4);
    assert_eq!(checks_with(&found, "violated"), ["final_state"], "{}", found.stdout);
    // One write less was counted than was acknowledged.
    let mut uncounted = keys.clone();
    uncounted.iter_mut().max_by_key(|key| key.version).expect("a key").version = 1;
    let found = check(place, with("uncounted", &uncounted).dir(), 4);
    assert_eq!(checks_with(&found, "violated"), ["final_state"], "{}", found.stdout);

    let older = with("older", &keys);
    std::fs::remove_file(older.final_state_parquet()).expect("it is there");
    let found = check(place, older.dir(), 5);
    assert_eq!(checks_with(&found, "not checkable"), ["final_state"]);
    let manifest = Manifest { store: None, ..older.manifest().expect("a manifest") };
    manifest.write(&older.manifest_json()).expect("the manifest can be written");
    let found = check(place, older.dir(), 5);
    assert_eq!(checks_with(&found, "not checkable"), ["final_state", "members_agree"], "of an older recorder");

    let divided = with("divided", &keys);
    let mut manifest = divided.manifest().expect("a manifest");
    let hash = &mut manifest.store.as_mut().expect("a store").members[1].hash;
    *hash = hash.map(|hash| hash ^ 1);
    manifest.write(&divided.manifest_json()).expect("the manifest can be written");
    let found = check(place, divided.dir(), 4);
    assert_eq!(checks_with(&found, "violated"), ["members_agree"]);
}

fn a_damaged_run_does_not_stop_the_others(place: &Workplace, folder: &RunFolder, copies: &Path) {
    let both: PathBuf = copies.join("both");
    let damaged = tampered(folder, &both, |_| ());
    let beside = both.join(format!("20200101_000000_{}", folder.label()));
    std::fs::rename(damaged.dir(), &beside).expect("a run can be renamed");
    tampered(folder, &both, |_| ());
    let path = RunFolder::open(&beside).expect("a run folder").operations_parquet();
    let bytes = std::fs::read(&path).expect("the table can be read");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("the table can be cut");
    let found = check(place, &both, 1);
    assert_eq!(checks_with(&found, "held").len(), 16, "the whole one is checked all the same");
    assert!(found.stderr.contains("20200101_000000"), "{}", found.stderr);
}

#[test]
fn writes_that_were_given_up_do_not_look_wrong() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    // A deadline that many operations miss: they are done all the same, or not.
    let arguments = format!(
        "run late {MIX} --keys 20 --rate 400 --concurrency 64 --deadline 150ms --attach round-robin --duration 8 --warm-up 1 \
         --fault loss --value 30% --target leader --at 2 --for 4"
    );
    run(&mut place.recorder(&arguments)).expect_code(0);
    let folder = only_folder_in(&place.results());
    let unknown =
        operations(&folder).iter().filter(|row| row.outcome == Outcome::Unknown && row.kind != Kind::Get).count();
    assert!(unknown > 20, "{unknown} writes with unknown outcome");
    let found = check(&place, &place.results(), 0);
    assert!(checks_with(&found, "held").len() >= 15, "{}", found.stdout);
}

#[test]
fn what_a_run_has_nothing_of_is_not_called_untold() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    run(&mut place.recorder("run puts --duration 3 --warm-up 0.5 --keys 100")).expect_code(0);
    let found = check(&place, &place.results(), 0);
    assert_eq!(checks_with(&found, "not applicable"), ["reads", "compare_and_swap", "origins"]);
    let text = run(&mut place.analyze("check --wide --format csv")).expect_code(0).stdout;
    assert!(text.starts_with("run,label,check,guarantee,result,operations,kinds,violations,examples,detail"), "{text}");
}

#[test]
fn a_killed_leader_loses_nothing_that_was_acknowledged() {
    let _one = one_at_a_time();
    let (place, mut foreign) = (Workplace::new(), Foreign::start(3, ""));
    let options = format!("bench --endpoints {} --duration 5 --deadline 2s --record", foreign.typed());
    let bench = place.recorder(&options).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    // In the puts, which come first.
    wait_until("the first puts are there", Duration::from_secs(60), || {
        etcdctl(&foreign.endpoints[0], "get --prefix --keys-only --limit=1 laggard/bench/")
            .stdout
            .contains("laggard/bench/")
    });
    std::thread::sleep(Duration::from_secs(2));
    foreign.kill(leader(&foreign));
    Finished::from(bench.wait_with_output().expect("it ends")).expect_code(0);

    let puts = run(&mut place.analyze("summary --pattern bench_put --format json")).expect_code(0).stdout;
    assert!(puts.contains("bench_put"), "{puts}");
    let found = check(&place, &place.results(), 5);
    assert!(checks_with(&found, "violated").is_empty(), "{}", found.stdout);
    // Others may write to such a cluster; what does not depend on that is told all the same.
    let held = checks_with(&found, "held");
    for name in ["real_time_order", "terms", "unique_revisions", "final_state", "raft_counters"] {
        assert!(held.iter().any(|check| check == name), "{name}: {}", found.stdout);
    }
    let folders = RunFolder::list(&place.results()).expect("the runs can be listed");
    let of_puts = folders.iter().find(|folder| folder.label().as_str() == "bench_put").expect("the puts");
    let rows = operations(of_puts);
    let terms: std::collections::BTreeSet<_> = rows.iter().filter_map(|row| row.raft_term).collect();
    assert!(terms.len() > 1, "another member led: {terms:?}");
    assert!(rows.iter().any(|row| row.outcome != Outcome::Ok), "some operations were lost with the leader");
}

/// Index of the member that leads.
fn leader(foreign: &Foreign) -> usize {
    let leads = |endpoint: &String| {
        let answer = etcdctl(endpoint, "endpoint status --write-out=json").stdout;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
        let status = &answer[0]["Status"];
        status["leader"] == status["header"]["member_id"]
    };
    foreign.endpoints.iter().position(leads).expect("a leader")
}
