//! The leader is killed: writes go on through the others, and nothing that was acknowledged is lost. It is started again: it
//! catches up to the same revision and content.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use etcd_client::StatusResponse;
use tokio::sync::watch;

use super::finding::{Finding, Trouble, in_words, names};
use super::member::{Answered, Member, Read};
use super::replication::{caught_up, same_content};
use super::stage::Scene;
use super::together::together;

/// Fewest members of which one can be missed.
const NODES_MIN: usize = 3;
/// How long writes go well before the kill, and after it, so that there is something to lose and something to catch up with.
const STEADY: Duration = Duration::from_millis(500);
/// How long a write may take before it is tried again.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
const WRITE_PAUSE: Duration = Duration::from_millis(5);
/// How long the others may be without a leader: ten times what an election takes by default.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the member may take to answer again, and to catch up.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(10);

/// A write that was acknowledged.
#[derive(Debug, Clone)]
struct Acknowledged {
    key: String,
    revision: i64,
    sent: Instant,
    at: Instant,
}

/// Makes the check.
pub(super) async fn check(scene: &Scene<'_>) -> Finding {
    let Some(control) = &scene.stage.control else {
        return Err(Trouble::NotMade("killing a member needs a cluster that the recorder or Docker keeps up".into()));
    };
    if let Some(absent) = scene.absent.first() {
        return Err(Trouble::NotMade(format!(
            "{} does not answer, and another one must not be killed beside it",
            absent.name
        )));
    }
    if scene.members.len() < NODES_MIN {
        return Err(Trouble::NotMade(format!("{} members cannot do without one", scene.members.len())));
    }
    let known = scene.members[0].member_list().await?;
    if known.len() != scene.members.len() {
        return Err(Trouble::NotMade(format!(
            "{} knows {} members ({}), and {} of them can be asked, so the others could be down already",
            scene.members[0].name,
            known.len(),
            names(known.iter().map(String::as_str)),
            scene.members.len()
        )));
    }
    let before = scene.members[0].put(&scene.key("before"), "before", scene.lease).await?;
    caught_up(&scene.members, before, RECOVERY_TIMEOUT).await?;
    if let Err(Trouble::Failed(failure)) = same_content(&scene.members, before).await {
        return Err(Trouble::NotMade(format!(
            "the members differ already ({}), so whether one catches up could not be told",
            failure.seen
        )));
    }
    let leader = leader(scene).await?;
    let others: Vec<_> = scene.members.iter().filter(|member| member.name != leader.name).cloned().collect();

    let (stop, stopped) = watch::channel(false);
    let (last_sent, last_acknowledged) = watch::channel(HashMap::new());
    let writers = others.iter().map(|member| {
        let place = scene.key(format_args!("{}/", member.name));
        write_until(member.clone(), place, scene.lease, stopped.clone(), last_sent.clone())
    });
    let course = async {
        tokio::time::sleep(STEADY).await;
        let asked = Instant::now();
        control.kill(&leader.name).await.map_err(|error| cannot(&leader.name, "killed", &error))?;
        let killed = Instant::now();
        all_go_on(&others, last_acknowledged, killed, &leader.name).await?;
        tokio::time::sleep(STEADY).await;
        stop.send_replace(true);
        Ok((asked, killed))
    };
    let ((asked, killed), written) = tokio::try_join!(course, together(writers))?;
    let first_after = written.iter().filter_map(|writes| writes.iter().find(|write| write.sent >= killed));
    let outage = first_after.map(|write| write.at - asked).max().unwrap_or_default();
    let written: Vec<_> = written.into_iter().flatten().collect();
    nothing_is_lost(scene, &others, &written).await?;

    control.restore().await.map_err(|error| cannot(&leader.name, "started again", &error))?;
    let restarted = Instant::now();
    answers_again(leader, restarted).await?;
    let revision = leader.put(&scene.key("back"), "back", scene.lease).await?;
    let back = caught_up(&scene.members, revision, RECOVERY_TIMEOUT).await?;
    same_content(&scene.members, revision).await?;
    Ok(format!(
        "{}, which led, was killed: writes through {} went on {} later, and none of {} acknowledged ones is lost; started again, \
         it had caught up {} later",
        leader.name,
        names(others.iter().map(|member| member.name.as_str())),
        in_words(outage),
        written.len(),
        in_words(back.saturating_duration_since(restarted))
    ))
}

fn cannot(member: &str, what: &str, error: &crate::error::Error) -> Trouble {
    Trouble::NotMade(format!("{member} could not be {what}: {error}"))
}

