//! Planted histories: each check must fail on one that is broken in its own way, and hold on those that only look so.

use run_folder::manifest::{MemberHash, Store};
use run_folder::operation::{ErrorKind, Kind, Outcome};
use run_folder::{FinalKey, Operation};

use super::counters::{Counter, Point};
use super::recording::{Intake, Known, OlderFiles};
use super::*;

const MS: i64 = 1_000_000;
const KNOWN: Known = Known { members: Some(3), starts: true };

/// An acknowledged operation on key 0 at member 0, under way from `from` to `to` milliseconds.
fn op(op_id: i64, kind: Kind, (from, to): (i64, i64), revision: i64) -> Operation {
    Operation {
        op_id,
        worker: 0,
        kind,
        intended_ns: from * MS,
        start_ns: Some(from * MS),
        end_ns: to * MS,
        outcome: Outcome::Ok,
        error: None,
        endpoint: 0,
        member: Some(0),
        raft_term: Some(2),
        revision: Some(revision),
        key: 0,
        seen_mod_revision: None,
        txn_succeeded: None,
        value_bytes: 1,
    }
}

fn put(op_id: i64, at: (i64, i64), revision: i64) -> Operation {
    op(op_id, Kind::Put, at, revision)
}

fn delete(op_id: i64, at: (i64, i64), revision: i64) -> Operation {
    op(op_id, Kind::Delete, at, revision)
}

fn get(op_id: i64, at: (i64, i64), revision: i64, seen: i64) -> Operation {
    Operation { seen_mod_revision: Some(seen), ..op(op_id, Kind::Get, at, revision) }
}

fn stale_get(op_id: i64, at: (i64, i64), revision: i64, seen: i64) -> Operation {
    Operation { kind: Kind::GetSerializable, ..get(op_id, at, revision, seen) }
}

fn swap(op_id: i64, at: (i64, i64), revision: i64, compared: i64) -> Operation {
    let seen_mod_revision = Some(compared);
    Operation { seen_mod_revision, txn_succeeded: Some(true), ..op(op_id, Kind::Txn, at, revision) }
}

fn lost_swap(op_id: i64, at: (i64, i64), revision: i64, seen: i64) -> Operation {
    Operation { seen_mod_revision: Some(seen), txn_succeeded: Some(false), ..op(op_id, Kind::Txn, at, revision) }
}

fn on_key(key: i32, row: Operation) -> Operation {
    Operation { key, ..row }
}

fn at_member(member: u8, row: Operation) -> Operation {
    Operation { member: Some(member), endpoint: member, ..row }
}

fn in_term(raft_term: i64, row: Operation) -> Operation {
    Operation { raft_term: Some(raft_term), ..row }
}

/// The same operation without an answer.
fn unknown(row: Operation) -> Operation {
    Operation {
        outcome: Outcome::Unknown,
        error: Some(ErrorKind::Deadline),
        member: None,
        raft_term: None,
        revision: None,
        seen_mod_revision: None,
        txn_succeeded: None,
        ..row
    }
}

/// Certainly not done.
fn failed(row: Operation) -> Operation {
    Operation { outcome: Outcome::Failed, error: Some(ErrorKind::NoLeader), ..unknown(row) }
}

/// The store at revision 10 before the run.
fn subject() -> Subject {
    Subject {
        members: ["etcd0", "etcd1", "etcd2"].map(str::to_owned).to_vec(),
        concurrency: 16,
        phases: Vec::new(),
        store: Some(Store { revision_before: Some(10), ..Store::default() }),
        ..Subject::default()
    }
}

/// With a final state, and members that agree on it.
fn ending(revision: i64, keys: &[FinalKey]) -> Subject {
    let agreed = MemberHash { hash: Some(7), compact_revision: Some(0), problem: None };
    let store = Store {
        revision_before: Some(10),
        revision_after: Some(revision),
        keys: keys.len() as u64,
        problem: None,
        members: vec![agreed; 3],
    };
    Subject { store: Some(store), final_keys: Some(keys.to_vec()), ..subject() }
}

