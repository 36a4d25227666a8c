//! What an error means for the operation: certainly not done, or perhaps done.

use etcd_client::Error;
use run_folder::operation::{ErrorKind, Outcome};
use tonic::Code;

/// Parts of etcd's error messages (its `rpctypes`), with what they mean.
const ETCD_MESSAGES: &[(&str, Outcome, ErrorKind)] = &[
    ("etcdserver: no leader", Outcome::Failed, ErrorKind::NoLeader),
    ("etcdserver: not leader", Outcome::Failed, ErrorKind::NoLeader),
    ("raft proposal dropped", Outcome::Failed, ErrorKind::NoLeader),
    ("etcdserver: leader changed", Outcome::Unknown, ErrorKind::LeaderChanged),
    ("etcdserver: request timed out", Outcome::Unknown, ErrorKind::RequestTimeout),
    ("etcdserver: too many requests", Outcome::Failed, ErrorKind::TooManyRequests),
    ("etcdserver: mvcc: database space exceeded", Outcome::Failed, ErrorKind::NoSpace),
    ("etcdserver: request is too large", Outcome::Failed, ErrorKind::Refused),
    ("etcdserver: server stopped", Outcome::Unknown, ErrorKind::Disconnected),
];

/// Classifies an error of an operation that was sent. Where the request may have reached a member, the outcome is
/// `unknown`: a write may be done although its answer was lost.
pub(super) fn classify(error: &Error) -> (Outcome, ErrorKind) {
    match error {
        Error::GRpcStatus(status) => classify_status(status),
        Error::TransportError(_) | Error::IoError(_) => (Outcome::Unknown, ErrorKind::Disconnected),
        Error::InvalidArgs(_) | Error::InvalidUri(_) => (Outcome::Failed, ErrorKind::Refused),
        _ => (Outcome::Unknown, ErrorKind::Other),
    }
}

fn classify_status(status: &tonic::Status) -> (Outcome, ErrorKind) {
    let known = ETCD_MESSAGES.iter().find(|(message, ..)| status.message().starts_with(message));
    if let Some((_, outcome, kind)) = known {
        return (*outcome, *kind);
    }
    if connecting_failed(status) {
        return (Outcome::Failed, ErrorKind::Connect);
    }
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented | Code::PermissionDenied => {
            (Outcome::Failed, ErrorKind::Refused)
        }
        Code::DeadlineExceeded => (Outcome::Unknown, ErrorKind::RequestTimeout),
        Code::Unavailable | Code::Cancelled => (Outcome::Unknown, ErrorKind::Disconnected),
        // tonic reports a broken HTTP/2 stream as Internal or Unknown.
        _ if status.message().contains("h2 protocol error") || status.message().contains("transport error") => {
            (Outcome::Unknown, ErrorKind::Disconnected)
        }
        _ => (Outcome::Unknown, ErrorKind::Other),
    }
}

/// True when the cause is that no connection could be made, so that nothing was sent.
fn connecting_failed(status: &tonic::Status) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(status);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| {
            // The one error that only connecting can bring.
            error.kind() == std::io::ErrorKind::ConnectionRefused
        }) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    #[test]
    fn a_write_that_may_have_happened_is_never_called_failed() {
        let cases = [
            (Status::unavailable("etcdserver: request timed out"), Outcome::Unknown, ErrorKind::RequestTimeout),
            (
                Status::unavailable("etcdserver: request timed out, possibly due to previous leader failure"),
                Outcome::Unknown,
                ErrorKind::RequestTimeout,
            ),
            (Status::unavailable("etcdserver: leader changed"), Outcome::Unknown, ErrorKind::LeaderChanged),
            (Status::unavailable("etcdserver: no leader"), Outcome::Failed, ErrorKind::NoLeader),
            (Status::unknown("raft proposal dropped"), Outcome::Failed, ErrorKind::NoLeader),
            (Status::resource_exhausted("etcdserver: too many requests"), Outcome::Failed, ErrorKind::TooManyRequests),
            (
                Status::resource_exhausted("etcdserver: mvcc: database space exceeded"),
                Outcome::Failed,
                ErrorKind::NoSpace,
            ),
            (Status::invalid_argument("etcdserver: request is too large"), Outcome::Failed, ErrorKind::Refused),
            (Status::unknown("transport error"), Outcome::Unknown, ErrorKind::Disconnected),
            (Status::unavailable("connection reset"), Outcome::Unknown, ErrorKind::Disconnected),
            (Status::internal("something new"), Outcome::Unknown, ErrorKind::Other),
        ];
        for (status, outcome, kind) in cases {
            assert_eq!(classify_status(&status), (outcome, kind), "{status}");
        }
    }
}
