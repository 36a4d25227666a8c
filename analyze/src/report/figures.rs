//! Figures and tables of the page: numbered, with captions, and with pictures whose names do not clash.

use std::cell::Cell;
use std::collections::BTreeSet;

use maud::{Markup, PreEscaped, html};

use crate::output::html;
use crate::output::text::TextTable;

/// Numbers the figures and tables of a page, in the order in which they are made.
#[derive(Debug, Default)]
pub struct Numbers {
    figures: Cell<usize>,
    tables: Cell<usize>,
}

impl Numbers {
    /// A picture of its own, with `caption` below.
    pub(super) fn figure(&self, svg: &str, caption: &Markup) -> Markup {
        let number = next(&self.figures);
        html! {
            figure id={ "figure-" (number) } {
                div .scroll tabindex="0" role="group" aria-label={ "Figure " (number) ", scrolls sideways" } {
                    (inlined(svg, &format!("f{number}-")))
                }
                figcaption { b { "Figure " (number) ". " } (caption) }
            }
        }
    }

    /// A table with `caption` above.
    pub(super) fn table(&self, table: &TextTable, caption: &Markup) -> Markup {
        let number = next(&self.tables);
        let id = format!("table-{number}");
        html! { div .table { (html::table(table, &id, &html! { b { "Table " (number) ". " } (caption) })) } }
    }
}

fn next(counter: &Cell<usize>) -> usize {
    counter.set(counter.get() + 1);
    counter.get()
}

/// Attributes that name elements by their ids, separated by spaces.
const NAMING: [&str; 2] = ["aria-labelledby", "aria-describedby"];

/// An SVG as part of a page: its ids get a prefix, wherever they stand, since those of two pictures would be the same. What
/// is no tag is left alone.
fn inlined(svg: &str, prefix: &str) -> Markup {
    let from = svg.find("<svg").unwrap_or(0);
    let svg = &svg[from..];
    let ids: BTreeSet<&str> =
        tags(svg).filter(|(_, is_tag)| *is_tag).flat_map(|(tag, _)| attributes(tag)).filter_map(id).collect();
    let mut page = String::with_capacity(svg.len() + 1024);
    for (text, is_tag) in tags(svg) {
        if !is_tag {
            page += text;
            continue;
        }
        let mut rest = text;
        for (name, value) in attributes(text) {
            let at = value.as_ptr() as usize - rest.as_ptr() as usize;
            page += &rest[..at];
            page += &renamed(name, value, &ids, prefix);
            rest = &rest[at + value.len()..];
        }
        page += rest;
    }
    PreEscaped(page)
}

fn id<'a>((name, value): (&str, &'a str)) -> Option<&'a str> {
    (name == "id").then_some(value)
}

fn renamed(name: &str, value: &str, ids: &BTreeSet<&str>, prefix: &str) -> String {
    if name == "id" {
        return format!("{prefix}{value}");
    }
    if NAMING.contains(&name) {
        let named = value.split(' ').map(|id| if ids.contains(id) { format!("{prefix}{id}") } else { id.to_owned() });
        return named.collect::<Vec<_>>().join(" ");
    }
    if let Some(id) = value.strip_prefix('#').filter(|id| ids.contains(id)) {
        return format!("#{prefix}{id}");
    }
    let mut value = value.to_owned();
    for id in ids {
        value = value.replace(&format!("url(#{id})"), &format!("url(#{prefix}{id})"));
    }
    value
}

/// The pieces of XML, each with whether it is a tag.
fn tags(xml: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = xml;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let is_tag = rest.starts_with('<');
        let end = if is_tag { rest.find('>').map(|at| at + 1) } else { rest.find('<') };
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some((piece, is_tag))
    })
}

/// Names and values of a tag's attributes.
fn attributes(tag: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = tag;
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        rest = after;
        Some((before.rsplit([' ', '\n', '\t']).next().unwrap_or_default(), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_pictures_do_not_clash_and_text_is_left_alone() {
        let svg = "<?xml version=\"1.0\"?><svg aria-labelledby=\"title desc\"><title id=\"title\">id=\"title\"</title>\
                   <desc id=\"desc\">d</desc><clipPath id=\"c\"/><g clip-path=\"url(#c)\" fill=\"#222222\"><use href=\"#c\"/></g></svg>";
        let expected = "<svg aria-labelledby=\"f7-title f7-desc\"><title id=\"f7-title\">id=\"title\"</title>\
                        <desc id=\"f7-desc\">d</desc><clipPath id=\"f7-c\"/><g clip-path=\"url(#f7-c)\" fill=\"#222222\">\
                        <use href=\"#f7-c\"/></g></svg>";
        assert_eq!(inlined(svg, "f7-").into_string(), expected);
    }
}
