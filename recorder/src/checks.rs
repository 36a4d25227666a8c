//! `recorder test`: whether a cluster does what etcd promises. [`carry_out`] is the whole test on one screen; each check is a
//! file of its own that acts on a [`stage`], and says what it found.

mod consistency;
mod control;
mod finding;
mod lease;
mod member;
mod member_failure;
mod members;
mod plan;
mod replication;
mod report;
mod stage;
mod subject;
mod together;
mod transaction;
mod watch;

use std::time::{Duration, Instant};

use clap::ValueEnum as _;
use tokio::sync::watch::Receiver;

use crate::cli::checks::{CheckName, TestCommand};
use crate::cli::kept::KeptKind;
use crate::error::{Error, Result, exit_code};
use crate::kept::containers;
use crate::{signals, terminal};
use finding::{Finding, Trouble, in_words, names};
use plan::TestPlan;
use report::{Made, Tested, Verdict};
use stage::Stage;
use subject::Subject;

/// Signals that have come so far.
type Signals = Receiver<Vec<&'static str>>;

/// Time in which signals are one: `timeout` sends each to its command and to the group that this is in.
const ONE_SIGNAL: Duration = Duration::from_millis(200);

/// Makes the test, and returns the exit code. Must be called while the process has a single thread.
///
/// # Errors
/// What keeps it from being made.
pub fn carry_out(typed: &TestCommand) -> Result<u8> {
    if typed.cleanup {
        return subject::remove(plan::kept_kind(typed.cluster)).map(|()| 0);
    }
    let plan = TestPlan::new(typed)?;
    let subject = Subject::find(&plan)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::environment(format!("the runtime cannot be started: {error}")))?;
    let code = runtime.block_on(async {
        let signals = signals::install_counting()?;
        tokio::select! {
            code = test_and_remove(&plan, &subject, signals.clone()) => code,
            () = second(signals) => Err(Error::Interrupted(ended_at_once(&subject))),
        }
    });
    // What is still being done to a member is not waited for at the second signal.
    runtime.shutdown_background();
    code
}

async fn test_and_remove(plan: &TestPlan, subject: &Subject, signals: Signals) -> Result<u8> {
    let code = test(plan, subject, signals).await;
    let (true, Some(cluster)) = (plan.once, subject.kept) else {
        if subject.is_ours {
            terminal::line("the cluster stays up; `recorder test --cleanup` removes it");
        }
        return code;
    };
    match (code, remove(cluster).await) {
        (code, Ok(())) => code,
        (Ok(_), Err(error)) => Err(error),
        // Both are worth knowing; the first one says how the test ended.
        (Err(first), Err(error)) => {
            terminal::error(&error);
            Err(first)
        }
    }
}

async fn remove(cluster: KeptKind) -> Result<()> {
    let removed = tokio::task::spawn_blocking(move || subject::remove(cluster)).await;
    removed.unwrap_or_else(|error| Err(Error::run(format!("the cluster could not be removed: {error}"))))
}

/// Makes every check that is to be made, and tells of it.
async fn test(plan: &TestPlan, subject: &Subject, signals: Signals) -> Result<u8> {
    let stage = Stage::of(subject).await?;
    let version = tokio::select! {
        version = version_of(&stage, plan, subject) => version?,
        () = come(signals.clone(), 1) => return Err(interrupted(&signals)),
    };
    let tell = |text: &dyn std::fmt::Display| if plan.json { terminal::line(text) } else { terminal::data(text) };
    for (number, node) in subject.nodes.iter().enumerate() {
        let (number, name) = (number + 1, &node.name);
        match &node.endpoint {
            Some(endpoint) => tell(&format_args!("Node {number}: {endpoint}  {name}")),
            None => tell(&format_args!("Node {number}: not to be reached  {name}")),
        }
    }
    // What is done to containers here and what a run does to them would falsify each other.
    let claim = if subject.kept == Some(KeptKind::Docker) { containers::claim(subject::SESSION).await? } else { None };
    let (mut made, mut term) = (Vec::new(), stage.term().await);
    for check in CheckName::value_variants() {
        let mut one = make(*check, plan, &stage, &signals).await;
        if one.verdict == Verdict::Failed && is_disturbed_by_elections(*check) {
            // An election may lose answers, and is no fault of what was checked.
            let term_before = std::mem::replace(&mut term, stage.term().await);
            if term > term_before && signals.borrow().is_empty() {
                one = make(*check, plan, &stage, &signals).await.made_again(term);
            }
        }
        tell(&one);
        made.push(one);
    }
    stage.clear().await;
    if let Some((engine, claim)) = claim
        && let Err(error) = engine.release(claim).await
    {
        // It holds nobody up: a claim whose recorder is gone is taken away by the next one.
        terminal::line(format_args!("recorder: warning: {error}"));
    }
    let tested = Tested::new(subject, version.as_deref(), &made);
    terminal::line(report::summary(&made));
    if plan.json {
        terminal::data(tested.json());
    }
    match (signals.borrow().is_empty(), tested.passed) {
        (false, _) => Err(interrupted(&signals)),
        (true, true) => Ok(0),
        (true, false) => Ok(exit_code::RUN_FAILED),
    }
}