fn last(key: i32, create_revision: i64, mod_revision: i64, version: i64) -> FinalKey {
    FinalKey { key, create_revision, mod_revision, version }
}

fn findings(subject: &Subject, rows: &[Operation]) -> Vec<Finding> {
    let mut intake = Intake::new(rows.len() as u64, KNOWN);
    rows.iter().for_each(|row| intake.take(row));
    let (history, recording) = intake.finish(false, &OlderFiles::default());
    judge(&history, subject, recording)
}

fn verdict_in(findings: &[Finding], check: Check) -> Verdict {
    findings.iter().find(|finding| finding.check == check).expect("every check has a finding").verdict
}

/// Checks that exactly `expected` are violated.
#[track_caller]
fn check_of(subject: &Subject, rows: &[Operation], expected: &[Check]) {
    let findings = findings(subject, rows);
    let checks: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, Check::ALL, "one finding a check, in order");
    let violated: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Violated).collect();
    let names: Vec<_> = violated.iter().map(|finding| finding.check).collect();
    assert_eq!(names, expected, "{violated:#?}");
    assert!(violated.iter().all(|finding| finding.violations > 0 && !finding.examples.is_empty()));
}

#[track_caller]
fn check(rows: &[Operation], expected: &[Check]) {
    check_of(&subject(), rows, expected);
}

#[test]
fn a_good_history_of_every_kind_holds() {
    let rows = [
        put(0, (0, 2), 11),
        get(1, (3, 4), 11, 11),
        swap(2, (5, 6), 12, 11),
        lost_swap(3, (7, 8), 12, 12),
        delete(4, (9, 10), 13),
        get(5, (11, 12), 13, 0),
        delete(6, (13, 14), 13),
        on_key(1, put(7, (15, 16), 14)),
        swap(8, (17, 18), 15, 0),
        at_member(2, stale_get(9, (19, 20), 12, 12)),
        at_member(2, stale_get(10, (21, 22), 13, 0)),
    ];
    let subject = ending(15, &[last(0, 15, 15, 1), last(1, 14, 14, 1)]);
    check_of(&subject, &rows, &[]);
    let findings = findings(&subject, &rows);
    for check in [
        Check::Rows,
        Check::RowFields,
        Check::Concurrency,
        Check::RealTimeOrder,
        Check::Terms,
        Check::MemberOrder,
        Check::UniqueRevisions,
        Check::Reads,
        Check::CompareAndSwap,
        Check::Origins,
        Check::FinalState,
        Check::MembersAgree,
        Check::RevisionGrowth,
    ] {
        assert_eq!(verdict_in(&findings, check), Verdict::Held, "{check:?}");
    }
    assert_eq!(verdict_in(&findings, Check::RaftCounters), Verdict::NotCheckable, "there are no samples");
    let of = |check: Check| findings.iter().find(|finding| finding.check == check).unwrap().on.to_string();
    assert_eq!(of(Check::RealTimeOrder), "put 2, get 2, txn 3, delete 2");
    assert_eq!(of(Check::Reads), "get 2, get_serializable 2, txn 1");
    assert_eq!(of(Check::CompareAndSwap), "txn 2");
}

#[test]
fn operations_that_overlap_may_take_effect_in_any_order() {
    check(&[put(0, (0, 10), 12), on_key(1, put(1, (1, 9), 11)), get(2, (2, 8), 10, 0), get(3, (3, 7), 12, 12)], &[]);
    // One that begins at the very moment at which another ends may have been before it.
    check(&[put(0, (0, 5), 12), put(1, (5, 9), 11)], &[]);
}

