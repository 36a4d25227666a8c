//! Asking whichever member answers: for what is done before and after a workload and is no part of it. Operations never do
//! this: they ask one member, and have a row whatever it says.

use std::time::Duration;

use etcd_client::KvClient;

use crate::cluster::member_status::reason;

/// How long one member may take to answer one question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Members that are asked one after the other, the one that answered last first.
#[derive(Clone)]
pub(super) struct InTurn {
    members: Vec<KvClient>,
    next: usize,
}

impl InTurn {
    pub(super) fn new(members: Vec<KvClient>) -> Self {
        Self { members, next: 0 }
    }

    /// The first answer that a member gives.
    ///
    /// # Errors
    /// What the last member said when none gives one.
    pub(super) async fn ask<T, Asked>(&mut self, question: impl Fn(KvClient) -> Asked) -> Result<T, String>
    where
        Asked: Future<Output = Result<T, etcd_client::Error>>,
    {
        let mut problem = "there is no member".to_owned();
        for _ in 0..self.members.len() {
            match tokio::time::timeout(ANSWER_TIMEOUT, question(self.members[self.next].clone())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => problem = reason(&error),
                Err(_) => problem = format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()),
            }
            self.next = (self.next + 1) % self.members.len();
        }
        Err(problem)
    }
}
