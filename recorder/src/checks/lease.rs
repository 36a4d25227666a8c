//! A lease's key lives as long as the lease does: for its time to live, longer when it is kept alive, and no longer once it
//! is revoked.

use std::time::{Duration, Instant};

use super::finding::{Finding, Trouble, in_words};
use super::member::{Answered, Member, Read};
use super::stage::Scene;

/// Time to live that is asked for; etcd grants no less than one and a half election timeouts, which is this by default.
const TTL_S: i64 = 2;
/// Longest one that a test waits for.
const TTL_S_MAX: i64 = 10;
/// How much later than its time a key may go: members look for leases that have run out twice a second, and removing the key
/// is a write.
const LATENESS_MAX: Duration = Duration::from_secs(3);
/// How often a lease is kept alive within its time to live.
const KEEP_ALIVES: u32 = 3;
/// How long, in times to live, it is kept alive.
const KEPT_TIMES: u32 = 2;
const POLL: Duration = Duration::from_millis(50);

/// Makes the check: one lease runs out, one is kept alive beyond its time, one is revoked, each through other members.
pub(super) async fn check(scene: &Scene<'_>) -> Finding {
    let [first, second, third] = [0, 1, 2].map(|number| &scene.members[number % scene.members.len()]);
    let (expired, kept, ()) = tokio::try_join!(
        runs_out(scene, first, second),
        is_kept_alive(scene, second, third),
        is_revoked(scene, third, first)
    )?;
    Ok(format!(
        "a key lived its {} s and went {} later; one was kept alive for {}; one went when it was revoked",
        expired.ttl_s,
        in_words(expired.late),
        in_words(kept)
    ))
}

/// How a lease ran out.
struct Expired {
    ttl_s: i64,
    late: Duration,
}

async fn granted(scene: &Scene<'_>, member: &Member, name: &str) -> Answered<(String, i64, i64)> {
    let key = scene.key(name);
    let (id, ttl_s) = scene.stage.lease(member, TTL_S).await?;
    if ttl_s > TTL_S_MAX {
        return Err(Trouble::NotMade(format!(
            "the shortest lease of this cluster lasts {ttl_s} s (one and a half election timeouts), longer than this check may take"
        )));
    }
    member.put(&key, "on a lease", id).await?;
    Ok((key, id, ttl_s))
}

/// Reads the key through a member, and whether it is there.
async fn is_there(member: &Member, key: &str) -> Answered<bool> {
    Ok(!member.get(key, Read::Linearizable).await?.kvs().is_empty())
}

async fn runs_out(scene: &Scene<'_>, member: &Member, reader: &Member) -> Answered<Expired> {
    let asked = Instant::now();
    let (key, id, ttl_s) = granted(scene, member, "runs-out").await?;
    let granted = Instant::now();
    let known = reader.time_to_live(id).await?;
    if !known.keys().iter().any(|its| its.as_slice() == key.as_bytes()) || known.ttl() > ttl_s {
        return Err(Trouble::failed(
            format!("a lease of at most {ttl_s} s with the key {key}"),
            format!("{}: {} s left and {} keys", reader.name, known.ttl(), known.keys().len()),
            [reader.name.as_str()],
        ));
    }
    loop {
        let is_there = is_there(reader, &key).await?;
        let expiry = Expiry {
            ttl: Duration::from_secs(ttl_s.unsigned_abs()),
            earliest: asked.elapsed(),
            latest: granted.elapsed(),
        };
        match expiry.judge(is_there).map_err(|(expected, seen)| {
            Trouble::failed(expected, format!("{}: {seen}", reader.name), [reader.name.as_str()])
        })? {
            Some(late) => return Ok(Expired { ttl_s, late }),
            None => tokio::time::sleep(POLL).await,
        }
    }
}

/// The times at which a key on a lease is looked for.
struct Expiry {
    ttl: Duration,
    /// Since the lease was asked for: it cannot have begun before that.
    earliest: Duration,
    /// Since it was granted: it cannot have begun after that.
    latest: Duration,
}

impl Expiry {
    /// By how much the key was late when it had gone, `None` while it is there by right; what was expected, and what was seen,
    /// when it went too early or stays too long.
    fn judge(&self, is_there: bool) -> Result<Option<Duration>, (String, String)> {
        let expected = || {
            format!(
                "a key that goes between {0} and {1} after its lease began",
                in_words(self.ttl),
                in_words(self.ttl + LATENESS_MAX)
            )
        };
        match is_there {
            false if self.earliest < self.ttl => {
                Err((expected(), format!("it had gone after {}", in_words(self.earliest))))
            }
            false => Ok(Some(self.latest.saturating_sub(self.ttl))),
            true if self.latest > self.ttl + LATENESS_MAX => {
                Err((expected(), format!("it was still there after {}", in_words(self.latest))))
            }
            true => Ok(None),
        }
    }
}

/// Returns how long it was kept.
async fn is_kept_alive(scene: &Scene<'_>, member: &Member, reader: &Member) -> Answered<Duration> {
    let (key, id, ttl_s) = granted(scene, member, "kept-alive").await?;
    let began = Instant::now();
    let ttl = Duration::from_secs(ttl_s.unsigned_abs());
    let mut keeping = member.keep_alive(id).await?;
    let mut sent = began;
    while began.elapsed() < ttl * KEPT_TIMES {
        tokio::time::sleep(ttl / KEEP_ALIVES).await;
        let last_sent = std::mem::replace(&mut sent, Instant::now());
        let (at, what) = match keeping.again().await? {
            ..=0 => (member, "the lease had gone"),
            _ if !is_there(reader, &key).await? => (reader, "the key had gone"),
            _ => continue,
        };
        if last_sent.elapsed() >= ttl {
            return Err(Trouble::NotMade("this machine was too busy to keep a lease alive in time".into()));
        }
        return Err(Trouble::failed(
            format!(
                "a key that is there as long as its lease of {ttl_s} s is kept alive, {KEEP_ALIVES} times in that time"
            ),
            format!("{}: {what} after {}", at.name, in_words(began.elapsed())),
            [at.name.as_str()],
        ));
    }
    Ok(began.elapsed())
}

async fn is_revoked(scene: &Scene<'_>, member: &Member, through: &Member) -> Answered<()> {
    let (key, id, _) = granted(scene, member, "revoked").await?;
    through.revoke(id).await?;
    for reader in &scene.members {
        if is_there(reader, &key).await? {
            return Err(Trouble::failed(
                "no key any more when its lease was revoked",
                format!("{}: the key is still there", reader.name),
                [reader.name.as_str()],
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_neither_early_nor_late() {
        let judge = |earliest_ms, latest_ms, is_there| {
            let expiry = Expiry {
                ttl: Duration::from_secs(2),
                earliest: Duration::from_millis(earliest_ms),
                latest: Duration::from_millis(latest_ms),
            };
            expiry.judge(is_there)
        };
        assert_eq!(judge(1_990, 1_950, true), Ok(None));
        assert_eq!(judge(2_400, 2_390, false), Ok(Some(Duration::from_millis(390))));
        // It may have begun when it was asked for.
        assert_eq!(judge(2_010, 1_950, false), Ok(Some(Duration::ZERO)));
        assert_eq!(judge(1_500, 1_490, false).unwrap_err().1, "it had gone after 1.5 s");
        assert_eq!(judge(4_990, 4_980, true), Ok(None));
        assert_eq!(judge(5_200, 5_100, true).unwrap_err().1, "it was still there after 5.1 s");
    }
}