#[test]
fn revisions_that_go_back_in_real_time_are_found() {
    let of_another = |row| at_member(1, row);
    check(&[on_key(1, put(0, (0, 1), 12)), of_another(put(1, (2, 3), 11))], &[Check::RealTimeOrder]);
    check(&[put(0, (0, 1), 11), of_another(get(1, (2, 3), 10, 0))], &[Check::RealTimeOrder]);
    // A write has a higher revision, not the same one as a read before it.
    check(&[on_key(1, get(0, (0, 1), 11, 0)), put(1, (2, 3), 11)], &[Check::RealTimeOrder]);
    // What a serializable read has shown was there for everybody.
    check(&[stale_get(0, (0, 1), 12, 0), of_another(get(1, (2, 3), 11, 0))], &[Check::RealTimeOrder]);
    // The store was at revision 10 before.
    check(&[put(0, (0, 1), 10)], &[Check::RealTimeOrder, Check::RevisionGrowth]);
    // Far apart, with many between.
    let mut rows: Vec<_> = (0..100).map(|at| on_key(at as i32, put(at, (at * 10, at * 10 + 5), 11 + at))).collect();
    rows.push(at_member(1, get(100, (5000, 5001), 100, 11)));
    check(&rows, &[Check::RealTimeOrder]);
}

#[test]
fn serializable_reads_may_be_stale_and_no_member_goes_back() {
    let stale = [put(0, (0, 1), 11), put(1, (2, 3), 12), at_member(1, stale_get(2, (4, 5), 11, 11))];
    check(&stale, &[]);
    let back = [
        put(0, (0, 1), 11),
        put(1, (2, 3), 12),
        at_member(1, stale_get(2, (4, 5), 12, 12)),
        at_member(1, stale_get(3, (6, 7), 11, 11)),
    ];
    check(&back, &[Check::MemberOrder]);
    let of_others = [back[0], back[1], back[2], at_member(2, back[3])];
    check(&of_others, &[]);
}

#[test]
fn terms_that_go_back_are_found() {
    let rows = [in_term(3, put(0, (0, 1), 11)), in_term(2, put(1, (2, 3), 12))];
    check(&rows, &[Check::Terms]);
    check(&[rows[0], in_term(2, put(1, (0, 3), 12))], &[]);
    check(&[rows[0], in_term(2, stale_get(1, (2, 3), 11, 11))], &[]);
}

#[test]
fn writes_that_share_a_revision_are_found() {
    check(&[put(0, (0, 9), 11), on_key(1, put(1, (0, 9), 11))], &[Check::UniqueRevisions, Check::RevisionGrowth]);
    let swaps = [on_key(1, put(0, (0, 1), 11)), put(1, (0, 9), 12), on_key(1, swap(2, (2, 9), 12, 11))];
    check(&swaps, &[Check::UniqueRevisions, Check::RevisionGrowth]);
    // What writes nothing has the revision of an earlier write.
    check(&[put(0, (0, 1), 11), on_key(1, delete(1, (2, 3), 11)), lost_swap(2, (4, 5), 11, 11)], &[]);
    // The key was there, so that its deletion wrote.
    let there = [on_key(1, put(0, (0, 1), 11)), put(1, (2, 9), 12), on_key(1, delete(2, (2, 9), 12))];
    check(&there, &[Check::UniqueRevisions, Check::RevisionGrowth]);
    check(&[put(0, (0, 9), 11), delete(1, (0, 9), 11)], &[Check::UniqueRevisions]);
    // Unless a deletion without an answer may have been before it.
    let gone = [there[0], there[1], there[2], unknown(on_key(1, delete(3, (2, 9), 0)))];
    check(&gone, &[]);
}

#[test]
fn reads_that_missed_a_write_are_found() {
    let writes = [put(0, (0, 1), 11), put(1, (2, 3), 12)];
    let with = |row| [writes[0], writes[1], row];
    check(&with(get(2, (4, 5), 12, 12)), &[]);
    check(&with(get(2, (4, 5), 12, 11)), &[Check::Reads]);
    check(&with(stale_get(2, (4, 5), 12, 11)), &[Check::Reads]);
    check(&with(at_member(1, stale_get(2, (4, 5), 11, 11))), &[]);
    check(&with(lost_swap(2, (4, 5), 12, 11)), &[Check::Reads]);
    check(&with(get(2, (4, 5), 12, 0)), &[Check::Reads]);
    check(&with(get(2, (4, 5), 12, 13)), &[Check::Reads]);
    // One that was seen is as good as one that was acknowledged.
    let seen = [get(0, (0, 1), 10, 9), get(1, (2, 3), 10, 8)];
    check(&seen, &[Check::Reads]);
    check(&[get(0, (0, 1), 10, 9), get(1, (2, 3), 10, 0)], &[Check::Reads]);
}

