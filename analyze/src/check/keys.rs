//! The history of each key, in the order of revisions: what each look at it saw, against what had been written by then.
//!
//! A *look* is a read at its revision, a comparison that held at the revision before its transaction's own, or the final
//! state. Known writes of a key are the acknowledged ones and the modifications that looks saw. A look at revision r that saw
//! modification s is right when s is the newest known write up to r and no acknowledged deletion lies between; one that saw
//! no key is right when no write is known up to r or a deletion came after the newest. Writes and deletions whose outcome is
//! unknown may have been done, once each and not before they began ([`super::matching`]).

use std::cell::OnceCell;

use run_folder::FinalKey;
use run_folder::operation::Kind;

use super::final_state;
use super::history::{Entry, History};
use super::matching::left_over;
use super::{Check, Counted, Finding, Violations};

/// What is known beside the operations.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beside<'a> {
    /// Revision of the store before the first operation.
    pub(super) revision_before: Option<i64>,
    /// The final state: its revision and its keys, sorted by key.
    pub(super) last: Option<(i64, &'a [FinalKey])>,
    /// Why somebody else may have written too.
    pub(super) others: Option<&'a str>,
}

/// Deletions that write for certain.
#[derive(Debug, Default)]
pub(super) struct Deletes {
    /// Those that found their key there, in the order of keys.
    pub(super) certain: Vec<u32>,
    /// Those with the revision of a write of the same key: a deletion of a key that is there has one of its own.
    pub(super) beside_a_put: Violations,
}

/// What the keys' histories tell.
#[derive(Debug)]
pub(super) struct Judged {
    /// [`Check::Reads`], [`Check::CompareAndSwap`], [`Check::Origins`] and, where the final state is known,
    /// [`Check::FinalState`].
    pub(super) findings: Vec<Finding>,
    /// Deletions.
    pub(super) deletes: Deletes,
}

/// Judges all keys.
pub(super) fn judge(history: &History, beside: Beside<'_>) -> Judged {
    let mut acknowledged = history.indices(Entry::has_revision);
    acknowledged.sort_unstable_by_key(|&at| (history.at(at).key, history.at(at).revision));
    let mut unknown = history.indices(|entry| !entry.is_ok && entry.is_logged());
    unknown.sort_unstable_by_key(|&at| history.at(at).key);
    let mut puts = history.indices(Entry::has_put);
    puts.sort_unstable_by_key(|&at| history.at(at).revision);
    let mut judge = Judge { history, beside, puts, bounds: OnceCell::new(), out: Out::default() };
    let (mut acknowledged, mut unknown) = (&acknowledged[..], &unknown[..]);
    let mut last = beside.last.map_or(&[][..], |(_, keys)| keys);
    let key_of = |at: &u32| history.at(*at).key;
    loop {
        let next = [acknowledged.first().map(key_of), unknown.first().map(key_of), last.first().map(|last| last.key)];
        let Some(key) = next.into_iter().flatten().min() else { break };
        let of_key = take_while(&mut acknowledged, |at| key_of(at) == key);
        let maybe = take_while(&mut unknown, |at| key_of(at) == key);
        let last = take_while(&mut last, |last| last.key == key).first();
        judge.key(of_key, maybe, last);
    }
    let Judge { mut out, beside, .. } = judge;
    if let Some((revision, _)) = beside.last {
        for entry in history.entries.iter().filter(|entry| entry.revision > revision) {
            out.last.violations.add(|| format!("{entry} had a later revision than the final one, {revision}"));
        }
    }
    out.judged(beside)
}

fn take_while<'a, T>(all: &mut &'a [T], is_in: impl Fn(&T) -> bool) -> &'a [T] {
    let count = all.iter().take_while(|one| is_in(one)).count();
    let (taken, rest) = all.split_at(count);
    *all = rest;
    taken
}

struct Judge<'a> {
    history: &'a History,
    beside: Beside<'a>,
    /// Acknowledged writes by revision.
    puts: Vec<u32>,
    bounds: OnceCell<Bounds>,
    out: Out,
}

/// Who looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Operation(u32),
    /// The reading of the final state.
    Final,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    check: Check,
    /// The state after this revision is what was looked at.
    at_revision: i64,
    seen: i64,
    by: By,
}

/// A write of a key that is known to have been done.
#[derive(Debug, Clone, Copy)]
struct Known {
    revision: i64,
    /// The operation that was acknowledged for it; else whoever saw it.
    acknowledged: Option<u32>,
    witness: By,
}

/// What happens to a key, in the order in which it does at one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Put(usize),
    Delete(u32),
    Look(usize),
}

