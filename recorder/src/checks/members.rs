//! Every member answers, all agree on one leader and term, there are as many as expected, and none raises an alarm.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use etcd_client::StatusResponse;

use super::finding::{Failure, Finding, Trouble, names};
use super::stage::Stage;

/// How long a cluster may be electing a leader when the check begins.
const SETTLING_TIMEOUT: Duration = Duration::from_secs(5);
const SETTLING_POLL: Duration = Duration::from_millis(100);

/// A member, and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    name: String,
    answer: Result<Status, String>,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Status {
    cluster: u64,
    id: u64,
    leader: u64,
    term: u64,
    alarms: Vec<String>,
    /// All members that it knows.
    list: Vec<String>,
}

/// Makes the check.
pub(super) async fn check(stage: &Stage) -> Finding {
    let deadline = Instant::now() + SETTLING_TIMEOUT;
    loop {
        let said = ask(stage).await;
        match judge(&said, stage.nodes) {
            Ok(detail) => return Ok(detail),
            // Electing a leader takes its time, being dead does not end.
            Err(_) if Instant::now() > deadline => {
                let said = explained(stage, said).await;
                return judge(&said, stage.nodes).map_err(Trouble::Failed);
            }
            Err(_) => tokio::time::sleep(SETTLING_POLL).await,
        }
    }
}