#[test]
fn reads_of_what_was_deleted_are_found() {
    let rows = [put(0, (0, 1), 11), delete(1, (2, 3), 12)];
    check(&[rows[0], rows[1], get(2, (4, 5), 12, 0)], &[]);
    check(&[rows[0], rows[1], get(2, (4, 5), 12, 11)], &[Check::Reads]);
    // A deletion that nobody acknowledged may have been done, once.
    let lost = unknown(delete(1, (2, 3), 0));
    check(&[rows[0], lost, get(2, (4, 5), 12, 0)], &[]);
    check(&[rows[0], lost, get(2, (4, 5), 11, 11)], &[]);
    let twice = [rows[0], lost, get(2, (4, 5), 12, 0), put(3, (6, 7), 13), get(4, (8, 9), 13, 0)];
    check(&twice, &[Check::Reads]);
    // Not before it began, and not when it certainly was not done.
    check(&[rows[0], unknown(delete(1, (6, 7), 0)), get(2, (4, 5), 11, 0)], &[Check::Reads]);
    check(&[rows[0], failed(delete(1, (2, 3), 0)), get(2, (4, 5), 11, 0)], &[Check::Reads]);
}

#[test]
fn comparisons_that_held_wrongly_are_found() {
    let writes = [put(0, (0, 1), 11), put(1, (2, 3), 12)];
    let with = |row| [writes[0], writes[1], row];
    check(&with(swap(2, (4, 5), 13, 12)), &[]);
    check(&with(swap(2, (4, 5), 13, 11)), &[Check::CompareAndSwap]);
    check(&with(swap(2, (4, 5), 13, 0)), &[Check::CompareAndSwap]);
    check(&with(swap(2, (4, 5), 13, 13)), &[Check::CompareAndSwap]);
    check(&[writes[0], delete(1, (2, 3), 12), swap(2, (4, 5), 13, 11)], &[Check::CompareAndSwap]);
    // Two that both won against the same revision.
    check(&[writes[0], swap(1, (2, 9), 12, 11), swap(2, (2, 9), 13, 11)], &[Check::CompareAndSwap]);
}

#[test]
fn modifications_that_nobody_wrote_are_found() {
    // Before the run.
    check(&[get(0, (0, 1), 10, 9)], &[]);
    check(&[get(0, (0, 1), 11, 11)], &[Check::Origins]);
    check(&[on_key(1, put(0, (0, 1), 11)), get(1, (2, 3), 11, 11)], &[Check::Origins]);
    // A write without an answer may have been done, not before it began, once, and only of its own key.
    let lost = unknown(put(0, (0, 1), 0));
    check(&[lost, get(1, (2, 3), 11, 11)], &[]);
    check(&[unknown(put(0, (5, 6), 0)), get(1, (2, 3), 11, 11)], &[Check::Origins]);
    check(&[lost, get(1, (2, 3), 11, 11), get(2, (4, 5), 12, 12)], &[Check::Origins, Check::RevisionGrowth]);
    check(&[on_key(1, lost), get(1, (2, 3), 11, 11)], &[Check::Origins]);
    check(&[failed(put(0, (0, 1), 0)), get(1, (2, 3), 11, 11)], &[Check::Origins]);
    // Somebody has shown the revision already when the write began.
    let shown = [on_key(1, put(0, (0, 1), 12)), unknown(put(1, (2, 3), 0)), get(2, (4, 5), 12, 11)];
    check(&shown, &[Check::Origins]);
    // Two keys cannot be written at one revision.
    let both = [lost, on_key(1, unknown(put(1, (0, 1), 0))), get(2, (2, 3), 11, 11), on_key(1, get(3, (4, 5), 11, 11))];
    check(&both, &[Check::Origins]);
}