/// A key seen absent after a write, without an acknowledged deletion between.
struct Vanished {
    after: Known,
    look: Look,
    before_ns: i64,
}

impl Judge<'_> {
    fn key(&mut self, acknowledged: &[u32], unknown: &[u32], last: Option<&FinalKey>) {
        let looks = self.looks(acknowledged, last);
        let known = self.known(acknowledged, &looks, last);
        let starts = |is_wanted: fn(Kind) -> bool| -> Vec<i64> {
            let unknown = unknown.iter().map(|&at| self.history.at(at));
            unknown.filter(|entry| is_wanted(entry.kind)).map(|entry| entry.start_ns).collect()
        };
        let unknown_puts = starts(|kind| kind != Kind::Delete);
        let unknown_deletes = starts(|kind| kind == Kind::Delete);
        self.walk(acknowledged, &looks, &known, &unknown_deletes);
        self.origins(&known, &unknown_puts);
        if let (Some((revision, _)), Some(last)) = (self.beside.last, last) {
            let writes: Vec<i64> = known.iter().map(|known| known.revision).collect();
            let before = self.beside.revision_before.unwrap_or(0);
            let seen = known.iter().filter(|known| known.acknowledged.is_none() && known.revision > before).count();
            // Those that were seen are among the known.
            let most = self.is_created_here(last).then_some(unknown_puts.len().saturating_sub(seen));
            let problems = final_state::versions(last, &writes, most);
            for problem in problems {
                self.out.of(Check::FinalState).violations.add(|| format!("{problem} (final revision {revision})"));
            }
        }
    }

    /// Whether every write since the key's creation is one of this run.
    fn is_created_here(&self, last: &FinalKey) -> bool {
        self.beside.others.is_none() && self.beside.revision_before.is_some_and(|before| last.create_revision > before)
    }

    fn looks(&mut self, acknowledged: &[u32], last: Option<&FinalKey>) -> Vec<Look> {
        let mut looks = Vec::new();
        for &at in acknowledged {
            let entry = self.history.at(at);
            let Some(seen) = entry.seen() else { continue };
            let (check, at_revision) = match entry.has_put() {
                true => (Check::CompareAndSwap, entry.revision - 1),
                false => (Check::Reads, entry.revision),
            };
            self.out.of(check).on.add(entry.kind);
            if seen > 0 {
                self.out.of(Check::Origins).on.add(entry.kind);
            }
            looks.push(Look { check, at_revision, seen, by: By::Operation(at) });
        }
        let Some((revision, _)) = self.beside.last else { return looks };
        for &at in acknowledged {
            let entry = self.history.at(at);
            if entry.has_put() || entry.kind == Kind::Delete {
                self.out.of(Check::FinalState).on.add(entry.kind);
            }
        }
        let look = |at_revision, seen| Look { check: Check::FinalState, at_revision, seen, by: By::Final };
        looks.push(look(revision, last.map_or(0, |last| last.mod_revision)));
        // Just before it was created, the key was not there.
        looks.extend(last.filter(|last| last.create_revision > 0).map(|last| look(last.create_revision - 1, 0)));
        looks
    }

    /// The known writes by revision, each once.
    fn known(&self, acknowledged: &[u32], looks: &[Look], last: Option<&FinalKey>) -> Vec<Known> {
        let puts = acknowledged.iter().filter(|&&at| self.history.at(at).has_put());
        let mut known: Vec<Known> = puts
            .map(|&at| Known {
                revision: self.history.at(at).revision,
                acknowledged: Some(at),
                witness: By::Operation(at),
            })
            .collect();
        let seen = looks.iter().filter(|look| look.seen > 0 && look.seen <= look.at_revision);
        known.extend(seen.map(|look| Known { revision: look.seen, acknowledged: None, witness: look.by }));
        known.extend(last.map(|last| Known { revision: last.create_revision, acknowledged: None, witness: By::Final }));
        known.sort_unstable_by_key(|known| (known.revision, known.acknowledged.is_none(), known.witness));
        known.dedup_by_key(|known| known.revision);
        known
    }

    fn walk(&mut self, acknowledged: &[u32], looks: &[Look], known: &[Known], unknown_deletes: &[i64]) {
        let deletes = acknowledged.iter().filter(|&&at| self.history.at(at).kind == Kind::Delete);
        let mut events: Vec<(i64, Event)> =
            known.iter().enumerate().map(|(at, known)| (known.revision, Event::Put(at))).collect();
        events.extend(deletes.map(|&at| (self.history.at(at).revision, Event::Delete(at))));
        events.extend(looks.iter().enumerate().map(|(at, look)| (look.at_revision, Event::Look(at))));
        events.sort_unstable();
        let (mut put, mut deleted): (Option<Known>, Option<u32>) = (None, None);
        let mut vanished: Vec<Vanished> = Vec::new();
        for (revision, event) in events {
            let put_revision = put.map_or(0, |put| put.revision);
            let deleted_revision = deleted.map_or(0, |at| self.history.at(at).revision);
            match event {
                Event::Put(at) => put = Some(known[at]),
                Event::Delete(at) => {
                    let entry = self.history.at(at);
                    if let (true, Some(put)) = (put_revision == revision, put) {
                        let put = self.told(put.witness);
                        self.out
                            .deletes
                            .beside_a_put
                            .add(|| format!("{entry} has a revision that the key's write has: {put}"));
                    }
                    let nobody_else = self.beside.others.is_none()
                        && unknown_deletes.iter().all(|&start_ns| start_ns >= entry.end_ns);
                    if put_revision > deleted_revision && put_revision < revision && nobody_else {
                        self.out.deletes.certain.push(at);
                    }
                    deleted = Some(at);
                }
                Event::Look(at) => {
                    let look = looks[at];
                    if let Some(problem) = self.contradiction(look, put, deleted) {
                        self.out.of(look.check).violations.add(|| problem);
                    } else if let (true, 0, Some(after)) = (put_revision > deleted_revision, look.seen, put) {
                        let before_ns = self.end_ns(look.by);
                        match vanished.last_mut().filter(|last| last.after.revision == after.revision) {
                            Some(last) if last.before_ns <= before_ns => {}
                            Some(last) => *last = Vanished { after, look, before_ns },
                            None => vanished.push(Vanished { after, look, before_ns }),
                        }
                    }
                }
            }
        }
        let needs: Vec<i64> = vanished.iter().map(|vanished| vanished.before_ns).collect();
        for at in left_over(&needs, unknown_deletes) {
            let Vanished { after, look, .. } = &vanished[at];
            if self.beside.others.is_some() {
                self.out.of(look.check).doubtful += 1;
            } else {
                let (by, after) = (self.told(look.by), self.told_write(*after));
                self.out
                    .of(look.check)
                    .violations
                    .add(|| format!("{by} found no key after {after}, and nobody deleted it"));
            }
        }
    }

    /// What no operation with unknown outcome can explain.
    fn contradiction(&self, look: Look, put: Option<Known>, deleted: Option<u32>) -> Option<String> {
        if look.seen <= 0 {
            return None;
        }
        let by = || self.told(look.by);
        if look.seen > look.at_revision {
            return Some(format!("{} saw modification {}, which is later than itself", by(), look.seen));
        }
        if let Some(put) = put.filter(|put| put.revision > look.seen) {
            return Some(format!("{} saw modification {} and not the newer {}", by(), look.seen, self.told_write(put)));
        }
        let deleted = deleted.filter(|&at| self.history.at(at).revision > look.seen)?;
        Some(format!("{} saw modification {}, which {} had deleted", by(), look.seen, self.history.at(deleted)))
    }

    fn end_ns(&self, by: By) -> i64 {
        match by {
            By::Operation(at) => self.history.at(at).end_ns,
            By::Final => i64::MAX,
        }
    }

    fn told(&self, by: By) -> String {
        match by {
            By::Operation(at) => self.history.at(at).to_string(),
            By::Final => "the final state".to_owned(),
        }
    }

    fn told_write(&self, known: Known) -> String {
        match known.acknowledged {
            Some(at) => format!("write of {}", self.history.at(at)),
            None => format!("modification {} that {} saw", known.revision, self.told(known.witness)),
        }
    }

    /// Where writes come from that nobody was acknowledged for.
    fn origins(&mut self, known: &[Known], unknown_puts: &[i64]) {
        let first_write = self.puts.first().map_or(i64::MAX, |&at| self.history.at(at).revision);
        // Without a reading from before the run, whatever is older than the first acknowledged write may be from then.
        let before = self.beside.revision_before.unwrap_or(first_write - 1);
        let (mut wanted, mut needs) = (Vec::new(), Vec::new());
        for known in known.iter().filter(|known| known.acknowledged.is_none() && known.revision > before) {
            if let Some(at) = self.put_at(known.revision) {
                let (by, other) = (self.told(known.witness), self.history.at(at).to_string());
                let tally = self.out.origin(known.witness);
                tally.violations.add(|| format!("{by} saw modification {}, which is {other}", known.revision));
                continue;
            }
            wanted.push(*known);
            needs.push(self.known_before_ns(known.revision));
        }
        let unexplained = left_over(&needs, unknown_puts);
        for (at, known) in wanted.into_iter().enumerate() {
            let tally = self.out.origin(known.witness);
            if !unexplained.contains(&at) {
                tally.of_unknown += 1;
                self.out.of_unknown.push(known.revision);
            } else if self.beside.others.is_some() {
                tally.doubtful += 1;
            } else {
                let by = self.told(known.witness);
                let tally = self.out.origin(known.witness);
                tally
                    .violations
                    .add(|| format!("{by} saw modification {}, which nobody can have written", known.revision));
            }
        }
    }

    /// The acknowledged write that has a revision, whatever its key.
    fn put_at(&self, revision: i64) -> Option<u32> {
        let found = self.puts.binary_search_by_key(&revision, |&at| self.history.at(at).revision);
        found.ok().map(|found| self.puts[found])
    }

    /// When the store is first known to have reached a revision: whoever wrote it had begun by then.
    fn known_before_ns(&self, revision: i64) -> i64 {
        self.bounds.get_or_init(|| Bounds::of(self.history)).first_end_ns(revision)
    }
}

