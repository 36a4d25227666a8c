//! Doc comments of this program's own source, for readers of the report: how a number is computed stands beside the code
//! that computes it, and nowhere else.

use maud::{Markup, html};

/// The module's own documentation: what stands at its head after `//!`.
pub(super) fn of_module(source: &str) -> String {
    let lines = source.lines().take_while(|line| line.starts_with("//!"));
    lines.map(|line| line[3..].strip_prefix(' ').unwrap_or(&line[3..])).collect::<Vec<_>>().join("\n")
}

/// The documentation of an item, by the line that declares it, as in `pub fn quantile(`; empty where there is none.
pub(super) fn of_item(source: &str, declared: &str) -> String {
    let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let Some(at) = lines.iter().position(|line| line.starts_with(declared)) else { return String::new() };
    let is_before = |line: &&&str| line.starts_with("///") || line.starts_with("#[");
    let mut docs: Vec<&str> = lines[..at].iter().rev().take_while(is_before).copied().collect();
    docs.reverse();
    let docs = docs.into_iter().filter_map(|line| line.strip_prefix("///"));
    docs.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Renders documentation: paragraphs, lists, `code`, *emphasis* and links, which become their text. What is for
/// programmers, from the first heading on, is left out.
pub(super) fn rendered(docs: &str) -> Markup {
    let docs = docs.split("\n# ").next().unwrap_or_default();
    html! {
        @for paragraph in docs.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
            @if paragraph.starts_with("- ") {
                ul { @for item in items(paragraph) { li { (inline(&item)) } } }
            } @else if paragraph.lines().all(|line| line.starts_with('|')) {
                // A table of the source is laid out for the source.
                pre { (paragraph) }
            } @else {
                p { (inline(&paragraph.replace('\n', " "))) }
            }
        }
    }
}

/// The items of a list; what is indented goes on.
fn items(list: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in list.lines() {
        match (line.strip_prefix("- "), items.last_mut()) {
            (None, Some(last)) => *last += &format!(" {}", line.trim_start()),
            (first, _) => items.push(first.unwrap_or(line).to_owned()),
        }
    }
    items
}

fn inline(text: &str) -> Markup {
    // Pieces between backticks are code, those between asterisks outside of code are emphasised.
    let without_links = unlinked(text);
    html! {
        @for (at, piece) in without_links.split('`').enumerate() {
            @if at % 2 == 1 { code { (last_segment(piece)) } }
            @else { @for (at, piece) in piece.split('*').enumerate() {
                @if at % 2 == 1 { em { (piece) } } @else { (piece) }
            } }
        }
    }
}

/// Text without the brackets of links, and without their targets.
fn unlinked(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, after)) = after.split_once("`]") else { break };
        plain += &format!("{before}`{name}`");
        rest = match after.strip_prefix('(') {
            Some(target) => target.split_once(')').map_or(after, |(_, after)| after),
            None => after,
        };
    }
    plain + rest
}

/// `crate::phases::Phase` is `Phase` to a reader.
fn last_segment(code: &str) -> &str {
    let is_path = !code.contains(' ') && code.contains("::");
    if is_path { code.rsplit("::").next().unwrap_or(code) } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "//! First *line*.\n//!\n//! - one\n//!   goes on\n//! - [`a::b`]\n\nuse x;\n\n/// Says `a < b`.\n///\n\
                          /// # Errors\n/// Never.\n#[must_use]\npub fn said() {}\n";

    #[test]
    fn documentation_is_taken_from_the_source_and_rendered() {
        let module = rendered(&of_module(SOURCE)).into_string();
        assert_eq!(module, "<p>First <em>line</em>.</p><ul><li>one goes on</li><li><code>b</code></li></ul>");
        let item = rendered(&of_item(SOURCE, "pub fn said(")).into_string();
        assert_eq!(item, "<p>Says <code>a &lt; b</code>.</p>");
        assert_eq!(of_item(SOURCE, "pub fn other("), "");
    }
}
