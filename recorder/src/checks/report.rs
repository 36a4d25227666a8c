//! What is told of a test: a line for each check as it is made, or one JSON object at the end.

use std::time::Duration;

use serde::Serialize;

use super::finding::{Finding, Trouble, names};
use super::subject::Subject;
use crate::cli::checks::CheckName;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// All is well.
    Passed,
    /// The cluster does not do what it should.
    Failed,
    /// It could not be made.
    NotMade,
    /// It was to be left out.
    Skipped,
}

/// A check that was made, or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Made {
    name: String,
    /// How it ended.
    #[serde(rename = "result")]
    pub(super) verdict: Verdict,
    seconds: f64,
    detail: String,
    expected: Option<String>,
    seen: Option<String>,
    members: Vec<String>,
}

impl Made {
    /// A check that was left out.
    pub(super) fn skipped(check: CheckName) -> Self {
        Self::new(check, Verdict::Skipped, Duration::ZERO, "left out by --skip".into())
    }

    /// A check that found this.
    pub(super) fn of(check: CheckName, finding: Finding, took: Duration) -> Self {
        match finding {
            Ok(detail) => Self::new(check, Verdict::Passed, took, detail),
            Err(Trouble::NotMade(why)) => Self::new(check, Verdict::NotMade, took, why),
            Err(Trouble::Failed(failure)) => {
                let at = if failure.members.is_empty() {
                    "the cluster"
                } else {
                    &names(failure.members.iter().map(String::as_str))
                };
                let made = Self::new(check, Verdict::Failed, took, format!("at {at}"));
                Self { expected: Some(failure.expected), seen: Some(failure.seen), members: failure.members, ..made }
            }
        }
    }

    /// The same, made for the second time because the leader of this term was elected during the first.
    pub(super) fn made_again(mut self, term: u64) -> Self {
        self.detail += &format!(" (made twice: a leader was elected during the first time, in term {term})");
        self
    }

    fn new(check: CheckName, verdict: Verdict, took: Duration, detail: String) -> Self {
        // Milliseconds are as exact as is worth reading.
        let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
        Self { name: check.to_string(), verdict, seconds, detail, expected: None, seen: None, members: Vec::new() }
    }
}

/// Columns before what was expected and seen.
const INDENT: usize = 20;

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = match self.verdict {
            Verdict::Passed => "ok",
            Verdict::Failed => "FAILED",
            Verdict::NotMade => "not made",
            Verdict::Skipped => "skipped",
        };
        write!(f, "{word:8}  {:14}  {:>5.1} s  {}", self.name, self.seconds, self.detail)?;
        for (what, text) in [("expected", &self.expected), ("seen", &self.seen)] {
            if let Some(text) = text {
                // What is quoted of a log has several lines.
                let text = text.replace('\n', &format!("\n{:INDENT$}", ""));
                write!(f, "\n{:10}{what:8}  {text}", "")?;
            }
        }
        Ok(())
    }
}

/// A whole test.
#[derive(Debug, Serialize)]
pub(super) struct Tested<'a> {
    /// Whether every check that was to be made passed.
    pub(super) passed: bool,
    cluster: ClusterTold<'a>,
    checks: &'a [Made],
}

#[derive(Debug, Serialize)]
struct ClusterTold<'a> {
    backend: &'a str,
    etcd_version: Option<&'a str>,
    nodes: Vec<NodeTold<'a>>,
}

#[derive(Debug, Serialize)]
struct NodeTold<'a> {
    name: &'a str,
    endpoint: Option<&'a str>,
}

impl<'a> Tested<'a> {
    /// The test of this cluster.
    pub(super) fn new(subject: &'a Subject, etcd_version: Option<&'a str>, checks: &'a [Made]) -> Self {
        let node = |node: &'a super::subject::Node| NodeTold { name: &node.name, endpoint: node.endpoint.as_deref() };
        let nodes = subject.nodes.iter().map(node).collect();
        Self {
            passed: is_passed(checks),
            cluster: ClusterTold { backend: subject.backend.as_str(), etcd_version, nodes },
            checks,
        }
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("it has only string keys")
    }
}