#[test]
fn what_others_may_have_written_is_not_called_wrong() {
    let subject = Subject { others: Some("others write too".to_owned()), ..subject() };
    let rows = [get(0, (0, 1), 11, 11), put(1, (2, 3), 20), get(2, (4, 5), 21, 0)];
    check_of(&subject, &rows, &[]);
    let findings = findings(&subject, &rows);
    for check in [Check::Origins, Check::Reads, Check::RevisionGrowth] {
        assert_eq!(verdict_in(&findings, check), Verdict::NotCheckable, "{check:?}");
    }
    // What no other client can cause stays wrong.
    check_of(&subject, &[put(0, (0, 1), 11), put(1, (2, 3), 12), get(2, (4, 5), 12, 11)], &[Check::Reads]);
}

#[test]
fn acknowledged_writes_that_the_final_state_lacks_are_found() {
    let writes = [put(0, (0, 1), 11), on_key(1, put(1, (2, 3), 12)), put(2, (4, 5), 13)];
    let good = [last(0, 11, 13, 2), last(1, 12, 12, 1)];
    check_of(&ending(13, &good), &writes, &[]);
    check_of(&ending(13, &good[..1]), &writes, &[Check::FinalState]);
    check_of(&ending(13, &[last(0, 11, 11, 1), good[1]]), &writes, &[Check::FinalState]);
    // A write that was overwritten is missed where etcd has counted one less, or one more.
    check_of(&ending(13, &[last(0, 11, 13, 1), good[1]]), &writes, &[Check::FinalState]);
    check_of(&ending(13, &[last(0, 11, 13, 3), good[1]]), &writes, &[Check::FinalState]);
    check_of(&ending(12, &good), &writes, &[Check::FinalState, Check::RevisionGrowth]);
    // Created anew although nobody deleted it.
    check_of(&ending(13, &[last(0, 13, 13, 1), good[1]]), &writes, &[Check::FinalState]);
    let deleted = [writes[0], writes[1], delete(2, (4, 5), 13)];
    check_of(&ending(13, &good[1..]), &deleted, &[]);
    check_of(&ending(13, &[last(0, 11, 11, 1), good[1]]), &deleted, &[Check::FinalState]);
    // A key that nobody wrote, and one from before the run.
    check_of(&ending(13, &[good[0], good[1], last(5, 13, 13, 1)]), &writes, &[Check::FinalState]);
    check_of(
        &ending(14, &[good[0], good[1], last(5, 14, 14, 1)]),
        &writes,
        &[Check::FinalState, Check::RevisionGrowth],
    );
    check_of(&ending(13, &[good[0], good[1], last(5, 9, 10, 2)]), &writes, &[]);
}

#[test]
fn writes_without_an_answer_may_be_in_the_final_state() {
    let rows = [put(0, (0, 1), 11), unknown(put(1, (2, 3), 0)), unknown(delete(2, (4, 5), 0))];
    for (revision, keys) in [
        (11, vec![last(0, 11, 11, 1)]),
        (12, vec![last(0, 11, 12, 2)]),
        (12, vec![]),
        (13, vec![]),
        (13, vec![last(0, 13, 13, 1)]),
    ] {
        check_of(&ending(revision, &keys), &rows, &[]);
    }
    check_of(&ending(14, &[last(0, 11, 14, 3)]), &rows, &[Check::FinalState, Check::RevisionGrowth]);
}