/// The member that leads.
async fn leader<'a>(scene: &'a Scene<'_>) -> Answered<&'a Member> {
    let answers = scene.stage.ask_all().await;
    let statuses = answers.iter().filter_map(|(member, answer)| Some((member, answer.as_ref().ok()?)));
    let newest =
        statuses.clone().filter(|(_, status)| status.leader() != 0).max_by_key(|(_, status)| status.raft_term());
    let id = newest.map(|(_, status)| status.leader());
    let is_it = |status: &StatusResponse| status.header().map(etcd_client::ResponseHeader::member_id) == id;
    let name = statuses.clone().find(|(_, status)| is_it(status)).map(|(member, _)| &member.name);
    let leader = scene.members.iter().find(|member| Some(&member.name) == name);
    leader.ok_or_else(|| Trouble::NotMade("no member leads, so none can be killed that does".into()))
}

/// Writes one key after the other through a member until it is to stop, and returns what was acknowledged. When the last write
/// was sent that came through, `last_sent` says.
async fn write_until(
    member: Member,
    place: String,
    lease: i64,
    stopped: watch::Receiver<bool>,
    last_sent: watch::Sender<HashMap<String, Instant>>,
) -> Answered<Vec<Acknowledged>> {
    let mut written = Vec::new();
    for number in 0.. {
        if *stopped.borrow() {
            break;
        }
        let key = format!("{place}{number:05}");
        let sent = Instant::now();
        // Whether one without an answer was done, nobody can say; the next one has a key of its own.
        if let Ok(Ok(revision)) = tokio::time::timeout(WRITE_TIMEOUT, member.put(&key, "written", lease)).await {
            written.push(Acknowledged { key, revision, sent, at: Instant::now() });
            last_sent.send_modify(|all| {
                all.insert(member.name.clone(), sent);
            });
        }
        tokio::time::sleep(WRITE_PAUSE).await;
    }
    Ok(written)
}

/// Waits until a write came through each of these members that was sent after the kill.
async fn all_go_on(
    others: &[Member],
    mut last_acknowledged: watch::Receiver<HashMap<String, Instant>>,
    killed: Instant,
    leader: &str,
) -> Answered<()> {
    let goes_on =
        |all: &HashMap<String, Instant>, member: &Member| all.get(&member.name).is_some_and(|sent| *sent >= killed);
    let all_go_on = last_acknowledged.wait_for(|all| others.iter().all(|member| goes_on(all, member)));
    if tokio::time::timeout(ELECTION_TIMEOUT, all_go_on).await.is_ok() {
        return Ok(());
    }
    let all = last_acknowledged.borrow();
    let stuck: Vec<_> =
        others.iter().filter(|member| !goes_on(&all, member)).map(|member| member.name.as_str()).collect();
    Err(Trouble::failed(
        format!(
            "writes through every other member within {} of the death of {leader}, which led",
            in_words(ELECTION_TIMEOUT)
        ),
        format!("{}: none was acknowledged", names(stuck.iter().copied())),
        stuck,
    ))
}

/// Every acknowledged write is read through each of these members.
async fn nothing_is_lost(scene: &Scene<'_>, readers: &[Member], written: &[Acknowledged]) -> Answered<()> {
    for reader in readers {
        let shown = reader.get_all(&scene.prefix, Read::Linearizable).await?;
        let shown: HashMap<_, _> = shown.kvs().iter().map(|kv| (kv.key(), kv.mod_revision())).collect();
        let is_there = |write: &&Acknowledged| shown.get(write.key.as_bytes()) == Some(&write.revision);
        let lost: Vec<_> = written.iter().filter(|write| !is_there(write)).collect();
        if let Some(first) = lost.first() {
            return Err(Trouble::failed(
                format!("all {} writes that were acknowledged before and after the death of the leader", written.len()),
                format!(
                    "{}: {} of them are lost, the first one {}, written at revision {}",
                    reader.name,
                    lost.len(),
                    first.key,
                    first.revision
                ),
                [reader.name.as_str()],
            ));
        }
    }
    Ok(())
}

/// Waits until the member that was started again knows a leader.
async fn answers_again(member: &Member, restarted: Instant) -> Answered<()> {
    loop {
        let problem = match member.status().await {
            Ok(status) if status.leader() != 0 => return Ok(()),
            Ok(_) => "it knows no leader".to_owned(),
            Err(problem) => problem,
        };
        if restarted.elapsed() > RECOVERY_TIMEOUT {
            return Err(Trouble::failed(
                format!("{} back in the cluster within {} of its start", member.name, in_words(RECOVERY_TIMEOUT)),
                format!("{}: {problem}", member.name),
                [member.name.as_str()],
            ));
        }
        tokio::time::sleep(POLL).await;
    }
}
