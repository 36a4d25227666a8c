//! A table as HTML: what people see of it in a terminal, in a box of its own that scrolls where the page is narrow.
//!
//! Everything that is no element here is text that was recorded or typed, and is escaped.

use std::ops::Range;

use maud::{Markup, html};

use super::text::TextTable;

/// Cells of more characters than this break into lines.
const NOWRAP_CHARS_MAX: usize = 34;

/// Renders a table under `caption`: headings as such, the first cell of a row as what names it, groups as bodies of their
/// own. Numbers stand right. What a mark at the end of a number stands for is said where it stands. Hints, which are about the command line, are left out.
///
/// The caption stands outside of the box, where it does not scroll away; `id` ties the two together.
pub fn table(table: &TextTable, id: &str, caption: &Markup) -> Markup {
    let spans = table.spans();
    let has_spans = spans.iter().any(|(_, above)| !above.is_empty());
    let is_grouped = table.rows.iter().any(|(group, _)| group.is_some());
    html! {
        @for lead in &table.leads { p { (lead) } }
        p .caption id=(id) { (caption) }
        div .scroll tabindex="0" role="group" aria-labelledby=(id) {
            table aria-labelledby=(id) {
                thead {
                    @if has_spans { tr {
                        @for (columns, above) in &spans { (span(columns, above)) }
                    } }
                    tr {
                        @for (at, heading) in table.headings.iter().enumerate() {
                            th scope="col" class=[class(table.right[at], begins_span(&spans, at) && has_spans)] { (heading) }
                        }
                    }
                }
                @for rows in groups(&table.rows) {
                    tbody {
                        @if let (true, Some(group)) = (is_grouped, &rows[0].0) {
                            tr .group { th colspan=(table.headings.len()) scope="rowgroup" { (group) } }
                        }
                        @for (_, cells) in rows { tr {
                            @for (at, text) in cells.iter().enumerate() {
                                (cell(text, at == 0, table.right[at], has_spans && begins_span(&spans, at)))
                            }
                        } }
                    }
                }
            }
        }
        @if !table.notes.is_empty() {
            ul .notes { @for note in &table.notes { li { (note) } } }
        }
    }
}

/// A table by itself, as a notebook shows it: with its style, and without anything to refer to.
pub fn standalone(table: &TextTable) -> String {
    let rows = self::table(table, "", &Markup::default());
    html! { div .laggard { style { (maud::PreEscaped(STYLE)) } (rows) } }.into_string()
}

/// No colours of its own, since notebooks are light or dark; the class is named twice to outrank theirs, which set all cells right.
const STYLE: &str = "div.laggard.laggard .caption{display:none}div.laggard.laggard .scroll{overflow-x:auto}\
    div.laggard.laggard table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
    div.laggard.laggard table tr th,div.laggard.laggard table tr td{padding:.15em .6em;text-align:left;white-space:nowrap;border:0;font-weight:normal}\
    div.laggard.laggard table tr .num{text-align:right}div.laggard.laggard table thead tr th{border-bottom:1px solid;font-weight:bold}\
    div.laggard.laggard table tr.group th{padding-top:.8em;font-weight:bold}div.laggard.laggard .notes{opacity:.75;font-size:.9em}";

/// Neighbouring rows of one group.
fn groups(rows: &[(Option<String>, Vec<String>)]) -> impl Iterator<Item = &[(Option<String>, Vec<String>)]> {
    rows.chunk_by(|a, b| a.0 == b.0)
}

fn begins_span(spans: &[(Range<usize>, String)], at: usize) -> bool {
    at > 0 && spans.iter().any(|(columns, above)| columns.start == at && !above.is_empty())
}

fn span(columns: &Range<usize>, above: &str) -> Markup {
    html! {
        @if above.is_empty() { td colspan=(columns.len()) {} }
        @else { th .over colspan=(columns.len()) scope="colgroup" { (above) } }
    }
}

fn class(is_right: bool, begins_span: bool) -> Option<&'static str> {
    match (is_right, begins_span) {
        (true, true) => Some("num gap"),
        (true, false) => Some("num"),
        (false, true) => Some("gap"),
        (false, false) => None,
    }
}

