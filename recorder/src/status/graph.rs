//! A status as a graph that other programs draw: Mermaid and Graphviz.

use std::fmt::Write;

use crate::cluster::member_status::{ClusterStatus, MemberStatusRow, Role};

/// As a Mermaid flowchart.
pub(super) fn mermaid(status: &ClusterStatus) -> Vec<String> {
    let mut lines = vec![format!("%% {} of {}", mermaid_text(&title(status)), status.time), "flowchart TB".to_owned()];
    for (at, row) in status.members.iter().enumerate() {
        let label = about(row).iter().map(|line| mermaid_text(line)).collect::<Vec<_>>().join("<br/>");
        lines.push(format!("    m{at}[\"{label}\"]:::{}", row.role));
    }
    for (from, to, label) in edges(status) {
        lines.push(match label {
            Some(label) => format!("    m{from} -- \"{label}\" --> m{to}"),
            None => format!("    m{from} -.- m{to}"),
        });
    }
    lines.extend(
        [
            "    classDef leader fill:#0072b2,color:#fff,stroke:#000",
            "    classDef follower fill:#ddeaf3,color:#000,stroke:#0072b2",
            "    classDef learner fill:#fff,color:#000,stroke:#0072b2,stroke-dasharray:4",
            "    classDef unreachable fill:#fff,color:#a33,stroke:#d55e00,stroke-dasharray:4",
        ]
        .map(String::from),
    );
    lines
}

/// In Graphviz's language.
pub(super) fn graphviz(status: &ClusterStatus) -> Vec<String> {
    let mut lines = vec![
        "digraph raft {".to_owned(),
        format!(
            "    label=\"{} of {}\"; labelloc=t; fontname=\"sans-serif\";",
            graphviz_text(&title(status)),
            status.time
        ),
        "    node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"]; edge [fontname=\"sans-serif\"];"
            .to_owned(),
    ];
    for (at, row) in status.members.iter().enumerate() {
        let label = about(row).iter().map(|line| graphviz_text(line)).collect::<Vec<_>>().join("\\n");
        let look = match row.role {
            Role::Leader => "fillcolor=\"#0072b2\", fontcolor=white",
            Role::Follower => "fillcolor=\"#ddeaf3\"",
            Role::Learner => "fillcolor=white, style=\"rounded,dashed\"",
            Role::Unreachable => "fillcolor=white, color=\"#d55e00\", fontcolor=\"#aa3333\", style=\"rounded,dashed\"",
        };
        lines.push(format!("    m{at} [label=\"{label}\", {look}];"));
    }
    for (from, to, label) in edges(status) {
        lines.push(match label {
            Some(label) => format!("    m{from} -> m{to} [label=\" {label}\"];"),
            None => format!("    m{from} -> m{to} [style=dashed, arrowhead=none];"),
        });
    }
    lines.push("}".to_owned());
    lines
}

fn title(status: &ClusterStatus) -> String {
    let term = status.raft_term.map_or_else(|| "term unknown".to_owned(), |term| format!("term {term}"));
    let leading = match (&status.leader, status.leader_row()) {
        (None, _) => ", no member leads".to_owned(),
        (Some(_), Some(_)) => String::new(),
        // It is no box of the graph.
        (Some(leader), None) => format!(", {leader} leads"),
    };
    format!("Raft state, {term}{leading},")
}

/// What stands in a member's box.
fn about(row: &MemberStatusRow) -> Vec<String> {
    let mut lines = vec![row.member.clone(), row.role.to_string()];
    if let (Some(index), Some(applied)) = (row.raft_index, row.raft_applied_index) {
        lines.push(format!("index {index}, applied {applied}"));
    }
    lines.extend(row.problem_in_short().map(str::to_owned));
    lines
}

/// From the leader to each other member by index; without a label where nothing is known of the way.
fn edges(status: &ClusterStatus) -> Vec<(usize, usize, Option<String>)> {
    let Some(leader) = status.members.iter().position(|row| Some(&row.member) == status.leader.as_ref()) else {
        return Vec::new();
    };
    let label = |row: &MemberStatusRow| {
        let mut label = String::new();
        // A String takes everything.
        let _ =
            row.raft_lag.map(|lag| if lag == 0 { write!(label, "up to date") } else { write!(label, "{lag} behind") });
        (!label.is_empty()).then_some(label)
    };
    let others = status.members.iter().enumerate().filter(|(at, _)| *at != leader);
    others.map(|(at, row)| (leader, at, label(row))).collect()
}

/// Text between quotes in Mermaid, which knows HTML's escapes with # in place of &.
fn mermaid_text(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            letter if letter.is_alphanumeric() || " .,:-_/()'+=".contains(letter) => escaped.push(letter),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped += &format!("#{};", u32::from(letter)),
        }
    }
    escaped
}

/// Text between quotes in Graphviz's language.
fn graphviz_text(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect::<String>()
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::member_status::tests::{rows, status};

    #[test]
    fn names_cannot_break_out_of_their_quotes() {
        assert_eq!(mermaid_text("a\"]; b<c>\n#"), "a#34;#93;#59; b#60;c#62; #35;");
        assert_eq!(graphviz_text("a\"]; b\\\n"), "a\\\"]; b\\\\ ");
    }

    #[test]
    fn every_member_has_a_box_and_a_way_from_the_leader() {
        let whole = status(rows());
        assert_eq!(edges(&whole), [(0, 1, Some("34 behind".to_owned())), (0, 2, None)]);
        assert_eq!(edges(&status(rows().split_off(1))), []);
        for drawn in [mermaid(&whole), graphviz(&whole)] {
            let text = drawn.join("\n");
            for part in ["m0", "m1", "m2", "34 behind", "connection refused"] {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
    }
}