/// What the members say of their version.
///
/// # Errors
/// [`Error::Environment`] when none of somebody else's answers, or it is another one than was asked for.
async fn version_of(stage: &Stage, plan: &TestPlan, subject: &Subject) -> Result<Option<String>> {
    let (mut versions, mut silent) = (Vec::new(), Vec::new());
    for (member, answer) in stage.ask_all().await {
        match answer {
            Ok(status) => versions.push((member.name.clone(), status.version().to_owned())),
            Err(why) => silent.push(format!("{}: {why}", member.name)),
        }
    }
    // Members of a cluster that is kept up are known to be there, and to be the trouble.
    if versions.is_empty() && subject.kept.is_none() {
        return Err(Error::environment(format!("--endpoints: none of them answers\n  {}", silent.join("\n  "))));
    }
    if let Some(asked) = &plan.etcd_version
        && let Some((name, other)) = versions.iter().find(|(_, version)| version != asked.trim_start_matches('v'))
    {
        let instead =
            if subject.is_ours { "; end that cluster by `recorder down`, or leave the version out" } else { "" };
        return Err(Error::environment(format!(
            "{name} is etcd {other}, but --etcd-version or $ETCD_VERSION asks for {asked}{instead}"
        )));
    }
    Ok(versions.into_iter().next().map(|(_, version)| version))
}

/// Makes one check, within its time, until a signal comes; a member that it killed is started again in any case.
async fn make(check: CheckName, plan: &TestPlan, stage: &Stage, signals: &Signals) -> Made {
    if plan.skipped.contains(&check) {
        return Made::skipped(check);
    }
    let began = Instant::now();
    let finding = tokio::select! {
        biased;
        () = come(signals.clone(), 1) => {
            Err(Trouble::NotMade(format!("interrupted by {}", signals.borrow().first().unwrap_or(&"a signal"))))
        }
        found = tokio::time::timeout(deadline(check), find(check, stage)) => found.unwrap_or_else(|_| {
            let expected = format!("an end of this check within {}", in_words(deadline(check)));
            Err(Trouble::failed(expected, "it was still under way", []))
        }),
    };
    let took = began.elapsed();
    let finding = match &stage.control {
        Some(control) => match control.restore().await {
            Ok(()) => finding,
            Err(error) => {
                Err(Trouble::failed("every member up again at the end", error.to_string(), control.down().as_deref()))
            }
        },
        None => finding,
    };
    Made::of(check, finding, took)
}

/// Whether a check that failed is made again when a leader was elected meanwhile: those that ask much of a leader, and are not about
/// elections themselves.
fn is_disturbed_by_elections(check: CheckName) -> bool {
    !matches!(check, CheckName::Members | CheckName::MemberFailure)
}

/// How long a check may take in all. Each call in it has a deadline of its own, so that it usually ends long before.
fn deadline(check: CheckName) -> Duration {
    Duration::from_secs(match check {
        CheckName::Members => 15,
        CheckName::Consistency | CheckName::Replication | CheckName::Transaction | CheckName::Watch => 30,
        // Times to live are the cluster's choice.
        CheckName::Lease => 45,
        CheckName::MemberFailure => 60,
    })
}

/// What the check finds. What held, but not on every member, is not made.
async fn find(check: CheckName, stage: &Stage) -> Finding {
    if check == CheckName::Members {
        return members::check(stage).await;
    }
    let scene = stage.scene(check).await?;
    let detail = match check {
        CheckName::Members => unreachable!("made above"),
        CheckName::Consistency => consistency::check(&scene).await,
        CheckName::Replication => replication::check(&scene).await,
        CheckName::Lease => lease::check(&scene).await,
        CheckName::Transaction => transaction::check(&scene).await,
        CheckName::Watch => watch::check(&scene).await,
        CheckName::MemberFailure => member_failure::check(&scene).await,
    }?;
    let Some(first) = scene.absent.first() else { return Ok(detail) };
    let absent = names(scene.absent.iter().map(|absent| absent.name.as_str()));
    let present = names(scene.members.iter().map(|member| member.name.as_str()));
    let why = if scene.absent.len() == 1 { format!(" ({})", first.why) } else { String::new() };
    Err(Trouble::NotMade(format!("without {absent}, which could not be asked{why}; on {present} it held: {detail}")))
}

/// Waits until so many signals have come.
async fn come(mut signals: Signals, count: usize) {
    if signals.wait_for(|seen| seen.len() >= count).await.is_err() {
        // Nobody sends any more; then none comes.
        std::future::pending().await
    }
}

/// Waits until a signal comes that was meant as the second one.
async fn second(signals: Signals) {
    come(signals.clone(), 1).await;
    tokio::time::sleep(ONE_SIGNAL).await;
    let first = signals.borrow().len();
    come(signals, first + 1).await;
}

fn interrupted(signals: &Signals) -> Error {
    Error::Interrupted(format!("interrupted by {}", signals.borrow().first().unwrap_or(&"a signal")))
}

fn ended_at_once(subject: &Subject) -> String {
    let mut text = "ended at once; the test's keys go by themselves within minutes".to_owned();
    if subject.kept.is_some() {
        text += ", and a member that it killed may be down: `recorder status` shows it, `recorder restart MEMBER` starts it";
    }
    if subject.is_ours {
        text += "; `recorder test --cleanup` removes the cluster";
    }
    text
}