async fn ask(stage: &Stage) -> Vec<Said> {
    let unreachable = stage.unreachable.iter();
    let mut all: Vec<_> =
        unreachable.map(|member| Said { name: member.name.clone(), answer: Err(member.why.clone()) }).collect();
    for (member, answer) in stage.ask_all().await {
        let answer = match answer {
            Ok(status) => {
                member.member_list().await.map(|list| Status::of(&status, list)).map_err(|trouble| match trouble {
                    Trouble::Failed(failure) => failure.seen,
                    Trouble::NotMade(why) => why,
                })
            }
            Err(why) => Err(why),
        };
        all.push(Said { name: member.name.clone(), answer });
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// With the reason why a member does not answer, where whatever keeps the cluster up knows it.
async fn explained(stage: &Stage, mut said: Vec<Said>) -> Vec<Said> {
    let Some(control) = &stage.control else { return said };
    let problems = control.problems().await;
    stage.note_problems(&problems);
    for Said { name, answer } in &mut said {
        if let (Err(why), Some(problem)) = (answer, problems.get(name))
            && why != problem
        {
            *why = format!("{why}; {problem}");
        }
    }
    said
}

impl Status {
    fn of(status: &StatusResponse, list: Vec<String>) -> Self {
        let header = status.header();
        // That there is no leader is among them, and seen already.
        let alarms = status.errors().iter().filter(|error| !error.contains("no leader")).cloned().collect();
        Self {
            cluster: header.map_or(0, etcd_client::ResponseHeader::cluster_id),
            id: header.map_or(0, etcd_client::ResponseHeader::member_id),
            leader: status.leader(),
            term: status.raft_term(),
            alarms,
            list,
        }
    }
}

/// Whether all is well, by what the members say.
fn judge(said: &[Said], nodes: usize) -> Result<String, Failure> {
    let mut problems: Vec<(String, Vec<&str>)> = Vec::new();
    let answered: Vec<_> =
        said.iter().filter_map(|said| Some((said.name.as_str(), said.answer.as_ref().ok()?))).collect();
    let name_of = |id: u64| answered.iter().find(|(_, status)| status.id == id).map(|(name, _)| *name);
    for said in said {
        if let Err(why) = &said.answer {
            problems.push((format!("{}: {why}", said.name), vec![&said.name]));
        }
    }
    for (at, (name, status)) in answered.iter().enumerate() {
        if let Some((twin, _)) = answered[..at].iter().find(|(_, other)| other.id == status.id) {
            problems.push((format!("{twin} and {name} are the same member"), vec![*twin, *name]));
        }
        if status.leader == 0 {
            problems.push((format!("{name} knows no leader"), vec![*name]));
        }
        if status.list.len() != nodes {
            let list = names(status.list.iter().map(String::as_str));
            problems.push((format!("{name} knows {} members ({list})", status.list.len()), vec![*name]));
        }
        problems.extend(status.alarms.iter().map(|alarm| (format!("{name}: {alarm}"), vec![*name])));
    }
    let clusters: BTreeSet<_> = answered.iter().map(|(_, status)| status.cluster).collect();
    if clusters.len() > 1 {
        problems.push((format!("they are of {} clusters", clusters.len()), Vec::new()));
    }
    let led: Vec<_> = answered.iter().filter(|(_, status)| status.leader != 0).collect();
    let views: BTreeSet<_> = led.iter().map(|(_, status)| (status.leader, status.term)).collect();
    if views.len() > 1 {
        let view = |(name, status): &&(&str, &Status)| {
            let leader = name_of(status.leader).map_or_else(|| format!("{:x}", status.leader), str::to_owned);
            format!("{name} says that {leader} leads in term {}", status.term)
        };
        let views: Vec<_> = led.iter().map(view).collect();
        problems.push((views.join(", "), led.iter().map(|(name, _)| *name).collect()));
    }
    match (problems.is_empty(), views.first()) {
        (true, Some((leader, term))) => {
            let leader = name_of(*leader).map_or_else(|| format!("member {leader:x}"), str::to_owned);
            Ok(format!("{nodes} members agree that {leader} leads in term {term}, none raises an alarm"))
        }
        _ => {
            let members: BTreeSet<_> =
                problems.iter().flat_map(|(_, members)| members).map(|name| (*name).to_owned()).collect();
            Err(Failure {
                expected: format!("{nodes} members that answer, agree on one leader and term, and raise no alarm"),
                seen: problems.into_iter().map(|(problem, _)| problem).collect::<Vec<_>>().join("; "),
                members: members.into_iter().collect(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(index: u64, leader: u64, term: u64) -> Said {
        let list = (0..3).map(|index| format!("etcd{index}")).collect();
        let status = Status { cluster: 7, id: 10 + index, leader, term, alarms: Vec::new(), list };
        Said { name: format!("etcd{index}"), answer: Ok(status) }
    }

    fn healthy() -> [Said; 3] {
        [said(0, 11, 4), said(1, 11, 4), said(2, 11, 4)]
    }

    fn failure(change: impl FnOnce(&mut [Said; 3])) -> (String, Vec<String>) {
        let mut all = healthy();
        change(&mut all);
        let failure = judge(&all, 3).expect_err("something is wrong");
        (failure.seen, failure.members)
    }

    fn status(said: &mut Said) -> &mut Status {
        said.answer.as_mut().unwrap()
    }

    #[test]
    fn agreement_passes() {
        assert_eq!(judge(&healthy(), 3).unwrap(), "3 members agree that etcd1 leads in term 4, none raises an alarm");
    }

    #[test]
    fn each_trouble_names_its_members() {
        let (seen, members) = failure(|all| all[2].answer = Err("no answer within 2 s".into()));
        assert_eq!((seen.as_str(), members), ("etcd2: no answer within 2 s", vec!["etcd2".to_owned()]));
        let (seen, members) = failure(|all| status(&mut all[0]).leader = 0);
        assert_eq!((seen.as_str(), members), ("etcd0 knows no leader", vec!["etcd0".to_owned()]));
        let (seen, _) = failure(|all| (status(&mut all[0]).leader, status(&mut all[0]).term) = (12, 5));
        assert!(seen.starts_with("etcd0 says that etcd2 leads in term 5, etcd1 says that etcd1"), "{seen}");
        let (seen, members) = failure(|all| status(&mut all[1]).alarms.push("memberID:11 alarm:NOSPACE".into()));
        assert_eq!((seen.as_str(), members), ("etcd1: memberID:11 alarm:NOSPACE", vec!["etcd1".to_owned()]));
        let (seen, members) = failure(|all| status(&mut all[1]).id = 10);
        assert_eq!(members, ["etcd0", "etcd1"]);
        assert!(seen.contains("etcd0 and etcd1 are the same member"), "{seen}");
        let (seen, _) = failure(|all| status(&mut all[1]).cluster = 8);
        assert_eq!(seen, "they are of 2 clusters");
        let (seen, _) = failure(|all| {
            status(&mut all[2]).list.pop();
        });
        assert_eq!(seen, "etcd2 knows 2 members (etcd0, etcd1)");
    }

    #[test]
    fn nobody_is_not_everybody() {
        assert!(judge(&[], 0).is_err());
    }
}