#[test]
fn an_absent_final_state_is_not_checkable_and_says_why() {
    let rows = [put(0, (0, 1), 11)];
    let told = |subject: Subject| {
        let findings = findings(&subject, &rows);
        let finding = findings.into_iter().find(|finding| finding.check == Check::FinalState).unwrap();
        assert_eq!(finding.verdict, Verdict::NotCheckable);
        finding.detail
    };
    assert!(told(Subject { store: None, ..subject() }).contains("without a final state"));
    let refused = Store { problem: Some("etcdserver: no leader".to_owned()), ..Store::default() };
    assert!(told(Subject { store: Some(refused), ..subject() }).contains("no leader"));
    assert!(told(Subject { final_keys: None, ..ending(11, &[]) }).contains("not there"));
    let cut = Subject { final_keys: Some(Vec::new()), ..ending(11, &[last(0, 11, 11, 1)]) };
    assert!(told(cut).contains("0 rows where the manifest says 1"));
}

#[test]
fn members_that_differ_are_found() {
    let with = |change: fn(&mut Store)| {
        let mut subject = ending(10, &[]);
        subject.store.iter_mut().for_each(change);
        subject
    };
    check_of(&ending(10, &[]), &[], &[]);
    check_of(&with(|store| store.members[1].hash = Some(8)), &[], &[Check::MembersAgree]);
    let verdict = |subject: &Subject| verdict_in(&findings(subject, &[]), Check::MembersAgree);
    let silent = with(|store| store.members[1] = MemberHash { problem: Some("down".into()), ..MemberHash::default() });
    assert_eq!(verdict(&silent), Verdict::NotCheckable);
    let compacted = with(|store| (store.members[1].hash, store.members[1].compact_revision) = (Some(8), Some(5)));
    assert_eq!(verdict(&compacted), Verdict::NotCheckable);
}

#[test]
fn the_revision_grows_by_what_was_written() {
    // Without the revision before and after, the stretch between the first write and the last counts.
    let blind = Subject { store: None, ..subject() };
    check_of(&blind, &[put(0, (0, 1), 20), put(1, (2, 3), 21)], &[]);
    check_of(&blind, &[put(0, (0, 1), 20), put(1, (2, 3), 22)], &[Check::RevisionGrowth]);
    check_of(&blind, &[put(0, (0, 1), 20), unknown(put(1, (2, 3), 0)), put(2, (4, 5), 22)], &[]);
    check(&[put(0, (0, 1), 12)], &[Check::RevisionGrowth]);
}

#[test]
fn rows_that_are_missing_or_doubled_are_found() {
    let rows = |numbers: &[i64]| -> Vec<Operation> {
        numbers.iter().map(|&at| put(at, (at * 10, at * 10 + 5), 11 + at)).collect()
    };
    check(&rows(&[1, 0, 2]), &[]);
    check(&rows(&[0, 1, 3]), &[Check::Rows, Check::RevisionGrowth]);
    let mut doubled = rows(&[0, 1, 2]);
    doubled[2].op_id = 1;
    check(&doubled, &[Check::Rows]);
    let count = |manifest_rows, recovered| {
        let mut intake = Intake::new(manifest_rows, KNOWN);
        rows(&[0, 1, 2]).iter().for_each(|row| intake.take(row));
        let (_, findings) = intake.finish(recovered, &OlderFiles::default());
        verdict_in(&findings, Check::Rows)
    };
    assert_eq!(count(3, false), Verdict::Held);
    assert_eq!(count(4, false), Verdict::Violated);
    assert_eq!(count(2, false), Verdict::Violated);
    assert_eq!(count(4, true), Verdict::NotCheckable, "operations that were under way when the recorder was killed");
}

