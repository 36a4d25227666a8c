//! Whether the recording is whole: checked row by row while the rows are read.

use run_folder::Operation;
use run_folder::operation::{Kind, Outcome, UNKNOWN};

use super::history::History;
use super::{Check, Counted, Finding, Violations};

/// What the older scripts' files count; `None` for one that is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OlderFiles {
    /// Operations in `latency.log`.
    pub latency: Option<u64>,
    /// Operations in `anomaly.log`.
    pub anomalies: Option<u64>,
    /// Operations in each second of `throughput.csv`.
    pub throughput: Option<Vec<u64>>,
}

/// What a run's rows say; imported ones say less, and what they do not say contradicts nothing.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Number of members; `None` where rows do not say which of them was asked.
    pub members: Option<usize>,
    /// Whether operations that were not acknowledged have a start if they were sent.
    pub starts: bool,
}

/// Rows on their way to a [`History`].
#[derive(Debug)]
pub struct Intake {
    rows: u64,
    known: Known,
    history: History,
    on: Counted,
    seen: Vec<u64>,
    doubled: Violations,
    fields: Violations,
    answers: u64,
    answers_without_revision: u64,
    /// Acknowledged and other operations after time 0, and the acknowledged ones in each second.
    acknowledged: u64,
    others: u64,
    seconds: Vec<u64>,
}

/// No run is longer than a year; an impossible end must not take all memory.
const SECONDS_MAX: i64 = 366 * 24 * 3600;

impl Intake {
    /// For a run of which the manifest says that it has so many rows.
    pub fn new(rows: u64, known: Known) -> Self {
        Self {
            rows,
            known,
            history: History::default(),
            on: Counted::default(),
            seen: Vec::new(),
            doubled: Violations::default(),
            fields: Violations::default(),
            answers: 0,
            answers_without_revision: 0,
            acknowledged: 0,
            others: 0,
            seconds: Vec::new(),
        }
    }

    /// Takes a row in.
    pub fn take(&mut self, row: &Operation) {
        self.on.add(row.kind);
        self.take_number(row.op_id);
        if row.outcome == Outcome::Ok {
            self.answers += 1;
            self.answers_without_revision += u64::from(row.revision.is_none());
        }
        if let Some(problem) = problem(row, self.known) {
            self.fields.add(|| match row.key {
                UNKNOWN => format!("op {} ({}) {problem}", row.op_id, row.kind),
                key => format!("op {} ({} of key {key}) {problem}", row.op_id, row.kind),
            });
        }
        if row.intended_ns >= 0 {
            match row.outcome {
                Outcome::Ok => {
                    self.acknowledged += 1;
                    self.take_second(row.end_ns.div_euclid(1_000_000_000));
                }
                _ => self.others += 1,
            }
        }
        self.history.push(row);
    }

    fn take_second(&mut self, second: i64) {
        if (0..SECONDS_MAX).contains(&second) {
            let second = second as usize;
            if self.seconds.len() <= second {
                self.seconds.resize(second + 1, 0);
            }
            self.seconds[second] += 1;
        }
    }

