//! A status as aligned columns, a line for each member.

use crate::cluster::member_status::{ClusterStatus, MemberStatusRow};

/// A column: its name, and what it says of a member.
type Column = (&'static str, fn(&MemberStatusRow) -> Option<String>);

const COLUMNS: [Column; 11] = [
    ("member", |row| Some(row.member.clone())),
    ("address", |row| Some(row.address.clone())),
    ("listener", |row| row.listener.clone()),
    ("role", |row| Some(row.role.to_string())),
    ("term", |row| row.raft_term.map(|term| term.to_string())),
    ("index", |row| row.raft_index.map(|index| index.to_string())),
    ("lag", |row| row.raft_lag.map(|lag| lag.to_string())),
    ("applied", |row| row.raft_applied_index.map(|index| index.to_string())),
    ("db", |row| row.db_size_bytes.map(size)),
    ("etcd", |row| row.version.clone()),
    ("alarms", |row| (!row.alarms.is_empty()).then(|| row.alarms.join(","))),
];
/// Columns that are left out where no member has anything to say.
const OPTIONAL: [&str; 2] = ["listener", "alarms"];

/// The header and a line for each member; `-` where there is nothing to say.
pub(super) fn lines(status: &ClusterStatus) -> Vec<String> {
    lines_without(status, &[])
}

/// Columns that are left out first where there is no room for all.
const DISPENSABLE: [&str; 5] = ["address", "etcd", "db", "applied", "listener"];

/// The same with as many columns as have room in `width`; those that say how the cluster stands stay in any case.
pub(super) fn lines_within(status: &ClusterStatus, width: usize) -> Vec<String> {
    // Where people reach members at listeners, the addresses behind these are of no use to them.
    let first = usize::from(status.members.iter().any(|row| row.listener.is_some()));
    let fits = |lines: &Vec<String>| lines.iter().all(|line| line.chars().count() <= width);
    let mut choices = (first..=DISPENSABLE.len()).map(|count| lines_without(status, &DISPENSABLE[..count]));
    choices.find(fits).unwrap_or_else(|| lines_without(status, &DISPENSABLE))
}

fn lines_without(status: &ClusterStatus, left_out: &[&str]) -> Vec<String> {
    let members = &status.members;
    let is_shown = |(name, of): &&Column| {
        !left_out.contains(name) && (!OPTIONAL.contains(name) || members.iter().any(|row| of(row).is_some()))
    };
    let columns: Vec<_> = COLUMNS.iter().filter(is_shown).collect();
    let header = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let cells = |row| columns.iter().map(|(_, of)| of(row).unwrap_or_else(|| "-".into())).collect();
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(members.iter().map(cells)).collect();
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let aligned = |line: &Vec<String>| {
        let cells: Vec<_> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    lines.iter().map(aligned).collect()
}

/// A file's size for people.
pub(super) fn size(bytes: i64) -> String {
    match bytes {
        ..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::member_status::tests::{rows, status};

    #[test]
    fn a_table_has_a_line_for_each_member_and_a_dash_for_what_is_not_known() {
        let expected = "\
member  address         listener        role         term  index  lag  applied  db     etcd
etcd0   10.77.0.2:2379  127.0.0.1:2379  leader       2     1234   0    1234     20 kB  3.4.23
etcd1   10.77.1.2:2379  127.0.0.1:2380  follower     2     1200   34   1199     20 kB  3.4.23
etcd2   10.77.2.2:2379  -               unreachable  -     -      -    -        -      -";
        assert_eq!(lines(&status(rows())).join("\n"), expected);
    }

    #[test]
    fn columns_come_and_go_with_what_they_say() {
        let mut rows = rows();
        rows[0].alarms = vec!["NOSPACE".into()];
        rows.iter_mut().for_each(|row| row.listener = None);
        let header = lines(&status(rows))[0].clone();
        assert!(header.ends_with("alarms") && !header.contains("listener"), "{header}");
    }

    #[test]
    fn narrow_places_keep_what_matters() {
        let status = status(rows());
        for (width, kept, left_out) in
            [(200, "listener", "address"), (60, "listener", "etcd"), (40, "lag", "listener"), (5, "role", "db")]
        {
            let lines = lines_within(&status, width);
            assert!(
                lines[0].contains(kept) && !lines[0].split_whitespace().any(|name| name == left_out),
                "{width}: {}",
                lines[0]
            );
        }
    }
}
