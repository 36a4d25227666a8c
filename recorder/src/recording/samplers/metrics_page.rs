//! A member's `/metrics` page: fetching it and taking from it what is recorded.

use std::net::SocketAddr;

use crate::cluster::http;
use crate::cluster::sockets::Sockets;

/// Metrics that are recorded, by the beginning of their names.
const WANTED: &[&str] = &[
    "etcd_disk_wal_fsync_duration_seconds_",
    "etcd_disk_backend_commit_duration_seconds_",
    "etcd_network_peer_round_trip_time_seconds_",
    "etcd_server_proposals_",
    "etcd_server_leader_changes_seen_total",
    "etcd_server_heartbeat_send_failures_total",
    "etcd_server_slow_apply_total",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
];

/// One line of the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry<'a> {
    /// Name of the metric.
    pub metric: &'a str,
    /// Its labels, as `name=value` joined by commas, without quotes.
    pub label: Option<&'a str>,
    /// Its value.
    pub value: f64,
}

/// Fetches the page on a fresh connection.
///
/// # Errors
/// When the member does not answer with a page.
pub(super) async fn fetch(
    sockets: &Sockets,
    address: SocketAddr,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let body = http::get(sockets, address, "/metrics").await?;
    // Quotes around label values are the only ones on etcd's page; without them a label is a slice of the line.
    Ok(String::from_utf8_lossy(&body).replace('"', ""))
}

/// The wanted lines of a page from [`fetch`].
pub(super) fn wanted(page: &str) -> impl Iterator<Item = Entry<'_>> {
    page.lines().filter(|line| WANTED.iter().any(|name| line.starts_with(name))).filter_map(parse)
}

fn parse(line: &str) -> Option<Entry<'_>> {
    let (name, value) = line.rsplit_once(' ')?;
    let value: f64 = value.parse().ok().filter(|value: &f64| value.is_finite())?;
    let (metric, label) = match name.split_once('{') {
        Some((metric, labels)) => (metric, Some(labels.strip_suffix('}')?)),
        None => (name, None),
    };
    Some(Entry { metric, label, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_lines_are_taken_and_others_passed_over() {
        let page = "# HELP etcd_server_proposals_pending x\netcd_server_proposals_pending 3\n\
                    etcd_disk_wal_fsync_duration_seconds_bucket{le=0.001} 17\n\
                    etcd_network_peer_round_trip_time_seconds_bucket{To=8e9e05c52164694d,le=+Inf} 1e+06\n\
                    go_goroutines 100\nprocess_cpu_seconds_total NaN\nprocess_cpu_seconds_total\n";
        let entries: Vec<_> = wanted(page).collect();
        assert_eq!(
            entries,
            [
                Entry { metric: "etcd_server_proposals_pending", label: None, value: 3.0 },
                Entry { metric: "etcd_disk_wal_fsync_duration_seconds_bucket", label: Some("le=0.001"), value: 17.0 },
                Entry {
                    metric: "etcd_network_peer_round_trip_time_seconds_bucket",
                    label: Some("To=8e9e05c52164694d,le=+Inf"),
                    value: 1e6
                },
            ]
        );
    }
}