/// The earliest end of an operation that shows a revision or a later one.
#[derive(Debug)]
struct Bounds {
    revisions: Vec<i64>,
    earliest_end_ns: Vec<i64>,
}

impl Bounds {
    fn of(history: &History) -> Self {
        let answered = history.entries.iter().filter(|entry| entry.has_revision());
        let mut ends: Vec<(i64, i64)> = answered.map(|entry| (entry.revision, entry.end_ns)).collect();
        ends.sort_unstable();
        let mut earliest_end_ns: Vec<i64> = ends
            .iter()
            .rev()
            .scan(i64::MAX, |earliest, (_, end_ns)| {
                *earliest = (*earliest).min(*end_ns);
                Some(*earliest)
            })
            .collect();
        earliest_end_ns.reverse();
        Self { revisions: ends.into_iter().map(|(revision, _)| revision).collect(), earliest_end_ns }
    }

    fn first_end_ns(&self, revision: i64) -> i64 {
        let at = self.revisions.partition_point(|&known| known < revision);
        self.earliest_end_ns.get(at).copied().unwrap_or(i64::MAX)
    }
}

/// What is found, check by check.
#[derive(Debug, Default)]
struct Out {
    reads: Tally,
    swaps: Tally,
    origins: Tally,
    last: Tally,
    deletes: Deletes,
    /// Revisions that are laid to writes with unknown outcome.
    of_unknown: Vec<i64>,
}