    fn take_number(&mut self, op_id: i64) {
        // As many numbers as rows: one beyond them means that others are missing.
        let Some(word) = u64::try_from(op_id).ok().filter(|op_id| *op_id < self.rows).map(|op_id| op_id / 64) else {
            self.doubled.add(|| format!("op {op_id} is no number of {} operations", self.rows));
            return;
        };
        let (word, bit) = (word as usize, 1 << (op_id % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            self.doubled.add(|| format!("op {op_id} has more than one row"));
        }
        self.seen[word] |= bit;
    }

    /// The history, and what was found of its recording. `recovered` says that the recorder was killed.
    pub fn finish(self, recovered: bool, older: &OlderFiles) -> (History, Vec<Finding>) {
        let findings = vec![self.rows_finding(recovered), self.fields_finding(), self.older_finding(older)];
        (self.history.sorted(), findings)
    }

    fn rows_finding(&self, recovered: bool) -> Finding {
        let mut violations = self.doubled.clone();
        let counted = self.on.total();
        if counted != self.rows {
            violations.add(|| format!("there are {counted} rows, and the manifest says {}", self.rows));
        }
        let is_there =
            |op_id: u64| self.seen.get((op_id / 64) as usize).is_some_and(|word| word & (1 << (op_id % 64)) != 0);
        let there: u64 = self.seen.iter().map(|word| u64::from(word.count_ones())).sum();
        if there < self.rows {
            let missing = (0..self.rows).filter(|op_id| !is_there(*op_id));
            missing.for_each(|op_id| violations.add(|| format!("op {op_id} has no row")));
        }
        if recovered && violations.count > 0 {
            let why = "the recorder was killed: operations that were under way then have no rows";
            return Finding { on: self.on, ..Finding::not_checkable(Check::Rows, why) };
        }
        Finding::new(Check::Rows, self.on, violations)
    }

    fn fields_finding(&self) -> Finding {
        let mut violations = self.fields.clone();
        // Recordings of older tools have no revisions at all. One that has some has all.
        if self.answers_without_revision > 0 && self.answers_without_revision < self.answers {
            let without = self.answers_without_revision;
            violations.add(|| format!("{without} of {} answers have no revision", self.answers));
        }
        let finding = Finding::new(Check::RowFields, self.on, violations);
        let unknown: Vec<&str> = [
            (self.known.members.is_none(), "which member was asked"),
            (!self.known.starts, "when what failed was sent"),
        ]
        .into_iter()
        .filter_map(|(is_unknown, what)| is_unknown.then_some(what))
        .collect();
        match unknown.is_empty() {
            true => finding,
            false => finding.with(format!("not checked, as it is not known: {}", unknown.join(", "))),
        }
    }

    fn older_finding(&self, older: &OlderFiles) -> Finding {
        let OlderFiles { latency, anomalies, throughput } = older;
        let mut violations = Violations::default();
        let mut compare = |file: &str, found: &Option<u64>, expected: u64| {
            if let Some(found) = found.filter(|found| *found != expected) {
                violations.add(|| format!("{file} has {found} operations where the rows have {expected}"));
            }
        };
        compare("latency.log", latency, self.acknowledged);
        compare("anomaly.log", anomalies, self.others);
        if let Some(throughput) = throughput {
            for second in 0..throughput.len().max(self.seconds.len()) {
                let at = |seconds: &[u64]| seconds.get(second).copied().unwrap_or(0);
                let (found, expected) = (at(throughput), at(&self.seconds));
                if found != expected {
                    violations.add(|| {
                        format!(
                            "throughput.csv has {found} operations in second {second} where the rows have {expected}"
                        )
                    });
                }
            }
        }
        let missing: Vec<&str> = [
            ("latency.log", latency.is_none()),
            ("anomaly.log", anomalies.is_none()),
            ("throughput.csv", throughput.is_none()),
        ]
        .into_iter()
        .filter_map(|(file, is_missing)| is_missing.then_some(file))
        .collect();
        let doubt = (!missing.is_empty()).then(|| format!("not there: {}", missing.join(", ")));
        Finding::new(Check::OlderFiles, self.on, violations).doubted(doubt)
    }
}

/// What does not fit together in a row.
fn problem(row: &Operation, known: Known) -> Option<String> {
    let Operation { intended_ns, start_ns, end_ns, outcome, .. } = *row;
    let is_ok = outcome == Outcome::Ok;
    if let Some(start_ns) = start_ns.filter(|start_ns| *start_ns < intended_ns || *start_ns > end_ns) {
        return Some(format!("was due at {intended_ns} ns, sent at {start_ns} ns and over at {end_ns} ns"));
    }
    if end_ns < intended_ns {
        return Some(format!("was over at {end_ns} ns, before it was due at {intended_ns} ns"));
    }
    let is_start_known = known.starts || is_ok || start_ns.is_some();
    if is_start_known && start_ns.is_none() != (outcome == Outcome::Unsent) {
        return Some(format!(
            "has outcome {outcome} and {}",
            if start_ns.is_none() { "was never sent" } else { "was sent" }
        ));
    }
    if is_ok != row.error.is_none() {
        return Some(format!(
            "has outcome {outcome} and {}",
            row.error.map_or("no error".to_owned(), |error| format!("error {error}"))
        ));
    }
    let has_answer = row.revision.or(row.raft_term).or(row.seen_mod_revision).is_some()
        || row.txn_succeeded.is_some()
        || row.member.is_some();
    if !is_ok {
        return has_answer.then(|| format!("has outcome {outcome} and an answer"));
    }
    if row.revision.is_some_and(|revision| revision <= 0) || row.raft_term.is_some_and(|term| term < 0) {
        return Some("has an answer without a revision".to_owned());
    }
    if row.revision.is_some() {
        let saw = row.seen_mod_revision.is_some();
        let fits = match row.kind {
            Kind::Put | Kind::Delete => !saw && row.txn_succeeded.is_none(),
            Kind::Get | Kind::GetSerializable => saw && row.txn_succeeded.is_none(),
            // Older recorders did not say what a comparison that held had seen.
            Kind::Txn => row.txn_succeeded.is_some_and(|succeeded| saw || succeeded),
        };
        if !fits {
            return Some("says of reading or comparing what its kind cannot, or not what it must".to_owned());
        }
    }
    let members = known.members?;
    let named = [Some(row.endpoint), row.member].into_iter().flatten();
    let unknown = named.into_iter().find(|member| usize::from(*member) >= members)?;
    Some(format!("names member {unknown} of {members}"))
}
