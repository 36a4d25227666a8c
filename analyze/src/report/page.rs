//! The page around the sections: head, title, table of contents.

use maud::{Markup, PreEscaped, html};

use super::sections::{OF_A_PART, rest};
use super::{Numbers, Part, Report, Section};
use crate::Result;

const STYLE: &str = include_str!("style.css");

/// Elements without content are closed, so that the page is well-formed XML too, and any parser can read it.
const HEAD: &str = "<meta charset=\"utf-8\"/>\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
<meta name=\"color-scheme\" content=\"light only\"/>";

/// A part with its sections, and what stands before their anchors.
struct Written {
    title: String,
    prefix: String,
    sections: Vec<Section>,
}

pub(super) fn html(report: &Report) -> Result<String> {
    let numbers = Numbers::default();
    let several = report.parts.len() > 1;
    let mut parts = Vec::new();
    for (at, part) in report.parts.iter().enumerate() {
        let prefix = if several { format!("part{}-", at + 1) } else { String::new() };
        let made = OF_A_PART.iter().map(|make| make(part, &numbers)).collect::<Result<Vec<_>>>()?;
        parts.push(Written { title: heading(part), prefix, sections: made.into_iter().flatten().collect() });
    }
    let mut last = vec![rest::methods(), rest::glossary(), rest::again(report)];
    last.splice(0..0, rest::left_out(report));
    let title = format!("Laggard: {}", report.subject);
    let page = html! {
        (PreEscaped("<!DOCTYPE html>"))
        html lang="en" {
            head {
                (PreEscaped(HEAD))
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a .skip href="#content" { "Skip to the content" }
                header {
                    p .maker { "Laggard" }
                    h1 { "What slow members did to an etcd cluster" }
                    p .subject { (report.subject) }
                }
                nav aria-label="Contents" { (contents(&parts, &last, several)) }
                main id="content" {
                    @for part in &parts {
                        @if several { h2 .part id=(part.prefix.trim_end_matches('-')) { (part.title) } }
                        @for section in &part.sections { (written(section, &part.prefix, several)) }
                    }
                    @for section in &last { (written(section, "", false)) }
                }
            }
        }
    };
    Ok(without_controls(&page.into_string()))
}

fn heading(part: &Part) -> String {
    part.sweep.as_ref().map_or_else(|| "Runs outside of sweeps".to_owned(), |sweep| format!("Sweep {sweep}"))
}

fn written(section: &Section, prefix: &str, is_deep: bool) -> Markup {
    let anchor = format!("{prefix}{}", section.anchor);
    html! {
        section aria-labelledby={ (anchor) } {
            @if is_deep { h3 id=(anchor) { (section.title) } } @else { h2 id=(anchor) { (section.title) } }
            (section.content)
        }
    }
}

fn contents(parts: &[Written], last: &[Section], several: bool) -> Markup {
    let links = |sections: &[Section], prefix: &str| {
        html! { @for section in sections { li { a href={ "#" (prefix) (section.anchor) } { (section.title) } } } }
    };
    html! {
        p .contents { "Contents" }
        ol {
            @for part in parts {
                @if several {
                    li {
                        a href={ "#" (part.prefix.trim_end_matches('-')) } { (part.title) }
                        ol { (links(&part.sections, &part.prefix)) }
                    }
                } @else { (links(&part.sections, &part.prefix)) }
            }
            (links(last, ""))
        }
    }
}

/// The page without what neither HTML nor XML has a place for, and without what turns the direction of writing: recorded text
/// cannot make a line read otherwise than it is.
fn without_controls(page: &str) -> String {
    let is_bad = |c: char| {
        c.is_control() && c != '\n' && c != '\t'
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}'..='\u{ffff}')
    };
    page.replace(is_bad, "\u{fffd}")
}