#[test]
fn rows_that_contradict_themselves_are_found() {
    let good = put(0, (0, 1), 11);
    let broken = [
        Operation { start_ns: Some(-1), ..good },
        Operation { end_ns: -1, ..good },
        Operation { start_ns: None, ..unknown(good) },
        Operation { error: Some(ErrorKind::Deadline), ..good },
        Operation { error: None, ..failed(good) },
        Operation { revision: Some(11), ..failed(good) },
        Operation { txn_succeeded: Some(true), ..good },
        Operation { seen_mod_revision: Some(3), ..good },
        Operation { seen_mod_revision: None, ..get(0, (0, 1), 10, 0) },
        Operation { txn_succeeded: None, ..swap(0, (0, 1), 11, 0) },
        Operation { member: Some(3), ..good },
        Operation { endpoint: 3, ..good },
    ];
    for row in broken {
        let found = findings(&subject(), &[row]);
        assert_eq!(verdict_in(&found, Check::RowFields), Verdict::Violated, "{row:?}");
    }
    let unsent = Operation { outcome: Outcome::Unsent, start_ns: None, ..failed(good) };
    for row in [good, unknown(good), failed(good), unsent, get(0, (0, 1), 10, 0), swap(0, (0, 1), 11, 0)] {
        assert_eq!(verdict_in(&findings(&subject(), &[row]), Check::RowFields), Verdict::Held, "{row:?}");
    }
    // Some answers have revisions and some have not; where none has, nothing of them can be told.
    let without = |op_id| Operation { revision: None, raft_term: None, ..put(op_id, (9, 9), 0) };
    let found = findings(&subject(), &[good, without(1)]);
    assert_eq!(verdict_in(&found, Check::RowFields), Verdict::Violated);
    let found = findings(&subject(), &[without(0)]);
    assert_eq!(verdict_in(&found, Check::RowFields), Verdict::Held);
    assert_eq!(verdict_in(&found, Check::RealTimeOrder), Verdict::NotCheckable);
}

#[test]
fn comparisons_of_older_recorders_are_not_checkable() {
    let old = Operation { seen_mod_revision: None, ..swap(1, (2, 3), 12, 11) };
    let found = findings(&subject(), &[put(0, (0, 1), 11), old]);
    assert_eq!(verdict_in(&found, Check::CompareAndSwap), Verdict::NotCheckable);
    let found = findings(&subject(), &[put(0, (0, 1), 11)]);
    assert_eq!(verdict_in(&found, Check::CompareAndSwap), Verdict::NotApplicable);
}

#[test]
fn older_files_that_count_differently_are_found() {
    let judged = |older: &OlderFiles| {
        let mut intake = Intake::new(4, KNOWN);
        let warm_up = Operation { intended_ns: -5 * MS, ..put(3, (1, 2), 14) };
        let rows = [put(0, (0, 1), 11), put(1, (10, 1500), 12), failed(put(2, (0, 1), 0)), warm_up];
        rows.iter().for_each(|row| intake.take(row));
        let (_, findings) = intake.finish(false, older);
        verdict_in(&findings, Check::OlderFiles)
    };
    let good = OlderFiles { latency: Some(2), anomalies: Some(1), throughput: Some(vec![1, 1, 0]) };
    assert_eq!(judged(&good), Verdict::Held);
    assert_eq!(judged(&OlderFiles { latency: Some(3), ..good.clone() }), Verdict::Violated);
    assert_eq!(judged(&OlderFiles { anomalies: Some(0), ..good.clone() }), Verdict::Violated);
    assert_eq!(judged(&OlderFiles { throughput: Some(vec![2, 0]), ..good.clone() }), Verdict::Violated);
    assert_eq!(judged(&OlderFiles { throughput: Some(vec![1]), ..good.clone() }), Verdict::Violated);
    assert_eq!(judged(&OlderFiles { anomalies: None, ..good.clone() }), Verdict::NotCheckable);
    assert_eq!(judged(&OlderFiles { anomalies: None, latency: Some(9), ..good }), Verdict::Violated);
}

#[test]
fn more_under_way_than_allowed_are_found() {
    let two = Subject { concurrency: 2, ..subject() };
    let rows = |third: (i64, i64)| [put(0, (0, 10), 11), on_key(1, put(1, (0, 10), 12)), on_key(2, put(2, third, 13))];
    check_of(&two, &rows((10, 20)), &[]);
    check_of(&two, &rows((9, 20)), &[Check::Concurrency]);
    let imported = findings(&Subject { concurrency: 0, ..subject() }, &rows((9, 20)));
    assert_eq!(verdict_in(&imported, Check::Concurrency), Verdict::NotCheckable, "nobody said how many");
}