/// Whether every check that was to be made passed, and there was one.
fn is_passed(checks: &[Made]) -> bool {
    checks.iter().all(|made| matches!(made.verdict, Verdict::Passed | Verdict::Skipped))
        && checks.iter().any(|made| made.verdict == Verdict::Passed)
}

/// The test in a sentence.
pub(super) fn summary(checks: &[Made]) -> String {
    let of = |verdict| {
        let those: Vec<_> =
            checks.iter().filter(|made| made.verdict == verdict).map(|made| made.name.as_str()).collect();
        (those.len(), those.join(", "))
    };
    let (passed, _) = of(Verdict::Passed);
    let mut text = format!("{passed} of {} checks passed", checks.len());
    for (verdict, word) in [(Verdict::Failed, "failed"), (Verdict::NotMade, "not made"), (Verdict::Skipped, "skipped")]
    {
        let (count, those) = of(verdict);
        if count > 0 {
            text += &format!("; {word}: {those}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Vec<Made> {
        let second = Duration::from_millis(1_234);
        vec![
            Made::of(CheckName::Members, Ok("3 members agree".into()), second),
            Made::of(
                CheckName::Replication,
                Err(Trouble::failed("one hash", "etcd1: another\n  quoted", ["etcd1"])),
                second,
            ),
            Made::of(CheckName::MemberFailure, Err(Trouble::NotMade("nobody can".into())), Duration::ZERO),
            Made::skipped(CheckName::Lease),
        ]
    }

    #[test]
    fn a_check_is_a_line_and_a_failure_says_what_was_expected_and_seen() {
        let lines: Vec<_> = made().iter().map(ToString::to_string).collect();
        let expected = "\
ok        members           1.2 s  3 members agree
FAILED    replication       1.2 s  at etcd1
          expected  one hash
          seen      etcd1: another
                      quoted
not made  member-failure    0.0 s  nobody can
skipped   lease             0.0 s  left out by --skip";
        assert_eq!(lines.join("\n"), expected);
        assert_eq!(
            summary(&made()),
            "1 of 4 checks passed; failed: replication; not made: member-failure; skipped: lease"
        );
    }

    #[test]
    fn what_was_not_made_has_not_passed() {
        let made = made();
        assert!(is_passed(&[made[0].clone()]) && is_passed(&[made[0].clone(), made[3].clone()]));
        for wrong in [
            vec![made[0].clone(), made[1].clone()],
            vec![made[0].clone(), made[2].clone()],
            vec![made[3].clone()],
            vec![],
        ] {
            assert!(!is_passed(&wrong), "{wrong:?}");
        }
    }

    #[test]
    fn the_keys_of_the_object_are_stable() {
        let node = super::super::subject::Node {
            name: "etcd0".into(),
            endpoint: Some("http://localhost:2379".into()),
            address: None,
            problem: None,
        };
        let subject =
            Subject { backend: run_folder::spec::Backend::Sandbox, nodes: vec![node], kept: None, is_ours: true };
        let made = made();
        let json: serde_json::Value =
            serde_json::from_str(&Tested::new(&subject, Some("3.4.23"), &made).json()).unwrap();
        let expected = serde_json::json!({
            "passed": false,
            "cluster": {
                "backend": "sandbox",
                "etcd_version": "3.4.23",
                "nodes": [{ "name": "etcd0", "endpoint": "http://localhost:2379" }],
            },
            "checks": [
                { "name": "members", "result": "passed", "seconds": 1.234, "detail": "3 members agree",
                  "expected": null, "seen": null, "members": [] },
                { "name": "replication", "result": "failed", "seconds": 1.234, "detail": "at etcd1",
                  "expected": "one hash", "seen": "etcd1: another\n  quoted", "members": ["etcd1"] },
                { "name": "member-failure", "result": "not_made", "seconds": 0.0, "detail": "nobody can",
                  "expected": null, "seen": null, "members": [] },
                { "name": "lease", "result": "skipped", "seconds": 0.0, "detail": "left out by --skip",
                  "expected": null, "seen": null, "members": [] },
            ],
        });
        assert_eq!(json, expected);
    }
}