#[derive(Debug, Default)]
struct Tally {
    on: Counted,
    violations: Violations,
    /// What somebody else may have done.
    doubtful: u64,
    /// What is laid to a write with unknown outcome.
    of_unknown: u64,
}

impl Tally {
    fn finding(self, check: Check, others: Option<&str>) -> Finding {
        let doubtful = self.doubtful;
        let doubt = others.filter(|_| doubtful > 0).map(|others| format!("{doubtful} not explained, but {others}"));
        let finding = Finding::new(check, self.on, self.violations);
        match self.of_unknown {
            0 => finding,
            n => finding.with(format!("{n} of the modifications were writes with unknown outcome")),
        }
        .doubted(doubt)
    }
}

impl Out {
    fn of(&mut self, check: Check) -> &mut Tally {
        match check {
            Check::CompareAndSwap => &mut self.swaps,
            Check::Origins => &mut self.origins,
            Check::FinalState => &mut self.last,
            _ => &mut self.reads,
        }
    }

    fn origin(&mut self, witness: By) -> &mut Tally {
        self.of(if witness == By::Final { Check::FinalState } else { Check::Origins })
    }

    fn judged(mut self, beside: Beside<'_>) -> Judged {
        // One operation writes one key: no two keys can have been written at one revision.
        self.of_unknown.sort_unstable();
        for pair in self.of_unknown.windows(2).filter(|pair| pair[0] == pair[1]) {
            self.origins.violations.add(|| format!("two keys were seen modified at revision {}", pair[0]));
        }
        let Self { reads, swaps, origins, last, deletes, .. } = self;
        let mut findings = vec![
            reads.finding(Check::Reads, beside.others),
            swaps.finding(Check::CompareAndSwap, beside.others),
            origins.finding(Check::Origins, beside.others),
        ];
        if beside.last.is_some() {
            findings.push(last.finding(Check::FinalState, beside.others));
        }
        Judged { findings, deletes }
    }
}