/// Marks that stand at the end of numbers, the class of a cell that has one, and what it says.
const MARKS: [(char, &str, &str); 2] =
    [('~', "noise", "within the noise floor"), ('*', "sure", "significant, and outside of the noise floor")];

fn cell(text: &str, is_first: bool, is_right: bool, begins_span: bool) -> Markup {
    let text = text.trim();
    let marked = MARKS.into_iter().filter(|_| is_right && !is_first);
    let marked = marked.filter_map(|(mark, class, words)| Some((text.strip_suffix(mark)?, mark, class, words))).next();
    let mut classes: Vec<&str> = class(is_right, begins_span).into_iter().collect();
    classes.extend(marked.map(|(_, _, class, _)| class));
    classes.extend((text.chars().count() > NOWRAP_CHARS_MAX).then_some("long"));
    let class = (!classes.is_empty()).then(|| classes.join(" "));
    html! {
        @if is_first { th scope="row" class=[class] { (text) } }
        @else if let Some((number, mark, _, words)) = marked {
            td class=[class] { (number) abbr title=(words) { (mark) } }
        }
        @else { td class=[class] { (text) } }
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;
    use crate::output::text::Column;

    fn rendered(edit: impl FnOnce(&mut TextTable)) -> String {
        let frame = df!(
            "group" => ["first", "first", "<b>second</b>"],
            "label" => ["a", "b\"><script>", "c"],
            "from" => [1.0, 2.5, 1234.5],
            "ratio" => [Some("2.00 "), Some("1.02~"), None],
        )
        .expect("a frame");
        let columns = [
            Column::new("label", "label"),
            Column::new("from", "from").under("p99, ms"),
            Column::new("ratio", "ratio").under("p99, ms").right(),
        ];
        let mut text = TextTable::new(&frame, &columns, Some("group")).expect("a table");
        edit(&mut text);
        format!("<div>{}</div>", table(&text, "t", &html! { "caption" }).into_string())
    }

    #[test]
    fn a_table_is_well_formed_and_recorded_text_stays_text() {
        let page = rendered(|text| text.note("1 < 2 & so on"));
        let tree = roxmltree::Document::parse(&page).expect("well-formed");
        let texts = |name: &str| -> Vec<String> {
            let found = tree.descendants().filter(|node| node.has_tag_name(name));
            found
                .map(|node| node.descendants().filter_map(|inner| inner.text().filter(|_| inner.is_text())).collect())
                .collect()
        };
        assert!(!tree.descendants().any(|node| node.has_tag_name("script") || node.has_tag_name("b")));
        assert_eq!(
            texts("th"),
            ["p99, ms", "label", "from", "ratio", "first", "a", "b\"><script>", "<b>second</b>", "c"]
        );
        assert_eq!(texts("td")[1..], ["1.000", "2.00", "2.500", "1.02~", "1234", "-"]);
        assert_eq!(texts("li"), ["1 < 2 & so on"]);
        assert_eq!(tree.descendants().filter(|node| node.has_tag_name("tbody")).count(), 2, "a body for each group");
    }

    #[test]
    fn what_is_within_the_noise_says_so_in_words() {
        let page = rendered(|_| {});
        let tree = roxmltree::Document::parse(&page).expect("well-formed");
        let marked: Vec<_> = tree.descendants().filter(|node| node.has_tag_name("abbr")).collect();
        assert_eq!(marked.len(), 1);
        assert_eq!(marked[0].attribute("title"), Some("within the noise floor"));
        assert_eq!(marked[0].parent_element().and_then(|cell| cell.attribute("class")), Some("num noise"));
    }

    #[test]
    fn leads_are_whole_sentences_and_hints_are_left_out() {
        let lead = "a sentence of words that is repeated over and over ".repeat(4);
        let page = rendered(|text| {
            text.lead(lead.trim());
            text.hint("more columns: --wide");
        });
        assert!(page.contains(&format!("<p>{}</p>", lead.trim())), "{page}");
        assert!(!page.contains("--wide"));
    }
}