/// Ten seconds of two writers, each write 10 ms, and a raft index that was sampled ten times a second.
fn steady() -> (Vec<Operation>, Vec<Point>) {
    let rows: Vec<_> =
        (0..2000).map(|at| on_key((at % 2) as i32, put(at, (at / 2 * 10, at / 2 * 10 + 10), 11 + at))).collect();
    let point = |member, time_ns: i64, value| Point {
        member,
        counter: Counter::RaftApplied,
        asked_ns: time_ns - MS,
        time_ns,
        value,
    };
    let points = (0..=100_i64).flat_map(|tick| {
        let time_ns = tick * 100 * MS + 5 * MS;
        [point(0, time_ns, 50 + tick * 20), point(1, time_ns, 48 + tick * 20)]
    });
    let points = points.collect();
    (rows, points)
}

fn sampled(points: Vec<Point>) -> Subject {
    Subject { points, phases: vec![("all", 0, 10_000 * MS)], ..subject() }
}

#[test]
fn sampled_counters_that_fit_hold() {
    let (rows, points) = steady();
    let subject = sampled(points);
    check_of(&subject, &rows, &[]);
    let found = findings(&subject, &rows);
    assert_eq!(verdict_in(&found, Check::RaftCounters), Verdict::Held);
    assert_eq!(verdict_in(&found, Check::LittlesLaw), Verdict::Held);
    let other = Subject { others: Some("others write too".to_owned()), ..subject };
    assert_eq!(verdict_in(&findings(&other, &rows), Check::LittlesLaw), Verdict::NotCheckable);
}

#[test]
fn acknowledged_writes_without_raft_entries_are_found() {
    let (rows, mut points) = steady();
    points.iter_mut().for_each(|point| point.value = 50 + (point.value - 50) * 95 / 100);
    check_of(&sampled(points), &rows, &[Check::RaftCounters]);
}

#[test]
fn raft_entries_of_nobody_are_found() {
    let (rows, mut points) = steady();
    points.iter_mut().for_each(|point| point.value = 50 + (point.value - 50) * 105 / 100);
    check_of(&sampled(points), &rows, &[Check::RaftCounters]);
}

#[test]
fn rows_that_are_missing_break_littles_law() {
    let (rows, points) = steady();
    // Every third row is gone, and the numbers are closed up, so that the rows themselves do not tell.
    let mut kept: Vec<_> = rows.into_iter().filter(|row| row.op_id % 3 != 0).collect();
    (0..).zip(&mut kept).for_each(|(op_id, row)| row.op_id = op_id);
    check_of(&sampled(points), &kept, &[Check::RevisionGrowth, Check::RaftCounters, Check::LittlesLaw]);
}

#[test]
fn times_of_another_unit_break_littles_law() {
    let (mut rows, points) = steady();
    for row in &mut rows {
        // Ends that are ten times as late as they were.
        row.end_ns = row.intended_ns + 10 * (row.end_ns - row.intended_ns);
    }
    // The law holds whatever the times are as long as rate and time are of the same rows: here they still are.
    assert_eq!(verdict_in(&findings(&sampled(points.clone()), &rows), Check::LittlesLaw), Verdict::Held);
    for row in &mut rows {
        row.intended_ns *= 2;
        row.start_ns = row.start_ns.map(|start_ns| start_ns * 2);
        row.end_ns = row.start_ns.unwrap_or_default() + 20 * MS;
    }
    assert_eq!(verdict_in(&findings(&sampled(points), &rows), Check::LittlesLaw), Verdict::Violated);
}

#[test]
fn a_long_history_is_judged_in_order_of_n_log_n() {
    // 200,000 operations on one key: anything quadratic in a key's history would take minutes.
    let rows: Vec<_> = (0..200_000)
        .map(|at| match at % 4 {
            0 => put(at, (at, at), 11 + at / 4),
            _ => get(at, (at, at), 11 + at / 4, 11 + at / 4),
        })
        .collect();
    let started = std::time::Instant::now();
    check(&rows, &[]);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
